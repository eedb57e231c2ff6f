#include "ir/ops/common.h"

bool erf_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_unary(n, TYPES_NUMBER, err);
}

/* Of integers -1, 0 and 1 at most: the result is truncated. */
static kval erf_of(struct lower *l, kval x)
{
    enum dtype type = kernel_inst(l->kernel, x)->type;
    if (dtype_is_integer(type))
        x = kernel_cast(l->kernel, DTYPE_F64, x);
    return kernel_cast(l->kernel, type, kernel_erf(l->kernel, x));
}

void erf_lower(struct lower *l)
{
    ops_map_unary(l, erf_of);
}
