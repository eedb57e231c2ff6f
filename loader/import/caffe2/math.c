/*
 * Caffe2 operators that are formulas of others: functions of elements, sums, products of matrices
 * and normalizations.
 */
#include <string.h>

#include "loader/import/caffe2/caffe2.h"

static struct value *binary(struct caffe2 *c, enum op op, struct value *a, struct value *b)
{
    return build_binary(&c->im, op, NULL, a, b);
}

static struct value *unary(struct caffe2 *c, enum op op, struct value *x)
{
    return build_unary(&c->im, op, NULL, x);
}

static struct value *where(struct caffe2 *c, struct value *condition, struct value *a,
                           struct value *b)
{
    struct value *in[] = {condition, a, b};
    return condition && a && b ? build_op(&c->im, OP_where, NULL, in, 3, NULL) : NULL;
}

/* ---- element by element ---- */

struct value *c2_sqr(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    return c2_named(c, op, binary(c, OP_mul, op->in[0], op->in[0]));
}

struct value *c2_scale(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    float scale = c2_arg_float(&op->args, "scale", 1);
    return c2_named(c, op, c2_number(c, OP_mul, op->in[0], (double)scale));
}

struct value *c2_pow(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 2))
        return NULL;
    struct value *x = op->in[0];
    if (op->n_in == 1)
        return c2_named(c, op,
                        c2_number(c, OP_pow, x, (double)c2_arg_float(&op->args, "exponent", 0)));
    struct value *by = op->in[1];
    if (c2_arg_int(&op->args, "broadcast", 0))
        by = build_align(&c->im, op->name, by, x->shape.rank, c2_arg_int(&op->args, "axis", -1));
    return c2_named(c, op, binary(c, OP_pow, x, by));
}

/* The sign follows the dividend, or with an argument the divisor. */
struct value *c2_mod(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    int64_t divisor = c2_arg_int(&op->args, "divisor", 0);
    if (divisor == 0) {
        c2_error(c, op, SHEAF_ERROR_FORMAT, "its divisor is 0");
        return NULL;
    }
    struct value *in[] = {op->in[0], build_number(&c->im, op->in[0], (double)divisor)};
    if (!in[1])
        return NULL;
    struct node *n = c2_begin(c, op, OP_mod, in, 2);
    ((struct mod_attrs *)n->attrs)->fmod = !c2_arg_int(&op->args, "sign_follow_divisor", 0);
    return build_end1(&c->im, n, op->out);
}

struct value *c2_replace_nan(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    struct value *x = op->in[0];
    struct value *by = build_number(&c->im, x, (double)c2_arg_float(&op->args, "value", 0));
    return c2_named(c, op, where(c, unary(c, OP_is_nan, x), by, x));
}

/* With u = 1 + x rounded and d = u - 1: log(u) where d is x, x where d is 0, else
   log(u) * x / d, in which the errors of u and d cancel. */
struct value *c2_log1p(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    struct value *x = op->in[0], *u = c2_number(c, OP_add, x, 1);
    struct value *d = c2_number(c, OP_sub, u, 1), *log = unary(c, OP_log, u);
    struct value *zero = build_number(&c->im, x, 0);
    struct value *small = binary(c, OP_equal, d, zero), *exact = binary(c, OP_equal, d, x);
    struct value *ratio = binary(c, OP_div, binary(c, OP_mul, log, x), d);
    return c2_named(c, op, where(c, exact, log, where(c, small, x, ratio)));
}

/* log(x / (1 - x)) of x between eps and 1 - eps. */
struct value *c2_logit(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    struct value *in[3] = {op->in[0]};
    float eps = c2_arg_float(&op->args, "eps", 1e-6f);
    in[1] = build_number(&c->im, in[0], (double)eps);
    in[2] = build_number(&c->im, in[0], (double)(1 - eps));
    struct value *x = build_op(&c->im, OP_clip, NULL, in, 3, NULL);
    struct value *rest = binary(c, OP_sub, build_number(&c->im, in[0], 1), x);
    return c2_named(c, op, unary(c, OP_log, binary(c, OP_div, x, rest)));
}

/* How many boundaries lie below each element. */
struct value *c2_bucketize(struct caffe2 *c, struct c2_op *op)
{
    const struct c2_arg *a = c2_arg_find(&op->args, "boundaries");
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    if (!a || !a->floats.n) {
        c2_error(c, op, SHEAF_ERROR_FORMAT, "it lacks the argument 'boundaries'");
        return NULL;
    }
    const int64_t n = (int64_t)a->floats.n;
    struct tensor *t = tensor_new(c->im.arena, DTYPE_F32, 1, &n);
    for (int64_t i = 0; i < n; i++)
        tensor_set(t, i, (double)a->floats.v[i]);
    struct value *bounds = graph_add_constant(c->im.g, NULL, t);
    struct value *x = c2_unsqueeze(c, op->in[0], -1);
    struct value *above =
        build_cast(&c->im, NULL, binary(c, OP_greater, x, bounds), DTYPE_I32, NULL);
    return c2_named(c, op, c2_reduce(c, OP_reduce_sum, above, -1));
}

/* log(x) where lambda1 is 0, else (x ^ lambda1 - 1) / lambda1, of x + lambda2 but at least 1e-6. */
struct value *c2_batch_box_cox(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 3, 3))
        return NULL;
    c2_arg_find(&op->args, "min_block_size");
    struct value *lambda = op->in[1], *shifted = binary(c, OP_add, op->in[0], op->in[2]);
    struct value *x = binary(c, OP_max, shifted, build_number(&c->im, op->in[0], 1e-6));
    struct value *power = c2_number(c, OP_sub, binary(c, OP_pow, x, lambda), 1);
    struct value *zero = build_number(&c->im, lambda, 0), *log = unary(c, OP_log, x);
    struct value *is_zero = binary(c, OP_equal, lambda, zero);
    return c2_named(c, op, where(c, is_zero, log, binary(c, OP_div, power, lambda)));
}

/* ---- sums ---- */

struct value *c2_arg_max(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    bool least = !strcmp(op->type, "ArgMin");
    struct node *n = c2_begin(c, op, least ? OP_arg_min : OP_arg_max, op->in, 1);
    int64_t axis = c2_arg_int(&op->args, "axis", -1);
    int64_t keep = c2_arg_int(&op->args, "keepdims", 1);
    if (least)
        *(struct arg_min_attrs *)n->attrs = (struct arg_min_attrs){.axis = axis, .keepdims = keep};
    else
        *(struct arg_max_attrs *)n->attrs = (struct arg_max_attrs){.axis = axis, .keepdims = keep};
    return build_end1(&c->im, n, op->out);
}

struct value *c2_averaged_loss(struct caffe2 *c, struct c2_op *op)
{
    static const struct attr_ints all;
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    return c2_named(c, op, build_reduce(&c->im, OP_reduce_mean, NULL, op->in[0], all, false));
}

struct value *c2_reduce_back(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    int rank = op->in[0]->shape.rank;
    int64_t n = c2_arg_int(&op->args, "num_reduce_dims", 1);
    if (n < 1 || n > rank) {
        c2_error(c, op, SHEAF_ERROR_SHAPE, "%lld dimensions of %d cannot be reduced", (long long)n,
                 rank);
        return NULL;
    }
    struct attr_ints axes = build_axes_from(&c->im, rank - (int)n, rank);
    enum op kind = strstr(op->type, "Mean") ? OP_reduce_mean : OP_reduce_sum;
    return c2_named(c, op, build_reduce(&c->im, kind, NULL, op->in[0], axes, false));
}

/* Without a root: the sum of |x| or of x * x over all elements, as a vector of one. */
struct value *c2_lp_norm(struct caffe2 *c, struct c2_op *op)
{
    static const int64_t one[] = {1};
    static const struct attr_ints all;
    if (!c2_check_inputs(c, op, 1, 1))
        return NULL;
    int64_t p = c2_arg_int(&op->args, "p", 2);
    if (p != 1 && p != 2) {
        c2_error(c, op, SHEAF_ERROR_UNSUPPORTED, "a norm of p=%lld is not supported", (long long)p);
        return NULL;
    }
    struct value *x = op->in[0];
    struct value *y = p == 1 ? unary(c, OP_abs, x) : binary(c, OP_mul, x, x);
    bool average = c2_arg_int(&op->args, "average", 0) != 0;
    y = build_reduce(&c->im, average ? OP_reduce_mean : OP_reduce_sum, NULL, y, all, false);
    return c2_named(c, op, y ? build_reshape(&c->im, y, 1, one, NULL) : NULL);
}

/* Over all dimensions but the first. */
struct value *c2_dot_product(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 2, 2))
        return NULL;
    struct value *y = binary(c, OP_mul, op->in[0], op->in[1]);
    int rank = op->in[0]->shape.rank;
    if (y && rank > 1)
        y = build_reduce(&c->im, OP_reduce_sum, NULL, y, build_axes_from(&c->im, 1, rank), false);
    return c2_named(c, op, y);
}

/* max(x, 0) - x * t + log(1 + exp(-|x|)), its mean along the last axis. */
struct value *c2_sigmoid_cross_entropy(struct caffe2 *c, struct c2_op *op)
{
    if (!c2_check_inputs(c, op, 2, 2))
        return NULL;
    if (c2_arg_int(&op->args, "log_D_trick", 0) || c2_arg_int(&op->args, "unjoined_lr_loss", 0)) {
        c2_error(c, op, SHEAF_ERROR_UNSUPPORTED,
                 "%s with log_D_trick or unjoined_lr_loss is not supported", op->type);
        return NULL;
    }
    struct value *x = op->in[0], *positive = unary(c, OP_relu, x);
    struct value *y = binary(c, OP_sub, positive, binary(c, OP_mul, x, op->in[1]));
    struct value *below = unary(c, OP_neg, unary(c, OP_abs, x));
    y = binary(c, OP_add, y, unary(c, OP_softplus, below));
    return c2_named(c, op, c2_reduce(c, OP_reduce_mean, y, -1));
}

/* ---- products ---- */

/* Columns count from `axis` on. */
struct value *c2_elementwise_linear(struct caffe2 *c, struct c2_op *op)
{
    int64_t axis;
    if (!c2_check_inputs(c, op, 3, 3) || !c2_need_static(c, op, 0, -1) ||
        !c2_read_axis(c, op, "axis", 1, op->in[0]->shape.rank, &axis))
        return NULL;
    struct value *x = op->in[0], *by[2];
    int rank = x->shape.rank - (int)axis;
    for (size_t i = 0; i < 2; i++) {
        const struct shape columns = shape_of_dims(rank, x->shape.dims + axis);
        if (!c2_need_static(c, op, 1 + i, 1))
            return NULL;
        if (op->in[1 + i]->shape.dims[0] != shape_elems(&columns)) {
            c2_error(c, op, SHEAF_ERROR_SHAPE, "'%s' has %lld elements for columns of %s",
                     op->in[1 + i]->name, (long long)op->in[1 + i]->shape.dims[0],
                     shape_print(&columns, c->im.arena));
            return NULL;
        }
        by[i] = rank == 1 ? op->in[1 + i]
                          : build_reshape(&c->im, op->in[1 + i], rank, columns.dims, NULL);
    }
    return c2_named(c, op, binary(c, OP_add, binary(c, OP_mul, x, by[0]), by[1]));
}

struct value *c2_matmul(struct caffe2 *c, struct c2_op *op)
{
    static const char *const axes[] = {"axis_a", "axis_b"};
    struct value *in[2];
    if (!c2_check_inputs(c, op, 2, 2))
        return NULL;
    for (size_t i = 0; i < 2; i++) {
        int64_t axis;
        if (!c2_read_axis(c, op, axes[i], 1, op->in[i]->shape.rank, &axis))
            return NULL;
        in[i] = build_flatten(&c->im, op->in[i], axis, NULL);
        if (!in[i])
            return NULL;
    }
    struct node *n = c2_begin(c, op, OP_gemm, in, 2);
    struct gemm_attrs *a = n->attrs;
    a->transA = c2_arg_int(&op->args, "trans_a", 0);
    a->transB = c2_arg_int(&op->args, "trans_b", 0);
    return build_end1(&c->im, n, op->out);
}

static struct value *last_two_swapped(struct caffe2 *c, struct value *x)
{
    int rank = x->shape.rank;
    int64_t perm[MAX_RANK];
    if (rank < 2)
        return x;
    for (int d = 0; d < rank; d++)
        perm[d] = d < rank - 2 ? d : 2 * rank - 3 - d;
    return build_transpose(&c->im, x, perm, NULL);
}

struct value *c2_batch_matmul(struct caffe2 *c, struct c2_op *op)
{
    static const char *const swap[] = {"trans_a", "trans_b"};
    struct value *in[2];
    if (!c2_check_inputs(c, op, 2, 2))
        return NULL;
    c2_arg_find(&op->args, "broadcast");
    for (size_t i = 0; i < 2; i++) {
        in[i] = c2_arg_int(&op->args, swap[i], 0) ? last_two_swapped(c, op->in[i]) : op->in[i];
        if (!in[i])
            return NULL;
    }
    return build_end1(&c->im, c2_begin(c, op, OP_matmul, in, 2), op->out);
}

/* ---- normalizations ---- */

/* The output of a normalization that is kept per row: dimensions before `axis`, and one of size 1
   where asked for. */
static bool bind_row(struct caffe2 *c, struct c2_op *op, size_t i, struct value *v, int64_t axis,
                     bool keep)
{
    int64_t dims[MAX_RANK];
    if (!v || !c2_output_wanted(op, i))
        return v != NULL;
    memcpy(dims, op->in[0]->shape.dims, (size_t)axis * sizeof *dims);
    dims[axis] = 1;
    return c2_bind(c, op, i, build_reshape(&c->im, v, (int)axis + keep, dims, NULL));
}

/* In the shape of the dimensions from `axis` on. */
static struct value *of_columns(struct caffe2 *c, struct c2_op *op, size_t i, int64_t axis)
{
    const struct shape *x = &op->in[0]->shape;
    const struct shape columns = shape_of_dims(x->rank - (int)axis, x->dims + axis);
    struct value *v = op->in[i];
    if (shape_is_static(&v->shape) && shape_elems(&v->shape) == shape_elems(&columns))
        return build_reshape(&c->im, v, columns.rank, columns.dims, NULL);
    c2_error(c, op, SHEAF_ERROR_SHAPE, "'%s' has the shape %s where %s is needed", v->name,
             shape_print(&v->shape, c->im.arena), shape_print(&columns, c->im.arena));
    return NULL;
}

/* The node, without further outputs. */
static struct value *normalized(struct caffe2 *c, struct c2_op *op, int64_t axis, bool center,
                                float epsilon)
{
    struct value *in[3] = {op->in[0], NULL, NULL};
    for (size_t i = 1; i < op->n_in; i++) {
        in[i] = of_columns(c, op, i, axis);
        if (!in[i])
            return NULL;
    }
    return build_normalize(&c->im, op->proto->name, in, (int)axis, center, epsilon, op->out);
}

/* Outputs 1 and 2 are mean and deviation, sqrt(variance + epsilon). */
struct value *c2_layer_norm(struct caffe2 *c, struct c2_op *op)
{
    int64_t axis;
    if (!c2_check_inputs(c, op, 1, 3) || !c2_need_static(c, op, 0, -1) ||
        !c2_read_axis(c, op, "axis", 1, op->in[0]->shape.rank, &axis))
        return NULL;
    c2_arg_find(&op->args, "elementwise_affine");
    float epsilon = c2_arg_float(&op->args, "epsilon", 1e-5f);
    struct value *x = op->in[0], *y = normalized(c, op, axis, true, epsilon);
    if (!y || !c2_output_wanted(op, 1))
        return y;
    struct attr_ints axes = build_axes_from(&c->im, (int)axis, x->shape.rank);
    struct value *mean = build_reduce(&c->im, OP_reduce_mean, NULL, x, axes, true);
    struct value *off = binary(c, OP_sub, x, mean);
    struct value *variance =
        build_reduce(&c->im, OP_reduce_mean, NULL, binary(c, OP_mul, off, off), axes, true);
    struct value *deviation = unary(c, OP_sqrt, c2_number(c, OP_add, variance, (double)epsilon));
    return bind_row(c, op, 1, mean, axis, true) && bind_row(c, op, 2, deviation, axis, true) ? y
                                                                                             : NULL;
}

/* Output 1 is 1 / sqrt(mean of squares + eps). */
struct value *c2_rms_norm(struct caffe2 *c, struct c2_op *op)
{
    int64_t axis;
    if (!c2_check_inputs(c, op, 3, 3) || !c2_need_static(c, op, 0, -1) ||
        !c2_read_axis(c, op, "axis", 1, op->in[0]->shape.rank, &axis))
        return NULL;
    float epsilon = c2_arg_float(&op->args, "eps", 0);
    struct value *x = op->in[0], *y = normalized(c, op, axis, false, epsilon);
    if (!y || !c2_output_wanted(op, 1))
        return y;
    struct attr_ints axes = build_axes_from(&c->im, (int)axis, x->shape.rank);
    struct value *squares =
        build_reduce(&c->im, OP_reduce_mean, NULL, binary(c, OP_mul, x, x), axes, true);
    struct value *root = unary(c, OP_sqrt, c2_number(c, OP_add, squares, (double)epsilon));
    return bind_row(c, op, 1, unary(c, OP_reciprocal, root), axis, false) ? y : NULL;
}
