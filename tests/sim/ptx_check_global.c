/*
 * Bounds and states of device memory, and races between the blocks of a launch.
 *
 * Each block has a vector of times: how far it has seen the others' releases.  Marks bear tags; the
 * first of a launch are one for bytes that several blocks read, then one for each block.  A release
 * begins a new segment of its block, with a tag of its own.  Vectors exist only for launches that
 * synchronize by memory.
 *
 * All bytes that several blocks read between two releases of a cooperative launch have one tag, and
 * so one set of readers: that of any of them.  So a write is refused too where its block has seen
 * the readers of these bytes, but not those of others; a barrier of the whole grid shows all.
 */
#include <stdlib.h>

#include "tests/sim/ptx_check.h"

/* An address that a block released to: the vector that one who reads it gets. */
struct ptx_location {
    uint64_t address;
    uint32_t *seen;
};

/* ---- refusals ---- */

static _Noreturn void refuse_place(struct ptx_warp *w, int lane, uint64_t address, unsigned n,
                                   const char *verb)
{
    const struct ptx_allocation *a = ptx_memory_find(w->block->memory, address);
    unsigned long long where = address;
    if (a && a->freed)
        ptx_stop(w, lane, PTX_FAULT_ADDRESS, "%s %u bytes at 0x%llx, in memory that was freed",
                 verb, n, where);
    if (a)
        ptx_stop(w, lane, PTX_FAULT_ADDRESS,
                 "%s %u bytes at 0x%llx, past the end of the allocation of %llu bytes at 0x%llx",
                 verb, n, where, (unsigned long long)a->n_bytes, (unsigned long long)a->address);
    for (uint64_t back = 1; back <= 4096 && !a; back *= 2)
        a = ptx_memory_find(w->block->memory, address - back);
    if (a)
        ptx_stop(w, lane, PTX_FAULT_ADDRESS,
                 "%s %u bytes at 0x%llx, %llu bytes past the end of the allocation of %llu bytes "
                 "at 0x%llx",
                 verb, n, where, (unsigned long long)(address - a->address - a->n_bytes),
                 (unsigned long long)a->n_bytes, (unsigned long long)a->address);
    ptx_stop(w, lane, PTX_FAULT_ADDRESS, "%s %u bytes at 0x%llx, where nothing is allocated", verb,
             n, where);
}

void ptx_check_refuse(struct ptx_warp *w, int lane, uint64_t address, unsigned n, bool writes)
{
    const struct ptx_memory *m = w->block->memory;
    const char *verb = writes ? "writes" : "reads";
    uint64_t at = address - PTX_DEVICE_BASE;
    if (at < m->end && address % n != 0)
        ptx_stop(w, lane, PTX_FAULT_ALIGNMENT,
                 "%s %u bytes at 0x%llx, which is not a multiple of that", verb, n,
                 (unsigned long long)address);
    if (at >= m->end || !ptx_check_state(m->state + at, n, PTX_BYTE_THERE, 0))
        refuse_place(w, lane, address, n, verb);
    const struct ptx_allocation *a = ptx_memory_find(m, address);
    ptx_stop(w, lane, writes ? PTX_FAULT_ADDRESS : PTX_FAULT_OTHER,
             "%s %u bytes at 0x%llx (byte %llu of an allocation of %llu), which %s", verb, n,
             (unsigned long long)address, (unsigned long long)(address - a->address),
             (unsigned long long)a->n_bytes, writes ? "are constant" : "nobody wrote");
}

void ptx_check_non_coherent(struct ptx_warp *w, int lane, uint64_t granule)
{
    ptx_stop(w, lane, PTX_FAULT_OTHER,
             "reads 0x%llx through the non-coherent cache, which this launch writes",
             (unsigned long long)(PTX_DEVICE_BASE + granule * 4));
}

static struct ptx_segment *many_of(struct ptx_run *r, uint32_t tag)
{
    return tag == r->tag_base ? &r->first_many : &r->segments[tag - r->tag_base - r->n_blocks - 1];
}

static struct ptx_segment segment_of(const struct ptx_run *r, uint32_t tag)
{
    uint32_t index = tag - r->tag_base;
    if (index == 0)
        return r->first_many;
    if (index <= r->n_blocks)
        return (struct ptx_segment){.block = index - 1};
    return r->segments[index - r->n_blocks - 1];
}

/* True where all that the segment did was done before what block b does now. */
static bool is_ordered(const struct ptx_block *b, uint32_t tag)
{
    const struct ptx_run *r = b->run;
    const struct ptx_segment s = segment_of(r, tag);
    if (s.block == b->index)
        return true;
    if (s.block != PTX_MANY_BLOCKS)
        return b->seen_blocks && b->seen_blocks[s.block] > s.time;
    for (uint32_t i = 0; i < r->n_blocks; i++)
        if (s.readers[i] && i != b->index && (!b->seen_blocks || b->seen_blocks[i] < s.readers[i]))
            return false;
    return true;
}

static _Noreturn void refuse_race(struct ptx_warp *w, int lane, uint64_t granule, uint32_t tag,
                                  const char *verb, const char *theirs)
{
    const struct ptx_run *r = w->block->run;
    struct ptx_segment s = segment_of(r, tag);
    const unsigned *grid = r->launch->grid;
    unsigned long long address = PTX_DEVICE_BASE + granule * 4;
    if (s.block == PTX_MANY_BLOCKS)
        ptx_stop(w, lane, PTX_FAULT_OTHER, "%s 0x%llx, which other blocks of the launch %s", verb,
                 address, theirs);
    ptx_stop(w, lane, PTX_FAULT_OTHER, "%s 0x%llx, which block (%u,%u,%u) of the launch %s", verb,
             address, s.block % grid[0], s.block / grid[0] % grid[1], s.block / grid[0] / grid[1],
             theirs);
}

static void *need(void *p)
{
    if (!p)
        abort();
    return p;
}

static uint32_t *new_vector(const struct ptx_run *r)
{
    return need(calloc(r->n_blocks, sizeof(uint32_t)));
}

static void join(const struct ptx_run *r, uint32_t **to, const uint32_t *from)
{
    if (!*to)
        *to = new_vector(r);
    for (unsigned i = 0; i < r->n_blocks; i++)
        (*to)[i] = from[i] > (*to)[i] ? from[i] : (*to)[i];
}

/* Bytes that `tag` read are read by several from now on, among them b's segment. */
static void read_by_many(struct ptx_block *b, uint32_t tag)
{
    struct ptx_run *r = b->run;
    struct ptx_segment *many = many_of(r, r->many_tag);
    const struct ptx_segment before = segment_of(r, tag), own = segment_of(r, b->tag);
    if (!many->readers)
        many->readers = new_vector(r);
    if (before.block == PTX_MANY_BLOCKS && tag != r->many_tag)
        join(r, &many->readers, before.readers);
    if (before.block != PTX_MANY_BLOCKS && many->readers[before.block] <= before.time)
        many->readers[before.block] = before.time + 1;
    many->readers[b->index] = own.time + 1;
    b->many_tag = r->many_tag;
}

/* Of bytes beside each other that different blocks read only the last are kept in mind. */
void ptx_check_read_order(struct ptx_warp *w, int lane, uint64_t granule, uint32_t bytes)
{
    struct ptx_block *b = w->block;
    uint32_t *reader = &b->memory->reader[granule], writer = b->memory->writer[granule];
    if (writer >> 4 >= b->tag_base && writer & bytes && !is_ordered(b, writer >> 4))
        refuse_race(w, lane, granule, writer >> 4, "reads", "wrote");
    uint32_t tag = *reader >> 4;
    if (tag == b->tag) {
        *reader |= bytes;
    } else if (tag < b->tag_base || !(*reader & bytes) ||
               (tag != b->run->many_tag && is_ordered(b, tag))) {
        *reader = b->tag << 4 | bytes;
    } else {
        read_by_many(b, tag);
        *reader = b->run->many_tag << 4 | (*reader & PTX_TAG_MASK) | bytes;
    }
}

void ptx_check_write_order(struct ptx_warp *w, int lane, uint64_t granule, uint32_t bytes)
{
    struct ptx_block *b = w->block;
    uint32_t *writer = &b->memory->writer[granule], reader = b->memory->reader[granule];
    if (*writer >> 4 >= b->tag_base && *writer & bytes && !is_ordered(b, *writer >> 4))
        refuse_race(w, lane, granule, *writer >> 4, "writes", "wrote");
    if (reader >> 4 >= b->tag_base && reader & bytes && !is_ordered(b, reader >> 4))
        refuse_race(w, lane, granule, reader >> 4, "writes", "read");
    *writer = b->tag << 4 | bytes | (*writer >> 4 == b->tag ? *writer & PTX_TAG_MASK : 0);
}

/* ---- synchronization by memory ---- */

static uint32_t new_segment(struct ptx_run *r, uint32_t block)
{
    if (r->n_segments == r->cap_segments) {
        r->cap_segments = r->cap_segments ? 2 * r->cap_segments : 64;
        r->segments = need(realloc(r->segments, r->cap_segments * sizeof *r->segments));
    }
    r->segments[r->n_segments++] = (struct ptx_segment){.block = block, .time = r->clock};
    return ptx_memory_take_tags(r->memory, 1);
}

static struct ptx_location *location(struct ptx_run *r, uint64_t address)
{
    for (size_t i = 0; i < r->n_locations; i++)
        if (r->locations[i].address == address)
            return &r->locations[i];
    if (r->n_locations == r->cap_locations) {
        r->cap_locations = r->cap_locations ? 2 * r->cap_locations : 64;
        r->locations = need(realloc(r->locations, r->cap_locations * sizeof *r->locations));
    }
    r->locations[r->n_locations] = (struct ptx_location){.address = address};
    return &r->locations[r->n_locations++];
}

/* Ends the block's segment: `*to` becomes what it knows now, its own deeds included. */
static void end_segment(struct ptx_block *b, uint32_t **to)
{
    struct ptx_run *r = b->run;
    if (!b->seen_blocks)
        b->seen_blocks = new_vector(r);
    r->clock++;
    b->seen_blocks[b->index] = r->clock;
    join(r, to, b->seen_blocks);
    b->tag = new_segment(r, b->index);
    b->many_tag = 0;
    /* Where blocks run one after the other one set of readers does: it only grows. */
    if (!r->launch->cooperative)
        return;
    r->many_tag = new_segment(r, PTX_MANY_BLOCKS);
    for (unsigned i = 0; i < r->n_resident; i++)
        r->blocks[i].many_tag = 0;
}

void ptx_check_fence(struct ptx_warp *w)
{
    struct ptx_block *b = w->block;
    if (b->observed)
        join(b->run, &b->seen_blocks, b->observed);
    end_segment(b, &b->fenced);
}

void ptx_check_release(struct ptx_warp *w, uint64_t address, unsigned order)
{
    struct ptx_block *b = w->block;
    if (order & PTX_RELEASE)
        end_segment(b, &b->fenced);
    if (b->fenced)
        join(b->run, &location(b->run, address)->seen, b->fenced);
}

void ptx_check_acquire(struct ptx_warp *w, uint64_t address, unsigned order)
{
    struct ptx_block *b = w->block;
    const struct ptx_run *r = b->run;
    for (size_t i = 0; i < r->n_locations; i++)
        if (r->locations[i].address == address && r->locations[i].seen)
            join(r, order & PTX_ACQUIRE ? &b->seen_blocks : &b->observed, r->locations[i].seen);
}

void ptx_check_begin(struct ptx_run *r)
{
    r->first_many.block = PTX_MANY_BLOCKS;
    r->tag_base = r->many_tag = ptx_memory_take_tags(r->memory, r->n_blocks + 1);
}

void ptx_check_end(struct ptx_run *r)
{
    for (size_t i = 0; i < r->n_locations; i++)
        free(r->locations[i].seen);
    for (size_t i = 0; i < r->n_segments; i++)
        free(r->segments[i].readers);
    free(r->first_many.readers);
    free(r->locations);
    free(r->segments);
}

void ptx_check_begin_block(struct ptx_block *b)
{
    b->tag_base = b->run->tag_base;
    b->many_tag = 0;
    b->tag = b->tag_base + 1 + b->index;
    b->clock = 1;
    for (int u = 0; u < PTX_MAX_WARPS; u++) {
        for (int v = 0; v < PTX_MAX_WARPS; v++)
            b->seen[u][v] = 1;
        b->floor[u] = 1;
    }
    size_t n_marks = (b->shared_bytes + 3) / 4;
    memset(b->writer, 0, n_marks * sizeof *b->writer);
    memset(b->reader, 0, n_marks * sizeof *b->reader);
}

void ptx_check_end_block(struct ptx_block *b)
{
    free(b->seen_blocks);
    free(b->fenced);
    free(b->observed);
    b->seen_blocks = b->fenced = b->observed = NULL;
}
