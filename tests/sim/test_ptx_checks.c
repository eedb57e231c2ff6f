/*
 * Every fault that the simulator finds, provoked once, beside the right form of the same code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/kernels.h"
#include "tests/support/support.h"

enum { WARP = 32, BLOCK = 64 };

static const char shared_array[] = ".shared .align 16 .b8 s[1024];";
static uint8_t in[4096];
static uint32_t out[1024];

/* 256 bytes in, 4 for each of 64 threads out. */
static struct kernel_case some(const char *body)
{
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)i;
    return (struct kernel_case){.module = shared_array,
                                .body = body,
                                .block = BLOCK,
                                .in = in,
                                .in_bytes = 256,
                                .out = out,
                                .out_bytes = 4 * BLOCK,
                                .out_is_written = true};
}

static void assert_runs(const struct kernel_case *c)
{
    const char *failure = kernel_run(c);
    if (failure)
        print_message("%s\n", failure);
    assert_null(failure);
}

/* The sentence holds all of the words. */
static void assert_refused(const struct kernel_case *c, const char *what, const char *where)
{
    const char *failure = kernel_run(c);
    if (!failure || !strstr(failure, what) || !strstr(failure, where))
        print_message("wanted '%s' and '%s', got: %s\n", what, where,
                      failure ? failure : "no failure");
    assert_non_null(failure);
    assert_non_null(strstr(failure, what));
    assert_non_null(strstr(failure, where));
}

static void refuse(const char *body, const char *what, const char *where)
{
    struct kernel_case c = some(body);
    assert_refused(&c, what, where);
}

static void accept(const char *body)
{
    struct kernel_case c = some(body);
    assert_runs(&c);
}

/* ---- bounds, alignment, bytes that nobody wrote ---- */

static void test_bounds(void **state)
{
    (void)state;
    accept("mul.wide.u32 %d0, %r20, 4; add.s64 %d0, %d0, %d20; ld.global.u32 %r0, [%d0];");
    refuse("mul.wide.u32 %d0, %r20, 4; add.s64 %d0, %d0, %d20; ld.global.u32 %r0, [%d0+4];",
           "reads 4 bytes", "thread (63,0,0)");
    refuse("ld.global.u8 %r0, [%d20+-1];", "where nothing is allocated", "ld.global.u8");
    refuse("mov.u64 %d0, 64; ld.global.u8 %r0, [%d0];", "where nothing is allocated", "0x40");
    refuse("ld.global.v4.u32 {%r0, %r1, %r2, %r3}, [%d20+248];", "not a multiple",
           "reads 16 bytes");
    refuse("st.global.v4.u32 [%d21+256], {%r0, %r1, %r2, %r3};", "past the end", "writes 16 bytes");
    refuse("ld.global.u32 %r0, [%d20+2];", "which is not a multiple", "reads 4 bytes");
    refuse("st.shared.u32 [s+1024], %r20;", "of which the block has 1024", "writes 4 bytes");
    refuse("st.shared.u32 [s+2], %r20;", "which is not a multiple", "shared memory");
    refuse("ld.param.u64 %d0, [n];", "of parameters", "reads 8 bytes");
    refuse("{ .local .b8 l[8]; mov.u64 %d0, l; st.local.u32 [%d0+16], %r20; }", "of local memory",
           "writes 4 bytes");
}

static void test_bounds_are_those_of_vectors(void **state)
{
    (void)state;
    refuse("ld.global.v2.u64 {%d0, %d1}, [%d20+8];", "not a multiple", "reads 16 bytes");
    accept("ld.global.v2.u64 {%d0, %d1}, [%d20+16];");
}

static void test_unwritten(void **state)
{
    (void)state;
    struct kernel_case c = some("ld.global.u32 %r0, [%d20+256];");
    c.in_more = 64;
    assert_refused(&c, "nobody wrote", "byte 256");
    c.body = "st.global.u32 [%d20+256], %r20; ld.global.u32 %r0, [%d20+256];";
    c.block = 1;
    assert_runs(&c);
    c.body = "st.global.u8 [%d20+256], %r20; ld.global.u32 %r0, [%d20+256];";
    assert_refused(&c, "nobody wrote", "byte 256");
    refuse("ld.shared.u32 %r0, [s+4];", "nobody wrote", "0x4");
    refuse("st.shared.u8 [s], %r20; ld.shared.u16 %h0, [s];", "shared memory", "0x0");
}

/* Lanes whose bytes follow each other are checked together, and as well as one by one. */
static void test_rows(void **state)
{
    (void)state;
    static const char *const shapes[][2] = {{"u8", "1"}, {"u16", "2"}, {"u32", "4"}, {"u64", "8"}};
    for (size_t i = 0; i < 4; i++)
        for (unsigned short_by = 0; short_by < 2; short_by++) {
            char body[300];
            snprintf(body, sizeof body,
                     "mul.wide.u32 %%d0, %%r20, %s; add.s64 %%d0, %%d0, %%d20;"
                     "ld.global.%s %%d1, [%%d0]; st.global.%s [%%d0], %%d1;",
                     shapes[i][1], shapes[i][0], shapes[i][0]);
            struct kernel_case c = some(body);
            c.in_bytes = (size_t)BLOCK * (size_t)(1 << i) - short_by;
            c.in_more = short_by;
            if (short_by)
                assert_refused(&c, "nobody wrote", "thread (63,0,0)");
            else
                assert_runs(&c);
            c.in_more = 0;
            c.in_bytes -= !short_by;
            assert_refused(&c, "past the end", "thread (63,0,0)");
        }
}

static void test_constants(void **state)
{
    (void)state;
    struct kernel_case c = some("ld.const.u32 %r0, [table+4]; st.global.u32 [%d21], %r0;");
    c.module = ".const .align 4 .u32 table[3] = {7, 8, 9};";
    c.block = 1;
    assert_runs(&c);
    assert_int_equal(out[0], 8);
    c.body = "mov.u64 %d0, table; st.global.u32 [%d0], %r20;";
    assert_refused(&c, "are constant", "writes 4 bytes");
}

/* ---- shared memory ---- */

#define MY_WORD    "mul.lo.u32 %r1, %r20, 4; mov.u32 %r2, s; add.u32 %r1, %r1, %r2;\n"
#define OTHER_WORD "xor.b32 %r3, %r20, 63; mul.lo.u32 %r3, %r3, 4; add.u32 %r3, %r3, %r2;\n"
#define NEXT_WORD  "xor.b32 %r3, %r20, 1; mul.lo.u32 %r3, %r3, 4; add.u32 %r3, %r3, %r2;\n"

static void test_shared_races(void **state)
{
    (void)state;
    accept(MY_WORD OTHER_WORD "st.shared.u32 [%r1], %r20; bar.sync 0; ld.shared.u32 %r0, [%r3];");
    refuse(MY_WORD NEXT_WORD "st.shared.u32 [%r1], %r20; ld.shared.u32 %r0, [%r3];",
           "no barrier between", "reads shared memory");
    accept(MY_WORD NEXT_WORD
           "st.shared.u32 [%r1], %r20; bar.warp.sync -1; ld.shared.u32 %r0, [%r3];");
    /* A shuffle orders no memory. */
    refuse(MY_WORD NEXT_WORD "st.shared.u32 [%r1], %r20;"
                             "shfl.sync.idx.b32 %r5, %r1, 0, 31, -1; ld.shared.u32 %r0, [%r3];",
           "no barrier between", "reads shared memory");
    refuse("st.shared.u32 [s], %r20;", "no barrier between", "writes shared memory");
    /* Read, then written by another thread. */
    refuse(MY_WORD NEXT_WORD "st.shared.u32 [%r1], %r20; bar.sync 0;"
                             "ld.shared.u32 %r0, [%r3]; st.shared.u32 [%r1], %r20;",
           "another thread of the block read", "writes shared memory");
    accept(MY_WORD NEXT_WORD "st.shared.u32 [%r1], %r20; bar.sync 0;"
                             "ld.shared.u32 %r0, [%r3]; bar.sync 0; st.shared.u32 [%r1], %r20;");
    /* What one warp has synchronized another one has not. */
    refuse(MY_WORD OTHER_WORD
           "st.shared.u32 [%r1], %r20; bar.warp.sync -1; ld.shared.u32 %r0, [%r3];",
           "shared memory", "ld.shared.u32");
    /* All read one word, in several warps; then one thread writes it. */
    accept("setp.eq.u32 %p0, %r20, 0; @%p0 st.shared.u32 [s], %r20; bar.sync 0;"
           "ld.shared.u32 %r0, [s]; ld.shared.u32 %r0, [s]; bar.sync 0;"
           "@%p0 st.shared.u32 [s], %r20;");
    refuse("setp.eq.u32 %p0, %r20, 0; @%p0 st.shared.u32 [s], %r20; bar.sync 0;"
           "ld.shared.u32 %r0, [s]; bar.warp.sync -1; setp.eq.u32 %p0, %r20, 63;"
           "@%p0 st.shared.u32 [s], %r20;",
           "no barrier between", "shared memory at 0x0");
}

static void test_bytes_beside_each_other_do_not_race(void **state)
{
    (void)state;
    accept("mov.u32 %r1, s; add.u32 %r1, %r1, %r20; st.shared.u8 [%r1], %r20;"
           "ld.shared.u8 %r0, [%r1]; add.u32 %r0, %r0, 1; st.shared.u8 [%r1], %r0;");
}

static void test_shared_atomics(void **state)
{
    (void)state;
    struct kernel_case c = some("setp.eq.u32 %p0, %r20, 0; @%p0 st.shared.u32 [s], 0; bar.sync 0;"
                                "atom.shared.add.u32 %r0, [s], 2; bar.sync 0;"
                                "ld.shared.u32 %r0, [s]; @%p0 st.global.u32 [%d21], %r0;");
    assert_runs(&c);
    assert_int_equal(out[0], 2 * BLOCK);
    refuse("setp.eq.u32 %p0, %r20, 0; @%p0 st.shared.u32 [s], 0; bar.sync 0;"
           "atom.shared.add.u32 %r0, [s], 2; ld.shared.u32 %r0, [s];",
           "no barrier between", "ld.shared.u32");
}

static void test_named_barriers(void **state)
{
    (void)state;
    /* Of four warps two pairs meet at barriers of their own. */
    struct kernel_case c = some(MY_WORD "shr.u32 %r5, %r20, 6; add.u32 %r5, %r5, 1;"
                                        "st.shared.u32 [%r1], %r20; bar.sync %r5, 64;" OTHER_WORD
                                        "ld.shared.u32 %r0, [%r3];");
    c.block = 128;
    assert_runs(&c);
    c.body = MY_WORD "st.shared.u32 [%r1], %r20; shr.u32 %r5, %r20, 6; add.u32 %r5, %r5, 1;"
                     "bar.sync %r5, 64; xor.b32 %r3, %r20, 127; mul.lo.u32 %r3, %r3, 4;"
                     "add.u32 %r3, %r3, %r2; ld.shared.u32 %r0, [%r3];";
    assert_refused(&c, "shared memory", "ld.shared.u32");
}

/* ---- cp.async ---- */

#define COPY                                                                                       \
    "mul.lo.u32 %r1, %r20, 16; mov.u32 %r2, s; add.u32 %r1, %r1, %r2;"                             \
    "mul.wide.u32 %d0, %r20, 16; add.s64 %d0, %d0, %d20;"                                          \
    "cp.async.cg.shared.global [%r1], [%d0], 16; cp.async.commit_group;"

static void test_async_copies(void **state)
{
    (void)state;
    struct kernel_case c = some(COPY "cp.async.wait_group 0; ld.shared.u32 %r0, [%r1+4];"
                                     "mul.wide.u32 %d0, %r20, 4; add.s64 %d0, %d0, %d21;"
                                     "st.global.u32 [%d0], %r0;");
    c.in_bytes = 1024;
    assert_runs(&c);
    assert_int_equal(out[3], 0x37363534);
    c.body = COPY "ld.shared.u32 %r0, [%r1];";
    assert_refused(&c, "has not waited for", "reads shared memory");
    c.body = COPY "cp.async.wait_group 1; ld.shared.u32 %r0, [%r1];";
    assert_refused(&c, "has not waited for", "reads shared memory");
    c.body = COPY "st.shared.u32 [%r1], %r20;";
    assert_refused(&c, "has not waited for", "writes shared memory");
    /* One's own wait says nothing of the others' copies. */
    c.body = COPY "cp.async.wait_all; xor.b32 %r1, %r1, 16; ld.shared.u32 %r0, [%r1];";
    assert_refused(&c, "no barrier between", "reads shared memory");
    c.body = COPY "cp.async.wait_all; bar.sync 0; xor.b32 %r1, %r1, 16; ld.shared.u32 %r0, [%r1];";
    assert_runs(&c);
    c.body = COPY "cp.async.wait_all; cp.async.ca.shared.global [%r1], [%d0+4], 16;";
    assert_refused(&c, "not a multiple", "cp.async.ca");
}

static void test_async_copies_fill_with_zeros(void **state)
{
    (void)state;
    struct kernel_case c = some("mov.u32 %r1, s; mov.u32 %r5, 6;"
                                "cp.async.ca.shared.global [%r1], [%d20+8], 8, %r5;"
                                "cp.async.ca.shared.global [%r1+8], [%d20+4096], 4, 0;"
                                "cp.async.wait_all; ld.shared.v2.u32 {%r2, %r3}, [%r1];"
                                "ld.shared.u32 %r4, [%r1+8]; st.global.u32 [%d21], %r2;"
                                "st.global.u32 [%d21+4], %r3; st.global.u32 [%d21+8], %r4;");
    c.block = 1;
    assert_runs(&c);
    assert_int_equal(out[0], 0x0b0a0908);
    assert_int_equal(out[1], 0x00000d0c);
    assert_int_equal(out[2], 0);
}

/* ---- barriers ---- */

static void test_barriers(void **state)
{
    (void)state;
    refuse("setp.lt.u32 %p0, %r20, 5; @%p0 bar.sync 0;", "has exited", "bar.sync");
    refuse("setp.lt.u32 %p0, %r20, 5; @%p0 bra A; bar.sync 0; A: bar.sync 0;", "is elsewhere",
           "bar.sync");
    /* Lanes that come from further down meet the others. */
    accept("setp.lt.u32 %p0, %r20, 5; @%p0 bra A; B: bar.warp.sync -1; bar.sync 0; ret;"
           "A: bra B;");
    refuse("setp.lt.u32 %p0, %r20, 5; @%p0 exit; bar.sync 0;", "has exited", "thread (5,0,0)");
    refuse("setp.lt.u32 %p0, %r20, 32; @%p0 exit; bar.sync 0;", "never come", "thread (32,0,0)");
    refuse("bar.sync 0, 128;", "never come", "bar.sync 0, 128");
    refuse("bar.sync 16;", "there is no barrier 16", "bar.sync");
    refuse("bar.sync 1, 40;", "cannot be of 40 threads", "bar.sync");
    accept("setp.lt.u32 %p0, %r20, 32; @%p0 bra A; barrier.sync 0; bra B;"
           "A: barrier.sync 0; B: bar.sync 0;");
    refuse("setp.lt.u32 %p0, %r20, 5; @%p0 bra A; bar.warp.sync -1; A: bar.warp.sync -1;",
           "is elsewhere", "bar.warp.sync");
    refuse("bar.warp.sync 1;", "without being named", "thread (1,0,0)");
    accept("setp.lt.u32 %p0, %r20, 5; @%p0 exit; bar.warp.sync -1;");
}

static void test_collectives(void **state)
{
    (void)state;
    refuse("setp.lt.u32 %p0, %r20, 5; @%p0 bra A; shfl.sync.idx.b32 %r0, %r20, 0, 31, -1;"
           "A: bar.warp.sync -1;",
           "is elsewhere", "bar.warp.sync");
    refuse("setp.lt.u32 %p0, %r20, 5; @%p0 shfl.sync.idx.b32 %r0, %r20, 9, 31, 31;",
           "reads lane 9, which does not take part", "shfl.sync");
    struct kernel_case c = some("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r0}, [%r1];");
    c.block = 16;
    assert_refused(&c, "needs all lanes", "ldmatrix");
}

/* ---- device memory among blocks ---- */

#define OUT_OF_BLOCK "mul.wide.u32 %d0, %r21, 4; add.s64 %d0, %d0, %d21;\n"

static struct kernel_case blocks(const char *body)
{
    struct kernel_case c = some(body);
    c.grid = 4;
    c.block = 1;
    return c;
}

static void test_races_of_blocks(void **state)
{
    (void)state;
    struct kernel_case c = blocks(OUT_OF_BLOCK "st.global.u32 [%d0], %r21;");
    assert_runs(&c);
    c = blocks("st.global.u32 [%d21], %r21;");
    assert_refused(&c, "which block (0,0,0) of the launch wrote", "block (1,0,0)");
    c = blocks(OUT_OF_BLOCK "st.global.u32 [%d0], %r21; ld.global.u32 %r0, [%d21];");
    assert_refused(&c, "which block (0,0,0) of the launch wrote", "reads 0x");
    c = blocks(OUT_OF_BLOCK "ld.global.u32 %r0, [%d21+12]; st.global.u32 [%d0], %r21;");
    assert_refused(&c, "which other blocks of the launch read", "block (3,0,0)");
    c = blocks("red.global.add.u32 [%d21], 3;");
    assert_runs(&c);
    assert_int_equal(out[0], 12);
    /* Bytes beside each other belong to different blocks. */
    c = blocks("cvt.u64.u32 %d0, %r21; add.s64 %d0, %d0, %d21; st.global.u8 [%d0], %r21;");
    assert_runs(&c);
    assert_int_equal(out[0], 0x03020100);
    c.body = "cvt.u64.u32 %d0, %r21; add.s64 %d0, %d0, %d21; ld.global.u8 %r0, [%d0];"
             "add.u32 %r0, %r0, %r21; st.global.u8 [%d0], %r0;";
    assert_runs(&c);
    c = blocks(OUT_OF_BLOCK "st.global.u32 [%d0], %r21; ld.global.nc.u32 %r0, [%d0];");
    assert_refused(&c, "non-coherent", "ld.global.nc");
}

/* The last block to arrive adds up what all have left, as a reduction in two steps does. */
#define LEAVE_AND_ARRIVE(fence)                                                                    \
    "add.u32 %r1, %r21, 1; mul.wide.u32 %d0, %r1, 4; add.s64 %d0, %d0, %d21;"                      \
    "st.global.u32 [%d0], %r1;" fence "atom.global.add.u32 %r2, [%d21], 1;"                        \
    "setp.ne.u32 %p0, %r2, 3; @%p0 exit;" fence                                                    \
    "ld.global.u32 %r3, [%d21+4]; ld.global.u32 %r4, [%d21+8]; ld.global.u32 %r5, [%d21+12];"      \
    "add.u32 %r3, %r3, %r4; add.u32 %r3, %r3, %r5; st.global.u32 [%d21+20], %r3;"

static void test_last_block_reads_the_others(void **state)
{
    (void)state;
    struct kernel_case c = blocks(LEAVE_AND_ARRIVE("membar.gl;"));
    assert_runs(&c);
    assert_int_equal(out[5], 6);
    c = blocks(LEAVE_AND_ARRIVE("fence.acq_rel.gpu;"));
    assert_runs(&c);
    c = blocks(LEAVE_AND_ARRIVE(""));
    assert_refused(&c, "of the launch wrote", "block (3,0,0)");
    c = blocks(LEAVE_AND_ARRIVE("membar.cta;"));
    assert_refused(&c, "of the launch wrote", "block (3,0,0)");
}

/* All wait for all, by a counter in memory; then each reads what the next one wrote. */
#define GRID_BARRIER(arrive, look) arrive "WAIT: " look " setp.lt.u32 %p1, %r2, 4; @%p1 bra WAIT;"
#define NEXT_BLOCK_READS                                                                           \
    "add.u32 %r3, %r21, 1; and.b32 %r3, %r3, 3; add.u32 %r3, %r3, 1;"                              \
    "mul.wide.u32 %d1, %r3, 4; add.s64 %d1, %d1, %d21; ld.global.u32 %r4, [%d1];"                  \
    "st.global.u32 [%d0+32], %r4;"
#define WRITE_OWN "add.s64 %d0, %d0, 4; st.global.u32 [%d0], %r21;"

static void test_grid_barrier(void **state)
{
    (void)state;
    struct kernel_case c = blocks(OUT_OF_BLOCK WRITE_OWN GRID_BARRIER(
        "membar.gl; red.global.add.u32 [%d21], 1;",
        "ld.volatile.global.u32 %r2, [%d21];") "membar.gl;" NEXT_BLOCK_READS);
    c.cooperative = true;
    assert_runs(&c);
    assert_int_equal(out[9], 1);
    assert_int_equal(out[12], 0);
    c.body = OUT_OF_BLOCK WRITE_OWN GRID_BARRIER("red.release.gpu.global.add.u32 [%d21], 1;",
                                                 "ld.acquire.gpu.global.u32 %r2, [%d21];")
        NEXT_BLOCK_READS;
    assert_runs(&c);
    c.body = OUT_OF_BLOCK WRITE_OWN GRID_BARRIER("red.relaxed.gpu.global.add.u32 [%d21], 1;",
                                                 "ld.relaxed.gpu.global.u32 %r2, [%d21];")
        NEXT_BLOCK_READS;
    assert_refused(&c, "of the launch wrote", "reads 0x");
}

/* After a grid barrier, what several blocks read may be written by one. */
static void test_grid_barrier_orders_readers(void **state)
{
    (void)state;
    struct kernel_case c = blocks("ld.global.u32 %r9, [%d20];" GRID_BARRIER(
        "membar.gl; red.global.add.u32 [%d21], 1;",
        "ld.volatile.global.u32 %r2, [%d21];") "membar.gl;"
                                               "setp.eq.u32 %p2, %r21, 2; @%p2 st.global.u32 "
                                               "[%d20], %r21;");
    c.cooperative = true;
    assert_runs(&c);
}

/* ---- launches ---- */

static void test_launch_limits(void **state)
{
    (void)state;
    struct kernel_case c = some("mov.u32 %r0, 1;");
    c.block = 1025;
    assert_refused(&c, "a block of 1025 x 1 x 1 threads is not possible", "kernel 'k'");
    c.block = 1024;
    assert_runs(&c);
    c.dynamic_shared = 49153;
    assert_refused(&c, "shared memory", "exceed its limit");
    c.dynamic_shared = 0;
    c.module = ".shared .align 4 .b8 s[50000];";
    c.body = "st.shared.u32 [s], %r20;";
    assert_refused(&c, "shared memory", "exceed its limit");
    refuse("trap;", "gave up", "trap");
}

static void test_text(void **state)
{
    (void)state;
    static const struct {
        const char *body, *what;
    } faults[] = {
        {"add.s32 %r0, %r1;", "number of operands"},
        {"add.s32 %r0, %r1, %d1;", "not as wide"},
        {"frobnicate.s32 %r0, %r1;", "not known"},
        {"mov.u32 %r0, %r99;", "no register '%r99'"},
        {"bra NOWHERE;", "no such label"},
        {"cvt.f16.f32 %h0, %f0;", "how it rounds"},
        {"ld.global.v2.u32 {%r0}, [%d20];", "wrong length"},
        {"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f0,%f1,%f2,%f3}, {%r0,%r1},"
         "{%r0,%r1}, {%f0,%f1,%f2,%f3};",
         "wrong length"},
        {"call foo;", "no such function"},
        {"mov.u32 %r0, +;", "expected"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const char *failure = kernel_loads(NULL, faults[i].body);
        if (!failure || !strstr(failure, faults[i].what))
            print_message("'%s': %s\n", faults[i].body, failure ? failure : "no failure");
        assert_non_null(failure);
        assert_non_null(strstr(failure, faults[i].what));
        assert_non_null(strstr(failure, "PTX line"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_bounds_are_those_of_vectors),
        cmocka_unit_test(test_unwritten),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_shared_races),
        cmocka_unit_test(test_bytes_beside_each_other_do_not_race),
        cmocka_unit_test(test_shared_atomics),
        cmocka_unit_test(test_named_barriers),
        cmocka_unit_test(test_async_copies),
        cmocka_unit_test(test_async_copies_fill_with_zeros),
        cmocka_unit_test(test_barriers),
        cmocka_unit_test(test_collectives),
        cmocka_unit_test(test_races_of_blocks),
        cmocka_unit_test(test_last_block_reads_the_others),
        cmocka_unit_test(test_grid_barrier),
        cmocka_unit_test(test_grid_barrier_orders_readers),
        cmocka_unit_test(test_launch_limits),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
