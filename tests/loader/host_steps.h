/*
 * host_steps.h: for tests of bundles for devices of which steps stay on the host: small networks
 * with such steps, and what they compute.
 */
#ifndef SHEAF_TESTS_LOADER_HOST_STEPS_H
#define SHEAF_TESTS_LOADER_HOST_STEPS_H

#include "tests/loader/extern_networks.h"
#include "tests/loader/linked_bundles.h"

/* Loops, and nodes for the host: the condition and the number of the round cross over, too. */
static const struct {
    const char *net, *nodes;
} HOST_LOOPS[] = {{"counted", "Cast"}, {"counted", "Neg"},  {"until", "Less,Cast"},
                  {"until", "Add"},    {"ever", "end"},     {"ever", "w"},
                  {"fixed", "end"},    {"fixed", "Neg,Add"}};
enum { N_HOST_LOOPS = sizeof HOST_LOOPS / sizeof *HOST_LOOPS };

/* The tool's options for the device. */
static const char *host_device;

static inline void make_host_nets(const char *device)
{
    static const char *const nets[] = {"net",   "chain", "branch", "counted",
                                       "fixed", "until", "ever"};
    host_device = device;
    write_all_nets();
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
        compile(support_printf("-m %s.onnx -emit-bundle cpu", nets[i]));
}

static inline uint32_t count_steps(const sheaf_bundle *b, enum sheaf_step_kind kind)
{
    const struct sheaf_plan *p = sheaf_info(b)->plan;
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n_steps; i++)
        n += p->steps[i].kind == (uint32_t)kind;
    return n;
}

/* NET.onnx, with these nodes on the host; the first one is host0/NET, and so on. */
static inline sheaf_bundle *open_host(const char *net, const char *nodes, const char *more)
{
    static int n;
    const char *folder = support_printf("host%d", n++);
    compile(support_printf("-m %s.onnx %s -host-nodes=%s %s -emit-bundle %s", net, host_device,
                           nodes, more, folder));
    struct linked_entry o = entry_of(folder, net);
    sheaf_bundle *b = open_linked(&o);
    assert_true(count_steps(b, SHEAF_STEP_HOST) > 0);
    return b;
}

/* ---- the network of write_extern_net ---- */

/* Its functions are in the object. */
static inline sheaf_bundle *open_extern(void)
{
    write_extern_net("own.onnx");
    compile(support_printf("-m own.onnx %s " EXTERN_OPTIONS " -emit-bundle extern", host_device));
    write_extern_functions("extern", "own");
    run_or_fail(support_printf("cd '%s/extern' && ld -r own.o ../own.o -o both.o && mv both.o "
                               "own.o",
                               support_tmp()),
                NULL);
    struct linked_entry o = entry_of("extern", "own");
    sheaf_bundle *b = open_linked(&o);
    assert_int_equal(count_steps(b, SHEAF_STEP_HOST), 3);
    return b;
}

static inline void run_extern(sheaf_bundle *b)
{
    static const float x[] = {EXTERN_INPUT}, y[] = {EXTERN_OUTPUT};
    static const int32_t told[] = {EXTERN_TOLD};
    memcpy(tensor(b, "x").data, x, sizeof x);
    run_bundle(b);
    assert_memory_equal(tensor(b, "y").data, y, sizeof y);
    assert_memory_equal(tensor(b, "told").data, told, sizeof told);
    assert_int_equal(*(int64_t *)tensor(b, "count").data, EXTERN_COUNT);
}

/* ---- the network of write_chain_net ---- */

static inline void give_chain(float *x, int seed)
{
    for (int i = 0; i < CHAIN_ELEMENTS; i++)
        x[i] = (float)((i * 7 + seed) % 9 - 4);
}

static inline void expect_chain(const sheaf_bundle *b, int seed)
{
    struct linked_entry o = entry_of("cpu", "chain");
    give_chain(tensor_of(&o, "x"), seed);
    assert_int_equal(o.entry(o.constants, o.mutables, o.activations), SHEAF_OK);
    assert_memory_equal(tensor(b, "y").data, tensor_of(&o, "y"), CHAIN_BYTES);
}

static inline void run_chain(sheaf_bundle *b)
{
    for (int seed = 1; seed < 4; seed++) {
        give_chain(tensor(b, "x").data, seed);
        run_bundle(b);
        expect_chain(b, seed);
    }
}

#endif
