#include "ir/kernel_effects.h"

#include "ir/kernel_raw.h"

static void add_read(const struct kernel *k, struct kernel_effects *e, int buf)
{
    e->reads[buf] = true;
    for (int d = 0; d < k->bufs[buf].rank; d++)
        if (k->bufs[buf].extent_buf[d] >= 0)
            e->reads[k->bufs[buf].extent_buf[d]] = true;
}

static void add_write(const struct kernel *k, struct kernel_effects *e, int buf)
{
    bool read = e->reads[buf];
    add_read(k, e, buf);
    e->reads[buf] = read;
    e->writes[buf] = true;
}

static void add_call(const struct kernel *k, struct kernel_effects *e, const struct kextern *call)
{
    for (int i = 0; i < call->n_in + call->n_tensors; i++)
        if (call->in[i] >= 0)
            add_read(k, e, call->in[i]);
    for (int i = 0; i < call->n_out; i++)
        if (call->out[i] >= 0)
            add_write(k, e, call->out[i]);
}

static void add_inst(const struct kernel *k, struct kernel_effects *e, kval v)
{
    const struct kinst *i = kernel_inst(k, v);
    if (i->op == KOP_EXTERN)
        add_call(k, e, i->call);
    else if (i->op == KOP_STORE)
        add_write(k, e, i->buf);
    else if (i->buf >= 0)
        add_read(k, e, i->buf);
    if (!i->region)
        return;
    if (i->region->contract) {
        add_read(k, e, i->region->contract->a.buf);
        add_read(k, e, i->region->contract->b.buf);
    }
    struct kblock *blocks[KREGION_MAX_BLOCKS];
    int n = kernel_raw_blocks(k, v, blocks);
    for (int b = 0; b < n; b++)
        for (size_t j = 0; j < blocks[b]->n; j++)
            add_inst(k, e, blocks[b]->insts[j]);
}

struct kernel_effects kernel_effects_of(const struct kernel *k, kval v, struct arena *a)
{
    struct kernel_effects e = {arena_array(a, k->n_bufs, sizeof(bool)),
                               arena_array(a, k->n_bufs, sizeof(bool))};
    add_inst(k, &e, v);
    return e;
}

bool kernel_effects_commute(const struct kernel *k, const struct kernel_effects *a,
                            const struct kernel_effects *b)
{
    for (size_t i = 0; i < k->n_bufs; i++)
        if ((a->writes[i] && (b->reads[i] || b->writes[i])) || (a->reads[i] && b->writes[i]))
            return false;
    return true;
}
