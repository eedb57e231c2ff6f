#include "ir/checked.h"
#include "ir/ops/common.h"

enum { X, SHAPE, EXTENTS };

/* Dimensions from the constant input 1: 0 copies (without allowzero), one -1 takes the rest. */
static bool resolve(const struct node *n, struct shape *out, struct error *err)
{
    const struct reshape_attrs *a = n->attrs;
    const struct shape *x = &n->in[0]->shape;
    int64_t want[MAX_RANK], known = 1;
    size_t rank;
    int rest = -1;
    if (!ops_const_ints(n, 1, "shape", MAX_RANK, want, &rank, err))
        return false;
    struct shape y = {.rank = (int)rank};
    for (int d = 0; d < y.rank; d++) {
        y.dims[d] = want[d];
        if (want[d] == 0 && !a->allowzero) {
            if (d >= x->rank)
                return error_set(err, SHEAF_ERROR_SHAPE,
                                 "dimension %d of the shape copies one that the input lacks", d);
            y.dims[d] = x->dims[d];
        } else if (want[d] == -1 && rest < 0) {
            rest = d;
            continue;
        } else if (want[d] < 0) {
            return error_set(err, SHEAF_ERROR_SHAPE, "dimension %d of the shape is %lld", d,
                             (long long)want[d]);
        }
        if (!checked_mul(known, y.dims[d], &known))
            return error_set(err, SHEAF_ERROR_MEMORY, "the shape has too many elements");
    }
    int64_t elems = shape_elems(x);
    if (rest >= 0) {
        if (known == 0 || elems % known)
            return error_set(err, SHEAF_ERROR_SHAPE,
                             "%lld elements are no multiple of %lld, the known dimensions of the "
                             "shape",
                             (long long)elems, (long long)known);
        y.dims[rest] = elems / known;
        known = elems;
    }
    if (known != elems)
        return error_set(err, SHEAF_ERROR_SHAPE, "%lld elements do not fill a shape of %lld",
                         (long long)elems, (long long)known);
    *out = y;
    return true;
}

static bool given(const struct node *n, struct shape *out, struct error *err)
{
    int64_t dims[MAX_RANK];
    size_t rank;
    if (!ops_const_ints(n, SHAPE, "shape", MAX_RANK, dims, &rank, err) ||
        !ops_stated_shape(rank, dims, out, err) || !ops_given_extents(n, EXTENTS, out, err))
        return false;
    const struct shape *x = &n->in[X]->shape;
    bool known = shape_is_static(x) && shape_is_static(out);
    if (known && shape_elems(x) != shape_elems(out))
        return error_set(err, SHEAF_ERROR_SHAPE, "%lld elements do not fill a shape of %lld",
                         (long long)shape_elems(x), (long long)shape_elems(out));
    if (shape_elems(x) == 0 && shape_elems(out) > 0)
        return error_set(err, SHEAF_ERROR_SHAPE, "there are no elements to fill the shape with");
    return true;
}

bool reshape_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct shape y;
    bool ok =
        n->n_in > EXTENTS ? given(n, &y, err) : ops_check_static(n, 0, err) && resolve(n, &y, err);
    return ok && ops_set_output(n, 0, n->in[0]->dtype, &y, err);
}

void reshape_lower(struct lower *l)
{
    ops_copy_flat(l);
}
