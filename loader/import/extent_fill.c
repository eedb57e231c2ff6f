/*
 * Operators that fill, repeat and count, and those whose operands have to have the same extents.
 */
#include <math.h>

#include "ir/checked.h"
#include "loader/import/extent_internal.h"

/* ---- filling and repeating ---- */

bool extent_constant_of_shape(struct importer *im, struct node *n)
{
    struct extents y;
    return extents_from(im, n->name, n->in[0], &y) && extents_give(im, n, 0, 1, &y);
}

/* The extent of two that broadcast. */
static bool common_extent(struct importer *im, const struct known *a, const struct known *b,
                          struct known *out)
{
    int64_t number;
    if (known_equal(a, b) || (known_is_number(a, &number) && number != 1))
        *out = *a;
    else if (known_is_number(a, &number) || (known_is_number(b, &number) && number != 1))
        *out = *b;
    else if (known_is_number(b, &number))
        *out = *a;
    else
        return extent_if_equal(im, a, 1, b, a, out);
    return true;
}

static bool broadcast(struct importer *im, struct extents *acc, const struct extents *x)
{
    struct extents y = {.rank = acc->rank > x->rank ? acc->rank : x->rank};
    for (int d = 0; d < y.rank; d++) {
        int a = d - (y.rank - acc->rank), b = d - (y.rank - x->rank);
        if (a < 0 || b < 0)
            y.dim[d] = a < 0 ? x->dim[b] : acc->dim[a];
        else if (!common_extent(im, &acc->dim[a], &x->dim[b], &y.dim[d]))
            return false;
    }
    *acc = y;
    return true;
}

bool extent_expand(struct importer *im, struct node *n)
{
    struct extents x = extents_of(im, n->in[0]), y;
    if (!extents_from(im, n->name, n->in[1], &y))
        return false;
    return broadcast(im, &y, &x) && extents_give(im, n, 1, 2, &y);
}

bool extent_tile(struct importer *im, struct node *n)
{
    struct extents y = extents_of(im, n->in[0]), repeats;
    if (!extents_from(im, n->name, n->in[1], &repeats))
        return false;
    if (repeats.rank != y.rank)
        return extent_refuse(im, n, "there is not one repeat for each dimension");
    for (int d = 0; d < y.rank; d++)
        if (!extent_mul(im, &y.dim[d], &repeats.dim[d], &y.dim[d]))
            return false;
    return extents_give(im, n, 1, 2, &y);
}

bool extent_one_hot(struct importer *im, struct node *n)
{
    if (!shape_is_static(&n->in[1]->shape) || shape_elems(&n->in[1]->shape) != 1)
        return true; /* inference says so */
    struct known depth = known_element(im, n->in[1], 0);
    int64_t bound;
    struct value *scalar;
    if (!extent_give(im, n, &depth, &bound, &scalar))
        return false;
    struct value *in[4] = {n->in[0], build_ints(im, NULL, &bound, 1), n->in[2], scalar};
    n->in = arena_copy(im->arena, in, sizeof in);
    n->n_in = 4;
    return true;
}

/* (limit - start + step - 1) / step elements; a negative number is none. */
bool extent_count_steps(struct importer *im, const struct known *start, const struct known *limit,
                        int64_t step, struct known *out)
{
    struct known by = known_number(step < 0 ? -step : step), one = known_number(1), more;
    return (step > 0 ? extent_sub(im, limit, start, out) : extent_sub(im, start, limit, out)) &&
           extent_sub(im, &by, &one, &more) && extent_add(im, out, &more, out) &&
           extent_div(im, out, &by, out);
}

static bool refuse_range(struct importer *im, const struct node *n)
{
    size_t i = 0;
    while (!extent_is_computed(n, i))
        i++;
    return import_node_error(
        im, n->name, SHEAF_ERROR_UNSUPPORTED,
        "how many elements there are depends on '%s', which is known only at run time, and has no "
        "bound: the model must declare the shape of output '%s', or the most that '%s' can be must "
        "be given, as in -onnx-define-symbol=%s,16",
        n->in[i]->name, n->out[0]->name, n->in[i]->name, n->in[i]->name);
}

bool extent_range(struct importer *im, struct node *n)
{
    struct range_attrs *a = n->attrs;
    struct known in[3], count;
    int64_t step = 0, bound;
    for (size_t i = 0; i < 3; i++) {
        if (n->n_in < 3 || !n->in[i] || !shape_is_static(&n->in[i]->shape) ||
            shape_elems(&n->in[i]->shape) != 1)
            return true; /* inference says so */
        in[i] = known_element(im, n->in[i], 0);
    }
    bool whole = !dtype_is_float(n->in[0]->dtype) && known_is_number(&in[2], &step) && step;
    if (!whole || step < -INT32_MAX || step > INT32_MAX) {
        /* The operator counts, so that floats round as they have to. */
        double from = known_low(&in[2]), most;
        most = from > 0 ? ceil((known_high(&in[1]) - known_low(&in[0])) / from) : INFINITY;
        if (known_high(&in[2]) < 0)
            most = ceil((known_low(&in[1]) - known_high(&in[0])) / known_high(&in[2]));
        if (a->bound < 0 && most <= (double)LIMIT_TENSOR_ELEMS)
            a->bound = most > 0 ? (int64_t)most : 0;
        return a->bound >= 0 || refuse_range(im, n);
    }
    if (!extent_count_steps(im, &in[0], &in[1], step, &count))
        return false;
    struct known declared = known_number(a->bound);
    if (a->bound >= 0 && !(known_high(&count) <= (double)a->bound) &&
        !extent_min(im, &count, &declared, &count))
        return false;
    struct value *all[4] = {n->in[0], n->in[1], n->in[2], NULL};
    if (!extent_give(im, n, &count, &bound, &all[3]))
        return false;
    a->bound = bound;
    n->in = arena_copy(im->arena, all, sizeof all);
    n->n_in = all[3] ? 4 : 3;
    return true;
}

bool extent_top_k(struct importer *im, struct node *n)
{
    struct top_k_attrs *a = n->attrs;
    if (!shape_is_static(&n->in[1]->shape) || shape_elems(&n->in[1]->shape) != 1)
        return true;
    struct known k = known_element(im, n->in[1], 0);
    double most = known_high(&k);
    if (most < (double)a->bound)
        a->bound = most > 0 ? (int64_t)most : 0;
    return true;
}

/* ---- operands that do not have the same scalars for extents ---- */

static bool is_expanded(const struct extents *x, const struct extents *y)
{
    int64_t number;
    for (int d = 0; d < x->rank; d++) {
        bool one = known_is_number(&x->dim[d], &number) && number == 1;
        if (!one && !known_equal(&x->dim[d], &y->dim[d + y->rank - x->rank]))
            return false;
    }
    return true;
}

bool extent_broadcast(struct importer *im, struct node *n)
{
    struct extents y = extents_of(im, n->in[0]), x;
    for (size_t i = 1; i < n->n_in; i++) {
        x = extents_of(im, n->in[i]);
        if (!broadcast(im, &y, &x))
            return false;
    }
    struct value **in = arena_copy(im->arena, n->in, n->n_in * sizeof *n->in);
    for (size_t i = 0; i < n->n_in; i++) {
        x = extents_of(im, in[i]);
        if (!is_expanded(&x, &y))
            in[i] = extents_expand(im, in[i], &y);
        if (!in[i])
            return false;
    }
    n->in = in;
    return true;
}

/* Updates have these extents. */
static bool give_updates(struct importer *im, struct node *n, const struct extents *want)
{
    enum { UPDATES = 2 };
    struct extents have = extents_of(im, n->in[UPDATES]);
    if (have.rank != want->rank || is_expanded(&have, want))
        return true; /* inference finds any fault */
    struct value **in = arena_copy(im->arena, n->in, n->n_in * sizeof *n->in);
    in[UPDATES] = extents_expand(im, n->in[UPDATES], want);
    n->in = in;
    return in[UPDATES] != NULL;
}

bool extent_scatter_nd(struct importer *im, struct node *n)
{
    struct extents x = extents_of(im, n->in[0]), index = extents_of(im, n->in[1]), want;
    int last = index.rank - 1;
    int64_t whole;
    if (last < 0 || !known_is_number(&index.dim[last], &whole) || whole < 0 || whole > x.rank ||
        last + x.rank - whole > MAX_RANK)
        return true;
    want.rank = last + x.rank - (int)whole;
    for (int d = 0; d < want.rank; d++)
        want.dim[d] = d < last ? index.dim[d] : x.dim[d - last + (int)whole];
    return give_updates(im, n, &want);
}

bool extent_scatter_elements(struct importer *im, struct node *n)
{
    struct extents index = extents_of(im, n->in[1]);
    return give_updates(im, n, &index);
}
