/* Reductions: of the elements that the mask selects to element 0, the others staying what they are.
 */
#include "tests/sim/ve_image.h"
#include "tests/sim/ve_lanes.h"
#include "tests/sim/ve_run.h"

static void put_first(struct sim_ve_context *c, const struct ve_insn *in, uint64_t value)
{
    if (c->vl == 0)
        return;
    c->v[in->vx][0] = value;
    ve_wrote(c, in->vx, 1);
}

static const uint64_t *reduced(struct sim_ve_context *c, const struct ve_insn *in)
{
    return in->m ? c->v[in->vy] : ve_source(c, in->vy);
}

/* `result` starts as it is given and takes in each element e in turn. */
#define REDUCE(id, type, start, next, final)                                                       \
    void ve_run_##id(struct sim_ve_context *c, const struct ve_insn *in)                           \
    {                                                                                              \
        const uint64_t *ys = reduced(c, in), *m = c->vm[in->m];                                    \
        type result = (start);                                                                     \
        for (unsigned i = 0; i < c->vl; i++) {                                                     \
            uint64_t e = ys[i];                                                                    \
            if (m[i])                                                                              \
                result = (next);                                                                   \
        }                                                                                          \
        put_first(c, in, final);                                                                   \
    }
REDUCE(vsum_w_sx, uint32_t, 0, result + (uint32_t)e, sign32(result))
REDUCE(vsum_w_zx, uint32_t, 0, result + (uint32_t)e, result)
REDUCE(vsum_l, uint64_t, 0, result + e, result)
REDUCE(vfsum_d, double, 0, result + f64(e), bits64(result))
REDUCE(vfsum_s, float, 0, result + f32_up(e), bits32_up(result))
REDUCE(vrand, uint64_t, ~UINT64_C(0), result &e, result)
REDUCE(vror, uint64_t, 0, result | e, result)
REDUCE(vrxor, uint64_t, 0, result ^ e, result)

/*
 * The greatest or least, and in VIX where it is: the first or the last of equal ones.  NaN loses
 * against every number, as in vfmax.
 */
#define BEST(id, type, value, better, bits)                                                        \
    void ve_run_##id(struct sim_ve_context *c, const struct ve_insn *in)                           \
    {                                                                                              \
        const uint64_t *ys = reduced(c, in), *m = c->vm[in->m];                                    \
        bool found = false;                                                                        \
        type best = 0;                                                                             \
        for (unsigned i = 0; i < c->vl; i++) {                                                     \
            uint64_t e = ys[i];                                                                    \
            type v = (value);                                                                      \
            if (m[i] && (!found || best != best || v better best || (in->cs && v == best))) {      \
                best = v;                                                                          \
                c->vix = i;                                                                        \
                found = true;                                                                      \
            }                                                                                      \
        }                                                                                          \
        if (found)                                                                                 \
            put_first(c, in, bits);                                                                \
    }
#define BOTH(prefix, suffix, type, value, bits)                                                    \
    BEST(prefix##max##suffix, type, value, >, bits)                                                \
    BEST(prefix##min##suffix, type, value, <, bits)
BOTH(vr_w_, _sx, int32_t, word(e), sign32((uint32_t)best))
BOTH(vr_w_, _zx, int32_t, word(e), (uint32_t)best)
BOTH(vr_l_, , int64_t, (int64_t)e, (uint64_t)best)
BOTH(vfr_d_, , double, f64(e), bits64(best))
BOTH(vfr_s_, , float, f32_up(e), bits32_up(best))
