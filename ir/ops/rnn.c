/* RNN-22: h = f(x W^T + h R^T + Wb + Rb). */
#include "ir/ops/recurrent.h"

static struct recurrent_spec spec_of(const struct node *n)
{
    static const char *const defaults[] = {"tanh"};
    const struct rnn_attrs *a = n->attrs;
    return RECURRENT_SPEC(a, 1, 1, defaults);
}

bool rnn_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct recurrent_spec spec = spec_of(n);
    return recurrent_infer(n, &spec, err);
}

void rnn_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    struct recurrent_spec spec = spec_of(l->node);
    struct recurrent p;
    recurrent_plan(l->node, &spec, &p, NULL);
    int x = recurrent_input(l, &p);
    for (int64_t d = 0; d < p.directions; d++) {
        struct recurrent_direction at;
        kval round, idx[2];
        recurrent_begin(l, &p, x, d, &at);
        recurrent_contract_inputs(&at, 0, 1, true);
        kernel_loop_begin(k, at.steps, 0, NULL, &round, NULL);
        recurrent_contract_state(&at, round, at.h, 0, 1, false);
        recurrent_map_begin(&at, idx);
        kval sum = recurrent_clip(&at, recurrent_gate(&at, 0, idx));
        recurrent_store(&at, round, idx, recurrent_activate(&at, 0, sum));
        kernel_map_end(k);
        kernel_loop_end(k, NULL, NULL);
        recurrent_end(&at, RNN_Y_H, at.h);
    }
}
