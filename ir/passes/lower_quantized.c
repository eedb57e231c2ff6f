/*
 * lower_quantized: makes integer operators of float operators that stand between DequantizeLinear
 * and QuantizeLinear, whether a model brings these nodes or the quantizer put them there, and of
 * ONNX's QLinear operators.
 *
 * Nodes are taken in order.  A few rules are tried on each, and again on what a rule puts before
 * it, until none fits:
 *   - operators that only move or choose values work on the integers (lower_quantized_move.c);
 *   - contractions and means become integer sums, then floats again
 *     (lower_quantized_products.c, _pool.c);
 *   - a QuantizeLinear reads back what it quantizes: sums and clips of integer terms are rescaled
 *     (lower_quantized_sum.c), functions of one tensor become tables (_table.c).
 * What no rule takes stays float, between its DequantizeLinear and QuantizeLinear.
 *
 * In the strict mode only those rules are used that give the bits of ONNX's reference evaluator.
 * Float contractions are not among them: ONNX does not state the order of their sums.  In the fused
 * mode scales become fixed-point factors, which may differ from the reference by one step
 * (docs/numerics.md).
 *
 * Precondition: inferred, constants folded but for DequantizeLinear, no regions yet.
 */
#include "ir/passes/lower_quantized.h"

#include "ir/ops/common.h"

/* The parameters of an integer tensor are those that it is quantized or dequantized with. */
static void note_quant(struct lowering *l, const struct node *n)
{
    struct operand o;
    struct quant q;
    if (n->op == OP_quantize_linear && lq_target(n, &q))
        lq_set_quant(l, n->out[0], &q);
    else if (n->op == OP_dequantize_linear && lq_tensor_operand(n->out[0], &o, &q) &&
             o.stored->quant.scale == 0)
        lq_set_quant(l, o.stored, &q);
}

static bool apply(struct lowering *l, struct node *n)
{
    if (n->op == OP_NONE)
        return false;
    note_quant(l, n);
    if (n->op == OP_quantize_linear)
        return lq_lower_requantize(l, n) || lq_move_quantize_up(l, n) || lq_lower_sum(l, n) ||
               lq_lower_table(l, n);
    return lq_lower_contraction(l, n) || lq_lower_qlinear(l, n) || lq_lower_pool(l, n) ||
           lq_move_weights(l, n) || lq_move_dequantize_down(l, n);
}

static void lower_block(struct graph *g, struct block *b, void *arg)
{
    (void)g;
    struct lowering *l = arg;
    l->b = b;
    for (size_t i = 0; i < b->n_nodes;) {
        l->at = i;
        arena_init(&l->scratch);
        /* What it puts there is next. */
        bool changed = apply(l, b->nodes[i]);
        arena_done(&l->scratch);
        if (!changed)
            lq_set_position(l, i++);
    }
}

bool pass_lower_quantized(struct graph *g, const struct pass_options *opt, bool *out_changed,
                          struct error *err)
{
    (void)err;
    struct lowering l = {.g = g, .opt = opt, .n_given = g->n_values};
    graph_count_uses(g);
    lq_use_unsigned_bytes(&l);
    graph_each_block(g, lower_block, &l);
    if (opt->report)
        lq_settle(&l, opt->report);
    graph_sweep(g);
    *out_changed = l.changed;
    return true;
}
