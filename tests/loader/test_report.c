/*
 * Labels: softmax, the largest values, and the lines that are printed; lists in text files.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "loader/input/random.h"
#include "loader/report.h"
#include "tests/support/fixture.h"
#include "tests/support/support.h"

static void test_softmax(void **state)
{
    (void)state;
    double v[] = {1000, 1001, 999}; /* would overflow without care */
    report_softmax(v, 3);
    assert_true(fabs(v[0] - 0.24472847) < 1e-7);
    assert_true(fabs(v[1] - 0.66524096) < 1e-7);
    assert_true(fabs(v[2] - 0.09003057) < 1e-7);
    assert_true(report_is_distribution(v, 3));
    assert_false(report_is_distribution((double[]){0.5, 0.6}, 2));
    assert_false(report_is_distribution((double[]){1.5, -0.5}, 2));
    assert_false(report_is_distribution((double[]){NAN, 1}, 2));
}

static void test_top_labels(void **state)
{
    (void)state;
    static const double v[] = {0.1, 0.4, NAN, 0.4, -1, 0.7, 0.1};
    static const int64_t order[] = {5, 1, 3, 0, 6, 4, 2}; /* equals in order, NaN last */
    for (size_t k = 1; k <= 9; k++) {
        struct report_label top[9];
        size_t n = report_top_labels(v, 7, k, 1, top);
        assert_int_equal(n, k < 7 ? k : 7);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(top[i].label, order[i] - 1);
    }
    struct report_label none;
    assert_int_equal(report_top_labels(v, 7, 0, 0, &none), 0);
}

static void test_print_labels(void **state)
{
    (void)state;
    static const char *const names[] = {"tench", "goldfish"};
    struct lines lines = {.line = arena_copy(&arena, names, sizeof names), .n = 2};
    static const struct report_label labels[] = {{285, 0.73194}, {1, 0.2}, {-1, 0.0}};
    struct strbuf out;
    strbuf_init(&out, &arena);
    report_print_labels(&out, "cat.png", labels, 1, true, NULL);
    assert_string_equal(out.text, " File: cat.png\tLabel-K1: 285 (probability: 0.7319)\n");
    strbuf_init(&out, &arena);
    report_print_labels(&out, "cat.png", labels, 3, false, &lines);
    assert_string_equal(out.text, " File: cat.png\tLabel-K1: 285 (score: 0.7319)\n"
                                  "\tLabel-K2: 1 (score: 0.2000) goldfish\n"
                                  "\tLabel-K3: -1 (score: 0.0000)\n");
}

static void test_print_tensor(void **state)
{
    (void)state;
    static const float values[] = {0.5f, -1, 1e-20f, NAN, INFINITY, 6, 7, 8, 9, 10, 11};
    struct tensor t = {.dtype = DTYPE_F32, .rank = 2, .dims = {1, 11}, .data = values};
    struct strbuf out;
    strbuf_init(&out, &arena);
    report_print_tensor(&out, "y", &t);
    assert_string_equal(out.text,
                        " Output: y f32[1,11]: 0.5 -1 9.99999968e-21 nan inf 6 7 8 9 10 ...\n");
    static const int8_t bytes[] = {-128, 127};
    t = (struct tensor){.dtype = DTYPE_I8, .rank = 1, .dims = {2}, .data = bytes};
    strbuf_init(&out, &arena);
    report_print_tensor(&out, "q", &t);
    assert_string_equal(out.text, " Output: q i8[2]: -128 127\n");
}

static void test_lines(void **state)
{
    (void)state;
    const char *path = support_printf("%s/list.txt", support_tmp());
    struct lines lines;
    static const char text[] = "tench\r\n\ngreat white shark\nlast";
    support_write_file(path, text, sizeof text - 1);
    assert_true(lines_read(&arena, path, &lines, &err));
    assert_int_equal(lines.n, 4);
    assert_string_equal(lines.line[0], "tench");
    assert_string_equal(lines.line[1], "");
    assert_string_equal(lines.line[2], "great white shark");
    assert_string_equal(lines.line[3], "last");
    support_write_file(path, "", 0);
    assert_true(lines_read(&arena, path, &lines, &err));
    assert_int_equal(lines.n, 0);
    support_write_file(path, "a\0b", 3);
    assert_false(lines_read(&arena, path, &lines, &err));
    assert_non_null(strstr(err.text, "not a text file"));
}

static void test_image_dir(void **state)
{
    (void)state;
    const char *dir = support_printf("%s/pictures", support_tmp());
    struct lines paths;
    assert_int_equal(support_run(support_printf("mkdir -p '%s/dir.png' && cd '%s' && touch b.png "
                                                "A.PNG a.png notes.txt png",
                                                dir, dir),
                                 NULL),
                     0);
    assert_true(image_dir_read(&arena, dir, &paths, &err));
    assert_int_equal(paths.n, 3);
    assert_string_equal(paths.line[0], support_printf("%s/A.PNG", dir));
    assert_string_equal(paths.line[1], support_printf("%s/a.png", dir));
    assert_string_equal(paths.line[2], support_printf("%s/b.png", dir));
    assert_false(image_dir_read(&arena, support_printf("%s/dir.png", dir), &paths, &err));
    assert_non_null(strstr(err.text, "the folder has no .png file"));
    error_init(&err);
    assert_false(image_dir_read(&arena, support_printf("%s/absent", dir), &paths, &err));
    assert_non_null(strstr(err.text, "cannot read the folder"));
}

/* The same numbers everywhere, in the ranges that random.h promises. */
static void test_random(void **state)
{
    (void)state;
    enum { N = 4096 };
    float f[N], again[N];
    random_fill(DTYPE_F32, N, 5, f);
    random_fill(DTYPE_F32, N, 5, again);
    assert_memory_equal(f, again, sizeof f);
    random_fill(DTYPE_F32, N, 6, again);
    assert_memory_not_equal(f, again, sizeof f);
    double sum = 0;
    for (int i = 0; i < N; i++) {
        assert_true(f[i] >= -1 && f[i] < 1);
        sum += f[i];
    }
    assert_true(fabs(sum / (double)N) < 0.05);
    int8_t bytes[N];
    random_fill(DTYPE_I8, N, 1, bytes);
    bool low = false, high = false;
    for (int i = 0; i < N; i++) {
        low = low || bytes[i] == -128;
        high = high || bytes[i] == 127;
    }
    assert_true(low && high);
    uint16_t words[N];
    random_fill(DTYPE_U16, N, 1, words);
    double mean = 0;
    for (int i = 0; i < N; i++)
        mean += (double)words[i] / N;
    assert_true(fabs(mean / 32767.5 - 1) < 0.05);
    int64_t wide[N];
    random_fill(DTYPE_I64, N, 1, wide);
    int ones = 0;
    for (int i = 0; i < N; i++) {
        assert_true(wide[i] == 0 || wide[i] == 1);
        ones += (int)wide[i];
    }
    assert_true(ones > N / 3 && ones < N * 2 / 3);
    uint8_t flags[N];
    random_fill(DTYPE_BOOL, N, 1, flags);
    for (int i = 0; i < N; i++)
        assert_true(flags[i] <= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_softmax, setup, teardown),
        cmocka_unit_test_setup_teardown(test_top_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_print_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_print_tensor, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_image_dir, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
