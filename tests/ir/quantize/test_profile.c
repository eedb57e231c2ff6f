/*
 * Profiles: whose they are, tensors by the names of the model and by Glow's, merging.
 */
#include <stdlib.h>

#include "ir/quantize/profile.h"
#include "tests/ir/quantize/random_values.h"
#include "tests/support/profiles.h"

/* ---- identity ---- */

#define HEAD(batch)                                                                                \
    "graph \"g\" {\n"                                                                              \
    "  input %x f32 [" batch ", 2]\n"                                                              \
    "  input %c bool []\n"
#define CONSTS(batch, w)                                                                           \
    "  const %w f32 [2] = {1, " w "}\n"                                                            \
    "  const %s i64 [2] = {" batch ", 2}\n"
#define BODY(batch, op, inner_name, inner_op)                                                      \
    "  %a f32 [" batch ", 2] = " op " (%x, %w)\n"                                                  \
    "  %r f32 [" batch ", 2] = reshape (%a, %s)\n"                                                 \
    "  %y f32 [" batch ", 2] = if (%c) do () {\n"                                                  \
    "    %" inner_name " f32 [" batch ", 2] = " inner_op " (%r)\n"                                 \
    "    return %" inner_name "\n"                                                                 \
    "  } do () {\n"                                                                                \
    "    return %r\n"                                                                              \
    "  }\n"                                                                                        \
    "  return %y\n"                                                                                \
    "}\n"

static struct profile_identity identity(const char *text)
{
    struct graph *g = graph_parse(&arena, text, &err);
    if (!g)
        fail_msg("%s", err.text);
    struct profile_identity id = profile_identity_of(g);
    assert_true(id.operators != 0 && id.weights != 0);
    return id;
}

static void test_identity(void **state)
{
    (void)state;
    struct profile_identity base =
        identity(HEAD("1") CONSTS("1", "2") BODY("1", "add", "t", "neg"));
    /* Profiles hold these, so they stay.  As a second implementation computes them. */
    assert_true(base.operators == UINT64_C(0x032049882ee123c0) &&
                base.weights == UINT64_C(0xde6f44dd09709df0));

    static const struct {
        const char *text;
        bool operators, weights; /* the same */
    } other[] = {
        /* batch size: shapes, and a constant that holds one */
        {HEAD("8") CONSTS("8", "2") BODY("8", "add", "t", "neg"), true, true},
        {HEAD("1") CONSTS("1", "3") BODY("1", "add", "t", "neg"), true, false},
        {HEAD("1") CONSTS("1", "2") BODY("1", "sub", "t", "neg"), false, true},
        {HEAD("1") CONSTS("1", "2") BODY("1", "add", "u", "neg"), false, true},
        {HEAD("1") CONSTS("1", "2") BODY("1", "add", "t", "abs"), false, true},
    };
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        struct profile_identity id = identity(other[i].text);
        assert_int_equal(id.operators == base.operators, other[i].operators);
        assert_int_equal(id.weights == base.weights, other[i].weights);
    }
}

static void test_identity_of_blocks(void **state)
{
    (void)state;
    /* The same nodes, of which one is inside in one graph and after the If in the other. */
    struct profile_identity in = identity("graph \"g\" {\n  input %x f32 [2]\n  input %c bool []\n"
                                          "  %y f32 [2] = if (%c) do () {\n"
                                          "    return %x\n"
                                          "  } do () {\n"
                                          "    %z f32 [2] = neg (%x)\n"
                                          "    return %x\n"
                                          "  }\n"
                                          "  return %y\n}\n");
    struct profile_identity out = identity("graph \"g\" {\n  input %x f32 [2]\n  input %c bool []\n"
                                           "  %y f32 [2] = if (%c) do () {\n"
                                           "    return %x\n"
                                           "  } do () {\n"
                                           "    return %x\n"
                                           "  }\n"
                                           "  %z f32 [2] = neg (%x)\n"
                                           "  return %y\n}\n");
    assert_true(in.operators != out.operators);
}

/* ---- profiles ---- */

static struct profile *new_profile(uint64_t operators, uint64_t weights)
{
    struct profile *p = arena_new(&arena, struct profile);
    p->model = "net";
    p->processor = "znver4";
    p->identity = (struct profile_identity){operators, weights};
    p->samples = 2;
    return p;
}

static struct profile *named_profile(bool from_glow, const char *const *name, size_t n)
{
    struct profile *p = new_profile(1, 2);
    p->from_glow = from_glow;
    for (size_t i = 0; i < n; i++)
        profile_add(p, name[i], &(float){(float)i}, 1);
    return p;
}

/* The position of the tensor that is found; -1 where none. */
static int found(const struct profile *p, const char *name)
{
    const struct histogram *h = profile_find(p, name);
    return h ? (int)h->max : -1;
}

static void test_find(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "a/b:0", "", "a:0"};
    const struct profile *p = named_profile(false, names, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(found(p, names[i]), i);
    assert_int_equal(found(p, "a_b"), -1);
    assert_int_equal(found(p, "b"), -1);
}

static void test_find_glow(void **state)
{
    (void)state;
    static const char *const names[] = {
        "conv1:0",      "conv1__1:0",   "res2a_branch1_w__1:0", "A2_relu:0", "split:1",
        "gpu_0_data:0", "twice__1:0",   "twice__2:0",           "conv10:0",  "x__y:0",
        "deep__3:0",    "deep__3__1:0", "deep__word:0",         "open__:0",
    };
    const struct profile *p = named_profile(true, names, sizeof names / sizeof names[0]);
    static const struct {
        const char *name;
        int at;
    } want[] = {
        {"conv1", 0},           /* before the one with a number */
        {"res2a/branch1.w", 2}, /* with a number, which no other is */
        {"2:relu", 3},          /* starts with a digit */
        {"gpu_0/data", 5},
        {"split", -1}, /* another result */
        {"twice", -1}, /* which of them? */
        {"conv10", 8},
        {"x", -1}, /* "y" is not a number */
        {"x__y", 9},
        {"deep", 10},
        {"deep__3", 10},
        {"deep__word", 12},
        {"open", -1},
        {"", -1},
        {"conv", -1},
        {"conv1:0", -1},
        {"conv1:0 and more", -1},
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        if (found(p, want[i].name) != want[i].at)
            fail_msg("%s: %d", want[i].name, found(p, want[i].name));
}

static void test_find_value(void **state)
{
    (void)state;
    static const char *const glow[] = {"node:0", "node:2", "a:0", "b:0", "x:0", "odd:1x", "odd:"};
    static const char *const own[] = {"a", "x", "node"};
    struct graph *g = graph_create(&arena, "g");
    struct value *x = graph_add_value(g, "x", VALUE_INPUT), *out[4];
    struct node *node = graph_add_node(g, &g->body, OP_split, "node", 1, 3);
    struct node *odd = graph_add_node(g, &g->body, OP_relu, "odd", 1, 2);
    out[0] = graph_node_output(g, node, 0, "a");
    out[1] = graph_node_output(g, node, 1, "b");
    out[2] = graph_node_output(g, node, 2, "c");
    out[3] = graph_node_output(g, odd, 1, "d");
    const struct profile *p = named_profile(true, glow, sizeof glow / sizeof glow[0]);
    assert_true(profile_find_value(p, x)->max == 4);
    assert_true(profile_find_value(p, out[0])->max == 0); /* the node's name, not the tensor's */
    assert_true(profile_find_value(p, out[1])->max == 3); /* no such result: the tensor's */
    assert_true(profile_find_value(p, out[2])->max == 1);
    assert_null(profile_find_value(p, out[3]));
    p = named_profile(false, own, 3);
    assert_true(profile_find_value(p, x)->max == 1 && profile_find_value(p, out[0])->max == 0);
    assert_null(profile_find_value(p, out[1]));
}

/* ---- merging ---- */

enum { N_TENSORS = 3, N_VALUES = 600 };

/* Three tensors, the values from .. to - 1 of each. */
static struct profile *part(float value[N_TENSORS][N_VALUES], size_t from, size_t to)
{
    static const char *const name[N_TENSORS] = {"x", "y", "z"};
    struct profile *p = new_profile(1, 2);
    p->samples = to - from;
    for (size_t i = 0; i < N_TENSORS; i++)
        profile_add(p, name[i], value[i] + from, to - from);
    return p;
}

static void merge(struct profile *p, const struct profile *from)
{
    if (!profile_merge(p, from, &err))
        fail_msg("%s", err.text);
}

static void test_merging_equals_the_joint_run(void **state)
{
    (void)state;
    static float v[N_TENSORS][N_VALUES];
    uint64_t seed = 1;
    for (int i = 0; i < N_TENSORS; i++)
        random_fill(&seed, HEAVY_TAILED, 1, v[i], N_VALUES);
    for (int round = 0; round < 20; round++) {
        size_t cut = (size_t)random_below(&seed, N_VALUES), mid = cut / 2;
        struct profile *all = part(v, 0, N_VALUES);
        struct profile *left = part(v, 0, mid), *right = part(v, cut, N_VALUES);
        merge(left, part(v, mid, cut)); /* (a + b) + c */
        merge(left, right);
        profile_assert_same(left, all);
        struct profile *rest = part(v, mid, cut); /* (c + b) + a */
        merge(right, rest);
        merge(right, part(v, 0, mid));
        profile_assert_same(right, all);
    }
}

static void test_merging_with_little_known(void **state)
{
    (void)state;
    struct profile *p = new_profile(0, 0), *q = new_profile(5, 6);
    profile_add(p, "a", &(float){1}, 1);
    profile_add(p, "b", &(float){2}, 1);
    profile_add(q, "b", &(float){3}, 1); /* the order does not matter */
    profile_add(q, "a", &(float){4}, 1);
    q->processor = "sapphirerapids";
    merge(p, q);
    assert_true(p->tensor[0].histogram->max == 4 && p->tensor[1].histogram->max == 3);
    assert_true(p->tensor[0].histogram->min == 1 && p->samples == 4);
    assert_true(p->identity.operators == 5 && p->identity.weights == 6);
    assert_string_equal(p->processor, "");
}

static void refuse(struct profile *p, const struct profile *from, const char *why)
{
    const struct histogram before = *p->tensor[0].histogram;
    error_init(&err);
    assert_false(profile_merge(p, from, &err));
    assert_int_equal(err.status, SHEAF_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, why));
    assert_memory_equal(&before, p->tensor[0].histogram, sizeof before);
    assert_int_equal(p->samples, 2);
}

static void test_merging_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c"};
    struct profile *p = named_profile(false, names, 2);
    refuse(p, named_profile(false, names, 1), "'b' is only in one");
    refuse(p, named_profile(false, names, 3), "'c' is only in one");
    static const char glow[] = "one of them is of 'net', the other one is Glow's, which names no "
                               "network";
    struct profile *glows = named_profile(true, names, 2);
    glows->model = "";
    refuse(p, glows, glow);
    refuse(glows, p, glow);
    struct profile *q = named_profile(false, names, 2);
    q->identity.operators = 7;
    refuse(p, q, "another network");
    q->identity = (struct profile_identity){1, 7};
    refuse(p, q, "other weights");
    q->identity = p->identity;
    q->tensor[1].histogram->count = UINT64_MAX;
    refuse(p, q, "2^64");
    q->tensor[1].histogram->count = 1;
    q->samples = UINT64_MAX;
    refuse(p, q, "2^64");
}

static void test_check(void **state)
{
    (void)state;
    const struct profile *p = new_profile(1, 2);
    static const struct profile_identity same = {1, 2}, unknown = {0, 0}, network = {3, 4},
                                         weights = {1, 4};
    assert_true(profile_check(p, &same, "mine", &err));
    assert_true(profile_check(p, &unknown, "mine", &err));
    assert_true(profile_check(new_profile(0, 0), &network, "mine", &err));
    assert_false(profile_check(p, &network, "mine", &err));
    assert_non_null(strstr(err.text, "'net' was captured on another network than 'mine'"));
    error_init(&err);
    assert_false(profile_check(p, &weights, "mine", &err));
    assert_non_null(strstr(err.text, "other weights than those of 'mine'"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_identity),
        TEST(test_identity_of_blocks),
        TEST(test_find),
        TEST(test_find_glow),
        TEST(test_find_value),
        TEST(test_merging_equals_the_joint_run),
        TEST(test_merging_with_little_known),
        TEST(test_merging_is_refused),
        TEST(test_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
