#include "ir/ops/conv_common.h"

static bool geometry(const struct node *n, struct conv_geometry *out, struct error *err)
{
    const struct conv_attrs *a = n->attrs;
    struct window_spec spec = WINDOW_SPEC(a, false);
    return conv_geometry(n, &spec, a->group, 1, 2, out, err);
}

bool conv_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct conv_geometry c;
    for (size_t i = 0; i < n->n_in; i++)
        if (!ops_check_type(n, i, TYPES_FLOAT, err) || !ops_check_same_type(n, 0, i, err))
            return false;
    if (!geometry(n, &c, err))
        return false;
    struct shape y = conv_output_shape(&c);
    return ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

void conv_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    struct conv_geometry c;
    geometry(l->node, &c, NULL);
    enum dtype type = k->bufs[l->in[0]].dtype;
    kval pad = c.window.any_outside ? kernel_const(k, type, 0) : 0;
    struct conv_indices at;
    conv_begin(l, &c, 1, ops_compute_type(type), pad, &at);
    kval acc = kernel_contract_epilogue(k);
    kval channel = conv_channel(k, &c, &at);
    if (ops_has_input(l->node, 2))
        acc = kernel_binary(k, KOP_ADD, acc, ops_load(k, l->in[2], &channel));
    conv_store(l, &c, &at, channel, acc);
    kernel_contract_end(k);
}
