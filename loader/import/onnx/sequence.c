/*
 * Sequences and optionals.  They exist while a model is read and nowhere later: a sequence is a
 * list of values, or a tensor that holds them where the list is known only at run time
 * (list.h), and an optional is its value or nothing.
 *
 * Names are bound to a value that stands for the list and is none of the graph's; only the
 * operators of this file, and those that pass on what they do not look at, may see one.
 */
#include "loader/import/onnx/list.h"

#include <string.h>

#include "loader/import/onnx/compose/compose.h"

static const char sequence_name[] = "a sequence";

bool onnx_is_sequence(const struct value *v)
{
    return v && v->name == sequence_name;
}

struct sequence *onnx_sequence_of(const struct value *v)
{
    return onnx_is_sequence(v) ? (struct sequence *)(uintptr_t)v : NULL;
}

struct sequence *onnx_sequence_new(struct onnx *o, size_t n)
{
    struct sequence *s = arena_new(o->im.arena, struct sequence);
    s->stands_for.name = sequence_name;
    s->n = n;
    s->element = arena_array(o->im.arena, n, sizeof(struct value *));
    return s;
}

struct value *onnx_sequence(struct onnx *o, struct value *const *elements, size_t n)
{
    struct sequence *s = onnx_sequence_new(o, n);
    for (size_t i = 0; i < n; i++)
        s->element[i] = elements[i];
    return &s->stands_for;
}

struct value *onnx_nothing(struct onnx *o)
{
    struct sequence *s = onnx_sequence_new(o, 0);
    s->is_nothing = true;
    return &s->stands_for;
}

bool onnx_is_nothing(const struct value *v)
{
    const struct sequence *s = onnx_sequence_of(v);
    return s && s->is_nothing;
}

/* Element i of those that there can be. */
static struct value *element_of(struct onnx *o, const struct draft *d, const struct sequence *s,
                                size_t i)
{
    if (!s->stacked)
        return s->element[i];
    return list_pick(o, d, s, compose_scalar(o, NULL, DTYPE_I64, (int64_t)i));
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
    const struct sequence *s = onnx_sequence_of(draft_input(d, i));
    bool is_list = s && !s->is_nothing && !s->is_tensor;
    if (!is_list)
        draft_error(o, d, SHEAF_ERROR_SHAPE, "input %zu of %s is no sequence", i, d->op_type);
    return is_list ? s : NULL;
}

/* The element that input i points to, `otherwise` where it is left out; counts from the end where
   it is negative.  Constant. */
static bool position(struct onnx *o, const struct draft *d, size_t i, size_t n, size_t most,
                     size_t otherwise, size_t *out)
{
    const struct value *v = draft_input(d, i);
    *out = otherwise;
    if (!v)
        return true;
    if (tensor_elems(v->constant) != 1)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "the position in a sequence is one number");
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

/* The list changes where the run says. */
static bool at_run_time(const struct sequence *s, const struct value *position)
{
    return s->stacked || (position && !value_is_constant(position));
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
    if (!s || !draft_need_inputs(o, d, 2))
        return false;
    if (onnx_is_sequence(d->in[1]))
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "a sequence cannot be put into one");
    if (at_run_time(s, draft_input(d, 2)))
        return draft_finish(o, d, list_insert(o, d, s, d->in[1], draft_input(d, 2)));
    if (!position(o, d, 2, s->n, s->n, s->n, &at))
        return false;
    struct sequence *r = onnx_sequence_new(o, s->n + 1);
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
    if (!s || is_empty(o, d, s))
        return false;
    if (at_run_time(s, draft_input(d, 1))) {
        s = list_at_run_time(o, d, d->in[0]);
        return s && draft_finish(o, d, list_erase(o, d, s, draft_input(d, 1)));
    }
    if (!position(o, d, 1, s->n, s->n - 1, s->n - 1, &at))
        return false;
    struct sequence *r = onnx_sequence_new(o, s->n - 1);
    for (size_t i = 0; i < r->n; i++)
        r->element[i] = s->element[i + (i >= at)];
    return draft_finish(o, d, &r->stands_for);
}

bool onnx_adapt_sequence_length(struct onnx *o, struct draft *d)
{
    const struct sequence *s = need_sequence(o, d, 0);
    if (!s)
        return false;
    return draft_finish(
        o, d,
        s->stacked ? s->length : compose_scalar(o, draft_output_name(d), DTYPE_I64, (int64_t)s->n));
}

/* ---- tensors of lists ---- */

/* All tensors along `axis`, which is a new one or not. */
static struct value *joined(struct onnx *o, const struct draft *d, const struct sequence *s,
                            int64_t axis, bool new_axis)
{
    if (s->stacked)
        return list_join(o, d, s, axis, new_axis);
    if (onnx_is_string(o, s->element[0])) {
        s = list_at_run_time(o, d, &s->stands_for);
        return s ? list_join(o, d, s, axis, new_axis) : NULL;
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

bool onnx_adapt_sequence_at(struct onnx *o, struct draft *d)
{
    const struct sequence *s = need_sequence(o, d, 0);
    size_t at;
    if (!s || is_empty(o, d, s) || !draft_need_inputs(o, d, 2))
        return false;
    if (at_run_time(s, d->in[1])) {
        s = list_at_run_time(o, d, d->in[0]);
        return s && draft_finish(o, d, list_pick(o, d, s, d->in[1]));
    }
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
    struct sequence *s = onnx_sequence_new(o, n);
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
    const struct sequence *s = onnx_sequence_of(v);
    bool has = v && !onnx_is_nothing(v);
    return draft_finish(o, d,
                        s && s->present ? s->present
                                        : compose_scalar(o, draft_output_name(d), DTYPE_BOOL, has));
}

bool onnx_adapt_optional_get_element(struct onnx *o, struct draft *d)
{
    if (!draft_need_inputs(o, d, 1))
        return false;
    if (onnx_is_nothing(d->in[0]))
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "the optional holds nothing");
    const struct sequence *s = onnx_sequence_of(d->in[0]);
    if (!s || !s->present)
        return draft_finish(o, d, d->in[0]);
    if (s->is_tensor)
        return draft_finish(o, d, element_of(o, d, s, 0));
    struct sequence *there = arena_copy(o->im.arena, s, sizeof *s);
    there->present = NULL;
    return draft_finish(o, d, &there->stands_for);
}

/* Identity of a list is the list. */
bool onnx_adapt_identity(struct onnx *o, struct draft *d)
{
    return !onnx_is_sequence(draft_input(d, 0)) || draft_finish(o, d, d->in[0]);
}

/* ---- the model's outputs ---- */

/* A number or bool about NAME. */
static bool output_of(struct onnx *o, struct value *v, const char *name, const char *what)
{
    import_note(&o->im, "%s: %s_%s tells about output '%s'", o->im.path, name, what, name);
    return build_graph_output(&o->im, v, arena_printf(o->im.arena, "%s_%s", name, what));
}

/* Tensor i of sequence NAME is the output NAME_i, an optional tensor is NAME itself. */
bool onnx_sequence_outputs(struct onnx *o, const struct value *v, const char *name)
{
    const struct sequence *s = onnx_sequence_of(v);
    const struct draft d = {.name = name, .op_type = "the model's output"};
    if (!s->is_tensor)
        import_note(&o->im, "%s: output '%s' is a sequence of %s%zu tensors: %s_0 and so on",
                    o->im.path, name, s->stacked ? "at most " : "", s->n, name);
    for (size_t i = 0; i < s->n; i++) {
        struct value *e = element_of(o, &d, s, i);
        const char *own = s->is_tensor ? name : arena_printf(o->im.arena, "%s_%zu", name, i);
        if (!e || !build_graph_output(&o->im, e, own))
            return false;
    }
    return (!s->stacked || s->is_tensor || output_of(o, s->length, name, "length")) &&
           (!s->present || output_of(o, s->present, name, "present"));
}

/* ---- SequenceMap: a round for each element that there can be ---- */

/* The parameters of one round: an element of each sequence, tensors as they are. */
static bool round_inputs(struct onnx *o, const struct draft *d, const Onnx__GraphProto *body,
                         size_t round, struct value **out)
{
    for (size_t i = 0; i < body->n_input; i++) {
        const struct sequence *s = onnx_sequence_of(d->in[i]);
        if (s && round >= s->n)
            return draft_error(o, d, SHEAF_ERROR_SHAPE,
                               "input %zu has %zu tensors, the first input has more", i, s->n);
        out[i] = s ? element_of(o, d, s, round) : d->in[i];
        if (!out[i])
            return false;
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
        out[i] = onnx_sequence_new(o, first->n);
    struct value **in = arena_array(o->im.arena, d->n_in, sizeof *in);
    struct value **result = arena_array(o->im.arena, body->n_output, sizeof *result);
    for (size_t round = 0; round < first->n; round++) {
        if (!round_inputs(o, d, body, round, in) ||
            !onnx_inline(o, d, body, in, d->n_in, result, body->n_output))
            return false;
        for (size_t i = 0; i < d->n_out; i++)
            out[i]->element[round] = result[i];
    }
    for (size_t i = 0; i < d->n_out; i++) {
        struct sequence *all =
            first->stacked ? list_at_run_time(o, d, &out[i]->stands_for) : out[i];
        if (!all)
            return false;
        if (first->stacked)
            all->length = first->length;
        draft_bind(o, d, i, &all->stands_for);
    }
    d->done = true;
    return true;
}
