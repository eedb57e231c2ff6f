#include "ir/layout.h"

#include <assert.h>
#include <string.h>

#include "ir/strbuf.h"

struct layout layout_plain(int rank)
{
    assert(rank >= 0 && rank <= MAX_RANK);
    struct layout l = {.rank = (uint8_t)rank};
    for (int d = 0; d < rank; d++)
        l.order[d] = (uint8_t)d;
    return l;
}

struct layout layout_permuted(int rank, const int *order)
{
    struct layout l = layout_plain(rank);
    for (int i = 0; i < rank; i++) {
        assert(order[i] >= 0 && order[i] < rank);
        l.order[i] = (uint8_t)order[i];
    }
    return l;
}

struct layout layout_blocked(struct layout base, int dim, int size)
{
    assert(dim >= 0 && dim < base.rank && size >= 1 && size <= UINT16_MAX);
    if (size == 1)
        return base;
    assert(base.n_blocks < LAYOUT_MAX_BLOCKS);
    base.block[base.n_blocks].dim = (uint8_t)dim;
    base.block[base.n_blocks].size = (uint16_t)size;
    base.n_blocks++;
    return base;
}

bool layout_is_plain(const struct layout *l)
{
    for (int d = 0; d < l->rank; d++)
        if (l->order[d] != d)
            return false;
    return l->n_blocks == 0;
}

bool layout_equal(const struct layout *a, const struct layout *b)
{
    if (a->rank != b->rank || a->n_blocks != b->n_blocks)
        return false;
    for (int d = 0; d < a->rank; d++)
        if (a->order[d] != b->order[d])
            return false;
    for (int k = 0; k < a->n_blocks; k++)
        if (a->block[k].dim != b->block[k].dim || a->block[k].size != b->block[k].size)
            return false;
    return true;
}

int64_t layout_block_size(const struct layout *l, int dim)
{
    int64_t size = 1;
    for (int k = 0; k < l->n_blocks; k++)
        if (l->block[k].dim == dim)
            size *= l->block[k].size;
    return size;
}

/* Outer extent of a dimension: how many blocks (or elements) there are of it. */
static int64_t layout_outer_extent(const struct layout *l, const int64_t *dims, int d)
{
    int64_t block = layout_block_size(l, d);
    return dims[d] / block + (dims[d] % block != 0);
}

int64_t layout_elems(const struct layout *l, const int64_t *dims)
{
    int64_t n = 1;
    for (int d = 0; d < l->rank; d++)
        n *= layout_outer_extent(l, dims, d) * layout_block_size(l, d);
    return n;
}

struct layout_strides layout_strides(const struct layout *l, const int64_t *dims)
{
    struct layout_strides s = {{0}, {0}};
    int64_t stride = 1;
    for (int k = l->n_blocks; k-- > 0;) {
        s.inner[k] = stride;
        stride *= l->block[k].size;
    }
    for (int i = l->rank; i-- > 0;) {
        int d = l->order[i];
        s.outer[d] = stride;
        stride *= layout_outer_extent(l, dims, d);
    }
    return s;
}

int64_t layout_offset(const struct layout *l, const int64_t *dims, const int64_t *idx)
{
    struct layout_strides s = layout_strides(l, dims);
    int64_t offset = 0;
    for (int d = 0; d < l->rank; d++) {
        int64_t weight = layout_block_size(l, d); /* of the digit before the current one */
        int64_t rest = idx[d] % weight;
        offset += s.outer[d] * (idx[d] / weight);
        for (int k = 0; k < l->n_blocks; k++) {
            if (l->block[k].dim != d)
                continue;
            weight /= l->block[k].size;
            offset += s.inner[k] * (rest / weight);
            rest %= weight;
        }
    }
    return offset;
}

const char *layout_print(const struct layout *l, struct arena *a)
{
    if (layout_is_plain(l))
        return "plain";
    struct strbuf b;
    strbuf_init(&b, a);
    for (int i = 0; i < l->rank; i++)
        strbuf_printf(&b, "%c", 'a' + l->order[i]);
    for (int k = 0; k < l->n_blocks; k++)
        strbuf_printf(&b, "%u%c", (unsigned)l->block[k].size, 'a' + l->block[k].dim);
    return strbuf_text(&b);
}

bool layout_parse(const char *text, int rank, struct layout *out_layout, struct error *err)
{
    if (rank < 0 || rank > MAX_RANK)
        return error_set(err, SHEAF_ERROR_ARGUMENT, "layout '%s': rank %d is not in 0..%d", text,
                         rank, MAX_RANK);
    struct layout l = layout_plain(rank);
    if (!strcmp(text, "plain")) {
        *out_layout = l;
        return true;
    }
    const char *p = text;
    unsigned seen = 0;
    for (int i = 0; i < rank; i++, p++) {
        int d = *p - 'a';
        if (*p < 'a' || d >= rank || (seen >> d & 1))
            return error_set(err, SHEAF_ERROR_FORMAT,
                             "layout '%s': does not start with each of the %d dimensions once",
                             text, rank);
        seen |= 1u << d;
        l.order[i] = (uint8_t)d;
    }
    while (*p) {
        int size = 0;
        while (*p >= '0' && *p <= '9' && size <= UINT16_MAX)
            size = size * 10 + (*p++ - '0');
        if (size < 2 || size > UINT16_MAX || *p < 'a' || *p - 'a' >= rank)
            return error_set(err, SHEAF_ERROR_FORMAT,
                             "layout '%s': a block is a size from 2 to %d and a dimension", text,
                             UINT16_MAX);
        if (l.n_blocks == LAYOUT_MAX_BLOCKS)
            return error_set(err, SHEAF_ERROR_FORMAT, "layout '%s': more than %d blocks", text,
                             LAYOUT_MAX_BLOCKS);
        l = layout_blocked(l, *p++ - 'a', size);
    }
    *out_layout = l;
    return true;
}
