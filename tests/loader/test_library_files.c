/*
 * The files of a library: which names they show and what lies where, what options change, what is
 * refused, and that the function sheaf_deploy writes the same.
 */
#include "tests/loader/library.h"

#include "bundle/read/object.h"

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
        "one_weights\none_weights_file\nsheaf_ext_free\nsheaf_ext_malloc\nsheaf_ext_set_allocator\n"
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
    char *weights = support_read_file(path_of("shared/one.weights"), &n_weights);
    lib_deploy(SHARED, "one", "shared", "");
    char *library = support_read_file(path_of("shared/libone.so"), &size);
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
    lib_must_run("grep -c '+sse4.2' code/libtwo.h", "1\n");
    lib_must_run("grep -c '+avx' code/libtwo.h || true", "0\n");
    lib_deploy(STATIC, "two", "code", support_printf("%s -vector=avx512", x86));
    lib_must_run("grep -c '+avx512vl' code/libtwo.h", "1\n");
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

/* ---- the header ---- */

static void the_header_says_what_there_is(void **state)
{
    (void)state;
    static const struct {
        const char *name, *options, *has, *lacks;
    } cases[] = {
        {"one", "-input-type=x,float16", "L0, x: input, f16[2,8] in uint16_t, 32 bytes, \"x\"",
         "BundleConfig"},
        {"one", "-weights=said/one.weights", "bytes, in the file said/one.weights\n",
         "inside the library"},
        {"one", "", "\nenum sheaf_status {\n", " *   SHEAF_ERROR_SHAPE"},
        {"one", "", "draws no random numbers", " *   SHEAF_ERROR_IO"},
        {"random", "", "random numbers follow from this seed", "state,"},
        {"state", "-bind=next=sum", "ctx, sum: state, f32[4], 16 bytes, \"sum\"", "\"next\""},
        {"items", "'-onnx-define-symbol=n<=8'", "the number of items is not within 1 and 8\n",
         "draws random"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lib_deploy(STATIC, cases[i].name, "said", cases[i].options);
        char *text =
            support_read_file(path_of(support_printf("said/lib%s.h", cases[i].name)), NULL);
        assert_non_null(text);
        if (!strstr(text, cases[i].has) || strstr(text, cases[i].lacks))
            fail_msg("'%s' is not there, or '%s' is:\n%s", cases[i].has, cases[i].lacks, text);
        free(text);
    }
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
    support_write_file(path_of("extra.c"), extra, strlen(extra));
    lib_must_run(support_printf("mkdir -p a b && %s -fPIC -c extra.c -o a/extra.o && "
                                "echo 'int other_;' | %s -fPIC -x c -c - -o b/extra.o",
                                support_cc(), support_cc()),
                 NULL);
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        lib_deploy(kind, "one", KIND[kind], "-bundle-objects=a/extra.o,b/extra.o");
        lib_build(support_printf("%s -std=c11", support_cc()), "extra_main.c", program, KIND[kind],
                  lib_of(kind, "one"));
        lib_must_run(support_printf("%s/main", KIND[kind]), "");
    }
}

/* ---- several in one program ---- */

/* C and C++.  Each thread has areas of its own for the bundles, and none for the libraries. */
static const char many_program[] =
    "#ifndef _GNU_SOURCE\n"
    "#define _GNU_SOURCE\n"
    "#endif\n" CHECK_MACRO THREADS_MACRO "#include \"two.h\"\n"
    "#include \"one.h\"\n"
    "#include \"libstate.h\"\n"
    "#include \"libsized.h\"\n"
    "#define UP(n) (((n) + 63) / 64 * 64 + 64)\n"
    "enum { N = 16, ROUNDS = 100 };\n"
    "SHEAF_ALIGNED(64) static uint8_t weights[2][4096];\n"
    "SHEAF_ALIGNED(64) static uint8_t m1[N][UP(ONE_MUTABLE_MEM_SIZE)];\n"
    "SHEAF_ALIGNED(64) static uint8_t a1[N][UP(ONE_ACTIVATIONS_MEM_SIZE)];\n"
    "SHEAF_ALIGNED(64) static uint8_t m2[N][UP(TWO_MUTABLE_MEM_SIZE)];\n"
    "SHEAF_ALIGNED(64) static uint8_t a2[N][UP(TWO_ACTIVATIONS_MEM_SIZE)];\n"
    "static pthread_barrier_t start;\n"
    "static void load(const char *path, uint8_t *to, size_t size)\n"
    "{\n"
    "    FILE *f = fopen(path, \"rb\");\n"
    "    CHECK(f && size <= sizeof weights[0] && fread(to, 1, size, f) == size);\n"
    "    fclose(f);\n"
    "}\n"
    "static void run_one(int me)\n"
    "{\n"
    "    float *x = one_get_x(m1[me]);\n"
    "    for (int i = 0; i < 16; i++)\n"
    "        x[i] = (float)(i < 8 ? me : -4);\n"
    "    CHECK(one(weights[0], m1[me], a1[me]) == SHEAF_OK);\n"
    "    for (int i = 0; i < 16; i++)\n"
    "        CHECK(one_get_y(m1[me])[i] == (float)(i < 8 ? me + i : i < 12 ? 0 : i - 12));\n"
    "}\n"
    "static void run_two(int me)\n"
    "{\n"
    "    static const float a[8] = {1, 2, 3, 4, 0, 0, 0, 1};\n"
    "    static const float b[12] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 9, 0, 0};\n"
    "    memcpy(two_get_ctx(m2[me]), a, sizeof a);\n"
    "    memcpy(two_get_in_b(m2[me]), b, sizeof b);\n"
    "    two_get_in_b(m2[me])[0] = (float)me;\n"
    "    CHECK(two(weights[1], m2[me], a2[me]) == SHEAF_OK);\n"
    "    CHECK(two_get_int64_t_(m2[me])[0] == (float)(36 + me));\n"
    "    CHECK(two_get_int64_t_(m2[me])[3] == 9 && two_get_top_1(m2[me])[1] == 0);\n"
    "}\n"
    "static void run_libraries(int me)\n"
    "{\n"
    "    float sum[4], x[4], next[4], b[4], *p, wide[10], y[10];\n"
    "    int64_t places[20], dims[2];\n"
    "    for (int i = 0; i < 4; i++) {\n"
    "        sum[i] = (float)i;\n"
    "        x[i] = (float)me;\n"
    "    }\n"
    "    CHECK(state_run(NULL, sum, x, next, b, y) == SHEAF_OK);\n"
    "    CHECK(next[3] == (float)(me + 3) && b[3] == next[3] && y[3] == -next[3]);\n"
    "    float *q, *r;\n"
    "    state(NULL, sum, x, &p, &q, &r);\n"
    "    CHECK(p[2] == (float)(me + 2));\n"
    "    sheaf_ext_free(p);\n"
    "    sheaf_ext_free(q);\n"
    "    sheaf_ext_free(r);\n"
    "    memset(wide, 0, sizeof wide);\n"
    "    wide[me % 10] = 1;\n"
    "    CHECK(sized_run_sized(NULL, wide, places, dims, y) == SHEAF_OK && dims[1] == 1);\n"
    "    CHECK(places[0] == me % 10 / 5 && places[1] == me % 5 && y[me % 10] == -1);\n"
    "}\n"
    "static void *work(void *arg)\n"
    "{\n"
    "    int me = *(int *)arg;\n"
    "    pthread_barrier_wait(&start);\n"
    "    for (int k = 0; k < ROUNDS; k++) {\n"
    "        run_one(me);\n"
    "        run_two(me);\n"
    "        run_libraries(me);\n"
    "    }\n"
    "    return NULL;\n"
    "}\n"
    "int main(void)\n"
    "{\n"
    "    load(\"many/one.weights\", weights[0], ONE_CONSTANT_MEM_SIZE);\n"
    "    load(\"many/two.weights\", weights[1], TWO_CONSTANT_MEM_SIZE);\n"
    "    CHECK(one_info.config == &one_config && two_info.config == &two_config);\n"
    "    pthread_barrier_init(&start, NULL, N);\n"
    "    run_threads(N, work);\n"
    "    return 0;\n"
    "}\n";

/* Two bundles, and a library of each kind. */
static void bundles_and_libraries_in_one_program(void **state)
{
    (void)state;
    static const char objects[] = "many/one.o many/two.o -l:libstate.a -l:libsized.so";
    lib_deploy(STATIC, "state", "many", "");
    lib_deploy(SHARED, "sized", "many", "");
    tool_expect("-m one.onnx -mcpu=native -emit-bundle=many", 0, "");
    tool_expect("-m two.onnx -mcpu=native -emit-bundle=many", 0, "");
    lib_build(support_printf("%s -std=c11", support_cc()), "many.c", many_program, "many", objects);
    lib_must_run("many/main", "");
    if (!lib_has_program("g++")) {
        print_message("left out for want of g++\n");
        return;
    }
    lib_build("g++ -std=c++11 -x c++", "many.cc", many_program, "many",
              support_printf("-x none %s", objects));
    lib_must_run("many/main", "");
}

/* ---- faults ---- */

static void faults_leave_nothing_behind(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"-device=thumbv7m", "a library needs an operating system"},
        {"-device=z80", "option -device: 'z80' is not supported"},
        {"-device=x86 -target=x86_64", "options -device and -target exclude each other"},
        {"-march=z80", "option -march: 'z80' is not known for"},
        {"-device=arm64 -march=armv8-a+fpu", "+dotprod"},
        {"-device=x86 -mtune=z80", "option -mtune: 'z80' is not known for x86_64"},
        {"-device=x86 -march=x86-64 -vector=avx2", "option -vector: 'avx2' needs a processor"},
        {"-device=arm64 -vector=avx2", "option -vector: 'avx2' is about x86"},
        {"-device=x86 -elf=elf_z80", "x86_64 with 'elf_z80' (it does with elf_x86_64)"},
        {"-device=arm64 -elf=elf_x86_64", "option -elf: the linker "},
        {"-oformat=binary", "option -oformat: 'binary' is not the format of shared libraries"},
        {"-lib-name=a/b", "option -lib-name"},
        {"-func-name=for", "option -func-name: 'for' cannot be the name of a C function"},
        {"-func-name=malloc", "option -func-name: 'malloc' cannot be the name of a C function"},
        {"-func-name=uint8_t", "option -func-name: 'uint8_t' cannot be the name of a C function"},
        {"-func-name=SHEAF_OK", "option -func-name: 'SHEAF_OK' cannot be the name of a C"},
        {"-func-name=sheaf_ext_malloc", "option -func-name: 'sheaf_ext_malloc' cannot be"},
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
    struct sheaf_deploy_options o = {
        .device = "x86", .march = "haswell", .arguments = &argument, .n_arguments = 1};
    char said[1024];
    lib_deploy(STATIC, "one", "tool", "-device=x86 -march=haswell -mattr=-fma");
    lib_expect_same_of_function(&o, "    -l:libone.a\n");

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

/* Linkers refuse a mixture, or do not see it: a library is not made of one. */
static void objects_that_pass_floats_otherwise(void **state)
{
    (void)state;
    static const char *const devices[] = {"armv7", "riscv64"};
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        tool_expect(support_printf("-m one.onnx -emit-bundle %s -network-name=soft -target=%s "
                                   "-float-abi=soft",
                                   devices[i], devices[i]),
                    0, "");
        for (enum kind kind = SHARED; kind <= STATIC; kind++)
            tool_expect_fault(support_printf("-m one.onnx -emit-lib=%s -path=floats -device=%s "
                                             "-bundle-objects=%s/soft.o",
                                             KIND[kind], devices[i], devices[i]),
                              "soft.o: it is no object for libsheaf_predict: it passes floats "
                              "between functions in another way");
    }
    tool_expect_fault("-m one.onnx -emit-lib=static -path=q -device=x86 "
                      "-bundle-objects=armv7/soft.o",
                      "soft.o: it is no object for libsheaf_predict: it is for another machine");
    /* Code without floats goes with both. */
    static const char plain[] = ".text\n.globl plain\nplain: bx lr\n";
    if (!lib_has_program("clang")) {
        print_message("left out for want of clang\n");
        return;
    }
    support_write_file(path_of("plain.s"), plain, sizeof plain - 1);
    lib_must_run("clang --target=armv7-linux-gnueabihf -c plain.s", "");
    lib_deploy(STATIC, "one", "floats", "-device=armv7 -bundle-objects=plain.o");
    lib_must_run(
        support_printf("'%s' -audit plain.o | grep Floats", tool_absolute(support_loader())),
        "Floats are passed in a way that the object does not state\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_documented_names_are_seen),
        cmocka_unit_test(weights_are_read_only),
        cmocka_unit_test(the_bytes_are_the_same_anywhere),
        cmocka_unit_test(options_shape_the_code),
        cmocka_unit_test(the_header_says_what_there_is),
        cmocka_unit_test(further_objects_come_along),
        cmocka_unit_test(bundles_and_libraries_in_one_program),
        cmocka_unit_test(faults_leave_nothing_behind),
        cmocka_unit_test(a_linker_that_is_missing),
        cmocka_unit_test(the_function_does_what_the_tool_does),
        cmocka_unit_test(objects_that_pass_floats_otherwise),
    };
    return cmocka_run_group_tests(tests, lib_setup, teardown);
}
