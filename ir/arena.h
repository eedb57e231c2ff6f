/*
 * arena.h: memory of the compile side.
 *
 * Everything that one phase makes lies in an arena and is released with it; passes never free.
 * Memory is zeroed.  Running out of memory is not recoverable inside the tool: it is reported with
 * one sentence on stderr and ends the process (sizes that come from outside are checked against
 * limits before, see checked.h).
 */
#ifndef SHEAF_IR_ARENA_H
#define SHEAF_IR_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunk; /* newest first */
};

void arena_init(struct arena *a);
void arena_done(struct arena *a); /* releases everything; the arena may be used again */

/* `size` zeroed bytes aligned to 64; size 0 gives a valid, unusable pointer. */
void *arena_alloc(struct arena *a, size_t size);
void *arena_array(struct arena *a, size_t n, size_t elem_size);
void *arena_copy(struct arena *a, const void *data, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))

/*
 * Growable array in an arena: ARENA_PUSH(arena, ptr, n, cap) makes room for one more element and
 * yields an lvalue of it.  Old storage stays in the arena (doubling bounds the waste).
 */
void *arena_grow(struct arena *a, void *ptr, size_t n, size_t *cap, size_t elem_size);
#define ARENA_PUSH(a, ptr, n, cap)                                                                 \
    (*((ptr) = arena_grow((a), (ptr), (n), &(cap), sizeof *(ptr)), (ptr) + (n)++))

#endif
