#include "ir/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_ALIGN = 64, ARENA_CHUNK = 1 << 20 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size; /* of the bytes behind this header */
};

#define HEADER ((sizeof(struct arena_chunk) + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN)

static void arena_exhausted(size_t size)
{
    fprintf(stderr, "error: out of memory: cannot allocate %zu bytes\n", size);
    exit(1);
}

void arena_init(struct arena *a)
{
    a->chunk = NULL;
}

void arena_done(struct arena *a)
{
    while (a->chunk) {
        struct arena_chunk *next = a->chunk->next;
        free(a->chunk);
        a->chunk = next;
    }
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > SIZE_MAX / 2)
        arena_exhausted(size);
    size = (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    struct arena_chunk *c = a->chunk;
    if (!c || c->size - c->used < size) {
        /* A large block gets a chunk of its own, behind the current one, which stays in use. */
        size_t room = size > ARENA_CHUNK / 4 ? size : ARENA_CHUNK;
        struct arena_chunk *fresh = aligned_alloc(ARENA_ALIGN, HEADER + room);
        if (!fresh)
            arena_exhausted(HEADER + room);
        fresh->used = 0;
        fresh->size = room;
        if (c && room == size) {
            fresh->next = c->next;
            c->next = fresh;
        } else {
            fresh->next = c;
            a->chunk = fresh;
        }
        c = fresh;
    }
    void *p = (char *)c + HEADER + c->used;
    c->used += size;
    memset(p, 0, size);
    return p;
}

void *arena_array(struct arena *a, size_t n, size_t elem_size)
{
    if (elem_size && n > SIZE_MAX / 2 / elem_size)
        arena_exhausted(SIZE_MAX);
    return arena_alloc(a, n * elem_size);
}

void *arena_copy(struct arena *a, const void *data, size_t size)
{
    void *p = arena_alloc(a, size);
    if (size)
        memcpy(p, data, size);
    return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    char *p = arena_alloc(a, n + 1);
    if (n)
        memcpy(p, s, n);
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *p = arena_alloc(a, (size_t)(n < 0 ? 0 : n) + 1);
    if (n > 0)
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}

void *arena_grow(struct arena *a, void *ptr, size_t n, size_t *cap, size_t elem_size)
{
    if (n < *cap)
        return ptr;
    size_t fresh = *cap ? *cap * 2 : 8;
    void *p = arena_array(a, fresh, elem_size);
    if (n)
        memcpy(p, ptr, n * elem_size);
    *cap = fresh;
    return p;
}
