/*
 * TensorProto → tensor: raw bytes, the typed lists of numbers, and data in files beside the model.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/write/file.h"
#include "ir/checked.h"
#include "loader/import/onnx/onnx.h"

/* Files of external data, mapped while the import lasts. */
struct onnx_files {
    struct onnx_files *next;
    const char *location;
    struct file_map map;
};

void onnx_files_close(struct onnx *o)
{
    for (struct onnx_files *f = o->files; f; f = f->next)
        file_unmap(&f->map);
    o->files = NULL;
}

const char *onnx_type_name(struct onnx *o, int64_t code)
{
    static const char *const names[] = {
        "undefined",      "float",      "uint8",          "int8",       "uint16",    "int16",
        "int32",          "int64",      "string",         "bool",       "float16",   "double",
        "uint32",         "uint64",     "complex64",      "complex128", "bfloat16",  "float8e4m3fn",
        "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",      "int4",      "float4e2m1",
        "float8e8m0",     "uint2",      "int2",           "float6e2m3", "float6e3m2"};
    if (code >= 0 && (size_t)code < sizeof names / sizeof names[0])
        return names[code];
    return arena_printf(o->im.arena, "number %lld", (long long)code);
}

/* ---- external data ---- */

/* Relative, and nowhere above the model's folder. */
static bool location_is_inside(const char *location)
{
    if (!*location || *location == '/')
        return false;
    for (const char *part = location; part;) {
        size_t n = strcspn(part, "/");
        if (n == 2 && part[0] == '.' && part[1] == '.')
            return false;
        part = part[n] ? part + n + 1 : NULL;
    }
    return true;
}

static bool parse_size(const char *text, int64_t *out)
{
    int64_t v = 0;
    if (!*text)
        return false;
    for (; *text; text++)
        if (*text < '0' || *text > '9' || !checked_mul(v, 10, &v) ||
            !checked_add(v, *text - '0', &v))
            return false;
    *out = v;
    return true;
}

static bool open_external(struct onnx *o, const char *location, struct file_map *out_map)
{
    for (struct onnx_files *f = o->files; f; f = f->next)
        if (!strcmp(f->location, location)) {
            *out_map = f->map;
            return true;
        }
    const char *slash = strrchr(o->im.path, '/');
    int dir = slash ? (int)(slash + 1 - o->im.path) : 0;
    struct onnx_files *f = arena_new(o->im.arena, struct onnx_files);
    f->location = location;
    if (!file_map(arena_printf(o->im.arena, "%.*s%s", dir, o->im.path, location), LIMIT_FILE_BYTES,
                  &f->map, o->im.err))
        return false;
    f->next = o->files;
    o->files = f;
    *out_map = f->map;
    return true;
}

static bool external_data(struct onnx *o, const Onnx__TensorProto *p, const char *what,
                          int64_t bytes, const void **out_data)
{
    const char *location = "";
    int64_t offset = 0, length = bytes, end = 0;
    for (size_t i = 0; i < p->n_external_data; i++) {
        const char *key = p->external_data[i]->key, *value = p->external_data[i]->value;
        if (!key || !value)
            continue;
        if (!strcmp(key, "location"))
            location = value;
        else if ((!strcmp(key, "offset") && !parse_size(value, &offset)) ||
                 (!strcmp(key, "length") && !parse_size(value, &length)))
            return import_error(&o->im, SHEAF_ERROR_FORMAT,
                                "the %s of %s in an external file is '%s', which is no number", key,
                                what, value);
    }
    if (!location_is_inside(location))
        return import_error(&o->im, SHEAF_ERROR_FORMAT,
                            "%s lies in the file '%s', which is not inside the model's folder",
                            what, location);
    if (length != bytes)
        return import_error(&o->im, SHEAF_ERROR_FORMAT,
                            "%s has %lld bytes in the file '%s' where its shape needs %lld", what,
                            (long long)length, location, (long long)bytes);
    struct file_map map;
    if (!open_external(o, location, &map))
        return false;
    if (!checked_add(offset, length, &end) || (uint64_t)end > map.size)
        return import_error(&o->im, SHEAF_ERROR_FORMAT,
                            "%s ends at byte %lld of the file '%s', which has %zu", what,
                            (long long)end, location, map.size);
    *out_data = arena_copy(o->im.arena, map.data + offset, (size_t)length);
    return true;
}

/* ---- lists of numbers ---- */

static void store(uint8_t *data, unsigned bits, size_t i, uint64_t raw)
{
    for (size_t k = 0; k < bits / 8; k++)
        data[i * (bits / 8) + k] = (uint8_t)(raw >> (8 * k));
}

/* An entry of int32_data fits the type: its own range, and for floats any bits. */
static bool int32_fits(enum dtype t, int32_t v)
{
    if (dtype_bits(t) < 8)
        return v >= -128 && v <= 255; /* several elements */
    if (t == DTYPE_F16 || t == DTYPE_BF16)
        return v >= 0 && v <= 0xffff;
    if (t == DTYPE_BOOL)
        return v == 0 || v == 1;
    return v >= dtype_int_min(t) && v <= dtype_int_max(t);
}

/* Which list holds elements of the type, and how long it is. */
static size_t list_length(const Onnx__TensorProto *p, enum dtype t, const char **out_name)
{
    switch (t) {
    case DTYPE_F32:
        *out_name = "float_data";
        return p->n_float_data;
    case DTYPE_F64:
        *out_name = "double_data";
        return p->n_double_data;
    case DTYPE_I64:
        *out_name = "int64_data";
        return p->n_int64_data;
    case DTYPE_U32:
    case DTYPE_U64:
        *out_name = "uint64_data";
        return p->n_uint64_data;
    default:
        *out_name = "int32_data";
        return p->n_int32_data;
    }
}

static bool list_data(struct onnx *o, const Onnx__TensorProto *p, const char *what, enum dtype t,
                      int64_t elems, const void **out_data)
{
    unsigned bits = dtype_bits(t);
    size_t want = (size_t)(bits < 8 ? dtype_bytes(t, elems) : elems);
    const char *list;
    size_t n = list_length(p, t, &list);
    if (n != want)
        return import_error(&o->im, SHEAF_ERROR_FORMAT,
                            "%s has %zu numbers in %s where its shape needs %zu", what, n, list,
                            want);
    if (bits < 8)
        bits = 8; /* entries hold several elements, as bytes do */
    uint8_t *data = arena_array(o->im.arena, n, bits / 8);
    for (size_t i = 0; i < n; i++) {
        uint64_t raw;
        if (t == DTYPE_F32) {
            raw = dtype_bits_of_f32(p->float_data[i]);
        } else if (t == DTYPE_F64) {
            raw = dtype_bits_of_f64(p->double_data[i]);
        } else if (t == DTYPE_I64) {
            raw = (uint64_t)p->int64_data[i];
        } else if (t == DTYPE_U32 || t == DTYPE_U64) {
            raw = p->uint64_data[i];
            if (t == DTYPE_U32 && raw > UINT32_MAX)
                return import_error(&o->im, SHEAF_ERROR_FORMAT,
                                    "%s holds a number too large for u32", what);
        } else {
            raw = (uint64_t)(int64_t)p->int32_data[i];
            if (!int32_fits(t, p->int32_data[i]))
                return import_error(&o->im, SHEAF_ERROR_FORMAT, "%s holds %ld, which is no %s",
                                    what, (long)p->int32_data[i], dtype_name(t));
        }
        store(data, bits, i, raw);
    }
    *out_data = data;
    return true;
}

/* ---- the tensor ---- */

static bool tensor_shape(struct onnx *o, const Onnx__TensorProto *p, const char *what,
                         struct tensor *t)
{
    if (p->n_dims > MAX_RANK)
        return import_error(&o->im, SHEAF_ERROR_UNSUPPORTED,
                            "%s has %zu dimensions, more than the %d that are supported", what,
                            p->n_dims, MAX_RANK);
    t->rank = (int)p->n_dims;
    for (int d = 0; d < t->rank; d++)
        t->dims[d] = p->dims[d];
    int bad = import_bad_dim(t->rank, t->dims);
    return bad < 0 || import_error(&o->im, SHEAF_ERROR_FORMAT,
                                   "dimension %d of %s is %lld, which is negative or too large",
                                   bad, what, (long long)t->dims[bad]);
}

/* Bytes of bools are 0 or 1 here; files may hold other numbers for true. */
static const void *normalized_bools(struct arena *a, const uint8_t *data, int64_t n)
{
    uint8_t *copy = arena_copy(a, data, (size_t)n);
    for (int64_t i = 0; i < n; i++)
        copy[i] = copy[i] != 0;
    return copy;
}

/* Strings as bytes, padded with 0 to the longest of them (string.c). */
static bool string_tensor(struct onnx *o, const Onnx__TensorProto *p, const char *what,
                          const struct tensor **out_tensor)
{
    struct tensor t = {0};
    if (!tensor_shape(o, p, what, &t))
        return false;
    if (t.rank == MAX_RANK || p->n_string_data != (size_t)tensor_elems(&t))
        return import_error(&o->im, SHEAF_ERROR_FORMAT,
                            "%s has %zu strings in %d dimensions, which does not fit its shape",
                            what, p->n_string_data, t.rank);
    int64_t most = 1;
    for (size_t i = 0; i < p->n_string_data; i++) {
        const ProtobufCBinaryData *s = &p->string_data[i];
        if (s->len && memchr(s->data, 0, s->len))
            return import_error(&o->im, SHEAF_ERROR_UNSUPPORTED,
                                "string %zu of %s has a byte of 0, which is not supported", i,
                                what);
        most = (int64_t)s->len > most ? (int64_t)s->len : most;
    }
    t.dims[t.rank] = most;
    int bad = import_bad_dim(t.rank + 1, t.dims);
    if (bad >= 0)
        return import_error(&o->im, SHEAF_ERROR_FORMAT, "the strings of %s are too long", what);
    struct tensor *bytes = tensor_new(o->im.arena, DTYPE_U8, t.rank + 1, t.dims);
    for (size_t i = 0; i < p->n_string_data; i++)
        if (p->string_data[i].len)
            memcpy((char *)tensor_data(bytes) + (int64_t)i * most, p->string_data[i].data,
                   p->string_data[i].len);
    *out_tensor = bytes;
    return true;
}

bool onnx_tensor(struct onnx *o, const Onnx__TensorProto *p, const char *what,
                 const struct tensor **out_tensor)
{
    if (p->data_type == ONNX_STRING)
        return string_tensor(o, p, what, out_tensor);
    struct tensor *t = arena_new(o->im.arena, struct tensor);
    t->dtype = dtype_from_code(p->data_type);
    if (t->dtype == DTYPE_NONE)
        return import_error(&o->im, SHEAF_ERROR_UNSUPPORTED,
                            "%s has elements of type %s, which is not supported", what,
                            onnx_type_name(o, p->data_type));
    if (p->segment)
        return import_error(&o->im, SHEAF_ERROR_UNSUPPORTED,
                            "%s is stored in segments, which is not supported", what);
    if (!tensor_shape(o, p, what, t))
        return false;
    int64_t elems = tensor_elems(t);
    int64_t bytes = dtype_bytes(t->dtype, elems);
    if (p->has_data_location && p->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL) {
        if (!external_data(o, p, what, bytes, &t->data))
            return false;
    } else if (p->has_raw_data) {
        if (p->raw_data.len != (size_t)bytes)
            return import_error(&o->im, SHEAF_ERROR_FORMAT,
                                "%s has %zu bytes of data where its shape needs %lld", what,
                                p->raw_data.len, (long long)bytes);
        t->data = bytes ? p->raw_data.data : arena_alloc(o->im.arena, 0);
    } else if (!list_data(o, p, what, t->dtype, elems, &t->data)) {
        return false;
    }
    if (t->dtype == DTYPE_BOOL)
        t->data = normalized_bools(o->im.arena, t->data, elems);
    *out_tensor = t;
    return true;
}
