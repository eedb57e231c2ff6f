/*
 * ReduceSum-13 and its kin of version 18 and 20: one definition each of what is reduced and of
 * which types.  Without elements the results are those that combining begins with: 0, 1, -inf or
 * inf (the least or greatest of an integer type, false or true), and functions of these.
 */
#include "ir/ops/reduce.h"

#define REDUCE_OP(id, types, kind)                                                                 \
    static bool id##_axes(const struct node *n, struct reduce_spec *out, struct error *err)        \
    {                                                                                              \
        const struct id##_attrs *a = n->attrs;                                                     \
        return reduce_axes(n, a->keepdims != 0, a->noop_with_empty_axes != 0, out, err);           \
    }                                                                                              \
                                                                                                   \
    bool id##_infer(struct graph *g, struct node *n, struct error *err)                            \
    {                                                                                              \
        struct reduce_spec spec;                                                                   \
        (void)g;                                                                                   \
        return id##_axes(n, &spec, err) && reduce_infer(n, &spec, types, err);                     \
    }                                                                                              \
                                                                                                   \
    void id##_lower(struct lower *l)                                                               \
    {                                                                                              \
        struct reduce_spec spec;                                                                   \
        id##_axes(l->node, &spec, NULL);                                                           \
        reduce_lower(l, &spec, kind);                                                              \
    }

REDUCE_OP(reduce_sum, TYPES_NUMBER, REDUCE_SUM)
REDUCE_OP(reduce_mean, TYPES_NUMBER, REDUCE_MEAN)
REDUCE_OP(reduce_prod, TYPES_NUMBER, REDUCE_PROD)
REDUCE_OP(reduce_max, TYPES_NUMBER | TYPE(BOOL), REDUCE_MAX)
REDUCE_OP(reduce_min, TYPES_NUMBER | TYPE(BOOL), REDUCE_MIN)
REDUCE_OP(reduce_l1, TYPES_NUMBER, REDUCE_L1)
REDUCE_OP(reduce_l2, TYPES_NUMBER, REDUCE_L2)
REDUCE_OP(reduce_sum_square, TYPES_NUMBER, REDUCE_SUM_SQUARE)
REDUCE_OP(reduce_log_sum, TYPES_NUMBER, REDUCE_LOG_SUM)
REDUCE_OP(reduce_log_sum_exp, TYPES_NUMBER, REDUCE_LOG_SUM_EXP)
