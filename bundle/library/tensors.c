/* Tensors of a library's functions. */
#include <string.h>

#include "bundle/library/library.h"

uint64_t library_place(const struct library_network *n, const uint64_t area[], uint32_t tensor)
{
    const struct BundleConfig *config = n->of->config;
    int in = tensor >= config->numSymbols ? AREA_ACTIVATIONS : AREA_MUTABLES;
    return area[in] + config->symbolTable[tensor].offset;
}

const struct sheaf_symbol_info *library_tensor(const struct library_network *n, uint32_t tensor)
{
    return &n->of->info->symbols[tensor];
}

static size_t dense_bytes(const struct sheaf_symbol_info *t, const int64_t *dims)
{
    uint64_t bits = rt_dtype_bits((enum sheaf_dtype)t->dtype);
    for (uint32_t d = 0; d < t->rank; d++)
        bits *= (uint64_t)dims[d];
    return (size_t)((bits + 7) / 8);
}

void library_bounds(const struct sheaf_symbol_info *t, int64_t *dims)
{
    for (uint32_t d = 0; d < t->rank; d++)
        dims[d] = (int64_t)t->dims[d];
}

size_t library_input_bytes(const struct library_network *n, uint32_t i, int64_t items)
{
    const struct sheaf_symbol_info *t = library_tensor(n, n->of->in[i]);
    int64_t dims[SHEAF_MAX_RANK];
    library_bounds(t, dims);
    if (items && i != n->of->items && t->rank)
        dims[0] = items;
    return dense_bytes(t, dims);
}

enum sheaf_status library_check_items(const struct library_network *n, int64_t items)
{
    return items >= 1 && items <= n->of->max_items ? SHEAF_OK : SHEAF_ERROR_SHAPE;
}

void library_begin_stream(const struct library_network *n, uint64_t out_state[2])
{
    out_state[0] = (uint32_t)__atomic_load_n(n->of->seed, __ATOMIC_RELAXED);
    out_state[1] = (uint64_t)(uint32_t)__atomic_fetch_add(n->of->streams, 1, __ATOMIC_RELAXED)
                   << 32;
}

/* Where it goes; its size is known. */
static void *memory_of(const struct library_network *n, const struct device_call *call, uint32_t i,
                       size_t bytes)
{
    if (call->kind != DEVICE_CALL_ALLOCATE)
        return call->out[i];
    /* An empty result is a block to free, too. */
    return n->library->networks->allocate(bytes ? bytes : 1);
}

enum sheaf_status library_output(const struct library_network *n, const struct device_call *call,
                                 uint32_t i, const int64_t *dims, void **out_to, size_t *out_bytes)
{
    const struct sheaf_symbol_info *t = library_tensor(n, n->of->out[i]);
    size_t bytes = dense_bytes(t, dims);
    void *to = memory_of(n, call, i, bytes);
    if (!to)
        return SHEAF_ERROR_MEMORY;
    if (call->kind == DEVICE_CALL_ALLOCATE)
        memcpy(call->out[i], &to, sizeof to);
    if (call->dims && call->dims[i])
        memcpy(call->dims[i], dims, t->rank * sizeof *dims);
    *out_to = to;
    *out_bytes = bytes;
    return SHEAF_OK;
}
