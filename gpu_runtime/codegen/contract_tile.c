/*
 * A tile of a contraction: staging runs ahead of the products by as many steps of K as there are
 * stages but one; then the epilogue runs for every sum.  Where an operand is converted, the
 * products of a step stand between its loads and its stores, all without a branch, so that ptxas
 * can put what waits for the loads behind the products; the last steps then stage zeros.
 */
#include "gpu_runtime/codegen/contract.h"

/* Shared memory whose size the launch says. */
static LLVMValueRef shared_memory(struct emit *e)
{
    static const char name[] = "shared_memory";
    LLVMValueRef g = LLVMGetNamedGlobal(e->mod, name);
    if (!g) {
        g = LLVMAddGlobalInAddressSpace(e->mod, LLVMArrayType2(e->i8, 0), name,
                                        gpu_threads.shared_space);
        LLVMSetAlignment(g, 128);
    }
    return LLVMBuildPtrToInt(e->b, g, e->i32, "");
}

/* The block's tile: columns first, so that blocks that run at a time read the same rows of A. */
static void find_place(struct tile *t)
{
    struct emit *e = t->ek->e;
    const struct target_threads *threads = e->target->threads;
    LLVMValueRef at = threads->block(e);
    t->thread = threads->thread(e);
    t->warp = gpu_over(t, t->thread, threads->warp);
    t->lane = gpu_rest(t, t->thread, threads->warp);
    int across = (int)((t->n.points + t->e->tile_n - 1) / t->e->tile_n);
    int down = (int)((t->m.points + t->e->tile_m - 1) / t->e->tile_m);
    t->n0 = gpu_times(t, gpu_rest(t, at, across), t->e->tile_n);
    at = gpu_over(t, at, across);
    t->m0 = gpu_times(t, gpu_rest(t, at, down), t->e->tile_m);
    gpu_bind_axis(t, &t->batch, gpu_over(t, at, down));
}

void gpu_barrier(struct tile *t)
{
    t->ek->e->target->threads->barrier(t->ek->e, t->threads > 32 ? t->threads : 64);
}

/* The stage behind the one in the slot: the first behind the last. */
static void next_stage(struct tile *t, LLVMValueRef slot)
{
    struct emit *e = t->ek->e;
    LLVMValueRef next = gpu_plus(t, gpu_get(t, slot), t->stage_bytes);
    LLVMValueRef end = gpu_i32(t, t->e->stages * t->stage_bytes);
    LLVMValueRef is_end = LLVMBuildICmp(e->b, LLVMIntEQ, next, end, "");
    gpu_set(t, slot, LLVMBuildSelect(e->b, is_end, gpu_i32(t, 0), next, ""));
}

/* Stages another step while there is one. */
static void stage_more(struct tile *t, LLVMValueRef step, int last, LLVMValueRef slot)
{
    struct emit *e = t->ek->e;
    LLVMBasicBlockRef more = emit_append_block(t->ek), none = emit_append_block(t->ek);
    LLVMValueRef is_one = LLVMBuildICmp(e->b, LLVMIntSLT, step, gpu_i32(t, last), "");
    LLVMBuildCondBr(e->b, is_one, more, none);
    LLVMPositionBuilderAtEnd(e->b, more);
    gpu_stage_load(t, gpu_get(t, slot));
    gpu_stage_store(t, gpu_get(t, slot));
    next_stage(t, slot);
    LLVMBuildBr(e->b, none);
    LLVMPositionBuilderAtEnd(e->b, none);
}

static void run_k(struct tile *t)
{
    struct emit_kernel *ek = t->ek;
    int steps = (int)((t->k.points + t->e->k_block - 1) / t->e->k_block);
    int ahead = t->e->stages - 1;
    gpu_stage_begin(t);
    for (int s = 0; s < ahead; s++) {
        if (s < steps) {
            gpu_stage_load(t, gpu_i32(t, s * t->stage_bytes));
            gpu_stage_store(t, gpu_i32(t, s * t->stage_bytes));
        }
        gpu_stage_commit(t);
    }
    gpu_find_factors(t);
    LLVMValueRef filled = emit_alloca(ek, ek->e->i32), used = emit_alloca(ek, ek->e->i32);
    gpu_set(t, filled, gpu_i32(t, ahead * t->stage_bytes));
    gpu_set(t, used, gpu_i32(t, 0));
    t->is_beyond = steps > ahead && (gpu_is_converted(&t->a) || gpu_is_converted(&t->b));
    struct eloop l = emit_loop_begin(ek, gpu_i32(t, 0), gpu_i32(t, steps), 1);
    gpu_stage_wait(t, ahead - 1);
    gpu_barrier(t);
    if (t->is_beyond)
        gpu_stage_load(t, gpu_get(t, filled));
    else if (steps > ahead)
        stage_more(t, l.phi, steps - ahead, filled);
    gpu_stage_commit(t);
    gpu_multiply(t, gpu_get(t, used));
    if (t->is_beyond) {
        gpu_stage_store(t, gpu_get(t, filled));
        next_stage(t, filled);
    }
    next_stage(t, used);
    emit_loop_end(ek, &l);
}

void gpu_emit_contract(struct emit_kernel *ek, kval contract, const struct schedule_entry *entry)
{
    (void)contract;
    struct tile t = {.ek = ek, .threads = ek->schedule->threads};
    gpu_describe_tile(ek->k, entry, &t);
    t.acc_type = emit_type(ek->e, t.c->acc);
    t.shared = shared_memory(ek->e);
    find_place(&t);
    gpu_clear(&t);
    run_k(&t);
    gpu_finish(&t);
}
