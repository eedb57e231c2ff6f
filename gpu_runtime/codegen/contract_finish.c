/*
 * The epilogue of a tile.  The sums, which the threads have as the products left them, go through
 * shared memory, so that a thread finishes neighbouring columns of a row: it reads what belongs to
 * them, a bias or another tensor to add, and stores the results in as few accesses as can be.
 */
#include <assert.h>

#include "gpu_runtime/codegen/contract.h"
#include "ir/schedule_order.h"

/* A row's columns and what keeps rows of pairs in different banks: with 8 more than a multiple of
   32, four rows of 8 columns each, which half a warp stores, take all 32. */
static int pitch_bytes(const struct tile *t)
{
    enum { APART = 8, SUM_BYTES = 4 };
    return (t->e->tile_n + APART) * SUM_BYTES;
}

int gpu_sums_bytes(const struct tile *t)
{
    return t->e->tile_m * pitch_bytes(t);
}

static LLVMValueRef sum_at(struct tile *t, LLVMValueRef m, LLVMValueRef n)
{
    LLVMValueRef place = gpu_sum(t, t->shared, gpu_times(t, m, pitch_bytes(t)));
    return gpu_shared_at(t, gpu_sum(t, place, gpu_times(t, n, 4)), 0);
}

static void put(struct tile *t, LLVMValueRef m, LLVMValueRef n, const LLVMValueRef *sums, int lanes)
{
    struct emit *e = t->ek->e;
    LLVMValueRef v = sums[0];
    if (lanes > 1) {
        v = LLVMGetPoison(LLVMVectorType(t->acc_type, (unsigned)lanes));
        for (int i = 0; i < lanes; i++)
            v = LLVMBuildInsertElement(e->b, v, sums[i], gpu_i32(t, i), "");
    }
    LLVMSetAlignment(LLVMBuildStore(e->b, v, sum_at(t, m, n)), 4U * (unsigned)lanes);
}

/* ---- lanes ---- */

/* How often stores of the epilogue lie side by side for neighbours of an index, or do not. */
struct lie {
    int together, apart;
    unsigned bytes; /* of the widest element stored */
};

static void count_stores(const struct tile *t, const struct axis *x, struct lie *out)
{
    const struct kernel *k = t->ek->k;
    const struct kblock *b = &t->r->block[0];
    for (size_t i = 0; i < b->n; i++) {
        const struct kinst *in = kernel_inst(k, b->insts[i]);
        struct schedule_access a;
        int64_t stride = 0;
        if (in->op != KOP_STORE)
            continue;
        schedule_read_access(k, &(struct schedule_nest){NULL, t->r}, in, &a);
        unsigned bytes = dtype_bits(a.buf->dtype) / 8;
        out->bytes = bytes > out->bytes ? bytes : out->bytes;
        bool one = x->n && a.affine &&
                   schedule_stride(a.buf, a.dims, t->r->index[x->iter[x->n - 1]], &stride) &&
                   stride == 1;
        *(one ? &out->together : &out->apart) += 1;
    }
}

/* Columns that a thread finishes at once. */
static int choose_lanes(const struct tile *t)
{
    enum { MOST = 8 };
    struct lie lie = {0};
    count_stores(t, &t->n, &lie);
    if (lie.apart || lie.bytes == 0 || !emit_can_vectorize(t->ek->k, &t->r->block[0]))
        return 1;
    int lanes = CHUNK_BYTES / (int)lie.bytes;
    lanes = lanes > MOST ? MOST : lanes;
    while (lanes > 1 && t->n.extent[t->n.n - 1] % lanes != 0)
        lanes /= 2;
    return lanes;
}

/* ---- one run of columns ---- */

static LLVMValueRef exists(struct tile *t, LLVMValueRef m, LLVMValueRef n)
{
    int64_t m_end = (t->m.points + t->e->tile_m - 1) / t->e->tile_m * t->e->tile_m;
    int64_t n_end = (t->n.points + t->e->tile_n - 1) / t->e->tile_n * t->e->tile_n;
    return gpu_both(t, gpu_is_below(t, m, t->m.points, m_end - 1),
                    gpu_is_below(t, n, t->n.points, n_end - 1));
}

static void finish_run(struct tile *t, LLVMValueRef row, LLVMValueRef run, int lanes)
{
    struct emit_kernel *ek = t->ek;
    struct emit *e = ek->e;
    const struct kblock *epilogue = &t->r->block[0];
    LLVMValueRef m = gpu_sum(t, t->m0, row);
    LLVMValueRef column = gpu_times(t, run, lanes), n = gpu_sum(t, t->n0, column);
    LLVMValueRef ok = exists(t, m, n);
    LLVMBasicBlockRef end = NULL;
    if (ok) {
        LLVMBasicBlockRef inside = emit_append_block(ek);
        end = emit_append_block(ek);
        LLVMBuildCondBr(e->b, ok, inside, end);
        LLVMPositionBuilderAtEnd(e->b, inside);
    }
    gpu_bind_axis(t, &t->m, m);
    gpu_bind_lanes(t, &t->n, gpu_sum(t, gpu_over(t, t->n0, lanes), run), lanes);
    LLVMTypeRef type = lanes > 1 ? LLVMVectorType(t->acc_type, (unsigned)lanes) : t->acc_type;
    LLVMValueRef sums = LLVMBuildLoad2(e->b, type, sum_at(t, row, column), "");
    LLVMSetAlignment(sums, lanes < 4 ? 4U * (unsigned)lanes : CHUNK_BYTES);
    emit_set_lanes(ek, lanes);
    emit_set(ek, epilogue->param[0], sums, lanes > 1);
    emit_block(ek, epilogue);
    emit_set_lanes(ek, 1);
    if (end) {
        LLVMBuildBr(e->b, end);
        LLVMPositionBuilderAtEnd(e->b, end);
    }
}

/* Neighbouring threads finish neighbours in memory. */
static void finish_number(struct tile *t, LLVMValueRef id, int lanes, bool rows_first)
{
    int runs = t->e->tile_n / lanes, rows = t->e->tile_m;
    if (rows_first)
        finish_run(t, gpu_rest(t, id, rows), gpu_over(t, id, rows), lanes);
    else
        finish_run(t, gpu_over(t, id, runs), gpu_rest(t, id, runs), lanes);
}

void gpu_finish(struct tile *t)
{
    enum { AT_ONCE = 4 };
    int lanes = choose_lanes(t);
    struct lie along_m = {0};
    count_stores(t, &t->m, &along_m);
    bool rows_first = lanes == 1 && along_m.together > along_m.apart;
    int each = t->e->tile_m * t->e->tile_n / lanes / t->threads;
    int at_once = each < AT_ONCE ? each : AT_ONCE;
    assert(each > 0 && each % at_once == 0);
    gpu_stage_wait(t, 0);
    gpu_barrier(t);
    gpu_each_sum(t, put);
    gpu_barrier(t);
    struct eloop l = emit_loop_begin(t->ek, gpu_i32(t, 0), gpu_i32(t, each), at_once);
    LLVMValueRef id = gpu_sum(t, t->thread, gpu_times(t, l.phi, t->threads));
    for (int i = 0; i < at_once; i++)
        finish_number(t, gpu_plus(t, id, i * t->threads), lanes, rows_first);
    emit_loop_end(t->ek, &l);
}
