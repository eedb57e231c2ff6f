/*
 * Sequences and optionals of ONNX: lists that exist only while a model is read.
 */
#include "tests/loader/import_run.h"

/* x f32 [2,3], y f32 [2,3], z f32 [2,3], i i64 [] and the constants one, minus. */
static void begin(struct onnx_model *m)
{
    onnx_begin(m, &arena, 18);
    onnx_input(&m->graph, "x", ONNX_F32, "2,3");
    onnx_input(&m->graph, "y", ONNX_F32, "2,3");
    onnx_input(&m->graph, "z", ONNX_F32, "2,3");
    onnx_input(&m->graph, "i", ONNX_I64, "");
    onnx_ints(&m->graph, "one", "", "1");
    onnx_ints(&m->graph, "minus", "", "-1");
    onnx_node(&m->graph, "SequenceConstruct", "x,y,z", "s", "");
}

static struct graph *import_of(struct onnx_model *m)
{
    error_init(&err);
    onnx_output(&m->graph, "r", ONNX_F32, NULL);
    return import_onnx(m);
}

struct list_case {
    const char *nodes[3][4]; /* operator, inputs, outputs, attributes */
    const char *want;        /* in the graph's text, or "!" and part of the sentence */
};

static const struct list_case cases[] = {
    {{{"SequenceAt", "s,one", "r", ""}}, "%r f32 [2,3] = identity (%y)"},
    {{{"SequenceAt", "s,minus", "r", ""}}, "= identity (%z)"},
    {{{"SequenceErase", "s,one", "t", ""}, {"SequenceAt", "t,one", "r", ""}}, "= identity (%z)"},
    {{{"SequenceErase", "s", "t", ""}, {"SequenceAt", "t,minus", "r", ""}}, "= identity (%y)"},
    {{{"SequenceInsert", "s,x", "t", ""}, {"SequenceAt", "t,minus", "r", ""}}, "= identity (%x)"},
    {{{"SequenceInsert", "s,x,one", "t", ""}, {"SequenceAt", "t,one", "r", ""}}, "= identity (%x)"},
    {{{"SequenceInsert", "s,x,minus", "t", ""}, {"SequenceAt", "t,minus", "r", ""}},
     "= identity (%z)"},
    {{{"SequenceLength", "s", "r", ""}}, "i64 [] = {3}"},
    {{{"SequenceEmpty", "", "t", "dtype=1"}, {"SequenceLength", "t", "r", ""}}, "i64 [] = {0}"},
    {{{"ConcatFromSequence", "s", "r", "axis=1"}}, "f32 [2,9] = concat"},
    {{{"ConcatFromSequence", "s", "r", "axis=-1 new_axis=1"}}, "f32 [2,3,3] = concat"},
    {{{"SplitToSequence", "x", "t", "axis=1 keepdims=0"}, {"SequenceAt", "t,one", "r", ""}},
     "f32 [2] = squeeze"},
    {{{"SplitToSequence", "x", "t", "axis=-1"}, {"SequenceAt", "t,minus", "r", ""}}, "f32 [2,1]"},
    {{{"SplitToSequence", "x,two", "t", "axis=1"}, {"SequenceAt", "t,one", "r", ""}}, "f32 [2,1]"},
    /* a position that the run gives */
    {{{"SequenceAt", "s,i", "r", ""}}, "f32 [2,3] = gather"},
    {{{"Identity", "s", "t", ""}, {"SequenceAt", "t,one", "r", ""}}, "= identity (%y)"},
    {{{"Optional", "x", "t", ""}, {"OptionalGetElement", "t", "r", ""}}, "= identity (%x)"},
    {{{"Optional", "x", "t", ""}, {"OptionalHasElement", "t", "r", ""}}, "bool [] = {1}"},
    {{{"Optional", "", "t", ""}, {"OptionalHasElement", "t", "r", ""}}, "bool [] = {0}"},
    {{{"OptionalHasElement", "", "r", ""}}, "bool [] = {0}"},
    {{{"Optional", "", "t", ""}, {"OptionalGetElement", "t", "r", ""}},
     "!the optional holds nothing"},
    {{{"SequenceAt", "s,three", "r", ""}}, "!the position 3 does not exist in a sequence of 3"},
    {{{"SequenceInsert", "s,x,four", "t", ""}}, "!the position 4 does not exist"},
    {{{"SequenceErase", "s,i", "t", ""}}, "!must be one constant number"},
    {{{"SequenceEmpty", "", "t", ""}, {"SequenceErase", "t", "r", ""}}, "!without tensors"},
    {{{"SequenceLength", "x", "r", ""}}, "!input 0 of SequenceLength is no sequence"},
    {{{"Relu", "s", "r", ""}}, "!its input 's' is a sequence, and Relu takes none"},
    {{{"SplitToSequence", "x,i", "t", ""}}, "!needs constant sizes"},
    {{{"SplitToSequence", "x", "t", "axis=2"}}, "!axis 2 does not exist in 2 dimensions"},
};

static void lists_are_followed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct onnx_model m;
        begin(&m);
        onnx_ints(&m.graph, "two", "", "2");
        onnx_ints(&m.graph, "three", "", "3");
        onnx_ints(&m.graph, "four", "", "4");
        for (size_t k = 0; k < 3 && cases[i].nodes[k][0]; k++)
            onnx_node(&m.graph, cases[i].nodes[k][0], cases[i].nodes[k][1], cases[i].nodes[k][2],
                      cases[i].nodes[k][3]);
        struct graph *g = import_of(&m);
        if (*cases[i].want == '!')
            expect_error(g, cases[i].want + 1);
        else
            expect_text(g, cases[i].want);
    }
}

/* Each element through the body, whose names are new in each round. */
static void maps_are_rounds(void **state)
{
    (void)state;
    struct onnx_model m;
    struct strbuf body, node;
    begin(&m);
    strbuf_init(&body, &arena);
    onnx_input(&body, "a", ONNX_F32, NULL);
    onnx_input(&body, "b", ONNX_F32, NULL);
    onnx_node(&body, "Sub", "a,b", "c", "");
    onnx_output(&body, "c", ONNX_F32, NULL);
    onnx_node_begin(&node, &arena, "SequenceMap", "s,x", "t", "");
    onnx_graph_attr(&node, "body", &body);
    pb_sub(&m.graph, 1, &node);
    onnx_node(&m.graph, "SequenceAt", "t,one", "r", "");
    struct graph *g = import_of(&m);
    expect_text(g, "= sub \"c\" (%y, %x)");
    assert_int_equal(g->body.n_nodes, 3);
}

/* for (k = 0; k < trip; k++) s = insert(s, x + k) */
static struct onnx_model loop_model(const char *trip, const char *cond)
{
    struct onnx_model m;
    struct strbuf body, node;
    begin(&m);
    onnx_ints(&m.graph, "five", "", "5");
    onnx_input(&m.graph, "go", ONNX_BOOL, "");
    strbuf_init(&body, &arena);
    onnx_input(&body, "k", ONNX_I64, "");
    onnx_input(&body, "on", ONNX_BOOL, "");
    onnx_input(&body, "list", ONNX_F32, NULL);
    onnx_node(&body, "Cast", "k", "float", "to=1");
    onnx_node(&body, "Add", "x,float", "sum", "");
    onnx_node(&body, "SequenceInsert", "list,sum", "more", "");
    onnx_output(&body, cond, ONNX_BOOL, NULL);
    onnx_output(&body, "more", ONNX_F32, NULL);
    onnx_output(&body, "sum", ONNX_F32, NULL);
    onnx_node_begin(&node, &arena, "Loop", support_printf("%s,,s", trip), "t,all", "");
    onnx_graph_attr(&node, "body", &body);
    pb_sub(&m.graph, 1, &node);
    return m;
}

static void loops_with_lists_are_unrolled(void **state)
{
    (void)state;
    struct onnx_model m = loop_model("five", "on");
    onnx_node(&m.graph, "SequenceLength", "t", "r", "");
    expect_text(import_of(&m), "i64 [] = {8}");
    m = loop_model("five", "on");
    onnx_node(&m.graph, "Relu", "all", "r", "");
    expect_text(import_of(&m), "f32 [5,2,3] = concat");
    m = loop_model("i", "on");
    expect_error(import_of(&m), "needs a constant number of rounds");
    m = loop_model("five", "go");
    expect_error(import_of(&m), "needs a condition that is constant");
    m = loop_model("", "on");
    expect_error(import_of(&m), "can have 4096 rounds at most");
}

/* ---- lists that the client sees ---- */

/* A type that holds another one: field 4 is a sequence, 9 an optional. */
static struct strbuf list_type(unsigned field, const struct strbuf *of)
{
    struct strbuf inner, type;
    strbuf_init(&inner, &arena);
    strbuf_init(&type, &arena);
    pb_sub(&inner, 1, of);
    pb_sub(&type, field, &inner);
    return type;
}

static void list_input(struct onnx_model *m, const char *name, const struct strbuf *type)
{
    struct strbuf info;
    strbuf_init(&info, &arena);
    pb_string(&info, 1, name);
    pb_sub(&info, 2, type);
    pb_sub(&m->graph, 11, &info);
}

static struct strbuf tensor_type(void)
{
    struct strbuf tensor, type;
    strbuf_init(&tensor, &arena);
    strbuf_init(&type, &arena);
    pb_int(&tensor, 1, ONNX_F32);
    pb_sub(&type, 1, &tensor);
    return type;
}

static struct graph *import_list(unsigned field, const char *op, int64_t length)
{
    struct onnx_model m;
    struct strbuf tensor = tensor_type(), type = list_type(field, &tensor);
    const struct import_input x[2] = {{.name = "s_0", .rank = 1, .dims = {2}},
                                      {.name = "s_1", .rank = 1, .dims = {3}}};
    const struct import_input one = {.name = "s", .rank = 1, .dims = {2}};
    const struct import_symbol n = {.name = "s", .value = length};
    onnx_begin(&m, &arena, 18);
    list_input(&m, "s", &type);
    onnx_node(&m.graph, op, "s", "r", "");
    onnx_output(&m.graph, "r", ONNX_F32, NULL);
    error_init(&err);
    return import_onnx_with(&m, (struct import_options){.inputs = field == 4 ? x : &one,
                                                        .n_inputs = length > 0 ? (size_t)length : 0,
                                                        .symbols = &n,
                                                        .n_symbols = length >= 0});
}

static void tensors_of_lists_have_numbers(void **state)
{
    (void)state;
    struct graph *g = import_list(4, "Identity", 2);
    expect_text(g, "input %s_0 f32 [2]");
    expect_text(g, "input %s_1 f32 [3]");
    expect_text(g, "return %r_0, %r_1");
    expect_text(import_list(9, "OptionalGetElement", 1), "%r f32 [2] = identity (%s)");
    expect_text(import_list(9, "OptionalHasElement", 0), "bool [] = {0}");
    expect_error(import_list(4, "Identity", -1),
                 "input 's' is a sequence: how many tensors it has must be given, as in "
                 "-onnx-define-symbol=s,1");
    expect_error(import_list(9, "Identity", 2), "it can have 1");
    expect_error(import_list(4, "Identity", 0), "sequences without tensors");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lists_are_followed, setup_import, teardown),
        cmocka_unit_test_setup_teardown(maps_are_rounds, setup_import, teardown),
        cmocka_unit_test_setup_teardown(loops_with_lists_are_unrolled, setup_import, teardown),
        cmocka_unit_test_setup_teardown(tensors_of_lists_have_numbers, setup_import, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
