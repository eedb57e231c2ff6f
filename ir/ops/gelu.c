#include <string.h>

#include "ir/ops/common.h"

static bool by_tanh(const struct node *n)
{
    return !strcmp(((const struct gelu_attrs *)n->attrs)->approximate, "tanh");
}

bool gelu_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct gelu_attrs *a = n->attrs;
    if (strcmp(a->approximate, "none") && !by_tanh(n))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "the approximation '%s' is not known",
                         a->approximate);
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

static kval gelu_of(struct lower *l, kval x)
{
    return by_tanh(l->node) ? kernel_gelu_tanh(l->kernel, x) : kernel_gelu(l->kernel, x);
}

void gelu_lower(struct lower *l)
{
    ops_map_unary(l, gelu_of);
}
