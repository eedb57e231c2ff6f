/*
 * program_split.c: contractions with long sums and few results, for a device that would mostly be
 * idle: their sums are split (kernel_split.c).  Only what stands in a kernel by itself is looked
 * at: what a loop does again and again has its own phases.
 */
#include "ir/program_build.h"
#include "ir/target.h"

/* Buffers of the kernel behind the arguments of the step become buffers of the program. */
static void add_args(struct program *p, struct step *s, size_t n_before)
{
    const struct kernel *k = s->kernel;
    struct program_builder b = {.program = p};
    int *args = arena_array(p->arena, k->n_bufs, sizeof *args);
    for (size_t i = 0; i < k->n_bufs; i++)
        args[i] = i < n_before ? s->args[i]
                               : program_add_buf(&b, k->bufs[i].name, k->bufs[i].dtype,
                                                 k->bufs[i].rank, k->bufs[i].dims);
    s->args = args;
}

static void split_call(struct program *p, struct step *s, const struct target *t)
{
    struct kernel *k = kernel_clone(p->arena, s->kernel);
    size_t n_before = k->n_bufs;
    for (size_t i = 0; i < k->body.n; i++) {
        kval v = k->body.insts[i];
        int dim;
        if (kernel_inst(k, v)->op != KOP_CONTRACT)
            continue;
        int64_t splits = t->split_sum(t, k, v, &dim);
        if (splits < 2)
            continue;
        kernel_split_sum(k, v, dim, splits);
        while (k->body.insts[i] != v)
            i++;
    }
    if (k->n_bufs == n_before)
        return;
    s->kernel = k;
    add_args(p, s, n_before);
}

static void split_steps(struct program *p, struct steps *steps, const struct target *t)
{
    for (size_t i = 0; i < steps->n; i++) {
        struct step *s = steps->step[i];
        if (s->kind == STEP_CALL) {
            if (!s->on_host)
                split_call(p, s, t);
            continue;
        }
        split_steps(p, &s->bodies[0], t);
        split_steps(p, &s->bodies[1], t);
    }
}

void program_split_sums(struct program *p, const struct target *t)
{
    split_steps(p, &p->body, t);
}
