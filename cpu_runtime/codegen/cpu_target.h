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
/* False where the contraction fits no generator. */
bool cpu_schedule_contract(const struct target *t, struct kernel *k, kval contract,
                           struct schedule_entry *out_entry);
void cpu_emit_contract(struct emit_kernel *ek, kval contract, const struct schedule_entry *entry);
void cpu_emit_select(struct emit *e, struct LLVMOpaqueValue *fn,
                     const struct target *const *variants, size_t n);

#endif
