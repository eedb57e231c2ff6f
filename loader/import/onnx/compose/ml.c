#include "loader/import/onnx/compose/ml.h"

#include <string.h>

/* ---- attributes ---- */

bool ml_take_text(struct onnx *o, struct draft *d, const char *name, const char *otherwise,
                  const char **out)
{
    struct draft_attr *a;
    if (!draft_take_kind(o, d, name, ATTR_KIND_STRING, &a))
        return false;
    *out = a ? a->u.s : otherwise;
    return true;
}

bool ml_take_numbers(struct onnx *o, struct draft *d, const char *name, struct ml_numbers *out)
{
    struct draft_attr *list, *tensor;
    const char *other = arena_printf(o->im.arena, "%s_as_tensor", name);
    if (!draft_take_kind(o, d, name, ATTR_KIND_FLOATS, &list) ||
        !draft_take_kind(o, d, other, ATTR_KIND_TENSOR, &tensor))
        return false;
    *out = (struct ml_numbers){NULL, 0};
    bool has_list = list && list->u.floats.n;
    if (has_list)
        out->n = list->u.floats.n;
    else if (tensor)
        out->n = (size_t)tensor_elems(tensor->u.tensor);
    out->v = arena_array(o->im.arena, out->n, sizeof *out->v);
    for (size_t i = 0; i < out->n; i++)
        out->v[i] =
            has_list ? (double)list->u.floats.v[i] : tensor_get(tensor->u.tensor, (int64_t)i);
    return true;
}

bool ml_take_ints(struct onnx *o, struct draft *d, const char *name, struct attr_ints *out)
{
    struct draft_attr *a;
    if (!draft_take_kind(o, d, name, ATTR_KIND_INTS, &a))
        return false;
    *out = a ? a->u.ints : (struct attr_ints){NULL, 0};
    return true;
}

/* ---- values ---- */

struct value *ml_constant(struct onnx *o, enum dtype type, const double *v, int rank,
                          const int64_t *dims)
{
    struct tensor *t = tensor_new(o->im.arena, type, rank, dims);
    int64_t n = tensor_elems(t);
    for (int64_t i = 0; i < n; i++)
        tensor_set(t, i, v[i]);
    return graph_add_constant(o->im.g, NULL, t);
}

struct value *ml_float(struct onnx *o, struct value *x)
{
    return x && x->dtype == DTYPE_F64 ? x : build_cast(&o->im, NULL, x, DTYPE_F32, NULL);
}

struct value *ml_rows(struct onnx *o, const struct draft *d, struct value *x)
{
    struct value *f = ml_float(o, x);
    if (!f || f->shape.rank == 2)
        return f;
    int64_t dims[2] = {1, f->shape.rank ? f->shape.dims[0] : 1};
    if (f->shape.rank > 2) {
        draft_error(o, d, SHEAF_ERROR_SHAPE, "'%s' has %d dimensions where 2 are needed", x->name,
                    x->shape.rank);
        return NULL;
    }
    return compose_reshape(o, f, 2, dims, NULL);
}

/* ---- scores ---- */

static struct value *along_last(struct onnx *o, const struct draft *d, enum op op, struct value *x)
{
    static const int64_t last = -1;
    return build_reduce(&o->im, op, d->name, x, (struct attr_ints){&last, 1}, true);
}

static struct value *choose(struct onnx *o, const struct draft *d, struct value *c, struct value *a,
                            struct value *b)
{
    struct value *in[3] = {c, a, b};
    return c && a && b ? build_op(&o->im, OP_where, d->name, in, 3, NULL) : NULL;
}

/* Softmax in which scores next to 0 count as such. */
static struct value *softmax_zero(struct onnx *o, const struct draft *d, struct value *x)
{
    struct value *most = along_last(o, d, OP_reduce_max, x);
    struct value *size = build_unary(&o->im, OP_abs, d->name, x);
    struct value *is_score = compose_number(o, OP_greater, size, 1e-7);
    struct value *from_most = compose_binary(o, OP_sub, x, most, NULL);
    struct value *score = build_unary(&o->im, OP_exp, d->name, from_most);
    struct value *zero = build_unary(&o->im, OP_neg, d->name, most);
    zero = build_unary(&o->im, OP_exp, d->name, zero);
    zero = compose_binary(o, OP_mul, x, zero, NULL);
    struct value *e = choose(o, d, is_score, score, zero);
    struct value *sum = along_last(o, d, OP_reduce_sum, e);
    struct value *share = compose_binary(o, OP_div, e, sum, NULL);
    struct value *none = compose_number(o, OP_equal, sum, 0);
    return choose(o, d, none, build_number(&o->im, x, 0.5), share);
}

/* sqrt(2) erfinv(2 x - 1) by Winitzki's approximation, as the ONNX reference has it. */
static struct value *probit(struct onnx *o, const struct draft *d, struct value *x)
{
    static const double a = 0.147, pi = 3.14159265358979323846;
    struct importer *im = &o->im;
    struct value *u = compose_number(o, OP_mul, x, 2);
    u = compose_number(o, OP_sub, u, 1);
    struct value *above = compose_number(o, OP_add, u, 1);
    struct value *below = build_unary(im, OP_neg, d->name, u);
    below = compose_number(o, OP_add, below, 1);
    struct value *log = compose_binary(o, OP_mul, below, above, NULL);
    log = build_unary(im, OP_log, d->name, log);
    struct value *v = compose_number(o, OP_mul, log, 0.5);
    v = compose_number(o, OP_add, v, 2 / (pi * a));
    struct value *root = compose_binary(o, OP_mul, v, v, NULL);
    root = compose_binary(o, OP_sub, root, compose_number(o, OP_mul, log, 1 / a), NULL);
    root = build_unary(im, OP_sqrt, d->name, root);
    root = compose_binary(o, OP_sub, root, v, NULL);
    root = build_unary(im, OP_sqrt, d->name, root);
    root = compose_number(o, OP_mul, root, 1.41421356);
    return compose_binary(o, OP_mul, build_unary(im, OP_sign, d->name, u), root, NULL);
}

struct value *ml_post_transform(struct onnx *o, const struct draft *d, const char *kind,
                                struct value *scores)
{
    if (!scores || !strcmp(kind, "NONE"))
        return scores;
    if (!strcmp(kind, "LOGISTIC"))
        return build_unary(&o->im, OP_sigmoid, d->name, scores);
    if (!strcmp(kind, "SOFTMAX"))
        return build_softmax(&o->im, d->name, scores, -1, NULL);
    if (!strcmp(kind, "SOFTMAX_ZERO"))
        return softmax_zero(o, d, scores);
    if (!strcmp(kind, "PROBIT"))
        return probit(o, d, scores);
    draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "the post_transform '%s' is not known", kind);
    return NULL;
}

/* ---- classes ---- */

bool ml_take_labels(struct onnx *o, struct draft *d, const char *ints, const char *strings,
                    struct ml_labels *out)
{
    struct attr_ints numbers;
    struct draft_attr *texts;
    if (!ml_take_ints(o, d, ints, &numbers) ||
        !draft_take_kind(o, d, strings, ATTR_KIND_STRINGS, &texts))
        return false;
    *out = (struct ml_labels){0};
    out->texts = texts && texts->u.strings.n;
    out->n = out->texts ? texts->u.strings.n : numbers.n;
    if (out->texts)
        out->names = onnx_strings(o, texts->u.strings.v, out->n);
    else if (out->n)
        out->names = build_ints(&o->im, NULL, numbers.v, numbers.n);
    return true;
}

bool ml_finish_classes(struct onnx *o, struct draft *d, const struct ml_labels *labels,
                       struct value *index, struct value *scores)
{
    if (!index || !scores)
        return false;
    struct value *in[2] = {labels->names, index};
    struct value *name = index;
    if (labels->names) {
        struct node *n = build_begin(&o->im, OP_gather, d->name, in, 2, 1);
        name = build_end1(&o->im, n, NULL);
    }
    struct value *s = build_cast(&o->im, NULL, scores, DTYPE_F32, NULL);
    if (!name || !s)
        return false;
    draft_bind(o, d, 1, s);
    return draft_finish(o, d, labels->texts ? onnx_string(o, name) : name);
}
