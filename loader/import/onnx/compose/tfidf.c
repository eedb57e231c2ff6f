/*
 * TfIdfVectorizer: how often n-grams of a pool are in each row.  All windows of a length and
 * distance are gathered and looked up at once, then their counts are added up.
 */
#include <string.h>

#include "loader/import/onnx/compose/compose.h"
#include "loader/import/onnx/compose/find.h"

enum { MAX_WINDOWS = 1 << 24 };

struct grams {
    int64_t min, max, max_skip;
    const char *mode;
    struct attr_ints counts, indexes;
    struct draft_attr *weights;
    int64_t *pool; /* numbers; of strings, their places in the vocabulary */
    size_t n_pool;
    int64_t n_out;
};

static bool take_grams(struct onnx *o, struct draft *d, struct grams *g)
{
    struct draft_attr *mode, *counts, *indexes;
    memset(g, 0, sizeof *g);
    if (!draft_take_int(o, d, "min_gram_length", 1, &g->min) ||
        !draft_take_int(o, d, "max_gram_length", 1, &g->max) ||
        !draft_take_int(o, d, "max_skip_count", 0, &g->max_skip) ||
        !draft_take_kind(o, d, "mode", ATTR_KIND_STRING, &mode) ||
        !draft_take_kind(o, d, "ngram_counts", ATTR_KIND_INTS, &counts) ||
        !draft_take_kind(o, d, "ngram_indexes", ATTR_KIND_INTS, &indexes) ||
        !draft_take_kind(o, d, "weights", ATTR_KIND_FLOATS, &g->weights))
        return false;
    if (!mode || !counts || !indexes || !counts->u.ints.n || !indexes->u.ints.n)
        return draft_error(o, d, SHEAF_ERROR_FORMAT,
                           "TfIdfVectorizer lacks its mode, ngram_counts or ngram_indexes");
    g->mode = mode->u.s;
    g->counts = counts->u.ints;
    g->indexes = indexes->u.ints;
    for (size_t i = 0; i < g->indexes.n; i++) {
        if (g->indexes.v[i] < 0 || g->indexes.v[i] > INT32_MAX)
            return draft_error(o, d, SHEAF_ERROR_FORMAT, "ngram_indexes holds %lld",
                               (long long)g->indexes.v[i]);
        if (g->indexes.v[i] >= g->n_out)
            g->n_out = g->indexes.v[i] + 1;
    }
    if (strcmp(g->mode, "TF") && strcmp(g->mode, "IDF") && strcmp(g->mode, "TFIDF"))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "the mode '%s' is not known", g->mode);
    if (g->weights && g->weights->u.floats.n != g->indexes.n)
        return draft_error(o, d, SHEAF_ERROR_FORMAT, "there are %zu weights for %zu n-grams",
                           g->weights->u.floats.n, g->indexes.n);
    return true;
}

static int64_t not_in_pool(const struct grams *g)
{
    int64_t number = -1;
    for (size_t i = 0; i < g->n_pool;)
        if (g->pool[i++] == number) {
            number--;
            i = 0;
        }
    return number;
}

/* x (i64), whose last extent is known only at run time, with `fill` up to the bound. */
static struct value *to_bound(struct onnx *o, const struct draft *d, struct value *x, int64_t fill)
{
    int axis = x->shape.rank - 1;
    struct value *at = compose_range(o, d, DTYPE_I64, x->shape.dims[axis]);
    struct value *shape = build_unary(&o->im, OP_shape, d->name, x);
    struct value *extent = compose_slice(o, shape, 0, axis, axis + 1, NULL);
    struct value *is_there = compose_binary(o, OP_less, at, extent, NULL);
    struct value *last = compose_number(o, OP_max, compose_number(o, OP_sub, extent, 1), 0);
    struct value *in[] = {x, compose_binary(o, OP_min, at, last, NULL)};
    if (!is_there || !in[1])
        return NULL;
    struct node *n = build_begin(&o->im, OP_gather, d->name, in, 2, 1);
    ((struct gather_attrs *)n->attrs)->axis = axis;
    struct value *choice[] = {is_there, build_end1(&o->im, n, NULL), NULL};
    choice[2] = compose_scalar(o, NULL, DTYPE_I64, fill);
    return choice[1] ? build_op(&o->im, OP_where, d->name, choice, 3, NULL) : NULL;
}

/* The elements of x as i64 [rows, columns], and the pool in the same numbers. */
static struct value *numbered(struct onnx *o, struct draft *d, struct grams *g)
{
    struct draft_attr *ints, *texts;
    struct value *x = d->in[0];
    if (!draft_take_kind(o, d, "pool_int64s", ATTR_KIND_INTS, &ints) ||
        !draft_take_kind(o, d, "pool_strings", ATTR_KIND_STRINGS, &texts))
        return NULL;
    if (texts && texts->u.strings.n) {
        struct find_keys words;
        g->n_pool = texts->u.strings.n;
        find_keys_of(o, onnx_strings(o, texts->u.strings.v, g->n_pool)->constant, true, &words);
        g->pool = words.rank;
        x = find_index(o, d, x, &words);
    } else if (ints && ints->u.ints.n && !onnx_is_string(o, x)) {
        g->n_pool = ints->u.ints.n;
        g->pool = arena_copy(o->im.arena, ints->u.ints.v, g->n_pool * sizeof *g->pool);
        x = build_cast(&o->im, NULL, x, DTYPE_I64, NULL);
    } else {
        draft_error(o, d, SHEAF_ERROR_FORMAT, "the pool of TfIdfVectorizer does not fit its input");
        return NULL;
    }
    if (!x)
        return NULL;
    int rank = x->shape.rank;
    if (rank < 1 || rank > 2 || (rank == 2 && x->shape.extent[0])) {
        draft_error(o, d, SHEAF_ERROR_SHAPE, "'%s' is not [C] or [N, C] with constant N",
                    d->in[0]->name);
        return NULL;
    }
    if (x->shape.extent[rank - 1])
        x = to_bound(o, d, x, not_in_pool(g));
    if (!x || rank == 2)
        return x;
    int64_t dims[2] = {1, x->shape.dims[0]};
    return compose_reshape(o, x, 2, dims, NULL);
}

/* The part of the pool that holds n-grams of one length; false: the counts do not fit. */
static bool part_of_pool(const struct grams *g, int64_t length, size_t *out_first, size_t *out_n)
{
    size_t i = (size_t)length - 1;
    *out_first = *out_n = 0;
    if (i >= g->counts.n)
        return true;
    int64_t first = g->counts.v[i];
    int64_t end = i + 1 < g->counts.n ? g->counts.v[i + 1] : (int64_t)g->n_pool;
    if (first < 0 || end < first || end > (int64_t)g->n_pool || (end - first) % length)
        return false;
    *out_first = (size_t)first;
    *out_n = (size_t)((end - first) / length);
    return true;
}

/* Windows of `length` elements, `step` apart: [rows, windows, length]; NULL: there are none. */
static struct value *windows(struct onnx *o, const struct draft *d, struct value *x, int64_t length,
                             int64_t step)
{
    int64_t n = x->shape.dims[1] - (length - 1) * step;
    int64_t *at = arena_array(o->im.arena, (size_t)(n * length), sizeof *at);
    for (int64_t i = 0; i < n * length; i++)
        at[i] = i / length + i % length * step;
    struct value *in[2] = {x, build_ints(&o->im, NULL, at, (size_t)(n * length))};
    struct node *node = build_begin(&o->im, OP_gather, d->name, in, 2, 1);
    ((struct gather_attrs *)node->attrs)->axis = 1;
    const int64_t dims[3] = {x->shape.dims[0], n, length};
    return compose_reshape(o, build_end1(&o->im, node, NULL), 3, dims, NULL);
}

/* Where the windows count, [rows, windows]: n_out where they are no n-grams. */
static struct value *places(struct onnx *o, const struct grams *g, size_t first, size_t n,
                            size_t before, int64_t length, struct value *x)
{
    const int64_t dims[2] = {(int64_t)n, length};
    struct tensor *keys = tensor_new(o->im.arena, DTYPE_I64, 2, dims);
    for (int64_t i = 0; i < (int64_t)n * length; i++)
        tensor_set_int(keys, i, g->pool[(int64_t)first + i]);
    struct find_keys found;
    find_keys_of(o, keys, false, &found);
    int64_t *to = arena_array(o->im.arena, (size_t)found.n + 1, sizeof *to);
    for (int64_t i = 0; i < found.n; i++)
        to[i] = g->indexes.v[before + (size_t)found.from[i]];
    to[found.n] = g->n_out;
    struct value *table = build_ints(&o->im, NULL, to, (size_t)found.n + 1);
    struct value *rows = graph_add_constant(o->im.g, NULL, found.keys);
    return compose_binary(o, OP_gather, table, compose_binary(o, OP_find, x, rows, NULL), NULL);
}

/* The places of all windows of all lengths and distances; *out NULL: there are no windows. */
static bool all_places(struct onnx *o, const struct draft *d, const struct grams *g,
                       struct value *x, struct value **out)
{
    size_t before = 0, first, n;
    int64_t count = 0, columns = x->shape.dims[1];
    *out = NULL;
    for (int64_t length = 1; length <= g->max && length <= (int64_t)g->counts.n; length++) {
        if (!part_of_pool(g, length, &first, &n) || before + n > g->indexes.n)
            return draft_error(o, d, SHEAF_ERROR_FORMAT,
                               "ngram_counts and the pool do not fit together");
        int64_t most = length == 1 ? 0 : g->max_skip;
        for (int64_t skip = 0; n && length >= g->min && skip <= most; skip++) {
            if (columns - (length - 1) * (skip + 1) <= 0)
                break;
            count += columns * length;
            if (count > MAX_WINDOWS)
                return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "there are too many n-grams");
            struct value *w = windows(o, d, x, length, skip + 1);
            w = w ? places(o, g, first, n, before, length, w) : NULL;
            *out = *out && w ? compose_concat(o, *out, w, 1, NULL) : w;
            if (!*out)
                return false;
        }
        before += n;
    }
    return true;
}

/* How often each place is there, [rows, n_out]. */
static struct value *counted(struct onnx *o, const struct draft *d, const struct grams *g,
                             struct value *x, struct value *at)
{
    const int64_t dims[2] = {x->shape.dims[0], g->n_out + 1};
    struct shape s = shape_of_dims(2, dims);
    struct value *y = build_filled(&o->im, d->name, NULL, DTYPE_F32, &s, 0);
    if (at) {
        struct value *ones = build_filled(&o->im, d->name, NULL, DTYPE_F32, &at->shape, 1);
        struct value *in[3] = {y, at, ones};
        if (!y || !ones)
            return NULL;
        struct node *n = build_begin(&o->im, OP_scatter_elements, d->name, in, 3, 1);
        ((struct scatter_elements_attrs *)n->attrs)->axis = 1;
        ((struct scatter_elements_attrs *)n->attrs)->reduction = "add";
        y = build_end1(&o->im, n, NULL);
    }
    return compose_slice(o, y, 1, 0, g->n_out, NULL);
}

static struct value *weighted(struct onnx *o, const struct draft *d, const struct grams *g,
                              struct value *y)
{
    struct tensor *t = tensor_new(o->im.arena, DTYPE_F32, 1, &g->n_out);
    for (int64_t i = 0; i < g->n_out; i++)
        tensor_set(t, i, 1);
    for (size_t i = 0; g->weights && i < g->indexes.n; i++)
        tensor_set(t, g->indexes.v[i], (double)g->weights->u.floats.v[i]);
    if (!strcmp(g->mode, "TF"))
        return y;
    struct value *w = graph_add_constant(o->im.g, NULL, t);
    if (!strcmp(g->mode, "TFIDF"))
        return compose_binary(o, OP_mul, y, w, NULL);
    struct value *in[3] = {compose_number(o, OP_greater, y, 0), w, NULL};
    in[2] = build_number(&o->im, y, 0);
    return in[0] && in[2] ? build_op(&o->im, OP_where, d->name, in, 3, NULL) : NULL;
}

bool onnx_compose_tfidf(struct onnx *o, struct draft *d)
{
    struct grams g;
    struct value *at;
    if (!draft_need_inputs(o, d, 1) || !take_grams(o, d, &g))
        return false;
    struct value *x = numbered(o, d, &g);
    if (!x || !all_places(o, d, &g, x, &at))
        return false;
    struct value *y = counted(o, d, &g, x, at);
    y = y ? weighted(o, d, &g, y) : NULL;
    bool single = d->in[0]->shape.rank - onnx_is_string(o, d->in[0]) == 1;
    return draft_finish(o, d, single ? compose_reshape(o, y, 1, &g.n_out, NULL) : y);
}
