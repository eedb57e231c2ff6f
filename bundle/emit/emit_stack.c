/*
 * emit_stack.c: how much stack a call of an entry needs at most.
 *
 * LLVM says the frame of each function that it generates (the diagnostic of the attribute
 * "warn-stack-size" with a limit of 0).  Who calls whom is in the module, but for calls that the
 * back end makes of support routines: those are relocations of the object where functions have
 * sections of their own, else every function counts as a caller of each.  There is no recursion.
 *
 * Registers of RISC-V's vector extension are as long as the processor has them, and so are their
 * places in a frame: LLVM does not count those.  Code that keeps vectors there asks the processor
 * how long they are, and what it needs is not known.
 */
#include <assert.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/emit/emit_internal.h"
#include "bundle/emit/support.h"
#include "bundle/read/object.h"

struct function {
    const char *name;
    uint64_t frame;
    uint64_t slack;     /* that a frame with vectors may lose, for it begins at a multiple of one */
    uint64_t arguments; /* of the call that passes most, where they are no part of the frame */
    size_t *callees;
    size_t n_callees, cap_callees;
    uint64_t deepest; /* with its callees; 0: not known yet */
};

struct call_graph {
    struct emit *e;
    const struct emit_request *req;
    struct function *fn;
    size_t n;
};

void emit_stack_note(struct emit *e, const char *diagnostic)
{
    unsigned long long frame;
    const char *at = strstr(diagnostic, "stack frame size ("),
               *name = strstr(diagnostic, "function '");
    if (!at || !name || sscanf(at, "stack frame size (%llu)", &frame) != 1)
        return;
    name += strlen("function '");
    ARENA_PUSH(e->arena, e->frames, e->n_frames, e->cap_frames) =
        (struct emit_frame){arena_strndup(e->arena, name, strcspn(name, "'")), frame};
}

/* Of several runs of the back end the last counts. */
static uint64_t frame_of(const struct emit *e, const char *name)
{
    for (size_t i = e->n_frames; i > 0; i--)
        if (strcmp(e->frames[i - 1].function, name) == 0)
            return e->frames[i - 1].bytes;
    return 0;
}

static size_t find(const struct call_graph *g, const char *name)
{
    for (size_t i = 0; i < g->n; i++)
        if (strcmp(g->fn[i].name, name) == 0)
            return i;
    return g->n;
}

static void add_call(struct call_graph *g, size_t caller, size_t callee)
{
    struct function *f = &g->fn[caller];
    if (caller == g->n || callee == g->n || caller == callee)
        return;
    for (size_t i = 0; i < f->n_callees; i++)
        if (f->callees[i] == callee)
            return;
    ARENA_PUSH(g->e->arena, f->callees, f->n_callees, f->cap_callees) = callee;
}

static const char *name_of(LLVMValueRef fn)
{
    size_t length;
    return LLVMGetValueName2(fn, &length);
}

/* The widest vector of those parts that the function may belong to. */
static int vector_bytes_of(const struct call_graph *g, LLVMValueRef fn)
{
    static const char KEY[] = "target-features";
    unsigned length;
    LLVMAttributeRef own = LLVMGetStringAttributeAtIndex(
        fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, KEY, sizeof KEY - 1);
    const char *features = own ? LLVMGetStringAttributeValue(own, &length) : g->e->features;
    int widest = 0, exact = 0;
    for (size_t i = 0; i < g->req->n_entries; i++)
        for (size_t k = 0; k < g->req->entries[i].n_parts; k++) {
            const struct target *t = g->req->entries[i].parts[k].target;
            bool is_of = strcmp(t->features, features) == 0;
            widest = t->vector_bytes > widest ? t->vector_bytes : widest;
            exact = is_of && t->vector_bytes > exact ? t->vector_bytes : exact;
        }
    return exact ? exact : widest;
}

static uint64_t slack_of(const struct call_graph *g, LLVMValueRef fn, uint64_t frame)
{
    int vector_bytes = vector_bytes_of(g, fn), align = g->e->target->stack_align;
    return frame && vector_bytes > align && g->e->target->realigns_frames
               ? (uint64_t)(vector_bytes - align)
               : 0;
}

static void add_functions(struct call_graph *g)
{
    struct emit *e = g->e;
    size_t n = 0;
    for (LLVMValueRef fn = LLVMGetFirstFunction(e->mod); fn; fn = LLVMGetNextFunction(fn))
        n += !LLVMIsDeclaration(fn);
    g->fn = arena_array(e->arena, n, sizeof *g->fn);
    for (LLVMValueRef fn = LLVMGetFirstFunction(e->mod); fn; fn = LLVMGetNextFunction(fn)) {
        if (LLVMIsDeclaration(fn))
            continue;
        const char *name = arena_strdup(e->arena, name_of(fn));
        uint64_t frame = frame_of(e, name);
        g->fn[g->n++] =
            (struct function){.name = name, .frame = frame, .slack = slack_of(g, fn, frame)};
    }
}

/*
 * What a call passes on the stack and LLVM may not count: on x86-64 it pushes what the registers do
 * not take, and on ARM it moves the stack pointer for calls where that is much
 * (ARMFrameLowering and Thumb1FrameLowering::hasReservedCallFrame).
 */
static uint64_t argument_bytes(const struct emit *e, LLVMValueRef call)
{
    enum { X86_REGISTERS = 6, ARM_REGISTERS = 4, ARM_RESERVED = 2047, THUMB1_RESERVED = 508 };
    const struct target *t = e->target;
    bool is_x86 = t->call_bytes != 0, is_thumb1 = strncmp(t->triple, "thumbv6m", 8) == 0;
    if (!is_x86 && !emit_is_arm(e))
        return 0;
    uint64_t n = LLVMGetNumArgOperands(call), align = (uint64_t)t->stack_align;
    uint64_t in_registers = is_x86 ? X86_REGISTERS : ARM_REGISTERS;
    uint64_t least = is_x86 ? 1 : is_thumb1 ? THUMB1_RESERVED : ARM_RESERVED;
    uint64_t bytes = n > in_registers ? (n - in_registers) * LLVMPointerSize(e->layout) : 0;
    return bytes < least ? 0 : (bytes + align - 1) / align * align;
}

static void add_call_of(struct call_graph *g, size_t caller, LLVMValueRef call)
{
    size_t callee = find(g, name_of(LLVMGetCalledValue(call)));
    if (callee == g->n)
        return;
    struct function *f = &g->fn[caller];
    uint64_t bytes = argument_bytes(g->e, call);
    f->arguments = bytes > f->arguments ? bytes : f->arguments;
    add_call(g, caller, callee);
}

static void add_calls_of(struct call_graph *g, LLVMValueRef fn)
{
    size_t caller = find(g, name_of(fn));
    for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(fn); b; b = LLVMGetNextBasicBlock(b))
        for (LLVMValueRef i = LLVMGetFirstInstruction(b); i; i = LLVMGetNextInstruction(i))
            if (LLVMIsACallInst(i) && LLVMIsAFunction(LLVMGetCalledValue(i)))
                add_call_of(g, caller, i);
}

/* The function whose code starts a section; n where there is none. */
static size_t function_of_section(const struct call_graph *g, const struct object *o,
                                  uint32_t section)
{
    for (uint32_t i = 1; i < o->n_symbols; i++) {
        struct object_symbol s;
        if (object_symbol(o, i, &s) && s.is_function && s.section == section)
            return find(g, s.name);
    }
    return g->n;
}

static void add_calls_in_sections(struct call_graph *g, const struct object *o)
{
    for (uint32_t i = 1; i < o->n_sections; i++) {
        struct object_section s;
        struct object_relocation r;
        struct object_symbol callee;
        if (!object_section(o, i, &s))
            continue;
        size_t caller = function_of_section(g, o, s.info);
        for (uint64_t k = 0; caller < g->n && object_relocation(o, i, k, &r); k++)
            if (object_symbol(o, r.symbol, &callee) && callee.is_function)
                add_call(g, caller, find(g, callee.name));
    }
}

static bool is_support(const struct emit *e, const char *name)
{
    bool is_arm = emit_is_arm(e);
    const char *known;
    for (size_t i = 0; (known = support_name(i, is_arm)) != NULL; i++)
        if (strcmp(known, name) == 0)
            return true;
    return false;
}

/* Calls that neither the module nor the object shows. */
static void add_hidden_calls(struct call_graph *g)
{
    for (size_t k = 0; !g->e->target->has_function_sections && k < g->n; k++)
        for (size_t i = 0; is_support(g->e, g->fn[k].name) && i < g->n; i++)
            if (!is_support(g->e, g->fn[i].name))
                add_call(g, i, k);
}

static uint64_t deepest(struct call_graph *g, size_t i)
{
    struct function *f = &g->fn[i];
    if (f->deepest)
        return f->deepest;
    uint64_t below = 0;
    for (size_t k = 0; k < f->n_callees; k++) {
        uint64_t n = deepest(g, f->callees[k]);
        below = n > below ? n : below;
    }
    f->deepest = f->frame + f->slack + f->arguments + (uint64_t)g->e->target->call_bytes + below;
    return f->deepest;
}

/* Whether code of RISC-V's vector extension has frames with vectors: only for those it reads the
   register `vlenb` (CSR 0xc22).  An instruction begins at an even offset. */
static bool has_vectors_in_frames(const struct object *o)
{
    static const uint32_t CSRR_VLENB = 0xc2202073, DESTINATION = 0x1fu << 7;
    for (uint32_t i = 1; i < o->n_sections; i++) {
        struct object_section s;
        if (!object_section(o, i, &s) || !(s.flags & SHF_EXECINSTR))
            continue;
        const uint8_t *code = o->data + s.offset;
        for (uint64_t at = 0; at + 4 <= s.size; at += 2) {
            uint32_t word = code[at] | (uint32_t)code[at + 1] << 8 | (uint32_t)code[at + 2] << 16 |
                            (uint32_t)code[at + 3] << 24;
            if ((word & ~DESTINATION) == CSRR_VLENB)
                return true;
        }
    }
    return false;
}

uint64_t emit_stack_of(struct emit *e, const struct emit_request *req, const struct bytes *object,
                       const char *entry)
{
    struct call_graph g = {.e = e, .req = req};
    struct object o;
    bool is_elf = !object_open(object->data, object->size, &o);
    if (e->target->frames_vary && has_vectors_in_frames(&o))
        return 0;
    add_functions(&g);
    for (LLVMValueRef fn = LLVMGetFirstFunction(e->mod); fn; fn = LLVMGetNextFunction(fn))
        add_calls_of(&g, fn);
    if (e->target->has_function_sections && is_elf)
        add_calls_in_sections(&g, &o);
    add_hidden_calls(&g);
    size_t i = find(&g, entry);
    assert(i < g.n);
    return deepest(&g, i) + (uint64_t)e->target->red_zone_bytes;
}
