#include "bundle/write/bundle.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bundle/read/object.h"
#include "bundle/read/object_wasm.h"
#include "bundle/write/file.h"
#include "bundle/write/header.h"
#include "bundle/write/weights_form.h"

struct wasm_check {
    const char *entry;
    struct wasm_symbol needed; /* the first; without a name: none */
    bool defines_entry;
};

static void check_wasm_symbol(const struct wasm_symbol *s, void *arg)
{
    struct wasm_check *c = arg;
    char start[64];
    size_t n = s->length < sizeof start - 1 ? s->length : sizeof start - 1;
    memcpy(start, s->name, n);
    start[n] = '\0';
    if (s->is_undefined && !c->needed.name && !kextern_is_symbol(start))
        c->needed = *s;
    if (s->is_function && !s->is_undefined && !s->is_local && s->length == strlen(c->entry) &&
        memcmp(s->name, c->entry, s->length) == 0)
        c->defines_entry = true;
}

static bool check_wasm(const struct bytes *object, const char *entry, struct error *err)
{
    struct wasm_check c = {.entry = entry};
    const char *why = object_wasm_each(object->data, object->size, check_wasm_symbol, &c);
    if (why)
        return error_set(err, SHEAF_ERROR_CODEGEN, "the object code of '%s' is malformed: %s",
                         entry, why);
    if (c.needed.name)
        return error_set(
            err, SHEAF_ERROR_CODEGEN,
            "the object code of '%s' needs symbols from elsewhere, the first is '%.*s'", entry,
            (int)c.needed.length, c.needed.name);
    if (!c.defines_entry)
        return error_set(err, SHEAF_ERROR_CODEGEN, "the object code does not define '%s'", entry);
    return true;
}

/* The first symbol that the object needs, and how many: but for the user's functions. */
static const char *find_needed(const struct object *o, uint32_t *out_n)
{
    const char *first = NULL;
    *out_n = 0;
    for (uint32_t i = 1; i < o->n_symbols; i++) {
        struct object_symbol s;
        if (!object_symbol(o, i, &s) || !object_is_needed(&s) || kextern_is_symbol(s.name))
            continue;
        first = first ? first : s.name;
        ++*out_n;
    }
    return first;
}

bool bundle_check_object(const struct bytes *object, const char *entry, struct error *err)
{
    struct object o;
    if (object_wasm_is(object->data, object->size))
        return check_wasm(object, entry, err);
    const char *why = object_open(object->data, object->size, &o);
    if (why)
        return error_set(err, SHEAF_ERROR_CODEGEN, "the object code of '%s' is malformed: %s",
                         entry, why);
    uint32_t n_undefined;
    const char *undefined = find_needed(&o, &n_undefined);
    if (undefined)
        return error_set(err, SHEAF_ERROR_CODEGEN,
                         "the object code of '%s' needs %" PRIu32
                         " symbols from elsewhere, the first is '%s'",
                         entry, n_undefined, undefined);
    const char *section = object_writable(&o);
    if (section)
        return error_set(err, SHEAF_ERROR_CODEGEN,
                         "the object code of '%s' has writable data in section '%s'", entry,
                         section);
    if (!object_defines(&o, entry))
        return error_set(err, SHEAF_ERROR_CODEGEN, "the object code does not define '%s'", entry);
    return true;
}

static bool add_file(struct arena *a, struct file_group *g, const struct bundle_request *req,
                     const char *suffix, const void *data, size_t size, struct error *err)
{
    const char *path = arena_printf(a, "%s/%s%s", req->dir, req->name, suffix);
    return file_group_add(g, path, data, size, err);
}

/* Where there is something of it. */
static bool add_more(struct arena *a, struct file_group *g, const struct bundle_request *req,
                     const char *suffix, struct bytes data, struct error *err)
{
    return !data.size || add_file(a, g, req, suffix, data.data, data.size, err);
}

/* The array's name must be free in the program, as far as the bundle itself is concerned. */
static bool check_array(struct arena *a, const struct bundle_request *req, struct error *err)
{
    struct object o;
    if (!weights_is_array(req->weights_format))
        return true;
    if (req->weights_section && !weights_check_section(req->weights_section, err))
        return false;
    const char *name = weights_array(a, req);
    if (!object_open(req->object.data, req->object.size, &o) && object_defines(&o, name))
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "the array of the weights is called '%s', and so is a function", name);
    return true;
}

bool bundle_write(struct arena *a, const struct bundle_request *req, struct error *err)
{
    if (!*req->name || strchr(req->name, '/'))
        return error_set(err, SHEAF_ERROR_ARGUMENT, "'%s' cannot be the name of a bundle's files",
                         req->name);
    for (size_t i = 0; i < req->n_entries; i++)
        if (!bundle_check_object(&req->object, req->entries[i].name, err))
            return false;
    const char *suffix;
    struct bytes weights;
    if (!check_array(a, req, err) || !weights_file(a, req, &suffix, &weights, err))
        return false;
    const char *header = header_text(a, req);
    struct file_group *g = file_group_create(a);
    bool ok = file_group_make_dir(g, req->dir, err) &&
              add_file(a, g, req, ".o", req->object.data, req->object.size, err) &&
              (!suffix || add_file(a, g, req, suffix, weights.data, weights.size, err)) &&
              add_file(a, g, req, ".h", header, strlen(header), err) &&
              add_more(a, g, req, ".s", req->assembly, err) &&
              add_more(a, g, req, ".kernels", req->listing, err) &&
              add_more(a, g, req, ".ve.o", req->device_object, err) &&
              add_more(a, g, req, ".ve.so", req->device_library, err) && file_group_commit(g, err);
    if (!ok)
        file_group_abort(g);
    return ok;
}
