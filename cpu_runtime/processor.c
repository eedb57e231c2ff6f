/* Does this processor have the features that a bundle was compiled for, and may they be used? */
#define _DEFAULT_SOURCE /* syscall */
#include <string.h>

#include "cpu_runtime/cpu_runtime.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <cpuid.h>

enum reg { EAX, EBX, ECX, EDX, N_REGS };

/* Register state that the operating system must save (bits of XCR0). */
enum { STATE_NONE = 0, STATE_AVX = 0x6, STATE_AVX512 = 0xe6, STATE_AMX = 0x60006 };

/* Where CPUID reports a feature (Intel SDM volume 2, CPUID; AMD APM volume 3). */
struct feature {
    const char *name;
    uint32_t leaf, subleaf;
    enum reg reg;
    unsigned bit;
    uint32_t state;
};

static const struct feature features_known[] = {
    {"x87", 1, 0, EDX, 0, STATE_NONE},
    {"cx8", 1, 0, EDX, 8, STATE_NONE},
    {"cmov", 1, 0, EDX, 15, STATE_NONE},
    {"mmx", 1, 0, EDX, 23, STATE_NONE},
    {"fxsr", 1, 0, EDX, 24, STATE_NONE},
    {"sse", 1, 0, EDX, 25, STATE_NONE},
    {"sse2", 1, 0, EDX, 26, STATE_NONE},
    {"sse3", 1, 0, ECX, 0, STATE_NONE},
    {"pclmul", 1, 0, ECX, 1, STATE_NONE},
    {"ssse3", 1, 0, ECX, 9, STATE_NONE},
    {"fma", 1, 0, ECX, 12, STATE_AVX},
    {"cx16", 1, 0, ECX, 13, STATE_NONE},
    {"sse4.1", 1, 0, ECX, 19, STATE_NONE},
    {"sse4.2", 1, 0, ECX, 20, STATE_NONE},
    {"movbe", 1, 0, ECX, 22, STATE_NONE},
    {"popcnt", 1, 0, ECX, 23, STATE_NONE},
    {"aes", 1, 0, ECX, 25, STATE_NONE},
    {"xsave", 1, 0, ECX, 26, STATE_NONE},
    {"avx", 1, 0, ECX, 28, STATE_AVX},
    {"f16c", 1, 0, ECX, 29, STATE_AVX},
    {"rdrnd", 1, 0, ECX, 30, STATE_NONE},
    {"fsgsbase", 7, 0, EBX, 0, STATE_NONE},
    {"bmi", 7, 0, EBX, 3, STATE_NONE},
    {"avx2", 7, 0, EBX, 5, STATE_AVX},
    {"bmi2", 7, 0, EBX, 8, STATE_NONE},
    {"avx512f", 7, 0, EBX, 16, STATE_AVX512},
    {"avx512dq", 7, 0, EBX, 17, STATE_AVX512},
    {"rdseed", 7, 0, EBX, 18, STATE_NONE},
    {"adx", 7, 0, EBX, 19, STATE_NONE},
    {"avx512ifma", 7, 0, EBX, 21, STATE_AVX512},
    {"clflushopt", 7, 0, EBX, 23, STATE_NONE},
    {"clwb", 7, 0, EBX, 24, STATE_NONE},
    {"avx512cd", 7, 0, EBX, 28, STATE_AVX512},
    {"sha", 7, 0, EBX, 29, STATE_NONE},
    {"avx512bw", 7, 0, EBX, 30, STATE_AVX512},
    {"avx512vl", 7, 0, EBX, 31, STATE_AVX512},
    {"avx512vbmi", 7, 0, ECX, 1, STATE_AVX512},
    {"avx512vbmi2", 7, 0, ECX, 6, STATE_AVX512},
    {"gfni", 7, 0, ECX, 8, STATE_NONE},
    {"vaes", 7, 0, ECX, 9, STATE_AVX},
    {"vpclmulqdq", 7, 0, ECX, 10, STATE_AVX},
    {"avx512vnni", 7, 0, ECX, 11, STATE_AVX512},
    {"avx512bitalg", 7, 0, ECX, 12, STATE_AVX512},
    {"avx512vpopcntdq", 7, 0, ECX, 14, STATE_AVX512},
    {"rdpid", 7, 0, ECX, 22, STATE_NONE},
    {"avx512vp2intersect", 7, 0, EDX, 8, STATE_AVX512},
    {"amx-bf16", 7, 0, EDX, 22, STATE_AMX},
    {"avx512fp16", 7, 0, EDX, 23, STATE_AVX512},
    {"amx-tile", 7, 0, EDX, 24, STATE_AMX},
    {"amx-int8", 7, 0, EDX, 25, STATE_AMX},
    {"avxvnni", 7, 1, EAX, 4, STATE_AVX},
    {"avx512bf16", 7, 1, EAX, 5, STATE_AVX512},
    {"amx-fp16", 7, 1, EAX, 21, STATE_AMX},
    {"avxifma", 7, 1, EAX, 23, STATE_AVX},
    {"avxvnniint8", 7, 1, EDX, 4, STATE_AVX},
    {"avxneconvert", 7, 1, EDX, 5, STATE_AVX},
    {"sahf", 0x80000001u, 0, ECX, 0, STATE_NONE},
    {"lzcnt", 0x80000001u, 0, ECX, 5, STATE_NONE},
    {"sse4a", 0x80000001u, 0, ECX, 6, STATE_NONE},
    {"prfchw", 0x80000001u, 0, ECX, 8, STATE_NONE},
};

static uint32_t cpuid_register(uint32_t leaf, uint32_t subleaf, enum reg reg)
{
    uint32_t v[N_REGS];
    if (!__get_cpuid_count(leaf, subleaf, &v[EAX], &v[EBX], &v[ECX], &v[EDX]))
        return 0;
    return v[reg];
}

/* XCR0, or 0 where the operating system has not switched XSAVE on. */
static uint32_t saved_state(void)
{
    const unsigned osxsave = 27;
    if (!(cpuid_register(1, 0, ECX) >> osxsave & 1))
        return 0;
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
    return low;
}

static int is_missing(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof features_known / sizeof *features_known; i++) {
        const struct feature *f = &features_known[i];
        if (strlen(f->name) != length || memcmp(f->name, name, length) != 0)
            continue;
        if ((saved_state() & f->state) != f->state)
            return 1;
        return !(cpuid_register(f->leaf, f->subleaf, f->reg) >> f->bit & 1);
    }
    return 0;
}

#else

static int is_missing(const char *name, size_t length)
{
    (void)name;
    (void)length;
    return 0;
}

#endif

const char *sheaf_cpu_missing_feature(const char *features, size_t *out_length)
{
    for (const char *p = features; *p;) {
        size_t length = strcspn(p, ",");
        size_t sign = *p == '+' || *p == '-';
        if (*p != '-' && is_missing(p + sign, length - sign)) {
            *out_length = length - sign;
            return p + sign;
        }
        p += length;
        p += *p == ',';
    }
    return NULL;
}

/* ---- permission ---- */

#if defined(__x86_64__) && defined(__linux__)

#include <sys/syscall.h>
#include <unistd.h>

/* Linux gives a process the tile registers when it asks (Documentation/arch/x86/xstate.rst).  The
   answer holds for all its threads, and asking again changes nothing. */
static int permits_tiles(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
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
    for (const char *p = features; *p;) {
        size_t length = strcspn(p, ",");
        size_t sign = *p == '+' || *p == '-';
        if (*p != '-' && length - sign == sizeof tiles - 1 &&
            memcmp(p + sign, tiles, sizeof tiles - 1) == 0)
            return permits_tiles();
        p += length;
        p += *p == ',';
    }
    return 1;
}
