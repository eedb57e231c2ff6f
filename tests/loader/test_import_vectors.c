/*
 * The published vectors of models that converters wrote years ago, $SHEAF_TEST_DATA/onnx: operators
 * in the forms of operator sets 6 to 12.  Each model is imported and run by the evaluator, and must
 * give the recorded outputs, or be refused in one sentence as not supported.  The larger networks
 * there, and those in $SHEAF_TEST_DATA/nets and models/graphs_only, are imported only.
 */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ir/eval.h"
#include "ir/program.h"
#include "loader/import/import.h"
#include "loader/import/tensor_pb.h"
#include "tests/support/fixture.h"
#include "tests/support/support.h"

static struct graph *import_with(const char *path, const struct import_input *in)
{
    const struct import_options opt = {
        .paths = &path, .n_paths = 1, .inputs = in, .n_inputs = in != NULL};
    error_init(&err);
    return import_model(&arena, &opt, NULL, &err);
}

static struct graph *import(const char *path)
{
    return import_with(path, NULL);
}

/* A refusal says which file and why. */
static void check_refusal(const char *path)
{
    if (err.status != SHEAF_ERROR_UNSUPPORTED || strncmp(err.text, path, strlen(path)))
        fail_msg("'%s' is no good sentence about %s", err.text, path);
}

/* ---- running ---- */

static const struct tensor *read_tensor(const char *dir, const char *kind, size_t i)
{
    size_t size;
    const struct tensor *t;
    const char *path = support_printf("%s/test_data_set_0/%s_%zu.pb", dir, kind, i);
    char *bytes = support_read_file(path, &size);
    if (!bytes)
        fail_msg("cannot read %s", path);
    if (!tensor_pb_parse(&arena, path, arena_copy(&arena, bytes, size), size, &t, &err))
        fail_msg("%s", err.text);
    free(bytes);
    return t;
}

static uint8_t *storage_of(const struct program *p, uint8_t *const *area, const struct value *v)
{
    for (size_t i = 0; i < p->n_bufs; i++)
        if (p->bufs[i].value == v)
            return area[p->bufs[i].area] + p->bufs[i].offset;
    fail_msg("'%s' has no storage", v->name);
    return NULL;
}

static void compare(const char *dir, const struct value *v, const void *data,
                    const struct tensor *want)
{
    struct tensor got = {.dtype = v->dtype, .rank = v->shape.rank, .data = data};
    struct shape shape = shape_of_dims(want->rank, want->dims);
    if (v->dtype != want->dtype || !shape_equal(&v->shape, &shape))
        fail_msg("%s: '%s' is %s%s where %s%s is right", dir, v->name, dtype_name(v->dtype),
                 shape_print(&v->shape, &arena), dtype_name(want->dtype),
                 shape_print(&shape, &arena));
    memcpy(got.dims, v->shape.dims, sizeof got.dims);
    double largest = 0, worst = 0;
    for (int64_t i = 0; i < tensor_elems(want); i++) {
        double x = tensor_get(&got, i), y = tensor_get(want, i);
        if (isnan(x) && isnan(y))
            continue;
        largest = fmax(largest, fabs(y));
        worst = x == y ? worst : fmax(worst, isnan(x) ? INFINITY : fabs(x - y));
    }
    if (worst > 1e-5 * largest)
        fail_msg("%s: '%s' is off by %g where the largest element is %g", dir, v->name, worst,
                 largest);
}

static void run(const char *dir, const struct graph *g)
{
    struct program *p = program_build(&arena, g, &err);
    if (!p)
        fail_msg("%s", err.text);
    plan_program(p, false);
    uint8_t *area[AREA_COUNT];
    for (int i = 0; i < AREA_COUNT; i++)
        area[i] = arena_alloc(&arena, (size_t)p->area_bytes[i]);
    memcpy(area[AREA_CONSTANT], program_pack_constants(p, &arena),
           (size_t)p->area_bytes[AREA_CONSTANT]);
    for (size_t i = 0; i < g->body.n_in; i++) {
        const struct tensor *t = read_tensor(dir, "input", i);
        struct shape shape = shape_of_dims(t->rank, t->dims);
        assert_true(shape_equal(&shape, &g->body.in[i]->shape));
        memcpy(storage_of(p, area, g->body.in[i]), t->data, (size_t)tensor_bytes(t));
    }
    const struct eval_options opt = {.blas = false};
    eval_program(p, area[AREA_CONSTANT], area[AREA_MUTABLE], area[AREA_ACTIVATION], &opt);
    for (size_t i = 0; i < g->body.n_out; i++)
        compare(dir, g->body.out[i], storage_of(p, area, g->body.out[i]),
                read_tensor(dir, "output", i));
}

/* ---- folders ---- */

static int not_hidden(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

/* Every model of the folder; at least `n_known` of them are known to work. */
static void run_folder(const char *rel, int n_known)
{
    const char *top = support_data(rel);
    struct dirent **entry;
    int n = 0, n_run = 0;
    SUPPORT_NEED(top, rel);
    n = scandir(top, &entry, not_hidden, alphasort);
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        const char *dir = support_printf("%s/%s", top, entry[i]->d_name);
        const char *path = support_printf("%s/model.onnx", dir);
        struct graph *g = import(path);
        if (!g && strstr(err.text, "input 'shape', must be constant")) {
            const struct import_input shape = {
                .name = "shape", .rank = -1, .constant = read_tensor(dir, "input", 1)};
            g = import_with(path, &shape);
        }
        n_run += g != NULL;
        if (g)
            run(dir, g);
        else
            check_refusal(path);
        free(entry[i]);
    }
    free(entry);
    if (n_run < n_known)
        fail_msg("%d models of %s are imported, %d were before", n_run, rel, n_known);
}

static void simple_models(void **state)
{
    (void)state;
    run_folder("onnx/simple", 5);
}

static void converted_layers(void **state)
{
    (void)state;
    run_folder("onnx/pytorch-converted", 74);
}

static void converted_operators(void **state)
{
    (void)state;
    run_folder("onnx/pytorch-operator", 30);
}

/* ---- networks ---- */

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
        cmocka_unit_test_setup_teardown(simple_models, setup, teardown),
        cmocka_unit_test_setup_teardown(converted_layers, setup, teardown),
        cmocka_unit_test_setup_teardown(converted_operators, setup, teardown),
        cmocka_unit_test_setup_teardown(known_networks, setup, teardown),
        cmocka_unit_test_setup_teardown(further_networks, setup, teardown),
        cmocka_unit_test_setup_teardown(nets_without_weights, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
