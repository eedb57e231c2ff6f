/*
 * weights_only.c: constant weights of contractions in 8 or 4 bits.
 *
 * The weights become integers with a DequantizeLinear behind them; the contraction reads its result
 * and computes in float as before.  Scales are symmetric: one for each output channel, or one for
 * each block of weights that follow each other along the summed dimension.  Of a convolution that
 * is the input channels; where they are fewer than a block, the output channel has one scale.
 */
#include <math.h>
#include <string.h>

#include "ir/quantize/quantizer.h"

/* How the weights of one node are cut. */
struct cut {
    int axis;      /* blocked: along which blocks lie; else along which the channels run */
    int64_t block; /* 0: not blocked */
    int rank;      /* of the scales */
    int64_t dims[MAX_RANK];
};

static bool holds_weights(const struct node *n)
{
    if (op_desc(n->op)->quant != QUANT_CONTRACT)
        return false;
    const struct value *w = n->in[1];
    return w->role == VALUE_CONST && w->dtype == DTYPE_F32 && w->shape.rank >= 2 &&
           shape_elems(&w->shape) > 0;
}

static int channel_axis(const struct node *n)
{
    if (n->op == OP_conv)
        return 0;
    if (n->op == OP_gemm)
        return ((const struct gemm_attrs *)n->attrs)->transB ? 0 : 1;
    return n->in[1]->shape.rank - 1;
}

static int summed_axis(const struct node *n)
{
    int rank = n->in[1]->shape.rank;
    if (n->op == OP_conv)
        return 1;
    return n->op == OP_gemm ? 1 - channel_axis(n) : rank - 2;
}

static struct cut cut_of(const struct node *n, int64_t block)
{
    const struct shape *s = &n->in[1]->shape;
    struct cut c = {.axis = summed_axis(n), .block = block, .rank = s->rank};
    memcpy(c.dims, s->dims, sizeof c.dims);
    if (block && (n->op != OP_conv || s->dims[c.axis] >= block)) {
        c.block = block < s->dims[c.axis] ? block : s->dims[c.axis];
        c.dims[c.axis] = (s->dims[c.axis] + c.block - 1) / c.block;
        return c;
    }
    c.axis = channel_axis(n);
    c.block = 0;
    c.rank = 1;
    c.dims[0] = s->dims[c.axis];
    return c;
}

/* Position of the scale of element i of the weights. */
static int64_t scale_of(const struct tensor *w, const struct cut *c, int64_t i)
{
    int64_t inner = 1;
    for (int d = c->axis + 1; d < w->rank; d++)
        inner *= w->dims[d];
    int64_t at = i / inner % w->dims[c->axis];
    if (!c->block)
        return at;
    return (i / inner / w->dims[c->axis] * c->dims[c->axis] + at / c->block) * inner + i % inner;
}

/*
 * Scales that are tried, as parts of that which makes the largest magnitude the largest integer:
 * the smaller ones use the one more integer on the negative side, and cut off a few weights for the
 * sake of the others, which pays off where there are few steps.  The first is exact for weights
 * that were quantized before; with 8 bits further ones gain nothing.
 */
static const double parts[] = {1, 127.0 / 128, 0.95, 0.9, 0.875, 0.85, 0.8, 0.75, 0.7};
enum { PARTS_8 = 2, PARTS = sizeof parts / sizeof *parts };

static double stored_weight(double w, double scale, double lo, double hi)
{
    return fmin(fmax(rint(w / scale), lo), hi);
}

/* Of the scales tried that with the least squared error; 1 for a block of zeros. */
static void set_scales(const struct tensor *w, const struct cut *c, enum dtype type,
                       struct tensor *scale)
{
    struct arena scratch;
    arena_init(&scratch);
    double lo = (double)dtype_int_min(type), hi = (double)dtype_int_max(type);
    size_t n_parts = type == DTYPE_I8 ? PARTS_8 : PARTS;
    int64_t n = tensor_elems(w), n_scales = tensor_elems(scale);
    float *s = tensor_data(scale);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = scale_of(w, c, i);
        s[at] = fmaxf(s[at], (float)(fabs(tensor_get(w, i)) / hi));
    }
    double(*error)[PARTS] = arena_array(&scratch, (size_t)n_scales, sizeof *error);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = scale_of(w, c, i);
        double x = tensor_get(w, i);
        for (size_t k = 0; s[at] > 0 && k < n_parts; k++) {
            double step = (double)(float)((double)s[at] * parts[k]);
            double lost = x - stored_weight(x, step, lo, hi) * step;
            error[at][k] += lost * lost;
        }
    }
    for (int64_t at = 0; at < n_scales; at++) {
        size_t best = 0;
        for (size_t k = 1; k < n_parts; k++)
            best = error[at][k] < error[at][best] ? k : best;
        s[at] = s[at] > 0 ? (float)((double)s[at] * parts[best]) : 1;
    }
    arena_done(&scratch);
}

static const struct tensor *stored_weights(struct arena *a, const struct tensor *w,
                                           const struct cut *c, const struct tensor *scale,
                                           enum dtype type)
{
    struct tensor *t = tensor_new(a, type, w->rank, w->dims);
    double lo = (double)dtype_int_min(type), hi = (double)dtype_int_max(type);
    for (int64_t i = 0, n = tensor_elems(w); i < n; i++) {
        double step = tensor_get(scale, scale_of(w, c, i));
        tensor_set_int(t, i, (int64_t)stored_weight(tensor_get(w, i), step, lo, hi));
    }
    return t;
}

static bool is_finite(const struct tensor *t)
{
    for (int64_t i = 0, n = tensor_elems(t); i < n; i++)
        if (!isfinite(tensor_get(t, i)))
            return false;
    return true;
}

struct weights_only {
    struct graph *g;
    enum dtype type;
    int64_t block;
    const struct quantize_keep *keep;
    struct error *err;
    bool ok;
};

/* The DQ of the node's weights, before it. */
static bool convert_node(struct weights_only *c, struct block *b, size_t at)
{
    struct graph *g = c->g;
    struct node *n = b->nodes[at];
    const struct value *w = n->in[1];
    const char *name = w->name;
    struct cut cut = cut_of(n, c->block);
    struct tensor *scale = tensor_new(g->arena, DTYPE_F32, cut.rank, cut.dims);
    set_scales(w->constant, &cut, c->type, scale);
    const struct tensor *stored = stored_weights(g->arena, w->constant, &cut, scale, c->type);

    struct node *dq = graph_insert_node(g, b, at, OP_dequantize_linear, "", 2, 1);
    struct dequantize_linear_attrs *attrs = dq->attrs;
    attrs->axis = cut.axis;
    attrs->block_size = cut.block;
    dq->in[0] = graph_add_constant(g, arena_printf(g->arena, "%s.quantized", name), stored);
    dq->in[1] = graph_add_constant(g, arena_printf(g->arena, "%s.scale", name), scale);
    n->in[1] = graph_node_output(g, dq, 0, arena_printf(g->arena, "%s.dequantized", name));
    return graph_infer_node(g, dq, c->err);
}

static void convert_block(struct graph *g, struct block *b, void *arg)
{
    struct weights_only *c = arg;
    (void)g;
    for (size_t i = 0; c->ok && i < b->n_nodes; i++) {
        const struct node *n = b->nodes[i];
        if (!holds_weights(n) || quantize_is_kept(c->keep, n) || !is_finite(n->in[1]->constant))
            continue;
        c->ok = convert_node(c, b, i++);
    }
}

bool quantize_weights_only(struct graph *g, enum dtype type, int64_t block,
                           const struct quantize_keep *keep, struct error *err)
{
    struct weights_only c = {g, type, block, keep, err, true};
    graph_each_block(g, convert_block, &c);
    return c.ok;
}
