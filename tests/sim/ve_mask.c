/* Masks, and what merges, moves and counts elements by them. */
#include "tests/sim/ve_image.h"
#include "tests/sim/ve_lanes.h"
#include "tests/sim/ve_run.h"

/* ---- forming: bit i says whether Vz[i] compares so with 0, where the mask has a bit too ---- */

static inline void form(struct sim_ve_context *c, const struct ve_insn *in,
                        unsigned (*compare)(uint64_t element))
{
    unsigned wanted = ve_conditions[in->condition];
    bool needs_z = in->condition != 0 && in->condition != 15;
    const uint64_t *zs = needs_z && !in->m ? ve_source(c, in->vz) : c->v[in->vz];
    const uint64_t *m = c->vm[in->m];
    if (in->vx == 0)
        ve_stop(c, "writes %%vm0, which is constant");
    for (unsigned i = 0; i < c->vl; i++)
        c->result[i] = (wanted & compare(zs[i]) ? ~UINT64_C(0) : 0) & m[i];
    memcpy(c->vm[in->vx], c->result, c->vl * sizeof *c->result);
}

/* No branches: these become vector code. */
#define COMPARE(id, type, value)                                                                   \
    static inline unsigned compare_##id(uint64_t e)                                                \
    {                                                                                              \
        type v = (value);                                                                          \
        return (v < 0 ? (unsigned)VE_LESS : 0) | (v == 0 ? (unsigned)VE_EQUAL : 0) |               \
               (v > 0 ? (unsigned)VE_GREATER : 0) | (v != v ? (unsigned)VE_NAN : 0);               \
    }                                                                                              \
    void ve_run_vfmk_##id(struct sim_ve_context *c, const struct ve_insn *in)                      \
    {                                                                                              \
        form(c, in, compare_##id);                                                                 \
    }
COMPARE(l, int64_t, (int64_t)e)
COMPARE(w, int32_t, word(e))
COMPARE(w_up, int32_t, word(e >> 32))
COMPARE(d, double, f64(e))
COMPARE(s_up, float, f32_up(e))
COMPARE(s_lo, float, dtype_f32_of_bits((uint32_t)e))

/* ---- of masks, all 256 bits ---- */

#define OF_MASKS(id, value)                                                                        \
    void ve_run_##id(struct sim_ve_context *c, const struct ve_insn *in)                           \
    {                                                                                              \
        if (in->vx == 0)                                                                           \
            ve_stop(c, "writes %%vm0, which is constant");                                         \
        for (unsigned i = 0; i < VE_MAX_VL; i++) {                                                 \
            uint64_t y = c->vm[in->vy][i], z = c->vm[in->vz][i];                                   \
            (void)z;                                                                               \
            c->vm[in->vx][i] = (value);                                                            \
        }                                                                                          \
    }
OF_MASKS(andm, y &z)
OF_MASKS(orm, y | z)
OF_MASKS(xorm, y ^ z)
OF_MASKS(eqvm, ~(y ^ z))
OF_MASKS(nndm, ~y &z)
OF_MASKS(negm, ~y)

/* Of the first VL bits: how many are set; how many stand before the first one. */
void ve_run_pcvm(struct sim_ve_context *c, const struct ve_insn *in)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < c->vl; i++)
        n += c->vm[in->vy][i] & 1;
    c->s[in->x] = n;
}

void ve_run_lzvm(struct sim_ve_context *c, const struct ve_insn *in)
{
    unsigned i = 0;
    while (i < c->vl && !c->vm[in->vy][i])
        i++;
    c->s[in->x] = i;
}

/* ---- four words of a mask, the first element's bit being the highest of word 0 ---- */

static unsigned mask_word(struct sim_ve_context *c, const struct ve_insn *in)
{
    uint64_t i = ve_y(c, in);
    if (i > 3)
        ve_stop(c, "names word %llu of a mask of four", (unsigned long long)i);
    return (unsigned)i;
}

void ve_run_lvm(struct sim_ve_context *c, const struct ve_insn *in)
{
    unsigned at = 64 * mask_word(c, in);
    uint64_t bits = ve_z(c, in);
    if (in->vx == 0)
        ve_stop(c, "writes %%vm0, which is constant");
    for (unsigned i = 0; i < 64; i++)
        c->vm[in->vx][at + i] = 0 - (bits >> (63 - i) & 1);
}

void ve_run_svm(struct sim_ve_context *c, const struct ve_insn *in)
{
    unsigned at = 64 * mask_word(c, in);
    uint64_t bits = 0;
    for (unsigned i = 0; i < 64; i++)
        bits |= (c->vm[in->vz][at + i] & 1) << (63 - i);
    c->s[in->x] = bits;
}

/* ---- merging and moving ---- */

static const uint64_t *operand(struct sim_ve_context *c, const struct ve_insn *in)
{
    if (!in->cs)
        return ve_source(c, in->vy);
    for (unsigned i = 0; i < c->vl; i++)
        c->spread[0][i] = ve_y(c, in);
    return c->spread[0];
}

/* Vz where the mask has a bit, else Vy. */
void ve_run_vmrg(struct sim_ve_context *c, const struct ve_insn *in)
{
    const uint64_t *ys = operand(c, in), *zs = ve_source(c, in->vz), *m = ve_selected(c, in);
    uint64_t *x = c->v[in->vx];
    for (unsigned i = 0; i < c->vl; i++)
        x[i] = m ? (zs[i] & m[i]) | (ys[i] & ~m[i]) : zs[i];
    ve_wrote(c, in->vx, c->vl);
}

void ve_run_vmrg_w(struct sim_ve_context *c, const struct ve_insn *in)
{
    ve_run_vmrg(c, in);
}

/* Two bits each for the upper and the lower half of Vx: of Vz (2) or Vy, its lower (1) or upper
   half. The same codes as VE_VSHUFFLE_YUYU = 0 to ZLZL = 15 of LLVM's velintrin.h. */
void ve_run_vshf(struct sim_ve_context *c, const struct ve_insn *in)
{
    unsigned how = (unsigned)ve_y(c, in) & 15;
    bool needs_y = !(how & 8) || !(how & 2), needs_z = how & 8 || how & 2;
    const uint64_t *ys = needs_y ? ve_source(c, in->vy) : c->v[in->vy];
    const uint64_t *zs = needs_z ? ve_source(c, in->vz) : c->v[in->vz];
    for (unsigned i = 0; i < c->vl; i++) {
        uint64_t high = how & 8 ? zs[i] : ys[i], low = how & 2 ? zs[i] : ys[i];
        high = how & 4 ? high << 32 : high & ~UINT64_C(0xffffffff);
        low = how & 1 ? (uint32_t)low : low >> 32;
        c->v[in->vx][i] = high | low;
    }
    ve_wrote(c, in->vx, c->vl);
}

/* Element i comes from i + Sy, the vector being a ring of 256. */
void ve_run_vmv(struct sim_ve_context *c, const struct ve_insn *in)
{
    uint64_t by = ve_y(c, in);
    for (unsigned i = 0; i < c->vl; i++)
        c->result[i] = c->v[in->vz][(i + by) % VE_MAX_VL];
    ve_merge(c, in);
}

/* The elements of Vz that the mask selects, one behind the other; what follows them stays. */
void ve_run_vcp(struct sim_ve_context *c, const struct ve_insn *in)
{
    const uint64_t *zs = ve_source(c, in->vz), *m = c->vm[in->m];
    unsigned n = 0;
    for (unsigned i = 0; i < c->vl; i++)
        if (m[i])
            c->result[n++] = zs[i];
    memcpy(c->v[in->vx], c->result, n * sizeof *c->result);
    ve_wrote(c, in->vx, n);
}

/* The first elements of Vz to where the mask selects. */
void ve_run_vex(struct sim_ve_context *c, const struct ve_insn *in)
{
    const uint64_t *m = c->vm[in->m];
    unsigned n = 0;
    for (unsigned i = 0; i < c->vl; i++)
        if (m[i])
            c->result[i] = c->v[in->vz][n++];
    ve_merge(c, in);
}

/* ---- numbers of elements ---- */

static inline void sequence(struct sim_ve_context *c, const struct ve_insn *in, uint64_t factor)
{
    for (unsigned i = 0; i < c->vl; i++)
        c->result[i] = i * factor;
    ve_merge(c, in);
}

void ve_run_vseq(struct sim_ve_context *c, const struct ve_insn *in)
{
    sequence(c, in, 1);
}

void ve_run_vseq_lo(struct sim_ve_context *c, const struct ve_insn *in)
{
    sequence(c, in, 1);
}

void ve_run_vseq_up(struct sim_ve_context *c, const struct ve_insn *in)
{
    sequence(c, in, UINT64_C(1) << 32);
}

void ve_run_vseq_p(struct sim_ve_context *c, const struct ve_insn *in)
{
    sequence(c, in, (UINT64_C(1) << 32) + 1);
}
