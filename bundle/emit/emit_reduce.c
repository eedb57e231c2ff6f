/*
 * Reductions, in the order that the kernel states.  A reduction into P partials outside a vector
 * loop runs as one vector of P lanes, on every target (LLVM splits it into the registers there
 * are); in other cases the partials are separate accumulators.
 */
#include <assert.h>

#include "bundle/emit/emit_internal.h"

static enum kop combine_op(enum kcombine c)
{
    switch (c) {
    case KCOMBINE_ADD:
        return KOP_ADD;
    case KCOMBINE_MUL:
        return KOP_MUL;
    case KCOMBINE_MIN:
        return KOP_MIN;
    case KCOMBINE_MAX:
        return KOP_MAX;
    case KCOMBINE_AND:
        return KOP_AND;
    default:
        assert(c == KCOMBINE_OR);
        return KOP_OR;
    }
}

void emit_combine(struct emit_kernel *ek, const struct kregion *r, int n, LLVMValueRef *so_far,
                  LLVMValueRef *element, bool varying, const enum dtype *types)
{
    if (r->combine != KCOMBINE_BLOCK) {
        for (int i = 0; i < n; i++)
            so_far[i] = emit_scalar_op(ek, combine_op(r->combine), types[i], so_far[i], element[i]);
        return;
    }
    const struct kblock *blk = &r->block[1];
    for (int i = 0; i < n; i++) {
        emit_set(ek, blk->param[i], so_far[i], varying);
        emit_set(ek, blk->param[n + i], element[i], varying);
    }
    emit_block(ek, blk);
    const struct kinst *y = emit_block_yield(ek, blk);
    for (int i = 0; i < n; i++)
        so_far[i] = emit_get(ek, y->args[i], varying);
}

struct reduction {
    kval v;
    const struct kinst *in;
    const struct kregion *r;
    int n; /* values in the tuple */
    enum dtype type[KREGION_MAX_VALUES];
    bool varying; /* accumulators are vectors over the lanes around */
    LLVMTypeRef lane_type[KREGION_MAX_VALUES];
    LLVMValueRef slot[KREGION_MAX_VALUES]; /* [P x lane_type] */
};

static LLVMValueRef slot_of(struct emit_kernel *ek, const struct reduction *red, int i,
                            LLVMValueRef partial)
{
    return LLVMBuildInBoundsGEP2(ek->e->b, red->lane_type[i], red->slot[i], &partial, 1, "");
}

static void read_partial(struct emit_kernel *ek, const struct reduction *red, LLVMValueRef partial,
                         LLVMValueRef *out)
{
    for (int i = 0; i < red->n; i++)
        out[i] = LLVMBuildLoad2(ek->e->b, red->lane_type[i], slot_of(ek, red, i, partial), "");
}

static void write_partial(struct emit_kernel *ek, const struct reduction *red, LLVMValueRef partial,
                          LLVMValueRef *values)
{
    for (int i = 0; i < red->n; i++)
        LLVMBuildStore(ek->e->b, values[i], slot_of(ek, red, i, partial));
}

/* Emits the element block for the indices now bound and combines it into a partial. */
static void step(struct emit_kernel *ek, const struct reduction *red, LLVMValueRef partial)
{
    LLVMValueRef elem[KREGION_MAX_VALUES], acc[KREGION_MAX_VALUES];
    emit_block(ek, &red->r->block[0]);
    const struct kinst *y = emit_block_yield(ek, &red->r->block[0]);
    for (int i = 0; i < red->n; i++)
        elem[i] = emit_get(ek, y->args[i], red->varying);
    read_partial(ek, red, partial, acc);
    emit_combine(ek, red->r, red->n, acc, elem, red->varying, red->type);
    write_partial(ek, red, partial, acc);
}

static void begin(struct emit_kernel *ek, struct reduction *red, int partials)
{
    struct emit *e = ek->e;
    for (int i = 0; i < red->n; i++) {
        red->lane_type[i] = emit_lane_type(ek, red->type[i], red->varying);
        red->slot[i] = emit_alloca(ek, LLVMArrayType2(red->lane_type[i], (uint64_t)partials));
        LLVMValueRef init = emit_get(ek, red->in->args[i], red->varying);
        for (int p = 0; p < partials; p++)
            LLVMBuildStore(e->b, init, slot_of(ek, red, i, emit_index(e, p)));
    }
}

enum { MAX_UNROLLED = 16 };

/* Points of the indices from d on, or more than MAX_UNROLLED where they are not known. */
static int64_t points_from(const struct emit_kernel *ek, const struct reduction *red, int d)
{
    int64_t points = 1, n;
    for (; d < red->r->n_dims && points <= MAX_UNROLLED; d++)
        points *= kernel_is_const_int(ek->k, red->r->extent[d], &n) ? n : MAX_UNROLLED + 1;
    return points;
}

static int64_t max_unrolled(const struct emit_kernel *ek)
{
    return ek->e->target->optimize_size ? 1 : MAX_UNROLLED;
}

/* Row-major loops over all indices, one accumulator.  Few points are unrolled: the windows of
   pooling and depthwise convolution become straight code with constant offsets. */
static void reduce_plain(struct emit_kernel *ek, struct reduction *red, int d)
{
    struct emit *e = ek->e;
    if (d == red->r->n_dims) {
        step(ek, red, emit_index(e, 0));
        return;
    }
    int64_t known;
    if (!kernel_is_const_int(ek->k, red->r->extent[d], &known))
        known = 0;
    if (points_from(ek, red, d) <= max_unrolled(ek)) {
        for (int64_t i = 0; i < known; i++) {
            struct eaffine at = eaffine_const(i);
            emit_bind_index(ek, red->r->index[d], &at);
            reduce_plain(ek, red, d + 1);
        }
        return;
    }
    struct eloop l = emit_loop_begin(ek, emit_index(e, 0), emit_extent(ek, red->r, d), 1);
    struct eaffine a = eaffine_var(emit_add_var(ek, l.phi, known));
    emit_bind_index(ek, red->r->index[d], &a);
    reduce_plain(ek, red, d + 1);
    emit_loop_end(ek, &l);
}

/* The elements behind the last full round of P, each into its partial. */
static void reduce_tail(struct emit_kernel *ek, struct reduction *red, LLVMValueRef rounds,
                        LLVMValueRef extent)
{
    struct emit *e = ek->e;
    int64_t lanes = red->r->lanes;
    LLVMValueRef from = LLVMBuildMul(e->b, rounds, emit_index(e, lanes), "");
    if (LLVMIsAConstantInt(from) && LLVMIsAConstantInt(extent)) {
        int64_t k = LLVMConstIntGetSExtValue(from), n = LLVMConstIntGetSExtValue(extent);
        for (; k < n; k++) {
            struct eaffine a = eaffine_const(k);
            emit_bind_index(ek, red->r->index[0], &a);
            step(ek, red, emit_index(e, k % lanes));
        }
        return;
    }
    struct eloop l = emit_loop_begin(ek, from, extent, 1);
    struct eaffine a = eaffine_var(emit_add_var(ek, l.phi, 0));
    emit_bind_index(ek, red->r->index[0], &a);
    step(ek, red, LLVMBuildSub(e->b, l.phi, from, ""));
    emit_loop_end(ek, &l);
}

/* Full rounds of P, as separate accumulators or as one vector of P lanes (`in_lanes`). */
static void reduce_rounds(struct emit_kernel *ek, struct reduction *red, LLVMValueRef rounds,
                          bool in_lanes)
{
    struct emit *e = ek->e;
    int lanes = red->r->lanes;
    LLVMValueRef acc_slot[KREGION_MAX_VALUES];
    if (in_lanes) {
        emit_set_lanes(ek, lanes);
        for (int i = 0; i < red->n; i++) {
            acc_slot[i] = emit_alloca(ek, emit_lane_type(ek, red->type[i], true));
            LLVMBuildStore(e->b, emit_get(ek, red->in->args[i], true), acc_slot[i]);
        }
        emit_set_lanes(ek, 1);
    }
    struct eloop l = emit_loop_begin(ek, emit_index(e, 0), rounds, 1);
    int64_t known = LLVMIsAConstantInt(rounds) ? LLVMConstIntGetSExtValue(rounds) : 0;
    int var = emit_add_var(ek, l.phi, known);
    struct eaffine base = eaffine_const(0), v = eaffine_var(var);
    eaffine_add(&base, &v, lanes);
    if (in_lanes) {
        struct reduction wide = *red;
        wide.varying = true;
        emit_set_lanes(ek, lanes);
        for (int i = 0; i < red->n; i++) {
            wide.lane_type[i] = emit_lane_type(ek, red->type[i], true);
            wide.slot[i] = acc_slot[i];
        }
        struct eaffine lane = eaffine_var(EVAR_LANE);
        eaffine_add(&base, &lane, 1);
        emit_bind_index(ek, red->r->index[0], &base);
        step(ek, &wide, emit_index(e, 0));
        emit_set_lanes(ek, 1);
    } else {
        for (int p = 0; p < lanes; p++) {
            struct eaffine a = base;
            a.offset = p;
            emit_bind_index(ek, red->r->index[0], &a);
            step(ek, red, emit_index(e, p));
        }
    }
    emit_loop_end(ek, &l);
    if (!in_lanes)
        return;
    for (int i = 0; i < red->n; i++) {
        LLVMTypeRef t = LLVMVectorType(emit_type(e, red->type[i]), (unsigned)lanes);
        LLVMValueRef acc = LLVMBuildLoad2(e->b, t, acc_slot[i], "");
        for (int p = 0; p < lanes; p++) {
            LLVMValueRef slot = slot_of(ek, red, i, emit_index(e, p));
            LLVMBuildStore(e->b, LLVMBuildExtractElement(e->b, acc, emit_index(e, p), ""), slot);
        }
    }
}

static void reduce_partials(struct emit_kernel *ek, struct reduction *red)
{
    struct emit *e = ek->e;
    int lanes = red->r->lanes;
    assert(red->r->n_dims == 1);
    LLVMValueRef extent = emit_extent(ek, red->r, 0);
    LLVMValueRef rounds = LLVMBuildSDiv(e->b, extent, emit_index(e, lanes), "");
    bool in_lanes = ek->lanes == 1 && red->r->combine != KCOMBINE_BLOCK &&
                    emit_can_vectorize(ek->k, &red->r->block[0]);
    reduce_rounds(ek, red, rounds, in_lanes);
    reduce_tail(ek, red, rounds, extent);
    for (int half = lanes / 2; half >= 1; half /= 2) {
        for (int p = 0; p < half; p++) {
            LLVMValueRef lo[KREGION_MAX_VALUES], hi[KREGION_MAX_VALUES];
            read_partial(ek, red, emit_index(e, p), lo);
            read_partial(ek, red, emit_index(e, p + half), hi);
            emit_combine(ek, red->r, red->n, lo, hi, red->varying, red->type);
            write_partial(ek, red, emit_index(e, p), lo);
        }
    }
}

void emit_reduce(struct emit_kernel *ek, kval v)
{
    const struct kinst *in = kernel_inst(ek->k, v);
    struct reduction red = {.v = v, .in = in, .r = in->region, .n = in->n_args};
    red.varying = ek->lanes > 1;
    for (int i = 0; i < red.n; i++)
        red.type[i] = kernel_inst(ek->k, in->args[i])->type;
    begin(ek, &red, red.r->lanes);
    if (red.r->lanes == 1)
        reduce_plain(ek, &red, 0);
    else
        reduce_partials(ek, &red);
    LLVMValueRef result[KREGION_MAX_VALUES];
    read_partial(ek, &red, emit_index(ek->e, 0), result);
    emit_set_results(ek, v, red.n, result, red.varying);
}
