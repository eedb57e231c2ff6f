#include "bundle/emit/emit_weights.h"

#include "bundle/emit/emit_internal.h"

static bool weights_module(struct arena *a, const void *arg, struct emit_result *out_result,
                           struct error *err)
{
    const struct emit_weights *req = arg;
    struct emit e = {.arena = a, .target = req->target, .features = req->target->features};
    if (!emit_open(&e, "weights", err))
        return false;
    const char *data = req->data.size ? (const char *)req->data.data : "";
    size_t n = req->data.size ? req->data.size : 1;
    LLVMValueRef init = LLVMConstStringInContext2(e.ctx, data, n, /* no NUL behind it */ 1);
    LLVMValueRef g = LLVMAddGlobal(e.mod, LLVMTypeOf(init), req->name);
    LLVMSetInitializer(g, init);
    LLVMSetGlobalConstant(g, 1);
    LLVMSetAlignment(g, PROGRAM_ALIGNMENT);
    if (req->section)
        LLVMSetSection(g, req->section);
    if (req->is_hidden)
        LLVMSetVisibility(g, LLVMHiddenVisibility);
    bool ok = emit_to_object(&e, NULL, &out_result->object, err);
    emit_close(&e);
    return ok;
}

bool emit_weights(struct arena *a, const struct emit_weights *req, struct bytes *out_object,
                  struct error *err)
{
    struct emit_result r;
    if (!emit_in_worker(a, weights_module, req, &r, err))
        return false;
    *out_object = r.object;
    return true;
}
