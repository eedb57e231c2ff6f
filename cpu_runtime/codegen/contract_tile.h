/*
 * contract_tile.h: the tile generator's two halves: what happens inside a tile (contract_tile.c)
 * and the loops that walk over the tiles (contract_loops.c).
 */
#ifndef SHEAF_CPU_CONTRACT_TILE_H
#define SHEAF_CPU_CONTRACT_TILE_H

#include "bundle/emit/emit_internal.h"
#include "cpu_runtime/codegen/cpu_target.h"

enum { MAX_ACC = 64 };

/* A dimension of padded A that an M index of the tile and a K index share.  The K index is
   unrolled, so that for each row of the tile it is known whether it falls outside. */
struct tile_pad {
    int dim, m, k;
};

struct tile {
    struct emit_kernel *ek;
    const struct kregion *r;
    const struct kcontract *c;
    const struct schedule_entry *e;
    int rows;       /* of this tile: outer rows times `inner` */
    int inner;      /* consecutive values of row_iter */
    int vectors;    /* of this column block */
    int last_lanes; /* of the last vector: the columns that exist */
    struct eaffine row0, outer0, col0;
    int64_t first_row, first_outer; /* where the tiles that share this code start */
    LLVMValueRef acc[MAX_ACC];
    struct tile_pad pad[2];
    int n_pads;
    int64_t k_at[KREGION_MAX_DIMS]; /* values of the unrolled K indices */
    int k_order[KREGION_MAX_DIMS];
    int n_k;
    struct eaffine outer_tile; /* tiles in the outer rows before this one */
    struct eaffine tile;       /* position of this tile among those of the column block */
    int64_t n_tiles;           /* of a column block */
};

int64_t tile_extent(const struct tile *t, int i);

/* Whether row i of the tile is inside A along one padded dimension, as k_at stands. */
bool tile_is_inside(const struct tile *t, const struct tile_pad *pad, int i);

/* Accumulators, all of K, and the epilogue, for the tile that row0, outer0 and col0 say. */
void tile_emit(struct tile *t);

#endif
