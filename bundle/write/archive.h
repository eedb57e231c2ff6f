/*
 * archive.h: static libraries, in the form that GNU ar writes: an index of symbols, long names,
 * then the objects.  No times and owners, so that the same objects give the same bytes.
 */
#ifndef SHEAF_BUNDLE_WRITE_ARCHIVE_H
#define SHEAF_BUNDLE_WRITE_ARCHIVE_H

#include "bundle/emit/emit.h"

struct archive_member {
    const char *name; /* of the file: no path */
    struct bytes data;
};

/* Fails where a member is no ELF object. */
bool archive_make(struct arena *a, const struct archive_member *members, size_t n,
                  struct bytes *out_archive, struct error *err);

#endif
