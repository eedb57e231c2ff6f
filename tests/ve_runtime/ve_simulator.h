/*
 * ve_simulator.h: for the tests of the Vector Engine's runtime: the simulated AVEO.
 */
#ifndef SHEAF_TESTS_VE_RUNTIME_VE_SIMULATOR_H
#define SHEAF_TESTS_VE_RUNTIME_VE_SIMULATOR_H

#include "tests/support/runtime.h"

#include <dlfcn.h>

#include "tests/sim/veo.h"
#include "tests/support/simulator.h"
#include "tests/support/support.h"
#include "ve_runtime/ve_runtime.h"

static void (*read_counters)(struct sim_veo_counters *out);

static inline void open_simulator(void)
{
    assert_true(simulator_open_ve());
    void *library = dlopen("libveo.so.1", RTLD_NOW | RTLD_NOLOAD);
    assert_non_null(library);
    void *counters = dlsym(library, "sim_veo_counters"), *error = dlsym(library, "sim_veo_error");
    assert_non_null(counters);
    assert_non_null(error);
    memcpy(&read_counters, &counters, sizeof counters);
    memcpy(&read_error, &error, sizeof error);
    assert_int_equal(setenv("SHEAF_SIM_VE_CHECK", "1", 1), 0);
}

static inline struct sim_veo_counters counters(void)
{
    struct sim_veo_counters c;
    read_counters(&c);
    return c;
}

/* Files that the runtime makes lie here for their time. */
static inline const char *temporary_folder(void)
{
    static const char *folder;
    if (!folder) {
        folder = support_printf("%s/temporary", support_tmp());
        assert_int_equal(support_run(support_printf("mkdir -p '%s'", folder), NULL), 0);
    }
    return folder;
}

static inline void expect_no_file(void)
{
    char *out;
    assert_int_equal(support_run(support_printf("ls -A '%s'", temporary_folder()), &out), 0);
    assert_string_equal(out, "");
    free(out);
}

static inline void expect_nothing_left(void)
{
    struct sim_veo_counters c = counters();
    assert_int_equal(c.processes, 0);
    assert_int_equal(c.contexts, 0);
    assert_int_equal(c.args, 0);
    assert_int_equal(c.requests, 0);
    assert_int_equal(c.allocations, 0);
    assert_int_equal(c.bytes, 0);
    expect_no_file();
}

static inline void set_cores(sheaf_bundle *b, uint32_t n)
{
    struct sheaf_error error;
    expect_ok(sheaf_ve_set_cores(b, n, &error), &error);
}

#endif
