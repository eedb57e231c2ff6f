/* Compiled into each runtime that is part of the tool, with OWN_RUNTIME, OWN_ACTIVATIONS, the
   runtime's call that reads the activations, and OWN_SET_CORES, that for cores, or NULL. */
#include "loader/device/device_run.h"

#include <string.h>

#include "gpu_runtime/gpu_runtime.h"
#include "ve_runtime/ve_runtime.h"

enum { AREA_MUTABLES = 1, AREA_ACTIVATIONS = 2 };

/* The client's tensors, between where the runtime shows them and where the areas have them. */
static enum sheaf_status copy_tensors(sheaf_bundle *bundle, uint8_t *const *area, int back,
                                      struct sheaf_error *err)
{
    for (size_t i = 0; i < sheaf_tensor_count(bundle); i++) {
        struct sheaf_tensor_desc t;
        enum sheaf_status status = sheaf_tensor_at(bundle, i, &t, err);
        if (status != SHEAF_OK)
            return status;
        const struct SymbolTableEntry *s = &sheaf_info(bundle)->config->symbolTable[i];
        if (t.role == SHEAF_ROLE_CONSTANT || !t.size_bytes)
            continue;
        uint8_t *here = area[s->kind == 1 ? AREA_MUTABLES : AREA_ACTIVATIONS] + s->offset;
        memcpy(back ? here : t.data, back ? t.data : here, t.size_bytes);
    }
    return SHEAF_OK;
}

static enum sheaf_status run(sheaf_bundle *bundle, uint8_t *const *area, struct sheaf_error *err)
{
    enum sheaf_status status = copy_tensors(bundle, area, 0, err);
    if (status == SHEAF_OK)
        status = sheaf_run(bundle, err);
    if (status == SHEAF_OK)
        status = copy_tensors(bundle, area, 1, err);
    return status == SHEAF_OK ? OWN_ACTIVATIONS(bundle, area[AREA_ACTIVATIONS], err) : status;
}

const struct device_runs OWN(device_runs) = {sheaf_open_memory, run, sheaf_close, OWN_SET_CORES};
