/*
 * Operators that walk constant tables, and those over strings: values and faults.
 */
#include "tests/ir/ops_run.h"

static void test_find(void **state)
{
    (void)state;
    CHECK("const %x f32 [5,1] = {2, -0.0, " NAN_TEXT ", 3, -5} "
          "const %k f32 [4,1] = {-1, 0, 2, " NAN_TEXT "} %y = find (%x, %k) return %y",
          "i64 [5]", 2, 1, 3, 4, 4);
    CHECK("const %x u64 [3,1] = {0, 1, 18446744073709551615} "
          "const %k u64 [2,1] = {1, 18446744073709551615} %y = find (%x, %k) return %y",
          "i64 [3]", 2, 0, 1);
    CHECK("const %x u8 [3,2] = {97, 0, 97, 98, 98, 0} const %k u8 [2,2] = {97, 98, 98, 0} "
          "%y = find (%x, %k) return %y",
          "i64 [3]", 2, 0, 1);
    refused("input %x i8 [3,1] const %k i8 [2,1] = {2, 2} %y = find (%x, %k) return %y",
            "key 1 is not greater than the one before");
    refused("input %x i8 [3,2] const %k i8 [2,1] = {1, 2} %y = find (%x, %k) return %y",
            "rows of 'x' are not as long as keys");
    refused("input %x i8 [3,1] input %k i8 [2,1] %y = find (%x, %k) return %y",
            "the keys, input 'k', must be constant");
}

static void test_automaton(void **state)
{
    (void)state;
    refused("input %x u8 [3,4] const %n i32 [2,256] = fill 2 const %a bool [2] = {1, 0} "
            "%y = automaton (%x, %n, %a) return %y",
            "the table of states names state 2 of 2");
    refused("input %x u8 [3,4] const %n i32 [2,2] = fill 0 const %a bool [2] = {1, 0} "
            "%y = automaton (%x, %n, %a) return %y",
            "must be constant and have 256 columns");
}

/* One node: leaf 0 where x <= 0.5, else leaf 1; NaN is true. */
#define TREE(feature, if_false, target)                                                            \
    "const %n i32 [1,5] = {" feature ", 0, 1, " if_false ", 1} const %s f32 [1] = {0.5} "          \
    "const %r i32 [1] = {0} const %b i32 [3] = {0, 1, 2} const %t i32 [2] = {0, " target "} "      \
    "const %w f32 [2] = {3, 7} "                                                                   \
    "%y = tree_ensemble (%x, %n, %s, %r, %b, %t, %w) {n_targets=2} return %y"

static void test_tree_ensemble(void **state)
{
    (void)state;
    CHECK("const %x f32 [4,1] = {0, 0.5, 0.75, " NAN_TEXT "} " TREE("0", "2", "1"), "f32 [4,2]", 3,
          0, 3, 0, 0, 7, 3, 0);
    refused("input %x f32 [4,1] " TREE("1", "2", "1"), "a tree has feature 1 where there are 1");
    refused("input %x f32 [4,1] " TREE("0", "3", "1"), "a tree has node 3 where there are 3");
    refused("input %x f32 [4,1] " TREE("0", "2", "2"), "a tree has target 2 where there are 2");
}

static void test_string_split(void **state)
{
    (void)state;
    /* "a.b", ".", "" */
    CHECK("const %x u8 [3,3] = {97, 46, 98, 46, 0, 0, 0, 0, 0} "
          "%y, %n = string_split (%x) {delimiter=\".\"} return %n",
          "i64 [3]", 2, 2, 1);
    CHECK("const %x u8 [2,3] = {32, 97, 98, 97, 32, 98} %y, %n = string_split (%x) return %y",
          "u8 [2,2,3]", 97, 98, 0, 0, 0, 0, 97, 0, 0, 98, 0, 0);
    refused("input %x i8 [3,4] %y, %n = string_split (%x) return %y", "i8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_automaton),
        cmocka_unit_test(test_tree_ensemble),
        cmocka_unit_test(test_string_split),
    };
    return cmocka_run_group_tests_name("ops_tables", tests, NULL, NULL);
}
