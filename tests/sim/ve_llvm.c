/* LLVM's disassembler as a reference. */
#include <llvm-c/Disassembler.h>
#include <llvm-c/Target.h>
#include <string.h>

#include "tests/sim/ve.h"

static LLVMDisasmContextRef disassembler;

/* Before the library that this is part of leaves the program. */
__attribute__((destructor)) static void close_disassembler(void)
{
    if (disassembler)
        LLVMDisasmDispose(disassembler);
    disassembler = NULL;
}

static LLVMDisasmContextRef open_disassembler(void)
{
    LLVMInitializeVETargetInfo();
    LLVMInitializeVETarget();
    LLVMInitializeVETargetMC();
    LLVMInitializeVEDisassembler();
    return LLVMCreateDisasmCPUFeatures("ve-linux-gnu", "", "+vpu", NULL, 0, NULL, NULL);
}

bool sim_ve_llvm_text(uint64_t word, char *out_text, size_t size)
{
    uint8_t bytes[8];
    char text[200];
    if (!disassembler)
        disassembler = open_disassembler();
    memcpy(bytes, &word, sizeof bytes);
    if (!disassembler ||
        !LLVMDisasmInstruction(disassembler, bytes, sizeof bytes, 0, text, sizeof text))
        return false;
    size_t n = 0;
    const char *from = text + strspn(text, " \t");
    for (; *from && n + 1 < size; from++)
        out_text[n++] = *from == '\t' ? ' ' : *from;
    out_text[n] = 0;
    return true;
}
