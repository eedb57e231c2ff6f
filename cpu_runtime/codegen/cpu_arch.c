/*
 * LLVM's C API does not tell which features a named processor has, and the bundle must name what it
 * needs, so they are spelled out here, as LLVM's tables of processors have them (X86.td,
 * AArch64Processors.td, ARM.td, RISCVProcessors.td).
 */
#include "cpu_runtime/codegen/cpu_arch.h"

#include <assert.h>
#include <string.h>

#include "cpu_runtime/codegen/cpu_host.h"
#include "ir/target.h"

/* The baseline of x86-64: AVX2 and FMA, which Intel's Core and Xeon have since Haswell (2013) and
   AMD's processors since Excavator (2015). */
static const struct cpu_arch ARCHITECTURES[] = {
    {.name = "x86_64",
     .other = "x86",
     .triple = "x86_64-unknown-linux-gnu",
     .plain = "x86-64",
     .always = "sse2",
     .baseline = "x86-64-v3"},
    {.name = "aarch64",
     .other = "arm64",
     .triple = "aarch64-unknown-linux-gnu",
     .plain = "generic",
     .always = "neon",
     .baseline = "generic"},
    {.name = "armv7",
     .triple = "armv7-unknown-linux-gnueabi",
     .hard_float_triple = "armv7-unknown-linux-gnueabihf",
     .plain = "generic",
     .baseline = "generic"},
    {.name = "thumbv6m",
     .triple = "thumbv6m-unknown-none-eabi",
     .has_no_floats = true,
     .is_bare = true,
     .plain = "generic",
     .baseline = "cortex-m0"},
    {.name = "thumbv7m",
     .triple = "thumbv7m-unknown-none-eabi",
     .has_no_floats = true,
     .is_bare = true,
     .plain = "generic",
     .baseline = "cortex-m3"},
    {.name = "thumbv7em",
     .triple = "thumbv7em-unknown-none-eabi",
     .hard_float_triple = "thumbv7em-unknown-none-eabihf",
     .is_bare = true,
     .plain = "generic",
     .always = "dsp",
     .baseline = "generic"},
    {.name = "thumbv8m.main",
     .triple = "thumbv8m.main-unknown-none-eabi",
     .hard_float_triple = "thumbv8m.main-unknown-none-eabihf",
     .is_bare = true,
     .plain = "generic",
     .baseline = "generic"},
    {.name = "thumbv8.1m.main",
     .triple = "thumbv8.1m.main-unknown-none-eabi",
     .hard_float_triple = "thumbv8.1m.main-unknown-none-eabihf",
     .is_bare = true,
     .plain = "generic",
     .baseline = "generic"},
    {.name = "riscv64",
     .triple = "riscv64-unknown-linux-gnu",
     .soft_float_abi = "lp64",
     .plain = "generic-rv64",
     .baseline = "generic"},
    {.name = "riscv32",
     .triple = "riscv32-unknown-none-elf",
     .soft_float_abi = "ilp32",
     .is_bare = true,
     .plain = "generic-rv32",
     .baseline = "generic"},
    {.name = "wasm32",
     .triple = "wasm32-unknown-unknown",
     .is_bare = true,
     .plain = "mvp",
     .baseline = "generic"},
};
enum { N_ARCHITECTURES = sizeof ARCHITECTURES / sizeof ARCHITECTURES[0] };

#define X86_V1   "+sse2"
#define X86_V2   X86_V1 ",+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16"
#define X86_V3   X86_V2 ",+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+movbe"
#define X86_V4   X86_V3 ",+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"
#define X86_VNNI X86_V4 ",+avx512vnni"
#define X86_SPR  X86_VNNI ",+avx512bf16,+avx512fp16,+amx-tile,+amx-int8,+amx-bf16"

#define ARMV8_0 "+neon"
#define ARMV8_2 ARMV8_0 ",+fullfp16,+dotprod"
#define ARMV8_4 ARMV8_2 ",+fp16fml"
#define ARMV8_6 ARMV8_4 ",+bf16,+i8mm"

#define RV_GC "+m,+a,+f,+d,+c"

static const struct {
    const char *arch, *cpu, *features;
} PROCESSORS[] = {
    {"x86_64", "x86-64", X86_V1},
    {"x86_64", "x86-64-v2", X86_V2},
    {"x86_64", "nehalem", X86_V2},
    {"x86_64", "x86-64-v3", X86_V3},
    {"x86_64", "haswell", X86_V3},
    {"x86_64", "broadwell", X86_V3},
    {"x86_64", "skylake", X86_V3},
    {"x86_64", "alderlake", X86_V3 ",+avxvnni"},
    {"x86_64", "znver2", X86_V3},
    {"x86_64", "znver3", X86_V3},
    {"x86_64", "x86-64-v4", X86_V4},
    {"x86_64", "skylake-avx512", X86_V4},
    {"x86_64", "cascadelake", X86_VNNI},
    {"x86_64", "icelake-server", X86_VNNI},
    {"x86_64", "znver4", X86_VNNI ",+avx512bf16"},
    {"x86_64", "sapphirerapids", X86_SPR},

    {"aarch64", "generic", ARMV8_0},
    {"aarch64", "cortex-a53", ARMV8_0},
    {"aarch64", "cortex-a72", ARMV8_0},
    {"aarch64", "cortex-a55", ARMV8_2},
    {"aarch64", "cortex-a76", ARMV8_2},
    {"aarch64", "neoverse-n1", ARMV8_2},
    {"aarch64", "apple-m1", ARMV8_4},
    {"aarch64", "apple-m2", ARMV8_6},
    {"aarch64", "cortex-x2", ARMV8_6},
    {"aarch64", "neoverse-v1", ARMV8_6},
    {"aarch64", "neoverse-n2", ARMV8_6},

    {"armv7", "generic", "+vfp3d16"},
    {"armv7", "cortex-a9", "+vfp3d16,+vfp3,+neon"},
    {"armv7", "cortex-a7", "+vfp3d16,+vfp3,+neon,+vfp4"},
    {"armv7", "cortex-a15", "+vfp3d16,+vfp3,+neon,+vfp4"},

    {"thumbv6m", "cortex-m0", ""},
    {"thumbv6m", "cortex-m0plus", ""},
    {"thumbv7m", "cortex-m3", ""},
    {"thumbv7em", "generic", "+dsp"},
    {"thumbv7em", "cortex-m4", "+dsp,+vfp4d16sp"},
    {"thumbv7em", "cortex-m7", "+dsp,+vfp4d16sp,+fp-armv8d16sp,+fp64"},
    {"thumbv8m.main", "generic", ""},
    {"thumbv8m.main", "cortex-m33", "+dsp,+vfp4d16sp,+fp-armv8d16sp"},
    {"thumbv8.1m.main", "generic", ""},
    {"thumbv8.1m.main", "cortex-m55",
     "+dsp,+vfp4d16sp,+fp-armv8d16sp,+fp64,+fullfp16,+mve,+mve.fp"},

    {"riscv64", "generic", RV_GC},
    {"riscv64", "sifive-u74", RV_GC},
    {"riscv64", "sifive-p670", RV_GC ",+v"},
    {"riscv32", "generic", "+m"},
    {"riscv32", "sifive-e31", "+m,+a,+c"},
    {"riscv32", "sifive-e76", "+m,+a,+f,+c"},

    {"wasm32", "mvp", ""},
    {"wasm32", "generic", "+sign-ext,+nontrapping-fptoint,+bulk-memory,+simd128"},
};
enum { N_PROCESSORS = sizeof PROCESSORS / sizeof PROCESSORS[0] };

/* What each feature needs, as LLVM's tables have it; a row's needs may need more.  A row counts for
   the architectures that have both. */
static const struct {
    const char *feature, *needs;
} NEEDS[] = {
    {"sse3", "sse2"},
    {"ssse3", "sse3"},
    {"sse4.1", "ssse3"},
    {"sse4.2", "sse4.1"},
    {"avx", "sse4.2"},
    {"avx2", "avx"},
    {"fma", "avx"},
    {"f16c", "avx"},
    {"avxvnni", "avx2"},
    {"avx512f", "avx2"},
    {"avx512f", "fma"},
    {"avx512f", "f16c"},
    {"avx512bw", "avx512f"},
    {"avx512cd", "avx512f"},
    {"avx512dq", "avx512f"},
    {"avx512vl", "avx512f"},
    {"avx512vnni", "avx512f"},
    {"avx512bf16", "avx512bw"},
    {"avx512fp16", "avx512bw"},
    {"avx512fp16", "avx512dq"},
    {"avx512fp16", "avx512vl"},
    {"amx-int8", "amx-tile"},
    {"amx-bf16", "amx-tile"},
    {"fullfp16", "neon"},
    {"dotprod", "neon"},
    {"fp16fml", "fullfp16"},
    {"bf16", "neon"},
    {"i8mm", "neon"},
    {"vfp3", "vfp3d16"},
    {"neon", "vfp3"},
    {"vfp4", "vfp3"},
    {"fp-armv8d16sp", "vfp4d16sp"},
    {"fp64", "vfp4d16sp"},
    {"fullfp16", "fp-armv8d16sp"},
    {"mve", "dsp"},
    {"mve.fp", "mve"},
    {"mve.fp", "fullfp16"},
    {"d", "f"},
    {"v", "d"},
};
enum { N_NEEDS = sizeof NEEDS / sizeof NEEDS[0] };

/* ---- architectures ---- */

static bool names(const struct cpu_arch *arch, const char *text, size_t n)
{
    return (strlen(arch->name) == n && strncmp(arch->name, text, n) == 0) ||
           (arch->other && strlen(arch->other) == n && strncmp(arch->other, text, n) == 0);
}

/* Systems whose objects are not in the ELF format that is written here. */
static bool is_foreign(const char *triple)
{
    static const char *const foreign[] = {"darwin",    "macos",      "ios",  "windows", "mingw",
                                          "cygwin",    "msvc",       "uefi", "aix",     "gnux32",
                                          "gnu_ilp32", "emscripten", "wasi"};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (strstr(triple, foreign[i]))
            return true;
    return false;
}

static const struct cpu_arch *by_name(const char *triple, size_t n)
{
    for (size_t i = 0; i < N_ARCHITECTURES; i++)
        if (names(&ARCHITECTURES[i], triple, n))
            return &ARCHITECTURES[i];
    return NULL;
}

const struct cpu_arch *cpu_arch_find(const char *triple, struct error *err)
{
    size_t n = strcspn(triple, "-");
    const struct cpu_arch *found = by_name(triple, n);
    if (found && !is_foreign(triple + n))
        return found;
    if (found)
        error_set(err, SHEAF_ERROR_UNSUPPORTED,
                  "option -target: '%s' is not supported, for its system takes no objects in ELF "
                  "format (%s is)",
                  triple, found->triple);
    else
        error_set(err, SHEAF_ERROR_UNSUPPORTED,
                  "option -target: '%s' is not supported (known: x86_64, aarch64, armv7, thumbv6m, "
                  "thumbv7m, thumbv7em, thumbv8m.main, thumbv8.1m.main, riscv64, riscv32, wasm32)",
                  triple);
    return NULL;
}

const struct cpu_arch *cpu_arch_host(void)
{
    const struct cpu_arch *found = by_name(CPU_HOST, strlen(CPU_HOST));
    assert(found);
    return found;
}

/* ---- processors ---- */

const char *cpu_arch_processor(const struct cpu_arch *arch, const char *cpu)
{
    for (size_t i = 0; i < N_PROCESSORS; i++)
        if (strcmp(PROCESSORS[i].arch, arch->name) == 0 && strcmp(PROCESSORS[i].cpu, cpu) == 0)
            return PROCESSORS[i].features;
    return NULL;
}

void cpu_arch_print_processors(const struct cpu_arch *arch, struct strbuf *out)
{
    for (size_t i = 0; i < N_PROCESSORS; i++)
        if (strcmp(PROCESSORS[i].arch, arch->name) == 0)
            strbuf_printf(out, "%s%s", out->len ? ", " : "", PROCESSORS[i].cpu);
}

/* ---- features ---- */

bool cpu_arch_knows_feature(const struct cpu_arch *arch, const char *name)
{
    for (size_t i = 0; i < N_PROCESSORS; i++)
        if (strcmp(PROCESSORS[i].arch, arch->name) == 0 &&
            target_lists(PROCESSORS[i].features, name, strlen(name)))
            return true;
    return false;
}

static const char *append(struct arena *a, const char *features, const char *name)
{
    return arena_printf(a, "%s%s+%s", features, *features ? "," : "", name);
}

const char *cpu_arch_all_features(struct arena *a, const struct cpu_arch *arch)
{
    const char *all = "";
    for (size_t i = 0; i < N_PROCESSORS; i++) {
        if (strcmp(PROCESSORS[i].arch, arch->name) != 0)
            continue;
        const char *rest = PROCESSORS[i].features, *f;
        size_t n;
        while (target_next_feature(&rest, &f, &n))
            if (!target_lists(all, f + 1, n - 1))
                all = append(a, all, arena_strndup(a, f + 1, n - 1));
    }
    return all;
}

const char *cpu_arch_add_feature(struct arena *a, const struct cpu_arch *arch, const char *features,
                                 const char *name)
{
    if (target_lists(features, name, strlen(name)) || !cpu_arch_knows_feature(arch, name))
        return features;
    for (size_t i = 0; i < N_NEEDS; i++)
        if (strcmp(NEEDS[i].feature, name) == 0)
            features = cpu_arch_add_feature(a, arch, features, NEEDS[i].needs);
    return append(a, features, name);
}

/* `features` without +name. */
static const char *without(struct arena *a, const char *features, const char *name, size_t len)
{
    struct strbuf out;
    strbuf_init(&out, a);
    const char *f;
    size_t n;
    while (target_next_feature(&features, &f, &n))
        if (!(n == len + 1 && strncmp(f + 1, name, len) == 0))
            strbuf_printf(&out, "%s%.*s", out.len ? "," : "", (int)n, f);
    return strbuf_text(&out);
}

const char *cpu_arch_remove_feature(struct arena *a, const char *features, const char *name)
{
    if (!target_lists(features, name, strlen(name)))
        return features;
    for (size_t i = 0; i < N_NEEDS; i++)
        if (strcmp(NEEDS[i].needs, name) == 0)
            features = cpu_arch_remove_feature(a, features, NEEDS[i].feature);
    return without(a, features, name, strlen(name));
}
