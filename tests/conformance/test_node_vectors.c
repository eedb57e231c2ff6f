/*
 * The published ONNX vectors, of single operators ($SHEAF_TEST_DATA/onnx/node) and of small models
 * (the folders beside it): each model whose operators and types are known is imported, run by the
 * evaluator as it is, and optimised and compiled for this machine, for a GPU and for a Vector
 * Engine, both of which are simulated.  All must give the recorded outputs: integers and bools
 * exactly, floats within the tolerances below.  In `make check` simulators run every third vector,
 * unless $SHEAF_TEST says which tests are wanted.  Vectors outside that scope are counted; those
 * inside it that are refused on purpose are listed with the reason, and must be refused.
 *
 * For the table of conformance (tests/conformance/table) the file $SHEAF_RESULTS receives what came
 * out.  Where $SHEAF_CASES names a folder, the vectors are not run but written there, compiled for
 * a GPU, for a machine that has one (tests/device).  The argument `list` prints all vectors.
 *
 * In check-full, models of random shapes and attributes (random_models.py) go the same way; ONNX
 * Runtime and the onnx reference say what they give.
 */
#include <dirent.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
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
#include "loader/import/onnx.h"
#include "tests/conformance/vector.h"
#include "tests/device/cases.h"
#include "tests/support/assemble.h"
#include "tests/support/compiled.h"
#include "tests/support/support.h"

/* |got - want| <= absolute + relative * |want|, by the type of the output. */
struct tolerance {
    double absolute, relative;
};

static struct tolerance tolerance_of_type(enum dtype t)
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
    {NULL, NULL},
};

/* Their outputs were drawn from numpy's generator, which ONNX does not prescribe. */
static const char *const random[] = {
    "test_bernoulli",
    "test_bernoulli_double",
    "test_bernoulli_double_expanded",
    "test_bernoulli_expanded",
    "test_bernoulli_seed",
    "test_bernoulli_seed_expanded",
    "test_training_dropout",
    "test_training_dropout_default",
    "test_training_dropout_default_mask",
    "test_training_dropout_mask",
};

static bool is_random(const char *name)
{
    for (size_t i = 0; i < sizeof random / sizeof *random; i++)
        if (!strcmp(random[i], name))
            return true;
    return false;
}

/* Their results are recorded with four digits. */
static const char *const rough[] = {
    "test_averagepool_2d_ceil_last_window_starts_on_pad",
    "test_gridsample_bicubic",
    "test_roialign_aligned_false",
    "test_roialign_aligned_true",
};

static struct tolerance tolerance_of(const char *vector, enum dtype t)
{
    struct tolerance tol = tolerance_of_type(t);
    for (size_t i = 0; i < sizeof rough / sizeof rough[0]; i++)
        if (!strcmp(vector, rough[i]))
            tol.relative = 1e-3;
    return tol;
}

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
    if (type && type->sequence_type)
        return known_type(type->sequence_type->elem_type);
    if (type && type->optional_type)
        return known_type(type->optional_type->elem_type);
    int32_t code = type && type->tensor_type ? type->tensor_type->elem_type : 0;
    return code == ONNX_STRING || dtype_from_code(code) != DTYPE_NONE;
}

static bool known_graph(struct arena *arena, const Onnx__GraphProto *g)
{
    for (size_t i = 0; i < g->n_input; i++)
        if (g->input[i]->type && !known_type(g->input[i]->type))
            return false;
    for (size_t i = 0; i < g->n_output; i++)
        if (g->output[i]->type && !known_type(g->output[i]->type))
            return false;
    for (size_t i = 0; i < g->n_node; i++) {
        const Onnx__NodeProto *n = g->node[i];
        if (!onnx_is_supported(onnx_op_type(arena, n)))
            return false;
        for (size_t a = 0; a < n->n_attribute; a++)
            if (n->attribute[a]->g && !known_graph(arena, n->attribute[a]->g))
                return false;
    }
    return true;
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
    for (size_t i = 0; i < v->in.n; i++) {
        int b = find_buf(run->program, v->in.v[i].name, SHEAF_ROLE_INPUT);
        if (b < 0)
            continue; /* became a constant */
        const struct tensor *t = v->in.v[i].t;
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
    return case_near(tensor_get(got, i), tensor_get(want, i), tol.absolute, tol.relative);
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
    struct tolerance tol = tolerance_of(v->name, want->dtype);
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
    for (size_t i = 0; i < v->out.n; i++) {
        int b = find_buf(run->program, v->out.v[i].name, SHEAF_ROLE_OUTPUT);
        if (b < 0)
            fail_msg("%s: there is no output '%s'", how, v->out.v[i].name);
        const struct pbuf *buf = &run->program->bufs[b];
        struct tensor got = {
            .dtype = buf->dtype, .rank = buf->rank, .data = pipeline_run_data(run, b)};
        pipeline_run_dims(run, b, got.dims);
        const struct field *want = &v->out.v[i];
        /* Results have room for more bytes than the strings that are recorded. */
        int64_t room = got.rank ? got.dims[got.rank - 1] : 0;
        bool fits = want->strings && room > want->t->dims[want->t->rank - 1];
        compare(v, how, buf->name, &got, fits ? vector_strings(v, want->t, room) : want->t);
    }
}

static void run_evaluated(struct vector *v, const char *how, const char *target)
{
    struct error err;
    struct graph *g = vector_import(v, &v->arena, &err);
    struct program *p = g ? program_build(&v->arena, g, &err) : NULL;
    (void)target;
    if (!p)
        fail_msg("%s", err.text);
    plan_program(p, false);
    struct pipeline_run run;
    if (!pipeline_run_open(&run, &v->arena, p, program_pack_constants(p, &v->arena), "net", NULL,
                           &err))
        fail_msg("%s", err.text);
    check_run(v, how, &run);
    pipeline_run_close(&run);
}

static void compile(struct vector *v, const char *how, const char *target, struct compiled *c)
{
    struct error err;
    memset(c, 0, sizeof *c);
    arena_init(&c->arena);
    struct graph *g = vector_import(v, &c->arena, &err);
    if (!g || !compiled_open_graph(c, g, target, false, false, &err))
        fail_msg("%s: %s", how, err.text);
    assert_true(c->run.entry != NULL || c->run.device != NULL);
}

static void run_compiled(struct vector *v, const char *how, const char *target)
{
    struct compiled c;
    struct error err;
    error_init(&err);
    compile(v, how, target, &c);
    /* Cores share the run on memory that nobody wrote yet: what one leaves out shows. */
    if (c.target->device == SHEAF_DEVICE_VE) {
        if (!pipeline_run_set_cores(&c.run, 3, &err))
            fail_msg("%s: %s", how, err.text);
        check_run(v, "simulated VE, three cores", &c.run);
        if (!pipeline_run_set_cores(&c.run, 1, &err))
            fail_msg("%s: %s", how, err.text);
    }
    check_run(v, how, &c.run);
    if (c.target->host && !assemble_takes(&c, &err))
        fail_msg("%s: %s", how, err.text);
    compiled_close(&c);
}

/* ---- cases for a device ---- */

/* $SHEAF_CASES, or NULL. */
static const char *cases_folder(void)
{
    return getenv("SHEAF_CASES");
}

static void write_bundle(const struct vector *v, const struct compiled *c)
{
    const char *base = support_printf("%s/%s", cases_folder(), v->name);
    support_write_file(support_printf("%s.o", base), c->code.object.data, c->code.object.size);
    support_write_file(support_printf("%s.weights", base), c->weights.data,
                       (size_t)c->program->area_bytes[AREA_CONSTANT]);
    const char *link =
        support_printf("%s -shared '%s.o' -o '%s.so' && rm '%s.o'", support_cc(), base, base, base);
    assert_int_equal(support_run(link, NULL), 0);
}

static void write_case(struct vector *v, const struct program *p)
{
    FILE *file = fopen(support_printf("%s/networks.cases", cases_folder()), "ab");
    case_write(file, NULL, 0, "network %s", v->name);
    for (size_t i = 0; i < v->in.n; i++) {
        if (find_buf(p, v->in.v[i].name, SHEAF_ROLE_INPUT) < 0)
            continue;
        const struct tensor *t = v->in.v[i].t;
        case_write(file, t->data, (size_t)tensor_bytes(t), "in %s", v->in.v[i].name);
    }
    for (size_t i = 0; i < v->out.n; i++) {
        const struct tensor *t = v->out.v[i].t;
        int b = find_buf(p, v->out.v[i].name, SHEAF_ROLE_OUTPUT);
        if (v->out.v[i].strings && b >= 0)
            t = vector_strings(v, t, p->bufs[b].dims[p->bufs[b].rank - 1]);
        struct tolerance tol = tolerance_of(v->name, t->dtype);
        struct strbuf dims;
        strbuf_init(&dims, &v->arena);
        for (int d = 0; d < t->rank; d++)
            strbuf_printf(&dims, " %lld", (long long)t->dims[d]);
        case_write(file, t->data, (size_t)tensor_bytes(t), "out %s %d %g %g %d%s", v->out.v[i].name,
                   dtype_code(t->dtype), tol.absolute, tol.relative, t->rank, strbuf_text(&dims));
    }
    fclose(file);
}

static void pack(struct vector *v, const char *how, const char *target)
{
    struct compiled c;
    compile(v, how, target, &c);
    write_bundle(v, &c);
    write_case(v, c.program);
    compiled_close(&c);
}

/* ---- columns ---- */

enum outcome {
    OUTSIDE, /* of the scope */
    FAILED,  /* until a test has come to its end */
    PASSED
};

enum { FIRST_SIMULATED = 2, MAX_COLUMNS = 4 };

struct column {
    const char *how, *target;
    void (*run)(struct vector *v, const char *how, const char *target);
};

static const struct column columns[MAX_COLUMNS] = {
    {"evaluated", NULL, run_evaluated},
    {"compiled", "native", run_compiled},
    {"simulated GPU", "nvidia", run_compiled},
    {"simulated VE", "ve", run_compiled},
};
static const struct column packed = {"packed", "nvidia", pack};

struct listed {
    const char *dir, *name, *op;
    enum outcome outcome[MAX_COLUMNS];
};

struct column_test {
    const struct column *column;
    struct listed *vector;
    enum outcome *outcome;
};

static void run_column(void **state)
{
    struct column_test *t = *state;
    struct vector v;
    *t->outcome = FAILED;
    assert_true(vector_open(&v, t->vector->dir));
    vector_read(&v);
    t->column->run(&v, t->column->how, t->column->target);
    vector_close(&v);
    *t->outcome = PASSED;
}

static void test_refused(void **state)
{
    struct vector v;
    struct error err;
    assert_true(vector_open(&v, *state));
    vector_read(&v);
    if (vector_import(&v, &v.arena, &err))
        fail_msg("is accepted, but is listed as refused: %s", refused_reason(v.name));
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

/* The operator that the vector is for: of its one node.  What an operator is composed of stands in
   a vector `NAME_expanded...` beside that. */
static const char *operator_of(const char *dir)
{
    struct vector v;
    const char *end = strstr(dir, "_expanded"), *op = "?";
    const char *plain = end ? support_printf("%.*s", (int)(end - dir), dir) : dir;
    if (vector_open(&v, plain) || vector_open(&v, dir)) {
        const Onnx__NodeProto *n = v.model->graph->node[0];
        bool other = n->domain && *n->domain && strcmp(n->domain, "ai.onnx");
        op = support_printf("%s%s%s", other ? n->domain : "", other ? "." : "", n->op_type);
    }
    vector_close(&v);
    return op;
}

struct list {
    struct listed *v;
    size_t n;
};

/* The vectors of a folder.  `group` stands for the operator; NULL: each has its own. */
static void list_folder(struct list *list, const char *top, const char *group)
{
    size_t n;
    char **dirs = list_vectors(top, &n);
    list->v = realloc(list->v, (list->n + n + 1) * sizeof *list->v);
    assert(list->v);
    for (size_t i = 0; i < n; i++) {
        struct vector v;
        struct listed *l = &list->v[list->n++];
        memset(l, 0, sizeof *l);
        l->dir = dirs[i];
        l->name = strrchr(dirs[i], '/') + 1;
        l->op = group ? group : operator_of(dirs[i]);
        if (vector_open(&v, dirs[i]) && known_graph(&v.arena, v.model->graph) &&
            !refused_reason(v.name) && !is_random(v.name))
            for (size_t c = 0; c < MAX_COLUMNS; c++)
                l->outcome[c] = FAILED;
        vector_close(&v);
    }
    free(dirs);
}

static struct list list_published(void)
{
    static const char *const models[] = {"simple", "pytorch-converted", "pytorch-operator"};
    struct list list = {0};
    const char *node = support_data("onnx/node");
    if (node)
        list_folder(&list, node, NULL);
    for (size_t i = 0; node && i < sizeof models / sizeof *models; i++) {
        const char *top = support_data(support_printf("onnx/%s", models[i]));
        if (top)
            list_folder(&list, top, models[i]);
    }
    return list;
}

/* For tests/conformance/table. */
static void print_list(FILE *file, const struct list *list)
{
    static const char *const words[] = {"outside", "failed", "passed"};
    for (size_t i = 0; i < list->n; i++) {
        fprintf(file, "%s %s", list->v[i].name, list->v[i].op);
        for (size_t c = 0; c < MAX_COLUMNS; c++)
            fprintf(file, " %s", words[list->v[i].outcome[c]]);
        fprintf(file, "\n");
    }
}

/* Whether the vector at this place of the list is run in simulators. */
static bool is_simulated(size_t at)
{
    enum { SAMPLE = 3 };
    return support_full() || getenv("SHEAF_TEST") || at % SAMPLE == 0;
}

/* Returns how many there are. */
static size_t add_tests(struct listed *v, size_t at, struct CMUnitTest *tests,
                        struct column_test *states)
{
    size_t n = cases_folder() ? 1 : is_simulated(at) ? MAX_COLUMNS : FIRST_SIMULATED;
    for (size_t c = 0; c < n; c++) {
        states[c] = (struct column_test){cases_folder() ? &packed : &columns[c], v, &v->outcome[c]};
        tests[c] =
            (struct CMUnitTest){.name = support_printf("%s %s", v->name, states[c].column->how),
                                .test_func = run_column,
                                .initial_state = &states[c]};
    }
    return n;
}

static struct CMUnitTest refusal(const struct listed *v)
{
    return (struct CMUnitTest){.name = support_printf("%s refused", v->name),
                               .test_func = test_refused,
                               .initial_state = (void *)(uintptr_t)v->dir};
}

/* A test for each vector in scope and each column. */
static int run_list(const char *group, const struct list *list)
{
    size_t n_tests = 0, n_outside = 0;
    struct CMUnitTest *tests = calloc(list->n * MAX_COLUMNS + 1, sizeof *tests);
    struct column_test *states = calloc(list->n * MAX_COLUMNS + 1, sizeof *states);
    assert(tests && states);
    for (size_t i = 0; i < list->n; i++) {
        struct listed *v = &list->v[i];
        if (refused_reason(v->name))
            tests[n_tests++] = refusal(v);
        else if (v->outcome[0] == OUTSIDE)
            n_outside++;
        else
            n_tests += add_tests(v, i, &tests[n_tests], &states[n_tests]);
    }
    print_message("# %s: %zu of %zu vectors use operators or types outside the table\n", group,
                  n_outside, list->n);
    int failed = _cmocka_run_group_tests(group, tests, n_tests, NULL, NULL);
    free(states);
    free(tests);
    return failed;
}

static int run_published(const struct list *list, const char *results)
{
    int failed = run_list("node_vectors", list);
    FILE *file = results ? fopen(results, "w") : NULL;
    if (file) {
        print_list(file, list);
        fclose(file);
    }
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
    struct list list = {0};
    list_folder(&list, folder, "random");
    status = run_list("random_models", &list);
    free(list.v);
    return status;
}

/* Each emission forks.  glibc's own choice is to keep large blocks that were freed, so that after
   some thousand vectors most of the time goes into copies of the memory's map. */
static void give_freed_memory_back(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 128 << 10);
#endif
}

int main(int argc, char **argv)
{
    give_freed_memory_back();
    struct list list = list_published();
    if (argc == 2 && !strcmp(argv[1], "list")) {
        print_list(stdout, &list);
        free(list.v);
        return 0;
    }
    const char *results = cases_folder() ? NULL : getenv("SHEAF_RESULTS");
    int failed = list.n ? run_published(&list, results) : run_absent("onnx/node");
    free(list.v);
    if (support_full() && !cases_folder() && !results)
        failed += run_random();
    return failed;
}
