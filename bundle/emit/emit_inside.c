/*
 * Windows that lie inside their buffer.
 *
 * A pooling window reads with load_or, for at the border it reaches outside; almost everywhere it
 * does not.  A block with such reductions is emitted twice, behind one test per point: whether
 * every load_or of it stays inside for all values of the reduction's indices.  If so they are plain
 * loads.  Where the test would differ from lane to lane, or an index is not affine, there is no
 * fast copy.
 */
#include "bundle/emit/emit_internal.h"

struct inside {
    LLVMValueRef all; /* i1; NULL: nothing to test so far */
    int n_loads;
};

/* Tests 0 <= a + least and a + most < extent, at compile time where the ranges of variables tell.
 */
static bool test_dim(struct emit_kernel *ek, struct inside *in, const struct eaffine *a,
                     int64_t least, int64_t most, int64_t extent)
{
    struct emit *e = ek->e;
    int64_t lo, hi;
    if (eaffine_range(ek, a, &lo, &hi) && lo + least >= 0 && hi + most < extent)
        return true;
    if (ek->lanes > 1 && eaffine_lane(a) != 0)
        return false;
    LLVMValueRef v = eaffine_value(ek, a);
    LLVMValueRef first = LLVMBuildAdd(e->b, v, emit_index(e, least), "");
    LLVMValueRef last = LLVMBuildAdd(e->b, v, emit_index(e, most), "");
    LLVMValueRef low = LLVMBuildICmp(e->b, LLVMIntSGE, first, emit_index(e, 0), "");
    LLVMValueRef high = LLVMBuildICmp(e->b, LLVMIntSLT, last, emit_index(e, extent), "");
    LLVMValueRef ok = LLVMBuildAnd(e->b, low, high, "");
    in->all = in->all ? LLVMBuildAnd(e->b, in->all, ok, "") : ok;
    return true;
}

static bool test_load(struct emit_kernel *ek, struct inside *in, const struct kregion *r,
                      const struct kinst *load)
{
    const struct kbuf *buf = &ek->k->bufs[load->buf];
    for (int d = 0; d < buf->rank; d++) {
        struct kaffine k;
        if (buf->extent_buf[d] >= 0 || !kernel_affine_of(ek->k, load->args[d], &k))
            return false;
        struct eaffine a = eaffine_const(k.offset);
        int64_t least = 0, most = 0;
        for (int i = 0; i < k.n_terms; i++) {
            int64_t coef = k.term[i].coef;
            int reduced = kregion_index_of(r, k.term[i].var);
            if (reduced < 0)
                eaffine_add(&a, &ek->bind[k.term[i].var], coef);
            else if (!kaffine_reach(coef, kernel_static_extent(ek->k, r, reduced), &least, &most))
                return false;
        }
        if (!test_dim(ek, in, &a, least, most, buf->dims[d]))
            return false;
    }
    in->n_loads++;
    return true;
}

static bool test_block(struct emit_kernel *ek, struct inside *in, const struct kblock *blk)
{
    for (size_t i = 0; i < blk->n; i++) {
        const struct kinst *reduce = kernel_inst(ek->k, blk->insts[i]);
        if (reduce->op == KOP_LOAD_OR)
            return false;
        if (!reduce->region)
            continue;
        const struct kregion *r = reduce->region;
        if (reduce->op != KOP_REDUCE || r->combine == KCOMBINE_BLOCK)
            return false;
        for (int d = 0; d < r->n_dims; d++) {
            int64_t n;
            if (!kernel_is_const_int(ek->k, r->extent[d], &n) || n < 1)
                return false;
        }
        for (size_t j = 0; j < r->block[0].n; j++) {
            const struct kinst *load = kernel_inst(ek->k, r->block[0].insts[j]);
            if (load->region || (load->op == KOP_LOAD_OR && !test_load(ek, in, r, load)))
                return false;
        }
    }
    return true;
}

static void emit_fast(struct emit_kernel *ek, const struct kblock *blk)
{
    ek->inside = true;
    emit_block(ek, blk);
    ek->inside = false;
}

void emit_block_inside(struct emit_kernel *ek, const struct kblock *blk)
{
    struct emit *e = ek->e;
    struct inside in = {0};
    if (!test_block(ek, &in, blk) || in.n_loads == 0 || (in.all && e->target->optimize_size)) {
        emit_block(ek, blk);
        return;
    }
    if (!in.all) {
        emit_fast(ek, blk);
        return;
    }
    LLVMBasicBlockRef fast = emit_append_block(ek), slow = emit_append_block(ek);
    LLVMBasicBlockRef end = emit_append_block(ek);
    LLVMBuildCondBr(e->b, in.all, fast, slow);
    LLVMPositionBuilderAtEnd(e->b, fast);
    emit_fast(ek, blk);
    LLVMBuildBr(e->b, end);
    LLVMPositionBuilderAtEnd(e->b, slow);
    emit_block(ek, blk);
    LLVMBuildBr(e->b, end);
    LLVMPositionBuilderAtEnd(e->b, end);
}
