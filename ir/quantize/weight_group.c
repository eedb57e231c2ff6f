#include "ir/quantize/weight_group.h"

struct weight_group weight_group_of(const struct tensor *t, int axis, int64_t c)
{
    if (axis < 0)
        return (struct weight_group){.n_outer = 1, .n_inner = tensor_elems(t)};
    struct weight_group g = {.n_outer = 1, .n_inner = 1};
    for (int d = 0; d < axis; d++)
        g.n_outer *= t->dims[d];
    for (int d = axis + 1; d < t->rank; d++)
        g.n_inner *= t->dims[d];
    g.stride = g.n_inner * t->dims[axis];
    g.first = c * g.n_inner;
    return g;
}

size_t weight_group_elems(const struct weight_group *g)
{
    return (size_t)(g->n_outer * g->n_inner);
}

void weight_group_read(const struct tensor *t, const struct weight_group *g, double *out)
{
    for (int64_t o = 0; o < g->n_outer; o++)
        for (int64_t i = 0; i < g->n_inner; i++)
            *out++ = tensor_get(t, g->first + o * g->stride + i);
}

void weight_group_write(struct tensor *t, const struct weight_group *g, const double *x)
{
    for (int64_t o = 0; o < g->n_outer; o++)
        for (int64_t i = 0; i < g->n_inner; i++)
            tensor_set_int(t, g->first + o * g->stride + i, (int64_t)*x++);
}
