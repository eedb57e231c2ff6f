#include "ir/tensor.h"

#include <assert.h>
#include <math.h>
#include <string.h>

int64_t dims_elems(int rank, const int64_t *dims)
{
    int64_t n = 1;
    for (int d = 0; d < rank; d++)
        n *= dims[d];
    return n;
}

int64_t tensor_elems(const struct tensor *t)
{
    return dims_elems(t->rank, t->dims);
}

int64_t tensor_bytes(const struct tensor *t)
{
    return dtype_bytes(t->dtype, tensor_elems(t));
}

struct tensor *tensor_new(struct arena *a, enum dtype dtype, int rank, const int64_t *dims)
{
    assert(rank >= 0 && rank <= MAX_RANK);
    struct tensor *t = arena_new(a, struct tensor);
    t->dtype = dtype;
    t->rank = rank;
    for (int d = 0; d < rank; d++)
        t->dims[d] = dims[d];
    t->data = arena_alloc(a, (size_t)tensor_bytes(t));
    return t;
}

void *tensor_data(struct tensor *t)
{
    return (void *)(uintptr_t)t->data;
}

struct tensor *tensor_scalar_f32(struct arena *a, float v)
{
    struct tensor *t = tensor_new(a, DTYPE_F32, 0, NULL);
    memcpy(tensor_data(t), &v, sizeof v);
    return t;
}

struct tensor *tensor_from_ints(struct arena *a, const int64_t *v, int64_t n)
{
    struct tensor *t = tensor_new(a, DTYPE_I64, 1, &n);
    if (n)
        memcpy(tensor_data(t), v, (size_t)n * sizeof *v);
    return t;
}

/* Raw storage of element i; of less than 8 bits in the low ones. */
static uint64_t tensor_raw(const struct tensor *t, int64_t i)
{
    const uint8_t *p = t->data;
    unsigned bits = dtype_bits(t->dtype);
    if (bits < 8)
        return dtype_unpack(p, bits, i);
    size_t size = bits / 8;
    uint64_t raw = 0;
    for (size_t k = 0; k < size; k++)
        raw |= (uint64_t)p[(size_t)i * size + k] << (8 * k);
    return raw;
}

static void tensor_set_raw(struct tensor *t, int64_t i, uint64_t raw)
{
    uint8_t *p = tensor_data(t);
    unsigned bits = dtype_bits(t->dtype);
    if (bits < 8) {
        dtype_pack(p, bits, i, (unsigned)(raw & 0xffu));
        return;
    }
    size_t size = bits / 8;
    for (size_t k = 0; k < size; k++)
        p[(size_t)i * size + k] = (uint8_t)(raw >> (8 * k));
}

/* The value of an integer element; u64 above INT64_MAX wraps. */
static int64_t tensor_int_of_raw(enum dtype t, uint64_t raw)
{
    unsigned bits = dtype_bits(t);
    if (dtype_kind(t) == DTYPE_KIND_INT && bits < 64 && (raw >> (bits - 1) & 1))
        raw |= ~(uint64_t)0 << bits;
    return (int64_t)raw;
}

static double tensor_float_of_raw(enum dtype t, uint64_t raw)
{
    if (t == DTYPE_F16)
        return (double)dtype_f16_to_f32((uint16_t)raw);
    if (t == DTYPE_BF16)
        return (double)dtype_bf16_to_f32((uint16_t)raw);
    if (t == DTYPE_F32)
        return (double)dtype_f32_of_bits((uint32_t)raw);
    return dtype_f64_of_bits(raw);
}

/* Truncates towards zero and saturates; NaN gives 0. */
static int64_t tensor_int_of_double(double v)
{
    if (isnan(v))
        return 0;
    if (v >= 0x1p63)
        return INT64_MAX;
    if (v < -0x1p63)
        return INT64_MIN;
    return (int64_t)v;
}

double tensor_get(const struct tensor *t, int64_t i)
{
    uint64_t raw = tensor_raw(t, i);
    if (dtype_is_float(t->dtype))
        return tensor_float_of_raw(t->dtype, raw);
    if (t->dtype == DTYPE_U64)
        return (double)raw;
    if (dtype_is_coded(t->dtype))
        return dtype_decode(t->dtype, (unsigned)raw);
    return (double)tensor_int_of_raw(t->dtype, raw);
}

int64_t tensor_get_int(const struct tensor *t, int64_t i)
{
    uint64_t raw = tensor_raw(t, i);
    if (dtype_is_float(t->dtype))
        return tensor_int_of_double(tensor_float_of_raw(t->dtype, raw));
    return tensor_int_of_raw(t->dtype, raw);
}

void tensor_set(struct tensor *t, int64_t i, double v)
{
    switch (t->dtype) {
    case DTYPE_F64:
        tensor_set_raw(t, i, dtype_bits_of_f64(v));
        return;
    case DTYPE_F32:
        tensor_set_raw(t, i, dtype_bits_of_f32((float)v));
        return;
    case DTYPE_F16:
        tensor_set_raw(t, i, dtype_f64_to_f16(v));
        return;
    case DTYPE_BF16:
        tensor_set_raw(t, i, dtype_f64_to_bf16(v));
        return;
    case DTYPE_BOOL:
        tensor_set_raw(t, i, v != 0);
        return;
    case DTYPE_F8E4M3FN:
    case DTYPE_F8E4M3FNUZ:
    case DTYPE_F8E5M2:
    case DTYPE_F8E5M2FNUZ:
    case DTYPE_F8E8M0:
    case DTYPE_F4E2M1:
        tensor_set_raw(t, i, dtype_encode(t->dtype, v));
        return;
    case DTYPE_U64:
        tensor_set_raw(t, i, !(v > 0) ? 0 : v >= 0x1p64 ? UINT64_MAX : (uint64_t)v);
        return;
    default: {
        int64_t n = tensor_int_of_double(v), lo = dtype_int_min(t->dtype);
        int64_t hi = dtype_int_max(t->dtype);
        tensor_set_raw(t, i, (uint64_t)(n < lo ? lo : n > hi ? hi : n));
        return;
    }
    }
}

void tensor_set_int(struct tensor *t, int64_t i, int64_t v)
{
    if (dtype_is_float(t->dtype))
        tensor_set(t, i, (double)v);
    else if (t->dtype == DTYPE_BOOL)
        tensor_set_raw(t, i, v != 0);
    else
        tensor_set_raw(t, i, (uint64_t)v);
}

/*
 * Packing walks the destination in memory order: one loop level per outer dimension, then one per
 * block.  A level steps through one logical dimension by `weight` indices, which is `stride`
 * elements of the source; what lies beyond the dimension is padding and stays zero.
 */
struct pack_level {
    int dim;
    int64_t count, weight, stride;
};

struct packer {
    struct pack_level level[MAX_RANK + LAYOUT_MAX_BLOCKS];
    int n_levels;
    int64_t dims[MAX_RANK];
    int64_t below[MAX_RANK + LAYOUT_MAX_BLOCKS]; /* destination elements of one step */
    int64_t index[MAX_RANK];
    size_t elem_bytes;
    uint8_t *to;
};

static void pack_run(uint8_t *to, const uint8_t *from, int64_t n, int64_t stride, size_t bytes)
{
    if (stride == 1) {
        memcpy(to, from, (size_t)n * bytes);
        return;
    }
    ptrdiff_t step = (ptrdiff_t)stride * (ptrdiff_t)bytes;
    switch (bytes) {
#define PACK_RUN(size)                                                                             \
    case size:                                                                                     \
        for (int64_t i = 0; i < n; i++, to += size, from += step)                                  \
            memcpy(to, from, size);                                                                \
        return;
        PACK_RUN(1)
        PACK_RUN(2)
        PACK_RUN(4)
        PACK_RUN(8)
#undef PACK_RUN
    default:
        assert(false);
    }
}

/* Steps of level l that stay inside its dimension, from the current index. */
static int64_t pack_valid(const struct packer *p, int l)
{
    const struct pack_level *v = &p->level[l];
    int64_t left = p->dims[v->dim] - p->index[v->dim];
    int64_t n = left <= 0 ? 0 : (left - 1) / v->weight + 1;
    return n < v->count ? n : v->count;
}

/* The last two levels where the outer one is nearer in the source: a transposition.  In strips, so
   that a cache line of the source is read once. */
static void pack_transposed(struct packer *p, int l, const uint8_t *from)
{
    enum { STRIP = 32 };
    const struct pack_level *outer = &p->level[l], *inner = &p->level[l + 1];
    int64_t n_outer = pack_valid(p, l), n_inner = pack_valid(p, l + 1);
    int64_t bytes = (int64_t)p->elem_bytes;
    for (int64_t i = 0; i < n_inner; i += STRIP) {
        int64_t n = n_inner - i < STRIP ? n_inner - i : STRIP;
        for (int64_t o = 0; o < n_outer; o++)
            pack_run(p->to + (o * inner->count + i) * bytes,
                     from + (o * outer->stride + i * inner->stride) * bytes, n, inner->stride,
                     p->elem_bytes);
    }
    p->to += outer->count * inner->count * bytes;
}

static void pack_level(struct packer *p, int l, const uint8_t *from)
{
    const struct pack_level *v = &p->level[l];
    if (l == p->n_levels - 1) {
        pack_run(p->to, from, pack_valid(p, l), v->stride, p->elem_bytes);
        p->to += (size_t)v->count * p->elem_bytes;
        return;
    }
    if (l == p->n_levels - 2 && v->stride < v[1].stride && v->dim != v[1].dim) {
        pack_transposed(p, l, from);
        return;
    }
    int64_t start = p->index[v->dim], n = pack_valid(p, l);
    for (int64_t i = 0; i < n; i++) {
        pack_level(p, l + 1, from);
        p->index[v->dim] += v->weight;
        from += v->stride * (int64_t)p->elem_bytes;
    }
    p->index[v->dim] = start;
    p->to += (size_t)((v->count - n) * p->below[l]) * p->elem_bytes;
}

static void pack_add_level(struct packer *p, int dim, int64_t count, int64_t weight,
                           int64_t source_stride)
{
    if (count != 1)
        p->level[p->n_levels++] = (struct pack_level){dim, count, weight, weight * source_stride};
}

static void pack_bytes(uint8_t *to, const uint8_t *from, size_t elem_bytes, const int64_t *dims,
                       const struct layout *l)
{
    struct packer p = {.elem_bytes = elem_bytes, .to = to};
    int64_t source_stride[MAX_RANK], stride = 1;
    for (int d = l->rank; d-- > 0;) {
        source_stride[d] = stride;
        stride *= dims[d];
        p.dims[d] = dims[d];
    }
    for (int i = 0; i < l->rank; i++) {
        int d = l->order[i];
        int64_t block = layout_block_size(l, d);
        pack_add_level(&p, d, dims[d] / block + (dims[d] % block != 0), block, source_stride[d]);
    }
    for (int k = 0; k < l->n_blocks; k++) {
        int d = l->block[k].dim;
        int64_t weight = 1;
        for (int j = k + 1; j < l->n_blocks; j++)
            if (l->block[j].dim == d)
                weight *= l->block[j].size;
        pack_add_level(&p, d, l->block[k].size, weight, source_stride[d]);
    }
    if (p.n_levels == 0) { /* a single element */
        memcpy(to, from, elem_bytes);
        return;
    }
    p.below[p.n_levels - 1] = 1;
    for (int i = p.n_levels - 1; i > 0; i--)
        p.below[i - 1] = p.level[i].count * p.below[i];
    if (stride > 0)
        pack_level(&p, 0, from);
}

void *tensor_pack(struct arena *a, const struct tensor *t, const struct layout *layout,
                  int64_t *out_bytes)
{
    assert(layout->rank == t->rank);
    int64_t elems = layout_elems(layout, t->dims);
    *out_bytes = dtype_bytes(t->dtype, elems);
    uint8_t *to = arena_alloc(a, (size_t)*out_bytes);
    unsigned bits = dtype_bits(t->dtype);
    if (layout_is_plain(layout)) {
        memcpy(to, t->data, (size_t)*out_bytes);
    } else if (bits >= 8) {
        pack_bytes(to, t->data, bits / 8, t->dims, layout);
    } else {
        /* Parts of bytes: spread to bytes, pack those, join them again. */
        struct arena scratch;
        arena_init(&scratch);
        int64_t n = tensor_elems(t);
        uint8_t *wide = arena_alloc(&scratch, (size_t)n);
        uint8_t *packed = arena_alloc(&scratch, (size_t)elems);
        for (int64_t i = 0; i < n; i++)
            wide[i] = (uint8_t)tensor_raw(t, i);
        pack_bytes(packed, wide, 1, t->dims, layout);
        for (int64_t i = 0; i < elems; i++)
            dtype_pack(to, bits, i, packed[i]);
        arena_done(&scratch);
    }
    return to;
}
