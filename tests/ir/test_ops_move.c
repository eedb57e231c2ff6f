/*
 * Operators that move elements to places which are data, or sample images: cases worked out by
 * hand as in test_ops.
 */
#include "tests/ir/ops_run.h"

static void test_gather(void **state)
{
    (void)state;
    CHECK("const %x f32 [2,3] = {1, 2, 3, 4, 5, 6} const %i i64 [2,2] = {0, -1, 9, -9}"
          "%y = gather_elements (%x, %i) {axis=1} return %y",
          "f32 [2,2]", 1, 3, 6, 4);
    CHECK("const %x i8 [2,2,2] = {0, 1, 2, 3, 4, 5, 6, 7} const %i i32 [2,1] = {1, 0}"
          "%y = gather_nd (%x, %i) {batch_dims=1} return %y",
          "i8 [2,2]", 2, 3, 4, 5);
    CHECK("const %x i8 [2,2] = {0, 1, 2, 3} const %i i64 [3,2] = {-1, 0, 0, 7, 1, 1}"
          "%y = gather_nd (%x, %i) return %y",
          "i8 [3]", 2, 1, 3);
    refused("const %x f32 [2,3] = fill 1 const %i i64 [3,1] = fill 0"
            "%y = gather_elements (%x, %i) {axis=1} return %y",
            "3 indices in dimension 0 are too many for 2 elements");
    refused("const %x f32 [2,3] = fill 1 const %i i64 [3] = fill 0 %y = gather_nd (%x, %i)"
            "return %y",
            "tuples of 3 indices do not fit 2 dimensions");
    refused("const %x f32 [2,3] = fill 1 const %i i64 [3] = fill 0 %y = gather_nd (%x, %i)"
            "{batch_dims=1} return %y",
            "1 common dimensions do not exist in 2 dimensions of the input and 1 of the indices");
}

static void test_scatter(void **state)
{
    (void)state;
    /* Of repeated indices the last stays, and combinations are made in order. */
    CHECK("const %x f32 [3] = {1, 2, 3} const %i i64 [4] = {0, -1, 0, 5}"
          "const %u f32 [4] = {5, 6, 7, 8} %y = scatter_elements (%x, %i, %u) return %y",
          "f32 [3]", 7, 2, 8);
    CHECK("const %x f32 [2,2] = {1, 2, 3, 4} const %i i64 [1,2] = {1, 1}"
          "const %u f32 [1,2] = {10, 20} %y = scatter_elements (%x, %i, %u)"
          "{axis=1, reduction=\"add\"} return %y",
          "f32 [2,2]", 1, 32, 3, 4);
    CHECK("const %x f32 [2] = {1, 2} const %i i64 [2] = {0, 1} const %u f32 [2] = {" NAN_TEXT
          ", 1} %y = scatter_elements (%x, %i, %u) {reduction=\"max\"} return %y",
          "f32 [2]", NAN, 2);
    CHECK("const %x i32 [2,2] = {1, 2, 3, 4} const %i i64 [2,1] = {1, 1}"
          "const %u i32 [2,2] = {2, 3, 4, 5} %y = scatter_nd (%x, %i, %u) {reduction=\"mul\"}"
          "return %y",
          "i32 [2,2]", 1, 2, 24, 60);
    CHECK("const %x i32 [2,2] = {1, 2, 3, 4} const %i i64 [2,2] = {1, 0, 0, -1}"
          "const %u i32 [2] = {8, 9} %y = scatter_nd (%x, %i, %u) return %y",
          "i32 [2,2]", 1, 9, 8, 4);
    check("const %x f32 [0,2] = {} const %i i64 [0,1] = {} const %u f32 [0,2] = {}"
          "%y = scatter_nd (%x, %i, %u) return %y",
          "f32 [0,2]", NULL, 0);
    refused("const %x bool [2] = {0, 1} const %i i64 [1] = {0} const %u bool [1] = {1}"
            "%y = scatter_elements (%x, %i, %u) {reduction=\"add\"} return %y",
            "scatter_elements does not take input 'x' of type bool");
    refused("const %x f32 [2] = {0, 1} const %i i64 [1] = {0} const %u f32 [2] = {1, 2}"
            "%y = scatter_elements (%x, %i, %u) return %y",
            "indices 'i' and updates 'u' differ in shape");
    refused("const %x f32 [2] = {0, 1} const %i i64 [1] = {0} const %u f32 [1] = {1}"
            "%y = scatter_elements (%x, %i, %u) {reduction=\"or\"} return %y",
            "reduction 'or' is not known");
    refused("const %x f32 [2,2] = fill 0 const %i i64 [1,1] = {0} const %u f32 [1,3] = fill 1"
            "%y = scatter_nd (%x, %i, %u) return %y",
            "dimension 1 of the updates 'u' is 3 where 2 is needed");
}

static void test_tensor_scatter(void **state)
{
    (void)state;
    CHECK(
        "const %x f32 [2,3,1] = {1, 2, 3, 4, 5, 6} const %u f32 [2,2,1] = {7, 8, 9, 10}"
        "const %i i64 [2] = {0, 2} %y = tensor_scatter (%x, %u, %i) {mode=\"circular\"} return %y",
        "f32 [2,3,1]", 7, 8, 3, 10, 5, 9);
    CHECK("const %x f32 [2,3,1] = {1, 2, 3, 4, 5, 6} const %u f32 [2,2,1] = {7, 8, 9, 10}"
          "%y = tensor_scatter (%x, %u) return %y",
          "f32 [2,3,1]", 7, 8, 3, 9, 10, 6);
    refused("const %x f32 [2,3] = fill 0 const %u f32 [2,3] = fill 0"
            "%y = tensor_scatter (%x, %u) return %y",
            "the axis is that of the batch");
}

static void test_repeat(void **state)
{
    (void)state;
    CHECK("const %x i8 [1,2] = {1, 2} const %r i64 [2] = {2, 2} %y = tile (%x, %r) return %y",
          "i8 [2,4]", 1, 2, 1, 2, 1, 2, 1, 2);
    check("const %x i8 [1,2] = {1, 2} const %r i64 [2] = {2, 0} %y = tile (%x, %r) return %y",
          "i8 [2,0]", NULL, 0);
    CHECK("const %x i8 [3] = {1, 2, 3} const %i i64 [5] = {0, 0, 2, 1, 2} %y = pick (%x, %i)"
          "{axes=[0]} return %y",
          "i8 [5]", 1, 1, 3, 2, 3);
    refused("const %x i8 [1,2] = {1, 2} const %r i64 [1] = {2} %y = tile (%x, %r) return %y",
            "1 repeats for 2 dimensions");
    refused("const %x i8 [3] = {1, 2, 3} const %i i64 [1] = {3} %y = pick (%x, %i) {axes=[0]}"
            "return %y",
            "table 'i' has index 3 of 3 elements");
}

static void test_matrices(void **state)
{
    (void)state;
    CHECK("const %x i8 [2,3] = {1, 2, 3, 4, 5, 6} const %k i64 [] = {1} %y = trilu (%x, %k)"
          "return %y",
          "i8 [2,3]", 0, 2, 3, 0, 0, 6);
    CHECK("const %x i8 [2,3] = {1, 2, 3, 4, 5, 6} const %k i64 [] = {-9223372036854775808}"
          "%y = trilu (%x, %k) {upper=0} return %y",
          "i8 [2,3]", 0, 0, 0, 0, 0, 0);
    CHECK("const %x f32 [2,3] = fill 7 %y = eye_like (%x) {dtype=9, k=-1} return %y", "bool [2,3]",
          0, 0, 0, 1, 0, 0);
    CHECK("const %i f32 [3] = {1, -1, 2} const %d i64 [1] = {2} const %v i8 [2] = {5, 7}"
          "%y = one_hot (%i, %d, %v) return %y",
          "i8 [3,2]", 5, 7, 5, 7, 5, 5);
    CHECK("const %x i8 [3,2] = {1, 2, 3, 4, 5, 6} const %n i64 [2] = {2, 9}"
          "%y = reverse_sequence (%x, %n) return %y",
          "i8 [3,2]", 3, 6, 1, 4, 5, 2);
    CHECK("const %x i8 [3,2] = fill 0 %y = size (%x) return %y", "i64 []", 6);
    CHECK("const %i i64 [2] = {1, -1} const %d i64 [1] = {5} const %v i8 [2] = {5, 7}"
          "const %e i64 [] = {2} %y = one_hot (%i, %d, %v, %e) return %y",
          "i8 [2,2]", 5, 7, 5, 7);
    refused("const %i i64 [3] = {1, -1, 2} input %d i64 [] const %v i8 [2] = {5, 7}"
            "%y = one_hot (%i, %d, %v) return %y",
            "the depth, input 'd', must be constant");
    refused("const %x i8 [3] = fill 0 %y = trilu (%x) return %y",
            "the input has 1 dimensions, not 2 or more");
}

/* Shapes that an importer has worked out: bounds, and extents as inputs. */
static void test_given_extents(void **state)
{
    (void)state;
    CHECK("const %x i8 [2,3] = {1, 2, 3, 4, 5, 6} const %b i64 [2] = {4, 2} const %e i64 [] = {3}"
          "%y = reshape (%x, %b, %e) return %y",
          "i8 [3,2]", 1, 2, 3, 4, 5, 6);
    CHECK("const %x i8 [3,2] = {1, 2, 3, 4, 5, 6} const %s i64 [2] = {2, 0}"
          "const %b i64 [2] = {3, 2} const %t i64 [2] = {-1, 1} const %e i64 [] = {2}"
          "%y = slice (%x, %s, %b, _, %t, %e) return %y",
          "i8 [2,2]", 5, 6, 3, 4);
    CHECK("const %x i8 [2] = {1, 2} const %p i64 [1] = {1} const %v i8 [] = {9}"
          "const %b i64 [1] = {7} const %e i64 [] = {4} %y = pad (%x, %p, %v, _, %b, %e) return %y",
          "i8 [4]", 9, 1, 2, 9);
    CHECK("const %x i8 [1,2] = {1, 2} const %b i64 [2] = {4, 2} const %e i64 [] = {2}"
          "%y = expand (%x, %b, %e) return %y",
          "i8 [2,2]", 1, 2, 1, 2);
    CHECK("const %x i8 [2] = {1, 2} const %b i64 [1] = {9} const %e i64 [] = {5}"
          "%y = tile (%x, %b, %e) return %y",
          "i8 [5]", 1, 2, 1, 2, 1);
    CHECK("const %e i64 [] = {3} const %a i8 [1] = {1} const %b i8 [2] = {2, 3}"
          "%y = join (%e, %a, %b) return %y",
          "i8 [3]", 1, 2, 3);
    refused("const %e i64 [] = {4} const %a i8 [1] = {1} const %b i8 [2] = {2, 3}"
            "%y = join (%e, %a, %b) return %y",
            "'e' is not the sum of the extents");
    refused("const %x i8 [6] = fill 1 const %b i64 [2] = {4, 2} const %e i64 [] = {5}"
            "%y = reshape (%x, %b, %e) return %y",
            "extent 5 of dimension 0 is above 4");
    refused("const %x i8 [6] = fill 1 const %b i64 [2] = {4, 2} const %e i64 [] = {2}"
            "%y = reshape (%x, %b, %e) return %y",
            "6 elements do not fill a shape of 4");
    refused("const %x i8 [6] = fill 1 const %s i64 [1] = {2} const %b i64 [1] = {5}"
            "const %t i64 [1] = {1} %y = slice (%x, %s, %b, _, %t, _) return %y",
            "dimension 0 has no 5 elements from 2 on");
    refused("const %x i8 [2] = fill 1 const %b i64 [1] = {5} const %e i32 [] = {5}"
            "%y = tile (%x, %b, %e) return %y",
            "tile does not take input 'e' of type i32");
    refused("const %x i8 [2] = fill 1 const %b i64 [1] = {5} const %e i64 [] = {5}"
            "%y = expand (%x, %b, %e) return %y",
            "extent 2 does not broadcast to 5");
}

static void test_compress(void **state)
{
    (void)state;
    CHECK("const %x i8 [2,3] = {1, 2, 3, 4, 5, 6} const %b bool [2] = {0, 1} %c = identity (%b)"
          "%y = compress (%x, %c) {axis=1} return %y",
          "i8 [2,1]", 2, 5);
    CHECK("const %x i8 [3] = {1, 2, 3} const %b bool [5] = {1, 0, 1, 1, 1} %c = not (%b)"
          "%y = compress (%x, %c) return %y",
          "i8 [1]", 2);
    refused("const %x i8 [3] = {1, 2, 3} const %c bool [1,3] = fill 1 %y = compress (%x, %c)"
            "return %y",
            "input 'c' has 2 dimensions where 1 are needed");
}

#define UNIQUE "const %x f32 [6] = {3, 1, " NAN_TEXT ", 3, -0.0, 0} "

static void test_unique(void **state)
{
    (void)state;
    CHECK(UNIQUE "%y = unique (%x) return %y", "f32 [4]", 0, 1, 3, NAN);
    CHECK(UNIQUE "%a, %y = unique (%x) return %y", "i64 [4]", 4, 1, 0, 2);
    CHECK(UNIQUE "%a, %b, %y = unique (%x) {sorted=0} return %y", "i64 [6]", 0, 1, 2, 0, 3, 3);
    CHECK(UNIQUE "%a, %b, %c, %y = unique (%x) {sorted=0} return %y", "i64 [4]", 2, 1, 1, 2);
    CHECK("const %x i8 [2,3] = {2, 1, 2, 0, 5, 0} %y = unique (%x) {axis=1} return %y", "i8 [2,2]",
          1, 2, 5, 0);
    check("const %x i8 [0] = {} %y = unique (%x) return %y", "i8 [0]", NULL, 0);
}

#define BOXES                                                                                      \
    "const %b f32 [1,3,4] = {0, 0, 2, 2, 0, 0, 2, 1.9, 5, 5, 4, 4} "                               \
    "const %s f32 [1,1,3] = {0.5, 0.75, 0.5} const %m i64 [] = {3} const %o f32 [] = {0.5} "

static void test_non_max_suppression(void **state)
{
    (void)state;
    CHECK(BOXES "%y = non_max_suppression (%b, %s, %m, %o) return %y", "i64 [2,3]", 0, 0, 1, 0, 0,
          2);
    CHECK(BOXES "const %l f32 [] = {0.5} %y = non_max_suppression (%b, %s, %m, %o, %l) return %y",
          "i64 [1,3]", 0, 0, 1);
    check(BOXES "%y = non_max_suppression (%b, %s) return %y", "i64 [0,3]", NULL, 0);
    refused("const %b f32 [1,3,3] = fill 0 const %s f32 [1,1,3] = fill 0"
            "%y = non_max_suppression (%b, %s) return %y",
            "boxes [1,3,3] and scores [1,1,3] do not fit together");
}

static void test_resample(void **state)
{
    (void)state;
    CHECK("const %x f32 [3] = {1, 2, 4} const %i i64 [2,2] = {0, 1, -1, 2}"
          "const %w f32 [2,2] = {0.5, 0.5, 0.25, 0.75} %y = resample (%x, %i, %w)"
          "{axes=[0], outside=8} return %y",
          "f32 [2]", 1.5, 5);
    CHECK("const %x u8 [2,2] = {1, 2, 4, 255} const %i i64 [1,2] = {0, 1}"
          "const %w f32 [1,2] = {0.5, 1} %y = resample (%x, %i, %w, %i, %w) {axes=[0,1]} return %y",
          "u8 [1,1]", 255);
    refused("const %x f32 [3] = {1, 2, 4} const %i i64 [2,2] = fill 0 const %w f64 [2,2] = fill 0"
            "%y = resample (%x, %i, %w) {axes=[0]} return %y",
            "resample does not take input 'w' of type f64");
    refused("const %x f32 [3] = {1, 2, 4} const %i i64 [2,2] = fill 0 const %w f32 [2,2] = fill 0"
            "%y = resample (%x, %i, %w) {axes=[0,0]} return %y",
            "2 axes do not fit 2 tables");
}

static void test_grids(void **state)
{
    (void)state;
    CHECK("const %x f32 [1,1,2,2] = {1, 2, 3, 4}"
          "const %g f32 [1,1,3,2] = {0, 0, 1, 1, " NAN_TEXT ", 0} %y = grid_sample (%x, %g)"
          "{align_corners=1, padding_mode=\"border\"} return %y",
          "f32 [1,1,1,3]", 2.5, 4, 2);
    CHECK("const %x f32 [1,1,2,2] = {1, 2, 3, 4} const %g f32 [1,1,2,2] = {-1, -1, 3, -0.5}"
          "%y = grid_sample (%x, %g) return %y",
          "f32 [1,1,1,2]", 0.25, 0);
    CHECK("const %t f32 [1,2,3] = {1, 0, 0.5, 0, 2, 0} const %s i64 [4] = {1, 1, 1, 2}"
          "%y = affine_grid (%t, %s) return %y",
          "f32 [1,1,2,2]", 0, 0, 1, 0);
    refused("const %x f32 [1,1,2,2] = fill 0 const %g f32 [1,3,3,3] = fill 0"
            "%y = grid_sample (%x, %g) return %y",
            "the grid 'g' does not suit 'x'");
    refused("const %x f32 [1,1,2,2] = fill 0 const %g f32 [1,3,3,2] = fill 0"
            "%y = grid_sample (%x, %g) {mode=\"bilinear\"} return %y",
            "mode 'bilinear' is not known");
}

static void test_roi_align(void **state)
{
    (void)state;
    CHECK("const %x f32 [1,1,2,2] = {1, 2, 3, 4} const %r f32 [2,4] = {0, 0, 2, 2, 9, 9, 9, 9}"
          "const %b i64 [2] = {0, 0} %y = roi_align (%x, %r, %b)"
          "{coordinate_transformation_mode=\"output_half_pixel\", sampling_ratio=1} return %y",
          "f32 [2,1,1,1]", 4, 0);
    refused("const %x f32 [1,1,2,2] = fill 0 const %r f32 [2,4] = fill 0 const %b i64 [1] = {0}"
            "%y = roi_align (%x, %r, %b) return %y",
            "boxes 'r' and their images 'b' do not fit");
}

static void test_col2im(void **state)
{
    (void)state;
    CHECK("const %x f32 [1,2,2] = {1, 2, 10, 20} const %i i64 [1] = {3} const %b i64 [1] = {2}"
          "%y = col2im (%x, %i, %b) return %y",
          "f32 [1,1,3]", 1, 12, 20);
    refused("const %x f32 [1,2,2] = fill 0 const %i i64 [1] = {4} const %b i64 [1] = {2}"
            "%y = col2im (%x, %i, %b) return %y",
            "'x' has 2 channels and 2 columns where multiples of 2 and 3 are needed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gather),        cmocka_unit_test(test_scatter),
        cmocka_unit_test(test_repeat),        cmocka_unit_test(test_tensor_scatter),
        cmocka_unit_test(test_matrices),      cmocka_unit_test(test_compress),
        cmocka_unit_test(test_unique),        cmocka_unit_test(test_non_max_suppression),
        cmocka_unit_test(test_resample),      cmocka_unit_test(test_grids),
        cmocka_unit_test(test_col2im),        cmocka_unit_test(test_roi_align),
        cmocka_unit_test(test_given_extents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
