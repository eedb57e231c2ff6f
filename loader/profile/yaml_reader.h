/*
 * yaml_reader.h: YAML as a stream of events, read strictly.
 *
 * What a profile has no use for is refused: anchors, aliases (with which few bytes can stand for
 * many), tags.  Nothing is kept of what has been read but the texts that a format asks for, and
 * nesting goes as deep as its reader does, so memory is bounded by them and the longest scalar.
 */
#ifndef SHEAF_LOADER_PROFILE_YAML_READER_H
#define SHEAF_LOADER_PROFILE_YAML_READER_H

#include <yaml.h>

#include "ir/arena.h"
#include "ir/error.h"

struct yaml_reader {
    yaml_parser_t parser;
    yaml_event_t event;  /* the current one */
    const char *path;    /* for messages */
    const char *key;     /* of the mapping that is being read */
    struct arena *arena; /* of texts that are kept */
    struct error *err;
};

/* Starts at the beginning of the stream.  yaml_reader_close is due in any case. */
bool yaml_reader_open(struct yaml_reader *r, struct arena *a, const char *path, const uint8_t *data,
                      size_t size, struct error *err);
void yaml_reader_close(struct yaml_reader *r);

/* Moves to the next event. */
bool yaml_reader_next(struct yaml_reader *r);
bool yaml_reader_is(const struct yaml_reader *r, yaml_event_type_t type);
/* The same, but it must be of this type; `what` says what ought to stand there. */
bool yaml_reader_expect(struct yaml_reader *r, yaml_event_type_t type, const char *what);

/* The end of a document, which must be marked by `...`: so a file that was cut short is seen. */
bool yaml_reader_document_end(struct yaml_reader *r);

/* A sentence with file and line of the current event.  Always false. */
bool yaml_reader_fault(const struct yaml_reader *r, enum sheaf_status status, const char *fmt, ...)
    ERROR_PRINTF(3, 4);

/*
 * A mapping in which every key of the table stands once and no other.  The current event is its
 * start, and its end afterwards; `what` names it in messages.  `read` finds the start of its value
 * as the current event and leaves the end of it; it gets the address `field` bytes into the target.
 */
struct yaml_key {
    const char *name;
    bool (*read)(struct yaml_reader *r, void *target);
    size_t field;
};
bool yaml_reader_mapping(struct yaml_reader *r, const char *what, const struct yaml_key *keys,
                         size_t n_keys, void *target);

/* Calls `read` for each element of a sequence, as above. */
bool yaml_reader_sequence(struct yaml_reader *r, bool (*read)(struct yaml_reader *r, void *target),
                          void *target);

/* The current event as a scalar, in forms that fit a table of keys; out_ says what is pointed to.
 */
bool yaml_reader_skip(struct yaml_reader *r, void *ignored); /* any text */
bool yaml_reader_text(struct yaml_reader *r, void *out_string);
bool yaml_reader_count(struct yaml_reader *r, void *out_uint64);
bool yaml_reader_hex(struct yaml_reader *r, void *out_uint64);    /* 0x and up to 16 digits */
bool yaml_reader_float(struct yaml_reader *r, void *out_float);   /* finite */
bool yaml_reader_double(struct yaml_reader *r, void *out_double); /* finite */
bool yaml_reader_int(struct yaml_reader *r, int64_t low, int64_t high, int64_t *out_value);

#endif
