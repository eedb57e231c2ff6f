/*
 * test_audit.c: what is told about objects of clang for several processors, about bundles, and
 * about damaged files.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bundle/read/audit.h"
#include "cpu_runtime/codegen/cpu_target.h"
#include "tests/support/compiled.h"
#include "tests/support/fixture.h"
#include "tests/support/support.h"

/* Two calls, an address in constants, and something of each kind of section. */
static const char SOURCE[] = "extern float other(float);\n"
                             "extern const int far;\n"
                             "const int table[5] = {1, 2, 3, 4, 5};\n"
                             "const int *const addresses[2] = {&far, table};\n"
                             "int counter = 7;\n"
                             "char room[100];\n"
                             "float twice(float x) { other(x); return other(x) * x; }\n";

/* The object of that source, the arena's; the test is skipped where the compiler cannot make it. */
static struct object build(const char *source, const char *compiler)
{
    const char *dir = support_tmp();
    support_write_file(support_printf("%s/a.c", dir), source, strlen(source));
    const char *command = support_printf("cd %s && rm -f a.o && %s -c a.c -o a.o", dir, compiler);
    if (support_run(command, NULL) != 0)
        SUPPORT_NEED(NULL, compiler);
    size_t size;
    char *data = support_read_file(support_printf("%s/a.o", dir), &size);
    struct object o;
    assert_non_null(data);
    const char *why = object_open(arena_copy(&arena, data, size), size, &o);
    if (why)
        fail_msg("%s", why);
    free(data);
    return o;
}

static void of_the_host_compiler(void **state)
{
    (void)state;
    struct object o = build(SOURCE, support_printf("%s -O1 -fPIC -g", support_cc()));
    struct audit_sizes s = audit_sizes(&o);
    assert_true(s.code > 10 && s.code < 200);
    assert_true(s.constants >= 5 * 4 + 2 * 8);
    assert_int_equal(s.relocated, 2 * 8);
    assert_int_equal(s.writable, 4 + 100);
    struct audit_entry e;
    assert_false(audit_entry(&o, 0, &e));
}

static void floats_and_machines(void **state)
{
    (void)state;
    static const struct {
        const char *flags, *machine;
        enum audit_float_abi abi;
    } cases[] = {
        {"--target=x86_64-linux-gnu", "x86-64", AUDIT_FLOAT_HARD},
        {"--target=aarch64-linux-gnu", "AArch64", AUDIT_FLOAT_HARD},
        {"--target=thumbv6m-none-eabi", "ARM", AUDIT_FLOAT_SOFT},
        {"--target=thumbv7em-none-eabi -mcpu=cortex-m4 -mfloat-abi=soft", "ARM", AUDIT_FLOAT_SOFT},
        {"--target=thumbv7em-none-eabi -mcpu=cortex-m4 -mfloat-abi=softfp", "ARM",
         AUDIT_FLOAT_SOFT},
        {"--target=thumbv7em-none-eabihf -mcpu=cortex-m4 -mfloat-abi=hard", "ARM",
         AUDIT_FLOAT_HARD},
        {"--target=armv7-linux-gnueabihf -mfloat-abi=hard", "ARM", AUDIT_FLOAT_HARD},
        {"--target=riscv32-none-elf -march=rv32imac -mabi=ilp32", "RISC-V, 32 bits",
         AUDIT_FLOAT_SOFT},
        {"--target=riscv32-none-elf -march=rv32imafc -mabi=ilp32f", "RISC-V, 32 bits",
         AUDIT_FLOAT_HARD},
        {"--target=riscv64-none-elf -march=rv64gc -mabi=lp64", "RISC-V, 64 bits", AUDIT_FLOAT_SOFT},
        {"--target=riscv64-none-elf -march=rv64gc -mabi=lp64d", "RISC-V, 64 bits",
         AUDIT_FLOAT_HARD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct object o = build(SOURCE, support_printf("clang -O1 %s", cases[i].flags));
        assert_string_equal(audit_machine(&o), cases[i].machine);
        if (audit_float_abi(&o) != cases[i].abi)
            fail_msg("%s", cases[i].flags);
    }
}

/* Machines that are none of ours. */
static void other_machines(void **state)
{
    (void)state;
    struct object o = build(SOURCE, "clang --target=mips-linux-gnu");
    assert_string_equal(audit_machine(&o), "unknown");
    assert_int_equal(audit_float_abi(&o), AUDIT_FLOAT_UNSTATED);
    struct object x32 = build(SOURCE, "clang --target=x86_64-linux-gnux32");
    assert_string_equal(audit_machine(&x32), "unknown");
}

static void note_relocation(const char *name, uint64_t count, void *arg)
{
    strbuf_printf(arg, "%s %" PRIu64 "\n", name, count);
}

static const char *relocations(const struct object *o)
{
    struct strbuf out;
    strbuf_init(&out, &arena);
    audit_relocations(o, note_relocation, &out);
    return strbuf_text(&out);
}

/* Those of debug sections, of which there are many, are the debugger's affair. */
static void relocations_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *flags, *want;
    } cases[] = {
        {"--target=thumbv7em-none-eabi -mfloat-abi=soft -g", "R_ARM_ABS32 2\nR_ARM_THM_CALL 3\n"},
        {"--target=x86_64-linux-gnu -fno-pic -g -fno-asynchronous-unwind-tables",
         "R_X86_64_64 2\nR_X86_64_PLT32 2\n"},
        {"--target=aarch64-none-elf -g", "R_AARCH64_ABS64 2\nR_AARCH64_CALL26 2\n"},
        {"--target=riscv32-none-elf -march=rv32imafc -mabi=ilp32f -mno-relax",
         "R_RISCV_32 2\nR_RISCV_CALL"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct object o =
            build(SOURCE, support_printf("clang -O1 -fno-exceptions %s", cases[i].flags));
        if (!strstr(relocations(&o), cases[i].want))
            fail_msg("%s: %s", cases[i].flags, relocations(&o));
        assert_null(strstr(relocations(&o), "type "));
    }
}

static void a_relocation_without_a_name(void **state)
{
    (void)state;
    struct object o = build("extern __thread int v; int get(void); int get(void) { return v; }\n",
                            "clang -O1 --target=x86_64-linux-gnu -fno-pic -ftls-model=local-exec "
                            "-fno-asynchronous-unwind-tables");
    assert_string_equal(relocations(&o), "type 23 1\n");
}

/* ---- bundles ---- */

static const char CONV[] = "graph \"t\" {\n"
                           "input %x f32 [1,3,8,8]\n"
                           "const %w f32 [16,3,3,3] = fill 0.5\n"
                           "%y = conv (%x, %w)\n"
                           "return %y\n}\n";

static void of_a_bundle(void **state)
{
    (void)state;
    static const struct cpu_target_options targets[] = {
        {.triple = "x86_64", .cpu = "x86-64-v3"},
        {.triple = "aarch64"},
        {.triple = "armv7"},
        {.triple = "riscv64"},
        {.triple = "riscv32", .cpu = "sifive-e31"},
        {.triple = "thumbv6m", .cpu = "cortex-m0"},
        {.triple = "thumbv7em", .cpu = "cortex-m4"},
        {.triple = "thumbv8.1m.main", .cpu = "cortex-m55"},
    };
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct compiled c;
        struct object o;
        struct audit_entry e;
        memset(&c, 0, sizeof c);
        if (!compiled_emit(&c, CONV, &targets[i], &err))
            fail_msg("%s: %s", targets[i].triple, err.text);
        assert_null(object_open(c.code.object.data, c.code.object.size, &o));
        assert_true(audit_entry(&o, 0, &e));
        assert_string_equal(e.name, c.entry.name);
        assert_int_equal(e.constants, c.program->area_bytes[AREA_CONSTANT]);
        assert_int_equal(e.mutables, c.program->area_bytes[AREA_MUTABLE]);
        assert_int_equal(e.activations, c.program->area_bytes[AREA_ACTIVATION]);
        assert_int_equal(e.macs, 6 * 6 * 16 * 27);
        assert_true(e.stack_bytes >= 8 && e.stack_bytes < 4096);
        assert_false(audit_entry(&o, 1, &e));
        assert_int_equal(audit_sizes(&o).writable, 0);
        if (strstr(relocations(&o), "type "))
            fail_msg("%s: %s", targets[i].triple, relocations(&o));
        compiled_close(&c);
    }
}

/* ---- damage ---- */

static void count_relocations(const char *name, uint64_t count, void *arg)
{
    assert_true(*name && count > 0);
    ++*(unsigned *)arg;
}

static void read_everything(const uint8_t *data, size_t size)
{
    struct object o;
    struct audit_entry e;
    unsigned n = 0;
    if (object_open(data, size, &o))
        return;
    audit_machine(&o);
    audit_float_abi(&o);
    if (o.n_sections > 1000 || o.n_symbols > 1000)
        return;
    audit_sizes(&o);
    audit_relocations(&o, count_relocations, &n);
    for (uint32_t i = 0; audit_entry(&o, i, &e); i++)
        assert_true(strlen(e.name) < size);
}

static void damaged(void **state)
{
    (void)state;
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    const struct cpu_target_options m4 = {.triple = "thumbv7em", .cpu = "cortex-m4"};
    struct compiled c;
    memset(&c, 0, sizeof c);
    assert_true(compiled_emit(&c, CONV, &m4, &err));
    size_t n = c.code.object.size;
    for (size_t size = 0; size < n; size += support_quick() ? 97 : 7) {
        uint8_t *copy = malloc(size ? size : 1); /* so that a sanitizer sees the end */
        assert_non_null(copy);
        memcpy(copy, c.code.object.data, size);
        read_everything(copy, size);
        free(copy);
    }
    uint8_t *data = malloc(n);
    assert_non_null(data);
    memcpy(data, c.code.object.data, n);
    for (size_t at = 0; at < n; at += support_quick() ? 13 : 1) {
        uint8_t old = data[at];
        for (size_t i = 0; i < sizeof values; i++) {
            data[at] = values[i];
            read_everything(data, n);
        }
        data[at] = old;
    }
    free(data);
    compiled_close(&c);
}

/* Attributes that end too early say nothing. */
static void damaged_attributes(void **state)
{
    (void)state;
    struct object o = build(SOURCE, "clang --target=thumbv7em-none-eabihf -mcpu=cortex-m4 "
                                    "-mfloat-abi=hard");
    struct object_section s = {0};
    uint32_t i = 1;
    while (object_section(&o, i, &s) && strcmp(s.name, ".ARM.attributes") != 0)
        i++;
    assert_string_equal(s.name, ".ARM.attributes");
    uint8_t *data = arena_copy(&arena, o.data, o.size);
    o.data = data;
    static const struct {
        size_t at;
        uint8_t value;
    } damage[] = {{0, 'B'}, {5, 'x'}, {11, 2}, {12, 3}, {15, 0x7f}};
    for (size_t k = 0; k < sizeof damage / sizeof *damage; k++) {
        uint8_t *p = data + s.offset + damage[k].at, old = *p;
        assert_int_equal(audit_float_abi(&o), AUDIT_FLOAT_HARD);
        *p = damage[k].value;
        if (audit_float_abi(&o) != AUDIT_FLOAT_UNSTATED)
            fail_msg("byte %zu", damage[k].at);
        *p = old;
    }
    /* A number without an end. */
    memset(data + s.offset + 16, 0xff, (size_t)s.size - 16);
    assert_int_not_equal(audit_float_abi(&o), AUDIT_FLOAT_HARD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(of_the_host_compiler, setup, teardown),
        cmocka_unit_test_setup_teardown(floats_and_machines, setup, teardown),
        cmocka_unit_test_setup_teardown(other_machines, setup, teardown),
        cmocka_unit_test_setup_teardown(relocations_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(a_relocation_without_a_name, setup, teardown),
        cmocka_unit_test_setup_teardown(of_a_bundle, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_attributes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
