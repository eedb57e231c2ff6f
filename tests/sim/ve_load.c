#define _DEFAULT_SOURCE /* strdup */
/*
 * ELF files into memory, as NEC's linker and its dynamic loader would put them there.
 *
 * A relocatable object gets its sections one behind the other, and a table of addresses (GOT)
 * behind them; a shared object lies as its segments say.  What the loader of glibc-ve would have to
 * do and nothing here does is refused: other libraries, initializers, thread-local data.
 */
#include <elf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/read/object.h"
#include "bundle/read/ve_elf.h"
#include "tests/sim/ve_image.h"

enum { MAX_BYTES = 1 << 30, CACHE_LINE = 128 };

struct loading {
    struct sim_ve *ve;
    struct sim_ve_library *library;
    struct object o;
    const char *name;
    struct error *err;
    uint8_t *image; /* what goes to library->address */
    uint64_t n_bytes;
    uint64_t *section_at; /* of ET_REL: where each section begins, ~0: nowhere */
    uint64_t *got_at;     /* by symbol: its entry, 0: none */
    uint64_t got;         /* from the start of the image on */
    uint64_t n_got;
};

static bool refuse(struct loading *l, const char *why)
{
    return error_set(l->err, SHEAF_ERROR_FORMAT, "%s: %s", l->name, why);
}

static bool out_of_memory(struct loading *l)
{
    return error_set(l->err, SHEAF_ERROR_MEMORY, "%s: no memory to load it", l->name);
}

/* ---- relocatable objects ---- */

static bool is_loaded(const struct object_section *s)
{
    return (s->flags & SHF_ALLOC) && s->size > 0;
}

/* Code first, so that it is one range; then constants, then data. */
static unsigned rank_of(const struct object_section *s)
{
    return s->flags & SHF_EXECINSTR ? 0 : s->flags & SHF_WRITE ? 2 : 1;
}

static bool place_sections(struct loading *l)
{
    uint64_t at = 0;
    struct object_section s;
    for (unsigned rank = 0; rank < 3; rank++) {
        for (uint32_t i = 1; i < l->o.n_sections; i++) {
            if (!object_section(&l->o, i, &s) || !is_loaded(&s) || rank_of(&s) != rank)
                continue;
            if (s.flags & SHF_TLS)
                return refuse(l, "it has thread-local data");
            uint64_t align = s.align > 8 ? s.align : 8;
            if (s.size > MAX_BYTES || align > MAX_BYTES || at > MAX_BYTES)
                return out_of_memory(l);
            at = (at + align - 1) / align * align;
            l->section_at[i] = at;
            at += s.size;
        }
        if (rank == 0)
            l->library->code_bytes = at;
    }
    l->got = (at + 7) / 8 * 8;
    l->n_bytes = l->got + 8 * (l->o.n_symbols + UINT64_C(1));
    return true;
}

static bool symbol_address(struct loading *l, uint32_t i, struct object_symbol *s,
                           uint64_t *out_address)
{
    if (!object_symbol(&l->o, i, s))
        return refuse(l, "a symbol is malformed");
    if (s->is_undefined && strcmp(s->name, "_GLOBAL_OFFSET_TABLE_") == 0) {
        *out_address = l->library->address + l->got;
        return true;
    }
    if (s->is_undefined && i != 0)
        return error_set(l->err, SHEAF_ERROR_NOT_FOUND, "%s: it needs '%s' from elsewhere", l->name,
                         s->name);
    if (s->section >= l->o.n_sections || l->section_at[s->section] == UINT64_MAX) {
        *out_address = s->value;
        return true;
    }
    *out_address = l->library->address + l->section_at[s->section] + s->value;
    return true;
}

enum what { ADDRESS, DISTANCE, ENTRY, OFFSET };
enum part { ALL, LOW, HIGH, QUAD };

static const struct rule {
    enum what what;
    enum part part;
    const char *name;
} rules[] = {
#define ROW(number, name, what, part) [number] = {what, part, #name},
    VE_RELOCATIONS(ROW)
#undef ROW
};
enum { N_RULES = sizeof rules / sizeof *rules };

static bool fill_in(struct loading *l, uint8_t *at, const struct rule *rule, uint64_t value)
{
    uint32_t half = (uint32_t)(rule->part == HIGH ? value >> 32 : value);
    if (rule->part == ALL && (int64_t)value != (int32_t)half && value != half)
        return error_set(l->err, SHEAF_ERROR_FORMAT, "%s: %s does not fit 32 bits", l->name,
                         rule->name);
    memcpy(at, rule->part == QUAD ? (const void *)&value : &half, rule->part == QUAD ? 8 : 4);
    return true;
}

static bool relocate(struct loading *l, uint32_t section, const struct object_relocation *r)
{
    struct object_symbol s;
    uint64_t value, base = l->library->address;
    if (r->type == 0)
        return true;
    if (r->type >= N_RULES || !rules[r->type].name)
        return error_set(l->err, SHEAF_ERROR_UNSUPPORTED, "%s: relocation %" PRIu32 " is not known",
                         l->name, r->type);
    const struct rule *rule = &rules[r->type];
    uint64_t at = l->section_at[section] + r->offset;
    if (r->offset > l->n_bytes || at > l->n_bytes - 8)
        return refuse(l, "a relocation lies outside of its section");
    if (!symbol_address(l, r->symbol, &s, &value))
        return false;
    if (rule->what == ENTRY) {
        if (!l->got_at[r->symbol])
            l->got_at[r->symbol] = l->got + 8 * ++l->n_got;
        memcpy(l->image + l->got_at[r->symbol], &value, sizeof value);
        value = l->got_at[r->symbol] - l->got;
    }
    value += (uint64_t)r->addend;
    if (rule->what == DISTANCE)
        value -= base + at;
    if (rule->what == OFFSET)
        value -= base + l->got;
    return fill_in(l, l->image + at, rule, value);
}

static bool fill_sections(struct loading *l)
{
    struct object_section s;
    for (uint32_t i = 1; i < l->o.n_sections; i++)
        if (object_section(&l->o, i, &s) && l->section_at[i] != UINT64_MAX && s.type != SHT_NOBITS)
            memcpy(l->image + l->section_at[i], l->o.data + s.offset, s.size);
    for (uint32_t i = 1; i < l->o.n_sections; i++) {
        struct object_relocation r;
        if (!object_section(&l->o, i, &s) || s.type != SHT_RELA || s.info >= l->o.n_sections ||
            l->section_at[s.info] == UINT64_MAX)
            continue;
        for (uint64_t k = 0; object_relocation(&l->o, i, k, &r); k++)
            if (!relocate(l, s.info, &r))
                return false;
    }
    return true;
}

static bool add_symbol(struct loading *l, const struct object_symbol *s, uint64_t address)
{
    struct sim_ve_library *lib = l->library;
    lib->symbols[lib->n_symbols] = (struct ve_symbol){
        .name = strdup(s->name), .address = address, .n_bytes = s->size, .is_global = !s->is_local};
    lib->symbols[lib->n_symbols].is_global = !s->is_local && !s->is_hidden;
    if (!lib->symbols[lib->n_symbols].name)
        return out_of_memory(l);
    lib->n_symbols++;
    if (s->is_function)
        lib->functions[lib->n_functions++] =
            (struct ve_function){.stats.name = lib->symbols[lib->n_symbols - 1].name,
                                 .address = address,
                                 .n_bytes = s->size};
    return true;
}

static bool take_memory(struct loading *l, uint64_t align)
{
    struct sim_ve_library *lib = l->library;
    l->image = calloc(1, l->n_bytes ? l->n_bytes : 1);
    lib->n_bytes = l->n_bytes;
    lib->address = ve_memory_alloc(&l->ve->memory, l->n_bytes, align, 0, VE_OWNER_LIBRARY);
    lib->code += lib->address;
    lib->insns = calloc(lib->code_bytes / 8 + 1, sizeof *lib->insns);
    lib->symbols = calloc(l->o.n_symbols + 1U, sizeof *lib->symbols);
    lib->functions = calloc(l->o.n_symbols + 1U, sizeof *lib->functions);
    if (!l->image || !lib->address || !lib->insns || !lib->symbols || !lib->functions)
        return out_of_memory(l);
    return true;
}

static bool load_relocatable(struct loading *l)
{
    l->section_at = malloc((l->o.n_sections + 1U) * sizeof *l->section_at);
    l->got_at = calloc(l->o.n_symbols + 1U, sizeof *l->got_at);
    if (!l->section_at || !l->got_at)
        return out_of_memory(l);
    memset(l->section_at, 0xff, (l->o.n_sections + 1U) * sizeof *l->section_at);
    if (!place_sections(l) || !take_memory(l, VE_PAGE_BYTES) || !fill_sections(l))
        return false;
    for (uint32_t i = 1; i < l->o.n_symbols; i++) {
        struct object_symbol s;
        uint64_t address;
        if (object_symbol(&l->o, i, &s) && !s.is_undefined && *s.name &&
            (!symbol_address(l, i, &s, &address) || !add_symbol(l, &s, address)))
            return false;
    }
    ve_memory_put(&l->ve->memory, l->library->address, l->image, l->n_bytes);
    for (uint32_t i = 1; i < l->o.n_sections; i++) {
        struct object_section s;
        if (object_section(&l->o, i, &s) && l->section_at[i] != UINT64_MAX &&
            !(s.flags & SHF_WRITE))
            ve_memory_make_constant(&l->ve->memory, l->library->address + l->section_at[i], s.size);
    }
    return true;
}

/* ---- shared objects ---- */

enum { R_VE_GLOB_DAT = 18, R_VE_JUMP_SLOT = 19 };

static bool check_segment(struct loading *l, const struct object_segment *s)
{
    if (s->align < VE_PAGE_BYTES || s->align & (s->align - 1))
        return refuse(l, "a segment is not aligned to pages of 2 MiB");
    if (s->address % s->align != s->offset % s->align)
        return refuse(l, "a segment's place in the file and its address differ within a page");
    if (s->memory_size > MAX_BYTES || s->address > MAX_BYTES)
        return out_of_memory(l);
    return true;
}

static bool measure_segments(struct loading *l)
{
    struct object_segment s;
    bool has_code = false;
    for (uint32_t i = 0; object_segment(&l->o, i, &s); i++) {
        if (s.type == PT_TLS)
            return refuse(l, "it has thread-local data");
        if (s.type != PT_LOAD)
            continue;
        if (!check_segment(l, &s))
            return false;
        if (s.address + s.memory_size > l->n_bytes)
            l->n_bytes = s.address + s.memory_size;
        if (!(s.flags & PF_X))
            continue;
        if (has_code)
            return refuse(l, "it has two segments with code");
        has_code = true;
        l->library->code = s.address;
        l->library->code_bytes = s.memory_size;
    }
    return has_code || refuse(l, "it has no segment with code");
}

/* What the dynamic section says, addresses being those of the file. */
struct dynamic {
    uint64_t hash, strings, n_string_bytes, symbols, rela, n_rela_bytes, plt, n_plt_bytes;
};

static bool within(const struct loading *l, uint64_t at, uint64_t n_bytes)
{
    return at <= l->n_bytes && n_bytes <= l->n_bytes - at;
}

static bool read_tag(struct loading *l, const Elf64_Dyn *d, struct dynamic *out)
{
    switch (d->d_tag) {
    case DT_NEEDED:
        return refuse(l, "it needs another library");
    case DT_INIT:
    case DT_INIT_ARRAY:
    case DT_FINI:
    case DT_FINI_ARRAY:
        return refuse(l, "it has code that runs when it is loaded or unloaded");
    case DT_TEXTREL:
        return refuse(l, "its code must be changed when it is loaded");
    case DT_HASH:
        out->hash = d->d_un.d_ptr;
        break;
    case DT_STRTAB:
        out->strings = d->d_un.d_ptr;
        break;
    case DT_STRSZ:
        out->n_string_bytes = d->d_un.d_val;
        break;
    case DT_SYMTAB:
        out->symbols = d->d_un.d_ptr;
        break;
    case DT_RELA:
        out->rela = d->d_un.d_ptr;
        break;
    case DT_RELASZ:
        out->n_rela_bytes = d->d_un.d_val;
        break;
    case DT_JMPREL:
        out->plt = d->d_un.d_ptr;
        break;
    case DT_PLTRELSZ:
        out->n_plt_bytes = d->d_un.d_val;
        break;
    default:
        break;
    }
    return true;
}

static bool read_dynamic(struct loading *l, struct dynamic *out)
{
    struct object_segment s;
    *out = (struct dynamic){0};
    for (uint32_t i = 0; object_segment(&l->o, i, &s); i++) {
        if (s.type != PT_DYNAMIC)
            continue;
        if (!within(l, s.address, s.file_size))
            return refuse(l, "its dynamic section lies in no segment");
        for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= s.file_size; at += sizeof(Elf64_Dyn)) {
            Elf64_Dyn d;
            memcpy(&d, l->image + s.address + at, sizeof d);
            if (d.d_tag == DT_NULL)
                return true;
            if (!read_tag(l, &d, out))
                return false;
        }
        return refuse(l, "its dynamic section has no end");
    }
    return refuse(l, "it has no dynamic section");
}

static bool dynamic_symbol(struct loading *l, const struct dynamic *d, uint64_t i, Elf64_Sym *out)
{
    uint64_t at = d->symbols + i * sizeof *out;
    if (!within(l, at, sizeof *out))
        return refuse(l, "a symbol lies outside of the segments");
    memcpy(out, l->image + at, sizeof *out);
    if (out->st_name >= d->n_string_bytes ||
        !memchr(l->image + d->strings + out->st_name, 0, d->n_string_bytes - out->st_name))
        return refuse(l, "a symbol's name lies outside of the strings");
    if (i > 0 && out->st_shndx == SHN_UNDEF)
        return error_set(l->err, SHEAF_ERROR_NOT_FOUND, "%s: it needs '%s' from elsewhere", l->name,
                         (const char *)l->image + d->strings + out->st_name);
    return true;
}

static bool apply_table(struct loading *l, const struct dynamic *d, uint64_t table,
                        uint64_t n_bytes)
{
    if (!within(l, table, n_bytes))
        return refuse(l, "its relocations lie outside of the segments");
    for (uint64_t at = 0; at + sizeof(Elf64_Rela) <= n_bytes; at += sizeof(Elf64_Rela)) {
        Elf64_Rela r;
        Elf64_Sym s;
        memcpy(&r, l->image + table + at, sizeof r);
        uint64_t type = ELF64_R_TYPE(r.r_info), value = l->library->address + (uint64_t)r.r_addend;
        if (type != R_VE_RELATIVE && type != R_VE_REFQUAD && type != R_VE_GLOB_DAT &&
            type != R_VE_JUMP_SLOT)
            return error_set(l->err, SHEAF_ERROR_UNSUPPORTED,
                             "%s: relocation %" PRIu64 " is none of the dynamic loader's", l->name,
                             type);
        if (!within(l, r.r_offset, 8) || r.r_offset % 8)
            return refuse(l, "a relocation lies outside of the segments, or is not aligned");
        if (type != R_VE_RELATIVE) {
            if (!dynamic_symbol(l, d, ELF64_R_SYM(r.r_info), &s))
                return false;
            value += s.st_value;
        }
        memcpy(l->image + r.r_offset, &value, sizeof value);
    }
    return true;
}

/* System V ABI, chapter 5, "Hash Table". */
static uint32_t hash_of(const char *name)
{
    uint32_t h = 0;
    for (; *name; name++) {
        h = (h << 4) + (uint8_t)*name;
        h = (h ^ (h & 0xf0000000) >> 24) & 0x0fffffff;
    }
    return h;
}

/* Symbols as the loader finds them: one that its chain does not lead to is refused. */
static bool read_dynamic_symbols(struct loading *l, const struct dynamic *d)
{
    uint32_t n[2], next;
    if (!within(l, d->hash, sizeof n) || !within(l, d->strings, d->n_string_bytes))
        return refuse(l, "its tables lie outside of the segments");
    memcpy(n, l->image + d->hash, sizeof n);
    if (n[0] == 0 || !within(l, d->hash + 8, 4 * ((uint64_t)n[0] + n[1])))
        return refuse(l, "its hash table is empty, or lies outside of the segments");
    const uint8_t *table = l->image + d->hash + 8;
    free(l->library->symbols);
    free(l->library->functions);
    uint64_t most = UINT64_C(1) + n[1] + l->o.n_symbols;
    l->library->symbols = calloc(most, sizeof *l->library->symbols);
    l->library->functions = calloc(most, sizeof *l->library->functions);
    if (!l->library->symbols || !l->library->functions)
        return out_of_memory(l);
    for (uint32_t i = 1; i < n[1]; i++) {
        Elf64_Sym s;
        if (!dynamic_symbol(l, d, i, &s))
            return false;
        const char *name = (const char *)l->image + d->strings + s.st_name;
        uint32_t steps = 0;
        memcpy(&next, table + 4 * (uint64_t)(hash_of(name) % n[0]), 4);
        while (next != i && next != 0 && next < n[1] && steps++ < n[1])
            memcpy(&next, table + 4 * ((uint64_t)n[0] + next), 4);
        if (next != i && ELF64_ST_BIND(s.st_info) != STB_LOCAL)
            return error_set(l->err, SHEAF_ERROR_FORMAT, "%s: its hash table does not lead to '%s'",
                             l->name, name);
        struct object_symbol o = {.name = name,
                                  .is_local = ELF64_ST_BIND(s.st_info) == STB_LOCAL,
                                  .is_function = ELF64_ST_TYPE(s.st_info) == STT_FUNC,
                                  .size = s.st_size};
        if (!add_symbol(l, &o, l->library->address + s.st_value))
            return false;
    }
    return true;
}

/* Functions of which the dynamic loader knows nothing: figures and faults name them. */
static bool read_local_functions(struct loading *l)
{
    for (uint32_t i = 1; i < l->o.n_symbols; i++) {
        struct object_symbol s;
        if (object_symbol(&l->o, i, &s) && s.is_local && s.is_function && s.value < l->n_bytes &&
            !add_symbol(l, &s, l->library->address + s.value))
            return false;
    }
    return true;
}

/* Of memory between segments nothing may be touched. */
static void open_segments(struct loading *l)
{
    struct ve_memory *m = &l->ve->memory;
    uint64_t base = l->library->address;
    struct object_segment s;
    memset(m->state + (base - VE_BASE), 0, l->n_bytes);
    for (uint32_t i = 0; object_segment(&l->o, i, &s); i++) {
        if (s.type != PT_LOAD)
            continue;
        ve_memory_put(m, base + s.address, l->image + s.address, s.memory_size);
        if (!(s.flags & PF_W))
            ve_memory_make_constant(m, base + s.address, s.memory_size);
    }
}

static bool load_shared(struct loading *l)
{
    struct object_segment s;
    struct dynamic d;
    if (!measure_segments(l) || !take_memory(l, VE_PAGE_BYTES))
        return false;
    for (uint32_t i = 0; object_segment(&l->o, i, &s); i++)
        if (s.type == PT_LOAD)
            memcpy(l->image + s.address, l->o.data + s.offset, s.file_size);
    if (!read_dynamic(l, &d) || !read_dynamic_symbols(l, &d) || !read_local_functions(l) ||
        !apply_table(l, &d, d.rela, d.n_rela_bytes) || !apply_table(l, &d, d.plt, d.n_plt_bytes))
        return false;
    open_segments(l);
    return true;
}

/* ---- both ---- */

static int by_address(const void *a, const void *b)
{
    const struct ve_function *f = a, *g = b;
    return (f->address > g->address) - (f->address < g->address);
}

static void free_library(struct sim_ve_library *lib)
{
    for (size_t i = 0; i < lib->n_symbols; i++)
        free(lib->symbols[i].name);
    free(lib->symbols);
    free(lib->functions);
    free(lib->insns);
    free(lib);
}

static bool load(struct loading *l, const void *elf, size_t n_bytes)
{
    const char *why = object_open(elf, n_bytes, &l->o);
    if (why)
        return refuse(l, why);
    if (l->o.machine != VE_MACHINE || !l->o.is_64 || l->o.is_big_endian)
        return refuse(l, "it is not for the Vector Engine");
    if (l->o.flags != 0)
        return refuse(l, "it is for another engine than the first, or another ABI");
    if (l->o.type != ET_REL && l->o.type != ET_DYN)
        return refuse(l, "it is neither a relocatable nor a shared object");
    return l->o.type == ET_REL ? load_relocatable(l) : load_shared(l);
}

struct sim_ve_library *sim_ve_load(struct sim_ve *ve, const char *name, const void *elf,
                                   size_t n_bytes, struct error *err)
{
    struct loading l = {.ve = ve, .name = name, .err = err};
    l.library = calloc(1, sizeof *l.library);
    bool ok = l.library ? load(&l, elf, n_bytes) : out_of_memory(&l);
    free(l.image);
    free(l.section_at);
    free(l.got_at);
    if (!ok) {
        if (l.library && l.library->address)
            ve_memory_free(&ve->memory, l.library->address);
        if (l.library)
            free_library(l.library);
        return NULL;
    }
    l.library->ve = ve;
    l.library->next = ve->libraries;
    ve->libraries = l.library;
    qsort(l.library->functions, l.library->n_functions, sizeof *l.library->functions, by_address);
    return l.library;
}

void sim_ve_unload(struct sim_ve *ve, struct sim_ve_library *library)
{
    if (!library || library->unloaded)
        return;
    ve_memory_free(&ve->memory, library->address);
    library->unloaded = true;
}

void ve_free_libraries(struct sim_ve *ve)
{
    while (ve->libraries) {
        struct sim_ve_library *next = ve->libraries->next;
        free_library(ve->libraries);
        ve->libraries = next;
    }
}

static uint64_t find_in(const struct sim_ve_library *l, const char *name)
{
    for (size_t i = 0; !l->unloaded && i < l->n_symbols; i++)
        if (l->symbols[i].is_global && strcmp(l->symbols[i].name, name) == 0)
            return l->symbols[i].address;
    return 0;
}

uint64_t sim_ve_symbol(const struct sim_ve *ve, const struct sim_ve_library *library,
                       const char *name)
{
    if (library)
        return find_in(library, name);
    for (const struct sim_ve_library *l = ve->libraries; l; l = l->next)
        if (find_in(l, name))
            return find_in(l, name);
    return 0;
}

struct sim_ve_library *ve_library_at(const struct sim_ve *ve, uint64_t address)
{
    for (struct sim_ve_library *l = ve->libraries; l; l = l->next)
        if (!l->unloaded && address - l->code < l->code_bytes)
            return l;
    return NULL;
}

struct ve_function *ve_function_at(const struct sim_ve_library *l, uint64_t address)
{
    size_t low = 0, high = l->n_functions;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (l->functions[mid].address <= address)
            low = mid + 1;
        else
            high = mid;
    }
    struct ve_function *f = low ? &l->functions[low - 1] : NULL;
    return f && (address - f->address < f->n_bytes || !f->n_bytes) ? f : NULL;
}

void ve_place(const struct sim_ve *ve, uint64_t address, char *out, size_t size)
{
    const struct sim_ve_library *l = ve_library_at(ve, address);
    const struct ve_function *f = l ? ve_function_at(l, address) : NULL;
    if (f)
        snprintf(out, size, "%s+0x%" PRIx64, f->stats.name, address - f->address);
    else
        snprintf(out, size, "0x%" PRIx64, address);
}
