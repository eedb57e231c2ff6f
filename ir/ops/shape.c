#include "ir/ops/common.h"

/* Dimensions first..end of the input; bounds beyond it are clamped. */
static void range(const struct node *n, int *out_first, int *out_end)
{
    const struct shape_attrs *a = n->attrs;
    int64_t rank = n->in[0]->shape.rank, at[2] = {a->start, a->end};
    for (int i = 0; i < 2; i++) {
        if (at[i] < 0)
            at[i] = at[i] < -rank ? 0 : at[i] + rank;
        at[i] = at[i] > rank ? rank : at[i];
    }
    *out_first = (int)at[0];
    *out_end = (int)(at[1] > at[0] ? at[1] : at[0]);
}

bool shape_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    int first, end;
    range(n, &first, &end);
    int64_t count = end - first;
    struct shape y = shape_of_dims(1, &count);
    return ops_set_output(n, 0, DTYPE_I64, &y, err);
}

void shape_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    int first, end;
    range(l->node, &first, &end);
    for (int d = first; d < end; d++) {
        kval at = kernel_const_index(k, d - first);
        kernel_store(k, l->out[0], &at, kernel_extent(k, l->in[0], d));
    }
}
