/*
 * From planned programs to object code and bundles.  A bundle has an entry for each model, and an
 * entry a part for each processor; more than one program are joined onto common memory areas first.
 */
#include <string.h>

#include "bundle/write/bundle.h"
#include "bundle/write/names.h"
#include "bundle/write/repack.h"
#include "bundle/write/weights_form.h"
#include "loader/pipeline_internal.h"

const char *pipeline_entry_name(const struct pipeline *p)
{
    return p->entry;
}

static size_t count_features(const struct target *t)
{
    const char *rest = t->features, *f;
    size_t count = 0, n;
    while (target_next_feature(&rest, &f, &n))
        count++;
    return count;
}

bool pipeline_sort_parts(struct pipeline_entry *entry, struct error *err)
{
    struct pipeline **parts = entry->parts;
    if (entry->n_parts > 1 && !parts[0]->target->emit_select)
        return error_set(
            err, SHEAF_ERROR_UNSUPPORTED,
            "option -mcpu: programs for %s cannot find out their processor, so a bundle "
            "holds code for one",
            parts[0]->target->triple);
    for (size_t i = 1; i < entry->n_parts; i++) {
        struct pipeline *p = parts[i];
        size_t n = count_features(p->target), at = i;
        for (; at > 0 && count_features(parts[at - 1]->target) < n; at--)
            parts[at] = parts[at - 1];
        parts[at] = p;
        for (size_t k = 0; k <= i; k++)
            if (parts[k] != p && strcmp(parts[k]->target->features, p->target->features) == 0)
                return error_set(err, SHEAF_ERROR_ARGUMENT,
                                 "option -mcpu: '%s' and '%s' have the same features, so one of "
                                 "them would never run",
                                 parts[k]->target->cpu, p->target->cpu);
    }
    return true;
}

static const char *entry_name(const struct pipeline_entry *e)
{
    return e->name ? e->name : e->parts[0]->entry;
}

static void fill_entry(struct arena *a, const struct pipeline_entry *from,
                       const struct names_of_entry *names, struct emit_entry *to)
{
    struct emit_part *parts = arena_array(a, from->n_parts, sizeof *parts);
    for (size_t i = 0; i < from->n_parts; i++) {
        const struct pipeline *p = from->parts[i];
        parts[i] = (struct emit_part){p->program, p->target, p->schedules};
    }
    const struct pipeline *first = from->parts[0];
    *to = (struct emit_entry){
        .name = entry_name(from), .model = first->model, .parts = parts, .n_parts = from->n_parts};
    to->symbols = names_symbols_in(a, names, parts, to->n_parts, &to->n_symbols);
}

/* Of a library, whose header tells of functions alone, NULL. */
static const struct names_of_entry *header_names(struct arena *a,
                                                 const struct pipeline_entry *entries, size_t n)
{
    const struct pipeline *first = entries[0].parts[0];
    const char *stem = names_legalise(a, first->name);
    struct names_of_entry *names = arena_array(a, n, sizeof *names);
    struct names_header *header = names_header_create(a);
    if (first->opt->emit_lib != EMIT_LIB_NONE)
        return NULL;
    if (weights_is_array((enum weights_format)first->opt->weights_format))
        names_header_reserve(header, arena_printf(a, "%s_weights", stem));
    for (size_t i = 0; i < n; i++) {
        const char *entry = entry_name(&entries[i]);
        names[i] = (struct names_of_entry){header, entry, names_upper(a, n > 1 ? entry : stem)};
        names_header_add(header, &names[i]);
    }
    return names;
}

static void join(struct arena *a, const struct pipeline_entry *entries, size_t n,
                 const bool *together, struct weights *out_weights)
{
    struct program_group *groups = arena_array(a, n, sizeof *groups);
    size_t n_programs = 0;
    for (size_t i = 0; i < n; i++)
        n_programs += entries[i].n_parts;
    struct program **programs = arena_array(a, n_programs, sizeof *programs), **next = programs;
    for (size_t i = 0; i < n; i++) {
        groups[i] = (struct program_group){next, entries[i].n_parts};
        for (size_t k = 0; k < entries[i].n_parts; k++)
            *next++ = entries[i].parts[k]->program;
        if (entries[i].n_parts > 1 && entries[0].parts[0]->opt->overlay_io)
            plan_overlay_group(&groups[i]);
    }
    if (n_programs > 1)
        program_join(groups, n, together, a);
    *out_weights = weights_join(a, programs, n_programs);
}

void pipeline_request(const struct pipeline_entry *entries, size_t n, const bool *together,
                      struct bundle_parts *b)
{
    const struct pipeline *first = entries[0].parts[0];
    struct arena *a = first->arena;
    join(a, entries, n, together, &b->weights);
    b->entries = arena_array(a, n, sizeof *b->entries);
    const struct names_of_entry *names = header_names(a, entries, n);
    for (size_t i = 0; i < n; i++)
        fill_entry(a, &entries[i], names ? &names[i] : NULL, &b->entries[i]);
    b->request =
        (struct emit_request){.source = first->name, .entries = b->entries, .n_entries = n};
    memcpy(b->request.weights_digest, b->weights.digest, sizeof b->weights.digest);
}

bool pipeline_emit(struct pipeline *p, bool want_text, struct emit_result *out_result,
                   struct error *err)
{
    struct pipeline_entry entry = {.parts = &p, .n_parts = 1};
    struct bundle_parts b;
    pipeline_request(&entry, 1, NULL, &b);
    b.request.step_functions = p->variant.stepwise;
    bool ok = emit_object(p->arena, &b.request, want_text, out_result, err);
    p->constants = b.weights.data;
    pipeline_log(p, "code generation");
    return ok;
}

bool pipeline_generate(const struct pipeline_entry *entries, size_t n, const bool *together,
                       struct bundle_parts *b, struct emit_result *out_code, struct error *err)
{
    struct pipeline *first = entries[0].parts[0];
    const struct loader_options *opt = first->opt;
    pipeline_request(entries, n, together, b);
    b->request.replaceable_weights = opt->replaceable_weights || opt->repack_weights;
    if (b->request.replaceable_weights)
        memset(b->request.weights_digest, 0, sizeof b->request.weights_digest);
    if (opt->debug_info)
        b->request.listing_name = arena_printf(first->arena, "%s.kernels", first->name);
    if (!emit_object(first->arena, &b->request, opt->save_asm, out_code, err))
        return false;
    pipeline_log(first, "code generation");
    b->digest64 = weights_digest64(&b->weights);
    if (b->request.replaceable_weights)
        b->weights =
            weights_with_trailer(first->arena, &b->weights, repack_layout_id(&out_code->object),
                                 opt->emit_lib != EMIT_LIB_NONE);
    return true;
}

bool pipeline_emit_bundle(const struct pipeline_entry *entries, size_t n, const bool *together,
                          const char *dir, struct error *err)
{
    struct pipeline *first = entries[0].parts[0];
    struct bundle_parts b;
    struct emit_result code;
    if (!pipeline_generate(entries, n, together, &b, &code, err))
        return false;
    if (first->opt->repack_weights)
        return repack_write(first->arena, dir, first->name, &code.object, &b.weights, err);
    struct bundle_request bundle = {
        .dir = dir,
        .name = first->name,
        .entries = b.entries,
        .n_entries = n,
        .object = code.object,
        .assembly = code.assembly,
        .listing = code.listing,
        .device_object = code.device_object,
        .device_library = code.device_library,
        .weights = b.weights,
        .weights_format = (enum weights_format)first->opt->weights_format,
        .weights_section = first->opt->section,
    };
    if (!bundle_write(first->arena, &bundle, err))
        return false;
    pipeline_log(first, "writing");
    return true;
}

bool pipeline_dump(struct pipeline *p, enum pipeline_dump what, struct strbuf *out,
                   struct error *err)
{
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
        if (!pipeline_emit(p, true, &code, err))
            return false;
        strbuf_addn(out, (const char *)code.llvm_ir.data, code.llvm_ir.size);
        return true;
    }
}
