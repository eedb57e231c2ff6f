/*
 * fold_preprocessing: the client hands over the bytes of a picture, and what is done to pixels
 * before a network (scale, mean, order of the channels, order of the dimensions) becomes part of
 * it.
 *
 * A byte has 256 values, so whatever is computed of it is a table with a row per channel, and a
 * table is exact: it holds what the client would have stored.  Better than a table is none:
 *
 *   - Where the network quantizes the input to 8 bits, or its input has 8 bits, the table often
 *     says p or p - 128: then the first integer operator reads the pixels with another zero point.
 *     Tables are made of the quantized values, so both ways give the bits of the outside.
 *   - Where a float Conv, Gemm or MatMul with constant weights is the only reader, its weights take
 *     the scale per input channel: w * (s * p + t) = (w * s) * p + w * t.  The shifts are summed
 *     into the bias; but not where the convolution reads zeroes around the picture, since a zero is
 *     no pixel: there the pixel that stands for zero is subtracted first, (w * s) * (p - -t / s),
 *     which leaves the border right.  A reversed order of channels becomes one of the weights.
 *
 * New weights are computed in double and rounded once, so the bytes are the same on every machine.
 *
 * Precondition: inferred, constants folded, not lowered yet (lower_quantized makes the integer
 * operators), no regions.
 */
#include "ir/passes/interface.h"
#include "ir/passes/passes.h"

#include <assert.h>
#include <string.h>

#include "ir/ops/conv_common.h"
#include "ir/passes/lower_quantized.h"
#include "ir/passes/rewrite.h"

struct fold {
    struct graph *g;
    const struct interface_pixels *px;
    struct value *x;     /* what was the input: the values that pixels stand for */
    struct value *input; /* the pixels */
    size_t at;           /* where the next node goes in the body */
};

/* ---- nodes in front of the network ---- */

/* `out` NULL: a new value. */
static struct value *add_node(struct fold *f, enum op op, size_t n_in, struct value *const *in,
                              struct value *out, const char *suffix)
{
    struct graph *g = f->g;
    const char *name = arena_printf(g->arena, "%s.%s", f->x->name, suffix);
    struct node *n = graph_insert_node(g, &g->body, f->at++, op, out ? out->name : name, n_in, 1);
    memcpy(n->in, in, n_in * sizeof *in);
    if (out) {
        n->out[0] = out;
        out->role = VALUE_TEMP;
        out->producer = n;
    } else {
        graph_node_output(g, n, 0, name);
    }
    return n->out[0];
}

static void infer(struct fold *f, const struct value *v)
{
    struct error err;
    error_init(&err);
    bool ok = graph_infer_node(f->g, v->producer, &err);
    assert(ok);
    (void)ok;
}

static struct value *ints(struct fold *f, const char *suffix, int64_t v)
{
    const char *name = arena_printf(f->g->arena, "%s.%s", f->x->name, suffix);
    return graph_add_constant(f->g, name, tensor_from_ints(f->g->arena, &v, 1));
}

static int channel_axis(const struct fold *f, bool channels_last)
{
    int rank = f->x->shape.rank;
    return channels_last ? rank - 1 : rank - 3;
}

/* The channels of the pixels from the last to the first. */
static struct value *add_reversal(struct fold *f, struct value *v)
{
    struct value *in[5] = {v};
    in[1] = ints(f, "from", -1);
    in[2] = ints(f, "to", INT64_MIN);
    in[3] = ints(f, "channels", channel_axis(f, true));
    in[4] = ints(f, "back", -1);
    struct value *y = add_node(f, OP_slice, 5, in, NULL, "reversed");
    infer(f, y);
    return y;
}

/* HWC to CHW. */
static struct value *add_transpose(struct fold *f, struct value *v)
{
    int rank = v->shape.rank;
    struct value *y = add_node(f, OP_transpose, 1, &v, NULL, "planes");
    struct transpose_attrs *a = y->producer->attrs;
    int64_t *perm = arena_array(f->g->arena, (size_t)rank, sizeof *perm);
    for (int d = 0; d < rank; d++)
        perm[d] = d;
    perm[rank - 3] = rank - 1;
    perm[rank - 2] = rank - 3;
    perm[rank - 1] = rank - 2;
    a->perm.v = perm;
    a->perm.n = (size_t)rank;
    infer(f, y);
    return y;
}

/* The input that the client sees takes the place and name of the model's. */
static struct value *add_pixels(struct fold *f, size_t input)
{
    struct graph *g = f->g;
    struct value *v = graph_add_value(g, NULL, VALUE_INPUT);
    const char *name = f->x->name;
    v->dtype = DTYPE_U8;
    v->shape = f->x->shape;
    v->layout = layout_plain(v->shape.rank);
    if (!f->px->channels_last) {
        int rank = v->shape.rank;
        v->shape.dims[rank - 3] = f->x->shape.dims[rank - 2];
        v->shape.dims[rank - 2] = f->x->shape.dims[rank - 1];
        v->shape.dims[rank - 1] = f->x->shape.dims[rank - 3];
    }
    g->body.in[input] = v;
    graph_rename_value(g, f->x, arena_printf(g->arena, "%s.values", name));
    graph_rename_value(g, v, name);
    return v;
}

/* ---- by tables ---- */

/* Whether table[c][p] = p + *out_step for all bytes: 0 for u8, -128 for i8. */
static bool is_step(const struct tensor *table, int64_t *out_step)
{
    if (table->dtype != DTYPE_U8 && table->dtype != DTYPE_I8)
        return false;
    int64_t step = table->dtype == DTYPE_U8 ? 0 : -128;
    for (int64_t i = 0, n = tensor_elems(table); i < n; i++)
        if (tensor_get_int(table, i) != i % PIXEL_VALUES + step)
            return false;
    *out_step = step;
    return true;
}

/* The input that holds the zero point of input 0; 0: the operator has none. */
static size_t zero_input(enum op op)
{
    switch (op) {
    case OP_dequantize_linear:
    case OP_conv_integer:
    case OP_matmul_integer:
    case OP_qlinear_conv:
        return 2;
    default:
        return 0;
    }
}

static const struct tensor *zero_of(const struct node *n, enum dtype dtype, struct arena *a)
{
    size_t i = zero_input(n->op);
    if (i >= n->n_in || !n->in[i])
        return tensor_new(a, dtype, 0, NULL);
    const struct value *v = n->in[i];
    return v->role == VALUE_CONST && tensor_elems(v->constant) == 1 ? v->constant : NULL;
}

/* The node reads v, and v - step is what it can read as well. */
static bool can_step(const struct fold *f, const struct node *n, const struct value *v,
                     int64_t step)
{
    if (!zero_input(n->op) || n->in[0] != v)
        return false;
    for (size_t i = 1; i < n->n_in; i++)
        if (n->in[i] == v)
            return false;
    const struct tensor *zero = zero_of(n, v->dtype, f->g->arena);
    int64_t moved = zero ? tensor_get_int(zero, 0) - step : -1;
    return moved >= 0 && moved < PIXEL_VALUES;
}

static void take_step(struct fold *f, struct node *n, struct value *pixels, int64_t step)
{
    size_t i = zero_input(n->op);
    const struct tensor *was = zero_of(n, n->in[0]->dtype, f->g->arena);
    struct tensor *zero = tensor_new(f->g->arena, DTYPE_U8, was->rank, was->dims);
    tensor_set_int(zero, 0, tensor_get_int(was, 0) - step);
    n->in[0] = pixels;
    struct value *v =
        graph_add_constant(f->g, arena_printf(f->g->arena, "%s.zero", f->x->name), zero);
    if (i >= n->n_in) {
        struct value **in = arena_array(f->g->arena, i + 1, sizeof *in);
        memcpy(in, n->in, n->n_in * sizeof *in);
        n->in = in;
        n->n_in = i + 1;
    }
    n->in[i] = v;
}

/* Readers that can take the pixels themselves do; says whether v is still needed. */
static bool give_step(struct fold *f, struct value *v, struct value *pixels, int64_t step)
{
    struct block *b = &f->g->body;
    uint32_t left = v->n_uses;
    for (size_t i = 0; i < b->n_nodes; i++) {
        if (!b->nodes[i]->n_in || !can_step(f, b->nodes[i], v, step))
            continue;
        take_step(f, b->nodes[i], pixels, step);
        left--;
    }
    return left > 0;
}

static bool rows_are_equal(const struct tensor *table)
{
    size_t row = (size_t)tensor_bytes(table) / (size_t)table->dims[0];
    const uint8_t *data = table->data;
    for (int64_t c = 1; c < table->dims[0]; c++)
        if (memcmp(data, data + (size_t)c * row, row) != 0)
            return false;
    return true;
}

/* v, whose producer is gone, is table[c][pixel]. */
static void add_table(struct fold *f, struct value *v, struct value *pixels,
                      const struct tensor *table)
{
    int64_t step, all = PIXEL_VALUES;
    if (is_step(table, &step)) {
        struct quant q = v->quant;
        if (q.scale != 0)
            f->input->quant = (struct quant){q.scale, q.zero_point - (int32_t)step};
        if (!give_step(f, v, pixels, step)) {
            graph_drop_value(f->g, v);
            return;
        }
    }
    if (rows_are_equal(table)) {
        struct tensor *one = tensor_new(f->g->arena, table->dtype, 1, &all);
        memcpy(tensor_data(one), table->data, (size_t)tensor_bytes(one));
        table = one;
    }
    struct value *in[2] = {pixels};
    in[1] = graph_add_constant(f->g, arena_printf(f->g->arena, "%s.table", v->name), table);
    add_node(f, OP_lookup, 2, in, v, "");
    ((struct lookup_attrs *)v->producer->attrs)->axis = channel_axis(f, f->px->channels_last);
    infer(f, v);
}

/* What QuantizeLinear makes of the input's values. */
static const struct tensor *quantized_table(const struct fold *f, const struct node *q)
{
    struct quant to;
    if (q->op != OP_quantize_linear || q->in[0] != f->x || f->x->dtype != DTYPE_F32 ||
        !lq_target(q, &to))
        return NULL;
    const struct tensor *value = f->px->value;
    struct tensor *t = tensor_new(f->g->arena, q->out[0]->dtype, 2, value->dims);
    for (int64_t i = 0, n = tensor_elems(value); i < n; i++)
        tensor_set_int(t, i, lq_quantize((float)tensor_get(value, i), &to, t->dtype));
    return t;
}

/* Every reader quantizes: tables of what they make.  False, and nothing done, where one does
   not. */
static bool fold_quantized(struct fold *f, struct value *pixels)
{
    struct block *b = &f->g->body;
    uint32_t n_quantize = 0;
    for (size_t i = 0; i < b->n_nodes; i++)
        n_quantize += b->nodes[i]->n_in && quantized_table(f, b->nodes[i]) != NULL;
    if (n_quantize == 0 || n_quantize < f->x->n_uses)
        return false;
    for (size_t i = 0; i < b->n_nodes; i++) {
        struct node *q = b->nodes[i];
        const struct tensor *table = q->n_in ? quantized_table(f, q) : NULL;
        if (!table)
            continue;
        struct value *v = q->out[0];
        if (v->quant.scale == 0)
            lq_target(q, &v->quant);
        q->op = OP_NONE;
        q->n_out = 0;
        size_t before = f->at;
        add_table(f, v, pixels, table);
        i += f->at - before;
    }
    graph_drop_value(f->g, f->x);
    return true;
}

/* ---- into float weights ---- */

/* The contraction that takes the scales: input 1 of `node` holds weights, input 0 is x or, of a
   product, views of it. */
struct taker {
    struct node *node;
    bool reads_border; /* zeroes beside the picture */
    int64_t groups;    /* of a convolution */
    int64_t n_k;       /* of a product: elements of a picture */
    int64_t n_n;       /* outputs */
};

static struct node *only_reader(const struct fold *f, const struct value *v)
{
    struct block *b = &f->g->body;
    for (size_t i = 0; v->n_uses == 1 && i < b->n_nodes; i++)
        if (b->nodes[i]->n_in && b->nodes[i]->in[0] == v)
            return b->nodes[i];
    return NULL;
}

static bool has_float_weights(const struct node *n)
{
    bool bias = n->n_in > 2 && n->in[2];
    return n->in[1]->role == VALUE_CONST && n->in[1]->dtype == DTYPE_F32 &&
           (!bias || n->in[2]->role == VALUE_CONST);
}

static bool find_conv(struct node *n, struct taker *out)
{
    const struct conv_attrs *a = n->attrs;
    struct window_spec spec = WINDOW_SPEC(a, false);
    struct conv_geometry c;
    struct error err;
    error_init(&err);
    if (!has_float_weights(n) || !conv_geometry(n, &spec, a->group, 1, 2, &c, &err))
        return false;
    *out = (struct taker){.node = n,
                          .reads_border = c.window.any_outside,
                          .groups = c.groups,
                          .n_n = c.groups * c.out_per_group};
    return true;
}

static bool find_product(const struct fold *f, struct node *n, struct taker *out)
{
    const struct shape *x = &f->x->shape;
    int64_t n_k = x->dims[x->rank - 1] * x->dims[x->rank - 2] * x->dims[x->rank - 3];
    const struct gemm_attrs *a = n->op == OP_gemm ? n->attrs : NULL;
    const struct shape *rows = &n->in[0]->shape, *w = &n->in[1]->shape;
    int k = a && a->transB ? 1 : 0;
    if (!has_float_weights(n) || (a && a->transA) || rows->rank != 2 || w->rank != 2 ||
        rows->dims[1] != n_k || w->dims[k] != n_k)
        return false;
    *out = (struct taker){.node = n, .n_k = n_k, .n_n = w->dims[1 - k]};
    return true;
}

static bool find_taker(const struct fold *f, struct taker *out)
{
    const struct value *v = f->x;
    if (v->dtype != DTYPE_F32 || !shape_is_static(&v->shape))
        return false;
    struct node *n = only_reader(f, v);
    if (n && n->op == OP_conv)
        return find_conv(n, out) && !f->px->channels_last;
    while (n && (op_desc(n->op)->flags & OP_VIEW) && n->n_out == 1 &&
           shape_is_static(&n->out[0]->shape))
        n = only_reader(f, n->out[0]);
    return n && (n->op == OP_gemm || n->op == OP_matmul) && find_product(f, n, out);
}

static void set_constant(struct fold *f, struct node *n, size_t i, const char *what,
                         const struct tensor *t)
{
    struct graph *g = f->g;
    struct value *was = i < n->n_in ? n->in[i] : NULL;
    const char *name = was ? was->name : arena_printf(g->arena, "%s.%s", n->out[0]->name, what);
    struct value *v = graph_add_constant(g, name, t);
    if (was && was->n_uses == 1) {
        const char *taken = was->name;
        graph_drop_value(g, was);
        graph_rename_value(g, v, taken);
    }
    if (i >= n->n_in) {
        struct value **in = arena_array(g->arena, i + 1, sizeof *in);
        memcpy(in, n->in, n->n_in * sizeof *in);
        n->in = in;
        n->n_in = i + 1;
    }
    n->in[i] = v;
}

/* Channel and output that a weight belongs to. */
struct place {
    int64_t channel, output;
};

static struct place place_of(const struct fold *f, const struct taker *t, int64_t i)
{
    const struct node *n = t->node;
    const struct tensor *w = n->in[1]->constant;
    struct place p;
    if (n->op == OP_conv) {
        int64_t inner = 1;
        for (int d = 2; d < w->rank; d++)
            inner *= w->dims[d];
        p.output = i / (inner * w->dims[1]);
        p.channel = p.output / (t->n_n / t->groups) * w->dims[1] + i / inner % w->dims[1];
        return p;
    }
    bool rows_of_k = n->op == OP_gemm && ((const struct gemm_attrs *)n->attrs)->transB;
    int64_t k = rows_of_k ? i % t->n_k : i / t->n_n;
    p.output = rows_of_k ? i / t->n_k : i % t->n_n;
    p.channel = f->px->channels_last ? k % f->px->channels : k / (t->n_k / f->px->channels);
    return p;
}

/* Where the weight goes when the channels are turned round. */
static int64_t reversed_place(const struct tensor *w, int64_t i, int channels)
{
    int64_t inner = 1;
    for (int d = 2; d < w->rank; d++)
        inner *= w->dims[d];
    int64_t c = i / inner % channels;
    return i + (channels - 1 - 2 * c) * inner;
}

/* Sums of weight * shift are added to the bias. */
static void add_to_bias(struct fold *f, const struct taker *t)
{
    struct node *n = t->node;
    const struct tensor *w = n->in[1]->constant;
    const struct tensor *bias = n->n_in > 2 && n->in[2] ? n->in[2]->constant : NULL;
    struct gemm_attrs *gemm = n->op == OP_gemm ? n->attrs : NULL;
    struct arena scratch;
    arena_init(&scratch);
    double *sum = arena_array(&scratch, (size_t)t->n_n, sizeof *sum);
    for (int64_t i = 0, n_w = tensor_elems(w); i < n_w; i++) {
        struct place p = place_of(f, t, i);
        sum[p.output] += tensor_get(w, i) * f->px->shift[p.channel];
    }
    struct tensor *r = tensor_new(f->g->arena, DTYPE_F32, 1, &t->n_n);
    for (int64_t o = 0; o < t->n_n; o++) {
        double b = bias ? tensor_get(bias, tensor_elems(bias) == 1 ? 0 : o) : 0;
        if (gemm)
            b = b * (double)gemm->beta + sum[o] * (double)gemm->alpha;
        else
            b += sum[o];
        tensor_set(r, o, b);
    }
    if (gemm)
        gemm->beta = 1;
    arena_done(&scratch);
    set_constant(f, n, 2, "bias", r);
}

/* Whether the node has room for a bias of one value per output. */
static bool takes_bias(const struct taker *t)
{
    const struct node *n = t->node;
    if (n->op == OP_matmul || t->reads_border)
        return false;
    if (n->op == OP_conv || n->n_in < 3 || !n->in[2])
        return true;
    const struct tensor *c = n->in[2]->constant;
    int64_t elems = tensor_elems(c);
    return elems == 1 || (elems == t->n_n && c->dims[c->rank - 1] == t->n_n);
}

static bool has_shift(const struct interface_pixels *px)
{
    for (int c = 0; c < px->channels; c++)
        if (px->shift[c] != 0)
            return true;
    return false;
}

static void scale_weights(struct fold *f, const struct taker *t, bool reverse)
{
    const struct tensor *w = t->node->in[1]->constant;
    struct tensor *r = tensor_new(f->g->arena, DTYPE_F32, w->rank, w->dims);
    for (int64_t i = 0, n = tensor_elems(w); i < n; i++)
        tensor_set(r, reverse ? reversed_place(w, i, f->px->channels) : i,
                   tensor_get(w, i) * f->px->scale[place_of(f, t, i).channel]);
    set_constant(f, t->node, 1, "weights", r);
}

/* The pixels that stand for zero, in the order of the values' channels, to broadcast to them. */
static struct value *add_zero_pixels(struct fold *f, bool reverse)
{
    const struct interface_pixels *px = f->px;
    int64_t dims[3] = {1, 1, 1};
    dims[px->channels_last ? 2 : 0] = px->channels;
    struct tensor *t = tensor_new(f->g->arena, DTYPE_F32, 3, dims);
    for (int c = 0; c < px->channels; c++)
        tensor_set(t, reverse ? px->channels - 1 - c : c, -px->shift[c] / px->scale[c]);
    return graph_add_constant(f->g, arena_printf(f->g->arena, "%s.zero", f->x->name), t);
}

/* x becomes the pixels as floats, less those that stand for zero where the bias does not take the
   shift. */
static void fold_weights(struct fold *f, const struct taker *t, struct value *pixels, bool reverse)
{
    bool subtract = has_shift(f->px) && !takes_bias(t);
    if (has_shift(f->px) && !subtract)
        add_to_bias(f, t);
    scale_weights(f, t, reverse);
    struct value *in[2] = {pixels};
    in[0] = add_node(f, OP_cast, 1, in, subtract ? NULL : f->x, "floats");
    infer(f, in[0]);
    if (!subtract)
        return;
    in[1] = add_zero_pixels(f, reverse);
    add_node(f, OP_sub, 2, in, f->x, "");
    infer(f, f->x);
}

/* ---- the pass ---- */

bool pass_fold_preprocessing(struct graph *g, const struct pass_options *opt, bool *out_changed,
                             struct error *err)
{
    (void)err;
    const struct interface_pixels *px = opt->interface ? opt->interface->pixels : NULL;
    size_t input = 0;
    *out_changed = false;
    while (px && input < g->body.n_in && strcmp(g->body.in[input]->name, px->input) != 0)
        input++;
    if (!px || input == g->body.n_in || g->body.in[input]->dtype != px->value->dtype)
        return true;
    struct fold f = {.g = g, .px = px, .x = g->body.in[input]};
    struct taker taker = {0};
    graph_count_uses(g);
    bool weights = find_taker(&f, &taker);
    bool turned = px->bgr && px->channels > 1;
    bool turn_weights = turned && weights && taker.groups == 1;
    struct value *pixels = f.input = add_pixels(&f, input);
    if (turned && !turn_weights)
        pixels = add_reversal(&f, pixels);
    if (!px->channels_last)
        pixels = add_transpose(&f, pixels);
    if (weights)
        fold_weights(&f, &taker, pixels, turn_weights);
    else if (!fold_quantized(&f, pixels))
        add_table(&f, f.x, pixels, px->value);
    graph_sweep(g);
    *out_changed = true;
    return true;
}
