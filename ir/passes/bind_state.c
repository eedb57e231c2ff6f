/*
 * bind_state: what the client would hand from one call to the next (recurrent state, the memory of
 * an attention) stays inside: output and input become one tensor of state.
 *
 * The pass only notes it in the graph.  Through all passes both remain what they are, an input that
 * does not change during a call and an output, so that every optimisation holds for them; where the
 * output may be written over the input is seen in the finished program (program_bind.c).
 */
#include "ir/passes/passes.h"

#include <string.h>

static size_t position(struct value *const *v, size_t n, const char *name)
{
    size_t i = 0;
    while (i < n && strcmp(v[i]->name, name) != 0)
        i++;
    return i;
}

bool pass_bind_state(struct graph *g, const struct pass_options *opt, bool *out_changed,
                     struct error *err)
{
    (void)err;
    const struct interface *in = opt->interface;
    *out_changed = false;
    for (size_t i = 0; in && i < in->n_bindings; i++) {
        struct graph_binding b = {
            .out = position(g->body.out, g->body.n_out, in->bindings[i].out),
            .in = position(g->body.in, g->body.n_in, in->bindings[i].in),
        };
        if (b.out == g->body.n_out || b.in == g->body.n_in || graph_is_bound_input(g, b.in))
            continue;
        ARENA_PUSH(g->arena, g->bindings, g->n_bindings, g->cap_bindings) = b;
        *out_changed = true;
    }
    return true;
}
