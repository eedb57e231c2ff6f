/*
 * kernel_stage.c: operand A of a contraction brought into a local buffer first.
 *
 *     map (i..) { store local[i..] = load_or a[i.. + least], pad }
 *     contract { a local[..] }
 *
 * The local buffer holds the range of indices that the contraction reads, pad values included, so
 * that nothing of it lies outside, in a layout that the caller chooses.  For generators that read
 * whole blocks of A: elements side by side, no test at the border.  The copy costs one pass over A;
 * the alternative, testing each block where it is read, costs that as often as A is read.
 *
 * kernel_widen_operand converts A to the accumulator's type once, for generators that read single
 * elements of A, where a conversion costs as much as the products of the element.
 */
#include <assert.h>

#include "ir/kernel.h"
#include "ir/kernel_raw.h"

/* The block that v stands in, and where. */
static struct kblock *find_block(const struct kernel *k, struct kblock *b, kval v, size_t *out_at)
{
    for (size_t i = 0; i < b->n; i++) {
        if (b->insts[i] == v) {
            *out_at = i;
            return b;
        }
        if (!kernel_inst(k, b->insts[i])->region)
            continue;
        struct kblock *inner[KREGION_MAX_BLOCKS];
        int n = kernel_raw_blocks(k, b->insts[i], inner);
        for (int j = 0; j < n; j++) {
            struct kblock *found = find_block(k, inner[j], v, out_at);
            if (found)
                return found;
        }
    }
    return NULL;
}

void kernel_stage_split(const struct kernel *k, const struct kregion *r, const struct kaffine *a,
                        struct kaffine *out_own, struct kaffine *out_rest, int64_t *out_extent)
{
    int64_t least = 0, most = 0;
    *out_own = kaffine_const(0);
    *out_rest = kaffine_const(a->offset);
    for (int i = 0; i < a->n_terms; i++) {
        kval var = a->term[i].var;
        kaffine_add(kregion_index_of(r, var) < 0 ? out_rest : out_own, var, a->term[i].coef);
    }
    bool known = kernel_affine_range(k, r, out_own, &least, &most);
    assert(known);
    (void)known;
    out_own->offset = -least;
    out_rest->offset += least;
    *out_extent = most - least + 1;
}

void kernel_raw_put_around(struct kernel *k, kval v, const struct kblock *before,
                           const struct kblock *after)
{
    size_t at;
    struct kblock *block = find_block(k, &k->body, v, &at);
    assert(block);
    for (size_t i = 0; after && i < after->n; i++)
        kernel_raw_insert(k, block, at + 1 + i, after->insts[i]);
    for (size_t i = 0; i < before->n; i++)
        kernel_raw_insert(k, block, at + i, before->insts[i]);
}

int kernel_stage_operand(struct kernel *k, kval contract, const struct layout *layout)
{
    struct kregion *r = kernel_inst(k, contract)->region;
    struct koperand *a = &r->contract->a;
    struct kaffine own[MAX_RANK], rest[MAX_RANK];
    int64_t dims[MAX_RANK];
    int rank = k->bufs[a->buf].rank;
    for (int d = 0; d < rank; d++)
        kernel_stage_split(k, r, &a->dim[d], &own[d], &rest[d], &dims[d]);
    const char *name = arena_printf(k->arena, "%s.staged", k->bufs[a->buf].name);
    int local = kernel_add_buf(k, name, k->bufs[a->buf].dtype, KBUF_LOCAL, rank, dims);
    k->bufs[local].layout = *layout;

    struct kblock copy = {0};
    kernel_raw_open(k, &copy);
    kval extent[MAX_RANK], index[MAX_RANK], from[MAX_RANK];
    for (int d = 0; d < rank; d++)
        extent[d] = kernel_const_index(k, dims[d]);
    kernel_map_begin(k, rank, extent, index);
    for (int d = 0; d < rank; d++)
        from[d] = kernel_raw_moved(k, index[d], &rest[d]);
    kval v = a->padded ? kernel_load_or(k, a->buf, from, a->pad) : kernel_load(k, a->buf, from);
    kernel_store(k, local, index, v);
    kernel_map_end(k);
    k->n_open--;

    kernel_raw_put_around(k, contract, &copy, NULL);
    a->buf = local;
    a->padded = false;
    a->pad = 0;
    for (int d = 0; d < rank; d++)
        a->dim[d] = own[d];
    return local;
}

void kernel_exchange_operands(struct kernel *k, kval contract)
{
    struct kregion *r = kernel_inst(k, contract)->region;
    struct kcontract *c = r->contract;
    struct koperand a = c->a;
    c->a = c->b;
    c->b = a;
    for (int i = 0; i < r->n_dims; i++)
        if (c->kind[i] == KITER_M || c->kind[i] == KITER_N)
            c->kind[i] = c->kind[i] == KITER_M ? KITER_N : KITER_M;
}

int kernel_widen_operand(struct kernel *k, kval contract)
{
    const struct kcontract *c = kernel_inst(k, contract)->region->contract;
    struct koperand *a = &kernel_inst(k, contract)->region->contract->a;
    const struct kbuf *from = &k->bufs[a->buf];
    const char *name = arena_printf(k->arena, "%s.wide", from->name);
    struct layout layout = from->layout;
    int rank = from->rank;
    int local = kernel_add_buf(k, name, c->acc, KBUF_LOCAL, rank, from->dims);
    k->bufs[local].layout = layout;

    struct kblock copy = {0};
    kernel_raw_open(k, &copy);
    kval extent[MAX_RANK], index[MAX_RANK];
    for (int d = 0; d < rank; d++)
        extent[d] = kernel_const_index(k, k->bufs[local].dims[d]);
    kernel_map_begin(k, rank, extent, index);
    kval v = kernel_load(k, a->buf, index);
    kernel_store(k, local, index, kernel_cast(k, c->acc, v));
    kernel_map_end(k);
    if (a->padded)
        a->pad = kernel_cast(k, c->acc, a->pad);
    k->n_open--;
    kernel_raw_put_around(k, contract, &copy, NULL);
    a->buf = local;
    return local;
}
