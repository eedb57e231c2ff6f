/* What passes put before and behind a contraction, and in place of its block. */
#include <assert.h>

#include "ir/kernel.h"
#include "ir/kernel_raw.h"

void kernel_raw_open(struct kernel *k, struct kblock *b)
{
    assert((size_t)k->n_open < sizeof k->open / sizeof k->open[0]);
    k->open[k->n_open++] = b;
}

kval kernel_raw_moved(struct kernel *k, kval index, const struct kaffine *rest)
{
    kval sum = index;
    for (int i = 0; i < rest->n_terms; i++) {
        kval coef = kernel_const_index(k, rest->term[i].coef);
        kval term = kernel_binary(k, KOP_MUL, rest->term[i].var, coef);
        sum = kernel_binary(k, KOP_ADD, sum, term);
    }
    kval offset = kernel_const_index(k, rest->offset);
    return kernel_binary(k, KOP_ADD, sum, offset);
}

void kernel_raw_store_sums(struct kernel *k, struct kregion *r, int buf, const kval *index)
{
    r->block[0].insts = NULL;
    r->block[0].n = r->block[0].cap = 0;
    kernel_raw_open(k, &r->block[0]);
    kernel_store(k, buf, index, r->block[0].param[0]);
    k->n_open--;
}

static void substitute(kval *use, void *arg)
{
    const kval *subst = arg;
    if (subst[*use])
        *use = subst[*use];
}

void kernel_raw_finish(struct kernel *k, const struct kblock *epilogue, int n, const kval *old,
                       const kval *index, kval sum)
{
    kval *subst = arena_array(k->arena, k->n_insts, sizeof *subst);
    for (int i = 0; i < n; i++)
        subst[old[i]] = index[i];
    subst[epilogue->param[0]] = sum;
    for (size_t i = 0; i < epilogue->n; i++) {
        kernel_raw_each_use_within(k, epilogue->insts[i], substitute, subst);
        kernel_raw_append(k, k->open[k->n_open - 1], epilogue->insts[i]);
    }
}
