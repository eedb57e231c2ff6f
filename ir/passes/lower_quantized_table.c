/*
 * What is computed element by element from one quantized tensor of 8 or 16 bits, and quantized
 * again, is a table of 2^bits entries: x * sigmoid(x), erf, exp and any chain of them, further
 * quantizations in between included.
 *
 * The nodes are found backwards from the QuantizeLinear: the value that is computed last is
 * replaced by what it is computed from, until a single tensor is left.  Where several tensors could
 * be it, the earliest is taken up to one that others use too, which exists anyway.  The table is
 * what the reference evaluator makes of these very nodes for every value of the type, so that it is
 * exact in the sense of both modes.
 *
 * A table of a 16-bit type has 128 KiB.  It is made nevertheless: else nothing but float arithmetic
 * remains for such tensors.
 */
#include <assert.h>
#include <string.h>

#include "ir/ops/common.h"
#include "ir/passes/evaluate.h"
#include "ir/passes/lower_quantized.h"
#include "ir/passes/rewrite.h"

enum { MAX_NODES = 32 };

struct cluster {
    struct node *node[MAX_NODES]; /* last first */
    size_t n;
};

static bool in_cluster(const struct cluster *c, const struct node *n)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->node[i] == n)
            return true;
    return false;
}

static bool is_pointwise(const struct node *n)
{
    return form_is_pointwise(n) && !rewrite_reads_state(n);
}

/* The value that the cluster needs and that is computed last; NULL where it needs none.  *out_one
   tells that it is the only one. */
static struct value *last_needed(const struct lowering *l, const struct cluster *c, bool *out_one)
{
    struct value *last = NULL;
    size_t at = 0;
    *out_one = true;
    for (size_t i = 0; i < c->n; i++)
        for (size_t j = 0; j < c->node[i]->n_in; j++) {
            struct value *v = c->node[i]->in[j];
            if (!v || v == last || value_is_constant(v) || in_cluster(c, v->producer))
                continue;
            size_t p = lq_position(l, v) + 1; /* 0: not of these nodes */
            *out_one &= !last;
            if (!last || p > at) {
                last = v;
                at = p;
            }
        }
    return last;
}

static bool is_used_outside(const struct cluster *c, const struct value *v)
{
    uint32_t inside = 0;
    for (size_t i = 0; i < c->n; i++)
        for (size_t j = 0; j < c->node[i]->n_in; j++)
            inside += c->node[i]->in[j] == v;
    return inside < v->n_uses;
}

/* The tensor that the cluster is a function of; c->n is cut to the nodes between. */
static struct value *find_source(const struct lowering *l, struct cluster *c)
{
    struct value *source = NULL;
    size_t n_of_source = 0;
    while (is_pointwise(c->node[c->n - 1])) {
        bool one;
        struct value *v = last_needed(l, c, &one);
        if (!v)
            break;
        if (one && lq_is_narrow(v->dtype)) {
            source = v;
            n_of_source = c->n;
            if (is_used_outside(c, v))
                break;
        }
        if (lq_position(l, v) == SIZE_MAX || c->n == MAX_NODES)
            break;
        c->node[c->n++] = v->producer;
    }
    c->n = n_of_source;
    return source;
}

/* Every value of the type, at the index that its bits are. */
static struct tensor *all_values(struct arena *a, enum dtype t)
{
    int64_t n = (int64_t)1 << dtype_bits(t), max = dtype_int_max(t);
    struct tensor *r = tensor_new(a, t, 1, &n);
    for (int64_t i = 0; i < n; i++)
        tensor_set_int(r, i, i > max ? i - n : i);
    return r;
}

/* Runs the cluster's nodes on constants. */
static const struct tensor *evaluate(struct lowering *l, const struct cluster *c,
                                     const struct value *source)
{
    struct arena *a = &l->scratch;
    struct graph *g = graph_create(a, "table");
    const struct value *from[MAX_NODES + 1] = {source};
    struct value *to[MAX_NODES + 1] = {graph_add_constant(g, NULL, all_values(a, source->dtype))};
    const struct tensor *result = NULL;
    for (size_t i = c->n; i-- > 0;) {
        const struct node *n = c->node[i];
        size_t done = c->n - i;
        struct node *copy = graph_add_node(g, &g->body, n->op, n->name, n->n_in, 1);
        copy->attrs = n->attrs;
        for (size_t j = 0; j < n->n_in; j++) {
            copy->in[j] = n->in[j];
            for (size_t k = 0; k < done; k++)
                if (n->in[j] && n->in[j] == from[k])
                    copy->in[j] = to[k];
        }
        graph_node_output(g, copy, 0, NULL);
        struct error fault;
        error_init(&fault);
        if (!graph_infer_node(g, copy, &fault) || !evaluate_node(a, copy, &result))
            return NULL;
        from[done] = n->out[0];
        to[done] = graph_add_constant(g, NULL, result);
    }
    return result;
}

bool lq_lower_table(struct lowering *l, struct node *q)
{
    struct quant to;
    struct cluster c = {{q}, 1};
    if (q->op != OP_quantize_linear || !lq_target(q, &to))
        return false;
    struct value *source = find_source(l, &c);
    if (!source || !shape_equal(&source->shape, &q->out[0]->shape))
        return false;
    const struct tensor *result = evaluate(l, &c, source);
    int64_t n = (int64_t)1 << dtype_bits(source->dtype);
    if (!result || tensor_elems(result) != n)
        return false;
    struct tensor *table = tensor_new(l->g->arena, result->dtype, 1, &n);
    memcpy(tensor_data(table), result->data, (size_t)tensor_bytes(result));
    struct value *in[2] = {source, lq_constant(l, lq_name(l, q->out[0], "table"), table)};
    lq_become(l, q, OP_lookup, 2, in);
    q->name = q->out[0]->name;
    lq_became(l, q);
    lq_set_quant(l, q->out[0], &to);
    return true;
}
