/*
 * The number of items that the caller chooses at run time (-onnx-define-symbol=batch<=8).
 *
 * The model is compiled for one item.  It is read once more with several, to see which dimensions
 * follow the symbol and that no node mixes items.  A model that says 1 in place of a symbol is
 * defined for one item, so there is nothing to mix, and each of several is computed as if alone.
 */
#include <string.h>

#include "ir/passes/items.h"
#include "loader/pipeline_internal.h"

/* Of the second reading; a prime, so that hardly another dimension has it. */
enum { TRIAL_ITEMS = 7 };

/* Whether the shapes differ in the first dimension and nowhere else. */
static bool follows(const struct value *one, const struct value *several)
{
    const struct shape *a = &one->shape, *b = &several->shape;
    if (a->rank < 1 || a->rank != b->rank || a->dims[0] != 1 || b->dims[0] != TRIAL_ITEMS ||
        !shape_is_static(a) || !shape_is_static(b))
        return false;
    for (int d = 1; d < a->rank; d++)
        if (a->dims[d] != b->dims[d])
            return false;
    return true;
}

/* Input or output i: the inputs come first. */
static const struct value *client_value(const struct graph *g, size_t i)
{
    return i < g->body.n_in ? g->body.in[i] : g->body.out[i - g->body.n_in];
}

static size_t count_client_values(const struct graph *g)
{
    return g->body.n_in + g->body.n_out;
}

/* Whether the symbol changes nothing that the caller sees. */
static bool is_fixed(const struct graph *one, const struct graph *several)
{
    for (size_t i = 0; i < count_client_values(one); i++)
        if (!shape_equal(&client_value(one, i)->shape, &client_value(several, i)->shape))
            return false;
    return true;
}

static bool check_fixed(const struct pipeline *p, struct error *err)
{
    const struct graph *g = p->graph;
    for (size_t i = 0; i < count_client_values(g); i++) {
        const struct value *v = client_value(g, i);
        if (v->shape.rank < 1 || v->shape.dims[0] != 1 || !shape_is_static(&v->shape))
            return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                             "option -onnx-define-symbol: no dimension is called '%s', and a model "
                             "without one takes several items where the first dimension of all "
                             "inputs and outputs is 1, but %s '%s' is %s",
                             p->opt->items, i < g->body.n_in ? "input" : "output", v->name,
                             shape_print(&v->shape, p->arena));
    }
    return true;
}

/* The number is an input of that name. */
static bool check_name(const struct pipeline *p, struct error *err)
{
    for (size_t i = 0; i < count_client_values(p->graph); i++)
        if (strcmp(client_value(p->graph, i)->name, p->opt->items) == 0)
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "option -onnx-define-symbol: the number of items would be an input "
                             "'%s', and the network has a tensor of that name",
                             p->opt->items);
    return true;
}

static bool check_shapes(const struct pipeline *p, const struct graph *several, struct error *err)
{
    for (size_t i = 0; i < count_client_values(p->graph); i++) {
        bool in = i < p->graph->body.n_in;
        const struct value *v = client_value(p->graph, i), *w = client_value(several, i);
        if (!follows(v, w))
            return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                             "option -onnx-define-symbol: '%s' can be left open where it is the "
                             "first dimension, and no other, of all inputs and outputs, but %s "
                             "'%s' is %s",
                             p->opt->items, in ? "input" : "output", v->name,
                             shape_print(&w->shape, p->arena));
    }
    return true;
}

bool pipeline_set_items(struct pipeline *p, const struct image_size *image, struct error *err)
{
    const struct loader_options *opt = p->opt;
    if (!opt->max_items || p->variant.shown != PIPELINE_SHOWS_OUTPUTS)
        return true;
    struct graph *several = pipeline_import(p, image, TRIAL_ITEMS, err);
    if (!several || !passes_run_stage(several, PASSES_CLEAN, &p->passes, err) ||
        !check_name(p, err))
        return false;
    bool ok = is_fixed(p->graph, several)
                  ? check_fixed(p, err)
                  : check_shapes(p, several, err) && items_are_apart(several, TRIAL_ITEMS, err);
    if (!ok)
        return false;
    p->graph->items = opt->items;
    p->graph->max_items = opt->max_items;
    return true;
}
