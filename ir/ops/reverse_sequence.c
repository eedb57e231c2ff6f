#include "ir/ops/common.h"

bool reverse_sequence_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct reverse_sequence_attrs *a = n->attrs;
    const struct shape *x = &n->in[0]->shape;
    int batch, time;
    if (!ops_check_static(n, 0, err) || !ops_axis(a->batch_axis, x->rank, &batch, err) ||
        !ops_axis(a->time_axis, x->rank, &time, err))
        return false;
    if (batch == time)
        return error_set(err, SHEAF_ERROR_SHAPE, "axis %d is both that of the batch and of time",
                         time);
    return ops_check_type(n, 1, TYPES_INDEX, err) &&
           ops_check_dims(n, 1, 1, &x->dims[batch], err) &&
           ops_set_output(n, 0, n->in[0]->dtype, x, err);
}

void reverse_sequence_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct reverse_sequence_attrs *a = l->node->attrs;
    int rank = k->bufs[l->in[0]].rank, batch = 0, time = 0;
    ops_axis(a->batch_axis, rank, &batch, NULL);
    ops_axis(a->time_axis, rank, &time, NULL);
    kval out[MAX_RANK], in[MAX_RANK];
    ops_map_begin(k, l->out[0], out);
    for (int d = 0; d < rank; d++)
        in[d] = out[d];
    kval length = kernel_cast(k, DTYPE_I64, kernel_load(k, l->in[1], &out[batch]));
    length = kernel_binary(k, KOP_MIN, length, kernel_extent(k, l->in[0], time));
    kval inside = kernel_compare(k, KOP_LT, out[time], length);
    kval mirrored = kernel_binary(k, KOP_SUB, ops_add_const(k, length, -1), out[time]);
    in[time] = kernel_select(k, inside, mirrored, out[time]);
    kernel_store(k, l->out[0], out, kernel_load(k, l->in[0], in));
    ops_map_end(k, l->out[0]);
}
