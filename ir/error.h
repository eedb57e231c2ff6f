/*
 * error.h: one status and one sentence for bad input.
 *
 * The sentence is set where the fault is found (what, where, why) and never overwritten: error_set
 * on an error that is already set does nothing, so callers just return.  The caller of the
 * outermost function owns the struct; it needs no clean-up.
 */
#ifndef SHEAF_IR_ERROR_H
#define SHEAF_IR_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

#include "bundle/bundle.h"

#define ERROR_TEXT_MAX 4096

struct error {
    enum sheaf_status status; /* SHEAF_OK: nothing set */
    char text[ERROR_TEXT_MAX];
};

#if defined(__GNUC__)
#define ERROR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define ERROR_PRINTF(fmt, args)
#endif

void error_init(struct error *err);

/* Records `status` and the sentence unless one is there already.  Always returns false, so that
   `return error_set(err, ...)` reads well.  A sentence that is too long ends in "...". */
bool error_set(struct error *err, enum sheaf_status status, const char *fmt, ...)
    ERROR_PRINTF(3, 4);
bool error_setv(struct error *err, enum sheaf_status status, const char *fmt, va_list args);

#endif
