#include "loader/run_inputs.h"

#include <string.h>

#include "loader/image_plan.h"
#include "loader/input/random.h"
#include "loader/input/tensor_file.h"

/* ---- files ---- */

static bool find_images(struct arena *a, const struct loader_options *opt, struct lines *all,
                        struct error *err)
{
    for (size_t i = 0; i < opt->images.n; i++)
        ARENA_PUSH(a, all->line, all->n, all->cap) = opt->images.item[i];
    size_t n_dirs = opt->input_image_dir.n, n_files = opt->input_image_list_file.n;
    for (size_t i = 0; i < n_dirs + n_files; i++) {
        struct lines more;
        if (i < n_dirs ? !image_dir_read(a, opt->input_image_dir.item[i], &more, err)
                       : !lines_read(a, opt->input_image_list_file.item[i - n_dirs], &more, err))
            return false;
        size_t n_before = all->n;
        for (size_t k = 0; k < more.n; k++)
            if (*more.line[k])
                ARENA_PUSH(a, all->line, all->n, all->cap) = more.line[k];
        if (all->n == n_before)
            return error_set(err, SHEAF_ERROR_NOT_FOUND, "%s: the list names no file",
                             opt->input_image_list_file.item[i - n_dirs]);
    }
    return true;
}

static bool find_tensors(struct arena *a, const struct tensor_arg *arg, struct lines *out,
                         struct error *err)
{
    struct lines found = {0};
    if (arg->kind == TENSOR_ARG_FILE)
        ARENA_PUSH(a, found.line, found.n, found.cap) = arg->path;
    else if (!(arg->kind == TENSOR_ARG_DIR ? tensor_dir_read : lines_read)(a, arg->path, &found,
                                                                           err))
        return false;
    size_t n = 0;
    for (size_t i = 0; i < found.n; i++)
        if (*found.line[i])
            found.line[n++] = found.line[i];
    found.n = n;
    if (n == 0)
        return error_set(err, SHEAF_ERROR_NOT_FOUND, "%s: the list names no file", arg->path);
    for (size_t i = 0; i < n; i++)
        if (!tensor_file_known(found.line[i], err))
            return false;
    *out = found;
    return true;
}

bool run_files_find(struct arena *a, const struct loader_options *opt, struct run_files *out_files,
                    struct error *err)
{
    struct run_files files = {.tensors = arena_array(a, opt->n_inputs, sizeof *files.tensors)};
    const char *first = NULL;
    for (size_t i = 0; i < opt->n_inputs; i++) {
        const struct tensor_arg *arg = &opt->inputs[i];
        if (!find_tensors(a, arg, &files.tensors[i], err))
            return false;
        size_t n = files.tensors[i].n;
        if (arg->kind == TENSOR_ARG_FILE)
            continue;
        if (first && n != files.n_tensors)
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "%s has %zu file%s and %s has %zu, but each run takes one of both",
                             first, files.n_tensors, files.n_tensors == 1 ? "" : "s", arg->path, n);
        first = arg->path;
        files.n_tensors = n;
    }
    if (!find_images(a, opt, &files.images, err))
        return false;
    *out_files = files;
    return true;
}

size_t run_files_items(const struct run_files *files)
{
    return files->images.n ? files->images.n : files->n_tensors ? files->n_tensors : 1;
}

/* ---- inputs ---- */

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
        if ((!all && inputs->source[i] >= 0) || graph_is_bound_input(inputs->graph, i))
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
    for (size_t k = 0; k < opt->n_inputs; k++) {
        size_t i = 0;
        while (i < body->n_in && strcmp(body->in[i]->name, opt->inputs[k].name) != 0)
            i++;
        if (i == body->n_in || graph_is_bound_input(inputs->graph, i))
            return error_set(err, SHEAF_ERROR_NOT_FOUND,
                             "%s: the network has no input '%s'; its inputs: %s",
                             opt->model.item[0], opt->inputs[k].name, list_inputs(a, inputs, true));
        inputs->source[i] = (int)k;
    }
    return true;
}

static bool plan_images(struct arena *a, const struct loader_options *opt, const struct pipeline *p,
                        size_t n_free, struct run_inputs *inputs, struct error *err)
{
    size_t n_images = inputs->files->images.n, n_tensors = inputs->files->n_tensors;
    if (n_free != 1)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "%s: images need one input without -input, the network has %zu: %s",
                         opt->model.item[0], n_free, list_inputs(a, inputs, false));
    const struct value *input = inputs->graph->body.in[inputs->image_input];
    inputs->takes_pixels = pipeline_takes_pixels(p, (size_t)inputs->image_input);
    if (inputs->takes_pixels)
        inputs->plan = image_plan_pixels(input);
    else if (!image_plan(opt, input, &inputs->plan, err))
        return false;
    inputs->batch = (size_t)inputs->plan.batch;
    if (inputs->batch == 0 || n_images % inputs->batch)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "the network takes %zu images at a time, which does not divide the "
                         "number of images, %zu",
                         inputs->batch, n_images);
    inputs->n_runs = n_images / inputs->batch;
    if (n_tensors && n_tensors != inputs->n_runs)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "the images are enough for %zu run%s, but there are tensor files for %zu",
                         inputs->n_runs, inputs->n_runs == 1 ? "" : "s", n_tensors);
    return true;
}

bool run_inputs_plan(struct arena *a, const struct loader_options *opt, const struct pipeline *p,
                     const struct run_files *files, struct run_inputs *out_inputs,
                     struct error *err)
{
    const struct graph *g = pipeline_graph(p);
    struct run_inputs inputs = {.graph = g, .files = files, .image_input = -1, .batch = 1};
    inputs.source = arena_array(a, g->body.n_in, sizeof *inputs.source);
    for (size_t i = 0; i < g->body.n_in; i++)
        inputs.source[i] = -1;
    if (!bind_files(a, opt, &inputs, err))
        return false;
    size_t n_free = 0;
    for (size_t i = 0; i < g->body.n_in; i++) {
        if (inputs.source[i] < 0 && !graph_is_bound_input(g, i)) {
            n_free++;
            inputs.image_input = (int)i;
        }
    }
    if (files->images.n) {
        if (!plan_images(a, opt, p, n_free, &inputs, err))
            return false;
    } else {
        inputs.image_input = -1;
        inputs.n_runs = run_files_items(files);
        if (n_free && !opt->verify && !opt->compare_qdq)
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "%s: nothing to run the network on: give an image, or -input for %s",
                             opt->model.item[0], list_inputs(a, &inputs, false));
    }
    *out_inputs = inputs;
    return true;
}

/* Integers with a scale, and floats of 16 bits and fewer: files of f32 are converted for them. */
static bool stands_for_floats(const struct value *v)
{
    return v->quant.scale != 0 || dtype_is_coded(v->dtype) ||
           (dtype_is_float(v->dtype) && dtype_bits(v->dtype) == 16);
}

static bool load_tensor(const char *path, const struct value *v, void *storage, struct error *err)
{
    struct arena a;
    struct error fault, ignored;
    struct tensor want = tensor_of_value(v);
    const struct tensor *given;
    arena_init(&a);
    error_init(&fault);
    error_init(&ignored);
    bool ok = tensor_file_read(&a, path, v->name, &want, &given, &fault);
    if (ok) {
        memcpy(storage, given->data, (size_t)tensor_bytes(given));
    } else if (stands_for_floats(v)) {
        want.dtype = DTYPE_F32;
        ok = tensor_file_read(&a, path, v->name, &want, &given, &ignored);
        if (ok)
            preprocess_store(v->dtype, v->quant, given->data, tensor_elems(given), storage);
    }
    if (!ok)
        error_set(err, fault.status, "%s", fault.text);
    arena_done(&a);
    return ok;
}

static bool load_images(const struct run_inputs *inputs, struct pipeline *p,
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
    struct quant quant = inputs->takes_pixels ? (struct quant){0} : v->quant;
    if (ok)
        preprocess_store(v->dtype, quant, values, n * plan->batch,
                         pipeline_input(p, (size_t)inputs->image_input));
    arena_done(&a);
    return ok;
}

bool run_inputs_load(const struct run_inputs *inputs, struct pipeline *p, size_t run,
                     struct error *err)
{
    const struct run_files *files = inputs->files;
    for (size_t i = 0; i < inputs->graph->body.n_in; i++) {
        const struct value *v = inputs->graph->body.in[i];
        struct tensor t = tensor_of_value(v);
        const struct lines *paths =
            inputs->source[i] < 0 ? NULL : &files->tensors[inputs->source[i]];
        bool same = run > 0 && (!paths || paths->n == 1);
        if (graph_is_bound_input(inputs->graph, i))
            continue;
        if ((int)i == inputs->image_input) {
            if (!load_images(inputs, p, files->images.line + run * inputs->batch, err))
                return false;
        } else if (same) {
            continue;
        } else if (!paths) {
            random_fill(v->dtype, tensor_elems(&t), i, pipeline_input(p, i));
        } else if (!load_tensor(paths->line[run], v, pipeline_input(p, i), err)) {
            return false;
        }
    }
    return true;
}

const char *run_inputs_name(const struct run_inputs *inputs, size_t run)
{
    const struct run_files *files = inputs->files;
    const char *shared = NULL;
    if (files->images.n)
        return files->images.line[run * inputs->batch];
    for (size_t i = 0; i < inputs->graph->body.n_in; i++) {
        if (inputs->source[i] < 0)
            continue;
        const struct lines *paths = &files->tensors[inputs->source[i]];
        if (paths->n > 1)
            return paths->line[run];
        shared = shared ? shared : paths->line[0];
    }
    return shared;
}
