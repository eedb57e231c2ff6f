/* Threads, barriers and exchange by LLVM's intrinsics for NVPTX. */
#include "bundle/emit/emit_plain.h"
#include "gpu_runtime/codegen/gpu_target.h"

enum { WARP = 32, SHARED_SPACE = 3 /* NVPTX */ };

static LLVMValueRef special_register(struct emit *e, const char *name)
{
    return emit_intrinsic(e, name, NULL, 0, NULL, 0);
}

static LLVMValueRef block(struct emit *e)
{
    return special_register(e, "llvm.nvvm.read.ptx.sreg.ctaid.x");
}

static LLVMValueRef thread(struct emit *e)
{
    return special_register(e, "llvm.nvvm.read.ptx.sreg.tid.x");
}

/* All lanes of the warp take part. */
static LLVMValueRef all_lanes(struct emit *e)
{
    return plain_i32(e, -1);
}

static void barrier(struct emit *e, int group)
{
    LLVMValueRef mask = all_lanes(e);
    if (group <= WARP)
        emit_intrinsic(e, "llvm.nvvm.bar.warp.sync", NULL, 0, &mask, 1);
    else
        emit_intrinsic(e, "llvm.nvvm.barrier0", NULL, 0, NULL, 0);
}

/* The last operand of shfl.sync: the greatest lane, and which bits of a lane's number a segment has
   in common (PTX ISA, shfl.sync). */
static LLVMValueRef segment(struct emit *e, int lanes)
{
    return plain_i32(e, (WARP - lanes) << 8 | (WARP - 1));
}

static LLVMValueRef from_above(struct emit *e, LLVMValueRef v, int up)
{
    LLVMValueRef args[4] = {all_lanes(e), v, plain_i32(e, up), segment(e, WARP)};
    return emit_intrinsic(e, "llvm.nvvm.shfl.sync.down.i32", NULL, 0, args, 4);
}

static LLVMValueRef from_first(struct emit *e, LLVMValueRef v, int group)
{
    LLVMValueRef args[4] = {all_lanes(e), v, plain_i32(e, 0), segment(e, group)};
    return emit_intrinsic(e, "llvm.nvvm.shfl.sync.idx.i32", NULL, 0, args, 4);
}

const struct target_threads gpu_threads = {.block = block,
                                           .thread = thread,
                                           .barrier = barrier,
                                           .from_above = from_above,
                                           .from_first = from_first,
                                           .warp = WARP,
                                           .shared_space = SHARED_SPACE};
