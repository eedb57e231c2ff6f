/*
 * library_header_internal.h: what the files of library_header.h share.
 */
#ifndef SHEAF_BUNDLE_WRITE_LIBRARY_HEADER_INTERNAL_H
#define SHEAF_BUNDLE_WRITE_LIBRARY_HEADER_INTERNAL_H

#include "bundle/write/library_header.h"

struct library_header {
    struct strbuf out;
    const struct library_header_texts *texts;
    const struct library_request *req;
    const struct emit_library_function *fn; /* that is being written about */
    const struct emit_entry *entry;         /* of it */
    const char *context;                    /* the name of the parameter for it */
    const char *stream;                     /* the same of FUNC_queue's */
    const char **in, **out_;                /* names of the tensors as parameters */
    const char **dims; /* of FUNC_run_sized, for each output; NULL: its extents are fixed */
};

/* Declares FUNC_<suffix>: `stream`: behind the context comes a stream; `sized`: extents are told.
 */
void library_header_checked(struct library_header *h, const char *suffix, bool stream, bool sized);

/* What the header says of where the functions run. */
struct library_header_texts {
    void (*top)(struct library_header *h);      /* at the end of the top comment; NULL: nothing */
    void (*figures)(struct library_header *h);  /* there: of the machine and of memory */
    void (*start)(struct library_header *h);    /* FUNC_init */
    void (*status)(struct library_header *h);   /* FUNC_status, and what goes with it */
    void (*plain)(struct library_header *h);    /* the comment of FUNC */
    void (*statuses)(struct library_header *h); /* those that FUNC_run can return */
    void (*rest)(struct library_header *h);     /* contexts, and functions of its own */
    void (*hooks)(struct library_header *h);    /* the allocator's */
};

/* ---- library_header_device.c, library_header_ve.c ---- */
extern const struct library_header_texts library_header_gpu, library_header_ve;

/* ---- library_header.c: what the processor's memory has in common ---- */
void library_header_hooks(struct library_header *h);

#endif
