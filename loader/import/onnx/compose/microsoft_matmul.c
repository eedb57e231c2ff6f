/*
 * ONNX Runtime's products with quantized matrices (domain com.microsoft), as its quantizers and its
 * optimizer write them.
 */
#include "loader/import/onnx/compose/compose.h"

/* ---- 8 bits ---- */

/* The sums of the product in numbers, plus a bias: output 0. */
static bool finish_product(struct onnx *o, struct draft *d, struct value *const *in,
                           struct value *a_scale, struct value *b_scale, struct value *bias)
{
    size_t n_in = in[3] ? 4 : in[2] ? 3 : 2;
    struct value *y = build_op(&o->im, OP_matmul_integer, d->name, in, n_in, NULL);
    struct value *scale = compose_binary(o, OP_mul, a_scale, b_scale, NULL);
    const char *name = draft_output_name(d);
    y = scale ? build_cast(&o->im, NULL, y, scale->dtype, NULL) : NULL;
    y = compose_binary(o, OP_mul, y, scale, bias ? NULL : name);
    return draft_finish(o, d, bias ? compose_binary(o, OP_add, y, bias, name) : y);
}

/* A, B, a_scale, b_scale, a_zero_point, b_zero_point, bias. */
bool onnx_compose_matmul_integer_to_float(struct onnx *o, struct draft *d)
{
    if (!draft_need_inputs(o, d, 4))
        return false;
    struct value *in[4] = {d->in[0], d->in[1], draft_input(d, 4), draft_input(d, 5)};
    return finish_product(o, d, in, d->in[2], d->in[3], draft_input(d, 6));
}

/* A, which is quantized over its own range, B, b_scale, b_zero_point, bias. */
bool onnx_compose_dynamic_quantize_matmul(struct onnx *o, struct draft *d)
{
    static const char *const names[3] = {NULL};
    if (!draft_need_inputs(o, d, 3))
        return false;
    struct node *q = build_begin(&o->im, OP_dynamic_quantize_linear, d->name, d->in, 1, 3);
    if (!build_end(&o->im, q, names))
        return false;
    struct value *in[4] = {q->out[0], d->in[1], q->out[2], draft_input(d, 3)};
    return finish_product(o, d, in, q->out[1], d->in[2], draft_input(d, 4));
}

/* ---- MatMulNBits ---- */

enum { A, B, SCALES, ZERO_POINTS, GROUPS, BIAS };

struct blocks {
    int64_t rows, columns; /* K, N */
    int64_t size, count;   /* of a block along K; blocks of a column */
    int bits;
    enum dtype dtype;
};

static bool take_blocks(struct onnx *o, struct draft *d, struct blocks *b)
{
    int64_t bits, prepacked;
    draft_take(d, "accuracy_level");
    if (!draft_need_inputs(o, d, 3) || !draft_take_int(o, d, "K", 0, &b->rows) ||
        !draft_take_int(o, d, "N", 0, &b->columns) || !draft_take_int(o, d, "bits", 4, &bits) ||
        !draft_take_int(o, d, "block_size", 0, &b->size) ||
        !draft_take_int(o, d, "weight_prepacked", 0, &prepacked))
        return false;
    if ((bits != 2 && bits != 4 && bits != 8) || prepacked)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "MatMulNBits with %lld bits or prepacked weights is not supported",
                           (long long)bits);
    if (b->rows < 1 || b->columns < 1 || b->size < 1 || b->rows > INT32_MAX ||
        b->columns > INT32_MAX || b->size > INT32_MAX || b->size * bits % 8)
        return draft_error(o, d, SHEAF_ERROR_SHAPE,
                           "K=%lld, N=%lld and block_size=%lld are not possible",
                           (long long)b->rows, (long long)b->columns, (long long)b->size);
    b->count = (b->rows + b->size - 1) / b->size;
    b->bits = (int)bits;
    b->dtype = bits == 2 ? DTYPE_U2 : bits == 4 ? DTYPE_U4 : DTYPE_U8;
    return true;
}

/* Codes of which each of `lines` lines begins with a byte, the first code in the lowest bits, as a
   tensor [length, lines]. */
static struct value *unpacked(struct onnx *o, const struct blocks *b, const struct tensor *t,
                              int64_t length, int64_t lines)
{
    int64_t per_byte = 8 / b->bits, line = tensor_elems(t) / lines;
    const int64_t dims[] = {length, lines};
    struct tensor *out = tensor_new(o->im.arena, b->dtype, 2, dims);
    const uint8_t *data = t->data;
    for (int64_t n = 0; n < lines; n++)
        for (int64_t k = 0; k < length; k++) {
            int shift = (int)(k % per_byte) * b->bits;
            int code = data[n * line + k / per_byte] >> shift & ((1 << b->bits) - 1);
            tensor_set_int(out, k * lines + n, code);
        }
    return graph_add_constant(o->im.g, NULL, out);
}

/* Input i, constant bytes of which there are `bytes` for each column. */
static const struct tensor *need_codes(struct onnx *o, const struct draft *d,
                                       const struct blocks *b, size_t i, int64_t bytes)
{
    const struct value *v = d->in[i];
    if (!value_is_constant(v) || v->dtype != DTYPE_U8) {
        draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                    "MatMulNBits is supported only where '%s' is constant bytes", v->name);
        return NULL;
    }
    if (tensor_elems(v->constant) == bytes * b->columns)
        return v->constant;
    draft_error(o, d, SHEAF_ERROR_SHAPE, "'%s' has %lld bytes where %lld are needed", v->name,
                (long long)tensor_elems(v->constant), (long long)(bytes * b->columns));
    return NULL;
}

/* Without zero points they are in the middle of the range. */
static struct value *zero_points(struct onnx *o, const struct draft *d, const struct blocks *b)
{
    const struct shape shape = {.rank = 2, .dims = {b->count, b->columns}};
    if (!draft_input(d, ZERO_POINTS))
        return build_filled(&o->im, d->name, NULL, b->dtype, &shape, 1 << (b->bits - 1));
    int64_t bytes = (b->count * b->bits + 7) / 8;
    const struct tensor *t = need_codes(o, d, b, ZERO_POINTS, bytes);
    return t ? unpacked(o, b, t, b->count, b->columns) : NULL;
}

/* Columns in order are all that is read: g_idx[k] = k / block_size. */
static bool check_order(struct onnx *o, const struct draft *d, const struct blocks *b)
{
    const struct value *v = draft_input(d, GROUPS);
    bool plain = !v || value_is_constant(v);
    for (int64_t k = 0; plain && v && k < tensor_elems(v->constant); k++)
        plain = tensor_get_int(v->constant, k) == k / b->size;
    return plain || draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                                "MatMulNBits with rows in another order (g_idx) is not supported");
}

/* The weights [K, N] as DequantizeLinear in blocks. */
bool onnx_compose_matmul_n_bits(struct onnx *o, struct draft *d)
{
    static const int64_t perm[] = {1, 0};
    struct blocks b;
    if (!take_blocks(o, d, &b) || !check_order(o, d, &b))
        return false;
    const struct tensor *t = need_codes(o, d, &b, B, b.count * (b.size * b.bits / 8));
    const int64_t per_column[] = {b.columns, b.count};
    if (!t || !compose_need_static(o, d, SCALES, -1))
        return false;
    if (shape_elems(&d->in[SCALES]->shape) != b.columns * b.count)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "'%s' has %lld scales where %lld are needed",
                           d->in[SCALES]->name, (long long)shape_elems(&d->in[SCALES]->shape),
                           (long long)(b.columns * b.count));
    struct value *in[3] = {unpacked(o, &b, t, b.rows, b.columns)};
    in[1] = compose_reshape(o, d->in[SCALES], 2, per_column, NULL);
    in[1] = compose_transpose(o, in[1], perm, NULL);
    in[2] = zero_points(o, d, &b);
    if (!in[1] || !in[2])
        return false;
    struct node *n = build_begin(&o->im, OP_dequantize_linear, d->in[B]->name, in, 3, 1);
    struct dequantize_linear_attrs *a = n->attrs;
    a->axis = 0;
    a->block_size = b.size;
    struct value *w = build_end1(&o->im, n, NULL), *bias = draft_input(d, BIAS);
    const char *name = draft_output_name(d);
    struct value *y = compose_binary(o, OP_matmul, d->in[A], w, bias ? NULL : name);
    return draft_finish(o, d, bias ? compose_binary(o, OP_add, y, bias, name) : y);
}
