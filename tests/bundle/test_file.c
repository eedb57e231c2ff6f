/*
 * Reading files, and writing them whole or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle/write/file.h"
#include "tests/support/support.h"

static struct arena arena;
static struct error err;
static const char *dir;

static int setup(void **state)
{
    (void)state;
    static int n;
    arena_init(&arena);
    error_init(&err);
    dir = arena_printf(&arena, "%s/%d", support_tmp(), n++);
    return support_run(support_printf("mkdir -p '%s'", dir), NULL);
}

static int teardown(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static const char *in_dir(const char *name)
{
    return arena_printf(&arena, "%s/%s", dir, name);
}

static void expect_content(const char *path, const char *want)
{
    char *got = support_read_file(path, NULL);
    if (!want)
        assert_null(got);
    else
        assert_string_equal(got, want);
    free(got);
}

/* Names in the folder, one a line, hidden ones too. */
static void expect_names(const char *want)
{
    char *got;
    support_run(support_printf("LC_ALL=C ls -A '%s'", dir), &got);
    assert_string_equal(got, want);
    free(got);
}

static void test_read_and_map(void **state)
{
    (void)state;
    uint8_t *data;
    size_t size;
    struct file_map map = {0};
    file_unmap(&map);
    static const char *const contents[] = {"", "x", "two\nlines"};
    for (int i = 0; i < 3; i++) {
        support_write_file(in_dir("f"), contents[i], strlen(contents[i]));
        assert_true(file_read(&arena, in_dir("f"), 100, &data, &size, &err));
        assert_int_equal(size, strlen(contents[i]));
        assert_string_equal((const char *)data, contents[i]);
        assert_true(file_map(in_dir("f"), 100, &map, &err));
        assert_int_equal(map.size, size);
        assert_memory_equal(map.data, contents[i], size);
        file_unmap(&map);
        assert_null(map.data);
    }
}

static void expect_read_fault(const char *path, int64_t limit, enum sheaf_status status,
                              const char *sentence)
{
    uint8_t *data;
    size_t size;
    struct file_map map;
    error_init(&err);
    assert_false(file_read(&arena, path, limit, &data, &size, &err));
    assert_int_equal(err.status, status);
    assert_string_equal(err.text, sentence);
    error_init(&err);
    assert_false(file_map(path, limit, &map, &err));
    assert_string_equal(err.text, sentence);
}

static void test_read_faults(void **state)
{
    (void)state;
    const char *path = in_dir("f");
    expect_read_fault(path, 10, SHEAF_ERROR_NOT_FOUND,
                      support_printf("%s: cannot open the file: No such file or directory", path));
    expect_read_fault(dir, 10, SHEAF_ERROR_IO,
                      support_printf("%s: a file is needed here, this is a folder", dir));
    expect_read_fault("/dev/zero", 10, SHEAF_ERROR_IO, "/dev/zero: this is not a regular file");
    support_write_file(path, "0123456789a", 11);
    expect_read_fault(path, 10, SHEAF_ERROR_MEMORY,
                      support_printf("%s: the file has 11 bytes, more than the limit of 10", path));
}

static void test_write(void **state)
{
    (void)state;
    const char *path = in_dir("f");
    assert_true(file_write_atomic(path, "first", 5, &err));
    expect_content(path, "first");
    assert_true(file_write_atomic(path, "2nd", 3, &err));
    expect_content(path, "2nd");
    assert_true(file_write_atomic(path, "", 0, &err));
    expect_content(path, "");
    expect_names("f\n");
    /* A device stays a device. */
    assert_true(file_write_atomic("/dev/null", "x", 1, &err));
    assert_int_equal(support_run("test -c /dev/null", NULL), 0);
}

static void test_write_faults(void **state)
{
    (void)state;
    const char *path = in_dir("absent/f");
    assert_false(file_write_atomic(path, "x", 1, &err));
    assert_int_equal(err.status, SHEAF_ERROR_NOT_FOUND);
    assert_string_equal(
        err.text, support_printf("%s: cannot write the file: No such file or directory", path));
    error_init(&err);
    assert_false(file_write_atomic(dir, "x", 1, &err));
    assert_string_equal(err.text,
                        support_printf("%s: cannot write the file: this is a folder", dir));
    /* A full device: the sentence comes from the write. */
    error_init(&err);
    assert_false(file_write_atomic("/dev/full", "x", 1, &err));
    assert_string_equal(err.text, "/dev/full: cannot write the file: No space left on device");
    expect_names("");
}

static void test_group(void **state)
{
    (void)state;
    support_write_file(in_dir("b"), "old", 3);
    struct file_group *g = file_group_create(&arena);
    assert_true(file_group_make_dir(g, dir, &err)); /* exists */
    assert_true(file_group_add(g, in_dir("a"), "A", 1, &err));
    assert_true(file_group_add(g, in_dir("b"), "B", 1, &err));
    /* Nothing has its name before the commit. */
    expect_content(in_dir("a"), NULL);
    expect_content(in_dir("b"), "old");
    assert_true(file_group_commit(g, &err));
    file_group_abort(g); /* nothing to do */
    expect_content(in_dir("a"), "A");
    expect_content(in_dir("b"), "B");
    expect_names("a\nb\n");
}

static void test_group_abort(void **state)
{
    (void)state;
    support_write_file(in_dir("kept"), "old", 3);
    struct file_group *g = file_group_create(&arena);
    assert_true(file_group_make_dir(g, in_dir("made"), &err));
    assert_true(file_group_add(g, in_dir("made/a"), "A", 1, &err));
    assert_true(file_group_add(g, in_dir("kept"), "new", 3, &err));
    assert_false(file_group_add(g, in_dir("absent/c"), "C", 1, &err));
    file_group_abort(g);
    expect_names("kept\n");
    expect_content(in_dir("kept"), "old");
}

/* The second rename fails: the first file goes too. */
static void test_group_commit_fails(void **state)
{
    (void)state;
    struct file_group *g = file_group_create(&arena);
    assert_true(file_group_add(g, in_dir("a"), "A", 1, &err));
    assert_true(file_group_add(g, in_dir("b"), "B", 1, &err));
    assert_int_equal(support_run(support_printf("mkdir -p '%s/b'", dir), NULL), 0);
    assert_false(file_group_commit(g, &err));
    assert_int_equal(err.status, SHEAF_ERROR_IO);
    file_group_abort(g);
    expect_names("b\n");
}

static void test_make_dir_faults(void **state)
{
    (void)state;
    struct file_group *g = file_group_create(&arena);
    support_write_file(in_dir("f"), "x", 1);
    assert_false(file_group_make_dir(g, in_dir("f"), &err));
    assert_string_equal(err.text,
                        support_printf("%s: a folder is needed here, this is a file", in_dir("f")));
    error_init(&err);
    assert_false(file_group_make_dir(g, in_dir("x/y"), &err));
    assert_string_equal(
        err.text,
        support_printf("%s: cannot make the folder: No such file or directory", in_dir("x/y")));
    file_group_abort(g);
    expect_names("f\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read_and_map, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_group, setup, teardown),
        cmocka_unit_test_setup_teardown(test_group_abort, setup, teardown),
        cmocka_unit_test_setup_teardown(test_group_commit_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_make_dir_faults, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
