/*
 * Pow-15: the result has the base's type.  Integers to integer powers are exact (modulo the type's
 * range); all else is computed in f32, or f64 where the base is an integer or either is f64.  The
 * constant exponents 1/2, 1, 2 and 3 are exact or correctly rounded and far cheaper (1/2 as a
 * square root differs from the power for the bases -inf, which gives NaN, and -0, which stays -0).
 */
#include "ir/ops/common.h"

bool pow_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct shape s = n->in[0]->shape;
    if (!ops_check_type(n, 0, TYPES_NUMBER, err) || !ops_check_type(n, 1, TYPES_NUMBER, err) ||
        !ops_broadcast(&s, &n->in[1]->shape, err))
        return false;
    return ops_set_output(n, 0, n->in[0]->dtype, &s, err);
}

/* base^e by squaring over all 63 bits of e; a negative power of an integer is 0 but for 1 and -1.
 */
static kval integer_pow(struct kernel *k, kval base, kval e)
{
    enum dtype type = kernel_inst(k, base)->type;
    kval one = kernel_const_int(k, type, 1), index_zero = kernel_const_index(k, 0);
    e = kernel_cast(k, DTYPE_I64, e);
    kval negative = kernel_compare(k, KOP_LT, e, index_zero);
    kval init[3] = {one, base, kernel_unary(k, KOP_ABS, e)}, at[3], next[3], bit, result[3];
    kernel_loop_begin(k, kernel_const_index(k, 63), 3, init, &bit, at);
    kval odd = kernel_compare(k, KOP_NE, kernel_binary(k, KOP_AND, at[2], kernel_const_index(k, 1)),
                              index_zero);
    next[0] = kernel_select(k, odd, kernel_binary(k, KOP_MUL, at[0], at[1]), at[0]);
    next[1] = kernel_binary(k, KOP_MUL, at[1], at[1]);
    next[2] = kernel_binary(k, KOP_SHR, at[2], kernel_const_index(k, 1));
    kernel_loop_end(k, next, result);
    return kernel_select(k, negative, kernel_binary(k, KOP_DIV, one, result[0]), result[0]);
}

/* The exponent where it is one constant number that has a short form. */
static bool short_exponent(const struct value *v, double *out)
{
    if (!value_is_constant(v) || tensor_elems(v->constant) != 1)
        return false;
    *out = tensor_get(v->constant, 0);
    return *out == 0.5 || *out == 1 || *out == 2 || *out == 3;
}

static kval pow_of(struct lower *l, kval base, kval e)
{
    struct kernel *k = l->kernel;
    enum dtype type = kernel_inst(k, base)->type;
    double constant;
    if (short_exponent(l->node->in[1], &constant) && (constant != 0.5 || dtype_is_float(type))) {
        if (constant == 0.5)
            return kernel_unary(k, KOP_SQRT, base);
        kval r = base;
        for (int i = 1; i < (int)constant; i++)
            r = kernel_binary(k, KOP_MUL, r, base);
        return r;
    }
    if (dtype_is_integer(type) && dtype_is_integer(kernel_inst(k, e)->type))
        return integer_pow(k, base, e);
    bool wide = type != DTYPE_F32 || kernel_inst(k, e)->type == DTYPE_F64;
    enum dtype in = wide ? DTYPE_F64 : DTYPE_F32;
    e = kernel_cast(k, in, e);
    return kernel_cast(k, type, kernel_pow(k, kernel_cast(k, in, base), e));
}

void pow_lower(struct lower *l)
{
    ops_map_fold(l, pow_of);
}
