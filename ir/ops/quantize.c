#include "ir/ops/quantize.h"

static bool is_scalar(const struct shape *s)
{
    return s->rank <= 1 && shape_elems(s) == 1;
}

static bool check_blocks(const struct node *n, size_t i, const struct quantize_axis *a, int axis,
                         struct error *err)
{
    struct shape want = n->in[0]->shape;
    if (!ops_check_static(n, 0, err))
        return false;
    want.dims[axis] = want.dims[axis] / a->block_size + (want.dims[axis] % a->block_size != 0);
    return ops_check_dims(n, i, want.rank, want.dims, err);
}

static bool check_parameter(const struct node *n, size_t i, const struct quantize_axis *a,
                            struct error *err)
{
    const struct shape *x = &n->in[0]->shape, *s = &n->in[i]->shape;
    int axis;
    if (!ops_check_static(n, i, err))
        return false;
    if (is_scalar(s))
        return true;
    if (!ops_axis(a->axis, x->rank, &axis, err))
        return false;
    if (a->block_size)
        return check_blocks(n, i, a, axis, err);
    if (!ops_check_rank(n, i, 1, err))
        return false;
    if (!x->extent[axis] && s->dims[0] == x->dims[axis])
        return true;
    return error_set(err, SHEAF_ERROR_SHAPE,
                     "parameter '%s' has %lld elements, dimension %d has %lld", n->in[i]->name,
                     (long long)s->dims[0], axis, (long long)x->dims[axis]);
}

bool quantize_check(const struct node *n, const struct quantize_axis *a, struct error *err)
{
    if (a->block_size < 0)
        return error_set(err, SHEAF_ERROR_SHAPE, "block_size %lld is negative",
                         (long long)a->block_size);
    for (size_t i = 1; i < 3; i++)
        if (ops_has_input(n, i) && !check_parameter(n, i, a, err))
            return false;
    return true;
}

kval quantize_parameter(struct lower *l, size_t i, const struct quantize_axis *a, const kval *idx)
{
    struct kernel *k = l->kernel;
    const struct kbuf *b = &k->bufs[l->in[i]];
    int rank = k->bufs[l->in[0]].rank, axis = 0;
    kval at[MAX_RANK] = {0};
    if (is_scalar(&l->node->in[i]->shape)) {
        at[0] = kernel_const_index(k, 0);
        return kernel_load(k, l->in[i], at);
    }
    ops_axis(a->axis, rank, &axis, NULL);
    if (!a->block_size)
        return kernel_load(k, l->in[i], &idx[axis]);
    for (int d = 0; d < b->rank; d++)
        at[d] = idx[d];
    at[axis] = kernel_binary(k, KOP_DIV, idx[axis], kernel_const_index(k, a->block_size));
    return kernel_load(k, l->in[i], at);
}

kval quantize_parameter_as(struct lower *l, size_t i, const struct quantize_axis *a,
                           const kval *idx, enum dtype to)
{
    return kernel_convert(l->kernel, to, quantize_parameter(l, i, a, idx),
                          (struct kernel_encoding){0});
}

bool quantize_type(int64_t code, const char *name, unsigned types, enum dtype otherwise,
                   enum dtype *out, struct error *err)
{
    *out = code ? dtype_from_code(code) : otherwise;
    return (1u << *out & types & ~1u) ||
           error_set(err, SHEAF_ERROR_UNSUPPORTED, "%s: ONNX type %lld is not supported", name,
                     (long long)(code ? code : dtype_code(otherwise)));
}
