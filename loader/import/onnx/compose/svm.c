/*
 * ai.onnx.ml: SVMRegressor and SVMClassifier.  What the model says of support vectors becomes
 * matrices, so a row's kernels with all vectors, the scores of all pairs of classes and their votes
 * are a product each.
 */
#include <string.h>

#include "loader/import/onnx/compose/ml.h"

struct svm {
    const char *kernel, *post;
    struct ml_numbers params, coefficients, vectors, rho;
    struct ml_numbers prob_a, prob_b; /* of the classifier: of each pair of classes, or none */
    struct value *x;                  /* [rows, columns] */
};

static bool take_svm(struct onnx *o, struct draft *d, struct svm *s)
{
    if (!draft_need_inputs(o, d, 1) || !ml_take_text(o, d, "kernel_type", "LINEAR", &s->kernel) ||
        !ml_take_text(o, d, "post_transform", "NONE", &s->post) ||
        !ml_take_numbers(o, d, "kernel_params", &s->params) ||
        !ml_take_numbers(o, d, "coefficients", &s->coefficients) ||
        !ml_take_numbers(o, d, "support_vectors", &s->vectors) ||
        !ml_take_numbers(o, d, "rho", &s->rho))
        return false;
    s->x = ml_rows(o, d, d->in[0]);
    if (!s->x)
        return false;
    if (!s->rho.n || !s->coefficients.n || s->x->shape.dims[1] < 1)
        return draft_error(o, d, SHEAF_ERROR_FORMAT, "%s lacks its coefficients or rho",
                           d->op_type);
    return true;
}

/* x times the transposed matrix of these rows. */
static struct value *products(struct onnx *o, const struct svm *s, const double *rows, size_t n)
{
    static const int64_t perm[2] = {1, 0};
    const int64_t dims[2] = {(int64_t)n, s->x->shape.dims[1]};
    struct value *m = ml_constant(o, s->x->dtype, rows, 2, dims);
    return compose_binary(o, OP_matmul, s->x, compose_transpose(o, m, perm, NULL), NULL);
}

/* exp(-gamma |x - v|^2), from differences, since products of near vectors cancel. */
static struct value *radial(struct onnx *o, const struct draft *d, const struct svm *s, size_t n)
{
    static const int64_t last = -1, middle = 1;
    const int64_t dims[2] = {(int64_t)n, s->x->shape.dims[1]};
    struct value *axis = build_ints(&o->im, NULL, &middle, 1);
    struct value *x = build_binary(&o->im, OP_unsqueeze, d->name, s->x, axis);
    struct value *v = ml_constant(o, s->x->dtype, s->vectors.v, 2, dims);
    struct value *far = compose_binary(o, OP_sub, x, v, NULL);
    far = build_reduce(&o->im, OP_reduce_sum_square, d->name, far, (struct attr_ints){&last, 1},
                       false);
    return build_unary(&o->im, OP_exp, d->name, compose_number(o, OP_mul, far, -s->params.v[0]));
}

/* Of each row with each of n support vectors: [rows, n]. */
static struct value *kernels(struct onnx *o, const struct draft *d, const struct svm *s, size_t n)
{
    bool linear = !strcmp(s->kernel, "LINEAR");
    if (s->vectors.n != n * (size_t)s->x->shape.dims[1] || (!linear && s->params.n < 3)) {
        draft_error(o, d, SHEAF_ERROR_SHAPE,
                    "support_vectors has %zu numbers and kernel_params %zu, which does not fit %zu "
                    "vectors of %lld",
                    s->vectors.n, s->params.n, n, (long long)s->x->shape.dims[1]);
        return NULL;
    }
    if (!strcmp(s->kernel, "RBF"))
        return radial(o, d, s, n);
    struct value *y = products(o, s, s->vectors.v, n);
    if (linear)
        return y;
    y = compose_number(o, OP_add, compose_number(o, OP_mul, y, s->params.v[0]), s->params.v[1]);
    if (!strcmp(s->kernel, "POLY"))
        return compose_number(o, OP_pow, y, s->params.v[2]);
    if (!strcmp(s->kernel, "SIGMOID"))
        return build_unary(&o->im, OP_tanh, d->name, y);
    draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "the kernel_type '%s' is not known", s->kernel);
    return NULL;
}

bool onnx_compose_svm_regressor(struct onnx *o, struct draft *d)
{
    struct svm s;
    int64_t n, one_class, targets;
    if (!take_svm(o, d, &s) || !draft_take_int(o, d, "n_supports", 0, &n) ||
        !draft_take_int(o, d, "one_class", 0, &one_class) ||
        !draft_take_int(o, d, "n_targets", 1, &targets))
        return false;
    size_t want = n > 0 ? (size_t)n : (size_t)s.x->shape.dims[1];
    if (s.coefficients.n != want || targets != 1)
        return draft_error(o, d, SHEAF_ERROR_SHAPE,
                           "%zu coefficients and %lld targets do not fit %zu vectors or columns",
                           s.coefficients.n, (long long)targets, want);
    const int64_t dims[2] = {(int64_t)want, 1};
    struct value *k = n > 0 ? kernels(o, d, &s, want) : s.x;
    struct value *w = ml_constant(o, s.x->dtype, s.coefficients.v, 2, dims);
    struct value *y = compose_binary(o, OP_matmul, k, w, NULL);
    y = compose_number(o, OP_add, y, s.rho.v[0]);
    if (one_class) {
        y = build_cast(&o->im, NULL, compose_number(o, OP_greater, y, 0), DTYPE_F32, NULL);
        y = compose_number(o, OP_sub, compose_number(o, OP_mul, y, 2), 1);
    }
    return onnx_finish_as(o, d, ml_post_transform(o, d, s.post, y), DTYPE_F32);
}

/* ---- the classifier ---- */

static struct value *best(struct onnx *o, const struct draft *d, struct value *scores)
{
    if (!scores)
        return NULL;
    struct node *n = build_begin(&o->im, OP_arg_max, d->name, &scores, 1, 1);
    ((struct arg_max_attrs *)n->attrs)->axis = 1;
    ((struct arg_max_attrs *)n->attrs)->keepdims = 0;
    return build_end1(&o->im, n, NULL);
}

/* Without support vectors: a row of coefficients for each class. */
static bool linear_classes(struct onnx *o, struct draft *d, const struct svm *s,
                           const struct ml_labels *labels)
{
    if (s->coefficients.n != labels->n * (size_t)s->x->shape.dims[1])
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "%zu coefficients do not fit %zu classes",
                           s->coefficients.n, labels->n);
    struct value *y = products(o, s, s->coefficients.v, labels->n);
    y = compose_number(o, OP_add, y, s->rho.v[0]);
    struct value *index = best(o, d, y);
    return ml_finish_classes(o, d, labels, index, ml_post_transform(o, d, s->post, y));
}

/* The scores of all pairs of classes i < j from kernels: those of class i have the coefficients of
   row j - 1, those of class j of row i. */
static struct value *pair_scores(struct onnx *o, const struct svm *s, const struct attr_ints *per,
                                 size_t n, struct value *k)
{
    size_t classes = per->n, pairs = classes * (classes - 1) / 2, pair = 0, at_i = 0;
    double *w = arena_array(o->im.arena, n * pairs, sizeof *w);
    for (size_t i = 0; i < classes; at_i += (size_t)per->v[i++]) {
        size_t at_j = at_i + (size_t)per->v[i];
        for (size_t j = i + 1; j < classes; at_j += (size_t)per->v[j++], pair++) {
            for (size_t v = at_i; v < at_i + (size_t)per->v[i]; v++)
                w[v * pairs + pair] = s->coefficients.v[(j - 1) * n + v];
            for (size_t v = at_j; v < at_j + (size_t)per->v[j]; v++)
                w[v * pairs + pair] = s->coefficients.v[i * n + v];
        }
    }
    const int64_t dims[2] = {(int64_t)n, (int64_t)pairs};
    struct value *y = ml_constant(o, s->x->dtype, w, 2, dims);
    y = compose_binary(o, OP_matmul, k, y, NULL);
    return compose_binary(o, OP_add, y, ml_constant(o, s->x->dtype, s->rho.v, 1, &dims[1]), NULL);
}

/* A pair's score above 0 is a vote for its first class, else for the second. */
static struct value *votes(struct onnx *o, struct value *scores, size_t classes)
{
    size_t pairs = classes * (classes - 1) / 2, pair = 0;
    const int64_t dims[2] = {(int64_t)pairs, (int64_t)classes};
    double *m = arena_array(o->im.arena, pairs * classes, sizeof *m);
    double *all_second = arena_array(o->im.arena, classes, sizeof *all_second);
    for (size_t i = 0; i < classes; i++) {
        for (size_t j = i + 1; j < classes; j++, pair++) {
            m[pair * classes + i] = 1;
            m[pair * classes + j] = -1;
            all_second[j] += 1;
        }
    }
    struct value *first = compose_number(o, OP_greater, scores, 0);
    first = build_cast(&o->im, NULL, first, DTYPE_F32, NULL);
    first = compose_binary(o, OP_matmul, first, ml_constant(o, DTYPE_F32, m, 2, dims), NULL);
    return compose_binary(o, OP_add, first, ml_constant(o, DTYPE_F32, all_second, 1, &dims[1]),
                          NULL);
}

static bool vector_classes(struct onnx *o, struct draft *d, const struct svm *s,
                           const struct ml_labels *labels, const struct attr_ints *per)
{
    size_t n = 0;
    bool fits = per->n == labels->n;
    for (size_t i = 0; i < per->n; i++) {
        fits = fits && per->v[i] >= 0 && per->v[i] <= (int64_t)s->vectors.n;
        n += fits ? (size_t)per->v[i] : 0;
    }
    if (!fits || s->coefficients.n != n * (labels->n - 1) ||
        s->rho.n != labels->n * (labels->n - 1) / 2)
        return draft_error(o, d, SHEAF_ERROR_SHAPE,
                           "vectors_per_class, %zu coefficients and %zu numbers in rho do not fit "
                           "%zu classes",
                           s->coefficients.n, s->rho.n, labels->n);
    struct value *k = kernels(o, d, s, n);
    struct value *y = k ? pair_scores(o, s, per, n, k) : NULL;
    struct value *index = y ? best(o, d, votes(o, y, labels->n)) : NULL;
    if (y && s->prob_a.n)
        y = ml_pair_probabilities(o, d, y, &s->prob_a, &s->prob_b, labels->n);
    else if (y && labels->n == 2)
        y = compose_concat(o, build_unary(&o->im, OP_neg, d->name, y), y, 1, NULL);
    return ml_finish_classes(o, d, labels, index, ml_post_transform(o, d, s->post, y));
}

bool onnx_compose_svm_classifier(struct onnx *o, struct draft *d)
{
    struct svm s;
    struct ml_labels labels;
    struct attr_ints per;
    if (!take_svm(o, d, &s) || !ml_take_numbers(o, d, "prob_a", &s.prob_a) ||
        !ml_take_numbers(o, d, "prob_b", &s.prob_b) ||
        !ml_take_ints(o, d, "vectors_per_class", &per) ||
        !ml_take_labels(o, d, "classlabels_ints", "classlabels_strings", &labels))
        return false;
    if (labels.n < 2)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "a classifier with %zu classes is not supported", labels.n);
    if (s.prob_a.n != s.prob_b.n || (s.prob_a.n && !per.n))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "prob_a and prob_b of %zu and %zu numbers are not supported%s",
                           s.prob_a.n, s.prob_b.n, per.n ? "" : " without support vectors");
    return per.n ? vector_classes(o, d, &s, &labels, &per) : linear_classes(o, d, &s, &labels);
}
