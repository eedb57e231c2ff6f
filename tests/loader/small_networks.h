/*
 * small_networks.h: for tests of bundles that run on a device: small networks with state, branches,
 * loops and steps for the host.
 */
#ifndef SHEAF_TESTS_LOADER_SMALL_NETWORKS_H
#define SHEAF_TESTS_LOADER_SMALL_NETWORKS_H

#include "tests/loader/bundle_run.h"

enum { CHAIN_ELEMENTS = 16, CHAIN_BYTES = CHAIN_ELEMENTS * sizeof(float) };

/* next = x + sum, with -bind=next=sum, and y = -next. */
static inline void write_state_net(struct arena *a)
{
    struct onnx_model m;
    onnx_begin(&m, a, 13);
    onnx_input(&m.graph, "sum", ONNX_F32, "4");
    onnx_input(&m.graph, "x", ONNX_F32, "4");
    onnx_node(&m.graph, "Add", "x,sum", "next", "");
    onnx_node(&m.graph, "Neg", "next", "y", "");
    onnx_output(&m.graph, "next", ONNX_F32, "4");
    onnx_output(&m.graph, "y", ONNX_F32, "4");
    finish_net(&m, "state.onnx");
}

static inline struct strbuf branch_of(struct arena *a, const char *op)
{
    struct strbuf g;
    strbuf_init(&g, a);
    pb_string(&g, 2, "branch");
    onnx_node(&g, op, "x", "inner", "");
    onnx_output(&g, "inner", ONNX_F32, NULL);
    return g;
}

/* y = 1 + (c ? -x : |x|) */
static inline void write_branch_net(struct arena *a)
{
    struct onnx_model m;
    struct strbuf node, yes = branch_of(a, "Neg"), no = branch_of(a, "Abs");
    onnx_begin(&m, a, 13);
    onnx_input(&m.graph, "c", ONNX_BOOL, "");
    onnx_input(&m.graph, "x", ONNX_F32, "4");
    onnx_ints(&m.graph, "i", "1", "1");
    onnx_node(&m.graph, "Cast", "i", "one", "to=1");
    onnx_node_begin(&node, a, "If", "c", "chosen", "");
    onnx_graph_attr(&node, "then_branch", &yes);
    onnx_graph_attr(&node, "else_branch", &no);
    pb_sub(&m.graph, 1, &node);
    onnx_node(&m.graph, "Add", "chosen,one", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "4");
    finish_net(&m, "branch.onnx");
}

/*
 * y = x, then y = y + x + i for i = 0, 1, ..: `trip` times, where that is a name or a number, and
 * while their sum is below `limit`, where there is one.
 */
static inline void write_loop_net(struct arena *a, const char *file, const char *trip, bool limited)
{
    struct onnx_model m;
    struct strbuf node, body, first;
    bool is_input = trip && trip[0] > '9';
    strbuf_init(&body, a);
    pb_string(&body, 2, "body");
    onnx_node(&body, "Cast", "i", "f", "to=1");
    onnx_node(&body, "Add", "v,x", "s", "");
    onnx_node(&body, "Add", "s,f", "w", "");
    if (limited) {
        onnx_node(&body, "ReduceSum", "w", "top", "keepdims=0");
        onnx_node(&body, "Less", "top,limit", "go", "");
    } else {
        onnx_node(&body, "Identity", "on", "go", "");
    }
    onnx_input(&body, "i", ONNX_I64, "");
    onnx_input(&body, "on", ONNX_BOOL, "");
    onnx_input(&body, "v", ONNX_F32, "4");
    onnx_output(&body, "go", ONNX_BOOL, "");
    onnx_output(&body, "w", ONNX_F32, "4");
    onnx_begin(&m, a, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "4");
    if (is_input)
        onnx_input(&m.graph, trip, ONNX_I64, "");
    else if (trip)
        onnx_ints(&m.graph, "trip", "", trip);
    if (limited)
        onnx_input(&m.graph, "limit", ONNX_F32, "");
    onnx_node(&m.graph, "Neg", "x", "start", "");
    if (limited) {
        onnx_tensor_begin(&first, a, "first", ONNX_BOOL, "");
        pb_bytes(&first, 9, "\1", 1);
        pb_sub(&m.graph, 5, &first);
    }
    onnx_node_begin(&node, a, "Loop",
                    arena_printf(a, "%s,%s,start",
                                 is_input ? trip
                                 : trip   ? "trip"
                                          : "",
                                 limited ? "first" : ""),
                    "end", "");
    onnx_graph_attr(&node, "body", &body);
    pb_sub(&m.graph, 1, &node);
    onnx_node(&m.graph, "Neg", "end", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "4");
    finish_net(&m, file);
}

/* y = -((-x w) x), of whole numbers where x is. */
static inline void write_chain_net(struct arena *a)
{
    struct onnx_model m;
    onnx_begin(&m, a, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "4,4");
    put_weights(&m.graph, "w", "4,4", CHAIN_ELEMENTS, 1);
    onnx_node(&m.graph, "Neg", "x", "n", "");
    onnx_node(&m.graph, "MatMul", "n,w", "a", "");
    onnx_node(&m.graph, "MatMul", "a,x", "b", "");
    onnx_node(&m.graph, "Neg", "b", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "4,4");
    finish_net(&m, "chain.onnx");
}

/* y = -x, of n items, which the caller chooses, with -onnx-define-symbol='n<=5'. */
static inline void write_items_net(struct arena *a)
{
    struct onnx_model m;
    onnx_begin(&m, a, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "n,4");
    onnx_node(&m.graph, "Neg", "x", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "n,4");
    finish_net(&m, "items.onnx");
}

static inline void write_all_nets(void)
{
    struct arena a;
    arena_init(&a);
    write_net("net.onnx", "2", 2);
    write_state_net(&a);
    write_branch_net(&a);
    write_loop_net(&a, "counted.onnx", "n", false);
    write_loop_net(&a, "fixed.onnx", "3", false);
    write_loop_net(&a, "never.onnx", "-2", false);
    write_loop_net(&a, "lengthy.onnx", "5000", false);
    write_loop_net(&a, "until.onnx", "n", true);
    write_loop_net(&a, "ever.onnx", NULL, true);
    write_chain_net(&a);
    write_items_net(&a);
    arena_done(&a);
}

#endif
