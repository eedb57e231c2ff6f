/* Does this processor have the features that a bundle was compiled for, and may they be used? */
#define _DEFAULT_SOURCE /* syscall */
#include <string.h>

#include "cpu_runtime/cpu_runtime.h"
#include "cpu_runtime/processor_features.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <cpuid.h>

static uint32_t cpuid_register(uint32_t leaf, uint32_t subleaf, enum x86_register reg)
{
    uint32_t v[X86_N_REGISTERS];
    if (!__get_cpuid_count(leaf, subleaf, &v[X86_EAX], &v[X86_EBX], &v[X86_ECX], &v[X86_EDX]))
        return 0;
    return v[reg];
}

/* XCR0, or 0 where the operating system has not switched XSAVE on. */
static uint32_t saved_state(void)
{
    if (!(cpuid_register(1, 0, X86_ECX) >> X86_OSXSAVE_BIT & 1))
        return 0;
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
    return low;
}

static int is_missing(const char *name, size_t length)
{
    const struct x86_feature *f = sheaf_x86_feature(name, length);
    if (!f)
        return 0;
    if ((saved_state() & f->state) != f->state)
        return 1;
    return !(cpuid_register(f->leaf, f->subleaf, f->reg) >> f->bit & 1);
}

#elif defined(__aarch64__) && defined(__linux__) && defined(__GNUC__)

static uint64_t id_register(enum arm64_register reg)
{
    uint64_t v;
    if (reg == ARM64_PFR0)
        __asm__("mrs %0, ID_AA64PFR0_EL1" : "=r"(v));
    else if (reg == ARM64_ISAR0)
        __asm__("mrs %0, ID_AA64ISAR0_EL1" : "=r"(v));
    else
        __asm__("mrs %0, ID_AA64ISAR1_EL1" : "=r"(v));
    return v;
}

static int is_missing(const char *name, size_t length)
{
    const struct arm64_feature *f = sheaf_arm64_feature(name, length);
    if (!f)
        return 0;
    int field = (int)(id_register(f->reg) >> f->shift & 15);
    return (field < 8 ? field : field - 16) < f->least;
}

#else

static int is_missing(const char *name, size_t length)
{
    (void)name;
    (void)length;
    return 0;
}

#endif

/* The next feature of a list that is not one to do without, behind *at; NULL at its end. */
static const char *next_wanted(const char **at, size_t *out_length)
{
    while (**at) {
        const char *p = *at;
        size_t length = strcspn(p, ","), sign = *p == '+' || *p == '-';
        *at += length;
        *at += **at == ',';
        *out_length = length - sign;
        if (*p != '-')
            return p + sign;
    }
    return NULL;
}

const char *sheaf_cpu_missing_feature(const char *features, size_t *out_length)
{
    const char *name;
    size_t length;
    while ((name = next_wanted(&features, &length)) != NULL) {
        if (is_missing(name, length)) {
            *out_length = length;
            return name;
        }
    }
    return NULL;
}

/* ---- permission ---- */

#if defined(__x86_64__) && defined(__linux__)

#include <unistd.h>

static int permits_tiles(void)
{
    return syscall(X86_SYS_ARCH_PRCTL, X86_ARCH_REQ_XCOMP_PERM, X86_XFEATURE_XTILEDATA) == 0;
}

#else

static int permits_tiles(void)
{
    return 1;
}

#endif

int sheaf_cpu_permit(const char *features)
{
    static const char tiles[] = "amx-tile";
    const char *name;
    size_t length;
    while ((name = next_wanted(&features, &length)) != NULL)
        if (length == sizeof tiles - 1 && memcmp(name, tiles, length) == 0)
            return permits_tiles();
    return 1;
}
