#include "gpu_runtime/driver.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static const char *words_of(const struct driver *d, CUresult result)
{
    const char *text = NULL;
    if (d->cuda.GetErrorString && d->cuda.GetErrorString(result, &text) == CUDA_SUCCESS && text)
        return text;
    return "unknown error";
}

enum sheaf_status driver_fail(const struct driver *d, CUresult result, const char *bundle,
                              const char *what, struct sheaf_error *err)
{
    enum sheaf_status status =
        result == CUDA_ERROR_OUT_OF_MEMORY ? SHEAF_ERROR_MEMORY : SHEAF_ERROR_DEVICE;
    return rt_fail(err, status, "%s: %s on '%s' failed: %s (CUDA error %d)", bundle, what,
                   d->device_name, words_of(d, result), result);
}

static enum sheaf_status fail_device(const struct driver *d, CUresult result,
                                     struct sheaf_error *err)
{
    return rt_fail(err, SHEAF_ERROR_DEVICE, "no NVIDIA GPU can be used: %s (CUDA error %d)",
                   words_of(d, result), result);
}

static enum sheaf_status choose_device(struct driver *d, int ordinal, struct sheaf_error *err)
{
    const struct cuda *c = &d->cuda;
    int n = 0, major = 0, minor = 0;
    CUresult r = c->Init(0);
    if (r == CUDA_SUCCESS)
        r = c->DriverGetVersion(&d->version);
    if (r == CUDA_SUCCESS)
        r = c->DeviceGetCount(&n);
    if (r == CUDA_SUCCESS && n == 0)
        r = CUDA_ERROR_NO_DEVICE;
    if (r != CUDA_SUCCESS)
        return fail_device(d, r, err);
    if (ordinal < 0 || ordinal >= n)
        return rt_fail(err, SHEAF_ERROR_ARGUMENT, "there is no GPU number %d, only %d", ordinal, n);
    r = c->DeviceGet(&d->device, ordinal);
    if (r == CUDA_SUCCESS)
        r = c->DeviceGetName(d->device_name, (int)sizeof d->device_name, d->device);
    if (r == CUDA_SUCCESS)
        r = c->DeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, d->device);
    if (r == CUDA_SUCCESS)
        r = c->DeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, d->device);
    d->arch = 10 * major + minor;
    if (r == CUDA_SUCCESS)
        r = c->DevicePrimaryCtxRetain(&d->context, d->device);
    return r == CUDA_SUCCESS ? SHEAF_OK : fail_device(d, r, err);
}

enum sheaf_status driver_open(struct driver *d, int ordinal, struct sheaf_error *err)
{
    static const char *const symbols[] = {
#define CUDA_SYMBOL(name, symbol, parameters) #symbol,
        CUDA_FUNCTIONS(CUDA_SYMBOL)
#undef CUDA_SYMBOL
    };
    static const struct rt_vendor vendor = {.what = "NVIDIA driver",
                                            .file = DRIVER_LIBRARY,
                                            .version = "CUDA 11.4",
                                            .symbols = symbols,
                                            .n_symbols = sizeof symbols / sizeof symbols[0]};
    memset(d, 0, sizeof *d);
    enum sheaf_status status = rt_open_vendor(&vendor, &d->library, &d->cuda, err);
    if (status != SHEAF_OK)
        return status;
    status = choose_device(d, ordinal, err);
    if (status != SHEAF_OK)
        driver_close(d);
    return status;
}

void driver_close(struct driver *d)
{
    if (d->context)
        d->cuda.DevicePrimaryCtxRelease(d->device);
    if (d->library)
        dlclose(d->library);
    memset(d, 0, sizeof *d);
}

enum sheaf_status driver_enter(const struct driver *d, struct sheaf_error *err)
{
    CUresult r = d->cuda.CtxPushCurrent(d->context);
    return r == CUDA_SUCCESS ? SHEAF_OK : fail_device(d, r, err);
}

void driver_leave(const struct driver *d)
{
    CUcontext mine;
    d->cuda.CtxPopCurrent(&mine);
}

enum sheaf_status driver_allocate(const struct driver *d, const char *bundle, const char *what,
                                  size_t bytes, CUdeviceptr *out, struct sheaf_error *err)
{
    CUresult r = bytes ? d->cuda.MemAlloc(out, bytes) : CUDA_SUCCESS;
    if (r == CUDA_SUCCESS)
        return SHEAF_OK;
    char text[96];
    snprintf(text, sizeof text, "allocating %lu bytes for the %s", (unsigned long)bytes, what);
    return driver_fail(d, r, bundle, text, err);
}
