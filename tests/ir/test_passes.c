/*
 * Passes, text to text: each file tests/ir/passes/NAME.graph holds
 *
 *     # what it shows
 *     pass fold_constants simplify       (one or more, run in this order)
 *     target blocks                      (optional: a target that prefers blocks of 16 channels)
 *     target bytes                       (or one whose dot product takes unsigned bytes)
 *     target device                      (or one that has a host)
 *     host NAME                          (optional: a node that stays there)
 *     qdq strict                         (optional: the mode for quantized operators)
 *     within 0.5                         (optional: how far results may lie apart)
 *     graph "g" { ... }                  (input; types may be left out)
 *     ---
 *     graph "g" { ... }                  (what the passes must make of it)
 *
 * Beside the text, the meaning is held: both graphs are run by the evaluator on the same random
 * inputs and must give the same outputs.  And the passes find nothing more to do on what they made.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ir/eval.h"
#include "ir/node_set.h"
#include "ir/passes/passes.h"
#include "ir/program.h"
#include "tests/support/fixture.h"
#include "tests/support/support.h"

/* ---- a target that prefers blocks of 16 channels for what contractions give ---- */

static bool is_contract(const struct kernel *k, kval v, void *arg)
{
    (void)arg;
    return kernel_inst(k, v)->op != KOP_CONTRACT;
}

static bool prefer_blocks(const struct target *t, const struct kernel *k, struct layout *layouts)
{
    (void)t;
    if (kernel_walk(k, is_contract, NULL))
        return false;
    for (size_t i = 0; i < k->n_bufs; i++)
        if (k->bufs[i].rank == 4 && k->bufs[i].role == KBUF_OUT && k->bufs[i].dims[1] % 16 == 0)
            layouts[i] = layout_blocked(layout_plain(4), 1, 16);
    return true;
}

static const struct pass_options no_options = {0};

static const struct target blocks_target = {.name = "blocks", .prefer_layouts = prefer_blocks};
static const struct target bytes_target = {.name = "bytes", .unsigned_bytes = true};
static const struct target device_target = {.name = "device", .host = &bytes_target};

/* ---- what a graph computes ---- */

struct run {
    const struct graph *g;
    struct program *p;
    uint8_t *area[AREA_COUNT];
};

static int buf_of(const struct program *p, const char *name)
{
    for (size_t i = 0; i < p->n_bufs; i++)
        if (!strcmp(p->bufs[i].name, name))
            return (int)i;
    fail_msg("no buffer '%s'", name);
    return -1;
}

static struct tensor tensor_of(const struct run *r, const struct value *v)
{
    const struct pbuf *b = &r->p->bufs[buf_of(r->p, v->name)];
    struct tensor t = {.dtype = b->dtype, .rank = b->rank};
    for (int d = 0; d < b->rank; d++)
        t.dims[d] = b->dims[d];
    t.data = r->area[b->area] + b->offset;
    return t;
}

/* Values in [-2, 2) from the name, so that two graphs get the same; bools and indices too, and all
   values of 8 and 16 bits. */
static void fill(struct tensor *t, const char *name)
{
    uint64_t seed = 1;
    for (; *name; name++)
        seed = seed * 31 + (uint8_t)*name;
    for (int64_t i = 0; i < tensor_elems(t); i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        double x = (double)(seed >> 40) / (double)(1 << 24);
        double range = dtype_bits(t->dtype) > 16 || t->dtype == DTYPE_BOOL
                           ? 2
                           : (double)((int64_t)1 << dtype_bits(t->dtype));
        double least = range > 2 ? (double)dtype_int_min(t->dtype) : 0;
        tensor_set(t, i, dtype_is_float(t->dtype) ? 4 * x - 2 : least + floor(range * x));
    }
}

/* An operator of the user's: y = 2 x, and nobody knows. */
static void double_all(const struct sheaf_extern_call *call)
{
    const float *x = call->inputs[0].data;
    float *y = call->outputs[0].data;
    int64_t n = 1;
    for (uint32_t d = 0; d < call->outputs[0].rank; d++)
        n *= call->outputs[0].dims[d];
    for (int64_t i = 0; i < n; i++)
        y[i] = 2 * x[i];
}

static struct kextern_function own_function = {"sheaf_extern_Double", double_all};
static const struct kextern_functions own_functions = {.function = &own_function, .n = 1};

static struct run run_graph(struct graph *g)
{
    struct run r = {.g = g, .p = program_build(&arena, g, &err)};
    if (!r.p)
        fail_msg("%s", err.text);
    plan_program(r.p, false);
    for (int a = 0; a < AREA_COUNT; a++)
        r.area[a] = arena_alloc(&arena, (size_t)r.p->area_bytes[a]);
    const uint8_t *constants = program_pack_constants(r.p, &arena);
    if (r.p->area_bytes[AREA_CONSTANT])
        memcpy(r.area[AREA_CONSTANT], constants, (size_t)r.p->area_bytes[AREA_CONSTANT]);
    for (size_t i = 0; i < g->body.n_in; i++) {
        struct tensor t = tensor_of(&r, g->body.in[i]);
        fill(&t, g->body.in[i]->name);
    }
    eval_program(r.p, r.area[AREA_CONSTANT], r.area[AREA_MUTABLE], r.area[AREA_ACTIVATION],
                 &(struct eval_options){.functions = &own_functions});
    return r;
}

static void assert_same_outputs(const char *what, const struct run *a, const struct run *b,
                                double within)
{
    assert_int_equal(a->g->body.n_out, b->g->body.n_out);
    for (size_t i = 0; i < a->g->body.n_out; i++) {
        const struct value *v = a->g->body.out[i];
        if (!shape_is_static(&v->shape))
            continue;
        assert_string_equal(v->name, b->g->body.out[i]->name);
        struct tensor x = tensor_of(a, v), y = tensor_of(b, b->g->body.out[i]);
        for (int64_t k = 0; k < tensor_elems(&x); k++) {
            double want = tensor_get(&x, k), got = tensor_get(&y, k);
            if (!(fabs(got - want) <= within + (within > 0 ? 0 : 1e-4 * (1 + fabs(want)))))
                fail_msg("%s: output '%s'[%lld] is %g, was %g before the passes", what, v->name,
                         (long long)k, got, want);
        }
    }
}

/* ---- files ---- */

static struct graph *parse(const char *what, const char *text)
{
    struct graph *g = graph_parse(&arena, text, &err);
    if (!g)
        fail_msg("%s: %s", what, err.text);
    return g;
}

static char *next_line(char **text)
{
    char *line = *text, *end = line + strcspn(line, "\n");
    *text = *end ? end + 1 : end;
    *end = '\0';
    return line;
}

struct test_case {
    const struct pass *pass[8];
    size_t n_passes;
    struct pass_options opt;
    double within; /* 0: but for rounding of floats */
    const char *input, *expected;
};

static void add_host_node(struct test_case *c, const char *word)
{
    struct node_set *set = arena_new(&arena, struct node_set);
    if (c->opt.host_nodes)
        *set = *c->opt.host_nodes;
    c->opt.host_nodes = set;
    if (node_set_add_kind(set, word))
        return;
    const char **names = arena_array(&arena, set->n_names + 1, sizeof *names);
    for (size_t i = 0; i < set->n_names; i++)
        names[i] = set->name[i];
    names[set->n_names++] = word;
    set->name = names;
}

static void read_option(struct test_case *c, const char *line)
{
    if (!strcmp(line, "target blocks"))
        c->opt.target = &blocks_target;
    else if (!strcmp(line, "target bytes"))
        c->opt.target = &bytes_target;
    else if (!strcmp(line, "target device"))
        c->opt.target = &device_target;
    else if (!strncmp(line, "host ", 5))
        add_host_node(c, line + 5);
    else if (!strcmp(line, "qdq strict"))
        c->opt.qdq = QDQ_STRICT;
    else if (!strncmp(line, "within ", 7))
        c->within = strtod(line + 7, NULL);
    else if (*line && *line != '#')
        fail_msg("'%s' is no option of a test", line);
}

static struct test_case read_case(const char *what, char *text)
{
    struct test_case c = {.n_passes = 0};
    while (*text && strncmp(text, "graph ", 6) != 0) {
        char *line = next_line(&text);
        if (strncmp(line, "pass ", 5) != 0) {
            read_option(&c, line);
            continue;
        }
        for (char *name = strtok(line + 5, " "); name; name = strtok(NULL, " ")) {
            assert_true(c.n_passes < 8);
            c.pass[c.n_passes] = pass_by_name(name);
            if (!c.pass[c.n_passes++])
                fail_msg("%s: there is no pass '%s'", what, name);
        }
    }
    char *middle = strstr(text, "\n---\n");
    if (!middle || !c.n_passes)
        fail_msg("%s: lacks its passes or its expected graph", what);
    *middle = '\0';
    c.input = text;
    c.expected = middle + 5;
    return c;
}

static void assert_settled(const char *what, const struct test_case *c, struct graph *g)
{
    for (size_t i = 0; i < c->n_passes; i++) {
        bool changed;
        assert_true(c->pass[i]->run(g, &c->opt, &changed, &err));
        if (changed)
            fail_msg("%s: %s changes its own result", what, c->pass[i]->name);
    }
}

static void run_case(const char *what, char *text)
{
    struct test_case c = read_case(what, text);
    struct graph *before = parse(what, c.input), *g = parse(what, c.input);
    struct graph *expected = parse(what, c.expected);
    /* Shapes that the model computes need fold_constants: then there is no run before it. */
    bool inferred = graph_infer(before, &err);
    if (!inferred && c.pass[0]->run != pass_fold_constants)
        fail_msg("%s: %s", what, err.text);
    error_init(&err);
    if (!graph_infer(expected, &err) || (inferred && !graph_infer(g, &err)))
        fail_msg("%s: %s", what, err.text);
    for (size_t i = 0; i < c.n_passes; i++) {
        bool changed = false;
        const char *was = text_of(g);
        if (!c.pass[i]->run(g, &c.opt, &changed, &err) || !graph_validate(g, &err))
            fail_msg("%s: %s: %s", what, c.pass[i]->name, err.text);
        if (inferred && changed != (strcmp(was, text_of(g)) != 0))
            fail_msg("%s: %s says that it %s", what, c.pass[i]->name,
                     changed ? "changed something" : "changed nothing");
    }
    support_assert_same_text(what, text_of(g), text_of(expected));
    if (inferred) {
        struct run a = run_graph(before), b = run_graph(g);
        assert_same_outputs(what, &a, &b, c.within);
    }
    assert_settled(what, &c, g);
}

static void test_files(void **state)
{
    (void)state;
    const char *folder = support_printf("%s/tests/ir/passes", support_source());
    assert_true(support_each_file(folder, ".graph", run_case) > 0);
}

/* ---- the list of passes ---- */

static const char network[] = "graph \"net\" {\n"
                              "  input %x f32 [1,3,6,6]\n"
                              "  const %w f32 [16,3,3,3] = fill 0.1\n"
                              "  const %v f32 [16,16,1,1] = fill -0.05\n"
                              "  const %s f32 [16] = fill 2\n"
                              "  const %t f32 [16] = fill 0.5\n"
                              "  %c = conv (%x, %w) {pads=[1,1,1,1]}\n"
                              "  %d = batch_norm (%c, %s, %t, %t, %s)\n"
                              "  %e = relu (%d)\n"
                              "  %f = conv (%e, %v)\n"
                              "  %g = add (%f, %e)\n"
                              "  %h = relu (%g)\n"
                              "  %i = global_average_pool (%h)\n"
                              "  %dims = shape (%i) {end=2}\n"
                              "  %j = reshape (%i, %dims)\n"
                              "  %k = softmax (%j)\n"
                              "  return %k\n"
                              "}\n";

static void count_pass(void *arg, const struct graph *g, const struct pass *pass, bool changed)
{
    (void)g;
    (void)changed;
    assert_non_null(pass->name);
    ++*(int *)arg;
}

static void test_all_passes(void **state)
{
    (void)state;
    for (int with_target = 0; with_target < 2; with_target++) {
        int n = 0;
        struct pass_options opt = {.target = with_target ? &blocks_target : NULL};
        struct graph *g = parse("network", network);
        if (!passes_run_observed(g, &opt, count_pass, &n, &err))
            fail_msg("%s", err.text);
        assert_true(n >= 6);
        struct node *const *nodes = g->body.nodes;
        assert_int_equal(g->body.n_nodes, 8);
        assert_int_equal(nodes[0]->op, OP_conv);
        assert_int_equal(nodes[1]->op, OP_relu);
        assert_int_equal(nodes[0]->region, nodes[1]->region);
        assert_int_equal(nodes[4]->region, nodes[2]->region);
        assert_int_equal(layout_is_plain(&nodes[4]->out[0]->layout), !with_target);
        struct graph *before = parse("network", network);
        bool changed;
        assert_true(pass_fold_constants(before, &opt, &changed, &err));
        struct run a = run_graph(before), b = run_graph(g);
        assert_same_outputs("network", &a, &b, 0);
    }
}

/* A second run of the passes changes nothing more. */
static void test_passes_are_idempotent(void **state)
{
    (void)state;
    struct graph *g = parse("network", network);
    assert_true(passes_run(g, &no_options, &err));
    const char *text = text_of(g);
    for (const struct pass *p = passes_table; p->name; p++) {
        bool changed;
        assert_true(p->run(g, &no_options, &changed, &err));
        if (changed)
            fail_msg("%s changed the graph again", p->name);
    }
    assert_string_equal(text_of(g), text);
}

static void test_faults_of_the_model(void **state)
{
    (void)state;
    struct graph *g = parse("fault", "graph \"g\" source \"m.onnx\" {\n"
                                     "  input %x f32 [2]\n"
                                     "  input %y f32 [3]\n"
                                     "  %z = add \"Add_0\" (%x, %y)\n"
                                     "  return %z\n"
                                     "}\n");
    assert_false(passes_run(g, &no_options, &err));
    assert_non_null(strstr(err.text, "m.onnx: node 'Add_0'"));
    assert_null(pass_by_name("no_such_pass"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_files),
        TEST(test_all_passes),
        TEST(test_passes_are_idempotent),
        TEST(test_faults_of_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
