/*
 * kernel_fuse_operand.c: a map that only converts what a contraction reads becomes the prologue of
 * that operand, so that weights stay in memory as they are stored: quantized, or in 16 bits.
 *
 * The map stores a local buffer T once, at its own indices, and T's one reader is an operand of a
 * contraction.  One load of the body, the element that is converted, runs over all indices of the
 * map; the operand reads that buffer instead, at the place that its index of T stands for.  The
 * rest of the body, parameters per channel or per block included, becomes the prologue, with the
 * map's indices replaced by what the operand's index map has for them.
 *
 * Only where the types differ: arithmetic alone is cheaper done once than once per use.  Everything
 * that the map reads must be an input of the kernel, so that it holds the same wherever it is read.
 */
#include "ir/kernel.h"

#include <string.h>

#include "ir/kernel_raw.h"

struct move {
    struct kernel *k;
    struct arena *scratch;
    kval map;
    struct kfill fill; /* T by the map */
    kval element;      /* the load that is converted */
    kval contract;
    struct koperand *operand;
};

/* ---- the map ---- */

static bool runs_over_all(const struct kernel *k, const struct kregion *r, const struct kinst *ld)
{
    bool used[KREGION_MAX_DIMS] = {false};
    for (int d = 0; d < k->bufs[ld->buf].rank; d++) {
        struct kaffine a;
        if (k->bufs[ld->buf].extent_buf[d] >= 0 || !kernel_affine_of(k, ld->args[d], &a))
            return false;
        for (int t = 0; t < a.n_terms; t++) {
            int j = kregion_index_of(r, a.term[t].var);
            if (j < 0)
                return false;
            used[j] = true;
        }
    }
    for (int j = 0; j < r->n_dims; j++)
        if (!used[j] && kernel_static_extent(k, r, j) != 1)
            return false;
    return true;
}

static bool find_element(struct move *m)
{
    const struct kernel *k = m->k;
    const struct kregion *r = kernel_inst(k, m->map)->region;
    enum dtype type = k->bufs[kernel_inst(k, m->fill.store)->buf].dtype;
    for (size_t j = 0; j < r->block[0].n; j++) {
        const struct kinst *i = kernel_inst(k, r->block[0].insts[j]);
        if (i->op == KOP_LOAD && k->bufs[i->buf].dtype != type && runs_over_all(k, r, i)) {
            m->element = r->block[0].insts[j];
            return true;
        }
    }
    return false;
}

/* ---- the operand ---- */

struct readers {
    int buf, n;
    kval contract;
    struct koperand *operand;
};

static bool note_reader(const struct kernel *k, kval v, void *arg)
{
    struct readers *found = arg;
    const struct kinst *i = kernel_inst(k, v);
    if ((i->op == KOP_LOAD || i->op == KOP_LOAD_OR) && i->buf == found->buf)
        found->n += 2; /* no operand */
    if (i->op != KOP_CONTRACT)
        return true;
    struct koperand *operands[2] = {&i->region->contract->a, &i->region->contract->b};
    for (int o = 0; o < 2; o++) {
        if (operands[o]->buf != found->buf)
            continue;
        found->n++;
        found->contract = v;
        found->operand = operands[o];
    }
    return true;
}

/* Padding stands for converted elements that lie outside T, which may lie inside of what the
   element is loaded from: a padded operand stays. */
static bool find_operand(struct move *m)
{
    struct readers found = {.buf = kernel_inst(m->k, m->fill.store)->buf};
    kernel_walk(m->k, note_reader, &found);
    m->contract = found.contract;
    m->operand = found.operand;
    return found.n == 1 && !found.operand->padded;
}

/* The converted buffer's dimensions over the contraction's indices; false where they have too many
   terms. */
static bool compose(const struct move *m, struct kaffine *out)
{
    const struct kernel *k = m->k;
    const struct kregion *r = kernel_inst(k, m->map)->region;
    const struct kinst *ld = kernel_inst(k, m->element);
    for (int d = 0; d < k->bufs[ld->buf].rank; d++) {
        struct kaffine a;
        kernel_affine_of(k, ld->args[d], &a);
        out[d] = kaffine_const(a.offset);
        for (int t = 0; t < a.n_terms; t++) {
            int dim = m->fill.dim_of[kregion_index_of(r, a.term[t].var)];
            if (dim < 0)
                continue; /* an index of one value */
            const struct kaffine *at = &m->operand->dim[dim];
            out[d].offset += at->offset * a.term[t].coef;
            for (int s = 0; s < at->n_terms; s++) {
                if (out[d].n_terms == KAFFINE_MAX_TERMS)
                    return false;
                kaffine_add(&out[d], at->term[s].var, at->term[s].coef * a.term[t].coef);
            }
        }
    }
    return true;
}

/* ---- the transformation ---- */

static void become_prologue(struct move *m)
{
    struct kernel *k = m->k;
    struct koperand *o = m->operand;
    struct kblock old = o->prologue, *p = &o->prologue;
    struct kregion *r = kernel_inst(k, m->map)->region;
    const struct kblock *body = &r->block[0];
    kval stored =
        kernel_inst(k, m->fill.store)->args[k->bufs[kernel_inst(k, m->fill.store)->buf].rank];
    kval values[KREGION_MAX_DIMS];
    memset(p, 0, sizeof *p);
    kval raw = kernel_raw_param(k, p, k->bufs[kernel_inst(k, m->element)->buf].dtype);
    for (int j = 0; j < r->n_dims; j++) {
        struct kaffine zero = kaffine_const(0);
        values[j] =
            kernel_raw_affine(k, p, m->fill.dim_of[j] < 0 ? &zero : &o->dim[m->fill.dim_of[j]]);
    }
    /* Two more values than there are now: the last cast and the yield. */
    kval *subst = arena_array(m->scratch, k->n_insts + 2, sizeof *subst);
    for (int j = 0; j < r->n_dims; j++)
        subst[r->index[j]] = values[j];
    subst[m->element] = raw;
    for (size_t j = 0; j < body->n; j++)
        if (body->insts[j] != m->element && body->insts[j] != m->fill.store)
            kernel_raw_append(k, p, body->insts[j]);
    if (old.n) {
        subst[old.param[0]] = stored;
        for (size_t j = 0; j < old.n; j++)
            kernel_raw_append(k, p, old.insts[j]);
    } else {
        enum dtype acc = kernel_inst(k, m->contract)->region->contract->acc;
        if (kernel_inst(k, stored)->type != acc) {
            stored = kernel_raw_inst(k, KOP_CAST, acc, 1, &stored);
            kernel_raw_append(k, p, stored);
        }
        kernel_raw_append(k, p, kernel_raw_inst(k, KOP_YIELD, DTYPE_NONE, 1, &stored));
    }
    kernel_raw_substitute(k, subst);
}

static bool try_move(struct kernel *k, struct kblock *b, size_t at, struct arena *scratch)
{
    struct move m = {.k = k, .scratch = scratch, .map = b->insts[at]};
    struct kaffine dims[MAX_RANK];
    if (!kernel_raw_fill(k, m.map, &m.fill) || !find_element(&m) || !find_operand(&m) ||
        !compose(&m, dims))
        return false;
    int buf = kernel_inst(k, m.element)->buf;
    become_prologue(&m);
    m.operand->buf = buf;
    memcpy(m.operand->dim, dims, sizeof dims);
    memmove(b->insts + at, b->insts + at + 1, (b->n - at - 1) * sizeof *b->insts);
    b->n--;
    return true;
}

static bool fuse_block(struct kernel *k, struct kblock *b)
{
    bool changed = false;
    for (size_t j = 0; j < b->n;) {
        struct arena scratch;
        arena_init(&scratch);
        bool moved = try_move(k, b, j, &scratch);
        arena_done(&scratch);
        changed |= moved;
        if (moved)
            continue;
        kval v = b->insts[j++];
        struct kblock *blocks[KREGION_MAX_BLOCKS];
        int n = kernel_inst(k, v)->region ? kernel_raw_blocks(k, v, blocks) : 0;
        for (int i = 0; i < n; i++)
            changed |= fuse_block(k, blocks[i]);
    }
    return changed;
}

bool kernel_fuse_operand(struct kernel *k)
{
    bool changed = fuse_block(k, &k->body);
    return kernel_raw_drop_dead(k) || changed;
}
