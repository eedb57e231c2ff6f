/*
 * Loop-25.  Inputs: trip count, condition (both optional), carried values; the block's inputs:
 * round, condition, carried values; its outputs: condition, carried values, scan elements.
 *
 * A carried value keeps its type and shape.  A scan output has a leading dimension: exact where
 * the trip count is constant and the condition always holds; else its bound is the constant trip
 * count or what the model declares for the output, and its extent is the number of rounds, a hidden
 * output behind the others.
 */
#include "ir/checked.h"
#include "ir/ops/control.h"

enum { TRIP, COND, CARRIED };

static bool check_scalar(const struct node *n, size_t i, enum dtype type, struct error *err)
{
    if (!ops_check_type(n, i, 1u << type, err) || !ops_check_static(n, i, err))
        return false;
    if (ops_has_input(n, i) && shape_elems(&n->in[i]->shape) != 1)
        return error_set(err, SHEAF_ERROR_SHAPE, "input '%s' has %lld elements, not one",
                         n->in[i]->name, (long long)shape_elems(&n->in[i]->shape));
    return true;
}

static void set_argument(struct value *v, enum dtype type, const struct shape *shape)
{
    v->dtype = type;
    v->shape = *shape;
    if (v->layout.rank != shape->rank)
        v->layout = layout_plain(shape->rank);
}

static bool set_arguments(const struct node *n, const struct block *body, struct error *err)
{
    struct shape scalar = shape_of_dims(0, NULL);
    set_argument(body->in[0], DTYPE_I64, &scalar);
    set_argument(body->in[1], DTYPE_BOOL, &scalar);
    for (size_t i = CARRIED; i < n->n_in; i++) {
        if (!n->in[i])
            return error_set(err, SHEAF_ERROR_SHAPE, "carried value %zu is left out", i - CARRIED);
        if (!ops_check_static(n, i, err))
            return false;
        set_argument(body->in[i], n->in[i]->dtype, &n->in[i]->shape);
    }
    return true;
}

static bool always_runs(const struct node *n)
{
    const struct block *body = n->blocks[0];
    if (!ops_has_input(n, COND))
        return true;
    const struct value *next = body->out[0];
    return value_is_true(n->in[COND]) &&
           (value_behind_views(next) == body->in[1] || value_is_true(next));
}

/* The leading dimension of scan output i. */
static bool scan_length(struct graph *g, struct node *n, size_t i, const struct shape *element,
                        struct shape *y, struct error *err)
{
    const struct block *body = n->blocks[0];
    bool fixed = ops_has_input(n, TRIP) && value_is_constant(n->in[TRIP]);
    const struct value *declared = n->out[i];
    if (fixed) {
        y->dims[0] = tensor_get_int(n->in[TRIP]->constant, 0);
        if (y->dims[0] < 0)
            y->dims[0] = 0;
    } else if (declared->shape.rank == element->rank + 1 && declared->dtype != DTYPE_NONE) {
        y->dims[0] = declared->shape.dims[0];
    } else {
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "scan output '%s' has no bound: the trip count is not constant, and the "
                         "model declares no shape",
                         declared->name);
    }
    if (!fixed || !always_runs(n))
        y->extent[0] = ops_hidden_scalar(g, n, body->n_out - 1, "rounds");
    return true;
}

bool loop_infer(struct graph *g, struct node *n, struct error *err)
{
    if (n->n_blocks != 1)
        return error_set(err, SHEAF_ERROR_SHAPE, "there are %zu bodies, not 1", n->n_blocks);
    if (n->n_in < CARRIED)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "there are %zu inputs, not trip count and "
                         "condition (either may be left out)",
                         n->n_in);
    struct block *body = n->blocks[0];
    size_t n_carried = n->n_in - CARRIED;
    if (body->n_in != n->n_in)
        return error_set(err, SHEAF_ERROR_SHAPE, "the body has %zu inputs, the node %zu",
                         body->n_in, n->n_in);
    if (body->n_out < 1 + n_carried || n->n_out < body->n_out - 1)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "the body has %zu outputs where %zu values are carried and the node has "
                         "%zu outputs",
                         body->n_out, n_carried, n->n_out);
    if (!check_scalar(n, TRIP, DTYPE_I64, err) || !check_scalar(n, COND, DTYPE_BOOL, err) ||
        !set_arguments(n, body, err) || !control_infer_block(g, body, err))
        return false;
    if (body->out[0]->dtype != DTYPE_BOOL || shape_elems(&body->out[0]->shape) != 1)
        return error_set(err, SHEAF_ERROR_SHAPE, "the condition '%s' is no single bool",
                         body->out[0]->name);
    for (size_t i = 0; i + 1 < body->n_out; i++) {
        const struct value *v = body->out[1 + i];
        struct shape y = v->shape;
        if (i < n_carried) {
            const struct value *arg = body->in[CARRIED + i];
            if (v->dtype != arg->dtype || !shape_equal(&v->shape, &arg->shape))
                return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                                 "carried value '%s' changes its type or shape: %s%s becomes %s%s",
                                 arg->name, dtype_name(arg->dtype),
                                 shape_print(&arg->shape, g->arena), dtype_name(v->dtype),
                                 shape_print(&v->shape, g->arena));
        } else {
            if (!shape_is_static(&v->shape) || v->shape.rank >= MAX_RANK)
                return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                                 "the shape %s of scan element '%s' cannot be stacked",
                                 shape_print(&v->shape, g->arena), v->name);
            y.rank++;
            for (int d = 0; d < v->shape.rank; d++)
                y.dims[d + 1] = v->shape.dims[d];
            y.extent[0] = NULL;
            if (ops_has_output(n, i) && !scan_length(g, n, i, &v->shape, &y, err))
                return false;
        }
        if (ops_has_output(n, i) && !ops_set_output(n, i, v->dtype, &y, err))
            return false;
    }
    return true;
}

void loop_lower(struct lower *l)
{
    lower_loop(l);
}
