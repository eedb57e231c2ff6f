/*
 * checked.h: arithmetic on sizes that come from outside.  Each function returns false, and leaves
 * *out alone, where the exact result does not fit.
 */
#ifndef SHEAF_IR_CHECKED_H
#define SHEAF_IR_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

/* No tensor of a model may have more elements, and no model file more bytes. */
#define LIMIT_TENSOR_ELEMS ((int64_t)1 << 40)
#define LIMIT_FILE_BYTES   ((int64_t)1 << 40)

static inline bool checked_mul(int64_t a, int64_t b, int64_t *out)
{
    int64_t r;
    if (__builtin_mul_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

static inline bool checked_add(int64_t a, int64_t b, int64_t *out)
{
    int64_t r;
    if (__builtin_add_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

#endif
