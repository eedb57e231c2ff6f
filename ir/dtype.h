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

enum dtype_kind { DTYPE_KIND_FLOAT, DTYPE_KIND_INT, DTYPE_KIND_UINT, DTYPE_KIND_BOOL };

const char *dtype_name(enum dtype t);
enum dtype dtype_parse(const char *text); /* DTYPE_NONE where there is no such type */
enum dtype dtype_from_code(int64_t code); /* ONNX code; DTYPE_NONE where not supported */
enum sheaf_dtype dtype_code(enum dtype t);
unsigned dtype_bits(enum dtype t);
enum dtype_kind dtype_kind(enum dtype t);
bool dtype_is_float(enum dtype t);
bool dtype_is_integer(enum dtype t); /* INT or UINT, not BOOL */

/* Bytes that `elems` dense elements occupy. */
int64_t dtype_bytes(enum dtype t, int64_t elems);

/* Smallest and largest value of an integer type (u64's largest is clipped to INT64_MAX). */
int64_t dtype_int_min(enum dtype t);
int64_t dtype_int_max(enum dtype t);

/* Conversions of 16-bit floats; to: round to nearest even, once; NaN stays NaN. */
float dtype_f16_to_f32(uint16_t bits);
uint16_t dtype_f32_to_f16(float value);
uint16_t dtype_f64_to_f16(double value);
float dtype_bf16_to_f32(uint16_t bits);
uint16_t dtype_f32_to_bf16(float value);
uint16_t dtype_f64_to_bf16(double value);

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
