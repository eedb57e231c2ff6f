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

static enum sheaf_status load_code(struct ve_shared *s, const struct sheaf_image *image,
                                   struct sheaf_error *err)
{
    return driver_load(&s->driver, main_context(s), image->data, (size_t)image->size, &s->library,
                       err);
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

static void close_shared(struct ve_shared *s)
{
    driver_free(&s->driver, &s->constants);
    driver_close(&s->driver);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static enum sheaf_status open_shared(const struct ve_network_options *o,
                                     struct ve_shared **out_shared, struct sheaf_error *err)
{
    const struct sheaf_linked *l = o->linked;
    struct ve_shared *s = rt_allocate(sizeof(void *), sizeof *s);
    if (!s)
        return rt_fail_memory(err, l->info->name, "bundle", sizeof *s);
    memset(s, 0, sizeof *s);
    enum sheaf_status status = driver_open(&s->driver, l->info->name, o->node, err);
    if (status != SHEAF_OK) {
        free(s);
        return status;
    }
    pthread_mutex_init(&s->lock, NULL);
    status = open_main(s, err);
    if (status == SHEAF_OK)
        status = load_code(s, &l->info->plan->images[0], err);
    if (status == SHEAF_OK)
        status = upload_constants(s, l->config, o->constants, err);
    if (status == SHEAF_OK)
        *out_shared = s;
    else
        close_shared(s);
    return status;
}

static enum sheaf_status find_kernels(struct ve_network *n, struct sheaf_error *err)
{
    const struct sheaf_plan *p = n->linked->info->plan;
    struct driver *d = &n->shared->driver;
    n->kernels = rt_allocate(sizeof *n->kernels, p->n_kernels * sizeof *n->kernels);
    if (!n->kernels)
        return rt_fail_memory(err, n->linked->info->name, "kernels",
                              p->n_kernels * sizeof *n->kernels);
    for (uint32_t i = 0; i < p->n_kernels; i++) {
        n->kernels[i] = d->veo.veo_get_sym(d->process, n->shared->library, p->kernels[i].name);
        if (!n->kernels[i])
            return driver_fail(d, main_context(n->shared), SHEAF_ERROR_DEVICE,
                               "finding the network in the code", err);
    }
    return SHEAF_OK;
}

enum sheaf_status ve_network_open(const struct ve_network_options *options,
                                  struct ve_network **out_network, struct sheaf_error *err)
{
    struct ve_network *n = rt_allocate(sizeof(void *), sizeof *n);
    if (!n)
        return rt_fail_memory(err, options->linked->info->name, "bundle", sizeof *n);
    memset(n, 0, sizeof *n);
    n->linked = options->linked;
    n->host_constants = options->constants;
    n->owns_shared = !options->beside;
    enum sheaf_status status = SHEAF_OK;
    if (options->beside)
        n->shared = options->beside->shared;
    else
        status = open_shared(options, &n->shared, err);
    if (status == SHEAF_OK)
        status = find_kernels(n, err);
    if (status == SHEAF_OK)
        *out_network = n;
    else
        ve_network_close(n);
    return status;
}

void ve_network_close(struct ve_network *n)
{
    if (!n)
        return;
    if (n->owns_shared && n->shared)
        close_shared(n->shared);
    free(n->kernels);
    free(n);
}
