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

/* What the headers of libraries have as well: processor and features, two lines or more of the
   comment on top; */
void header_target(struct strbuf *out, const struct target *t);
/* enum sheaf_status, as bundle/bundle.h has it; */
void header_statuses(struct strbuf *out);
/* element types and what the user's functions get, the same; */
void header_extern_types(struct strbuf *out);
/* their prototypes, with what the nodes of the entries give them; "": they call none
   (header_extern.c); */
const char *header_externs(struct arena *a, const struct emit_entry *entries, size_t n);
/* text from a model inside a comment: nothing that ends it or starts another, or that a compiler or
   terminal would take for something else; */
void header_comment_text(struct strbuf *out, const char *s);
/* the C type of an element; half floats have none in C99, 4-bit elements come two a byte. */
const char *header_c_type(enum dtype t);

#endif
