/*
 * Functions that an ONNX model defines itself: their nodes stand in for a call, with the caller's
 * inputs and attributes.
 */
#include "tests/loader/import_run.h"

static void parameter(struct strbuf *function, const char *word)
{
    pb_string(function, 4, word);
}

static void result(struct strbuf *function, const char *word)
{
    pb_string(function, 5, word);
}

static void function_begin(struct strbuf *f, const char *name, const char *inputs,
                           const char *outputs, int64_t opset)
{
    struct strbuf set;
    strbuf_init(f, &arena);
    strbuf_init(&set, &arena);
    pb_string(f, 1, name);
    pb_each_word(f, inputs, parameter);
    pb_each_word(f, outputs, result);
    pb_int(&set, 2, opset);
    pb_sub(f, 9, &set);
    pb_string(f, 10, "local");
}

static void function_node(struct strbuf *f, const char *op, const char *inputs, const char *outputs,
                          const char *attrs)
{
    struct strbuf node;
    onnx_node_begin(&node, &arena, op, inputs, outputs, attrs);
    pb_sub(f, 7, &node);
}

/* A float attribute `name` of the node is the function's attribute `from`. */
static void refer(struct strbuf *node, const char *name, const char *from)
{
    struct strbuf attr;
    strbuf_init(&attr, &arena);
    pb_string(&attr, 1, name);
    pb_int(&attr, 20, 1);
    pb_string(&attr, 21, from);
    pb_sub(node, 5, &attr);
}

static void call(struct strbuf *node, const char *name, const char *inputs, const char *outputs,
                 const char *attrs)
{
    onnx_node_begin(node, &arena, name, inputs, outputs, attrs);
    pb_string(node, 7, "local");
}

/* A model with one call, `inputs` of x f32 [2] and the scalar s, whose result is y. */
static struct graph *import_call(const struct strbuf *functions, size_t n, const char *name,
                                 const char *inputs, const char *attrs)
{
    struct onnx_model m;
    struct strbuf node, bytes;
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "2");
    onnx_input(&m.graph, "s", ONNX_F32, "");
    call(&node, name, inputs, "y", attrs);
    pb_sub(&m.graph, 1, &node);
    onnx_output(&m.graph, "y", ONNX_F32, "2");
    onnx_end(&m, &bytes);
    for (size_t i = 0; i < n; i++)
        pb_sub(&bytes, 25, &functions[i]);
    error_init(&err);
    return import_onnx_bytes(&bytes, (struct import_options){0});
}

/* Its inner names are those of the graph, too, and mean something else. */
static struct strbuf relu_of_sum(void)
{
    struct strbuf f;
    function_begin(&f, "ReluOfSum", "s,y", "x", 13);
    function_node(&f, "Add", "s,y", "t", "");
    function_node(&f, "Relu", "t", "x", "");
    return f;
}

static void calls_become_nodes(void **state)
{
    (void)state;
    struct strbuf f = relu_of_sum();
    struct graph *g = import_call(&f, 1, "ReluOfSum", "x,s", "");
    expect_text(g, "%t f32 [2] = add (%x, %s)");
    expect_text(g, "%y f32 [2] = relu \"x\" (%t)");
    expect_text(g, "return %y");
}

static void functions_call_functions(void **state)
{
    (void)state;
    struct strbuf f[2] = {relu_of_sum()}, node;
    function_begin(&f[1], "Twice", "x", "y", 13);
    call(&node, "ReluOfSum", "x,x", "t", "");
    pb_sub(&f[1], 7, &node);
    call(&node, "ReluOfSum", "t,t", "y", "");
    pb_sub(&f[1], 7, &node);
    struct graph *g = import_call(f, 2, "Twice", "x", "");
    assert_int_equal(g->body.n_nodes, 4);
    expect_text(g, "= add (%x, %x)");
}

/* alpha has no default, beta has 0.25. */
static struct strbuf hard_sigmoid(void)
{
    struct strbuf f, node, beta;
    function_begin(&f, "Own", "x", "y", 13);
    pb_string(&f, 6, "alpha");
    strbuf_init(&beta, &arena);
    pb_string(&beta, 1, "beta");
    pb_float(&beta, 2, 0.25f);
    pb_int(&beta, 20, 1);
    pb_sub(&f, 11, &beta);
    onnx_node_begin(&node, &arena, "HardSigmoid", "x", "y", "");
    refer(&node, "alpha", "alpha");
    refer(&node, "beta", "beta");
    pb_sub(&f, 7, &node);
    return f;
}

static void attributes_are_the_callers(void **state)
{
    (void)state;
    struct strbuf f = hard_sigmoid();
    expect_text(import_call(&f, 1, "Own", "x", "alpha=0.75 beta=0.0"),
                "hard_sigmoid (%x) {alpha=0.75, beta=0}");
    expect_text(import_call(&f, 1, "Own", "x", "alpha=0.75"),
                "hard_sigmoid (%x) {alpha=0.75, beta=0.25}");
    /* Neither given nor with a default: the node has its own. */
    expect_text(import_call(&f, 1, "Own", "x", ""), "hard_sigmoid (%x) {beta=0.25}");
}

static void parameters_may_be_left_out(void **state)
{
    (void)state;
    struct strbuf f;
    function_begin(&f, "Limit", "x,lo,hi", "y", 13);
    function_node(&f, "Clip", "x,lo,hi", "y", "");
    expect_text(import_call(&f, 1, "Limit", "x,s", ""), "= clip (%x, %s)");
    expect_text(import_call(&f, 1, "Limit", "x", ""), "= clip (%x)");
}

static void functions_have_an_opset_of_their_own(void **state)
{
    (void)state;
    struct strbuf f;
    function_begin(&f, "Limit", "x", "y", 6);
    function_node(&f, "Clip", "x", "y", "min=0.5 max=6.0");
    expect_text(import_call(&f, 1, "Limit", "x", ""), "clip (%x, %");
}

static void faults_are_sentences(void **state)
{
    (void)state;
    struct strbuf f[2] = {relu_of_sum(), relu_of_sum()}, node;
    expect_error(import_call(f, 2, "ReluOfSum", "x,s", ""), "there are two functions 'ReluOfSum'");
    error_init(&err);
    expect_error(import_call(f, 1, "ReluOfSum", "x,s,s", ""),
                 "it has 3 inputs and 1 outputs, the function 'local.ReluOfSum' has 2 and 1");
    function_begin(&f[1], "Endless", "x", "y", 13);
    call(&node, "Endless", "x", "y", "");
    pb_sub(&f[1], 7, &node);
    expect_error(import_call(f, 2, "Endless", "x", ""),
                 "the function 'local.Endless' calls itself");
    function_begin(&f[1], "Empty", "x", "y", 13);
    expect_error(import_call(f, 2, "Empty", "x", ""),
                 "the output 'y' of the function 'local.Empty' is not defined");
    function_begin(&f[1], "Outer", "t", "y", 13);
    function_node(&f[1], "Relu", "x", "y", "");
    expect_error(import_call(f, 2, "Outer", "x", ""), "its input 'x' is neither computed");
    function_begin(&f[1], "Unknown", "x", "y", 13);
    function_node(&f[1], "Foo", "x", "y", "");
    expect_error(import_call(f, 2, "Unknown", "x", ""), "1 operator is not supported: 'Foo'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_become_nodes, setup_import, teardown),
        cmocka_unit_test_setup_teardown(functions_call_functions, setup_import, teardown),
        cmocka_unit_test_setup_teardown(attributes_are_the_callers, setup_import, teardown),
        cmocka_unit_test_setup_teardown(parameters_may_be_left_out, setup_import, teardown),
        cmocka_unit_test_setup_teardown(functions_have_an_opset_of_their_own, setup_import,
                                        teardown),
        cmocka_unit_test_setup_teardown(faults_are_sentences, setup_import, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
