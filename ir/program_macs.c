/*
 * program_macs.c: how many products a run of a program adds up, the measure by which networks are
 * compared.  Contractions count, padding included; loops count as often as their bound says, and of
 * two branches the larger one.
 */
#include "ir/program.h"

static int64_t region_points(const struct kernel *k, const struct kregion *r)
{
    int64_t points = 1, n;
    for (int d = 0; d < r->n_dims; d++)
        points *= kernel_is_const_int(k, r->extent[d], &n) ? n : 1;
    return points;
}

static int64_t block_macs(const struct kernel *k, const struct kblock *blk)
{
    int64_t sum = 0;
    for (size_t i = 0; i < blk->n; i++) {
        const struct kinst *in = kernel_inst(k, blk->insts[i]);
        const struct kregion *r = in->region;
        if (!r)
            continue;
        if (in->op == KOP_CONTRACT) {
            sum += region_points(k, r);
            continue;
        }
        int64_t first = block_macs(k, &r->block[0]), second = block_macs(k, &r->block[1]);
        if (in->op == KOP_IF)
            sum += first > second ? first : second;
        else
            sum += region_points(k, r) * (first + second);
    }
    return sum;
}

static int64_t steps_macs(const struct steps *steps)
{
    int64_t sum = 0;
    for (size_t i = 0; i < steps->n; i++) {
        const struct step *s = steps->step[i];
        if (s->kind == STEP_CALL) {
            sum += block_macs(s->kernel, &s->kernel->body);
            continue;
        }
        int64_t first = steps_macs(&s->bodies[0]), second = steps_macs(&s->bodies[1]);
        sum += first > second ? first : second;
    }
    return sum;
}

int64_t program_macs(const struct program *p)
{
    return steps_macs(&p->body);
}
