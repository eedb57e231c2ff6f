/* The memory of a block of threads, and buffers of a kernel that lie in it, one for each of its
   groups. */
#include "bundle/emit/emit_internal.h"

LLVMValueRef emit_shared(struct emit *e, LLVMTypeRef type, unsigned alignment)
{
    LLVMValueRef g =
        LLVMAddGlobalInAddressSpace(e->mod, type, "", e->target->threads->shared_space);
    LLVMSetInitializer(g, LLVMGetUndef(type));
    LLVMSetLinkage(g, LLVMInternalLinkage);
    LLVMSetAlignment(g, alignment);
    return g;
}

static int64_t bytes_of(const struct kbuf *b)
{
    return dtype_bytes(b->dtype, layout_elems(&b->layout, b->dims));
}

static LLVMValueRef memory_of(struct emit_kernel *ek, const struct kbuf *b, int n_groups)
{
    struct emit *e = ek->e;
    enum { ALIGNMENT = 16 };
    LLVMTypeRef t = LLVMArrayType2(e->i8, (uint64_t)(bytes_of(b) * n_groups));
    return LLVMBuildAddrSpaceCast(e->b, emit_shared(e, t, ALIGNMENT), e->ptr, "");
}

void emit_group_buffers(struct emit_kernel *ek, int n_groups, LLVMValueRef group)
{
    struct emit *e = ek->e;
    for (size_t i = 0; ek->schedule->in_shared && i < ek->k->n_bufs; i++) {
        const struct kbuf *b = &ek->k->bufs[i];
        if (!ek->schedule->in_shared[i])
            continue;
        ek->buf[i] = memory_of(ek, b, n_groups);
        if (n_groups == 1)
            continue;
        LLVMValueRef size = LLVMConstInt(e->i32, (uint64_t)bytes_of(b), 0);
        LLVMValueRef at = LLVMBuildMul(e->b, group, size, "");
        ek->buf[i] = LLVMBuildInBoundsGEP2(e->b, e->i8, ek->buf[i], &at, 1, "");
    }
}
