/*
 * Declared types and symbolic dimensions.
 *
 * A symbol has one value in the whole model: what -onnx-define-symbol says, else what a
 * -model-input puts in its place, else, if it is the first dimension of an input, the batch.  The
 * name of an input that is a sequence or an optional is a symbol, too: how many tensors it has;
 * that of one of strings: how many bytes each has room for; that of a tensor of sizes: how large
 * they can be at run time; that of a sequence which a Loop gives: how many tensors it can have.
 */
#include <string.h>

#include "loader/import/onnx/onnx.h"

static const Onnx__TypeProto__Tensor *tensor_type(const Onnx__TypeProto *type)
{
    return type ? type->tensor_type : NULL;
}

static const char *symbol_of(const Onnx__TensorShapeProto__Dimension *d)
{
    return !d->has_dim_value && d->dim_param && *d->dim_param ? d->dim_param : NULL;
}

/* A number, or a symbol that has one; files in the wild write -1 for an open dimension. */
static bool dim_value(const struct onnx *o, const Onnx__TensorShapeProto__Dimension *d,
                      int64_t *out)
{
    if (d->has_dim_value && d->dim_value >= 0) {
        *out = d->dim_value;
        return true;
    }
    const char *symbol = symbol_of(d);
    const struct import_symbol *s = symbol ? name_map_get(&o->symbols, symbol) : NULL;
    if (s)
        *out = s->value;
    return s != NULL;
}

/* ---- symbols ---- */

static void define_symbol(struct onnx *o, const char *name, int64_t value)
{
    struct import_symbol *s = arena_new(o->im.arena, struct import_symbol);
    s->name = name;
    s->value = value;
    name_map_put(&o->symbols, o->im.arena, name, s);
}

static bool is_list(const Onnx__TypeProto *type)
{
    return type && (type->sequence_type || type->optional_type);
}

static bool is_string(const Onnx__TypeProto__Tensor *t)
{
    return t && t->elem_type == ONNX_STRING;
}

/* Whether a value bears the name, so that it may be given a length or a bound. */
static bool has_value(const Onnx__GraphProto *p, const char *name)
{
    for (size_t i = 0; i < p->n_input; i++)
        if (p->input[i]->name && !strcmp(p->input[i]->name, name))
            return true;
    for (size_t i = 0; i < p->n_node; i++) {
        const Onnx__NodeProto *n = p->node[i];
        for (size_t j = 0; j < n->n_output; j++)
            if (!strcmp(n->output[j], name))
                return true;
        for (size_t j = 0; j < n->n_attribute; j++)
            if (n->attribute[j]->g && has_value(n->attribute[j]->g, name))
                return true;
    }
    return false;
}

static bool has_symbol(const Onnx__GraphProto *p, const char *name)
{
    for (size_t i = 0; i < p->n_input; i++) {
        const Onnx__TypeProto__Tensor *t = tensor_type(p->input[i]->type);
        for (size_t d = 0; t && t->shape && d < t->shape->n_dim; d++) {
            const char *symbol = symbol_of(t->shape->dim[d]);
            if (symbol && !strcmp(symbol, name))
                return true;
        }
    }
    return false;
}

/* Whether the first dimension of each input is a number, so that no symbol can have been meant. */
static bool has_fixed_batch(const Onnx__GraphProto *p)
{
    for (size_t i = 0; i < p->n_input; i++) {
        const Onnx__TypeProto__Tensor *t = tensor_type(p->input[i]->type);
        if (!t || !t->shape || !t->shape->n_dim || !t->shape->dim[0]->has_dim_value ||
            t->shape->dim[0]->dim_value < 0)
            return false;
    }
    return true;
}

static bool define_options(struct onnx *o, const Onnx__GraphProto *p)
{
    for (size_t i = 0; i < o->im.opt->n_symbols; i++) {
        const struct import_symbol *s = &o->im.opt->symbols[i];
        bool has = has_symbol(p, s->name) || has_value(p, s->name);
        if (!has && s->is_batch && has_fixed_batch(p))
            continue;
        if (!has)
            return import_error(
                &o->im, SHEAF_ERROR_NOT_FOUND,
                "no input of the model has a dimension '%s', and no tensor has that "
                "name, which -onnx-define-symbol sets",
                s->name);
        define_symbol(o, s->name, s->value);
    }
    return true;
}

static int64_t batch_of(const struct onnx *o)
{
    return o->im.opt->batch ? o->im.opt->batch : 1;
}

bool onnx_bind_symbols(struct onnx *o, const Onnx__GraphProto *p)
{
    if (!define_options(o, p))
        return false;
    for (size_t i = 0; i < p->n_input; i++) {
        const Onnx__TypeProto__Tensor *t = tensor_type(p->input[i]->type);
        const struct import_input *said =
            p->input[i]->name ? import_find_input(&o->im, p->input[i]->name) : NULL;
        if (!t || !t->shape || !said || said->rank != (int)t->shape->n_dim)
            continue;
        for (int d = 0; d < said->rank; d++) {
            const char *symbol = symbol_of(t->shape->dim[d]);
            if (symbol && !name_map_get(&o->symbols, symbol))
                define_symbol(o, symbol, said->dims[d]);
        }
    }
    for (size_t i = 0; i < p->n_input; i++) {
        const Onnx__TypeProto__Tensor *t = tensor_type(p->input[i]->type);
        if (!t || !t->shape || !t->shape->n_dim)
            continue;
        const char *symbol = symbol_of(t->shape->dim[0]);
        if (!symbol || name_map_get(&o->symbols, symbol))
            continue;
        define_symbol(o, symbol, batch_of(o));
        import_note(&o->im,
                    "%s: the first dimension '%s' of input '%s' is taken as %lld; "
                    "-onnx-define-symbol=%s,VALUE sets another",
                    o->im.path, symbol, p->input[i]->name ? p->input[i]->name : "",
                    (long long)batch_of(o), symbol);
    }
    return true;
}

/* ---- inputs ---- */

static bool input_type(struct onnx *o, const Onnx__ValueInfoProto *p,
                       const struct import_input *said, enum dtype *out_dtype)
{
    const Onnx__TypeProto__Tensor *t = tensor_type(p->type);
    if (!t && p->type && p->type->map_type)
        return import_error(&o->im, SHEAF_ERROR_UNSUPPORTED,
                            "input '%s' is a map, whose keys are known only at run time: give the "
                            "network the tensor that DictVectorizer or CastMap makes of it",
                            p->name);
    if (!t)
        return import_error(&o->im, SHEAF_ERROR_UNSUPPORTED,
                            "input '%s' is no tensor, which is not supported", p->name);
    enum dtype dtype = is_string(t) ? DTYPE_U8 : dtype_from_code(t->elem_type);
    if (dtype == DTYPE_NONE)
        return import_error(&o->im, SHEAF_ERROR_UNSUPPORTED,
                            "input '%s' has elements of type %s, which is not supported", p->name,
                            onnx_type_name(o, t->elem_type));
    if (said && said->dtype != DTYPE_NONE && said->dtype != dtype)
        return import_error(
            &o->im, SHEAF_ERROR_ARGUMENT, "%s says that input '%s' is %s, the model says %s",
            import_input_option(&o->im), p->name, dtype_name(said->dtype), dtype_name(dtype));
    *out_dtype = dtype;
    return true;
}

static bool open_dim(struct onnx *o, const Onnx__ValueInfoProto *p, size_t d, int64_t *out)
{
    const char *symbol = symbol_of(p->type->tensor_type->shape->dim[d]);
    if (symbol && !o->im.opt->input_option)
        return import_error(&o->im, SHEAF_ERROR_ARGUMENT,
                            "dimension %zu of input '%s' is the symbol '%s': its value must be "
                            "given, as in -onnx-define-symbol=%s,VALUE",
                            d, p->name, symbol, symbol);
    if (d > 0)
        return import_error(&o->im, SHEAF_ERROR_ARGUMENT,
                            "dimension %zu of input '%s' is open: the shape must be given, as in "
                            "%s=%s,TYPE,[DIMS]",
                            d, p->name, import_input_option(&o->im), p->name);
    *out = batch_of(o);
    import_note(&o->im, "%s: the open first dimension of input '%s' is taken as %lld", o->im.path,
                p->name, (long long)*out);
    return true;
}

static bool input_shape(struct onnx *o, const Onnx__ValueInfoProto *p,
                        const struct import_input *said, int *out_rank, int64_t *out_dims)
{
    const Onnx__TensorShapeProto *shape = p->type->tensor_type->shape;
    bool said_dims = said && said->rank >= 0;
    if (said_dims && shape && said->rank != (int)shape->n_dim)
        return import_error(&o->im, SHEAF_ERROR_ARGUMENT,
                            "%s gives input '%s' %d dimensions, the model %zu",
                            import_input_option(&o->im), p->name, said->rank, shape->n_dim);
    if (!said_dims && !shape)
        return import_error(&o->im, SHEAF_ERROR_ARGUMENT,
                            "the model does not state the shape of input '%s': it must be given, "
                            "as in %s=%s,TYPE,[DIMS]",
                            p->name, import_input_option(&o->im), p->name);
    if (!said_dims && shape->n_dim > MAX_RANK)
        return import_error(&o->im, SHEAF_ERROR_UNSUPPORTED,
                            "input '%s' has %zu dimensions, more than the %d that are supported",
                            p->name, shape->n_dim, MAX_RANK);
    int rank = said_dims ? said->rank : (int)shape->n_dim;
    for (int d = 0; d < rank; d++) {
        if (said_dims)
            out_dims[d] = said->dims[d];
        else if (!dim_value(o, shape->dim[d], &out_dims[d]) &&
                 !open_dim(o, p, (size_t)d, &out_dims[d]))
            return false;
    }
    *out_rank = rank;
    return true;
}

/* Strings have their bytes as one dimension more. */
static bool string_bytes(struct onnx *o, const Onnx__ValueInfoProto *p, int *rank, int64_t *dims)
{
    enum { STRING_BYTES = 64, MOST_BYTES = 1 << 20 };
    const struct import_symbol *s = name_map_get(&o->symbols, p->name);
    if (*rank == MAX_RANK)
        return import_error(&o->im, SHEAF_ERROR_UNSUPPORTED,
                            "input '%s' has strings in %d dimensions, %d are supported", p->name,
                            *rank, MAX_RANK - 1);
    if (s && (s->value < 1 || s->value > MOST_BYTES))
        return import_error(&o->im, SHEAF_ERROR_ARGUMENT,
                            "-onnx-define-symbol gives the strings of input '%s' %lld bytes, they "
                            "can have 1 to %d",
                            p->name, (long long)s->value, (int)MOST_BYTES);
    dims[(*rank)++] = s ? s->value : STRING_BYTES;
    if (!s)
        import_note(&o->im,
                    "%s: strings of input '%s' have at most %d bytes; -onnx-define-symbol=%s,BYTES "
                    "sets another bound",
                    o->im.path, p->name, (int)STRING_BYTES, p->name);
    return true;
}

/* ---- sequences and optionals ---- */

enum { MAX_LENGTH = 4096 };

static bool list_length(struct onnx *o, const Onnx__ValueInfoProto *p, int64_t most, int64_t *out)
{
    const struct import_symbol *s = name_map_get(&o->symbols, p->name);
    if (!s)
        return import_error(&o->im, SHEAF_ERROR_ARGUMENT,
                            "input '%s' is %s: how many tensors it has must be given, as in "
                            "-onnx-define-symbol=%s,1",
                            p->name, most == 1 ? "an optional" : "a sequence", p->name);
    if (s->value < 0 || s->value > most)
        return import_error(&o->im, SHEAF_ERROR_ARGUMENT,
                            "-onnx-define-symbol gives input '%s' %lld tensors, it can have %lld",
                            p->name, (long long)s->value, (long long)most);
    *out = s->value;
    return true;
}

/* An input of another type, and the value or sequence that it gives. */
static struct value *input_part(struct onnx *o, const char *name, Onnx__TypeProto *type)
{
    Onnx__ValueInfoProto part = ONNX__VALUE_INFO_PROTO__INIT;
    struct onnx_surroundings around = onnx_enter(o, o->im.block, NULL);
    part.name = arena_strdup(o->im.arena, name);
    part.type = type;
    bool ok = onnx_add_input(o, &part);
    struct value *v = ok ? name_map_get(&o->scope->values, name) : NULL;
    onnx_leave(o, around);
    return v;
}

/* Tensor i of sequence NAME is the input NAME_i. */
static struct value *sequence_input(struct onnx *o, const Onnx__ValueInfoProto *p)
{
    int64_t n;
    if (!list_length(o, p, MAX_LENGTH, &n))
        return NULL;
    struct value **element = arena_array(o->im.arena, (size_t)n, sizeof *element);
    for (int64_t i = 0; i < n; i++) {
        const char *name = arena_printf(o->im.arena, "%s_%lld", p->name, (long long)i);
        element[i] = input_part(o, name, p->type->sequence_type->elem_type);
        if (!element[i])
            return NULL;
    }
    return onnx_sequence(o, element, (size_t)n);
}

/* An optional sequence takes its length from the same symbol, so its presence is not asked for. */
static struct value *optional_input(struct onnx *o, const Onnx__ValueInfoProto *p)
{
    Onnx__TypeProto *type = p->type->optional_type->elem_type;
    int64_t n = 1;
    if (!is_list(type) && !list_length(o, p, 1, &n))
        return NULL;
    if (is_list(type) && !name_map_get(&o->symbols, p->name))
        n = 0;
    return n ? input_part(o, p->name, type) : onnx_nothing(o);
}

bool onnx_add_input(struct onnx *o, const Onnx__ValueInfoProto *p)
{
    if (!p->name || !*p->name)
        return import_error(&o->im, SHEAF_ERROR_FORMAT, "an input of the model has no name");
    if (name_map_get(&o->scope->values, p->name))
        return import_error(&o->im, SHEAF_ERROR_FORMAT, "the model has two inputs '%s'", p->name);
    if (is_list(p->type)) {
        struct value *list = p->type->sequence_type ? sequence_input(o, p) : optional_input(o, p);
        if (list)
            name_map_put(&o->scope->values, o->im.arena, p->name, list);
        return list != NULL;
    }
    const struct import_input *said = import_find_input(&o->im, p->name);
    if (said && said->constant) {
        name_map_put(&o->scope->values, o->im.arena, p->name,
                     graph_add_constant(o->im.g, p->name, said->constant));
        return true;
    }
    enum dtype dtype = DTYPE_NONE;
    int rank = 0;
    int64_t dims[MAX_RANK];
    if (!input_type(o, p, said, &dtype) || !input_shape(o, p, said, &rank, dims))
        return false;
    bool strings = is_string(p->type->tensor_type);
    if (strings && !string_bytes(o, p, &rank, dims))
        return false;
    struct value *v = build_input(&o->im, p->name, dtype, rank, dims, said);
    if (!v)
        return false;
    if (strings)
        onnx_string(o, v);
    name_map_put(&o->scope->values, o->im.arena, p->name, v);
    return true;
}

/* ---- what the model says of other values ---- */

static bool declared_dims(const struct onnx *o, const Onnx__TypeProto__Tensor *t, int *out_rank,
                          int64_t *out_dims)
{
    if (!t || !t->shape || t->shape->n_dim > MAX_RANK)
        return false;
    for (size_t d = 0; d < t->shape->n_dim; d++)
        if (!dim_value(o, t->shape->dim[d], &out_dims[d]))
            return false;
    *out_rank = (int)t->shape->n_dim;
    return import_bad_dim(*out_rank, out_dims) < 0;
}

void onnx_preset(struct onnx *o, struct value *v, const Onnx__TypeProto *type)
{
    const Onnx__TypeProto__Tensor *t = tensor_type(type);
    int rank = 0;
    int64_t dims[MAX_RANK];
    if (!declared_dims(o, t, &rank, dims) || dtype_from_code(t->elem_type) == DTYPE_NONE)
        return;
    v->dtype = dtype_from_code(t->elem_type);
    v->shape = shape_of_dims(rank, dims);
    v->layout = layout_plain(rank);
}

void onnx_compare_declared(struct onnx *o, const struct value *v, const Onnx__ValueInfoProto *p)
{
    int rank = 0;
    int64_t dims[MAX_RANK];
    if (!declared_dims(o, tensor_type(p->type), &rank, dims) || !shape_is_static(&v->shape) ||
        is_string(tensor_type(p->type)))
        return;
    struct shape declared = shape_of_dims(rank, dims);
    if (!shape_equal(&declared, &v->shape))
        import_note(&o->im, "%s: output '%s' has the shape %s, where the model declares %s",
                    o->im.path, p->name, shape_print(&v->shape, o->im.arena),
                    shape_print(&declared, o->im.arena));
}
