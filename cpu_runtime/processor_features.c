#include "cpu_runtime/processor_features.h"

#include <string.h>

static const struct x86_feature X86_FEATURES[] = {
    {"x87", 1, 0, X86_EDX, 0, 0},
    {"cx8", 1, 0, X86_EDX, 8, 0},
    {"cmov", 1, 0, X86_EDX, 15, 0},
    {"mmx", 1, 0, X86_EDX, 23, 0},
    {"fxsr", 1, 0, X86_EDX, 24, 0},
    {"sse", 1, 0, X86_EDX, 25, 0},
    {"sse2", 1, 0, X86_EDX, 26, 0},
    {"sse3", 1, 0, X86_ECX, 0, 0},
    {"pclmul", 1, 0, X86_ECX, 1, 0},
    {"ssse3", 1, 0, X86_ECX, 9, 0},
    {"fma", 1, 0, X86_ECX, 12, X86_STATE_AVX},
    {"cx16", 1, 0, X86_ECX, 13, 0},
    {"sse4.1", 1, 0, X86_ECX, 19, 0},
    {"sse4.2", 1, 0, X86_ECX, 20, 0},
    {"movbe", 1, 0, X86_ECX, 22, 0},
    {"popcnt", 1, 0, X86_ECX, 23, 0},
    {"aes", 1, 0, X86_ECX, 25, 0},
    {"xsave", 1, 0, X86_ECX, 26, 0},
    {"avx", 1, 0, X86_ECX, 28, X86_STATE_AVX},
    {"f16c", 1, 0, X86_ECX, 29, X86_STATE_AVX},
    {"rdrnd", 1, 0, X86_ECX, 30, 0},
    {"fsgsbase", 7, 0, X86_EBX, 0, 0},
    {"bmi", 7, 0, X86_EBX, 3, 0},
    {"avx2", 7, 0, X86_EBX, 5, X86_STATE_AVX},
    {"bmi2", 7, 0, X86_EBX, 8, 0},
    {"avx512f", 7, 0, X86_EBX, 16, X86_STATE_AVX512},
    {"avx512dq", 7, 0, X86_EBX, 17, X86_STATE_AVX512},
    {"rdseed", 7, 0, X86_EBX, 18, 0},
    {"adx", 7, 0, X86_EBX, 19, 0},
    {"avx512ifma", 7, 0, X86_EBX, 21, X86_STATE_AVX512},
    {"clflushopt", 7, 0, X86_EBX, 23, 0},
    {"clwb", 7, 0, X86_EBX, 24, 0},
    {"avx512cd", 7, 0, X86_EBX, 28, X86_STATE_AVX512},
    {"sha", 7, 0, X86_EBX, 29, 0},
    {"avx512bw", 7, 0, X86_EBX, 30, X86_STATE_AVX512},
    {"avx512vl", 7, 0, X86_EBX, 31, X86_STATE_AVX512},
    {"avx512vbmi", 7, 0, X86_ECX, 1, X86_STATE_AVX512},
    {"avx512vbmi2", 7, 0, X86_ECX, 6, X86_STATE_AVX512},
    {"gfni", 7, 0, X86_ECX, 8, 0},
    {"vaes", 7, 0, X86_ECX, 9, X86_STATE_AVX},
    {"vpclmulqdq", 7, 0, X86_ECX, 10, X86_STATE_AVX},
    {"avx512vnni", 7, 0, X86_ECX, 11, X86_STATE_AVX512},
    {"avx512bitalg", 7, 0, X86_ECX, 12, X86_STATE_AVX512},
    {"avx512vpopcntdq", 7, 0, X86_ECX, 14, X86_STATE_AVX512},
    {"rdpid", 7, 0, X86_ECX, 22, 0},
    {"avx512vp2intersect", 7, 0, X86_EDX, 8, X86_STATE_AVX512},
    {"amx-bf16", 7, 0, X86_EDX, 22, X86_STATE_AMX},
    {"avx512fp16", 7, 0, X86_EDX, 23, X86_STATE_AVX512},
    {"amx-tile", 7, 0, X86_EDX, 24, X86_STATE_AMX},
    {"amx-int8", 7, 0, X86_EDX, 25, X86_STATE_AMX},
    {"avxvnni", 7, 1, X86_EAX, 4, X86_STATE_AVX},
    {"avx512bf16", 7, 1, X86_EAX, 5, X86_STATE_AVX512},
    {"amx-fp16", 7, 1, X86_EAX, 21, X86_STATE_AMX},
    {"avxifma", 7, 1, X86_EAX, 23, X86_STATE_AVX},
    {"avxvnniint8", 7, 1, X86_EDX, 4, X86_STATE_AVX},
    {"avxneconvert", 7, 1, X86_EDX, 5, X86_STATE_AVX},
    {"sahf", 0x80000001u, 0, X86_ECX, 0, 0},
    {"lzcnt", 0x80000001u, 0, X86_ECX, 5, 0},
    {"sse4a", 0x80000001u, 0, X86_ECX, 6, 0},
    {"prfchw", 0x80000001u, 0, X86_ECX, 8, 0},
};

static const struct arm64_feature ARM64_FEATURES[] = {
    {"neon", ARM64_PFR0, 20, 0},     {"fullfp16", ARM64_PFR0, 20, 1},
    {"dotprod", ARM64_ISAR0, 44, 1}, {"fp16fml", ARM64_ISAR0, 48, 1},
    {"bf16", ARM64_ISAR1, 44, 1},    {"i8mm", ARM64_ISAR1, 52, 1},
};

static int is_named(const char *feature, const char *name, size_t length)
{
    return strlen(feature) == length && memcmp(feature, name, length) == 0;
}

const struct x86_feature *sheaf_x86_feature(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof X86_FEATURES / sizeof *X86_FEATURES; i++)
        if (is_named(X86_FEATURES[i].name, name, length))
            return &X86_FEATURES[i];
    return NULL;
}

const struct arm64_feature *sheaf_arm64_feature(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof ARM64_FEATURES / sizeof *ARM64_FEATURES; i++)
        if (is_named(ARM64_FEATURES[i].name, name, length))
            return &ARM64_FEATURES[i];
    return NULL;
}
