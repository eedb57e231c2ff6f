/* Scalar instructions: arithmetic is in ve_decode.def, the rest is here. */
#include "tests/sim/ve_image.h"
#include "tests/sim/ve_lanes.h"
#include "tests/sim/ve_run.h"

/* A divisor, which must not be 0: the engine raises an exception that programs may have masked. */
static uint64_t nonzero(struct sim_ve_context *c, uint64_t z)
{
    if (z == 0)
        ve_stop(c, "divides by 0");
    return z;
}

#define VE_RUN(op, variant, form, name, function, class)
#define VE_LANES(op, variant, form, name, id, class, to, from, value)
#define VE_SCALAR(op, variant, form, name, id, class, value)                                       \
    void ve_run_##id(struct sim_ve_context *c, const struct ve_insn *in)                           \
    {                                                                                              \
        uint64_t y = ve_y(c, in), z = ve_z(c, in) + OFFSET_##form(in);                             \
        (void)y;                                                                                   \
        (void)z;                                                                                   \
        c->s[in->x] = (uint64_t)(value);                                                           \
    }
/* lea adds a displacement too */
#define OFFSET_ADDRESS(in) (uint64_t)(in)->d
#define OFFSET_X(in)       0
#define OFFSET_XY(in)      0
#define OFFSET_XZ(in)      0
#define OFFSET_XYZ(in)     0
#define OFFSET_SHIFT(in)   0
#define OFFSET_BSWP(in)    0
#define OFFSET_ROUND(in)   0
#include "tests/sim/ve_decode.def"
#undef VE_RUN
#undef VE_LANES
#undef VE_SCALAR

void ve_run_nothing(struct sim_ve_context *c, const struct ve_insn *in)
{
    (void)c;
    (void)in;
}

void ve_run_lea_sl(struct sim_ve_context *c, const struct ve_insn *in)
{
    c->s[in->x] = ve_y(c, in) + ve_z(c, in) + ((uint64_t)in->d << 32);
}

/* ---- loads and stores ---- */

static uint64_t address_of(const struct sim_ve_context *c, const struct ve_insn *in)
{
    return ve_y(c, in) + ve_z(c, in) + (uint64_t)in->d;
}

#define LOAD(id, type, value)                                                                      \
    void ve_run_##id(struct sim_ve_context *c, const struct ve_insn *in)                           \
    {                                                                                              \
        type x;                                                                                    \
        memcpy(&x, ve_reading(c, address_of(c, in), sizeof x), sizeof x);                          \
        c->s[in->x] = (uint64_t)(value);                                                           \
    }
#define STORE(id, type, value)                                                                     \
    void ve_run_##id(struct sim_ve_context *c, const struct ve_insn *in)                           \
    {                                                                                              \
        uint64_t s = c->s[in->x];                                                                  \
        type x = (type)(value);                                                                    \
        memcpy(ve_writing(c, address_of(c, in), sizeof x), &x, sizeof x);                          \
    }
LOAD(ld, uint64_t, x)
LOAD(ldu, uint32_t, (uint64_t)x << 32)
LOAD(ldl_sx, int32_t, (int64_t)x)
LOAD(ldl_zx, uint32_t, x)
LOAD(ld2b_sx, int16_t, (int64_t)x)
LOAD(ld2b_zx, uint16_t, x)
LOAD(ld1b_sx, int8_t, (int64_t)x)
LOAD(ld1b_zx, uint8_t, x)
STORE(st, uint64_t, s)
STORE(stu, uint32_t, s >> 32)
STORE(stl, uint32_t, s)
STORE(st2b, uint16_t, s)
STORE(st1b, uint8_t, s)

/* ---- atomics: contexts take turns between instructions only ---- */

static uint64_t atomic_address(const struct sim_ve_context *c, const struct ve_insn *in)
{
    return ve_z(c, in) + (uint64_t)in->d;
}

/* Where memory does not change, waiting goes on. */
static void atomic_store(struct sim_ve_context *c, uint64_t address, const void *value,
                         unsigned n_bytes)
{
    uint64_t progress = c->progress;
    uint8_t *to = ve_writing(c, address, n_bytes);
    if (memcmp(to, value, n_bytes) == 0)
        c->progress = progress;
    memcpy(to, value, n_bytes);
}

/* Bytes of Sx go to memory where Sy has bits; Sx becomes what was there. */
static void swap_bytes(struct sim_ve_context *c, const struct ve_insn *in, unsigned n_bytes)
{
    uint64_t address = atomic_address(c, in), bytes = ve_y(c, in);
    uint8_t old[8] = {0}, new[8], from[8];
    memcpy(old, ve_reading(c, address, n_bytes), n_bytes);
    memcpy(from, &c->s[in->x], sizeof from);
    for (unsigned i = 0; i < n_bytes; i++)
        new[i] = bytes >> i & 1 ? from[i] : old[i];
    atomic_store(c, address, new, n_bytes);
    memcpy(&c->s[in->x], old, sizeof old);
}

void ve_run_ts1am_l(struct sim_ve_context *c, const struct ve_insn *in)
{
    swap_bytes(c, in, 8);
}

void ve_run_ts1am_w(struct sim_ve_context *c, const struct ve_insn *in)
{
    swap_bytes(c, in, 4);
    c->s[in->x] = sign32((uint32_t)c->s[in->x]);
}

/* Sx goes to memory where that is equal to Sy; Sx becomes what was there. */
static void compare_and_swap(struct sim_ve_context *c, const struct ve_insn *in, unsigned n_bytes)
{
    uint64_t address = atomic_address(c, in), wanted = ve_y(c, in), old = 0;
    memcpy(&old, ve_reading(c, address, n_bytes), n_bytes);
    if (memcmp(&old, &wanted, n_bytes) == 0)
        atomic_store(c, address, &c->s[in->x], n_bytes);
    c->s[in->x] = n_bytes == 4 ? sign32((uint32_t)old) : old;
}

void ve_run_cas_l(struct sim_ve_context *c, const struct ve_insn *in)
{
    compare_and_swap(c, in, 8);
}

void ve_run_cas_w(struct sim_ve_context *c, const struct ve_insn *in)
{
    compare_and_swap(c, in, 4);
}

/* Memory is consistent here at any time: what a missing fence would do does not show. */
void ve_run_fence(struct sim_ve_context *c, const struct ve_insn *in)
{
    if (in->word >> 40 & 255)
        ve_stop(c, "is a fence of another kind than fencem");
}

void ve_run_svob(struct sim_ve_context *c, const struct ve_insn *in)
{
    ve_run_nothing(c, in);
}

/* ---- conditions: bits for less, equal, greater and unordered ---- */

const uint8_t ve_conditions[16] = {
    0,
    VE_GREATER,
    VE_LESS,
    VE_GREATER | VE_LESS,
    VE_EQUAL,
    VE_GREATER | VE_EQUAL,
    VE_LESS | VE_EQUAL,
    VE_LESS | VE_EQUAL | VE_GREATER,
    VE_NAN,
    VE_GREATER | VE_NAN,
    VE_LESS | VE_NAN,
    VE_GREATER | VE_LESS | VE_NAN,
    VE_EQUAL | VE_NAN,
    VE_GREATER | VE_EQUAL | VE_NAN,
    VE_LESS | VE_EQUAL | VE_NAN,
    VE_LESS | VE_EQUAL | VE_GREATER | VE_NAN,
};
const char *const ve_condition_names[16] = {"af",    "gt",    "lt",    "ne",    "eq",    "ge",
                                            "le",    "num",   "nan",   "gtnan", "ltnan", "nenan",
                                            "eqnan", "genan", "lenan", "at"};

static bool holds(const struct ve_insn *in, int less, int equal, int greater)
{
    int is = less ? VE_LESS : equal ? VE_EQUAL : greater ? VE_GREATER : VE_NAN;
    return ve_conditions[in->condition] & is;
}

static bool holds_l(const struct ve_insn *in, uint64_t y, uint64_t z)
{
    return holds(in, (int64_t)y < (int64_t)z, y == z, (int64_t)y > (int64_t)z);
}

static bool holds_w(const struct ve_insn *in, uint64_t y, uint64_t z)
{
    return holds(in, word(y) < word(z), word(y) == word(z), word(y) > word(z));
}

static bool holds_d(const struct ve_insn *in, uint64_t y, uint64_t z)
{
    return holds(in, f64(y) < f64(z), f64(y) == f64(z), f64(y) > f64(z));
}

static bool holds_s(const struct ve_insn *in, uint64_t y, uint64_t z)
{
    return holds(in, f32_up(y) < f32_up(z), f32_up(y) == f32_up(z), f32_up(y) > f32_up(z));
}

/* Sx becomes Sz where the condition holds for Sy and 0; a branch relative to itself compares Sy
   with Sz, one to an address Sy with 0. */
#define CONDITIONAL(type)                                                                          \
    void ve_run_cmov_##type(struct sim_ve_context *c, const struct ve_insn *in)                    \
    {                                                                                              \
        if (holds_##type(in, ve_y(c, in), 0))                                                      \
            c->s[in->x] = ve_z(c, in);                                                             \
    }                                                                                              \
    void ve_run_br_##type(struct sim_ve_context *c, const struct ve_insn *in)                      \
    {                                                                                              \
        if (holds_##type(in, ve_y(c, in), ve_z(c, in)))                                            \
            c->next = c->pc + (uint64_t)in->d;                                                     \
    }                                                                                              \
    void ve_run_bc_##type(struct sim_ve_context *c, const struct ve_insn *in)                      \
    {                                                                                              \
        if (holds_##type(in, ve_y(c, in), 0))                                                      \
            c->next = ve_z(c, in) + (uint64_t)in->d;                                               \
    }
CONDITIONAL(l)
CONDITIONAL(w)
CONDITIONAL(d)
CONDITIONAL(s)

void ve_run_bsic(struct sim_ve_context *c, const struct ve_insn *in)
{
    uint64_t to = address_of(c, in);
    c->s[in->x] = c->next;
    c->next = to;
}

/* ---- control ---- */

void ve_run_sic(struct sim_ve_context *c, const struct ve_insn *in)
{
    c->s[in->x] = c->next;
}

void ve_run_monc(struct sim_ve_context *c, const struct ve_insn *in)
{
    (void)in;
    if (c->s[VE_STACK] < c->s[VE_STACK_LIMIT])
        ve_stop(c, "asks the operating system for more stack than %llu bytes",
                (unsigned long long)c->stack_bytes);
    ve_stop(c, "calls the operating system");
}

void ve_run_lvl(struct sim_ve_context *c, const struct ve_insn *in)
{
    uint64_t n = ve_y(c, in);
    if (n > VE_MAX_VL)
        ve_stop(c, "sets the vector length to %llu, more than %d", (unsigned long long)n,
                VE_MAX_VL);
    c->vl = (unsigned)n;
}

void ve_run_svl(struct sim_ve_context *c, const struct ve_insn *in)
{
    c->s[in->x] = c->vl;
}
