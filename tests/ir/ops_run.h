/*
 * ops_run.h: runs an operator: a graph in text form whose data are constants is inferred, lowered,
 * run by the evaluator, and compared; for the tests of operators only.
 */
#ifndef SHEAF_TESTS_IR_OPS_RUN_H
#define SHEAF_TESTS_IR_OPS_RUN_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ir/eval.h"
#include "ir/graph.h"
#include "ir/program.h"

struct run {
    struct arena arena;
    struct graph *g;
    struct program *p;
    uint8_t *areas[AREA_COUNT];
};

static inline struct graph *parse(struct arena *a, const char *body, struct error *err)
{
    struct graph *g = graph_parse(a, arena_printf(a, "graph \"t\" { %s }", body), err);
    if (!g)
        fail_msg("%s in: %s", err->text, body);
    return g;
}

/* Builds the graph's program with its constants in place; false where inference refuses. */
static inline bool run_try_begin(struct run *r, const char *body, struct error *err)
{
    arena_init(&r->arena);
    r->g = parse(&r->arena, body, err);
    if (!graph_infer(r->g, err))
        return false;
    if (!graph_validate(r->g, err))
        fail_msg("%s in: %s", err->text, body);
    r->p = program_build(&r->arena, r->g, err);
    if (!r->p)
        fail_msg("%s in: %s", err->text, body);
    plan_program(r->p, true);
    if (!program_validate(r->p, err))
        fail_msg("%s in: %s", err->text, body);
    for (int i = 0; i < AREA_COUNT; i++)
        r->areas[i] = arena_alloc(&r->arena, (size_t)r->p->area_bytes[i] + 64);
    r->areas[AREA_CONSTANT] = arena_copy(&r->arena, program_pack_constants(r->p, &r->arena),
                                         (size_t)r->p->area_bytes[AREA_CONSTANT]);
    return true;
}

static inline void run_begin(struct run *r, const char *body)
{
    struct error err;
    error_init(&err);
    if (!run_try_begin(r, body, &err))
        fail_msg("%s in: %s", err.text, body);
}

static inline void run_once(struct run *r)
{
    const struct eval_options opt = {.blas = false};
    eval_program(r->p, r->areas[AREA_CONSTANT], r->areas[AREA_MUTABLE], r->areas[AREA_ACTIVATION],
                 &opt);
}

/* Runs the graph; false where inference refuses it. */
static inline bool run_try(struct run *r, const char *body)
{
    struct error err;
    error_init(&err);
    if (!run_try_begin(r, body, &err))
        return false;
    run_once(r);
    return true;
}

static inline const struct pbuf *output(const struct run *r, size_t i)
{
    for (size_t b = 0; b < r->p->n_bufs; b++)
        if (r->p->bufs[b].role == SHEAF_ROLE_OUTPUT && r->p->bufs[b].area == AREA_MUTABLE && !i--)
            return &r->p->bufs[b];
    fail_msg("there is no such output");
    return NULL;
}

/* Output i as a tensor of its true extents. */
static inline struct tensor output_tensor(struct run *r, size_t i)
{
    const struct pbuf *b = output(r, i);
    struct tensor t = {.dtype = b->dtype, .rank = b->rank, .data = r->areas[b->area] + b->offset};
    for (int d = 0; d < b->rank; d++) {
        t.dims[d] = b->dims[d];
        if (b->extent_buf[d] >= 0) {
            const struct pbuf *e = &r->p->bufs[b->extent_buf[d]];
            memcpy(&t.dims[d], r->areas[e->area] + e->offset, sizeof t.dims[d]);
        }
    }
    return t;
}

static inline void assert_output(struct run *r, size_t i, const char *type, const double *want,
                                 size_t n)
{
    struct tensor t = output_tensor(r, i);
    struct shape s = shape_of_dims(t.rank, t.dims);
    assert_string_equal(
        arena_printf(&r->arena, "%s %s", dtype_name(t.dtype), shape_print(&s, &r->arena)), type);
    assert_int_equal(tensor_elems(&t), n);
    for (size_t e = 0; e < n; e++) {
        double got = tensor_get(&t, (int64_t)e);
        bool near = dtype_is_float(t.dtype) && fabs(got - want[e]) <= 1e-6 * (1 + fabs(want[e]));
        bool same = got == want[e] || (isnan(got) && isnan(want[e])) || near;
        if (!same)
            fail_msg("element %zu is %.9g where %.9g is right", e, got, want[e]);
    }
}

static inline void check(const char *body, const char *type, const double *want, size_t n)
{
    struct run r;
    run_begin(&r, body);
    run_once(&r);
    assert_output(&r, 0, type, want, n);
    arena_done(&r.arena);
}

#define CHECK(body, type, ...)                                                                     \
    do {                                                                                           \
        const double want_[] = {__VA_ARGS__};                                                      \
        check(body, type, want_, sizeof want_ / sizeof *want_);                                    \
    } while (0)

/* Inference fails with a sentence that ends like this. */
static inline void refused(const char *body, const char *fault)
{
    struct arena a;
    struct error err;
    error_init(&err);
    arena_init(&a);
    struct graph *g = parse(&a, body, &err);
    assert_false(graph_infer(g, &err));
    if (!strstr(err.text, fault))
        fail_msg("'%s' does not say '%s'", err.text, fault);
    assert_null(strchr(err.text, '\n'));
    arena_done(&a);
}

#define NAN_TEXT "nan.7fc00000"

#endif
