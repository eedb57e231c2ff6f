/* Is a launch plan sound?  What is looked at here needs no check when the plan is run. */
#include "gpu_runtime/context.h"

enum {
    MAX_PARAMETERS = 512, /* 4096 bytes, on all devices */
    MAX_THREADS = 1024,   /* of a block, on all devices */
    AREA_ALIGNMENT = 256  /* that cuMemAlloc gives */
};

static enum sheaf_status check_code(const struct sheaf_linked *l, struct sheaf_error *err)
{
    const struct sheaf_plan *p = l->info->plan;
    if (!RT_PLAN_HAS(p, pointers) || !p->images || !p->n_images || (p->n_kernels && !p->kernels) ||
        (p->n_steps && !p->steps) || (p->n_pointers && !p->pointers))
        return rt_fail(err, SHEAF_ERROR_FORMAT, "%s: the launch plan is incomplete", l->info->name);
    if (l->config->alignment > AREA_ALIGNMENT)
        return rt_fail(err, SHEAF_ERROR_FORMAT,
                       "%s: areas begin at multiples of %lu bytes, which a GPU does not promise",
                       l->info->name, (unsigned long)l->config->alignment);
    for (uint32_t i = 0; i < p->n_images; i++)
        if (!p->images[i].data || !p->images[i].size)
            return rt_plan_malformed(l, "image", i, err);
    for (uint32_t i = 0; i < p->n_kernels; i++) {
        const struct sheaf_kernel *k = &p->kernels[i];
        if (!k->name || !k->blocks || k->blocks > INT32_MAX || !k->threads ||
            k->threads > MAX_THREADS || k->shared_bytes > INT32_MAX ||
            k->n_parameters > MAX_PARAMETERS)
            return rt_plan_malformed(l, "kernel", i, err);
    }
    return SHEAF_OK;
}

enum sheaf_status plan_check(const struct sheaf_linked *l, struct sheaf_error *err)
{
    if (!RT_INFO_HAS(l->info, plan) || !l->info->plan ||
        l->info->plan->device != SHEAF_DEVICE_NVIDIA)
        return rt_fail(err, SHEAF_ERROR_UNSUPPORTED,
                       "%s: the bundle was not compiled for NVIDIA GPUs (loader -gpu)",
                       l->info->name);
    enum sheaf_status status = check_code(l, err);
    return status == SHEAF_OK ? rt_plan_check_steps(l, err) : status;
}
