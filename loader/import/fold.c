/*
 * Computes what the import itself needs to know: the shape arithmetic of models (Shape, Gather,
 * Concat, ... into Reshape), and views of constants.  Anything large is left to the pass that folds
 * constants; here only what a later node may need as a constant for its own inference.
 *
 * A node is evaluated in a graph of its own, in which its inputs are the only values, so that the
 * cost does not grow with the model.
 */
#include <string.h>

#include "ir/eval.h"
#include "loader/import/build.h"

enum { FOLD_MAX_IN_ELEMS = 1 << 16, FOLD_MAX_OUT_ELEMS = 1 << 12 };

static void become_constant(struct value *v, const struct tensor *t)
{
    v->role = VALUE_CONST;
    v->producer = NULL;
    v->constant = t;
}

/* The extents of a static shape, whatever the values. */
static const struct tensor *fold_shape(struct importer *im, const struct node *n)
{
    const struct shape_attrs *a = n->attrs;
    const struct shape *s = &n->in[0]->shape;
    int64_t start = a->start < 0 ? a->start + s->rank : a->start;
    if (!shape_is_static(s))
        return NULL;
    start = start < 0 ? 0 : start > s->rank ? s->rank : start;
    return tensor_from_ints(im->arena, s->dims + start, n->out[0]->shape.dims[0]);
}

static const struct tensor *fold_view(struct importer *im, const struct node *n)
{
    const struct value *v = n->out[0];
    struct tensor *t = arena_new(im->arena, struct tensor);
    t->dtype = v->dtype;
    t->rank = v->shape.rank;
    memcpy(t->dims, v->shape.dims, sizeof t->dims);
    t->data = n->in[0]->constant->data;
    return t;
}

static bool fold_is_cheap(const struct node *n)
{
    int64_t in = 0, out = 0;
    for (size_t i = 0; i < n->n_in; i++)
        in += n->in[i] ? shape_elems(&n->in[i]->shape) : 0;
    for (size_t i = 0; i < n->n_out; i++)
        out += n->out[i] ? shape_elems(&n->out[i]->shape) : 0;
    return in <= FOLD_MAX_IN_ELEMS && out <= FOLD_MAX_OUT_ELEMS;
}

/* The node alone in a graph, with its constant inputs; results[i] for each present output. */
static bool fold_evaluate(struct importer *im, const struct node *n, struct tensor **results)
{
    struct arena scratch;
    struct error ignored;
    arena_init(&scratch);
    error_init(&ignored);
    struct graph *g = graph_create(&scratch, "fold");
    struct node *copy = graph_add_node(g, &g->body, n->op, n->name, n->n_in, n->n_out);
    copy->attrs = n->attrs;
    for (size_t i = 0; i < n->n_in; i++)
        if (n->in[i])
            copy->in[i] = graph_add_constant(g, NULL, n->in[i]->constant);
    for (size_t i = 0; i < n->n_out; i++)
        if (n->out[i])
            block_add_output(g, &g->body, graph_node_output(g, copy, i, NULL));
    bool ok = graph_infer_node(g, copy, &ignored) && copy->n_out == n->n_out;
    if (ok) {
        const struct value **value_of;
        struct kernel *k = program_lower_region(&scratch, g, g->body.nodes, 1, &value_of);
        void **data = arena_array(&scratch, k->n_bufs, sizeof *data);
        for (size_t i = 0; i < n->n_out; i++)
            if (n->out[i])
                results[i] = tensor_new(im->arena, n->out[i]->dtype, n->out[i]->shape.rank,
                                        n->out[i]->shape.dims);
        for (size_t b = 0; b < k->n_bufs; b++) {
            if (value_of[b] && value_of[b]->role == VALUE_CONST)
                data[b] = (void *)(uintptr_t)value_of[b]->constant->data;
            for (size_t i = 0; i < n->n_out; i++)
                if (copy->out[i] && copy->out[i] == value_of[b])
                    data[b] = tensor_data(results[i]);
        }
        eval_kernel(k, data, &scratch, &(struct eval_options){.blas = false});
    }
    arena_done(&scratch);
    return ok;
}

void fold_last_node(struct importer *im, struct node *n)
{
    unsigned flags = op_desc(n->op)->flags;
    bool constant = n->n_in > 0;
    for (size_t i = 0; i < n->n_in; i++)
        constant &= !n->in[i] || n->in[i]->role == VALUE_CONST;
    for (size_t i = 0; i < n->n_out; i++)
        if (n->out[i] && !shape_is_static(&n->out[i]->shape))
            return;
    if (flags & (OP_CONTROL | OP_STATE) || !n->n_out || !n->out[0])
        return;
    const struct tensor *first = NULL;
    if (n->op == OP_shape)
        first = fold_shape(im, n);
    else if (constant && flags & OP_VIEW)
        first = fold_view(im, n);
    if (first) {
        become_constant(n->out[0], first);
    } else {
        struct tensor **results = arena_array(im->arena, n->n_out, sizeof *results);
        if (!constant || !fold_is_cheap(n) || !fold_evaluate(im, n, results))
            return;
        for (size_t i = 0; i < n->n_out; i++)
            if (n->out[i])
                become_constant(n->out[i], results[i]);
    }
    im->block->n_nodes--;
}
