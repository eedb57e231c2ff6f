/*
 * Adagrad, Adam and Momentum of ai.onnx.preview.training.  Inputs are the rate, the number of the
 * update (0: the first), then all tensors, all their gradients, and all of each kind of state;
 * outputs are the new tensors and their new state, in that order.
 */
#include <string.h>

#include "loader/import/onnx/compose/compose.h"

/* One tensor in work. */
struct update {
    struct onnx *o;
    const char *node;
    struct value *rate, *number; /* scalars */
    float norm;                  /* of the penalty on x */
    float alpha, beta, epsilon, decay, norm_post;
    bool is_nesterov;
};

enum { MAX_STATES = 2, MAX_KINDS = 2 + MAX_STATES };

/* in: x, its gradient, its state; out: x and its state.  NULL after a fault. */
typedef void update_fn(const struct update *u, struct value *const *in, struct value **out);

/* ---- formulas ---- */

static struct value *binary(const struct update *u, enum op op, struct value *a, struct value *b)
{
    return build_binary(&u->o->im, op, u->node, a, b);
}

static struct value *scaled(const struct update *u, struct value *x, float number)
{
    return compose_number(u->o, OP_mul, x, (double)number);
}

/* a * p + b * q */
static struct value *blend(const struct update *u, struct value *a, float p, struct value *b,
                           float q)
{
    struct value *left = scaled(u, a, p);
    return binary(u, OP_add, left, scaled(u, b, q));
}

/* A scalar of the rate's type in the type of x. */
static struct value *as(const struct update *u, struct value *scalar, const struct value *x)
{
    return build_cast(&u->o->im, u->node, scalar, x->dtype, NULL);
}

/* The gradient with that of the penalty norm / 2 * |x|^2. */
static struct value *penalized(const struct update *u, struct value *const *in)
{
    return u->norm == 0 ? in[1] : binary(u, OP_add, scaled(u, in[0], u->norm), in[1]);
}

/* `later` after the first update, else `first`. */
static struct value *unless_first(const struct update *u, struct value *later, struct value *first)
{
    struct value *is_later = compose_number(u->o, OP_greater, u->number, 0);
    struct value *in[] = {is_later, later, first};
    return is_later && later && first ? build_op(&u->o->im, OP_where, u->node, in, 3, NULL) : NULL;
}

/* sqrt(x) + epsilon */
static struct value *root(const struct update *u, struct value *x)
{
    struct value *r = build_unary(&u->o->im, OP_sqrt, u->node, x);
    return compose_number(u->o, OP_add, r, (double)u->epsilon);
}

/* ---- the optimizers ---- */

static void adagrad(const struct update *u, struct value *const *in, struct value **out)
{
    struct value *number = as(u, u->number, u->rate);
    struct value *slower = compose_number(u->o, OP_add, scaled(u, number, u->decay), 1);
    struct value *rate = as(u, binary(u, OP_div, u->rate, slower), in[0]);
    struct value *g = penalized(u, in);
    out[1] = binary(u, OP_add, in[2], binary(u, OP_mul, g, g));
    struct value *top = binary(u, OP_mul, rate, g);
    struct value *step = binary(u, OP_div, top, root(u, out[1]));
    out[0] = binary(u, OP_sub, in[0], step);
}

/* 1 - base^number */
static struct value *rest_of_power(const struct update *u, float base)
{
    struct value *b = build_number(&u->o->im, u->rate, (double)base);
    struct value *power = binary(u, OP_pow, b, as(u, u->number, u->rate));
    return binary(u, OP_sub, build_number(&u->o->im, u->rate, 1), power);
}

/* The rate with the correction for averages that began at 0. */
static struct value *adam_rate(const struct update *u)
{
    struct value *second = build_unary(&u->o->im, OP_sqrt, u->node, rest_of_power(u, u->beta));
    struct value *rate = binary(u, OP_mul, u->rate, second);
    return unless_first(u, binary(u, OP_div, rate, rest_of_power(u, u->alpha)), u->rate);
}

static void adam(const struct update *u, struct value *const *in, struct value **out)
{
    struct value *rate = as(u, adam_rate(u), in[0]);
    struct value *g = penalized(u, in);
    out[1] = blend(u, in[2], u->alpha, g, 1 - u->alpha);
    out[2] = blend(u, in[3], u->beta, binary(u, OP_mul, g, g), 1 - u->beta);
    struct value *top = binary(u, OP_mul, rate, out[1]);
    struct value *step = binary(u, OP_div, top, root(u, out[2]));
    out[0] = binary(u, OP_sub, in[0], step);
    if (u->norm_post != 0)
        out[0] = scaled(u, out[0], 1 - u->norm_post);
}

static void momentum(const struct update *u, struct value *const *in, struct value **out)
{
    struct value *rate = as(u, u->rate, in[0]);
    struct value *beta = build_number(&u->o->im, in[0], (double)u->beta);
    beta = unless_first(u, beta, build_number(&u->o->im, in[0], 1));
    struct value *g = penalized(u, in);
    struct value *kept = scaled(u, in[2], u->alpha);
    out[1] = binary(u, OP_add, kept, binary(u, OP_mul, beta, g));
    struct value *way = u->is_nesterov ? binary(u, OP_add, g, scaled(u, out[1], u->alpha)) : out[1];
    out[0] = binary(u, OP_sub, in[0], binary(u, OP_mul, rate, way));
}

/* ---- nodes ---- */

static bool check_scalar(struct onnx *o, const struct draft *d, size_t i)
{
    const struct value *v = d->in[i];
    if (i == 1 ? v->dtype != DTYPE_I64 : v->dtype != DTYPE_F32 && v->dtype != DTYPE_F64)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "'%s' cannot have elements of %s", v->name,
                           dtype_name(v->dtype));
    return (shape_is_static(&v->shape) && shape_elems(&v->shape) == 1) ||
           draft_error(o, d, SHEAF_ERROR_SHAPE, "'%s' is no scalar", v->name);
}

/* The tensor, its gradient and its state are alike. */
static bool check_alike(struct onnx *o, const struct draft *d, struct value *const *in,
                        size_t kinds)
{
    if (in[0]->dtype != DTYPE_F32 && in[0]->dtype != DTYPE_F64)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "'%s' has elements of %s, not f32 or f64",
                           in[0]->name, dtype_name(in[0]->dtype));
    for (size_t k = 1; k < kinds; k++)
        if (in[k]->dtype != in[0]->dtype || !shape_equal(&in[k]->shape, &in[0]->shape))
            return draft_error(o, d, SHEAF_ERROR_SHAPE,
                               "'%s' does not have the type and shape of '%s'", in[k]->name,
                               in[0]->name);
    return true;
}

/* A scalar without dimensions, so that it broadcasts to a tensor without any. */
static struct value *scalar(struct onnx *o, struct value *v)
{
    return compose_reshape(o, v, 0, NULL, NULL);
}

static bool optimize(struct update *u, struct draft *d, size_t kinds, update_fn *update)
{
    struct onnx *o = u->o;
    if (!draft_need_inputs(o, d, d->n_in) || d->n_in < 2 + kinds || (d->n_in - 2) % kinds)
        return draft_error(o, d, SHEAF_ERROR_FORMAT,
                           "%s has %zu inputs where it needs 2 and %zu for each tensor", d->op_type,
                           d->n_in, kinds);
    size_t n = (d->n_in - 2) / kinds;
    if (d->n_out > n * (kinds - 1))
        return draft_error(o, d, SHEAF_ERROR_FORMAT, "%s has %zu outputs where it gives %zu",
                           d->op_type, d->n_out, n * (kinds - 1));
    if (!check_scalar(o, d, 0) || !check_scalar(o, d, 1))
        return false;
    u->node = d->name;
    u->rate = scalar(o, d->in[0]);
    u->number = scalar(o, d->in[1]);
    for (size_t i = 0; i < n && u->rate && u->number; i++) {
        struct value *in[MAX_KINDS], *out[1 + MAX_STATES] = {NULL};
        for (size_t k = 0; k < kinds; k++)
            in[k] = d->in[2 + k * n + i];
        if (!check_alike(o, d, in, kinds))
            return false;
        update(u, in, out);
        for (size_t k = 0; k + 1 < kinds; k++) {
            if (!out[k])
                return false;
            draft_bind(o, d, k * n + i, out[k]);
        }
    }
    d->done = true;
    return u->rate && u->number;
}

bool onnx_compose_adagrad(struct onnx *o, struct draft *d)
{
    struct update u = {.o = o};
    return draft_take_float(o, d, "decay_factor", 0, &u.decay) &&
           draft_take_float(o, d, "epsilon", 1e-6f, &u.epsilon) &&
           draft_take_float(o, d, "norm_coefficient", 0, &u.norm) && optimize(&u, d, 3, adagrad);
}

bool onnx_compose_adam(struct onnx *o, struct draft *d)
{
    struct update u = {.o = o};
    return draft_take_float(o, d, "alpha", 0.9f, &u.alpha) &&
           draft_take_float(o, d, "beta", 0.999f, &u.beta) &&
           draft_take_float(o, d, "epsilon", 1e-6f, &u.epsilon) &&
           draft_take_float(o, d, "norm_coefficient", 0, &u.norm) &&
           draft_take_float(o, d, "norm_coefficient_post", 0, &u.norm_post) &&
           optimize(&u, d, 4, adam);
}

bool onnx_compose_momentum(struct onnx *o, struct draft *d)
{
    struct update u = {.o = o};
    struct draft_attr *mode;
    if (!draft_take_float(o, d, "alpha", 0, &u.alpha) ||
        !draft_take_float(o, d, "beta", 0, &u.beta) ||
        !draft_take_float(o, d, "norm_coefficient", 0, &u.norm) ||
        !draft_take_kind(o, d, "mode", ATTR_KIND_STRING, &mode))
        return false;
    u.is_nesterov = !strcmp(mode->u.s, "nesterov");
    if (!u.is_nesterov && strcmp(mode->u.s, "standard") != 0)
        return draft_error(o, d, SHEAF_ERROR_FORMAT,
                           "the mode is '%s', it should be 'standard' or 'nesterov'", mode->u.s);
    return optimize(&u, d, 3, momentum);
}
