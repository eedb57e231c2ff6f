/* Vector loads and stores, gathers and scatters, and single elements. */
#include "tests/sim/ve_image.h"
#include "tests/sim/ve_lanes.h"
#include "tests/sim/ve_run.h"

/* What becomes of a word in a register, and of a register's element in memory. */
typedef uint64_t (*widen)(uint32_t word);
typedef uint32_t (*narrow)(uint64_t element);

static inline uint64_t to_upper(uint32_t u)
{
    return (uint64_t)u << 32;
}

static inline uint64_t with_sign(uint32_t u)
{
    return sign32(u);
}

static inline uint64_t with_zeros(uint32_t u)
{
    return u;
}

static inline uint32_t upper(uint64_t element)
{
    return (uint32_t)(element >> 32);
}

static inline uint32_t lower(uint64_t element)
{
    return (uint32_t)element;
}

/* ---- with a stride: element i is at Sz + i * Sy ---- */

/* The first two elements tell whether all are aligned. */
static void check_alignment(struct sim_ve_context *c, uint64_t address, uint64_t stride,
                            uint64_t n_bytes, bool writes)
{
    if (c->vl > 0 && address % n_bytes)
        ve_refuse(c, address, n_bytes, writes);
    if (c->vl > 1 && stride % n_bytes)
        ve_refuse(c, address + stride, n_bytes, writes);
}

/* Whether the elements lie side by side: then one look at memory does for all.  That takes up to
   eight bytes for one element, and has them aligned like one. */
static bool is_block(const struct sim_ve_context *c, uint64_t stride, uint64_t n_bytes)
{
    return stride == n_bytes && n_bytes * c->vl > 8;
}

static void load(struct sim_ve_context *c, const struct ve_insn *in, void *out, uint64_t n_bytes)
{
    uint64_t stride = ve_y(c, in), address = ve_z(c, in);
    uint8_t *to = out;
    check_alignment(c, address, stride, n_bytes, false);
    if (is_block(c, stride, n_bytes)) {
        memcpy(to, ve_reading(c, address, n_bytes * c->vl), n_bytes * c->vl);
        return;
    }
    for (unsigned i = 0; i < c->vl; i++)
        memcpy(to + i * n_bytes, ve_reading(c, address + i * stride, n_bytes), n_bytes);
}

static inline void load4(struct sim_ve_context *c, const struct ve_insn *in, widen as)
{
    uint32_t words[VE_MAX_VL];
    load(c, in, words, sizeof *words);
    for (unsigned i = 0; i < c->vl; i++)
        c->v[in->vx][i] = as(words[i]);
    ve_wrote(c, in->vx, c->vl);
}

void ve_run_vld(struct sim_ve_context *c, const struct ve_insn *in)
{
    load(c, in, c->v[in->vx], 8);
    ve_wrote(c, in->vx, c->vl);
}

void ve_run_vldu(struct sim_ve_context *c, const struct ve_insn *in)
{
    load4(c, in, to_upper);
}

void ve_run_vldl_sx(struct sim_ve_context *c, const struct ve_insn *in)
{
    load4(c, in, with_sign);
}

void ve_run_vldl_zx(struct sim_ve_context *c, const struct ve_insn *in)
{
    load4(c, in, with_zeros);
}

/* In the order of elements, so that the last one stays where two have one place.  What the guide
   leaves open for .ot does not show here. */
static void store(struct sim_ve_context *c, const struct ve_insn *in, const void *elems,
                  uint64_t n_bytes)
{
    uint64_t stride = ve_y(c, in), address = ve_z(c, in);
    const uint64_t *mask = ve_selected(c, in);
    const uint8_t *from = elems;
    check_alignment(c, address, stride, n_bytes, true);
    if (is_block(c, stride, n_bytes) && !mask) {
        memcpy(ve_writing(c, address, n_bytes * c->vl), from, n_bytes * c->vl);
        return;
    }
    for (unsigned i = 0; i < c->vl; i++)
        if (!mask || mask[i])
            memcpy(ve_writing(c, address + i * stride, n_bytes), from + i * n_bytes, n_bytes);
}

static const uint64_t *stored(struct sim_ve_context *c, const struct ve_insn *in)
{
    return in->m ? c->v[in->vx] : ve_source(c, in->vx);
}

static inline void store4(struct sim_ve_context *c, const struct ve_insn *in, narrow as)
{
    uint32_t words[VE_MAX_VL];
    const uint64_t *x = stored(c, in);
    for (unsigned i = 0; i < c->vl; i++)
        words[i] = as(x[i]);
    store(c, in, words, sizeof *words);
}

void ve_run_vst(struct sim_ve_context *c, const struct ve_insn *in)
{
    store(c, in, stored(c, in), 8);
}

void ve_run_vstu(struct sim_ve_context *c, const struct ve_insn *in)
{
    store4(c, in, upper);
}

void ve_run_vstl(struct sim_ve_context *c, const struct ve_insn *in)
{
    store4(c, in, lower);
}

/* ---- with addresses: element i is at Vy[i], which stands beside the bounds Sy and Sz ---- */

/*
 * The guide has Sy and Sz bound the addresses, for knowing sooner which accesses cannot collide. In
 * code by LLVM they are 0, and other values are refused.
 */
static const uint64_t *addresses(struct sim_ve_context *c, const struct ve_insn *in)
{
    if (ve_y(c, in) || ve_z(c, in))
        ve_stop(c, "has bounds for its addresses");
    if (!in->cs)
        return in->m ? c->v[in->vy] : ve_source(c, in->vy);
    for (unsigned i = 0; i < c->vl; i++)
        c->spread[0][i] = c->s[in->vw & 63];
    return c->spread[0];
}

static inline void gather4(struct sim_ve_context *c, const struct ve_insn *in, widen as,
                           bool may_hold_narrower)
{
    const uint64_t *at = addresses(c, in), *mask = ve_selected(c, in);
    for (unsigned i = 0; i < c->vl; i++)
        if (!mask || mask[i]) {
            uint32_t u;
            const uint8_t *from =
                may_hold_narrower ? ve_reading_word(c, at[i]) : ve_reading(c, at[i], sizeof u);
            memcpy(&u, from, sizeof u);
            c->result[i] = as(u);
        }
    ve_merge(c, in);
}

void ve_run_vgt(struct sim_ve_context *c, const struct ve_insn *in)
{
    const uint64_t *at = addresses(c, in), *mask = ve_selected(c, in);
    for (unsigned i = 0; i < c->vl; i++)
        if (!mask || mask[i])
            memcpy(&c->result[i], ve_reading(c, at[i], 8), 8);
    ve_merge(c, in);
}

void ve_run_vgtu(struct sim_ve_context *c, const struct ve_insn *in)
{
    gather4(c, in, to_upper, false);
}

void ve_run_vgtl_sx(struct sim_ve_context *c, const struct ve_insn *in)
{
    gather4(c, in, with_sign, true);
}

void ve_run_vgtl_zx(struct sim_ve_context *c, const struct ve_insn *in)
{
    gather4(c, in, with_zeros, true);
}

static inline void scatter4(struct sim_ve_context *c, const struct ve_insn *in, narrow as)
{
    const uint64_t *at = addresses(c, in), *mask = ve_selected(c, in), *x = stored(c, in);
    for (unsigned i = 0; i < c->vl; i++)
        if (!mask || mask[i]) {
            uint32_t u = as(x[i]);
            memcpy(ve_writing(c, at[i], sizeof u), &u, sizeof u);
        }
}

void ve_run_vsc(struct sim_ve_context *c, const struct ve_insn *in)
{
    const uint64_t *at = addresses(c, in), *mask = ve_selected(c, in), *x = stored(c, in);
    for (unsigned i = 0; i < c->vl; i++)
        if (!mask || mask[i])
            memcpy(ve_writing(c, at[i], 8), &x[i], 8);
}

void ve_run_vscu(struct sim_ve_context *c, const struct ve_insn *in)
{
    scatter4(c, in, upper);
}

void ve_run_vscl(struct sim_ve_context *c, const struct ve_insn *in)
{
    scatter4(c, in, lower);
}

/* ---- single elements; the vector length does not matter ---- */

static unsigned element(struct sim_ve_context *c, const struct ve_insn *in)
{
    uint64_t i = ve_y(c, in);
    if (i >= VE_MAX_VL)
        ve_stop(c, "names element %llu of a vector of %d", (unsigned long long)i, VE_MAX_VL);
    return (unsigned)i;
}

void ve_run_lsv(struct sim_ve_context *c, const struct ve_insn *in)
{
    unsigned i = element(c, in);
    c->v[in->vx][i] = ve_z(c, in);
    if (i <= c->written[in->vx])
        ve_wrote(c, in->vx, i + 1);
}

void ve_run_lvs(struct sim_ve_context *c, const struct ve_insn *in)
{
    unsigned i = element(c, in);
    if (i >= c->written[in->vx] && c->ve->options.unwritten_faults)
        ve_stop(c, "reads element %u of %%v%u, which this call has not written", i, in->vx);
    c->s[in->x] = c->v[in->vx][i];
}
