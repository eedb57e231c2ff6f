#include "ir/ops/common.h"

bool eye_like_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct eye_like_attrs *a = n->attrs;
    enum dtype type = a->dtype ? dtype_from_code(a->dtype) : n->in[0]->dtype;
    if (!((TYPES_NUMBER | TYPE(BOOL)) & (1u << type)))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "results of ONNX type %lld are not possible",
                         (long long)a->dtype);
    return ops_check_rank(n, 0, 2, err) && ops_set_output(n, 0, type, &n->in[0]->shape, err);
}

void eye_like_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct eye_like_attrs *a = l->node->attrs;
    enum dtype type = k->bufs[l->out[0]].dtype;
    kval idx[2];
    ops_map_begin(k, l->out[0], idx);
    kval diagonal = kernel_binary(k, KOP_SUB, idx[1], idx[0]);
    kval on = kernel_compare(k, KOP_EQ, diagonal, kernel_const_index(k, a->k));
    kval one = kernel_const(k, type, 1), zero = kernel_const(k, type, 0);
    kernel_store(k, l->out[0], idx, kernel_select(k, on, one, zero));
    ops_map_end(k, l->out[0]);
}
