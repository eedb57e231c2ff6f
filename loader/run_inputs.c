#include "loader/run_inputs.h"

#include <string.h>

#include "loader/image_plan.h"
#include "loader/input/random.h"
#include "loader/input/tensor_file.h"

static struct tensor tensor_of_value(const struct value *v)
{
    struct tensor t = {.dtype = v->dtype, .rank = v->shape.rank};
    memcpy(t.dims, v->shape.dims, sizeof t.dims);
    return t;
}

/* "'data' f32[1,3,224,224], 'mask' bool[1,10]": inputs without a file, or all. */
static const char *list_inputs(struct arena *a, const struct run_inputs *inputs, bool all)
{
    struct strbuf text;
    strbuf_init(&text, a);
    for (size_t i = 0; i < inputs->graph->body.n_in; i++) {
        if (!all && inputs->file[i])
            continue;
        struct tensor t = tensor_of_value(inputs->graph->body.in[i]);
        strbuf_printf(&text, "%s'%s' %s", text.len ? ", " : "", inputs->graph->body.in[i]->name,
                      tensor_describe(a, &t));
    }
    return text.len ? text.text : "none";
}

static bool bind_files(struct arena *a, const struct loader_options *opt, struct run_inputs *inputs,
                       struct error *err)
{
    const struct block *body = &inputs->graph->body;
    for (size_t k = 0; k < opt->input.n; k++) {
        size_t i = 0;
        while (i < body->n_in && strcmp(body->in[i]->name, opt->inputs[k].name) != 0)
            i++;
        if (i == body->n_in)
            return error_set(err, SHEAF_ERROR_NOT_FOUND,
                             "%s: the network has no input '%s'; its inputs: %s",
                             opt->model.item[0], opt->inputs[k].name, list_inputs(a, inputs, true));
        inputs->file[i] = &opt->inputs[k];
    }
    return true;
}

bool run_inputs_plan(struct arena *a, const struct loader_options *opt, const struct graph *g,
                     size_t n_images, struct run_inputs *out_inputs, struct error *err)
{
    struct run_inputs inputs = {.graph = g, .image_input = -1};
    inputs.file = arena_array(a, g->body.n_in, sizeof *inputs.file);
    if (!bind_files(a, opt, &inputs, err))
        return false;
    size_t n_free = 0;
    for (size_t i = 0; i < g->body.n_in; i++) {
        if (!inputs.file[i]) {
            n_free++;
            inputs.image_input = (int)i;
        }
    }
    if (n_images == 0) {
        inputs.image_input = -1;
        if (n_free && !opt->verify)
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "%s: nothing to run the network on: give an image, or -input for %s",
                             opt->model.item[0], list_inputs(a, &inputs, false));
    } else if (n_free != 1) {
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "%s: images need one input without -input, the network has %zu: %s",
                         opt->model.item[0], n_free, list_inputs(a, &inputs, false));
    } else {
        if (!image_plan(opt, g->body.in[inputs.image_input], &inputs.plan, err))
            return false;
        if (inputs.plan.batch == 0 || n_images % (size_t)inputs.plan.batch)
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "the network takes %lld images at a time, which does not divide the "
                             "number of images, %zu",
                             (long long)inputs.plan.batch, n_images);
    }
    *out_inputs = inputs;
    return true;
}

bool run_inputs_load(struct arena *a, const struct run_inputs *inputs, struct pipeline *p,
                     struct error *err)
{
    for (size_t i = 0; i < inputs->graph->body.n_in; i++) {
        if ((int)i == inputs->image_input)
            continue;
        const struct value *v = inputs->graph->body.in[i];
        struct tensor want = tensor_of_value(v);
        const struct tensor *given;
        if (!inputs->file[i]) {
            random_fill(v->dtype, tensor_elems(&want), i, pipeline_input(p, i));
            continue;
        }
        if (!tensor_file_read(a, inputs->file[i]->path, v->name, &want, &given, err))
            return false;
        memcpy(pipeline_input(p, i), given->data, (size_t)tensor_bytes(given));
    }
    return true;
}

bool run_inputs_load_images(const struct run_inputs *inputs, struct pipeline *p,
                            const char *const *paths, struct error *err)
{
    const struct preprocess *plan = &inputs->plan;
    const struct value *v = inputs->graph->body.in[inputs->image_input];
    int64_t n = plan->height * plan->width * plan->channels;
    struct arena a;
    arena_init(&a);
    float *values = arena_array(&a, (size_t)(n * plan->batch), sizeof *values);
    bool ok = true;
    for (int64_t i = 0; ok && i < plan->batch; i++) {
        struct arena scratch;
        struct image image;
        arena_init(&scratch);
        ok = image_read_png(&scratch, paths[i], &image, err);
        if (ok)
            preprocess_image(&scratch, plan, &image, values + i * n);
        arena_done(&scratch);
    }
    if (ok)
        preprocess_store(v->dtype, v->quant, values, n * plan->batch,
                         pipeline_input(p, (size_t)inputs->image_input));
    arena_done(&a);
    return ok;
}
