/*
 * RoiAlign-22.  A box is cut into output_height x output_width bins, each bin into a grid of cells;
 * the samples lie in the middle of the cells and are interpolated between four elements.
 */
#include <math.h>
#include <string.h>

#include "ir/ops/common.h"

enum { X, ROIS, BATCH };
/* Cells along a bin, where sampling_ratio leaves it to the size of the box. */
enum { MAX_CELLS = 4096 };

bool roi_align_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct roi_align_attrs *a = n->attrs;
    const struct shape *x = &n->in[X]->shape, *rois = &n->in[ROIS]->shape;
    if (strcmp(a->coordinate_transformation_mode, "half_pixel") &&
        strcmp(a->coordinate_transformation_mode, "output_half_pixel"))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "coordinate_transformation_mode '%s' is not known",
                         a->coordinate_transformation_mode);
    if (strcmp(a->mode, "avg") && strcmp(a->mode, "max"))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "mode '%s' is not known", a->mode);
    if (!ops_check_type(n, X, TYPES_FLOAT, err) || !ops_check_same_type(n, X, ROIS, err) ||
        !ops_check_type(n, BATCH, TYPES_INDEX, err) || !ops_check_static(n, X, err) ||
        !ops_check_rank(n, X, 4, err) || !ops_check_rank(n, ROIS, 2, err) ||
        !ops_check_rank(n, BATCH, 1, err))
        return false;
    const struct shape *batch = &n->in[BATCH]->shape;
    if (rois->dims[1] != 4 || rois->extent[1] || batch->dims[0] != rois->dims[0] ||
        batch->extent[0] != rois->extent[0])
        return error_set(err, SHEAF_ERROR_SHAPE, "boxes '%s' and their images '%s' do not fit",
                         n->in[ROIS]->name, n->in[BATCH]->name);
    if (a->output_height < 1 || a->output_width < 1 || a->sampling_ratio < 0 ||
        a->sampling_ratio > MAX_CELLS)
        return error_set(
            err, SHEAF_ERROR_SHAPE, "a result of %lld x %lld with %lld samples is not possible",
            (long long)a->output_height, (long long)a->output_width, (long long)a->sampling_ratio);
    if (rois->dims[0] > 0 && shape_elems(x) == 0)
        return error_set(err, SHEAF_ERROR_SHAPE, "'%s' has no elements", n->in[X]->name);
    struct shape y = {.rank = 4,
                      .dims = {rois->dims[0], x->dims[1], a->output_height, a->output_width},
                      .extent = {rois->extent[0]}};
    return ops_set_output(n, 0, n->in[X]->dtype, &y, err);
}

struct sampler {
    struct lower *l;
    struct kernel *k;
    enum dtype type;
};

/* One direction of a bin. */
struct bins {
    kval start, size, cells, step;
};

/* The place of a sample: two neighbours and their weights. */
struct neighbours {
    kval at[2], weight[2], outside;
};

static kval number(const struct sampler *s, double v)
{
    return kernel_const_float(s->k, s->type, v);
}

static kval op(const struct sampler *s, enum kop op, kval a, kval b)
{
    return kernel_binary(s->k, op, a, b);
}

static kval load_edge(const struct sampler *s, kval roi, int edge)
{
    const struct roi_align_attrs *a = s->l->node->attrs;
    kval at[2] = {roi, kernel_const_index(s->k, edge)};
    kval v = kernel_cast(s->k, s->type, kernel_load(s->k, s->l->in[ROIS], at));
    v = op(s, KOP_MUL, v, number(s, (double)a->spatial_scale));
    bool half = !strcmp(a->coordinate_transformation_mode, "half_pixel");
    return half ? op(s, KOP_SUB, v, number(s, 0.5)) : v;
}

/* `axis`: 0 along x, 1 along y. */
static struct bins cut_box(const struct sampler *s, kval roi, int axis, int64_t n)
{
    struct kernel *k = s->k;
    const struct roi_align_attrs *a = s->l->node->attrs;
    struct bins b = {.start = load_edge(s, roi, axis)};
    kval length = op(s, KOP_SUB, load_edge(s, roi, axis + 2), b.start);
    if (strcmp(a->coordinate_transformation_mode, "half_pixel"))
        length = op(s, KOP_MAX, length, number(s, 1));
    b.size = op(s, KOP_DIV, length, number(s, (double)n));
    if (a->sampling_ratio) {
        b.cells = kernel_const_index(k, a->sampling_ratio);
    } else {
        kval cells = kernel_cast(k, DTYPE_I64, kernel_unary(k, KOP_CEIL, b.size));
        cells = kernel_binary(k, KOP_MIN, cells, kernel_const_index(k, MAX_CELLS));
        b.cells = kernel_binary(k, KOP_MAX, cells, kernel_const_index(k, 0));
    }
    b.step = op(s, KOP_DIV, b.size, kernel_cast(k, s->type, b.cells));
    return b;
}

static struct neighbours find_neighbours(const struct sampler *s, const struct bins *b, kval bin,
                                         kval cell, int64_t extent)
{
    struct kernel *k = s->k;
    struct neighbours n;
    kval middle = op(s, KOP_ADD, kernel_cast(k, s->type, cell), number(s, 0.5));
    kval v = op(s, KOP_MUL, kernel_cast(k, s->type, bin), b->size);
    v = op(s, KOP_ADD, op(s, KOP_ADD, b->start, v), op(s, KOP_MUL, middle, b->step));
    kval before = kernel_compare(k, KOP_LT, v, number(s, -1));
    kval behind = kernel_compare(k, KOP_LT, number(s, (double)extent), v);
    n.outside = kernel_binary(k, KOP_OR, before, behind);
    v = op(s, KOP_MIN, op(s, KOP_MAX, v, number(s, 0)), number(s, (double)(extent - 1)));
    kval low = kernel_unary(k, KOP_FLOOR, v), last = kernel_const_index(k, extent - 1);
    n.at[0] = kernel_cast(k, DTYPE_I64, low);
    n.at[1] = kernel_binary(k, KOP_MIN, ops_add_const(k, n.at[0], 1), last);
    n.weight[1] = op(s, KOP_SUB, v, low);
    n.weight[0] = op(s, KOP_SUB, number(s, 1), n.weight[1]);
    return n;
}

/* The sum, or with `largest` the largest, of the four weighted elements. */
static kval sample(const struct sampler *s, kval *at, const struct neighbours *y,
                   const struct neighbours *x, bool largest)
{
    struct kernel *k = s->k;
    kval v = 0;
    for (int i = 0; i < 4; i++) {
        at[2] = y->at[i / 2];
        at[3] = x->at[i % 2];
        kval w = op(s, KOP_MUL, y->weight[i / 2], x->weight[i % 2]);
        kval term = op(s, KOP_MUL, w, kernel_cast(k, s->type, kernel_load(k, s->l->in[X], at)));
        v = i ? op(s, largest ? KOP_MAX : KOP_ADD, v, term) : term;
    }
    kval outside = kernel_binary(k, KOP_OR, y->outside, x->outside);
    return kernel_select(k, outside, number(s, 0), v);
}

void roi_align_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct roi_align_attrs *a = l->node->attrs;
    const struct kbuf x = k->bufs[l->in[X]];
    struct sampler s = {.l = l, .k = k, .type = ops_compute_type(x.dtype)};
    bool largest = !strcmp(a->mode, "max");
    kval out[4], at[4], cell[2], result;
    ops_map_begin(k, l->out[0], out);
    struct bins rows = cut_box(&s, out[0], 1, a->output_height);
    struct bins columns = cut_box(&s, out[0], 0, a->output_width);
    at[0] = ops_load_index(k, l->in[BATCH], &out[0], kernel_const_index(k, x.dims[0]));
    at[1] = out[1];
    kval extent[2] = {rows.cells, columns.cells};
    kval start = number(&s, largest ? -INFINITY : 0);
    kernel_reduce_begin(k, largest ? KCOMBINE_MAX : KCOMBINE_ADD, 1, 2, extent, 1, &start, cell);
    struct neighbours row = find_neighbours(&s, &rows, out[2], cell[0], x.dims[2]);
    struct neighbours column = find_neighbours(&s, &columns, out[3], cell[1], x.dims[3]);
    kval v = sample(&s, at, &row, &column, largest);
    kernel_reduce_end(k, &v, &result);
    kval cells = kernel_binary(k, KOP_MUL, rows.cells, columns.cells);
    kval none = kernel_compare(k, KOP_LT, cells, kernel_const_index(k, 1));
    if (!largest)
        result = op(&s, KOP_DIV, result, kernel_cast(k, s.type, cells));
    ops_store(k, l->out[0], out, kernel_select(k, none, number(&s, 0), result));
    ops_map_end(k, l->out[0]);
}
