/*
 * Whole networks on other processors: bundles that the tool makes for them, linked with their
 * weights and run by qemu or node on recorded inputs, against the bundle for this machine.
 *
 * Integers are equal to the bit.  Floats are summed up in another order, with or without a rounding
 * between product and sum: each costs some 6e-8 of the largest partial sum, and a few hundred such
 * errors, of either sign, add up along the layers.  The largest difference seen is 2e-6 of the
 * largest output; FLOATS_APART is five times that, and far below what a wrong element makes.
 * Against recorded outputs each network has the tolerance that it has on this machine.
 *
 * `check` runs small networks on all targets, `check-full` all networks on all that can run them,
 * and all that is recorded on one ARM64 processor.
 */
#define _XOPEN_SOURCE 700
#include "tests/loader/tool.h"

#include <math.h>
#include <unistd.h>

#include "bundle/bundle.h"
#include "tests/conformance/recorded.h"
#include "tests/support/cross.h"

static const double FLOATS_APART = 1e-5;

enum {
    IS_SMALL = 1,     /* for `check` */
    HAS_INTEGERS = 2, /* as it comes */
    ONE_FORM = 4,     /* not quantized here: another row is the same network in integers */
    KEEPS_FLOATS = 8, /* also when it is quantized: an LSTM has no integer form */
    FIRST_OF_16 = 16, /* takes one item of those that are recorded */
    IS_LARGE = 32     /* larger than any board, and minutes under qemu */
};

static const struct network {
    const char *name, *folder;
    const char *options;
    double recorded; /* tolerance against recorded outputs; the network as it comes */
    unsigned flags;
} NETWORKS[] = {
    {"kws_qdq", "nets/kws_qdq", "", 6e-3, IS_SMALL | HAS_INTEGERS | ONE_FORM},
    {"kws_fp32", "nets/kws_fp32", "", 1e-4, IS_SMALL | ONE_FORM},
    {"mnist_8", "models/onnx-mnist_8", "", 1e-4, IS_SMALL},
    {"mnist_lenet", "models/mnist_lenet", "-model-input=1,float,[1,1,28,28]", 1e-4, 0},
    {"example", "examples/compile_resnet50/resnet50", "-model-input=gpu_0/data,float,[1,3,64,64]",
     1e-4, 0},
    {"mlperf_resnet8", "models/onnx-mlperf_resnet8", "", 1e-4, 0},
    {"mlperf_vww96", "nets/mlperf_vww96", "", 1e-4, 0},
    {"mlperf_ad01", "nets/mlperf_ad01", "", 1e-4, 0},
    {"oww_alexa", "nets/oww_alexa", "", 1e-4, 0},
    {"oww_embedding", "nets/oww_embedding", "", 1e-4, FIRST_OF_16},
    {"oww_melspectrogram", "nets/oww_melspectrogram", "-onnx-define-symbol=samples,31840", 1e-4, 0},
    {"dtln_1", "nets/dtln_1", "", 1e-4, KEEPS_FLOATS},
    {"byte_sb_bidi_lstm", "nets/byte_sb_bidi_lstm",
     "-onnx-define-symbol=batch,2 -onnx-define-symbol=length,58", 1e-4, KEEPS_FLOATS},
    {"stm_mbv2_035_128", "nets/stm_mbv2_035_128", "", 1e-4, 0},
    {"ultraface_rfb320", "nets/ultraface_rfb320", "", 1e-4, 0},
    {"fastestdet", "nets/fastestdet", "", 1e-4, 0},
    {"squeezenet", "models/squeezenet", "-model-input=data,float,[1,3,224,224]", 5e-4, 0},
    {"squeezenet11", "models/onnx-squeezenet11_fp32", "", 1e-4, 0},
    {"super_resolution_10", "nets/super_resolution_10", "", 1e-4, IS_LARGE},
    {"resnet50", "models/resnet50", "-model-input=gpu_0/data,float,[1,3,224,224]", 1e-4, IS_LARGE},
    {"resnet50_onnx", "models/onnx-resnet50", "", 1e-4, IS_LARGE},
};
enum { N_NETWORKS = sizeof NETWORKS / sizeof NETWORKS[0] };

/* A network as it comes, or computed in integers with a profile of its recorded inputs. */
struct form {
    const struct network *net;
    bool quantized;
    const char *options; /* for the tool, all but the target's */
    /* What this machine gives. */
    char *want;
    size_t want_size;
};

struct run {
    const char *name;
    struct form *form;
    const struct cross_target *target;
};

static const char *folder_of(const struct network *n)
{
    if (!strncmp(n->folder, "models/", 7))
        return support_model(n->folder + 7);
    return !strncmp(n->folder, "nets/", 5) ? support_data(n->folder)
                                           : support_printf("%s/%s", support_source(), n->folder);
}

/* What is recorded of the network in a set: "input" or "output" i, or NULL. */
static const char *recorded_path(const struct network *n, int set, const char *what, int i)
{
    const char *path = support_printf("%s/test_data_set_%d/%s_%d.pb", folder_of(n), set, what, i);
    return access(path, R_OK) == 0 ? path : NULL;
}

/* ---- programs ---- */

static bool run_tool(const char *args, struct error *err, char **out)
{
    char *errout;
    int status = tool_run(args, out, &errout);
    if (status)
        error_set(err, SHEAF_ERROR_ARGUMENT, "%s: %s", args, errout);
    free(errout);
    return status == 0;
}

static const char *model_options(const struct network *n)
{
    const char *folder = tool_absolute(folder_of(n));
    const char *onnx = support_printf("%s/model.onnx", folder);
    return support_printf("-m '%s' %s", access(onnx, R_OK) == 0 ? onnx : folder, n->options);
}

/* `-input NAME=FILE` of all inputs, their names from the graph's text. */
static const char *input_options(const struct network *n, const char *graph)
{
    const char *options = "", *line = graph;
    for (int i = 0; recorded_path(n, 0, "input", i); i++) {
        line = strstr(line, "\n    input %");
        assert_non_null(line);
        line += strlen("\n    input %");
        options = support_printf("%s -input '%.*s=%s'", options, (int)strcspn(line, " "), line,
                                 tool_absolute(recorded_path(n, 0, "input", i)));
    }
    return options;
}

/* NAME.yml: what its tensors hold on the recorded inputs. */
static bool make_profile(struct form *f, struct error *err)
{
    char *graph, *out;
    const char *model = model_options(f->net);
    const char *items = f->net->flags & FIRST_OF_16 ? "-onnx-define-symbol=unk__314,16" : "";
    if (!run_tool(support_printf("%s -dump-graph", model), err, &graph))
        return false;
    bool ok = run_tool(support_printf("%s %s %s -dump-profile=%s.yml", model, items,
                                      input_options(f->net, graph), f->net->name),
                       err, &out);
    free(graph);
    free(out);
    return ok;
}

/* The program of the network for the target. */
static bool make(const struct form *f, const struct cross_target *t, struct error *err)
{
    const char *target = "";
    char *said;
    if (t->opt.triple)
        target = support_printf("-target=%s -mcpu=%s", t->opt.triple, t->opt.cpu);
    if (t->opt.features)
        target = support_printf("%s -mattr=%s", target, t->opt.features);
    if (t->opt.optimize_size)
        target = support_printf("%s -optimize-size", target);
    if (t->board)
        target = support_printf("%s -section=" CROSS_WEIGHTS, target);
    if (!run_tool(support_printf("%s %s -network-name=net -weights-format=object -emit-bundle net",
                                 f->options, target),
                  err, &said))
        return false;
    free(said);
    return cross_link_network(t, support_printf("%s/net", support_tmp()), err);
}

/* What the program that was made last gives of a set of inputs. */
static bool outputs(const struct form *f, const struct cross_target *t, int set, char **out,
                    size_t *out_size, struct error *err)
{
    struct arena a;
    arena_init(&a);
    struct strbuf in;
    strbuf_init(&in, &a);
    for (int i = 0; recorded_path(f->net, set, "input", i); i++) {
        const struct tensor *x = recorded_read(&a, recorded_path(f->net, set, "input", i));
        strbuf_addn(&in, x->data, (size_t)tensor_bytes(x));
    }
    const struct bytes all = {(const uint8_t *)strbuf_text(&in), in.len};
    bool ok = cross_run_network(t, &all, out, out_size, err);
    arena_done(&a);
    return ok;
}

/* ---- results ---- */

struct result {
    uint32_t dtype, size;
    const void *data;
};

/* The next of what tests/cross/network.c writes; false behind the last. */
static bool next_result(const char **at, const char *end, struct result *out)
{
    if (*at == end)
        return false;
    uint32_t head[2];
    assert_true((size_t)(end - *at) >= sizeof head);
    memcpy(head, *at, sizeof head);
    *at += sizeof head;
    assert_true((size_t)(end - *at) >= head[1]);
    *out = (struct result){head[0], head[1], *at};
    *at += head[1];
    return true;
}

static double element(const void *floats, size_t i)
{
    float f;
    memcpy(&f, (const char *)floats + i * sizeof f, sizeof f);
    return f;
}

/* The largest difference, as a share of the largest number where that is above 1; NaN where there
   is one. */
static double difference(const void *got, const void *want, size_t n)
{
    double most = 0, largest = 1;
    for (size_t i = 0; i < n; i++) {
        double d = fabs(element(got, i) - element(want, i));
        most = d <= most ? most : d;
        largest = fmax(largest, fabs(element(want, i)));
    }
    return most / largest;
}

/* Against this machine's. */
static void compare(const struct run *r, const char *got, size_t size)
{
    const struct form *f = r->form;
    bool exact = (f->quantized && !(f->net->flags & KEEPS_FLOATS)) || f->net->flags & HAS_INTEGERS;
    assert_int_equal(size, f->want_size);
    struct result g, w;
    for (const char *p = got, *q = f->want; next_result(&p, got + size, &g);) {
        assert_true(next_result(&q, f->want + f->want_size, &w));
        assert_int_equal(g.dtype, w.dtype);
        assert_int_equal(g.size, w.size);
        bool equal = memcmp(g.data, w.data, g.size) == 0;
        if (equal)
            continue;
        double apart = g.dtype == SHEAF_FLOAT32 ? difference(g.data, w.data, g.size / sizeof(float))
                                                : INFINITY;
        print_message("%s: %.2g apart\n", r->name, apart);
        if (exact || !(apart <= FLOATS_APART))
            fail_msg("%s: not what this machine computes", r->name);
    }
}

/* A network may take less than all items of what is recorded. */
static void compare_recorded(const struct run *r, int set, const char *got, size_t size)
{
    struct result g;
    int n = 0;
    for (const char *p = got; next_result(&p, got + size, &g); n++) {
        const char *path = recorded_path(r->form->net, set, "output", n);
        assert_non_null(path);
        struct arena a;
        arena_init(&a);
        const struct tensor *want = recorded_read(&a, path);
        assert_int_equal(want->dtype, DTYPE_F32);
        assert_int_equal(g.dtype, SHEAF_FLOAT32);
        assert_true(g.size <= tensor_bytes(want));
        double apart = difference(g.data, want->data, g.size / sizeof(float));
        arena_done(&a);
        if (!(apart <= r->form->net->recorded))
            fail_msg("%s: %.2g apart from what is recorded", r->name, apart);
    }
    assert_true(n > 0);
}

/* ---- tests ---- */

/* Makes what all runs of the form need; false and the error where that fails. */
static bool prepare(struct form *f, struct error *err)
{
    if (f->want)
        return true;
    f->options = model_options(f->net);
    if (f->quantized) {
        if (!make_profile(f, err))
            return false;
        f->options = support_printf("%s -load-profile=%s.yml", f->options, f->net->name);
    }
    const struct cross_target *host = &CROSS_TARGETS[CROSS_HOST];
    return make(f, host, err) && outputs(f, host, 0, &f->want, &f->want_size, err);
}

static void check_set(const struct run *r, int set)
{
    char *got = NULL;
    size_t size;
    struct error err;
    error_init(&err);
    if (!outputs(r->form, r->target, set, &got, &size, &err))
        fail_msg("%s: %s", r->name, err.text);
    if (set == 0)
        compare(r, got, size);
    if (!r->form->quantized)
        compare_recorded(r, set, got, size);
    free(got);
}

/* All that are recorded in check-full on one processor: minutes for each that is large. */
static int n_sets(const struct run *r)
{
    int n = 1;
    bool all = support_full() && !r->form->quantized && r->target == cross_named("cortex-a53");
    while (all && recorded_path(r->form->net, n, "input", 0))
        n++;
    return n;
}

static void network_runs(void **state)
{
    const struct run *r = *state;
    const char *missing = cross_missing(r->target);
    struct error err;
    error_init(&err);
    SUPPORT_NEED(missing ? NULL : "", missing);
    SUPPORT_NEED(folder_of(r->form->net), r->form->net->folder);
    if (!prepare(r->form, &err))
        fail_msg("%s", err.text);
    if (!make(r->form, r->target, &err)) {
        /* As linkers say it, of the memory in examples/firmware/boards. */
        if (!strstr(err.text, "will not fit in region"))
            fail_msg("%s: %s", r->name, err.text);
        print_message("%s: %.*s\n", r->name, (int)strcspn(err.text, "\n"), err.text);
        skip();
    }
    for (int set = 0; set < n_sets(r); set++)
        check_set(r, set);
}

/* Of the emulated processors ARM64 takes the time for large networks. */
static bool takes(const struct cross_target *t, const struct network *n)
{
    return !(n->flags & IS_LARGE) || !strstr(t->runner, "qemu") ||
           !strcmp(t->opt.triple, "aarch64");
}

static void takes_too_much(void **state)
{
    const struct run *r = *state;
    print_message("%s: it does not fit on boards, and takes minutes where qemu emulates\n",
                  r->name);
    skip();
}

enum { MAX_TESTS = 2 * N_NETWORKS * (N_CROSS_TARGETS + 1) };
static struct form forms[N_NETWORKS * 2];
static struct run runs[MAX_TESTS];
static struct CMUnitTest tests[MAX_TESTS];
static size_t n_tests;

static void add(const char *name, CMUnitTestFunction test, struct form *f,
                const struct cross_target *t)
{
    runs[n_tests] = (struct run){name, f, t};
    tests[n_tests] =
        (struct CMUnitTest){.name = name, .test_func = test, .initial_state = &runs[n_tests]};
    n_tests++;
}

static void add_form(struct form *f)
{
    const char *name = support_printf("%s%s", f->net->name, f->quantized ? " int8" : "");
    for (size_t i = 0; i < N_CROSS_TARGETS; i++)
        if (takes(&CROSS_TARGETS[i], f->net))
            add(support_printf("%s on %s", name, CROSS_TARGETS[i].name), network_runs, f,
                &CROSS_TARGETS[i]);
    if (f->net->flags & IS_LARGE)
        add(support_printf("%s elsewhere", name), takes_too_much, f, NULL);
}

static void left_out(void **state)
{
    (void)state;
    skip();
}

int main(void)
{
    const struct CMUnitTest none[] = {cmocka_unit_test(left_out)};
    if (support_quick())
        return cmocka_run_group_tests(none, NULL, NULL);
    for (size_t i = 0; i < N_NETWORKS; i++) {
        const struct network *n = &NETWORKS[i];
        if (!(n->flags & IS_SMALL) && !support_full())
            continue;
        struct form *f = &forms[2 * i];
        f[0] = (struct form){.net = n};
        f[1] = (struct form){.net = n, .quantized = true};
        add_form(&f[0]);
        if (!(n->flags & ONE_FORM))
            add_form(&f[1]);
    }
    return _cmocka_run_group_tests("networks", tests, n_tests, NULL, NULL);
}
