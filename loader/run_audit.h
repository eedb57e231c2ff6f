/*
 * run_audit.h: -audit: what an object file needs and holds, for whoever links it.
 */
#ifndef SHEAF_LOADER_RUN_AUDIT_H
#define SHEAF_LOADER_RUN_AUDIT_H

#include <stdio.h>

#include "ir/arena.h"
#include "ir/error.h"

/* Prints the report to `out`.  Fails where the file is no object, or where it would not link by
   itself into a program whose constants are read-only: it needs symbols or has writable data. */
bool run_audit(struct arena *a, const char *path, FILE *out, struct error *err);

#endif
