/*
 * kernel_sort_network.c: a `sort` for many threads.
 *
 * A bitonic network in the form in which every exchange puts the lesser tuple to the lesser place
 * (K. E. Batcher, "Sorting networks and their applications", 1968): stage s joins runs of 2^s, of
 * which the second is read backwards in the first of its s + 1 steps.  So places behind the last
 * tuple can be taken to hold what comes after all others: exchanges with them do nothing, and
 * nothing lies there.  Steps are counted through all stages, for one loop with a map in it is what
 * a device's launches can become (program_phases.c).
 *
 * In a map of short sorts each point's network stays a matter of the threads that have the point,
 * and a short one by itself that of one group.  Long ones run side by side: the map goes into each
 * step.  But where few ranks of a long sort are
 * wanted, it becomes short ones: the first ranks of each chunk, and then of what is left.
 */
#include <assert.h>

#include "ir/kernel_raw.h"
#include "ir/kernel_sort.h"

enum {
    LONG = 4096,
    CHUNK = 2048,
    FEW = CHUNK / 8 /* ranks: with more, chunks leave too much */
};

struct network {
    struct ksort s;
    int n_outer; /* maps around, all their indices */
    kval outer[KREGION_MAX_DIMS], outer_extent[KREGION_MAX_DIMS];
    int n_spread; /* so many of them, the last, go into each step: 0 or those of one map */
};

static kval index_const(struct network *w, int64_t v)
{
    return kernel_const_index(w->s.k, v);
}

static kval op(struct network *w, enum kop op, kval a, kval b)
{
    return kernel_binary(w->s.k, op, a, b);
}

static int64_t rows_of(const struct network *w)
{
    int64_t rows = 1;
    for (int d = 0; d < w->n_outer; d++)
        rows *= kernel_extent_bound(w->s.k, w->outer_extent[d]);
    return rows;
}

/* A map of one step over `extent`; out_index is what it runs over, and the returned value the row
   of the tuples. */
static kval step_begin(struct network *w, kval extent, struct ksort_names *names, kval *out_index)
{
    struct kernel *k = w->s.k;
    int n = w->n_spread;
    kval extents[KREGION_MAX_DIMS], index[KREGION_MAX_DIMS], row = 0;
    for (int d = 0; d < n; d++)
        extents[d] = w->outer_extent[w->n_outer - n + d];
    extents[n] = extent;
    kernel_map_begin(k, n + 1, extents, index);
    for (int d = 0; d < w->n_outer; d++) {
        int own = d - (w->n_outer - n);
        kval i = own < 0 ? w->outer[d] : index[own];
        if (own >= 0)
            ksort_name(names, w->outer[d], i);
        int64_t size = kernel_extent_bound(k, w->outer_extent[d]);
        row = row ? op(w, KOP_MUL, row, index_const(w, size)) : 0;
        row = row ? op(w, KOP_ADD, row, i) : i;
    }
    *out_index = index[n];
    return row ? row : index_const(w, 0);
}

static void put_elements(struct network *w)
{
    struct ksort_names names = {0};
    kval tuple[KREGION_MAX_VALUES], i;
    kval row = step_begin(w, w->s.region->extent[0], &names, &i);
    ksort_element(&w->s, names, i, tuple);
    ksort_store(&w->s, row, i, tuple);
    kernel_map_end(w->s.k);
}

static void take_ranks(struct network *w)
{
    struct ksort_names names = {0};
    kval tuple[KREGION_MAX_VALUES], rank;
    kval ranks = ksort_ranks(&w->s);
    kval row = step_begin(w, ranks, &names, &rank);
    ksort_load(&w->s, row, rank, tuple);
    ksort_each(&w->s, names, rank, tuple);
    kernel_map_end(w->s.k);
}

/* Of step t: its stage is the greatest s for which s (s + 1) / 2 <= t, that is (sqrt(8 t + 1) - 1)
   / 2 without its fraction.  Numbers are small enough for f32 to hold them, and where the root is
   whole it is exact. */
static void find_stage(struct network *w, kval t, kval *out_stage, kval *out_step)
{
    struct kernel *k = w->s.k;
    kval square = op(w, KOP_ADD, op(w, KOP_MUL, t, index_const(w, 8)), index_const(w, 1));
    kval root = kernel_unary(k, KOP_SQRT, kernel_cast(k, DTYPE_F32, square));
    root = op(w, KOP_SUB, root, kernel_const_float(k, DTYPE_F32, 1));
    root = op(w, KOP_MUL, root, kernel_const_float(k, DTYPE_F32, 0.5));
    kval stage = kernel_cast(k, DTYPE_I64, root);
    kval next = op(w, KOP_ADD, stage, index_const(w, 1));
    kval first = op(w, KOP_SHR, op(w, KOP_MUL, stage, next), index_const(w, 1));
    *out_stage = stage;
    *out_step = op(w, KOP_SUB, t, first);
}

static void exchange(struct network *w, kval row, const struct ksort_names *names, kval low,
                     kval high)
{
    struct kernel *k = w->s.k;
    kval a[KREGION_MAX_VALUES], b[KREGION_MAX_VALUES];
    kval inside = kernel_compare(k, KOP_LT, high, w->s.region->extent[0]);
    kernel_if_begin(k, inside);
    ksort_load(&w->s, row, low, a);
    ksort_load(&w->s, row, high, b);
    kval before = ksort_before(&w->s, *names, b, a);
    kernel_if_begin(k, before);
    ksort_store(&w->s, row, low, b);
    ksort_store(&w->s, row, high, a);
    kernel_if_else(k, 0, NULL);
    kernel_if_end(k, 0, NULL, NULL);
    kernel_if_else(k, 0, NULL);
    kernel_if_end(k, 0, NULL, NULL);
}

static void run_steps(struct network *w)
{
    struct kernel *k = w->s.k;
    struct ksort_names names = {0};
    int stages = ksort_log2(w->s.bound);
    kval t, stage, step, pair;
    if (stages == 0)
        return;
    kernel_loop_begin(k, index_const(w, stages * (stages + 1) / 2), 0, NULL, &t, NULL);
    find_stage(w, t, &stage, &step);
    kval one = index_const(w, 1);
    kval stride = op(w, KOP_SHL, one, op(w, KOP_SUB, stage, step));
    kval below = op(w, KOP_SUB, stride, one);
    kval span = op(w, KOP_ADD, stride, below); /* 2 strides, less 1 */
    kval is_first = kernel_compare(k, KOP_EQ, step, index_const(w, 0));
    kval row = step_begin(w, index_const(w, INT64_C(1) << (stages - 1)), &names, &pair);
    kval inside = op(w, KOP_AND, pair, below), twice = op(w, KOP_ADD, pair, pair);
    kval low = op(w, KOP_SUB, twice, inside);
    kval mirrored = op(w, KOP_XOR, low, span);
    kval high = kernel_select(k, is_first, mirrored, op(w, KOP_ADD, low, stride));
    exchange(w, row, &names, low, high);
    kernel_map_end(k);
    kernel_loop_end(k, NULL, NULL);
}

/* ---- few ranks ---- */

/* With other maps around, chunks would not be spread over the device. */
static bool is_few(const struct network *w)
{
    const struct kregion *r = w->s.region;
    return w->n_outer == w->n_spread && w->n_spread < KREGION_MAX_DIMS && w->s.bound > LONG &&
           w->s.ranks_bound <= FEW && !kernel_has_region(w->s.k, &r->block[0]) &&
           !kernel_has_region(w->s.k, &r->block[1]);
}

/* The first ranks of each chunk, one chunk's behind the other's. */
static void sort_chunks(struct network *w, kval chunks, kval ranks)
{
    struct kernel *k = w->s.k;
    struct ksort_names names = {0};
    kval tuple[KREGION_MAX_VALUES], first[KREGION_MAX_VALUES], second[KREGION_MAX_VALUES];
    kval sorted[KREGION_MAX_VALUES], index[2], chunk, size = index_const(w, CHUNK);
    kval row = step_begin(w, chunks, &names, &chunk);
    kval from = op(w, KOP_MUL, chunk, size);
    kval count = op(w, KOP_MIN, op(w, KOP_SUB, w->s.region->extent[0], from), size);
    kval to = op(w, KOP_MUL, chunk, ranks);
    kernel_sort_begin(k, count, ranks, index);
    ksort_element(&w->s, names, op(w, KOP_ADD, from, index[0]), tuple);
    kernel_sort_order(k, w->s.n, tuple, first, second);
    kernel_sort_emit(k, ksort_before_copied(&w->s, first, second), sorted);
    ksort_store(&w->s, row, op(w, KOP_ADD, to, index[1]), sorted);
    kernel_sort_end(k);
    kernel_map_end(k);
}

/* The ranks of what they have left. */
static void sort_rest(struct network *w, kval left, kval ranks)
{
    struct kernel *k = w->s.k;
    struct ksort_names names = {0};
    kval tuple[KREGION_MAX_VALUES], first[KREGION_MAX_VALUES], second[KREGION_MAX_VALUES];
    kval sorted[KREGION_MAX_VALUES], index[2], unused, row = index_const(w, 0);
    if (w->n_spread)
        row = step_begin(w, index_const(w, 1), &names, &unused);
    kernel_sort_begin(k, left, ranks, index);
    ksort_load(&w->s, row, index[0], tuple);
    kernel_sort_order(k, w->s.n, tuple, first, second);
    kernel_sort_emit(k, ksort_before(&w->s, names, first, second), sorted);
    ksort_each(&w->s, names, index[1], sorted);
    kernel_sort_end(k);
    if (w->n_spread)
        kernel_map_end(k);
}

static void find_few(struct network *w, int64_t rows)
{
    int64_t most_chunks = (w->s.bound - 1) / CHUNK + 1, most = most_chunks * w->s.ranks_bound;
    kval extent = w->s.region->extent[0], zero = index_const(w, 0), size = index_const(w, CHUNK);
    kval ranks = op(w, KOP_MAX, ksort_ranks(&w->s), zero);
    kval chunks = op(w, KOP_ADD, extent, index_const(w, CHUNK - 1));
    chunks = op(w, KOP_MIN, op(w, KOP_DIV, chunks, size), index_const(w, most_chunks));
    /* All chunks but the last are whole. */
    kval whole = op(w, KOP_SUB, chunks, index_const(w, 1));
    kval last = op(w, KOP_SUB, extent, op(w, KOP_MUL, whole, size));
    kval of_last = op(w, KOP_MIN, ranks, last), of_whole = op(w, KOP_MUL, whole, ranks);
    kval left = op(w, KOP_ADD, of_whole, of_last);
    left = op(w, KOP_MIN, left, index_const(w, most));
    ksort_add_bufs(&w->s, rows, most);
    sort_chunks(w, chunks, ranks);
    sort_rest(w, left, ranks);
}

/* ---- the kernel ---- */

static bool expand_block(struct network *outer, struct kblock *b);

static void sort_whole(struct network *w, int64_t rows)
{
    ksort_add_bufs(&w->s, rows, w->s.bound);
    put_elements(w);
    run_steps(w);
    take_ranks(w);
}

/* Steps in an `if` are no launches of their own (program_phases.c). */
static void sort_in_group(struct network *w)
{
    struct kernel *k = w->s.k;
    kernel_if_begin(k, kernel_const_int(k, DTYPE_BOOL, 1));
    sort_whole(w, 1);
    kernel_if_else(k, 0, NULL);
    kernel_if_end(k, 0, NULL, NULL);
}

/* Instead of instruction `at` of the block, which is the sort or the map around it. */
static void expand(struct network *w, struct kblock *b, size_t at, struct kblock *code)
{
    struct kernel *k = w->s.k;
    int64_t rows = rows_of(w);
    bool is_empty = rows == 0 || w->s.bound == 0 || w->s.ranks_bound == 0, few = is_few(w);
    ksort_open(k, code);
    if (!is_empty && few)
        find_few(w, rows);
    else if (!is_empty && w->n_outer == 0 && w->s.bound <= LONG)
        sort_in_group(w);
    else if (!is_empty)
        sort_whole(w, rows);
    k->n_open--;
    if (few) {
        struct network outside = {.s = {.k = k}};
        expand_block(&outside, code);
    }
    ksort_replace(k, b, at, code);
}

/* The sort that is all there is in the block but for constants, else 0. */
static kval only_sort(const struct kernel *k, const struct kblock *b)
{
    kval found = 0;
    for (size_t i = 0; i < b->n; i++) {
        enum kop op = kernel_inst(k, b->insts[i])->op;
        if (op == KOP_CONST)
            continue;
        if (op != KOP_SORT || found)
            return 0;
        found = b->insts[i];
    }
    return found;
}

static void add_outer(struct network *w, const struct kregion *r)
{
    for (int d = 0; d < r->n_dims; d++) {
        assert(w->n_outer < KREGION_MAX_DIMS);
        w->outer[w->n_outer] = r->index[d];
        w->outer_extent[w->n_outer++] = r->extent[d];
    }
}

/* A map of long sorts and nothing else: false, and nothing is done, where it is no such map. */
static bool spread_map(const struct network *outer, struct kblock *b, size_t at)
{
    struct network w = *outer;
    struct kernel *k = w.s.k;
    const struct kregion *r = kernel_inst(k, b->insts[at])->region;
    kval sort = only_sort(k, &r->block[0]);
    if (!sort || r->n_dims == KREGION_MAX_DIMS)
        return false;
    w.s = ksort_of(k, sort);
    if (w.s.bound <= LONG)
        return false;
    add_outer(&w, r);
    w.n_spread = r->n_dims;
    struct kblock code = {0};
    for (size_t i = 0; i < r->block[0].n; i++)
        if (r->block[0].insts[i] != sort)
            kernel_raw_append(k, &code, r->block[0].insts[i]);
    expand(&w, b, at, &code);
    return true;
}

static bool expand_at(const struct network *outer, struct kblock *b, size_t at)
{
    struct network w = *outer;
    struct kernel *k = w.s.k;
    kval v = b->insts[at];
    struct kblock *blocks[KREGION_MAX_BLOCKS];
    int n = kernel_raw_blocks(k, v, blocks);
    bool changed = false;
    if (kernel_inst(k, v)->op == KOP_MAP)
        add_outer(&w, kernel_inst(k, v)->region);
    for (int j = 0; j < n; j++)
        changed |= expand_block(&w, blocks[j]);
    if (kernel_inst(k, v)->op != KOP_SORT)
        return changed;
    struct kblock code = {0};
    w.s = ksort_of(k, v);
    expand(&w, b, at, &code);
    return true;
}

static bool expand_block(struct network *outer, struct kblock *b)
{
    const struct kernel *k = outer->s.k;
    bool changed = false;
    for (size_t i = 0; i < b->n; i++) {
        const struct kinst *in = kernel_inst(k, b->insts[i]);
        size_t n_before = b->n;
        if (!in->region)
            continue;
        if (in->op == KOP_MAP && spread_map(outer, b, i))
            changed = true;
        else
            changed |= expand_at(outer, b, i);
        i += b->n - n_before;
    }
    return changed;
}

bool kernel_sort_at_once(struct kernel *k)
{
    struct network w = {.s = {.k = k}};
    return expand_block(&w, &k->body);
}
