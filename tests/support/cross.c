#include "tests/support/cross.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/support.h"

#define ARM64_LINUX "--target=aarch64-linux-gnu"
#define ARM_LINUX   "--target=armv7-linux-gnueabihf"
#define THUMB       "--target=thumbv7em-none-eabi -mcpu=cortex-m4"
#define THUMB_SOFT  "--target=thumbv7m-none-eabi -mfloat-abi=soft"
#define RISCV32     "--target=riscv32-none-elf -march=rv32im -mabi=ilp32"
#define RISCV_LINUX "--target=riscv64-linux-gnu -march=rv64gc"

/* Code for Cortex-M but its vectors is code for an A-profile processor, too.  Of each generator the
   processors that differ in it. */
const struct cross_target CROSS_TARGETS[N_CROSS_TARGETS] = {
    {{.triple = "aarch64", .cpu = "generic"}, ARM64_LINUX, "qemu-aarch64 -cpu cortex-a53", NULL},
    {{.triple = "aarch64", .cpu = "cortex-a76"}, ARM64_LINUX, "qemu-aarch64 -cpu cortex-a76", NULL},
    {{.triple = "aarch64", .cpu = "neoverse-n2"}, ARM64_LINUX, "qemu-aarch64 -cpu max", NULL},
    {{.triple = "aarch64", .cpu = "generic", .features = "+i8mm,-dotprod"},
     ARM64_LINUX,
     "qemu-aarch64 -cpu max",
     NULL},
    {{.triple = "armv7-linux-gnueabihf", .cpu = "generic"},
     ARM_LINUX,
     "qemu-arm -cpu cortex-a7",
     NULL},
    {{.triple = "armv7-linux-gnueabihf", .cpu = "cortex-a7"},
     ARM_LINUX,
     "qemu-arm -cpu cortex-a7",
     NULL},
    {{.triple = "thumbv6m", .cpu = "cortex-m0"}, THUMB_SOFT, "qemu-arm -cpu max", NULL},
    {{.triple = "thumbv7em", .cpu = "cortex-m4"}, THUMB, "qemu-arm -cpu max", NULL},
    {{.triple = "thumbv8m.main", .cpu = "cortex-m33"}, THUMB, "qemu-arm -cpu max", NULL},
    {{.triple = "thumbv8.1m.main", .cpu = "cortex-m55"},
     "--target=thumbv8.1m.main-none-eabihf -mcpu=cortex-m55",
     "qemu-system-arm -M mps3-an547 -display none -monitor none -serial none -semihosting -kernel",
     "mps3.ld"},
    {{.triple = "riscv32", .cpu = "generic"}, RISCV32, "qemu-riscv32", NULL},
    {{.triple = "riscv64", .cpu = "generic"}, RISCV_LINUX, "qemu-riscv64", NULL},
    {{.triple = "riscv64", .cpu = "sifive-p670"},
     RISCV_LINUX,
     "qemu-riscv64 -cpu rv64,v=true,vext_spec=v1.0,vlen=128",
     NULL},
};

const char *cross_missing(const struct cross_target *t)
{
    const char *const programs[] = {"clang", "ld.lld",
                                    support_printf("%.*s", (int)strcspn(t->qemu, " "), t->qemu)};
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        if (support_run(support_printf("command -v %s", programs[i]), NULL) != 0)
            return programs[i];
    return NULL;
}

/* ---- the program ---- */

static const char *path_of(const char *name)
{
    return support_printf("%s/%s", support_tmp(), name);
}

/* The part that does not depend on the kernel, built once. */
static const char *start_of(const struct cross_target *t, struct error *err)
{
    static const char *built[N_CROSS_TARGETS];
    const char **p = &built[t - CROSS_TARGETS];
    if (*p)
        return *p;
    const char *object = path_of(support_printf("start%d.o", (int)(t - CROSS_TARGETS)));
    char *out = NULL;
    int rc = support_run(support_printf("clang %s -O1 -ffreestanding -fomit-frame-pointer -fno-pic "
                                        "-fno-stack-protector -c %s/tests/cross/start.c -o %s",
                                        t->clang, support_source(), object),
                         &out);
    if (rc != 0)
        error_set(err, SHEAF_ERROR_ARGUMENT, "clang: %s", out);
    else
        *p = object;
    free(out);
    return *p;
}

static bool link_program(const struct cross_target *t, const struct bytes *object,
                         struct error *err)
{
    const char *start = start_of(t, err);
    if (!start)
        return false;
    const char *net = path_of("net.o");
    support_write_file(net, object->data, object->size);
    const char *script =
        t->script ? support_printf("-T %s/tests/cross/%s", support_source(), t->script) : "";
    char *out = NULL;
    int rc = support_run(
        support_printf("ld.lld -static %s %s %s -o %s", script, start, net, path_of("program")),
        &out);
    if (rc != 0)
        error_set(err, SHEAF_ERROR_ARGUMENT, "ld.lld: %s", out);
    free(out);
    return rc == 0;
}

/* ---- a run ---- */

static struct {
    const char *qemu;
    uint32_t bytes[AREA_COUNT]; /* of the areas, as start.c takes them */
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
    int rc = support_run(
        support_printf("cd %s && %s ./program <in >out", support_tmp(), running.qemu), NULL);
    FILE *out = fopen(path_of("out"), "rb");
    if (rc == 0 && !(out && read_area(out, mutable_area, running.bytes[1]) &&
                     read_area(out, activations, running.bytes[2])))
        rc = -1;
    if (out)
        fclose(out);
    return rc;
}

bool cross_open_kernel(struct compiled *c, const char *kernel_text, const struct cross_target *t,
                       struct error *err)
{
    if (!compiled_emit_kernel(c, kernel_text, &t->opt, err) ||
        !link_program(t, &c->code.object, err))
        return false;
    running.qemu = t->qemu;
    running.bytes[0] = (uint32_t)c->weights.size;
    running.bytes[1] = (uint32_t)c->program->area_bytes[AREA_MUTABLE];
    running.bytes[2] = (uint32_t)c->program->area_bytes[AREA_ACTIVATION];
    c->run.entry = run_entry;
    return true;
}
