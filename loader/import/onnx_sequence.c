/*
 * Sequences and optionals.  They exist while a model is read and nowhere later: a sequence is a
 * list of values, whose length must be known then, and an optional is its value or nothing.
 *
 * Names are bound to a value that stands for the list and is none of the graph's; only the
 * operators of this file, and those that pass on what they do not look at, may see one.
 */
#include <string.h>

#include "loader/import/onnx_compose.h"

struct sequence {
    struct value stands_for; /* the first member: found by its address */
    bool is_nothing;         /* an optional without a value */
    size_t n;
    struct value **element;
};

static const char sequence_name[] = "a sequence";

bool onnx_is_sequence(const struct value *v)
{
    return v && v->name == sequence_name;
}

static struct sequence *sequence_of(const struct value *v)
{
    return onnx_is_sequence(v) ? (struct sequence *)(uintptr_t)v : NULL;
}

static struct sequence *sequence_new(struct onnx *o, size_t n)
{
    struct sequence *s = arena_new(o->im.arena, struct sequence);
    s->stands_for.name = sequence_name;
    s->n = n;
    s->element = arena_array(o->im.arena, n, sizeof(struct value *));
    return s;
}

size_t onnx_sequence_length(const struct value *v)
{
    const struct sequence *s = sequence_of(v);
    return s ? s->n : 0;
}

struct value *onnx_sequence_element(const struct value *v, size_t i)
{
    return sequence_of(v)->element[i];
}

struct value *onnx_sequence(struct onnx *o, struct value *const *elements, size_t n)
{
    struct sequence *s = sequence_new(o, n);
    for (size_t i = 0; i < n; i++)
        s->element[i] = elements[i];
    return &s->stands_for;
}

struct value *onnx_nothing(struct onnx *o)
{
    struct sequence *s = sequence_new(o, 0);
    s->is_nothing = true;
    return &s->stands_for;
}

bool onnx_is_nothing(const struct value *v)
{
    const struct sequence *s = sequence_of(v);
    return s && s->is_nothing;
}

bool onnx_takes_sequences(const char *op_type)
{
    static const char *const types[] = {
        "ConcatFromSequence", "Identity",           "Loop",           "Optional",
        "OptionalGetElement", "OptionalHasElement", "SequenceAt",     "SequenceConstruct",
        "SequenceErase",      "SequenceInsert",     "SequenceLength", "SequenceMap",
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i], op_type))
            return true;
    return false;
}

/* ---- inputs ---- */

/* Input i as a sequence; NULL with a sentence. */
static const struct sequence *need_sequence(struct onnx *o, const struct draft *d, size_t i)
{
    const struct sequence *s = sequence_of(draft_input(d, i));
    if (!s || s->is_nothing)
        draft_error(o, d, SHEAF_ERROR_SHAPE, "input %zu of %s is no sequence", i, d->op_type);
    return s && !s->is_nothing ? s : NULL;
}

/* The element that input i points to, `otherwise` where it is left out; counts from the end where
   it is negative. */
static bool position(struct onnx *o, const struct draft *d, size_t i, size_t n, size_t most,
                     size_t otherwise, size_t *out)
{
    const struct value *v = draft_input(d, i);
    *out = otherwise;
    if (!v)
        return true;
    if (!value_is_constant(v) || tensor_elems(v->constant) != 1)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "the position in a sequence must be one constant number");
    int64_t at = tensor_get_int(v->constant, 0);
    if (at < 0)
        at += (int64_t)n;
    if (at < 0 || at > (int64_t)most)
        return draft_error(o, d, SHEAF_ERROR_SHAPE,
                           "the position %lld does not exist in a sequence of %zu tensors",
                           (long long)tensor_get_int(v->constant, 0), n);
    *out = (size_t)at;
    return true;
}

/* ---- lists ---- */

bool onnx_adapt_sequence_empty(struct onnx *o, struct draft *d)
{
    draft_take(d, "dtype");
    return draft_finish(o, d, onnx_sequence(o, NULL, 0));
}

bool onnx_adapt_sequence_construct(struct onnx *o, struct draft *d)
{
    return draft_need_inputs(o, d, d->n_in) && draft_finish(o, d, onnx_sequence(o, d->in, d->n_in));
}

bool onnx_adapt_sequence_insert(struct onnx *o, struct draft *d)
{
    const struct sequence *s = need_sequence(o, d, 0);
    size_t at;
    if (!s || !draft_need_inputs(o, d, 2) || !position(o, d, 2, s->n, s->n, s->n, &at))
        return false;
    struct sequence *r = sequence_new(o, s->n + 1);
    for (size_t i = 0; i < r->n; i++)
        r->element[i] = i == at ? d->in[1] : s->element[i - (i > at)];
    return draft_finish(o, d, &r->stands_for);
}

static bool is_empty(struct onnx *o, const struct draft *d, const struct sequence *s)
{
    return s->n == 0 &&
           !draft_error(o, d, SHEAF_ERROR_SHAPE, "%s of a sequence without tensors", d->op_type);
}

bool onnx_adapt_sequence_erase(struct onnx *o, struct draft *d)
{
    const struct sequence *s = need_sequence(o, d, 0);
    size_t at;
    if (!s || is_empty(o, d, s) || !position(o, d, 1, s->n, s->n - 1, s->n - 1, &at))
        return false;
    struct sequence *r = sequence_new(o, s->n - 1);
    for (size_t i = 0; i < r->n; i++)
        r->element[i] = s->element[i + (i >= at)];
    return draft_finish(o, d, &r->stands_for);
}

bool onnx_adapt_sequence_length(struct onnx *o, struct draft *d)
{
    const struct sequence *s = need_sequence(o, d, 0);
    if (!s)
        return false;
    return draft_finish(o, d, compose_scalar(o, draft_output_name(d), DTYPE_I64, (int64_t)s->n));
}

/* ---- tensors of lists ---- */

/* All tensors along `axis`, which is a new one or not. */
static struct value *joined(struct onnx *o, const struct draft *d, const struct sequence *s,
                            int64_t axis, bool new_axis)
{
    for (size_t i = 0; i < s->n; i++)
        if (onnx_is_string(o, s->element[i])) {
            draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                        "tensors of strings in a sequence cannot be joined");
            return NULL;
        }
    return new_axis ? compose_stack(o, s->element, s->n, axis)
                    : compose_along(o, s->element, s->n, axis, NULL);
}

bool onnx_adapt_concat_from_sequence(struct onnx *o, struct draft *d)
{
    const struct sequence *s = need_sequence(o, d, 0);
    int64_t axis, new_axis;
    return s && !is_empty(o, d, s) && draft_take_int(o, d, "axis", 0, &axis) &&
           draft_take_int(o, d, "new_axis", 0, &new_axis) &&
           draft_finish(o, d, joined(o, d, s, axis, new_axis != 0));
}

/* A position known only at run time picks from all of them, stacked. */
static struct value *picked(struct onnx *o, const struct draft *d, const struct sequence *s)
{
    struct value *all = joined(o, d, s, 0, true);
    struct value *y = build_binary(&o->im, OP_gather, d->name, all, d->in[1]);
    return y && d->in[1]->shape.rank ? compose_with_axis(o, OP_squeeze, y, 0) : y;
}

bool onnx_adapt_sequence_at(struct onnx *o, struct draft *d)
{
    const struct sequence *s = need_sequence(o, d, 0);
    size_t at;
    if (!s || is_empty(o, d, s) || !draft_need_inputs(o, d, 2))
        return false;
    if (!value_is_constant(d->in[1]))
        return draft_finish(o, d, picked(o, d, s));
    return position(o, d, 1, s->n, s->n - 1, 0, &at) && draft_finish(o, d, s->element[at]);
}

/* ---- SplitToSequence ---- */

enum { MAX_PARTS = 4096 };

/* The sizes of the parts along a dimension of `extent`: of one each, of one size but for the last,
   or as they are listed. */
static bool part_sizes(struct onnx *o, const struct draft *d, int64_t extent, int64_t *sizes,
                       size_t *out_n)
{
    const struct value *v = draft_input(d, 1);
    if (v && !value_is_constant(v))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "SplitToSequence needs constant sizes of its parts");
    bool listed = v && v->shape.rank;
    int64_t size = listed ? 0 : v ? tensor_get_int(v->constant, 0) : 1;
    int64_t n = listed ? tensor_elems(v->constant) : size > 0 ? (extent + size - 1) / size : 0;
    if ((!listed && size <= 0) || n > MAX_PARTS)
        return draft_error(o, d, SHEAF_ERROR_SHAPE,
                           "SplitToSequence cannot cut %lld elements into parts of %lld",
                           (long long)extent, (long long)size);
    for (int64_t i = 0; i < n; i++)
        sizes[i] = listed                     ? tensor_get_int(v->constant, i)
                   : extent - i * size < size ? extent - i * size
                                              : size;
    *out_n = (size_t)n;
    return true;
}

bool onnx_adapt_split_to_sequence(struct onnx *o, struct draft *d)
{
    int64_t axis, keepdims;
    size_t n = 0;
    if (!draft_need_inputs(o, d, 1) || !draft_take_int(o, d, "axis", 0, &axis) ||
        !draft_take_int(o, d, "keepdims", 1, &keepdims))
        return false;
    struct value *x = d->in[0];
    int64_t at = axis < 0 ? axis + x->shape.rank : axis;
    if (at < 0 || at >= x->shape.rank)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "axis %lld does not exist in %d dimensions",
                           (long long)axis, x->shape.rank);
    int64_t *sizes = arena_array(o->im.arena, MAX_PARTS, sizeof *sizes);
    if (!part_sizes(o, d, x->shape.dims[at], sizes, &n))
        return false;
    struct sequence *s = sequence_new(o, n);
    if (!n)
        return draft_finish(o, d, &s->stands_for);
    struct value *in[] = {x, build_ints(&o->im, NULL, sizes, n)};
    struct node *split = build_begin(&o->im, OP_split, d->name, in, 2, n);
    ((struct split_attrs *)split->attrs)->axis = at;
    for (size_t i = 0; i < n; i++)
        graph_node_output(o->im.g, split, i, NULL);
    if (!build_end(&o->im, split, arena_array(o->im.arena, n, sizeof(const char *))))
        return false;
    for (size_t i = 0; i < n; i++) {
        bool drop = !keepdims && !draft_input(d, 1);
        s->element[i] = drop ? compose_with_axis(o, OP_squeeze, split->out[i], at) : split->out[i];
        if (!s->element[i])
            return false;
    }
    return draft_finish(o, d, &s->stands_for);
}

/* ---- optionals ---- */

bool onnx_adapt_optional(struct onnx *o, struct draft *d)
{
    draft_take(d, "type");
    return draft_finish(o, d, d->n_in ? d->in[0] : onnx_nothing(o));
}

bool onnx_adapt_optional_has_element(struct onnx *o, struct draft *d)
{
    const struct value *v = draft_input(d, 0);
    bool has = v && !onnx_is_nothing(v);
    return draft_finish(o, d, compose_scalar(o, draft_output_name(d), DTYPE_BOOL, has));
}

bool onnx_adapt_optional_get_element(struct onnx *o, struct draft *d)
{
    if (!draft_need_inputs(o, d, 1))
        return false;
    if (onnx_is_nothing(d->in[0]))
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "the optional holds nothing");
    return draft_finish(o, d, d->in[0]);
}

/* Identity of a list is the list. */
bool onnx_adapt_identity(struct onnx *o, struct draft *d)
{
    return !onnx_is_sequence(draft_input(d, 0)) || draft_finish(o, d, d->in[0]);
}

/* ---- SequenceMap ---- */

/* The parameters of one round: an element of each sequence, tensors as they are. */
static bool round_inputs(struct onnx *o, const struct draft *d, const Onnx__GraphProto *body,
                         size_t round, struct value **out)
{
    for (size_t i = 0; i < body->n_input; i++) {
        const struct sequence *s = sequence_of(d->in[i]);
        if (s && round >= s->n)
            return draft_error(o, d, SHEAF_ERROR_SHAPE,
                               "input %zu has %zu tensors, the first input has more", i, s->n);
        out[i] = s ? s->element[round] : d->in[i];
    }
    return true;
}

bool onnx_adapt_sequence_map(struct onnx *o, struct draft *d)
{
    const struct sequence *first = need_sequence(o, d, 0);
    const Onnx__GraphProto *body = onnx_graph_attr(d, "body");
    if (!first)
        return false;
    if (!body || body->n_input != d->n_in || body->n_output < d->n_out ||
        !draft_need_inputs(o, d, d->n_in))
        return draft_error(o, d, SHEAF_ERROR_FORMAT,
                           "SequenceMap needs a body with an input for each of its own");
    struct sequence **out = arena_array(o->im.arena, d->n_out, sizeof *out);
    for (size_t i = 0; i < d->n_out; i++)
        out[i] = sequence_new(o, first->n);
    struct value **in = arena_array(o->im.arena, d->n_in, sizeof *in);
    struct value **result = arena_array(o->im.arena, body->n_output, sizeof *result);
    for (size_t round = 0; round < first->n; round++) {
        if (!round_inputs(o, d, body, round, in) ||
            !onnx_inline(o, d, body, in, d->n_in, result, body->n_output))
            return false;
        for (size_t i = 0; i < d->n_out; i++)
            out[i]->element[round] = result[i];
    }
    for (size_t i = 0; i < d->n_out; i++)
        draft_bind(o, d, i, &out[i]->stands_for);
    d->done = true;
    return true;
}

/* ---- loops that carry a list ---- */

enum { MAX_ROUNDS = 4096 };

struct rounds {
    const Onnx__GraphProto *body;
    size_t n_carried, n_scan;
    int64_t most;          /* MAX_ROUNDS + 1: only the condition ends the loop */
    size_t done;           /* rounds so far */
    struct value *cond;    /* NULL: true */
    struct value **in;     /* of the body */
    struct value **result; /* of its last round */
    struct sequence **scan;
};

/* 1, 0, or -1 where it is not known. */
static int known_truth(const struct value *v)
{
    if (!v)
        return 1;
    bool known = value_is_constant(v) && tensor_elems(v->constant) == 1;
    return known ? tensor_get_int(v->constant, 0) != 0 : -1;
}

static bool rounds_begin(struct onnx *o, const struct draft *d, const Onnx__GraphProto *body,
                         struct rounds *out)
{
    const struct value *trip = draft_input(d, TRIP);
    struct arena *a = o->im.arena;
    struct rounds r = {.body = body, .n_carried = body->n_input - CARRIED};
    r.n_scan = d->n_out > r.n_carried ? d->n_out - r.n_carried : 0;
    r.most = MAX_ROUNDS + 1;
    if (trip && (!value_is_constant(trip) || tensor_elems(trip->constant) != 1))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "a loop that carries a sequence needs a constant number of rounds");
    if (trip && tensor_get_int(trip->constant, 0) < r.most)
        r.most = tensor_get_int(trip->constant, 0);
    r.cond = draft_input(d, COND);
    r.in = arena_array(a, body->n_input, sizeof(struct value *));
    for (size_t i = 0; i < r.n_carried; i++)
        r.in[CARRIED + i] = d->in[CARRIED + i];
    r.result = arena_array(a, body->n_output, sizeof(struct value *));
    r.scan = arena_array(a, r.n_scan, sizeof(struct sequence *));
    for (size_t i = 0; i < r.n_scan; i++) {
        r.scan[i] = sequence_new(o, r.most > MAX_ROUNDS ? MAX_ROUNDS : (size_t)r.most);
        r.scan[i]->n = 0;
    }
    *out = r;
    return true;
}

static bool next_round(struct onnx *o, const struct draft *d, struct rounds *r)
{
    if (r->done == MAX_ROUNDS)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "a loop that carries a sequence can have %d rounds at most", MAX_ROUNDS);
    r->in[TRIP] = compose_scalar(o, NULL, DTYPE_I64, (int64_t)r->done++);
    r->in[COND] = compose_scalar(o, NULL, DTYPE_BOOL, 1);
    if (!onnx_inline(o, d, r->body, r->in, r->body->n_input, r->result, r->body->n_output))
        return false;
    r->cond = r->result[0];
    for (size_t i = 0; i < r->n_carried; i++)
        r->in[CARRIED + i] = r->result[1 + i];
    for (size_t i = 0; i < r->n_scan; i++)
        r->scan[i]->element[r->scan[i]->n++] = r->result[1 + r->n_carried + i];
    return true;
}

bool onnx_unroll_loop(struct onnx *o, struct draft *d, const Onnx__GraphProto *body)
{
    struct rounds r = {0};
    if (!rounds_begin(o, d, body, &r))
        return false;
    while ((int64_t)r.done < r.most && known_truth(r.cond) == 1)
        if (!next_round(o, d, &r))
            return false;
    if ((int64_t)r.done < r.most && known_truth(r.cond) < 0)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "a loop that carries a sequence needs a condition that is constant");
    for (size_t i = 0; i < d->n_out && i < r.n_carried; i++)
        draft_bind(o, d, i, r.in[CARRIED + i]);
    for (size_t i = 0; i < r.n_scan; i++) {
        bool none = is_empty(o, d, r.scan[i]);
        struct value *all = none ? NULL : joined(o, d, r.scan[i], 0, true);
        if (!all)
            return false;
        draft_bind(o, d, r.n_carried + i, all);
    }
    d->done = true;
    return true;
}
