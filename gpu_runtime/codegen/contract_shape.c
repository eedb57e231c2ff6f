/*
 * How a contraction lies to the tiles that it is computed in: its indices as rows, columns and K,
 * and how its operands are staged.
 */
#include "gpu_runtime/codegen/contract.h"

enum { ROW_BYTES = 128 /* of K that are staged of a row: all banks of shared memory */ };

static void add_iter(const struct kernel *k, const struct kregion *r, struct axis *x, int iter)
{
    x->iter[x->n] = iter;
    x->extent[x->n++] = kernel_static_extent(k, r, iter);
    x->points *= kernel_static_extent(k, r, iter);
}

bool gpu_stride_of(const struct kernel *k, const struct koperand *o, kval index,
                   int64_t *out_stride)
{
    const struct kbuf *b = &k->bufs[o->buf];
    struct layout_strides s = layout_strides(&b->layout, b->dims);
    *out_stride = 0;
    for (int d = 0; d < b->rank; d++) {
        int64_t coef = kaffine_coef(&o->dim[d], index), block = layout_block_size(&b->layout, d);
        if (coef == 0 || block == 1) {
            *out_stride += coef * s.outer[d];
            continue;
        }
        /* A block that holds the whole dimension: its end is padding. */
        if (coef != 1 || o->dim[d].n_terms != 1 || o->dim[d].offset != 0 || block < b->dims[d])
            return false;
        for (int i = 0; i < b->layout.n_blocks; i++)
            *out_stride += b->layout.block[i].dim == d ? s.inner[i] : 0;
    }
    return true;
}

static struct axis axis_of(const struct kernel *k, const struct kregion *r, enum kiter kind)
{
    struct axis x = {.points = 1};
    for (int i = 0; i < r->n_dims; i++)
        if (r->contract->kind[i] == kind)
            add_iter(k, r, &x, i);
    return x;
}

int gpu_packed_dim(const struct kernel *k, const struct kregion *r, int iter)
{
    const struct koperand *o = &r->contract->b;
    const struct kbuf *b = &k->bufs[o->buf];
    for (int d = 0; d < b->rank && b->constant && dtype_bits(b->dtype) >= 8; d++)
        if (o->dim[d].n_terms == 1 && o->dim[d].offset == 0 && o->dim[d].term[0].coef == 1 &&
            o->dim[d].term[0].var == r->index[iter])
            return d;
    return -1;
}

/* An extent as it fits chunks: so many make one up, or are made of some. */
static int64_t chunk_fit(int64_t extent, int chunk)
{
    int64_t p = 1;
    while (p < extent && p < chunk)
        p *= 2;
    return (extent + p - 1) / p * p;
}

/* A window of an image with few channels, which lies row by row: with a few zeros behind each of
   its rows, chunks are made of whole rows, and need not be taken apart. */
static void fill_rows(const struct kernel *k, const struct kregion *r, struct axis *x, int chunk)
{
    int64_t *last = &x->extent[x->n - 1], fit = chunk_fit(*last, chunk);
    if (x->n < 2 || fit == *last || fit > 2 * *last || gpu_packed_dim(k, r, x->iter[x->n - 1]) < 0)
        return;
    x->points = x->points / *last * fit;
    *last = fit;
}

/* K with the index last along which A lies side by side, if there is one. */
static struct axis k_axis(const struct kernel *k, const struct kregion *r, int chunk)
{
    struct axis x = {.points = 1};
    int last = -1;
    int64_t stride;
    for (int i = 0; i < r->n_dims; i++)
        if (r->contract->kind[i] == KITER_K && kernel_static_extent(k, r, i) > 1 &&
            gpu_stride_of(k, &r->contract->a, r->index[i], &stride) && stride == 1)
            last = i;
    for (int i = 0; i < r->n_dims; i++)
        if (r->contract->kind[i] == KITER_K && i != last)
            add_iter(k, r, &x, i);
    x.last = 1;
    if (last >= 0) {
        add_iter(k, r, &x, last);
        x.last = x.extent[x.n - 1];
        fill_rows(k, r, &x, chunk);
    } else if (x.n) {
        x.last = x.extent[x.n - 1];
    }
    return x;
}

int gpu_chunk_elems(const struct staged *s)
{
    return CHUNK_BYTES * 8 / (int)dtype_bits(s->type);
}

int gpu_stage_elems(const struct staged *s)
{
    return ROW_BYTES * 8 / (int)dtype_bits(s->type);
}

bool gpu_is_zero(const struct kernel *k, kval v)
{
    const struct kinst *in = kernel_inst(k, v);
    return dtype_is_float(in->type) ? in->imm.f == 0 : in->imm.i == 0;
}

bool gpu_is_run(const struct kernel *k, const struct kregion *r, const struct axis *x,
                const struct koperand *o)
{
    int64_t next = 1, stride;
    for (int i = x->n - 1; i >= 0; i--) {
        if (x->extent[i] > 1 &&
            (!gpu_stride_of(k, o, r->index[x->iter[i]], &stride) || stride != next))
            return false;
        next *= x->extent[i];
    }
    return true;
}

/* Elements of K from one of which to the next chunks are side by side: those of the last index, or
   all. */
static int64_t run_of(const struct kernel *k, const struct kregion *r, const struct axis *x,
                      const struct staged *s)
{
    if (gpu_is_run(k, r, x, s->operand))
        return x->points;
    return x->last == x->extent[x->n - 1] ? x->last : 1;
}

/* Around an operand are zeros; where K ends the copy brings zeros too, so another number of floats,
   which could be no number at all, is not multiplied with zeros of B. */
static bool can_pad(const struct kernel *k, const struct koperand *o)
{
    if (!o->padded)
        return true;
    bool is_float = dtype_is_float(k->bufs[o->buf].dtype);
    return kernel_inst(k, o->pad)->op == KOP_CONST && (!is_float || gpu_is_zero(k, o->pad));
}

/* Whether chunks of so many elements begin at aligned places: those of a run along an axis, which
   they never cross the end of. */
static bool is_aligned(const struct kernel *k, const struct kregion *r, const struct axis *x,
                       const struct staged *s, int64_t run, int chunk)
{
    const struct koperand *o = s->operand;
    const struct kbuf *b = &k->bufs[o->buf];
    int64_t offset = 0, stride, in_run = 1;
    struct layout_strides strides = layout_strides(&b->layout, b->dims);
    for (int d = 0; d < b->rank; d++)
        offset += o->dim[d].offset * strides.outer[d];
    if (run % chunk != 0 || offset % chunk != 0)
        return false;
    bool inside[KREGION_MAX_DIMS] = {false};
    for (int i = x->n - 1; i >= 0 && in_run < run; i--) {
        inside[x->iter[i]] = true;
        in_run *= x->extent[i];
    }
    for (int i = 0; i < r->n_dims; i++)
        if (!gpu_stride_of(k, o, r->index[i], &stride) || (!inside[i] && stride % chunk != 0))
            return false;
    return gpu_stride_of(k, o, r->index[x->iter[x->n - 1]], &stride) && stride == 1;
}

static bool is_as_stored(const struct kernel *k, const struct staged *s)
{
    return k->bufs[s->operand->buf].dtype == s->type && !s->operand->prologue.n;
}

/* Whether chunks of K can be copied as they lie in memory. */
static bool lies_in_chunks(const struct kernel *k, const struct kregion *r, const struct axis *kx,
                           const struct staged *s)
{
    return is_as_stored(k, s) && kx->n && can_pad(k, s->operand) &&
           is_aligned(k, r, kx, s, run_of(k, r, kx, s), gpu_chunk_elems(s));
}

/* Elements side by side along rows from a multiple of as many on. */
static int64_t run_of_rows(const struct kernel *k, const struct kregion *r, const struct staged *s)
{
    int64_t run = 1, stride;
    for (int i = s->rows->n - 1; i >= 0; i--) {
        if (!gpu_stride_of(k, s->operand, r->index[s->rows->iter[i]], &stride) || stride != run)
            break;
        run *= s->rows->extent[i];
    }
    return run;
}

/* Whether the values of K that are staged at a time are one stride apart, in each stage. */
static bool is_even_in_stages(const struct kernel *k, const struct kregion *r,
                              const struct axis *kx, const struct staged *s)
{
    int64_t stride, next = 0;
    int last = kx->n - 1;
    if (last < 0 || kx->last != kx->extent[last] || kx->extent[last] == 1)
        return false;
    if (last == 0 || kx->extent[last] % gpu_stage_elems(s) == 0)
        return true;
    for (int i = last; i >= 0; i--) {
        if (kx->extent[i] == 1)
            continue;
        if (!gpu_stride_of(k, s->operand, r->index[kx->iter[i]], &stride) ||
            (i < last && stride != next))
            return false;
        next = stride * kx->extent[i];
    }
    return true;
}

/* Whether chunks of neighbouring rows can be copied as they lie in memory. */
static bool lies_across(const struct kernel *k, const struct kregion *r, const struct axis *kx,
                        const struct staged *s)
{
    return is_as_stored(k, s) && s->rows->n && !s->operand->padded &&
           is_even_in_stages(k, r, kx, s) &&
           is_aligned(k, r, s->rows, s, run_of_rows(k, r, s), gpu_chunk_elems(s));
}

/* The most elements that lie side by side along an axis, in pieces of a vector each, where there is
   one for every thread; 0: fewer than a chunk. */
static int vector_along(const struct kernel *k, const struct tile *t, const struct axis *x,
                        const struct staged *s)
{
    int lanes = CHUNK_BYTES * 8 / (int)dtype_bits(k->bufs[s->operand->buf].dtype);
    int elems = s->tile_rows * gpu_stage_elems(s), parts = 1;
    if (t->e->part_m)
        parts = t->e->tile_m / t->e->part_m * (t->e->tile_n / t->e->part_n);
    if (x->n == 0 || s->operand->padded || !emit_can_vectorize(k, &s->operand->prologue))
        return 0;
    for (lanes = lanes > 16 ? 16 : lanes; lanes >= gpu_chunk_elems(s); lanes /= 2)
        if (elems % (lanes * parts * (gpu_is_matrix(t->e) ? 32 : 1)) == 0 &&
            is_aligned(k, t->r, x, s, x->extent[x->n - 1], lanes))
            return lanes;
    return 0;
}

static enum schedule_staging staging_of(const struct kernel *k, const struct tile *t,
                                        struct staged *s)
{
    if (lies_in_chunks(k, t->r, &t->k, s))
        return STAGING_K;
    if (lies_across(k, t->r, &t->k, s))
        return STAGING_ACROSS;
    if (is_as_stored(k, s) || dtype_bits(s->type) != 32)
        return STAGING_ELEMENTS;
    bool is_filled = t->k.n && t->k.last != t->k.extent[t->k.n - 1];
    s->lanes = is_filled ? 0 : vector_along(k, t, &t->k, s);
    if (s->lanes)
        return STAGING_VECTORS;
    s->lanes = is_filled ? 0 : vector_along(k, t, s->rows, s);
    return s->lanes ? STAGING_VECTORS_ACROSS : STAGING_ELEMENTS;
}

bool gpu_is_converted(const struct staged *s)
{
    return s->staging == STAGING_VECTORS || s->staging == STAGING_VECTORS_ACROSS;
}

static bool rows_are_side_by_side(const struct kernel *k, const struct kregion *r,
                                  const struct staged *s)
{
    int64_t stride;
    return s->rows->n &&
           gpu_stride_of(k, s->operand, r->index[s->rows->iter[s->rows->n - 1]], &stride) &&
           stride == 1;
}

static void describe_staged(const struct kernel *k, struct tile *t, struct staged *s)
{
    s->staging = staging_of(k, t, s);
    s->in_lines = s->staging == STAGING_ACROSS || s->staging == STAGING_VECTORS_ACROSS;
    s->rows_fast = s->staging == STAGING_ELEMENTS && rows_are_side_by_side(k, t->r, s);
}

bool gpu_is_matrix(const struct schedule_entry *e)
{
    return e->product != PRODUCT_FMA;
}

void gpu_describe_tile(const struct kernel *k, const struct schedule_entry *e, struct tile *t)
{
    t->r = kernel_inst(k, e->region)->region;
    t->c = t->r->contract;
    t->e = e;
    t->batch = axis_of(k, t->r, KITER_BATCH);
    t->m = axis_of(k, t->r, KITER_M);
    t->n = axis_of(k, t->r, KITER_N);
    t->a = (struct staged){.operand = &t->c->a, .rows = &t->m, .tile_rows = e->tile_m};
    t->b = (struct staged){.operand = &t->c->b, .rows = &t->n, .tile_rows = e->tile_n};
    bool as_stored = gpu_is_matrix(e) && e->product != PRODUCT_TF32 && e->product != PRODUCT_3XTF32;
    t->a.type = as_stored ? k->bufs[t->c->a.buf].dtype : t->c->acc;
    t->b.type = as_stored ? k->bufs[t->c->b.buf].dtype : t->c->acc;
    t->k = k_axis(k, t->r, gpu_chunk_elems(&t->a));
    t->row_bytes = ROW_BYTES;
    t->b.offset_bytes = e->tile_m * t->row_bytes;
    t->stage_bytes = (e->tile_m + e->tile_n) * t->row_bytes;
    describe_staged(k, t, &t->a);
    describe_staged(k, t, &t->b);
}
