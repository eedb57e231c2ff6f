/*
 * Races on shared memory.  Within a warp lanes are ordered by bar.warp.sync, not by shuffles
 * and votes, which order no memory; among warps by barriers.
 */
#include "tests/sim/ptx_check.h"

void ptx_check_refuse_shared(struct ptx_warp *w, int lane, uint64_t at, unsigned n, bool writes)
{
    const struct ptx_block *b = w->block;
    const char *verb = writes ? "writes" : "reads";
    if (at % n != 0)
        ptx_stop(w, lane, PTX_FAULT_ALIGNMENT,
                 "%s %u bytes at 0x%llx of shared memory, which is not a multiple of that", verb, n,
                 (unsigned long long)at);
    ptx_stop(w, lane, PTX_FAULT_ADDRESS,
             "%s %u bytes at 0x%llx of shared memory, of which the block has %u", verb, n,
             (unsigned long long)at, b->shared_bytes);
}

static unsigned thread_of(uint64_t writer)
{
    return (unsigned)(writer >> PTX_MARK_WARP & 63) * PTX_LANES +
           (unsigned)(writer >> PTX_MARK_LANE & 63);
}

static bool same_thread(const struct ptx_warp *w, int lane, uint64_t writer)
{
    return (int)(writer >> PTX_MARK_LANE & 63) == lane &&
           (int)(writer >> PTX_MARK_WARP & 63) == w->index;
}

static bool writer_is_ordered(const struct ptx_warp *w, int lane, uint64_t writer)
{
    unsigned warp = (unsigned)(writer >> PTX_MARK_WARP & 63);
    return same_thread(w, lane, writer) ||
           (uint32_t)(writer >> PTX_MARK_TIME) < w->block->seen[w->index][warp];
}

/* All warps that the mark names have synchronized with w since, or it is this very thread. */
static bool readers_are_ordered(const struct ptx_warp *w, int lane, uint64_t reader)
{
    uint32_t time = (uint32_t)reader >> PTX_READ_TIME;
    for (uint32_t warps = (uint32_t)(reader >> PTX_READ_WARPS); warps; warps &= warps - 1) {
        int v = ptx_first_lane(warps);
        if (time >= w->block->seen[w->index][v] &&
            !(v == w->index && (int)(reader >> PTX_READ_LANE & 63) == lane))
            return false;
    }
    return true;
}

static _Noreturn void refuse_race(struct ptx_warp *w, int lane, uint32_t granule, const char *verb,
                                  uint64_t writer)
{
    ptx_stop(w, lane, PTX_FAULT_OTHER,
             "%s shared memory at 0x%x that thread %u of the block %s, with no barrier between",
             verb, granule * 4, thread_of(writer),
             writer & PTX_MARK_PENDING ? "copies to with cp.async and has not waited for"
                                       : "wrote");
}

void ptx_check_shared_read_order(struct ptx_warp *w, int lane, uint32_t granule, uint32_t bytes,
                                 unsigned order)
{
    struct ptx_block *b = w->block;
    uint64_t writer = b->writer[granule], reader = b->reader[granule];
    if (writer & PTX_MARK_PENDING && (writer >> 4 & bytes))
        refuse_race(w, lane, granule, "reads", writer);
    if ((writer & bytes) != bytes)
        ptx_stop(w, lane, PTX_FAULT_OTHER, "reads shared memory at 0x%x, which nobody wrote",
                 granule * 4);
    bool strong = order & PTX_STRONG && writer & PTX_MARK_ATOMIC;
    if ((writer >> 4 & bytes) && !strong && !writer_is_ordered(w, lane, writer))
        refuse_race(w, lane, granule, "reads", writer);
    if (order & PTX_STRONG)
        return;
    uint64_t mine = ptx_check_reader_mark(w, lane, bytes);
    if ((reader & bytes) && !readers_are_ordered(w, lane, reader)) {
        bool alone = reader >> PTX_READ_WARPS == (uint32_t)1 << w->index &&
                     (reader & PTX_READ_LANES) == (mine & PTX_READ_LANES);
        uint64_t others = reader >> PTX_READ_WARPS << PTX_READ_WARPS;
        mine |= others | (reader & PTX_TAG_MASK);
        if (!alone)
            mine = (mine & ~PTX_READ_LANES) | PTX_READ_SEVERAL;
    }
    b->reader[granule] = mine;
}

void ptx_check_shared_write_order(struct ptx_warp *w, int lane, uint32_t granule, uint32_t bytes,
                                  unsigned marks)
{
    struct ptx_block *b = w->block;
    uint64_t writer = b->writer[granule], reader = b->reader[granule];
    uint32_t floor = b->floor[w->index];
    bool ends = marks & PTX_MARK_ENDS && same_thread(w, lane, writer);
    marks &= ~(unsigned)PTX_MARK_ENDS;
    if (writer & PTX_MARK_PENDING && (writer >> 4 & bytes) && !ends)
        refuse_race(w, lane, granule, "writes", writer);
    bool both_atomic = marks & PTX_MARK_ATOMIC && writer & PTX_MARK_ATOMIC;
    if (writer >> PTX_MARK_TIME >= floor && (writer >> 4 & bytes) && !both_atomic &&
        !writer_is_ordered(w, lane, writer))
        refuse_race(w, lane, granule, "writes", writer);
    if (((uint32_t)reader >> PTX_READ_TIME) >= floor && (reader & bytes) &&
        !readers_are_ordered(w, lane, reader))
        ptx_stop(w, lane, PTX_FAULT_OTHER,
                 "writes shared memory at 0x%x that another thread of the block read, with no "
                 "barrier between",
                 granule * 4);
    uint64_t last = bytes;
    if (same_thread(w, lane, writer) && writer >> PTX_MARK_TIME == b->clock)
        last |= writer >> 4 & PTX_TAG_MASK;
    b->writer[granule] = (writer & PTX_TAG_MASK) | bytes | last << 4 | marks |
                         (uint64_t)lane << PTX_MARK_LANE | (uint64_t)w->index << PTX_MARK_WARP |
                         (uint64_t)b->clock << PTX_MARK_TIME;
}

/* Times do not fit any more: forget who did what, not what was written. */
static void forget(struct ptx_block *b)
{
    for (uint32_t g = 0; g < (b->shared_bytes + 3) / 4; g++) {
        b->writer[g] &= PTX_TAG_MASK;
        b->reader[g] = 0;
    }
    memset(b->seen, 0, sizeof b->seen);
    memset(b->floor, 0, sizeof b->floor);
    b->clock = 0;
}

static void advance(struct ptx_block *b)
{
    if (++b->clock == PTX_MAX_TIME) {
        forget(b);
        b->clock = 1;
    }
}

static void set_floor(struct ptx_block *b, int u)
{
    uint32_t least = UINT32_MAX;
    for (int v = 0; v < b->n_warps; v++)
        least = b->seen[u][v] < least ? b->seen[u][v] : least;
    b->floor[u] = least;
}

void ptx_check_sync_warp(struct ptx_warp *w)
{
    struct ptx_block *b = w->block;
    advance(b);
    b->seen[w->index][w->index] = b->clock;
    set_floor(b, w->index);
}

void ptx_check_sync_warps(struct ptx_block *b, uint32_t warps)
{
    uint32_t joined[PTX_MAX_WARPS] = {0};
    advance(b);
    for (uint32_t rest = warps; rest; rest &= rest - 1) {
        int u = ptx_first_lane(rest);
        for (int v = 0; v < b->n_warps; v++)
            joined[v] = b->seen[u][v] > joined[v] ? b->seen[u][v] : joined[v];
    }
    for (uint32_t rest = warps; rest; rest &= rest - 1)
        joined[ptx_first_lane(rest)] = b->clock;
    for (uint32_t rest = warps; rest; rest &= rest - 1) {
        int u = ptx_first_lane(rest);
        memcpy(b->seen[u], joined, sizeof joined);
        set_floor(b, u);
    }
}
