/* A bundle's own description: is it sound, and is what the bundle needs here? */
#include "bundle/run/run.h"

/* Before bundles could have variants. */
#define INFO_MIN_BYTES offsetof(struct sheaf_bundle_info, variants)

static int is_power_of_two(size_t n)
{
    return n && (n & (n - 1)) == 0;
}

/* Those of the config's table, and behind them those that lie in the activations area. */
size_t rt_symbol_count(const struct sheaf_linked *l)
{
    size_t n_overlaid = RT_INFO_HAS(l->info, n_overlaid) ? (size_t)l->info->n_overlaid : 0;
    return l->config->numSymbols + n_overlaid;
}

/* Every symbol lies inside its area, so that tensors can be handed out without further checks. */
static enum sheaf_status check_symbol(const struct sheaf_linked *l, size_t i,
                                      struct sheaf_error *err)
{
    const struct SymbolTableEntry *entry = &l->config->symbolTable[i];
    const struct sheaf_symbol_info *info = &l->info->symbols[i];
    int overlaid = i >= l->config->numSymbols;
    size_t area = overlaid      ? l->config->activationsMemSize
                  : entry->kind ? l->config->mutableWeightVarsMemSize
                                : l->config->constantWeightVarsMemSize;
    if (!entry->name || !info->original_name || !info->layout)
        return rt_fail(err, SHEAF_ERROR_FORMAT, "%s: symbol %lu has no name", l->info->name,
                       (unsigned long)i);
    if (info->rank > SHEAF_MAX_RANK || (info->rank && !info->dims) || entry->offset > area ||
        info->size_bytes > area - entry->offset)
        return rt_fail(err, SHEAF_ERROR_FORMAT, "%s: symbol '%s' does not fit into its area",
                       l->info->name, entry->name);
    for (uint32_t d = 0; info->extent_offsets && d < info->rank; d++) {
        uint64_t at = info->extent_offsets[d];
        size_t activations = l->config->activationsMemSize;
        if (at != UINT64_MAX &&
            (activations < sizeof(int64_t) || at > activations - sizeof(int64_t)))
            return rt_fail(err, SHEAF_ERROR_FORMAT, "%s: an extent of '%s' lies outside its area",
                           l->info->name, entry->name);
    }
    return SHEAF_OK;
}

enum sheaf_status rt_check_linked(const struct sheaf_linked *l, struct sheaf_error *err)
{
    if (!l || !l->config || !l->info || !l->entry)
        return rt_fail(err, SHEAF_ERROR_ARGUMENT, "a linked bundle needs a config, info and entry");
    const struct sheaf_bundle_info *info = l->info;
    if (info->version != SHEAF_INFO_VERSION || info->struct_size < INFO_MIN_BYTES || !info->name)
        return rt_fail(
            err, SHEAF_ERROR_VERSION,
            "the bundle's info has version %u and %u bytes, this runtime knows version %u "
            "with %u bytes or more",
            (unsigned)info->version, (unsigned)info->struct_size, SHEAF_INFO_VERSION,
            (unsigned)INFO_MIN_BYTES);
    if (info->fp_control != SHEAF_FP_CALLER)
        return rt_fail(err, SHEAF_ERROR_VERSION, "%s: unknown floating-point policy %u", info->name,
                       (unsigned)info->fp_control);
    const struct BundleConfig *c = l->config;
    if (!is_power_of_two(c->alignment) || c->alignment > 4096 ||
        (rt_symbol_count(l) && (!c->symbolTable || !info->symbols)))
        return rt_fail(err, SHEAF_ERROR_FORMAT, "%s: the bundle's config is malformed", info->name);
    for (size_t i = 0; i < rt_symbol_count(l); i++) {
        enum sheaf_status status = check_symbol(l, i, err);
        if (status != SHEAF_OK)
            return status;
    }
    return rt_device.check(l, err);
}
