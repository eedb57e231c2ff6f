/*
 * A node of the model between its protobuf form and the graph: inputs resolved, attributes typed,
 * open to the changes that bring it to the newest version of its operator.
 */
#include <assert.h>
#include <string.h>

#include "loader/import/onnx/onnx.h"

bool draft_error(struct onnx *o, const struct draft *d, enum sheaf_status status, const char *fmt,
                 ...)
{
    va_list args;
    va_start(args, fmt);
    import_node_errorv(&o->im, d->name, status, fmt, args);
    va_end(args);
    return false;
}

/* ---- attributes ---- */

static const char *kind_name(enum attr_kind kind)
{
    static const char *const names[] = {
        [ATTR_KIND_INT] = "an integer",
        [ATTR_KIND_FLOAT] = "a number",
        [ATTR_KIND_STRING] = "a text",
        [ATTR_KIND_INTS] = "a list of integers",
        [ATTR_KIND_FLOATS] = "a list of numbers",
        [ATTR_KIND_STRINGS] = "a list of texts",
        [ATTR_KIND_TENSOR] = "a tensor",
    };
    return names[kind];
}

/* What the attribute holds, also in files of the first versions, which do not say. */
static Onnx__AttributeProto__AttributeType attr_type(const Onnx__AttributeProto *p)
{
    if (p->has_type && p->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED)
        return p->type;
    if (p->has_f)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    if (p->has_i)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    if (p->has_s)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    if (p->t)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    if (p->g)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH;
    if (p->sparse_tensor)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR;
    if (p->tp)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO;
    if (p->n_floats)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
    if (p->n_strings)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS;
    return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
}

static const char *bytes_text(struct arena *a, const ProtobufCBinaryData *s)
{
    return arena_strndup(a, s->data ? (const char *)s->data : "", s->len);
}

static bool attr_tensor(struct onnx *o, const struct draft *d, const Onnx__AttributeProto *p,
                        struct draft_attr *a)
{
    const char *what = arena_printf(o->im.arena, "attribute '%s' of node '%s'", a->name, d->name);
    if (p->t)
        return onnx_tensor(o, p->t, what, &a->u.tensor);
    if (p->sparse_tensor)
        return onnx_sparse_tensor(o, p->sparse_tensor, what, &a->u.tensor);
    return draft_error(o, d, SHEAF_ERROR_FORMAT, "attribute '%s' holds no tensor", a->name);
}

static bool add_attr(struct onnx *o, struct draft *d, const Onnx__AttributeProto *p)
{
    struct arena *arena = o->im.arena;
    const char *name = p->name ? p->name : "";
    if (p->ref_attr_name && *p->ref_attr_name)
        return draft_error(o, d, SHEAF_ERROR_FORMAT,
                           "attribute '%s' refers to one of a function, and it is in none", name);
    Onnx__AttributeProto__AttributeType type = attr_type(p);
    /* Graphs are found in the protobuf form by the operators that have one; the type of an optional
       that holds nothing is not needed. */
    if (type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH ||
        type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TYPE_PROTO)
        return true;
    struct draft_attr *a = draft_add(o, d, name, ATTR_KIND_INT);
    switch (type) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        a->u.i = p->i;
        return true;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        a->kind = ATTR_KIND_FLOAT;
        a->u.f = p->f;
        return true;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        a->kind = ATTR_KIND_STRING;
        a->u.s = bytes_text(arena, &p->s);
        return true;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        a->kind = ATTR_KIND_INTS;
        a->u.ints.v = arena_copy(arena, p->ints, p->n_ints * sizeof *p->ints);
        a->u.ints.n = p->n_ints;
        return true;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        a->kind = ATTR_KIND_FLOATS;
        a->u.floats.v = arena_copy(arena, p->floats, p->n_floats * sizeof *p->floats);
        a->u.floats.n = p->n_floats;
        return true;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS: {
        a->kind = ATTR_KIND_STRINGS;
        const char **text = arena_array(arena, p->n_strings, sizeof *text);
        for (size_t i = 0; i < p->n_strings; i++)
            text[i] = bytes_text(arena, &p->strings[i]);
        a->u.strings.v = text;
        a->u.strings.n = p->n_strings;
        return true;
    }
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR:
        a->kind = ATTR_KIND_TENSOR;
        return attr_tensor(o, d, p, a);
    default:
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "attribute '%s' is of a kind (%d) that is not supported", a->name,
                           (int)type);
    }
}

bool draft_init(struct onnx *o, const Onnx__NodeProto *p, struct draft *out_draft)
{
    struct draft d = {.proto = p, .op_type = onnx_op_type(o->im.arena, p)};
    d.op = op_by_onnx(d.op_type);
    d.n_out = p->n_output;
    while (d.n_out && !*p->output[d.n_out - 1])
        d.n_out--;
    d.out = arena_array(o->im.arena, d.n_out, sizeof(const char *));
    for (size_t i = 0; i < d.n_out; i++)
        d.out[i] = p->output[i];
    d.name = p->name && *p->name ? p->name : d.n_out && *d.out[0] ? d.out[0] : d.op_type;
    for (size_t i = 0; i < p->n_attribute; i++)
        if (!add_attr(o, &d, p->attribute[i]))
            return false;
    *out_draft = d;
    return true;
}

struct draft_attr *draft_take(struct draft *d, const char *name)
{
    for (size_t i = 0; i < d->n_attrs; i++) {
        struct draft_attr *a = &d->attrs[i];
        if (!a->used && !strcmp(a->name, name)) {
            a->used = true;
            return a;
        }
    }
    return NULL;
}

bool draft_take_kind(struct onnx *o, struct draft *d, const char *name, enum attr_kind kind,
                     struct draft_attr **out_attr)
{
    struct draft_attr *a = draft_take(d, name);
    /* An empty list does not say what it is a list of. */
    if (a && a->kind == ATTR_KIND_INTS && a->u.ints.n == 0 &&
        (kind == ATTR_KIND_FLOATS || kind == ATTR_KIND_STRINGS)) {
        a->kind = kind;
        memset(&a->u, 0, sizeof a->u);
    }
    if (a && a->kind != kind)
        return draft_error(o, d, SHEAF_ERROR_FORMAT, "attribute '%s' is %s, it should be %s", name,
                           kind_name(a->kind), kind_name(kind));
    *out_attr = a;
    return true;
}

bool draft_take_int(struct onnx *o, struct draft *d, const char *name, int64_t otherwise,
                    int64_t *out_value)
{
    struct draft_attr *a;
    if (!draft_take_kind(o, d, name, ATTR_KIND_INT, &a))
        return false;
    *out_value = a ? a->u.i : otherwise;
    return true;
}

bool draft_take_float(struct onnx *o, struct draft *d, const char *name, float otherwise,
                      float *out_value)
{
    struct draft_attr *a;
    if (!draft_take_kind(o, d, name, ATTR_KIND_FLOAT, &a))
        return false;
    *out_value = a ? a->u.f : otherwise;
    return true;
}

struct draft_attr *draft_add(struct onnx *o, struct draft *d, const char *name, enum attr_kind kind)
{
    struct draft_attr *a = &ARENA_PUSH(o->im.arena, d->attrs, d->n_attrs, d->cap_attrs);
    memset(a, 0, sizeof *a);
    a->name = name;
    a->kind = kind;
    return a;
}

bool draft_check_attrs(struct onnx *o, struct draft *d)
{
    for (size_t i = 0; i < d->n_attrs; i++)
        if (!d->attrs[i].used)
            return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                               "%s of opset %lld has no attribute '%s' that is supported",
                               d->op_type, (long long)o->opset, d->attrs[i].name);
    return true;
}

/* ---- inputs and outputs ---- */

void draft_set_input(struct onnx *o, struct draft *d, size_t i, struct value *v)
{
    while (d->n_in <= i)
        ARENA_PUSH(o->im.arena, d->in, d->n_in, d->cap_in) = NULL;
    d->in[i] = v;
}

struct value *draft_input(const struct draft *d, size_t i)
{
    return i < d->n_in ? d->in[i] : NULL;
}

bool draft_output_used(const struct onnx *o, const struct draft *d, size_t i)
{
    return i < d->n_out && *d->out[i] && name_map_get(&o->used, d->out[i]);
}

void draft_bind(struct onnx *o, struct draft *d, size_t i, struct value *v)
{
    if (i < d->n_out && *d->out[i])
        name_map_put(&o->scope->values, o->im.arena, d->out[i], v);
}

bool draft_need_inputs(struct onnx *o, const struct draft *d, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!draft_input(d, i))
            return draft_error(o, d, SHEAF_ERROR_SHAPE, "%s lacks its input %zu", d->op_type, i);
    return true;
}

const char *draft_output_name(const struct draft *d)
{
    return d->n_out ? d->out[0] : "";
}

bool draft_finish(struct onnx *o, struct draft *d, struct value *v)
{
    if (!v)
        return false;
    draft_bind(o, d, 0, v);
    d->done = true;
    return true;
}

struct value *onnx_widened(struct onnx *o, struct value *x)
{
    bool narrow = x && (x->dtype == DTYPE_F16 || x->dtype == DTYPE_BF16);
    return narrow ? build_cast(&o->im, NULL, x, DTYPE_F32, NULL) : x;
}

bool onnx_finish_as(struct onnx *o, struct draft *d, struct value *v, enum dtype dtype)
{
    return v && draft_finish(o, d, build_cast(&o->im, d->name, v, dtype, NULL));
}

/* ---- the node ---- */

static bool set_attr(struct onnx *o, struct draft *d, const struct attr_desc *desc, void *attrs)
{
    struct draft_attr *a;
    if (!draft_take_kind(o, d, desc->name, desc->kind, &a))
        return false;
    if (!a)
        return true;
    char *field = (char *)attrs + desc->offset;
    switch (desc->kind) {
    case ATTR_KIND_INT:
        memcpy(field, &a->u.i, sizeof a->u.i);
        break;
    case ATTR_KIND_FLOAT:
        memcpy(field, &a->u.f, sizeof a->u.f);
        break;
    case ATTR_KIND_STRING:
        memcpy(field, &a->u.s, sizeof a->u.s);
        break;
    case ATTR_KIND_INTS:
        memcpy(field, &a->u.ints, sizeof a->u.ints);
        break;
    case ATTR_KIND_FLOATS:
        memcpy(field, &a->u.floats, sizeof a->u.floats);
        break;
    case ATTR_KIND_STRINGS:
        memcpy(field, &a->u.strings, sizeof a->u.strings);
        break;
    case ATTR_KIND_TENSOR:
        memcpy(field, &a->u.tensor, sizeof a->u.tensor);
        break;
    }
    return true;
}

bool draft_set_attrs(struct onnx *o, struct draft *d, struct node *n)
{
    const struct op_desc *desc = op_desc(n->op);
    for (size_t i = 0; i < desc->n_attrs; i++)
        if (!set_attr(o, d, &desc->attrs[i], n->attrs))
            return false;
    return true;
}

/* Outputs that this build does not compute may be there if nobody uses them. */
static bool drop_extra_outputs(struct onnx *o, struct draft *d, const struct op_desc *desc)
{
    while (desc->max_out >= 0 && d->n_out > (size_t)desc->max_out) {
        if (draft_output_used(o, d, d->n_out - 1))
            return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                               "output %zu ('%s') of %s is not supported", d->n_out - 1,
                               d->out[d->n_out - 1], d->op_type);
        d->n_out--;
    }
    return true;
}

bool draft_emit(struct onnx *o, struct draft *d)
{
    const struct op_desc *desc = op_desc(d->op);
    while (d->n_in && !d->in[d->n_in - 1])
        d->n_in--;
    if (!drop_extra_outputs(o, d, desc))
        return false;
    struct node *n = build_begin(&o->im, d->op, d->name, d->in, d->n_in, d->n_out);
    if (!draft_set_attrs(o, d, n) || !draft_check_attrs(o, d) || !build_end(&o->im, n, d->out))
        return false;
    for (size_t i = 0; i < d->n_out; i++)
        draft_bind(o, d, i, n->out[i]);
    return true;
}
