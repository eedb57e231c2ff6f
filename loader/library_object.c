#include "loader/library_object.h"

#include <string.h>

#ifdef DEVICE_LIBRARY_x86_64
static const uint8_t gpu_x86_64[] = {
#include "loader/library_gpu_x86_64.inc"
};
static const uint8_t ve_x86_64[] = {
#include "loader/library_ve_x86_64.inc"
};
#endif

#ifdef DEVICE_LIBRARY_aarch64
static const uint8_t gpu_aarch64[] = {
#include "loader/library_gpu_aarch64.inc"
};
static const uint8_t ve_aarch64[] = {
#include "loader/library_ve_aarch64.inc"
};
#endif

static const struct {
    enum sheaf_device device;
    const char *arch; /* the first word of a triple */
    struct bytes object;
} OBJECTS[] = {
#ifdef DEVICE_LIBRARY_x86_64
    {SHEAF_DEVICE_NVIDIA, "x86_64", {gpu_x86_64, sizeof gpu_x86_64}},
    {SHEAF_DEVICE_VE, "x86_64", {ve_x86_64, sizeof ve_x86_64}},
#endif
#ifdef DEVICE_LIBRARY_aarch64
    {SHEAF_DEVICE_NVIDIA, "aarch64", {gpu_aarch64, sizeof gpu_aarch64}},
    {SHEAF_DEVICE_VE, "aarch64", {ve_aarch64, sizeof ve_aarch64}},
#endif
    {SHEAF_DEVICE_NVIDIA, "", {NULL, 0}},
};

bool library_object(const struct target *device, struct bytes *out_object, struct error *err)
{
    const char *triple = device->host->triple;
    size_t n = strcspn(triple, "-");
    for (size_t i = 0; OBJECTS[i].object.size; i++)
        if (OBJECTS[i].device == device->device && strlen(OBJECTS[i].arch) == n &&
            strncmp(OBJECTS[i].arch, triple, n) == 0) {
            *out_object = OBJECTS[i].object;
            return true;
        }
    return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                     "option -host: this tool was built without the %s runtime for '%.*s', which a "
                     "library has inside (%.*s-linux-gnu-gcc was not there when it was built)",
                     device->device == SHEAF_DEVICE_VE ? "VE" : "GPU", (int)n, triple, (int)n,
                     triple);
}
