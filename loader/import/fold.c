/*
 * Computes what the import itself needs to know: the shape arithmetic of models (Shape, Gather,
 * Concat, ... into Reshape), and views of constants.  Anything large is left to the pass that folds
 * constants; here only what a later node may need as a constant for its own inference.
 */
#include "ir/passes/evaluate.h"
#include "loader/import/build.h"

enum { FOLD_MAX_IN_ELEMS = 1 << 16, FOLD_MAX_OUT_ELEMS = 1 << 12 };

static bool inputs_known(const struct node *n)
{
    if (n->op == OP_shape)
        return shape_is_static(&n->in[0]->shape);
    return n->n_in > 0 && node_reads_constants(n);
}

/* Dequantized weights stay apart: integer operators take them as they are. */
static bool is_cheap(const struct node *n)
{
    if (n->op == OP_dequantize_linear)
        return false;
    if (n->op == OP_shape || op_desc(n->op)->flags & OP_VIEW)
        return true;
    int64_t in = 0, out = 0;
    for (size_t i = 0; i < n->n_in; i++)
        in += n->in[i] ? shape_elems(&n->in[i]->shape) : 0;
    for (size_t i = 0; i < n->n_out; i++)
        out += n->out[i] ? shape_elems(&n->out[i]->shape) : 0;
    return in <= FOLD_MAX_IN_ELEMS && out <= FOLD_MAX_OUT_ELEMS;
}

void fold_last_node(struct importer *im, struct node *n)
{
    if (op_desc(n->op)->flags & (OP_CONTROL | OP_STATE) || !inputs_known(n) || !is_cheap(n))
        return;
    const struct tensor **result = arena_array(im->arena, n->n_out, sizeof(struct tensor *));
    bool complete = evaluate_node(im->arena, n, result);
    for (size_t i = 0; complete && i < n->n_out; i++)
        complete = !n->out[i] || result[i];
    for (size_t i = 0; complete && i < n->n_out; i++)
        if (n->out[i])
            value_become_constant(n->out[i], result[i]);
    if (complete)
        im->block->n_nodes--;
}
