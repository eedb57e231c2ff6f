/* Regions but maps, reductions and contractions: loop, scan, if. */
#include <assert.h>

#include "bundle/emit/emit_internal.h"

static bool can_vectorize(const struct kernel *k, const struct kblock *blk, bool maps)
{
    for (size_t i = 0; i < blk->n; i++) {
        const struct kinst *in = kernel_inst(k, blk->insts[i]);
        if (in->op == KOP_REDUCE || in->op == KOP_SCAN || (maps && in->op == KOP_MAP)) {
            /* A lane's extents must be every lane's: they may not be made inside the block. */
            const struct kregion *r = in->region;
            for (int d = 0; d < r->n_dims; d++) {
                int64_t c;
                if (!kernel_is_const_int(k, r->extent[d], &c))
                    return false;
            }
            if (!can_vectorize(k, &r->block[0], maps) || !can_vectorize(k, &r->block[1], maps))
                return false;
        } else if (kop_kind(in->op) == KOP_KIND_REGION) {
            return false;
        } else if (in->op == KOP_STORE && dtype_bits(k->bufs[in->buf].dtype) < 8) {
            return false;
        }
    }
    return true;
}

bool emit_can_vectorize(const struct kernel *k, const struct kblock *blk)
{
    return can_vectorize(k, blk, false);
}

bool emit_can_vectorize_maps(const struct kernel *k, const struct kblock *blk)
{
    return can_vectorize(k, blk, true);
}

void emit_set_results(struct emit_kernel *ek, kval v, int n, LLVMValueRef *values, bool varying)
{
    for (int i = 0; i < n; i++) {
        ek->results[v][i] = values[i];
        ek->results_varying[v][i] = varying;
    }
    if (n > 0)
        emit_set(ek, v, values[0], varying);
}

/* ---- loop, scan, if ---- */

static LLVMValueRef new_slot(struct emit_kernel *ek, enum dtype t, LLVMValueRef init)
{
    LLVMValueRef slot = emit_alloca(ek, emit_type(ek->e, t));
    LLVMBuildStore(ek->e->b, init, slot);
    return slot;
}

static LLVMValueRef read_slot(struct emit_kernel *ek, enum dtype t, LLVMValueRef slot)
{
    return LLVMBuildLoad2(ek->e->b, emit_type(ek->e, t), slot, "");
}

static enum dtype arg_type(const struct emit_kernel *ek, const struct kinst *in, int i)
{
    return kernel_inst(ek->k, in->args[i])->type;
}

static struct eloop index_loop(struct emit_kernel *ek, const struct kregion *r)
{
    int64_t known;
    if (!kernel_is_const_int(ek->k, r->extent[0], &known))
        known = 0;
    struct eloop l = emit_loop_begin(ek, emit_index(ek->e, 0), emit_extent(ek, r, 0), 1);
    struct eaffine a = eaffine_var(emit_add_var(ek, l.phi, known));
    emit_bind_index(ek, r->index[0], &a);
    return l;
}

static void emit_loop(struct emit_kernel *ek, kval v, const struct kinst *in)
{
    const struct kregion *r = in->region;
    LLVMValueRef slot[KREGION_MAX_VALUES], value[KREGION_MAX_VALUES];
    int n = r->block[0].n_params;
    for (int i = 0; i < n; i++)
        slot[i] = new_slot(ek, arg_type(ek, in, i), emit_get(ek, in->args[i], false));
    struct eloop l = index_loop(ek, r);
    for (int i = 0; i < n; i++)
        emit_set(ek, r->block[0].param[i], read_slot(ek, arg_type(ek, in, i), slot[i]), false);
    emit_block(ek, &r->block[0]);
    if (n > 0) {
        const struct kinst *y = emit_block_yield(ek, &r->block[0]);
        for (int i = 0; i < n; i++)
            value[i] = emit_get(ek, y->args[i], false);
        for (int i = 0; i < n; i++)
            LLVMBuildStore(ek->e->b, value[i], slot[i]);
    }
    emit_loop_end(ek, &l);
    for (int i = 0; i < n; i++)
        value[i] = read_slot(ek, arg_type(ek, in, i), slot[i]);
    emit_set_results(ek, v, n, value, false);
}

static void emit_scan(struct emit_kernel *ek, kval v, const struct kinst *in)
{
    const struct kregion *r = in->region;
    LLVMValueRef slot[KREGION_MAX_VALUES], prefix[KREGION_MAX_VALUES], elem[KREGION_MAX_VALUES];
    LLVMTypeRef lane_type[KREGION_MAX_VALUES];
    enum dtype type[KREGION_MAX_VALUES];
    int n = r->block[1].n_params;
    bool varying = ek->lanes > 1; /* a prefix for each of the lanes around */
    for (int i = 0; i < n; i++) {
        type[i] = arg_type(ek, in, i);
        lane_type[i] = emit_lane_type(ek, type[i], varying);
        slot[i] = emit_alloca(ek, lane_type[i]);
        LLVMBuildStore(ek->e->b, emit_get(ek, in->args[i], varying), slot[i]);
    }
    struct eloop l = index_loop(ek, r);
    emit_block(ek, &r->block[0]);
    const struct kinst *y = emit_block_yield(ek, &r->block[0]);
    for (int i = 0; i < n; i++) {
        elem[i] = emit_get(ek, y->args[i], varying);
        prefix[i] = LLVMBuildLoad2(ek->e->b, lane_type[i], slot[i], "");
        emit_set(ek, r->block[1].param[i], prefix[i], varying);
    }
    emit_block(ek, &r->block[1]);
    emit_combine(ek, r, n, prefix, elem, varying, type);
    for (int i = 0; i < n; i++)
        LLVMBuildStore(ek->e->b, prefix[i], slot[i]);
    emit_loop_end(ek, &l);
    for (int i = 0; i < n; i++)
        prefix[i] = LLVMBuildLoad2(ek->e->b, lane_type[i], slot[i], "");
    emit_set_results(ek, v, n, prefix, varying);
}

/* Where a group cannot share it one thread goes through it, and tells the others the totals. */
static void emit_scan_once(struct emit_kernel *ek, kval v, const struct kinst *in)
{
    if (ek->group.size == 1 || ek->lanes > 1) {
        emit_scan(ek, v, in);
        return;
    }
    if (emit_group_scan(ek, v))
        return;
    LLVMValueRef slot[KREGION_MAX_VALUES], total[KREGION_MAX_VALUES];
    int n = in->n_args;
    for (int i = 0; i < n; i++)
        slot[i] = emit_alloca(ek, emit_type(ek->e, arg_type(ek, in, i)));
    emit_group_barrier(ek);
    struct egroup_first first = emit_group_first_begin(ek);
    emit_scan(ek, v, in);
    for (int i = 0; i < n; i++)
        LLVMBuildStore(ek->e->b, ek->results[v][i], slot[i]);
    emit_group_first_end(ek, &first);
    emit_group_barrier(ek);
    for (int i = 0; i < n; i++)
        total[i] = emit_group_broadcast(ek, read_slot(ek, arg_type(ek, in, i), slot[i]));
    emit_set_results(ek, v, n, total, false);
}

static void emit_if(struct emit_kernel *ek, kval v, const struct kinst *in)
{
    struct emit *e = ek->e;
    const struct kregion *r = in->region;
    LLVMBasicBlockRef side[2], end;
    side[0] = emit_append_block(ek);
    side[1] = emit_append_block(ek);
    end = emit_append_block(ek);
    LLVMBuildCondBr(e->b, emit_get(ek, in->args[0], false), side[0], side[1]);
    LLVMValueRef slot[KREGION_MAX_VALUES];
    enum dtype type[KREGION_MAX_VALUES];
    int n = 0;
    for (int s = 0; s < 2; s++) {
        LLVMPositionBuilderAtEnd(e->b, side[s]);
        const struct kblock *blk = &r->block[s];
        emit_block(ek, blk);
        const struct kinst *last = blk->n ? kernel_inst(ek->k, blk->insts[blk->n - 1]) : NULL;
        if (last && last->op == KOP_YIELD) {
            n = last->n_args;
            for (int i = 0; i < n; i++) {
                type[i] = arg_type(ek, last, i);
                if (s == 0)
                    slot[i] = emit_alloca(ek, emit_type(e, type[i]));
                LLVMBuildStore(e->b, emit_get(ek, last->args[i], false), slot[i]);
            }
        }
        LLVMBuildBr(e->b, end);
    }
    LLVMPositionBuilderAtEnd(e->b, end);
    LLVMValueRef value[KREGION_MAX_VALUES];
    for (int i = 0; i < n; i++)
        value[i] = read_slot(ek, type[i], slot[i]);
    emit_set_results(ek, v, n, value, false);
}

void emit_region(struct emit_kernel *ek, kval v)
{
    const struct kinst *in = kernel_inst(ek->k, v);
    switch (in->op) {
    case KOP_MAP:
        emit_map_region(ek, v);
        return;
    case KOP_LOOP:
        emit_loop(ek, v, in);
        return;
    case KOP_SCAN:
        emit_scan_once(ek, v, in);
        return;
    case KOP_IF:
        emit_if(ek, v, in);
        return;
    case KOP_REDUCE:
        if (ek->group.size == 1 || !emit_group_reduce(ek, v))
            emit_reduce(ek, v);
        return;
    default:
        assert(in->op == KOP_CONTRACT);
        ek->e->target->emit_contract(ek, v, schedule_find(ek->schedule, v));
        return;
    }
}
