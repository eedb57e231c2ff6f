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

struct emit_schedules;

/* A network compiled for one processor. */
struct emit_part {
    const struct program *program; /* planned */
    const struct target *target;
    const struct emit_schedules *schedules;
};

/* One row of NAME_config's table and NAME_info. */
struct emit_symbol {
    const char *name; /* legalised */
    size_t part;      /* of the entry */
    int buf;          /* of the part's program */
};

/*
 * A function NAME of the object, with its NAME_config and NAME_info.  Of several parts, which are
 * for processors of one architecture, that one runs whose features the processor has, the first
 * where there are more; and there are NAME_select and NAME_run, see bundle.h.
 */
struct emit_entry {
    const char *name;
    const char *model; /* what it was compiled from, without a path; for people */
    const struct emit_part *parts;
    size_t n_parts;
    const struct emit_symbol *symbols;
    size_t n_symbols;
};

struct emit_request {
    const char *source; /* name of the module: no path, so that the bytes do not depend on it */
    const struct emit_entry
        *entries; /* their programs joined (program_join) where there are more */
    size_t n_entries;
    uint8_t weights_digest[16];
    /* Beside NAME, one function NAME_step_<id> of the same type per call of a kernel, so that steps
       can be run and timed one by one. */
    bool step_functions;
    /* The code belongs to no particular weights: NAME_info has a layout_id, and no digest. */
    bool replaceable_weights;
    /* Debug information for the text of this name; NULL: none. */
    const char *listing_name;
};

struct emit_result {
    struct bytes object;
    struct bytes assembly; /* where want_text */
    struct bytes llvm_ir;  /* where want_text: after the passes */
    struct bytes listing;  /* where listing_name is set */
    /* Of a device whose programs can call the network: as they link it, and as they load it. */
    struct bytes device_object, device_library;
};

/* Of a device that runs networks by itself: whether it runs all of this one in one call of the
   function NAME_<device>, for no step stays on the host. */
bool emit_is_one_call(const struct emit_part *part);

/* Whether an object may have to bring a routine of that name along, for processors that lack it
   (sqrt, memcpy): no entry can have it. */
bool emit_is_routine(const char *name);

/* The schedules are taken from target->schedule, per distinct kernel, before the constants are
   packed: call emit_schedule first, then program_pack_constants, then emit_object. */
struct emit_schedules *emit_schedule(struct arena *a, struct program *p, const struct target *t);
/* The distinct kernels as they are emitted (what has no tile is expanded), k0, k1, .. in both. */
void emit_kernels_print(const struct emit_schedules *s, struct strbuf *out);
void emit_schedules_print(const struct emit_schedules *s, struct strbuf *out);

bool emit_object(struct arena *a, const struct emit_request *req, bool want_text,
                 struct emit_result *out_result, struct error *err);

#endif
