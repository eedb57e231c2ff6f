/*
 * -weights-format and -section: the same network with its weights read from a file and linked in.
 */
#include "tests/loader/bundle_run.h"

static int setup(void **state)
{
    (void)state;
    write_net("net.onnx", "2", 2);
    return 0;
}

static void expect_files(const char *dir, const char *want)
{
    char *list;
    run_or_fail(support_printf("cd %s && LC_ALL=C ls -A | tr '\\n' ' '", path_of(dir)), &list);
    assert_string_equal(list, want);
    free(list);
}

static void each_form(void **state)
{
    (void)state;
    compile("-m net.onnx -emit-bundle bin -weights-format=bin");
    compile("-m net.onnx -emit-bundle c -weights-format=c -section=.flash");
    compile("-m net.onnx -emit-bundle object -weights-format=object -section=.flash");
    compile("-m net.onnx -emit-bundle none -weights-format=none");
    expect_files("bin", "net.h net.o net.weights ");
    expect_files("c", "net.h net.o net_weights.c ");
    expect_files("object", "net.h net.o net_weights.o ");
    expect_files("none", "net.h net.o ");
    /* The code does not know how its weights come. */
    run_or_fail(support_printf("cd %s && cmp bin/net.o c/net.o && cmp bin/net.o object/net.o && "
                               "cmp bin/net.o none/net.o",
                               support_tmp()),
                NULL);
    run_or_fail(support_printf("cd %s && %s -c c/net_weights.c -o c.o && "
                               "objcopy -O binary -j .flash c.o c.bin && cmp c.bin bin/net.weights "
                               "&& objcopy -O binary -j .flash object/net_weights.o o.bin && "
                               "cmp o.bin bin/net.weights",
                               support_tmp(), support_cc()),
                NULL);
}

static void faults(void **state)
{
    (void)state;
    tool_expect_fault("-m net.onnx -weights-format=c", "option -weights-format needs -emit-bundle");
    tool_expect_fault("-m net.onnx -emit-bundle x -section=.flash",
                      "option -section needs -weights-format");
    tool_expect_fault("-m net.onnx -emit-bundle x -section=.flash -weights-format=none",
                      "option -section needs -weights-format=c or object");
    tool_expect_fault("-m net.onnx -emit-bundle x -section='a b' -weights-format=c",
                      "'a b' is no section's name");
    static const char *const taken[] = {".init_array", ".bss",      ".symtab", ".rela.text",
                                        ".note.x",     ".eh_frame", ".tdata",  ".debug_info"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        tool_expect_fault(
            support_printf("-m net.onnx -emit-bundle x -section=%s -weights-format=object",
                           taken[i]),
            "has a meaning of its own in an object file");
    tool_expect_fault("-m net.onnx -emit-bundle x -weights-format=hex", "hex");
    tool_expect_fault("-m net.onnx -emit-lib=static -weights-format=c",
                      "options -emit-lib and -weights-format exclude each other");
    tool_expect_fault("-m net.onnx -emit-bundle x -repack-weights -weights-format=c",
                      "options -repack-weights and -weights-format exclude each other");
    tool_expect_fault("-m net.onnx -emit-bundle x -main-entry-name=net_weights "
                      "-weights-format=object",
                      "'net_weights', and so is a function");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form),
        cmocka_unit_test(faults),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
