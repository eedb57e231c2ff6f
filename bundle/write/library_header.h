/*
 * library_header.h: the text of a library's header.  It is valid C99, C11 and C++, and needs only
 * <stddef.h> and <stdint.h>.
 */
#ifndef SHEAF_BUNDLE_WRITE_LIBRARY_HEADER_H
#define SHEAF_BUNDLE_WRITE_LIBRARY_HEADER_H

#include "bundle/write/library.h"

const char *library_header_text(struct arena *a, const struct library_request *req);

#endif
