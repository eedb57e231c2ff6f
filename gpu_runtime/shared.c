/* Code and constants on a device. */
#include <stdlib.h>
#include <string.h>

#include "gpu_runtime/context.h"

/* How much of a device an image asks for; of two for the same, machine code needs no translation.
   0: this device does not run it. */
static unsigned preference(const struct sheaf_image *image, int arch)
{
    enum { PER_MAJOR = 10 };
    unsigned is_cubin = image->kind == SHEAF_IMAGE_CUBIN;
    if ((!is_cubin && image->kind != SHEAF_IMAGE_PTX) || image->arch > (unsigned)arch ||
        (is_cubin && image->arch / PER_MAJOR != (unsigned)arch / PER_MAJOR))
        return 0;
    return 2 * image->arch + is_cubin;
}

/* The best image below one that did not load. */
static const struct sheaf_image *choose_image(const struct sheaf_plan *p, int arch,
                                              const struct sheaf_image *failed)
{
    const struct sheaf_image *best = NULL;
    for (uint32_t i = 0; i < p->n_images; i++) {
        const struct sheaf_image *image = &p->images[i];
        unsigned rank = preference(image, arch);
        if (rank && (!failed || rank < preference(failed, arch)) &&
            (!best || rank > preference(best, arch)))
            best = image;
    }
    return best;
}

static enum sheaf_status fail_image(const struct gpu_shared *g, const struct sheaf_linked *l,
                                    struct sheaf_error *err)
{
    const struct sheaf_plan *p = l->info->plan;
    unsigned least = p->images[0].arch;
    for (uint32_t i = 1; i < p->n_images; i++)
        if (p->images[i].arch < least)
            least = p->images[i].arch;
    return rt_fail(err, SHEAF_ERROR_PROCESSOR,
                   "%s: the bundle has code for compute capability %u.%u, which '%s' (%d.%d) "
                   "cannot run (loader -cc)",
                   l->info->name, least / 10, least % 10, g->driver.device_name,
                   g->driver.arch / 10, g->driver.arch % 10);
}

/* With the first line of the translator's log. */
static enum sheaf_status fail_load(const struct driver *d, const char *name, CUresult r,
                                   const char *log, struct sheaf_error *err)
{
    if (!log[0])
        return driver_fail(d, r, name, "loading the code", err);
    return rt_fail(err, r == CUDA_ERROR_OUT_OF_MEMORY ? SHEAF_ERROR_MEMORY : SHEAF_ERROR_DEVICE,
                   "%s: the driver cannot translate the code for '%s' (CUDA error %d): %.*s", name,
                   d->device_name, r, (int)strcspn(log, "\r\n"), log);
}

/* An older driver may not know the newest of the bundle's images. */
static enum sheaf_status load_module(struct gpu_shared *g, const struct sheaf_linked *l,
                                     struct sheaf_error *err)
{
    enum { LOG_BYTES = 4096, N_OPTIONS = 2 };
    const struct sheaf_image *image = choose_image(l->info->plan, g->driver.arch, NULL);
    if (!image)
        return fail_image(g, l, err);
    for (;;) {
        char log[LOG_BYTES] = "";
        int options[N_OPTIONS] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
        void *values[N_OPTIONS] = {log, (void *)(uintptr_t)sizeof log};
        CUresult r =
            g->driver.cuda.ModuleLoadDataEx(&g->module, image->data, N_OPTIONS, options, values);
        if (r == CUDA_SUCCESS)
            return SHEAF_OK;
        g->module = NULL;
        image = choose_image(l->info->plan, g->driver.arch, image);
        if (!image || r == CUDA_ERROR_OUT_OF_MEMORY)
            return fail_load(&g->driver, l->info->name, r, log, err);
    }
}

static enum sheaf_status load_code(struct gpu_shared *g, const struct sheaf_linked *l,
                                   struct sheaf_error *err)
{
    const struct cuda *c = &g->driver.cuda;
    const struct sheaf_plan *p = l->info->plan;
    enum sheaf_status status = load_module(g, l, err);
    if (status != SHEAF_OK)
        return status;
    g->kernels = rt_allocate(sizeof *g->kernels, p->n_kernels * sizeof *g->kernels);
    if (!g->kernels)
        return rt_fail_memory(err, l->info->name, "kernels", p->n_kernels * sizeof *g->kernels);
    CUresult r = CUDA_SUCCESS;
    for (uint32_t i = 0; i < p->n_kernels && r == CUDA_SUCCESS; i++) {
        const struct sheaf_kernel *k = &p->kernels[i];
        r = c->ModuleGetFunction(&g->kernels[i], g->module, k->name);
        if (r == CUDA_SUCCESS && k->shared_bytes)
            r = c->FuncSetAttribute(g->kernels[i], CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                    (int)k->shared_bytes);
    }
    return r == CUDA_SUCCESS ? SHEAF_OK
                             : driver_fail(&g->driver, r, l->info->name, "loading a kernel", err);
}

/* In a stream of its own: the legacy one waits for others'. */
static CUresult upload(const struct cuda *c, CUdeviceptr to, const void *from, size_t bytes)
{
    CUstream stream;
    CUresult r = c->StreamCreate(&stream, CU_STREAM_NON_BLOCKING);
    if (r != CUDA_SUCCESS)
        return r;
    r = c->MemcpyHtoDAsync(to, from, bytes, stream);
    if (r == CUDA_SUCCESS)
        r = c->StreamSynchronize(stream);
    c->StreamDestroy(stream);
    return r;
}

static enum sheaf_status upload_constants(struct gpu_shared *g, const struct gpu_shared_options *o,
                                          struct sheaf_error *err)
{
    const char *name = o->linked->info->name;
    size_t bytes = o->linked->config->constantWeightVarsMemSize;
    g->host_constants = o->constants;
    if (o->constants_of) {
        g->constants = o->constants_of->constants;
        return SHEAF_OK;
    }
    g->owns_constants = 1;
    enum sheaf_status status =
        driver_allocate(&g->driver, name, "constants", bytes, &g->constants, err);
    if (status != SHEAF_OK || bytes == 0)
        return status;
    CUresult r = upload(&g->driver.cuda, g->constants, o->constants, bytes);
    return r == CUDA_SUCCESS ? SHEAF_OK
                             : driver_fail(&g->driver, r, name, "copying the constants", err);
}

static enum sheaf_status fill(struct gpu_shared *g, const struct gpu_shared_options *o,
                              struct sheaf_error *err)
{
    enum sheaf_status status = driver_enter(&g->driver, err);
    if (status != SHEAF_OK)
        return status;
    status = load_code(g, o->linked, err);
    if (status == SHEAF_OK)
        status = upload_constants(g, o, err);
    driver_leave(&g->driver);
    return status;
}

enum sheaf_status gpu_shared_open(const struct gpu_shared_options *options,
                                  struct gpu_shared **out_shared, struct sheaf_error *err)
{
    struct gpu_shared *g = rt_allocate(sizeof(void *), sizeof *g);
    if (!g)
        return rt_fail_memory(err, options->linked->info->name, "bundle", sizeof *g);
    memset(g, 0, sizeof *g);
    enum sheaf_status status = driver_open(&g->driver, options->ordinal, err);
    if (status != SHEAF_OK) {
        free(g);
        return status;
    }
    status = fill(g, options, err);
    if (status == SHEAF_OK)
        *out_shared = g;
    else
        gpu_shared_close(g);
    return status;
}

void gpu_shared_close(struct gpu_shared *g)
{
    if (!g)
        return;
    const struct cuda *c = &g->driver.cuda;
    if (driver_enter(&g->driver, NULL) == SHEAF_OK) {
        if (g->constants && g->owns_constants)
            c->MemFree(g->constants);
        if (g->module)
            c->ModuleUnload(g->module);
        driver_leave(&g->driver);
    }
    driver_close(&g->driver);
    free(g->kernels);
    free(g);
}
