/*
 * What quantization does to a network: noise, whom it is blamed on, the report, and
 * -quantize-until.
 */
#define _XOPEN_SOURCE 700
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "loader/quantize_report.h"
#include "tests/support/fixture.h"
#include "tests/support/support.h"

/* ---- blame, on figures made up ---- */

/* %inner lies inside of a kernel: the quantized network does not have it. */
static const char network[] = "graph \"g\" {\n"
                              "    input %x f32 [1,2,4,4]\n"
                              "    const %w f32 [2,2,1,1] = fill 0.5\n"
                              "    %a = conv (%x, %w)\n"
                              "    %inner = conv (%a, %w)\n"
                              "    %b = add (%inner, %x)\n"
                              "    %c = relu (%b)\n"
                              "    %d = sigmoid (%a)\n"
                              "    %y = add (%c, %d)\n"
                              "    return %y\n"
                              "}\n";

static struct quantize_errors figures(void)
{
    static const struct {
        const char *name;
        double signal, noise;
    } rows[] = {{"x", 100, 0},  {"a", 200, 2},   {"b", 100, 4},
                {"c", 50, 0.5}, {"d", 10, 0.01}, {"y", 40, 0.8}};
    struct graph *g = graph_parse(&arena, network, &err);
    assert_non_null(g);
    assert_true(graph_infer(g, &err));
    struct quantize_errors e = {.arena = &arena, .graph = g, .n_samples = 3};
    e.tensor = arena_array(&arena, 6, sizeof *e.tensor);
    for (; e.n < 6; e.n++)
        e.tensor[e.n] = (struct tensor_error){
            .name = rows[e.n].name,
            .signal = rows[e.n].signal,
            .noise = rows[e.n].noise,
            .node = graph_find_value(g, rows[e.n].name)->producer,
        };
    return e;
}

static void assert_near(double got, double want)
{
    if (fabs(got - want) > 1e-12)
        fail_msg("%.17g, not %.17g", got, want);
}

static void test_decibel(void **state)
{
    (void)state;
    assert_near(quantize_error_db(0.001), 30);
    assert_near(quantize_error_db(10), -10);
    assert_true(isinf(quantize_error_db(0)) && quantize_error_db(0) > 0);
    struct tensor_error none = {.signal = 0, .noise = 0}, lost = {.signal = 0, .noise = 1};
    assert_near(quantize_error_ratio(&none), 0);
    assert_true(isinf(quantize_error_ratio(&lost)));
}

static void test_blame(void **state)
{
    (void)state;
    struct quantize_errors e = figures();
    quantize_errors_blame(&e);
    /* 0, 2/200 from 0, 4/100 through %inner from 1/100, 0.01 from 0.04, 0.001 from 0.01, 0.02 from
       0.01. */
    static const double own[] = {0, 0.01, 0.03, 0, 0, 0.01};
    for (size_t i = 0; i < e.n; i++)
        assert_near(e.tensor[i].own, own[i]);
    const struct tensor_error **ranked = quantize_report_ranked(&arena, &e);
    /* %a and %y add as much, so that rounding decides which comes first. */
    static const char *const order[] = {"b", NULL, NULL, "c", "d", "x"};
    for (size_t i = 0; i < e.n; i++)
        if (order[i])
            assert_string_equal(ranked[i]->name, order[i]);
}

/* A tensor that came out as nothing but noise is the worst of all, and does not hide others. */
static void test_blame_without_signal(void **state)
{
    (void)state;
    struct quantize_errors e = figures();
    e.tensor[1].signal = 0;
    quantize_errors_blame(&e);
    assert_true(isinf(e.tensor[1].own));
    assert_near(e.tensor[2].own, 0); /* its input explains all */
    assert_string_equal(quantize_report_ranked(&arena, &e)[0]->name, "a");
}

static void add_name(const struct node *n, void *arg)
{
    strbuf_printf(arg, "%s ", n->out[0]->name);
}

static void test_nodes_in_one(void **state)
{
    (void)state;
    struct quantize_errors e = figures();
    struct strbuf names;
    strbuf_init(&names, &arena);
    for (size_t i = 0; i < e.n; i++) {
        quantize_errors_nodes(&e, &e.tensor[i], add_name, &names);
        strbuf_add(&names, "| ");
    }
    assert_string_equal(names.text, "| a | b inner | c | d | y | ");
}

static void test_text(void **state)
{
    (void)state;
    struct quantize_errors e = figures();
    e.tensor[5].noise = 0.4; /* so that no two are equal */
    quantize_errors_blame(&e);
    struct quantize_note notes[] = {
        {.node = "conv_a", .op = OP_conv, .quantized = true},
        {.node = "sigmoid_d", .op = OP_sigmoid, .reason = "because"},
    };
    struct quantize_report report = {.note = notes, .n = 2};
    struct strbuf text;
    strbuf_init(&text, &arena);
    quantize_report_print(&text, &e, &report);
    assert_string_equal(text.text,
                        "Quantized: 1 of 2 nodes. Runs compared: 3.\n"
                        "SQNR of each tensor against the float network, in dB, and what it would "
                        "be if its node alone\nwere quantized; the most damaging node first.\n\n"
                        "   alone    SQNR  tensor\n"
                        "    15.2    14.0  b (add)\n"
                        "    20.0    20.0  a (conv)\n"
                        "       -    20.0  c (relu)\n"
                        "       -    20.0  y (add)\n"
                        "       -    30.0  d (sigmoid)\n"
                        "       -       -  x\n"
                        "\nIn float:\n"
                        "  sigmoid 'sigmoid_d': because\n");
    report.n = 1;
    strbuf_init(&text, &arena);
    quantize_report_print(&text, &e, &report);
    assert_non_null(strstr(text.text, "\nNo node computes in float.\n"));
}

/* ---- the tool, on the example's network ---- */

/* `want` -1: whatever exit code. */
static char *run_tool(const char *arguments, int want)
{
    char *text;
    int status =
        support_run(support_printf("loader=$(realpath '%s'); tmp=$(realpath '%s'); cd "
                                   "'%s/examples/compile_resnet50' && \"$loader\" -m resnet50 "
                                   "-image_mode=0to1 %s",
                                   support_loader(), support_tmp(), support_source(), arguments),
                    &text);
    if (want >= 0 && status != want)
        fail_msg("exit code %d, not %d, of %s\n%s", status, want, arguments, text);
    return text;
}

static void need_profile(void)
{
    if (support_quick())
        skip();
    free(run_tool("images/[0-9]*.png -dump-profile=$tmp/p.yml", 0));
}

/* The figure in front of a tensor's line. */
static double figure(const char *report, const char *tensor, int column)
{
    const char *at = strstr(report, support_printf("  %s (", tensor));
    if (!at)
        fail_msg("no line for %s in\n%s", tensor, report);
    while (at[-1] != '\n')
        at--;
    double alone, sqnr;
    if (sscanf(at, "%lf %lf", &alone, &sqnr) != 2)
        fail_msg("no figures for %s in\n%s", tensor, report);
    return column ? sqnr : alone;
}

static void test_report(void **state)
{
    (void)state;
    need_profile();
    char *text = run_tool("images/0[0-3]*.png -load-profile=$tmp/p.yml -quantization-report=-", 0);
    assert_non_null(strstr(text, "Runs compared: 4.\n"));
    double int8 = figure(text, "gpu_0/res_conv1_bn", 1);
    assert_true(int8 > 20 && int8 < 60);
    assert_non_null(strstr(text, " File: images/03_triangle.png\tLabel-K1: 3 "));
    /* Sorted by the first column. */
    double last = -INFINITY, alone;
    int n = 0;
    for (const char *line = strstr(text, "tensor\n") + 7; sscanf(line, " %lf", &alone) == 1; n++) {
        assert_true(alone >= last);
        last = alone;
        line = strchr(line, '\n') + 1;
    }
    assert_true(n > 10);
    free(text);

    free(run_tool("images/0[0-3]*.png -load-profile=$tmp/p.yml -quantization-precision=Int16 "
                  "-emit-bundle=$tmp/b -quantization-report=$tmp/report.txt",
                  0));
    text = support_read_file(support_printf("%s/report.txt", support_tmp()), NULL);
    assert_non_null(text);
    assert_true(figure(text, "gpu_0/res_conv1_bn", 1) > int8 + 30);
    free(text);
    text = support_read_file(support_printf("%s/b/resnet50.o", support_tmp()), NULL);
    assert_non_null(text);
    free(text);
}

/* The last number in front of `words`. */
static double number_before(const char *text, const char *words)
{
    const char *at = NULL;
    for (const char *next = text; (next = strstr(next, words)); next++)
        at = next;
    if (!at)
        fail_msg("no '%s' in\n%s", words, text);
    while (at > text && at[-1] != ' ')
        at--;
    return atof(at);
}

static const char labels[] = "-expected-labels=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15";

/* With a twentieth of the values of each tensor cut off some labels are lost.  What the search says
   is what the option that it prints leads to. */
static void test_until(void **state)
{
    (void)state;
    need_profile();
    const char *cut = "images/[01]*.png -load-profile=$tmp/p.yml -quantization-calibration="
                      "percentile -quantization-percentile=95";
    char *text = run_tool(support_printf("%s %s -quantize-until=100", cut, labels), -1);
    double before = number_before(text, " points lost");
    assert_true(before > 6);
    assert_non_null(strstr(text, "No node has to stay in float.\n"));
    free(text);

    text = run_tool(
        support_printf("%s %s -quantize-until=%g -emit-bundle=$tmp/u", cut, labels, before - 1), 0);
    assert_true(number_before(text, " points lost") <= before - 1);
    assert_non_null(strstr(text, "Kept in float: "));
    assert_non_null(strstr(text, " (kept by -quantize-until)"));
    int right = (int)number_before(text, " of 16 right, ");
    const char *option = strstr(text, "-keep-original-precision-for-nodes=");
    assert_non_null(option);
    const char *kept = support_printf("%.*s", (int)strcspn(option, "\n"), option);
    free(text);
    text = run_tool(support_printf("%s %s %s", cut, labels, kept), 16 - right);
    assert_non_null(strstr(text, support_printf("Mismatches: %d of 16", 16 - right)));
    free(text);
}

static void test_unreachable(void **state)
{
    (void)state;
    need_profile();
    /* Wrong labels are no loss against the float network, which has them too. */
    free(run_tool("images/0[01]*.png -load-profile=$tmp/p.yml -expected-labels=0,4 "
                  "-quantize-until=0",
                  1));
    char *text = run_tool("images/0[01]*.png -load-profile=$tmp/p.yml -expected-labels=3,4 "
                          "-quantize-until=0",
                          1);
    assert_non_null(strstr(text, "the float network gives none of the 2 items its right label"));
    free(text);
    /* Said before anything is run. */
    text = run_tool("images/0[01]*.png -load-profile=$tmp/p.yml -expected-labels=0,16 "
                    "-quantize-until=0",
                    1);
    assert_null(strstr(text, "In float:"));
    assert_non_null(strstr(text, "label 2 is 16, but output 'gpu_0/softmax' has 16 classes"));
    free(text);
    text = run_tool(
        support_printf("images/[01]*.png -load-profile=$tmp/p.yml %s -quantize-until=0 "
                       "-keep-original-precision-for-nodes=Conv,FC,Relu,Sum,AveragePool,MaxPool "
                       "-emit-bundle=$tmp/none",
                       labels),
        1);
    assert_non_null(strstr(text, "-quantize-until=0: more is lost as long as any node"));
    free(text);
    assert_null(support_read_file(support_printf("%s/none/resnet50.o", support_tmp()), NULL));
}

/* Said before anything is measured; the report does not stay without the bundle. */
static void test_unwritable(void **state)
{
    (void)state;
    need_profile();
    static const struct {
        const char *arguments, *says;
    } cases[] = {
        {"-quantization-report=$tmp/r.txt -emit-bundle=$tmp/no/b", "no/b: cannot make the folder"},
        {"-quantization-report=$tmp/no/r.txt -emit-bundle=$tmp/b2", "no/r.txt: cannot write"},
        {"-expected-labels=0,1 -quantize-until=0 -emit-bundle=$tmp/p.yml", "p.yml: a folder is"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = run_tool(
            support_printf("images/0[01]*.png -load-profile=$tmp/p.yml %s", cases[i].arguments), 1);
        if (!strstr(text, cases[i].says) || strchr(text, '\n') != text + strlen(text) - 1)
            fail_msg("%s: %s", cases[i].arguments, text);
        free(text);
    }
    assert_null(support_read_file(support_printf("%s/r.txt", support_tmp()), NULL));
    assert_int_equal(support_run(support_printf("test ! -e '%s/b2'", support_tmp()), NULL), 0);
}

static void test_faults(void **state)
{
    (void)state;
    support_write_file(support_printf("%s/short.txt", support_tmp()), "0\n", 2);
    support_write_file(support_printf("%s/word.txt", support_tmp()), "0\ncat\n", 6);
    support_write_file(support_printf("%s/other.txt", support_tmp()), "0\n02_square.png 2\n", 18);
    support_write_file(support_printf("%s/blank.txt", support_tmp()), "\n1\n", 3);
    support_write_file(support_printf("%s/none.txt", support_tmp()), "\n\n", 2);
    static const struct {
        const char *arguments, *says;
    } cases[] = {
        {"-quantization-report=-", "option -quantization-report needs -load-profile"},
        {"-quantize-until=1", "option -quantize-until needs -load-profile"},
        {"-load-profile=p -quantize-until=1", "needs -expected-labels"},
        {"-load-profile=p -expected-labels=0,1 -quantize-until=-1", "must lie in 0 to 100"},
        {"-load-profile=p -expected-labels=0,1 -quantize-until=nan", "quantize-until"},
        {"-expected-labels=0,1 -expected-labels-file=l", "exclude each other"},
        {"-expected-labels-file=$tmp/absent.txt", "absent.txt"},
        {"-expected-labels-file=$tmp/short.txt", "has 1 label for 2 items"},
        {"-expected-labels-file=$tmp/word.txt", "word.txt, line 2: 'cat' is no label"},
        {"-expected-labels-file=$tmp/other.txt", "that of '02_square.png', but item 2"},
        {"-expected-labels-file=$tmp/blank.txt", "blank.txt, line 1: '' is no label"},
        {"-input-image-list-file=$tmp/none.txt", "none.txt: the list names no file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = run_tool(support_printf("images/0[01]*.png %s", cases[i].arguments), 1);
        if (!strstr(text, cases[i].says) || strchr(text, '\n') != text + strlen(text) - 1)
            fail_msg("%s: %s", cases[i].arguments, text);
        free(text);
    }
}

static void test_labels_file(void **state)
{
    (void)state;
    if (support_quick())
        skip();
    static const char right[] = "images/00_disc.png 0\n01_ring.png 1\n\n",
                      wrong[] = "0\n01_ring.png 2\n";
    support_write_file(support_printf("%s/right.txt", support_tmp()), right, sizeof right - 1);
    support_write_file(support_printf("%s/wrong.txt", support_tmp()), wrong, sizeof wrong - 1);
    free(run_tool("images/0[01]*.png -expected-labels-file=$tmp/right.txt", 0));
    free(run_tool("images/0[01]*.png -expected-labels-file=$tmp/wrong.txt", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_decibel, setup, teardown),
        cmocka_unit_test_setup_teardown(test_blame, setup, teardown),
        cmocka_unit_test_setup_teardown(test_blame_without_signal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nodes_in_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text, setup, teardown),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_until),
        cmocka_unit_test(test_unwritable),
        cmocka_unit_test(test_unreachable),
        cmocka_unit_test(test_labels_file),
        cmocka_unit_test(test_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
