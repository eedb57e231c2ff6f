/*
 * test_gpu_schedule.c: what the GPU's schedules make of kernels, read from the schedules and from
 * the code; that it computes the right thing is test_contract.c's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/contractions.h"
#include "tests/support/support.h"

static struct compiled c;

static int setup(void **state)
{
    (void)state;
    memset(&c, 0, sizeof c);
    return !compiled_host_runs("nvidia");
}

static int teardown(void **state)
{
    (void)state;
    compiled_close(&c);
    return 0;
}

/* Compiled and compared with the evaluator. */
static void open_kernel(const char *text, const char *target)
{
    struct error err;
    struct strbuf report;
    error_init(&err);
    bool ok = compiled_open_kernel(&c, text, target, &err);
    strbuf_init(&report, &c.arena);
    if (ok) {
        contraction_fill(&c);
        ok = pipeline_run_verify(&c.run, &report, &err);
    }
    if (!ok)
        fail_msg("%s", err.text);
}

static void assert_schedule(const char *part)
{
    if (!strstr(compiled_schedules(&c), part))
        fail_msg("no '%s' in\n%s", part, compiled_schedules(&c));
}

static const char *code(void)
{
    return arena_printf(&c.arena, "%.*s", (int)c.code.assembly.size,
                        (const char *)c.code.assembly.data);
}

/* What the loop over K is made of, which begins with fragments and copies in the end. */
static const char *loop(void)
{
    const char *from = strstr(code(), "ldmatrix");
    const char *end = from ? strstr(from, "cp.async.wait_group 0") : NULL;
    assert_non_null(end);
    return arena_printf(&c.arena, "%.*s", (int)(end - from), from);
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

/* A convolution with a window of 3 of an image with its channels innermost, and a bias. */
static const char *conv(const char *type, const char *pad, int size, int channels, int columns)
{
    return support_printf("kernel \"conv\" {\n"
                          "  in @0 \"x\": %s[1,%d,%d,%d] acdb\n"
                          "  in @1 \"w\": %s[%d,%d,3,3] plain = {...}\n"
                          "  in @2 \"b\": f32[%d] plain\n"
                          "  out @3 \"y\": %s[1,%d,%d,%d] acdb\n"
                          "  contract %%0 f32 (m %%1 < 1, n %%2 < %d, m %%3 < %d, m %%4 < %d, "
                          "k %%5 < %d, k %%6 < 3, k %%7 < 3) {\n"
                          "    a @0[%%1, %%5, %%3 + %%6 - 1, %%4 + %%7 - 1] pad %s\n"
                          "    b @1[%%2, %%5, %%6, %%7]\n"
                          "    epilogue (%%8) {\n"
                          "      %%9 = load @2[%%2]\n"
                          "      %%10 = add %%8, %%9\n"
                          "      %%11 = cast %s %%10\n"
                          "      store @3[%%1, %%2, %%3, %%4] = %%11\n"
                          "    }\n"
                          "  }\n"
                          "}\n",
                          type, channels, size, size, type, columns, channels, columns, type,
                          columns, size, size, columns, size, size, channels, pad, type);
}

/* Nothing is divided in the loop, a step has one test for each row that a thread copies, and all
   that is stored are 16 bytes at a time. */
static void test_loop(void **state)
{
    (void)state;
    open_kernel(conv("f16", "0.0:f16", 16, 128, 64), "nvidia");
    assert_schedule("f16, K 64, 4 stages");
    assert_int_equal(count(loop(), "rem."), 0);
    assert_int_equal(count(loop(), "div."), 0);
    assert_int_equal(count(loop(), "mul.hi"), 0);
    assert_true(count(loop(), "mma.sync") > 0 && count(loop(), "cp.async.cg") > 0);
    assert_int_equal(count(loop(), "max.u32"), count(loop(), "16, 0,"));
    assert_int_equal(count(code(), "st.global.b16"), 0);
    assert_true(count(code(), "st.global.v4") > 0);
    assert_true(count(code(), "ld.global.nc.v4") > 0);
}

/* The columns of weights lie as they are summed, the channels innermost. */
static void test_packing(void **state)
{
    (void)state;
    open_kernel(conv("f16", "0.0:f16", 8, 64, 64), "nvidia");
    assert_schedule("pack \"acdb\"");
}

/* Few pixels, long sums: parts of them run at a time, and a second launch adds them up. */
static void test_split(void **state)
{
    (void)state;
    open_kernel(conv("f16", "0.0:f16", 7, 512, 64), "nvidia");
    assert_int_equal(c.program->body.n, 2);
    const struct kernel *first = c.program->body.step[0]->kernel;
    const struct kbuf *parts = &first->bufs[first->n_bufs - 1];
    assert_int_equal(parts->role, KBUF_OUT);
    assert_true(parts->dims[0] > 1);
    assert_int_equal(parts->dims[parts->rank - 1], 64);
    assert_schedule("map %0: launch");
}

/* Many pixels, short sums: one launch. */
static void test_not_split(void **state)
{
    (void)state;
    open_kernel(conv("f16", "0.0:f16", 56, 16, 64), "nvidia");
    assert_int_equal(c.program->body.n, 1);
}

/* An image of three channels, which lies row by row: a zero behind each row of the window makes
   weights that are copied. */
static void test_few_channels(void **state)
{
    (void)state;
    static const struct conv stem = {.c = 3,
                                     .h = 20,
                                     .w = 20,
                                     .o = 64,
                                     .window = 7,
                                     .stride = 2,
                                     .pad = 3,
                                     .dilation = 1,
                                     .group = 1};
    struct arena a;
    arena_init(&a);
    open_kernel(conv_text(&a, &stem, "f16", "f16", "f32", SUMS), "nvidia");
    arena_done(&a);
    assert_schedule("pack \"abcd8d\"");
    assert_true(count(code(), "cp.async.cg") > 0);
}

/* 16 bytes at a time where all lies side by side and there is much of it, else one element. */
static void test_map_lanes(void **state)
{
    (void)state;
    const char *text = "kernel \"relu\" {\n"
                       "  in @0 \"x\": f16[%d,%d] plain\n"
                       "  out @1 \"y\": f16[%d,%d] plain\n"
                       "  map %%0 (%%1 < %d, %%2 < %d) {\n"
                       "    %%3 = load @0[%%1, %%2]\n"
                       "    %%4 = max %%3, 0.0:f16\n"
                       "    store @1[%%1, %%2] = %%4\n"
                       "  }\n"
                       "}\n";
    open_kernel(support_printf(text, 512, 256, 512, 256, 512, 256), "nvidia");
    assert_schedule("vector 8");
    assert_true(count(code(), "ld.global.nc.v4") == 1 && count(code(), "st.global.v4") == 1);
    compiled_close(&c);
    open_kernel(support_printf(text, 512, 255, 512, 255, 512, 255), "nvidia");
    assert_null(strstr(compiled_schedules(&c), "vector"));
    compiled_close(&c);
    open_kernel(support_printf(text, 4, 256, 4, 256, 4, 256), "nvidia");
    assert_null(strstr(compiled_schedules(&c), "vector"));
}

/* Bytes of the memory that the block's threads have in common, from the code. */
static long long shared_bytes(void)
{
    long long sum = 0, bytes;
    for (const char *p = code(); (p = strstr(p, ".shared .align ")); p++) {
        const char *open = strpbrk(p, "[;");
        if (open && *open == '[' && sscanf(open, "[%lld]", &bytes) == 1)
            sum += bytes;
    }
    return sum;
}

/* A sum and a scan by a whole block: what its 1024 threads exchange lies in one array, whatever
   needs it, for a block has 48 KiB. */
static void test_exchange(void **state)
{
    (void)state;
    const char *text = "kernel \"count\" {\n"
                       "  in @0 \"x\": %s[30000] plain\n"
                       "  out @1 \"n\": i64[] plain\n"
                       "  out @2 \"y\": i64[30000] plain\n"
                       "  %%0 = reduce add (%%1 < 30000) from (0) {\n"
                       "    %%2 = load @0[%%1]\n"
                       "    %%3 = cast bool %%2\n"
                       "    %%4 = cast i64 %%3\n"
                       "    yield %%4\n"
                       "  }\n"
                       "  store @1[] = %%0\n"
                       "  %%5 = scan add (%%6 < 30000) from (0) {\n"
                       "    %%7 = load @0[%%6]\n"
                       "    %%8 = cast bool %%7\n"
                       "    %%9 = cast i64 %%8\n"
                       "    yield %%9\n"
                       "  } each (%%10) {\n"
                       "    store @2[%%6] = %%10\n"
                       "  }\n"
                       "}\n";
    static const char *const types[] = {"f32", "bool"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        open_kernel(support_printf(text, types[i]), "nvidia");
        assert_schedule("1 block of 1024 threads together");
        assert_in_range(shared_bytes(), 1024 * sizeof(int64_t), 1100 * sizeof(int64_t));
        compiled_close(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_packing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_split, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_split, setup, teardown),
        cmocka_unit_test_setup_teardown(test_few_channels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_map_lanes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_exchange, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
