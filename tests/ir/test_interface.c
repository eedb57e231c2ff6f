/*
 * What is around a network goes inside it: pixels, types and orders of inputs and outputs, state.
 * Text to text, and the numbers: the network with its interface gives what the plain one gives on
 * inputs that were converted outside.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ir/eval.h"
#include "ir/passes/items.h"
#include "ir/passes/passes.h"
#include "ir/program.h"
#include "tests/support/fixture.h"
#include "tests/support/support.h"

/* ---- running ---- */

struct run {
    struct graph *g;
    struct program *p;
    uint8_t *area[AREA_COUNT];
};

/* Weights are written as `fill`; here no two are equal, so that each has its place. */
static void vary_weights(struct graph *g)
{
    for (size_t i = 0; i < g->n_values; i++) {
        struct value *v = g->values[i];
        if (v->role != VALUE_CONST || v->shape.rank < 2 || shape_elems(&v->shape) < 4 ||
            tensor_get(v->constant, 0) != tensor_get(v->constant, 3))
            continue;
        struct tensor *t = tensor_new(&arena, v->dtype, v->shape.rank, v->shape.dims);
        for (int64_t k = 0; k < tensor_elems(t); k++)
            tensor_set(t, k,
                       dtype_is_float(v->dtype) ? sin((double)(k + 1) * 1.7)
                                                : (double)(k * 37 % 101 - 50));
        v->constant = t;
    }
}

static struct graph *parse(const char *text)
{
    struct graph *g = graph_parse(&arena, text, &err);
    if (!g || !graph_infer(g, &err))
        fail_msg("%s\n%s", err.text, text);
    vary_weights(g);
    return g;
}

static void open_run(struct run *r, struct graph *g, bool overlay)
{
    r->g = g;
    r->p = program_build(&arena, g, &err);
    if (!r->p)
        fail_msg("%s", err.text);
    (overlay ? plan_overlay_io : plan_program)(r->p, false);
    if (!program_validate(r->p, &err))
        fail_msg("%s", err.text);
    for (int a = 0; a < AREA_COUNT; a++)
        r->area[a] = arena_alloc(&arena, (size_t)r->p->area_bytes[a]);
    if (r->p->area_bytes[AREA_CONSTANT])
        memcpy(r->area[AREA_CONSTANT], program_pack_constants(r->p, &arena),
               (size_t)r->p->area_bytes[AREA_CONSTANT]);
}

static struct tensor storage_of(const struct run *r, const struct value *v)
{
    const struct pbuf *b = &r->p->bufs[program_find_value(r->p, v)];
    struct tensor t = {.dtype = b->dtype, .rank = b->rank};
    for (int d = 0; d < b->rank; d++)
        t.dims[d] = b->dims[d];
    t.data = r->area[b->area] + b->offset;
    return t;
}

static struct tensor input_of(const struct run *r, size_t i)
{
    return storage_of(r, r->g->body.in[i]);
}

static struct tensor output_of(const struct run *r, size_t i)
{
    return storage_of(r, r->g->body.out[i]);
}

static void evaluate(const struct run *r)
{
    eval_program(r->p, r->area[AREA_CONSTANT], r->area[AREA_MUTABLE], r->area[AREA_ACTIVATION],
                 &(struct eval_options){.blas = false});
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static struct graph *with_interface(const char *text, const struct interface *in, bool lower)
{
    struct graph *g = parse(text);
    struct pass_options opt = {.interface = in};
    if (!passes_run_stage(g, PASSES_INTERFACE, &opt, &err) ||
        (lower && !passes_run_stage(g, PASSES_LOWER, &opt, &err)))
        fail_msg("%s\n%s", err.text, text);
    return g;
}

static struct graph *lowered(const char *text)
{
    struct graph *g = parse(text);
    if (!passes_run_stage(g, PASSES_LOWER, &(struct pass_options){.stage = PASSES_LOWER}, &err))
        fail_msg("%s", err.text);
    return g;
}

static void assert_near(const char *what, const struct tensor *got, const struct tensor *want,
                        double within)
{
    assert_int_equal(tensor_elems(got), tensor_elems(want));
    for (int64_t i = 0; i < tensor_elems(want); i++) {
        double g = tensor_get(got, i), w = tensor_get(want, i);
        if (!(fabs(g - w) <= within * (1 + fabs(w))))
            fail_msg("%s: element %lld is %.9g, not %.9g", what, (long long)i, g, w);
    }
}

/* ---- pixels ---- */

struct picture {
    bool channels_last, bgr;
    double scale[3], shift[3];
    struct quant quant; /* of an integer input */
};

/* shift 0, one shift, one per channel. */
static const struct picture plain = {.scale = {0.5, 0.5, 0.5}};
static const struct picture shifted = {
    .bgr = true, .scale = {0.5, 0.25, 0.125}, .shift = {-3.3, 2.7, -9.1}};
static const struct picture shifted_last = {
    .channels_last = true, .bgr = true, .scale = {0.5, 0.25, 0.125}, .shift = {-3.3, 2.7, -9.1}};
static const struct picture one_step = {.scale = {0.5, 0.5, 0.5}, .shift = {-3, -3, -3}};

static const struct interface_pixels *pixels_for(const struct graph *g, const struct picture *pic)
{
    const struct value *x = g->body.in[0];
    int rank = x->shape.rank;
    struct interface_pixels *px = arena_new(&arena, struct interface_pixels);
    *px = (struct interface_pixels){
        .input = x->name, .channels_last = pic->channels_last, .bgr = pic->bgr};
    px->channels = (int)x->shape.dims[pic->channels_last ? rank - 1 : rank - 3];
    int64_t dims[2] = {px->channels, PIXEL_VALUES};
    struct tensor *t = tensor_new(&arena, x->dtype, 2, dims);
    for (int64_t i = 0; i < tensor_elems(t); i++) {
        int64_t c = i / PIXEL_VALUES;
        double v = (double)(float)((double)(i % PIXEL_VALUES) * pic->scale[c] + pic->shift[c]);
        px->scale[c] = pic->scale[c];
        px->shift[c] = pic->shift[c];
        if (pic->quant.scale != 0) {
            v = rint(v / (double)pic->quant.scale + pic->quant.zero_point);
            v = fmax((double)dtype_int_min(x->dtype), fmin((double)dtype_int_max(x->dtype), v));
        }
        tensor_set(t, i, v);
    }
    px->value = t;
    return px;
}

/* The values of the plain network's input that stand for the pixels. */
static void preprocess(const struct interface_pixels *px, const struct tensor *pixels,
                       struct tensor *values)
{
    int64_t n_c = px->channels, plane = tensor_elems(pixels) / n_c;
    if (values->rank == 4)
        plane /= values->dims[0];
    for (int64_t i = 0; i < tensor_elems(pixels); i++) {
        int64_t at = i / n_c % plane, picture = i / n_c / plane, c = i % n_c;
        int64_t to = px->bgr ? n_c - 1 - c : c;
        double v = tensor_get(px->value, to * PIXEL_VALUES + tensor_get_int(pixels, i));
        int64_t base = picture * plane * n_c;
        tensor_set(values, base + (px->channels_last ? at * n_c + to : to * plane + at), v);
    }
}

static void check_pixels(const char *text, const struct picture *pic, double within)
{
    struct graph *before = parse(text);
    if (pic->quant.scale != 0)
        before->body.in[0]->quant = pic->quant;
    const struct interface_pixels *px = pixels_for(before, pic);
    struct interface in = {.pixels = px};
    for (int lower = 0; lower < 2; lower++) {
        struct run plain_run, run;
        uint64_t seed = 7;
        open_run(&plain_run, lower ? lowered(text) : parse(text), false);
        open_run(&run, with_interface(text, &in, lower), false);
        struct tensor pixels = input_of(&run, 0), values = input_of(&plain_run, 0);
        assert_int_equal(pixels.dtype, DTYPE_U8);
        assert_int_equal(pixels.dims[pixels.rank - 1], px->channels);
        assert_string_equal(run.g->body.in[0]->name, px->input);
        for (int64_t i = 0; i < tensor_elems(&pixels); i++)
            tensor_set_int(&pixels, i, (int64_t)(next_random(&seed) & 255));
        preprocess(px, &pixels, &values);
        evaluate(&plain_run);
        evaluate(&run);
        struct tensor got = output_of(&run, 0), want = output_of(&plain_run, 0);
        assert_near(text, &got, &want, within);
    }
}

#define CONV(attrs)                                                                                \
    "graph \"g\" { input %x f32 [2,3,4,5] const %w f32 [2,3,3,3] = fill 0.3 "                      \
    "const %b f32 [2] = {1, -2} %y = conv (%x, %w, %b) {" attrs "} return %y }"
#define DEPTHWISE                                                                                  \
    "graph \"g\" { input %x f32 [1,3,4,5] const %w f32 [6,1,2,2] = fill 0.3 "                      \
    "%y = conv (%x, %w) {group=3} return %y }"
#define GEMM                                                                                       \
    "graph \"g\" { input %x f32 [2,3,2,2] const %w f32 [4,12] = fill 0.3 "                         \
    "const %b f32 [4] = {1, -2, 3, 4} %f = flatten (%x) %y = gemm (%f, %w, %b) {alpha=0.5, "       \
    "beta=2, transB=1} return %y }"
#define GEMM_LAST                                                                                  \
    "graph \"g\" { input %x f32 [2,2,2,3] const %w f32 [12,4] = fill 0.3 "                         \
    "%f = flatten (%x) %y = gemm (%f, %w) return %y }"
#define MATMUL                                                                                     \
    "graph \"g\" { input %x f32 [1,1,2,2] const %w f32 [4,3] = fill 0.3 "                          \
    "const %s i64 [2] = {1, 4} %f = reshape (%x, %s) %y = matmul (%f, %w) return %y }"
#define TWO_READERS                                                                                \
    "graph \"g\" { input %x f32 [1,3,2,2] %a = neg (%x) %y = add (%x, %a) %z = exp (%y) "          \
    "return %z }"

static void test_pixels_of_floats(void **state)
{
    (void)state;
    const struct picture *pictures[] = {&plain, &shifted};
    for (int i = 0; i < 2; i++) {
        check_pixels(CONV("group=1"), pictures[i], 1e-5);
        check_pixels(CONV("pads=[1,1,1,1]"), pictures[i], 1e-5);
        check_pixels(DEPTHWISE, pictures[i], 1e-5);
        check_pixels(GEMM, pictures[i], 1e-5);
        check_pixels(MATMUL, &one_step, 1e-5);
        check_pixels(TWO_READERS, pictures[i], 0);
    }
    check_pixels(GEMM_LAST, &shifted_last, 1e-5);
    check_pixels("graph \"g\" { input %x f32 [4,5,3] %y = relu (%x) return %y }", &shifted_last, 0);
    check_pixels("graph \"g\" { input %x f32 [3,4,5] %y = relu (%x) return %y }", &shifted, 0);
    check_pixels("graph \"g\" { input %x f16 [1,3,4,5] %y = relu (%x) return %y }", &shifted, 0);
    check_pixels("graph \"g\" { input %x i32 [1,3,4,5] %y = neg (%x) return %y }", &plain, 0);
    check_pixels("graph \"g\" { input %x f32 [1,3,4,5] return %x }", &shifted, 0);
}

#define QUANTIZED(scale, zero, rest)                                                               \
    "graph \"g\" { input %x f32 [1,3,4,5] const %s f32 [] = {" scale "} const %z i8 [] = {" zero   \
    "} const %w i8 [2,3,3,3] = fill 3 const %sw f32 [] = {0.25} "                                  \
    "%q = quantize_linear (%x, %s, %z) %d = dequantize_linear (%q, %s, %z) "                       \
    "%wd = dequantize_linear (%w, %sw) " rest
#define QUANTIZED_CONV                                                                             \
    "%y = conv (%d, %wd) {pads=[1,1,1,1]} %o = quantize_linear (%y, %s, %z) return %o }"

/* To the bit, whether the table is one of the pixels themselves or not. */
static void test_pixels_of_integers(void **state)
{
    (void)state;
    check_pixels(QUANTIZED("0.5", "-122", QUANTIZED_CONV), &one_step, 0);
    check_pixels(QUANTIZED("0.7", "-10", QUANTIZED_CONV), &one_step, 0);
    check_pixels(QUANTIZED("0.3", "11", QUANTIZED_CONV), &shifted, 0);
    check_pixels(QUANTIZED("0.5", "-122", "return %q }"), &one_step, 0);
    check_pixels("graph \"g\" { input %x i8 [1,3,4,5] const %s f32 [] = {0.5} "
                 "const %z i8 [] = {-128} %y = dequantize_linear (%x, %s, %z) return %y }",
                 &(struct picture){.scale = {0.5, 0.5, 0.5}, .quant = {0.5f, -128}}, 0);
    check_pixels("graph \"g\" { input %x u8 [1,3,4,5] %c = cast (%x) {to=1} return %c }",
                 &(struct picture){.scale = {1, 1, 1}}, 0);
}

static void check_text(const char *text, const struct interface *in, const char *want)
{
    support_assert_same_text(text, text_of(with_interface(text, in, false)), text_of(parse(want)));
}

static void test_pixels_as_text(void **state)
{
    (void)state;
    const char *conv = "graph \"g\" { input %x f32 [1,3,1,1] const %w f32 [1,3,1,1] = {1, 2, 4} "
                       "%y = conv (%x, %w) return %y }";
    struct interface in = {.pixels = pixels_for(parse(conv), &shifted)};
    /* The reversed channels are those of the weights, the shifts are in the bias. */
    check_text(conv, &in,
               "graph \"g\" { input %x u8 [1,1,1,3]"
               "const %y.bias f32 [1] = {-34.3}"
               "const %w f32 [1,3,1,1] = {0.5, 0.5, 0.5}"
               "%x.values.planes = transpose (%x) {perm=[0,3,1,2]}"
               "%x.values = cast (%x.values.planes) "
               "%y = conv (%x.values, %w, %y.bias) return %y }");
    /* The first operator reads the pixels. */
    const char *quantized = "graph \"g\" { input %x f32 [1,1,1,2] const %s f32 [] = {0.5} "
                            "const %z i8 [] = {-122} %q = quantize_linear (%x, %s, %z) "
                            "%d = dequantize_linear (%q, %s, %z) %y = relu (%d) return %y }";
    in.pixels = pixels_for(parse(quantized), &one_step);
    check_text(quantized, &in,
               "graph \"g\" { input %x u8 [1,1,2,1] quant 0.5 6 const %s f32 [] = {0.5} "
               "const %z i8 [] = {-122} const %x.values.zero u8 [] = {6} "
               "%x.values.planes = transpose (%x) {perm=[0,3,1,2]} "
               "%d = dequantize_linear (%x.values.planes, %s, %x.values.zero) "
               "%y = relu (%d) return %y }");
}

/* ---- types and orders ---- */

static void test_types(void **state)
{
    (void)state;
    const char *net = "graph \"g\" { input %x f32 [1,2,2,3] %y = relu (%x) return %y }";
    struct interface_change changes[] = {
        {.name = "x", .dtype = DTYPE_F16, .order = INTERFACE_CHANNELS_LAST},
        {.name = "y",
         .is_output = true,
         .dtype = DTYPE_U8,
         .quantized = true,
         .quant = {0.5f, 3},
         .order = INTERFACE_CHANNELS_LAST},
    };
    struct interface in = {.changes = changes, .n_changes = 2};
    check_text(net, &in,
               "graph \"g\" { input %x f16 [1,2,3,2] "
               "const %y.scale f32 [] = {0.5} const %y.zero_point u8 [] = {3} "
               "%x.transpose = transpose (%x) {perm=[0,3,1,2]} "
               "%x.cast = cast (%x.transpose) {to=1} %y_1 = relu \"y\" (%x.cast) "
               "%y.quantize_linear u8 [1,2,2,3] quant 0.5 3 = quantize_linear (%y_1, %y.scale, "
               "%y.zero_point) "
               "%y u8 [1,2,3,2] quant 0.5 3 = transpose \"y.transpose\" (%y.quantize_linear) "
               "{perm=[0,2,3,1]} return %y }");
    struct run run;
    open_run(&run, with_interface(net, &in, true), false);
    struct tensor x = input_of(&run, 0), y = output_of(&run, 0);
    for (int64_t i = 0; i < 12; i++)
        tensor_set(&x, i, (double)i - 4);
    evaluate(&run);
    for (int64_t i = 0; i < 12; i++)
        assert_int_equal(tensor_get_int(&y, i), i < 4 ? 3 : 3 + 2 * (i - 4));
}

/* Where the network quantizes an input and dequantizes an output with the same parameters, nothing
   is left of the conversion, and other readers of the output keep the floats. */
static void test_types_of_network(void **state)
{
    (void)state;
    const char *net = "graph \"g\" { input %x f32 [1,1,2,2] const %s f32 [] = {0.5} "
                      "const %z i8 [] = {-5} %q = quantize_linear (%x, %s, %z) "
                      "%d = dequantize_linear (%q, %s, %z) return %d }";
    struct interface_change changes[] = {
        {.name = "x", .dtype = DTYPE_U8, .quantized = true},
        {.name = "d", .is_output = true, .dtype = DTYPE_I8, .quantized = true},
    };
    struct interface in = {.changes = changes, .n_changes = 2};
    struct graph *g = with_interface(net, &in, true);
    assert_int_equal(g->body.in[0]->dtype, DTYPE_U8);
    assert_int_equal(g->body.in[0]->quant.zero_point, 123);
    assert_int_equal(g->body.out[0]->dtype, DTYPE_I8);
    assert_int_equal(g->body.out[0]->quant.zero_point, -5);
    for (size_t i = 0; i < g->body.n_nodes; i++)
        assert_false(dtype_is_float(g->body.nodes[i]->out[0]->dtype));
    struct run run;
    open_run(&run, g, false);
    struct tensor x = input_of(&run, 0), y = output_of(&run, 0);
    for (int64_t i = 0; i < 4; i++)
        tensor_set_int(&x, i, 85 * i);
    evaluate(&run);
    for (int64_t i = 0; i < 4; i++)
        assert_int_equal(tensor_get_int(&y, i), 85 * i - 128);

    changes[0].dtype = DTYPE_I16;
    assert_false(passes_run_stage(parse(net), PASSES_INTERFACE,
                                  &(struct pass_options){.interface = &in}, &err));
    assert_non_null(strstr(err.text, "the network has 'x' in 8 bits"));
    error_init(&err);
    assert_false(
        passes_run_stage(parse("graph \"g\" { input %x f32 [2] %d = relu (%x) return %d }"),
                         PASSES_INTERFACE, &(struct pass_options){.interface = &in}, &err));
    assert_non_null(strstr(err.text, "the network does not quantize 'x'"));
}

/* ---- state ---- */

/* A gated recurrent unit, one step: h' = (1 - z) * tanh(x W + (r * h) U) + z * h. */
#define GRU_STEP                                                                                   \
    "graph \"gru\" { input %x f32 [1,3] input %h f32 [1,4] "                                       \
    "const %wz f32 [3,4] = {.1,.2,.3,.4, -.1,.5,.2,.3, .7,-.2,.1,.4} "                             \
    "const %wr f32 [3,4] = {.3,.1,-.3,.2, .1,.2,-.2,.6, .2,.2,.1,-.4} "                            \
    "const %wn f32 [3,4] = {-.1,.6,.3,.1, .9,.5,-.2,.3, .1,.2,.1,.8} "                             \
    "const %uz f32 [4,4] = fill 0.21 const %ur f32 [4,4] = fill -0.13 "                            \
    "const %un f32 [4,4] = fill 0.34 const %one f32 [] = {1} "                                     \
    "%xz = matmul (%x, %wz) %hz = matmul (%h, %uz) %az = add (%xz, %hz) %z = sigmoid (%az) "       \
    "%xr = matmul (%x, %wr) %hr = matmul (%h, %ur) %ar = add (%xr, %hr) %r = sigmoid (%ar) "       \
    "%rh = mul (%r, %h) %xn = matmul (%x, %wn) %hn = matmul (%rh, %un) %an = add (%xn, %hn) "      \
    "%n = tanh (%an) %k = sub (%one, %z) %kn = mul (%k, %n) %zh = mul (%z, %h) "                   \
    "%next = add (%kn, %zh) %y = neg (%next) return %y, %next }"

static const struct interface_binding next_h[] = {{"next", "h"}};

/* Steps with the state bound are those with the state handed over. */
static void test_state(void **state)
{
    (void)state;
    struct interface in = {.bindings = next_h, .n_bindings = 1};
    for (int overlay = 0; overlay < 2; overlay++) {
        struct run by_hand, bound;
        uint64_t seed = 3;
        open_run(&by_hand, lowered(GRU_STEP), false);
        open_run(&bound, with_interface(GRU_STEP, &in, true), overlay);
        struct tensor h = input_of(&by_hand, 1), next = output_of(&by_hand, 1);
        for (int step = 0; step < 5; step++) {
            struct tensor x = input_of(&by_hand, 0), same = input_of(&bound, 0);
            for (int64_t i = 0; i < 3; i++) {
                double v = (double)(next_random(&seed) % 1000) / 500 - 1;
                tensor_set(&x, i, v);
                tensor_set(&same, i, v);
            }
            evaluate(&by_hand);
            evaluate(&bound);
            struct tensor got = output_of(&bound, 0), want = output_of(&by_hand, 0);
            assert_memory_equal(got.data, want.data, 16);
            memcpy(tensor_data(&h), next.data, 16);
        }
        const struct pbuf *b = &bound.p->bufs[program_find_value(bound.p, bound.g->body.in[1])];
        assert_int_equal(b->role, SHEAF_ROLE_STATE);
        assert_int_equal(b->area, AREA_MUTABLE);
    }
}

static size_t count_copies(const struct program *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->body.n; i++)
        n += strcmp(p->body.step[i]->name, "copy") == 0;
    return n;
}

/* What is last read before it is first written needs no copy; a delay line shifts all at once. */
static void test_state_storage(void **state)
{
    (void)state;
    struct interface in = {.bindings = (struct interface_binding[]){{"b", "s"}}, .n_bindings = 1};
    struct run run;
    /* In place: %s is read by the first step only, %b is written by the second. */
    open_run(&run,
             with_interface("graph \"g\" { input %x f32 [4] input %s f32 [4] "
                            "const %i i64 [4] = {3, 2, 1, 0} %a = gather (%s, %i) "
                            "%b = concat (%x) %y = neg (%a) return %y, %b }",
                            &in, false),
             false);
    assert_int_equal(count_copies(run.p), 0);
    const struct pbuf *b = &run.p->bufs[program_find_value(run.p, run.g->body.out[1])];
    assert_int_equal(b->view_of, program_find_value(run.p, run.g->body.in[1]));

    /* A copy: %s is still read once %b exists. */
    open_run(&run,
             with_interface("graph \"g\" { input %x f32 [4] input %s f32 [4] "
                            "const %i i64 [4] = {3, 2, 1, 0} %b = gather (%x, %i) "
                            "%y = gather (%s, %i) return %y, %b }",
                            &in, false),
             false);
    assert_int_equal(count_copies(run.p), 1);

    struct interface line = {
        .bindings = (struct interface_binding[]){{"x1", "s1"}, {"s1", "s2"}, {"s2", "s3"}},
        .n_bindings = 3};
    open_run(&run,
             with_interface("graph \"g\" { input %x f32 [1] input %s1 f32 [1] "
                            "input %s2 f32 [1] input %s3 f32 [1] %x1 = neg (%x) "
                            "%y = identity (%s3) return %y, %x1, %s1, %s2 }",
                            &line, true),
             false);
    struct tensor x = input_of(&run, 0), y = output_of(&run, 0);
    for (int step = 0; step < 6; step++) {
        tensor_set(&x, 0, step + 1);
        evaluate(&run);
        assert_true(tensor_get(&y, 0) == (step < 3 ? 0 : -(step - 2)));
    }
}

static void test_state_as_text(void **state)
{
    (void)state;
    const char *net = "graph \"g\" {\n    input %x f32 [2]\n    %y f32 [2] = relu (%x)\n"
                      "    return %y\n    bind %y %x\n}\n";
    assert_string_equal(text_of(parse(net)), net);
    struct interface in = {.bindings = (struct interface_binding[]){{"y", "x"}}, .n_bindings = 1};
    check_text("graph \"g\" { input %x f32 [2] %y = relu (%x) return %y }", &in, net);
    assert_null(graph_parse(&arena, "graph \"g\" { input %x f32 [2] return %x bind %x %y }", &err));
    error_init(&err);
    struct graph *g = parse("graph \"g\" { input %x f32 [2] input %z f32 [3] %y = relu (%x) "
                            "return %y bind %y %z }");
    assert_false(graph_validate(g, &err));
}

/* ---- inputs and outputs among the activations ---- */

static void test_overlay(void **state)
{
    (void)state;
    const char *net =
        "graph \"g\" { input %x f32 [64] input %unread f32 [64] "
        "const %i i64 [64] = fill 5 %a = neg (%x) %b = gather (%a, %i) %c = gather (%b, %i) "
        "%d = gather (%c, %i) return %a, %d }";
    struct run plain_run, run;
    open_run(&plain_run, parse(net), false);
    open_run(&run, parse(net), true);
    assert_int_equal(run.p->area_bytes[AREA_MUTABLE], 0);
    assert_true(run.p->overlay_saved_bytes > 0);
    for (int round = 0; round < 2; round++) {
        struct tensor a = input_of(&plain_run, 0), b = input_of(&run, 0);
        for (int64_t i = 0; i < 64; i++) {
            tensor_set(&a, i, (double)(i + round));
            tensor_set(&b, i, (double)(i + round));
        }
        evaluate(&plain_run);
        evaluate(&run);
        for (size_t i = 0; i < 2; i++) {
            struct tensor got = output_of(&run, i), want = output_of(&plain_run, i);
            assert_memory_equal(got.data, want.data, 256);
        }
    }
}

/* x[i] = 3 i of the program, by name; its outputs. */
static void run_group_program(struct program *p, float *out)
{
    uint8_t *area[AREA_COUNT];
    for (int a = 0; a < AREA_COUNT; a++)
        area[a] = arena_alloc(&arena, (size_t)p->area_bytes[a] + 1);
    program_pack_into(p, area[AREA_CONSTANT]);
    for (size_t i = 0; i < p->n_bufs; i++)
        for (int k = 0; p->bufs[i].role == SHEAF_ROLE_INPUT && k < 64; k++)
            ((float *)(void *)(area[p->bufs[i].area] + p->bufs[i].offset))[k] = (float)(3 * k);
    eval_program(p, area[AREA_CONSTANT], area[AREA_MUTABLE], area[AREA_ACTIVATION],
                 &(struct eval_options){.blas = false});
    for (size_t i = 0; i < p->n_bufs; i++)
        if (p->bufs[i].role == SHEAF_ROLE_OUTPUT && p->bufs[i].view_of < 0)
            memcpy(out, area[p->bufs[i].area] + p->bufs[i].offset, 64 * sizeof *out);
}

static int64_t client_offset(const struct program *p, const char *name)
{
    for (size_t i = 0; i < p->n_bufs; i++)
        if (program_is_overlaid(&p->bufs[i]) && strcmp(p->bufs[i].name, name) == 0)
            return p->bufs[i].offset;
    fail_msg("no %s among the activations", name);
    return -1;
}

/* A network for two processors: in one of the programs x and y may share storage, in the other they
   may not, or they may in both. */
static void test_overlay_group(void **state)
{
    (void)state;
    static const char far_apart[] =
        "graph \"g\" { input %x f32 [64] const %i i64 [64] = fill 5 %a = gather (%x, %i) "
        "%b = gather (%a, %i) %c = gather (%b, %i) %y = gather (%c, %i) return %y }";
    static const char at_once[] = "graph \"g\" { input %x f32 [64] const %i i64 [64] = fill 5 "
                                  "%y = gather (%x, %i) return %y }";
    const char *const cases[][2] = {
        {far_apart, at_once}, {at_once, far_apart}, {far_apart, far_apart}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct program *p[2];
        float want[2][64], got[64];
        for (size_t k = 0; k < 2; k++) {
            p[k] = program_build(&arena, parse(cases[i][k]), &err);
            assert_non_null(p[k]);
            plan_program(p[k], false);
            run_group_program(p[k], want[k]);
            plan_overlay_io(p[k], false);
        }
        struct program_group group = {p, 2};
        plan_overlay_group(&group);
        assert_int_equal(client_offset(p[0], "x"), client_offset(p[1], "x"));
        assert_int_equal(client_offset(p[0], "y"), client_offset(p[1], "y"));
        assert_int_equal(client_offset(p[0], "x") == client_offset(p[0], "y"), i == 2);
        assert_int_equal(p[0]->overlay_saved_bytes, p[1]->overlay_saved_bytes);
        for (size_t k = 0; k < 2; k++) {
            assert_true(program_validate(p[k], &err));
            run_group_program(p[k], got);
            assert_memory_equal(got, want[k], sizeof got);
        }
    }
}

/* ---- items ---- */

static void test_items(void **state)
{
    (void)state;
    const char *net = "graph \"g\" items \"n\" 3 {\n    input %x f32 [1,4]\n"
                      "    %y f32 [1,4] = exp (%x)\n    return %y, %x\n}\n";
    assert_string_equal(text_of(parse(net)), net);
    for (int overlay = 0; overlay < 2; overlay++) {
        struct run run;
        open_run(&run, parse(net), overlay);
        struct tensor x = input_of(&run, 0), y = output_of(&run, 0), same = output_of(&run, 1);
        int count = -1;
        for (size_t i = 0; i < run.p->n_bufs; i++)
            if (strcmp(run.p->bufs[i].name, "n") == 0)
                count = (int)i;
        assert_int_equal(x.dims[0], 3);
        assert_int_equal(y.dims[0], 3);
        const struct pbuf *n_buf = &run.p->bufs[count];
        const struct pbuf *extent =
            &run.p->bufs[run.p->bufs[program_find_value(run.p, run.g->body.out[0])].extent_buf[0]];
        static const int64_t numbers[] = {1, 3, 2, 0, 9, -1};
        for (size_t r = 0; r < sizeof numbers / sizeof *numbers; r++) {
            int64_t want = numbers[r] < 0 ? 0 : numbers[r] > 3 ? 3 : numbers[r], got;
            for (int64_t i = 0; i < 12; i++) {
                tensor_set(&y, i, -7);
                tensor_set(&same, i, -7);
            }
            for (int64_t i = 0; i < 12; i++)
                tensor_set(&x, i, (double)i / 4 + (double)r);
            memcpy(run.area[n_buf->area] + n_buf->offset, &numbers[r], sizeof numbers[r]);
            evaluate(&run);
            memcpy(&got, run.area[extent->area] + extent->offset, sizeof got);
            assert_int_equal(got, want);
            for (int64_t i = 0; i < 4 * want; i++) {
                double v = (double)i / 4 + (double)r;
                assert_true(fabs(tensor_get(&y, i) / exp(v) - 1) < 1e-6);
                assert_true(tensor_get(&same, i) == v);
            }
            for (int64_t i = 4 * want; i < 12 && !overlay; i++)
                assert_true(tensor_get(&y, i) == -7);
        }
    }
}

static struct graph *parse_body(const char *text)
{
    return parse(support_printf("graph \"g\" { input %%x f32 [7,4,2,2] %s return %%y }", text));
}

/* What keeps items apart, and what may mix them. */
static void test_items_apart(void **state)
{
    (void)state;
    static const char *const apart[] = {
        "const %w f32 [6,4,1,1] = fill 1 %y = conv (%x, %w)",
        "const %c f32 [4,1,1] = fill 1 %y = add (%x, %c)",
        "%y = transpose (%x) {perm=[0,3,1,2]}",
        "%y = softmax (%x) {axis=1}",
        "%y = concat (%x, %x) {axis=1}",
        "%y = flatten (%x)",
        ("const %s i64 [2] = {7, -1} const %w f32 [16,3] = fill 1 %f = reshape (%x, %s) "
         "%y = matmul (%f, %w)"),
        "%t = transpose (%x) {perm=[0,1,3,2]} %y = matmul (%x, %t)",
        "const %a i64 [2] = {2, 3} %y = reduce_mean (%x, %a)",
        ("const %f i64 [1] = {0} const %t i64 [1] = {1} const %a i64 [1] = {1} "
         "%y = slice (%x, %f, %t, %a)"),
    };
    static const char *const mixed[] = {
        "%y = transpose (%x) {perm=[1,0,2,3]}",
        "%y = softmax (%x) {axis=0}",
        "%y = softmax (%x) {axis=-4}",
        "%y = concat (%x, %x) {axis=0}",
        "const %s i64 [2] = {-1, 7} %y = reshape (%x, %s)",
        "const %a i64 [1] = {0} %y = reduce_mean (%x, %a) {keepdims=1}",
        "const %c f32 [7,1,1,1] = fill 1 %y = add (%x, %c)",
        "const %i i64 [7] = fill 0 %y = gather (%x, %i)",
        ("const %f i64 [1] = {-1} const %t i64 [1] = {-8} const %a i64 [1] = {0} "
         "const %b i64 [1] = {-1} %y = slice (%x, %f, %t, %a, %b)"),
        "const %p i64 [8] = {1, 0, 0, 0, -1, 0, 0, 0} %y = pad (%x, %p)",
    };
    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++)
        if (!items_are_apart(parse_body(apart[i]), 7, &err))
            fail_msg("%s: %s", apart[i], err.text);
    for (size_t i = 0; i < sizeof mixed / sizeof *mixed; i++) {
        if (items_are_apart(parse_body(mixed[i]), 7, &err))
            fail_msg("%s: is apart", mixed[i]);
        assert_non_null(strstr(err.text, "node 'y'"));
        error_init(&err);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_items),
        TEST(test_items_apart),
        TEST(test_pixels_of_floats),
        TEST(test_pixels_of_integers),
        TEST(test_pixels_as_text),
        TEST(test_types),
        TEST(test_types_of_network),
        TEST(test_state),
        TEST(test_state_storage),
        TEST(test_state_as_text),
        TEST(test_overlay),
        TEST(test_overlay_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
