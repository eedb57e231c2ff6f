/*
 * test_plan_program.c: plans are sound: sharing storage changes no result, on random programs too,
 * and program_validate finds out wrong programs and plans.
 */
#include "tests/ir/program_run.h"
#include "tests/support/random.h"

/* ---- plans ---- */

static const char *const long_chain = "graph \"g\" {\n"
                                      "  input %x f32 [16]\n"
                                      "  %a f32 [16] = neg (%x)\n"
                                      "  %b f32 [16] = neg (%a)\n"
                                      "  %c f32 [16] = neg (%b)\n"
                                      "  %d f32 [16] = neg (%c)\n"
                                      "  %y f32 [16] = neg (%d)\n"
                                      "  return %y\n"
                                      "}\n";

static void test_keep_all(void **state)
{
    (void)state;
    struct program *p = build(long_chain);
    plan_program(p, false);
    assert_int_equal(p->area_bytes[AREA_ACTIVATION], 128);
    assert_int_equal(p->peak_live_bytes, 128);
    plan_program(p, true);
    assert_int_equal(p->area_bytes[AREA_ACTIVATION], 256);
    assert_int_equal(p->peak_live_bytes, 128);
    struct run r = make_run(p);
    float x[16] = {3};
    set(&r, "x", x, 16);
    execute(&r);
    float a;
    memcpy(&a, data(&r, "a", SHEAF_ROLE_CONSTANT), sizeof a);
    assert_true(a == -3);
}

/* ---- random programs mean what their graphs mean, sharing storage or not ---- */

static uint64_t seed;

static uint32_t below(uint32_t n)
{
    return random_next(&seed) % n;
}

/* Values of f32 [4] that may be used, by number. */
struct pool {
    unsigned name[400];
    size_t n;
    unsigned next_name;
};

static unsigned pick(const struct pool *p)
{
    /* Mostly recent ones, so that lives are short, as in networks. */
    size_t recent = below(3) ? 4 : (uint32_t)p->n;
    size_t back = below((uint32_t)(recent < p->n ? recent : p->n));
    return p->name[p->n - 1 - back];
}

static void make_block(struct strbuf *out, struct pool *p, int n_nodes, int depth);

static void make_control(struct strbuf *out, struct pool *p, int depth, unsigned y)
{
    size_t n = p->n;
    unsigned a = y + 1, b = y + 2;
    p->next_name += 2;
    if (below(2)) {
        strbuf_printf(out, "%%v%u f32 [4] = if (%%c) do () {\n", y);
        for (int branch = 0; branch < 2; branch++) {
            make_block(out, p, (int)below(4), depth + 1);
            strbuf_printf(out, "return %%v%u }", pick(p));
            p->n = n;
            strbuf_add(out, branch ? "\n" : " do () {\n");
        }
    } else {
        unsigned x = pick(p), w = pick(p), z = p->next_name++;
        strbuf_printf(out,
                      "%%v%u f32 [4], %%v%u f32 [4] = loop (%%m, _, %%v%u, %%v%u) do (%%i%u i64 "
                      "[], %%c%u bool [], %%v%u f32 [4], %%v%u f32 [4]) {\n",
                      y, z, x, w, y, y, a, b);
        p->name[p->n++] = a;
        p->name[p->n++] = b;
        make_block(out, p, 1 + (int)below(5), depth + 1);
        strbuf_printf(out, "return %%c%u, %%v%u, %%v%u }\n", y, pick(p), pick(p));
        p->n = n;
        p->name[p->n++] = z;
    }
    p->name[p->n++] = y;
}

static void make_block(struct strbuf *out, struct pool *p, int n_nodes, int depth)
{
    for (int i = 0; i < n_nodes; i++) {
        unsigned y = p->next_name++;
        switch (below(depth < 3 ? 8 : 7)) {
        case 0:
        case 1:
            strbuf_printf(out, "%%v%u f32 [4] = neg (%%v%u)\n", y, pick(p));
            break;
        case 2:
            strbuf_printf(out, "%%v%u f32 [4] = reshape (%%v%u, %%flat)\n", y, pick(p));
            break;
        case 7:
            make_control(out, p, depth, y);
            continue;
        default:
            strbuf_printf(out, "%%v%u f32 [4] = %s (%%v%u, %%v%u)\n", y, below(2) ? "max" : "sub",
                          pick(p), pick(p));
        }
        p->name[p->n++] = y;
    }
}

/* The meaning of such a graph, straight from its nodes. */
struct meaning {
    float v[1000][4]; /* by value id */
    bool c;
    int64_t m;
};

static void run_block(struct meaning *e, const struct block *b)
{
    for (size_t i = 0; i < b->n_nodes; i++) {
        const struct node *n = b->nodes[i];
        float *y = e->v[n->out[0]->id];
        const float *a = n->in[0] ? e->v[n->in[0]->id] : NULL;
        if (n->op == OP_if) {
            const struct block *taken = n->blocks[e->c ? 0 : 1];
            run_block(e, taken);
            memcpy(y, e->v[taken->out[0]->id], sizeof e->v[0]);
        } else if (n->op == OP_loop) {
            const struct block *body = n->blocks[0];
            float carried[2][4], next[2][4];
            for (int k = 0; k < 2; k++)
                memcpy(carried[k], e->v[n->in[2 + k]->id], sizeof carried[k]);
            for (int64_t round = 0; round < e->m; round++) {
                for (int k = 0; k < 2; k++)
                    memcpy(e->v[body->in[2 + k]->id], carried[k], sizeof carried[k]);
                run_block(e, body);
                for (int k = 0; k < 2; k++)
                    memcpy(next[k], e->v[body->out[1 + k]->id], sizeof next[k]);
                memcpy(carried, next, sizeof carried);
            }
            for (int k = 0; k < 2; k++)
                memcpy(e->v[n->out[k]->id], carried[k], sizeof carried[k]);
        } else {
            const float *w = n->n_in > 1 ? e->v[n->in[1]->id] : NULL;
            for (int k = 0; k < 4; k++)
                y[k] = n->op == OP_neg       ? -a[k]
                       : n->op == OP_reshape ? a[k]
                       : n->op == OP_sub     ? a[k] - w[k]
                       : a[k] > w[k]         ? a[k]
                                             : w[k];
        }
    }
}

static void check_meaning(const struct run *r, const char *text, const float *x, bool c, int64_t m)
{
    struct graph *g = graph_parse(&arena, text, &err);
    struct meaning *e = arena_new(&arena, struct meaning);
    assert_true(g && g->n_values <= 1000);
    e->c = c;
    e->m = m;
    memcpy(e->v[graph_find_value(g, "v0")->id], x, sizeof e->v[0]);
    run_block(e, &g->body);
    size_t i = 0;
    for (size_t b = 0; b < r->p->n_bufs; b++) {
        const struct pbuf *out = &r->p->bufs[b];
        if (out->area != AREA_MUTABLE || out->role != SHEAF_ROLE_OUTPUT || out->view_of >= 0)
            continue;
        if (memcmp(r->area[AREA_MUTABLE] + out->offset, e->v[g->body.out[i++]->id], 16) != 0)
            fail_msg("output %zu is wrong of\n%s", i - 1, text);
    }
    assert_int_equal(i, g->body.n_out);
}

static void test_random(void **state)
{
    (void)state;
    seed = 3;
    for (int round = 0; round < 150; round++) {
        struct strbuf text;
        struct pool pool = {.name = {0}, .n = 1, .next_name = 1};
        strbuf_init(&text, &arena);
        strbuf_add(&text, "graph \"g\" {\n input %v0 f32 [4]\n input %c bool []\n"
                          " input %m i64 []\n const %flat i64 [1] = {4}\n");
        make_block(&text, &pool, 12, 0);
        strbuf_printf(&text, "return %%v%u, %%v%u }\n", pick(&pool), pick(&pool));

        struct program *p = build(strbuf_text(&text));
        plan_program(p, true);
        struct run apart = make_run(p);
        struct program *q = build(strbuf_text(&text));
        plan_program(q, false);
        struct run shared = make_run(q);
        struct run *runs[] = {&apart, &shared};
        assert_int_equal(p->area_bytes[AREA_MUTABLE], q->area_bytes[AREA_MUTABLE]);
        static const float x[4] = {1, -2, 0.5f, 3};
        for (int i = 0; i < 2; i++) {
            set(runs[i], "v0", x, 4);
            set_bool(runs[i], "c", round % 2);
            set_int(runs[i], "m", round % 4);
            execute(runs[i]);
            check_meaning(runs[i], strbuf_text(&text), x, round % 2, round % 4);
        }
        if (memcmp(apart.area[AREA_MUTABLE], shared.area[AREA_MUTABLE],
                   (size_t)p->area_bytes[AREA_MUTABLE]) != 0)
            fail_msg("sharing storage changes the result of\n%s", strbuf_text(&text));
    }
}

/* Each damage to a good program is found. */
static void expect_invalid(struct program *p, const char *part)
{
    struct error found;
    error_init(&found);
    assert_false(program_validate(p, &found));
    if (!strstr(found.text, part))
        fail_msg("'%s' does not say '%s'", found.text, part);
}

static struct pbuf *mutable_buf(struct program *p, const char *name)
{
    for (size_t i = 0; i < p->n_bufs; i++)
        if (strcmp(p->bufs[i].name, name) == 0)
            return &p->bufs[i];
    fail_msg("no buffer '%s'", name);
    return NULL;
}

static void test_validate(void **state)
{
    (void)state;
    struct program *p = build(long_chain);
    plan_program(p, false);
    check(p);
    struct pbuf *a = mutable_buf(p, "a"), *b = mutable_buf(p, "b"), *y = mutable_buf(p, "y");
    struct pbuf *x = mutable_buf(p, "x");

    int64_t offset = a->offset;
    a->offset = b->offset;
    expect_invalid(p, "overwritten");
    a->offset = offset + 1;
    expect_invalid(p, "aligned");
    a->offset = 1024;
    expect_invalid(p, "outside");
    a->offset = offset;
    y->offset = x->offset;
    expect_invalid(p, "overlap");
    y->offset = 64;
    check(p);

    a->dims[0] = 15;
    expect_invalid(p, "bytes do not fit");
    a->bytes = 60;
    expect_invalid(p, "another type, shape or layout");
    a->dims[0] = 16;
    a->bytes = 64;
    a->dtype = DTYPE_I32;
    expect_invalid(p, "another type, shape or layout");
    a->dtype = DTYPE_F32;
    a->view_of = (int)(a - p->bufs);
    expect_invalid(p, "view of no buffer");
    a->view_of = -1;
    a->extent_buf[0] = 0;
    expect_invalid(p, "no i64 scalar");
    a->extent_buf[0] = -1;

    struct step *first = p->body.step[0];
    p->body.step[0] = p->body.step[1];
    expect_invalid(p, "number");
    p->body.step[0] = first;
    first->args[0] = 99;
    expect_invalid(p, "is no buffer");
    first->args[0] = (int)(b - p->bufs);
    expect_invalid(p, "nothing has written");
    first->args[0] = (int)(x - p->bufs);
    int output = first->args[1];
    first->args[1] = (int)(x - p->bufs);
    expect_invalid(p, "an input of the client");
    first->args[1] = output;
    p->n_steps++;
    expect_invalid(p, "steps");
    p->n_steps--;
    check(p);
}

/* What a loop reads from outside must not be lost in the first round. */
static void test_validate_loop(void **state)
{
    (void)state;
    struct run r = prepare("graph \"g\" {\n"
                           "  input %m i64 []\n"
                           "  input %x f32 [16]\n"
                           "  %k f32 [16] = neg (%x)\n"
                           "  %last f32 [16] = loop (%m, _, %x) do (%i i64 [], %c bool [], %v f32 "
                           "[16]) {\n"
                           "    %a f32 [16] = add (%v, %k)\n"
                           "    %b f32 [16] = neg (%a)\n"
                           "    return %c, %b\n"
                           "  }\n"
                           "  return %last\n"
                           "}\n");
    struct pbuf *k = mutable_buf(r.p, "k"), *b = mutable_buf(r.p, "b");
    struct pbuf *i = mutable_buf(r.p, "i");
    int64_t offset = b->offset;
    b->offset = k->offset;
    expect_invalid(r.p, "reads 'k', which was overwritten");
    b->offset = i->offset;
    expect_invalid(r.p, "reads 'i', which was overwritten");
    b->offset = offset;
    check(r.p);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_keep_all),
        TEST(test_random),
        TEST(test_validate),
        TEST(test_validate_loop),
    };
    return cmocka_run_group_tests_name("ir/plan_program", tests, NULL, NULL);
}
