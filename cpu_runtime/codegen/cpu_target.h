/*
 * cpu_target.h: processors as compilation targets.
 */
#ifndef SHEAF_CPU_TARGET_H
#define SHEAF_CPU_TARGET_H

#include "ir/target.h"

enum cpu_float_abi { CPU_FLOAT_ABI_DEFAULT, CPU_FLOAT_ABI_SOFT, CPU_FLOAT_ABI_HARD };

struct cpu_target_options {
    const char *triple;   /* NULL: this machine's architecture */
    const char *cpu;      /* "native", an LLVM processor name, or NULL: the baseline */
    const char *features; /* "+x,-y" on top of the processor's, or NULL */
    const char *tune;     /* LLVM processor name; NULL: the same */
    enum cpu_float_abi float_abi;
    bool optimize_size;
};

bool cpu_target_create(struct arena *a, const struct cpu_target_options *opt,
                       const struct target **out_target, struct error *err);

/* The least processor of the target's architecture, with its ABI: code that runs on all of them. */
const struct target *cpu_target_plain(struct arena *a, const struct target *t);

/* The parts, one file each. */
bool cpu_prefer_layouts(const struct target *t, const struct kernel *k, struct layout *layouts);
struct schedule *cpu_schedule(const struct target *t, struct arena *a, struct kernel *k);
void cpu_schedule_map(const struct target *t, struct arena *a, struct kernel *k, kval map,
                      struct schedule *s);
/* False where the contraction does not fit the tile generator. */
bool cpu_schedule_contract(const struct target *t, struct kernel *k, kval contract,
                           struct schedule_entry *out_entry);
void cpu_emit_contract(struct emit_kernel *ek, kval contract, const struct schedule_entry *entry);
void cpu_emit_select(struct emit *e, struct LLVMOpaqueValue *fn,
                     const struct target *const *variants, size_t n);

/* Whether it adds up products of bytes in 32 bits, those of B and what lies around A constant: what
   dot products take. */
bool cpu_is_sum_of_bytes(const struct kernel *k, const struct kcontract *c);
/* Whether it adds up products of floats of 16 bits in 32, those of B constant, and the processor
   has an instruction for that. */
bool cpu_multiplies_halves(const struct target *t, const struct kernel *k,
                           const struct kcontract *c);
/* Whether the K values of a step that starts at a multiple of them lie side by side in A. */
bool cpu_group_is_adjacent(const struct kernel *k, const struct kregion *r,
                           const struct schedule_entry *e);
/* Whether a last step that reaches behind the end of K still reads A's own storage, and adds
   nothing. */
bool cpu_group_may_overrun(const struct kernel *k, const struct kregion *r,
                           const struct schedule_entry *e);
/* Whether two indices can run as one in all that an epilogue reads and writes: a step of `outer` is
   n steps of `inner`. */
bool cpu_epilogue_joins(const struct kernel *k, const struct kblock *blk, kval outer, kval inner,
                        int64_t n);
/* The smallest power of two not below n; n / by, rounded up. */
int cpu_pow2_ceil(int64_t n);
int64_t cpu_div_ceil(int64_t n, int64_t by);

#endif
