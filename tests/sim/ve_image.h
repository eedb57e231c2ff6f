/*
 * ve_image.h: a process of the engine, as the parts of its simulator see it.
 */
#ifndef SHEAF_TESTS_SIM_VE_IMAGE_H
#define SHEAF_TESTS_SIM_VE_IMAGE_H

#include "tests/sim/ve_insn.h"

struct ve_symbol {
    char *name;
    uint64_t address, n_bytes;
    bool is_global;
};

/* Code is decoded when it first runs; an instruction's place is its address / 8. */
struct sim_ve_library {
    struct sim_ve *ve;
    uint64_t address, n_bytes; /* of all that was loaded */
    uint64_t code, code_bytes; /* of what may run */
    struct ve_insn *insns;
    struct ve_symbol *symbols;
    size_t n_symbols;
    struct ve_function *functions; /* by address */
    size_t n_functions;
    bool unloaded; /* its memory is gone, what it did is still counted */
    struct sim_ve_library *next;
};

struct sim_ve {
    struct ve_memory memory;
    struct sim_ve_library *libraries;
    struct sim_ve_context *contexts;
    struct sim_ve_options options;
    struct ve_function unknown; /* what has no symbol */
    uint64_t *n_ran;            /* by row */
    struct sim_ve_stats *stats; /* what sim_ve_stats has returned */
};

/* ve_load.c: the library whose code the address lies in, or NULL. */
struct sim_ve_library *ve_library_at(const struct sim_ve *ve, uint64_t address);
struct ve_function *ve_function_at(const struct sim_ve_library *l, uint64_t address);
void ve_free_libraries(struct sim_ve *ve);
/* "name+0x18", or the address. */
void ve_place(const struct sim_ve *ve, uint64_t address, char *out, size_t size);

#endif
