/*
 * kernel_expand.c: a contraction as plain regions, for targets and shapes without a generator of
 * their own:
 *
 *     map (batch, m, n) {
 *         acc = reduce add (k) from 0 { yield prologue(a[..]) * prologue(b[..]) }
 *         epilogue(acc)
 *     }
 *
 * The indices keep the contraction's order, so that the result is written in it.  The sum is in
 * ascending order of k, one lane: the order that the evaluator uses as well.
 *
 * The contraction's own blocks move into the new ones; the instruction itself becomes the map.
 */
#include "ir/kernel.h"

#include <assert.h>
#include <string.h>

#include "ir/kernel_raw.h"

static void open_block(struct kernel *k, struct kblock *b)
{
    assert((size_t)k->n_open < sizeof k->open / sizeof k->open[0]);
    k->open[k->n_open++] = b;
}

static kval affine(struct kernel *k, const struct kaffine *a)
{
    kval sum = 0;
    for (int t = 0; t < a->n_terms; t++) {
        kval term =
            kernel_binary(k, KOP_MUL, a->term[t].var, kernel_const_index(k, a->term[t].coef));
        sum = sum ? kernel_binary(k, KOP_ADD, sum, term) : term;
    }
    kval offset = kernel_const_index(k, a->offset);
    return sum ? kernel_binary(k, KOP_ADD, sum, offset) : offset;
}

/* The operand's element in the accumulator's type, in the open block. */
static kval element(struct kernel *k, const struct koperand *o, enum dtype acc)
{
    kval index[MAX_RANK];
    for (int d = 0; d < k->bufs[o->buf].rank; d++)
        index[d] = affine(k, &o->dim[d]);
    kval raw = o->padded ? kernel_load_or(k, o->buf, index, o->pad) : kernel_load(k, o->buf, index);
    const struct kblock *p = &o->prologue;
    if (!p->n)
        return kernel_cast(k, acc, raw);
    /* The parameter becomes the element by way of a substitution over the whole kernel. */
    kval *subst = arena_array(k->arena, k->n_insts, sizeof *subst);
    subst[p->param[0]] = raw;
    kernel_raw_substitute(k, subst);
    for (size_t j = 0; j + 1 < p->n; j++)
        kernel_raw_append(k, k->open[k->n_open - 1], p->insts[j]);
    return kernel_inst(k, p->insts[p->n - 1])->args[0];
}

void kernel_expand_contract(struct kernel *k, kval v)
{
    struct kregion *r = kernel_inst(k, v)->region;
    struct kcontract *c = r->contract;
    struct kregion *map = arena_new(k->arena, struct kregion);
    map->lanes = 1;
    kval extent[KREGION_MAX_DIMS], index[KREGION_MAX_DIMS], unused[KREGION_MAX_DIMS];
    int n_k = 0;
    for (int d = 0; d < r->n_dims; d++) {
        if (c->kind[d] == KITER_K) {
            extent[n_k] = r->extent[d];
            index[n_k++] = r->index[d];
        } else {
            map->extent[map->n_dims] = r->extent[d];
            map->index[map->n_dims++] = r->index[d];
        }
    }
    open_block(k, &map->block[0]);
    kval zero = kernel_const(k, c->acc, 0);
    kval sum = kernel_raw_region(k, KOP_REDUCE, c->acc, 1, &zero, n_k, extent, unused);
    struct kregion *reduce = kernel_inst(k, sum)->region;
    reduce->combine = KCOMBINE_ADD;
    for (int d = 0; d < n_k; d++)
        reduce->index[d] = index[d];
    open_block(k, &reduce->block[0]);
    kval a = element(k, &c->a, c->acc), b = element(k, &c->b, c->acc);
    kval product = kernel_binary(k, KOP_MUL, a, b);
    kval yield = kernel_raw_inst(k, KOP_YIELD, DTYPE_NONE, 1, &product);
    kernel_raw_append(k, &reduce->block[0], yield);
    k->n_open -= 2;
    kernel_raw_append(k, &map->block[0], sum);
    for (size_t j = 0; j < r->block[0].n; j++)
        kernel_raw_append(k, &map->block[0], r->block[0].insts[j]);

    kernel_inst(k, v)->op = KOP_MAP;
    kernel_inst(k, v)->region = map;
    kval *subst = arena_array(k->arena, k->n_insts, sizeof *subst);
    subst[r->block[0].param[0]] = sum;
    kernel_raw_substitute(k, subst);
}

static bool expand_block(struct kernel *k, const struct kblock *b)
{
    bool changed = false;
    for (size_t j = 0; j < b->n; j++) {
        kval v = b->insts[j];
        if (!kernel_inst(k, v)->region)
            continue;
        if (kernel_inst(k, v)->op == KOP_CONTRACT) {
            kernel_expand_contract(k, v);
            changed = true;
        }
        struct kblock *blocks[KREGION_MAX_BLOCKS];
        int n = kernel_raw_blocks(k, v, blocks);
        for (int c = 0; c < n; c++)
            changed |= expand_block(k, blocks[c]);
    }
    return changed;
}

bool kernel_expand_contracts(struct kernel *k)
{
    return expand_block(k, &k->body);
}
