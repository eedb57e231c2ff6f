/*
 * test_program.c: graphs become programs that are valid and compute the right numbers (by the
 * evaluator).
 */
#include "tests/ir/program_run.h"

/* ---- kernels and buffers ---- */

static void test_chain(void **state)
{
    (void)state;
    struct run r = prepare("graph \"g\" {\n"
                           "  input %x f32 [4]\n"
                           "  const %c f32 [4] = {1, 2, 3, 4}\n"
                           "  %a f32 [4] = add (%x, %c)\n"
                           "  %b f32 [4] = neg (%a)\n"
                           "  %y f32 [4] = add (%a, %b)\n"
                           "  %z f32 [4] = sub (%b, %x)\n"
                           "  return %y, %z\n"
                           "}\n");
    assert_int_equal(r.p->body.n, 4);
    assert_int_equal(r.p->n_steps, 4);
    assert_int_equal(find(r.p, "x", SHEAF_ROLE_INPUT)->offset, 0);
    assert_int_equal(find(r.p, "y", SHEAF_ROLE_OUTPUT)->offset, 64);
    assert_int_equal(find(r.p, "z", SHEAF_ROLE_OUTPUT)->offset, 128);
    assert_int_equal(r.p->area_bytes[AREA_MUTABLE], 192);
    assert_int_equal(r.p->area_bytes[AREA_CONSTANT], 64);
    assert_int_equal(r.p->area_bytes[AREA_ACTIVATION], 128);
    assert_int_equal(r.p->peak_live_bytes, 128);
    SET(&r, "x", 10, 20, 30, 40);
    execute(&r);
    EXPECT(&r, "y", 0, 0, 0, 0);
    EXPECT(&r, "z", -21, -42, -63, -84);
}

/* A region is one kernel, and what only it uses is no buffer of the program. */
static void test_region(void **state)
{
    (void)state;
    struct run r = prepare("graph \"g\" {\n"
                           "  input %x f32 [4]\n"
                           "  %a f32 [4] = neg (%x) region 1\n"
                           "  %b f32 [4] = add (%a, %x) region 1\n"
                           "  %y f32 [4] = sub (%b, %a) region 1\n"
                           "  %z f32 [4] = abs (%b)\n"
                           "  return %y, %z\n"
                           "}\n");
    assert_int_equal(r.p->body.n, 2);
    assert_string_equal(r.p->body.step[0]->name, "a+b+y");
    for (size_t i = 0; i < r.p->n_bufs; i++)
        assert_string_not_equal(r.p->bufs[i].name, "a");
    SET(&r, "x", 1, -2, 3, -4);
    execute(&r);
    EXPECT(&r, "y", 1, -2, 3, -4);
    EXPECT(&r, "z", 0, 0, 0, 0);
}

/* What a kernel does not read is no argument: the shape of a Reshape. */
static void test_unused_constant(void **state)
{
    (void)state;
    struct program *p = build("graph \"g\" {\n"
                              "  input %x f32 [2,2]\n"
                              "  const %shape i64 [1] = {4}\n"
                              "  %y f32 [4] = reshape (%x, %shape)\n"
                              "  return %y\n"
                              "}\n");
    for (size_t i = 0; i < p->n_bufs; i++)
        assert_int_not_equal(p->bufs[i].area, AREA_CONSTANT);
    assert_int_equal(p->body.step[0]->kernel->n_bufs, 2);
}

static void test_views(void **state)
{
    (void)state;
    struct run r = prepare("graph \"g\" {\n"
                           "  input %x f32 [2,2]\n"
                           "  const %flat i64 [1] = {4}\n"
                           "  const %tall i64 [2] = {4, 1}\n"
                           "  %a f32 [2,2] = neg (%x)\n"
                           "  %v f32 [4] = reshape (%a, %flat)\n"
                           "  %w f32 [4,1] = reshape (%v, %tall)\n"
                           "  %u f32 [4] = reshape (%x, %flat)\n"
                           "  %big f32 [4] = exp (%u)\n"
                           "  %more f32 [4] = abs (%big)\n"
                           "  %y f32 [4,1] = add (%w, %w)\n"
                           "  %z f32 [4] = add (%u, %more)\n"
                           "  %o f32 [4] = reshape (%a, %flat)\n"
                           "  return %y, %o\n"
                           "}\n");
    const struct program *p = r.p;
    int a = -1;
    for (size_t i = 0; i < p->n_bufs; i++) {
        const struct pbuf *b = &p->bufs[i];
        if (strcmp(b->name, "a") == 0)
            a = (int)i;
        else if (strcmp(b->name, "v") == 0)
            assert_int_equal(b->view_of, a);
        else if (strcmp(b->name, "u") == 0)
            assert_int_equal(b->area, AREA_MUTABLE);
        else if (strcmp(b->name, "o") == 0) /* the client's own storage: copied */
            assert_int_equal(b->view_of, -1);
    }
    SET(&r, "x", 1, 2, 3, 4);
    execute(&r);
    EXPECT(&r, "y", -2, -4, -6, -8);
    EXPECT(&r, "o", -1, -2, -3, -4);
}

static void test_outputs_that_are_not_made(void **state)
{
    (void)state;
    struct run r = prepare("graph \"g\" {\n"
                           "  input %x f32 [2]\n"
                           "  const %c f32 [2] = {5, 6}\n"
                           "  %y f32 [2] = neg (%x)\n"
                           "  return %x, %c, %y, %y\n"
                           "}\n");
    SET(&r, "x", 1, 2);
    execute(&r);
    EXPECT(&r, "x", 1, 2);
    EXPECT(&r, "c", 5, 6);
    EXPECT(&r, "y", -1, -2);
    size_t outputs = 0;
    for (size_t i = 0; i < r.p->n_bufs; i++)
        if (r.p->bufs[i].area == AREA_MUTABLE && r.p->bufs[i].role == SHEAF_ROLE_OUTPUT) {
            float v;
            memcpy(&v, r.area[AREA_MUTABLE] + r.p->bufs[i].offset, sizeof v);
            static const float want[] = {1, 5, -1, -1};
            assert_true(v == want[outputs++]);
        }
    assert_int_equal(outputs, 4);
}

static void test_packed_constant(void **state)
{
    (void)state;
    struct program *p = build("graph \"g\" {\n"
                              "  input %x f32 [2,3]\n"
                              "  const %c f32 [2,3] = {1, 2, 3, 4, 5, 6}\n"
                              "  %y f32 [2,3] = add (%x, %c)\n"
                              "  return %y\n"
                              "}\n");
    struct step *s = p->body.step[0];
    for (size_t i = 0; i < s->kernel->n_bufs; i++)
        if (s->kernel->bufs[i].constant) {
            struct layout l = layout_permuted(2, (const int[]){1, 0});
            l = layout_blocked(l, 0, 4);
            s->kernel->bufs[i].layout = p->bufs[s->args[i]].layout = l;
        }
    plan_program(p, false);
    assert_int_equal(p->area_bytes[AREA_CONSTANT], 64);
    struct run r = make_run(p);
    const float *c = (const float *)(const void *)r.area[AREA_CONSTANT];
    static const float want[12] = {1, 4, 0, 0, 2, 5, 0, 0, 3, 6, 0, 0};
    assert_memory_equal(c, want, sizeof want);
    SET(&r, "x", 10, 20, 30, 40, 50, 60);
    execute(&r);
    EXPECT(&r, "y", 11, 22, 33, 44, 55, 66);
}

static void test_state(void **state)
{
    (void)state;
    struct run r = prepare("graph \"g\" {\n"
                           "  state %seed u64 [2]\n"
                           "  %y f32 [4] = random_uniform (%seed) {shape=[4]}\n"
                           "  return %y\n"
                           "}\n");
    const struct pbuf *seed = find(r.p, "seed", SHEAF_ROLE_STATE);
    assert_int_equal(seed->area, AREA_MUTABLE);
    float first[4], second[4];
    execute(&r);
    memcpy(first, data(&r, "y", SHEAF_ROLE_OUTPUT), sizeof first);
    execute(&r);
    memcpy(second, data(&r, "y", SHEAF_ROLE_OUTPUT), sizeof second);
    assert_memory_not_equal(first, second, sizeof first);
    memset(r.area[AREA_MUTABLE] + seed->offset, 0, (size_t)seed->bytes);
    execute(&r);
    assert_memory_equal(first, data(&r, "y", SHEAF_ROLE_OUTPUT), sizeof first);
}

/* The count outlives everything, though kernels follow that could use its place. */
static void test_extents(void **state)
{
    (void)state;
    struct run r = prepare("graph \"g\" {\n"
                           "  input %x f32 [6]\n"
                           "  %z i64 [1,6:%n], %n i64 [] = non_zero (%x)\n"
                           "  %a f32 [6] = neg (%x)\n"
                           "  %b f32 [6] = neg (%a)\n"
                           "  %c f32 [6] = neg (%b)\n"
                           "  %y f32 [6] = neg (%c)\n"
                           "  return %z, %y, %n\n"
                           "}\n");
    SET(&r, "x", 0, 7, 0, 0, 8, 9);
    execute(&r);
    assert_int_equal(extent(&r, "z", 1), 3);
    static const int64_t want[3] = {1, 4, 5};
    assert_memory_equal(data(&r, "z", SHEAF_ROLE_OUTPUT), want, sizeof want);
    assert_memory_equal(data(&r, "n", SHEAF_ROLE_OUTPUT), &(int64_t){3}, 8);
    EXPECT(&r, "y", 0, 7, 0, 0, 8, 9);
}

/* ---- If ---- */

static void test_if(void **state)
{
    (void)state;
    struct run r = prepare("graph \"g\" {\n"
                           "  input %c bool []\n"
                           "  input %x f32 [2]\n"
                           "  %a f32 [2] = neg (%x)\n"
                           "  %p f32 [2], %q f32 [2] = if (%c) do () {\n"
                           "    %t f32 [2] = add (%a, %x)\n"
                           "    %s f32 [2] = sub (%t, %x)\n"
                           "    return %s, %s\n"
                           "  } do () {\n"
                           "    return %x, %a\n"
                           "  }\n"
                           "  %y f32 [2] = add (%p, %p)\n"
                           "  return %y, %q\n"
                           "}\n");
    const struct step *s = r.p->body.step[1];
    assert_int_equal(s->kind, STEP_IF);
    assert_int_equal(s->bodies[0].n, 3); /* p in place, q copied */
    assert_int_equal(s->bodies[1].n, 2);
    SET(&r, "x", 1, 2);
    set_bool(&r, "c", true);
    execute(&r);
    EXPECT(&r, "y", -2, -4);
    EXPECT(&r, "q", -1, -2);
    set_bool(&r, "c", false);
    execute(&r);
    EXPECT(&r, "y", 2, 4);
    EXPECT(&r, "q", -1, -2);
}

static void test_if_with_two_shapes(void **state)
{
    (void)state;
    struct run r = prepare("graph \"g\" {\n"
                           "  input %c bool []\n"
                           "  input %x f32 [2]\n"
                           "  input %w f32 [3]\n"
                           "  %y f32 [3:%n], %n i64 [] = if (%c) do () {\n"
                           "    %t f32 [2] = neg (%x)\n"
                           "    return %t\n"
                           "  } do () {\n"
                           "    return %w\n"
                           "  }\n"
                           "  return %y\n"
                           "}\n");
    SET(&r, "x", 1, 2);
    SET(&r, "w", 5, 6, 7);
    set_bool(&r, "c", true);
    execute(&r);
    assert_int_equal(extent(&r, "y", 0), 2);
    EXPECT(&r, "y", -1, -2);
    set_bool(&r, "c", false);
    execute(&r);
    assert_int_equal(extent(&r, "y", 0), 3);
    EXPECT(&r, "y", 5, 6, 7);
}

/* ---- Loop ---- */

/* A value from around the loop is read in every round, after others were made and died. */
static void test_loop_captures(void **state)
{
    (void)state;
    struct run r = prepare("graph \"g\" {\n"
                           "  input %m i64 []\n"
                           "  input %x f32 [4]\n"
                           "  %k f32 [4] = neg (%x)\n"
                           "  %last f32 [4] = loop (%m, _, %x) do (%i i64 [], %c bool [], %v f32 "
                           "[4]) {\n"
                           "    %a f32 [4] = add (%v, %k)\n"
                           "    %b f32 [4] = sub (%a, %x)\n"
                           "    %d f32 [4] = neg (%b)\n"
                           "    %e f32 [4] = neg (%d)\n"
                           "    return %c, %e\n"
                           "  }\n"
                           "  return %last\n"
                           "}\n");
    SET(&r, "x", 1, 2, 3, 4);
    set_int(&r, "m", 3);
    execute(&r);
    EXPECT(&r, "last", -5, -10, -15, -20);
    set_int(&r, "m", 0);
    execute(&r);
    EXPECT(&r, "last", 1, 2, 3, 4);
    set_int(&r, "m", -4);
    execute(&r);
    EXPECT(&r, "last", 1, 2, 3, 4);
}

/* Next values that are other carried values, a view of one, and itself. */
static void test_loop_swaps(void **state)
{
    (void)state;
    struct run r = prepare(
        "graph \"g\" {\n"
        "  input %m i64 []\n"
        "  input %x f32 [2]\n"
        "  input %w f32 [2]\n"
        "  input %h f32 [2]\n"
        "  const %flat i64 [1] = {2}\n"
        "  %p f32 [2], %q f32 [2], %s f32 [2], %o f32 [2] = loop (%m, _, %x, %w, %x, %h) do (%i "
        "i64 [], %c bool [], %a f32 [2], %b f32 [2], %d f32 [2], %e f32 [2]) {\n"
        "    %v f32 [2] = reshape (%a, %flat)\n"
        "    return %c, %b, %v, %a, %e\n"
        "  }\n"
        "  return %p, %q, %s, %o\n"
        "}\n");
    SET(&r, "x", 1, 2);
    SET(&r, "w", 3, 4);
    SET(&r, "h", 8, 9);
    set_int(&r, "m", 3);
    execute(&r);
    EXPECT(&r, "p", 3, 4);
    EXPECT(&r, "q", 1, 2);
    EXPECT(&r, "s", 1, 2);
    EXPECT(&r, "o", 8, 9);
}

/* Stops by its condition; stacks the value before each round; counts the rounds. */
static void test_loop_scans(void **state)
{
    (void)state;
    struct run r = prepare(
        "graph \"g\" {\n"
        "  const %m i64 [] = {5}\n"
        "  const %yes bool [] = {1}\n"
        "  input %x f32 [2]\n"
        "  const %limit f32 [] = {20}\n"
        "  const %zero i64 [] = {0}\n"
        "  %last f32 [2], %all f32 [5:%n,2], %n i64 [] = loop (%m, %yes, %x) do (%i i64 [], %c "
        "bool [], %v f32 [2]) {\n"
        "    %w f32 [2] = add (%v, %v)\n"
        "    %first f32 [] = gather (%w, %zero)\n"
        "    %go bool [] = less (%first, %limit)\n"
        "    return %go, %w, %v\n"
        "  }\n"
        "  return %last, %all\n"
        "}\n");
    SET(&r, "x", 5, 1);
    execute(&r);
    EXPECT(&r, "last", 20, 4);
    assert_int_equal(extent(&r, "all", 0), 2);
    EXPECT(&r, "all", 5, 1, 10, 2);
    SET(&r, "x", 0, 1);
    execute(&r);
    assert_int_equal(extent(&r, "all", 0), 5);
    EXPECT(&r, "all", 0, 1, 0, 2, 0, 4, 0, 8, 0, 16);
}

/* More rounds than the model declares room for: the rest is dropped, nothing is overwritten. */
static void test_loop_scans_beyond_bound(void **state)
{
    (void)state;
    struct run r =
        prepare("graph \"g\" {\n"
                "  input %m i64 []\n"
                "  input %x f32 [16]\n"
                "  %all f32 [2:%n,16], %n i64 [] = loop (%m, _) do (%i i64 [], %c bool []) {\n"
                "    %v f32 [16] = neg (%x)\n"
                "    return %c, %v\n"
                "  }\n"
                "  %y f32 [16] = abs (%x)\n"
                "  return %all, %y\n"
                "}\n");
    float x[16] = {1};
    set(&r, "x", x, 16);
    set_int(&r, "m", 100);
    execute(&r);
    assert_int_equal(extent(&r, "all", 0), 2);
    EXPECT(&r, "y", 1, 0);
    set_int(&r, "m", 1);
    execute(&r);
    assert_int_equal(extent(&r, "all", 0), 1);
    EXPECT(&r, "all", -1, 0);
}

static void test_nested(void **state)
{
    (void)state;
    struct run r = prepare(
        "graph \"g\" {\n"
        "  const %m i64 [] = {3}\n"
        "  const %two i64 [] = {2}\n"
        "  input %x f32 [2]\n"
        "  input %c bool []\n"
        "  %last f32 [2], %rows f32 [3,2,2] = loop \"outer\" (%m, _, %x) do (%i i64 [], %c1 bool "
        "[], %v f32 [2]) {\n"
        "    %k f32 [2] = neg (%x)\n"
        "    %w f32 [2], %inner f32 [2,2] = loop \"inner\" (%two, _, %v) do (%j i64 [], %c2 bool "
        "[], %u f32 [2]) {\n"
        "      %s f32 [2] = sub (%u, %k)\n"
        "      return %c2, %s, %u\n"
        "    }\n"
        "    %z f32 [2] = if (%c) do () {\n"
        "      %t f32 [2] = add (%w, %k)\n"
        "      return %t\n"
        "    } do () {\n"
        "      return %w\n"
        "    }\n"
        "    return %c1, %z, %inner\n"
        "  }\n"
        "  return %last, %rows\n"
        "}\n");
    SET(&r, "x", 1, 2);
    set_bool(&r, "c", true);
    execute(&r);
    EXPECT(&r, "last", 4, 8);
    EXPECT(&r, "rows", 1, 2, 2, 4, 2, 4, 3, 6, 3, 6, 4, 8);
    set_bool(&r, "c", false);
    execute(&r);
    EXPECT(&r, "last", 7, 14);
    EXPECT(&r, "rows", 1, 2, 2, 4, 3, 6, 4, 8, 5, 10, 6, 12);
}

/* ---- text ---- */

static void test_print(void **state)
{
    (void)state;
    struct run r = prepare("graph \"g\" {\n"
                           "  input %m i64 []\n"
                           "  input %x f32 [2]\n"
                           "  const %one f32 [2] = {1, 2}\n"
                           "  %last f32 [2] = loop \"L\" (%m, _, %x) do (%i i64 [], %c bool [], %v "
                           "f32 [2]) {\n"
                           "    %w f32 [2] = add (%v, %one)\n"
                           "    return %c, %w\n"
                           "  }\n"
                           "  return %last\n"
                           "}\n");
    struct strbuf text;
    strbuf_init(&text, &arena);
    program_print(r.p, &text);
    assert_string_equal(strbuf_text(&text),
                        "program \"g\": constants 64, mutable 192, activations 128 of at least 128 "
                        "bytes\n"
                        "b0 \"m\" i64[] plain mutable input @0 8 bytes\n"
                        "b1 \"x\" f32[2] plain mutable input @64 8 bytes\n"
                        "b2 \"last\" f32[2] plain mutable output @128 8 bytes\n"
                        "b3 \"i\" i64[] plain activation @0 8 bytes\n"
                        "b4 \"one\" f32[2] plain constant @0 8 bytes\n"
                        "b5 \"w\" f32[2] plain activation @64 8 bytes\n"
                        "s0 \"copy\" (b1 -> b2)\n"
                        "s1 \"L\" loop trip b0 index b3 {\n"
                        "s2     \"w\" (b2, b4 -> b5)\n"
                        "s3     \"copy\" (b5 -> b2)\n"
                        "}\n");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_chain),
        TEST(test_region),
        TEST(test_unused_constant),
        TEST(test_views),
        TEST(test_outputs_that_are_not_made),
        TEST(test_packed_constant),
        TEST(test_state),
        TEST(test_extents),
        TEST(test_if),
        TEST(test_if_with_two_shapes),
        TEST(test_loop_captures),
        TEST(test_loop_swaps),
        TEST(test_loop_scans),
        TEST(test_loop_scans_beyond_bound),
        TEST(test_nested),
        TEST(test_print),
    };
    return cmocka_run_group_tests_name("ir/program", tests, NULL, NULL);
}
