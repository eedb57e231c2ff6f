/*
 * schedule_contract.h: the parts of a contraction's schedule: what they ask of a region
 * (schedule_region.c), what a step of K takes (schedule_dot.c), the tile (schedule_tile.c), how
 * operand B is packed (schedule_pack.c), and all of it together (schedule_contract.c).
 */
#ifndef SHEAF_SCHEDULE_CONTRACT_H
#define SHEAF_SCHEDULE_CONTRACT_H

#include "bundle/tile/dot.h"
#include "bundle/tile/tile.h"

/* All extents are known, and none is 0. */
bool schedule_is_static(const struct kernel *k, const struct kregion *r);
/* Whether what lies around an operand is part of the sum: other than zero, or made so. */
bool schedule_padding_counts(const struct kernel *k, const struct koperand *o);
/* Whether an index of the region has one value only. */
bool schedule_is_single(const struct kernel *k, const struct kregion *r, kval index);
/* Whether dimension d of a padded operand can leave its buffer at all. */
bool schedule_can_leave(const struct kernel *k, const struct kregion *r, const struct koperand *o,
                        int d);
/* The dimension of B that an index runs over by itself, in steps of one; -1: there is none. */
int schedule_dim_of_k(const struct kernel *k, const struct koperand *b, kval index);

/* Whether n values of an index, from a multiple of n on, lie side by side in an operand, at a
   multiple of n elements. */
bool schedule_lies_in_groups(const struct kernel *k, const struct koperand *o, kval index, int n);
/* The stride of an index all the way, not only inside of blocks. */
bool schedule_even_stride(const struct kbuf *b, const struct kaffine *dims, kval index,
                          int64_t *out_stride);
/* Whether stepping `outer` once equals stepping `inner` n times, in an access. */
bool schedule_joins(const struct kbuf *b, const struct kaffine *dims, kval outer, kval inner,
                    int64_t n);

/* Sets the indices that rows and columns run over: the last M index (-1: there is none), and
   *out_outer_m, the one before.  Of M indices that have one value only where `single_rows`, of
   others never.  False where there is no column, or columns of several indices. */
bool schedule_choose_indices(const struct kernel *k, const struct kregion *r, bool single_rows,
                             struct schedule_entry *e, int *out_outer_m);
/* The K index that runs inside all others; -1: the last one does. */
int schedule_last_k(const struct schedule_entry *e);
/* Packs operand B: blocks of `columns`, and of `k_values` values of k_iter.  False where an index
   does not run over one dimension in steps of one. */
bool schedule_pack_b(struct kernel *k, const struct kregion *r, const struct schedule_entry *e,
                     int columns, int k_values);

struct shape_of_result {
    int64_t outer, rows, columns; /* outer: rows outside that a tile may span; 1: none */
    int64_t column_starts;        /* columns start at multiples of it in B (groups); 0: at 0 */
    int vector;
    int b_bytes;    /* of a vector of operand B, all of a group */
    int64_t others; /* values of the indices that are neither in a tile nor of K, together */
    int cores;      /* that share the tiles */
    bool is_square; /* rows come in pairs */
    bool is_small;  /* bytes of code come first */
    int at_once;
    struct dot_cost step;
    struct dot_registers regs;
};

/* The tile of least estimated time; one row where long windows would make the code too large, for
   then their range is computed. */
void schedule_choose_tile(const struct kernel *k, const struct kregion *r, int outer_m,
                          struct shape_of_result *s, struct schedule_entry *e);

/* Fills in what a step costs and how many registers it takes; `d` NULL: a multiply-add. */
void schedule_cost_of_step(const struct target *t, const struct kernel *k,
                           const struct kcontract *c, const struct dot *d,
                           struct shape_of_result *s);
/* The K index whose values make the cheapest groups; -1 where there is none. */
int schedule_choose_group(const struct kernel *k, const struct kregion *r,
                          const struct schedule_entry *e);
/* Sets how many groups of A a load brings, at most `at_once`, and where it is one that takes single
   values the K index that they belong to. */
void schedule_choose_lanes(const struct kernel *k, const struct kregion *r, int at_once,
                           struct schedule_entry *e);
/* Whether floats can be multiplied by lanes of operand A as it is stored. */
bool schedule_takes_lanes(const struct target *t, const struct kcontract *c);
/* Whether the rows of a tile tell at compile time where values of K index i are inside A. */
bool schedule_decided_by_tile(const struct kernel *k, const struct kregion *r,
                              const struct schedule_entry *e, int i);

#endif
