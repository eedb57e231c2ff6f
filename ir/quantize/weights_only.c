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
#include "ir/quantize/round_weights.h"
#include "ir/quantize/weight_group.h"

/* How the weights of one node are cut. */
struct cut {
    int axis;      /* blocked: along which blocks lie; else along which the channels run */
    int64_t block; /* 0: not blocked */
    int rank;      /* of the scales */
    int64_t dims[MAX_RANK];
};

static bool holds_weights(const struct node *n)
{
    if (!quantizer_is_contraction(n))
        return false;
    const struct value *w = n->in[1];
    return value_is_constant(w) && w->dtype == DTYPE_F32 && w->shape.rank >= 2 &&
           shape_elems(&w->shape) > 0;
}

static int summed_axis(const struct node *n)
{
    int rank = n->in[1]->shape.rank;
    if (n->op == OP_conv)
        return 1;
    return n->op == OP_gemm ? 1 - quantizer_output_axis(n, 1) : rank - 2;
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
    c.axis = quantizer_output_axis(n, 1);
    c.block = 0;
    c.rank = 1;
    c.dims[0] = s->dims[c.axis];
    return c;
}

/* The elements of scale `at`. */
static struct weight_group group_of(const struct tensor *w, const struct cut *c, int64_t at)
{
    if (!c->block)
        return weight_group_of(w, c->axis, at);
    int64_t inner = 1, extent = w->dims[c->axis];
    for (int d = c->axis + 1; d < w->rank; d++)
        inner *= w->dims[d];
    int64_t block = at / inner % c->dims[c->axis], outer = at / inner / c->dims[c->axis];
    int64_t start = block * c->block, left = extent - start;
    return (struct weight_group){
        .first = (outer * extent + start) * inner + at % inner,
        .n_outer = left < c->block ? left : c->block,
        .stride = inner,
        .n_inner = 1,
    };
}

/*
 * Scales that are tried, as parts of that which makes the largest magnitude the largest integer.
 * With few steps it can pay to use the one more integer on the negative side, or to cut off a few
 * weights for the sake of the others.
 */
static const double parts[] = {1, 0.95, 0.9, 0.875, 0.85, 0.8, 0.75, 0.7};

static double squared_error(const double *x, size_t n, double scale, double lo, double hi)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double error = x[i] - fmin(fmax(rint(x[i] / scale), lo), hi) * scale;
        sum += error * error;
    }
    return sum;
}

/* Of the scales tried that with the least squared error; 1 for zeros. */
static float choose_scale(const double *x, size_t n, enum dtype type)
{
    double lo = (double)dtype_int_min(type), hi = (double)dtype_int_max(type);
    double most = 0, least = INFINITY;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(x[i]));
    float full = (float)(most / hi), best = full;
    if (!(full > 0))
        return 1;
    for (size_t k = 0; type == DTYPE_I4 && k < sizeof parts / sizeof *parts; k++) {
        float scale = (float)((double)full * parts[k]);
        double error = squared_error(x, n, (double)scale, lo, hi);
        best = error < least ? scale : best;
        least = fmin(error, least);
    }
    return best;
}

/* Sets the scales. */
static const struct tensor *stored_weights(struct arena *a, const struct tensor *w,
                                           const struct cut *c, enum dtype type,
                                           struct tensor *scale)
{
    struct tensor *t = tensor_new(a, type, w->rank, w->dims);
    double lo = (double)dtype_int_min(type), hi = (double)dtype_int_max(type);
    float *s = tensor_data(scale);
    struct arena scratch;
    arena_init(&scratch);
    struct weight_group group = group_of(w, c, 0); /* the last one may be smaller */
    size_t most = weight_group_elems(&group);
    double *x = arena_array(&scratch, most, sizeof *x);
    double *rounded = arena_array(&scratch, most, sizeof *rounded);
    for (int64_t at = 0, n_scales = tensor_elems(scale); at < n_scales; at++) {
        group = group_of(w, c, at);
        size_t n = weight_group_elems(&group);
        weight_group_read(w, &group, x);
        s[at] = choose_scale(x, n, type);
        for (size_t i = 0; i < n; i++)
            x[i] /= (double)s[at];
        round_weights(x, n, lo, hi, rounded);
        weight_group_write(t, &group, rounded);
    }
    arena_done(&scratch);
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
    size_t n_nodes; /* done */
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
    const struct tensor *stored = stored_weights(g->arena, w->constant, &cut, c->type, scale);

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
        if (!holds_weights(n) || quantize_kept_by(c->keep, n) || !is_finite(n->in[1]->constant))
            continue;
        c->ok = convert_node(c, b, i++);
        c->n_nodes++;
    }
}

bool quantize_weights_only(struct graph *g, enum dtype type, int64_t block,
                           const struct quantize_keep *keep, size_t *out_n_nodes, struct error *err)
{
    struct weights_only c = {g, type, block, keep, 0, err, true};
    graph_each_block(g, convert_block, &c);
    if (c.ok)
        *out_n_nodes = c.n_nodes;
    return c.ok;
}
