/*
 * ONNX Runtime's GroupQueryAttention (domain com.microsoft): Attention over a cache of keys and
 * values, in which those of this call are stored behind what each batch entry has so far.
 */
#include <math.h>

#include "loader/import/onnx/compose/compose.h"

enum {
    QUERY,
    KEY,
    VALUE,
    PAST_KEY,
    PAST_VALUE,
    LAST_KEY, /* seqlens_k: the number of keys with those of this call, less 1 */
    TOTAL,
    COS,
    SIN,
    POSITIONS,
    SCORE_BIAS,
    FIRST_OTHER
};

struct group_query {
    int64_t heads, kv_heads, batch, length, size;
    int64_t past, keys;  /* rows of the cache before and after */
    int64_t window;      /* keys that a query sees; 0: all before it */
    struct value *start; /* past > 0: rows that the cache holds for each batch entry (i64) */
    float scale, softcap;
};

static bool take_attributes(struct onnx *o, struct draft *d, struct group_query *g, bool *rotary,
                            int64_t *interleaved)
{
    int64_t smooth, output, k_bits, causal, do_rotary, circular;
    draft_take(d, "k_quant_type"); /* of scales, which are refused */
    draft_take(d, "v_quant_type");
    draft_take(d, "qk_norm_epsilon");
    if (!draft_take_int(o, d, "num_heads", 0, &g->heads) ||
        !draft_take_int(o, d, "kv_num_heads", 0, &g->kv_heads) ||
        !draft_take_int(o, d, "local_window_size", -1, &g->window) ||
        !draft_take_int(o, d, "do_rotary", 0, &do_rotary) ||
        !draft_take_int(o, d, "rotary_interleaved", 0, interleaved) ||
        !draft_take_int(o, d, "smooth_softmax", 0, &smooth) ||
        !draft_take_int(o, d, "qk_output", 0, &output) ||
        !draft_take_int(o, d, "kv_cache_bit_width", 0, &k_bits) ||
        !draft_take_int(o, d, "causal", 1, &causal) ||
        !draft_take_int(o, d, "sliding_window_cache", 0, &circular) ||
        !draft_take_float(o, d, "scale", 0, &g->scale) ||
        !draft_take_float(o, d, "softcap", 0, &g->softcap))
        return false;
    *rotary = do_rotary != 0;
    g->window = g->window < 0 ? 0 : g->window;
    bool other = smooth > 0 || output || k_bits || causal != 1 || circular;
    for (size_t i = FIRST_OTHER; i < d->n_in; i++)
        other |= d->in[i] != NULL;
    if (other || draft_output_used(o, d, 3))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "GroupQueryAttention with a sink, a quantized cache, norms of q and k, "
                           "output 3 or without causality is not supported");
    return (g->heads > 0 && g->kv_heads > 0) ||
           draft_error(o, d, SHEAF_ERROR_FORMAT,
                       "GroupQueryAttention lacks the attribute 'num_heads' or 'kv_num_heads'");
}

/* q, k and v [batch, length, heads * size]; without k and v all three lie in q behind each other.
 */
static bool take_operands(struct onnx *o, struct draft *d, struct group_query *g,
                          struct value **qkv)
{
    if (!draft_need_inputs(o, d, 1) || !compose_need_static(o, d, QUERY, 3))
        return false;
    const int64_t *s = d->in[QUERY]->shape.dims;
    bool packed = !draft_input(d, KEY);
    int64_t heads = packed ? g->heads + 2 * g->kv_heads : g->heads;
    g->batch = s[0];
    g->length = s[1];
    g->size = s[2] / heads;
    if (s[2] % heads || (packed && draft_input(d, VALUE)))
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "%lld heads do not divide %lld columns",
                           (long long)heads, (long long)s[2]);
    int64_t q = g->heads * g->size, kv = g->kv_heads * g->size;
    for (size_t i = QUERY; i <= VALUE; i++) {
        int64_t at = i == QUERY ? 0 : q + (i == VALUE ? kv : 0);
        if (!packed && !compose_need_static(o, d, i, 3))
            return false;
        qkv[i] = packed ? compose_slice(o, d->in[QUERY], 2, at, at + (i == QUERY ? q : kv), NULL)
                        : d->in[i];
        if (!qkv[i])
            return false;
    }
    return true;
}

/* The length of the cache: what is there, or what total_sequence_length says if that is more. */
static bool take_cache(struct onnx *o, struct draft *d, struct group_query *g)
{
    struct value *total = draft_input(d, TOTAL), *last = draft_input(d, LAST_KEY);
    if (!draft_input(d, PAST_KEY) != !draft_input(d, PAST_VALUE))
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "past_key and past_value go together");
    g->keys = g->length;
    if (!draft_input(d, PAST_KEY))
        return true;
    if (!compose_need_static(o, d, PAST_KEY, 4) || !compose_need_static(o, d, PAST_VALUE, 4))
        return false;
    g->past = d->in[PAST_KEY]->shape.dims[2];
    if (g->past == 0)
        return true;
    if (!last || !total || !value_is_constant(total) || tensor_elems(total->constant) != 1)
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "GroupQueryAttention with a cache needs seqlens_k, and a "
                           "total_sequence_length that is constant");
    g->keys = tensor_get_int(total->constant, 0);
    g->keys = g->keys < g->past ? g->past : g->keys;
    if (g->keys - g->past > g->length)
        return draft_error(o, d, SHEAF_ERROR_SHAPE,
                           "a total length of %lld is more than %lld and %lld make",
                           (long long)g->keys, (long long)g->past, (long long)g->length);
    const int64_t dims[] = {g->batch};
    g->start = compose_reshape(o, build_cast(&o->im, NULL, last, DTYPE_I64, NULL), 1, dims, NULL);
    g->start = compose_number(o, OP_add, g->start, (double)(1 - g->length));
    return g->start != NULL;
}

/* Numbers of the queries [batch, length], or without a cache [1, length]. */
static struct value *query_places(struct onnx *o, struct draft *d, const struct group_query *g)
{
    const int64_t row[] = {1, g->length}, column[] = {g->batch, 1};
    struct value *at = compose_range(o, d, DTYPE_I64, g->length);
    at = compose_reshape(o, at, 2, row, NULL);
    return g->start
               ? compose_binary(o, OP_add, at, compose_reshape(o, g->start, 2, column, NULL), NULL)
               : at;
}

static struct value *rotated(struct onnx *o, struct draft *d, const struct group_query *g,
                             struct value *x, struct value *places, int64_t heads,
                             int64_t interleaved)
{
    const int64_t dims[] = {g->batch, g->length};
    struct value *in[] = {x, d->in[COS], d->in[SIN], places};
    if (!x || !places)
        return NULL;
    if (places->shape.dims[0] != g->batch)
        in[3] = compose_binary(o, OP_expand, places, build_ints(&o->im, NULL, dims, 2), NULL);
    if (!in[3])
        return NULL;
    struct node *n = build_begin(&o->im, OP_rotary_embedding, NULL, in, 4, 1);
    struct rotary_embedding_attrs *a = n->attrs;
    int64_t turned = 2 * d->in[COS]->shape.dims[1];
    a->interleaved = interleaved;
    a->num_heads = heads;
    a->rotary_embedding_dim = turned == g->size ? 0 : turned;
    return build_end1(&o->im, n, NULL);
}

/* Rows of k or v as [batch, heads, length, size], in the cache where there is one; output `i`. */
static struct value *stored(struct onnx *o, struct draft *d, const struct group_query *g,
                            struct value *x, size_t past, size_t i)
{
    static const int64_t perm[] = {0, 2, 1, 3};
    const int64_t dims[] = {g->batch, g->length, g->kv_heads, g->size};
    const int64_t added[] = {g->batch, g->kv_heads, g->keys - g->past, g->size};
    const char *name = draft_output_used(o, d, i) ? d->out[i] : NULL;
    x = compose_transpose(o, compose_reshape(o, x, 4, dims, NULL), perm, g->start ? NULL : name);
    if (g->start && x) {
        struct shape room = shape_of_dims(4, added);
        struct value *cache = d->in[past];
        if (added[2] > 0)
            cache = compose_concat(
                o, cache, build_filled(&o->im, d->name, NULL, x->dtype, &room, 0), 2, NULL);
        struct value *in[] = {cache, x, g->start};
        if (!cache)
            return NULL;
        struct node *n = build_begin(&o->im, OP_tensor_scatter, NULL, in, 3, 1);
        x = build_end1(&o->im, n, name);
    }
    if (x && name)
        draft_bind(o, d, i, x);
    return x;
}

/* Keys that each query sees, [batch or 1, 1, length, keys], with the bias of the scores. */
static struct value *mask_of(struct onnx *o, struct draft *d, const struct group_query *g,
                             struct value *places)
{
    struct value *bias = draft_input(d, SCORE_BIAS);
    if (!places)
        return NULL;
    const int64_t dims[] = {places->shape.dims[0], 1, g->length, 1};
    struct value *at = compose_reshape(o, places, 4, dims, NULL);
    struct value *key = compose_range(o, d, DTYPE_I64, g->keys);
    struct value *seen = compose_binary(o, OP_less_or_equal, key, at, NULL);
    if (g->window) {
        struct value *from = compose_number(o, OP_sub, at, (double)g->window);
        seen =
            compose_binary(o, OP_and, seen, compose_binary(o, OP_greater, key, from, NULL), NULL);
    }
    if (!bias || !seen)
        return seen;
    struct value *in[] = {seen, bias, build_number(&o->im, bias, -(double)INFINITY)};
    return build_op(&o->im, OP_where, NULL, in, 3, NULL);
}

bool onnx_compose_group_query_attention(struct onnx *o, struct draft *d)
{
    static const int64_t perm[] = {0, 2, 1, 3};
    struct group_query g = {0};
    struct value *qkv[3];
    int64_t interleaved;
    bool rotary;
    if (!take_attributes(o, d, &g, &rotary, &interleaved) || !take_operands(o, d, &g, qkv) ||
        !take_cache(o, d, &g))
        return false;
    struct value *places = query_places(o, d, &g);
    if (rotary) {
        struct value *at = draft_input(d, POSITIONS) ? d->in[POSITIONS] : places;
        if (!compose_need_static(o, d, COS, 2) || !compose_need_static(o, d, SIN, 2))
            return false;
        qkv[0] = rotated(o, d, &g, qkv[0], at, g.heads, interleaved);
        qkv[1] = rotated(o, d, &g, qkv[1], at, g.kv_heads, interleaved);
    }
    const int64_t split[] = {g.batch, g.length, g.heads, g.size};
    const int64_t joined[] = {g.batch, g.length, g.heads * g.size};
    struct value *in[4];
    in[0] = compose_transpose(o, compose_reshape(o, qkv[0], 4, split, NULL), perm, NULL);
    in[1] = stored(o, d, &g, qkv[1], PAST_KEY, 1);
    in[2] = stored(o, d, &g, qkv[2], PAST_VALUE, 2);
    in[3] = mask_of(o, d, &g, places);
    if (!in[0] || !in[1] || !in[2] || !in[3])
        return false;
    struct node *n = build_begin(&o->im, OP_attention, d->name, in, 4, 1);
    struct attention_attrs *a = n->attrs;
    a->scale = g.scale;
    a->softcap = g.softcap;
    struct value *y = compose_transpose(o, build_end1(&o->im, n, NULL), perm, NULL);
    return draft_finish(o, d, compose_reshape(o, y, 3, joined, draft_output_name(d)));
}
