/*
 * option_table.h: options.def as an array, for what is generic over the options: the parser and the
 * help texts.
 */
#ifndef SHEAF_LOADER_OPTION_TABLE_H
#define SHEAF_LOADER_OPTION_TABLE_H

#include <stddef.h>

#include "loader/options.h"

enum option_kind {
    OPTION_KIND_BOOL,
    OPTION_KIND_INT,
    OPTION_KIND_STRING,
    OPTION_KIND_CHOICE,
    OPTION_KIND_NUMBER,
    OPTION_KIND_LIST,
    OPTION_KIND_REPEAT,
    OPTION_KIND_FLOATS,
    OPTION_KIND_INTS
};

struct option_desc {
    const char *title; /* of a group; then the rest is zero.  NULL in the row of an option */
    const char *name;
    const char *alias;   /* NULL: none */
    const char *value;   /* what the value is called; CHOICE: its words */
    const char *initial; /* NULL: none */
    const char *help;
    enum option_kind kind;
    size_t offset; /* of the field in struct loader_options */
};

/* Indexed by enum option_id. */
extern const struct option_desc option_table[OPTION_ID_COUNT];

/* Whether the option asks for anything: a BOOL that is true, another that was given. */
bool option_active(const struct loader_options *opt, enum option_id id);

/* The whole text as a number; false where it is none, out of range, infinite or NaN. */
bool option_parse_int(const char *text, int64_t *out_value);
bool option_parse_float(const char *text, double *out_value);

#endif
