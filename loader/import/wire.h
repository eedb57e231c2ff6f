/*
 * wire.h: protobuf's wire format: a reader, and a check of whole files before they are unpacked.
 *
 * The generic unpacker trusts lengths and nesting as far as its own stack and memory go, and takes
 * up to 150 bytes for one of the file.  wire_unpack looks at the file first: every length lies
 * inside its parent, nesting and the numbers of messages and fields stay under named limits.
 */
#ifndef SHEAF_LOADER_IMPORT_WIRE_H
#define SHEAF_LOADER_IMPORT_WIRE_H

#include <protobuf-c/protobuf-c.h>

#include "ir/arena.h"
#include "ir/error.h"

/* protobuf itself allows no larger file. */
#define WIRE_MAX_FILE_BYTES (((int64_t)1 << 31) - 1)
/* A graph inside an operator takes three levels. */
#define WIRE_MAX_DEPTH    100
#define WIRE_MAX_MESSAGES ((size_t)1 << 21)
/* In one message; packed lists count as one. */
#define WIRE_MAX_FIELDS ((size_t)1 << 22)

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct wire {
    const uint8_t *at, *end;
    const char *fault; /* NULL, or why wire_next stopped before the end */
};

struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint64_t value;      /* of VARINT, FIXED64 and FIXED32 */
    const uint8_t *data; /* of BYTES: inside the message */
    size_t size;
};

void wire_init(struct wire *w, const uint8_t *data, size_t size);
/* The next field of the message; false at its end or at a fault. */
bool wire_next(struct wire *w, struct wire_field *out_field);
/* One element of a packed list of varints. */
bool wire_varint(struct wire *w, uint64_t *out_value);

/* A kind of file. */
struct wire_kind {
    const char *what; /* "an ONNX model" */
    const ProtobufCMessageDescriptor *message;
    /* In text form, what fields of bytes hold that are messages there; NULL: there are none. */
    const ProtobufCMessageDescriptor *unread;
};

/* The file, in binary or text form, as a message in the arena, checked before; NULL with a sentence
   in `err`, which starts with `path`. */
ProtobufCMessage *wire_unpack(struct arena *a, const struct wire_kind *kind, const char *path,
                              const uint8_t *data, size_t size, struct error *err);

#endif
