/*
 * test_gpu_runtime_faults.c: what can go wrong ends in a status and one sentence, and leaves
 * nothing behind.
 */
#define _XOPEN_SOURCE 700
#include "cpu_runtime/cpu_runtime.h"
#include "tests/gpu_runtime/gpu_bundles.h"

static void refuse(const struct sheaf_linked *linked, const uint8_t *weights,
                   enum sheaf_status want, const char *part)
{
    sheaf_bundle *b = NULL;
    struct sheaf_error error = {SHEAF_OK, ""};
    enum sheaf_status got =
        sheaf_open_memory(linked, weights, linked->config->constantWeightVarsMemSize, &b, &error);
    check_fault(got, want, &error, part);
    assert_null(b);
    expect_nothing_left();
}

static void refuse_net(enum sheaf_status want, const char *part)
{
    struct linked_entry o = entry_of("gpu", "net");
    struct sheaf_linked linked = linked_of(&o);
    refuse(&linked, o.constants, want, part);
}

static void expect_run_works(void)
{
    sheaf_bundle *b = open_gpu("net");
    fill_input(tensor(b, "x").data, 1);
    run_bundle(b);
    expect_result(b, 1);
    sheaf_close(b);
    expect_nothing_left();
}

/* ---- the driver and the device ---- */

/* In the tool, whose process has no simulator. */
static void no_driver_is_one_sentence(void **state)
{
    (void)state;
    SUPPORT_NEED(support_run("ldconfig -p | grep -q libcuda[.]so[.]1", NULL) == 0 ? NULL : "none",
                 "a machine without NVIDIA's driver");
    tool_expect_fault("-m net.onnx -gpu -verify",
                      "there is no NVIDIA driver on this machine: its library "
                      "cannot be loaded (libcuda.so.1");
}

static void an_old_driver_is_one_sentence(void **state)
{
    (void)state;
    char *out;
    const char *dir = path_of("old");
    run_or_fail(support_printf("mkdir -p '%s' && echo 'int cuInit(unsigned f) { return (int)f; }' "
                               "| %s -shared -fPIC -Wl,-soname,libcuda.so.1 -x c - -o "
                               "'%s/libcuda.so.1'",
                               dir, support_cc(), dir),
                NULL);
    int status = support_run(support_printf("cd '%s' && LD_LIBRARY_PATH=old '%s' -m net.onnx -gpu "
                                            "-verify 2>&1 >printed",
                                            support_tmp(), tool_absolute(support_loader())),
                             &out);
    assert_int_equal(status, 1);
    assert_string_equal(out, "error: the NVIDIA driver is too old: its libcuda.so.1 has no "
                             "cuDriverGetVersion (CUDA 11.4 or newer is needed)\n");
    free(out);
}

static void no_device_is_one_sentence(void **state)
{
    (void)state;
    simulate("SHEAF_SIM_DEVICES", "0");
    refuse_net(SHEAF_ERROR_DEVICE,
               "no NVIDIA GPU can be used: no CUDA-capable device is detected (CUDA error 100)");
    simulate("SHEAF_SIM_DEVICES", NULL);
    expect_run_works();
}

/* ---- the code ---- */

/* A plan to be damaged, and what leads to it. */
struct damaged {
    struct linked_entry o;
    struct BundleConfig config;
    struct sheaf_bundle_info info;
    struct sheaf_plan plan;
    struct sheaf_image images[2];
    struct sheaf_kernel kernels[64];
    struct sheaf_step steps[64];
    struct sheaf_pointer pointers[256];
    struct sheaf_host_kernel host_kernels[4];
};

static struct sheaf_linked damage(struct damaged *d, const char *name)
{
    d->o = entry_of("gpu", name);
    d->config = *d->o.config;
    d->info = *d->o.info;
    d->plan = *d->info.plan;
    assert_in_range(d->plan.n_images, 1, 2);
    assert_in_range(d->plan.n_kernels, 1, 64);
    assert_in_range(d->plan.n_steps, 1, 64);
    assert_in_range(d->plan.n_pointers, 1, 256);
    memcpy(d->images, d->plan.images, d->plan.n_images * sizeof *d->images);
    memcpy(d->kernels, d->plan.kernels, d->plan.n_kernels * sizeof *d->kernels);
    memcpy(d->steps, d->plan.steps, d->plan.n_steps * sizeof *d->steps);
    memcpy(d->pointers, d->plan.pointers, d->plan.n_pointers * sizeof *d->pointers);
    d->plan.images = d->images;
    d->plan.kernels = d->kernels;
    d->plan.steps = d->steps;
    d->plan.pointers = d->pointers;
    assert_in_range(d->plan.n_host_kernels, 0, 4);
    for (uint32_t i = 0; i < d->plan.n_host_kernels; i++)
        d->host_kernels[i] = d->plan.host_kernels[i];
    d->plan.host_kernels = d->host_kernels;
    d->info.plan = &d->plan;
    return (struct sheaf_linked){&d->config, &d->info, d->o.entry};
}

static void code_that_does_not_translate_is_refused(void **state)
{
    (void)state;
    simulate("SHEAF_SIM_FAIL_LOAD", "1");
    refuse_net(SHEAF_ERROR_DEVICE, "net: the driver cannot translate the code for 'PTX simulator "
                                   "(not a device)' (CUDA error 218): this load was told to fail");
    simulate("SHEAF_SIM_FAIL_LOAD", NULL);
    static struct damaged d;
    struct sheaf_linked linked = damage(&d, "net");
    d.images[0].data = (const uint8_t *)".version 7.0\n.target sm_80\n.address_size 64\nrubbish\n";
    refuse(&linked, d.o.constants, SHEAF_ERROR_DEVICE, "cannot translate the code");
    linked = damage(&d, "net");
    d.images[0].data = (const uint8_t *)"\177ELF of another architecture";
    refuse(&linked, d.o.constants, SHEAF_ERROR_DEVICE, "net: loading the code on 'PTX simulator");
    linked = damage(&d, "net");
    d.kernels[0].name = "absent";
    refuse(&linked, d.o.constants, SHEAF_ERROR_DEVICE, "net: loading a kernel on");
    linked = damage(&d, "net");
    d.kernels[0].shared_bytes = 1 << 20;
    refuse(&linked, d.o.constants, SHEAF_ERROR_DEVICE, "net: loading a kernel on");
    expect_run_works();
}

/* Of several images the device takes the best that it runs, and a lesser one where the driver does
   not know that. */
static void a_device_takes_the_code_that_suits_it(void **state)
{
    (void)state;
    static struct damaged d;
    static const struct sheaf_image others[] = {
        {SHEAF_IMAGE_PTX, 90, (const uint8_t *)"for a later device", 18},
        {SHEAF_IMAGE_CUBIN, 80, (const uint8_t *)"\177ELF that the driver refuses", 27},
        {SHEAF_IMAGE_PTX, 75, (const uint8_t *)"for an earlier device", 21},
        {77, 80, (const uint8_t *)"of a kind to come", 17},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        for (unsigned before = 0; before < 2; before++) {
            struct sheaf_linked linked = damage(&d, "net");
            sheaf_bundle *b = NULL;
            struct sheaf_error error;
            d.images[before] = d.images[0];
            d.images[1 - before] = others[i];
            d.plan.n_images = 2;
            expect_ok(sheaf_open_memory(&linked, d.o.constants, d.config.constantWeightVarsMemSize,
                                        &b, &error),
                      &error);
            fill_input(tensor(b, "x").data, 1);
            run_bundle(b);
            expect_result(b, 1);
            sheaf_close(b);
        }
    }
    struct sheaf_linked linked = damage(&d, "net");
    d.images[0].arch = 121;
    d.images[1] = d.images[0];
    d.images[1].arch = 90;
    d.plan.n_images = 2;
    refuse(&linked, d.o.constants, SHEAF_ERROR_PROCESSOR,
           "net: the bundle has code for compute capability 9.0, which 'PTX simulator (not a "
           "device)' (8.0) cannot run (loader -cc)");
}

static void bundles_of_the_cpu_are_refused(void **state)
{
    (void)state;
    struct linked_entry o = entry_of("cpu", "net");
    struct sheaf_linked linked = linked_of(&o);
    refuse(&linked, o.constants, SHEAF_ERROR_UNSUPPORTED,
           "net: the bundle was not compiled for NVIDIA GPUs (loader -gpu)");
    struct sheaf_bundle_info info = *o.info;
    linked.info = &info;
    info.struct_size = offsetof(struct sheaf_bundle_info, plan); /* from before there were plans */
    refuse(&linked, o.constants, SHEAF_ERROR_UNSUPPORTED, "was not compiled for NVIDIA GPUs");
}

/* ---- plans that are not as the compiler writes them ---- */

static uint32_t find_step(const struct damaged *d, enum sheaf_step_kind kind)
{
    for (uint32_t i = 0; i < d->plan.n_steps; i++)
        if (d->steps[i].kind == (uint32_t)kind)
            return i;
    fail_msg("no step of kind %d", (int)kind);
    return 0;
}

#define REFUSED(net, change, part)                                                                 \
    do {                                                                                           \
        struct sheaf_linked linked_ = damage(&d, net);                                             \
        change;                                                                                    \
        refuse(&linked_, d.o.constants, SHEAF_ERROR_FORMAT, part);                                 \
    } while (0)

static void malformed_tables_are_refused(void **state)
{
    (void)state;
    static struct damaged d;
    const char *incomplete = "net: the launch plan is incomplete";
    REFUSED("net", d.plan.struct_size = offsetof(struct sheaf_plan, n_host_kernels) - 1,
            incomplete);
    REFUSED("net", d.plan.n_images = 0, incomplete);
    REFUSED("net", d.plan.images = NULL, incomplete);
    REFUSED("net", d.plan.kernels = NULL, incomplete);
    REFUSED("net", d.plan.steps = NULL, incomplete);
    REFUSED("net", d.plan.pointers = NULL, incomplete);
    REFUSED("net", d.config.alignment = 512, "net: areas begin at multiples of 512 bytes");
    REFUSED("net", d.images[0].data = NULL, "image 0 of the launch plan is malformed");
    REFUSED("net", d.images[0].size = 0, "image 0 of the launch plan is malformed");
    REFUSED("net", d.kernels[1].name = NULL, "kernel 1 of the launch plan is malformed");
    REFUSED("net", d.kernels[1].blocks = 0, "kernel 1");
    REFUSED("net", d.kernels[1].blocks = UINT32_MAX, "kernel 1");
    REFUSED("net", d.kernels[1].threads = 0, "kernel 1");
    REFUSED("net", d.kernels[1].threads = 1025, "kernel 1");
    REFUSED("net", d.kernels[1].shared_bytes = UINT32_MAX, "kernel 1");
    REFUSED("net", d.kernels[1].n_parameters = 513, "kernel 1");
    REFUSED("net", d.kernels[d.steps[0].kernel].n_parameters = 512, "step 0");
    expect_run_works();
}

static void malformed_steps_are_refused(void **state)
{
    (void)state;
    static struct damaged d;
    uint32_t i;
    REFUSED("net", d.steps[0].kind = 0, "net: step 0 of the launch plan is malformed");
    REFUSED("net", d.steps[0].kind = 77, "step 0");
    REFUSED("net", d.steps[0].kind = SHEAF_STEP_END, "step 0");
    REFUSED("net", d.steps[0].kind = SHEAF_STEP_ELSE, "step 0");
    REFUSED("net", d.steps[0].kernel = d.plan.n_kernels, "step 0");
    REFUSED("net", d.steps[1].pointer = d.plan.n_pointers, "step 1");
    REFUSED("net", d.steps[1].pointer = UINT32_MAX, "step 1");
    REFUSED("net", d.pointers[d.steps[0].pointer].area = SHEAF_NO_AREA, "step 0");
    REFUSED("net", d.pointers[d.steps[0].pointer].area = 3, "step 0");
    REFUSED("net", d.pointers[d.steps[0].pointer].offset = UINT64_MAX, "step 0");
    REFUSED("branch", (i = find_step(&d, SHEAF_STEP_IF), d.steps[i].to = i), "step");
    REFUSED("branch", d.steps[find_step(&d, SHEAF_STEP_IF)].to = UINT32_MAX, "step");
    REFUSED("branch", (i = find_step(&d, SHEAF_STEP_IF), d.steps[i].to = i + 1), "step");
    REFUSED("branch", d.steps[find_step(&d, SHEAF_STEP_ELSE)].to = 0, "step");
    REFUSED("branch", (i = find_step(&d, SHEAF_STEP_ELSE), d.steps[i].to = i - 1), "step");
    REFUSED("branch", d.plan.n_steps = find_step(&d, SHEAF_STEP_END), "step");
    REFUSED("branch", d.pointers[d.steps[find_step(&d, SHEAF_STEP_IF)].pointer].area = 7, "step");
    REFUSED("branch", d.pointers[d.steps[find_step(&d, SHEAF_STEP_IF)].pointer].offset = 1u << 30,
            "step");
    expect_run_works();
}

static struct sheaf_pointer *loop_pointer(struct damaged *d, uint32_t which)
{
    return &d->pointers[d->steps[find_step(d, SHEAF_STEP_LOOP)].pointer + which];
}

static void malformed_loops_are_refused(void **state)
{
    (void)state;
    static struct damaged d;
    uint32_t i;
    REFUSED("until", loop_pointer(&d, 0)->offset = UINT64_MAX, "step");
    REFUSED("until", loop_pointer(&d, 0)->offset |= 4, "step");
    REFUSED("until", loop_pointer(&d, 1)->offset = UINT64_MAX, "step");
    REFUSED("until", loop_pointer(&d, 1)->area = 9, "step");
    REFUSED("until", loop_pointer(&d, 2)->area = SHEAF_NO_AREA, "step");
    REFUSED("until", loop_pointer(&d, 2)->area = 0, "step");
    REFUSED("until", loop_pointer(&d, 2)->offset |= 1, "step");
    REFUSED("until", d.steps[find_step(&d, SHEAF_STEP_LOOP)].count = 3, "step");
    REFUSED("until", d.steps[find_step(&d, SHEAF_STEP_LOOP)].count = -2, "step");
    REFUSED("until", (i = find_step(&d, SHEAF_STEP_LOOP), d.steps[i].to = i), "step");
    REFUSED("until", d.steps[find_step(&d, SHEAF_STEP_END)].kind = SHEAF_STEP_ELSE, "step");
    REFUSED("fixed", loop_pointer(&d, 0)->area = SHEAF_NO_AREA, "step");
    /* Deeper than a plan may be. */
    static struct sheaf_step deep[2 * 300];
    struct sheaf_linked linked = damage(&d, "branch");
    uint32_t at = d.steps[find_step(&d, SHEAF_STEP_IF)].pointer;
    for (i = 0; i < 300; i++) {
        deep[i] = (struct sheaf_step){.kind = SHEAF_STEP_IF, .pointer = at, .to = 599 - i};
        deep[599 - i] = (struct sheaf_step){.kind = SHEAF_STEP_END};
    }
    d.plan.steps = deep;
    d.plan.n_steps = 600;
    refuse(&linked, d.o.constants, SHEAF_ERROR_FORMAT, "step 256");
}

/* The chain's steps: n, two copies for a, a, .. */
static struct sheaf_pointer *copy_pointer(struct damaged *d, uint32_t which)
{
    return &d->pointers[d->steps[find_step(d, SHEAF_STEP_COPY)].pointer + which];
}

static struct sheaf_pointer *host_pointer(struct damaged *d, uint32_t which)
{
    return &d->pointers[d->steps[find_step(d, SHEAF_STEP_HOST)].pointer + which];
}

static void malformed_steps_on_the_host_are_refused(void **state)
{
    (void)state;
    static struct damaged d;
    const char *incomplete = "chain: the launch plan is incomplete";
    REFUSED("chain", d.plan.host_kernels = NULL, incomplete);
    REFUSED("chain", d.plan.host_features = NULL, incomplete);
    REFUSED("chain", d.plan.host_bytes = UINT64_MAX, incomplete);
    REFUSED("chain", d.host_kernels[0].run = NULL, "host kernel 0 of the launch plan is malformed");
    REFUSED("chain", d.host_kernels[0].n_parameters = d.plan.n_pointers, "step");
    REFUSED("chain", d.plan.n_host_kernels = 0, "step");
    REFUSED("chain", d.plan.struct_size -= (uint32_t)sizeof(char *), "step");
    REFUSED("chain", d.plan.host_bytes = 1, "step");
    REFUSED("chain", d.steps[find_step(&d, SHEAF_STEP_HOST)].kernel = d.plan.n_host_kernels,
            "step");
    REFUSED("chain", d.steps[find_step(&d, SHEAF_STEP_HOST)].pointer = UINT32_MAX, "step");
    REFUSED("chain", host_pointer(&d, 0)->area = 2, "step");
    REFUSED("chain", host_pointer(&d, 0)->area = SHEAF_NO_AREA, "step");
    REFUSED("chain", host_pointer(&d, 0)->offset = UINT64_MAX, "step");
    REFUSED("chain", host_pointer(&d, 1)->offset += 1u << 20, "step");
    REFUSED("chain", host_pointer(&d, 0)->offset |= 4, "step");
    REFUSED("chain", d.steps[find_step(&d, SHEAF_STEP_COPY)].count = 0, "step");
    REFUSED("chain", d.steps[find_step(&d, SHEAF_STEP_COPY)].count = -1, "step");
    REFUSED("chain", d.steps[find_step(&d, SHEAF_STEP_COPY)].count = INT64_MAX, "step");
    REFUSED("chain", d.steps[find_step(&d, SHEAF_STEP_COPY)].pointer = d.plan.n_pointers - 1,
            "step");
    for (uint32_t which = 0; which < 2; which++) {
        REFUSED("chain", copy_pointer(&d, which)->area = 0, "step");
        REFUSED("chain", copy_pointer(&d, which)->area = SHEAF_AREA_HOST_CONSTANTS, "step");
        REFUSED("chain", copy_pointer(&d, which)->area = SHEAF_NO_AREA, "step");
        REFUSED("chain", *copy_pointer(&d, which) = *copy_pointer(&d, 1 - which), "step");
        REFUSED("chain", copy_pointer(&d, which)->offset = UINT64_MAX, "step");
    }
    /* Decisions and launches are the device's. */
    REFUSED("branch", d.pointers[d.steps[find_step(&d, SHEAF_STEP_IF)].pointer].area = 4, "step");
    REFUSED("net", d.pointers[d.steps[0].pointer].area = SHEAF_AREA_HOST_CONSTANTS, "step 0");
    expect_run_works();
}

/* Some processor lacks what no other processor of its kind has. */
static void a_host_that_lacks_a_feature_is_one_sentence(void **state)
{
    (void)state;
    static struct damaged d;
    static const char *const rare[] = {"+amx-tile", "+sse4a", "+avx512f"};
    for (size_t i = 0; i < sizeof rare / sizeof *rare; i++) {
        size_t length;
        struct sheaf_linked linked = damage(&d, "chain");
        d.plan.host_features = rare[i];
        if (!sheaf_cpu_missing_feature(rare[i], &length))
            continue;
        refuse(&linked, d.o.constants, SHEAF_ERROR_PROCESSOR,
               support_printf("chain: the bundle's steps on the host were compiled for processors "
                              "with '%s', which this one lacks",
                              rare[i] + 1));
        return;
    }
    skip();
}

/* From before steps could stay on the host. */
static void older_plans_open(void **state)
{
    (void)state;
    static struct damaged d;
    struct sheaf_error error;
    sheaf_bundle *b = NULL;
    struct sheaf_linked linked = damage(&d, "net");
    d.plan.struct_size = offsetof(struct sheaf_plan, n_host_kernels);
    d.plan.n_host_kernels = 77;
    d.plan.host_bytes = 1u << 20;
    expect_ok(
        sheaf_open_memory(&linked, d.o.constants, d.config.constantWeightVarsMemSize, &b, &error),
        &error);
    fill_input(tensor(b, "x").data, 1);
    run_bundle(b);
    expect_result(b, 1);
    sheaf_close(b);
    expect_nothing_left();
}

/* ---- memory ---- */

/* Every piece of memory in turn is not there; then it is. */
static void each_lack_of_memory_is_one_sentence(void **state)
{
    (void)state;
    static const char *const nets[] = {"net", "branch", "chain"};
    for (size_t k = 0; k < sizeof nets / sizeof *nets; k++) {
        struct linked_entry o = entry_of("gpu", nets[k]);
        struct sheaf_linked linked = linked_of(&o);
        int n_device = 0, n_host = 0;
        for (int on_device = 0; on_device < 2; on_device++) {
            sheaf_bundle *b = NULL;
            for (int n = 0; !b && n < 100; n++) {
                struct sheaf_error error = {SHEAF_OK, ""};
                simulate("SHEAF_SIM_FAIL_MEMORY", on_device ? support_printf("%d", n + 1) : NULL);
                allocations_left = on_device ? -1 : n;
                enum sheaf_status status = sheaf_open_memory(
                    &linked, o.constants, o.config->constantWeightVarsMemSize, &b, &error);
                allocations_left = -1;
                if (status == SHEAF_OK)
                    break;
                check_fault(status, SHEAF_ERROR_MEMORY, &error, nets[k]);
                expect_nothing_left();
                *(on_device ? &n_device : &n_host) += 1;
            }
            assert_non_null(b);
            sheaf_close(b);
        }
        assert_in_range(n_device, 7, 99);
        assert_in_range(n_host, 8, 99);
    }
    simulate("SHEAF_SIM_FAIL_MEMORY", NULL);
    expect_run_works();
}

/* The other contexts go on. */
static void a_context_that_finds_no_memory_leaves_the_others(void **state)
{
    (void)state;
    for (int n = 0; n < 100; n++) {
        struct sheaf_error error;
        sheaf_bundle *b = open_gpu("net"), *c = NULL;
        struct sim_counters before = counters();
        allocations_left = n;
        enum sheaf_status status = sheaf_attach(b, &c, &error);
        allocations_left = -1;
        if (status != SHEAF_OK) {
            check_fault(status, SHEAF_ERROR_MEMORY, &error, "net");
            struct sim_counters after = counters();
            assert_int_equal(after.bytes, before.bytes);
            assert_int_equal(after.streams, before.streams);
            assert_int_equal(after.events, before.events);
            assert_int_equal(after.graphs, before.graphs);
            assert_int_equal(after.host_allocations, before.host_allocations);
        }
        fill_input(tensor(b, "x").data, 1);
        run_bundle(b);
        expect_result(b, 1);
        sheaf_close(c);
        sheaf_close(b);
        expect_nothing_left();
        if (status == SHEAF_OK) {
            assert_in_range(n, 6, 99);
            return;
        }
    }
    fail_msg("attaching never succeeds");
}

static void a_small_device_is_one_sentence(void **state)
{
    (void)state;
    simulate("SHEAF_SIM_MEMORY", "1000");
    refuse_net(SHEAF_ERROR_MEMORY, "bytes for the constants on 'PTX simulator (not a device)' "
                                   "failed: out of memory (CUDA error 2)");
    simulate("SHEAF_SIM_MEMORY", NULL);
    expect_run_works();
}

/* ---- runs ---- */

/* All calls of the process fail after such a fault until the last user of the context is gone. */
static void expect_run_fails(sheaf_bundle *b, const char *part)
{
    struct sheaf_error error;
    check_fault(sheaf_run(b, &error), SHEAF_ERROR_DEVICE, &error, part);
    check_fault(sheaf_run(b, &error), SHEAF_ERROR_DEVICE, &error, "net: the run on");
    sheaf_bundle *c = NULL;
    check_fault(sheaf_attach(b, &c, &error), SHEAF_ERROR_DEVICE, &error, "net: ");
    assert_null(c);
    check_fault(sheaf_gpu_run(b, NULL, &error), SHEAF_ERROR_DEVICE, &error, "net: the run on");
    check_fault(sheaf_gpu_wait(b, &error), SHEAF_ERROR_DEVICE, &error, "net: the run on");
    sheaf_reset_state(b);
    leave_device();
    sheaf_close(b);
    expect_nothing_left();
    use_device();
    expect_run_works();
}

static void each_failing_launch_is_one_sentence(void **state)
{
    (void)state;
    uint32_t n_steps = entry_of("gpu", "net").info->plan->n_steps;
    for (int defer = 0; defer < 2; defer++) {
        simulate("SHEAF_SIM_DEFER", defer ? "1" : NULL);
        for (uint32_t n = 1; n <= n_steps; n++) {
            simulate("SHEAF_SIM_FAIL_LAUNCH", support_printf("%u", (unsigned)n));
            sheaf_bundle *b = open_gpu("net");
            simulate("SHEAF_SIM_FAIL_LAUNCH", NULL);
            expect_run_fails(b, "this launch was told to fail");
        }
    }
    simulate("SHEAF_SIM_DEFER", NULL);
}

static void a_kernel_that_goes_astray_is_one_sentence(void **state)
{
    (void)state;
    static struct damaged d;
    struct sheaf_linked linked = damage(&d, "net");
    struct sheaf_error error;
    sheaf_bundle *b = NULL;
    uint32_t n = d.kernels[d.steps[0].kernel].n_parameters;
    for (uint32_t i = 0; i < n; i++) {
        struct sheaf_pointer *p = &d.pointers[d.steps[0].pointer + i];
        const size_t bytes[3] = {d.config.constantWeightVarsMemSize,
                                 d.config.mutableWeightVarsMemSize, d.config.activationsMemSize};
        p->offset = bytes[p->area]; /* which the plan allows: where what is empty may lie */
    }
    expect_ok(
        sheaf_open_memory(&linked, d.o.constants, d.config.constantWeightVarsMemSize, &b, &error),
        &error);
    expect_run_fails(b, "net: the run on 'PTX simulator (not a device)' failed: ");
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    struct sheaf_error error;
    sheaf_bundle *b = open_gpu("net"), *none = NULL;
    uint64_t address = 7;
    check_fault(sheaf_gpu_address(b, "absent", &address, &error), SHEAF_ERROR_NOT_FOUND, &error,
                "net: there is no tensor 'absent'");
    assert_int_equal(address, 7);
    sheaf_close(b);
    struct linked_entry o = entry_of("gpu", "net");
    struct sheaf_linked linked = linked_of(&o);
    o.constants[0] ^= 1;
    refuse(&linked, o.constants, SHEAF_ERROR_FORMAT, "another digest");
    o.constants[0] ^= 1;
    check_fault(sheaf_open_linked(&linked, path_of("absent"), &none, &error), SHEAF_ERROR_NOT_FOUND,
                &error, "absent");
    expect_nothing_left();
}

static int make_all_bundles(void **state)
{
    make_bundles(state);
    compile("-m chain.onnx -gpu -ptxas=none -host-nodes=a,b -emit-bundle gpu");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_driver_is_one_sentence),
        cmocka_unit_test(an_old_driver_is_one_sentence),
        cmocka_unit_test(no_device_is_one_sentence),
        cmocka_unit_test(code_that_does_not_translate_is_refused),
        cmocka_unit_test(a_device_takes_the_code_that_suits_it),
        cmocka_unit_test(bundles_of_the_cpu_are_refused),
        cmocka_unit_test(malformed_tables_are_refused),
        cmocka_unit_test(malformed_steps_are_refused),
        cmocka_unit_test(malformed_loops_are_refused),
        cmocka_unit_test(malformed_steps_on_the_host_are_refused),
        cmocka_unit_test(a_host_that_lacks_a_feature_is_one_sentence),
        cmocka_unit_test(older_plans_open),
        cmocka_unit_test(each_lack_of_memory_is_one_sentence),
        cmocka_unit_test(a_context_that_finds_no_memory_leaves_the_others),
        cmocka_unit_test(a_small_device_is_one_sentence),
        cmocka_unit_test(each_failing_launch_is_one_sentence),
        cmocka_unit_test(a_kernel_that_goes_astray_is_one_sentence),
        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, make_all_bundles, NULL);
}
