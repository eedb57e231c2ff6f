/*
 * header.h: the text of NAME.h.
 *
 * The header is valid C99, C11 and C++, needs only <stddef.h> and <stdint.h>, and any number of
 * them can be included together, with or without bundle/bundle.h, in any order.  docs/bundle-abi.md
 * describes what is in it.
 */
#ifndef SHEAF_BUNDLE_WRITE_HEADER_H
#define SHEAF_BUNDLE_WRITE_HEADER_H

#include "bundle/write/bundle.h"

const char *header_text(struct arena *a, const struct bundle_request *req);

#endif
