/* How the K values that a step takes together lie in operand A. */
#include "bundle/tile/schedule_contract.h"
#include "ir/schedule_order.h"

int tile_pow2_ceil(int64_t n)
{
    int p = 1;
    while (p < n)
        p *= 2;
    return p;
}

int64_t tile_div_ceil(int64_t n, int64_t by)
{
    return (n + by - 1) / by;
}

bool schedule_group_is_adjacent(const struct kernel *k, const struct kregion *r,
                                const struct schedule_entry *e)
{
    const struct koperand *a = &r->contract->a;
    const struct kbuf *b = &k->bufs[a->buf];
    kval index = r->index[e->group_iter];
    int step = e->group * e->at_once;
    int64_t stride;
    if (e->dot == SCHEDULE_DOT_PAIRS)
        return schedule_lies_in_groups(k, a, index, step);
    if (e->k_iter != e->group_iter)
        return schedule_stride(b, a->dim, index, &stride) && stride == 1;
    /* Inside a block: the start of each step must be a multiple of it. */
    for (int d = 0; d < b->rank; d++) {
        if (kaffine_coef(&a->dim[d], index) == 0)
            continue;
        if (a->dim[d].offset % step != 0 || e->k_block % step != 0)
            return false;
        for (int i = 0; i < a->dim[d].n_terms; i++)
            if (a->dim[d].term[i].var != index && a->dim[d].term[i].coef % step != 0)
                return false;
    }
    const struct layout *l = &b->layout;
    return kaffine_coef(&a->dim[l->block[l->n_blocks - 1].dim], index) == 1;
}

bool schedule_group_may_overrun(const struct kernel *k, const struct kregion *r,
                                const struct schedule_entry *e)
{
    const struct koperand *a = &r->contract->a;
    const struct kbuf *b = &k->bufs[a->buf];
    int64_t n = kernel_static_extent(k, r, e->group_iter);
    int step = e->group * e->at_once;
    int64_t over = (step - n % step) % step;
    /* What is read beyond must meet zeros of B, which is padded to blocks and groups.  It may be
       anything, and a NaN is no number even then. */
    if (over && dtype_is_float(b->dtype))
        return false;
    if (e->at_once > 1 && over && e->k_iter != e->group_iter)
        return false;
    for (int d = 0; d < b->rank; d++) {
        int64_t coef = kaffine_coef(&a->dim[d], r->index[e->group_iter]);
        int64_t block = layout_block_size(&b->layout, d), least, most;
        if (coef == 0)
            continue;
        if (!kernel_affine_range(k, r, &a->dim[d], &least, &most) ||
            most + coef * over >= tile_div_ceil(b->dims[d], block) * block)
            return false;
    }
    return true;
}
