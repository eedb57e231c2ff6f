/*
 * tile.h: contractions in tiles of vector registers, for targets whose registers are vectors: the
 * choice of a tile (schedule_*.c) and its code (contract_*.c).
 */
#ifndef SHEAF_TILE_H
#define SHEAF_TILE_H

#include "ir/target.h"

typedef bool tile_choice(const struct target *t, struct kernel *k, kval contract,
                         struct schedule_entry *out_entry);

/* Schedules the contractions that `choose` takes, and expands the others. */
void tile_schedule_contracts(const struct target *t, struct arena *a, struct kernel *k,
                             struct schedule *s, tile_choice *choose);
/* False where the contraction does not fit the generator. */
bool tile_schedule_contract(const struct target *t, struct kernel *k, kval contract,
                            struct schedule_entry *out_entry);
void tile_emit_contract(struct emit_kernel *ek, kval contract, const struct schedule_entry *entry);

/* Whether it adds up products of bytes in 32 bits, those of B and what lies around A constant: what
   dot products take. */
bool schedule_is_sum_of_bytes(const struct kernel *k, const struct kcontract *c);
/* Whether it adds up products of floats as they are in 32 bits, and the processor has an
   instruction that takes several of them or narrow ones. */
bool schedule_multiplies_floats(const struct target *t, const struct kernel *k,
                                const struct kcontract *c);
/* Whether the K values of a step that starts at a multiple of them lie side by side in A. */
bool schedule_group_is_adjacent(const struct kernel *k, const struct kregion *r,
                                const struct schedule_entry *e);
/* Whether a last step that reaches behind the end of K still reads A's own storage, and adds
   nothing. */
bool schedule_group_may_overrun(const struct kernel *k, const struct kregion *r,
                                const struct schedule_entry *e);
/* Whether two indices can run as one in all that an epilogue reads and writes: a step of `outer` is
   n steps of `inner`. */
bool schedule_epilogue_joins(const struct kernel *k, const struct kblock *blk, kval outer,
                             kval inner, int64_t n);
/* The smallest power of two not below n; n / by, rounded up. */
int tile_pow2_ceil(int64_t n);
int64_t tile_div_ceil(int64_t n, int64_t by);

#endif
