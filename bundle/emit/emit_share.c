/*
 * Kernels that differ in numbers only become one function, which reads the numbers from a table.
 *
 * Two layers of a network often have the same loops with other extents, strides and multipliers.
 * Of such a group of kernels the first one's function stays, with the numbers that are not the same
 * in all of the group replaced by loads from a constant table that each call names; those that go
 * together everywhere are loaded once.  This works on LLVM IR as it was emitted, before any pass
 * makes shifts of products and the like.  Functions are compared as their text with nothing in
 * place of the numbers: so whatever belongs to an instruction is compared, known here or not.
 */
#include <assert.h>
#include <string.h>

#include "bundle/emit/emit_internal.h"

/* Where a number stands. */
struct number {
    LLVMValueRef user;
    unsigned operand;
    LLVMValueRef value;
};

struct skeleton {
    struct emitted_kernel *kernel;
    char *text;
    struct number *number;
    size_t n, cap;
    bool is_shared;
};

/* Numbers that differ, the same ones wherever they stand. */
struct parameter {
    size_t first; /* of the numbers */
    LLVMTypeRef type;
    LLVMValueRef value;
};

struct group {
    struct emit *e;
    struct skeleton **member;
    size_t n;
    struct parameter *param;
    size_t n_params, cap_params;
    size_t *param_of; /* by number; n_params and above: the same in all members */
};

/* ---- the shape of a function ---- */

/* Divisors stay: a constant one costs a multiplication at most, and some processors cannot
   divide. */
static bool may_be_loaded(LLVMValueRef user, unsigned operand)
{
    switch (LLVMGetInstructionOpcode(user)) {
    case LLVMAdd:
    case LLVMSub:
    case LLVMMul:
    case LLVMFAdd:
    case LLVMFSub:
    case LLVMFMul:
    case LLVMFDiv:
    case LLVMShl:
    case LLVMLShr:
    case LLVMAShr:
    case LLVMAnd:
    case LLVMOr:
    case LLVMXor:
    case LLVMICmp:
    case LLVMFCmp:
    case LLVMPHI:
        return true;
    case LLVMSelect:
    case LLVMGetElementPtr:
        return operand > 0;
    case LLVMStore:
        return operand == 0;
    default:
        return false;
    }
}

static bool is_number(struct emit *e, LLVMValueRef v)
{
    return LLVMIsAConstantFP(v) || (LLVMIsAConstantInt(v) && LLVMTypeOf(v) != e->i1);
}

static void collect(struct emit *e, struct skeleton *s, LLVMValueRef user)
{
    unsigned n = (unsigned)LLVMGetNumOperands(user);
    for (unsigned i = 0; i < n; i++) {
        LLVMValueRef v = LLVMGetOperand(user, i);
        if (is_number(e, v) && may_be_loaded(user, i))
            ARENA_PUSH(e->arena, s->number, s->n, s->cap) = (struct number){user, i, v};
    }
}

/* From the function's first block on, without what debuggers read. */
static char *text_of(struct emit *e, LLVMValueRef fn)
{
    char *printed = LLVMPrintValueToString(fn);
    char *text = arena_strdup(e->arena, strstr(printed, "{\n"));
    LLVMDisposeMessage(printed);
    for (char *p = text; (p = strstr(p, ", !dbg"));)
        memmove(p, p + strcspn(p, "\n"), strlen(p + strcspn(p, "\n")) + 1);
    return text;
}

static void find_skeleton(struct emit *e, struct skeleton *s)
{
    LLVMValueRef fn = s->kernel->fn;
    for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(fn); b; b = LLVMGetNextBasicBlock(b))
        for (LLVMValueRef i = LLVMGetFirstInstruction(b); i; i = LLVMGetNextInstruction(i))
            collect(e, s, i);
    for (size_t i = 0; i < s->n; i++)
        LLVMSetOperand(s->number[i].user, s->number[i].operand,
                       LLVMGetPoison(LLVMTypeOf(s->number[i].value)));
    s->text = text_of(e, fn);
    for (size_t i = 0; i < s->n; i++)
        LLVMSetOperand(s->number[i].user, s->number[i].operand, s->number[i].value);
}

static bool same_skeleton(const struct skeleton *a, const struct skeleton *b)
{
    return strcmp(a->kernel->cpu, b->kernel->cpu) == 0 &&
           strcmp(a->kernel->features, b->kernel->features) == 0 && a->n == b->n &&
           strcmp(a->text, b->text) == 0;
}

/* ---- the numbers of a group ---- */

static LLVMValueRef value_at(const struct group *g, size_t member, size_t number)
{
    return g->member[member]->number[number].value;
}

static bool same_everywhere(const struct group *g, size_t a, size_t b)
{
    for (size_t m = 0; m < g->n; m++)
        if (value_at(g, m, a) != value_at(g, m, b))
            return false;
    return true;
}

static bool differs(const struct group *g, size_t number)
{
    for (size_t m = 1; m < g->n; m++)
        if (value_at(g, m, number) != value_at(g, 0, number))
            return true;
    return false;
}

/* 64 bits that 32 hold are loaded as such: a processor of 32 bits multiplies them faster. */
static LLVMTypeRef narrowest(const struct group *g, size_t number)
{
    LLVMTypeRef type = LLVMTypeOf(value_at(g, 0, number));
    bool fits = type == g->e->i64;
    for (size_t m = 0; fits && m < g->n; m++) {
        long long v = LLVMConstIntGetSExtValue(value_at(g, m, number));
        fits = v >= INT32_MIN && v <= INT32_MAX;
    }
    return fits ? g->e->i32 : type;
}

static void find_parameters(struct group *g)
{
    size_t n = g->member[0]->n;
    g->param_of = arena_array(g->e->arena, n + 1, sizeof *g->param_of);
    for (size_t i = 0; i < n; i++) {
        size_t p = 0;
        g->param_of[i] = SIZE_MAX;
        if (!differs(g, i))
            continue;
        while (p < g->n_params && !same_everywhere(g, g->param[p].first, i))
            p++;
        if (p == g->n_params)
            ARENA_PUSH(g->e->arena, g->param, g->n_params, g->cap_params) =
                (struct parameter){.first = i, .type = narrowest(g, i)};
        g->param_of[i] = p;
    }
}

/* ---- one function for all ---- */

static LLVMValueRef table_of(struct group *g, size_t member)
{
    struct emit *e = g->e;
    LLVMValueRef *value = arena_array(e->arena, g->n_params + 1, sizeof *value);
    for (size_t p = 0; p < g->n_params; p++) {
        value[p] = value_at(g, member, g->param[p].first);
        if (LLVMTypeOf(value[p]) != g->param[p].type)
            value[p] = LLVMConstTrunc(value[p], g->param[p].type);
    }
    LLVMValueRef init = LLVMConstStructInContext(e->ctx, value, (unsigned)g->n_params, 0);
    LLVMValueRef table = LLVMAddGlobal(e->mod, LLVMTypeOf(init), "");
    LLVMSetInitializer(table, init);
    LLVMSetGlobalConstant(table, 1);
    LLVMSetLinkage(table, LLVMPrivateLinkage);
    LLVMSetUnnamedAddress(table, LLVMGlobalUnnamedAddr);
    return table;
}

static void load_parameters(struct group *g, LLVMTypeRef table)
{
    struct emit *e = g->e;
    LLVMValueRef fn = g->member[0]->kernel->fn, numbers = LLVMGetLastParam(fn);
    LLVMPositionBuilderBefore(e->b, LLVMGetFirstInstruction(LLVMGetEntryBasicBlock(fn)));
    for (size_t p = 0; p < g->n_params; p++) {
        struct parameter *param = &g->param[p];
        LLVMValueRef at = LLVMBuildStructGEP2(e->b, table, numbers, (unsigned)p, "");
        param->value = LLVMBuildLoad2(e->b, param->type, at, "");
        LLVMTypeRef type = LLVMTypeOf(value_at(g, 0, param->first));
        if (type != param->type)
            param->value = LLVMBuildSExt(e->b, param->value, type, "");
    }
    for (size_t i = 0; i < g->member[0]->n; i++) {
        const struct number *at = &g->member[0]->number[i];
        if (g->param_of[i] < g->n_params)
            LLVMSetOperand(at->user, at->operand, g->param[g->param_of[i]].value);
    }
}

/* All calls of a member call the first one's function, with the member's table. */
static void redirect(struct group *g, size_t member, LLVMValueRef table)
{
    struct emitted_kernel *k = g->member[member]->kernel;
    LLVMValueRef old = k->fn;
    k->fn = g->member[0]->kernel->fn;
    for (LLVMUseRef use = LLVMGetFirstUse(old), next; use; use = next) {
        LLVMValueRef call = LLVMGetUser(use);
        next = LLVMGetNextUse(use);
        unsigned callee = (unsigned)LLVMGetNumOperands(call) - 1;
        LLVMSetOperand(call, callee - 1, table);
        if (k->fn != old)
            LLVMSetOperand(call, callee, k->fn);
    }
    if (k->fn != old)
        LLVMDeleteFunction(old);
}

/* An instruction of LLVM's becomes about two bytes.  A parameter takes a load, and four bytes in
   the table of each member; to name its table takes a call eight. */
static bool pays(const struct group *g)
{
    enum { INSTRUCTION = 2, ENTRY = 4 };
    size_t lines = 0;
    for (const char *p = g->member[0]->text; (p = strchr(p, '\n')); p++)
        lines++;
    size_t saved = (g->n - 1) * lines * INSTRUCTION;
    return saved > (g->n_params * (g->n + 1) + 2 * g->n) * ENTRY;
}

static void share_if_it_pays(struct group *g)
{
    LLVMValueRef table = NULL;
    find_parameters(g);
    if (!pays(g))
        return;
    for (size_t m = 0; m < g->n; m++) {
        table = table_of(g, m);
        redirect(g, m, table);
    }
    load_parameters(g, LLVMGlobalGetValueType(table));
}

void emit_share_kernels(struct emit *e)
{
    struct skeleton *skeleton = arena_array(e->arena, e->n_kernels + 1, sizeof *skeleton);
    struct group g = {.e = e};
    for (size_t i = 0; i < e->n_kernels; i++) {
        skeleton[i].kernel = &e->kernels[i];
        find_skeleton(e, &skeleton[i]);
    }
    for (size_t i = 0; i < e->n_kernels; i++) {
        if (skeleton[i].is_shared)
            continue;
        g = (struct group){.e = e};
        g.member = arena_array(e->arena, e->n_kernels - i, sizeof *g.member);
        for (size_t j = i; j < e->n_kernels; j++) {
            if (skeleton[j].is_shared || !same_skeleton(&skeleton[i], &skeleton[j]))
                continue;
            skeleton[j].is_shared = true;
            g.member[g.n++] = &skeleton[j];
        }
        if (g.n > 1)
            share_if_it_pays(&g);
    }
}
