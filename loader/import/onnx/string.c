/*
 * Strings.  While a model is read, a tensor of strings [..] is a value of bytes [.., W] (u8),
 * padded with 0 along its last dimension, and a mark that says so; the graph knows of bytes alone.
 *
 * W is a bound: of a constant its longest string, of an input what -onnx-define-symbol=INPUT,W says
 * or 64, of a result what follows from its operator.  No string has a byte of 0.
 *
 * What moves elements gets the dimension of bytes as one more (the table at the end); what looks
 * into strings is composed in onnx/compose/string.c.  All others take none.
 */
#include <string.h>

#include "loader/import/onnx/compose/compose.h"

/* ---- marks ---- */

bool onnx_is_string(const struct onnx *o, const struct value *v)
{
    for (size_t i = 0; v && i < o->n_strings; i++)
        if (o->strings[i] == v)
            return true;
    return false;
}

struct value *onnx_string(struct onnx *o, struct value *v)
{
    if (v && !onnx_is_string(o, v))
        ARENA_PUSH(o->im.arena, o->strings, o->n_strings, o->cap_strings) = v;
    return v;
}

struct value *onnx_strings(struct onnx *o, const char *const *texts, size_t n)
{
    int64_t dims[2] = {(int64_t)n, 1};
    for (size_t i = 0; i < n; i++)
        if ((int64_t)strlen(texts[i]) > dims[1])
            dims[1] = (int64_t)strlen(texts[i]);
    struct tensor *t = tensor_new(o->im.arena, DTYPE_U8, 2, dims);
    for (size_t i = 0; i < n; i++)
        memcpy((char *)tensor_data(t) + (int64_t)i * dims[1], texts[i], strlen(texts[i]));
    return onnx_string(o, graph_add_constant(o->im.g, NULL, t));
}

int64_t onnx_string_bytes(const struct value *v)
{
    return v->shape.dims[v->shape.rank - 1];
}

struct value *onnx_string_padded(struct onnx *o, struct value *v, int64_t bytes)
{
    if (!v || onnx_string_bytes(v) == bytes)
        return v;
    int64_t ends[2 * MAX_RANK] = {0};
    ends[2 * v->shape.rank - 1] = bytes - onnx_string_bytes(v);
    struct value *in[2] = {v};
    in[1] = build_ints(&o->im, NULL, ends, 2 * (size_t)v->shape.rank);
    return onnx_string(o, build_op(&o->im, OP_pad, NULL, in, 2, NULL));
}

/* ---- what moves elements ---- */

static int string_rank(const struct value *v)
{
    return v->shape.rank - 1;
}

static void count_from_start(int64_t *axes, size_t n, int rank)
{
    for (size_t i = 0; i < n; i++)
        if (axes[i] < 0)
            axes[i] += rank;
}

/* The axis is counted without the dimension of bytes. */
static bool fix_axis(struct onnx *o, struct draft *d, int64_t otherwise, int rank)
{
    struct draft_attr *a;
    if (!draft_take_kind(o, d, "axis", ATTR_KIND_INT, &a))
        return false;
    if (!a) {
        a = draft_add(o, d, "axis", ATTR_KIND_INT);
        a->u.i = otherwise;
    }
    if (a->u.i < 0)
        a->u.i += rank;
    if (a->u.i < 0 || a->u.i >= rank)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "axis %lld does not exist in %d dimensions",
                           (long long)a->u.i, rank);
    a->used = false;
    return true;
}

/* The same of a list: an attribute, or a constant input. */
static bool fix_axes(struct onnx *o, struct draft *d, size_t input, int rank)
{
    struct draft_attr *a;
    if (!draft_take_kind(o, d, "axes", ATTR_KIND_INTS, &a))
        return false;
    if (a) {
        int64_t *axes = arena_copy(o->im.arena, a->u.ints.v, a->u.ints.n * sizeof *axes);
        count_from_start(axes, a->u.ints.n, rank);
        a->u.ints.v = axes;
        a->used = false;
        return true;
    }
    const struct value *v = draft_input(d, input);
    if (!v)
        return true;
    if (!value_is_constant(v))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "axes of strings must be constant");
    size_t n = (size_t)tensor_elems(v->constant);
    int64_t *axes = arena_array(o->im.arena, n, sizeof *axes);
    for (size_t i = 0; i < n; i++)
        axes[i] = tensor_get_int(v->constant, (int64_t)i);
    count_from_start(axes, n, rank);
    draft_set_input(o, d, input, build_ints(&o->im, NULL, axes, n));
    return true;
}

static bool move_identity(struct onnx *o, struct draft *d)
{
    return draft_finish(o, d, d->in[0]);
}

static bool move_along_axis(struct onnx *o, struct draft *d)
{
    return fix_axis(o, d, 0, string_rank(d->in[0]));
}

static bool move_slice(struct onnx *o, struct draft *d)
{
    return fix_axes(o, d, 3, string_rank(d->in[0]));
}

static bool move_unsqueeze(struct onnx *o, struct draft *d)
{
    const struct value *axes = draft_input(d, 1);
    struct draft_attr *a = draft_take(d, "axes");
    size_t n = a ? a->u.ints.n : 0;
    if (a)
        a->used = false;
    else if (axes && shape_is_static(&axes->shape))
        n = (size_t)shape_elems(&axes->shape);
    return fix_axes(o, d, 1, string_rank(d->in[0]) + (int)n);
}

static bool move_squeeze(struct onnx *o, struct draft *d)
{
    const struct shape *s = &d->in[0]->shape;
    int64_t axes[MAX_RANK];
    size_t n = 0;
    struct draft_attr *a = draft_take(d, "axes");
    if (a)
        a->used = false;
    if (a || draft_input(d, 1))
        return fix_axes(o, d, 1, string_rank(d->in[0]));
    for (int i = 0; i < string_rank(d->in[0]); i++)
        if (s->dims[i] == 1 && !s->extent[i])
            axes[n++] = i;
    if (!n)
        return move_identity(o, d);
    return draft_finish(
        o, d,
        build_binary(&o->im, OP_squeeze, d->name, d->in[0], build_ints(&o->im, NULL, axes, n)));
}

static bool move_transpose(struct onnx *o, struct draft *d)
{
    struct draft_attr *a;
    int rank = string_rank(d->in[0]);
    int64_t perm[MAX_RANK];
    if (!draft_take_kind(o, d, "perm", ATTR_KIND_INTS, &a))
        return false;
    if (a && a->u.ints.n != (size_t)rank)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "perm has %zu axes for %d dimensions",
                           a->u.ints.n, rank);
    for (int i = 0; i < rank; i++)
        perm[i] = a ? a->u.ints.v[i] : rank - 1 - i;
    perm[rank] = rank;
    return draft_finish(o, d, compose_transpose(o, d->in[0], perm, NULL));
}

/* Two dimensions of strings. */
static bool move_flatten(struct onnx *o, struct draft *d)
{
    int64_t axis, rank = string_rank(d->in[0]), dims[3] = {1, 1, onnx_string_bytes(d->in[0])};
    if (!draft_take_int(o, d, "axis", 1, &axis) || !compose_need_static(o, d, 0, -1))
        return false;
    if (axis < -rank || axis > rank)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "axis %lld does not exist in %lld dimensions",
                           (long long)axis, (long long)rank);
    for (int i = 0; i < rank; i++)
        dims[i >= (axis < 0 ? axis + rank : axis)] *= d->in[0]->shape.dims[i];
    return draft_finish(o, d, compose_reshape(o, d->in[0], 3, dims, NULL));
}

/* A shape that the model states gets the bytes as one more. */
static bool move_reshape(struct onnx *o, struct draft *d)
{
    int64_t dims[MAX_RANK];
    const struct value *s = draft_input(d, 1);
    struct draft_attr *a = draft_take(d, "shape"); /* before version 5 */
    if (!a && (!s || !value_is_constant(s)))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "the shape of strings must be constant");
    size_t n = a ? a->u.ints.n : (size_t)tensor_elems(s->constant);
    if (n >= MAX_RANK)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "strings in %zu dimensions", n);
    for (size_t i = 0; i < n; i++)
        dims[i] = a ? a->u.ints.v[i] : tensor_get_int(s->constant, (int64_t)i);
    dims[n] = onnx_string_bytes(d->in[0]);
    draft_set_input(o, d, 1, build_ints(&o->im, NULL, dims, n + 1));
    return d->in[1] != NULL;
}

/* All strings from input `first` on with room for as many bytes as the widest. */
static bool pad_alike(struct onnx *o, struct draft *d, size_t first)
{
    int64_t most = 0;
    for (size_t i = first; i < d->n_in; i++) {
        if (!onnx_is_string(o, d->in[i]))
            return draft_error(o, d, SHEAF_ERROR_SHAPE,
                               "input %zu is no tensor of strings, as others are", i);
        if (onnx_string_bytes(d->in[i]) > most)
            most = onnx_string_bytes(d->in[i]);
    }
    for (size_t i = first; i < d->n_in; i++) {
        d->in[i] = onnx_string_padded(o, d->in[i], most);
        if (!d->in[i])
            return false;
    }
    return true;
}

static bool move_concat(struct onnx *o, struct draft *d)
{
    return pad_alike(o, d, 0) && fix_axis(o, d, 1, string_rank(d->in[0]));
}

static bool move_where(struct onnx *o, struct draft *d)
{
    static const int64_t last = -1;
    if (!draft_need_inputs(o, d, 3) || !pad_alike(o, d, 1))
        return false;
    d->in[0] =
        build_binary(&o->im, OP_unsqueeze, d->name, d->in[0], build_ints(&o->im, NULL, &last, 1));
    return d->in[0] != NULL;
}

static bool move_shape(struct onnx *o, struct draft *d)
{
    int64_t start, end, rank = string_rank(d->in[0]);
    if (!draft_take_int(o, d, "start", 0, &start) || !draft_take_int(o, d, "end", rank, &end))
        return false;
    struct node *n = build_begin(&o->im, OP_shape, d->name, d->in, 1, 1);
    struct shape_attrs *a = n->attrs;
    a->start = start < -rank ? 0 : start < 0 ? start + rank : start;
    a->end = end < -rank ? 0 : end < 0 ? end + rank : end < rank ? end : rank;
    return draft_finish(o, d, build_end1(&o->im, n, NULL));
}

/* Strings sort as their bytes do, so a string is a slice of them. */
static bool move_unique(struct onnx *o, struct draft *d)
{
    struct draft_attr *a;
    int64_t dims[2] = {1, onnx_string_bytes(d->in[0])};
    if (!draft_take_kind(o, d, "axis", ATTR_KIND_INT, &a))
        return false;
    if (a) {
        a->used = false;
    } else {
        if (!compose_need_static(o, d, 0, -1))
            return false;
        for (int i = 0; i < string_rank(d->in[0]); i++)
            dims[0] *= d->in[0]->shape.dims[i];
        d->in[0] = compose_reshape(o, d->in[0], 2, dims, NULL);
        if (!d->in[0])
            return false;
    }
    return fix_axis(o, d, 0, string_rank(d->in[0]));
}

/* As many strings along each axis, each as a whole. */
static bool move_expand(struct onnx *o, struct draft *d)
{
    int64_t dims[MAX_RANK];
    const struct value *s = draft_input(d, 1);
    if (!s || !value_is_constant(s))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "the shape of strings must be constant");
    size_t n = (size_t)tensor_elems(s->constant);
    if (n >= MAX_RANK)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "strings in %zu dimensions", n);
    for (size_t i = 0; i < n; i++)
        dims[i] = tensor_get_int(s->constant, (int64_t)i);
    dims[n] = !strcmp(d->op_type, "Tile") ? 1 : onnx_string_bytes(d->in[0]);
    draft_set_input(o, d, 1, build_ints(&o->im, NULL, dims, n + 1));
    return d->in[1] != NULL;
}

enum strings { NO_STRINGS, FIRST_STRINGS, ALL_STRINGS };

static const struct {
    const char *op_type;
    enum strings out; /* the outputs that are strings */
    bool (*move)(struct onnx *o, struct draft *d);
} moves[] = {
    {"Compress", ALL_STRINGS, move_along_axis}, {"Concat", ALL_STRINGS, move_concat},
    {"Expand", ALL_STRINGS, move_expand},       {"Flatten", ALL_STRINGS, move_flatten},
    {"Gather", ALL_STRINGS, move_along_axis},   {"Identity", ALL_STRINGS, move_identity},
    {"Reshape", ALL_STRINGS, move_reshape},     {"Shape", NO_STRINGS, move_shape},
    {"Slice", ALL_STRINGS, move_slice},         {"Split", ALL_STRINGS, move_along_axis},
    {"Squeeze", ALL_STRINGS, move_squeeze},     {"Tile", ALL_STRINGS, move_expand},
    {"Transpose", ALL_STRINGS, move_transpose}, {"Unique", FIRST_STRINGS, move_unique},
    {"Unsqueeze", ALL_STRINGS, move_unsqueeze}, {"Where", ALL_STRINGS, move_where},
};

/* Operators that look into strings themselves, or take whatever comes. */
static bool looks_into_strings(const char *op_type)
{
    static const char *const types[] = {
        "Cast",
        "ConcatFromSequence",
        "Equal",
        "Loop",
        "Optional",
        "OptionalGetElement",
        "OptionalHasElement",
        "RegexFullMatch",
        "SequenceConstruct",
        "SequenceInsert",
        "StringConcat",
        "StringNormalizer",
        "StringSplit",
        "TfIdfVectorizer",
        ONNX_ML "ArrayFeatureExtractor",
        ONNX_ML "CategoryMapper",
        ONNX_ML "LabelEncoder",
        ONNX_ML "OneHotEncoder",
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i], op_type))
            return true;
    return false;
}

bool onnx_adapt_strings(struct onnx *o, struct draft *d, size_t *out_strings)
{
    size_t first = 0;
    *out_strings = 0;
    while (first < d->n_in && !onnx_is_string(o, d->in[first]))
        first++;
    if (first == d->n_in || looks_into_strings(d->op_type))
        return true;
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
        if (strcmp(moves[i].op_type, d->op_type))
            continue;
        *out_strings = moves[i].out == ALL_STRINGS ? d->n_out : moves[i].out == FIRST_STRINGS;
        return draft_need_inputs(o, d, 1) && moves[i].move(o, d);
    }
    return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                       "its input '%s' is a tensor of strings, which %s does not take here",
                       d->in[first]->name, d->op_type);
}
