/*
 * emit.h: program → object code, through LLVM 19's C API.  Shared by all targets.
 *
 * Code generation runs in a child process: LLVM aborts on what it cannot select, and that must end
 * in one sentence, not in a dead tool.
 */
#ifndef SHEAF_BUNDLE_EMIT_H
#define SHEAF_BUNDLE_EMIT_H

#include "ir/program.h"
#include "ir/target.h"

struct bytes {
    const uint8_t *data;
    size_t size;
};

/* One entry of NAME_config's table and NAME_info. */
struct emit_symbol {
    const char *name; /* legalised */
    int buf;          /* of the program */
};

struct emit_request {
    const struct program *program; /* planned */
    const struct target *target;
    const char *entry;  /* name of the function, and stem of _config and _info */
    const char *source; /* name of the module: no path, so that the bytes do not depend on it */
    const struct emit_symbol *symbols;
    size_t n_symbols;
    uint8_t weights_digest[16];
    /* Beside ENTRY, one function ENTRY_step_<id> of the same type per call of a kernel, so that
       steps can be run and timed one by one. */
    bool step_functions;
};

struct emit_result {
    struct bytes object;
    struct bytes assembly; /* where want_text */
    struct bytes llvm_ir;  /* where want_text: after the passes */
};

/* The schedules are taken from target->schedule, per distinct kernel, before the constants are
   packed: call emit_schedule first, then program_pack_constants, then emit_object. */
struct emit_schedules;
struct emit_schedules *emit_schedule(struct arena *a, struct program *p, const struct target *t);
/* The distinct kernels as they are emitted (what has no tile is expanded), k0, k1, .. in both. */
void emit_kernels_print(const struct emit_schedules *s, struct strbuf *out);
void emit_schedules_print(const struct emit_schedules *s, struct strbuf *out);

bool emit_object(struct arena *a, const struct emit_request *req, const struct emit_schedules *s,
                 bool want_text, struct emit_result *out_result, struct error *err);

#endif
