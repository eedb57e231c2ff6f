/*
 * Models of more than 2 and 4 GB.  Their data lies in a file with holes, which takes no room.  The
 * network with such weights is compiled in check-full alone: it takes 9 GB of memory.
 */
#define _XOPEN_SOURCE 700 /* pwrite, ftruncate */
#include "tests/loader/import_run.h"

#include <fcntl.h>
#include <unistd.h>

#include "tests/support/compiled.h"

enum { COLUMNS = 256 };
#define GB      ((int64_t)1 << 30)
#define ROWS    (4 * GB / COLUMNS + 64)
#define BEHIND  (ROWS * COLUMNS) /* of the table, in the file */
#define FAR_END (5 * GB)

static int open_data(void)
{
    int fd = open(support_printf("%s/big.bin", support_tmp()), O_CREAT | O_RDWR, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)FAR_END), 0);
    return fd;
}

static void put(int fd, int64_t offset, const void *data, size_t size)
{
    assert_int_equal(pwrite(fd, data, size, (off_t)offset), (ssize_t)size);
}

static void external(struct strbuf *graph, const char *name, int type, const char *dims,
                     int64_t offset)
{
    struct strbuf t;
    const char *const pairs[][2] = {{"location", "big.bin"},
                                    {"offset", support_printf("%lld", (long long)offset)}};
    onnx_tensor_begin(&t, graph->arena, name, type, dims);
    for (size_t i = 0; i < 2; i++) {
        struct strbuf entry;
        strbuf_init(&entry, graph->arena);
        pb_string(&entry, 1, pairs[i][0]);
        pb_string(&entry, 2, pairs[i][1]);
        pb_sub(&t, 13, &entry);
    }
    pb_int(&t, 14, 1);
    pb_sub(graph, 5, &t);
}

static void offsets_need_more_than_32_bits(void **state)
{
    (void)state;
    static const float at_2gb[] = {1, 2}, at_4gb[] = {3, 4}, at_end[] = {5, 6};
    struct onnx_model m;
    int fd = open_data();
    put(fd, 2 * GB - 4, at_2gb, sizeof at_2gb);
    put(fd, 4 * GB - 4, at_4gb, sizeof at_4gb);
    put(fd, FAR_END - 8, at_end, sizeof at_end);
    close(fd);
    onnx_begin(&m, &arena, 17);
    external(&m.graph, "a", ONNX_F32, "2", 2 * GB - 4);
    external(&m.graph, "b", ONNX_F32, "2", 4 * GB - 4);
    external(&m.graph, "c", ONNX_F32, "2", FAR_END - 8);
    onnx_node(&m.graph, "Sum", "a,b,c", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, "2");
    expect_text(import_onnx(&m), "f32 [2] = {9, 12}");
    onnx_begin(&m, &arena, 17);
    external(&m.graph, "y", ONNX_F32, "2", FAR_END - 4);
    onnx_output(&m.graph, "y", ONNX_F32, "2");
    expect_error(import_onnx(&m), "ends at byte 5368709124 of the file 'big.bin', which has "
                                  "5368709120");
}

/* y = table[i] + last: the table passes 4 GB, and what stands behind it lies beyond. */
static struct onnx_model table_model(void)
{
    struct onnx_model m;
    onnx_begin(&m, &arena, 17);
    onnx_input(&m.graph, "i", ONNX_I64, "4");
    external(&m.graph, "table", ONNX_U8, support_printf("%lld,%d", (long long)ROWS, COLUMNS), 0);
    external(&m.graph, "last", ONNX_U8, "256", BEHIND);
    onnx_node(&m.graph, "Gather", "table,i", "rows", "");
    onnx_node(&m.graph, "Add", "rows,last", "y", "");
    onnx_output(&m.graph, "y", ONNX_U8, "4,256");
    return m;
}

static void weights_need_more_than_32_bits(void **state)
{
    (void)state;
    static const int64_t at[4] = {0, 2 * GB / COLUMNS, 4 * GB / COLUMNS, ROWS - 1};
    struct compiled c;
    if (!support_full())
        return;
    int fd = open_data();
    for (uint8_t k = 0; k < 4; k++) {
        uint8_t row[COLUMNS];
        memset(row, 10 * (k + 1), sizeof row);
        put(fd, at[k] * COLUMNS, row, sizeof row);
        put(fd, BEHIND + k, &k, 1);
    }
    close(fd);
    memset(&c, 0, sizeof c);
    arena_init(&c.arena);
    struct onnx_model m = table_model();
    struct graph *g = import_onnx(&m);
    if (!g || !compiled_open_graph(&c, g, "native", false, false, &err))
        fail_msg("%s", err.text);
    assert_true(c.program->area_bytes[AREA_CONSTANT] > BEHIND);
    memcpy(compiled_input(&c, 0), at, sizeof at);
    assert_true(pipeline_run_once(&c.run, &err));
    const uint8_t *y = compiled_output(&c, 0);
    for (int64_t k = 0; k < 4; k++)
        for (int64_t i = 0; i < COLUMNS; i++)
            assert_int_equal(y[k * COLUMNS + i], 10 * (k + 1) + (i < 4 ? i : 0));
    compiled_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(offsets_need_more_than_32_bits, setup_import, teardown),
        cmocka_unit_test_setup_teardown(weights_need_more_than_32_bits, setup_import, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
