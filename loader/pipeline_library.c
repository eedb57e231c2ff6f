/* A network as a library: what bundle/write/library.h needs to know of it. */
#include <string.h>

#include "bundle/write/library.h"
#include "cpu_runtime/codegen/cpu_arch.h"
#include "cpu_runtime/codegen/cpu_target.h"
#include "loader/pipeline_internal.h"

/* ---- tensors ---- */

/* The bundle's symbols of a role, which are in the model's order. */
static const int *buffers_of(const struct pipeline *p, const struct emit_entry *entry,
                             enum sheaf_role role, size_t *out_n)
{
    int *bufs = arena_array(p->arena, entry->n_symbols, sizeof *bufs);
    size_t n = 0;
    for (size_t i = 0; i < entry->n_symbols; i++) {
        const struct emit_symbol *s = &entry->symbols[i];
        if (s->part == 0 && p->program->bufs[s->buf].role == role)
            bufs[n++] = s->buf;
    }
    *out_n = n;
    return bufs;
}

/* The input that tells how many items there are. */
static int items_of(const struct pipeline *p, const struct emit_library *lib)
{
    for (size_t i = 0; p->graph->max_items && i < lib->n_in; i++)
        if (strcmp(p->program->bufs[lib->in[i]].name, p->graph->items) == 0)
            return lib->in[i];
    return -1;
}

/* ---- states of random operators ---- */

struct states {
    const struct pipeline *p;
    int *bufs;
    size_t n, cap;
};

static void find_random(struct states *s, const struct block *b)
{
    for (size_t i = 0; i < b->n_nodes; i++) {
        const struct node *n = b->nodes[i];
        if (n->op == OP_random_uniform) {
            int buf = program_find_value(s->p->program, n->in[0]);
            ARENA_PUSH(s->p->arena, s->bufs, s->n, s->cap) = buf;
        }
        for (size_t k = 0; k < n->n_blocks; k++)
            find_random(s, n->blocks[k]);
    }
}

/* ---- the request ---- */

static struct emit_library functions_of(const struct pipeline *p, const struct emit_entry *entry)
{
    struct states random = {.p = p};
    find_random(&random, &p->graph->body);
    struct emit_library lib = {
        .func = p->opt->func_name,
        .entry = p->entry,
        .target = cpu_target_plain(p->arena, p->target),
        .features = entry->n_parts > 1 ? NULL : p->target->features,
        .program = p->program,
        .random = random.bufs,
        .n_random = random.n,
        .weights_path = p->opt->weights,
        .max_items = p->graph->max_items,
    };
    lib.in = buffers_of(p, entry, SHEAF_ROLE_INPUT, &lib.n_in);
    lib.out = buffers_of(p, entry, SHEAF_ROLE_OUTPUT, &lib.n_out);
    lib.items = items_of(p, &lib);
    return lib;
}

bool pipeline_emit_library(const struct pipeline_entry *entry, struct strbuf *out_note,
                           struct error *err)
{
    struct pipeline *first = entry->parts[0];
    const struct loader_options *opt = first->opt;
    struct bundle_parts b;
    struct emit_result code;
    pipeline_request(entry, 1, NULL, &b);
    if (!emit_object(first->arena, &b.request, false, &code, err))
        return false;
    pipeline_log(first, "code generation");
    struct library_request library = {
        .kind = opt->emit_lib == EMIT_LIB_SHARED ? LIBRARY_SHARED : LIBRARY_STATIC,
        .dir = opt->path,
        .name = first->name,
        .entry = &b.entries[0],
        .functions = functions_of(first, &b.entries[0]),
        .object = code.object,
        .weights = b.weights,
        .extra = opt->bundle_objects.item,
        .n_extra = opt->bundle_objects.n,
        .emulation = opt->elf,
        .output_format = opt->oformat,
        .is_native = cpu_arch_find(first->target->triple, err) == cpu_arch_host(),
    };
    if (!library_write(first->arena, &library, out_note, err))
        return false;
    pipeline_log(first, "writing");
    return true;
}
