#include "cpu_runtime/codegen/cpu_gcc.h"

#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>
#include <string.h>

/*
 * Names of GCC 14 (gcc.gnu.org/onlinedocs/gcc-14.1.0/gcc: x86 Options, AArch64 Options, ARM
 * Options, RISC-V Options) that are no processors of cpu_arch.c, and the nearest of these that has
 * no more.
 */
static const struct {
    const char *arch, *name, *cpu, *changes;
} MARCHES[] = {
    {"x86_64", "k8", "x86-64", ""},
    {"x86_64", "opteron", "x86-64", ""},
    {"x86_64", "athlon64", "x86-64", ""},
    {"x86_64", "athlon-fx", "x86-64", ""},
    {"x86_64", "k8-sse3", "x86-64", "+sse3"},
    {"x86_64", "opteron-sse3", "x86-64", "+sse3"},
    {"x86_64", "athlon64-sse3", "x86-64", "+sse3"},
    {"x86_64", "amdfam10", "x86-64", "+sse3,+popcnt"},
    {"x86_64", "barcelona", "x86-64", "+sse3,+popcnt"},
    {"x86_64", "nocona", "x86-64", "+sse3"},
    {"x86_64", "eden-x2", "x86-64", "+sse3"},
    {"x86_64", "nano", "x86-64", "+ssse3"},
    {"x86_64", "nano-1000", "x86-64", "+ssse3"},
    {"x86_64", "nano-2000", "x86-64", "+ssse3"},
    {"x86_64", "nano-3000", "x86-64", "+sse4.1"},
    {"x86_64", "nano-x2", "x86-64", "+sse4.1"},
    {"x86_64", "nano-x4", "x86-64", "+sse4.1"},
    {"x86_64", "eden-x4", "x86-64", "+avx2"},
    {"x86_64", "btver1", "x86-64", "+ssse3"},
    {"x86_64", "core2", "x86-64", "+ssse3"},
    {"x86_64", "bonnell", "x86-64", "+ssse3"},
    {"x86_64", "atom", "x86-64", "+ssse3"},
    {"x86_64", "corei7", "nehalem", ""},
    {"x86_64", "westmere", "nehalem", ""},
    {"x86_64", "silvermont", "nehalem", ""},
    {"x86_64", "slm", "nehalem", ""},
    {"x86_64", "goldmont", "nehalem", ""},
    {"x86_64", "goldmont-plus", "nehalem", ""},
    {"x86_64", "tremont", "nehalem", ""},
    {"x86_64", "sandybridge", "x86-64-v2", "+avx"},
    {"x86_64", "corei7-avx", "x86-64-v2", "+avx"},
    {"x86_64", "lujiazui", "x86-64-v2", "+avx"},
    {"x86_64", "bdver1", "x86-64-v2", "+avx"},
    {"x86_64", "btver2", "x86-64-v2", "+avx,+f16c"},
    {"x86_64", "ivybridge", "x86-64-v2", "+avx,+f16c"},
    {"x86_64", "core-avx-i", "x86-64-v2", "+avx,+f16c"},
    {"x86_64", "bdver2", "x86-64-v2", "+avx,+f16c,+fma"},
    {"x86_64", "bdver3", "x86-64-v2", "+avx,+f16c,+fma"},
    {"x86_64", "core-avx2", "haswell", ""},
    {"x86_64", "knl", "haswell", ""},
    {"x86_64", "knm", "haswell", ""},
    {"x86_64", "yongfeng", "haswell", ""},
    {"x86_64", "bdver4", "x86-64-v3", ""},
    {"x86_64", "znver1", "x86-64-v3", ""},
    {"x86_64", "gracemont", "alderlake", ""},
    {"x86_64", "raptorlake", "alderlake", ""},
    {"x86_64", "meteorlake", "alderlake", ""},
    {"x86_64", "arrowlake", "alderlake", ""},
    {"x86_64", "arrowlake-s", "alderlake", ""},
    {"x86_64", "lunarlake", "alderlake", ""},
    {"x86_64", "pantherlake", "alderlake", ""},
    {"x86_64", "sierraforest", "alderlake", ""},
    {"x86_64", "grandridge", "alderlake", ""},
    {"x86_64", "clearwaterforest", "alderlake", ""},
    {"x86_64", "cannonlake", "skylake-avx512", ""},
    {"x86_64", "cooperlake", "cascadelake", "+avx512bf16"},
    {"x86_64", "icelake-client", "icelake-server", ""},
    {"x86_64", "tigerlake", "icelake-server", ""},
    {"x86_64", "rocketlake", "icelake-server", ""},
    {"x86_64", "znver5", "znver4", "+avxvnni"},
    {"x86_64", "emeraldrapids", "sapphirerapids", ""},
    {"x86_64", "graniterapids", "sapphirerapids", ""},
    {"x86_64", "graniterapids-d", "sapphirerapids", ""},

    {"aarch64", "armv8-a", "generic", ""},
    {"aarch64", "armv8.1-a", "generic", ""},
    {"aarch64", "armv8.2-a", "generic", ""},
    {"aarch64", "armv8.3-a", "generic", ""},
    {"aarch64", "armv8.4-a", "generic", "+dotprod"},
    {"aarch64", "armv8.5-a", "generic", "+dotprod"},
    {"aarch64", "armv8.6-a", "generic", "+dotprod,+bf16,+i8mm"},
    {"aarch64", "armv8.7-a", "generic", "+dotprod,+bf16,+i8mm"},
    {"aarch64", "armv8.8-a", "generic", "+dotprod,+bf16,+i8mm"},
    {"aarch64", "armv8.9-a", "generic", "+dotprod,+bf16,+i8mm"},
    {"aarch64", "armv9-a", "generic", "+fullfp16,+dotprod"},
    {"aarch64", "armv9.1-a", "generic", "+fullfp16,+dotprod,+bf16,+i8mm"},
    {"aarch64", "armv9.2-a", "generic", "+fullfp16,+dotprod,+bf16,+i8mm"},
    {"aarch64", "armv9.3-a", "generic", "+fullfp16,+dotprod,+bf16,+i8mm"},
    {"aarch64", "armv9.4-a", "generic", "+fullfp16,+dotprod,+bf16,+i8mm"},
    {"aarch64", "cortex-a34", "cortex-a53", ""},
    {"aarch64", "cortex-a35", "cortex-a53", ""},
    {"aarch64", "cortex-a57", "cortex-a72", ""},
    {"aarch64", "cortex-a73", "cortex-a72", ""},
    {"aarch64", "cortex-a65", "cortex-a55", ""},
    {"aarch64", "cortex-a75", "cortex-a55", ""},
    {"aarch64", "cortex-a77", "cortex-a76", ""},
    {"aarch64", "cortex-a78", "cortex-a76", ""},
    {"aarch64", "cortex-a78c", "cortex-a76", ""},
    {"aarch64", "cortex-x1", "cortex-a76", ""},
    {"aarch64", "cortex-a510", "cortex-x2", ""},
    {"aarch64", "cortex-a520", "cortex-x2", ""},
    {"aarch64", "cortex-a710", "cortex-x2", ""},
    {"aarch64", "cortex-a715", "cortex-x2", ""},
    {"aarch64", "cortex-a720", "cortex-x2", ""},
    {"aarch64", "cortex-x3", "cortex-x2", ""},
    {"aarch64", "cortex-x4", "cortex-x2", ""},
    {"aarch64", "neoverse-e1", "neoverse-n1", ""},
    {"aarch64", "neoverse-512tvb", "neoverse-v1", ""},
    {"aarch64", "ampere1", "neoverse-n1", ""},
    {"aarch64", "a64fx", "generic", "+fullfp16"},
    {"aarch64", "tsv110", "generic", "+fullfp16"},
    {"aarch64", "thunderx2t99", "generic", ""},
    {"aarch64", "neoverse-v2", "neoverse-n2", ""},

    {"armv7", "armv7", "generic", ""},
    {"armv7", "armv7-a", "generic", ""},
    {"armv7", "armv7ve", "generic", ""},

    {"riscv64", "rv64gc", "generic", ""},
    {"riscv64", "rv64imafdc", "generic", ""},
    {"riscv64", "rv64gcv", "generic", "+v"},
    {"riscv64", "rv64imafdcv", "generic", "+v"},
};
enum { N_MARCHES = sizeof MARCHES / sizeof MARCHES[0] };

/* What stands behind a plus sign; "": code here has no use for it. */
static const struct {
    const char *arch, *name, *feature;
} EXTENSIONS[] = {
    {"aarch64", "fp16", "fullfp16"},
    {"aarch64", "dotprod", "dotprod"},
    {"aarch64", "i8mm", "i8mm"},
    {"aarch64", "bf16", "bf16"},
    {"aarch64", "fp", "neon"},
    {"aarch64", "simd", "neon"},
    {"aarch64", "crc", ""},
    {"aarch64", "crypto", ""},
    {"aarch64", "aes", ""},
    {"aarch64", "sha2", ""},
    {"aarch64", "sha3", ""},
    {"aarch64", "lse", ""},
    {"aarch64", "rdma", ""},
    {"aarch64", "rcpc", ""},
    {"aarch64", "fp16fml", "fp16fml"},
    {"aarch64", "sve", ""},
    {"aarch64", "sve2", ""},
    {"aarch64", "sm4", ""},
    {"aarch64", "profile", ""},
    {"aarch64", "rng", ""},
    {"aarch64", "memtag", ""},
    {"aarch64", "sb", ""},
    {"aarch64", "ssbs", ""},
    {"aarch64", "predres", ""},
    {"aarch64", "flagm", ""},
    {"aarch64", "pauth", ""},
    {"aarch64", "ls64", ""},
    {"aarch64", "mops", ""},
    {"aarch64", "cssc", ""},
    {"aarch64", "tme", ""},
    {"aarch64", "f32mm", ""},
    {"aarch64", "f64mm", ""},
    {"aarch64", "sve2-bitperm", ""},
    {"aarch64", "sve2-sm4", ""},
    {"aarch64", "sve2-aes", ""},
    {"aarch64", "sve2-sha3", ""},
    {"aarch64", "sme", ""},
    {"aarch64", "sme-i16i64", ""},
    {"aarch64", "sme-f64f64", ""},
    {"aarch64", "sme2", ""},
    {"aarch64", "lse128", ""},
    {"aarch64", "d128", ""},
    {"aarch64", "rcpc3", ""},
    {"aarch64", "gcs", ""},
    {"aarch64", "the", ""},
    {"armv7", "fp", "vfp3d16"},
    {"armv7", "vfpv3-d16", ""},
    {"armv7", "vfpv3", "vfp3"},
    {"armv7", "vfpv4", "vfp4"},
    {"armv7", "simd", "neon"},
    {"armv7", "neon", "neon"},
    {"armv7", "mp", ""},
    {"armv7", "neon-vfpv4", "vfp4"},
    {"armv7", "sec", ""},
};
enum { N_EXTENSIONS = sizeof EXTENSIONS / sizeof EXTENSIONS[0] };

static bool is(const char *name, const char *text, size_t n)
{
    return strlen(name) == n && strncmp(name, text, n) == 0;
}

static bool unknown(struct arena *a, const struct cpu_arch *arch, const char *option,
                    const char *value, struct error *err)
{
    struct strbuf known;
    strbuf_init(&known, a);
    if (arch == cpu_arch_host())
        strbuf_add(&known, "native");
    cpu_arch_print_processors(arch, &known);
    for (size_t i = 0; i < N_MARCHES; i++)
        if (strcmp(MARCHES[i].arch, arch->name) == 0)
            strbuf_printf(&known, ", %s", MARCHES[i].name);
    for (size_t i = 0; i < N_EXTENSIONS; i++)
        if (strcmp(EXTENSIONS[i].arch, arch->name) == 0)
            strbuf_printf(&known, ", +%s", EXTENSIONS[i].name);
    return error_set(err, SHEAF_ERROR_ARGUMENT, "option -%s: '%s' is not known for %s (known: %s)",
                     option, value, arch->name, strbuf_text(&known));
}

static bool find_base(struct arena *a, const struct cpu_arch *arch, const char *text, size_t n,
                      const char **out_cpu, const char **out_changes)
{
    const char *name = arena_strndup(a, text, n);
    *out_changes = "";
    *out_cpu = name;
    if ((strcmp(name, "native") == 0 && arch == cpu_arch_host()) || cpu_arch_processor(arch, name))
        return true;
    for (size_t i = 0; i < N_MARCHES; i++) {
        if (strcmp(MARCHES[i].arch, arch->name) != 0 || strcmp(MARCHES[i].name, name) != 0)
            continue;
        *out_cpu = MARCHES[i].cpu;
        *out_changes = MARCHES[i].changes;
        return true;
    }
    return false;
}

static const char *append(struct arena *a, const char *changes, char sign, const char *feature)
{
    return arena_printf(a, "%s%s%c%s", changes, *changes ? "," : "", sign, feature);
}

/* +ext and +noext.  Fails with *err where it is known, but all code for the architecture has it. */
static bool add_extension(struct arena *a, const struct cpu_arch *arch, const char *text, size_t n,
                          const char **changes, struct error *err)
{
    for (size_t i = 0; i < N_EXTENSIONS; i++) {
        if (strcmp(EXTENSIONS[i].arch, arch->name) != 0)
            continue;
        const char *feature = EXTENSIONS[i].feature;
        bool adds = is(EXTENSIONS[i].name, text, n);
        bool removes =
            n > 2 && strncmp(text, "no", 2) == 0 && is(EXTENSIONS[i].name, text + 2, n - 2);
        if (!adds && !removes)
            continue;
        if (removes && arch->always && strcmp(feature, arch->always) == 0)
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "option -march: '+%.*s': code for %s cannot do without '%s'", (int)n,
                             text, arch->name, EXTENSIONS[i].name);
        if (*feature)
            *changes = append(a, *changes, adds ? '+' : '-', feature);
        /* The name of two at once. */
        if (*feature && adds && strcmp(EXTENSIONS[i].name, "neon-vfpv4") == 0)
            *changes = append(a, *changes, '+', "neon");
        return true;
    }
    return false;
}

bool cpu_gcc_march(struct arena *a, const struct cpu_arch *arch, const char *march,
                   const char **out_cpu, const char **out_changes, struct error *err)
{
    const char *cpu, *changes;
    size_t n = strcspn(march, "+");
    if (!find_base(a, arch, march, n, &cpu, &changes))
        return unknown(a, arch, "march", march, err);
    for (const char *p = march + n; *p; p += n) {
        n = strcspn(++p, "+");
        if (!add_extension(a, arch, p, n, &changes, err))
            return unknown(a, arch, "march", march, err); /* the first sentence stays */
    }
    *out_cpu = cpu;
    *out_changes = changes;
    return true;
}

bool cpu_gcc_mtune(struct arena *a, const struct cpu_arch *arch, const char *mtune,
                   const char **out_cpu, struct error *err)
{
    const char *cpu, *changes;
    if (strcmp(mtune, "generic") == 0) {
        *out_cpu = arch->plain;
        return true;
    }
    /* GCC's name for whatever Intel makes at the time. */
    if (strcmp(arch->name, "x86_64") == 0 && strcmp(mtune, "intel") == 0)
        mtune = "alderlake";
    if (!find_base(a, arch, mtune, strlen(mtune), &cpu, &changes))
        return unknown(a, arch, "mtune", mtune, err);
    if (strcmp(cpu, "native") == 0) {
        char *name = LLVMGetHostCPUName();
        cpu = arena_strdup(a, name);
        LLVMDisposeMessage(name);
    }
    *out_cpu = cpu;
    return true;
}
