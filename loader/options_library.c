/*
 * The options of the group Libraries.  Each key of the dictionary that sol.deploy took has its
 * option (docs/deploy.md); here they are said as the options of a bundle.
 */
#include <string.h>

#include "bundle/emit/emit_library.h"
#include "bundle/write/names.h"
#include "cpu_runtime/codegen/cpu_gcc.h"
#include "cpu_runtime/codegen/cpu_target.h"
#include "loader/options.h"

/* Functions that the library calls, or that every program has; names of the allocator's. */
static bool is_taken(const char *name, bool on_device)
{
    static const char *const hooks[] = {"sol_ext", "sheaf_ext", "sheaf_gpu", "sheaf_ve"};
    for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++)
        if (strncmp(name, hooks[i], strlen(hooks[i])) == 0)
            return true;
    return strcmp(name, "main") == 0 || emit_library_is_needed(name) ||
           (on_device && emit_library_is_needed_by_device(name));
}

const char *options_library_entry(struct arena *a, const char *func)
{
    return arena_printf(a, "%s_network", func);
}

static bool check_function(struct arena *a, const struct loader_options *opt, const char *option,
                           const char *func, struct error *err)
{
    if (strcmp(names_legalise(a, func), func) == 0 && !is_taken(func, opt->gpu || opt->ve))
        return true;
    return error_set(err, SHEAF_ERROR_ARGUMENT,
                     "option -%s: '%s' cannot be the name of a C function", option, func);
}

/* Of entry i of -add-entry, behind which the main one comes. */
static const char *function_name(const struct loader_options *opt, size_t i)
{
    return i < opt->n_entries ? opt->entries[i].name : opt->func_name;
}

static bool check_functions(struct arena *a, const struct loader_options *opt, struct error *err)
{
    if (!check_function(a, opt, "func-name", opt->func_name, err))
        return false;
    for (size_t i = 0; i < opt->n_entries; i++)
        if (!check_function(a, opt, "add-entry", opt->entries[i].name, err))
            return false;
    for (size_t i = 0; i <= opt->n_entries; i++)
        for (size_t k = 0; k <= opt->n_entries; k++) {
            const char *one = function_name(opt, i), *other = function_name(opt, k);
            if (i != k && strcmp(one, other) == 0)
                return error_set(err, SHEAF_ERROR_ARGUMENT,
                                 "option -add-entry: two functions of the library are named '%s'",
                                 one);
            if (i != k && emit_library_has_name(one, other))
                return error_set(err, SHEAF_ERROR_ARGUMENT,
                                 "option -add-entry: '%s' is a name that the function '%s' brings "
                                 "with it",
                                 other, one);
        }
    return true;
}

static bool choose_names(struct arena *a, struct loader_options *opt, struct error *err)
{
    if (strchr(opt->lib_name, '/'))
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -lib-name: '%s' cannot be the name of a file (-path names the "
                         "folder)",
                         opt->lib_name);
    if (!check_functions(a, opt, err))
        return false;
    bool has_lib = strncmp(opt->lib_name, "lib", 3) == 0;
    opt->network_name = arena_printf(a, "%s%s", has_lib ? "" : "lib", opt->lib_name);
    opt->main_entry_name = options_library_entry(a, opt->func_name);
    return true;
}

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words && strcmp(word, *words) != 0)
        words++;
    return *words != NULL;
}

/* The words of -device for what has an option of its own. */
static const struct {
    const char *option;
    const char *words[4];
} devices[] = {
    {"gpu", {"nvidia", "cuda", "gpu", NULL}},
    {"ve", {"ve", "nec", NULL}},
};
enum { N_DEVICES = sizeof devices / sizeof *devices };

bool options_device(struct loader_options *opt, struct error *err)
{
    bool *const set[N_DEVICES] = {&opt->gpu, &opt->ve};
    for (size_t i = 0; opt->device && i < N_DEVICES; i++) {
        bool is_named = is_one_of(opt->device, devices[i].words);
        if (*set[i] && !is_named)
            return error_set(err, SHEAF_ERROR_ARGUMENT,
                             "options -%s and -device=%s exclude each other: each names the device "
                             "(-host names the machine of a library that calls it)",
                             devices[i].option, opt->device);
        *set[i] |= is_named;
    }
    return true;
}

/* The machine of the library's own code: of a device's library its host. */
static const struct cpu_arch *choose_machine(struct loader_options *opt, struct error *err)
{
    static const char *const names[][2] = {{"x86", "x86_64"}, {"arm64", "aarch64"}};
    bool on_device = opt->gpu || opt->ve;
    const char *asked = on_device ? opt->host : opt->device,
               *option = on_device ? "host" : "device";
    const char *device = asked ? asked : opt->target;
    for (size_t i = 0; device && i < sizeof names / sizeof *names; i++)
        if (strcmp(device, names[i][0]) == 0)
            device = names[i][1];
    if (!device || strcmp(device, "auto") == 0)
        return cpu_arch_host();
    struct error unknown;
    error_init(&unknown);
    const struct cpu_arch *arch = cpu_arch_find(device, &unknown);
    if (!arch)
        error_set(err, SHEAF_ERROR_UNSUPPORTED,
                  "option -%s: '%s' is not supported (known: x86, arm64, armv7, riscv64, auto)",
                  asked ? option : "target", device);
    else if (arch->is_bare)
        error_set(
            err, SHEAF_ERROR_UNSUPPORTED,
            "option -emit-lib: a library needs an operating system with a C library, and code "
            "for %s has none: -emit-bundle writes what it can link",
            arch->name);
    else
        opt->target = device;
    return arch && !arch->is_bare ? arch : NULL;
}

static void add_changes(struct arena *a, struct loader_options *opt, const char *changes)
{
    /* Before those of -mattr, which have the last word. */
    struct option_texts all = {0};
    for (const char *p = changes; *p;) {
        size_t n = strcspn(p, ",");
        ARENA_PUSH(a, all.item, all.n, all.cap) = arena_strndup(a, p, n);
        p += n + (p[n] == ',');
    }
    for (size_t i = 0; i < opt->mattr.n; i++)
        ARENA_PUSH(a, all.item, all.n, all.cap) = opt->mattr.item[i];
    opt->mattr = all;
}

/* What each width needs, and the first features beyond it. */
static const struct {
    const char *word, *needs, *beyond;
} WIDTHS[] = {
    [VECTOR_NATIVE] = {"native", "", ""},
    [VECTOR_SSE2] = {"sse2", "sse2", "-sse3,-amx-tile"},
    [VECTOR_SSE4] = {"sse4", "sse4.1", "-avx,-amx-tile"},
    [VECTOR_AVX] = {"avx", "avx", "-avx2,-fma,-f16c,-amx-tile"},
    [VECTOR_AVX2] = {"avx2", "avx2", "-avx512f,-amx-tile"},
    [VECTOR_AVX512] = {"avx512", "avx512vl", ""},
};

static bool limit_vectors(struct arena *a, struct loader_options *opt, const struct cpu_arch *arch,
                          const char *changes, struct error *err)
{
    const char *word = WIDTHS[opt->vector].word, *needs = WIDTHS[opt->vector].needs;
    if (opt->vector == VECTOR_NATIVE)
        return true;
    if (strcmp(arch->name, "x86_64") != 0)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -vector: '%s' is about x86, and the library is for %s (native is "
                         "for all)",
                         word, arch->name);
    struct cpu_target_options target = {
        .triple = opt->target, .cpu = opt->mcpu.item[0], .features = *changes ? changes : NULL};
    const struct target *t;
    if (!cpu_target_create(a, &target, &t, err))
        return false;
    if (!target_has(t, needs))
        return error_set(
            err, SHEAF_ERROR_ARGUMENT,
            "option -vector: '%s' needs a processor with %s, which '%s' is not (-march "
            "names another)",
            word, needs, t->cpu);
    add_changes(a, opt, WIDTHS[opt->vector].beyond);
    return true;
}

static bool choose_processor(struct arena *a, struct loader_options *opt,
                             const struct cpu_arch *arch, struct error *err)
{
    const char *cpu, *changes = "";
    if (opt->mcpu.n == 0) {
        /* A device's host only calls it. */
        bool is_native = arch == cpu_arch_host() && !opt->gpu && !opt->ve;
        const char *usual = is_native ? "native" : arch->baseline;
        if (!cpu_gcc_march(a, arch, opt->march ? opt->march : usual, &cpu, &changes, err))
            return false;
        ARENA_PUSH(a, opt->mcpu.item, opt->mcpu.n, opt->mcpu.cap) = cpu;
    }
    if (opt->mtune && !cpu_gcc_mtune(a, arch, opt->mtune, &opt->tune, err))
        return false;
    if (!limit_vectors(a, opt, arch, changes, err))
        return false;
    add_changes(a, opt, changes);
    return true;
}

bool options_library(struct arena *a, struct loader_options *opt, struct error *err)
{
    if (opt->emit_lib == EMIT_LIB_NONE)
        return true;
    if (opt->emit_bundle)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "options -emit-bundle and -emit-lib exclude each other: each says what "
                         "becomes of the network");
    if (opt->emit_lib == EMIT_LIB_STATIC && (opt->elf || opt->oformat))
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -%s needs -emit-lib=shared: a static library is not linked",
                         opt->elf ? "elf" : "oformat");
    if ((opt->replaceable_weights || opt->repack_weights) && !opt->weights)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "option -%s needs -weights with -emit-lib: weights inside a library are "
                         "part of it",
                         opt->repack_weights ? "repack-weights" : "replaceable-weights");
    const struct cpu_arch *arch = choose_machine(opt, err);
    return arch && choose_names(a, opt, err) && choose_processor(a, opt, arch, err);
}
