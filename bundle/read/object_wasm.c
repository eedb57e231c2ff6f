#include "bundle/read/object_wasm.h"

#include <string.h>

enum { SECTION_CUSTOM = 0, SECTION_IMPORT = 2, SUBSECTION_SYMBOLS = 8, LINKING_VERSION = 2 };
enum { KIND_FUNCTION, KIND_DATA, KIND_GLOBAL, KIND_SECTION, KIND_TAG, KIND_TABLE };
enum { FLAG_LOCAL = 0x02, FLAG_UNDEFINED = 0x10, FLAG_EXPLICIT_NAME = 0x40 };

/* Where reading stands, in the bytes up to `end`. */
struct cursor {
    const uint8_t *p, *end;
    bool failed;
};

static uint32_t read_u32(struct cursor *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        if (c->p >= c->end)
            break;
        uint8_t byte = *c->p++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80) && v <= UINT32_MAX)
            return (uint32_t)v;
    }
    c->failed = true;
    return 0;
}

static uint8_t read_byte(struct cursor *c)
{
    if (c->p < c->end)
        return *c->p++;
    c->failed = true;
    return 0;
}

/* The next `size` bytes by themselves. */
static struct cursor part(struct cursor *c, uint32_t size)
{
    struct cursor sub = {c->p, c->p, c->failed};
    if (c->failed || size > (size_t)(c->end - c->p)) {
        c->failed = sub.failed = true;
        return sub;
    }
    sub.end = c->p += size;
    return sub;
}

bool object_wasm_is(const void *data, size_t size)
{
    return size >= 8 && memcmp(data, "\0asm\1\0\0\0", 8) == 0;
}

static bool is_named(struct cursor name, const char *text)
{
    return !name.failed && (size_t)(name.end - name.p) == strlen(text) &&
           memcmp(name.p, text, strlen(text)) == 0;
}

static void read_symbol(struct cursor *c, struct wasm_symbol *out)
{
    uint8_t kind = read_byte(c);
    uint32_t flags = read_u32(c);
    struct cursor name = {c->p, c->p, false};
    bool is_undefined = flags & FLAG_UNDEFINED;
    if (kind == KIND_DATA) {
        name = part(c, read_u32(c));
        for (int i = 0; !is_undefined && i < 3; i++)
            read_u32(c); /* segment, offset, size */
    } else {
        read_u32(c); /* index */
        if (kind != KIND_SECTION && (!is_undefined || (flags & FLAG_EXPLICIT_NAME)))
            name = part(c, read_u32(c));
    }
    /* The stack pointer and the tables come from the linker always. */
    *out = (struct wasm_symbol){.name = (const char *)name.p,
                                .length = (size_t)(name.end - name.p),
                                .is_undefined = is_undefined && kind == KIND_DATA,
                                .is_local = flags & FLAG_LOCAL,
                                .is_function = kind == KIND_FUNCTION};
}

/* An undefined function has no name here where it has that of its import, see each_import. */
static const char *each_symbol(struct cursor linking, object_wasm_fn *fn, void *arg)
{
    if (read_u32(&linking) != LINKING_VERSION)
        return "its linking section has an unknown version";
    while (!linking.failed && linking.p < linking.end) {
        uint8_t kind = read_byte(&linking);
        uint32_t size = read_u32(&linking);
        struct cursor sub = part(&linking, size);
        if (kind != SUBSECTION_SYMBOLS)
            continue;
        uint32_t n = read_u32(&sub);
        for (uint32_t i = 0; i < n && !sub.failed; i++) {
            struct wasm_symbol symbol;
            read_symbol(&sub, &symbol);
            if (!sub.failed)
                fn(&symbol, arg);
        }
        linking.failed |= sub.failed;
    }
    return linking.failed ? "its linking section is malformed" : NULL;
}

/* Functions that the object imports: a module, a name, kind 0 and a type. */
static const char *each_import(struct cursor c, object_wasm_fn *fn, void *arg)
{
    enum { IMPORT_FUNCTION, IMPORT_TABLE, IMPORT_MEMORY, IMPORT_GLOBAL, IMPORT_TAG };
    uint32_t n = read_u32(&c);
    for (uint32_t i = 0; i < n && !c.failed; i++) {
        uint32_t size = read_u32(&c);
        part(&c, size);
        size = read_u32(&c);
        struct cursor name = part(&c, size);
        uint8_t kind = read_byte(&c);
        if (kind == IMPORT_TABLE)
            read_byte(&c);
        if (kind == IMPORT_TABLE || kind == IMPORT_MEMORY) {
            bool has_most = read_u32(&c) & 1;
            read_u32(&c);
            if (has_most)
                read_u32(&c);
        } else if (kind == IMPORT_GLOBAL) {
            read_byte(&c);
            read_byte(&c);
        } else {
            if (kind == IMPORT_TAG)
                read_byte(&c);
            read_u32(&c);
        }
        if (kind == IMPORT_FUNCTION && !c.failed)
            fn(&(struct wasm_symbol){.name = (const char *)name.p,
                                     .length = (size_t)(name.end - name.p),
                                     .is_undefined = true,
                                     .is_function = true},
               arg);
    }
    return c.failed ? "its imports are malformed" : NULL;
}

const char *object_wasm_each(const void *data, size_t size, object_wasm_fn *fn, void *arg)
{
    const uint8_t *bytes = data;
    if (!object_wasm_is(data, size))
        return "it is not in WebAssembly format";
    struct cursor c = {bytes + 8, bytes + size, false};
    const char *why = NULL;
    bool has_symbols = false;
    while (!why && !c.failed && c.p < c.end) {
        uint8_t id = read_byte(&c);
        uint32_t length = read_u32(&c);
        struct cursor section = part(&c, length);
        if (c.failed)
            break;
        if (id == SECTION_IMPORT)
            why = each_import(section, fn, arg);
        if (id != SECTION_CUSTOM)
            continue;
        length = read_u32(&section);
        if (is_named(part(&section, length), "linking")) {
            has_symbols = true;
            why = each_symbol(section, fn, arg);
        }
    }
    if (c.failed)
        return "a section lies outside";
    return why || has_symbols ? why : "it has no symbols";
}
