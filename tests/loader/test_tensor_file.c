/*
 * Tensor files: what is written is read again, files of other programs are understood, and damage
 * is one sentence.
 */
#include <stdio.h>
#include <stdlib.h>

#include "loader/input/random.h"
#include "loader/input/tensor_file.h"
#include "tests/support/fixture.h"
#include "tests/support/support.h"

static const char *path_of(const char *name)
{
    return support_printf("%s/%s", support_tmp(), name);
}

static struct tensor *random_tensor(enum dtype dtype, int rank, const int64_t *dims)
{
    struct tensor *t = tensor_new(&arena, dtype, rank, dims);
    random_fill(dtype, tensor_elems(t), 7, tensor_data(t));
    return t;
}

static bool numpy_has(enum dtype t)
{
    return t != DTYPE_BF16 && dtype_bits(t) >= 8 && !dtype_is_coded(t);
}

/* Every type, ranks 0 to 4, an empty tensor, all three formats. */
static void test_round_trip(void **state)
{
    (void)state;
    static const struct {
        int rank;
        int64_t dims[4];
    } shapes[] = {{0, {0}}, {1, {5}}, {2, {3, 4}}, {4, {1, 3, 2, 5}}, {2, {0, 4}}};
    static const char *const names[] = {"t.npy", "t.pb", "t.bin"};
    for (int dtype = DTYPE_NONE + 1; dtype < DTYPE_COUNT; dtype++) {
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            struct tensor *t = random_tensor((enum dtype)dtype, shapes[s].rank, shapes[s].dims);
            for (int f = 0; f < 3; f++) {
                const struct tensor *got = NULL;
                if (f == 0 && !numpy_has(t->dtype))
                    continue;
                if (!tensor_file_write(path_of(names[f]), "t", t, &err) ||
                    !tensor_file_read(&arena, path_of(names[f]), "x", t, &got, &err))
                    fail_msg("%s %s: %s", names[f], tensor_describe(&arena, t), err.text);
                assert_memory_equal(got->data, t->data, (size_t)tensor_bytes(t));
            }
        }
    }
}

/* Files that numpy.save wrote: format 1.0 and, of a long header, 2.0. */
static void test_numpy_files(void **state)
{
    (void)state;
    static const char head[] = "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, "
                               "'shape': (2, 1), }";
    char file[128 + 8 + 2];
    memset(file, ' ', sizeof file);
    memcpy(file, head, sizeof head - 1);
    file[127] = '\n';
    memcpy(file + 128, (float[]){1.5f, -2}, 8);
    support_write_file(path_of("v1.npy"), file, 136);
    struct tensor want = {.dtype = DTYPE_F32, .rank = 2, .dims = {2, 1}};
    const struct tensor *got;
    if (!tensor_file_read(&arena, path_of("v1.npy"), "x", &want, &got, &err))
        fail_msg("%s", err.text);
    assert_true(tensor_get(got, 0) == 1.5 && tensor_get(got, 1) == -2);

    /* The same with a header length of four bytes. */
    memmove(file + 12, file + 10, sizeof file - 12);
    memcpy(file + 6, "\x02\x00v\x00\x00\x00", 6);
    support_write_file(path_of("v2.npy"), file, 138);
    if (!tensor_file_read(&arena, path_of("v2.npy"), "x", &want, &got, &err))
        fail_msg("%s", err.text);
    assert_true(tensor_get(got, 0) == 1.5 && tensor_get(got, 1) == -2);
}

/* What NumPy reads must have its data aligned to 64 and end the header with a newline. */
static void test_numpy_alignment(void **state)
{
    (void)state;
    static const int64_t dims[] = {2, 3, 4};
    for (int rank = 0; rank <= 3; rank++) {
        struct tensor *t = random_tensor(DTYPE_F16, rank, dims);
        struct strbuf out;
        strbuf_init(&out, &arena);
        assert_true(npy_print(&out, "t.npy", t, &err));
        size_t start = out.len - (size_t)tensor_bytes(t);
        assert_int_equal(start % 64, 0);
        assert_int_equal(out.text[start - 1], '\n');
        assert_int_equal((uint8_t)out.text[8] + 256 * (uint8_t)out.text[9], start - 10);
    }
}

static void expect_npy_fault(const char *header, size_t data_bytes, const char *sentence)
{
    char file[512];
    size_t n = strlen(header);
    memset(file, 0, sizeof file);
    memcpy(file, "\x93NUMPY\x01\x00", 8);
    file[8] = (char)n;
    file[9] = 0;
    memcpy(file + 10, header, n);
    const struct tensor *t;
    error_init(&err);
    assert_false(npy_parse(&arena, "t.npy", (const uint8_t *)file, 10 + n + data_bytes, &t, &err));
    assert_string_equal(err.text, sentence);
}

static void test_npy_faults(void **state)
{
    (void)state;
    expect_npy_fault("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", 4,
                     "t.npy: elements of the NumPy type '>f4' cannot be read");
    expect_npy_fault("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", 8,
                     "t.npy: elements of the NumPy type '<c8' cannot be read");
    expect_npy_fault("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", 4,
                     "t.npy: the .npy header states no simple type");
    expect_npy_fault("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", 4,
                     "t.npy: the array is in Fortran order; save it with numpy.ascontiguousarray");
    expect_npy_fault("{'descr': '<f4', 'fortran_order': False, 'shape': (1,2), }", 4,
                     "t.npy: f32[1,2] needs 8 bytes of data, the file has 4");
    expect_npy_fault("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 4,
                     "t.npy: the .npy header states no valid shape");
    expect_npy_fault("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
                     4, "t.npy: the .npy header states no valid shape");
    expect_npy_fault("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 4)}", 4,
                     "t.npy: the .npy header states no valid shape");
    expect_npy_fault("{'descr': '<f4', 'fortran_order': False, 'shape': (1", 4,
                     "t.npy: the .npy header states no valid shape");
    expect_npy_fault("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", 4,
                     "t.npy: the array has more than 8 dimensions");
    expect_npy_fault("", 0, "t.npy: the .npy header states no simple type");
}

static void expect_read_fault(const char *name, const struct tensor *want, const char *sentence)
{
    const struct tensor *t;
    error_init(&err);
    assert_false(tensor_file_read(&arena, path_of(name), "data", want, &t, &err));
    assert_string_equal(err.text, support_printf("%s: %s", path_of(name), sentence));
}

static void test_mismatch(void **state)
{
    (void)state;
    struct tensor *t = random_tensor(DTYPE_F32, 2, (int64_t[]){2, 3});
    static const char *const names[] = {"t.npy", "t.pb"};
    for (int f = 0; f < 2; f++) {
        assert_true(tensor_file_write(path_of(names[f]), "t", t, &err));
        struct tensor want = *t;
        want.dims[0] = 3;
        expect_read_fault(names[f], &want,
                          "the file holds f32[2,3], but the input 'data' is f32[3,3]");
        want = *t;
        want.rank = 1;
        expect_read_fault(names[f], &want,
                          "the file holds f32[2,3], but the input 'data' is f32[2]");
        want = *t;
        want.dtype = DTYPE_I32;
        expect_read_fault(names[f], &want,
                          "the file holds f32[2,3], but the input 'data' is i32[2,3]");
    }
    assert_true(tensor_file_write(path_of("t.bin"), "t", t, &err));
    struct tensor want = *t;
    want.dims[1] = 2;
    expect_read_fault("t.bin", &want, "f32[2,2] needs 16 bytes, the file has 24");
    /* Not a tensor at all. */
    support_write_file(path_of("odd.npy"), "hello there", 11);
    expect_read_fault("odd.npy", t, "not a .npy file");
    support_write_file(path_of("bool.bin"), "\0\1\2", 3);
    want = (struct tensor){.dtype = DTYPE_BOOL, .rank = 1, .dims = {3}};
    expect_read_fault("bool.bin", &want, "element 2 is 2, a bool is 0 or 1");
}

/* No prefix of a file is a tensor, and none crashes. */
static void test_truncated(void **state)
{
    (void)state;
    struct tensor *t = random_tensor(DTYPE_I64, 2, (int64_t[]){2, 3});
    static const char *const names[] = {"t.npy", "t.pb"};
    for (int f = 0; f < 2; f++) {
        assert_true(tensor_file_write(path_of(names[f]), "", t, &err));
        size_t size;
        char *data = support_read_file(path_of(names[f]), &size);
        for (size_t n = 0; n < size; n++) {
            const struct tensor *got;
            error_init(&err);
            support_write_file(path_of(names[f]), data, n);
            if (tensor_file_read(&arena, path_of(names[f]), "x", t, &got, &err))
                fail_msg("%s is read after %zu of %zu bytes", names[f], n, size);
            assert_true(err.text[0] && !strchr(err.text, '\n'));
        }
        free(data);
    }
}

static void test_formats(void **state)
{
    (void)state;
    struct tensor *t = random_tensor(DTYPE_BF16, 1, (int64_t[]){2});
    assert_false(tensor_file_write(path_of("t.txt"), "t", t, &err));
    assert_non_null(strstr(err.text, "ends in .npy, .pb or .bin"));
    error_init(&err);
    assert_false(tensor_file_write(path_of("bf16.npy"), "t", t, &err));
    assert_non_null(strstr(err.text, "NumPy has no type for bf16: write a .pb or .bin file"));
    assert_null(support_read_file(path_of("bf16.npy"), NULL));
}

/* Recorded TensorProto files: raw_data and typed lists. */
static void test_recorded(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        struct tensor want;
    } files[] = {
        {"models/mnist_lenet/test_data_set_0/input_0.pb",
         {.dtype = DTYPE_F32, .rank = 4, .dims = {1, 1, 28, 28}}},
        {"models/onnx-mnist_8/test_data_set_0/input_0.pb",
         {.dtype = DTYPE_F32, .rank = 4, .dims = {1, 1, 28, 28}}},
        {"models/onnx-mlperf_resnet8/test_data_set_0/input_0.pb",
         {.dtype = DTYPE_F32, .rank = 4, .dims = {1, 3, 32, 32}}},
    };
    static const double largest[] = {1, 255, 235};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *path = support_data(files[i].path);
        SUPPORT_NEED(path, files[i].path);
        const struct tensor *t;
        if (!tensor_file_read(&arena, path, "x", &files[i].want, &t, &err))
            fail_msg("%s", err.text);
        double max = 0;
        for (int64_t k = 0; k < tensor_elems(t); k++)
            max = tensor_get(t, k) > max ? tensor_get(t, k) : max;
        assert_true(max == largest[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numpy_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numpy_alignment, setup, teardown),
        cmocka_unit_test_setup_teardown(test_npy_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mismatch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_truncated, setup, teardown),
        cmocka_unit_test_setup_teardown(test_formats, setup, teardown),
        cmocka_unit_test_setup_teardown(test_recorded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
