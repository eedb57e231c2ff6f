#include "bundle/read/ve_check.h"

#include <elf.h>
#include <string.h>

#include "bundle/read/ve_elf.h"

/* What the dynamic section says: the value of each tag that the loader knows, 0 where it has none.
 */
enum { N_TAGS = DT_SONAME + 1 };

struct library {
    const struct object *o;
    uint64_t tag[N_TAGS];
};

/* ---- memory ---- */

/* The segment that holds these bytes of memory, `file_only` if the file has to have them. */
static bool find_segment(const struct library *l, uint64_t address, uint64_t n_bytes,
                         bool file_only, struct object_segment *out)
{
    for (uint32_t i = 0; object_segment(l->o, i, out); i++) {
        uint64_t size = file_only ? out->file_size : out->memory_size;
        uint64_t from = address - out->address;
        if (out->type == PT_LOAD && from <= size && n_bytes <= size - from)
            return true;
    }
    return false;
}

static bool has_flags(const struct library *l, uint64_t address, uint64_t n_bytes, uint32_t flags)
{
    struct object_segment s;
    return find_segment(l, address, n_bytes, false, &s) && (s.flags & flags) == flags;
}

/* Bytes at an address as they are in the file; NULL where not all of them are there. */
static const uint8_t *bytes_at(const struct library *l, uint64_t address, uint64_t n_bytes)
{
    struct object_segment s;
    if (!find_segment(l, address, n_bytes, true, &s))
        return NULL;
    return l->o->data + s.offset + (address - s.address);
}

static uint64_t read_little(const uint8_t *p, size_t n_bytes)
{
    uint64_t v = 0;
    for (size_t i = n_bytes; i > 0; i--)
        v = v << 8 | p[i - 1];
    return v;
}

/* Field of a struct of the format at p. */
#define FIELD(p, type, field) read_little((p) + offsetof(type, field), sizeof(((type *)0)->field))

/* ---- code ---- */

/* All vector instructions, and no others, have an opcode from 0x80 on.  Their lower half is numbers
   of registers only, a byte for each. */
uint64_t ve_find_vix(const uint8_t *code, uint64_t n_bytes)
{
    enum { INSTRUCTION = 8, FIRST_VECTOR = 0x80, VIX = 255 };
    for (uint64_t at = 0; at + INSTRUCTION <= n_bytes; at += INSTRUCTION)
        if (code[at + INSTRUCTION - 1] >= FIRST_VECTOR && memchr(code + at, VIX, 4))
            return at;
    return n_bytes;
}

/* ---- segments ---- */

static const char *check_loaded(const struct object_segment *s, uint64_t *end_page)
{
    if (s->align % VE_PAGE_BYTES || (s->align & (s->align - 1)) || s->align == 0)
        return "a segment is not aligned to pages";
    if ((s->address - s->offset) % s->align)
        return "a segment lies elsewhere in its page than in the file's";
    if (s->file_size > s->memory_size || s->address + s->memory_size < s->address)
        return "a segment is larger in the file than in memory";
    if ((s->flags & PF_W) && (s->flags & PF_X))
        return "a segment is both written and executed";
    if (!(s->flags & PF_R))
        return "a segment cannot be read";
    if (s->address / VE_PAGE_BYTES < *end_page)
        return "segments share a page, or are not in the order of addresses";
    *end_page = (s->address + s->memory_size + VE_PAGE_BYTES - 1) / VE_PAGE_BYTES;
    return NULL;
}

static const char *check_segments(const struct library *l)
{
    uint64_t end_page = 0;
    uint32_t n_dynamic = 0, n_stack = 0;
    for (uint32_t i = 0; i < l->o->n_segments; i++) {
        struct object_segment s;
        const char *why = NULL;
        if (!object_segment(l->o, i, &s))
            return "a segment lies outside of the file";
        if (s.type == PT_LOAD)
            why = check_loaded(&s, &end_page);
        else if (s.type == PT_INTERP || s.type == PT_TLS)
            why = "it is a program, or has data of threads";
        else if (s.type == PT_GNU_STACK && s.flags & PF_X)
            why = "it wants a stack that is executed";
        if (why)
            return why;
        n_dynamic += s.type == PT_DYNAMIC;
        n_stack += s.type == PT_GNU_STACK;
    }
    if (n_dynamic != 1)
        return "it has no dynamic section, or several";
    return n_stack ? NULL : "it does not say that its stack is not executed";
}

/* ---- the dynamic section ---- */

static const char *check_tag(uint64_t tag)
{
    switch (tag) {
    case DT_NEEDED:
        return "it needs another library";
    case DT_TEXTREL:
        return "its code would be written";
    case DT_INIT:
    case DT_FINI:
    case DT_INIT_ARRAY:
    case DT_FINI_ARRAY:
        return "it has code that runs when it is opened or closed";
    case DT_REL:
    case DT_JMPREL:
        return "it has relocations of a kind that is not made here";
    default:
        return NULL;
    }
}

/* glibc adds to addresses in the section where the file lies, so it is written. */
static const char *read_dynamic(struct library *l)
{
    struct object_segment s;
    for (uint32_t i = 0; object_segment(l->o, i, &s) && s.type != PT_DYNAMIC;)
        i++;
    const uint8_t *p = bytes_at(l, s.address, s.file_size);
    if (!p || s.address % 8 || !has_flags(l, s.address, s.file_size, PF_W))
        return "its dynamic section is not in a segment that is written";
    for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= s.file_size; at += sizeof(Elf64_Dyn)) {
        uint64_t tag = FIELD(p + at, Elf64_Dyn, d_tag);
        const char *why = check_tag(tag);
        if (why)
            return why;
        if (tag == DT_NULL)
            return NULL;
        if (tag < N_TAGS)
            l->tag[tag] = read_little(p + at + offsetof(Elf64_Dyn, d_un), 8);
    }
    return "its dynamic section has no end";
}

static const char *name_at(const struct library *l, uint64_t index)
{
    const uint8_t *names = bytes_at(l, l->tag[DT_STRTAB], l->tag[DT_STRSZ]);
    return names && index < l->tag[DT_STRSZ] ? (const char *)names + index : NULL;
}

static const char *check_names(const struct library *l)
{
    const uint8_t *names = bytes_at(l, l->tag[DT_STRTAB], l->tag[DT_STRSZ]);
    if (!names || l->tag[DT_STRSZ] == 0 || names[l->tag[DT_STRSZ] - 1] != 0)
        return "its table of names is not in memory, or has no end";
    return l->tag[DT_SONAME] && name_at(l, l->tag[DT_SONAME]) ? NULL : "it has no name";
}

/* ---- symbols ---- */

/* System V ABI, chapter 5, "Hash Table". */
static uint32_t hash_name(const char *name)
{
    uint32_t h = 0;
    for (; *name; name++) {
        h = (h << 4) + (uint8_t)*name;
        uint32_t high = h & 0xf0000000;
        h = (h ^ high >> 24) & ~high;
    }
    return h;
}

/* A table of words, of which the first two are how many buckets and symbols there are. */
struct hash {
    const uint8_t *words;
    uint64_t n_buckets, n_symbols;
};

static const char *open_hash(const struct library *l, struct hash *out)
{
    const uint8_t *head = bytes_at(l, l->tag[DT_HASH], 8);
    if (!l->tag[DT_HASH] || l->tag[DT_HASH] % 4 || !head)
        return "its hash table is not in memory";
    out->n_buckets = read_little(head, 4);
    out->n_symbols = read_little(head + 4, 4);
    out->words = bytes_at(l, l->tag[DT_HASH], 4 * (2 + out->n_buckets + out->n_symbols));
    return out->words && out->n_buckets ? NULL : "its hash table is empty, or not all in memory";
}

/* Whether the chain of its name leads to symbol i, and ends. */
static bool is_found(const struct hash *h, const char *name, uint64_t i)
{
    uint64_t at = read_little(h->words + 4 * (2 + hash_name(name) % h->n_buckets), 4);
    bool found = false;
    for (uint64_t steps = 0; at != STN_UNDEF; steps++) {
        if (at >= h->n_symbols || steps > h->n_symbols)
            return false;
        found |= at == i;
        at = read_little(h->words + 4 * (2 + h->n_buckets + at), 4);
    }
    return found;
}

static const char *check_symbol(const struct library *l, const struct hash *h, const uint8_t *p,
                                uint64_t i)
{
    const char *name = name_at(l, FIELD(p, Elf64_Sym, st_name));
    uint64_t info = FIELD(p, Elf64_Sym, st_info);
    uint32_t flags = ELF64_ST_TYPE(info) == STT_FUNC ? PF_X : 0;
    if (!name || !*name)
        return "a symbol has no name";
    if (FIELD(p, Elf64_Sym, st_shndx) == SHN_UNDEF)
        return "it needs a symbol from elsewhere";
    if (ELF64_ST_TYPE(info) == STT_TLS || ELF64_ST_BIND(info) == STB_LOCAL)
        return "a symbol is of a kind that nothing outside may use";
    if (!has_flags(l, FIELD(p, Elf64_Sym, st_value), FIELD(p, Elf64_Sym, st_size), flags))
        return "a symbol is not in memory, or a function is not in code";
    return is_found(h, name, i) ? NULL : "the hash table does not lead to a symbol";
}

static const char *check_symbols(const struct library *l)
{
    struct hash h;
    const char *why = open_hash(l, &h);
    if (why)
        return why;
    const uint8_t *p = bytes_at(l, l->tag[DT_SYMTAB], h.n_symbols * sizeof(Elf64_Sym));
    if (!p || l->tag[DT_SYMTAB] % 8 || l->tag[DT_SYMENT] != sizeof(Elf64_Sym))
        return "its symbols are not in memory";
    if (h.n_symbols < 2)
        return "it has nothing that could be called";
    for (uint64_t i = 1; i < h.n_symbols && !why; i++)
        why = check_symbol(l, &h, p + i * sizeof(Elf64_Sym), i);
    return why;
}

/* ---- relocations ---- */

static const char *check_relocations(const struct library *l)
{
    uint64_t size = l->tag[DT_RELASZ];
    const uint8_t *p = bytes_at(l, l->tag[DT_RELA], size);
    if (!l->tag[DT_RELA] && !size)
        return NULL;
    if (!p || l->tag[DT_RELAENT] != sizeof(Elf64_Rela) || size % sizeof(Elf64_Rela))
        return "its relocations are not in memory";
    for (uint64_t at = 0; at < size; at += sizeof(Elf64_Rela)) {
        uint64_t place = FIELD(p + at, Elf64_Rela, r_offset);
        if (FIELD(p + at, Elf64_Rela, r_info) != ELF64_R_INFO(0, R_VE_RELATIVE))
            return "a relocation is none that only depends on where the file lies";
        if (place % 8 || !has_flags(l, place, 8, PF_W))
            return "a relocation is of something that is not written, or not aligned";
        if (!has_flags(l, FIELD(p + at, Elf64_Rela, r_addend), 0, PF_R))
            return "a relocation leads out of the file";
    }
    return NULL;
}

/* ---- sections, which only tools read ---- */

static const char *check_sections(const struct library *l)
{
    for (uint32_t i = 1; i < l->o->n_sections; i++) {
        struct object_section s;
        struct object_segment in;
        if (!object_section(l->o, i, &s))
            return "a section is malformed";
        if (!(s.flags & SHF_ALLOC))
            continue;
        bool is_zeros = s.type == SHT_NOBITS;
        if (!find_segment(l, s.address, s.size, !is_zeros, &in))
            return "a section is in no segment";
        if (!is_zeros && s.address - in.address != s.offset - in.offset)
            return "a section lies elsewhere in the file than in memory";
        if (s.align && s.address % s.align)
            return "a section is not aligned";
        if (!(s.flags & SHF_WRITE) != !(in.flags & PF_W) ||
            ((s.flags & SHF_EXECINSTR) && !(in.flags & PF_X)))
            return "a section is in the wrong segment";
    }
    return NULL;
}

const char *ve_check(const struct object *o)
{
    struct library l = {.o = o};
    if (o->machine != VE_MACHINE || !o->is_64 || o->is_big_endian)
        return "it is for another machine";
    if (o->type != ET_DYN)
        return "it is no shared object";
    const char *why = check_segments(&l);
    if (!why)
        why = read_dynamic(&l);
    if (!why)
        why = check_names(&l);
    if (!why)
        why = check_symbols(&l);
    if (!why)
        why = check_relocations(&l);
    return why ? why : check_sections(&l);
}
