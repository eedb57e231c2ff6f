/*
 * library_header_internal.h: what the files of library_header.h share.
 */
#ifndef SHEAF_BUNDLE_WRITE_LIBRARY_HEADER_INTERNAL_H
#define SHEAF_BUNDLE_WRITE_LIBRARY_HEADER_INTERNAL_H

#include "bundle/write/library_header.h"

struct library_header {
    struct strbuf out;
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

/* ---- library_header_device.c: of a library for a device ---- */
void library_header_device_top(struct library_header *h);
/* What the top comment says of the device and of memory. */
void library_header_device_figures(struct library_header *h);
void library_header_device_plain(struct library_header *h); /* the comment of FUNC */
void library_header_device_statuses(struct library_header *h);
void library_header_device_start(struct library_header *h);  /* FUNC_init */
void library_header_device_status(struct library_header *h); /* FUNC_status and FUNC_message */
/* FUNC_queue, where there is one, and contexts. */
void library_header_device_rest(struct library_header *h);
void library_header_device_hooks(struct library_header *h);

#endif
