/*
 * Sequences and optionals of ONNX: lists that exist only while a model is read, and what carries
 * them where the run decides what is in them.
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
    {{{"SequenceErase", "s,i", "t", ""}, {"SequenceAt", "t,one", "r", ""}}, "f32 [2,2,3] = gather"},
    {{{"SequenceInsert", "s,x,i", "t", ""}, {"SequenceLength", "t", "r", ""}}, "i64 [] = {4}"},
    {{{"SequenceErase", "s,i", "t", ""}, {"ConcatFromSequence", "t", "r", "axis=1"}},
     "f32 [2,6] = compress"},
    {{{"Identity", "s", "t", ""}, {"SequenceAt", "t,one", "r", ""}}, "= identity (%y)"},
    {{{"Optional", "x", "t", ""}, {"OptionalGetElement", "t", "r", ""}}, "= identity (%x)"},
    {{{"Optional", "x", "t", ""}, {"OptionalHasElement", "t", "r", ""}}, "bool [] = {1}"},
    {{{"Optional", "", "t", ""}, {"OptionalHasElement", "t", "r", ""}}, "bool [] = {0}"},
    {{{"OptionalHasElement", "", "r", ""}}, "bool [] = {0}"},
    {{{"Optional", "", "t", ""}, {"OptionalGetElement", "t", "r", ""}},
     "!the optional holds nothing"},
    {{{"SequenceAt", "s,three", "r", ""}}, "!the position 3 does not exist in a sequence of 3"},
    {{{"SequenceInsert", "s,x,four", "t", ""}}, "!the position 4 does not exist"},
    {{{"SequenceErase", "s,two_numbers", "t", ""}}, "!the position in a sequence is one number"},
    {{{"SequenceEmpty", "", "t", ""}, {"SequenceErase", "t", "r", ""}}, "!without tensors"},
    {{{"SequenceLength", "x", "r", ""}}, "!input 0 of SequenceLength is no sequence"},
    {{{"SequenceInsert", "s,s", "t", ""}}, "!a sequence cannot be put into one"},
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
        onnx_ints(&m.graph, "two_numbers", "2", "0,1");
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
static struct onnx_model loop_model(const char *trip, const char *cond, const char *outputs)
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
    onnx_node_begin(&node, &arena, "Loop", support_printf("%s,,s", trip), outputs, "");
    onnx_graph_attr(&node, "body", &body);
    pb_sub(&m.graph, 1, &node);
    return m;
}

static void loops_with_lists_are_unrolled(void **state)
{
    (void)state;
    struct onnx_model m = loop_model("five", "on", "t,all");
    onnx_node(&m.graph, "SequenceLength", "t", "r", "");
    expect_text(import_of(&m), "i64 [] = {8}");
    m = loop_model("five", "on", "t,all");
    onnx_node(&m.graph, "Relu", "all", "r", "");
    expect_text(import_of(&m), "f32 [5,2,3] = concat");
    m = loop_model("", "on", "t,all");
    expect_error(import_of(&m), "can have 4096 rounds at most");
}

/* ---- lists that the run makes ---- */

/* The start, and one tensor per round more, each [2,3]. */
static void loops_have_room_for_lists(void **state)
{
    (void)state;
    const struct import_symbol room = {.name = "t", .value = 7};
    struct onnx_model m = loop_model("five", "go", "t,all");
    onnx_node(&m.graph, "SequenceAt", "t,i", "r", "");
    expect_text(import_of(&m), "f32 [8,2,3]");
    m = loop_model("i", "on", "t");
    expect_error(import_of(&m), "how long the sequence 't' can become is not known: it must be "
                                "given, as in -onnx-define-symbol=t,8");
    m = loop_model("i", "on", "t");
    onnx_node(&m.graph, "SequenceAt", "t,i", "r", "");
    error_init(&err);
    onnx_output(&m.graph, "r", ONNX_F32, NULL);
    struct graph *g =
        import_onnx_with(&m, (struct import_options){.symbols = &room, .n_symbols = 1});
    expect_text(g, "f32 [7,2,3]");
    assert_null(strstr(text_of(g), "f32 [8,2,3] = pad"));
    const struct import_symbol too_short = {.name = "t", .value = 2};
    m = loop_model("i", "on", "t");
    error_init(&err);
    onnx_output(&m.graph, "t", ONNX_F32, NULL);
    expect_error(
        import_onnx_with(&m, (struct import_options){.symbols = &too_short, .n_symbols = 1}),
        "gives the sequence 't' 2 tensors, it can have 3 to 65536");
}

/* r = go ? one : other; each a list of these tensors, or an optional. */
static struct graph *import_branches(const char *const nodes[2][4])
{
    struct onnx_model m;
    struct strbuf branch, node;
    begin(&m);
    onnx_ints(&m.graph, "two", "1", "2");
    onnx_input(&m.graph, "go", ONNX_BOOL, "");
    onnx_input(&m.graph, "w", ONNX_F32, "3");
    onnx_node_begin(&node, &arena, "If", "go", "r", "");
    for (int b = 0; b < 2; b++) {
        strbuf_init(&branch, &arena);
        onnx_node(&branch, nodes[b][0], nodes[b][1], nodes[b][2], nodes[b][3]);
        onnx_output(&branch, nodes[b][2], ONNX_F32, NULL);
        onnx_graph_attr(&node, b ? "else_branch" : "then_branch", &branch);
    }
    pb_sub(&m.graph, 1, &node);
    return import_of(&m);
}

static void branches_give_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *nodes[2][4], *want;
    } pairs[] = {
        /* one length: tensor by tensor */
        {{{"SequenceConstruct", "x,y", "a", ""}, {"SequenceConstruct", "y,z", "b", ""}},
         "return %r_0, %r_1\n"},
        {{{"SequenceConstruct", "x", "a", ""}, {"SequenceConstruct", "y,z", "b", ""}},
         "return %r_0, %r_1, %r_length\n"},
        {{{"SequenceConstruct", "x", "a", ""}, {"Optional", "", "b", ""}},
         "return %r_0, %r_length, %r_present\n"},
        {{{"Optional", "x", "a", ""}, {"Optional", "", "b", ""}}, "return %r, %r_present\n"},
        {{{"Optional", "", "a", ""}, {"Optional", "", "b", ""}}, "!optionals that hold nothing"},
        {{{"SequenceConstruct", "x", "a", ""}, {"Optional", "x", "b", ""}},
         "!a sequence once and a tensor once"},
        {{{"SequenceConstruct", "x", "a", ""}, {"SequenceConstruct", "w,w", "b", ""}},
         "!tensors of f32 with 2 and of f32 with 1 dimensions"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct graph *g = import_branches(pairs[i].nodes);
        if (*pairs[i].want == '!')
            expect_error(g, pairs[i].want + 1);
        else
            expect_text(g, pairs[i].want);
    }
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

static void maps_are_refused(void **state)
{
    (void)state;
    struct onnx_model m;
    struct strbuf tensor = tensor_type(), map, type;
    strbuf_init(&map, &arena);
    strbuf_init(&type, &arena);
    pb_int(&map, 1, ONNX_I64);
    pb_sub(&map, 2, &tensor);
    pb_sub(&type, 5, &map);
    onnx_begin(&m, &arena, 18);
    list_input(&m, "s", &type);
    onnx_node(&m.graph, "Identity", "s", "r", "");
    expect_error(import_of(&m), "input 's' is a map, whose keys are known only at run time");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lists_are_followed, setup_import, teardown),
        cmocka_unit_test_setup_teardown(maps_are_rounds, setup_import, teardown),
        cmocka_unit_test_setup_teardown(loops_with_lists_are_unrolled, setup_import, teardown),
        cmocka_unit_test_setup_teardown(loops_have_room_for_lists, setup_import, teardown),
        cmocka_unit_test_setup_teardown(branches_give_one_form, setup_import, teardown),
        cmocka_unit_test_setup_teardown(maps_are_refused, setup_import, teardown),
        cmocka_unit_test_setup_teardown(tensors_of_lists_have_numbers, setup_import, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
