/*
 * An object for a device: a module of the device's kernels becomes its code, and a module of the
 * host holds that as data, with the plan of what is launched (emit_plan.c).
 */
#include <assert.h>
#include <string.h>

#include "bundle/emit/emit_internal.h"

static void name_kernels(struct emit *e, const struct emit_request *req, struct emit_images *images)
{
    images->kernel_name = arena_array(e->arena, req->n_entries, sizeof *images->kernel_name);
    images->n_functions = arena_array(e->arena, req->n_entries, sizeof *images->n_functions);
    images->entries = req->entries;
    for (size_t i = 0; i < req->n_entries; i++) {
        const struct emit_part *part = &req->entries[i].parts[0];
        assert(req->entries[i].n_parts == 1);
        if (e->target->runs_networks) {
            images->kernel_name[i] =
                emit_device_entry(e, &req->entries[i], &images->n_functions[i]);
            continue;
        }
        const char **name = arena_array(e->arena, part->schedules->n + 1, sizeof *name);
        LLVMValueRef *kernel = emit_part_kernels(e, part);
        for (size_t k = 0; k < part->schedules->n; k++)
            if (kernel[k])
                name[k] = arena_strdup(e->arena, LLVMGetValueName(kernel[k]));
        images->kernel_name[i] = name;
    }
}

/* The code for one processor of the device, and where it is wanted as text: of a device that runs
   networks by itself an object, else assembly. */
static bool emit_image(struct arena *a, const struct emit_request *req, const struct target *t,
                       struct emit_images *images, struct bytes *out_code,
                       struct emit_result *out_text, struct error *err)
{
    struct emit e = {.arena = a, .target = t, .features = t->features};
    struct bytes assembly;
    if (!emit_open(&e, req->source, err))
        return false;
    name_kernels(&e, req, images);
    bool ok = t->runs_networks ? emit_to_object(&e, NULL, out_code, err)
                               : emit_verify(&e, err) && emit_run_passes(&e, err);
    if (ok && out_text) {
        char *text = LLVMPrintModuleToString(e.mod);
        out_text->llvm_ir.size = strlen(text);
        out_text->llvm_ir.data = arena_copy(a, text, out_text->llvm_ir.size);
        LLVMDisposeMessage(text);
    }
    if (out_text || !t->runs_networks)
        ok = ok && emit_to_bytes(&e, LLVMAssemblyFile, &assembly, err);
    if (ok && out_text)
        out_text->assembly = assembly;
    if (ok && !t->runs_networks)
        *out_code = assembly;
    ok = ok && err->status == SHEAF_OK;
    emit_close(&e);
    return ok;
}

/* The assembly of a processor's code, and where that can be had, machine code. */
static bool add_images(struct arena *a, const struct emit_request *req, const struct target *t,
                       unsigned arch, struct emit_images *images, struct emit_result *out_text,
                       struct error *err)
{
    struct emit_image *text = &images->image[images->n++];
    *text = (struct emit_image){.kind = SHEAF_IMAGE_PTX, .arch = arch};
    if (!emit_image(a, req, t, images, &text->code, out_text, err))
        return false;
    if (!t->assembler)
        return true;
    struct emit_image *code = &images->image[images->n++];
    *code = (struct emit_image){.kind = SHEAF_IMAGE_CUBIN, .arch = arch};
    return t->assemble(t, a, arch, &text->code, &code->code, err);
}

/* The networks as a library that the device loads, and both forms as files of the bundle. */
static bool add_library(struct arena *a, const struct emit_request *req, const struct target *t,
                        unsigned arch, struct emit_images *images, bool want_text,
                        struct emit_result *r, struct error *err)
{
    struct emit_image *image = &images->image[images->n++];
    *image = (struct emit_image){.kind = SHEAF_IMAGE_VE, .arch = arch};
    const char *name = arena_printf(a, "%s.%s.so", req->source, t->name);
    if (!emit_image(a, req, t, images, &r->device_object, want_text ? r : NULL, err) ||
        !t->link(a, name, r->device_object, &r->device_library, err))
        return false;
    image->code = r->device_library;
    return true;
}

/* Each buffer is a parameter of the launch. */
static bool check_buffers(const struct emit_request *req, struct error *err)
{
    for (size_t i = 0; i < req->n_entries; i++) {
        const struct emit_part *part = &req->entries[i].parts[0];
        for (size_t k = 0; k < part->schedules->n; k++) {
            const struct kernel *kernel = part->schedules->kernel[k].kernel;
            if (part->target->max_buffers && !part->schedules->kernel[k].on_host &&
                kernel->n_bufs > part->target->max_buffers)
                return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                                 "node '%s' has %zu inputs and outputs, but on this device at most "
                                 "%zu are supported (-host-nodes leaves it to the host)",
                                 kernel->name, kernel->n_bufs, part->target->max_buffers);
        }
    }
    return true;
}

bool emit_device_module(struct arena *a, const struct emit_request *req, bool want_text,
                        struct emit_result *out_result, struct error *err)
{
    const struct target *device = req->entries[0].parts[0].target;
    struct emit_result r = {0};
    struct emit_images images = {0};
    if (!check_buffers(req, err))
        return false;
    images.image = arena_array(a, 2 * device->n_archs, sizeof *images.image);
    for (size_t i = 0; i < device->n_archs; i++) {
        struct target t = *device;
        if (!t.runs_networks)
            t.cpu = t.plain_cpu = t.tune_cpu = arena_printf(a, "sm_%u", device->archs[i]);
        struct emit_result *text = want_text && i == 0 ? &r : NULL;
        if (!(t.runs_networks
                  ? add_library(a, req, &t, device->archs[i], &images, text != NULL, &r, err)
                  : add_images(a, req, &t, device->archs[i], &images, text, err)))
            return false;
    }
    struct emit host = {
        .arena = a, .target = device->host, .features = device->host->features, .images = &images};
    if (!emit_open(&host, req->source, err))
        return false;
    for (size_t i = 0; i < req->n_entries; i++) {
        emit_entry(&host, req, &req->entries[i]);
        emit_entry_data(&host, req, &req->entries[i]);
    }
    bool ok = emit_to_object(&host, NULL, &r.object, err);
    if (ok) {
        emit_set_layout(&host, req, &r.object);
        *out_result = r;
    }
    emit_close(&host);
    return ok;
}
