/*
 * ve_shared_internal.h: what the files of the writer of shared objects for the Vector Engine share.
 */
#ifndef SHEAF_BUNDLE_WRITE_VE_SHARED_INTERNAL_H
#define SHEAF_BUNDLE_WRITE_VE_SHARED_INTERNAL_H

#include <inttypes.h>

#include "bundle/emit/emit.h"
#include "bundle/read/object.h"
#include "ir/strbuf.h"

/* A section of the result. */
struct ve_section {
    struct object_section is; /* in the result */
    const uint8_t *content;   /* NULL: it is made here, or zeros */
};

/* Numbers of the sections that are made here, and the names in tables of strings. */
struct ve_tables {
    uint32_t dynsym, dynstr, hash, rela, dynamic, got, symtab, strtab, shstrtab;
    struct strbuf dynamic_names, names, section_names;
};

struct ve_link {
    struct arena *arena;
    const char *name; /* of the result */
    struct error *err;
    struct object o; /* what is linked */
    struct ve_section *sections;
    size_t n_sections, cap_sections;
    uint32_t *section_of; /* of each section of the object: its number in the result, 0: none */
    uint32_t *exported;   /* symbols of the object */
    size_t n_exported, cap_exported;
    struct ve_fixup *fixups;
    size_t n_fixups, cap_fixups;
    uint32_t *entry_of; /* of each symbol of the object: its word at GOT, 0: none */
    size_t n_entries;   /* the first one included, which is reserved */
    size_t n_relative;  /* relocations that are left to the dynamic loader */
    struct ve_tables tables;
    uint8_t *image; /* the bytes of the result */
};

enum { VE_N_SEGMENTS = 4 }; /* two that are loaded, where the dynamic section is, the stack's */

/* Kinds of sections, in the order of the file. */
enum ve_group { VE_CONSTANTS, VE_CODE, VE_DATA, VE_ZEROS, VE_NOT_LOADED };
enum ve_group ve_shared_group(const struct object_section *s);

/* False and a sentence where the symbol is not in a section of the result. */
bool ve_shared_symbol(struct ve_link *s, uint32_t i, struct object_symbol *out_symbol);
uint64_t ve_shared_address(const struct ve_link *s, const struct object_symbol *symbol);

/* Reads the object's relocations: what they are about must be known before it is placed. */
bool ve_relocate_read(struct ve_link *s);
/* Carries them out in the image, where sections have their content, and fills in GOT.  Those left
   to the dynamic loader are written from `relative` on. */
bool ve_relocate_write(struct ve_link *s, uint8_t *relative);

/* How large the sections are that are made here, once it is known what goes into them. */
void ve_tables_size(struct ve_link *s);
/* Writes them when all has its place, and the headers, those of sections at `sections_at`. */
void ve_tables_write(struct ve_link *s, uint64_t sections_at);

/* Little-endian, as the engine is. */
static inline void ve_shared_put(uint8_t *at, uint64_t v, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++)
        at[i] = (uint8_t)(v >> 8 * i);
}

#endif
