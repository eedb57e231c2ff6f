/*
 * contract_amx.h: contractions in AMX's tile registers: the choice (schedule_amx.c), the code
 * inside a block of tiles (contract_amx.c) and the loops around it (contract_amx_loops.c).
 */
#ifndef SHEAF_CPU_CONTRACT_AMX_H
#define SHEAF_CPU_CONTRACT_AMX_H

#include "bundle/emit/emit_internal.h"

/* Palette 1: eight tile registers of 16 rows of 64 bytes. */
enum {
    AMX_ROWS = 16,
    AMX_ROW_BYTES = 64,
    AMX_COLUMNS = 16, /* sums in a row */
    AMX_GROUP = 4,    /* bytes of K that one 32-bit element of a tile holds */
    AMX_PER_SIDE = 2  /* tiles of rows, and of columns, that are computed at once */
};

/* Stages the operand A of contractions where that makes them fit and pays. */
void cpu_prepare_amx(const struct target *t, struct kernel *k);
/* False where the contraction, as its operands lie, does not fit or is faster in vectors. */
bool cpu_schedule_amx(const struct target *t, struct kernel *k, kval contract,
                      struct schedule_entry *out_entry);
void cpu_emit_amx(struct emit_kernel *ek, kval contract, const struct schedule_entry *entry);

/* Tiles along one direction.  All have the same span; the last one overlaps the one before where
   they do not come out even, unless the operand is padded beyond its end. */
struct amx_axis {
    int64_t extent;
    int span;
    bool padded;
    int per;              /* tiles in a block */
    int n;                /* of the block being emitted */
    struct eaffine block; /* its number */
    struct eaffine at[AMX_PER_SIDE];
};

enum amx_level { AMX_BY_COLUMNS, AMX_BY_ROWS_OUTSIDE, AMX_BY_OUTER, AMX_BY_INNER, AMX_N_LEVELS };

struct amx {
    struct emit_kernel *ek;
    const struct kregion *r;
    const struct kcontract *c;
    const struct schedule_entry *e;
    struct amx_axis columns, outer, inner; /* outer: of row_outer, where it is not joined */
    bool joined;
    int64_t row_stride; /* of A, in bytes */
    int pitch;          /* rows of a tile between rows outside */
    int tile_rows;
    enum amx_level order[AMX_N_LEVELS];
    struct eaffine outside; /* rows outside of all tiles before the present ones */
    int64_t n_outside;
    struct eaffine step; /* steps of K before the present one */
    int64_t n_steps;
    LLVMValueRef sums; /* scratch for the tiles of sums, columns side by side */
};

int64_t amx_extent(const struct amx *x, int i);
/* Values of K index i that a step takes. */
int amx_k_step(const struct amx *x, int i);
int64_t amx_n_blocks(const struct amx_axis *a);
/* A number in the digits of some indices gets one more digit, of `count` values. */
void amx_count_on(struct eaffine *number, int64_t count, const struct eaffine *digit);
/* The constant that ldtilecfg reads. */
LLVMValueRef amx_configuration(struct amx *x);
/* Sums of a block of tiles, all of K, and the epilogue, where the axes stand. */
void amx_emit_block(struct amx *x);

#endif
