/*
 * Loop order of a map: loops follow the memory order of the first buffer that the map stores to.
 *
 * An index of one value adds nothing to an access: in the sum that stands for the channel of a
 * depthwise convolution (group + channel in the group) it must not hide the other one.
 */
#include "ir/schedule_order.h"

#include <string.h>

/* Whether `index` belongs to the nest and has one value only. */
static bool is_single(const struct kernel *k, const struct schedule_nest *nest, kval index)
{
    for (; nest; nest = nest->outer) {
        int i = kregion_index_of(nest->region, index);
        if (i >= 0)
            return kernel_static_extent(k, nest->region, i) == 1;
    }
    return false;
}

void schedule_read_access(const struct kernel *k, const struct schedule_nest *nest,
                          const struct kinst *in, struct schedule_access *out)
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

bool schedule_stride(const struct kbuf *b, const struct kaffine *dims, kval index,
                     int64_t *out_stride)
{
    struct layout_strides s = layout_strides(&b->layout, b->dims);
    int64_t stride = 0;
    for (int d = 0; d < b->rank; d++) {
        if (b->extent_buf[d] >= 0)
            return false;
        int64_t coef = 0;
        bool others_fit = true;
        int64_t block = layout_block_size(&b->layout, d);
        for (int i = 0; i < dims[d].n_terms; i++) {
            if (dims[d].term[i].var == index)
                coef = dims[d].term[i].coef;
            else if (dims[d].term[i].coef % block != 0)
                others_fit = false;
        }
        if (coef == 0)
            continue;
        if (block == 1) {
            stride += coef * s.outer[d];
            continue;
        }
        /* A blocked dimension: one number only for steps inside a block. */
        if (coef != 1 || !others_fit || dims[d].offset % block != 0)
            return false;
        for (int k = b->layout.n_blocks - 1; k >= 0; k--) {
            if (b->layout.block[k].dim == d) {
                stride += s.inner[k];
                break;
            }
        }
    }
    *out_stride = stride;
    return true;
}

static void widen(unsigned *bytes, enum dtype type)
{
    if (dtype_bits(type) / 8 > *bytes)
        *bytes = dtype_bits(type) / 8;
}

static void count_access(const struct kernel *k, const struct schedule_nest *nest,
                         const struct kinst *in, struct schedule_tally *t)
{
    struct schedule_access a;
    schedule_read_access(k, nest, in, &a);
    widen(&t->widest_bytes, a.buf->dtype);
    int64_t stride = 2;
    if (a.affine && schedule_stride(a.buf, a.dims, t->index, &stride) && stride == 0)
        return;
    if (stride == 1) {
        t->contiguous++;
        widen(&t->memory_bytes, a.buf->dtype);
    } else if (a.buf->constant) {
        t->strided_constants++;
    } else {
        t->strided++;
    }
}

void schedule_count(const struct kernel *k, const struct schedule_nest *nest,
                    const struct kblock *blk, struct schedule_tally *t)
{
    for (size_t i = 0; i < blk->n; i++) {
        const struct kinst *in = kernel_inst(k, blk->insts[i]);
        if (in->region) {
            struct schedule_nest inner = {nest, in->region};
            schedule_count(k, &inner, &in->region->block[0], t);
            schedule_count(k, &inner, &in->region->block[1], t);
        }
        if (in->type != DTYPE_NONE && in->type != DTYPE_BOOL && in->type != DTYPE_I64)
            widen(&t->widest_bytes, in->type);
        if (in->op == KOP_LOAD || in->op == KOP_LOAD_OR || in->op == KOP_STORE)
            count_access(k, nest, in, t);
    }
}

/* That of a scan in the block counts, or with `maps` of a map: they run for each point around. */
static const struct kinst *first_store(const struct kernel *k, const struct kblock *blk, bool maps)
{
    for (size_t i = 0; i < blk->n; i++) {
        const struct kinst *in = kernel_inst(k, blk->insts[i]);
        const struct kinst *store = in->op == KOP_STORE ? in : NULL;
        if (in->op == KOP_SCAN)
            store = first_store(k, &in->region->block[1], maps);
        if (maps && in->op == KOP_MAP)
            store = first_store(k, &in->region->block[0], maps);
        if (store)
            return store;
    }
    return NULL;
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
static void add_loops(const struct kernel *k, const struct kregion *r,
                      const struct schedule_access *out, struct schedule_entry *e,
                      int64_t *out_span)
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

bool schedule_order_loops(const struct kernel *k, const struct kregion *r, bool maps,
                          struct schedule_entry *out_entry, int64_t *out_span)
{
    const struct kinst *store = first_store(k, &r->block[0], maps);
    if (!store)
        return false;
    const struct schedule_nest nest = {NULL, r};
    struct schedule_access out;
    schedule_read_access(k, &nest, store, &out);
    if (!out.affine)
        return false;
    out_entry->n_loops = 0;
    add_loops(k, r, &out, out_entry, out_span);
    if (out_entry->n_loops == 0)
        return false;
    move_out_single(k, r, out_entry);
    return true;
}
