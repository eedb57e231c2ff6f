#include "loader/import/build.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "ir/checked.h"
#include "loader/import/extent.h"

/* A model that is odd in more ways is not worth more words. */
enum { MAX_NOTES = 100 };

/* ---- sentences ---- */

void import_note(struct importer *im, const char *fmt, ...)
{
    if (!im->notes)
        return;
    struct error text; /* for its buffer: formats and cuts like every sentence */
    error_init(&text);
    va_list args;
    va_start(args, fmt);
    error_setv(&text, SHEAF_ERROR_ARGUMENT, fmt, args);
    va_end(args);
    struct import_notes *notes = im->notes;
    if (notes->n >= MAX_NOTES)
        return;
    for (size_t i = 0; i < notes->n; i++)
        if (!strcmp(notes->text[i], text.text))
            return;
    ARENA_PUSH(im->arena, notes->text, notes->n, notes->cap) = arena_strdup(im->arena, text.text);
}

bool import_node_errorv(struct importer *im, const char *node, enum sheaf_status status,
                        const char *fmt, va_list args)
{
    struct error fault;
    error_init(&fault);
    error_setv(&fault, status, fmt, args);
    if (node)
        return error_set(im->err, status, "%s: node '%s': %s", im->path, node, fault.text);
    return error_set(im->err, status, "%s: %s", im->path, fault.text);
}

bool import_error(struct importer *im, enum sheaf_status status, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    import_node_errorv(im, NULL, status, fmt, args);
    va_end(args);
    return false;
}

bool import_node_error(struct importer *im, const char *node, enum sheaf_status status,
                       const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    import_node_errorv(im, node, status, fmt, args);
    va_end(args);
    return false;
}

int import_bad_dim(int rank, const int64_t *dims)
{
    int64_t elems = 1;
    for (int d = 0; d < rank; d++)
        if (dims[d] < 0 || !checked_mul(elems, dims[d] ? dims[d] : 1, &elems) ||
            elems > LIMIT_TENSOR_ELEMS)
            return d;
    return -1;
}

/* ---- options ---- */

const struct import_input *import_find_input(const struct importer *im, const char *name)
{
    for (size_t i = 0; i < im->opt->n_inputs; i++)
        if (!strcmp(im->opt->inputs[i].name, name))
            return &im->opt->inputs[i];
    return NULL;
}

const char *import_input_option(const struct importer *im)
{
    return im->opt->input_option ? im->opt->input_option : "-model-input";
}

bool import_check_inputs(struct importer *im)
{
    for (size_t i = 0; i < im->opt->n_inputs; i++) {
        const char *name = im->opt->inputs[i].name;
        const struct value *v = graph_find_value(im->g, name);
        if (v && (v->role == VALUE_INPUT || im->opt->inputs[i].constant))
            continue;
        struct strbuf list;
        strbuf_init(&list, im->arena);
        for (size_t j = 0; j < im->g->body.n_in; j++)
            strbuf_printf(&list, "%s'%s'", j ? ", " : "", im->g->body.in[j]->name);
        return import_error(im, SHEAF_ERROR_NOT_FOUND,
                            "the model has no input '%s', which %s describes; its inputs are: %s",
                            name, import_input_option(im),
                            im->g->body.n_in ? strbuf_text(&list) : "none");
    }
    return true;
}

/* ---- values and nodes ---- */

struct value *build_input(struct importer *im, const char *name, enum dtype dtype, int rank,
                          const int64_t *dims, const struct import_input *said)
{
    int bad = import_bad_dim(rank, dims);
    if (bad >= 0) {
        import_error(im, SHEAF_ERROR_ARGUMENT,
                     "dimension %d of input '%s' is %lld, which is negative or too large", bad,
                     name, (long long)dims[bad]);
        return NULL;
    }
    struct value *v = graph_add_input(im->g, name, dtype, rank, dims);
    if (said)
        v->quant = said->quant;
    return v;
}

void build_free_name(struct importer *im, const char *name)
{
    struct value *holder = graph_find_value(im->g, name);
    if (!holder || holder->role == VALUE_INPUT)
        return;
    size_t *n = name_map_get(&im->freed, name);
    if (!n) {
        n = arena_new(im->arena, size_t);
        name_map_put(&im->freed, im->arena, arena_strdup(im->arena, name), n);
    }
    graph_rename_value(im->g, holder, arena_printf(im->arena, "%s_%zu", name, ++*n));
}

struct value *build_ints(struct importer *im, const char *name, const int64_t *v, size_t n)
{
    return graph_add_constant(im->g, name, tensor_from_ints(im->arena, v, (int64_t)n));
}

struct value *build_float(struct importer *im, const char *name, enum dtype dtype, double v)
{
    struct tensor *t = tensor_new(im->arena, dtype, 0, NULL);
    tensor_set(t, 0, v);
    return graph_add_constant(im->g, name, t);
}

struct value *build_filled(struct importer *im, const char *node, const char *name,
                           enum dtype dtype, const struct shape *shape, double v)
{
    if (!shape_is_static(shape)) {
        import_node_error(im, node, SHEAF_ERROR_UNSUPPORTED,
                          "a constant of a shape known only at run time is not supported");
        return NULL;
    }
    int64_t bytes = dtype_bytes(dtype, shape_elems(shape));
    if (bytes > BUILD_MAX_FILLED_BYTES - im->filled_bytes) {
        import_node_error(im, node, SHEAF_ERROR_MEMORY,
                          "constants of one value would take more than %lld bytes",
                          (long long)BUILD_MAX_FILLED_BYTES);
        return NULL;
    }
    im->filled_bytes += bytes;
    struct tensor *t = tensor_new(im->arena, dtype, shape->rank, shape->dims);
    int64_t elems = v != 0 ? tensor_elems(t) : 0; /* zero already */
    for (int64_t i = 0; i < elems; i++)
        tensor_set(t, i, v);
    return graph_add_constant(im->g, name, t);
}

struct value *build_constant_view(struct importer *im, const struct value *v, int rank,
                                  const int64_t *dims)
{
    assert(value_is_constant(v));
    struct tensor *t = arena_new(im->arena, struct tensor);
    t->dtype = v->constant->dtype;
    t->rank = rank;
    for (int d = 0; d < rank; d++)
        t->dims[d] = dims[d];
    t->data = v->constant->data;
    return graph_add_constant(im->g, v->name, t);
}

struct node *build_begin(struct importer *im, enum op op, const char *name, struct value *const *in,
                         size_t n_in, size_t n_out)
{
    struct node *n = graph_add_node(im->g, im->block, op, name, n_in, n_out);
    for (size_t i = 0; i < n_in; i++)
        n->in[i] = in[i];
    return n;
}

bool build_end(struct importer *im, struct node *n, const char *const *out_names)
{
    int min_out = op_desc(n->op)->min_out;
    for (size_t i = 0; i < n->n_out; i++)
        if (!n->out[i] && (i < (size_t)min_out || (out_names[i] && *out_names[i])))
            graph_node_output(im->g, n, i, out_names[i]);
    im->g->source = im->path;
    bool done = false;
    if (!extent_resolve(im, n, &done) || done)
        return done;
    if (!graph_infer_node(im->g, n, im->err))
        return false;
    if (!extent_merge(im, n) && !extent_settle(im, n))
        fold_last_node(im, n);
    return true;
}

struct value *build_end1(struct importer *im, struct node *n, const char *out_name)
{
    assert(n->n_out == 1);
    return build_end(im, n, &out_name) ? n->out[0] : NULL;
}

struct value *build_op(struct importer *im, enum op op, const char *name, struct value *const *in,
                       size_t n_in, const char *out_name)
{
    return build_end1(im, build_begin(im, op, name, in, n_in, 1), out_name);
}

/* ---- formulas ---- */

struct value *build_number(struct importer *im, const struct value *like, double v)
{
    static const struct shape scalar;
    return like ? build_filled(im, NULL, NULL, like->dtype, &scalar, v) : NULL;
}

struct value *build_unary(struct importer *im, enum op op, const char *node, struct value *x)
{
    return x ? build_op(im, op, node, &x, 1, NULL) : NULL;
}

struct value *build_binary(struct importer *im, enum op op, const char *node, struct value *a,
                           struct value *b)
{
    struct value *in[] = {a, b};
    return a && b ? build_op(im, op, node, in, 2, NULL) : NULL;
}

struct value *build_cast(struct importer *im, const char *node, struct value *x, enum dtype to,
                         const char *out_name)
{
    if (!x || (x->dtype == to && !out_name))
        return x;
    struct node *n = build_begin(im, OP_cast, node, &x, 1, 1);
    ((struct cast_attrs *)n->attrs)->to = dtype_code(to);
    return build_end1(im, n, out_name);
}

struct value *build_reduce(struct importer *im, enum op op, const char *node, struct value *x,
                           struct attr_ints axes, bool keepdims)
{
    if (!x)
        return NULL;
    struct value *in[] = {x, axes.n ? build_ints(im, NULL, axes.v, axes.n) : NULL};
    struct node *n = build_begin(im, op, node, in, axes.n ? 2 : 1, 1);
    const struct op_desc *desc = op_desc(op);
    int64_t keep = keepdims;
    for (size_t i = 0; i < desc->n_attrs; i++)
        if (!strcmp(desc->attrs[i].name, "keepdims"))
            memcpy((char *)n->attrs + desc->attrs[i].offset, &keep, sizeof keep);
    return build_end1(im, n, NULL);
}

struct attr_ints build_axes_from(struct importer *im, int first, int rank)
{
    int64_t *axes = arena_array(im->arena, (size_t)(rank - first), sizeof *axes);
    for (int i = first; i < rank; i++)
        axes[i - first] = i;
    return (struct attr_ints){axes, (size_t)(rank - first)};
}

struct value *build_normalize(struct importer *im, const char *node, struct value *const in[3],
                              int first, bool center, float epsilon, const char *out_name)
{
    if (!in[0])
        return NULL;
    struct node *n = build_begin(im, OP_normalize, node, in, in[2] ? 3 : in[1] ? 2 : 1, 1);
    struct normalize_attrs *a = n->attrs;
    a->axes = build_axes_from(im, first, in[0]->shape.rank);
    a->center = center;
    a->epsilon = epsilon;
    return build_end1(im, n, out_name);
}

/* ---- compositions ---- */

struct value *build_reshape(struct importer *im, struct value *x, int rank, const int64_t *dims,
                            const char *out_name)
{
    if (value_is_constant(x) && !out_name)
        return build_constant_view(im, x, rank, dims);
    struct value *in[] = {x, build_ints(im, NULL, dims, (size_t)rank)};
    struct node *n = build_begin(im, OP_reshape, NULL, in, 2, 1);
    ((struct reshape_attrs *)n->attrs)->allowzero = 1; /* the dimensions are meant as they stand */
    return build_end1(im, n, out_name);
}

struct value *build_flatten(struct importer *im, struct value *x, int64_t axis,
                            const char *out_name)
{
    if (x->shape.rank == 2 && axis == 1 && !out_name)
        return x;
    if (value_is_constant(x) && !out_name && axis >= 0 && axis <= x->shape.rank) {
        int64_t dims[2] = {1, 1};
        for (int d = 0; d < x->shape.rank; d++)
            dims[d >= axis] *= x->shape.dims[d];
        return build_constant_view(im, x, 2, dims);
    }
    struct node *n = build_begin(im, OP_flatten, NULL, &x, 1, 1);
    ((struct flatten_attrs *)n->attrs)->axis = axis;
    return build_end1(im, n, out_name);
}

struct value *build_transpose(struct importer *im, struct value *x, const int64_t *perm,
                              const char *out_name)
{
    size_t rank = (size_t)x->shape.rank;
    struct node *n = build_begin(im, OP_transpose, NULL, &x, 1, 1);
    struct transpose_attrs *a = n->attrs;
    a->perm.v = arena_copy(im->arena, perm, rank * sizeof *perm);
    a->perm.n = rank;
    return build_end1(im, n, out_name);
}

struct value *build_align(struct importer *im, const char *node, struct value *b, int rank,
                          int64_t axis)
{
    int b_rank = b->shape.rank;
    int64_t dims[MAX_RANK], added[MAX_RANK];
    if (axis < 0 || b_rank == 0)
        return b;
    if (axis + b_rank > rank) {
        import_node_error(im, node, SHEAF_ERROR_SHAPE,
                          "%d dimensions from axis %lld on do not fit into %d", b_rank,
                          (long long)axis, rank);
        return NULL;
    }
    int n_added = rank - (int)axis - b_rank;
    if (n_added == 0)
        return b;
    for (int d = 0; d < b_rank + n_added; d++)
        dims[d] = d < b_rank ? b->shape.dims[d] : 1;
    if (value_is_constant(b))
        return build_constant_view(im, b, b_rank + n_added, dims);
    for (int i = 0; i < n_added; i++)
        added[i] = b_rank + i;
    struct value *in[] = {b, build_ints(im, NULL, added, (size_t)n_added)};
    return build_op(im, OP_unsqueeze, NULL, in, 2, NULL);
}

/* The only dimension from `axis` on that is not 1 (the last where all are): softmax along it is
   softmax over all of them.  -1: there are several. */
static int only_dimension(const struct shape *s, int axis)
{
    int found = -1;
    for (int d = axis; d < s->rank; d++) {
        if (s->dims[d] == 1 && !s->extent[d])
            continue;
        if (found >= 0)
            return -1;
        found = d;
    }
    return found >= 0 ? found : s->rank - 1;
}

struct value *build_softmax(struct importer *im, const char *node, struct value *x, int64_t axis,
                            const char *out_name)
{
    struct node *n = build_begin(im, OP_softmax, node, &x, 1, 1);
    ((struct softmax_attrs *)n->attrs)->axis = axis;
    return build_end1(im, n, out_name);
}

struct value *build_log_softmax(struct importer *im, const char *node, struct value *x,
                                int64_t axis, const char *out_name)
{
    struct node *n = build_begin(im, OP_log_softmax, node, &x, 1, 1);
    ((struct log_softmax_attrs *)n->attrs)->axis = axis;
    return build_end1(im, n, out_name);
}

struct value *build_flat(struct importer *im, build_along_fn *along, const char *node,
                         struct value *x, int64_t axis, const char *out_name)
{
    const struct shape *s = &x->shape;
    if (axis < -s->rank || axis >= s->rank + (s->rank == 0)) {
        import_node_error(im, node, SHEAF_ERROR_SHAPE, "axis %lld does not exist in %d dimensions",
                          (long long)axis, s->rank);
        return NULL;
    }
    if (axis < 0)
        axis += s->rank;
    int only = s->rank ? only_dimension(s, (int)axis) : 0;
    if (only >= 0)
        return along(im, node, x, only, out_name);
    if (!shape_is_static(s)) {
        import_node_error(im, node, SHEAF_ERROR_UNSUPPORTED,
                          "several dimensions of a shape known only at run time cannot be taken "
                          "together");
        return NULL;
    }
    struct value *flat = build_flatten(im, x, axis, NULL);
    struct value *y = flat ? along(im, node, flat, 1, NULL) : NULL;
    return y ? build_reshape(im, y, s->rank, s->dims, out_name) : NULL;
}

struct value *build_flat_softmax(struct importer *im, const char *node, struct value *x,
                                 int64_t axis, const char *out_name)
{
    return build_flat(im, build_softmax, node, x, axis, out_name);
}

/* ---- the end ---- */

/* An output is written by each run, so unlike build_op this never folds. */
static struct value *build_copy(struct importer *im, struct value *v, const char *name)
{
    struct node *n = build_begin(im, OP_identity, NULL, &v, 1, 1);
    graph_node_output(im->g, n, 0, name);
    return graph_infer_node(im->g, n, im->err) ? n->out[0] : NULL;
}

bool build_graph_output(struct importer *im, struct value *v, const char *name)
{
    struct block *body = &im->g->body;
    bool own = v->role == VALUE_TEMP;
    for (size_t i = 0; i < body->n_out; i++)
        own &= body->out[i] != v;
    if (!own) {
        build_free_name(im, name);
        v = build_copy(im, v, name);
        if (!v)
            return false;
    } else if (strcmp(v->name, name)) {
        build_free_name(im, name);
        if (!graph_find_value(im->g, name))
            graph_rename_value(im->g, v, name);
    }
    block_add_output(im->g, body, v);
    return true;
}
