/*
 * DFT and STFT of lengths that are taken apart, compiled, against sums in long double.
 */
#include <math.h>

#include "tests/loader/import_run.h"
#include "tests/support/compiled.h"

enum { ONNX_F64 = 11 };

static const long double two_pi = 6.283185307179586476925286766559005768L;

struct dft_case {
    int64_t rows, used, length; /* of a signal of `used` elements */
    int parts;
    bool inverse, onesided;
};

static double signal_at(int64_t i)
{
    return (double)((i * 7919 + 13) % 1009) / 1009 - 0.5;
}

/* Element i of a row's spectrum or signal; of a half the rest mirrored. */
static void element(const struct dft_case *c, const double *x, int64_t i, double *out)
{
    bool mirror = c->inverse && c->onesided && i > c->length / 2;
    int64_t from = mirror ? c->length - i : i;
    for (int p = 0; p < 2; p++)
        out[p] = from < c->used && p < c->parts ? x[from * c->parts + p] : 0;
    out[1] = mirror ? -out[1] : out[1];
}

static void bin(const struct dft_case *c, const double *x, int64_t k, double *out)
{
    long double sum[2] = {0, 0}, sign = c->inverse ? 1 : -1;
    for (int64_t i = 0; i < c->length; i++) {
        double v[2];
        element(c, x, i, v);
        long double angle = two_pi * (long double)(i * k % c->length) / (long double)c->length;
        long double re = cosl(angle), im = sign * sinl(angle);
        sum[0] += (long double)v[0] * re - (long double)v[1] * im;
        sum[1] += (long double)v[0] * im + (long double)v[1] * re;
    }
    for (int p = 0; p < 2; p++)
        out[p] = (double)(c->inverse ? sum[p] / (long double)c->length : sum[p]);
}

/* The imported graph, compiled; its input filled. */
static double *run_graph(struct compiled *c, const struct graph *g)
{
    if (!g)
        fail_msg("%s", err.text);
    memset(c, 0, sizeof *c);
    arena_init(&c->arena);
    struct graph *own = graph_parse(&c->arena, text_of(g), &err);
    if (!own || !compiled_open_graph(c, own, "native", true, false, &err))
        fail_msg("%s", err.text);
    int in = program_find_value(c->program, c->graph->body.in[0]);
    double *x = pipeline_run_input(&c->run, in);
    for (int64_t i = 0; i < shape_elems(&c->graph->body.in[0]->shape); i++)
        x[i] = signal_at(i);
    assert_true(pipeline_run_once(&c->run, &err));
    return x;
}

/* No constant is the matrix of the whole. */
static void check_apart(const struct graph *g, int64_t length)
{
    for (size_t i = 0; g && i < g->n_values; i++)
        if (g->values[i]->constant)
            assert_true(tensor_elems(g->values[i]->constant) < length * length / 8);
}

static void transforms_are_taken_apart(void **state)
{
    (void)state;
    static const struct dft_case cases[] = {
        {2, 1024, 1024, 2, false, false}, {1, 1536, 1536, 1, false, true},
        {3, 1200, 1200, 2, true, false},  {1, 513, 1024, 2, true, true},
        {1, 700, 1000, 1, false, false},  {1, 300, 1250, 2, true, true},
        {1, 2022, 2022, 1, false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct dft_case *c = &cases[i];
        struct onnx_model m;
        struct compiled net;
        error_init(&err);
        onnx_begin(&m, &arena, 17);
        onnx_input(&m.graph, "x", ONNX_F64,
                   support_printf("%d,%d,%d", (int)c->rows, (int)c->used, c->parts));
        onnx_ints(&m.graph, "n", "", support_printf("%d", (int)c->length));
        onnx_node(&m.graph, "DFT", "x,n", "y",
                  support_printf("axis=1 inverse=%d onesided=%d", c->inverse, c->onesided));
        onnx_output(&m.graph, "y", ONNX_F64, NULL);
        const struct graph *g = import_onnx(&m);
        check_apart(g, c->length);
        const double *x = run_graph(&net, g), *y = compiled_output(&net, 0);
        int out_parts = c->inverse && c->onesided ? 1 : 2;
        int64_t bins = c->onesided && !c->inverse ? c->length / 2 + 1 : c->length;
        for (int64_t r = 0; r < c->rows; r++)
            for (int64_t k = r; k < bins; k += 7) {
                double want[2];
                bin(c, x + r * c->used * c->parts, k, want);
                for (int p = 0; p < out_parts; p++)
                    if (!(fabs(y[(r * bins + k) * out_parts + p] - want[p]) < 1e-11))
                        fail_msg("case %zu, bin %d", i, (int)k);
            }
        compiled_close(&net);
    }
}

/* Frames that overlap, by blocks that divide their length and step. */
static void frames_become_rows(void **state)
{
    (void)state;
    enum { SIGNAL = 3000, LENGTH = 1024, STEP = 384, FRAMES = (SIGNAL - LENGTH) / STEP + 1 };
    struct onnx_model m;
    struct compiled net;
    onnx_begin(&m, &arena, 17);
    onnx_input(&m.graph, "x", ONNX_F64, "1,3000,1");
    onnx_ints(&m.graph, "step", "", "384");
    onnx_ints(&m.graph, "n", "", "1024");
    onnx_node(&m.graph, "STFT", "x,step,,n", "y", "");
    onnx_output(&m.graph, "y", ONNX_F64, NULL);
    const struct graph *g = import_onnx(&m);
    check_apart(g, LENGTH);
    const double *x = run_graph(&net, g), *y = compiled_output(&net, 0);
    const struct dft_case c = {1, LENGTH, LENGTH, 1, false, true};
    for (int64_t f = 0; f < FRAMES; f++)
        for (int64_t k = f; k <= LENGTH / 2; k += 13) {
            double want[2];
            bin(&c, x + f * STEP, k, want);
            for (int p = 0; p < 2; p++)
                assert_true(fabs(y[(f * (LENGTH / 2 + 1) + k) * 2 + p] - want[p]) < 1e-11);
        }
    compiled_close(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(transforms_are_taken_apart, setup_import, teardown),
        cmocka_unit_test_setup_teardown(frames_become_rows, setup_import, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
