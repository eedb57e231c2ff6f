/*
 * Normalizations: those over some axes of one tensor become the operator `normalize`, each with
 * scale and bias in the shape that broadcasts to x; training of batches is composed.
 */
#include "loader/import/onnx/onnx.h"

/* The attribute `axes` of a normalization: from..to - 1. */
static void set_axes(struct onnx *o, struct draft *d, int64_t from, int64_t to)
{
    int64_t *axes = arena_array(o->im.arena, (size_t)(to - from) + 1, sizeof *axes);
    for (int64_t a = from; a < to; a++)
        axes[a - from] = a;
    struct draft_attr *attr = draft_add(o, d, "axes", ATTR_KIND_INTS);
    attr->u.ints = (struct attr_ints){axes, (size_t)(to - from)};
    d->op = OP_normalize;
}

/* ---- LayerNormalization, RMSNormalization ---- */

bool onnx_adapt_layer_norm(struct onnx *o, struct draft *d)
{
    int64_t axis;
    if (!draft_need_inputs(o, d, 2) || !draft_take_int(o, d, "axis", -1, &axis))
        return false;
    int rank = d->in[0]->shape.rank;
    if (axis < -rank || axis >= rank)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "axis %lld does not exist in %d dimensions",
                           (long long)axis, rank);
    set_axes(o, d, axis < 0 ? axis + rank : axis, rank);
    return true;
}

bool onnx_adapt_rms_norm(struct onnx *o, struct draft *d)
{
    if (!onnx_adapt_layer_norm(o, d))
        return false;
    draft_add(o, d, "center", ATTR_KIND_INT)->u.i = 0;
    return true;
}

/* ---- InstanceNormalization, MeanVarianceNormalization ---- */

bool onnx_adapt_instance_norm(struct onnx *o, struct draft *d)
{
    if (!draft_need_inputs(o, d, 3))
        return false;
    int rank = d->in[0]->shape.rank;
    if (rank < 2)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "the input has %d dimensions, no channels",
                           rank);
    for (size_t i = 1; i < 3; i++) {
        d->in[i] = build_align(&o->im, d->name, d->in[i], rank, 1);
        if (!d->in[i])
            return false;
    }
    set_axes(o, d, 2, rank);
    return true;
}

/* The operator adds 1e-9 to the deviation, which here is the square of that in the variance: it
   keeps 0 / 0 away. */
bool onnx_adapt_mean_variance(struct onnx *o, struct draft *d)
{
    static const int64_t otherwise[] = {0, 2, 3};
    struct draft_attr *axes;
    if (!draft_take_kind(o, d, "axes", ATTR_KIND_INTS, &axes))
        return false;
    struct attr_ints list = axes ? axes->u.ints : (struct attr_ints){otherwise, 3};
    draft_add(o, d, "axes", ATTR_KIND_INTS)->u.ints = list;
    draft_add(o, d, "epsilon", ATTR_KIND_FLOAT)->u.f = 1e-18f;
    d->op = OP_normalize;
    return true;
}

/* ---- GroupNormalization ---- */

/* The shape [N, groups, channels of a group, the rest]. */
static bool group_dims(struct onnx *o, struct draft *d, int64_t groups, int64_t *out)
{
    const struct shape *x = &d->in[0]->shape;
    if (x->rank < 2 || !shape_is_static(x))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "an input of the shape %s has no channels, or is not fixed",
                           shape_print(x, o->im.arena));
    if (groups < 1 || x->dims[1] % groups)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "%lld channels do not make %lld groups",
                           (long long)x->dims[1], (long long)groups);
    out[0] = x->dims[0];
    out[1] = groups;
    out[2] = x->dims[1] / groups;
    out[3] = 1;
    for (int i = 2; i < x->rank; i++)
        out[3] *= x->dims[i];
    return true;
}

/* Scale and bias are per channel, in versions before 21 per group. */
bool onnx_adapt_group_norm(struct onnx *o, struct draft *d)
{
    int64_t groups, stash, dims[4];
    float epsilon;
    if (!draft_need_inputs(o, d, 3) || !draft_take_int(o, d, "num_groups", 0, &groups) ||
        !draft_take_int(o, d, "stash_type", 1, &stash) ||
        !draft_take_float(o, d, "epsilon", 1e-5f, &epsilon) || !group_dims(o, d, groups, dims))
        return false;
    const struct shape x = d->in[0]->shape;
    int64_t factor_dims[4] = {groups, o->opset < 21 ? 1 : dims[2], 1};
    struct value *in[3] = {build_reshape(&o->im, d->in[0], 4, dims, NULL)};
    for (size_t i = 1; i < 3; i++) {
        if (d->in[i]->shape.rank != 1 || d->in[i]->shape.dims[0] != factor_dims[0] * factor_dims[1])
            return draft_error(o, d, SHEAF_ERROR_SHAPE,
                               "input %zu has the shape %s where [%lld] is needed", i,
                               shape_print(&d->in[i]->shape, o->im.arena),
                               (long long)(factor_dims[0] * factor_dims[1]));
        in[i] = build_reshape(&o->im, d->in[i], 3, factor_dims, NULL);
    }
    if (!in[0] || !in[1] || !in[2])
        return false;
    struct value *y = build_normalize(&o->im, d->name, in, 2, true, epsilon, NULL);
    return y && draft_finish(o, d, build_reshape(&o->im, y, x.rank, x.dims, draft_output_name(d)));
}

/* ---- LpNormalization ---- */

/* What is 0 as a whole stays so. */
bool onnx_adapt_lp_normalization(struct onnx *o, struct draft *d)
{
    int64_t axis, p;
    if (!draft_need_inputs(o, d, 1) || !draft_take_int(o, d, "axis", -1, &axis) ||
        !draft_take_int(o, d, "p", 2, &p))
        return false;
    if (p != 1 && p != 2)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "p = %lld is not 1 or 2", (long long)p);
    struct importer *im = &o->im;
    struct value *x = onnx_widened(o, d->in[0]);
    struct value *norm = build_reduce(im, p == 1 ? OP_reduce_l1 : OP_reduce_l2, d->name, x,
                                      (struct attr_ints){&axis, 1}, true);
    struct value *zero = build_number(im, norm, 0);
    struct value *is_zero = build_binary(im, OP_equal, d->name, norm, zero);
    struct value *in[] = {is_zero, build_number(im, norm, 1), norm};
    if (!is_zero || !in[1])
        return false;
    norm = build_op(im, OP_where, d->name, in, 3, NULL);
    return onnx_finish_as(o, d, build_binary(im, OP_div, d->name, x, norm), d->in[0]->dtype);
}

/* ---- BatchNormalization ---- */

enum { X, SCALE, BIAS, MEAN, VAR };

struct batch_norm {
    float epsilon, momentum;
    bool spatial; /* statistics per channel, else per element of a channel */
};

/* Mean and variance over the batch and, with `spatial`, over all but channels; in f32 where x has
   16 bits. */
static bool statistics(struct onnx *o, struct draft *d, bool spatial, struct value **out_mean,
                       struct value **out_var)
{
    struct importer *im = &o->im;
    struct value *x = onnx_widened(o, d->in[X]);
    int64_t axes[MAX_RANK] = {0};
    size_t n = 1;
    if (!x)
        return false;
    for (int i = 2; spatial && i < x->shape.rank; i++)
        axes[n++] = i;
    struct attr_ints list = {arena_copy(im->arena, axes, sizeof axes), n};
    struct value *kept = build_reduce(im, OP_reduce_mean, d->name, x, list, true);
    *out_mean = build_reduce(im, OP_reduce_mean, d->name, x, list, false);
    struct value *from = build_binary(im, OP_sub, d->name, x, kept);
    struct value *square = build_binary(im, OP_mul, d->name, from, from);
    *out_var = build_reduce(im, OP_reduce_mean, d->name, square, list, false);
    return *out_mean && *out_var;
}

/* momentum * before + (1 - momentum) * now, in the type of `before` */
static struct value *running(struct onnx *o, struct draft *d, struct value *before,
                             struct value *now, float momentum)
{
    struct importer *im = &o->im;
    struct value *old = build_cast(im, d->name, before, now->dtype, NULL);
    struct value *a =
        build_binary(im, OP_mul, d->name, old, build_number(im, now, (double)momentum));
    struct value *b =
        build_binary(im, OP_mul, d->name, now, build_number(im, now, 1 - (double)momentum));
    struct value *sum = build_binary(im, OP_add, d->name, a, b);
    return sum ? build_cast(im, d->name, sum, before->dtype, NULL) : NULL;
}

/* (x - mean) * (scale / sqrt(var + epsilon)) + bias for parameters that broadcast to x. */
static bool per_element(struct onnx *o, struct draft *d, struct value *mean, struct value *var,
                        float epsilon)
{
    struct importer *im = &o->im;
    struct value *sum =
        build_binary(im, OP_add, d->name, var, build_number(im, var, (double)epsilon));
    struct value *root = build_unary(im, OP_sqrt, d->name, sum);
    struct value *factor = build_binary(im, OP_div, d->name, d->in[SCALE], root);
    struct value *y = build_binary(im, OP_sub, d->name, d->in[X], mean);
    y = build_binary(im, OP_mul, d->name, y, factor);
    struct value *in[] = {y, d->in[BIAS]};
    return y && draft_finish(o, d, build_op(im, OP_add, d->name, in, 2, draft_output_name(d)));
}

static bool normalize_batch(struct onnx *o, struct draft *d, struct value *mean, struct value *var,
                            const struct batch_norm *b)
{
    if (!b->spatial)
        return per_element(o, d, mean, var, b->epsilon);
    struct value *in[] = {d->in[X], d->in[SCALE], d->in[BIAS], mean, var};
    struct node *n = build_begin(&o->im, OP_batch_norm, d->name, in, 5, 1);
    ((struct batch_norm_attrs *)n->attrs)->epsilon = b->epsilon;
    return draft_finish(o, d, build_end1(&o->im, n, draft_output_name(d)));
}

/* Outputs behind y: running mean and variance, and before version 14 those of the batch. */
static bool train_batch(struct onnx *o, struct draft *d, const struct batch_norm *b)
{
    struct value *now[2];
    if (!statistics(o, d, b->spatial, &now[0], &now[1]))
        return false;
    for (size_t i = 0; i < 4; i++) {
        if (!draft_output_used(o, d, 1 + i))
            continue;
        struct value *before = d->in[MEAN + i % 2];
        struct value *v = i < 2 ? running(o, d, before, now[i], b->momentum)
                                : build_cast(&o->im, d->name, now[i % 2], before->dtype, NULL);
        if (!v)
            return false;
        draft_bind(o, d, 1 + i, v);
    }
    return normalize_batch(o, d, now[0], now[1], b);
}

/* Parameters per element of a channel may be given in one row. */
static bool shape_parameters(struct onnx *o, struct draft *d)
{
    const struct shape *x = &d->in[X]->shape;
    struct shape each = {.rank = x->rank - 1};
    for (int i = 0; i < each.rank; i++)
        each.dims[i] = x->dims[i + 1];
    for (size_t i = SCALE; i <= VAR; i++) {
        if (!shape_is_static(x) || shape_elems(&d->in[i]->shape) != shape_elems(&each))
            return draft_error(o, d, SHEAF_ERROR_SHAPE,
                               "input %zu has the shape %s, which does not fit to x without its "
                               "first dimension",
                               i, shape_print(&d->in[i]->shape, o->im.arena));
        if (!shape_equal(&d->in[i]->shape, &each))
            d->in[i] = build_reshape(&o->im, d->in[i], each.rank, each.dims, NULL);
        if (!d->in[i])
            return false;
    }
    return true;
}

bool onnx_adapt_batch_norm(struct onnx *o, struct draft *d)
{
    int64_t is_test, spatial, training;
    struct batch_norm b;
    if (!draft_take_int(o, d, "is_test", o->opset < 7 ? 0 : 1, &is_test) ||
        !draft_take_int(o, d, "spatial", 1, &spatial) ||
        !draft_take_int(o, d, "training_mode", 0, &training) ||
        !draft_take_float(o, d, "momentum", 0.9f, &b.momentum))
        return false;
    /* Before version 14 further outputs mean training, unless version 6 says otherwise. */
    if (o->opset < 14)
        training = d->n_out > 1 && (o->opset >= 7 || !is_test);
    b.spatial = spatial != 0;
    if (!training && b.spatial)
        return true;
    if (!draft_need_inputs(o, d, 5) || !draft_take_float(o, d, "epsilon", 1e-5f, &b.epsilon))
        return false;
    if (d->in[X]->shape.rank < 2)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "the input has %d dimensions, no channels",
                           d->in[X]->shape.rank);
    if (!b.spatial && !shape_parameters(o, d))
        return false;
    return training ? train_batch(o, d, &b) : normalize_batch(o, d, d->in[MEAN], d->in[VAR], &b);
}
