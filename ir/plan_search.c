/*
 * plan_search.c: packing as a walk through time.
 *
 * Items are placed in the order in which they come alive.  What can still happen depends only on
 * where the items lie that are alive now, not on how they came there; and a network keeps few
 * tensors alive at once.  So a depth-first search over placements that remembers the dead ends (the
 * live items' ends and offsets) does not multiply the choices of distant layers: it either passes a
 * moment in some way or proves that none of its states leads on.  A search that places items by
 * size or by address has no such separation, and thrashes on long chains.
 *
 * Choices for an item are both ends of every gap that it fits into, the tightest gap first.  That
 * is no proof where it fails (an item might have to float inside a gap), hence the caller tries
 * the reversed time too.  Dead ends are kept as 64-bit hashes: a collision can only hide a
 * solution, never make a wrong one.
 */
#include "ir/plan_search.h"

#include <stdlib.h>
#include <string.h>

struct placed {
    int64_t offset, end;
    uint32_t last;
};

/* One item's place in the search: who is alive when it comes, and what is left to try. */
struct level {
    struct placed *live; /* by offset */
    size_t n_live;
    struct choice {
        int64_t offset, gap;
    } *choices;
    size_t n_choices, next;
    uint64_t state;
};

struct search {
    const struct plan_item **order;
    size_t n;
    int64_t capacity;
    struct level *level;
    uint64_t *dead; /* hash set, 0: free */
    size_t dead_mask;
};

static int by_birth(const void *a, const void *b)
{
    const struct plan_item *x = *(const struct plan_item *const *)a;
    const struct plan_item *y = *(const struct plan_item *const *)b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    if (x->last != y->last)
        return x->last > y->last ? -1 : 1;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return x < y ? -1 : x > y;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ (h >> 29);
}

static bool dead_find(const struct search *s, uint64_t state)
{
    for (size_t i = state & s->dead_mask; s->dead[i]; i = (i + 1) & s->dead_mask)
        if (s->dead[i] == state)
            return true;
    return false;
}

static void dead_add(struct search *s, uint64_t state)
{
    size_t i = state & s->dead_mask;
    while (s->dead[i])
        i = (i + 1) & s->dead_mask;
    s->dead[i] = state;
}

static void add_choice(struct level *l, int64_t offset, int64_t gap)
{
    size_t i = l->n_choices++;
    for (; i && l->choices[i - 1].gap > gap; i--)
        l->choices[i] = l->choices[i - 1];
    l->choices[i] = (struct choice){.offset = offset, .gap = gap};
}

/* Fills level k from the one before, whose item lies at `offset`. */
static void enter(struct search *s, size_t k, int64_t offset)
{
    struct level *l = &s->level[k];
    const struct plan_item *item = s->order[k];
    l->n_live = l->n_choices = l->next = 0;
    if (k) {
        const struct level *before = &s->level[k - 1];
        const struct plan_item *latest = s->order[k - 1];
        struct placed fresh = {
            .offset = offset, .end = offset + latest->bytes, .last = latest->last};
        bool pending = fresh.last >= item->first;
        for (size_t i = 0; i < before->n_live; i++) {
            if (pending && before->live[i].offset > offset) {
                l->live[l->n_live++] = fresh;
                pending = false;
            }
            if (before->live[i].last >= item->first)
                l->live[l->n_live++] = before->live[i];
        }
        if (pending)
            l->live[l->n_live++] = fresh;
    }
    l->state = mix(UINT64_C(0x243f6a8885a308d3), k);
    int64_t at = 0;
    for (size_t i = 0; i <= l->n_live; i++) {
        int64_t next = i < l->n_live ? l->live[i].offset : s->capacity;
        int64_t gap = next - at;
        if (gap >= item->bytes)
            add_choice(l, at, gap);
        if (gap > item->bytes)
            add_choice(l, next - item->bytes, gap);
        if (i == l->n_live)
            break;
        at = l->live[i].end;
        l->state = mix(mix(mix(l->state, (uint64_t)next), (uint64_t)at), l->live[i].last);
    }
    l->state |= 1; /* 0 means free in the set */
}

/* Upper bound of the number of items alive at once. */
static size_t max_live(const struct plan_item **order, size_t n)
{
    size_t most = 0;
    for (size_t i = 0; i < n; i++) {
        size_t live = 1;
        for (size_t j = 0; j < i; j++)
            live += order[j]->last >= order[i]->first;
        most = live > most ? live : most;
    }
    return most;
}

static bool search_setup(struct search *s, struct arena *scratch, const struct plan_item *items,
                         size_t n, uint32_t max_nodes)
{
    s->order = arena_array(scratch, n, sizeof(struct plan_item *));
    for (size_t i = 0; i < n; i++)
        s->order[i] = &items[i];
    qsort(s->order, n, sizeof(struct plan_item *), by_birth);
    size_t live = max_live(s->order, n);
    if (n * live > (size_t)1 << 22)
        return false;
    s->level = arena_array(scratch, n, sizeof *s->level);
    struct placed *placed = arena_array(scratch, n * live, sizeof *placed);
    struct choice *choices = arena_array(scratch, n * 2 * (live + 1), sizeof *choices);
    for (size_t k = 0; k < n; k++) {
        s->level[k].live = placed + k * live;
        s->level[k].choices = choices + k * 2 * (live + 1);
    }
    size_t size = 64;
    while (size < (size_t)max_nodes * 2)
        size *= 2;
    s->dead = arena_array(scratch, size, sizeof *s->dead);
    s->dead_mask = size - 1;
    return true;
}

bool plan_search(struct arena *scratch, struct plan_item *items, size_t n, int64_t capacity,
                 uint32_t max_nodes)
{
    struct search s = {.n = n, .capacity = capacity};
    if (!n)
        return true;
    if (!search_setup(&s, scratch, items, n, max_nodes))
        return false;
    uint32_t nodes = 0;
    size_t k = 0;
    enter(&s, 0, 0);
    while (nodes < max_nodes) {
        struct level *l = &s.level[k];
        if (l->next < l->n_choices) {
            int64_t offset = l->choices[l->next++].offset;
            if (k + 1 == n)
                break;
            enter(&s, ++k, offset);
            nodes++;
            if (dead_find(&s, s.level[k].state))
                k--;
            continue;
        }
        dead_add(&s, l->state);
        if (k == 0)
            return false;
        k--;
    }
    if (nodes >= max_nodes)
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct level *l = &s.level[i];
        items[s.order[i] - items].offset = l->choices[l->next - 1].offset;
    }
    return true;
}
