/*
 * cp.async.  Bytes are fetched where the copy begins and land in shared memory where the thread
 * waits for them: as late as can be, so that what reads them before finds the old ones; to touch
 * them in between is refused (ptx_check.h).
 */
#include <stdlib.h>

#include "tests/sim/ptx_check.h"
#include "tests/sim/ptx_decode.h"

static uint64_t address_at(const struct ptx_warp *w, int32_t slot, unsigned width, int lane)
{
    const void *base = ptx_reg(w, slot);
    return width == 4 ? ((const uint32_t *)base)[lane] : ((const uint64_t *)base)[lane];
}

static struct ptx_pending *new_pending(struct ptx_warp *w)
{
    if (w->n_pending == w->cap_pending) {
        w->cap_pending = w->cap_pending ? 2 * w->cap_pending : 128;
        w->pending = realloc(w->pending, w->cap_pending * sizeof *w->pending);
        if (!w->pending)
            abort();
    }
    return &w->pending[w->n_pending++];
}

static const uint8_t *fetch(struct ptx_warp *w, int lane, uint64_t from, unsigned n)
{
    switch (n) {
    case 4:
        return ptx_check_read(w, lane, from, 4, 0);
    case 8:
        return ptx_check_read(w, lane, from, 8, 0);
    default:
        return ptx_check_read(w, lane, from, 16, 0);
    }
}

/* The first `n_from` bytes come from memory, the rest of n_bytes is 0. */
static void begin_copy(struct ptx_warp *w, int lane, uint64_t to, uint64_t from, unsigned n_bytes,
                       unsigned n_from)
{
    struct ptx_pending p = {.group = w->group[lane], .to = (uint32_t)to};
    p.lane = (uint8_t)lane;
    p.n_bytes = (uint8_t)n_bytes;
    if (n_from == n_bytes) {
        memcpy(p.bytes, fetch(w, lane, from, n_bytes), n_bytes);
    } else {
        if (from % n_bytes != 0)
            ptx_stop(w, lane, PTX_FAULT_ALIGNMENT, "reads at 0x%llx, which is not a multiple of %u",
                     (unsigned long long)from, n_bytes);
        for (unsigned i = 0; i < n_from; i++)
            p.bytes[i] = *ptx_check_read(w, lane, from + i, 1, 0);
    }
    ptx_check_shared_write(w, lane, to, n_bytes, PTX_MARK_PENDING);
    *new_pending(w) = p;
}

static void run_copy(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    for (uint32_t rest = mask; rest; rest &= rest - 1) {
        int lane = ptx_first_lane(rest);
        uint64_t to = address_at(w, in->slot[0], in->kind, lane) + (uint64_t)in->value;
        uint64_t from = address_at(w, in->slot[1], in->more, lane) + (uint64_t)in->from_value;
        uint32_t n_from = ((const uint32_t *)ptx_reg(w, in->slot[2]))[lane];
        if (n_from > in->n_elems)
            ptx_stop(w, lane, PTX_FAULT_OTHER, "copies %u bytes of %u", n_from, in->n_elems);
        begin_copy(w, lane, to, from, in->n_elems, n_from);
    }
}

/* Puts the copies of lanes in mask in place, but for those of their last n_left groups. */
static void end_copies(struct ptx_warp *w, uint32_t mask, uint32_t n_left, bool all)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n_pending; i++) {
        const struct ptx_pending p = w->pending[i];
        bool ends = mask >> p.lane & 1 && (all || p.group + n_left < w->group[p.lane]);
        if (!ends) {
            w->pending[n++] = p;
            continue;
        }
        memcpy(ptx_check_shared_write(w, p.lane, p.to, p.n_bytes, PTX_MARK_ENDS), p.bytes,
               p.n_bytes);
    }
    w->n_pending = n;
}

static void run_commit(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    (void)in;
    for (uint32_t rest = mask; rest; rest &= rest - 1)
        w->group[ptx_first_lane(rest)]++;
}

static void run_wait(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    end_copies(w, mask, (uint32_t)in->value, in->kind);
}

static bool decode_copy(struct ptx_decoder *d)
{
    struct ptx_insn *in = d->in;
    int64_t n = 0;
    in->run = run_copy;
    if (d->from->n_operands < 3 || !ptx_decode_integer(d, 2, &n))
        return ptx_decode_fail(d, "the size of a copy is missing");
    bool cg = ptx_decode_has(d, "cg");
    if ((n != 4 && n != 8 && n != 16) || (cg && n != 16) || !(cg || ptx_decode_has(d, "ca")) ||
        !ptx_decode_has(d, "global"))
        return ptx_decode_fail(d, "the copy is not known");
    in->n_elems = (uint8_t)n;
    if (!ptx_decode_address(d, &d->from->operands[1], 1))
        return false;
    in->from_value = in->value;
    unsigned from_width = in->more;
    if (!ptx_decode_address(d, &d->from->operands[0], 0))
        return false;
    in->kind = in->more;
    in->more = (uint8_t)from_width;
    return ptx_decode_slot(d, &d->from->operands[d->from->n_operands > 3 ? 3 : 2], PTX_u32, false,
                           &in->slot[2]);
}

/* cp.async.{ca,cg}.shared.global, .commit_group, .wait_group n, .wait_all */
bool ptx_decode_cp(struct ptx_decoder *d)
{
    if (d->n_parts < 3 || strcmp(d->parts[1], "async") != 0 || ptx_decode_has(d, "bulk") ||
        ptx_decode_has(d, "mbarrier"))
        return ptx_decode_fail(d, "the instruction is not known");
    if (ptx_decode_has(d, "commit_group")) {
        d->in->run = run_commit;
        return true;
    }
    if (ptx_decode_has(d, "wait_all")) {
        d->in->run = run_wait;
        d->in->kind = true;
        return true;
    }
    if (ptx_decode_has(d, "wait_group")) {
        d->in->run = run_wait;
        return ptx_decode_integer(d, 0, &d->in->value);
    }
    return decode_copy(d);
}
