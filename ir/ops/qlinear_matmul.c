/* QLinearMatMul-21: as qlinear_conv, for matrices. */
#include "ir/ops/matmul_common.h"
#include "ir/ops/qlinear.h"

enum { A, A_SCALE, A_ZERO, B, B_SCALE, B_ZERO, Y_SCALE, Y_ZERO };

bool qlinear_matmul_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct shape y;
    return matmul_integer_check(n, A_ZERO, B, B_ZERO, TYPES_8, err) &&
           qlinear_check(n, A_SCALE, B_SCALE, Y_SCALE, Y_ZERO, err) &&
           matmul_shape(n, B, &y, err) &&
           matmul_check_parameter(n, A_SCALE, MATMUL_A, &n->in[A]->shape, err) &&
           matmul_check_parameter(n, B_SCALE, MATMUL_B, &n->in[B]->shape, err) &&
           matmul_check_parameter(n, Y_SCALE, MATMUL_Y, &y, err) &&
           matmul_check_parameter(n, Y_ZERO, MATMUL_Y, &y, err) &&
           ops_set_output(n, 0, n->in[Y_ZERO]->dtype, &y, err);
}

void qlinear_matmul_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    struct matmul_indices at;
    kval sum = matmul_integer_begin(l, A_ZERO, B, B_ZERO, &at);
    struct qlinear_scales s;
    s.x = matmul_load_parameter(l, A_SCALE, MATMUL_A, &at);
    s.w = matmul_load_parameter(l, B_SCALE, MATMUL_B, &at);
    s.y = matmul_load_parameter(l, Y_SCALE, MATMUL_Y, &at);
    kval zero = matmul_load_parameter(l, Y_ZERO, MATMUL_Y, &at);
    matmul_store(l, &at, qlinear_requantize(k, sum, &s, zero));
    kernel_contract_end(k);
}
