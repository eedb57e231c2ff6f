/*
 * ONNX Runtime's fused layers of transformers (domain com.microsoft): products with an activation,
 * dropout as it is at inference, biases of attention that depend on positions.
 */
#include <math.h>
#include <string.h>

#include "loader/import/onnx/compose/compose.h"

/* ---- products and sums ---- */

/* gelu(X W + bias), by its approximation with tanh */
bool onnx_compose_gemm_fast_gelu(struct onnx *o, struct draft *d)
{
    if (!draft_need_inputs(o, d, 2))
        return false;
    struct value *x = compose_binary(o, OP_matmul, d->in[0], d->in[1], NULL);
    x = onnx_widened(o, x);
    if (x && draft_input(d, 2))
        x = compose_binary(o, OP_add, x, onnx_widened(o, d->in[2]), NULL);
    if (!x)
        return false;
    struct node *n = build_begin(&o->im, OP_gelu, d->name, &x, 1, 1);
    ((struct gelu_attrs *)n->attrs)->approximate = "tanh";
    return onnx_finish_as(o, d, build_end1(&o->im, n, NULL), d->in[0]->dtype);
}

/* Whether the model trains here, which is not supported. */
static bool refuse_training(struct onnx *o, const struct draft *d, size_t i)
{
    const struct value *v = draft_input(d, i);
    if (!v || (value_is_constant(v) && tensor_get_int(v->constant, 0) == 0))
        return true;
    return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "%s in training is not supported",
                       d->op_type);
}

/* BiasDropout: data, bias, residual, ratio, training_mode. */
bool onnx_compose_bias_dropout(struct onnx *o, struct draft *d)
{
    draft_take(d, "seed");
    if (!draft_need_inputs(o, d, 2) || !refuse_training(o, d, 4))
        return false;
    if (draft_output_used(o, d, 1))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "the mask of %s is not supported",
                           d->op_type);
    struct value *y = compose_binary(o, OP_add, d->in[0], d->in[1], NULL);
    if (draft_input(d, 2))
        y = compose_binary(o, OP_add, y, d->in[2], NULL);
    return draft_finish(o, d, y);
}

/* BitmaskDropout: data, ratio, training_mode. */
bool onnx_compose_bitmask_dropout(struct onnx *o, struct draft *d)
{
    draft_take(d, "seed");
    if (!draft_need_inputs(o, d, 1) || !refuse_training(o, d, 2))
        return false;
    if (draft_output_used(o, d, 1))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "the mask of %s is not supported",
                           d->op_type);
    return draft_finish(o, d, d->in[0]);
}

/* ---- biases by position ---- */

/* In which of the buckets a key falls that lies `distance` behind the query: half of them hold one
   distance each, the others grow by the same factor up to max_distance. */
static int64_t bucket_of(int64_t distance, int64_t buckets, int64_t max_distance, bool both)
{
    int64_t first = 0, n = -distance;
    if (both) {
        buckets /= 2;
        first = n < 0 ? buckets : 0;
        n = n < 0 ? -n : n;
    }
    n = n < 0 ? 0 : n;
    int64_t exact = buckets / 2;
    if (n < exact)
        return first + n;
    float far = logf((float)n / (float)exact) / logf((float)max_distance / (float)exact);
    int64_t at = exact + (int64_t)(far * (float)(buckets - exact));
    return first + (at < buckets ? at : buckets - 1);
}

static bool take_length(struct onnx *o, const struct draft *d, size_t i, int64_t *out)
{
    const struct value *v = d->in[i];
    if (!value_is_constant(v) || tensor_elems(v->constant) != 1)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "%s needs lengths that are constant, '%s' is none", d->op_type, v->name);
    *out = tensor_get_int(v->constant, 0);
    return *out >= 1 || draft_error(o, d, SHEAF_ERROR_SHAPE, "the length '%s' is %lld", v->name,
                                    (long long)*out);
}

/* Table [buckets, heads], length of queries and of keys: [1, heads, queries, keys]. */
bool onnx_compose_relative_position_bias(struct onnx *o, struct draft *d)
{
    static const int64_t perm[] = {2, 0, 1};
    int64_t max_distance, both, dims[2];
    if (!draft_need_inputs(o, d, 3) || !compose_need_static(o, d, 0, 2) ||
        !draft_take_int(o, d, "max_distance", 0, &max_distance) ||
        !draft_take_int(o, d, "is_bidirectional", 0, &both) || !take_length(o, d, 1, &dims[0]) ||
        !take_length(o, d, 2, &dims[1]))
        return false;
    int64_t buckets = d->in[0]->shape.dims[0];
    if (max_distance < 1 || buckets < 4 || max_distance * (both ? 4 : 2) <= buckets)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "max_distance %lld does not fit %lld buckets",
                           (long long)max_distance, (long long)buckets);
    if (dims[0] > INT32_MAX || dims[1] > INT32_MAX || !compose_reserve(o, d, dims[0] * dims[1] * 8))
        return false;
    struct tensor *t = tensor_new(o->im.arena, DTYPE_I64, 2, dims);
    for (int64_t i = 0; i < tensor_elems(t); i++)
        tensor_set_int(t, i,
                       bucket_of(i % dims[1] - i / dims[1], buckets, max_distance, both != 0));
    struct value *rows =
        build_binary(&o->im, OP_gather, d->name, d->in[0], graph_add_constant(o->im.g, NULL, t));
    rows = compose_transpose(o, rows, perm, NULL);
    return draft_finish(o, d, compose_with_axis(o, OP_unsqueeze, rows, 0));
}

enum { QUERY, QUERY_BIAS, POSITIONS, WEIGHT, BIAS, ECO };

/* A gate of the query, [batch, heads, length, 1]: number `which` of two. */
static struct value *gate(struct onnx *o, struct value *x, int64_t which)
{
    static const int64_t last = -1;
    int64_t dims[5];
    if (!x)
        return NULL;
    memcpy(dims, x->shape.dims, 3 * sizeof *dims);
    dims[3] = 2;
    dims[4] = x->shape.dims[3] / 2;
    x = compose_reshape(o, x, 5, dims, NULL);
    x = build_reduce(&o->im, OP_reduce_sum, NULL, x, (struct attr_ints){&last, 1}, false);
    x = build_unary(&o->im, OP_sigmoid, NULL, x);
    return x ? compose_slice(o, x, 3, which, which + 1, NULL) : NULL;
}

/* Positions [1, heads, length, length] times what the query makes of them:
   gate 0 (gate 1 eco - 1) + 2. */
bool onnx_compose_gated_relative_position_bias(struct onnx *o, struct draft *d)
{
    static const int64_t perm[] = {0, 2, 1, 3};
    int64_t heads;
    if (d->n_in > ECO + 1)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "%s without padding is not supported",
                           d->op_type);
    if (!draft_need_inputs(o, d, ECO + 1) || !compose_need_static(o, d, QUERY, 3) ||
        !compose_need_static(o, d, WEIGHT, 2) || !draft_take_int(o, d, "num_heads", 0, &heads))
        return false;
    const struct shape *q = &d->in[QUERY]->shape, *w = &d->in[WEIGHT]->shape;
    if (heads < 1 || q->dims[2] % heads || w->dims[0] != q->dims[2] / heads || w->dims[1] % 2)
        return draft_error(o, d, SHEAF_ERROR_SHAPE,
                           "%lld columns do not make %lld heads that fit the weight %s",
                           (long long)q->dims[2], (long long)heads, shape_print(w, o->im.arena));
    const int64_t dims[] = {q->dims[0], q->dims[1], heads, q->dims[2] / heads};
    struct value *x = compose_binary(o, OP_add, onnx_widened(o, d->in[QUERY]),
                                     onnx_widened(o, d->in[QUERY_BIAS]), NULL);
    x = compose_transpose(o, compose_reshape(o, x, 4, dims, NULL), perm, NULL);
    x = compose_binary(o, OP_matmul, x, onnx_widened(o, d->in[WEIGHT]), NULL);
    x = compose_binary(o, OP_add, x, onnx_widened(o, d->in[BIAS]), NULL);
    struct value *inner =
        compose_binary(o, OP_mul, gate(o, x, 1), onnx_widened(o, d->in[ECO]), NULL);
    inner = compose_number(o, OP_sub, inner, 1);
    struct value *y = compose_binary(o, OP_mul, gate(o, x, 0), inner, NULL);
    y = compose_number(o, OP_add, y, 2);
    y = compose_binary(o, OP_mul, y, onnx_widened(o, d->in[POSITIONS]), NULL);
    return onnx_finish_as(o, d, y, d->in[QUERY]->dtype);
}
