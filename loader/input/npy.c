/*
 * npy.c: NumPy's array files.
 *
 * Six magic bytes, two of version, the length of the header (2 bytes in format 1, 4 in 2 and 3,
 * little-endian), the header, the data.  The header is a Python dictionary with the keys 'descr'
 * (byte order, kind and bytes of the elements), 'fortran_order' and 'shape' (a tuple), padded so
 * that the data is aligned to 64.  Only what NumPy itself writes is understood, not any dictionary.
 */
#include <ctype.h>
#include <string.h>

#include "ir/checked.h"
#include "loader/input/tensor_file.h"

static const struct {
    const char *descr;
    enum dtype dtype;
} npy_types[] = {
    {"<f4", DTYPE_F32}, {"<f8", DTYPE_F64}, {"<f2", DTYPE_F16}, {"|i1", DTYPE_I8},
    {"<i2", DTYPE_I16}, {"<i4", DTYPE_I32}, {"<i8", DTYPE_I64}, {"|u1", DTYPE_U8},
    {"<u2", DTYPE_U16}, {"<u4", DTYPE_U32}, {"<u8", DTYPE_U64}, {"|b1", DTYPE_BOOL},
};

enum { NPY_MAGIC_BYTES = 8, NPY_ALIGNMENT = 64 };

/* What follows `'key':` in the header, blanks skipped, or NULL. */
static const char *find_key(const char *header, const char *key)
{
    const char *p = strstr(header, key);
    if (!p)
        return NULL;
    p += strlen(key);
    p += strspn(p, " ");
    if (*p != ':')
        return NULL;
    p++;
    return p + strspn(p, " ");
}

static bool parse_type(const char *path, const char *header, enum dtype *out_dtype,
                       struct error *err)
{
    const char *descr = find_key(header, "'descr'");
    if (!descr || *descr != '\'')
        return error_set(err, SHEAF_ERROR_FORMAT, "%s: the .npy header states no simple type",
                         path);
    descr++;
    size_t n = strcspn(descr, "'");
    for (size_t i = 0; i < sizeof npy_types / sizeof *npy_types; i++) {
        if (n == 3 && memcmp(descr, npy_types[i].descr, 3) == 0) {
            *out_dtype = npy_types[i].dtype;
            return true;
        }
    }
    return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                     "%s: elements of the NumPy type '%.*s' cannot be read", path,
                     (int)(n > 32 ? 32 : n), descr);
}

/* "(1, 3, 224, 224)", "(5,)" or "()" */
static bool parse_shape(const char *path, const char *header, struct tensor *t, struct error *err)
{
    const char *p = find_key(header, "'shape'");
    if (!p || *p != '(')
        goto bad;
    p++;
    int64_t elems = 1;
    for (p += strspn(p, " "); *p != ')'; p += strspn(p, " ,")) {
        if (t->rank == MAX_RANK)
            return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                             "%s: the array has more than %d dimensions", path, MAX_RANK);
        int64_t d = 0;
        if (!isdigit((unsigned char)*p))
            goto bad;
        for (; isdigit((unsigned char)*p); p++)
            if (!checked_mul(d, 10, &d) || !checked_add(d, *p - '0', &d))
                goto bad;
        if (!checked_mul(elems, d, &elems) || elems > LIMIT_TENSOR_ELEMS)
            goto bad;
        t->dims[t->rank++] = d;
    }
    return true;
bad:
    return error_set(err, SHEAF_ERROR_FORMAT, "%s: the .npy header states no valid shape", path);
}

bool npy_parse(struct arena *a, const char *path, const uint8_t *data, size_t size,
               const struct tensor **out_tensor, struct error *err)
{
    if (size < NPY_MAGIC_BYTES + 2 || memcmp(data, "\x93NUMPY", 6) != 0)
        return error_set(err, SHEAF_ERROR_FORMAT, "%s: not a .npy file", path);
    if (data[6] < 1 || data[6] > 3)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "%s: .npy format %d.%d is not known", path,
                         data[6], data[7]);
    size_t start = data[6] == 1 ? 10 : 12;
    size_t length = (size_t)data[8] | (size_t)data[9] << 8;
    if (start == 12 && size >= 12)
        length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
    if (size < start || size - start < length)
        return error_set(err, SHEAF_ERROR_FORMAT, "%s: the .npy header is cut short", path);
    const char *header = arena_strndup(a, (const char *)data + start, length);
    const char *order = find_key(header, "'fortran_order'");
    struct tensor t = {0};
    if (!parse_type(path, header, &t.dtype, err) || !parse_shape(path, header, &t, err))
        return false;
    if (!order || strncmp(order, "False", 5) != 0)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "%s: the array is in Fortran order; save it with numpy.ascontiguousarray",
                         path);
    size_t have = size - start - length;
    if ((uint64_t)tensor_bytes(&t) != have)
        return error_set(err, SHEAF_ERROR_FORMAT,
                         "%s: %s needs %lld bytes of data, the file has %zu", path,
                         tensor_describe(a, &t), (long long)tensor_bytes(&t), have);
    t.data = arena_copy(a, data + start + length, have);
    *out_tensor = arena_copy(a, &t, sizeof t);
    return true;
}

bool npy_print(struct strbuf *out, const char *path, const struct tensor *t, struct error *err)
{
    const char *descr = NULL;
    for (size_t i = 0; i < sizeof npy_types / sizeof *npy_types; i++)
        if (npy_types[i].dtype == t->dtype)
            descr = npy_types[i].descr;
    if (!descr)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "%s: NumPy has no type for %s: write a .pb or .bin file", path,
                         dtype_name(t->dtype));
    struct strbuf header;
    strbuf_init(&header, out->arena);
    strbuf_printf(&header, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int d = 0; d < t->rank; d++)
        strbuf_printf(&header, "%s%lld", d ? ", " : "", (long long)t->dims[d]);
    if (t->rank == 1)
        strbuf_add(&header, ",");
    strbuf_add(&header, "), }");
    while ((NPY_MAGIC_BYTES + 2 + header.len + 1) % NPY_ALIGNMENT)
        strbuf_add(&header, " ");
    strbuf_add(&header, "\n");

    const char magic[NPY_MAGIC_BYTES + 2] = {
        '\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, (char)(header.len & 255), (char)(header.len >> 8)};
    strbuf_addn(out, magic, sizeof magic);
    strbuf_addn(out, header.text, header.len);
    strbuf_addn(out, t->data, (size_t)tensor_bytes(t));
    return true;
}
