/*
 * ONNX model → graph.
 *
 * Before anything is built, all nodes are looked at once: for operators that are not supported, to
 * name them together, and for the names that are used, since outputs that nobody uses may be left
 * out.  Then each node, in topological order, is brought to its newest version and inferred.
 */
#include <string.h>

#include "bundle/write/file.h"
#include "loader/import/extern.h"
#include "loader/import/onnx/onnx.h"
#include "loader/import/wire.h"

/* ---- names ---- */

static struct value *initializer_value(struct onnx *o, const char *name, const Onnx__TensorProto *p)
{
    const struct tensor *t;
    const char *what = arena_printf(o->im.arena, "initializer '%s'", name);
    if (!onnx_tensor(o, p, what, &t))
        return NULL;
    struct value *v = graph_add_constant(o->im.g, name, t);
    return p->data_type == ONNX_STRING ? onnx_string(o, v) : v;
}

struct onnx_surroundings onnx_enter(struct onnx *o, struct block *block, struct onnx_scope *parent)
{
    struct onnx_surroundings s = {o->im.block, o->scope, known_enter(&o->im)};
    struct onnx_scope *inner = arena_new(o->im.arena, struct onnx_scope);
    inner->parent = parent;
    o->scope = inner;
    o->im.block = block;
    return s;
}

void onnx_leave(struct onnx *o, struct onnx_surroundings s)
{
    if (o->im.block != s.block)
        known_leave(&o->im, s.known);
    o->im.block = s.block;
    o->scope = s.scope;
}

struct value *onnx_lookup(struct onnx *o, const char *name)
{
    for (struct onnx_scope *s = o->scope; s; s = s->parent) {
        struct value *v = name_map_get(&s->values, name);
        const Onnx__TensorProto *p = v ? NULL : name_map_get(&s->initializers, name);
        if (p) {
            v = initializer_value(o, name, p);
            if (v)
                name_map_put(&s->values, o->im.arena, name, v);
        }
        if (v || p)
            return v;
    }
    return NULL;
}

static bool declare_initializer(struct onnx *o, const Onnx__TensorProto *p, size_t i)
{
    if (!p->name || !*p->name)
        return import_error(&o->im, SHEAF_ERROR_FORMAT, "initializer %zu has no name", i);
    if (name_map_get(&o->scope->initializers, p->name))
        return import_error(&o->im, SHEAF_ERROR_FORMAT, "there are two initializers '%s'", p->name);
    name_map_put(&o->scope->initializers, o->im.arena, p->name, (void *)(uintptr_t)p);
    return true;
}

bool onnx_declare(struct onnx *o, const Onnx__GraphProto *p)
{
    struct arena *a = o->im.arena;
    for (size_t i = 0; i < p->n_initializer; i++)
        if (!declare_initializer(o, p->initializer[i], i))
            return false;
    for (size_t i = 0; i < p->n_sparse_initializer; i++) {
        const Onnx__TensorProto *t = onnx_sparse_initializer(o, p->sparse_initializer[i]);
        if (!t || !declare_initializer(o, t, p->n_initializer + i))
            return false;
    }
    for (size_t i = 0; i < p->n_value_info; i++)
        if (p->value_info[i]->name && p->value_info[i]->type)
            name_map_put(&o->scope->declared, a, p->value_info[i]->name, p->value_info[i]->type);
    for (size_t i = 0; i < p->n_output; i++)
        if (p->output[i]->name && p->output[i]->type)
            name_map_put(&o->scope->declared, a, p->output[i]->name, p->output[i]->type);
    return true;
}

/* ---- the look at all nodes ---- */

struct survey {
    struct onnx *o;
    struct strbuf unsupported;
    size_t n_unsupported;
    bool uses_default_domain;
};

static bool default_domain(const char *domain)
{
    return !domain || !*domain || !strcmp(domain, "ai.onnx");
}

static void survey_graph(struct survey *s, const Onnx__GraphProto *p);

static void survey_nodes(struct survey *s, Onnx__NodeProto **nodes, size_t n_nodes)
{
    struct arena *a = s->o->im.arena;
    for (size_t i = 0; i < n_nodes; i++) {
        Onnx__NodeProto *n = nodes[i];
        if (!n->op_type)
            n->op_type = arena_strdup(a, "");
        for (size_t j = 0; j < n->n_input; j++)
            name_map_put(&s->o->used, a, n->input[j], n);
        for (size_t j = 0; j < n->n_attribute; j++)
            if (n->attribute[j]->g)
                survey_graph(s, n->attribute[j]->g);
        s->uses_default_domain |= default_domain(n->domain);
        const char *type = onnx_op_type(a, n);
        if (onnx_is_supported(type) || onnx_function_of(s->o, n) ||
            extern_is_named(&s->o->im, type))
            continue;
        const char *name = n->name && *n->name ? n->name : n->n_output ? n->output[0] : "";
        strbuf_printf(&s->unsupported, "%s'%s' (", s->n_unsupported++ ? ", " : "", type);
        if (default_domain(n->domain) && s->o->opset)
            strbuf_printf(&s->unsupported, "opset %lld, ", (long long)s->o->opset);
        strbuf_printf(&s->unsupported, "node '%s')", name);
    }
}

static void survey_graph(struct survey *s, const Onnx__GraphProto *p)
{
    struct arena *a = s->o->im.arena;
    survey_nodes(s, p->node, p->n_node);
    for (size_t i = 0; i < p->n_output; i++)
        if (p->output[i]->name)
            name_map_put(&s->o->used, a, p->output[i]->name, p->output[i]);
}

static bool is_replaced(const struct survey *s, Onnx__FunctionProto *f)
{
    const Onnx__NodeProto call = {.domain = f->domain, .op_type = f->name};
    return f->name && extern_is_named(&s->o->im, onnx_op_type(s->o->im.arena, &call));
}

static void survey_function(struct survey *s, Onnx__FunctionProto *f)
{
    if (is_replaced(s, f))
        return;
    survey_nodes(s, f->node, f->n_node);
    for (size_t i = 0; i < f->n_output; i++)
        name_map_put(&s->o->used, s->o->im.arena, f->output[i], f->output[i]);
}

static bool survey_model(struct onnx *o, const Onnx__ModelProto *m)
{
    struct survey s = {.o = o};
    strbuf_init(&s.unsupported, o->im.arena);
    survey_graph(&s, m->graph);
    for (size_t i = 0; i < m->n_functions; i++)
        survey_function(&s, m->functions[i]);
    if (!o->opset && !s.uses_default_domain)
        o->opset = ONNX_NEWEST_OPSET; /* all its operators have versions of their own */
    if (!s.n_unsupported)
        return true;
    return import_error(&o->im, SHEAF_ERROR_UNSUPPORTED, "%zu %s not supported: %s" EXTERN_ADVICE,
                        s.n_unsupported, s.n_unsupported == 1 ? "operator is" : "operators are",
                        strbuf_text(&s.unsupported));
}

/* ---- nodes ---- */

static bool resolve_inputs(struct onnx *o, struct draft *d)
{
    for (size_t i = 0; i < d->proto->n_input; i++) {
        const char *name = d->proto->input[i];
        struct value *v = *name ? onnx_lookup(o, name) : NULL;
        if (*name && !v && !name_map_get(&o->scope->left_out, name))
            return draft_error(o, d, SHEAF_ERROR_FORMAT,
                               "its input '%s' is neither computed before it nor given", name);
        draft_set_input(o, d, i, v);
    }
    while (d->n_in && !d->in[d->n_in - 1])
        d->n_in--;
    return true;
}

/* Each name is given once in a graph; inner graphs may hide names of outer ones. */
static bool check_outputs(struct onnx *o, const struct draft *d)
{
    for (size_t i = 0; i < d->n_out; i++)
        if (*d->out[i] && (name_map_get(&o->scope->values, d->out[i]) ||
                           name_map_get(&o->scope->initializers, d->out[i])))
            return draft_error(o, d, SHEAF_ERROR_FORMAT, "its output '%s' exists already",
                               d->out[i]);
    return true;
}

bool onnx_node(struct onnx *o, struct draft *d)
{
    for (size_t i = 0; i < d->n_in && !onnx_takes_sequences(d->op_type); i++)
        if (onnx_is_sequence(d->in[i]))
            return draft_error(o, d, SHEAF_ERROR_SHAPE,
                               "its input '%s' is a sequence, and %s takes none",
                               d->proto->input[i], d->op_type);
    size_t strings;
    if (!onnx_check_attrs(o, d) || !onnx_adapt_strings(o, d, &strings) ||
        (!d->done && !onnx_adapt(o, d)) || (!d->done && !draft_emit(o, d)))
        return false;
    for (size_t i = 0; i < d->n_out && i < strings; i++)
        onnx_string(o, name_map_get(&o->scope->values, d->out[i]));
    return true;
}

static bool import_node(struct onnx *o, const Onnx__NodeProto *p)
{
    struct draft d;
    const Onnx__FunctionProto *f = onnx_function_of(o, p);
    p = onnx_resolve_attributes(o, p);
    if (!draft_init(o, p, &d) || !resolve_inputs(o, &d) || !check_outputs(o, &d))
        return false;
    if (extern_is_named(&o->im, d.op_type))
        return onnx_extern(o, &d);
    return f ? onnx_call_function(o, &d, f) : onnx_node(o, &d);
}

bool onnx_nodes(struct onnx *o, const Onnx__GraphProto *p)
{
    const Onnx__NodeProto **nodes;
    if (!onnx_order(o, p, &nodes))
        return false;
    for (size_t i = 0; i < p->n_node; i++)
        if (!import_node(o, nodes[i]))
            return false;
    return true;
}

/* ---- the model ---- */

/* Before IR version 4 every initializer is among the inputs too.  It is an input only where the
   user describes it as one. */
static bool import_inputs(struct onnx *o, const Onnx__GraphProto *p)
{
    if (!onnx_bind_symbols(o, p))
        return false;
    for (size_t i = 0; i < p->n_input; i++) {
        const char *name = p->input[i]->name;
        bool initialized = name && name_map_get(&o->scope->initializers, name);
        if (initialized && !import_find_input(&o->im, name))
            continue;
        if (!onnx_add_input(o, p->input[i]))
            return false;
    }
    return import_check_inputs(&o->im);
}

static bool output(struct onnx *o, struct value *v, const Onnx__ValueInfoProto *p)
{
    if (!build_graph_output(&o->im, v, p->name))
        return false;
    onnx_compare_declared(o, o->im.g->body.out[o->im.g->body.n_out - 1], p);
    return true;
}

static bool import_outputs(struct onnx *o, const Onnx__GraphProto *p)
{
    if (!p->n_output)
        return import_error(&o->im, SHEAF_ERROR_FORMAT, "the model has no outputs");
    for (size_t i = 0; i < p->n_output; i++) {
        const char *name = p->output[i]->name ? p->output[i]->name : "";
        struct value *v = onnx_lookup(o, name);
        if (!v)
            return import_error(&o->im, SHEAF_ERROR_FORMAT,
                                "the model's output '%s' is neither computed nor given", name);
        if (onnx_is_sequence(v) ? !onnx_sequence_outputs(o, v, name) : !output(o, v, p->output[i]))
            return false;
    }
    if (!o->im.g->body.n_out)
        return import_error(&o->im, SHEAF_ERROR_UNSUPPORTED,
                            "the outputs of the model are sequences without tensors, or optionals "
                            "that hold nothing");
    return true;
}

int64_t onnx_default_opset(Onnx__OperatorSetIdProto *const *sets, size_t n)
{
    int64_t version = 0;
    for (size_t i = 0; i < n; i++)
        if (default_domain(sets[i]->domain))
            version = sets[i]->version;
    return version;
}

static bool check_opset(struct onnx *o)
{
    if (o->opset < 1 || o->opset > INT32_MAX)
        return import_error(&o->im, SHEAF_ERROR_FORMAT,
                            "the model does not say which ONNX operator set it uses");
    if (o->opset > ONNX_NEWEST_OPSET)
        import_note(&o->im,
                    "%s: the model uses operator set %lld, the newest known here is %d; its "
                    "operators are taken in the meaning they have there",
                    o->im.path, (long long)o->opset, ONNX_NEWEST_OPSET);
    return true;
}

static bool import_graph(struct onnx *o, const Onnx__ModelProto *m)
{
    if (!m->graph)
        return import_error(&o->im, SHEAF_ERROR_FORMAT,
                            "this is not an ONNX model: it has no "
                            "graph");
    /* Files of IR versions 1 and 2 do not say. */
    o->opset = m->n_opset_import ? onnx_default_opset(m->opset_import, m->n_opset_import) : 1;
    return onnx_declare_functions(o, m) && survey_model(o, m) && check_opset(o) &&
           onnx_declare(o, m->graph) && import_inputs(o, m->graph) && onnx_nodes(o, m->graph) &&
           import_outputs(o, m->graph) && extern_check(&o->im);
}

struct graph *onnx_import(struct importer *im, const char *path)
{
    struct file_map map;
    im->path = path;
    if (!file_map(path, WIRE_MAX_FILE_BYTES, &map, im->err))
        return NULL;
    static const struct wire_kind kind = {"an ONNX model", &onnx__model_proto__descriptor, NULL};
    const Onnx__ModelProto *m =
        (const Onnx__ModelProto *)wire_unpack(im->arena, &kind, path, map.data, map.size, im->err);
    file_unmap(&map);
    if (!m)
        return NULL;
    struct onnx_scope scope = {0};
    struct onnx o = {.im = *im, .scope = &scope};
    o.im.g = graph_create(im->arena, m->graph && m->graph->name ? m->graph->name : "");
    o.im.g->source = path;
    o.im.block = &o.im.g->body;
    bool ok = import_graph(&o, m);
    onnx_files_close(&o);
    if (ok && o.has_tried)
        graph_sweep(o.im.g);
    return ok ? o.im.g : NULL;
}
