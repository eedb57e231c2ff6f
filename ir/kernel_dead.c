/*
 * kernel_dead.c: removes what has no effect.
 *
 * Effects are stores to buffers that somebody reads: the caller, or this kernel.  Uses are counted,
 * then each block is swept from its end, so that a chain of unused instructions goes in one round;
 * rounds follow until nothing changes, since a load that went may leave a store without a reader.
 */
#include "ir/kernel.h"

#include <string.h>

#include "ir/kernel_raw.h"

struct dead {
    struct kernel *k;
    uint32_t *uses; /* by kval */
    bool *read;     /* by buffer */
    bool changed;
};

static void count_use(kval *use, void *arg)
{
    struct dead *d = arg;
    d->uses[*use]++;
}

static void drop_use(kval *use, void *arg)
{
    struct dead *d = arg;
    d->uses[*use]--;
}

static void add_read(struct dead *d, int buf)
{
    d->read[buf] = true;
}

static bool count_inst(const struct kernel *k, kval v, void *arg)
{
    struct dead *d = arg;
    const struct kinst *i = kernel_inst(k, v);
    kernel_raw_each_use(k, v, count_use, d);
    if (i->op == KOP_LOAD || i->op == KOP_LOAD_OR)
        add_read(d, i->buf);
    if (i->op == KOP_CONTRACT) {
        add_read(d, i->region->contract->a.buf);
        add_read(d, i->region->contract->b.buf);
    }
    for (int j = 0; i->call && j < i->call->n_in + i->call->n_tensors; j++)
        if (i->call->in[j] >= 0)
            add_read(d, i->call->in[j]);
    return true;
}

static bool has_effect(const struct kernel *k, const struct kblock *b)
{
    for (size_t j = 0; j < b->n; j++) {
        const struct kinst *i = kernel_inst(k, b->insts[j]);
        if (i->op == KOP_STORE)
            return true;
        if (!i->region)
            continue;
        struct kblock *blocks[KREGION_MAX_BLOCKS];
        int n = kernel_raw_blocks(k, b->insts[j], blocks);
        for (int c = 0; c < n; c++)
            if (has_effect(k, blocks[c]))
                return true;
    }
    return false;
}

static bool is_dead(const struct dead *d, kval v)
{
    const struct kinst *i = kernel_inst(d->k, v);
    if (i->op == KOP_STORE)
        return d->k->bufs[i->buf].role == KBUF_LOCAL && !d->read[i->buf];
    if (i->op == KOP_YIELD || i->op == KOP_EXTERN || d->uses[v])
        return false;
    if (!i->region)
        return true;
    struct kblock *blocks[KREGION_MAX_BLOCKS];
    int n = kernel_raw_blocks(d->k, v, blocks);
    for (int c = 0; c < n; c++)
        if (has_effect(d->k, blocks[c]))
            return false;
    return true;
}

static void sweep_block(struct dead *d, struct kblock *b);

static void sweep_block(struct dead *d, struct kblock *b)
{
    for (size_t j = b->n; j-- > 0;) {
        kval v = b->insts[j];
        if (kernel_inst(d->k, v)->region) {
            struct kblock *blocks[KREGION_MAX_BLOCKS];
            int n = kernel_raw_blocks(d->k, v, blocks);
            for (int c = n - 1; c >= 0; c--)
                sweep_block(d, blocks[c]);
        }
        if (!is_dead(d, v))
            continue;
        kernel_raw_each_use_within(d->k, v, drop_use, d);
        memmove(b->insts + j, b->insts + j + 1, (b->n - j - 1) * sizeof *b->insts);
        b->n--;
        /* A constant that goes is no change worth another round of the caller's passes. */
        if (kernel_inst(d->k, v)->op != KOP_CONST)
            d->changed = true;
    }
}

/* ---- buffers ---- */

static bool drop_bufs(struct kernel *k, struct arena *scratch)
{
    bool *keep = arena_array(scratch, k->n_bufs, sizeof *keep);
    int *number = arena_array(scratch, k->n_bufs, sizeof *number);
    kernel_raw_touched_bufs(k, keep);
    for (size_t b = 0; b < k->n_bufs; b++)
        keep[b] |= k->bufs[b].role != KBUF_LOCAL;
    return kernel_raw_keep_bufs(k, keep, number);
}

bool kernel_raw_sweep(struct kernel *k)
{
    struct arena scratch;
    arena_init(&scratch);
    struct dead d = {.k = k};
    bool any = false;
    do {
        d.changed = false;
        d.uses = arena_array(&scratch, k->n_insts, sizeof *d.uses);
        d.read = arena_array(&scratch, k->n_bufs, sizeof *d.read);
        kernel_walk(k, count_inst, &d);
        for (size_t b = 0; b < k->n_bufs; b++)
            for (int i = 0; i < k->bufs[b].rank; i++)
                if (k->bufs[b].extent_buf[i] >= 0)
                    d.read[k->bufs[b].extent_buf[i]] = true;
        sweep_block(&d, &k->body);
        any |= d.changed;
    } while (d.changed);
    arena_done(&scratch);
    return any;
}

bool kernel_raw_drop_dead(struct kernel *k)
{
    struct arena scratch;
    arena_init(&scratch);
    bool swept = kernel_raw_sweep(k), dropped = drop_bufs(k, &scratch);
    arena_done(&scratch);
    return swept || dropped;
}
