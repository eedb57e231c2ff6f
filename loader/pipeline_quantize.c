#include "loader/pipeline_quantize.h"

#include <string.h>

#include "loader/node_words.h"
#include "loader/profile/profile_file.h"

/* ---- what stays in float ---- */

static bool make_keep(const struct quantize_step *step, struct quantize_keep *out_keep,
                      struct error *err)
{
    const struct option_texts *words = &step->opt->keep_original_precision_for_nodes;
    const struct pipeline_variant *variant = step->variant;
    const char **names = arena_array(step->graph->arena, words->n + variant->n_keep, sizeof *names);
    struct node_words named = {.option = "option -keep-original-precision-for-nodes",
                               .words = words,
                               .model = step->model_name,
                               .imported = step->imported,
                               .when = "when it comes to quantization"};
    struct quantize_keep keep = {.n_searched = variant->n_keep};
    if (!node_words_find(&named, step->graph, names, &keep.nodes, err))
        return false;
    for (size_t i = 0; i < variant->n_keep; i++)
        names[keep.nodes.n_names++] = variant->keep[i];
    *out_keep = keep;
    return true;
}

/* ---- after a profile ---- */

static struct quantize_options options_of(const struct quantize_step *step,
                                          const struct quantize_keep *keep)
{
    /* In the order of the words in options.def. */
    static const enum dtype precisions[] = {DTYPE_I8, DTYPE_I16};
    static const enum dtype bias_precisions[] = {DTYPE_I8, DTYPE_I16, DTYPE_I32};
    const struct loader_options *opt = step->opt;
    enum dtype type = precisions[opt->quantization_precision];
    return (struct quantize_options){
        .calibration = {.method = (enum calibration)opt->quantization_calibration,
                        .percentile = opt->quantization_percentile,
                        .schema = (enum quant_schema)opt->quantization_schema,
                        .type = type},
        .weights = type,
        .bias = bias_precisions[opt->quantization_precision_bias],
        .per_channel = opt->enable_channelwise,
        .per_row = opt->enable_rowwise,
        .calibrate_constants = opt->calibrate_constants,
        .quantize_io = opt->convert_placeholders,
        .keep = *keep,
    };
}

static bool check_all_quantized(const struct quantize_step *step, struct error *err)
{
    const struct quantize_report *r = pipeline_quantize_report(step);
    struct strbuf text;
    size_t n = 0;
    strbuf_init(&text, step->graph->arena);
    for (size_t i = 0; i < r->n; i++) {
        const struct quantize_note *note = &r->note[i];
        bool excused = note->chosen || (!step->by_profile && step->excused[i]);
        if (note->quantized || excused)
            continue;
        strbuf_printf(&text, "%s%s '%s' (%s)", n++ ? ", " : "", op_desc(note->op)->id, note->node,
                      note->reason);
    }
    return n == 0 ||
           error_set(err, SHEAF_ERROR_UNSUPPORTED,
                     "%s: -assert-all-nodes-quantized: %zu node%s in float: %s", step->model_name,
                     n, n == 1 ? " stays" : "s stay", strbuf_text(&text));
}

struct tensor_search {
    const struct profile *profile;
    bool found;
};

static void search_tensors(struct graph *g, struct block *b, void *arg)
{
    (void)g;
    struct tensor_search *s = arg;
    for (size_t i = 0; i < b->n_in && !s->found; i++)
        s->found = profile_find_value(s->profile, b->in[i]);
    for (size_t i = 0; i < b->n_nodes; i++)
        for (size_t k = 0; k < b->nodes[i]->n_out && !s->found; k++)
            s->found = b->nodes[i]->out[k] && profile_find_value(s->profile, b->nodes[i]->out[k]);
}

/* Glow's profiles do not say of which network they are. */
static bool check_tensors(const struct quantize_step *step, const struct profile *profile,
                          struct error *err)
{
    struct tensor_search s = {.profile = profile};
    graph_each_block(step->graph, search_tensors, &s);
    return s.found || error_set(err, SHEAF_ERROR_ARGUMENT,
                                "%s: the profile has no tensor of '%s': it is of another network",
                                step->opt->load_profile.item[0], step->model_name);
}

static bool quantize_by_profile(struct quantize_step *step, const struct quantize_keep *keep,
                                struct error *err)
{
    const struct loader_options *opt = step->opt;
    struct arena *a = step->graph->arena;
    struct quantize_report *report = arena_new(a, struct quantize_report);
    struct quantize_options how = options_of(step, keep);
    struct profile *profile;
    if (!profile_load(a, opt->load_profile.item, opt->load_profile.n, &step->identity,
                      step->model_name, &profile, err) ||
        !check_tensors(step, profile, err) ||
        !quantize_graph(step->graph, profile, &how, report, err))
        return false;
    step->by_profile = report;
    return true;
}

/* ---- the step ---- */

static bool quantize_weights(const struct quantize_step *step, const struct quantize_keep *keep,
                             struct error *err)
{
    const struct loader_options *opt = step->opt;
    static const enum dtype types[] = {DTYPE_I8, DTYPE_I4};
    static const int64_t blocks[] = {0, 32};
    int64_t block =
        opt->given[OPTION_ID_weights_block] ? opt->weights_block : blocks[opt->weights_only];
    size_t n_nodes;
    if (!quantize_weights_only(step->graph, types[opt->weights_only], block, keep, &n_nodes, err))
        return false;
    return n_nodes || error_set(err, SHEAF_ERROR_ARGUMENT,
                                "%s: -weights-only would change nothing: no convolution or matrix "
                                "product that may be changed has constant weights in float%s",
                                step->model_name,
                                step->of_model ? ", for the model is quantized already" : "");
}

/* A model that is quantized already: the nodes that -assert-all-nodes-quantized lets be. */
static void excuse(struct quantize_step *step, const struct quantize_keep *keep)
{
    const struct quantize_report *r = step->of_model;
    const struct block *b = &step->graph->body;
    bool *excused = arena_array(step->graph->arena, r->n, sizeof *excused);
    for (size_t i = 0; i < b->n_nodes; i++) {
        const struct quantize_note *note = quantize_report_find(r, b->nodes[i]);
        if (note)
            excused[note - r->note] = quantize_kept_by(keep, b->nodes[i]) != NULL;
    }
    step->excused = excused;
}

static bool quantize(struct quantize_step *step, struct error *err)
{
    const struct loader_options *opt = step->opt;
    struct quantize_keep keep;
    if (!make_keep(step, &keep, err))
        return false;
    if (step->of_model)
        excuse(step, &keep);
    if (opt->load_profile.n)
        return quantize_by_profile(step, &keep, err);
    if (opt->weights_only >= 0)
        return quantize_weights(step, &keep, err);
    if (opt->convert_to_fp16)
        return convert_storage(step->graph, opt->fp16_format ? DTYPE_BF16 : DTYPE_F16,
                               opt->convert_placeholders, &keep, err);
    return true;
}

bool pipeline_quantize(struct quantize_step *step, struct error *err)
{
    const struct loader_options *opt = step->opt;
    struct quantize_report of_model;
    if (quantize_report_survey(step->graph, &of_model))
        step->of_model = arena_copy(step->graph->arena, &of_model, sizeof of_model);
    /* Also in float: that network is measured first, which may take hours. */
    const char *profile = opt->load_profile.n ? "-load-profile"
                          : opt->dump_profile ? "-dump-profile"
                                              : NULL;
    if (profile && step->of_model)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "%s: the model is quantized already and has scales of its own, so "
                         "%s has to be left out",
                         step->model_name, profile);
    if (step->variant->in_float)
        return true;
    if (opt->assert_all_nodes_quantized && !opt->load_profile.n && !step->of_model)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "%s: -assert-all-nodes-quantized needs -load-profile: the model is not "
                         "quantized already",
                         step->model_name);
    return quantize(step, err);
}

struct quantize_report *pipeline_quantize_report(const struct quantize_step *step)
{
    return step->by_profile ? step->by_profile : step->of_model;
}

bool pipeline_quantize_check(const struct quantize_step *step, struct error *err)
{
    return step->variant->in_float || !step->opt->assert_all_nodes_quantized ||
           check_all_quantized(step, err);
}
