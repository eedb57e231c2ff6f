#include "loader/quantize_error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1024 };

void quantize_errors_init(struct quantize_errors *e, struct arena *a, struct pipeline *exact,
                          struct pipeline *quantized)
{
    const struct graph *g = pipeline_graph(exact);
    *e = (struct quantize_errors){.arena = a, .graph = g, .exact = exact, .quantized = quantized};
    const char *const *names;
    size_t n = pipeline_traced(exact, &names);
    e->tensor = arena_array(a, n, sizeof *e->tensor);
    for (size_t i = 0; i < n; i++) {
        const struct value *v = graph_find_value(g, names[i]);
        struct tensor t;
        struct quant q;
        if (v && !value_is_constant(v) && pipeline_tensor(quantized, names[i], &t, &q))
            e->tensor[e->n++] = (struct tensor_error){.name = names[i], .node = v->producer};
    }
}

/* ---- sums ---- */

/* Elements at .. at + n of the tensor as numbers. */
static void read_chunk(const struct tensor *t, const struct quant *q, int64_t at, int64_t n,
                       double *out)
{
    switch (t->dtype) {
    case DTYPE_F32:
        for (int64_t i = 0; i < n; i++)
            out[i] = (double)((const float *)t->data)[at + i];
        break;
    case DTYPE_U8:
        for (int64_t i = 0; i < n; i++)
            out[i] = (double)((const uint8_t *)t->data)[at + i];
        break;
    case DTYPE_I8:
        for (int64_t i = 0; i < n; i++)
            out[i] = (double)((const int8_t *)t->data)[at + i];
        break;
    default:
        for (int64_t i = 0; i < n; i++)
            out[i] = tensor_get(t, at + i);
        break;
    }
    if (q->scale != 0)
        for (int64_t i = 0; i < n; i++)
            out[i] = (out[i] - q->zero_point) * (double)q->scale;
}

static void add_tensor(struct tensor_error *to, const struct tensor *x, const struct quant *xq,
                       const struct tensor *y, const struct quant *yq)
{
    double a[CHUNK], b[CHUNK];
    int64_t n = tensor_elems(x);
    for (int64_t at = 0; at < n; at += CHUNK) {
        int64_t some = n - at < CHUNK ? n - at : CHUNK;
        read_chunk(x, xq, at, some, a);
        read_chunk(y, yq, at, some, b);
        for (int64_t i = 0; i < some; i++) {
            to->signal += a[i] * a[i];
            to->noise += (a[i] - b[i]) * (a[i] - b[i]);
        }
    }
}

void quantize_errors_add(struct quantize_errors *e)
{
    for (size_t i = 0; i < e->n; i++) {
        struct tensor x, y;
        struct quant xq, yq;
        if (!pipeline_tensor(e->exact, e->tensor[i].name, &x, &xq) ||
            !pipeline_tensor(e->quantized, e->tensor[i].name, &y, &yq))
            continue; /* in a branch that was not taken */
        if (tensor_elems(&x) == tensor_elems(&y))
            add_tensor(&e->tensor[i], &x, &xq, &y, &yq);
        else
            e->tensor[i].noise = INFINITY; /* a shape that depends on values came out otherwise */
    }
    e->n_samples++;
}

double quantize_error_ratio(const struct tensor_error *t)
{
    if (t->noise == 0)
        return 0;
    return t->signal > 0 ? t->noise / t->signal : INFINITY;
}

double quantize_error_db(double ratio)
{
    return ratio > 0 ? -10 * log10(ratio) : INFINITY;
}

/* ---- blame ---- */

/* Of the float graph. */
struct ground {
    struct arena arena;
    double *ratio; /* per value: of the noisiest that it is computed from, its own where listed */
    bool *listed;  /* per value */
};

static double noisiest_input(const struct ground *g, const struct node *n)
{
    double most = 0;
    for (size_t i = 0; i < n->n_in; i++)
        if (n->in[i])
            most = fmax(most, g->ratio[n->in[i]->id]);
    return most;
}

/* Nodes stand in topological order.  What comes out of a branch has the noise of what goes in. */
static void pass_on(struct ground *g, const struct block *b)
{
    for (size_t i = 0; i < b->n_nodes; i++) {
        const struct node *n = b->nodes[i];
        double ratio = noisiest_input(g, n);
        for (size_t k = 0; k < n->n_out; k++)
            if (n->out[k] && !g->listed[n->out[k]->id])
                g->ratio[n->out[k]->id] = ratio;
        for (size_t k = 0; k < n->n_blocks; k++)
            pass_on(g, n->blocks[k]);
    }
}

static void survey(const struct quantize_errors *e, struct ground *out)
{
    const struct graph *g = e->graph;
    arena_init(&out->arena);
    out->ratio = arena_array(&out->arena, g->n_values, sizeof *out->ratio);
    out->listed = arena_array(&out->arena, g->n_values, sizeof *out->listed);
    for (size_t i = 0; i < e->n; i++) {
        uint32_t id = graph_find_value(g, e->tensor[i].name)->id;
        out->listed[id] = true;
        out->ratio[id] = quantize_error_ratio(&e->tensor[i]);
    }
    pass_on(out, &g->body);
}

void quantize_errors_blame(struct quantize_errors *e)
{
    struct ground ground;
    survey(e, &ground);
    for (size_t i = 0; i < e->n; i++) {
        struct tensor_error *t = &e->tensor[i];
        double ratio = quantize_error_ratio(t);
        double before = t->node ? noisiest_input(&ground, t->node) : 0;
        t->own = ratio > before ? isinf(ratio) ? ratio : ratio - before : 0;
    }
    arena_done(&ground.arena);
}

void quantize_errors_nodes(const struct quantize_errors *e, const struct tensor_error *t,
                           void (*fn)(const struct node *n, void *arg), void *arg)
{
    struct ground ground;
    survey(e, &ground);
    const struct node **todo = NULL;
    size_t n = 0, cap = 0;
    if (t->node)
        ARENA_PUSH(&ground.arena, todo, n, cap) = t->node;
    while (n) {
        const struct node *node = todo[--n];
        fn(node, arg);
        for (size_t i = 0; i < node->n_in; i++) {
            const struct value *in = node->in[i];
            if (!in || !in->producer || ground.listed[in->id])
                continue;
            ground.listed[in->id] = true; /* once is enough */
            ARENA_PUSH(&ground.arena, todo, n, cap) = in->producer;
        }
    }
    arena_done(&ground.arena);
}
