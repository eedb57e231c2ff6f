#include "loader/input/tensor_file.h"

#include <string.h>

#include "bundle/write/file.h"
#include "ir/checked.h"
#include "loader/import/tensor_pb.h"

enum format { FORMAT_NONE, FORMAT_NPY, FORMAT_PB, FORMAT_BIN };

static enum format format_of(const char *path)
{
    static const struct {
        const char *suffix;
        enum format format;
    } formats[] = {{".npy", FORMAT_NPY}, {".pb", FORMAT_PB}, {".bin", FORMAT_BIN}};
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        size_t m = strlen(formats[i].suffix);
        if (n >= m && strcmp(path + n - m, formats[i].suffix) == 0)
            return formats[i].format;
    }
    return FORMAT_NONE;
}

bool tensor_file_known(const char *path, struct error *err)
{
    if (format_of(path) != FORMAT_NONE)
        return true;
    return error_set(err, SHEAF_ERROR_ARGUMENT,
                     "%s: the name of a tensor file ends in .npy, .pb or .bin", path);
}

const char *tensor_describe(struct arena *a, const struct tensor *t)
{
    struct shape shape = shape_of_dims(t->rank, t->dims);
    return arena_printf(a, "%s%s", dtype_name(t->dtype), shape_print(&shape, a));
}

static bool parse_bin(struct arena *a, const char *path, const uint8_t *data, size_t size,
                      const struct tensor *want, const struct tensor **out_tensor,
                      struct error *err)
{
    if ((uint64_t)tensor_bytes(want) != size)
        return error_set(err, SHEAF_ERROR_SHAPE, "%s: %s needs %lld bytes, the file has %zu", path,
                         tensor_describe(a, want), (long long)tensor_bytes(want), size);
    struct tensor *t = arena_copy(a, want, sizeof *want);
    t->data = data;
    *out_tensor = t;
    return true;
}

static bool same_type_and_shape(const struct tensor *a, const struct tensor *b)
{
    if (a->dtype != b->dtype || a->rank != b->rank)
        return false;
    for (int d = 0; d < a->rank; d++)
        if (a->dims[d] != b->dims[d])
            return false;
    return true;
}

/* Code relies on booleans being 0 or 1. */
static bool check_booleans(const char *path, const struct tensor *t, struct error *err)
{
    const uint8_t *bytes = t->data;
    for (int64_t i = 0; t->dtype == DTYPE_BOOL && i < tensor_elems(t); i++)
        if (bytes[i] > 1)
            return error_set(err, SHEAF_ERROR_FORMAT, "%s: element %lld is %d, a bool is 0 or 1",
                             path, (long long)i, bytes[i]);
    return true;
}

bool tensor_file_read(struct arena *a, const char *path, const char *name,
                      const struct tensor *want, const struct tensor **out_tensor,
                      struct error *err)
{
    uint8_t *data;
    size_t size;
    const struct tensor *t = NULL;
    bool ok =
        tensor_file_known(path, err) && file_read(a, path, LIMIT_FILE_BYTES, &data, &size, err);
    if (!ok)
        return false;
    switch (format_of(path)) {
    case FORMAT_NPY:
        ok = npy_parse(a, path, data, size, &t, err);
        break;
    case FORMAT_PB:
        ok = tensor_pb_parse(a, path, data, size, &t, err);
        break;
    default:
        ok = parse_bin(a, path, data, size, want, &t, err);
        break;
    }
    if (!ok || !check_booleans(path, t, err))
        return false;
    if (!same_type_and_shape(t, want))
        return error_set(err, SHEAF_ERROR_SHAPE, "%s: the file holds %s, but the input '%s' is %s",
                         path, tensor_describe(a, t), name, tensor_describe(a, want));
    *out_tensor = t;
    return true;
}

bool tensor_file_write(const char *path, const char *name, const struct tensor *t,
                       struct error *err)
{
    struct arena a;
    arena_init(&a);
    struct strbuf out;
    strbuf_init(&out, &a);
    bool ok = tensor_file_known(path, err);
    if (ok && format_of(path) == FORMAT_NPY)
        ok = npy_print(&out, path, t, err);
    else if (ok && format_of(path) == FORMAT_PB)
        tensor_pb_print(&out, name, t);
    else if (ok)
        strbuf_addn(&out, t->data, (size_t)tensor_bytes(t));
    ok = ok && file_write_atomic(path, strbuf_text(&out), out.len, err);
    arena_done(&a);
    return ok;
}
