/*
 * Layers of language models that are composed: CausalConvWithState and FlexAttention.
 */
#include <math.h>
#include <string.h>

#include "loader/import/onnx/compose/compose.h"

/* ---- CausalConvWithState ---- */

/* The state, zeros where there is none, in front of x along the last axis; x itself where the state
   has no elements. */
static struct value *with_state(struct onnx *o, struct draft *d, int64_t elems)
{
    struct value *in[2] = {draft_input(d, 3), d->in[0]};
    struct shape s = d->in[0]->shape;
    s.dims[2] = elems;
    if (!elems)
        return d->in[0];
    if (!in[0])
        in[0] = build_filled(&o->im, d->name, NULL, d->in[0]->dtype, &s, 0);
    if (!in[0])
        return NULL;
    if (!shape_equal(&in[0]->shape, &s)) {
        draft_error(o, d, SHEAF_ERROR_SHAPE, "the state '%s' has the shape %s where %s is needed",
                    in[0]->name, shape_print(&in[0]->shape, o->im.arena),
                    shape_print(&s, o->im.arena));
        return NULL;
    }
    return compose_concat(o, in[0], in[1], 2, NULL);
}

/* Output 1: the last elements of x with its state. */
static bool next_state(struct onnx *o, struct draft *d, struct value *x, int64_t elems)
{
    if (!draft_output_used(o, d, 1))
        return true;
    int64_t end = x->shape.dims[2];
    struct value *v = compose_slice(o, x, 2, end - elems, end, d->out[1]);
    if (v)
        draft_bind(o, d, 1, v);
    return v != NULL;
}

bool onnx_compose_causal_conv(struct onnx *o, struct draft *d)
{
    struct draft_attr *activation;
    if (!compose_need_static(o, d, 0, 3) || !compose_need_static(o, d, 1, 3) ||
        !draft_take_kind(o, d, "activation", ATTR_KIND_STRING, &activation))
        return false;
    const char *function = activation ? activation->u.s : "none";
    bool silu = !strcmp(function, "silu") || !strcmp(function, "swish");
    if (!silu && strcmp(function, "none"))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "activation '%s' is not known", function);
    int64_t taps = d->in[1]->shape.dims[2];
    if (taps < 1)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "the weights '%s' are empty", d->in[1]->name);
    struct value *x = with_state(o, d, taps - 1);
    if (!x || !next_state(o, d, x, taps - 1))
        return false;
    struct value *in[3] = {x, d->in[1], draft_input(d, 2)};
    struct node *conv = build_begin(&o->im, OP_conv, d->name, in, in[2] ? 3 : 2, 1);
    ((struct conv_attrs *)conv->attrs)->group = x->shape.dims[1];
    const char *name = draft_output_name(d);
    struct value *y = build_end1(&o->im, conv, silu ? NULL : name);
    if (silu && y) {
        struct value *factor = build_unary(&o->im, OP_sigmoid, d->name, y);
        y = compose_binary(o, OP_mul, y, factor, name);
    }
    return draft_finish(o, d, y);
}

/* ---- FlexAttention ---- */

struct flex {
    struct onnx *o;
    struct draft *d;
    enum dtype precision; /* of the scores */
    int64_t batch, heads, kv_heads, queries, keys, size, v_size;
    double scale;
};

static bool plan_flex(struct flex *f)
{
    struct onnx *o = f->o;
    struct draft *d = f->d;
    int64_t code;
    for (size_t i = 0; i < 3; i++)
        if (!compose_need_static(o, d, i, 4))
            return false;
    const int64_t *q = d->in[0]->shape.dims, *k = d->in[1]->shape.dims, *v = d->in[2]->shape.dims;
    f->batch = q[0];
    f->heads = q[1];
    f->queries = q[2];
    f->size = q[3];
    f->kv_heads = k[1];
    f->keys = k[2];
    f->v_size = v[3];
    if (k[0] != q[0] || v[0] != q[0] || v[1] != k[1] || v[2] != k[2] || k[3] != q[3] ||
        f->kv_heads < 1 || f->heads % f->kv_heads)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "the shapes of q, k and v do not go together");
    enum dtype type = d->in[0]->dtype;
    struct draft_attr *scale;
    if (!draft_take_kind(o, d, "scale", ATTR_KIND_FLOAT, &scale) ||
        !draft_take_int(o, d, "softmax_precision", dtype_code(type == DTYPE_F64 ? type : DTYPE_F32),
                        &code))
        return false;
    f->scale = scale ? (double)scale->u.f : 1 / sqrt((double)f->size);
    f->precision = dtype_from_code(code);
    if (!dtype_is_float(f->precision))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "softmax in ONNX type %lld is not possible", (long long)code);
    return true;
}

/* [batch, heads, queries, columns], or with `grouped` the queries of all heads that share a key
   head in one dimension: [batch, key heads, .., columns]. */
static struct value *heads_of(struct flex *f, struct value *x, bool grouped, int64_t columns,
                              const char *name)
{
    int64_t heads = grouped ? f->kv_heads : f->heads;
    int64_t rows = grouped ? f->heads / f->kv_heads * f->queries : f->queries;
    int64_t dims[4] = {f->batch, heads, rows, columns};
    if (!x || (f->heads == f->kv_heads && !name))
        return x;
    return build_reshape(&f->o->im, x, 4, dims, name);
}

/* The inner graph `name` applied to x; x itself where there is none. */
static struct value *modify(struct flex *f, const char *name, struct value *x)
{
    const Onnx__GraphProto *p = onnx_graph_attr(f->d, name);
    struct value *y = NULL;
    if (!p || !x)
        return x;
    if (!onnx_inline(f->o, f->d, p, &x, 1, &y, 1))
        return NULL;
    if (y->dtype == x->dtype && shape_equal(&y->shape, &x->shape))
        return y;
    draft_error(f->o, f->d, SHEAF_ERROR_SHAPE, "the graph '%s' changes the type or the shape %s",
                name, shape_print(&x->shape, f->o->im.arena));
    return NULL;
}

bool onnx_compose_flex_attention(struct onnx *o, struct draft *d)
{
    static const int64_t exchanged[] = {0, 1, 3, 2};
    struct flex f = {.o = o, .d = d};
    if (!plan_flex(&f))
        return false;
    struct importer *im = &o->im;
    enum dtype type = d->in[0]->dtype;
    struct value *in[3];
    for (size_t i = 0; i < 3; i++)
        in[i] = build_cast(&o->im, NULL, d->in[i], f.precision, NULL);
    if (!in[0] || !in[1] || !in[2])
        return false;
    struct value *q = heads_of(&f, in[0], true, f.size, NULL);
    struct value *k = build_transpose(im, in[1], exchanged, NULL);
    struct value *s = build_binary(im, OP_matmul, d->name, q, k);
    struct value *scale = build_number(im, s, f.scale);
    s = heads_of(&f, build_binary(im, OP_mul, d->name, s, scale), false, f.keys, NULL);
    s = build_unary(im, OP_softmax, d->name, modify(&f, "score_mod", s));
    s = heads_of(&f, modify(&f, "prob_mod", s), true, f.keys, NULL);
    struct value *y = build_binary(im, OP_matmul, d->name, s, in[2]);
    y = build_cast(&o->im, NULL, y, type, NULL);
    return draft_finish(o, d, heads_of(&f, y, false, f.v_size, draft_output_name(d)));
}
