/* A deep copy of a kernel, in another arena or the same. */
#include "ir/kernel.h"

#include "ir/kernel_extern.h"

static struct kblock clone_block(struct arena *a, const struct kblock *b)
{
    struct kblock c = *b;
    c.insts = arena_copy(a, b->insts, b->n * sizeof *b->insts);
    c.cap = b->n;
    return c;
}

static struct kregion *clone_region(struct arena *a, const struct kregion *r)
{
    struct kregion *c = arena_copy(a, r, sizeof *r);
    for (int i = 0; i < 3; i++)
        c->block[i] = clone_block(a, &r->block[i]);
    if (r->contract) {
        c->contract = arena_copy(a, r->contract, sizeof *r->contract);
        c->contract->a.prologue = clone_block(a, &r->contract->a.prologue);
        c->contract->b.prologue = clone_block(a, &r->contract->b.prologue);
    }
    return c;
}

struct kernel *kernel_clone(struct arena *a, const struct kernel *k)
{
    struct kernel *c = arena_copy(a, k, sizeof *k);
    c->arena = a;
    c->bufs = arena_copy(a, k->bufs, k->n_bufs * sizeof *k->bufs);
    c->cap_bufs = k->n_bufs;
    c->insts = arena_copy(a, k->insts, k->n_insts * sizeof *k->insts);
    c->cap_insts = k->n_insts;
    for (size_t i = 1; i < k->n_insts; i++) {
        struct kinst *in = &c->insts[i];
        in->args = arena_copy(a, in->args, (size_t)in->n_args * sizeof *in->args);
        if (in->region)
            in->region = clone_region(a, in->region);
        if (in->call)
            in->call = kextern_copy(a, in->call);
    }
    c->body = clone_block(a, &k->body);
    /* Building goes on in the copy's own body. */
    c->open[0] = &c->body;
    c->n_open = 1;
    return c;
}
