/*
 * fold_batch_norm: y = conv(x, w) + b followed by y * s + t, with constants s and t per channel, is
 * conv(x, w * s) + (b * s + t).
 *
 * Such a scale and shift is a BatchNormalization with constant parameters, or a Mul, Div, Add or
 * Sub with a constant that varies along the channels only (Caffe2 and CNTK write a bias so).  What
 * comes before is a Conv, or a Gemm, with constant weights, whose result nobody else uses.  The
 * node that scales goes and the contraction gives its output.  Nodes are taken in order, so a chain
 * of several folds one after the other.  What cannot be folded stays as it is; a matrix product
 * without bias stays too, since the addition becomes part of its kernel anyway.
 *
 * New weights are computed in double and rounded once, so the bytes are the same on every machine.
 * A value used by others keeps its constant: the contraction then gets one of its own.
 *
 * Precondition: inferred, constants folded, no regions yet.
 */
#include "ir/passes/passes.h"

#include <math.h>
#include <string.h>

#include "ir/passes/rewrite.h"

struct affine {
    double *scale, *shift; /* per channel */
    int64_t channels;
};

static bool is_float_constant(const struct value *v)
{
    return value_is_constant(v) && dtype_is_float(v->dtype);
}

/* ---- which scale and shift a node applies to its input ---- */

static bool affine_of_batch_norm(const struct node *n, const struct affine *a)
{
    const struct batch_norm_attrs *attrs = n->attrs;
    for (size_t i = 1; i < 5; i++)
        if (!is_float_constant(n->in[i]) || tensor_elems(n->in[i]->constant) != a->channels)
            return false;
    for (int64_t c = 0; c < a->channels; c++) {
        double scale = tensor_get(n->in[1]->constant, c), bias = tensor_get(n->in[2]->constant, c);
        double mean = tensor_get(n->in[3]->constant, c), var = tensor_get(n->in[4]->constant, c);
        a->scale[c] = scale / sqrt(var + (double)attrs->epsilon);
        a->shift[c] = bias - mean * a->scale[c];
    }
    return true;
}

/* The constant has one element, or one per channel along dimension 1 of `rank`. */
static bool varies_by_channel(const struct tensor *t, int rank, int64_t channels)
{
    if (t->rank > rank)
        return false;
    for (int d = 0; d < t->rank; d++) {
        bool channel = d + rank - t->rank == 1;
        if (t->dims[d] != 1 && !(channel && t->dims[d] == channels))
            return false;
    }
    return true;
}

static bool affine_of_binary(const struct node *n, size_t data, const struct affine *a)
{
    const struct value *k = n->in[1 - data];
    if (!is_float_constant(k) ||
        !varies_by_channel(k->constant, n->out[0]->shape.rank, a->channels))
        return false;
    bool single = tensor_elems(k->constant) == 1;
    for (int64_t c = 0; c < a->channels; c++) {
        double v = tensor_get(k->constant, single ? 0 : c);
        a->scale[c] = 1;
        a->shift[c] = 0;
        switch (n->op) {
        case OP_add:
            a->shift[c] = v;
            break;
        case OP_sub:
            a->scale[c] = data == 0 ? 1 : -1;
            a->shift[c] = data == 0 ? -v : v;
            break;
        case OP_mul:
            a->scale[c] = v;
            break;
        case OP_div:
            if (data != 0)
                return false;
            a->scale[c] = 1 / v;
            break;
        default:
            return false;
        }
    }
    return true;
}

/* A product that is not finite would turn into NaN where the weight is 0. */
static bool affine_is_finite(const struct affine *a)
{
    for (int64_t c = 0; c < a->channels; c++)
        if (!isfinite(a->scale[c]) || !isfinite(a->shift[c]))
            return false;
    return true;
}

/* ---- how a contraction takes it in ---- */

/* Runs of `inner` elements belong to channels 0, 1, .. in turn. */
static struct tensor *scaled(struct arena *arena, const struct tensor *t, int64_t inner,
                             const struct affine *a)
{
    struct tensor *r = tensor_new(arena, t->dtype, t->rank, t->dims);
    int64_t n = tensor_elems(t);
    if (t->dtype == DTYPE_F32) {
        const float *from = t->data;
        float *to = tensor_data(r);
        for (int64_t i = 0; i < n; i += inner) {
            double s = a->scale[i / inner % a->channels];
            for (int64_t k = i; k < i + inner; k++)
                to[k] = (float)((double)from[k] * s);
        }
    } else {
        for (int64_t i = 0; i < n; i++)
            tensor_set(r, i, tensor_get(t, i) * a->scale[i / inner % a->channels]);
    }
    return r;
}

/* bias * factor * scale + shift, one per channel; a bias that is missing is 0. */
static struct tensor *shifted(struct arena *arena, const struct tensor *bias, enum dtype dtype,
                              double factor, const struct affine *a)
{
    struct tensor *r = tensor_new(arena, dtype, 1, &a->channels);
    bool single = bias && tensor_elems(bias) == 1;
    for (int64_t c = 0; c < a->channels; c++) {
        double b = bias ? tensor_get(bias, single ? 0 : c) * factor : 0;
        tensor_set(r, c, b * a->scale[c] + a->shift[c]);
    }
    return r;
}

/* Input i becomes a constant with this content; the value itself where nobody else uses it. */
static void set_constant(struct graph *g, struct node *n, size_t i, const char *name,
                         const struct tensor *t)
{
    struct value *v = i < n->n_in ? n->in[i] : NULL;
    if (v && v->n_uses == 1 && !rewrite_is_block_output(g, v)) {
        v->constant = t;
        v->shape = shape_of_dims(t->rank, t->dims);
        v->layout = layout_plain(t->rank);
        return;
    }
    if (i >= n->n_in) {
        struct value **in = arena_array(g->arena, i + 1, sizeof(struct value *));
        memcpy(in, n->in, n->n_in * sizeof *in);
        n->in = in;
        n->n_in = i + 1;
    }
    n->in[i] = graph_add_constant(g, arena_printf(g->arena, "%s.%s", n->out[0]->name, name), t);
    n->in[i]->n_uses = 1;
}

static const struct tensor *optional_constant(const struct node *n, size_t i)
{
    return i < n->n_in && n->in[i] ? n->in[i]->constant : NULL;
}

/* Weights and bias are constants of a layout that can be scaled per channel. */
static bool can_take(const struct node *n)
{
    const struct value *x = n->out[0];
    bool has_bias = n->n_in > 2 && n->in[2];
    if ((n->op != OP_conv && n->op != OP_gemm) || !shape_is_static(&x->shape) ||
        !dtype_is_float(x->dtype) || x->shape.rank < 2 || !is_float_constant(n->in[1]) ||
        (has_bias && !is_float_constant(n->in[2])))
        return false;
    return n->op == OP_conv || !has_bias ||
           varies_by_channel(n->in[2]->constant, 2, x->shape.dims[1]);
}

static void take(struct graph *g, struct node *n, const struct affine *a)
{
    const struct tensor *w = n->in[1]->constant;
    int64_t inner = tensor_elems(w) / a->channels; /* conv: [M, ...] */
    double bias_factor = 1;
    if (n->op == OP_gemm) {
        struct gemm_attrs *attrs = n->attrs;
        inner = attrs->transB ? w->dims[1] : 1;
        bias_factor = (double)attrs->beta;
        attrs->beta = 1;
    }
    const struct tensor *bias =
        shifted(g->arena, optional_constant(n, 2), n->out[0]->dtype, bias_factor, a);
    set_constant(g, n, 1, "weights", scaled(g->arena, w, inner, a));
    set_constant(g, n, 2, "bias", bias);
}

/* ---- the pass ---- */

static bool fold_into(struct graph *g, struct node *n, size_t data)
{
    struct value *x = n->in[data];
    struct node *p = x ? x->producer : NULL;
    if (!p || x->n_uses != 1 || !can_take(p) || p->out[0] != x ||
        !shape_equal(&x->shape, &n->out[0]->shape) || x->dtype != n->out[0]->dtype ||
        shape_elems(&x->shape) == 0)
        return false;
    struct arena scratch;
    arena_init(&scratch);
    struct affine a = {.channels = x->shape.dims[1]};
    a.scale = arena_array(&scratch, (size_t)a.channels, sizeof *a.scale);
    a.shift = arena_array(&scratch, (size_t)a.channels, sizeof *a.shift);
    bool ok = n->op == OP_batch_norm ? affine_of_batch_norm(n, &a) : affine_of_binary(n, data, &a);
    ok = ok && affine_is_finite(&a);
    if (ok) {
        take(g, p, &a);
        p->out[0] = n->out[0];
        p->out[0]->producer = p;
        n->op = OP_NONE;
    }
    arena_done(&scratch);
    return ok;
}

struct fold {
    struct graph *g;
    bool changed;
};

static void fold_block(struct graph *g, struct block *b, void *arg)
{
    struct fold *f = arg;
    for (size_t i = 0; i < b->n_nodes; i++) {
        struct node *n = b->nodes[i];
        bool binary = n->op == OP_add || n->op == OP_sub || n->op == OP_mul || n->op == OP_div;
        if (n->op == OP_batch_norm)
            f->changed |= fold_into(g, n, 0);
        else if (binary)
            f->changed |= fold_into(g, n, 0) || fold_into(g, n, 1);
    }
}

bool pass_fold_batch_norm(struct graph *g, const struct pass_options *opt, bool *out_changed,
                          struct error *err)
{
    (void)opt;
    (void)err;
    struct fold f = {g, false};
    graph_count_uses(g);
    graph_each_block(g, fold_block, &f);
    graph_sweep(g);
    *out_changed = f.changed;
    return true;
}
