/*
 * Import of operators that functions of the user's compute: what the call gets of a node, where
 * types and shapes of its outputs come from, and what no function can be given.
 */
#include "tests/loader/import_run.h"

static const char *const names[] = {"own.F", "Softmax", "own.G"};

static struct import_options options(void)
{
    return (struct import_options){.externs = names, .n_externs = 3, .externs_may_lack = true};
}

static void own_node(struct onnx_model *m, const char *inputs, const char *outputs,
                     const char *attrs, const struct strbuf *attribute)
{
    struct strbuf node;
    onnx_node_begin(&node, &arena, "F", inputs, outputs, attrs);
    if (attribute)
        pb_sub(&node, 5, attribute);
    pb_string(&node, 7, "own");
    pb_sub(&m->graph, 1, &node);
}

static struct onnx_model model_of_x(void)
{
    struct onnx_model m;
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "2,3");
    return m;
}

static void attributes_and_inputs(void **state)
{
    (void)state;
    struct onnx_model m = model_of_x();
    own_node(&m, "x,,x,", "y,,z,", "b=2 a=[0.5,-1.0] t='up' empty=[]", NULL);
    onnx_output(&m.graph, "y", ONNX_I64, "4");
    onnx_output(&m.graph, "z", ONNX_F32, "");
    expect_text(import_onnx_with(&m, options()),
                "%y i64 [4], _, %z f32 [] = extern_call (%x, _, %x) {attribute_kinds=[3,4,5,3], "
                "attribute_names=[\"b\",\"a\",\"t\",\"empty\"], attribute_sizes=[1,2,1,0], "
                "floats=[0.5,-1], in_types=[1,0,1], ints=[2], op=\"own.F\", out_dims=[4], "
                "out_ranks=[1,0,0], out_types=[7,0,1], strings=[\"up\"]}");
}

/* Sheaf's operator gives the shape, and leaves nothing behind; it may be one of older versions. */
static void shapes_of_known_operators(void **state)
{
    (void)state;
    struct onnx_model m = model_of_x();
    onnx_node(&m.graph, "Softmax", "x", "s", "");
    onnx_node(&m.graph, "Relu", "s", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "2,3");
    m.opset = 12;
    struct graph *g = import_onnx_with(&m, options());
    expect_text(g, "%s f32 [2,3] = extern_call (%x) {in_types=[1], op=\"Softmax\", "
                   "out_dims=[2,3], out_ranks=[2], out_types=[1]}");
    assert_int_equal(g->body.n_nodes, 2);
    assert_null(strstr(text_of(g), "flatten"));
    /* The user's word comes first. */
    const struct import_input said = {.name = "s", .dtype = DTYPE_F32, .rank = 2, .dims = {2, 6}};
    struct import_options opt = options();
    opt.extern_outputs = &said;
    opt.n_extern_outputs = 1;
    expect_text(import_onnx_with(&m, opt), "%s f32 [2,6] = extern_call");
}

/* The state that Sheaf's operator would have is not left behind, either. */
static void random_operators_can_be_replaced(void **state)
{
    (void)state;
    static const char *const ops[] = {"RandomUniform"};
    struct import_options opt = {.externs = ops, .n_externs = 1};
    struct onnx_model m = model_of_x();
    onnx_node(&m.graph, "RandomUniform", "", "r", "shape=[2,3]");
    onnx_node(&m.graph, "Add", "x,r", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "2,3");
    struct graph *g = import_onnx_with(&m, opt);
    expect_text(g, "%r f32 [2,3] = extern_call () {");
    assert_null(strstr(text_of(g), "state"));
}

static void functions_of_the_model_are_replaced(void **state)
{
    (void)state;
    struct onnx_model m = model_of_x();
    struct strbuf f, bytes, import;
    own_node(&m, "x", "y", "", NULL);
    onnx_output(&m.graph, "y", ONNX_F32, "2,3");
    onnx_end(&m, &bytes);
    strbuf_init(&f, &arena);
    pb_string(&f, 1, "F");
    pb_string(&f, 4, "a");
    pb_string(&f, 5, "b");
    onnx_node_begin(&import, &arena, "Unheard", "a", "b", "");
    pb_sub(&f, 7, &import);
    pb_string(&f, 10, "own");
    pb_sub(&bytes, 25, &f);
    expect_text(import_onnx_bytes(&bytes, options()), "%y f32 [2,3] = extern_call (%x)");
}

static void what_cannot_be_given(void **state)
{
    (void)state;
    struct strbuf graph, wrong, tensor;
    strbuf_init(&graph, &arena);
    pb_string(&graph, 1, "body");
    struct strbuf inner = {0};
    strbuf_init(&inner, &arena);
    pb_string(&inner, 2, "inner");
    pb_sub(&graph, 6, &inner);
    pb_int(&graph, 20, 5);
    strbuf_init(&wrong, &arena);
    pb_string(&wrong, 1, "text");
    pb_bytes(&wrong, 4, "a\0b", 3);
    pb_int(&wrong, 20, 3);
    strbuf_init(&tensor, &arena);
    pb_string(&tensor, 1, "texts");
    struct strbuf t;
    onnx_tensor_begin(&t, &arena, "t", 8, "1");
    pb_string(&t, 6, "a");
    pb_sub(&tensor, 5, &t);
    pb_int(&tensor, 20, 4);
    const struct {
        const struct strbuf *attribute;
        const char *words;
    } cases[] = {
        {&graph, "node 'y': attribute 'body' holds a graph, which no function can be given"},
        {&wrong, "attribute 'text' is a text with a 0 inside"},
        {&tensor, "attribute 'texts' is a tensor of texts"},
        {NULL, "the model does not tell type and shape of 'y', output 0 of own.F: they must be "
               "given, as in -extern-output=y,float,[DIMS]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct onnx_model m = model_of_x();
        own_node(&m, "x", "y", "", cases[i].attribute);
        onnx_node(&m.graph, "Relu", "y", "r", "");
        onnx_output(&m.graph, "r", ONNX_F32, "2,3");
        expect_error(import_onnx_with(&m, options()), cases[i].words);
        error_init(&err);
    }
    struct onnx_model m = model_of_x();
    onnx_node(&m.graph, "SequenceConstruct", "x,x", "l", "");
    own_node(&m, "l", "y", "", NULL);
    onnx_output(&m.graph, "y", ONNX_F32, "2,3");
    expect_error(import_onnx_with(&m, options()), "its input 'l' is a sequence, which no function");
}

static void shapes_of_run_time_need_a_bound(void **state)
{
    (void)state;
    static const char *const ops[] = {"NonZero"};
    struct import_options opt = {.externs = ops, .n_externs = 1};
    struct onnx_model m = model_of_x();
    onnx_node(&m.graph, "NonZero", "x", "y", "");
    onnx_output(&m.graph, "y", ONNX_I64, "2,n");
    expect_error(import_onnx_with(&m, opt),
                 "the shape of 'y', output 0 of NonZero, would be known only at run time");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(attributes_and_inputs, setup_import, teardown),
        cmocka_unit_test_setup_teardown(shapes_of_known_operators, setup_import, teardown),
        cmocka_unit_test_setup_teardown(random_operators_can_be_replaced, setup_import, teardown),
        cmocka_unit_test_setup_teardown(functions_of_the_model_are_replaced, setup_import,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_given, setup_import, teardown),
        cmocka_unit_test_setup_teardown(shapes_of_run_time_need_a_bound, setup_import, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
