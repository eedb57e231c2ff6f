/*
 * Relocations of an object for the Vector Engine.
 *
 * All that is known when the result is written is filled in here, also what a linker would leave to
 * the dynamic loader so that a program may put its own function in place of a library's.  Words
 * with addresses remain, in data that can be written and at GOT: the loader adds where the file
 * lies.  Addresses inside code would remain too; they are refused, for glibc-ve writes to code only
 * if it is told that it must, and then it is never shared.
 */
#include <elf.h>

#include "bundle/read/ve_elf.h"
#include "bundle/write/ve_shared_internal.h"

enum what { ADDRESS, DISTANCE, ENTRY, OFFSET };
enum part { ALL, LOW, HIGH, QUAD };

static const struct rule {
    const char *name;
    enum what what;
    enum part part;
} RULES[] = {
#define ROW(number, name, what, part) [number] = {#name, what, part},
    VE_RELOCATIONS(ROW)
#undef ROW
};

/* A place in the result that is filled in. */
struct ve_fixup {
    const struct rule *rule;
    uint32_t section; /* of the result */
    uint64_t offset;  /* in it */
    uint32_t symbol;  /* of the object */
    int64_t addend;
};

static bool is_got(const struct object_symbol *symbol)
{
    return symbol->is_undefined && !object_is_needed(symbol);
}

/* A word of address has a word's alignment: the loader writes it with one store. */
static bool can_remain(const struct ve_link *s, const struct ve_fixup *f)
{
    const struct object_section *in = &s->sections[f->section].is;
    return f->rule->part == QUAD && (in->flags & SHF_WRITE) && f->offset % 8 == 0 && in->align >= 8;
}

static bool check_fixup(struct ve_link *s, const struct ve_fixup *f)
{
    const struct object_section *in = &s->sections[f->section].is;
    uint64_t n_bytes = f->rule->part == QUAD ? 8 : 4;
    struct object_symbol symbol;
    if (in->type == SHT_NOBITS || f->offset > in->size || n_bytes > in->size - f->offset)
        return error_set(s->err, SHEAF_ERROR_FORMAT,
                         "%s: a relocation is outside of its section '%s'", s->name, in->name);
    bool is_readable = object_symbol(&s->o, f->symbol, &symbol);
    if (is_readable && is_got(&symbol) && f->rule->what == DISTANCE)
        return true;
    if (!ve_shared_symbol(s, f->symbol, &symbol))
        return false;
    if (f->rule->what == ADDRESS && !can_remain(s, f))
        return error_set(s->err, SHEAF_ERROR_FORMAT,
                         "%s: section '%s' has an address that a shared object cannot have (%s): "
                         "its code must be position-independent",
                         s->name, in->name, f->rule->name);
    return true;
}

static bool read_section(struct ve_link *s, uint32_t i, uint32_t section)
{
    struct object_relocation r;
    for (uint64_t k = 0; object_relocation(&s->o, i, k, &r); k++) {
        bool is_known = r.type < sizeof RULES / sizeof *RULES && RULES[r.type].name;
        if (!is_known && r.type == 0)
            continue;
        if (!is_known)
            return error_set(s->err, SHEAF_ERROR_FORMAT,
                             "%s: section '%s' has a relocation of type %" PRIu32
                             ", which is unknown here",
                             s->name, s->sections[section].is.name, r.type);
        struct ve_fixup f = {&RULES[r.type], section, r.offset, r.symbol, r.addend};
        if (!check_fixup(s, &f))
            return false;
        if (f.rule->what == ENTRY && !s->entry_of[f.symbol]) {
            s->entry_of[f.symbol] = (uint32_t)s->n_entries++;
            s->n_relative++;
        }
        s->n_relative += f.rule->what == ADDRESS;
        ARENA_PUSH(s->arena, s->fixups, s->n_fixups, s->cap_fixups) = f;
    }
    return true;
}

bool ve_relocate_read(struct ve_link *s)
{
    s->entry_of = arena_array(s->arena, (size_t)s->o.n_symbols + 1, sizeof *s->entry_of);
    s->n_entries = 1;
    for (uint32_t i = 1; i < s->o.n_sections; i++) {
        struct object_section in;
        if (!object_section(&s->o, i, &in) || (in.type != SHT_RELA && in.type != SHT_REL) ||
            in.info >= s->o.n_sections || !s->section_of[in.info])
            continue;
        if (in.type == SHT_REL || in.entry_size != sizeof(Elf64_Rela))
            return error_set(s->err, SHEAF_ERROR_FORMAT,
                             "%s: section '%s' has relocations in a form that is not the engine's",
                             s->name, in.name);
        if (!read_section(s, i, s->section_of[in.info]))
            return false;
    }
    return true;
}

static void put_relative(uint8_t **relative, uint64_t at, uint64_t address)
{
    ve_shared_put(*relative + offsetof(Elf64_Rela, r_offset), at, 8);
    ve_shared_put(*relative + offsetof(Elf64_Rela, r_info), ELF64_R_INFO(0, R_VE_RELATIVE), 8);
    ve_shared_put(*relative + offsetof(Elf64_Rela, r_addend), address, 8);
    *relative += sizeof(Elf64_Rela);
}

static uint64_t value_of(const struct ve_link *s, const struct ve_fixup *f, uint64_t place)
{
    uint64_t got = s->sections[s->tables.got].is.address;
    uint64_t addend = (uint64_t)f->addend;
    struct object_symbol symbol;
    object_symbol(&s->o, f->symbol, &symbol);
    uint64_t address = is_got(&symbol) ? got : ve_shared_address(s, &symbol);
    switch (f->rule->what) {
    case ADDRESS:
        break;
    case DISTANCE:
        return address + addend - place;
    case ENTRY:
        return 8 * (uint64_t)s->entry_of[f->symbol] + addend;
    case OFFSET:
        return address + addend - got;
    }
    return address + addend;
}

static bool carry_out(struct ve_link *s, const struct ve_fixup *f, uint8_t **relative)
{
    const struct ve_section *in = &s->sections[f->section];
    uint64_t place = in->is.address + f->offset, v = value_of(s, f, place);
    uint8_t *at = s->image + in->is.offset + f->offset;
    if (f->rule->part == ALL && (int64_t)v != (int32_t)v)
        return error_set(s->err, SHEAF_ERROR_FORMAT,
                         "%s: a distance from section '%s' does not fit 32 bits (%s)", s->name,
                         in->is.name, f->rule->name);
    ve_shared_put(at, f->rule->part == HIGH ? v >> 32 : v, f->rule->part == QUAD ? 8 : 4);
    if (f->rule->what == ADDRESS)
        put_relative(relative, place, v);
    return true;
}

bool ve_relocate_write(struct ve_link *s, uint8_t *relative)
{
    const struct ve_section *got = &s->sections[s->tables.got];
    for (size_t i = 0; i < s->n_fixups; i++)
        if (!carry_out(s, &s->fixups[i], &relative))
            return false;
    for (uint32_t i = 1; i < s->o.n_symbols; i++) {
        struct object_symbol symbol;
        if (!s->entry_of[i] || !object_symbol(&s->o, i, &symbol))
            continue;
        uint64_t at = 8 * (uint64_t)s->entry_of[i], address = ve_shared_address(s, &symbol);
        ve_shared_put(s->image + got->is.offset + at, address, 8);
        put_relative(&relative, got->is.address + at, address);
    }
    return true;
}
