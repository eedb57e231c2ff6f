/* A kernel as an internal LLVM function; its instructions in order. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "bundle/emit/emit_internal.h"

void emit_set_lanes(struct emit_kernel *ek, int lanes)
{
    ek->lanes = lanes;
    ek->vars[EVAR_LANE].extent = lanes;
}

static LLVMValueRef literal(struct emit_kernel *ek, const struct kinst *in)
{
    struct emit *e = ek->e;
    LLVMTypeRef t = emit_type(e, in->type);
    switch (in->type) {
    case DTYPE_F32:
        /* By bits: a NaN keeps its payload, and no decimal form is involved. */
        {
            float f = (float)in->imm.f;
            uint32_t bits;
            memcpy(&bits, &f, sizeof bits);
            return LLVMConstBitCast(LLVMConstInt(e->i32, bits, 0), t);
        }
    case DTYPE_F64: {
        uint64_t bits;
        memcpy(&bits, &in->imm.f, sizeof bits);
        return LLVMConstBitCast(LLVMConstInt(e->i64, bits, 0), t);
    }
    case DTYPE_F16:
        return LLVMConstInt(t, dtype_f32_to_f16((float)in->imm.f), 0);
    case DTYPE_BF16:
        return LLVMConstInt(t, dtype_f32_to_bf16((float)in->imm.f), 0);
    default:
        return LLVMConstInt(t, (uint64_t)in->imm.i, 1);
    }
}

static bool any_varying(const struct emit_kernel *ek, const struct kinst *in)
{
    if (ek->lanes == 1)
        return false;
    for (int i = 0; i < in->n_args; i++) {
        kval a = in->args[i];
        if (kernel_inst(ek->k, a)->op == KOP_INDEX ? eaffine_lane(&ek->bind[a]) != 0
                                                   : ek->varying[a])
            return true;
    }
    return false;
}

static enum dtype type_of(const struct emit_kernel *ek, kval v)
{
    return kernel_inst(ek->k, v)->type;
}

static void emit_access(struct emit_kernel *ek, kval v, const struct kinst *in)
{
    struct eaddress at = emit_address(ek, in->buf, in->args);
    if (in->op != KOP_STORE) {
        bool varying;
        LLVMValueRef r = emit_load(ek, &at, &varying);
        emit_set(ek, v, r, varying);
        return;
    }
    kval value = in->args[in->n_args - 1];
    bool varying = kernel_inst(ek->k, value)->op == KOP_INDEX
                       ? ek->lanes > 1 && eaffine_lane(&ek->bind[value]) != 0
                       : ek->varying[value];
    LLVMValueRef stored = emit_get(ek, value, varying);
    if (ek->group.size == 1) {
        emit_store(ek, &at, stored, varying);
        return;
    }
    emit_group_barrier(ek);
    struct egroup_first first = emit_group_first_begin(ek);
    emit_store(ek, &at, stored, varying);
    emit_group_first_end(ek, &first);
    emit_group_barrier(ek);
}

static LLVMValueRef emit_select(struct emit_kernel *ek, const struct kinst *in, bool varying)
{
    /* A uniform condition may choose between vectors. */
    bool c_varying = ek->varying[in->args[0]];
    LLVMValueRef otherwise = emit_get(ek, in->args[2], varying);
    LLVMValueRef then = emit_get(ek, in->args[1], varying);
    return LLVMBuildSelect(ek->e->b, emit_get(ek, in->args[0], c_varying), then, otherwise, "");
}

static LLVMValueRef emit_bitcast(struct emit_kernel *ek, const struct kinst *in, bool varying)
{
    return LLVMBuildBitCast(ek->e->b, emit_get(ek, in->args[0], varying),
                            emit_lane_type(ek, in->type, varying), "");
}

void emit_instruction(struct emit_kernel *ek, kval v)
{
    const struct kinst *in = kernel_inst(ek->k, v);
    bool varying = any_varying(ek, in);
    if (varying && emit_wide(ek, v))
        return;
    switch (in->op) {
    case KOP_CONST:
        emit_set(ek, v, literal(ek, in), false);
        return;
    case KOP_INDEX:
    case KOP_PARAM:
    case KOP_YIELD:
        return;
    case KOP_RESULT:
        emit_set(ek, v, ek->results[in->args[0]][in->imm.i],
                 ek->results_varying[in->args[0]][in->imm.i]);
        return;
    case KOP_LOAD:
    case KOP_STORE:
        emit_access(ek, v, in);
        return;
    case KOP_EXTERN:
        emit_extern(ek, in->call);
        return;
    case KOP_LOAD_OR:
        if (ek->inside)
            emit_access(ek, v, in);
        else
            emit_load_or(ek, v);
        return;
    case KOP_SELECT:
        emit_set(ek, v, emit_select(ek, in, varying), varying);
        return;
    case KOP_CAST:
        emit_set(
            ek, v,
            emit_cast(ek, type_of(ek, in->args[0]), in->type, emit_get(ek, in->args[0], varying)),
            varying);
        return;
    case KOP_BITCAST:
        emit_set(ek, v, emit_bitcast(ek, in, varying), varying);
        return;
    default:
        break;
    }
    if (kop_kind(in->op) == KOP_KIND_REGION) {
        emit_region(ek, v);
        return;
    }
    LLVMValueRef a = emit_get(ek, in->args[0], varying);
    LLVMValueRef b = in->n_args > 1 ? emit_get(ek, in->args[1], varying) : NULL;
    emit_set(ek, v, emit_scalar_op(ek, in->op, type_of(ek, in->args[0]), a, b), varying);
}

void emit_block(struct emit_kernel *ek, const struct kblock *blk)
{
    for (size_t i = 0; i < blk->n; i++) {
        LLVMMetadataRef before = emit_debug_enter(ek, blk->insts[i]);
        emit_instruction(ek, blk->insts[i]);
        emit_debug_leave(ek, before);
    }
}

const struct kinst *emit_block_yield(const struct emit_kernel *ek, const struct kblock *blk)
{
    assert(blk->n > 0);
    const struct kinst *y = kernel_inst(ek->k, blk->insts[blk->n - 1]);
    assert(y->op == KOP_YIELD);
    return y;
}

static void add_attribute(struct emit *e, LLVMValueRef fn, unsigned at, const char *name,
                          uint64_t value)
{
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(fn, at, LLVMCreateEnumAttribute(e->ctx, kind, value));
}

static void declare_buffers(struct emit_kernel *ek)
{
    struct emit *e = ek->e;
    for (unsigned i = 0; i < (unsigned)ek->k->n_bufs; i++) {
        ek->buf[i] = LLVMGetParam(ek->fn, i);
        add_attribute(e, ek->fn, i + 1, "noalias", 0);
        add_attribute(e, ek->fn, i + 1, "align", PROGRAM_ALIGNMENT);
        if (ek->k->bufs[i].role == KBUF_IN)
            add_attribute(e, ek->fn, i + 1, "readonly", 0);
    }
    unsigned n = (unsigned)ek->k->n_bufs;
    if (e->target->runs_networks) {
        ek->rank = LLVMGetParam(ek->fn, n);
        ek->n_ranks = LLVMGetParam(ek->fn, n + 1);
        return;
    }
    for (unsigned i = n; i < LLVMCountParams(ek->fn); i++) {
        add_attribute(e, ek->fn, i + 1, "noalias", 0);
        add_attribute(e, ek->fn, i + 1, "readonly", 0);
    }
}

unsigned emit_kernel_params(const struct emit *e, const struct kernel *k)
{
    return (unsigned)k->n_bufs + e->target->optimize_size + 2 * e->target->runs_networks;
}

/* Where a network runs in several cores, those that the kernel is not divided among leave. */
static void leave_to_one(struct emit_kernel *ek)
{
    struct emit *e = ek->e;
    LLVMBasicBlockRef one = emit_append_block(ek), other = emit_append_block(ek);
    LLVMValueRef is_first = LLVMBuildICmp(e->b, LLVMIntEQ, ek->rank, emit_index(e, 0), "");
    LLVMBuildCondBr(e->b, is_first, one, other);
    LLVMPositionBuilderAtEnd(e->b, other);
    LLVMBuildRetVoid(e->b);
    LLVMPositionBuilderAtEnd(e->b, one);
}

/* ptx_kernel of llvm/IR/CallingConv.h. */
enum { KERNEL_CONVENTION = 71 };

/* How many threads a block has at most, so that the device's assembler leaves registers for all of
   them.  LLVM, "User Guide for NVPTX Back-end", kernel metadata. */
static void limit_threads(struct emit *e, LLVMValueRef fn, const struct schedule *s)
{
    static const char kind[] = "maxntidx";
    LLVMMetadataRef parts[3] = {LLVMValueAsMetadata(fn),
                                LLVMMDStringInContext2(e->ctx, kind, sizeof kind - 1),
                                LLVMValueAsMetadata(LLVMConstInt(e->i32, (unsigned)s->threads, 0))};
    LLVMMetadataRef node = LLVMMDNodeInContext2(e->ctx, parts, 3);
    LLVMAddNamedMetadataOperand(e->mod, "nvvm.annotations", LLVMMetadataAsValue(e->ctx, node));
}

/* On a device, numbers of 64 bits take two registers and several instructions: indices have 32
   where no buffer has more elements than they can count. */
static LLVMTypeRef index_type(const struct emit *e, const struct kernel *k)
{
    if (!e->target->threads || e->target->optimize_size)
        return LLVMIntPtrTypeInContext(e->ctx, e->layout);
    for (size_t i = 0; i < k->n_bufs; i++)
        if (layout_elems(&k->bufs[i].layout, k->bufs[i].dims) > INT32_MAX)
            return e->i64;
    return e->i32;
}

LLVMValueRef emit_kernel_function(struct emit *e, const struct kernel *k, const struct schedule *s,
                                  const char *name)
{
    e->index = index_type(e, k);
    unsigned n_params = emit_kernel_params(e, k);
    LLVMTypeRef *params = arena_array(e->arena, n_params + 1, sizeof *params);
    for (size_t i = 0; i < n_params; i++)
        params[i] = i >= k->n_bufs && e->target->runs_networks ? e->index : e->ptr;
    LLVMTypeRef t = LLVMFunctionType(e->void_, params, n_params, 0);
    LLVMValueRef fn = LLVMAddFunction(e->mod, name, t);
    if (e->target->threads) {
        LLVMSetFunctionCallConv(fn, KERNEL_CONVENTION);
        limit_threads(e, fn, s);
    } else {
        LLVMSetLinkage(fn, LLVMInternalLinkage);
    }

    struct emit_kernel ek = {
        .e = e, .k = k, .schedule = s, .fn = fn, .lanes = 1, .group = {.size = 1}};
    ek.buf = arena_array(e->arena, k->n_bufs + 1, sizeof *ek.buf);
    ek.val = arena_array(e->arena, k->n_insts, sizeof *ek.val);
    ek.varying = arena_array(e->arena, k->n_insts, sizeof *ek.varying);
    ek.bind = arena_array(e->arena, k->n_insts, sizeof *ek.bind);
    ek.results = arena_array(e->arena, k->n_insts, sizeof *ek.results);
    ek.results_varying = arena_array(e->arena, k->n_insts, sizeof *ek.results_varying);
    emit_find_factors(&ek);
    ek.join.joined = -1;
    emit_add_var(&ek, NULL, 1); /* EVAR_LANE */
    declare_buffers(&ek);

    ek.entry = emit_append_block(&ek);
    LLVMBasicBlockRef body = emit_append_block(&ek);
    LLVMPositionBuilderAtEnd(e->b, body);
    emit_debug_kernel(&ek);
    if (e->target->runs_networks && !(s && s->is_spread))
        leave_to_one(&ek);
    if (s && s->is_together) {
        ek.group = (struct egroup){s->threads, e->target->threads->thread(e)};
        emit_group_buffers(&ek, 1, NULL);
    }
    emit_block(&ek, &k->body);
    LLVMBuildRetVoid(e->b);
    LLVMPositionBuilderAtEnd(e->b, ek.entry);
    LLVMBuildBr(e->b, body);
    emit_debug_none(e);
    return fn;
}
