/* Vector instructions that compute each element of Vx from those of the same number. */
#include "tests/sim/ve_image.h"
#include "tests/sim/ve_lanes.h"
#include "tests/sim/ve_run.h"

/* Vx may be one of the operands, but elements do not depend on each other. */
#if defined(__GNUC__) && !defined(__clang__)
#define INDEPENDENT _Pragma("GCC ivdep")
#else
#define INDEPENDENT
#endif

typedef uint32_t __attribute__((may_alias)) word_of;
typedef float __attribute__((may_alias)) float_of;

/*
 * Types of elements.  _sx and _lo are the lower half of an element, as a result extended with its
 * sign or zeros; _up is the upper half, the lower one of a result being 0; _p are both halves, so
 * that a vector has twice as many.
 */
#define TYPE_u64    uint64_t
#define TYPE_i64    int64_t
#define TYPE_f64    double
#define TYPE_u32_lo uint32_t
#define TYPE_u32_up uint32_t
#define TYPE_u32_p  uint32_t
#define TYPE_i32_sx int32_t
#define TYPE_i32_up int32_t
#define TYPE_i32_p  int32_t
#define TYPE_f32_lo float
#define TYPE_f32_up float
#define TYPE_f32_p  float
#define TYPE_i32_lo int32_t

#define COUNT_u64    n
#define COUNT_i64    n
#define COUNT_f64    n
#define COUNT_u32_lo n
#define COUNT_u32_up n
#define COUNT_u32_p  (2 * n)
#define COUNT_i32_sx n
#define COUNT_i32_lo n
#define COUNT_i32_up n
#define COUNT_i32_p  (2 * n)
#define COUNT_f32_lo n
#define COUNT_f32_up n
#define COUNT_f32_p  (2 * n)

#define GET_u64(p)    p[i]
#define GET_i64(p)    (int64_t)p[i]
#define GET_f64(p)    f64(p[i])
#define GET_u32_lo(p) (uint32_t)p[i]
#define GET_u32_up(p) (uint32_t)(p[i] >> 32)
#define GET_u32_p(p)  ((const word_of *)p)[i]
#define GET_i32_sx(p) (int32_t)(uint32_t)p[i]
#define GET_i32_lo(p) GET_i32_sx(p)
#define GET_i32_up(p) (int32_t)(uint32_t)(p[i] >> 32)
#define GET_i32_p(p)  (int32_t)((const word_of *)p)[i]
#define GET_f32_lo(p) dtype_f32_of_bits((uint32_t)p[i])
#define GET_f32_up(p) f32_up(p[i])
#define GET_f32_p(p)  ((const float_of *)p)[i]

#define PUT_u64(v)    x[i] = (v)
#define PUT_i64(v)    x[i] = (uint64_t)(int64_t)(v)
#define PUT_f64(v)    x[i] = bits64(v)
#define PUT_u32_lo(v) x[i] = (uint32_t)(v)
#define PUT_u32_up(v) x[i] = (uint64_t)(uint32_t)(v) << 32
#define PUT_u32_p(v)  ((word_of *)x)[i] = (uint32_t)(v)
#define PUT_i32_sx(v) x[i] = (uint64_t)(int64_t)(int32_t)(v)
#define PUT_i32_lo(v) PUT_u32_lo(v)
#define PUT_i32_up(v) PUT_u32_up(v)
#define PUT_i32_p(v)  PUT_u32_p(v)
#define PUT_f32_lo(v) x[i] = dtype_bits_of_f32(v)
#define PUT_f32_up(v) x[i] = bits32_up(v)
#define PUT_f32_p(v)  ((float_of *)x)[i] = (v)

/* A value names its operands y, z and w. */
#define VE_RUN(op, variant, form, name, function, class)
#define VE_SCALAR(op, variant, form, name, id, class, value)
#define VE_LANES(op, variant, form, name, id, class, to, from, value)                              \
    void ve_lanes_##id(uint64_t *x, const uint64_t *ys, const uint64_t *zs, const uint64_t *ws,    \
                       unsigned n, unsigned mode)                                                  \
    {                                                                                              \
        (void)mode;                                                                                \
        INDEPENDENT                                                                                \
        for (unsigned i = 0; i < COUNT_##from; i++) {                                              \
            const TYPE_##from y = GET_##from(ys);                                                  \
            const TYPE_##from z = GET_##from(zs);                                                  \
            const TYPE_##from w = GET_##from(ws);                                                  \
            (void)y, (void)z, (void)w;                                                             \
            PUT_##to(value);                                                                       \
        }                                                                                          \
    }
#include "tests/sim/ve_decode.def"
#undef VE_RUN
#undef VE_SCALAR
#undef VE_LANES

/* ---- operands ---- */

const uint64_t *ve_source(struct sim_ve_context *c, unsigned v)
{
    if (c->written[v] < c->vl && c->ve->options.unwritten_faults)
        ve_stop(c, "reads elements %u to %u of %%v%u, which this call has not written",
                c->written[v], c->vl - 1, v);
    return c->v[v];
}

/* Of an operand that decides nothing yet elements may be missing, as in LLVM's copies of whole
   registers: n becomes the number of those that are there. */
static const uint64_t *operand(struct sim_ve_context *c, unsigned v, unsigned *n)
{
    if (c->written[v] < *n)
        *n = c->written[v];
    return c->v[v];
}

static const uint64_t *spread(struct sim_ve_context *c, unsigned which, uint64_t value)
{
    uint64_t *to = c->spread[which];
    for (unsigned i = 0; i < c->vl; i++)
        to[i] = value;
    return to;
}

void ve_wrote(struct sim_ve_context *c, unsigned v, unsigned n)
{
    if (c->written[v] < n)
        c->written[v] = (uint16_t)n;
}

const uint64_t *ve_selected(struct sim_ve_context *c, const struct ve_insn *in)
{
    if (in->m == 0)
        return NULL;
    if (!in->is_pair)
        return c->vm[in->m];
    /* The first mask of a pair is for the upper halves. */
    for (unsigned i = 0; i < c->vl; i++)
        c->selected[i] = (c->vm[in->m][i] & ~UINT64_C(0xffffffff)) |
                         (c->vm[in->m + 1][i] & UINT64_C(0xffffffff));
    return c->selected;
}

void ve_merge(struct sim_ve_context *c, const struct ve_insn *in)
{
    const uint64_t *mask = ve_selected(c, in);
    uint64_t *x = c->v[in->vx];
    for (unsigned i = 0; i < c->vl; i++)
        x[i] = mask ? (c->result[i] & mask[i]) | (x[i] & ~mask[i]) : c->result[i];
    ve_wrote(c, in->vx, c->vl);
}

/* An integer divisor of an element that counts must not be 0. */
static void check_divisors(struct sim_ve_context *c, const struct ve_insn *in, const uint64_t *zs)
{
    const uint64_t *mask = ve_selected(c, in);
    uint64_t bits = strstr(in->row->name, ".l") ? ~UINT64_C(0) : 0xffffffff;
    for (unsigned i = 0; i < c->vl; i++)
        if (!(zs[i] & bits) && (!mask || mask[i]))
            ve_stop(c, "divides element %u by 0", i);
}

void ve_lanes_run(struct sim_ve_context *c, const struct ve_insn *in)
{
    static const uint64_t none[VE_MAX_VL];
    const uint64_t *ys = none, *zs = none, *ws = none;
    enum ve_form form = in->row->form;
    unsigned n = c->vl;
    bool has_y = form != VE_FORM_VZ;
    bool y_is_scalar = in->cs || form == VE_FORM_VBRD || form == VE_FORM_VSFA;
    bool has_z = form == VE_FORM_VZ || form == VE_FORM_VYZ || form == VE_FORM_VLOGIC ||
                 form == VE_FORM_VDIV || form == VE_FORM_VSHIFT || form == VE_FORM_VSFA ||
                 form == VE_FORM_VFMAD;
    bool z_is_scalar = in->cs2 && (form == VE_FORM_VDIV || form == VE_FORM_VFMAD);
    if (has_y)
        ys = y_is_scalar ? spread(c, 0, ve_y(c, in)) : operand(c, in->vy, &n);
    if (has_z)
        zs = z_is_scalar ? spread(c, 1, ve_y(c, in)) : operand(c, in->vz, &n);
    if (form == VE_FORM_VFMAD)
        ws = operand(c, in->vw, &n);
    else if (form == VE_FORM_VSFA)
        ws = spread(c, 2, ve_z(c, in));
    if (form == VE_FORM_VDIV && in->row->opcode != 0xdd)
        check_divisors(c, in, zs);
    if (in->m) {
        in->row->lanes(c->result, ys, zs, ws, c->vl, in->vz & 15);
        ve_merge(c, in);
    } else {
        in->row->lanes(c->v[in->vx], ys, zs, ws, c->vl, in->vz & 15);
        if (n < c->vl)
            c->written[in->vx] = (uint16_t)n;
        else
            ve_wrote(c, in->vx, n);
    }
}
