/* Where tensors lie on a device that has memory of its own, and what a run copies there and back.
 */
#include "bundle/run/run.h"

struct rt_copy rt_place(const sheaf_bundle *b, const uint64_t area[], size_t i)
{
    const struct sheaf_linked *l = &b->shared->linked;
    const struct SymbolTableEntry *entry = &l->config->symbolTable[i];
    int overlaid = i >= l->config->numSymbols;
    int of = overlaid ? AREA_ACTIVATIONS : entry->kind ? AREA_MUTABLES : AREA_CONSTANTS;
    struct rt_copy p = {.device = area[of] + entry->offset,
                        .bytes = (size_t)l->info->symbols[i].size_bytes};
    if (of != AREA_CONSTANTS)
        p.host = (overlaid ? b->activations : b->mutables) + entry->offset;
    return p;
}

static void count_copies(const sheaf_bundle *b, struct rt_traffic *t)
{
    for (size_t i = 0; i < rt_symbol_count(&b->shared->linked); i++) {
        const struct sheaf_symbol_info *info = &b->shared->linked.info->symbols[i];
        t->in.n++;
        t->out.n++;
        t->extents.n += info->extent_offsets ? info->rank : 0;
    }
}

static int is_copied(const struct rt_copies *copies, uint64_t device)
{
    for (size_t i = 0; i < copies->n; i++)
        if (copies->copy[i].device == device)
            return 1;
    return 0;
}

static void list_tensors(const sheaf_bundle *b, const uint64_t area[], struct rt_traffic *t)
{
    for (size_t i = 0; i < rt_symbol_count(&b->shared->linked); i++) {
        uint32_t role = b->shared->linked.info->symbols[i].role;
        struct rt_copy p = rt_place(b, area, i);
        if (!p.bytes || !p.host)
            continue;
        if (role == SHEAF_ROLE_STATE || role == SHEAF_ROLE_INPUT)
            t->in.copy[t->in.n++] = p;
        if (role == SHEAF_ROLE_STATE || role == SHEAF_ROLE_OUTPUT)
            t->out.copy[t->out.n++] = p;
    }
}

/* Several dimensions may have one extent. */
static void list_extents(const sheaf_bundle *b, const uint64_t area[], struct rt_traffic *t)
{
    for (size_t i = 0; i < rt_symbol_count(&b->shared->linked); i++) {
        const struct sheaf_symbol_info *info = &b->shared->linked.info->symbols[i];
        for (uint32_t d = 0; info->extent_offsets && d < info->rank; d++) {
            uint64_t at = info->extent_offsets[d];
            struct rt_copy p = {area[AREA_ACTIVATIONS] + at, b->activations + at, sizeof(int64_t)};
            if (at != UINT64_MAX && !is_copied(&t->extents, p.device))
                t->extents.copy[t->extents.n++] = p;
        }
    }
}

enum sheaf_status rt_list_copies(const sheaf_bundle *b, const uint64_t area[],
                                 struct rt_traffic *out_traffic, struct sheaf_error *err)
{
    struct rt_traffic t = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    count_copies(b, &t);
    size_t bytes = (t.in.n + t.out.n + t.extents.n) * sizeof *t.in.copy;
    t.in.copy = rt_allocate(sizeof(void *), bytes);
    if (!t.in.copy)
        return rt_fail_memory(err, b->shared->linked.info->name, "list of copies", bytes);
    t.out.copy = t.in.copy + t.in.n;
    t.in.n = t.out.n = t.extents.n = 0;
    list_tensors(b, area, &t);
    t.extents.copy = t.out.copy + t.out.n;
    list_extents(b, area, &t);
    t.out.n += t.extents.n;
    *out_traffic = t;
    return SHEAF_OK;
}
