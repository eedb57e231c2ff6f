/*
 * Topological order of a graph's nodes.  The standard demands it of files, but some writers do not
 * keep to it.
 *
 * Depth-first search from each node in file order, producers before consumers: a list in order
 * stays as it is.  The stack is explicit, because a chain may be as long as the model.  What a
 * node's inner graphs take from outside counts as its input.
 */
#include <string.h>

#include "loader/import/onnx/onnx.h"

enum { WHITE, GRAY, BLACK };

struct dep_list {
    size_t *at;
    size_t n, cap;
};

struct order {
    struct onnx *o;
    const Onnx__GraphProto *graph;
    struct name_map producer; /* of a name: 1 + the node's position, as a pointer */
    struct dep_list *deps;
    uint8_t *color;
    size_t *stack, *next; /* nodes being visited, and the next of their dependencies */
    const Onnx__NodeProto **sorted;
    size_t n_sorted;
};

static void add_deps(struct order *s, size_t node, const Onnx__NodeProto *p)
{
    struct dep_list *list = &s->deps[node];
    for (size_t i = 0; i < p->n_input; i++) {
        size_t at = (size_t)(uintptr_t)name_map_get(&s->producer, p->input[i]);
        if (at)
            ARENA_PUSH(s->o->im.arena, list->at, list->n, list->cap) = at - 1;
    }
}

/* Names that inner graphs use; one that they define themselves under the name of an outer node only
   makes the order stricter, unless it is the node's own. */
static void add_inner_deps(struct order *s, size_t node, const Onnx__NodeProto *p)
{
    for (size_t i = 0; i < p->n_attribute; i++) {
        const Onnx__GraphProto *g = p->attribute[i]->g;
        for (size_t j = 0; g && j < g->n_node; j++) {
            add_deps(s, node, g->node[j]);
            add_inner_deps(s, node, g->node[j]);
        }
        for (size_t j = 0; g && j < g->n_output; j++) {
            size_t at = g->output[j]->name
                            ? (size_t)(uintptr_t)name_map_get(&s->producer, g->output[j]->name)
                            : 0;
            if (at)
                ARENA_PUSH(s->o->im.arena, s->deps[node].at, s->deps[node].n, s->deps[node].cap) =
                    at - 1;
        }
    }
}

static bool visit(struct order *s, size_t root)
{
    size_t depth = 0;
    s->stack[depth] = root;
    s->next[depth++] = 0;
    s->color[root] = GRAY;
    while (depth) {
        size_t node = s->stack[depth - 1];
        struct dep_list *list = &s->deps[node];
        if (s->next[depth - 1] == list->n) {
            s->color[node] = BLACK;
            s->sorted[s->n_sorted++] = s->graph->node[node];
            depth--;
            continue;
        }
        size_t dep = list->at[s->next[depth - 1]++];
        if (s->color[dep] == WHITE) {
            s->color[dep] = GRAY;
            s->stack[depth] = dep;
            s->next[depth++] = 0;
        } else if (s->color[dep] == GRAY && dep != node) {
            const Onnx__NodeProto *p = s->graph->node[dep];
            return import_error(&s->o->im, SHEAF_ERROR_FORMAT,
                                "node '%s' (%s) depends on its own output",
                                p->name && *p->name ? p->name : p->output[0], p->op_type);
        }
    }
    return true;
}

bool onnx_order(struct onnx *o, const Onnx__GraphProto *p, const Onnx__NodeProto ***out_nodes)
{
    struct order s = {.o = o, .graph = p};
    struct arena *a = o->im.arena;
    s.deps = arena_array(a, p->n_node, sizeof *s.deps);
    s.color = arena_array(a, p->n_node, sizeof *s.color);
    s.stack = arena_array(a, p->n_node, sizeof *s.stack);
    s.next = arena_array(a, p->n_node, sizeof *s.next);
    s.sorted = arena_array(a, p->n_node, sizeof *s.sorted);
    for (size_t i = 0; i < p->n_node; i++)
        for (size_t j = 0; j < p->node[i]->n_output; j++)
            if (*p->node[i]->output[j])
                name_map_put(&s.producer, a, p->node[i]->output[j], (void *)(uintptr_t)(i + 1));
    for (size_t i = 0; i < p->n_node; i++) {
        add_deps(&s, i, p->node[i]);
        add_inner_deps(&s, i, p->node[i]);
    }
    for (size_t i = 0; i < p->n_node; i++)
        if (s.color[i] == WHITE && !visit(&s, i))
            return false;
    *out_nodes = s.sorted;
    return true;
}
