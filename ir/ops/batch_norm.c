/*
 * BatchNormalization-15 (inference), in the form (x - mean) * (scale / sqrt(var + epsilon)) + bias:
 * the factor is what folding into a convolution uses.
 */
#include "ir/ops/common.h"

enum { X, SCALE, BIAS, MEAN, VAR };

bool batch_norm_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct shape *x = &n->in[X]->shape;
    if (x->rank < 1)
        return error_set(err, SHEAF_ERROR_SHAPE, "the input is a scalar");
    /* A vector has one channel per element of its only dimension. */
    int channels = x->rank > 1 ? 1 : 0;
    if (x->extent[channels])
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "the number of channels is known only at run time");
    for (size_t i = SCALE; i <= VAR; i++)
        if (!ops_check_type(n, i, TYPES_FLOAT, err) ||
            !ops_check_dims(n, i, 1, &x->dims[channels], err))
            return false;
    return ops_infer_unary(n, TYPES_FLOAT, err);
}

void batch_norm_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct batch_norm_attrs *a = l->node->attrs;
    enum dtype type = ops_compute_type(k->bufs[l->in[X]].dtype);
    kval idx[MAX_RANK], p[5];
    ops_map_begin(k, l->out[0], idx);
    const kval *channel = &idx[k->bufs[l->in[X]].rank > 1 ? 1 : 0];
    for (int i = SCALE; i <= VAR; i++)
        p[i] = kernel_cast(k, type, ops_load(k, l->in[i], channel));
    kval var = kernel_binary(k, KOP_ADD, p[VAR], kernel_const(k, type, (double)a->epsilon));
    kval factor = kernel_binary(k, KOP_DIV, p[SCALE], kernel_unary(k, KOP_SQRT, var));
    kval y = kernel_binary(k, KOP_SUB, ops_load(k, l->in[X], idx), p[MEAN]);
    y = kernel_binary(k, KOP_ADD, kernel_binary(k, KOP_MUL, y, factor), p[BIAS]);
    ops_store(k, l->out[0], idx, y);
    ops_map_end(k, l->out[0]);
}
