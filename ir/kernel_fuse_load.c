/*
 * kernel_fuse_load.c: a map that fills a local buffer which one load reads is computed where that
 * load is, and the buffer goes.
 *
 * kernel_fuse moves maps down to what made their operand, so it leaves alone what stands before a
 * contraction and is read in its epilogue: one side of a residual sum, scaled on the way.  Without
 * this rule that side would be written in the type of the sum, 64 bits for integers, which may be
 * the largest buffer of the network.
 *
 * Only loads that run once per element of the buffer: in the block of a map or an epilogue, at
 * distinct indices of that region.  Everything that the map reads is an input of the kernel, so it
 * holds the same at the load.
 */
#include "ir/kernel.h"

#include "ir/kernel_raw.h"

struct reader {
    int buf;
    int n; /* reads of it in all */
    kval load;
    struct kblock *block; /* that the load stands in */
    size_t at;
    const struct kregion *region; /* that the block belongs to */
};

static void find_in(struct kernel *k, struct reader *r, struct kblock *b,
                    const struct kregion *region)
{
    for (size_t j = 0; j < b->n; j++) {
        const struct kinst *i = kernel_inst(k, b->insts[j]);
        if ((i->op == KOP_LOAD || i->op == KOP_LOAD_OR) && i->buf == r->buf) {
            r->n += i->op == KOP_LOAD ? 1 : 2;
            r->load = b->insts[j];
            r->block = b;
            r->at = j;
            r->region = region;
        }
        if (!i->region)
            continue;
        struct kcontract *c = i->region->contract;
        if (c)
            r->n += 2 * (c->a.buf == r->buf || c->b.buf == r->buf);
        struct kblock *blocks[KREGION_MAX_BLOCKS];
        int n = kernel_raw_blocks(k, b->insts[j], blocks);
        for (int s = 0; s < n; s++) {
            /* A prologue runs as often as its element is read, a reduction's block once for each of
               its points. */
            bool once = blocks[s] == &i->region->block[0] && (i->op == KOP_MAP || c);
            find_in(k, r, blocks[s], once ? i->region : NULL);
        }
    }
}

/* Whether no element is read twice: the indices are distinct ones of the region, and it has no
   others that run but those that a contraction sums over. */
static bool reads_once(const struct kernel *k, const struct reader *r)
{
    bool used[KREGION_MAX_DIMS] = {false};
    const struct kinst *load = kernel_inst(k, r->load);
    for (int d = 0; d < k->bufs[r->buf].rank; d++) {
        int j = kregion_index_of(r->region, load->args[d]);
        if (j < 0 && k->bufs[r->buf].dims[d] != 1)
            return false;
        if (j >= 0 && used[j])
            return false;
        if (j >= 0)
            used[j] = true;
    }
    for (int j = 0; j < r->region->n_dims; j++) {
        bool is_sum = r->region->contract && r->region->contract->kind[j] == KITER_K;
        if (!used[j] && !is_sum && kernel_static_extent(k, r->region, j) != 1)
            return false;
    }
    return true;
}

/* The map's instructions go in front of the load, with the load's indices in place of its own. */
static void compute_there(struct kernel *k, kval map, const struct kfill *fill,
                          const struct reader *to, struct arena *scratch)
{
    const struct kregion *r = kernel_inst(k, map)->region;
    kval *subst = arena_array(scratch, k->n_insts + 1, sizeof *subst);
    kval zero = kernel_raw_inst(k, KOP_CONST, DTYPE_I64, 0, NULL);
    size_t at = to->at;
    kernel_raw_insert(k, to->block, at++, zero);
    const struct kinst *load = kernel_inst(k, to->load), *store = kernel_inst(k, fill->store);
    for (int j = 0; j < r->n_dims; j++)
        subst[r->index[j]] = fill->dim_of[j] < 0 ? zero : load->args[fill->dim_of[j]];
    for (size_t j = 0; j < r->block[0].n; j++)
        if (r->block[0].insts[j] != fill->store)
            kernel_raw_insert(k, to->block, at++, r->block[0].insts[j]);
    subst[to->load] = store->args[store->n_args - 1];
    kernel_raw_substitute(k, subst);
}

static bool try_load(struct kernel *k, struct kblock *b, size_t at)
{
    struct kfill fill;
    if (!kernel_raw_fill(k, b->insts[at], &fill))
        return false;
    struct reader to = {.buf = kernel_inst(k, fill.store)->buf};
    find_in(k, &to, &k->body, NULL);
    if (to.n != 1 || !to.region || !reads_once(k, &to))
        return false;
    struct arena scratch;
    arena_init(&scratch);
    compute_there(k, b->insts[at], &fill, &to, &scratch);
    arena_done(&scratch);
    for (size_t j = at + 1; j < b->n; j++)
        b->insts[j - 1] = b->insts[j];
    b->n--;
    return true;
}

static bool fuse_block(struct kernel *k, struct kblock *b)
{
    bool changed = false;
    for (size_t j = 0; j < b->n;) {
        if (try_load(k, b, j)) {
            changed = true;
            continue;
        }
        kval v = b->insts[j++];
        struct kblock *blocks[KREGION_MAX_BLOCKS];
        int n = kernel_inst(k, v)->region ? kernel_raw_blocks(k, v, blocks) : 0;
        for (int s = 0; s < n; s++)
            changed |= fuse_block(k, blocks[s]);
    }
    return changed;
}

bool kernel_fuse_load(struct kernel *k)
{
    bool changed = fuse_block(k, &k->body);
    return kernel_raw_drop_dead(k) || changed;
}
