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

/* (1 + tanh(u)) / 2 is sigmoid(2 u), which keeps its precision where the tanh is near -1. */
static kval gate_by_tanh(struct kernel *k, kval x)
{
    enum dtype type = kernel_inst(k, x)->type;
    kval square = kernel_binary(k, KOP_MUL, x, x);
    kval slope = kernel_binary(k, KOP_MUL, square, kernel_const(k, type, 0.044715));
    slope = kernel_binary(k, KOP_ADD, slope, kernel_const(k, type, 1));
    kval twice_root = kernel_const(k, type, 1.5957691216057308); /* 2 sqrt(2 / pi) */
    kval u = kernel_binary(k, KOP_MUL, kernel_binary(k, KOP_MUL, twice_root, x), slope);
    return kernel_sigmoid(k, u);
}

static kval gelu_of(struct lower *l, kval x)
{
    struct kernel *k = l->kernel;
    if (by_tanh(l->node))
        return kernel_binary(k, KOP_MUL, x, gate_by_tanh(k, x));
    enum dtype type = kernel_inst(k, x)->type;
    kval half = kernel_const(k, type, 0.5);
    kval root = kernel_const(k, type, 0.70710678118654752);
    kval erf = kernel_erf(k, kernel_binary(k, KOP_MUL, x, root));
    kval gate = kernel_binary(k, KOP_ADD, half, kernel_binary(k, KOP_MUL, half, erf));
    return kernel_binary(k, KOP_MUL, x, gate);
}

void gelu_lower(struct lower *l)
{
    ops_map_unary(l, gelu_of);
}
