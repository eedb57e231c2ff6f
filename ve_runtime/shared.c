/* Code and constants on a Vector Engine. */
#include <stdlib.h>
#include <string.h>

#include "ve_runtime/context.h"

/* Copies are a context's requests, and the main one there is in any case. */
static struct veo_thr_ctxt *main_context(const struct ve_shared *s)
{
    return s->core[0].context;
}

static enum sheaf_status open_main(struct ve_shared *s, struct sheaf_error *err)
{
    s->core[0].context = s->driver.veo.veo_context_open(s->driver.process);
    if (!s->core[0].context)
        return rt_fail(err, SHEAF_ERROR_DEVICE,
                       "%s: AVEO cannot open a context on the Vector Engine", s->driver.bundle);
    s->n_cores = 1;
    return SHEAF_OK;
}

static enum sheaf_status load_code(struct ve_shared *s, const struct sheaf_plan *p,
                                   struct sheaf_error *err)
{
    uint64_t library = 0;
    enum sheaf_status status = driver_load(&s->driver, main_context(s), p->images[0].data,
                                           (size_t)p->images[0].size, &library, err);
    if (status != SHEAF_OK)
        return status;
    s->entry = s->driver.veo.veo_get_sym(s->driver.process, library, p->kernels[0].name);
    if (s->entry)
        return SHEAF_OK;
    return driver_fail(&s->driver, main_context(s), SHEAF_ERROR_DEVICE,
                       "finding the network in the code", err);
}

static enum sheaf_status upload_constants(struct ve_shared *s, const struct BundleConfig *c,
                                          const void *constants, struct sheaf_error *err)
{
    size_t bytes = c->constantWeightVarsMemSize;
    enum sheaf_status status = driver_allocate(&s->driver, main_context(s), "constants", bytes,
                                               c->alignment, &s->constants, err);
    if (status != SHEAF_OK || bytes == 0)
        return status;
    struct rt_copy copy = {.device = s->constants.address, .bytes = bytes};
    memcpy(&copy.host, &constants, sizeof constants); /* it is only read */
    struct rt_copies one = {&copy, 1};
    uint64_t request;
    return ve_copy(&s->driver, main_context(s), &one, VE_TO_DEVICE, &request,
                   "copying the constants", err);
}

enum sheaf_status ve_shared_open(const struct sheaf_linked *linked, const void *constants,
                                 struct ve_shared **out_shared, struct sheaf_error *err)
{
    const char *name = linked->info->name;
    struct ve_shared *s = rt_allocate(sizeof(void *), sizeof *s);
    if (!s)
        return rt_fail_memory(err, name, "bundle", sizeof *s);
    memset(s, 0, sizeof *s);
    enum sheaf_status status = driver_open(&s->driver, name, err);
    if (status != SHEAF_OK) {
        free(s);
        return status;
    }
    pthread_mutex_init(&s->lock, NULL);
    status = open_main(s, err);
    if (status == SHEAF_OK)
        status = load_code(s, linked->info->plan, err);
    if (status == SHEAF_OK)
        status = upload_constants(s, linked->config, constants, err);
    if (status == SHEAF_OK)
        *out_shared = s;
    else
        ve_shared_close(s);
    return status;
}

void ve_shared_close(struct ve_shared *s)
{
    if (!s)
        return;
    driver_free(&s->driver, &s->constants);
    driver_close(&s->driver);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
