/*
 * Mod-28.  With `fmod` the remainder of a division that truncates, of the sign of a; else of one
 * that rounds down, of the sign of b.  Remainders of floats are exact.
 */
#include <math.h>

#include "ir/ops/common.h"

bool mod_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    return ops_infer_broadcast(n, TYPES_NUMBER, DTYPE_NONE, err);
}

/* ---- floats ---- */

/* A float without its sign, mantissa * 2^(exponent - some constant): both as u64. */
struct parts {
    kval mantissa, exponent;
};

static kval u64(struct kernel *k, int64_t v)
{
    return kernel_const_int(k, DTYPE_U64, v);
}

static int stored_bits(enum dtype type)
{
    return type == DTYPE_F64 ? 52 : 23;
}

/* Subnormal numbers have the least exponent of normal ones, and no leading bit. */
static struct parts parts_of(struct kernel *k, kval magnitude)
{
    enum dtype type = kernel_inst(k, magnitude)->type;
    int stored = stored_bits(type);
    enum dtype raw = type == DTYPE_F64 ? DTYPE_U64 : DTYPE_U32;
    kval bits = kernel_cast(k, DTYPE_U64, kernel_bitcast(k, raw, magnitude));
    kval exponent = kernel_binary(k, KOP_SHR, bits, u64(k, stored));
    kval is_normal = kernel_compare(k, KOP_NE, exponent, u64(k, 0));
    kval fraction = kernel_binary(k, KOP_AND, bits, u64(k, ((int64_t)1 << stored) - 1));
    kval whole = kernel_binary(k, KOP_OR, fraction, u64(k, (int64_t)1 << stored));
    struct parts p;
    p.mantissa = kernel_select(k, is_normal, whole, fraction);
    p.exponent = kernel_binary(k, KOP_MAX, exponent, u64(k, 1));
    return p;
}

/* mantissa * 2^exponent of the parts, which are no larger than those of a finite number. */
static kval joined(struct kernel *k, enum dtype type, kval mantissa, kval exponent)
{
    int stored = stored_bits(type);
    enum dtype raw = type == DTYPE_F64 ? DTYPE_U64 : DTYPE_U32;
    kval scale = kernel_binary(k, KOP_SHL, exponent, u64(k, stored));
    scale = kernel_bitcast(k, type, kernel_cast(k, raw, scale));
    kval m = kernel_cast(k, type, mantissa);
    m = kernel_binary(k, KOP_MUL, m, kernel_const_float(k, type, ldexp(1, -stored)));
    return kernel_binary(k, KOP_MUL, m, scale);
}

/* The remainder of mantissas, which takes in the difference of the exponents in as many bits at a
   time as 64 have room for above a mantissa. */
static kval remainder_of(struct kernel *k, enum dtype type, struct parts a, struct parts b)
{
    int chunk = 63 - stored_bits(type), exponents = type == DTYPE_F64 ? 2046 : 254;
    kval left = kernel_binary(k, KOP_SUB, a.exponent, b.exponent);
    kval init[2] = {kernel_binary(k, KOP_REM, a.mantissa, b.mantissa), left}, at[2], next[2];
    kval step, result[2];
    kernel_loop_begin(k, kernel_const_index(k, (exponents + chunk - 1) / chunk), 2, init, &step,
                      at);
    kval by = kernel_binary(k, KOP_MIN, at[1], u64(k, chunk));
    next[0] = kernel_binary(k, KOP_SHL, at[0], by);
    next[0] = kernel_binary(k, KOP_REM, next[0], b.mantissa);
    next[1] = kernel_binary(k, KOP_SUB, at[1], by);
    kernel_loop_end(k, next, result);
    return result[0];
}

/* |a| mod |b| with the sign of a. */
static kval float_fmod(struct kernel *k, kval a, kval b)
{
    enum dtype type = kernel_inst(k, a)->type;
    kval x = kernel_unary(k, KOP_ABS, a), y = kernel_unary(k, KOP_ABS, b);
    struct parts px = parts_of(k, x), py = parts_of(k, y);
    kval r = joined(k, type, remainder_of(k, type, px, py), py.exponent);
    kval minus = kernel_unary(k, KOP_NEG, r);
    r = kernel_select(k, kernel_compare(k, KOP_EQ, a, x), r, minus);
    r = kernel_select(k, kernel_compare(k, KOP_LT, x, y), a, r);
    kval is_finite = kernel_compare(k, KOP_LT, x, kernel_const_float(k, type, INFINITY));
    kval divides = kernel_compare(k, KOP_LT, kernel_const_float(k, type, 0), y);
    kval valid = kernel_binary(k, KOP_AND, is_finite, divides);
    return kernel_select(k, valid, r, kernel_const_float(k, type, NAN));
}

/* ---- both ---- */

/* A remainder of the other sign than b is b short of the one wanted. */
static kval rounded_down(struct kernel *k, kval r, kval b)
{
    enum dtype type = kernel_inst(k, r)->type;
    kval zero = kernel_const(k, type, 0);
    kval below = kernel_compare(k, KOP_LT, b, zero);
    kval differs = kernel_binary(k, KOP_XOR, kernel_compare(k, KOP_LT, r, zero), below);
    kval is_zero = kernel_compare(k, KOP_EQ, r, zero);
    differs = kernel_binary(k, KOP_AND, differs, kernel_unary(k, KOP_NOT, is_zero));
    kval result = kernel_select(k, differs, kernel_binary(k, KOP_ADD, r, b), r);
    if (!dtype_is_float(type))
        return result;
    kval signed_zero = kernel_select(k, below, kernel_const_float(k, type, -0.0), zero);
    return kernel_select(k, is_zero, signed_zero, result);
}

static kval mod_of(struct lower *l, kval a, kval b)
{
    struct kernel *k = l->kernel;
    const struct mod_attrs *attrs = l->node->attrs;
    enum dtype type = kernel_inst(k, a)->type;
    kval r = dtype_is_float(type) ? float_fmod(k, a, b) : kernel_binary(k, KOP_REM, a, b);
    return attrs->fmod || dtype_kind(type) == DTYPE_KIND_UINT ? r : rounded_down(k, r, b);
}

void mod_lower(struct lower *l)
{
    ops_map_fold(l, mod_of);
}
