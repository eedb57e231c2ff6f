/*
 * What is counted of a network's tensors: which ones, each element once in whatever layout it lies,
 * nothing of the padding.
 */
#include <math.h>

#include "loader/input/random.h"
#include "loader/profile/capture.h"
#include "tests/support/fixture.h"
#include "tests/support/support.h"

static struct graph *parse(const char *text)
{
    struct graph *g = graph_parse(&arena, text, &err);
    if (!g || !graph_infer(g, &err))
        fail_msg("%s", err.text);
    return g;
}

/* Inputs and results in the order of the network; no constants, no integers, nothing of the If
   and nothing that is not used. */
static void test_tensors(void **state)
{
    (void)state;
    struct graph *g = parse("graph \"g\" {\n"
                            "    input %x f32 [2]\n"
                            "    input %i i32 [2]\n"
                            "    const %one f32 [] = {1}\n"
                            "    %half = cast (%x) {to=10}\n"
                            "    %c = less (%one, %one)\n"
                            "    %y = if (%c) do () {\n"
                            "        %a = exp (%x)\n"
                            "        %b = neg (%a)\n"
                            "        return %b\n"
                            "    } do () {\n"
                            "        return %x\n"
                            "    }\n"
                            "    %j = add (%i, %i)\n"
                            "    %unused = neg (%x)\n"
                            "    return %y, %half, %j\n"
                            "}\n");
    struct capture c;
    graph_count_uses(g);
    capture_init(&c, &arena, g, 1);
    static const char *const names[] = {"x", "half", "y"};
    assert_int_equal(c.profile.n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(c.profile.tensor[i].name, names[i]);
        assert_string_equal(c.value[i]->name, names[i]);
        assert_int_equal(c.profile.tensor[i].histogram->count, 0);
    }
    assert_int_equal(c.n_inner, 2);
}

/* A graph with one input of this form, captured. */
static struct capture capture_of(enum dtype dtype, const struct layout *layout, int rank,
                                 const int64_t *dims)
{
    struct graph *g = graph_create(&arena, "g");
    struct value *v = graph_add_input(g, "x", dtype, rank, dims);
    v->layout = *layout;
    block_add_output(g, &g->body, v);
    struct capture c;
    graph_count_uses(g);
    capture_init(&c, &arena, g, 1);
    return c;
}

/* Elements 1, 2, .., n at their places, NaN between them. */
static float *storage_of(const struct layout *l, int rank, const int64_t *dims)
{
    int64_t n = layout_elems(l, dims), idx[MAX_RANK] = {0}, elems = 1;
    float *data = arena_array(&arena, (size_t)n, sizeof *data);
    for (int64_t i = 0; i < n; i++)
        data[i] = NAN;
    for (int d = 0; d < rank; d++)
        elems *= dims[d];
    for (int64_t i = 0; i < elems; i++) {
        data[layout_offset(l, dims, idx)] = (float)(i + 1);
        for (int d = rank - 1; d >= 0 && ++idx[d] == dims[d]; d--)
            idx[d] = 0;
    }
    return data;
}

/* Of the only tensor. */
static bool add(struct capture *c, const void *data, const int64_t *dims)
{
    struct capture_data from = {.data = data};
    if (dims)
        memcpy(from.dims, dims, (size_t)c->value[0]->shape.rank * sizeof *dims);
    return capture_add(c, &from, "cat.png", &err);
}

/* Each of 1, 2, .., n once, up to 1023 a bin by itself. */
static void expect_counted(const struct capture *c, int64_t n)
{
    const struct histogram *h = c->profile.tensor[0].histogram;
    assert_int_equal(h->count, n);
    assert_true(h->min == 1 && h->max == (float)n);
    assert_true(n < HISTOGRAM_SIDE);
    struct histogram wide = *h;
    histogram_widen(&wide, 0);
    for (int64_t i = 0; i < HISTOGRAM_SIDE; i++)
        assert_int_equal(wide.bin[HISTOGRAM_SIDE + i], i >= 1 && i <= n);
}

static void test_layouts(void **state)
{
    (void)state;
    static const struct {
        const char *layout;
        int rank;
        int64_t dims[4];
    } cases[] = {
        {"plain", 4, {2, 3, 4, 5}},    {"acdb", 4, {2, 3, 4, 5}},
        {"abcd16b", 4, {2, 19, 3, 5}}, {"abcd16b", 4, {1, 32, 3, 5}},
        {"abcd8b", 4, {3, 1, 1, 1}},   {"ab4b", 2, {3, 7}},
        {"ba4a", 2, {3, 7}},           {"abcd4b2a2b", 4, {3, 9, 2, 2}},
        {"abcd2d3b", 4, {2, 5, 3, 7}}, {"a4a", 1, {6}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct layout l;
        const int64_t *dims = cases[i].dims;
        int64_t n = 1;
        assert_true(layout_parse(cases[i].layout, cases[i].rank, &l, &err));
        struct capture c = capture_of(DTYPE_F32, &l, cases[i].rank, dims);
        for (int d = 0; d < cases[i].rank; d++)
            n *= dims[d];
        if (!add(&c, storage_of(&l, cases[i].rank, dims), dims))
            fail_msg("%s: %s", cases[i].layout, err.text);
        expect_counted(&c, n);
    }
}

/* Other floats, a scalar, extents that are smaller this time, none at all. */
static void test_types_and_extents(void **state)
{
    (void)state;
    struct layout plain = layout_plain(2), scalar = layout_plain(0), blocked;
    int64_t dims[2] = {2, 3}, fewer[2] = {1, 2}, none[2] = {0, 3};
    struct capture c = capture_of(DTYPE_F64, &plain, 2, dims);
    assert_true(add(&c, (double[]){1, 2, 3, 4, 5, 6}, dims));
    expect_counted(&c, 6);

    assert_true(layout_parse("ab4b", 2, &blocked, &err));
    c = capture_of(DTYPE_F16, &blocked, 2, dims);
    uint16_t halves[8] = {0, 0, 0, 0x7e00, 0, 0, 0, 0x7e00}; /* NaN in the padding */
    for (int i = 0; i < 6; i++)
        halves[i / 3 * 4 + i % 3] = dtype_f32_to_f16((float)(i + 1));
    assert_true(add(&c, halves, dims));
    expect_counted(&c, 6);

    c = capture_of(DTYPE_F32, &plain, 2, dims);
    assert_true(add(&c, (float[]){1, 2, NAN, NAN, NAN, NAN}, fewer));
    assert_true(add(&c, (float[]){NAN}, none));
    expect_counted(&c, 2);

    c = capture_of(DTYPE_F32, &scalar, 0, NULL);
    assert_true(add(&c, (float[]){1}, NULL));
    expect_counted(&c, 1);
    c = capture_of(DTYPE_F64, &scalar, 0, NULL);
    assert_true(add(&c, (double[]){1}, NULL));
    expect_counted(&c, 1);
}

/* As many tensors as it takes, each counted by whichever thread comes first; the first that is not
   finite is named. */
static void test_threads(void **state)
{
    (void)state;
    enum { TENSORS = 200, ELEMS = 500 };
    static float x[TENSORS][ELEMS];
    struct capture_data data[TENSORS];
    int64_t dims[1] = {ELEMS};
    struct graph *g = graph_create(&arena, "g");
    for (int i = 0; i < TENSORS; i++) {
        struct value *v = graph_add_input(g, support_printf("t%d", i), DTYPE_F32, 1, dims);
        block_add_output(g, &g->body, v);
        data[i] = (struct capture_data){.data = x[i], .dims = {ELEMS}};
    }
    struct capture c, one;
    graph_count_uses(g);
    capture_init(&c, &arena, g, 5);
    capture_init(&one, &arena, g, 1);
    for (int run = 0; run < 20; run++) {
        random_fill(DTYPE_F32, (int64_t)TENSORS * ELEMS, (uint64_t)run, x);
        assert_true(capture_add(&c, data, "s", &err) && capture_add(&one, data, "s", &err));
    }
    for (int i = 0; i < TENSORS; i++)
        assert_memory_equal(c.profile.tensor[i].histogram, one.profile.tensor[i].histogram,
                            sizeof(struct histogram));
    x[150][3] = x[77][499] = x[78][0] = INFINITY;
    assert_false(capture_add(&c, data, "s", &err));
    assert_non_null(strstr(err.text, "s: tensor 't77' holds infinity there"));
}

static void test_not_finite(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *sentence;
    } cases[] = {
        {NAN, "cat.png: tensor 'x' holds NaN there, and a profile counts finite numbers only"},
        {INFINITY,
         "cat.png: tensor 'x' holds infinity there, and a profile counts finite numbers only"},
        {-INFINITY,
         "cat.png: tensor 'x' holds -infinity there, and a profile counts finite numbers only"},
        {1e39,
         "cat.png: tensor 'x' holds infinity there, and a profile counts finite numbers only"},
    };
    struct layout plain = layout_plain(1);
    int64_t dims[1] = {3};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct capture c = capture_of(DTYPE_F64, &plain, 1, dims);
        error_init(&err);
        assert_false(add(&c, (double[]){1, 2, cases[i].v}, dims));
        assert_string_equal(err.text, cases[i].sentence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tensors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_layouts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_types_and_extents, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_finite, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
