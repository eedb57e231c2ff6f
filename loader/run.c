/*
 * run.c: the order of the tool's work: find the files, compile, then inspect, write the bundle,
 * verify, profile, or run.  What the inputs hold is in run_inputs.c.
 */
#define _POSIX_C_SOURCE 200809L
#include "loader/run.h"

#include <string.h>
#include <time.h>

#include "bundle/write/file.h"
#include "loader/input/tensor_file.h"
#include "loader/pipeline.h"
#include "loader/report.h"
#include "loader/run_audit.h"
#include "loader/run_bundle.h"
#include "loader/run_compare.h"
#include "loader/run_inputs.h"
#include "loader/run_labels.h"
#include "loader/run_measure.h"
#include "loader/run_profile.h"

struct run {
    struct arena *arena;
    const struct loader_options *opt;
    FILE *out, *errout;
    struct run_files files;
    struct run_labels labels;
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

/* What can be said before the model is read. */
static bool check_files(struct run *run, struct image_size *out_first, struct error *err)
{
    const struct loader_options *opt = run->opt;
    for (size_t i = 0; i < opt->output.n; i++)
        if (!tensor_file_known(opt->outputs[i].path, err))
            return false;
    if (!run_files_find(run->arena, opt, &run->files, err))
        return false;
    if (!run_labels_read(run->arena, opt, &run->files, &run->labels, err))
        return false;
    return run->files.images.n == 0 ||
           image_read_png_size(run->files.images.line[0], out_first, err);
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
        if (graph_is_bound_output(run->graph, i))
            continue;
        if (strcmp(body->out[i]->name, name) == 0)
            return true;
        strbuf_printf(&names, "%s'%s'", names.len ? ", " : "", body->out[i]->name);
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

/* Of item `item` of the last run, which is item `which` of all. */
static bool print_item_labels(struct run *run, const char *file, size_t which, size_t item,
                              struct error *err)
{
    const struct loader_options *opt = run->opt;
    struct arena a;
    arena_init(&a);
    struct run_top top;
    bool ok = run_labels_top(&run->labels, run->pipeline, &a, item, run->inputs.batch, &top, err);
    if (ok) {
        struct strbuf text;
        strbuf_init(&text, &a);
        report_print_labels(&text, file, top.label, top.n, top.is_probability,
                            opt->labels ? &run->labels.names : NULL);
        print(run, &text);
        if (run->labels.expected && !run_labels_right(&run->labels, &top, which))
            run->n_mismatches++;
    }
    arena_done(&a);
    return ok;
}

static bool wants_labels(const struct run *run)
{
    const struct loader_options *opt = run->opt;
    return opt->given[OPTION_ID_topk] || opt->labels || run->labels.expected ||
           opt->compute_softmax || (run->files.images.n && !opt->output.n);
}

/* `file` NULL: there is one run only. */
static void print_tensors(struct run *run, const char *file)
{
    struct arena a;
    struct strbuf text;
    arena_init(&a);
    strbuf_init(&text, &a);
    if (file)
        strbuf_printf(&text, " File: %s\n", file);
    for (size_t i = 0; i < run->graph->body.n_out; i++) {
        if (graph_is_bound_output(run->graph, i))
            continue;
        struct tensor t = output_tensor(run, i);
        report_print_tensor(&text, run->graph->body.out[i]->name, &t);
    }
    print(run, &text);
    arena_done(&a);
}

/* One run, -iterations times, on the inputs as they stand. */
static bool run_once(struct run *run, size_t which, struct error *err)
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
    const char *name = run_inputs_name(&run->inputs, which);
    if (!run->files.images.n && !run->opt->output.n)
        print_tensors(run, run->inputs.n_runs > 1 ? name : NULL);
    if (!wants_labels(run))
        return true;
    size_t batch = run->inputs.batch;
    for (size_t item = 0; item < batch; item++) {
        const char *file = run->files.images.n ? run->files.images.line[which * batch + item]
                           : name              ? name
                                               : run->opt->model.item[0];
        if (!print_item_labels(run, file, which * batch + item, item, err))
            return false;
    }
    return true;
}

static bool verify_once(struct run *run, struct error *err)
{
    struct strbuf report;
    strbuf_init(&report, run->arena);
    bool ok = pipeline_verify(run->pipeline, &report, err);
    print(run, &report);
    return ok;
}

static bool run_each(struct run *run, struct error *err)
{
    const struct loader_options *opt = run->opt;
    size_t n_items = run->inputs.n_runs * run->inputs.batch;
    for (size_t i = 0; i < run->inputs.n_runs; i++) {
        if (opt->reset_state)
            pipeline_reset_state(run->pipeline);
        if (!run_inputs_load(&run->inputs, run->pipeline, i, err) ||
            !(opt->verify ? verify_once(run, err) : run_once(run, i, err)))
            return false;
    }
    if (opt->time)
        fprintf(run->out, "Wall time per item (s): %f\n",
                run->seconds / ((double)n_items * (double)opt->iterations));
    if (run->labels.expected)
        fprintf(run->out, "Mismatches: %zu of %zu\n", run->n_mismatches, n_items);
    return true;
}

/* Runs, verifies or profiles the network on what the command line names. */
static bool run_network(struct run *run, struct error *err)
{
    const struct loader_options *opt = run->opt;
    size_t ignored;
    for (size_t i = 0; i < opt->output.n; i++)
        if (!find_output(run, opt->outputs[i].name, &ignored, err))
            return false;
    if (!run_inputs_plan(run->arena, opt, run->pipeline, &run->files, &run->inputs, err))
        return false;
    if (!run_labels_check(&run->labels, run->pipeline, run->inputs.batch, err))
        return false;
    if (opt->output.n && run->inputs.n_runs != 1)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -output is for one run of the network, but %zu %s make %zu",
                         run_files_items(&run->files), run->files.images.n ? "images" : "files",
                         run->inputs.n_runs);
    fprintf(run->out, "Model: %s\n", opt->model.item[0]);
    fflush(run->out);
    if (!pipeline_prepare_run(run->pipeline, opt->interpreter, err))
        return false;
    return opt->dump_profile ? run_profile(run->arena, opt, &run->inputs, run->pipeline, run->out,
                                           run->errout, err)
                             : run_each(run, err);
}

/* Whether the results can be written when the comparison is over, which may take hours.  The report
   is written before the folder of the bundle is made. */
static bool check_results(struct run *run, struct error *err)
{
    const char *report = run->opt->quantization_report, *dir = run->opt->emit_bundle;
    struct file_group *trial = file_group_create(run->arena);
    bool ok = !report || strcmp(report, "-") == 0 || file_group_add(trial, report, "", 0, err);
    if (ok && dir)
        ok = file_group_make_dir(trial, dir, err) &&
             file_group_add(trial, arena_printf(run->arena, "%s/.trial", dir), "", 0, err);
    file_group_abort(trial);
    return ok;
}

/* What is done with the float network and the quantized one side by side. */
static bool compare_networks(struct run *run, const struct image_size *first_image,
                             struct pipeline_variant *variant, struct error *err)
{
    const struct loader_options *opt = run->opt;
    struct run_measure m = {run->arena, opt, &run->files, &run->labels, first_image, run->out};
    struct run_kept kept = {0};
    bool search = opt->given[OPTION_ID_quantize_until];
    if (!search && !opt->quantization_report)
        return true;
    if (!check_results(run, err) || (search && !run_until(&m, &kept, err)) ||
        (opt->quantization_report && !run_report(&m, &kept, err)))
        return false;
    variant->keep = kept.tensor;
    variant->n_keep = kept.n;
    return true;
}

static bool compare_modes(struct run *run, const struct image_size *first_image, struct error *err)
{
    struct run_measure m = {run->arena, run->opt, &run->files, &run->labels, first_image, run->out};
    fprintf(run->out, "Model: %s\n", run->opt->model.item[0]);
    fflush(run->out);
    return run_compare_qdq(&m, err);
}

/* What -load-profile led to; not where a report says more. */
static void print_quantized(struct run *run)
{
    const struct quantize_report *report = pipeline_quantized(run->pipeline);
    struct strbuf text;
    if (!report || run->opt->quantization_report)
        return;
    strbuf_init(&text, run->arena);
    report_print_quantized(&text, NULL, report, run->opt->verbose);
    print(run, &text);
}

static bool write_code(struct run *run, const struct pipeline_variant *variant,
                       const struct image_size *first_image, struct error *err)
{
    struct strbuf note;
    strbuf_init(&note, run->arena);
    bool ok = run_bundle(run->arena, run->opt, run->pipeline, variant, first_image,
                         run->opt->verbose ? run->out : NULL, &note, err);
    if (ok)
        print(run, &note);
    return ok;
}

static bool run_open(struct run *run, struct error *err)
{
    const struct loader_options *opt = run->opt;
    struct pipeline_variant variant = {0};
    struct image_size size, *first = NULL;
    bool dumped;
    if (opt->dump_profile) {
        variant.shown = PIPELINE_SHOWS_ALL;
        variant.in_float = true;
    }
    if (!check_files(run, &size, err))
        return false;
    if (run->files.images.n)
        first = &size;
    if (opt->compare_qdq)
        return compare_modes(run, first, err);
    if (!compare_networks(run, first, &variant, err) ||
        !pipeline_open(run->arena, opt, &variant, first, opt->verbose ? run->out : NULL,
                       &run->pipeline, err))
        return false;
    run->graph = pipeline_graph(run->pipeline);
    print_quantized(run);
    if (!dump(run, &dumped, err))
        return false;
    if (opt->emit_bundle || opt->emit_lib != EMIT_LIB_NONE)
        return write_code(run, &variant, first, err);
    /* A dump alone asks for no run. */
    bool idle = !run->files.images.n && !opt->n_inputs && !opt->output.n && !opt->verify &&
                !opt->dump_profile;
    if (dumped && idle)
        return true;
    return run_network(run, err);
}

bool loader_run(struct arena *a, const struct loader_options *opt, FILE *out, FILE *errout,
                size_t *out_mismatches, struct error *err)
{
    if (opt->audit)
        return run_audit(a, opt->audit, out, err);
    if (opt->merge_profile.n)
        return run_merge_profiles(a, opt, out, err);
    struct run run = {.arena = a, .opt = opt, .out = out, .errout = errout};
    bool ok = run_open(&run, err);
    pipeline_close(run.pipeline);
    *out_mismatches = run.n_mismatches;
    return ok;
}
