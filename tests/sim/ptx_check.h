/*
 * ptx_check.h: may these bytes be read or written, now and by this thread?
 *
 * Device memory: every four bytes have a mark of who wrote and of who read them last in this
 * launch: a tag, which stands for a block between two of its releases, above a mask of the bytes.
 * Two blocks that touch a byte, one of them writing, race unless one saw what the other released
 * (PTX ISA, "Memory Consistency Model": a fence and a strong write, seen by a strong read and a
 * fence).  A block counts as one here: that barriers lie between its threads is not checked.
 *
 * Shared memory: the same among the threads of a block.  Time is counted in synchronizations: of
 * the block, or of a warp.
 */
#ifndef SHEAF_TESTS_SIM_PTX_CHECK_H
#define SHEAF_TESTS_SIM_PTX_CHECK_H

#include "tests/sim/ptx_insn.h"

enum { PTX_TAG_BYTES = 4, PTX_TAG_MASK = 15 };
#define PTX_MANY_BLOCKS UINT32_MAX

/* ---- device memory ---- */

/* Slow halves of the below. */
_Noreturn void ptx_check_refuse(struct ptx_warp *w, int lane, uint64_t address, unsigned n,
                                bool writes);
void ptx_check_read_order(struct ptx_warp *w, int lane, uint64_t granule, uint32_t bytes);
void ptx_check_write_order(struct ptx_warp *w, int lane, uint64_t granule, uint32_t bytes);
void ptx_check_non_coherent(struct ptx_warp *w, int lane, uint64_t granule);

/* State bytes of n bytes, n being 1, 2, 4 or 8, or both halves of 16 combined. */
PTX_INLINE bool ptx_check_state(const uint8_t *state, unsigned n, unsigned need, unsigned never)
{
    const uint64_t ones = UINT64_C(0x0101010101010101) >> (n < 8 ? 64 - 8 * n : 0);
    uint64_t have = 0, either = 0, more;
    memcpy(&have, state, n < 8 ? n : 8);
    either = have;
    if (n == 16) {
        memcpy(&more, state + 8, 8);
        have &= more;
        either |= more;
    }
    return (have & need * ones) == need * ones && (either & never * ones) == 0;
}

/* n is a power of two up to 16 and known when compiled.  Returns where the bytes are. */
PTX_INLINE uint8_t *ptx_check_read(struct ptx_warp *w, int lane, uint64_t address, unsigned n,
                                   unsigned order)
{
    const struct ptx_block *b = w->block;
    const struct ptx_memory *m = b->memory;
    uint64_t at = address - PTX_DEVICE_BASE;
    if (at >= m->end || at % n != 0 ||
        !ptx_check_state(m->state + at, n, PTX_BYTE_THERE | PTX_BYTE_WRITTEN, 0))
        ptx_check_refuse(w, lane, address, n, false);
    if (order & PTX_STRONG)
        return m->bytes + at;
    uint32_t bytes = n < 4 ? ((1u << n) - 1) << at % 4 : PTX_TAG_MASK;
    for (uint64_t g = at / 4; g < (at + n + 3) / 4; g++) {
        uint32_t writer = m->writer[g], reader = m->reader[g], mine = b->tag << 4 | bytes;
        bool foreign = writer >> 4 >= b->tag_base && writer >> 4 != b->tag;
        bool known =
            (reader & bytes) == bytes && (reader >> 4 == b->tag || reader >> 4 == b->many_tag);
        if (foreign || !known) {
            if (!foreign && reader >> 4 < b->tag_base)
                m->reader[g] = mine;
            else
                ptx_check_read_order(w, lane, g, bytes);
        }
        if (order & PTX_NON_COHERENT && writer & bytes && writer >> 4 >= b->tag_base)
            ptx_check_non_coherent(w, lane, g);
    }
    return m->bytes + at;
}

PTX_INLINE uint8_t *ptx_check_write(struct ptx_warp *w, int lane, uint64_t address, unsigned n,
                                    unsigned order)
{
    const struct ptx_block *b = w->block;
    struct ptx_memory *m = b->memory;
    uint64_t at = address - PTX_DEVICE_BASE;
    if (at >= m->end || at % n != 0 ||
        !ptx_check_state(m->state + at, n, PTX_BYTE_THERE, PTX_BYTE_CONSTANT))
        ptx_check_refuse(w, lane, address, n, true);
    memset(m->state + at, PTX_BYTE_THERE | PTX_BYTE_WRITTEN, n);
    if (order & PTX_STRONG)
        return m->bytes + at;
    uint32_t bytes = n < 4 ? ((1u << n) - 1) << at % 4 : PTX_TAG_MASK;
    for (uint64_t g = at / 4; g < (at + n + 3) / 4; g++) {
        uint32_t writer = m->writer[g], reader = m->reader[g];
        if ((writer >> 4 < b->tag_base || writer >> 4 == b->tag) &&
            (reader >> 4 < b->tag_base || reader >> 4 == b->tag))
            m->writer[g] =
                b->tag << 4 | bytes | (writer >> 4 == b->tag ? writer & PTX_TAG_MASK : 0);
        else
            ptx_check_write_order(w, lane, g, bytes);
    }
    return m->bytes + at;
}

/* A fence at the level of the device; a strong access to an address that others may look at. */
void ptx_check_fence(struct ptx_warp *w);
void ptx_check_release(struct ptx_warp *w, uint64_t address, unsigned order);
void ptx_check_acquire(struct ptx_warp *w, uint64_t address, unsigned order);
/* Before the first block, after the last; at the beginning and end of a block. */
void ptx_check_begin(struct ptx_run *run);
void ptx_check_end(struct ptx_run *run);
void ptx_check_begin_block(struct ptx_block *b);
void ptx_check_end_block(struct ptx_block *b);

/* ---- shared memory ---- */

/*
 * Marks of four bytes of shared memory.  Writer: bytes ever written (4 bits), bytes of the last
 * write (4), atomic (1), cp.async under way (1), lane (6), warp (6), and the time above.  Reader:
 * bytes (4), lane or 32 for several (6), time (20); the warps, one bit each, in the upper half.
 */
enum {
    PTX_MARK_ATOMIC = 1 << 8,
    PTX_MARK_PENDING = 1 << 9,
    PTX_MARK_LANE = 10,
    PTX_MARK_WARP = 16,
    PTX_MARK_ENDS = 1 << 22, /* not stored: this write is what cp.async began */
    PTX_MARK_TIME = 32,
    PTX_READ_LANE = 4,
    PTX_READ_TIME = 10,
    PTX_READ_WARPS = 32,
    PTX_MAX_TIME = 1 << 20
};

#define PTX_READ_LANES   ((uint64_t)63 << PTX_READ_LANE)
#define PTX_READ_SEVERAL ((uint64_t)PTX_LANES << PTX_READ_LANE)

_Noreturn void ptx_check_refuse_shared(struct ptx_warp *w, int lane, uint64_t at, unsigned n,
                                       bool writes);
void ptx_check_shared_read_order(struct ptx_warp *w, int lane, uint32_t granule, uint32_t bytes,
                                 unsigned order);
void ptx_check_shared_write_order(struct ptx_warp *w, int lane, uint32_t granule, uint32_t bytes,
                                  unsigned marks);

PTX_INLINE uint64_t ptx_check_reader_mark(const struct ptx_warp *w, int lane, uint32_t bytes)
{
    return (uint64_t)1 << (PTX_READ_WARPS + w->index) | (uint64_t)w->block->clock << PTX_READ_TIME |
           (uint64_t)lane << PTX_READ_LANE | bytes;
}

PTX_INLINE uint8_t *ptx_check_shared_read(struct ptx_warp *w, int lane, uint64_t at, unsigned n,
                                          unsigned order)
{
    struct ptx_block *b = w->block;
    if (at + n > b->shared_bytes || at > b->shared_bytes || at % n != 0)
        ptx_check_refuse_shared(w, lane, at, n, false);
    uint32_t bytes = n < 4 ? ((1u << n) - 1) << at % 4 : PTX_TAG_MASK;
    for (uint32_t g = (uint32_t)at / 4; g < ((uint32_t)at + n + 3) / 4; g++) {
        uint64_t writer = b->writer[g], reader = b->reader[g];
        const uint32_t floor = b->floor[w->index], time = (uint32_t)reader >> PTX_READ_TIME;
        const uint64_t mine = ptx_check_reader_mark(w, lane, bytes);
        bool plain =
            (writer & (bytes | PTX_MARK_PENDING)) == bytes && writer >> PTX_MARK_TIME < floor;
        if (plain && order & PTX_STRONG)
            continue;
        if (plain && time < floor)
            b->reader[g] = mine;
        else if (plain && time == b->clock && (reader & PTX_READ_SEVERAL) &&
                 (reader & mine & ~PTX_READ_LANES) == (mine & ~PTX_READ_LANES))
            continue; /* one of several that are marked already */
        else
            ptx_check_shared_read_order(w, lane, g, bytes, order);
    }
    return b->shared + at;
}

PTX_INLINE uint8_t *ptx_check_shared_write(struct ptx_warp *w, int lane, uint64_t at, unsigned n,
                                           unsigned marks)
{
    struct ptx_block *b = w->block;
    if (at + n > b->shared_bytes || at > b->shared_bytes || at % n != 0)
        ptx_check_refuse_shared(w, lane, at, n, true);
    uint32_t bytes = n < 4 ? ((1u << n) - 1) << at % 4 : PTX_TAG_MASK;
    for (uint32_t g = (uint32_t)at / 4; g < ((uint32_t)at + n + 3) / 4; g++)
        ptx_check_shared_write_order(w, lane, g, bytes, marks);
    return b->shared + at;
}

/* ---- rows: lanes from `lane` on, whose `each` bytes follow each other; n bytes altogether ---- */

/* NULL where they must be checked lane by lane; nothing is marked then. */
uint8_t *ptx_check_read_row(struct ptx_warp *w, uint64_t address, unsigned n, unsigned each,
                            unsigned order);
uint8_t *ptx_check_write_row(struct ptx_warp *w, uint64_t address, unsigned n, unsigned each,
                             unsigned order);
uint8_t *ptx_check_shared_read_row(struct ptx_warp *w, int lane, uint64_t at, unsigned n,
                                   unsigned each, unsigned order);
uint8_t *ptx_check_shared_write_row(struct ptx_warp *w, int lane, uint64_t at, unsigned n,
                                    unsigned each, unsigned marks);

/* ---- synchronization ---- */

/* Lanes of one warp have synchronized; all warps of a barrier have. */
void ptx_check_sync_warp(struct ptx_warp *w);
void ptx_check_sync_warps(struct ptx_block *b, uint32_t warps);

#endif
