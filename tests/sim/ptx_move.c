/*
 * Moves, packing and unpacking, choice by a predicate, and addresses from one space to another.
 */
#include <time.h>

#include "tests/sim/ptx_decode.h"
#include "tests/sim/ptx_parse.h"

enum { MAX_BYTES = 16 };

static void run_move(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    ptx_store_lanes(ptx_reg(w, in->slot[0]), ptx_reg(w, in->slot[1]), in->n_bytes[0], mask);
}

static void run_move_pred(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    ptx_set_pred(w, in->slot[0], ptx_pred(w, in->slot[1]), mask);
}

/* mov.b64 d, {a, b}: n_elems parts of n_bytes[1] each, the first one lowest. */
static void run_pack(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    uint8_t *to = ptx_reg(w, in->slot[0]);
    for (int k = 0; k < in->n_elems; k++) {
        const uint8_t *from = ptx_reg(w, in->slot[1 + k]);
        unsigned n = in->n_bytes[1];
        for (int i = 0; i < PTX_LANES; i++)
            if (mask >> i & 1)
                memcpy(to + (unsigned)i * in->n_bytes[0] + (unsigned)k * n, from + (unsigned)i * n,
                       n);
    }
}

static void run_unpack(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    uint8_t whole[MAX_BYTES * PTX_LANES];
    memcpy(whole, ptx_reg(w, in->slot[0]), (size_t)in->n_bytes[0] * PTX_LANES);
    for (int k = 0; k < in->n_elems; k++) {
        unsigned n = in->n_bytes[1];
        if (in->slot[1 + k] == PTX_NO_SLOT)
            continue;
        uint8_t *to = ptx_reg(w, in->slot[1 + k]);
        for (int i = 0; i < PTX_LANES; i++)
            if (mask >> i & 1)
                memcpy(to + (unsigned)i * n, whole + (unsigned)i * in->n_bytes[0] + (unsigned)k * n,
                       n);
    }
}

/* Instructions of the warp stand for clock cycles. */
static void run_clock(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    uint64_t now = w->n_run, values[PTX_LANES];
    uint32_t low[PTX_LANES];
    if (in->kind == PTX_SPECIAL_globaltimer) {
        struct timespec t;
        timespec_get(&t, TIME_UTC);
        now = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
    }
    for (int i = 0; i < PTX_LANES; i++) {
        values[i] = now;
        low[i] = (uint32_t)now;
    }
    ptx_store_lanes(ptx_reg(w, in->slot[0]), in->n_bytes[0] == 8 ? (void *)values : (void *)low,
                    in->n_bytes[0], mask);
}

static void run_select(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    uint32_t choice = ptx_pred(w, in->slot[3]);
    uint8_t r[8 * PTX_LANES];
    memcpy(r, ptx_reg(w, in->slot[2]), (size_t)in->n_bytes[0] * PTX_LANES);
    ptx_store_lanes(r, ptx_reg(w, in->slot[1]), in->n_bytes[0], choice);
    ptx_store_lanes(ptx_reg(w, in->slot[0]), r, in->n_bytes[0], mask);
}

/* Adds `value` to addresses: the window of a space, or its negative. */
static void run_cvta(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    const uint64_t *from = ptx_reg(w, in->slot[1]);
    uint64_t r[PTX_LANES];
    for (int i = 0; i < PTX_LANES; i++)
        r[i] = from[i] + (uint64_t)in->value;
    ptx_store_lanes(ptx_reg(w, in->slot[0]), r, 8, mask);
}

static void run_isspacep(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    const uint64_t *from = ptx_reg(w, in->slot[1]);
    uint32_t r = 0;
    for (int i = 0; i < PTX_LANES; i++) {
        int space = from[i] - PTX_SHARED_WINDOW < PTX_WINDOW_BYTES  ? PTX_SHARED
                    : from[i] - PTX_LOCAL_WINDOW < PTX_WINDOW_BYTES ? PTX_LOCAL
                                                                    : PTX_GLOBAL;
        r |= (uint32_t)(space == in->space) << i;
    }
    ptx_set_pred(w, in->slot[0], r, mask);
}

/* ---- decoding ---- */

static bool decode_pack(struct ptx_decoder *d, enum ptx_type whole, int whole_at, int list_at)
{
    const struct ptx_operand *list = &d->from->operands[list_at];
    unsigned bytes = ptx_types[whole].bytes, n = (unsigned)list->n_elems;
    enum ptx_type part = PTX_N_TYPES;
    for (enum ptx_type t = PTX_b16; t <= PTX_b64 && n > 0; t++)
        if (ptx_types[t].kind == 'b' && ptx_types[t].bytes * n == bytes)
            part = t;
    if (part == PTX_N_TYPES)
        return ptx_decode_fail(d, "the parts do not make up the whole");
    d->in->n_elems = (uint8_t)n;
    d->in->n_bytes[0] = (uint8_t)bytes;
    d->in->n_bytes[1] = ptx_types[part].bytes;
    d->in->run = list_at == 1 ? run_pack : run_unpack;
    return ptx_decode_slot(d, &d->from->operands[whole_at], whole, false, &d->in->slot[0]) &&
           ptx_decode_list(d, list, (int)n, part, 1);
}

bool ptx_decode_mov(struct ptx_decoder *d)
{
    enum ptx_type type = ptx_decode_type(d, 0);
    if (d->n_parts != 2 || type == PTX_N_TYPES || ptx_types[type].bytes > 8 ||
        d->from->n_operands != 2)
        return ptx_decode_fail(d, "the move is not known");
    const struct ptx_operand *o = d->from->operands;
    if (o[0].kind == PTX_OPERAND_LIST)
        return decode_pack(d, type, 1, 0);
    if (o[1].kind == PTX_OPERAND_LIST)
        return decode_pack(d, type, 0, 1);
    if (!ptx_decode_operand(d, 0, type) || !ptx_decode_operand(d, 1, type))
        return false;
    d->in->run = type == PTX_pred ? run_move_pred : run_move;
    if (o[1].kind == PTX_OPERAND_SPECIAL && o[1].slot >= PTX_SPECIAL_clock) {
        d->in->run = run_clock;
        d->in->kind = (uint8_t)o[1].slot;
    }
    return true;
}

bool ptx_decode_selp(struct ptx_decoder *d)
{
    enum ptx_type type = ptx_decode_type(d, 0);
    if (d->n_parts != 2 || type == PTX_N_TYPES || ptx_types[type].bytes > 8)
        return ptx_decode_fail(d, "the instruction is not known");
    d->in->run = run_select;
    return ptx_decode_operand(d, 0, type) && ptx_decode_operand(d, 1, type) &&
           ptx_decode_operand(d, 2, type) && ptx_decode_operand(d, 3, PTX_pred);
}

static enum ptx_space space_of(const struct ptx_decoder *d)
{
    return ptx_decode_has(d, "shared") || ptx_decode_has(d, "shared::cta") ? PTX_SHARED
           : ptx_decode_has(d, "local")                                    ? PTX_LOCAL
           : ptx_decode_has(d, "param")                                    ? PTX_PARAM
                                                                           : PTX_GLOBAL;
}

bool ptx_decode_cvta(struct ptx_decoder *d)
{
    enum ptx_space space = space_of(d);
    uint64_t window = space == PTX_SHARED  ? PTX_SHARED_WINDOW
                      : space == PTX_LOCAL ? PTX_LOCAL_WINDOW
                                           : 0;
    if (ptx_decode_type(d, 0) != PTX_u64 || space == PTX_PARAM)
        return ptx_decode_fail(d, "the conversion of an address is not known");
    d->in->value = (int64_t)(ptx_decode_has(d, "to") ? 0 - window : window);
    d->in->run = run_cvta;
    return ptx_decode_operand(d, 0, PTX_u64) && ptx_decode_operand(d, 1, PTX_u64);
}

bool ptx_decode_isspacep(struct ptx_decoder *d)
{
    d->in->space = (uint8_t)space_of(d);
    d->in->run = run_isspacep;
    return ptx_decode_operand(d, 0, PTX_pred) && ptx_decode_operand(d, 1, PTX_u64);
}
