/*
 * The derivatives of operators.  x is the first input of a node, y its output, dy the derivative by
 * y.  Where a function has a bend, the derivative is the one from the right, or 0 at the top of
 * |x|.
 */
#include "loader/import/onnx/compose/gradient.h"

/* ---- formulas ---- */

static struct value *binary(const struct gradient *g, enum op op, struct value *a, struct value *b)
{
    return build_binary(&g->o->im, op, g->d->name, a, b);
}

static struct value *unary(const struct gradient *g, enum op op, struct value *x)
{
    return build_unary(&g->o->im, op, g->d->name, x);
}

static struct value *times(const struct gradient *g, struct value *a, struct value *b)
{
    return binary(g, OP_mul, a, b);
}

static struct value *scaled(const struct gradient *g, struct value *x, double number)
{
    return number == 1 ? x : compose_number(g->o, OP_mul, x, number);
}

/* condition ? a : b */
static struct value *choose(const struct gradient *g, struct value *condition, struct value *a,
                            struct value *b)
{
    struct value *in[] = {condition, a, b};
    return condition && a && b ? build_op(&g->o->im, OP_where, g->d->name, in, 3, NULL) : NULL;
}

static struct value *zero_like(const struct gradient *g, const struct value *x)
{
    return build_number(&g->o->im, x, 0);
}

static struct value *expanded(const struct gradient *g, struct value *x, const struct shape *shape)
{
    if (!x || shape_equal(&x->shape, shape))
        return x;
    struct value *dims = build_ints(&g->o->im, NULL, shape->dims, (size_t)shape->rank);
    return binary(g, OP_expand, x, dims);
}

static struct value *reshaped(const struct gradient *g, struct value *x, const struct shape *shape)
{
    return compose_reshape(g->o, x, shape->rank, shape->dims, NULL);
}

/* Matrices in the last two dimensions, transposed. */
static struct value *flipped(const struct gradient *g, struct value *x)
{
    int64_t perm[MAX_RANK];
    int rank = x->shape.rank;
    for (int i = 0; i < rank; i++)
        perm[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    return compose_transpose(g->o, x, perm, NULL);
}

static bool refuse(const struct gradient *g, const struct node *n, const char *why)
{
    return draft_error(g->o, g->d, SHEAF_ERROR_UNSUPPORTED, "the derivative of %s '%s' %s",
                       op_desc(n->op)->id, n->name ? n->name : "", why);
}

/* ---- functions of one element ---- */

/* dy times a factor that depends on x and y. */
static struct value *factor(const struct gradient *g, const struct node *n)
{
    struct value *x = n->in[0], *y = n->out[0];
    const double two_over_root_pi = 1.1283791670955125739;
    switch (n->op) {
    case OP_exp:
        return y;
    case OP_log:
        return unary(g, OP_reciprocal, x);
    case OP_sqrt:
        return scaled(g, unary(g, OP_reciprocal, y), 0.5);
    case OP_reciprocal:
        return unary(g, OP_neg, times(g, y, y));
    case OP_abs:
        return unary(g, OP_sign, x);
    case OP_sin:
        return unary(g, OP_cos, x);
    case OP_cos:
        return unary(g, OP_neg, unary(g, OP_sin, x));
    case OP_softplus:
        return unary(g, OP_sigmoid, x);
    case OP_sigmoid:
        return times(g, y, compose_number(g->o, OP_add, unary(g, OP_neg, y), 1));
    case OP_tanh:
        return compose_number(g->o, OP_add, unary(g, OP_neg, times(g, y, y)), 1);
    default: /* erf */
        return scaled(g, unary(g, OP_exp, unary(g, OP_neg, times(g, x, x))), two_over_root_pi);
    }
}

static bool by_factor(struct gradient *g, const struct node *n, struct value *dy)
{
    return gradient_add(g, n, 0, times(g, dy, factor(g, n)));
}

/* What it is below 0: alpha times as much, y + alpha times, or nothing. */
static bool with_bend(struct gradient *g, const struct node *n, struct value *dy)
{
    struct value *below = zero_like(g, n->in[0]);
    struct value *left;
    enum op side = OP_less;
    if (n->op == OP_leaky_relu) {
        left = scaled(g, dy, (double)((const struct leaky_relu_attrs *)n->attrs)->alpha);
    } else if (n->op == OP_elu) {
        double alpha = (double)((const struct elu_attrs *)n->attrs)->alpha;
        left = times(g, dy, compose_number(g->o, OP_add, n->out[0], alpha));
    } else {
        left = zero_like(g, n->in[0]);
        side = OP_less_or_equal;
    }
    return gradient_add(g, n, 0, choose(g, binary(g, side, n->in[0], below), left, dy));
}

static bool negated(struct gradient *g, const struct node *n, struct value *dy)
{
    return gradient_add(g, n, 0, unary(g, OP_neg, dy));
}

/* The same number of elements in the same order. */
static bool same_elements(struct gradient *g, const struct node *n, struct value *dy)
{
    return gradient_add(g, n, 0, reshaped(g, dy, &n->in[0]->shape));
}

static bool converted(struct gradient *g, const struct node *n, struct value *dy)
{
    return gradient_add(g, n, 0, build_cast(&g->o->im, g->d->name, dy, n->in[0]->dtype, NULL));
}

/* ---- functions of several elements that broadcast ---- */

/* Adds to every input that is wanted. */
static bool sum_rule(struct gradient *g, const struct node *n, struct value *dy)
{
    if (n->op == OP_mean)
        dy = scaled(g, dy, 1.0 / (double)n->n_in);
    for (size_t i = 0; i < n->n_in; i++) {
        struct value *dx = n->op == OP_sub && i == 1 ? unary(g, OP_neg, dy) : dy;
        if (gradient_wanted(g, n->in[i]) && !gradient_add(g, n, i, dx))
            return false;
    }
    return true;
}

static bool mul_rule(struct gradient *g, const struct node *n, struct value *dy)
{
    for (size_t i = 0; i < 2; i++)
        if (gradient_wanted(g, n->in[i]) && !gradient_add(g, n, i, times(g, dy, n->in[1 - i])))
            return false;
    return true;
}

/* a / b: 1 / b, and -y / b */
static bool div_rule(struct gradient *g, const struct node *n, struct value *dy)
{
    struct value *da = binary(g, OP_div, dy, n->in[1]);
    if (gradient_wanted(g, n->in[0]) && !gradient_add(g, n, 0, da))
        return false;
    return !gradient_wanted(g, n->in[1]) ||
           gradient_add(g, n, 1, unary(g, OP_neg, times(g, da, n->out[0])));
}

/* a^b: b a^(b - 1), and y log(a) */
static bool pow_rule(struct gradient *g, const struct node *n, struct value *dy)
{
    struct value *a = n->in[0], *b = n->in[1];
    if (gradient_wanted(g, a)) {
        struct value *exponent = build_cast(&g->o->im, g->d->name, b, a->dtype, NULL);
        struct value *less = compose_number(g->o, OP_add, exponent, -1);
        struct value *slope = times(g, exponent, binary(g, OP_pow, a, less));
        if (!gradient_add(g, n, 0, times(g, dy, slope)))
            return false;
    }
    if (!gradient_wanted(g, b))
        return true;
    if (b->dtype != a->dtype)
        return refuse(g, n, "by an exponent of another type is not known");
    struct value *slope = times(g, n->out[0], unary(g, OP_log, a));
    return gradient_add(g, n, 1, times(g, dy, slope));
}

static bool where_rule(struct gradient *g, const struct node *n, struct value *dy)
{
    struct value *zero = zero_like(g, dy);
    for (size_t i = 1; i < 3; i++) {
        struct value *dx = choose(g, n->in[0], i == 1 ? dy : zero, i == 1 ? zero : dy);
        if (gradient_wanted(g, n->in[i]) && !gradient_add(g, n, i, dx))
            return false;
    }
    return true;
}

/* ---- reductions ---- */

/* The shape of x with 1 for each dimension that is reduced. */
static struct shape kept_shape(const struct node *n)
{
    struct shape s = n->in[0]->shape;
    if (shape_elems(&s) == shape_elems(&n->out[0]->shape))
        return s;
    const struct tensor *axes = n->n_in > 1 && n->in[1] ? n->in[1]->constant : NULL;
    int64_t n_axes = axes ? tensor_elems(axes) : 0;
    for (int d = 0; d < s.rank && !n_axes; d++)
        s.dims[d] = 1;
    for (int64_t i = 0; i < n_axes; i++) {
        int64_t axis = tensor_get_int(axes, i);
        s.dims[axis < 0 ? axis + s.rank : axis] = 1;
    }
    return s;
}

static bool reduce_rule(struct gradient *g, const struct node *n, struct value *dy)
{
    const struct shape *x = &n->in[0]->shape;
    struct shape kept = kept_shape(n);
    if (n->op == OP_reduce_mean && shape_elems(x))
        dy = scaled(g, dy, (double)shape_elems(&kept) / (double)shape_elems(x));
    struct value *dx = expanded(g, reshaped(g, dy, &kept), x);
    if (n->op == OP_reduce_sum_square)
        dx = scaled(g, times(g, dx, n->in[0]), 2);
    return gradient_add(g, n, 0, dx);
}

/* y (dy - sum(y dy)); of the logarithm dy - exp(y) sum(dy) */
static bool softmax_rule(struct gradient *g, const struct node *n, struct value *dy)
{
    struct value *y = n->out[0];
    bool is_log = n->op == OP_log_softmax;
    int64_t *axis = arena_array(g->o->im.arena, 1, sizeof *axis);
    *axis = is_log ? ((const struct log_softmax_attrs *)n->attrs)->axis
                   : ((const struct softmax_attrs *)n->attrs)->axis;
    struct value *part = is_log ? dy : times(g, y, dy);
    struct value *sum =
        build_reduce(&g->o->im, OP_reduce_sum, g->d->name, part, (struct attr_ints){axis, 1}, true);
    if (is_log) {
        struct value *share = times(g, unary(g, OP_exp, y), sum);
        return gradient_add(g, n, 0, binary(g, OP_sub, dy, share));
    }
    return gradient_add(g, n, 0, times(g, y, binary(g, OP_sub, dy, sum)));
}

/* ---- products of matrices ---- */

/* dA = dy B', dB = A' dy */
static bool matmul_rule(struct gradient *g, const struct node *n, struct value *dy)
{
    struct value *a = n->in[0], *b = n->in[1];
    if (a->shape.rank < 2 || b->shape.rank < 2)
        return refuse(g, n, "is not known for vectors");
    if (gradient_wanted(g, a) && !gradient_add(g, n, 0, binary(g, OP_matmul, dy, flipped(g, b))))
        return false;
    return !gradient_wanted(g, b) || gradient_add(g, n, 1, binary(g, OP_matmul, flipped(g, a), dy));
}

static struct value *product(const struct gradient *g, float alpha, struct value *a, bool flip_a,
                             struct value *b, bool flip_b)
{
    struct value *in[] = {a, b};
    struct node *n = build_begin(&g->o->im, OP_gemm, g->d->name, in, 2, 1);
    struct gemm_attrs *attrs = n->attrs;
    attrs->alpha = alpha;
    attrs->transA = flip_a;
    attrs->transB = flip_b;
    return build_end1(&g->o->im, n, NULL);
}

static bool gemm_rule(struct gradient *g, const struct node *n, struct value *dy)
{
    const struct gemm_attrs *s = n->attrs;
    struct value *a = n->in[0], *b = n->in[1];
    bool flip_a = s->transA != 0, flip_b = s->transB != 0;
    if (gradient_wanted(g, a)) {
        struct value *da = flip_a ? product(g, s->alpha, b, flip_b, dy, true)
                                  : product(g, s->alpha, dy, false, b, !flip_b);
        if (!gradient_add(g, n, 0, da))
            return false;
    }
    if (gradient_wanted(g, b)) {
        struct value *db = flip_b ? product(g, s->alpha, dy, true, a, flip_a)
                                  : product(g, s->alpha, a, !flip_a, dy, false);
        if (!gradient_add(g, n, 1, db))
            return false;
    }
    return n->n_in < 3 || !gradient_wanted(g, n->in[2]) ||
           gradient_add(g, n, 2, scaled(g, dy, (double)s->beta));
}

/* ---- moves ---- */

static bool transpose_rule(struct gradient *g, const struct node *n, struct value *dy)
{
    const struct transpose_attrs *s = n->attrs;
    int64_t back[MAX_RANK];
    int rank = dy->shape.rank;
    for (int i = 0; i < rank; i++)
        back[s->perm.n ? s->perm.v[i] : rank - 1 - i] = i;
    return gradient_add(g, n, 0, compose_transpose(g->o, dy, back, NULL));
}

static bool concat_rule(struct gradient *g, const struct node *n, struct value *dy)
{
    int64_t axis = ((const struct concat_attrs *)n->attrs)->axis, start = 0;
    if (axis < 0)
        axis += dy->shape.rank;
    for (size_t i = 0; i < n->n_in; i++) {
        int64_t end = start + n->in[i]->shape.dims[axis];
        if (gradient_wanted(g, n->in[i]) &&
            !gradient_add(g, n, i, compose_slice(g->o, dy, axis, start, end, NULL)))
            return false;
        start = end;
    }
    return true;
}

static bool expand_rule(struct gradient *g, const struct node *n, struct value *dy)
{
    return gradient_add(g, n, 0, dy);
}

gradient_rule *gradient_rule_of(enum op op)
{
    static gradient_rule *const rules[OP_COUNT] = {
        [OP_abs] = by_factor,
        [OP_add] = sum_rule,
        [OP_cast] = converted,
        [OP_concat] = concat_rule,
        [OP_cos] = by_factor,
        [OP_div] = div_rule,
        [OP_elu] = with_bend,
        [OP_erf] = by_factor,
        [OP_exp] = by_factor,
        [OP_expand] = expand_rule,
        [OP_flatten] = same_elements,
        [OP_gemm] = gemm_rule,
        [OP_identity] = same_elements,
        [OP_leaky_relu] = with_bend,
        [OP_log] = by_factor,
        [OP_log_softmax] = softmax_rule,
        [OP_matmul] = matmul_rule,
        [OP_mean] = sum_rule,
        [OP_mul] = mul_rule,
        [OP_neg] = negated,
        [OP_pow] = pow_rule,
        [OP_reciprocal] = by_factor,
        [OP_reduce_mean] = reduce_rule,
        [OP_reduce_sum] = reduce_rule,
        [OP_reduce_sum_square] = reduce_rule,
        [OP_relu] = with_bend,
        [OP_reshape] = same_elements,
        [OP_sigmoid] = by_factor,
        [OP_sin] = by_factor,
        [OP_softmax] = softmax_rule,
        [OP_softplus] = by_factor,
        [OP_sqrt] = by_factor,
        [OP_squeeze] = same_elements,
        [OP_sub] = sum_rule,
        [OP_sum] = sum_rule,
        [OP_tanh] = by_factor,
        [OP_transpose] = transpose_rule,
        [OP_unsqueeze] = same_elements,
        [OP_where] = where_rule,
    };
    return rules[op];
}
