/* A network as a library: what bundle/write/library.h needs to know of it. */
#include <string.h>

#include "bundle/write/library.h"
#include "bundle/write/repack.h"
#include "cpu_runtime/codegen/cpu_arch.h"
#include "cpu_runtime/codegen/cpu_target.h"
#include "loader/library_object.h"
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
static int items_of(const struct pipeline *p, const struct emit_library_function *fn)
{
    for (size_t i = 0; p->graph->max_items && i < fn->n_in; i++)
        if (strcmp(p->program->bufs[fn->in[i]].name, p->graph->items) == 0)
            return fn->in[i];
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
        if (op_desc(n->op)->flags & OP_STATE) {
            int buf = program_find_value(s->p->program, n->in[0]);
            ARENA_PUSH(s->p->arena, s->bufs, s->n, s->cap) = buf;
        }
        for (size_t k = 0; k < n->n_blocks; k++)
            find_random(s, n->blocks[k]);
    }
}

/* ---- the request ---- */

static struct emit_library_function function_of(const struct pipeline *p,
                                                const struct emit_entry *entry)
{
    struct states random = {.p = p};
    find_random(&random, &p->graph->body);
    struct emit_library_function fn = {
        .func = p->opt->func_name,
        .entry = entry->name,
        .program = p->program,
        .random = random.bufs,
        .n_random = random.n,
        .symbols = entry->symbols,
        .n_symbols = entry->n_symbols,
        .max_items = p->graph->max_items,
    };
    fn.in = buffers_of(p, entry, SHEAF_ROLE_INPUT, &fn.n_in);
    fn.out = buffers_of(p, entry, SHEAF_ROLE_OUTPUT, &fn.n_out);
    fn.items = items_of(p, &fn);
    return fn;
}

/* What the library's functions run on. */
static const struct target *host_of(const struct pipeline *p)
{
    return p->target->host ? p->target->host : p->target;
}

static struct emit_library functions_of(const struct pipeline_entry *entries, size_t n,
                                        const struct bundle_parts *b,
                                        const struct emit_result *code)
{
    const struct pipeline *first = entries[0].parts[0];
    struct emit_library_function *functions = arena_array(first->arena, n, sizeof *functions);
    for (size_t i = 0; i < n; i++)
        functions[i] = function_of(entries[i].parts[0], &b->entries[i]);
    return (struct emit_library){
        .functions = functions,
        .n_functions = n,
        .target = cpu_target_plain(first->arena, host_of(first)),
        .device = first->target->device,
        .features = entries[0].n_parts > 1 ? NULL : first->target->features,
        .weights_path = first->opt->weights,
        .weights_digest = b->digest64,
        .weights_layout = b->request.replaceable_weights ? repack_layout_id(&code->object) : 0,
    };
}

bool pipeline_emit_library(const struct pipeline_entry *entries, size_t n, struct strbuf *out_note,
                           struct error *err)
{
    struct pipeline *first = entries[0].parts[0];
    const struct loader_options *opt = first->opt;
    const struct target *host = host_of(first);
    struct bundle_parts b;
    struct emit_result code;
    struct bytes runtime = {NULL, 0};
    if (first->target->device && !library_object(first->target, &runtime, err))
        return false;
    if (!pipeline_generate(entries, n, NULL, &b, &code, err))
        return false;
    struct library_request library = {
        .kind = opt->emit_lib == EMIT_LIB_SHARED ? LIBRARY_SHARED : LIBRARY_STATIC,
        .dir = opt->path,
        .name = first->name,
        .entries = b.entries,
        .functions = functions_of(entries, n, &b, &code),
        .object = code.object,
        .runtime = runtime,
        .assembly = code.assembly,
        .listing = code.listing,
        .weights = b.weights,
        .extra = opt->bundle_objects.item,
        .n_extra = opt->bundle_objects.n,
        .emulation = opt->elf,
        .output_format = opt->oformat,
        .is_native = cpu_arch_find(host->triple, err) == cpu_arch_host(),
    };
    if (opt->repack_weights)
        return library_repack(first->arena, &library, err);
    if (!library_write(first->arena, &library, out_note, err))
        return false;
    pipeline_log(first, "writing");
    return true;
}
