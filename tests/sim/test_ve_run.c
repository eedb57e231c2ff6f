/*
 * The simulator of the Vector Engine as a whole: kernels that LLVM compiles, contexts that meet at
 * a barrier, estimated time, and each way in which a call is stopped.
 */
#include <elf.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bundle/write/ve_shared.h"
#include "tests/sim/ve.h"
#include "tests/sim/ve_build.h"
#include "tests/support/support.h"

static struct sim_ve *ve;
static struct sim_ve_library *library;
static struct error err;

static int set_up(void **state)
{
    (void)state;
    error_init(&err);
    ve = sim_ve_create(UINT64_C(4) << 30);
    assert_non_null(ve);
    sim_ve_options(ve)->reference = sim_ve_llvm_text;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sim_ve_destroy(ve);
    return 0;
}

static void load(void *object, size_t n_bytes)
{
    assert_non_null(object);
    library = sim_ve_load(ve, "object", object, n_bytes, &err);
    if (!library)
        fail_msg("%s", err.text);
    free(object);
}

static void load_ir(const char *ir)
{
    size_t n_bytes = 0;
    void *object = ve_compile(ir, &n_bytes);
    load(object, n_bytes);
}

static uint64_t put(const void *from, size_t n_bytes)
{
    uint64_t at = sim_ve_alloc(ve, n_bytes);
    assert_true(at && sim_ve_write(ve, at, from, n_bytes, &err));
    return at;
}

static void get(void *to, uint64_t from, size_t n_bytes)
{
    assert_true(sim_ve_read(ve, to, from, n_bytes, &err));
}

/* Runs it to its end, which must be a return, on a context of its own. */
static uint64_t call(const char *name, const uint64_t *args, size_t n_args)
{
    struct sim_ve_context *c = sim_ve_open(ve, 0);
    uint64_t at = sim_ve_symbol(ve, library, name);
    assert_true(c && at);
    sim_ve_call(c, at, args, n_args);
    sim_ve_run(ve, c, 0);
    if (sim_ve_state(c) != SIM_VE_DONE)
        fail_msg("%s", sim_ve_fault(c));
    uint64_t result = sim_ve_result(c);
    sim_ve_close(c);
    return result;
}

static float random_float(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return (float)(int32_t)*seed / 2147483648.0F;
}

/* ---- kernels ---- */

/* Rows of 512 floats, two and two in an element; a's numbers twice, for both halves. */
static const char gemm[] =
    "declare <256 x double> @llvm.ve.vl.vld.vssl(i64, ptr, i32)\n"
    "declare void @llvm.ve.vl.vst.vssl(<256 x double>, i64, ptr, i32)\n"
    "declare <256 x double> @llvm.ve.vl.pvfmad.vvsvl(<256 x double>, i64, <256 x double>, i32)\n"
    "declare <256 x double> @llvm.ve.vl.vbrdl.vsl(i64, i32)\n"
    "define i64 @gemm(ptr %a, ptr %b, ptr %c, i64 %k, i32 %vl) {\n"
    "entry:\n"
    "  %zero = call <256 x double> @llvm.ve.vl.vbrdl.vsl(i64 0, i32 %vl)\n"
    "  br label %loop\n"
    "loop:\n"
    "  %i = phi i64 [0, %entry], [%next, %loop]\n"
    "  %s0 = phi <256 x double> [%zero, %entry], [%t0, %loop]\n"
    "  %s1 = phi <256 x double> [%zero, %entry], [%t1, %loop]\n"
    "  %offset = shl i64 %i, 11\n"
    "  %row = getelementptr i8, ptr %b, i64 %offset\n"
    "  %v = call <256 x double> @llvm.ve.vl.vld.vssl(i64 8, ptr %row, i32 %vl)\n"
    "  %p0 = getelementptr i64, ptr %a, i64 %i\n"
    "  %a0 = load i64, ptr %p0\n"
    "  %p1 = getelementptr i64, ptr %p0, i64 40\n"
    "  %a1 = load i64, ptr %p1\n"
    "  %t0 = call <256 x double> @llvm.ve.vl.pvfmad.vvsvl(<256 x double> %s0, i64 %a0, <256 x "
    "double> %v, i32 %vl)\n"
    "  %t1 = call <256 x double> @llvm.ve.vl.pvfmad.vvsvl(<256 x double> %s1, i64 %a1, <256 x "
    "double> %v, i32 %vl)\n"
    "  %next = add i64 %i, 1\n"
    "  %more = icmp ult i64 %next, %k\n"
    "  br i1 %more, label %loop, label %out\n"
    "out:\n"
    "  call void @llvm.ve.vl.vst.vssl(<256 x double> %t0, i64 8, ptr %c, i32 %vl)\n"
    "  %c1 = getelementptr i8, ptr %c, i64 2048\n"
    "  call void @llvm.ve.vl.vst.vssl(<256 x double> %t1, i64 8, ptr %c1, i32 %vl)\n"
    "  ret i64 7\n"
    "}\n";

enum { K = 40, COLUMNS = 512 };

static void test_packed_gemm(void **state)
{
    (void)state;
    static float a[2][K][2], b[K][COLUMNS], c[2][COLUMNS];
    uint32_t seed = 5;
    for (int i = 0; i < 2 * K; i++)
        a[i / K][i % K][0] = a[i / K][i % K][1] = random_float(&seed);
    for (int i = 0; i < K * COLUMNS; i++)
        b[i / COLUMNS][i % COLUMNS] = random_float(&seed);
    load_ir(gemm);
    uint64_t args[] = {put(a, sizeof a), put(b, sizeof b), sim_ve_alloc(ve, sizeof c), K, 256};
    assert_int_equal(call("gemm", args, 5), 7);
    get(c, args[2], sizeof c);
    for (int r = 0; r < 2; r++)
        for (int j = 0; j < COLUMNS; j++) {
            float want = 0;
            for (int k = 0; k < K; k++)
                want = fmaf(a[r][k][0], b[k][j], want);
            assert_memory_equal(&c[r][j], &want, sizeof want);
        }
    assert_int_equal(sim_ve_ran(ve, "pvfmad"), 2 * K);
}

/* What is counted of it is exact; time is not, but neither faster than the pipes nor far off. */
static void test_statistics(void **state)
{
    test_packed_gemm(state);
    size_t n;
    const struct sim_ve_stats *s = sim_ve_stats(ve, &n);
    assert_int_equal(n, 1);
    assert_string_equal(s->name, "gemm");
    assert_int_equal(s->calls, 1);
    assert_int_equal(s->flops, 2 * 2 * K * COLUMNS);
    assert_int_equal(s->bytes_read, K * COLUMNS * 4);
    assert_int_equal(s->bytes_written, 2 * COLUMNS * 4);
    assert_int_equal(s->fma_insns, 2 * K);
    double least = 8.0 * K; /* of loads: 256 elements at 32 per cycle */
    assert_true(s->memory_cycles == 8.0 * (K + 2));
    assert_true(fabs(s->fma_cycles - 8.0 * 2 * K / 3) < 0.01);
    assert_true(s->cycles > least && s->cycles < 3 * least);
    assert_true(s->vector_cycles <= s->cycles && s->vector_cycles > s->cycles / 2);
    assert_int_equal(sim_ve_total(ve).flops, 2 * 2 * K * COLUMNS);
    sim_ve_reset_stats(ve);
    sim_ve_stats(ve, &n);
    assert_int_equal(n, 0);
    assert_int_equal(sim_ve_ran(ve, "pvfmad"), 0);
}

/* out[i] = x[index[i]] where x[index[i]] > 0, else -1; returns the sum of the positive ones. */
static const char gather[] =
    "declare <256 x double> @llvm.ve.vl.vldlsx.vssl(i64, ptr, i32)\n"
    "declare <256 x double> @llvm.ve.vl.vsfa.vvssl(<256 x double>, i64, i64, i32)\n"
    "declare <256 x double> @llvm.ve.vl.vgtu.vvssl(<256 x double>, i64, i64, i32)\n"
    "declare <256 x i1> @llvm.ve.vl.vfmksgt.mvl(<256 x double>, i32)\n"
    "declare <256 x double> @llvm.ve.vl.vbrds.vsl(float, i32)\n"
    "declare <256 x double> @llvm.ve.vl.vmrg.vvvml(<256 x double>, <256 x double>, <256 x i1>, "
    "i32)\n"
    "declare <256 x double> @llvm.ve.vl.vfsums.vvml(<256 x double>, <256 x i1>, i32)\n"
    "declare void @llvm.ve.vl.vstu.vssl(<256 x double>, i64, ptr, i32)\n"
    "declare float @llvm.ve.vl.lvss.svs(<256 x double>, i32)\n"
    "define i64 @gather(ptr %x, ptr %index, ptr %out, i32 %n) {\n"
    "  %i = call <256 x double> @llvm.ve.vl.vldlsx.vssl(i64 4, ptr %index, i32 %n)\n"
    "  %base = ptrtoint ptr %x to i64\n"
    "  %at = call <256 x double> @llvm.ve.vl.vsfa.vvssl(<256 x double> %i, i64 2, i64 %base, i32 "
    "%n)\n"
    "  %v = call <256 x double> @llvm.ve.vl.vgtu.vvssl(<256 x double> %at, i64 0, i64 0, i32 %n)\n"
    "  %m = call <256 x i1> @llvm.ve.vl.vfmksgt.mvl(<256 x double> %v, i32 %n)\n"
    "  %less = call <256 x double> @llvm.ve.vl.vbrds.vsl(float -1.0, i32 %n)\n"
    "  %r = call <256 x double> @llvm.ve.vl.vmrg.vvvml(<256 x double> %less, <256 x double> %v, "
    "<256 "
    "x i1> %m, i32 %n)\n"
    "  call void @llvm.ve.vl.vstu.vssl(<256 x double> %r, i64 4, ptr %out, i32 %n)\n"
    "  %s = call <256 x double> @llvm.ve.vl.vfsums.vvml(<256 x double> %v, <256 x i1> %m, i32 %n)\n"
    "  %f = call float @llvm.ve.vl.lvss.svs(<256 x double> %s, i32 0)\n"
    "  %w = fptosi float %f to i64\n"
    "  ret i64 %w\n"
    "}\n";

static void test_gather_mask_and_sum(void **state)
{
    (void)state;
    enum { N = 77 };
    float x[1000], out[N];
    int32_t index[N], sum = 0;
    for (int i = 0; i < 1000; i++)
        x[i] = (float)(i % 37 - 18);
    for (int i = 0; i < N; i++) {
        index[i] = i * 7919 % 1000;
        sum += x[index[i]] > 0 ? (int32_t)x[index[i]] : 0;
    }
    load_ir(gather);
    uint64_t args[] = {put(x, sizeof x), put(index, sizeof index), sim_ve_alloc(ve, sizeof out), N};
    assert_int_equal(call("gather", args, 4), sum);
    get(out, args[2], sizeof out);
    for (int i = 0; i < N; i++)
        assert_true(out[i] == (x[index[i]] > 0 ? x[index[i]] : -1));
}

/* A table of constants (through the GOT), calls with a frame, more arguments than registers. */
static const char scalar_code[] =
    "@table = internal constant [4 x double] [double 1.5, double 2.5, double 3.5, double 4.5]\n"
    "@counter = internal global i64 40\n"
    "@where = global ptr @counter\n"
    "define double @pick(i64 %i) noinline {\n"
    "  %p = getelementptr [4 x double], ptr @table, i64 0, i64 %i\n"
    "  %v = load double, ptr %p\n"
    "  ret double %v\n"
    "}\n"
    "define i64 @many(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %f, i64 %g, i64 %h, i64 %i, i64 "
    "%j) {\n"
    "  %room = alloca [100 x i64]\n"
    "  %p = getelementptr [100 x i64], ptr %room, i64 0, i64 %a\n"
    "  store volatile i64 %j, ptr %p\n"
    "  %x = call double @pick(i64 %b)\n"
    "  %y = call double @pick(i64 %i)\n"
    "  %z = fadd double %x, %y\n"
    "  %w = fptosi double %z to i64\n"
    "  %q = load volatile i64, ptr %p\n"
    "  %to = load ptr, ptr @where\n"
    "  %old = load i64, ptr %to\n"
    "  %new = add i64 %old, 1\n"
    "  store i64 %new, ptr %to\n"
    "  %s = add i64 %w, %q\n"
    "  %t = add i64 %s, %new\n"
    "  ret i64 %t\n"
    "}\n";

static void test_calls_tables_and_stack(void **state)
{
    (void)state;
    load_ir(scalar_code);
    uint64_t args[] = {99, 1, 0, 0, 0, 0, 0, 0, 2, 1000};
    assert_int_equal(call("many", args, 10), 6 + 1000 + 41);
    assert_int_equal(call("many", args, 10), 6 + 1000 + 42);
    assert_true(sim_ve_symbol(ve, NULL, "where"));
    assert_int_equal(sim_ve_symbol(ve, NULL, "counter"), 0);
    struct sim_ve_context *small = sim_ve_open(ve, 8192);
    sim_ve_call(small, sim_ve_symbol(ve, library, "many"), args, 10);
    sim_ve_run(ve, small, 0);
    assert_int_equal(sim_ve_state(small), SIM_VE_DONE);
    sim_ve_close(small);
    small = sim_ve_open(ve, 3072);
    sim_ve_call(small, sim_ve_symbol(ve, library, "many"), args, 10);
    sim_ve_run(ve, small, 0);
    assert_non_null(
        strstr(sim_ve_fault(small), "asks the operating system for more stack than 3072"));
}

/* The same as a shared object of the project's own. */
static void test_shared_object(void **state)
{
    (void)state;
    struct arena a;
    struct bytes library_bytes;
    size_t n_bytes = 0;
    uint8_t *object = ve_compile(scalar_code, &n_bytes);
    assert_non_null(object);
    arena_init(&a);
    if (!ve_shared_make(&a, "object", (struct bytes){object, n_bytes}, &library_bytes, &err))
        fail_msg("%s", err.text);
    library = sim_ve_load(ve, "object.so", library_bytes.data, library_bytes.size, &err);
    if (!library)
        fail_msg("%s", err.text);
    uint64_t args[] = {99, 1, 0, 0, 0, 0, 0, 0, 2, 1000};
    assert_int_equal(call("many", args, 10), 6 + 1000 + 41);
    assert_int_equal(call("many", args, 10), 6 + 1000 + 42);
    assert_int_equal(sim_ve_symbol(ve, library, "counter"), 0);
    assert_int_equal(sim_ve_symbol(ve, library, "_DYNAMIC"), 0);
    /* A second copy has data of its own. */
    library = sim_ve_load(ve, "object.so", library_bytes.data, library_bytes.size, &err);
    assert_non_null(library);
    assert_int_equal(call("many", args, 10), 6 + 1000 + 41);
    arena_done(&a);
    free(object);
}

static void assert_refused(const void *elf, size_t n_bytes, const char *why)
{
    error_init(&err);
    assert_null(sim_ve_load(ve, "object.so", elf, n_bytes, &err));
    if (!strstr(err.text, why))
        fail_msg("'%s', not '%s'", err.text, why);
}

/* The program header of that type in a shared object. */
static void change_segment(uint8_t *elf, uint32_t type, void (*change)(Elf64_Phdr *segment))
{
    Elf64_Ehdr header;
    memcpy(&header, elf, sizeof header);
    for (unsigned i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr s;
        uint8_t *at = elf + header.e_phoff + i * sizeof s;
        memcpy(&s, at, sizeof s);
        if (s.p_type == type)
            change(&s);
        memcpy(at, &s, sizeof s);
    }
}

static void align_less(Elf64_Phdr *segment)
{
    segment->p_align = 4096;
}

static void become_note(Elf64_Phdr *segment)
{
    segment->p_type = PT_NOTE;
}

static void become_threads(Elf64_Phdr *segment)
{
    segment->p_type = PT_TLS;
}

static void test_shared_objects_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        void (*change)(Elf64_Phdr *segment);
        const char *why;
    } changes[] = {
        {PT_LOAD, align_less, "object.so: a segment is not aligned to pages of 2 MiB"},
        {PT_LOAD, become_note, "object.so: it has no segment with code"},
        {PT_DYNAMIC, become_note, "object.so: it has no dynamic section"},
        {PT_DYNAMIC, become_threads, "object.so: it has thread-local data"},
    };
    struct arena a;
    struct bytes made;
    size_t n_bytes = 0;
    uint8_t *object = ve_compile(scalar_code, &n_bytes);
    assert_non_null(object);
    arena_init(&a);
    assert_true(ve_shared_make(&a, "object", (struct bytes){object, n_bytes}, &made, &err));
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        uint8_t *copy = malloc(made.size);
        assert_non_null(copy);
        memcpy(copy, made.data, made.size);
        change_segment(copy, changes[i].type, changes[i].change);
        assert_refused(copy, made.size, changes[i].why);
        free(copy);
    }
    /* cut off, at all places of its beginning */
    for (size_t n = 0; n < 1000; n++)
        assert_refused(made.data, n, "object.so: ");
    assert_int_equal(sim_ve_bytes_in_use(ve), 0);
    arena_done(&a);
    free(object);
}

/* ---- contexts ---- */

/* Each of n ranks adds its number to a sum, waits for all, and returns the sum; `slow` rounds are
   lost first by rank 0. */
static const char barrier[] =
    "define i64 @meet(ptr %sum, ptr %arrived, i64 %rank, i64 %n, i64 %slow) {\n"
    "entry:\n"
    "  %lead = icmp eq i64 %rank, 0\n"
    "  %rounds = select i1 %lead, i64 %slow, i64 1\n"
    "  br label %work\n"
    "work:\n"
    "  %k = phi i64 [%rounds, %entry], [%k1, %work]\n"
    "  %junk = load volatile i64, ptr %sum\n"
    "  %k1 = sub i64 %k, 1\n"
    "  %busy = icmp ne i64 %k1, 0\n"
    "  br i1 %busy, label %work, label %add\n"
    "add:\n"
    "  %plus = add i64 %rank, 1\n"
    "  %o = atomicrmw add ptr %sum, i64 %plus monotonic\n"
    "  %p = atomicrmw add ptr %arrived, i64 1 acq_rel\n"
    "  br label %wait\n"
    "wait:\n"
    "  %q = load atomic i64, ptr %arrived acquire, align 8\n"
    "  %go = icmp uge i64 %q, %n\n"
    "  br i1 %go, label %out, label %wait\n"
    "out:\n"
    "  %r = load volatile i64, ptr %sum\n"
    "  ret i64 %r\n"
    "}\n";

static void start_ranks(struct sim_ve_context **c, unsigned n_started, unsigned n, uint64_t slow)
{
    const uint64_t zeros[2] = {0};
    load_ir(barrier);
    uint64_t at = put(zeros, sizeof zeros);
    for (unsigned rank = 0; rank < n_started; rank++) {
        uint64_t args[] = {at, at + 8, rank, n, slow};
        c[rank] = sim_ve_open(ve, 1 << 20);
        sim_ve_call(c[rank], sim_ve_symbol(ve, library, "meet"), args, 5);
    }
}

static void meet_all(void)
{
    struct sim_ve_context *c[8];
    start_ranks(c, 8, 8, 100000);
    sim_ve_run(ve, c[3], 0);
    assert_int_equal(sim_ve_state(c[3]), SIM_VE_DONE);
    sim_ve_run(ve, NULL, 0);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(sim_ve_state(c[i]), SIM_VE_DONE);
        assert_int_equal(sim_ve_result(c[i]), 36);
    }
}

static void test_contexts_meet(void **state)
{
    (void)state;
    meet_all();
    /* Seven have waited for the slow one: all took as long as it did, about. */
    size_t n;
    double longest = sim_ve_total(ve).longest_cycles;
    const struct sim_ve_stats *s = sim_ve_stats(ve, &n);
    assert_int_equal(s->calls, 8);
    assert_true(s->longest_cycles > 0.9 * longest && s->longest_cycles <= longest);
    assert_true(longest > 100000 && s->cycles > 7.9 * longest && s->cycles <= 8 * longest);
}

static const char race[] = "define i64 @race(ptr %p, i64 %rank, ptr %other) {\n"
                           "  %writes = icmp eq i64 %rank, 0\n"
                           "  br i1 %writes, label %write, label %pass\n"
                           "write:\n"
                           "  store i64 5, ptr %p\n"
                           "  ret i64 5\n"
                           "pass:\n"
                           "  %i = phi i64 [0, %0], [%n, %pass]\n"
                           "  %n = add i64 %i, 1\n"
                           "  store volatile i64 %n, ptr %other\n"
                           "  %more = icmp ult i64 %n, 100\n"
                           "  br i1 %more, label %pass, label %read\n"
                           "read:\n"
                           "  %x = load i64, ptr %p\n"
                           "  ret i64 %x\n"
                           "}\n";

/* One reads what the other has written long before: by chance. */
static void test_unfair_order(void **state)
{
    load_ir(race);
    for (int unfair = 0; unfair < 2; unfair++) {
        struct sim_ve_context *c[2];
        uint64_t args[] = {sim_ve_alloc(ve, 8), 0, sim_ve_alloc(ve, 8)};
        sim_ve_options(ve)->unfair = unfair;
        for (; args[1] < 2; args[1]++) {
            c[args[1]] = sim_ve_open(ve, 0);
            sim_ve_call(c[args[1]], sim_ve_symbol(ve, library, "race"), args, 3);
        }
        sim_ve_run(ve, NULL, 0);
        assert_int_equal(sim_ve_state(c[0]), SIM_VE_DONE);
        assert_int_equal(sim_ve_state(c[1]), unfair ? SIM_VE_FAULT : SIM_VE_DONE);
        assert_true(!unfair || strstr(sim_ve_fault(c[1]), "which nobody wrote"));
    }
    tear_down(state);
    set_up(state);
    sim_ve_options(ve)->unfair = true;
    meet_all();
}

static void test_deadlock_is_found(void **state)
{
    (void)state;
    struct sim_ve_context *c[2];
    sim_ve_options(ve)->spin_insns = 100000;
    start_ranks(c, 2, 3, 1);
    sim_ve_run(ve, NULL, 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(sim_ve_state(c[i]), SIM_VE_FAULT);
        assert_non_null(strstr(sim_ve_fault(c[i]), "waits for ever"));
        assert_non_null(strstr(sim_ve_fault(c[i]), "meet+0x"));
    }
}

static void test_run_in_steps(void **state)
{
    (void)state;
    struct sim_ve_context *c[2];
    start_ranks(c, 1, 1, 1000);
    assert_int_equal(sim_ve_run(ve, c[0], 10), 10);
    assert_int_equal(sim_ve_state(c[0]), SIM_VE_RUNNING);
    assert_true(sim_ve_run(ve, c[0], 0) > 3000);
    assert_int_equal(sim_ve_state(c[0]), SIM_VE_DONE);
    assert_int_equal(sim_ve_run(ve, NULL, 0), 0);
    for (unsigned i = 1; i < SIM_VE_MAX_CONTEXTS; i++)
        assert_non_null(sim_ve_open(ve, 4096));
    assert_null(sim_ve_open(ve, 4096));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_packed_gemm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_statistics, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gather_mask_and_sum, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_calls_tables_and_stack, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shared_object, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shared_objects_that_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_contexts_meet, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unfair_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deadlock_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_run_in_steps, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
