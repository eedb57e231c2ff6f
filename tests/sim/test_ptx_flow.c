/*
 * Ways through a kernel: divergence, loops, calls, local memory, several warps and blocks; text as
 * LLVM's NVPTX back end writes it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/sim/kernels.h"
#include "tests/sim/ptx_float.h"
#include "tests/support/support.h"

enum { MAX_THREADS = 256 };

static uint32_t in[1024], out[1024];

static void run_case(struct kernel_case c)
{
    memset(out, 0, sizeof out);
    c.in = in;
    c.in_bytes = sizeof in;
    c.out = out;
    c.out_bytes = sizeof out;
    c.out_is_written = true;
    const char *failure = kernel_run(&c);
    if (failure)
        print_message("%s\n", failure);
    assert_null(failure);
}

static void run(const char *body, unsigned block)
{
    run_case((struct kernel_case){.body = body, .block = block});
}

#define STORE(reg)                                                                                 \
    "mul.wide.u32 %d0, %r20, 4; add.s64 %d0, %d0, %d21; st.global.u32 [%d0], " reg ";\n"

/* Lanes part thrice and meet again: what follows is executed once. */
static void test_lanes_meet_again(void **state)
{
    (void)state;
    run("and.b32 %r1, %r20, 1; setp.eq.u32 %p1, %r1, 0; and.b32 %r2, %r20, 2;"
        "setp.eq.u32 %p2, %r2, 0; mov.u32 %r3, 0;"
        "@%p1 bra EVEN; add.u32 %r3, %r3, 1; @%p2 bra A; add.u32 %r3, %r3, 10; bra MEET;"
        "A: add.u32 %r3, %r3, 20; bra MEET;"
        "EVEN: add.u32 %r3, %r3, 2; @!%p2 bra MEET; add.u32 %r3, %r3, 30;"
        "MEET: activemask.b32 %r4; popc.b32 %r4, %r4; mul.lo.u32 %r4, %r4, 1000;"
        "add.u32 %r3, %r3, %r4;" STORE("%r3"),
        32);
    static const uint32_t want[] = {32, 21, 2, 11};
    for (uint32_t i = 0; i < 32; i++)
        assert_int_equal(out[i], 32000 + want[i % 4]);
}

static void test_loops_of_different_length(void **state)
{
    (void)state;
    run("mov.u32 %r1, 0; mov.u32 %r2, 0;"
        "NEXT: setp.ge.u32 %p1, %r1, %r20; @%p1 bra END; add.u32 %r2, %r2, %r1;"
        "add.u32 %r1, %r1, 1; bra NEXT; END: activemask.b32 %r3; setp.ne.u32 %p1, %r3, -1;"
        "@%p1 trap;" STORE("%r2"),
        64);
    for (uint32_t i = 0; i < 64; i++)
        assert_int_equal(out[i], i ? i * (i - 1) / 2 : 0);
}

static void test_lanes_that_exit(void **state)
{
    (void)state;
    run("setp.gt.u32 %p1, %r20, 9; @%p1 exit; mov.u32 %r1, 7;" STORE("%r1"), 40);
    for (uint32_t i = 0; i < 40; i++)
        assert_int_equal(out[i], i > 9 ? 0 : 7);
}

/* Called from two places by lanes that have parted, with a local array of its own. */
static void test_calls(void **state)
{
    (void)state;
    struct kernel_case c = {
        .module =
            ".func (.param .b32 result) twice(.param .b32 x, .param .b64 y)\n"
            "{ .reg .b32 %r<5>; .reg .b64 %rd<3>; .local .align 8 .b8 a[16];\n"
            "ld.param.u32 %r1, [x]; ld.param.u64 %rd1, [y]; mov.u64 %rd2, a;\n"
            "cvta.local.u64 %rd2, %rd2; st.u64 [%rd2+8], %rd1; ld.u32 %r2, [%rd2+8];\n"
            "add.s32 %r3, %r1, %r1; add.s32 %r3, %r3, %r2; st.param.b32 [result], %r3; ret; }",
        .body =
            "setp.lt.u32 %p1, %r20, 16; cvt.u64.u32 %d5, %r20; @%p1 bra A;\n"
            "{ .param .b32 p0; st.param.b32 [p0], %r20; .param .b64 p1; st.param.b64 [p1], %d5;\n"
            ".param .b32 r0; call.uni (r0), twice, (p0, p1); ld.param.b32 %r1, [r0]; }\n"
            "bra B;\n"
            "A: { .param .b32 p0; .param .b64 p1; st.param.b32 [p0+0], 100;\n"
            "st.param.b64 [p1+0], %d5; .param .b32 r0;\n"
            "call.uni (r0), twice, (p0, p1); ld.param.b32 %r1, [r0+0]; }\n"
            "B: " STORE("%r1"),
        .block = 64};
    run_case(c);
    for (uint32_t i = 0; i < 64; i++)
        assert_int_equal(out[i], i < 16 ? 200 + i : 3 * i);
}

static void test_special_registers(void **state)
{
    (void)state;
    struct kernel_case c = {.body = "mov.u32 %r1, %ntid.x; mad.lo.u32 %r2, %r21, %r1, %r20;"
                                    "mov.u32 %r3, %nctaid.x; mov.u32 %r4, %warpid;"
                                    "mad.lo.u32 %r4, %r4, 100, %r3; mov.u32 %r5, %laneid;"
                                    "mad.lo.u32 %r4, %r5, 10000, %r4;"
                                    "mul.wide.u32 %d0, %r2, 4; add.s64 %d0, %d0, %d21;"
                                    "st.global.u32 [%d0], %r4;",
                            .grid = 3,
                            .block = 70};
    run_case(c);
    for (uint32_t i = 0; i < 210; i++)
        assert_int_equal(out[i], i % 70 % 32 * 10000 + i % 70 / 32 * 100 + 3);
}

/* Arrays of the module with values, one of them an address; shared memory by generic addresses. */
static void test_spaces(void **state)
{
    (void)state;
    struct kernel_case c = {
        .module = ".global .align 4 .f32 ones[3] = {0f3F800000, 0f40000000, 0f40400000};\n"
                  ".global .align 8 .u64 where = ones+4;\n"
                  ".extern .shared .align 16 .b8 dynamic[];\n.shared .align 4 .u32 fixed[5];",
        .body = "mov.u64 %d0, where; ld.global.u64 %d0, [%d0]; cvta.global.u64 %d0, %d0;"
                "ld.f32 %f1, [%d0+4]; mov.b32 %r1, %f1;\n"
                "mov.u64 %d1, dynamic; cvta.shared.u64 %d2, %d1; st.u32 [%d2+8], 77;"
                "ld.shared.u32 %r2, [dynamic+8]; mov.u64 %d3, fixed; sub.s64 %d3, %d1, %d3;"
                "cvt.u32.u64 %r3, %d3; isspacep.shared %p1, %d2; selp.b32 %r4, 1, 0, %p1;"
                "isspacep.global %p1, %d2; selp.b32 %r5, 1, 0, %p1;"
                "st.global.v4.u32 [%d21], {%r1, %r2, %r3, %r4}; st.global.u32 [%d21+16], %r5;",
        .dynamic_shared = 64};
    run_case(c);
    assert_int_equal(out[0], dtype_bits_of_f32(3.0f));
    assert_int_equal(out[1], 77);
    assert_int_equal(out[2], 32);
    assert_int_equal(out[3], 1);
    assert_int_equal(out[4], 0);
}

static void test_loads_of_narrow_types(void **state)
{
    (void)state;
    in[0] = 0xf5f3f1ff;
    in[1] = 0x12345678;
    run("ld.global.s8 %r1, [%d20]; ld.global.u8 %r2, [%d20]; ld.global.s16 %r3, [%d20+2];"
        "ld.global.u16 %h1, [%d20+2]; cvt.u32.u16 %r4, %h1; ld.global.v2.u8 {%h2, %h3}, [%d20];"
        "cvt.u32.u16 %r5, %h3; ld.global.s32 %d1, [%d20]; shr.u64 %d1, %d1, 32;"
        "cvt.u32.u64 %r6, %d1; ld.global.v4.u16 {%h4, %h5, %h6, %h7}, [%d20];"
        "mov.b32 %r7, {%h6, %h7};"
        "st.global.v4.u32 [%d21], {%r1, %r2, %r3, %r4}; st.global.v2.u32 [%d21+16], {%r5, %r6};"
        "st.global.u32 [%d21+24], %r7; st.global.v2.u8 [%d21+28], {%h1, %h2};",
        1);
    static const uint32_t want[] = {0xffffffff, 0xff,       0xfffff5f3, 0xf5f3,
                                    0xf1,       0xffffffff, 0x12345678, 0xfff3};
    assert_memory_equal(out, want, sizeof want);
}

static void test_atomics(void **state)
{
    (void)state;
    run("atom.global.add.u32 %r1, [%d21], 2; atom.global.max.s32 %r2, [%d21+4], %r20;"
        "neg.s32 %r3, %r20; red.global.min.s32 [%d21+8], %r3; red.global.or.b32 [%d21+12], %r20;"
        "cvt.rn.f32.u32 %f1, %r20; red.global.add.f32 [%d21+16], %f1;"
        "atom.global.inc.u32 %r4, [%d21+20], 9; atom.global.exch.b32 %r4, [%d21+24], %r20;"
        "atom.global.cas.b32 %r5, [%d21+28], %r20, 5; red.global.xor.b32 [%d21+32], %r20;"
        "red.global.dec.u32 [%d21+36], 3; cvt.u64.u32 %d1, %r20; red.global.add.u64 [%d21+40], %d1;"
        "red.global.and.b32 [%d21+12], -1;",
        32);
    assert_int_equal(out[0], 64);
    assert_int_equal(out[1], 31);
    assert_int_equal((int32_t)out[2], -31);
    assert_int_equal(out[3], 31);
    assert_int_equal(out[4], dtype_bits_of_f32(496.0f));
    assert_int_equal(out[5], 2);
    assert_int_equal(out[7], 5);
    assert_int_equal(out[8], 0);
    assert_int_equal(out[9], 0);
    assert_int_equal(out[10], 496);
}

/* As LLVM 19 writes a sum over a block: comments, labels, directives, several functions. */
static const char from_llvm[] =
    "//\n// Generated by LLVM NVPTX Back-End\n//\n\n"
    "\t// .globl\tother                   // -- Begin function other\n"
    ".visible .shared .align 4 .b8 tile[512];\n"
    "                                        // @other\n"
    ".visible .entry other(\n\t.param .u64 .ptr .global .align 16 other_param_0,\n"
    "\t.param .u64 other_param_1\n)\n.maxntid 128, 1, 1\n.minnctapersm 2\n{\n"
    "\t.reg .pred \t%p<2>;\n\t.reg .b32 \t%r<9>;\n\t.reg .f32 \t%f<5>;\n\t.reg .b64 \t%rd<9>;\n\n"
    "// %bb.0:\n\tld.param.u64 \t%rd1, [other_param_0];\n\tmov.u32 \t%r1, %tid.x;\n"
    "\tmov.b32 \t%r8, 64;\n$L__BB0_1:                              // =>This Inner Loop\n"
    "\tsetp.gt.s32 \t%p1, %r8, 1;\n\tshr.u32 \t%r8, %r8, 1;\n\t@%p1 bra \t$L__BB0_1;\n"
    "\t{ // begin inline asm\n\t.reg .pred p;\n\tsetp.eq.u32 p, %r1, 0;\n\t}\n"
    "\t// end inline asm\n\tret;\n                                        // -- End function\n}\n";

static void test_text_of_llvm(void **state)
{
    (void)state;
    run_case((struct kernel_case){
        .module = from_llvm,
        .body = "setp.eq.u32 %p1, %r20, 0;\n\t@%p1 bra \t$L__BB1_2;\n"
                "\tbra.uni \t$L__BB1_1;\n$L__BB1_1:\n" STORE("%r20") "$L__BB1_2:\n",
        .block = 4});
    assert_int_equal(out[3], 3);
}

/* What it costs is printed: how many instructions of lanes, and of products, in a second. */
static double run_timed(const char *body)
{
    struct timespec start, stop;
    timespec_get(&start, TIME_UTC);
    run(body, MAX_THREADS);
    timespec_get(&stop, TIME_UTC);
    return (double)(stop.tv_sec - start.tv_sec) + 1e-9 * (double)(stop.tv_nsec - start.tv_nsec);
}

static void test_speed(void **state)
{
    (void)state;
    double s = run_timed("mov.u32 %r1, 0; mov.f32 %f1, 0f3F800000; mul.wide.u32 %d0, %r20, 4;"
                         "add.s64 %d0, %d0, %d20;"
                         "NEXT: ld.global.f32 %f2, [%d0]; fma.rn.f32 %f1, %f1, %f2, %f1;"
                         "add.u32 %r1, %r1, 1; setp.lt.u32 %p1, %r1, 20000; @%p1 bra NEXT;");
    double n = (double)kernel_n_insns();
    assert_true(n > 5 * 20000 * MAX_THREADS / 32);
    print_message("%.0f million instructions of lanes in a second\n", n * 32e-6 / s);
    s = run_timed("mov.u32 %r1, 0; mov.f32 %f1, 0f00000000;"
                  "NEXT: mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f1, %f2, %f3, %f4},"
                  "{%r2, %r3, %r4, %r5}, {%r6, %r7}, {%f1, %f2, %f3, %f4};"
                  "add.u32 %r1, %r1, 1; setp.lt.u32 %p1, %r1, 2000; @%p1 bra NEXT;");
    print_message("%.1f thousand million operations of mma in a second\n",
                  2000.0 * MAX_THREADS / 32 * 4096e-9 / s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lanes_meet_again),
        cmocka_unit_test(test_loops_of_different_length),
        cmocka_unit_test(test_lanes_that_exit),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_special_registers),
        cmocka_unit_test(test_spaces),
        cmocka_unit_test(test_loads_of_narrow_types),
        cmocka_unit_test(test_atomics),
        cmocka_unit_test(test_text_of_llvm),
        cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
