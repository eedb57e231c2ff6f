/* What the schedulers of contractions ask of a region and its accesses. */
#include "bundle/tile/schedule_contract.h"
#include "ir/schedule_order.h"

bool schedule_is_static(const struct kernel *k, const struct kregion *r)
{
    for (int i = 0; i < r->n_dims; i++)
        if (kernel_static_extent(k, r, i) <= 0)
            return false;
    return true;
}

bool schedule_padding_counts(const struct kernel *k, const struct koperand *o)
{
    if (!o->padded)
        return false;
    const struct kinst *pad = kernel_inst(k, o->pad);
    bool zero =
        pad->op == KOP_CONST && (dtype_is_float(pad->type) ? pad->imm.f == 0 : pad->imm.i == 0);
    return !zero || o->prologue.n;
}

bool schedule_is_single(const struct kernel *k, const struct kregion *r, kval index)
{
    int i = kregion_index_of(r, index);
    return i >= 0 && kernel_static_extent(k, r, i) == 1;
}

bool schedule_can_leave(const struct kernel *k, const struct kregion *r, const struct koperand *o,
                        int d)
{
    int64_t least, most;
    return !kernel_affine_range(k, r, &o->dim[d], &least, &most) || least < 0 ||
           most >= k->bufs[o->buf].dims[d];
}

bool schedule_even_stride(const struct kbuf *b, const struct kaffine *dims, kval index,
                          int64_t *out_stride)
{
    for (int d = 0; d < b->rank; d++)
        if (kaffine_coef(&dims[d], index) && layout_block_size(&b->layout, d) > 1)
            return false;
    return schedule_stride(b, dims, index, out_stride);
}

bool schedule_lies_in_groups(const struct kernel *k, const struct koperand *o, kval index, int n)
{
    const struct kbuf *b = &k->bufs[o->buf];
    struct layout_strides s = layout_strides(&b->layout, b->dims);
    int64_t stride, offset = 0;
    if (b->layout.n_blocks)
        return b->layout.n_blocks == 1 && b->layout.block[0].size == n &&
               schedule_dim_of_k(k, o, index) == b->layout.block[0].dim;
    if (!schedule_stride(b, o->dim, index, &stride) || stride != 1)
        return false;
    for (int d = 0; d < b->rank; d++) {
        offset += o->dim[d].offset * s.outer[d];
        for (int i = 0; i < o->dim[d].n_terms; i++)
            if (o->dim[d].term[i].var != index && o->dim[d].term[i].coef * s.outer[d] % n != 0)
                return false;
    }
    return offset % n == 0;
}

bool schedule_joins(const struct kbuf *b, const struct kaffine *dims, kval outer, kval inner,
                    int64_t n)
{
    int64_t so, si;
    return schedule_even_stride(b, dims, outer, &so) && schedule_even_stride(b, dims, inner, &si) &&
           so == si * n;
}

bool schedule_epilogue_joins(const struct kernel *k, const struct kblock *blk, kval outer,
                             kval inner, int64_t n)
{
    for (size_t i = 0; i < blk->n; i++) {
        const struct kinst *in = kernel_inst(k, blk->insts[i]);
        if (in->region)
            return false;
        if (in->op != KOP_LOAD && in->op != KOP_STORE) {
            /* An index that is used as a number needs its own value. */
            for (int j = 0; j < in->n_args; j++) {
                struct kaffine x;
                if (kernel_affine_of(k, in->args[j], &x) &&
                    (kaffine_coef(&x, outer) || kaffine_coef(&x, inner)))
                    return false;
            }
            continue;
        }
        struct kaffine dims[MAX_RANK];
        for (int d = 0; d < k->bufs[in->buf].rank; d++)
            if (!kernel_affine_of(k, in->args[d], &dims[d]))
                return false;
        if (!schedule_joins(&k->bufs[in->buf], dims, outer, inner, n))
            return false;
    }
    return true;
}

int schedule_dim_of_k(const struct kernel *k, const struct koperand *b, kval index)
{
    int found = -1;
    for (int d = 0; d < k->bufs[b->buf].rank; d++) {
        if (kaffine_coef(&b->dim[d], index) == 0)
            continue;
        if (found >= 0 || b->dim[d].n_terms != 1 || b->dim[d].term[0].coef != 1 ||
            b->dim[d].offset != 0)
            return -1;
        found = d;
    }
    return found;
}

bool schedule_choose_indices(const struct kernel *k, const struct kregion *r, bool single_rows,
                             struct schedule_entry *e, int *out_outer_m)
{
    e->row_iter = e->col_iter = *out_outer_m = -1;
    for (int i = 0; i < r->n_dims; i++) {
        enum kiter kind = r->contract->kind[i];
        if (kernel_static_extent(k, r, i) == 1 && !(kind == KITER_M && single_rows))
            continue;
        if (kind == KITER_N && e->col_iter >= 0)
            return false;
        if (kind == KITER_N)
            e->col_iter = i;
        if (kind == KITER_M) {
            *out_outer_m = e->row_iter;
            e->row_iter = i;
        }
    }
    return e->col_iter >= 0;
}
