/*
 * A table of states that reads strings byte by byte.
 */
#include "ir/ops/common.h"

enum { X, NEXT, ACCEPTS };
enum { BYTES = 256 };

bool automaton_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct value *next = n->in[NEXT];
    if (!ops_check_type(n, X, TYPE(U8), err) || !ops_check_type(n, NEXT, TYPE(I32), err) ||
        !ops_check_type(n, ACCEPTS, TYPE(BOOL), err) || !ops_check_rank(n, NEXT, 2, err) ||
        !ops_check_dims(n, ACCEPTS, 1, &next->shape.dims[0], err))
        return false;
    int64_t states = next->shape.dims[0];
    if (!n->in[X]->shape.rank)
        return error_set(err, SHEAF_ERROR_SHAPE, "'%s' is no string", n->in[X]->name);
    if (!value_is_constant(next) || next->shape.dims[1] != BYTES || !states)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "the table of states, '%s', must be constant and have %d columns",
                         next->name, BYTES);
    for (int64_t i = 0; i < states * BYTES; i++)
        if (tensor_get_int(next->constant, i) < 0 || tensor_get_int(next->constant, i) >= states)
            return error_set(err, SHEAF_ERROR_FORMAT,
                             "the table of states names state %lld of %lld",
                             (long long)tensor_get_int(next->constant, i), (long long)states);
    struct shape y = n->in[X]->shape;
    y.rank--;
    y.extent[y.rank] = NULL;
    return ops_set_output(n, 0, DTYPE_BOOL, &y, err);
}

void automaton_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    int last = k->bufs[l->in[X]].rank - 1;
    kval zero = kernel_const_index(k, 0), idx[MAX_RANK], state, end;
    ops_map_begin(k, l->out[0], idx);
    kernel_loop_begin(k, kernel_extent(k, l->in[X], last), 1, &zero, &idx[last], &state);
    kval byte = kernel_cast(k, DTYPE_I64, kernel_load(k, l->in[X], idx));
    kval at[2] = {state, byte};
    kval to = kernel_cast(k, DTYPE_I64, kernel_load(k, l->in[NEXT], at));
    kval padding = kernel_compare(k, KOP_EQ, byte, zero);
    kval next = kernel_select(k, padding, state, to);
    kernel_loop_end(k, &next, &end);
    kernel_store(k, l->out[0], idx, kernel_load(k, l->in[ACCEPTS], &end));
    ops_map_end(k, l->out[0]);
}
