/*
 * What the lanes of a warp do together: shuffles, votes, matches and reductions.
 */
#include "tests/sim/ptx_decode.h"

static uint32_t first_value(const struct ptx_warp *w, int32_t slot, uint32_t mask)
{
    return ((const uint32_t *)ptx_reg(w, slot))[ptx_first_lane(mask)];
}

/* ---- shfl ---- */

enum { UP, DOWN, BUTTERFLY, INDEX };

/* The lane that `lane` reads, as the ISA's description of shfl.sync has it; *in_range is p. */
static int shuffle_source(int kind, int lane, uint32_t b, uint32_t c, bool *in_range)
{
    int segment = (int)(c >> 8 & 31), step = (int)(b & 31), clamp = (int)(c & 31);
    int last = (lane & segment) | (clamp & ~segment), first = lane & segment, from;
    switch (kind) {
    case UP:
        from = lane - step;
        *in_range = from >= last;
        break;
    case DOWN:
        from = lane + step;
        *in_range = from <= last;
        break;
    case BUTTERFLY:
        from = lane ^ step;
        *in_range = from <= last;
        break;
    default:
        from = first | (step & ~segment);
        *in_range = from <= last;
    }
    return *in_range ? from : lane;
}

static void run_shuffle(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    const uint32_t *a = ptx_reg(w, in->slot[1]), *b = ptx_reg(w, in->slot[2]);
    const uint32_t *c = ptx_reg(w, in->slot[3]);
    uint32_t r[PTX_LANES] = {0}, p = 0;
    if (!ptx_need_lanes(w, mask, first_value(w, in->slot[4], mask)))
        return;
    for (uint32_t rest = mask; rest; rest &= rest - 1) {
        int lane = ptx_first_lane(rest);
        bool in_range;
        int from = shuffle_source(in->kind, lane, b[lane], c[lane], &in_range);
        if (!(mask >> from & 1))
            ptx_stop(w, lane, PTX_FAULT_OTHER, "reads lane %d, which does not take part", from);
        r[lane] = a[from];
        p |= (uint32_t)in_range << lane;
    }
    ptx_set_pred(w, in->slot[5], p, mask);
    if (in->slot[0] != PTX_NO_SLOT)
        ptx_store_lanes(ptx_reg(w, in->slot[0]), r, 4, mask);
}

/* d or d|p, the pair's second in slot `pred`. */
static bool decode_destination(struct ptx_decoder *d, enum ptx_type type, int pred)
{
    const struct ptx_operand *o = d->from->operands;
    if (d->from->n_operands < 2)
        return ptx_decode_fail(d, "operands are missing");
    if (o->kind != PTX_OPERAND_PAIR)
        return ptx_decode_slot(d, o, type, false, &d->in->slot[0]);
    return ptx_decode_slot(d, &o->elems[0], type, false, &d->in->slot[0]) &&
           ptx_decode_slot(d, &o->elems[1], PTX_pred, false, &d->in->slot[pred]);
}

bool ptx_decode_shfl(struct ptx_decoder *d)
{
    static const char *const kinds[] = {"up", "down", "bfly", "idx"};
    d->in->run = run_shuffle;
    d->in->kind = 255;
    for (int i = 0; i < 4; i++)
        if (ptx_decode_has(d, kinds[i]))
            d->in->kind = (uint8_t)i;
    if (d->in->kind == 255 || !ptx_decode_has(d, "sync") || d->from->n_operands != 5)
        return ptx_decode_fail(d, "the shuffle is not known");
    if (!decode_destination(d, PTX_b32, 5))
        return false;
    for (int i = 1; i < 5; i++)
        if (!ptx_decode_operand(d, i, PTX_b32))
            return false;
    return true;
}

/* ---- vote, match, redux, activemask ---- */

static void store_same(struct ptx_warp *w, int32_t slot, uint32_t value, uint32_t mask)
{
    uint32_t r[PTX_LANES];
    for (int i = 0; i < PTX_LANES; i++)
        r[i] = value;
    ptx_store_lanes(ptx_reg(w, slot), r, 4, mask);
}

static void run_vote(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    if (!ptx_need_lanes(w, mask, first_value(w, in->slot[2], mask)))
        return;
    uint32_t votes = (ptx_pred(w, in->slot[1]) ^ (in->more ? UINT32_MAX : 0)) & mask;
    if (in->kind == 'b') {
        store_same(w, in->slot[0], votes, mask);
        return;
    }
    bool all = votes == mask, any = votes != 0;
    bool r = in->kind == 'l' ? all : in->kind == 'n' ? any : all || !any;
    ptx_set_pred(w, in->slot[0], r ? UINT32_MAX : 0, mask);
}

bool ptx_decode_vote(struct ptx_decoder *d)
{
    /* Told apart by the second letter; ballot is 'b'. */
    static const char *const kinds[] = {"all", "any", "uni"};
    d->in->run = run_vote;
    for (int i = 0; i < 3; i++)
        if (ptx_decode_has(d, kinds[i]))
            d->in->kind = (uint8_t)(i == 2 ? 'u' : kinds[i][1]);
    if (ptx_decode_has(d, "ballot"))
        d->in->kind = 'b';
    if (!d->in->kind || !ptx_decode_has(d, "sync") || d->from->n_operands != 3)
        return ptx_decode_fail(d, "the vote is not known");
    d->in->more = d->from->operands[1].negated;
    return ptx_decode_operand(d, 0, d->in->kind == 'b' ? PTX_b32 : PTX_pred) &&
           ptx_decode_operand(d, 1, PTX_pred) && ptx_decode_operand(d, 2, PTX_b32);
}

static uint64_t element(const struct ptx_warp *w, const struct ptx_insn *in, int lane)
{
    uint64_t u = 0;
    unsigned n = in->n_bytes[1];
    memcpy(&u, (const uint8_t *)ptx_reg(w, in->slot[1]) + (unsigned)lane * n, n);
    return u;
}

static void run_match(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    uint32_t r[PTX_LANES] = {0};
    if (!ptx_need_lanes(w, mask, first_value(w, in->slot[2], mask)))
        return;
    bool all = true;
    for (uint32_t i = mask; i; i &= i - 1)
        for (uint32_t j = mask; j; j &= j - 1) {
            int lane = ptx_first_lane(i), other = ptx_first_lane(j);
            bool same = element(w, in, lane) == element(w, in, other);
            r[lane] |= (uint32_t)same << other;
            all = all && same;
        }
    for (int i = 0; i < PTX_LANES && in->kind; i++)
        r[i] = all ? mask : 0;
    ptx_set_pred(w, in->slot[3], all ? UINT32_MAX : 0, mask);
    ptx_store_lanes(ptx_reg(w, in->slot[0]), r, 4, mask);
}

bool ptx_decode_match(struct ptx_decoder *d)
{
    enum ptx_type type = ptx_decode_type(d, 0);
    d->in->run = run_match;
    d->in->kind = ptx_decode_has(d, "all");
    if ((type != PTX_b32 && type != PTX_b64) || d->from->n_operands != 3)
        return ptx_decode_fail(d, "the instruction is not known");
    return decode_destination(d, PTX_b32, 3) && ptx_decode_operand(d, 1, type) &&
           ptx_decode_operand(d, 2, PTX_b32);
}

enum { REDUX_ADD, REDUX_MIN, REDUX_MAX, REDUX_AND, REDUX_OR, REDUX_XOR, N_REDUX };

static uint32_t reduce(const struct ptx_insn *in, uint32_t a, uint32_t b)
{
    bool less = in->type == PTX_s32 ? (int32_t)a < (int32_t)b : a < b;
    switch (in->kind) {
    case REDUX_ADD:
        return a + b;
    case REDUX_MIN:
        return less ? a : b;
    case REDUX_MAX:
        return less ? b : a;
    case REDUX_AND:
        return a & b;
    case REDUX_OR:
        return a | b;
    default:
        return a ^ b;
    }
}

static void run_redux(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    const uint32_t *a = ptx_reg(w, in->slot[1]);
    if (!ptx_need_lanes(w, mask, first_value(w, in->slot[2], mask)))
        return;
    uint32_t r = a[ptx_first_lane(mask)];
    for (uint32_t rest = mask & (mask - 1); rest; rest &= rest - 1)
        r = reduce(in, r, a[ptx_first_lane(rest)]);
    store_same(w, in->slot[0], r, mask);
}

bool ptx_decode_redux(struct ptx_decoder *d)
{
    static const char *const kinds[] = {"add", "min", "max", "and", "or", "xor"};
    enum ptx_type type = ptx_decode_type(d, 0);
    d->in->run = run_redux;
    d->in->kind = N_REDUX;
    d->in->type = (uint8_t)type;
    for (int i = 0; i < N_REDUX; i++)
        if (ptx_decode_has(d, kinds[i]))
            d->in->kind = (uint8_t)i;
    if (d->in->kind == N_REDUX || d->from->n_operands != 3 || type == PTX_N_TYPES ||
        ptx_types[type].bytes != 4)
        return ptx_decode_fail(d, "the reduction is not known");
    return ptx_decode_operand(d, 0, type) && ptx_decode_operand(d, 1, type) &&
           ptx_decode_operand(d, 2, PTX_b32);
}

static void run_activemask(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    store_same(w, in->slot[0], mask, mask);
}

bool ptx_decode_activemask(struct ptx_decoder *d)
{
    d->in->run = run_activemask;
    return ptx_decode_operand(d, 0, PTX_b32);
}
