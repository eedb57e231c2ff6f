/*
 * Whatever inference accepts, lowering lowers and the evaluator runs: a valid node per operator is
 * changed at random (types, ranks and extents of inputs, attributes, constants become inputs), and
 * inferred.  Refusals must come with one sentence; what is accepted is built, validated and run.
 * Results are not looked at; the sanitizers watch.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/eval.h"
#include "ir/graph.h"
#include "ir/program.h"
#include "tests/support/random.h"
#include "tests/support/support.h"

static const char *const nodes[] = {
#define NODE(text) text,
#include "tests/ir/nodes.def"
#undef NODE
};
enum { N_NODES = sizeof nodes / sizeof *nodes };

/* ---- random changes ---- */

static uint64_t seed;

static int below(int n)
{
    return random_below(&seed, n);
}

static int64_t some_int(void)
{
    static const int64_t pool[] = {-3, -2, -1, 0,  1,   1,         2,         2,
                                   3,  4,  5,  16, 100, INT32_MAX, INT64_MIN, INT64_MAX};
    return pool[below(sizeof pool / sizeof *pool)];
}

static const char *some_string(void)
{
    static const char *const pool[] = {
        "",         "NOTSET", "VALID",    "SAME_UPPER", "SAME_LOWER", "edge",
        "reflect",  "wrap",   "constant", "forward",    "reverse",    "bidirectional",
        "sideways", "Relu",   "Tanh",     "up",         "even"};
    return pool[below(sizeof pool / sizeof *pool)];
}

/* A constant of this type and shape with small numbers, NaN and infinity among them. */
static const struct tensor *some_tensor(struct arena *a, enum dtype dtype, int rank,
                                        const int64_t *dims)
{
    struct tensor *t = tensor_new(a, dtype, rank, dims);
    int64_t n = tensor_elems(t);
    for (int64_t i = 0; i < n; i++) {
        if (dtype_is_float(dtype))
            tensor_set(t, i, below(8) ? below(21) / 4.0 - 2 : 1 / (double)(below(3) - 1));
        else
            tensor_set_int(t, i, dtype == DTYPE_BOOL ? below(2) : below(9) - 2);
    }
    return t;
}

static void change_input(struct graph *g, struct node *n)
{
    size_t i = (size_t)below((int)n->n_in);
    const struct value *old = n->in[i];
    if (!old || below(12) == 0) {
        n->in[i] = old ? NULL : n->in[0];
        return;
    }
    enum dtype dtype = old->dtype;
    int rank = old->shape.rank;
    int64_t dims[MAX_RANK];
    memcpy(dims, old->shape.dims, sizeof dims);
    int what = below(4);
    if (what == 0)
        dtype = (enum dtype)(1 + below(DTYPE_COUNT - 1));
    else if (what == 1 && rank)
        dims[below(rank)] = below(5);
    else if (what == 2 && rank)
        rank--;
    else if (what == 3 && rank < MAX_RANK)
        dims[rank++] = 1 + below(3);
    const struct tensor *t = some_tensor(g->arena, dtype, rank, dims);
    n->in[i] =
        below(6) ? graph_add_constant(g, "c", t) : graph_add_input(g, "i", dtype, rank, dims);
}

static void change_attr(struct graph *g, struct node *n)
{
    const struct op_desc *d = op_desc(n->op);
    const struct attr_desc *a = &d->attrs[below((int)d->n_attrs)];
    void *field = (char *)n->attrs + a->offset;
    size_t len = (size_t)below(7);
    int64_t *ints = arena_array(g->arena, len, sizeof *ints);
    float *floats = arena_array(g->arena, len, sizeof *floats);
    const char **strings = arena_array(g->arena, len, sizeof *strings);
    for (size_t i = 0; i < len; i++) {
        ints[i] = some_int();
        floats[i] = (float)below(9) / 4;
        strings[i] = some_string();
    }
    switch (a->kind) {
    case ATTR_KIND_INT:
        *(int64_t *)field = some_int();
        break;
    case ATTR_KIND_FLOAT:
        *(float *)field = (float)(below(9) - 3) / 2;
        break;
    case ATTR_KIND_STRING:
        *(const char **)field = some_string();
        break;
    case ATTR_KIND_INTS: {
        struct attr_ints *list = field;
        if (list->n && below(2)) {
            int64_t *copy = arena_copy(g->arena, list->v, list->n * sizeof *copy);
            copy[below((int)list->n)] = some_int();
            list->v = copy;
        } else {
            *list = (struct attr_ints){ints, len};
        }
        break;
    }
    case ATTR_KIND_FLOATS:
        *(struct attr_floats *)field = (struct attr_floats){floats, len};
        break;
    case ATTR_KIND_STRINGS:
        *(struct attr_strings *)field = (struct attr_strings){strings, len};
        break;
    case ATTR_KIND_TENSOR: {
        int64_t dims[1] = {below(3)};
        enum dtype dtype = (enum dtype)(1 + below(DTYPE_COUNT - 1));
        *(const struct tensor **)field = some_tensor(g->arena, dtype, 1, dims);
        break;
    }
    }
}

/* ---- running ---- */

/* The work of one run stays small. */
static bool is_small(const struct graph *g)
{
    for (size_t i = 0; i < g->n_values; i++)
        if (shape_elems(&g->values[i]->shape) > 1 << 12)
            return false;
    return true;
}

/* Of the user's. */
static void do_nothing(const struct sheaf_extern_call *call)
{
    (void)call;
}

static void run(struct graph *g)
{
    struct error err;
    error_init(&err);
    if (!graph_validate(g, &err))
        fail_msg("%s", err.text);
    struct program *p = program_build(g->arena, g, &err);
    if (!p)
        fail_msg("%s", err.text);
    plan_program(p, false);
    if (!program_validate(p, &err))
        fail_msg("%s", err.text);
    uint8_t *area[AREA_COUNT];
    for (int i = 0; i < AREA_COUNT; i++)
        area[i] = arena_alloc(g->arena, (size_t)p->area_bytes[i]);
    if (p->area_bytes[AREA_CONSTANT])
        memcpy(area[AREA_CONSTANT], program_pack_constants(p, g->arena),
               (size_t)p->area_bytes[AREA_CONSTANT]);
    const struct node *n = g->body.nodes[0];
    struct kextern_function function = {NULL, do_nothing};
    const struct kextern_functions functions = {.function = &function, .n = 1};
    if (n->op == OP_extern_call)
        function.symbol =
            kextern_symbol(g->arena, ((const struct extern_call_attrs *)n->attrs)->op);
    const struct eval_options opt = {.functions = function.symbol ? &functions : NULL};
    eval_program(p, area[AREA_CONSTANT], area[AREA_MUTABLE], area[AREA_ACTIVATION], &opt);
}

/* Loops whose length no tensor shows: the window of LRN. */
static bool runs_long(const struct node *n)
{
    return n->op == OP_lrn && ((const struct lrn_attrs *)n->attrs)->size > 100;
}

/* Starts that the run computes fit to given extents, which the importer sees to. */
static bool trusts_starts(const struct node *n)
{
    return n->op == OP_slice && n->n_in > 5 && !value_is_constant(n->in[1]);
}

/* Returns whether inference accepted the node. */
static bool try_node(const char *text, int n_changes)
{
    struct arena arena;
    struct error err;
    arena_init(&arena);
    error_init(&err);
    struct graph *g =
        graph_parse(&arena, arena_printf(&arena, "graph \"t\" { %s return }", text), &err);
    if (!g)
        fail_msg("%s in: %s", err.text, text);
    struct node *n = g->body.nodes[0];
    for (int i = 0; i < n_changes; i++) {
        if (op_desc(n->op)->n_attrs && below(2))
            change_attr(g, n);
        else if (!(op_desc(n->op)->flags & OP_STATE))
            change_input(g, n);
    }
    bool accepted = graph_infer(g, &err);
    if (!accepted) {
        assert_true(*err.text && !strchr(err.text, '\n'));
    } else if (is_small(g) && !runs_long(n) && !trusts_starts(n)) {
        for (size_t i = 0; i < n->n_out; i++)
            if (n->out[i])
                block_add_output(g, &g->body, n->out[i]);
        run(g);
    }
    arena_done(&arena);
    return accepted;
}

static void test_unchanged(void **state)
{
    (void)state;
    for (int i = 0; i < N_NODES; i++)
        if (!try_node(nodes[i], 0))
            fail_msg("refused: %s", nodes[i]);
}

static void test_changed(void **state)
{
    (void)state;
    int rounds = support_full() ? 4000 : support_quick() ? 30 : 100;
    int accepted = 0;
    for (int i = 0; i < N_NODES; i++) {
        for (int r = 0; r < rounds; r++) {
            seed = (uint64_t)i << 32 | (uint64_t)r;
            below(2);
            accepted += try_node(nodes[i], 1 + below(3));
        }
    }
    /* Enough must get through for the test to mean something. */
    assert_true(accepted > rounds * N_NODES / 5);
    assert_true(accepted < rounds * N_NODES);
}

/* No operator is left out. */
static void test_complete(void **state)
{
    (void)state;
    for (int op = OP_NONE + 1; op < OP_COUNT; op++) {
        const struct op_desc *d = op_desc((enum op)op);
        char pattern[64];
        snprintf(pattern, sizeof pattern, "= %s (", d->id);
        bool found = d->flags & OP_CONTROL;
        for (int i = 0; i < N_NODES; i++)
            found |= strstr(nodes[i], pattern) != NULL;
        if (!found)
            fail_msg("%s is not tried", d->id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_complete),
        cmocka_unit_test(test_unchanged),
        cmocka_unit_test(test_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
