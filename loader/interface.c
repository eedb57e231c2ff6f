#include "loader/interface.h"

#include <string.h>

#include "loader/image_plan.h"

static struct value *find(struct value *const *v, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i]->name, name) == 0)
            return v[i];
    return NULL;
}

static const char *list(struct arena *a, struct value *const *v, size_t n)
{
    struct strbuf text;
    strbuf_init(&text, a);
    for (size_t i = 0; i < n; i++)
        strbuf_printf(&text, "%s'%s'", i ? ", " : "", v[i]->name);
    return n ? strbuf_text(&text) : "none";
}

static bool find_named(const struct graph *g, const char *option, bool is_output, const char *name,
                       struct value **out_value, struct error *err)
{
    const struct block *b = &g->body;
    *out_value = is_output ? find(b->out, b->n_out, name) : find(b->in, b->n_in, name);
    if (*out_value)
        return true;
    return error_set(err, SHEAF_ERROR_NOT_FOUND,
                     "option -%s: the network has no %s '%s'; it has %s", option,
                     is_output ? "output" : "input", name,
                     is_output ? list(g->arena, b->out, b->n_out) : list(g->arena, b->in, b->n_in));
}

/* ---- pixels ---- */

/* The input that holds pictures: the only one, or the only one that looks like it. */
static bool find_picture(const struct loader_options *opt, const struct graph *g,
                         struct value **out_input, struct preprocess *out_plan, struct error *err)
{
    const struct block *b = &g->body;
    struct error almost; /* of an input that holds pictures, but not as the options say */
    size_t n = 0;
    error_init(&almost);
    for (size_t i = 0; i < b->n_in; i++) {
        struct error fault;
        struct preprocess plan;
        error_init(&fault);
        if (!image_plan(opt, b->in[i], &plan, b->n_in == 1 ? err : &fault)) {
            if (fault.status != SHEAF_OK && fault.status != SHEAF_ERROR_SHAPE)
                almost = fault;
            continue;
        }
        *out_input = b->in[i];
        *out_plan = plan;
        n++;
    }
    if (n == 1)
        return true;
    if (b->n_in == 1)
        return false;
    if (n == 0 && almost.status != SHEAF_OK)
        return error_set(err, almost.status, "%s", almost.text);
    if (b->n_in == 0)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -fold-preprocessing needs one input that holds pictures, and the "
                         "network has no inputs");
    return error_set(err, SHEAF_ERROR_ARGUMENT,
                     "option -fold-preprocessing needs one input that holds pictures; of the "
                     "inputs %s, %s does",
                     list(g->arena, b->in, b->n_in), n ? "more than one" : "none");
}

static bool make_pixels(const struct loader_options *opt, const struct graph *g,
                        const struct interface_pixels **out_pixels, struct error *err)
{
    struct value *v;
    struct preprocess plan;
    if (!find_picture(opt, g, &v, &plan, err))
        return false;
    if (!shape_is_static(&v->shape))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "option -fold-preprocessing: input '%s' has dimensions that are known "
                         "only at run time",
                         v->name);
    if (g->max_items && v->shape.rank < 4)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "option -fold-preprocessing: input '%s' has shape %s, in which the "
                         "pictures of several items have no place",
                         v->name, shape_print(&v->shape, g->arena));
    struct interface_pixels *px = arena_new(g->arena, struct interface_pixels);
    *px = (struct interface_pixels){.input = v->name,
                                    .channels = plan.channels,
                                    .channels_last = plan.channels_last,
                                    .bgr = plan.bgr};
    int64_t dims[2] = {plan.channels, PIXEL_VALUES};
    float *value = arena_array(g->arena, (size_t)(dims[0] * dims[1]), sizeof *value);
    for (int c = 0; c < plan.channels; c++) {
        preprocess_channel(&plan, c, &px->scale[c], &px->shift[c]);
        for (int p = 0; p < PIXEL_VALUES; p++)
            value[c * PIXEL_VALUES + p] = preprocess_pixel(&plan, c, p);
    }
    struct tensor *t = tensor_new(g->arena, v->dtype, 2, dims);
    preprocess_store(v->dtype, v->quant, value, dims[0] * dims[1], tensor_data(t));
    px->value = t;
    *out_pixels = px;
    return true;
}

/* ---- types and orders ---- */

static bool check_change(const struct graph *g, const struct interface_change *c, struct error *err)
{
    const char *option = c->dtype == DTYPE_NONE ? c->is_output ? "output-layout" : "input-layout"
                         : c->is_output         ? "output-type"
                                                : "input-type";
    struct value *v;
    if (!find_named(g, option, c->is_output, c->name, &v, err))
        return false;
    if (c->order != INTERFACE_AS_IS && v->shape.rank < (g->max_items ? 4 : 3))
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "option -%s: '%s' has shape %s, in which no dimension is that of channels",
                         c->is_output ? "output-layout" : "input-layout", v->name,
                         shape_print(&v->shape, g->arena));
    if (!shape_is_static(&v->shape))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "option -%s: '%s' has dimensions that are known only at run time", option,
                         v->name);
    return true;
}

/* ---- bindings ---- */

static const struct interface_change *change_of(const struct loader_options *opt, bool is_output,
                                                const char *name)
{
    for (size_t i = 0; i < opt->n_changes; i++)
        if (opt->changes[i].is_output == is_output && strcmp(opt->changes[i].name, name) == 0)
            return &opt->changes[i];
    return NULL;
}

static bool check_binding(const struct loader_options *opt, const struct graph *g,
                          const struct interface_binding *b, struct error *err)
{
    struct value *out, *in;
    if (!find_named(g, "bind", true, b->out, &out, err) ||
        !find_named(g, "bind", false, b->in, &in, err))
        return false;
    const char *changed = change_of(opt, true, b->out)   ? b->out
                          : change_of(opt, false, b->in) ? b->in
                                                         : NULL;
    if (changed)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -bind: '%s' is state, which the caller does not see, so its type "
                         "and order stay as they are",
                         changed);
    if (g->max_items)
        return error_set(
            err, SHEAF_ERROR_ARGUMENT,
            "option -bind: '%s' is left open (-onnx-define-symbol), and the items of a "
            "run are not the steps of a sequence: each would need a state of its own, "
            "as a run of its own on areas of its own has",
            g->items);
    if (out->dtype == in->dtype && shape_equal(&out->shape, &in->shape) &&
        shape_is_static(&in->shape) && out->quant.scale == in->quant.scale &&
        out->quant.zero_point == in->quant.zero_point)
        return true;
    return error_set(err, SHEAF_ERROR_SHAPE,
                     "option -bind: output '%s' is %s%s and input '%s' is %s%s: state needs one "
                     "type and one shape without dimensions known only at run time",
                     out->name, dtype_name(out->dtype), shape_print(&out->shape, g->arena),
                     in->name, dtype_name(in->dtype), shape_print(&in->shape, g->arena));
}

bool interface_make(const struct loader_options *opt, const struct graph *g,
                    const struct interface **out_interface, struct error *err)
{
    struct interface *in = arena_new(g->arena, struct interface);
    *in = (struct interface){.changes = opt->changes,
                             .n_changes = opt->n_changes,
                             .bindings = opt->bindings,
                             .n_bindings = opt->bind.n};
    if (opt->fold_preprocessing && !make_pixels(opt, g, &in->pixels, err))
        return false;
    for (size_t i = 0; i < in->n_changes; i++) {
        if (!check_change(g, &in->changes[i], err))
            return false;
        if (in->pixels && !in->changes[i].is_output &&
            strcmp(in->changes[i].name, in->pixels->input) == 0)
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "input '%s' takes pixels (-fold-preprocessing), so its type and order "
                             "are given",
                             in->pixels->input);
    }
    for (size_t i = 0; i < in->n_bindings; i++)
        if (!check_binding(opt, g, &in->bindings[i], err))
            return false;
    *out_interface = in->pixels || in->n_changes || in->n_bindings ? in : NULL;
    return true;
}
