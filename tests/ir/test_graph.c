/*
 * The graph: building and editing it, its text form both ways, and a validator that finds every
 * kind of fault.
 */
#include <stdlib.h>

#include "ir/graph.h"
#include "tests/support/fixture.h"

static struct graph *parse(const char *text)
{
    struct graph *g = graph_parse(&arena, text, &err);
    if (!g)
        fail_msg("%s", err.text);
    return g;
}

/* ---- building and editing ---- */

static void test_names_are_unique(void **state)
{
    (void)state;
    struct graph *g = graph_create(&arena, "g");
    for (int i = 0; i < 300; i++)
        graph_add_value(g, i % 3 ? "x" : NULL, VALUE_TEMP);
    for (size_t i = 0; i < g->n_values; i++)
        assert_ptr_equal(graph_find_value(g, g->values[i]->name), g->values[i]);
    assert_string_equal(g->values[1]->name, "x");
    assert_string_equal(g->values[2]->name, "x_1");
    assert_null(graph_find_value(g, "y"));

    graph_rename_value(g, g->values[2], "x");
    assert_ptr_equal(graph_find_value(g, "x"), g->values[2]);
    assert_string_not_equal(g->values[1]->name, "x");
    assert_ptr_equal(graph_find_value(g, g->values[1]->name), g->values[1]);
    assert_null(graph_find_value(g, "x_1"));
}

static void test_attributes_start_at_their_defaults(void **state)
{
    (void)state;
    struct graph *g = graph_create(&arena, "g");
    struct node *n = graph_add_node(g, &g->body, OP_conv, "c", 2, 1);
    const struct conv_attrs *a = n->attrs;
    assert_string_equal(a->auto_pad, "NOTSET");
    assert_int_equal(a->group, 1);
    assert_null(a->pads.v);
    n = graph_add_node(g, &g->body, OP_leaky_relu, NULL, 1, 1);
    assert_true(((const struct leaky_relu_attrs *)n->attrs)->alpha == 0.01f);
    graph_node_output(g, n, 0, "y");
    assert_string_equal(n->name, "y");
}

static void test_nodes_are_inserted_in_place(void **state)
{
    (void)state;
    struct graph *g = graph_create(&arena, "g");
    struct node *a = graph_add_node(g, &g->body, OP_relu, "a", 1, 1);
    struct node *c = graph_add_node(g, &g->body, OP_relu, "c", 1, 1);
    struct node *b = graph_insert_node(g, &g->body, 1, OP_relu, "b", 1, 1);
    assert_int_equal(g->body.n_nodes, 3);
    assert_ptr_equal(g->body.nodes[0], a);
    assert_ptr_equal(g->body.nodes[1], b);
    assert_ptr_equal(g->body.nodes[2], c);
}

static void test_uses(void **state)
{
    (void)state;
    struct graph *g = parse("graph \"g\" {\n"
                            "  input %x bool [4]\n"
                            "  input %c bool []\n"
                            "  %p i64 [1,4:%n], %n i64 [] = non_zero (%x)\n"
                            "  %q i64 [1,4:%n] = add (%p, %p)\n"
                            "  %r i64 [1,4:%n] = if (%c) do () { return %q } do () { return %p }\n"
                            "  return %r, %q\n"
                            "}\n");
    struct value *p = graph_find_value(g, "p"), *q = graph_find_value(g, "q");
    struct value *n = graph_find_value(g, "n");
    graph_count_uses(g);
    assert_int_equal(p->n_uses, 3);
    assert_int_equal(q->n_uses, 2);
    assert_int_equal(n->n_uses, 3);
    graph_replace_uses(g, p, q);
    graph_count_uses(g);
    assert_int_equal(p->n_uses, 0);
    assert_int_equal(q->n_uses, 5);
    struct value *m = graph_add_input(g, "m", DTYPE_I64, 0, NULL);
    graph_replace_uses(g, n, m);
    assert_ptr_equal(q->shape.extent[1], m);
}

static void test_sweep(void **state)
{
    (void)state;
    struct graph *g = parse("graph \"g\" {\n"
                            "  input %x f32 [4]\n"
                            "  input %c bool []\n"
                            "  const %k f32 [] = {1}\n"
                            "  %a = relu (%x)\n"
                            "  %b = if (%c) do () { %d = neg (%x) return %d } do () { return %x }\n"
                            "  %e = exp (%x)\n"
                            "  return %e\n"
                            "}\n");
    struct value *e = graph_find_value(g, "e"), *k = graph_find_value(g, "k");
    g->body.nodes[0]->op = OP_NONE;
    g->body.nodes[1]->op = OP_NONE;
    graph_drop_value(g, k);
    graph_sweep(g);
    assert_int_equal(g->body.n_nodes, 1);
    assert_int_equal(g->n_values, 3); /* x, c, e */
    assert_ptr_equal(g->values[e->id], e);
    assert_ptr_equal(graph_find_value(g, "e"), e);
    assert_null(graph_find_value(g, "a"));
    assert_null(graph_find_value(g, "d"));
    assert_null(graph_find_value(g, "k"));
}

static void test_inference_names_the_node(void **state)
{
    (void)state;
    struct graph *g = parse("graph \"g\" source \"net.onnx\" {\n"
                            "  input %x f32 [4]\n"
                            "  input %y f32 [5]\n"
                            "  %z = add \"Add_7\" (%x, %y)\n"
                            "  return %z\n"
                            "}\n");
    assert_false(graph_infer(g, &err));
    assert_non_null(strstr(err.text, "net.onnx: node 'Add_7': "));
    error_init(&err);
    g->body.nodes[0]->n_in = 1;
    assert_false(graph_infer(g, &err));
    assert_string_equal(err.text, "net.onnx: node 'Add_7': add has 1 inputs, takes 2");
}

/* ---- text form ---- */

static const char sample[] =
    "graph \"net \\\"1\\\"\" source \"a\\\\b.onnx\" {\n"
    "    input %x f32 [1,3,8,8]\n"
    "    input %cond bool []\n"
    "    input %n i64 []\n"
    "    input %ragged i64 [7:%n,2]\n"
    "    const %w f32 [4,3,1,1] = {0.5, -0, 1.4013e-45, inf, -inf, 0.1, 3.1415927, 1e+10, 1, 2, 3, "
    "4}\n"
    "    const %\"odd name \\x09\" i64 [2] = {-9223372036854775808, 9223372036854775807}\n"
    "    state %seed u64 [2]\n"
    "    const %u u64 [1] = {18446744073709551615}\n"
    "    const %h f16 [3] = {0.33325195, 65504, 5.9604645e-08}\n"
    "    const %d f64 [] = {0.1}\n"
    "    const %four i4 [3] = {-8, 7, 0}\n"
    "    const %zeros f32 [64,64] = fill 0\n"
    "    const %nan f32 [2] = hex 0100c07f0000803f\n"
    "    const %long u8 [20] = hex 000102030405060708090a0b0c0d0e0f10111213\n"
    "    const %empty f32 [0,3] = {}\n"
    "    %y f32 [1,4,8,8] layout \"abcd16b\" quant 0.0125 -3 = conv \"Conv_0\" (%x, %w) "
    "{kernel_shape=[1,1], pads=[]} region 1\n"
    "    %r f32 [1,4,8,8] = relu (%y) region 1\n"
    "    %clip f32 [1,4,8,8] = clip (%r, _, %k)\n"
    "    %filled f32 [64,64] = constant_of_shape (%dims) {value=f32 [1] hex 0100c07f}\n"
    "    %z i64 [4,256:%count], %count i64 [] = non_zero (%clip)\n"
    "    %rand f32 [2] = random_uniform (%seed) {high=2.5, shape=[2]}\n"
    "    _, %hidden f32 [1,1,2] = lstm (%l, %l, %l) {activation_alpha=[0.1,nan.ffc00000], "
    "activations=[\"Tanh\",\"Relu\"], hidden_size=2}\n"
    "    %out f32 [2] = if (%cond) do () {\n"
    "        return %rand\n"
    "    } do () {\n"
    "        %neg f32 [2] = neg (%rand)\n"
    "        return %neg\n"
    "    }\n"
    "    %last f32 [2] = loop \"L\" (_, %cond, %rand) do (%i i64 [], %c bool [], %carried f32 [2]) "
    "{\n"
    "        %next f32 [2] = add (%carried, %rand)\n"
    "        return %c, %next\n"
    "    }\n"
    "    return %out, %last, %z\n"
    "}\n";

/* The sample names %k, %dims and %l, which it does not define. */
static const char *complete_sample(void)
{
    const char *at = strstr(sample, "    state");
    return arena_printf(&arena, "%.*s%s%s", (int)(at - sample), sample,
                        "    const %k f32 [] = {6}\n    const %dims i64 [2] = {64, 64}\n"
                        "    const %l f32 [1,1,1] = {1}\n",
                        at);
}

static void test_text_round_trip(void **state)
{
    (void)state;
    const char *text = complete_sample();
    struct graph *g = parse(text);
    assert_string_equal(text_of(g), text);
    assert_string_equal(text_of(parse(text_of(g))), text);
    assert_int_equal(g->n_regions, 1);
    const struct tensor *nan = graph_find_value(g, "nan")->constant;
    assert_memory_equal(nan->data, "\x01\x00\xc0\x7f\x00\x00\x80\x3f", 8);
    assert_true(tensor_get(graph_find_value(g, "zeros")->constant, 4095) == 0);
}

static void test_text_of_random_constants(void **state)
{
    (void)state;
    uint64_t seed = 3;
    for (int round = 0; round < 200; round++) {
        struct graph *g = graph_create(&arena, "g");
        enum dtype type = (enum dtype)(1 + round % (DTYPE_COUNT - 1));
        int64_t dims[2] = {1 + round % 3, 1 + round % 7};
        struct tensor *t = tensor_new(&arena, type, 2, dims);
        for (int64_t i = 0; i < tensor_bytes(t); i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            uint8_t byte = (uint8_t)(seed >> 40);
            ((uint8_t *)tensor_data(t))[i] = type == DTYPE_BOOL ? byte & 1 : byte;
        }
        struct value *v = graph_add_constant(g, "c", t);
        const struct tensor *back = graph_find_value(parse(text_of(g)), v->name)->constant;
        for (int64_t i = 0; i < tensor_elems(t); i++) {
            double x = tensor_get(t, i), y = tensor_get(back, i);
            assert_memory_equal(&x, &y, sizeof x);
            assert_int_equal(tensor_get_int(t, i), tensor_get_int(back, i));
        }
    }
}

static void test_comments_and_free_form(void **state)
{
    (void)state;
    struct graph *g = parse("graph \"g\" { # a comment { } \"\n"
                            "input %x f32 [2] %y = relu\n(%x) return %y } # end");
    assert_string_equal(text_of(g), "graph \"g\" {\n"
                                    "    input %x f32 [2]\n"
                                    "    %y = relu (%x)\n"
                                    "    return %y\n"
                                    "}\n");
}

static void test_brief_text_elides(void **state)
{
    (void)state;
    struct graph *g = parse("graph \"g\" { const %c u8 [17] = hex "
                            "0001020304050607080910111213141516 const %d u8 [2] = {1, 2} return }");
    struct strbuf b;
    strbuf_init(&b, &arena);
    graph_print_brief(g, &b);
    assert_non_null(strstr(strbuf_text(&b), "const %c u8 [17] = ...\n"));
    assert_non_null(strstr(strbuf_text(&b), "const %d u8 [2] = {1, 2}\n"));
}

static void test_dot(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, &arena);
    graph_print_dot(parse(complete_sample()), &b);
    const char *text = strbuf_text(&b);
    assert_non_null(strstr(text, "digraph \"net \\\"1\\\"\""));
    assert_non_null(strstr(text, "conv\\nConv_0"));
    int depth = 0;
    bool quoted = false;
    for (const char *s = text; *s; s++) {
        if (*s == '\\' && quoted && s[1])
            s++;
        else if (*s == '"')
            quoted = !quoted;
        else if (!quoted)
            depth += (*s == '{') - (*s == '}');
    }
    assert_true(!quoted && depth == 0);
}

static void test_malformed_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; /* part of the sentence */
    } bad[] = {
        {"", "line 1: expected 'graph', found 'the end'"},
        {"graph g {", "expected the quoted name"},
        {"graph \"g\" {\n return", "line 2: expected '}'"},
        {"graph \"g", "does not end on its line"},
        {"graph \"\\q\" {", "an escape other than"},
        {"graph \"g\" {\n\n return %x }", "line 3: the value '%x' is not defined"},
        {"graph \"g\" { %y = rely (%x) return %y }", "there is no operator 'rely'"},
        {"graph \"g\" { input %x f33 [1] return }", "expected an element type, found 'f33'"},
        {"graph \"g\" { input %x f32 [-1] return }", "'-1' is not an integer from 0"},
        {"graph \"g\" { input %x f32 [1,1,1,1,1,1,1,1,1] return }", "more than 8 dimensions"},
        {"graph \"g\" { input %x f32 [1099511627776,2] return }", "elements"},
        {"graph \"g\" { input %x f32 [1] input %x f32 [1] return }", "'%x' is defined twice"},
        {"graph \"g\" { input %x f32 [1:%n] return }", "the extent '%n' is not defined"},
        {"graph \"g\" { input %x f32 [2] layout \"b\" return }", "layout 'b'"},
        {"graph \"g\" { const %x f32 [2] = {1} return }", "expected ','"},
        {"graph \"g\" { const %x f32 [1] = {1, 2} return }", "expected '}'"},
        {"graph \"g\" { const %x i8 [1] = {128} return }", "'128' is not an integer from -128"},
        {"graph \"g\" { const %x u64 [1] = {-1} return }", "type u64"},
        {"graph \"g\" { const %x f32 [1] = {1x} return }", "expected a number"},
        {"graph \"g\" { const %x f32 [1] = hex 00 return }", "8 hexadecimal digits"},
        {"graph \"g\" { const %x f32 [1] = hex 0000zz00 return }", "not a hexadecimal digit"},
        {"graph \"g\" { const %x f32 [1000000000] = {1} return }", "does not have as many"},
        {"graph \"g\" { const %x f32 [1000000000] = fill 1 return }", "too large for 'fill'"},
        {"graph \"g\" { const %x f32 [1] = 5 return }", "expected '{', 'fill' or 'hex'"},
        {"graph \"g\" { input %x f32 [1] %y = relu (%x) {alpha=1} return %y }",
         "relu has no attribute 'alpha'"},
        {"graph \"g\" { input %x f32 [1] %y = leaky_relu (%x) {alpha=a} return %y }",
         "expected a number"},
        {"graph \"g\" { input %x f32 [1] %y = relu (%x return %y }", "expected ','"},
        {"graph \"g\" { input %x f32 [1] relu (%x) return %x }", "a node or 'return'"},
        {"graph \"g\" { return } more", "expected the end of the text"},
        {"graph \"g\" { input % f32 [1] return }", "not followed by a name"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        error_init(&err);
        assert_null(graph_parse(&arena, bad[i].text, &err));
        assert_int_equal(err.status, SHEAF_ERROR_FORMAT);
        if (!strstr(err.text, bad[i].want) || strncmp(err.text, "graph text, line ", 17) != 0)
            fail_msg("'%s' gave '%s', not '%s'", bad[i].text, err.text, bad[i].want);
    }
}

/* Cut anywhere, the text is refused, never a crash. */
static void test_truncated_text(void **state)
{
    (void)state;
    const char *text = complete_sample();
    size_t n = strlen(text);
    for (size_t i = 0; i + 2 < n; i++) {
        error_init(&err);
        assert_null(graph_parse(&arena, arena_strndup(&arena, text, i), &err));
    }
    /* A deep nest of blocks ends in a sentence. */
    struct strbuf b;
    strbuf_init(&b, &arena);
    strbuf_add(&b, "graph \"g\" { input %c bool []\n");
    for (int i = 0; i < 10000; i++)
        strbuf_printf(&b, "%%v%d = if (%%c) do () {\n", i);
    error_init(&err);
    assert_null(graph_parse(&arena, strbuf_text(&b), &err));
    assert_non_null(strstr(err.text, "nested more than"));
}

/* ---- validation ---- */

static const char valid[] =
    "graph \"v\" {\n"
    "  input %x f32 [1,4,6,6]\n"
    "  input %c bool []\n"
    "  const %w f32 [4,4,1,1] = fill 1\n"
    "  const %one i64 [] = {1}\n"
    "  state %seed u64 [2]\n"
    "  %a f32 [1,4,6,6] layout \"acdb\" = conv (%x, %w) region 1\n"
    "  %b f32 [1,4,6,6] = relu (%a) region 1\n"
    "  %n f32 [1,4,6,6] = neg (%b)\n"
    "  %z i64 [4,144:%count], %count i64 [] = non_zero (%b)\n"
    "  %q i64 [4,144:%count] = neg (%z)\n"
    "  %r f32 [2] = random_uniform (%seed) {shape=[2]}\n"
    "  %i f32 [2] = if (%c) do () { return %r } do () { %e f32 [2] = exp (%r) return %e }\n"
    "  %l f32 [2] = loop (%one, %c, %r) do (%k i64 [], %p bool [], %s f32 [2]) {\n"
    "    %t f32 [2] = add (%s, %r)\n"
    "    return %p, %t\n"
    "  }\n"
    "  return %n, %q, %i, %l\n"
    "}\n";

static struct graph *valid_graph(void)
{
    return parse(valid);
}

static struct value *named(struct graph *g, const char *name)
{
    struct value *v = graph_find_value(g, name);
    assert_non_null(v);
    return v;
}

static void break_order(struct graph *g)
{
    struct node *n = g->body.nodes[1];
    g->body.nodes[1] = g->body.nodes[0];
    g->body.nodes[0] = n;
}

static void break_producer(struct graph *g)
{
    named(g, "n")->producer = g->body.nodes[0];
}

static void break_name(struct graph *g)
{
    named(g, "n")->name = "b";
}

static void break_number(struct graph *g)
{
    named(g, "n")->id = 0;
}

static void break_arity(struct graph *g)
{
    g->body.nodes[2]->n_in = 0;
}

static void break_required_input(struct graph *g)
{
    g->body.nodes[0]->in[1] = NULL;
}

static void break_dtype(struct graph *g)
{
    named(g, "n")->dtype = DTYPE_F64;
}

static void break_shape(struct graph *g)
{
    named(g, "b")->shape.dims[3] = 7;
}

static void break_missing_type(struct graph *g)
{
    named(g, "x")->dtype = DTYPE_NONE;
}

static void break_region(struct graph *g)
{
    g->body.nodes[1]->region = 0;
    g->body.nodes[2]->region = 1;
}

static void break_region_count(struct graph *g)
{
    g->n_regions = 0;
}

static void break_control_region(struct graph *g)
{
    g->body.nodes[6]->region = g->n_regions = 2;
}

static void break_constant(struct graph *g)
{
    named(g, "w")->shape.dims[0] = 5;
}

static void break_content(struct graph *g)
{
    named(g, "n")->constant = named(g, "w")->constant;
}

static void break_extent_type(struct graph *g)
{
    named(g, "q")->shape.extent[1] = named(g, "x");
}

static void break_extent_missing(struct graph *g)
{
    named(g, "q")->shape.extent[1] = NULL;
}

static void break_extent_scope(struct graph *g)
{
    named(g, "q")->shape.extent[1] = named(g, "k");
}

static void break_layout_of_output(struct graph *g)
{
    named(g, "n")->layout = layout_blocked(layout_plain(4), 1, 2);
}

static void break_layout_of_input(struct graph *g)
{
    named(g, "x")->layout = layout_blocked(layout_plain(4), 1, 2);
}

static void break_layout_of_dynamic(struct graph *g)
{
    named(g, "z")->layout = layout_blocked(layout_plain(2), 0, 2);
}

static void break_layout_rank(struct graph *g)
{
    named(g, "a")->layout = layout_plain(3);
}

static void break_layout_order(struct graph *g)
{
    named(g, "a")->layout.order[0] = 1;
}

static void break_scope(struct graph *g)
{
    g->body.out[0] = named(g, "t");
}

static void break_foreign(struct graph *g)
{
    struct value *v = arena_new(&arena, struct value);
    *v = *named(g, "b");
    g->body.nodes[2]->in[0] = v;
}

static void break_blocks(struct graph *g)
{
    g->body.nodes[6]->n_blocks = 1;
}

static void break_block_outputs(struct graph *g)
{
    g->body.nodes[6]->blocks[1]->n_out = 0;
}

static void break_loop(struct graph *g)
{
    g->body.nodes[7]->blocks[0]->n_out = 0;
}

static void break_state(struct graph *g)
{
    named(g, "seed")->role = VALUE_INPUT;
}

static void break_twice(struct graph *g)
{
    block_add_input(g, &g->body, named(g, "x"));
}

static void break_role(struct graph *g)
{
    named(g, "x")->role = VALUE_ARG;
}

static void test_validation(void **state)
{
    (void)state;
    static const struct {
        void (*harm)(struct graph *);
        const char *want;
    } cases[] = {
        {break_order, "node 'b': its input 0 is not defined before it"},
        {break_producer, "value 'n': its producer is not the node"},
        {break_name, "value 'b': two values bear this name"},
        {break_number, "value 'n': its number is 0 at position"},
        {break_arity, "node 'n': neg does not take 0 inputs"},
        {break_required_input, "node 'a': its input 1 is left out"},
        {break_dtype, "node 'n': output 'n' is f64 [1,4,6,6] where f32 [1,4,6,6] follows"},
        {break_shape, "node 'b': output 'b' is f32 [1,4,6,7] where f32 [1,4,6,6] follows"},
        {break_missing_type, "value 'x': it has no type"},
        {break_region, "region 1"},
        {break_region_count, "node 'a': region 1 is not counted"},
        {break_control_region, "node 'i': if cannot be in a region"},
        {break_constant, "value 'w': its content has another type or shape"},
        {break_content, "value 'n': content and the role"},
        {break_extent_type, "value 'q': the extent of dimension 1 is not an i64 scalar"},
        {break_extent_missing, "node 'q': output 'q' is i64 [4,144] where i64 [4,<=144] follows"},
        {break_extent_scope, "value 'q': the extent of dimension 1 is not defined before it"},
        {break_layout_of_output, "value 'n': an output of a block has the plain layout"},
        {break_layout_of_input, "value 'x': only what a node produces may have a layout"},
        {break_layout_of_dynamic, "value 'z': a shape known at run time needs the plain layout"},
        {break_layout_rank, "value 'a': its layout has rank 3, its shape 4"},
        {break_layout_order, "value 'a': its layout does not name each dimension once"},
        {break_scope, "output 0 of a block is not defined in it"},
        {break_foreign, "node 'n': its input 0 is not defined before it"},
        {break_blocks, "node 'i': if has 1 blocks"},
        {break_block_outputs, "node 'i': block 1 does not fit"},
        {break_loop, "node 'l': the block does not fit"},
        {break_state, "node 'r': "},
        {break_twice, "value 'x': it is defined twice"},
        {break_role, "value 'x': it is defined where its role does not allow it"},
    };
    struct graph *g = valid_graph();
    if (!graph_validate(g, &err))
        fail_msg("%s", err.text);
    const char *before = text_of(g);
    assert_true(graph_validate(g, &err)); /* and leaves the graph as it is */
    assert_string_equal(text_of(g), before);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        g = valid_graph();
        cases[i].harm(g);
        error_init(&err);
        if (graph_validate(g, &err) || !strstr(err.text, cases[i].want))
            fail_msg("case %zu: '%s', not '%s'", i, err.text, cases[i].want);
    }
}

static void test_broken_region_lies_apart(void **state)
{
    (void)state;
    struct graph *g = parse("graph \"v\" {\n"
                            "  input %x f32 [2]\n"
                            "  %a f32 [2] = relu (%x) region 1\n"
                            "  %b f32 [2] = relu (%x)\n"
                            "  %c f32 [2] = relu (%a) region 1\n"
                            "  return %b, %c\n"
                            "}\n");
    assert_false(graph_validate(g, &err));
    assert_non_null(strstr(err.text, "node 'c': region 1 does not lie side by side"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_names_are_unique),
        TEST(test_attributes_start_at_their_defaults),
        TEST(test_nodes_are_inserted_in_place),
        TEST(test_uses),
        TEST(test_sweep),
        TEST(test_inference_names_the_node),
        TEST(test_text_round_trip),
        TEST(test_text_of_random_constants),
        TEST(test_comments_and_free_form),
        TEST(test_brief_text_elides),
        TEST(test_dot),
        TEST(test_malformed_text),
        TEST(test_truncated_text),
        TEST(test_validation),
        TEST(test_broken_region_lies_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
