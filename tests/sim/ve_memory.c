#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, MAP_NORESERVE, madvise */
#include "tests/sim/ve_memory.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/sim/ve_image.h"

/* What is reserved bounds the sum of all areas of a process, since addresses are given out once. */
enum { GAP = 4096, RESERVED_LOG2 = 38, PAGE = 4096 };
static const uint64_t reserved = UINT64_C(1) << RESERVED_LOG2;

static void *reserve(void)
{
    void *p = mmap(NULL, reserved, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static uint64_t eight_of(uint8_t byte)
{
    return byte * UINT64_C(0x0101010101010101);
}

bool ve_memory_init(struct ve_memory *m, uint64_t limit_bytes)
{
    *m = (struct ve_memory){.limit_bytes = limit_bytes};
    ve_memory_unwritten_faults(m, true);
    m->bytes = reserve();
    m->state = reserve();
    if (m->bytes && m->state)
        return true;
    ve_memory_done(m);
    return false;
}

void ve_memory_done(struct ve_memory *m)
{
    if (m->bytes)
        munmap(m->bytes, reserved);
    if (m->state)
        munmap(m->state, reserved);
    free(m->areas);
}

void ve_memory_unwritten_faults(struct ve_memory *m, bool on)
{
    m->readable = eight_of(on ? VE_BYTE_THERE | VE_BYTE_WRITTEN : VE_BYTE_THERE);
}

uint64_t ve_memory_alloc(struct ve_memory *m, uint64_t n_bytes, uint64_t align, uint64_t offset,
                         enum ve_owner owner)
{
    if (n_bytes > m->limit_bytes - m->in_use_bytes ||
        n_bytes > reserved - m->end - GAP - align - offset)
        return 0;
    if (m->n_areas == m->cap_areas) {
        size_t cap = m->cap_areas ? 2 * m->cap_areas : 64;
        struct ve_area *more = realloc(m->areas, cap * sizeof *more);
        if (!more)
            return 0;
        m->areas = more;
        m->cap_areas = cap;
    }
    uint64_t at = ((m->end + GAP + align - 1) & ~(align - 1)) + offset;
    m->areas[m->n_areas++] =
        (struct ve_area){.address = VE_BASE + at, .n_bytes = n_bytes, .owner = owner};
    m->end = at + n_bytes;
    memset(m->state + at, VE_BYTE_THERE, n_bytes);
    m->in_use_bytes += n_bytes;
    m->n_client += owner == VE_OWNER_CLIENT;
    return VE_BASE + at;
}

const struct ve_area *ve_memory_near(const struct ve_memory *m, uint64_t address)
{
    size_t low = 0, high = m->n_areas;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (m->areas[mid].address <= address)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? &m->areas[low - 1] : NULL;
}

/* Gives the pages back; what is left of a page at either end is cleared. */
static void release_pages(uint8_t *base, uint64_t at, uint64_t n_bytes)
{
    uint64_t first = (at + PAGE - 1) / PAGE * PAGE, last = (at + n_bytes) / PAGE * PAGE;
    if (first >= last) {
        memset(base + at, 0, n_bytes);
        return;
    }
    memset(base + at, 0, first - at);
    memset(base + last, 0, at + n_bytes - last);
    madvise(base + first, last - first, MADV_DONTNEED);
}

bool ve_memory_free(struct ve_memory *m, uint64_t address)
{
    const struct ve_area *near = ve_memory_near(m, address);
    if (!near || near->address != address || near->freed)
        return false;
    struct ve_area *a = &m->areas[near - m->areas];
    a->freed = true;
    m->in_use_bytes -= a->n_bytes;
    m->n_client -= a->owner == VE_OWNER_CLIENT;
    release_pages(m->bytes, address - VE_BASE, a->n_bytes);
    release_pages(m->state, address - VE_BASE, a->n_bytes);
    return true;
}

bool ve_memory_holds(const struct ve_memory *m, uint64_t address, uint64_t n_bytes)
{
    const struct ve_area *a = ve_memory_near(m, address);
    return a && !a->freed && address - a->address <= a->n_bytes &&
           n_bytes <= a->n_bytes - (address - a->address);
}

void ve_memory_put(struct ve_memory *m, uint64_t to, const void *from, uint64_t n_bytes)
{
    assert(ve_memory_holds(m, to, n_bytes));
    if (n_bytes == 0)
        return;
    memcpy(m->bytes + (to - VE_BASE), from, n_bytes);
    memset(m->state + (to - VE_BASE), VE_BYTE_THERE | VE_BYTE_WRITTEN, n_bytes);
}

void ve_memory_make_constant(struct ve_memory *m, uint64_t address, uint64_t n_bytes)
{
    for (uint64_t i = 0; i < n_bytes; i++)
        m->state[address - VE_BASE + i] |= VE_BYTE_CONSTANT;
}

/* ---- accesses of the program ---- */

static const char *const owners[] = {"memory of the host's", "a library", "a stack"};

_Noreturn void ve_refuse(struct sim_ve_context *c, uint64_t address, uint64_t n_bytes, bool writes)
{
    const struct ve_memory *m = &c->ve->memory;
    const char *does = writes ? "writes" : "reads";
    unsigned long long at = address, n = n_bytes;
    if (n_bytes <= 8 && address % n_bytes)
        ve_stop(c, "%s %llu bytes at 0x%llx, which is no multiple of that", does, n, at);
    const struct ve_area *a = ve_memory_near(m, address);
    if (!a)
        ve_stop(c, "%s %llu bytes at 0x%llx, outside of all memory", does, n, at);
    unsigned long long start = a->address, size = a->n_bytes, from = address - a->address;
    const char *owner = owners[a->owner];
    if (a->freed)
        ve_stop(c, "%s %llu bytes at 0x%llx, byte %llu of %llu at 0x%llx (%s), which was freed",
                does, n, at, from, size, start, owner);
    if (from + n > size)
        ve_stop(c,
                "%s %llu bytes at 0x%llx, outside of all memory; the nearest before are %llu "
                "bytes at 0x%llx (%s)",
                does, n, at, size, start, owner);
    if (writes)
        ve_stop(c, "writes %llu bytes at 0x%llx, which is constant (%s)", n, at, owner);
    ve_stop(c, "reads %llu bytes at 0x%llx, byte %llu of %llu at 0x%llx (%s), which nobody wrote",
            n, at, from, size, start, owner);
}

/* True where each of the bytes has all these states and none of the others. */
static bool have(const uint8_t *state, uint64_t n_bytes, uint64_t wanted, uint64_t unwanted)
{
    uint64_t bad = 0, i = 0;
    if (n_bytes == 4) { /* by far most of single accesses */
        uint32_t s;
        memcpy(&s, state, sizeof s);
        return !((~s & (uint32_t)wanted) | (s & (uint32_t)unwanted));
    }
    for (; i + 8 <= n_bytes; i += 8) {
        uint64_t s;
        memcpy(&s, state + i, sizeof s);
        bad |= (~s & wanted) | (s & unwanted);
    }
    for (; i < n_bytes; i++)
        bad |= (~(uint64_t)state[i] & wanted & 0xff) | (state[i] & unwanted & 0xff);
    return !bad;
}

/* Where the address lies among what was ever given out; n_bytes is 1, 2, 4, 8 or more. */
static bool locate(const struct ve_memory *m, uint64_t address, uint64_t n_bytes, uint64_t *out_at)
{
    *out_at = address - VE_BASE;
    return *out_at < m->end && n_bytes <= m->end - *out_at &&
           (n_bytes > 8 || address % n_bytes == 0);
}

const uint8_t *ve_reading(struct sim_ve_context *c, uint64_t address, uint64_t n_bytes)
{
    const struct ve_memory *m = &c->ve->memory;
    uint64_t at;
    if (!locate(m, address, n_bytes, &at) || !have(m->state + at, n_bytes, m->readable, 0))
        ve_refuse(c, address, n_bytes, false);
    return m->bytes + at;
}

const uint8_t *ve_reading_word(struct sim_ve_context *c, uint64_t address)
{
    const struct ve_memory *m = &c->ve->memory;
    const uint64_t there = eight_of(VE_BYTE_THERE);
    uint64_t at;
    if (!locate(m, address, 4, &at) || !have(m->state + at, 4, there, 0))
        return ve_reading(c, address, 4);
    for (uint64_t i = 0; i < 4; i++)
        if (have(m->state + at + i, 1, m->readable, 0))
            return m->bytes + at;
    return ve_reading(c, address, 4);
}

uint8_t *ve_writing(struct sim_ve_context *c, uint64_t address, uint64_t n_bytes)
{
    struct ve_memory *m = &c->ve->memory;
    uint64_t at;
    if (!locate(m, address, n_bytes, &at) ||
        !have(m->state + at, n_bytes, eight_of(VE_BYTE_THERE), eight_of(VE_BYTE_CONSTANT)))
        ve_refuse(c, address, n_bytes, true);
    memset(m->state + at, VE_BYTE_THERE | VE_BYTE_WRITTEN, n_bytes);
    c->progress = 0;
    return m->bytes + at;
}
