#include "ir/ops/recurrent.h"

static kval index_of(struct kernel *k, int64_t i)
{
    return kernel_const_index(k, i);
}

kval recurrent_parameter(const struct recurrent_direction *at, size_t input, kval i)
{
    struct kernel *k = at->l->kernel;
    kval idx[2] = {index_of(k, at->d), i};
    return kernel_cast(k, DTYPE_F32, ops_load(k, at->l->in[input], idx));
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
    int buf = kernel_add_buf(k, name, DTYPE_F32, KBUF_LOCAL, 2, dims);
    kval idx[2], in[3];
    ops_map_begin(k, buf, idx);
    kval v = kernel_const(k, DTYPE_F32, 0);
    if (ops_has_input(at->l->node, i)) {
        state_index(at, idx, in);
        v = ops_load(k, at->l->in[i], in);
    }
    kernel_store(k, buf, idx, v);
    ops_map_end(k, buf);
    return buf;
}

void recurrent_end(const struct recurrent_direction *at, size_t i, int state)
{
    struct kernel *k = at->l->kernel;
    if (!ops_has_output(at->l->node, i))
        return;
    kval idx[2], out[3];
    ops_map_begin(k, state, idx);
    state_index(at, idx, out);
    ops_store(k, at->l->out[i], out, kernel_load(k, state, idx));
    ops_map_end(k, state);
}

void recurrent_begin(struct lower *l, const struct recurrent *p, int64_t d,
                     struct recurrent_direction *out)
{
    int64_t columns = p->gates * p->hidden;
    int64_t inputs_dims[3] = {p->steps, p->batch, columns}, gates_dims[2] = {p->batch, columns};
    struct recurrent_direction at = {.l = l, .p = p, .d = d, .reverse = p->first_reverse || d == 1};
    at.inputs = kernel_add_buf(l->kernel, "inputs", DTYPE_F32, KBUF_LOCAL, 3, inputs_dims);
    at.gates = kernel_add_buf(l->kernel, "gates", DTYPE_F32, KBUF_LOCAL, 2, gates_dims);
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
    struct kcontract *c = kernel_contract_begin(k, DTYPE_F32, 4, extent, kind, idx);
    c->a.buf = at->l->in[RNN_X];
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
    struct kcontract *c = kernel_contract_begin(k, DTYPE_F32, 3, extent, kind, idx);
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
    kval len = kernel_cast(k, DTYPE_I64, kernel_load(k, at->l->in[RNN_LENS], &b));
    return kernel_compare(k, KOP_LT, round, len);
}

kval recurrent_time(const struct recurrent_direction *at, kval round, kval b)
{
    struct kernel *k = at->l->kernel;
    if (!at->reverse)
        return round;
    if (!ops_has_input(at->l->node, RNN_LENS))
        return kernel_binary(k, KOP_SUB, index_of(k, at->p->steps - 1), round);
    kval len = kernel_cast(k, DTYPE_I64, kernel_load(k, at->l->in[RNN_LENS], &b));
    len = kernel_binary(k, KOP_MIN, len, index_of(k, at->p->steps));
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
    v = kernel_binary(k, KOP_MAX, kernel_const(k, DTYPE_F32, -clip), v);
    return kernel_binary(k, KOP_MIN, kernel_const(k, DTYPE_F32, clip), v);
}

void recurrent_store(const struct recurrent_direction *at, kval round, const kval *idx, kval v)
{
    struct kernel *k = at->l->kernel;
    kval h = v, active = recurrent_active(at, round, idx[0]);
    if (active) {
        h = kernel_select(k, active, v, kernel_load(k, at->h, idx));
        v = kernel_select(k, active, v, kernel_const(k, DTYPE_F32, 0));
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
