/*
 * The quantizer, text to text: each file tests/ir/quantize/graphs/NAME.graph holds
 *
 *     # what it shows
 *     weights_only i4 32                 (the function, where not quantize_graph: type, block)
 *     convert_storage f16                (the same: type)
 *     with int16 io                      (optional: words of set_option below)
 *     keep Conv y                        (optional: kinds, and names of nodes or tensors)
 *     searched z                         (optional, after that: such names that a search found)
 *     within 0.02                        (optional: see below)
 *     range NAME MIN MAX                 (one for each tensor of the profile)
 *     graph "g" { ... }                  (input)
 *     ---
 *     graph "g" { ... }                  (what the quantizer must make of it)
 *     ---
 *     conv 'c': quantized                (the report)
 *     softmax 'p': softmax has no integer form
 *     relu 'r': chosen: kept by ...      (the user wants it so, or its neighbours do)
 *
 * Beside the text, the meaning is held: the graph before, the quantized one and what passes make of
 * that are run by the evaluator on the same inputs, which fill their ranges.  Outputs may differ by
 * the part `within` (0.02) of their largest value.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ir/passes/passes.h"
#include "ir/quantize/quantize.h"
#include "tests/ir/program_run.h"
#include "tests/support/random.h"
#include "tests/support/support.h"

enum { MAX_NAMES = 16 };

enum function { QUANTIZE_GRAPH, WEIGHTS_ONLY, CONVERT_STORAGE };

struct test_case {
    enum function function;
    enum dtype type;
    int64_t block;
    struct quantize_options opt;
    struct profile profile;
    size_t cap_tensors;
    const char *names[MAX_NAMES];
    double within;
    char *input, *expected, *notes;
};

/* ---- reading a case ---- */

static void set_option(struct quantize_options *opt, const char *word)
{
    struct calibration_options *c = &opt->calibration;
    if (!strcmp(word, "int16"))
        c->type = opt->weights = DTYPE_I16;
    else if (!strcmp(word, "bias8"))
        opt->bias = DTYPE_I8;
    else if (!strcmp(word, "bias16"))
        opt->bias = DTYPE_I16;
    else if (!strcmp(word, "symmetric"))
        c->schema = SCHEMA_SYMMETRIC;
    else if (!strcmp(word, "uint8"))
        c->schema = SCHEMA_SYMMETRIC_WITH_UINT8;
    else if (!strcmp(word, "power2"))
        c->schema = SCHEMA_SYMMETRIC_WITH_POWER2_SCALE;
    else if (!strcmp(word, "tensorwise"))
        opt->per_channel = opt->per_row = false;
    else if (!strcmp(word, "io"))
        opt->quantize_io = true;
    else
        fail_msg("no option '%s'", word);
}

static void keep(struct test_case *c, const char *word)
{
    if (node_set_add_kind(&c->opt.keep.nodes, word))
        return;
    assert_true(c->opt.keep.nodes.n_names < MAX_NAMES);
    c->names[c->opt.keep.nodes.n_names++] = word;
}

static void add_range(struct test_case *c, const char *name, float min, float max)
{
    struct profile *p = &c->profile;
    struct histogram *h = arena_new(&arena, struct histogram);
    const float ends[2] = {min, max};
    histogram_init(h);
    histogram_add(h, ends, 2);
    ARENA_PUSH(&arena, p->tensor, p->n, c->cap_tensors) = (struct profile_tensor){name, h};
}

static void read_line(struct test_case *c, char *line)
{
    const char *kind = strtok(line, " ");
    if (!kind || *kind == '#')
        return;
    for (char *word = strtok(NULL, " "); word; word = strtok(NULL, " ")) {
        if (!strcmp(kind, "with")) {
            set_option(&c->opt, word);
        } else if (!strcmp(kind, "keep")) {
            keep(c, word);
        } else if (!strcmp(kind, "searched")) {
            keep(c, word);
            c->opt.keep.n_searched++;
        } else if (!strcmp(kind, "weights_only")) {
            c->function = WEIGHTS_ONLY;
            c->type = dtype_parse(word);
            c->block = strtol(strtok(NULL, " "), NULL, 10);
        } else if (!strcmp(kind, "convert_storage")) {
            c->function = CONVERT_STORAGE;
            c->type = dtype_parse(word);
        } else if (!strcmp(kind, "within")) {
            c->within = strtod(word, NULL);
        } else if (!strcmp(kind, "range")) {
            float min = strtof(strtok(NULL, " "), NULL);
            add_range(c, word, min, strtof(strtok(NULL, " "), NULL));
        } else {
            fail_msg("no line begins with '%s'", kind);
        }
    }
}

static struct test_case *read_case(const char *what, char *text)
{
    struct test_case *c = arena_new(&arena, struct test_case);
    c->opt = (struct quantize_options){.calibration.type = DTYPE_I8,
                                       .weights = DTYPE_I8,
                                       .bias = DTYPE_I32,
                                       .per_channel = true,
                                       .per_row = true};
    c->opt.keep.nodes.name = c->names;
    c->within = 0.02;
    while (strncmp(text, "graph ", 6) != 0) {
        char *end = strchr(text, '\n');
        if (!end)
            fail_msg("%s: there is no graph", what);
        *end = '\0';
        read_line(c, text);
        text = end + 1;
    }
    c->input = text;
    for (char **part = &c->expected; part <= &c->notes; part++) {
        char *middle = strstr(text, "\n---\n");
        if (!middle)
            fail_msg("%s: lacks a part", what);
        middle[1] = '\0';
        *part = text = middle + 5;
    }
    return c;
}

/* ---- what graphs compute ---- */

static struct tensor tensor_of(const struct run *r, const struct value *v, enum sheaf_role role)
{
    const struct pbuf *b = find(r->p, v->name, role);
    struct tensor t = {.dtype = b->dtype, .rank = b->rank};
    memcpy(t.dims, b->dims, sizeof t.dims);
    t.data = data(r, v->name, role);
    return t;
}

static double real_of(const struct tensor *t, const struct quant *q, int64_t i)
{
    return q->scale != 0 ? schema_dequantize(tensor_get_int(t, i), q) : tensor_get(t, i);
}

/* Over the range of the profile, the same for the same name; `given` is the input before it was
   quantized. */
static void fill(const struct test_case *c, const struct value *given, const struct value *v,
                 struct tensor *t)
{
    const struct histogram *h = profile_find(&c->profile, v->name);
    double min = h ? (double)h->min : 0, max = h ? (double)h->max : 1;
    uint64_t seed = strlen(v->name);
    for (int64_t i = 0; i < tensor_elems(t); i++) {
        double x = min + (max - min) * (double)random_next(&seed) / 0x1p31;
        if (v->dtype != given->dtype && v->quant.scale != 0)
            tensor_set_int(t, i, schema_quantize(x, &v->quant, t->dtype));
        else
            tensor_set(t, i, dtype_is_float(t->dtype) ? x : floor(x + 0.5));
    }
}

static struct run run_graph(const struct test_case *c, const struct graph *given,
                            const struct graph *g)
{
    struct run r = prepare(text_of(g));
    for (size_t i = 0; i < g->body.n_in; i++) {
        struct tensor t = tensor_of(&r, g->body.in[i], SHEAF_ROLE_INPUT);
        fill(c, given->body.in[i], g->body.in[i], &t);
    }
    execute(&r);
    return r;
}

static void assert_near(const char *what, const struct test_case *c, const struct graph *exact,
                        const struct graph *g)
{
    struct run want = run_graph(c, exact, exact), got = run_graph(c, exact, g);
    assert_int_equal(exact->body.n_out, g->body.n_out);
    for (size_t i = 0; i < g->body.n_out; i++) {
        const struct value *v = g->body.out[i];
        assert_string_equal(v->name, exact->body.out[i]->name);
        struct tensor x = tensor_of(&want, exact->body.out[i], SHEAF_ROLE_OUTPUT);
        struct tensor y = tensor_of(&got, v, SHEAF_ROLE_OUTPUT);
        double largest = 0, worst = 0;
        for (int64_t k = 0; k < tensor_elems(&x); k++) {
            largest = fmax(largest, fabs(tensor_get(&x, k)));
            worst = fmax(worst, fabs(tensor_get(&x, k) - real_of(&y, &v->quant, k)));
        }
        if (!(worst <= c->within * largest))
            fail_msg("%s: output '%s' is off by %g, and its largest value is %g", what, v->name,
                     worst, largest);
    }
}

/* ---- files ---- */

static struct graph *parse(const char *what, const char *text)
{
    struct graph *g = graph_parse(&arena, text, &err);
    if (!g || !graph_infer(g, &err))
        fail_msg("%s: %s", what, err.text);
    return g;
}

static const char *notes_text(const struct quantize_report *r)
{
    struct strbuf text;
    strbuf_init(&text, &arena);
    for (size_t i = 0; i < r->n; i++) {
        const struct quantize_note *n = &r->note[i];
        strbuf_printf(&text, "%s '%s': %s%s\n", op_desc(n->op)->id, n->node,
                      n->chosen ? "chosen: " : "", n->quantized ? "quantized" : n->reason);
    }
    return strbuf_text(&text);
}

static bool apply(const struct test_case *c, struct graph *g, struct quantize_report *report)
{
    size_t n_nodes;
    switch (c->function) {
    case WEIGHTS_ONLY:
        return quantize_weights_only(g, c->type, c->block, &c->opt.keep, &n_nodes, &err);
    case CONVERT_STORAGE:
        return convert_storage(g, c->type, c->opt.quantize_io, &c->opt.keep, &err);
    default:
        return quantize_graph(g, &c->profile, &c->opt, report, &err);
    }
}

static void run_case(const char *what, char *text)
{
    struct test_case *c = read_case(what, text);
    struct graph *before = parse(what, c->input), *g = parse(what, c->input);
    struct quantize_report report = {0};
    if (!apply(c, g, &report) || !graph_validate(g, &err))
        fail_msg("%s: %s", what, err.text);
    const char *quantized = text_of(g);
    struct graph *lowered = parse(what, quantized);
    support_assert_same_text(what, quantized, text_of(parse(what, c->expected)));
    assert_near(what, c, before, g);
    const struct pass_options opt = {.report = &report};
    if (!passes_run_stage(lowered, PASSES_LOWER, &opt, &err))
        fail_msg("%s: %s", what, err.text);
    assert_near(what, c, before, lowered);
    support_assert_same_text(what, notes_text(&report), c->notes);
}

static void test_files(void **state)
{
    (void)state;
    const char *folder = support_printf("%s/tests/ir/quantize/graphs", support_source());
    assert_true(support_each_file(folder, ".graph", run_case) > 0);
}

/* ---- words of -keep-original-precision-for-nodes ---- */

static void expect_kept(const char *word, enum op a, enum op b)
{
    struct node_set keep = {.n_names = 0};
    if (!node_set_add_kind(&keep, word))
        fail_msg("'%s' is not known", word);
    for (int op = 0; op < OP_COUNT; op++)
        if (keep.op[op] != (op != OP_NONE && (op == (int)a || op == (int)b)))
            fail_msg("'%s': %s is%s kept", word, op_desc((enum op)op)->id,
                     keep.op[op] ? "" : " not");
}

static void test_words(void **state)
{
    (void)state;
    expect_kept("conv", OP_conv, OP_NONE);
    expect_kept("Convolution", OP_conv, OP_NONE);
    expect_kept("SoftMax", OP_softmax, OP_NONE);
    expect_kept("soft_max", OP_softmax, OP_NONE);
    expect_kept("SOFTMAX", OP_softmax, OP_NONE);
    expect_kept("SpatialBN", OP_batch_norm, OP_NONE);
    expect_kept("FullyConnected", OP_gemm, OP_matmul);
    expect_kept("Gemm", OP_gemm, OP_NONE);
    expect_kept("AvgPool", OP_average_pool, OP_global_average_pool);
    expect_kept("global_average_pool", OP_global_average_pool, OP_NONE);
    expect_kept("Add", OP_add, OP_sum);
    static const char *const unknown[] = {"", "Con", "Convolutions", "none", "_"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        struct node_set keep = {.n_names = 0};
        if (node_set_add_kind(&keep, unknown[i]))
            fail_msg("'%s' is known", unknown[i]);
    }
}

/* Every word of the list is known, and every operator has one. */
static void test_list_of_words(void **state)
{
    (void)state;
    struct node_set all = {.n_names = 0};
    size_t n = 0;
    for (; node_set_kind(n); n++)
        if (!node_set_add_kind(&all, node_set_kind(n)))
            fail_msg("'%s' is not known", node_set_kind(n));
    assert_true(n >= OP_COUNT);
    for (int op = OP_NONE + 1; op < OP_COUNT; op++)
        if (!all.op[op])
            fail_msg("%s has no word", op_desc((enum op)op)->id);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_files),
        TEST(test_words),
        TEST(test_list_of_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
