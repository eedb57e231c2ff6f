#include "loader/pipeline_quantize.h"

#include <string.h>

#include "ir/passes/quantized_report.h"
#include "loader/profile/profile_file.h"
#include "loader/spelling.h"

/* ---- what stays in float ---- */

struct node_search {
    const char *name;
    bool found;
    struct spelling *spelling;
};

static void search_nodes(struct graph *g, struct block *b, void *arg)
{
    (void)g;
    struct node_search *s = arg;
    for (size_t i = 0; i < b->n_nodes; i++) {
        const struct node *n = b->nodes[i];
        spelling_try(s->spelling, n->name);
        s->found |= n->name && strcmp(n->name, s->name) == 0;
        for (size_t k = 0; k < n->n_out; k++) {
            if (!n->out[k])
                continue;
            spelling_try(s->spelling, n->out[k]->name);
            s->found |= strcmp(n->out[k]->name, s->name) == 0;
        }
    }
}

/* A word of the option: a kind of operator or the name of a node or tensor. */
static bool keep_word(const struct quantize_step *step, const char *word,
                      struct quantize_keep *keep, const char **names, struct error *err)
{
    if (quantize_keep_word(keep, word))
        return true;
    struct spelling spelling = spelling_of(word);
    struct node_search s = {.name = word, .spelling = &spelling};
    for (size_t i = 0; quantize_keep_words(i); i++)
        spelling_try(&spelling, quantize_keep_words(i));
    graph_each_block(step->graph, search_nodes, &s);
    if (s.found) {
        names[keep->n_nodes++] = word;
        return true;
    }
    const char *start = "option -keep-original-precision-for-nodes";
    if (spelling.nearest)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "%s: '%s' is no kind of operator and no node or tensor of '%s'; did you "
                         "mean '%s'?",
                         start, word, step->model_name, spelling.nearest);
    return error_set(err, SHEAF_ERROR_ARGUMENT,
                     "%s: '%s' is no kind of operator and no node or tensor of '%s'", start, word,
                     step->model_name);
}

static bool make_keep(const struct quantize_step *step, struct quantize_keep *out_keep,
                      struct error *err)
{
    const struct option_texts *words = &step->opt->keep_original_precision_for_nodes;
    const struct pipeline_variant *variant = step->variant;
    const char **names = arena_array(step->graph->arena, words->n + variant->n_keep, sizeof *names);
    struct quantize_keep keep = {.node = names};
    for (size_t i = 0; i < words->n; i++)
        if (!keep_word(step, words->item[i], &keep, names, err))
            return false;
    for (size_t i = 0; i < variant->n_keep; i++)
        names[keep.n_nodes++] = variant->keep[i];
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
    const struct quantize_report *r = step->by_profile;
    struct strbuf text;
    size_t n = 0;
    strbuf_init(&text, step->graph->arena);
    for (size_t i = 0; i < r->n; i++) {
        const struct quantize_note *note = &r->note[i];
        if (note->quantized || note->chosen)
            continue;
        strbuf_printf(&text, "%s%s '%s' (%s)", n++ ? ", " : "", op_desc(note->op)->id, note->node,
                      note->reason);
    }
    return n == 0 ||
           error_set(err, SHEAF_ERROR_UNSUPPORTED,
                     "%s: -assert-all-nodes-quantized: %zu node%s in float: %s", step->model_name,
                     n, n == 1 ? " stays" : "s stay", strbuf_text(&text));
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
    return quantize_weights_only(step->graph, types[opt->weights_only], block, keep, err);
}

static bool quantize(struct quantize_step *step, struct error *err)
{
    const struct loader_options *opt = step->opt;
    struct quantize_keep keep;
    if (!make_keep(step, &keep, err))
        return false;
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
    struct quantize_report of_model = {0};
    if (step->variant->in_float)
        return true;
    if (!quantize(step, err))
        return false;
    if (step->survey && !step->by_profile && quantized_survey(step->graph, &of_model))
        step->of_model = arena_copy(step->graph->arena, &of_model, sizeof of_model);
    return true;
}

bool pipeline_quantize_settle(const struct quantize_step *step, const struct pass_options *passes,
                              struct error *err)
{
    if (step->of_model)
        quantized_settle(step->of_model, step->graph, passes);
    if (!step->by_profile)
        return true;
    quantize_report_settle(step->by_profile, step->graph);
    return !step->opt->assert_all_nodes_quantized || check_all_quantized(step, err);
}
