/*
 * kernel_sort_turn.c: a `sort` for code that does one thing after the other.
 *
 * The tuples lie in two rows by turns.  In pass p runs of 2^p tuples, each in order, become runs of
 * twice as many in the other row; how long the first runs are does not depend on the data, so that
 * there are log2 n passes and nothing to remember.  Choosing between the heads of two runs is no
 * branch, since no processor could foresee it.
 *
 * Where few ranks are wanted the tuples come in chunks, which are held against the last of the best
 * so far.  A chunk with one that comes before it, which gets rare, is sorted and merged with the
 * best; so in the worst case this takes as long as sorting all of them does.
 */
#include <assert.h>

#include "ir/kernel_raw.h"
#include "ir/kernel_sort.h"

static const struct ksort_names no_names;

static kval index_const(struct kernel *k, int64_t v)
{
    return kernel_const_index(k, v);
}

static kval plus(struct kernel *k, kval a, kval b)
{
    return kernel_binary(k, KOP_ADD, a, b);
}

static kval minus(struct kernel *k, kval a, kval b)
{
    return kernel_binary(k, KOP_SUB, a, b);
}

static kval least(struct kernel *k, kval a, kval b)
{
    return kernel_binary(k, KOP_MIN, a, b);
}

static kval greatest(struct kernel *k, kval a, kval b)
{
    return kernel_binary(k, KOP_MAX, a, b);
}

/* ---- comparing ---- */

/* Whether the code compares here for the last time, so that the block itself can be used. */
enum compare { COMPARE_COPY, COMPARE_LAST };

static kval is_before(struct ksort *s, enum compare compare, const kval *first, const kval *second)
{
    return compare == COMPARE_COPY ? ksort_before_copied(s, first, second)
                                   : ksort_before(s, no_names, first, second);
}

/* ---- merging ---- */

struct run {
    kval from, to;
};

/* The first `count` tuples of two runs of row `source` go to the other row, from `at` on. */
static void merge(struct ksort *s, enum compare compare, kval source, struct run a, struct run b,
                  kval at, kval count)
{
    struct kernel *k = s->k;
    kval start[2] = {a.from, b.from}, head[2], next[2], i;
    kval of_a[KREGION_MAX_VALUES], of_b[KREGION_MAX_VALUES], taken[KREGION_MAX_VALUES];
    kernel_loop_begin(k, count, 2, start, &i, head);
    /* Behind its end a run is read, but not taken from. */
    ksort_load(s, source, head[0], of_a);
    ksort_load(s, source, head[1], of_b);
    kval before = is_before(s, compare, of_b, of_a);
    kval b_left = kernel_compare(k, KOP_LT, head[1], b.to);
    kval a_empty = kernel_compare(k, KOP_LE, a.to, head[0]);
    kval take_b = kernel_binary(k, KOP_AND, b_left, before);
    take_b = kernel_binary(k, KOP_OR, a_empty, take_b);
    for (int v = 0; v < s->n; v++)
        taken[v] = kernel_select(k, take_b, of_b[v], of_a[v]);
    kval other = kernel_binary(k, KOP_XOR, source, index_const(k, 1));
    ksort_store(s, other, plus(k, at, i), taken);
    kval step = kernel_cast(k, DTYPE_I64, take_b);
    next[1] = plus(k, head[1], step);
    next[0] = plus(k, head[0], kernel_binary(k, KOP_XOR, step, index_const(k, 1)));
    kernel_loop_end(k, next, start);
}

/* All passes over `extent` tuples, at most `bound`, from column `base` on, first in row 0. */
static void merge_all(struct ksort *s, enum compare compare, kval base, kval extent, int64_t bound)
{
    struct kernel *k = s->k;
    kval one = index_const(k, 1), pass, pair;
    kernel_loop_begin(k, index_const(k, ksort_log2(bound)), 0, NULL, &pass, NULL);
    kval size = kernel_binary(k, KOP_SHL, one, pass);
    kval source = kernel_binary(k, KOP_AND, pass, one);
    kval twice = plus(k, size, size);
    kval pairs = minus(k, plus(k, extent, twice), one);
    pairs = kernel_binary(k, KOP_SHR, pairs, plus(k, pass, one));
    kernel_loop_begin(k, pairs, 0, NULL, &pair, NULL);
    kval from = kernel_binary(k, KOP_MUL, pair, twice);
    kval mid = plus(k, base, least(k, plus(k, from, size), extent));
    kval to = plus(k, base, least(k, plus(k, from, twice), extent));
    from = plus(k, base, from);
    merge(s, compare, source, (struct run){from, mid}, (struct run){mid, to}, from,
          minus(k, to, from));
    kernel_loop_end(k, NULL, NULL);
    kernel_loop_end(k, NULL, NULL);
}

static void emit_ranks(struct ksort *s, kval row)
{
    struct kernel *k = s->k;
    kval ranks = ksort_ranks(s), rank, tuple[KREGION_MAX_VALUES];
    kernel_map_begin(k, 1, &ranks, &rank);
    ksort_load(s, row, rank, tuple);
    ksort_each(s, no_names, rank, tuple);
    kernel_map_end(k);
}

/* Elements `first` and following into row 0. */
static void put_elements(struct ksort *s, kval first, kval count, kval column)
{
    struct kernel *k = s->k;
    kval i, tuple[KREGION_MAX_VALUES];
    kernel_map_begin(k, 1, &count, &i);
    ksort_element(s, no_names, plus(k, first, i), tuple);
    ksort_store(s, index_const(k, 0), plus(k, column, i), tuple);
    kernel_map_end(k);
}

static void sort_all(struct ksort *s)
{
    struct kernel *k = s->k;
    kval zero = index_const(k, 0), extent = s->region->extent[0];
    ksort_add_bufs(s, 2, s->bound + 1);
    put_elements(s, zero, extent, zero);
    merge_all(s, COMPARE_LAST, zero, extent, s->bound);
    emit_ranks(s, index_const(k, ksort_log2(s->bound) & 1));
}

/* ---- chunks ---- */

/* A power of 4, so that passes end in the row that they began in. */
static int64_t chunk_of(const struct ksort *s)
{
    enum { LEAST = 64 };
    int64_t chunk = LEAST;
    while (chunk < s->ranks_bound)
        chunk *= 4;
    return chunk;
}

/* The comparison is copied, and what makes an element gets another number than its index. */
static bool is_for_chunks(const struct ksort *s)
{
    enum { FEW_CHUNKS = 4 };
    const struct kregion *r = s->region;
    return chunk_of(s) <= s->bound / FEW_CHUNKS && !kernel_has_region(s->k, &r->block[0]) &&
           !kernel_has_region(s->k, &r->block[1]);
}

/* Whether any of the chunk comes before the last of the best. */
static kval any_before(struct ksort *s, kval column, kval count, kval last)
{
    enum { LANES = 16 };
    struct kernel *k = s->k;
    kval no = kernel_const_int(k, DTYPE_BOOL, 0), zero = index_const(k, 0), i, any;
    kval worst[KREGION_MAX_VALUES], tuple[KREGION_MAX_VALUES];
    ksort_load(s, zero, last, worst);
    kernel_reduce_begin(k, KCOMBINE_OR, LANES, 1, &count, 1, &no, &i);
    ksort_load(s, zero, plus(k, column, i), tuple);
    kval before = is_before(s, COMPARE_COPY, tuple, worst);
    kernel_reduce_end(k, &before, &any);
    return any;
}

/* The chunk's `count` tuples and the `filled` best, in row 0, become the best there. */
static void take_chunk(struct ksort *s, kval column, kval count, int64_t bound, kval filled,
                       kval ranks)
{
    struct kernel *k = s->k;
    kval zero = index_const(k, 0), tuple[KREGION_MAX_VALUES], i;
    merge_all(s, COMPARE_COPY, column, count, bound);
    kval taken = least(k, plus(k, filled, count), ranks);
    merge(s, COMPARE_LAST, zero, (struct run){zero, filled},
          (struct run){column, plus(k, column, count)}, zero, taken);
    kernel_map_begin(k, 1, &taken, &i);
    ksort_load(s, index_const(k, 1), i, tuple);
    ksort_store(s, zero, i, tuple);
    kernel_map_end(k);
}

/* The best lie in front, the chunk behind them. */
static void sort_chunks(struct ksort *s)
{
    struct kernel *k = s->k;
    int64_t chunk = chunk_of(s);
    kval extent = s->region->extent[0], size = index_const(k, chunk), zero = index_const(k, 0);
    kval column = index_const(k, s->ranks_bound), at;
    ksort_add_bufs(s, 2, s->ranks_bound + chunk + 1);
    kval ranks = greatest(k, ksort_ranks(s), zero);
    kval last = greatest(k, minus(k, ranks, index_const(k, 1)), zero);
    kval chunks = kernel_binary(k, KOP_DIV, plus(k, extent, index_const(k, chunk - 1)), size);
    kernel_loop_begin(k, chunks, 0, NULL, &at, NULL);
    kval first = kernel_binary(k, KOP_MUL, at, size);
    kval count = least(k, minus(k, extent, first), size);
    put_elements(s, first, count, column);
    kval is_free = kernel_compare(k, KOP_LT, first, ranks);
    kval any = any_before(s, column, count, last);
    kernel_if_begin(k, kernel_binary(k, KOP_OR, is_free, any));
    take_chunk(s, column, count, chunk, least(k, first, ranks), ranks);
    kernel_if_else(k, 0, NULL);
    kernel_if_end(k, 0, NULL, NULL);
    kernel_loop_end(k, NULL, NULL);
    emit_ranks(s, zero);
}

/* ---- the kernel ---- */

static void expand(struct kernel *k, struct kblock *b, size_t at)
{
    struct ksort s = ksort_of(k, b->insts[at]);
    struct kblock code = {0};
    ksort_open(k, &code);
    if (s.bound > 0 && s.ranks_bound > 0) {
        if (is_for_chunks(&s))
            sort_chunks(&s);
        else
            sort_all(&s);
    }
    k->n_open--;
    ksort_replace(k, b, at, &code);
}

/* The points of a map one after the other, the last index fastest. */
static void in_turn(struct kernel *k, kval map)
{
    struct kregion *r = kernel_inst(k, map)->region;
    struct kblock body = r->block[0];
    for (int d = r->n_dims - 1; d > 0; d--) {
        kval unused;
        kval loop = kernel_raw_region(k, KOP_LOOP, DTYPE_NONE, 0, NULL, 1, &r->extent[d], &unused);
        struct kregion *inner = kernel_inst(k, loop)->region;
        inner->index[0] = r->index[d];
        inner->block[0] = body;
        body = (struct kblock){0};
        kernel_raw_append(k, &body, loop);
    }
    if (r->n_dims) {
        r->block[0] = body;
        r->n_dims = 1;
        kernel_inst(k, map)->op = KOP_LOOP;
    }
}

static bool expand_block(struct kernel *k, struct kblock *b)
{
    bool changed = false;
    for (size_t i = 0; i < b->n; i++) {
        kval v = b->insts[i];
        if (!kernel_inst(k, v)->region)
            continue;
        struct kblock *blocks[KREGION_MAX_BLOCKS];
        int n = kernel_raw_blocks(k, v, blocks);
        bool inside = false;
        for (int j = 0; j < n; j++)
            inside |= expand_block(k, blocks[j]);
        if (inside && kernel_inst(k, v)->op == KOP_MAP)
            in_turn(k, v);
        changed |= inside;
        if (kernel_inst(k, v)->op != KOP_SORT)
            continue;
        size_t n_before = b->n;
        expand(k, b, i);
        i += b->n - n_before;
        changed = true;
    }
    return changed;
}

bool kernel_sort_in_turn(struct kernel *k)
{
    return expand_block(k, &k->body);
}
