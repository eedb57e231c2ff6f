/*
 * text_form.h: protobuf's text form, of any message for which there is a descriptor.
 */
#ifndef SHEAF_LOADER_IMPORT_TEXT_FORM_H
#define SHEAF_LOADER_IMPORT_TEXT_FORM_H

#include <stdbool.h>

#include <protobuf-c/protobuf-c.h>

#include "ir/arena.h"
#include "ir/strbuf.h"

struct text_fault {
    const char *what;
    size_t line; /* counted from 1 */
};

/* Appends the message in wire format to `out`.  Fields that the descriptor does not have are left
   out, like those of binary files.  A field of bytes may be written as a message, `unread` (NULL:
   as none).  False: *out_fault says why and where. */
bool text_form_to_wire(const ProtobufCMessageDescriptor *desc,
                       const ProtobufCMessageDescriptor *unread, struct arena *a, const char *text,
                       size_t size, struct strbuf *out, struct text_fault *out_fault);

#endif
