/*
 * Contractions on the Vector Engine: what their vectors run along.
 *
 * A convolution's vectors are channels where there are many.  With fewer than half a register of
 * them, pixels make longer ones: the operands are exchanged, so that each step multiplies a vector
 * of pixels with the numbers of some channels' weights.  For that the pixels of all rows need one
 * index, which they have where the window is one pixel, and are given by a copy of the image where
 * it is more.
 */
#include "bundle/tile/schedule_contract.h"
#include "ve_runtime/codegen/ve_target.h"
#include "ve_runtime/codegen/vel.h"

int64_t ve_even_lanes(int64_t extent)
{
    int64_t lanes = extent < VEL_LANES ? extent : VEL_LANES;
    while (extent % lanes != 0)
        lanes--;
    return lanes;
}

/* Whether rows, with which numbers of the other operand are multiplied, make longer vectors than
   columns do: the pixels of an image with few channels. */
static bool has_longer_rows(const struct kernel *k, const struct kregion *r)
{
    const struct kcontract *c = r->contract;
    struct schedule_entry e;
    int outer_m;
    if (c->a.padded || c->b.padded || !schedule_is_static(k, r) ||
        !schedule_choose_indices(k, r, false, &e, &outer_m) || e.row_iter < 0 || outer_m >= 0)
        return false;
    int64_t columns = kernel_static_extent(k, r, e.col_iter);
    int64_t rows = ve_even_lanes(kernel_static_extent(k, r, e.row_iter));
    return columns < VEL_LANES && rows > columns;
}

/* The dimension of the weights that a K index runs over whose pairs lie side by side in operand A;
   -1: there is none. */
static int dim_of_pairs(const struct kernel *k, const struct kregion *r)
{
    const struct kcontract *c = r->contract;
    for (int i = 0; i < r->n_dims; i++)
        if (c->kind[i] == KITER_K && schedule_lies_in_groups(k, &c->a, r->index[i], 2) &&
            schedule_dim_of_k(k, &c->b, r->index[i]) >= 0)
            return schedule_dim_of_k(k, &c->b, r->index[i]);
    return -1;
}

/* Weights, whose numbers are then multiplied with vectors, are packed in pairs. */
bool ve_schedule_contract(const struct target *t, struct kernel *k, kval contract,
                          struct schedule_entry *out_entry)
{
    const struct kregion *r = kernel_inst(k, contract)->region;
    struct kbuf *weights = &k->bufs[r->contract->b.buf];
    int d = dim_of_pairs(k, r);
    if (weights->constant && d >= 0 && has_longer_rows(k, r)) {
        weights->layout = layout_blocked(layout_plain(weights->rank), d, 2);
        kernel_exchange_operands(k, contract);
    }
    return tile_schedule_contract(t, k, contract, out_entry);
}

/* ---- before kernels become phases ---- */

static int64_t extent_of_kind(const struct kernel *k, const struct kregion *r, enum kiter kind)
{
    int64_t n = 1;
    for (int i = 0; i < r->n_dims; i++)
        if (r->contract->kind[i] == kind)
            n *= kernel_static_extent(k, r, i);
    return n;
}

/* A copy costs a pass over what is read, so there must be some sums for each element. */
void ve_prepare_contract(const struct target *t, struct kernel *k, kval contract)
{
    enum { FEW_COLUMNS = VEL_LANES / 2, LEAST_COLUMNS = 8, LEAST_SUM = 16 };
    (void)t;
    const struct kregion *r = kernel_inst(k, contract)->region;
    const struct kcontract *c = r->contract;
    if (!schedule_is_static(k, r) || c->acc != DTYPE_F32 || c->b.padded ||
        !k->bufs[c->b.buf].constant)
        return;
    int64_t columns = extent_of_kind(k, r, KITER_N);
    if (columns > FEW_COLUMNS || columns < LEAST_COLUMNS ||
        extent_of_kind(k, r, KITER_M) < 2 * columns || extent_of_kind(k, r, KITER_K) < LEAST_SUM ||
        extent_of_kind(k, r, KITER_BATCH) > 1)
        return;
    if (!kernel_flatten_windows(k, contract, VEL_LANES))
        kernel_unfold_windows(k, contract);
}
