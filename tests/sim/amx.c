#define _GNU_SOURCE /* the registers of a signal's context */
#include "tests/sim/amx_insn.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- tiles ---- */

static int rows_of(const struct sim_amx *s, int tile)
{
    return s->config[48 + tile];
}

static int colsb_of(const struct sim_amx *s, int tile)
{
    return s->config[16 + 2 * tile] | s->config[17 + 2 * tile] << 8;
}

/* #UD: nothing is configured, there is no such tile, or it has no rows. */
static bool tile_is_valid(const struct sim_amx *s, const struct insn *in, int tile, char *out_fault)
{
    if (!s->configured) {
        sim_amx_fault(out_fault, "%s: #UD, no tiles are configured", in->name, 0, 0);
        return false;
    }
    if (tile >= SIM_AMX_TILES) {
        sim_amx_fault(out_fault, "%s: #UD, there is no tile %d", in->name, tile, 0);
        return false;
    }
    if (rows_of(s, tile) == 0) {
        sim_amx_fault(out_fault, "%s: #UD, tile %d is not configured", in->name, tile, 0);
        return false;
    }
    return true;
}

static void zero_tiles(struct sim_amx *s)
{
    memset(s->tile, 0, sizeof s->tile);
}

static void release(struct sim_amx *s)
{
    s->configured = false;
    memset(s->config, 0, sizeof s->config);
    zero_tiles(s);
}

static void *memory_at(uint64_t address)
{
    return (void *)(uintptr_t)address;
}

/* What LDTILECFG checks; -1 and a sentence, or 0. */
static int check_config(const uint8_t *c, char *out_fault)
{
    if (c[0] > 1)
        return sim_amx_fault(out_fault, "%s: #GP, there is no palette %d", "ldtilecfg", c[0], 0);
    if (c[0] == 0)
        return 0;
    if (c[1] != 0)
        return sim_amx_fault(out_fault, "%s: start_row is %d, which is not simulated", "ldtilecfg",
                             c[1], 0);
    for (int i = 0; i < SIM_AMX_CONFIG_BYTES; i++)
        if (c[i] && ((i >= 2 && i < 16) || (i >= 32 && i < 48) || i >= 56))
            return sim_amx_fault(out_fault, "%s: #GP, reserved byte %d of the configuration is %d",
                                 "ldtilecfg", i, c[i]);
    for (int t = 0; t < SIM_AMX_TILES; t++) {
        int colsb = c[16 + 2 * t] | c[17 + 2 * t] << 8, rows = c[48 + t];
        if (colsb > SIM_AMX_ROW_BYTES)
            return sim_amx_fault(out_fault, "%s: #GP, tile %d has %d bytes a row", "ldtilecfg", t,
                                 colsb);
        if (rows > SIM_AMX_ROWS)
            return sim_amx_fault(out_fault, "%s: #GP, tile %d has %d rows", "ldtilecfg", t, rows);
        if ((rows == 0) != (colsb == 0))
            return sim_amx_fault(out_fault, "%s: #GP, of rows and bytes of tile %d one is 0",
                                 "ldtilecfg", t, 0);
    }
    return 0;
}

static int load_config(struct sim_amx *s, const struct insn *in, char *out_fault)
{
    uint8_t c[SIM_AMX_CONFIG_BYTES];
    memcpy(c, memory_at(in->address), sizeof c);
    if (check_config(c, out_fault) < 0)
        return -1;
    release(s);
    s->configured = c[0] != 0;
    if (s->configured)
        memcpy(s->config, c, sizeof c);
    return 0;
}

/* What is behind the configured rows and columns becomes zero. */
static int tile_load(struct sim_amx *s, const struct insn *in, char *out_fault)
{
    if (!tile_is_valid(s, in, in->reg, out_fault))
        return -1;
    uint8_t(*tile)[SIM_AMX_ROW_BYTES] = s->tile[in->reg];
    memset(tile, 0, sizeof s->tile[0]);
    for (int i = 0; i < rows_of(s, in->reg); i++)
        memcpy(tile[i], memory_at(in->address + (uint64_t)i * in->stride),
               (size_t)colsb_of(s, in->reg));
    return 0;
}

static int tile_store(struct sim_amx *s, const struct insn *in, char *out_fault)
{
    if (!tile_is_valid(s, in, in->reg, out_fault))
        return -1;
    for (int i = 0; i < rows_of(s, in->reg); i++)
        memcpy(memory_at(in->address + (uint64_t)i * in->stride), s->tile[in->reg][i],
               (size_t)colsb_of(s, in->reg));
    return 0;
}

/* ---- products ---- */

/* All #UD of AMX-E4 that depend on the tiles. */
static int check_product(const struct sim_amx *s, const struct insn *in, char *out_fault)
{
    int c = in->reg, a = in->rm, b = in->vvvv;
    if (!tile_is_valid(s, in, c, out_fault) || !tile_is_valid(s, in, a, out_fault) ||
        !tile_is_valid(s, in, b, out_fault))
        return -1;
    const char *name = in->name;
    if (c == a || c == b || a == b)
        return sim_amx_fault(out_fault, "%s: #UD, tile %d is used twice", name, c == a ? c : b, 0);
    if (colsb_of(s, c) % 4 || colsb_of(s, a) % 4 || colsb_of(s, b) % 4)
        return sim_amx_fault(out_fault, "%s: #UD, the bytes a row of a tile are no multiple of 4",
                             name, 0, 0);
    if (rows_of(s, c) != rows_of(s, a))
        return sim_amx_fault(out_fault, "%s: #UD, the result has %d rows, the first factor %d",
                             name, rows_of(s, c), rows_of(s, a));
    if (colsb_of(s, c) != colsb_of(s, b))
        return sim_amx_fault(out_fault,
                             "%s: #UD, the result has %d bytes a row, the second factor %d", name,
                             colsb_of(s, c), colsb_of(s, b));
    if (colsb_of(s, a) / 4 != rows_of(s, b))
        return sim_amx_fault(out_fault,
                             "%s: #UD, the first factor has %d columns, the second %d rows", name,
                             colsb_of(s, a) / 4, rows_of(s, b));
    return 0;
}

static int32_t byte_of(uint8_t v, bool is_signed)
{
    return is_signed ? (int8_t)v : v;
}

/* The sum wraps around. */
static void dot4(uint8_t *c, const uint8_t *a, const uint8_t *b, bool a_signed, bool b_signed)
{
    uint32_t sum;
    memcpy(&sum, c, sizeof sum);
    for (int i = 0; i < 4; i++)
        sum += (uint32_t)(byte_of(a[i], a_signed) * byte_of(b[i], b_signed));
    memcpy(c, &sum, sizeof sum);
}

static float flushed(float v)
{
    return fpclassify(v) == FP_SUBNORMAL ? copysignf(0, v) : v;
}

static float bf16_at(const uint8_t *p)
{
    uint32_t bits = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 24;
    float v;
    memcpy(&v, &bits, sizeof v);
    return flushed(v);
}

/* One row of TDPBF16PS: the two halves of the pairs are summed apart, then added. */
static void bf16_row(uint8_t *c, const uint8_t *a, uint8_t (*b)[SIM_AMX_ROW_BYTES], int n_k,
                     int n_columns)
{
    for (int n = 0; n < n_columns; n++) {
        float half[2] = {0, 0}, sum;
        for (int k = 0; k < n_k; k++)
            for (int h = 0; h < 2; h++)
                half[h] = flushed(
                    fmaf(bf16_at(a + 4 * k + 2 * h), bf16_at(b[k] + 4 * n + 2 * h), half[h]));
        memcpy(&sum, c + 4 * n, sizeof sum);
        sum = flushed(flushed(sum) + flushed(half[0] + half[1]));
        memcpy(c + 4 * n, &sum, sizeof sum);
    }
}

static int product(struct sim_amx *s, const struct insn *in, char *out_fault)
{
    if (check_product(s, in, out_fault) < 0)
        return -1;
    uint8_t(*c)[SIM_AMX_ROW_BYTES] = s->tile[in->reg];
    uint8_t(*a)[SIM_AMX_ROW_BYTES] = s->tile[in->rm];
    uint8_t(*b)[SIM_AMX_ROW_BYTES] = s->tile[in->vvvv];
    bool a_signed = in->kind == SIM_AMX_TDPBSSD || in->kind == SIM_AMX_TDPBSUD;
    bool b_signed = in->kind == SIM_AMX_TDPBSSD || in->kind == SIM_AMX_TDPBUSD;
    int n_k = rows_of(s, in->vvvv), n_columns = colsb_of(s, in->reg) / 4;
    for (int m = 0; m < rows_of(s, in->reg); m++) {
        if (in->kind == SIM_AMX_TDPBF16PS) {
            bf16_row(c[m], a[m], b, n_k, n_columns);
            continue;
        }
        for (int k = 0; k < n_k; k++)
            for (int n = 0; n < n_columns; n++)
                dot4(c[m] + 4 * n, a[m] + 4 * k, b[k] + 4 * n, a_signed, b_signed);
    }
    return 0;
}

static int execute(struct sim_amx *s, const struct insn *in, char *out_fault)
{
    switch (in->kind) {
    case SIM_AMX_LDTILECFG:
        return load_config(s, in, out_fault);
    case SIM_AMX_STTILECFG:
        memcpy(memory_at(in->address), s->config, sizeof s->config);
        return 0;
    case SIM_AMX_TILERELEASE:
        release(s);
        return 0;
    case SIM_AMX_TILEZERO:
        if (!tile_is_valid(s, in, in->reg, out_fault))
            return -1;
        memset(s->tile[in->reg], 0, sizeof s->tile[0]);
        return 0;
    case SIM_AMX_TILELOADD:
        return tile_load(s, in, out_fault);
    case SIM_AMX_TILESTORED:
        return tile_store(s, in, out_fault);
    default:
        return product(s, in, out_fault);
    }
}

int sim_amx_step(struct sim_amx *s, const uint8_t *code, const uint64_t reg[16], char *out_fault)
{
    struct insn in;
    int r = sim_amx_decode(code, reg, &in, out_fault);
    if (r <= 0)
        return r;
    if (execute(s, &in, out_fault) < 0)
        return -1;
    s->n_run[in.kind]++;
    return in.length;
}

/* ---- the signal ---- */

static _Thread_local struct sim_amx state;

const struct sim_amx *sim_amx_state(void)
{
    return &state;
}

#if defined(__x86_64__) && defined(__linux__)

#include <cpuid.h>
#include <sys/syscall.h>
#include <ucontext.h>

static struct sigaction before;
static bool active;

static void on_sigill(int signal, siginfo_t *info, void *context)
{
    static const int ORDER[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                  REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                  REG_R12, REG_R13, REG_R14, REG_R15};
    ucontext_t *u = context;
    uint64_t reg[16];
    char text[SIM_AMX_FAULT_CHARS];
    (void)info;
    for (int i = 0; i < 16; i++)
        reg[i] = (uint64_t)u->uc_mcontext.gregs[ORDER[i]];
    const uint8_t *code = memory_at((uint64_t)u->uc_mcontext.gregs[REG_RIP]);
    int n = sim_amx_step(&state, code, reg, text);
    if (n > 0) {
        u->uc_mcontext.gregs[REG_RIP] += n;
        return;
    }
    if (n < 0) {
        fprintf(stderr, "AMX simulator: %s\n", text);
        abort();
    }
    /* Not ours: whoever had the signal before gets it, at the same instruction. */
    sigaction(signal, &before, NULL);
}

enum {
    LEAF7_AMX = 1 << 22 | 1 << 24 | 1 << 25, /* EDX: bf16, tile, int8 */
    XCR0_AMX = 3 << 17,                      /* tile configuration and tile data */
    ARCH_REQ_XCOMP_PERM = 0x1023,
    XFEATURE_XTILEDATA = 18
};

static bool processor_has_amx(void)
{
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & LEAF7_AMX) != LEAF7_AMX)
        return false;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) /* OSXSAVE */
        return false;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & XCR0_AMX) == XCR0_AMX &&
           syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

enum sim_amx_mode sim_amx_begin(void)
{
    memset(&state, 0, sizeof state);
    if (processor_has_amx())
        return SIM_AMX_PROCESSOR;
    struct sigaction take = {.sa_sigaction = on_sigill, .sa_flags = SA_SIGINFO};
    sigemptyset(&take.sa_mask);
    if (sigaction(SIGILL, &take, &before) != 0)
        return SIM_AMX_NONE;
    active = true;
    return SIM_AMX_SIMULATED;
}

void sim_amx_end(void)
{
    if (active)
        sigaction(SIGILL, &before, NULL);
    active = false;
}

#else

enum sim_amx_mode sim_amx_begin(void)
{
    memset(&state, 0, sizeof state);
    return SIM_AMX_NONE;
}

void sim_amx_end(void)
{
}

#endif
