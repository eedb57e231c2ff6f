/*
 * The published vectors of single ONNX operators, $SHEAF_TEST_DATA/onnx/node: each model whose
 * operators and types are known is imported and run by the evaluator on the recorded inputs, and
 * must give the recorded outputs: integers and bools exactly, floats within the tolerances below.
 * Vectors outside that scope are counted; those inside it that are refused on purpose are listed
 * with the reason, and must be refused.
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

#include "ir/eval.h"
#include "ir/program.h"
#include "loader/import/import.h"
#include "loader/import/onnx.pb-c.h"
#include "loader/import/tensor_pb.h"
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
    {"test_dequantizelinear_blocked", "blocked quantization"},
    {"test_flexattention_double_expanded_ver26", "softmax of f64"},
    {"test_maxpool_with_argmax_2d_precomputed_pads", "indices of the maxima"},
    {"test_maxpool_with_argmax_2d_precomputed_strides", "indices of the maxima"},
    {"test_quantizelinear_blocked_asymmetric", "blocked quantization"},
    {"test_quantizelinear_blocked_symmetric", "blocked quantization"},
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

static struct graph *import(struct vector *v, struct error *err)
{
    struct graph *g = NULL;
    for (int bind = BIND_NOTHING; bind < BIND_COUNT && !g; bind++) {
        const char *path = model_file(v, (enum bind)bind);
        const struct import_options opt = {.paths = &path, .n_paths = 1};
        error_init(err);
        g = import_model(&v->arena, &opt, NULL, err);
    }
    return g;
}

/* ---- running and comparing ---- */

struct areas {
    uint8_t *area[AREA_COUNT];
};

static uint8_t *storage(const struct areas *a, const struct pbuf *b)
{
    return a->area[b->area] + b->offset;
}

static const struct pbuf *find_buf(const struct program *p, const char *name, enum sheaf_role role)
{
    for (size_t i = 0; i < p->n_bufs; i++)
        if (p->bufs[i].area == AREA_MUTABLE && p->bufs[i].role == role &&
            !strcmp(p->bufs[i].name, name))
            return &p->bufs[i];
    return NULL;
}

static void set_inputs(struct vector *v, const struct program *p, const struct areas *a)
{
    const Onnx__GraphProto *g = v->model->graph;
    for (size_t i = 0; i < g->n_input; i++) {
        const struct pbuf *b = find_buf(p, g->input[i]->name, SHEAF_ROLE_INPUT);
        if (!b)
            continue; /* became a constant */
        const struct tensor *t = read_tensor(v, "input", i);
        assert_int_equal(t->dtype, b->dtype);
        assert_int_equal(tensor_bytes(t), b->bytes);
        memcpy(storage(a, b), t->data, (size_t)b->bytes);
    }
}

static void compare(struct vector *v, const char *name, const struct tensor *got,
                    const struct tensor *want)
{
    assert_int_equal(got->dtype, want->dtype);
    struct shape gs = shape_of_dims(got->rank, got->dims);
    struct shape ws = shape_of_dims(want->rank, want->dims);
    if (!shape_equal(&gs, &ws))
        fail_msg("'%s' has the shape %s where %s is right", name, shape_print(&gs, &v->arena),
                 shape_print(&ws, &v->arena));
    struct tolerance tol = tolerance_of(want->dtype);
    if (!strcmp(strrchr(v->dir, '/') + 1, rough))
        tol.relative = 1e-3;
    int64_t n_wrong = 0, n = tensor_elems(want), first = 0;
    for (int64_t i = n - 1; i >= 0; i--) {
        bool right;
        if (dtype_is_float(want->dtype)) {
            double x = tensor_get(got, i), y = tensor_get(want, i);
            right = x == y || (isnan(x) && isnan(y)) ||
                    fabs(x - y) <= tol.absolute + tol.relative * fabs(y);
        } else {
            right = tensor_get_int(got, i) == tensor_get_int(want, i);
        }
        if (!right) {
            n_wrong++;
            first = i;
        }
    }
    if (n_wrong)
        fail_msg(
            "%lld of %lld elements of '%s' are wrong; element %lld is %.9g where %.9g is right",
            (long long)n_wrong, (long long)n, name, (long long)first, tensor_get(got, first),
            tensor_get(want, first));
}

static void check_outputs(struct vector *v, const struct program *p, const struct areas *a)
{
    const Onnx__GraphProto *g = v->model->graph;
    for (size_t i = 0; i < g->n_output; i++) {
        const struct pbuf *b = find_buf(p, g->output[i]->name, SHEAF_ROLE_OUTPUT);
        if (!b)
            fail_msg("there is no output '%s'", g->output[i]->name);
        struct tensor got = {.dtype = b->dtype, .rank = b->rank, .data = storage(a, b)};
        for (int d = 0; d < b->rank; d++) {
            got.dims[d] = b->dims[d];
            if (b->extent_buf[d] >= 0)
                memcpy(&got.dims[d], storage(a, &p->bufs[b->extent_buf[d]]), sizeof got.dims[d]);
        }
        compare(v, b->name, &got, read_tensor(v, "output", i));
    }
}

static void run_vector(void **state)
{
    struct vector v;
    struct error err;
    const char *dir = *state, *name = strrchr(dir, '/') + 1, *reason = refused_reason(name);
    assert_true(vector_open(&v, dir));
    struct graph *g = import(&v, &err);
    if (reason) {
        if (g)
            fail_msg("is accepted, but is listed as refused: %s", reason);
        vector_close(&v);
        return;
    }
    if (!g)
        fail_msg("%s", err.text);
    struct program *p = program_build(&v.arena, g, &err);
    if (!p)
        fail_msg("%s", err.text);
    plan_program(p, false);
    struct areas a;
    for (int i = 0; i < AREA_COUNT; i++)
        a.area[i] = arena_alloc(&v.arena, (size_t)p->area_bytes[i]);
    memcpy(a.area[AREA_CONSTANT], program_pack_constants(p, &v.arena),
           (size_t)p->area_bytes[AREA_CONSTANT]);
    set_inputs(&v, p, &a);
    const struct eval_options opt = {.blas = false};
    eval_program(p, a.area[AREA_CONSTANT], a.area[AREA_MUTABLE], a.area[AREA_ACTIVATION], &opt);
    check_outputs(&v, p, &a);
    vector_close(&v);
}

/* ---- the list ---- */

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

static void test_absent(void **state)
{
    (void)state;
    SUPPORT_NEED(NULL, "onnx/node");
}

int main(void)
{
    const char *top = support_data("onnx/node");
    if (!top) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_absent)};
        return cmocka_run_group_tests(tests, NULL, NULL);
    }
    size_t n, n_tests = 0;
    char **list = list_vectors(top, &n);
    struct CMUnitTest *tests = calloc(n, sizeof *tests);
    assert(tests);
    for (size_t i = 0; i < n; i++) {
        struct vector v;
        if (vector_open(&v, list[i]) && known_graph(v.model->graph))
            tests[n_tests++] = (struct CMUnitTest){.name = strrchr(list[i], '/') + 1,
                                                   .test_func = run_vector,
                                                   .initial_state = list[i]};
        vector_close(&v);
    }
    print_message("# %zu of %zu vectors use operators or types outside the table\n", n - n_tests,
                  n);
    int failed = _cmocka_run_group_tests("node_vectors", tests, n_tests, NULL, NULL);
    free(tests);
    free(list);
    return failed;
}
