#include "ir/kernel_scalar.h"

#include <assert.h>
#include <math.h>

int64_t kscalar_wrap(enum dtype type, int64_t v)
{
    if (type == DTYPE_BOOL)
        return v != 0;
    unsigned bits = dtype_bits(type);
    if (bits == 64)
        return v;
    uint64_t low = (uint64_t)v & ((UINT64_C(1) << bits) - 1);
    if (dtype_kind(type) == DTYPE_KIND_INT && low >> (bits - 1))
        low |= ~UINT64_C(0) << bits;
    return (int64_t)low;
}

double kscalar_round(enum dtype type, double v)
{
    switch (type) {
    case DTYPE_F64:
        return v;
    case DTYPE_F32:
        return (double)(float)v;
    case DTYPE_F16:
        return (double)dtype_f16_to_f32(dtype_f64_to_f16(v));
    case DTYPE_BF16:
        return (double)dtype_bf16_to_f32(dtype_f64_to_bf16(v));
    default:
        assert(false && "a float type");
        return 0;
    }
}

static union kscalar of_int(enum dtype type, int64_t v)
{
    union kscalar r;
    r.i = kscalar_wrap(type, v);
    return r;
}

static union kscalar of_float(enum dtype type, double v)
{
    union kscalar r;
    r.f = kscalar_round(type, v);
    return r;
}

union kscalar kscalar_unary(enum kop op, enum dtype type, union kscalar a)
{
    if (dtype_is_float(type)) {
        switch (op) {
        case KOP_NEG:
            return of_float(type, -a.f);
        case KOP_ABS:
            return of_float(type, fabs(a.f));
        case KOP_SQRT:
            /* A double's square root rounded again is correct for every narrower type. */
            return of_float(type, sqrt(a.f));
        case KOP_FLOOR:
            return of_float(type, floor(a.f));
        case KOP_CEIL:
            return of_float(type, ceil(a.f));
        case KOP_TRUNC:
            return of_float(type, trunc(a.f));
        case KOP_RINT:
            return of_float(type, nearbyint(a.f));
        default:
            break;
        }
    } else {
        switch (op) {
        case KOP_NEG:
            return of_int(type, (int64_t)(0 - (uint64_t)a.i));
        case KOP_ABS:
            if (dtype_kind(type) == DTYPE_KIND_INT && a.i < 0)
                return of_int(type, (int64_t)(0 - (uint64_t)a.i));
            return a;
        case KOP_NOT:
            return of_int(type, type == DTYPE_BOOL ? !a.i : ~a.i);
        default:
            break;
        }
    }
    assert(false && "a unary operation of this type");
    return a;
}

static bool int_less(enum dtype type, int64_t a, int64_t b)
{
    return type == DTYPE_U64 ? (uint64_t)a < (uint64_t)b : a < b;
}

static int64_t int_div(enum dtype type, int64_t a, int64_t b)
{
    if (b == 0)
        return 0;
    if (type == DTYPE_U64)
        return (int64_t)((uint64_t)a / (uint64_t)b);
    if (b == -1)
        return (int64_t)(0 - (uint64_t)a);
    return a / b;
}

static union kscalar binary_float(enum kop op, enum dtype type, double a, double b)
{
    /* In double, then rounded: exact operands of at most 24 bits make the first rounding harmless
       in all four operations. */
    switch (op) {
    case KOP_ADD:
        return of_float(type, a + b);
    case KOP_SUB:
        return of_float(type, a - b);
    case KOP_MUL:
        return of_float(type, a * b);
    case KOP_DIV:
        return of_float(type, a / b);
    case KOP_MIN:
        return of_float(type, a < b ? a : b);
    case KOP_MAX:
        return of_float(type, a > b ? a : b);
    default:
        assert(false && "a binary operation of floats");
        return of_float(type, a);
    }
}

union kscalar kscalar_binary(enum kop op, enum dtype type, union kscalar a, union kscalar b)
{
    if (dtype_is_float(type))
        return binary_float(op, type, a.f, b.f);
    uint64_t ua = (uint64_t)a.i, ub = (uint64_t)b.i;
    switch (op) {
    case KOP_ADD:
        return of_int(type, (int64_t)(ua + ub));
    case KOP_SUB:
        return of_int(type, (int64_t)(ua - ub));
    case KOP_MUL:
        return of_int(type, (int64_t)(ua * ub));
    case KOP_DIV:
        return of_int(type, int_div(type, a.i, b.i));
    case KOP_REM:
        if (b.i == 0)
            return of_int(type, 0);
        return of_int(type, (int64_t)(ua - (uint64_t)int_div(type, a.i, b.i) * ub));
    case KOP_MIN:
        return int_less(type, a.i, b.i) ? a : b;
    case KOP_MAX:
        return int_less(type, b.i, a.i) ? a : b;
    case KOP_AND:
        return of_int(type, (int64_t)(ua & ub));
    case KOP_OR:
        return of_int(type, (int64_t)(ua | ub));
    case KOP_XOR:
        return of_int(type, (int64_t)(ua ^ ub));
    case KOP_SHL:
        assert(ub < dtype_bits(type));
        return of_int(type, (int64_t)(ua << ub));
    case KOP_SHR:
        assert(ub < dtype_bits(type));
        if (dtype_kind(type) == DTYPE_KIND_INT)
            return of_int(type, a.i >> b.i);
        return of_int(type, (int64_t)(ua >> ub));
    default:
        assert(false && "a binary operation of integers");
        return a;
    }
}

bool kscalar_compare(enum kop op, enum dtype type, union kscalar a, union kscalar b)
{
    if (dtype_is_float(type)) {
        switch (op) {
        case KOP_EQ:
            return a.f == b.f;
        case KOP_NE:
            return a.f != b.f;
        case KOP_LT:
            return a.f < b.f;
        case KOP_LE:
            return a.f <= b.f;
        default:
            break;
        }
    } else {
        switch (op) {
        case KOP_EQ:
            return a.i == b.i;
        case KOP_NE:
            return a.i != b.i;
        case KOP_LT:
            return int_less(type, a.i, b.i);
        case KOP_LE:
            return !int_less(type, b.i, a.i);
        default:
            break;
        }
    }
    assert(false && "a comparison");
    return false;
}

static int64_t float_to_int(enum dtype type, double v)
{
    if (isnan(v))
        return 0;
    v = trunc(v);
    if (type == DTYPE_U64) {
        if (v <= 0)
            return 0;
        return v >= 0x1p64 ? -1 : (int64_t)(uint64_t)v;
    }
    if (type == DTYPE_I64) {
        if (v >= 0x1p63)
            return INT64_MAX;
        return v < -0x1p63 ? INT64_MIN : (int64_t)v;
    }
    double lo = (double)dtype_int_min(type), hi = (double)dtype_int_max(type);
    return (int64_t)(v < lo ? lo : v > hi ? hi : v);
}

static double int_to_float(enum dtype to, enum dtype from, int64_t v)
{
    bool negative = from != DTYPE_U64 && v < 0;
    uint64_t u = negative ? 0 - (uint64_t)v : (uint64_t)v;
    if (to == DTYPE_F64)
        return negative ? -(double)u : (double)u;
    /* At most 53 bits, the last one standing for all that were cut off: exact as a double, and
       rounded only once. */
    int shift = 0;
    while (u >> 53) {
        u = (u >> 1) | (u & 1);
        shift++;
    }
    double d = ldexp((double)u, shift);
    return kscalar_round(to, negative ? -d : d);
}

union kscalar kscalar_cast(enum dtype to, enum dtype from, union kscalar a)
{
    union kscalar r;
    bool from_float = dtype_is_float(from);
    if (to == DTYPE_BOOL)
        r.i = from_float ? a.f != 0 : a.i != 0;
    else if (dtype_is_float(to))
        r.f = from_float ? kscalar_round(to, a.f) : int_to_float(to, from, a.i);
    else
        r.i = from_float ? float_to_int(to, a.f) : kscalar_wrap(to, a.i);
    return r;
}

static uint64_t bits_of(enum dtype type, union kscalar a)
{
    switch (type) {
    case DTYPE_F64:
        return dtype_bits_of_f64(a.f);
    case DTYPE_F32:
        return dtype_bits_of_f32((float)a.f);
    case DTYPE_F16:
        return dtype_f32_to_f16((float)a.f);
    case DTYPE_BF16:
        return dtype_f32_to_bf16((float)a.f);
    default:
        return (uint64_t)a.i;
    }
}

static union kscalar from_bits(enum dtype type, uint64_t u)
{
    union kscalar r;
    switch (type) {
    case DTYPE_F64:
        r.f = dtype_f64_of_bits(u);
        return r;
    case DTYPE_F32:
        r.f = (double)dtype_f32_of_bits((uint32_t)u);
        return r;
    case DTYPE_F16:
        r.f = (double)dtype_f16_to_f32((uint16_t)u);
        return r;
    case DTYPE_BF16:
        r.f = (double)dtype_bf16_to_f32((uint16_t)u);
        return r;
    default:
        r.i = kscalar_wrap(type, (int64_t)u);
        return r;
    }
}

union kscalar kscalar_bitcast(enum dtype to, enum dtype from, union kscalar a)
{
    assert(dtype_bits(to) == dtype_bits(from));
    return from_bits(to, bits_of(from, a));
}

union kscalar kscalar_read(enum dtype type, const void *data, int64_t i)
{
    const uint8_t *p = data;
    unsigned bits = dtype_bits(type);
    if (bits < 8)
        return from_bits(type, dtype_unpack(p, bits, i));
    uint64_t u = 0;
    for (unsigned b = 0; b < bits / 8; b++)
        u |= (uint64_t)p[i * (int64_t)(bits / 8) + b] << (8 * b);
    return from_bits(type, u);
}

void kscalar_write(enum dtype type, void *data, int64_t i, union kscalar v)
{
    uint8_t *p = data;
    unsigned bits = dtype_bits(type);
    uint64_t u = bits_of(type, v);
    if (bits < 8) {
        dtype_pack(p, bits, i, (unsigned)(u & 0xff));
        return;
    }
    for (unsigned b = 0; b < bits / 8; b++)
        p[i * (int64_t)(bits / 8) + b] = (uint8_t)(u >> (8 * b));
}
