/*
 * Products of what is staged.
 *
 * Matrix instructions (mma.sync) take 16 rows of A, 8 columns of B and 32 bytes of K, whatever the
 * type: ldmatrix brings both in the registers where they are wanted, for 8 rows of 16 bytes are
 * what a warp's lanes hold 4 bytes each of.  PTX ISA, "Matrix fragments for mma.m16n8k8",
 * ".m16n8k16",
 * ".m16n8k32".  Without them each thread multiplies the values of its rows and columns one by one.
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

/* The first row or column of the warp's part. */
static LLVMValueRef part_row(struct tile *t)
{
    return gpu_times(t, gpu_over(t, t->warp, t->e->tile_n / t->e->part_n), t->e->part_m);
}

static LLVMValueRef part_col(struct tile *t)
{
    return gpu_times(t, gpu_rest(t, t->warp, t->e->tile_n / t->e->part_n), t->e->part_n);
}

/* Four 8x8 fragments; `place` is where this lane's address is. */
static void load_fragments(struct tile *t, LLVMValueRef place, int bytes, LLVMValueRef *out)
{
    struct emit *e = t->ek->e;
    LLVMValueRef p = gpu_shared_at(t, place, bytes);
    LLVMTypeRef type = LLVMTypeOf(p);
    LLVMValueRef four =
        emit_intrinsic(e, "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16", &type, 1, &p, 1);
    for (unsigned i = 0; i < 4; i++)
        out[i] = LLVMBuildExtractValue(e->b, four, i, "");
}

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

/* The places of the first fragments of the thread's lane. */
static void find_fragments(struct tile *t)
{
    LLVMValueRef eighth = gpu_over(t, t->lane, 8), in_eight = gpu_rest(t, t->lane, 8);
    LLVMValueRef odd = gpu_rest(t, eighth, 2), high = gpu_over(t, eighth, 2);
    LLVMValueRef a_row = gpu_sum(t, gpu_times(t, odd, 8), in_eight);
    a_row = gpu_sum(t, part_row(t), a_row);
    LLVMValueRef b_row = gpu_sum(t, gpu_times(t, high, 8), in_eight);
    b_row = gpu_sum(t, part_col(t), b_row);
    t->a_place = gpu_chunk_place(t, &t->a, a_row, high);
    t->b_place = gpu_chunk_place(t, &t->b, b_row, odd);
}

static LLVMValueRef chunk_further(struct tile *t, LLVMValueRef place, int chunk)
{
    return LLVMBuildXor(t->ek->e->b, place, gpu_i32(t, chunk * CHUNK_BYTES), "");
}

static void multiply_matrices(struct tile *t, LLVMValueRef at)
{
    enum { MAX_PARTS = 8, CHUNKS = MMA_BYTES / CHUNK_BYTES };
    int rows = t->e->part_m / MMA_M, cols = t->e->part_n / MMA_N;
    assert(rows <= MAX_PARTS && cols <= MAX_PARTS && cols % 2 == 0);
    LLVMValueRef a[MAX_PARTS][A_WORDS], b[MAX_PARTS / 2][4];
    LLVMValueRef a_place = gpu_sum(t, t->a_place, at), b_place = gpu_sum(t, t->b_place, at);
    for (int k = 0; k < t->row_bytes / MMA_BYTES; k++) {
        LLVMValueRef a_at = chunk_further(t, a_place, k * CHUNKS);
        LLVMValueRef b_at = chunk_further(t, b_place, k * CHUNKS);
        for (int i = 0; i < rows; i++)
            load_fragments(t, a_at, i * MMA_M * t->row_bytes, a[i]);
        for (int j = 0; j < cols / 2; j++)
            load_fragments(t, b_at, j * 2 * MMA_N * t->row_bytes, b[j]);
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < cols; j++)
                multiply_fragments(t, &t->acc[(i * cols + j) * MMA_SUMS], a[i],
                                   &b[j / 2][j % 2 * B_WORDS]);
    }
}

/* Lane l has rows l / 4 and 8 below it, and columns 2 * (l % 4) and the next. */
static void each_matrix_sum(struct tile *t, gpu_sums *fn)
{
    struct emit *e = t->ek->e;
    int rows = t->e->part_m / MMA_M, cols = t->e->part_n / MMA_N;
    LLVMValueRef row = gpu_sum(t, part_row(t), gpu_over(t, t->lane, 4));
    LLVMValueRef col = gpu_sum(t, part_col(t), gpu_times(t, gpu_rest(t, t->lane, 4), 2));
    for (int i = 0; i < rows; i++)
        for (int half = 0; half < 2; half++)
            for (int j = 0; j < cols; j++) {
                LLVMValueRef pair[2];
                for (int k = 0; k < 2; k++)
                    pair[k] = LLVMBuildLoad2(e->b, t->acc_type,
                                             t->acc[(i * cols + j) * MMA_SUMS + half * 2 + k], "");
                LLVMValueRef m = gpu_plus(t, row, i * MMA_M + half * 8);
                fn(t, m, gpu_plus(t, col, j * MMA_N), pair, 2);
            }
}

/* ---- one by one ---- */

/* Thread rows and columns lie apart by how many threads there are in that direction, so that
   neighbouring threads read neighbouring rows, and write neighbouring columns. */
static int threads_along_n(const struct tile *t)
{
    return t->e->tile_n / t->e->part_n;
}

static int threads_along_m(const struct tile *t)
{
    return t->e->tile_m / t->e->part_m;
}

static void find_values(struct tile *t)
{
    LLVMValueRef zero = gpu_i32(t, 0);
    LLVMValueRef row = gpu_over(t, t->thread, threads_along_n(t));
    LLVMValueRef col = gpu_rest(t, t->thread, threads_along_n(t));
    t->a_place = gpu_chunk_place(t, &t->a, row, zero);
    t->b_place = gpu_chunk_place(t, &t->b, col, zero);
}

static LLVMValueRef read_shared(struct tile *t, const struct staged *s, LLVMValueRef place, int row)
{
    struct emit *e = t->ek->e;
    LLVMTypeRef type = LLVMVectorType(t->acc_type, (unsigned)gpu_chunk_elems(s));
    LLVMValueRef v = LLVMBuildLoad2(e->b, type, gpu_shared_at(t, place, row * t->row_bytes), "");
    LLVMSetAlignment(v, CHUNK_BYTES);
    return v;
}

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

static void multiply_values(struct tile *t, LLVMValueRef at)
{
    enum { MAX_PART = 8 };
    int rows = t->e->part_m, cols = t->e->part_n;
    assert(rows <= MAX_PART);
    LLVMValueRef a[MAX_PART];
    assert(threads_along_m(t) % 8 == 0 && threads_along_n(t) % 8 == 0);
    LLVMValueRef a_place = gpu_sum(t, t->a_place, at), b_place = gpu_sum(t, t->b_place, at);
    for (int chunk = 0; chunk < t->row_bytes / CHUNK_BYTES; chunk++) {
        LLVMValueRef a_at = chunk_further(t, a_place, chunk);
        LLVMValueRef b_at = chunk_further(t, b_place, chunk);
        for (int i = 0; i < rows; i++)
            a[i] = read_shared(t, &t->a, a_at, i * threads_along_m(t));
        /* Of B, one column's factors at a time take registers. */
        for (int j = 0; j < cols; j++) {
            LLVMValueRef b = read_shared(t, &t->b, b_at, j * threads_along_n(t));
            for (int k = 0; k < gpu_chunk_elems(&t->a); k++)
                for (int i = 0; i < rows; i++)
                    multiply_add(t, t->acc[i * cols + j], element(t, a[i], k), element(t, b, k));
        }
    }
}

static void each_value_sum(struct tile *t, gpu_sums *fn)
{
    struct emit *e = t->ek->e;
    int rows = t->e->part_m, cols = t->e->part_n;
    LLVMValueRef row = gpu_over(t, t->thread, threads_along_n(t));
    LLVMValueRef col = gpu_rest(t, t->thread, threads_along_n(t));
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++) {
            LLVMValueRef v = LLVMBuildLoad2(e->b, t->acc_type, t->acc[i * cols + j], "");
            LLVMValueRef m = gpu_plus(t, row, i * threads_along_m(t));
            fn(t, m, gpu_plus(t, col, j * threads_along_n(t)), &v, 1);
        }
}

void gpu_find_factors(struct tile *t)
{
    if (gpu_is_matrix(t->e))
        find_fragments(t);
    else
        find_values(t);
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
