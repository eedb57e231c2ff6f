/*
 * The compiler from end to end.  compile() is the place to start reading.
 */
#include <string.h>
#include <time.h>

#include "bundle/write/names.h"
#include "cpu_runtime/codegen/cpu_target.h"
#include "gpu_runtime/codegen/gpu_target.h"
#include "loader/import/import.h"
#include "loader/interface.h"
#include "loader/node_words.h"
#include "loader/pipeline_internal.h"
#include "loader/report.h"
#include "ve_runtime/codegen/ve_target.h"

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void pipeline_log(struct pipeline *p, const char *what)
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
    p->entry = names_entry(p->arena, opt->main_entry_name ? opt->main_entry_name : p->name);
    return true;
}

static bool choose_assembler(const struct pipeline *p, const char **out_file, struct error *err)
{
    const char *named = p->opt->ptxas;
    bool is_run = !p->opt->emit_bundle && p->opt->emit_lib == EMIT_LIB_NONE;
    *out_file = NULL;
    if (is_run || (named && strcmp(named, "none") == 0))
        return true;
    return gpu_find_assembler(p->arena, named, out_file, err);
}

/* The target so far is that of the object which carries the GPU's code. */
static bool choose_gpu(struct pipeline *p, struct error *err)
{
    const struct loader_options *opt = p->opt;
    unsigned *archs = arena_array(p->arena, opt->cc.n + 1, sizeof *archs);
    for (size_t i = 0; i < opt->cc.n; i++)
        archs[i] = (unsigned)opt->cc.item[i];
    struct gpu_target_options gpu = {.archs = archs,
                                     .n_archs = opt->cc.n,
                                     .f32_math = (enum target_f32_math)opt->fp32_math,
                                     .host = p->target};
    return choose_assembler(p, &gpu.assembler, err) &&
           gpu_target_create(p->arena, &gpu, &p->target, err);
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
        .cpu = p->variant.cpu     ? p->variant.cpu
               : opt->mcpu.n      ? opt->mcpu.item[0]
               : opt->emit_bundle ? NULL
                                  : "native",
        .features = opt->mattr.n ? strbuf_text(&features) : NULL,
        .float_abi = (enum cpu_float_abi)opt->float_abi,
        .tune = opt->tune,
        .optimize_size = opt->optimize_size,
    };
    if (p->variant.here)
        target = (struct cpu_target_options){.cpu = "native"};
    if (!cpu_target_create(p->arena, &target, &p->target, err) || (opt->gpu && !choose_gpu(p, err)))
        return false;
    if (opt->ve)
        p->target = ve_target_create(p->arena, p->target);
    p->passes.target = p->target;
    p->passes.qdq = p->variant.qdq ? *p->variant.qdq : (enum qdq_mode)opt->qdq;
    return true;
}

/* ---- the way of the model ---- */

/* The symbol that -onnx-define-symbol leaves open has this value for now. */
static const struct import_symbol *symbols_of(const struct pipeline *p, int64_t items)
{
    const struct loader_options *opt = p->opt;
    size_t n = opt->onnx_define_symbol.n;
    struct import_symbol *symbols = arena_copy(p->arena, opt->symbols, n * sizeof *symbols);
    for (size_t i = 0; opt->items && i < n; i++)
        if (strcmp(symbols[i].name, opt->items) == 0)
            symbols[i].value = items;
    return symbols;
}

struct graph *pipeline_import(struct pipeline *p, const struct image_size *image, int64_t items,
                              struct error *err)
{
    const struct loader_options *opt = p->opt;
    struct import_options in = {
        .paths = opt->model.item,
        .n_paths = opt->model.n,
        .inputs = opt->model_inputs,
        .n_inputs = opt->model_input.n,
        .input_option = opt->entry ? arena_printf(p->arena, "-entry-input=%s", opt->entry) : NULL,
        .symbols = symbols_of(p, items),
        .n_symbols = opt->onnx_define_symbol.n,
        .externs = opt->extern_op.item,
        .n_externs = opt->extern_op.n,
        .externs_may_lack = opt->n_entries > 0,
        .extern_outputs = opt->extern_outputs,
        .n_extern_outputs = opt->extern_output.n,
    };
    if (image) {
        in.image_height = image->height;
        in.image_width = image->width;
    }
    struct import_notes notes = {0};
    struct graph *g = import_model(p->arena, &in, &notes, err);
    for (size_t i = 0; g && !p->graph && p->log && i < notes.n; i++)
        fprintf(p->log, "note: %s\n", notes.text[i]);
    return g;
}

static bool clean(struct pipeline *p, struct error *err)
{
    p->identity = profile_identity_of(p->graph);
    p->imported = node_words_imported(p->graph, &p->opt->keep_original_precision_for_nodes);
    p->host_imported = node_words_imported(p->graph, &p->opt->host_nodes);
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

/* -host-nodes */
static bool find_host_nodes(struct pipeline *p, struct error *err)
{
    const struct option_texts *words = &p->opt->host_nodes;
    struct node_words named = {.option = "option -host-nodes",
                               .words = words,
                               .model = p->model,
                               .imported = p->host_imported,
                               .when = "on a device"};
    struct node_set *set = arena_new(p->arena, struct node_set);
    const char **names = arena_array(p->arena, words->n, sizeof *names);
    p->passes.host_nodes = set;
    return node_words_find(&named, p->graph, names, set, err);
}

/* What is shown by name is the network as the model has it. */
static bool put_interface(struct pipeline *p, struct error *err)
{
    if (p->variant.shown != PIPELINE_SHOWS_OUTPUTS)
        return true;
    if (!interface_make(p->opt, p->graph, &p->passes.interface, err))
        return false;
    return !p->passes.interface || passes_run_stage(p->graph, PASSES_INTERFACE, &p->passes, err);
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
    report_print_quantized(&text, p->opt->entry, p->quantized.of_model, true);
    fputs(strbuf_text(&text), p->log);
}

static bool compile(struct pipeline *p, const struct image_size *image, struct error *err)
{
    if (!choose_names(p, err) || !choose_target(p, err))
        return false;
    p->graph = pipeline_import(p, image, 1, err);
    if (!p->graph)
        return false;
    pipeline_log(p, "import");

    if (!clean(p, err) || !pipeline_set_items(p, image, err) || !quantize(p, err) ||
        !find_host_nodes(p, err) || !put_interface(p, err) || !lower(p, err))
        return false;
    graph_count_uses(p->graph);
    log_quantized(p);
    pipeline_log(p, "passes");

    p->program = program_build(p->arena, p->graph, err);
    if (!p->program)
        return false;
    if (p->target->prepare_contract)
        program_prepare(p->program, p->target);
    if (p->target->launch_work)
        program_split_phases(p->program, p->target->launch_work);
    pipeline_log(p, "lowering");

    p->schedules = emit_schedule(p->arena, p->program, p->target);
    bool keep_all = p->opt->verify || p->variant.shown == PIPELINE_SHOWS_ALL;
    bool overlay = p->opt->overlay_io && p->variant.shown == PIPELINE_SHOWS_OUTPUTS;
    (overlay ? plan_overlay_io : plan_program)(p->program, keep_all);
    if (p->target->host)
        plan_host(p->program, keep_all);
    pipeline_log(p, "scheduling, planning and packing");
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

bool pipeline_takes_pixels(const struct pipeline *p, size_t i)
{
    const struct interface *in = p->passes.interface;
    return in && in->pixels && strcmp(p->graph->body.in[i]->name, in->pixels->input) == 0;
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

/* ---- running ---- */

/* Of a network whose caller chooses: one, or as many as there may be where code is verified. */
static void set_items(struct pipeline *p)
{
    int64_t n = p->opt->verify ? p->graph->max_items : 1;
    for (size_t i = 0; p->graph->max_items && i < p->program->n_bufs; i++)
        if (p->program->bufs[i].role == SHEAF_ROLE_INPUT && !p->program->bufs[i].value &&
            p->program->bufs[i].view_of < 0)
            memcpy(pipeline_run_input(&p->run, (int)i), &n, sizeof n);
}

bool pipeline_prepare_run(struct pipeline *p, bool interpreter, struct error *err)
{
    struct bytes object = {0};
    if (!interpreter) {
        struct emit_result code;
        if (!pipeline_emit(p, false, &code, err))
            return false;
        object = code.object;
    }
    if (!p->constants)
        p->constants = program_pack_constants(p->program, p->arena);
    if (!pipeline_run_open(&p->run, p->arena, p->program, p->constants, p->entry,
                           interpreter ? NULL : &object, p->opt->extern_library, err))
        return false;
    if (!interpreter && p->target->host &&
        !pipeline_run_on_device(&p->run, p->target->device, p->entry, err))
        return false;
    if (!interpreter && p->opt->ve_cores > 1 &&
        !pipeline_run_set_cores(&p->run, (uint32_t)p->opt->ve_cores, err))
        return false;
    p->run.tf32 = p->target->f32_math == F32_TF32;
    set_items(p);
    return true;
}

void *pipeline_input(struct pipeline *p, size_t i)
{
    return pipeline_run_input(&p->run, program_find_value(p->program, p->graph->body.in[i]));
}

bool pipeline_run(struct pipeline *p, struct error *err)
{
    return pipeline_run_once(&p->run, err);
}

void pipeline_reset_state(struct pipeline *p)
{
    pipeline_run_reset(&p->run);
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
    bool only_calls = p->run.entry && program_is_straight(p->program);
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
