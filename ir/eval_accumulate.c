#include "ir/eval_accumulate.h"

#include <string.h>

/* Four floats: gcc and clang map it to a register of any SIMD extension that has one. */
typedef float float4 __attribute__((vector_size(16)));

size_t eval_acc_bytes(enum dtype acc)
{
    if (acc == DTYPE_F64)
        return sizeof(double);
    if (dtype_is_float(acc))
        return sizeof(float);
    return dtype_bits(acc) > 32 ? sizeof(uint64_t) : sizeof(uint32_t);
}

static void accumulate_f32(int64_t k, const float *rows, const float *panel, float *out,
                           int64_t out_stride)
{
    const float *r0 = rows, *r1 = rows + k, *r2 = rows + 2 * k, *r3 = rows + 3 * k;
    float4 a00 = {0}, a01 = {0}, a10 = {0}, a11 = {0};
    float4 a20 = {0}, a21 = {0}, a30 = {0}, a31 = {0};
    for (int64_t i = 0; i < k; i++) {
        float4 b0, b1;
        memcpy(&b0, panel + i * EVAL_TILE_COLS, sizeof b0);
        memcpy(&b1, panel + i * EVAL_TILE_COLS + 4, sizeof b1);
        /* Two statements each: a product and a sum in one could be contracted. */
        float4 p00 = b0 * r0[i], p01 = b1 * r0[i];
        a00 += p00;
        a01 += p01;
        float4 p10 = b0 * r1[i], p11 = b1 * r1[i];
        a10 += p10;
        a11 += p11;
        float4 p20 = b0 * r2[i], p21 = b1 * r2[i];
        a20 += p20;
        a21 += p21;
        float4 p30 = b0 * r3[i], p31 = b1 * r3[i];
        a30 += p30;
        a31 += p31;
    }
    memcpy(out, &a00, sizeof a00);
    memcpy(out + 4, &a01, sizeof a01);
    memcpy(out + out_stride, &a10, sizeof a10);
    memcpy(out + out_stride + 4, &a11, sizeof a11);
    memcpy(out + 2 * out_stride, &a20, sizeof a20);
    memcpy(out + 2 * out_stride + 4, &a21, sizeof a21);
    memcpy(out + 3 * out_stride, &a30, sizeof a30);
    memcpy(out + 3 * out_stride + 4, &a31, sizeof a31);
}

#define ACCUMULATE(name, type)                                                                     \
    static void name(int64_t k, const type *rows, const type *panel, type *out,                    \
                     int64_t out_stride)                                                           \
    {                                                                                              \
        for (int r = 0; r < EVAL_TILE_ROWS; r++) {                                                 \
            type acc[EVAL_TILE_COLS] = {0};                                                        \
            for (int64_t i = 0; i < k; i++) {                                                      \
                for (int c = 0; c < EVAL_TILE_COLS; c++) {                                         \
                    type product = rows[r * k + i] * panel[i * EVAL_TILE_COLS + c];                \
                    acc[c] += product;                                                             \
                }                                                                                  \
            }                                                                                      \
            memcpy(out + r * out_stride, acc, sizeof acc);                                         \
        }                                                                                          \
    }

ACCUMULATE(accumulate_f64, double)
ACCUMULATE(accumulate_u32, uint32_t)
ACCUMULATE(accumulate_u64, uint64_t)

static float round_half(enum dtype t, float v)
{
    return t == DTYPE_F16 ? dtype_f16_to_f32(dtype_f32_to_f16(v))
                          : dtype_bf16_to_f32(dtype_f32_to_bf16(v));
}

static void accumulate_half(enum dtype acc, int64_t k, const float *rows, const float *panel,
                            float *out, int64_t out_stride)
{
    for (int r = 0; r < EVAL_TILE_ROWS; r++) {
        for (int c = 0; c < EVAL_TILE_COLS; c++) {
            float sum = 0;
            for (int64_t i = 0; i < k; i++) {
                float product = round_half(acc, rows[r * k + i] * panel[i * EVAL_TILE_COLS + c]);
                sum = round_half(acc, sum + product);
            }
            out[r * out_stride + c] = sum;
        }
    }
}

void eval_accumulate(enum dtype acc, int64_t k, const void *rows, const void *panel, void *out,
                     int64_t out_stride)
{
    if (acc == DTYPE_F32)
        accumulate_f32(k, rows, panel, out, out_stride);
    else if (acc == DTYPE_F64)
        accumulate_f64(k, rows, panel, out, out_stride);
    else if (dtype_is_float(acc))
        accumulate_half(acc, k, rows, panel, out, out_stride);
    else if (dtype_bits(acc) > 32)
        accumulate_u64(k, rows, panel, out, out_stride);
    else
        accumulate_u32(k, rows, panel, out, out_stride);
}
