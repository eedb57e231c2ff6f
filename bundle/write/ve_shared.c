/*
 * The result is two segments that are loaded.  The first has the tables that the dynamic loader
 * searches, the object's constants and its code; it is read and executed.  The second is written:
 * the dynamic section, in which glibc turns addresses into those of the process, GOT, and the
 * object's data.  An address is the offset in the file, in the second segment plus a page; so both
 * are where a page of the file may lie, no page has bytes of two segments, and the file is not
 * padded to pages of 2 MB.  Offsets also keep the object's alignments.
 *
 * Nothing is left that a procedure linkage table would be for.  The loader finds symbols by the
 * System V hash table, which every loader knows.  .symtab is for people and debuggers.
 */
#include "bundle/write/ve_shared.h"

#include <elf.h>
#include <string.h>

#include "bundle/read/ve_check.h"
#include "bundle/read/ve_elf.h"
#include "bundle/write/ve_shared_internal.h"

/* Of all sections together: distances in code then fit 32 bits. */
static const uint64_t LIMIT_BYTES = (uint64_t)1 << 30;

enum ve_group ve_shared_group(const struct object_section *s)
{
    if (!(s->flags & SHF_ALLOC))
        return VE_NOT_LOADED;
    if (s->flags & SHF_WRITE)
        return s->type == SHT_NOBITS ? VE_ZEROS : VE_DATA;
    return s->flags & SHF_EXECINSTR ? VE_CODE : VE_CONSTANTS;
}

/* ---- what the object has ---- */

bool ve_shared_symbol(struct ve_link *s, uint32_t i, struct object_symbol *out_symbol)
{
    struct object_symbol symbol;
    if (i == 0 || !object_symbol(&s->o, i, &symbol))
        return error_set(s->err, SHEAF_ERROR_FORMAT, "%s: symbol %" PRIu32 " is malformed", s->name,
                         i);
    if (symbol.is_undefined)
        return error_set(s->err, SHEAF_ERROR_FORMAT,
                         "%s: '%s' is not defined in it, and there is nothing else to link",
                         s->name, symbol.name);
    uint32_t section = symbol.section < s->o.n_sections ? s->section_of[symbol.section] : 0;
    if (!section || symbol.value > s->sections[section].is.size)
        return error_set(s->err, SHEAF_ERROR_FORMAT,
                         "%s: symbol '%s' is in no section that is loaded", s->name, symbol.name);
    *out_symbol = symbol;
    return true;
}

uint64_t ve_shared_address(const struct ve_link *s, const struct object_symbol *symbol)
{
    return s->sections[s->section_of[symbol->section]].is.address + symbol->value;
}

/* NULL, or why the section cannot be loaded. */
static const char *refuse(const struct object_section *s)
{
    if (s->flags & SHF_TLS)
        return "has data of threads";
    bool is_list = strncmp(s->name, ".ctors", 6) == 0 || strncmp(s->name, ".dtors", 6) == 0;
    if (is_list || (s->type >= SHT_INIT_ARRAY && s->type <= SHT_PREINIT_ARRAY))
        return "has functions that run when it is opened or closed";
    if (s->type != SHT_PROGBITS && s->type != SHT_NOBITS)
        return "is of a kind that is not loaded here";
    if ((s->flags & SHF_WRITE) && (s->flags & SHF_EXECINSTR))
        return "is both written and executed";
    if (s->type == SHT_NOBITS && !(s->flags & SHF_WRITE))
        return "has no content and is not written";
    if ((s->align & (s->align - 1)) || s->align > VE_PAGE_BYTES)
        return "has an alignment that pages cannot give";
    return NULL;
}

static uint32_t add_section(struct ve_link *s, const struct object_section *is,
                            const uint8_t *content)
{
    ARENA_PUSH(s->arena, s->sections, s->n_sections, s->cap_sections) =
        (struct ve_section){.is = *is, .content = content};
    return (uint32_t)s->n_sections - 1;
}

/* A section that is made here. */
static uint32_t add_table(struct ve_link *s, const char *name, uint32_t type, uint64_t flags,
                          uint64_t entry_size)
{
    struct object_section is = {
        .name = name, .type = type, .flags = flags, .align = 8, .entry_size = entry_size};
    return add_section(s, &is, NULL);
}

/* The function that has the byte of a section. */
static const char *function_at(const struct object *o, uint32_t section, uint64_t offset)
{
    struct object_symbol symbol;
    for (uint32_t i = 1; object_symbol(o, i, &symbol); i++)
        if (symbol.is_function && symbol.section == section && offset - symbol.value < symbol.size)
            return symbol.name;
    return "?";
}

static bool check_code(struct ve_link *s, uint32_t i, const struct object_section *in)
{
    uint64_t at = ve_find_vix(s->o.data + in->offset, in->size);
    return at == in->size ||
           error_set(
               s->err, SHEAF_ERROR_CODEGEN,
               "%s: function '%s' needs more than 64 vectors at a time, and LLVM put one into "
               "a register that cannot hold it",
               s->name, function_at(&s->o, i, at));
}

static bool add_group(struct ve_link *s, enum ve_group group, uint64_t *n_bytes)
{
    for (uint32_t i = 1; i < s->o.n_sections; i++) {
        struct object_section in;
        if (!object_section(&s->o, i, &in))
            return error_set(s->err, SHEAF_ERROR_FORMAT, "%s: section %" PRIu32 " is malformed",
                             s->name, i);
        if (ve_shared_group(&in) != group)
            continue;
        const char *why = refuse(&in);
        if (why)
            return error_set(s->err, SHEAF_ERROR_FORMAT, "%s: its section '%s' %s", s->name,
                             in.name, why);
        if (in.size > LIMIT_BYTES - *n_bytes)
            return error_set(s->err, SHEAF_ERROR_FORMAT,
                             "%s: its sections have more than %" PRIu64 " bytes", s->name,
                             LIMIT_BYTES);
        if (group == VE_CODE && in.type != SHT_NOBITS && !check_code(s, i, &in))
            return false;
        *n_bytes += in.size;
        /* Instructions are words of 64 bits, even if their assembler did not say so. */
        uint64_t least = group == VE_CODE ? 8 : 1;
        const uint8_t *content = in.type == SHT_NOBITS ? NULL : s->o.data + in.offset;
        struct object_section is = {.name = in.name,
                                    .type = in.type,
                                    .flags = in.flags & (SHF_ALLOC | SHF_WRITE | SHF_EXECINSTR),
                                    .size = in.size,
                                    .align = in.align > least ? in.align : least};
        s->section_of[i] = add_section(s, &is, content);
    }
    return true;
}

static bool read_exported(struct ve_link *s)
{
    for (uint32_t i = 1; i < s->o.n_symbols; i++) {
        struct object_symbol symbol;
        if (!object_symbol(&s->o, i, &symbol))
            return ve_shared_symbol(s, i, &symbol);
        if (symbol.is_local || symbol.is_undefined || symbol.is_hidden)
            continue;
        if (!ve_shared_symbol(s, i, &symbol))
            return false;
        ARENA_PUSH(s->arena, s->exported, s->n_exported, s->cap_exported) = i;
    }
    return s->n_exported > 0 || error_set(s->err, SHEAF_ERROR_FORMAT,
                                          "%s: it has nothing that could be called", s->name);
}

static bool add_sections(struct ve_link *s)
{
    struct ve_tables *t = &s->tables;
    uint64_t n_bytes = 0, loaded = SHF_ALLOC, written = SHF_ALLOC | SHF_WRITE;
    s->section_of = arena_array(s->arena, (size_t)s->o.n_sections + 1, sizeof *s->section_of);
    add_table(s, "", SHT_NULL, 0, 0);
    t->dynsym = add_table(s, ".dynsym", SHT_DYNSYM, loaded, sizeof(Elf64_Sym));
    t->dynstr = add_table(s, ".dynstr", SHT_STRTAB, loaded, 0);
    t->hash = add_table(s, ".hash", SHT_HASH, loaded, 4);
    t->rela = add_table(s, ".rela.dyn", SHT_RELA, loaded, sizeof(Elf64_Rela));
    if (!add_group(s, VE_CONSTANTS, &n_bytes) || !add_group(s, VE_CODE, &n_bytes))
        return false;
    t->dynamic = add_table(s, ".dynamic", SHT_DYNAMIC, written, sizeof(Elf64_Dyn));
    t->got = add_table(s, ".got", SHT_PROGBITS, written, 8);
    if (!add_group(s, VE_DATA, &n_bytes) || !add_group(s, VE_ZEROS, &n_bytes))
        return false;
    t->symtab = add_table(s, ".symtab", SHT_SYMTAB, 0, sizeof(Elf64_Sym));
    t->strtab = add_table(s, ".strtab", SHT_STRTAB, 0, 0);
    t->shstrtab = add_table(s, ".shstrtab", SHT_STRTAB, 0, 0);
    return s->n_sections < SHN_LORESERVE ||
           error_set(s->err, SHEAF_ERROR_FORMAT, "%s: it has %zu sections, which are too many",
                     s->name, s->n_sections);
}

/* ---- where it goes ---- */

static uint64_t align_up(uint64_t n, uint64_t align)
{
    return (n + align - 1) / align * align;
}

/* Gives every section its place and returns how large the file is. */
static uint64_t place(struct ve_link *s)
{
    uint64_t offset = sizeof(Elf64_Ehdr) + VE_N_SEGMENTS * sizeof(Elf64_Phdr), address = 0;
    for (size_t i = 1; i < s->n_sections; i++) {
        struct ve_section *at = &s->sections[i];
        enum ve_group group = ve_shared_group(&at->is);
        if (group == VE_ZEROS) {
            address = at->is.address = align_up(address, at->is.align);
            at->is.offset = offset;
            address += at->is.size;
            continue;
        }
        offset = at->is.offset = align_up(offset, at->is.align);
        offset += at->is.size;
        if (group != VE_NOT_LOADED)
            at->is.address = at->is.offset + (group == VE_DATA ? VE_PAGE_BYTES : 0);
        address = at->is.address + at->is.size;
    }
    return align_up(offset, 8);
}

static const char *refuse_file(const struct object *o)
{
    if (o->machine != VE_MACHINE || !o->is_64 || o->is_big_endian)
        return "it is for another machine";
    return o->type == ET_REL ? NULL : "it is linked already";
}

bool ve_shared_make(struct arena *a, const char *name, struct bytes object,
                    struct bytes *out_library, struct error *err)
{
    struct ve_link s = {.arena = a, .name = name, .err = err};
    const char *why = object_open(object.data, object.size, &s.o);
    if (!why)
        why = refuse_file(&s.o);
    if (why)
        return error_set(err, SHEAF_ERROR_FORMAT, "%s: it is no object of the Vector Engine: %s",
                         name, why);
    if (!add_sections(&s) || !read_exported(&s) || !ve_relocate_read(&s))
        return false;
    ve_tables_size(&s);
    uint64_t sections_at = place(&s);
    uint64_t size = sections_at + s.n_sections * sizeof(Elf64_Shdr);
    s.image = arena_alloc(a, (size_t)size);
    for (size_t i = 1; i < s.n_sections; i++)
        if (s.sections[i].content)
            memcpy(s.image + s.sections[i].is.offset, s.sections[i].content,
                   (size_t)s.sections[i].is.size);
    ve_tables_write(&s, sections_at);
    if (!ve_relocate_write(&s, s.image + s.sections[s.tables.rela].is.offset))
        return false;
    *out_library = (struct bytes){s.image, (size_t)size};
    return true;
}
