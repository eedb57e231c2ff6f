#include "ir/ops/conv_common.h"

#include "ir/ops/integer.h"

bool conv_geometry(const struct node *n, const struct window_spec *spec, int64_t group, size_t w,
                   size_t bias, struct conv_geometry *out, struct error *err)
{
    if (!ops_check_static(n, 0, err) || !ops_check_static(n, w, err))
        return false;
    const struct shape *xs = &n->in[0]->shape, *ws = &n->in[w]->shape;
    struct conv_geometry c = {.groups = group};
    if (ws->rank < 3)
        return error_set(err, SHEAF_ERROR_SHAPE, "weights '%s' have only %d dimensions",
                         n->in[w]->name, ws->rank);
    if (!ops_check_rank(n, 0, ws->rank, err))
        return false;
    if (!window_compute(spec, xs, ws->dims + 2, &c.window, err))
        return false;
    if (group < 1 || xs->dims[1] % group)
        return error_set(err, SHEAF_ERROR_SHAPE, "group %lld does not divide %lld input channels",
                         (long long)group, (long long)xs->dims[1]);
    if (ws->dims[0] % group)
        return error_set(err, SHEAF_ERROR_SHAPE, "group %lld does not divide %lld output channels",
                         (long long)group, (long long)ws->dims[0]);
    c.batch = xs->dims[0];
    c.in_per_group = xs->dims[1] / group;
    c.out_per_group = ws->dims[0] / group;
    if (ws->dims[1] != c.in_per_group)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "the weights are for %lld input channels per group, the input has %lld",
                         (long long)ws->dims[1], (long long)c.in_per_group);
    if (!ops_check_dims(n, bias, 1, ws->dims, err))
        return false;
    *out = c;
    return true;
}

struct shape conv_output_shape(const struct conv_geometry *c)
{
    struct shape s = {.rank = 2 + c->window.n};
    s.dims[0] = c->batch;
    s.dims[1] = c->groups * c->out_per_group;
    for (int d = 0; d < c->window.n; d++)
        s.dims[2 + d] = c->window.out[d];
    return s;
}

struct kcontract *conv_begin(struct lower *l, const struct conv_geometry *c, size_t w,
                             enum dtype acc, kval pad, struct conv_indices *out_indices)
{
    int64_t extent[KREGION_MAX_DIMS];
    enum kiter kind[KREGION_MAX_DIMS];
    const struct window *win = &c->window;
    bool grouped = c->groups > 1;
    int n = 0;
#define ITER(size, k) (extent[n] = (size), kind[n] = (k), n++)
    ITER(c->batch, KITER_M);
    if (grouped)
        ITER(c->groups, KITER_BATCH);
    ITER(c->out_per_group, KITER_N);
    for (int d = 0; d < win->n; d++)
        ITER(win->out[d], KITER_M);
    ITER(c->in_per_group, KITER_K);
    for (int d = 0; d < win->n; d++)
        ITER(win->kernel[d], KITER_K);
#undef ITER
    kval idx[KREGION_MAX_DIMS];
    struct kcontract *con = kernel_contract_begin(l->kernel, acc, n, extent, kind, idx);

    const kval *at = idx;
    struct conv_indices out = {.n = *at++};
    if (grouped)
        out.group = *at++;
    out.channel = *at++;
    for (int d = 0; d < win->n; d++)
        out.out[d] = *at++;
    kval in_channel = *at++;

    con->a.buf = l->in[0];
    con->a.padded = win->any_outside;
    con->a.pad = win->any_outside ? pad : 0;
    con->a.dim[0] = kaffine_var(out.n, 1, 0);
    con->a.dim[1] = kaffine_var(in_channel, 1, 0);
    con->b.buf = l->in[w];
    con->b.dim[0] = kaffine_var(out.channel, 1, 0);
    con->b.dim[1] = kaffine_var(in_channel, 1, 0);
    if (grouped) {
        kaffine_add(&con->a.dim[1], out.group, c->in_per_group);
        kaffine_add(&con->b.dim[0], out.group, c->out_per_group);
    }
    for (int d = 0; d < win->n; d++) {
        con->a.dim[2 + d] = kaffine_var(out.out[d], win->stride[d], -win->pad_begin[d]);
        kaffine_add(&con->a.dim[2 + d], at[d], win->dilation[d]);
        con->b.dim[2 + d] = kaffine_var(at[d], 1, 0);
    }
    *out_indices = out;
    return con;
}

kval conv_channel(struct kernel *k, const struct conv_geometry *c, const struct conv_indices *at)
{
    if (!at->group)
        return at->channel;
    return kernel_binary(k, KOP_ADD, ops_mul_const(k, at->group, c->out_per_group), at->channel);
}

void conv_store(struct lower *l, const struct conv_geometry *c, const struct conv_indices *at,
                kval channel, kval v)
{
    kval idx[MAX_RANK] = {at->n, channel};
    for (int d = 0; d < c->window.n; d++)
        idx[2 + d] = at->out[d];
    ops_store(l->kernel, l->out[0], idx, v);
}

/* ---- integers ---- */

bool conv_check_parameter(const struct node *n, size_t i, int64_t channels, struct error *err)
{
    if (!ops_has_input(n, i))
        return true;
    const struct shape *s = &n->in[i]->shape;
    if (!ops_check_static(n, i, err))
        return false;
    if (s->rank <= 1 && (shape_elems(s) == 1 || (channels > 0 && shape_elems(s) == channels)))
        return true;
    return error_set(err, SHEAF_ERROR_SHAPE, "parameter '%s' has %lld elements in %d dimensions",
                     n->in[i]->name, (long long)shape_elems(s), s->rank);
}

kval conv_load_parameter(struct lower *l, size_t i, kval channel)
{
    return ops_load_broadcast(l->kernel, l->in[i], 1, &channel);
}

bool conv_integer_check(const struct node *n, const struct conv_integer_inputs *in, unsigned types,
                        struct error *err)
{
    int64_t channels = n->in[in->w]->shape.rank ? n->in[in->w]->shape.dims[0] : 0;
    return integer_check_operands(n, 0, in->x_zero, in->w, in->w_zero, types, err) &&
           conv_check_parameter(n, in->x_zero, 0, err) &&
           conv_check_parameter(n, in->w_zero, channels, err);
}

kval conv_integer_begin(struct lower *l, const struct conv_geometry *c,
                        const struct conv_integer_inputs *in, struct conv_indices *out_indices)
{
    struct kernel *k = l->kernel;
    const struct node *n = l->node;
    enum dtype x = n->in[0]->dtype, acc = integer_accumulator(x, n->in[in->w]->dtype);
    kval pad = 0;
    if (c->window.any_outside)
        pad =
            in->pad == INT64_MIN ? integer_padding(l, in->x_zero) : kernel_const_int(k, x, in->pad);
    struct kcontract *con = conv_begin(l, c, in->w, acc, pad, out_indices);
    if (integer_has_zero(n, in->x_zero)) {
        kval raw = kernel_contract_prologue(k, &con->a);
        integer_prologue_end(k, acc, raw, ops_load_scalar(k, l->in[in->x_zero]));
    }
    if (integer_has_zero(n, in->w_zero)) {
        kval raw = kernel_contract_prologue(k, &con->b);
        kval channel = conv_channel(k, c, out_indices);
        integer_prologue_end(k, acc, raw, conv_load_parameter(l, in->w_zero, channel));
    }
    return kernel_contract_epilogue(k);
}
