/*
 * ONNX import: random operators, and the operators of ai.onnx.preview.training.  What they compute
 * is compared elsewhere (tests/conformance, tests/ir/test_ops_draw.c).
 */
#include "tests/loader/import_run.h"

static void training_node(struct onnx_model *m, const char *op, const char *inputs,
                          const char *outputs, const char *attrs)
{
    struct strbuf node;
    onnx_node_begin(&node, &arena, op, inputs, outputs, attrs);
    pb_string(&node, 7, "ai.onnx.preview.training");
    pb_sub(&m->graph, 1, &node);
}

/* x f32 [2,3], p f32 [2,3], i i64 [2,3], scalars rate, number, and the constant w f32 [3]. */
static void begin(struct onnx_model *m)
{
    error_init(&err);
    onnx_begin(m, &arena, 22);
    onnx_input(&m->graph, "x", ONNX_F32, "2,3");
    onnx_input(&m->graph, "p", ONNX_F32, "2,3");
    onnx_input(&m->graph, "i", ONNX_I64, "2,3");
    onnx_input(&m->graph, "rate", ONNX_F32, "");
    onnx_input(&m->graph, "number", ONNX_I64, "");
    onnx_weights(&m->graph, "w", "3");
}

struct one_case {
    const char *op, *inputs, *outputs, *attrs;
    const char *want; /* in the graph's text, or "!" and part of the sentence */
};

static void expect(const struct graph *g, const char *want)
{
    if (*want == '!')
        expect_error(g, want + 1);
    else
        expect_text(g, want);
}

static void random_operators(void **state)
{
    (void)state;
    static const struct one_case cases[] = {
        {"RandomNormal", "", "y", "shape=[2] seed=3.0 mean=1.0",
         "random_normal (%y_state) {mean=1, seed=3, shape=[2]}"},
        {"RandomNormal", "", "y", "dtype=11 shape=[2] seed=3.0", "%y f64 [2] = random_normal"},
        {"RandomNormal", "", "y", "", "!lacks the attribute 'shape'"},
        {"RandomNormal", "x", "y", "shape=[2]", "!RandomNormal has inputs"},
        {"RandomNormalLike", "x", "y", "seed=2.5", "{seed=1075838976, shape=[2,3]}"},
        {"RandomUniformLike", "x", "y", "dtype=10 low=-1.0", "%y f16 [2,3] = random_uniform"},
        {"RandomUniformLike", "i", "y", "dtype=1", "%y f32 [2,3] = random_uniform"},
        {"RandomUniformLike", "i", "y", "", "!results of ONNX type 7 are not possible"},
        {"Bernoulli", "x", "y", "seed=0.0", "= random_uniform \"y\" (%y_state) {shape=[2,3]}"},
        {"Bernoulli", "x", "y", "dtype=9", "%y bool [2,3] = cast"},
        {"Bernoulli", "x", "y", "dtype=6", "%y i32 [2,3] = cast"},
        {"Bernoulli", "x", "y", "dtype=8", "!results of type string are not supported"},
        {"Bernoulli", "i", "y", "", "!Bernoulli takes floats, and 'i' has elements of i64"},
        {"Multinomial", "x", "y", "sample_size=5", "%y i32 [2,5] = cast"},
        {"Multinomial", "x", "y", "dtype=7", "%y i64 [2,1] = cast"},
        {"Multinomial", "x", "y", "dtype=1", "!classes cannot have the type f32"},
        {"Multinomial", "x", "y", "sample_size=0", "!0 of 3 classes cannot be drawn"},
        {"Multinomial", "w", "y", "", "!'w' has 1 dimensions where 2 are needed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct onnx_model m;
        begin(&m);
        onnx_node(&m.graph, cases[i].op, cases[i].inputs, cases[i].outputs, cases[i].attrs);
        onnx_output(&m.graph, "y", ONNX_F32, NULL);
        expect(import_onnx(&m), cases[i].want);
    }
}

static const struct random_uniform_attrs *uniform(const struct graph *g, size_t which)
{
    for (size_t i = 0; i < g->body.n_nodes; i++)
        if (g->body.nodes[i]->op == OP_random_uniform && !which--)
            return g->body.nodes[i]->attrs;
    fail_msg("there is no such node");
    return NULL;
}

/* Nodes without a seed draw different numbers, and those with one the same. */
static void seeds_of_nodes(void **state)
{
    (void)state;
    for (int given = 0; given < 2; given++) {
        struct onnx_model m;
        const char *seed = given ? "seed=4.0" : "";
        begin(&m);
        onnx_node(&m.graph, "RandomUniformLike", "x", "y", seed);
        onnx_node(&m.graph, "Bernoulli", "x", "z", seed);
        onnx_output(&m.graph, "y", ONNX_F32, NULL);
        onnx_output(&m.graph, "z", ONNX_F32, NULL);
        struct graph *g = import_onnx(&m);
        assert_non_null(g);
        assert_int_equal(uniform(g, 0)->seed == uniform(g, 1)->seed, given);
    }
}

static void optimizers(void **state)
{
    (void)state;
    static const struct one_case cases[] = {
        {"Adagrad", "rate,number,x,p,p", "y,h", "", "%y f32 [2,3] = sub"},
        {"Adagrad", "rate,number,x,p", "y", "", "!has 4 inputs where it needs 2 and 3 for each"},
        {"Adagrad", "rate,number,x,p,p", "y,h,z", "", "!has 3 outputs where it gives 2"},
        {"Adagrad", "rate,number,x,p,w", "y", "", "!'w' does not have the type and shape of 'x'"},
        {"Adagrad", "rate,rate,x,p,p", "y", "", "!'rate' cannot have elements of f32"},
        {"Adagrad", "w,number,x,p,p", "y", "", "!'w' is no scalar"},
        {"Adagrad", "rate,number,i,i,i", "y", "", "!'i' has elements of i64, not f32 or f64"},
        {"Adam", "rate,number,x,p,p,p", "y", "", "%y f32 [2,3] = sub"},
        {"Adam", "rate,number,x,p,p,p", "y", "gamma=1.0", "!no attribute 'gamma'"},
        {"Momentum", "rate,number,x,p,p", "y", "alpha=0.5 beta=0.5 norm_coefficient=0.5",
         "!lacks the attribute 'mode'"},
        {"Momentum", "rate,number,x,p,p", "y",
         "alpha=0.5 beta=0.5 norm_coefficient=0.5 mode='fast'", "!the mode is 'fast'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct onnx_model m;
        begin(&m);
        training_node(&m, cases[i].op, cases[i].inputs, cases[i].outputs, cases[i].attrs);
        onnx_output(&m.graph, "y", ONNX_F32, NULL);
        expect(import_onnx(&m), cases[i].want);
    }
}

/* A model may name no version of the default operator set where it uses nothing of that. */
static void training_domain_alone(void **state)
{
    (void)state;
    for (int other = 0; other < 2; other++) {
        struct onnx_model m;
        struct strbuf bytes, set;
        begin(&m);
        training_node(&m, "Adagrad", "rate,number,x,p,p", "y", "");
        if (other)
            onnx_node(&m.graph, "Relu", "x", "z", "");
        onnx_output(&m.graph, "y", ONNX_F32, NULL);
        strbuf_init(&bytes, &arena);
        strbuf_init(&set, &arena);
        pb_int(&bytes, 1, 8);
        pb_sub(&bytes, 7, &m.graph);
        pb_string(&set, 1, "ai.onnx.preview.training");
        pb_int(&set, 2, 1);
        pb_sub(&bytes, 8, &set);
        expect(import_onnx_bytes(&bytes, (struct import_options){0}),
               other ? "!does not say which ONNX operator set it uses" : "%y f32 [2,3] = sub");
    }
}

static void strings_attr(struct strbuf *node, const char *name, const char *list)
{
    struct strbuf attr;
    strbuf_init(&attr, &arena);
    pb_string(&attr, 1, name);
    while (*list) {
        size_t n = strcspn(list, ",");
        pb_bytes(&attr, 9, list, n);
        list += n + (list[n] == ',');
    }
    pb_int(&attr, 20, 8);
    pb_sub(node, 5, &attr);
}

/* z = op(x, p) and its derivatives d, e. */
static struct graph *gradient(const char *op, const char *op_inputs, const char *attrs,
                              const char *inputs, const char *xs, const char *zs)
{
    struct onnx_model m;
    struct strbuf node;
    begin(&m);
    onnx_node(&m.graph, op, op_inputs, "z", attrs);
    onnx_node_begin(&node, &arena, "Gradient", inputs, "y", "y='z'");
    pb_string(&node, 7, "ai.onnx.preview.training");
    strings_attr(&node, "xs", xs);
    if (*zs)
        strings_attr(&node, "zs", zs);
    pb_sub(&m.graph, 1, &node);
    onnx_output(&m.graph, "y", ONNX_F32, NULL);
    return import_onnx(&m);
}

static void gradients(void **state)
{
    (void)state;
    expect(gradient("Mul", "x,p", "", "x,p", "x", "p"), "%y f32 [2,3] = mul");
    expect(gradient("Exp", "p", "", "x,p", "x", "p"), "%y f32 [2,3] = identity (%t");
    expect(gradient("Mul", "x,p", "", "x", "x,p", ""), "!has 1 inputs and 1 outputs for 2 names");
    expect(gradient("Mul", "x,p", "", "p", "x", ""), "!its input 0 is another value than 'x'");
    expect(gradient("Mul", "x,p", "", "x", "q", ""), "!'q' of 'xs' is neither computed");
    expect(gradient("Mul", "x,w", "", "w", "w", ""),
           "!'w', by which is differentiated, is a const");
    expect(gradient("Cast", "x", "to=6", "x", "x", ""), "!the result 'z' has elements of i32");
    expect(gradient("Cast", "i", "to=1", "i", "i", ""), "!the variable 'i' has elements of i64");
    expect(gradient("Floor", "x", "", "x", "x", ""),
           "!'z' depends on 'x', and the derivative of floor is not known");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_operators, setup_import, teardown),
        cmocka_unit_test_setup_teardown(seeds_of_nodes, setup_import, teardown),
        cmocka_unit_test_setup_teardown(optimizers, setup_import, teardown),
        cmocka_unit_test_setup_teardown(training_domain_alone, setup_import, teardown),
        cmocka_unit_test_setup_teardown(gradients, setup_import, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
