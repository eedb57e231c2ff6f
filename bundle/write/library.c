#include "bundle/write/library.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/read/audit.h"
#include "bundle/read/object.h"
#include "bundle/write/archive.h"
#include "bundle/write/bundle.h"
#include "bundle/write/file.h"
#include "bundle/write/library_header.h"
#include "bundle/write/link.h"
#include "ir/checked.h"

static const int64_t OBJECT_LIMIT_BYTES = INT64_C(1) << 31;
/* Code reaches constants by an offset of 32 bits with a sign, from behind them; some is left for
   the code. */
static const size_t INSIDE_LIMIT_BYTES = (size_t)1900 << 20;

struct parts {
    struct archive_member *members;
    size_t n;
    struct strbuf missing; /* the user's functions that none of them has, in a list */
};

/* ---- objects ---- */

/* The symbols of the bundle and of a device's runtime are for the library alone: hidden, so that
   neither a shared library nor a program that links the static one shows them. */
static struct bytes hide_symbols(struct arena *a, struct bytes object)
{
    struct object o;
    struct object_section table;
    uint8_t *data = arena_copy(a, object.data, object.size);
    if (object_open(data, object.size, &o) || !object_section(&o, o.symbol_section, &table))
        return object;
    size_t other = o.is_64 ? offsetof(Elf64_Sym, st_other) : offsetof(Elf32_Sym, st_other);
    for (uint32_t i = 1; i < o.n_symbols; i++) {
        struct object_symbol s;
        if (object_symbol(&o, i, &s) && !s.is_local && !s.is_undefined)
            data[table.offset + i * table.entry_size + other] |= STV_HIDDEN;
    }
    return (struct bytes){data, object.size};
}

static void add_member(struct parts *p, const char *name, struct bytes data)
{
    p->members[p->n++] = (struct archive_member){name, data};
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_taken(const struct parts *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->members[i].name, name) == 0)
            return true;
    return false;
}

/* Objects of the user: ELF, and for the same machine. */
static bool add_extra(struct arena *a, const struct library_request *req, struct parts *p,
                      struct error *err)
{
    struct object own;
    object_open(req->object.data, req->object.size, &own);
    for (size_t i = 0; i < req->n_extra; i++) {
        const char *path = req->extra[i], *name = last_part(path);
        uint8_t *data;
        size_t size;
        struct object o;
        if (!file_read(a, path, OBJECT_LIMIT_BYTES, &data, &size, err))
            return false;
        const char *why = object_open(data, size, &o);
        if (!why && o.type != ET_REL)
            why = "it is linked already";
        if (!why && (o.machine != own.machine || o.is_64 != own.is_64))
            why = "it is for another machine";
        if (!why && !audit_floats_agree(&o, &own))
            why = "it passes floats between functions in another way (-float-abi)";
        if (why)
            return error_set(err, SHEAF_ERROR_FORMAT, "%s: it is no object for %s: %s", path,
                             req->name, why);
        for (unsigned n = 1; is_taken(p, name); n++)
            name = arena_printf(a, "%u_%s", n, last_part(path));
        add_member(p, name, (struct bytes){data, size});
    }
    return true;
}

static bool begins(const char *symbol, const char *with)
{
    return strncmp(symbol, with, strlen(with)) == 0;
}

/* Whether another object of the library, or the C library, has what the object needs. */
static bool is_expected(const struct library_request *req, const char *symbol)
{
    bool is_device = req->runtime.size > 0;
    if (is_device ? emit_library_is_needed_by_device(symbol) : emit_library_is_needed(symbol))
        return true;
    enum sheaf_device device = req->functions.device;
    if (begins(symbol, emit_library_hook_names(device)) ||
        (is_device && begins(symbol, emit_library_runtime(device))))
        return true;
    for (size_t i = 0; i < req->functions.n_functions; i++)
        if (emit_library_has_name(req->functions.functions[i].func, symbol))
            return true;
    return false;
}

/* What is written by the tool itself needs nothing that a program might be without. */
static bool check_needs(const struct library_request *req, const char *member,
                        const struct bytes *object, struct error *err)
{
    struct object o;
    if (object_open(object->data, object->size, &o))
        return error_set(err, SHEAF_ERROR_CODEGEN, "%s: the object code is malformed", member);
    for (uint32_t i = 1; i < o.n_symbols; i++) {
        struct object_symbol s;
        if (object_symbol(&o, i, &s) && s.is_undefined && !is_expected(req, s.name))
            return error_set(err, SHEAF_ERROR_CODEGEN,
                             "%s: the object code needs a symbol from elsewhere, '%s'", member,
                             s.name);
    }
    return true;
}

static bool is_defined(const struct parts *p, const char *symbol)
{
    for (size_t i = 0; i < p->n; i++) {
        struct object o;
        if (!object_open(p->members[i].data.data, p->members[i].data.size, &o) &&
            object_defines(&o, symbol))
            return true;
    }
    return false;
}

static void find_missing(const struct library_request *req, struct parts *p)
{
    struct object o;
    if (object_open(req->object.data, req->object.size, &o))
        return;
    for (uint32_t i = 1; i < o.n_symbols; i++) {
        struct object_symbol s;
        if (object_symbol(&o, i, &s) && s.is_undefined && kextern_is_symbol(s.name) &&
            !is_defined(p, s.name))
            strbuf_printf(&p->missing, "%s%s", p->missing.len ? ", " : "", s.name);
    }
}

static bool make_parts(struct arena *a, const struct library_request *req, struct parts *p,
                       struct error *err)
{
    const struct emit_library *lib = &req->functions;
    struct bytes functions, hooks, constants;
    enum { N_OWN = 5 };
    *p = (struct parts){.members = arena_array(a, N_OWN + req->n_extra, sizeof *p->members)};
    strbuf_init(&p->missing, a);
    if (!emit_library_functions(a, lib, &functions, err) ||
        !check_needs(req, req->name, &functions, err) || !emit_library_hooks(a, lib, &hooks, err) ||
        !check_needs(req, "sheaf_ext", &hooks, err) ||
        (req->runtime.size && !check_needs(req, "runtime", &req->runtime, err)))
        return false;
    add_member(p, arena_printf(a, "%s.o", req->name), functions);
    add_member(p, arena_printf(a, "%s_network.o", req->name), hide_symbols(a, req->object));
    if (!lib->weights_path) {
        struct bytes weights = {req->weights.data, req->weights.size};
        if (!emit_library_weights(a, lib, weights, &constants, err))
            return false;
        add_member(p, arena_printf(a, "%s_weights.o", req->name), constants);
    }
    const char *stem = emit_library_hook_names(lib->device);
    add_member(p, arena_printf(a, "%.*s.o", (int)strlen(stem) - 1, stem), hooks);
    if (req->runtime.size)
        add_member(p, lib->device == SHEAF_DEVICE_VE ? "sheaf_ve.o" : "sheaf_gpu.o",
                   hide_symbols(a, req->runtime));
    if (!add_extra(a, req, p, err))
        return false;
    find_missing(req, p);
    return true;
}

/* ---- files ---- */

static bool make_shared(struct arena *a, const struct library_request *req, const char *file,
                        const struct parts *p, struct bytes *out_library, struct error *err)
{
    struct link_request link = {
        .soname = file,
        .objects = p->members,
        .n_objects = p->n,
        .target = req->functions.target,
        .emulation = req->emulation,
        .output_format = req->output_format,
        .is_native = req->is_native,
        .may_need_more = req->n_extra > 0 || p->missing.len > 0,
        .opens_libraries = req->runtime.size > 0,
    };
    return link_shared(a, &link, out_library, err);
}

static const char *path_of(struct arena *a, const struct library_request *req, const char *file)
{
    return arena_printf(a, "%s/%s", req->dir, file);
}

/* Where there is something of it. */
static bool add_text(struct arena *a, struct file_group *g, const struct library_request *req,
                     const char *ending, struct bytes text, struct error *err)
{
    const char *file = arena_printf(a, "%s%s", req->name, ending);
    return !text.size || file_group_add(g, path_of(a, req, file), text.data, text.size, err);
}

static bool write_files(struct arena *a, const struct library_request *req, const char *file,
                        struct bytes library, struct error *err)
{
    const char *text = library_header_text(a, req), *weights = req->functions.weights_path;
    struct bytes header = {(const uint8_t *)text, strlen(text)};
    struct file_group *g = file_group_create(a);
    bool ok = file_group_make_dir(g, req->dir, err) &&
              file_group_add(g, path_of(a, req, file), library.data, library.size, err) &&
              add_text(a, g, req, ".h", header, err) &&
              (!weights || file_group_add(g, weights, req->weights.data, req->weights.size, err)) &&
              add_text(a, g, req, ".s", req->assembly, err) &&
              add_text(a, g, req, ".kernels", req->listing, err) && file_group_commit(g, err);
    if (!ok)
        file_group_abort(g);
    return ok;
}

static void note(const struct library_request *req, const char *file, const char *missing,
                 struct strbuf *out)
{
    bool needs_dl = req->runtime.size && req->kind == LIBRARY_STATIC;
    strbuf_printf(out, "Please link with:\n    -L%s\n    -l:%s\n%s", req->dir, file,
                  needs_dl ? "    -ldl\n" : "");
    if (*missing)
        strbuf_printf(out, "and with your functions %s.\n", missing);
}

static const char *file_of(struct arena *a, const struct library_request *req)
{
    return arena_printf(a, "%s.%s", req->name, req->kind == LIBRARY_SHARED ? "so" : "a");
}

static bool make_library(struct arena *a, const struct library_request *req, const char *file,
                         struct bytes *out_library, const char **out_missing, struct error *err)
{
    const struct emit_library *lib = &req->functions;
    struct parts parts;
    for (size_t i = 0; i < lib->n_functions; i++)
        if (!bundle_check_object(&req->object, req->entries[i].name, err))
            return false;
    if (!lib->weights_path && req->weights.size > INSIDE_LIMIT_BYTES)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "%s: the weights have %zu bytes, too many to lie inside a library: option "
                         "-weights puts them beside it",
                         file, req->weights.size);
    if (!make_parts(a, req, &parts, err))
        return false;
    *out_missing = strbuf_text(&parts.missing);
    return req->kind == LIBRARY_SHARED ? make_shared(a, req, file, &parts, out_library, err)
                                       : archive_make(a, parts.members, parts.n, out_library, err);
}

bool library_write(struct arena *a, const struct library_request *req, struct strbuf *out_note,
                   struct error *err)
{
    const char *file = file_of(a, req);
    struct bytes library;
    const char *missing;
    if (!make_library(a, req, file, &library, &missing, err) ||
        !write_files(a, req, file, library, err))
        return false;
    note(req, file, missing, out_note);
    return true;
}

bool library_repack(struct arena *a, const struct library_request *req, struct error *err)
{
    const char *file = file_of(a, req), *path = path_of(a, req, file);
    struct bytes library;
    const char *missing;
    uint8_t *old;
    size_t n_old;
    if (!file_read(a, path, LIMIT_FILE_BYTES, &old, &n_old, err) ||
        !make_library(a, req, file, &library, &missing, err))
        return false;
    if (n_old != library.size || memcmp(old, library.data, n_old) != 0)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "%s: the weights do not fit, for the model gives other code or another "
                         "layout, or the library was made by other options or without "
                         "-replaceable-weights",
                         path);
    return file_write_atomic(req->functions.weights_path, req->weights.data, req->weights.size,
                             err);
}
