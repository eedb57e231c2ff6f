/*
 * test_archive.c: static libraries as the system's tools read them.
 */
#include <stdlib.h>

#include "bundle/write/archive.h"
#include "tests/support/fixture.h"
#include "tests/support/support.h"

/* An object of the C compiler; the arena's. */
static struct archive_member compiled(const char *name, const char *source)
{
    const char *dir = support_tmp();
    const char *c = support_printf("%s/part.c", dir), *o = support_printf("%s/part.o", dir);
    support_write_file(c, source, strlen(source));
    assert_int_equal(support_run(support_printf("%s -c -o %s %s", support_cc(), o, c), NULL), 0);
    size_t size;
    char *data = support_read_file(o, &size);
    struct archive_member m = {name, {arena_copy(&arena, data, size), size}};
    free(data);
    return m;
}

static const char *path_of(const char *name)
{
    return support_printf("%s/%s", support_tmp(), name);
}

static void must_run(const char *command, const char *want)
{
    char *text;
    if (support_run(command, &text) != 0)
        fail_msg("%s\n%s", command, text);
    if (want)
        assert_string_equal(text, want);
    free(text);
}

/* Three members, of which a program needs two; one has a long name, one an odd size. */
static void three(void)
{
    struct archive_member m[3] = {
        compiled("first.o", "int second(void); int first(void); int first(void)"
                            "{ return second() + 1; }"),
        compiled("a_name_of_more_than_fifteen_characters.o",
                 "int second(void); int second(void) { return 41; } int common_;"),
        compiled("unused.o", "int missing(void); int unused(void);"
                             "int unused(void) { return missing(); }"),
    };
    struct bytes archive;
    uint8_t *odd = arena_alloc(&arena, m[0].data.size + 1);
    memcpy(odd, m[0].data.data, m[0].data.size);
    m[0].data = (struct bytes){odd, m[0].data.size + 1 - m[0].data.size % 2};
    if (!archive_make(&arena, m, 3, &archive, &err))
        fail_msg("%s", err.text);
    support_write_file(path_of("libthree.a"), archive.data, archive.size);
}

static void a_program_links_with_it(void **state)
{
    (void)state;
    three();
    static const char program[] = "int first(void); int main(void) { return first() - 42; }";
    support_write_file(path_of("main.c"), program, strlen(program));
    must_run(support_printf("cd %s && %s main.c -L. -lthree -o main && ./main", support_tmp(),
                            support_cc()),
             "");
}

static void the_tools_read_it(void **state)
{
    (void)state;
    three();
    must_run(support_printf("cd %s && ar t libthree.a", support_tmp()),
             "first.o\na_name_of_more_than_fifteen_characters.o\nunused.o\n");
    /* The index, without the members' own tables. */
    must_run(support_printf("cd %s && nm -s libthree.a | sed -n '/^Archive index/,/^$/p' | sort",
                            support_tmp()),
             "\nArchive index:\n"
             "common_ in a_name_of_more_than_fifteen_characters.o\n"
             "first in first.o\n"
             "second in a_name_of_more_than_fifteen_characters.o\n"
             "unused in unused.o\n");
}

/* ar's own archive of what it takes out of ours is the same. */
static void it_is_that_of_gnu_ar(void **state)
{
    (void)state;
    three();
    must_run(support_printf("cd %s && rm -f gnu.a && ar x libthree.a && ar rcsD gnu.a first.o "
                            "a_name_of_more_than_fifteen_characters.o unused.o && "
                            "cmp libthree.a gnu.a",
                            support_tmp()),
             "");
}

static void what_is_no_object_is_refused(void **state)
{
    (void)state;
    static const uint8_t text[] = "no object";
    struct archive_member m = {"notes.txt", {text, sizeof text}};
    struct bytes archive = {0};
    assert_false(archive_make(&arena, &m, 1, &archive, &err));
    assert_int_equal(err.status, SHEAF_ERROR_FORMAT);
    assert_non_null(strstr(err.text, "notes.txt: it is no object for a library: "));
    assert_null(archive.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_program_links_with_it, setup, teardown),
        cmocka_unit_test_setup_teardown(the_tools_read_it, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_that_of_gnu_ar, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_object_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
