/*
 * Loop order and vectors of a map: loops follow the memory order of the first buffer that the map
 * stores to, and its innermost dimension becomes the vector, unless that would turn contiguous
 * reads elsewhere into gathers.
 *
 * An index of one value adds nothing to an access: in the sum that stands for the channel of a
 * depthwise convolution (group + channel in the group) it must not hide the other one.
 */
#include <string.h>

#include "bundle/emit/emit_internal.h"
#include "cpu_runtime/codegen/cpu_target.h"

/* Maps and reductions whose accesses are looked at, from the outside in. */
struct nest {
    const struct nest *outer;
    const struct kregion *region;
};

struct access {
    const struct kbuf *buf;
    int buf_index;
    struct kaffine dims[MAX_RANK];
    bool affine;
};

/* Whether `index` belongs to the nest and has one value only. */
static bool is_single(const struct kernel *k, const struct nest *nest, kval index)
{
    for (; nest; nest = nest->outer) {
        int i = kregion_index_of(nest->region, index);
        if (i >= 0)
            return kernel_static_extent(k, nest->region, i) == 1;
    }
    return false;
}

static void read_access(const struct kernel *k, const struct nest *nest, const struct kinst *in,
                        struct access *out)
{
    out->buf = &k->bufs[in->buf];
    out->buf_index = in->buf;
    out->affine = true;
    for (int d = 0; d < out->buf->rank; d++)
        if (!kernel_affine_of(k, in->args[d], &out->dims[d]))
            out->affine = false;
    for (int d = 0; d < out->buf->rank && out->affine; d++) {
        struct kaffine *a = &out->dims[d];
        int n = 0;
        for (int i = 0; i < a->n_terms; i++)
            if (!is_single(k, nest, a->term[i].var))
                a->term[n++] = a->term[i];
        a->n_terms = n;
    }
}

static const struct kinst *first_store(const struct kernel *k, const struct kblock *blk)
{
    for (size_t i = 0; i < blk->n; i++) {
        const struct kinst *in = kernel_inst(k, blk->insts[i]);
        if (in->op == KOP_STORE)
            return in;
    }
    return NULL;
}

/* How the loads and stores of a block would look with `index` as the lane. */
struct tally {
    kval index;
    int contiguous, strided;
    unsigned widest_bytes;
};

static void count_block(const struct kernel *k, const struct nest *nest, const struct kblock *blk,
                        struct tally *t)
{
    for (size_t i = 0; i < blk->n; i++) {
        const struct kinst *in = kernel_inst(k, blk->insts[i]);
        if (in->region) {
            struct nest inner = {nest, in->region};
            count_block(k, &inner, &in->region->block[0], t);
            count_block(k, &inner, &in->region->block[1], t);
        }
        if (in->type != DTYPE_NONE && in->type != DTYPE_BOOL && in->type != DTYPE_I64 &&
            dtype_bits(in->type) / 8 > t->widest_bytes)
            t->widest_bytes = dtype_bits(in->type) / 8;
        if (in->op != KOP_LOAD && in->op != KOP_LOAD_OR && in->op != KOP_STORE)
            continue;
        struct access a;
        read_access(k, nest, in, &a);
        if (dtype_bits(a.buf->dtype) / 8 > t->widest_bytes)
            t->widest_bytes = dtype_bits(a.buf->dtype) / 8;
        int64_t stride = 2;
        if (a.affine && cpu_access_stride(a.buf, a.dims, t->index, &stride) && stride == 0)
            continue;
        /* A constant can be packed so that its lanes lie side by side. */
        if (stride == 1 || a.buf->constant)
            t->contiguous++;
        else
            t->strided++;
    }
}

/* Constants that the lanes read with a stride are packed in blocks of the lane dimension. */
static void pack_constants(struct kernel *k, const struct nest *nest, const struct kblock *blk,
                           kval index, int lanes)
{
    for (size_t i = 0; i < blk->n; i++) {
        const struct kinst *in = kernel_inst(k, blk->insts[i]);
        if (in->region) {
            struct nest inner = {nest, in->region};
            pack_constants(k, &inner, &in->region->block[0], index, lanes);
            pack_constants(k, &inner, &in->region->block[1], index, lanes);
        }
        if (in->op != KOP_LOAD && in->op != KOP_LOAD_OR)
            continue;
        struct access a;
        read_access(k, nest, in, &a);
        int64_t stride;
        if (!a.buf->constant || !layout_is_plain(&a.buf->layout) || !a.affine ||
            dtype_bits(a.buf->dtype) < 8 ||
            (cpu_access_stride(a.buf, a.dims, index, &stride) && stride <= 1))
            continue;
        for (int d = 0; d < a.buf->rank; d++)
            if (a.dims[d].n_terms == 1 && a.dims[d].term[0].var == index &&
                a.dims[d].term[0].coef == 1 && a.dims[d].offset == 0)
                k->bufs[a.buf_index].layout = layout_blocked(a.buf->layout, d, lanes);
    }
}

/* The region index that dimension d of the access is, or -1. */
static int index_of_dim(const struct kregion *r, const struct kaffine *a)
{
    if (a->n_terms != 1 || a->term[0].coef != 1 || a->offset != 0)
        return -1;
    return kregion_index_of(r, a->term[0].var);
}

static void add_loop(struct schedule_entry *e, int dim, enum schedule_part part, int64_t block)
{
    e->loop[e->n_loops++] = (struct schedule_loop){.dim = dim, .part = part, .block = block};
}

/* Loops in the order in which the result lies in memory, those of indices that it does not have
   outside.  *out_span is how many elements the innermost block holds; INT64_MAX: there is none. */
static void add_loops(const struct kernel *k, const struct kregion *r, const struct access *out,
                      struct schedule_entry *e, int64_t *out_span)
{
    const struct layout *l = &out->buf->layout;
    bool placed[KREGION_MAX_DIMS] = {false};
    int dim_index[MAX_RANK];
    for (int d = 0; d < out->buf->rank; d++) {
        dim_index[d] = index_of_dim(r, &out->dims[d]);
        if (dim_index[d] >= 0)
            placed[dim_index[d]] = true;
    }
    for (int i = 0; i < r->n_dims; i++)
        if (!placed[i])
            add_loop(e, i, SCHEDULE_WHOLE, 0);
    int64_t extent;
    for (int o = 0; o < l->rank; o++) {
        int d = l->order[o], i = dim_index[d];
        int64_t block = layout_block_size(l, d);
        if (i < 0)
            continue;
        if (block > 1 && kernel_is_const_int(k, r->extent[i], &extent))
            add_loop(e, i, SCHEDULE_OUTER, block);
        else
            add_loop(e, i, SCHEDULE_WHOLE, 0);
    }
    *out_span = INT64_MAX;
    for (int b = 0; b < l->n_blocks; b++) {
        int d = l->block[b].dim;
        int64_t block = layout_block_size(l, d);
        if (dim_index[d] < 0 || !kernel_is_const_int(k, r->extent[dim_index[d]], &extent))
            continue;
        add_loop(e, dim_index[d], SCHEDULE_INNER, block);
        *out_span = extent < block ? extent : block;
    }
}

static bool is_one_round(const struct kernel *k, const struct kregion *r,
                         const struct schedule_loop *l)
{
    return l->part == SCHEDULE_WHOLE && kernel_static_extent(k, r, l->dim) == 1;
}

/* Loops of one round at the end would hide the dimension that runs. */
static void move_out_single(const struct kernel *k, const struct kregion *r,
                            struct schedule_entry *e)
{
    bool any_runs = false;
    for (int i = 0; i < e->n_loops; i++)
        any_runs |= !is_one_round(k, r, &e->loop[i]);
    while (any_runs && is_one_round(k, r, &e->loop[e->n_loops - 1])) {
        struct schedule_loop last = e->loop[e->n_loops - 1];
        memmove(&e->loop[1], &e->loop[0], (size_t)(e->n_loops - 1) * sizeof e->loop[0]);
        e->loop[0] = last;
    }
}

static int choose_lanes(const struct target *t, const struct tally *tally, int64_t span)
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
    const struct kinst *store = first_store(k, &r->block[0]);
    if (!store)
        return;
    const struct nest nest = {NULL, r};
    struct access out;
    read_access(k, &nest, store, &out);
    if (!out.affine)
        return;
    struct schedule_entry e = {
        .region = map, .lanes = 1, .row_iter = -1, .row_outer = -1, .k_iter = -1};
    int64_t known, span;
    add_loops(k, r, &out, &e, &span);
    if (e.n_loops == 0)
        return;
    move_out_single(k, r, &e);
    const struct schedule_loop *last = &e.loop[e.n_loops - 1];
    if (last->part == SCHEDULE_WHOLE && kernel_is_const_int(k, r->extent[last->dim], &known))
        span = known;
    struct tally tally = {.index = r->index[last->dim], .widest_bytes = 1};
    count_block(k, &nest, &r->block[0], &tally);
    if (emit_can_vectorize(k, &r->block[0]) && tally.strided <= tally.contiguous)
        e.lanes = choose_lanes(t, &tally, span);
    if (e.lanes > 1)
        pack_constants(k, &nest, &r->block[0], tally.index, e.lanes);
    ARENA_PUSH(a, s->entries, s->n, s->cap) = e;
}
