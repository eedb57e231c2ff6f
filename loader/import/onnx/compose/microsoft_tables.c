/*
 * ONNX Runtime's tables and weights in few bits, taken apart (domain com.microsoft).
 */
#include <string.h>

#include "loader/import/onnx/compose/compose.h"

/* ---- MatMulBnb4: 16 floats, which 4 bits choose, times the largest number of a block ---- */

enum { FP4, NF4 };

static const float bnb_tables[2][16] = {
    {0, 0x1.555556p-8f, 0x1.555556p-1f, 1, 0x1.555556p-2f, 0.5f, 0x1.555556p-3f, 0.25f, 0,
     -0x1.555556p-8f, -0x1.555556p-1f, -1, -0x1.555556p-2f, -0.5f, -0x1.555556p-3f, -0.25f},
    {-1, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f,
     -0.18477343022823334f, -0.09105003625154495f, 0, 0.07958029955625534f, 0.16093020141124725f,
     0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f,
     0.7229568362236023f, 1},
};

struct bnb {
    int64_t rows, columns, block, kind;
};

/* Weights [N, K]; the first of two lies in a byte's upper bits. */
static struct value *bnb_weights(struct onnx *o, const struct bnb *b, const struct tensor *codes,
                                 const struct tensor *most)
{
    const int64_t dims[] = {b->columns, b->rows};
    struct tensor *t = tensor_new(o->im.arena, most->dtype, 2, dims);
    const uint8_t *data = codes->data;
    int64_t n = tensor_elems(t);
    for (int64_t i = 0; i < n; i++) {
        int code = i % 2 ? data[i / 2] & 15 : data[i / 2] >> 4;
        tensor_set(t, i, (double)bnb_tables[b->kind][code] * tensor_get(most, i / b->block));
    }
    return graph_add_constant(o->im.g, NULL, t);
}

bool onnx_compose_matmul_bnb4(struct onnx *o, struct draft *d)
{
    static const int64_t perm[] = {1, 0};
    struct bnb b;
    int64_t turned;
    draft_take(d, "training_mode");
    if (!draft_need_inputs(o, d, 3) || !draft_take_int(o, d, "K", 0, &b.rows) ||
        !draft_take_int(o, d, "N", 0, &b.columns) ||
        !draft_take_int(o, d, "block_size", 0, &b.block) ||
        !draft_take_int(o, d, "quant_type", NF4, &b.kind) ||
        !draft_take_int(o, d, "transB", 1, &turned))
        return false;
    const struct tensor *codes = d->in[1]->constant, *most = d->in[2]->constant;
    if (!codes || !most || codes->dtype != DTYPE_U8 || !turned || (b.kind != FP4 && b.kind != NF4))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "MatMulBnb4 is supported only with constant weights in columns, of the "
                           "kinds FP4 and NF4");
    int64_t most_elems = BUILD_MAX_FILLED_BYTES;
    bool fits = b.rows >= 1 && b.columns >= 1 && b.block >= 1 && b.rows <= most_elems / b.columns;
    int64_t n = fits ? b.rows * b.columns : 0;
    if (!fits || tensor_elems(codes) != (n + 1) / 2 || tensor_elems(most) != (n - 1) / b.block + 1)
        return draft_error(o, d, SHEAF_ERROR_SHAPE,
                           "%lld bytes and %lld scales do not fit K=%lld, N=%lld, block_size=%lld",
                           (long long)tensor_elems(codes), (long long)tensor_elems(most),
                           (long long)b.rows, (long long)b.columns, (long long)b.block);
    struct value *w = compose_transpose(o, bnb_weights(o, &b, codes, most), perm, NULL);
    return draft_finish(o, d, compose_binary(o, OP_matmul, d->in[0], w, draft_output_name(d)));
}

/* ---- GatherBlockQuantized ---- */

enum { DATA, INDICES, SCALES, ZEROS };

struct table {
    int64_t gather_axis, axis, block, bits;
};

static bool take_table(struct onnx *o, struct draft *d, struct table *t)
{
    if (!compose_need_static(o, d, DATA, -1) || !compose_need_static(o, d, SCALES, -1) ||
        !draft_take_int(o, d, "gather_axis", 0, &t->gather_axis) ||
        !draft_take_int(o, d, "quantize_axis", 1, &t->axis) ||
        !draft_take_int(o, d, "block_size", 128, &t->block) ||
        !draft_take_int(o, d, "bits", 4, &t->bits))
        return false;
    int rank = d->in[DATA]->shape.rank;
    t->gather_axis += t->gather_axis < 0 ? rank : 0;
    t->axis += t->axis < 0 ? rank : 0;
    if (t->gather_axis < 0 || t->axis < 0 || t->gather_axis >= rank || t->axis >= rank ||
        t->block < 1 || (t->bits != 4 && t->bits != 8) || t->gather_axis == t->axis)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "GatherBlockQuantized with gather_axis %lld, quantize_axis %lld, "
                           "block_size %lld and %lld bits in %d dimensions is not supported",
                           (long long)t->gather_axis, (long long)t->axis, (long long)t->block,
                           (long long)t->bits, rank);
    return true;
}

/* Of bytes with two codes each, the lower bits first, the first n codes of each row. */
static struct value *unpacked(struct onnx *o, const struct draft *d, struct value *x, int64_t n)
{
    struct value *in[2] = {compose_number(o, OP_bit_and, x, 15)}, *by[2] = {x};
    by[1] = build_number(&o->im, x, 4);
    struct node *shift = build_begin(&o->im, OP_bit_shift, d->name, by, 2, 1);
    ((struct bit_shift_attrs *)shift->attrs)->direction = "RIGHT";
    in[1] = build_end1(&o->im, shift, NULL);
    struct value *both = in[0] && in[1] ? compose_stack(o, in, 2, x->shape.rank) : NULL;
    int64_t dims[MAX_RANK];
    memcpy(dims, x->shape.dims, sizeof dims);
    dims[x->shape.rank - 1] *= 2;
    both = compose_reshape(o, both, x->shape.rank, dims, NULL);
    return both ? compose_slice(o, both, x->shape.rank - 1, 0, n, NULL) : NULL;
}

/* Elements of x at the indices. */
static struct value *gathered(struct onnx *o, const struct draft *d, const struct table *t,
                              struct value *x)
{
    struct value *in[] = {x, d->in[INDICES]};
    struct node *n = build_begin(&o->im, OP_gather, d->name, in, 2, 1);
    ((struct gather_attrs *)n->attrs)->axis = t->gather_axis;
    return build_end1(&o->im, n, NULL);
}

/* Zero points that are not given: the middle of the range of bytes. */
static struct value *middle(struct onnx *o, const struct draft *d, const struct table *t,
                            const struct value *scale)
{
    double v = t->bits == 4 ? 8 : 128;
    return build_filled(&o->im, d->name, NULL, DTYPE_U8, &scale->shape, v);
}

/* What is taken is widened, not the table. */
bool onnx_compose_gather_block_quantized(struct onnx *o, struct draft *d)
{
    struct table t;
    if (!draft_need_inputs(o, d, 3) || !take_table(o, d, &t) ||
        !compose_need_static(o, d, INDICES, -1))
        return false;
    bool bytes = d->in[DATA]->dtype == DTYPE_U8, packed = bytes && t.bits == 4;
    struct value *zeros = draft_input(d, ZEROS), *in[3] = {gathered(o, d, &t, d->in[DATA])};
    in[1] = in[0] ? gathered(o, d, &t, d->in[SCALES]) : NULL;
    if (!in[1])
        return false;
    int64_t columns = in[0]->shape.dims[in[0]->shape.rank - 1];
    if (packed)
        in[0] = unpacked(o, d, in[0], 2 * columns);
    if (zeros)
        in[2] = gathered(o, d, &t, zeros);
    if (zeros && packed && in[2])
        in[2] = unpacked(o, d, in[2], in[1]->shape.dims[in[1]->shape.rank - 1]);
    if (bytes && !zeros)
        in[2] = middle(o, d, &t, in[1]);
    if (!in[0] || ((zeros || bytes) && !in[2]))
        return false;
    struct node *n = build_begin(&o->im, OP_dequantize_linear, d->name, in, in[2] ? 3 : 2, 1);
    struct dequantize_linear_attrs *a = n->attrs;
    a->axis = t.axis + (t.axis > t.gather_axis ? d->in[INDICES]->shape.rank - 1 : 0);
    a->block_size = t.block;
    return draft_finish(o, d, build_end1(&o->im, n, draft_output_name(d)));
}

/* ---- 8 bits ---- */

/* (x - zero point) scale; both are scalars or have the shape of `like`. */
static struct value *widened(struct onnx *o, struct value *x, struct value *scale,
                             struct value *zero)
{
    x = build_cast(&o->im, NULL, x, DTYPE_F32, NULL);
    if (zero)
        x = compose_binary(o, OP_sub, x, build_cast(&o->im, NULL, zero, DTYPE_F32, NULL), NULL);
    return compose_binary(o, OP_mul, x, scale, NULL);
}

/* EmbedLayerNormalization with tables in 8 bits: behind its inputs are their five scales, then
   their zero points. */
bool onnx_compose_q_embed_layer_norm(struct onnx *o, struct draft *d)
{
    enum { FIRST = 2, TABLES = 5, MASK = 7, FIRST_SCALE = 8, FIRST_ZERO = 13 };
    struct value *mask = draft_input(d, MASK);
    for (size_t i = 0; i < TABLES; i++) {
        struct value *x = draft_input(d, FIRST + i), *scale = draft_input(d, FIRST_SCALE + i);
        if (!x)
            continue;
        if (!scale)
            return draft_error(o, d, SHEAF_ERROR_SHAPE, "%s lacks its input %zu", d->op_type,
                               FIRST_SCALE + i);
        d->in[FIRST + i] = widened(o, x, scale, draft_input(d, FIRST_ZERO + i));
        if (!d->in[FIRST + i])
            return false;
    }
    d->n_in = d->n_in > MASK ? MASK : d->n_in;
    if (mask)
        draft_set_input(o, d, MASK, mask);
    return onnx_compose_embed_layer_norm(o, d);
}

/* Weights [directions, rows, columns] turned and widened by a scale for each direction, or for each
   of its columns. */
static struct value *lstm_weights(struct onnx *o, struct draft *d, size_t i, size_t scale)
{
    static const int64_t perm[] = {0, 2, 1};
    const struct shape *w = &d->in[i]->shape;
    struct value *by[2] = {draft_input(d, scale), draft_input(d, scale + 1)};
    for (int k = 0; k < 2; k++) {
        if (!by[k])
            continue;
        const int64_t dims[] = {w->dims[0], 1,
                                shape_elems(&by[k]->shape) == w->dims[0] ? 1 : w->dims[2]};
        if (shape_elems(&by[k]->shape) != dims[0] * dims[2]) {
            draft_error(o, d, SHEAF_ERROR_SHAPE, "'%s' has %lld numbers, which do not fit '%s'",
                        by[k]->name, (long long)shape_elems(&by[k]->shape), d->in[i]->name);
            return NULL;
        }
        by[k] = compose_reshape(o, by[k], 3, dims, NULL);
    }
    return compose_transpose(o, widened(o, d->in[i], by[0], by[1]), perm, NULL);
}

/* An LSTM whose weights have 8 bits.  ONNX Runtime rounds what they are multiplied with to 8 bits,
   too; here it stays a float. */
bool onnx_compose_dynamic_quantize_lstm(struct onnx *o, struct draft *d)
{
    enum { W = 1, R = 2, PEEPHOLES = 7, W_SCALE = 8, R_SCALE = 10 };
    if (!draft_need_inputs(o, d, 3) || !compose_need_static(o, d, W, 3) ||
        !compose_need_static(o, d, R, 3) || !compose_need_static(o, d, W_SCALE, -1) ||
        !compose_need_static(o, d, R_SCALE, -1))
        return false;
    struct value *w = lstm_weights(o, d, W, W_SCALE),
                 *r = w ? lstm_weights(o, d, R, R_SCALE) : NULL;
    if (!r)
        return false;
    d->in[W] = w;
    d->in[R] = r;
    d->n_in = PEEPHOLES + 1;
    while (!d->in[d->n_in - 1])
        d->n_in--;
    d->op_type = "LSTM";
    d->op = OP_lstm;
    return true;
}
