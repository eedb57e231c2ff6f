/*
 * Vectors of a map: the innermost of its loops, which follow the memory order of its result
 * (ir/schedule_order.c), unless that would turn contiguous reads elsewhere into gathers.
 */
#include "bundle/emit/emit_internal.h"
#include "cpu_runtime/codegen/cpu_target.h"
#include "ir/schedule_order.h"

/* Constants that the lanes read with a stride are packed in blocks of the lane dimension. */
static void pack_constants(struct kernel *k, const struct schedule_nest *nest,
                           const struct kblock *blk, kval index, int lanes)
{
    for (size_t i = 0; i < blk->n; i++) {
        const struct kinst *in = kernel_inst(k, blk->insts[i]);
        if (in->region) {
            struct schedule_nest inner = {nest, in->region};
            pack_constants(k, &inner, &in->region->block[0], index, lanes);
            pack_constants(k, &inner, &in->region->block[1], index, lanes);
        }
        if (in->op != KOP_LOAD && in->op != KOP_LOAD_OR)
            continue;
        struct schedule_access a;
        schedule_read_access(k, nest, in, &a);
        int64_t stride;
        if (!a.buf->constant || !layout_is_plain(&a.buf->layout) || !a.affine ||
            dtype_bits(a.buf->dtype) < 8 ||
            (schedule_stride(a.buf, a.dims, index, &stride) && stride <= 1))
            continue;
        for (int d = 0; d < a.buf->rank; d++)
            if (a.dims[d].n_terms == 1 && a.dims[d].term[0].var == index &&
                a.dims[d].term[0].coef == 1 && a.dims[d].offset == 0)
                k->bufs[a.buf_index].layout = layout_blocked(a.buf->layout, d, lanes);
    }
}

static int choose_lanes(const struct target *t, const struct schedule_tally *tally, int64_t span)
{
    int widest = (int)tally->widest_bytes;
    int lanes = t->vector_bytes / (widest < 4 ? widest : 4);
    while (lanes * widest > PROGRAM_ALIGNMENT || lanes > span)
        lanes /= 2;
    return lanes < 1 ? 1 : lanes;
}

void cpu_schedule_map(const struct target *t, struct arena *a, struct kernel *k, kval map,
                      struct schedule *s)
{
    const struct kregion *r = kernel_inst(k, map)->region;
    const struct schedule_nest nest = {NULL, r};
    struct schedule_entry e = {
        .region = map, .lanes = 1, .row_iter = -1, .row_outer = -1, .k_iter = -1};
    int64_t known, span;
    if (!schedule_order_loops(k, r, true, &e, &span))
        return;
    const struct schedule_loop *last = &e.loop[e.n_loops - 1];
    if (last->part == SCHEDULE_WHOLE && kernel_is_const_int(k, r->extent[last->dim], &known))
        span = known;
    struct schedule_tally tally = {.index = r->index[last->dim], .widest_bytes = 1};
    schedule_count(k, &nest, &r->block[0], &tally);
    /* A constant can be packed so that its lanes lie side by side. */
    if (emit_can_vectorize_maps(k, &r->block[0]) &&
        tally.strided <= tally.contiguous + tally.strided_constants)
        e.lanes = choose_lanes(t, &tally, span);
    if (e.lanes > 1)
        pack_constants(k, &nest, &r->block[0], tally.index, e.lanes);
    ARENA_PUSH(a, s->entries, s->n, s->cap) = e;
}
