/*
 * The simulator of AMX against plain C: instructions as the assembler writes them run through
 * SIGILL; those that a processor would refuse are put together by hand and decoded only.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/sim/amx.h"
#include "tests/support/support.h"

#if defined(__x86_64__) && defined(__GNUC__)

struct config {
    uint8_t palette, start_row, reserved[14];
    uint16_t colsb[16];
    uint8_t rows[16];
};

/* Sums 5 x 11 in tile 0, factors 5 x 36 bytes in tile 1 and [9][11][4] in tile 2. */
enum { M = 5, N = 11, K = 36, N_BYTES = 4 * N, PAIRS = K / 2 };
static const struct config tiles = {
    .palette = 1, .colsb = {N_BYTES, K, N_BYTES}, .rows = {M, M, K / 4}};

static uint8_t a[M][K + 9], b[K / 4][N_BYTES + 4];
static uint32_t c[M][N + 3];

static void fill(uint32_t seed)
{
    for (size_t i = 0; i < sizeof a; i++)
        (&a[0][0])[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
    for (size_t i = 0; i < sizeof b; i++)
        (&b[0][0])[i] = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N + 3; j++)
            c[i][j] = seed = seed * 1664525u + 1013904223u;
}

/* gcc 12's intrinsic tells the compiler of 8 bytes of the configuration only. */
static void load_config(const struct config *config)
{
    __asm__ volatile("ldtilecfg %0" : : "m"(*config));
}

static void store_config(struct config *config)
{
    __asm__ volatile("sttilecfg %0" : "=m"(*config));
}

#define LOAD(tile, p, stride)                                                                      \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile                                            \
                     :                                                                             \
                     : "r"(p), "r"((int64_t)(stride))                                              \
                     : "memory")
#define STORE(tile, p, stride)                                                                     \
    __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)"                                        \
                     :                                                                             \
                     : "r"(p), "r"((int64_t)(stride))                                              \
                     : "memory")
#define PRODUCT(name) __asm__ volatile(name " %tmm2, %tmm1, %tmm0")

static void need_amx(void)
{
    if (sim_amx_begin() == SIM_AMX_NONE)
        SUPPORT_NEED(NULL, "x86-64 Linux");
}

static uint64_t n_run(enum sim_amx_kind kind)
{
    return sim_amx_state()->n_run[kind];
}

/* ---- products ---- */

static int32_t value(uint8_t v, bool is_signed)
{
    return is_signed ? (int8_t)v : v;
}

static void expect(bool a_signed, bool b_signed, uint32_t want[M][N + 3])
{
    memcpy(want, c, sizeof c);
    for (int m = 0; m < M; m++)
        for (int n = 0; n < N; n++)
            for (int k = 0; k < K; k++)
                want[m][n] +=
                    (uint32_t)(value(a[m][k], a_signed) * value(b[k / 4][4 * n + k % 4], b_signed));
}

static void load_factors(void)
{
    load_config(&tiles);
    LOAD(0, c, sizeof c[0]);
    LOAD(1, a, sizeof a[0]);
    LOAD(2, b, sizeof b[0]);
}

static void products_of_bytes(void **state)
{
    (void)state;
    uint32_t want[M][N + 3], first[M][N + 3];
    need_amx();
    for (int i = 0; i < 4; i++) {
        fill((uint32_t)i);
        expect(i & 1, i & 2, want);
        load_factors();
        if (i == 0)
            PRODUCT("tdpbuud");
        else if (i == 1)
            PRODUCT("tdpbsud");
        else if (i == 2)
            PRODUCT("tdpbusd");
        else
            PRODUCT("tdpbssd");
        memcpy(first, c, sizeof c);
        STORE(0, c, sizeof c[0]);
        __asm__ volatile("tilerelease");
        assert_memory_equal(c, want, sizeof c);
        assert_memory_not_equal(c, first, sizeof c);
    }
    sim_amx_end();
}

static float from_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Small whole numbers: exact in any order. */
static void product_of_bf16(void **state)
{
    (void)state;
    float sums[M][N], want[M][N];
    need_amx();
    for (int i = 0; i < M; i++)
        for (int k = 0; k < PAIRS; k++) {
            float v = (float)(i * 3 + k - 9);
            memcpy(&a[i][2 * k], (uint8_t *)&v + 2, 2);
        }
    for (int k = 0; k < PAIRS; k++)
        for (int n = 0; n < N; n++) {
            float v = (float)(k * 5 % 7 - n);
            memcpy(&b[k / 2][4 * n + 2 * (k % 2)], (uint8_t *)&v + 2, 2);
        }
    for (int i = 0; i < M; i++)
        for (int n = 0; n < N; n++) {
            sums[i][n] = want[i][n] = (float)(i - n);
            for (int k = 0; k < PAIRS; k++)
                want[i][n] += (float)(i * 3 + k - 9) * (float)(k * 5 % 7 - n);
        }
    load_config(&tiles);
    LOAD(0, sums, sizeof sums[0]);
    LOAD(1, a, sizeof a[0]);
    LOAD(2, b, sizeof b[0]);
    PRODUCT("tdpbf16ps");
    STORE(0, sums, sizeof sums[0]);
    __asm__ volatile("tilerelease");
    sim_amx_end();
    assert_memory_equal(sums, want, sizeof sums);
}

/* Subnormal numbers count as zeros, on the way in and on the way out. */
static void bf16_flushes_subnormals(void **state)
{
    (void)state;
    static const struct config one = {.palette = 1, .colsb = {4, 4, 4}, .rows = {1, 1, 1}};
    /* 2^-126 * 0.5 + 0 * 0 and 2^-130 * 2^100, each onto the sum 2^-127 */
    static const uint32_t pairs[2][2] = {{0x00000080, 0x00003f00}, {0x00000008, 0x00007180}};
    need_amx();
    for (int i = 0; i < 2; i++) {
        float sum = from_bits(0x00400000);
        load_config(&one);
        LOAD(0, &sum, 64);
        LOAD(1, &pairs[i][0], 64);
        LOAD(2, &pairs[i][1], 64);
        PRODUCT("tdpbf16ps");
        STORE(0, &sum, 64);
        __asm__ volatile("tilerelease");
        assert_true(sum == 0);
    }
    sim_amx_end();
}

/* ---- memory ---- */

static void rows_behind_the_configured_stay_untouched(void **state)
{
    (void)state;
    uint8_t out[M + 1][N_BYTES + 2];
    need_amx();
    fill(3);
    memset(out, 0x5a, sizeof out);
    load_factors();
    STORE(0, out, sizeof out[0]);
    __asm__ volatile("tilerelease");
    sim_amx_end();
    for (int m = 0; m <= M; m++)
        for (size_t j = 0; j < sizeof out[0]; j++) {
            uint8_t want = m < M && j < N_BYTES ? ((const uint8_t *)c[m])[j] : 0x5a;
            assert_int_equal(out[m][j], want);
        }
}

static void zero_and_strides(void **state)
{
    (void)state;
    uint8_t out[M][K], zeros[M][K] = {{0}};
    need_amx();
    fill(4);
    load_config(&tiles);
    /* A stride of 0 repeats the row; with a scale; with a displacement and without an index. */
    LOAD(1, a, 0);
    STORE(1, out, sizeof out[0]);
    for (int m = 0; m < M; m++)
        assert_memory_equal(out[m], a[0], K);
    __asm__ volatile("tileloaddt1 45(%0,%1,4), %%tmm1"
                     :
                     : "r"((uintptr_t)a[0] - 45), "r"((int64_t)3)
                     : "memory");
    STORE(1, out, sizeof out[0]);
    for (int m = 0; m < M; m++)
        assert_memory_equal(out[m], &a[0][0] + 12 * m, K);
    __asm__ volatile("tileloadd 300(%0), %%tmm1" : : "r"((uintptr_t)a[1] - 300) : "memory");
    STORE(1, out, sizeof out[0]);
    assert_memory_equal(out[M - 1], a[1], K);
    __asm__ volatile("tilezero %tmm1");
    STORE(1, out, sizeof out[0]);
    assert_memory_equal(out, zeros, sizeof out);
    __asm__ volatile("tilerelease");
    sim_amx_end();
}

static void configuration_comes_back(void **state)
{
    (void)state;
    struct config got, none = {0};
    need_amx();
    load_config(&tiles);
    store_config(&got);
    assert_memory_equal(&got, &tiles, sizeof got);
    __asm__ volatile("tilerelease");
    store_config(&got);
    assert_memory_equal(&got, &none, sizeof got);
    sim_amx_end();
}

/* A new configuration clears all tiles. */
static void configuration_clears(void **state)
{
    (void)state;
    uint8_t out[M][K], zeros[M][K] = {{0}};
    need_amx();
    fill(5);
    load_factors();
    load_config(&tiles);
    STORE(1, out, sizeof out[0]);
    __asm__ volatile("tilerelease");
    sim_amx_end();
    assert_memory_equal(out, zeros, sizeof out);
}

static void instructions_are_counted(void **state)
{
    (void)state;
    if (sim_amx_begin() != SIM_AMX_SIMULATED)
        SUPPORT_NEED(NULL, "a processor without AMX");
    load_factors();
    PRODUCT("tdpbusd");
    __asm__ volatile("tilerelease");
    assert_int_equal(n_run(SIM_AMX_TILELOADD), 3);
    assert_int_equal(n_run(SIM_AMX_TDPBUSD), 1);
    assert_int_equal(n_run(SIM_AMX_TDPBSSD), 0);
    assert_int_equal(n_run(SIM_AMX_TILERELEASE), 1);
    sim_amx_end();
}

/* ---- what a processor refuses ---- */

#define NO_CODE {0}

struct refused {
    const char *name;
    struct config config; /* palette 0: none is loaded */
    uint8_t code[12];
    const char *sentence; /* NULL: not an instruction of AMX */
};

/* Bytes 3 and 4 of VEX: ~R ~X ~B mmmmm, W ~vvvv L pp. */
#define VEX(byte3)     0xc4, 0xe2, byte3
#define CONFIG(...)    {.palette = 1, __VA_ARGS__}
#define THREE(m, k, n) CONFIG(.colsb = {n, k, n}, .rows = {m, m, (k) / 4})
#define LDTILECFG_RAX  {VEX(0x78), 0x49, 0x00}
#define TDPBUSD_0_1_2  {VEX(0x69), 0x5e, 0xc1}
#define TILELOADD_0    {VEX(0x7b), 0x4b, 0x04, 0x08}

static const struct refused REFUSED[] = {
    {"not_vex", THREE(4, 8, 16), {0x0f, 0x0b}, NULL},
    {"other_opcode", THREE(4, 8, 16), {VEX(0x69), 0x5d, 0xc1}, NULL},
    {"tdp_from_memory", THREE(4, 8, 16), {VEX(0x69), 0x5e, 0x00}, NULL},
    {"load_without_sib", THREE(4, 8, 16), {VEX(0x7b), 0x4b, 0x00}, NULL},
    {"palette", {.palette = 2}, NO_CODE, "#GP, there is no palette 2"},
    {"reserved", CONFIG(.reserved = {[3] = 9}), NO_CODE, "#GP, reserved byte 5"},
    {"ninth_tile", CONFIG(.colsb = {[8] = 4}), NO_CODE, "#GP, reserved byte 32"},
    {"ninth_tile_rows", CONFIG(.rows = {[8] = 4}), NO_CODE, "#GP, reserved byte 56"},
    {"wide", CONFIG(.colsb = {65}, .rows = {1}), NO_CODE, "#GP, tile 0 has 65 bytes"},
    {"tall", CONFIG(.colsb = {[2] = 64}, .rows = {[2] = 17}), NO_CODE, "#GP, tile 2 has 17 rows"},
    {"half_configured", CONFIG(.colsb = {[1] = 64}), NO_CODE, "of rows and bytes of tile 1"},
    {"start_row", CONFIG(.start_row = 1), NO_CODE, "start_row is 1"},
    {"no_configuration", {0}, TDPBUSD_0_1_2, "#UD, no tiles are configured"},
    {"load_no_configuration", {0}, TILELOADD_0, "#UD, no tiles are configured"},
    {"tile_8", THREE(4, 8, 16), {0xc4, 0x62, 0x7b, 0x49, 0xc0}, "#UD, there is no tile 8"},
    {"tile_9", THREE(4, 8, 16), {VEX(0x31), 0x5e, 0xc1}, "#UD, there is no tile 9"},
    {"not_configured", THREE(4, 8, 16), {VEX(0x7b), 0x49, 0xd8}, "#UD, tile 3 is not configured"},
    {"twice", THREE(4, 16, 16), {VEX(0x71), 0x5e, 0xc1}, "#UD, tile 1 is used twice"},
    {"in_place", THREE(4, 16, 16), {VEX(0x69), 0x5e, 0xc0}, "#UD, tile 0 is used twice"},
    {"rows_differ", CONFIG(.colsb = {16, 8, 16}, .rows = {4, 5, 2}), TDPBUSD_0_1_2,
     "the result has 4 rows, the first factor 5"},
    {"columns_differ", CONFIG(.colsb = {16, 8, 12}, .rows = {4, 4, 2}), TDPBUSD_0_1_2,
     "the result has 16 bytes a row, the second factor 12"},
    {"k_differs", CONFIG(.colsb = {16, 8, 16}, .rows = {4, 4, 3}), TDPBUSD_0_1_2,
     "the first factor has 2 columns, the second 3 rows"},
    {"odd_bytes", CONFIG(.colsb = {16, 10, 16}, .rows = {4, 4, 2}), TDPBUSD_0_1_2,
     "no multiple of 4"},
    {"prefix", THREE(4, 8, 16), {0x66, VEX(0x69), 0x5e, 0xc1}, "#UD, a prefix (0x66)"},
    {"vex_w", THREE(4, 8, 16), {VEX(0xe9), 0x5e, 0xc1}, "VEX.W is 1"},
    {"vex_l", THREE(4, 8, 16), {VEX(0x6d), 0x5e, 0xc1}, "VEX.L is 1"},
    {"vvvv_unused", THREE(4, 8, 16), {VEX(0x73), 0x49, 0xc0}, "VEX.vvvv"},
};

static void refused(void **state)
{
    const struct refused *r = *state;
    static const uint8_t load[] = LDTILECFG_RAX, release[] = {VEX(0x78), 0x49, 0xc0};
    char text[SIM_AMX_FAULT_CHARS] = "";
    uint64_t reg[16] = {(uint64_t)(uintptr_t)&r->config};
    struct sim_amx *s = calloc(1, sizeof *s);
    assert_int_equal(sim_amx_step(s, release, reg, text), 5);
    int n = r->config.palette ? sim_amx_step(s, load, reg, text) : 5;
    if (r->code[0]) {
        assert_int_equal(n, 5);
        n = sim_amx_step(s, r->code, reg, text);
    }
    free(s);
    if (!r->sentence) {
        assert_int_equal(n, 0);
        return;
    }
    assert_int_equal(n, -1);
    if (!strstr(text, r->sentence))
        fail_msg("'%s' is not in '%s'", r->sentence, text);
}

/* What a process that executes `code` leaves: its status and what it printed. */
static int in_child(void (*code)(void), char *out, size_t size)
{
    int pipes[2], status;
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(pipes[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        signal(SIGILL, SIG_DFL);
        sim_amx_begin();
        code();
        _exit(0);
    }
    close(pipes[1]);
    ssize_t n = read(pipes[0], out, size - 1);
    out[n > 0 ? n : 0] = '\0';
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void store_unconfigured(void)
{
    uint8_t out[64];
    STORE(3, out, 4);
}

static void undefined(void)
{
    __asm__ volatile("ud2");
}

static void a_fault_ends_the_program_with_a_sentence(void **state)
{
    (void)state;
    char out[400];
    if (sim_amx_begin() != SIM_AMX_SIMULATED)
        SUPPORT_NEED(NULL, "a processor without AMX");
    sim_amx_end();
    int status = in_child(store_unconfigured, out, sizeof out);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_string_equal(out, "AMX simulator: tilestored: #UD, no tiles are configured\n");
}

static void other_instructions_keep_their_signal(void **state)
{
    (void)state;
    char out[400];
    int status = in_child(undefined, out, sizeof out);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGILL);
}

int main(void)
{
    enum { N_REFUSED = sizeof REFUSED / sizeof REFUSED[0] };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_of_bytes),
        cmocka_unit_test(product_of_bf16),
        cmocka_unit_test(bf16_flushes_subnormals),
        cmocka_unit_test(rows_behind_the_configured_stay_untouched),
        cmocka_unit_test(zero_and_strides),
        cmocka_unit_test(configuration_comes_back),
        cmocka_unit_test(configuration_clears),
        cmocka_unit_test(instructions_are_counted),
        cmocka_unit_test(a_fault_ends_the_program_with_a_sentence),
        cmocka_unit_test(other_instructions_keep_their_signal),
    };
    struct CMUnitTest cases[N_REFUSED];
    memset(cases, 0, sizeof cases);
    for (size_t i = 0; i < N_REFUSED; i++)
        cases[i] = (struct CMUnitTest){.name = REFUSED[i].name,
                                       .test_func = refused,
                                       .initial_state = (void *)(uintptr_t)&REFUSED[i]};
    int failed = cmocka_run_group_tests_name("instructions", tests, NULL, NULL);
    return failed + cmocka_run_group_tests_name("refused", cases, NULL, NULL);
}

#else

static void nothing(void **state)
{
    (void)state;
    SUPPORT_NEED(NULL, "x86-64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
