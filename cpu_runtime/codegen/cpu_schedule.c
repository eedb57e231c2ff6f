/* Schedules of whole kernels for CPUs, and the layouts that make them fast. */
#include "cpu_runtime/codegen/cpu_target.h"

struct pass {
    const struct target *t;
    struct arena *a;
    struct kernel *k;
    struct schedule *s;
    kval *untiled; /* contractions that no generator takes */
    size_t n_untiled, cap_untiled;
};

static void tile_block(struct pass *p, const struct kblock *blk)
{
    for (size_t i = 0; i < blk->n; i++) {
        kval v = blk->insts[i];
        const struct kinst *in = kernel_inst(p->k, v);
        if (in->op == KOP_CONTRACT) {
            struct schedule_entry e;
            if (cpu_schedule_contract(p->t, p->k, v, &e))
                ARENA_PUSH(p->a, p->s->entries, p->s->n, p->s->cap) = e;
            else
                ARENA_PUSH(p->a, p->untiled, p->n_untiled, p->cap_untiled) = v;
        } else if (in->region) {
            tile_block(p, &in->region->block[0]);
            tile_block(p, &in->region->block[1]);
        }
    }
}

/* Maps, outermost first; inside one that runs in lanes all else follows its lanes. */
static void map_block(struct pass *p, const struct kblock *blk)
{
    for (size_t i = 0; i < blk->n; i++) {
        kval v = blk->insts[i];
        const struct kinst *in = kernel_inst(p->k, v);
        if (!in->region || in->op == KOP_CONTRACT)
            continue;
        if (in->op == KOP_MAP) {
            cpu_schedule_map(p->t, p->a, p->k, v, p->s);
            const struct schedule_entry *e = schedule_find(p->s, v);
            if (e && e->lanes > 1)
                continue;
        }
        map_block(p, &in->region->block[0]);
        map_block(p, &in->region->block[1]);
    }
}

struct schedule *cpu_schedule(const struct target *t, struct arena *a, struct kernel *k)
{
    struct schedule *s = arena_new(a, struct schedule);
    struct pass p = {.t = t, .a = a, .k = k, .s = s};
    tile_block(&p, &k->body);
    for (size_t i = 0; i < p.n_untiled; i++)
        kernel_expand_contract(k, p.untiled[i]);
    map_block(&p, &k->body);
    return s;
}

static bool find_contract(const struct kernel *k, kval v, void *arg)
{
    kval *found = arg;
    if (kernel_inst(k, v)->op == KOP_CONTRACT)
        *found = v;
    return *found == 0;
}

/* The dimension of the result that columns, or else groups, run over: it goes innermost in blocks
   of a vector. */
static int channel_dim(const struct kernel *k, const struct kregion *r, const struct kinst *store)
{
    int best = -1;
    for (int d = 0; d < k->bufs[store->buf].rank; d++) {
        struct kaffine a;
        if (!kernel_affine_of(k, store->args[d], &a))
            return -1;
        for (int i = 0; i < a.n_terms; i++)
            for (int j = 0; j < r->n_dims; j++)
                if (r->index[j] == a.term[i].var && r->contract->kind[j] == KITER_N)
                    best = d;
    }
    return best;
}

bool cpu_prefer_layouts(const struct target *t, const struct kernel *k, struct layout *layouts)
{
    kval contract = 0;
    kernel_walk(k, find_contract, &contract);
    if (!contract)
        return false;
    const struct kregion *r = kernel_inst(k, contract)->region;
    if (r->contract->acc != DTYPE_F32)
        return false;
    bool any = false;
    for (size_t i = 0; i < r->block[0].n; i++) {
        const struct kinst *in = kernel_inst(k, r->block[0].insts[i]);
        if (in->op != KOP_STORE || k->bufs[in->buf].rank < 3)
            continue;
        int d = channel_dim(k, r, in);
        if (d != 1)
            continue;
        int64_t channels = k->bufs[in->buf].dims[d];
        int widest = t->vector_bytes / 4;
        int block = cpu_pow2_ceil(channels) < widest ? cpu_pow2_ceil(channels) : widest;
        if (channels < 2)
            continue;
        layouts[in->buf] = layout_blocked(layout_plain(k->bufs[in->buf].rank), d, block);
        any = true;
    }
    return any;
}
