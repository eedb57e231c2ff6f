#include "loader/import/extern.h"

#include <string.h>

static size_t position_of(const struct importer *im, const char *op)
{
    size_t i = 0;
    while (i < im->opt->n_externs && strcmp(im->opt->externs[i], op) != 0)
        i++;
    return i;
}

bool extern_is_named(const struct importer *im, const char *op)
{
    return position_of(im, op) < im->opt->n_externs;
}

struct extern_mark extern_mark(const struct importer *im)
{
    return (struct extern_mark){im->block->n_nodes, im->g->n_values};
}

void extern_forget(struct importer *im, struct extern_mark mark)
{
    im->block->n_nodes = mark.n_nodes;
    for (size_t i = mark.n_values; i < im->g->n_values; i++)
        if (im->g->values[i]->role == VALUE_STATE)
            graph_drop_value(im->g, im->g->values[i]);
}

/* ---- types of outputs ---- */

static const struct import_input *said_of(struct importer *im, const char *output)
{
    for (size_t i = 0; i < im->opt->n_extern_outputs; i++)
        if (!strcmp(im->opt->extern_outputs[i].name, output)) {
            im->has_extern_output[i] = true;
            return &im->opt->extern_outputs[i];
        }
    return NULL;
}

static bool find_type(struct importer *im, const struct extern_node *x, size_t i,
                      struct extern_type *type)
{
    const char *name = x->out[i];
    const struct import_input *said = said_of(im, name);
    if (said)
        *type = (struct extern_type){said->dtype, shape_of_dims(said->rank, said->dims)};
    if (type->dtype == DTYPE_NONE)
        return import_node_error(im, x->name, SHEAF_ERROR_SHAPE,
                                 "the model does not tell type and shape of '%s', output %zu of "
                                 "%s: they must be given, as in -extern-output=%s,float,[DIMS]",
                                 name, i, x->op, name);
    return shape_is_static(&type->shape) ||
           import_node_error(im, x->name, SHEAF_ERROR_UNSUPPORTED,
                             "the shape of '%s', output %zu of %s, would be known only at run "
                             "time: a bound that it always has must be given, as in "
                             "-extern-output=%s,float,[DIMS]",
                             name, i, x->op, name);
}

static bool set_outputs(struct importer *im, const struct extern_node *x,
                        const struct extern_type *known, struct extern_call_attrs *a)
{
    struct arena *arena = im->arena;
    int64_t *types = arena_array(arena, x->n_out, sizeof *types);
    int64_t *ranks = arena_array(arena, x->n_out, sizeof *ranks);
    int64_t *dims = arena_array(arena, x->n_out * MAX_RANK, sizeof *dims);
    size_t n_dims = 0;
    for (size_t i = 0; i < x->n_out; i++) {
        struct extern_type t = known[i];
        if (!*x->out[i])
            continue;
        if (!find_type(im, x, i, &t))
            return false;
        types[i] = (int64_t)dtype_code(t.dtype);
        ranks[i] = t.shape.rank;
        for (int d = 0; d < t.shape.rank; d++)
            dims[n_dims++] = t.shape.dims[d];
    }
    a->out_types = (struct attr_ints){types, x->n_out};
    a->out_ranks = (struct attr_ints){ranks, x->n_out};
    a->out_dims = (struct attr_ints){dims, n_dims};
    return true;
}

/* ---- inputs and attributes ---- */

/* An attribute that is an empty list is not given. */
static void *list_of(struct arena *a, size_t n, size_t elem)
{
    return n ? arena_array(a, n, elem) : NULL;
}

static void set_attributes(struct importer *im, const struct extern_node *x,
                           struct extern_call_attrs *a)
{
    struct arena *arena = im->arena;
    size_t total[ATTR_KIND_TENSOR + 1] = {0};
    int64_t *kinds = list_of(arena, x->n_attrs, sizeof *kinds);
    int64_t *sizes = list_of(arena, x->n_attrs, sizeof *sizes);
    const char **names = list_of(arena, x->n_attrs, sizeof *names);
    for (size_t i = 0; i < x->n_attrs; i++) {
        const struct extern_attr *b = &x->attrs[i];
        size_t size = b->kind == ATTR_KIND_INTS      ? b->u.ints.n
                      : b->kind == ATTR_KIND_FLOATS  ? b->u.floats.n
                      : b->kind == ATTR_KIND_STRINGS ? b->u.strings.n
                                                     : 1;
        names[i] = b->name;
        kinds[i] = b->kind;
        sizes[i] = (int64_t)size;
        total[b->kind] += size;
    }
    int64_t *ints = list_of(arena, total[ATTR_KIND_INTS], sizeof *ints);
    float *floats = list_of(arena, total[ATTR_KIND_FLOATS], sizeof *floats);
    const char **strings = list_of(arena, total[ATTR_KIND_STRINGS], sizeof *strings);
    a->attribute_names = (struct attr_strings){names, x->n_attrs};
    a->attribute_kinds = (struct attr_ints){kinds, x->n_attrs};
    a->attribute_sizes = (struct attr_ints){sizes, x->n_attrs};
    for (size_t i = 0; i < x->n_attrs; i++) {
        const struct extern_attr *b = &x->attrs[i];
        for (size_t k = 0; b->kind == ATTR_KIND_INTS && k < b->u.ints.n; k++)
            ints[a->ints.n++] = b->u.ints.v[k];
        for (size_t k = 0; b->kind == ATTR_KIND_FLOATS && k < b->u.floats.n; k++)
            floats[a->floats.n++] = b->u.floats.v[k];
        for (size_t k = 0; b->kind == ATTR_KIND_STRINGS && k < b->u.strings.n; k++)
            strings[a->strings.n++] = b->u.strings.v[k];
    }
    a->ints.v = ints;
    a->floats.v = floats;
    a->strings.v = strings;
}

/* The node's inputs, and behind them the tensors among its attributes. */
static struct value **inputs_of(struct importer *im, const struct extern_node *x, size_t *out_n)
{
    struct value **in = arena_array(im->arena, x->n_in + x->n_attrs, sizeof *in);
    size_t n = 0;
    for (; n < x->n_in; n++)
        in[n] = x->in[n];
    for (size_t i = 0; i < x->n_attrs; i++)
        if (x->attrs[i].kind == ATTR_KIND_TENSOR)
            in[n++] = graph_add_constant(
                im->g, arena_printf(im->arena, "%s.%s", x->name, x->attrs[i].name),
                x->attrs[i].u.tensor);
    *out_n = n;
    return in;
}

struct node *extern_build(struct importer *im, const struct extern_node *x,
                          const struct extern_type *types)
{
    size_t n_in;
    struct value **in = inputs_of(im, x, &n_in);
    im->has_extern[position_of(im, x->op)] = true;
    if (!x->n_out) {
        import_node_error(im, x->name, SHEAF_ERROR_SHAPE, "%s has no outputs", x->op);
        return NULL;
    }
    struct node *n = build_begin(im, OP_extern_call, x->name, in, n_in, x->n_out);
    struct extern_call_attrs *a = n->attrs;
    int64_t *in_types = arena_array(im->arena, n_in, sizeof *in_types);
    for (size_t i = 0; i < n_in; i++)
        in_types[i] = in[i] ? (int64_t)dtype_code(in[i]->dtype) : 0;
    a->op = x->op;
    a->in_types = (struct attr_ints){in_types, n_in};
    set_attributes(im, x, a);
    return set_outputs(im, x, types, a) && build_end(im, n, x->out) ? n : NULL;
}

/* ---- what the user said ---- */

bool extern_check(struct importer *im)
{
    const struct import_options *opt = im->opt;
    for (size_t i = 0; i < opt->n_externs; i++)
        if (!im->has_extern[i] && !opt->externs_may_lack)
            return import_error(im, SHEAF_ERROR_NOT_FOUND,
                                "the model has no operator '%s', which -extern-op names",
                                opt->externs[i]);
    for (size_t i = 0; i < opt->n_extern_outputs; i++)
        if (!im->has_extern_output[i])
            return import_error(im, SHEAF_ERROR_NOT_FOUND,
                                "'%s', which -extern-output describes, is no output of an operator "
                                "that -extern-op names",
                                opt->extern_outputs[i].name);
    return true;
}
