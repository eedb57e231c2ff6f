#include "loader/run_bundle.h"

#include <string.h>

#include "bundle/write/names.h"
#include "loader/report.h"

struct compile {
    struct arena *arena;
    const struct loader_options *opt;
    const struct pipeline_variant *variant;
    const struct image_size *image;
    FILE *log;
    /* All that were opened here, to be closed in the end. */
    struct pipeline **opened;
    size_t n_opened, cap_opened;
};

/* Parts of an entry for the processors from `from` on; those before are there. */
static bool add_parts(struct compile *c, const struct loader_options *opt, size_t from,
                      struct pipeline_entry *entry, struct error *err)
{
    size_t n = opt->mcpu.n ? opt->mcpu.n : 1;
    for (size_t i = from; i < n; i++) {
        struct pipeline_variant variant = *c->variant;
        struct pipeline *p = NULL;
        variant.cpu = opt->mcpu.n ? opt->mcpu.item[i] : NULL;
        if (opt != c->opt)
            variant.n_keep = 0;
        const struct image_size *image = opt == c->opt ? c->image : NULL;
        if (!pipeline_open(c->arena, opt, &variant, image, c->log, &p, err))
            return false;
        ARENA_PUSH(c->arena, c->opened, c->n_opened, c->cap_opened) = p;
        entry->parts[entry->n_parts++] = p;
    }
    return pipeline_sort_parts(entry, err);
}

/* The command line as it would be for the further model alone.  What names tensors, nodes and
   symbols is about the first. */
static const struct loader_options *options_of(struct compile *c, const struct entry_arg *e)
{
    struct loader_options *opt = arena_new(c->arena, struct loader_options);
    *opt = *c->opt;
    opt->model = e->model;
    bool is_library = opt->emit_lib != EMIT_LIB_NONE;
    opt->func_name = e->name;
    opt->main_entry_name = is_library ? options_library_entry(c->arena, e->name) : e->name;
    opt->load_profile = e->load_profile;
    opt->given[OPTION_ID_load_profile] = e->load_profile.n > 0;
    opt->model_inputs = e->inputs;
    opt->model_input.n = e->n_inputs;
    opt->entry = e->name;
    opt->onnx_define_symbol.n = opt->extern_output.n = 0;
    opt->items = NULL;
    opt->max_items = 0;
    opt->keep_original_precision_for_nodes.n = opt->host_nodes.n = 0;
    opt->n_changes = opt->bind.n = 0;
    opt->fold_preprocessing = false;
    return opt;
}

static bool add_entries(struct compile *c, struct pipeline *first, struct pipeline_entry *entries,
                        struct error *err)
{
    const struct loader_options *opt = c->opt;
    size_t most = opt->mcpu.n ? opt->mcpu.n : 1;
    for (size_t i = 0; i <= opt->n_entries; i++) {
        entries[i].parts = arena_array(c->arena, most, sizeof(struct pipeline *));
        const struct loader_options *own = opt;
        if (i == 0)
            entries[i].parts[entries[i].n_parts++] = first;
        else
            own = options_of(c, &opt->entries[i - 1]);
        if (!add_parts(c, own, i == 0 ? 1 : 0, &entries[i], err))
            return false;
        entries[i].name = pipeline_entry_name(entries[i].parts[0]);
        for (size_t j = 0; j < i && opt->emit_lib == EMIT_LIB_NONE; j++)
            if (!names_fit(entries[j].name, entries[i].name, err))
                return false;
    }
    return true;
}

/* What -entry-profile led to. */
static void note_quantized(const struct pipeline_entry *entry, bool all, struct strbuf *out)
{
    const struct quantize_report *report = pipeline_quantized(entry->parts[0]);
    if (report)
        report_print_quantized(out, entry->name, report, all);
}

bool run_bundle(struct arena *a, const struct loader_options *opt, struct pipeline *first,
                const struct pipeline_variant *variant, const struct image_size *first_image,
                FILE *log, struct strbuf *out_note, struct error *err)
{
    struct compile c = {
        .arena = a, .opt = opt, .variant = variant, .image = first_image, .log = log};
    struct pipeline_entry *entries = arena_array(a, opt->n_entries + 1, sizeof *entries);
    size_t n = opt->n_entries + 1;
    bool ok = add_entries(&c, first, entries, err);
    for (size_t i = 1; ok && i < n; i++)
        note_quantized(&entries[i], opt->verbose, out_note);
    if (ok && opt->emit_lib != EMIT_LIB_NONE)
        ok = pipeline_emit_library(entries, n, out_note, err);
    else if (ok)
        ok = pipeline_emit_bundle(entries, n, opt->together, opt->emit_bundle, err);
    for (size_t i = 0; i < c.n_opened; i++)
        pipeline_close(c.opened[i]);
    return ok;
}
