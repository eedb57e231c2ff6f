/*
 * Older versions of arithmetic operators, and those that are composed of others.
 */
#include <string.h>

#include "loader/import/onnx.h"

/* Broadcasting of versions before 7: b to a, from `axis` on, and only where it is asked for. */
bool onnx_adapt_broadcast(struct onnx *o, struct draft *d)
{
    int64_t broadcast, axis;
    if (!draft_need_inputs(o, d, 2) || !draft_take_int(o, d, "broadcast", 0, &broadcast) ||
        !draft_take_int(o, d, "axis", INT64_MIN, &axis))
        return false;
    const struct shape *a = &d->in[0]->shape, *b = &d->in[1]->shape;
    if (!broadcast) {
        if (shape_equal(a, b))
            return true;
        return draft_error(o, d, SHEAF_ERROR_SHAPE,
                           "the shapes %s and %s differ, and the attribute 'broadcast' is not set",
                           shape_print(a, o->im.arena), shape_print(b, o->im.arena));
    }
    if (axis == INT64_MIN)
        return true;
    if (axis < 0)
        axis += a->rank;
    if (axis < 0 || axis > a->rank)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "axis %lld does not exist in %d dimensions",
                           (long long)axis, a->rank);
    d->in[1] = build_align(&o->im, d->name, d->in[1], a->rank, axis);
    return d->in[1] != NULL;
}

/* A slope per channel, which stands on axis 1. */
bool onnx_adapt_prelu(struct onnx *o, struct draft *d)
{
    if (!draft_need_inputs(o, d, 2))
        return false;
    const struct shape *x = &d->in[0]->shape, *slope = &d->in[1]->shape;
    if (slope->rank == 1 && slope->dims[0] != 1 && x->rank > 1)
        d->in[1] = build_align(&o->im, d->name, d->in[1], x->rank, 1);
    return d->in[1] != NULL;
}

/* Bounds become inputs. */
bool onnx_adapt_clip(struct onnx *o, struct draft *d)
{
    static const char *const names[] = {"min", "max"};
    if (!draft_need_inputs(o, d, 1))
        return false;
    for (size_t i = 0; i < 2; i++) {
        struct draft_attr *a;
        if (!draft_take_kind(o, d, names[i], ATTR_KIND_FLOAT, &a))
            return false;
        if (a)
            draft_set_input(o, d, 1 + i,
                            build_float(&o->im, NULL, d->in[0]->dtype, (double)a->u.f));
    }
    return true;
}

/* The type was a name. */
bool onnx_adapt_cast_name(struct onnx *o, struct draft *d)
{
    static const struct {
        const char *name;
        int code;
    } types[] = {
        {"FLOAT", SHEAF_FLOAT32},  {"UINT8", SHEAF_UINT8},   {"INT8", SHEAF_INT8},
        {"UINT16", SHEAF_UINT16},  {"INT16", SHEAF_INT16},   {"INT32", SHEAF_INT32},
        {"INT64", SHEAF_INT64},    {"BOOL", SHEAF_BOOL},     {"FLOAT16", SHEAF_FLOAT16},
        {"DOUBLE", SHEAF_FLOAT64}, {"UINT32", SHEAF_UINT32}, {"UINT64", SHEAF_UINT64},
    };
    struct draft_attr *to = draft_take(d, "to");
    if (to && to->kind == ATTR_KIND_INT) { /* written by the rules of later versions */
        to->used = false;
        return true;
    }
    for (size_t i = 0; to && to->kind == ATTR_KIND_STRING && i < sizeof types / sizeof types[0];
         i++)
        if (!strcmp(types[i].name, to->u.s)) {
            draft_add(o, d, "to", ATTR_KIND_INT)->u.i = types[i].code;
            return true;
        }
    return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "Cast to '%s' is not supported",
                       to && to->kind == ATTR_KIND_STRING ? to->u.s : "");
}

/* Cast to the type of the second input, of which nothing else matters. */
bool onnx_adapt_cast_like(struct onnx *o, struct draft *d)
{
    if (!draft_need_inputs(o, d, 2))
        return false;
    draft_add(o, d, "to", ATTR_KIND_INT)->u.i = dtype_code(d->in[1]->dtype);
    d->n_in = 1;
    d->op = OP_cast;
    return true;
}

bool onnx_adapt_softmax(struct onnx *o, struct draft *d)
{
    int64_t axis;
    return draft_need_inputs(o, d, 1) && draft_take_int(o, d, "axis", 1, &axis) &&
           draft_finish(o, d,
                        build_flat_softmax(&o->im, d->name, d->in[0], axis, draft_output_name(d)));
}

/* Version 1 had other defaults. */
bool onnx_adapt_selu(struct onnx *o, struct draft *d)
{
    float alpha, gamma;
    if (!draft_take_float(o, d, "alpha", 1.6732f, &alpha) ||
        !draft_take_float(o, d, "gamma", 1.0507f, &gamma))
        return false;
    draft_add(o, d, "alpha", ATTR_KIND_FLOAT)->u.f = alpha;
    draft_add(o, d, "gamma", ATTR_KIND_FLOAT)->u.f = gamma;
    return true;
}

/* ---- random numbers ---- */

/* The seed is a float in files; whole numbers stay what they are, others give their bits. */
static int64_t seed_of(float seed)
{
    if (seed >= -0x1p53f && seed <= 0x1p53f && (float)(int64_t)seed == seed)
        return (int64_t)seed;
    return (int64_t)dtype_bits_of_f32(seed);
}

static struct value *random_state(struct onnx *o, const struct draft *d)
{
    int64_t dims = 2;
    return graph_add_state(o->im.g, arena_printf(o->im.arena, "%s_state", d->name), DTYPE_U64, 1,
                           &dims);
}

bool onnx_adapt_random(struct onnx *o, struct draft *d)
{
    float seed;
    if (d->n_in)
        return draft_error(o, d, SHEAF_ERROR_FORMAT, "RandomUniform has inputs");
    if (!draft_take_float(o, d, "seed", 0, &seed))
        return false;
    draft_add(o, d, "seed", ATTR_KIND_INT)->u.i = seed_of(seed);
    draft_set_input(o, d, 0, random_state(o, d));
    return true;
}

/* ---- Dropout ---- */

/* All ones: nothing is dropped. */
static bool bind_full_mask(struct onnx *o, struct draft *d)
{
    enum dtype dtype = o->opset < 10 ? d->in[0]->dtype : DTYPE_BOOL;
    if (!draft_output_used(o, d, 1))
        return true;
    struct value *mask = build_filled(&o->im, d->name, d->out[1], dtype, &d->in[0]->shape, 1);
    if (mask)
        draft_bind(o, d, 1, mask);
    return mask != NULL;
}

/* Uniform random numbers in [0, 1) of the shape of x. */
static struct value *random_like(struct onnx *o, struct draft *d, const struct value *x,
                                 int64_t seed)
{
    if (!shape_is_static(&x->shape)) {
        draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                    "Dropout in training mode of a shape known only at run time is not supported");
        return NULL;
    }
    struct value *state = random_state(o, d);
    struct node *n = build_begin(&o->im, OP_random_uniform, d->name, &state, 1, 1);
    struct random_uniform_attrs *a = n->attrs;
    size_t rank = (size_t)x->shape.rank;
    a->seed = seed;
    a->shape.v = arena_copy(o->im.arena, x->shape.dims, rank * sizeof(int64_t));
    a->shape.n = rank;
    return build_end1(&o->im, n, NULL);
}

/* An element stays where a random number is not below the ratio, and is then divided by what is
   left of 1. */
static bool drop(struct onnx *o, struct draft *d, struct value *ratio, int64_t seed)
{
    struct importer *im = &o->im;
    struct value *u = random_like(o, d, d->in[0], seed);
    struct value *r = u ? build_cast(im, d->name, ratio, u->dtype, NULL) : NULL;
    struct value *mask = build_unary(im, OP_not, d->name, build_binary(im, OP_less, d->name, u, r));
    struct value *x = onnx_widened(o, d->in[0]);
    struct value *like = x ? build_cast(im, d->name, ratio, x->dtype, NULL) : NULL;
    struct value *left = build_binary(im, OP_sub, d->name, build_number(im, like, 1), like);
    struct value *scaled = build_binary(im, OP_div, d->name, x, left);
    struct value *in[] = {mask, scaled, build_number(im, scaled, 0)};
    if (!mask || !in[2])
        return false;
    if (draft_output_used(o, d, 1))
        draft_bind(o, d, 1, mask);
    return onnx_finish_as(o, d, build_op(im, OP_where, d->name, in, 3, NULL), d->in[0]->dtype);
}

/* Before version 12 nodes do not tell whether they are trained; nothing is dropped then. */
bool onnx_adapt_dropout(struct onnx *o, struct draft *d)
{
    int64_t seed;
    draft_take(d, "is_test");
    draft_take(d, "ratio");
    if (!draft_need_inputs(o, d, 1) || !draft_take_int(o, d, "seed", 0, &seed))
        return false;
    const struct value *training = draft_input(d, 2);
    if (training && (!value_is_constant(training) || tensor_elems(training->constant) != 1))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "whether Dropout trains, '%s', must be a constant", training->name);
    struct value *ratio = draft_input(d, 1);
    bool none = ratio && value_is_constant(ratio) && tensor_elems(ratio->constant) == 1 &&
                tensor_get(ratio->constant, 0) == 0;
    if (training && tensor_get_int(training->constant, 0) && !none) {
        if (!ratio)
            ratio = build_float(&o->im, NULL, DTYPE_F32, 0.5);
        return drop(o, d, ratio, seed);
    }
    return bind_full_mask(o, d) &&
           draft_finish(o, d,
                        build_op(&o->im, OP_identity, d->name, &d->in[0], 1, draft_output_name(d)));
}
