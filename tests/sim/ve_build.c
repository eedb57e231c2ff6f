#include "tests/sim/ve_build.h"

#include <llvm-c/Core.h>
#include <llvm-c/IRReader.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char triple[] = "ve-linux-gnu";

static LLVMTargetMachineRef machine(void)
{
    LLVMTargetRef target;
    char *message = NULL;
    LLVMInitializeVETargetInfo();
    LLVMInitializeVETarget();
    LLVMInitializeVETargetMC();
    LLVMInitializeVEAsmPrinter();
    LLVMInitializeVEAsmParser();
    if (LLVMGetTargetFromTriple(triple, &target, &message)) {
        printf("%s\n", message);
        LLVMDisposeMessage(message);
        return NULL;
    }
    return LLVMCreateTargetMachine(target, triple, "", "+vpu", LLVMCodeGenLevelDefault,
                                   LLVMRelocPIC, LLVMCodeModelDefault);
}

static void *emit(LLVMModuleRef module, size_t *out_n_bytes)
{
    LLVMTargetMachineRef m = machine();
    LLVMMemoryBufferRef buffer = NULL;
    char *message = NULL;
    void *bytes = NULL;
    LLVMSetTarget(module, triple);
    if (m && LLVMTargetMachineEmitToMemoryBuffer(m, module, LLVMObjectFile, &message, &buffer)) {
        printf("%s\n", message);
        LLVMDisposeMessage(message);
    } else if (m) {
        *out_n_bytes = LLVMGetBufferSize(buffer);
        bytes = malloc(*out_n_bytes);
        if (bytes)
            memcpy(bytes, LLVMGetBufferStart(buffer), *out_n_bytes);
        LLVMDisposeMemoryBuffer(buffer);
    }
    if (m)
        LLVMDisposeTargetMachine(m);
    return bytes;
}

void *ve_assemble(const char *assembly, size_t *out_n_bytes)
{
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef module = LLVMModuleCreateWithNameInContext("assembly", context);
    LLVMSetModuleInlineAsm2(module, assembly, strlen(assembly));
    void *bytes = emit(module, out_n_bytes);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    return bytes;
}

void *ve_compile(const char *ir, size_t *out_n_bytes)
{
    LLVMContextRef context = LLVMContextCreate();
    LLVMMemoryBufferRef text = LLVMCreateMemoryBufferWithMemoryRangeCopy(ir, strlen(ir), "ir");
    LLVMModuleRef module = NULL;
    char *message = NULL;
    void *bytes = NULL;
    if (LLVMParseIRInContext(context, text, &module, &message)) {
        printf("%s\n", message);
        LLVMDisposeMessage(message);
    } else {
        bytes = emit(module, out_n_bytes);
        LLVMDisposeModule(module);
    }
    LLVMContextDispose(context);
    return bytes;
}
