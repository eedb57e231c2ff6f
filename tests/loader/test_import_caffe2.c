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
