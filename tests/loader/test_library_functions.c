/*
 * Libraries of several networks, and what the options of bundles do to a library: a function for
 * each network with weights in common, debug information, weights that are trained later.
 */
#include "tests/loader/library.h"

#include "bundle/bundle.h"

enum { N_SHARED = 16 * 64 };

/* y = x w v: w is the same in all, v of n columns another one for each seed. */
static void write_product(const char *file, int n, uint32_t seed)
{
    struct onnx_model m;
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "1,16");
    put_weights(&m.graph, "w", "16,64", N_SHARED, 1);
    put_weights(&m.graph, "v", support_printf("64,%d", n), (size_t)n * 64, seed);
    onnx_node(&m.graph, "MatMul", "x,w", "h", "");
    onnx_node(&m.graph, "Relu", "h", "r", "");
    onnx_node(&m.graph, "MatMul", "r,v", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, support_printf("1,%d", n));
    finish_net(&m, file);
}

static int setup_functions(void **state)
{
    lib_setup(state);
    write_product("a.onnx", 8, 2);
    write_product("b.onnx", 5, 3);
    return 0;
}

/* ---- several functions ---- */

/* The functions of libab, of libraries of their own, and of a network with state. */
static const char several_program[] =
    "#define _GNU_SOURCE\n" CHECK_MACRO THREADS_MACRO "#include \"libab.h\"\n"
    "#include \"liba.h\"\n"
    "#include \"libb.h\"\n"
    "enum { N = 16, ROUNDS = 50 };\n"
    "static pthread_barrier_t start;\n"
    "static void *work(void *arg)\n"
    "{\n"
    "    float x[16], y[8], y1[8], z[5], z1[5], *p, one[4] = {1, 2, 3, 4}, s[4], t[4];\n"
    "    char *memory = (char *)malloc(second_context_size() + keep_context_size());\n"
    "    char *other = memory + second_context_size();\n"
    "    for (int i = 0; i < 16; i++)\n"
    "        x[i] = (float)((i * 7 + *(int *)arg) % 9 - 4);\n"
    "    pthread_barrier_wait(&start);\n"
    "    CHECK(second_context_init(memory) == 0 && keep_context_init(other) == 0);\n"
    "    /* A context belongs to one function. */\n"
    "    CHECK(first_run(memory, x, y) == SHEAF_ERROR_ARGUMENT);\n"
    "    for (int k = 0; k < ROUNDS; k++) {\n"
    "        CHECK(first_run(NULL, x, y) == 0 && a_run(NULL, x, y1) == 0);\n"
    "        CHECK(second_run(memory, x, z) == 0 && b_run(NULL, x, z1) == 0);\n"
    "        CHECK(memcmp(y, y1, sizeof y) == 0 && memcmp(z, z1, sizeof z) == 0);\n"
    "        second(NULL, x, &p);\n"
    "        CHECK(memcmp(p, z, sizeof z) == 0);\n"
    "        free(p);\n"
    "        CHECK(keep_run(other, one, one, s, t, t) == 0 && s[1] == 4);\n"
    "    }\n"
    "    free(memory);\n"
    "    return NULL;\n"
    "}\n"
    "int main(void)\n"
    "{\n"
    "    pthread_barrier_init(&start, NULL, N);\n"
    "    run_threads(N, work);\n"
    "    CHECK(first_status() == 0 && second_status() == 0);\n"
    "    return 0;\n"
    "}\n";

/* Writes libNAME of the first model, with functions first, second and keep. */
static void deploy_several(enum kind kind, const char *dir, const char *options)
{
    tool_expect(
        support_printf("-m a.onnx -add-entry=second=b.onnx -add-entry=keep=state.onnx "
                       "-emit-lib=%s -lib-name=ab -func-name=first -path=%s %s",
                       KIND[kind], dir, options),
        0, support_printf("Please link with:\n    -L%s\n    -l:libab.%s\n", dir, ENDING[kind]));
}

static void each_network_is_a_function(void **state)
{
    (void)state;
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        const char *dir = KIND[kind];
        lib_deploy(kind, "a", dir, support_printf("-weights=%s/a.weights", dir));
        lib_deploy(kind, "b", dir, support_printf("-weights=%s/b.weights", dir));
        for (size_t i = 0; i < 3; i++) {
            if (i == 1 && lib_run("uname -m | grep -q x86_64", NULL) != 0)
                continue;
            deploy_several(kind, dir,
                           i == 0   ? ""
                           : i == 1 ? "-mcpu=x86-64,x86-64-v2"
                                    : support_printf("-weights=%s/ab.weights", dir));
            lib_build(support_printf("%s -std=c11", support_cc()), "several.c", several_program,
                      dir,
                      support_printf("-l:libab.%s -l:liba.%s -l:libb.%s", ENDING[kind],
                                     ENDING[kind], ENDING[kind]));
            lib_must_run(support_printf("%s/main", dir), "");
        }
        /* w lies once. */
        size_t all = size_of(support_printf("%s/ab.weights", dir));
        assert_int_equal(all, size_of(support_printf("%s/a.weights", dir)) +
                                  size_of(support_printf("%s/b.weights", dir)) -
                                  sizeof(float[N_SHARED]));
    }
    lib_must_run("nm -D --defined-only shared/libab.so | grep -c -e network -e constants || true",
                 "0\n");
    lib_must_run("nm -D --defined-only shared/libab.so | sed 's/.* //' | grep ^second | sort",
                 "second\nsecond_context_init\nsecond_context_size\nsecond_init\nsecond_run\n"
                 "second_seed\nsecond_status\nsecond_weights\nsecond_weights_file\n");
    if (!lib_has_program("g++"))
        return;
    lib_must_run("g++ -x c++ -Wall -Wextra -Wpedantic -Werror -fsyntax-only shared/libab.h", "");
}

static void a_function_has_its_own_seed(void **state)
{
    (void)state;
    static const char program[] =
        CHECK_MACRO "#include \"librr.h\"\n"
                    "static float a[8], b[8], zero[8];\n"
                    "int main(void)\n"
                    "{\n"
                    "    CHECK(one_seed(5) == 0 && two_seed(6) == 0);\n"
                    "    CHECK(one_run(NULL, zero, a) == 0 && two_run(NULL, zero, b) == 0);\n"
                    "    CHECK(memcmp(a, b, sizeof a) != 0 && two_seed(5) == 0);\n"
                    "    CHECK(two_run(NULL, zero, b) == 0 && memcmp(a, b, sizeof a) == 0);\n"
                    "    return 0;\n"
                    "}\n";
    tool_expect("-m random.onnx -add-entry=two=random.onnx -emit-lib=static -lib-name=rr "
                "-func-name=one -path=seeds",
                0, "Please link with:\n    -Lseeds\n    -l:librr.a\n");
    lib_build(support_printf("%s -std=c11", support_cc()), "seeds.c", program, "seeds",
              "-l:librr.a");
    lib_must_run("seeds/main", "");
}

/* ---- debug information and assembly text ---- */

static void texts_lie_beside(void **state)
{
    (void)state;
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        const char *library = support_printf("text/liba.%s", ENDING[kind]);
        lib_deploy(kind, "a", "plain", "");
        lib_deploy(kind, "a", "text", "-g -save-asm");
        lib_must_run("grep -q '^a_network:' text/liba.s && grep -q '^kernel \"h+r\"' "
                     "text/liba.kernels",
                     "");
        char *lines;
        assert_int_equal(lib_run(support_printf("objdump --dwarf=decodedline %s | awk '$1 == "
                                                "\"liba.kernels\" && $2 > 0' | wc -l",
                                                library),
                                 &lines),
                         0);
        assert_true(strtol(lines, NULL, 10) > 5);
        free(lines);
        lib_must_run(support_printf("for d in plain text; do objdump -d --no-show-raw-insn "
                                    "$d/liba.%s | grep -v -e file.format -e archive >$d.d; done; "
                                    "cmp plain.d text.d && test ! -e plain/liba.s",
                                    ENDING[kind]),
                     "");
    }
}

/* ---- where the weights are looked for ---- */

static const char beside_program[] =
    CHECK_MACRO "#include \"liba.h\"\n"
                "int main(void)\n"
                "{\n"
                "    static float x[16], y[8];\n"
                "    int status = a_run(NULL, x, y);\n"
                "    printf(\"%d %s\\n\", status, status ? a_weights_file() : \"\");\n"
                "    return 0;\n"
                "}\n";

static void weights_are_found_beside_the_library(void **state)
{
    (void)state;
    const char *here = path_of("moved/main");
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        lib_must_run("rm -rf made moved && mkdir made", "");
        lib_deploy(kind, "a", "made", "-weights=made/a.weights");
        lib_build(support_printf("%s -std=c99", support_cc()), "beside.c", beside_program, "made",
                  lib_of(kind, "a"));
        char *header = support_read_file(path_of("made/liba.h"), NULL);
        assert_non_null(strstr(header, "SHEAF_ERROR_IO where the file \"made/a.weights\" cannot"));
        free(header);
        lib_must_run("made/main", "0 \n"); /* as given */
        lib_must_run("mv made moved", "");
        lib_must_run(support_printf("cd / && '%s'", here), "0 \n"); /* beside */
        /* What is found as given counts, right or wrong. */
        lib_must_run("mkdir made && echo x >made/a.weights && moved/main && rm made/a.weights",
                     "3 made/a.weights\n");
        lib_must_run("rm moved/a.weights && moved/main", "2 made/a.weights\n");
    }
    /* A static program has no folder that it knows of, and an absolute path has one place. */
    lib_deploy(STATIC, "a", "made", "-weights=made/a.weights");
    lib_build(support_printf("%s -std=c99 -static", support_cc()), "beside.c", beside_program,
              "made", "-l:liba.a");
    lib_must_run("made/main", "0 \n");
    const char *path = path_of("elsewhere.weights");
    lib_deploy(SHARED, "a", "made", support_printf("-weights='%s'", path));
    lib_build(support_printf("%s -std=c99", support_cc()), "beside.c", beside_program, "made",
              "-l:liba.so");
    lib_must_run("made/main", "0 \n");
    lib_must_run("mv elsewhere.weights made && made/main", support_printf("2 %s\n", path));
}

/* ---- weights that are trained later ---- */

static const char repack_program[] = CHECK_MACRO "#include \"libnet.h\"\n"
                                                 "int main(void)\n"
                                                 "{\n"
                                                 "    static float x[16], y[8];\n"
                                                 "    int i, status;\n"
                                                 "    for (i = 0; i < 16; i++)\n"
                                                 "        x[i] = (float)(i % 5);\n"
                                                 "    status = net_run(NULL, x, y);\n"
                                                 "    printf(\"%d\", status);\n"
                                                 "    for (i = 0; i < 8; i++)\n"
                                                 "        printf(\" %g\", (double)y[i]);\n"
                                                 "    return 0;\n"
                                                 "}\n";

static char *output_of(const char *command)
{
    char *text;
    assert_int_equal(lib_run(command, &text), 0);
    return text;
}

/* Changes the byte `back` before the end. */
static void damage(const char *file, size_t back)
{
    size_t n;
    char *data = support_read_file(path_of(file), &n);
    data[n - back] ^= 1;
    support_write_file(path_of(file), data, n);
    free(data);
}

static void later_weights_run_in_the_same_library(void **state)
{
    (void)state;
    const size_t trailer = sizeof(struct sheaf_weights_trailer);
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        const char *repack =
            support_printf("-m net.onnx -add-entry=more=b.onnx -emit-lib=%s -lib-name=net "
                           "-func-name=net -path=later -weights=later/w -repack-weights",
                           KIND[kind]);
        write_product("net.onnx", 8, 2);
        tool_expect(
            support_printf("-m net.onnx -add-entry=more=b.onnx -emit-lib=%s -lib-name=net "
                           "-func-name=net -path=later -weights=later/w "
                           "-replaceable-weights",
                           KIND[kind]),
            0, support_printf("Please link with:\n    -Llater\n    -l:libnet.%s\n", ENDING[kind]));
        lib_build(support_printf("%s -std=c99", support_cc()), "later.c", repack_program, "later",
                  lib_of(kind, "net"));
        lib_must_run(support_printf("cp later/libnet.%s before", ENDING[kind]), "");
        char *first = output_of("later/main");

        write_product("net.onnx", 8, 9);
        tool_expect(repack, 0, "");
        char *later = output_of("later/main");
        lib_must_run(support_printf("cmp later/libnet.%s before", ENDING[kind]), "");
        lib_deploy(STATIC, "net", "fresh", "");
        lib_build(support_printf("%s -std=c99", support_cc()), "later.c", repack_program, "fresh",
                  "-l:libnet.a");
        char *want = output_of("fresh/main");
        assert_string_equal(later, want);
        assert_string_not_equal(first, want);
        free(first);
        free(later);
        free(want);

        write_product("net.onnx", 7, 9);
        tool_expect_fault(repack, "the weights do not fit, for the model gives other code");
        /* The magic, the layout, the digest, the weights. */
        const size_t places[] = {trailer, trailer - 8, trailer - 32, trailer + 1};
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            damage("later/w", places[i]);
            lib_must_run("later/main", "3 0 0 0 0 0 0 0 0");
            damage("later/w", places[i]);
        }
        lib_must_run("later/main >/dev/null && head -c -1 later/w >w && mv w later/w && later/main",
                     "3 0 0 0 0 0 0 0 0");
    }
}

/* ---- faults ---- */

static void faults_leave_nothing_behind(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"-add-entry=f_run=b.onnx", "'f_run' is a name that the function 'f' brings with it"},
        {"-add-entry=f_ready=b.onnx", "'f_ready' is a name that the function 'f' brings with it"},
        {"-add-entry=f=b.onnx", "two functions of the library are named 'f'"},
        {"-add-entry=memcpy=b.onnx", "option -add-entry: 'memcpy' cannot be the name of a C"},
        {"-add-entry=a-b=b.onnx", "option -add-entry: 'a-b' cannot be the name of a C function"},
        {"-add-entry=g=b.onnx -may-run-together=main,g",
         "each function of a library has memory of its own, so all may run together"},
        {"-replaceable-weights", "option -replaceable-weights needs -weights with -emit-lib"},
        {"-repack-weights", "option -repack-weights needs -weights with -emit-lib"},
        {"-repack-weights -weights=q/w", "q/libf.so: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        tool_expect_fault(support_printf("-m a.onnx -emit-lib=shared -lib-name=f -func-name=f "
                                         "-path=q %s",
                                         cases[i][0]),
                          cases[i][1]);
    tool_expect_fault("-m a.onnx -save-asm", "option -save-asm needs -emit-bundle or -emit-lib");
    lib_deploy(SHARED, "a", "fixed", "-weights=fixed/w");
    tool_expect_fault("-m a.onnx -emit-lib=shared -lib-name=a -func-name=a -path=fixed "
                      "-weights=fixed/w -repack-weights",
                      "or without -replaceable-weights");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_network_is_a_function),
        cmocka_unit_test(a_function_has_its_own_seed),
        cmocka_unit_test(texts_lie_beside),
        cmocka_unit_test(weights_are_found_beside_the_library),
        cmocka_unit_test(later_weights_run_in_the_same_library),
        cmocka_unit_test(faults_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, setup_functions, teardown);
}
