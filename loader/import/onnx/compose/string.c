/*
 * Operators that look into strings, as operators over bytes (onnx/string.c).  Upper and lower case
 * are those of ASCII: other bytes stay as they are, whatever the locale.
 */
#include <string.h>

#include "loader/import/onnx/compose/compose.h"
#include "loader/import/onnx/compose/find.h"
#include "loader/import/onnx/compose/regex.h"

static bool need_string(struct onnx *o, const struct draft *d, size_t i)
{
    return onnx_is_string(o, draft_input(d, i)) ||
           draft_error(o, d, SHEAF_ERROR_SHAPE, "input %zu of %s is no tensor of strings", i,
                       d->op_type);
}

static const struct attr_ints *last_axis(void)
{
    static const int64_t last = -1;
    static const struct attr_ints axes = {&last, 1};
    return &axes;
}

/* Whether all along the last axis are true. */
static struct value *all_of(struct onnx *o, const struct draft *d, struct value *x)
{
    struct value *y = build_cast(&o->im, NULL, x, DTYPE_U8, NULL);
    y = build_reduce(&o->im, OP_reduce_min, d->name, y, *last_axis(), false);
    return build_cast(&o->im, NULL, y, DTYPE_BOOL, NULL);
}

/* Equal of strings; other types are left as they are. */
bool onnx_adapt_string_equal(struct onnx *o, struct draft *d)
{
    if (!draft_need_inputs(o, d, 2))
        return false;
    if (!onnx_is_string(o, d->in[0]) && !onnx_is_string(o, d->in[1]))
        return true;
    if (!need_string(o, d, 0) || !need_string(o, d, 1))
        return false;
    int64_t a = onnx_string_bytes(d->in[0]), b = onnx_string_bytes(d->in[1]);
    struct value *x = onnx_string_padded(o, d->in[0], a > b ? a : b);
    struct value *y = onnx_string_padded(o, d->in[1], a > b ? a : b);
    return draft_finish(o, d, all_of(o, d, compose_binary(o, OP_equal, x, y, NULL)));
}

/* ---- StringConcat ---- */

static struct value *expanded(struct onnx *o, struct value *x, int rank, const int64_t *dims)
{
    struct value *shape = build_ints(&o->im, NULL, dims, (size_t)rank);
    return compose_binary(o, OP_expand, x, shape, NULL);
}

/* The common shape of both, without bytes. */
static bool common_dims(struct onnx *o, const struct draft *d, int *out_rank, int64_t *dims)
{
    const struct shape *a = &d->in[0]->shape, *b = &d->in[1]->shape;
    int rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 0; i < rank - 1; i++) {
        int at_a = i - (rank - a->rank), at_b = i - (rank - b->rank);
        int64_t x = at_a < 0 ? 1 : a->dims[at_a], y = at_b < 0 ? 1 : b->dims[at_b];
        dims[i] = x == 1 ? y : x;
        if (x != 1 && y != 1 && x != y)
            return draft_error(o, d, SHEAF_ERROR_SHAPE,
                               "dimensions of %lld and %lld strings do not fit together",
                               (long long)x, (long long)y);
    }
    *out_rank = rank;
    return true;
}

/* Behind the bytes of a stand those of b: byte i of the result is that of b at i - length of a. */
bool onnx_compose_string_concat(struct onnx *o, struct draft *d)
{
    int64_t dims[MAX_RANK];
    int rank = 0;
    if (!need_string(o, d, 0) || !need_string(o, d, 1) || !compose_need_static(o, d, 0, -1) ||
        !compose_need_static(o, d, 1, -1) || !common_dims(o, d, &rank, dims))
        return false;
    int64_t bytes = onnx_string_bytes(d->in[0]) + onnx_string_bytes(d->in[1]);
    dims[rank - 1] = bytes;
    struct value *a = onnx_string_padded(o, d->in[0], bytes);
    struct value *b = onnx_string_padded(o, d->in[1], bytes);
    struct value *used = compose_number(o, OP_greater, a, 0);
    used = build_cast(&o->im, NULL, used, DTYPE_I64, NULL);
    struct value *length = build_reduce(&o->im, OP_reduce_sum, d->name, used, *last_axis(), true);
    struct value *at = compose_range(o, d, DTYPE_I64, bytes);
    at = compose_binary(o, OP_sub, at, length, NULL);
    struct value *is_first = compose_number(o, OP_less, at, 0);
    at = compose_binary(o, OP_max, at, build_number(&o->im, at, 0), NULL);
    struct value *from[2] = {expanded(o, b, rank, dims), NULL};
    from[1] = expanded(o, at, rank, dims);
    if (!from[0] || !from[1])
        return false;
    struct node *n = build_begin(&o->im, OP_gather_elements, d->name, from, 2, 1);
    ((struct gather_elements_attrs *)n->attrs)->axis = rank - 1;
    struct value *in[3] = {is_first, a, build_end1(&o->im, n, NULL)};
    if (!in[0] || !in[1] || !in[2])
        return false;
    return draft_finish(o, d, onnx_string(o, build_op(&o->im, OP_where, d->name, in, 3, NULL)));
}

/* ---- RegexFullMatch ---- */

bool onnx_compose_regex_full_match(struct onnx *o, struct draft *d)
{
    struct draft_attr *pattern;
    struct value *in[3];
    if (!need_string(o, d, 0) || !draft_take_kind(o, d, "pattern", ATTR_KIND_STRING, &pattern))
        return false;
    in[0] = d->in[0];
    return onnx_regex(o, d, pattern ? pattern->u.s : "", &in[1], &in[2]) &&
           draft_finish(o, d, build_op(&o->im, OP_automaton, d->name, in, 3, NULL));
}

/* ---- StringSplit ---- */

bool onnx_compose_string_split(struct onnx *o, struct draft *d)
{
    static const char *const no_names[2];
    if (!need_string(o, d, 0))
        return false;
    struct node *n = build_begin(&o->im, OP_string_split, d->name, d->in, 1, 2);
    if (!draft_set_attrs(o, d, n))
        return false;
    graph_node_output(o->im.g, n, 0, NULL);
    graph_node_output(o->im.g, n, 1, NULL);
    if (!build_end(&o->im, n, no_names))
        return false;
    draft_bind(o, d, 1, n->out[1]);
    return draft_finish(o, d, onnx_string(o, n->out[0]));
}

/* ---- StringNormalizer ---- */

/* Bytes first .. first + 25 (letters of one case) as those of the other. */
static struct value *case_changed(struct onnx *o, const struct draft *d, struct value *x,
                                  bool to_lower)
{
    double first = to_lower ? 'A' : 'a';
    struct value *other = compose_number(o, to_lower ? OP_add : OP_sub, x, 'a' - 'A');
    struct value *low = compose_number(o, OP_greater_or_equal, x, first);
    struct value *high = compose_number(o, OP_less_or_equal, x, first + 25);
    struct value *in[3] = {compose_binary(o, OP_and, low, high, NULL), other, x};
    return in[0] && other ? build_op(&o->im, OP_where, d->name, in, 3, NULL) : NULL;
}

/* Whether each string is none of the words. */
static struct value *kept(struct onnx *o, struct draft *d, struct value *x,
                          const struct attr_strings *words, bool sensitive)
{
    const char **word = arena_array(o->im.arena, words->n, sizeof *word);
    for (size_t i = 0; i < words->n; i++) {
        char *text = arena_strdup(o->im.arena, words->v[i]);
        for (char *c = text; !sensitive && *c; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c - 'A' + 'a');
        word[i] = text;
    }
    struct find_keys keys;
    find_keys_of(o, onnx_strings(o, word, words->n)->constant, true, &keys);
    if (!sensitive)
        x = onnx_string(o, case_changed(o, d, x, true));
    struct value *index = find_index(o, d, x, &keys);
    return compose_number(o, OP_equal, index, (double)keys.n);
}

/* The strings that are kept; where there are none, an empty one. */
static struct value *filtered(struct onnx *o, const struct draft *d, struct value *x,
                              struct value *keep)
{
    const int64_t dims[2] = {1, onnx_string_bytes(x)};
    struct shape row = shape_of_dims(2, dims);
    struct value *none = build_cast(&o->im, NULL, keep, DTYPE_U8, NULL);
    none = build_reduce(&o->im, OP_reduce_max, d->name, none, (struct attr_ints){NULL, 0}, true);
    none = compose_number(o, OP_equal, none, 0);
    struct value *empty = build_filled(&o->im, d->name, NULL, DTYPE_U8, &row, 0);
    struct value *in[2] = {compose_concat(o, x, empty, 0, NULL), NULL};
    in[1] = compose_concat(o, keep, none, 0, NULL);
    return in[0] && in[1] ? build_op(&o->im, OP_compress, d->name, in, 2, NULL) : NULL;
}

bool onnx_compose_string_normalizer(struct onnx *o, struct draft *d)
{
    struct draft_attr *change, *words;
    int64_t sensitive;
    draft_take(d, "locale");
    if (!need_string(o, d, 0) ||
        !draft_take_kind(o, d, "case_change_action", ATTR_KIND_STRING, &change) ||
        !draft_take_kind(o, d, "stopwords", ATTR_KIND_STRINGS, &words) ||
        !draft_take_int(o, d, "is_case_sensitive", 0, &sensitive))
        return false;
    const char *kind = change ? change->u.s : "NONE";
    struct value *x = d->in[0];
    bool rows = x->shape.rank == 3;
    if (x->shape.rank < 2 || x->shape.rank > 3 || (rows && x->shape.dims[0] != 1))
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "strings must be [C] or [1, C]");
    if (strcmp(kind, "NONE") && strcmp(kind, "LOWER") && strcmp(kind, "UPPER"))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "the case_change_action '%s' is not known", kind);
    if (rows)
        x = onnx_string(o, compose_reshape(o, x, 2, x->shape.dims + 1, NULL));
    struct value *keep = NULL;
    if (x && words && words->u.strings.n) {
        keep = kept(o, d, x, &words->u.strings, sensitive != 0);
        if (!keep)
            return false;
    }
    if (x && strcmp(kind, "NONE"))
        x = case_changed(o, d, x, !strcmp(kind, "LOWER"));
    if (x && keep)
        x = filtered(o, d, x, keep);
    if (x && rows) {
        static const int64_t first = 0;
        x = build_binary(&o->im, OP_unsqueeze, d->name, x, build_ints(&o->im, NULL, &first, 1));
    }
    return draft_finish(o, d, onnx_string(o, x));
}
