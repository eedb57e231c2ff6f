/*
 * Probabilities of an SVMClassifier's classes from the scores of their pairs: those of Wu, Lin and
 * Weng ("Probability estimates for multi-class classification by pairwise coupling", second
 * method), by the steps of LIBSVM, which ONNX Runtime takes too.  They end where they are near
 * enough, so as many are made here: a row that has come to its end stays as it is.
 */
#include "loader/import/onnx/compose/ml.h"

struct coupling {
    struct onnx *o;
    const struct draft *d;
    int64_t classes;
    struct value *q; /* [rows, classes, classes] */
};

static struct value *along(const struct coupling *c, enum op op, struct value *x, bool keep)
{
    static const int64_t last = -1;
    return build_reduce(&c->o->im, op, c->d->name, x, (struct attr_ints){&last, 1}, keep);
}

static struct value *binary(const struct coupling *c, enum op op, struct value *a, struct value *b)
{
    return compose_binary(c->o, op, a, b, NULL);
}

static struct value *column(const struct coupling *c, struct value *x, int64_t i)
{
    return x ? compose_slice(c->o, x, 1, i, i + 1, NULL) : NULL;
}

/* Row i of q, [rows, classes]. */
static struct value *row_of(const struct coupling *c, int64_t i)
{
    return compose_with_axis(c->o, OP_squeeze, column(c, c->q, i), 1);
}

/* How probable the first class of each pair is where it is one of the two, [rows, pairs]. */
static struct value *of_pairs(const struct coupling *c, struct value *scores,
                              const struct ml_numbers *a, const struct ml_numbers *b)
{
    struct importer *im = &c->o->im;
    const int64_t pairs = (int64_t)a->n;
    struct value *in[3] = {
        binary(c, OP_mul, scores, ml_constant(c->o, DTYPE_F32, a->v, 1, &pairs))};
    in[0] = binary(c, OP_add, in[0], ml_constant(c->o, DTYPE_F32, b->v, 1, &pairs));
    in[0] = build_unary(im, OP_neg, c->d->name, in[0]);
    in[0] = build_unary(im, OP_sigmoid, c->d->name, in[0]);
    in[1] = build_number(im, in[0], 1e-7);
    in[2] = build_number(im, in[0], 1 - 1e-7);
    return in[0] && in[1] && in[2] ? build_op(im, OP_clip, c->d->name, in, 3, NULL) : NULL;
}

/* r[j][i] at i, j: the probability of j where it is one of both; 0 at i, i. */
static struct value *against(const struct coupling *c, struct value *first)
{
    int64_t n = c->classes, dims[] = {n, n}, pair = 0;
    struct value *second = build_unary(&c->o->im, OP_neg, c->d->name, first);
    second = compose_number(c->o, OP_add, second, 1);
    if (!second)
        return NULL;
    const struct shape shape = {.rank = 2, .dims = {first->shape.dims[0], 1}};
    struct value *none = build_filled(&c->o->im, c->d->name, NULL, DTYPE_F32, &shape, 0);
    struct value *all =
        compose_concat(c->o, compose_concat(c->o, first, second, 1, NULL), none, 1, NULL);
    struct tensor *from = tensor_new(c->o->im.arena, DTYPE_I64, 2, dims);
    int64_t pairs = n * (n - 1) / 2;
    for (int64_t i = 0; i < n; i++) {
        tensor_set_int(from, i * n + i, 2 * pairs);
        for (int64_t j = i + 1; j < n; j++, pair++) {
            tensor_set_int(from, i * n + j, pairs + pair);
            tensor_set_int(from, j * n + i, pair);
        }
    }
    struct value *in[] = {all, graph_add_constant(c->o->im.g, NULL, from)};
    if (!all)
        return NULL;
    struct node *node = build_begin(&c->o->im, OP_gather, c->d->name, in, 2, 1);
    ((struct gather_attrs *)node->attrs)->axis = 1;
    return build_end1(&c->o->im, node, NULL);
}

/* q[i][i] = the sum of r[j][i]^2 over j, q[i][j] = -r[j][i] r[i][j]. */
static struct value *form(const struct coupling *c, struct value *r)
{
    static const int64_t perm[] = {0, 2, 1};
    const int64_t dims[] = {c->classes, c->classes};
    struct tensor *unit = tensor_new(c->o->im.arena, DTYPE_F32, 2, dims);
    for (int64_t i = 0; i < c->classes; i++)
        tensor_set(unit, i * c->classes + i, 1);
    struct value *sums = along(c, OP_reduce_sum_square, r, true);
    struct value *mixed = binary(c, OP_mul, r, compose_transpose(c->o, r, perm, NULL));
    sums = binary(c, OP_mul, sums, graph_add_constant(c->o->im.g, NULL, unit));
    return binary(c, OP_sub, sums, mixed);
}

/* One class after the other takes its best value; all are divided so that the sum stays 1. */
static struct value *improved(const struct coupling *c, struct value *p, struct value *qp,
                              struct value *pqp)
{
    for (int64_t i = 0; p && qp && pqp && i < c->classes; i++) {
        const int64_t dims[] = {1, c->classes};
        struct tensor *at = tensor_new(c->o->im.arena, DTYPE_F32, 2, dims);
        tensor_set(at, i, 1);
        struct value *row = row_of(c, i), *own = column(c, row, i), *here = column(c, qp, i);
        struct value *step = binary(c, OP_div, binary(c, OP_sub, pqp, here), own);
        struct value *whole = compose_number(c->o, OP_add, step, 1);
        struct value *more = binary(c, OP_mul, step, own);
        more = binary(c, OP_add, more, compose_number(c->o, OP_mul, here, 2));
        pqp = binary(c, OP_add, pqp, binary(c, OP_mul, step, more));
        pqp = binary(c, OP_div, binary(c, OP_div, pqp, whole), whole);
        qp = binary(c, OP_div, binary(c, OP_add, qp, binary(c, OP_mul, step, row)), whole);
        struct value *change = graph_add_constant(c->o->im.g, NULL, at);
        p = binary(c, OP_add, p, binary(c, OP_mul, step, change));
        p = binary(c, OP_div, p, whole);
    }
    return p;
}

static struct value *one_round(const struct coupling *c, struct value *p)
{
    struct value *wide = compose_with_axis(c->o, OP_unsqueeze, p, 1);
    struct value *qp = along(c, OP_reduce_sum, binary(c, OP_mul, c->q, wide), false);
    struct value *pqp = along(c, OP_reduce_sum, binary(c, OP_mul, p, qp), true);
    struct value *fault = build_unary(&c->o->im, OP_abs, c->d->name, binary(c, OP_sub, qp, pqp));
    fault = along(c, OP_reduce_max, fault, true);
    struct value *in[] = {compose_number(c->o, OP_less, fault, 0.005 / (double)c->classes), p,
                          improved(c, p, qp, pqp)};
    return in[0] && in[2] ? build_op(&c->o->im, OP_where, c->d->name, in, 3, NULL) : NULL;
}

static struct value *argument(struct onnx *o, struct block *block, enum dtype dtype,
                              const struct shape *shape)
{
    struct value *v = graph_add_value(o->im.g, NULL, VALUE_ARG);
    v->dtype = dtype;
    v->shape = *shape;
    v->layout = layout_plain(shape->rank);
    block_add_input(o->im.g, block, v);
    return v;
}

static struct value *all_rounds(const struct coupling *c, struct value *start)
{
    enum { ROUNDS = 100 };
    static const struct shape scalar;
    struct onnx *o = c->o;
    struct block *block = graph_add_block(o->im.g);
    struct onnx_surroundings around = onnx_enter(o, block, o->scope);
    argument(o, block, DTYPE_I64, &scalar);
    struct value *on = argument(o, block, DTYPE_BOOL, &scalar);
    struct value *next = one_round(c, argument(o, block, DTYPE_F32, &start->shape));
    onnx_leave(o, around);
    if (!next)
        return NULL;
    block_add_output(o->im.g, block, on);
    block_add_output(o->im.g, block, next);
    int64_t rounds = c->classes > ROUNDS ? c->classes : ROUNDS;
    struct value *in[] = {compose_scalar(o, NULL, DTYPE_I64, rounds), NULL, start};
    struct node *n = build_begin(&o->im, OP_loop, c->d->name, in, 3, 1);
    n->blocks = arena_copy(o->im.arena, &block, sizeof block);
    n->n_blocks = 1;
    return build_end1(&o->im, n, NULL);
}

struct value *ml_pair_probabilities(struct onnx *o, const struct draft *d, struct value *scores,
                                    const struct ml_numbers *a, const struct ml_numbers *b,
                                    size_t classes)
{
    struct coupling c = {o, d, (int64_t)classes, NULL};
    if (a->n != b->n || a->n != classes * (classes - 1) / 2) {
        draft_error(o, d, SHEAF_ERROR_SHAPE,
                    "prob_a has %zu numbers and prob_b %zu, which does not fit %zu classes", a->n,
                    b->n, classes);
        return NULL;
    }
    scores = build_cast(&o->im, NULL, scores, DTYPE_F32, NULL);
    struct value *r = scores ? against(&c, of_pairs(&c, scores, a, b)) : NULL;
    c.q = r ? form(&c, r) : NULL;
    if (!c.q)
        return NULL;
    const struct shape shape = {.rank = 2, .dims = {scores->shape.dims[0], c.classes}};
    struct value *start =
        build_filled(&o->im, d->name, NULL, DTYPE_F32, &shape, 1 / (double)classes);
    return start ? all_rounds(&c, start) : NULL;
}
