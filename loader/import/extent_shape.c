/*
 * Shapes with extents of the run, and the nodes that need nothing else: broadcasting, filling up,
 * cutting.
 */
#include <math.h>

#include "ir/checked.h"
#include "loader/import/extent.h"
#include "loader/import/known_internal.h"

struct extents extents_of(struct importer *im, const struct value *v)
{
    struct extents e = {.rank = v->shape.rank};
    for (int d = 0; d < e.rank; d++)
        e.dim[d] = known_extent(im, &v->shape, d);
    return e;
}

bool extents_from(struct importer *im, const char *node, const struct value *v, struct extents *out)
{
    int64_t elems = shape_elems(&v->shape);
    if (v->shape.rank > 1 || !shape_is_static(&v->shape) || elems > 2 * MAX_RANK)
        return import_node_error(im, node, SHEAF_ERROR_UNSUPPORTED,
                                 "'%s' %s is no list of at most %d sizes", v->name,
                                 shape_print(&v->shape, im->arena), 2 * MAX_RANK);
    if (v->dtype != DTYPE_I64 && v->dtype != DTYPE_I32)
        return import_node_error(im, node, SHEAF_ERROR_UNSUPPORTED,
                                 "sizes '%s' are of type %s, not i64", v->name,
                                 dtype_name(v->dtype));
    out->rank = (int)elems;
    for (int i = 0; i < out->rank; i++)
        out->dim[i] = known_element(im, v, i);
    return true;
}

/* ---- bounds ---- */

static struct known scalar_known(const struct known_table *t, const struct value *v)
{
    for (size_t i = 0; i < t->n_scalars; i++)
        if (t->scalar[i].v == v)
            return t->scalar[i].number;
    return known_number(0);
}

/* The value that is not bounded, for the sentence: not one that was made on the way. */
static const struct value *unbounded(struct importer *im, const struct known *k)
{
    const struct known_table *t = known_table(im);
    const struct value *of = NULL;
    for (int i = 0; i < k->n; i++)
        for (int j = 0; j < k->term[i].n; j++)
            if (isinf(k->term[i].atom[j].high) || isinf(k->term[i].atom[j].low))
                of = k->term[i].atom[j].of;
    for (size_t i = 0; of && i < t->n_sums; i++) {
        if (t->sum[i].y != of)
            continue;
        for (size_t j = 0; j < 3 && t->sum[i].in[j]; j++) {
            struct known in = scalar_known(t, t->sum[i].in[j]);
            const struct value *inner = unbounded(im, &in);
            of = inner ? inner : of;
        }
        break;
    }
    return of;
}

bool extent_give(struct importer *im, const struct node *n, const struct known *k, int64_t *bound,
                 struct value **scalar)
{
    double low, high;
    int64_t number;
    struct known zero = known_number(0), most, inside = *k;
    *scalar = NULL;
    if (known_is_number(k, &number)) {
        *bound = number;
        return true;
    }
    known_range(k, &low, &high);
    const struct value *of = unbounded(im, k);
    if (of && !(high <= (double)LIMIT_TENSOR_ELEMS))
        return import_node_error(im, n->name, SHEAF_ERROR_UNSUPPORTED,
                                 "a size depends on '%s', which is known only at run time and has "
                                 "no bound: the most that "
                                 "it can be must be given, as in -onnx-define-symbol=%s,16",
                                 of->name, of->name);
    if (!(high <= (double)LIMIT_TENSOR_ELEMS))
        return import_node_error(im, n->name, SHEAF_ERROR_MEMORY, "a size may be more than %lld",
                                 (long long)LIMIT_TENSOR_ELEMS);
    *bound = high > 0 ? (int64_t)high : 0;
    bool sure = !known_is_assumed(k);
    most = known_number(*bound);
    if ((low < 0 || !sure) && !extent_max(im, &inside, &zero, &inside))
        return false;
    if (!sure) {
        /* What the user says is made true, so it cannot be used to see that it is. */
        struct value *in[2] = {extent_scalar(im, k)};
        in[1] = extent_scalar(im, &most);
        struct value *y = in[0] ? build_op(im, OP_min, NULL, in, 2, NULL) : NULL;
        in[0] = y;
        in[1] = extent_scalar(im, &zero);
        *scalar = y ? build_op(im, OP_max, NULL, in, 2, NULL) : NULL;
        return *scalar != NULL;
    }
    *scalar = extent_scalar(im, &inside);
    return *scalar != NULL;
}

bool extents_give(struct importer *im, struct node *n, size_t bounds, size_t first,
                  const struct extents *y)
{
    int64_t bound[MAX_RANK];
    struct value *scalar[MAX_RANK];
    size_t rank = (size_t)y->rank;
    if (y->rank > MAX_RANK)
        return import_node_error(im, n->name, SHEAF_ERROR_UNSUPPORTED,
                                 "the result would have %d dimensions", y->rank);
    for (size_t d = 0; d < rank; d++)
        if (!extent_give(im, n, &y->dim[d], &bound[d], &scalar[d]))
            return false;
    size_t room = first + rank > n->n_in ? first + rank : n->n_in;
    struct value **in = arena_array(im->arena, room ? room : 1, sizeof *in);
    for (size_t i = 0; i < n->n_in && i < first; i++)
        in[i] = n->in[i];
    in[bounds] = build_ints(im, NULL, bound, rank);
    for (size_t d = 0; d < rank; d++)
        in[first + d] = scalar[d];
    n->in = in;
    n->n_in = first + rank;
    return true;
}

/* ---- nodes ---- */

struct value *extents_expand(struct importer *im, struct value *x, const struct extents *y)
{
    struct value *in[2] = {x, NULL};
    struct node *n = arena_new(im->arena, struct node);
    *n = (struct node){.op = OP_expand, .name = x->name, .in = in, .n_in = 2};
    n->out = arena_array(im->arena, 1, sizeof *n->out);
    if (!extents_give(im, n, 1, 2, y))
        return NULL;
    return build_op(im, OP_expand, NULL, n->in, n->n_in, NULL);
}

struct value *extents_pad(struct importer *im, const char *node, struct value *x,
                          const struct extents *before, const struct extents *y,
                          const char *out_name)
{
    struct value *in[4] = {x, extent_vector(im, before->dim, before->rank), NULL, NULL},
                 *out = NULL;
    struct node given = {.op = OP_pad, .name = node, .in = in, .n_in = 4, .out = &out};
    if (!in[1] || !extents_give(im, &given, 4, 5, y))
        return NULL;
    return build_op(im, OP_pad, node, given.in, given.n_in, out_name);
}

struct value *extents_fill(struct importer *im, struct value *x)
{
    struct extents before = {.rank = x->shape.rank}, y = before;
    if (shape_is_static(&x->shape))
        return x;
    for (int d = 0; d < y.rank; d++) {
        before.dim[d] = known_number(0);
        y.dim[d] = known_number(x->shape.dims[d]);
    }
    return extents_pad(im, NULL, x, &before, &y, NULL);
}

struct value *extents_cut(struct importer *im, struct value *x, const struct extents *start,
                          const int64_t *step, const struct extents *y, struct value *out)
{
    struct value *in[5] = {x, extent_vector(im, start->dim, start->rank)};
    in[4] = build_ints(im, NULL, step, (size_t)y->rank);
    struct node given = {.op = OP_slice, .name = out ? out->name : x->name, .in = in, .n_in = 5};
    given.out = &out;
    if (!in[1] || !extents_give(im, &given, 2, 5, y))
        return NULL;
    struct node *n = build_begin(im, OP_slice, NULL, given.in, given.n_in, 1);
    n->out[0] = out;
    if (out)
        out->producer = n;
    return build_end1(im, n, NULL);
}
