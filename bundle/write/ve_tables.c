/*
 * The tables and headers of a shared object for the Vector Engine: what the dynamic loader reads,
 * and what other tools do.
 */
#include <elf.h>
#include <string.h>

#include "bundle/read/ve_elf.h"
#include "bundle/write/ve_shared_internal.h"

/* Where a name lies in a table of them. */
static uint64_t add_name(struct strbuf *names, const char *name)
{
    uint64_t at = names->len;
    strbuf_addn(names, name, strlen(name) + 1);
    return at;
}

static void begin_names(struct ve_link *s, struct strbuf *names)
{
    strbuf_init(names, s->arena);
    add_name(names, "");
}

static void put_symbol(const struct ve_link *s, uint8_t *at, uint64_t name,
                       const struct object_symbol *symbol)
{
    unsigned binding = symbol->is_local ? STB_LOCAL : STB_GLOBAL;
    ve_shared_put(at + offsetof(Elf64_Sym, st_name), name, 4);
    ve_shared_put(at + offsetof(Elf64_Sym, st_info), ELF64_ST_INFO(binding, (unsigned)symbol->type),
                  1);
    ve_shared_put(at + offsetof(Elf64_Sym, st_shndx), s->section_of[symbol->section], 2);
    ve_shared_put(at + offsetof(Elf64_Sym, st_value), ve_shared_address(s, symbol), 8);
    ve_shared_put(at + offsetof(Elf64_Sym, st_size), symbol->size, 8);
}

/* Symbols with a name in what is loaded; calls fn for the local ones first. */
typedef void symbol_fn(struct ve_link *s, const struct object_symbol *symbol, void *arg);

static void each_symbol(struct ve_link *s, symbol_fn *fn, void *arg)
{
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 1; i < s->o.n_symbols; i++) {
            struct object_symbol symbol;
            bool is_named = object_symbol(&s->o, i, &symbol) && *symbol.name &&
                            symbol.section < s->o.n_sections && s->section_of[symbol.section];
            if (is_named && symbol.is_local == (pass == 0))
                fn(s, &symbol, arg);
        }
}

static void count_symbol(struct ve_link *s, const struct object_symbol *symbol, void *arg)
{
    struct ve_tables *t = arg;
    struct object_section *is = &s->sections[t->symtab].is;
    is->size += sizeof(Elf64_Sym);
    is->info += symbol->is_local;
    add_name(&t->names, symbol->name);
}

struct cursor {
    uint8_t *at;
    uint64_t name;
};

static void write_symbol(struct ve_link *s, const struct object_symbol *symbol, void *arg)
{
    struct cursor *c = arg;
    put_symbol(s, c->at, c->name, symbol);
    c->at += sizeof(Elf64_Sym);
    c->name += strlen(symbol->name) + 1;
}

/* The tables' entries, DT_NULL included; the first is the library's name. */
static size_t n_dynamic(const struct ve_link *s)
{
    return s->n_relative ? 10 : 7;
}

void ve_tables_size(struct ve_link *s)
{
    struct ve_tables *t = &s->tables;
    struct ve_section *of = s->sections;
    begin_names(s, &t->dynamic_names);
    begin_names(s, &t->names);
    begin_names(s, &t->section_names);
    add_name(&t->dynamic_names, s->name);
    for (size_t i = 0; i < s->n_exported; i++) {
        struct object_symbol symbol;
        object_symbol(&s->o, s->exported[i], &symbol);
        add_name(&t->dynamic_names, symbol.name);
    }
    for (size_t i = 1; i < s->n_sections; i++)
        add_name(&t->section_names, of[i].is.name);

    /* The entries 0 of both tables of symbols are empty. */
    of[t->symtab].is.info = 1;
    of[t->symtab].is.size = sizeof(Elf64_Sym);
    each_symbol(s, count_symbol, t);
    of[t->dynsym].is.info = 1;
    of[t->dynsym].is.size = (1 + s->n_exported) * sizeof(Elf64_Sym);
    of[t->dynstr].is.size = t->dynamic_names.len;
    of[t->hash].is.size = 4 * (2 + s->n_exported + 1 + s->n_exported);
    of[t->rela].is.size = s->n_relative * sizeof(Elf64_Rela);
    of[t->dynamic].is.size = n_dynamic(s) * sizeof(Elf64_Dyn);
    of[s->tables.got].is.size = 8 * s->n_entries;
    of[t->strtab].is.size = t->names.len;
    of[t->shstrtab].is.size = t->section_names.len;

    of[t->dynsym].is.link = of[t->dynamic].is.link = t->dynstr;
    of[t->hash].is.link = of[t->rela].is.link = t->dynsym;
    of[t->symtab].is.link = t->strtab;
}

static uint32_t hash_name(const char *name)
{
    uint32_t h = 0;
    for (; *name; name++) {
        h = (h << 4) + (uint8_t)*name;
        h = (h ^ (h >> 24 & 0xf0)) & 0x0fffffff;
    }
    return h;
}

/* Numbers of buckets and symbols, the first symbol of each bucket, the next of each symbol; there
   are as many buckets as exported symbols. */
static void write_exported(struct ve_link *s, const struct ve_tables *t)
{
    uint8_t *symbols = s->image + s->sections[t->dynsym].is.offset;
    uint8_t *hash = s->image + s->sections[t->hash].is.offset;
    size_t n = s->n_exported;
    uint32_t *first = arena_array(s->arena, n, sizeof *first);
    uint64_t name = 1 + strlen(s->name) + 1;
    ve_shared_put(hash, n, 4);
    ve_shared_put(hash + 4, n + 1, 4);
    for (uint32_t i = 1; i <= n; i++) {
        struct object_symbol symbol;
        object_symbol(&s->o, s->exported[i - 1], &symbol);
        put_symbol(s, symbols + i * sizeof(Elf64_Sym), name, &symbol);
        uint32_t *bucket = &first[hash_name(symbol.name) % n];
        ve_shared_put(hash + 4 * (2 + n + i), *bucket, 4);
        *bucket = i;
        name += strlen(symbol.name) + 1;
    }
    for (size_t b = 0; b < n; b++)
        ve_shared_put(hash + 4 * (2 + b), first[b], 4);
}

static void write_dynamic(struct ve_link *s, const struct ve_tables *t)
{
    const struct ve_section *of = s->sections;
    const uint64_t entries[][2] = {
        {DT_SONAME, 1},
        {DT_HASH, of[t->hash].is.address},
        {DT_STRTAB, of[t->dynstr].is.address},
        {DT_SYMTAB, of[t->dynsym].is.address},
        {DT_STRSZ, of[t->dynstr].is.size},
        {DT_SYMENT, sizeof(Elf64_Sym)},
        {DT_RELA, of[t->rela].is.address},
        {DT_RELASZ, of[t->rela].is.size},
        {DT_RELAENT, sizeof(Elf64_Rela)},
    };
    uint8_t *at = s->image + of[t->dynamic].is.offset;
    for (size_t i = 0; i + 1 < n_dynamic(s); i++, at += sizeof(Elf64_Dyn)) {
        ve_shared_put(at, entries[i][0], 8);
        ve_shared_put(at + 8, entries[i][1], 8);
    }
}

static void write_header(struct ve_link *s, const struct ve_tables *t, uint64_t sections_at)
{
    static const uint8_t ident[EI_NIDENT] = {ELFMAG0,    ELFMAG1,     ELFMAG2,    ELFMAG3,
                                             ELFCLASS64, ELFDATA2LSB, EV_CURRENT, ELFOSABI_NONE};
    uint8_t *h = s->image;
    memcpy(h, ident, sizeof ident);
    ve_shared_put(h + offsetof(Elf64_Ehdr, e_type), ET_DYN, 2);
    ve_shared_put(h + offsetof(Elf64_Ehdr, e_machine), VE_MACHINE, 2);
    ve_shared_put(h + offsetof(Elf64_Ehdr, e_version), EV_CURRENT, 4);
    ve_shared_put(h + offsetof(Elf64_Ehdr, e_phoff), sizeof(Elf64_Ehdr), 8);
    ve_shared_put(h + offsetof(Elf64_Ehdr, e_shoff), sections_at, 8);
    ve_shared_put(h + offsetof(Elf64_Ehdr, e_flags), s->o.flags, 4);
    ve_shared_put(h + offsetof(Elf64_Ehdr, e_ehsize), sizeof(Elf64_Ehdr), 2);
    ve_shared_put(h + offsetof(Elf64_Ehdr, e_phentsize), sizeof(Elf64_Phdr), 2);
    ve_shared_put(h + offsetof(Elf64_Ehdr, e_phnum), VE_N_SEGMENTS, 2);
    ve_shared_put(h + offsetof(Elf64_Ehdr, e_shentsize), sizeof(Elf64_Shdr), 2);
    ve_shared_put(h + offsetof(Elf64_Ehdr, e_shnum), s->n_sections, 2);
    ve_shared_put(h + offsetof(Elf64_Ehdr, e_shstrndx), t->shstrtab, 2);
}

static void write_section(uint8_t *at, uint64_t name, const struct ve_section *section)
{
    const struct object_section *is = &section->is;
    ve_shared_put(at + offsetof(Elf64_Shdr, sh_name), name, 4);
    ve_shared_put(at + offsetof(Elf64_Shdr, sh_type), is->type, 4);
    ve_shared_put(at + offsetof(Elf64_Shdr, sh_flags), is->flags, 8);
    ve_shared_put(at + offsetof(Elf64_Shdr, sh_addr), is->address, 8);
    ve_shared_put(at + offsetof(Elf64_Shdr, sh_offset), is->offset, 8);
    ve_shared_put(at + offsetof(Elf64_Shdr, sh_size), is->size, 8);
    ve_shared_put(at + offsetof(Elf64_Shdr, sh_link), is->link, 4);
    ve_shared_put(at + offsetof(Elf64_Shdr, sh_info), is->info, 4);
    ve_shared_put(at + offsetof(Elf64_Shdr, sh_addralign), is->align, 8);
    ve_shared_put(at + offsetof(Elf64_Shdr, sh_entsize), is->entry_size, 8);
}

static void put_segment(uint8_t *at, const struct object_segment *segment)
{
    ve_shared_put(at + offsetof(Elf64_Phdr, p_type), segment->type, 4);
    ve_shared_put(at + offsetof(Elf64_Phdr, p_flags), segment->flags, 4);
    ve_shared_put(at + offsetof(Elf64_Phdr, p_offset), segment->offset, 8);
    ve_shared_put(at + offsetof(Elf64_Phdr, p_vaddr), segment->address, 8);
    ve_shared_put(at + offsetof(Elf64_Phdr, p_paddr), segment->address, 8);
    ve_shared_put(at + offsetof(Elf64_Phdr, p_filesz), segment->file_size, 8);
    ve_shared_put(at + offsetof(Elf64_Phdr, p_memsz), segment->memory_size, 8);
    ve_shared_put(at + offsetof(Elf64_Phdr, p_align), segment->align, 8);
}

/* The first segment begins with the headers, the second with the dynamic section. */
static void write_segments(struct ve_link *s, const struct ve_tables *t)
{
    const struct ve_section *dynamic = &s->sections[t->dynamic];
    const struct ve_section *last = &s->sections[t->symtab - 1];
    const struct ve_section *last_code = dynamic - 1, *last_data = last;
    while (ve_shared_group(&last_data->is) == VE_ZEROS)
        last_data--;
    uint64_t code_end = last_code->is.offset + last_code->is.size;
    uint64_t data_end = last_data->is.offset + last_data->is.size;
    uint8_t *at = s->image + sizeof(Elf64_Ehdr);
    const struct object_segment segments[VE_N_SEGMENTS] = {
        {PT_LOAD, PF_R | PF_X, 0, code_end, 0, code_end, VE_PAGE_BYTES},
        {PT_LOAD, PF_R | PF_W, dynamic->is.offset, data_end - dynamic->is.offset,
         dynamic->is.address, last->is.address + last->is.size - dynamic->is.address,
         VE_PAGE_BYTES},
        {PT_DYNAMIC, PF_R | PF_W, dynamic->is.offset, dynamic->is.size, dynamic->is.address,
         dynamic->is.size, 8},
        {PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 16},
    };
    for (size_t i = 0; i < VE_N_SEGMENTS; i++)
        put_segment(at + i * sizeof(Elf64_Phdr), &segments[i]);
}

static void write_names(struct ve_link *s, uint32_t section, const struct strbuf *names)
{
    memcpy(s->image + s->sections[section].is.offset, names->text, names->len);
}

void ve_tables_write(struct ve_link *s, uint64_t sections_at)
{
    const struct ve_tables *t = &s->tables;
    uint64_t name = 1;
    for (size_t i = 1; i < s->n_sections; i++) {
        const struct ve_section *from = &s->sections[i];
        write_section(s->image + sections_at + i * sizeof(Elf64_Shdr), name, from);
        name += strlen(from->is.name) + 1;
    }
    write_header(s, t, sections_at);
    write_segments(s, t);
    write_exported(s, t);
    write_dynamic(s, t);
    write_names(s, t->dynstr, &t->dynamic_names);
    write_names(s, t->strtab, &t->names);
    write_names(s, t->shstrtab, &t->section_names);
    struct cursor c = {s->image + s->sections[t->symtab].is.offset + sizeof(Elf64_Sym), 1};
    each_symbol(s, write_symbol, &c);
    /* By convention; only the dynamic loader itself reads its own. */
    ve_shared_put(s->image + s->sections[t->got].is.offset, s->sections[t->dynamic].is.address, 8);
}
