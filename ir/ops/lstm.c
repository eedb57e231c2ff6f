/* LSTM-22.  Gates in the order i, o, f, c. */
#include "ir/ops/recurrent.h"

enum { F, G, H }; /* activations: of the gates, of the cell's input, of its output */

static struct recurrent_spec spec_of(const struct node *n)
{
    static const char *const defaults[] = {"sigmoid", "tanh", "tanh"};
    const struct lstm_attrs *a = n->attrs;
    return RECURRENT_SPEC(a, 4, 3, defaults);
}

bool lstm_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct recurrent_spec spec = spec_of(n);
    return recurrent_infer(n, &spec, err);
}

/* Gate `gate` of element idx before its activation; `peep`: position of its weights in P, or
   negative, and the state they weigh. */
static kval gate_sum(const struct recurrent_direction *at, int gate, const kval *idx, int peep,
                     kval state)
{
    struct kernel *k = at->l->kernel;
    kval v = recurrent_gate(at, gate, idx);
    if (peep >= 0 && ops_has_input(at->l->node, RNN_P)) {
        kval i = ops_add_const(k, idx[1], peep * at->p->hidden);
        kval w = recurrent_parameter(at, RNN_P, i);
        v = kernel_binary(k, KOP_ADD, v, kernel_binary(k, KOP_MUL, w, state));
    }
    return recurrent_clip(at, v);
}

static void update_state(const struct recurrent_direction *at, kval round, int cell)
{
    struct kernel *k = at->l->kernel;
    const struct lstm_attrs *a = at->l->node->attrs;
    kval idx[2];
    recurrent_map_begin(at, idx);
    kval old_c = kernel_load(k, cell, idx);
    kval i = recurrent_activate(at, F, gate_sum(at, 0, idx, 0, old_c));
    kval f = a->input_forget ? kernel_binary(k, KOP_SUB, kernel_const(k, at->p->type, 1), i)
                             : recurrent_activate(at, F, gate_sum(at, 2, idx, 2, old_c));
    kval g = recurrent_activate(at, G, gate_sum(at, 3, idx, -1, 0));
    kval added = kernel_binary(k, KOP_MUL, i, g);
    kval c = kernel_binary(k, KOP_ADD, kernel_binary(k, KOP_MUL, f, old_c), added);
    kval o = recurrent_activate(at, F, gate_sum(at, 1, idx, 1, c));
    kval h = kernel_binary(k, KOP_MUL, o, recurrent_activate(at, H, c));
    kval active = recurrent_active(at, round, idx[0]);
    if (active)
        c = kernel_select(k, active, c, old_c);
    kernel_store(k, cell, idx, c);
    recurrent_store(at, round, idx, h);
    kernel_map_end(k);
}

void lstm_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    struct recurrent_spec spec = spec_of(l->node);
    struct recurrent p;
    recurrent_plan(l->node, &spec, &p, NULL);
    int x = recurrent_input(l, &p);
    for (int64_t d = 0; d < p.directions; d++) {
        struct recurrent_direction at;
        recurrent_begin(l, &p, x, d, &at);
        int cell = recurrent_state(&at, "c", RNN_INIT_C);
        recurrent_contract_inputs(&at, 0, 4, true);
        kval round;
        kernel_loop_begin(k, at.steps, 0, NULL, &round, NULL);
        recurrent_contract_state(&at, round, at.h, 0, 4, false);
        update_state(&at, round, cell);
        kernel_loop_end(k, NULL, NULL);
        recurrent_end(&at, RNN_Y_H, at.h);
        recurrent_end(&at, RNN_Y_C, cell);
    }
}
