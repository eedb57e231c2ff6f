/*
 * test_support_ve.c: the routines that LLVM calls on the Vector Engine, made into a shared object
 * and run in the simulator, against the same operations of the host.
 */
#include <math.h>
#include <stdlib.h>

#include "bundle/emit/support.h"
#include "bundle/write/ve_shared.h"
#include "tests/sim/ve.h"
#include "tests/support/fixture.h"
#include "tests/support/module.h"
#include "tests/support/random.h"

static const char *const NAMES[] = {
    "sqrtf", "floorf", "ceilf",  "truncf",  "rintf",  "sqrt",           "floor",         "ceil",
    "trunc", "rint",   "memcpy", "memmove", "memset", "__gnu_h2f_ieee", "__gnu_f2h_ieee"};

/* What the back end would call, where anybody can. */
static struct bytes routines(void)
{
    LLVMTargetMachineRef machine;
    LLVMModuleRef module = module_for("ve-unknown-linux-gnu", "generic", "+vpu", &machine);
    LLVMMemoryBufferRef object;
    struct support s;
    char *words = NULL;
    support_init(&s, module);
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        LLVMSetLinkage(support_define(&s, NAMES[i]), LLVMExternalLinkage);
    support_done(&s);
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMObjectFile, &words, &object))
        fail_msg("%s", words);
    struct bytes bytes = {(const uint8_t *)LLVMGetBufferStart(object), LLVMGetBufferSize(object)};
    struct bytes library;
    if (!ve_shared_make(&arena, "routines.so", bytes, &library, &err))
        fail_msg("%s", err.text);
    LLVMDisposeMemoryBuffer(object);
    LLVMDisposeModule(module);
    LLVMDisposeTargetMachine(machine);
    return library;
}

struct engine {
    struct sim_ve *ve;
    struct sim_ve_library *library;
    struct sim_ve_context *context;
};

static struct engine start(void)
{
    struct bytes library = routines();
    struct engine e = {.ve = sim_ve_create((uint64_t)1 << 28)};
    assert_non_null(e.ve);
    e.library = sim_ve_load(e.ve, "routines.so", library.data, library.size, &err);
    if (!e.library)
        fail_msg("%s", err.text);
    e.context = sim_ve_open(e.ve, 0);
    return e;
}

static uint64_t call(struct engine *e, const char *name, const uint64_t *args, size_t n_args)
{
    sim_ve_call(e->context, sim_ve_symbol(e->ve, e->library, name), args, n_args);
    sim_ve_run(e->ve, e->context, 0);
    if (sim_ve_state(e->context) != SIM_VE_DONE)
        fail_msg("%s: %s", name, sim_ve_fault(e->context));
    return sim_ve_result(e->context);
}

/* Floats lie in the upper half of a register. */
static float call_float(struct engine *e, const char *name, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint64_t arg = (uint64_t)bits << 32;
    bits = (uint32_t)(call(e, name, &arg, 1) >> 32);
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double call_double(struct engine *e, const char *name, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = call(e, name, &bits, 1);
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void same(const char *name, double x, double have, double want)
{
    if (memcmp(&have, &want, sizeof have) != 0 && !(isnan(have) && isnan(want)))
        fail_msg("%s(%a) is %a, not %a", name, x, have, want);
}

static void floats(void **state)
{
    (void)state;
    static const double first[] = {0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 1e30, INFINITY, NAN, 4, 2};
    enum { N_FIRST = sizeof first / sizeof *first };
    static const struct {
        const char *name, *narrow;
        double (*fn)(double);
    } cases[] = {{"sqrt", "sqrtf", sqrt},
                 {"floor", "floorf", floor},
                 {"ceil", "ceilf", ceil},
                 {"trunc", "truncf", trunc},
                 {"rint", "rintf", rint}};
    struct engine e = start();
    uint64_t seed = 3;
    for (int i = 0; i < 200; i++) {
        double x = i < N_FIRST ? first[i] : (random_below(&seed, 1 << 20) - 300000) / 512.0;
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            /* A root of a float, rounded to double and again, is rounded right. */
            float narrow = (float)cases[k].fn((float)x);
            same(cases[k].narrow, (float)x, call_float(&e, cases[k].narrow, (float)x), narrow);
            same(cases[k].name, x, call_double(&e, cases[k].name, x), cases[k].fn(x));
        }
    }
    sim_ve_destroy(e.ve);
}

static void halves(void **state)
{
    (void)state;
    static const struct {
        float f;
        uint64_t h;
    } cases[] = {{1, 0x3c00},       {-2, 0xc000},       {65504, 0x7bff},   {0x1p-24f, 0x1},
                 {0x1p-14f, 0x400}, {INFINITY, 0x7c00}, {1.0f / 3, 0x3555}};
    struct engine e = start();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t bits;
        memcpy(&bits, &cases[i].f, sizeof bits);
        uint64_t arg = (uint64_t)bits << 32;
        assert_int_equal(call(&e, "__gnu_f2h_ieee", &arg, 1) & 0xffff, cases[i].h);
        bits = (uint32_t)(call(&e, "__gnu_h2f_ieee", &cases[i].h, 1) >> 32);
        float back;
        memcpy(&back, &bits, sizeof back);
        assert_true(fabsf(back - cases[i].f) <= fabsf(cases[i].f) / 2048 || back == cases[i].f);
    }
    sim_ve_destroy(e.ve);
}

static void memory(void **state)
{
    (void)state;
    enum { N = 300 };
    uint8_t want[N], have[N];
    struct engine e = start();
    uint64_t at = sim_ve_alloc(e.ve, N), seed = 9;
    for (int i = 0; i < 60; i++) {
        for (int k = 0; k < N; k++)
            want[k] = (uint8_t)random_below(&seed, 256);
        assert_true(sim_ve_write(e.ve, at, want, N, &err));
        uint64_t from = (uint64_t)random_below(&seed, 150), to = (uint64_t)random_below(&seed, 150);
        uint64_t n = (uint64_t)random_below(&seed, 150);
        if (i % 3 == 0) {
            call(&e, "memset", (uint64_t[]){at + to, from, n}, 3);
            memset(want + to, (int)from, n);
        } else {
            bool overlaps = from < to + n && to < from + n;
            call(&e, overlaps ? "memmove" : "memcpy", (uint64_t[]){at + to, at + from, n}, 3);
            memmove(want + to, want + from, n);
        }
        assert_true(sim_ve_read(e.ve, have, at, N, &err));
        assert_memory_equal(have, want, N);
    }
    sim_ve_destroy(e.ve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(floats, setup, teardown),
        cmocka_unit_test_setup_teardown(halves, setup, teardown),
        cmocka_unit_test_setup_teardown(memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
