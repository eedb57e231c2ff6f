/*
 * Caffe2 import: operators and their many spellings of arguments, blobs that are written again,
 * inputs that the net does not describe, and faults as sentences.
 */
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/loader/import_run.h"

static struct strbuf new_net(void)
{
    struct strbuf net;
    strbuf_init(&net, &arena);
    pb_string(&net, 1, "net");
    return net;
}

/* ---- single operators ---- */

struct op_case {
    const char *type, *inputs, *outputs, *args;
    const char *want; /* in the graph's text, or "!" and part of the sentence */
};

static const struct op_case op_cases[] = {
    /* windows: x is [1,4,9,7] */
    {"Conv", "x,w", "y", "kernel=3", "kernel_shape=[3,3], pads=[0,0,0,0], strides=[1,1]"},
    {"Conv", "x,w", "y", "kernel=3", "%y f32 [1,6,7,5] = conv (%x, %w)"},
    {"Conv", "x,w,b", "y", "", "%y f32 [1,6,7,5] = conv (%x, %w, %b)"},
    {"Conv", "x,w", "y", "kernels=[3,3] strides=[2,1] pads=[1,0,2,0]", "pads=[1,0,2,0], strides=["},
    {"Conv", "x,w", "y", "kernel_h=3 kernel_w=3 stride_h=2 stride_w=1", "strides=[2,1]"},
    {"Conv", "x,w", "y", "kernel=3 pad_t=1 pad_l=2 pad_b=3 pad_r=0", "pads=[1,2,3,0]"},
    {"Conv", "x,w", "y", "kernel=3 pad=1 dilation=2",
     "dilations=[2,2], kernel_shape=[3,3], pads=[1"},
    {"Conv", "x,wg", "y", "kernel=3 group=2", "group=2"},
    {"Conv", "x,w", "y", "kernel=3 stride=2 legacy_pad=1 pad=1", "pads=[0,0,0,0]"},
    {"Conv", "x,w", "y", "kernel=3 stride=2 legacy_pad=2", "pads=[1,1,1,1]"},
    {"Conv", "x,w", "y", "kernel=3 stride=4 legacy_pad=2", "pads=[1,0,1,0]"},
    {"Conv", "h,wh", "y", "kernel=3 order='NHWC'", "%y f32 [1,7,5,6] = transpose"},
    {"Conv", "h,wh", "y", "kernel=3 order='NHWC'",
     "f32 [1,4,9,7] = transpose (%h) {perm=[0,3,1,2]"},
    {"Conv", "h,wh", "y", "kernel=3 order='NCWH'", "!the order 'NCWH' is not supported"},
    {"Conv", "x,w", "y", "kernel=3 stride=0", "!stride of 0"},
    {"Conv", "x,w", "y", "kernel=3 pads=[1,2,3]", "!has 3 numbers for 2 dimensions"},
    {"Conv", "x", "y", "kernel=3", "!Conv has 1 inputs, takes 2 to 3"},
    {"Conv", "m,w", "y", "kernel=3", "!has 2 dimensions, it needs at least 3"},
    {"Conv", "x,w", "y", "kernel=3.5", "!its argument 'kernel' is not a list of integers"},
    /* ceil((9 - 2) / 2) + 1 = 5 windows; ceil((7 - 2) / 2) + 1 = 4 */
    {"MaxPool", "x", "y", "kernel=2 stride=2 legacy_pad=3", "%y f32 [1,4,5,4] = max_pool"},
    {"MaxPool", "x", "y", "kernel=2 stride=2 legacy_pad=3", "pads=[0,0,2,2]"},
    {"MaxPool", "x", "y", "kernel=2 stride=2", "%y f32 [1,4,4,3] = max_pool"},
    /* with padding the last window must start inside the image */
    {"MaxPool", "x", "y", "kernel=2 stride=2 pad=1 legacy_pad=3", "%y f32 [1,4,5,4] = max_pool"},
    {"MaxPool", "x", "y", "kernel=20 legacy_pad=3",
     "!kernel of 20 is larger than the padded image"},
    {"MaxPool", "x", "y", "kernel=2 legacy_pad=7", "!legacy_pad=7 is not known"},
    {"AveragePool", "x", "y", "kernel=0 global_pooling=1", "%y f32 [1,4,1,1] = average_pool"},
    {"AveragePool", "x", "y", "kernel=3 pad=1", "%y f32 [1,4,9,7] = average_pool"},
    {"AveragePool", "h", "y", "kernel=3 order='NHWC'", "%y f32 [1,7,5,4] = transpose"},
    {"AveragePool", "x", "y", "", "!kernel of 0 is not possible"},
    /* layers */
    {"FC", "x,k,b", "y", "", "f32 [1,252] = flatten (%x)"},
    {"FC", "x,k,b", "y", "", "%y f32 [1,6] = gemm"},
    {"FC", "m,km", "y", "", "%y f32 [5,6] = gemm (%m, %km) {transB=1}"},
    {"FC", "x,kw", "y", "axis=3", "%y f32 [1,4,9,6] = reshape"},
    {"FC", "m,k4", "y", "axis_w=1", "const %k4_1 f32 [6,3] = fill 0"},
    {"FCTransposed", "m,kt", "y", "", "%y f32 [5,6] = gemm (%m, %kt)"},
    {"FC", "x,k,b", "y", "axis=5", "!axis 5 does not exist in 4 dimensions"},
    {"SpatialBN", "x,c,c,c,c", "y", "is_test=1 epsilon=0.25",
     "batch_norm (%x, %c, %c, %c, %c) {eps"},
    {"SpatialBN", "h,c,c,c,c", "y", "is_test=1 order='NHWC'", "%y f32 [1,9,7,4] = transpose"},
    {"SpatialBN", "x,c,c,c,c", "y", "is_test=0", "!training mode"},
    {"LRN", "x", "y,_scale", "size=5 alpha=0.5 beta=0.25 bias=2.0",
     "{alpha=0.5, beta=0.25, bias=2, "},
    {"LRN", "x", "y", "", "!its size of 0"},
    {"Softmax", "x", "y", "", "f32 [1,252] = flatten (%x)"},
    {"Softmax", "m", "y", "", "softmax (%m) {axis=1}"},
    {"Softmax", "x", "y", "axis=3", "softmax (%x) {axis=3}"},
    {"Dropout", "x", "y,_mask", "is_test=1 ratio=0.5", "%y f32 [1,4,9,7] = identity (%x)"},
    /* element by element */
    {"Add", "x,c", "y", "broadcast=1 axis=1", "%y f32 [1,4,9,7] = add (%x, %c_1)"},
    {"Add", "x,c", "y", "broadcast=1 axis_str='C'", "add (%x, %c_1)"},
    {"Mul", "h,c", "y", "broadcast=1 axis_str='C' order='NHWC'", "mul (%h, %c)"},
    {"Mul", "x,c", "y", "broadcast=1 axis_str='Q'", "!the axis 'Q' is not in NCHW"},
    {"Sub", "x,c", "y", "broadcast=1 axis=4", "!1 dimensions from axis 4 on do not fit into 4"},
    {"Div", "x,x", "y", "", "div (%x, %x)"},
    {"Sum", "x,x,x", "y", "", "sum (%x, %x, %x)"},
    {"Relu", "x", "y", "order='NCHW' cudnn_exhaustive_search=0", "relu (%x)"},
    {"LeakyRelu", "x", "y", "alpha=0.5", "leaky_relu (%x) {alpha=0.5}"},
    {"PRelu", "x,c", "y", "", "prelu (%x, %c_1)"},
    {"PRelu", "h,c", "y", "order='NHWC'", "prelu (%h, %c)"},
    {"Gelu", "x", "y", "fast_gelu=1", "gelu (%x) {approximate=\"tanh\"}"},
    {"Swish", "x", "y", "", "swish (%x)"},
    {"GE", "x,x", "y", "", "%y bool [1,4,9,7] = greater_or_equal (%x, %x)"},
    {"Mean", "x,x", "y", "", "mean (%x, %x)"},
    {"Clip", "x", "y", "max=6.0", "clip (%x, _, %t"},
    {"Negative", "x", "y", "", "neg (%x)"},
    {"StopGradient", "x", "y", "", "identity (%x)"},
    {"HalfToFloat", "f16", "y", "", "const %y_1 f32 [2] = {0.5, 2}"},
    /* movement */
    {"Concat", "x,x", "y,_dims", "", "%y f32 [1,8,9,7] = concat (%x, %x) {axis=1}"},
    {"Concat", "h,h", "y,_dims", "order='NHWC'", "%y f32 [1,9,7,8] = concat (%h, %h) {axis=3}"},
    {"Concat", "m,m", "y,_dims", "axis=0 add_axis=1", "%y f32 [2,5,3] = concat"},
    {"Reshape", "x", "y,_old", "shape=[0,-1]", "%y f32 [1,252] = reshape"},
    {"Reshape", "x,to", "y,_old", "", "%y f32 [36,7] = reshape"},
    {"Flatten", "x", "y", "axis=2", "%y f32 [4,63] = flatten"},
    {"FlattenToVec", "x", "y", "", "%y f32 [252] = reshape"},
    {"Transpose", "x", "y", "axes=[0,2,3,1]", "%y f32 [1,9,7,4] = transpose"},
    {"Transpose", "m", "y", "", "%y f32 [3,5] = transpose"},
    {"NCHW2NHWC", "x", "y", "", "%y f32 [1,9,7,4] = transpose"},
    {"NHWC2NCHW", "h", "y", "", "%y f32 [1,4,9,7] = transpose"},
    {"ExpandDims", "m", "y", "dims=[0]", "%y f32 [1,5,3] = unsqueeze"},
    {"Squeeze", "x", "y", "dims=[0]", "%y f32 [4,9,7] = squeeze"},
    {"ChannelShuffle", "x", "y", "group=2 kernel=1", "f32 [1,2,2,9,7] = reshape (%x, "},
    {"ChannelShuffle", "x", "y", "group=2 kernel=1", "{perm=[0,2,1,3,4]}"},
    {"ChannelShuffle", "h", "y", "group=2 order='NHWC'", "{perm=[0,1,2,4,3]}"},
    {"ChannelShuffle", "x", "y", "group=3", "!3 groups do not divide the channels of [1,4,9,7]"},
};

static void operators_are_converted(void **state)
{
    (void)state;
    static const struct import_input inputs[] = {
        {.name = "x", .rank = 4, .dims = {1, 4, 9, 7}},
        {.name = "h", .rank = 4, .dims = {1, 9, 7, 4}},
        {.name = "m", .rank = 2, .dims = {5, 3}},
    };
    static const struct {
        const char *blob, *dims;
    } weights[] = {{"w", "6,4,3,3"}, {"wg", "6,2,3,3"}, {"wh", "6,3,3,4"}, {"b", "6"},
                   {"c", "4"},       {"k", "6,252"},    {"km", "6,3"},     {"kw", "6,7"},
                   {"kt", "3,6"},    {"k4", "6,3,1,1"}};
    for (size_t i = 0; i < sizeof op_cases / sizeof op_cases[0]; i++) {
        const struct op_case *c = &op_cases[i];
        struct strbuf net = new_net(), init = new_net();
        error_init(&err);
        for (size_t j = 0; j < sizeof weights / sizeof weights[0]; j++)
            caffe2_weights(&init, weights[j].blob, weights[j].dims);
        caffe2_op(&init, "GivenTensorInt64Fill", "", "to", "shape=[2] values=[36,7]");
        caffe2_op(&init, "GivenTensorFp16Fill", "", "f16", "shape=[2] values=[0.5,2.0]");
        caffe2_op(&net, "Copy", "x", "unused_x", ""); /* so that each is an input of the net */
        caffe2_op(&net, "Copy", "h", "unused_h", "");
        caffe2_op(&net, "Copy", "m", "unused_m", "");
        caffe2_op(&net, c->type, c->inputs, c->outputs, c->args);
        caffe2_external(&net, "x,h,m", "y");
        struct graph *g =
            import_caffe2(&net, &init, (struct import_options){.inputs = inputs, .n_inputs = 3});
        if (*c->want == '!')
            expect_error(g, c->want + 1);
        else
            expect_text(g, c->want);
    }
}

/* ---- what operators compute: of constants, which the import folds ---- */

/* Blobs of the weights for the cases below. */
static const struct {
    const char *type, *blob, *args;
} constants[] = {
    {"GivenTensorFill", "m", "shape=[2,3] values=[1.0,2.0,3.0,4.0,5.0,6.0]"},
    {"GivenTensorFill", "r", "shape=[3,2] values=[1.0,2.0,3.0,4.0,5.0,6.0]"},
    {"GivenTensorFill", "e", "shape=[6] values=[1.0,2.0,3.0,4.0,5.0,6.0]"},
    {"GivenTensorFill", "v", "shape=[3] values=[1.0,-2.0,3.0]"},
    {"GivenTensorFill", "u", "shape=[3] values=[0.5,1.0,2.0]"},
    {"GivenTensorFill", "x", "shape=[1,1,2,2] values=[1.0,2.0,3.0,4.0]"},
    {"GivenTensorFill", "h", "shape=[1,2,2,1] values=[1.0,2.0,3.0,4.0]"},
    {"GivenTensorFill", "w", "shape=[1,1,1,1] values=[-1.0]"},
    {"GivenTensorFill", "wt", "shape=[1,1,2,1] values=[3.0,4.0]"},
    {"GivenTensorFill", "row", "shape=[1,2] values=[1.0,3.0]"},
    {"GivenTensorFill", "twos", "shape=[1,2] values=[2.0,2.0]"},
    {"GivenTensorFill", "none", "shape=[1,2] values=[0.0,0.0]"},
    {"GivenTensorFill", "t", "shape=[1,2] values=[0.0,1.0]"},
    {"GivenTensorFill", "g", "shape=[2] values=[1.0,2.0]"},
    {"GivenTensorFill", "b", "shape=[2] values=[0.0,1.0]"},
    {"GivenTensorFill", "l1", "shape=[2] values=[0.0,2.0]"},
    {"GivenTensorFill", "half", "shape=[] values=[0.5]"},
    {"GivenTensorFill", "low", "shape=[2] values=[4.0,-1.0]"},
    {"GivenTensorFill", "small", "shape=[2] values=[0.0,1e-8]"},
    {"GivenTensorFill", "new", "shape=[1,2] values=[9.0,8.0]"},
    {"GivenTensorFill", "sb", "shape=[3,2] values=[1.0,-97.0,1.0,-97.0,2.0,-200.0]"},
    {"GivenTensorByteStringToUInt8Fill", "bytes", "shape=[3,2] values='abcdef'"},
    {"GivenTensorBoolFill", "is", "shape=[3] values=[1,0,1]"},
    {"GivenTensorIntFill", "l", "shape=[3] values=[2,0,1]"},
    {"GivenTensorIntFill", "i", "shape=[3] values=[2,0,2]"},
    {"GivenTensorIntFill", "i2", "shape=[2] values=[2,0]"},
    {"GivenTensorIntFill", "i1", "shape=[1] values=[1]"},
    {"GivenTensorIntFill", "i0", "shape=[2] values=[0,0]"},
    {"GivenTensorIntFill", "l0", "shape=[1] values=[2]"},
    {"GivenTensorIntFill", "off", "shape=[2] values=[0,1]"},
    {"GivenTensorIntFill", "end", "shape=[3] values=[0,1,3]"},
    {"GivenTensorIntFill", "lab", "shape=[3] values=[0,1,0]"},
    {"GivenTensorIntFill", "rg", "shape=[2,2,2] values=[0,1,2,2,4,1,0,0]"},
    {"GivenTensorInt64Fill", "nd", "shape=[2,2] values=[2,1,0,0]"},
    {"GivenTensorInt64Fill", "q", "shape=[2] values=[7,-7]"},
    {"GivenTensorInt64Fill", "od", "shape=[2,2] values=[1,5,2,5]"},
    {"GivenTensorIntFill", "ol", "shape=[2] values=[2,1]"},
    {"GivenTensorInt64Fill", "ov", "shape=[3] values=[1,2,5]"},
};

/* `want` is of the output y. */
static const struct op_case computed_cases[] = {
    {"ArgMax", "m", "y", "", "i64 [2,1] = {2, 2}"},
    {"ArgMin", "v", "y", "", "i64 [1] = {1}"},
    {"ArgMin", "m", "y", "axis=0 keepdims=0", "i64 [3] = {0, 0, 0}"},
    {"AveragedLoss", "m", "y", "", "f32 [] = {3.5}"},
    {"BatchBoxCox", "t,l1,g", "y", "", "f32 [1,2] = {0, 4}"},
    {"BatchGather", "m,i2", "y", "", "f32 [2,2] = {3, 1, 6, 4}"},
    {"BatchMatMul", "m,m", "y", "trans_b=1", "f32 [2,2] = {14, 32, 32, 77}"},
    {"BatchOneHot", "od,ol,ov", "y", "", "i64 [2,3] = {1, 0, 1, 0, 1, 1}"},
    {"BatchSparseToDense", "l,i,v", "y", "dense_last_dim=3 default_value=0.5",
     "f32 [3,3] = {-2, 0.5, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 3}"},
    {"BatchSparseToDense", "l,i,v", "y", "", "!lacks the argument 'dense_last_dim'"},
    {"Bucketize", "v", "y", "boundaries=[-2.0,1.0,2.0]", "i32 [3] = {1, 0, 3}"},
    {"Bucketize", "v", "y", "", "!lacks the argument 'boundaries'"},
    {"Cast", "v", "y", "to=10", "i64 [3] = {1, -2, 3}"},
    {"Cast", "v", "y", "to='int32'", "i32 [3] = {1, -2, 3}"},
    {"Cast", "v", "y", "to=4", "!a conversion to Caffe2's type 4"},
    {"ConvRelu", "x,w", "y", "kernel=1", "f32 [1,1,2,2] = {0, 0, 0, 0}"},
    {"ConvTranspose", "h,wt", "y", "kernel_h=1 kernel_w=2 stride=2 order='NHWC'",
     "f32 [1,3,4,1] = {3, 4, 6, 8, 0, 0, 0, 0, 9, 12, 12, 16}"},
    {"ConvTranspose", "x,w", "y", "kernel=1 stride=2 adj=1",
     "f32 [1,1,4,4] = {-1, 0, -2, 0, 0, 0, 0, 0, -3, 0, -4, 0, 0, 0, 0, 0}"},
    {"DotProduct", "m,m", "y", "", "f32 [2] = {14, 77}"},
    {"DotProduct", "v,u", "y", "", "f32 [3] = {0.5, -2, 6}"},
    {"ElementwiseLinear", "m,v,u", "y", "", "f32 [2,3] = {1.5, -3, 11, 4.5, -9, 20}"},
    {"ElementwiseLinear", "m,g,u", "y", "", "!'g' has 2 elements for columns of [3]"},
    {"Embedding", "r,i", "y", "padIdx=0", "f32 [3,2] = {5, 6, 0, 0, 5, 6}"},
    {"EmbeddingBag", "r,u,i,off", "y", "", "f32 [2,2] = {2.5, 3, 11, 14}"},
    {"EmbeddingBag", "r,u,i,end", "y", "hasEndOffset=1", "f32 [2,2] = {2.5, 3, 11, 14}"},
    {"FbFCPacked", "m,m,b", "y", "", "f32 [2,2] = {14, 33, 32, 78}"},
    {"FillExamplesWithIndicator", "m,is", "y", "", "f32 [3,3] = {1, 2, 3, 0, 0, 0, 4, 5, 6}"},
    {"Gather", "r,i", "y", "", "f32 [3,2] = {5, 6, 1, 2, 5, 6}"},
    {"GatherND", "r,nd", "y", "", "f32 [2] = {6, 1}"},
    {"GatherRanges", "e,rg", "y,z", "", "f32 [4] = {1, 3, 4, 5}"},
    {"GatherRanges", "e,rg", "y,z", "maxOutputSize=5", "f32 [5] = {1, 3, 4, 5, 0}"},
    {"GatherRanges", "e,rg", "z,y", "", "i32 [2] = {3, 1}"},
    {"Identity", "v", "y", "", "f32 [3] = {1, -2, 3}"},
    {"LayerNorm", "row", "y,mean,dev", "epsilon=0.0", "f32 [1,2] = {-1, 1}"},
    {"LayerNorm", "row,g,b", "y,mean,dev", "epsilon=0.0", "f32 [1,2] = {-1, 3}"},
    {"LayerNorm", "row", "z,y,dev", "", "f32 [1,1] = {2}"},
    {"LayerNorm", "row", "z,mean,y", "epsilon=3.0", "f32 [1,1] = {2}"},
    {"LengthsMean", "r,l", "y", "", "f32 [3,2] = {2, 3, 0, 0, 5, 6}"},
    {"LengthsRangeFill", "l", "y", "", "i32 [3] = {0, 1, 0}"},
    {"LengthsRangeFill", "l", "y", "maxOutputSize=5", "i32 [5] = {0, 1, 0, 0, 0}"},
    {"LengthsSum", "r,l", "y", "", "f32 [3,2] = {4, 6, 0, 0, 5, 6}"},
    {"LengthsToRanges", "l", "y", "", "i32 [3,2] = {0, 2, 2, 0, 2, 1}"},
    {"LengthsWeightedSum", "r,u,l", "y", "", "f32 [3,2] = {3.5, 5, 0, 0, 10, 12}"},
    {"Log1p", "small", "y", "", "f32 [2] = {0, 1e-08}"},
    {"Logit", "g", "y", "eps=0.5", "f32 [2] = {0, 0}"},
    {"LpNorm", "v", "y", "p=1", "f32 [1] = {6}"},
    {"LpNorm", "v", "y", "p=1 average=1", "f32 [1] = {2}"},
    {"LpNorm", "v", "y", "", "f32 [1] = {14}"},
    {"LpNorm", "v", "y", "p=3", "!p=3 is not supported"},
    {"MatMul", "m,m", "y", "trans_b=1", "f32 [2,2] = {14, 32, 32, 77}"},
    {"Mod", "q", "y", "divisor=3", "i64 [2] = {1, -1}"},
    {"Mod", "q", "y", "divisor=3 sign_follow_divisor=1", "i64 [2] = {1, 2}"},
    {"Mod", "q", "y", "", "!its divisor is 0"},
    {"Neg", "v", "y", "", "f32 [3] = {-1, 2, -3}"},
    {"Pow", "v", "y", "exponent=2.0", "f32 [3] = {1, 4, 9}"},
    {"Pow", "m,g", "y", "broadcast=1 axis=0", "f32 [2,3] = {1, 2, 3, 16, 25, 36}"},
    {"ReduceBackMean", "m", "y", "", "f32 [2] = {2, 5}"},
    {"ReduceBackSum", "m", "y", "num_reduce_dims=2", "f32 [] = {21}"},
    {"ReduceBackSum", "m", "y", "num_reduce_dims=3", "!3 dimensions of 2 cannot be reduced"},
    {"ReplaceNaN", "nan", "y", "value=7.0", "f32 [2] = {2, 7}"},
    {"ResizeNearest", "x", "y", "width_scale=2.0", "f32 [1,1,2,4] = {1, 1, 2, 2, 3, 3, 4, 4}"},
    {"ResizeNearest", "h", "y", "height_scale=2.0 order='NHWC'",
     "f32 [1,4,2,1] = {1, 2, 1, 2, 3, 4, 3, 4}"},
    {"ResizeNearest", "x", "y", "width_scale=0.5 height_scale=0.5", "f32 [1,1,1,1] = {1}"},
    {"ResizeNearest", "x", "y", "width_scale=0.0", "!a scale of 0 is not possible"},
    {"RMSNorm", "twos,g,b", "y,z", "", "f32 [1,2] = {1, 3}"},
    {"RMSNorm", "twos,g,b", "z,y", "", "f32 [1] = {0.5}"},
    {"Scale", "v", "y", "scale=2.0", "f32 [3] = {2, -4, 6}"},
    {"ScaleGradient", "v", "y", "scale=2.0", "f32 [3] = {1, -2, 3}"},
    {"ScatterAssign", "r,i1,new", "y", "", "f32 [3,2] = {1, 2, 9, 8, 5, 6}"},
    {"Shape", "m", "y", "", "i64 [2] = {2, 3}"},
    {"Shape", "m", "y", "axes=[1]", "i64 [1] = {3}"},
    {"SigmoidCrossEntropyWithLogits", "none,t", "y", "", "f32 [1] = {0.6931472}"},
    {"Slice", "m", "y", "starts=[0,1] ends=[-1,3]", "f32 [2,2] = {2, 3, 5, 6}"},
    {"Slice", "m", "y", "starts=[0] ends=[-2]", "f32 [1,3] = {1, 2, 3}"},
    {"SparseLabelSplit", "l,lab,v", "a,b,c,d,y", "num_labels=2", "i32 [3] = {0, 0, 1}"},
    {"SparseLabelSplit", "l,lab,v", "a,y", "num_labels=2", "!2 outputs do not suit num_labels=2"},
    {"SparseLengthsMean", "r,i,l", "y", "", "f32 [3,2] = {3, 4, 0, 0, 5, 6}"},
    {"SparseLengthsSum", "r,i,l", "y", "", "f32 [3,2] = {6, 8, 0, 0, 5, 6}"},
    {"SparseLengthsSum8BitsRowwise", "bytes,i,l,sb", "y", "", "f32 [3,2] = {2, 5, 0, 0, 2, 4}"},
    {"SparseLengthsSumFused4BitRowwise", "f4,i0,l0", "y", "", "f32 [1,2] = {6, 10}"},
    {"SparseLengthsSumFused8BitRowwise", "f8,i0,l0", "y", "", "f32 [1,2] = {6, 10}"},
    {"SparseLengthsMeanFused8BitRowwise", "f8,i0,l0", "y", "", "f32 [1,2] = {3, 5}"},
    {"SparseLengthsSumFused8BitRowwise", "r,i,l", "y", "", "!holds no rows of bytes"},
    {"SparseLengthsWeightedSum", "r,u,i,l", "y", "", "f32 [3,2] = {3.5, 5, 0, 0, 10, 12}"},
    {"SparseLengthsWeightedSumFused8BitRowwise", "f8,g,i0,l0", "y", "", "f32 [1,2] = {9, 15}"},
    {"SparseToDense", "i,v", "y", "", "f32 [3] = {-2, 0, 4}"},
    {"SparseToDense", "i,v,e", "y", "", "f32 [6] = {-2, 0, 4, 0, 0, 0}"},
    {"SparseToDenseMask", "i,v,half,l", "y", "mask=[2,5]",
     "f32 [3,2] = {1, 0.5, 0.5, 0.5, 3, 0.5}"},
    {"SparseToDenseMask", "i,r,g", "y", "mask=[7,0]", "f32 [2,2] = {1, 2, 3, 4}"},
    {"Split", "m", "z,y", "axis=1 split=[1,2]", "f32 [2,2] = {2, 3, 5, 6}"},
    {"Split", "r", "z,a,y", "axis=0", "f32 [1,2] = {5, 6}"},
    {"Split", "r", "z,a,y", "axis=0 add_axis=1", "f32 [2] = {5, 6}"},
    {"Split", "r", "z,y", "axis=0", "!an extent of 3 is not cut into 2 outputs"},
    {"Sqr", "v", "y", "", "f32 [3] = {1, 4, 9}"},
    {"Tile", "g", "y", "tiles=2 axis=0", "f32 [4] = {1, 2, 1, 2}"},
    {"TopK", "m", "y,z", "k=2", "f32 [2,2] = {3, 2, 6, 5}"},
    {"TopK", "m", "z,y", "k=2", "i64 [2,2] = {2, 1, 2, 1}"},
};

/* A fill of bytes that are no text. */
static void bytes_fill(struct strbuf *net, const char *blob, const char *dims, const char *bytes,
                       size_t n)
{
    struct strbuf op, values, shape;
    strbuf_init(&op, &arena);
    strbuf_init(&values, &arena);
    strbuf_init(&shape, &arena);
    pb_string(&op, 2, blob);
    pb_string(&op, 4, "GivenTensorByteStringToUInt8Fill");
    pb_string(&values, 1, "values");
    pb_bytes(&values, 7, bytes, n);
    pb_string(&shape, 1, "shape");
    for (const char *d = dims; *d; d += strcspn(d, ","), d += *d == ',')
        pb_int(&shape, 6, strtoll(d, NULL, 10));
    pb_sub(&op, 5, &values);
    pb_sub(&op, 5, &shape);
    pb_sub(net, 2, &op);
}

static void operators_compute(void **state)
{
    (void)state;
    /* rows of codes 1 and 2, scale 2 and bias 1 */
    static const char f8[] = "\x01\x02\x00\x00\x00\x40\x00\x00\x80\x3f",
                      f4[] = "\x21\x00\x40\x00\x3c";
    for (size_t i = 0; i < sizeof computed_cases / sizeof computed_cases[0]; i++) {
        const struct op_case *c = &computed_cases[i];
        struct strbuf net = new_net(), init = new_net();
        error_init(&err);
        for (size_t j = 0; j < sizeof constants / sizeof constants[0]; j++)
            caffe2_op(&init, constants[j].type, "", constants[j].blob, constants[j].args);
        bytes_fill(&init, "f8", "1,10", f8, 10);
        bytes_fill(&init, "f4", "1,5", f4, 5);
        caffe2_op(&init, "Sqrt", "low", "nan", "");
        caffe2_op(&net, c->type, c->inputs, c->outputs, c->args);
        caffe2_op(&net, "Free", "y", "y", ""); /* changes nothing */
        caffe2_external(&net, "", "y");
        struct graph *g = import_caffe2(&net, &init, (struct import_options){0});
        if (*c->want == '!')
            expect_error(g, c->want + 1);
        else
            expect_text(g, support_printf("const %%y_1 %s", c->want));
    }
}

/* Lengths and indices that the client gives. */
static void lengths_are_inputs(void **state)
{
    (void)state;
    static const struct op_case cases[] = {
        {"LengthsSum", "r,l", "y", "", "scatter_nd ("},
        {"LengthsMean", "r,l", "y", "", "%y f32 [3,2] = div ("},
        {"LengthsRangeFill", "l", "y", "maxOutputSize=4", "%y i32 [4] = cast ("},
        {"LengthsRangeFill", "l", "y", "", "!needs the argument 'maxOutputSize'"},
        {"SparseLengthsWeightedSum", "r,u,i,l", "y", "", "%y f32 [3,2] = slice ("},
        {"SparseLengthsSumFused8BitRowwise", "by,i,l", "y", "",
         "!is supported only where 'by' is constant"},
        {"SparseLabelSplit", "l,i,u", "y,b,c,d,e", "num_labels=2", "= compress (%u, "},
        {"SparseToDense", "i,u", "y", "", "!is supported only where 'i' is constant"},
    };
    static const struct import_input inputs[] = {
        {.name = "l", .dtype = DTYPE_I32, .rank = 1, .dims = {3}},
        {.name = "i", .dtype = DTYPE_I32, .rank = 1, .dims = {3}},
        {.name = "by", .dtype = DTYPE_U8, .rank = 2, .dims = {3, 10}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct op_case *c = &cases[i];
        struct strbuf net = new_net(), init = new_net();
        error_init(&err);
        for (size_t j = 0; j < sizeof constants / sizeof constants[0]; j++)
            if (strcmp(constants[j].blob, "l") != 0 && strcmp(constants[j].blob, "i") != 0)
                caffe2_op(&init, constants[j].type, "", constants[j].blob, constants[j].args);
        for (size_t j = 0; j < 3; j++)
            caffe2_op(&net, "Copy", inputs[j].name, support_printf("copy_%zu", j), "");
        caffe2_op(&net, c->type, c->inputs, c->outputs, c->args);
        caffe2_external(&net, "l,i,by", "y");
        struct graph *g =
            import_caffe2(&net, &init, (struct import_options){.inputs = inputs, .n_inputs = 3});
        if (*c->want == '!')
            expect_error(g, c->want + 1);
        else
            expect_text(g, c->want);
    }
}

static void random_fills(void **state)
{
    (void)state;
    struct strbuf net = new_net(), init = new_net();
    caffe2_op(&net, "UniformFill", "", "y", "shape=[2,3] min=-1.0 max=2.0");
    caffe2_external(&net, "", "y");
    struct graph *g = import_caffe2(&net, &init, (struct import_options){0});
    expect_text(g, "%y f32 [2,3] = random_uniform (");
    expect_text(g, "high=2, low=-1");
    net = new_net();
    caffe2_op(&net, "GaussianFill", "", "y", "shape=[2,3] mean=4.0 std=2.0");
    caffe2_external(&net, "", "y");
    expect_text(import_caffe2(&net, &init, (struct import_options){0}), "%y f32 [2,3] = add (");
}

/* ---- operators of 8 bits ---- */

static void int8_operators(void **state)
{
    (void)state;
    static const struct op_case cases[] = {
        {"Int8Conv", "q,w,b", "y", "kernel=1 order='NHWC' Y_scale=0.5 Y_zero_point=3",
         "%y u8 [1,2,2,1] = quantize_linear ("},
        {"Int8Conv", "q,w,b", "y", "kernel=1 order='NHWC' Y_scale=0.5",
         "= dequantize_linear (%w, "},
        {"Int8Conv", "q,w,b", "y", "kernel=1 order='NHWC' Y_scale=0.5", "const %b i32 [1] = {5}"},
        {"Int8ConvRelu", "q,w,b", "y", "kernel=1 order='NHWC' Y_scale=0.5", "= relu ("},
        {"Int8FC", "q,k", "y", "Y_scale=0.5 Y_zero_point=3", "= gemm ("},
        {"Int8Relu", "q", "y", "", "= relu ("},
        {"Int8MaxPool", "q", "y", "kernel=2 order='NHWC'", "%y u8 [1,1,1,1] = quantize_linear ("},
        {"Int8AveragePool", "q", "y", "kernel=2 order='NHWC' Y_scale=0.25", "= average_pool ("},
        {"Int8SumRelu", "q,q", "y", "Y_scale=0.25", "= sum ("},
        {"Int8SumRelu", "q,q", "y", "Y_scale=0.25", "= relu ("},
        {"Int8Dequantize", "q", "y", "", "%y f32 [1,2,2,1] = dequantize_linear (%q, "},
        {"Int8Dequantize", "x", "y", "", "!'x' is not quantized"},
        {"Int8Quantize", "x", "y", "", "!lacks the argument 'Y_scale'"},
        {"Int8Quantize", "x", "y", "Y_scale=-1.0", "!its scale of -1"},
        {"Int8Quantize", "x", "y", "Y_scale=0.5 Y_zero_point=256", "!zero point of 256 is no u8"},
        {"Int8Relu", "x", "y", "", "!lacks the argument 'Y_scale'"},
        {"Relu", "q", "y", "", "!'q' is quantized, which Relu does not take"},
        {"Int8Dequantize", "turned", "y", "", "%y f32 [1,1,2,2] = dequantize_linear (%turned, "},
    };
    static const struct import_input x = {.name = "x", .rank = 4, .dims = {1, 2, 2, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf net = new_net(), init = new_net();
        error_init(&err);
        caffe2_op(&init, "Int8GivenTensorFill", "", "w",
                  "shape=[1,1,1,1] values='a' Y_scale=0.5 Y_zero_point=100");
        caffe2_op(&init, "Int8GivenTensorFill", "", "k",
                  "shape=[1,4] values='abcd' Y_scale=0.5 Y_zero_point=100");
        caffe2_op(&init, "Int8GivenIntTensorFill", "", "b", "shape=[1] values=[5] Y_scale=0.125");
        caffe2_op(&net, "Int8Quantize", "x", "q", "Y_scale=0.25 Y_zero_point=128");
        caffe2_op(&net, "NHWC2NCHW", "q", "turned", "");
        caffe2_op(&net, cases[i].type, cases[i].inputs, cases[i].outputs, cases[i].args);
        caffe2_external(&net, "x", "y");
        struct graph *g =
            import_caffe2(&net, &init, (struct import_options){.inputs = &x, .n_inputs = 1});
        if (*cases[i].want == '!')
            expect_error(g, cases[i].want + 1);
        else
            expect_text(g, cases[i].want);
    }
}

/* ---- fills ---- */

static void fills_are_constants(void **state)
{
    (void)state;
    static const struct {
        const char *type, *args, *want;
    } cases[] = {
        {"GivenTensorFill", "shape=[2] values=[1.5,-2.0]", "%c f32 [2] = {1.5, -2}"},
        {"GivenTensorFp16Fill", "shape=[2] values=[1.5,-2.0]", "%c f16 [2] = {1.5, -2}"},
        {"GivenTensorIntFill", "shape=[2] values=[1,-2]", "%c i32 [2] = {1, -2}"},
        {"GivenTensorInt64Fill", "shape=[1,1] values=[7]", "%c i64 [1,1] = {7}"},
        {"GivenTensorBoolFill", "shape=[2] values=[1,0]", "%c bool [2] = {1, 0}"},
        {"ConstantFill", "shape=[2]", "%c f32 [2] = {0, 0}"},
        {"ConstantFill", "shape=[1] value=2.5", "%c f32 [1] = {2.5}"},
        {"ConstantFill", "shape=[1] value=3 dtype=10", "%c i64 [1] = {3}"},
        {"GivenTensorFill", "shape=[3] values=[1.5,2.0]", "!2 values where its shape needs 3"},
        {"GivenTensorFill", "shape=[-3] values=[1.5]", "!dimension 0 of its shape is -3"},
        {"GivenTensorIntFill", "shape=[1] values=[3000000000]", "!3000000000, which is no i32"},
        {"ConstantFill", "shape=[1099511627776]", "!would take more than"},
        {"ConstantFill", "shape=[1] dtype=4", "!Caffe2's type 4"},
        {"ConstantFill", "shape=[1] input_as_shape=1", "!a shape that is computed"},
        {"XavierFill", "shape=[1]", "!draws 'c' at random"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf net = new_net(), init = new_net();
        error_init(&err);
        caffe2_op(&init, cases[i].type, "", "c", cases[i].args);
        caffe2_op(&net, "Copy", "c", "y", "");
        caffe2_external(&net, "", "y,c");
        struct graph *g = import_caffe2(&net, &init, (struct import_options){0});
        if (*cases[i].want == '!') {
            expect_error(g, cases[i].want + 1);
            continue;
        }
        char want[64];
        snprintf(want, sizeof want, "%%c_1%s", cases[i].want + 2); /* c is an output of its own */
        expect_text(g, want);
    }
}

/* ---- blobs ---- */

static void blobs_written_again(void **state)
{
    (void)state;
    const struct import_input x = {.name = "x", .rank = 1, .dims = {4}};
    const struct import_options opt = {.inputs = &x, .n_inputs = 1};
    struct strbuf net = new_net(), init = new_net();
    caffe2_op(&net, "Exp", "x", "y", "");
    caffe2_op(&net, "Relu", "y", "y", "");
    caffe2_op(&net, "Tanh", "y", "y", "");
    caffe2_external(&net, "x", "y");
    struct graph *g = import_caffe2(&net, &init, opt);
    expect_text(g, "%y_1 f32 [4] = exp (%x)");
    expect_text(g, "%y_2 f32 [4] = relu (%y_1)");
    expect_text(g, "%y f32 [4] = tanh (%y_2)");
    /* an input keeps its name, since clients know it by that */
    net = new_net();
    caffe2_op(&net, "Relu", "x", "x", "");
    caffe2_op(&net, "Exp", "x", "y", "");
    caffe2_external(&net, "x", "y");
    g = import_caffe2(&net, &init, opt);
    expect_text(g, "input %x f32 [4]");
    expect_text(g, "= relu (%x)");
    assert_string_equal(g->body.in[0]->name, "x");
}

static void auxiliary_outputs(void **state)
{
    (void)state;
    const struct import_input x = {.name = "x", .rank = 2, .dims = {4, 4}};
    const struct import_options opt = {.inputs = &x, .n_inputs = 1};
    struct strbuf net = new_net(), init = new_net();
    caffe2_op(&net, "Dropout", "x", "y,_mask", "is_test=0");
    caffe2_external(&net, "x", "y");
    expect_text(import_caffe2(&net, &init, opt), "identity (%x)");
    expect_note("Dropout 'y' is meant for training");
    caffe2_op(&net, "Relu", "_mask", "z", "");
    expect_error(import_caffe2(&net, &init, opt),
                 "it reads '_mask', an auxiliary output of Dropout");
}

static void unknown_arguments_are_noted(void **state)
{
    (void)state;
    const struct import_input x = {.name = "x", .rank = 1, .dims = {4}};
    struct strbuf net = new_net(), init = new_net();
    caffe2_op(&net, "Relu", "x", "y", "bogus=3");
    caffe2_external(&net, "x", "y");
    expect_text(import_caffe2(&net, &init, (struct import_options){.inputs = &x, .n_inputs = 1}),
                "relu");
    expect_note("the argument 'bogus' of Relu is not known");
}

/* ---- inputs and outputs ---- */

static struct strbuf conv_net(const char *args)
{
    struct strbuf net = new_net();
    caffe2_op(&net, "Conv", "data,w", "y", args);
    caffe2_external(&net, "data,w,unused_queue", "y");
    return net;
}

static void an_image_gives_the_shape(void **state)
{
    (void)state;
    struct strbuf net = conv_net("kernel=3"), init = new_net();
    caffe2_weights(&init, "w", "2,3,3,3");
    expect_error(import_caffe2(&net, &init, (struct import_options){0}),
                 "the shape of input 'data' is not known: give an image, or the shape as in "
                 "-model-input=data,float,[1,3,H,W]");
    error_init(&err);
    const struct import_options image = {.image_height = 20, .image_width = 30, .batch = 2};
    expect_text(import_caffe2(&net, &init, image), "input %data f32 [2,3,20,30]");
    net = conv_net("kernel=3 order='NHWC'");
    expect_text(import_caffe2(&net, &init, image), "input %data f32 [2,20,30,3]");
    expect_error(import_caffe2(&net, &init, (struct import_options){0}), "float,[1,H,W,3]");
}

/* The weights reserve the input's name by a blob of one number. */
static void reserved_inputs(void **state)
{
    (void)state;
    struct strbuf net = conv_net("kernel=3"), init = new_net();
    const struct import_options image = {.image_height = 20, .image_width = 30};
    caffe2_weights(&init, "w", "2,3,3,3");
    caffe2_op(&init, "ConstantFill", "", "data", "shape=[1]");
    struct graph *g = import_caffe2(&net, &init, image);
    expect_text(g, "input %data f32 [1,3,20,30]");
    assert_int_equal(g->body.n_in, 1);
}

static void described_inputs(void **state)
{
    (void)state;
    struct strbuf net = conv_net("kernel=3"), init = new_net();
    caffe2_weights(&init, "w", "2,3,3,3");
    struct import_input in = {.name = "data", .rank = 4, .dims = {1, 3, 8, 8}};
    const struct import_options opt = {.inputs = &in, .n_inputs = 1};
    expect_text(import_caffe2(&net, &init, opt), "%y f32 [1,2,6,6] = conv");
    in.dims[2] = -1;
    expect_error(import_caffe2(&net, &init, opt), "dimension 2 of input 'data' is -1");
    error_init(&err);
    in.dims[2] = 8;
    in.name = "picture";
    expect_error(
        import_caffe2(&net, &init,
                      (struct import_options){
                          .inputs = &in, .n_inputs = 1, .image_height = 9, .image_width = 9}),
        "no input 'picture', which -model-input describes; its inputs are: 'data'");
}

static void missing_weights(void **state)
{
    (void)state;
    struct strbuf net = conv_net("kernel=3"), init = new_net();
    expect_error(import_caffe2(&net, &init, (struct import_options){0}),
                 "2 tensors that the net reads are not in the weights, and no -model-input "
                 "describes them: 'data', 'w'");
    error_init(&err);
    const struct import_input in = {.name = "data", .rank = 4, .dims = {1, 3, 8, 8}};
    expect_error(import_caffe2(&net, &init, (struct import_options){.inputs = &in, .n_inputs = 1}),
                 "'w', which the net reads, is not in the weights");
}

static void outputs_of_the_net(void **state)
{
    (void)state;
    const struct import_input x = {.name = "x", .rank = 1, .dims = {4}};
    const struct import_options opt = {.inputs = &x, .n_inputs = 1};
    struct strbuf net = new_net(), init = new_net();
    caffe2_op(&net, "Relu", "x", "a", "");
    caffe2_op(&net, "Exp", "a", "y", "");
    struct graph *g = import_caffe2(&net, &init, opt);
    expect_text(g, "return %y");
    expect_note("the net names no outputs; 'y', which it computes last, is taken");
    caffe2_external(&net, "x", "q");
    expect_error(import_caffe2(&net, &init, opt), "output 'q' is not computed");
}

/* ---- files ---- */

static void unknown_operators_are_listed(void **state)
{
    (void)state;
    struct strbuf net = new_net(), init = new_net();
    caffe2_op(&init, "Foo", "", "w", "");
    caffe2_op(&net, "Relu", "x", "a", "");
    caffe2_op(&net, "Bar", "a", "y", "");
    expect_error(import_caffe2(&net, &init, (struct import_options){0}),
                 "2 operators are not supported: 'Foo' (node 'w'), 'Bar' (node 'y')");
}

static void a_folder_holds_two_files(void **state)
{
    (void)state;
    struct strbuf net = conv_net("kernel=3"), init = new_net();
    const char *dir = support_printf("%s/model", support_tmp());
    const struct import_options opt = {
        .paths = &dir, .n_paths = 1, .image_height = 9, .image_width = 9};
    mkdir(dir, 0777);
    assert_null(import_model(&arena, &opt, NULL, &err));
    assert_non_null(strstr(err.text, "predict_net.pb"));
    error_init(&err);
    caffe2_weights(&init, "w", "2,3,3,3");
    support_write_file(support_printf("%s/predict_net.pb", dir), strbuf_text(&net), net.len);
    assert_null(import_model(&arena, &opt, NULL, &err));
    assert_non_null(strstr(err.text, "init_net.pb"));
    error_init(&err);
    support_write_file(support_printf("%s/init_net.pb", dir), strbuf_text(&init), init.len);
    expect_text(import_model(&arena, &opt, NULL, &err), "%y f32 [1,2,7,7] = conv");
}

static void files_that_are_no_nets(void **state)
{
    (void)state;
    struct strbuf net = new_net(), init = new_net(), text, damaged;
    strbuf_init(&text, &arena);
    strbuf_add(&text, "name: \"resnet50\"\nop {\n\n");
    expect_error(
        import_caffe2(&text, &init, (struct import_options){0}),
        "a Caffe2 net in protobuf's text form, or it is damaged: it ends inside a message, in "
        "line 4");
    error_init(&err);
    expect_error(import_caffe2(&net, &init, (struct import_options){0}),
                 "the net has no operators");
    error_init(&err);
    strbuf_init(&damaged, &arena);
    /* an argument that ends inside a number */
    pb_string(&damaged, 2, "\x12\x01y\x22\x04Relu\x2a\x02\x0d\x01");
    expect_error(import_caffe2(&damaged, &init, (struct import_options){0}),
                 "its argument 0 is damaged");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(operators_are_converted, setup_import, teardown),
        cmocka_unit_test_setup_teardown(operators_compute, setup_import, teardown),
        cmocka_unit_test_setup_teardown(lengths_are_inputs, setup_import, teardown),
        cmocka_unit_test_setup_teardown(random_fills, setup_import, teardown),
        cmocka_unit_test_setup_teardown(int8_operators, setup_import, teardown),
        cmocka_unit_test_setup_teardown(fills_are_constants, setup_import, teardown),
        cmocka_unit_test_setup_teardown(blobs_written_again, setup_import, teardown),
        cmocka_unit_test_setup_teardown(auxiliary_outputs, setup_import, teardown),
        cmocka_unit_test_setup_teardown(unknown_arguments_are_noted, setup_import, teardown),
        cmocka_unit_test_setup_teardown(an_image_gives_the_shape, setup_import, teardown),
        cmocka_unit_test_setup_teardown(reserved_inputs, setup_import, teardown),
        cmocka_unit_test_setup_teardown(described_inputs, setup_import, teardown),
        cmocka_unit_test_setup_teardown(missing_weights, setup_import, teardown),
        cmocka_unit_test_setup_teardown(outputs_of_the_net, setup_import, teardown),
        cmocka_unit_test_setup_teardown(unknown_operators_are_listed, setup_import, teardown),
        cmocka_unit_test_setup_teardown(a_folder_holds_two_files, setup_import, teardown),
        cmocka_unit_test_setup_teardown(files_that_are_no_nets, setup_import, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
