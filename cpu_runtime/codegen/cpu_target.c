/*
 * The processors that code is made for.
 *
 * LLVM's C API does not tell which features a named processor has, and the bundle must name what it
 * needs, so the x86-64 levels of the psABI are spelled out here and each known processor has one.
 */
#include "cpu_runtime/codegen/cpu_target.h"

#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>
#include <stdio.h>
#include <string.h>

#include "cpu_runtime/cpu_runtime.h"
#include "ir/strbuf.h"

#define X86_V1   "+sse2"
#define X86_V2   X86_V1 ",+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16"
#define X86_V3   X86_V2 ",+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+movbe"
#define X86_V4   X86_V3 ",+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"
#define X86_VNNI X86_V4 ",+avx512vnni"
#define X86_SPR  X86_VNNI ",+avx512bf16,+avx512fp16,+amx-tile,+amx-int8,+amx-bf16"

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
    {"aarch64", "generic", "+neon"},
};

static void known_processors(const char *arch, struct strbuf *out)
{
    for (size_t i = 0; i < sizeof PROCESSORS / sizeof PROCESSORS[0]; i++)
        if (strcmp(PROCESSORS[i].arch, arch) == 0)
            strbuf_printf(out, "%s%s", out->len ? ", " : "", PROCESSORS[i].cpu);
}

static bool known_feature(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof PROCESSORS / sizeof PROCESSORS[0]; i++)
        if (target_lists(PROCESSORS[i].features, name, n))
            return true;
    return false;
}

/* `features` without +name. */
static const char *without(struct arena *a, const char *features, const char *name, size_t len)
{
    struct strbuf out;
    strbuf_init(&out, a);
    for (const char *p = features; *p;) {
        size_t n = strcspn(p, ",");
        if (!(n == len + 1 && strncmp(p + 1, name, len) == 0))
            strbuf_printf(&out, "%s%.*s", out.len ? "," : "", (int)n, p);
        p += n + (p[n] == ',');
    }
    return strbuf_text(&out);
}

/* What each feature needs, as LLVM's X86.td has it; a row's needs may need more. */
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
};
enum { N_NEEDS = sizeof NEEDS / sizeof NEEDS[0] };

/* A feature comes with what it needs, and goes with what needs it. */
static const char *add_feature(struct arena *a, const char *features, const char *name)
{
    if (target_lists(features, name, strlen(name)))
        return features;
    for (size_t i = 0; i < N_NEEDS; i++)
        if (strcmp(NEEDS[i].feature, name) == 0)
            features = add_feature(a, features, NEEDS[i].needs);
    return arena_printf(a, "%s%s+%s", features, *features ? "," : "", name);
}

static const char *remove_feature(struct arena *a, const char *features, const char *name)
{
    if (!target_lists(features, name, strlen(name)))
        return features;
    for (size_t i = 0; i < N_NEEDS; i++)
        if (strcmp(NEEDS[i].needs, name) == 0)
            features = remove_feature(a, features, NEEDS[i].feature);
    return without(a, features, name, strlen(name));
}

/* The native processor's features that some code here could use, in the table's order.  Not those
   that the operating system does not let this process use: the code may run in it. */
static const char *native_features(struct arena *a)
{
    char *host = LLVMGetHostCPUFeatures();
    struct strbuf out;
    strbuf_init(&out, a);
    const char *all = X86_SPR ",+avxvnni,+neon";
    for (const char *p = all; *p;) {
        size_t n = strcspn(p, ",");
        for (const char *q = host; (q = strstr(q, p[0] == '+' ? "+" : p)) != NULL; q++) {
            if (strncmp(q, p, n) == 0 && (q[n] == ',' || q[n] == '\0')) {
                strbuf_printf(&out, "%s%.*s", out.len ? "," : "", (int)n, p);
                break;
            }
        }
        p += n + (p[n] == ',');
    }
    LLVMDisposeMessage(host);
    const char *features = strbuf_text(&out);
    return sheaf_cpu_permit(features) ? features : remove_feature(a, features, "amx-tile");
}

static bool apply_features(struct arena *a, const char *changes, const char **features,
                           struct error *err)
{
    for (const char *p = changes; *p;) {
        size_t n = strcspn(p, ",");
        if (n < 2 || (p[0] != '+' && p[0] != '-'))
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "option -mattr: '%.*s' is not of the form +feature or -feature",
                             (int)n, p);
        const char *name = arena_strndup(a, p + 1, n - 1);
        if (!known_feature(name, n - 1))
            return error_set(err, SHEAF_ERROR_ARGUMENT, "option -mattr: feature '%s' is not known",
                             name);
        *features =
            p[0] == '+' ? add_feature(a, *features, name) : remove_feature(a, *features, name);
        p += n + (p[n] == ',');
    }
    return true;
}

static bool choose_processor(struct arena *a, const char *arch, const char *cpu, struct target *t,
                             struct error *err)
{
    if (cpu && strcmp(cpu, "native") == 0) {
        char *name = LLVMGetHostCPUName();
        t->cpu = arena_strdup(a, name);
        LLVMDisposeMessage(name);
        t->features = native_features(a);
        return true;
    }
    if (!cpu)
        cpu = strcmp(arch, "x86_64") == 0 ? CPU_TARGET_BASELINE_X86 : "generic";
    for (size_t i = 0; i < sizeof PROCESSORS / sizeof PROCESSORS[0]; i++) {
        if (strcmp(PROCESSORS[i].arch, arch) != 0 || strcmp(PROCESSORS[i].cpu, cpu) != 0)
            continue;
        t->cpu = PROCESSORS[i].cpu;
        t->features = PROCESSORS[i].features;
        return true;
    }
    struct strbuf known;
    strbuf_init(&known, a);
    known_processors(arch, &known);
    return error_set(err, SHEAF_ERROR_ARGUMENT,
                     "option -mcpu: processor '%s' is not known for %s (known: native, %s)", cpu,
                     arch, strbuf_text(&known));
}

static void choose_registers(const char *arch, struct target *t)
{
    t->vector_bytes = 16;
    t->n_vector_regs = 16;
    t->has_fma = target_has(t, "fma");
    if (strcmp(arch, "aarch64") == 0) {
        t->n_vector_regs = 32;
        t->has_fma = true;
    } else if (target_has(t, "avx512f") && target_has(t, "avx512vl")) {
        t->vector_bytes = 64;
        t->n_vector_regs = 32;
        t->has_fma = true;
    } else if (target_has(t, "avx")) {
        t->vector_bytes = 32;
    }
}

bool cpu_target_create(struct arena *a, const struct cpu_target_options *opt,
                       const struct target **out_target, struct error *err)
{
    char *host = LLVMGetDefaultTargetTriple();
    bool host_is_arm = strncmp(host, "aarch64", 7) == 0;
    LLVMDisposeMessage(host);
    const char *arch = host_is_arm ? "aarch64" : "x86_64";
    if (opt->triple) {
        size_t n = strcspn(opt->triple, "-");
        if (n == 6 && strncmp(opt->triple, "x86_64", n) == 0)
            arch = "x86_64";
        else if (n == 7 && strncmp(opt->triple, "aarch64", n) == 0)
            arch = "aarch64";
        else
            return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                             "option -target: '%s' is not supported (known: x86_64-*, aarch64-*)",
                             opt->triple);
    }
    struct target *t = arena_new(a, struct target);
    t->name = "cpu";
    /* One spelling for one machine, so that the same model gives the same bytes everywhere. */
    t->triple = arena_printf(a, "%s-unknown-linux-gnu", arch);
    if (!choose_processor(a, arch, opt->cpu, t, err))
        return false;
    if (opt->features && !apply_features(a, opt->features, &t->features, err))
        return false;
    /* The code may run in this process, whichever processor was named. */
    sheaf_cpu_permit(t->features);
    choose_registers(arch, t);
    t->unsigned_bytes = strcmp(arch, "x86_64") == 0;
    t->prefer_layouts = cpu_prefer_layouts;
    t->schedule = cpu_schedule;
    t->emit_contract = cpu_emit_contract;
    *out_target = t;
    return true;
}
