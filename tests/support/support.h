/*
 * support.h: where a test program finds its surroundings.
 *
 * tests/run sets the environment; a program started by hand from the top of the checkout gets
 * the defaults in brackets.  Nothing here is freed: paths live as long as the program.
 */
#ifndef SHEAF_TESTS_SUPPORT_H
#define SHEAF_TESTS_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void support_filter_tests(void); /* by $SHEAF_TEST; runs by itself before main */

const char *support_source(void); /* $SHEAF_SOURCE ["."]: top of the checkout */
const char *support_build(void);  /* $SHEAF_BUILD ["build"]: top of the build tree */
const char *support_loader(void); /* the tool: BUILD/loader/loader */
const char *support_cc(void);     /* $CC ["cc"]: the C compiler, for what a user would compile */
const char *support_tmp(void);    /* $SHEAF_TMP, else made: an empty folder for this program */

bool support_quick(void); /* $SHEAF_QUICK: a repetition on a second build; leave out heavy cases */
bool support_full(void);  /* $SHEAF_FULL: check-full or conformance; take all the time needed */

/* The path of `rel` inside the test data ($SHEAF_TEST_DATA ["../shared"]), or NULL if absent. */
const char *support_data(const char *rel);

/* The path of `rel` inside the unpacked models ($SHEAF_MODELS), or NULL if absent. */
const char *support_model(const char *rel);

/* printf into a string that lives as long as the program. */
const char *support_printf(const char *fmt, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 1, 2)))
#endif
    ;

/* The whole file with a NUL after it, or NULL; malloc'ed, the caller frees. */
char *support_read_file(const char *path, size_t *out_size);
void support_write_file(const char *path, const void *data, size_t size);

/* Prints the name of each file of the folder that ends so, in the order of names, and calls fn with
   name and content, which fn may change.  Returns how many there were. */
size_t support_each_file(const char *folder, const char *ending,
                         void (*fn)(const char *name, char *text));

/* Runs a shell command; returns its exit status (128 + signal where one ended it).  `out` may be
   NULL, else receives stdout and stderr together, malloc'ed. */
int support_run(const char *command, char **out);

/* Fails the current test where the texts differ: prints what is there and names the first line that
   differs.  `what` says which case it is. */
void support_assert_same_text(const char *what, const char *got, const char *want);

/* Ends the current test as skipped, naming what is missing, where `path` is NULL. */
#define SUPPORT_NEED(path, what)                                                                   \
    do {                                                                                           \
        if ((path) == NULL) {                                                                      \
            print_message("skipped for want of %s\n", (what));                                     \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

#endif
