/*
 * Lists whose length is known only at run time.  An element is taken, put in and taken out by one
 * gather from all of them, so that positions need not be known; what is cut out to its own size is
 * gathered again along each open dimension, by as many positions as it has.
 */
#include "loader/import/onnx/list.h"

#include <string.h>

#include "loader/import/onnx/compose/compose.h"

/* What a list at run time is carried by: the tensor, its length, the sizes, and whether it is
 * there. */
enum { MAX_PARTS = 4 };

/* ---- room ---- */

static bool room_join(struct onnx *o, const struct draft *d, struct list_room *r,
                      const struct list_room *other)
{
    if (!other->is_known)
        return true;
    if (!r->is_known) {
        *r = *other;
        return true;
    }
    if (r->dtype != other->dtype || r->strings != other->strings || r->rank != other->rank)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "a sequence known only at run time has tensors of %s with %d and of %s "
                           "with %d dimensions",
                           dtype_name(r->dtype), r->rank, dtype_name(other->dtype), other->rank);
    for (int i = 0; i < r->rank; i++) {
        bool bytes = r->strings && i == r->rank - 1;
        r->open[i] |= other->open[i] || (!bytes && r->dims[i] != other->dims[i]);
        if (other->dims[i] > r->dims[i])
            r->dims[i] = other->dims[i];
    }
    return true;
}

static struct list_room room_of(const struct onnx *o, const struct value *v)
{
    struct list_room r = {.is_known = true,
                          .strings = onnx_is_string(o, v),
                          .dtype = v->dtype,
                          .rank = v->shape.rank};
    for (int i = 0; i < r.rank; i++) {
        r.dims[i] = v->shape.dims[i];
        r.open[i] = v->shape.extent[i] != NULL;
    }
    return r;
}

static bool is_open(const struct list_room *r)
{
    for (int i = 0; i < r->rank; i++)
        if (r->open[i])
            return true;
    return false;
}

/* Whether what has the other room has place in this one. */
static bool room_holds(const struct list_room *r, const struct list_room *other)
{
    for (int i = 0; i < r->rank; i++)
        if (other->dims[i] > r->dims[i] || (other->open[i] && !r->open[i]))
            return false;
    return true;
}

static struct value *numbers(struct onnx *o, const struct draft *d, int64_t n)
{
    return compose_range(o, d, DTYPE_I64, n);
}

static struct value *gathered(struct onnx *o, struct value *x, struct value *at, int64_t axis)
{
    struct value *in[] = {x, at};
    if (!x || !at)
        return NULL;
    struct node *n = build_begin(&o->im, OP_gather, NULL, in, 2, 1);
    ((struct gather_attrs *)n->attrs)->axis = axis;
    return build_end1(&o->im, n, NULL);
}

static struct value *selected(struct onnx *o, struct value *when, struct value *a, struct value *b)
{
    struct value *in[] = {when, a, b};
    return when && a && b ? build_op(&o->im, OP_where, NULL, in, 3, NULL) : NULL;
}

/* Room of another size, and of zeros where it is larger. */
static struct value *resized(struct onnx *o, struct value *x, const int64_t *dims)
{
    int64_t pads[2 * MAX_RANK] = {0};
    bool same = true;
    for (int i = 0; x && i < x->shape.rank; i++) {
        pads[x->shape.rank + i] = dims[i] - x->shape.dims[i];
        same &= !pads[x->shape.rank + i];
    }
    if (!x || same)
        return x;
    struct value *ends = build_ints(&o->im, NULL, pads, 2 * (size_t)x->shape.rank);
    return build_binary(&o->im, OP_pad, NULL, x, ends);
}

/* One element in its room, [room]. */
static struct value *element_padded(struct onnx *o, const struct draft *d,
                                    const struct list_room *r, struct value *v)
{
    if (r->strings)
        v = onnx_string_padded(o, v, r->dims[r->rank - 1]);
    for (int i = 0; v && i < r->rank; i++)
        if (v->shape.extent[i])
            v = gathered(o, v, numbers(o, d, v->shape.dims[i]), i);
    return resized(o, v, r->dims);
}

/* Its size, i64 [rank]. */
static struct value *element_size(struct onnx *o, struct value *v)
{
    return shape_is_static(&v->shape)
               ? build_ints(&o->im, NULL, v->shape.dims, (size_t)v->shape.rank)
               : build_unary(&o->im, OP_shape, NULL, v);
}

/* x cut to `size` elements along an axis. */
static struct value *cut(struct onnx *o, const struct draft *d, struct value *x, int64_t axis,
                         struct value *size)
{
    struct value *at = x ? numbers(o, d, x->shape.dims[axis]) : NULL;
    struct value *in[] = {at, compose_binary(o, OP_less, at, size, NULL)};
    at = in[0] && in[1] ? build_op(&o->im, OP_compress, NULL, in, 2, NULL) : NULL;
    return gathered(o, x, at, axis);
}

/* ---- lists known at run time ---- */

static struct value *run_time_list(struct onnx *o, const struct list_room *r, size_t n,
                                   struct value *stacked, struct value *length, struct value *sizes)
{
    struct sequence *s = onnx_sequence_new(o, n);
    s->room = *r;
    s->stacked = stacked;
    s->length = length;
    s->sizes = sizes;
    ARENA_PUSH(o->im.arena, o->lists, o->n_lists, o->cap_lists) = s;
    return stacked && length && (sizes || !is_open(r)) ? &s->stands_for : NULL;
}

int64_t list_most(const struct onnx *o, const struct value *length)
{
    length = value_behind_views(length);
    for (size_t i = 0; i < o->n_lists; i++)
        if (value_behind_views(o->lists[i]->length) == length)
            return (int64_t)o->lists[i]->n;
    return -1;
}

/* ---- forms ---- */

static bool form_take_list(struct onnx *o, const struct draft *d, struct list_form *f,
                           const struct sequence *s)
{
    f->is_nothing &= s->is_nothing;
    f->can_be_nothing |= s->is_nothing || s->present;
    f->is_fixed &= !s->stacked && s->n == f->n;
    if (s->n > f->n)
        f->n = s->n;
    if (s->stacked)
        return room_join(o, d, &f->room, &s->room);
    for (size_t i = 0; i < s->n; i++) {
        struct list_room r = room_of(o, s->element[i]);
        f->is_fixed &= !r.strings;
        if (!room_join(o, d, &f->room, &r))
            return false;
    }
    return true;
}

bool list_form_join(struct onnx *o, const struct draft *d, struct list_form *f,
                    const struct value *v)
{
    const struct sequence *s = onnx_sequence_of(v);
    bool first = !f->is_list && !f->is_tensor && !f->is_nothing;
    bool is_list = s && !s->is_nothing && !s->is_tensor, is_tensor = !s || s->is_tensor;
    if (first)
        f->is_nothing = f->is_fixed = true;
    if (first && s)
        f->n = s->n;
    if ((is_list && f->is_tensor) || (is_tensor && f->is_list))
        return draft_error(o, d, SHEAF_ERROR_SHAPE,
                           "a value of %s is a sequence once and a tensor once", d->op_type);
    f->is_list |= is_list;
    f->is_tensor |= is_tensor;
    if (s)
        return form_take_list(o, d, f, s);
    struct list_room r = room_of(o, v);
    f->is_nothing = false;
    f->n = 1;
    /* Whether plain tensors suit each other is for the node to tell. */
    bool differ = f->room.is_known && (f->room.dtype != r.dtype || f->room.rank != r.rank);
    return (differ && list_form_is_plain(f)) || room_join(o, d, &f->room, &r);
}

bool list_form_is_plain(const struct list_form *f)
{
    return f->is_tensor && !f->can_be_nothing;
}

/* Lists of which none has an element are told apart by nothing but whether they are there. */
static bool has_elements(const struct list_form *f)
{
    return !f->is_nothing && f->room.is_known && f->n;
}

static size_t element_parts(const struct list_form *f)
{
    if (!has_elements(f))
        return 0;
    return f->is_fixed ? f->n : 2 + (size_t)is_open(&f->room);
}

bool list_form_is_even(const struct list_form *f)
{
    return !is_open(&f->room);
}

size_t list_form_parts(const struct list_form *f)
{
    if (list_form_is_plain(f))
        return 1;
    return element_parts(f) + (f->can_be_nothing && !f->is_nothing);
}

static void stacked_dims(const struct list_form *f, int64_t *out)
{
    out[0] = (int64_t)f->n;
    memcpy(out + 1, f->room.dims, (size_t)f->room.rank * sizeof *out);
}

static struct value *pack_known(struct onnx *o, const struct draft *d, const struct list_form *f,
                                struct value *const *element, size_t n, bool sizes)
{
    int64_t dims[MAX_RANK + 1] = {(int64_t)f->n, f->room.rank};
    if (!sizes)
        stacked_dims(f, dims);
    struct shape shape = shape_of_dims(sizes ? 2 : f->room.rank + 1, dims);
    if (!n)
        return build_filled(&o->im, d->name, NULL, sizes ? DTYPE_I64 : f->room.dtype, &shape, 0);
    struct value **in = arena_array(o->im.arena, n, sizeof *in);
    for (size_t i = 0; i < n; i++) {
        in[i] = sizes ? element_size(o, element[i]) : element_padded(o, d, &f->room, element[i]);
        if (!in[i])
            return NULL;
    }
    return resized(o, compose_stack(o, in, n, 0), dims);
}

/* The sizes of all elements, also where they are all alike. */
static struct value *run_time_sizes(struct onnx *o, const struct sequence *s)
{
    if (s->sizes)
        return s->sizes;
    int64_t dims[] = {(int64_t)s->n, s->room.rank};
    struct tensor *t = tensor_new(o->im.arena, DTYPE_I64, 2, dims);
    for (int64_t i = 0; i < tensor_elems(t); i++)
        tensor_set_int(t, i, s->room.dims[i % s->room.rank]);
    return graph_add_constant(o->im.g, NULL, t);
}

static bool pack_list(struct onnx *o, const struct draft *d, const struct list_form *f,
                      const struct sequence *s, struct value **parts)
{
    int64_t dims[MAX_RANK + 1], size[] = {(int64_t)f->n, f->room.rank};
    bool open = is_open(&f->room);
    stacked_dims(f, dims);
    if (!s->stacked) {
        parts[0] = pack_known(o, d, f, s->element, s->n, false);
        parts[1] = compose_scalar(o, NULL, DTYPE_I64, (int64_t)(s->n < f->n ? s->n : f->n));
        parts[2] = open ? pack_known(o, d, f, s->element, s->n, true) : NULL;
    } else {
        parts[0] = resized(o, s->stacked, dims);
        parts[1] = s->n > f->n ? compose_number(o, OP_min, s->length, (double)f->n) : s->length;
        parts[2] = open ? resized(o, run_time_sizes(o, s), size) : NULL;
    }
    return parts[0] && parts[1] && (parts[2] || !open);
}

static bool form_holds(struct onnx *o, const struct draft *d, const struct list_form *f,
                       const struct list_form *own)
{
    const struct list_room *r = &f->room, *other = &own->room;
    if (!list_form_is_plain(f) && r->is_known && r->rank == MAX_RANK)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "a sequence known only at run time has tensors of %d dimensions, %d are "
                           "supported",
                           MAX_RANK, MAX_RANK - 1);
    if (!other->is_known)
        return true;
    bool alike = r->is_known && r->strings == other->strings && r->dtype == other->dtype &&
                 r->rank == other->rank;
    return (alike && room_holds(r, other)) ||
           draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                       "what %s carries from round to round changes its type or becomes larger",
                       d->op_type);
}

struct value **list_form_pack(struct onnx *o, const struct draft *d, const struct list_form *f,
                              struct value *v)
{
    struct value **parts = arena_array(o->im.arena, f->n + MAX_PARTS, sizeof *parts);
    const struct sequence *s = onnx_sequence_of(v);
    struct list_form own = {0};
    parts[0] = v;
    if (list_form_is_plain(f) && !f->room.strings)
        return parts;
    if (!list_form_join(o, d, &own, v) || !form_holds(o, d, f, &own))
        return NULL;
    if (list_form_is_plain(f)) {
        parts[0] = onnx_string_padded(o, v, f->room.dims[f->room.rank - 1]);
        return parts[0] ? parts : NULL;
    }
    if (!s) {
        struct sequence *one = onnx_sequence_new(o, 1);
        one->element[0] = v;
        s = one;
    }
    if (f->is_fixed && (s->stacked || s->n != f->n) && has_elements(f)) {
        draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                    "what %s carries from round to round changes its length", d->op_type);
        return NULL;
    }
    if (f->is_fixed)
        memcpy(parts, s->element, s->n * sizeof *parts);
    else if (has_elements(f) && !pack_list(o, d, f, s, parts))
        return NULL;
    if (f->can_be_nothing && !f->is_nothing)
        parts[element_parts(f)] =
            s->present ? s->present : compose_scalar(o, NULL, DTYPE_BOOL, !s->is_nothing);
    return parts;
}

struct value *list_form_unpack(struct onnx *o, const struct list_form *f,
                               struct value *const *parts)
{
    if (list_form_is_plain(f))
        return f->room.strings ? onnx_string(o, parts[0]) : parts[0];
    if (f->is_nothing)
        return onnx_nothing(o);
    size_t n = element_parts(f);
    struct value *v = !n            ? onnx_sequence(o, NULL, 0)
                      : f->is_fixed ? onnx_sequence(o, parts, f->n)
                                    : run_time_list(o, &f->room, f->n, parts[0], parts[1],
                                                    n == 3 ? parts[2] : NULL);
    struct sequence *s = onnx_sequence_of(v);
    s->present = f->can_be_nothing ? parts[n] : NULL;
    s->is_tensor = f->is_tensor;
    return v;
}

struct sequence *list_at_run_time(struct onnx *o, const struct draft *d, const struct value *v)
{
    struct list_form f = {0};
    struct sequence *s = onnx_sequence_of(v);
    if (s->stacked || !s->n)
        return s;
    if (!list_form_join(o, d, &f, v))
        return NULL;
    f.is_fixed = false;
    struct value **parts = list_form_pack(o, d, &f, &s->stands_for);
    return parts ? onnx_sequence_of(list_form_unpack(o, &f, parts)) : NULL;
}

/* ---- operators ---- */

/* The position as a scalar i64; negative ones count from the end. */
static struct value *counted(struct onnx *o, struct value *position, struct value *length)
{
    struct value *p = build_cast(&o->im, NULL, position, DTYPE_I64, NULL);
    p = p && p->shape.rank ? compose_reshape(o, p, 0, NULL, NULL) : p;
    struct value *negative = compose_number(o, OP_less, p, 0);
    struct value *from_end = compose_binary(o, OP_add, p, length, NULL);
    return selected(o, negative, from_end, p);
}

/* The list whose element i is element from[i] of s. */
static struct value *rearranged(struct onnx *o, const struct sequence *s, size_t n,
                                struct value *from, struct value *length)
{
    struct value *stacked = gathered(o, s->stacked, from, 0);
    struct value *sizes = s->sizes ? gathered(o, s->sizes, from, 0) : NULL;
    return run_time_list(o, &s->room, n, stacked, length, sizes);
}

struct value *list_insert(struct onnx *o, const struct draft *d, const struct sequence *s,
                          struct value *x, struct value *position)
{
    struct list_form f = {0};
    struct value *parts[MAX_PARTS], *one[MAX_PARTS];
    struct sequence *added = onnx_sequence_new(o, 1);
    added->element[0] = x;
    if (!list_form_join(o, d, &f, &s->stands_for) || !list_form_join(o, d, &f, &added->stands_for))
        return NULL;
    f.is_fixed = f.can_be_nothing = false;
    struct list_form single = f;
    f.n = s->n;
    single.n = 1;
    if (!s->n)
        return &added->stands_for;
    if (!pack_list(o, d, &f, s, parts) || !pack_list(o, d, &single, added, one))
        return NULL;
    /* The new one stands behind all others, and is taken in between. */
    struct sequence all = {.room = f.room};
    bool open = is_open(&f.room);
    all.stacked = compose_concat(o, parts[0], one[0], 0, NULL);
    all.sizes = open ? compose_concat(o, parts[2], one[2], 0, NULL) : NULL;
    struct value *length = parts[1], *at = position ? counted(o, position, length) : length;
    struct value *i = numbers(o, d, (int64_t)s->n + 1);
    struct value *before = compose_binary(o, OP_less, i, at, NULL);
    struct value *there = compose_binary(o, OP_equal, i, at, NULL);
    struct value *last = i ? build_number(&o->im, i, (double)s->n) : NULL;
    struct value *behind = selected(o, there, last, compose_number(o, OP_sub, i, 1));
    struct value *from = selected(o, before, i, behind);
    return rearranged(o, &all, s->n + 1, from, compose_number(o, OP_add, length, 1));
}

struct value *list_erase(struct onnx *o, const struct draft *d, const struct sequence *s,
                         struct value *position)
{
    struct value *length = compose_number(o, OP_sub, s->length, 1);
    if (s->n < 2)
        return onnx_sequence(o, NULL, 0);
    if (!position)
        return run_time_list(o, &s->room, s->n, s->stacked, length, s->sizes);
    struct value *at = counted(o, position, s->length);
    struct value *i = numbers(o, d, (int64_t)s->n - 1);
    struct value *before = compose_binary(o, OP_less, i, at, NULL);
    struct value *from = selected(o, before, i, compose_number(o, OP_add, i, 1));
    return rearranged(o, s, s->n - 1, from, length);
}

/* Element `at` (a scalar), cut to its size. */
static struct value *picked(struct onnx *o, const struct draft *d, const struct sequence *s,
                            struct value *at)
{
    struct value *y = gathered(o, s->stacked, at, 0);
    struct value *size = s->sizes ? gathered(o, s->sizes, at, 0) : NULL;
    for (int i = 0; y && i < s->room.rank; i++)
        if (s->room.open[i])
            y = cut(o, d, y, i, gathered(o, size, compose_scalar(o, NULL, DTYPE_I64, i), 0));
    return s->room.strings ? onnx_string(o, y) : y;
}

struct value *list_pick(struct onnx *o, const struct draft *d, const struct sequence *s,
                        struct value *position)
{
    struct value *at = counted(o, position, s->length);
    return at ? picked(o, d, s, at) : NULL;
}

/* Which positions are taken where element and axis are one dimension, bool [n * extent]. */
static struct value *taken(struct onnx *o, const struct draft *d, const struct sequence *s,
                           int64_t axis, int64_t extent)
{
    int64_t dims[2] = {(int64_t)s->n, extent}, all = dims[0] * extent;
    struct value *row = compose_with_axis(o, OP_unsqueeze, numbers(o, d, dims[0]), 1);
    struct value *there = compose_binary(o, OP_less, row, s->length, NULL);
    struct value *size = compose_scalar(o, NULL, DTYPE_I64, extent);
    if (s->room.open[axis]) {
        size = gathered(o, s->sizes, compose_scalar(o, NULL, DTYPE_I64, axis), 1);
        size = compose_with_axis(o, OP_unsqueeze, size, 1);
    }
    struct value *inside = compose_binary(o, OP_less, numbers(o, d, extent), size, NULL);
    return compose_reshape(o, compose_binary(o, OP_and, there, inside, NULL), 1, &all, NULL);
}

struct value *list_join(struct onnx *o, const struct draft *d, const struct sequence *s,
                        int64_t axis, bool new_axis)
{
    int rank = s->room.rank, outer = rank - s->room.strings + new_axis;
    int at = (int)(axis < 0 ? axis + outer : axis);
    int64_t perm[MAX_RANK + 1], dims[MAX_RANK + 1];
    if (at < 0 || at >= outer) {
        draft_error(o, d, SHEAF_ERROR_SHAPE, "axis %lld does not exist in %d dimensions",
                    (long long)axis, outer);
        return NULL;
    }
    for (int i = 0; i < rank; i++)
        if (s->room.open[i] && (new_axis || i != at)) {
            draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                        "the tensors of a sequence have sizes known only at run time in dimension "
                        "%d, where all must be alike to be joined",
                        i);
            return NULL;
        }
    for (int i = 0; i <= rank; i++)
        perm[i] = i < at ? i + 1 : i == at ? 0 : i;
    struct value *y = compose_transpose(o, s->stacked, perm, NULL);
    if (new_axis) {
        y = cut(o, d, y, at, s->length);
        return s->room.strings ? onnx_string(o, y) : y;
    }
    for (int i = 0; i < rank; i++)
        dims[i] = s->room.dims[i];
    dims[at] *= (int64_t)s->n;
    y = compose_reshape(o, y, rank, dims, NULL);
    struct value *in[] = {y, taken(o, d, s, at, s->room.dims[at])};
    if (!in[0] || !in[1])
        return NULL;
    struct node *n = build_begin(&o->im, OP_compress, d->name, in, 2, 1);
    ((struct compress_attrs *)n->attrs)->axis = at;
    y = build_end1(&o->im, n, NULL);
    return s->room.strings ? onnx_string(o, y) : y;
}
