/*
 * target.h: what the target-independent side may ask a target.
 */
#ifndef SHEAF_IR_TARGET_H
#define SHEAF_IR_TARGET_H

#include "ir/kernel.h"
#include "ir/schedule.h"

struct emit_kernel;

struct target {
    const char *name;     /* "cpu" */
    const char *triple;   /* LLVM triple, normalised */
    const char *cpu;      /* LLVM processor name, never "native" */
    const char *features; /* comma-separated, complete: +x for each feature that code may use */
    int vector_bytes;     /* of the widest vector register to use */
    int n_vector_regs;
    bool has_fma;
    bool unsigned_bytes; /* 8-bit activations of integer contractions are u8, not i8: what the
                            processor's dot product takes */

    /* Preferred layouts for the buffers of a kernel, one per buffer, preset to plain by the caller.
       Returns false where the target has no preference. */
    bool (*prefer_layouts)(const struct target *t, const struct kernel *k, struct layout *layouts);

    /* How to run the kernel, which is the caller's own copy: contractions without a special
       generator are expanded, and constant buffers get the layout to be packed in. */
    struct schedule *(*schedule)(const struct target *t, struct arena *a, struct kernel *k);

    /* Emits a contraction as its schedule entry says. */
    void (*emit_contract)(struct emit_kernel *ek, kval contract,
                          const struct schedule_entry *entry);
};

/* Whether a list of features has +name, of `length` characters, as a whole word. */
bool target_lists(const char *features, const char *name, size_t length);
bool target_has(const struct target *t, const char *feature);

#endif
