/*
 * If-25.  An output takes the extents of the block that ran.  Where the two differ, or either is
 * known only at run time, the bound is the larger one and the extent a hidden output behind those
 * of the blocks; program_control.c fills it.
 */
#include "ir/ops/control.h"

static const char *block_name(int b)
{
    return b ? "else" : "then";
}

/* Output i from what both blocks give; hidden outputs are counted on from *n_hidden. */
static bool join_output(struct graph *g, struct node *n, size_t i, size_t *n_hidden,
                        struct error *err)
{
    const struct value *a = n->blocks[0]->out[i], *b = n->blocks[1]->out[i];
    if (a->dtype != b->dtype || a->shape.rank != b->shape.rank)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "output %zu is %s with %d dimensions in one branch, %s with %d in the "
                         "other",
                         i, dtype_name(a->dtype), a->shape.rank, dtype_name(b->dtype),
                         b->shape.rank);
    struct shape y = a->shape;
    for (int d = 0; d < y.rank; d++) {
        y.extent[d] = NULL;
        bool differ = a->shape.dims[d] != b->shape.dims[d];
        if (differ && b->shape.dims[d] > y.dims[d])
            y.dims[d] = b->shape.dims[d];
        if (differ || a->shape.extent[d] || b->shape.extent[d])
            y.extent[d] = ops_hidden_scalar(g, n, n->blocks[0]->n_out + (*n_hidden)++, "extent");
    }
    return ops_set_output(n, i, a->dtype, &y, err);
}

bool if_infer(struct graph *g, struct node *n, struct error *err)
{
    if (!ops_check_type(n, 0, TYPE(BOOL), err) || !ops_check_static(n, 0, err))
        return false;
    if (shape_elems(&n->in[0]->shape) != 1)
        return error_set(err, SHEAF_ERROR_SHAPE, "the condition has %lld elements",
                         (long long)shape_elems(&n->in[0]->shape));
    if (n->n_blocks != 2)
        return error_set(err, SHEAF_ERROR_SHAPE, "there are %zu branches, not 2", n->n_blocks);
    size_t n_out = n->blocks[0]->n_out, n_hidden = 0;
    for (int b = 0; b < 2; b++) {
        if (n->blocks[b]->n_in)
            return error_set(err, SHEAF_ERROR_SHAPE, "the %s branch has %zu inputs", block_name(b),
                             n->blocks[b]->n_in);
        if (n->blocks[b]->n_out != n_out || n->n_out < n_out)
            return error_set(err, SHEAF_ERROR_SHAPE, "the %s branch has %zu outputs, the node %zu",
                             block_name(b), n->blocks[b]->n_out, n->n_out);
        if (!control_infer_block(g, n->blocks[b], err))
            return false;
    }
    for (size_t i = 0; i < n_out; i++)
        if (!join_output(g, n, i, &n_hidden, err))
            return false;
    return true;
}

void if_lower(struct lower *l)
{
    lower_if(l);
}
