/*
 * Launches.  The lanes of a warp that have the same place run together; of several places the
 * lowest is next, so that lanes that parted meet again where their ways do, and callees, which
 * return, lie lower than callers.  A warp runs until it waits at a barrier or has had its share, so
 * that warps that spin on memory let the others go on.
 *
 * Blocks run one after the other; those of a cooperative launch all at once, in turns.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/ptx_check.h"
#include "tests/sim/ptx_parse.h"

enum { SHARE = 1 << 12, MAX_GRID_YZ = 65535, MAX_BLOCK_Z = 64 };
/* Instructions of warps after which a launch is taken to never end: minutes of this simulator. */
static const uint64_t watchdog = UINT64_C(1) << 35;

/* ---- refusals ---- */

void ptx_stop(struct ptx_warp *w, int lane, enum ptx_fault fault, const char *fmt, ...)
{
    struct ptx_run *r = w->block->run;
    const unsigned *id = w->block->id, *size = r->launch->block;
    unsigned thread = (unsigned)(w->index * PTX_LANES + lane);
    char what[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    const struct ptx_statement *s = w->now->from;
    error_set(r->err, SHEAF_ERROR_DEVICE,
              "kernel '%s', block (%u,%u,%u), thread (%u,%u,%u), PTX line %d '%.*s': %s",
              r->kernel->name, id[0], id[1], id[2], thread % size[0], thread / size[0] % size[1],
              thread / size[0] / size[1], s->line, s->n_chars, s->text, what);
    r->fault = fault;
    longjmp(r->stop, 1);
}

/* ---- warps ---- */

static uint32_t lanes_at(const struct ptx_warp *w, uint32_t lanes, uint32_t pc)
{
    uint32_t at = 0;
    for (uint32_t rest = lanes; rest; rest &= rest - 1)
        if (w->lane_pc[ptx_first_lane(rest)] == pc)
            at |= 1u << ptx_first_lane(rest);
    return at;
}

/* No other lane can run: those that are held go on where all that are left are at one place. */
static void let_go(struct ptx_warp *w)
{
    int first = ptx_first_lane(w->held);
    uint32_t others = w->live & ~lanes_at(w, w->held, w->lane_pc[first]);
    w->now = w->code + w->lane_pc[first];
    if (others)
        ptx_stop(w, first, PTX_FAULT_OTHER, "waits for lane %d, which is elsewhere",
                 ptx_first_lane(others));
    w->held = 0;
}

/* Chooses the lanes that run next; false where none can. */
static bool regroup(struct ptx_warp *w)
{
    for (uint32_t rest = w->active; rest; rest &= rest - 1)
        w->lane_pc[ptx_first_lane(rest)] = w->pc;
    if (w->held && !(w->live & ~w->waiting & ~w->held))
        let_go(w);
    uint32_t ready = w->live & ~w->waiting & ~w->held;
    uint32_t least = UINT32_MAX, next = UINT32_MAX, lanes = 0;
    for (uint32_t rest = ready; rest; rest &= rest - 1) {
        int lane = ptx_first_lane(rest);
        uint32_t pc = w->lane_pc[lane];
        if (pc < least) {
            next = least;
            least = pc;
            lanes = 0;
        }
        if (pc == least)
            lanes |= 1u << lane;
        else if (pc < next)
            next = pc;
    }
    uint32_t come = lanes_at(w, w->held, least);
    w->held &= ~come;
    w->active = lanes | come;
    w->pc = least;
    w->stop_pc = w->held ? 0 : next;
    return lanes != 0;
}

static void run_warp(struct ptx_warp *w)
{
    if (!regroup(w))
        return;
    uint64_t n = 0;
    for (; n < SHARE; n++) {
        if (w->pc >= w->stop_pc && !regroup(w))
            break;
        const struct ptx_insn *in = w->code + w->pc;
        w->now = in;
        uint32_t mask = w->active;
        if (in->guard != PTX_NO_SLOT) {
            uint32_t guard = ptx_pred(w, in->guard);
            mask &= in->guard_not ? ~guard : guard;
        }
        w->pc++;
        if (mask)
            in->run(w, in, mask);
    }
    w->n_run += n;
    w->block->run->n_run += n;
}

static bool is_ready(const struct ptx_warp *w)
{
    return (w->live & ~w->waiting) != 0;
}

static void fill_specials(struct ptx_warp *w, const struct ptx_function *f)
{
    const struct ptx_block *b = w->block;
    const struct ptx_launch *l = b->run->launch;
    for (int s = 0; s < PTX_N_SPECIALS; s++) {
        if (!(f->specials >> s & 1))
            continue;
        uint32_t *to = ptx_reg(w, f->base + f->special_slots + s * 8 * PTX_LANES);
        for (unsigned lane = 0; lane < PTX_LANES; lane++) {
            unsigned thread = (unsigned)w->index * PTX_LANES + lane;
            const uint32_t values[PTX_N_SPECIALS] = {
                [PTX_SPECIAL_tid_x] = thread % l->block[0],
                [PTX_SPECIAL_tid_y] = thread / l->block[0] % l->block[1],
                [PTX_SPECIAL_tid_z] = thread / l->block[0] / l->block[1],
                [PTX_SPECIAL_ntid_x] = l->block[0],
                [PTX_SPECIAL_ntid_y] = l->block[1],
                [PTX_SPECIAL_ntid_z] = l->block[2],
                [PTX_SPECIAL_ctaid_x] = b->id[0],
                [PTX_SPECIAL_ctaid_y] = b->id[1],
                [PTX_SPECIAL_ctaid_z] = b->id[2],
                [PTX_SPECIAL_nctaid_x] = l->grid[0],
                [PTX_SPECIAL_nctaid_y] = l->grid[1],
                [PTX_SPECIAL_nctaid_z] = l->grid[2],
                [PTX_SPECIAL_laneid] = lane,
                [PTX_SPECIAL_warpid] = (uint32_t)w->index,
                [PTX_SPECIAL_nwarpid] = (uint32_t)b->n_warps,
                [PTX_SPECIAL_lanemask_eq] = 1u << lane,
                [PTX_SPECIAL_lanemask_le] = (uint32_t)((UINT64_C(2) << lane) - 1),
                [PTX_SPECIAL_lanemask_lt] = (1u << lane) - 1,
                [PTX_SPECIAL_lanemask_ge] = ~((1u << lane) - 1),
                [PTX_SPECIAL_lanemask_gt] = (uint32_t)~((UINT64_C(2) << lane) - 1),
                [PTX_SPECIAL_dynamic_smem_size] = l->dynamic_shared,
                [PTX_SPECIAL_total_smem_size] = b->shared_bytes,
            };
            to[lane] = values[s];
        }
    }
}

static void begin_warp(struct ptx_warp *w, struct ptx_block *b, int index)
{
    const struct ptx_function *kernel = b->run->kernel;
    const struct ptx_module *m = kernel->module;
    struct ptx_pending *pending = w->pending;
    size_t cap = w->cap_pending;
    *w = (struct ptx_warp){.block = b, .index = index, .pending = pending, .cap_pending = cap};
    w->regs = b->regs + (size_t)index * (size_t)m->warp_bytes;
    w->pool = m->pool;
    w->code = m->code;
    unsigned left = b->n_threads - (unsigned)index * PTX_LANES;
    w->n_lanes = left < PTX_LANES ? left : PTX_LANES;
    w->live = w->n_lanes == PTX_LANES ? UINT32_MAX : (1u << w->n_lanes) - 1;
    w->active = w->live;
    w->pc = kernel->start;
    w->now = w->code + w->pc;
    for (const struct ptx_function *f = m->functions; f; f = f->next)
        if (f->exists && (f == kernel || !f->is_entry))
            fill_specials(w, f);
}

/* ---- blocks ---- */

static void *need(void *p)
{
    if (!p)
        abort();
    return p;
}

static void create_block(struct ptx_block *b, struct ptx_run *r)
{
    const struct ptx_module *m = r->kernel->module;
    b->run = r;
    b->memory = r->memory;
    b->n_threads = r->n_threads;
    b->n_warps = (int)((r->n_threads + PTX_LANES - 1) / PTX_LANES);
    b->shared_bytes = r->launch->dynamic_shared
                          ? (uint32_t)r->kernel->dynamic_start + r->launch->dynamic_shared
                          : (uint32_t)r->kernel->shared_bytes;
    size_t n_marks = b->shared_bytes / 4 + 1, n_threads = (size_t)b->n_warps * PTX_LANES;
    b->warps = need(calloc((size_t)b->n_warps, sizeof *b->warps));
    b->regs = need(aligned_alloc(64, (size_t)b->n_warps * (size_t)m->warp_bytes));
    b->local = need(calloc(n_threads, m->local_bytes + 1));
    b->shared = need(aligned_alloc(64, (b->shared_bytes + 127) / 64 * 64));
    b->writer = need(calloc(n_marks, sizeof *b->writer));
    b->reader = need(calloc(n_marks, sizeof *b->reader));
    memset(b->regs, 0, (size_t)b->n_warps * (size_t)m->warp_bytes);
}

static void destroy_block(struct ptx_block *b)
{
    ptx_check_end_block(b);
    for (int i = 0; i < b->n_warps && b->warps; i++)
        free(b->warps[i].pending);
    free(b->warps);
    free(b->regs);
    free(b->local);
    free(b->shared);
    free(b->writer);
    free(b->reader);
}

static void begin_block(struct ptx_block *b, unsigned index)
{
    const unsigned *grid = b->run->launch->grid;
    b->index = index;
    b->id[0] = index % grid[0];
    b->id[1] = index / grid[0] % grid[1];
    b->id[2] = index / grid[0] / grid[1];
    memset(b->barriers, 0, sizeof b->barriers);
    ptx_check_begin_block(b);
    for (int i = 0; i < b->n_warps; i++)
        begin_warp(&b->warps[i], b, i);
}

/* A share for each warp; true where the block has come to its end. */
static bool run_block(struct ptx_block *b)
{
    bool ran = false, live = false;
    for (int i = 0; i < b->n_warps; i++) {
        struct ptx_warp *w = &b->warps[i];
        if (is_ready(w)) {
            run_warp(w);
            ran = true;
        }
        live = live || w->live;
    }
    for (int i = 0; i < b->n_warps && !ran && live; i++)
        if (b->warps[i].live)
            ptx_stop(&b->warps[i], ptx_first_lane(b->warps[i].live), PTX_FAULT_OTHER,
                     "waits at a barrier for ever, for other threads of the block never come");
    if (b->run->n_run > watchdog)
        ptx_stop(&b->warps[0], 0, PTX_FAULT_OTHER, "the launch does not come to an end");
    return !live;
}

static void run_resident(struct ptx_run *r)
{
    bool live = true;
    for (unsigned i = 0; i < r->n_blocks; i++)
        begin_block(&r->blocks[i], i);
    while (live) {
        live = false;
        for (unsigned i = 0; i < r->n_blocks; i++)
            live = !run_block(&r->blocks[i]) || live;
    }
}

static void run_in_order(struct ptx_run *r)
{
    for (unsigned i = 0; i < r->n_blocks; i++) {
        begin_block(&r->blocks[0], i);
        while (!run_block(&r->blocks[0]))
            continue;
        ptx_check_end_block(&r->blocks[0]);
    }
}

/* ---- launches ---- */

bool ptx_check_launch(const struct ptx_launch *l, struct error *err)
{
    const struct ptx_function *f = l->kernel;
    const unsigned *g = l->grid, *b = l->block;
    uint64_t n_threads = (uint64_t)b[0] * b[1] * b[2];
    if (!g[0] || !g[1] || !g[2] || g[0] > INT32_MAX || g[1] > MAX_GRID_YZ || g[2] > MAX_GRID_YZ)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "kernel '%s': a grid of %u x %u x %u blocks is not possible", f->name,
                         g[0], g[1], g[2]);
    if (n_threads == 0 || n_threads > PTX_MAX_THREADS || b[2] > MAX_BLOCK_Z)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "kernel '%s': a block of %u x %u x %u threads is not possible", f->name,
                         b[0], b[1], b[2]);
    if (f->max_threads && n_threads > f->max_threads)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "kernel '%s': a block of %u threads, but it was compiled for %u", f->name,
                         (unsigned)n_threads, f->max_threads);
    if (f->required[0] && memcmp(f->required, b, sizeof f->required) != 0)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "kernel '%s': a block that is not the one it was compiled for", f->name);
    uint64_t shared = (l->dynamic_shared ? f->dynamic_start : f->shared_bytes) + l->dynamic_shared;
    if (f->shared_bytes > PTX_SHARED_DEFAULT || l->dynamic_shared > f->dynamic_shared ||
        shared > PTX_SHARED_OPT_IN)
        return error_set(err, SHEAF_ERROR_ARGUMENT,
                         "kernel '%s': %llu bytes of shared memory, of which %u were asked for at "
                         "the launch, exceed its limit",
                         f->name, (unsigned long long)shared, l->dynamic_shared);
    return true;
}

enum ptx_fault ptx_run(const struct ptx_launch *l, uint64_t *out_n_insns, struct error *err)
{
    if (!ptx_check_launch(l, err))
        return PTX_FAULT_OTHER;
    struct ptx_run *r = need(calloc(1, sizeof *r));
    r->launch = l;
    r->kernel = l->kernel;
    r->memory = l->kernel->module->memory;
    r->err = err;
    r->n_blocks = l->grid[0] * l->grid[1] * l->grid[2];
    r->n_threads = l->block[0] * l->block[1] * l->block[2];
    r->n_resident = l->cooperative ? r->n_blocks : 1;
    r->params = l->params;
    r->blocks = need(calloc(r->n_resident, sizeof *r->blocks));
    ptx_check_begin(r);
    for (unsigned i = 0; i < r->n_resident; i++)
        create_block(&r->blocks[i], r);
    if (setjmp(r->stop) == 0) {
        if (l->cooperative)
            run_resident(r);
        else
            run_in_order(r);
    }
    for (unsigned i = 0; i < r->n_resident; i++)
        destroy_block(&r->blocks[i]);
    if (out_n_insns)
        *out_n_insns = r->n_run;
    enum ptx_fault fault = r->fault;
    free(r->blocks);
    ptx_check_end(r);
    free(r);
    return fault;
}
