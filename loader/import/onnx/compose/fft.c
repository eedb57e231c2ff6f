/*
 * Fourier transforms as products with constant matrices of sines and cosines.  Complex numbers are
 * pairs of elements, so one real product of [.., 2 n] by [2 n, 2 bins] is a transform of length n.
 *
 * A length n = r m of many elements is taken apart (Cooley and Tukey): with i = m i1 + i2 and
 * k = k1 + r k2,
 *     X[k] = sum over i2 of w_m^(i2 k2) w_n^(i2 k1) (sum over i1 of x[i] w_r^(i1 k1))
 * that is transforms of length r, one factor for each element, and transforms of length m, which
 * may be taken apart again.  Multiplications per element, of complex numbers: 4 n in one product,
 * or 4 (r + m) and what it costs to move all elements three times: it pays from about 1000 elements
 * on.
 */
#include <math.h>

#include "loader/import/onnx/compose/dft.h"

/* cos(2 pi m / n), and with `sine` the sine; exact where it is 0 or 1. */
static double wave(int64_t m, int64_t n, bool sine)
{
    static const double pi = 3.14159265358979323846, quarter[] = {1, 0, -1, 0};
    m %= n;
    if (4 * m % n == 0)
        return quarter[(4 * m / n + (sine ? 3 : 0)) % 4];
    double angle = 2 * pi * (double)m / (double)n;
    return sine ? sin(angle) : cos(angle);
}

/* What part `in` of input i adds to part `out` of output k. */
static double factor(const struct transform *t, int64_t i, int in, int64_t k, int out)
{
    double f = wave(i * k, t->length, in != out);
    /* exp(-j x) = cos x - j sin x, and j * j = -1; the inverse has exp(j x). */
    if (in != out && (in == 1) == t->inverse)
        f = -f;
    if (t->inverse)
        f /= (double)t->length;
    /* The other half is the mirror image. */
    if (t->half && i > 0 && 2 * i != t->length)
        f *= 2;
    return f;
}

bool transform_check(struct onnx *o, const struct draft *d, const struct transform *t)
{
    return (t->length >= 1 && t->length <= BUILD_MAX_FILLED_BYTES && t->used >= 1) ||
           draft_error(o, d, SHEAF_ERROR_SHAPE,
                       "a transform of length %lld of %lld elements is not possible",
                       (long long)t->length, (long long)t->used);
}

struct value *transform_matrix(struct onnx *o, const struct draft *d, const struct transform *t,
                               enum dtype type, bool as_weights)
{
    int64_t rows = t->used * t->in_parts, columns = t->bins * t->out_parts;
    int64_t dims[3] = {rows, columns, 0}, most = BUILD_MAX_FILLED_BYTES;
    if (!compose_reserve(o, d, rows * columns > most ? most + 1 : rows * columns * 8))
        return NULL;
    if (as_weights) {
        dims[0] = columns;
        dims[1] = t->in_parts;
        dims[2] = t->used;
    }
    struct tensor *w = tensor_new(o->im.arena, type, as_weights ? 3 : 2, dims);
    for (int64_t i = 0; i < t->used; i++)
        for (int in = 0; in < t->in_parts; in++)
            for (int64_t k = 0; k < t->bins; k++)
                for (int out = 0; out < t->out_parts; out++) {
                    int64_t row = i * t->in_parts + in, column = k * t->out_parts + out;
                    int64_t at = as_weights ? (column * t->in_parts + in) * t->used + i
                                            : row * columns + column;
                    tensor_set(w, at, factor(t, i, in, k, out));
                }
    return graph_add_constant(o->im.g, NULL, w);
}

/* ---- what it costs ---- */

/* Multiplications that take as long as moving an element three times, and its factor. */
enum { MOVES = 64 };

/* Of a transform of all n elements, taken apart where that is less; *out_radix: r, or 1 for one
   product. */
static double cost(int64_t n, int in_parts, int64_t *out_radix)
{
    enum { MOST = 128 };
    double best = 2.0 * in_parts * (double)n * (double)n;
    *out_radix = 1;
    for (int64_t r = 4; r <= MOST && r * r <= n; r++) {
        int64_t rest;
        if (n % r)
            continue;
        double parts = (double)r * cost(n / r, 2, &rest);
        parts += (double)n * (2.0 * in_parts * (double)r + MOVES);
        if (parts < best) {
            best = parts;
            *out_radix = r;
        }
    }
    return best;
}

/* One product need not make what nobody reads. */
bool transform_is_apart(const struct transform *t)
{
    int64_t radix;
    int parts = t->half ? 2 : t->in_parts;
    double whole = (double)t->used * t->in_parts * (double)t->bins * t->out_parts;
    return cost(t->length, parts, &radix) < whole && radix > 1;
}

/* ---- steps ---- */

static struct value *product(struct onnx *o, const struct draft *d, const struct transform *t,
                             struct value *x)
{
    struct value *w = transform_matrix(o, d, t, x->dtype, false);
    return w ? build_binary(&o->im, OP_matmul, d->name, x, w) : NULL;
}

/* [rows, a, b, parts] becomes [rows, b, a, parts]. */
static struct value *turned(struct onnx *o, struct value *x)
{
    static const int64_t perm[] = {0, 2, 1, 3};
    return compose_transpose(o, x, perm, NULL);
}

/* One part of w_n^(i2 k1), for each of [m, r, 2]: the cosine, or the sine with the sign that it has
   in that part of the result. */
static struct value *turns(struct onnx *o, const struct draft *d, int64_t m, int64_t r,
                           bool inverse, bool sine, enum dtype type)
{
    int64_t dims[3] = {m, r, 2};
    if (!compose_reserve(o, d, m * r * 16))
        return NULL;
    struct tensor *w = tensor_new(o->im.arena, type, 3, dims);
    for (int64_t i = 0; i < m; i++)
        for (int64_t k = 0; k < r; k++)
            for (int out = 0; out < 2; out++) {
                double f = wave(i * k, m * r, sine);
                bool negative = sine && (out == 0) == inverse;
                tensor_set(w, (i * r + k) * 2 + out, negative ? -f : f);
            }
    return graph_add_constant(o->im.g, NULL, w);
}

/* x [rows, m, r, 2] times w_n^(i2 k1): (a + j b) (c + j s) = (a c - b s) + j (b c + a s). */
static struct value *times_turns(struct onnx *o, const struct draft *d, struct value *x,
                                 bool inverse)
{
    static const int64_t other[] = {1, 0};
    int64_t m = x->shape.dims[1], r = x->shape.dims[2];
    struct value *in[] = {x, build_ints(&o->im, NULL, other, 2)};
    struct node *swap = build_begin(&o->im, OP_gather, d->name, in, 2, 1);
    ((struct gather_attrs *)swap->attrs)->axis = 3;
    struct value *swapped = build_end1(&o->im, swap, NULL);
    struct value *cosines = turns(o, d, m, r, inverse, false, x->dtype);
    struct value *sines = turns(o, d, m, r, inverse, true, x->dtype);
    struct value *a = compose_binary(o, OP_mul, x, cosines, NULL);
    struct value *b = compose_binary(o, OP_mul, swapped, sines, NULL);
    return compose_binary(o, OP_add, a, b, NULL);
}

static struct value *shaped(struct onnx *o, struct value *x, int64_t a, int64_t b, int64_t c,
                            int64_t e)
{
    int64_t dims[4] = {a, b, c, e};
    return compose_reshape(o, x, e ? 4 : 3, dims, NULL);
}

/* x [rows, n, in_parts] becomes [rows, n, 2]. */
static struct value *all_bins(struct onnx *o, const struct draft *d, struct value *x, bool inverse)
{
    if (!x)
        return NULL;
    int64_t rows = x->shape.dims[0], n = x->shape.dims[1], parts = x->shape.dims[2], r;
    cost(n, (int)parts, &r);
    if (r == 1) {
        struct transform t = {n, n, n, (int)parts, 2, inverse, false};
        int64_t dims[2] = {rows, n * parts};
        x = compose_reshape(o, x, 2, dims, NULL);
        return shaped(o, x ? product(o, d, &t, x) : NULL, rows, n, 2, 0);
    }
    int64_t m = n / r;
    x = turned(o, shaped(o, x, rows, r, m, parts));
    x = all_bins(o, d, shaped(o, x, rows * m, r, parts, 0), inverse);
    x = shaped(o, x, rows, m, r, 2);
    x = turned(o, x ? times_turns(o, d, x, inverse) : NULL);
    x = all_bins(o, d, shaped(o, x, rows * r, m, 2, 0), inverse);
    x = turned(o, shaped(o, x, rows, r, m, 2));
    return shaped(o, x, rows, n, 2, 0);
}

/* ---- transforms ---- */

/* Zeros behind x [rows, used, parts], up to n elements. */
static struct value *filled(struct onnx *o, const struct draft *d, struct value *x, int64_t n)
{
    if (!x || x->shape.dims[1] == n)
        return x;
    int64_t pads[6] = {0, 0, 0, 0, n - x->shape.dims[1], 0};
    struct value *in[] = {x, build_ints(&o->im, NULL, pads, 6)};
    return build_op(&o->im, OP_pad, d->name, in, 2, NULL);
}

/* Behind the half [rows, n / 2 + 1, parts] of a spectrum its mirror image: conjugates, the last one
   first. */
static struct value *mirrored(struct onnx *o, const struct draft *d, struct value *x, int64_t n)
{
    if (!x)
        return NULL;
    int64_t more = n - x->shape.dims[1], parts = x->shape.dims[2];
    int64_t *from = arena_array(o->im.arena, (size_t)more, sizeof *from);
    for (int64_t i = 0; i < more; i++)
        from[i] = more - i;
    struct value *in[] = {x, build_ints(&o->im, NULL, from, (size_t)more)};
    struct node *gather = build_begin(&o->im, OP_gather, d->name, in, 2, 1);
    ((struct gather_attrs *)gather->attrs)->axis = 1;
    struct value *image = build_end1(&o->im, gather, NULL);
    struct tensor *signs = tensor_new(o->im.arena, x->dtype, 1, &parts);
    for (int64_t i = 0; i < parts; i++)
        tensor_set(signs, i, i ? -1 : 1);
    image = compose_binary(o, OP_mul, image, graph_add_constant(o->im.g, NULL, signs), NULL);
    return compose_concat(o, x, image, 1, NULL);
}

struct value *transform_rows(struct onnx *o, const struct draft *d, const struct transform *t,
                             struct value *x)
{
    if (!x || !transform_is_apart(t))
        return x ? product(o, d, t, x) : NULL;
    int64_t rows = x->shape.dims[0], dims[2] = {rows, t->bins * t->out_parts};
    x = shaped(o, x, rows, t->used, t->in_parts, 0);
    x = filled(o, d, x, t->half ? t->length / 2 + 1 : t->length);
    x = all_bins(o, d, t->half ? mirrored(o, d, x, t->length) : x, t->inverse);
    x = compose_slice(o, x, 1, 0, t->bins, NULL);
    return compose_reshape(o, compose_slice(o, x, 2, 0, t->out_parts, NULL), 2, dims, NULL);
}
