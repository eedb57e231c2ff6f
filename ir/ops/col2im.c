/*
 * Col2Im-18.  Each pixel sums over the elements of a block those columns that have the pixel there.
 */
#include "ir/checked.h"
#include "ir/ops/common.h"

enum { X, IMAGE, BLOCK };
enum { MAX_SPATIAL = MAX_RANK - 2 };

struct plan {
    int n; /* spatial dimensions */
    int64_t image[MAX_SPATIAL], block[MAX_SPATIAL], places[MAX_SPATIAL];
    int64_t before[MAX_SPATIAL], stride[MAX_SPATIAL], dilation[MAX_SPATIAL];
    int64_t block_elems;
};

static bool list_fits(const char *what, const struct attr_ints *list, size_t n, int64_t least,
                      struct error *err)
{
    if (list->n && list->n != n)
        return error_set(err, SHEAF_ERROR_SHAPE, "%s has %zu values where %zu are needed", what,
                         list->n, n);
    for (size_t i = 0; i < list->n; i++)
        if (list->v[i] < least || list->v[i] > INT32_MAX)
            return error_set(err, SHEAF_ERROR_SHAPE, "%s may not contain %lld", what,
                             (long long)list->v[i]);
    return true;
}

/* How many blocks lie along dimension i. */
static bool plan_places(struct plan *p, int i, int64_t after, struct error *err)
{
    if (p->block[i] < 1 || p->block[i] > INT32_MAX || p->image[i] < 0 ||
        p->image[i] > LIMIT_TENSOR_ELEMS)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "blocks of %lld in images of %lld are not possible",
                         (long long)p->block[i], (long long)p->image[i]);
    int64_t room = p->image[i] + p->before[i] + after - p->dilation[i] * (p->block[i] - 1) - 1;
    if (room < 0)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "a block does not fit into the image in spatial dimension %d", i);
    p->places[i] = room / p->stride[i] + 1;
    return true;
}

static bool plan_blocks(const struct node *n, struct plan *out, struct error *err)
{
    const struct col2im_attrs *a = n->attrs;
    struct plan p = {.block_elems = 1};
    size_t spatial, n_block;
    if (!ops_const_ints(n, IMAGE, "image shape", MAX_SPATIAL, p.image, &spatial, err) ||
        !ops_const_ints(n, BLOCK, "block shape", MAX_SPATIAL, p.block, &n_block, err) ||
        !list_fits("dilations", &a->dilations, spatial, 1, err) ||
        !list_fits("strides", &a->strides, spatial, 1, err) ||
        !list_fits("pads", &a->pads, 2 * spatial, 0, err))
        return false;
    if (n_block != spatial)
        return error_set(err, SHEAF_ERROR_SHAPE, "blocks have %zu dimensions and images %zu",
                         n_block, spatial);
    p.n = (int)spatial;
    for (int i = 0; i < p.n; i++) {
        p.dilation[i] = a->dilations.n ? a->dilations.v[i] : 1;
        p.stride[i] = a->strides.n ? a->strides.v[i] : 1;
        p.before[i] = a->pads.n ? a->pads.v[i] : 0;
        if (!plan_places(&p, i, a->pads.n ? a->pads.v[p.n + i] : 0, err))
            return false;
        if (!checked_mul(p.block_elems, p.block[i], &p.block_elems))
            return error_set(err, SHEAF_ERROR_SHAPE, "blocks have too many elements");
    }
    *out = p;
    return true;
}

bool col2im_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct shape *x = &n->in[X]->shape;
    struct plan p;
    if (!ops_check_type(n, X, TYPES_NUMBER, err) || !ops_check_static(n, X, err) ||
        !ops_check_rank(n, X, 3, err) || !plan_blocks(n, &p, err))
        return false;
    int64_t places = 1;
    for (int i = 0; i < p.n; i++)
        if (!checked_mul(places, p.places[i], &places))
            return error_set(err, SHEAF_ERROR_SHAPE, "there would be too many blocks");
    if (x->dims[1] % p.block_elems || x->dims[2] != places)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "'%s' has %lld channels and %lld columns where multiples of %lld and %lld "
                         "are needed",
                         n->in[X]->name, (long long)x->dims[1], (long long)x->dims[2],
                         (long long)p.block_elems, (long long)places);
    struct shape y = {.rank = 2 + p.n, .dims = {x->dims[0], x->dims[1] / p.block_elems}};
    for (int i = 0; i < p.n; i++)
        y.dims[2 + i] = p.image[i];
    return ops_set_output(n, 0, n->in[X]->dtype, &y, err);
}

/* The element of x that adds to pixel `out` at place `in_block` of a block; 0 where there is none.
 */
static kval load_column(struct lower *l, const struct plan *p, const kval *out,
                        const kval *in_block)
{
    struct kernel *k = l->kernel;
    kval zero = kernel_const_index(k, 0), row = out[1], column = zero, fits = 0;
    for (int i = 0; i < p->n; i++) {
        kval from = ops_mul_const(k, in_block[i], p->dilation[i]);
        kval at = kernel_binary(k, KOP_SUB, ops_add_const(k, out[2 + i], p->before[i]), from);
        kval stride = kernel_const_index(k, p->stride[i]);
        kval place = p->stride[i] == 1 ? at : kernel_binary(k, KOP_DIV, at, stride);
        fits = ops_and(k, fits, kernel_compare(k, KOP_LE, zero, at));
        fits =
            ops_and(k, fits, kernel_compare(k, KOP_LT, place, kernel_const_index(k, p->places[i])));
        if (p->stride[i] != 1)
            fits = ops_and(k, fits,
                           kernel_compare(k, KOP_EQ, kernel_binary(k, KOP_REM, at, stride), zero));
        row = kernel_binary(k, KOP_ADD, ops_mul_const(k, row, p->block[i]), in_block[i]);
        column = kernel_binary(k, KOP_ADD, ops_mul_const(k, column, p->places[i]), place);
    }
    kval none = kernel_const(k, k->bufs[l->in[X]].dtype, 0);
    if (fits)
        column = kernel_select(k, fits, column, kernel_const_index(k, -1));
    kval in[3] = {out[0], row, column};
    return kernel_load_or(k, l->in[X], in, none);
}

void col2im_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    struct plan p;
    plan_blocks(l->node, &p, NULL);
    enum dtype acc = ops_compute_type(k->bufs[l->in[X]].dtype);
    kval out[MAX_RANK], in_block[MAX_SPATIAL], extent[MAX_SPATIAL], sum;
    kval zero = kernel_const(k, acc, 0);
    ops_map_begin(k, l->out[0], out);
    for (int i = 0; i < p.n; i++)
        extent[i] = kernel_const_index(k, p.block[i]);
    if (p.n) {
        kernel_reduce_begin(k, KCOMBINE_ADD, 1, p.n, extent, 1, &zero, in_block);
        kval v = kernel_cast(k, acc, load_column(l, &p, out, in_block));
        kernel_reduce_end(k, &v, &sum);
    } else {
        sum = kernel_cast(k, acc, load_column(l, &p, out, in_block));
    }
    ops_store(k, l->out[0], out, sum);
    ops_map_end(k, l->out[0]);
}
