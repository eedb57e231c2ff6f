/*
 * test_plan_host.c: steps that stay on the host find there what they read, and leave on the device
 * what others read of theirs.
 *
 * Programs are walked as they would run, with branches and numbers of rounds by chance, on both
 * sides of a machine that knows of each buffer only which of its contents lies where.  Writing a
 * place destroys all that overlaps it.
 */
#include "ir/passes/passes.h"
#include "tests/ir/program_run.h"
#include "tests/support/support.h"

/* ---- programs ---- */

static uint32_t chance;

static uint32_t random_below(uint32_t n)
{
    chance = chance * 1664525 + 1013904223;
    return (chance >> 8) % n;
}

/* All nodes (one_in 1) or some by chance stay on the host. */
static void place_by_chance(struct graph *g, struct block *b, void *arg)
{
    const uint32_t *one_in = arg;
    (void)g;
    for (size_t i = 0; i < b->n_nodes; i++)
        b->nodes[i]->on_host = random_below(*one_in) == 0;
}

static struct program *plan(struct graph *g, bool keep_all)
{
    bool changed;
    struct pass_options opt = {.target = NULL};
    if (!graph_infer(g, &err) || !pass_form_regions(g, &opt, &changed, &err) ||
        !graph_validate(g, &err))
        fail_msg("%s", err.text);
    struct program *p = program_build(&arena, g, &err);
    if (!p)
        fail_msg("%s", err.text);
    plan_program(p, keep_all);
    plan_host(p, keep_all);
    check(p);
    return p;
}

static struct graph *parse(const char *text)
{
    struct graph *g = graph_parse(&arena, text, &err);
    if (!g)
        fail_msg("%s", err.text);
    return g;
}

/* ---- the machine ---- */

struct machine {
    const struct program *p;
    uint64_t *truth;    /* by buffer that is no view: its content, 0 before it has one */
    uint64_t *place[2]; /* which one lies on the device and on the host */
    uint64_t next;
};

enum { DEVICE, HOST };

static void fault(const struct machine *m, const char *what, const struct step *s, int buf)
{
    struct strbuf text;
    strbuf_init(&text, &arena);
    program_print(m->p, &text);
    fail_msg("step '%s': b%d %s\n%s", s ? s->name : "(end)", buf, what, strbuf_text(&text));
}

static bool overlap(int64_t a, int64_t a_bytes, int64_t b, int64_t b_bytes)
{
    return a < b + b_bytes && b < a + a_bytes;
}

static bool share_a_place(const struct machine *m, int a, int b, int side)
{
    const struct pbuf *x = &m->p->bufs[a], *y = &m->p->bufs[b];
    if (side == HOST)
        return x->host_offset >= 0 && y->host_offset >= 0 &&
               overlap(x->host_offset, x->bytes, y->host_offset, y->bytes);
    return x->area == y->area && overlap(x->offset, x->bytes, y->offset, y->bytes);
}

static void put(struct machine *m, int buf, int side, uint64_t content)
{
    for (size_t i = 0; i < m->p->n_bufs; i++)
        if (m->p->bufs[i].view_of < 0 && (int)i != buf && share_a_place(m, (int)i, buf, side))
            m->place[side][i] = 0;
    m->place[side][buf] = content;
}

static void write(struct machine *m, const struct step *s, int buf, int side)
{
    const struct pbuf *b = &m->p->bufs[buf];
    if (side == HOST && (b->host_offset < 0 || b->host_offset + b->bytes > m->p->host_bytes))
        fault(m, "lies outside of the host's area", s, buf);
    m->truth[buf] = m->next++;
    put(m, buf, side, m->truth[buf]);
}

static void read(const struct machine *m, const struct step *s, int buf, int side)
{
    if (buf < 0)
        return;
    buf = program_storage_of(m->p, buf);
    if (m->p->bufs[buf].area != AREA_CONSTANT && m->truth[buf] &&
        m->place[side][buf] != m->truth[buf])
        fault(m, side == HOST ? "is not on the host" : "is not on the device", s, buf);
}

static void call(struct machine *m, const struct step *s)
{
    int side = s->on_host ? HOST : DEVICE;
    for (size_t i = 0; i < s->n_fetched; i++)
        put(m, s->fetched[i], HOST, m->place[DEVICE][s->fetched[i]]);
    for (size_t i = 0; i < s->kernel->n_bufs; i++)
        if (s->kernel->bufs[i].role == KBUF_IN || s->kernel->bufs[i].role == KBUF_INOUT)
            read(m, s, s->args[i], side);
    for (size_t i = 0; i < s->kernel->n_bufs; i++)
        if (s->kernel->bufs[i].role != KBUF_IN)
            write(m, s, program_storage_of(m->p, s->args[i]), side);
    for (size_t i = 0; i < s->n_brought; i++)
        put(m, s->brought[i], DEVICE, m->place[HOST][s->brought[i]]);
}

static void walk(struct machine *m, const struct steps *steps)
{
    for (size_t i = 0; i < steps->n; i++) {
        const struct step *s = steps->step[i];
        if (s->kind == STEP_CALL) {
            call(m, s);
            continue;
        }
        read(m, s, s->cond, DEVICE);
        read(m, s, s->trip, DEVICE);
        if (s->kind == STEP_IF) {
            walk(m, &s->bodies[random_below(2)]);
            continue;
        }
        for (uint32_t rounds = random_below(4); rounds > 0; rounds--) {
            write(m, s, program_storage_of(m->p, s->index), DEVICE);
            walk(m, &s->bodies[0]);
            read(m, s, s->cond, DEVICE);
        }
        write(m, s, program_storage_of(m->p, s->index), DEVICE);
    }
}

/* One run; afterwards the client finds its tensors. */
static void run(const struct program *p)
{
    struct machine m = {.p = p, .next = 1};
    m.truth = arena_array(&arena, p->n_bufs, sizeof *m.truth);
    m.place[DEVICE] = arena_array(&arena, p->n_bufs, sizeof(uint64_t));
    m.place[HOST] = arena_array(&arena, p->n_bufs, sizeof(uint64_t));
    for (size_t i = 0; i < p->n_bufs; i++)
        if (p->bufs[i].role == SHEAF_ROLE_INPUT || p->bufs[i].role == SHEAF_ROLE_STATE)
            write(&m, NULL, program_storage_of(p, (int)i), DEVICE);
    walk(&m, &p->body);
    for (size_t i = 0; i < p->n_bufs; i++) {
        if (p->bufs[i].area != AREA_MUTABLE)
            continue;
        read(&m, NULL, (int)i, DEVICE);
        for (int d = 0; d < p->bufs[i].rank; d++)
            read(&m, NULL, p->bufs[i].extent_buf[d], DEVICE);
    }
}

/* ---- by chance ---- */

static const char straight[] = "graph \"g\" {\n"
                               "  input %x f32 [2,3]\n"
                               "  const %w f32 [3,3] = fill 2\n"
                               "  const %flat i64 [1] = {6}\n"
                               "  %a = matmul (%x, %w)\n"
                               "  %b = softmax (%a)\n"
                               "  %d = matmul (%b, %w)\n"
                               "  %e = add (%d, %a)\n"
                               "  %f = reshape (%e, %flat)\n"
                               "  %z i64 [1,6:%n], %n i64 [] = non_zero (%f)\n"
                               "  %y = softmax (%e)\n"
                               "  %u = matmul (%y, %w)\n"
                               "  return %u, %z, %y, %f\n"
                               "}\n";

static const char branches[] = "graph \"g\" {\n"
                               "  input %c bool []\n"
                               "  input %x f32 [2,2]\n"
                               "  state %seed u64 [2]\n"
                               "  %r = random_uniform (%seed) {shape=[2,2]}\n"
                               "  %a = add (%x, %r)\n"
                               "  %n = not (%c)\n"
                               "  %p, %q = if (%c) do () {\n"
                               "    %t = matmul (%a, %x)\n"
                               "    %s = softmax (%t)\n"
                               "    return %s, %t\n"
                               "  } do () {\n"
                               "    %v = if (%n) do () {\n"
                               "      %k = matmul (%x, %x)\n"
                               "      return %k\n"
                               "    } do () {\n"
                               "      %o = softmax (%a)\n"
                               "      return %o\n"
                               "    }\n"
                               "    return %v, %a\n"
                               "  }\n"
                               "  %y = matmul (%p, %q)\n"
                               "  %w = softmax (%a)\n"
                               "  return %y, %w\n"
                               "}\n";

static const char loops[] =
    "graph \"g\" {\n"
    "  input %m i64 []\n"
    "  input %x f32 [2,2]\n"
    "  const %two i64 [] = {2}\n"
    "  %h = softmax (%x)\n"
    "  %p, %q, %all f32 [5:%k,2,2], %k i64 [] = loop (%m, _, %x, %h) do (%i i64 [], %c bool [], "
    "%v f32 [2,2], %u f32 [2,2]) {\n"
    "    %f = cast (%i) {to=1}\n"
    "    %a = add (%v, %f)\n"
    "    %b = matmul (%a, %h)\n"
    "    %w = loop (%two, _, %b) do (%j i64 [], %e bool [], %g f32 [2,2]) {\n"
    "      %l = softmax (%g)\n"
    "      %o = matmul (%l, %a)\n"
    "      return %e, %o\n"
    "    }\n"
    "    %d = matmul (%w, %u)\n"
    "    return %c, %d, %v, %a\n"
    "  }\n"
    "  %y = matmul (%p, %q)\n"
    "  return %y, %all\n"
    "}\n";

static const char states[] = "graph \"g\" {\n"
                             "  input %m i64 []\n"
                             "  input %x f32 [4]\n"
                             "  state %seed u64 [2]\n"
                             "  %a = random_uniform (%seed) {shape=[4]}\n"
                             "  %b = random_uniform (%seed) {shape=[4]}\n"
                             "  %p = loop (%m, _, %x) do (%i i64 [], %c bool [], %v f32 [4]) {\n"
                             "    %d = random_uniform (%seed) {shape=[4]}\n"
                             "    %w = add (%v, %d)\n"
                             "    %e = random_uniform (%seed) {shape=[4]}\n"
                             "    %u = add (%w, %e)\n"
                             "    return %c, %u\n"
                             "  }\n"
                             "  %f = random_uniform (%seed) {shape=[4]}\n"
                             "  return %a, %b, %p, %f\n"
                             "}\n";

static void try_by_chance(const char *text)
{
    enum { TRIES = 120, RUNS = 6 };
    for (uint32_t i = 0; i < TRIES; i++) {
        chance = i;
        uint32_t one_in = 1 + i % 4;
        struct graph *g = parse(text);
        graph_each_block(g, place_by_chance, &one_in);
        const struct program *p = plan(g, i % 5 == 0);
        for (int k = 0; k < RUNS; k++)
            run(p);
    }
}

static void test_straight(void **state)
{
    (void)state;
    try_by_chance(straight);
}

static void test_branches(void **state)
{
    (void)state;
    try_by_chance(branches);
}

static void test_loops(void **state)
{
    (void)state;
    try_by_chance(loops);
}

static void test_states(void **state)
{
    (void)state;
    try_by_chance(states);
}

/* ---- no more than is needed ---- */

static const char *steps_of(const struct program *p)
{
    struct strbuf text;
    strbuf_init(&text, &arena);
    program_print(p, &text);
    return strstr(strbuf_text(&text), "\ns0 ") + 1;
}

static void expect_steps(const char *graph, const char *want)
{
    const struct program *p = plan(parse(graph), false);
    run(p);
    support_assert_same_text("steps", steps_of(p), want);
}

/* What the next step on the host reads stays there; a constant is there already. */
static void test_neighbours(void **state)
{
    (void)state;
    expect_steps("graph \"g\" {\n"
                 "  input %x f32 [2,2]\n"
                 "  const %w f32 [2,2] = fill 2\n"
                 "  %a = neg (%x)\n"
                 "  %b = matmul (%a, %w) host\n"
                 "  %c = matmul (%b, %x) host\n"
                 "  %d = matmul (%b, %a) host\n"
                 "  %y = sub (%c, %d)\n"
                 "  return %y\n"
                 "}\n",
                 "s0 \"a\" (b0 -> b2)\n"
                 "s1 \"b\" (b2, b3 -> b4) on the host, fetches b2\n"
                 "s2 \"c\" (b4, b0 -> b5) on the host, fetches b0, brings b5\n"
                 "s3 \"d\" (b4, b2 -> b6) on the host, brings b6\n"
                 "s4 \"y\" (b5, b6 -> b1)\n");
}

/* A branch that the device takes part in changes what the host has. */
static void test_copies_around_branches(void **state)
{
    (void)state;
    expect_steps("graph \"g\" {\n"
                 "  input %c bool []\n"
                 "  input %x f32 [2,2]\n"
                 "  %a = softmax (%x) host\n"
                 "  %p = if (%c) do () {\n"
                 "    %s = matmul (%a, %x) host\n"
                 "    return %s\n"
                 "  } do () {\n"
                 "    %t = matmul (%x, %a)\n"
                 "    return %t\n"
                 "  }\n"
                 "  %b = matmul (%p, %a) host\n"
                 "  return %b\n"
                 "}\n",
                 "s0 \"a\" (b1 -> b3) on the host, fetches b1, brings b3\n"
                 "s1 \"p\" if b0 {\n"
                 "s2     \"s\" (b3, b1 -> b4) on the host, brings b4\n"
                 "} else {\n"
                 "s3     \"t\" (b1, b3 -> b4)\n"
                 "}\n"
                 "s4 \"b\" (b4, b3 -> b2) on the host, fetches b4, brings b2\n");
}

/* With all kept, all is on the device in the end. */
static void test_keep_all(void **state)
{
    (void)state;
    const struct program *p = plan(parse("graph \"g\" {\n"
                                         "  input %x f32 [2,2]\n"
                                         "  %a = softmax (%x) host\n"
                                         "  %y = softmax (%a) host\n"
                                         "  return %y\n"
                                         "}\n"),
                                   true);
    support_assert_same_text("steps", steps_of(p),
                             "s0 \"a\" (b0 -> b2) on the host, fetches b0, brings b2\n"
                             "s1 \"y\" (b2 -> b1) on the host, brings b1\n");
}

/* Where lives do not meet, buffers share storage there as they do on the device. */
static void test_area(void **state)
{
    (void)state;
    const struct program *p = plan(parse("graph \"g\" {\n"
                                         "  input %x f32 [64]\n"
                                         "  %a = softmax (%x) host\n"
                                         "  %b = softmax (%a) host\n"
                                         "  %c = softmax (%b) host\n"
                                         "  %d = softmax (%c) host\n"
                                         "  %y = neg (%d)\n"
                                         "  return %y\n"
                                         "}\n"),
                                   false);
    assert_int_equal(p->host_bytes, 2 * 64 * 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_straight), TEST(test_branches),   TEST(test_loops),
        TEST(test_states),   TEST(test_neighbours), TEST(test_copies_around_branches),
        TEST(test_keep_all), TEST(test_area),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
