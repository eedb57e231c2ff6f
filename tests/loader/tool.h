/*
 * tool.h: the tool as its users call it, from the folder of the test.  A program that
 * includes other headers first defines _XOPEN_SOURCE itself.
 */
#ifndef SHEAF_TESTS_LOADER_TOOL_H
#define SHEAF_TESTS_LOADER_TOOL_H

#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* realpath */
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/support.h"

/* Commands run in another folder than the test. */
static inline const char *tool_absolute(const char *path)
{
    char *resolved = realpath(path, NULL);
    const char *text = support_printf("%s", resolved ? resolved : path);
    free(resolved);
    return text;
}

/* Runs `loader ARGS` in the folder of this test. */
static inline int tool_run(const char *args, char **out, char **errout)
{
    const char *errors = support_printf("%s.errors", support_tmp());
    int status = support_run(support_printf("cd '%s' && '%s' %s 2>'%s'", support_tmp(),
                                            tool_absolute(support_loader()), args, errors),
                             out);
    *errout = support_read_file(errors, NULL);
    assert_non_null(*errout);
    return status;
}

/* Exit code 0; returns what is printed, which the caller frees. */
static inline char *tool_said(const char *args)
{
    static char *out; /* where it ends with the function, gcc 12 warns of words found in the text */
    char *errout;
    int status = tool_run(args, &out, &errout);
    if (status != 0)
        fail_msg("'%s' exits with %d: %s%s", args, status, out, errout);
    free(errout);
    return out;
}

/* Whatever it prints. */
static inline void tool_must_run(const char *args)
{
    free(tool_said(args));
}

static inline void tool_expect(const char *args, int want_status, const char *want)
{
    char *out, *errout;
    int status = tool_run(args, &out, &errout);
    if (status != want_status || *errout)
        fail_msg("'%s' exits with %d: %s", args, status, errout);
    assert_string_equal(out, want);
    free(out);
    free(errout);
}

/* Exit code 1, `words` in the one line of stderr, and no new file. */
static inline void tool_expect_fault(const char *args, const char *words)
{
    char *out, *errout, *before, *after;
    const char *list = support_printf("find '%s' | sort", support_tmp());
    support_run(list, &before);
    int status = tool_run(args, &out, &errout);
    support_run(list, &after);
    size_t n = strlen(errout);
    if (status != 1 || strncmp(errout, "error: ", 7) != 0 ||
        strchr(errout, '\n') != errout + n - 1 || !strstr(errout, words))
        fail_msg("'%s' exits with %d: '%s', not with: %s", args, status, errout, words);
    assert_string_equal(before, after);
    free(out);
    free(errout);
    free(before);
    free(after);
}

#endif
