/*
 * Scan of ONNX: a loop of known length over elements of its inputs.
 */
#include "tests/loader/import_run.h"

/* sum += x[k], and each sum: the state `s`, the scan input `x`, s f32 [3], x f32 [dims]. */
static struct graph *import_scan(int64_t opset, const char *dims, const char *state,
                                 const char *inputs, const char *attrs)
{
    struct onnx_model m;
    struct strbuf body, node;
    onnx_begin(&m, &arena, opset);
    onnx_input(&m.graph, "s", ONNX_F32, state);
    onnx_input(&m.graph, "x", ONNX_F32, dims);
    onnx_input(&m.graph, "long", ONNX_F32, "7,3");
    onnx_input(&m.graph, "lens", ONNX_I64, "2");
    strbuf_init(&body, &arena);
    onnx_input(&body, "sum", ONNX_F32, NULL);
    onnx_input(&body, "next", ONNX_F32, NULL);
    onnx_node(&body, "Add", "sum,next", "more", "");
    onnx_node(&body, "Relu", "more", "each", "");
    onnx_output(&body, "more", ONNX_F32, NULL);
    onnx_output(&body, "each", ONNX_F32, NULL);
    onnx_node_begin(&node, &arena, "Scan", inputs, "y,z", attrs);
    onnx_graph_attr(&node, "body", &body);
    pb_sub(&m.graph, 1, &node);
    onnx_output(&m.graph, "y", ONNX_F32, NULL);
    onnx_output(&m.graph, "z", ONNX_F32, NULL);
    error_init(&err);
    return import_onnx(&m);
}

static void elements_are_picked(void **state)
{
    (void)state;
    struct graph *g = import_scan(9, "5,3", "3", "s,x", "num_scan_inputs=1");
    expect_text(g, "f32 [3] = gather \"y\" (%x, %");
    expect_text(g, "i64 [] = {5}");
    expect_text(g, "%more f32 [3] = add (%sum, %");
    expect_text(g, "f32 [3], %z f32 [5,3] = loop");
}

static void axes_and_directions(void **state)
{
    (void)state;
    struct graph *g =
        import_scan(11, "3,5", "3", "s,x",
                    "num_scan_inputs=1 scan_input_axes=[-1] scan_input_directions=[1] "
                    "scan_output_axes=[1] scan_output_directions=[1]");
    expect_text(g, "i64 [] = {4}"); /* the last element comes first */
    expect_text(g, "{axis=1}");
    expect_text(g, "f32 [5,3] = slice \"y\" (");
    expect_text(g, "%z f32 [3,5] = transpose");
}

/* Version 8: states and inputs begin with the batch, and lengths come first. */
static void batches_are_scans(void **state)
{
    (void)state;
    struct graph *g = import_scan(8, "2,5,3", "2,3", ",s,x", "num_scan_inputs=1");
    expect_text(g, "%y f32 [2,3] = concat");
    expect_text(g, "%z f32 [2,5,3] = concat");
}

/* Rounds behind an element's length leave the carried value as it is. */
static void lengths_are_kept(void **state)
{
    (void)state;
    struct graph *g =
        import_scan(8, "2,5,3", "2,3", "lens,s,x", "num_scan_inputs=1 directions=[1]");
    expect_text(g, "i64 [] = gather \"y\" (%lens, %");
    expect_text(g, "= less (%");
    expect_text(g, "f32 [3] = where \"y\" (%");
    expect_text(g, "i64 [] = max (%");
    expect_text(g, "%z f32 [2,5,3] = concat");
    expect_error(import_scan(8, "3,5,3", "3,3", "lens,s,x", "num_scan_inputs=1"),
                 "the lengths of the sequences, 'lens', are not 3 numbers of i64");
}

static void faults_are_sentences(void **state)
{
    (void)state;
    expect_error(import_scan(9, "5,3", "3", "s,x", ""), "num_scan_inputs from 1");
    expect_error(import_scan(9, "5,3", "3", "s,x", "num_scan_inputs=3"), "num_scan_inputs from 1");
    expect_error(import_scan(9, "5,3", "3", "x", "num_scan_inputs=1"),
                 "2 inputs and 2 outputs, which do not suit its 1 inputs and 2 outputs");
    expect_error(import_scan(9, "5,3", "3", "s,x", "num_scan_inputs=1 scan_input_axes=[2]"),
                 "scan input 0 has no axis 2");
    expect_error(import_scan(9, "5,3", "3", "s,x", "num_scan_inputs=1 scan_input_axes=[0,0]"),
                 "'scan_input_axes' has 2 numbers where 1 are needed");
    expect_error(import_scan(9, "5,3", "3", "long,x", "num_scan_inputs=2"),
                 "scan inputs have 7 and 5 elements along their axes");
    expect_error(import_scan(9, "5,3", "3", "s,x", "num_scan_inputs=1 scan_output_axes=[2]"),
                 "axis 2 does not exist in 2 dimensions");
    expect_error(import_scan(9, "5,4", "3", "s,x", "num_scan_inputs=1"),
                 "extents 3 and 4 in dimension 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(elements_are_picked, setup_import, teardown),
        cmocka_unit_test_setup_teardown(axes_and_directions, setup_import, teardown),
        cmocka_unit_test_setup_teardown(batches_are_scans, setup_import, teardown),
        cmocka_unit_test_setup_teardown(lengths_are_kept, setup_import, teardown),
        cmocka_unit_test_setup_teardown(faults_are_sentences, setup_import, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
