/*
 * Functions that the model itself defines: a call becomes the function's nodes, which see its
 * parameters and no other names.
 */
#include <string.h>

#include "loader/import/onnx/onnx.h"

struct onnx_call {
    const struct onnx_call *outer;
    const Onnx__FunctionProto *function;
    const Onnx__NodeProto *node; /* the caller, its attributes resolved */
};

static const char *text(const char *s)
{
    return s ? s : "";
}

/* Domain, name and overload identify a function. */
static const char *key_of(struct arena *a, const char *domain, const char *name,
                          const char *overload)
{
    domain = text(domain);
    if (!strcmp(domain, "ai.onnx"))
        domain = "";
    return arena_printf(a, "%s:%s:%s", domain, text(name), text(overload));
}

bool onnx_declare_functions(struct onnx *o, const Onnx__ModelProto *m)
{
    for (size_t i = 0; i < m->n_functions; i++) {
        Onnx__FunctionProto *f = m->functions[i];
        const char *key = key_of(o->im.arena, f->domain, f->name, f->overload);
        if (name_map_get(&o->functions, key))
            return import_error(&o->im, SHEAF_ERROR_FORMAT, "there are two functions '%s'",
                                text(f->name));
        name_map_put(&o->functions, o->im.arena, key, f);
    }
    return true;
}

const Onnx__FunctionProto *onnx_function_of(const struct onnx *o, const Onnx__NodeProto *n)
{
    return name_map_get(&o->functions, key_of(o->im.arena, n->domain, n->op_type, n->overload));
}

/* ---- attributes ---- */

static const Onnx__AttributeProto *find_attribute(Onnx__AttributeProto *const *list, size_t n,
                                                  const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(text(list[i]->name), name))
            return list[i];
    return NULL;
}

/* What the caller gives, else the function's default; NULL: neither, so the node has none. */
static const Onnx__AttributeProto *referred(const struct onnx_call *c, const char *name)
{
    const Onnx__AttributeProto *a = find_attribute(c->node->attribute, c->node->n_attribute, name);
    return a ? a
             : find_attribute(c->function->attribute_proto, c->function->n_attribute_proto, name);
}

const Onnx__NodeProto *onnx_resolve_attributes(struct onnx *o, const Onnx__NodeProto *n)
{
    struct arena *arena = o->im.arena;
    bool refers = false;
    for (size_t i = 0; i < n->n_attribute; i++)
        refers |= *text(n->attribute[i]->ref_attr_name) != 0;
    if (!o->call || !refers)
        return n;
    Onnx__NodeProto *copy = arena_copy(arena, n, sizeof *n);
    copy->attribute = arena_array(arena, n->n_attribute, sizeof *copy->attribute);
    copy->n_attribute = 0;
    for (size_t i = 0; i < n->n_attribute; i++) {
        Onnx__AttributeProto *a = n->attribute[i];
        if (*text(a->ref_attr_name)) {
            const Onnx__AttributeProto *given = referred(o->call, a->ref_attr_name);
            if (!given)
                continue;
            char *name = a->name;
            a = arena_copy(arena, given, sizeof *given);
            a->name = name;
        }
        copy->attribute[copy->n_attribute++] = a;
    }
    return copy;
}

/* ---- calls ---- */

static bool check_call(struct onnx *o, const struct draft *d, const Onnx__FunctionProto *f)
{
    if (d->n_in > f->n_input || d->n_out > f->n_output)
        return draft_error(o, d, SHEAF_ERROR_FORMAT,
                           "it has %zu inputs and %zu outputs, the function '%s' has %zu and %zu",
                           d->n_in, d->n_out, d->op_type, f->n_input, f->n_output);
    for (const struct onnx_call *c = o->call; c; c = c->outer)
        if (c->function == f)
            return draft_error(o, d, SHEAF_ERROR_FORMAT, "the function '%s' calls itself",
                               d->op_type);
    return true;
}

static void bind_parameters(struct onnx *o, const struct draft *d, const Onnx__FunctionProto *f)
{
    for (size_t i = 0; i < f->n_input; i++) {
        struct value *v = draft_input(d, i);
        name_map_put(v ? &o->scope->values : &o->scope->left_out, o->im.arena, f->input[i],
                     v ? (void *)v : (void *)f);
    }
    for (size_t i = 0; i < f->n_value_info; i++)
        if (f->value_info[i]->name && f->value_info[i]->type)
            name_map_put(&o->scope->declared, o->im.arena, f->value_info[i]->name,
                         f->value_info[i]->type);
}

/* The values of the function's outputs, of which the caller may use fewer. */
static bool find_results(struct onnx *o, const struct draft *d, const Onnx__FunctionProto *f,
                         struct value **out)
{
    for (size_t i = 0; i < d->n_out; i++) {
        out[i] = *d->out[i] ? onnx_lookup(o, f->output[i]) : NULL;
        if (*d->out[i] && !out[i])
            return draft_error(o, d, SHEAF_ERROR_FORMAT,
                               "the output '%s' of the function '%s' is not defined", f->output[i],
                               d->op_type);
    }
    return true;
}

bool onnx_call_function(struct onnx *o, struct draft *d, const Onnx__FunctionProto *f)
{
    if (!check_call(o, d, f))
        return false;
    struct value **out = arena_array(o->im.arena, d->n_out, sizeof *out);
    const struct onnx_call call = {o->call, f, d->proto};
    const int64_t opset = o->opset;
    struct onnx_surroundings around = onnx_enter(o, o->im.block, NULL);
    Onnx__GraphProto body = ONNX__GRAPH_PROTO__INIT;
    body.node = f->node;
    body.n_node = f->n_node;
    o->call = &call;
    if (f->n_opset_import)
        o->opset = onnx_default_opset(f->opset_import, f->n_opset_import);
    bind_parameters(o, d, f);
    bool ok = onnx_nodes(o, &body) && find_results(o, d, f, out);
    o->opset = opset;
    o->call = call.outer;
    onnx_leave(o, around);
    for (size_t i = 0; ok && i < d->n_out; i++)
        if (out[i])
            draft_bind(o, d, i, out[i]);
    return ok;
}
