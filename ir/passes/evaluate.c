/*
 * The node is lowered in a graph of its own, in which its inputs and outputs are the only values,
 * so that the cost does not grow with the model.
 */
#include "ir/passes/evaluate.h"

#include "ir/eval.h"
#include "ir/program.h"

/* Same bytes under another shape. */
static const struct tensor *view_of(struct arena *a, const struct node *n)
{
    struct tensor *t = arena_new(a, struct tensor);
    const struct value *v = n->out[0];
    *t = *n->in[0]->constant;
    t->rank = v->shape.rank;
    for (int d = 0; d < t->rank; d++)
        t->dims[d] = v->shape.dims[d];
    return t;
}

static struct value *copy_input(struct graph *g, const struct value *v)
{
    if (value_is_constant(v))
        return graph_add_constant(g, NULL, v->constant);
    return graph_add_input(g, NULL, v->dtype, v->shape.rank, v->shape.dims);
}

/* The node alone, every output used; values keep no names. */
static struct node *copy_node(struct graph *g, const struct node *n)
{
    struct node *copy = graph_add_node(g, &g->body, n->op, n->name, n->n_in, n->n_out);
    copy->attrs = n->attrs;
    for (size_t i = 0; i < n->n_in; i++)
        if (n->in[i])
            copy->in[i] = copy_input(g, n->in[i]);
    for (size_t i = 0; i < n->n_out; i++)
        if (n->out[i])
            block_add_output(g, &g->body, graph_node_output(g, copy, i, NULL));
    return copy;
}

static size_t output_index(const struct node *n, const struct value *v)
{
    size_t i = 0;
    while (i < n->n_out && n->out[i] != v)
        i++;
    return i;
}

/* Runs the copy's kernel; result[i] is output i in the storage of its bounds. */
static bool run(struct arena *a, struct graph *g, struct node *n, struct tensor **result)
{
    const struct value **value_of;
    struct kernel *k = program_lower_region(g->arena, g, &n, 1, &value_of);
    void **data = arena_array(g->arena, k->n_bufs, sizeof *data);
    for (size_t i = 0; i < k->n_bufs; i++) {
        const struct value *v = value_of[i];
        const struct tensor *c = v ? v->constant : k->bufs[i].constant;
        size_t out = v ? output_index(n, v) : n->n_out;
        int64_t bytes;
        if (c && layout_is_plain(&k->bufs[i].layout)) {
            data[i] = (void *)(uintptr_t)c->data;
        } else if (c) {
            data[i] = tensor_pack(g->arena, c, &k->bufs[i].layout, &bytes);
        } else if (out < n->n_out) {
            result[out] = tensor_new(a, v->dtype, v->shape.rank, v->shape.dims);
            data[i] = tensor_data(result[out]);
        } else if (v) {
            return false;
        }
    }
    eval_kernel(k, data, g->arena, &(struct eval_options){.blas = false});
    return true;
}

/* Bounds become true extents: the data is dense at those. */
static void settle_extents(const struct node *n, struct tensor *const *result)
{
    for (size_t i = 0; i < n->n_out; i++) {
        if (!n->out[i] || !result[i])
            continue;
        const struct shape *s = &n->out[i]->shape;
        for (int d = 0; d < s->rank; d++)
            if (s->extent[d])
                result[i]->dims[d] = tensor_get_int(result[output_index(n, s->extent[d])], 0);
    }
}

bool evaluate_node(struct arena *a, const struct node *n, const struct tensor **out_result)
{
    if ((op_desc(n->op)->flags & OP_VIEW) && n->n_out == 1 && n->in[0]->constant) {
        out_result[0] = view_of(a, n);
        return true;
    }
    if (op_desc(n->op)->flags & OP_EXTERN)
        return false;
    struct arena scratch;
    struct error err;
    arena_init(&scratch);
    error_init(&err);
    struct graph *g = graph_create(&scratch, "evaluate");
    struct node *copy = copy_node(g, n);
    struct tensor **result = arena_array(&scratch, n->n_out + 1, sizeof(struct tensor *));
    bool ok = graph_infer_node(g, copy, &err) && copy->n_out == n->n_out;
    ok = ok && run(a, g, copy, result);
    if (ok) {
        settle_extents(copy, result);
        for (size_t i = 0; i < n->n_out; i++)
            out_result[i] = result[i];
    }
    arena_done(&scratch);
    return ok;
}
