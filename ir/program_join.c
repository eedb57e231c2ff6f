/*
 * program_join.c: several planned programs on the same three areas.
 *
 * Constants that are equal, packing included, lie once.  The client's tensors of different entries
 * lie one behind the other, for they outlive a call; those of one group are the same tensors, and
 * so are the extents of them that the client reads in the activations.  Activations of entries that
 * never run at the same time share storage; those that may are kept apart.  With the sizes of the
 * entries and the pairs that may meet given, the smallest area is a colouring of a weighted graph,
 * which is hard in general; entries are few, so they are placed largest first at the lowest offset
 * that is free of those they may meet, which is exact where all may meet or none.  Where entries
 * have areas of their own, all this holds for the programs of each.
 */
#include <assert.h>
#include <string.h>

#include "ir/hash.h"
#include "ir/program.h"

struct placed {
    const struct pbuf *buf;
    uint64_t hash;
};

struct join {
    struct arena scratch; /* of one comparison */
    struct arena *arena;
    struct placed *placed;
    size_t n_placed, cap_placed;
    int64_t end;
};

static bool same_content(struct join *j, const struct pbuf *a, const struct pbuf *b)
{
    int64_t n_a, n_b;
    const void *x = tensor_pack(&j->scratch, a->constant, &a->layout, &n_a);
    const void *y = tensor_pack(&j->scratch, b->constant, &b->layout, &n_b);
    bool same = n_a == n_b && memcmp(x, y, (size_t)n_a) == 0;
    arena_done(&j->scratch);
    arena_init(&j->scratch);
    return same;
}

static uint64_t content_hash(struct join *j, const struct pbuf *b)
{
    int64_t bytes;
    const void *packed = tensor_pack(&j->scratch, b->constant, &b->layout, &bytes);
    uint64_t h = hash_bytes(HASH_START, packed, (size_t)bytes);
    arena_done(&j->scratch);
    arena_init(&j->scratch);
    return h;
}

static void place_constant(struct join *j, struct pbuf *b)
{
    struct placed p = {.buf = b, .hash = b->constant ? content_hash(j, b) : 0};
    for (size_t i = 0; b->constant && i < j->n_placed; i++) {
        const struct placed *o = &j->placed[i];
        if (o->hash == p.hash && o->buf->constant && o->buf->bytes == b->bytes &&
            same_content(j, o->buf, b)) {
            b->offset = o->buf->offset;
            return;
        }
    }
    b->offset = j->end;
    j->end += program_align_up(b->bytes);
    ARENA_PUSH(j->arena, j->placed, j->n_placed, j->cap_placed) = p;
}

static void join_constants(struct program *const *programs, size_t n, struct arena *a)
{
    struct join j = {.arena = a};
    arena_init(&j.scratch);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < programs[i]->n_bufs; k++) {
            struct pbuf *b = &programs[i]->bufs[k];
            if (b->area == AREA_CONSTANT && b->view_of < 0 && !b->unused)
                place_constant(&j, b);
        }
    for (size_t i = 0; i < n; i++)
        programs[i]->area_bytes[AREA_CONSTANT] = j.end;
    arena_done(&j.scratch);
}

static int64_t group_bytes(const struct program_group *g, enum area area)
{
    int64_t most = 0;
    for (size_t i = 0; i < g->n; i++)
        if (g->programs[i]->area_bytes[area] > most)
            most = g->programs[i]->area_bytes[area];
    return program_align_up(most);
}

/* The first of the client's tensors from `from` on, n_bufs where there is none. */
static size_t find_tensor(const struct program *p, size_t from)
{
    while (from < p->n_bufs && !(p->bufs[from].area == AREA_MUTABLE && p->bufs[from].view_of < 0) &&
           !program_is_overlaid(&p->bufs[from]))
        from++;
    return from;
}

/* The storage of an extent in all programs of a group, which becomes one place: behind `end`, where
   it has none yet. */
static void place_extent(const struct program_group *g, const size_t *at, int dim, int64_t first,
                         int64_t *end)
{
    int64_t offset = -1, bytes = 0;
    for (size_t k = 0; k < g->n; k++) {
        const struct program *p = g->programs[k];
        const struct pbuf *b = &p->bufs[program_storage_of(p, p->bufs[at[k]].extent_buf[dim])];
        if (b->area != AREA_ACTIVATION)
            return;
        offset = b->offset >= first ? b->offset : offset;
        bytes = b->bytes > bytes ? b->bytes : bytes;
    }
    if (offset < 0) {
        offset = *end;
        *end += program_align_up(bytes);
    }
    for (size_t k = 0; k < g->n; k++) {
        struct program *p = g->programs[k];
        p->bufs[program_storage_of(p, p->bufs[at[k]].extent_buf[dim])].offset = offset;
    }
}

/* The client's tensors of a group lie at one place already: their order is the graph's, or
   plan_overlay_group saw to it.  The extents that go with them get one behind all else, so that
   NAME_info need not know which program ran. */
static void join_group(const struct program_group *g, struct arena *a)
{
    int64_t first = group_bytes(g, AREA_ACTIVATION), end = first;
    size_t *at = arena_array(a, g->n, sizeof *at);
    const struct program *p = g->programs[0];
    for (size_t k = 0; k < g->n; k++)
        at[k] = find_tensor(g->programs[k], 0);
    while (at[0] < p->n_bufs) {
        const struct pbuf *b = &p->bufs[at[0]];
        for (size_t k = 1; k < g->n; k++) {
            assert(at[k] < g->programs[k]->n_bufs);
            assert(g->programs[k]->bufs[at[k]].offset == b->offset);
            assert(strcmp(g->programs[k]->bufs[at[k]].name, b->name) == 0);
        }
        for (int d = 0; d < b->rank; d++)
            if (b->extent_buf[d] >= 0)
                place_extent(g, at, d, first, &end);
        for (size_t k = 0; k < g->n; k++)
            at[k] = find_tensor(g->programs[k], at[k] + 1);
    }
    if (end > first)
        for (size_t k = 0; k < g->n; k++)
            g->programs[k]->area_bytes[AREA_ACTIVATION] = end;
}

/* Moves an area of the entry's programs to its place in the joint one. */
static void move_area(const struct program_group *g, enum area area, int64_t base)
{
    for (size_t i = 0; i < g->n; i++)
        for (size_t k = 0; k < g->programs[i]->n_bufs; k++)
            if (g->programs[i]->bufs[k].area == area)
                g->programs[i]->bufs[k].offset += base;
}

/* The lowest place of `bytes` bytes that no placed entry it may meet overlaps. */
static int64_t free_offset(const int64_t *size, const int64_t *at, const bool *placed,
                           const bool *meets, size_t n, int64_t bytes)
{
    int64_t best = -1;
    for (size_t c = 0; c <= n; c++) {
        /* Candidates: the start, and behind each entry it may meet. */
        if (c < n && !(placed[c] && meets[c]))
            continue;
        int64_t from = c < n ? at[c] + size[c] : 0;
        bool is_free = true;
        for (size_t i = 0; i < n && is_free; i++)
            is_free = !placed[i] || !meets[i] || from >= at[i] + size[i] || from + bytes <= at[i];
        if (is_free && (best < 0 || from < best))
            best = from;
    }
    assert(best >= 0);
    return best;
}

static void join_activations(struct program_group *groups, size_t n, const bool *together,
                             struct arena *a)
{
    int64_t *size = arena_array(a, n, sizeof *size), *at = arena_array(a, n, sizeof *at);
    bool *placed = arena_array(a, n, sizeof *placed);
    const bool none = false;
    int64_t end = 0;
    for (size_t i = 0; i < n; i++)
        size[i] = group_bytes(&groups[i], AREA_ACTIVATION);
    for (size_t round = 0; round < n; round++) {
        size_t next = n;
        for (size_t i = 0; i < n; i++)
            if (!placed[i] && (next == n || size[i] > size[next]))
                next = i;
        at[next] =
            free_offset(size, at, placed, together ? together + next * n : &none, n, size[next]);
        placed[next] = true;
        move_area(&groups[next], AREA_ACTIVATION, at[next]);
        end = at[next] + size[next] > end ? at[next] + size[next] : end;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < groups[i].n; k++)
            groups[i].programs[k]->area_bytes[AREA_ACTIVATION] = end;
}

static void join_mutables(struct program_group *groups, size_t n)
{
    int64_t end = 0;
    for (size_t i = 0; i < n; i++) {
        move_area(&groups[i], AREA_MUTABLE, end);
        end += group_bytes(&groups[i], AREA_MUTABLE);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < groups[i].n; k++)
            groups[i].programs[k]->area_bytes[AREA_MUTABLE] = end;
}

void program_join(struct program_group *groups, size_t n, const bool *together, struct arena *a)
{
    size_t n_programs = 0;
    for (size_t i = 0; i < n; i++)
        n_programs += groups[i].n;
    struct program **all = arena_array(a, n_programs, sizeof *all);
    n_programs = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < groups[i].n; k++)
            all[n_programs++] = groups[i].programs[k];
    join_constants(all, n_programs, a);
    for (size_t i = 0; i < n; i++)
        if (groups[i].n > 1)
            join_group(&groups[i], a);
    for (size_t i = 0; !together && i < n; i++) {
        join_mutables(&groups[i], 1);
        join_activations(&groups[i], 1, NULL, a);
    }
    if (together) {
        join_mutables(groups, n);
        join_activations(groups, n, together, a);
    }
    for (size_t i = 0; i < n_programs; i++)
        for (size_t k = 0; k < all[i]->n_bufs; k++)
            all[i]->bufs[k].offset = all[i]->bufs[program_storage_of(all[i], (int)k)].offset;
}
