/*
 * dtype.h: element types of tensors and of kernel values (table: dtype.def).
 */
#ifndef SHEAF_IR_DTYPE_H
#define SHEAF_IR_DTYPE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "bundle/bundle.h"

enum dtype {
    DTYPE_NONE,
#define DTYPE(id, text, code, bits, kind) DTYPE_##id,
#include "ir/dtype.def"
#undef DTYPE
    DTYPE_COUNT
};

enum dtype_kind {
    DTYPE_KIND_FLOAT,
    DTYPE_KIND_INT,
    DTYPE_KIND_UINT,
    DTYPE_KIND_BOOL,
    DTYPE_KIND_CODED
};

const char *dtype_name(enum dtype t);
enum dtype dtype_parse(const char *text); /* DTYPE_NONE where there is no such type */
enum dtype dtype_from_code(int64_t code); /* ONNX code; DTYPE_NONE where not supported */
enum sheaf_dtype dtype_code(enum dtype t);
unsigned dtype_bits(enum dtype t);
enum dtype_kind dtype_kind(enum dtype t);
bool dtype_is_float(enum dtype t);
bool dtype_is_integer(enum dtype t); /* INT or UINT, not BOOL */
bool dtype_is_coded(enum dtype t);

/* Bytes that `elems` dense elements occupy. */
int64_t dtype_bytes(enum dtype t, int64_t elems);

/* Element i of a type of less than 8 bits. */
static inline unsigned dtype_unpack(const uint8_t *p, unsigned bits, int64_t i)
{
    unsigned at = (unsigned)(i % (8 / bits)) * bits;
    return (unsigned)p[i / (8 / bits)] >> at & ((1u << bits) - 1);
}

static inline void dtype_pack(uint8_t *p, unsigned bits, int64_t i, unsigned v)
{
    unsigned at = (unsigned)(i % (8 / bits)) * bits, mask = ((1u << bits) - 1) << at;
    p += i / (8 / bits);
    *p = (uint8_t)((*p & ~mask) | (v << at & mask));
}

/* Smallest and largest value of an integer type (u64's largest is clipped to INT64_MAX); of a coded
   type the range of its codes. */
int64_t dtype_int_min(enum dtype t);
int64_t dtype_int_max(enum dtype t);

/* Conversions of 16-bit floats; to: round to nearest even, once; NaN stays NaN. */
float dtype_f16_to_f32(uint16_t bits);
uint16_t dtype_f32_to_f16(float value);
uint16_t dtype_f64_to_f16(double value);
float dtype_bf16_to_f32(uint16_t bits);
uint16_t dtype_f32_to_bf16(float value);
uint16_t dtype_f64_to_bf16(double value);

/*
 * Coded types are floats of at most 8 bits.  They are stored and moved as their bits, the code, and
 * converted where somebody computes with them (kernel_coded.c).  A code is a sign bit, but in
 * f8e8m0, above an exponent and a mantissa; below 1 << mantissa it is subnormal, but in f8e8m0.
 */
struct dtype_format {
    unsigned sign;    /* the bit, or 0: there are no negative numbers */
    unsigned largest; /* code of the largest number */
    unsigned beyond;  /* code of larger ones: infinity, or NaN, or `largest` */
    unsigned nan;     /* what a NaN becomes */
    int mantissa;     /* bits of it */
    int bias;         /* of the exponent */
};
struct dtype_format dtype_format(enum dtype t); /* of a coded type */
/* Has -0; else the code of a sign alone is NaN. */
bool dtype_has_minus_zero(enum dtype t);
double dtype_decode(enum dtype t, unsigned code);
/* To nearest, ties to the even code; saturates. */
unsigned dtype_encode(enum dtype t, double value);

/* ---- the bits of floats ---- */

static inline uint32_t dtype_bits_of_f32(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static inline float dtype_f32_of_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline uint64_t dtype_bits_of_f64(double f)
{
    uint64_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static inline double dtype_f64_of_bits(uint64_t u)
{
    double f;
    memcpy(&f, &u, sizeof f);
    return f;
}

#endif
