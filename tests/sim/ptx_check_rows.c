/*
 * The checks of ptx_check.h for lanes whose bytes follow each other: nearly all accesses are such,
 * and the compiler makes vectors of these loops.  Where anything is unusual they say so before they
 * have changed a mark, and the caller checks lane by lane.
 */
#include "tests/sim/ptx_check.h"

/* ---- device memory ---- */

/* All state bytes of the row have the bits `need` and none of `never`; 16 bytes at least. */
static bool states_are(const uint8_t *state, unsigned n, uint8_t need, uint8_t never)
{
    uint8_t have = need, either = 0;
    for (unsigned i = 0; i < n; i++) {
        have &= state[i];
        either |= state[i];
    }
    return have == need && (either & never) == 0;
}

static bool mark_readers(const struct ptx_block *b, const uint32_t *restrict writer,
                         uint32_t *restrict reader, unsigned n, bool non_coherent)
{
    uint32_t marks[PTX_LANES * 4], bad = 0;
    const uint32_t base = b->tag_base, tag = b->tag, many = b->many_tag;
    for (unsigned i = 0; i < n; i++) {
        uint32_t w = writer[i] >> 4, r = reader[i] >> 4;
        bad |= (w >= base) & ((w != tag) | non_coherent);
        bad |= (r >= base) & (r != tag) & (r != many);
        marks[i] = (r < base ? tag << 4 : reader[i]) | PTX_TAG_MASK;
    }
    if (bad)
        return false;
    memcpy(reader, marks, n * sizeof *marks);
    return true;
}

static bool mark_writers(const struct ptx_block *b, uint32_t *restrict writer,
                         const uint32_t *restrict reader, unsigned n)
{
    const uint32_t base = b->tag_base, tag = b->tag;
    uint32_t bad = 0;
    for (unsigned i = 0; i < n; i++) {
        uint32_t w = writer[i] >> 4, r = reader[i] >> 4;
        bad |= (w >= base) & (w != tag);
        bad |= (r >= base) & (r != tag);
    }
    if (bad)
        return false;
    for (unsigned i = 0; i < n; i++)
        writer[i] = tag << 4 | PTX_TAG_MASK;
    return true;
}

static bool fits(const struct ptx_memory *m, uint64_t at, unsigned n, unsigned each)
{
    return at < m->end && at % (each < 4 ? 4 : each) == 0 && n % 4 == 0 && n <= PTX_LANES * 16;
}

uint8_t *ptx_check_read_row(struct ptx_warp *w, uint64_t address, unsigned n, unsigned each,
                            unsigned order)
{
    const struct ptx_block *b = w->block;
    const struct ptx_memory *m = b->memory;
    uint64_t at = address - PTX_DEVICE_BASE;
    if (!fits(m, at, n, each) || order & PTX_STRONG ||
        !states_are(m->state + at, n, PTX_BYTE_THERE | PTX_BYTE_WRITTEN, 0) ||
        !mark_readers(b, m->writer + at / 4, m->reader + at / 4, n / 4, order & PTX_NON_COHERENT))
        return NULL;
    return m->bytes + at;
}

uint8_t *ptx_check_write_row(struct ptx_warp *w, uint64_t address, unsigned n, unsigned each,
                             unsigned order)
{
    const struct ptx_block *b = w->block;
    struct ptx_memory *m = b->memory;
    uint64_t at = address - PTX_DEVICE_BASE;
    if (!fits(m, at, n, each) || order & PTX_STRONG ||
        !states_are(m->state + at, n, PTX_BYTE_THERE, PTX_BYTE_CONSTANT) ||
        !mark_writers(b, m->writer + at / 4, m->reader + at / 4, n / 4))
        return NULL;
    memset(m->state + at, PTX_BYTE_THERE | PTX_BYTE_WRITTEN, n);
    return m->bytes + at;
}

/* ---- shared memory ---- */

static unsigned log2_of(unsigned each)
{
    return each == 4 ? 0 : each == 8 ? 1 : 2;
}

static bool lies_in(const struct ptx_block *b, uint64_t at, unsigned n, unsigned each)
{
    return each >= 4 && at % each == 0 && at < b->shared_bytes && n <= b->shared_bytes - at &&
           n <= PTX_LANES * 16;
}

uint8_t *ptx_check_shared_read_row(struct ptx_warp *w, int lane, uint64_t at, unsigned n,
                                   unsigned each, unsigned order)
{
    struct ptx_block *b = w->block;
    if (!lies_in(b, at, n, each) || order & PTX_STRONG)
        return NULL;
    const uint64_t *restrict writer = b->writer + at / 4;
    uint64_t *restrict reader = b->reader + at / 4;
    const uint64_t first = ptx_check_reader_mark(w, lane, PTX_TAG_MASK);
    const uint64_t who = PTX_READ_LANES | UINT64_MAX << PTX_READ_WARPS;
    const uint64_t floor = b->floor[w->index], clock = b->clock;
    const unsigned shift = log2_of(each);
    uint64_t marks[PTX_LANES * 4], bad = 0;
    for (unsigned i = 0; i < n / 4; i++) {
        uint64_t r = reader[i], mine = first + ((uint64_t)(i >> shift) << PTX_READ_LANE);
        uint64_t time = (uint32_t)r >> PTX_READ_TIME;
        bad |= (writer[i] & (PTX_TAG_MASK | PTX_MARK_PENDING)) != PTX_TAG_MASK;
        bad |= writer[i] >> PTX_MARK_TIME >= floor;
        bad |= (time >= floor) & (time != clock);
        uint64_t both = (r | mine | PTX_TAG_MASK) & ~PTX_READ_LANES;
        uint64_t joined =
            both | (((r ^ mine) & who) == 0 ? mine & PTX_READ_LANES : PTX_READ_SEVERAL);
        marks[i] = time < floor ? mine : joined;
    }
    if (bad)
        return NULL;
    memcpy(reader, marks, n / 4 * sizeof *marks);
    return b->shared + at;
}

uint8_t *ptx_check_shared_write_row(struct ptx_warp *w, int lane, uint64_t at, unsigned n,
                                    unsigned each, unsigned marks)
{
    struct ptx_block *b = w->block;
    if (!lies_in(b, at, n, each))
        return NULL;
    uint64_t *restrict writer = b->writer + at / 4;
    const uint64_t *restrict reader = b->reader + at / 4;
    const uint64_t floor = b->floor[w->index];
    const unsigned shift = log2_of(each);
    uint64_t bad = 0;
    for (unsigned i = 0; i < n / 4; i++) {
        bad |= writer[i] >> PTX_MARK_TIME >= floor;
        bad |= (uint32_t)reader[i] >> PTX_READ_TIME >= floor;
        bad |= writer[i] & PTX_MARK_PENDING;
    }
    if (bad)
        return NULL;
    const uint64_t first = PTX_TAG_MASK | PTX_TAG_MASK << 4 | marks |
                           (uint64_t)lane << PTX_MARK_LANE | (uint64_t)w->index << PTX_MARK_WARP |
                           (uint64_t)b->clock << PTX_MARK_TIME;
    for (unsigned i = 0; i < n / 4; i++)
        writer[i] = first + ((uint64_t)(i >> shift) << PTX_MARK_LANE);
    return b->shared + at;
}
