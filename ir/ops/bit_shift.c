#include <string.h>

#include "ir/ops/common.h"

static bool is_left(const struct node *n)
{
    return !strcmp(((const struct bit_shift_attrs *)n->attrs)->direction, "LEFT");
}

bool bit_shift_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct bit_shift_attrs *a = n->attrs;
    if (!is_left(n) && strcmp(a->direction, "RIGHT"))
        return error_set(err, SHEAF_ERROR_FORMAT, "the direction '%s' is neither LEFT nor RIGHT",
                         a->direction);
    return ops_infer_broadcast(n, TYPES_INT, DTYPE_NONE, err);
}

/*
 * A distance of all bits or more leaves 0, or to the right the sign.  One that is negative counts
 * as such, as its bits are a great number.
 */
static kval bit_shift_of(struct lower *l, kval a, kval b)
{
    struct kernel *k = l->kernel;
    enum dtype type = kernel_inst(k, a)->type;
    kval most = kernel_const_int(k, type, dtype_bits(type) - 1),
         zero = kernel_const_int(k, type, 0);
    kval fits = kernel_compare(k, KOP_LE, b, most);
    if (dtype_kind(type) == DTYPE_KIND_INT) {
        kval is_positive = kernel_compare(k, KOP_LE, zero, b);
        fits = kernel_binary(k, KOP_AND, fits, is_positive);
    }
    kval distance = kernel_select(k, fits, b, most);
    if (is_left(l->node))
        return kernel_select(k, fits, kernel_binary(k, KOP_SHL, a, distance), zero);
    kval shifted = kernel_binary(k, KOP_SHR, a, distance);
    return dtype_kind(type) == DTYPE_KIND_INT ? shifted : kernel_select(k, fits, shifted, zero);
}

void bit_shift_lower(struct lower *l)
{
    ops_map_fold(l, bit_shift_of);
}
