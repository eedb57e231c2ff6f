/*
 * test_program_phases.c: kernels split into phases compute what they computed whole (by the
 * evaluator), in as many calls as there is to wait for.
 */
#include "tests/ir/program_run.h"

/* A program of one call: the kernel's inputs and outputs are the client's. */
static struct program *of_kernel(const char *text)
{
    struct kernel *k = kernel_parse(&arena, text, &err);
    if (!k || !kernel_validate(k, &err))
        fail_msg("%s", err.text);
    struct program *p = arena_new(&arena, struct program);
    *p = (struct program){.arena = &arena, .name = k->name};
    struct step *s = arena_new(&arena, struct step);
    *s = (struct step){.kind = STEP_CALL, .name = k->name, .kernel = k};
    s->cond = s->trip = s->index = -1;
    s->args = arena_array(&arena, k->n_bufs, sizeof *s->args);
    for (size_t i = 0; i < k->n_bufs; i++) {
        const struct kbuf *from = &k->bufs[i];
        struct pbuf b = {.name = from->name, .dtype = from->dtype, .rank = from->rank};
        memcpy(b.dims, from->dims, sizeof b.dims);
        memcpy(b.extent_buf, from->extent_buf, sizeof b.extent_buf);
        b.layout = from->layout;
        b.view_of = -1;
        b.bytes = dtype_bytes(b.dtype, layout_elems(&b.layout, b.dims));
        b.area = from->role == KBUF_LOCAL ? AREA_ACTIVATION : AREA_MUTABLE;
        if (from->role != KBUF_LOCAL)
            b.role = from->role == KBUF_IN ? SHEAF_ROLE_INPUT : SHEAF_ROLE_OUTPUT;
        ARENA_PUSH(&arena, p->bufs, p->n_bufs, p->cap_bufs) = b;
        s->args[i] = (int)i;
    }
    ARENA_PUSH(&arena, p->body.step, p->body.n, p->body.cap) = s;
    p->n_steps = 1;
    return p;
}

static struct run run_of(struct program *p)
{
    plan_program(p, false);
    struct run r = make_run(p);
    for (size_t i = 0; i < p->n_bufs; i++) {
        const struct pbuf *b = &p->bufs[i];
        if (b->role != SHEAF_ROLE_INPUT || b->area != AREA_MUTABLE)
            continue;
        struct tensor t = {.dtype = b->dtype, .rank = b->rank, .data = r.area[b->area] + b->offset};
        memcpy(t.dims, b->dims, sizeof t.dims);
        for (int64_t e = 0; e < tensor_elems(&t); e++)
            tensor_set(&t, e, (double)((e * 37 + 11) % 64 - 31) / 16);
    }
    execute(&r);
    return r;
}

/* The split program's outputs are those of the whole one, to the bit; out_steps: its calls. */
static struct program *split(const char *text, int64_t least_work)
{
    struct run want = run_of(of_kernel(text));
    struct program *p = of_kernel(text);
    program_split_phases(p, least_work);
    struct run got = run_of(p);
    for (size_t i = 0; i < want.p->n_bufs; i++) {
        const struct pbuf *a = &want.p->bufs[i], *b = &got.p->bufs[i];
        if (a->area != AREA_MUTABLE)
            continue;
        assert_string_equal(a->name, b->name);
        assert_memory_equal(want.area[a->area] + a->offset, got.area[b->area] + b->offset,
                            (size_t)a->bytes);
    }
    return p;
}

static const char two_maps[] = "kernel \"k\" {\n"
                               "  in @0 \"x\": f32[8,4] plain\n"
                               "  out @1 \"y\": f32[8,4] plain\n"
                               "  local @2 \"t\": f32[8,4] plain\n"
                               "  map %0 (%1 < 8, %2 < 4) {\n"
                               "    %3 = load @0[%1, %2]\n"
                               "    %4 = mul %3, %3\n"
                               "    store @2[%1, %2] = %4\n"
                               "  }\n"
                               "  map %5 (%6 < 8, %7 < 4) {\n"
                               "    %8 = sub 7, %6\n"
                               "    %9 = load @2[%8, %7]\n"
                               "    store @1[%6, %7] = %9\n"
                               "  }\n"
                               "}\n";

static void test_two_maps(void **state)
{
    (void)state;
    struct program *p = split(two_maps, 1);
    assert_int_equal(p->body.n, 2);
    assert_int_equal(p->body.step[0]->kernel->n_bufs, 2);
    assert_int_equal(p->body.step[0]->kernel->bufs[1].role, KBUF_OUT);
    assert_int_equal(p->body.step[1]->kernel->n_bufs, 2);
}

/* What is small stays one call. */
static void test_small(void **state)
{
    (void)state;
    assert_int_equal(split(two_maps, 1000)->body.n, 1);
}

/* The sum goes through memory; what depends on it alone is computed where it is used. */
static void test_value_between(void **state)
{
    (void)state;
    struct program *p = split("kernel \"k\" {\n"
                              "  in @0 \"x\": f32[64] plain\n"
                              "  out @1 \"y\": f32[64] plain\n"
                              "  out @2 \"z\": f32[64] plain\n"
                              "  %0 = reduce add (%1 < 64) from (0.0) {\n"
                              "    %2 = load @0[%1]\n"
                              "    yield %2\n"
                              "  }\n"
                              "  %3 = mul %0, 0.25\n"
                              "  map %4 (%5 < 64) {\n"
                              "    %6 = load @0[%5]\n"
                              "    %7 = sub %6, %3\n"
                              "    store @1[%5] = %7\n"
                              "  }\n"
                              "  map %8 (%9 < 64) {\n"
                              "    %10 = load @1[%9]\n"
                              "    %11 = mul %10, %0\n"
                              "    store @2[%9] = %11\n"
                              "  }\n"
                              "}\n",
                              32);
    assert_int_equal(p->body.n, 3);
}

/* A loop of steps that each wait for the one before, with a carried value and a state in a buffer.
 */
static void test_loop(void **state)
{
    (void)state;
    struct program *p = split("kernel \"k\" {\n"
                              "  in @0 \"x\": f32[3,64] plain\n"
                              "  out @1 \"h\": f32[64] plain\n"
                              "  out @2 \"total\": f32[] plain\n"
                              "  local @3 \"g\": f32[64] plain\n"
                              "  map %0 (%1 < 64) {\n"
                              "    store @1[%1] = 1.0\n"
                              "  }\n"
                              "  %2 = loop (%3 < 3) with (%4 = 0.0) {\n"
                              "    map %5 (%6 < 64) {\n"
                              "      %7 = sub 63, %6\n"
                              "      %8 = load @1[%7]\n"
                              "      %9 = load @0[%3, %6]\n"
                              "      %10 = add %8, %9\n"
                              "      store @3[%6] = %10\n"
                              "    }\n"
                              "    map %11 (%12 < 64) {\n"
                              "      %13 = load @3[%12]\n"
                              "      store @1[%12] = %13\n"
                              "    }\n"
                              "    %14 = load @1[%3]\n"
                              "    %15 = add %4, %14\n"
                              "    yield %15\n"
                              "  }\n"
                              "  store @2[] = %2\n"
                              "}\n",
                              32);
    const struct step *loop = NULL;
    for (size_t i = 0; i < p->body.n; i++)
        if (p->body.step[i]->kind == STEP_LOOP)
            loop = p->body.step[i];
    assert_non_null(loop);
    assert_int_equal(tensor_get_int(p->bufs[loop->trip].constant, 0), 3);
}

/* How often a loop runs is found out before it, and read by nobody but the loop. */
static void test_count_at_run_time(void **state)
{
    (void)state;
    struct program *p = split("kernel \"k\" {\n"
                              "  in @0 \"n\": i64[2] plain\n"
                              "  out @1 \"h\": f32[64] plain\n"
                              "  map %0 (%1 < 64) {\n"
                              "    store @1[%1] = 1.0\n"
                              "  }\n"
                              "  %2 = load @0[1]\n"
                              "  %3 = add %2, 2\n"
                              "  loop %4 (%5 < %3) {\n"
                              "    map %6 (%7 < 64) {\n"
                              "      %8 = load @1[%7]\n"
                              "      %9 = add %8, %8\n"
                              "      store @1[%7] = %9\n"
                              "    }\n"
                              "  }\n"
                              "}\n",
                              32);
    const struct step *loop = p->body.step[p->body.n - 1];
    assert_int_equal(loop->kind, STEP_LOOP);
    bool written = false;
    for (size_t i = 0; i + 1 < p->body.n; i++) {
        const struct step *s = p->body.step[i];
        for (size_t b = 0; b < s->kernel->n_bufs; b++)
            written |= s->args[b] == loop->trip && s->kernel->bufs[b].role == KBUF_OUT;
    }
    assert_true(written);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_two_maps),          TEST(test_small), TEST(test_value_between), TEST(test_loop),
        TEST(test_count_at_run_time),
    };
    return cmocka_run_group_tests_name("ir/program_phases", tests, NULL, NULL);
}
