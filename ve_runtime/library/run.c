/* Contexts of a library, and a run of its function in one. */
#include "ve_runtime/library/run.h"

#include <stdlib.h>
#include <string.h>

/* ---- tensors ---- */

static int is_state(const struct device_network *n, uint32_t tensor)
{
    return n->config->symbolTable[tensor].kind == 1 &&
           n->info->symbols[tensor].role == SHEAF_ROLE_STATE;
}

static uint64_t place_of(const struct library_run *c, uint32_t tensor)
{
    return library_place(c->common.network, c->ve.area, tensor);
}

/* ---- pointers of the caller ---- */

static uint64_t mark_of(const struct driver *d)
{
    int process = d->veo.veo_proc_identifier(d->process);
    return process < 0 ? 0 : VEO_HMEM_ENGINE | (uint64_t)process << VEO_HMEM_PROCESS_SHIFT;
}

/* Whether it leads to memory of an engine. */
static int is_there(const void *pointer)
{
    return ((uint64_t)(uintptr_t)pointer & VEO_HMEM_ENGINE) != 0;
}

static enum sheaf_status check_pointer(const struct library_run *c, const void *pointer)
{
    uint64_t mark = (uint64_t)(uintptr_t)pointer & ~VEO_HMEM_ADDRESS;
    return pointer && (!is_there(pointer) || mark == c->mark) ? SHEAF_OK : SHEAF_ERROR_ARGUMENT;
}

/* AVEO knows by the pointers which way it goes. */
static enum sheaf_status copy_marked(const struct library_run *c, void *to, const void *from,
                                     size_t bytes)
{
    struct driver *d = &c->ve.shared->driver;
    enum sheaf_status status = driver_check(d, NULL);
    if (status != SHEAF_OK || d->veo.veo_hmemcpy(to, from, bytes) == 0)
        return status;
    return driver_fail(d, ve_first_core(&c->ve), SHEAF_ERROR_DEVICE, "copying tensors", NULL);
}

/* ---- contexts ---- */

/* Of a step of a run: inputs, outputs, or extents of outputs. */
static size_t most_copies(const struct device_network *n)
{
    size_t n_extents = 0;
    for (uint32_t i = 0; i < n->n_out; i++)
        n_extents += n->info->symbols[n->out[i]].rank;
    size_t most = n->n_in > n->n_out ? n->n_in : n->n_out;
    return most > n_extents ? most : n_extents;
}

static enum sheaf_status allocate(struct library_run *c, size_t n_states, size_t state_bytes)
{
    const struct device_network *n = c->common.network->of;
    size_t n_copies = most_copies(n), n_requests = SHEAF_VE_MAX_RANKS;
    if (n_requests < n_copies)
        n_requests = n_copies;
    if (n_requests < n_states)
        n_requests = n_states;
    c->ve.requests = rt_allocate(sizeof(void *), n_requests * sizeof *c->ve.requests);
    c->copies.copy = rt_allocate(sizeof(void *), n_copies * sizeof *c->copies.copy);
    c->states.copy = rt_allocate(sizeof(void *), n_states * sizeof *c->states.copy);
    c->initial = rt_allocate(sizeof(uint64_t), state_bytes);
    c->dims = rt_allocate(sizeof(void *), n->n_out * sizeof *c->dims);
    if (!c->ve.requests || !c->copies.copy || !c->states.copy || !c->initial || !c->dims)
        return SHEAF_ERROR_MEMORY;
    memset(c->initial, 0, state_bytes);
    return SHEAF_OK;
}

static void list_states(struct library_run *c)
{
    const struct device_network *n = c->common.network->of;
    uint8_t *host = c->initial;
    for (uint32_t i = 0; i < n->config->numSymbols; i++) {
        size_t bytes = (size_t)n->info->symbols[i].size_bytes;
        if (!is_state(n, i) || !bytes)
            continue;
        c->states.copy[c->states.n++] = (struct rt_copy){place_of(c, i), host, bytes};
        host += bytes;
    }
}

enum sheaf_status library_run_attach(struct library_context *common)
{
    struct library_run *c = library_run_of(common);
    const struct device_network *n = common->network->of;
    size_t n_states = 0, state_bytes = 0;
    for (uint32_t i = 0; i < n->config->numSymbols; i++) {
        n_states += (size_t)is_state(n, i);
        state_bytes += is_state(n, i) ? (size_t)n->info->symbols[i].size_bytes : 0;
    }
    enum sheaf_status status = ve_context_open(&c->ve, common->network->device, NULL);
    if (status == SHEAF_OK)
        status = allocate(c, n_states, state_bytes);
    c->mark = mark_of(&c->ve.shared->driver);
    if (status == SHEAF_OK)
        list_states(c);
    else
        library_run_detach(common);
    return status;
}

void library_run_detach(struct library_context *common)
{
    struct library_run *c = library_run_of(common);
    ve_context_close(&c->ve);
    free(c->ve.requests);
    free(c->copies.copy);
    free(c->states.copy);
    free(c->initial);
    free(c->dims);
}

/* ---- state ---- */

/* Of a random operator: a sequence of its own. */
static void begin_streams(const struct library_run *c)
{
    const struct device_network *n = c->common.network->of;
    uint64_t state[2];
    library_begin_stream(c->common.network, state);
    for (uint32_t i = 0; i < n->n_random; i++)
        for (size_t k = 0; k < c->states.n; k++)
            if (c->states.copy[k].device == place_of(c, n->random[i]))
                memcpy(c->states.copy[k].host, state, sizeof state);
}

static enum sheaf_status copy(struct library_run *c, const struct rt_copies *copies,
                              enum ve_direction direction)
{
    return ve_copy(&c->ve.shared->driver, ve_first_core(&c->ve), copies, direction, c->ve.requests,
                   "copying tensors", NULL);
}

enum sheaf_status library_run_reset(struct library_context *common)
{
    struct library_run *c = library_run_of(common);
    if (common->network->of->n_random)
        begin_streams(c);
    return copy(c, &c->states, VE_TO_DEVICE);
}

/* ---- a run ---- */

static enum sheaf_status check_pointers(const struct library_run *c, const struct device_call *call)
{
    const struct device_network *n = c->common.network->of;
    enum sheaf_status status = SHEAF_OK;
    for (uint32_t i = 0; i < n->n_in && status == SHEAF_OK; i++)
        status = check_pointer(c, call->in[i]);
    for (uint32_t i = 0; i < n->n_out && status == SHEAF_OK; i++)
        status = check_pointer(c, call->out[i]);
    return status;
}

static void add_copy(struct library_run *c, uint64_t device, void *host, size_t bytes)
{
    if (bytes)
        c->copies.copy[c->copies.n++] = (struct rt_copy){device, host, bytes};
}

/* Now, or with those that are listed. */
static enum sheaf_status move(struct library_run *c, uint64_t device, void *tensor, size_t bytes,
                              enum ve_direction direction)
{
    void *place = (void *)(uintptr_t)(c->mark | device);
    if (!is_there(tensor) || !bytes) {
        add_copy(c, device, tensor, bytes);
        return SHEAF_OK;
    }
    return direction == VE_TO_DEVICE ? copy_marked(c, place, tensor, bytes)
                                     : copy_marked(c, tensor, place, bytes);
}

static enum sheaf_status count_items(const struct library_run *c, const struct device_call *call,
                                     int64_t *out)
{
    const void *at = call->in[c->common.network->of->items];
    enum sheaf_status status = SHEAF_OK;
    if (is_there(at))
        status = copy_marked(c, out, at, sizeof *out);
    else
        memcpy(out, at, sizeof *out);
    return status == SHEAF_OK ? library_check_items(c->common.network, *out) : status;
}

static enum sheaf_status copy_in(struct library_run *c, const struct device_call *call)
{
    const struct device_network *n = c->common.network->of;
    enum sheaf_status status = SHEAF_OK;
    int64_t items = 0;
    if (n->items != DEVICE_NONE)
        status = count_items(c, call, &items);
    c->copies.n = 0;
    for (uint32_t i = 0; i < n->n_in && status == SHEAF_OK; i++)
        status = move(c, place_of(c, n->in[i]), call->in[i],
                      library_input_bytes(c->common.network, i, items), VE_TO_DEVICE);
    return status == SHEAF_OK ? copy(c, &c->copies, VE_TO_DEVICE) : status;
}

/* The extents that the run has left among the activations. */
static enum sheaf_status read_extents(struct library_run *c)
{
    const struct device_network *n = c->common.network->of;
    c->copies.n = 0;
    for (uint32_t i = 0; i < n->n_out; i++) {
        const struct sheaf_symbol_info *t = library_tensor(c->common.network, n->out[i]);
        library_bounds(t, c->dims[i]);
        for (uint32_t d = 0; t->extent_offsets && d < t->rank; d++)
            if (t->extent_offsets[d] != UINT64_MAX)
                add_copy(c, c->ve.area[AREA_ACTIVATIONS] + t->extent_offsets[d], &c->dims[i][d],
                         sizeof c->dims[i][d]);
    }
    return copy(c, &c->copies, VE_TO_HOST);
}

static enum sheaf_status copy_out(struct library_run *c, const struct device_call *call)
{
    const struct device_network *n = c->common.network->of;
    enum sheaf_status status = read_extents(c);
    c->copies.n = 0;
    for (uint32_t i = 0; i < n->n_out && status == SHEAF_OK; i++) {
        void *to = NULL;
        size_t bytes = 0;
        status = library_output(c->common.network, call, i, c->dims[i], &to, &bytes);
        if (status == SHEAF_OK)
            status = check_pointer(c, to); /* a hook of the program may have made it */
        if (status == SHEAF_OK)
            status = move(c, place_of(c, n->out[i]), to, bytes, VE_TO_HOST);
    }
    return status == SHEAF_OK ? copy(c, &c->copies, VE_TO_HOST) : status;
}

enum sheaf_status library_run_call(struct library_context *common, const struct device_call *call,
                                   int anew)
{
    struct library_run *c = library_run_of(common);
    enum sheaf_status status = check_pointers(c, call);
    if (status == SHEAF_OK && anew)
        status = library_run_reset(common);
    if (status == SHEAF_OK)
        status = copy_in(c, call);
    if (status == SHEAF_OK)
        status = ve_run(&c->ve, NULL);
    return status == SHEAF_OK ? copy_out(c, call) : status;
}
