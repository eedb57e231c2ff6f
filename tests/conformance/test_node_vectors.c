/*
 * The published ONNX vectors, of single operators ($SHEAF_TEST_DATA/onnx/node) and of small models
 * (the folders beside it), run in each column of columns.h.  All must give the recorded outputs,
 * but for those that are listed as exceptions.  In `make check` columns with simulated machines
 * take every third vector, unless $SHEAF_TEST says which tests are wanted.
 *
 * For the table of conformance (tests/conformance/table) the file $SHEAF_RESULTS receives what came
 * out.  Where $SHEAF_CASES names a folder, the vectors are not run but written there, compiled for
 * a GPU, for a machine that has one (tests/device).  The argument `list` prints all vectors.
 *
 * In check-full, models of random shapes, types and attributes (random_models.py) go the same way,
 * of which emulators run every twelfth and simulators every fourth; ONNX Runtime and the onnx
 * reference say what they give.  They take some minutes; other ones come of another number in
 * $SHEAF_SEED.
 */
#include <dirent.h>
#include <fnmatch.h>
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

#include "tests/conformance/columns.h"
#include "tests/support/support.h"

/* What conformance cannot ask of compiled code; docs/conformance.md lists it. */
#define DRAWN                                                                                      \
    "Which elements are 0 is drawn at random, by numpy's generator in the recorded outputs; ONNX " \
    "prescribes none. It runs, and types, shapes and what neither made 0 are as recorded."
static const struct exception {
    const char *names; /* as for fnmatch */
    bool is_refused;   /* else it runs */
    const char *reason;
} EXCEPTIONS[] = {
    {"test_image_decoder_*", true,
     "An image codec inside the network: the input is the bytes of an image file, which is "
     "decoded in front of the network."},
    {"test_bernoulli*", false, DRAWN},
    {"test_training_dropout", false, DRAWN},
    {"test_training_dropout_mask", false, DRAWN},
    {"test_training_dropout_default", false, DRAWN},
    {"test_training_dropout_default_mask", false, DRAWN},
};

/* NULL: it must pass. */
static const struct exception *exception_of(const char *vector)
{
    for (size_t i = 0; i < sizeof EXCEPTIONS / sizeof *EXCEPTIONS; i++)
        if (fnmatch(EXCEPTIONS[i].names, vector, 0) == 0)
            return &EXCEPTIONS[i];
    return NULL;
}

/* ---- tests ---- */

enum outcome { NOT_RUN, FAILED, PASSED };

struct listed {
    const char *dir, *name, *op;
    const struct exception *exception; /* or NULL */
    size_t n_bound;                    /* inputs that became constants */
    enum outcome outcome[N_COLUMNS];
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
    const char *missing = column_missing(t->column);
    SUPPORT_NEED(missing ? NULL : "", missing);
    *t->outcome = FAILED; /* until the end */
    assert_true(vector_open(&v, t->vector->dir));
    vector_read(&v);
    v.is_drawn = t->vector->exception != NULL;
    bool ran = t->column->run(&v, t->column);
    t->vector->n_bound = v.n_bound;
    vector_close(&v);
    *t->outcome = ran ? PASSED : NOT_RUN;
    if (!ran)
        skip();
}

static void is_refused(void **state)
{
    struct vector v;
    struct error err;
    const struct listed *listed = *state;
    assert_true(vector_open(&v, listed->dir));
    vector_read(&v);
    if (vector_import(&v, &v.arena, &err))
        fail_msg("is accepted, but should not be: %s", listed->exception->reason);
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
    bool is_random; /* models, not what is published */
};

/* The vectors of a folder.  `group` stands for the operator; NULL: each has its own. */
static void list_folder(struct list *list, const char *top, const char *group)
{
    size_t n;
    char **dirs = list_vectors(top, &n);
    list->v = realloc(list->v, (list->n + n + 1) * sizeof *list->v);
    assert(list->v);
    for (size_t i = 0; i < n; i++) {
        struct listed *l = &list->v[list->n++];
        memset(l, 0, sizeof *l);
        l->dir = dirs[i];
        l->name = strrchr(dirs[i], '/') + 1;
        l->op = group ? group : operator_of(dirs[i]);
        l->exception = exception_of(l->name);
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

/* A line for each vector, for tests/conformance/table. */
static void print_list(FILE *file, const struct list *list)
{
    static const char *const WORDS[] = {"not-run", "failed", "passed"};
    for (size_t i = 0; i < list->n; i++) {
        const struct listed *v = &list->v[i];
        fprintf(file, "%s %s %zu", v->name, v->op, v->n_bound);
        for (size_t c = 0; c < N_COLUMNS; c++) {
            bool excepted = v->exception && v->outcome[c] != FAILED;
            fprintf(file, " %s", excepted ? "not-representable" : WORDS[v->outcome[c]]);
        }
        fprintf(file, "%s%s\n", v->exception ? " " : "", v->exception ? v->exception->reason : "");
    }
}

/* ---- running ---- */

/* Of so many vectors a column takes one, and not all columns the same. */
enum { SAMPLE = 3, EMULATED_RANDOM = 12, SIMULATED_RANDOM = 4 };

static size_t interval(size_t column, bool is_random)
{
    if (column < FIRST_EMULATED || getenv("SHEAF_TEST"))
        return 1;
    if (!support_full())
        return SAMPLE;
    return !is_random ? 1 : column < FIRST_SIMULATED ? EMULATED_RANDOM : SIMULATED_RANDOM;
}

/* Of N programs that share the work, program I takes some of the vectors; $SHEAF_SHARE is "I/N". */
static void take_share(struct list *list)
{
    const char *share = getenv("SHEAF_SHARE");
    size_t i = 0, n = 1, n_taken = 0;
    int n_read = share ? sscanf(share, "%zu/%zu", &i, &n) : 2;
    assert(n_read == 2 && i < n);
    for (size_t at = 0; at < list->n; at++)
        if (at / SAMPLE % n == i)
            list->v[n_taken++] = list->v[at];
    list->n = n_taken;
}

static struct CMUnitTest test_of(struct column_test *t)
{
    return (struct CMUnitTest){.name = support_printf("%s %s", t->vector->name, t->column->how),
                               .test_func = run_column,
                               .initial_state = t};
}

static struct CMUnitTest refusal_of(struct listed *v)
{
    return (struct CMUnitTest){
        .name = support_printf("%s refused", v->name), .test_func = is_refused, .initial_state = v};
}

/* Returns how many there are of the vector at this place of the list. */
static size_t add_tests(const struct list *list, size_t at, struct CMUnitTest *tests,
                        struct column_test *states)
{
    struct listed *v = &list->v[at];
    const struct column *columns = columns_cases() ? &COLUMN_OF_CASES : COLUMNS;
    size_t n = 0, n_columns = !columns_cases() ? N_COLUMNS : v->exception ? 0 : 1;
    if (v->exception && v->exception->is_refused) {
        tests[0] = refusal_of(v);
        return 1;
    }
    for (size_t c = 0; c < n_columns; c++) {
        if ((at + c) % interval(c, list->is_random))
            continue;
        states[n] = (struct column_test){&columns[c], v, &v->outcome[c]};
        tests[n] = test_of(&states[n]);
        n++;
    }
    return n;
}

static int run_list(const char *group, const struct list *list)
{
    size_t n_tests = 0;
    struct CMUnitTest *tests = calloc(list->n * N_COLUMNS + 1, sizeof *tests);
    struct column_test *states = calloc(list->n * N_COLUMNS + 1, sizeof *states);
    assert(tests && states);
    for (size_t i = 0; i < list->n; i++)
        n_tests += add_tests(list, i, &tests[n_tests], &states[n_tests]);
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
    const char *seed = getenv("SHEAF_SEED");
    status = support_run(support_printf("'%s' '%s/tests/conformance/random_models.py' '%s' 12 %s",
                                        python, support_source(), folder, seed ? seed : "1"),
                         &output);
    free(python);
    if (status) {
        print_message("%s\n", output);
        return 1;
    }
    free(output);
    struct list list = {.is_random = true};
    list_folder(&list, folder, "random");
    take_share(&list);
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
    take_share(&list);
    const char *results = columns_cases() ? NULL : getenv("SHEAF_RESULTS");
    int failed = list.n ? run_published(&list, results) : run_absent("onnx/node");
    free(list.v);
    if (support_full() && !columns_cases() && !results)
        failed += run_random();
    return failed;
}
