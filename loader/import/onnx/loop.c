/*
 * Loop.  Carried tensors make a loop of the graph.  One that carries a sequence is unrolled where
 * the rounds are known; else the sequence is carried in a form with room for what it can become
 * (list.h), for which one round is tried first.
 */
#include "loader/import/onnx/compose/compose.h"
#include "loader/import/onnx/list.h"

struct loop {
    const Onnx__GraphProto *body;
    size_t n_carried;
    size_t n_scan;          /* scan outputs that the node names; the body may give more */
    struct list_form *form; /* of carried values */
};

/* The inner graph's output i; not a sequence where only tensors can be. */
static struct value *result(struct onnx *o, const struct draft *d, const struct loop *l, size_t i)
{
    struct value *v = onnx_inner_output(o, d, l->body, i);
    bool is_carried = i >= 1 && i <= l->n_carried;
    if (v && !is_carried && onnx_is_sequence(v)) {
        draft_error(o, d, SHEAF_ERROR_FORMAT, "output %zu of its body is a sequence", i);
        return NULL;
    }
    return v;
}

static void name_argument(struct onnx *o, const struct loop *l, size_t i, struct value *v)
{
    const char *name = l->body->input[i]->name;
    if (name && *name)
        name_map_put(&o->scope->values, o->im.arena, name, v);
}

/* An argument of the block (NULL: of none); `like`: what comes from outside. */
static struct value *argument(struct onnx *o, struct block *block, const char *name,
                              enum dtype dtype, const struct value *like)
{
    struct value *v = graph_add_value(o->im.g, name, VALUE_ARG);
    v->dtype = dtype;
    if (like)
        v->shape = like->shape;
    v->layout = layout_plain(v->shape.rank);
    if (block)
        block_add_input(o->im.g, block, v);
    return v;
}

static void add_counters(struct onnx *o, const struct loop *l, struct block *block)
{
    for (size_t i = TRIP; i < CARRIED; i++) {
        enum dtype dtype = i == TRIP ? DTYPE_I64 : DTYPE_BOOL;
        name_argument(o, l, i, argument(o, block, l->body->input[i]->name, dtype, NULL));
    }
}

/* ---- unrolled ---- */

enum { MAX_ROUNDS = 4096 };

struct rounds {
    int64_t most;          /* MAX_ROUNDS + 1: only the condition ends the loop */
    size_t done;           /* rounds so far */
    struct value *cond;    /* NULL: true */
    struct value **in;     /* of the body */
    struct value **result; /* of its last round */
    struct value ***scan;  /* of each scan output: its elements */
};

/* 1, 0, or -1 where it is not known. */
static int known_truth(const struct value *v)
{
    if (!v)
        return 1;
    bool known = value_is_constant(v) && tensor_elems(v->constant) == 1;
    return known ? tensor_get_int(v->constant, 0) != 0 : -1;
}

/* The constant number of rounds; -1: it is not known; MAX_ROUNDS + 1: there is no end, or a far
   one. */
static int64_t known_rounds(const struct draft *d)
{
    const struct value *trip = draft_input(d, TRIP);
    if (!trip)
        return MAX_ROUNDS + 1;
    if (!value_is_constant(trip) || tensor_elems(trip->constant) != 1)
        return -1;
    int64_t n = tensor_get_int(trip->constant, 0);
    return n < 0 ? 0 : n > MAX_ROUNDS ? MAX_ROUNDS + 1 : n;
}

static void rounds_begin(struct onnx *o, const struct draft *d, const struct loop *l,
                         struct rounds *out)
{
    struct arena *a = o->im.arena;
    struct rounds r = {.most = known_rounds(d), .cond = draft_input(d, COND)};
    r.in = arena_array(a, l->body->n_input, sizeof(struct value *));
    for (size_t i = 0; i < l->n_carried; i++)
        r.in[CARRIED + i] = d->in[CARRIED + i];
    r.result = arena_array(a, l->body->n_output, sizeof(struct value *));
    r.scan = arena_array(a, l->n_scan, sizeof *r.scan);
    size_t room = r.most > MAX_ROUNDS ? MAX_ROUNDS : (size_t)(r.most > 0 ? r.most : 0);
    for (size_t i = 0; i < l->n_scan; i++)
        r.scan[i] = arena_array(a, room, sizeof(struct value *));
    *out = r;
}

static bool next_round(struct onnx *o, const struct draft *d, const struct loop *l,
                       struct rounds *r)
{
    if (r->done == MAX_ROUNDS)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "a loop that carries a sequence can have %d rounds at most", MAX_ROUNDS);
    r->in[TRIP] = compose_scalar(o, NULL, DTYPE_I64, (int64_t)r->done);
    r->in[COND] = compose_scalar(o, NULL, DTYPE_BOOL, 1);
    if (!onnx_inline(o, d, l->body, r->in, l->body->n_input, r->result, l->body->n_output))
        return false;
    r->cond = r->result[0];
    for (size_t i = 0; i < l->n_carried; i++)
        r->in[CARRIED + i] = r->result[1 + i];
    for (size_t i = 0; i < l->n_scan; i++)
        r->scan[i][r->done] = r->result[1 + l->n_carried + i];
    r->done++;
    return true;
}

/* Nodes behind `mark` were for finding out only. */
static void take_back(struct onnx *o, size_t mark)
{
    o->im.block->n_nodes = mark;
    o->has_tried = true;
}

/* *out_done: the rounds are known; else nothing has been added. */
static bool unroll(struct onnx *o, struct draft *d, const struct loop *l, bool *out_done)
{
    struct rounds r;
    size_t mark = o->im.block->n_nodes;
    rounds_begin(o, d, l, &r);
    *out_done = false;
    if (r.most < 0)
        return true;
    while ((int64_t)r.done < r.most && known_truth(r.cond) == 1)
        if (!next_round(o, d, l, &r))
            return false;
    if ((int64_t)r.done < r.most && known_truth(r.cond) < 0) {
        take_back(o, mark);
        return true;
    }
    for (size_t i = 0; i < d->n_out && i < l->n_carried; i++)
        draft_bind(o, d, i, r.in[CARRIED + i]);
    for (size_t i = 0; i < l->n_scan; i++) {
        if (!r.done)
            return draft_error(o, d, SHEAF_ERROR_SHAPE, "it has no rounds, so nothing to stack");
        struct value *all = compose_stack(o, r.scan[i], r.done, 0);
        if (!all)
            return false;
        draft_bind(o, d, l->n_carried + i, all);
    }
    *out_done = d->done = true;
    return true;
}

/* ---- forms ---- */

/* A bound of a number of rounds that the run gives; -1: none is known. */
static int64_t most_rounds(const struct onnx *o, const struct value *trip)
{
    const struct value *v = value_behind_views(trip);
    const struct node *n = v->role == VALUE_TEMP ? v->producer : NULL;
    int64_t most = list_most(o, v);
    if (value_is_constant(v) && tensor_elems(v->constant) == 1)
        return tensor_get_int(v->constant, 0);
    if (n && n->op == OP_cast)
        return most_rounds(o, n->in[0]);
    for (size_t i = 0; n && n->op == OP_min && i < n->n_in; i++) {
        int64_t one = most_rounds(o, n->in[i]);
        if (one >= 0 && (most < 0 || one < most))
            most = one;
    }
    return most;
}

enum { MAX_LISTED = 1 << 16 };

/* How long list i can become; by one round it gets `growth` longer. */
static bool find_bound(struct onnx *o, const struct draft *d, const struct loop *l, size_t i,
                       size_t growth)
{
    struct list_form *f = &l->form[i];
    const char *name = i < d->n_out ? d->out[i] : "";
    const struct import_symbol *s = name_map_get(&o->symbols, name);
    const struct value *trip = draft_input(d, TRIP);
    int64_t rounds = trip ? most_rounds(o, trip) : -1;
    bool known = rounds >= 0 && rounds <= MAX_ROUNDS;
    if (!known && !s)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "how long the sequence '%s' can become is not known: it must be given, "
                           "as in -onnx-define-symbol=%s,8",
                           name, name);
    if (s && (s->value < (int64_t)(f->n - growth) || s->value < 1 || s->value > MAX_LISTED))
        return draft_error(o, d, SHEAF_ERROR_ARGUMENT,
                           "-onnx-define-symbol gives the sequence '%s' %lld tensors, it can have "
                           "%zu to %d",
                           name, (long long)s->value, f->n - growth, (int)MAX_LISTED);
    size_t before = f->n - growth, by_rounds = known ? before + growth * (size_t)rounds : SIZE_MAX;
    f->n = s && (size_t)s->value < by_rounds ? (size_t)s->value : by_rounds;
    return true;
}

/* The results of one round that is taken back; arguments stand for tensors, lists are as they come
   from outside. */
static bool try_round(struct onnx *o, const struct draft *d, const struct loop *l,
                      struct value **out)
{
    size_t mark = o->im.block->n_nodes;
    struct onnx_surroundings around = onnx_enter(o, o->im.block, o->scope);
    bool ok = onnx_declare(o, l->body);
    add_counters(o, l, NULL);
    for (size_t i = CARRIED; ok && i < d->n_in; i++) {
        struct value *v = d->in[i];
        if (!onnx_is_sequence(v)) {
            v = argument(o, NULL, l->body->input[i]->name, v->dtype, v);
            if (onnx_is_string(o, d->in[i]))
                onnx_string(o, v);
        }
        name_argument(o, l, i, v);
    }
    ok = ok && onnx_nodes(o, l->body);
    for (size_t i = 0; ok && i < l->n_carried; i++)
        ok = (out[i] = result(o, d, l, 1 + i)) != NULL;
    onnx_leave(o, around);
    take_back(o, mark);
    return ok;
}

static bool find_forms(struct onnx *o, const struct draft *d, struct loop *l)
{
    struct value **after = arena_array(o->im.arena, l->n_carried, sizeof *after);
    bool only_tensors = true;
    l->form = arena_array(o->im.arena, l->n_carried, sizeof *l->form);
    for (size_t i = 0; i < l->n_carried; i++) {
        const struct value *v = d->in[CARRIED + i];
        if (!v)
            return draft_error(o, d, SHEAF_ERROR_FORMAT,
                               "the start of carried value %zu is left out", i);
        if (!list_form_join(o, d, &l->form[i], v))
            return false;
        only_tensors &= !onnx_is_sequence(v) && !onnx_is_string(o, v);
    }
    if (only_tensors)
        return true;
    if (!try_round(o, d, l, after))
        return false;
    for (size_t i = 0; i < l->n_carried; i++) {
        struct list_form *f = &l->form[i];
        size_t before = f->n;
        if (!list_form_join(o, d, f, after[i]))
            return false;
        f->is_fixed &= list_form_is_even(f);
        if (f->n > before && !f->is_tensor && !find_bound(o, d, l, i, f->n - before))
            return false;
    }
    return true;
}

/* ---- the loop of the graph ---- */

/* The block's arguments for carried value i. */
static struct value **add_carried(struct onnx *o, const struct loop *l, struct block *block,
                                  size_t i, struct value *const *from)
{
    size_t n = list_form_parts(&l->form[i]);
    const char *name = list_form_is_plain(&l->form[i]) ? l->body->input[CARRIED + i]->name : NULL;
    struct value **parts = arena_array(o->im.arena, n, sizeof *parts);
    for (size_t k = 0; k < n; k++)
        parts[k] = argument(o, block, name, from[k]->dtype, from[k]);
    return parts;
}

/* The block's outputs, the condition first. */
static bool add_results(struct onnx *o, const struct draft *d, const struct loop *l,
                        struct block *block, bool *scan_strings)
{
    struct value **results = arena_array(o->im.arena, l->body->n_output, sizeof *results);
    for (size_t i = 0; i < l->body->n_output; i++)
        if (!(results[i] = result(o, d, l, i)))
            return false;
    block_add_output(o->im.g, block, results[0]);
    for (size_t i = 0; i < l->n_carried; i++) {
        struct value **parts = list_form_pack(o, d, &l->form[i], results[1 + i]);
        for (size_t k = 0; parts && k < list_form_parts(&l->form[i]); k++)
            block_add_output(o->im.g, block, parts[k]);
        if (!parts)
            return false;
    }
    for (size_t i = 0; i < l->n_scan; i++) {
        struct value *v = results[1 + l->n_carried + i];
        scan_strings[i] = onnx_is_string(o, v);
        block_add_output(o->im.g, block, v);
    }
    return true;
}

static bool fill_body(struct onnx *o, const struct draft *d, const struct loop *l,
                      struct block *block, struct value ***in, bool *scan_strings)
{
    struct onnx_surroundings around = onnx_enter(o, block, o->scope);
    bool ok = onnx_declare(o, l->body);
    add_counters(o, l, block);
    for (size_t i = 0; i < l->n_carried; i++) {
        struct value **parts = add_carried(o, l, block, i, in[i]);
        name_argument(o, l, CARRIED + i, list_form_unpack(o, &l->form[i], parts));
    }
    ok = ok && onnx_nodes(o, l->body) && add_results(o, d, l, block, scan_strings);
    onnx_leave(o, around);
    return ok;
}

static bool emit(struct onnx *o, struct draft *d, const struct loop *l)
{
    struct arena *a = o->im.arena;
    struct value ***carried = arena_array(a, l->n_carried, sizeof *carried);
    size_t n_in = CARRIED, n_scan = l->n_scan;
    for (size_t i = 0; i < l->n_carried; i++) {
        carried[i] = list_form_pack(o, d, &l->form[i], d->in[CARRIED + i]);
        if (!carried[i])
            return false;
        n_in += list_form_parts(&l->form[i]);
    }
    struct block *block = graph_add_block(o->im.g);
    bool *strings = arena_array(a, n_scan, sizeof *strings);
    if (!fill_body(o, d, l, block, carried, strings))
        return false;
    struct value **in = arena_array(a, n_in, sizeof *in);
    struct onnx_result *out = arena_array(a, l->n_carried + n_scan, sizeof *out);
    in[TRIP] = draft_input(d, TRIP);
    in[COND] = draft_input(d, COND);
    for (size_t i = 0, at = CARRIED; i < l->n_carried; i++) {
        out[i].form = l->form[i];
        for (size_t k = 0; k < list_form_parts(&l->form[i]); k++)
            in[at++] = carried[i][k];
    }
    static const struct list_form plain = {.is_tensor = true};
    for (size_t i = 0; i < n_scan; i++) {
        out[l->n_carried + i].form = plain;
        out[l->n_carried + i].form.room.strings = strings[i];
    }
    return onnx_emit_control(
        o, d, &(struct onnx_control){in, n_in, &block, 1, out, l->n_carried + n_scan});
}

bool onnx_adapt_loop(struct onnx *o, struct draft *d)
{
    struct loop l = {.body = onnx_graph_attr(d, "body")};
    bool has_sequence = false, done = false;
    if (!l.body)
        return draft_error(o, d, SHEAF_ERROR_FORMAT, "Loop has no body");
    while (d->n_in < CARRIED)
        draft_set_input(o, d, d->n_in, NULL);
    if (l.body->n_input != d->n_in || l.body->n_output + 1 < d->n_in)
        return draft_error(o, d, SHEAF_ERROR_FORMAT,
                           "the body of Loop has %zu inputs and %zu outputs, which do not suit its "
                           "%zu inputs",
                           l.body->n_input, l.body->n_output, d->n_in);
    l.n_carried = d->n_in - CARRIED;
    l.n_scan = d->n_out > l.n_carried ? d->n_out - l.n_carried : 0;
    if (l.n_scan > l.body->n_output - 1 - l.n_carried)
        return draft_error(o, d, SHEAF_ERROR_FORMAT,
                           "Loop has %zu outputs, its inner graph gives %zu", d->n_out,
                           l.body->n_output - 1);
    for (size_t i = CARRIED; i < d->n_in; i++)
        has_sequence |= onnx_is_sequence(d->in[i]);
    if (has_sequence && !unroll(o, d, &l, &done))
        return false;
    return done || (find_forms(o, d, &l) && emit(o, d, &l));
}
