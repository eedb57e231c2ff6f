/*
 * Intel: Software Developer's Manual, VPDPBUSD, PMADDWD.  Arm: Architecture Reference Manual for
 * A-profile, SDOT, SMMLA, SMLAL (by element), FMLAL (by element), BFMLALB (by element); Armv8-M
 * Architecture Reference Manual, SMLAD, VMLADAV. WebAssembly: core specification,
 * i32x4.dot_i16x8_s.
 *
 * Costs on ARM are instructions, for its small cores start one or two a cycle.
 */
#include "bundle/tile/dot.h"

#include <string.h>

/* Two products a cycle. */
static const struct dot_kind VNNI = {.dot = SCHEDULE_DOT4,
                                     .group = 4,
                                     .at_once = 1,
                                     .regs = {.per_sum = 1, .per_vector = 1, .spare = 1},
                                     .cost = {.product = 1, .per_cycle = 2}};

/* Without AVX-512 the instruction names the lower half of the registers only. */
static const struct dot_kind AVX_VNNI = {
    .dot = SCHEDULE_DOT4,
    .group = 4,
    .at_once = 1,
    .regs = {.all = 16, .per_sum = 1, .per_vector = 1, .spare = 1},
    .cost = {.product = 1, .per_cycle = 2}};

/* Two products and two additions, two instructions per row and three per vector of B to extend the
   bytes. */
static const struct dot_kind PAIRS = {
    .dot = SCHEDULE_DOT2,
    .group = 4,
    .at_once = 1,
    .only_adds = true,
    .regs = {.per_sum = 1, .per_vector = 2, .spare = 4},
    .cost = {.product = 4, .row = 2, .vector = 3, .per_cycle = 2.5}};

static const struct dot_kind SDOT = {
    .dot = SCHEDULE_DOT4,
    .group = 4,
    .at_once = 4,
    .regs = {.per_sum = 1, .per_vector = 1, .per_row = 1, .spare = 3},
    .cost = {.product = 1, .per_cycle = 2}};

static const struct dot_kind SMMLA = {.dot = SCHEDULE_DOT_SQUARE,
                                      .group = 8,
                                      .at_once = 1,
                                      .regs = {.per_sum = 1, .per_vector = 2, .spare = 6},
                                      .cost = {.product = 1, .row = 0.5, .per_cycle = 2}};

/* Eight sums take two registers.  Bytes are extended with one instruction for eight of them. */
static const struct dot_kind SMLAL = {
    .dot = SCHEDULE_DOT1,
    .group = 1,
    .at_once = 8,
    .only_adds = true,
    .regs = {.per_sum = 2, .per_vector = 1, .per_row = 1, .spare = 3},
    .cost = {.product = 2, .row = 0.25, .vector = 1, .per_cycle = 2}};
static const struct dot_kind VMLAL = {
    .dot = SCHEDULE_DOT1,
    .group = 1,
    .at_once = 8,
    .only_adds = true,
    .load8 = "llvm.arm.neon.vld1",
    .regs = {.all = 14, .per_sum = 2, .per_vector = 1, .per_row = 1, .spare = 1},
    .cost = {.product = 2, .row = 0.25, .vector = 1, .per_cycle = 2}};

/* Sums lie in the even general registers, of which eight are free; the instruction and a load take
   two cycles each. */
static const struct dot_kind VMLADAV = {
    .dot = SCHEDULE_DOT16,
    .group = 16,
    .at_once = 1,
    .regs = {.all = 8, .per_sum = 1, .spare = 3},
    .cost = {.product = 1, .row = 1, .vector = 1, .per_cycle = 0.5}};

/* Two products; a load and two instructions to extend the bytes per row and per vector. */
static const struct dot_kind SMLAD = {
    .dot = SCHEDULE_DOT2,
    .group = 4,
    .at_once = 1,
    .regs = {.all = -1, .per_sum = 1, .per_fewer = 2, .spare = 6},
    .cost = {.product = 2, .row = 3, .vector = 3, .per_cycle = 1}};

/*
 * Products of halves are exact in 32 bits, and the sum is rounded once, as that of widened factors
 * is by a multiply-add of floats.  So it is with BFMLALB and BFMLALT, which are multiply-adds of
 * widened factors by definition; BFDOT and BFMMLA round otherwise.  A vector of eight columns takes
 * two instructions and two registers of sums.
 */
static const struct dot_kind FMLAL = {
    .dot = SCHEDULE_DOT1,
    .floats = DTYPE_F16,
    .second = "llvm.aarch64.neon.fmlal2",
    .group = 1,
    .at_once = 8,
    .regs = {.per_sum = 2, .per_vector = 1, .per_row = 1, .spare = 7},
    .cost = {.product = 2, .per_cycle = 2}};
static const struct dot_kind BFMLAL = {
    .dot = SCHEDULE_DOT1,
    .floats = DTYPE_BF16,
    .second = "llvm.aarch64.neon.bfmlalt",
    .group = 1,
    .at_once = 8,
    .regs = {.per_sum = 2, .per_vector = 1, .per_row = 1, .spare = 7},
    .cost = {.product = 2, .per_cycle = 2}};

/* Sixteen sums take four registers, B's bytes extended to 16 bits two, and one before that.  A
   processor with registers of 128 bits works for four cycles on a product. */
static const struct dot_kind VWMACC = {
    .dot = SCHEDULE_DOT1,
    .group = 1,
    .at_once = 1,
    .takes_number = true,
    .regs = {.all = 32, .per_sum = 4, .per_vector = 2, .spare = 2},
    .cost = {.product = 4, .vector = 2, .per_cycle = 1}};

/*
 * A register of the Vector Engine has 256 elements of two floats, and the instruction multiplies
 * both with those of a number: two values of K, whose sums are added up at the end.  Three pipes
 * take 32 elements a cycle each; one instruction starts per cycle.  Sums are what limits tiles, for
 * numbers of A come from the 64 scalar registers.  Of B a tile keeps the vectors of two steps and
 * of the two behind them.  Cycles for each vector of B and each step are what is lost in the
 * simulator's model while one is waited for.
 */
static const struct dot_kind HALVES_OF_ELEMENTS = {
    .dot = SCHEDULE_DOT_PAIRS,
    .floats = DTYPE_F32,
    .second = "sheaf.ve.sum.pairs",
    .group = 2,
    .at_once = 1,
    .regs = {.per_sum = 1, .per_vector = 4, .spare = 4},
    .cost = {.product = 8,
             .vector = 48,
             .per_cycle = 3,
             .starts = 1,
             .begin = 4,
             .latency = 240,
             .bytes = 256}};

#define ANY_SIGNS(name)                                                                            \
    {                                                                                              \
        {name, name},                                                                              \
        {                                                                                          \
            name, name                                                                             \
        }                                                                                          \
    }

static const struct dot DOTS[] = {
    {"x86_64", "+avx512vnni", &VNNI, 64, {[0][1] = "llvm.x86.avx512.vpdpbusd.512"}},
    {"x86_64", "+avx512vnni,+avx512vl", &VNNI, 32, {[0][1] = "llvm.x86.avx512.vpdpbusd.256"}},
    {"x86_64", "+avxvnni", &AVX_VNNI, 32, {[0][1] = "llvm.x86.avx512.vpdpbusd.256"}},
    {"x86_64", "+avx512vnni,+avx512vl", &VNNI, 16, {[0][1] = "llvm.x86.avx512.vpdpbusd.128"}},
    {"x86_64", "+avxvnni", &AVX_VNNI, 16, {[0][1] = "llvm.x86.avx512.vpdpbusd.128"}},
    {"x86_64", "+avx512bw", &PAIRS, 64, ANY_SIGNS("llvm.x86.avx512.pmaddw.d.512")},
    {"x86_64", "+avx2", &PAIRS, 32, ANY_SIGNS("llvm.x86.avx2.pmadd.wd")},
    {"x86_64", "+sse2", &PAIRS, 16, ANY_SIGNS("llvm.x86.sse2.pmadd.wd")},

    {"aarch64",
     "+i8mm",
     &SMMLA,
     16,
     {{"llvm.aarch64.neon.ummla", "llvm.aarch64.neon.usmmla"}, {NULL, "llvm.aarch64.neon.smmla"}}},
    {"aarch64",
     "+i8mm,+dotprod",
     &SDOT,
     16,
     {{"llvm.aarch64.neon.udot", "llvm.aarch64.neon.usdot"}, {NULL, "llvm.aarch64.neon.sdot"}}},
    {"aarch64",
     "+dotprod",
     &SDOT,
     16,
     {[0][0] = "llvm.aarch64.neon.udot", [1][1] = "llvm.aarch64.neon.sdot"}},
    {"aarch64", "+neon", &SMLAL, 32, ANY_SIGNS("llvm.aarch64.neon.smull")},
    {"aarch64", "+fp16fml", &FMLAL, 32, {{"llvm.aarch64.neon.fmlal"}}},
    {"aarch64", "+bf16", &BFMLAL, 32, {{"llvm.aarch64.neon.bfmlalb"}}},
    {"armv7", "+neon", &VMLAL, 32, ANY_SIGNS("llvm.arm.neon.vmulls")},

    {"thumbv8.1m",
     "+mve",
     &VMLADAV,
     4,
     {[0][0] = "llvm.arm.mve.vmldava", [1][1] = "llvm.arm.mve.vmldava"}},
    {"thumb", "+dsp", &SMLAD, 4, ANY_SIGNS("llvm.arm.smlad")},

    {"riscv64", "+v", &VWMACC, 64, ANY_SIGNS("llvm.riscv.vwmacc")},

    {"ve", "+vpu", &HALVES_OF_ELEMENTS, 1024, {{"sheaf.ve.fma.pairs"}}},

    {"wasm32", "+simd128", &PAIRS, 16, ANY_SIGNS("llvm.wasm.dot")},
};
enum { N_DOTS = sizeof DOTS / sizeof DOTS[0] };

static bool is_there(const struct target *t, const struct dot *d)
{
    if (strncmp(t->triple, d->arch, strlen(d->arch)) != 0)
        return false;
    const char *needs = d->needs, *f;
    size_t n;
    while (target_next_feature(&needs, &f, &n))
        if (!target_lists(t->features, f + 1, n - 1))
            return false;
    return true;
}

const struct dot *dot_next(const struct target *t, const struct dot *last)
{
    for (const struct dot *d = last ? last + 1 : DOTS; d < DOTS + N_DOTS; d++)
        if (d->bytes / d->kind->regs.per_sum <= t->vector_bytes && is_there(t, d))
            return d;
    return NULL;
}

const struct dot *dot_of(const struct target *t, const struct schedule_entry *e, enum dtype a)
{
    int bytes = 4 * e->vector;
    enum dtype floats = dtype_is_float(a) ? a : DTYPE_NONE;
    for (const struct dot *d = DOTS; d < DOTS + N_DOTS; d++)
        if (d->kind->dot == e->dot &&
            (d->bytes == bytes || e->dot == SCHEDULE_DOT1 || e->dot == SCHEDULE_DOT_PAIRS) &&
            d->kind->floats == floats && is_there(t, d))
            return d;
    return NULL;
}

/* Rows and columns cannot be exchanged in a square.  Flipping makes A fit only where no exchange is
   needed on top.  Of like signs A comes second, where ARM's instructions take a lane. */
struct dot_product dot_product_of(const struct dot *d, enum dtype a, enum dtype b)
{
    if (d->kind->floats || dtype_is_float(a))
        return (struct dot_product){.name =
                                        a == d->kind->floats && b == a ? d->product[0][0] : NULL};
    bool as = a == DTYPE_I8, bs = b == DTYPE_I8, is_square = d->kind->dot == SCHEDULE_DOT_SQUARE;
    struct dot_product p = {.name = d->product[as][bs]};
    if (!p.name && as != bs && !is_square) {
        p.name = d->product[bs][as];
        p.exchanged = p.name != NULL;
    }
    if (!p.name && !is_square) {
        p.name = d->product[!as][bs];
        p.flipped = p.name != NULL;
    }
    if ((as != bs) == p.flipped && !is_square)
        p.exchanged = true;
    return p;
}

double dot_cost_of_product(const struct dot *d, int lanes)
{
    return d->kind->cost.product * 4 * lanes / d->bytes;
}
