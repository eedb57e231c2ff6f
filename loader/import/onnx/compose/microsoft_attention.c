/*
 * ONNX Runtime's Attention, QAttention, MultiHeadAttention and RotaryEmbedding (domain
 * com.microsoft) as the operators of the default domain, with the projections, biases and masks
 * around them.
 */
#include "loader/import/onnx/compose/compose.h"

/* What both attentions hand on. */
struct heads {
    struct value *q, *k,
        *v;                 /* [batch, length, heads * size], or all [batch, heads, length, size] */
    struct value *mask;     /* added to the scores; NULL: none */
    struct value *past[2];  /* of k and v; NULL: none */
    const char *present[2]; /* names of these outputs; "": not wanted */
    int64_t count;
    float scale, filter; /* filter: what is added where a mask excludes a key */
    bool causal;
};

static bool take_attributes(struct onnx *o, struct draft *d, struct heads *h)
{
    int64_t causal;
    if (!draft_take_int(o, d, "num_heads", 0, &h->count) ||
        !draft_take_int(o, d, "unidirectional", 0, &causal) ||
        !draft_take_float(o, d, "scale", 0, &h->scale) ||
        !draft_take_float(o, d, "mask_filter_value", -10000, &h->filter))
        return false;
    h->causal = causal != 0;
    return h->count > 0 ||
           draft_error(o, d, SHEAF_ERROR_FORMAT, "%s lacks the attribute 'num_heads'", d->op_type);
}

static bool refuse_input(struct onnx *o, const struct draft *d, size_t i, const char *what)
{
    return !draft_input(d, i) || draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                                             "%s with %s is not supported", d->op_type, what);
}

/* The node; outputs present[] are bound by the caller.  NULL after a fault. */
static struct node *attention(struct onnx *o, struct draft *d, const struct heads *h,
                              const char *name)
{
    struct value *in[6] = {h->q, h->k, h->v, h->mask, h->past[0], h->past[1]};
    size_t n_in = h->past[0] ? 6 : h->mask ? 4 : 3;
    bool present = *h->present[0] || *h->present[1];
    if (!h->q || !h->k || !h->v)
        return NULL;
    struct node *n = build_begin(&o->im, OP_attention, d->name, in, n_in, present ? 3 : 1);
    struct attention_attrs *a = n->attrs;
    if (h->q->shape.rank == 3)
        a->q_num_heads = a->kv_num_heads = h->count;
    a->is_causal = h->causal;
    a->scale = h->scale;
    const char *names[3] = {name, h->present[0], h->present[1]};
    return build_end(&o->im, n, names) ? n : NULL;
}

/* ---- masks ---- */

/* Valid keys per batch entry [batch] or a mask of ones and zeros [batch, keys] or [batch, queries,
   keys], as what is added to scores [batch, heads, queries, keys]. */
static struct value *key_mask(struct onnx *o, struct draft *d, struct value *mask,
                              const struct heads *h, int64_t batch, int64_t keys)
{
    const int64_t *dims = mask->shape.dims;
    int rank = mask->shape.rank;
    int64_t to[4] = {batch, 1, rank == 3 ? dims[1] : 1, rank == 1 ? 1 : keys};
    if (rank < 1 || rank > 3 || !shape_is_static(&mask->shape) || dims[0] != batch ||
        (rank > 1 && dims[rank - 1] != keys)) {
        draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "a mask '%s' of the shape %s is not supported",
                    mask->name, shape_print(&mask->shape, o->im.arena));
        return NULL;
    }
    struct value *valid = compose_reshape(o, mask, 4, to, NULL);
    if (rank == 1) {
        struct value *key = compose_range(o, d, mask->dtype, keys);
        valid = compose_binary(o, OP_less, key, valid, NULL);
    } else {
        valid = build_cast(&o->im, NULL, valid, DTYPE_BOOL, NULL);
    }
    struct value *in[3] = {valid};
    in[1] = build_number(&o->im, h->q, 0);
    in[2] = build_number(&o->im, h->q, (double)h->filter);
    return valid && in[1] && in[2] ? build_op(&o->im, OP_where, d->name, in, 3, NULL) : NULL;
}

/* h->mask from input `mask` and what input `bias` adds to the scores. */
static bool set_mask(struct onnx *o, struct draft *d, struct heads *h, size_t mask, size_t bias,
                     int64_t batch, int64_t keys)
{
    h->mask = draft_input(d, bias);
    if (!draft_input(d, mask))
        return true;
    struct value *m = key_mask(o, d, d->in[mask], h, batch, keys);
    h->mask = h->mask ? compose_binary(o, OP_add, m, h->mask, NULL) : m;
    return h->mask != NULL;
}

/* ---- MultiHeadAttention ---- */

enum { QUERY, KEY, VALUE, BIAS, KEY_MASK, SCORE_BIAS, PAST_KEY, PAST_VALUE };

/* Element `i` of the dimension before the last, which is dropped: q, k and v in one tensor [batch,
   length, heads, parts, size]. */
static struct value *unpacked(struct onnx *o, struct value *x, int64_t i)
{
    const int64_t *s = x->shape.dims;
    int64_t dims[3] = {s[0], s[1], s[2] * s[4]};
    return compose_reshape(o, compose_slice(o, x, 3, i, i + 1, NULL), 3, dims, NULL);
}

static bool take_operands(struct onnx *o, struct draft *d, struct heads *h)
{
    struct value *q = d->in[QUERY], *k = draft_input(d, KEY), *v = draft_input(d, VALUE);
    for (size_t i = QUERY; i <= VALUE; i++)
        if (draft_input(d, i) && !compose_need_static(o, d, i, -1))
            return false;
    if (!k && q->shape.rank == 5 && q->shape.dims[3] == 3) {
        h->q = unpacked(o, q, 0);
        h->k = unpacked(o, q, 1);
        h->v = unpacked(o, q, 2);
    } else if (k && !v && k->shape.rank == 5 && k->shape.dims[3] == 2) {
        h->q = q;
        h->k = unpacked(o, k, 0);
        h->v = unpacked(o, k, 1);
    } else if (k && v) {
        h->q = q;
        h->k = k;
        h->v = v;
    } else {
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "MultiHeadAttention with inputs of these shapes is not supported");
    }
    return h->q && h->k && h->v;
}

/* The bias of q, k and v lies behind each other in one vector. */
static bool add_biases(struct onnx *o, struct draft *d, struct heads *h)
{
    struct value **operand[3] = {&h->q, &h->k, &h->v};
    int64_t at = 0;
    if (!draft_input(d, BIAS))
        return true;
    if (!compose_need_static(o, d, BIAS, 1))
        return false;
    for (int i = 0; i < 3; i++) {
        struct value *x = *operand[i];
        int64_t columns = x->shape.dims[2];
        if (x->shape.rank != 3 || at + columns > d->in[BIAS]->shape.dims[0])
            return draft_error(o, d, SHEAF_ERROR_SHAPE, "the bias '%s' does not suit the operands",
                               d->in[BIAS]->name);
        struct value *part = compose_slice(o, d->in[BIAS], 0, at, at + columns, NULL);
        *operand[i] = compose_binary(o, OP_add, x, part, NULL);
        if (!*operand[i])
            return false;
        at += columns;
    }
    return true;
}

/* [batch, length, heads * size] as [batch, heads, length, size]. */
static struct value *split_heads(struct onnx *o, struct draft *d, struct value *x, int64_t heads)
{
    static const int64_t perm[] = {0, 2, 1, 3};
    if (!x || x->shape.rank != 3)
        return x;
    const int64_t *s = x->shape.dims;
    if (s[2] % heads) {
        draft_error(o, d, SHEAF_ERROR_SHAPE, "%lld heads do not divide %lld columns",
                    (long long)heads, (long long)s[2]);
        return NULL;
    }
    int64_t dims[4] = {s[0], s[1], heads, s[2] / heads};
    return compose_transpose(o, compose_reshape(o, x, 4, dims, NULL), perm, NULL);
}

/* And back. */
static struct value *join_heads(struct onnx *o, struct value *x, const char *name)
{
    static const int64_t perm[] = {0, 2, 1, 3};
    if (!x)
        return NULL;
    const int64_t *s = x->shape.dims;
    int64_t dims[3] = {s[0], s[2], s[1] * s[3]};
    return compose_reshape(o, compose_transpose(o, x, perm, NULL), 3, dims, name);
}

bool onnx_compose_multi_head_attention(struct onnx *o, struct draft *d)
{
    struct heads h = {.present = {"", ""}};
    if (!draft_need_inputs(o, d, 1) || !take_attributes(o, d, &h) ||
        !refuse_input(o, d, 8, "past_sequence_length") ||
        !refuse_input(o, d, 9, "cache_indirection") || !take_operands(o, d, &h) ||
        !add_biases(o, d, &h))
        return false;
    if (draft_output_used(o, d, 3))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "output 3 ('%s') of MultiHeadAttention is not supported", d->out[3]);
    bool split = h.k->shape.rank == 4;
    if (split) {
        h.q = split_heads(o, d, h.q, h.count);
        h.v = split_heads(o, d, h.v, h.count);
        if (!h.q || !h.v)
            return false;
    }
    int64_t keys = h.k->shape.dims[split ? 2 : 1];
    h.past[0] = draft_input(d, PAST_KEY);
    h.past[1] = draft_input(d, PAST_VALUE);
    if (h.past[0])
        keys += h.past[0]->shape.rank == 4 ? h.past[0]->shape.dims[2] : 0;
    for (size_t i = 0; i < 2; i++)
        if (draft_output_used(o, d, 1 + i))
            h.present[i] = d->out[1 + i];
    if (!set_mask(o, d, &h, KEY_MASK, SCORE_BIAS, h.q->shape.dims[0], keys))
        return false;
    const char *name = draft_output_name(d);
    struct node *n = attention(o, d, &h, split ? NULL : name);
    for (size_t i = 0; n && i < 2; i++)
        if (*h.present[i])
            draft_bind(o, d, 1 + i, n->out[1 + i]);
    return n && draft_finish(o, d, split ? join_heads(o, n->out[0], name) : n->out[0]);
}

/* ---- Attention ---- */

enum { INPUT, WEIGHTS, PROJECTION_BIAS, MASK_INDEX, PAST, ADDED, PAST_LENGTH };

/* q, k and v: columns of input * weights + bias, thirds or of the sizes that are stated. */
static bool project(struct onnx *o, struct draft *d, struct heads *h)
{
    struct draft_attr *sizes;
    if (!draft_take_kind(o, d, "qkv_hidden_sizes", ATTR_KIND_INTS, &sizes) ||
        !compose_need_static(o, d, INPUT, 3) || !compose_need_static(o, d, WEIGHTS, 2))
        return false;
    int64_t all = d->in[WEIGHTS]->shape.dims[1], at = 0;
    struct value **operand[3] = {&h->q, &h->k, &h->v};
    struct value *x = compose_binary(o, OP_matmul, d->in[INPUT], d->in[WEIGHTS], NULL);
    if (draft_input(d, PROJECTION_BIAS))
        x = compose_binary(o, OP_add, x, d->in[PROJECTION_BIAS], NULL);
    for (int i = 0; i < 3; i++) {
        int64_t columns = sizes && sizes->u.ints.n == 3 ? sizes->u.ints.v[i] : all / 3;
        if (columns < 1 || columns > all - at)
            return draft_error(o, d, SHEAF_ERROR_SHAPE,
                               "%lld columns of the weights are not q, k and v", (long long)all);
        *operand[i] = compose_slice(o, x, 2, at, at + columns, NULL);
        at += columns;
    }
    return h->q && h->k && h->v;
}

/* Half i of `past` [2, batch, heads, length, size]. */
static struct value *half_of(struct onnx *o, struct value *past, int64_t i)
{
    return compose_reshape(o, compose_slice(o, past, 0, i, i + 1, NULL), 4, past->shape.dims + 1,
                           NULL);
}

/* Output 1: k and v, each with its past. */
static bool bind_present(struct onnx *o, struct draft *d, const struct node *n)
{
    struct value *half[2];
    for (int i = 0; i < 2; i++) {
        int64_t dims[5] = {1};
        for (int j = 0; j < 4; j++)
            dims[1 + j] = n->out[1 + i]->shape.dims[j];
        half[i] = compose_reshape(o, n->out[1 + i], 5, dims, NULL);
    }
    struct value *v = compose_concat(o, half[0], half[1], 0, d->out[1]);
    if (v)
        draft_bind(o, d, 1, v);
    return v != NULL;
}

bool onnx_compose_microsoft_attention(struct onnx *o, struct draft *d)
{
    struct heads h = {.present = {"", ""}};
    int64_t rotary;
    draft_take(d, "rotary_embedding_dim"); /* of do_rotary */
    draft_take(d, "past_present_share_buffer");
    if (!take_attributes(o, d, &h) || !draft_take_int(o, d, "do_rotary", 0, &rotary) ||
        !refuse_input(o, d, PAST_LENGTH, "past_sequence_length") || !project(o, d, &h))
        return false;
    if (rotary)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "Attention with do_rotary is not supported");
    int64_t batch = h.q->shape.dims[0], keys = h.k->shape.dims[1];
    bool present = draft_output_used(o, d, 1);
    if (draft_input(d, PAST)) {
        if (!compose_need_static(o, d, PAST, 5))
            return false;
        keys += d->in[PAST]->shape.dims[3];
        h.past[0] = half_of(o, d->in[PAST], 0);
        h.past[1] = half_of(o, d->in[PAST], 1);
        if (!h.past[0] || !h.past[1])
            return false;
    }
    if (present)
        for (int i = 0; i < 2; i++)
            h.present[i] = arena_printf(o->im.arena, "%s_%s", d->out[1], i ? "value" : "key");
    if (!set_mask(o, d, &h, MASK_INDEX, ADDED, batch, keys))
        return false;
    struct node *n = attention(o, d, &h, draft_output_name(d));
    if (!n || (present && !bind_present(o, d, n)))
        return false;
    return draft_finish(o, d, n->out[0]);
}

/* ---- QAttention: Attention of an input and weights of 8 bits ---- */

/* Inputs i, its scale and its zero point; one scale per index of `axis`, where there are several.
 */
static struct value *dequantized(struct onnx *o, struct draft *d, size_t i, size_t scale,
                                 size_t zero, int64_t axis)
{
    struct value *in[] = {d->in[i], d->in[scale], draft_input(d, zero)};
    struct node *n = build_begin(&o->im, OP_dequantize_linear, NULL, in, in[2] ? 3 : 2, 1);
    struct dequantize_linear_attrs *a = n->attrs;
    a->axis = axis;
    return build_end1(&o->im, n, NULL);
}

/* input, weight, bias, input_scale, weight_scale, mask_index, input_zero_point,
   weight_zero_point, past */
bool onnx_compose_q_attention(struct onnx *o, struct draft *d)
{
    if (!draft_need_inputs(o, d, 5))
        return false;
    struct value *in[5] = {dequantized(o, d, 0, 3, 6, 0), NULL, d->in[2], draft_input(d, 5),
                           draft_input(d, 8)};
    in[1] = in[0] ? dequantized(o, d, 1, 4, 7, 1) : NULL;
    if (!in[1])
        return false;
    d->n_in = 0;
    for (size_t i = 0; i < 5; i++)
        draft_set_input(o, d, i, in[i]);
    return onnx_compose_microsoft_attention(o, d);
}

/* ---- RotaryEmbedding ---- */

/* One position per element; of one number, that of the first element of each sequence. */
static struct value *positions(struct onnx *o, struct draft *d, int64_t batch, int64_t length)
{
    struct value *p = d->in[1];
    const int64_t one[2] = {1, 1}, dims[2] = {batch, length};
    if (p->shape.rank == 2)
        return p;
    if (shape_elems(&p->shape) != 1) {
        draft_error(o, d, SHEAF_ERROR_SHAPE, "the positions '%s' have the shape %s", p->name,
                    shape_print(&p->shape, o->im.arena));
        return NULL;
    }
    struct value *steps = compose_range(o, d, p->dtype, length);
    p = compose_binary(o, OP_add, compose_reshape(o, p, 2, one, NULL), steps, NULL);
    return batch == 1 ? p
                      : compose_binary(o, OP_expand, p, build_ints(&o->im, NULL, dims, 2), NULL);
}

/* The order of inputs differs, and the heads of three-dimensional inputs may follow from the
   angles. */
bool onnx_compose_microsoft_rotary(struct onnx *o, struct draft *d)
{
    int64_t heads, rotated, packed;
    float scale;
    if (!compose_need_static(o, d, 0, -1) || !compose_need_static(o, d, 1, -1) ||
        !compose_need_static(o, d, 2, 2) || !draft_need_inputs(o, d, 4) ||
        !draft_take_int(o, d, "num_heads", 0, &heads) ||
        !draft_take_int(o, d, "rotary_embedding_dim", 0, &rotated) ||
        !draft_take_int(o, d, "is_packed_batching", 0, &packed) ||
        !draft_take_float(o, d, "scale", 1, &scale))
        return false;
    const struct shape *x = &d->in[0]->shape;
    if (packed || scale != 1 || x->rank < 3)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "RotaryEmbedding with packed batches, a scale or %d dimensions is not "
                           "supported",
                           x->rank);
    int64_t pairs = d->in[2]->shape.dims[1];
    if (!heads && x->rank == 3 && pairs > 0)
        heads = x->dims[2] / (2 * pairs);
    struct value *p = positions(o, d, x->dims[0], x->dims[x->rank == 3 ? 1 : 2]);
    if (!p)
        return false;
    d->in[1] = d->in[2];
    d->in[2] = d->in[3];
    d->in[3] = p;
    d->op = OP_rotary_embedding;
    draft_add(o, d, "num_heads", ATTR_KIND_INT)->u.i = heads;
    draft_add(o, d, "rotary_embedding_dim", ATTR_KIND_INT)->u.i = rotated;
    return true;
}
