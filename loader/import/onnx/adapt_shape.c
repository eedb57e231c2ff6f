/*
 * Older versions of operators that move elements: lists that were attributes become inputs.
 */
#include <string.h>

#include "loader/import/onnx/onnx.h"

/* The list `name`, if it is given, becomes input `i`. */
static bool ints_to_input(struct onnx *o, struct draft *d, const char *name, size_t i)
{
    struct draft_attr *a;
    if (!draft_take_kind(o, d, name, ATTR_KIND_INTS, &a))
        return false;
    if (!a)
        return true;
    if (draft_input(d, i))
        return draft_error(o, d, SHEAF_ERROR_FORMAT,
                           "'%s' is given as an attribute and as input %zu", name, i);
    draft_set_input(o, d, i, build_ints(&o->im, NULL, a->u.ints.v, a->u.ints.n));
    return true;
}

bool onnx_adapt_axes(struct onnx *o, struct draft *d)
{
    return ints_to_input(o, d, "axes", 1);
}

bool onnx_adapt_reshape(struct onnx *o, struct draft *d)
{
    return ints_to_input(o, d, "shape", 1);
}

bool onnx_adapt_split(struct onnx *o, struct draft *d)
{
    return ints_to_input(o, d, "split", 1);
}

bool onnx_adapt_slice(struct onnx *o, struct draft *d)
{
    return ints_to_input(o, d, "starts", 1) && ints_to_input(o, d, "ends", 2) &&
           ints_to_input(o, d, "axes", 3);
}

bool onnx_adapt_top_k(struct onnx *o, struct draft *d)
{
    int64_t k;
    if (draft_input(d, 1))
        return draft_error(o, d, SHEAF_ERROR_FORMAT, "'k' is given as an attribute and as input 1");
    if (!draft_take_int(o, d, "k", 0, &k))
        return false;
    draft_set_input(o, d, 1, build_ints(&o->im, NULL, &k, 1));
    return true;
}

/* Another name. */
bool onnx_adapt_pad1(struct onnx *o, struct draft *d)
{
    return ints_to_input(o, d, "paddings", 1);
}

bool onnx_adapt_pad(struct onnx *o, struct draft *d)
{
    float value;
    if (!draft_input(d, 0))
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "Pad lacks its input 0");
    if (!ints_to_input(o, d, "pads", 1) || !draft_take_float(o, d, "value", 0, &value))
        return false;
    if (value != 0)
        draft_set_input(o, d, 2, build_float(&o->im, NULL, d->in[0]->dtype, (double)value));
    return true;
}

bool onnx_adapt_concat(struct onnx *o, struct draft *d)
{
    int64_t axis;
    if (!draft_take_int(o, d, "axis", 1, &axis))
        return false;
    draft_add(o, d, "axis", ATTR_KIND_INT)->u.i = axis;
    return true;
}

/* ---- Constant ---- */

static struct tensor *floats_tensor(struct arena *a, const float *v, size_t n, int rank)
{
    int64_t dim = (int64_t)n;
    struct tensor *t = tensor_new(a, DTYPE_F32, rank, &dim);
    for (size_t i = 0; i < n; i++)
        tensor_set(t, (int64_t)i, (double)v[i]);
    return t;
}

static struct tensor *ints_tensor(struct arena *a, const int64_t *v, size_t n, int rank)
{
    int64_t dim = (int64_t)n;
    struct tensor *t = tensor_new(a, DTYPE_I64, rank, &dim);
    for (size_t i = 0; i < n; i++)
        tensor_set_int(t, (int64_t)i, v[i]);
    return t;
}

static struct tensor *text_tensor(struct arena *a, const char *text)
{
    int64_t bytes = *text ? (int64_t)strlen(text) : 1;
    struct tensor *t = tensor_new(a, DTYPE_U8, 1, &bytes);
    memcpy(tensor_data(t), text, strlen(text));
    return t;
}

bool onnx_adapt_constant(struct onnx *o, struct draft *d)
{
    struct arena *arena = o->im.arena;
    if (d->n_attrs != 1 || d->n_in || d->n_out != 1)
        return draft_error(o, d, SHEAF_ERROR_FORMAT,
                           "Constant has %zu values, %zu inputs and %zu outputs where it needs one "
                           "value and one output",
                           d->n_attrs, d->n_in, d->n_out);
    struct draft_attr *a = &d->attrs[0];
    const struct tensor *t = NULL;
    bool strings = a->kind == ATTR_KIND_STRING || a->kind == ATTR_KIND_STRINGS;
    if (a->kind == ATTR_KIND_TENSOR && d->proto->attribute[0]->t)
        strings = d->proto->attribute[0]->t->data_type == ONNX_STRING;
    if ((!strcmp(a->name, "value") || !strcmp(a->name, "sparse_value")) &&
        a->kind == ATTR_KIND_TENSOR)
        t = a->u.tensor;
    else if (!strcmp(a->name, "value_string") && a->kind == ATTR_KIND_STRING)
        t = text_tensor(arena, a->u.s);
    else if (!strcmp(a->name, "value_strings") && a->kind == ATTR_KIND_STRINGS)
        t = onnx_strings(o, a->u.strings.v, a->u.strings.n)->constant;
    else if (!strcmp(a->name, "value_float") && a->kind == ATTR_KIND_FLOAT)
        t = floats_tensor(arena, &a->u.f, 1, 0);
    else if (!strcmp(a->name, "value_floats") && a->kind == ATTR_KIND_FLOATS)
        t = floats_tensor(arena, a->u.floats.v, a->u.floats.n, 1);
    else if (!strcmp(a->name, "value_int") && a->kind == ATTR_KIND_INT)
        t = ints_tensor(arena, &a->u.i, 1, 0);
    else if (!strcmp(a->name, "value_ints") && a->kind == ATTR_KIND_INTS)
        t = ints_tensor(arena, a->u.ints.v, a->u.ints.n, 1);
    if (!t)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "a Constant with the attribute '%s' is not supported", a->name);
    a->used = true;
    struct value *v = graph_add_constant(o->im.g, d->out[0], t);
    return draft_finish(o, d, strings ? onnx_string(o, v) : v);
}

/* The bound where the extent is known only at run time is what the model declares for the output.
 */
bool onnx_adapt_range(struct onnx *o, struct draft *d)
{
    struct value declared = {0};
    onnx_preset(o, &declared, name_map_get(&o->scope->declared, draft_output_name(d)));
    if (declared.dtype != DTYPE_NONE && declared.shape.rank == 1)
        draft_add(o, d, "bound", ATTR_KIND_INT)->u.i = declared.shape.dims[0];
    return true;
}
