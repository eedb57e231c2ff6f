#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, MAP_NORESERVE, madvise */
#include "tests/sim/ptx_memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/*
 * Addresses are given out once, so what is reserved bounds the sum of all allocations of a process.
 * Between two lie at least so many bytes that belong to nobody.
 */
enum { ALIGN = 512, GAP = 4096, RESERVED_LOG2 = 38, TAG_LIMIT = 1 << 28 };
static const uint64_t reserved = UINT64_C(1) << RESERVED_LOG2;

static void *reserve(uint64_t n_bytes)
{
    void *p = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

struct ptx_memory *ptx_memory_create(uint64_t limit_bytes)
{
    struct ptx_memory *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->limit_bytes = limit_bytes;
    m->next_tag = 1;
    m->bytes = reserve(reserved);
    m->state = reserve(reserved);
    m->writer = reserve(reserved);
    m->reader = reserve(reserved);
    if (!m->bytes || !m->state || !m->writer || !m->reader) {
        ptx_memory_destroy(m);
        return NULL;
    }
    return m;
}

void ptx_memory_destroy(struct ptx_memory *m)
{
    if (!m)
        return;
    void *const parts[] = {m->bytes, m->state, m->writer, m->reader};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i])
            munmap(parts[i], reserved);
    free(m->allocations);
    free(m);
}

uint64_t ptx_memory_alloc(struct ptx_memory *m, uint64_t n_bytes, enum ptx_owner owner)
{
    if (n_bytes > m->limit_bytes - m->in_use_bytes || n_bytes > reserved - m->end - GAP - ALIGN)
        return 0;
    if (m->n_allocations == m->cap_allocations) {
        size_t cap = m->cap_allocations ? 2 * m->cap_allocations : 64;
        struct ptx_allocation *more = realloc(m->allocations, cap * sizeof *more);
        if (!more)
            return 0;
        m->allocations = more;
        m->cap_allocations = cap;
    }
    uint64_t at = (m->end + GAP + ALIGN - 1) / ALIGN * ALIGN;
    m->allocations[m->n_allocations++] = (struct ptx_allocation){
        .address = PTX_DEVICE_BASE + at, .n_bytes = n_bytes, .owner = owner};
    m->end = at + n_bytes;
    memset(m->state + at, PTX_BYTE_THERE, n_bytes);
    m->in_use_bytes += n_bytes;
    if (m->in_use_bytes > m->peak_bytes)
        m->peak_bytes = m->in_use_bytes;
    return PTX_DEVICE_BASE + at;
}

static struct ptx_allocation *find(const struct ptx_memory *m, uint64_t address)
{
    size_t low = 0, high = m->n_allocations;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (m->allocations[mid].address <= address)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0)
        return NULL;
    struct ptx_allocation *a = &m->allocations[low - 1];
    return address - a->address < (a->n_bytes ? a->n_bytes : 1) ? a : NULL;
}

const struct ptx_allocation *ptx_memory_find(const struct ptx_memory *m, uint64_t address)
{
    return find(m, address);
}

/* Gives the pages back; what is left of a page at either end is cleared. */
static void release_pages(void *base, uint64_t at, uint64_t n_bytes)
{
    enum { PAGE = 4096 };
    uint64_t first = (at + PAGE - 1) / PAGE * PAGE, last = (at + n_bytes) / PAGE * PAGE;
    if (first >= last) {
        memset((char *)base + at, 0, n_bytes);
        return;
    }
    memset((char *)base + at, 0, first - at);
    memset((char *)base + last, 0, at + n_bytes - last);
    madvise((char *)base + first, last - first, MADV_DONTNEED);
}

bool ptx_memory_free(struct ptx_memory *m, uint64_t address)
{
    struct ptx_allocation *a = find(m, address);
    if (!a || a->address != address || a->freed)
        return false;
    a->freed = true;
    m->in_use_bytes -= a->n_bytes;
    uint64_t at = address - PTX_DEVICE_BASE;
    void *const parts[] = {m->bytes, m->state, m->writer, m->reader};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        release_pages(parts[i], at, a->n_bytes);
    return true;
}

bool ptx_memory_holds(const struct ptx_memory *m, uint64_t address, uint64_t n_bytes)
{
    const struct ptx_allocation *a = find(m, address);
    return a && !a->freed && n_bytes <= a->n_bytes - (address - a->address);
}

static void mark_written(struct ptx_memory *m, uint64_t at, uint64_t n_bytes)
{
    memset(m->state + at, PTX_BYTE_THERE | PTX_BYTE_WRITTEN, n_bytes);
}

void ptx_memory_write(struct ptx_memory *m, uint64_t to, const void *from, uint64_t n_bytes)
{
    assert(ptx_memory_holds(m, to, n_bytes));
    if (n_bytes == 0)
        return;
    memcpy(m->bytes + (to - PTX_DEVICE_BASE), from, n_bytes);
    mark_written(m, to - PTX_DEVICE_BASE, n_bytes);
}

void ptx_memory_fill(struct ptx_memory *m, uint64_t to, uint32_t value, unsigned value_bytes,
                     uint64_t n)
{
    assert(ptx_memory_holds(m, to, n * value_bytes));
    uint8_t *p = m->bytes + (to - PTX_DEVICE_BASE);
    for (uint64_t i = 0; i < n; i++)
        memcpy(p + i * value_bytes, &value, value_bytes);
    mark_written(m, to - PTX_DEVICE_BASE, n * value_bytes);
}

void ptx_memory_read(const struct ptx_memory *m, void *to, uint64_t from, uint64_t n_bytes)
{
    assert(ptx_memory_holds(m, from, n_bytes));
    if (n_bytes > 0)
        memcpy(to, m->bytes + (from - PTX_DEVICE_BASE), n_bytes);
}

void ptx_memory_copy(struct ptx_memory *m, uint64_t to, uint64_t from, uint64_t n_bytes)
{
    assert(ptx_memory_holds(m, to, n_bytes) && ptx_memory_holds(m, from, n_bytes));
    to -= PTX_DEVICE_BASE;
    from -= PTX_DEVICE_BASE;
    memmove(m->bytes + to, m->bytes + from, n_bytes);
    memmove(m->state + to, m->state + from, n_bytes);
    for (uint64_t i = 0; i < n_bytes; i++)
        m->state[to + i] &= (uint8_t)~PTX_BYTE_CONSTANT;
}

void ptx_memory_make_constant(struct ptx_memory *m, uint64_t address, uint64_t n_bytes)
{
    for (uint64_t i = 0; i < n_bytes; i++)
        m->state[address - PTX_DEVICE_BASE + i] |= PTX_BYTE_CONSTANT;
}

uint32_t ptx_memory_take_tags(struct ptx_memory *m, uint32_t n)
{
    if (n >= TAG_LIMIT - m->next_tag) {
        madvise(m->writer, reserved, MADV_DONTNEED);
        madvise(m->reader, reserved, MADV_DONTNEED);
        m->next_tag = 1;
    }
    uint32_t first = m->next_tag;
    m->next_tag += n;
    return first;
}
