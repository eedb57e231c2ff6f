/*
 * A block for several points at once.
 *
 * Where vectors are long, each instruction takes many cycles and more until its first result is
 * there, and what waits for it keeps later ones of its kind waiting.  So of some points first all
 * loads are emitted, then what is computed, then the stores; and what is the same for all points,
 * once.
 */
#include "bundle/emit/emit_internal.h"

enum stage { ONCE, LOADS, WORK, STORES, N_STAGES };

struct together {
    struct emit_kernel *ek;
    const struct kblock *block;
    const struct epoints *points;
    enum stage *stage; /* by instruction of the block */
    LLVMValueRef *val; /* by point and instruction */
};

/* The stage of a value that instruction n of the block uses. */
static enum stage stage_of_value(const struct together *t, size_t n, kval v)
{
    for (size_t i = 0; i < n; i++)
        if (t->block->insts[i] == v)
            return t->stage[i];
    if (v == t->block->param[0])
        return WORK;
    return t->points->differs(t->points->arg, v) ? LOADS : ONCE;
}

static enum stage stage_of(const struct together *t, size_t n)
{
    const struct kinst *in = kernel_inst(t->ek->k, t->block->insts[n]);
    bool reads = in->op == KOP_LOAD || in->op == KOP_LOAD_OR;
    if (in->op == KOP_STORE || in->op == KOP_YIELD)
        return STORES;
    if (in->region)
        return WORK;
    enum stage s = reads && !t->ek->k->bufs[in->buf].constant ? LOADS : ONCE;
    for (int i = 0; i < in->n_args; i++) {
        enum stage of = stage_of_value(t, n, in->args[i]);
        s = of > s ? of : s;
    }
    return s == LOADS && !reads && in->type != DTYPE_I64 ? WORK : s;
}

/* Whether an instruction, or what its region holds, reads a buffer that was stored to. */
static bool reads_any(const struct kernel *k, const struct kinst *in, const bool *stored)
{
    if ((in->op == KOP_LOAD || in->op == KOP_LOAD_OR) && stored[in->buf])
        return true;
    for (size_t i = 0; in->region && i < in->region->block[0].n; i++)
        if (reads_any(k, kernel_inst(k, in->region->block[0].insts[i]), stored))
            return true;
    return false;
}

/* Stores come last, so nothing may be read that the block has stored before. */
bool emit_can_be_together(const struct emit_kernel *ek, const struct kblock *blk)
{
    bool *stored = arena_array(ek->e->arena, ek->k->n_bufs, sizeof *stored);
    for (size_t i = 0; i < blk->n; i++) {
        const struct kinst *in = kernel_inst(ek->k, blk->insts[i]);
        if ((in->region && in->op != KOP_REDUCE) || reads_any(ek->k, in, stored))
            return false;
        if (in->op == KOP_STORE)
            stored[in->buf] = true;
    }
    return true;
}

static void run_stage(struct together *t, enum stage stage, int point)
{
    struct emit_kernel *ek = t->ek;
    t->points->bind(t->points->arg, point);
    for (size_t i = 0; i < t->block->n; i++) {
        kval v = t->block->insts[i];
        LLVMValueRef *val = &t->val[(size_t)point * t->block->n + i];
        if (t->stage[i] == stage)
            emit_instruction(ek, v);
        else if (t->stage[i] != ONCE)
            ek->val[v] = *val;
        *val = ek->val[v];
    }
}

void emit_block_together(struct emit_kernel *ek, const struct kblock *blk,
                         const struct epoints *points)
{
    struct arena *a = ek->e->arena;
    struct together t = {.ek = ek, .block = blk, .points = points};
    t.stage = arena_array(a, blk->n, sizeof *t.stage);
    t.val = arena_array(a, blk->n * (size_t)points->n, sizeof(LLVMValueRef));
    for (size_t i = 0; i < blk->n; i++)
        t.stage[i] = stage_of(&t, i);
    if (!points->again)
        run_stage(&t, ONCE, 0);
    for (enum stage s = LOADS; s < N_STAGES; s++)
        for (int i = 0; i < points->n; i++)
            run_stage(&t, s, i);
}
