/*
 * Kernels as text, compiled and compared with the evaluator: forms of regions that the language has
 * and that no operator's lowering makes today.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/assemble.h"
#include "tests/support/compiled.h"
#include "tests/support/support.h"

static const char *const CPUS[] = {"x86-64", "x86-64-v3", "native", "x86-64,-Os", "nvidia", "ve"};

/* Small numbers, some of them negative. */
static void fill(const struct pipeline_run *run, int buf)
{
    const struct pbuf *b = &run->program->bufs[buf];
    struct tensor t = {.dtype = b->dtype, .rank = b->rank, .data = pipeline_run_input(run, buf)};
    memcpy(t.dims, b->dims, sizeof t.dims);
    for (int64_t i = 0, n = tensor_elems(&t); i < n; i++)
        tensor_set(&t, i, (double)((i * 7 + 9) % 13 - (dtype_int_min(b->dtype) < 0 ? 4 : 0)));
}

static bool agrees(struct compiled *c, struct error *err)
{
    struct strbuf report;
    strbuf_init(&report, &c->arena);
    for (size_t i = 0; i < c->program->n_bufs; i++)
        if (c->program->bufs[i].role == SHEAF_ROLE_INPUT)
            fill(&c->run, (int)i);
    return pipeline_run_verify(&c->run, &report, err);
}

static void kernel_agrees(void **state)
{
    const char *text = *state;
    for (size_t i = 0; i < sizeof CPUS / sizeof CPUS[0]; i++) {
        if (!compiled_host_runs(CPUS[i]))
            continue;
        struct compiled c;
        struct error err;
        error_init(&err);
        bool ok = compiled_open_kernel(&c, text, CPUS[i], &err) && agrees(&c, &err);
        ok = ok && (!c.target->host || assemble_takes(&c, &err));
        if (!ok)
            print_error("on %s: %s\n", CPUS[i], err.text);
        compiled_close(&c);
        assert_true(ok);
    }
}

#define OUT3                                                                                       \
    "  store @1[0] = %0\n"                                                                         \
    "  store @1[1] = %1\n"

static const struct {
    const char *name, *text;
} KERNELS[] = {
    {"loop_carries_two", "kernel \"t\" {\n"
                         "  in @0 \"n\": i64[] plain\n"
                         "  out @1 \"y\": i64[2] plain\n"
                         "  %8 = load @0[]\n"
                         "  %0, %1 = loop (%3 < %8) with (%4 = 3, %5 = 1) {\n"
                         "    %6 = add %4, %5\n"
                         "    yield %5, %6\n"
                         "  }\n" OUT3 "}\n"},
    {"reduce_pairs_in_order", "kernel \"t\" {\n"
                              "  in @0 \"x\": f32[100] plain\n"
                              "  out @1 \"y\": f32[2] plain\n"
                              "  %0, %1 = reduce block (%2 < 100) from (0.0, 1.0) {\n"
                              "    %3 = load @0[%2]\n"
                              "    yield %3, 0.5\n"
                              "  } combine (%4, %5, %6, %7) {\n"
                              "    %8 = mul %4, %7\n"
                              "    %9 = add %8, %6\n"
                              "    %10 = add %5, %7\n"
                              "    yield %9, %10\n"
                              "  }\n" OUT3 "}\n"},
    {"reduce_lanes_tail", "kernel \"t\" {\n"
                          "  in @0 \"x\": f32[5,45] plain\n"
                          "  out @1 \"y\": f32[5] plain\n"
                          "  map %9 (%1 < 5) {\n"
                          "    %0 = reduce add lanes 8 (%2 < 45) from (0.0) {\n"
                          "      %3 = load @0[%1, %2]\n"
                          "      %4 = div %3, 7.0\n"
                          "      yield %4\n"
                          "    }\n"
                          "    store @1[%1] = %0\n"
                          "  }\n"
                          "}\n"},
    {"reduce_block_lanes_tail", "kernel \"t\" {\n"
                                "  in @0 \"x\": f32[45] plain\n"
                                "  out @1 \"y\": f32[] plain\n"
                                "  %0 = reduce block lanes 8 (%2 < 45) from (0.0) {\n"
                                "    %3 = load @0[%2]\n"
                                "    yield %3\n"
                                "  } combine (%4, %5) {\n"
                                "    %6 = mul %4, 0.5\n"
                                "    %7 = add %6, %5\n"
                                "    yield %7\n"
                                "  }\n"
                                "  store @1[] = %0\n"
                                "}\n"},
    {"reduce_lanes_unknown_extent", "kernel \"t\" {\n"
                                    "  in @0 \"n\": i64[] plain\n"
                                    "  in @1 \"x\": f32[45] plain\n"
                                    "  out @2 \"y\": f32[] plain\n"
                                    "  %9 = load @0[]\n"
                                    "  %8 = add %9, 26\n"
                                    "  %0 = reduce block lanes 8 (%2 < %8) from (0.0) {\n"
                                    "    %3 = load @1[%2]\n"
                                    "    yield %3\n"
                                    "  } combine (%4, %5) {\n"
                                    "    %6 = mul %4, 0.5\n"
                                    "    %7 = add %6, %5\n"
                                    "    yield %7\n"
                                    "  }\n"
                                    "  store @2[] = %0\n"
                                    "}\n"},
    {"scan_total_and_prefix", "kernel \"t\" {\n"
                              "  in @0 \"x\": i32[9] plain\n"
                              "  out @1 \"y\": i32[9] plain\n"
                              "  out @2 \"t\": i32[] plain\n"
                              "  %0 = scan add (%1 < 9) from (100:i32) {\n"
                              "    %2 = load @0[%1]\n"
                              "    yield %2\n"
                              "  } each (%3) {\n"
                              "    store @1[%1] = %3\n"
                              "  }\n"
                              "  store @2[] = %0\n"
                              "}\n"},
    {"map_of_unknown_extent", "kernel \"t\" {\n"
                              "  in @0 \"n\": i64[] plain\n"
                              "  in @1 \"x\": f32[45] plain\n"
                              "  out @2 \"y\": f32[2,45] plain\n"
                              "  %0 = load @0[]\n"
                              "  %1 = add %0, 26\n"
                              "  map %2 (%3 < 2, %4 < 45) {\n"
                              "    store @2[%3, %4] = 0.0\n"
                              "  }\n"
                              "  map %5 (%6 < 2, %7 < %1) {\n"
                              "    %8 = load @1[%7]\n"
                              "    %9 = cast f32 %6\n"
                              "    %10 = add %8, %9\n"
                              "    store @2[%6, %7] = %10\n"
                              "  }\n"
                              "}\n"},
    {"bytes_around_are_known_at_run_time",
     "kernel \"t\" {\n"
     "  in @0 \"x\": u8[1,8,7,9] abcd8b\n"
     "  in @1 \"w\": i8[20,8,3,3] plain = {...}\n"
     "  in @2 \"around\": u8[] plain\n"
     "  out @3 \"y\": i32[1,20,7,9] plain\n"
     "  %9 = load @2[]\n"
     "  contract %0 i32 (m %1 < 1, n %2 < 20, m %3 < 7, m %4 < 9, k %5 < 8, k %6 < 3, k %7 < 3) {\n"
     "    a @0[%1, %5, %3 + %6 - 1, %4 + %7 - 1] pad %9\n"
     "    b @1[%2, %5, %6, %7]\n"
     "    epilogue (%8) {\n"
     "      store @3[%1, %2, %3, %4] = %8\n"
     "    }\n"
     "  }\n"
     "}\n"},
    {"map_of_many_unknown", "kernel \"t\" {\n"
                            "  in @0 \"n\": i64[] plain\n"
                            "  out @1 \"y\": i32[30000] plain\n"
                            "  %0 = load @0[]\n"
                            "  %1 = add %0, 29992\n"
                            "  map %2 (%3 < 30000) {\n"
                            "    store @1[%3] = 1:i32\n"
                            "  }\n"
                            "  map %5 (%6 < %1) {\n"
                            "    %7 = cast i32 %6\n"
                            "    store @1[%6] = %7\n"
                            "  }\n"
                            "}\n"},
    {"scan_of_many", "kernel \"t\" {\n"
                     "  in @0 \"x\": i32[3000] plain\n"
                     "  out @1 \"y\": i32[3000] plain\n"
                     "  out @2 \"t\": i32[] plain\n"
                     "  %0 = scan add (%1 < 3000) from (100:i32) {\n"
                     "    %2 = load @0[%1]\n"
                     "    yield %2\n"
                     "  } each (%3) {\n"
                     "    store @1[%1] = %3\n"
                     "  }\n"
                     "  store @2[] = %0\n"
                     "}\n"},
    {"scans_of_rows", "kernel \"t\" {\n"
                      "  in @0 \"x\": u8[50,333] plain\n"
                      "  out @1 \"y\": u8[50,333] plain\n"
                      "  map %9 (%8 < 50) {\n"
                      "    %0 = scan max (%1 < 333) from (2:u8) {\n"
                      "      %2 = load @0[%8, %1]\n"
                      "      yield %2\n"
                      "    } each (%3) {\n"
                      "      store @1[%8, %1] = %3\n"
                      "    }\n"
                      "  }\n"
                      "}\n"},
    {"scan_that_reads_what_it_wrote", "kernel \"t\" {\n"
                                      "  in @0 \"x\": i32[300] plain\n"
                                      "  out @1 \"y\": i32[300] plain\n"
                                      "  %5 = load @0[0]\n"
                                      "  store @1[0] = %5\n"
                                      "  %0 = scan add (%1 < 299) from (0:i32) {\n"
                                      "    %2 = load @1[%1]\n"
                                      "    yield %2\n"
                                      "  } each (%3) {\n"
                                      "    %4 = add %1, 1\n"
                                      "    %6 = load @0[%4]\n"
                                      "    %7 = sub %6, %3\n"
                                      "    store @1[%4] = %7\n"
                                      "  }\n"
                                      "}\n"},
    {"reduce_many_from_another_start", "kernel \"t\" {\n"
                                       "  in @0 \"x\": i32[40,50] plain\n"
                                       "  out @1 \"y\": i32[] plain\n"
                                       "  %0 = reduce add (%1 < 40, %2 < 50) from (5:i32) {\n"
                                       "    %3 = load @0[%1, %2]\n"
                                       "    yield %3\n"
                                       "  }\n"
                                       "  store @1[] = %0\n"
                                       "}\n"},
    {"reduce_many_floats", "kernel \"t\" {\n"
                           "  in @0 \"x\": f32[3,40,50] plain\n"
                           "  out @1 \"y\": f32[3,2] plain\n"
                           "  map %9 (%8 < 3) {\n"
                           "    %0 = reduce add (%1 < 40, %2 < 50) from (5.0) {\n"
                           "      %3 = load @0[%8, %1, %2]\n"
                           "      yield %3\n"
                           "    }\n"
                           "    %4 = reduce max lanes 2 (%6 < 50) from (-inf) {\n"
                           "      %5 = load @0[%8, 0, %6]\n"
                           "      yield %5\n"
                           "    }\n"
                           "    store @1[%8, 0] = %0\n"
                           "    store @1[%8, 1] = %4\n"
                           "  }\n"
                           "}\n"},
    {"reduce_rows_in_order", "kernel \"t\" {\n"
                             "  in @0 \"x\": f32[2,9,500] plain\n"
                             "  out @1 \"y\": f32[2] plain\n"
                             "  map %9 (%8 < 2) {\n"
                             "    %0 = reduce add (%1 < 9) from (0.0) {\n"
                             "      %2 = reduce add lanes 16 (%3 < 500) from (0.0) {\n"
                             "        %4 = load @0[%8, %1, %3]\n"
                             "        yield %4\n"
                             "      }\n"
                             "      yield %2\n"
                             "    }\n"
                             "    store @1[%8] = %0\n"
                             "  }\n"
                             "}\n"},
    {"no_points", "kernel \"t\" {\n"
                  "  in @0 \"x\": f32[0,5] plain\n"
                  "  out @1 \"y\": f32[0,5] plain\n"
                  "  out @2 \"z\": f32[] plain\n"
                  "  map %9 (%1 < 0, %2 < 5) {\n"
                  "    %3 = load @0[%1, %2]\n"
                  "    store @1[%1, %2] = %3\n"
                  "  }\n"
                  "  %4 = reduce add (%5 < 0, %6 < 5) from (3.0) {\n"
                  "    %7 = load @0[%5, %6]\n"
                  "    yield %7\n"
                  "  }\n"
                  "  store @2[] = %4\n"
                  "}\n"},
    {"product_of_nothing", "kernel \"t\" {\n"
                           "  in @0 \"a\": f32[7,0] plain\n"
                           "  in @1 \"b\": f32[0,9] plain\n"
                           "  out @2 \"y\": f32[7,9] plain\n"
                           "  contract %0 f32 (m %1 < 7, n %2 < 9, k %3 < 0) {\n"
                           "    a @0[%1, %3]\n"
                           "    b @1[%3, %2]\n"
                           "    epilogue (%4) {\n"
                           "      store @2[%1, %2] = %4\n"
                           "    }\n"
                           "  }\n"
                           "}\n"},
    {"product_without_rows", "kernel \"t\" {\n"
                             "  in @0 \"a\": f16[0,64] plain\n"
                             "  in @1 \"b\": f16[64,64] plain\n"
                             "  out @2 \"y\": f32[0,64] plain\n"
                             "  contract %0 f32 (m %1 < 0, n %2 < 64, k %3 < 64) {\n"
                             "    a @0[%1, %3]\n"
                             "    b @1[%3, %2]\n"
                             "    epilogue (%4) {\n"
                             "      store @2[%1, %2] = %4\n"
                             "    }\n"
                             "  }\n"
                             "}\n"},
    {"halves_of_bytes", "kernel \"t\" {\n"
                        "  in @0 \"x\": i8[33,31] plain\n"
                        "  out @1 \"y\": i4[33,31] plain\n"
                        "  map %9 (%1 < 33, %2 < 31) {\n"
                        "    %3 = load @0[%1, %2]\n"
                        "    %4 = sub %3, 3:i8\n"
                        "    %5 = cast i4 %4\n"
                        "    store @1[%1, %2] = %5\n"
                        "  }\n"
                        "}\n"},
    {"points_read_what_was_stored_before", "kernel \"t\" {\n"
                                           "  in @0 \"x\": f32[16,130] plain\n"
                                           "  out @1 \"y\": f32[16,128] plain\n"
                                           "  out @2 \"z\": f32[16,128] plain\n"
                                           "  map %9 (%1 < 16, %2 < 128) {\n"
                                           "    %3 = load @0[%1, %2]\n"
                                           "    %4 = mul %3, 2.0\n"
                                           "    store @1[%1, %2] = %4\n"
                                           "    %5 = load @1[%1, %2]\n"
                                           "    %6 = add %5, %3\n"
                                           "    store @2[%1, %2] = %6\n"
                                           "  }\n"
                                           "}\n"},
    {"lanes_pick_rows_of_true_extent", "kernel \"t\" {\n"
                                       "  in @0 \"n\": i64[] plain\n"
                                       "  in @1 \"at\": i64[40] plain\n"
                                       "  in @2 \"x\": f32[20,9@0] plain\n"
                                       "  out @3 \"y\": f32[40] plain\n"
                                       "  map %0 (%1 < 40) {\n"
                                       "    %2 = load @1[%1]\n"
                                       "    %3 = load_or @2[%2, 0] else 0.5\n"
                                       "    store @3[%1] = %3\n"
                                       "  }\n"
                                       "}\n"},
};

int main(void)
{
    enum { N = sizeof KERNELS / sizeof KERNELS[0] };
    struct CMUnitTest tests[N];
    memset(tests, 0, sizeof tests);
    for (size_t i = 0; i < N; i++)
        tests[i] = (struct CMUnitTest){.name = KERNELS[i].name,
                                       .test_func = kernel_agrees,
                                       .initial_state = (void *)(uintptr_t)KERNELS[i].text};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
