/*
 * GRU-22.  Gates in the order z, r, h:
 *   z = f(.), r = f(.), candidate = g(x Wh^T + Wbh + (r * h) Rh^T + Rbh), or with
 *   linear_before_reset g(x Wh^T + Wbh + r * (h Rh^T + Rbh));  h = (1 - z) * candidate + z * h.
 */
#include "ir/ops/recurrent.h"

enum { GATE_Z, GATE_R, GATE_H };
enum { F, G }; /* activations: of the gates, of the candidate */

static struct recurrent_spec spec_of(const struct node *n)
{
    static const char *const defaults[] = {"sigmoid", "tanh"};
    const struct gru_attrs *a = n->attrs;
    return RECURRENT_SPEC(a, 3, 2, defaults);
}

bool gru_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct recurrent_spec spec = spec_of(n);
    return recurrent_infer(n, &spec, err);
}

static kval gate(const struct recurrent_direction *at, int which, const kval *idx)
{
    return recurrent_activate(at, F, recurrent_clip(at, recurrent_gate(at, which, idx)));
}

/* reset = r * h */
static void reset_state(const struct recurrent_direction *at, int reset)
{
    struct kernel *k = at->l->kernel;
    kval idx[2];
    ops_map_begin(k, reset, idx);
    kval r = gate(at, GATE_R, idx);
    kernel_store(k, reset, idx, kernel_binary(k, KOP_MUL, r, kernel_load(k, at->h, idx)));
    ops_map_end(k, reset);
}

static void update_state(const struct recurrent_direction *at, kval round, bool linear)
{
    struct kernel *k = at->l->kernel;
    kval idx[2];
    recurrent_map_begin(at, idx);
    kval z = gate(at, GATE_Z, idx);
    kval sum = recurrent_gate(at, GATE_H, idx);
    if (linear) {
        kval column = ops_add_const(k, idx[1], GATE_H * at->p->hidden);
        kval in[3] = {recurrent_time(at, round, idx[0]), idx[0], column};
        kval x = kernel_load(k, at->inputs, in), r = gate(at, GATE_R, idx);
        sum = kernel_binary(k, KOP_ADD, x, kernel_binary(k, KOP_MUL, r, sum));
    }
    kval candidate = recurrent_activate(at, G, recurrent_clip(at, sum));
    kval rest = kernel_binary(k, KOP_SUB, kernel_const(k, at->p->type, 1), z);
    kval fresh = kernel_binary(k, KOP_MUL, rest, candidate);
    kval kept = kernel_binary(k, KOP_MUL, z, kernel_load(k, at->h, idx));
    recurrent_store(at, round, idx, kernel_binary(k, KOP_ADD, fresh, kept));
    kernel_map_end(k);
}

void gru_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct gru_attrs *a = l->node->attrs;
    struct recurrent_spec spec = spec_of(l->node);
    bool linear = a->linear_before_reset != 0;
    struct recurrent p;
    recurrent_plan(l->node, &spec, &p, NULL);
    int x = recurrent_input(l, &p);
    int64_t dims[2] = {p.batch, p.hidden};
    for (int64_t d = 0; d < p.directions; d++) {
        struct recurrent_direction at;
        kval round;
        recurrent_begin(l, &p, x, d, &at);
        recurrent_contract_inputs(&at, GATE_Z, linear ? 2 : 3, true);
        if (linear)
            recurrent_contract_inputs(&at, GATE_H, 1, false);
        int reset = linear ? -1 : kernel_add_buf(k, "reset", p.type, KBUF_LOCAL, 2, dims);
        kernel_loop_begin(k, at.steps, 0, NULL, &round, NULL);
        recurrent_contract_state(&at, round, at.h, GATE_Z, 2, false);
        if (!linear)
            reset_state(&at, reset);
        recurrent_contract_state(&at, round, linear ? at.h : reset, GATE_H, 1, linear);
        update_state(&at, round, linear);
        kernel_loop_end(k, NULL, NULL);
        recurrent_end(&at, RNN_Y_H, at.h);
    }
}
