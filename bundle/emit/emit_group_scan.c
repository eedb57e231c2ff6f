/*
 * A scan divided among the threads of a group, where any order gives the same: each combines a run
 * of elements, the totals of the runs are scanned in shared memory, and then each goes through its
 * run once more with what lies before it.  The element block runs twice.
 */
#include "bundle/emit/emit_internal.h"
#include "ir/kernel_effects.h"

struct group_scan {
    const struct kinst *in;
    const struct kregion *r;
    int n; /* values in the tuple */
    enum dtype type[KREGION_MAX_VALUES];
    LLVMTypeRef shared_type[KREGION_MAX_VALUES];
    LLVMValueRef slot[KREGION_MAX_VALUES], shared[KREGION_MAX_VALUES];
    LLVMValueRef base;     /* where the group's part of shared memory begins */
    LLVMValueRef from, to; /* the thread's run */
};

/* The second round must see what the first one saw. */
static bool reads_own_results(struct emit_kernel *ek, kval v)
{
    struct kernel_effects e = kernel_effects_of(ek->k, v, ek->e->arena);
    for (size_t b = 0; b < ek->k->n_bufs; b++)
        if (e.reads[b] && e.writes[b])
            return true;
    return false;
}

static void read_slots(struct emit_kernel *ek, const struct group_scan *s, LLVMValueRef *out)
{
    for (int i = 0; i < s->n; i++)
        out[i] = LLVMBuildLoad2(ek->e->b, emit_type(ek->e, s->type[i]), s->slot[i], "");
}

static void write_slots(struct emit_kernel *ek, const struct group_scan *s, LLVMValueRef *v)
{
    for (int i = 0; i < s->n; i++)
        LLVMBuildStore(ek->e->b, v[i], s->slot[i]);
}

/* All of the run; `each` runs the second block with the prefixes. */
static void go_through(struct emit_kernel *ek, const struct group_scan *s, bool each)
{
    struct egroup group = ek->group;
    LLVMValueRef prefix[KREGION_MAX_VALUES], element[KREGION_MAX_VALUES];
    struct eloop l = emit_loop_begin(ek, s->from, s->to, 1);
    int64_t extent = kernel_static_extent(ek->k, s->r, 0);
    struct eaffine at = eaffine_var(emit_add_var(ek, l.phi, extent));
    emit_bind_index(ek, s->r->index[0], &at);
    ek->group = (struct egroup){.size = 1};
    emit_block(ek, &s->r->block[0]);
    const struct kinst *y = emit_block_yield(ek, &s->r->block[0]);
    for (int i = 0; i < s->n; i++)
        element[i] = emit_get(ek, y->args[i], false);
    read_slots(ek, s, prefix);
    if (each) {
        for (int i = 0; i < s->n; i++)
            emit_set(ek, s->r->block[1].param[i], prefix[i], false);
        emit_block(ek, &s->r->block[1]);
    }
    emit_combine(ek, s->r, s->n, prefix, element, false, s->type);
    write_slots(ek, s, prefix);
    ek->group = group;
    emit_loop_end(ek, &l);
}

/* ---- shared memory ---- */

static LLVMValueRef place(struct emit_kernel *ek, const struct group_scan *s, int i,
                          LLVMValueRef at)
{
    at = LLVMBuildAdd(ek->e->b, s->base, at, "");
    return LLVMBuildInBoundsGEP2(ek->e->b, s->shared_type[i], s->shared[i], &at, 1, "");
}

static void read_shared(struct emit_kernel *ek, const struct group_scan *s, LLVMValueRef at,
                        LLVMValueRef *out)
{
    for (int i = 0; i < s->n; i++) {
        out[i] = LLVMBuildLoad2(ek->e->b, s->shared_type[i], place(ek, s, i, at), "");
        out[i] = LLVMBuildTruncOrBitCast(ek->e->b, out[i], emit_type(ek->e, s->type[i]), "");
    }
}

static void write_shared(struct emit_kernel *ek, const struct group_scan *s, LLVMValueRef *v)
{
    for (int i = 0; i < s->n; i++) {
        LLVMValueRef wide = LLVMBuildZExtOrBitCast(ek->e->b, v[i], s->shared_type[i], "");
        LLVMBuildStore(ek->e->b, wide, place(ek, s, i, ek->group.rank));
    }
}

static void choose(struct emit_kernel *ek, const struct group_scan *s, LLVMValueRef condition,
                   LLVMValueRef *then, LLVMValueRef *otherwise)
{
    for (int i = 0; i < s->n; i++)
        then[i] = LLVMBuildSelect(ek->e->b, condition, then[i], otherwise[i], "");
}

/* The totals up to each thread, its own included: in every round they take in those of twice as
   many threads (Hillis and Steele, "Data Parallel Algorithms", 1986). */
static void scan_totals(struct emit_kernel *ek, const struct group_scan *s)
{
    struct emit *e = ek->e;
    LLVMValueRef mine[KREGION_MAX_VALUES], sum[KREGION_MAX_VALUES], other[KREGION_MAX_VALUES];
    read_slots(ek, s, mine);
    write_shared(ek, s, mine);
    emit_group_barrier(ek);
    for (int step = 1; step < ek->group.size; step *= 2) {
        LLVMValueRef by = LLVMConstInt(e->i32, (unsigned)step, 0);
        LLVMValueRef has = LLVMBuildICmp(e->b, LLVMIntUGE, ek->group.rank, by, "");
        LLVMValueRef from = LLVMBuildSub(e->b, ek->group.rank, by, "");
        from = LLVMBuildSelect(e->b, has, from, LLVMConstInt(e->i32, 0, 0), "");
        read_shared(ek, s, from, other);
        for (int i = 0; i < s->n; i++)
            sum[i] = mine[i];
        emit_combine(ek, s->r, s->n, sum, other, false, s->type);
        choose(ek, s, has, sum, mine);
        for (int i = 0; i < s->n; i++)
            mine[i] = sum[i];
        emit_group_barrier(ek);
        write_shared(ek, s, mine);
        emit_group_barrier(ek);
    }
}

static void begin(struct emit_kernel *ek, struct group_scan *s)
{
    struct emit *e = ek->e;
    LLVMValueRef extent = emit_extent(ek, s->r, 0), size = emit_index(e, ek->group.size);
    LLVMValueRef run = LLVMBuildAdd(e->b, extent, emit_index(e, ek->group.size - 1), "");
    run = LLVMBuildUDiv(e->b, run, size, "");
    s->base = LLVMBuildSub(e->b, e->target->threads->thread(e), ek->group.rank, "");
    LLVMValueRef rank = LLVMBuildZExt(e->b, ek->group.rank, e->index, "");
    s->from = LLVMBuildMul(e->b, rank, run, "");
    s->to = LLVMBuildAdd(e->b, s->from, run, "");
    LLVMValueRef ends = LLVMBuildICmp(e->b, LLVMIntULT, extent, s->to, "");
    s->to = LLVMBuildSelect(e->b, ends, extent, s->to, "");
    for (int i = 0; i < s->n; i++) {
        s->type[i] = kernel_inst(ek->k, s->in->args[i])->type;
        LLVMTypeRef type = emit_type(e, s->type[i]);
        s->shared_type[i] = type == e->i1 ? e->i8 : type;
        s->slot[i] = emit_alloca(ek, type);
        s->shared[i] = emit_group_array(ek, s->shared_type[i], i);
        LLVMBuildStore(e->b, emit_neutral(e, s->r->combine, s->type[i]), s->slot[i]);
    }
}

bool emit_group_scan(struct emit_kernel *ek, kval v)
{
    struct emit *e = ek->e;
    struct group_scan s = {.in = kernel_inst(ek->k, v)};
    s.r = s.in->region;
    s.n = s.in->n_args;
    if (!emit_is_order_free(ek->k, s.in) || reads_own_results(ek, v))
        return false;
    begin(ek, &s);
    go_through(ek, &s, false);
    scan_totals(ek, &s);

    LLVMValueRef start[KREGION_MAX_VALUES], before[KREGION_MAX_VALUES], total[KREGION_MAX_VALUES];
    LLVMValueRef one = LLVMConstInt(e->i32, 1, 0), zero = LLVMConstInt(e->i32, 0, 0);
    LLVMValueRef is_first = LLVMBuildICmp(e->b, LLVMIntEQ, ek->group.rank, zero, "");
    LLVMValueRef below = LLVMBuildSub(e->b, ek->group.rank, one, "");
    below = LLVMBuildSelect(e->b, is_first, zero, below, "");
    read_shared(ek, &s, below, before);
    read_shared(ek, &s, LLVMConstInt(e->i32, (unsigned)ek->group.size - 1, 0), total);
    for (int i = 0; i < s.n; i++)
        start[i] = emit_get(ek, s.in->args[i], false);
    emit_combine(ek, s.r, s.n, total, start, false, s.type);
    emit_combine(ek, s.r, s.n, before, start, false, s.type);
    choose(ek, &s, is_first, start, before);
    write_slots(ek, &s, start);
    go_through(ek, &s, true);
    emit_group_barrier(ek);
    emit_set_results(ek, v, s.n, total, false);
    return true;
}
