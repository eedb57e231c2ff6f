#include "gpu_runtime/codegen/gpu_library.h"

#include <string.h>

#ifdef GPU_LIBRARY_x86_64
static const uint8_t x86_64[] = {
#include "gpu_runtime/library_x86_64.inc"
};
#endif

#ifdef GPU_LIBRARY_aarch64
static const uint8_t aarch64[] = {
#include "gpu_runtime/library_aarch64.inc"
};
#endif

static const struct {
    const char *arch; /* the first word of a triple */
    struct bytes object;
} OBJECTS[] = {
#ifdef GPU_LIBRARY_x86_64
    {"x86_64", {x86_64, sizeof x86_64}},
#endif
#ifdef GPU_LIBRARY_aarch64
    {"aarch64", {aarch64, sizeof aarch64}},
#endif
    {"", {NULL, 0}},
};

bool gpu_library_object(const struct target *host, struct bytes *out_object, struct error *err)
{
    size_t n = strcspn(host->triple, "-");
    for (size_t i = 0; OBJECTS[i].object.size; i++)
        if (strlen(OBJECTS[i].arch) == n && strncmp(OBJECTS[i].arch, host->triple, n) == 0) {
            *out_object = OBJECTS[i].object;
            return true;
        }
    return error_set(
        err, SHEAF_ERROR_UNSUPPORTED,
        "option -host: this tool was built without the GPU runtime for '%.*s', which a "
        "library has inside (%.*s-linux-gnu-gcc was not there when it was built)",
        (int)n, host->triple, (int)n, host->triple);
}
