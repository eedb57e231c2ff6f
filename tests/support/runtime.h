/*
 * runtime.h: what the tests of the devices' runtimes share: calls that must succeed or fail in one
 * sentence, and memory that runs out.  A program is linked with one runtime, made with limited.h.
 */
#ifndef SHEAF_TESTS_RUNTIME_H
#define SHEAF_TESTS_RUNTIME_H

#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* setenv */
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle/runtime.h"

/* How many allocations of the host's memory succeed; negative: all. */
static int allocations_left = -1;
int limited_may_allocate(void);
int limited_may_allocate(void)
{
    if (allocations_left == 0)
        return 0;
    if (allocations_left > 0)
        allocations_left--;
    return 1;
}

/* What the simulator says of the last fault; NULL where it says nothing. */
static const char *(*read_error)(void);

/* For what is opened from now on. */
static inline void simulate(const char *setting, const char *value)
{
    if (value)
        assert_int_equal(setenv(setting, value, 1), 0);
    else
        assert_int_equal(unsetenv(setting), 0);
}

/* ---- status and sentence ---- */

static inline void expect_ok(enum sheaf_status status, const struct sheaf_error *error)
{
    if (status != SHEAF_OK)
        fail_msg("status %d: %s (%s)", status, error->text, read_error ? read_error() : "");
    assert_string_equal(error->text, "");
}

static inline void check_fault(enum sheaf_status got, enum sheaf_status want,
                               const struct sheaf_error *error, const char *part)
{
    if (got != want || error->status != want || !strstr(error->text, part) ||
        strchr(error->text, '\n'))
        fail_msg("status %d, not %d: '%s' (which should say '%s')", got, want, error->text, part);
}

/* ---- bundles ---- */

static inline struct sheaf_tensor_desc tensor(const sheaf_bundle *b, const char *name)
{
    struct sheaf_tensor_desc t;
    struct sheaf_error error;
    expect_ok(sheaf_tensor(b, name, &t, &error), &error);
    return t;
}

static inline void run_bundle(sheaf_bundle *b)
{
    struct sheaf_error error;
    expect_ok(sheaf_run(b, &error), &error);
}

/* All elements of a tensor of floats. */
static inline void fill_all(const sheaf_bundle *b, const char *name, float value)
{
    struct sheaf_tensor_desc t = tensor(b, name);
    for (size_t i = 0; i < t.size_bytes / sizeof value; i++)
        ((float *)t.data)[i] = value;
}

static inline void expect_all(const sheaf_bundle *b, const char *name, float want)
{
    struct sheaf_tensor_desc t = tensor(b, name);
    for (size_t i = 0; i < t.size_bytes / sizeof want; i++)
        assert_true(((const float *)t.data)[i] == want);
}

/* Of a network whose state `sum` grows by the input `x`, which is 1: another context begins anew;
   state can be cleared and, as on the CPU, given.  Closes the bundle. */
static inline void expect_state_of_contexts(sheaf_bundle *a)
{
    struct sheaf_error error;
    sheaf_bundle *b = NULL;
    expect_ok(sheaf_attach(a, &b, &error), &error);
    fill_all(b, "x", 1);
    run_bundle(b);
    expect_all(b, "sum", 1);
    sheaf_reset_state(a);
    run_bundle(a);
    expect_all(a, "sum", 1);
    fill_all(a, "sum", 40);
    run_bundle(a);
    expect_all(a, "sum", 41);
    sheaf_close(a);
    sheaf_close(b);
}

#endif
