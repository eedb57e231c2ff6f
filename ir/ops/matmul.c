/* MatMul-13. */
#include "ir/ops/matmul_common.h"

#define TYPES_MATMUL (TYPES_FLOAT | TYPES_INDEX | TYPE(U32) | TYPE(U64))

bool matmul_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct shape y;
    for (size_t i = 0; i < 2; i++)
        if (!ops_check_type(n, i, TYPES_MATMUL, err))
            return false;
    return ops_check_same_type(n, 0, 1, err) && matmul_shape(n, 1, &y, err) &&
           ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

void matmul_lower(struct lower *l)
{
    struct matmul_indices at;
    matmul_begin(l, 1, ops_compute_type(l->kernel->bufs[l->in[0]].dtype), &at);
    kval sum = kernel_contract_epilogue(l->kernel);
    matmul_store(l, &at, sum);
    kernel_contract_end(l->kernel);
}
