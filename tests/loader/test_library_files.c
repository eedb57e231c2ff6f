/*
 * The files of a library: which names they show and what lies where, what options change, what is
 * refused, and that the function sheaf_deploy writes the same.
 */
#include "tests/loader/library.h"

#include "bundle/read/object.h"
#include "loader/deploy.h"

/* ---- what a shared library is ---- */

static void only_documented_names_are_seen(void **state)
{
    (void)state;
    static const char program[] = "#include \"libone.h\"\n"
                                  "int main(void) { return one_status(); }\n";
    lib_deploy(SHARED, "one", "seen", "-weights=seen/one.weights");
    lib_must_run(
        "nm -D --defined-only seen/libone.so | sed 's/.* //' | sort",
        "one\none_context_init\none_context_size\none_init\none_run\none_seed\none_status\n"
        "one_weights\nsheaf_ext_free\nsheaf_ext_malloc\nsheaf_ext_set_allocator\n"
        "sol_ext_free\nsol_ext_malloc\n");
    lib_must_run("readelf -d seen/libone.so | grep -c -e 'Shared library: .libc.so.6.' "
                 "-e 'soname: .libone.so.'",
                 "2\n");
    lib_must_run("readelf -d seen/libone.so | grep -c TEXTREL || true", "0\n");
    lib_must_run("readelf -lW seen/libone.so | grep -c -e 'RWE' -e 'GNU_STACK.* E ' || true",
                 "0\n");
    /* The same in a program that links the static one: what it does not call stays inside. */
    lib_deploy(STATIC, "one", "seen", "");
    lib_build(support_printf("%s -std=c11 -rdynamic", support_cc()), "seen.c", program, "seen",
              "-l:libone.a");
    lib_must_run("nm -D --defined-only seen/main | grep -c one_network || true", "0\n");
}

/* The weights lie where nobody writes, so that processes share them; what is written is small. */
static void weights_are_read_only(void **state)
{
    (void)state;
    lib_deploy(SHARED, "one", "shared", "-weights=shared/one.weights");
    size_t n_weights, size;
    char *weights = support_read_file(lib_path("shared/one.weights"), &n_weights);
    lib_deploy(SHARED, "one", "shared", "");
    char *library = support_read_file(lib_path("shared/libone.so"), &size);
    struct object o;
    assert_non_null(weights);
    assert_null(object_open(library, size, &o));
    bool found = false;
    for (uint32_t i = 1; i < o.n_sections; i++) {
        struct object_section s;
        assert_true(object_section(&o, i, &s));
        if (strcmp(s.name, ".bss") == 0 || strcmp(s.name, ".data") == 0)
            assert_true(s.size <= 64);
        if (strcmp(s.name, ".rodata") != 0)
            continue;
        assert_false(s.flags & 1 /* SHF_WRITE */);
        for (uint64_t at = 0; at + n_weights <= s.size && !found; at++)
            found = memcmp(library + s.offset + at, weights, n_weights) == 0;
    }
    assert_true(found);
    free(weights);
    free(library);
}

static void the_bytes_are_the_same_anywhere(void **state)
{
    (void)state;
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        lib_deploy(kind, "two", "here", "-march=haswell -device=x86");
        lib_deploy(kind, "two", "there", "-march=core-avx2 -vector=avx2 -device=x86");
        lib_must_run(support_printf("cmp here/libtwo.%s there/libtwo.%s && "
                                    "cmp here/libtwo.h there/libtwo.h",
                                    ENDING[kind], ENDING[kind]),
                     "");
    }
}

static void options_shape_the_code(void **state)
{
    (void)state;
    static const char x86[] = "-march=x86-64-v4 -device=x86";
    lib_deploy(STATIC, "two", "code", support_printf("%s -vector=sse4", x86));
    lib_must_run("grep -c 'Features:.*sse4.2' code/libtwo.h", "1\n");
    lib_must_run("grep -c 'Features:.*avx' code/libtwo.h || true", "0\n");
    lib_deploy(STATIC, "two", "code", support_printf("%s -vector=avx512", x86));
    lib_must_run("grep -c 'Features:.*avx512vl' code/libtwo.h", "1\n");
    char *text, *errors;
    int status = tool_run(support_printf("-m two.onnx -emit-lib=static -path=code %s -mtune=znver2 "
                                         "-dump-llvm-ir",
                                         x86),
                          &text, &errors);
    assert_int_equal(status, 0);
    assert_non_null(strstr(text, "\"tune-cpu\"=\"znver2\""));
    free(text);
    free(errors);
}

/* ---- objects of the user ---- */

static void further_objects_come_along(void **state)
{
    (void)state;
    static const char extra[] = "int extra(int x); int extra(int x) { return x + 1; }\n";
    static const char program[] = CHECK_MACRO "#include \"libone.h\"\n"
                                              "int extra(int x);\n"
                                              "int main(void)\n"
                                              "{\n"
                                              "    CHECK(one_status() == 0 && extra(1) == 2);\n"
                                              "    return 0;\n"
                                              "}\n";
    support_write_file(lib_path("extra.c"), extra, strlen(extra));
    lib_must_run(support_printf("mkdir -p a b && %s -fPIC -c extra.c -o a/extra.o && "
                                "echo 'int other_;' | %s -fPIC -x c -c - -o b/extra.o",
                                support_cc(), support_cc()),
                 NULL);
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        lib_deploy(kind, "one", KIND[kind], "-bundle-objects=a/extra.o,b/extra.o");
        lib_build(support_printf("%s -std=c11", support_cc()), "extra_main.c", program, KIND[kind],
                  support_printf("-l:libone.%s", ENDING[kind]));
        lib_must_run(support_printf("%s/main", KIND[kind]), "");
    }
}

/* ---- several in one program ---- */

static const char many_program[] =
    CHECK_MACRO "#include \"two.h\"\n"
                "#include \"one.h\"\n"
                "#include \"librandom.h\"\n"
                "#include \"libsized.h\"\n"
                "int main(void)\n"
                "{\n"
                "    static float x[16], y[16];\n"
                "    static int64_t places[20];\n"
                "    CHECK(random_run(NULL, x, y) == 0 && sized_run(NULL, x, places, y) == 0);\n"
                "    CHECK(one_info.config == &one_config && two_info.config == &two_config);\n"
                "    return 0;\n"
                "}\n";

/* Two bundles, and a library of each kind. */
static void bundles_and_libraries_in_one_program(void **state)
{
    (void)state;
    char *out, *errout;
    lib_deploy(STATIC, "random", "many", "");
    lib_deploy(SHARED, "sized", "many", "");
    assert_int_equal(tool_run("-m one.onnx -emit-bundle=many", &out, &errout), 0);
    free(out);
    free(errout);
    assert_int_equal(tool_run("-m two.onnx -emit-bundle=many", &out, &errout), 0);
    free(out);
    free(errout);
    lib_build(support_printf("%s -std=c11", support_cc()), "many.c", many_program, "many",
              "many/one.o many/two.o -l:librandom.a -l:libsized.so");
    lib_must_run("many/main", "");
}

/* ---- faults ---- */

static void faults_leave_nothing_behind(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"-device=nvidia", "option -device: libraries for 'nvidia' are not supported"},
        {"-device=thumbv7m", "a library needs an operating system"},
        {"-device=z80", "option -device: 'z80' is not supported"},
        {"-device=x86 -target=x86_64", "options -device and -target exclude each other"},
        {"-march=z80", "option -march: 'z80' is not known for"},
        {"-device=arm64 -march=armv8-a+fpu", "+dotprod"},
        {"-device=x86 -mtune=z80", "option -mtune: 'z80' is not known for x86_64"},
        {"-device=x86 -march=x86-64 -vector=avx2", "option -vector: 'avx2' needs a processor"},
        {"-device=arm64 -vector=avx2", "option -vector: 'avx2' is about x86"},
        {"-elf=elf_z80", "failed: "},
        {"-oformat=binary", "option -oformat: 'binary' is not the format of shared libraries"},
        {"-lib-name=a/b", "option -lib-name"},
        {"-func-name=for", "option -func-name: 'for' cannot be the name of a C function"},
        {"-func-name=malloc", "option -func-name: 'malloc' cannot be the name of a C function"},
        {"-bundle-objects=none.o", "none.o: "},
        {"-bundle-objects=one.onnx", "one.onnx: it is no object for libq: it is not in ELF format"},
        {"-weights=none/w", "none/w: "},
        {"-emit-bundle=q", "options -emit-bundle and -emit-lib exclude each other"},
        {"-network-name=q", "option -network-name needs -emit-bundle"},
        {"-verify", "options -emit-lib and -verify exclude each other"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *name = strstr(cases[i][0], "-lib-name") ? "" : "-lib-name=q";
        tool_expect_fault(
            support_printf("-m one.onnx -emit-lib=shared -path=q %s %s", name, cases[i][0]),
            cases[i][1]);
    }
    tool_expect_fault("-m one.onnx -path=q", "option -path needs -emit-lib");
    tool_expect_fault("-m one.onnx -emit-lib=static -path=q -elf=elf_x86_64",
                      "option -elf needs -emit-lib=shared");
}

static void a_linker_that_is_missing(void **state)
{
    (void)state;
    char *text;
    int status = lib_run(support_printf("PATH=none '%s' -m one.onnx -emit-lib=shared -device=arm64 "
                                        "-path=q 2>&1",
                                        tool_absolute(support_loader())),
                         &text);
    assert_int_equal(status, 1);
    assert_non_null(strstr(text, "error: libsheaf_predict.so: no linker for aarch64 is installed: "
                                 "ld.lld (Debian's package lld) or aarch64-linux-gnu-ld is "
                                 "needed\n"));
    free(text);
    lib_must_run("test ! -e q", "");
}

/* ---- the function ---- */

static void the_function_does_what_the_tool_does(void **state)
{
    (void)state;
    const char *argument = "-mattr=-fma";
    struct sheaf_deploy_options o = {0};
    char said[1024];
    lib_deploy(STATIC, "one", "tool", "-device=x86 -march=haswell -mattr=-fma");
    o.struct_size = sizeof o;
    o.target = "static_lib";
    o.model = lib_path("one.onnx");
    o.lib_name = "libone";
    o.func_name = "one";
    o.path = lib_path("function");
    o.device = "x86";
    o.march = "haswell";
    o.arguments = &argument;
    o.n_arguments = 1;
    if (sheaf_deploy(&o, said, sizeof said) != SHEAF_OK)
        fail_msg("%s", said);
    assert_string_equal(said,
                        support_printf("Please link with:\n    -L%s\n    -l:libone.a\n", o.path));
    lib_must_run("cmp tool/libone.a function/libone.a && cmp tool/libone.h function/libone.h", "");

    o.march = "z80";
    assert_int_equal(sheaf_deploy(&o, said, sizeof said), SHEAF_ERROR_ARGUMENT);
    assert_non_null(strstr(said, "option -march: 'z80' is not known"));
    char few[8];
    assert_int_equal(sheaf_deploy(&o, few, sizeof few), SHEAF_ERROR_ARGUMENT);
    assert_string_equal(few, "option ");
    o.target = "lib";
    assert_int_equal(sheaf_deploy(&o, NULL, 0), SHEAF_ERROR_ARGUMENT);
    o.struct_size = 1;
    assert_int_equal(sheaf_deploy(&o, NULL, 0), SHEAF_ERROR_VERSION);
    assert_int_equal(sheaf_deploy(NULL, said, sizeof said), SHEAF_ERROR_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_documented_names_are_seen),
        cmocka_unit_test(weights_are_read_only),
        cmocka_unit_test(the_bytes_are_the_same_anywhere),
        cmocka_unit_test(options_shape_the_code),
        cmocka_unit_test(further_objects_come_along),
        cmocka_unit_test(bundles_and_libraries_in_one_program),
        cmocka_unit_test(faults_leave_nothing_behind),
        cmocka_unit_test(a_linker_that_is_missing),
        cmocka_unit_test(the_function_does_what_the_tool_does),
    };
    return cmocka_run_group_tests(tests, lib_setup, teardown);
}
