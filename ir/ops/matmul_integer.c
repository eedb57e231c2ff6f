#include "ir/ops/integer.h"
#include "ir/ops/matmul_common.h"

enum { A, B, A_ZERO, B_ZERO };

bool matmul_integer_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct shape y;
    return matmul_integer_check(n, A_ZERO, B, B_ZERO, TYPES_8 | TYPES_16, err) &&
           matmul_shape(n, B, &y, err) &&
           ops_set_output(n, 0, integer_accumulator(n->in[A]->dtype, n->in[B]->dtype), &y, err);
}

void matmul_integer_lower(struct lower *l)
{
    struct matmul_indices at;
    kval sum = matmul_integer_begin(l, A_ZERO, B, B_ZERO, &at);
    matmul_store(l, &at, sum);
    kernel_contract_end(l->kernel);
}
