/*
 * ai.onnx.ml: what prepares features: Binarizer, Scaler, Normalizer, Imputer, FeatureVectorizer and
 * ArrayFeatureExtractor.
 */
#include <math.h>
#include <string.h>

#include "loader/import/onnx/compose/ml.h"

bool onnx_compose_binarizer(struct onnx *o, struct draft *d)
{
    float threshold;
    if (!draft_need_inputs(o, d, 1) || !draft_take_float(o, d, "threshold", 0, &threshold))
        return false;
    struct value *x = d->in[0];
    /* An integer is above a number where it is above the greatest integer in that. */
    double limit = dtype_is_float(x->dtype) ? (double)threshold : floor((double)threshold);
    return onnx_finish_as(o, d, compose_number(o, OP_greater, x, limit), x->dtype);
}

bool onnx_compose_array_feature_extractor(struct onnx *o, struct draft *d)
{
    static const int64_t all = -1;
    if (!draft_need_inputs(o, d, 2))
        return false;
    bool strings = onnx_is_string(o, d->in[0]);
    struct value *in[2] = {d->in[0], build_reshape(&o->im, d->in[1], 1, &all, NULL)};
    if (!in[1])
        return false;
    int64_t axis = d->in[0]->shape.rank - 1 - strings;
    struct node *n = build_begin(&o->im, OP_gather, d->name, in, 2, 1);
    ((struct gather_attrs *)n->attrs)->axis = axis;
    struct value *y = build_end1(&o->im, n, NULL);
    if (y && axis == 0) {
        static const int64_t first = 0;
        y = build_binary(&o->im, OP_unsqueeze, d->name, y, build_ints(&o->im, NULL, &first, 1));
    }
    return draft_finish(o, d, strings ? onnx_string(o, y) : y);
}

/* Numbers of an attribute: none, one, or one for each element of the last dimension. */
static bool per_column(struct onnx *o, struct draft *d, const char *name, struct value *x,
                       double otherwise, struct value **out)
{
    struct ml_numbers v;
    if (!x || !ml_take_numbers(o, d, name, &v))
        return false;
    int64_t n = (int64_t)v.n;
    if (n > 1 && n != x->shape.dims[x->shape.rank - 1])
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "%s has %lld numbers, '%s' has %lld columns",
                           name, (long long)n, x->name,
                           (long long)x->shape.dims[x->shape.rank - 1]);
    *out = n ? ml_constant(o, x->dtype, v.v, 1, &n) : build_number(&o->im, x, otherwise);
    return *out != NULL;
}

static bool has_columns(struct onnx *o, const struct draft *d)
{
    return draft_need_inputs(o, d, 1) &&
           (d->in[0]->shape.rank > 0 ||
            draft_error(o, d, SHEAF_ERROR_SHAPE, "%s of a single number", d->op_type));
}

bool onnx_compose_scaler(struct onnx *o, struct draft *d)
{
    struct value *offset, *scale;
    if (!has_columns(o, d))
        return false;
    struct value *x = ml_float(o, d->in[0]);
    if (!per_column(o, d, "offset", x, 0, &offset) || !per_column(o, d, "scale", x, 1, &scale))
        return false;
    struct value *y = compose_binary(o, OP_sub, x, offset, NULL);
    return onnx_finish_as(o, d, compose_binary(o, OP_mul, y, scale, NULL), DTYPE_F32);
}

bool onnx_compose_normalizer(struct onnx *o, struct draft *d)
{
    static const int64_t last = -1;
    const char *norm;
    if (!has_columns(o, d) || !ml_take_text(o, d, "norm", "MAX", &norm))
        return false;
    enum op op = !strcmp(norm, "L1")    ? OP_reduce_l1
                 : !strcmp(norm, "L2")  ? OP_reduce_l2
                 : !strcmp(norm, "MAX") ? OP_reduce_max
                                        : OP_NONE;
    if (op == OP_NONE)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "the norm '%s' is not known", norm);
    struct value *x = ml_float(o, d->in[0]);
    struct value *y = build_reduce(&o->im, op, d->name, x, (struct attr_ints){&last, 1}, true);
    /* A row whose norm is 0 stays as it is. */
    struct value *in[3] = {compose_number(o, OP_equal, y, 0), NULL, y};
    in[1] = build_number(&o->im, y, 1);
    if (!in[0] || !in[1])
        return false;
    y = build_op(&o->im, OP_where, d->name, in, 3, NULL);
    return onnx_finish_as(o, d, compose_binary(o, OP_div, x, y, NULL), DTYPE_F32);
}

bool onnx_compose_imputer(struct onnx *o, struct draft *d)
{
    struct value *put;
    struct attr_ints ints;
    float replaced;
    int64_t replaced_int;
    if (!has_columns(o, d) || !ml_take_ints(o, d, "imputed_value_int64s", &ints) ||
        !draft_take_float(o, d, "replaced_value_float", 0, &replaced) ||
        !draft_take_int(o, d, "replaced_value_int64", 0, &replaced_int) ||
        !per_column(o, d, "imputed_value_floats", d->in[0], 0, &put))
        return false;
    struct value *x = d->in[0], *is;
    bool floats = dtype_is_float(x->dtype);
    int64_t columns = x->shape.dims[x->shape.rank - 1];
    if (!floats && ints.n != 1 && ints.n != (size_t)columns)
        return draft_error(o, d, SHEAF_ERROR_SHAPE,
                           "imputed_value_int64s has %zu numbers, '%s' has %lld columns", ints.n,
                           x->name, (long long)columns);
    if (!floats)
        put = build_cast(&o->im, NULL, build_ints(&o->im, NULL, ints.v, ints.n), x->dtype, NULL);
    if (floats && isnan(replaced))
        is = build_unary(&o->im, OP_is_nan, d->name, x);
    else
        is = compose_number(o, OP_equal, x, floats ? (double)replaced : (double)replaced_int);
    struct value *in[3] = {is, put, x};
    return is && put && draft_finish(o, d, build_op(&o->im, OP_where, d->name, in, 3, NULL));
}

/* The first `columns` columns of a row or matrix, or zeros behind them. */
static struct value *cut(struct onnx *o, struct value *x, int64_t columns)
{
    if (x && x->shape.rank == 1) {
        int64_t dims[2] = {x->shape.dims[0], 1};
        x = compose_reshape(o, x, 2, dims, NULL);
    }
    if (!x || columns <= x->shape.dims[1])
        return compose_slice(o, x, 1, 0, columns, NULL);
    struct shape rest = x->shape;
    rest.dims[1] = columns - x->shape.dims[1];
    struct value *zeros = build_filled(&o->im, NULL, NULL, x->dtype, &rest, 0);
    return compose_concat(o, x, zeros, 1, NULL);
}

bool onnx_compose_feature_vectorizer(struct onnx *o, struct draft *d)
{
    struct attr_ints dims;
    struct value *y = NULL;
    if (!draft_need_inputs(o, d, d->n_in) || !ml_take_ints(o, d, "inputdimensions", &dims))
        return false;
    if (dims.n != d->n_in || !d->n_in)
        return draft_error(o, d, SHEAF_ERROR_SHAPE,
                           "inputdimensions has %zu numbers for %zu inputs", dims.n, d->n_in);
    for (size_t i = 0; i < d->n_in; i++) {
        struct value *x = build_cast(&o->im, NULL, d->in[i], DTYPE_F32, NULL);
        if (x && (x->shape.rank < 1 || x->shape.rank > 2 || dims.v[i] < 0))
            return draft_error(o, d, SHEAF_ERROR_SHAPE, "'%s' is neither a row nor a matrix",
                               d->in[i]->name);
        x = cut(o, x, dims.v[i]);
        y = y ? compose_concat(o, y, x, 1, NULL) : x;
        if (!y)
            return false;
    }
    return draft_finish(o, d, y);
}
