#include "tests/support/cross.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/support.h"

/* ---- targets ---- */

/* In few bytes: -optimize-size. */
#define SMALL(triple_, cpu_) {.triple = triple_, .cpu = cpu_, .optimize_size = true}
#define X86(cpu_, runner_)                                                                         \
    {.name = cpu_,                                                                                 \
     .opt = {.triple = "x86_64", .cpu = cpu_},                                                     \
     .clang = "--target=x86_64-linux-gnu",                                                         \
     .linker = "ld.lld -static",                                                                   \
     .gnu = "x86_64-linux-gnu-ld -static",                                                         \
     .runner = runner_}
#define ARM64(name_, cpu_, features_, qemu_)                                                       \
    {.name = name_,                                                                                \
     .opt = {.triple = "aarch64", .cpu = cpu_, .features = features_},                             \
     .clang = "--target=aarch64-linux-gnu",                                                        \
     .linker = "ld.lld -static",                                                                   \
     .gnu = "aarch64-linux-gnu-ld -static",                                                        \
     .runner = "qemu-aarch64 -cpu " qemu_}
#define ARMV7(name_, cpu_, qemu_)                                                                  \
    {.name = name_,                                                                                \
     .opt = {.triple = "armv7-linux-gnueabihf", .cpu = cpu_},                                      \
     .clang = "--target=armv7-linux-gnueabihf -mfpu=vfpv3-d16",                                    \
     .linker = "ld.lld -static",                                                                   \
     .gnu = "arm-linux-gnueabihf-ld -static",                                                      \
     .runner = "qemu-arm -cpu " qemu_}
/* A Cortex-M0 is an M3 that faults where an M0 would on addresses: the smallest that qemu has on a
   board with memory enough. */
#define CORTEX_M(number, arch, board_, machine)                                                    \
    {.name = "cortex-" number,                                                                     \
     .opt = {.triple = arch, .cpu = "cortex-" number},                                             \
     .clang = "--target=" arch "-none-eabi -mcpu=cortex-" number " -mfloat-abi=soft",              \
     .linker = "ld.lld",                                                                           \
     .board = board_,                                                                              \
     .start = "board_arm",                                                                         \
     .runner = "qemu-system-arm -M " machine BARE}
#define BARE                                                                                       \
    " -display none -monitor none -serial none -semihosting-config enable=on,target=native "       \
    "-kernel"
#define RISCV32(name_, cpu_, clang_, ...)                                                          \
    {.name = name_,                                                                                \
     .opt = {.triple = "riscv32", .cpu = cpu_},                                                    \
     .clang = "--target=riscv32-none-elf -mcmodel=medany " clang_,                                 \
     __VA_ARGS__}
#define RISCV64(name_, cpu_, qemu_)                                                                \
    {.name = name_,                                                                                \
     .opt = {.triple = "riscv64", .cpu = cpu_},                                                    \
     .clang = "--target=riscv64-linux-gnu -march=rv64gc",                                          \
     .linker = "ld.lld -static",                                                                   \
     .gnu = "riscv64-linux-gnu-ld -static",                                                        \
     .runner = "qemu-riscv64 -cpu " qemu_}
#define WASM(name_, cpu_)                                                                          \
    {.name = name_,                                                                                \
     .opt = {.triple = "wasm32", .cpu = cpu_},                                                     \
     .clang = "--target=wasm32 -mcpu=mvp",                                                         \
     .linker = "wasm-ld --no-entry --export=run",                                                  \
     .runner = "node $SOURCE/tests/cross/wasm.js"}

/* Of each generator the processors that differ in it.  The emulated ones have no more than the code
   may use, where qemu can do without; AVX-512 qemu has not. */
const struct cross_target CROSS_TARGETS[N_CROSS_TARGETS] = {
    [CROSS_HOST] = {.name = "host", .clang = "", .linker = "ld.lld -static", .runner = ""},
    X86("x86-64", "qemu-x86_64 -cpu qemu64"),
    X86("x86-64-v2", "qemu-x86_64 -cpu Nehalem"),
    X86("x86-64-v3", "qemu-x86_64 -cpu Haswell"),
    X86("alderlake", ""),
    X86("x86-64-v4", ""),
    X86("cascadelake", ""),
    ARM64("cortex-a53", "cortex-a53", NULL, "cortex-a53"),
    ARM64("cortex-a76", "cortex-a76", NULL, "cortex-a76"),
    ARM64("neoverse-n2", "neoverse-n2", NULL, "max"),
    ARM64("aarch64+i8mm", "generic", "+i8mm,-dotprod", "max"),
    ARMV7("armv7", "generic", "cortex-a9,neon=off"),
    ARMV7("cortex-a9", "cortex-a9", "cortex-a9"),
    ARMV7("cortex-a7", "cortex-a7", "cortex-a7"),
    CORTEX_M("m0", "thumbv6m", "mps2", "mps2-an385"),
    CORTEX_M("m3", "thumbv7m", "mps2", "mps2-an385"),
    CORTEX_M("m4", "thumbv7em", "mps2", "mps2-an386"),
    CORTEX_M("m7", "thumbv7em", "mps2", "mps2-an500"),
    CORTEX_M("m33", "thumbv8m.main", "an505", "mps2-an505"),
    CORTEX_M("m55", "thumbv8.1m.main", "an547", "mps3-an547"),
    RISCV32("riscv32", "generic", "-march=rv32im -mabi=ilp32", .linker = "ld.lld -static",
            .runner = "qemu-riscv32"),
    RISCV32("sifive-e76", "sifive-e76", "-march=rv32imafc -mabi=ilp32f", .linker = "ld.lld -static",
            .runner = "qemu-riscv32"),
    RISCV32("sifive-e31", "sifive-e31", "-march=rv32imac -mabi=ilp32", .linker = "ld.lld",
            .board = "virt", .start = "board_riscv",
            .runner = "qemu-system-riscv32 -bios none -M virt" BARE),
    RISCV64("riscv64", "generic", "rv64"),
    RISCV64("sifive-p670", "sifive-p670", "rv64,v=true,vext_spec=v1.0,vlen=128"),
    WASM("wasm32", "mvp"),
    WASM("wasm32+simd128", "generic"),
    {.name = "cortex-m4-small",
     .opt = SMALL("thumbv7em", "cortex-m4"),
     .clang = "--target=thumbv7em-none-eabi -mcpu=cortex-m4 -mfloat-abi=soft",
     .linker = "ld.lld",
     .board = "mps2",
     .start = "board_arm",
     .runner = "qemu-system-arm -M mps2-an386" BARE},
    {.name = "cortex-m0-small",
     .opt = SMALL("thumbv6m", "cortex-m0"),
     .clang = "--target=thumbv6m-none-eabi -mcpu=cortex-m0 -mfloat-abi=soft",
     .linker = "ld.lld",
     .board = "mps2",
     .start = "board_arm",
     .runner = "qemu-system-arm -M mps2-an385" BARE},
    {.name = "riscv32-small",
     .opt = SMALL("riscv32", "generic"),
     .clang = "--target=riscv32-none-elf -mcmodel=medany -march=rv32im -mabi=ilp32",
     .linker = "ld.lld -static",
     .runner = "qemu-riscv32"},
    {.name = "cortex-a76-small",
     .opt = SMALL("aarch64", "cortex-a76"),
     .clang = "--target=aarch64-linux-gnu",
     .linker = "ld.lld -static",
     .gnu = "aarch64-linux-gnu-ld -static",
     .runner = "qemu-aarch64 -cpu cortex-a76"},
};

const struct cross_target *cross_named(const char *name)
{
    const struct cross_target *t = CROSS_TARGETS;
    while (strcmp(t->name, name) != 0) {
        t++;
        assert(t < CROSS_TARGETS + N_CROSS_TARGETS);
    }
    return t;
}

static bool have(const char *command)
{
    return support_run(support_printf("command -v %.*s", (int)strcspn(command, " "), command),
                       NULL) == 0;
}

static const char *find_missing(const struct cross_target *t)
{
    const char *const commands[] = {"clang", t->linker, t->runner};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (*commands[i] && !have(commands[i]))
            return commands[i];
    bool runs = *t->runner || !t->opt.cpu || compiled_host_runs(t->opt.cpu);
    return runs ? NULL : "the processor";
}

const char *cross_missing(const struct cross_target *t)
{
    static struct {
        bool looked;
        const char *missing;
    } known[N_CROSS_TARGETS];
    size_t i = (size_t)(t - CROSS_TARGETS);
    if (!known[i].looked)
        known[i].missing = find_missing(t);
    known[i].looked = true;
    return known[i].missing;
}

/* ---- programs ---- */

static const char *path_of(const char *name)
{
    return support_printf("%s/%s", support_tmp(), name);
}

static bool do_command(const char *command, struct error *err)
{
    char *out = NULL;
    int rc = support_run(command, &out);
    if (rc != 0)
        error_set(err, SHEAF_ERROR_ARGUMENT, "exit code %d: %s", rc, out);
    free(out);
    return rc == 0;
}

/* A source of the checkout: the object, NULL on failure. */
static const char *compile_source(const struct cross_target *t, const char *source,
                                  const char *flags, struct error *err)
{
    const char *object = path_of(support_printf("%s.%s.o", t->name, strrchr(source, '/') + 1));
    const char *board =
        t->board ? support_printf("-DBOARD_HZ=1u -I%s/examples/firmware", support_source()) : "";
    return do_command(support_printf("clang %s %s -std=c11 -O1 -Wall -Wextra -Werror "
                                     "-ffreestanding -fomit-frame-pointer -fno-pic "
                                     "-fno-stack-protector -I%s %s -c %s/%s.c -o %s",
                                     t->clang, board, support_source(), flags, support_source(),
                                     source, object),
                      err)
               ? object
               : NULL;
}

/* The objects of all programs for the target, built once. */
static const char *machine_of(const struct cross_target *t, struct error *err)
{
    static const char *built[N_CROSS_TARGETS];
    const char **p = &built[t - CROSS_TARGETS];
    if (*p)
        return *p;
    const char *objects = compile_source(t, "tests/cross/machine", "", err);
    if (objects && t->board) {
        const char *sources[] = {"board_bare", t->start};
        for (size_t i = 0; i < 2 && objects; i++) {
            const char *o =
                compile_source(t, support_printf("examples/firmware/%s", sources[i]), "", err);
            objects = o ? support_printf("%s %s", objects, o) : NULL;
        }
    }
    return *p = objects;
}

static bool link_program(const struct cross_target *t, const char *linker, const char *objects,
                         struct error *err)
{
    const char *machine = machine_of(t, err);
    const char *script = t->board ? support_printf("-T %s/examples/firmware/boards/%s.ld "
                                                   "-L %s/examples/firmware -e reset --gc-sections "
                                                   "-z noexecstack",
                                                   support_source(), t->board, support_source())
                                  : "";
    return machine && do_command(support_printf("%s %s %s %s -o %s", linker, script, machine,
                                                objects, path_of("program")),
                                 err);
}

static bool emulator_failed;

/* From the file `in` to the file `out` of the scratch folder; the exit code. */
static int run_program(const struct cross_target *t)
{
    char *said;
    int rc = support_run(support_printf("SOURCE=$(cd %s && pwd) && cd %s && %s ./program <in >out",
                                        support_source(), support_tmp(), t->runner),
                         &said);
    emulator_failed = rc != 0 && !strncmp(said, "qemu-", 5) && strstr(said, ": Assertion `");
    if (rc != 0)
        printf("%s", said);
    free(said);
    return rc;
}

/* ---- kernels and graphs ---- */

static struct {
    const struct cross_target *on;
    uint32_t bytes[AREA_COUNT]; /* of the areas, as tests/cross/kernel.c takes them */
} running;

static bool read_area(FILE *f, uint8_t *area, size_t n)
{
    return fread(area, 1, n, f) == n;
}

static int run_entry(uint8_t *constants, uint8_t *mutable_area, uint8_t *activations)
{
    FILE *in = fopen(path_of("in"), "wb");
    if (!in)
        return -1;
    fwrite(running.bytes, sizeof running.bytes[0], 3, in);
    fwrite(constants, 1, running.bytes[0], in);
    fwrite(mutable_area, 1, running.bytes[1], in);
    fclose(in);
    int rc = run_program(running.on);
    FILE *out = fopen(path_of("out"), "rb");
    if (rc == 0 && !(out && read_area(out, mutable_area, running.bytes[1]) &&
                     read_area(out, activations, running.bytes[2])))
        rc = -1;
    if (out)
        fclose(out);
    return rc;
}

bool cross_emulator_failed(const struct pipeline_run *run)
{
    return run->entry == run_entry && emulator_failed;
}

/* Built once. */
static const char *kernel_of(const struct cross_target *t, struct error *err)
{
    static const char *built[N_CROSS_TARGETS];
    const char **p = &built[t - CROSS_TARGETS];
    return *p ? *p : (*p = compile_source(t, "tests/cross/kernel", "", err));
}

/* What was emitted, from now on run on the target. */
static bool open_program(struct compiled *c, const struct cross_target *t, struct error *err)
{
    const char *net = path_of("net.o"), *kernel = kernel_of(t, err);
    if (!kernel)
        return false;
    support_write_file(net, c->code.object.data, c->code.object.size);
    if (!link_program(t, t->linker, support_printf("%s %s", kernel, net), err))
        return false;
    running.on = t;
    running.bytes[0] = (uint32_t)c->weights.size;
    running.bytes[1] = (uint32_t)c->program->area_bytes[AREA_MUTABLE];
    running.bytes[2] = (uint32_t)c->program->area_bytes[AREA_ACTIVATION];
    c->run.entry = run_entry;
    return true;
}

bool cross_open_kernel(struct compiled *c, const char *kernel_text, const struct cross_target *t,
                       struct error *err)
{
    return compiled_emit_kernel(c, kernel_text, &t->opt, err) && open_program(c, t, err);
}

bool cross_open_graph(struct compiled *c, struct graph *g, const struct cross_target *t,
                      struct error *err)
{
    return compiled_emit_graph(c, g, &t->opt, err) && open_program(c, t, err);
}

/* ---- networks ---- */

bool cross_link_network(const struct cross_target *t, const char *folder, struct error *err)
{
    const char *linker = t->gnu && have(t->gnu) ? t->gnu : t->linker;
    const char *network =
        compile_source(t, "tests/cross/network", support_printf("-I%s", folder), err);
    return network &&
           link_program(t, linker,
                        support_printf("%s %s/net.o %s/net_weights.o", network, folder, folder),
                        err);
}

bool cross_run_network(const struct cross_target *t, const struct bytes *in, char **out,
                       size_t *out_size, struct error *err)
{
    support_write_file(path_of("in"), in->data, in->size);
    int rc = run_program(t);
    if (rc != 0) {
        error_set(err, SHEAF_ERROR_ARGUMENT, "the program exits with %d", rc);
        return false;
    }
    *out = support_read_file(path_of("out"), out_size);
    return *out != NULL;
}
