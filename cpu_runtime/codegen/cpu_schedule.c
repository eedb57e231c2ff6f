/* Schedules of whole kernels for CPUs, and the layouts that make them fast. */
#include "bundle/tile/tile.h"
#include "cpu_runtime/codegen/contract_amx.h"
#include "cpu_runtime/codegen/cpu_target.h"

bool cpu_schedule_contract(const struct target *t, struct kernel *k, kval contract,
                           struct schedule_entry *out_entry)
{
    return cpu_schedule_amx(t, k, contract, out_entry) ||
           tile_schedule_contract(t, k, contract, out_entry);
}

void cpu_emit_contract(struct emit_kernel *ek, kval contract, const struct schedule_entry *entry)
{
    (entry->dot == SCHEDULE_DOT_TILE ? cpu_emit_amx : tile_emit_contract)(ek, contract, entry);
}

struct pass {
    const struct target *t;
    struct arena *a;
    struct kernel *k;
    struct schedule *s;
};

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

/*
 * Elements of operand A are read one by one and broadcast.  In 16 bits each would be converted by
 * itself, as often as there are tiles of columns: converting all of A first is cheaper but for very
 * few columns.
 */
static void widen_halves(const struct target *t, struct kernel *k)
{
    enum { MIN_COLUMNS = 32 };
    for (size_t i = 0; i < k->body.n; i++) {
        const struct kregion *r = kernel_inst(k, k->body.insts[i])->region;
        if (!r || !r->contract)
            continue;
        const struct koperand *a = &r->contract->a;
        const struct kbuf *b = &k->bufs[a->buf];
        bool is_static = true;
        int64_t columns = 1;
        for (int d = 0; d < b->rank; d++)
            is_static = is_static && b->extent_buf[d] < 0;
        for (int d = 0; d < r->n_dims; d++)
            if (r->contract->kind[d] == KITER_N)
                columns *= kernel_static_extent(k, r, d);
        if ((b->dtype == DTYPE_F16 || b->dtype == DTYPE_BF16) && r->contract->acc == DTYPE_F32 &&
            !a->prologue.n && is_static && columns >= MIN_COLUMNS &&
            !schedule_multiplies_floats(t, k, r->contract)) {
            size_t before = k->body.n;
            kernel_widen_operand(k, k->body.insts[i]);
            i += k->body.n - before;
        }
    }
}

struct schedule *cpu_schedule(const struct target *t, struct arena *a, struct kernel *k)
{
    struct schedule *s = arena_new(a, struct schedule);
    struct pass p = {.t = t, .a = a, .k = k, .s = s};
    kernel_sort_in_turn(k);
    cpu_prepare_amx(t, k);
    widen_halves(t, k);
    tile_schedule_contracts(t, a, k, s, cpu_schedule_contract);
    map_block(&p, &k->body);
    return s;
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
        for (int i = 0; i < a.n_terms; i++) {
            int j = kregion_index_of(r, a.term[i].var);
            if (j >= 0 && r->contract->kind[j] == KITER_N)
                best = d;
        }
    }
    return best;
}

/* Channels of dimension d in blocks of a vector of them, or of one that is wider than a register.
 */
static struct layout in_blocks(const struct target *t, const struct kbuf *b, int d)
{
    int widest = t->vector_bytes * 8 / (int)dtype_bits(b->dtype);
    widest = widest > 1 ? widest : 1;
    int block = tile_pow2_ceil(b->dims[d]) < widest ? tile_pow2_ceil(b->dims[d]) : widest;
    return layout_blocked(layout_plain(b->rank), d, block);
}

/* The dimension of operand A that one K index runs over by itself; -1 where none is. */
static int summed_dim(const struct kernel *k, const struct kregion *r)
{
    const struct koperand *a = &r->contract->a;
    for (int d = 0; d < k->bufs[a->buf].rank; d++) {
        bool has_k = false, has_m = false;
        for (int i = 0; i < r->n_dims; i++) {
            bool used = kaffine_coef(&a->dim[d], r->index[i]) != 0;
            has_k |= used && r->contract->kind[i] == KITER_K;
            has_m |= used && r->contract->kind[i] == KITER_M;
        }
        if (has_k && !has_m)
            return d;
    }
    return -1;
}

/* Extent of the K index that runs along the innermost dimension of operand A. */
static int64_t window_width(const struct kernel *k, const struct kregion *r)
{
    const struct koperand *a = &r->contract->a;
    int64_t n = 1;
    for (int i = 0; i < r->n_dims; i++)
        if (r->contract->kind[i] == KITER_K &&
            kaffine_coef(&a->dim[k->bufs[a->buf].rank - 1], r->index[i]))
            n *= kernel_static_extent(k, r, i);
    return n;
}

/*
 * Bytes are summed four channels at a time, so channels of the input belong side by side.  With few
 * of them, as in an image, four neighbours along a row of the window do as well, and whoever makes
 * the input need not scatter it.
 */
static bool prefer_input_layout(const struct target *t, const struct kernel *k,
                                const struct kregion *r, struct layout *layouts)
{
    enum { FEW_CHANNELS = 16, WIDE_WINDOW = 3 };
    int buf = r->contract->a.buf;
    const struct kbuf *a = &k->bufs[buf];
    if (dtype_bits(a->dtype) != 8 || a->rank < 3 || a->role != KBUF_IN || summed_dim(k, r) != 1 ||
        a->dims[1] < 2 || (a->dims[1] < FEW_CHANNELS && window_width(k, r) >= WIDE_WINDOW))
        return false;
    layouts[buf] = in_blocks(t, a, 1);
    return true;
}

bool cpu_prefer_layouts(const struct target *t, const struct kernel *k, struct layout *layouts)
{
    kval contract = kernel_find_contract(k);
    if (!contract)
        return false;
    const struct kregion *r = kernel_inst(k, contract)->region;
    bool any = prefer_input_layout(t, k, r, layouts);
    for (size_t i = 0; i < r->block[0].n; i++) {
        const struct kinst *in = kernel_inst(k, r->block[0].insts[i]);
        if (in->op != KOP_STORE || k->bufs[in->buf].rank < 3 || channel_dim(k, r, in) != 1 ||
            k->bufs[in->buf].dims[1] < 2)
            continue;
        layouts[in->buf] = in_blocks(t, &k->bufs[in->buf], 1);
        any = true;
    }
    return any;
}
