/*
 * Floats in software: IEEE 754, rounded to nearest, ties to even, with denormals, infinities and
 * NaN.  One generator for all formats.  Every NaN that comes out is the quiet one of sign 0.
 *
 * An operation takes its operands apart, works on their significands as integers, and leaves the
 * rest to `compose`, which normalises, rounds and puts together.  What falls off the lower end on
 * the way stays as one bit ("sticky"): that much decides the rounding.
 */
#include <assert.h>

#include "bundle/emit/support.h"

struct support_format support_format(struct support *s, char type)
{
    assert(type == 'f' || type == 'd' || type == 'h');
    struct support_format f = {.word = type == 'd' ? s->i64 : s->i32,
                               .width = type == 'd' ? 64 : 32,
                               .mantissa = type == 'd'   ? 52
                                           : type == 'f' ? 23
                                                         : 10,
                               .sign_at = type == 'd'   ? 63
                                          : type == 'f' ? 31
                                                        : 15};
    f.special = (1 << (f.sign_at - f.mantissa)) - 1;
    f.bias = f.special / 2;
    f.implicit = (uint64_t)1 << f.mantissa;
    f.sign = (uint64_t)1 << f.sign_at;
    f.infinity = (uint64_t)f.special << f.mantissa;
    f.quiet_nan = f.infinity | f.implicit / 2;
    return f;
}

/* ---- taking apart ---- */

LLVMValueRef support_magnitude(struct support *s, const struct support_format *f, LLVMValueRef v)
{
    return LLVMBuildAnd(s->b, v, support_int(v, f->sign - 1), "");
}

/* An i32 of what is above bit `from`. */
static LLVMValueRef top(struct support *s, LLVMValueRef v, unsigned from)
{
    v = LLVMBuildLShr(s->b, v, support_int(v, from), "");
    return LLVMTypeOf(v) == s->i32 ? v : LLVMBuildTrunc(s->b, v, s->i32, "");
}

LLVMValueRef support_sign(struct support *s, const struct support_format *f, LLVMValueRef v)
{
    return top(s, v, f->sign_at);
}

LLVMValueRef support_exponent(struct support *s, const struct support_format *f, LLVMValueRef v)
{
    v = top(s, v, f->mantissa);
    return LLVMBuildAnd(s->b, v, support_int(v, (uint64_t)f->special), "");
}

static LLVMValueRef stored(struct support *s, const struct support_format *f, LLVMValueRef v)
{
    return LLVMBuildAnd(s->b, v, support_int(v, f->implicit - 1), "");
}

LLVMValueRef support_significand(struct support *s, const struct support_format *f, LLVMValueRef v,
                                 LLVMValueRef *out_exponent)
{
    LLVMValueRef e = support_exponent(s, f, v);
    LLVMValueRef zero = support_int(e, 0);
    LLVMValueRef tiny = LLVMBuildICmp(s->b, LLVMIntEQ, e, zero, "");
    *out_exponent = LLVMBuildSelect(s->b, tiny, support_int(e, 1), e, "");
    LLVMValueRef m = stored(s, f, v);
    LLVMValueRef whole = LLVMBuildOr(s->b, m, support_int(m, f->implicit), "");
    return LLVMBuildSelect(s->b, tiny, m, whole, "");
}

static LLVMValueRef is_above(struct support *s, LLVMValueRef v, uint64_t bound)
{
    return LLVMBuildICmp(s->b, LLVMIntUGT, v, support_int(v, bound), "");
}

static LLVMValueRef is(struct support *s, LLVMValueRef v, uint64_t c)
{
    return LLVMBuildICmp(s->b, LLVMIntEQ, v, support_int(v, c), "");
}

static LLVMValueRef is_negative(struct support *s, LLVMValueRef v)
{
    return LLVMBuildICmp(s->b, LLVMIntSLT, v, support_int(v, 0), "");
}

/* What is not 0 as {significand, exponent}, with the highest bit of the significand where the
   implicit one is. */
void support_body_unpack(struct support *s)
{
    struct support_format f = support_format(s, s->types[1]);
    LLVMValueRef v = support_param(s, 0);
    LLVMValueRef e = support_exponent(s, &f, v);
    LLVMValueRef m = stored(s, &f, v);
    LLVMValueRef undef = LLVMGetUndef(support_type(s, s->types[0]));
    LLVMValueRef whole = LLVMBuildOr(s->b, m, support_int(m, f.implicit), "");
    LLVMValueRef pair = LLVMBuildInsertValue(s->b, undef, whole, 0, "");
    pair = LLVMBuildInsertValue(s->b, pair, e, 1, "");
    LLVMValueRef normal = LLVMBuildICmp(s->b, LLVMIntNE, e, support_int(e, 0), "");
    support_return_if(s, normal, pair);

    LLVMValueRef n = support_clz(s, m);
    n = LLVMBuildSub(s->b, n, support_int(n, f.width - 1 - f.mantissa), "");
    LLVMValueRef moved = LLVMBuildShl(s->b, m, n, "");
    n = top(s, n, 0);
    e = LLVMBuildSub(s->b, support_int(n, 1), n, "");
    pair = LLVMBuildInsertValue(s->b, undef, moved, 0, "");
    pair = LLVMBuildInsertValue(s->b, pair, e, 1, "");
    support_return(s, pair);
}

static LLVMValueRef unpack(struct support *s, LLVMValueRef v, LLVMValueRef *out_exponent)
{
    LLVMTypeRef type = support_type(s, s->types[0]);
    LLVMValueRef arg = LLVMBuildBitCast(s->b, v, type, "");
    LLVMValueRef pair =
        support_call(s, support_body_unpack, s->types[0] == 'd' ? "nd" : "mf", &arg);
    *out_exponent = LLVMBuildExtractValue(s->b, pair, 1, "");
    return LLVMBuildExtractValue(s->b, pair, 0, "");
}

/* ---- putting together ---- */

/* v >> n, whatever n is, with the lowest bit set where a bit got lost. */
void support_body_jam(struct support *s)
{
    LLVMValueRef v = support_param(s, 0), n = support_param(s, 1);
    unsigned width = LLVMGetIntTypeWidth(LLVMTypeOf(v));
    LLVMValueRef zero = support_int(v, 0);
    LLVMValueRef any = LLVMBuildICmp(s->b, LLVMIntNE, v, zero, "");
    support_return_if(s, is_above(s, n, width - 1), support_or_if(s, zero, any));
    if (width > 32)
        n = LLVMBuildZExt(s->b, n, LLVMTypeOf(v), "");
    LLVMValueRef kept = LLVMBuildLShr(s->b, v, n, "");
    LLVMValueRef back = LLVMBuildShl(s->b, kept, n, "");
    LLVMValueRef lost = LLVMBuildICmp(s->b, LLVMIntNE, back, v, "");
    support_return(s, support_or_if(s, kept, lost));
}

static LLVMValueRef jam(struct support *s, LLVMValueRef v, LLVMValueRef n)
{
    LLVMValueRef args[2] = {v, n};
    return support_call(s, support_body_jam, LLVMTypeOf(v) == s->i64 ? "lli" : "iii", args);
}

/* Round half to even: one more where what is cut off, and with it 1 if the result is odd, is more
   than a half. */
static LLVMValueRef rounded(struct support *s, LLVMValueRef v, unsigned bits)
{
    LLVMValueRef kept = LLVMBuildLShr(s->b, v, support_int(v, bits), "");
    LLVMValueRef odd = LLVMBuildAnd(s->b, kept, support_int(v, 1), "");
    LLVMValueRef cut = LLVMBuildAnd(s->b, v, support_int(v, ((uint64_t)1 << bits) - 1), "");
    cut = LLVMBuildAdd(s->b, cut, odd, "");
    LLVMValueRef up = is_above(s, cut, (uint64_t)1 << (bits - 1));
    up = LLVMBuildZExt(s->b, up, LLVMTypeOf(v), "");
    return LLVMBuildAdd(s->b, kept, up, "");
}

void support_body_compose(struct support *s)
{
    struct support_format f = support_format(s, s->types[0]);
    LLVMValueRef m = support_param(s, 0), e = support_param(s, 1), sign = support_param(s, 2);
    if (f.width > 32)
        sign = LLVMBuildZExt(s->b, sign, f.word, "");
    sign = LLVMBuildShl(s->b, sign, support_int(sign, f.sign_at), "");
    support_return_if(s, is(s, m, 0), sign);

    LLVMValueRef n = support_clz(s, m);
    m = LLVMBuildShl(s->b, m, n, "");
    e = LLVMBuildSub(s->b, e, top(s, n, 0), "");
    LLVMValueRef infinity = LLVMBuildOr(s->b, sign, support_int(sign, f.infinity), "");
    LLVMValueRef most = support_int(e, (uint64_t)f.special);
    support_return_if(s, LLVMBuildICmp(s->b, LLVMIntSGE, e, most, ""), infinity);

    /* Below the least normal number bits are lost before the rounding.  The implicit bit adds 1 to
       the exponent that is put in, and so does a significand that rounding carries out of. */
    LLVMValueRef one = support_int(e, 1);
    LLVMValueRef less = LLVMBuildSub(s->b, one, e, "");
    LLVMValueRef tiny = LLVMBuildICmp(s->b, LLVMIntSLT, e, one, "");
    struct support_branch branch = support_if(s, tiny);
    LLVMValueRef jammed = jam(s, m, less);
    m = support_end_if(s, &branch, m, jammed);
    e = LLVMBuildSelect(s->b, tiny, support_int(e, 0), LLVMBuildSub(s->b, e, one, ""), "");
    if (f.width > 32)
        e = LLVMBuildZExt(s->b, e, f.word, "");
    e = LLVMBuildShl(s->b, e, support_int(e, f.mantissa), "");
    m = rounded(s, m, f.width - 1 - f.mantissa);
    m = LLVMBuildAdd(s->b, m, e, "");
    support_return(s, LLVMBuildOr(s->b, m, sign, ""));
}

LLVMValueRef support_compose(struct support *s, char type, LLVMValueRef significand,
                             LLVMValueRef exponent, LLVMValueRef sign)
{
    LLVMValueRef args[3] = {significand, exponent, sign};
    const char *types = type == 'd' ? "dlii" : type == 'f' ? "fiii" : "hiii";
    return support_call(s, support_body_compose, types, args);
}

/* ---- arithmetic ---- */

static LLVMValueRef plus(struct support *s, LLVMValueRef v, int c)
{
    return LLVMBuildAdd(s->b, v, support_int(v, (uint32_t)c), "");
}

/* The operands, that of the greater magnitude first. */
static void ordered(struct support *s, const struct support_format *f, LLVMValueRef *out_x,
                    LLVMValueRef *out_y)
{
    LLVMValueRef a = support_param(s, 0), b = support_param(s, 1);
    LLVMValueRef am = support_magnitude(s, f, a);
    LLVMValueRef bm = support_magnitude(s, f, b);
    LLVMValueRef swap = LLVMBuildICmp(s->b, LLVMIntULT, am, bm, "");
    *out_x = LLVMBuildSelect(s->b, swap, b, a, "");
    *out_y = LLVMBuildSelect(s->b, swap, a, b, "");
}

void support_body_add(struct support *s)
{
    struct support_format f = support_format(s, s->types[0]);
    LLVMValueRef x, y;
    ordered(s, &f, &x, &y);
    LLVMValueRef bits = LLVMBuildXor(s->b, x, y, "");
    /* So x - x, where x is infinite too. */
    LLVMValueRef x_top = support_exponent(s, &f, x);
    LLVMValueRef opposite = is(s, bits, f.sign);
    LLVMValueRef special = is(s, x_top, (uint64_t)f.special);
    LLVMValueRef nan = is_above(s, support_magnitude(s, &f, x), f.infinity);
    nan = LLVMBuildOr(s->b, nan, opposite, "");
    support_return_if(s, special, LLVMBuildSelect(s->b, nan, support_int(x, f.quiet_nan), x, ""));
    support_return_if(s, opposite, support_int(x, 0));

    /* Room for a carry above; the rest below. */
    LLVMValueRef ex, ey;
    LLVMValueRef mx = support_significand(s, &f, x, &ex);
    LLVMValueRef my = support_significand(s, &f, y, &ey);
    LLVMValueRef room = support_int(mx, f.width - 2 - f.mantissa);
    mx = LLVMBuildShl(s->b, mx, room, "");
    my = LLVMBuildShl(s->b, my, room, "");
    my = jam(s, my, LLVMBuildSub(s->b, ex, ey, ""));
    my = support_negate_if(s, is_negative(s, bits), my);
    LLVMValueRef m = LLVMBuildAdd(s->b, mx, my, "");
    LLVMValueRef sign = support_sign(s, &f, x);
    support_return(s, support_compose(s, s->types[0], m, plus(s, ex, 1), sign));
}

void support_body_sub(struct support *s)
{
    LLVMValueRef b = support_param(s, 1);
    b = LLVMBuildXor(s->b, b, support_int(b, support_format(s, s->types[0]).sign), "");
    LLVMValueRef args[2] = {LLVMGetParam(s->fn, 0)};
    args[1] = LLVMBuildBitCast(s->b, b, LLVMTypeOf(args[0]), "");
    support_return(s, support_call(s, support_body_add, s->types, args));
}

/* The upper half of the product, sticky. */
static LLVMValueRef upper_product(struct support *s, LLVMValueRef x, LLVMValueRef y)
{
    LLVMBuilderRef b = s->b;
    if (LLVMTypeOf(x) == s->i32) {
        x = LLVMBuildZExt(b, x, s->i64, "");
        y = LLVMBuildZExt(b, y, s->i64, "");
        LLVMValueRef p = LLVMBuildMul(b, x, y, "");
        LLVMValueRef low = support_low(s, p);
        LLVMValueRef lost = LLVMBuildICmp(b, LLVMIntNE, low, support_int(low, 0), "");
        return support_or_if(s, support_high(s, p), lost);
    }
    LLVMValueRef half = support_int(x, 32), mask = support_int(x, 0xffffffff);
    LLVMValueRef x0 = LLVMBuildAnd(b, x, mask, ""), x1 = LLVMBuildLShr(b, x, half, "");
    LLVMValueRef y0 = LLVMBuildAnd(b, y, mask, ""), y1 = LLVMBuildLShr(b, y, half, "");
    LLVMValueRef p00 = LLVMBuildMul(b, x0, y0, ""), p01 = LLVMBuildMul(b, x0, y1, "");
    LLVMValueRef p10 = LLVMBuildMul(b, x1, y0, ""), p11 = LLVMBuildMul(b, x1, y1, "");
    LLVMValueRef middle = LLVMBuildAdd(b, p01, LLVMBuildLShr(b, p00, half, ""), "");
    LLVMValueRef high = LLVMBuildAdd(b, p11, LLVMBuildLShr(b, middle, half, ""), "");
    middle = LLVMBuildAdd(b, p10, LLVMBuildAnd(b, middle, mask, ""), "");
    high = LLVMBuildAdd(b, high, LLVMBuildLShr(b, middle, half, ""), "");
    LLVMValueRef low = LLVMBuildOr(b, support_low(s, middle), support_low(s, p00), "");
    LLVMValueRef lost = LLVMBuildICmp(b, LLVMIntNE, low, support_int(low, 0), "");
    return support_or_if(s, high, lost);
}

static LLVMValueRef sign_of_product(struct support *s, const struct support_format *f,
                                    LLVMValueRef a, LLVMValueRef b, LLVMValueRef *out_bit)
{
    LLVMValueRef v = LLVMBuildXor(s->b, a, b, "");
    *out_bit = LLVMBuildAnd(s->b, v, support_int(v, f->sign), "");
    return support_sign(s, f, v);
}

/* `magnitude` with the sign, but NaN where the condition holds. */
static LLVMValueRef signed_or_nan(struct support *s, const struct support_format *f,
                                  LLVMValueRef nan, LLVMValueRef sign_bit, uint64_t magnitude)
{
    LLVMValueRef v = LLVMBuildOr(s->b, sign_bit, support_int(sign_bit, magnitude), "");
    return LLVMBuildSelect(s->b, nan, support_int(v, f->quiet_nan), v, "");
}

void support_body_mul(struct support *s)
{
    struct support_format f = support_format(s, s->types[0]);
    LLVMValueRef x, y, sign_bit;
    ordered(s, &f, &x, &y);
    LLVMValueRef sign = sign_of_product(s, &f, x, y, &sign_bit);
    x = support_magnitude(s, &f, x);
    y = support_magnitude(s, &f, y);
    LLVMValueRef y_zero = is(s, y, 0);
    LLVMValueRef nan = LLVMBuildOr(s->b, is_above(s, x, f.infinity), y_zero, "");
    LLVMValueRef special = is_above(s, x, f.infinity - 1);
    support_return_if(s, special, signed_or_nan(s, &f, nan, sign_bit, f.infinity));
    support_return_if(s, y_zero, sign_bit);

    LLVMValueRef ex, ey;
    LLVMValueRef mx = unpack(s, x, &ex);
    LLVMValueRef my = unpack(s, y, &ey);
    LLVMValueRef up = support_int(mx, f.width - 1 - f.mantissa);
    mx = LLVMBuildShl(s->b, mx, up, "");
    my = LLVMBuildShl(s->b, my, up, "");
    LLVMValueRef m = upper_product(s, mx, my);
    LLVMValueRef e = plus(s, LLVMBuildAdd(s->b, ex, ey, ""), 1 - f.bias);
    support_return(s, support_compose(s, s->types[0], m, e, sign));
}

/* One bit of the quotient after the other: while (q < end) { q = 2q + (r >= my); r = 2(r - ..); }
   q starts with a bit of its own, which tells when it is full. */
static LLVMValueRef quotient(struct support *s, LLVMValueRef mx, LLVMValueRef my, unsigned bits)
{
    LLVMValueRef one = support_int(mx, 1), zero = support_int(mx, 0);
    LLVMValueRef first[2] = {one, mx};
    struct support_loop l = support_loop_begin(s, 2, first);
    LLVMValueRef end = support_int(mx, (uint64_t)1 << bits);
    support_loop_while(s, &l, LLVMBuildICmp(s->b, LLVMIntULT, l.v[0], end, ""));
    LLVMValueRef fits = LLVMBuildICmp(s->b, LLVMIntUGE, l.v[1], my, "");
    LLVMValueRef less = LLVMBuildSub(s->b, l.v[1], my, "");
    LLVMValueRef next[2];
    next[0] = support_or_if(s, LLVMBuildShl(s->b, l.v[0], one, ""), fits);
    next[1] = LLVMBuildShl(s->b, LLVMBuildSelect(s->b, fits, less, l.v[1], ""), one, "");
    support_loop_end(s, &l, next);
    LLVMValueRef q = LLVMBuildXor(s->b, l.v[0], end, "");
    LLVMValueRef rest = LLVMBuildICmp(s->b, LLVMIntNE, l.v[1], zero, "");
    return support_or_if(s, q, rest);
}

void support_body_div(struct support *s)
{
    struct support_format f = support_format(s, s->types[0]);
    LLVMValueRef a = support_param(s, 0), b = support_param(s, 1), sign_bit;
    LLVMValueRef sign = sign_of_product(s, &f, a, b, &sign_bit);
    a = support_magnitude(s, &f, a);
    b = support_magnitude(s, &f, b);
    LLVMValueRef a_nan = is_above(s, a, f.infinity);
    LLVMValueRef b_nan = is_above(s, b, f.infinity);
    LLVMValueRef nan = LLVMBuildOr(s->b, a_nan, b_nan, "");
    LLVMValueRef same = LLVMBuildICmp(s->b, LLVMIntEQ, a, b, "");
    LLVMValueRef a_special = is_above(s, a, f.infinity - 1);
    LLVMValueRef b_zero = is(s, b, 0);
    /* inf / x, x / 0; inf / inf and 0 / 0 are none. */
    LLVMValueRef infinite = LLVMBuildOr(s->b, a_special, b_zero, "");
    LLVMValueRef none = LLVMBuildOr(s->b, nan, same, "");
    support_return_if(s, infinite, signed_or_nan(s, &f, none, sign_bit, f.infinity));
    LLVMValueRef b_special = is_above(s, b, f.infinity - 1);
    LLVMValueRef zero = LLVMBuildOr(s->b, b_special, is(s, a, 0), "");
    support_return_if(s, zero, signed_or_nan(s, &f, nan, sign_bit, 0));

    LLVMValueRef ea, eb;
    LLVMValueRef ma = unpack(s, a, &ea);
    LLVMValueRef mb = unpack(s, b, &eb);
    unsigned bits = f.mantissa + 4; /* one before the point, and two for the rounding */
    LLVMValueRef m = quotient(s, ma, mb, bits);
    LLVMValueRef e = plus(s, LLVMBuildSub(s->b, ea, eb, ""), f.bias + (int)(f.width - bits));
    support_return(s, support_compose(s, s->types[0], m, e, sign));
}

/* Bit by bit (as in Sun's fdlibm, e_sqrt.c): with root r so far and bit b to try,
   (r + b)^2 = r^2 + (2r + b) b, so that 2r + b is taken from what is left, scaled by 1 / b. */
static LLVMValueRef root(struct support *s, LLVMValueRef m, unsigned bits)
{
    LLVMValueRef one = support_int(m, 1), zero = support_int(m, 0);
    LLVMValueRef first[4] = {LLVMBuildShl(s->b, m, one, ""), zero, zero,
                             support_int(m, (uint64_t)1 << (bits - 1))};
    struct support_loop l = support_loop_begin(s, 4, first);
    LLVMValueRef left = l.v[0], twice = l.v[1], r = l.v[2], bit = l.v[3];
    support_loop_while(s, &l, LLVMBuildICmp(s->b, LLVMIntNE, bit, zero, ""));
    LLVMValueRef take = LLVMBuildAdd(s->b, twice, bit, "");
    LLVMValueRef fits = LLVMBuildICmp(s->b, LLVMIntUGE, left, take, "");
    LLVMValueRef less = LLVMBuildSub(s->b, left, take, "");
    LLVMValueRef more = LLVMBuildAdd(s->b, take, bit, "");
    LLVMValueRef with = LLVMBuildOr(s->b, r, bit, "");
    LLVMValueRef next[4];
    next[0] = LLVMBuildSelect(s->b, fits, less, left, "");
    next[0] = LLVMBuildShl(s->b, next[0], one, "");
    next[1] = LLVMBuildSelect(s->b, fits, more, twice, "");
    next[2] = LLVMBuildSelect(s->b, fits, with, r, "");
    next[3] = LLVMBuildLShr(s->b, bit, one, "");
    support_loop_end(s, &l, next);
    r = LLVMBuildShl(s->b, r, one, "");
    return support_or_if(s, r, LLVMBuildICmp(s->b, LLVMIntNE, left, zero, ""));
}

void support_body_sqrt(struct support *s)
{
    struct support_format f = support_format(s, s->types[0]);
    LLVMValueRef a = support_param(s, 0);
    LLVMValueRef magnitude = support_magnitude(s, &f, a);
    support_return_if(s, is(s, magnitude, 0), a);
    support_return_if(s, is(s, a, f.infinity), a);
    support_return_if(s, is_above(s, a, f.infinity), support_int(a, f.quiet_nan));

    LLVMValueRef e;
    LLVMValueRef m = unpack(s, a, &e);
    /* The bias is odd: an odd stored exponent is an even power of 2. */
    e = plus(s, e, -f.bias);
    LLVMValueRef odd = LLVMBuildTrunc(s->b, e, s->i1, "");
    LLVMValueRef twice = LLVMBuildShl(s->b, m, support_int(m, 1), "");
    m = LLVMBuildSelect(s->b, odd, twice, m, "");
    e = LLVMBuildAShr(s->b, e, support_int(e, 1), "");
    unsigned bits = f.mantissa + 2;
    m = root(s, m, bits);
    e = plus(s, e, f.bias + (int)(f.width - 1 - bits));
    support_return(s, support_compose(s, s->types[0], m, e, support_int(e, 0)));
}

/* ---- comparisons ---- */

/* -1, 0 or 1 as the first is less, equal or more; 2: they are not ordered. */
void support_body_compare(struct support *s)
{
    struct support_format f = support_format(s, s->types[1]);
    LLVMValueRef a = support_param(s, 0), b = support_param(s, 1);
    LLVMValueRef am = support_magnitude(s, &f, a);
    LLVMValueRef bm = support_magnitude(s, &f, b);
    LLVMValueRef a_nan = is_above(s, am, f.infinity);
    LLVMValueRef b_nan = is_above(s, bm, f.infinity);
    LLVMValueRef result[4];
    for (int i = 0; i < 4; i++)
        result[i] = LLVMConstInt(s->i32, (uint32_t)(i - 1), 0);
    support_return_if(s, LLVMBuildOr(s->b, a_nan, b_nan, ""), result[3]);
    LLVMValueRef zeros = is(s, LLVMBuildOr(s->b, am, bm, ""), 0);
    LLVMValueRef equal = LLVMBuildICmp(s->b, LLVMIntEQ, a, b, "");
    support_return_if(s, LLVMBuildOr(s->b, zeros, equal, ""), result[1]);
    /* Of two negative floats the one with the greater integer is less. */
    LLVMValueRef negative = is_negative(s, LLVMBuildAnd(s->b, a, b, ""));
    LLVMValueRef less = LLVMBuildICmp(s->b, LLVMIntSLT, a, b, "");
    less = LLVMBuildXor(s->b, less, negative, "");
    support_return(s, LLVMBuildSelect(s->b, less, result[0], result[2], ""));
}

static LLVMValueRef compare(struct support *s)
{
    LLVMValueRef args[2] = {LLVMGetParam(s->fn, 0), LLVMGetParam(s->fn, 1)};
    return support_call(s, support_body_compare, s->types, args);
}

void support_body_compare_down(struct support *s)
{
    support_return(s, compare(s));
}

/* The same with unordered operands below all others. */
void support_body_compare_up(struct support *s)
{
    LLVMValueRef v = compare(s);
    support_return(s, LLVMBuildSelect(s->b, is(s, v, 2), support_int(v, UINT32_MAX), v, ""));
}

/* 1 or 0. */
static void return_whether(struct support *s, LLVMIntPredicate how, int bound)
{
    LLVMValueRef v = compare(s);
    v = LLVMBuildICmp(s->b, how, v, support_int(v, (uint64_t)bound), "");
    support_return(s, LLVMBuildZExt(s->b, v, s->i32, ""));
}

void support_body_unordered(struct support *s)
{
    return_whether(s, LLVMIntEQ, 2);
}

void support_body_eq(struct support *s)
{
    return_whether(s, LLVMIntEQ, 0);
}

void support_body_lt(struct support *s)
{
    return_whether(s, LLVMIntSLT, 0);
}

void support_body_le(struct support *s)
{
    return_whether(s, LLVMIntSLE, 0);
}

void support_body_ge(struct support *s)
{
    return_whether(s, LLVMIntULT, 2);
}

void support_body_gt(struct support *s)
{
    return_whether(s, LLVMIntEQ, 1);
}
