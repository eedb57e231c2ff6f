/*
 * QLinearConv-10: x and w hold (stored - zero point) * scale; the sum of products is exact in i32,
 * M = x_scale * w_scale / y_scale is rounded as its type rounds, and
 * y = saturate(rint((sum + bias) * M + y_zero_point)) in f64, as ONNX's reference computes it.
 */
#include "ir/ops/conv_common.h"
#include "ir/ops/integer.h"
#include "ir/ops/qlinear.h"

enum { X, X_SCALE, X_ZERO, W, W_SCALE, W_ZERO, Y_SCALE, Y_ZERO, BIAS };

static bool geometry(const struct node *n, struct conv_geometry *out, struct error *err)
{
    const struct qlinear_conv_attrs *a = n->attrs;
    struct window_spec spec = WINDOW_SPEC(a, false);
    return conv_geometry(n, &spec, a->group, W, BIAS, out, err);
}

static const struct conv_integer_inputs inputs = {
    .w = W, .x_zero = X_ZERO, .w_zero = W_ZERO, .pad = INT64_MIN};

bool qlinear_conv_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct conv_geometry c;
    if (!conv_integer_check(n, &inputs, TYPES_8, err) || !ops_check_type(n, BIAS, TYPE(I32), err) ||
        !qlinear_check(n, X_SCALE, W_SCALE, Y_SCALE, Y_ZERO, err) || !geometry(n, &c, err))
        return false;
    int64_t channels = n->in[W]->shape.dims[0];
    if (!conv_check_parameter(n, X_SCALE, 0, err) ||
        !conv_check_parameter(n, W_SCALE, channels, err) ||
        !conv_check_parameter(n, Y_SCALE, 0, err) || !conv_check_parameter(n, Y_ZERO, 0, err))
        return false;
    struct shape y = conv_output_shape(&c);
    return ops_set_output(n, 0, n->in[Y_ZERO]->dtype, &y, err);
}

void qlinear_conv_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct node *n = l->node;
    struct conv_geometry c;
    struct conv_indices at;
    geometry(n, &c, NULL);
    kval acc = conv_integer_begin(l, &c, &inputs, &at);
    kval channel = conv_channel(k, &c, &at);
    if (ops_has_input(n, BIAS))
        acc = kernel_binary(k, KOP_ADD, acc, ops_load(k, l->in[BIAS], &channel));
    struct qlinear_scales s;
    s.x = conv_load_parameter(l, X_SCALE, channel);
    s.w = conv_load_parameter(l, W_SCALE, channel);
    s.y = conv_load_parameter(l, Y_SCALE, channel);
    kval zero = conv_load_parameter(l, Y_ZERO, channel);
    conv_store(l, &c, &at, channel, qlinear_requantize(k, acc, &s, zero));
    kernel_contract_end(k);
}
