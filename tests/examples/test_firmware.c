/*
 * test_firmware.c: the firmware example on every board that QEMU has: the results are those of this
 * machine, and the stack that a call used is what the bundle's header says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/support.h"

static const struct board {
    const char *name, *qemu;
    unsigned slack; /* a frame may begin with fewer bytes than these that nothing is ever in */
} BOARDS[] = {{"m0", "qemu-system-arm", 4},       {"m3", "qemu-system-arm", 4},
              {"m4", "qemu-system-arm", 8},       {"m7", "qemu-system-arm", 8},
              {"m33", "qemu-system-arm", 8},      {"m55", "qemu-system-arm", 16},
              {"rv32", "qemu-system-riscv32", 16}};
enum { N_BOARDS = sizeof BOARDS / sizeof *BOARDS };

static bool has_program(const char *name)
{
    return support_run(support_printf("command -v %s", name), NULL) == 0;
}

static const char *missing(const struct board *b)
{
    if (!has_program("clang"))
        return "clang";
    if (!has_program("ld.lld") && !has_program("ld.lld-19"))
        return "ld.lld";
    return has_program(b->qemu) ? NULL : b->qemu;
}

/* `make ARGUMENTS` in the example's folder, with build results in the scratch folder SUB. */
static int run_make(const char *sub, const char *arguments, char **out_text)
{
    return support_run(support_printf("make -s --no-print-directory -C %s/examples/firmware "
                                      "BUILD=%s/%s LOADER=%s HOST_CC=%s CC=clang %s",
                                      support_source(), support_tmp(), sub, support_loader(),
                                      support_cc(), arguments),
                       out_text);
}

static void check_stack(const struct board *b, const char *text)
{
    unsigned used, most;
    const char *line = strstr(text, "cost: stack ");
    assert_non_null(line);
    assert_int_equal(sscanf(line, "cost: stack %u bytes, at most %u", &used, &most), 2);
    if (used > most || most - used >= b->slack)
        fail_msg("%s: the header says %u bytes of stack, %u were used", b->name, most, used);
}

static void check_time(const struct board *b, const char *text)
{
    unsigned ticks;
    const char *line = strstr(text, "cost: time ");
    assert_non_null(line);
    assert_int_equal(sscanf(line, "cost: time %u", &ticks), 1);
    if (ticks < 100)
        fail_msg("%s: %u ticks", b->name, ticks);
}

static void check_board(const struct board *b, const char *sub, const char *arguments)
{
    char *text;
    if (run_make(sub, support_printf("check BOARD=%s %s", b->name, arguments), &text) != 0)
        fail_msg("%s: %s", b->name, text);
    check_stack(b, text);
    check_time(b, text);
    free(text);
}

/* Each picture's file is named NUMBER_CLASS.png. */
static void check_classes(const char *said)
{
    char *text = support_read_file(said, NULL);
    assert_non_null(text);
    int n = 0;
    for (char *line = strtok(text, "\n"); line && !strstr(line, "cost");
         line = strtok(NULL, "\n")) {
        int want, got;
        assert_int_equal(sscanf(line, "%d_%*[^:]: class %d", &want, &got), 2);
        assert_int_equal(got, want);
        n++;
    }
    assert_int_equal(n, 16);
    free(text);
}

static void check_embedded(const char *name)
{
    for (size_t i = 0; i < N_BOARDS; i++) {
        if (strcmp(BOARDS[i].name, name) != 0)
            continue;
        SUPPORT_NEED(missing(&BOARDS[i]) ? NULL : "", missing(&BOARDS[i]));
        check_board(&BOARDS[i], "embedded", "");
        check_classes(support_printf("%s/embedded/%s/said", support_tmp(), name));
    }
}

static void test_m0(void **state)
{
    (void)state;
    check_embedded("m0");
}

static void test_m3(void **state)
{
    (void)state;
    check_embedded("m3");
}

static void test_m4(void **state)
{
    (void)state;
    check_embedded("m4");
}

static void test_m7(void **state)
{
    (void)state;
    check_embedded("m7");
}

static void test_m33(void **state)
{
    (void)state;
    check_embedded("m33");
}

static void test_m55(void **state)
{
    (void)state;
    check_embedded("m55");
}

static void test_rv32(void **state)
{
    (void)state;
    check_embedded("rv32");
}

static const struct board *board(const char *name)
{
    size_t i = 0;
    while (strcmp(BOARDS[i].name, name) != 0)
        i++;
    return &BOARDS[i];
}

/* Inputs and outputs inside the activations. */
static void test_overlay(void **state)
{
    (void)state;
    const struct board *b = board("m4");
    SUPPORT_NEED(missing(b) ? NULL : "", missing(b));
    check_board(b, "overlay", "LOADER_FLAGS=-overlay-io");
    check_classes(support_printf("%s/overlay/m4/said", support_tmp()));
}

/* In float, which a Cortex-M0 computes by routines: their stack counts. */
static void test_float(void **state)
{
    (void)state;
    const struct board *b = board("m0");
    const char *model = support_data("nets/mlperf_ad01");
    SUPPORT_NEED(missing(b) ? NULL : "", missing(b));
    SUPPORT_NEED(model, "nets/mlperf_ad01");
    char *text;
    const char *arguments = support_printf("run BOARD=m0 QUANTIZE=NO MODEL=%s", model);
    if (run_make("float", arguments, &text) != 0)
        fail_msg("%s", text);
    check_stack(b, text);
    free(text);
}

static void test_networks(void **state)
{
    (void)state;
    static const char *const networks[] = {"models/onnx-mlperf_resnet8", "nets/mlperf_vww96",
                                           "nets/mlperf_ad01", "nets/kws_qdq"};
    static const char *const on[] = {"m4", "m55", "rv32"};
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        const char *model = support_data(networks[i]);
        SUPPORT_NEED(model, networks[i]);
        for (size_t k = 0; k < (support_full() ? 3 : 1); k++) {
            const struct board *b = board(on[k]);
            SUPPORT_NEED(missing(b) ? NULL : "", missing(b));
            check_board(b, support_printf("net%zu", i), support_printf("MODEL=%s", model));
        }
    }
}

/* Firmware that makes no use of the tables does not hold them; the weights are not copied. */
static void test_sections(void **state)
{
    (void)state;
    const struct board *b = board("m4");
    SUPPORT_NEED(missing(b) ? NULL : "", missing(b));
    const char *dir = support_printf("%s/sections", support_tmp());
    const char *source =
        "#include \"network.h\"\n"
        "int reset(void); int reset(void)\n"
        "{ return network((uint8_t *)(uintptr_t)network_weights, (uint8_t *)0x20000000,\n"
        "                 (uint8_t *)0x20100000); }\n";
    char *text;
    if (run_make("sections", "run BOARD=m4", &text) != 0)
        fail_msg("%s", text);
    free(text);
    support_write_file(support_printf("%s/t.c", dir), source, strlen(source));
    const char *command = support_printf(
        "cd %s && clang --target=thumbv7em-none-eabi -mcpu=cortex-m4 -ffreestanding -c -Im4 t.c && "
        "$(command -v ld.lld || command -v ld.lld-19) -e reset --gc-sections t.o m4/network.o "
        "m4/network_weights.o -o t.elf && %s -audit t.elf",
        dir, support_loader());
    support_run(command, &text);
    assert_non_null(strstr(text, "Writable data: none"));
    assert_null(strstr(text, "Entry network:"));
    free(text);
}

static void test_faults(void **state)
{
    (void)state;
    const struct board *b = board("m4");
    SUPPORT_NEED(missing(b) ? NULL : "", missing(b));
    char *text;
    assert_int_not_equal(run_make("faults", "run BOARD=z80", &text), 0);
    assert_non_null(strstr(text, "there is no BOARD z80"));
    free(text);
    const char *few = support_printf("%s/few.bin", support_tmp());
    support_write_file(few, "1234", 4);
    /* The profile comes from pictures, the sample is none. */
    const char *pictures = "../compile_resnet50/images/00_disc.png";
    assert_int_not_equal(
        run_make("faults", support_printf("run SAMPLES='%s %s'", pictures, few), &text), 0);
    assert_non_null(strstr(text, "a sample does not have the size of the network's input"));
    free(text);
    assert_int_not_equal(run_make("faults", "run SAMPLES='absent.png'", &text), 0);
    assert_non_null(strstr(text, "absent.png"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_m0),       cmocka_unit_test(test_m3),
        cmocka_unit_test(test_m4),       cmocka_unit_test(test_m7),
        cmocka_unit_test(test_m33),      cmocka_unit_test(test_m55),
        cmocka_unit_test(test_rv32),     cmocka_unit_test(test_overlay),
        cmocka_unit_test(test_float),    cmocka_unit_test(test_networks),
        cmocka_unit_test(test_sections), cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
