/*
 * compiled.h: a graph in text form taken through passes, lowering, code generation and linking in
 * memory, as the tool does it.
 */
#ifndef SHEAF_TESTS_COMPILED_H
#define SHEAF_TESTS_COMPILED_H

#include "bundle/emit/emit.h"
#include "bundle/write/weights.h"
#include "ir/eval.h"
#include "ir/program.h"
#include "loader/pipeline_run.h"

struct compiled {
    struct arena arena;
    struct graph *graph;
    const struct target *target;
    struct program *program;
    struct emit_schedules *schedules;
    struct weights weights;
    struct emit_part part;
    struct emit_entry entry;
    struct emit_request request; /* of these; emit_object(&request) again gives `code` */
    struct emit_result code;
    struct pipeline_run run;
};

/* `cpu`: "native" or an LLVM name, behind it features as for -mattr: "haswell,-fma", and last -Os
   for small code: "haswell,-Os".  Or "nvidia", "nvidia,tf32", "nvidia,tf32x3": a GPU, with such
   products of floats, or "ve", "ve,CORES": a Vector Engine; simulators take their part.  On failure
   returns false; compiled_close is due all the same. The mutable area is zero.  Float constants are
   varied element by element. */
bool compiled_open(struct compiled *c, const char *graph_text, const char *cpu, struct error *err);
/* The same for a graph that lies in c->arena, which the caller has initialised, constants as they
   are.  `keep_all` as in plan_program, `step_functions` as in struct emit_request. */
bool compiled_open_graph(struct compiled *c, struct graph *g, const char *cpu, bool keep_all,
                         bool step_functions, struct error *err);
/* One kernel in text form: no graph, no symbols.  Constants whose content the text leaves out get
   numbers of their whole range. */
bool compiled_open_kernel(struct compiled *c, const char *kernel_text, const char *cpu,
                          struct error *err);
/* Both for any target; the evaluator runs it until c->run.entry is set. */
struct cpu_target_options;
bool compiled_emit_kernel(struct compiled *c, const char *kernel_text,
                          const struct cpu_target_options *opt, struct error *err);
bool compiled_emit_graph(struct compiled *c, struct graph *g, const struct cpu_target_options *opt,
                         struct error *err);
/* The object for any target, checked but not run. */
bool compiled_emit(struct compiled *c, const char *graph_text, const struct cpu_target_options *opt,
                   struct error *err);
void compiled_close(struct compiled *c);
/* compiled_open, but where it fails the test does, with the sentence. */
void compiled_must_open(struct compiled *c, const char *graph_text, const char *cpu);

bool compiled_target(struct arena *a, const char *cpu, const struct target **out_target,
                     struct error *err);

/* Whether this machine can run code for the processor, or simulate the device. */
bool compiled_host_runs(const char *cpu);

/* What its kernels were scheduled to, as -dump-schedule prints it; lives as long as c. */
const char *compiled_schedules(struct compiled *c);
/* The test fails where those of this kernel (compiled_open_kernel) have no such words. */
void compiled_expect_schedule(const char *kernel_text, const char *cpu, const char *words);

/* Storage of the graph's input or output. */
void *compiled_input(struct compiled *c, size_t i);
void *compiled_output(struct compiled *c, size_t i);

enum compiled_fill {
    COMPILED_RANDOM, /* floats in [-2, 2), integers over 0..20, bools */
    COMPILED_EDGES   /* NaN, infinities, denormals, zeros of both signs, extremes of integers */
};
/* Fills every input from the seed. */
void compiled_fill(struct compiled *c, enum compiled_fill kind, uint64_t seed);

/* Whether a report of pipeline_run_verify tells of no difference at all: it allows for sums in
   another order, also where there is none. */
bool compiled_all_equal(struct strbuf *report, struct error *err);

#endif
