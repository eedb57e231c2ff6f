/*
 * program_prepare.c: what a device wants a contraction to be before kernels become phases: a long
 * sum in parts, windows of an image laid out anew.  The local buffers that this takes become
 * buffers of the program.  Only what stands in a kernel by itself is looked at: what a loop does
 * again and again has its own phases.
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

static void prepare_call(struct program *p, struct step *s, const struct target *t)
{
    struct kernel *k = kernel_clone(p->arena, s->kernel);
    size_t n_before = k->n_bufs;
    for (size_t i = 0; i < k->body.n; i++) {
        kval v = k->body.insts[i];
        if (kernel_inst(k, v)->op != KOP_CONTRACT)
            continue;
        t->prepare_contract(t, k, v);
        while (k->body.insts[i] != v)
            i++;
    }
    if (k->n_bufs == n_before)
        return;
    s->kernel = k;
    add_args(p, s, n_before);
}

static void prepare_steps(struct program *p, struct steps *steps, const struct target *t)
{
    for (size_t i = 0; i < steps->n; i++) {
        struct step *s = steps->step[i];
        if (s->kind == STEP_CALL) {
            if (!s->on_host)
                prepare_call(p, s, t);
            continue;
        }
        prepare_steps(p, &s->bodies[0], t);
        prepare_steps(p, &s->bodies[1], t);
    }
}

void program_prepare(struct program *p, const struct target *t)
{
    prepare_steps(p, &p->body, t);
}
