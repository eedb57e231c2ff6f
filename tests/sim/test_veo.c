/*
 * test_veo.c: the simulated AVEO, as a client of AVEO sees it.
 */
#define _XOPEN_SOURCE 700
#include "tests/support/ve_object.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "bundle/write/ve_shared.h"
#include "tests/sim/veo.h"
#include "tests/support/simulator.h"
#include "tests/support/support.h"
#include "ve_runtime/veo.h"

/* next: the number at p is one more, and the result what it was; wait: until it is not 0. */
static const char CODE[] = "define internal i64 @more(i64 %x) noinline {\n"
                           "  %y = add i64 %x, 1\n"
                           "  ret i64 %y\n"
                           "}\n"
                           "define i64 @next(ptr %p) {\n"
                           "  %x = load i64, ptr %p\n"
                           "  %y = call i64 @more(i64 %x)\n"
                           "  store i64 %y, ptr %p\n"
                           "  ret i64 %x\n"
                           "}\n"
                           "define i64 @wait(ptr %p) {\n"
                           "  br label %again\n"
                           "again:\n"
                           "  %x = load atomic i64, ptr %p acquire, align 8\n"
                           "  %none = icmp eq i64 %x, 0\n"
                           "  br i1 %none, label %again, label %end\n"
                           "end:\n"
                           "  ret i64 %x\n"
                           "}\n";

static struct veo veo;
static void (*read_counters)(struct sim_veo_counters *out);
static const char *library_path;

static int prepare(void **state)
{
    (void)state;
    static const char *const names[] = {
#define NAME(type, name, parameters) #name,
        VEO_FUNCTIONS(NAME)
#undef NAME
    };
    struct arena a;
    struct error err;
    struct bytes library;
    assert_true(simulator_open_ve());
    void *there = dlopen("libveo.so.1", RTLD_NOW | RTLD_NOLOAD);
    assert_non_null(there);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *function = dlsym(there, names[i]);
        assert_non_null(function);
        memcpy((uint8_t *)&veo + i * sizeof function, &function, sizeof function);
    }
    void *counters = dlsym(there, "sim_veo_counters");
    assert_non_null(counters);
    memcpy(&read_counters, &counters, sizeof counters);
    arena_init(&a);
    error_init(&err);
    if (!ve_shared_make(&a, "code", ve_object(&a, CODE, LLVMRelocPIC), &library, &err))
        fail_msg("%s", err.text);
    library_path = support_printf("%s/code.so", support_tmp());
    support_write_file(library_path, library.data, library.size);
    arena_done(&a);
    return 0;
}

/* A process with two contexts, the code, and 64 bytes of memory with an argument for them. */
struct client {
    struct veo_proc_handle *process;
    struct veo_thr_ctxt *context[2];
    uint64_t next, wait, memory;
    struct veo_args *args;
};

static void set(const char *name, const char *value)
{
    assert_int_equal(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

static struct client begin(void)
{
    struct client c;
    set("VE_OMP_NUM_THREADS", "1");
    c.process = veo.veo_proc_create(VEO_NODE_OF_ENVIRONMENT);
    assert_non_null(c.process);
    uint64_t library = veo.veo_load_library(c.process, library_path);
    c.next = veo.veo_get_sym(c.process, library, "next");
    c.wait = veo.veo_get_sym(c.process, library, "wait");
    assert_true(c.next && c.wait);
    for (int i = 0; i < 2; i++) {
        c.context[i] = veo.veo_context_open(c.process);
        assert_non_null(c.context[i]);
    }
    assert_int_equal(veo.veo_alloc_mem(c.process, &c.memory, 64), 0);
    c.args = veo.veo_args_alloc();
    assert_int_equal(veo.veo_args_set_u64(c.args, 0, c.memory), 0);
    return c;
}

static void end(struct client *c)
{
    veo.veo_args_free(c->args);
    assert_int_equal(veo.veo_proc_destroy(c->process), 0);
}

static uint64_t finish(struct veo_thr_ctxt *context, uint64_t request)
{
    uint64_t result = 0;
    assert_int_equal(veo.veo_call_wait_result(context, request, &result), VEO_COMMAND_OK);
    return result;
}

/* Nothing is done before somebody waits, then all of a context up to there in its order. */
static void requests_of_a_context_are_in_order(void **state)
{
    (void)state;
    struct client c = begin();
    uint64_t value = 0, got = 7;
    uint64_t write = veo.veo_async_write_mem(c.context[0], c.memory, &value, sizeof value);
    uint64_t first = veo.veo_call_async(c.context[0], c.next, c.args);
    uint64_t second = veo.veo_call_async(c.context[0], c.next, c.args);
    uint64_t read = veo.veo_async_read_mem(c.context[0], &got, c.memory, sizeof got);
    value = 40; /* what is written is what is there then */
    assert_int_equal(got, 7);
    assert_int_equal(finish(c.context[0], second), 41);
    assert_int_equal(got, 7);
    finish(c.context[0], read);
    assert_int_equal(got, 42);
    assert_int_equal(finish(c.context[0], first), 40);
    finish(c.context[0], write);
    end(&c);
}

/* Those of others are not; a later context comes first. */
static void contexts_have_no_order(void **state)
{
    (void)state;
    struct client c = begin();
    uint64_t zero = 0, five = 5;
    finish(c.context[0], veo.veo_async_write_mem(c.context[0], c.memory, &zero, sizeof zero));
    uint64_t write = veo.veo_async_write_mem(c.context[0], c.memory, &five, sizeof five);
    uint64_t call = veo.veo_call_async(c.context[1], c.next, c.args);
    assert_int_equal(finish(c.context[1], call), 0);
    finish(c.context[0], write);
    /* One that waits for another lets it run. */
    finish(c.context[0], veo.veo_async_write_mem(c.context[0], c.memory, &zero, sizeof zero));
    uint64_t wait = veo.veo_call_async(c.context[0], c.wait, c.args);
    uint64_t next = veo.veo_call_async(c.context[1], c.next, c.args);
    assert_int_equal(finish(c.context[0], wait), 1);
    assert_int_equal(finish(c.context[1], next), 0);
    end(&c);
}

static void results_are_told_once(void **state)
{
    (void)state;
    struct client c = begin();
    uint64_t value = 1, result;
    uint64_t write = veo.veo_async_write_mem(c.context[0], c.memory, &value, sizeof value);
    finish(c.context[0], write);
    assert_int_equal(veo.veo_call_wait_result(c.context[0], write, &result), VEO_COMMAND_ERROR);
    uint64_t call = veo.veo_call_async(c.context[0], c.next, c.args);
    assert_int_equal(veo.veo_call_wait_result(c.context[1], call, &result), VEO_COMMAND_ERROR);
    assert_int_equal(finish(c.context[0], call), 1);
    end(&c);
}

/* A call that goes astray ends the process: its own request tells why, all others fail. */
static void an_exception_ends_all(void **state)
{
    (void)state;
    struct client c = begin();
    uint64_t value = 0, result = 0, address;
    finish(c.context[0], veo.veo_async_write_mem(c.context[0], c.memory, &value, sizeof value));
    uint64_t wait = veo.veo_call_async(c.context[0], c.wait, c.args);
    assert_int_equal(veo.veo_args_set_u64(c.args, 0, 4096), 0);
    uint64_t astray = veo.veo_call_async(c.context[1], c.next, c.args);
    assert_int_equal(veo.veo_get_context_state(c.context[0]), VEO_STATE_RUNNING);
    assert_int_equal(veo.veo_call_wait_result(c.context[0], wait, &result), VEO_COMMAND_ERROR);
    assert_int_equal(veo.veo_call_wait_result(c.context[1], astray, &result),
                     VEO_COMMAND_EXCEPTION);
    assert_int_equal(result, 11);
    assert_int_equal(veo.veo_get_context_state(c.context[0]), VEO_STATE_EXIT);
    assert_true(veo.veo_call_async(c.context[0], c.next, c.args) == VEO_REQUEST_ID_INVALID);
    assert_int_equal(veo.veo_alloc_mem(c.process, &address, 8), -1);
    assert_null(veo.veo_context_open(c.process));
    end(&c);
}

/* A copy to what is not the client's is one too. */
static void copies_are_within_bounds(void **state)
{
    (void)state;
    uint8_t bytes[65] = {0};
    for (int to_host = 0; to_host < 2; to_host++) {
        struct client c = begin();
        uint64_t result;
        uint64_t copy = to_host
                            ? veo.veo_async_read_mem(c.context[0], bytes, c.memory, sizeof bytes)
                            : veo.veo_async_write_mem(c.context[0], c.memory, bytes, sizeof bytes);
        assert_int_equal(veo.veo_call_wait_result(c.context[0], copy, &result),
                         VEO_COMMAND_EXCEPTION);
        end(&c);
    }
}

static void contexts_need_the_environment(void **state)
{
    (void)state;
    set("SHEAF_SIM_VE_CORES", "2");
    struct client c = begin();
    assert_null(veo.veo_context_open(c.process));
    end(&c);
    set("SHEAF_SIM_VE_CORES", NULL);
    set("VE_OMP_NUM_THREADS", NULL);
    struct veo_proc_handle *p = veo.veo_proc_create(0);
    assert_non_null(veo.veo_context_open(p));
    assert_null(veo.veo_context_open(p));
    assert_int_equal(veo.veo_proc_destroy(p), 0);
    assert_int_equal(veo.veo_proc_destroy(p), -1);
}

struct figures {
    int calls;
    double cycles, longest, vector;
};

static struct figures figures_of(const char *text, const char *function)
{
    struct figures f;
    const char *at = strstr(text, support_printf("\n%s ", function));
    assert_non_null(at);
    assert_int_equal(sscanf(at, "%*s %d %lf %lf %lf", &f.calls, &f.cycles, &f.longest, &f.vector),
                     4);
    return f;
}

/* Of what ran, also of functions that only the object itself knows; each context does the same. */
static void figures_are_written(void **state)
{
    (void)state;
    const char *path = support_printf("%s/figures", support_tmp());
    remove(path);
    set("SHEAF_SIM_VE_STATS", path);
    struct client c = begin();
    uint64_t value = 0;
    finish(c.context[0], veo.veo_async_write_mem(c.context[0], c.memory, &value, sizeof value));
    finish(c.context[0], veo.veo_call_async(c.context[0], c.next, c.args));
    finish(c.context[1], veo.veo_call_async(c.context[1], c.next, c.args));
    end(&c);
    set("SHEAF_SIM_VE_STATS", NULL);
    size_t size;
    char *text = support_read_file(path, &size);
    struct figures next = figures_of(text, "next"), more = figures_of(text, "more");
    struct figures all = figures_of(text, "all");
    assert_int_equal(strncmp(text, "estimated, not measured\n", 24), 0);
    assert_null(strstr(text, "\nwait "));
    assert_non_null(strstr(text, "\nld "));
    assert_true(next.calls == 2 && more.calls == 2 && all.calls == 4);
    assert_true(more.cycles > 0 && next.cycles + more.cycles == all.cycles);
    assert_true(next.longest * 2 == next.cycles && more.longest * 2 == more.cycles);
    assert_true(all.longest == all.cycles && all.vector == 0); /* one after the other */
    free(text);
}

static uint64_t n_compared(void)
{
    struct sim_veo_counters c;
    read_counters(&c);
    return c.compared;
}

/* With LLVM's disassembler, once each. */
static void instructions_are_compared(void **state)
{
    (void)state;
    for (int off = 0; off < 2; off++) {
        uint64_t value = 0, before = n_compared(), n[2];
        set("SHEAF_SIM_VE_CHECK", off ? "0" : NULL);
        struct client c = begin();
        finish(c.context[0], veo.veo_async_write_mem(c.context[0], c.memory, &value, sizeof value));
        for (int i = 0; i < 2; i++) {
            finish(c.context[i], veo.veo_call_async(c.context[i], c.next, c.args));
            n[i] = n_compared() - before;
        }
        assert_true(off ? n[0] == 0 : n[0] > 3 && n[0] < 100);
        assert_int_equal(n[1], n[0]);
        end(&c);
    }
    set("SHEAF_SIM_VE_CHECK", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_of_a_context_are_in_order),
        cmocka_unit_test(contexts_have_no_order),
        cmocka_unit_test(results_are_told_once),
        cmocka_unit_test(an_exception_ends_all),
        cmocka_unit_test(copies_are_within_bounds),
        cmocka_unit_test(contexts_need_the_environment),
        cmocka_unit_test(figures_are_written),
        cmocka_unit_test(instructions_are_compared),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
