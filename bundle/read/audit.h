/*
 * audit.h: what can be told about an object file before it is linked: what it needs, what in it can
 * be written, how it wants to be placed, how floats are passed, and where its bytes go.
 */
#ifndef SHEAF_BUNDLE_READ_AUDIT_H
#define SHEAF_BUNDLE_READ_AUDIT_H

#include "bundle/read/object.h"

/* How the code passes floats between functions, as far as the object says. */
enum audit_float_abi { AUDIT_FLOAT_UNSTATED, AUDIT_FLOAT_SOFT, AUDIT_FLOAT_HARD };

/* Bytes of the sections that are loaded, by what they are. */
struct audit_sizes {
    uint64_t code;      /* executable */
    uint64_t constants; /* read-only, those with addresses in them included */
    uint64_t relocated; /* of the constants: those with addresses */
    uint64_t writable;  /* with content, or cleared at the start */
};

/* The object's processor as people call it, "unknown" where it is none of ours. */
const char *audit_machine(const struct object *o);
enum audit_float_abi audit_float_abi(const struct object *o);
/* Whether linkers take objects of the same machine together, as to that. */
bool audit_floats_agree(const struct object *a, const struct object *b);
struct audit_sizes audit_sizes(const struct object *o);

/* Calls fn for each type of relocation in sections that are loaded, with how many there are.  The
   name is "type N" where it is not known. */
typedef void audit_relocation_fn(const char *name, uint64_t count, void *arg);
void audit_relocations(const struct object *o, audit_relocation_fn *fn, void *arg);

/* What a bundle's NAME_info says in numbers; read from the object's bytes. */
struct audit_entry {
    const char *name;
    uint64_t layout_id;                        /* 0: made for its own weights */
    uint64_t stack_bytes, macs;                /* 0: not stated */
    uint64_t constants, mutables, activations; /* bytes of the areas */
};
/* Entry k of the object, counted from 0; false where there are no more. */
bool audit_entry(const struct object *o, uint32_t k, struct audit_entry *out_entry);

#endif
