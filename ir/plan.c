/*
 * plan.c: packs buffers with lifetimes into one area (dynamic storage allocation, offline).
 *
 * The problem is NP-hard; the aim is the lower bound, the largest sum of sizes alive at one time.
 * Effort grows only as long as the bound is not met:
 *   1. Greedy: items in several orders (by size, by size times life, by life, those alive at the
 *      peak first, by birth), each at the lowest or the tightest gap between the items already
 *      placed whose lives overlap its own.  This settles most networks.
 *   2. Search (plan_search.c): a walk through time, forwards and backwards, for a packing in the
 *      bound.  It finds one wherever few items are alive at once, as in nearly all networks.
 *   3. Repair: in the order of the best greedy packing a random item moves forward; kept where the
 *      area does not grow.  This serves where many items are alive at once.
 *   4. Search again, in less and less slack.
 * Where some items have their places already only 1. and 3. are tried, with the others.
 * Everything is deterministic: ties break by position, the random numbers have a fixed seed, and
 * budgets count steps, not time.
 */
#include "ir/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ir/plan_search.h"

enum { SEARCH_NODES = 100000, SEARCH_ROUNDS = 4, REPAIR_WORK = 20000000 };

struct packing {
    struct plan_item *items; /* sizes aligned; offset: of the packing tried last */
    size_t n;
    int64_t bound, best;
    int64_t *best_offset;
    size_t *best_order; /* of the best greedy packing */
    int64_t best_greedy;
    size_t *placed;       /* scratch: items placed, by offset */
    const size_t *pinned; /* those that have their places, by offset */
    size_t n_pinned, n_free;
};

static int64_t align_up(int64_t bytes, int64_t align)
{
    return (bytes + align - 1) / align * align;
}

struct event {
    uint64_t time;
    int64_t change;
};

/* Deaths before births at the same time. */
static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->change < y->change ? -1 : x->change > y->change;
}

/* *out_time: the first moment of the peak. */
static int64_t peak_live(const struct plan_item *items, size_t n, int64_t align, uint32_t *out_time)
{
    struct arena scratch;
    arena_init(&scratch);
    struct event *event = arena_array(&scratch, 2 * n, sizeof *event);
    for (size_t i = 0; i < n; i++) {
        int64_t bytes = align_up(items[i].bytes, align);
        event[2 * i] = (struct event){.time = items[i].first, .change = bytes};
        event[2 * i + 1] = (struct event){.time = (uint64_t)items[i].last + 1, .change = -bytes};
    }
    qsort(event, 2 * n, sizeof *event, by_time);
    int64_t live = 0, peak = 0;
    for (size_t i = 0; i < 2 * n; i++) {
        live += event[i].change;
        if (live > peak) {
            peak = live;
            *out_time = (uint32_t)event[i].time;
        }
    }
    arena_done(&scratch);
    return peak;
}

int64_t plan_peak_live(const struct plan_item *items, size_t n, int64_t align)
{
    uint32_t time;
    return peak_live(items, n, align, &time);
}

static bool overlap(const struct plan_item *a, const struct plan_item *b)
{
    return a->first <= b->last && b->first <= a->last;
}

static void keep_if_best(struct packing *p, int64_t area)
{
    if (area >= p->best)
        return;
    p->best = area;
    for (size_t i = 0; i < p->n; i++)
        p->best_offset[i] = p->items[i].offset;
}

/* Places the items in order; returns the area, or more than `limit` as soon as it is exceeded. */
static int64_t place_greedily(struct packing *p, const size_t *order, bool tightest, int64_t limit)
{
    int64_t area = 0;
    for (size_t k = 0; k < p->n_pinned; k++) {
        const struct plan_item *item = &p->items[p->pinned[k]];
        p->placed[k] = p->pinned[k];
        area = item->offset + item->bytes > area ? item->offset + item->bytes : area;
    }
    for (size_t k = p->n_pinned; k < p->n; k++) {
        size_t next = order[k - p->n_pinned];
        struct plan_item *item = &p->items[next];
        int64_t end = 0, offset = -1, best_gap = INT64_MAX;
        for (size_t i = 0; i < k; i++) {
            const struct plan_item *other = &p->items[p->placed[i]];
            if (!overlap(item, other))
                continue;
            int64_t gap = other->offset - end;
            if (gap >= item->bytes && gap < best_gap) {
                offset = end;
                best_gap = gap;
                if (!tightest)
                    break;
            }
            if (other->offset + other->bytes > end)
                end = other->offset + other->bytes;
        }
        item->offset = offset < 0 ? end : offset;
        if (item->offset + item->bytes > area)
            area = item->offset + item->bytes;
        if (area > limit)
            return area;
        size_t at = k;
        for (; at && p->items[p->placed[at - 1]].offset > item->offset; at--)
            p->placed[at] = p->placed[at - 1];
        p->placed[at] = next;
    }
    keep_if_best(p, area);
    return area;
}

/* ---- 1. greedy ---- */

struct rank {
    size_t item;
    int cluster; /* lower first */
    double key;  /* larger first */
};

static int by_rank(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;
    if (x->cluster != y->cluster)
        return x->cluster < y->cluster ? -1 : 1;
    if (x->key != y->key)
        return x->key > y->key ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

enum order { BY_SIZE, BY_WEIGHT, PEAK_FIRST, BY_LIFE, BY_BIRTH, ORDER_COUNT };

static void make_order(const struct packing *p, enum order kind, uint32_t peak_time,
                       struct rank *rank, size_t *order)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct plan_item *item = &p->items[i];
        double life = (double)item->last - (double)item->first + 1, bytes = (double)item->bytes;
        rank[i] = (struct rank){.item = i};
        switch (kind) {
        case BY_SIZE:
            rank[i].key = bytes;
            break;
        case BY_WEIGHT:
            rank[i].key = bytes * life;
            break;
        case PEAK_FIRST:
            rank[i].cluster = !(item->first <= peak_time && peak_time <= item->last);
            rank[i].key = bytes;
            break;
        case BY_LIFE:
            rank[i].key = life;
            break;
        default:
            rank[i].key = -(double)item->first;
            break;
        }
    }
    qsort(rank, p->n, sizeof *rank, by_rank);
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        if (!p->items[rank[i].item].pinned)
            order[n++] = rank[i].item;
}

static void pack_greedily(struct packing *p, struct arena *scratch, uint32_t peak_time)
{
    struct rank *rank = arena_array(scratch, p->n, sizeof *rank);
    size_t *order = arena_array(scratch, p->n, sizeof *order);
    p->best_greedy = INT64_MAX;
    for (int kind = 0; kind < ORDER_COUNT && p->best > p->bound; kind++) {
        make_order(p, (enum order)kind, peak_time, rank, order);
        for (int tightest = 0; tightest < 2 && p->best > p->bound; tightest++) {
            int64_t area = place_greedily(p, order, tightest, INT64_MAX);
            if (area >= p->best_greedy || tightest)
                continue;
            p->best_greedy = area;
            memcpy(p->best_order, order, p->n_free * sizeof *order);
        }
    }
}

/* ---- 2. search ---- */

static void reverse_time(struct packing *p)
{
    for (size_t i = 0; i < p->n; i++) {
        uint32_t first = p->items[i].first;
        p->items[i].first = UINT32_MAX - p->items[i].last;
        p->items[i].last = UINT32_MAX - first;
    }
}

static bool search_both_ways(struct packing *p, int64_t capacity)
{
    bool found = false;
    for (int way = 0; way < 2; way++) {
        struct arena scratch;
        arena_init(&scratch);
        found = found || plan_search(&scratch, p->items, p->n, capacity, SEARCH_NODES);
        arena_done(&scratch);
        reverse_time(p);
    }
    if (!found)
        return false;
    int64_t area = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->items[i].offset + p->items[i].bytes > area)
            area = p->items[i].offset + p->items[i].bytes;
    keep_if_best(p, area);
    return true;
}

/* There is no packing into the bound in sight: halves of what lies between it and the best. */
static void search_with_slack(struct packing *p, int64_t align)
{
    int64_t failed = p->bound;
    for (int round = 0; round < SEARCH_ROUNDS && p->best - failed > align; round++) {
        int64_t capacity = failed + (p->best - failed) / 2 / align * align;
        if (!search_both_ways(p, capacity))
            failed = capacity;
    }
}

/* ---- 3. repair ---- */

static void pack_by_repair(struct packing *p, struct arena *scratch)
{
    size_t *order = p->best_order;
    size_t n = p->n_free, *trial = arena_array(scratch, n, sizeof *trial);
    int64_t current = p->best_greedy;
    uint64_t random = UINT64_C(0x853c49e6748fea9b);
    size_t rounds = n ? (size_t)REPAIR_WORK / (p->n * p->n + 1) : 0;
    for (size_t round = 0; round < rounds && p->best > p->bound; round++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint32_t r = (uint32_t)(random >> 33);
        /* Some item, more often a late one, goes to some earlier place. */
        size_t from = n - 1 - (r & 0xffff) * (n - 1) / 0x10000;
        size_t to = (r >> 16) * from / 0x8000;
        memcpy(trial, order, n * sizeof *trial);
        size_t moved = trial[from];
        memmove(trial + to + 1, trial + to, (from - to) * sizeof *trial);
        trial[to] = moved;
        int64_t area = place_greedily(p, trial, false, current);
        if (area <= current) {
            current = area;
            memcpy(order, trial, n * sizeof *trial);
        }
    }
}

/* By offset. */
static void find_pinned(struct packing *p, struct arena *scratch)
{
    size_t *pinned = arena_array(scratch, p->n, sizeof *pinned);
    for (size_t i = 0; i < p->n; i++) {
        if (!p->items[i].pinned)
            continue;
        size_t at = p->n_pinned++;
        for (; at && p->items[pinned[at - 1]].offset > p->items[i].offset; at--)
            pinned[at] = pinned[at - 1];
        pinned[at] = i;
    }
    p->pinned = pinned;
    p->n_free = p->n - p->n_pinned;
}

int64_t plan_pack(struct arena *scratch, struct plan_item *items, size_t n, int64_t align)
{
    if (!n)
        return 0;
    uint32_t peak_time = 0;
    struct packing p = {.items = arena_array(scratch, n, sizeof *items),
                        .n = n,
                        .bound = peak_live(items, n, align, &peak_time),
                        .best = INT64_MAX,
                        .best_offset = arena_array(scratch, n, sizeof(int64_t)),
                        .best_order = arena_array(scratch, n, sizeof(size_t)),
                        .placed = arena_array(scratch, n, sizeof(size_t))};
    for (size_t i = 0; i < n; i++) {
        assert(items[i].bytes > 0 && items[i].first <= items[i].last);
        p.items[i] = items[i];
        p.items[i].bytes = align_up(items[i].bytes, align);
    }
    find_pinned(&p, scratch);
    pack_greedily(&p, scratch, peak_time);
    if (p.best > p.bound && !p.n_pinned)
        search_both_ways(&p, p.bound);
    if (p.best > p.bound)
        pack_by_repair(&p, scratch);
    if (p.best > p.bound && !p.n_pinned)
        search_with_slack(&p, align);
    for (size_t i = 0; i < n; i++)
        items[i].offset = p.best_offset[i];
    assert(p.best >= p.bound);
    return p.best;
}
