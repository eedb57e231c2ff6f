/*
 * Branches, calls, ends, barriers and fences.
 */
#include "tests/sim/ptx_check.h"
#include "tests/sim/ptx_decode.h"

/* The lanes of mask go on at pc, the other active ones behind this instruction. */
static void branch(struct ptx_warp *w, uint32_t pc, uint32_t mask)
{
    if (mask == w->active) {
        w->pc = pc;
        return;
    }
    for (uint32_t rest = mask; rest; rest &= rest - 1)
        w->lane_pc[ptx_first_lane(rest)] = pc;
    w->active &= ~mask;
    ptx_regroup(w);
}

static void run_branch(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    branch(w, in->target, mask);
}

static void run_exit(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    (void)in;
    w->live &= ~mask;
    w->active &= ~mask;
    if (!w->active)
        ptx_regroup(w);
}

static void copy_params(const struct ptx_warp *w, const struct ptx_call_copy *copies, int n,
                        uint32_t mask)
{
    for (uint32_t rest = mask; rest; rest &= rest - 1) {
        uint8_t *local = ptx_local(w, ptx_first_lane(rest));
        for (int i = 0; i < n; i++)
            memcpy(local + copies[i].to, local + copies[i].from, copies[i].n_bytes);
    }
}

static void run_call(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    uint32_t back[PTX_LANES];
    for (int i = 0; i < PTX_LANES; i++)
        back[i] = w->pc;
    copy_params(w, in->call->args, in->call->n_args, mask);
    ptx_store_lanes(ptx_reg(w, in->slot[0]), back, 4, mask);
    branch(w, in->target, mask);
}

/* Lanes that were called from different places part here. */
static void run_return(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    const uint32_t *back = ptx_reg(w, in->slot[0]);
    while (mask) {
        uint32_t to = back[ptx_first_lane(mask)], same = 0;
        for (uint32_t rest = mask; rest; rest &= rest - 1)
            same |= (uint32_t)(back[ptx_first_lane(rest)] == to) << ptx_first_lane(rest);
        const struct ptx_call *call = w->code[to - 1].call;
        copy_params(w, call->results, call->n_results, same);
        branch(w, to, same);
        mask &= ~same;
    }
}

static void run_trap(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    (void)in;
    ptx_stop(w, ptx_first_lane(mask), PTX_FAULT_OTHER, "the kernel gave up");
}

static void run_nothing(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    (void)w, (void)in, (void)mask;
}

/* ---- barriers ---- */

static void release(struct ptx_block *b, int id)
{
    struct ptx_barrier *barrier = &b->barriers[id];
    ptx_check_sync_warps(b, barrier->warps);
    for (uint32_t rest = barrier->warps; rest; rest &= rest - 1)
        b->warps[ptx_first_lane(rest)].waiting = 0;
    *barrier = (struct ptx_barrier){0};
}

/*
 * bar.sync and barrier.sync.aligned: all threads of a warp must come here together (PTX ISA,
 * "bar, barrier"); of barrier.sync each counts by itself.  A thread that has exited never comes.
 */
static void run_barrier(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    struct ptx_block *b = w->block;
    const uint32_t *id = ptx_reg(w, in->slot[0]), *count = ptx_reg(w, in->slot[1]);
    int first = ptx_first_lane(mask);
    uint32_t all = w->n_lanes == PTX_LANES ? UINT32_MAX : (1u << w->n_lanes) - 1;
    if (in->kind && all & ~w->live)
        ptx_stop(w, first, PTX_FAULT_OTHER,
                 "waits at a barrier, but thread %d of its warp has exited",
                 ptx_first_lane(all & ~w->live));
    if (in->kind && mask != all) {
        ptx_hold(w, mask);
        return;
    }
    if (id[first] >= PTX_N_BARRIERS)
        ptx_stop(w, first, PTX_FAULT_OTHER, "there is no barrier %u", id[first]);
    unsigned expected = in->more ? count[first] : b->n_threads;
    struct ptx_barrier *barrier = &b->barriers[id[first]];
    if (in->more && (expected == 0 || expected % PTX_LANES != 0))
        ptx_stop(w, first, PTX_FAULT_OTHER, "a barrier cannot be of %u threads", expected);
    if (barrier->arrived && barrier->expected != expected)
        ptx_stop(w, first, PTX_FAULT_OTHER, "waits for %u threads at a barrier of %u", expected,
                 barrier->expected);
    barrier->expected = expected;
    barrier->arrived += (unsigned)__builtin_popcount(mask);
    barrier->warps |= 1u << w->index;
    /* Warps that are not full count as if they were. */
    if (in->more)
        barrier->arrived += PTX_LANES - w->n_lanes;
    for (uint32_t rest = mask; rest; rest &= rest - 1)
        w->lane_pc[ptx_first_lane(rest)] = w->pc;
    w->waiting |= mask;
    w->active &= ~mask;
    ptx_regroup(w);
    if (barrier->arrived >= barrier->expected)
        release(b, (int)id[first]);
}

static void run_sync_warp(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    const uint32_t *named = ptx_reg(w, in->slot[0]);
    if (ptx_need_lanes(w, mask, named[ptx_first_lane(mask)]))
        ptx_check_sync_warp(w);
}

void ptx_hold(struct ptx_warp *w, uint32_t mask)
{
    for (uint32_t rest = mask; rest; rest &= rest - 1)
        w->lane_pc[ptx_first_lane(rest)] = w->pc - 1;
    w->held |= mask;
    w->active &= ~mask;
    ptx_regroup(w);
}

bool ptx_need_lanes(struct ptx_warp *w, uint32_t mask, uint32_t named)
{
    if (mask & ~named)
        ptx_stop(w, ptx_first_lane(mask & ~named), PTX_FAULT_OTHER,
                 "executes this without being named in its mask 0x%x", named);
    if (named & w->live & ~mask) {
        ptx_hold(w, mask);
        return false;
    }
    return true;
}

static void run_fence(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask)
{
    (void)in, (void)mask;
    ptx_check_fence(w);
}

/* ---- decoding ---- */

static bool find_label(struct ptx_decoder *d, const char *name, uint32_t *out_at)
{
    for (const struct ptx_label *l = d->function->labels; l; l = l->next)
        if (strcmp(l->name, name) == 0) {
            *out_at = d->function->start + l->at;
            return true;
        }
    return ptx_decode_fail(d, "there is no such label");
}

bool ptx_decode_bra(struct ptx_decoder *d)
{
    d->in->run = run_branch;
    if (d->from->n_operands != 1 || d->from->operands[0].kind != PTX_OPERAND_NAME)
        return ptx_decode_fail(d, "a label is expected");
    return find_label(d, d->from->operands[0].name, &d->in->target);
}

/* One side of a call: variables here against parameters there, in order. */
static bool decode_params(struct ptx_decoder *d, const struct ptx_operand *list,
                          const struct ptx_variable *params, const struct ptx_function *callee,
                          bool results, struct ptx_call_copy *copies, int max, int *out_n)
{
    int n = list ? list->n_elems : 0;
    for (int i = 0; i < n; i++, params = params->next) {
        const struct ptx_operand *o = &list->elems[i];
        if (!params || i == max || o->kind != PTX_OPERAND_VARIABLE ||
            o->variable->n_bytes != params->n_bytes)
            return ptx_decode_fail(d, "the call does not fit the function");
        uint64_t here = o->variable->address + d->function->local_base;
        uint64_t there = params->address + callee->local_base;
        copies[i].to = results ? here : there;
        copies[i].from = results ? there : here;
        copies[i].n_bytes = params->n_bytes;
    }
    *out_n = n;
    return !params || ptx_decode_fail(d, "the call has too few parameters");
}

/* call (results), name, (parameters); both lists may be missing. */
bool ptx_decode_call(struct ptx_decoder *d)
{
    const struct ptx_operand *o = d->from->operands;
    int n = d->from->n_operands, at = n > 0 && o[0].kind == PTX_OPERAND_LIST;
    const struct ptx_operand *results = at ? &o[0] : NULL;
    const struct ptx_operand *args = at + 1 < n ? &o[at + 1] : NULL;
    const struct ptx_function *callee = d->module->functions;
    if (at >= n || o[at].kind != PTX_OPERAND_NAME || (args && args->kind != PTX_OPERAND_LIST))
        return ptx_decode_fail(d, "only calls by name are simulated");
    while (callee && (!callee->exists || callee->is_entry || strcmp(callee->name, o[at].name) != 0))
        callee = callee->next;
    if (!callee)
        return ptx_decode_fail(d, "there is no such function");
    if (callee == d->function)
        return ptx_decode_fail(d, "recursion is not simulated");
    struct ptx_call *call = arena_new(&d->module->arena, struct ptx_call);
    d->in->call = call;
    d->in->run = run_call;
    d->in->target = callee->start;
    d->in->slot[0] = callee->base + callee->return_slot;
    return decode_params(d, args, callee->params, callee, false, call->args, 16, &call->n_args) &&
           decode_params(d, results, callee->results, callee, true, call->results, 4,
                         &call->n_results);
}

bool ptx_decode_ret(struct ptx_decoder *d)
{
    d->in->run = d->function->is_entry ? run_exit : run_return;
    d->in->slot[0] = d->function->base + d->function->return_slot;
    return true;
}

bool ptx_decode_exit(struct ptx_decoder *d)
{
    d->in->run = run_exit;
    return true;
}

bool ptx_decode_trap(struct ptx_decoder *d)
{
    d->in->run = run_trap;
    return true;
}

bool ptx_decode_nothing(struct ptx_decoder *d)
{
    d->in->run = run_nothing;
    return true;
}

bool ptx_decode_bar(struct ptx_decoder *d)
{
    d->in->run = run_barrier;
    if (!ptx_decode_has(d, "sync"))
        return ptx_decode_fail(d, "of barriers only sync is simulated");
    if (d->from->n_operands < 1 ||
        !ptx_decode_slot(d, &d->from->operands[0], PTX_u32, false, &d->in->slot[0]))
        return ptx_decode_fail(d, "a barrier has a number");
    if (ptx_decode_has(d, "warp")) {
        d->in->run = run_sync_warp;
        return true;
    }
    d->in->kind = strcmp(d->parts[0], "bar") == 0 || ptx_decode_has(d, "aligned");
    d->in->more = d->from->n_operands > 1;
    d->in->slot[1] = d->in->slot[0];
    return !d->in->more ||
           ptx_decode_slot(d, &d->from->operands[1], PTX_u32, false, &d->in->slot[1]);
}

/* Fences among the threads of a block order nothing between blocks. */
bool ptx_decode_fence(struct ptx_decoder *d)
{
    d->in->run = ptx_decode_has(d, "cta") ? run_nothing : run_fence;
    return true;
}
