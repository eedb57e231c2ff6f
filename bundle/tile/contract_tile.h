/*
 * contract_tile.h: the parts of the tile generator: one step of K (contract_step.c), products of
 * bytes (contract_dot.c), all of K and the epilogue (contract_tile.c), and the loops that walk over
 * the tiles (contract_loops.c).
 */
#ifndef SHEAF_CONTRACT_TILE_H
#define SHEAF_CONTRACT_TILE_H

#include "bundle/emit/emit_internal.h"
#include "bundle/tile/dot.h"
#include "bundle/tile/tile.h"

enum { MAX_ACC = 64, MAX_TILE_VECTORS = 8 };

/* A dimension of padded A that an M index of the tile and a K index share.  The K index is
   unrolled, so that for each row of the tile it is known whether it falls outside. */
struct tile_pad {
    int dim, m, k;
};

/* A row of A in the step being emitted. */
struct tile_row {
    unsigned inside;     /* the K values that can be read, a bit each */
    LLVMValueRef groups; /* all of them, where one load brings them; NULL: there is none */
};

/* One side of a product, in the parts that the instruction takes. */
struct factor {
    LLVMValueRef v[2];
};

struct tile {
    struct emit_kernel *ek;
    const struct kregion *r;
    const struct kcontract *c;
    const struct schedule_entry *e;
    const struct dot *dot; /* NULL: a multiply-add */
    struct dot_product product;
    int rows;       /* of this tile: outer rows times `inner` */
    int inner;      /* consecutive values of row_iter */
    int vectors;    /* of this column block */
    int last_lanes; /* of the last vector: the columns that exist */
    struct eaffine row0, outer0, col0;
    int64_t first_row, first_outer; /* where the tiles that share this code start */
    LLVMValueRef acc[MAX_ACC];
    struct tile_row a[MAX_ACC];
    LLVMValueRef *b; /* vectors of B of the step being emitted, where they are loaded already */
    LLVMValueRef excess[MAX_TILE_VECTORS]; /* per column: what flipped top bits of A add */
    struct tile_pad pad[2];
    int n_pads;
    bool pad_counts;                /* what lies outside A is part of the sum */
    bool outside;                   /* the step being emitted is outside A for every row */
    LLVMValueRef guard;             /* whether it is inside, found out at run time; NULL: it is */
    int64_t k_at[KREGION_MAX_DIMS]; /* values of the unrolled K indices */
    int k_order[KREGION_MAX_DIMS];
    int n_k;
    int group_have;            /* K values of the step being emitted that exist */
    bool group_is_adjacent;    /* those of a step, in A */
    bool group_may_overrun;    /* what a step reads behind the end of K is memory of A */
    struct eaffine outer_tile; /* tiles in the outer rows before this one */
    struct eaffine tile;       /* position of this tile among those of the column block */
    int64_t n_tiles;           /* of a column block */
    struct eaffine before;     /* those of the column blocks before */
};

int64_t tile_extent(const struct tile *t, int i);
/* K values that a step of index i takes. */
int tile_k_step(const struct tile *t, int i);

/* Whether row i of the tile is inside A along one padded dimension, as k_at stands, `further`
   values of the K index on. */
bool tile_is_inside(const struct tile *t, const struct tile_pad *pad, int i, int further);

/* The value of an affine access as the indices are bound. */
struct eaffine tile_bound(struct emit_kernel *ek, const struct kaffine *a);
void tile_bind_row(struct tile *t, int i);
/* Lane 0 of `vector`, plus lane0, plus the lane. */
void tile_bind_col(struct tile *t, int64_t vector, int64_t lane0);

/* Accumulators at the start of a tile, and what they come to at its end. */
void tile_clear(struct tile *t);
LLVMValueRef tile_sum(struct tile *t, int row, int vector);
/* One step of K with all indices bound. */
void tile_step(struct tile *t);
/* A number or pointer, of which LLVM no longer knows what it is. */
LLVMValueRef tile_made_new(struct emit *e, LLVMValueRef v);
/* The vectors of B that a step takes, for which the indices are bound. */
void tile_load_b(struct tile *t, LLVMValueRef *out_b);
/* ---- contract_dot.c ---- */

/* A group of A in memory, and with all bytes the same. */
LLVMTypeRef tile_group_type(const struct tile *t);
LLVMValueRef tile_same_bytes(const struct tile *t, unsigned byte);
/* One value more, where the group has zeros. */
LLVMValueRef tile_put(const struct tile *t, LLVMValueRef group, LLVMValueRef v, int at);
/* A group of A as the product takes it; those of two rows. */
struct factor tile_factor_of_a(struct tile *t, LLVMValueRef group);
struct factor tile_pair_of_a(struct tile *t, LLVMValueRef upper, LLVMValueRef lower);
/* Several groups that were loaded at once, and one of them. */
LLVMValueRef tile_groups_of_a(struct tile *t, LLVMValueRef groups);
struct factor tile_lane_of(struct tile *t, LLVMValueRef groups, int lane);
/* Groups of a vector of columns of B in memory, of a pair of columns for dot 2x8x2. */
LLVMTypeRef tile_type_of_b(const struct tile *t);
struct factor tile_factor_of_b(struct tile *t, LLVMValueRef v);
LLVMValueRef tile_add_product(struct tile *t, LLVMValueRef acc, const struct factor *a,
                              const struct factor *b);
/* Columns in their order, from the even ones and behind them the odd. */
LLVMValueRef tile_zipped(struct tile *t, LLVMValueRef v);
/* Pairs of which the second value is none: a zero in its place. */
LLVMValueRef tile_first_of_pairs(struct tile *t, LLVMValueRef v);
/* What two sums in each lane come to. */
LLVMValueRef tile_sum_of_pairs(struct tile *t, LLVMValueRef sums);
/* Row 0 or 1 of a pair from the sums of its left and right columns. */
LLVMValueRef tile_row_of_square(struct tile *t, LLVMValueRef left, LLVMValueRef right, int row);

/* ---- contract_step.c ---- */

/* Fetches n cache lines of operand B from an element on, `step` elements each, to the second-level
   cache. */
void tile_prefetch_lines(struct emit_kernel *ek, const struct koperand *b, struct eaffine first,
                         int64_t n, int64_t step);
/* Fetches this tile's share of the part of B that `count` values of K of the next column block
   will read. */
void tile_prefetch(struct tile *t, int64_t count);

/* ---- contract_epilogue.c ---- */

/* What becomes of the sums. */
void tile_epilogue(struct tile *t);

/* ---- contract_tile.c ---- */

/* Accumulators, all of K, and the epilogue, for the tile that row0, outer0 and col0 say. */
void tile_emit(struct tile *t);

#endif
