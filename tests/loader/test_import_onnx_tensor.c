/*
 * Data of ONNX tensors: raw, as lists of numbers, and in files beside the model; of every type.
 */
#include <stdlib.h>

#include "tests/loader/import_run.h"

/* Every way to write the numbers of a tensor: {1, 2} where nothing else is said. */
static void expect_tensor(struct strbuf *tensor, const char *want)
{
    struct onnx_model m;
    error_init(&err);
    onnx_begin(&m, &arena, 21);
    pb_sub(&m.graph, 5, tensor);
    onnx_node(&m.graph, "Identity", "c", "y", "");
    onnx_output(&m.graph, "y", ONNX_F32, NULL);
    struct graph *g = import_onnx(&m);
    if (*want == '!')
        expect_error(g, want + 1);
    else
        expect_text(g, want);
}

static struct strbuf tensor_of(int type, const char *dims)
{
    struct strbuf t;
    onnx_tensor_begin(&t, &arena, "c", type, dims);
    return t;
}

static struct strbuf raw_tensor(int type, const char *dims, const void *data, size_t size)
{
    struct strbuf t = tensor_of(type, dims);
    pb_bytes(&t, 9, data, size);
    return t;
}

/* `field` as a packed list of varints. */
static struct strbuf packed_tensor(int type, const char *dims, unsigned field, const int64_t *v,
                                   size_t n)
{
    struct strbuf t = tensor_of(type, dims), list;
    strbuf_init(&list, &arena);
    for (size_t i = 0; i < n; i++)
        pb_varint(&list, (uint64_t)v[i]);
    pb_sub(&t, field, &list);
    return t;
}

static void raw_data_of_every_type(void **state)
{
    (void)state;
    static const struct {
        int type;
        const char *dims, *bytes;
        size_t size;
        const char *want;
    } cases[] = {
        {1, "2", "\0\0\x80\x3f\0\0\0\x40", 8, "%c f32 [2] = {1, 2}"},
        {2, "2", "\1\xff", 2, "%c u8 [2] = {1, 255}"},
        {3, "2", "\1\xff", 2, "%c i8 [2] = {1, -1}"},
        {4, "1", "\1\2", 2, "%c u16 [1] = {513}"},
        {5, "1", "\xfe\xff", 2, "%c i16 [1] = {-2}"},
        {6, "1", "\1\0\0\0", 4, "%c i32 [1] = {1}"},
        {7, "", "\1\0\0\0\0\0\0\0", 8, "%c i64 [] = {1}"},
        {9, "3", "\0\1\7", 3, "%c bool [3] = {0, 1, 1}"},
        {10, "1", "\0\x3c", 2, "%c f16 [1] = {1}"},
        {11, "1", "\0\0\0\0\0\0\xf0\x3f", 8, "%c f64 [1] = {1}"},
        {12, "1", "\1\0\0\x80", 4, "%c u32 [1] = {2147483649}"},
        {13, "1", "\1\0\0\0\0\0\0\0", 8, "%c u64 [1] = {1}"},
        {16, "1", "\x80\x3f", 2, "%c bf16 [1] = {1}"},
        {21, "3", "\xf1\x02", 2, "%c u4 [3] = {1, 15, 2}"},
        {22, "3", "\xf1\x02", 2, "%c i4 [3] = {1, -1, 2}"},
        {17, "2", "\x38\xff", 2, "%c f8e4m3fn [2] = {56, 255}"},
        {18, "1", "\x80", 1, "%c f8e4m3fnuz [1] = {128}"},
        {19, "1", "\x7c", 1, "%c f8e5m2 [1] = {124}"},
        {20, "1", "\1", 1, "%c f8e5m2fnuz [1] = {1}"},
        {23, "3", "\xf1\x02", 2, "%c f4e2m1 [3] = {1, 15, 2}"},
        {24, "1", "\x7f", 1, "%c f8e8m0 [1] = {127}"},
        {25, "5", "\xe4\2", 2, "%c u2 [5] = {0, 1, 2, 3, 2}"},
        {26, "5", "\xe4\2", 2, "%c i2 [5] = {0, 1, -2, -1, -2}"},
        {1, "2,0", "", 0, "%c f32 [2,0]"},
        {1, "2", "\0\0\x80\x3f", 4, "!4 bytes of data where its shape needs 8"},
        {8, "1", "", 0, "!has 0 strings in 1 dimensions"},
        {27, "1", "\0", 1, "!type float6e2m3, which is not supported"},
        {99, "1", "\0", 1, "!type number 99, which is not supported"},
        {1, "-1", "", 0, "!dimension 0 of initializer 'c' is -1"},
        {1, "1099511627776,1099511627776", "", 0, "!negative or too large"},
        {1, "1,1,1,1,1,1,1,1,1", "\0\0\0\0", 4, "!has 9 dimensions"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf t = raw_tensor(cases[i].type, cases[i].dims, cases[i].bytes, cases[i].size);
        expect_tensor(&t, cases[i].want);
    }
}

static void lists_of_every_type(void **state)
{
    (void)state;
    static const struct {
        int type;
        const char *dims;
        unsigned field;
        int64_t values[3];
        size_t n;
        const char *want;
    } cases[] = {
        {2, "2", 5, {1, 255}, 2, "%c u8 [2] = {1, 255}"},
        {2, "2", 5, {1, 256}, 2, "!holds 256, which is no u8"},
        {3, "2", 5, {1, -1}, 2, "%c i8 [2] = {1, -1}"},
        {4, "1", 5, {65535}, 1, "%c u16 [1] = {65535}"},
        {5, "1", 5, {-2}, 1, "%c i16 [1] = {-2}"},
        {6, "1", 5, {-3}, 1, "%c i32 [1] = {-3}"},
        {7, "2", 7, {-1, INT64_MAX}, 2, "%c i64 [2] = {-1, 9223372036854775807}"},
        {9, "2", 5, {0, 1}, 2, "%c bool [2] = {0, 1}"},
        {9, "1", 5, {2}, 1, "!holds 2, which is no bool"},
        {10, "1", 5, {0x3c00}, 1, "%c f16 [1] = {1}"},
        {12, "1", 11, {4000000000}, 1, "%c u32 [1] = {4000000000}"},
        {12, "1", 11, {5000000000}, 1, "!too large for u32"},
        {13, "1", 11, {5}, 1, "%c u64 [1] = {5}"},
        {16, "1", 5, {0x3f80}, 1, "%c bf16 [1] = {1}"},
        {21, "3", 5, {0xf1, 0x02}, 2, "%c u4 [3] = {1, 15, 2}"},
        {22, "3", 5, {0xf1, 0x02}, 2, "%c i4 [3] = {1, -1, 2}"},
        {17, "2", 5, {0x38, 0xff}, 2, "%c f8e4m3fn [2] = {56, 255}"},
        {17, "1", 5, {256}, 1, "!holds 256, which is no f8e4m3fn"},
        {23, "3", 5, {0xf1, 0x02}, 2, "%c f4e2m1 [3] = {1, 15, 2}"},
        {26, "5", 5, {0xe4, 0x02}, 2, "%c i2 [5] = {0, 1, -2, -1, -2}"},
        {6, "3", 5, {1, 2}, 2, "!has 2 numbers in int32_data where its shape needs 3"},
        {6, "1", 7, {1}, 1, "!has 0 numbers in int32_data"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf t = packed_tensor(cases[i].type, cases[i].dims, cases[i].field,
                                        cases[i].values, cases[i].n);
        expect_tensor(&t, cases[i].want);
    }
    /* floats, packed and not */
    struct strbuf t = tensor_of(ONNX_F32, "2");
    pb_bytes(&t, 4, "\0\0\x80\x3f\0\0\0\x40", 8);
    expect_tensor(&t, "%c f32 [2] = {1, 2}");
    t = tensor_of(ONNX_F32, "2");
    pb_float(&t, 4, 1.5f);
    pb_float(&t, 4, -2.0f);
    expect_tensor(&t, "%c f32 [2] = {1.5, -2}");
    t = tensor_of(11, "1");
    pb_bytes(&t, 10, "\0\0\0\0\0\0\x08\xc0", 8);
    expect_tensor(&t, "%c f64 [1] = {-3}");
}

static struct strbuf external_tensor(const char *location, const char *offset, const char *length)
{
    const char *const pairs[][2] = {{"location", location}, {"offset", offset}, {"length", length}};
    struct strbuf t = tensor_of(ONNX_F32, "2");
    for (size_t i = 0; i < 3; i++) {
        struct strbuf entry;
        strbuf_init(&entry, &arena);
        if (!pairs[i][1])
            continue;
        pb_string(&entry, 1, pairs[i][0]);
        pb_string(&entry, 2, pairs[i][1]);
        pb_sub(&t, 13, &entry);
    }
    pb_int(&t, 14, 1);
    return t;
}

static void data_in_other_files(void **state)
{
    (void)state;
    support_write_file(support_printf("%s/w.bin", support_tmp()),
                       "\0\0\0\0\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40", 16);
    static const struct {
        const char *location, *offset, *length, *want;
    } cases[] = {
        {"w.bin", "4", "8", "%c f32 [2] = {1, 2}"},
        {"./w.bin", "8", NULL, "%c f32 [2] = {2, 3}"},
        {"w.bin", NULL, NULL, "%c f32 [2] = {0, 1}"},
        {"w.bin", "12", "8", "!ends at byte 20 of the file 'w.bin', which has 16"},
        {"w.bin", "9223372036854775807", "8", "!ends at byte"},
        {"w.bin", "-1", "8", "!the offset of initializer 'c' in an external file is '-1'"},
        {"w.bin", "0", "4", "!has 4 bytes in the file 'w.bin' where its shape needs 8"},
        {"../w.bin", "0", "8", "!not inside the model's folder"},
        {"a/../../w.bin", "0", "8", "!not inside the model's folder"},
        {"/etc/passwd", "0", "8", "!not inside the model's folder"},
        {NULL, "0", "8", "!not inside the model's folder"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf t = external_tensor(cases[i].location, cases[i].offset, cases[i].length);
        expect_tensor(&t, cases[i].want);
    }
    struct strbuf t = external_tensor("absent.bin", "0", "8");
    struct onnx_model m;
    error_init(&err);
    onnx_begin(&m, &arena, 21);
    pb_sub(&m.graph, 5, &t);
    onnx_output(&m.graph, "c", ONNX_F32, NULL);
    assert_null(import_onnx(&m));
    assert_non_null(strstr(err.text, "absent.bin"));
}

/* Indices of one dimension number the elements; of two, [count, rank], there is one per dimension.
   NULL: left out. */
static struct strbuf sparse_of(const char *name, const char *count, const char *index_dims,
                               const char *indices, const char *dims)
{
    struct strbuf sparse, t;
    strbuf_init(&sparse, &arena);
    if (count) {
        onnx_tensor_begin(&t, &arena, name, ONNX_U8, count);
        pb_bytes(&t, 9, "\5\6\7", strtoul(count, NULL, 10));
        pb_sub(&sparse, 1, &t);
    }
    if (index_dims) {
        onnx_tensor_begin(&t, &arena, "", ONNX_I64, index_dims);
        pb_each_word(&t, indices, onnx_int64_word);
        pb_sub(&sparse, 2, &t);
    }
    for (; *dims; dims += strcspn(dims, ","), dims += *dims == ',')
        pb_int(&sparse, 3, strtoll(dims, NULL, 10));
    return sparse;
}

static void sparse_data(void **state)
{
    (void)state;
    static const struct {
        const char *count, *index_dims, *indices, *dims, *want;
    } cases[] = {
        {"3", "3", "0,2,5", "2,3", "%c u8 [2,3] = {5, 0, 6, 0, 0, 7}"},
        {"2", "2,2", "0,1,1,0", "2,3", "%c u8 [2,3] = {0, 5, 0, 6, 0, 0}"},
        {"0", "0", "", "2", "%c u8 [2] = {0, 0}"},
        {"2", "2", "2,0", "3", "!index 1 of "},
        {"2", "2", "1,1", "3", "!is outside its shape or not above the one before"},
        {"2", "2", "1,6", "2,3", "!index 1 of "},
        {"2", "2,2", "0,1,0,3", "2,3", "!index 1 of "},
        {"2", "2,2", "0,-1,0,1", "2,3", "!index 0 of "},
        {"2", "3", "0,1,2", "3", "!do not belong to its values"},
        {"2", "2,1", "0,1", "2,3", "!do not belong to its values"},
        {"2", "2", "0,1", "-3", "!which is negative or too large"},
        {"2", "2", "0,1", "1000000,1000000", "!would take 1000000000000 bytes with its zeros"},
        {NULL, "2", "0,1", "3", "!has no values"},
        {"2", NULL, "", "3", "!has no indices"},
    };
    for (size_t i = 0; i < 2 * (sizeof cases / sizeof *cases); i++) {
        struct onnx_model m;
        struct strbuf node, attr, sparse;
        bool is_attribute = i % 2;
        error_init(&err);
        sparse = sparse_of("c", cases[i / 2].count, cases[i / 2].index_dims, cases[i / 2].indices,
                           cases[i / 2].dims);
        onnx_begin(&m, &arena, 21);
        if (is_attribute) {
            onnx_node_begin(&node, &arena, "Constant", "", "c", "");
            strbuf_init(&attr, &arena);
            pb_string(&attr, 1, "sparse_value");
            pb_sub(&attr, 22, &sparse);
            pb_int(&attr, 20, 11);
            pb_sub(&node, 5, &attr);
            pb_sub(&m.graph, 1, &node);
        } else {
            pb_sub(&m.graph, 15, &sparse);
        }
        onnx_node(&m.graph, "Identity", "c", "y", "");
        onnx_output(&m.graph, "y", ONNX_U8, NULL);
        struct graph *g = import_onnx(&m);
        if (*cases[i / 2].want == '!')
            expect_error(g, cases[i / 2].want + 1);
        else
            expect_text(g, cases[i / 2].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(raw_data_of_every_type, setup_import, teardown),
        cmocka_unit_test_setup_teardown(lists_of_every_type, setup_import, teardown),
        cmocka_unit_test_setup_teardown(data_in_other_files, setup_import, teardown),
        cmocka_unit_test_setup_teardown(sparse_data, setup_import, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
