/*
 * A function of a quantized value as a table: index 0 is the value 0, and negative values follow
 * the positive ones (i8: -128 is index 128), as their bits read without sign.
 */
#include "ir/ops/common.h"

bool lookup_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    if (!ops_check_type(n, 0, TYPES_8 | TYPES_16, err) || !ops_check_type(n, 1, TYPES_NUMBER, err))
        return false;
    int64_t elems = (int64_t)1 << dtype_bits(n->in[0]->dtype);
    if (!value_is_constant(n->in[1]))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "the table '%s' must be constant",
                         n->in[1]->name);
    return ops_check_dims(n, 1, 1, &elems, err) &&
           ops_set_output(n, 0, n->in[1]->dtype, &n->in[0]->shape, err);
}

void lookup_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    enum dtype bits = dtype_bits(k->bufs[l->in[0]].dtype) == 8 ? DTYPE_U8 : DTYPE_U16;
    kval idx[MAX_RANK];
    ops_map_begin(k, l->out[0], idx);
    kval x = kernel_bitcast(k, bits, kernel_load(k, l->in[0], idx));
    kval at = kernel_cast(k, DTYPE_I64, x);
    kernel_store(k, l->out[0], idx, kernel_load(k, l->in[1], &at));
    ops_map_end(k, l->out[0]);
}
