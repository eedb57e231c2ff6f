/*
 * run.c: the order of the tool's work: find the images, compile, then inspect, write the bundle,
 * verify, or run.  What the inputs hold is in run_inputs.c.
 */
#define _POSIX_C_SOURCE 200809L
#include "loader/run.h"

#include <string.h>
#include <time.h>

#include "bundle/write/file.h"
#include "loader/input/labels.h"
#include "loader/input/tensor_file.h"
#include "loader/pipeline.h"
#include "loader/report.h"
#include "loader/run_inputs.h"

struct run {
    struct arena *arena;
    const struct loader_options *opt;
    FILE *out;
    struct lines images; /* paths */
    struct lines names;  /* of labels */
    struct pipeline *pipeline;
    const struct graph *graph;
    struct run_inputs inputs;
    double seconds; /* in pipeline_run */
    size_t n_mismatches;
};

/* Flushed at once: the pipeline may fork, and a child must not find text to print again. */
static void print(struct run *run, const struct strbuf *text)
{
    fputs(strbuf_text(text), run->out);
    fflush(run->out);
}

static bool gather_images(struct run *run, struct error *err)
{
    const struct loader_options *opt = run->opt;
    struct lines *all = &run->images;
    for (size_t i = 0; i < opt->images.n; i++)
        ARENA_PUSH(run->arena, all->line, all->n, all->cap) = opt->images.item[i];
    size_t n_dirs = opt->input_image_dir.n, n_files = opt->input_image_list_file.n;
    for (size_t i = 0; i < n_dirs + n_files; i++) {
        struct lines more;
        if (i < n_dirs
                ? !image_dir_read(run->arena, opt->input_image_dir.item[i], &more, err)
                : !lines_read(run->arena, opt->input_image_list_file.item[i - n_dirs], &more, err))
            return false;
        for (size_t k = 0; k < more.n; k++)
            if (*more.line[k])
                ARENA_PUSH(run->arena, all->line, all->n, all->cap) = more.line[k];
    }
    return true;
}

/* What can be said before the model is read. */
static bool check_files(struct run *run, struct image_size *out_first, struct error *err)
{
    const struct loader_options *opt = run->opt;
    for (size_t i = 0; i < opt->input.n; i++)
        if (!tensor_file_known(opt->inputs[i].path, err))
            return false;
    for (size_t i = 0; i < opt->output.n; i++)
        if (!tensor_file_known(opt->outputs[i].path, err))
            return false;
    if (!gather_images(run, err))
        return false;
    size_t n_items = run->images.n ? run->images.n : 1;
    if (opt->expected_labels.n && opt->expected_labels.n != n_items)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -expected-labels has %zu label%s for %zu image%s",
                         opt->expected_labels.n, opt->expected_labels.n == 1 ? "" : "s", n_items,
                         n_items == 1 ? "" : "s");
    if (opt->labels && !lines_read(run->arena, opt->labels, &run->names, err))
        return false;
    return run->images.n == 0 || image_read_png_size(run->images.line[0], out_first, err);
}

static bool dump(struct run *run, bool *out_any, struct error *err)
{
    const struct loader_options *opt = run->opt;
    const struct {
        bool wanted;
        enum pipeline_dump what;
    } dumps[] = {
        {opt->dump_graph, PIPELINE_DUMP_GRAPH},       {opt->dump_kernels, PIPELINE_DUMP_KERNELS},
        {opt->dump_schedule, PIPELINE_DUMP_SCHEDULE}, {opt->dump_llvm_ir, PIPELINE_DUMP_LLVM_IR},
        {opt->dump_graph_dag, PIPELINE_DUMP_DOT},
    };
    *out_any = false;
    for (size_t i = 0; i < sizeof dumps / sizeof *dumps; i++) {
        if (!dumps[i].wanted)
            continue;
        struct strbuf text;
        strbuf_init(&text, run->arena);
        if (!pipeline_dump(run->pipeline, dumps[i].what, &text, err))
            return false;
        if (dumps[i].what != PIPELINE_DUMP_DOT)
            print(run, &text);
        else if (!file_write_atomic(opt->dump_graph_dag, strbuf_text(&text), text.len, err))
            return false;
        *out_any = true;
    }
    return true;
}

static bool find_output(const struct run *run, const char *name, size_t *out_index,
                        struct error *err)
{
    const struct block *body = &run->graph->body;
    struct strbuf names;
    strbuf_init(&names, run->arena);
    for (size_t i = 0; i < body->n_out; i++) {
        *out_index = i;
        if (strcmp(body->out[i]->name, name) == 0)
            return true;
        strbuf_printf(&names, "%s'%s'", i ? ", " : "", body->out[i]->name);
    }
    return error_set(err, SHEAF_ERROR_NOT_FOUND, "%s: the network has no output '%s'; it has %s",
                     run->opt->model.item[0], name, strbuf_text(&names));
}

/* Output i of the last run. */
static struct tensor output_tensor(const struct run *run, size_t i)
{
    const struct value *v = run->graph->body.out[i];
    struct tensor t = {.dtype = v->dtype, .rank = v->shape.rank};
    t.data = pipeline_output(run->pipeline, i, t.dims);
    return t;
}

static bool write_outputs(struct run *run, struct error *err)
{
    for (size_t i = 0; i < run->opt->output.n; i++) {
        const struct tensor_arg *arg = &run->opt->outputs[i];
        size_t index;
        if (!find_output(run, arg->name, &index, err))
            return false;
        struct tensor t = output_tensor(run, index);
        if (!tensor_file_write(arg->path, arg->name, &t, err))
            return false;
    }
    return true;
}

/* The scores of item `item` of `batch` in the first output, dequantized. */
static bool item_scores(const struct run *run, struct arena *a, int64_t item, int64_t batch,
                        double **out_scores, size_t *out_n, struct error *err)
{
    if (run->graph->body.n_out == 0)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "%s: the network has no output to take labels from",
                         run->opt->model.item[0]);
    const struct value *v = run->graph->body.out[0];
    struct tensor t = output_tensor(run, 0);
    if (batch > 1 && (t.rank == 0 || t.dims[0] != batch))
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "output '%s' is %s, which has no labels for each of %lld images: use "
                         "-output",
                         v->name, tensor_describe(a, &t), (long long)batch);
    int64_t n = tensor_elems(&t) / batch;
    double *scores = arena_array(a, (size_t)n, sizeof *scores);
    for (int64_t i = 0; i < n; i++) {
        scores[i] = tensor_get(&t, item * n + i);
        if (v->quant.scale != 0)
            scores[i] = (scores[i] - v->quant.zero_point) * v->quant.scale;
    }
    *out_scores = scores;
    *out_n = (size_t)n;
    return true;
}

static bool print_item_labels(struct run *run, const char *file, size_t which, int64_t item,
                              int64_t batch, struct error *err)
{
    const struct loader_options *opt = run->opt;
    struct arena a;
    arena_init(&a);
    double *scores = NULL;
    size_t n = 0;
    bool ok = item_scores(run, &a, item, batch, &scores, &n, err);
    if (ok) {
        if (opt->compute_softmax)
            report_softmax(scores, n);
        size_t k = (size_t)opt->topk < n ? (size_t)opt->topk : n;
        struct report_label *top = arena_array(&a, k, sizeof *top);
        report_top_labels(scores, n, k, opt->label_offset, top);
        struct strbuf text;
        strbuf_init(&text, &a);
        report_print_labels(&text, file, top, k, report_is_distribution(scores, n),
                            opt->labels ? &run->names : NULL);
        print(run, &text);
        if (opt->expected_labels.n) {
            bool found = false;
            for (size_t i = 0; i < k; i++)
                found = found || top[i].label == opt->expected_labels.item[which];
            run->n_mismatches += !found;
        }
    }
    arena_done(&a);
    return ok;
}

static bool wants_labels(const struct run *run)
{
    const struct loader_options *opt = run->opt;
    return opt->given[OPTION_ID_topk] || opt->labels || opt->expected_labels.n ||
           opt->compute_softmax || (run->images.n && !opt->output.n);
}

static void print_tensors(struct run *run)
{
    struct strbuf text;
    strbuf_init(&text, run->arena);
    for (size_t i = 0; i < run->graph->body.n_out; i++) {
        struct tensor t = output_tensor(run, i);
        report_print_tensor(&text, run->graph->body.out[i]->name, &t);
    }
    print(run, &text);
}

/* One run, -iterations times, on the inputs as they stand; group is the first image. */
static bool run_group(struct run *run, size_t group, struct error *err)
{
    for (int64_t i = 0; i < run->opt->iterations; i++) {
        struct timespec start, end;
        clock_gettime(CLOCK_MONOTONIC, &start);
        if (!pipeline_run(run->pipeline, err))
            return false;
        clock_gettime(CLOCK_MONOTONIC, &end);
        run->seconds +=
            (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) * 1e-9;
    }
    if (!write_outputs(run, err))
        return false;
    if (!run->images.n && !run->opt->output.n)
        print_tensors(run);
    if (!wants_labels(run))
        return true;
    int64_t batch = run->images.n ? run->inputs.plan.batch : 1;
    for (int64_t item = 0; item < batch; item++) {
        size_t which = group + (size_t)item;
        const char *file = run->images.n       ? run->images.line[which]
                           : run->opt->input.n ? run->opt->inputs[0].path
                                               : run->opt->model.item[0];
        if (!print_item_labels(run, file, which, item, batch, err))
            return false;
    }
    return true;
}

static bool verify_group(struct run *run, struct error *err)
{
    struct strbuf report;
    strbuf_init(&report, run->arena);
    bool ok = pipeline_verify(run->pipeline, &report, err);
    print(run, &report);
    return ok;
}

/* Runs or verifies the network on each group of images, or once. */
static bool run_network(struct run *run, struct error *err)
{
    const struct loader_options *opt = run->opt;
    size_t ignored;
    for (size_t i = 0; i < opt->output.n; i++)
        if (!find_output(run, opt->outputs[i].name, &ignored, err))
            return false;
    if (!run_inputs_plan(run->arena, opt, run->graph, run->images.n, &run->inputs, err))
        return false;
    size_t batch = run->images.n ? (size_t)run->inputs.plan.batch : 1;
    size_t n_items = run->images.n ? run->images.n : 1;
    if (opt->output.n && n_items != batch)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -output is for one run of the network, but %zu images make %zu",
                         n_items, n_items / batch);
    fprintf(run->out, "Model: %s\n", opt->model.item[0]);
    fflush(run->out);
    if (!pipeline_prepare_run(run->pipeline, opt->interpreter, err) ||
        !run_inputs_load(run->arena, &run->inputs, run->pipeline, err))
        return false;
    for (size_t group = 0; group < n_items; group += batch) {
        if (run->images.n &&
            !run_inputs_load_images(&run->inputs, run->pipeline, run->images.line + group, err))
            return false;
        if (opt->verify ? !verify_group(run, err) : !run_group(run, group, err))
            return false;
    }
    if (opt->time)
        fprintf(run->out, "Wall time per item (s): %f\n",
                run->seconds / ((double)n_items * (double)opt->iterations));
    if (opt->expected_labels.n)
        fprintf(run->out, "Mismatches: %zu of %zu\n", run->n_mismatches, n_items);
    return true;
}

static bool run_open(struct run *run, struct error *err)
{
    const struct loader_options *opt = run->opt;
    struct image_size first;
    bool dumped;
    if (!check_files(run, &first, err) ||
        !pipeline_open(run->arena, opt, run->images.n ? &first : NULL,
                       opt->verbose ? run->out : NULL, &run->pipeline, err))
        return false;
    run->graph = pipeline_graph(run->pipeline);
    if (!dump(run, &dumped, err))
        return false;
    if (opt->emit_bundle)
        return pipeline_emit_bundle(run->pipeline, opt->emit_bundle, err);
    /* A dump alone asks for no run. */
    bool idle = !run->images.n && !opt->input.n && !opt->output.n && !opt->verify;
    if (dumped && idle)
        return true;
    return run_network(run, err);
}

bool loader_run(struct arena *a, const struct loader_options *opt, FILE *out,
                size_t *out_mismatches, struct error *err)
{
    struct run run = {.arena = a, .opt = opt, .out = out};
    bool ok = run_open(&run, err);
    pipeline_close(run.pipeline);
    *out_mismatches = run.n_mismatches;
    return ok;
}
