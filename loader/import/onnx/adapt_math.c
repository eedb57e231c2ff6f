/*
 * Older versions of arithmetic operators, and those that are composed of others.
 */
#include <string.h>

#include "loader/import/onnx/onnx.h"

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
