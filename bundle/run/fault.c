/* Faults, and memory that may be lacking. */
#define _POSIX_C_SOURCE 200809L
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bundle/run/run.h"

enum sheaf_status rt_fail(struct sheaf_error *err, enum sheaf_status status, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        err->status = status;
        vsnprintf(err->text, sizeof err->text, fmt, args);
        va_end(args);
    }
    return status;
}

void rt_clear(struct sheaf_error *err)
{
    if (err) {
        err->status = SHEAF_OK;
        err->text[0] = '\0';
    }
}

void *rt_allocate(size_t alignment, size_t size)
{
    void *p = NULL;
    if (alignment < sizeof(void *))
        alignment = sizeof(void *);
    if (!SHEAF_MAY_ALLOCATE() || posix_memalign(&p, alignment, size ? size : 1) != 0)
        return NULL;
    return p;
}

enum sheaf_status rt_fail_memory(struct sheaf_error *err, const char *name, const char *what,
                                 size_t size)
{
    return rt_fail(err, SHEAF_ERROR_MEMORY, "%s: cannot allocate %lu bytes for the %s", name,
                   (unsigned long)size, what);
}

enum sheaf_status rt_fail_run(struct sheaf_error *err, const char *name, uint64_t code)
{
    enum sheaf_status status = code > SHEAF_OK && code <= SHEAF_ERROR_DIVERGED
                                   ? (enum sheaf_status)code
                                   : SHEAF_ERROR_DEVICE;
    return rt_fail(err, status, "%s: the run failed with code %ld", name, (long)code);
}
