#include <assert.h>
#include <string.h>

#include "ir/checked.h"
#include "ir/ops/common.h"

static const char *input_name(const struct node *n, size_t i)
{
    return n->in[i]->name;
}

bool ops_has_input(const struct node *n, size_t i)
{
    return i < n->n_in && n->in[i];
}

bool ops_has_output(const struct node *n, size_t i)
{
    return i < n->n_out && n->out[i];
}

bool ops_check_type(const struct node *n, size_t i, unsigned types, struct error *err)
{
    if (!ops_has_input(n, i) || (types & (1u << n->in[i]->dtype)))
        return true;
    char list[256] = "";
    for (int t = DTYPE_NONE + 1; t < DTYPE_COUNT; t++) {
        if (!(types & (1u << t)))
            continue;
        if (*list)
            strcat(list, ", ");
        strcat(list, dtype_name((enum dtype)t));
    }
    return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                     "%s does not take input '%s' of type %s (only %s)", op_desc(n->op)->id,
                     input_name(n, i), dtype_name(n->in[i]->dtype), list);
}

bool ops_check_same_type(const struct node *n, size_t i, size_t j, struct error *err)
{
    if (!ops_has_input(n, i) || !ops_has_input(n, j) || n->in[i]->dtype == n->in[j]->dtype)
        return true;
    return error_set(err, SHEAF_ERROR_SHAPE, "inputs '%s' of type %s and '%s' of type %s differ",
                     input_name(n, i), dtype_name(n->in[i]->dtype), input_name(n, j),
                     dtype_name(n->in[j]->dtype));
}

bool ops_check_static(const struct node *n, size_t i, struct error *err)
{
    if (!ops_has_input(n, i) || shape_is_static(&n->in[i]->shape))
        return true;
    return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                     "%s does not take input '%s', whose shape is known only at run time",
                     op_desc(n->op)->id, input_name(n, i));
}

bool ops_check_rank(const struct node *n, size_t i, int rank, struct error *err)
{
    if (!ops_has_input(n, i) || n->in[i]->shape.rank == rank)
        return true;
    return error_set(err, SHEAF_ERROR_SHAPE, "input '%s' has %d dimensions where %d are needed",
                     input_name(n, i), n->in[i]->shape.rank, rank);
}

bool ops_check_dims(const struct node *n, size_t i, int rank, const int64_t *dims,
                    struct error *err)
{
    return ops_check_static(n, i, err) && ops_check_bounds(n, i, rank, dims, err);
}

bool ops_check_bounds(const struct node *n, size_t i, int rank, const int64_t *dims,
                      struct error *err)
{
    if (!ops_check_rank(n, i, rank, err))
        return false;
    for (int d = 0; ops_has_input(n, i) && d < rank; d++)
        if (n->in[i]->shape.dims[d] != dims[d])
            return error_set(
                err, SHEAF_ERROR_SHAPE, "dimension %d of input '%s' is %lld where %lld is needed",
                d, input_name(n, i), (long long)n->in[i]->shape.dims[d], (long long)dims[d]);
    return true;
}

bool ops_set_output(struct node *n, size_t i, enum dtype dtype, const struct shape *shape,
                    struct error *err)
{
    int64_t elems = 1;
    for (int d = 0; d < shape->rank; d++) {
        /* A dimension of 0 must not hide the size of the others. */
        int64_t dim = shape->dims[d] ? shape->dims[d] : 1;
        if (dim < 0)
            return error_set(err, SHEAF_ERROR_SHAPE, "dimension %d of the result would be %lld", d,
                             (long long)dim);
        if (!checked_mul(elems, dim, &elems) || elems > LIMIT_TENSOR_ELEMS)
            return error_set(err, SHEAF_ERROR_MEMORY,
                             "the result would have more than %lld elements",
                             (long long)LIMIT_TENSOR_ELEMS);
    }
    if (!ops_has_output(n, i))
        return true;
    struct value *v = n->out[i];
    v->dtype = dtype;
    v->shape = *shape;
    if (v->layout.rank != shape->rank)
        v->layout = layout_plain(shape->rank);
    return true;
}

struct value *ops_hidden_scalar(struct graph *g, struct node *n, size_t i, const char *suffix)
{
    if (i >= n->n_out) {
        struct value **out = arena_array(g->arena, i + 1, sizeof *out);
        memcpy(out, n->out, n->n_out * sizeof *out);
        n->out = out;
        n->n_out = i + 1;
    }
    if (!n->out[i])
        graph_node_output(g, n, i, arena_printf(g->arena, "%s.%s", n->out[0]->name, suffix));
    n->out[i]->dtype = DTYPE_I64;
    n->out[i]->shape = shape_of_dims(0, NULL);
    return n->out[i];
}

bool ops_axis(int64_t axis, int rank, int *out_axis, struct error *err)
{
    if (axis < -rank || axis >= rank)
        return error_set(err, SHEAF_ERROR_SHAPE, "axis %lld does not exist in %d dimensions",
                         (long long)axis, rank);
    *out_axis = (int)(axis < 0 ? axis + rank : axis);
    return true;
}

bool ops_axes(const int64_t *axes, size_t n, int rank, bool *out_set, struct error *err)
{
    bool set[MAX_RANK] = {false};
    for (size_t i = 0; i < n; i++) {
        int d;
        if (!ops_axis(axes[i], rank, &d, err))
            return false;
        if (set[d])
            return error_set(err, SHEAF_ERROR_SHAPE, "axis %lld is given twice",
                             (long long)axes[i]);
        set[d] = true;
    }
    memcpy(out_set, set, (size_t)rank * sizeof *set);
    return true;
}

bool ops_stated_shape(size_t rank, const int64_t *dims, struct shape *out, struct error *err)
{
    for (size_t d = 0; d < rank; d++)
        if (dims[d] < 0)
            return error_set(err, SHEAF_ERROR_SHAPE, "dimension %zu of the shape is %lld", d,
                             (long long)dims[d]);
    *out = shape_of_dims((int)rank, dims);
    return true;
}

bool ops_const_ints(const struct node *n, size_t i, const char *what, size_t max, int64_t *out,
                    size_t *out_n, struct error *err)
{
    if (!ops_has_input(n, i))
        return error_set(err, SHEAF_ERROR_SHAPE, "the %s, input %zu, are missing", what, i);
    const struct value *v = n->in[i];
    if (!value_is_constant(v))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "the %s, input '%s', must be constant, but is computed at run time", what,
                         v->name);
    if (!ops_check_type(n, i, TYPES_INDEX, err))
        return false;
    int64_t elems = tensor_elems(v->constant);
    if (v->constant->rank > 1)
        return error_set(err, SHEAF_ERROR_SHAPE, "the %s, input '%s', has %d dimensions, not 1",
                         what, v->name, v->constant->rank);
    if (elems > (int64_t)max)
        return error_set(err, SHEAF_ERROR_SHAPE, "the %s, input '%s', has %lld elements, not %zu",
                         what, v->name, (long long)elems, max);
    for (int64_t e = 0; e < elems; e++)
        out[e] = tensor_get_int(v->constant, e);
    *out_n = (size_t)elems;
    return true;
}

bool ops_check_extent(const struct node *n, size_t i, struct error *err)
{
    const struct value *v = n->in[i];
    if (!ops_check_type(n, i, TYPE(I64), err) || !ops_check_rank(n, i, 0, err))
        return false;
    return value_is_constant(v) || v->role == VALUE_TEMP || v->role == VALUE_ARG ||
           error_set(err, SHEAF_ERROR_SHAPE, "the extent '%s' is no result of a node", v->name);
}

bool ops_given_extents(const struct node *n, size_t first, struct shape *shape, struct error *err)
{
    if (n->n_in > first + (size_t)shape->rank)
        return error_set(err, SHEAF_ERROR_SHAPE, "there are %zu extents for %d dimensions",
                         n->n_in - first, shape->rank);
    for (int d = 0; d < shape->rank; d++) {
        size_t i = first + (size_t)d;
        if (!ops_has_input(n, i))
            continue;
        if (!ops_check_extent(n, i, err))
            return false;
        if (!value_is_constant(n->in[i])) {
            shape->extent[d] = n->in[i];
            continue;
        }
        int64_t known = tensor_get_int(n->in[i]->constant, 0);
        if (known < 0 || known > shape->dims[d])
            return error_set(err, SHEAF_ERROR_SHAPE, "extent %lld of dimension %d is above %lld",
                             (long long)known, d, (long long)shape->dims[d]);
        shape->dims[d] = known;
    }
    return true;
}

static bool is_one(const struct shape *s, int d)
{
    return d < 0 || (s->dims[d] == 1 && !s->extent[d]);
}

bool ops_broadcast(struct shape *acc, const struct shape *s, struct error *err)
{
    struct shape r = {.rank = acc->rank > s->rank ? acc->rank : s->rank};
    for (int d = 0; d < r.rank; d++) {
        int a = d - (r.rank - acc->rank), b = d - (r.rank - s->rank);
        const struct shape *from = is_one(acc, a) ? s : acc;
        int at = from == s ? b : a;
        if (at < 0) {
            from = from == s ? acc : s;
            at = from == s ? b : a;
        }
        r.dims[d] = from->dims[at];
        r.extent[d] = from->extent[at];
        if (!is_one(acc, a) && !is_one(s, b) &&
            (acc->dims[a] != s->dims[b] || acc->extent[a] != s->extent[b]))
            return error_set(err, SHEAF_ERROR_SHAPE,
                             "extents %lld%s and %lld%s in dimension %d of the result differ",
                             (long long)acc->dims[a], acc->extent[a] ? " (at most)" : "",
                             (long long)s->dims[b], s->extent[b] ? " (at most)" : "", d);
    }
    *acc = r;
    return true;
}

bool ops_infer_unary(struct node *n, unsigned types, struct error *err)
{
    return ops_check_type(n, 0, types, err) &&
           ops_set_output(n, 0, n->in[0]->dtype, &n->in[0]->shape, err);
}

bool ops_infer_broadcast(struct node *n, unsigned types, enum dtype out, struct error *err)
{
    struct shape shape = n->in[0]->shape;
    for (size_t i = 0; i < n->n_in; i++) {
        if (!n->in[i])
            return error_set(err, SHEAF_ERROR_SHAPE, "input %zu is left out", i);
        if (!ops_check_type(n, i, types, err) || !ops_check_same_type(n, 0, i, err) ||
            !ops_broadcast(&shape, &n->in[i]->shape, err))
            return false;
    }
    return ops_set_output(n, 0, out != DTYPE_NONE ? out : n->in[0]->dtype, &shape, err);
}
