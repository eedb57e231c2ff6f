/* Between floats and integers, and between formats of floats; rounding to integral values. */
#include "bundle/emit/support.h"

/* ---- to integers ---- */

/* Towards zero.  What lies outside becomes the bound that it is beyond, as on ARM and RISC-V; that
   of NaN goes by its sign. */
static void build_to_int(struct support *s, bool is_signed)
{
    struct support_format f = support_format(s, s->types[1]);
    LLVMBuilderRef b = s->b;
    LLVMTypeRef type = support_type(s, s->types[0]);
    unsigned bits = LLVMGetIntTypeWidth(type), whole = is_signed ? bits - 1 : bits;
    uint64_t top = (uint64_t)1 << (bits - 1);
    LLVMValueRef v = support_param(s, 0);
    LLVMValueRef negative = LLVMBuildICmp(b, LLVMIntSLT, v, support_int(v, 0), "");
    LLVMValueRef zero = LLVMConstInt(type, 0, 0);
    LLVMValueRef e = support_exponent(s, &f, v);
    LLVMValueRef least = support_int(e, (uint64_t)f.bias);
    LLVMValueRef small = LLVMBuildICmp(b, LLVMIntULT, e, least, "");
    support_return_if(s, is_signed ? small : LLVMBuildOr(b, small, negative, ""), zero);
    LLVMValueRef min = LLVMConstInt(type, is_signed ? top : 0, 0);
    LLVMValueRef max = LLVMConstInt(type, is_signed ? top - 1 : UINT64_MAX, 0);
    LLVMValueRef most = support_int(e, (uint64_t)f.bias + whole);
    LLVMValueRef bound = LLVMBuildSelect(b, negative, min, max, "");
    support_return_if(s, LLVMBuildICmp(b, LLVMIntUGE, e, most, ""), bound);

    /* The significand at the upper end of the integer, and down to its place. */
    v = LLVMBuildOr(b, v, support_int(v, f.implicit), "");
    v = LLVMBuildShl(b, v, support_int(v, f.width - 1 - f.mantissa), "");
    if (bits < f.width) {
        v = support_high(s, v);
    } else if (bits > f.width) {
        v = LLVMBuildZExt(b, v, type, "");
        v = LLVMBuildShl(b, v, support_int(v, bits - f.width), "");
    }
    LLVMValueRef down = support_int(e, (uint64_t)f.bias + bits - 1);
    down = LLVMBuildSub(b, down, e, "");
    if (bits > 32)
        down = LLVMBuildZExt(b, down, type, "");
    v = LLVMBuildLShr(b, v, down, "");
    support_return(s, is_signed ? support_negate_if(s, negative, v) : v);
}

void support_body_to_signed(struct support *s)
{
    build_to_int(s, true);
}

void support_body_to_unsigned(struct support *s)
{
    build_to_int(s, false);
}

/* ---- from integers ---- */

static LLVMValueRef halved(struct support *s, LLVMValueRef v)
{
    LLVMValueRef odd = LLVMBuildAnd(s->b, v, support_int(v, 1), "");
    v = LLVMBuildLShr(s->b, v, support_int(v, 1), "");
    return LLVMBuildOr(s->b, v, odd, "");
}

/* Halves an i64 until it fits into 32 bits; what gets lost stays as the lowest bit. */
static LLVMValueRef narrowed(struct support *s, LLVMValueRef v, LLVMValueRef *e)
{
    LLVMValueRef first[2] = {v, *e};
    struct support_loop l = support_loop_begin(s, 2, first);
    LLVMValueRef high = support_high(s, l.v[0]);
    support_loop_while(s, &l, LLVMBuildICmp(s->b, LLVMIntNE, high, support_int(high, 0), ""));
    LLVMValueRef next[2];
    next[0] = halved(s, l.v[0]);
    next[1] = LLVMBuildAdd(s->b, l.v[1], support_int(*e, 1), "");
    support_loop_end(s, &l, next);
    *e = l.v[1];
    return support_low(s, l.v[0]);
}

static void build_from_int(struct support *s, bool is_signed)
{
    struct support_format f = support_format(s, s->types[0]);
    LLVMValueRef v = support_param(s, 0);
    LLVMValueRef sign = LLVMConstInt(s->i32, 0, 0);
    if (is_signed) {
        LLVMValueRef negative = LLVMBuildICmp(s->b, LLVMIntSLT, v, support_int(v, 0), "");
        v = support_negate_if(s, negative, v);
        sign = LLVMBuildZExt(s->b, negative, s->i32, "");
    }
    LLVMValueRef e = LLVMConstInt(s->i32, (uint64_t)f.bias + f.width - 1, 0);
    unsigned bits = LLVMGetIntTypeWidth(LLVMTypeOf(v));
    if (bits > f.width)
        v = narrowed(s, v, &e);
    else if (bits < f.width)
        v = LLVMBuildZExt(s->b, v, f.word, "");
    support_return(s, support_compose(s, s->types[0], v, e, sign));
}

void support_body_from_signed(struct support *s)
{
    build_from_int(s, true);
}

void support_body_from_unsigned(struct support *s)
{
    build_from_int(s, false);
}

/* ---- between formats ---- */

static void build_resize(struct support *s)
{
    struct support_format from = support_format(s, s->types[1]);
    struct support_format to = support_format(s, s->types[0]);
    LLVMValueRef v = support_param(s, 0);
    LLVMValueRef sign = support_sign(s, &from, v);
    LLVMValueRef magnitude = support_magnitude(s, &from, v);
    LLVMValueRef infinity = support_int(magnitude, from.infinity);
    LLVMValueRef nan = LLVMBuildICmp(s->b, LLVMIntUGT, magnitude, infinity, "");
    support_return_if(s, nan, LLVMConstInt(to.word, to.quiet_nan, 0));

    /* An infinity comes out of compose as one when its exponent is beyond all others. */
    LLVMValueRef e;
    LLVMValueRef m = support_significand(s, &from, magnitude, &e);
    LLVMValueRef special = LLVMBuildICmp(s->b, LLVMIntEQ, magnitude, infinity, "");
    int up = to.bias - from.bias + (int)(to.width - 1) - (int)from.mantissa;
    if (from.width > to.width) {
        m = LLVMBuildShl(s->b, m, support_int(m, from.width - 1 - from.mantissa), "");
        LLVMValueRef low = support_low(s, m);
        LLVMValueRef lost = LLVMBuildICmp(s->b, LLVMIntNE, low, support_int(low, 0), "");
        m = support_or_if(s, support_high(s, m), lost);
        up = to.bias - from.bias;
    } else if (from.width < to.width) {
        m = LLVMBuildZExt(s->b, m, to.word, "");
    }
    e = LLVMBuildAdd(s->b, e, support_int(e, (uint32_t)up), "");
    LLVMValueRef beyond = support_int(e, (uint64_t)to.special + to.width);
    e = LLVMBuildSelect(s->b, special, beyond, e, "");
    support_return(s, support_compose(s, s->types[0], m, e, sign));
}

void support_body_extend(struct support *s)
{
    build_resize(s);
}

void support_body_truncate(struct support *s)
{
    build_resize(s);
}

/* ---- integral values ---- */

enum rounding { DOWN, UP, TO_ZERO, TO_NEAREST };

/* What a value below 1 becomes: 0 or 1, with its sign. */
static LLVMValueRef of_fraction(struct support *s, const struct support_format *f,
                                enum rounding how, LLVMValueRef v)
{
    LLVMValueRef sign = LLVMBuildAnd(s->b, v, support_int(v, f->sign), "");
    LLVMValueRef one =
        LLVMBuildOr(s->b, sign, support_int(v, (uint64_t)f->bias << f->mantissa), "");
    LLVMValueRef zero = support_int(v, 0), away;
    if (how == TO_ZERO)
        return sign;
    if (how == TO_NEAREST) {
        LLVMValueRef half = support_int(v, (uint64_t)(f->bias - 1) << f->mantissa);
        LLVMValueRef magnitude = support_magnitude(s, f, v);
        away = LLVMBuildICmp(s->b, LLVMIntUGT, magnitude, half, "");
    } else if (how == DOWN) {
        /* Negative and not -0. */
        away = LLVMBuildICmp(s->b, LLVMIntUGT, v, support_int(v, f->sign), "");
    } else {
        away = LLVMBuildICmp(s->b, LLVMIntSGT, v, zero, "");
    }
    return LLVMBuildSelect(s->b, away, one, sign, "");
}

/* A value of at least 1: the bits below its point are cleared, after what rounding adds; a carry
   into the exponent is right there. */
static void build_integral(struct support *s, enum rounding how)
{
    struct support_format f = support_format(s, s->types[0]);
    LLVMBuilderRef b = s->b;
    LLVMValueRef v = support_param(s, 0);
    LLVMValueRef e = support_exponent(s, &f, v);
    LLVMValueRef whole = support_int(e, (uint64_t)f.bias + f.mantissa);
    support_return_if(s, LLVMBuildICmp(b, LLVMIntUGE, e, whole, ""), v);
    LLVMValueRef bias = support_int(e, (uint64_t)f.bias);
    LLVMValueRef below = LLVMBuildICmp(b, LLVMIntULT, e, bias, "");
    support_return_if(s, below, of_fraction(s, &f, how, v));

    LLVMValueRef n = LLVMBuildSub(b, e, bias, "");
    if (f.width > 32)
        n = LLVMBuildZExt(b, n, f.word, "");
    LLVMValueRef mask = LLVMBuildLShr(b, support_int(v, f.implicit - 1), n, "");
    LLVMValueRef add = support_int(v, 0);
    if (how == TO_NEAREST) {
        /* A half less 1, and 1 where the integer is odd. */
        LLVMValueRef half = LLVMBuildLShr(b, mask, support_int(v, 1), "");
        LLVMValueRef units = LLVMBuildAdd(b, mask, support_int(v, 1), "");
        units = LLVMBuildAnd(b, units, v, "");
        LLVMValueRef odd = LLVMBuildICmp(b, LLVMIntNE, units, add, "");
        odd = LLVMBuildZExt(b, odd, f.word, "");
        add = LLVMBuildAdd(b, half, odd, "");
    } else if (how != TO_ZERO) {
        LLVMIntPredicate away = how == DOWN ? LLVMIntSLT : LLVMIntSGT;
        add = LLVMBuildSelect(b, LLVMBuildICmp(b, away, v, add, ""), mask, add, "");
    }
    v = LLVMBuildAdd(b, v, add, "");
    support_return(s, LLVMBuildAnd(b, v, LLVMBuildNot(b, mask, ""), ""));
}

void support_body_floor(struct support *s)
{
    build_integral(s, DOWN);
}

void support_body_ceil(struct support *s)
{
    build_integral(s, UP);
}

void support_body_trunc(struct support *s)
{
    build_integral(s, TO_ZERO);
}

void support_body_rint(struct support *s)
{
    build_integral(s, TO_NEAREST);
}
