/*
 * More vectors at a time than registers: random programs with loops, branches and many phis, for
 * as few registers as one likes, run in the simulator and compared with the same program run here;
 * and kernels that need as much, compared with the evaluator.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <llvm-c/Analysis.h>
#include <llvm-c/IRReader.h>

#include "tests/sim/ve.h"
#include "tests/sim/ve_build.h"
#include "tests/support/compiled.h"
#include "tests/support/support.h"
#include "ve_runtime/codegen/vel.h"

enum { LANES = VEL_LANES, BYTES = LANES * 8, MAX_VALUES = 2048, MAX_OPS = 512, N_OUT = 24 };

/* ---- random programs: sums of vectors of 64-bit numbers, or of masks, modulo 2 ---- */

struct sum {
    int to, a, b;
};

struct sums {
    struct sum op[MAX_OPS];
    int n;
};

/*
 *   entry: values 0 .. n_in-1 are loaded
 *   loop:  phis; body; then `left` or `right` by turns, which meet in further phis; latch
 *   exit:  `end`, the last N_OUT of which are stored
 */
struct random_program {
    uint32_t seed;
    bool masks;
    int n_values, n_in, n_phis, n_joined, rounds;
    struct sums phi, body, left, right, joined, latch, end; /* phi: a at first, b then */
};

static unsigned below(struct random_program *p, unsigned n)
{
    p->seed = p->seed * 1664525 + 1013904223;
    return (unsigned)(((uint64_t)p->seed * n) >> 32);
}

static struct sum *add_op(struct random_program *p, struct sums *ops)
{
    assert_true(ops->n < MAX_OPS && p->n_values < MAX_VALUES);
    struct sum *o = &ops->op[ops->n++];
    o->to = p->n_values++;
    return o;
}

/* Sums of what is known there: all values from `from` on, and those before `known`. */
static void add_ops(struct random_program *p, struct sums *ops, int n, int known, int from)
{
    for (int i = 0; i < n; i++) {
        int later = p->n_values - from;
        int pick[2];
        for (int j = 0; j < 2; j++) {
            pick[j] = (int)below(p, (unsigned)(known + later));
            pick[j] += pick[j] < known ? 0 : from - known;
        }
        struct sum *o = add_op(p, ops);
        o->a = pick[0];
        o->b = pick[1];
    }
}

static void make_program(struct random_program *p)
{
    p->n_values = p->n_in;
    for (int i = 0; i < p->n_phis; i++)
        add_op(p, &p->phi)->a = (int)below(p, (unsigned)p->n_in);
    add_ops(p, &p->body, 40, p->n_values, p->n_values);
    int known = p->n_values;
    add_ops(p, &p->left, 20, known, known);
    int right = p->n_values;
    add_ops(p, &p->right, 20, known, right);
    for (int i = 0; i < p->n_joined; i++) {
        int a = p->left.op[below(p, 20)].to, b = p->right.op[below(p, 20)].to;
        struct sum *o = add_op(p, &p->joined);
        o->a = a;
        o->b = b;
    }
    int joined = p->joined.op[0].to;
    add_ops(p, &p->latch, 40, known, joined);
    /* Some take the place of others, some are new. */
    for (int i = 0; i < p->n_phis; i++)
        p->phi.op[i].b =
            below(p, 2) ? p->phi.op[(i + 1) % p->n_phis].to : p->latch.op[below(p, 40)].to;
    add_ops(p, &p->end, 60 + N_OUT, known, joined);
    for (int i = 0; i < N_OUT; i++) {
        struct sum *o = &p->end.op[60 + i];
        o->a = i < p->n_phis ? p->phi.op[i].to : o->a;
        o->b = i < p->n_phis ? p->phi.op[i].b : o->b;
    }
}

static void print_ops(struct strbuf *s, const struct random_program *p, const struct sums *ops)
{
    const char *type = p->masks ? "<256 x i1>" : "<256 x double>";
    const char *name = p->masks ? "xorm.mmm" : "vaddsl.vvvl", *last = p->masks ? "" : ", i32 256";
    for (int i = 0; i < ops->n; i++)
        strbuf_printf(s, "  %%v%d = call %s @llvm.ve.vl.%s(%s %%v%d, %s %%v%d%s)\n", ops->op[i].to,
                      type, name, type, ops->op[i].a, type, ops->op[i].b, last);
}

static void print_phis(struct strbuf *s, const struct random_program *p, const struct sums *ops,
                       const char *a, const char *b)
{
    const char *type = p->masks ? "<256 x i1>" : "<256 x double>";
    for (int i = 0; i < ops->n; i++)
        strbuf_printf(s, "  %%v%d = phi %s [ %%v%d, %%%s ], [ %%v%d, %%%s ]\n", ops->op[i].to, type,
                      ops->op[i].a, a, ops->op[i].b, b);
}

/* A mask is loaded from the lowest bits, and stored as numbers 0 and 1. */
static void print_load(struct strbuf *s, const struct random_program *p, int i)
{
    strbuf_printf(
        s,
        "  %%a%d = getelementptr i8, ptr %%in, i64 %d\n"
        "  %%%s%d = call <256 x double> @llvm.ve.vl.vld.vssl(i64 8, ptr %%a%d, i32 256)\n",
        i, i * BYTES, p->masks ? "w" : "v", i, i);
    if (p->masks)
        strbuf_printf(s,
                      "  %%x%d = call <256 x double> @llvm.ve.vl.vand.vsvl(i64 1, <256 x double> "
                      "%%w%d, i32 256)\n"
                      "  %%v%d = call <256 x i1> @llvm.ve.vl.vfmklne.mvl(<256 x double> %%x%d, i32 "
                      "256)\n",
                      i, i, i, i);
}

static void print_store(struct strbuf *s, const struct random_program *p, int i, int v)
{
    strbuf_printf(s, "  %%b%d = getelementptr i8, ptr %%out, i64 %d\n", i, i * BYTES);
    if (p->masks)
        strbuf_printf(s,
                      "  %%s%d = call <256 x double> @llvm.ve.vl.vmrg.vvvml(<256 x double> %%zero, "
                      "<256 x double> %%one, <256 x i1> %%v%d, i32 256)\n",
                      i, v);
    strbuf_printf(s,
                  "  call void @llvm.ve.vl.vst.vssl(<256 x double> %%%s%d, i64 8, ptr %%b%d, i32 "
                  "256)\n",
                  p->masks ? "s" : "v", p->masks ? i : v, i);
}

/* In round 2 a function is called that LLVM knows by its name. */
static const char *print_program(struct arena *a, const struct random_program *p)
{
    struct strbuf s;
    strbuf_init(&s, a);
    strbuf_add(&s, "declare <256 x double> @llvm.ve.vl.vld.vssl(i64, ptr, i32)\n"
                   "declare void @llvm.ve.vl.vst.vssl(<256 x double>, i64, ptr, i32)\n"
                   "declare <256 x double> @llvm.ve.vl.vaddsl.vvvl(<256 x double>, "
                   "<256 x double>, i32)\n"
                   "declare <256 x double> @llvm.ve.vl.vand.vsvl(i64, <256 x double>, i32)\n"
                   "declare <256 x double> @llvm.ve.vl.vbrdl.vsl(i64, i32)\n"
                   "declare <256 x double> @llvm.ve.vl.vmrg.vvvml(<256 x double>, <256 x double>, "
                   "<256 x i1>, i32)\n"
                   "declare <256 x i1> @llvm.ve.vl.vfmklne.mvl(<256 x double>, i32)\n"
                   "declare <256 x i1> @llvm.ve.vl.xorm.mmm(<256 x i1>, <256 x i1>)\n"
                   "declare double @llvm.floor.f64(double)\n"
                   "define double @floor(double %x) noinline {\n"
                   "  ret double 2.0\n"
                   "}\n"
                   "define i64 @run(ptr %in, ptr %out, i64 %rounds) {\n"
                   "entry:\n");
    for (int i = 0; i < p->n_in; i++)
        print_load(&s, p, i);
    strbuf_add(&s, "  br label %loop\nloop:\n");
    print_phis(&s, p, &p->phi, "entry", "latch");
    strbuf_add(&s, "  %i = phi i64 [ 0, %entry ], [ %next, %latch ]\n");
    print_ops(&s, p, &p->body);
    strbuf_add(&s, "  %odd = trunc i64 %i to i1\n"
                   "  br i1 %odd, label %left, label %right\nleft:\n");
    print_ops(&s, p, &p->left);
    strbuf_add(&s, "  br label %latch\nright:\n");
    print_ops(&s, p, &p->right);
    strbuf_add(&s, "  br label %latch\nlatch:\n");
    print_phis(&s, p, &p->joined, "left", "right");
    print_ops(&s, p, &p->latch);
    strbuf_add(&s, "  %real = sitofp i64 %i to double\n"
                   "  %whole = call double @llvm.floor.f64(double %real)\n"
                   "  %step = fptosi double %whole to i64\n"
                   "  %more = add i64 %step, -1\n"
                   "  %next = add i64 %i, %more\n"
                   "  %again = icmp slt i64 %next, %rounds\n"
                   "  br i1 %again, label %loop, label %exit\nexit:\n");
    print_ops(&s, p, &p->end);
    if (p->masks)
        strbuf_add(&s, "  %zero = call <256 x double> @llvm.ve.vl.vbrdl.vsl(i64 0, i32 256)\n"
                       "  %one = call <256 x double> @llvm.ve.vl.vbrdl.vsl(i64 1, i32 256)\n");
    for (int i = 0; i < N_OUT; i++)
        print_store(&s, p, i, p->end.op[60 + i].to);
    strbuf_add(&s, "  ret i64 0\n}\n");
    return strbuf_text(&s);
}

static void run_ops(const struct sums *ops, uint64_t (*v)[LANES])
{
    for (int i = 0; i < ops->n; i++)
        for (int l = 0; l < LANES; l++)
            v[ops->op[i].to][l] = v[ops->op[i].a][l] + v[ops->op[i].b][l];
}

static void run_phis(struct arena *a, const struct sums *ops, bool first, uint64_t (*v)[LANES])
{
    uint64_t(*taken)[LANES] = arena_array(a, (size_t)ops->n + 1, sizeof *taken);
    for (int i = 0; i < ops->n; i++)
        memcpy(taken[i], v[first ? ops->op[i].a : ops->op[i].b], BYTES);
    for (int i = 0; i < ops->n; i++)
        memcpy(v[ops->op[i].to], taken[i], BYTES);
}

static void run_program(struct arena *a, const struct random_program *p, uint64_t (*v)[LANES])
{
    for (int round = 0; round < p->rounds; round++) {
        run_phis(a, &p->phi, round == 0, v);
        run_ops(&p->body, v);
        run_ops(round % 2 ? &p->left : &p->right, v);
        run_phis(a, &p->joined, round % 2, v);
        run_ops(&p->latch, v);
    }
    run_ops(&p->end, v);
}

/* ---- the pass on them ---- */

static const char *after_pass(struct arena *a, const char *ir, int registers)
{
    struct target target = {.n_vector_regs = registers};
    struct emit e = {.arena = a, .target = &target, .ctx = LLVMContextCreate()};
    LLVMMemoryBufferRef text = LLVMCreateMemoryBufferWithMemoryRangeCopy(ir, strlen(ir), "ir");
    char *message = NULL;
    e.b = LLVMCreateBuilderInContext(e.ctx);
    e.void_ = LLVMVoidTypeInContext(e.ctx);
    e.i1 = LLVMInt1TypeInContext(e.ctx);
    e.i32 = LLVMInt32TypeInContext(e.ctx);
    e.i64 = LLVMInt64TypeInContext(e.ctx);
    e.f64 = LLVMDoubleTypeInContext(e.ctx);
    if (LLVMParseIRInContext(e.ctx, text, &e.mod, &message))
        fail_msg("%s", message);
    vel_spill(&e);
    if (LLVMVerifyModule(e.mod, LLVMReturnStatusAction, &message))
        fail_msg("%s", message);
    LLVMDisposeMessage(message);
    char *printed = LLVMPrintModuleToString(e.mod);
    const char *after = arena_strdup(a, printed);
    LLVMDisposeMessage(printed);
    LLVMDisposeBuilder(e.b);
    LLVMDisposeModule(e.mod);
    LLVMContextDispose(e.ctx);
    return after;
}

static void check_program(struct arena *a, struct random_program *p, int registers)
{
    struct error err;
    error_init(&err);
    make_program(p);
    const char *ir = after_pass(a, print_program(a, p), registers);
    uint64_t(*v)[LANES] = arena_array(a, MAX_VALUES, sizeof *v);
    uint64_t(*out)[LANES] = arena_array(a, N_OUT, sizeof *out);
    for (int i = 0; i < p->n_in; i++)
        for (int l = 0; l < LANES; l++)
            v[i][l] = (uint64_t)(i + 1) * 0x9e3779b97f4a7c15u ^ (uint64_t)l << 32;

    size_t n_bytes;
    void *object = ve_compile(ir, &n_bytes);
    assert_non_null(object);
    struct sim_ve *ve = sim_ve_create(UINT64_C(1) << 30);
    struct sim_ve_library *library = sim_ve_load(ve, "object", object, n_bytes, &err);
    if (!library)
        fail_msg("%s", err.text);
    uint64_t args[3] = {sim_ve_alloc(ve, (size_t)p->n_in * BYTES),
                        sim_ve_alloc(ve, sizeof *out * N_OUT), (uint64_t)p->rounds};
    assert_true(sim_ve_write(ve, args[0], v, (size_t)p->n_in * BYTES, &err));
    struct sim_ve_context *c = sim_ve_open(ve, 0);
    sim_ve_call(c, sim_ve_symbol(ve, library, "run"), args, 3);
    sim_ve_run(ve, c, 0);
    if (sim_ve_state(c) != SIM_VE_DONE)
        fail_msg("%s", sim_ve_fault(c));
    assert_true(sim_ve_read(ve, out, args[1], sizeof *out * N_OUT, &err));
    sim_ve_close(c);
    sim_ve_destroy(ve);
    free(object);

    run_program(a, p, v);
    for (int i = 0; i < N_OUT; i++)
        for (int l = 0; l < LANES; l++) {
            uint64_t want = v[p->end.op[60 + i].to][l];
            if (out[i][l] != (p->masks ? want & 1 : want))
                fail_msg("seed %u, %d registers: result %d differs", p->seed, registers, i);
        }
}

static void random_programs(void **state)
{
    (void)state;
    static const struct {
        bool masks;
        int n_in, n_phis, n_joined, registers;
    } cases[] = {{false, 80, 3, 2, 56},    {false, 10, 80, 2, 56},     {false, 60, 60, 60, 56},
                 {false, 150, 20, 70, 56}, {false, 20, 10, 5, 4},      {false, 5, 40, 12, 8},
                 {false, 30, 3, 20, 12},   {false, 100, 100, 100, 20}, {true, 15, 3, 2, 56},
                 {true, 5, 20, 2, 56},     {true, 60, 60, 60, 56},     {true, 30, 14, 40, 4}};
    int n = support_full() ? 40 : support_quick() ? 1 : 4;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int j = 0; j < n; j++) {
            struct arena a;
            arena_init(&a);
            struct random_program *p = arena_new(&a, struct random_program);
            *p = (struct random_program){.seed = (uint32_t)(i * 100 + (size_t)j),
                                         .masks = cases[i].masks,
                                         .n_in = cases[i].n_in,
                                         .n_phis = cases[i].n_phis,
                                         .n_joined = cases[i].n_joined,
                                         .rounds = 1 + j % 5};
            check_program(&a, p, cases[i].registers);
            arena_done(&a);
        }
}

/* ---- kernels ---- */

/* Rows are loaded, all of them, and then added in pairs, the first to the last. */
static const char *print_kernel(struct arena *a, int rows, int columns)
{
    struct strbuf s;
    int n = 0;
    strbuf_init(&s, a);
    strbuf_printf(&s,
                  "kernel \"pairs\" {\n"
                  "  in @0 \"x\": f32[%d,%d] plain\n"
                  "  out @1 \"y\": f32[%d,%d] plain\n"
                  "  map %%0 (%%1 < %d) {\n",
                  rows, columns, rows / 2, columns, columns);
    for (n = 0; n < rows; n++)
        strbuf_printf(&s, "    %%%d = load @0[%d, %%1]\n", n + 2, n);
    for (int i = 0; i < rows / 2; i++, n++)
        strbuf_printf(&s, "    %%%d = add %%%d, %%%d\n", n + 2, i + 2, rows + 1 - i);
    for (int i = 0; i < rows / 2; i++)
        strbuf_printf(&s, "    store @1[%d, %%1] = %%%d\n", i, rows + 2 + i);
    strbuf_add(&s, "  }\n}\n");
    return strbuf_text(&s);
}

static void check_kernel(int rows, int columns)
{
    struct compiled c;
    struct error err;
    struct arena a;
    struct strbuf report;
    error_init(&err);
    arena_init(&a);
    if (!compiled_open_kernel(&c, print_kernel(&a, rows, columns), "ve", &err))
        fail_msg("%s", err.text);
    for (size_t b = 0; b < c.program->n_bufs; b++) {
        float *x = pipeline_run_data(&c.run, (int)b);
        for (int i = 0; c.program->bufs[b].role == SHEAF_ROLE_INPUT && i < rows * columns; i++)
            x[i] = (float)(i % 1013);
    }
    strbuf_init(&report, &c.arena);
    if (!pipeline_run_verify(&c.run, &report, &err))
        fail_msg("%d rows of %d: %s", rows, columns, err.text);
    compiled_close(&c);
    arena_done(&a);
}

/* Whole vectors, and such of fewer lanes, whose other lanes nobody wrote. */
static void many_rows(void **state)
{
    (void)state;
    if (!compiled_host_runs("ve")) {
        print_message("skipped for want of the simulator\n");
        skip();
    }
    for (int rows = 50; rows <= 130; rows += 10) {
        check_kernel(rows, 512);
        check_kernel(rows, 45);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_programs),
                                       cmocka_unit_test(many_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
