/* Tensors of a bundle, by number and by name; extents, runs and state. */
#include <string.h>

#include "bundle/run/run.h"

const struct sheaf_bundle_info *sheaf_info(const sheaf_bundle *bundle)
{
    return bundle->shared->linked.info;
}

size_t sheaf_tensor_count(const sheaf_bundle *bundle)
{
    return rt_symbol_count(&bundle->shared->linked);
}

/* The extents that the last run has left in the activations. */
static enum sheaf_status read_extents(const sheaf_bundle *b, const struct sheaf_symbol_info *info,
                                      struct sheaf_tensor_desc *t, struct sheaf_error *err)
{
    uint64_t elems = 1;
    for (uint32_t d = 0; d < info->rank; d++) {
        int64_t extent;
        if (info->extent_offsets[d] != UINT64_MAX) {
            memcpy(&extent, b->activations + info->extent_offsets[d], sizeof extent);
            if (extent < 0 || (uint64_t)extent > info->dims[d])
                return rt_fail(err, SHEAF_ERROR_FORMAT,
                               "%s: the extent of dimension %u of '%s' is %ld, not in 0..%lu",
                               b->shared->linked.info->name, (unsigned)d, info->original_name,
                               (long)extent, (unsigned long)info->dims[d]);
            t->dims[d] = (uint64_t)extent;
        }
        elems *= t->dims[d];
    }
    t->size_bytes = (size_t)((elems * rt_dtype_bits(t->dtype) + 7) / 8);
    return SHEAF_OK;
}

enum sheaf_status sheaf_tensor_at(const sheaf_bundle *bundle, size_t i,
                                  struct sheaf_tensor_desc *out_tensor, struct sheaf_error *err)
{
    const struct sheaf_linked *l = &bundle->shared->linked;
    if (i >= rt_symbol_count(l))
        return rt_fail(err, SHEAF_ERROR_NOT_FOUND, "%s: there is no tensor number %lu, only %lu",
                       l->info->name, (unsigned long)i, (unsigned long)rt_symbol_count(l));
    const struct SymbolTableEntry *entry = &l->config->symbolTable[i];
    const struct sheaf_symbol_info *info = &l->info->symbols[i];
    struct sheaf_tensor_desc t = {
        .name = entry->name,
        .original_name = info->original_name,
        .layout = info->layout,
        .dtype = (enum sheaf_dtype)info->dtype,
        .role = (enum sheaf_role)info->role,
        .rank = info->rank,
        .scale = info->scale,
        .zero_point = info->zero_point,
        .size_bytes = (size_t)info->size_bytes,
    };
    for (uint32_t d = 0; d < info->rank; d++)
        t.dims[d] = info->dims[d];
    if (i >= l->config->numSymbols) {
        t.data = bundle->activations + entry->offset;
    } else if (entry->kind) {
        t.data = bundle->mutables + entry->offset;
    } else {
        /* The type has to serve both areas; nothing writes here. */
        const uint8_t *constant = bundle->shared->constants + entry->offset;
        memcpy(&t.data, &constant, sizeof constant);
    }
    if (bundle->has_run && info->extent_offsets) {
        enum sheaf_status status = read_extents(bundle, info, &t, err);
        if (status != SHEAF_OK)
            return status;
    }
    *out_tensor = t;
    rt_clear(err);
    return SHEAF_OK;
}

enum sheaf_status rt_find_tensor(const sheaf_bundle *bundle, const char *name, size_t *out_i,
                                 struct sheaf_error *err)
{
    const struct sheaf_linked *l = &bundle->shared->linked;
    size_t n = rt_symbol_count(l);
    for (size_t i = 0; i < 2 * n; i++) {
        const char *known =
            i < n ? l->info->symbols[i].original_name : l->config->symbolTable[i - n].name;
        if (strcmp(known, name) == 0) {
            *out_i = i % n;
            return SHEAF_OK;
        }
    }
    return rt_fail(err, SHEAF_ERROR_NOT_FOUND, "%s: there is no tensor '%s'", l->info->name, name);
}

enum sheaf_status sheaf_tensor(const sheaf_bundle *bundle, const char *name,
                               struct sheaf_tensor_desc *out_tensor, struct sheaf_error *err)
{
    size_t i;
    enum sheaf_status status = rt_find_tensor(bundle, name, &i, err);
    return status == SHEAF_OK ? sheaf_tensor_at(bundle, i, out_tensor, err) : status;
}

/* ---- between runs ---- */

/* The first dimension that all inputs with dimensions have room for. */
static uint64_t room_for_items(const struct sheaf_linked *l)
{
    uint64_t most = UINT64_MAX;
    for (size_t i = 0; i < rt_symbol_count(l); i++) {
        const struct sheaf_symbol_info *info = &l->info->symbols[i];
        if (info->role == SHEAF_ROLE_INPUT && info->rank && info->dims[0] < most)
            most = info->dims[0];
    }
    return most;
}

enum sheaf_status sheaf_set_extent(sheaf_bundle *bundle, const char *name, int64_t n,
                                   struct sheaf_error *err)
{
    struct sheaf_tensor_desc t;
    const struct sheaf_linked *l = &bundle->shared->linked;
    enum sheaf_status status = sheaf_tensor(bundle, name, &t, err);
    if (status != SHEAF_OK)
        return status;
    if (t.role != SHEAF_ROLE_INPUT || t.dtype != SHEAF_INT64 || t.rank != 0)
        return rt_fail(err, SHEAF_ERROR_ARGUMENT, "%s: '%s' is no extent that the caller chooses",
                       l->info->name, name);
    uint64_t most = room_for_items(l);
    if (n < 1 || (uint64_t)n > most)
        return rt_fail(err, SHEAF_ERROR_ARGUMENT, "%s: the extent of '%s' must be from 1 to %lu",
                       l->info->name, name, (unsigned long)most);
    memcpy(t.data, &n, sizeof n);
    rt_clear(err);
    return SHEAF_OK;
}

void sheaf_reset_state(sheaf_bundle *bundle)
{
    const struct sheaf_linked *l = &bundle->shared->linked;
    for (size_t i = 0; i < l->config->numSymbols; i++)
        if (l->info->symbols[i].role == SHEAF_ROLE_STATE && l->config->symbolTable[i].kind)
            memset(bundle->mutables + l->config->symbolTable[i].offset, 0,
                   (size_t)l->info->symbols[i].size_bytes);
    if (rt_device.reset)
        rt_device.reset(bundle);
}

enum sheaf_status sheaf_run(sheaf_bundle *bundle, struct sheaf_error *err)
{
    enum sheaf_status status = rt_device.run(bundle, err);
    if (status != SHEAF_OK)
        return status;
    bundle->has_run = 1;
    rt_clear(err);
    return SHEAF_OK;
}
