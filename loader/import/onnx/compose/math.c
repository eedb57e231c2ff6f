/*
 * Arithmetic operators that are composed of others, in every version.
 */
#include "loader/import/onnx/onnx.h"

/* swish(a) * b */
bool onnx_compose_swiglu(struct onnx *o, struct draft *d)
{
    float alpha;
    if (!draft_need_inputs(o, d, 2) || !draft_take_float(o, d, "alpha", 1, &alpha))
        return false;
    const struct shape *a = &d->in[0]->shape, *b = &d->in[1]->shape;
    if (!shape_equal(a, b))
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "the shapes %s and %s differ",
                           shape_print(a, o->im.arena), shape_print(b, o->im.arena));
    struct node *swish = build_begin(&o->im, OP_swish, d->name, &d->in[0], 1, 1);
    ((struct swish_attrs *)swish->attrs)->alpha = alpha;
    struct value *in[] = {build_end1(&o->im, swish, NULL), d->in[1]};
    if (!in[0])
        return false;
    return draft_finish(o, d, build_op(&o->im, OP_mul, d->name, in, 2, draft_output_name(d)));
}
