#include "ir/ops/common.h"

bool cast_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct cast_attrs *a = n->attrs;
    enum dtype to = dtype_from_code(a->to);
    if (to == DTYPE_NONE)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "conversion to ONNX type %lld is not known",
                         (long long)a->to);
    return ops_set_output(n, 0, to, &n->in[0]->shape, err);
}

/*
 * Out-of-range floats are left open by ONNX.  Wide integers saturate; into 4 bits the published
 * results keep the low bits of the truncated value, hence the step through i32.
 */
static kval cast_of(struct kernel *k, enum dtype from, enum dtype to, kval x)
{
    if (dtype_is_float(from) && dtype_is_integer(to) && dtype_bits(to) == 4)
        x = kernel_cast(k, DTYPE_I32, x);
    return kernel_cast(k, to, x);
}

void cast_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    kval idx[MAX_RANK];
    ops_map_begin(k, l->out[0], idx);
    kval x = kernel_load(k, l->in[0], idx);
    x = cast_of(k, k->bufs[l->in[0]].dtype, k->bufs[l->out[0]].dtype, x);
    kernel_store(k, l->out[0], idx, x);
    ops_map_end(k, l->out[0]);
}
