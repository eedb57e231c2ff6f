/* Requests: copies and calls.  What was queued is waited for, after failures too, for the memory
   it works on is the caller's again then. */
#include "ve_runtime/context.h"

/* The worst that requests came to. */
struct outcome {
    int state;
    uint64_t result; /* of the first with this state, and of several results one that is not 0 */
};

static void add_outcome(struct outcome *o, int state, uint64_t result)
{
    int is_exception = state == VEO_COMMAND_EXCEPTION && o->state != VEO_COMMAND_EXCEPTION;
    if (is_exception || (state != VEO_COMMAND_OK && o->state == VEO_COMMAND_OK)) {
        o->state = state;
        o->result = result;
    } else if (state == o->state && o->result == 0) {
        o->result = result;
    }
}

static void wait_for(const struct driver *d, struct veo_thr_ctxt *context, uint64_t request,
                     struct outcome *o)
{
    uint64_t result = 0;
    int state = VEO_COMMAND_ERROR;
    if (request != VEO_REQUEST_ID_INVALID)
        state = d->veo.veo_call_wait_result(context, request, &result);
    add_outcome(o, state, result);
}

enum sheaf_status ve_copy(struct driver *d, struct veo_thr_ctxt *context,
                          const struct rt_copies *copies, enum ve_direction direction,
                          uint64_t *requests, const char *what, struct sheaf_error *err)
{
    struct outcome o = {VEO_COMMAND_OK, 0};
    enum sheaf_status status = driver_check(d, err);
    if (status != SHEAF_OK)
        return status;
    for (size_t i = 0; i < copies->n; i++) {
        const struct rt_copy *p = &copies->copy[i];
        requests[i] = direction == VE_TO_DEVICE
                          ? d->veo.veo_async_write_mem(context, p->device, p->host, p->bytes)
                          : d->veo.veo_async_read_mem(context, p->host, p->device, p->bytes);
    }
    for (size_t i = 0; i < copies->n; i++)
        wait_for(d, context, requests[i], &o);
    return o.state == VEO_COMMAND_OK ? SHEAF_OK : driver_lose(d, what, o.state, o.result, err);
}

enum sheaf_status ve_call(struct ve_context *c, uint32_t kernel, struct sheaf_error *err)
{
    struct ve_shared *s = c->shared;
    struct outcome o = {VEO_COMMAND_OK, 0};
    enum sheaf_status status = driver_check(&s->driver, err);
    if (status != SHEAF_OK)
        return status;
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < c->n_ranks; i++)
        c->requests[i] = s->driver.veo.veo_call_async(s->core[c->core[i]].context,
                                                      c->network->kernels[kernel], c->args[i]);
    pthread_mutex_unlock(&s->lock);
    for (uint32_t i = 0; i < c->n_ranks; i++)
        wait_for(&s->driver, s->core[c->core[i]].context, c->requests[i], &o);
    if (o.state != VEO_COMMAND_OK)
        return driver_lose(&s->driver, "the run", o.state, o.result, err);
    return o.result == 0 ? SHEAF_OK : rt_fail_run(err, s->driver.bundle, o.result);
}
