#include "loader/import/onnx/compose/find.h"

#include <stdlib.h>
#include <string.h>

#include "loader/import/onnx/compose/compose.h"

struct key {
    const struct tensor *t;
    int64_t width, at;
};

/* As OP_find compares: numbers ascend, all NaN are one value above them. */
static int compare_numbers(const struct tensor *t, int64_t a, int64_t b)
{
    if (!dtype_is_float(t->dtype)) {
        int64_t u = tensor_get_int(t, a), v = tensor_get_int(t, b);
        bool less = t->dtype == DTYPE_U64 ? (uint64_t)u < (uint64_t)v : u < v;
        return u == v ? 0 : less ? -1 : 1;
    }
    double u = tensor_get(t, a), v = tensor_get(t, b);
    bool nan_u = u != u, nan_v = v != v;
    if (nan_u || nan_v)
        return (int)nan_u - (int)nan_v;
    return u < v ? -1 : v < u;
}

static int compare_rows(const struct key *a, const struct key *b)
{
    int order = 0;
    for (int64_t i = 0; i < a->width && !order; i++)
        order = compare_numbers(a->t, a->at * a->width + i, b->at * b->width + i);
    return order;
}

static int compare_keys(const void *x, const void *y)
{
    const struct key *a = x, *b = y;
    int order = compare_rows(a, b);
    return order ? order : a->at < b->at ? -1 : a->at > b->at;
}

void find_keys_of(struct onnx *o, const struct tensor *t, bool strings, struct find_keys *out)
{
    struct arena *a = o->im.arena;
    int64_t n = t->rank ? t->dims[0] : 1, width = t->rank == 2 ? t->dims[1] : 1;
    struct key *sorted = arena_array(a, (size_t)n, sizeof *sorted);
    for (int64_t i = 0; i < n; i++)
        sorted[i] = (struct key){t, width, i};
    qsort(sorted, (size_t)n, sizeof *sorted, compare_keys);
    *out = (struct find_keys){.strings = strings};
    out->from = arena_array(a, (size_t)n, sizeof *out->from);
    out->rank = arena_array(a, (size_t)n, sizeof *out->rank);
    for (int64_t i = 0; i < n; i++) {
        if (!i || compare_rows(&sorted[i - 1], &sorted[i]))
            out->from[out->n++] = sorted[i].at;
        out->rank[sorted[i].at] = out->n - 1;
    }
    const int64_t dims[2] = {out->n, width};
    struct tensor *keys = tensor_new(a, t->dtype, 2, dims);
    size_t bytes = (size_t)dtype_bytes(t->dtype, width);
    for (int64_t i = 0; i < out->n; i++)
        memcpy((char *)tensor_data(keys) + (size_t)i * bytes,
               (const char *)t->data + (size_t)out->from[i] * bytes, bytes);
    out->keys = keys;
}

/* The same strings with room for more bytes. */
static const struct tensor *wider(struct onnx *o, const struct tensor *t, int64_t bytes)
{
    const int64_t dims[2] = {t->dims[0], bytes};
    struct tensor *w = tensor_new(o->im.arena, t->dtype, 2, dims);
    for (int64_t i = 0; i < dims[0]; i++)
        memcpy((char *)tensor_data(w) + i * bytes, (const char *)t->data + i * t->dims[1],
               (size_t)t->dims[1]);
    return w;
}

struct value *find_index(struct onnx *o, const struct draft *d, struct value *x,
                         const struct find_keys *keys)
{
    static const int64_t last = -1;
    if (!x)
        return NULL;
    if (keys->strings != onnx_is_string(o, x)) {
        draft_error(o, d, SHEAF_ERROR_SHAPE, "'%s' has %s where keys have %s", x->name,
                    keys->strings ? "numbers" : "strings", keys->strings ? "strings" : "numbers");
        return NULL;
    }
    const struct tensor *rows = keys->keys;
    if (keys->strings) {
        int64_t a = onnx_string_bytes(x), b = rows->dims[1];
        x = onnx_string_padded(o, x, a > b ? a : b);
        rows = wider(o, rows, a > b ? a : b);
    } else {
        struct value *axes = build_ints(&o->im, NULL, &last, 1);
        x = build_cast(&o->im, NULL, x, keys->keys->dtype, NULL);
        x = x ? build_binary(&o->im, OP_unsqueeze, d->name, x, axes) : NULL;
    }
    return compose_binary(o, OP_find, x, graph_add_constant(o->im.g, NULL, rows), NULL);
}
