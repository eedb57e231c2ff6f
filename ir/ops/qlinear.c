#include "ir/ops/qlinear.h"

#include "ir/kernel_scalar.h"

bool qlinear_check(const struct node *n, size_t x_scale, size_t w_scale, size_t y_scale,
                   size_t y_zero, struct error *err)
{
    return ops_check_type(n, x_scale, TYPES_MATH, err) &&
           ops_check_same_type(n, x_scale, w_scale, err) &&
           ops_check_same_type(n, x_scale, y_scale, err) && ops_check_type(n, y_zero, TYPES_8, err);
}

double qlinear_factor(enum dtype type, double x, double w, double y)
{
    union kscalar a = {.f = x}, b = {.f = w}, c = {.f = y};
    return kscalar_binary(KOP_DIV, type, kscalar_binary(KOP_MUL, type, a, b), c).f;
}

kval qlinear_requantize(struct kernel *k, kval sum, const struct qlinear_scales *s, kval zero)
{
    enum dtype to = kernel_inst(k, zero)->type;
    kval factor = kernel_binary(k, KOP_MUL, s->x, s->w);
    factor = kernel_cast(k, DTYPE_F64, kernel_binary(k, KOP_DIV, factor, s->y));
    kval y = kernel_binary(k, KOP_MUL, kernel_cast(k, DTYPE_F64, sum), factor);
    y = kernel_binary(k, KOP_ADD, y, kernel_cast(k, DTYPE_F64, zero));
    return kernel_cast(k, to, kernel_unary(k, KOP_RINT, y));
}
