#include "bundle/read/object.h"

#include <elf.h>
#include <string.h>

/* ---- checked access ---- */

static bool inside(const struct object *o, uint64_t offset, uint64_t size)
{
    return offset <= o->size && size <= o->size - offset;
}

/* `bytes` bytes at `offset`, which must lie inside. */
static uint64_t read_uint(const struct object *o, uint64_t offset, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++) {
        size_t at = (size_t)offset + (o->is_big_endian ? i : bytes - 1 - i);
        v = v << 8 | o->data[at];
    }
    return v;
}

/* A field of a struct that exists for both word sizes. */
#define FIELD(o, at, type, field)                                                                  \
    ((o)->is_64 ? read_uint((o), (at) + offsetof(Elf64_##type, field),                             \
                            sizeof(((Elf64_##type *)0)->field))                                    \
                : read_uint((o), (at) + offsetof(Elf32_##type, field),                             \
                            sizeof(((Elf32_##type *)0)->field)))
#define STRUCT_SIZE(o, type) ((o)->is_64 ? sizeof(Elf64_##type) : sizeof(Elf32_##type))

/* Where section i lies in the file, without its name. */
static bool section_header(const struct object *o, uint32_t i, struct object_section *out)
{
    if (i >= o->n_sections)
        return false;
    uint64_t at = o->sections_at + (uint64_t)i * o->section_size;
    *out = (struct object_section){
        .name = "",
        .type = (uint32_t)FIELD(o, at, Shdr, sh_type),
        .flags = FIELD(o, at, Shdr, sh_flags),
        .address = FIELD(o, at, Shdr, sh_addr),
        .offset = FIELD(o, at, Shdr, sh_offset),
        .size = FIELD(o, at, Shdr, sh_size),
        .align = FIELD(o, at, Shdr, sh_addralign),
        .link = (uint32_t)FIELD(o, at, Shdr, sh_link),
        .info = (uint32_t)FIELD(o, at, Shdr, sh_info),
        .entry_size = FIELD(o, at, Shdr, sh_entsize),
    };
    return out->type == SHT_NOBITS || out->type == SHT_NULL || inside(o, out->offset, out->size);
}

/* The string at `index` of string table section `table`; NULL where it is not inside. */
static const char *string_at(const struct object *o, uint32_t table, uint64_t index)
{
    struct object_section s;
    if (!section_header(o, table, &s) || s.type != SHT_STRTAB || index >= s.size)
        return NULL;
    const uint8_t *start = o->data + s.offset + index;
    return memchr(start, 0, (size_t)(s.size - index)) ? (const char *)start : NULL;
}

/* ---- opening ---- */

static const char *open_sections(struct object *o)
{
    o->sections_at = FIELD(o, 0, Ehdr, e_shoff);
    o->section_size = (uint32_t)FIELD(o, 0, Ehdr, e_shentsize);
    o->n_sections = (uint32_t)FIELD(o, 0, Ehdr, e_shnum);
    o->name_section = (uint32_t)FIELD(o, 0, Ehdr, e_shstrndx);
    if (o->sections_at == 0)
        return "it has no sections";
    if (o->section_size < STRUCT_SIZE(o, Shdr) || !inside(o, o->sections_at, o->section_size))
        return "its section table lies outside";
    /* Large counts stand in the empty first section. */
    if (o->n_sections == 0) {
        uint64_t n = FIELD(o, o->sections_at, Shdr, sh_size);
        if (n > UINT32_MAX)
            return "its section table lies outside";
        o->n_sections = (uint32_t)n;
    }
    if (o->name_section == SHN_XINDEX)
        o->name_section = (uint32_t)FIELD(o, o->sections_at, Shdr, sh_link);
    if (!inside(o, o->sections_at, (uint64_t)o->n_sections * o->section_size))
        return "its section table lies outside";
    return NULL;
}

static const char *open_segments(struct object *o)
{
    o->segments_at = FIELD(o, 0, Ehdr, e_phoff);
    o->segment_size = (uint32_t)FIELD(o, 0, Ehdr, e_phentsize);
    o->n_segments = (uint32_t)FIELD(o, 0, Ehdr, e_phnum);
    if (o->n_segments && (o->segment_size < STRUCT_SIZE(o, Phdr) ||
                          !inside(o, o->segments_at, (uint64_t)o->n_segments * o->segment_size)))
        return "its segment table lies outside";
    return NULL;
}

static const char *open_symbols(struct object *o)
{
    for (uint32_t i = 1; i < o->n_sections; i++) {
        struct object_section s;
        if (!section_header(o, i, &s))
            return "a section lies outside";
        bool is_table = s.type == SHT_SYMTAB || (s.type == SHT_DYNSYM && !o->symbol_section);
        if (!is_table)
            continue;
        if (s.entry_size != STRUCT_SIZE(o, Sym) || s.size % s.entry_size ||
            s.size / s.entry_size > UINT32_MAX)
            return "its symbol table is malformed";
        o->symbol_section = i;
        o->n_symbols = (uint32_t)(s.size / s.entry_size);
    }
    return NULL;
}

const char *object_open(const void *data, size_t size, struct object *out_object)
{
    struct object o = {.data = data, .size = size};
    if (size < EI_NIDENT || memcmp(data, ELFMAG, SELFMAG) != 0)
        return "it is not in ELF format";
    uint8_t class = o.data[EI_CLASS], order = o.data[EI_DATA];
    if ((class != ELFCLASS32 && class != ELFCLASS64) ||
        (order != ELFDATA2LSB && order != ELFDATA2MSB))
        return "its word size or byte order is unknown";
    o.is_64 = class == ELFCLASS64;
    o.is_big_endian = order == ELFDATA2MSB;
    if (size < STRUCT_SIZE(&o, Ehdr))
        return "it ends inside its header";
    o.type = (uint16_t)FIELD(&o, 0, Ehdr, e_type);
    o.machine = (uint16_t)FIELD(&o, 0, Ehdr, e_machine);
    o.flags = (uint32_t)FIELD(&o, 0, Ehdr, e_flags);
    const char *why = open_sections(&o);
    if (!why)
        why = open_segments(&o);
    if (!why)
        why = open_symbols(&o);
    if (!why)
        *out_object = o;
    return why;
}

/* ---- entries ---- */

bool object_section(const struct object *o, uint32_t i, struct object_section *out_section)
{
    struct object_section s;
    if (!section_header(o, i, &s))
        return false;
    uint64_t at = o->sections_at + (uint64_t)i * o->section_size;
    s.name = string_at(o, o->name_section, FIELD(o, at, Shdr, sh_name));
    if (!s.name)
        return false;
    *out_section = s;
    return true;
}

bool object_symbol(const struct object *o, uint32_t i, struct object_symbol *out_symbol)
{
    struct object_section table;
    if (i >= o->n_symbols || !section_header(o, o->symbol_section, &table))
        return false;
    uint64_t at = table.offset + (uint64_t)i * table.entry_size;
    const char *name = string_at(o, table.link, FIELD(o, at, Sym, st_name));
    if (!name)
        return false;
    /* Type and binding are coded alike in both word sizes. */
    unsigned info = (unsigned)FIELD(o, at, Sym, st_info);
    unsigned visibility = ELF64_ST_VISIBILITY((unsigned)FIELD(o, at, Sym, st_other));
    uint32_t section = (uint32_t)FIELD(o, at, Sym, st_shndx);
    *out_symbol = (struct object_symbol){
        .name = name,
        .is_undefined = section == SHN_UNDEF,
        .is_local = ELF64_ST_BIND(info) == STB_LOCAL,
        .is_function = ELF64_ST_TYPE(info) == STT_FUNC,
        .is_hidden = visibility == STV_HIDDEN || visibility == STV_INTERNAL,
        .type = ELF64_ST_TYPE(info),
        .section = section,
        .value = FIELD(o, at, Sym, st_value),
        .size = FIELD(o, at, Sym, st_size),
    };
    return true;
}

bool object_segment(const struct object *o, uint32_t i, struct object_segment *out_segment)
{
    if (i >= o->n_segments)
        return false;
    uint64_t at = o->segments_at + (uint64_t)i * o->segment_size;
    struct object_segment s = {
        .type = (uint32_t)FIELD(o, at, Phdr, p_type),
        .flags = (uint32_t)FIELD(o, at, Phdr, p_flags),
        .offset = FIELD(o, at, Phdr, p_offset),
        .file_size = FIELD(o, at, Phdr, p_filesz),
        .address = FIELD(o, at, Phdr, p_vaddr),
        .memory_size = FIELD(o, at, Phdr, p_memsz),
        .align = FIELD(o, at, Phdr, p_align),
    };
    if (!inside(o, s.offset, s.file_size))
        return false;
    *out_segment = s;
    return true;
}

bool object_relocation(const struct object *o, uint32_t i, uint64_t k,
                       struct object_relocation *out_relocation)
{
    struct object_section s;
    if (!section_header(o, i, &s) || (s.type != SHT_REL && s.type != SHT_RELA))
        return false;
    uint64_t least = s.type == SHT_RELA ? STRUCT_SIZE(o, Rela) : STRUCT_SIZE(o, Rel);
    if (s.entry_size < least || k >= s.size / s.entry_size)
        return false;
    uint64_t at = s.offset + k * s.entry_size;
    uint64_t info = FIELD(o, at, Rel, r_info);
    uint64_t addend = s.type == SHT_RELA ? FIELD(o, at, Rela, r_addend) : 0;
    *out_relocation = (struct object_relocation){
        .offset = FIELD(o, at, Rel, r_offset),
        .type = (uint32_t)(o->is_64 ? ELF64_R_TYPE(info) : ELF32_R_TYPE(info)),
        .symbol = (uint32_t)(o->is_64 ? ELF64_R_SYM(info) : ELF32_R_SYM(info)),
        .addend = o->is_64 ? (int64_t)addend : (int32_t)addend,
    };
    return true;
}

bool object_is_needed(const struct object_symbol *s)
{
    return s->is_undefined && strcmp(s->name, "_GLOBAL_OFFSET_TABLE_") != 0;
}

const char *object_undefined(const struct object *o, uint32_t *out_count)
{
    const char *first = NULL;
    *out_count = 0;
    for (uint32_t i = 1; i < o->n_symbols; i++) {
        struct object_symbol s;
        bool readable = object_symbol(o, i, &s);
        if (readable && !object_is_needed(&s))
            continue;
        if (!first)
            first = readable ? s.name : "?";
        ++*out_count;
    }
    return first;
}

bool object_is_relocated(const struct object_section *s)
{
    return strncmp(s->name, ".data.rel.ro", strlen(".data.rel.ro")) == 0 ||
           strcmp(s->name, ".dynamic") == 0 || strcmp(s->name, ".got") == 0;
}

const char *object_writable(const struct object *o)
{
    for (uint32_t i = 1; i < o->n_sections; i++) {
        struct object_section s;
        if (!object_section(o, i, &s))
            return "?";
        if ((s.flags & SHF_WRITE) && (s.flags & SHF_ALLOC) && s.size && !object_is_relocated(&s))
            return s.name;
    }
    return NULL;
}

bool object_defines(const struct object *o, const char *name)
{
    for (uint32_t i = 1; i < o->n_symbols; i++) {
        struct object_symbol s;
        if (object_symbol(o, i, &s) && !s.is_undefined && !s.is_local && strcmp(s.name, name) == 0)
            return true;
    }
    return false;
}
