/*
 * The published vectors of single ONNX operators, $SHEAF_TEST_DATA/onnx/node: each model whose
 * operators and types are known is imported, run by the evaluator as it is, and optimised and
 * compiled for this machine and for a GPU, which is simulated.  All must give the recorded outputs:
 * integers and bools exactly, floats within the tolerances below.  Vectors outside that scope are
 * counted; those inside it that are refused on purpose are listed with the reason, and must be
 * refused.
 *
 * In check-full, models of random shapes and attributes (random_models.py) go the same way; ONNX
 * Runtime and the onnx reference say what they give.
 *
 * Some models take as input what is fixed in practice and must be constant here (shapes, axes).
 * Where the import fails, integer inputs of at most one dimension become constants, then all such.
 */
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <assert.h>
#include <cmocka.h>

#include "ir/program.h"
#include "loader/import/import.h"
#include "loader/import/onnx.pb-c.h"
#include "loader/import/tensor_pb.h"
#include "tests/support/assemble.h"
#include "tests/support/compiled.h"
#include "tests/support/support.h"

/* |got - want| <= absolute + relative * |want|, by the type of the output. */
struct tolerance {
    double absolute, relative;
};

static struct tolerance tolerance_of(enum dtype t)
{
    switch (t) {
    case DTYPE_F64:
        return (struct tolerance){1e-9, 1e-7};
    case DTYPE_F32:
        return (struct tolerance){1e-5, 1e-4};
    case DTYPE_F16:
        return (struct tolerance){1e-3, 2e-3};
    case DTYPE_BF16:
        return (struct tolerance){1e-2, 2e-2};
    default:
        return (struct tolerance){0, 0};
    }
}

/* Known operators in forms that are refused. */
static const struct {
    const char *name, *reason;
} refused[] = {
    {"test_batchnorm_epsilon_training_mode", "training"},
    {"test_batchnorm_example_training_mode", "training"},
    {"test_flexattention_double_expanded_ver26", "softmax of f64"},
    {"test_maxpool_with_argmax_2d_precomputed_pads", "indices of the maxima"},
    {"test_maxpool_with_argmax_2d_precomputed_strides", "indices of the maxima"},
    {NULL, NULL},
};

/* Its results are recorded with four digits. */
static const char *const rough = "test_averagepool_2d_ceil_last_window_starts_on_pad";

static const char *refused_reason(const char *name)
{
    for (size_t i = 0; refused[i].name; i++)
        if (!strcmp(refused[i].name, name))
            return refused[i].reason;
    return NULL;
}

/* ---- what is in scope ---- */

static bool known_type(const Onnx__TypeProto *type)
{
    return type && type->tensor_type && dtype_from_code(type->tensor_type->elem_type) != DTYPE_NONE;
}

static bool known_graph(const Onnx__GraphProto *g)
{
    for (size_t i = 0; i < g->n_input; i++)
        if (g->input[i]->type && !known_type(g->input[i]->type))
            return false;
    for (size_t i = 0; i < g->n_output; i++)
        if (g->output[i]->type && !known_type(g->output[i]->type))
            return false;
    for (size_t i = 0; i < g->n_node; i++) {
        const Onnx__NodeProto *n = g->node[i];
        if (n->domain && *n->domain && strcmp(n->domain, "ai.onnx"))
            return false;
        if (op_by_onnx(n->op_type) == OP_NONE && strcmp(n->op_type, "Constant"))
            return false;
        for (size_t a = 0; a < n->n_attribute; a++)
            if (n->attribute[a]->g && !known_graph(n->attribute[a]->g))
                return false;
    }
    return true;
}

/* ---- one vector ---- */

struct vector {
    struct arena arena;
    const char *dir;
    Onnx__ModelProto *model;
};

static bool vector_open(struct vector *v, const char *dir)
{
    arena_init(&v->arena);
    v->dir = dir;
    size_t size;
    char *bytes = support_read_file(support_printf("%s/model.onnx", dir), &size);
    if (!bytes)
        return false;
    v->model = onnx__model_proto__unpack(NULL, size, (const uint8_t *)bytes);
    free(bytes);
    return v->model && v->model->graph;
}

static void vector_close(struct vector *v)
{
    if (v->model)
        onnx__model_proto__free_unpacked(v->model, NULL);
    arena_done(&v->arena);
}

static const char *data_path(const struct vector *v, const char *kind, size_t i)
{
    return support_printf("%s/test_data_set_0/%s_%zu.pb", v->dir, kind, i);
}

static const struct tensor *read_tensor(struct vector *v, const char *kind, size_t i)
{
    const char *path = data_path(v, kind, i);
    size_t size;
    char *bytes = support_read_file(path, &size);
    if (!bytes)
        fail_msg("cannot read %s", path);
    struct error err;
    error_init(&err);
    const struct tensor *t;
    if (!tensor_pb_parse(&v->arena, path, arena_copy(&v->arena, bytes, size), size, &t, &err))
        fail_msg("%s", err.text);
    free(bytes);
    return t;
}

enum bind { BIND_NOTHING, BIND_INTEGERS, BIND_SMALL, BIND_COUNT };

static bool is_bound(enum bind bind, const struct tensor *t)
{
    bool integers = t->dtype == DTYPE_I64 || t->dtype == DTYPE_I32;
    return t->rank <= 1 && tensor_elems(t) <= 16 &&
           (bind == BIND_SMALL || (bind == BIND_INTEGERS && integers));
}

/* The model in a file, with some inputs as initializers. */
static const char *model_file(struct vector *v, enum bind bind)
{
    Onnx__GraphProto *g = v->model->graph;
    Onnx__TensorProto **given = g->initializer;
    size_t n_given = g->n_initializer;
    g->initializer = arena_array(&v->arena, n_given + g->n_input, sizeof *g->initializer);
    for (size_t i = 0; i < n_given; i++)
        g->initializer[i] = given[i];
    for (size_t i = 0; i < g->n_input; i++) {
        const struct tensor *t = read_tensor(v, "input", i);
        if (!is_bound(bind, t))
            continue;
        struct strbuf text;
        strbuf_init(&text, &v->arena);
        tensor_pb_print(&text, g->input[i]->name, t);
        g->initializer[g->n_initializer++] =
            onnx__tensor_proto__unpack(NULL, text.len, (const uint8_t *)strbuf_text(&text));
    }
    size_t size = onnx__model_proto__get_packed_size(v->model);
    uint8_t *bytes = arena_alloc(&v->arena, size);
    onnx__model_proto__pack(v->model, bytes);
    for (size_t i = n_given; i < g->n_initializer; i++)
        onnx__tensor_proto__free_unpacked(g->initializer[i], NULL);
    g->initializer = given;
    g->n_initializer = n_given;
    const char *path = support_printf("%s/model.onnx", support_tmp());
    support_write_file(path, bytes, size);
    return path;
}

static struct graph *import(struct vector *v, struct arena *a, struct error *err)
{
    struct graph *g = NULL;
    for (int bind = BIND_NOTHING; bind < BIND_COUNT && !g; bind++) {
        const char *path = model_file(v, (enum bind)bind);
        const struct import_options opt = {.paths = &path, .n_paths = 1};
        error_init(err);
        g = import_model(a, &opt, NULL, err);
    }
    return g;
}

/* ---- running and comparing ---- */

/* The buffer of an input or output of the model; -1 where there is none. */
static int find_buf(const struct program *p, const char *name, enum sheaf_role role)
{
    for (size_t i = 0; i < p->n_bufs; i++)
        if (p->bufs[i].area == AREA_MUTABLE && p->bufs[i].role == role &&
            !strcmp(p->bufs[i].name, name))
            return (int)i;
    return -1;
}

static void set_inputs(struct vector *v, struct pipeline_run *run)
{
    const Onnx__GraphProto *g = v->model->graph;
    for (size_t i = 0; i < g->n_input; i++) {
        int b = find_buf(run->program, g->input[i]->name, SHEAF_ROLE_INPUT);
        if (b < 0)
            continue; /* became a constant */
        const struct tensor *t = read_tensor(v, "input", i);
        assert_int_equal(t->dtype, run->program->bufs[b].dtype);
        assert_int_equal(tensor_bytes(t), run->program->bufs[b].bytes);
        memcpy(pipeline_run_data(run, b), t->data, (size_t)tensor_bytes(t));
    }
}

static bool is_right(const struct tensor *got, const struct tensor *want, int64_t i,
                     struct tolerance tol)
{
    if (!dtype_is_float(want->dtype))
        return tensor_get_int(got, i) == tensor_get_int(want, i);
    double x = tensor_get(got, i), y = tensor_get(want, i);
    return x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= tol.absolute + tol.relative * fabs(y);
}

static void compare(struct vector *v, const char *how, const char *name, const struct tensor *got,
                    const struct tensor *want)
{
    assert_int_equal(got->dtype, want->dtype);
    struct shape gs = shape_of_dims(got->rank, got->dims);
    struct shape ws = shape_of_dims(want->rank, want->dims);
    if (!shape_equal(&gs, &ws))
        fail_msg("%s: '%s' has the shape %s where %s is right", how, name,
                 shape_print(&gs, &v->arena), shape_print(&ws, &v->arena));
    struct tolerance tol = tolerance_of(want->dtype);
    if (!strcmp(strrchr(v->dir, '/') + 1, rough))
        tol.relative = 1e-3;
    int64_t n_wrong = 0, n = tensor_elems(want), first = 0;
    for (int64_t i = n - 1; i >= 0; i--) {
        if (!is_right(got, want, i, tol)) {
            n_wrong++;
            first = i;
        }
    }
    if (n_wrong)
        fail_msg("%s: %lld of %lld elements of '%s' are wrong; element %lld is %.9g where %.9g is "
                 "right",
                 how, (long long)n_wrong, (long long)n, name, (long long)first,
                 tensor_get(got, first), tensor_get(want, first));
}

/* Runs the program and compares all outputs; `how` it was made is for messages. */
static void check_run(struct vector *v, const char *how, struct pipeline_run *run)
{
    struct error err;
    error_init(&err);
    set_inputs(v, run);
    if (!pipeline_run_once(run, &err))
        fail_msg("%s: %s", how, err.text);
    const Onnx__GraphProto *g = v->model->graph;
    for (size_t i = 0; i < g->n_output; i++) {
        int b = find_buf(run->program, g->output[i]->name, SHEAF_ROLE_OUTPUT);
        if (b < 0)
            fail_msg("%s: there is no output '%s'", how, g->output[i]->name);
        const struct pbuf *buf = &run->program->bufs[b];
        struct tensor got = {
            .dtype = buf->dtype, .rank = buf->rank, .data = pipeline_run_data(run, b)};
        pipeline_run_dims(run, b, got.dims);
        compare(v, how, buf->name, &got, read_tensor(v, "output", i));
    }
}

static void run_evaluated(struct vector *v, const struct graph *g)
{
    struct error err;
    error_init(&err);
    struct program *p = program_build(&v->arena, g, &err);
    if (!p)
        fail_msg("%s", err.text);
    plan_program(p, false);
    struct pipeline_run run;
    if (!pipeline_run_open(&run, &v->arena, p, program_pack_constants(p, &v->arena), "net", NULL,
                           &err))
        fail_msg("%s", err.text);
    check_run(v, "evaluated", &run);
    pipeline_run_close(&run);
}

static const struct {
    const char *name, *how;
} targets[] = {{"native", "compiled"}, {"nvidia", "simulated"}};

static void run_compiled(struct vector *v, const char *target, const char *how)
{
    struct compiled c;
    struct error err;
    memset(&c, 0, sizeof c);
    arena_init(&c.arena);
    struct graph *g = import(v, &c.arena, &err);
    if (!g || !compiled_open_graph(&c, g, target, false, false, &err))
        fail_msg("%s: %s", how, err.text);
    assert_true(c.run.entry != NULL || c.run.device != NULL);
    check_run(v, how, &c.run);
    if (c.target->host && !assemble_takes(&c, &err))
        fail_msg("%s: %s", how, err.text);
    compiled_close(&c);
}

static void run_vector(void **state)
{
    struct vector v;
    struct error err;
    const char *dir = *state, *name = strrchr(dir, '/') + 1, *reason = refused_reason(name);
    assert_true(vector_open(&v, dir));
    struct graph *g = import(&v, &v.arena, &err);
    if (reason && g)
        fail_msg("is accepted, but is listed as refused: %s", reason);
    if (!reason) {
        if (!g)
            fail_msg("%s", err.text);
        run_evaluated(&v, g);
        for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
            run_compiled(&v, targets[i].name, targets[i].how);
    }
    vector_close(&v);
}

/* ---- the lists ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Folders of `top` in the order of their names; malloc'ed. */
static char **list_vectors(const char *top, size_t *out_n)
{
    DIR *d = opendir(top);
    char **list = NULL;
    size_t n = 0;
    assert(d);
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        list = realloc(list, (n + 1) * sizeof *list);
        assert(list);
        list[n++] = (char *)support_printf("%s/%s", top, e->d_name);
    }
    closedir(d);
    qsort(list, n, sizeof *list, compare_names);
    *out_n = n;
    return list;
}

/* One test per vector in scope. */
static int run_folder(const char *group, const char *top)
{
    size_t n, n_tests = 0;
    char **list = list_vectors(top, &n);
    struct CMUnitTest *tests = calloc(n + 1, sizeof *tests);
    assert(tests);
    for (size_t i = 0; i < n; i++) {
        struct vector v;
        if (vector_open(&v, list[i]) && known_graph(v.model->graph))
            tests[n_tests++] = (struct CMUnitTest){.name = strrchr(list[i], '/') + 1,
                                                   .test_func = run_vector,
                                                   .initial_state = list[i]};
        vector_close(&v);
    }
    print_message("# %s: %zu of %zu vectors use operators or types outside the table\n", group,
                  n - n_tests, n);
    int failed = _cmocka_run_group_tests(group, tests, n_tests, NULL, NULL);
    free(tests);
    free(list);
    return failed;
}

static void test_absent(void **state)
{
    SUPPORT_NEED(NULL, (const char *)*state);
}

static int run_absent(const char *what)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_absent, (void *)(uintptr_t)what)};
    return cmocka_run_group_tests_name(what, tests, NULL, NULL);
}

static int run_random(void)
{
    const char *folder = support_printf("%s/random", support_tmp());
    char *python, *output;
    int status = support_run(
        support_printf("'%s/tests/tools/venv' '%s'", support_source(), support_build()), &python);
    if (status)
        return run_absent("onnxruntime");
    python[strcspn(python, "\n")] = 0;
    status = support_run(support_printf("'%s' '%s/tests/conformance/random_models.py' '%s' 50",
                                        python, support_source(), folder),
                         &output);
    free(python);
    if (status) {
        print_message("%s\n", output);
        return 1;
    }
    free(output);
    return run_folder("random_models", folder);
}

int main(void)
{
    const char *top = support_data("onnx/node");
    int failed = top ? run_folder("node_vectors", top) : run_absent("onnx/node");
    if (support_full())
        failed += run_random();
    return failed;
}
