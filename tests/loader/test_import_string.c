/*
 * Strings of ONNX, ai.onnx.ml and ONNX Runtime's own operators: what becomes of them, and what bad
 * ones are told.
 */
#include "tests/loader/import_run.h"

enum { ONNX_TEXT = 8 };

static void text_constant(struct strbuf *graph, const char *name, const char *dims,
                          const char *words)
{
    struct strbuf t;
    onnx_tensor_begin(&t, graph->arena, name, ONNX_TEXT, dims);
    while (*words) {
        size_t n = strcspn(words, ",");
        pb_bytes(&t, 6, words, n);
        words += n + (words[n] == ',');
    }
    pb_sub(graph, 5, &t);
}

/* s, t strings [2,3] of 4 bytes, w strings [5], x f32 [2,3], i i64 [2], go bool [], k i64 []. */
static void begin(struct onnx_model *m)
{
    onnx_begin(m, &arena, 18);
    onnx_input(&m->graph, "s", ONNX_TEXT, "2,3");
    onnx_input(&m->graph, "t", ONNX_TEXT, "2,3");
    onnx_input(&m->graph, "w", ONNX_TEXT, "5");
    onnx_input(&m->graph, "x", ONNX_F32, "2,3");
    onnx_input(&m->graph, "i", ONNX_I64, "2");
    onnx_input(&m->graph, "go", ONNX_BOOL, "");
    onnx_input(&m->graph, "k", ONNX_I64, "");
    onnx_ints(&m->graph, "one", "", "1");
    onnx_ints(&m->graph, "shape", "2", "3,2");
    onnx_ints(&m->graph, "shape3", "3", "4,2,3");
    text_constant(&m->graph, "c", "3", "ab,c,def");
}

static struct graph *import_of(struct onnx_model *m)
{
    static const struct import_symbol bytes[] = {{.name = "s", .value = 4},
                                                 {.name = "t", .value = 6}};
    error_init(&err);
    onnx_output(&m->graph, "r", ONNX_F32, NULL);
    return import_onnx_with(m, (struct import_options){.symbols = bytes, .n_symbols = 2});
}

struct node_case {
    const char *domain, *op, *inputs, *attrs;
    const char *want; /* in the graph's text, or "!" and part of the sentence */
};

static void expect_case(const struct node_case *c)
{
    struct onnx_model m;
    struct strbuf node;
    begin(&m);
    onnx_node_begin(&node, &arena, c->op, c->inputs, "r", c->attrs);
    pb_string(&node, 7, c->domain);
    pb_sub(&m.graph, 1, &node);
    struct graph *g = import_of(&m);
    if (*c->want == '!')
        expect_error(g, c->want + 1);
    else
        expect_text(g, c->want);
}

static void strings_are_rows_of_bytes(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {"", "Identity", "s", "", "%r u8 [2,3,4]"},
        {"", "Identity", "c", "", "%r u8 [3,3]"},
        {"", "Concat", "s,t", "axis=1", "%r u8 [2,6,6] = concat"},
        {"", "Concat", "s,t", "axis=-1", "%r u8 [2,6,6] = concat"},
        {"", "Reshape", "s,shape", "", "%r u8 [3,2,4]"},
        {"", "Flatten", "s", "axis=0", "u8 [1,6,4]"},
        {"", "Expand", "s,shape3", "", "%r u8 [4,2,3,4]"},
        {"", "Tile", "s,shape", "", "%r u8 [6,6,4]"},
        {"", "Transpose", "s", "", "%r u8 [3,2,4]"},
        {"", "Gather", "s,i", "axis=-1", "%r u8 [2,2,4]"},
        {"", "Equal", "s,t", "", "bool [2,3]"},
        {"", "Unique", "s", "", "u8 [6:%r.count,4]"},
        {"", "Unique", "s", "axis=1", "u8 [2,3:%r.count,4]"},
        {"", "Cast", "s", "to=1", "%r f32 [2,3]"},
        {"", "Cast", "s", "to=7", "i64 [2,3]"},
        {"", "Cast", "s", "to=8", "%r u8 [2,3,4]"},
        {"", "Cast", "i", "to=8", "u8 [2,21]"},
        {"", "Shape", "s", "", "i64 [2] = {2, 3}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_case(&cases[i]);
}

static void bad_strings_are_sentences(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {"", "Relu", "s", "", "!its input 's' is a tensor of strings, which Relu does not take"},
        {"", "Concat", "s,x", "axis=0", "!input 1 is no tensor of strings, as others are"},
        {"", "Concat", "s,t", "axis=2", "!axis 2 does not exist in 2 dimensions"},
        {"", "Flatten", "s", "axis=3", "!axis 3 does not exist in 2 dimensions"},
        {"", "Reshape", "s,i", "", "!the shape of strings must be constant"},
        {"", "Expand", "s,i", "", "!the shape of strings must be constant"},
        {"", "Transpose", "s", "perm=[0]", "!perm has 1 axes for 2 dimensions"},
        {"", "Unique", "s", "axis=2", "!axis 2 does not exist in 2 dimensions"},
        {"", "Equal", "s,x", "", "!input 1 of Equal is no tensor of strings"},
        {"", "Cast", "x", "to=8", "!Cast of f32 [2,3] to strings is not supported"},
        {"", "Cast", "go", "to=8", "!Cast of bool [] to strings is not supported"},
        {"", "Cast", "s", "to=9", "!Cast of strings to bool is not supported"},
        {"", "Cast", "s", "to=14", "!Cast of strings to complex64 is not supported"},
        {"", "StringConcat", "s,x", "", "!input 1 of StringConcat is no tensor of strings"},
        {"", "StringConcat", "s,w", "", "!dimensions of 3 and 5 strings do not fit together"},
        {"", "StringNormalizer", "s", "", "!strings must be [C] or [1, C]"},
        {"", "StringNormalizer", "w", "case_change_action='UP'", "!'UP' is not known"},
        {"", "StringSplit", "x", "", "!is no tensor of strings"},
        {"", "RegexFullMatch", "x", "pattern='a'", "!is no tensor of strings"},
        {"", "RegexFullMatch", "s", "pattern='(a'", "!of the pattern '(a'"},
        {"", "RegexFullMatch", "s", "pattern='[a'", "!of the pattern '[a'"},
        {"", "TfIdfVectorizer", "s", "mode='TF'", "!lacks its mode, ngram_counts or"},
        {"ai.onnx.ml", "LabelEncoder", "s", "", "!has no list of"},
        {"ai.onnx.ml", "CategoryMapper", "s", "", "!CategoryMapper has no categories"},
        {"ai.onnx.ml", "OneHotEncoder", "s", "", "!OneHotEncoder has no categories"},
        {"ai.onnx.ml", "FeatureVectorizer", "x,x", "inputdimensions=[3]",
         "!inputdimensions has 1 numbers for 2 inputs"},
        {"ai.onnx.ml", "FeatureVectorizer", "x", "inputdimensions=[-1]",
         "!neither a row nor a matrix"},
        {"ai.onnx.ml", "Scaler", "x", "offset=[0.5,1.0]",
         "!offset has 2 numbers, 'x' has 3 columns"},
        {"ai.onnx.ml", "Normalizer", "x", "norm='L3'", "!the norm 'L3' is not known"},
        {"ai.onnx.ml", "SVMClassifier", "x", "", "!lacks its coefficients or rho"},
        {"ai.onnx.ml", "DictVectorizer", "x", "", "!'ai.onnx.ml.DictVectorizer'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_case(&cases[i]);
}

/* Features of several inputs side by side; what would be maps are rows. */
static void features_are_columns(void **state)
{
    (void)state;
    static const struct node_case cases[] = {
        {"ai.onnx.ml", "FeatureVectorizer", "x,x", "inputdimensions=[2,3]", "f32 [2,5] = concat"},
        {"ai.onnx.ml", "ZipMap", "x", "classlabels_int64s=[4,5,6]", "%r f32 [2,3] = identity (%x)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_case(&cases[i]);
    expect_note("are rows of values, in the order of its keys");
}

static void runtime_operators_refuse(void **state)
{
    (void)state;
    static const char ours[] = "com.microsoft";
    static const struct node_case cases[] = {
        {ours, "Inverse", "x", "", "![2,3] are no square matrices of at most 64 rows"},
        {ours, "CDist", "x,x", "metric='cosine'", "!the metric 'cosine' is not known"},
        {ours, "ComplexMul", "x,x", "", "!'x' has no last dimension of real and imaginary part"},
        {ours, "ExpandDims", "x,k", "", "!ExpandDims needs one constant axis"},
        {ours, "UnfoldTensor", "x", "dim=1 size=4", "!windows of 4 along axis 1, 1 apart, do not"},
        {ours, "UnfoldTensor", "x", "dim=2 size=1", "!windows of 1 along axis 2"},
        {ours, "Unique", "x", "", "!'x' has 2 dimensions where 1 are needed"},
        {ours, "MulInteger", "i", "", "!MulInteger lacks a factor"},
        {ours, "NGramRepeatBlock", "x,x", "ngram_size=0", "!ngram_size is 0"},
        {ours, "BiasDropout", "x,x,,,go", "", "!BiasDropout in training is not supported"},
        {ours, "BitmaskDropout", "x,,go", "", "!BitmaskDropout in training is not supported"},
        {ours, "RelativePositionBias", "x,k,k", "max_distance=8",
         "!needs lengths that are constant"},
        {ours, "RelativePositionBias", "x,one,one", "max_distance=8",
         "!max_distance 8 does not fit 2 buckets"},
        {ours, "GatedRelativePositionBias", "x", "num_heads=2", "!lacks its input 1"},
        {ours, "MatMulBnb4", "x,i,i", "K=3 N=2 block_size=16", "!only with constant weights"},
        {ours, "GatherBlockQuantized", "x,i,x", "bits=3", "!and 3 bits in 2 dimensions"},
        {ours, "GatherBlockQuantized", "x,i,x", "gather_axis=1", "!gather_axis 1, quantize_axis 1"},
        {ours, "QEmbedLayerNormalization", "i,,x", "", "!lacks its input 8"},
        {ours, "DynamicQuantizeLSTM", "x,x,x", "", "!'x' has 2 dimensions where 3 are needed"},
        {"", "Crop", "x", "border=[0,0,0,0]", "!'x' has 2 dimensions where 4 are needed"},
        {"", "ImageScaler", "x", "", "!'x' has 2 dimensions where 4 are needed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_case(&cases[i]);
}

/* r = go ? s : t, and strings that a loop makes longer. */
static void strings_go_through_control(void **state)
{
    (void)state;
    struct onnx_model m;
    struct strbuf branch, node, body;
    begin(&m);
    onnx_node_begin(&node, &arena, "If", "go", "r", "");
    for (int b = 0; b < 2; b++) {
        strbuf_init(&branch, &arena);
        onnx_node(&branch, "Identity", b ? "t" : "s", b ? "b" : "a", "");
        onnx_output(&branch, b ? "b" : "a", ONNX_TEXT, NULL);
        onnx_graph_attr(&node, b ? "else_branch" : "then_branch", &branch);
    }
    pb_sub(&m.graph, 1, &node);
    expect_text(import_of(&m), "%r u8 [2,3,6] = if");
    for (int grows = 0; grows < 2; grows++) {
        begin(&m);
        strbuf_init(&body, &arena);
        onnx_input(&body, "n", ONNX_I64, "");
        onnx_input(&body, "on", ONNX_BOOL, "");
        onnx_input(&body, "u", ONNX_TEXT, NULL);
        onnx_node(&body, grows ? "StringConcat" : "Identity", grows ? "u,u" : "u", "v", "");
        onnx_output(&body, "on", ONNX_BOOL, NULL);
        onnx_output(&body, "v", ONNX_TEXT, NULL);
        onnx_node_begin(&node, &arena, "Loop", "k,,s", "r", "");
        onnx_graph_attr(&node, "body", &body);
        pb_sub(&m.graph, 1, &node);
        if (grows)
            expect_error(import_of(&m), "becomes larger");
        else
            expect_text(import_of(&m), "%r u8 [2,3,4] = loop");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(strings_are_rows_of_bytes, setup_import, teardown),
        cmocka_unit_test_setup_teardown(bad_strings_are_sentences, setup_import, teardown),
        cmocka_unit_test_setup_teardown(features_are_columns, setup_import, teardown),
        cmocka_unit_test_setup_teardown(runtime_operators_refuse, setup_import, teardown),
        cmocka_unit_test_setup_teardown(strings_go_through_control, setup_import, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
