/*
 * Products of what is staged.
 *
 * Matrix instructions (mma.sync) take 16 rows of A, 8 columns of B and 32 bytes of K, whatever the
 * type.  Without them each thread multiplies the values of its rows and columns one by one.
 */
#include <assert.h>

#include "gpu_runtime/codegen/contract.h"

enum {
    MMA_M = 16,
    MMA_N = 8,
    MMA_BYTES = 32, /* of K */
    MMA_SUMS = 4,   /* that a lane has: of 2 rows, 2 columns each */
    A_WORDS = 4,
    B_WORDS = 2
};

void gpu_clear(struct tile *t)
{
    const struct schedule_entry *e = t->e;
    int per = gpu_is_matrix(e) ? MMA_M * MMA_N / MMA_SUMS : 1;
    t->n_acc = e->part_m * e->part_n / per;
    t->acc = arena_array(t->ek->e->arena, (size_t)t->n_acc, sizeof(LLVMValueRef));
    for (int i = 0; i < t->n_acc; i++) {
        t->acc[i] = emit_alloca(t->ek, t->acc_type);
        LLVMBuildStore(t->ek->e->b, LLVMConstNull(t->acc_type), t->acc[i]);
    }
}

/* ---- matrix instructions ---- */

static const char *mma_name(const struct tile *t)
{
    bool a = t->a.type == DTYPE_U8, b = t->b.type == DTYPE_U8;
    switch (t->e->product) {
    case PRODUCT_F16:
        return "llvm.nvvm.mma.m16n8k16.row.col.f32.f32";
    case PRODUCT_BF16:
        return "llvm.nvvm.mma.m16n8k16.row.col.bf16";
    case PRODUCT_BYTES:
        return a ? b ? "llvm.nvvm.mma.m16n8k32.row.col.u8" : "llvm.nvvm.mma.m16n8k32.row.col.u8.s8"
               : b ? "llvm.nvvm.mma.m16n8k32.row.col.s8.u8"
                   : "llvm.nvvm.mma.m16n8k32.row.col.s8";
    default:
        return "llvm.nvvm.mma.m16n8k8.row.col.tf32";
    }
}

static void mma(struct tile *t, LLVMValueRef *acc, const LLVMValueRef *a, const LLVMValueRef *b)
{
    struct emit *e = t->ek->e;
    LLVMValueRef args[A_WORDS + B_WORDS + MMA_SUMS];
    for (int i = 0; i < A_WORDS; i++)
        args[i] = a[i];
    for (int i = 0; i < B_WORDS; i++)
        args[A_WORDS + i] = b[i];
    if (t->e->product == PRODUCT_F16) {
        LLVMTypeRef pair = LLVMVectorType(LLVMHalfTypeInContext(e->ctx), 2);
        for (int i = 0; i < A_WORDS + B_WORDS; i++)
            args[i] = LLVMBuildBitCast(e->b, args[i], pair, "");
    }
    for (int i = 0; i < MMA_SUMS; i++)
        args[A_WORDS + B_WORDS + i] = LLVMBuildLoad2(e->b, t->acc_type, acc[i], "");
    LLVMValueRef r = emit_intrinsic(e, mma_name(t), NULL, 0, args, A_WORDS + B_WORDS + MMA_SUMS);
    for (unsigned i = 0; i < MMA_SUMS; i++)
        LLVMBuildStore(e->b, LLVMBuildExtractValue(e->b, r, i, ""), acc[i]);
}

/* A float rounded to TF32, as bits, and what is left of it, rounded too. */
static void to_tf32(struct tile *t, LLVMValueRef bits, LLVMValueRef *out_high,
                    LLVMValueRef *out_low)
{
    struct emit *e = t->ek->e;
    LLVMValueRef v = LLVMBuildBitCast(e->b, bits, e->f32, "");
    *out_high = emit_intrinsic(e, "llvm.nvvm.f2tf32.rna", NULL, 0, &v, 1);
    if (!out_low)
        return;
    LLVMValueRef high = LLVMBuildBitCast(e->b, *out_high, e->f32, "");
    LLVMValueRef left = LLVMBuildFSub(e->b, v, high, "");
    *out_low = emit_intrinsic(e, "llvm.nvvm.f2tf32.rna", NULL, 0, &left, 1);
}

static void multiply_fragments(struct tile *t, LLVMValueRef *acc, const LLVMValueRef *a,
                               const LLVMValueRef *b)
{
    enum schedule_product product = t->e->product;
    if (product != PRODUCT_TF32 && product != PRODUCT_3XTF32) {
        mma(t, acc, a, b);
        return;
    }
    bool parts = product == PRODUCT_3XTF32;
    LLVMValueRef a_high[A_WORDS], a_low[A_WORDS], b_high[B_WORDS], b_low[B_WORDS];
    for (int i = 0; i < A_WORDS; i++)
        to_tf32(t, a[i], &a_high[i], parts ? &a_low[i] : NULL);
    for (int i = 0; i < B_WORDS; i++)
        to_tf32(t, b[i], &b_high[i], parts ? &b_low[i] : NULL);
    if (parts) { /* the small ones first */
        mma(t, acc, a_low, b_high);
        mma(t, acc, a_high, b_low);
    }
    mma(t, acc, a_high, b_high);
}

static void multiply_matrices(struct tile *t, LLVMValueRef at)
{
    enum { MAX_PARTS = 8 };
    int rows = t->e->part_m / MMA_M, cols = t->e->part_n / MMA_N;
    assert(rows <= MAX_PARTS && cols <= MAX_PARTS && cols % 2 == 0);
    LLVMValueRef a[MAX_PARTS][A_WORDS], b[MAX_PARTS / 2][4];
    for (int k = 0; k < t->row_bytes / MMA_BYTES; k++) {
        for (int i = 0; i < rows; i++)
            gpu_fragments(t, &t->a, at, k, i, a[i]);
        for (int j = 0; j < cols / 2; j++)
            gpu_fragments(t, &t->b, at, k, j, b[j]);
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < cols; j++)
                multiply_fragments(t, &t->acc[(i * cols + j) * MMA_SUMS], a[i],
                                   &b[j / 2][j % 2 * B_WORDS]);
    }
}

static LLVMValueRef sum_of(struct tile *t, int i, int j, int which)
{
    int cols = t->e->part_n / MMA_N;
    return LLVMBuildLoad2(t->ek->e->b, t->acc_type, t->acc[(i * cols + j) * MMA_SUMS + which], "");
}

/* Whether fragments have every second row or column, as those of bytes in lines do. */
static bool is_every_second(const struct staged *s)
{
    return s->in_lines && dtype_bits(s->type) == 8;
}

/* The sums of two neighbouring products in a row: of columns 2 * (l % 4) and the next of each. */
static void pairs_of_row(struct tile *t, gpu_sums *fn, LLVMValueRef m, int i, int j, int half)
{
    LLVMValueRef sums[2 * 2], quarter = gpu_rest(t, t->lane, 4);
    LLVMValueRef n = gpu_plus(t, gpu_part(t, &t->b), j * MMA_N);
    if (is_every_second(&t->b)) {
        for (int k = 0; k < 4; k++)
            sums[k] = sum_of(t, i, j + k % 2, half * 2 + k / 2);
        fn(t, m, gpu_sum(t, n, gpu_times(t, quarter, 4)), sums, 4);
        return;
    }
    n = gpu_sum(t, n, gpu_times(t, quarter, 2));
    for (int pair = 0; pair < 2; pair++) {
        for (int k = 0; k < 2; k++)
            sums[k] = sum_of(t, i, j + pair, half * 2 + k);
        fn(t, m, gpu_plus(t, n, pair * MMA_N), sums, 2);
    }
}

/* Lane l has rows l / 4 and 8 below it. */
static void each_matrix_sum(struct tile *t, gpu_sums *fn)
{
    int rows = t->e->part_m / MMA_M, cols = t->e->part_n / MMA_N;
    int times = is_every_second(&t->a) ? 2 : 1, below = times == 2 ? 1 : 8;
    LLVMValueRef eighth = gpu_times(t, gpu_over(t, t->lane, 4), times);
    LLVMValueRef row = gpu_sum(t, gpu_part(t, &t->a), eighth);
    for (int i = 0; i < rows; i++)
        for (int half = 0; half < 2; half++)
            for (int j = 0; j < cols; j += 2)
                pairs_of_row(t, fn, gpu_plus(t, row, i * MMA_M + half * below), i, j, half);
}

/* ---- one by one ---- */

static void multiply_add(struct tile *t, LLVMValueRef slot, LLVMValueRef a, LLVMValueRef b)
{
    struct emit *e = t->ek->e;
    LLVMValueRef acc = LLVMBuildLoad2(e->b, t->acc_type, slot, "");
    if (dtype_is_float(t->c->acc)) {
        LLVMValueRef args[3] = {a, b, acc};
        acc = emit_intrinsic(e, "llvm.fma", &t->acc_type, 1, args, 3);
    } else {
        acc = LLVMBuildAdd(e->b, acc, LLVMBuildMul(e->b, a, b, ""), "");
    }
    LLVMBuildStore(e->b, acc, slot);
}

static LLVMValueRef element(struct tile *t, LLVMValueRef v, int i)
{
    return LLVMBuildExtractElement(t->ek->e->b, v, gpu_i32(t, i), "");
}

/* Of what gpu_values gave for all the thread's rows: row i, at number k of the chunk's K. */
static LLVMValueRef value(struct tile *t, const struct staged *s, const LLVMValueRef *chunks, int i,
                          int k)
{
    return s->in_lines ? element(t, chunks[i / VALUES * VALUES + k], i % VALUES)
                       : element(t, chunks[i], k);
}

static void multiply_values(struct tile *t, LLVMValueRef at)
{
    enum { MAX_PART = 8 };
    int rows = t->e->part_m, cols = t->e->part_n;
    assert(rows <= MAX_PART && rows % VALUES == 0 && cols % VALUES == 0);
    LLVMValueRef a[MAX_PART];
    for (int chunk = 0; chunk < t->row_bytes / CHUNK_BYTES; chunk++) {
        for (int i = 0; i < rows; i++)
            a[i] = gpu_values(t, &t->a, at, chunk, i);
        /* Of B, one chunk's factors at a time take registers. */
        for (int j = 0; j < cols; j++) {
            LLVMValueRef b = gpu_values(t, &t->b, at, chunk, j);
            for (int n = 0; n < VALUES; n++) {
                int k = t->b.in_lines ? j % VALUES : n;
                int col = t->b.in_lines ? j / VALUES * VALUES + n : j;
                for (int i = 0; i < rows; i++)
                    multiply_add(t, t->acc[i * cols + col], value(t, &t->a, a, i, k),
                                 element(t, b, n));
            }
        }
    }
}

static void each_value_sum(struct tile *t, gpu_sums *fn)
{
    struct emit *e = t->ek->e;
    int rows = t->e->part_m, cols = t->e->part_n, run = t->b.in_lines ? VALUES : 1;
    for (int i = 0; i < rows; i++) {
        LLVMValueRef m = gpu_value_row(t, &t->a, i), v[VALUES];
        for (int j = 0; j < cols; j += run) {
            for (int n = 0; n < run; n++)
                v[n] = LLVMBuildLoad2(e->b, t->acc_type, t->acc[i * cols + j + n], "");
            fn(t, m, gpu_value_row(t, &t->b, j), v, run);
        }
    }
}

void gpu_multiply(struct tile *t, LLVMValueRef at)
{
    if (gpu_is_matrix(t->e))
        multiply_matrices(t, at);
    else
        multiply_values(t, at);
}

void gpu_each_sum(struct tile *t, gpu_sums *fn)
{
    if (gpu_is_matrix(t->e))
        each_matrix_sum(t, fn);
    else
        each_value_sum(t, fn);
}
