#include "bundle/write/repack.h"

#include <string.h>

#include "bundle/read/audit.h"
#include "bundle/write/file.h"
#include "ir/checked.h"

uint64_t repack_layout_id(const struct bytes *object)
{
    struct object o;
    struct audit_entry e;
    return !object_open(object->data, object->size, &o) && audit_entry(&o, 0, &e) ? e.layout_id : 0;
}

/* Symbol i's bytes in the file; NULL where it has none. */
static const uint8_t *symbol_bytes(const struct object *o, uint32_t i, struct object_symbol *out)
{
    struct object_section s;
    if (!object_symbol(o, i, out) || out->is_undefined || !out->size ||
        !object_section(o, out->section, &s) || s.offset > o->size || out->value > s.size ||
        out->size > s.size - out->value || s.size > o->size - s.offset)
        return NULL;
    return o->data + s.offset + out->value;
}

static bool has_same(const struct object *o, const struct object_symbol *want, const uint8_t *bytes)
{
    for (uint32_t i = 1; i < o->n_symbols; i++) {
        struct object_symbol s;
        const uint8_t *own = symbol_bytes(o, i, &s);
        if (own && strcmp(s.name, want->name) == 0)
            return s.size == want->size && memcmp(own, bytes, (size_t)s.size) == 0;
    }
    return false;
}

/* The first function or table of the new object that the old one does not have so. */
static const char *first_difference(const struct bytes *new, const struct object *old)
{
    struct object o;
    if (object_open(new->data, new->size, &o))
        return "the object";
    for (uint32_t i = 1; i < o.n_symbols; i++) {
        struct object_symbol s;
        const uint8_t *bytes = symbol_bytes(&o, i, &s);
        if (bytes && s.is_function && !has_same(old, &s, bytes))
            return s.name;
    }
    return "the table of symbols";
}

bool repack_write(struct arena *a, const char *dir, const char *name, const struct bytes *object,
                  const struct weights *weights, struct error *err)
{
    const char *path = arena_printf(a, "%s/%s.o", dir, name);
    struct object old;
    uint8_t *data;
    size_t size;
    if (!file_read(a, path, LIMIT_FILE_BYTES, &data, &size, err))
        return false;
    const char *why = object_open(data, size, &old);
    if (why)
        return error_set(err, SHEAF_ERROR_FORMAT, "%s is no object: %s", path, why);
    struct bytes old_bytes = {data, size};
    if (!repack_layout_id(&old_bytes))
        return error_set(err, SHEAF_ERROR_FORMAT,
                         "%s was made for its own weights only: emit it with -replaceable-weights",
                         path);
    if (size != object->size || memcmp(data, object->data, size) != 0)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "%s: the weights do not fit, for the model gives other code or another "
                         "layout, first in '%s'",
                         path, first_difference(object, &old));
    return file_write_atomic(arena_printf(a, "%s/%s.weights", dir, name), weights->data,
                             weights->size, err);
}
