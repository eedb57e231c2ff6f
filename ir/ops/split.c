#include "ir/ops/common.h"

/* Extents of the parts along the axis. */
static bool part_sizes(struct arena *arena, const struct node *n, int64_t total, int64_t **out,
                       struct error *err)
{
    const struct split_attrs *a = n->attrs;
    int64_t *size = arena_array(arena, n->n_out, sizeof *size), parts = (int64_t)n->n_out;
    if (ops_has_input(n, 1)) {
        size_t n_sizes;
        if (!ops_const_ints(n, 1, "sizes", n->n_out, size, &n_sizes, err))
            return false;
        if (n_sizes != n->n_out)
            return error_set(err, SHEAF_ERROR_SHAPE, "%zu sizes for %zu outputs", n_sizes,
                             n->n_out);
    } else {
        if (a->num_outputs && a->num_outputs != parts)
            return error_set(err, SHEAF_ERROR_SHAPE, "num_outputs is %lld, but there are %zu",
                             (long long)a->num_outputs, n->n_out);
        int64_t each = (total + parts - 1) / parts;
        for (int64_t i = 0; i < parts; i++)
            size[i] = i < parts - 1 ? each : total - each * (parts - 1);
    }
    int64_t rest = total;
    for (int64_t i = 0; i < parts; i++) {
        if (size[i] < 0 || size[i] > rest)
            return error_set(err, SHEAF_ERROR_SHAPE,
                             "part %lld of size %lld does not fit into %lld", (long long)i,
                             (long long)size[i], (long long)total);
        rest -= size[i];
    }
    if (rest)
        return error_set(err, SHEAF_ERROR_SHAPE, "the parts leave %lld of %lld over",
                         (long long)rest, (long long)total);
    *out = size;
    return true;
}

bool split_infer(struct graph *g, struct node *n, struct error *err)
{
    const struct split_attrs *a = n->attrs;
    struct shape y = n->in[0]->shape;
    int axis;
    int64_t *size;
    if (!ops_axis(a->axis, y.rank, &axis, err))
        return false;
    if (y.extent[axis])
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "the extent along axis %d is known only at run time", axis);
    if (!part_sizes(g->arena, n, y.dims[axis], &size, err))
        return false;
    for (size_t i = 0; i < n->n_out; i++) {
        y.dims[axis] = size[i];
        if (!ops_set_output(n, i, n->in[0]->dtype, &y, err))
            return false;
    }
    return true;
}

void split_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct split_attrs *a = l->node->attrs;
    int rank = k->bufs[l->in[0]].rank, axis = 0;
    int64_t *size, offset = 0;
    ops_axis(a->axis, rank, &axis, NULL);
    part_sizes(k->arena, l->node, k->bufs[l->in[0]].dims[axis], &size, NULL);
    for (size_t i = 0; i < l->node->n_out; i++) {
        if (l->out[i] >= 0) {
            kval in[MAX_RANK], out[MAX_RANK];
            ops_map_begin(k, l->out[i], out);
            for (int d = 0; d < rank; d++)
                in[d] = d == axis ? ops_add_const(k, out[d], offset) : out[d];
            kernel_store(k, l->out[i], out, kernel_load(k, l->in[0], in));
            ops_map_end(k, l->out[i]);
        }
        offset += size[i];
    }
}
