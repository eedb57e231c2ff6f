/*
 * The command line: spellings, values, and the one sentence for each mistake.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ir/quantize/calibrate.h"
#include "loader/options.h"
#include "tests/support/fixture.h"
#include "tests/support/support.h"

enum { MAX_WORDS = 32 };

/* Parses and checks a command line whose words are separated by blanks. */
static bool parse(const char *line, struct loader_options *opt)
{
    char *words[MAX_WORDS] = {"loader"};
    int n = 1;
    char *text = arena_strdup(&arena, line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        words[n++] = word;
    error_init(&err);
    return options_parse(&arena, n, words, opt, &err) && options_check(&arena, opt, &err);
}

static struct loader_options good(const char *line)
{
    struct loader_options opt;
    if (!parse(line, &opt))
        fail_msg("'%s' is refused: %s", line, err.text);
    return opt;
}

static void bad(const char *line, const char *sentence)
{
    struct loader_options opt;
    if (parse(line, &opt))
        fail_msg("'%s' is accepted", line);
    assert_int_equal(err.status, SHEAF_ERROR_ARGUMENT);
    assert_string_equal(err.text, sentence);
}

static void test_seed_command(void **state)
{
    (void)state;
    struct loader_options opt = good(
        "tests/images/imagenet/cat_285.png -image_mode=0to1 -m resnet50 -cpu -emit-bundle build");
    assert_int_equal(opt.images.n, 1);
    assert_string_equal(opt.images.item[0], "tests/images/imagenet/cat_285.png");
    assert_int_equal(opt.image_mode, IMAGE_MODE_0TO1);
    assert_int_equal(opt.model.n, 1);
    assert_string_equal(opt.model.item[0], "resnet50");
    assert_true(opt.cpu);
    assert_string_equal(opt.emit_bundle, "build");
}

static void test_defaults(void **state)
{
    (void)state;
    struct loader_options opt = good("-m net.onnx");
    assert_int_equal(opt.topk, 1);
    assert_int_equal(opt.iterations, 1);
    assert_int_equal(opt.label_offset, 0);
    assert_int_equal(opt.image_mode, -1);
    assert_int_equal(opt.image_layout, -1);
    assert_int_equal(opt.image_channel_order, IMAGE_ORDER_RGB);
    assert_false(opt.cpu || opt.interpreter || opt.verify || opt.time || opt.verbose);
    assert_null(opt.emit_bundle);
    assert_int_equal(opt.images.n + opt.mean.n + opt.mattr.n + opt.input.n, 0);
    assert_true(opt.given[OPTION_ID_model] && !opt.given[OPTION_ID_topk]);
}

/* One dash or two, '=' or a blank, hyphens or underscores, an alias: all the same. */
static void test_spellings(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "-m n -image-mode=neg1to1",   "-m n -image_mode=neg1to1", "-m n --image-mode neg1to1",
        "--m=n --image_mode neg1to1", "-model n -i neg1to1",      "-i=neg1to1 --model=n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct loader_options opt = good(lines[i]);
        assert_int_equal(opt.image_mode, IMAGE_MODE_NEG1TO1);
        assert_string_equal(opt.model.item[0], "n");
    }
    assert_true(good("-m n -dump_graph_DAG=x.dot").dump_graph_dag != NULL);
    assert_int_equal(good("-m n -image-mode=0to256").image_mode, IMAGE_MODE_0TO256);
    assert_int_equal(good("-m n -image-mode=128to127").image_mode, IMAGE_MODE_128TO127);
    assert_int_equal(good("-m n -l NHWC").image_layout, IMAGE_LAYOUT_NHWC);
    assert_int_equal(good("-m n -image-channel-order=BGR").image_channel_order, IMAGE_ORDER_BGR);
}

static void test_booleans(void **state)
{
    (void)state;
    assert_true(good("-m n -verbose").verbose);
    assert_true(good("-m n -verbose=true").verbose);
    assert_true(good("-m n -verbose=1").verbose);
    assert_false(good("-m n -verbose=false").verbose);
    assert_false(good("-m n -verbose=0").verbose);
    /* A boolean takes no following word: this one is an image. */
    assert_int_equal(good("-m n -verbose false").images.n, 1);
    bad("-m n -verbose=maybe", "option -verbose is true or false, not 'maybe'");
    bad("-m n -verbose=", "option -verbose needs a value (true or false)");
}

static void test_lists(void **state)
{
    (void)state;
    struct loader_options opt = good("-m n -mean=1,2.5,-3 -stddev 2 -expected-labels=281,207 "
                                     "a.png -expected-labels 340 b.png c.png -mattr=+avx2,-fma");
    assert_int_equal(opt.mean.n, 3);
    assert_true(opt.mean.item[0] == 1 && opt.mean.item[1] == 2.5 && opt.mean.item[2] == -3);
    assert_true(opt.stddev.n == 1 && opt.stddev.item[0] == 2);
    assert_int_equal(opt.expected_labels.n, 3);
    assert_int_equal(opt.expected_labels.item[2], 340);
    assert_int_equal(opt.images.n, 3);
    assert_string_equal(opt.images.item[2], "c.png");
    assert_int_equal(opt.mattr.n, 2);
    assert_string_equal(opt.mattr.item[1], "-fma");
    /* A value may begin with a dash. */
    assert_true(good("-m n -mean -1,2,3").mean.item[0] == -1);
    assert_int_equal(good("-m n -label-offset -1").label_offset, -1);
    assert_string_equal(good("-m n -mattr -avx512f").mattr.item[0], "-avx512f");
    bad("-m n -mean=1,,2", "option -mean: the list '1,,2' has an empty item");
    bad("-m n -mean=1,two", "option -mean takes numbers, 'two' is none");
    bad("-m n -mean=nan", "option -mean takes numbers, 'nan' is none");
    bad("-m n -stddev=1,0,1", "option -stddev: 0 is not positive");
    bad("-m n -expected-labels=1,2.5 a b",
        "option -expected-labels takes whole numbers, '2.5' is none");
}

static void test_two_models(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "-m net.pb,init.pb",
        "-m net.pb init.pb",
        "-m=net.pb -m=init.pb",
        "-m=net.pb init.pb",
        "-cpu -model net.pb init.pb -time",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct loader_options opt = good(lines[i]);
        assert_int_equal(opt.model.n, 2);
        assert_string_equal(opt.model.item[0], "net.pb");
        assert_string_equal(opt.model.item[1], "init.pb");
        assert_int_equal(opt.images.n, 0);
    }
    assert_int_equal(good("-m dir cat.png").images.n, 1);
    bad("-m a,b,c", "option -model takes a net and its weights, not 3 paths");
    bad("-cpu", "no network is given: -m names a Caffe2 folder or an .onnx file");
}

static void test_unknown_options(void **state)
{
    (void)state;
    bad("-m n -emit-bundel=x", "unknown option '-emit-bundel': did you mean '-emit-bundle'?");
    bad("-m n --image_mod 0to1", "unknown option '--image_mod': did you mean '-image-mode'?");
    bad("-m n -dumpGraph", "unknown option '-dumpGraph': did you mean '-dump-graph'?");
    bad("-m n -dump-graph-dag=x",
        "unknown option '-dump-graph-dag': did you mean '-dump-graph-DAG'?");
    bad("-m n -topK=5", "unknown option '-topK': did you mean '-topk'?");
    bad("-m n -verison", "unknown option '-verison': did you mean '-version'?");
    bad("-m n -rectangular", "unknown option '-rectangular': 'loader -help' lists the options");
    bad("-m n -=1", "unknown option '-': 'loader -help' lists the options");
    /* A name longer than any buffer. */
    struct loader_options opt;
    char *line = arena_alloc(&arena, 5000);
    memset(line, 'x', 4999);
    memcpy(line, "-m n -", 6);
    assert_false(parse(line, &opt));
    assert_non_null(strstr(err.text, "unknown option"));
}

static void test_missing_and_wrong_values(void **state)
{
    (void)state;
    bad("-m", "option -model needs a value (PATH[,WEIGHTS])");
    bad("-m n -topk", "option -topk needs a value (K)");
    bad("-m n -topk=", "option -topk needs a value (K)");
    bad("-emit-bundle -m n",
        "option -emit-bundle needs a value (DIR), but the option '-m' follows");
    bad("-m n -topk=five", "option -topk takes a whole number, 'five' is none");
    bad("-m n -topk=5x", "option -topk takes a whole number, '5x' is none");
    bad("-m n -topk=99999999999999999999",
        "option -topk takes a whole number, '99999999999999999999' is none");
    bad("-m n -topk=0", "option -topk must lie in 1 to 1000000, not 0");
    bad("-m n -iterations=-2", "option -iterations must lie in 1 to 1000000000, not -2");
    bad("-m n -image-mode=0to2",
        "option -image-mode is one of 0to1|0to255|neg1to1|neg128to127|0to256|128to127, not '0to2'");
    bad("-m n -l HWC", "option -image-layout is one of NCHW|NHWC, not 'HWC'");
    bad("-m n -topk=1 -topk=2", "option -topk is given twice");
    bad("-m n -emit-bundle a -emit-bundle=b", "option -emit-bundle is given twice");
}

static void test_conflicts(void **state)
{
    (void)state;
    bad("-m n -cpu -interpreter",
        "options -cpu and -interpreter exclude each other: each says what runs the network");
    bad("-m n -emit-bundle d -verify",
        "options -emit-bundle and -verify exclude each other: what is written is not run");
    bad("-m n -emit-bundle d -output y=y.npy",
        "options -emit-bundle and -output exclude each other: what is written is not run");
    bad("-m n -emit-bundle d -expected-labels=1 a.png",
        "options -emit-bundle and -expected-labels exclude each other: what is written is not run");
    bad("-m n -emit-bundle d -topk=5 a.png",
        "options -emit-bundle and -topk exclude each other: what is written is not run");
    bad("-m n -verify -labels=f a.png",
        "options -verify and -labels exclude each other: -verify prints no labels");
    bad("-m n -use-imagenet-normalization -mean=1",
        "options -use-imagenet-normalization and -mean exclude each other: each states the mean");
    bad("-m n -network-name=x", "option -network-name needs -emit-bundle: it names the files of a "
                                "bundle");
    bad("-m n -target=aarch64",
        "option -target needs -emit-bundle or -emit-lib: code for another machine cannot run here");
    bad("-m n -ve-cores=8", "option -ve-cores needs -ve: they are the Vector Engine's");
    bad("-m n -ve -ve-cores=17", "option -ve-cores must lie in 1 to 16, not 17");
    bad("-m n -ve -ve-cores=8 -emit-bundle d",
        "options -emit-bundle and -ve-cores exclude each other: what is written is not run");
    assert_int_equal(good("-m n -ve -ve-cores=8").ve_cores, 8);
    /* What is switched off excludes nothing. */
    assert_false(good("-m n -cpu -interpreter=false").interpreter);
    assert_true(good("-m n -use-imagenet-normalization=false -mean=1").mean.n == 1);
}

static void test_quantization(void **state)
{
    (void)state;
    struct loader_options opt = good("-m n");
    assert_int_equal(opt.quantization_schema, SCHEMA_ASYMMETRIC);
    assert_int_equal(opt.quantization_precision, 0);
    assert_int_equal(opt.quantization_precision_bias, 2);
    assert_int_equal(opt.quantization_calibration, CALIBRATION_NONE);
    assert_true(opt.quantization_percentile > 99.98 && opt.quantization_percentile < 100);
    assert_true(opt.enable_channelwise && opt.enable_rowwise);
    assert_int_equal(opt.weights_only, -1);
    opt = good("-m n -load_profile=a.yml,b.yml -load_profile c.yml "
               "-quantization_schema=symmetric_with_power2_scale -quantization-precision=Int16 "
               "-quantization-precision-bias=Int8 -quantization-calibration=percentile "
               "-quantization-percentile=99.5 -enable-channelwise=false -enable-rowwise=false "
               "-keep-original-precision-for-nodes=SoftMax,Conv -convert-placeholders "
               "-num-histogram-bins=255");
    assert_int_equal(opt.load_profile.n, 3);
    assert_string_equal(opt.load_profile.item[2], "c.yml");
    assert_int_equal(opt.quantization_schema, SCHEMA_SYMMETRIC_WITH_POWER2_SCALE);
    assert_int_equal(opt.quantization_precision, 1);
    assert_int_equal(opt.quantization_precision_bias, 0);
    assert_int_equal(opt.quantization_calibration, CALIBRATION_PERCENTILE);
    assert_true(opt.quantization_percentile > 99.4 && opt.quantization_percentile < 99.6);
    assert_true(!opt.enable_channelwise && !opt.enable_rowwise && opt.convert_placeholders);
    assert_int_equal(opt.keep_original_precision_for_nodes.n, 2);
    assert_int_equal(good("-m n -weights-only=int4 -weights-block=0").weights_only, 1);
    assert_int_equal(good("-m n -convert-to-fp16 -fp16-format=bfloat16").fp16_format, 1);
}

static void test_quantization_conflicts(void **state)
{
    (void)state;
    bad("-m n -load-profile=p -weights-only=int8",
        "options -load-profile and -weights-only exclude each other: each says what becomes of the "
        "weights");
    bad("-m n -load-profile=p -convert-to-fp16",
        "options -load-profile and -convert-to-fp16 exclude each other: each says how tensors are "
        "stored");
    bad("-m n -weights-only=int4 -convert-to-fp16",
        "options -weights-only and -convert-to-fp16 exclude each other: each says how weights are "
        "stored");
    bad("-m n -quantization-schema=symmetric",
        "option -quantization-schema needs -load-profile: it is about quantization");
    bad("-m n -assert-all-nodes-quantized -dump-profile=p",
        "options -dump-profile and -assert-all-nodes-quantized exclude each other: profiles are "
        "taken of the float network");
    assert_true(good("-m n -assert-all-nodes-quantized").assert_all_nodes_quantized);
    bad("-m n -weights-block=32",
        "option -weights-block needs -weights-only: blocks are of such weights");
    bad("-m n -fp16-format=fp16",
        "option -fp16-format needs -convert-to-fp16: it says to which 16 bits");
    bad("-m n -convert-placeholders",
        "option -convert-placeholders needs -load-profile or -convert-to-fp16: else they keep "
        "their types anyway");
    bad("-m n -host-nodes=Conv",
        "option -host-nodes needs -gpu: without a device the host computes all");
    bad("-m n -keep-original-precision-for-nodes=Conv",
        "option -keep-original-precision-for-nodes needs -load-profile, -weights-only, "
        "-convert-to-fp16 or -assert-all-nodes-quantized: else every node has the precision that "
        "the model gives it");
    bad("-m n -load-profile=p -quantization-percentile=99",
        "option -quantization-percentile needs -quantization-calibration=percentile");
    bad("-m n -load-profile=p -quantization-calibration=percentile -quantization-percentile=101",
        "option -quantization-percentile must be above 0 and at most 100, not 101");
    bad("-m n -load-profile=p -quantization-percentile=x",
        "option -quantization-percentile takes a number, 'x' is none");
    bad("-m n -load-profile=p -quantization-schema=asym",
        "option -quantization-schema is one of "
        "asymmetric|symmetric|symmetric_with_uint8|symmetric_with_power2_scale, not 'asym'");
    bad("-m n -weights-only=int4 -weights-block=-1",
        "option -weights-block must lie in 0 to 1073741824, not -1");
    bad("-m n -num-histogram-bins=0",
        "option -num-histogram-bins must lie in 1 to 1073741824, not 0");
}

static void test_model_inputs(void **state)
{
    (void)state;
    struct loader_options opt = good("-m n -model-input=gpu_0/data,float,[1,3,224,224] "
                                     "-model-input q,int8q,0.5,-3,[2,10] -model_input=s,int64,[] "
                                     "-model-input-name=only");
    assert_int_equal(opt.model_input.n, 4);
    const struct import_input *in = opt.model_inputs;
    assert_string_equal(in[0].name, "gpu_0/data");
    assert_true(in[0].dtype == DTYPE_F32 && in[0].rank == 4 && in[0].dims[0] == 1 &&
                in[0].dims[1] == 3 && in[0].dims[3] == 224 && in[0].quant.scale == 0);
    assert_true(in[1].dtype == DTYPE_I8 && in[1].rank == 2 && in[1].dims[1] == 10);
    assert_true(in[1].quant.scale == 0.5f && in[1].quant.zero_point == -3);
    assert_true(in[2].dtype == DTYPE_I64 && in[2].rank == 0);
    assert_true(in[3].dtype == DTYPE_NONE && in[3].rank == -1);
    assert_string_equal(in[3].name, "only");
    /* Every type of the ancestor, and ours. */
    static const struct {
        const char *word;
        enum dtype dtype;
    } types[] = {
        {"float", DTYPE_F32}, {"float16", DTYPE_F16}, {"bfloat16", DTYPE_BF16},
        {"int32", DTYPE_I32}, {"int64", DTYPE_I64},   {"bool", DTYPE_BOOL},
        {"uint8", DTYPE_U8},  {"f16", DTYPE_F16},     {"u4", DTYPE_U4},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const char *text = arena_printf(&arena, "x,%s,[4]", types[i].word);
        struct import_input one;
        assert_true(model_input_parse(&arena, "", text, &one, &err));
        assert_int_equal(one.dtype, types[i].dtype);
    }
    bad("-m n -model-input=x,flot,[1]", "-model-input 'x,flot,[1]': 'flot' is no type");
    bad("-m n -model-input=,float,[1]", "-model-input ',float,[1]': the name is empty");
    bad("-m n -model-input=x,int8q,[1]",
        "-model-input 'x,int8q,[1]': int8q is followed by a positive scale and a whole offset");
    static const char *const no_dims[] = {"x,float",
                                          "x,float,",
                                          "x,float,1,2",
                                          "x,float,[1,2",
                                          "x,float,[0]",
                                          "x,float,[1,-2]",
                                          "x,float,[1,,2]",
                                          "x,float,[1,]",
                                          "x,float,[1.5]",
                                          "x,float,[1099511627776,2]",
                                          "x,float,[1,1,1,1,1,1,1,1,1]"};
    for (size_t i = 0; i < sizeof no_dims / sizeof *no_dims; i++) {
        bad(arena_printf(&arena, "-m n -model-input %s", no_dims[i]),
            arena_printf(&arena,
                         "-model-input '%s': the end must be dimensions as in [1,3,224,224], at "
                         "most 8, each positive",
                         no_dims[i]));
    }
    bad("-m n -model-input=x -model-input=x,float,[1]", "option -model-input names 'x' twice");
}

static void test_named_values(void **state)
{
    (void)state;
    struct loader_options opt = good("-m n -input a=x,1.npy -input=b:0=c=d.pb -output y=y.bin "
                                     "-onnx-define-symbol=batch,4 -onnx-define-symbol a,b,2");
    assert_int_equal(opt.input.n, 2);
    assert_string_equal(opt.inputs[0].name, "a");
    assert_string_equal(opt.inputs[0].path, "x,1.npy");
    assert_string_equal(opt.inputs[1].name, "b:0");
    assert_string_equal(opt.inputs[1].path, "c=d.pb");
    assert_string_equal(opt.outputs[0].path, "y.bin");
    assert_string_equal(opt.symbols[0].name, "batch");
    assert_int_equal(opt.symbols[0].value, 4);
    assert_string_equal(opt.symbols[1].name, "a,b");
    bad("-m n -input x.npy", "-input 'x.npy': the name of a tensor, '=' and a file are needed");
    bad("-m n -output y=", "-output 'y=': the name of a tensor, '=' and a file are needed");
    bad("-m n -input a=1.npy -input a=2.npy", "option -input names 'a' twice");
    bad("-m n -onnx-define-symbol=batch", "-onnx-define-symbol 'batch': a name, a comma and a "
                                          "whole number below 2^31 are needed, or a "
                                          "name, <= and a positive one, as in batch,1 or batch<=8");
    bad("-m n -onnx-define-symbol=batch<=2147483648",
        "-onnx-define-symbol 'batch<=2147483648': a name, a comma and a whole number below 2^31 "
        "are "
        "needed, or a name, <= and a positive one, as in batch,1 or batch<=8");
    bad("-m n -onnx-define-symbol=n,1 -onnx-define-symbol=n,2",
        "option -onnx-define-symbol names 'n' twice");
}

static void test_end_of_options(void **state)
{
    (void)state;
    struct loader_options opt = good("-m n -- -odd.png -cpu");
    assert_int_equal(opt.images.n, 2);
    assert_string_equal(opt.images.item[0], "-odd.png");
    assert_false(opt.cpu);
}

/* Help and manual name every option with its alias; the help has no long line. */
static void test_help(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text, &arena);
    options_print_help(&text);
#define OPTION_GROUP(id, title) assert_non_null(strstr(text.text, title));
#define OPTION(kind, field, name, alias, value, initial, help)                                     \
    assert_non_null(strstr(text.text, "  -" name));
#include "loader/options.def"
#undef OPTION
#undef OPTION_GROUP
    assert_non_null(strstr(text.text, "-model, -m PATH"));
    assert_non_null(strstr(text.text, "-topk K (default 1)"));
    for (const char *line = text.text; *line; line += strcspn(line, "\n") + 1)
        if (strcspn(line, "\n") > 100)
            fail_msg("long line: %.*s", (int)strcspn(line, "\n"), line);
}

/* docs/manual.md holds the table that options.def makes. */
static void test_manual_is_not_stale(void **state)
{
    (void)state;
    const char *path = support_printf("%s/docs/manual.md", support_source());
    char *manual = support_read_file(path, NULL);
    assert_non_null(manual);
    struct strbuf table;
    strbuf_init(&table, &arena);
    options_print_markdown(&table);
    if (!strstr(manual, table.text))
        fail_msg("%s: the table of options is stale: put the output of 'loader -help-markdown' "
                 "in its place",
                 path);
    free(manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_seed_command, setup, teardown),
        cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_spellings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_booleans, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_models, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_options, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing_and_wrong_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_conflicts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quantization, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quantization_conflicts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_model_inputs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_named_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_end_of_options, setup, teardown),
        cmocka_unit_test_setup_teardown(test_help, setup, teardown),
        cmocka_unit_test_setup_teardown(test_manual_is_not_stale, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
