/*
 * test_gpu_assembler.c: machine code for a bundle by an assembler, which may be a stand-in.
 */
#define _XOPEN_SOURCE 700 /* setenv */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundle/emit/emit.h"
#include "gpu_runtime/codegen/gpu_target.h"
#include "tests/support/fixture.h"
#include "tests/support/support.h"

static const struct bytes text = {(const uint8_t *)"// code\n", 8};

/* A script in place of the assembler. */
static const char *stand_in(const char *name, const char *script)
{
    const char *file = support_printf("%s/%s", support_tmp(), name);
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    fprintf(f, "#!/bin/sh\n%s\n", script);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(file, 0755), 0);
    return file;
}

static bool assemble(const char *program, struct bytes *out)
{
    struct target t = {.assembler = program};
    return gpu_assemble(&t, &arena, 90, &text, out, &err);
}

static void test_output(void **state)
{
    (void)state;
    struct bytes code;
    const char *program = stand_in("ptxas-takes", "test $1 = -arch=sm_90 || exit 1\n"
                                                  "cat $2 $2 > $4");
    if (!assemble(program, &code))
        fail_msg("%s", err.text);
    assert_int_equal(code.size, 16);
    assert_memory_equal(code.data, "// code\n// code\n", 16);
}

/* Its first line is in the sentence. */
static void test_refusal(void **state)
{
    (void)state;
    struct bytes code;
    const char *program = stand_in("ptxas-refuses", "echo 'line 3: no such thing' >&2; exit 1");
    assert_false(assemble(program, &code));
    assert_non_null(strstr(err.text, "line 3: no such thing"));
    assert_non_null(strstr(err.text, "sm_90"));
    assert_non_null(strstr(err.text, "-ptxas=none"));
}

static void test_no_output(void **state)
{
    (void)state;
    struct bytes code;
    assert_false(assemble(stand_in("ptxas-silent", "exit 0"), &code));
    assert_false(assemble("/nowhere/ptxas", &code));
}

static void test_find(void **state)
{
    (void)state;
    const char *file;
    assert_false(gpu_find_assembler(&arena, "/nowhere/ptxas", &file, &err));
    assert_non_null(strstr(err.text, "option -ptxas: /nowhere/ptxas"));
    error_init(&err);
    const char *home = support_printf("%s/cuda", support_tmp());
    mkdir(home, 0755);
    mkdir(support_printf("%s/bin", home), 0755);
    const char *program = stand_in("cuda/bin/ptxas", "exit 0");
    setenv("CUDA_HOME", home, 1);
    assert_true(gpu_find_assembler(&arena, NULL, &file, &err));
    assert_string_equal(file, program);
    setenv("CUDA_HOME", "/nowhere", 1);
    setenv("PATH", "/nowhere", 1);
    assert_true(gpu_find_assembler(&arena, NULL, &file, &err));
    assert_null(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_output, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_output, setup, teardown),
        cmocka_unit_test_setup_teardown(test_find, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
