#include "ir/ops/quantize.h"

bool quantize_check(const struct node *n, int64_t axis, struct error *err)
{
    const struct shape *x = &n->in[0]->shape;
    for (size_t i = 1; i < 3; i++) {
        if (!ops_has_input(n, i))
            continue;
        const struct shape *s = &n->in[i]->shape;
        if (!ops_check_static(n, i, err))
            return false;
        if (s->rank > 1)
            return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                             "parameter '%s' has %d dimensions; blocked quantization is not known",
                             n->in[i]->name, s->rank);
        if (shape_elems(s) == 1)
            continue;
        int d;
        if (!ops_axis(axis, x->rank, &d, err))
            return false;
        if (x->extent[d] || s->dims[0] != x->dims[d])
            return error_set(err, SHEAF_ERROR_SHAPE,
                             "parameter '%s' has %lld elements, dimension %d has %lld",
                             n->in[i]->name, (long long)s->dims[0], d, (long long)x->dims[d]);
    }
    return true;
}

kval quantize_parameter(struct lower *l, size_t i, int64_t axis, const kval *idx)
{
    struct kernel *k = l->kernel;
    const struct kbuf *b = &k->bufs[l->in[i]];
    if (b->rank == 0 || b->dims[0] == 1)
        return ops_load_scalar(k, l->in[i]);
    int d = 0;
    ops_axis(axis, k->bufs[l->in[0]].rank, &d, NULL);
    return ops_load(k, l->in[i], &idx[d]);
}
