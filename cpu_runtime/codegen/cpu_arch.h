/*
 * cpu_arch.h: the architectures and processors that code is made for, as tables.
 */
#ifndef SHEAF_CPU_ARCH_H
#define SHEAF_CPU_ARCH_H

#include "ir/arena.h"
#include "ir/error.h"
#include "ir/strbuf.h"

/* One architecture under one system.  Triples are canonical, so that the same model gives the same
   bytes everywhere. */
struct cpu_arch {
    const char *name;  /* the first part of a triple */
    const char *other; /* another spelling of it, or NULL */
    const char *triple;
    const char
        *hard_float_triple;     /* where floats can also be passed in registers; NULL: the same */
    const char *soft_float_abi; /* LLVM's name of the ABI that passes none so; NULL: see above */
    bool has_no_floats;         /* no processor of it has registers for floats */
    bool is_bare;               /* no operating system: code is not position-independent */
    const char *plain;          /* LLVM processor that brings no features of its own */
    const char *always;         /* feature that comes with the architecture, or NULL */
    const char *baseline;       /* processor where none is named */
};

/* The architecture that a triple, or its first part alone, names; NULL and an error where code
   cannot be made for it. */
const struct cpu_arch *cpu_arch_find(const char *triple, struct error *err);
const struct cpu_arch *cpu_arch_host(void); /* of this machine */

/* The features of a processor, complete: "+a,+b"; NULL: it is not known for the architecture. */
const char *cpu_arch_processor(const struct cpu_arch *arch, const char *cpu);
void cpu_arch_print_processors(const struct cpu_arch *arch, struct strbuf *out);

bool cpu_arch_knows_feature(const struct cpu_arch *arch, const char *name);
/* Every feature that some processor of the architecture has, "+a,+b". */
const char *cpu_arch_all_features(struct arena *a, const struct cpu_arch *arch);
/* A feature comes with what it needs, and goes with what needs it. */
const char *cpu_arch_add_feature(struct arena *a, const struct cpu_arch *arch, const char *features,
                                 const char *name);
const char *cpu_arch_remove_feature(struct arena *a, const char *features, const char *name);

#endif
