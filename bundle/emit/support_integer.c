/* Integers: products, shifts and quotients that a processor has no instruction for. */
#include "bundle/emit/support.h"

/* ---- products ---- */

/* Bit by bit: while (b) { sum += b & 1 ? a : 0; a <<= 1; b >>= 1; } */
static void build_product(struct support *s)
{
    LLVMValueRef a = support_param(s, 0), b = support_param(s, 1);
    LLVMValueRef zero = support_int(a, 0), one = support_int(a, 1);
    LLVMValueRef first[3] = {zero, a, b};
    struct support_loop l = support_loop_begin(s, 3, first);
    support_loop_while(s, &l, LLVMBuildICmp(s->b, LLVMIntNE, l.v[2], zero, ""));
    LLVMValueRef bit = LLVMBuildTrunc(s->b, l.v[2], s->i1, "");
    LLVMValueRef term = LLVMBuildSelect(s->b, bit, l.v[1], zero, "");
    LLVMValueRef next[3];
    next[0] = LLVMBuildAdd(s->b, l.v[0], term, "");
    next[1] = LLVMBuildShl(s->b, l.v[1], one, "");
    next[2] = LLVMBuildLShr(s->b, l.v[2], one, "");
    support_loop_end(s, &l, next);
    support_return(s, l.v[0]);
}

void support_body_mul32(struct support *s)
{
    build_product(s);
}

static LLVMValueRef low16(struct support *s, LLVMValueRef v)
{
    return LLVMBuildAnd(s->b, v, support_int(v, 0xffff), "");
}

static LLVMValueRef high16(struct support *s, LLVMValueRef v)
{
    return LLVMBuildLShr(s->b, v, support_int(v, 16), "");
}

/* The 64 bits of a * b from products of 16 bits. */
static LLVMValueRef wide_product(struct support *s, LLVMValueRef a, LLVMValueRef b)
{
    LLVMValueRef a0 = low16(s, a), a1 = high16(s, a);
    LLVMValueRef b0 = low16(s, b), b1 = high16(s, b);
    LLVMValueRef p00 = LLVMBuildMul(s->b, a0, b0, "");
    LLVMValueRef p10 = LLVMBuildMul(s->b, a1, b0, "");
    LLVMValueRef p01 = LLVMBuildMul(s->b, a0, b1, "");
    LLVMValueRef p11 = LLVMBuildMul(s->b, a1, b1, "");
    LLVMValueRef middle = LLVMBuildAdd(s->b, p10, high16(s, p00), ""); /* cannot overflow */
    LLVMValueRef high = LLVMBuildAdd(s->b, p11, high16(s, middle), "");
    middle = LLVMBuildAdd(s->b, p01, low16(s, middle), "");
    high = LLVMBuildAdd(s->b, high, high16(s, middle), "");
    middle = LLVMBuildShl(s->b, middle, support_int(middle, 16), "");
    LLVMValueRef low = LLVMBuildOr(s->b, middle, low16(s, p00), "");
    return support_join(s, low, high);
}

void support_body_mul64(struct support *s)
{
    /* With registers of 64 bits it is asked for where there is no product at all. */
    if (s->index == s->i64) {
        build_product(s);
        return;
    }
    LLVMValueRef a = support_param(s, 0), b = support_param(s, 1);
    LLVMValueRef a0 = support_low(s, a), a1 = support_high(s, a);
    LLVMValueRef b0 = support_low(s, b), b1 = support_high(s, b);
    LLVMValueRef p = wide_product(s, a0, b0);
    LLVMValueRef high = support_high(s, p);
    LLVMValueRef p01 = LLVMBuildMul(s->b, a0, b1, "");
    LLVMValueRef p10 = LLVMBuildMul(s->b, a1, b0, "");
    high = LLVMBuildAdd(s->b, high, p01, "");
    high = LLVMBuildAdd(s->b, high, p10, "");
    support_return(s, support_join(s, support_low(s, p), high));
}

/* ---- shifts of 64 bits, by 0 to 63, in halves of 32 ---- */

/* What crosses from one half into the other: x moved by 32 - count, which may be 32. */
static LLVMValueRef crossing(struct support *s, bool left, LLVMValueRef x, LLVMValueRef count)
{
    LLVMValueRef one = support_int(x, 1);
    LLVMValueRef rest = LLVMBuildXor(s->b, count, support_int(count, 31), "");
    x = left ? LLVMBuildLShr(s->b, x, one, "") : LLVMBuildShl(s->b, x, one, "");
    return left ? LLVMBuildLShr(s->b, x, rest, "") : LLVMBuildShl(s->b, x, rest, "");
}

static void build_shift(struct support *s, bool left, bool is_signed)
{
    LLVMValueRef v = support_param(s, 0), count = support_param(s, 1);
    LLVMValueRef low = support_low(s, v), high = support_high(s, v);
    LLVMValueRef from = left ? low : high, into = left ? high : low;
    LLVMValueRef within = LLVMBuildAnd(s->b, count, support_int(count, 31), "");
    LLVMValueRef moved = left        ? LLVMBuildShl(s->b, from, within, "")
                         : is_signed ? LLVMBuildAShr(s->b, from, within, "")
                                     : LLVMBuildLShr(s->b, from, within, "");
    LLVMValueRef fill =
        is_signed ? LLVMBuildAShr(s->b, from, support_int(from, 31), "") : support_int(from, 0);
    LLVMValueRef far = LLVMBuildICmp(s->b, LLVMIntUGE, count, support_int(count, 32), "");
    support_return_if(s, far, left ? support_join(s, fill, moved) : support_join(s, moved, fill));
    LLVMValueRef rest =
        left ? LLVMBuildShl(s->b, into, within, "") : LLVMBuildLShr(s->b, into, within, "");
    rest = LLVMBuildOr(s->b, rest, crossing(s, left, from, within), "");
    support_return(s, left ? support_join(s, moved, rest) : support_join(s, rest, moved));
}

void support_body_shl(struct support *s)
{
    build_shift(s, true, false);
}

void support_body_lshr(struct support *s)
{
    build_shift(s, false, false);
}

void support_body_ashr(struct support *s)
{
    build_shift(s, false, true);
}

/* ---- leading zeros ---- */

/* Of what is not 0, by halves: where the upper one is not empty, on with it. */
void support_body_clz(struct support *s)
{
    LLVMValueRef v = support_param(s, 0), n = support_int(v, 31);
    for (unsigned half = 16; half; half /= 2) {
        LLVMValueRef upper = LLVMBuildLShr(s->b, v, support_int(v, half), "");
        LLVMValueRef more = LLVMBuildICmp(s->b, LLVMIntNE, upper, support_int(v, 0), "");
        LLVMValueRef less = LLVMBuildSub(s->b, n, support_int(n, half), "");
        v = LLVMBuildSelect(s->b, more, upper, v, "");
        n = LLVMBuildSelect(s->b, more, less, n, "");
    }
    support_return(s, n);
}

/* ---- quotients ---- */

static void return_pair(struct support *s, LLVMValueRef quotient, LLVMValueRef remainder)
{
    if (s->types[0] == 'Q') {
        support_return(s, support_join(s, quotient, remainder));
        return;
    }
    LLVMValueRef pair = LLVMGetUndef(support_type(s, 'P'));
    pair = LLVMBuildInsertValue(s->b, pair, quotient, 0, "");
    pair = LLVMBuildInsertValue(s->b, pair, remainder, 1, "");
    LLVMBuildRet(s->b, pair);
}

static LLVMValueRef from_pair(struct support *s, LLVMValueRef pair, unsigned i)
{
    if (LLVMGetTypeKind(LLVMTypeOf(pair)) == LLVMStructTypeKind)
        return LLVMBuildExtractValue(s->b, pair, i, "");
    return i == 0 ? support_low(s, pair) : support_high(s, pair);
}

/* The divisor is moved up to the dividend and then down again, a bit of the quotient each time: few
   steps where the quotient is small. */
void support_body_udivmod(struct support *s)
{
    LLVMValueRef a = support_param(s, 0), by = support_param(s, 1);
    LLVMValueRef zero = support_int(a, 0), one = support_int(a, 1);
    support_return_if(s, LLVMBuildICmp(s->b, LLVMIntEQ, by, zero, ""),
                      LLVMConstNull(support_type(s, s->types[0])));

    LLVMValueRef half = LLVMBuildLShr(s->b, a, one, "");
    LLVMValueRef first[2] = {by, one};
    struct support_loop up = support_loop_begin(s, 2, first);
    support_loop_while(s, &up, LLVMBuildICmp(s->b, LLVMIntULE, up.v[0], half, ""));
    LLVMValueRef next[4];
    next[0] = LLVMBuildShl(s->b, up.v[0], one, "");
    next[1] = LLVMBuildShl(s->b, up.v[1], one, "");
    support_loop_end(s, &up, next);

    LLVMValueRef start[4] = {up.v[0], up.v[1], a, zero};
    struct support_loop l = support_loop_begin(s, 4, start);
    support_loop_while(s, &l, LLVMBuildICmp(s->b, LLVMIntNE, l.v[1], zero, ""));
    LLVMValueRef fits = LLVMBuildICmp(s->b, LLVMIntUGE, l.v[2], l.v[0], "");
    LLVMValueRef less = LLVMBuildSub(s->b, l.v[2], l.v[0], "");
    LLVMValueRef with = LLVMBuildOr(s->b, l.v[3], l.v[1], "");
    next[2] = LLVMBuildSelect(s->b, fits, less, l.v[2], "");
    next[3] = LLVMBuildSelect(s->b, fits, with, l.v[3], "");
    next[0] = LLVMBuildLShr(s->b, l.v[0], one, "");
    next[1] = LLVMBuildLShr(s->b, l.v[1], one, "");
    support_loop_end(s, &l, next);
    return_pair(s, l.v[3], l.v[2]);
}

/* Towards zero; the remainder has the dividend's sign. */
void support_body_divmod(struct support *s)
{
    LLVMValueRef a = support_param(s, 0), by = support_param(s, 1);
    LLVMValueRef zero = support_int(a, 0);
    LLVMValueRef a_negative = LLVMBuildICmp(s->b, LLVMIntSLT, a, zero, "");
    LLVMValueRef by_negative = LLVMBuildICmp(s->b, LLVMIntSLT, by, zero, "");
    LLVMValueRef args[2];
    args[0] = support_negate_if(s, a_negative, a);
    args[1] = support_negate_if(s, by_negative, by);
    LLVMValueRef pair = support_call(s, support_body_udivmod, s->types, args);
    LLVMValueRef quotient = from_pair(s, pair, 0), remainder = from_pair(s, pair, 1);
    LLVMValueRef differ = LLVMBuildXor(s->b, a_negative, by_negative, "");
    quotient = support_negate_if(s, differ, quotient);
    remainder = support_negate_if(s, a_negative, remainder);
    return_pair(s, quotient, remainder);
}

static void build_part(struct support *s, support_body *both, unsigned i)
{
    LLVMValueRef args[2] = {support_param(s, 0), support_param(s, 1)};
    LLVMValueRef pair = support_call(s, both, s->types[0] == 'l' ? "Pll" : "Qii", args);
    support_return(s, from_pair(s, pair, i));
}

void support_body_udiv(struct support *s)
{
    build_part(s, support_body_udivmod, 0);
}

void support_body_urem(struct support *s)
{
    build_part(s, support_body_udivmod, 1);
}

void support_body_sdiv(struct support *s)
{
    build_part(s, support_body_divmod, 0);
}

void support_body_srem(struct support *s)
{
    build_part(s, support_body_divmod, 1);
}
