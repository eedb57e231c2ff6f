/*
 * How long instructions take: an estimate, in cycles of one core.
 *
 * One instruction is issued per cycle, in order, and starts when its operands are ready; up to 64
 * may be under way, of which 32 of vectors, and registers are renamed.  A vector instruction then
 * waits for a pipe of its class: three for multiplying and adding, two for the rest (one of them is
 * the third of those), one for dividing and the like, one for masks, one for memory.  It keeps the
 * pipe for as long as its elements take at the pipe's rate.  What uses its result may start when
 * the first elements are ready.  Memory moves 32 elements per cycle, which are 256 bytes or 400
 * GB/s at 1.6 GHz for those of 8 bytes; other strides than that of neighbours, gathers and scatters
 * take twice as long.
 *
 * Left out: caches and the memory that cores share, loads that wait for stores, wrong guesses at
 * branches, conflicts of banks, and calls from the host.
 */
#include <string.h>

#include "tests/sim/ve_image.h"

enum pipe { NONE, FMA, ALU, COMPLEX, MASK, MEMORY };
enum { FMA_0, FMA_1, SHARED, ALU_1, COMPLEX_0, MASK_0, MEMORY_0 };

static const struct {
    enum pipe pipe;
    unsigned latency, per_cycle, flops;
} costs[VE_N_CLASSES] = {
#define VE_CLASS(name, pipe_, latency_, per_cycle_, flops_)                                        \
    [VE_##name] = {.pipe = pipe_, .latency = latency_, .per_cycle = per_cycle_, .flops = flops_},
#include "tests/sim/ve_time.def"
#undef VE_CLASS
};

static double later(double a, double b)
{
    return a > b ? a : b;
}

/* ---- which registers are used ---- */

static bool writes_x(const struct ve_insn *in)
{
    switch (in->row->form) {
    case VE_FORM_NONE:
    case VE_FORM_Y:
    case VE_FORM_PREFETCH:
    case VE_FORM_HOST:
    case VE_FORM_FENCE:
    case VE_FORM_RELATIVE:
    case VE_FORM_BRANCH_TO:
        return false;
    default:
        return in->row->class != VE_STORE;
    }
}

static double scalars_ready(const struct sim_ve_context *c, const struct ve_insn *in)
{
    const struct ve_clock *k = &c->clock;
    double t = 0;
    if (in->cy)
        t = k->scalar[in->y];
    if (in->cz)
        t = later(t, k->scalar[in->z]);
    bool reads_x =
        in->row->class == VE_STORE || in->row->class == VE_ATOMICS || in->row->form == VE_FORM_CMOV;
    return reads_x ? later(t, k->scalar[in->x]) : t;
}

struct sources {
    unsigned v[3], n;
};

static struct sources sources_of(const struct ve_insn *in)
{
    struct sources s = {{0, 0, 0}, 0};
    enum ve_form form = in->row->form;
    bool stores = in->row->class == VE_VSTORE || in->row->class == VE_VSCATTER;
    if (stores || form == VE_FORM_LVS)
        s.v[s.n++] = in->vx;
    if (form == VE_FORM_VY || form == VE_FORM_VROUND || form == VE_FORM_VSHF ||
        (!in->cs && (form == VE_FORM_VGT || (form >= VE_FORM_VYZ && form <= VE_FORM_VSHIFT) ||
                     form == VE_FORM_VFMAD)))
        s.v[s.n++] = in->vy;
    if (form == VE_FORM_VZ || form == VE_FORM_VSFA || form == VE_FORM_VMV || form == VE_FORM_VFMK ||
        form == VE_FORM_VSHF ||
        (form >= VE_FORM_VYZ && form <= VE_FORM_VSHIFT && !(form == VE_FORM_VDIV && in->cs2)) ||
        (form == VE_FORM_VFMAD && !in->cs2))
        s.v[s.n++] = in->vz;
    if (form == VE_FORM_VFMAD)
        s.v[s.n++] = in->vw;
    return s;
}

static double masks_ready(const struct sim_ve_context *c, const struct ve_insn *in)
{
    const double *mask = c->clock.mask;
    switch (in->row->form) {
    case VE_FORM_MMM:
        return later(mask[in->vy], mask[in->vz]);
    case VE_FORM_MM:
    case VE_FORM_XM:
        return mask[in->vy];
    case VE_FORM_SVM:
        return mask[in->vz];
    case VE_FORM_VLD:
    case VE_FORM_LSV:
    case VE_FORM_LVS:
    case VE_FORM_LVM:
        return 0;
    default:
        return in->is_pair && in->m ? later(mask[in->m], mask[in->m + 1]) : mask[in->m];
    }
}

/* ---- one instruction ---- */

static unsigned choose_pipe(const struct ve_clock *k, enum pipe pipe)
{
    switch (pipe) {
    case FMA: {
        unsigned best = k->pipe[FMA_1] < k->pipe[FMA_0] ? FMA_1 : FMA_0;
        return k->pipe[SHARED] < k->pipe[best] ? SHARED : best;
    }
    case ALU:
        return k->pipe[SHARED] < k->pipe[ALU_1] ? SHARED : ALU_1;
    case COMPLEX:
        return COMPLEX_0;
    case MASK:
        return MASK_0;
    default:
        return MEMORY_0;
    }
}

static bool is_memory(const struct ve_insn *in)
{
    return costs[in->row->class].pipe == MEMORY;
}

/* The last digit of a vector access's number is 1 for elements of 8 bytes. */
static unsigned element_bytes(const struct ve_insn *in)
{
    return (in->row->opcode & 15) == 1 ? 8 : 4;
}

static double occupancy(const struct sim_ve_context *c, const struct ve_insn *in)
{
    unsigned rate = costs[in->row->class].per_cycle;
    if (in->row->class == VE_VLOAD || in->row->class == VE_VSTORE) {
        uint64_t stride = ve_y(c, in);
        if (stride != element_bytes(in) && stride != 0)
            rate /= 2;
    }
    return c->vl ? (c->vl + rate - 1) / rate : 1;
}

static void count_vector(struct sim_ve_context *c, const struct ve_insn *in, double start,
                         double cycles)
{
    struct ve_clock *k = &c->clock;
    struct sim_ve_stats *s = &in->function->stats;
    s->vector_insns++;
    s->elems += c->vl;
    s->flops += (uint64_t)costs[in->row->class].flops * c->vl * (in->is_pair ? 2 : 1);
    if (costs[in->row->class].pipe == FMA) {
        s->fma_insns++;
        s->fma_cycles += cycles / 3;
    }
    if (is_memory(in)) {
        uint64_t n_bytes = (uint64_t)element_bytes(in) * c->vl;
        s->memory_cycles += cycles;
        if (in->row->class == VE_VLOAD || in->row->class == VE_VGATHER)
            s->bytes_read += n_bytes;
        else
            s->bytes_written += n_bytes;
    }
    double end = start + cycles;
    if (end > k->vector_until) {
        c->vector_busy += end - later(start, k->vector_until);
        k->vector_until = end;
    }
}

/* What crosses elements needs all of its operands and has its result when all of it is done. */
static bool needs_all(const struct ve_insn *in)
{
    return in->row->class == VE_VREDUCE || in->row->form == VE_FORM_LVS ||
           in->row->form == VE_FORM_VMV || in->row->class == VE_VCOMPLEX;
}

static void finish_vector(struct sim_ve_context *c, const struct ve_insn *in, double start,
                          double cycles, double sources_last)
{
    struct ve_clock *k = &c->clock;
    double latency = costs[in->row->class].latency;
    double first = start + latency, last = later(start + cycles, sources_last) + latency;
    k->vector_done[k->n_vectors++ % VE_VECTOR_WINDOW] = last;
    if (in->row->class == VE_VREDUCE)
        first = last;
    switch (in->row->form) {
    case VE_FORM_VFMK:
    case VE_FORM_MMM:
    case VE_FORM_MM:
    case VE_FORM_LVM:
        k->mask[in->vx] = first;
        break;
    case VE_FORM_LVS:
    case VE_FORM_SVM:
    case VE_FORM_XM:
        k->scalar[in->x] = last;
        break;
    default:
        if (in->row->class == VE_VSTORE || in->row->class == VE_VSCATTER) {
            k->stores = later(k->stores, last);
        } else {
            k->first[in->vx] = first;
            k->last[in->vx] = last;
        }
    }
}

static void step_vector(struct sim_ve_context *c, const struct ve_insn *in)
{
    struct ve_clock *k = &c->clock;
    struct sources from = sources_of(in);
    double issue = later(k->now, k->vector_done[k->n_vectors % VE_VECTOR_WINDOW]);
    double start = later(later(issue, scalars_ready(c, in)), masks_ready(c, in)), sources_last = 0;
    for (unsigned i = 0; i < from.n; i++) {
        start = later(start, needs_all(in) ? k->last[from.v[i]] : k->first[from.v[i]]);
        sources_last = later(sources_last, k->last[from.v[i]]);
    }
    double cycles = 0;
    if (costs[in->row->class].pipe != NONE) {
        unsigned pipe = choose_pipe(k, costs[in->row->class].pipe);
        cycles = occupancy(c, in);
        start = later(start, k->pipe[pipe]);
        k->pipe[pipe] = start + cycles;
    }
    count_vector(c, in, start, cycles);
    finish_vector(c, in, start, cycles, sources_last);
    k->now = issue + 1;
}

static void step_scalar(struct sim_ve_context *c, const struct ve_insn *in)
{
    struct ve_clock *k = &c->clock;
    double *slot = &k->done[k->n_issued++ % VE_WINDOW];
    double issue = later(k->now, *slot);
    double done = later(issue, scalars_ready(c, in)) + costs[in->row->class].latency;
    switch (in->row->class) {
    case VE_FENCES:
        done = later(done, k->stores);
        issue = done;
        break;
    case VE_STORE:
        k->stores = later(k->stores, done);
        break;
    case VE_ATOMICS:
        issue = done;
        break;
    default:
        break;
    }
    if (writes_x(in))
        k->scalar[in->x] = done;
    *slot = done;
    k->now = issue + 1;
}

void ve_time_step(struct sim_ve_context *c, const struct ve_insn *in)
{
    in->function->stats.insns++;
    if (in->is_vector)
        step_vector(c, in);
    else
        step_scalar(c, in);
}

void ve_time_enter(struct sim_ve_context *c, struct ve_function *f)
{
    if (c->function) {
        struct sim_ve_stats *s = &c->function->stats;
        double *own = &c->function->cycles[c->number];
        *own += c->clock.now - c->entered;
        s->cycles += c->clock.now - c->entered;
        s->longest_cycles = later(s->longest_cycles, *own);
        s->vector_cycles += c->vector_busy - c->vector_entered;
    }
    c->function = f;
    c->entered = c->clock.now;
    c->vector_entered = c->vector_busy;
}

void ve_time_end(struct sim_ve_context *c)
{
    struct ve_clock *k = &c->clock;
    k->now = later(k->now, k->stores);
    for (unsigned i = 0; i < VE_VECTOR_WINDOW; i++)
        k->now = later(k->now, k->vector_done[i]);
    ve_time_enter(c, NULL);
}
