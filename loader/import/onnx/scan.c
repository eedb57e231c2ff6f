/*
 * Scan: a Loop of known length whose rounds take an element of each scan input along an axis.
 *
 * Version 8 has a batch dimension in front of everything: one scan for each of its elements, which
 * may have fewer rounds than there are.  The others are gone through all the same, and what they
 * find is not taken: the carried values stay, and scan outputs are 0.
 */
#include <string.h>

#include "loader/import/onnx/compose/compose.h"

struct scan {
    const Onnx__GraphProto *body;
    size_t n_state, n_in, n_out; /* carried values, scan inputs, scan outputs */
    /* One per scan input or output: along which axis, and whether backwards. */
    int64_t *in_axis, *in_backwards, *out_axis, *out_backwards;
    struct value *rounds; /* that count, an i64; NULL: all */
    /* Of the round in work: */
    struct value *counts; /* whether it does; NULL: always */
    struct value **carried;
};

/* ---- attributes ---- */

static bool take_list(struct onnx *o, struct draft *d, const char *name, size_t n, int64_t **out)
{
    struct draft_attr *a;
    *out = arena_array(o->im.arena, n, sizeof **out);
    if (!draft_take_kind(o, d, name, ATTR_KIND_INTS, &a))
        return false;
    if (a && a->u.ints.n != n)
        return draft_error(o, d, SHEAF_ERROR_FORMAT, "'%s' has %zu numbers where %zu are needed",
                           name, a->u.ints.n, n);
    for (size_t i = 0; a && i < n; i++)
        (*out)[i] = a->u.ints.v[i];
    return true;
}

/* `first`: the input with which the carried values begin. */
static bool take_spec(struct onnx *o, struct draft *d, size_t first, struct scan *out)
{
    struct scan s = {.body = onnx_graph_attr(d, "body")};
    int64_t n;
    if (!draft_take_int(o, d, "num_scan_inputs", 0, &n))
        return false;
    if (!s.body || n < 1 || (uint64_t)n > d->n_in - first)
        return draft_error(o, d, SHEAF_ERROR_FORMAT,
                           "Scan needs a body, and num_scan_inputs from 1 to the number of its "
                           "inputs");
    s.n_in = (size_t)n;
    s.n_state = d->n_in - first - s.n_in;
    if (s.body->n_input != s.n_state + s.n_in || s.body->n_output < s.n_state ||
        s.body->n_output < d->n_out)
        return draft_error(o, d, SHEAF_ERROR_FORMAT,
                           "the body of Scan has %zu inputs and %zu outputs, which do not suit its "
                           "%zu inputs and %zu outputs",
                           s.body->n_input, s.body->n_output, d->n_in - first, d->n_out);
    s.n_out = s.body->n_output - s.n_state;
    bool batched = o->opset < 9;
    if (!take_list(o, d, batched ? "directions" : "scan_input_directions", s.n_in,
                   &s.in_backwards) ||
        !take_list(o, d, "scan_input_axes", s.n_in, &s.in_axis) ||
        !take_list(o, d, "scan_output_axes", s.n_out, &s.out_axis) ||
        !take_list(o, d, "scan_output_directions", s.n_out, &s.out_backwards))
        return false;
    *out = s;
    return true;
}

/* ---- the loop ---- */

/* The axes of scan inputs count from 0, and all have one length along theirs. */
static bool find_length(struct onnx *o, const struct draft *d, struct scan *s,
                        struct value *const *x, int64_t *out)
{
    for (size_t i = 0; i < s->n_in; i++) {
        const struct shape *shape = &x[i]->shape;
        int64_t axis = s->in_axis[i] < 0 ? s->in_axis[i] + shape->rank : s->in_axis[i];
        if (axis < 0 || axis >= shape->rank || shape->extent[axis])
            return draft_error(o, d, SHEAF_ERROR_SHAPE,
                               "scan input %zu has no axis %lld of a length that is known", i,
                               (long long)s->in_axis[i]);
        s->in_axis[i] = axis;
        if (i && shape->dims[axis] != *out)
            return draft_error(o, d, SHEAF_ERROR_SHAPE,
                               "scan inputs have %lld and %lld elements along their axes",
                               (long long)*out, (long long)shape->dims[axis]);
        *out = shape->dims[axis];
    }
    return true;
}

static struct value *picked(struct onnx *o, const struct draft *d, struct value *x, int64_t axis,
                            struct value *at)
{
    struct value *in[] = {x, at};
    struct node *n = build_begin(&o->im, OP_gather, d->name, in, 2, 1);
    ((struct gather_attrs *)n->attrs)->axis = axis;
    return build_end1(&o->im, n, NULL);
}

static struct value *argument(struct onnx *o, struct block *block, const char *name,
                              enum dtype dtype, const struct shape *shape)
{
    struct value *v = graph_add_value(o->im.g, name, VALUE_ARG);
    v->dtype = dtype;
    v->shape = *shape;
    v->layout = layout_plain(shape->rank);
    block_add_input(o->im.g, block, v);
    return v;
}

static void name_argument(struct onnx *o, const Onnx__ValueInfoProto *p, struct value *v)
{
    if (p->name && *p->name)
        name_map_put(&o->scope->values, o->im.arena, p->name, v);
}

/* Which element the round takes of what is gone through backwards: the last one that counts first.
   Behind all of them it is the first. */
static struct value *from_behind(struct onnx *o, const struct draft *d, const struct scan *s,
                                 struct value *round, int64_t length)
{
    struct value *last = compose_scalar(o, NULL, DTYPE_I64, length - 1);
    if (!s->rounds)
        return build_binary(&o->im, OP_sub, d->name, last, round);
    last = compose_number(o, OP_sub, s->rounds, 1);
    struct value *at = compose_binary(o, OP_sub, last, round, NULL);
    return compose_number(o, OP_max, at, 0);
}

/* The block's arguments, and the elements that a round takes. */
static bool begin_round(struct onnx *o, const struct draft *d, struct scan *s, struct block *block,
                        struct value *const *state, struct value *const *x, int64_t length)
{
    static const struct shape scalar;
    struct value *round = argument(o, block, NULL, DTYPE_I64, &scalar);
    argument(o, block, NULL, DTYPE_BOOL, &scalar);
    s->carried = arena_array(o->im.arena, s->n_state, sizeof *s->carried);
    for (size_t i = 0; i < s->n_state; i++) {
        const char *name = s->body->input[i]->name;
        s->carried[i] = argument(o, block, name, state[i]->dtype, &state[i]->shape);
        name_argument(o, s->body->input[i], s->carried[i]);
    }
    s->counts = s->rounds ? compose_binary(o, OP_less, round, s->rounds, NULL) : NULL;
    if (s->rounds && !s->counts)
        return false;
    for (size_t i = 0; i < s->n_in; i++) {
        struct value *at = round;
        if (s->in_backwards[i])
            at = from_behind(o, d, s, round, length);
        struct value *element = at ? picked(o, d, x[i], s->in_axis[i], at) : NULL;
        if (!element)
            return false;
        name_argument(o, s->body->input[s->n_state + i], element);
    }
    return true;
}

/* Output i of the body, where the round counts. */
static struct value *taken(struct onnx *o, const struct draft *d, const struct scan *s, size_t i,
                           struct value *v)
{
    if (!s->counts)
        return v;
    struct value *otherwise = i < s->n_state ? s->carried[i] : compose_scalar(o, NULL, v->dtype, 0);
    struct value *in[] = {s->counts, v, otherwise};
    return build_op(&o->im, OP_where, d->name, in, 3, NULL);
}

static bool end_round(struct onnx *o, const struct draft *d, const struct scan *s,
                      struct block *block)
{
    block_add_output(o->im.g, block, block->in[COND]);
    for (size_t i = 0; i < s->body->n_output; i++) {
        const char *name = s->body->output[i]->name ? s->body->output[i]->name : "";
        struct value *v = onnx_lookup(o, name);
        if (!v || onnx_is_sequence(v))
            return draft_error(o, d, SHEAF_ERROR_FORMAT,
                               "the output '%s' of its inner graph is no tensor that is defined",
                               name);
        v = taken(o, d, s, i, v);
        if (!v)
            return false;
        block_add_output(o->im.g, block, v);
    }
    return true;
}

/* Elements in the order of rounds along axis 0, as the scan output wants them. */
static struct value *arranged(struct onnx *o, const struct draft *d, struct value *y, int64_t axis,
                              bool backwards)
{
    int rank = y->shape.rank;
    int64_t at = axis < 0 ? axis + rank : axis, perm[MAX_RANK];
    if (at < 0 || at >= rank) {
        draft_error(o, d, SHEAF_ERROR_SHAPE, "axis %lld does not exist in %d dimensions",
                    (long long)axis, rank);
        return NULL;
    }
    if (backwards) {
        const int64_t first = -1, last = INT64_MIN, zero = 0, step = -1;
        struct value *in[] = {
            y, build_ints(&o->im, NULL, &first, 1), build_ints(&o->im, NULL, &last, 1),
            build_ints(&o->im, NULL, &zero, 1), build_ints(&o->im, NULL, &step, 1)};
        y = build_op(&o->im, OP_slice, d->name, in, 5, NULL);
    }
    for (int k = 0; k < rank; k++)
        perm[k] = k < at ? k + 1 : k == at ? 0 : k;
    return y && at ? build_transpose(&o->im, y, perm, NULL) : y;
}

/* All results of the body, for one element of the batch. */
static bool scan_once(struct onnx *o, const struct draft *d, struct scan *s,
                      struct value *const *state, struct value *const *x, struct value **out)
{
    int64_t length = 0;
    if (!find_length(o, d, s, x, &length))
        return false;
    struct block *block = graph_add_block(o->im.g);
    struct onnx_surroundings around = onnx_enter(o, block, o->scope);
    bool ok = onnx_declare(o, s->body) && begin_round(o, d, s, block, state, x, length) &&
              onnx_nodes(o, s->body) && end_round(o, d, s, block);
    onnx_leave(o, around);
    if (!ok)
        return false;
    size_t n_in = CARRIED + s->n_state, n_out = s->body->n_output;
    struct value **in = arena_array(o->im.arena, n_in, sizeof *in);
    in[TRIP] = compose_scalar(o, NULL, DTYPE_I64, length);
    for (size_t i = 0; i < s->n_state; i++)
        in[CARRIED + i] = state[i];
    struct node *n = build_begin(&o->im, OP_loop, d->name, in, n_in, n_out);
    n->blocks = arena_copy(o->im.arena, &block, sizeof block);
    n->n_blocks = 1;
    for (size_t i = 0; i < n_out; i++)
        graph_node_output(o->im.g, n, i, NULL);
    if (!build_end(&o->im, n, arena_array(o->im.arena, n_out, sizeof(const char *))))
        return false;
    for (size_t i = 0; i < n_out; i++) {
        size_t k = i - s->n_state;
        out[i] = i < s->n_state
                     ? n->out[i]
                     : arranged(o, d, n->out[i], s->out_axis[k], s->out_backwards[k] != 0);
        if (!out[i])
            return false;
    }
    return true;
}

/* ---- the batch of version 8 ---- */

/* How many rounds count for an element of the batch, where `lengths` tells. */
static bool find_rounds(struct onnx *o, const struct draft *d, struct scan *s,
                        struct value *lengths, int64_t b)
{
    if (!lengths)
        return true;
    s->rounds = picked(o, d, lengths, 0, compose_scalar(o, NULL, DTYPE_I64, b));
    return s->rounds != NULL;
}

static bool check_lengths(struct onnx *o, const struct draft *d, const struct value *lengths,
                          int64_t batch)
{
    const struct shape *s = lengths ? &lengths->shape : NULL;
    return !s || (lengths->dtype == DTYPE_I64 && s->rank == 1 && s->dims[0] == batch) ||
           draft_error(o, d, SHEAF_ERROR_SHAPE,
                       "the lengths of the sequences, '%s', are not %lld numbers of i64",
                       lengths->name, (long long)batch);
}

static bool each_of_batch(struct onnx *o, const struct draft *d, struct scan *s,
                          struct value *lengths, struct value *const *in, struct value **out)
{
    size_t n = s->n_state + s->n_in, n_out = s->body->n_output;
    int64_t batch = in[0]->shape.rank ? in[0]->shape.dims[0] : 0;
    struct value **one = arena_array(o->im.arena, n, sizeof *one);
    struct value **all = arena_array(o->im.arena, n_out * (size_t)batch, sizeof *all);
    struct value **y = arena_array(o->im.arena, n_out, sizeof *y);
    if (batch < 1)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "Scan of opset 8 needs a batch");
    if (!check_lengths(o, d, lengths, batch))
        return false;
    for (int64_t b = 0; b < batch; b++) {
        for (size_t i = 0; i < n; i++)
            if (!(one[i] = picked(o, d, in[i], 0, compose_scalar(o, NULL, DTYPE_I64, b))))
                return false;
        if (!find_rounds(o, d, s, lengths, b) || !scan_once(o, d, s, one, one + s->n_state, y))
            return false;
        for (size_t i = 0; i < n_out; i++)
            all[i * (size_t)batch + (size_t)b] = y[i];
    }
    for (size_t i = 0; i < n_out; i++)
        if (!(out[i] = compose_stack(o, all + i * (size_t)batch, (size_t)batch, 0)))
            return false;
    return true;
}

bool onnx_adapt_scan(struct onnx *o, struct draft *d)
{
    bool batched = o->opset < 9;
    struct scan s = {0};
    if (d->n_in < (batched ? 2 : 1))
        return draft_error(o, d, SHEAF_ERROR_FORMAT, "Scan has no inputs");
    if (!take_spec(o, d, batched, &s))
        return false;
    struct value **in = d->in + batched;
    for (size_t i = 0; i < s.n_state + s.n_in; i++)
        if (!in[i])
            return draft_error(o, d, SHEAF_ERROR_FORMAT, "Scan lacks its input %zu", i);
    struct value **out = arena_array(o->im.arena, s.body->n_output, sizeof *out);
    if (!(batched ? each_of_batch(o, d, &s, d->in[0], in, out)
                  : scan_once(o, d, &s, in, in + s.n_state, out)))
        return false;
    for (size_t i = 0; i < d->n_out; i++)
        draft_bind(o, d, i, out[i]);
    d->done = true;
    return true;
}
