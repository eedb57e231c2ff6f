/*
 * Libraries as applications use them: programs in C and C++ that are written from the header,
 * linked with what the tool wrote, and run.
 */
#include "tests/loader/library.h"
#include "tests/loader/library_programs.h"

/* ---- the deployment text's own program, in C and C++ ---- */

/* Written from that text alone: init, seed, predict with ctx 0, free. */
static const char seed_program[] =
    CHECK_MACRO "#include \"libone.h\"\n"
                "int main(void)\n"
                "{\n"
                "    float in[2 * 8], *out = 0;\n"
                "    int i;\n"
                "    for (i = 0; i < 16; i++)\n"
                "        in[i] = i < 8 ? 1 : -4;\n"
                "    one_init(0);\n"
                "    CHECK(one_seed(7) == 0);\n"
                "    one(0, in, &out);\n"
                "    for (i = 0; i < 16; i++)\n"
                "        CHECK(out[i] == (float)(i < 8 ? 1 + i : i < 12 ? 0 : i - 12));\n"
                "    free(out);\n"
                "    return 0;\n"
                "}\n";

static void a_program_of_the_text(void **state)
{
    (void)state;
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        const char *library = lib_of(kind, "one");
        lib_deploy(kind, "one", KIND[kind], "");
        lib_build(support_printf("%s -std=c99", support_cc()), "seed.c", seed_program, KIND[kind],
                  library);
        lib_must_run(support_printf("%s/main", KIND[kind]), "");
        if (!lib_has_program("g++"))
            continue;
        lib_build("g++ -std=c++11", "seed.cc", seed_program, KIND[kind], library);
        lib_must_run(support_printf("%s/main", KIND[kind]), "");
    }
    if (!lib_has_program("g++"))
        print_message("left out for want of g++\n");
}

/* ---- a trained network ---- */

static const char digit_program[] =
    CHECK_MACRO "#include \"libNN.h\"\n"
                "int main(void)\n"
                "{\n"
                "    static float in[28 * 28];\n"
                "    float *out;\n"
                "    FILE *f = fopen(\"in.bin\", \"rb\");\n"
                "    CHECK(f && fread(in, sizeof in, 1, f) == 1 && fclose(f) == 0);\n"
                "    predict(0, in, &out);\n"
                "    f = fopen(\"out.bin\", \"wb\");\n"
                "    CHECK(f && fwrite(out, 40, 1, f) == 1 && fclose(f) == 0);\n"
                "    free(out);\n"
                "    return 0;\n"
                "}\n";

/* A library gives the bits that the tool gives. */
static void it_computes_what_the_tool_computes(void **state)
{
    (void)state;
    const char *model = lib_trained("", "");
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        tool_must_run(support_printf("-m '%s' -emit-lib=%s -lib-name=libNN "
                                     "-func-name=predict -path=digit",
                                     model, KIND[kind]));
        lib_build(support_printf("%s -std=c99", support_cc()), "digit.c", digit_program, "digit",
                  lib_of(kind, "NN"));
        lib_must_run("rm -f out.bin && digit/main && cmp out.bin want.bin", "");
    }
}

/* ---- several inputs and outputs; the checked entry ---- */

static const char two_program[] =
    CHECK_MACRO "#include \"libtwo.h\"\n"
                "#include \"libtwo.h\"\n"
                "int main(void)\n"
                "{\n"
                "    static const float a[8] = {1, 2, 3, 4, 0, 0, 0, 1};\n"
                "    static const float b[12] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 9, 0, 0};\n"
                "    static const float want[6] = {37, 2, 3, 9, 0, 0};\n"
                "    float y[6], *py;\n"
                "    int64_t top[2], *ptop;\n"
                "    CHECK(two_status() == SHEAF_OK);\n"
                "    CHECK(two_run(NULL, a, b, y, top) == SHEAF_OK);\n"
                "    CHECK(memcmp(y, want, sizeof y) == 0 && top[0] == 0 && top[1] == 0);\n"
                "    two(NULL, a, b, &py, &ptop);\n"
                "    CHECK(memcmp(y, py, sizeof y) == 0 && memcmp(top, ptop, sizeof top) == 0);\n"
                "    sol_ext_free(py);\n"
                "    sheaf_ext_free(ptop);\n"
                "    CHECK(two_run(NULL, NULL, b, y, top) == SHEAF_ERROR_ARGUMENT);\n"
                "    CHECK(two_run(NULL, a, b, y, NULL) == SHEAF_ERROR_ARGUMENT);\n"
                "    CHECK(two_context_init(NULL) == SHEAF_ERROR_ARGUMENT);\n"
                "    {\n"
                "        /* Of any alignment. */\n"
                "        char *memory = (char *)calloc(1, two_context_size() + 1) + 1;\n"
                "        CHECK(two_run(memory, a, b, y, top) == SHEAF_ERROR_ARGUMENT);\n"
                "        CHECK(two_context_init(memory) == SHEAF_OK);\n"
                "        memset(y, 0, sizeof y);\n"
                "        CHECK(two_run(memory, a, b, y, top) == SHEAF_OK);\n"
                "        CHECK(memcmp(y, want, sizeof y) == 0);\n"
                "        free(memory - 1);\n"
                "    }\n"
                "    return 0;\n"
                "}\n";

static void several_inputs_and_outputs(void **state)
{
    (void)state;
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        lib_deploy(kind, "two", KIND[kind], "");
        lib_build(support_printf("%s -std=c11", support_cc()), "two.c", two_program, KIND[kind],
                  lib_of(kind, "two"));
        lib_must_run(support_printf("%s/main", KIND[kind]), "");
    }
    char *header = support_read_file(path_of("static/libtwo.h"), NULL);
    assert_non_null(strstr(header, "void two(void *ctx, const float *L0, const float *L1, "
                                   "float **L2, int64_t **L3);"));
    assert_non_null(strstr(header, "int two_run(void *ctx_1, const float *ctx, const float *in_b, "
                                   "float *int64_t_, int64_t *top_1);"));
    free(header);
}

/* Reading and writing beyond the caller's arrays ends the program.  gcc brings what that takes. */
#define WATCHED "gcc -std=c11 -fsanitize=address"

/* Of static/lib<name>, whose contexts hold nothing. */
static void run_program(const char *compiler, const char *program, const char *name)
{
    static const char prelude[] = CHECK_MACRO "#define DONE(function) (void)memory\n";
    lib_build(compiler, "program.c", support_printf("%s%s", prelude, program), "static",
              lib_of(STATIC, name));
    lib_must_run("static/main", "");
}

static void extents_known_after_the_run(void **state)
{
    (void)state;
    lib_deploy(STATIC, "sized", "static", "");
    run_program(WATCHED, sized_program, "sized");
}

/* ---- state, and a number of items ---- */

static void a_context_holds_the_state(void **state)
{
    (void)state;
    static const char *const options[] = {"-bind=next=sum", "-bind=next=sum -overlay-io"};
    for (size_t i = 0; i < 2; i++) {
        lib_deploy(STATIC, "state", "static", options[i]);
        run_program(support_printf("%s -std=c11", support_cc()), state_program, "state");
    }
}

static void the_caller_says_how_many_items(void **state)
{
    (void)state;
    lib_deploy(STATIC, "items", "static", "'-onnx-define-symbol=n<=8'");
    run_program(WATCHED, items_program, "items");
}

/* ---- random numbers ---- */

static void random_numbers_follow_from_the_seed(void **state)
{
    (void)state;
    lib_deploy(STATIC, "random", "static", "");
    run_program(support_printf("%s -std=c11", support_cc()), random_program, "random");
}

/* ---- memory ---- */

static const char hooks_program[] =
    CHECK_MACRO "#include \"libone.h\"\n"
                "static int n_allocated, n_freed;\n"
                "static void *counted_malloc(size_t size) { n_allocated++; return malloc(size); }\n"
                "static void counted_free(void *block) { n_freed++; free(block); }\n"
                "#ifdef STRONG\n"
                "void *sheaf_ext_malloc(size_t size) { return counted_malloc(size); }\n"
                "void sheaf_ext_free(void *block) { counted_free(block); }\n"
                "#endif\n"
                "static void *no_malloc(size_t size) { (void)size; return NULL; }\n"
                "int main(void)\n"
                "{\n"
                "    static float in[16], own[16];\n"
                "    float *out;\n"
                "    void *memory = malloc(one_context_size());\n"
                "#ifndef STRONG\n"
                "    sheaf_ext_set_allocator(no_malloc, free);\n"
                "    CHECK(one_run(NULL, in, own) == SHEAF_ERROR_MEMORY);\n"
                "    sheaf_ext_set_allocator(counted_malloc, counted_free);\n"
                "#else\n"
                "    (void)no_malloc;\n"
                "#endif\n"
                "    one(NULL, in, &out); /* the work memory and the output */\n"
                "    CHECK(n_allocated == 2 && n_freed == 1);\n"
                "    sol_ext_free(out);\n"
                "    CHECK(n_freed == 2);\n"
                "    free(sol_ext_malloc(1));\n"
                "    CHECK(n_allocated == 3);\n"
                "    CHECK(memory && one_context_init(memory) == 0);\n"
                "    CHECK(one_run(memory, in, own) == 0 && n_allocated == 3 && n_freed == 2);\n"
                "#ifndef STRONG\n"
                "    sheaf_ext_set_allocator(NULL, NULL);\n"
                "    one(NULL, in, &out);\n"
                "    free(out);\n"
                "    CHECK(n_allocated == 3 && n_freed == 2);\n"
                "#endif\n"
                "    free(memory);\n"
                "    return 0;\n"
                "}\n";

static void the_allocator_is_replaced(void **state)
{
    (void)state;
    static const char *const how[] = {"", "-DSTRONG"};
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        lib_deploy(kind, "one", KIND[kind], "");
        for (size_t i = 0; i < 2; i++) {
            lib_build(support_printf("%s -std=c11 %s", support_cc(), how[i]), "hooks.c",
                      hooks_program, KIND[kind], lib_of(kind, "one"));
            lib_must_run(support_printf("%s/main", KIND[kind]), "");
        }
    }
}

/* ---- threads ---- */

/* All of them come to the first run at once; the file is opened by one. */
static const char threads_program[] =
    "#define _GNU_SOURCE\n" CHECK_MACRO THREADS_MACRO "#include <fcntl.h>\n"
    "#include <stdarg.h>\n"
    "#include <unistd.h>\n"
    "#include <sys/syscall.h>\n"
    "#include \"libone.h\"\n"
    "enum { N = 16, ROUNDS = 200 };\n"
    "static pthread_barrier_t start;\n"
    "static int n_opened;\n"
    "int open(const char *path, int flags, ...)\n"
    "{\n"
    "    __atomic_add_fetch(&n_opened, 1, __ATOMIC_RELAXED);\n"
    "    usleep(20000); /* so that the others come in between */\n"
    "    return (int)syscall(SYS_openat, AT_FDCWD, path, flags);\n"
    "}\n"
    "static void *work(void *arg)\n"
    "{\n"
    "    float in[16], own[16], *out;\n"
    "    int me = *(int *)arg;\n"
    "    for (int i = 0; i < 16; i++)\n"
    "        in[i] = (float)me;\n"
    "    pthread_barrier_wait(&start);\n"
    "    for (int k = 0; k < ROUNDS; k++) {\n"
    "        CHECK(one_run(NULL, in, own) == 0);\n"
    "        one(NULL, in, &out);\n"
    "        for (int i = 0; i < 16; i++)\n"
    "            CHECK(own[i] == (float)(me + i % 8) && out[i] == own[i]);\n"
    "        free(out);\n"
    "    }\n"
    "    return NULL;\n"
    "}\n"
    "int main(void)\n"
    "{\n"
    "    pthread_barrier_init(&start, NULL, N);\n"
    "    run_threads(N, work);\n"
    "    CHECK(n_opened == 1);\n"
    "    return 0;\n"
    "}\n";

static void sixteen_threads_begin_at_once(void **state)
{
    (void)state;
    if (support_quick())
        skip();
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        lib_deploy(kind, "one", KIND[kind], support_printf("-weights=%s/one.weights", KIND[kind]));
        lib_build(support_printf("%s -std=c11", support_cc()), "threads.c", threads_program,
                  KIND[kind], lib_of(kind, "one"));
        lib_must_run(support_printf("%s/main", KIND[kind]), "");
    }
}

/* ---- weights beside the library ---- */

/* The statuses of the first argument's file, then of a path that is set. */
static const char weights_program[] =
    CHECK_MACRO "#include \"libone.h\"\n"
                "int main(int argc, char **argv)\n"
                "{\n"
                "    static float in[16], out[16];\n"
                "    CHECK(one_weights(NULL) == SHEAF_ERROR_ARGUMENT);\n"
                "    printf(\"%d\", one_run(NULL, in, out));\n"
                "    printf(\"%d\", one_status());\n"
                "    if (argc > 1) {\n"
                "        printf(\"%d\", one_weights(argv[1]));\n"
                "        printf(\"%d\", one_run(NULL, in, out));\n"
                "    }\n"
                "    printf(\" %g\\n\", (double)out[7]);\n"
                "    return 0;\n"
                "}\n";

static void weights_lie_beside(void **state)
{
    (void)state;
    lib_deploy(SHARED, "one", "beside", "-weights=beside/one.weights");
    lib_build(support_printf("%s -std=c11", support_cc()), "weights.c", weights_program, "beside",
              "-l:libone.so");
    size_t size;
    char *good = support_read_file(path_of("beside/one.weights"), &size);
    assert_non_null(good);
    lib_must_run("beside/main", "00 7\n");
    lib_must_run("beside/main /dev/null", "0000 7\n");

    good[size / 2] ^= 1; /* one bit */
    support_write_file(path_of("beside/one.weights"), good, size);
    lib_must_run("beside/main", "33 0\n");
    good[size / 2] ^= 1;
    support_write_file(path_of("good"), good, size);
    lib_must_run("beside/main good", "3300 7\n");
    lib_must_run("beside/main beside/one.weights", "3333 0\n");
    support_write_file(path_of("beside/one.weights"), good, size - 1);
    lib_must_run("beside/main", "33 0\n");
    lib_must_run("rm beside/one.weights && beside/main", "22 0\n");
    lib_must_run("beside/main good", "2200 7\n");
    /* Neither a folder nor a pipe without a writer. */
    lib_must_run("mkdir beside/one.weights && beside/main | grep -c '^[23]'", "1\n");
    lib_must_run("rmdir beside/one.weights && mkfifo beside/one.weights && beside/main", "22 0\n");
    lib_must_run("rm beside/one.weights", "");
    free(good);
}

/* ---- processors ---- */

/* The status on a processor that qemu plays. */
static const char processor_program[] =
    CHECK_MACRO "#include \"libone.h\"\n"
                "int main(int argc, char **argv)\n"
                "{\n"
                "    static float in[16], out[16];\n"
                "    (void)argv;\n"
                "    printf(\"%d%d\\n\", one_status(), one_run(NULL, in, out));\n"
                "    if (argc > 1) {\n"
                "        float *p;\n"
                "        fflush(stdout);\n"
                "        one(NULL, in, &p);\n"
                "    }\n"
                "    return 0;\n"
                "}\n";

static void a_processor_that_is_too_old(void **state)
{
    (void)state;
    if (!lib_has_program("qemu-x86_64") || lib_run("uname -m | grep -q x86_64", NULL) != 0) {
        print_message("skipped for want of qemu-x86_64 on x86-64\n");
        skip();
    }
    lib_deploy(STATIC, "one", "old", "-march=haswell");
    lib_build(support_printf("%s -std=c11 -static", support_cc()), "old.c", processor_program,
              "old", "-l:libone.a");
    lib_must_run("qemu-x86_64 -cpu Nehalem old/main", "99\n");
    lib_must_run("qemu-x86_64 -cpu max old/main", "00\n");
    /* The entry without a status ends the process, and says nothing. */
    lib_must_run("(ulimit -c 0; qemu-x86_64 -cpu Nehalem old/main abort; echo $?) 2>/dev/null",
                 "99\n134\n");

    /* Of several variants one may suit it. */
    lib_deploy(STATIC, "one", "old", "-mcpu=x86-64-v2,haswell");
    lib_build(support_printf("%s -std=c11 -static", support_cc()), "old.c", processor_program,
              "old", "-l:libone.a");
    lib_must_run("qemu-x86_64 -cpu Nehalem old/main", "00\n");
    lib_must_run("qemu-x86_64 -cpu qemu64 old/main", "99\n");
    lib_must_run("qemu-x86_64 -cpu max old/main", "00\n");
}

/* A processor for -march, one that has what it needs, and one that lacks it. */
static const struct {
    const char *device, *compiler, *qemu, *root;
    const char *march, *good, *old;
} CROSS[] = {
    {"arm64", "aarch64-linux-gnu-gcc", "qemu-aarch64", "/usr/aarch64-linux-gnu",
     "armv8.2-a+dotprod", "max", "cortex-a53"},
    {"armv7", "arm-linux-gnueabihf-gcc", "qemu-arm", "/usr/arm-linux-gnueabihf",
     "armv7-a+neon-vfpv4", "cortex-a15", "cortex-a9"},
    {"riscv64", "riscv64-linux-gnu-gcc", "qemu-riscv64", "/usr/riscv64-linux-gnu", "rv64gcv",
     "rv64,v=true,vext_spec=v1.0", "rv64,v=false"},
};

static void check_processors(size_t i)
{
    const char *dir = CROSS[i].device;
    lib_deploy(STATIC, "one", dir, support_printf("-device=%s -march=%s", dir, CROSS[i].march));
    lib_build(support_printf("%s -std=c11 -static", CROSS[i].compiler), "old.c", processor_program,
              dir, "-l:libone.a");
    lib_must_run(support_printf("%s -cpu %s %s/main", CROSS[i].qemu, CROSS[i].good, dir), "00\n");
    lib_must_run(support_printf("%s -cpu %s %s/main", CROSS[i].qemu, CROSS[i].old, dir), "99\n");
}

static void other_machines(void **state)
{
    (void)state;
    if (support_quick())
        skip();
    size_t n_done = 0;
    for (size_t i = 0; i < sizeof CROSS / sizeof *CROSS; i++) {
        if (!lib_has_program(CROSS[i].compiler) || !lib_has_program(CROSS[i].qemu)) {
            print_message("left out for want of %s and %s\n", CROSS[i].compiler, CROSS[i].qemu);
            continue;
        }
        n_done++;
        check_processors(i);
        for (enum kind kind = SHARED; kind <= STATIC; kind++) {
            const char *dir = CROSS[i].device;
            lib_deploy(kind, "two", dir, support_printf("-device=%s", dir));
            lib_deploy(kind, "one", dir,
                       support_printf("-device=%s -weights=%s/one.weights", dir, dir));
            lib_build(support_printf("%s -std=c11", CROSS[i].compiler), "two.c", two_program, dir,
                      lib_of(kind, "two"));
            lib_must_run(support_printf("%s -L %s %s/main", CROSS[i].qemu, CROSS[i].root, dir), "");
            lib_build(support_printf("%s -std=c11", CROSS[i].compiler), "weights.c",
                      weights_program, dir, lib_of(kind, "one"));
            lib_must_run(support_printf("%s -L %s %s/main", CROSS[i].qemu, CROSS[i].root, dir),
                         "00 7\n");
        }
    }
    if (!n_done)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_of_the_text),
        cmocka_unit_test(it_computes_what_the_tool_computes),
        cmocka_unit_test(several_inputs_and_outputs),
        cmocka_unit_test(extents_known_after_the_run),
        cmocka_unit_test(a_context_holds_the_state),
        cmocka_unit_test(the_caller_says_how_many_items),
        cmocka_unit_test(random_numbers_follow_from_the_seed),
        cmocka_unit_test(the_allocator_is_replaced),
        cmocka_unit_test(sixteen_threads_begin_at_once),
        cmocka_unit_test(weights_lie_beside),
        cmocka_unit_test(a_processor_that_is_too_old),
        cmocka_unit_test(other_machines),
    };
    return cmocka_run_group_tests(tests, lib_setup, teardown);
}
