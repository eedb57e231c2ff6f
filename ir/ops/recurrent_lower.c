#include "ir/ops/recurrent.h"

static kval index_of(struct kernel *k, int64_t i)
{
    return kernel_const_index(k, i);
}

/* An element, or 0 where a tensor whose extents are known only at run time has none. */
static kval load_within(struct kernel *k, int buf, const kval *idx)
{
    const struct kbuf *b = &k->bufs[buf];
    bool is_static = true;
    for (int d = 0; d < b->rank; d++)
        is_static = is_static && b->extent_buf[d] < 0;
    return is_static ? kernel_load(k, buf, idx)
                     : kernel_load_or(k, buf, idx, kernel_const(k, b->dtype, 0));
}

kval recurrent_parameter(const struct recurrent_direction *at, size_t input, kval i)
{
    struct kernel *k = at->l->kernel;
    kval idx[2] = {index_of(k, at->d), i};
    return ops_load(k, at->l->in[input], idx);
}

/* ---- state ---- */

/* Element idx [batch, hidden] of a state as inputs and outputs have it. */
static void state_index(const struct recurrent_direction *at, const kval *idx, kval *out)
{
    kval d = index_of(at->l->kernel, at->d);
    out[0] = at->p->batch_first ? idx[0] : d;
    out[1] = at->p->batch_first ? d : idx[0];
    out[2] = idx[1];
}

int recurrent_state(const struct recurrent_direction *at, const char *name, size_t i)
{
    struct kernel *k = at->l->kernel;
    int64_t dims[2] = {at->p->batch, at->p->hidden};
    int buf = kernel_add_buf(k, name, at->p->type, KBUF_LOCAL, 2, dims);
    kval idx[2], in[3];
    ops_map_begin(k, buf, idx);
    kval v = kernel_const(k, at->p->type, 0);
    if (ops_has_input(at->l->node, i)) {
        state_index(at, idx, in);
        v = kernel_cast(k, at->p->type, load_within(k, at->l->in[i], in));
    }
    kernel_store(k, buf, idx, v);
    ops_map_end(k, buf);
    return buf;
}

void recurrent_map_begin(const struct recurrent_direction *at, kval *out_index)
{
    struct kernel *k = at->l->kernel;
    kval extent[2] = {at->batch, index_of(k, at->p->hidden)};
    kernel_map_begin(k, 2, extent, out_index);
}

void recurrent_end(const struct recurrent_direction *at, size_t i, int state)
{
    struct kernel *k = at->l->kernel;
    if (!ops_has_output(at->l->node, i))
        return;
    kval idx[2], out[3];
    recurrent_map_begin(at, idx);
    state_index(at, idx, out);
    ops_store(k, at->l->out[i], out, kernel_load(k, state, idx));
    kernel_map_end(k);
}

int recurrent_input(struct lower *l, const struct recurrent *p)
{
    struct kernel *k = l->kernel;
    int x = l->in[RNN_X];
    if (shape_is_static(&l->node->in[RNN_X]->shape))
        return x;
    int64_t dims[3] = {p->steps, p->batch, p->inputs};
    if (p->batch_first) {
        dims[0] = p->batch;
        dims[1] = p->steps;
    }
    int copy = kernel_add_buf(k, "x", k->bufs[x].dtype, KBUF_LOCAL, 3, dims);
    kval idx[3];
    ops_map_begin(k, copy, idx);
    kernel_store(k, copy, idx, load_within(k, x, idx));
    ops_map_end(k, copy);
    return copy;
}

void recurrent_begin(struct lower *l, const struct recurrent *p, int x, int64_t d,
                     struct recurrent_direction *out)
{
    struct kernel *k = l->kernel;
    int64_t columns = p->gates * p->hidden;
    int64_t inputs_dims[3] = {p->steps, p->batch, columns}, gates_dims[2] = {p->batch, columns};
    struct recurrent_direction at = {
        .l = l, .p = p, .d = d, .reverse = p->first_reverse || d == 1, .x = x};
    at.steps = kernel_extent(k, l->in[RNN_X], p->batch_first ? 1 : 0);
    at.batch = kernel_extent(k, l->in[RNN_X], p->batch_first ? 0 : 1);
    at.inputs = kernel_add_buf(k, "inputs", p->type, KBUF_LOCAL, 3, inputs_dims);
    at.gates = kernel_add_buf(k, "gates", p->type, KBUF_LOCAL, 2, gates_dims);
    at.h = recurrent_state(&at, "h", RNN_INIT_H);
    *out = at;
}

/* ---- contractions ---- */

/* v plus a bias of gate column `column`: Wb, or Rb. */
static kval add_bias(const struct recurrent_direction *at, kval column, bool recurrent, kval v)
{
    struct kernel *k = at->l->kernel;
    if (!ops_has_input(at->l->node, RNN_B))
        return v;
    kval i = ops_add_const(k, column, recurrent ? at->p->gates * at->p->hidden : 0);
    return kernel_binary(k, KOP_ADD, v, recurrent_parameter(at, RNN_B, i));
}

void recurrent_contract_inputs(const struct recurrent_direction *at, int first, int count,
                               bool recurrent_bias)
{
    struct kernel *k = at->l->kernel;
    const struct recurrent *p = at->p;
    int64_t extent[4] = {p->steps, p->batch, count * p->hidden, p->inputs};
    int64_t offset = first * p->hidden;
    const enum kiter kind[4] = {KITER_M, KITER_M, KITER_N, KITER_K};
    kval idx[4];
    struct kcontract *c = kernel_contract_begin(k, p->type, 4, extent, kind, idx);
    c->a.buf = at->x;
    c->a.dim[p->batch_first ? 1 : 0] = kaffine_var(idx[0], 1, 0);
    c->a.dim[p->batch_first ? 0 : 1] = kaffine_var(idx[1], 1, 0);
    c->a.dim[2] = kaffine_var(idx[3], 1, 0);
    c->b.buf = at->l->in[RNN_W];
    c->b.dim[0] = kaffine_const(at->d);
    c->b.dim[1] = kaffine_var(idx[2], 1, offset);
    c->b.dim[2] = kaffine_var(idx[3], 1, 0);
    kval v = kernel_contract_epilogue(k);
    kval out[3] = {idx[0], idx[1], ops_add_const(k, idx[2], offset)};
    v = add_bias(at, out[2], false, v);
    if (recurrent_bias)
        v = add_bias(at, out[2], true, v);
    kernel_store(k, at->inputs, out, v);
    kernel_contract_end(k);
}

void recurrent_contract_state(const struct recurrent_direction *at, kval round, int from, int first,
                              int count, bool recurrent_bias)
{
    struct kernel *k = at->l->kernel;
    const struct recurrent *p = at->p;
    int64_t extent[3] = {p->batch, count * p->hidden, p->hidden}, offset = first * p->hidden;
    const enum kiter kind[3] = {KITER_M, KITER_N, KITER_K};
    kval idx[3];
    struct kcontract *c = kernel_contract_begin(k, p->type, 3, extent, kind, idx);
    c->a.buf = from;
    c->a.dim[0] = kaffine_var(idx[0], 1, 0);
    c->a.dim[1] = kaffine_var(idx[2], 1, 0);
    c->b.buf = at->l->in[RNN_R];
    c->b.dim[0] = kaffine_const(at->d);
    c->b.dim[1] = kaffine_var(idx[1], 1, offset);
    c->b.dim[2] = kaffine_var(idx[2], 1, 0);
    kval v = kernel_contract_epilogue(k);
    kval out[2] = {idx[0], ops_add_const(k, idx[1], offset)};
    if (recurrent_bias) {
        v = add_bias(at, out[1], true, v);
    } else {
        kval in[3] = {recurrent_time(at, round, idx[0]), idx[0], out[1]};
        v = kernel_binary(k, KOP_ADD, v, kernel_load(k, at->inputs, in));
    }
    kernel_store(k, at->gates, out, v);
    kernel_contract_end(k);
}

/* ---- of one element ---- */

kval recurrent_active(const struct recurrent_direction *at, kval round, kval b)
{
    struct kernel *k = at->l->kernel;
    if (!ops_has_input(at->l->node, RNN_LENS))
        return 0;
    kval len = kernel_cast(k, DTYPE_I64, load_within(k, at->l->in[RNN_LENS], &b));
    return kernel_compare(k, KOP_LT, round, len);
}

kval recurrent_time(const struct recurrent_direction *at, kval round, kval b)
{
    struct kernel *k = at->l->kernel;
    if (!at->reverse)
        return round;
    if (!ops_has_input(at->l->node, RNN_LENS))
        return kernel_binary(k, KOP_SUB, ops_add_const(k, at->steps, -1), round);
    kval len = kernel_cast(k, DTYPE_I64, load_within(k, at->l->in[RNN_LENS], &b));
    len = kernel_binary(k, KOP_MIN, len, at->steps);
    kval back = kernel_binary(k, KOP_SUB, ops_add_const(k, len, -1), round);
    return kernel_select(k, kernel_compare(k, KOP_LT, round, len), back, round);
}

kval recurrent_gate(const struct recurrent_direction *at, int gate, const kval *idx)
{
    struct kernel *k = at->l->kernel;
    kval at_gate[2] = {idx[0], ops_add_const(k, idx[1], gate * at->p->hidden)};
    return kernel_load(k, at->gates, at_gate);
}

kval recurrent_clip(const struct recurrent_direction *at, kval v)
{
    struct kernel *k = at->l->kernel;
    double clip = (double)at->p->clip;
    if (clip <= 0)
        return v;
    v = kernel_binary(k, KOP_MAX, kernel_const(k, at->p->type, -clip), v);
    return kernel_binary(k, KOP_MIN, kernel_const(k, at->p->type, clip), v);
}

void recurrent_store(const struct recurrent_direction *at, kval round, const kval *idx, kval v)
{
    struct kernel *k = at->l->kernel;
    kval h = v, active = recurrent_active(at, round, idx[0]);
    if (active) {
        h = kernel_select(k, active, v, kernel_load(k, at->h, idx));
        v = kernel_select(k, active, v, kernel_const(k, at->p->type, 0));
    }
    kernel_store(k, at->h, idx, h);
    if (!ops_has_output(at->l->node, RNN_Y))
        return;
    kval time = recurrent_time(at, round, idx[0]), d = index_of(k, at->d);
    kval out[4] = {time, d, idx[0], idx[1]};
    if (at->p->batch_first) {
        out[0] = idx[0];
        out[1] = time;
        out[2] = d;
    }
    ops_store(k, at->l->out[RNN_Y], out, v);
}
