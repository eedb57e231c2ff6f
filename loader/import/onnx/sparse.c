/*
 * SparseTensorProto → tensor: what it does not list is 0.  Indices are those of elements in
 * row-major order, or one per dimension, and ascend.
 */
#include <string.h>

#include "loader/import/onnx/onnx.h"

struct sparse {
    struct onnx *o;
    const char *what;
    const struct tensor *values, *indices;
};

/* Files may state far more elements than they hold. */
static bool dense_shape(const struct sparse *s, const Onnx__SparseTensorProto *p, int64_t *dims)
{
    struct importer *im = &s->o->im;
    if (p->n_dims > MAX_RANK)
        return import_error(im, SHEAF_ERROR_UNSUPPORTED,
                            "%s has %zu dimensions, more than the %d that are supported", s->what,
                            p->n_dims, MAX_RANK);
    memcpy(dims, p->dims, p->n_dims * sizeof *dims);
    int bad = import_bad_dim((int)p->n_dims, dims);
    if (bad >= 0)
        return import_error(im, SHEAF_ERROR_FORMAT,
                            "dimension %d of %s is %lld, which is negative or too large", bad,
                            s->what, (long long)dims[bad]);
    struct tensor t = {.dtype = s->values->dtype, .rank = (int)p->n_dims};
    memcpy(t.dims, dims, p->n_dims * sizeof *dims);
    int64_t bytes = tensor_bytes(&t);
    if (bytes > BUILD_MAX_FILLED_BYTES - im->filled_bytes)
        return import_error(im, SHEAF_ERROR_MEMORY,
                            "%s would take %lld bytes with its zeros, and constants that no file "
                            "holds may take %lld together",
                            s->what, (long long)bytes, (long long)BUILD_MAX_FILLED_BYTES);
    im->filled_bytes += bytes;
    return true;
}

static bool read_parts(struct sparse *s, const Onnx__SparseTensorProto *p)
{
    struct arena *a = s->o->im.arena;
    if (!p->values || !p->indices)
        return import_error(&s->o->im, SHEAF_ERROR_FORMAT, "%s has no %s", s->what,
                            p->values ? "indices" : "values");
    if (!onnx_tensor(s->o, p->values, arena_printf(a, "the values of %s", s->what), &s->values) ||
        !onnx_tensor(s->o, p->indices, arena_printf(a, "the indices of %s", s->what), &s->indices))
        return false;
    const struct tensor *v = s->values, *i = s->indices;
    bool fits = v->rank == 1 && i->dtype == DTYPE_I64 && i->rank >= 1 && i->rank <= 2 &&
                i->dims[0] == v->dims[0] && (i->rank == 1 || i->dims[1] == (int64_t)p->n_dims);
    return fits || import_error(&s->o->im, SHEAF_ERROR_FORMAT,
                                "the indices of %s do not belong to its values: they are %lld of "
                                "type %s for %lld values and %zu dimensions",
                                s->what, (long long)tensor_elems(i), dtype_name(i->dtype),
                                (long long)tensor_elems(v), p->n_dims);
}

/* The element that entry `at` of the indices stands for; -1: there is none. */
static int64_t element_of(const struct sparse *s, const struct tensor *dense, int64_t at)
{
    if (s->indices->rank == 1) {
        int64_t i = tensor_get_int(s->indices, at);
        return i >= 0 && i < tensor_elems(dense) ? i : -1;
    }
    int64_t linear = 0;
    for (int d = 0; d < dense->rank; d++) {
        int64_t i = tensor_get_int(s->indices, at * dense->rank + d);
        if (i < 0 || i >= dense->dims[d])
            return -1;
        linear = linear * dense->dims[d] + i;
    }
    return linear;
}

static void copy_element(struct tensor *to, int64_t i, const struct tensor *from, int64_t k)
{
    size_t size = dtype_bits(to->dtype) / 8;
    if (size)
        memcpy((char *)tensor_data(to) + (size_t)i * size,
               (const char *)from->data + (size_t)k * size, size);
    else
        tensor_set(to, i, tensor_get(from, k));
}

bool onnx_sparse_tensor(struct onnx *o, const Onnx__SparseTensorProto *p, const char *what,
                        const struct tensor **out_tensor)
{
    struct sparse s = {.o = o, .what = what};
    int64_t dims[MAX_RANK];
    if (!read_parts(&s, p) || !dense_shape(&s, p, dims))
        return false;
    struct tensor *dense = tensor_new(o->im.arena, s.values->dtype, (int)p->n_dims, dims);
    int64_t last = -1;
    for (int64_t k = 0; k < s.values->dims[0]; k++) {
        int64_t i = element_of(&s, dense, k);
        if (i <= last)
            return import_error(&o->im, SHEAF_ERROR_FORMAT,
                                "index %lld of %s is outside its shape or not above the one before",
                                (long long)k, what);
        copy_element(dense, i, s.values, k);
        last = i;
    }
    *out_tensor = dense;
    return true;
}

const Onnx__TensorProto *onnx_sparse_initializer(struct onnx *o, const Onnx__SparseTensorProto *p)
{
    const struct tensor *t;
    char *name = p->values ? p->values->name : NULL;
    const char *what = arena_printf(o->im.arena, "sparse initializer '%s'", name ? name : "");
    if (!onnx_sparse_tensor(o, p, what, &t))
        return NULL;
    Onnx__TensorProto *dense = arena_new(o->im.arena, Onnx__TensorProto);
    onnx__tensor_proto__init(dense);
    dense->name = name;
    dense->has_data_type = 1;
    dense->data_type = (int32_t)dtype_code(t->dtype);
    dense->n_dims = p->n_dims;
    dense->dims = p->dims;
    dense->has_raw_data = 1;
    dense->raw_data.len = (size_t)tensor_bytes(t);
    dense->raw_data.data = arena_copy(o->im.arena, t->data, dense->raw_data.len);
    return dense;
}
