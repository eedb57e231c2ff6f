/*
 * ONNX import: old versions of operators become the newest ones, symbolic dimensions get values,
 * inner graphs become blocks, and what cannot be imported is one sentence.
 */
#include <stdlib.h>

#include "tests/loader/import_run.h"

/* ---- versions of operators ---- */

struct version_case {
    int64_t opset;
    const char *op, *inputs, *outputs, *attrs;
    const char *want; /* in the graph's text, or "!" and part of the sentence */
};

/* x f32 [2,3,4,5], c f32 [3], row f32 [5], each f32 [3,4,5], t i64 [2,4,5], b bool [], yes true, w
   f32 [4,5], four f32 [2,3,4,5] constant inputs per channel. */
static const struct version_case versions[] = {
    /* broadcasting along an axis */
    {6, "Add", "x,c", "y", "broadcast=1 axis=1", "const %c_1 f32 [3,1,1] = {0, 0, 0}"},
    {6, "Add", "x,c", "y", "broadcast=1 axis=1", "%y f32 [2,3,4,5] = add (%x, %c_1)"},
    {6, "Mul", "x,row", "y", "broadcast=1", "%y f32 [2,3,4,5] = mul (%x, %row)"},
    {6, "Sub", "x,v", "y", "broadcast=1 axis=1", "= unsqueeze (%v, "},
    {6, "Div", "x,c", "y", "", "!'broadcast' is not set"},
    {6, "Add", "x,c", "y", "broadcast=1 axis=4", "!1 dimensions from axis 4 on do not fit into 4"},
    {6, "Add", "x,c", "y", "broadcast=1 axis=9", "!axis 9 does not exist"},
    {7, "Add", "x,row", "y", "", "%y f32 [2,3,4,5] = add (%x, %row)"},
    {7, "Add", "x,row", "y", "axis=1", "!has no attribute 'axis', which is of opsets 1 to 6"},
    {1, "Add", "x,x", "y", "consumed_inputs=[0,0]", "add (%x, %x)"},
    {6, "PRelu", "x,c", "y", "", "prelu (%x, %c_1)"},
    {6, "Xor", "b,b", "y", "", "%y bool [] = xor (%b, %b)"},
    {1, "Selu", "x", "y", "alpha=1.5", "selu (%x) {alpha=1.5, gamma=1.0507"},
    {6, "Selu", "x", "y", "", "%y f32 [2,3,4,5] = selu (%x)\n"},
    {11, "BitShift", "x,x", "y", "", "!lacks the attribute 'direction'"},
    {26, "BitCast", "x", "y", "", "!lacks the attribute 'to'"},
    {26, "BitCast", "x", "y", "to=6", "%y i32 [2,3,4,5] = bit_cast (%x) {to=6}"},
    {28, "SwiGLU", "x,x", "y", "alpha=0.5", "= swish \"y\" (%x) {alpha=0.5}"},
    {28, "SwiGLU", "x,row", "y", "", "!the shapes [2,3,4,5] and [5] differ"},
    {27, "Range", "s,s,s", "y", "", "!the step, input 's', is 0"},
    {27, "Range", "s,f,s", "y", "", "!how many elements there are depends on"},
    /* attributes that became inputs */
    {6, "Clip", "x", "y", "min=0.5 max=6.0", "clip (%x, %t"},
    {10, "Clip", "x", "y", "max=6.0", "clip (%x, _, %t"},
    {11, "Clip", "x", "y", "", "%y f32 [2,3,4,5] = clip (%x)"},
    {4, "Reshape", "x", "y", "shape=[6,-1]", "%y f32 [6,20] = reshape"},
    {5, "Reshape", "x", "y", "shape=[6,-1]", "!Reshape of opset 5 has no attribute 'shape'"},
    {13, "Reshape", "x,size", "y", "allowzero=1",
     "!Reshape of opset 13 has no attribute 'allowzero', which is of opsets 14 on"},
    {8, "BatchNormalization", "x,c,c,c,c", "y", "training_mode=0",
     "!has no attribute 'training_mode', which is of opsets 14 on"},
    {9, "BatchNormalization", "x,c,c,c,c", "y", "spatial=1",
     "!has no attribute 'spatial', which is of opsets 1 to 8"},
    {13, "Relu", "x", "y", "__note='mine'", "%y f32 [2,3,4,5] = relu (%x)"},
    {9, "Slice", "x", "y", "starts=[1] ends=[3] axes=[3]", "%y f32 [2,3,4,2] = slice"},
    {9, "Slice", "x", "y", "starts=[1]", "!lacks the attribute 'ends'"},
    {1, "Pad", "x", "y", "paddings=[0,0,1,1,0,0,1,1]", "%y f32 [2,3,6,7] = pad"},
    {10, "Pad", "x", "y", "pads=[0,0,0,1,0,0,0,0] value=2.5", "f32 [] = {2.5}"},
    {10, "Pad", "x", "y", "pads=[0,0,0,1,0,0,0,0] mode='edge'", "{mode=\"edge\"}"},
    {7, "Upsample", "x", "y", "scales=[1.0,1.0,2.0,1.5]", "%y f32 [2,3,8,7] = pick"},
    {1, "Upsample", "x", "y", "height_scale=2.0 width_scale=2.0 mode='bilinear'",
     "%y f32 [2,3,8,10] = resample"},
    {7, "Upsample", "x", "y", "scales=[1.0,1.0]", "!Upsample lacks scales for 4 dimensions"},
    {9, "Upsample", "x", "y", "", "!Upsample lacks scales"},
    {10, "Resize", "x,x", "y", "", "!Resize has not 4 scales or sizes"},
    {10, "Resize", "x,zero", "y", "", "!Resize has a scale of 0"},
    {13, "Resize", "x,,,size", "y", "", "%y f32 [2,3,8,10] = pick"},
    {13, "Resize", "x,,,size", "y", "mode='cubic'", "%y f32 [2,3,8,10] = resample"},
    {13, "Resize", "x,,,size", "y", "mode='area'", "!mode 'area' of Resize is not known"},
    {13, "Resize", "x", "y", "", "!Resize has neither scales nor sizes"},
    {13, "Resize", "x,,c", "y", "", "!input 'c' of Resize has 3 elements, not 4"},
    {10, "Scatter", "x,at,x", "y", "axis=1", "%y f32 [2,3,4,5] = scatter_elements (%x"},
    {13, "SpaceToDepth", "x", "y", "blocksize=2", "!blocks of 2 do not divide 'x' [2,3,4,5]"},
    {13, "DepthToSpace", "v", "y", "blocksize=1", "!needs 4 dimensions"},
    {13, "Compress", "x,b1", "y", "", "= compress ("},
    {17, "HannWindow", "width", "y", "", "f32 [4] = {0, 0.5, 1, 0.5}"},
    {17, "HannWindow", "x", "y", "", "!input 0 ('x') of HannWindow must be one constant number"},
    {11, "Squeeze", "one", "y", "axes=[0,3]", "%y f32 [7,3] = squeeze"},
    {11, "Unsqueeze", "x", "y", "axes=[0]", "%y f32 [1,2,3,4,5] = unsqueeze"},
    {11, "Unsqueeze", "x", "y", "", "!lacks the attribute 'axes'"},
    {17, "ReduceMean", "x", "y", "axes=[2,3] keepdims=0", "%y f32 [2,3] = reduce_mean"},
    {12, "ReduceSum", "x", "y", "", "%y f32 [1,1,1,1] = reduce_sum (%x)"},
    {12, "Split", "x", "y,z", "axis=3 split=[2,3]", "%y f32 [2,3,4,2], %z f32 [2,3,4,3] = split"},
    {12, "Split", "x", "y,z", "axis=2", "%y f32 [2,3,2,5], %z f32 [2,3,2,5] = split"},
    {3, "Concat", "x,x", "y", "", "%y f32 [2,6,4,5] = concat (%x, %x) {axis=1}"},
    {4, "Concat", "x,x", "y", "", "!lacks the attribute 'axis'"},
    {5, "Cast", "x", "y", "to='INT32'", "%y i32 [2,3,4,5] = cast (%x) {to=6}"},
    {5, "Cast", "x", "y", "to='STRING'", "!Cast to 'STRING' is not supported"},
    {6, "Cast", "x", "y", "to=7", "%y i64 [2,3,4,5] = cast"},
    /* softmax over all dimensions from the axis on */
    {12, "Softmax", "x", "y", "axis=3", "%y f32 [2,3,4,5] = softmax (%x) {axis=3}"},
    {12, "Softmax", "x", "y", "", "f32 [2,60] = flatten (%x)"},
    {12, "Softmax", "x", "y", "", "%y f32 [2,3,4,5] = reshape"},
    {12, "Softmax", "one", "y", "axis=2", "softmax (%one) {axis=2}"},
    {12, "Softmax", "x", "y", "axis=4", "!axis 4 does not exist in 4 dimensions"},
    {13, "Softmax", "x", "y", "", "%y f32 [2,3,4,5] = softmax (%x)"},
    {12, "LogSoftmax", "x", "y", "axis=3", "%y f32 [2,3,4,5] = log_softmax (%x) {axis=3}"},
    {12, "LogSoftmax", "x", "y", "", "f32 [2,60] = log_softmax \"y\" ("},
    {12, "Hardmax", "x", "y", "axis=2", "i64 [6,1] = arg_max \"y\" ("},
    {13, "Hardmax", "x", "y", "", "%y f32 [2,3,4,5] = cast ("},
    {13, "Hardmax", "x", "y", "axis=-5", "!axis -1 of [2,3,4,5] does not exist"},
    /* normalizations */
    {17, "LayerNormalization", "x,row", "y", "axis=-2", "= normalize (%x, %row) {axes=[2,3]}"},
    {17, "LayerNormalization", "x,row", "y,m", "axis=4", "!axis 4 does not exist in 4"},
    {17, "LayerNormalization", "x,row,c", "y", "", "!differ"},
    {23, "RMSNormalization", "x,row", "y", "epsilon=0.5", "{axes=[3], center=0, epsilon=0.5}"},
    {22, "InstanceNormalization", "x,c,c", "y", "", "%y f32 [2,3,4,5] = normalize (%x, %c_1"},
    {13, "MeanVarianceNormalization", "x", "y", "", "{axes=[0,2,3], epsilon=1e-18}"},
    {20, "GroupNormalization", "x,c,c", "y", "num_groups=3", "const %c_1 f32 [3,1,1]"},
    {21, "GroupNormalization", "x,c,c", "y", "num_groups=1", "const %c_1 f32 [1,3,1]"},
    {21, "GroupNormalization", "x,c,c", "y", "num_groups=2", "!3 channels do not make 2 groups"},
    {20, "GroupNormalization", "x,c,c", "y", "num_groups=1", "!the shape [3] where [1] is needed"},
    {22, "LpNormalization", "x", "y", "p=1 axis=2", "f32 [2,3,1,5] = reduce_l1"},
    {22, "LpNormalization", "x", "y", "p=3", "!p = 3 is not 1 or 2"},
    {6, "BatchNormalization", "x,c,c,c,c", "y,m,n", "", "batch_norm (%x, %c, %c, %t"},
    {6, "BatchNormalization", "x,c,c,c,c", "y", "is_test=1 momentum=0.5", "batch_norm"},
    {9, "BatchNormalization", "x,c,c,c,c", "y", "epsilon=0.125", "{epsilon=0.125}"},
    {8, "BatchNormalization", "x,each,each,each,each", "y", "spatial=0", "= sub \"y\" (%x, %each)"},
    {8, "BatchNormalization", "x,c,c,c,c", "y", "spatial=0", "!which does not fit to x without"},
    {8, "BatchNormalization", "x,c,c,c,c", "z,y", "", "%y f32 [3] = add \"z\" ("},
    {8, "BatchNormalization", "x,c,c,c,c", "z,m,n,o,y", "", "%y f32 [3] = reduce_mean \"z\" ("},
    {14, "BatchNormalization", "x,c,c,c,c", "y,m", "", "batch_norm (%x"},
    {15, "BatchNormalization", "x,c,c,c,c", "y", "training_mode=1", "= batch_norm (%x, %c, %c, %t"},
    {6, "Dropout", "x", "y", "ratio=0.5 is_test=1", "%y f32 [2,3,4,5] = identity (%x)"},
    {9, "Dropout", "x", "z,y", "", "const %y_1 f32 [2,3,4,5] = fill 1"},
    {12, "Dropout", "x", "z,y", "seed=1", "const %y_1 bool [2,3,4,5] = fill 1"},
    {12, "Dropout", "x,,b", "y", "", "!whether Dropout trains, 'b', must be a constant"},
    {12, "Dropout", "x,,yes", "y", "seed=7",
     "random_uniform \"y\" (%y_state) {seed=7, shape=[2,3,4,5]}"},
    {12, "Dropout", "x,s,yes", "y", "", "%y f32 [2,3,4,5] = identity (%x)"},
    /* outputs that nobody uses, and one that somebody does */
    {12, "MaxPool", "x", "y,i", "kernel_shape=[2,2] storage_order=1", "max_pool (%x)"},
    {12, "MaxPool", "x", "z,y", "kernel_shape=[2,2]", "%y i64 [2,3,3,4] = max_pool_indices (%x)"},
    {12, "AveragePool", "x", "z,y", "kernel_shape=[2,2]", "!output 1 ('y') of AveragePool is not"},
    {1, "GlobalLpPool", "x", "y", "p=3.0", "%y f32 [2,3,1,1] = pow ("},
    {22, "GlobalLpPool", "x", "y", "p=1", "f32 [2,3,1,1] = reduce_l1 (%x"},
    {22, "GlobalMaxPool", "c", "y", "", "!1 dimensions, none of them spatial"},
    {1, "LpPool", "x", "y", "kernel_shape=[2,2] p=3.0", "p=3}"},
    {22, "NegativeLogLikelihoodLoss", "x,t", "y", "reduction='none'",
     "%y f32 [2,4,5] = nll_loss (%x, %t)"},
    {22, "NegativeLogLikelihoodLoss", "x,t", "y", "ignore_index=2", "{ignore_index=2}"},
    {22, "NegativeLogLikelihoodLoss", "x,t", "y", "reduction='max'", "!the reduction 'max'"},
    {13, "SoftmaxCrossEntropyLoss", "x,t", "z,y", "",
     "%y f32 [2,3,4,5] = log_softmax \"z\" (%x) {axis=1}"},
    {12, "MaxPool", "x", "y", "", "!lacks the attribute 'kernel_shape'"},
    /* types */
    {19, "Cast", "x", "y", "to=17 saturate=0", "cast (%x) {saturate=0, to=17}"},
    {24, "Cast", "x", "y", "to=24 round_mode='down'", "{round_mode=\"down\", to=24}"},
    {15, "CastLike", "x,row", "y", "", "%y f32 [2,3,4,5] = cast (%x)"},
    {25, "CastLike", "x", "y", "", "!CastLike"},
    /* quantization */
    {21, "QuantizeLinear", "x,s", "y", "output_dtype=3", "%y i8 [2,3,4,5] = quantize_linear"},
    {21, "QuantizeLinear", "x,s", "y", "block_size=2", "{block_size=2}"},
    {21, "QuantizeLinear", "x,s", "y", "output_dtype=17 saturate=0",
     "{output_dtype=17, saturate=0}"},
    {21, "QuantizeLinear", "x,s", "y", "output_dtype=24", "!ONNX type 24 is not supported"},
    {23, "QuantizeLinear", "x,s", "y", "precision=11", "{precision=11}"},
    {19, "QuantizeLinear", "x,s", "y", "saturate=1", "%y u8 [2,3,4,5] = quantize_linear"},
    /* state */
    {22, "RandomUniform", "", "y", "shape=[2,2] seed=7.0", "state %y_state u64 [2]"},
    {22, "RandomUniform", "", "y", "shape=[2,2] seed=7.0", "seed=7"},
    /* kinds of attributes */
    {13, "Concat", "x,x", "y", "axis=1.5", "!attribute 'axis' is a number, it should be an int"},
    {13, "Transpose", "x", "y", "perm=1", "!attribute 'perm' is an integer, it should be a list"},
};

static void versions_are_adapted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        const struct version_case *v = &versions[i];
        struct onnx_model m;
        struct strbuf yes;
        error_init(&err);
        onnx_begin(&m, &arena, v->opset);
        onnx_input(&m.graph, "x", ONNX_F32, "2,3,4,5");
        onnx_input(&m.graph, "one", ONNX_F32, "1,7,3,1");
        onnx_input(&m.graph, "v", ONNX_F32, "3");
        onnx_input(&m.graph, "b", ONNX_BOOL, "");
        onnx_input(&m.graph, "f", ONNX_F32, "");
        onnx_input(&m.graph, "t", ONNX_I64, "2,4,5");
        onnx_input(&m.graph, "b1", ONNX_BOOL, "3");
        onnx_input(&m.graph, "at", ONNX_I64, "2,3,4,5");
        onnx_ints(&m.graph, "width", "", "4");
        onnx_ints(&m.graph, "size", "4", "2,3,8,10");
        onnx_weights(&m.graph, "zero", "4");
        onnx_weights(&m.graph, "c", "3");
        onnx_weights(&m.graph, "row", "5");
        onnx_weights(&m.graph, "each", "3,4,5");
        onnx_weights(&m.graph, "s", "");
        onnx_tensor_begin(&yes, &arena, "yes", ONNX_BOOL, "");
        pb_bytes(&yes, 9, "\1", 1);
        pb_sub(&m.graph, 5, &yes);
        onnx_node(&m.graph, v->op, v->inputs, v->outputs, v->attrs);
        onnx_output(&m.graph, "y", ONNX_F32, NULL);
        struct graph *g = import_onnx(&m);
        if (*v->want == '!')
            expect_error(g, v->want + 1);
        else
            expect_text(g, v->want);
    }
}

static void range_is_bounded_by_its_declaration(void **state)
{
    (void)state;
    struct onnx_model m;
    onnx_begin(&m, &arena, 27);
    onnx_input(&m.graph, "x", ONNX_F32, "");
    onnx_node(&m.graph, "Range", "x,x,x", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "7");
    expect_text(import_onnx(&m), "range (%x, %x, %x) {bound=7}");
}

static void softmax_of_one_dimension_stays(void **state)
{
    (void)state;
    struct onnx_model m;
    onnx_begin(&m, &arena, 9);
    onnx_input(&m.graph, "x", ONNX_F32, "1,10,1,1");
    onnx_node(&m.graph, "Softmax", "x", "y", "axis=1");
    onnx_output(&m.graph, "y", ONNX_F32, NULL);
    expect_text(import_onnx(&m), "%y f32 [1,10,1,1] = softmax (%x) {axis=1}");
}

/* ---- shape arithmetic ---- */

static void shape_arithmetic_is_computed(void **state)
{
    (void)state;
    struct onnx_model m;
    onnx_begin(&m, &arena, 12);
    onnx_input(&m.graph, "x", ONNX_F32, "2,3,4");
    onnx_node(&m.graph, "Shape", "x", "s", "");
    onnx_node(&m.graph, "Constant", "", "zero", "value_int=0");
    onnx_node(&m.graph, "Gather", "s,zero", "n", "");
    onnx_node(&m.graph, "Unsqueeze", "n", "n1", "axes=[0]");
    onnx_node(&m.graph, "Constant", "", "rest", "value_ints=[-1]");
    onnx_node(&m.graph, "Concat", "n1,rest", "to", "axis=0");
    onnx_node(&m.graph, "Reshape", "x,to", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "2,12");
    struct graph *g = import_onnx(&m);
    expect_text(g, "%y f32 [2,12] = reshape (%x, %to)");
    assert_int_equal(g->body.n_nodes, 1);
    assert_int_equal(notes.n, 0);
}

/* ---- inputs, outputs and symbols ---- */

static struct onnx_model relu_of(const char *dims)
{
    struct onnx_model m;
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "x", ONNX_F32, dims);
    onnx_node(&m.graph, "Relu", "x", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, dims);
    return m;
}

static void open_batch_is_one(void **state)
{
    (void)state;
    struct onnx_model m = relu_of("N,3");
    expect_text(import_onnx(&m), "input %x f32 [1,3]");
    expect_note("the first dimension 'N' of input 'x' is taken as 1");
    m = relu_of("?,3");
    expect_text(import_onnx(&m), "input %x f32 [1,3]");
    expect_note("the open first dimension of input 'x' is taken as 1");
    m = relu_of("-1,3");
    expect_text(import_onnx_with(&m, (struct import_options){.batch = 4}), "input %x f32 [4,3]");
}

static void symbols_need_values(void **state)
{
    (void)state;
    struct onnx_model m = relu_of("N,length");
    struct import_symbol length = {.name = "length", .value = 7}, wrong = {.name = "L", .value = 7};
    expect_error(import_onnx(&m),
                 "dimension 1 of input 'x' is the symbol 'length': its value must be "
                 "given, as in -onnx-define-symbol=length,");
    error_init(&err);
    expect_text(import_onnx_with(&m, (struct import_options){.symbols = &length, .n_symbols = 1}),
                "input %x f32 [1,7]");
    expect_error(import_onnx_with(&m, (struct import_options){.symbols = &wrong, .n_symbols = 1}),
                 "no input of the model has a dimension 'L'");
    error_init(&err);
    m = relu_of("1,?");
    expect_error(import_onnx(&m), "dimension 1 of input 'x' is open");
    error_init(&err);
    m = relu_of(NULL);
    expect_error(import_onnx(&m), "does not state the shape of input 'x'");
}

/* One symbol has one value everywhere. */
static void a_symbol_is_one_number(void **state)
{
    (void)state;
    struct onnx_model m;
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "N,3");
    onnx_input(&m.graph, "z", ONNX_F32, "3,N");
    onnx_node(&m.graph, "MatMul", "x,z", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "N,N");
    struct import_input x = {.name = "x", .rank = 2, .dims = {5, 3}};
    expect_text(import_onnx_with(&m, (struct import_options){.inputs = &x, .n_inputs = 1}),
                "%y f32 [5,5] = matmul");
    assert_int_equal(notes.n, 0);
}

static void inputs_are_overridden(void **state)
{
    (void)state;
    struct onnx_model m = relu_of("1,3");
    struct import_input x = {.name = "x", .rank = 2, .dims = {8, 3}};
    struct import_options opt = {.inputs = &x, .n_inputs = 1};
    expect_text(import_onnx_with(&m, opt), "input %x f32 [8,3]");
    expect_note("output 'y' has the shape [8,3], where the model declares [1,3]");
    x.rank = -1;
    expect_text(import_onnx_with(&m, opt), "input %x f32 [1,3]");
    x.dtype = DTYPE_I8;
    expect_error(import_onnx_with(&m, opt),
                 "-model-input says that input 'x' is i8, the model says f32");
    error_init(&err);
    x.dtype = DTYPE_F32;
    x.rank = 1;
    expect_error(import_onnx_with(&m, opt), "gives input 'x' 1 dimensions, the model 2");
    error_init(&err);
    x.rank = 2;
    x.dims[0] = -8;
    expect_error(import_onnx_with(&m, opt), "dimension 0 of input 'x' is -8");
    error_init(&err);
    x.name = "data";
    expect_error(import_onnx_with(&m, opt),
                 "no input 'data', which -model-input describes; its inputs "
                 "are: 'x'");
}

static void inputs_become_constants(void **state)
{
    (void)state;
    struct onnx_model m;
    int64_t to[] = {6};
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "1");
    onnx_input(&m.graph, "to", ONNX_I64, "1");
    onnx_node(&m.graph, "Expand", "x,to", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, NULL);
    expect_error(import_onnx(&m), "a size depends on 'to', which is known only at run time");
    error_init(&err);
    struct import_input in = {
        .name = "to", .rank = -1, .constant = tensor_from_ints(&arena, to, 1)};
    struct graph *g = import_onnx_with(&m, (struct import_options){.inputs = &in, .n_inputs = 1});
    expect_text(g, "%y f32 [6] = expand");
    assert_int_equal(g->body.n_in, 1);
}

/* Before IR version 4 every initializer is among the inputs. */
static void initialized_inputs_are_constants(void **state)
{
    (void)state;
    struct onnx_model m;
    onnx_begin(&m, &arena, 7);
    onnx_input(&m.graph, "x", ONNX_F32, "2,3");
    onnx_input(&m.graph, "w", ONNX_F32, "3");
    onnx_weights(&m.graph, "w", "3");
    onnx_node(&m.graph, "Add", "x,w", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, NULL);
    struct graph *g = import_onnx(&m);
    expect_text(g, "const %w f32 [3]");
    assert_int_equal(g->body.n_in, 1);
    struct import_input w = {.name = "w", .rank = -1};
    g = import_onnx_with(&m, (struct import_options){.inputs = &w, .n_inputs = 1});
    expect_text(g, "input %w f32 [3]");
    assert_int_equal(g->body.n_in, 2);
}

static void outputs_are_tensors_of_their_own(void **state)
{
    (void)state;
    struct onnx_model m;
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "2");
    onnx_weights(&m.graph, "w", "3");
    onnx_node(&m.graph, "Relu", "x", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "2");
    onnx_output(&m.graph, "w", ONNX_F32, "3");
    struct graph *g = import_onnx(&m);
    expect_text(g, "%w f32 [3] = identity (%w_1)");
    expect_text(g, "return %y, %w");
}

/* ---- order and names ---- */

static void nodes_are_sorted(void **state)
{
    (void)state;
    struct onnx_model m;
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "2");
    onnx_node(&m.graph, "Exp", "b", "y", "");
    onnx_node(&m.graph, "Tanh", "a", "b", "");
    onnx_node(&m.graph, "Relu", "x", "a", "");
    onnx_output(&m.graph, "y", ONNX_F32, "2");
    struct graph *g = import_onnx(&m);
    expect_text(g, "%y f32 [2] = exp (%b)");
    assert_int_equal(g->body.nodes[0]->op, OP_relu);
    assert_int_equal(g->body.nodes[2]->op, OP_exp);
    assert_string_equal(g->body.nodes[2]->name, "y");
}

struct fault_case {
    const char *nodes[3][4]; /* operator, inputs, outputs, attributes */
    const char *want;
};

static void faults_are_sentences(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {{{"Relu", "b", "a", ""}, {"Relu", "a", "b", ""}, {"Relu", "b", "y", ""}},
         "depends on its own output"},
        {{{"Relu", "x", "y", ""}, {"Relu", "x", "y", ""}}, "its output 'y' exists already"},
        {{{"Relu", "x", "x", ""}}, "its output 'x' exists already"},
        {{{"Relu", "nothing", "y", ""}}, "its input 'nothing' is neither computed before it nor"},
        {{{"Relu", "x", "a", ""}}, "output 'y' is neither computed nor given"},
        {{{"Relu", "x", "y", "slope=1"}}, "Relu of opset 13 has no attribute 'slope'"},
        {{{"Relu", "x,x", "y", ""}}, "node 'y': relu has 2 inputs, takes 1"},
        {{{"Add", "x", "y", ""}}, "node 'y': add has 1 inputs, takes 2"},
        {{{"Foo", "x", "a", ""}, {"Relu", "a", "b", ""}, {"Bar", "b", "y", ""}},
         "2 operators are not supported: 'Foo' (opset 13, node 'a'), 'Bar' (opset 13, node 'y')"},
        {{{"Constant", "", "y", "text='a'"}}, "a Constant with the attribute"},
        {{{"Constant", "", "y", ""}}, "Constant has 0 values"},
        {{{"If", "x", "y", ""}}, "If needs one condition"},
        {{{"Loop", "x", "y", ""}}, "Loop has no body"},
        {{{"Einsum", "x", "y", ""}}, "Einsum lacks the attribute 'equation'"},
        {{{"Einsum", "x", "y", "equation='ij->i'"}}, "the equation 'ij->i' does not fit"},
        {{{"Einsum", "x", "y", "equation='i->ii'"}}, "the equation 'i->ii' does not fit"},
        {{{"Einsum", "x", "y", "equation='i->j'"}}, "the equation 'i->j' does not fit"},
        {{{"DFT", "x", "y", ""}}, "'x' has the shape [2] where a signal"},
        {{{"CausalConvWithState", "x,x", "y", ""}}, "'x' has 1 dimensions where 3 are needed"},
        {{{"RotaryEmbedding", "x,x,x", "y", ""}}, "input 'x' has 1 dimensions where 3 or 4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct onnx_model m;
        error_init(&err);
        onnx_begin(&m, &arena, 13);
        onnx_input(&m.graph, "x", ONNX_F32, "2");
        for (size_t j = 0; j < 3 && cases[i].nodes[j][0]; j++)
            onnx_node(&m.graph, cases[i].nodes[j][0], cases[i].nodes[j][1], cases[i].nodes[j][2],
                      cases[i].nodes[j][3]);
        onnx_output(&m.graph, "y", ONNX_F32, "2");
        expect_error(import_onnx(&m), cases[i].want);
    }
}

static void other_domains_are_named(void **state)
{
    (void)state;
    struct onnx_model m;
    struct strbuf node;
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "2");
    onnx_node_begin(&node, &arena, "Gelu", "x", "y", "");
    pb_string(&node, 3, "gelu_1");
    pb_string(&node, 7, "com.example");
    pb_sub(&m.graph, 1, &node);
    onnx_output(&m.graph, "y", ONNX_F32, "2");
    expect_error(import_onnx(&m),
                 "1 operator is not supported: 'com.example.Gelu' (node 'gelu_1')");
}

static void opsets_are_checked(void **state)
{
    (void)state;
    struct onnx_model m = relu_of("2");
    m.opset = 0;
    expect_error(import_onnx(&m), "does not say which ONNX operator set");
    error_init(&err);
    m.opset = 1000;
    expect_text(import_onnx(&m), "relu");
    expect_note("operator set 1000");
}

static void files_that_are_no_models(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *want;
    } cases[] = {
        {"", "it has no graph"},
        {"ir_version: 8\ngraph\n}\n", "this is not an ONNX model in protobuf's text form"},
        {"\x89PNG\r\n\x1a\n", "this is not an ONNX model, or it is damaged"},
        {"\x3a\x05\x01", "a length reaches past the end, at byte"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf bytes;
        error_init(&err);
        strbuf_init(&bytes, &arena);
        strbuf_add(&bytes, cases[i].bytes);
        expect_error(import_onnx_bytes(&bytes, (struct import_options){0}), cases[i].want);
    }
    error_init(&err);
    const char *absent = support_printf("%s/absent.onnx", support_tmp());
    struct import_options opt = {.paths = &absent, .n_paths = 1};
    assert_null(import_model(&arena, &opt, NULL, &err));
    assert_int_equal(err.status, SHEAF_ERROR_NOT_FOUND);
    assert_non_null(strstr(err.text, "absent.onnx"));
}

/* ---- inner graphs ---- */

static struct strbuf branch_of(const char *op)
{
    struct strbuf g;
    strbuf_init(&g, &arena);
    pb_string(&g, 2, "branch");
    onnx_node(&g, op, "x", "inner", "");
    onnx_output(&g, "inner", ONNX_F32, NULL);
    return g;
}

static struct onnx_model if_model(bool constant)
{
    struct onnx_model m;
    struct strbuf node, yes = branch_of("Exp"), no = branch_of("Relu"), cond;
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "x", ONNX_F32, "2");
    if (constant) {
        onnx_tensor_begin(&cond, &arena, "c", ONNX_BOOL, "");
        pb_bytes(&cond, 9, "\1", 1);
        pb_sub(&m.graph, 5, &cond);
    } else {
        onnx_input(&m.graph, "c", ONNX_BOOL, "");
    }
    onnx_node_begin(&node, &arena, "If", "c", "y", "");
    onnx_graph_attr(&node, "then_branch", &yes);
    onnx_graph_attr(&node, "else_branch", &no);
    pb_sub(&m.graph, 1, &node);
    onnx_output(&m.graph, "y", ONNX_F32, "2");
    return m;
}

static void branches_become_blocks(void **state)
{
    (void)state;
    struct onnx_model m = if_model(false);
    struct graph *g = import_onnx(&m);
    expect_text(g, "%inner f32 [2] = exp (%x)");
    expect_text(g, "%inner_1 f32 [2] = relu"); /* names are unique in the graph */
    expect_text(g, "%y f32 [2] = if (%c)");
}

static void a_known_branch_is_taken(void **state)
{
    (void)state;
    struct onnx_model m = if_model(true);
    struct graph *g = import_onnx(&m);
    expect_text(g, "%y f32 [2] = exp \"inner\" (%x)");
    assert_null(strstr(text_of(g), "relu"));
    assert_null(strstr(text_of(g), " = if "));
    expect_text(g, "return %y");
}

/* for (i = 0; i < trip; i++) sum += w, with every sum as a scan output. */
static struct onnx_model loop_model(const char *trip, const char *declared)
{
    struct onnx_model m;
    struct strbuf body, node;
    strbuf_init(&body, &arena);
    pb_string(&body, 2, "body");
    onnx_input(&body, "i", ONNX_I64, "");
    onnx_input(&body, "go", ONNX_BOOL, "");
    onnx_input(&body, "sum", ONNX_F32, "3");
    onnx_node(&body, "Add", "sum,w", "next", "");
    onnx_node(&body, "Identity", "next", "each", "");
    onnx_output(&body, "go", ONNX_BOOL, "");
    onnx_output(&body, "next", ONNX_F32, "3");
    onnx_output(&body, "each", ONNX_F32, "3");
    onnx_begin(&m, &arena, 13);
    onnx_input(&m.graph, "start", ONNX_F32, "3");
    onnx_input(&m.graph, "n", ONNX_I64, "");
    onnx_input(&m.graph, "more", ONNX_BOOL, "");
    onnx_weights(&m.graph, "w", "3");
    onnx_ints(&m.graph, "four", "", "4");
    onnx_node_begin(&node, &arena, "Loop", trip, "last,all", "");
    onnx_graph_attr(&node, "body", &body);
    pb_sub(&m.graph, 1, &node);
    onnx_output(&m.graph, "last", ONNX_F32, "3");
    onnx_output(&m.graph, "all", ONNX_F32, declared);
    return m;
}

static void loops_become_blocks(void **state)
{
    (void)state;
    struct onnx_model m = loop_model("four,,start", NULL);
    struct graph *g = import_onnx(&m);
    expect_text(g, "%last f32 [3], %all f32 [4,3] = loop (%four, _, %start)");
    expect_text(g, "%next f32 [3] = add (%sum, %w)");
    /* the number of rounds is known only at run time: the declared shape bounds it */
    m = loop_model("n,,start", "9,3");
    expect_text(import_onnx(&m), "%all f32 [9:%last.rounds,3]");
    m = loop_model(",more,start", "9,3");
    expect_text(import_onnx(&m), "= loop (_, %more, %start)");
    m = loop_model("n,,start", NULL);
    expect_error(import_onnx(&m), "no bound");
    error_init(&err);
    m = loop_model("four", NULL);
    expect_error(import_onnx(&m), "which do not suit its 2 inputs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(versions_are_adapted, setup_import, teardown),
        cmocka_unit_test_setup_teardown(range_is_bounded_by_its_declaration, setup_import,
                                        teardown),
        cmocka_unit_test_setup_teardown(softmax_of_one_dimension_stays, setup_import, teardown),
        cmocka_unit_test_setup_teardown(shape_arithmetic_is_computed, setup_import, teardown),
        cmocka_unit_test_setup_teardown(open_batch_is_one, setup_import, teardown),
        cmocka_unit_test_setup_teardown(symbols_need_values, setup_import, teardown),
        cmocka_unit_test_setup_teardown(a_symbol_is_one_number, setup_import, teardown),
        cmocka_unit_test_setup_teardown(inputs_are_overridden, setup_import, teardown),
        cmocka_unit_test_setup_teardown(inputs_become_constants, setup_import, teardown),
        cmocka_unit_test_setup_teardown(initialized_inputs_are_constants, setup_import, teardown),
        cmocka_unit_test_setup_teardown(outputs_are_tensors_of_their_own, setup_import, teardown),
        cmocka_unit_test_setup_teardown(nodes_are_sorted, setup_import, teardown),
        cmocka_unit_test_setup_teardown(faults_are_sentences, setup_import, teardown),
        cmocka_unit_test_setup_teardown(other_domains_are_named, setup_import, teardown),
        cmocka_unit_test_setup_teardown(opsets_are_checked, setup_import, teardown),
        cmocka_unit_test_setup_teardown(files_that_are_no_models, setup_import, teardown),
        cmocka_unit_test_setup_teardown(branches_become_blocks, setup_import, teardown),
        cmocka_unit_test_setup_teardown(a_known_branch_is_taken, setup_import, teardown),
        cmocka_unit_test_setup_teardown(loops_become_blocks, setup_import, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
