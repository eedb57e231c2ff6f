/*
 * The number of items that the caller chooses at run time (-onnx-define-symbol=batch<=8).
 *
 * The model is compiled for one item.  It is read once more with several, to see which dimensions
 * follow the symbol and that no node mixes items.
 */
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

static bool check_shapes(const struct pipeline *p, const struct graph *several, struct error *err)
{
    const struct block *a = &p->graph->body, *b = &several->body;
    for (size_t i = 0; i < a->n_in + a->n_out; i++) {
        bool in = i < a->n_in;
        const struct value *v = in ? a->in[i] : a->out[i - a->n_in];
        const struct value *w = in ? b->in[i] : b->out[i - a->n_in];
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
        !check_shapes(p, several, err) || !items_are_apart(several, TRIAL_ITEMS, err))
        return false;
    p->graph->items = opt->items;
    p->graph->max_items = opt->max_items;
    return true;
}
