#include "bundle/write/bundle.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bundle/read/object.h"
#include "bundle/write/file.h"
#include "bundle/write/header.h"

bool bundle_check_object(const struct bytes *object, const char *entry, struct error *err)
{
    struct object o;
    const char *why = object_open(object->data, object->size, &o);
    if (why)
        return error_set(err, SHEAF_ERROR_CODEGEN, "the object code of '%s' is malformed: %s",
                         entry, why);
    uint32_t n_undefined;
    const char *undefined = object_undefined(&o, &n_undefined);
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
                     const char *extension, const void *data, size_t size, struct error *err)
{
    const char *path = arena_printf(a, "%s/%s.%s", req->dir, req->name, extension);
    return file_group_add(g, path, data, size, err);
}

bool bundle_write(struct arena *a, const struct bundle_request *req, struct error *err)
{
    if (!*req->name || strchr(req->name, '/'))
        return error_set(err, SHEAF_ERROR_ARGUMENT, "'%s' cannot be the name of a bundle's files",
                         req->name);
    if (!bundle_check_object(&req->object, req->entry, err))
        return false;
    const char *header = header_text(a, req);
    struct file_group *g = file_group_create(a);
    bool ok = file_group_make_dir(g, req->dir, err) &&
              add_file(a, g, req, "o", req->object.data, req->object.size, err) &&
              add_file(a, g, req, "weights", req->weights.data, req->weights.size, err) &&
              add_file(a, g, req, "h", header, strlen(header), err) &&
              (!req->assembly.size ||
               add_file(a, g, req, "s", req->assembly.data, req->assembly.size, err)) &&
              file_group_commit(g, err);
    if (!ok)
        file_group_abort(g);
    return ok;
}
