/*
 * kernel_sort.h: what the two ways of taking a `sort` apart share (kernel_sort_turn.c,
 * kernel_sort_network.c).
 *
 * The new instructions go to the innermost open block, and the blocks of the sort move there: each
 * is used once.
 */
#ifndef SHEAF_IR_KERNEL_SORT_H
#define SHEAF_IR_KERNEL_SORT_H

#include "ir/kernel.h"

struct ksort {
    struct kernel *k;
    struct kregion *region;
    int n; /* values of a tuple */
    enum dtype type[KREGION_MAX_VALUES];
    int64_t bound, ranks_bound;  /* of the extents */
    int buf[KREGION_MAX_VALUES]; /* places for tuples, one buffer for each value */
};

struct ksort ksort_of(struct kernel *k, kval sort);
/* The places; two dimensions. */
void ksort_add_bufs(struct ksort *s, int64_t rows, int64_t columns);
void ksort_load(struct ksort *s, kval row, kval column, kval *out_tuple);
void ksort_store(struct ksort *s, kval row, kval column, const kval *tuple);
/* How often 2 is multiplied by itself until it reaches n. */
int ksort_log2(int64_t n);

/* What the values `from` of the sort, indices and parameters, have become. */
struct ksort_names {
    int n;
    kval from[2 * KREGION_MAX_VALUES + KREGION_MAX_DIMS],
        to[2 * KREGION_MAX_VALUES + KREGION_MAX_DIMS];
};
void ksort_name(struct ksort_names *names, kval from, kval to);
/* Moves a block; out_yield receives what it yields. */
void ksort_move(struct ksort *s, int block, const struct ksort_names *names, kval *out_yield);
/* The moved block of elements, for one index; the moved comparison, which is a bool; the moved
   block of ranks.  `names` holds what else has another name there. */
void ksort_element(struct ksort *s, struct ksort_names names, kval index, kval *out_tuple);
kval ksort_before(struct ksort *s, struct ksort_names names, const kval *first, const kval *second);
/* A copy of the comparison, which holds no region and will be needed again. */
kval ksort_before_copied(struct ksort *s, const kval *first, const kval *second);
void ksort_each(struct ksort *s, struct ksort_names names, kval rank, const kval *tuple);
/* How many ranks there are, computed here. */
kval ksort_ranks(struct ksort *s);

/* Puts the instructions of another block in the place of one. */
void ksort_replace(struct kernel *k, struct kblock *b, size_t at, const struct kblock *by);
/* A block for instructions that will stand elsewhere becomes the innermost open one. */
void ksort_open(struct kernel *k, struct kblock *b);

#endif
