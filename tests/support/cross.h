/*
 * cross.h: code for other processors, run by qemu, or by node where it is WebAssembly.  clang
 * builds the few lines around it (tests/cross), lld links them: no C library for the processor is
 * needed.
 */
#ifndef SHEAF_TESTS_CROSS_H
#define SHEAF_TESTS_CROSS_H

#include "cpu_runtime/codegen/cpu_target.h"
#include "tests/support/compiled.h"

struct cross_target {
    const char *name;
    struct cpu_target_options opt;
    const char *clang;  /* options for the same */
    const char *linker; /* with options */
    const char *gnu;    /* GNU's, or NULL */
    const char
        *board; /* of examples/firmware/boards, and how it starts; NULL where Linux runs it */
    const char *start;
    const char *runner; /* "": this machine */
};

/* The first is this machine as it is. */
enum { CROSS_HOST, N_CROSS_TARGETS = 31 };
extern const struct cross_target CROSS_TARGETS[N_CROSS_TARGETS];

const struct cross_target *cross_named(const char *name);
/* What a test of the target needs and that is not there, or NULL. */
const char *cross_missing(const struct cross_target *t);

/* The kernel compiled for the target; c->run runs it there.  compiled_close is due in any case. */
bool cross_open_kernel(struct compiled *c, const char *kernel_text, const struct cross_target *t,
                       struct error *err);

/* The same with a graph, which lies in c->arena. */
bool cross_open_graph(struct compiled *c, struct graph *g, const struct cross_target *t,
                      struct error *err);

/* Whether the run that failed did because of the emulator: it said that an assertion of its own
   does not hold. */
bool cross_emulator_failed(const struct pipeline_run *run);

/* Links the bundle `net` with its weights, net.h, net.o and net_weights.o of the folder, by GNU's
   linker where it is installed.  Code for a board needs its weights in CROSS_WEIGHTS. */
#define CROSS_WEIGHTS ".network_weights"
bool cross_link_network(const struct cross_target *t, const char *folder, struct error *err);
/* Runs it: all inputs, one behind the other, give the outputs, as tests/cross/network.c says.  The
   result is malloc'ed. */
bool cross_run_network(const struct cross_target *t, const struct bytes *in, char **out,
                       size_t *out_size, struct error *err);

#endif
