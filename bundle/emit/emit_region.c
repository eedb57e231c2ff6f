/* Regions but reductions and contractions: map, loop, scan, if. */
#include <assert.h>

#include "bundle/emit/emit_internal.h"

bool emit_can_vectorize(const struct kernel *k, const struct kblock *blk)
{
    for (size_t i = 0; i < blk->n; i++) {
        const struct kinst *in = kernel_inst(k, blk->insts[i]);
        if (in->op == KOP_REDUCE) {
            /* A lane's extents must be every lane's: they may not be made inside the block. */
            const struct kregion *r = in->region;
            for (int d = 0; d < r->n_dims; d++) {
                int64_t c;
                if (!kernel_is_const_int(k, r->extent[d], &c))
                    return false;
            }
            if (!emit_can_vectorize(k, &r->block[0]) || !emit_can_vectorize(k, &r->block[1]))
                return false;
        } else if (kop_kind(in->op) == KOP_KIND_REGION) {
            return false;
        } else if (in->op == KOP_STORE && dtype_bits(k->bufs[in->buf].dtype) < 8) {
            return false;
        }
    }
    return true;
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

/* ---- map ---- */

struct map {
    const struct kregion *region;
    const struct schedule_loop *loops;
    int n_loops;
    int lanes;
    struct eaffine part[KREGION_MAX_DIMS]; /* of each index, as far as its loops are open */
    int64_t limit[KREGION_MAX_DIMS];       /* of the inner part; set by the outer loop */
};

static void map_level(struct emit_kernel *ek, struct map *m, int level);

static void with_part(struct emit_kernel *ek, struct map *m, int level, const struct eaffine *add)
{
    int dim = m->loops[level].dim;
    struct eaffine saved = m->part[dim];
    eaffine_add(&m->part[dim], add, 1);
    map_level(ek, m, level + 1);
    m->part[dim] = saved;
}

/* A loop 0 .. count over one more variable, which counts `times` times in the index. */
static void scalar_loop(struct emit_kernel *ek, struct map *m, int level, LLVMValueRef from,
                        LLVMValueRef count, int64_t known, int64_t times)
{
    struct eaffine add = eaffine_const(0);
    if (known == 1 && LLVMIsAConstantInt(from)) {
        add.offset = LLVMConstIntGetSExtValue(from) * times;
        with_part(ek, m, level, &add);
        return;
    }
    struct eloop l = emit_loop_begin(ek, from, count, 1);
    struct eaffine var = eaffine_var(emit_add_var(ek, l.phi, known));
    eaffine_add(&add, &var, times);
    with_part(ek, m, level, &add);
    emit_loop_end(ek, &l);
}

static void outer_loop(struct emit_kernel *ek, struct map *m, int level, int64_t extent)
{
    const struct schedule_loop *l = &m->loops[level];
    int64_t full = extent / l->block, rest = extent % l->block;
    if (full > 0) {
        m->limit[l->dim] = l->block;
        scalar_loop(ek, m, level, emit_index(ek->e, 0), emit_index(ek->e, full), full, l->block);
    }
    if (rest > 0) {
        m->limit[l->dim] = rest;
        struct eaffine last = eaffine_const(full * l->block);
        with_part(ek, m, level, &last);
    }
}

/* One group of lanes at a constant position. */
static void lanes_at(struct emit_kernel *ek, struct map *m, int level, int64_t at, int lanes)
{
    emit_set_lanes(ek, lanes);
    struct eaffine add = eaffine_const(at);
    if (lanes > 1) {
        struct eaffine lane = eaffine_var(EVAR_LANE);
        eaffine_add(&add, &lane, 1);
    }
    with_part(ek, m, level, &add);
    emit_set_lanes(ek, 1);
}

static void vector_loop(struct emit_kernel *ek, struct map *m, int level, LLVMValueRef count,
                        int64_t known)
{
    struct emit *e = ek->e;
    int64_t main = known >= 0 ? known / m->lanes : -1;
    if (main == 1) {
        lanes_at(ek, m, level, 0, m->lanes);
    } else if (main != 0) {
        LLVMValueRef n = main > 0 ? emit_index(e, main)
                                  : LLVMBuildSDiv(e->b, count, emit_index(e, m->lanes), "");
        struct eloop l = emit_loop_begin(ek, emit_index(e, 0), n, 1);
        emit_set_lanes(ek, m->lanes);
        struct eaffine add = eaffine_const(0);
        struct eaffine var = eaffine_var(emit_add_var(ek, l.phi, main > 0 ? main : 0));
        struct eaffine lane = eaffine_var(EVAR_LANE);
        eaffine_add(&add, &var, m->lanes);
        eaffine_add(&add, &lane, 1);
        with_part(ek, m, level, &add);
        emit_set_lanes(ek, 1);
        emit_loop_end(ek, &l);
    }
    if (known < 0) {
        LLVMValueRef done =
            LLVMBuildMul(e->b, LLVMBuildSDiv(e->b, count, emit_index(e, m->lanes), ""),
                         emit_index(e, m->lanes), "");
        scalar_loop(ek, m, level, done, count, 0, 1);
        return;
    }
    int64_t at = main * m->lanes;
    for (int lanes = m->lanes / 2; lanes >= 1; lanes /= 2) {
        if (known - at < lanes)
            continue;
        lanes_at(ek, m, level, at, lanes);
        at += lanes;
    }
}

static void map_level(struct emit_kernel *ek, struct map *m, int level)
{
    const struct kregion *r = m->region;
    if (level == m->n_loops) {
        for (int d = 0; d < r->n_dims; d++)
            emit_bind_index(ek, r->index[d], &m->part[d]);
        emit_block_inside(ek, &r->block[0]);
        return;
    }
    const struct schedule_loop *l = &m->loops[level];
    int64_t extent;
    bool known = kernel_is_const_int(ek->k, r->extent[l->dim], &extent);
    if (l->part == SCHEDULE_OUTER) {
        assert(known);
        outer_loop(ek, m, level, extent);
        return;
    }
    if (l->part == SCHEDULE_INNER) {
        known = true;
        extent = m->limit[l->dim];
    }
    if (known && extent == 0)
        return;
    LLVMValueRef count = known ? emit_index(ek->e, extent) : emit_extent(ek, r, l->dim);
    if (m->lanes > 1 && level == m->n_loops - 1)
        vector_loop(ek, m, level, count, known ? extent : -1);
    else
        scalar_loop(ek, m, level, emit_index(ek->e, 0), count, known ? extent : 0, 1);
}

static void emit_map(struct emit_kernel *ek, kval v, const struct kregion *r)
{
    const struct schedule_entry *entry = schedule_find(ek->schedule, v);
    struct schedule_loop plain[KREGION_MAX_DIMS];
    struct map m = {.region = r, .lanes = 1};
    if (entry) {
        m.loops = entry->loop;
        m.n_loops = entry->n_loops;
        m.lanes = entry->lanes;
    } else {
        for (int d = 0; d < r->n_dims; d++)
            plain[d] = (struct schedule_loop){.dim = d, .part = SCHEDULE_WHOLE};
        m.loops = plain;
        m.n_loops = r->n_dims;
    }
    assert(ek->lanes == 1);
    map_level(ek, &m, 0);
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
    enum dtype type[KREGION_MAX_VALUES];
    int n = r->block[1].n_params;
    for (int i = 0; i < n; i++) {
        type[i] = arg_type(ek, in, i);
        slot[i] = new_slot(ek, type[i], emit_get(ek, in->args[i], false));
    }
    struct eloop l = index_loop(ek, r);
    emit_block(ek, &r->block[0]);
    const struct kinst *y = emit_block_yield(ek, &r->block[0]);
    for (int i = 0; i < n; i++) {
        elem[i] = emit_get(ek, y->args[i], false);
        prefix[i] = read_slot(ek, type[i], slot[i]);
        emit_set(ek, r->block[1].param[i], prefix[i], false);
    }
    emit_block(ek, &r->block[1]);
    emit_combine(ek, r, n, prefix, elem, false, type);
    for (int i = 0; i < n; i++)
        LLVMBuildStore(ek->e->b, prefix[i], slot[i]);
    emit_loop_end(ek, &l);
    for (int i = 0; i < n; i++)
        prefix[i] = read_slot(ek, type[i], slot[i]);
    emit_set_results(ek, v, n, prefix, false);
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
        emit_map(ek, v, in->region);
        return;
    case KOP_LOOP:
        emit_loop(ek, v, in);
        return;
    case KOP_SCAN:
        emit_scan(ek, v, in);
        return;
    case KOP_IF:
        emit_if(ek, v, in);
        return;
    case KOP_REDUCE:
        emit_reduce(ek, v);
        return;
    default:
        assert(in->op == KOP_CONTRACT);
        ek->e->target->emit_contract(ek, v, schedule_find(ek->schedule, v));
        return;
    }
}
