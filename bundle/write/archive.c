/*
 * The layout is that of ar(5) with GNU's index "/" (System V's: a count, the place of the member
 * for each symbol, their names; numbers are big-endian and have 32 bits, in "/SYM64/" 64) and table
 * of long names "//".
 */
#include "bundle/write/archive.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bundle/read/object.h"
#include "ir/strbuf.h"

static const char MAGIC[] = "!<arch>\n";
enum { MAGIC_BYTES = 8, HEADER_BYTES = 60, SHORT_NAME_MAX = 15 };

struct archive {
    struct arena *arena;
    const struct archive_member *members;
    size_t n;
    struct strbuf symbols;    /* their names, each with its NUL */
    size_t *member_of;        /* of each symbol */
    size_t n_symbols, cap;    /* symbols */
    struct strbuf long_names; /* each with "/\n" */
    const char **name;        /* of each member, as in its header */
};

static uint64_t even(uint64_t n)
{
    return n + n % 2;
}

static bool add_symbols(struct archive *ar, size_t i, struct error *err)
{
    const struct archive_member *m = &ar->members[i];
    struct object o;
    const char *why = object_open(m->data.data, m->data.size, &o);
    if (why)
        return error_set(err, SHEAF_ERROR_FORMAT, "%s: it is no object for a library: %s", m->name,
                         why);
    for (uint32_t k = 1; k < o.n_symbols; k++) {
        struct object_symbol s;
        if (!object_symbol(&o, k, &s))
            return error_set(err, SHEAF_ERROR_FORMAT,
                             "%s: it is no object for a library: symbol %" PRIu32 " is malformed",
                             m->name, k);
        if (s.is_local || s.is_undefined)
            continue;
        strbuf_addn(&ar->symbols, s.name, strlen(s.name) + 1);
        ARENA_PUSH(ar->arena, ar->member_of, ar->n_symbols, ar->cap) = i;
    }
    return true;
}

static void add_name(struct archive *ar, size_t i)
{
    const char *name = ar->members[i].name;
    if (strlen(name) <= SHORT_NAME_MAX) {
        ar->name[i] = arena_printf(ar->arena, "%s/", name);
        return;
    }
    ar->name[i] = arena_printf(ar->arena, "/%zu", ar->long_names.len);
    strbuf_printf(&ar->long_names, "%s/\n", name);
}

/* `zero` stands for time, owner and group; the table of long names has none. */
static void put_member(struct strbuf *out, const char *name, const char *zero, const char *mode,
                       const void *data, size_t size)
{
    strbuf_printf(out, "%-16s%-12s%-6s%-6s%-8s%-10zu`\n", name, zero, zero, zero, mode, size);
    strbuf_addn(out, data, size);
    if (size % 2)
        strbuf_add(out, "\n");
}

static void put_number(struct strbuf *out, uint64_t v, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--) {
        char c = (char)(v >> 8 * i & 0xff);
        strbuf_addn(out, &c, 1);
    }
}

/* The index, with numbers of so many bytes. */
static const struct strbuf *make_index(struct archive *ar, int bytes, uint64_t *out_end)
{
    struct strbuf *index = arena_new(ar->arena, struct strbuf);
    uint64_t index_size = (uint64_t)bytes * (1 + ar->n_symbols) + ar->symbols.len;
    uint64_t at = MAGIC_BYTES + HEADER_BYTES + even(index_size);
    if (ar->long_names.len)
        at += HEADER_BYTES + even(ar->long_names.len);
    strbuf_init(index, ar->arena);
    put_number(index, ar->n_symbols, bytes);
    size_t symbol = 0;
    for (size_t i = 0; i < ar->n; i++) {
        for (; symbol < ar->n_symbols && ar->member_of[symbol] == i; symbol++)
            put_number(index, at, bytes);
        at += HEADER_BYTES + even(ar->members[i].data.size);
    }
    if (ar->symbols.len)
        strbuf_addn(index, ar->symbols.text, ar->symbols.len);
    *out_end = at;
    return index;
}

bool archive_make(struct arena *a, const struct archive_member *members, size_t n,
                  struct bytes *out_archive, struct error *err)
{
    struct archive ar = {.arena = a, .members = members, .n = n};
    strbuf_init(&ar.symbols, a);
    strbuf_init(&ar.long_names, a);
    ar.name = arena_array(a, n, sizeof *ar.name);
    for (size_t i = 0; i < n; i++) {
        if (!add_symbols(&ar, i, err))
            return false;
        add_name(&ar, i);
    }
    uint64_t end;
    const struct strbuf *index = make_index(&ar, 4, &end);
    bool is_large = end > UINT32_MAX;
    if (is_large)
        index = make_index(&ar, 8, &end);

    /* Of its final size at once: weights are large. */
    struct strbuf out = {
        .arena = a, .text = arena_alloc(a, (size_t)end + 1), .cap = (size_t)end + 1};
    strbuf_add(&out, MAGIC);
    put_member(&out, is_large ? "/SYM64/" : "/", "0", "0", index->text, index->len);
    if (ar.long_names.len)
        put_member(&out, "//", "", "", ar.long_names.text, ar.long_names.len);
    for (size_t i = 0; i < n; i++)
        put_member(&out, ar.name[i], "0", "644", members[i].data.data, members[i].data.size);
    *out_archive = (struct bytes){(const uint8_t *)out.text, out.len};
    return true;
}
