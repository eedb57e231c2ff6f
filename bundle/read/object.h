/*
 * object.h: reads ELF files (32 and 64 bits, either byte order): what an object defines and needs,
 * which sections it has, and which segments if it is linked.
 *
 * Everything is a view of the caller's bytes, which must outlive it.  The bytes may be anything:
 * every access is checked, and what lies outside is a fault with a reason.
 */
#ifndef SHEAF_BUNDLE_READ_OBJECT_H
#define SHEAF_BUNDLE_READ_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct object {
    const uint8_t *data;
    size_t size;
    bool is_64, is_big_endian;
    uint16_t type;    /* ET_REL, ET_DYN .. */
    uint16_t machine; /* EM_X86_64 .. */
    uint32_t flags;   /* of the machine */
    uint64_t sections_at;
    uint32_t section_size, n_sections;
    uint64_t segments_at;
    uint32_t segment_size, n_segments; /* none in what is not linked yet */
    uint32_t name_section;
    uint32_t symbol_section; /* 0: the object has no symbols */
    uint32_t n_symbols;
};

struct object_section {
    const char *name;
    uint32_t type;    /* SHT_PROGBITS .. */
    uint64_t flags;   /* SHF_WRITE .. */
    uint64_t address; /* where it is linked to lie */
    uint64_t offset, size;
    uint64_t align;
    uint32_t link;
    uint32_t info;
    uint64_t entry_size;
};

/* A part of a linked file, and where it lies in memory. */
struct object_segment {
    uint32_t type;  /* PT_LOAD .. */
    uint32_t flags; /* PF_X .. */
    uint64_t offset, file_size;
    uint64_t address, memory_size; /* what the file does not have is zero */
    uint64_t align;
};

struct object_symbol {
    const char *name;
    bool is_undefined, is_local, is_function;
    bool is_hidden; /* from other linked files */
    uint8_t type;   /* STT_OBJECT .. */
    uint32_t section;
    uint64_t value, size;
};

/* A place in a section that a linker fills in. */
struct object_relocation {
    uint64_t offset; /* in the section that is filled in */
    uint32_t type;   /* R_X86_64_PC32 .. */
    uint32_t symbol;
    int64_t addend; /* 0 where it stands in the section */
};

/* Returns NULL, or why the bytes are no object; out_object is set on success only. */
const char *object_open(const void *data, size_t size, struct object *out_object);

/* Section and symbol i, counted from 0 (both numbers 0 are the format's empty entries).  False
   where it is malformed or there is none. */
bool object_section(const struct object *o, uint32_t i, struct object_section *out_section);
bool object_symbol(const struct object *o, uint32_t i, struct object_symbol *out_symbol);
/* Segment i, counted from 0; false where it is malformed or there is none. */
bool object_segment(const struct object *o, uint32_t i, struct object_segment *out_segment);

/* Relocation k of section i, counted from 0; false where the section holds none, or no more. */
bool object_relocation(const struct object *o, uint32_t i, uint64_t k,
                       struct object_relocation *out_relocation);

/* Whether it has to come from elsewhere: undefined, and no name that every linker gives a meaning.
 */
bool object_is_needed(const struct object_symbol *s);
/* Name of the first symbol that the object needs from elsewhere, NULL where there is none;
   out_count receives how many there are.  A malformed symbol counts as undefined, named "?". */
const char *object_undefined(const struct object *o, uint32_t *out_count);
/* Whether only a dynamic linker writes to the section: it has addresses. */
bool object_is_relocated(const struct object_section *s);
/* The first section with content that the program may write, NULL where there is none. */
const char *object_writable(const struct object *o);
/* Whether the object defines a symbol of that name for others. */
bool object_defines(const struct object *o, const char *name);

#endif
