/*
 * pipeline_run.h: a compiled program with its memory areas, run in this process.
 */
#ifndef SHEAF_LOADER_PIPELINE_RUN_H
#define SHEAF_LOADER_PIPELINE_RUN_H

#include "bundle/emit/emit.h"
#include "bundle/emit/jit.h"
#include "bundle/runtime.h"
#include "ir/program.h"

struct device_runs;

struct pipeline_run {
    struct arena *arena;
    const struct program *program;
    uint8_t *area[AREA_COUNT];          /* in the arena */
    struct kextern_functions functions; /* the user's, that the program calls */
    void *library;                      /* which has them; NULL: none is open */
    struct jit *jit;
    sheaf_entry_fn entry;           /* NULL: the evaluator or a device runs the program */
    sheaf_bundle *device;           /* NULL: none */
    const struct device_runs *runs; /* of the device */
    bool tf32;                      /* factors of products of floats are rounded to TF32 */
    void **given; /* per buffer, or NULL: what an input that lies among the activations
                     is filled with before each run */
};

/* `object` NULL: the evaluator.  The mutable area starts as zeros.  `library` as of
   extern_library_open. */
bool pipeline_run_open(struct pipeline_run *run, struct arena *a, const struct program *p,
                       const uint8_t *constants, const char *entry, const struct bytes *object,
                       const char *library, struct error *err);
/* After pipeline_run_open: the object is for a device, which from now on runs it. */
bool pipeline_run_on_device(struct pipeline_run *run, enum sheaf_device device, const char *entry,
                            struct error *err);
/* After that, on a Vector Engine: so many cores share each run from now on. */
bool pipeline_run_set_cores(struct pipeline_run *run, uint32_t n, struct error *err);
void pipeline_run_close(struct pipeline_run *run);

bool pipeline_run_once(struct pipeline_run *run, struct error *err);

/* State becomes zero. */
void pipeline_run_reset(struct pipeline_run *run);

/* One call of a kernel; the object has step functions (struct emit_request). */
void pipeline_run_step(struct pipeline_run *run, const char *entry, const struct step *s);

/* Where to write an input, which a run leaves as it is. */
void *pipeline_run_input(const struct pipeline_run *run, int buf);
/* Storage of a buffer, and its true extents after a run. */
void *pipeline_run_data(const struct pipeline_run *run, int buf);
void pipeline_run_dims(const struct pipeline_run *run, int buf, int64_t *out_dims);

/*
 * Runs the code and compares what every step wrote with what the evaluator makes of the same
 * inputs; where there are branches or loops, of the same mutable area at the start.  Floats agree
 * where |got - want| <= 1e-4 * (largest |want| of the tensor) + 1e-6, with factors in TF32 2^-9 of
 * the largest, those of 16 bits within a step of the largest; all else where equal, but what floats
 * are quantized to may lie a step apart. The program must be planned with keep_all.
 */
bool pipeline_run_verify(struct pipeline_run *run, struct strbuf *report, struct error *err);

#endif
