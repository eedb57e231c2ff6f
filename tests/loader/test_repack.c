/*
 * -replaceable-weights and -repack-weights: a program that was linked once takes weights that were
 * trained later, and no others.
 */
#define _XOPEN_SOURCE 700
#include "tests/loader/bundle_run.h"

#include "cpu_runtime/cpu_runtime.h"

static int setup(void **state)
{
    (void)state;
    write_net("net.onnx", "2", 2);
    compile("-m net.onnx -replaceable-weights -emit-bundle b");
    return 0;
}

/* The same network with other weights under the same name. */
static void retrain(uint32_t seed)
{
    write_net("net.onnx", "2", seed);
}

static char *content_of(const char *file, size_t *out_size)
{
    char *data = support_read_file(path_of(file), out_size);
    assert_non_null(data);
    return data;
}

/* What the runtime says of b/net.o with these weights, and y. */
static enum sheaf_status run_with(const void *weights, size_t size, struct result *out_result,
                                  struct sheaf_error *err)
{
    const char *library = support_printf("%s.so", path_of("b/net"));
    run_or_fail(
        support_printf("%s -shared '%s.o' -o '%s'", support_cc(), path_of("b/net"), library), NULL);
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(handle);
    struct sheaf_linked linked = {.config = symbol_of(handle, "net", "_config"),
                                  .info = symbol_of(handle, "net", "_info")};
    void *fn = symbol_of(handle, "net", "");
    memcpy(&linked.entry, &fn, sizeof fn);
    sheaf_bundle *b;
    enum sheaf_status status = sheaf_open_memory(&linked, weights, size, &b, err);
    if (status == SHEAF_OK) {
        struct sheaf_tensor_desc x, y;
        assert_int_equal(sheaf_tensor(b, "x", &x, err), SHEAF_OK);
        fill_input(x.data, 1);
        assert_int_equal(sheaf_run(b, err), SHEAF_OK);
        assert_int_equal(sheaf_tensor(b, "y", &y, err), SHEAF_OK);
        memcpy(out_result->y, y.data, sizeof out_result->y);
        sheaf_close(b);
    }
    dlclose(handle);
    return status;
}

static void later_weights_run_in_the_same_object(void **state)
{
    (void)state;
    size_t n_object, n_again, n_weights, n_later;
    struct result first, later, want;
    struct sheaf_error err;
    char *object = content_of("b/net.o", &n_object);
    char *weights = content_of("b/net.weights", &n_weights);
    assert_int_equal(run_with(weights, n_weights, &first, &err), SHEAF_OK);

    retrain(9);
    compile("-m net.onnx -repack-weights -emit-bundle b");
    char *again = content_of("b/net.o", &n_again);
    char *after = content_of("b/net.weights", &n_later);
    assert_int_equal(n_again, n_object);
    assert_memory_equal(again, object, n_object);
    assert_int_equal(n_later, n_weights);
    assert_int_equal(run_with(after, n_later, &later, &err), SHEAF_OK);

    compile("-m net.onnx -emit-bundle fresh");
    struct linked_entry fresh = open_entry("fresh/net", "net");
    want = run_entry(&fresh, 1);
    assert_memory_equal(later.y, want.y, sizeof want.y);
    assert_memory_not_equal(first.y, want.y, sizeof want.y);

    /* Made later or not, they are whole or refused. */
    after[100] ^= 1;
    assert_int_equal(run_with(after, n_later, &later, &err), SHEAF_ERROR_FORMAT);
    assert_non_null(strstr(err.text, "digest"));
    after[100] ^= 1;
    after[n_later - sizeof(struct sheaf_weights_trailer) + 8] ^= 1; /* layout_id */
    assert_int_equal(run_with(after, n_later, &later, &err), SHEAF_ERROR_FORMAT);
    assert_non_null(strstr(err.text, "another layout"));
    assert_int_equal(run_with(after, n_later - sizeof(struct sheaf_weights_trailer), &later, &err),
                     SHEAF_ERROR_FORMAT);
    assert_non_null(strstr(err.text, "replaceable weights"));
    free(object);
    free(weights);
    free(again);
    free(after);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    write_net("net.onnx", "3", 2);
    tool_expect_fault("-m net.onnx -repack-weights -emit-bundle b",
                      "the weights do not fit, for the model gives other code or another layout");
    retrain(2);
    compile("-m net.onnx -emit-bundle fixed");
    tool_expect_fault("-m net.onnx -repack-weights -emit-bundle fixed",
                      "was made for its own weights only");
    tool_expect_fault("-m net.onnx -repack-weights -emit-bundle nowhere", "nowhere/net.o");
    tool_expect_fault("-m net.onnx -repack-weights", "needs -emit-bundle");
    support_write_file(path_of("fixed/net.o"), "no object", 9);
    tool_expect_fault("-m net.onnx -repack-weights -emit-bundle fixed", "is no object");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(later_weights_run_in_the_same_object),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
