/*
 * ai.onnx.ml: linear models.
 */
#include <string.h>

#include "loader/import/onnx/compose/ml.h"

/* x (rows) times the matrix [outputs, columns of x], plus one number for each output. */
static struct value *linear(struct onnx *o, struct draft *d, struct value *x, size_t outputs)
{
    struct ml_numbers c, b;
    if (!x || !ml_take_numbers(o, d, "coefficients", &c) ||
        !ml_take_numbers(o, d, "intercepts", &b))
        return NULL;
    int64_t dims[2] = {(int64_t)outputs, x->shape.dims[1]}, n = (int64_t)outputs;
    if (dims[0] && dims[1] && c.n % (size_t)dims[1] == 0 && c.n / (size_t)dims[1] == 1)
        dims[0] = n = 1; /* of two classes, that of the second */
    if (c.n != (size_t)(dims[0] * dims[1]) || (b.n && b.n != (size_t)n)) {
        draft_error(o, d, SHEAF_ERROR_SHAPE,
                    "%zu coefficients and %zu intercepts do not fit %zu outputs of rows of %lld",
                    c.n, b.n, outputs, (long long)dims[1]);
        return NULL;
    }
    static const int64_t perm[2] = {1, 0};
    struct value *w = ml_constant(o, x->dtype, c.v, 2, dims);
    w = compose_transpose(o, w, perm, NULL);
    struct value *y = compose_binary(o, OP_matmul, x, w, NULL);
    return b.n ? compose_binary(o, OP_add, y, ml_constant(o, x->dtype, b.v, 1, &n), NULL) : y;
}

bool onnx_compose_linear_regressor(struct onnx *o, struct draft *d)
{
    int64_t targets;
    const char *post;
    if (!draft_need_inputs(o, d, 1) || !draft_take_int(o, d, "targets", 1, &targets) ||
        !ml_take_text(o, d, "post_transform", "NONE", &post))
        return false;
    if (targets < 1)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "there cannot be %lld targets",
                           (long long)targets);
    struct value *y = linear(o, d, ml_rows(o, d, d->in[0]), (size_t)targets);
    return onnx_finish_as(o, d, ml_post_transform(o, d, post, y), DTYPE_F32);
}

/* The column of the greatest score; of one column, whether it is above 0. */
static struct value *best(struct onnx *o, const struct draft *d, struct value *scores)
{
    if (!scores)
        return NULL;
    if (scores->shape.dims[1] == 1) {
        struct value *is = compose_number(o, OP_greater, scores, 0);
        static const int64_t all = -1;
        return build_reshape(&o->im, build_cast(&o->im, NULL, is, DTYPE_I64, NULL), 1, &all, NULL);
    }
    struct node *n = build_begin(&o->im, OP_arg_max, d->name, &scores, 1, 1);
    ((struct arg_max_attrs *)n->attrs)->axis = 1;
    ((struct arg_max_attrs *)n->attrs)->keepdims = 0;
    return build_end1(&o->im, n, NULL);
}

/* Of two classes by the score of the second: what is left of 1 is that of the first.  Only LOGISTIC
   and PROBIT, which take each score by itself, change it before that, as in ONNX Runtime. */
static struct value *two_columns(struct onnx *o, const struct draft *d, const char *post,
                                 struct value *score)
{
    if (!strncmp(post, "SOFTMAX", strlen("SOFTMAX")))
        post = "NONE";
    score = ml_post_transform(o, d, post, score);
    struct value *other = score ? build_unary(&o->im, OP_neg, d->name, score) : NULL;
    other = compose_number(o, OP_add, other, 1);
    return compose_concat(o, other, score, 1, NULL);
}

bool onnx_compose_linear_classifier(struct onnx *o, struct draft *d)
{
    struct ml_labels labels;
    const char *post;
    draft_take(d, "multi_class"); /* does not change the scores */
    if (!draft_need_inputs(o, d, 1) || !ml_take_text(o, d, "post_transform", "NONE", &post) ||
        !ml_take_labels(o, d, "classlabels_ints", "classlabels_strings", &labels))
        return false;
    if (labels.n < 2)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "a classifier with %zu classes is not supported", labels.n);
    struct value *scores = linear(o, d, ml_rows(o, d, d->in[0]), labels.n);
    struct value *index = best(o, d, scores);
    if (scores && scores->shape.dims[1] == 1)
        scores = two_columns(o, d, post, scores);
    else
        scores = ml_post_transform(o, d, post, scores);
    return ml_finish_classes(o, d, &labels, index, scores);
}
