/*
 * ONNX model → graph.
 *
 * Before anything is built, all nodes are looked at once: for operators that are not supported, to
 * name them together, and for the names that are used, since outputs that nobody uses may be left
 * out.  Then each node, in topological order, is brought to its newest version and inferred.
 */
#include <string.h>

#include "bundle/write/file.h"
#include "loader/import/onnx.h"
#include "loader/import/wire.h"

/* ---- names ---- */

static struct value *initializer_value(struct onnx *o, const char *name, const Onnx__TensorProto *p)
{
    const struct tensor *t;
    const char *what = arena_printf(o->im.arena, "initializer '%s'", name);
    if (!onnx_tensor(o, p, what, &t))
        return NULL;
    return graph_add_constant(o->im.g, name, t);
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

bool onnx_declare(struct onnx *o, const Onnx__GraphProto *p)
{
    struct arena *a = o->im.arena;
    if (p->n_sparse_initializer)
        return import_error(&o->im, SHEAF_ERROR_UNSUPPORTED,
                            "the model has sparse initializers, which are not supported");
    for (size_t i = 0; i < p->n_initializer; i++) {
        const char *name = p->initializer[i]->name;
        if (!name || !*name)
            return import_error(&o->im, SHEAF_ERROR_FORMAT, "initializer %zu has no name", i);
        if (name_map_get(&o->scope->initializers, name))
            return import_error(&o->im, SHEAF_ERROR_FORMAT, "there are two initializers '%s'",
                                name);
        name_map_put(&o->scope->initializers, a, name, p->initializer[i]);
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
};

static bool default_domain(const char *domain)
{
    return !domain || !*domain || !strcmp(domain, "ai.onnx");
}

static void survey_graph(struct survey *s, const Onnx__GraphProto *p)
{
    struct arena *a = s->o->im.arena;
    for (size_t i = 0; i < p->n_node; i++) {
        Onnx__NodeProto *n = p->node[i];
        if (!n->op_type)
            n->op_type = arena_strdup(a, "");
        for (size_t j = 0; j < n->n_input; j++)
            name_map_put(&s->o->used, a, n->input[j], n);
        for (size_t j = 0; j < n->n_attribute; j++)
            if (n->attribute[j]->g)
                survey_graph(s, n->attribute[j]->g);
        const char *type = onnx_op_type(a, n);
        if (onnx_is_supported(type))
            continue;
        const char *name = n->name && *n->name ? n->name : n->n_output ? n->output[0] : "";
        strbuf_printf(&s->unsupported, "%s'%s' (", s->n_unsupported++ ? ", " : "", type);
        if (default_domain(n->domain) && s->o->opset)
            strbuf_printf(&s->unsupported, "opset %lld, ", (long long)s->o->opset);
        strbuf_printf(&s->unsupported, "node '%s')", name);
    }
    for (size_t i = 0; i < p->n_output; i++)
        if (p->output[i]->name)
            name_map_put(&s->o->used, a, p->output[i]->name, p->output[i]);
}

static bool survey_model(struct onnx *o, const Onnx__GraphProto *p)
{
    struct survey s = {.o = o};
    strbuf_init(&s.unsupported, o->im.arena);
    survey_graph(&s, p);
    if (!s.n_unsupported)
        return true;
    return import_error(&o->im, SHEAF_ERROR_UNSUPPORTED, "%zu %s not supported: %s",
                        s.n_unsupported, s.n_unsupported == 1 ? "operator is" : "operators are",
                        strbuf_text(&s.unsupported));
}

/* ---- nodes ---- */

static bool resolve_inputs(struct onnx *o, struct draft *d)
{
    for (size_t i = 0; i < d->proto->n_input; i++) {
        const char *name = d->proto->input[i];
        struct value *v = *name ? onnx_lookup(o, name) : NULL;
        if (*name && !v)
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

static bool import_node(struct onnx *o, const Onnx__NodeProto *p)
{
    struct draft d;
    return draft_init(o, p, &d) && resolve_inputs(o, &d) && check_outputs(o, &d) &&
           onnx_adapt(o, &d) && (d.done || draft_emit(o, &d));
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
        if (!build_graph_output(&o->im, v, name))
            return false;
        onnx_compare_declared(o, o->im.g->body.out[i], p->output[i]);
    }
    return true;
}

/* The version of the default operator set; 0: the model does not use it. */
static void find_opset(struct onnx *o, const Onnx__ModelProto *m)
{
    o->opset = m->n_opset_import ? 0 : 1; /* files of IR versions 1 and 2 do not say */
    for (size_t i = 0; i < m->n_opset_import; i++)
        if (default_domain(m->opset_import[i]->domain))
            o->opset = m->opset_import[i]->version;
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
    find_opset(o, m);
    return survey_model(o, m->graph) && check_opset(o) && onnx_declare(o, m->graph) &&
           import_inputs(o, m->graph) && onnx_nodes(o, m->graph) && import_outputs(o, m->graph);
}

struct graph *onnx_import(struct importer *im, const char *path)
{
    struct file_map map;
    im->path = path;
    if (!file_map(path, WIRE_MAX_FILE_BYTES, &map, im->err))
        return NULL;
    const Onnx__ModelProto *m =
        (const Onnx__ModelProto *)wire_unpack(im->arena, &onnx__model_proto__descriptor, path,
                                              "an ONNX model", map.data, map.size, im->err);
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
    return ok ? o.im.g : NULL;
}
