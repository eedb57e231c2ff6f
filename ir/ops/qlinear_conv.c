/*
 * QLinearConv-10: x and w hold (stored - zero point) * scale; the sum of products is exact in i32,
 * and y = saturate(rint((sum + bias) * (x_scale * w_scale / y_scale)) + y_zero_point).
 */
#include "ir/ops/conv_common.h"

enum { X, X_SCALE, X_ZERO, W, W_SCALE, W_ZERO, Y_SCALE, Y_ZERO, BIAS };

static bool geometry(const struct node *n, struct conv_geometry *out, struct error *err)
{
    const struct qlinear_conv_attrs *a = n->attrs;
    struct window_spec spec = WINDOW_SPEC(a, false);
    return conv_geometry(n, &spec, a->group, W, BIAS, out, err);
}

/* One element, or where `channels` is positive one per output channel. */
static bool check_parameter(const struct node *n, size_t i, int64_t channels, struct error *err)
{
    const struct shape *s = &n->in[i]->shape;
    if (!ops_check_static(n, i, err))
        return false;
    if (s->rank <= 1 && (shape_elems(s) == 1 || (channels > 0 && shape_elems(s) == channels)))
        return true;
    return error_set(err, SHEAF_ERROR_SHAPE, "parameter '%s' has %lld elements in %d dimensions",
                     n->in[i]->name, (long long)shape_elems(s), s->rank);
}

bool qlinear_conv_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    unsigned bytes = TYPE(I8) | TYPE(U8);
    if (!ops_check_type(n, X, bytes, err) || !ops_check_type(n, W, bytes, err) ||
        !ops_check_type(n, Y_ZERO, bytes, err) || !ops_check_same_type(n, X, X_ZERO, err) ||
        !ops_check_same_type(n, W, W_ZERO, err) || !ops_check_type(n, BIAS, TYPE(I32), err))
        return false;
    static const size_t scales[] = {X_SCALE, W_SCALE, Y_SCALE};
    for (int i = 0; i < 3; i++)
        if (!ops_check_type(n, scales[i], TYPE(F32), err))
            return false;
    struct conv_geometry c;
    if (!geometry(n, &c, err))
        return false;
    int64_t channels = n->in[W]->shape.dims[0];
    for (size_t i = X_SCALE; i <= Y_ZERO; i++)
        if (i != W && !check_parameter(n, i, i == W_SCALE || i == W_ZERO ? channels : 0, err))
            return false;
    if (c.window.any_outside && n->in[X_ZERO]->role != VALUE_CONST)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "the zero point '%s' must be constant where there is padding",
                         n->in[X_ZERO]->name);
    struct shape y = conv_output_shape(&c);
    return ops_set_output(n, 0, n->in[Y_ZERO]->dtype, &y, err);
}

/* The parameter of an output channel. */
static kval load_parameter(struct lower *l, size_t i, kval channel)
{
    return ops_load_broadcast(l->kernel, l->in[i], 1, &channel);
}

static void subtract_zero(struct lower *l, size_t zero, kval raw, kval channel)
{
    struct kernel *k = l->kernel;
    kval z = kernel_cast(k, DTYPE_I32, load_parameter(l, zero, channel));
    kernel_contract_prologue_end(k, kernel_binary(k, KOP_SUB, kernel_cast(k, DTYPE_I32, raw), z));
}

void qlinear_conv_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct node *n = l->node;
    struct conv_geometry c;
    geometry(n, &c, NULL);
    kval pad = 0;
    if (c.window.any_outside)
        pad = kernel_const_int(k, n->in[X]->dtype, tensor_get_int(n->in[X_ZERO]->constant, 0));
    struct conv_indices at;
    struct kcontract *con = conv_begin(l, &c, W, DTYPE_I32, pad, &at);

    kval raw = kernel_contract_prologue(k, &con->a);
    subtract_zero(l, X_ZERO, raw, kernel_const_index(k, 0));
    raw = kernel_contract_prologue(k, &con->b);
    subtract_zero(l, W_ZERO, raw, conv_channel(k, &c, &at));

    kval acc = kernel_contract_epilogue(k);
    kval channel = conv_channel(k, &c, &at);
    if (ops_has_input(n, BIAS))
        acc = kernel_binary(k, KOP_ADD, acc, ops_load(k, l->in[BIAS], &channel));
    kval scale = load_parameter(l, W_SCALE, channel);
    scale = kernel_binary(k, KOP_MUL, ops_load_scalar(k, l->in[X_SCALE]), scale);
    scale = kernel_binary(k, KOP_DIV, scale, ops_load_scalar(k, l->in[Y_SCALE]));
    kval y = kernel_binary(k, KOP_MUL, kernel_cast(k, DTYPE_F32, acc), scale);
    kval zero = kernel_cast(k, DTYPE_F32, ops_load_scalar(k, l->in[Y_ZERO]));
    y = kernel_binary(k, KOP_ADD, kernel_unary(k, KOP_RINT, y), zero);
    conv_store(l, &c, &at, channel, y);
    kernel_contract_end(k);
}
