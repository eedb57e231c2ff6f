#include "ir/ops/conv_common.h"
#include "ir/ops/integer.h"

enum { X, W, X_ZERO, W_ZERO };

static bool geometry(const struct node *n, struct conv_geometry *out, struct error *err)
{
    const struct conv_integer_attrs *a = n->attrs;
    struct window_spec spec = WINDOW_SPEC(a, false);
    return conv_geometry(n, &spec, a->group, W, SIZE_MAX, out, err);
}

static struct conv_integer_inputs inputs_of(const struct node *n)
{
    const struct conv_integer_attrs *a = n->attrs;
    return (struct conv_integer_inputs){W, X_ZERO, W_ZERO, a->pad_value};
}

static bool check_padding(const struct node *n, struct error *err)
{
    const struct conv_integer_attrs *a = n->attrs;
    enum dtype x = n->in[X]->dtype;
    if (a->pad_value != INT64_MIN &&
        (a->pad_value < dtype_int_min(x) || a->pad_value > dtype_int_max(x)))
        return error_set(err, SHEAF_ERROR_SHAPE, "pad_value %lld is no %s", (long long)a->pad_value,
                         dtype_name(x));
    return true;
}

bool conv_integer_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct conv_geometry c;
    struct conv_integer_inputs in = inputs_of(n);
    if (!conv_integer_check(n, &in, TYPES_8 | TYPES_16, err) || !geometry(n, &c, err) ||
        (c.window.any_outside && !check_padding(n, err)))
        return false;
    struct shape y = conv_output_shape(&c);
    return ops_set_output(n, 0, integer_accumulator(n->in[X]->dtype, n->in[W]->dtype), &y, err);
}

void conv_integer_lower(struct lower *l)
{
    struct conv_geometry c;
    struct conv_indices at;
    struct conv_integer_inputs in = inputs_of(l->node);
    geometry(l->node, &c, NULL);
    kval sum = conv_integer_begin(l, &c, &in, &at);
    conv_store(l, &c, &at, conv_channel(l->kernel, &c, &at), sum);
    kernel_contract_end(l->kernel);
}
