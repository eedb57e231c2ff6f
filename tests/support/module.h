/*
 * module.h: an empty LLVM module for a target, and the machine that makes objects of it.
 */
#ifndef SHEAF_TESTS_MODULE_H
#define SHEAF_TESTS_MODULE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <llvm-c/Core.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>

static inline LLVMModuleRef module_for(const char *triple, const char *cpu, const char *features,
                                       LLVMTargetMachineRef *out_tm)
{
    LLVMInitializeAllTargetInfos();
    LLVMInitializeAllTargets();
    LLVMInitializeAllTargetMCs();
    LLVMInitializeAllAsmPrinters();
    LLVMModuleRef mod = LLVMModuleCreateWithName("support");
    char *message = NULL;
    LLVMTargetRef target;
    assert_int_equal(LLVMGetTargetFromTriple(triple, &target, &message), 0);
    *out_tm = LLVMCreateTargetMachine(target, triple, cpu, features, LLVMCodeGenLevelDefault,
                                      LLVMRelocPIC, LLVMCodeModelDefault);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(*out_tm);
    LLVMSetTarget(mod, triple);
    LLVMSetModuleDataLayout(mod, layout);
    LLVMDisposeTargetData(layout);
    return mod;
}

#endif
