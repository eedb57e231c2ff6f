#include "bundle/write/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Keywords of C up to C23 and of C++ up to C++20, and macros of <stdbool.h> and <iso646.h>. */
static const char *const keywords[] = {
    "alignas",
    "alignof",
    "and",
    "and_eq",
    "asm",
    "auto",
    "bitand",
    "bitor",
    "bool",
    "break",
    "case",
    "catch",
    "char",
    "char16_t",
    "char32_t",
    "char8_t",
    "class",
    "co_await",
    "co_return",
    "co_yield",
    "compl",
    "concept",
    "const",
    "const_cast",
    "consteval",
    "constexpr",
    "constinit",
    "continue",
    "decltype",
    "default",
    "delete",
    "do",
    "double",
    "dynamic_cast",
    "else",
    "enum",
    "explicit",
    "export",
    "extern",
    "false",
    "float",
    "for",
    "friend",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "mutable",
    "namespace",
    "new",
    "noexcept",
    "not",
    "not_eq",
    "nullptr",
    "operator",
    "or",
    "or_eq",
    "private",
    "protected",
    "public",
    "register",
    "reinterpret_cast",
    "requires",
    "restrict",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "static_assert",
    "static_cast",
    "struct",
    "switch",
    "template",
    "this",
    "thread_local",
    "throw",
    "true",
    "try",
    "typedef",
    "typeid",
    "typename",
    "typeof",
    "typeof_unqual",
    "union",
    "unsigned",
    "using",
    "virtual",
    "void",
    "volatile",
    "wchar_t",
    "while",
    "xor",
    "xor_eq",
};

/* NAME_<these> are symbols of the object or macros of the header. */
static const char *const taken[] = {
    "config",
    "info",
    "parallel",
    "run",
    "seed",
    "select",
    "ve",
    "CONSTANT_MEM_SIZE",
    "MUTABLE_MEM_SIZE",
    "ACTIVATIONS_MEM_SIZE",
    "MEM_ALIGN",
    "STACK_BYTES",
    "MACS",
};
static const char *const taken_prefixes[] = {"BYTES_", "IN_ACTIVATIONS_", "ELEMS_",  "EXTENT_",
                                             "SCALE_", "ZERO_POINT_",     "extent_", "get_"};

static bool begins(const char *name, const char *start)
{
    return strncmp(name, start, strlen(start)) == 0;
}

static bool ends(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

/* What headers have from <stddef.h>, <stdint.h> and this project, C's keywords with a capital, and
   what a program's start and end is called on Linux. */
static bool is_of_every_header(const char *name)
{
    static const char *const words[] = {
        "NULL",           "offsetof",      "size_t",   "ptrdiff_t", "max_align_t",
        "__func__",       "_Alignas",      "_Alignof", "_Atomic",   "_Bool",
        "_Complex",       "_Generic",      "_BitInt",  "_Noreturn", "_Imaginary",
        "_Static_assert", "_Thread_local", "_init",    "_fini",     "_start"};
    static const char *const limits[] = {"INT",    "UINT",  "SIZE_",      "PTRDIFF_",
                                         "WCHAR_", "WINT_", "SIG_ATOMIC_"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(name, words[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (begins(name, limits[i]) &&
            (ends(name, "_MAX") || ends(name, "_MIN") || ends(name, "_C")))
            return true;
    return ((begins(name, "int") || begins(name, "uint")) && ends(name, "_t")) ||
           (begins(name, "SHEAF_") && !ends(name, "_")) || strcmp(name, "sheaf_entry_fn") == 0 ||
           strcmp(name, "sheaf_select_fn") == 0 || strcmp(name, "sheaf_run_fn") == 0;
}

static bool is_reserved(const char *name)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strcmp(name, keywords[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(name, taken[i]) == 0)
            return true;
    return is_of_every_header(name);
}

static bool has_taken_prefix(const char *name)
{
    for (size_t i = 0; i < sizeof taken_prefixes / sizeof *taken_prefixes; i++)
        if (strncmp(name, taken_prefixes[i], strlen(taken_prefixes[i])) == 0)
            return true;
    return false;
}

static uint64_t hash(const char *s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
    return h;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_identifier_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
}

const char *names_legalise(struct arena *a, const char *name)
{
    if (!*name)
        return "tensor";
    const char *prefix = is_digit(*name) || has_taken_prefix(name) ? "A" : "";
    char *s = arena_printf(a, "%s%s", prefix, name);
    for (char *c = s; *c; c++)
        if (!is_identifier_char(*c))
            *c = '_';
    if (strlen(s) > NAMES_MAX) {
        enum { HASH_CHARS = 17 };
        s[NAMES_MAX - HASH_CHARS] = '\0';
        s = arena_printf(a, "%s_%016" PRIx64, s, hash(name));
    }
    return is_reserved(s) ? arena_printf(a, "%s_", s) : s;
}

/* ---- entries ---- */

static char to_upper(char c)
{
    return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

static bool same_but_for_capitals(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if (*a != *b && !(((*a ^ *b) == 0x20) && (*a | 0x20) >= 'a' && (*a | 0x20) <= 'z'))
            return false;
    return *a == *b;
}

/* What `name` is beside an entry: NAME_config or an accessor of a tensor, or a macro. */
static bool is_of_entry(const char *entry, const char *name)
{
    size_t n = strlen(entry);
    bool is_upper = true;
    for (size_t i = 0; i < n && is_upper; i++)
        is_upper = name[i] == to_upper(entry[i]);
    if ((strncmp(entry, name, n) != 0 && !is_upper) || name[n] != '_')
        return false;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(name + n + 1, taken[i]) == 0)
            return true;
    return has_taken_prefix(name + n + 1);
}

const char *names_entry(struct arena *a, const char *name)
{
    const char *s = names_legalise(a, name);
    return strcmp(s, "main") == 0 || emit_is_routine(s) ? arena_printf(a, "%s_", s) : s;
}

bool names_fit(const char *one, const char *other, struct error *err)
{
    if (strcmp(one, other) == 0)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -add-entry: two functions of the bundle are named '%s'", one);
    if (same_but_for_capitals(one, other))
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -add-entry: '%s' and '%s' differ in capitals only, which the "
                         "header's macros do not",
                         one, other);
    bool first = is_of_entry(one, other);
    if (first || is_of_entry(other, one))
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -add-entry: '%s' is a name that the function '%s' brings with it",
                         first ? other : one, first ? one : other);
    return true;
}

/* ---- uniqueness ---- */

struct name_set {
    struct arena *arena;
    const char **slot;
    size_t n, mask;
};

static void name_set_init(struct name_set *set, struct arena *a)
{
    *set = (struct name_set){.arena = a, .mask = 63};
    set->slot = arena_array(a, set->mask + 1, sizeof *set->slot);
}

/* Where the name is, or belongs. */
static const char **find_slot(const struct name_set *set, const char *name)
{
    size_t i = (size_t)hash(name) & set->mask;
    while (set->slot[i] && strcmp(set->slot[i], name) != 0)
        i = (i + 1) & set->mask;
    return &set->slot[i];
}

/* False where the name is there already. */
static bool name_add(struct name_set *set, const char *name)
{
    if (set->mask < 2 * set->n) {
        struct name_set more = {.mask = set->mask * 2 + 1};
        more.slot = arena_array(set->arena, more.mask + 1, sizeof *more.slot);
        for (size_t i = 0; i <= set->mask; i++)
            if (set->slot[i])
                *find_slot(&more, set->slot[i]) = set->slot[i];
        set->slot = more.slot;
        set->mask = more.mask;
    }
    const char **slot = find_slot(set, name);
    if (*slot)
        return false;
    *slot = name;
    set->n++;
    return true;
}

/* ---- the header ---- */

struct names_header {
    struct name_set set;
};

const char *names_upper(struct arena *a, const char *name)
{
    char *u = arena_strdup(a, name);
    for (char *c = u; *c; c++)
        *c = to_upper(*c);
    return u;
}

struct names_header *names_header_create(struct arena *a)
{
    struct names_header *h = arena_new(a, struct names_header);
    name_set_init(&h->set, a);
    return h;
}

void names_header_reserve(struct names_header *h, const char *name)
{
    name_add(&h->set, name);
}

void names_header_add(struct names_header *h, const struct names_of_entry *of)
{
    struct arena *a = h->set.arena;
    name_add(&h->set, of->entry);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        name_add(&h->set, arena_printf(a, "%s_%s", of->entry, taken[i]));
        name_add(&h->set, arena_printf(a, "%s_%s", of->macros, taken[i]));
    }
}

/* What NAME.h may define of a tensor of that name, and of its dimension d. */
static const char *const TENSOR_MACROS[] = {"",       "IN_ACTIVATIONS_", "BYTES_",
                                            "ELEMS_", "SCALE_",          "ZERO_POINT_"};
static const char *const TENSOR_FUNCTIONS[] = {"get_", "get_IN_ACTIVATIONS_"};
enum {
    N_TENSOR_MACROS = sizeof TENSOR_MACROS / sizeof *TENSOR_MACROS,
    N_TENSOR_FUNCTIONS = sizeof TENSOR_FUNCTIONS / sizeof *TENSOR_FUNCTIONS,
    MAX_DEFINED = N_TENSOR_MACROS + N_TENSOR_FUNCTIONS + 2 * MAX_RANK
};

static size_t defined_of(struct arena *a, const struct names_of_entry *of, const struct pbuf *b,
                         const char *name, const char *out[MAX_DEFINED])
{
    size_t n = 0;
    for (size_t i = 0; i < N_TENSOR_MACROS; i++)
        out[n++] = arena_printf(a, "%s_%s%s", of->macros, TENSOR_MACROS[i], name);
    for (size_t i = 0; i < N_TENSOR_FUNCTIONS; i++)
        out[n++] = arena_printf(a, "%s_%s%s", of->entry, TENSOR_FUNCTIONS[i], name);
    for (int d = 0; d < b->rank; d++)
        if (b->extent_buf[d] >= 0) {
            out[n++] = arena_printf(a, "%s_EXTENT_%d_%s", of->macros, d, name);
            out[n++] = arena_printf(a, "%s_extent_%d_%s", of->entry, d, name);
        }
    return n;
}

/* Whether all that the header defines of the tensor is new; then it is noted. */
static bool header_takes(const struct names_of_entry *of, const struct pbuf *b, const char *name)
{
    const char *defined[MAX_DEFINED];
    if (!of || b->area == AREA_CONSTANT)
        return true;
    struct name_set *set = &of->header->set;
    size_t n = defined_of(set->arena, of, b, name, defined);
    for (size_t i = 0; i < n; i++)
        if (*find_slot(set, defined[i]))
            return false;
    for (size_t i = 0; i < n; i++)
        name_add(set, defined[i]);
    return true;
}

/* ---- symbols ---- */

static const char *unique_name(struct name_set *set, const struct names_of_entry *of,
                               const struct pbuf *b)
{
    struct arena *a = set->arena;
    const char *base = names_legalise(a, b->name), *s = base;
    for (unsigned n = 1; *find_slot(set, s) || !header_takes(of, b, s); n++)
        s = arena_printf(a, "%s_%u", base, n);
    name_add(set, s);
    return s;
}

static bool is_symbol(const struct pbuf *b, int round)
{
    static const enum sheaf_role order[] = {SHEAF_ROLE_INPUT, SHEAF_ROLE_OUTPUT, SHEAF_ROLE_STATE,
                                            SHEAF_ROLE_CONSTANT};
    return b->view_of < 0 && !b->unused && b->role == order[round] &&
           (b->area != AREA_ACTIVATION || program_is_overlaid(b));
}

/* Whether a part before this one has the tensor at the same place. */
static bool is_shared(const struct emit_part *parts, size_t part, const struct pbuf *b)
{
    for (size_t j = 0; j < part; j++)
        for (size_t i = 0; i < parts[j].program->n_bufs; i++) {
            const struct pbuf *other = &parts[j].program->bufs[i];
            if (other->area == b->area && other->offset == b->offset && other->view_of < 0 &&
                !other->unused && strcmp(other->name, b->name) == 0)
                return true;
        }
    return false;
}

/* Those that lie in the areas of NAME_config's table come first. */
static const struct emit_symbol *overlaid_last(struct arena *a, const struct emit_part *parts,
                                               const struct emit_symbol *symbols, size_t n)
{
    struct emit_symbol *sorted = arena_array(a, n, sizeof *sorted);
    size_t to = 0;
    for (int overlaid = 0; overlaid < 2; overlaid++)
        for (size_t i = 0; i < n; i++) {
            const struct emit_symbol *s = &symbols[i];
            if (program_is_overlaid(&parts[s->part].program->bufs[s->buf]) == overlaid)
                sorted[to++] = *s;
        }
    return sorted;
}

const struct emit_symbol *names_symbols_in(struct arena *a, const struct names_of_entry *of,
                                           const struct emit_part *parts, size_t n_parts,
                                           size_t *out_n_symbols)
{
    size_t n_bufs = 0, n = 0;
    for (size_t j = 0; j < n_parts; j++)
        n_bufs += parts[j].program->n_bufs;
    struct emit_symbol *symbols = arena_array(a, n_bufs, sizeof *symbols);
    struct name_set set;
    name_set_init(&set, a);
    for (int round = 0; round < 4; round++)
        for (size_t j = 0; j < n_parts; j++)
            for (size_t i = 0; i < parts[j].program->n_bufs; i++) {
                const struct pbuf *b = &parts[j].program->bufs[i];
                if (is_symbol(b, round) && !is_shared(parts, j, b))
                    symbols[n++] = (struct emit_symbol){unique_name(&set, of, b), j, (int)i};
            }
    *out_n_symbols = n;
    return overlaid_last(a, parts, symbols, n);
}

const struct emit_symbol *names_symbols(struct arena *a, const struct emit_part *parts,
                                        size_t n_parts, size_t *out_n_symbols)
{
    return names_symbols_in(a, NULL, parts, n_parts, out_n_symbols);
}
