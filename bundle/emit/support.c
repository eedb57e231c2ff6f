#include "bundle/emit/support.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <llvm-c/Target.h>

#include "bundle/emit/emit.h"

/* A name of our own in the first column: only other routines call it. */
static const struct routine {
    const char *name;
    const char *arm; /* NULL: the same */
    support_body *body;
    const char *types;
} ROUTINES[] = {
    {"sheaf_compose_f16", NULL, support_body_compose, "hiii"},
    {"sheaf_compose_f32", NULL, support_body_compose, "fiii"},
    {"sheaf_compose_f64", NULL, support_body_compose, "dlii"},
    {"sheaf_unpack_f32", NULL, support_body_unpack, "mf"},
    {"sheaf_unpack_f64", NULL, support_body_unpack, "nd"},
    {"sheaf_jam_32", NULL, support_body_jam, "iii"},
    {"sheaf_jam_64", NULL, support_body_jam, "lli"},
    {"sheaf_compare_f32", NULL, support_body_compare, "iff"},
    {"sheaf_compare_f64", NULL, support_body_compare, "idd"},

    {"__addsf3", "__aeabi_fadd", support_body_add, "fff"},
    {"__subsf3", "__aeabi_fsub", support_body_sub, "fff"},
    {"__mulsf3", "__aeabi_fmul", support_body_mul, "fff"},
    {"__divsf3", "__aeabi_fdiv", support_body_div, "fff"},
    {"sqrtf", NULL, support_body_sqrt, "ff"},
    {"__adddf3", "__aeabi_dadd", support_body_add, "ddd"},
    {"__subdf3", "__aeabi_dsub", support_body_sub, "ddd"},
    {"__muldf3", "__aeabi_dmul", support_body_mul, "ddd"},
    {"__divdf3", "__aeabi_ddiv", support_body_div, "ddd"},
    {"sqrt", NULL, support_body_sqrt, "dd"},

    /* Less than, equal to or more than 0, as the first operand is; unordered operands make every
       comparison false but that for being unequal. */
    {"__eqsf2", NULL, support_body_compare_down, "iff"},
    {"__nesf2", NULL, support_body_compare_down, "iff"},
    {"__ltsf2", NULL, support_body_compare_down, "iff"},
    {"__lesf2", NULL, support_body_compare_down, "iff"},
    {"__gtsf2", NULL, support_body_compare_up, "iff"},
    {"__gesf2", NULL, support_body_compare_up, "iff"},
    {"__unordsf2", "__aeabi_fcmpun", support_body_unordered, "iff"},
    {"__eqdf2", NULL, support_body_compare_down, "idd"},
    {"__nedf2", NULL, support_body_compare_down, "idd"},
    {"__ltdf2", NULL, support_body_compare_down, "idd"},
    {"__ledf2", NULL, support_body_compare_down, "idd"},
    {"__gtdf2", NULL, support_body_compare_up, "idd"},
    {"__gedf2", NULL, support_body_compare_up, "idd"},
    {"__unorddf2", "__aeabi_dcmpun", support_body_unordered, "idd"},
    {"__aeabi_fcmpeq", NULL, support_body_eq, "iff"},
    {"__aeabi_fcmplt", NULL, support_body_lt, "iff"},
    {"__aeabi_fcmple", NULL, support_body_le, "iff"},
    {"__aeabi_fcmpge", NULL, support_body_ge, "iff"},
    {"__aeabi_fcmpgt", NULL, support_body_gt, "iff"},
    {"__aeabi_dcmpeq", NULL, support_body_eq, "idd"},
    {"__aeabi_dcmplt", NULL, support_body_lt, "idd"},
    {"__aeabi_dcmple", NULL, support_body_le, "idd"},
    {"__aeabi_dcmpge", NULL, support_body_ge, "idd"},
    {"__aeabi_dcmpgt", NULL, support_body_gt, "idd"},

    {"__fixsfsi", "__aeabi_f2iz", support_body_to_signed, "if"},
    {"__fixunssfsi", "__aeabi_f2uiz", support_body_to_unsigned, "if"},
    {"__fixsfdi", "__aeabi_f2lz", support_body_to_signed, "lf"},
    {"__fixunssfdi", "__aeabi_f2ulz", support_body_to_unsigned, "lf"},
    {"__fixdfsi", "__aeabi_d2iz", support_body_to_signed, "id"},
    {"__fixunsdfsi", "__aeabi_d2uiz", support_body_to_unsigned, "id"},
    {"__fixdfdi", "__aeabi_d2lz", support_body_to_signed, "ld"},
    {"__fixunsdfdi", "__aeabi_d2ulz", support_body_to_unsigned, "ld"},
    {"__floatsisf", "__aeabi_i2f", support_body_from_signed, "fi"},
    {"__floatunsisf", "__aeabi_ui2f", support_body_from_unsigned, "fi"},
    {"__floatdisf", "__aeabi_l2f", support_body_from_signed, "fl"},
    {"__floatundisf", "__aeabi_ul2f", support_body_from_unsigned, "fl"},
    {"__floatsidf", "__aeabi_i2d", support_body_from_signed, "di"},
    {"__floatunsidf", "__aeabi_ui2d", support_body_from_unsigned, "di"},
    {"__floatdidf", "__aeabi_l2d", support_body_from_signed, "dl"},
    {"__floatundidf", "__aeabi_ul2d", support_body_from_unsigned, "dl"},
    {"__extendsfdf2", "__aeabi_f2d", support_body_extend, "df"},
    {"__truncdfsf2", "__aeabi_d2f", support_body_truncate, "fd"},
    {"__gnu_h2f_ieee", "__aeabi_h2f", support_body_extend, "fh"},
    {"__gnu_f2h_ieee", "__aeabi_f2h", support_body_truncate, "hf"},
    {"__extendhfsf2", NULL, support_body_extend, "fh"},
    {"__truncsfhf2", NULL, support_body_truncate, "hf"},
    {"__truncdfhf2", "__aeabi_d2h", support_body_truncate, "hd"},
    {"floorf", NULL, support_body_floor, "ff"},
    {"ceilf", NULL, support_body_ceil, "ff"},
    {"truncf", NULL, support_body_trunc, "ff"},
    {"rintf", NULL, support_body_rint, "ff"},
    {"nearbyintf", NULL, support_body_rint, "ff"},
    {"floor", NULL, support_body_floor, "dd"},
    {"ceil", NULL, support_body_ceil, "dd"},
    {"trunc", NULL, support_body_trunc, "dd"},
    {"rint", NULL, support_body_rint, "dd"},
    {"nearbyint", NULL, support_body_rint, "dd"},

    {"__mulsi3", NULL, support_body_mul32, "iii"},
    {"__muldi3", "__aeabi_lmul", support_body_mul64, "lll"},
    {"__ashldi3", "__aeabi_llsl", support_body_shl, "lli"},
    {"__lshrdi3", "__aeabi_llsr", support_body_lshr, "lli"},
    {"__ashrdi3", "__aeabi_lasr", support_body_ashr, "lli"},
    {"__clzsi2", NULL, support_body_clz, "ii"},
    {"sheaf_udivmod_32", "__aeabi_uidivmod", support_body_udivmod, "Qii"},
    {"sheaf_udivmod_64", "__aeabi_uldivmod", support_body_udivmod, "Pll"},
    {"sheaf_divmod_32", "__aeabi_idivmod", support_body_divmod, "Qii"},
    {"sheaf_divmod_64", "__aeabi_ldivmod", support_body_divmod, "Pll"},
    {"__udivsi3", "__aeabi_uidiv", support_body_udiv, "iii"},
    {"__umodsi3", NULL, support_body_urem, "iii"},
    {"__divsi3", "__aeabi_idiv", support_body_sdiv, "iii"},
    {"__modsi3", NULL, support_body_srem, "iii"},
    {"__udivdi3", NULL, support_body_udiv, "lll"},
    {"__umoddi3", NULL, support_body_urem, "lll"},
    {"__divdi3", NULL, support_body_sdiv, "lll"},
    {"__moddi3", NULL, support_body_srem, "lll"},

    {"memcpy", NULL, support_body_copy, "pppz"},
    {"memmove", NULL, support_body_move, "pppz"},
    {"memset", NULL, support_body_fill, "ppiz"},
    {"__aeabi_memcpy", NULL, support_body_copy, "vppz"},
    {"__aeabi_memcpy4", NULL, support_body_copy, "vppz"},
    {"__aeabi_memcpy8", NULL, support_body_copy, "vppz"},
    {"__aeabi_memmove", NULL, support_body_move, "vppz"},
    {"__aeabi_memmove4", NULL, support_body_move, "vppz"},
    {"__aeabi_memmove8", NULL, support_body_move, "vppz"},
    {"__aeabi_memset", NULL, support_body_fill_arm, "vpzi"},
    {"__aeabi_memset4", NULL, support_body_fill_arm, "vpzi"},
    {"__aeabi_memset8", NULL, support_body_fill_arm, "vpzi"},
    {"__aeabi_memclr", NULL, support_body_clear, "vpz"},
    {"__aeabi_memclr4", NULL, support_body_clear, "vpz"},
    {"__aeabi_memclr8", NULL, support_body_clear, "vpz"},
};
enum { N_ROUTINES = sizeof ROUTINES / sizeof ROUTINES[0], MAX_PARAMS = 3 };

/* The C API has the numbers of calling conventions, but not this one's name (CallingConv.h): floats
   in integer registers, which the routines of ARM's run-time ABI use also where other functions
   pass them in registers of their own. */
enum { CALL_ARM_AAPCS = 67 };

/* ---- the module ---- */

void support_init(struct support *s, LLVMModuleRef mod)
{
    const char *triple = LLVMGetTarget(mod);
    LLVMContextRef ctx = LLVMGetModuleContext(mod);
    *s = (struct support){
        .ctx = ctx,
        .mod = mod,
        .b = LLVMCreateBuilderInContext(ctx),
        .is_arm = strncmp(triple, "arm", 3) == 0 || strncmp(triple, "thumb", 5) == 0,
        .i1 = LLVMInt1TypeInContext(ctx),
        .i32 = LLVMInt32TypeInContext(ctx),
        .i64 = LLVMInt64TypeInContext(ctx),
        .index = LLVMIntPtrTypeInContext(ctx, LLVMGetModuleDataLayout(mod)),
    };
}

void support_done(struct support *s)
{
    LLVMDisposeBuilder(s->b);
}

const char *support_name(size_t i, bool is_arm)
{
    if (i >= N_ROUTINES)
        return NULL;
    return is_arm && ROUTINES[i].arm ? ROUTINES[i].arm : ROUTINES[i].name;
}

bool emit_is_routine(const char *name)
{
    for (size_t i = 0; i < N_ROUTINES; i++)
        if (strcmp(ROUTINES[i].name, name) == 0 ||
            (ROUTINES[i].arm && strcmp(ROUTINES[i].arm, name) == 0))
            return true;
    return false;
}

LLVMTypeRef support_type(struct support *s, char type)
{
    LLVMTypeRef i = s->i32, l = s->i64;
    switch (type) {
    case 'f':
        return LLVMFloatTypeInContext(s->ctx);
    case 'd':
        return LLVMDoubleTypeInContext(s->ctx);
    case 'h':
        return LLVMInt16TypeInContext(s->ctx);
    case 'i':
        return i;
    case 'l':
    case 'Q':
        return l;
    case 'z':
        return s->index;
    case 'p':
        return LLVMPointerTypeInContext(s->ctx, 0);
    case 'P':
        return LLVMStructTypeInContext(s->ctx, (LLVMTypeRef[]){l, l}, 2, 0);
    case 'm':
        return LLVMStructTypeInContext(s->ctx, (LLVMTypeRef[]){i, i}, 2, 0);
    case 'n':
        return LLVMStructTypeInContext(s->ctx, (LLVMTypeRef[]){l, i}, 2, 0);
    default:
        assert(type == 'v');
        return LLVMVoidTypeInContext(s->ctx);
    }
}

static LLVMTypeRef function_type(struct support *s, const char *types)
{
    LLVMTypeRef param[MAX_PARAMS];
    unsigned n = (unsigned)strlen(types) - 1;
    assert(n <= MAX_PARAMS);
    for (unsigned i = 0; i < n; i++)
        param[i] = support_type(s, types[i + 1]);
    return LLVMFunctionType(support_type(s, types[0]), param, n, 0);
}

static void add_attribute(LLVMValueRef fn, LLVMAttributeIndex at, const char *name)
{
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMContextRef ctx = LLVMGetTypeContext(LLVMTypeOf(fn));
    LLVMAddAttributeAtIndex(fn, at, LLVMCreateEnumAttribute(ctx, kind, 0));
}

void support_make_small(LLVMValueRef fn)
{
    LLVMAttributeIndex at = (LLVMAttributeIndex)LLVMAttributeFunctionIndex;
    LLVMContextRef ctx = LLVMGetTypeContext(LLVMTypeOf(fn));
    add_attribute(fn, at, "minsize");
    add_attribute(fn, at, "optsize");
    const char *whole = "nooutline";
    LLVMAddAttributeAtIndex(fn, at,
                            LLVMCreateStringAttribute(ctx, whole, (unsigned)strlen(whole), "", 0));
}

static LLVMValueRef declare(struct support *s, const struct routine *r, const char *name)
{
    LLVMValueRef fn = LLVMAddFunction(s->mod, name, function_type(s, r->types));
    LLVMSetLinkage(fn, LLVMInternalLinkage);
    /* What C names, C calls. */
    bool is_c = r->name[0] != '_' && strncmp(r->name, "sheaf_", strlen("sheaf_")) != 0;
    if (s->is_arm && !is_c)
        LLVMSetFunctionCallConv(fn, CALL_ARM_AAPCS);
    support_make_small(fn);
    /* 64-bit RISC-V takes it for granted. */
    if (r->types[0] == 'i')
        add_attribute(fn, LLVMAttributeReturnIndex, "signext");
    return fn;
}

static LLVMValueRef define(struct support *s, const struct routine *r, const char *name)
{
    LLVMValueRef fn = LLVMGetNamedFunction(s->mod, name);
    if (fn)
        return fn;
    /* Names of functions and data share one space; LLVM would give another one. */
    if (LLVMGetNamedGlobal(s->mod, name) || LLVMGetNamedGlobalAlias(s->mod, name, strlen(name)))
        return NULL;
    struct support outer = *s;
    s->fn = declare(s, r, name);
    s->types = r->types;
    LLVMPositionBuilderAtEnd(s->b, LLVMAppendBasicBlockInContext(s->ctx, s->fn, "entry"));
    r->body(s);
    fn = s->fn;
    *s = outer;
    return fn;
}

LLVMValueRef support_define(struct support *s, const char *name)
{
    if (LLVMGetNamedFunction(s->mod, name))
        return NULL;
    for (size_t i = 0; i < N_ROUTINES; i++) {
        const struct routine *r = &ROUTINES[i];
        if (strcmp(r->name, name) == 0 || (s->is_arm && r->arm && strcmp(r->arm, name) == 0))
            return define(s, r, name);
    }
    return NULL;
}

LLVMValueRef support_call(struct support *s, support_body *body, const char *types,
                          LLVMValueRef *args)
{
    const struct routine *r = ROUTINES;
    while (!(r->body == body && strcmp(r->types, types) == 0))
        r++;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(s->b);
    LLVMValueRef fn = define(s, r, support_name((size_t)(r - ROUTINES), s->is_arm));
    LLVMPositionBuilderAtEnd(s->b, here);
    unsigned n = (unsigned)strlen(types) - 1;
    LLVMValueRef v = LLVMBuildCall2(s->b, function_type(s, types), fn, args, n, "");
    LLVMSetInstructionCallConv(v, LLVMGetFunctionCallConv(fn));
    LLVMSetTailCallKind(v, LLVMTailCallKindTail);
    return v;
}

/* ---- pieces of bodies ---- */

LLVMValueRef support_int(LLVMValueRef v, uint64_t c)
{
    return LLVMConstInt(LLVMTypeOf(v), c, 0);
}

LLVMValueRef support_param(struct support *s, unsigned i)
{
    LLVMValueRef v = LLVMGetParam(s->fn, i);
    switch (s->types[i + 1]) {
    case 'f':
        return LLVMBuildBitCast(s->b, v, s->i32, "");
    case 'd':
        return LLVMBuildBitCast(s->b, v, s->i64, "");
    case 'h':
        return LLVMBuildZExt(s->b, v, s->i32, "");
    default:
        return v;
    }
}

void support_return(struct support *s, LLVMValueRef v)
{
    LLVMTypeRef type = support_type(s, s->types[0]);
    if (s->types[0] == 'v')
        LLVMBuildRetVoid(s->b);
    else if (s->types[0] == 'h')
        LLVMBuildRet(s->b, LLVMBuildTrunc(s->b, v, type, ""));
    else
        LLVMBuildRet(s->b, LLVMTypeOf(v) == type ? v : LLVMBuildBitCast(s->b, v, type, ""));
}

static LLVMBasicBlockRef append_block(struct support *s)
{
    return LLVMAppendBasicBlockInContext(s->ctx, s->fn, "");
}

void support_return_if(struct support *s, LLVMValueRef condition, LLVMValueRef v)
{
    LLVMBasicBlockRef yes = append_block(s);
    LLVMBasicBlockRef no = append_block(s);
    LLVMBuildCondBr(s->b, condition, yes, no);
    LLVMPositionBuilderAtEnd(s->b, yes);
    support_return(s, v);
    LLVMPositionBuilderAtEnd(s->b, no);
}

struct support_branch support_if(struct support *s, LLVMValueRef condition)
{
    struct support_branch b = {.before = LLVMGetInsertBlock(s->b)};
    LLVMBasicBlockRef yes = append_block(s);
    b.after = append_block(s);
    LLVMBuildCondBr(s->b, condition, yes, b.after);
    LLVMPositionBuilderAtEnd(s->b, yes);
    return b;
}

LLVMValueRef support_end_if(struct support *s, struct support_branch *b, LLVMValueRef v,
                            LLVMValueRef then)
{
    LLVMBasicBlockRef from[2] = {b->before, LLVMGetInsertBlock(s->b)};
    LLVMValueRef value[2] = {v, then};
    LLVMBuildBr(s->b, b->after);
    LLVMPositionBuilderAtEnd(s->b, b->after);
    LLVMValueRef phi = LLVMBuildPhi(s->b, LLVMTypeOf(v), "");
    LLVMAddIncoming(phi, value, from, 2);
    return phi;
}

LLVMValueRef support_clz(struct support *s, LLVMValueRef v)
{
    LLVMTypeRef t = LLVMTypeOf(v);
    unsigned id = LLVMLookupIntrinsicID("llvm.ctlz", strlen("llvm.ctlz"));
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(s->mod, id, &t, 1);
    LLVMValueRef args[2] = {v, LLVMConstInt(s->i1, 1, 0)};
    return LLVMBuildCall2(s->b, LLVMIntrinsicGetType(s->ctx, id, &t, 1), fn, args, 2, "");
}

LLVMValueRef support_low(struct support *s, LLVMValueRef v)
{
    return LLVMBuildTrunc(s->b, v, s->i32, "");
}

LLVMValueRef support_high(struct support *s, LLVMValueRef v)
{
    v = LLVMBuildLShr(s->b, v, support_int(v, 32), "");
    return LLVMBuildTrunc(s->b, v, s->i32, "");
}

LLVMValueRef support_join(struct support *s, LLVMValueRef low, LLVMValueRef high)
{
    low = LLVMBuildZExt(s->b, low, s->i64, "");
    high = LLVMBuildZExt(s->b, high, s->i64, "");
    high = LLVMBuildShl(s->b, high, support_int(high, 32), "");
    return LLVMBuildOr(s->b, high, low, "");
}

LLVMValueRef support_or_if(struct support *s, LLVMValueRef v, LLVMValueRef condition)
{
    LLVMValueRef one = LLVMBuildZExt(s->b, condition, LLVMTypeOf(v), "");
    return LLVMBuildOr(s->b, v, one, "");
}

LLVMValueRef support_negate_if(struct support *s, LLVMValueRef condition, LLVMValueRef v)
{
    LLVMValueRef all = LLVMBuildSExt(s->b, condition, LLVMTypeOf(v), "");
    v = LLVMBuildXor(s->b, v, all, "");
    return LLVMBuildSub(s->b, v, all, "");
}

struct support_loop support_loop_begin(struct support *s, unsigned n, LLVMValueRef *first)
{
    struct support_loop l = {.n = n};
    LLVMBasicBlockRef before = LLVMGetInsertBlock(s->b);
    l.head = append_block(s);
    LLVMBuildBr(s->b, l.head);
    LLVMPositionBuilderAtEnd(s->b, l.head);
    assert(n <= sizeof l.v / sizeof l.v[0]);
    for (unsigned i = 0; i < n; i++) {
        l.v[i] = LLVMBuildPhi(s->b, LLVMTypeOf(first[i]), "");
        LLVMAddIncoming(l.v[i], &first[i], &before, 1);
    }
    return l;
}

void support_loop_while(struct support *s, struct support_loop *l, LLVMValueRef condition)
{
    LLVMBasicBlockRef body = append_block(s);
    l->exit = append_block(s);
    LLVMBuildCondBr(s->b, condition, body, l->exit);
    LLVMPositionBuilderAtEnd(s->b, body);
}

void support_loop_end(struct support *s, struct support_loop *l, LLVMValueRef *next)
{
    LLVMBasicBlockRef from = LLVMGetInsertBlock(s->b);
    LLVMBuildBr(s->b, l->head);
    for (unsigned i = 0; i < l->n; i++)
        LLVMAddIncoming(l->v[i], &next[i], &from, 1);
    LLVMPositionBuilderAtEnd(s->b, l->exit);
}
