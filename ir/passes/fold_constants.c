/*
 * fold_constants: infers every node in order and evaluates those whose inputs are all constant.
 *
 * Inference and folding go hand in hand, because a model may compute the shape that a later node
 * needs (Shape, Gather, Concat, Reshape): folded in time it is a constant when it is asked for.
 * A node is evaluated through its own lowering in fixed-order arithmetic (evaluate.h).
 *
 *   - The values that a folded node made become constants under their own names.  An output of a
 *     block stays a node's output: an identity of the constant.
 *   - Shape needs only the shape of its input, not its elements.
 *   - A view of a constant shares its bytes.
 *   - An If with constant condition gives way to the nodes of its branch.
 *   - Dequantized weights are not folded: see keeps_quantized.
 *   - State is never folded; nor is what would make the weights much larger (a constant that was
 *     only spread out), since a bundle should not grow by it.
 */
#include "ir/passes/passes.h"

#include <string.h>

#include "ir/passes/evaluate.h"
#include "ir/passes/rewrite.h"

/* A folded node may make this many bytes, or this many times the bytes of its inputs. */
enum { FOLD_FREE_BYTES = 1 << 20, FOLD_MAX_GROWTH = 2 };

struct fold {
    struct graph *g;
    struct error *err;
    enum pass_stage stage;
    bool changed;
};

static bool inputs_known(const struct node *n)
{
    if (n->op == OP_shape)
        return shape_is_static(&n->in[0]->shape);
    return node_reads_constants(n);
}

static bool worth_folding(const struct node *n)
{
    int64_t in = 0, out = 0;
    for (size_t i = 0; i < n->n_in; i++)
        if (value_is_constant(n->in[i]))
            in += tensor_bytes(n->in[i]->constant);
    for (size_t i = 0; i < n->n_out; i++)
        if (n->out[i])
            out += dtype_bytes(n->out[i]->dtype, shape_elems(&n->out[i]->shape));
    return out <= FOLD_FREE_BYTES || out <= FOLD_MAX_GROWTH * in;
}

static bool is_used(struct graph *g, const struct node *n)
{
    graph_count_uses(g);
    for (size_t i = 0; i < n->n_out; i++)
        if (n->out[i] && n->out[i]->n_uses)
            return true;
    return false;
}

/* The node gives its results as constants; one that leaves a block does so through an identity. */
static void put_results(struct fold *f, struct block *b, size_t at, struct node *n,
                        const struct tensor *const *result)
{
    struct graph *g = f->g;
    for (size_t i = 0; i < n->n_out; i++) {
        struct value *v = n->out[i];
        if (!v || !result[i])
            continue;
        if (!rewrite_is_block_output(g, v)) {
            value_become_constant(v, result[i]);
            continue;
        }
        struct node *copy = graph_insert_node(g, b, at + 1, OP_identity, v->name, 1, 1);
        copy->in[0] = graph_add_constant(g, arena_printf(g->arena, "%s.value", v->name), result[i]);
        copy->out[0] = v;
        v->producer = copy;
        v->shape = copy->in[0]->shape;
    }
    n->op = OP_NONE;
    f->changed = true;
}

static bool is_kept_identity(struct graph *g, const struct node *n)
{
    return n->op == OP_identity && rewrite_is_block_output(g, n->out[0]);
}

/* Quantized weights stay so until integer operators had their chance, and for a contraction that
   dequantizes what it reads for good. */
static bool keeps_quantized(const struct fold *f, const struct block *b, const struct node *n)
{
    if (n->op != OP_dequantize_linear)
        return false;
    if (f->stage == PASSES_CLEAN)
        return true;
    for (size_t i = 0; i < b->n_nodes; i++)
        for (size_t j = 0; j < b->nodes[i]->n_in; j++)
            if (b->nodes[i]->in[j] == n->out[0] && (op_desc(b->nodes[i]->op)->flags & OP_CONTRACT))
                return true;
    return false;
}

static void fold_node(struct fold *f, struct block *b, size_t at)
{
    struct graph *g = f->g;
    struct node *n = b->nodes[at];
    if (keeps_quantized(f, b, n))
        return;
    if ((op_desc(n->op)->flags & (OP_CONTROL | OP_STATE)) || !inputs_known(n) ||
        is_kept_identity(g, n) || !worth_folding(n) || !is_used(g, n))
        return;
    const struct tensor **result = arena_array(g->arena, n->n_out, sizeof *result);
    if (evaluate_node(g->arena, n, result))
        put_results(f, b, at, n, result);
}

/* The nodes of the branch that is taken stand in for the If, then identities give its outputs. */
static void take_branch(struct fold *f, struct block *b, size_t at)
{
    struct graph *g = f->g;
    struct node *n = b->nodes[at];
    const struct block *branch = n->blocks[tensor_get_int(n->in[0]->constant, 0) ? 0 : 1];
    for (size_t i = branch->n_out; i-- > 0;) {
        if (!n->out[i])
            continue;
        struct node *copy = graph_insert_node(g, b, at + 1, OP_identity, n->out[i]->name, 1, 1);
        copy->in[0] = branch->out[i];
        copy->out[0] = n->out[i];
        n->out[i]->producer = copy;
    }
    for (size_t i = 0; i < branch->n_nodes; i++) {
        (void)ARENA_PUSH(g->arena, b->nodes, b->n_nodes, b->cap_nodes);
        memmove(b->nodes + at + i + 2, b->nodes + at + i + 1,
                (b->n_nodes - (at + i + 2)) * sizeof(struct node *));
        b->nodes[at + i + 1] = branch->nodes[i];
    }
    n->op = OP_NONE;
    n->n_blocks = 0;
    f->changed = true;
}

static bool fold_block(struct fold *f, struct block *b)
{
    for (size_t i = 0; i < b->n_nodes; i++) {
        struct node *n = b->nodes[i];
        if (n->op == OP_if && n->n_in == 1 && n->n_blocks == 2 && value_is_constant(n->in[0]) &&
            tensor_elems(n->in[0]->constant) == 1) {
            take_branch(f, b, i);
            continue;
        }
        /* The branches of an If may compute shapes of their own; a loop's block has arguments,
           whose types come from the node. */
        if (n->op == OP_if)
            for (size_t j = 0; j < n->n_blocks; j++)
                if (!fold_block(f, n->blocks[j]))
                    return false;
        if (!graph_infer_node(f->g, n, f->err))
            return false;
        if (n->op == OP_loop) {
            for (size_t j = 0; j < n->n_blocks; j++)
                if (!fold_block(f, n->blocks[j]))
                    return false;
            if (!graph_infer_node(f->g, n, f->err))
                return false;
        }
        fold_node(f, b, i);
    }
    return true;
}

bool pass_fold_constants(struct graph *g, const struct pass_options *opt, bool *out_changed,
                         struct error *err)
{
    struct fold f = {.g = g, .err = err, .stage = opt->stage};
    if (!fold_block(&f, &g->body))
        return false;
    graph_sweep(g);
    *out_changed = f.changed;
    return true;
}
