/*
 * BitCast-26: the same bits as another type of the same width.
 */
#include "ir/ops/common.h"

bool bit_cast_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct bit_cast_attrs *a = n->attrs;
    enum dtype from = n->in[0]->dtype, to = dtype_from_code(a->to);
    if (to == DTYPE_NONE)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "ONNX type %lld is not known",
                         (long long)a->to);
    if (dtype_bits(from) != dtype_bits(to))
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "the types %s and %s differ in width: %d and %d bits", dtype_name(from),
                         dtype_name(to), dtype_bits(from), dtype_bits(to));
    return ops_set_output(n, 0, to, &n->in[0]->shape, err);
}

/* An integer of the width, which has the bits of a float as its own. */
static enum dtype integer_of(enum dtype t)
{
    if (!dtype_is_float(t) && !dtype_is_coded(t))
        return t;
    switch (dtype_bits(t)) {
    case 4:
        return DTYPE_U4;
    case 8:
        return DTYPE_U8;
    case 16:
        return DTYPE_U16;
    case 32:
        return DTYPE_U32;
    default:
        return DTYPE_U64;
    }
}

/* Between integers a conversion wraps, which keeps the bits; a bool is 0 or 1. */
void bit_cast_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    enum dtype from = k->bufs[l->in[0]].dtype, to = k->bufs[l->out[0]].dtype;
    kval idx[MAX_RANK];
    ops_map_begin(k, l->out[0], idx);
    kval x = kernel_load(k, l->in[0], idx);
    if (from != integer_of(from))
        x = kernel_bitcast(k, integer_of(from), x);
    x = kernel_cast(k, integer_of(to), x);
    if (to != integer_of(to))
        x = kernel_bitcast(k, to, x);
    kernel_store(k, l->out[0], idx, x);
    ops_map_end(k, l->out[0]);
}
