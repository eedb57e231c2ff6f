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
    images->entries = req->entries;
    for (size_t i = 0; i < req->n_entries; i++) {
        const struct emit_part *part = &req->entries[i].parts[0];
        assert(req->entries[i].n_parts == 1);
        LLVMValueRef *kernel = emit_part_kernels(e, part);
        const char **name = arena_array(e->arena, part->schedules->n + 1, sizeof *name);
        for (size_t k = 0; k < part->schedules->n; k++)
            if (kernel[k])
                name[k] = arena_strdup(e->arena, LLVMGetValueName(kernel[k]));
        images->kernel_name[i] = name;
    }
}

/* The kernels for one processor of the device. */
static bool emit_image(struct arena *a, const struct emit_request *req, const struct target *t,
                       struct emit_images *images, struct bytes *out_code, struct bytes *out_ir,
                       struct error *err)
{
    struct emit e = {.arena = a, .target = t, .features = t->features};
    if (!emit_open(&e, req->source, err))
        return false;
    name_kernels(&e, req, images);
    bool ok = emit_verify(&e, err) && emit_run_passes(&e, err);
    if (ok && out_ir) {
        char *text = LLVMPrintModuleToString(e.mod);
        out_ir->size = strlen(text);
        out_ir->data = arena_copy(a, text, out_ir->size);
        LLVMDisposeMessage(text);
    }
    ok = ok && emit_to_bytes(&e, LLVMAssemblyFile, out_code, err) && err->status == SHEAF_OK;
    emit_close(&e);
    return ok;
}

/* The assembly of a processor's code, and where that can be had, machine code. */
static bool add_images(struct arena *a, const struct emit_request *req, const struct target *t,
                       unsigned arch, struct emit_images *images, struct bytes *out_ir,
                       struct error *err)
{
    struct emit_image *text = &images->image[images->n++];
    *text = (struct emit_image){.kind = SHEAF_IMAGE_PTX, .arch = arch};
    if (!emit_image(a, req, t, images, &text->code, out_ir, err))
        return false;
    if (!t->assembler)
        return true;
    struct emit_image *code = &images->image[images->n++];
    *code = (struct emit_image){.kind = SHEAF_IMAGE_CUBIN, .arch = arch};
    return t->assemble(t, a, arch, &text->code, &code->code, err);
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
        t.cpu = t.plain_cpu = t.tune_cpu = arena_printf(a, "sm_%u", device->archs[i]);
        struct bytes *ir = want_text && i == 0 ? &r.llvm_ir : NULL;
        if (!add_images(a, req, &t, device->archs[i], &images, ir, err))
            return false;
    }
    if (want_text)
        r.assembly = images.image[0].code;
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
