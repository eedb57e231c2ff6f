/*
 * Nodes that call functions of the user's.  Types and shapes of their outputs are those that the
 * model states; where it does not, and Sheaf knows the operator, those that it would give.
 */
#include <string.h>

#include "loader/import/extern.h"
#include "loader/import/onnx/onnx.h"

/* ---- attributes ---- */

static bool has_zero(const ProtobufCBinaryData *s)
{
    return s->len && memchr(s->data, 0, s->len);
}

/* What the function could not be given. */
static bool check_attribute(struct onnx *o, const struct draft *d, const Onnx__AttributeProto *p)
{
    const char *what = NULL;
    if (p->g || p->n_graphs)
        what = "holds a graph";
    else if (p->t && p->t->data_type == ONNX_STRING)
        what = "is a tensor of texts";
    else if (has_zero(&p->s))
        what = "is a text with a 0 inside";
    for (size_t i = 0; !what && i < p->n_strings; i++)
        if (has_zero(&p->strings[i]))
            what = "has a text with a 0 inside";
    return !what || draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                                "attribute '%s' %s, which no function can be given", p->name, what);
}

static struct extern_attr attribute_of(struct arena *a, const struct draft_attr *d)
{
    struct extern_attr r = {.name = d->name, .kind = d->kind};
    switch (d->kind) {
    case ATTR_KIND_INT:
    case ATTR_KIND_INTS:
        r.kind = ATTR_KIND_INTS;
        r.u.ints = d->u.ints;
        if (d->kind == ATTR_KIND_INT)
            r.u.ints = (struct attr_ints){arena_copy(a, &d->u.i, sizeof d->u.i), 1};
        break;
    case ATTR_KIND_FLOAT:
    case ATTR_KIND_FLOATS:
        r.kind = ATTR_KIND_FLOATS;
        r.u.floats = d->u.floats;
        if (d->kind == ATTR_KIND_FLOAT)
            r.u.floats = (struct attr_floats){arena_copy(a, &d->u.f, sizeof d->u.f), 1};
        break;
    case ATTR_KIND_STRING:
    case ATTR_KIND_STRINGS:
        r.kind = ATTR_KIND_STRINGS;
        r.u.strings = d->u.strings;
        if (d->kind == ATTR_KIND_STRING)
            r.u.strings = (struct attr_strings){arena_copy(a, &d->u.s, sizeof d->u.s), 1};
        break;
    case ATTR_KIND_TENSOR:
        r.u.tensor = d->u.tensor;
        break;
    }
    return r;
}

static bool check_inputs(struct onnx *o, const struct draft *d)
{
    for (size_t i = 0; i < d->n_in; i++)
        if (d->in[i] && (onnx_is_sequence(d->in[i]) || onnx_is_string(o, d->in[i])))
            return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                               "its input '%s' is %s, which no function can be given",
                               d->proto->input[i],
                               onnx_is_string(o, d->in[i]) ? "of texts" : "a sequence");
    return true;
}

/* ---- types ---- */

static bool all_known(const struct draft *d, const struct extern_type *types)
{
    for (size_t i = 0; i < d->n_out; i++)
        if (*d->out[i] && types[i].dtype == DTYPE_NONE)
            return false;
    return true;
}

static void find_declared(struct onnx *o, const struct draft *d, struct extern_type *types)
{
    for (size_t i = 0; i < d->n_out; i++) {
        struct value declared = {.dtype = DTYPE_NONE};
        onnx_preset(o, &declared, name_map_get(&o->scope->declared, d->out[i]));
        types[i] = (struct extern_type){declared.dtype, declared.shape};
    }
}

/* The node is built as Sheaf has it, and taken away again. */
static void find_own(struct onnx *o, const struct draft *d, struct extern_type *types)
{
    struct draft trial = *d;
    struct error fault, *err = o->im.err;
    const struct extern_mark mark = extern_mark(&o->im);
    if (onnx_function_of(o, d->proto) || !onnx_is_supported(d->op_type))
        return;
    error_init(&fault);
    trial.in = arena_copy(o->im.arena, d->in, d->n_in * sizeof *d->in);
    trial.cap_in = d->n_in;
    trial.attrs = arena_copy(o->im.arena, d->attrs, d->n_attrs * sizeof *d->attrs);
    trial.cap_attrs = d->n_attrs;
    struct onnx_surroundings around = onnx_enter(o, o->im.block, o->scope);
    o->im.err = &fault;
    bool ok = onnx_node(o, &trial);
    for (size_t i = 0; ok && i < d->n_out; i++) {
        const struct value *v = name_map_get(&o->scope->values, d->out[i]);
        if (v && types[i].dtype == DTYPE_NONE && !onnx_is_sequence(v) && !onnx_is_string(o, v))
            types[i] = (struct extern_type){v->dtype, v->shape};
    }
    o->im.err = err;
    onnx_leave(o, around);
    extern_forget(&o->im, mark);
    for (size_t i = 0; i < d->n_out; i++)
        build_free_name(&o->im, d->out[i]);
}

bool onnx_extern(struct onnx *o, struct draft *d)
{
    struct arena *a = o->im.arena;
    if (!check_inputs(o, d))
        return false;
    for (size_t i = 0; i < d->proto->n_attribute; i++)
        if (!check_attribute(o, d, d->proto->attribute[i]))
            return false;
    struct extern_attr *attrs = arena_array(a, d->n_attrs, sizeof *attrs);
    for (size_t i = 0; i < d->n_attrs; i++)
        attrs[i] = attribute_of(a, &d->attrs[i]);
    struct extern_type *types = arena_array(a, d->n_out, sizeof *types);
    find_declared(o, d, types);
    if (!all_known(d, types))
        find_own(o, d, types);
    struct extern_node x = {.op = d->op_type,
                            .name = d->name,
                            .in = d->in,
                            .n_in = d->n_in,
                            .out = d->out,
                            .n_out = d->n_out,
                            .attrs = attrs,
                            .n_attrs = d->n_attrs};
    const struct node *n = extern_build(&o->im, &x, types);
    for (size_t i = 0; n && i < d->n_out; i++)
        if (n->out[i])
            draft_bind(o, d, i, n->out[i]);
    return n != NULL;
}
