/*
 * Whole networks that are imported and no more: those of $SHEAF_TEST_DATA/onnx/light, nets and
 * models/graphs_only, whose weights are made up or missing.
 */
#include "loader/import/import.h"
#include "tests/support/fixture.h"
#include "tests/support/support.h"

static struct graph *import(const char *path)
{
    const struct import_options opt = {.paths = &path, .n_paths = 1};
    error_init(&err);
    return import_model(&arena, &opt, NULL, &err);
}

/* A refusal says which file and why. */
static void check_refusal(const char *path)
{
    if (err.status != SHEAF_ERROR_UNSUPPORTED || strncmp(err.text, path, strlen(path)))
        fail_msg("'%s' is no good sentence about %s", err.text, path);
}

static void known_networks(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t n_out;
    } nets[] = {{"bvlc_alexnet", 1}, {"densenet121", 1}, {"inception_v1", 1},
                {"inception_v2", 1}, {"resnet50", 1},    {"shufflenet", 1},
                {"squeezenet", 1},   {"vgg19", 1},       {"zfnet512", 1}};
    SUPPORT_NEED(support_data("onnx/light"), "onnx/light");
    for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++) {
        const char *path = support_data(support_printf("onnx/light/light_%s.onnx", nets[i].name));
        assert_non_null(path);
        const struct graph *g = import(path);
        if (!g)
            fail_msg("%s", err.text);
        assert_int_equal(g->body.n_in, 1);
        assert_int_equal(g->body.n_out, nets[i].n_out);
        assert_true(shape_is_static(&g->body.out[0]->shape));
    }
}

/* Symbols that have no value are the one other reason why a network is not imported. */
static void further_networks(void **state)
{
    (void)state;
    static const char *const nets[] = {
        "byte_sb_bidi_lstm",  "dtln_1",           "fastestdet",
        "kws_fp32",           "kws_qdq",          "mlperf_ad01",
        "mlperf_vww96",       "oww_alexa",        "oww_embedding",
        "oww_melspectrogram", "stm_mbv2_035_128", "super_resolution_10",
        "ultraface_rfb320"};
    static const struct import_symbol symbols[] = {{.name = "length", .value = 10},
                                                   {.name = "samples", .value = 1760}};
    int n_imported = 0;
    SUPPORT_NEED(support_data("nets"), "nets");
    for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++) {
        const char *path = support_data(support_printf("nets/%s/model.onnx", nets[i]));
        struct import_options opt = {.paths = &path, .n_paths = 1};
        assert_non_null(path);
        if (!strcmp(nets[i], "byte_sb_bidi_lstm")) {
            opt.symbols = &symbols[0];
            opt.n_symbols = 1;
        } else if (!strcmp(nets[i], "oww_melspectrogram")) {
            opt.symbols = &symbols[1];
            opt.n_symbols = 1;
        }
        error_init(&err);
        if (import_model(&arena, &opt, NULL, &err))
            n_imported++;
        else
            check_refusal(path);
    }
    if (n_imported < 11)
        fail_msg("%d networks are imported, 11 were before", n_imported);
}

/* Nets in text form, and without weights beside them. */
static void nets_without_weights(void **state)
{
    (void)state;
    const char *folder = support_data("models/graphs_only/vgg19");
    const char *text = support_data("models/graphs_only/vgg19/predict_net.pbtxt");
    const char *net = support_data("models/resnet50/predict_net.pb");
    const char *other = support_data("models/squeezenet/init_net.pb");
    SUPPORT_NEED(folder, "models/graphs_only");
    SUPPORT_NEED(net, "models/resnet50");
    SUPPORT_NEED(other, "models/squeezenet");
    const char *in_text[] = {text, other}, *wrong[] = {net, other};
    struct import_options opt = {.paths = in_text, .n_paths = 2};
    assert_null(import_model(&arena, &opt, NULL, &err));
    if (!strstr(err.text, "tensors that the net reads are not in the weights"))
        fail_msg("%s", err.text);
    assert_null(import(folder));
    assert_non_null(strstr(err.text, "init_net.pb: cannot open the file"));
    error_init(&err);
    opt.paths = wrong;
    assert_null(import_model(&arena, &opt, NULL, &err));
    assert_non_null(strstr(err.text, "268 tensors that the net reads are not in the weights"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(known_networks, setup, teardown),
        cmocka_unit_test_setup_teardown(further_networks, setup, teardown),
        cmocka_unit_test_setup_teardown(nets_without_weights, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
