/*
 * Pools that are composed of others, or have forms that are operators of their own.
 */
#include "loader/import/onnx/onnx.h"

/* p of a norm, which was a float in version 1. */
static bool take_norm(struct onnx *o, struct draft *d, float *out)
{
    struct draft_attr *p = draft_take(d, "p");
    if (p && p->kind != ATTR_KIND_INT && p->kind != ATTR_KIND_FLOAT)
        return draft_error(o, d, SHEAF_ERROR_FORMAT, "attribute 'p' is no number");
    *out = !p ? 2 : p->kind == ATTR_KIND_INT ? (float)p->u.i : p->u.f;
    return true;
}

bool onnx_adapt_lp_pool(struct onnx *o, struct draft *d)
{
    float p = 0;
    if (!take_norm(o, d, &p))
        return false;
    draft_add(o, d, "p", ATTR_KIND_FLOAT)->u.f = p;
    return true;
}

/* The spatial dimensions of input 0. */
static bool spatial_axes(struct onnx *o, struct draft *d, struct attr_ints *out)
{
    if (!draft_need_inputs(o, d, 1))
        return false;
    int rank = d->in[0]->shape.rank;
    if (rank < 3)
        return draft_error(o, d, SHEAF_ERROR_SHAPE,
                           "the input has %d dimensions, none of them spatial", rank);
    int64_t *axes = arena_array(o->im.arena, (size_t)rank, sizeof *axes);
    for (int i = 2; i < rank; i++)
        axes[i - 2] = i;
    *out = (struct attr_ints){axes, (size_t)rank - 2};
    return true;
}

bool onnx_adapt_global_max_pool(struct onnx *o, struct draft *d)
{
    struct attr_ints axes;
    return spatial_axes(o, d, &axes) &&
           draft_finish(o, d, build_reduce(&o->im, OP_reduce_max, d->name, d->in[0], axes, true));
}

bool onnx_adapt_global_lp_pool(struct onnx *o, struct draft *d)
{
    struct importer *im = &o->im;
    struct attr_ints axes;
    float p = 0;
    if (!spatial_axes(o, d, &axes) || !take_norm(o, d, &p))
        return false;
    if (!(p > 0))
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "a norm with p = %g is not possible",
                           (double)p);
    if (p == 1 || p == 2)
        return draft_finish(
            o, d,
            build_reduce(im, p == 1 ? OP_reduce_l1 : OP_reduce_l2, d->name, d->in[0], axes, true));
    struct value *x = onnx_widened(o, d->in[0]);
    struct value *size = build_unary(im, OP_abs, d->name, x);
    struct value *power = build_binary(im, OP_pow, d->name, size, build_number(im, x, (double)p));
    struct value *sum = build_reduce(im, OP_reduce_sum, d->name, power, axes, true);
    struct value *root = build_binary(im, OP_pow, d->name, sum, build_number(im, x, 1 / (double)p));
    return onnx_finish_as(o, d, root, d->in[0]->dtype);
}

/* Its second output makes another operator of it. */
bool onnx_adapt_max_pool(struct onnx *o, struct draft *d)
{
    if (draft_output_used(o, d, 1))
        d->op = OP_max_pool_indices;
    else
        draft_take(d, "storage_order");
    return true;
}

/* The indices are those of the result without output_shape, behind which then zeros follow in each
   dimension. */
bool onnx_adapt_max_unpool(struct onnx *o, struct draft *d)
{
    struct value *stated = draft_input(d, 2);
    if (!stated)
        return true;
    if (!draft_need_inputs(o, d, 2))
        return false;
    if (!value_is_constant(stated) || stated->dtype != DTYPE_I64 ||
        tensor_elems(stated->constant) != d->in[0]->shape.rank)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "output_shape, '%s', must be a constant with a number per dimension",
                           stated->name);
    struct node *n = build_begin(&o->im, OP_max_unpool, d->name, d->in, 2, 1);
    if (!draft_set_attrs(o, d, n))
        return false;
    struct value *y = build_end1(&o->im, n, NULL);
    if (!y)
        return false;
    int64_t pads[2 * MAX_RANK] = {0};
    for (int i = 0; i < y->shape.rank; i++) {
        pads[y->shape.rank + i] = tensor_get_int(stated->constant, i) - y->shape.dims[i];
        if (pads[y->shape.rank + i] < 0)
            return draft_error(o, d, SHEAF_ERROR_SHAPE,
                               "output_shape is less than %s in dimension %d",
                               shape_print(&y->shape, o->im.arena), i);
    }
    struct value *in[] = {y, build_ints(&o->im, NULL, pads, 2 * (size_t)y->shape.rank)};
    return draft_finish(o, d, build_op(&o->im, OP_pad, d->name, in, 2, draft_output_name(d)));
}
