/*
 * Which tile of a contraction a block of threads computes, and by which products.
 *
 * Large tiles read each element seldom, small ones keep all of the GPU busy, and so do parts of a
 * sum: what takes the least time by schedule_cost.c is taken.
 */
#include "gpu_runtime/codegen/contract.h"

static bool is_byte(enum dtype t)
{
    return t == DTYPE_I8 || t == DTYPE_U8;
}

static enum schedule_product choose_product(const struct target *t, const struct kernel *k,
                                            const struct kcontract *c)
{
    enum dtype a = k->bufs[c->a.buf].dtype, b = k->bufs[c->b.buf].dtype;
    bool as_stored = !c->a.prologue.n && !c->b.prologue.n;
    if (c->acc == DTYPE_I32 && is_byte(a) && is_byte(b) && as_stored)
        return PRODUCT_BYTES;
    if (c->acc == DTYPE_F32 && a == b && as_stored && (a == DTYPE_F16 || a == DTYPE_BF16))
        return a == DTYPE_F16 ? PRODUCT_F16 : PRODUCT_BF16;
    if (c->acc == DTYPE_F32 && t->f32_math != F32_EXACT)
        return t->f32_math == F32_TF32 ? PRODUCT_TF32 : PRODUCT_3XTF32;
    return PRODUCT_FMA;
}

/* Rows and columns of a tile, and of a warp's part of it or, for FMA, a thread's. */
struct tile_shape {
    int tile_m, tile_n, part_m, part_n, stages;
};

static int threads_of(const struct tile_shape *s, bool is_matrix)
{
    int parts = s->tile_m / s->part_m * (s->tile_n / s->part_n);
    return is_matrix ? parts * 32 : parts;
}

static int64_t div_up(int64_t n, int64_t by)
{
    return (n + by - 1) / by;
}

static int64_t blocks_of(const struct tile *t, const struct tile_shape *s)
{
    return t->batch.points * div_up(t->m.points, s->tile_m) * div_up(t->n.points, s->tile_n);
}

static struct schedule_entry entry_of(const struct target *t, const struct kernel *k, kval contract)
{
    struct schedule_entry e = {
        .region = contract, .lanes = 1, .row_iter = -1, .row_outer = -1, .k_iter = -1};
    e.product = choose_product(t, k, kernel_inst(k, contract)->region->contract);
    return e;
}

static void set_shape(const struct kernel *k, const struct tile_shape *shape,
                      struct schedule_entry *e, struct tile *t)
{
    e->tile_m = shape->tile_m;
    e->tile_n = shape->tile_n;
    e->part_m = shape->part_m;
    e->part_n = shape->part_n;
    e->stages = shape->stages;
    gpu_describe_tile(k, e, t);
    e->k_block = gpu_stage_elems(&t->a);
    e->staging_a = t->a.staging;
    e->staging_b = t->b.staging;
}

/* The shape that takes the least time with the sum in so many parts, set. */
static void choose_shape(const struct kernel *k, struct schedule_entry *e, struct tile *t,
                         int64_t splits)
{
    static const struct tile_shape for_matrix[] = {{128, 128, 64, 32, 3},
                                                   {128, 64, 64, 32, 3},
                                                   {64, 64, 32, 32, 4},
                                                   {32, 64, 16, 32, 4},
                                                   {32, 32, 16, 16, 4},
                                                   {16, 64, 16, 16, 4},
                                                   {0}};
    static const struct tile_shape for_fma[] = {{128, 128, 8, 8, 3}, {128, 64, 8, 8, 3},
                                                {64, 64, 8, 4, 4},   {32, 64, 4, 4, 4},
                                                {32, 32, 4, 4, 4},   {0}};
    /* One step of K is no loop, and ptxas then has more loads under way than it has registers for
       beside the sums. */
    enum { FEW_SUMS = 32 };
    const struct tile_shape *best = NULL;
    for (const struct tile_shape *s = gpu_is_matrix(e) ? for_matrix : for_fma; s->tile_m; s++) {
        set_shape(k, s, e, t);
        if (!gpu_is_matrix(e) && t->k.points <= e->k_block && s->part_m * s->part_n > FEW_SUMS)
            continue;
        int64_t cycles = gpu_tile_cycles(t, threads_of(s, gpu_is_matrix(e)), splits);
        if (best && cycles >= e->cycles)
            continue;
        e->cycles = cycles;
        best = s;
    }
    set_shape(k, best, e, t);
}

/* A constant B lies so that all of K of a column is one run, in the order in which it is summed. */
static void pack_b(struct kernel *k, const struct tile *t)
{
    const struct koperand *o = &t->c->b;
    struct kbuf *b = &k->bufs[o->buf];
    int order[MAX_RANK], n = 0;
    bool taken[MAX_RANK] = {false};
    if (!b->constant || !layout_is_plain(&b->layout) || dtype_bits(b->dtype) < 8)
        return;
    int run[MAX_RANK], n_run = 0;
    for (int i = 0; i < t->k.n; i++)
        for (int d = 0; d < b->rank; d++)
            if (!taken[d] && kaffine_coef(&o->dim[d], t->r->index[t->k.iter[i]]) == 1) {
                taken[d] = true;
                run[n_run++] = d;
            }
    for (int d = 0; d < b->rank; d++)
        if (!taken[d])
            order[n++] = d;
    for (int i = 0; i < n_run; i++)
        order[n++] = run[i];
    b->layout = layout_permuted(b->rank, order);
    int last = t->k.n - 1;
    if (last >= 0 && t->k.last < t->k.extent[last])
        b->layout = layout_blocked(b->layout, gpu_packed_dim(k, t->r, t->k.iter[last]),
                                   (int)t->k.extent[last]);
}

static bool fits(const struct kernel *k, const struct kregion *r)
{
    const struct koperand *operand[2] = {&r->contract->a, &r->contract->b};
    enum dtype acc = r->contract->acc;
    if (acc != DTYPE_F32 && acc != DTYPE_I32)
        return false;
    for (int i = 0; i < r->n_dims; i++)
        if (kernel_static_extent(k, r, i) <= 0)
            return false;
    for (int o = 0; o < 2; o++)
        for (int d = 0; d < k->bufs[operand[o]->buf].rank; d++)
            if (k->bufs[operand[o]->buf].extent_buf[d] >= 0)
                return false;
    return true;
}

/* A product of rows of K that nothing is summed over, or of few rows, is no matrix product. */
static bool is_worth_tiles(const struct tile *t)
{
    return t->k.points >= 8 && t->m.points * t->n.points >= 64;
}

bool gpu_schedule_contract(const struct target *t, struct kernel *k, kval contract,
                           struct schedule *s, struct schedule_entry *out_entry)
{
    struct tile tile = {0};
    if (!fits(k, kernel_inst(k, contract)->region))
        return false;
    struct schedule_entry e = entry_of(t, k, contract);
    gpu_describe_tile(k, &e, &tile);
    if (!is_worth_tiles(&tile))
        return false;
    pack_b(k, &tile);
    choose_shape(k, &e, &tile, 1);
    struct tile_shape shape = {e.tile_m, e.tile_n, e.part_m, e.part_n, e.stages};
    s->threads = threads_of(&shape, gpu_is_matrix(&e));
    s->blocks = blocks_of(&tile, &shape);
    s->shared_bytes = (int64_t)e.stages * tile.stage_bytes;
    if (s->shared_bytes < gpu_sums_bytes(&tile))
        s->shared_bytes = gpu_sums_bytes(&tile);
    *out_entry = e;
    return true;
}

/* Parts that stages do not divide leave the last stage partly empty, and those in which a stage has
   several values of K's other indices take more counting. */
static int64_t with_loss(const struct tile *t, int dim, int64_t splits, int64_t cycles)
{
    int last = t->k.iter[t->k.n - 1];
    int64_t run = t->k.extent[t->k.n - 1] / (dim == last ? splits : 1);
    return t->k.n > 1 && run % t->e->k_block != 0 ? cycles * 5 / 4 : cycles;
}

/* How many parts the sum is worth splitting into, and along which index of K; 1: none. */
static int64_t choose_splits(const struct target *t, const struct kernel *k, kval contract,
                             int *out_dim)
{
    enum { MOST_SPLITS = 32, GAIN = 8 /* in eighths: less than one is not worth it */ };
    const struct kregion *r = kernel_inst(k, contract)->region;
    struct tile tile = {0};
    if (!fits(k, r))
        return 1;
    struct schedule_entry e = entry_of(t, k, contract);
    gpu_describe_tile(k, &e, &tile);
    if (!is_worth_tiles(&tile))
        return 1;
    choose_shape(k, &e, &tile, 1);
    int64_t best = 1, least = e.cycles * (GAIN - 1) / GAIN;
    for (int i = 0; i < tile.k.n; i++)
        for (int64_t n = 2; n <= MOST_SPLITS && n <= tile.k.extent[i]; n++) {
            if (kernel_static_extent(k, r, tile.k.iter[i]) % n != 0 ||
                !kernel_can_split_sum(k, contract, tile.k.iter[i]))
                continue;
            choose_shape(k, &e, &tile, n);
            int64_t cycles = with_loss(&tile, tile.k.iter[i], n, e.cycles);
            if (cycles >= least)
                continue;
            least = cycles;
            best = n;
            *out_dim = tile.k.iter[i];
        }
    return best;
}

void gpu_prepare_contract(const struct target *t, struct kernel *k, kval contract)
{
    int dim;
    int64_t splits = choose_splits(t, k, contract, &dim);
    if (splits > 1)
        kernel_split_sum(k, contract, dim, splits);
}
