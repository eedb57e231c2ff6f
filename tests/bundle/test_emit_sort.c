/*
 * Sorts, compiled for CPUs and for a GPU, against the evaluator, bit for bit: forms of the region
 * and of the operator that a target takes apart in different ways.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/compiled.h"
#include "tests/support/random.h"
#include "tests/support/support.h"

static const char *const CPUS[] = {"x86-64", "x86-64-v3", "native", "x86-64,-Os", "nvidia", "ve"};

/* A case may be too much for the simulator in a short run. */
struct sort_case {
    const char *name;
    bool is_heavy;
    const char *text;
};

static bool skips(const struct sort_case *c, const char *cpu)
{
    return !compiled_host_runs(cpu) || (c->is_heavy && support_quick() && !strcmp(cpu, "nvidia"));
}

/* ---- the region ---- */

#define ASCENDING                                                                                  \
    "  before (%10, %11, %12, %13) {\n"                                                            \
    "    %14 = lt %10, %12\n"                                                                      \
    "    %15 = eq %10, %12\n"                                                                      \
    "    %16 = lt %11, %13\n"                                                                      \
    "    %17 = and %15, %16\n"                                                                     \
    "    %18 = or %14, %17\n"                                                                      \
    "    yield %18\n"                                                                              \
    "  } each (%20, %21) {\n"

#define ONE_ROW(n, ranks)                                                                          \
    "kernel \"t\" {\n"                                                                             \
    "  in @0 \"x\": i32[" #n "] plain\n"                                                           \
    "  out @1 \"y\": i32[" #ranks "] plain\n"                                                      \
    "  out @2 \"at\": i64[" #ranks "] plain\n"                                                     \
    "  sort %1 (%2 < " #n ", %3 < " #ranks ") {\n"                                                 \
    "    %4 = load @0[%2]\n"                                                                       \
    "    yield %4, %2\n"                                                                           \
    "  }\n" ASCENDING "    store @1[%3] = %20\n"                                                   \
    "    store @2[%3] = %21\n"                                                                     \
    "  }\n"                                                                                        \
    "}\n"

/* Two sorts, one of what the other gave, in a map and a loop; a payload of every width. */
#define NESTED                                                                                     \
    "kernel \"t\" {\n"                                                                             \
    "  in @0 \"x\": f32[3,37] plain\n"                                                             \
    "  in @1 \"n\": i64[] plain\n"                                                                 \
    "  out @2 \"y\": f32[3,37@1] plain\n"                                                          \
    "  out @3 \"z\": f16[3,37] plain\n"                                                            \
    "  %0 = load @1[]\n"                                                                           \
    "  map %50 (%51 < 3) {\n"                                                                      \
    "    %52 = loop (%53 < 2) with (%54 = 0) {\n"                                                  \
    "      sort %1 (%2 < %0, %3 < 37) {\n"                                                         \
    "        %4 = load @0[%51, %2]\n"                                                              \
    "        yield %4, %2\n"                                                                       \
    "      }\n" ASCENDING "        store @2[%51, %3] = %20\n"                                      \
    "      }\n"                                                                                    \
    "      %55 = add %54, 1\n"                                                                     \
    "      yield %55\n"                                                                            \
    "    }\n"                                                                                      \
    "    sort %61 (%62 < 37, %63 < 40) {\n"                                                        \
    "      %64 = load @0[%51, %62]\n"                                                              \
    "      %65 = cast i8 %62\n"                                                                    \
    "      %66 = cast f16 %64\n"                                                                   \
    "      %67 = eq %62, %52\n"                                                                    \
    "      %68 = cast f64 %64\n"                                                                   \
    "      yield %64, %65, %66, %67, %68\n"                                                        \
    "    } before (%70, %71, %72, %73, %74, %75, %76, %77, %78, %79) {\n"                          \
    "      %80 = lt %76, %71\n"                                                                    \
    "      yield %80\n"                                                                            \
    "    } each (%81, %82, %83, %84, %85) {\n"                                                     \
    "      %86 = cast f32 %83\n"                                                                   \
    "      %87 = cast f32 %85\n"                                                                   \
    "      %88 = select %84, %86, %87\n"                                                           \
    "      %89 = cast f16 %88\n"                                                                   \
    "      store @3[%51, %63] = %89\n"                                                             \
    "    }\n"                                                                                      \
    "  }\n"                                                                                        \
    "}\n"

static const struct sort_case KERNELS[] = {
    {"no_elements", false, ONE_ROW(0, 0)},
    {"one_element", false, ONE_ROW(1, 1)},
    {"two_elements", false, ONE_ROW(2, 2)},
    {"no_ranks", false, ONE_ROW(9, 0)},
    {"few_ranks", false, ONE_ROW(1000, 3)},
    {"all_ranks", false, ONE_ROW(100, 100)},
    {"power_of_two", false, ONE_ROW(64, 64)},
    {"steps_are_launches", true, ONE_ROW(20000, 20000)},
    {"few_ranks_of_many", false, ONE_ROW(6000, 5)},
    {"few_ranks_of_what_is_left", true, ONE_ROW(60000, 200)},
    {"nested", false, NESTED},
};

/* Few numbers, so that there are equal ones; a scalar is an extent. */
static void fill(const struct pipeline_run *run, int buf, uint64_t *seed)
{
    const struct pbuf *b = &run->program->bufs[buf];
    struct tensor t = {.dtype = b->dtype, .rank = b->rank, .data = pipeline_run_data(run, buf)};
    memcpy(t.dims, b->dims, sizeof t.dims);
    for (int64_t i = 0, n = tensor_elems(&t); i < n; i++)
        tensor_set(&t, i, b->rank ? (double)(random_next(seed) % 40) - 20 : 21);
}

static bool kernel_agrees_on(const char *text, const char *cpu, struct error *err)
{
    struct compiled c;
    struct strbuf report;
    uint64_t seed = 7;
    bool ok = compiled_open_kernel(&c, text, cpu, err);
    for (size_t i = 0; ok && i < c.program->n_bufs; i++)
        if (c.program->bufs[i].area == AREA_MUTABLE && c.program->bufs[i].role == SHEAF_ROLE_INPUT)
            fill(&c.run, (int)i, &seed);
    strbuf_init(&report, &c.arena);
    ok = ok && pipeline_run_verify(&c.run, &report, err) && compiled_all_equal(&report, err);
    compiled_close(&c);
    return ok;
}

static void kernel_agrees(void **state)
{
    const struct sort_case *c = *state;
    for (size_t i = 0; i < sizeof CPUS / sizeof CPUS[0]; i++) {
        struct error err;
        error_init(&err);
        if (!skips(c, CPUS[i]) && !kernel_agrees_on(c->text, CPUS[i], &err))
            fail_msg("%s on %s: %s", c->name, CPUS[i], err.text);
    }
}

/* ---- the operator ---- */

#define TOP_K(x, k, attrs)                                                                         \
    "graph \"t\" {\ninput %x " x "\n" k "\n%y, %i = top_k (%x, %k) {" attrs "}\nreturn %y, "       \
    "%i\n}\n"
#define CONST(k) "const %k i64 [1] = {" #k "}"

static const struct sort_case GRAPHS[] = {
    {"vector", false, TOP_K("f32 [50]", CONST(50), "axis=-1")},
    {"few_of_a_vector", false, TOP_K("f32 [500]", CONST(4), "axis=-1")},
    {"rows", false, TOP_K("f32 [3,100]", CONST(20), "axis=-1")},
    {"smallest", false, TOP_K("f32 [3,100]", CONST(20), "largest=0")},
    {"smallest_few", false, TOP_K("f32 [3,100]", CONST(2), "largest=0")},
    {"middle_axis", false, TOP_K("f32 [3,33,4]", CONST(30), "axis=1")},
    {"first_axis", false, TOP_K("i8 [33,2,2]", CONST(3), "axis=0, sorted=0")},
    {"none", false, TOP_K("f32 [3,10]", CONST(0), "axis=-1")},
    {"no_rows", false, TOP_K("f32 [0,10]", CONST(3), "axis=-1")},
    {"one_each", false, TOP_K("f32 [7,1]", CONST(1), "axis=-1")},
    {"long_rows", false, TOP_K("f32 [9,1500]", CONST(700), "axis=-1")},
    {"side_by_side", true, TOP_K("f32 [3,5000]", CONST(1000), "axis=-1")},
    {"few_of_long_rows", false, TOP_K("f32 [3,5000]", CONST(10), "axis=-1")},
    {"few_at_run_time", false, TOP_K("f64 [2,5000]", "input %k i64 [1]", "largest=0")},
    {"halves", false, TOP_K("f16 [3,40]", CONST(15), "axis=-1")},
    {"doubles", false, TOP_K("f64 [3,40]", CONST(15), "largest=0")},
    {"unsigned", false, TOP_K("u64 [3,40]", CONST(15), "axis=-1")},
    {"bytes", false, TOP_K("u8 [3,300]", CONST(5), "axis=-1")},
    {"count_at_run_time", false, TOP_K("f32 [3,100]", "input %k i64 [1]", "axis=-1")},
    {"short_count_at_run_time", false, TOP_K("i32 [3,8]", "input %k i32 [1]", "largest=0")},
    {"extent_at_run_time", false,
     "graph \"t\" {\ninput %x f32 [4,25]\nconst %k i64 [1] = {7}\n%z i64 [2,100:%n], %n i64 [] = "
     "non_zero (%x)\n"
     "%y, %i = top_k (%z, %k)\nreturn %y, %i\n}\n"},
};

static bool graph_agrees_on(const struct sort_case *c, const char *cpu, struct error *err)
{
    struct compiled net;
    struct strbuf report;
    bool ok = compiled_open(&net, c->text, cpu, err);
    for (int round = 0; ok && round < 3; round++) {
        strbuf_init(&report, &net.arena);
        compiled_fill(&net, round == 2 ? COMPILED_EDGES : COMPILED_RANDOM, (uint64_t)round + 1);
        ok = pipeline_run_verify(&net.run, &report, err) && compiled_all_equal(&report, err);
    }
    compiled_close(&net);
    return ok;
}

static void graph_agrees(void **state)
{
    const struct sort_case *c = *state;
    for (size_t i = 0; i < sizeof CPUS / sizeof CPUS[0]; i++) {
        struct error err;
        error_init(&err);
        if (!skips(c, CPUS[i]) && !graph_agrees_on(c, CPUS[i], &err))
            fail_msg("%s on %s: %s", c->name, CPUS[i], err.text);
    }
}

/* ---- schedules ---- */

static bool schedule_has(const char *text, const char *words)
{
    struct compiled net;
    struct error err;
    error_init(&err);
    bool ok = compiled_open(&net, text, "nvidia", &err) && strstr(compiled_schedules(&net), words);
    compiled_close(&net);
    return ok;
}

/* Short rows in the memory of a block, eight groups of which would not have room there. */
static void rows_lie_in_shared_memory(void **state)
{
    (void)state;
    if (!compiled_host_runs("nvidia"))
        SUPPORT_NEED(NULL, "the simulator");
    assert_true(schedule_has(TOP_K("f32 [2000,1000]", CONST(500), "axis=-1"),
                             "500 blocks of 128 threads, @3 shared"));
    /* A row that nobody else has to wait for gets a block. */
    assert_true(schedule_has(TOP_K("f32 [64,1000]", CONST(500), "axis=-1"),
                             "64 blocks of 256 threads, @3 shared"));
    assert_true(schedule_has(TOP_K("f32 [3000]", CONST(3000), "axis=-1"),
                             "1 block of 1024 threads together, @3 shared"));
    assert_false(schedule_has(TOP_K("f32 [64,5000]", CONST(5000), "axis=-1"), "shared"));
}

int main(void)
{
    enum { N = sizeof KERNELS / sizeof KERNELS[0], M = sizeof GRAPHS / sizeof GRAPHS[0] };
    struct CMUnitTest tests[N + M + 1];
    memset(tests, 0, sizeof tests);
    for (size_t i = 0; i < N + M; i++) {
        const struct sort_case *c = i < N ? &KERNELS[i] : &GRAPHS[i - N];
        tests[i] = (struct CMUnitTest){.name = c->name,
                                       .test_func = i < N ? kernel_agrees : graph_agrees,
                                       .initial_state = (void *)(uintptr_t)c};
    }
    tests[N + M] = (struct CMUnitTest)cmocka_unit_test(rows_lie_in_shared_memory);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
