/* What was counted, by function and by instruction. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/ve_image.h"

/* Peak of a core: three pipes, 32 elements, two flops, and twice that in pairs. */
enum { PAIR_FLOPS_PER_CYCLE = 384 };

static void add(struct sim_ve_stats *sum, const struct sim_ve_stats *s)
{
    sum->calls += s->calls;
    sum->insns += s->insns;
    sum->vector_insns += s->vector_insns;
    sum->fma_insns += s->fma_insns;
    sum->elems += s->elems;
    sum->flops += s->flops;
    sum->bytes_read += s->bytes_read;
    sum->bytes_written += s->bytes_written;
    sum->cycles += s->cycles;
    sum->vector_cycles += s->vector_cycles;
    sum->fma_cycles += s->fma_cycles;
    sum->memory_cycles += s->memory_cycles;
}

/* Functions whose time is running get what they had so far. */
static void bring_up_to_date(struct sim_ve *ve)
{
    for (struct sim_ve_context *c = ve->contexts; c; c = c->next_open)
        ve_time_enter(c, c->function);
}

static size_t n_functions(const struct sim_ve *ve)
{
    size_t n = 1;
    for (const struct sim_ve_library *l = ve->libraries; l; l = l->next)
        n += l->n_functions;
    return n;
}

const struct sim_ve_stats *sim_ve_stats(struct sim_ve *ve, size_t *out_n)
{
    size_t n = 0;
    *out_n = 0;
    bring_up_to_date(ve);
    free(ve->stats);
    ve->stats = calloc(n_functions(ve), sizeof *ve->stats);
    if (!ve->stats)
        return NULL;
    for (const struct sim_ve_library *l = ve->libraries; l; l = l->next)
        for (size_t i = 0; i < l->n_functions; i++)
            if (l->functions[i].stats.insns)
                ve->stats[n++] = l->functions[i].stats;
    if (ve->unknown.stats.insns)
        ve->stats[n++] = ve->unknown.stats;
    *out_n = n;
    return ve->stats;
}

struct sim_ve_stats sim_ve_total(struct sim_ve *ve)
{
    size_t n;
    const struct sim_ve_stats *s = sim_ve_stats(ve, &n);
    struct sim_ve_stats sum = {.name = "all"};
    for (size_t i = 0; i < n; i++)
        add(&sum, &s[i]);
    for (const struct sim_ve_context *c = ve->contexts; c; c = c->next_open)
        if (c->clock.now > sum.longest_cycles)
            sum.longest_cycles = c->clock.now;
    return sum;
}

static void reset(struct ve_function *f)
{
    f->stats = (struct sim_ve_stats){.name = f->stats.name};
    memset(f->cycles, 0, sizeof f->cycles);
}

void sim_ve_reset_stats(struct sim_ve *ve)
{
    bring_up_to_date(ve);
    for (struct sim_ve_library *l = ve->libraries; l; l = l->next)
        for (size_t i = 0; i < l->n_functions; i++)
            reset(&l->functions[i]);
    reset(&ve->unknown);
    memset(ve->n_ran, 0, ve_n_rows * sizeof *ve->n_ran);
    for (struct sim_ve_context *c = ve->contexts; c; c = c->next_open)
        if (c->state != SIM_VE_RUNNING) {
            c->clock = (struct ve_clock){0};
            c->entered = 0;
        }
}

uint64_t sim_ve_ran(const struct sim_ve *ve, const char *mnemonic)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < ve_n_rows; i++)
        if (strcmp(ve_rows[i].name, mnemonic) == 0)
            n += ve->n_ran[i];
    return n;
}

static double percent(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

static void print_row(FILE *file, const struct sim_ve_stats *s)
{
    fprintf(file,
            "%-64s %8" PRIu64 " %12.0f %12.0f %12.0f %12.0f %12.0f %14" PRIu64 " %14" PRIu64
            " %14" PRIu64 " %7.1f %7.1f %7.1f %7.1f\n",
            s->name, s->calls, s->cycles, s->longest_cycles, s->vector_cycles, s->fma_cycles,
            s->memory_cycles, s->flops, s->bytes_read, s->bytes_written,
            percent(s->vector_cycles, s->cycles), percent(s->fma_cycles, s->cycles),
            percent(s->memory_cycles, s->cycles),
            percent((double)s->flops / PAIR_FLOPS_PER_CYCLE, s->cycles));
}

void sim_ve_print_stats(struct sim_ve *ve, FILE *file)
{
    size_t n;
    const struct sim_ve_stats *s = sim_ve_stats(ve, &n);
    fprintf(file, "estimated, not measured\n%-64s %8s %12s %12s %12s %12s %12s %14s %14s %14s",
            "function", "calls", "cycles", "longest", "vector", "fma", "memory", "flops", "read",
            "written");
    fprintf(file, " %7s %7s %7s %7s\n", "vector%", "fma%", "memory%", "peak%");
    for (size_t i = 0; i < n; i++)
        print_row(file, &s[i]);
    struct sim_ve_stats sum = sim_ve_total(ve);
    print_row(file, &sum);
    fprintf(file, "\n%-16s %14s\n", "instruction", "times");
    for (unsigned i = 0; i < ve_n_rows; i++)
        if (ve->n_ran[i])
            fprintf(file, "%-16s %14" PRIu64 "\n", ve_rows[i].name, ve->n_ran[i]);
    fprintf(file, "\n");
}
