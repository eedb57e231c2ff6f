/*
 * processor_features.h: where processors tell what they have.  The runtime looks there itself; the
 * code generator emits code that does.
 */
#ifndef SHEAF_PROCESSOR_FEATURES_H
#define SHEAF_PROCESSOR_FEATURES_H

#include <stddef.h>
#include <stdint.h>

/* ---- x86: CPUID (Intel SDM volume 2, CPUID; AMD APM volume 3) ---- */

enum x86_register { X86_EAX, X86_EBX, X86_ECX, X86_EDX, X86_N_REGISTERS };

/* Register state that the operating system must save: bits of XCR0. */
enum { X86_STATE_AVX = 0x6, X86_STATE_AVX512 = 0xe6, X86_STATE_AMX = 0x60006 };

/* CPUID leaf 1, ECX: XSAVE is switched on, so XCR0 can be read. */
enum { X86_OSXSAVE_BIT = 27 };

/* Linux gives a process the tile registers when it asks (Documentation/arch/x86/xstate.rst).  The
   answer holds for all its threads, and asking again changes nothing. */
enum { X86_SYS_ARCH_PRCTL = 158, X86_ARCH_REQ_XCOMP_PERM = 0x1023, X86_XFEATURE_XTILEDATA = 18 };

struct x86_feature {
    const char *name; /* as LLVM spells it */
    uint32_t leaf, subleaf;
    enum x86_register reg;
    unsigned bit;
    uint32_t state;
};

/* NULL: it is not known. */
const struct x86_feature *sheaf_x86_feature(const char *name, size_t length);

/* ---- ARM64: identification registers, which Linux lets programs read
   (Documentation/arch/arm64/cpu-feature-registers.rst; Arm ARM, DDI 0487, D23.2) ---- */

enum arm64_register { ARM64_PFR0, ARM64_ISAR0, ARM64_ISAR1, ARM64_N_REGISTERS };

struct arm64_feature {
    const char *name; /* as LLVM spells it */
    enum arm64_register reg;
    unsigned shift; /* of its field of four bits */
    int least;      /* the field, as a signed number, where the feature is there */
};

const struct arm64_feature *sheaf_arm64_feature(const char *name, size_t length);

#endif
