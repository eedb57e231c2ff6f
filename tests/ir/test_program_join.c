/*
 * test_program_join.c: programs on common areas: what is equal lies once, what may meet lies apart,
 * and each program computes what it did alone.
 */
#include "ir/layout.h"
#include "tests/ir/program_run.h"

static struct program *planned(const char *text)
{
    struct program *p = build(text);
    plan_program(p, false);
    return p;
}

static const struct pbuf *constant(const struct program *p, const char *name)
{
    return find(p, name, SHEAF_ROLE_CONSTANT);
}

/* The programs as groups of one each. */
static void join(struct program **p, size_t n, const bool *together)
{
    struct program_group *groups = arena_array(&arena, n, sizeof *groups);
    const bool *none = arena_array(&arena, n * n, sizeof *none);
    for (size_t i = 0; i < n; i++)
        groups[i] = (struct program_group){&p[i], 1};
    program_join(groups, n, together ? together : none, &arena);
    for (size_t i = 0; i < n; i++) {
        check(p[i]);
        for (size_t k = 0; k < p[i]->n_bufs; k++)
            assert_int_equal(p[i]->bufs[k].offset % PROGRAM_ALIGNMENT, 0);
        for (int a = 0; a < AREA_COUNT; a++)
            assert_int_equal(p[i]->area_bytes[a], p[0]->area_bytes[a]);
    }
}

/* ---- constants ---- */

static const char *const first_net = "graph \"first\" {\n"
                                     "  input %x f32 [4]\n"
                                     "  const %w f32 [4] = {1, 2, 3, 4}\n"
                                     "  const %own f32 [4] = {5, 5, 5, 5}\n"
                                     "  %t f32 [4] = add (%x, %w)\n"
                                     "  %y f32 [4] = mul (%t, %own)\n"
                                     "  return %y\n"
                                     "}\n";
static const char *const second_net = "graph \"second\" {\n"
                                      "  input %x f32 [4]\n"
                                      "  const %other f32 [4] = {1, 2, 3, 5}\n"
                                      "  const %same f32 [4] = {1, 2, 3, 4}\n"
                                      "  %t f32 [4] = sub (%x, %other)\n"
                                      "  %y f32 [4] = add (%t, %same)\n"
                                      "  return %y\n"
                                      "}\n";

static void equal_constants_lie_once(void **state)
{
    (void)state;
    struct program *p[2] = {planned(first_net), planned(second_net)};
    join(p, 2, NULL);
    assert_int_equal(constant(p[0], "w")->offset, constant(p[1], "same")->offset);
    assert_int_not_equal(constant(p[0], "w")->offset, constant(p[1], "other")->offset);
    assert_int_not_equal(constant(p[0], "own")->offset, constant(p[1], "other")->offset);
    assert_int_equal(p[0]->area_bytes[AREA_CONSTANT], 3 * PROGRAM_ALIGNMENT);
}

/* Either order of writing gives the area both read. */
static void programs_compute_what_they_did_alone(void **state)
{
    (void)state;
    struct program *p[2] = {planned(first_net), planned(second_net)};
    join(p, 2, NULL);
    uint8_t *weights = arena_alloc(&arena, (size_t)p[0]->area_bytes[AREA_CONSTANT]);
    program_pack_into(p[1], weights);
    program_pack_into(p[0], weights);
    struct run r[2] = {make_run(p[0]), make_run(p[1])};
    for (int i = 0; i < AREA_COUNT; i++)
        r[1].area[i] = r[0].area[i];
    r[0].area[AREA_CONSTANT] = r[1].area[AREA_CONSTANT] = weights;
    SET(&r[0], "x", 1, 1, 1, 1);
    SET(&r[1], "x", 10, 10, 10, 10);
    execute(&r[0]);
    execute(&r[1]);
    EXPECT(&r[0], "y", 10, 15, 20, 25);
    EXPECT(&r[1], "y", 10, 10, 10, 9);
}

static struct pbuf *weight_of(struct program *p)
{
    for (size_t i = 0; i < p->n_bufs; i++)
        if (p->bufs[i].area == AREA_CONSTANT && !p->bufs[i].unused)
            return &p->bufs[i];
    fail_msg("no constant");
    return NULL;
}

/* Equal is what lies in memory: a packing of one may be another's plain tensor. */
static void packings_count(void **state)
{
    (void)state;
    static const char *const text = "graph \"g\" {\n"
                                    "  input %%x f32 [2,2]\n"
                                    "  const %%w f32 [2,2] = {%s}\n"
                                    "  %%y f32 [2,2] = add (%%x, %%w)\n"
                                    "  return %%y\n"
                                    "}\n";
    static const char *const content[4] = {"1, 2, 3, 4", "1, 2, 3, 4", "1, 3, 2, 4", "1, 2, 3, 4"};
    struct layout turned = layout_permuted(2, (int[]){1, 0});
    struct layout blocked = layout_blocked(layout_plain(2), 1, 16);
    struct program *p[4];
    int64_t at[4];
    for (int i = 0; i < 4; i++) {
        p[i] = build(arena_printf(&arena, text, content[i]));
        if (i == 1)
            weight_of(p[i])->layout = turned;
        if (i == 3)
            weight_of(p[i])->layout = blocked;
        plan_program(p[i], false);
    }
    struct program_group groups[4] = {{&p[0], 1}, {&p[1], 1}, {&p[2], 1}, {&p[3], 1}};
    program_join(groups, 4, (bool[16]){false}, &arena);
    for (int i = 0; i < 4; i++)
        at[i] = weight_of(p[i])->offset;
    assert_int_not_equal(at[0], at[1]);
    assert_int_equal(at[1], at[2]);
    assert_int_not_equal(at[3], at[0]);
    assert_int_equal(p[0]->area_bytes[AREA_CONSTANT],
                     2 * PROGRAM_ALIGNMENT + program_align_up(2 * 16 * 4));
}

/* ---- the client's tensors ---- */

static void tensors_of_entries_lie_apart(void **state)
{
    (void)state;
    struct program *p[2] = {planned(first_net), planned(second_net)};
    join(p, 2, NULL);
    int64_t at[4] = {
        find(p[0], "x", SHEAF_ROLE_INPUT)->offset, find(p[0], "y", SHEAF_ROLE_OUTPUT)->offset,
        find(p[1], "x", SHEAF_ROLE_INPUT)->offset, find(p[1], "y", SHEAF_ROLE_OUTPUT)->offset};
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < i; k++)
            assert_int_not_equal(at[i], at[k]);
    assert_int_equal(p[0]->area_bytes[AREA_MUTABLE], 4 * PROGRAM_ALIGNMENT);
}

/* ---- activations ---- */

/* Two activations of n floats are alive at once; one is reached by way of a view. */
static struct program *chain(int n)
{
    return planned(arena_printf(&arena,
                                "graph \"chain\" {\n"
                                "  input %%x f32 [%d]\n"
                                "  const %%to i64 [2] = {1, %d}\n"
                                "  %%a f32 [%d] = neg (%%x)\n"
                                "  %%v f32 [1,%d] = reshape (%%a, %%to)\n"
                                "  %%b f32 [1,%d] = neg (%%v)\n"
                                "  %%y f32 [1,%d] = neg (%%b)\n"
                                "  return %%y\n"
                                "}\n",
                                n, n, n, n, n, n));
}

enum { N_CHAINS = 3 };

/* The bytes of the activations that program i writes. */
static void range_of(const struct program *p, int64_t *out_from, int64_t *out_to)
{
    *out_from = INT64_MAX;
    *out_to = 0;
    for (size_t i = 0; i < p->n_bufs; i++) {
        const struct pbuf *b = &p->bufs[i];
        if (b->area != AREA_ACTIVATION)
            continue;
        *out_from = b->offset < *out_from ? b->offset : *out_from;
        *out_to = b->offset + b->bytes > *out_to ? b->offset + b->bytes : *out_to;
        assert_int_equal(b->offset, p->bufs[program_storage_of(p, (int)i)].offset);
    }
}

static bool overlap(const struct program *p, const struct program *q)
{
    int64_t from[2], to[2];
    range_of(p, &from[0], &to[0]);
    range_of(q, &from[1], &to[1]);
    return from[0] < to[1] && from[1] < to[0];
}

/* The area that chains of 16, 48 and 32 floats need where pairs of `pairs` may run together: 128,
   384 and 256 bytes by themselves. */
static int64_t area_of(const int (*pairs)[2], size_t n_pairs)
{
    static const int length[N_CHAINS] = {16, 48, 32};
    struct program *p[N_CHAINS];
    bool together[N_CHAINS * N_CHAINS] = {false};
    for (int i = 0; i < N_CHAINS; i++)
        p[i] = chain(length[i]);
    for (size_t i = 0; i < n_pairs; i++)
        together[pairs[i][0] * N_CHAINS + pairs[i][1]] =
            together[pairs[i][1] * N_CHAINS + pairs[i][0]] = true;
    join(p, N_CHAINS, together);
    for (int i = 0; i < N_CHAINS; i++)
        for (int k = 0; k < i; k++)
            if (together[i * N_CHAINS + k])
                assert_false(overlap(p[i], p[k]));
    /* Each still computes, with the others' storage full of rubbish. */
    for (int i = 0; i < N_CHAINS; i++) {
        struct run r = make_run(p[i]);
        float x[48], want[48];
        for (int k = 0; k < length[i]; k++) {
            x[k] = (float)(k + i);
            want[k] = -x[k];
        }
        set(&r, "x", x, (size_t)length[i]);
        execute(&r);
        expect(&r, "y", want, (size_t)length[i]);
        int64_t from, to;
        range_of(p[i], &from, &to);
        for (int64_t k = 0; k < p[i]->area_bytes[AREA_ACTIVATION]; k++)
            if (k < from || k >= to)
                assert_int_equal(r.area[AREA_ACTIVATION][k], 0xa5);
    }
    return p[0]->area_bytes[AREA_ACTIVATION];
}

static void activations_follow_the_matrix(void **state)
{
    (void)state;
    static const int none[1][2] = {{0, 0}}, all[3][2] = {{0, 1}, {1, 2}, {0, 2}};
    static const int line[2][2] = {{1, 0}, {0, 2}}, through_the_largest[2][2] = {{0, 1}, {1, 2}};
    static const int small[1][2] = {{0, 2}};
    assert_int_equal(area_of(none, 0), 384);
    assert_int_equal(area_of(all, 3), 128 + 384 + 256);
    assert_int_equal(area_of(through_the_largest, 2), 384 + 256);
    assert_int_equal(area_of(line, 2), 384 + 128);
    assert_int_equal(area_of(small, 1), 384);
}

/* As in a library: weights are common, and nothing else. */
static void entries_with_areas_of_their_own(void **state)
{
    (void)state;
    struct program *p[3] = {planned(first_net), planned(second_net), chain(48)};
    int64_t bytes[3][AREA_COUNT];
    struct program_group groups[3];
    for (size_t i = 0; i < 3; i++) {
        memcpy(bytes[i], p[i]->area_bytes, sizeof bytes[i]);
        groups[i] = (struct program_group){&p[i], 1};
    }
    program_join(groups, 3, NULL, &arena);
    for (size_t i = 0; i < 3; i++) {
        check(p[i]);
        assert_int_equal(p[i]->area_bytes[AREA_CONSTANT], p[0]->area_bytes[AREA_CONSTANT]);
        assert_int_equal(p[i]->area_bytes[AREA_MUTABLE], program_align_up(bytes[i][AREA_MUTABLE]));
        assert_int_equal(p[i]->area_bytes[AREA_ACTIVATION],
                         program_align_up(bytes[i][AREA_ACTIVATION]));
        assert_int_equal(find(p[i], "x", SHEAF_ROLE_INPUT)->offset, 0);
    }
    assert_int_equal(constant(p[0], "w")->offset, constant(p[1], "same")->offset);
}

/* ---- groups ---- */

/* How many elements are not zero; unless `direct`, with activations that live as long. */
static const char *counts(bool direct)
{
    return arena_printf(&arena,
                        "graph \"counts\" {\n"
                        "  input %%x f32 [64]\n"
                        "%s"
                        "  %%where i64 [1,64:%%n], %%n i64 [] = non_zero (%%%s)\n"
                        "  %%y f32 [64] = add (%s)\n"
                        "  return %%where, %%y\n"
                        "}\n",
                        direct ? ""
                               : "  %a f32 [64] = neg (%x)\n"
                                 "  %b f32 [64] = neg (%a)\n",
                        direct ? "x" : "b", direct ? "%x, %x" : "%a, %b");
}

/* A network for two processors, whose plans differ, beside another one. */
static void a_group_has_one_place_for_what_the_client_reads(void **state)
{
    (void)state;
    struct program *variant[2] = {planned(counts(true)), planned(counts(false))};
    struct program *other = chain(48);
    struct program_group groups[2] = {{&other, 1}, {variant, 2}};
    static const bool together[4] = {false, true, true, false};
    int64_t apart[2];
    for (int i = 0; i < 2; i++) {
        const struct pbuf *y = find(variant[i], "where", SHEAF_ROLE_OUTPUT);
        apart[i] = variant[i]->bufs[y->extent_buf[1]].offset;
    }
    assert_int_not_equal(apart[0], apart[1]);
    program_join(groups, 2, together, &arena);
    const struct pbuf *first = NULL;
    for (int i = 0; i < 2; i++) {
        struct run r = make_run(variant[i]);
        assert_false(overlap(variant[i], other));
        float x[64] = {0, 3, 0, 0, 1, 2, 0, 9};
        set(&r, "x", x, 64);
        execute(&r);
        assert_int_equal(extent(&r, "where", 1), 4);
        const struct pbuf *y = find(variant[i], "where", SHEAF_ROLE_OUTPUT);
        const struct pbuf *e = &variant[i]->bufs[y->extent_buf[1]];
        if (first)
            assert_int_equal(e->offset, first->offset);
        first = e;
        for (size_t k = 0; k < variant[i]->n_bufs; k++) {
            const struct pbuf *b = &variant[i]->bufs[k];
            bool is_extent = program_storage_of(variant[i], (int)k) ==
                             program_storage_of(variant[i], y->extent_buf[1]);
            if (b->area == AREA_ACTIVATION && !is_extent)
                assert_true(b->offset + b->bytes <= e->offset ||
                            b->offset >= e->offset + PROGRAM_ALIGNMENT);
        }
    }
    assert_int_equal(variant[0]->area_bytes[AREA_ACTIVATION],
                     variant[1]->area_bytes[AREA_ACTIVATION]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(equal_constants_lie_once, setup, teardown),
        cmocka_unit_test_setup_teardown(programs_compute_what_they_did_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(packings_count, setup, teardown),
        cmocka_unit_test_setup_teardown(tensors_of_entries_lie_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(activations_follow_the_matrix, setup, teardown),
        cmocka_unit_test_setup_teardown(entries_with_areas_of_their_own, setup, teardown),
        cmocka_unit_test_setup_teardown(a_group_has_one_place_for_what_the_client_reads, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
