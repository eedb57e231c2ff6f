/*
 * program_run.h: builds, checks and runs a program from a graph's text; for the tests of programs
 * and plans only.
 */
#ifndef SHEAF_TESTS_IR_PROGRAM_RUN_H
#define SHEAF_TESTS_IR_PROGRAM_RUN_H

#include "ir/eval.h"
#include "ir/program.h"
#include "tests/support/fixture.h"

struct run {
    struct program *p;
    uint8_t *area[AREA_COUNT];
};

static inline void check(const struct program *p)
{
    if (!program_validate(p, &err)) {
        struct strbuf text;
        strbuf_init(&text, &arena);
        program_print(p, &text);
        fail_msg("%s\n%s", err.text, strbuf_text(&text));
    }
}

static inline struct program *build(const char *text)
{
    struct graph *g = graph_parse(&arena, text, &err);
    if (!g || !graph_infer(g, &err) || !graph_validate(g, &err))
        fail_msg("%s", err.text);
    struct program *p = program_build(&arena, g, &err);
    if (!p)
        fail_msg("%s", err.text);
    check(p);
    return p;
}

/* The areas start full of rubbish: nothing may rely on zeroes but state. */
static inline struct run make_run(struct program *p)
{
    struct run r = {.p = p};
    check(p);
    for (int a = 0; a < AREA_COUNT; a++) {
        r.area[a] = arena_alloc(&arena, (size_t)p->area_bytes[a]);
        memset(r.area[a], 0xa5, (size_t)p->area_bytes[a]);
    }
    const uint8_t *constants = program_pack_constants(p, &arena);
    memcpy(r.area[AREA_CONSTANT], constants, (size_t)p->area_bytes[AREA_CONSTANT]);
    for (size_t i = 0; i < p->n_bufs; i++)
        if (p->bufs[i].area == AREA_MUTABLE && p->bufs[i].role == SHEAF_ROLE_STATE)
            memset(r.area[AREA_MUTABLE] + p->bufs[i].offset, 0, (size_t)p->bufs[i].bytes);
    return r;
}

static inline struct run prepare(const char *text)
{
    struct program *p = build(text);
    plan_program(p, false);
    return make_run(p);
}

static inline void execute(struct run *r)
{
    eval_program(r->p, r->area[AREA_CONSTANT], r->area[AREA_MUTABLE], r->area[AREA_ACTIVATION],
                 &(struct eval_options){.blas = false});
}

/* The first buffer of that name and role. */
static inline const struct pbuf *find(const struct program *p, const char *name,
                                      enum sheaf_role role)
{
    for (size_t i = 0; i < p->n_bufs; i++)
        if (strcmp(p->bufs[i].name, name) == 0 && p->bufs[i].role == role)
            return &p->bufs[i];
    fail_msg("no buffer '%s'", name);
    return NULL;
}

static inline uint8_t *data(const struct run *r, const char *name, enum sheaf_role role)
{
    const struct pbuf *b = find(r->p, name, role);
    return r->area[b->area] + b->offset;
}

static inline void set(const struct run *r, const char *name, const float *v, size_t n)
{
    memcpy(data(r, name, SHEAF_ROLE_INPUT), v, n * sizeof *v);
}

static inline void set_bool(const struct run *r, const char *name, bool v)
{
    *data(r, name, SHEAF_ROLE_INPUT) = v;
}

static inline void set_int(const struct run *r, const char *name, int64_t v)
{
    memcpy(data(r, name, SHEAF_ROLE_INPUT), &v, sizeof v);
}

static inline void expect(const struct run *r, const char *name, const float *want, size_t n)
{
    const uint8_t *got = data(r, name, SHEAF_ROLE_OUTPUT);
    for (size_t i = 0; i < n; i++) {
        float v;
        memcpy(&v, got + i * sizeof v, sizeof v);
        if (v != want[i])
            fail_msg("%s[%zu] is %g, not %g", name, i, (double)v, (double)want[i]);
    }
}

static inline int64_t extent(const struct run *r, const char *name, int d)
{
    const struct pbuf *b = find(r->p, name, SHEAF_ROLE_OUTPUT);
    assert_true(b->extent_buf[d] >= 0);
    const struct pbuf *e = &r->p->bufs[b->extent_buf[d]];
    int64_t v;
    memcpy(&v, r->area[e->area] + e->offset, sizeof v);
    return v;
}

#define EXPECT(r, name, ...)                                                                       \
    do {                                                                                           \
        const float want_[] = {__VA_ARGS__};                                                       \
        expect((r), (name), want_, sizeof want_ / sizeof *want_);                                  \
    } while (0)
#define SET(r, name, ...)                                                                          \
    do {                                                                                           \
        const float value_[] = {__VA_ARGS__};                                                      \
        set((r), (name), value_, sizeof value_ / sizeof *value_);                                  \
    } while (0)

#endif
