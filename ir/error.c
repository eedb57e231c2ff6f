#include "ir/error.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void error_init(struct error *err)
{
    err->status = SHEAF_OK;
    err->text[0] = '\0';
}

bool error_setv(struct error *err, enum sheaf_status status, const char *fmt, va_list args)
{
    assert(status != SHEAF_OK);
    if (err->status != SHEAF_OK)
        return false;
    err->status = status;
    int n = vsnprintf(err->text, sizeof err->text, fmt, args);
    if (n < 0 || (size_t)n >= sizeof err->text)
        memcpy(err->text + sizeof err->text - 4, "...", 4);
    return false;
}

bool error_set(struct error *err, enum sheaf_status status, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    error_setv(err, status, fmt, args);
    va_end(args);
    return false;
}
