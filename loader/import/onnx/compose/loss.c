/*
 * Losses of classification, and Hardmax.
 */
#include <string.h>

#include "loader/import/onnx/onnx.h"

/* The losses of all targets, or what `reduction` makes of them. */
static bool finish_loss(struct onnx *o, struct draft *d, struct value *log_prob)
{
    struct importer *im = &o->im;
    struct draft_attr *ignored, *reduction;
    if (!draft_take_kind(o, d, "ignore_index", ATTR_KIND_INT, &ignored) ||
        !draft_take_kind(o, d, "reduction", ATTR_KIND_STRING, &reduction))
        return false;
    const char *kind = reduction ? reduction->u.s : "mean";
    if (strcmp(kind, "none") && strcmp(kind, "mean") && strcmp(kind, "sum"))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "the reduction '%s' is not known", kind);
    struct value *weight = draft_input(d, 2);
    struct value *in[] = {log_prob, d->in[1], weight};
    bool weighted = !strcmp(kind, "mean") && (weight || ignored);
    struct node *n = build_begin(im, OP_nll_loss, d->name, in, weight ? 3 : 2, weighted ? 2 : 1);
    static const char *const no_names[2];
    if (ignored)
        ((struct nll_loss_attrs *)n->attrs)->ignore_index = ignored->u.i;
    if (weighted)
        graph_node_output(im->g, n, 1, NULL);
    if (!build_end(im, n, no_names))
        return false;
    struct value *loss = n->out[0];
    const struct attr_ints all = {NULL, 0};
    if (weighted) {
        struct value *sum = build_reduce(im, OP_reduce_sum, d->name, loss, all, false);
        struct value *used = build_reduce(im, OP_reduce_sum, d->name, n->out[1], all, false);
        loss = build_binary(im, OP_div, d->name, sum, used);
    } else if (strcmp(kind, "none")) {
        enum op op = !strcmp(kind, "mean") ? OP_reduce_mean : OP_reduce_sum;
        loss = build_reduce(im, op, d->name, loss, all, false);
    }
    return onnx_finish_as(o, d, loss, d->in[0]->dtype);
}

bool onnx_adapt_nll_loss(struct onnx *o, struct draft *d)
{
    if (!draft_need_inputs(o, d, 2))
        return false;
    struct value *x = onnx_widened(o, d->in[0]);
    return x && finish_loss(o, d, x);
}

/* Output 1 is the logarithm of the probabilities. */
bool onnx_adapt_cross_entropy(struct onnx *o, struct draft *d)
{
    if (!draft_need_inputs(o, d, 2))
        return false;
    struct value *x = onnx_widened(o, d->in[0]);
    struct value *log_prob = x ? build_log_softmax(&o->im, d->name, x, 1, NULL) : NULL;
    if (!log_prob)
        return false;
    if (draft_output_used(o, d, 1)) {
        struct value *v = build_cast(&o->im, d->name, log_prob, d->in[0]->dtype, NULL);
        if (!v)
            return false;
        draft_bind(o, d, 1, v);
    }
    return finish_loss(o, d, log_prob);
}

/* ---- LogSoftmax and Hardmax ---- */

bool onnx_adapt_log_softmax(struct onnx *o, struct draft *d)
{
    int64_t axis;
    return draft_need_inputs(o, d, 1) && draft_take_int(o, d, "axis", 1, &axis) &&
           draft_finish(o, d,
                        build_flat(&o->im, build_log_softmax, d->name, d->in[0], axis,
                                   draft_output_name(d)));
}

/* 1 where the index along the axis is that of the first largest element. */
static struct value *hardmax(struct importer *im, const char *node, struct value *x, int64_t axis,
                             const char *out_name)
{
    int rank = x->shape.rank;
    axis += axis < 0 ? rank : 0;
    if (axis < 0 || axis >= rank || x->shape.extent[axis]) {
        import_node_error(im, node, SHEAF_ERROR_SHAPE,
                          "axis %lld of %s does not exist or is known only at run time",
                          (long long)axis, shape_print(&x->shape, im->arena));
        return NULL;
    }
    if (x->shape.dims[axis] == 0)
        return build_cast(im, node, x, x->dtype, out_name);
    size_t size = (size_t)x->shape.dims[axis];
    int64_t *place = arena_array(im->arena, size, sizeof *place);
    for (size_t i = 0; i < size; i++)
        place[i] = (int64_t)i;
    struct node *n = build_begin(im, OP_arg_max, node, &x, 1, 1);
    ((struct arg_max_attrs *)n->attrs)->axis = axis;
    struct value *first = build_end1(im, n, NULL);
    struct value *places = build_align(im, node, build_ints(im, NULL, place, size), rank, axis);
    struct value *is_first = build_binary(im, OP_equal, node, first, places);
    return is_first ? build_cast(im, node, is_first, x->dtype, out_name) : NULL;
}

bool onnx_adapt_hardmax(struct onnx *o, struct draft *d)
{
    int64_t axis;
    bool flat = o->opset < 13;
    if (!draft_need_inputs(o, d, 1) || !draft_take_int(o, d, "axis", flat ? 1 : -1, &axis))
        return false;
    const char *name = draft_output_name(d);
    return draft_finish(o, d,
                        flat ? build_flat(&o->im, hardmax, d->name, d->in[0], axis, name)
                             : hardmax(&o->im, d->name, d->in[0], axis, name));
}
