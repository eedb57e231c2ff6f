/*
 * Libraries for the Vector Engine as applications use them: programs in C and C++ that are written
 * from the header, linked with what the tool wrote, and run in the simulator (tests/sim/veo.h).
 */
#include "tests/loader/library.h"

#include "bundle/bundle.h"
#include "loader/deploy.h"

/* The simulator's counters beside the library. */
static const char prelude[] = CHECK_MACRO "#ifdef __cplusplus\n"
                                          "extern \"C\" {\n"
                                          "#endif\n"
                                          "#include \"tests/sim/veo.h\"\n"
                                          "#ifdef __cplusplus\n"
                                          "}\n"
                                          "#endif\n"
                                          "__attribute__((unused)) static struct sim_veo_counters "
                                          "counters(void)\n"
                                          "{\n"
                                          "    struct sim_veo_counters c;\n"
                                          "    sim_veo_counters(&c);\n"
                                          "    return c;\n"
                                          "}\n";

/* The simulator is compiled as this program is, and needs the same of those that load it. */
#ifdef __SANITIZE_ADDRESS__
#define CHECKED " -fsanitize=address,undefined"
#else
#define CHECKED ""
#endif

static const char *simulator(void)
{
    return tool_absolute(support_printf("%s/tests/libveo.so.1", support_build()));
}

/* As lib_deploy; a static library opens others at run time. */
static void deploy(enum kind kind, const char *name, const char *dir, const char *options)
{
    tool_expect(support_printf("-m %s.onnx -emit-lib=%s -device=ve -lib-name=%s -func-name=%s "
                               "-path=%s %s",
                               name, KIND[kind], name, name, dir, options),
                0,
                support_printf("Please link with:\n    -L%s\n    -l:lib%s.%s\n%s", dir, name,
                               ENDING[kind], kind == STATIC ? "    -ldl\n" : ""));
}

static const char *library_of(enum kind kind, const char *name)
{
    return support_printf("-l:lib%s.%s", name, ENDING[kind]);
}

/* The program dir/main of the prelude and `text`. */
static void build_with(const char *compiler, const char *text, const char *dir,
                       const char *libraries)
{
    lib_build(support_printf("%s%s -I'%s'", compiler, CHECKED, tool_absolute(".")), "program.c",
              support_printf("%s%s", prelude, text), dir,
              support_printf("%s '%s' -ldl", libraries, simulator()));
}

static void build(const char *text, const char *dir, const char *libraries)
{
    build_with(support_printf("%s -std=c11", support_cc()), text, dir, libraries);
}

/* Runs it in the simulator. */
static void must_run(const char *environment, const char *dir, const char *want)
{
    const char *sim = simulator();
    lib_must_run(support_printf("LD_LIBRARY_PATH='%.*s' %s %s/main", (int)(strrchr(sim, '/') - sim),
                                sim, environment, dir),
                 want);
}

/* ---- the deployment text's own program, in C and C++ ---- */

/* Written from that text: init, seed, predict with ctx 0, free. */
static const char text_program[] =
    "#include \"libone.h\"\n"
    "int main(void)\n"
    "{\n"
    "    float x[2 * 8], *out = 0;\n"
    "    int i, k;\n"
    "    for (i = 0; i < 16; i++)\n"
    "        x[i] = i < 8 ? 1.0f : -4.0f;\n"
    "    one_init(0);\n"
    "    CHECK(one_seed(7) == 0);\n"
    "    for (k = 0; k < 3; k++) {\n"
    "        one(0, x, &out);\n"
    "        for (i = 0; i < 16; i++)\n"
    "            CHECK(out[i] == (float)(i < 8 ? 1 + i : i < 12 ? 0 : i - 12));\n"
    "        if (k == 0)\n"
    "            free(out);\n"
    "        else if (k == 1)\n"
    "            sol_ext_free(out);\n"
    "        else\n"
    "            sheaf_ext_free(out);\n"
    "    }\n"
    "    CHECK(one_status() == SHEAF_OK && one_message()[0] == 0);\n"
    "    CHECK(counters().calls == 3 && counters().processes == 1);\n"
    "    return 0;\n"
    "}\n";

static void a_program_of_the_text(void **state)
{
    (void)state;
    bool cxx = lib_has_program("g++");
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        deploy(kind, "one", KIND[kind], "");
        build_with(support_printf("%s -std=c99", support_cc()), text_program, KIND[kind],
                   library_of(kind, "one"));
        must_run("", KIND[kind], "");
        if (!cxx)
            continue;
        build_with("g++ -std=c++11 -x c++", text_program, KIND[kind],
                   support_printf("-x none %s", library_of(kind, "one")));
        must_run("", KIND[kind], "");
    }
    if (!cxx)
        print_message("left out for want of g++\n");
}

/* ---- several inputs and outputs; the checked entry; contexts ---- */

static const char two_program[] =
    "#include \"libtwo.h\"\n"
    "int main(void)\n"
    "{\n"
    "    static const float a[8] = {1, 2, 3, 4, 0, 0, 0, 1};\n"
    "    static const float b[12] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 9, 0, 0};\n"
    "    static const float want[6] = {37, 2, 3, 9, 0, 0};\n"
    "    float y[6] = {0}, *py;\n"
    "    int64_t top[2] = {7, 7}, *ptop;\n"
    "    char *memory;\n"
    "    uint64_t before;\n"
    "    CHECK(two_run(NULL, a, b, y, top) == SHEAF_OK);\n"
    "    CHECK(memcmp(y, want, sizeof y) == 0 && top[0] == 0 && top[1] == 0);\n"
    "    two(NULL, a, b, &py, &ptop);\n"
    "    CHECK(memcmp(py, want, sizeof y) == 0 && ptop[0] == 0 && ptop[1] == 0);\n"
    "    free(py);\n"
    "    free(ptop);\n"
    "    CHECK(two_run(NULL, NULL, b, y, top) == SHEAF_ERROR_ARGUMENT);\n"
    "    CHECK(two_run(NULL, a, b, y, NULL) == SHEAF_ERROR_ARGUMENT);\n"
    "    CHECK(two_context_init(NULL) == SHEAF_ERROR_ARGUMENT);\n"
    "    two_context_done(NULL);\n"
    "    memory = (char *)calloc(1, two_context_size() + 1) + 1;\n"
    "    CHECK(two_run(memory, a, b, y, top) == SHEAF_ERROR_ARGUMENT);\n"
    "    before = counters().allocations;\n"
    "    CHECK(two_context_init(memory) == SHEAF_OK && counters().allocations > before);\n"
    "    memset(y, 0, sizeof y);\n"
    "    CHECK(two_run(memory, a, b, y, top) == SHEAF_OK);\n"
    "    CHECK(memcmp(y, want, sizeof y) == 0);\n"
    "    two_context_done(memory);\n"
    "    CHECK(counters().allocations == before && counters().requests == 0);\n"
    "    CHECK(two_run(memory, a, b, y, top) == SHEAF_ERROR_ARGUMENT);\n"
    "    free(memory - 1);\n"
    "    return 0;\n"
    "}\n";

static void several_inputs_and_outputs(void **state)
{
    (void)state;
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        deploy(kind, "two", KIND[kind], "");
        build(two_program, KIND[kind], library_of(kind, "two"));
        must_run("", KIND[kind], "");
    }
    char *header = support_read_file(lib_path("static/libtwo.h"), NULL);
    assert_non_null(strstr(header, "void two(void *ctx, const float *L0, const float *L1, "
                                   "float **L2, int64_t **L3);"));
    assert_non_null(strstr(header, " * Device:    NEC Vector Engine (SX-Aurora TSUBASA)\n"));
    assert_null(strstr(header, "two_queue")); /* there are no streams */
    assert_null(strstr(header, "NVIDIA"));
    free(header);
}

/* ---- extents, items, state, random numbers ---- */

static const char sized_program[] =
    "#include \"libsized.h\"\n"
    "int main(void)\n"
    "{\n"
    "    static const float x[10] = {0, 1, 0, 0, 2, 0, 0, 3, 0, 0}, zero[10] = {0};\n"
    "    static const int64_t want[6] = {0, 0, 1, 1, 4, 2};\n"
    "    float y[10], *py;\n"
    "    int64_t places[20] = {0}, dims[2] = {-1, -1}, *p;\n"
    "    CHECK(sized_run_sized(NULL, x, places, dims, y) == 0 && dims[0] == 2 && dims[1] == 3);\n"
    "    CHECK(memcmp(places, want, sizeof want) == 0 && y[4] == -2);\n"
    "    CHECK(sized_run_sized(NULL, x, places, NULL, y) == 0 && sized_run(NULL, x, places, y) == "
    "0);\n"
    "    sized(NULL, x, &p, &py);\n"
    "    CHECK(memcmp(p, want, sizeof want) == 0);\n"
    "    free(p);\n"
    "    free(py);\n"
    "    CHECK(sized_run_sized(NULL, zero, places, dims, y) == 0 && dims[1] == 0);\n"
    "    /* An empty output is a block, too. */\n"
    "    sized(NULL, zero, &p, &py);\n"
    "    CHECK(p != NULL);\n"
    "    free(p);\n"
    "    free(py);\n"
    "    return 0;\n"
    "}\n";

/* The arrays have room for what is used and no more, which the sanitizers watch. */
static const char items_program[] =
    "#include \"libitems.h\"\n"
    "int main(void)\n"
    "{\n"
    "    for (int64_t n = 1; n <= 8; n++) {\n"
    "        size_t bytes = (size_t)n * 16;\n"
    "        float *x = calloc(1, bytes), *y = malloc(bytes), *z;\n"
    "        int64_t dims[2];\n"
    "        CHECK(x && y);\n"
    "        x[4 * n - 1] = (float)n;\n"
    "        CHECK(items_run_sized(NULL, x, &n, y, dims) == 0);\n"
    "        CHECK(dims[0] == n && dims[1] == 4 && y[4 * n - 1] == -(float)n);\n"
    "        items(NULL, x, &n, &z);\n"
    "        CHECK(z[4 * n - 1] == -(float)n);\n"
    "        free(x);\n"
    "        free(y);\n"
    "        free(z);\n"
    "    }\n"
    "    for (int64_t n = -1; n <= 9; n += n == 0 ? 9 : 1) {\n"
    "        float x = 0;\n"
    "        CHECK(items_run(NULL, &x, &n, &x) == SHEAF_ERROR_SHAPE);\n"
    "    }\n"
    "    return 0;\n"
    "}\n";

static const char state_program[] =
    "#include \"libstate.h\"\n"
    "int main(void)\n"
    "{\n"
    "    static const float x[4] = {1, 2, 3, 4};\n"
    "    float a[4], b[4];\n"
    "    void *memory = malloc(state_context_size());\n"
    "    for (int k = 0; k < 2; k++) {\n"
    "        CHECK(memory && state_context_init(memory) == 0);\n"
    "        for (int i = 1; i <= 3; i++)\n"
    "            CHECK(state_run(memory, x, b, a) == 0 && b[1] == 2 * (float)i);\n"
    "        state_context_done(memory);\n"
    "    }\n"
    "    for (int i = 0; i < 2; i++)\n"
    "        CHECK(state_run(NULL, x, b, a) == 0 && a[3] == -4);\n"
    "    free(memory);\n"
    "    return 0;\n"
    "}\n";

static const char random_program[] =
    "#include \"librandom.h\"\n"
    "static float a[8], b[8], zero[8];\n"
    "static int same(void) { return memcmp(a, b, sizeof a) == 0; }\n"
    "int main(void)\n"
    "{\n"
    "    char *memory = malloc(random_context_size());\n"
    "    CHECK(memory && random_run(NULL, zero, a) == 0 && a[0] != a[1] && a[0] >= 0 && a[0] < "
    "1);\n"
    "    CHECK(random_run(NULL, zero, b) == 0 && !same());\n"
    "    CHECK(random_seed(0) == 0 && random_run(NULL, zero, b) == 0 && same());\n"
    "    CHECK(random_seed(5) == 0 && random_run(NULL, zero, b) == 0 && !same());\n"
    "    /* A context goes on with its own. */\n"
    "    CHECK(random_seed(5) == 0 && random_context_init(memory) == 0);\n"
    "    CHECK(random_run(memory, zero, a) == 0 && same());\n"
    "    CHECK(random_run(memory, zero, a) == 0 && !same());\n"
    "    random_context_done(memory);\n"
    "    free(memory);\n"
    "    return 0;\n"
    "}\n";

static void what_a_run_leaves_and_needs(void **state)
{
    (void)state;
    static const struct {
        const char *name, *program, *options;
    } cases[] = {
        {"sized", sized_program, ""},
        {"items", items_program, "'-onnx-define-symbol=n<=8'"},
        {"state", state_program, "-bind=next=sum"},
        {"state", state_program, "-bind=next=sum -overlay-io"},
        {"random", random_program, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        deploy(STATIC, cases[i].name, "static", cases[i].options);
        build(cases[i].program, "static", library_of(STATIC, cases[i].name));
        must_run("", "static", "");
    }
}

/* ---- memory of the engine ---- */

/* As AVEO's header declares them. */
static const char there_program[] =
    "#include \"libone.h\"\n"
    "#include \"libitems.h\"\n"
    "struct veo_proc_handle;\n"
    "int veo_alloc_hmem(struct veo_proc_handle *, void **, size_t);\n"
    "int veo_free_hmem(void *);\n"
    "int veo_hmemcpy(void *, const void *, size_t);\n"
    "static void *there(size_t size)\n"
    "{\n"
    "    void *p = NULL;\n"
    "    CHECK(veo_alloc_hmem(one_process(), &p, size) == 0);\n"
    "    return p;\n"
    "}\n"
    "static void take_back(void *p) { CHECK(veo_free_hmem(p) == 0); }\n"
    "static int is_there(const void *p) { return (uintptr_t)p >> 63 != 0; }\n"
    "int main(void)\n"
    "{\n"
    "    float ones[16], got[16], *x, *y, *z;\n"
    "    int64_t n = 2, *count;\n"
    "    struct sim_veo_counters before, after;\n"
    "    for (int i = 0; i < 16; i++)\n"
    "        ones[i] = 1;\n"
    "    CHECK(one_process() && one_process() != items_process());\n"
    "    x = there(sizeof ones);\n"
    "    y = there(sizeof ones);\n"
    "    CHECK(is_there(x) && veo_hmemcpy(x, ones, sizeof ones) == 0);\n"
    "    CHECK(one_run(NULL, x, y) == 0);\n"
    "    CHECK(veo_hmemcpy(got, y, sizeof got) == 0 && got[7] == 8 && got[15] == 8);\n"
    "    /* From one run to the next nothing goes by the host. */\n"
    "    before = counters();\n"
    "    CHECK(one_run(NULL, y, x) == 0);\n"
    "    after = counters();\n"
    "    CHECK(after.calls == before.calls + 1);\n"
    "    CHECK(after.copies_to_device == before.copies_to_device);\n"
    "    CHECK(after.copies_to_host == before.copies_to_host);\n"
    "    CHECK(one_run(NULL, x, got) == 0 && got[7] == 22);\n"
    "    CHECK(one_run(NULL, ones, y) == 0 && one_run(NULL, y, got) == 0 && got[7] == 15);\n"
    "    /* Of another process. */\n"
    "    CHECK(items_run(NULL, x, &n, got) == SHEAF_ERROR_ARGUMENT);\n"
    "    CHECK(items_run(NULL, got, &n, y) == SHEAF_ERROR_ARGUMENT);\n"
    "    CHECK(one_run(NULL, (float *)((uintptr_t)x ^ (uintptr_t)1 << 59), got) ==\n"
    "        SHEAF_ERROR_ARGUMENT);\n"
    "    /* The number of items, too. */\n"
    "    CHECK(veo_alloc_hmem(items_process(), (void **)&count, sizeof *count) == 0);\n"
    "    CHECK(veo_hmemcpy(count, &n, sizeof n) == 0);\n"
    "    CHECK(items_run(NULL, ones, count, got) == 0 && got[7] == -1);\n"
    "    take_back(count);\n"
    "    sheaf_ext_set_allocator(there, take_back);\n"
    "    one(NULL, x, &z);\n"
    "    CHECK(is_there(z) && veo_hmemcpy(got, z, sizeof got) == 0 && got[7] == 22);\n"
    "    sheaf_ext_free(z);\n"
    "    take_back(x);\n"
    "    take_back(y);\n"
    "    return 0;\n"
    "}\n";

static void tensors_lie_in_the_engine(void **state)
{
    (void)state;
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        deploy(kind, "one", KIND[kind], "");
        deploy(kind, "items", KIND[kind], "'-onnx-define-symbol=n<=8'");
        build(there_program, KIND[kind],
              support_printf("%s %s", library_of(kind, "one"), library_of(kind, "items")));
        must_run("", KIND[kind], "");
    }
}

/* ---- the allocator; other libraries ---- */

static const char hooks_program[] =
    "#include \"libone.h\"\n"
    "static int n_allocated, n_freed;\n"
    "static void *counted_malloc(size_t size)\n"
    "{\n"
    "    n_allocated++;\n"
    "    return malloc(size);\n"
    "}\n"
    "static void counted_free(void *block)\n"
    "{\n"
    "    n_freed++;\n"
    "    free(block);\n"
    "}\n"
    "#ifdef STRONG\n"
    "void *sheaf_ext_malloc(size_t size) { return counted_malloc(size); }\n"
    "void sheaf_ext_free(void *block) { counted_free(block); }\n"
    "#endif\n"
    "int main(void)\n"
    "{\n"
    "    float x[16] = {0}, *out;\n"
    "#ifndef STRONG\n"
    "    sheaf_ext_set_allocator(counted_malloc, counted_free);\n"
    "#endif\n"
    "    one(NULL, x, &out);\n"
    "    CHECK(n_allocated == 1 && n_freed == 0 && out[7] == 7);\n"
    "    sol_ext_free(out);\n"
    "    CHECK(n_freed == 1);\n"
    "    CHECK(one_run(NULL, x, x) == 0 && n_allocated == 1 && n_freed == 1);\n"
    "    return 0;\n"
    "}\n";

static void the_allocator_is_replaced(void **state)
{
    (void)state;
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        deploy(kind, "one", KIND[kind], "");
        for (int strong = 0; strong < 2; strong++) {
            build_with(support_printf("%s -std=c11 %s", support_cc(), strong ? "-DSTRONG" : ""),
                       hooks_program, KIND[kind], library_of(kind, "one"));
            must_run("", KIND[kind], "");
        }
    }
}

/* Networks for the engine, the processor and a GPU in one program; that one has no GPU. */
static const char beside_program[] =
    "#include \"libtwo.h\"\n"
    "#include \"libone.h\"\n"
    "#include \"libstate.h\"\n"
    "int main(void)\n"
    "{\n"
    "    static const float a[8] = {1, 2, 3, 4, 0, 0, 0, 1};\n"
    "    static const float b[12] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 9, 0, 0};\n"
    "    float x[16] = {0}, *out, *y;\n"
    "    int64_t *top;\n"
    "    one(NULL, x, &out);\n"
    "    two(NULL, a, b, &y, &top);\n"
    "    CHECK(out[7] == 7 && y[0] == 37);\n"
    "    CHECK(state_status() == SHEAF_ERROR_DEVICE && strstr(state_message(), \"NVIDIA\"));\n"
    "    sheaf_ext_free(out);\n"
    "    sheaf_ext_free(y);\n"
    "    sheaf_ext_free(top);\n"
    "    return 0;\n"
    "}\n";

static void libraries_for_others_beside_it(void **state)
{
    (void)state;
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        deploy(kind, "one", KIND[kind], "");
        lib_deploy(kind, "two", KIND[kind], "");
        tool_expect(support_printf("-m state.onnx -bind=next=sum -emit-lib=%s -device=nvidia "
                                   "-ptxas=none -lib-name=state -func-name=state -path=%s",
                                   KIND[kind], KIND[kind]),
                    0,
                    support_printf("Please link with:\n    -L%s\n    -l:libstate.%s\n%s",
                                   KIND[kind], ENDING[kind], kind == STATIC ? "    -ldl\n" : ""));
        build(beside_program, KIND[kind],
              support_printf("%s %s %s", library_of(kind, "one"), library_of(kind, "two"),
                             library_of(kind, "state")));
        must_run("SHEAF_SIM_DEVICES=0", KIND[kind], "");
    }
}

/* ---- threads ---- */

static const char threads_program[] =
    "#include <pthread.h>\n"
    "#include \"libone.h\"\n"
    "enum { N = 6, ROUNDS = 8 };\n"
    "static void *work(void *arg)\n"
    "{\n"
    "    float me = (float)*(int *)arg, x[16], got[16], *out;\n"
    "    char *memory = (char *)malloc(one_context_size());\n"
    "    for (int i = 0; i < 16; i++)\n"
    "        x[i] = me;\n"
    "    CHECK(memory && one_context_init(memory) == 0);\n"
    "    for (int k = 0; k < ROUNDS; k++) {\n"
    "        if (k % 2) {\n"
    "            CHECK(one_run(memory, x, got) == 0);\n"
    "        } else {\n"
    "            one(NULL, x, &out);\n"
    "            memcpy(got, out, sizeof got);\n"
    "            free(out);\n"
    "        }\n"
    "        for (int i = 0; i < 16; i++)\n"
    "            CHECK(got[i] == me + (float)(i % 8));\n"
    "    }\n"
    "    one_context_done(memory);\n"
    "    free(memory);\n"
    "    return NULL;\n"
    "}\n"
    "int main(void)\n"
    "{\n"
    "    pthread_t thread[N];\n"
    "    int number[N];\n"
    "    for (int i = 0; i < N; i++) {\n"
    "        number[i] = i;\n"
    "        CHECK(pthread_create(&thread[i], NULL, work, &number[i]) == 0);\n"
    "    }\n"
    "    for (int i = 0; i < N; i++)\n"
    "        pthread_join(thread[i], NULL);\n"
    "    CHECK(counters().library_loads == 1 && counters().processes_created == 1);\n"
    "    CHECK(counters().most_contexts <= MOST);\n"
    "    return 0;\n"
    "}\n";

static void threads_begin_at_once(void **state)
{
    (void)state;
    deploy(SHARED, "one", "shared", "");
    build_with(support_printf("%s -std=c11 -DMOST=8", support_cc()), threads_program, "shared",
               library_of(SHARED, "one"));
    must_run("VE_OMP_NUM_THREADS=1", "shared", "");
    build_with(support_printf("%s -std=c11 -DMOST=1", support_cc()), threads_program, "shared",
               library_of(SHARED, "one"));
    must_run("VE_OMP_NUM_THREADS=", "shared", "");
}

/* ---- several functions; steps on the host ---- */

static const char several_program[] =
    "#include \"libab.h\"\n"
    "int main(void)\n"
    "{\n"
    "    float ones[16], got[16];\n"
    "    void *memory = malloc(other_context_size());\n"
    "    for (int i = 0; i < 16; i++)\n"
    "        ones[i] = 1;\n"
    "    CHECK(other_context_init(memory) == 0);\n"
    "    CHECK(first_run(memory, ones, got) == SHEAF_ERROR_ARGUMENT);\n"
    "    CHECK(first_run(NULL, ones, got) == 0 && got[7] == 8);\n"
    "    CHECK(other_run(memory, ones, got) == 0 && got[3] == -1);\n"
    "    CHECK(second_run(NULL, ones, got) == 0 && got[6] == 7);\n"
    "    CHECK(counters().processes_created == 1 && counters().library_loads == 1);\n"
    "    other_context_done(memory);\n"
    "    free(memory);\n"
    "    return 0;\n"
    "}\n";

static void write_minus(void)
{
    struct onnx_model m;
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "8");
    onnx_node(&m.graph, "Neg", "x", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "8");
    lib_finish(&m, "minus.onnx");
}

static void each_network_is_a_function(void **state)
{
    (void)state;
    write_minus();
    tool_expect("-m one.onnx -add-entry=second=one.onnx -add-entry=other=minus.onnx "
                "-emit-lib=shared -ve -lib-name=ab -func-name=first -path=several",
                0, "Please link with:\n    -Lseveral\n    -l:libab.so\n");
    build(several_program, "several", "-l:libab.so");
    must_run("", "several", "");
}

/* The addition on the host, whose constant lies in the library. */
static void steps_stay_on_the_host(void **state)
{
    (void)state;
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        const char *dir = support_printf("host_%s", KIND[kind]);
        deploy(kind, "one", dir, "-host-nodes=Add");
        build_with(support_printf("%s -std=c11 -DMOST=8", support_cc()), threads_program, dir,
                   library_of(kind, "one"));
        must_run("VE_OMP_NUM_THREADS=1", dir, "");
    }
}

/* ---- faults ---- */

static const char status_program[] =
    CHECK_MACRO "#include \"libone.h\"\n"
                "int main(int argc, char **argv)\n"
                "{\n"
                "    float x[16] = {0}, y[16];\n"
                "    for (int i = 1; i < argc; i++)\n"
                "        one_init(atoi(argv[i]));\n"
                "    int status = one_status(), run = one_run(NULL, x, y);\n"
                "    printf(\"%d %d %d %s\\n\", status, run, one_run(NULL, x, y), one_message());\n"
                "    return 0;\n"
                "}\n";

static void expect_status(const char *environment, const char *args, const char *want)
{
    const char *sim = simulator();
    char *out;
    lib_run(support_printf("LD_LIBRARY_PATH='%.*s' %s static/main %s 2>&1",
                           (int)(strrchr(sim, '/') - sim), sim, environment, args),
            &out);
    if (!strstr(out, want))
        fail_msg("'%s' '%s': %s, not: %s", environment, args, out, want);
    free(out);
}

static void faults_have_a_status(void **state)
{
    (void)state;
    deploy(STATIC, "one", "static", "");
    lib_build(support_printf("%s -std=c11%s", support_cc(), CHECKED), "status.c", status_program,
              "static", "-l:libone.a -ldl");
    expect_status("", "", "0 0 0 \n");
    expect_status("LD_LIBRARY_PATH=/nowhere", "",
                  "11 11 11 there is no AVEO on this machine: its library cannot be loaded");
    expect_status("SHEAF_SIM_VE_NODES=0", "", "11 11 11 no Vector Engine can be used: ");
    expect_status("SHEAF_SIM_VE_API=3", "", "8 8 8 AVEO is too old");
    expect_status("SHEAF_SIM_VE_FAIL='alloc_mem 1'", "", "6 6 6 one_network: allocating 64 bytes");
    expect_status("TMPDIR=/nowhere", "", "2 2 2 one_network: /nowhere/sheaf-ve-");
    expect_status("SHEAF_SIM_VE_FAIL='load_library 1'", "",
                  "11 11 11 one_network: loading the code on the Vector Engine failed");
    /* The node that is asked for, and after a fault another one. */
    expect_status("", "1", "cannot create a process on node 1");
    expect_status("", "1 0", "0 0 0 \n");
    expect_status("SHEAF_SIM_VE_NODES=2", "1", "0 0 0 \n");
    expect_status("SHEAF_SIM_VE_NODES=2 VE_NODE_NUMBER=1", "", "0 0 0 \n");
    expect_status("VE_NODE_NUMBER=1", "", "on node 1 (environment variable VE_NODE_NUMBER)");
    expect_status("", "0 7", "0 0 0 \n");
    /* After an exception the process is gone, and stays so. */
    expect_status("SHEAF_SIM_VE_EXCEPTION=1", "", "0 11 11 \n");
    /* Without a status there is no other way, and nothing is said. */
    lib_build(support_printf("%s -std=c11%s", support_cc(), CHECKED), "abort.c",
              "#include \"libone.h\"\n"
              "int main(void) { float x[16] = {0}, *y; one(0, x, &y); return 0; }\n",
              "static", "-l:libone.a -ldl");
    char *out;
    int status = lib_run("(ulimit -c 0; LD_LIBRARY_PATH=/nowhere static/main "
                         ">/dev/null; [ $? = 134 ]) 2>&1",
                         &out);
    assert_int_equal(status, 0);
    free(out);
}

/* ---- weights, files ---- */

static const char weights_program[] = "#include \"libone.h\"\n"
                                      "int main(void)\n"
                                      "{\n"
                                      "    float x[16] = {0}, y[16] = {0};\n"
                                      "    printf(\"%d\", one_run(NULL, x, y));\n"
                                      "    printf(\" %g\\n\", (double)y[7]);\n"
                                      "    return 0;\n"
                                      "}\n";

static void weights_lie_beside(void **state)
{
    (void)state;
    deploy(SHARED, "one", "beside", "-weights=beside/one.weights");
    build(weights_program, "beside", library_of(SHARED, "one"));
    must_run("", "beside", "0 7\n");
    lib_must_run("rm beside/one.weights", "");
    must_run("", "beside", "2 0\n");
}

static void it_needs_and_shows_little(void **state)
{
    (void)state;
    deploy(SHARED, "one", "shared", "");
    lib_must_run("nm -D --defined-only shared/libone.so | sed 's/.* //' | LC_ALL=C sort",
                 "one\none_context_done\none_context_init\none_context_size\none_init\n"
                 "one_message\none_process\none_run\none_seed\none_status\nsheaf_ext_free\n"
                 "sheaf_ext_malloc\nsheaf_ext_set_allocator\nsol_ext_free\nsol_ext_malloc\n");
    lib_must_run("readelf -d shared/libone.so | grep -c -e libc.so.6 -e libdl.so.2", "2\n");
    lib_must_run("readelf -d shared/libone.so | grep -c -e NEEDED", "2\n");
    lib_must_run("readelf -d shared/libone.so | grep -c -e TEXTREL || true", "0\n");
    /* The same options give the same bytes, and -ve is another word. */
    lib_must_run("mv shared/libone.so first.so", "");
    tool_expect("-m one.onnx -emit-lib=shared -ve -lib-name=one -func-name=one -path=shared", 0,
                "Please link with:\n    -Lshared\n    -l:libone.so\n");
    lib_must_run("cmp shared/libone.so first.so", "");
}

static void the_options_of_the_tool(void **state)
{
    (void)state;
    static const struct {
        const char *args, *words;
    } faults[] = {
        {"-emit-lib=shared -device=x86 -ve", "options -ve and -device=x86 exclude each other"},
        {"-emit-lib=shared -device=ve -gpu", "options -gpu and -device=ve exclude each other"},
        {"-emit-lib=shared -device=ve -cpu", "options -ve and -cpu exclude each other"},
        {"-emit-lib=shared -device=ve -vector=avx", "options -ve and -vector exclude"},
        {"-emit-lib=shared -device=ve -func-name=dlopen",
         "'dlopen' cannot be the name of a C function"},
        {"-emit-lib=shared -device=ve -func-name=sheaf_ve_x",
         "'sheaf_ve_x' cannot be the name of a C function"},
        {"-emit-lib=static -device=ve -host=riscv64",
         "option -host: this tool was built without the VE runtime for 'riscv64'"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        tool_expect_fault(support_printf("-m one.onnx %s", faults[i].args), faults[i].words);
}

static void the_function_does_what_the_tool_does(void **state)
{
    (void)state;
    deploy(STATIC, "one", "tool", "-host=auto");
    struct sheaf_deploy_options o = {.struct_size = sizeof o};
    char said[1024];
    o.target = "static_lib";
    o.model = lib_path("one.onnx");
    o.lib_name = "libone";
    o.func_name = "one";
    o.path = lib_path("call");
    o.device = "ve";
    if (sheaf_deploy(&o, said, sizeof said) != SHEAF_OK)
        fail_msg("%s", said);
    assert_non_null(strstr(said, "    -l:libone.a\n    -ldl\n"));
    lib_must_run("cmp tool/libone.a call/libone.a && cmp tool/libone.h call/libone.h", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_of_the_text),
        cmocka_unit_test(several_inputs_and_outputs),
        cmocka_unit_test(what_a_run_leaves_and_needs),
        cmocka_unit_test(tensors_lie_in_the_engine),
        cmocka_unit_test(the_allocator_is_replaced),
        cmocka_unit_test(libraries_for_others_beside_it),
        cmocka_unit_test(threads_begin_at_once),
        cmocka_unit_test(each_network_is_a_function),
        cmocka_unit_test(steps_stay_on_the_host),
        cmocka_unit_test(faults_have_a_status),
        cmocka_unit_test(weights_lie_beside),
        cmocka_unit_test(it_needs_and_shows_little),
        cmocka_unit_test(the_options_of_the_tool),
        cmocka_unit_test(the_function_does_what_the_tool_does),
    };
    return cmocka_run_group_tests(tests, lib_setup, teardown);
}
