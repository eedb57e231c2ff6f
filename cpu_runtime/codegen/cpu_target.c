/* A processor as a compilation target: its features, registers, and what the parts do with them. */
#include "cpu_runtime/codegen/cpu_target.h"

#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>
#include <string.h>

#include "cpu_runtime/codegen/cpu_arch.h"
#include "cpu_runtime/cpu_runtime.h"
#include "ir/strbuf.h"

/* The native processor's features that some code here could use, in the table's order.  Not those
   that the operating system does not let this process use: the code may run in it. */
static const char *native_features(struct arena *a, const struct cpu_arch *arch)
{
    char *host = LLVMGetHostCPUFeatures();
    const char *features = target_common(a, cpu_arch_all_features(a, arch), host);
    LLVMDisposeMessage(host);
    return sheaf_cpu_permit(features) ? features : cpu_arch_remove_feature(a, features, "amx-tile");
}

static bool apply_features(struct arena *a, const struct cpu_arch *arch, const char *changes,
                           const char **features, struct error *err)
{
    const char *f;
    size_t n;
    while (target_next_feature(&changes, &f, &n)) {
        if (n < 2 || (f[0] != '+' && f[0] != '-'))
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "option -mattr: '%.*s' is not of the form +feature or -feature",
                             (int)n, f);
        const char *name = arena_strndup(a, f + 1, n - 1);
        if (!cpu_arch_knows_feature(arch, name)) {
            const char *known = cpu_arch_all_features(a, arch);
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "option -mattr: feature '%s' is not known for %s (known: %s)", name,
                             arch->name, *known ? known : "none");
        }
        *features = f[0] == '+' ? cpu_arch_add_feature(a, arch, *features, name)
                                : cpu_arch_remove_feature(a, *features, name);
    }
    if (arch->always && !target_lists(*features, arch->always, strlen(arch->always)))
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -mattr: '%s' is part of %s, so code for it cannot do without",
                         arch->always, arch->name);
    return true;
}

static bool choose_processor(struct arena *a, const struct cpu_arch *arch, const char *cpu,
                             struct target *t, struct error *err)
{
    if (cpu && strcmp(cpu, "native") == 0) {
        if (arch != cpu_arch_host())
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "option -mcpu: 'native' is this machine's %s, and code is made for %s",
                             cpu_arch_host()->name, arch->name);
        char *name = LLVMGetHostCPUName();
        t->cpu = arena_strdup(a, name);
        LLVMDisposeMessage(name);
        t->features = native_features(a, arch);
        return true;
    }
    t->cpu = cpu ? cpu : arch->baseline;
    t->features = cpu_arch_processor(arch, t->cpu);
    if (t->features)
        return true;
    struct strbuf known;
    strbuf_init(&known, a);
    cpu_arch_print_processors(arch, &known);
    return error_set(err, SHEAF_ERROR_ARGUMENT,
                     "option -mcpu: processor '%s' is not known for %s (known: %s%s)", cpu,
                     arch->name, arch == cpu_arch_host() ? "native, " : "", strbuf_text(&known));
}

/* Registers that sums are kept in, vectors of them where there are: the first row of the
   architecture whose feature is there.  Where LLVM does not get by with all of them a few less than
   the processor has: sums that go to the stack and back cost more than a smaller tile. */
static const struct registers {
    const char *arch, *feature; /* "": any, always */
    int bytes, count;
    bool fma;
    int general; /* see struct target */
    bool loads_anew;
} REGISTERS[] = {
    {"x86_64", "avx512vl", 64, 32, true, 14, false},
    {"x86_64", "avx", 32, 16, false, 14, false},
    {"x86_64", "", 16, 16, false, 14, false},
    {"aarch64", "", 16, 32, true, 28, false},
    {"armv7", "neon", 16, 16, false, 13, true},
    {"armv7", "", 4, 24, false, 13, false},
    {"thumbv7em", "vfp4d16sp", 4, 24, true, 14, false},
    {"thumbv8m.main", "vfp4d16sp", 4, 24, true, 14, false},
    {"thumbv8.1m.main", "mve.fp", 16, 8, true, 14, false},
    {"thumbv8.1m.main", "vfp4d16sp", 4, 24, true, 14, false},
    {"riscv64", "v", 16, 24, true, 28, false},
    {"riscv64", "f", 4, 24, true, 18, false},
    {"riscv32", "f", 4, 24, true, 18, false},
    {"riscv32", "", 4, 24, false, 18, false},
    {"wasm32", "simd128", 16, 16, false, 16, false},
    {"thumbv6m", "", 4, 8, false, 8, false},
    {"", "", 4, 8, false, 14, false},
};

/* LLVM gives every ARMv7-A processor NEON and 32 registers for doubles, and which of them depends
   on how it was built.  The first row whose feature is there. */
static const struct {
    const char *arch, *feature, *dropped;
} DROPPED[] = {
    {"armv7", "neon", ""},
    {"armv7", "vfp3", "-neon"},
    {"armv7", "vfp3d16", "-neon,-d32"},
    {"armv7", "", "-vfp2sp"},
    {"", "", ""},
};

static bool fits(const char *row_arch, const char *row_feature, const struct cpu_arch *arch,
                 const struct target *t)
{
    return (!*row_arch || strcmp(row_arch, arch->name) == 0) &&
           (!*row_feature || target_has(t, row_feature));
}

static void choose_dropped(const struct cpu_arch *arch, struct target *t)
{
    size_t i = 0;
    while (!fits(DROPPED[i].arch, DROPPED[i].feature, arch, t))
        i++;
    t->dropped = DROPPED[i].dropped;
}

static bool has_float_registers_always(const struct cpu_arch *arch)
{
    return !arch->hard_float_triple && !arch->soft_float_abi && !arch->has_no_floats;
}

static void choose_registers(const struct cpu_arch *arch, struct target *t)
{
    size_t i = 0;
    while (!fits(REGISTERS[i].arch, REGISTERS[i].feature, arch, t))
        i++;
    t->vector_bytes = REGISTERS[i].bytes;
    t->n_vector_regs = REGISTERS[i].count;
    t->n_general_regs = REGISTERS[i].general;
    t->loads_anew = REGISTERS[i].loads_anew;
    t->has_fma = REGISTERS[i].fma || target_has(t, "fma") || target_has(t, "vfp4");
    bool is_arm64 = strcmp(arch->name, "aarch64") == 0;
    t->has_lanes = is_arm64;
    t->has_round = is_arm64 || target_has(t, "sse4.1") || target_has(t, "fp-armv8d16sp") ||
                   target_has(t, "simd128");
    t->has_f16 =
        is_arm64 || target_has(t, "f16c") || target_has(t, "vfp4d16sp") || target_has(t, "vfp4");
    t->has_even_products = target_has(t, "sse4.1");
    t->has_wide_shift = target_has(t, "avx512vl");
    t->has_float_registers = target_has(t, "vfp3d16") || target_has(t, "vfp4d16sp") ||
                             target_has(t, "f") || has_float_registers_always(arch);
}

/*
 * Whether floats are passed in registers decides which objects a linker takes together, though a
 * bundle's own functions take pointers only.  On ARM the triple says so; RISC-V's follows from the
 * features, but for -float-abi=soft.
 */
static bool choose_float_abi(const struct cpu_arch *arch, const struct cpu_target_options *opt,
                             struct target *t, struct error *err)
{
    const char *triple = opt->triple ? opt->triple : arch->name;
    size_t n = strlen(triple);
    bool says_hard = n > 2 && strcmp(triple + n - 2, "hf") == 0;
    bool says_soft = !says_hard && strstr(triple, "eabi");
    bool soft = opt->float_abi == CPU_FLOAT_ABI_SOFT;
    bool hard = opt->float_abi == CPU_FLOAT_ABI_HARD || says_hard ||
                (!soft && !says_soft && arch->hard_float_triple && !arch->is_bare);
    if (soft && says_hard)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -float-abi: soft, but target '%s' passes floats in registers",
                         triple);
    if (soft && has_float_registers_always(arch))
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -float-abi: code for %s passes floats in registers always",
                         arch->name);
    if (hard && !t->has_float_registers)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -%s: floats cannot be passed in registers, for processor '%s' %s"
                         "has none for them%s",
                         opt->float_abi == CPU_FLOAT_ABI_HARD ? "float-abi" : "target", t->cpu,
                         opt->features ? "with these features " : "",
                         arch->has_no_floats ? "" : " (-mcpu names others)");
    t->triple = hard && arch->hard_float_triple ? arch->hard_float_triple : arch->triple;
    t->abi = soft && arch->soft_float_abi ? arch->soft_float_abi : "";
    return true;
}

bool cpu_target_create(struct arena *a, const struct cpu_target_options *opt,
                       const struct target **out_target, struct error *err)
{
    const struct cpu_arch *arch = opt->triple ? cpu_arch_find(opt->triple, err) : cpu_arch_host();
    if (!arch)
        return false;
    struct target *t = arena_new(a, struct target);
    t->name = "cpu";
    t->plain_cpu = arch->plain;
    t->optimize_size = opt->optimize_size;
    if (!choose_processor(a, arch, opt->cpu, t, err))
        return false;
    if (opt->features && !apply_features(a, arch, opt->features, &t->features, err))
        return false;
    t->tune_cpu = opt->tune ? opt->tune : t->cpu;
    /* The code may run in this process, whichever processor was named. */
    sheaf_cpu_permit(t->features);
    choose_dropped(arch, t);
    choose_registers(arch, t);
    if (!choose_float_abi(arch, opt, t, err))
        return false;
    t->is_position_independent = !arch->is_bare;
    bool is_x86 = strcmp(arch->name, "x86_64") == 0;
    bool is_thumb = strncmp(arch->name, "thumb", 5) == 0;
    t->stack_align = arch->hard_float_triple || is_thumb ? 8 : 16;
    /* The vectors of a Cortex-M need no more than an element's alignment. */
    t->realigns_frames = !is_thumb;
    t->frames_vary = target_has(t, "v");
    t->has_function_sections = arch->is_bare && strcmp(arch->name, "wasm32") != 0;
    t->call_bytes = is_x86 ? 8 : 0;
    t->red_zone_bytes = is_x86 ? 128 : 0;
    t->unsigned_bytes = is_x86;
    t->prefer_layouts = cpu_prefer_layouts;
    t->schedule = cpu_schedule;
    t->emit_contract = cpu_emit_contract;
    if (strcmp(arch->name, "x86_64") == 0 || strcmp(arch->name, "aarch64") == 0)
        t->emit_select = cpu_emit_select;
    *out_target = t;
    return true;
}

const struct target *cpu_target_plain(struct arena *a, const struct target *t)
{
    struct error err;
    error_init(&err);
    const struct cpu_arch *arch = cpu_arch_find(t->triple, &err);
    struct target *plain = arena_new(a, struct target);
    *plain = *t;
    plain->cpu = plain->tune_cpu = arch->plain;
    plain->features = cpu_arch_processor(arch, arch->plain);
    if (!plain->features)
        plain->features = cpu_arch_processor(arch, "generic");
    choose_registers(arch, plain);
    return plain;
}
