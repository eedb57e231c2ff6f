#include "loader/run_measure.h"

#include <string.h>

#include "bundle/write/file.h"
#include "loader/quantize_report.h"

bool measured_open_variant(const struct run_measure *m, const struct pipeline_variant *variant,
                           struct measured *out, struct error *err)
{
    *out = (struct measured){0};
    arena_init(&out->arena);
    return pipeline_open(&out->arena, m->opt, variant, m->first_image, NULL, &out->pipeline, err) &&
           run_inputs_plan(&out->arena, m->opt, out->pipeline, m->files, &out->inputs, err) &&
           pipeline_prepare_run(out->pipeline, false, err);
}

bool measured_open(const struct run_measure *m, bool in_float, const struct run_kept *kept,
                   struct measured *out, struct error *err)
{
    struct pipeline_variant variant = {
        .shown = PIPELINE_SHOWS_FLOATS,
        .in_float = in_float,
        .here = true,
        .keep = kept ? kept->tensor : NULL,
        .n_keep = kept ? kept->n : 0,
    };
    return measured_open_variant(m, &variant, out, err);
}

bool measured_run(struct measured *n, size_t i, struct error *err)
{
    return run_inputs_load(&n->inputs, n->pipeline, i, err) && pipeline_run(n->pipeline, err);
}

void measured_close(struct measured *n)
{
    pipeline_close(n->pipeline);
    arena_done(&n->arena);
}

static bool write_text(const struct run_measure *m, const struct strbuf *text, struct error *err)
{
    const char *path = m->opt->quantization_report;
    if (strcmp(path, "-") != 0)
        return file_write_atomic(path, strbuf_text(text), text->len, err);
    fputs(strbuf_text(text), m->out);
    fflush(m->out); /* a child of the pipeline must not print it again */
    return true;
}

static bool compare(const struct run_measure *m, struct measured *exact, struct measured *quantized,
                    struct error *err)
{
    struct quantize_errors errors;
    quantize_errors_init(&errors, &exact->arena, exact->pipeline, quantized->pipeline);
    for (size_t i = 0; i < exact->inputs.n_runs; i++) {
        if (!measured_run(exact, i, err) || !measured_run(quantized, i, err))
            return false;
        quantize_errors_add(&errors);
    }
    quantize_errors_blame(&errors);
    struct strbuf text;
    strbuf_init(&text, &exact->arena);
    quantize_report_print(&text, &errors, pipeline_quantized(quantized->pipeline));
    return write_text(m, &text, err);
}

bool run_report(const struct run_measure *m, const struct run_kept *kept, struct error *err)
{
    struct measured exact, quantized = {0};
    bool ok = measured_open(m, true, NULL, &exact, err) &&
              measured_open(m, false, kept, &quantized, err) && compare(m, &exact, &quantized, err);
    measured_close(&quantized);
    measured_close(&exact);
    return ok;
}
