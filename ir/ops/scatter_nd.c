/*
 * ScatterND-18.  Tuples of indices may repeat, so they are walked in order; the elements of a slice
 * are independent.
 */
#include "ir/ops/scatter.h"

bool scatter_nd_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct scatter_nd_attrs *a = n->attrs;
    const struct shape *x = &n->in[SCATTER_X]->shape, *index = &n->in[SCATTER_INDICES]->shape;
    const struct shape *updates = &n->in[SCATTER_UPDATES]->shape;
    int last = index->rank - 1;
    if (last < 0 || index->extent[last] || index->dims[last] < 1 || index->dims[last] > x->rank)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "'%s' holds no tuples of indices for %d dimensions",
                         n->in[SCATTER_INDICES]->name, x->rank);
    int whole = (int)index->dims[last]; /* the first dimension that a slice has */
    if (!ops_check_rank(n, SCATTER_UPDATES, last + x->rank - whole, err))
        return false;
    for (int d = 0; d < updates->rank; d++) {
        const struct shape *s = d < last ? index : x;
        int at = d < last ? d : d - last + whole;
        if (updates->dims[d] != s->dims[at] || updates->extent[d] != s->extent[at])
            return error_set(err, SHEAF_ERROR_SHAPE,
                             "dimension %d of the updates '%s' is %lld where %lld is needed", d,
                             n->in[SCATTER_UPDATES]->name, (long long)updates->dims[d],
                             (long long)s->dims[at]);
    }
    for (int d = 0; d < whole; d++)
        if (x->dims[d] == 0 && shape_elems(updates) > 0)
            return error_set(err, SHEAF_ERROR_SHAPE, "dimension %d has no elements to update", d);
    return scatter_infer(n, a->reduction, err);
}

enum { MOST_SLICES = 1 << 28 }; /* that tuples are looked up among */

/* Whether the tuples are known and name different slices, so that their order does not matter. */
static bool tuples_differ(const struct node *n)
{
    const struct shape *x = &n->in[SCATTER_X]->shape;
    const struct tensor *t = n->in[SCATTER_INDICES]->constant;
    if (!t || !shape_is_static(x))
        return false;
    int64_t whole = t->dims[t->rank - 1], slices = 1;
    for (int64_t d = 0; d < whole; d++)
        slices *= x->dims[d];
    if (slices == 0 || slices > MOST_SLICES)
        return false;
    struct arena scratch;
    arena_init(&scratch);
    bool *seen = arena_array(&scratch, (size_t)slices, sizeof *seen), differ = true;
    for (int64_t i = 0; differ && i < tensor_elems(t); i += whole) {
        int64_t slice = 0;
        for (int64_t d = 0; d < whole; d++) {
            int64_t at = tensor_get_int(t, i + d);
            at = at < 0 ? at + x->dims[d] : at;
            at = at < 0 ? 0 : at < x->dims[d] ? at : x->dims[d] - 1;
            slice = slice * x->dims[d] + at;
        }
        differ = !seen[slice];
        seen[slice] = true;
    }
    arena_done(&scratch);
    return differ;
}

void scatter_nd_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct scatter_nd_attrs *a = l->node->attrs;
    int index = l->in[SCATTER_INDICES], updates = l->in[SCATTER_UPDATES];
    int last = k->bufs[index].rank - 1, whole = (int)k->bufs[index].dims[last];
    int n = k->bufs[l->out[0]].rank - whole; /* dimensions of a slice */
    bool at_once = tuples_differ(l->node);
    ops_copy(l);

    kval extent[MAX_RANK], at[MAX_RANK], from[MAX_RANK], to[MAX_RANK];
    for (int d = 0; d < n; d++)
        extent[d] = kernel_extent(k, updates, last + d);
    if (at_once)
        ops_map_begin(k, updates, from);
    else if (n)
        kernel_map_begin(k, n, extent, from + last);
    for (int d = 0; d < last; d++) {
        if (!at_once)
            kernel_loop_begin(k, kernel_extent(k, index, d), 0, NULL, &from[d], NULL);
        at[d] = from[d];
    }
    for (int d = 0; d < whole; d++) {
        at[last] = kernel_const_index(k, d);
        to[d] = ops_load_index(k, index, at, kernel_extent(k, l->out[0], d));
    }
    for (int d = 0; d < n; d++)
        to[whole + d] = from[last + d];
    scatter_store(l, a->reduction, to, kernel_load(k, updates, from));
    for (int d = 0; !at_once && d < last; d++)
        kernel_loop_end(k, NULL, NULL);
    if (at_once)
        ops_map_end(k, updates);
    else if (n)
        kernel_map_end(k);
}
