/*
 * test_ve_runtime_faults.c: what can go wrong ends in a status and one sentence, and leaves nothing
 * behind.
 */
#include "tests/ve_runtime/ve_bundles.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

static void refuse(struct toy *t, enum sheaf_status want, const char *part)
{
    sheaf_bundle *b = NULL;
    struct sheaf_error error = {SHEAF_OK, ""};
    check_fault(try_toy(t, &b, &error), want, &error, part);
    assert_null(b);
    if (read_counters)
        expect_nothing_left();
}

static void refuse_toy(enum sheaf_status want, const char *part)
{
    static struct toy t;
    refuse(make_toy(&t), want, part);
}

/* ---- AVEO and the device ---- */

/* Before anything has loaded the simulator. */
static void no_aveo_is_one_sentence(void **state)
{
    (void)state;
    SUPPORT_NEED(support_run("ldconfig -p | grep -q libveo[.]so[.]1", NULL) == 0 ? NULL : "none",
                 "a machine without AVEO");
    refuse_toy(SHEAF_ERROR_DEVICE, "there is no AVEO on this machine: its library cannot be loaded "
                                   "(libveo.so.1");
}

static void an_old_library_is_one_sentence(void **state)
{
    (void)state;
    const char *file = support_printf("%s/libveo.so.1", support_tmp());
    assert_int_equal(
        support_run(support_printf("echo 'int veo_api_version(void) { return 11; }' | %s -shared "
                                   "-fPIC -Wl,-soname,libveo.so.1 -x c - -o '%s'",
                                   support_cc(), file),
                    NULL),
        0);
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    refuse_toy(SHEAF_ERROR_VERSION, "AVEO is too old: its libveo.so.1 has no veo_version_string "
                                    "(AVEO 2.8.2 or newer is needed)");
    dlclose(library);
}

/* From here on there is the simulator. */
static void an_old_interface_is_one_sentence(void **state)
{
    (void)state;
    open_simulator();
    simulate("SHEAF_SIM_VE_API", "10");
    refuse_toy(SHEAF_ERROR_VERSION,
               "AVEO is too old: its interface has version 10 (11 or newer is needed)");
    simulate("SHEAF_SIM_VE_API", NULL);
    expect_run_works();
}

static void no_device_is_one_sentence(void **state)
{
    (void)state;
    simulate("SHEAF_SIM_VE_NODES", "0");
    refuse_toy(SHEAF_ERROR_DEVICE, "no Vector Engine can be used: AVEO simulator (not a device) "
                                   "cannot create a process on node 0 (environment variable "
                                   "VE_NODE_NUMBER)");
    simulate("SHEAF_SIM_VE_NODES", "2");
    simulate("VE_NODE_NUMBER", "2");
    refuse_toy(SHEAF_ERROR_DEVICE, "on node 2 (environment");
    simulate("VE_NODE_NUMBER", NULL);
    simulate("SHEAF_SIM_VE_NODES", NULL);
    expect_run_works();
}

/* ---- each function of AVEO ---- */

static void each_failing_function_is_one_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *point;
        enum sheaf_status status;
        const char *part;
    } rows[] = {
        {"proc_create 1", SHEAF_ERROR_DEVICE, "cannot create a process on node 0"},
        {"context_open 1", SHEAF_ERROR_DEVICE, "toy: AVEO cannot open a context on the Vector"},
        {"load_library 1", SHEAF_ERROR_DEVICE, "toy: loading the code on the Vector Engine failed"},
        {"get_sym 1", SHEAF_ERROR_DEVICE, "toy: finding the network in the code on the Vector"},
        {"alloc_mem 1", SHEAF_ERROR_MEMORY, "toy: allocating 256 bytes for the constants on the"},
        {"alloc_mem 2", SHEAF_ERROR_MEMORY, "toy: allocating 832 bytes for the mutable area on"},
        {"alloc_mem 3", SHEAF_ERROR_MEMORY, "toy: allocating 576 bytes for the activations on"},
        {"alloc_mem 4", SHEAF_ERROR_MEMORY, "bytes for the barrier on the Vector Engine failed"},
        {"args_alloc 1", SHEAF_ERROR_MEMORY, "toy: AVEO cannot keep the argument of a call"},
        {"args_alloc 16", SHEAF_ERROR_MEMORY, "toy: AVEO cannot keep the argument of a call"},
        {"args_set_u64 2", SHEAF_ERROR_MEMORY, "toy: AVEO cannot keep the argument of a call"},
        {"async_write_mem 1", SHEAF_ERROR_DEVICE, "toy: copying the constants failed: the process"},
        {"async_write_mem 2", SHEAF_ERROR_DEVICE, "toy: preparing the barrier failed: the process"},
        {"async_write_mem 3", SHEAF_ERROR_DEVICE, "toy: clearing memory failed: the process on"},
        {"call_wait_result 1", SHEAF_ERROR_DEVICE, "toy: copying the constants failed: the"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        simulate("SHEAF_SIM_VE_FAIL", rows[i].point);
        refuse_toy(rows[i].status, rows[i].part);
    }
    simulate("SHEAF_SIM_VE_FAIL", NULL);
    expect_run_works();
}

/* A process that is lost stays so. */
static void expect_lost(sheaf_bundle *b)
{
    static const char ended[] = "toy: the process on the Vector Engine has ended with an earlier "
                                "failure: close the bundle and open it again";
    struct sheaf_error error;
    uint8_t there[ACTIVATION_BYTES];
    sheaf_bundle *c = NULL;
    check_fault(sheaf_run(b, &error), SHEAF_ERROR_DEVICE, &error, ended);
    check_fault(sheaf_attach(b, &c, &error), SHEAF_ERROR_DEVICE, &error, ended);
    assert_null(c);
    check_fault(sheaf_ve_set_cores(b, 2, &error), SHEAF_ERROR_DEVICE, &error, ended);
    check_fault(sheaf_ve_activations(b, there, &error), SHEAF_ERROR_DEVICE, &error, ended);
    sheaf_reset_state(b);
}

/* The same with each request of a run, on two cores. */
static void each_failing_request_is_one_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *point, *part;
    } rows[] = {
        {"async_write_mem 5", "toy: copying inputs failed: the process on the Vector Engine has "
                              "ended (AVEO's state 2)"},
        {"async_write_mem 7", "toy: copying inputs failed: "},
        {"call_async 1", "toy: the run failed: the process on the Vector Engine has ended"},
        {"call_async 2", "toy: the run failed: the process on the Vector Engine has ended"},
        {"async_read_mem 1", "toy: copying outputs failed: "},
        {"async_read_mem 4", "toy: copying outputs failed: "},
        {"call_wait_result 8", "toy: the run failed: "},
    };
    for (int lose = 0; lose < 2; lose++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct sheaf_error error;
            /* Alone, a call that AVEO does not take leaves the other one waiting for ever. */
            const char *setting =
                lose || i == 3 || i == 2 ? "SHEAF_SIM_VE_LOSE" : "SHEAF_SIM_VE_FAIL";
            simulate(setting, rows[i].point);
            sheaf_bundle *b = open_toy();
            simulate(setting, NULL);
            set_cores(b, 2);
            give(b, 1, 1);
            check_fault(sheaf_run(b, &error), SHEAF_ERROR_DEVICE, &error, rows[i].part);
            expect_lost(b);
            sheaf_close(b);
            expect_nothing_left();
        }
    }
    expect_run_works();
}

/* The process ends at any call of any function. */
static void a_process_that_ends_is_one_sentence(void **state)
{
    (void)state;
    static const char *const functions[] = {"context_open", "load_library",    "get_sym",
                                            "alloc_mem",    "async_read_mem",  "async_write_mem",
                                            "call_async",   "call_wait_result"};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        for (int n = 1;; n++) {
            struct sheaf_error error = {SHEAF_OK, ""};
            static struct toy t;
            sheaf_bundle *b = NULL, *c = NULL;
            simulate("SHEAF_SIM_VE_LOSE", support_printf("%s %d", functions[i], n));
            enum sheaf_status status = try_toy(make_toy(&t), &b, &error);
            if (status == SHEAF_OK)
                status = sheaf_attach(b, &c, &error);
            if (status == SHEAF_OK)
                status = sheaf_ve_set_cores(c, 3, &error);
            if (status == SHEAF_OK)
                status = sheaf_run(c, &error);
            sheaf_close(b);
            sheaf_close(c);
            expect_nothing_left();
            if (status == SHEAF_OK) {
                assert_in_range(n, 2, 40);
                break;
            }
            check_fault(status, SHEAF_ERROR_DEVICE, &error, "toy: ");
        }
    }
    simulate("SHEAF_SIM_VE_LOSE", NULL);
    expect_run_works();
}

/* ---- exceptions ---- */

static void an_exception_is_one_sentence(void **state)
{
    (void)state;
    static const char raised[] = "toy: the run failed: an exception on the Vector Engine (signal "
                                 "11) has ended its process";
    for (uint32_t n = 1; n <= 4; n++) {
        struct sheaf_error error;
        sheaf_bundle *b = open_toy();
        set_cores(b, n);
        give(b, 1, 1000); /* the others wait at the barrier for the one that goes astray */
        check_fault(sheaf_run(b, &error), SHEAF_ERROR_DEVICE, &error, raised);
        assert_non_null(strstr(read_error(), "toy_ve"));
        expect_lost(b);
        sheaf_close(b);
        expect_nothing_left();
        simulate("SHEAF_SIM_VE_EXCEPTION", support_printf("%u", (unsigned)n));
        b = open_toy();
        simulate("SHEAF_SIM_VE_EXCEPTION", NULL);
        set_cores(b, n);
        give(b, 1, 1);
        check_fault(sheaf_run(b, &error), SHEAF_ERROR_DEVICE, &error, raised);
        expect_lost(b);
        sheaf_close(b);
    }
    expect_run_works();
}

/* Other contexts of the process are lost with it; other processes are not. */
static void an_exception_ends_its_own_process(void **state)
{
    (void)state;
    struct sheaf_error error;
    sheaf_bundle *a = open_toy(), *b = NULL, *c = open_toy();
    expect_ok(sheaf_attach(a, &b, &error), &error);
    give(b, 1, 1000);
    check_fault(sheaf_run(b, &error), SHEAF_ERROR_DEVICE, &error, "(signal 11)");
    expect_lost(a);
    expect_lost(b);
    give(c, 2, 2);
    run_bundle(c);
    expect_result(c, 2, 2);
    sheaf_close(a);
    sheaf_close(b);
    sheaf_close(c);
    expect_nothing_left();
}

/* That is the network's word, not a failure of the device. */
static void a_status_of_the_network_is_one_sentence(void **state)
{
    (void)state;
    struct sheaf_error error;
    sheaf_bundle *b = open_toy();
    for (uint32_t n = 1; n <= 3; n++) {
        set_cores(b, n);
        give(b, 1, -1);
        check_fault(sheaf_run(b, &error), SHEAF_ERROR_SHAPE, &error,
                    "toy: the run failed with code 5");
        give(b, 1, 8);
        run_bundle(b);
        expect_result(b, 1, 8);
    }
    sheaf_close(b);
    expect_nothing_left();
}

/* ---- cores ---- */

static void too_many_cores_are_one_sentence(void **state)
{
    (void)state;
    struct sheaf_error error;
    static struct toy t;
    sheaf_bundle *b = NULL;
    make_toy(&t)->kernel.blocks = 12;
    expect_ok(try_toy(&t, &b, &error), &error);
    set_cores(b, 2);
    const uint32_t wrong[] = {0, 13, UINT32_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_fault(sheaf_ve_set_cores(b, wrong[i], &error), SHEAF_ERROR_ARGUMENT, &error,
                    "toy: the bundle has code for 1 to 12 cores, not for ");
    check_fault(sheaf_ve_set_cores(b, 9, &error), SHEAF_ERROR_DEVICE, &error,
                "toy: AVEO gives the process on the Vector Engine 8 cores, not 9");
    /* It goes on with those that it had. */
    struct sim_veo_counters before = counters();
    give(b, 1, 2);
    run_bundle(b);
    expect_result(b, 1, 2);
    assert_int_equal(counters().calls - before.calls, 2);
    sheaf_close(b);
    simulate("VE_OMP_NUM_THREADS", NULL);
    b = open_toy();
    check_fault(sheaf_ve_set_cores(b, 2, &error), SHEAF_ERROR_DEVICE, &error,
                "toy: AVEO gives a process more than one core only where the environment has "
                "VE_OMP_NUM_THREADS=1");
    simulate("VE_OMP_NUM_THREADS", "1");
    sheaf_close(b);
    expect_run_works();
}

/* ---- the temporary file ---- */

static void no_temporary_file_is_one_sentence(void **state)
{
    (void)state;
    simulate("TMPDIR", "/nonexistent");
    refuse_toy(SHEAF_ERROR_IO, "toy: /nonexistent/sheaf-ve-");
    char long_path[300];
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    simulate("TMPDIR", long_path);
    refuse_toy(SHEAF_ERROR_IO, "has more characters than AVEO takes: xxx");
    simulate("TMPDIR", temporary_folder());
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 100;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    static struct toy t;
    struct sheaf_error error;
    sheaf_bundle *b = NULL;
    enum sheaf_status status = try_toy(make_toy(&t), &b, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    check_fault(status, SHEAF_ERROR_IO, &error,
                "cannot write the Vector Engine's code to a temporary file (environment variable "
                "TMPDIR): File too large");
    expect_nothing_left();
    expect_run_works();
}

/* ---- bundles that are not as the compiler writes them ---- */

#define REFUSED(change, want, part)                                                                \
    do {                                                                                           \
        static struct toy t;                                                                       \
        make_toy(&t);                                                                              \
        change;                                                                                    \
        refuse(&t, want, part);                                                                    \
    } while (0)

static void malformed_plans_are_refused(void **state)
{
    (void)state;
    const char *plan = "toy: the launch plan is not one image, and one kernel or steps";
    const char *kernel = "toy: kernel 0 of the launch plan is malformed";
    static char long_name[258];
    memset(long_name, 'n', sizeof long_name - 2);
    REFUSED(t.plan.struct_size = 8, SHEAF_ERROR_FORMAT, plan);
    REFUSED(t.plan.n_images = 0, SHEAF_ERROR_FORMAT, plan);
    REFUSED(t.plan.n_images = 2, SHEAF_ERROR_FORMAT, plan);
    REFUSED(t.plan.images = NULL, SHEAF_ERROR_FORMAT, plan);
    REFUSED(t.plan.n_kernels = 0, SHEAF_ERROR_FORMAT, plan);
    REFUSED(t.plan.n_kernels = 2, SHEAF_ERROR_FORMAT, plan);
    REFUSED(t.plan.kernels = NULL, SHEAF_ERROR_FORMAT, plan);
    REFUSED(t.plan.n_steps = 1, SHEAF_ERROR_FORMAT, plan);
    REFUSED(t.plan.n_pointers = 1, SHEAF_ERROR_FORMAT, plan);
    REFUSED(t.kernel.name = NULL, SHEAF_ERROR_FORMAT, kernel);
    REFUSED(t.kernel.name = "", SHEAF_ERROR_FORMAT, kernel);
    REFUSED(t.kernel.name = long_name, SHEAF_ERROR_FORMAT, kernel);
    REFUSED(t.kernel.blocks = 0, SHEAF_ERROR_FORMAT, kernel);
    REFUSED(t.kernel.blocks = 17, SHEAF_ERROR_FORMAT, kernel);
    REFUSED(t.kernel.threads = 2, SHEAF_ERROR_FORMAT, kernel);
    REFUSED(t.kernel.shared_bytes = 1, SHEAF_ERROR_FORMAT, kernel);
    REFUSED(t.kernel.n_parameters = 2, SHEAF_ERROR_FORMAT, kernel);
    REFUSED(t.kernel.name = "absent", SHEAF_ERROR_DEVICE,
            "toy: finding the network in the code on the Vector Engine failed");
    expect_run_works();
}

static void malformed_images_are_refused(void **state)
{
    (void)state;
    static uint8_t changed[1 << 16];
    const char *image = "toy: the image of the launch plan is no shared object of a Vector Engine";
    static const size_t places[] = {0, 1, 2, 3, 4, 5, 16, 17, 18, 19};
    REFUSED(t.image.kind = SHEAF_IMAGE_PTX, SHEAF_ERROR_FORMAT, image);
    REFUSED(t.image.arch = 3, SHEAF_ERROR_FORMAT, image);
    REFUSED(t.image.data = NULL, SHEAF_ERROR_FORMAT, image);
    REFUSED(t.image.size = 63, SHEAF_ERROR_FORMAT, image);
    assert_in_range(toy_code.size, 64, sizeof changed);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        memcpy(changed, toy_code.data, toy_code.size);
        changed[places[i]] ^= 1;
        REFUSED(t.image.data = changed, SHEAF_ERROR_FORMAT, image);
    }
    REFUSED(t.image.size = 64, SHEAF_ERROR_DEVICE, "toy: loading the code on the Vector Engine");
    expect_run_works();
}

static void other_bundles_are_refused(void **state)
{
    (void)state;
    const char *other = "toy: the bundle was not compiled for the Vector Engine (loader -ve)";
    REFUSED(t.info.plan = NULL, SHEAF_ERROR_UNSUPPORTED, other);
    REFUSED(t.plan.device = SHEAF_DEVICE_NVIDIA, SHEAF_ERROR_UNSUPPORTED, other);
    REFUSED((t.info.struct_size = offsetof(struct sheaf_bundle_info, plan)),
            SHEAF_ERROR_UNSUPPORTED, other);
    REFUSED(t.info.weights_digest[3] ^= 1, SHEAF_ERROR_FORMAT, "another digest");
    expect_run_works();
}

/* ---- memory of the host ---- */

static void each_lack_of_memory_is_one_sentence(void **state)
{
    (void)state;
    static struct toy t;
    sheaf_bundle *b = NULL, *c = NULL;
    int n = 0;
    make_toy(&t);
    for (; !b && n < 100; n++) {
        struct sheaf_error error = {SHEAF_OK, ""};
        allocations_left = n;
        enum sheaf_status status = try_toy(&t, &b, &error);
        allocations_left = -1;
        if (status == SHEAF_OK)
            break;
        check_fault(status, SHEAF_ERROR_MEMORY, &error, "toy: cannot allocate ");
        expect_nothing_left();
    }
    assert_in_range(n, 8, 99);
    /* And of a further context, which leaves the first one as it is; its core is open already. */
    assert_int_equal(sheaf_attach(b, &c, NULL), SHEAF_OK);
    sheaf_close(c);
    c = NULL;
    for (n = 0; !c && n < 100; n++) {
        struct sheaf_error error = {SHEAF_OK, ""};
        struct sim_veo_counters before = counters();
        allocations_left = n;
        enum sheaf_status status = sheaf_attach(b, &c, &error);
        allocations_left = -1;
        if (status != SHEAF_OK) {
            check_fault(status, SHEAF_ERROR_MEMORY, &error, "toy: cannot allocate ");
            assert_int_equal(counters().bytes, before.bytes);
            assert_int_equal(counters().args, before.args);
        }
        give(b, 1, 3);
        run_bundle(b);
        expect_result(b, 1, 3);
    }
    assert_in_range(n, 6, 99);
    sheaf_close(b);
    sheaf_close(c);
    expect_run_works();
}

static void a_small_device_is_one_sentence(void **state)
{
    (void)state;
    static struct toy t;
    static const size_t bytes = (size_t)3 << 30;
    make_toy(&t)->config.activationsMemSize = bytes;
    simulate("SHEAF_SIM_VE_MEMORY", "0x80000000");
    refuse(&t, SHEAF_ERROR_MEMORY,
           "toy: allocating 3221225472 bytes for the activations on the Vector Engine failed");
    simulate("SHEAF_SIM_VE_MEMORY", NULL);
    expect_run_works();
}

static int prepare(void **state)
{
    (void)state;
    make_code();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_aveo_is_one_sentence),
        cmocka_unit_test(an_old_library_is_one_sentence),
        cmocka_unit_test(an_old_interface_is_one_sentence),
        cmocka_unit_test(no_device_is_one_sentence),
        cmocka_unit_test(each_failing_function_is_one_sentence),
        cmocka_unit_test(each_failing_request_is_one_sentence),
        cmocka_unit_test(a_process_that_ends_is_one_sentence),
        cmocka_unit_test(an_exception_is_one_sentence),
        cmocka_unit_test(an_exception_ends_its_own_process),
        cmocka_unit_test(a_status_of_the_network_is_one_sentence),
        cmocka_unit_test(too_many_cores_are_one_sentence),
        cmocka_unit_test(no_temporary_file_is_one_sentence),
        cmocka_unit_test(malformed_plans_are_refused),
        cmocka_unit_test(malformed_images_are_refused),
        cmocka_unit_test(other_bundles_are_refused),
        cmocka_unit_test(each_lack_of_memory_is_one_sentence),
        cmocka_unit_test(a_small_device_is_one_sentence),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
