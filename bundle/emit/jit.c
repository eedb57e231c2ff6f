#include "bundle/emit/jit.h"

#include <stdlib.h>
#include <string.h>

#include <llvm-c/Core.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Target.h>

struct jit {
    LLVMOrcLLJITRef lljit;
};

static bool fail(LLVMErrorRef failed, const char *what, struct error *err)
{
    char *text = LLVMGetErrorMessage(failed);
    error_set(err, SHEAF_ERROR_CODEGEN, "cannot %s the code in memory: %s", what, text);
    LLVMDisposeErrorMessage(text);
    return false;
}

/* The address of a symbol, to a pointer to function or data. */
static bool look_up(struct jit *j, const char *name, void *out_pointer, struct error *err)
{
    LLVMOrcExecutorAddress address;
    LLVMErrorRef failed = LLVMOrcLLJITLookup(j->lljit, &address, name);
    if (failed)
        return fail(failed, "link", err);
    uintptr_t p = (uintptr_t)address;
    memcpy(out_pointer, &p, sizeof p);
    return true;
}

static bool link_object(struct jit *j, const struct bytes *object, const char *name,
                        sheaf_entry_fn *out_entry, struct error *err)
{
    LLVMMemoryBufferRef buffer = LLVMCreateMemoryBufferWithMemoryRangeCopy(
        (const char *)object->data, object->size, "bundle.o");
    LLVMErrorRef failed =
        LLVMOrcLLJITAddObjectFile(j->lljit, LLVMOrcLLJITGetMainJITDylib(j->lljit), buffer);
    if (failed)
        return fail(failed, "link", err);
    return look_up(j, name, out_entry, err);
}

sheaf_entry_fn jit_function(struct jit *j, const char *name)
{
    struct error err;
    error_init(&err);
    sheaf_entry_fn fn;
    return look_up(j, name, &fn, &err) ? fn : NULL;
}

const void *jit_data(struct jit *j, const char *name)
{
    struct error err;
    error_init(&err);
    const void *data;
    return look_up(j, name, &data, &err) ? data : NULL;
}

static bool define_functions(struct jit *j, const struct kextern_functions *f, struct error *err)
{
    for (size_t i = 0; f && i < f->n; i++) {
        uintptr_t at;
        memcpy(&at, &f->function[i].fn, sizeof at);
        LLVMOrcCSymbolMapPair symbol = {
            .Name = LLVMOrcLLJITMangleAndIntern(j->lljit, f->function[i].symbol),
            .Sym = {.Address = at,
                    .Flags = {.GenericFlags = LLVMJITSymbolGenericFlagsExported |
                                              LLVMJITSymbolGenericFlagsCallable}},
        };
        LLVMErrorRef failed = LLVMOrcJITDylibDefine(LLVMOrcLLJITGetMainJITDylib(j->lljit),
                                                    LLVMOrcAbsoluteSymbols(&symbol, 1));
        if (failed)
            return fail(failed, "link", err);
    }
    return true;
}

bool jit_open(const struct bytes *object, const char *name,
              const struct kextern_functions *functions, struct jit **out_jit,
              sheaf_entry_fn *out_entry, struct error *err)
{
    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
    struct jit *j = calloc(1, sizeof *j);
    if (!j)
        return error_set(err, SHEAF_ERROR_MEMORY, "out of memory");
    LLVMErrorRef failed = LLVMOrcCreateLLJIT(&j->lljit, NULL);
    bool ok = failed ? fail(failed, "load", err)
                     : define_functions(j, functions, err) &&
                           link_object(j, object, name, out_entry, err);
    if (!ok) {
        jit_close(j);
        return false;
    }
    *out_jit = j;
    return true;
}

void jit_close(struct jit *j)
{
    if (!j)
        return;
    if (j->lljit) {
        LLVMErrorRef failed = LLVMOrcDisposeLLJIT(j->lljit);
        if (failed)
            LLVMConsumeError(failed);
    }
    free(j);
}
