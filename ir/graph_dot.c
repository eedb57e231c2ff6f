/*
 * The graph as a drawing for Graphviz's dot: a box per node, an edge per value with its type and
 * shape; constants are left out; a region is a dashed frame, an inner block a solid one.  A node is
 * called by the number of its first output, so that the text depends on the graph alone.
 */
#include "ir/graph.h"

static void dot_escaped(struct strbuf *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            strbuf_add(out, "\\");
        strbuf_addn(out, (unsigned char)*s < 0x20 ? " " : s, 1);
    }
}

/* The number of a node's first output; UINT32_MAX where it has none, and then it is not drawn. */
static uint32_t dot_number(const struct node *n)
{
    for (size_t i = 0; i < n->n_out; i++)
        if (n->out[i])
            return n->out[i]->id;
    return UINT32_MAX;
}

/* From the node or the value itself, where nothing produces it. */
static void dot_edge(struct strbuf *out, const struct value *v, const char *to_kind, uint32_t to)
{
    if (!v || value_is_constant(v))
        return;
    bool drawn = v->producer && dot_number(v->producer) != UINT32_MAX;
    strbuf_printf(out, "%s%u -> %s%u [label=\"", drawn ? "n" : "v",
                  (unsigned)(drawn ? dot_number(v->producer) : v->id), to_kind, (unsigned)to);
    dot_escaped(out, v->name);
    if (v->dtype != DTYPE_NONE)
        strbuf_printf(out, "\\n%s %s", dtype_name(v->dtype), shape_print(&v->shape, out->arena));
    if (!layout_is_plain(&v->layout))
        strbuf_printf(out, " %s", layout_print(&v->layout, out->arena));
    strbuf_add(out, "\"];\n");
}

static void dot_ellipse(struct strbuf *out, const char *kind, const struct value *v)
{
    strbuf_printf(out, "%s%u [shape=ellipse,label=\"", kind, (unsigned)v->id);
    dot_escaped(out, v->name);
    strbuf_add(out, "\"];\n");
}

static void dot_block(struct strbuf *out, const struct block *b);

static void dot_node(struct strbuf *out, const struct node *n)
{
    uint32_t number = dot_number(n);
    if (number == UINT32_MAX)
        return;
    strbuf_printf(out, "n%u [label=\"%s\\n", (unsigned)number, op_desc(n->op)->id);
    dot_escaped(out, n->name ? n->name : "");
    strbuf_add(out, n->on_host ? "\\non the host\"];\n" : "\"];\n");
    for (size_t i = 0; i < n->n_in; i++)
        dot_edge(out, n->in[i], "n", number);
    for (size_t i = 0; i < n->n_blocks; i++) {
        strbuf_printf(out, "subgraph cluster_n%u_%zu {\nlabel=\"block %zu\";\n", (unsigned)number,
                      i, i);
        dot_block(out, n->blocks[i]);
        strbuf_add(out, "}\n");
    }
}

static void dot_block(struct strbuf *out, const struct block *b)
{
    for (size_t i = 0; i < b->n_in; i++)
        dot_ellipse(out, "v", b->in[i]);
    uint32_t region = 0;
    for (size_t i = 0; i < b->n_nodes; i++) {
        if (region && b->nodes[i]->region != region)
            strbuf_add(out, "}\n");
        if (b->nodes[i]->region && b->nodes[i]->region != region)
            strbuf_printf(out, "subgraph cluster_r%u {\nstyle=dashed;\n",
                          (unsigned)b->nodes[i]->region);
        region = b->nodes[i]->region;
        dot_node(out, b->nodes[i]);
    }
    strbuf_add(out, region ? "}\n" : "");
    /* An output is drawn apart from the value: one value may leave several blocks. */
    for (size_t i = 0; i < b->n_out; i++) {
        dot_ellipse(out, "o", b->out[i]);
        dot_edge(out, b->out[i], "o", b->out[i]->id);
    }
}

void graph_print_dot(const struct graph *g, struct strbuf *out)
{
    strbuf_add(out, "digraph \"");
    dot_escaped(out, g->name);
    strbuf_add(out, "\" {\nnode [shape=box];\n");
    for (size_t i = 0; i < g->n_values; i++)
        if (g->values[i]->role == VALUE_STATE)
            dot_ellipse(out, "v", g->values[i]);
    dot_block(out, &g->body);
    strbuf_add(out, "}\n");
}
