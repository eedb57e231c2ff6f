/*
 * What lower_quantized promises beyond the text of graphs
 * (tests/ir/passes/lower_quantized_*.graph): kernels between the first QuantizeLinear and the last
 * DequantizeLinear hold no float, and one node alone differs by one step at most from what ONNX
 * states, whatever the scales.
 */
#include <math.h>
#include <stdlib.h>

#include "ir/eval.h"
#include "ir/passes/passes.h"
#include "ir/program.h"
#include "ir/quantize/report.h"
#include "tests/support/fixture.h"
#include "tests/support/random.h"
#include "tests/support/support.h"

static const struct target bytes_target = {.name = "bytes", .unsigned_bytes = true};

static struct graph *lowered(const char *text, enum qdq_mode mode)
{
    struct graph *g = graph_parse(&arena, text, &err);
    struct pass_options opt = {.target = &bytes_target, .qdq = mode};
    if (!g || !graph_infer(g, &err) || !passes_run(g, &opt, &err))
        fail_msg("%s", err.text);
    return g;
}

/* ---- floats in kernels ---- */

static const char network[] =
    "graph \"net\" {\n"
    "  input %x f32 [1,3,8,8]\n"
    "  const %s f32 [] = {0.02}\n"
    "  const %z u8 [] = {99}\n"
    "  const %t f32 [] = {0.05}\n"
    "  const %w i8 [8,3,3,3] = fill 3\n"
    "  const %v i8 [8,8,3,3] = fill -2\n"
    "  const %d i8 [8,1,3,3] = fill 5\n"
    "  const %k i8 [32,5] = fill 7\n"
    "  const %b f32 [8] = fill 0.25\n"
    "  const %six f32 [] = {6}\n"
    "  const %nil f32 [] = {0}\n"
    "  %xq = quantize_linear (%x, %s, %z)\n"
    "  %xd = dequantize_linear (%xq, %s, %z)\n"
    "  %wd = dequantize_linear (%w, %s)\n"
    "  %vd = dequantize_linear (%v, %s)\n"
    "  %dd = dequantize_linear (%d, %s)\n"
    "  %kd = dequantize_linear (%k, %s)\n"
    "  %c1 = conv (%xd, %wd, %b) {pads=[1,1,1,1]}\n"
    "  %r1 = relu (%c1)\n"
    "  %q1 = quantize_linear (%r1, %t, %z)\n"
    "  %d1 = dequantize_linear (%q1, %t, %z)\n"
    "  %c2 = conv (%d1, %dd, %b) {group=8, pads=[1,1,1,1]}\n"
    "  %r2 = clip (%c2, %nil, %six)\n"
    "  %q2 = quantize_linear (%r2, %t, %z)\n"
    "  %d2 = dequantize_linear (%q2, %t, %z)\n"
    "  %c3 = conv (%d2, %vd) {pads=[1,1,1,1]}\n"
    "  %a3 = add (%c3, %d1)\n"
    "  %r3 = relu (%a3)\n"
    "  %q3 = quantize_linear (%r3, %t, %z)\n"
    "  %d3 = dequantize_linear (%q3, %t, %z)\n"
    "  %g4 = sigmoid (%d3)\n"
    "  %m4 = mul (%d3, %g4)\n"
    "  %q4 = quantize_linear (%m4, %s, %z)\n"
    "  %d4 = dequantize_linear (%q4, %s, %z)\n"
    "  %p5 = max_pool (%d4) {kernel_shape=[2,2], strides=[2,2]}\n"
    "  %p6 = average_pool (%d3) {kernel_shape=[2,2], strides=[2,2]}\n"
    "  %j7 = concat (%p5, %p6) {axis=1}\n"
    "  %q7 = quantize_linear (%j7, %t, %z)\n"
    "  %d7 = dequantize_linear (%q7, %t, %z)\n"
    "  %h8 = average_pool (%d7) {kernel_shape=[3,3], strides=[3,3], pads=[1,1,1,1],"
    " count_include_pad=1}\n"
    "  %q8 = quantize_linear (%h8, %t, %z)\n"
    "  %d8 = dequantize_linear (%q8, %t, %z)\n"
    "  %g9 = global_average_pool (%d8)\n"
    "  %f9 = flatten (%g9)\n"
    "  %j9 = concat (%f9, %f9) {axis=1}\n"
    "  %q9 = quantize_linear (%j9, %t, %z)\n"
    "  %d9 = dequantize_linear (%q9, %t, %z)\n"
    "  %m9 = matmul (%d9, %kd)\n"
    "  %qy = quantize_linear (%m9, %t, %z)\n"
    "  %y = dequantize_linear (%qy, %t, %z)\n"
    "  return %y\n"
    "}\n";

static bool is_no_float(const struct kernel *k, kval v, void *arg)
{
    (void)arg;
    enum dtype t = kernel_inst(k, v)->type;
    return t == DTYPE_NONE || !dtype_is_float(t);
}

struct float_count {
    int kernels, with_float_buffers, with_floats;
};

static void count_floats(struct step *s, void *arg)
{
    struct float_count *c = arg;
    bool buffers = false;
    for (size_t i = 0; i < s->kernel->n_bufs; i++)
        buffers |= dtype_is_float(s->kernel->bufs[i].dtype);
    bool floats = !kernel_walk(s->kernel, is_no_float, NULL);
    if (floats)
        print_message("floats: %s\n", s->name);
    c->kernels++;
    c->with_float_buffers += buffers;
    c->with_floats += floats;
}

static struct float_count floats_of(enum qdq_mode mode)
{
    struct program *p = program_build(&arena, lowered(network, mode), &err);
    struct float_count c = {0};
    assert_non_null(p);
    program_each_step(&p->body, count_floats, &c);
    return c;
}

static void test_integer_kernels_have_no_floats(void **state)
{
    (void)state;
    struct float_count fused = floats_of(QDQ_FUSED), strict = floats_of(QDQ_STRICT);
    /* The QuantizeLinear of the input, the DequantizeLinear of the output. */
    assert_int_equal(fused.with_float_buffers, 2);
    assert_int_equal(fused.with_floats, 2);
    assert_true(fused.kernels > 8);
    assert_true(strict.with_floats > 5);
}

/* ---- one node, any scales ---- */

static double uniform(uint64_t *seed)
{
    return random_next(seed) * 0x1p-31;
}

static double random_scale(uint64_t *seed)
{
    return exp2(uniform(seed) * 12 - 10) * (1 + uniform(seed));
}

static void run(struct graph *g, const void *in, size_t in_bytes, int64_t *out, size_t n_out)
{
    struct program *p = program_build(&arena, g, &err);
    if (!p)
        fail_msg("%s", err.text);
    plan_program(p, false);
    uint8_t *area[AREA_COUNT];
    for (int a = 0; a < AREA_COUNT; a++)
        area[a] = arena_alloc(&arena, (size_t)p->area_bytes[a]);
    const uint8_t *constants = program_pack_constants(p, &arena);
    memcpy(area[AREA_CONSTANT], constants, (size_t)p->area_bytes[AREA_CONSTANT]);
    const struct pbuf *x = &p->bufs[program_find_value(p, g->body.in[0])];
    memcpy(area[x->area] + x->offset, in, in_bytes);
    eval_program(p, area[AREA_CONSTANT], area[AREA_MUTABLE], area[AREA_ACTIVATION],
                 &(struct eval_options){.blas = false});
    const struct pbuf *y = &p->bufs[program_find_value(p, g->body.out[0])];
    struct tensor t = {.dtype = y->dtype, .rank = y->rank, .data = area[y->area] + y->offset};
    memcpy(t.dims, y->dims, sizeof t.dims);
    for (size_t i = 0; i < n_out; i++)
        out[i] = tensor_get_int(&t, (int64_t)i);
}

enum { N_IN = 2 * 5 * 5, N_OUT = 3 * 5 * 5 };

/* A network of one computing node between quantized tensors; the fields are scales and zero
   points of x, of weights or second scale, and of y. */
static const char *const nodes[] = {
    "%c = conv (%xd, %wd, %b) {pads=[1,1,1,1]}",
    "%a = conv (%xd, %wd, %b) {pads=[1,1,1,1]}\n  %r = relu (%a)\n  %e = conv (%xd, %id)\n"
    "  %c = sub (%e, %r)",
    "%a = conv (%xd, %id)\n  %m = mul (%a, %k)\n  %c = add (%m, %h)",
    "%a = average_pool (%xd) {kernel_shape=[3,3], pads=[1,1,1,1], count_include_pad=1}\n"
    "  %l = conv (%a, %id)\n  %c = clip (%l, %lo, %hi)",
    "%c = conv (%xd, %wd, %huge) {pads=[1,1,1,1]}",
};

static const char *model(uint64_t *seed, const char *node)
{
    struct strbuf s;
    strbuf_init(&s, &arena);
    double sx = random_scale(seed), sw = random_scale(seed), sy = random_scale(seed) * 8;
    strbuf_printf(&s,
                  "graph \"one\" {\n  input %%x u8 [1,2,5,5]\n"
                  "  const %%sx f32 [] = {%.9g}\n  const %%sw f32 [3] = {%.9g, %.9g, %.9g}\n"
                  "  const %%sy f32 [] = {%.9g}\n  const %%zx u8 [] = {%d}\n"
                  "  const %%zy u8 [] = {%d}\n  const %%b f32 [3] = {%.9g, %.9g, %.9g}\n"
                  "  const %%huge f32 [3] = {1e10, -1e-3, 5}\n"
                  "  const %%k f32 [3,1,1] = {-0.5, 2, 0.1}\n  const %%h f32 [1] = {%.9g}\n"
                  "  const %%lo f32 [] = {%.9g}\n  const %%hi f32 [] = {%.9g}\n",
                  sx, sw, sw * uniform(seed) + 1e-3, sw * 3, sy, (int)(uniform(seed) * 256),
                  (int)(uniform(seed) * 256), sy * 9, -sy * 20, sy, sy * 3, -10 * sy, 30 * sy);
    strbuf_add(&s, "  const %w i8 [3,2,3,3] = {");
    for (int i = 0; i < 54; i++)
        strbuf_printf(&s, "%s%d", i ? ", " : "", (int)(uniform(seed) * 256) - 128);
    strbuf_add(&s, "}\n  const %i i8 [3,2,1,1] = {127, -128, 3, 0, 55, -90}\n"
                   "  %xd = dequantize_linear (%x, %sx, %zx)\n"
                   "  %wd = dequantize_linear (%w, %sw) {axis=0}\n"
                   "  %id = dequantize_linear (%i, %sx)\n  ");
    strbuf_add(&s, node);
    strbuf_add(&s, "\n  %y = quantize_linear (%c, %sy, %zy)\n  return %y\n}\n");
    return strbuf_text(&s);
}

static void test_one_node_is_one_step_off_at_most(void **state)
{
    (void)state;
    uint64_t seed = 7;
    int n_off = 0, n_all = 0;
    for (int i = 0; i < 200; i++) {
        const char *text = model(&seed, nodes[i % (int)(sizeof nodes / sizeof nodes[0])]);
        uint8_t x[N_IN];
        int64_t strict[N_OUT], fused[N_OUT];
        for (int k = 0; k < N_IN; k++)
            x[k] = (uint8_t)(uniform(&seed) * 256);
        run(lowered(text, QDQ_STRICT), x, N_IN, strict, N_OUT);
        run(lowered(text, QDQ_FUSED), x, N_IN, fused, N_OUT);
        for (int k = 0; k < N_OUT; k++) {
            if (llabs(strict[k] - fused[k]) > 1)
                fail_msg("element %d is %lld, in strict mode %lld:\n%s", k, (long long)fused[k],
                         (long long)strict[k], text);
            n_off += strict[k] != fused[k];
            n_all++;
        }
    }
    print_message("%d of %d elements are one step off\n", n_off, n_all);
    assert_true(n_off < n_all / 100);
}

/* ---- factors that lie far apart ---- */

/* A feature that hardly varies is divided by next to nothing; a channel without weights has any
   scale.  Both are beside factors that matter. */
static void check_far_apart(const char *text, const int16_t *x, size_t x_bytes, size_t n_out)
{
    int64_t strict[8], fused[8];
    run(lowered(text, QDQ_STRICT), x, x_bytes, strict, n_out);
    run(lowered(text, QDQ_FUSED), x, x_bytes, fused, n_out);
    for (size_t i = 0; i < n_out; i++)
        if (llabs(strict[i] - fused[i]) > 1)
            fail_msg("element %zu is %lld, in strict mode %lld:\n%s", i, (long long)fused[i],
                     (long long)strict[i], text);
}

static const char *far_apart(const char *format, int exponent)
{
    struct strbuf s;
    strbuf_init(&s, &arena);
    strbuf_printf(&s, format, exponent);
    return strbuf_text(&s);
}

static void test_far_apart_factors(void **state)
{
    (void)state;
    static const char feature[] = "graph \"feature\" {\n"
                                  "  input %%x i16 [1,4]\n"
                                  "  const %%sx f32 [] = {0.004}\n"
                                  "  const %%sy f32 [] = {0.03}\n"
                                  "  const %%zy i8 [] = {0}\n"
                                  "  const %%deviation f32 [4] = {1e-%d, 30, 25, 50}\n"
                                  "  %%xd = dequantize_linear (%%x, %%sx)\n"
                                  "  %%d = div (%%xd, %%deviation)\n"
                                  "  %%y = quantize_linear (%%d, %%sy, %%zy)\n"
                                  "  return %%y\n"
                                  "}\n";
    static const char channel[] = "graph \"channel\" {\n"
                                  "  input %%x i16 [1,4]\n"
                                  "  const %%w i16 [4,2] = {32767, 0, -777, 0, 9, 0, 12345, 0}\n"
                                  "  const %%sx f32 [] = {0.0002}\n"
                                  "  const %%sw f32 [2] = {1e-6, 1e%d}\n"
                                  "  const %%sy f32 [] = {0.00001}\n"
                                  "  const %%zy i16 [] = {0}\n"
                                  "  %%xd = dequantize_linear (%%x, %%sx)\n"
                                  "  %%wd = dequantize_linear (%%w, %%sw) {axis=1}\n"
                                  "  %%c = matmul (%%xd, %%wd)\n"
                                  "  %%y = quantize_linear (%%c, %%sy, %%zy)\n"
                                  "  return %%y\n"
                                  "}\n";
    static const int16_t x[] = {0, -20000, 12345, 32767}, y[] = {11234, -20000, 9, 77};
    for (int exponent = 0; exponent < 16; exponent++) {
        check_far_apart(far_apart(feature, exponent), x, sizeof x, 4);
        check_far_apart(far_apart(channel, exponent), y, sizeof y, 2);
    }
}

/* ---- the report ---- */

static const struct quantize_note *note_of(const struct quantize_report *r, const char *node)
{
    for (size_t i = 0; i < r->n; i++)
        if (!strcmp(r->note[i].node, node))
            return &r->note[i];
    fail_msg("the report has no '%s'", node);
    return NULL;
}

static const char reported[] = "graph \"net\" {\n"
                               "  input %x f32 [1,2,4,4]\n"
                               "  input %w f32 [2,2,1,1]\n"
                               "  input %u u8 [1,2,4,4]\n"
                               "  input %k u8 [1,120000]\n"
                               "  const %s f32 [] = {0.02}\n"
                               "  const %z u8 [] = {99}\n"
                               "  const %tiny f32 [] = {1e-9}\n"
                               "  const %two f32 [2] = {0.02, 0.03}\n"
                               "  const %zeros u8 [2] = {0, 0}\n"
                               "  const %v i8 [2,2,1,1] = {1, 2, 3, 4}\n"
                               "  const %b i32 [1,2] = {5, 6}\n"
                               "  const %flat i64 [1] = {2}\n"
                               "  const %long i8 [120000,1] = fill 127\n"
                               "  const %large f32 [] = {1e9}\n"
                               "  %n = exp (%x)\n"
                               "  %xq = quantize_linear (%n, %s, %z)\n"
                               "  %xd = dequantize_linear (%xq, %s, %z)\n"
                               "  %vd = dequantize_linear (%v, %s)\n"
                               "  %c = conv (%xd, %vd)\n"
                               "  %cq = quantize_linear (%c, %s, %z)\n"
                               "  %cd = dequantize_linear (%cq, %s, %z)\n"
                               "  %e = conv (%cd, %w)\n"
                               "  %p = average_pool (%cd) {kernel_shape=[3,3], pads=[1,1,1,1]}\n"
                               "  %q = softmax (%cd)\n"
                               "  %ud = dequantize_linear (%u, %two, %zeros) {axis=1}\n"
                               "  %channels = average_pool (%ud) {kernel_shape=[2,2]}\n"
                               "  %channelsq = quantize_linear (%channels, %s, %z)\n"
                               "  %kd = dequantize_linear (%k, %s, %z)\n"
                               "  %longd = dequantize_linear (%long, %s)\n"
                               "  %sums = matmul (%kd, %longd)\n"
                               "  %bd = dequantize_linear (%b, %two) {axis=1}\n"
                               "  %br = reshape (%bd, %flat)\n"
                               "  %bias = conv (%xd, %vd, %br)\n"
                               "  %biasq = quantize_linear (%bias, %s, %z)\n"
                               "  %f = div (%cd, %xd)\n"
                               "  %fq = quantize_linear (%f, %s, %z)\n"
                               "  %h = mul (%cd, %large)\n"
                               "  %j = sub (%h, %xd)\n"
                               "  %jq = quantize_linear (%j, %tiny, %z)\n"
                               "  %late = add (%cd, %xd)\n"
                               "  return %e, %p, %q, %channelsq, %sums, %biasq, %fq, %jq, %late\n"
                               "}\n";

static const char *const reported_in_float[][2] = {
    {"n", "not all that it reads is quantized"},
    {"e", "not all that it reads is quantized"},
    {"p", "its windows hold different numbers of elements"},
    {"q", "softmax has no integer form"},
    {"channels", "the data has more than one scale"},
    {"sums", "sums may not fit in 32 bits"},
    {"f", "both operands vary"},
    {"h", "factors of 31 bits are too coarse for its sums"},
    {"j", "factors of 31 bits are too coarse for its sums"},
    {"late", "its result is not quantized"},
};

static void test_report(void **state)
{
    (void)state;
    struct graph *g = graph_parse(&arena, reported, &err);
    struct quantize_report r;
    struct pass_options opt = {.report = &r};
    assert_true(passes_run_stage(g, PASSES_CLEAN, &opt, &err));
    assert_true(quantize_report_survey(g, &r));
    enum { IN_FLOAT = sizeof reported_in_float / sizeof reported_in_float[0] };
    assert_int_equal(r.n, IN_FLOAT + 2);
    assert_true(passes_run_stage(g, PASSES_LOWER, &opt, &err));
    assert_true(note_of(&r, "c")->quantized);
    assert_true(note_of(&r, "bias")->quantized);
    for (size_t i = 0; i < IN_FLOAT; i++) {
        const struct quantize_note *note = note_of(&r, reported_in_float[i][0]);
        if (note->quantized || strcmp(note->reason, reported_in_float[i][1]) != 0)
            fail_msg("'%s': %s", note->node, note->quantized ? "quantized" : note->reason);
    }
    struct graph *plain = graph_parse(&arena,
                                      "graph \"g\" {\n  input %x f32 [2]\n"
                                      "  %y = exp (%x)\n  return %y\n}\n",
                                      &err);
    assert_true(graph_infer(plain, &err));
    assert_false(quantize_report_survey(plain, &r));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_integer_kernels_have_no_floats),
        TEST(test_one_node_is_one_step_off_at_most),
        TEST(test_far_apart_factors),
        TEST(test_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
