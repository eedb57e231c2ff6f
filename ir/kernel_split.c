/*
 * kernel_split.c: a contraction's sum in several parts, which can run at a time.
 *
 *     contract (split, batch, m, n, k') { store partial[split, batch, m, n] = acc }
 *     map (batch, m, n) { acc = reduce add (split) { load partial[split, ..] }; epilogue(acc) }
 *
 * For devices with more to offer than the contraction has results.  The parts are added in
 * ascending order, so the result is the same each time, but not that of the whole sum.
 */
#include <assert.h>
#include <string.h>

#include "ir/kernel.h"
#include "ir/kernel_raw.h"

/* The indices of the result, as their order is in the buffer of partial sums: columns last, which
   is how their sums are stored side by side. */
static int result_indices(const struct kregion *r, int *out)
{
    static const enum kiter order[] = {KITER_BATCH, KITER_M, KITER_N};
    int n = 0;
    for (int o = 0; o < 3; o++)
        for (int d = 0; d < r->n_dims; d++)
            if (r->contract->kind[d] == order[o])
                out[n++] = d;
    return n;
}

struct search {
    kval value;
    bool found;
};

static void compare(kval *use, void *arg)
{
    struct search *s = arg;
    s->found |= *use == s->value;
}

static bool uses(const struct kernel *k, const struct kblock *b, kval v)
{
    struct search s = {.value = v};
    for (size_t i = 0; i < b->n; i++)
        kernel_raw_each_use_within(k, b->insts[i], compare, &s);
    return s.found;
}

bool kernel_can_split_sum(const struct kernel *k, kval contract, int dim)
{
    const struct kregion *r = kernel_inst(k, contract)->region;
    const struct koperand *operand[2] = {&r->contract->a, &r->contract->b};
    int result[KREGION_MAX_DIMS];
    if (r->n_dims + 1 > KREGION_MAX_DIMS || result_indices(r, result) + 1 > MAX_RANK)
        return false;
    for (int i = 0; i < r->n_dims; i++)
        if (kernel_static_extent(k, r, i) <= 0)
            return false;
    for (int o = 0; o < 2; o++) {
        if (uses(k, &operand[o]->prologue, r->index[dim]))
            return false;
        for (int d = 0; d < k->bufs[operand[o]->buf].rank; d++)
            if (kaffine_coef(&operand[o]->dim[d], r->index[dim]) &&
                operand[o]->dim[d].n_terms == KAFFINE_MAX_TERMS)
                return false;
    }
    return r->contract->kind[dim] == KITER_K;
}

static int add_partial(struct kernel *k, const struct kregion *r, const int *result, int n,
                       int64_t splits)
{
    int64_t dims[MAX_RANK] = {splits};
    for (int i = 0; i < n; i++)
        dims[i + 1] = kernel_static_extent(k, r, result[i]);
    const char *name = arena_printf(k->arena, "%s.parts", k->name);
    return kernel_add_buf(k, name, r->contract->acc, KBUF_LOCAL, n + 1, dims);
}

/* ---- the contraction ---- */

static void split_operand(struct kernel *k, struct koperand *o, kval index, kval split, int64_t by)
{
    for (int d = 0; d < k->bufs[o->buf].rank; d++)
        kaffine_add(&o->dim[d], split, kaffine_coef(&o->dim[d], index) * by);
}

/* One more index in front, and index `dim` as far as a part goes. */
static kval add_index(struct kernel *k, struct kregion *r, int dim, kval splits, kval each)
{
    r->extent[dim] = each;
    for (int i = r->n_dims; i > 0; i--) {
        r->index[i] = r->index[i - 1];
        r->extent[i] = r->extent[i - 1];
        r->contract->kind[i] = r->contract->kind[i - 1];
    }
    r->n_dims++;
    r->index[0] = kernel_raw_inst(k, KOP_INDEX, DTYPE_I64, 0, NULL);
    r->extent[0] = splits;
    r->contract->kind[0] = KITER_BATCH;
    return r->index[0];
}

/* ---- the map ---- */

/* In the open block. */
static kval add_parts(struct kernel *k, int partial, kval splits, kval *index)
{
    kval zero = kernel_const(k, k->bufs[partial].dtype, 0), sum;
    kernel_reduce_begin(k, KCOMBINE_ADD, 1, 1, &splits, 1, &zero, &index[0]);
    kval part = kernel_load(k, partial, index);
    kernel_reduce_end(k, &part, &sum);
    return sum;
}

static void finish(struct kernel *k, const struct kregion *r, const int *result, int n,
                   const struct kblock *epilogue, int partial, kval splits)
{
    kval extent[MAX_RANK], index[MAX_RANK];
    for (int i = 0; i < n; i++)
        extent[i] = r->extent[result[i]];
    kernel_map_begin(k, n, extent, index + 1);
    kval sum = add_parts(k, partial, splits, index);
    kval old[MAX_RANK];
    for (int i = 0; i < n; i++)
        old[i] = r->index[result[i]];
    kernel_raw_finish(k, epilogue, n, old, index + 1, sum);
    kernel_map_end(k);
}

int kernel_split_sum(struct kernel *k, kval contract, int dim, int64_t splits)
{
    struct kregion *r = kernel_inst(k, contract)->region;
    int result[KREGION_MAX_DIMS], n = result_indices(r, result);
    int64_t each = kernel_static_extent(k, r, dim) / splits;
    assert(kernel_can_split_sum(k, contract, dim));
    assert(each * splits == kernel_static_extent(k, r, dim));
    int partial = add_partial(k, r, result, n, splits);
    const struct kblock epilogue = r->block[0];

    struct kblock before = {0}, after = {0};
    kernel_raw_open(k, &after);
    finish(k, r, result, n, &epilogue, partial, kernel_const_index(k, splits));
    k->n_open--;
    kernel_raw_open(k, &before);
    kval k_index = r->index[dim], index[MAX_RANK];
    for (int i = 0; i < n; i++)
        index[i + 1] = r->index[result[i]];
    kval n_splits = kernel_const_index(k, splits);
    index[0] = add_index(k, r, dim, n_splits, kernel_const_index(k, each));
    k->n_open--;
    split_operand(k, &r->contract->a, k_index, index[0], each);
    split_operand(k, &r->contract->b, k_index, index[0], each);
    kernel_raw_store_sums(k, r, partial, index);
    kernel_raw_put_around(k, contract, &before, &after);
    return partial;
}
