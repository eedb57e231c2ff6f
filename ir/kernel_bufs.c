/* The buffers of a kernel: which it touches, and taking others away. */
#include "ir/kernel_raw.h"

struct visit {
    bool *used;
    const int *number; /* NULL while collecting */
};

static void visit_buf(const struct visit *v, int *buf)
{
    if (*buf < 0)
        return;
    if (v->number)
        *buf = v->number[*buf];
    else
        v->used[*buf] = true;
}

static bool visit_inst(const struct kernel *k, kval inst, void *arg)
{
    struct kinst *i = kernel_inst(k, inst);
    visit_buf(arg, &i->buf);
    if (i->op == KOP_CONTRACT) {
        visit_buf(arg, &i->region->contract->a.buf);
        visit_buf(arg, &i->region->contract->b.buf);
    }
    for (int j = 0; i->call && j < i->call->n_in + i->call->n_tensors; j++)
        visit_buf(arg, &i->call->in[j]);
    for (int j = 0; i->call && j < i->call->n_out; j++)
        visit_buf(arg, &i->call->out[j]);
    return true;
}

void kernel_raw_touched_bufs(const struct kernel *k, bool *out_touched)
{
    struct visit v = {.used = out_touched};
    kernel_walk(k, visit_inst, &v);
}

static void keep_extents(const struct kernel *k, bool *keep, int buf)
{
    for (int d = 0; d < k->bufs[buf].rank; d++) {
        int extent = k->bufs[buf].extent_buf[d];
        if (extent < 0 || keep[extent])
            continue;
        keep[extent] = true;
        keep_extents(k, keep, extent);
    }
}

bool kernel_raw_keep_bufs(struct kernel *k, bool *keep, int *out_number)
{
    for (size_t b = 0; b < k->n_bufs; b++)
        if (keep[b])
            keep_extents(k, keep, (int)b);
    size_t n = 0;
    for (size_t b = 0; b < k->n_bufs; b++)
        out_number[b] = keep[b] ? (int)n++ : -1;
    if (n == k->n_bufs)
        return false;
    struct visit v = {.number = out_number};
    kernel_walk(k, visit_inst, &v);
    for (size_t b = 0; b < k->n_bufs; b++) {
        if (!keep[b])
            continue;
        struct kbuf *to = &k->bufs[out_number[b]];
        *to = k->bufs[b];
        for (int d = 0; d < to->rank; d++)
            visit_buf(&v, &to->extent_buf[d]);
    }
    k->n_bufs = n;
    return true;
}
