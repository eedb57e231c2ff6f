#include "ir/ops/recurrent.h"

#include <ctype.h>
#include <string.h>

#include "ir/checked.h"

/* ---- activations; defaults are those of the ONNX operators of the same names ---- */

enum {
    ACT_AFFINE,
    ACT_ELU,
    ACT_HARD_SIGMOID,
    ACT_LEAKY_RELU,
    ACT_RELU,
    ACT_SCALED_TANH,
    ACT_SIGMOID,
    ACT_SOFTSIGN,
    ACT_TANH,
    ACT_THRESHOLDED_RELU,
    ACT_COUNT
};

static const struct {
    const char *name;
    bool has_alpha, has_beta;
    float alpha, beta;
} table[ACT_COUNT] = {
    [ACT_AFFINE] = {"affine", true, true, 1.0f, 0.0f},
    [ACT_ELU] = {"elu", true, false, 1.0f, 0.0f},
    [ACT_HARD_SIGMOID] = {"hardsigmoid", true, true, 0.2f, 0.5f},
    [ACT_LEAKY_RELU] = {"leakyrelu", true, false, 0.01f, 0.0f},
    [ACT_RELU] = {"relu", false, false, 0.0f, 0.0f},
    [ACT_SCALED_TANH] = {"scaledtanh", true, true, 1.0f, 1.0f},
    [ACT_SIGMOID] = {"sigmoid", false, false, 0.0f, 0.0f},
    [ACT_SOFTSIGN] = {"softsign", false, false, 0.0f, 0.0f},
    [ACT_TANH] = {"tanh", false, false, 0.0f, 0.0f},
    [ACT_THRESHOLDED_RELU] = {"thresholdedrelu", true, false, 1.0f, 0.0f},
};

static kval activation(struct kernel *k, const struct recurrent_activation *a, kval x)
{
    enum dtype type = kernel_inst(k, x)->type;
    kval alpha = kernel_const(k, type, (double)a->alpha);
    kval beta = kernel_const(k, type, (double)a->beta);
    kval zero = kernel_const(k, type, 0), one = kernel_const(k, type, 1);
    kval negative = kernel_compare(k, KOP_LT, x, zero);
    switch (a->kind) {
    case ACT_AFFINE:
        return kernel_binary(k, KOP_ADD, kernel_binary(k, KOP_MUL, alpha, x), beta);
    case ACT_ELU: {
        kval below = kernel_binary(k, KOP_SUB, kernel_exp(k, x), one);
        return kernel_select(k, negative, kernel_binary(k, KOP_MUL, alpha, below), x);
    }
    case ACT_HARD_SIGMOID: {
        kval line = kernel_binary(k, KOP_ADD, kernel_binary(k, KOP_MUL, alpha, x), beta);
        return kernel_binary(k, KOP_MAX, zero, kernel_binary(k, KOP_MIN, one, line));
    }
    case ACT_LEAKY_RELU:
        return kernel_select(k, negative, kernel_binary(k, KOP_MUL, alpha, x), x);
    case ACT_RELU:
        return kernel_binary(k, KOP_MAX, zero, x);
    case ACT_SCALED_TANH:
        return kernel_binary(k, KOP_MUL, alpha, kernel_tanh(k, kernel_binary(k, KOP_MUL, beta, x)));
    case ACT_SIGMOID:
        return kernel_sigmoid(k, x);
    case ACT_SOFTSIGN:
        return kernel_binary(k, KOP_DIV, x,
                             kernel_binary(k, KOP_ADD, one, kernel_unary(k, KOP_ABS, x)));
    case ACT_THRESHOLDED_RELU:
        return kernel_select(k, kernel_compare(k, KOP_LT, alpha, x), x, zero);
    default:
        return kernel_tanh(k, x);
    }
}

kval recurrent_activate(const struct recurrent_direction *at, int which, kval x)
{
    return activation(at->l->kernel, &at->p->activation[at->p->activations * at->d + which], x);
}

/* Names are compared without regard to case, as ONNX demands. */
static int find_activation(const char *name)
{
    for (int i = 0; i < ACT_COUNT; i++) {
        const char *a = name, *b = table[i].name;
        while (*a && tolower((unsigned char)*a) == *b)
            a++, b++;
        if (!*a && !*b)
            return i;
    }
    return -1;
}

/* alpha and beta lists hold values only for the activations that take them, in order. */
static bool plan_activations(const struct recurrent_spec *s, struct recurrent *p, struct error *err)
{
    size_t n = (size_t)s->activations * (size_t)p->directions, next_alpha = 0, next_beta = 0;
    if (s->names.n && s->names.n != n)
        return error_set(err, SHEAF_ERROR_SHAPE, "%zu activations where %zu are needed", s->names.n,
                         n);
    for (size_t i = 0; i < n; i++) {
        struct recurrent_activation *act = &p->activation[i];
        const char *name = s->names.n ? s->names.v[i] : s->defaults[i % (size_t)s->activations];
        act->kind = find_activation(name);
        if (act->kind < 0)
            return error_set(err, SHEAF_ERROR_UNSUPPORTED, "activation '%s' is not known", name);
        act->alpha = table[act->kind].alpha;
        act->beta = table[act->kind].beta;
        if (table[act->kind].has_alpha && next_alpha < s->activation_alpha.n)
            act->alpha = s->activation_alpha.v[next_alpha++];
        if (table[act->kind].has_beta && next_beta < s->activation_beta.n)
            act->beta = s->activation_beta.v[next_beta++];
    }
    return true;
}

/* ---- sizes ---- */

static bool plan_directions(const struct recurrent_spec *s, struct recurrent *p, struct error *err)
{
    p->directions = strcmp(s->direction, "bidirectional") ? 1 : 2;
    p->first_reverse = !strcmp(s->direction, "reverse");
    if (p->directions == 1 && !p->first_reverse && strcmp(s->direction, "forward"))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "direction '%s' is not known", s->direction);
    return true;
}

static bool check_types(const struct node *n, struct error *err)
{
    for (size_t i = 0; i < n->n_in; i++) {
        if (i == RNN_LENS
                ? !ops_check_type(n, i, TYPE(I32), err)
                : !ops_check_type(n, i, TYPES_FLOAT, err) || !ops_check_same_type(n, RNN_X, i, err))
            return false;
    }
    return true;
}

static bool check_shapes(const struct node *n, const struct recurrent *p, struct error *err)
{
    int64_t gates = p->gates * p->hidden, elems;
    int64_t w[3] = {p->directions, gates, p->inputs}, r[3] = {p->directions, gates, p->hidden};
    int64_t b[2] = {p->directions, 2 * gates}, peepholes[2] = {p->directions, 3 * p->hidden};
    int64_t state[3] = {p->directions, p->batch, p->hidden};
    if (p->batch_first) {
        state[0] = p->batch;
        state[1] = p->directions;
    }
    if (!checked_mul(p->steps, p->batch, &elems) || !checked_mul(elems, gates, &elems) ||
        elems > LIMIT_TENSOR_ELEMS)
        return error_set(err, SHEAF_ERROR_MEMORY, "there would be more than %lld gates",
                         (long long)LIMIT_TENSOR_ELEMS);
    return ops_check_dims(n, RNN_W, 3, w, err) && ops_check_dims(n, RNN_R, 3, r, err) &&
           ops_check_dims(n, RNN_B, 2, b, err) &&
           ops_check_bounds(n, RNN_LENS, 1, &p->batch, err) &&
           ops_check_bounds(n, RNN_INIT_H, 3, state, err) &&
           ops_check_bounds(n, RNN_INIT_C, 3, state, err) &&
           ops_check_dims(n, RNN_P, 2, peepholes, err);
}

bool recurrent_plan(const struct node *n, const struct recurrent_spec *spec, struct recurrent *out,
                    struct error *err)
{
    struct recurrent p = {.gates = spec->gates,
                          .activations = spec->activations,
                          .batch_first = spec->layout != 0,
                          .clip = spec->clip};
    if (spec->layout != 0 && spec->layout != 1)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "layout %lld is not known",
                         (long long)spec->layout);
    if (!check_types(n, err) || !plan_directions(spec, &p, err) ||
        !plan_activations(spec, &p, err) || !ops_check_rank(n, RNN_X, 3, err) ||
        !ops_check_rank(n, RNN_R, 3, err))
        return false;
    const struct shape *x = &n->in[RNN_X]->shape;
    if (x->extent[2])
        return ops_check_static(n, RNN_X, err);
    p.type = ops_compute_type(n->in[RNN_X]->dtype);
    p.steps = x->dims[p.batch_first ? 1 : 0];
    p.batch = x->dims[p.batch_first ? 0 : 1];
    p.inputs = x->dims[2];
    p.hidden = n->in[RNN_R]->shape.dims[2];
    if (p.hidden < 1 || p.hidden > LIMIT_TENSOR_ELEMS ||
        (spec->hidden_size && spec->hidden_size != p.hidden))
        return error_set(err, SHEAF_ERROR_SHAPE, "hidden_size is %lld, but the weights have %lld",
                         (long long)spec->hidden_size, (long long)p.hidden);
    if (!check_shapes(n, &p, err))
        return false;
    *out = p;
    return true;
}

bool recurrent_infer(struct node *n, const struct recurrent_spec *spec, struct error *err)
{
    struct recurrent p;
    if (!recurrent_plan(n, spec, &p, err))
        return false;
    const struct value *x = n->in[RNN_X];
    bool first = p.batch_first;
    int steps = first ? 1 : 0, batch = first ? 0 : 2, directions = first ? 2 : 1;
    struct shape y = {.rank = 4}, h = {.rank = 3};
    y.dims[steps] = p.steps;
    y.extent[steps] = x->shape.extent[first ? 1 : 0];
    y.dims[batch] = h.dims[first ? 0 : 1] = p.batch;
    y.extent[batch] = h.extent[first ? 0 : 1] = x->shape.extent[first ? 0 : 1];
    y.dims[directions] = h.dims[first ? 1 : 0] = p.directions;
    y.dims[3] = h.dims[2] = p.hidden;
    return ops_set_output(n, RNN_Y, x->dtype, &y, err) &&
           ops_set_output(n, RNN_Y_H, x->dtype, &h, err) &&
           ops_set_output(n, RNN_Y_C, x->dtype, &h, err);
}
