/*
 * ai.onnx.ml: values for keys: LabelEncoder, CategoryMapper, OneHotEncoder and ZipMap.
 */
#include <string.h>

#include "loader/import/onnx/compose/find.h"
#include "loader/import/onnx/compose/ml.h"

/* A list of keys or values, as [n] numbers or [n, W] bytes of strings. */
struct list {
    const struct tensor *t; /* NULL: not given */
    bool strings;
};

static struct list ints_list(struct onnx *o, const int64_t *v, size_t n)
{
    return (struct list){tensor_from_ints(o->im.arena, v, (int64_t)n), false};
}

static struct list texts_list(struct onnx *o, const char *const *v, size_t n)
{
    return (struct list){onnx_strings(o, v, n)->constant, true};
}

static struct list float_list(struct onnx *o, const float *v, size_t n)
{
    int64_t dims = (int64_t)n;
    struct tensor *t = tensor_new(o->im.arena, DTYPE_F32, 1, &dims);
    for (size_t i = 0; i < n; i++)
        tensor_set(t, (int64_t)i, (double)v[i]);
    return (struct list){t, false};
}

static bool is_text_tensor(const struct draft *d, const char *name)
{
    for (size_t i = 0; i < d->proto->n_attribute; i++) {
        const Onnx__AttributeProto *a = d->proto->attribute[i];
        if (a->name && !strcmp(a->name, name))
            return a->t && a->t->data_type == ONNX_STRING;
    }
    return false;
}

/* WHAT_strings, WHAT_int64s, WHAT_floats or WHAT_tensor, whichever the node has. */
static bool take_list(struct onnx *o, struct draft *d, const char *what, struct list *out)
{
    struct arena *a = o->im.arena;
    struct draft_attr *texts, *ints, *floats, *tensor;
    const char *name = arena_printf(a, "%s_tensor", what);
    if (!draft_take_kind(o, d, arena_printf(a, "%s_strings", what), ATTR_KIND_STRINGS, &texts) ||
        !draft_take_kind(o, d, arena_printf(a, "%s_int64s", what), ATTR_KIND_INTS, &ints) ||
        !draft_take_kind(o, d, arena_printf(a, "%s_floats", what), ATTR_KIND_FLOATS, &floats) ||
        !draft_take_kind(o, d, name, ATTR_KIND_TENSOR, &tensor))
        return false;
    *out = (struct list){NULL, false};
    if (texts && texts->u.strings.n)
        *out = texts_list(o, texts->u.strings.v, texts->u.strings.n);
    else if (ints && ints->u.ints.n)
        *out = ints_list(o, ints->u.ints.v, ints->u.ints.n);
    else if (floats && floats->u.floats.n)
        *out = float_list(o, floats->u.floats.v, floats->u.floats.n);
    else if (tensor)
        *out = (struct list){tensor->u.tensor, is_text_tensor(d, name)};
    bool one_list = !out->t || out->t->rank == 1 + out->strings;
    if (!out->t || !one_list || !out->t->dims[0])
        return draft_error(o, d, SHEAF_ERROR_FORMAT, "%s has no list of %s", d->op_type, what);
    return true;
}

/* What stands for a key that there is none of, of the type that values have. */
static bool take_default(struct onnx *o, struct draft *d, const struct list *values,
                         struct list *out)
{
    const char *text;
    float f;
    int64_t i;
    struct draft_attr *tensor;
    if (!ml_take_text(o, d, "default_string", "_Unused", &text) ||
        !draft_take_float(o, d, "default_float", -0.0f, &f) ||
        !draft_take_int(o, d, "default_int64", -1, &i) ||
        !draft_take_kind(o, d, "default_tensor", ATTR_KIND_TENSOR, &tensor))
        return false;
    bool strings = tensor && is_text_tensor(d, "default_tensor");
    if (tensor && tensor->u.tensor->dtype == values->t->dtype && strings == values->strings &&
        tensor_elems(tensor->u.tensor) > 0)
        *out = (struct list){tensor->u.tensor, strings};
    else if (tensor)
        return draft_error(o, d, SHEAF_ERROR_FORMAT,
                           "default_tensor is of another type than values");
    else if (values->strings)
        *out = texts_list(o, &text, 1);
    else if (dtype_is_float(values->t->dtype))
        *out = float_list(o, &f, 1);
    else
        *out = ints_list(o, &i, 1);
    return true;
}

static int64_t width_of(const struct list *l)
{
    return l->strings ? l->t->dims[l->t->rank - 1] : 1;
}

static void copy_row(struct tensor *to, int64_t row, int64_t width, const struct list *from,
                     int64_t at)
{
    if (!from->strings && !dtype_is_float(to->dtype)) {
        tensor_set_int(to, row, tensor_get_int(from->t, at));
        return;
    }
    if (!from->strings) {
        tensor_set(to, row, tensor_get(from->t, at));
        return;
    }
    memcpy((char *)tensor_data(to) + row * width, (const char *)from->t->data + at * width_of(from),
           (size_t)width_of(from));
}

/* The values in the order of the keys, and behind them the default. */
static struct value *value_table(struct onnx *o, const struct list *values,
                                 const struct list *otherwise, const struct find_keys *keys)
{
    int64_t width = width_of(values);
    if (width_of(otherwise) > width)
        width = width_of(otherwise);
    const int64_t dims[2] = {keys->n + 1, width};
    struct tensor *t = tensor_new(o->im.arena, values->t->dtype, values->strings ? 2 : 1, dims);
    for (int64_t i = 0; i < keys->n; i++)
        copy_row(t, i, width, values, keys->from[i]);
    copy_row(t, keys->n, width, otherwise, 0);
    return graph_add_constant(o->im.g, NULL, t);
}

static bool finish_mapped(struct onnx *o, struct draft *d, const struct list *keys,
                          const struct list *values, const struct list *otherwise)
{
    struct find_keys found;
    if (keys->t->dims[0] != values->t->dims[0])
        return draft_error(o, d, SHEAF_ERROR_FORMAT, "there are %lld keys and %lld values",
                           (long long)keys->t->dims[0], (long long)values->t->dims[0]);
    find_keys_of(o, keys->t, keys->strings, &found);
    struct value *index = find_index(o, d, d->in[0], &found);
    struct value *table = value_table(o, values, otherwise, &found);
    struct value *y = compose_binary(o, OP_gather, table, index, NULL);
    return draft_finish(o, d, values->strings ? onnx_string(o, y) : y);
}

/* Version 1 has one list, of strings; their places are the values, or the keys. */
static bool label_encoder_1(struct onnx *o, struct draft *d, const struct attr_strings *classes)
{
    struct list texts = texts_list(o, classes->v, classes->n), otherwise;
    int64_t *v = arena_array(o->im.arena, classes->n, sizeof *v);
    for (size_t i = 0; i < classes->n; i++)
        v[i] = (int64_t)i;
    struct list places = ints_list(o, v, classes->n);
    bool to_int = onnx_is_string(o, d->in[0]);
    return take_default(o, d, to_int ? &places : &texts, &otherwise) &&
           finish_mapped(o, d, to_int ? &texts : &places, to_int ? &places : &texts, &otherwise);
}

bool onnx_compose_label_encoder(struct onnx *o, struct draft *d)
{
    struct draft_attr *classes;
    struct list keys, values, otherwise;
    if (!draft_need_inputs(o, d, 1) ||
        !draft_take_kind(o, d, "classes_strings", ATTR_KIND_STRINGS, &classes))
        return false;
    if (classes && classes->u.strings.n)
        return label_encoder_1(o, d, &classes->u.strings);
    return take_list(o, d, "keys", &keys) && take_list(o, d, "values", &values) &&
           take_default(o, d, &values, &otherwise) &&
           finish_mapped(o, d, &keys, &values, &otherwise);
}

static bool take_categories(struct onnx *o, struct draft *d, struct list *ints, struct list *texts)
{
    struct attr_ints i;
    struct draft_attr *s;
    if (!draft_need_inputs(o, d, 1) || !ml_take_ints(o, d, "cats_int64s", &i) ||
        !draft_take_kind(o, d, "cats_strings", ATTR_KIND_STRINGS, &s))
        return false;
    *ints = *texts = (struct list){NULL, false};
    if (i.n)
        *ints = ints_list(o, i.v, i.n);
    if (s && s->u.strings.n)
        *texts = texts_list(o, s->u.strings.v, s->u.strings.n);
    return true;
}

bool onnx_compose_category_mapper(struct onnx *o, struct draft *d)
{
    struct list ints, texts, otherwise;
    if (!take_categories(o, d, &ints, &texts))
        return false;
    if (!ints.t || !texts.t)
        return draft_error(o, d, SHEAF_ERROR_FORMAT, "CategoryMapper has no categories");
    bool to_int = onnx_is_string(o, d->in[0]);
    return take_default(o, d, to_int ? &ints : &texts, &otherwise) &&
           finish_mapped(o, d, to_int ? &texts : &ints, to_int ? &ints : &texts, &otherwise);
}

/* Elements of no category give zeros, also where `zeros` asks for a fault instead. */
bool onnx_compose_one_hot_encoder(struct onnx *o, struct draft *d)
{
    struct list ints, texts;
    struct find_keys found;
    static const int64_t last = -1;
    int64_t zeros;
    if (!take_categories(o, d, &ints, &texts) || !draft_take_int(o, d, "zeros", 1, &zeros))
        return false;
    const struct list *cats = ints.t ? &ints : &texts;
    if (!cats->t)
        return draft_error(o, d, SHEAF_ERROR_FORMAT, "OneHotEncoder has no categories");
    if (!zeros)
        import_note(&o->im, "%s: node '%s': elements of no category give zeros", o->im.path,
                    d->name);
    find_keys_of(o, cats->t, cats->strings, &found);
    struct value *index = find_index(o, d, d->in[0], &found);
    if (!index)
        return false;
    struct value *axes = build_ints(&o->im, NULL, &last, 1);
    struct value *own = build_ints(&o->im, NULL, found.rank, (size_t)cats->t->dims[0]);
    index = build_binary(&o->im, OP_unsqueeze, d->name, index, axes);
    return onnx_finish_as(o, d, compose_binary(o, OP_equal, index, own, NULL), DTYPE_F32);
}

/* A map for each row is that row of values, in the order of the keys. */
bool onnx_compose_zip_map(struct onnx *o, struct draft *d)
{
    draft_take(d, "classlabels_strings");
    draft_take(d, "classlabels_int64s");
    if (!draft_need_inputs(o, d, 1))
        return false;
    import_note(&o->im, "%s: the maps of node '%s' are rows of values, in the order of its keys",
                o->im.path, d->name);
    return draft_finish(o, d, d->in[0]);
}
