/*
 * The compiler from end to end.  compile() is the place to start reading.
 */
#include "loader/pipeline.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bundle/emit/emit.h"
#include "bundle/emit/jit.h"
#include "bundle/write/bundle.h"
#include "bundle/write/names.h"
#include "bundle/write/weights.h"
#include "cpu_runtime/codegen/cpu_target.h"
#include "ir/eval.h"
#include "ir/passes/passes.h"
#include "ir/program.h"
#include "loader/import/import.h"
#include "loader/pipeline_quantize.h"
#include "loader/pipeline_run.h"
#include "loader/pipeline_trace.h"
#include "loader/report.h"

struct pipeline {
    struct arena *arena;
    const struct loader_options *opt;
    struct pipeline_variant variant;
    FILE *log;
    double started;    /* of the step that log_step reports next */
    const char *model; /* the last part of its path */
    const char *name, *entry;
    const struct target *target;
    struct pass_options passes;
    struct profile_identity identity;
    const bool *imported;
    struct graph *graph;
    struct quantize_step quantized;
    struct pipeline_trace trace;
    struct program *program;
    struct emit_schedules *schedules;
    struct weights weights;
    const struct emit_symbol *symbols;
    size_t n_symbols;
    struct pipeline_run run;
};

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* -verbose: what was just done and how long it took. */
static void log_step(struct pipeline *p, const char *what)
{
    double t = now();
    if (p->log)
        fprintf(p->log, "%s: %.3f s\n", what, t - p->started);
    p->started = t;
}

/* ---- names and target ---- */

static const char *last_part(struct arena *a, const char *path)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    return arena_strndup(a, path + start, end - start);
}

static const char *without_ending(struct arena *a, const char *file)
{
    const char *dot = strrchr(file, '.');
    return dot && dot != file ? arena_strndup(a, file, (size_t)(dot - file)) : file;
}

static bool choose_names(struct pipeline *p, struct error *err)
{
    const struct loader_options *opt = p->opt;
    p->model = last_part(p->arena, opt->model.item[0]);
    p->name = opt->network_name ? opt->network_name
                                : names_legalise(p->arena, without_ending(p->arena, p->model));
    if (p->name[0] == '\0' || strchr(p->name, '/'))
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -network-name: '%s' cannot be the name of a file", p->name);
    p->entry = names_legalise(p->arena, opt->main_entry_name ? opt->main_entry_name : p->name);
    return true;
}

static bool choose_target(struct pipeline *p, struct error *err)
{
    const struct loader_options *opt = p->opt;
    struct strbuf features;
    strbuf_init(&features, p->arena);
    for (size_t i = 0; i < opt->mattr.n; i++)
        strbuf_printf(&features, "%s%s", i ? "," : "", opt->mattr.item[i]);
    /* A bundle goes anywhere: it is made for a stated baseline.  What runs here may use all there
       is. */
    struct cpu_target_options target = {
        .triple = opt->target,
        .cpu = opt->mcpu          ? opt->mcpu
               : opt->emit_bundle ? NULL
                                  : "native",
        .features = opt->mattr.n ? strbuf_text(&features) : NULL,
    };
    if (p->variant.here)
        target = (struct cpu_target_options){.cpu = "native"};
    if (!cpu_target_create(p->arena, &target, &p->target, err))
        return false;
    p->passes.target = p->target;
    p->passes.qdq = p->variant.qdq ? *p->variant.qdq : (enum qdq_mode)opt->qdq;
    return true;
}

/* ---- the way of the model ---- */

static bool import_graph(struct pipeline *p, const struct image_size *image, struct error *err)
{
    const struct loader_options *opt = p->opt;
    struct import_options in = {
        .paths = opt->model.item,
        .n_paths = opt->model.n,
        .inputs = opt->model_inputs,
        .n_inputs = opt->model_input.n,
        .symbols = opt->symbols,
        .n_symbols = opt->onnx_define_symbol.n,
    };
    if (image) {
        in.image_height = image->height;
        in.image_width = image->width;
    }
    struct import_notes notes = {0};
    p->graph = import_model(p->arena, &in, &notes, err);
    for (size_t i = 0; p->graph && p->log && i < notes.n; i++)
        fprintf(p->log, "note: %s\n", notes.text[i]);
    return p->graph != NULL;
}

static bool clean(struct pipeline *p, struct error *err)
{
    p->identity = profile_identity_of(p->graph);
    p->imported = pipeline_quantize_imported(p->graph, p->opt);
    if (!passes_run_stage(p->graph, PASSES_CLEAN, &p->passes, err))
        return false;
    pipeline_trace_choose(&p->trace, p->graph, p->variant.shown);
    return true;
}

static bool quantize(struct pipeline *p, struct error *err)
{
    p->quantized = (struct quantize_step){
        .opt = p->opt,
        .variant = &p->variant,
        .model_name = p->model,
        .identity = p->identity,
        .imported = p->imported,
        .graph = p->graph,
    };
    return pipeline_quantize(&p->quantized, err);
}

/* Where all is shown every node becomes a kernel by itself, so that every tensor reaches memory;
   layouts are those that the network has otherwise. */
static bool lower(struct pipeline *p, struct error *err)
{
    if (p->variant.shown == PIPELINE_SHOWS_ALL) {
        struct pass_options opt = p->passes;
        bool changed;
        opt.stage = PASSES_LOWER;
        return pass_choose_layout(p->graph, &opt, &changed, err);
    }
    /* Integers are made by the passes, so they can be shown only as these leave them. */
    bool late = p->quantized.by_profile || p->variant.shown == PIPELINE_SHOWS_INTEGERS;
    if (!late)
        pipeline_trace_hold(&p->trace, p->graph);
    p->passes.report = pipeline_quantize_report(&p->quantized);
    if (!passes_run_stage(p->graph, PASSES_LOWER, &p->passes, err))
        return false;
    if (late)
        pipeline_trace_hold(&p->trace, p->graph);
    return pipeline_quantize_check(&p->quantized, err);
}

/* What became of a model that is quantized already. */
static void log_quantized(const struct pipeline *p)
{
    struct strbuf text;
    if (!p->log || !p->quantized.of_model)
        return;
    strbuf_init(&text, p->arena);
    report_print_quantized(&text, p->quantized.of_model, true);
    fputs(strbuf_text(&text), p->log);
}

static bool compile(struct pipeline *p, const struct image_size *image, struct error *err)
{
    if (!choose_names(p, err) || !choose_target(p, err))
        return false;
    if (!import_graph(p, image, err))
        return false;
    log_step(p, "import");

    if (!clean(p, err) || !quantize(p, err) || !lower(p, err))
        return false;
    graph_count_uses(p->graph);
    log_quantized(p);
    log_step(p, "passes");

    p->program = program_build(p->arena, p->graph, err);
    if (!p->program)
        return false;
    log_step(p, "lowering");

    p->schedules = emit_schedule(p->arena, p->program, p->target);
    plan_program(p->program, p->opt->verify || p->variant.shown == PIPELINE_SHOWS_ALL);
    p->weights = weights_make(p->arena, p->program);
    p->symbols = names_symbols(p->arena, p->program, &p->n_symbols);
    log_step(p, "scheduling, planning and packing");
    return true;
}

bool pipeline_open(struct arena *a, const struct loader_options *opt,
                   const struct pipeline_variant *variant, const struct image_size *first_image,
                   FILE *log, struct pipeline **out_pipeline, struct error *err)
{
    struct pipeline *p = arena_new(a, struct pipeline);
    p->arena = p->trace.arena = a;
    p->opt = opt;
    if (variant)
        p->variant = *variant;
    p->log = log;
    p->started = now();
    if (!compile(p, first_image, err))
        return false;
    *out_pipeline = p;
    return true;
}

const struct graph *pipeline_graph(const struct pipeline *p)
{
    return p->graph;
}

void pipeline_describe(const struct pipeline *p, struct profile *profile)
{
    struct strbuf processor;
    strbuf_init(&processor, p->arena);
    strbuf_add(&processor, p->target->cpu);
    for (size_t i = 0; i < p->opt->mattr.n; i++)
        strbuf_printf(&processor, ",%s", p->opt->mattr.item[i]);
    profile->model = p->model;
    profile->processor = strbuf_text(&processor);
    profile->identity = p->identity;
}

const struct quantize_report *pipeline_quantized(const struct pipeline *p)
{
    return p->quantized.by_profile;
}

/* ---- emission ---- */

static bool emit(struct pipeline *p, bool want_text, struct emit_request *req,
                 struct emit_result *out_result, struct error *err)
{
    *req = (struct emit_request){
        .program = p->program,
        .target = p->target,
        .entry = p->entry,
        .source = p->name,
        .symbols = p->symbols,
        .n_symbols = p->n_symbols,
        .step_functions = p->variant.stepwise,
    };
    memcpy(req->weights_digest, p->weights.digest, sizeof req->weights_digest);
    bool ok = emit_object(p->arena, req, p->schedules, want_text, out_result, err);
    log_step(p, "code generation");
    return ok;
}

bool pipeline_emit_bundle(struct pipeline *p, const char *dir, struct error *err)
{
    struct emit_request req;
    struct emit_result code;
    if (!emit(p, p->opt->save_asm, &req, &code, err))
        return false;
    struct bundle_request bundle = {
        .dir = dir,
        .name = p->name,
        .entry = p->entry,
        .source = p->model,
        .program = p->program,
        .target = p->target,
        .symbols = p->symbols,
        .n_symbols = p->n_symbols,
        .object = code.object,
        .assembly = code.assembly,
        .weights = p->weights,
    };
    if (!bundle_write(p->arena, &bundle, err))
        return false;
    log_step(p, "writing");
    return true;
}

bool pipeline_dump(struct pipeline *p, enum pipeline_dump what, struct strbuf *out,
                   struct error *err)
{
    struct emit_request req;
    struct emit_result code;
    switch (what) {
    case PIPELINE_DUMP_GRAPH:
        graph_print_brief(p->graph, out);
        return true;
    case PIPELINE_DUMP_DOT:
        graph_print_dot(p->graph, out);
        return true;
    case PIPELINE_DUMP_KERNELS:
        program_print(p->program, out);
        emit_kernels_print(p->schedules, out);
        return true;
    case PIPELINE_DUMP_SCHEDULE:
        emit_schedules_print(p->schedules, out);
        return true;
    default:
        if (!emit(p, true, &req, &code, err))
            return false;
        strbuf_addn(out, (const char *)code.llvm_ir.data, code.llvm_ir.size);
        return true;
    }
}

/* ---- running ---- */

bool pipeline_prepare_run(struct pipeline *p, bool interpreter, struct error *err)
{
    struct bytes object = {0};
    if (!interpreter) {
        struct emit_request req;
        struct emit_result code;
        if (!emit(p, false, &req, &code, err))
            return false;
        object = code.object;
    }
    return pipeline_run_open(&p->run, p->arena, p->program, p->weights.data, p->entry,
                             interpreter ? NULL : &object, err);
}

void *pipeline_input(struct pipeline *p, size_t i)
{
    return pipeline_run_data(&p->run, program_find_value(p->program, p->graph->body.in[i]));
}

bool pipeline_run(struct pipeline *p, struct error *err)
{
    return pipeline_run_once(&p->run, err);
}

const void *pipeline_output(const struct pipeline *p, size_t i, int64_t *out_dims)
{
    int buf = program_find_value(p->program, p->graph->body.out[i]);
    pipeline_run_dims(&p->run, buf, out_dims);
    return pipeline_run_data(&p->run, buf);
}

int pipeline_find(const struct pipeline *p, const struct value *v)
{
    return program_find_value(p->program, v);
}

const void *pipeline_data(const struct pipeline *p, int buf, int64_t *out_dims)
{
    pipeline_run_dims(&p->run, buf, out_dims);
    return pipeline_run_data(&p->run, buf);
}

size_t pipeline_traced(const struct pipeline *p, const char *const **out_names)
{
    *out_names = p->trace.name;
    return p->trace.n;
}

bool pipeline_tensor(const struct pipeline *p, const char *name, struct tensor *out_tensor,
                     struct quant *out_quant)
{
    const struct value *v = graph_find_value(p->graph, name);
    int buf = v && !value_is_constant(v) ? program_find_value(p->program, v) : -1;
    if (buf < 0 || !layout_is_plain(&v->layout))
        return false;
    *out_tensor = (struct tensor){.dtype = v->dtype, .rank = v->shape.rank};
    pipeline_run_dims(&p->run, buf, out_tensor->dims);
    out_tensor->data = pipeline_run_data(&p->run, buf);
    *out_quant = v->quant;
    return true;
}

bool pipeline_run_stepwise(struct pipeline *p, pipeline_observer *fn, void *arg)
{
    bool only_calls = p->run.jit && program_is_straight(p->program);
    for (size_t i = 0; only_calls && i < p->program->body.n; i++) {
        const struct step *s = p->program->body.step[i];
        pipeline_run_step(&p->run, p->entry, s);
        for (size_t k = 0; k < s->kernel->n_bufs; k++) {
            bool written =
                s->kernel->bufs[k].role == KBUF_OUT || s->kernel->bufs[k].role == KBUF_INOUT;
            const struct value *v = p->program->bufs[s->args[k]].value;
            if (written && v)
                fn(p, v, arg);
        }
    }
    return only_calls;
}

bool pipeline_verify(struct pipeline *p, struct strbuf *report, struct error *err)
{
    return pipeline_run_verify(&p->run, report, err);
}

void pipeline_close(struct pipeline *p)
{
    if (p)
        pipeline_run_close(&p->run);
}
