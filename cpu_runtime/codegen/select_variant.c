/*
 * Code that finds out which of several variants its processor can run.  It asks the processor
 * itself, for a bundle calls nothing outside, and each question once: in a virtual machine CPUID
 * takes microseconds.
 */
#include <assert.h>
#include <string.h>

#include "bundle/emit/emit_plain.h"
#include "cpu_runtime/codegen/cpu_target.h"
#include "cpu_runtime/processor_features.h"

static LLVMValueRef inline_asm(struct emit *e, LLVMTypeRef result, const char *text,
                               const char *constraints, LLVMValueRef *args, unsigned n_args,
                               bool has_effects)
{
    LLVMTypeRef types[4];
    for (unsigned i = 0; i < n_args; i++)
        types[i] = LLVMTypeOf(args[i]);
    LLVMTypeRef type = LLVMFunctionType(result, types, n_args, 0);
    LLVMValueRef code = LLVMGetInlineAsm(type, text, strlen(text), constraints, strlen(constraints),
                                         has_effects, 0, LLVMInlineAsmDialectATT, 0);
    return LLVMBuildCall2(e->b, type, code, args, n_args, "");
}

/* The tests of one variant: the first that fails goes on to the next one's. */
struct tests {
    struct emit *e;
    LLVMBasicBlockRef failed;
};

static void require(struct tests *t, LLVMValueRef holds)
{
    LLVMBasicBlockRef next = plain_block(t->e);
    LLVMBuildCondBr(t->e->b, holds, next, t->failed);
    LLVMPositionBuilderAtEnd(t->e->b, next);
}

/* ---- x86 ---- */

/* A leaf of CPUID: its registers, and the bits that a variant needs. */
struct leaf {
    uint32_t leaf, subleaf;
    LLVMValueRef reg[X86_N_REGISTERS];
    uint32_t mask[X86_N_REGISTERS];
};

enum { MAX_LEAVES = 8 };

struct x86 {
    struct leaf leaf[MAX_LEAVES];
    size_t n;
    LLVMValueRef state; /* XCR0; 0 where it cannot be read */
};

static void cpuid(struct emit *e, uint32_t leaf, uint32_t subleaf, LLVMValueRef *out_reg)
{
    LLVMTypeRef four[X86_N_REGISTERS] = {e->i32, e->i32, e->i32, e->i32};
    LLVMValueRef args[2] = {plain_i32(e, leaf), plain_i32(e, subleaf)};
    LLVMValueRef all =
        inline_asm(e, LLVMStructTypeInContext(e->ctx, four, X86_N_REGISTERS, 0), "cpuid",
                   "={ax},={bx},={cx},={dx},0,2,~{dirflag},~{fpsr},~{flags}", args, 2, false);
    for (unsigned r = 0; r < X86_N_REGISTERS; r++)
        out_reg[r] = LLVMBuildExtractValue(e->b, all, r, "");
}

static struct leaf *find_leaf(struct x86 *x, const struct x86_feature *f)
{
    for (size_t i = 0; i < x->n; i++)
        if (x->leaf[i].leaf == f->leaf && x->leaf[i].subleaf == f->subleaf)
            return &x->leaf[i];
    assert(x->n < MAX_LEAVES);
    x->leaf[x->n] = (struct leaf){.leaf = f->leaf, .subleaf = f->subleaf};
    return &x->leaf[x->n++];
}

/* Where X86_OSXSAVE_BIT is. */
static const struct x86_feature STATE_LEAF = {.leaf = 1};

static uint32_t note_features(struct x86 *x, const char *features)
{
    uint32_t state = 0;
    const char *name;
    size_t length;
    while (target_next_feature(&features, &name, &length)) {
        const struct x86_feature *f = sheaf_x86_feature(name + 1, length - 1);
        assert(f);
        find_leaf(x, f)->mask[f->reg] |= 1u << f->bit;
        state |= f->state;
    }
    return state;
}

/* A processor answers for a leaf that it does not have with another one's registers. */
static void read_leaves(struct emit *e, struct x86 *x)
{
    LLVMValueRef basic[X86_N_REGISTERS], extended[X86_N_REGISTERS];
    cpuid(e, 0, 0, basic);
    cpuid(e, 0x80000000u, 0, extended);
    for (size_t i = 0; i < x->n; i++) {
        struct leaf *l = &x->leaf[i];
        LLVMValueRef most = (l->leaf & 0x80000000u ? extended : basic)[X86_EAX];
        LLVMValueRef exists = LLVMBuildICmp(e->b, LLVMIntUGE, most, plain_i32(e, l->leaf), "");
        cpuid(e, l->leaf, l->subleaf, l->reg);
        for (int r = 0; r < X86_N_REGISTERS; r++)
            l->reg[r] = LLVMBuildSelect(e->b, exists, l->reg[r], plain_i32(e, 0), "");
    }
}

/* XGETBV is an instruction only where XSAVE is switched on. */
static void read_state(struct tests *t, struct x86 *x)
{
    struct emit *e = t->e;
    LLVMValueRef bits = LLVMBuildAnd(e->b, find_leaf(x, &STATE_LEAF)->reg[X86_ECX],
                                     plain_i32(e, 1u << X86_OSXSAVE_BIT), "");
    LLVMBasicBlockRef from[2] = {LLVMGetInsertBlock(e->b), plain_block(e)}, next = plain_block(e);
    LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntNE, bits, plain_i32(e, 0), ""), from[1], next);
    LLVMPositionBuilderAtEnd(e->b, from[1]);
    LLVMTypeRef two[2] = {e->i32, e->i32};
    LLVMValueRef zero = plain_i32(e, 0);
    LLVMValueRef xcr0 = inline_asm(e, LLVMStructTypeInContext(e->ctx, two, 2, 0), "xgetbv",
                                   "={ax},={dx},{cx},~{dirflag},~{fpsr},~{flags}", &zero, 1, true);
    LLVMValueRef value[2] = {zero, LLVMBuildExtractValue(e->b, xcr0, 0, "")};
    LLVMBuildBr(e->b, next);
    LLVMPositionBuilderAtEnd(e->b, next);
    x->state = LLVMBuildPhi(e->b, e->i32, "");
    LLVMAddIncoming(x->state, value, from, 2);
}

static void require_mask(struct tests *t, LLVMValueRef v, uint32_t mask)
{
    struct emit *e = t->e;
    if (!mask)
        return;
    LLVMValueRef set = LLVMBuildAnd(e->b, v, plain_i32(e, mask), "");
    require(t, LLVMBuildICmp(e->b, LLVMIntEQ, set, plain_i32(e, mask), ""));
}

/* The tile registers are used after Linux was asked for them. */
static void require_permission(struct tests *t)
{
    struct emit *e = t->e;
    LLVMValueRef args[3] = {plain_i64(e, X86_SYS_ARCH_PRCTL), plain_i64(e, X86_ARCH_REQ_XCOMP_PERM),
                            plain_i64(e, X86_XFEATURE_XTILEDATA)};
    LLVMValueRef code = inline_asm(
        e, e->i64, "syscall",
        "={ax},{ax},{di},{si},~{rcx},~{r11},~{memory},~{dirflag},~{fpsr},~{flags}", args, 3, true);
    require(t, LLVMBuildICmp(e->b, LLVMIntEQ, code, plain_i64(e, 0), ""));
}

static void require_x86(struct tests *t, struct x86 *x, const char *features)
{
    for (size_t i = 0; i < x->n; i++)
        memset(x->leaf[i].mask, 0, sizeof x->leaf[i].mask);
    uint32_t state = note_features(x, features);
    for (size_t i = 0; i < x->n; i++)
        for (int r = 0; r < X86_N_REGISTERS; r++)
            require_mask(t, x->leaf[i].reg[r], x->leaf[i].mask[r]);
    require_mask(t, x->state, state);
    if (target_lists(features, "amx-tile", strlen("amx-tile")))
        require_permission(t);
}

/* ---- ARM64 ---- */

static void read_arm64(struct emit *e, LLVMValueRef *out_reg)
{
    static const char *const READ[ARM64_N_REGISTERS] = {
        "mrs $0, ID_AA64PFR0_EL1", "mrs $0, ID_AA64ISAR0_EL1", "mrs $0, ID_AA64ISAR1_EL1"};
    for (int r = 0; r < ARM64_N_REGISTERS; r++)
        out_reg[r] = inline_asm(e, e->i64, READ[r], "=r", NULL, 0, false);
}

static void require_arm64(struct tests *t, LLVMValueRef *reg, const char *features)
{
    struct emit *e = t->e;
    const char *name;
    size_t length;
    while (target_next_feature(&features, &name, &length)) {
        const struct arm64_feature *f = sheaf_arm64_feature(name + 1, length - 1);
        assert(f);
        LLVMValueRef v = LLVMBuildShl(e->b, reg[f->reg], plain_i64(e, 60 - f->shift), "");
        v = LLVMBuildAShr(e->b, v, plain_i64(e, 60), "");
        LLVMValueRef least = LLVMConstInt(e->i64, (unsigned long long)f->least, 1);
        require(t, LLVMBuildICmp(e->b, LLVMIntSGE, v, least, ""));
    }
}

/* ---- the function ---- */

void cpu_emit_select(struct emit *e, LLVMValueRef fn, const struct target *const *variants,
                     size_t n)
{
    struct tests t = {.e = e};
    bool is_x86 = strncmp(e->target->triple, "x86_64", 6) == 0;
    struct x86 x = {0};
    LLVMValueRef arm64[ARM64_N_REGISTERS];
    LLVMPositionBuilderAtEnd(e->b, LLVMAppendBasicBlockInContext(e->ctx, fn, ""));
    if (is_x86) {
        for (size_t i = 0; i < n; i++)
            note_features(&x, variants[i]->features);
        find_leaf(&x, &STATE_LEAF);
        read_leaves(e, &x);
        read_state(&t, &x);
    } else {
        read_arm64(e, arm64);
    }
    for (size_t i = 0; i < n; i++) {
        t.failed = plain_block(e);
        if (is_x86)
            require_x86(&t, &x, variants[i]->features);
        else
            require_arm64(&t, arm64, variants[i]->features);
        LLVMBuildRet(e->b, plain_i32(e, (uint32_t)i));
        LLVMPositionBuilderAtEnd(e->b, t.failed);
    }
    LLVMBuildRet(e->b, plain_i32(e, SHEAF_NO_VARIANT));
}
