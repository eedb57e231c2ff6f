/*
 * Libraries for NVIDIA GPUs as applications use them: programs in C and C++ that are written from
 * the header, linked with what the tool wrote, and run in the simulator (tests/sim/sim.h).
 */
#include "tests/loader/library_gpu.h"

#include "bundle/bundle.h"

/* ---- the deployment text's own program, in C and C++ ---- */

/* Written from that text: init, seed, predict with ctx 0, the device's own free. */
static const char seed_program[] =
    "#include \"libone.h\"\n"
    "int main(void)\n"
    "{\n"
    "    float in[2 * 8], got[2 * 8], *x, *out = 0;\n"
    "    int i, k;\n"
    "    uint64_t before;\n"
    "    begin();\n"
    "    for (i = 0; i < 16; i++)\n"
    "        in[i] = i < 8 ? 1.0f : -4.0f;\n"
    "    x = (float *)put(in, sizeof in);\n"
    "    one_init(0);\n"
    "    CHECK(one_seed(7) == 0);\n"
    "    one(0, x, &out);\n"
    "    CHECK(take(out) == 0);\n"
    "    before = in_use();\n"
    "    for (k = 0; k < 3; k++) {\n"
    "        one(0, x, &out);\n"
    "        get(got, out, sizeof got);\n"
    "        for (i = 0; i < 16; i++)\n"
    "            CHECK(got[i] == (float)(i < 8 ? 1 + i : i < 12 ? 0 : i - 12));\n"
    "        CHECK(in_use() == before + 1);\n"
    "        if (k == 0)\n"
    "            CHECK(take(out) == 0);\n"
    "        else if (k == 1)\n"
    "            sol_ext_free(out);\n"
    "        else\n"
    "            sheaf_gpu_ext_free(out);\n"
    "        CHECK(in_use() == before);\n"
    "    }\n"
    "    /* In a thread without a context, too. */\n"
    "    one(0, x, &out);\n"
    "    CHECK(cuCtxPopCurrent_v2(&primary) == 0);\n"
    "    sol_ext_free(out);\n"
    "    CHECK(in_use() == before);\n"
    "    CHECK(one_status() == SHEAF_OK && one_message()[0] == 0);\n"
    "    return 0;\n"
    "}\n";

static void a_program_of_the_text(void **state)
{
    (void)state;
    device_expect_text(seed_program);
}

/* ---- a trained network ---- */

static const char digit_program[] =
    "#include \"libNN.h\"\n"
    "int main(void)\n"
    "{\n"
    "    static float in[28 * 28], got[10];\n"
    "    float *out;\n"
    "    FILE *f = fopen(\"in.bin\", \"rb\");\n"
    "    begin();\n"
    "    CHECK(f && fread(in, sizeof in, 1, f) == 1 && fclose(f) == 0);\n"
    "    predict(0, (float *)put(in, sizeof in), &out);\n"
    "    get(got, out, sizeof got);\n"
    "    f = fopen(\"out.bin\", \"wb\");\n"
    "    CHECK(f && fwrite(got, sizeof got, 1, f) == 1 && fclose(f) == 0);\n"
    "    return 0;\n"
    "}\n";

/* A library gives the bits that the tool gives. */
static void it_computes_what_the_tool_computes(void **state)
{
    (void)state;
    const char *model = lib_trained(device_simulated(""), "-gpu");
    tool_expect(support_printf("-m '%s' -emit-lib=shared -device=nvidia -lib-name=libNN "
                               "-func-name=predict -path=digit",
                               model),
                0, "Please link with:\n    -Ldigit\n    -l:libNN.so\n");
    device_build_c(digit_program, "digit", "-l:libNN.so");
    device_must_run("", "digit", "");
    lib_must_run("cmp out.bin want.bin", "");
}

/* ---- several inputs and outputs; the checked entry ---- */

static const char two_program[] =
    "#include \"libtwo.h\"\n"
    "int main(void)\n"
    "{\n"
    "    static const float a0[8] = {1, 2, 3, 4, 0, 0, 0, 1};\n"
    "    static const float b0[12] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 9, 0, 0};\n"
    "    static const float want[6] = {37, 2, 3, 9, 0, 0};\n"
    "    float y0[6] = {0}, *a, *b, *y, *py;\n"
    "    int64_t top0[2] = {7, 7}, *top, *ptop;\n"
    "    char *memory;\n"
    "    begin();\n"
    "    a = (float *)put(a0, sizeof a0);\n"
    "    b = (float *)put(b0, sizeof b0);\n"
    "    y = (float *)put(y0, sizeof y0);\n"
    "    top = (int64_t *)put(top0, sizeof top0);\n"
    "    CHECK(two_run(NULL, a, b, y, top) == SHEAF_OK);\n"
    "    get(y0, y, sizeof y0);\n"
    "    get(top0, top, sizeof top0);\n"
    "    CHECK(memcmp(y0, want, sizeof y0) == 0 && top0[0] == 0 && top0[1] == 0);\n"
    "    two(NULL, a, b, &py, &ptop);\n"
    "    memset(y0, 0, sizeof y0);\n"
    "    get(y0, py, sizeof y0);\n"
    "    CHECK(memcmp(y0, want, sizeof y0) == 0);\n"
    "    CHECK(take(py) == 0 && take(ptop) == 0);\n"
    "    CHECK(two_run(NULL, NULL, b, y, top) == SHEAF_ERROR_ARGUMENT);\n"
    "    CHECK(two_run(NULL, a, b, y, NULL) == SHEAF_ERROR_ARGUMENT);\n"
    "    /* The processor's memory is not the device's. */\n"
    "    CHECK(two_run(NULL, a0, b, y, top) == SHEAF_ERROR_ARGUMENT);\n"
    "    CHECK(two_run(NULL, a, b, y0, top) == SHEAF_ERROR_ARGUMENT);\n"
    "    CHECK(two_context_init(NULL) == SHEAF_ERROR_ARGUMENT);\n"
    "    two_context_done(NULL);\n"
    "    memory = (char *)calloc(1, two_context_size() + 1) + 1;\n"
    "    CHECK(two_run(memory, a, b, y, top) == SHEAF_ERROR_ARGUMENT);\n"
    "    {\n"
    "        uint64_t before = in_use();\n"
    "        CHECK(two_context_init(memory) == SHEAF_OK && in_use() > before);\n"
    "        CHECK(two_run(memory, a, b, y, top) == SHEAF_OK);\n"
    "        get(y0, y, sizeof y0);\n"
    "        CHECK(memcmp(y0, want, sizeof y0) == 0);\n"
    "        two_context_done(memory);\n"
    "        CHECK(in_use() == before);\n"
    "        CHECK(two_run(memory, a, b, y, top) == SHEAF_ERROR_ARGUMENT);\n"
    "    }\n"
    "    free(memory - 1);\n"
    "    return 0;\n"
    "}\n";

static void several_inputs_and_outputs(void **state)
{
    (void)state;
    char *header = device_expect_two(two_program);
    assert_non_null(strstr(header, "int two_queue(void *ctx_1, void *stream, const float *ctx, "
                                   "const float *in_b, float *int64_t_,\n"
                                   "        int64_t *top_1);"));
    free(header);
}

/* ---- extents, items, state, random numbers ---- */

static const char sized_program[] =
    "#include \"libsized.h\"\n"
    "int main(void)\n"
    "{\n"
    "    float x0[10] = {0, 1, 0, 0, 2, 0, 0, 3, 0, 0}, zero[10] = {0}, y0[10], *py;\n"
    "    static const int64_t want[6] = {0, 0, 1, 1, 4, 2};\n"
    "    int64_t places0[20] = {0}, dims[2] = {-1, -1}, *p;\n"
    "    float *x, *y;\n"
    "    int64_t *places;\n"
    "    begin();\n"
    "    x = (float *)put(x0, sizeof x0);\n"
    "    y = (float *)put(zero, sizeof zero);\n"
    "    places = (int64_t *)put(places0, sizeof places0);\n"
    "    CHECK(sized_run_sized(NULL, x, places, dims, y) == 0 && dims[0] == 2 && dims[1] == 3);\n"
    "    get(places0, places, sizeof places0);\n"
    "    get(y0, y, sizeof y0);\n"
    "    CHECK(memcmp(places0, want, sizeof want) == 0 && y0[4] == -2);\n"
    "    CHECK(sized_run_sized(NULL, x, places, NULL, y) == 0 && sized_run(NULL, x, places, y) == "
    "0);\n"
    "    sized(NULL, x, &p, &py);\n"
    "    get(places0, p, sizeof want);\n"
    "    CHECK(memcmp(places0, want, sizeof want) == 0);\n"
    "    CHECK(take(p) == 0 && take(py) == 0);\n"
    "    x = (float *)put(zero, sizeof zero);\n"
    "    CHECK(sized_run_sized(NULL, x, places, dims, y) == 0 && dims[0] == 2 && dims[1] == 0);\n"
    "    /* An empty output is a block, too. */\n"
    "    sized(NULL, x, &p, &py);\n"
    "    CHECK(p != NULL && take(p) == 0 && take(py) == 0);\n"
    "    return 0;\n"
    "}\n";

/* The arrays have room for what is used and no more, which the simulator watches. */
static const char items_program[] =
    "#include \"libitems.h\"\n"
    "int main(void)\n"
    "{\n"
    "    begin();\n"
    "    for (int64_t n = 1; n <= 8; n++) {\n"
    "        float x0[32] = {0}, got[32], *x, *y, *z;\n"
    "        int64_t dims[2], *count = (int64_t *)put(&n, sizeof n);\n"
    "        x0[4 * n - 1] = (float)n;\n"
    "        x = (float *)put(x0, (size_t)n * 16);\n"
    "        y = (float *)put(x0, (size_t)n * 16);\n"
    "        CHECK(items_run_sized(NULL, x, count, y, dims) == 0);\n"
    "        get(got, y, (size_t)n * 16);\n"
    "        CHECK(dims[0] == n && dims[1] == 4 && got[4 * n - 1] == -(float)n);\n"
    "        items(NULL, x, count, &z);\n"
    "        got[4 * n - 1] = 0;\n"
    "        get(got, z, (size_t)n * 16);\n"
    "        CHECK(got[4 * n - 1] == -(float)n);\n"
    "        CHECK(take(x) == 0 && take(y) == 0 && take(z) == 0);\n"
    "    }\n"
    "    for (int64_t n = -1; n <= 9; n += n == 0 ? 9 : 1) {\n"
    "        float *x = (float *)put(&(float){0}, 4);\n"
    "        int64_t *count = (int64_t *)put(&n, sizeof n);\n"
    "        CHECK(items_run(NULL, x, count, x) == SHEAF_ERROR_SHAPE);\n"
    "    }\n"
    "    return 0;\n"
    "}\n";

static const char state_program[] = "#include \"libstate.h\"\n"
                                    "int main(void)\n"
                                    "{\n"
                                    "    static const float x0[4] = {1, 2, 3, 4};\n"
                                    "    float got[4], *x, *a, *b;\n"
                                    "    void *memory = malloc(state_context_size());\n"
                                    "    begin();\n"
                                    "    x = (float *)put(x0, sizeof x0);\n"
                                    "    a = (float *)put(x0, sizeof x0);\n"
                                    "    b = (float *)put(x0, sizeof x0);\n"
                                    "    for (int k = 0; k < 2; k++) {\n"
                                    "        CHECK(memory && state_context_init(memory) == 0);\n"
                                    "        for (int i = 1; i <= 3; i++) {\n"
                                    "            CHECK(state_run(memory, x, b, a) == 0);\n"
                                    "            get(got, b, sizeof got);\n"
                                    "            CHECK(got[1] == 2 * (float)i);\n"
                                    "        }\n"
                                    "        state_context_done(memory);\n"
                                    "    }\n"
                                    "    for (int i = 0; i < 2; i++) {\n"
                                    "        CHECK(state_run(NULL, x, b, a) == 0);\n"
                                    "        get(got, a, sizeof got);\n"
                                    "        CHECK(got[3] == -4);\n"
                                    "    }\n"
                                    "    free(memory);\n"
                                    "    return 0;\n"
                                    "}\n";

static const char random_program[] =
    "#include \"librandom.h\"\n"
    "static float a[8], b[8], *zero, *out;\n"
    "static int same(void) { return memcmp(a, b, sizeof a) == 0; }\n"
    "static int run(void *memory, float *to)\n"
    "{\n"
    "    int status = random_run(memory, zero, out);\n"
    "    get(to, out, sizeof a);\n"
    "    return status;\n"
    "}\n"
    "int main(void)\n"
    "{\n"
    "    char *memory = malloc(random_context_size());\n"
    "    begin();\n"
    "    zero = (float *)put(a, sizeof a);\n"
    "    out = (float *)put(a, sizeof a);\n"
    "    CHECK(memory && run(NULL, a) == 0 && a[0] != a[1] && a[0] >= 0 && a[0] < 1);\n"
    "    CHECK(run(NULL, b) == 0 && !same());\n"
    "    CHECK(random_seed(0) == 0 && run(NULL, b) == 0 && same());\n"
    "    CHECK(random_seed(5) == 0 && run(NULL, b) == 0 && !same());\n"
    "    /* A context goes on with its own. */\n"
    "    CHECK(random_seed(5) == 0 && random_context_init(memory) == 0);\n"
    "    CHECK(run(memory, a) == 0 && same());\n"
    "    CHECK(run(memory, a) == 0 && !same());\n"
    "    random_context_done(memory);\n"
    "    free(memory);\n"
    "    return 0;\n"
    "}\n";

static void what_a_run_leaves_and_needs(void **state)
{
    (void)state;
    device_expect_runs(sized_program, items_program, state_program, random_program);
}

/* ---- queued runs ---- */

/* The simulator does the work when something waits for it. */
static const char queue_program[] =
    "#include \"libone.h\"\n"
    "int main(void)\n"
    "{\n"
    "    float ones[16], got[16], zero[16] = {0}, *x, *y, *z;\n"
    "    struct sim_counters c, d;\n"
    "    CUstream stream;\n"
    "    void *memory = malloc(one_context_size());\n"
    "    begin();\n"
    "    for (int i = 0; i < 16; i++)\n"
    "        ones[i] = 1;\n"
    "    CHECK(memory && cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING) == 0);\n"
    "    x = (float *)put(zero, sizeof zero);\n"
    "    y = (float *)put(zero, sizeof zero);\n"
    "    z = (float *)put(zero, sizeof zero);\n"
    "    CHECK(one_queue(NULL, stream, x, y) == SHEAF_ERROR_ARGUMENT);\n"
    "    CHECK(one_context_init(memory) == 0 && cuStreamSynchronize(NULL) == 0);\n"
    "    CHECK(cuMemcpyHtoDAsync_v2((CUdeviceptr)(uintptr_t)x, ones, sizeof ones, stream) == 0);\n"
    "    sim_counters(&c);\n"
    "    CHECK(one_queue(memory, stream, x, y) == 0 && one_queue(memory, stream, y, z) == 0);\n"
    "    sim_counters(&d);\n"
    "    CHECK(d.launches == c.launches && d.synchronizations == c.synchronizations);\n"
    "    CHECK(cuStreamSynchronize(stream) == 0);\n"
    "    sim_counters(&d);\n"
    "    CHECK(d.launches > c.launches);\n"
    "    get(got, y, sizeof got);\n"
    "    CHECK(got[7] == 8);\n"
    "    get(got, z, sizeof got);\n"
    "    CHECK(got[7] == 15);\n"
    "    /* A run that waits follows the legacy default stream. */\n"
    "    CHECK(cuMemcpyHtoDAsync_v2((CUdeviceptr)(uintptr_t)x, got, sizeof got, NULL) == 0);\n"
    "    CHECK(one_run(memory, x, y) == 0);\n"
    "    get(got, y, sizeof got);\n"
    "    CHECK(got[7] == 22);\n"
    "    one_context_done(memory);\n"
    "    free(memory);\n"
    "    return 0;\n"
    "}\n";

static void a_run_is_queued_on_a_stream(void **state)
{
    (void)state;
    device_deploy(SHARED, "one", "shared", "");
    device_build_c(queue_program, "shared", lib_of(SHARED, "one"));
    device_must_run("SHEAF_SIM_DEFER=1", "shared", "");
}

/* ---- the allocator ---- */

static const char hooks_program[] =
    "#include \"libone.h\"\n"
    "static int n_allocated, n_freed;\n"
    "static void *counted_malloc(size_t size)\n"
    "{\n"
    "    CUdeviceptr p = 0;\n"
    "    n_allocated++;\n"
    "    return cuMemAlloc_v2(&p, size) == 0 ? (void *)(uintptr_t)p : NULL;\n"
    "}\n"
    "static void counted_free(void *block) { n_freed += take(block) == 0; }\n"
    "#ifdef STRONG\n"
    "void *sheaf_gpu_ext_malloc(size_t size) { return counted_malloc(size); }\n"
    "void sheaf_gpu_ext_free(void *block) { counted_free(block); }\n"
    "#endif\n"
    "int main(void)\n"
    "{\n"
    "    float zero[16] = {0}, *x, *out;\n"
    "    begin();\n"
    "    x = (float *)put(zero, sizeof zero);\n"
    "#ifndef STRONG\n"
    "    sheaf_gpu_ext_set_allocator(counted_malloc, counted_free);\n"
    "#endif\n"
    "    one(NULL, x, &out);\n"
    "    CHECK(n_allocated == 1 && n_freed == 0);\n"
    "    sol_ext_free(out);\n"
    "    CHECK(n_freed == 1);\n"
    "    CHECK(take(sol_ext_malloc(1)) == 0 && n_allocated == 2);\n"
    "    CHECK(one_run(NULL, x, x) == 0 && n_allocated == 2 && n_freed == 1);\n"
    "#ifndef STRONG\n"
    "    sheaf_gpu_ext_set_allocator(NULL, NULL);\n"
    "    one(NULL, x, &out);\n"
    "    CHECK(take(out) == 0 && n_allocated == 2 && n_freed == 1);\n"
    "#endif\n"
    "    return 0;\n"
    "}\n";

static void the_allocator_is_replaced(void **state)
{
    (void)state;
    device_expect_hooks(hooks_program);
}

/* A network for the processor and one for the device: each has its own memory. */
static const char both_program[] =
    "#include \"libtwo.h\"\n"
    "#include \"libone.h\"\n"
    "int main(void)\n"
    "{\n"
    "    static const float a[8] = {1, 2, 3, 4, 0, 0, 0, 1};\n"
    "    static const float b[12] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 9, 0, 0};\n"
    "    float zero[16] = {0}, got[16], *x, *out, *y;\n"
    "    int64_t *top;\n"
    "    begin();\n"
    "    x = (float *)put(zero, sizeof zero);\n"
    "    one(NULL, x, &out);\n"
    "    two(NULL, a, b, &y, &top);\n"
    "    get(got, out, sizeof got);\n"
    "    CHECK(got[7] == 7 && y[0] == 37);\n"
    "    sheaf_gpu_ext_free(out);\n"
    "    sheaf_ext_free(y);\n"
    "    sheaf_ext_free(top);\n"
    "    return 0;\n"
    "}\n";

static void a_library_for_the_processor_beside_it(void **state)
{
    (void)state;
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        const char *one = lib_of(kind, "one"), *two = lib_of(kind, "two");
        device_deploy(kind, "one", KIND[kind], "");
        lib_deploy(kind, "two", KIND[kind], "");
        for (int order = 0; order < 2; order++) {
            device_build_c(both_program, KIND[kind],
                           support_printf("%s %s", order ? one : two, order ? two : one));
            device_must_run("", KIND[kind], "");
        }
    }
}

/* ---- threads ---- */

static const char threads_program[] =
    "#include \"libone.h\"\n" THREADS_MACRO "enum { N = 8, ROUNDS = 20 };\n"
    "static void *work(void *arg)\n"
    "{\n"
    "    float me = (float)*(int *)arg, x0[16], got[16], *x, *out;\n"
    "    char *memory = (char *)malloc(one_context_size());\n"
    "    for (int i = 0; i < 16; i++)\n"
    "        x0[i] = me;\n"
    "    CHECK(cuCtxPushCurrent_v2(primary) == 0);\n"
    "    x = (float *)put(x0, sizeof x0);\n"
    "    CHECK(memory && one_context_init(memory) == 0);\n"
    "    for (int k = 0; k < ROUNDS; k++) {\n"
    "        if (k % 2) {\n"
    "            out = (float *)put(x0, sizeof x0);\n"
    "            CHECK(one_run(memory, x, out) == 0);\n"
    "        } else {\n"
    "            one(NULL, x, &out);\n"
    "        }\n"
    "        get(got, out, sizeof got);\n"
    "        for (int i = 0; i < 16; i++)\n"
    "            CHECK(got[i] == me + (float)(i % 8));\n"
    "        CHECK(take(out) == 0);\n"
    "    }\n"
    "    one_context_done(memory);\n"
    "    free(memory);\n"
    "    CHECK(cuCtxPopCurrent_v2(NULL) == 0);\n"
    "    return NULL;\n"
    "}\n"
    "int main(void)\n"
    "{\n"
    "    struct sim_counters c;\n"
    "    begin();\n"
    "    run_threads(N, work);\n"
    "    sim_counters(&c);\n"
    "    CHECK(c.module_loads == 1 && c.streams <= N);\n"
    "    return 0;\n"
    "}\n";

static void threads_begin_at_once(void **state)
{
    (void)state;
    device_deploy(SHARED, "one", "shared", "");
    device_build_c(threads_program, "shared", lib_of(SHARED, "one"));
    device_must_run("", "shared", "");
}

/* ---- steps on the host ---- */

/* As before, with an addition on the host, whose constant lies in the library: in threads at once,
   and where work is put off. */
static const char host_program[] =
    "#include \"libone.h\"\n" THREADS_MACRO "enum { N = 6 };\n"
    "static void *work(void *arg)\n"
    "{\n"
    "    float in[2 * 8], got[2 * 8], *x, *out;\n"
    "    CHECK(cuCtxPushCurrent_v2(primary) == 0);\n"
    "    for (int i = 0; i < 16; i++)\n"
    "        in[i] = i < 8 ? 1.0f : -4.0f;\n"
    "    x = (float *)put(in, sizeof in);\n"
    "    for (int k = 0; k < N; k++) {\n"
    "        one(0, x, &out);\n"
    "        get(got, out, sizeof got);\n"
    "        CHECK(take(out) == 0);\n"
    "        for (int i = 0; i < 16; i++)\n"
    "            CHECK(got[i] == (float)(i < 8 ? 1 + i : i < 12 ? 0 : i - 12));\n"
    "    }\n"
    "    return arg;\n"
    "}\n"
    "int main(void)\n"
    "{\n"
    "    struct sim_counters c;\n"
    "    begin();\n"
    "    run_threads(N, work);\n"
    "    sim_counters(&c);\n"
    "    CHECK(c.host_calls == N * N);\n"
    "    return 0;\n"
    "}\n";

static void steps_stay_on_the_host(void **state)
{
    (void)state;
    for (enum kind kind = SHARED; kind <= STATIC; kind++) {
        const char *dir = support_printf("host_%s", KIND[kind]);
        device_deploy(kind, "one", dir, "-host-nodes=Add");
        device_build_c(host_program, dir, support_printf("%s -pthread", lib_of(kind, "one")));
        device_must_run("", dir, "");
        device_must_run("SHEAF_SIM_DEFER=1", dir, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_of_the_text),
        cmocka_unit_test(it_computes_what_the_tool_computes),
        cmocka_unit_test(several_inputs_and_outputs),
        cmocka_unit_test(what_a_run_leaves_and_needs),
        cmocka_unit_test(a_run_is_queued_on_a_stream),
        cmocka_unit_test(the_allocator_is_replaced),
        cmocka_unit_test(a_library_for_the_processor_beside_it),
        cmocka_unit_test(threads_begin_at_once),
        cmocka_unit_test(steps_stay_on_the_host),
    };
    return cmocka_run_group_tests(tests, lib_setup, teardown);
}
