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
    "select",
    "CONSTANT_MEM_SIZE",
    "MUTABLE_MEM_SIZE",
    "ACTIVATIONS_MEM_SIZE",
    "MEM_ALIGN",
    "STACK_BYTES",
    "MACS",
};
static const char *const taken_prefixes[] = {"BYTES_", "IN_ACTIVATIONS_", "ELEMS_",  "EXTENT_",
                                             "SCALE_", "ZERO_POINT_",     "extent_", "get_"};

static bool is_reserved(const char *name)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strcmp(name, keywords[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(name, taken[i]) == 0)
            return true;
    return false;
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

static bool same_but_for_capitals(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if (*a != *b && !(((*a ^ *b) == 0x20) && (*a | 0x20) >= 'a' && (*a | 0x20) <= 'z'))
            return false;
    return *a == *b;
}

/* What `name` is beside an entry: NAME_config, or an accessor of a tensor. */
static bool is_of_entry(const char *entry, const char *name)
{
    size_t n = strlen(entry);
    if (strncmp(entry, name, n) != 0 || name[n] != '_')
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
    const char **slot;
    size_t mask;
};

/* False where the name is there already. */
static bool name_add(struct name_set *set, const char *name)
{
    size_t i = (size_t)hash(name) & set->mask;
    for (; set->slot[i]; i = (i + 1) & set->mask)
        if (strcmp(set->slot[i], name) == 0)
            return false;
    set->slot[i] = name;
    return true;
}

static const char *unique_name(struct arena *a, struct name_set *set, const char *name)
{
    const char *base = names_legalise(a, name), *s = base;
    for (unsigned n = 1; !name_add(set, s); n++)
        s = arena_printf(a, "%s_%u", base, n);
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

const struct emit_symbol *names_symbols(struct arena *a, const struct emit_part *parts,
                                        size_t n_parts, size_t *out_n_symbols)
{
    size_t n_bufs = 0, n = 0;
    for (size_t j = 0; j < n_parts; j++)
        n_bufs += parts[j].program->n_bufs;
    struct emit_symbol *symbols = arena_array(a, n_bufs, sizeof *symbols);
    struct name_set set = {.mask = 63};
    while (set.mask < 2 * n_bufs)
        set.mask = set.mask * 2 + 1;
    set.slot = arena_array(a, set.mask + 1, sizeof *set.slot);
    for (int round = 0; round < 4; round++)
        for (size_t j = 0; j < n_parts; j++)
            for (size_t i = 0; i < parts[j].program->n_bufs; i++) {
                const struct pbuf *b = &parts[j].program->bufs[i];
                if (is_symbol(b, round) && !is_shared(parts, j, b))
                    symbols[n++] = (struct emit_symbol){unique_name(a, &set, b->name), j, (int)i};
            }
    *out_n_symbols = n;
    return overlaid_last(a, parts, symbols, n);
}
