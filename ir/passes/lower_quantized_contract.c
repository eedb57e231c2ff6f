/*
 * Which contractions have quantized operands: float ones between dequantized values, and ONNX's
 * QLinearConv and QLinearMatMul.
 *
 * The latter are exact: their sums are integers, and the reference scales them in 64-bit floats
 * by a factor that is a 32-bit float, adds the zero point and rounds halves to even.  A product of
 * a 32-bit sum and the factor's 24 bits is exact in 64 bits, so that "even" rescaling by the
 * factor's significand gives the same result.
 */
#include "ir/fixed_point.h"
#include "ir/ops/common.h"
#include "ir/ops/qlinear.h"
#include "ir/passes/lower_quantized.h"

/* ---- float contractions ---- */

/* Both operands as they are dequantized. */
static const char *read_operands(const struct node *n, struct operand *a, struct operand *b)
{
    const char *obstacle = lq_operand_obstacle(n->in[0]);
    if (!obstacle)
        obstacle = lq_operand_obstacle(n->in[1]);
    if (!obstacle) {
        lq_operand(n->in[0], a);
        lq_operand(n->in[1], b);
    }
    return obstacle;
}

static const char *read_bias(struct lowering *l, const struct node *n, struct contraction *c)
{
    if (!ops_has_input(n, 2))
        return NULL;
    c->bias = lq_float_constant(l, n->in[2]);
    return c->bias ? NULL : "its bias is not constant";
}

static const char *conv_of(struct lowering *l, const struct node *n, struct contraction *c)
{
    *c = (struct contraction){.op = OP_conv_integer, .w_in = 1, .factor = 1, .bias_factor = 1};
    const char *obstacle = read_operands(n, &c->x, &c->w);
    return obstacle ? obstacle : read_bias(l, n, c);
}

static const char *gemm_of(struct lowering *l, const struct node *n, struct contraction *c)
{
    const struct gemm_attrs *a = n->attrs;
    *c = (struct contraction){.op = OP_matmul_integer,
                              .w_in = 1,
                              .transposed = a->transB != 0,
                              .factor = (double)a->alpha,
                              .bias_factor = (double)a->beta};
    const char *obstacle = read_operands(n, &c->x, &c->w);
    if (obstacle)
        return obstacle;
    if (a->transA || (a->transB && !value_is_constant(c->w.stored)))
        return "it transposes data that is not constant";
    if (!(a->alpha >= 0x1p-60f && a->alpha <= 0x1p60f))
        return "its factor alpha is negative or extreme";
    return read_bias(l, n, c);
}

static const char *matmul_of(const struct node *n, struct contraction *c)
{
    struct operand a, b;
    const char *obstacle = read_operands(n, &a, &b);
    if (obstacle)
        return obstacle;
    bool swapped = value_is_constant(a.stored);
    *c = (struct contraction){.op = OP_matmul_integer,
                              .x = swapped ? b : a,
                              .w = swapped ? a : b,
                              .x_in = swapped,
                              .w_in = !swapped,
                              .factor = 1,
                              .bias_factor = 1};
    return NULL;
}

static const char *float_contraction(struct lowering *l, const struct node *n,
                                     struct contraction *c)
{
    const char *obstacle = n->op == OP_conv   ? conv_of(l, n, c)
                           : n->op == OP_gemm ? gemm_of(l, n, c)
                                              : matmul_of(n, c);
    if (obstacle)
        return obstacle;
    if (value_is_constant(c->x.stored))
        return "its data is constant";
    return lq_contraction_obstacle(l, n, c);
}

const char *lq_float_contraction_obstacle(struct lowering *l, const struct node *n)
{
    struct contraction c;
    return float_contraction(l, n, &c);
}

/* y = dequantized sums + a bias that integers do not hold. */
static void become_biased(struct lowering *l, struct node *n, const struct contraction *c,
                          const struct sums *s)
{
    struct value *y = n->out[0];
    int rank = y->shape.rank - 1 - s->axis;
    int64_t dims[MAX_RANK] = {tensor_elems(s->late_bias)};
    for (int d = 1; d <= rank; d++)
        dims[d] = 1;
    struct tensor *t = tensor_new(l->g->arena, DTYPE_F32, rank + 1, dims);
    for (int64_t i = 0; i < dims[0]; i++)
        tensor_set(t, i, tensor_get(s->late_bias, i) * c->bias_factor);
    struct value *plain = lq_dequantized(l, s, lq_name(l, y, "unbiased"));
    struct value *in[2] = {plain, lq_constant(l, lq_name(l, y, "bias"), t)};
    n->name = y->name;
    lq_become(l, n, OP_add, 2, in);
    lq_became(l, n);
}

bool lq_lower_contraction(struct lowering *l, struct node *n)
{
    struct contraction c;
    if (!lq_fused(l) || op_desc(n->op)->quant != QUANT_CONTRACT || float_contraction(l, n, &c))
        return false;
    struct sums s = lq_make_sums(l, n, &c);
    if (s.late_bias)
        become_biased(l, n, &c, &s);
    else
        lq_become_dequantized(l, n, &s);
    return true;
}

/* ---- QLinearConv and QLinearMatMul ---- */

enum { A, A_SCALE, A_ZERO, B, B_SCALE, B_ZERO, Y_SCALE, Y_ZERO, BIAS };

static bool qlinear_of(const struct node *n, struct contraction *c)
{
    for (size_t i = 0; i < n->n_in; i++)
        if (i != A && i != B && n->in[i] && !value_is_constant(n->in[i]))
            return false;
    /* Parameters per row, or per column of each matrix of a batch, have no integer form. */
    for (size_t i = B_SCALE; i <= B_ZERO; i++)
        if (n->in[i]->shape.rank > 1)
            return false;
    if (shape_elems(&n->in[Y_SCALE]->shape) != 1 || shape_elems(&n->in[Y_ZERO]->shape) != 1)
        return false;
    bool conv = n->op == OP_qlinear_conv;
    *c = (struct contraction){.op = conv ? OP_conv_integer : OP_matmul_integer,
                              .w_in = 1,
                              .factor = 1,
                              .bias_factor = 1,
                              .bias_is_sum = true};
    c->x = (struct operand){n->in[A], n->in[A_SCALE]->constant, n->in[A_ZERO]->constant, 0};
    c->w = (struct operand){n->in[B], n->in[B_SCALE]->constant, n->in[B_ZERO]->constant,
                            conv ? 0 : n->in[B]->shape.rank - 1};
    if (ops_has_input(n, BIAS))
        c->bias = n->in[BIAS]->constant;
    return !value_is_constant(n->in[A]);
}

/* sx * sw / sy, rounded as the reference does; false where it is no usable number. */
static bool exact_factors(const struct node *n, int64_t n_factors, int32_t *multiplier, int *shift)
{
    enum dtype type = n->in[A_SCALE]->dtype;
    double x = tensor_get(n->in[A_SCALE]->constant, 0), y = tensor_get(n->in[Y_SCALE]->constant, 0);
    for (int64_t i = 0; i < n_factors; i++) {
        float f = (float)qlinear_factor(type, x, tensor_get(n->in[B_SCALE]->constant, i), y);
        if (!(f >= 0 && f < 0x1p24f))
            return false;
        fixed_point_exact(f, &multiplier[i], &shift[i]);
    }
    return true;
}

bool lq_lower_qlinear(struct lowering *l, struct node *n)
{
    struct contraction c;
    if ((n->op != OP_qlinear_conv && n->op != OP_qlinear_matmul) || !qlinear_of(n, &c) ||
        lq_contraction_obstacle(l, n, &c))
        return false;
    int64_t n_factors = tensor_elems(c.w.scale);
    int32_t *multiplier = arena_array(&l->scratch, (size_t)n_factors, sizeof *multiplier);
    int *shift = arena_array(&l->scratch, (size_t)n_factors, sizeof *shift);
    if (!exact_factors(n, n_factors, multiplier, shift))
        return false;
    struct value *y = n->out[0];
    struct quant q = {(float)tensor_get(n->in[Y_SCALE]->constant, 0),
                      (int32_t)tensor_get_int(n->in[Y_ZERO]->constant, 0)};
    struct sums s = lq_make_sums(l, n, &c);
    struct rescale_spec spec = {.to = y->dtype,
                                .multiplier = multiplier,
                                .shift = shift,
                                .n = n_factors,
                                .n_shift = n_factors,
                                .axis = s.axis,
                                .y_zero = q.zero_point,
                                .bound = lq_bound(l, s.v),
                                .even = true};
    n->name = y->name;
    lq_become_rescale(l, n, s.v, &spec);
    lq_set_quant(l, y, &q);
    return true;
}
