/*
 * emit_debug.c: debug information (DWARF) whose source is the program's own text: the steps with
 * the names of the model's nodes, then each kernel as it is emitted.  A debugger shows where in the
 * network it stands, and a profiler which node the time goes to, line by line.
 */
#include <string.h>

#include <llvm-c/DebugInfo.h>

#include "bundle/emit/emit_internal.h"
#include "ir/version.h"

struct emit_debug {
    LLVMDIBuilderRef builder;
    LLVMMetadataRef file, function_type;
    struct strbuf listing;
    size_t counted; /* bytes of the listing whose lines are counted */
    unsigned line;  /* of the byte behind them, from 1 */
};

static void add_flag(struct emit *e, const char *name, uint32_t value)
{
    LLVMAddModuleFlag(e->mod, LLVMModuleFlagBehaviorWarning, name, strlen(name),
                      LLVMValueAsMetadata(LLVMConstInt(e->i32, value, 0)));
}

void emit_debug_begin(struct emit *e, const char *listing_name)
{
    static const char producer[] = SHEAF_TOOL;
    enum { DWARF_VERSION = 4 }; /* what debuggers of firmware read too */
    struct emit_debug *d = arena_new(e->arena, struct emit_debug);
    strbuf_init(&d->listing, e->arena);
    d->line = 1;
    d->builder = LLVMCreateDIBuilder(e->mod);
    d->file = LLVMDIBuilderCreateFile(d->builder, listing_name, strlen(listing_name), ".", 1);
    LLVMDIBuilderCreateCompileUnit(d->builder, LLVMDWARFSourceLanguageC99, d->file, producer,
                                   sizeof producer - 1, 1, "", 0, 0, "", 0, LLVMDWARFEmissionFull,
                                   0, 0, 0, "", 0, "", 0);
    d->function_type = LLVMDIBuilderCreateSubroutineType(d->builder, d->file, NULL, 0, 0);
    add_flag(e, "Debug Info Version", LLVMDebugMetadataVersion());
    add_flag(e, "Dwarf Version", DWARF_VERSION);
    e->debug = d;
}

/* The line of byte `at`, which is not before the last one that was asked for or added. */
static unsigned line_at(const struct emit_debug *d, size_t at)
{
    const char *text = strbuf_text(&d->listing);
    unsigned line = d->line;
    for (size_t i = d->counted; i < at; i++)
        line += text[i] == '\n';
    return line;
}

/* What was counted is not counted again. */
static void advance(struct emit_debug *d)
{
    d->line = line_at(d, d->listing.len);
    d->counted = d->listing.len;
}

static LLVMMetadataRef add_function(struct emit *e, LLVMValueRef fn, const char *name,
                                    unsigned line)
{
    struct emit_debug *d = e->debug;
    size_t length;
    const char *symbol = LLVMGetValueName2(fn, &length);
    LLVMMetadataRef scope = LLVMDIBuilderCreateFunction(
        d->builder, d->file, name, strlen(name), symbol, length, d->file, line, d->function_type,
        LLVMGetLinkage(fn) == LLVMInternalLinkage, 1, line, LLVMDIFlagZero, 1);
    LLVMSetSubprogram(fn, scope);
    return scope;
}

static LLVMMetadataRef location(struct emit *e, LLVMMetadataRef scope, unsigned line)
{
    return LLVMDIBuilderCreateDebugLocation(e->ctx, line, 1, scope, NULL);
}

/* ---- kernels ---- */

void emit_debug_kernel(struct emit_kernel *ek)
{
    struct emit *e = ek->e;
    struct emit_debug *d = e->debug;
    if (!d)
        return;
    size_t *at = arena_array(e->arena, ek->k->n_insts, sizeof *at);
    size_t start = d->listing.len + 1;
    strbuf_add(&d->listing, "\n");
    kernel_print_places(ek->k, &d->listing, at);
    LLVMMetadataRef scope = add_function(e, ek->fn, ek->k->name, line_at(d, start));
    ek->debug_loc = arena_array(e->arena, ek->k->n_insts, sizeof *ek->debug_loc);
    for (size_t v = 0; v < ek->k->n_insts; v++)
        if (at[v] >= start)
            ek->debug_loc[v] = location(e, scope, line_at(d, at[v]));
    LLVMSetCurrentDebugLocation2(e->b, location(e, scope, line_at(d, start)));
    advance(d);
}

LLVMMetadataRef emit_debug_enter(struct emit_kernel *ek, kval v)
{
    if (!ek->debug_loc || !ek->debug_loc[v])
        return NULL;
    LLVMMetadataRef before = LLVMGetCurrentDebugLocation2(ek->e->b);
    LLVMSetCurrentDebugLocation2(ek->e->b, ek->debug_loc[v]);
    return before;
}

void emit_debug_leave(struct emit_kernel *ek, LLVMMetadataRef before)
{
    if (before)
        LLVMSetCurrentDebugLocation2(ek->e->b, before);
}

/* ---- entries ---- */

void emit_debug_program(struct emit *e, const struct program *p)
{
    struct emit_debug *d = e->debug;
    if (!d)
        return;
    strbuf_add(&d->listing, d->listing.len ? "\n" : "");
    advance(d);
    e->program_at = d->listing.len;
    e->program_line = d->line;
    program_print(p, &d->listing);
    advance(d);
}

void emit_debug_entry(struct emit *e, LLVMValueRef fn, const char *name)
{
    if (!e->debug)
        return;
    e->entry_scope = add_function(e, fn, name, e->program_line);
    LLVMSetCurrentDebugLocation2(e->b, location(e, e->entry_scope, e->program_line));
}

/* The line "sN ..." of the program that was printed last. */
void emit_debug_step(struct emit *e, const struct step *s)
{
    struct emit_debug *d = e->debug;
    if (!d)
        return;
    const char *text = strbuf_text(&d->listing) + e->program_at;
    const char *head = arena_printf(e->arena, "\ns%u ", s->id), *found = strstr(text, head);
    unsigned line = e->program_line;
    for (const char *c = text; found && c <= found; c++)
        line += *c == '\n';
    LLVMSetCurrentDebugLocation2(e->b, location(e, e->entry_scope, line));
}

void emit_debug_none(struct emit *e)
{
    LLVMSetCurrentDebugLocation2(e->b, NULL);
}

struct bytes emit_debug_end(struct emit *e)
{
    struct emit_debug *d = e->debug;
    if (!d)
        return (struct bytes){0};
    LLVMDIBuilderFinalize(d->builder);
    LLVMDisposeDIBuilder(d->builder);
    e->debug = NULL;
    return (struct bytes){(const uint8_t *)strbuf_text(&d->listing), d->listing.len};
}
