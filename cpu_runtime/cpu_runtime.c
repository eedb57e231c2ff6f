#include "cpu_runtime/cpu_runtime.h"

#include <stdlib.h>
#include <string.h>

#include "bundle/run/run.h"

static enum sheaf_status check_processor(const struct sheaf_linked *linked, struct sheaf_error *err)
{
    const struct sheaf_bundle_info *info = linked->info;
    const char *features = info->features ? info->features : "";
    if (RT_INFO_HAS(info, plan) && info->plan) {
        const char *device = info->plan->device == SHEAF_DEVICE_VE ? "ve" : "gpu";
        return rt_fail(err, SHEAF_ERROR_UNSUPPORTED,
                       "%s: the bundle was compiled for a device (loader -%s), whose runtime runs "
                       "it (lib%s_runtime)",
                       info->name, device, device);
    }
    if (info->n_variants) {
        if (!RT_INFO_HAS(info, run) || !info->variants || !info->select || !info->run)
            return rt_fail(err, SHEAF_ERROR_FORMAT, "%s: the bundle's variants are malformed",
                           info->name);
        if (info->select() != SHEAF_NO_VARIANT)
            return SHEAF_OK;
        features = info->variants[info->n_variants - 1].features;
    }
    size_t length;
    const char *missing = sheaf_cpu_missing_feature(features, &length);
    if (missing)
        return rt_fail(
            err, SHEAF_ERROR_PROCESSOR,
            "%s: the bundle was compiled for processors with '%.*s', which this one lacks",
            info->name, (int)length, missing);
    if (!sheaf_cpu_permit(features))
        return rt_fail(
            err, SHEAF_ERROR_PROCESSOR,
            "%s: the bundle needs AMX's tile registers, which the operating system did not "
            "permit this process to use",
            info->name);
    if (info->n_variants)
        return rt_fail(err, SHEAF_ERROR_PROCESSOR,
                       "%s: none of the bundle's variants runs on this processor", info->name);
    return SHEAF_OK;
}

static enum sheaf_status open_code(struct rt_shared *s, struct sheaf_error *err)
{
    (void)err;
    s->variant = s->linked.info->n_variants ? s->linked.info->select() : 0;
    return SHEAF_OK;
}

static void close_code(struct rt_shared *s)
{
    (void)s;
}

static enum sheaf_status attach(sheaf_bundle *b, struct sheaf_error *err)
{
    const struct BundleConfig *c = b->shared->linked.config;
    const char *name = b->shared->linked.info->name;
    b->mutables = rt_allocate(c->alignment, c->mutableWeightVarsMemSize);
    if (!b->mutables)
        return rt_fail_memory(err, name, "mutable area", c->mutableWeightVarsMemSize);
    b->activations = rt_allocate(c->alignment, c->activationsMemSize);
    if (!b->activations)
        return rt_fail_memory(err, name, "activations", c->activationsMemSize);
    memset(b->mutables, 0, c->mutableWeightVarsMemSize);
    return SHEAF_OK;
}

static void detach(sheaf_bundle *b)
{
    free(b->mutables);
    free(b->activations);
}

static enum sheaf_status run(sheaf_bundle *bundle, struct sheaf_error *err)
{
    const struct rt_shared *s = bundle->shared;
    uint8_t *constants; /* the entry's type is not const; it only reads */
    memcpy(&constants, &s->constants, sizeof constants);
    const struct sheaf_bundle_info *info = s->linked.info;
    int code = info->n_variants
                   ? info->run(s->variant, constants, bundle->mutables, bundle->activations)
                   : s->linked.entry(constants, bundle->mutables, bundle->activations);
    return code == 0 ? SHEAF_OK : rt_fail_run(err, info->name, (uint64_t)(int64_t)code);
}

const struct rt_device rt_device = {.check = check_processor,
                                    .open = open_code,
                                    .close = close_code,
                                    .attach = attach,
                                    .detach = detach,
                                    .run = run};
