#include "loader/import/onnx/compose/compose.h"

struct value *compose_reshape(struct onnx *o, struct value *x, int rank, const int64_t *dims,
                              const char *name)
{
    struct shape s = shape_of_dims(rank, dims);
    if (!x || (!name && shape_equal(&x->shape, &s)))
        return x;
    return build_reshape(&o->im, x, rank, dims, name);
}

struct value *compose_transpose(struct onnx *o, struct value *x, const int64_t *perm,
                                const char *name)
{
    return x ? build_transpose(&o->im, x, perm, name) : NULL;
}

struct value *compose_channels_first(struct onnx *o, struct value *x)
{
    int64_t perm[MAX_RANK] = {0};
    int rank = x ? x->shape.rank : 0;
    for (int i = 1; i < rank; i++)
        perm[i] = i == 1 ? rank - 1 : i - 1;
    return rank < 3 ? x : compose_transpose(o, x, perm, NULL);
}

struct value *compose_channels_last(struct onnx *o, struct value *x, const char *name)
{
    int64_t perm[MAX_RANK] = {0};
    int rank = x ? x->shape.rank : 0;
    for (int i = 1; i < rank; i++)
        perm[i] = i == rank - 1 ? 1 : i + 1;
    return compose_transpose(o, x, perm, name);
}

struct value *compose_slice(struct onnx *o, struct value *x, int64_t axis, int64_t start,
                            int64_t end, const char *name)
{
    if (!x || (!name && start == 0 && end == x->shape.dims[axis]))
        return x;
    struct value *in[4] = {x};
    in[1] = build_ints(&o->im, NULL, &start, 1);
    in[2] = build_ints(&o->im, NULL, &end, 1);
    in[3] = build_ints(&o->im, NULL, &axis, 1);
    return build_op(&o->im, OP_slice, NULL, in, 4, name);
}

struct value *compose_concat(struct onnx *o, struct value *a, struct value *b, int64_t axis,
                             const char *name)
{
    struct value *in[2] = {a, b};
    return a && b ? compose_along(o, in, 2, axis, name) : NULL;
}

struct value *compose_binary(struct onnx *o, enum op op, struct value *a, struct value *b,
                             const char *name)
{
    struct value *in[2] = {a, b};
    return a && b ? build_op(&o->im, op, NULL, in, 2, name) : NULL;
}

struct value *compose_along(struct onnx *o, struct value *const *x, size_t n, int64_t axis,
                            const char *name)
{
    struct node *node = build_begin(&o->im, OP_concat, NULL, x, n, 1);
    ((struct concat_attrs *)node->attrs)->axis = axis;
    return build_end1(&o->im, node, name);
}

struct value *compose_stack(struct onnx *o, struct value *const *x, size_t n, int64_t axis)
{
    struct value **in = arena_array(o->im.arena, n, sizeof *in);
    for (size_t i = 0; i < n; i++) {
        in[i] = compose_with_axis(o, OP_unsqueeze, x[i], axis);
        if (!in[i])
            return NULL;
    }
    return compose_along(o, in, n, axis, NULL);
}

struct value *compose_with_axis(struct onnx *o, enum op op, struct value *x, int64_t axis)
{
    struct value *axes = build_ints(&o->im, NULL, &axis, 1);
    return build_binary(&o->im, op, NULL, x, axes);
}

struct value *compose_scalar(struct onnx *o, const char *name, enum dtype dtype, int64_t v)
{
    struct tensor *t = tensor_new(o->im.arena, dtype, 0, NULL);
    tensor_set_int(t, 0, v);
    return graph_add_constant(o->im.g, name, t);
}

struct value *compose_number(struct onnx *o, enum op op, struct value *x, double number)
{
    return compose_binary(o, op, x, build_number(&o->im, x, number), NULL);
}

struct value *compose_range(struct onnx *o, const struct draft *d, enum dtype type, int64_t n)
{
    int64_t some = n < BUILD_MAX_FILLED_BYTES ? n : BUILD_MAX_FILLED_BYTES + 1;
    if (!compose_reserve(o, d, dtype_bytes(type, some)))
        return NULL;
    struct tensor *t = tensor_new(o->im.arena, type, 1, &n);
    for (int64_t i = 0; i < n; i++)
        tensor_set_int(t, i, i);
    return graph_add_constant(o->im.g, NULL, t);
}

bool compose_reserve(struct onnx *o, const struct draft *d, int64_t bytes)
{
    if (bytes > BUILD_MAX_FILLED_BYTES - o->im.filled_bytes)
        return draft_error(o, d, SHEAF_ERROR_MEMORY,
                           "constants that stand for %s would take more than %lld bytes",
                           d->op_type, (long long)BUILD_MAX_FILLED_BYTES);
    o->im.filled_bytes += bytes;
    return true;
}

enum dtype compose_compute_type(enum dtype type)
{
    return type == DTYPE_F16 || type == DTYPE_BF16 ? DTYPE_F32 : type;
}

bool compose_need_static(struct onnx *o, const struct draft *d, size_t i, int rank)
{
    const struct value *v = draft_input(d, i);
    if (!v)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "%s lacks its input %zu", d->op_type, i);
    if (!shape_is_static(&v->shape))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "the shape of '%s' is known only at run time", v->name);
    return rank < 0 || v->shape.rank == rank ||
           draft_error(o, d, SHEAF_ERROR_SHAPE, "'%s' has %d dimensions where %d are needed",
                       v->name, v->shape.rank, rank);
}
