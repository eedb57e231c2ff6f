/*
 * Extents that are known only at run time: what a model computes of them is seen to be equal where
 * it is, becomes constant where it can be, and has a bound or is refused.
 */
#include "tests/loader/import_run.h"

enum { BOOL = 9 };

/* a: the rows of x [5,6] that m selects, as many as k; b: those that o selects. */
static struct onnx_model rows(void)
{
    struct onnx_model m;
    onnx_begin(&m, &arena, 21);
    onnx_input(&m.graph, "x", ONNX_F32, "5,6");
    onnx_input(&m.graph, "m", BOOL, "5");
    onnx_input(&m.graph, "o", BOOL, "5");
    onnx_input(&m.graph, "s", ONNX_I64, "2");
    onnx_node(&m.graph, "Compress", "x,m", "a", "axis=0");
    onnx_node(&m.graph, "Compress", "x,o", "b", "axis=0");
    return m;
}

static struct graph *done(struct onnx_model *m)
{
    onnx_output(&m->graph, "y", ONNX_F32, NULL);
    error_init(&err);
    return import_onnx(m);
}

static void constant(struct onnx_model *m, const char *name, const char *value)
{
    onnx_node(&m->graph, "Constant", "", name, support_printf("value_ints=[%s]", value));
}

/* Elements of a, counted in several ways, and cut and put together again. */
static void equal_numbers_are_one(void **state)
{
    (void)state;
    struct onnx_model m = rows();
    constant(&m, "rest", "-1");
    constant(&m, "three", "3");
    constant(&m, "six", "6");
    constant(&m, "zero", "0");
    onnx_node(&m.graph, "Reshape", "a,rest", "line", "");
    onnx_node(&m.graph, "Shape", "a", "rows", "end=1");
    onnx_node(&m.graph, "Mul", "rows,three", "half", "");
    onnx_node(&m.graph, "Add", "half,half", "all", "");
    onnx_node(&m.graph, "Slice", "line,zero,half", "front", "");
    onnx_node(&m.graph, "Slice", "line,half,all", "back", "");
    onnx_node(&m.graph, "Add", "front,back", "sum", "");
    onnx_node(&m.graph, "Concat", "sum,back", "joined", "axis=0");
    onnx_node(&m.graph, "Concat", "rows,six", "shape", "axis=0");
    onnx_node(&m.graph, "Reshape", "joined,shape", "again", "");
    onnx_node(&m.graph, "Add", "again,a", "y", "");
    expect_text(done(&m), "%y f32 [5:%a.count,6] = add (%again, %a)");
}

/* Two masks that are one give one number of rows; of two others nobody knows. */
static void counts_of_one_mask_are_one(void **state)
{
    (void)state;
    struct onnx_model m = rows();
    onnx_node(&m.graph, "Compress", "x,m", "again", "axis=0");
    onnx_node(&m.graph, "Mul", "a,again", "y", "");
    expect_text(done(&m), "mul (%a, %a)");
    m = rows();
    onnx_node(&m.graph, "Mul", "a,b", "y", "");
    struct graph *g = done(&m);
    expect_text(g, "= expand (%a, ");
    expect_text(g, "= expand (%b, ");
}

static void what_is_certain_is_constant(void **state)
{
    (void)state;
    struct onnx_model m = rows();
    constant(&m, "ones", "-1,-1");
    onnx_node(&m.graph, "Shape", "a", "shape", "");
    onnx_node(&m.graph, "Equal", "shape,ones", "open", "");
    onnx_node(&m.graph, "Where", "open,ones,shape", "to", "");
    constant(&m, "last", "1");
    onnx_node(&m.graph, "Gather", "to,last", "width", "");
    onnx_node(&m.graph, "ConstantOfShape", "width", "y", "");
    expect_text(done(&m), "%y f32 [6]");
}

static void bounds_follow(void **state)
{
    (void)state;
    struct onnx_model m = rows();
    constant(&m, "few", "3");
    constant(&m, "zero", "0");
    onnx_node(&m.graph, "Slice", "a,zero,few", "front", "");
    onnx_node(&m.graph, "Concat", "front,x,b", "y", "axis=0");
    struct graph *g = done(&m);
    expect_text(g, "%front f32 [3:%");
    expect_text(g, "%y f32 [13:%");
    m = rows();
    constant(&m, "list", "2,-1");
    onnx_node(&m.graph, "Split", "x,s", "y,z", "axis=1");
    expect_text(done(&m), "%y f32 [5,6:%");
}

/* Products are computed with rows that are cut off again. */
static void rows_are_filled_up(void **state)
{
    (void)state;
    struct onnx_model m = rows();
    onnx_node(&m.graph, "Transpose", "x", "w", "");
    onnx_node(&m.graph, "MatMul", "a,w", "y", "");
    struct graph *g = done(&m);
    expect_text(g, "f32 [5,5] = matmul \"y\" (");
    expect_text(g, "%y f32 [5:%a.count,5] = slice");
}

static void bounds_are_asked_for(void **state)
{
    (void)state;
    struct import_symbol s = {.name = "s", .value = 9};
    struct onnx_model m = rows();
    onnx_node(&m.graph, "ConstantOfShape", "s", "y", "");
    expect_error(
        done(&m),
        "a size depends on 's', which is known only at run time and has no bound: the most "
        "that it can be must be given, as in -onnx-define-symbol=s,16");
    error_init(&err);
    expect_text(import_onnx_with(&m, (struct import_options){.symbols = &s, .n_symbols = 1}),
                "%y f32 [9:%");
    m = rows();
    onnx_node(&m.graph, "Range", "s,s,s", "y", "");
    done(&m);
    assert_int_not_equal(err.status, SHEAF_OK);
    m = rows();
    constant(&m, "none", "");
    onnx_node(&m.graph, "Pad", "a,s,,none", "y", "");
    expect_error(done(&m), "must be 1 constant numbers");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(equal_numbers_are_one, setup_import, teardown),
        cmocka_unit_test_setup_teardown(counts_of_one_mask_are_one, setup_import, teardown),
        cmocka_unit_test_setup_teardown(what_is_certain_is_constant, setup_import, teardown),
        cmocka_unit_test_setup_teardown(bounds_follow, setup_import, teardown),
        cmocka_unit_test_setup_teardown(rows_are_filled_up, setup_import, teardown),
        cmocka_unit_test_setup_teardown(bounds_are_asked_for, setup_import, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
