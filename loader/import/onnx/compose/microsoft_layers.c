/*
 * ONNX Runtime's layers with an activation, and layers of images whose channels are last (domain
 * com.microsoft).
 */
#include <string.h>

#include "loader/import/onnx/compose/compose.h"

/* ---- activations ---- */

static void set_slope(struct node *n, const float *p, size_t n_p)
{
    struct hard_sigmoid_attrs *hard = n->attrs;
    struct leaky_relu_attrs *leaky = n->attrs;
    if (n->op == OP_leaky_relu && n_p > 0)
        leaky->alpha = p[0];
    if (n->op == OP_hard_sigmoid && n_p > 1) {
        hard->alpha = p[0];
        hard->beta = p[1];
    }
}

/* The activation's name and numbers, by ONNX Runtime's optimizer; "" for none. */
static struct value *activated(struct onnx *o, struct draft *d, struct value *x, const char *name,
                               const float *p, size_t n_p, const char *out)
{
    static const enum op known[] = {OP_relu, OP_tanh, OP_sigmoid, OP_leaky_relu, OP_hard_sigmoid};
    if (!x)
        return NULL;
    if (!strcmp(name, "Clip") && n_p > 1) {
        struct value *in[] = {x, build_number(&o->im, x, (double)p[0]), NULL};
        in[2] = build_number(&o->im, x, (double)p[1]);
        return build_op(&o->im, OP_clip, NULL, in, 3, out);
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(op_desc(known[i])->onnx, name))
            continue;
        struct node *n = build_begin(&o->im, known[i], NULL, &x, 1, 1);
        set_slope(n, p, n_p);
        return build_end1(&o->im, n, out);
    }
    draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "%s with the activation '%s' is not supported",
                d->op_type, name);
    return NULL;
}

static bool take_name(struct onnx *o, struct draft *d, const char **out_name)
{
    struct draft_attr *a;
    if (!draft_take_kind(o, d, "activation", ATTR_KIND_STRING, &a))
        return false;
    *out_name = a ? a->u.s : "";
    return true;
}

/* ---- images ---- */

/* The node with the draft's attributes and inputs, the first `n_turned` of them with channels
   last. */
static struct value *layer(struct onnx *o, struct draft *d, enum op op, size_t n_in,
                           size_t n_turned, const char *name)
{
    struct value *in[9];
    for (size_t i = 0; i < n_in; i++) {
        in[i] = i < n_turned ? compose_channels_first(o, d->in[i]) : draft_input(d, i);
        if (i < n_turned && !in[i])
            return NULL;
    }
    struct node *n = build_begin(&o->im, op, d->name, in, n_in, 1);
    return draft_set_attrs(o, d, n) ? build_end1(&o->im, n, name) : NULL;
}

/* X, W, B, and Z, which is added before the activation; W stays as it is. */
bool onnx_compose_fused_conv(struct onnx *o, struct draft *d)
{
    bool last = strstr(d->op_type, "Nhwc") != NULL;
    const char *activation, *name = draft_output_name(d);
    struct draft_attr *p;
    if (!draft_need_inputs(o, d, 2) || !take_name(o, d, &activation) ||
        !draft_take_kind(o, d, "activation_params", ATTR_KIND_FLOATS, &p))
        return false;
    bool plain = !*activation && !draft_input(d, 3);
    struct value *y =
        layer(o, d, OP_conv, draft_input(d, 2) ? 3 : 2, last ? 1 : 0, plain && !last ? name : NULL);
    if (last)
        y = compose_channels_last(o, y, plain ? name : NULL);
    if (draft_input(d, 3))
        y = compose_binary(o, OP_add, y, d->in[3], *activation ? NULL : name);
    if (*activation)
        y = activated(o, d, y, activation, p ? p->u.floats.v : NULL, p ? p->u.floats.n : 0, name);
    return draft_finish(o, d, y);
}

bool onnx_compose_fused_gemm(struct onnx *o, struct draft *d)
{
    static const char *const names[] = {"activation_alpha", "activation_beta", "activation_gamma"};
    const char *activation, *name = draft_output_name(d);
    float p[3];
    size_t n_p = 0;
    if (!draft_need_inputs(o, d, 2) || !take_name(o, d, &activation))
        return false;
    for (size_t i = 0; i < 3; i++) {
        struct draft_attr *a;
        if (!draft_take_kind(o, d, names[i], ATTR_KIND_FLOAT, &a))
            return false;
        if (a && n_p == i)
            p[n_p++] = a->u.f;
    }
    struct value *y = layer(o, d, OP_gemm, draft_input(d, 2) ? 3 : 2, 0, *activation ? NULL : name);
    return draft_finish(o, d, *activation ? activated(o, d, y, activation, p, n_p, name) : y);
}

/* QLinearConv, also of images with channels last. */
bool onnx_compose_microsoft_qlinear_conv(struct onnx *o, struct draft *d)
{
    int64_t last;
    if (!draft_need_inputs(o, d, 8) || !draft_take_int(o, d, "channels_last", 0, &last))
        return false;
    const char *name = draft_output_name(d);
    struct value *y =
        layer(o, d, OP_qlinear_conv, draft_input(d, 8) ? 9 : 8, last != 0, last ? NULL : name);
    return draft_finish(o, d, last ? compose_channels_last(o, y, name) : y);
}

bool onnx_compose_nhwc_max_pool(struct onnx *o, struct draft *d)
{
    if (!draft_need_inputs(o, d, 1))
        return false;
    struct value *y = layer(o, d, OP_max_pool, 1, 1, NULL);
    return draft_finish(o, d, compose_channels_last(o, y, draft_output_name(d)));
}

/* ---- GroupNorm ---- */

enum { X, GAMMA, BETA, SKIP, BIAS };

/* The image with skip [N, C] or of its shape, and a bias per channel; NULL after a fault. */
static struct value *with_skip(struct onnx *o, struct draft *d)
{
    struct value *x = d->in[X], *skip = draft_input(d, SKIP);
    if (skip && skip->shape.rank == 2) {
        const int64_t dims[] = {skip->shape.dims[0], 1, 1, skip->shape.dims[1]};
        skip = compose_reshape(o, skip, 4, dims, NULL);
    }
    if (draft_input(d, SKIP))
        x = compose_binary(o, OP_add, x, skip, NULL);
    return draft_input(d, BIAS) ? compose_binary(o, OP_add, x, d->in[BIAS], NULL) : x;
}

/* GroupNorm and SkipGroupNorm of [N, H, W, C]; output 1 is the sum that is normalized. */
bool onnx_compose_microsoft_group_norm(struct onnx *o, struct draft *d)
{
    int64_t groups, silu, last;
    float epsilon;
    if (!draft_need_inputs(o, d, 3) || !compose_need_static(o, d, X, 4) ||
        !draft_take_int(o, d, "groups", 0, &groups) ||
        !draft_take_int(o, d, "activation", 0, &silu) ||
        !draft_take_int(o, d, "channels_last", 1, &last) ||
        !draft_take_float(o, d, "epsilon", 1e-5f, &epsilon))
        return false;
    const int64_t *s = d->in[X]->shape.dims;
    if (!last || (silu != 0 && silu != 1))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "%s with channels_last=%lld and activation=%lld is not supported",
                           d->op_type, (long long)last, (long long)silu);
    if (groups < 1 || s[3] % groups)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "%lld channels do not make %lld groups",
                           (long long)s[3], (long long)groups);
    struct value *x = with_skip(o, d);
    if (x && draft_output_used(o, d, 1)) {
        x = build_cast(&o->im, NULL, x, x->dtype, d->out[1]);
        if (x)
            draft_bind(o, d, 1, x);
    }
    const int64_t dims[] = {s[0], s[1] * s[2], groups, s[3] / groups};
    struct value *in[3] = {compose_reshape(o, onnx_widened(o, x), 4, dims, NULL)};
    for (size_t i = GAMMA; i <= BETA; i++)
        in[i] = compose_reshape(o, onnx_widened(o, d->in[i]), 2, dims + 2, NULL);
    if (!in[0] || !in[1] || !in[2])
        return false;
    struct value *y = build_normalize(&o->im, d->name, in, 2, true, epsilon, NULL);
    if (silu)
        y = build_unary(&o->im, OP_swish, d->name, y);
    y = compose_reshape(o, y, 4, s, NULL);
    return onnx_finish_as(o, d, y, d->in[X]->dtype);
}

/* ---- sums ---- */

/* X + bias + skip */
bool onnx_compose_bias_add(struct onnx *o, struct draft *d)
{
    if (!draft_need_inputs(o, d, 3))
        return false;
    struct value *y = compose_binary(o, OP_add, d->in[0], d->in[1], NULL);
    return draft_finish(o, d, compose_binary(o, OP_add, y, d->in[2], draft_output_name(d)));
}

/* Of X + bias, the first half of the columns times gelu of the second. */
bool onnx_compose_bias_split_gelu(struct onnx *o, struct draft *d)
{
    if (!draft_need_inputs(o, d, 2) || !compose_need_static(o, d, 0, 3))
        return false;
    int64_t columns = d->in[0]->shape.dims[2];
    if (columns % 2)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "%lld columns have no halves",
                           (long long)columns);
    struct value *x = onnx_widened(o, d->in[0]);
    x = compose_binary(o, OP_add, x, onnx_widened(o, d->in[1]), NULL);
    struct value *left = compose_slice(o, x, 2, 0, columns / 2, NULL);
    struct value *right = compose_slice(o, x, 2, columns / 2, columns, NULL);
    struct value *y =
        compose_binary(o, OP_mul, left, build_unary(&o->im, OP_gelu, d->name, right), NULL);
    return onnx_finish_as(o, d, y, d->in[0]->dtype);
}
