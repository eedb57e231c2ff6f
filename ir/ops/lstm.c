/*
 * LSTM-22.  Per direction: the contribution of all inputs, x W^T and the biases, is one contraction
 * before the loop over time; a round adds h R^T and updates the state, which lies in local buffers.
 * Gates in the order i, o, f, c.
 *
 * With sequence_lens a batch entry stops after its length: its outputs are 0 from there, its state
 * stays, and the reverse direction begins at its last element.
 */
#include "ir/ops/lstm_common.h"

bool lstm_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct lstm p;
    for (size_t i = 0; i < n->n_in; i++)
        if (!ops_check_static(n, i, err) ||
            (i != LSTM_LENS &&
             (!ops_check_type(n, i, TYPES_MATH, err) || !ops_check_same_type(n, LSTM_X, i, err))))
            return false;
    if (!lstm_plan(n, &p, err))
        return false;
    enum dtype type = n->in[LSTM_X]->dtype;
    int64_t y[4] = {p.steps, p.directions, p.batch, p.hidden};
    int64_t h[3] = {p.directions, p.batch, p.hidden};
    if (p.batch_first) {
        y[0] = p.batch;
        y[1] = p.steps;
        y[2] = p.directions;
        h[0] = p.batch;
        h[1] = p.directions;
    }
    struct shape ys = shape_of_dims(4, y), hs = shape_of_dims(3, h);
    return ops_set_output(n, LSTM_Y, type, &ys, err) &&
           ops_set_output(n, LSTM_Y_H, type, &hs, err) &&
           ops_set_output(n, LSTM_Y_C, type, &hs, err);
}

/* ---- lower ---- */

/* One direction: its number, and buffers made for it. */
struct direction {
    struct lower *l;
    const struct lstm *p;
    int64_t d;
    bool reverse;
    int inputs; /* [steps, batch, 4 hidden]: x W^T + biases */
    int gates;  /* [batch, 4 hidden] */
    int h, c;   /* [batch, hidden] */
};

static kval index_of(struct kernel *k, int64_t i)
{
    return kernel_const_index(k, i);
}

/* Element [d, i] of a parameter of this direction. */
static kval load_parameter(const struct direction *at, size_t input, kval i)
{
    struct kernel *k = at->l->kernel;
    kval idx[2] = {index_of(k, at->d), i};
    return kernel_cast(k, DTYPE_F32, ops_load(k, at->l->in[input], idx));
}

/* inputs[t, b, g] = sum of x[t, b, :] W[d, g, :] + Wb[d, g] + Rb[d, g] */
static void contract_inputs(const struct direction *at)
{
    struct kernel *k = at->l->kernel;
    const struct lstm *p = at->p;
    int64_t extent[4] = {p->steps, p->batch, 4 * p->hidden, p->inputs};
    const enum kiter kind[4] = {KITER_M, KITER_M, KITER_N, KITER_K};
    kval idx[4];
    struct kcontract *c = kernel_contract_begin(k, DTYPE_F32, 4, extent, kind, idx);
    c->a.buf = at->l->in[LSTM_X];
    c->a.dim[p->batch_first ? 1 : 0] = kaffine_var(idx[0], 1, 0);
    c->a.dim[p->batch_first ? 0 : 1] = kaffine_var(idx[1], 1, 0);
    c->a.dim[2] = kaffine_var(idx[3], 1, 0);
    c->b.buf = at->l->in[LSTM_W];
    c->b.dim[0] = kaffine_const(at->d);
    c->b.dim[1] = kaffine_var(idx[2], 1, 0);
    c->b.dim[2] = kaffine_var(idx[3], 1, 0);
    kval v = kernel_contract_epilogue(k);
    if (ops_has_input(at->l->node, LSTM_B)) {
        v = kernel_binary(k, KOP_ADD, v, load_parameter(at, LSTM_B, idx[2]));
        v = kernel_binary(k, KOP_ADD, v,
                          load_parameter(at, LSTM_B, ops_add_const(k, idx[2], 4 * p->hidden)));
    }
    kernel_store(k, at->inputs, idx, v);
    kernel_contract_end(k);
}

static kval state_dim(const struct lstm *p, kval direction, kval b, int which)
{
    return (which == 0) == p->batch_first ? b : direction;
}

/* h and c take their initial values, 0 where none are given. */
static void begin_state(const struct direction *at)
{
    struct kernel *k = at->l->kernel;
    static const size_t source[2] = {LSTM_INIT_H, LSTM_INIT_C};
    kval idx[2];
    ops_map_begin(k, at->h, idx);
    kval d = index_of(k, at->d);
    kval in[3] = {state_dim(at->p, d, idx[0], 0), state_dim(at->p, d, idx[0], 1), idx[1]};
    for (int i = 0; i < 2; i++) {
        kval v = kernel_const(k, DTYPE_F32, 0);
        if (ops_has_input(at->l->node, source[i]))
            v = ops_load(k, at->l->in[source[i]], in);
        kernel_store(k, i ? at->c : at->h, idx, v);
    }
    ops_map_end(k, at->h);
}

/* Outputs 1 and 2 take the last state. */
static void end_state(const struct direction *at)
{
    struct kernel *k = at->l->kernel;
    for (size_t i = 0; i < 2; i++) {
        if (!ops_has_output(at->l->node, LSTM_Y_H + i))
            continue;
        kval idx[2];
        ops_map_begin(k, at->h, idx);
        kval d = index_of(k, at->d);
        kval out[3] = {state_dim(at->p, d, idx[0], 0), state_dim(at->p, d, idx[0], 1), idx[1]};
        ops_store(k, at->l->out[LSTM_Y_H + i], out, kernel_load(k, i ? at->c : at->h, idx));
        ops_map_end(k, at->h);
    }
}

/* Whether round `round` still belongs to batch entry b; 0: always. */
static kval is_active(const struct direction *at, kval round, kval b)
{
    struct kernel *k = at->l->kernel;
    if (!ops_has_input(at->l->node, LSTM_LENS))
        return 0;
    kval len = kernel_cast(k, DTYPE_I64, kernel_load(k, at->l->in[LSTM_LENS], &b));
    return kernel_compare(k, KOP_LT, round, len);
}

/* The time that round `round` handles. */
static kval time_of(const struct direction *at, kval round, kval b)
{
    struct kernel *k = at->l->kernel;
    if (!at->reverse)
        return round;
    if (!ops_has_input(at->l->node, LSTM_LENS))
        return kernel_binary(k, KOP_SUB, index_of(k, at->p->steps - 1), round);
    kval len = kernel_cast(k, DTYPE_I64, kernel_load(k, at->l->in[LSTM_LENS], &b));
    len = kernel_binary(k, KOP_MIN, len, index_of(k, at->p->steps));
    kval back = kernel_binary(k, KOP_SUB, ops_add_const(k, len, -1), round);
    return kernel_select(k, kernel_compare(k, KOP_LT, round, len), back, round);
}

/* gates[b, g] = sum of h[b, :] R[d, g, :] + inputs[time, b, g] */
static void contract_state(const struct direction *at, kval round)
{
    struct kernel *k = at->l->kernel;
    const struct lstm *p = at->p;
    int64_t extent[3] = {p->batch, 4 * p->hidden, p->hidden};
    const enum kiter kind[3] = {KITER_M, KITER_N, KITER_K};
    kval idx[3];
    struct kcontract *c = kernel_contract_begin(k, DTYPE_F32, 3, extent, kind, idx);
    c->a.buf = at->h;
    c->a.dim[0] = kaffine_var(idx[0], 1, 0);
    c->a.dim[1] = kaffine_var(idx[2], 1, 0);
    c->b.buf = at->l->in[LSTM_R];
    c->b.dim[0] = kaffine_const(at->d);
    c->b.dim[1] = kaffine_var(idx[1], 1, 0);
    c->b.dim[2] = kaffine_var(idx[2], 1, 0);
    kval v = kernel_contract_epilogue(k);
    kval from[3] = {time_of(at, round, idx[0]), idx[0], idx[1]};
    kernel_store(k, at->gates, idx, kernel_binary(k, KOP_ADD, v, kernel_load(k, at->inputs, from)));
    kernel_contract_end(k);
}

/* Gate `gate` (0 i, 1 o, 2 f, 3 c) of element idx before its activation; `peep`: position of its
   weights in P, or negative, and the state they weigh. */
static kval gate_sum(const struct direction *at, int gate, const kval *idx, int peep, kval state)
{
    struct kernel *k = at->l->kernel;
    const struct lstm *p = at->p;
    kval at_gate[2] = {idx[0], ops_add_const(k, idx[1], gate * p->hidden)};
    kval v = kernel_load(k, at->gates, at_gate);
    if (peep >= 0 && ops_has_input(at->l->node, LSTM_P)) {
        kval w = load_parameter(at, LSTM_P, ops_add_const(k, idx[1], peep * p->hidden));
        v = kernel_binary(k, KOP_ADD, v, kernel_binary(k, KOP_MUL, w, state));
    }
    if (p->clip > 0) {
        v = kernel_binary(k, KOP_MAX, kernel_const(k, DTYPE_F32, -(double)p->clip), v);
        v = kernel_binary(k, KOP_MIN, kernel_const(k, DTYPE_F32, (double)p->clip), v);
    }
    return v;
}

static kval activate(const struct direction *at, int which, kval x)
{
    return lstm_activation(at->l->kernel, &at->p->activation[3 * at->d + which], x);
}

static void update_state(const struct direction *at, kval round)
{
    struct kernel *k = at->l->kernel;
    const struct lstm *p = at->p;
    enum { F, G, H }; /* activations: of the gates, of the cell's input, of its output */
    kval idx[2];
    ops_map_begin(k, at->h, idx);
    kval old_c = kernel_load(k, at->c, idx);
    kval i = activate(at, F, gate_sum(at, 0, idx, 0, old_c));
    kval f = p->input_forget ? kernel_binary(k, KOP_SUB, kernel_const(k, DTYPE_F32, 1), i)
                             : activate(at, F, gate_sum(at, 2, idx, 2, old_c));
    kval g = activate(at, G, gate_sum(at, 3, idx, -1, 0));
    kval added = kernel_binary(k, KOP_MUL, i, g);
    kval c = kernel_binary(k, KOP_ADD, kernel_binary(k, KOP_MUL, f, old_c), added);
    kval o = activate(at, F, gate_sum(at, 1, idx, 1, c));
    kval h = kernel_binary(k, KOP_MUL, o, activate(at, H, c));
    kval y = h, active = is_active(at, round, idx[0]);
    if (active) {
        y = kernel_select(k, active, h, kernel_const(k, DTYPE_F32, 0));
        h = kernel_select(k, active, h, kernel_load(k, at->h, idx));
        c = kernel_select(k, active, c, old_c);
    }
    kernel_store(k, at->h, idx, h);
    kernel_store(k, at->c, idx, c);
    if (ops_has_output(at->l->node, LSTM_Y)) {
        kval time = time_of(at, round, idx[0]), d = index_of(k, at->d);
        kval out[4] = {time, d, idx[0], idx[1]};
        if (p->batch_first) {
            out[0] = idx[0];
            out[1] = time;
            out[2] = d;
        }
        ops_store(k, at->l->out[LSTM_Y], out, y);
    }
    ops_map_end(k, at->h);
}

void lstm_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    struct lstm p;
    lstm_plan(l->node, &p, NULL);
    int64_t inputs_dims[3] = {p.steps, p.batch, 4 * p.hidden};
    int64_t gates_dims[2] = {p.batch, 4 * p.hidden}, state_dims[2] = {p.batch, p.hidden};
    for (int64_t d = 0; d < p.directions; d++) {
        struct direction at = {.l = l, .p = &p, .d = d, .reverse = p.first_reverse || d == 1};
        at.inputs = kernel_add_buf(k, "inputs", DTYPE_F32, KBUF_LOCAL, 3, inputs_dims);
        at.gates = kernel_add_buf(k, "gates", DTYPE_F32, KBUF_LOCAL, 2, gates_dims);
        at.h = kernel_add_buf(k, "h", DTYPE_F32, KBUF_LOCAL, 2, state_dims);
        at.c = kernel_add_buf(k, "c", DTYPE_F32, KBUF_LOCAL, 2, state_dims);
        contract_inputs(&at);
        begin_state(&at);
        kval round;
        kernel_loop_begin(k, index_of(k, p.steps), 0, NULL, &round, NULL);
        contract_state(&at, round);
        update_state(&at, round);
        kernel_loop_end(k, NULL, NULL);
        end_state(&at);
    }
}
