/*
 * Attention-24: y = softmax(scale * q k^T + bias) v per head, one kernel.
 *
 * Head h of q goes with head h / group of k and v, where group = q heads / kv heads.  Keys and
 * values are those of the cache (past_key, past_value) followed by k and v; each part is
 * contracted by itself, so that nothing is concatenated.  The scores lie in a local buffer
 * [batch, q heads, queries, keys], in which softmax works in place.
 *
 * bias is -inf where a bool mask, the causal frontier, the number of valid keys or the end of a
 * short mask excludes a key, else the float mask or 0.  A row without any key gives 0.
 *
 * Three-dimensional inputs [batch, length, heads * size] are read in place.
 */
#include <math.h>

#include "ir/checked.h"
#include "ir/ops/common.h"

enum { Q, K, V, MASK, PAST_KEY, PAST_VALUE, VALID_KEYS };
enum { Y, PRESENT_KEY, PRESENT_VALUE, SCORES };

/* What output SCORES holds (qk_matmul_output_mode). */
enum { SCORES_RAW, SCORES_CAPPED, SCORES_BIASED, SCORES_SOFTMAX };

struct attention {
    enum dtype type; /* of scores and sums: f64 where q is of it, else f32 */
    bool packed;     /* three-dimensional inputs */
    int64_t batch, q_heads, kv_heads, group;
    int64_t queries, keys, past, total; /* total = past + keys */
    int64_t size, v_size;               /* of a head of q and k, of v */
    double scale;
};

/* Heads and head size of input i. */
static bool heads_of(const struct node *n, size_t i, bool packed, int64_t heads, int64_t *out_heads,
                     int64_t *out_size, struct error *err)
{
    const int64_t *dims = n->in[i]->shape.dims;
    if (!packed) {
        *out_heads = dims[1];
        *out_size = dims[3];
        return true;
    }
    if (heads < 1 || dims[2] % heads)
        return error_set(err, SHEAF_ERROR_SHAPE, "%lld heads do not divide %lld columns of '%s'",
                         (long long)heads, (long long)dims[2], n->in[i]->name);
    *out_heads = heads;
    *out_size = dims[2] / heads;
    return true;
}

static bool plan_attention(const struct node *n, struct attention *out, struct error *err)
{
    const struct attention_attrs *a = n->attrs;
    struct attention p = {.type = n->in[Q]->dtype == DTYPE_F64 ? DTYPE_F64 : DTYPE_F32,
                          .packed = n->in[Q]->shape.rank == 3};
    int rank = p.packed ? 3 : 4, length_dim = p.packed ? 1 : 2;
    for (size_t i = Q; i <= V; i++)
        if (!ops_check_rank(n, i, rank, err))
            return false;
    int64_t v_heads;
    if (!heads_of(n, Q, p.packed, a->q_num_heads, &p.q_heads, &p.size, err) ||
        !heads_of(n, K, p.packed, a->kv_num_heads, &p.kv_heads, &(int64_t){0}, err) ||
        !heads_of(n, V, p.packed, a->kv_num_heads, &v_heads, &p.v_size, err))
        return false;
    p.batch = n->in[Q]->shape.dims[0];
    p.queries = n->in[Q]->shape.dims[length_dim];
    p.keys = n->in[K]->shape.dims[length_dim];
    if (p.kv_heads < 1 || p.q_heads < 1 || p.q_heads % p.kv_heads)
        return error_set(err, SHEAF_ERROR_SHAPE, "%lld key heads do not divide %lld query heads",
                         (long long)p.kv_heads, (long long)p.q_heads);
    p.group = p.q_heads / p.kv_heads;
    int64_t k_dims[4] = {p.batch, p.kv_heads, p.keys, p.size};
    int64_t v_dims[4] = {p.batch, p.kv_heads, p.keys, p.v_size};
    if (p.packed) {
        k_dims[1] = v_dims[1] = p.keys;
        k_dims[2] = p.kv_heads * p.size;
        v_dims[2] = p.kv_heads * p.v_size;
    }
    if (!ops_check_dims(n, K, rank, k_dims, err) || !ops_check_dims(n, V, rank, v_dims, err))
        return false;
    if (ops_has_input(n, PAST_KEY) != ops_has_input(n, PAST_VALUE))
        return error_set(err, SHEAF_ERROR_SHAPE, "past_key and past_value go together");
    if (ops_has_input(n, PAST_KEY)) {
        if (!ops_check_rank(n, PAST_KEY, 4, err))
            return false;
        p.past = n->in[PAST_KEY]->shape.dims[2];
        int64_t pk[4] = {p.batch, p.kv_heads, p.past, p.size};
        int64_t pv[4] = {p.batch, p.kv_heads, p.past, p.v_size};
        if (!ops_check_dims(n, PAST_KEY, 4, pk, err) || !ops_check_dims(n, PAST_VALUE, 4, pv, err))
            return false;
        if (ops_has_input(n, VALID_KEYS))
            return error_set(err, SHEAF_ERROR_SHAPE,
                             "nonpad_kv_seqlen does not go with past_key and past_value");
    }
    p.total = p.past + p.keys;
    double root = sqrt((double)p.size);
    p.scale = p.type == DTYPE_F64 ? 1 / root : (double)(1.0f / (float)root);
    if (a->scale != 0)
        p.scale = (double)a->scale;
    *out = p;
    return true;
}

/* The mask broadcasts to the scores; its last dimension may be shorter. */
static bool check_mask(const struct node *n, const struct attention *p, struct error *err)
{
    if (!ops_has_input(n, MASK))
        return true;
    const struct shape *m = &n->in[MASK]->shape;
    int64_t dims[4] = {p->batch, p->q_heads, p->queries, p->total};
    if (!ops_check_static(n, MASK, err) || !ops_check_type(n, MASK, TYPES_FLOAT | TYPE(BOOL), err))
        return false;
    for (int d = 0; d < m->rank && m->rank <= 4; d++) {
        int64_t full = dims[4 - m->rank + d];
        if (m->dims[d] != full && m->dims[d] != 1 && !(d == m->rank - 1 && m->dims[d] < full))
            return error_set(err, SHEAF_ERROR_SHAPE,
                             "dimension %d of mask '%s' is %lld where %lld is needed", d,
                             n->in[MASK]->name, (long long)m->dims[d], (long long)full);
    }
    if (m->rank < 1 || m->rank > 4)
        return error_set(err, SHEAF_ERROR_SHAPE, "mask '%s' has %d dimensions", n->in[MASK]->name,
                         m->rank);
    return true;
}

bool attention_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct attention_attrs *a = n->attrs;
    struct attention p;
    for (size_t i = 0; i < n->n_in; i++)
        if (!ops_check_static(n, i, err) ||
            (i != MASK && i != VALID_KEYS &&
             (!ops_check_type(n, i, TYPES_FLOAT, err) || !ops_check_same_type(n, Q, i, err))))
            return false;
    if (!plan_attention(n, &p, err) || !check_mask(n, &p, err) ||
        !ops_check_type(n, VALID_KEYS, TYPE(I64), err) ||
        !ops_check_dims(n, VALID_KEYS, 1, &p.batch, err))
        return false;
    if (a->qk_matmul_output_mode < SCORES_RAW || a->qk_matmul_output_mode > SCORES_SOFTMAX)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "qk_matmul_output_mode %lld is not known",
                         (long long)a->qk_matmul_output_mode);
    unsigned precisions = p.type == DTYPE_F64 ? TYPES_FLOAT : TYPES_MATH;
    if (a->softmax_precision && !(precisions & 1u << dtype_from_code(a->softmax_precision)))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "softmax in ONNX type %lld is not possible; it is computed in %s",
                         (long long)a->softmax_precision, dtype_name(p.type));
    enum dtype type = n->in[Q]->dtype;
    struct shape y = n->in[Q]->shape;
    y.dims[y.rank - 1] = p.packed ? p.q_heads * p.v_size : p.v_size;
    int64_t k_dims[4] = {p.batch, p.kv_heads, p.total, p.size};
    int64_t v_dims[4] = {p.batch, p.kv_heads, p.total, p.v_size};
    int64_t s_dims[4] = {p.batch, p.q_heads, p.queries, p.total};
    struct shape ks = shape_of_dims(4, k_dims), vs = shape_of_dims(4, v_dims),
                 ss = shape_of_dims(4, s_dims);
    /* The scores exist even where they are no output. */
    int64_t elems = p.batch;
    for (int d = 1; d < 4; d++)
        if (!checked_mul(elems, s_dims[d], &elems) || elems > LIMIT_TENSOR_ELEMS)
            return error_set(err, SHEAF_ERROR_MEMORY, "there would be more than %lld scores",
                             (long long)LIMIT_TENSOR_ELEMS);
    return ops_set_output(n, Y, type, &y, err) && ops_set_output(n, PRESENT_KEY, type, &ks, err) &&
           ops_set_output(n, PRESENT_VALUE, type, &vs, err) &&
           ops_set_output(n, SCORES, type, &ss, err);
}

/* ---- lower ---- */

/* Loops of both contractions: batch, kv head, [head in its group], query, ... */
struct head_loops {
    kval batch, kv_head, in_group, query, inner[2];
    kval head; /* of q; made in the epilogue */
};

static struct kcontract *begin_contract(struct kernel *k, const struct attention *p,
                                        int64_t columns, int64_t depth, struct head_loops *at)
{
    int64_t extent[6] = {p->batch, p->kv_heads};
    enum kiter kind[6] = {KITER_BATCH, KITER_BATCH};
    int n = 2;
    if (p->group > 1) {
        extent[n] = p->group;
        kind[n++] = KITER_M;
    }
    extent[n] = p->queries;
    kind[n++] = KITER_M;
    extent[n] = columns;
    kind[n++] = KITER_N;
    extent[n] = depth;
    kind[n++] = KITER_K;
    kval idx[6];
    struct kcontract *c = kernel_contract_begin(k, p->type, n, extent, kind, idx);
    const kval *next = idx;
    at->batch = *next++;
    at->kv_head = *next++;
    at->in_group = p->group > 1 ? *next++ : 0;
    at->query = *next++;
    at->inner[0] = *next++;
    at->inner[1] = *next;
    return c;
}

/* The head of q as an affine function of the loops, times `coef`. */
static void add_head(const struct attention *p, const struct head_loops *at, int64_t coef,
                     struct kaffine *a)
{
    kaffine_add(a, at->kv_head, coef * p->group);
    if (at->in_group)
        kaffine_add(a, at->in_group, coef);
}

static kval q_head(struct kernel *k, const struct attention *p, const struct head_loops *at)
{
    if (!at->in_group)
        return at->kv_head;
    return kernel_binary(k, KOP_ADD, ops_mul_const(k, at->kv_head, p->group), at->in_group);
}

/* Operand [batch, heads, row, column], or packed [batch, row, heads * size + column]. */
static void head_operand(struct koperand *o, int buf, bool packed, kval batch, struct kaffine head,
                         int64_t size, kval row, kval column)
{
    o->buf = buf;
    o->dim[0] = kaffine_var(batch, 1, 0);
    if (packed) {
        o->dim[1] = kaffine_var(row, 1, 0);
        o->dim[2] = kaffine_const(0);
        for (int t = 0; t < head.n_terms; t++)
            kaffine_add(&o->dim[2], head.term[t].var, head.term[t].coef * size);
        kaffine_add(&o->dim[2], column, 1);
    } else {
        o->dim[1] = head;
        o->dim[2] = kaffine_var(row, 1, 0);
        o->dim[3] = kaffine_var(column, 1, 0);
    }
}

/* idx: batch, head, query, key.  Whether the key may be attended to; 0: always. */
static kval key_allowed(struct lower *l, const struct attention *p, const kval *idx)
{
    struct kernel *k = l->kernel;
    const struct attention_attrs *a = l->node->attrs;
    kval ok = 0, valid = 0;
    if (ops_has_input(l->node, VALID_KEYS)) {
        valid = kernel_load(k, l->in[VALID_KEYS], &idx[0]);
        ok = kernel_compare(k, KOP_LT, idx[3], valid);
    }
    if (a->is_causal) {
        /* Query i stands behind the keys of the cache, or ends the valid ones. */
        kval last = valid ? kernel_binary(k, KOP_ADD, idx[2], ops_add_const(k, valid, -p->queries))
                          : ops_add_const(k, idx[2], p->past);
        ok = ops_and(k, ok, kernel_compare(k, KOP_LE, idx[3], last));
    }
    return ok;
}

/* The mask at idx (bool or as scores are); what lies beyond a short mask is excluded. */
static kval load_mask(struct lower *l, const struct attention *p, const kval *idx)
{
    struct kernel *k = l->kernel;
    int buf = l->in[MASK];
    enum dtype type = k->bufs[buf].dtype;
    kval at[MAX_RANK];
    ops_broadcast_index(k, buf, 4, idx, at);
    kval outside = type == DTYPE_BOOL ? kernel_const_int(k, type, 0) : ops_lowest(k, type);
    kval v = kernel_load_or(k, buf, at, outside);
    return type == DTYPE_BOOL ? v : kernel_cast(k, p->type, v);
}

static kval add_bias(struct lower *l, const struct attention *p, kval s, const kval *idx)
{
    struct kernel *k = l->kernel;
    kval minus_inf = ops_lowest(k, p->type);
    kval ok = key_allowed(l, p, idx);
    if (ops_has_input(l->node, MASK)) {
        kval m = load_mask(l, p, idx);
        if (kernel_inst(k, m)->type == DTYPE_BOOL) {
            ok = ops_and(k, ok, m);
        } else {
            /* An excluded key stays excluded whatever its score, be it infinite or NaN. */
            ok = ops_and(k, ok, kernel_compare(k, KOP_NE, m, minus_inf));
            s = kernel_binary(k, KOP_ADD, s, m);
        }
    }
    return ok ? kernel_select(k, ok, s, minus_inf) : s;
}

/* scores[.., first ..] = bias(cap(scale * q k^T)) for the keys of one part. */
static void score_part(struct lower *l, const struct attention *p, int scores, int keys,
                       bool packed, int64_t first, int64_t count)
{
    struct kernel *k = l->kernel;
    const struct attention_attrs *a = l->node->attrs;
    struct head_loops at;
    struct kcontract *c = begin_contract(k, p, count, p->size, &at);
    struct kaffine head = kaffine_const(0);
    add_head(p, &at, 1, &head);
    head_operand(&c->a, l->in[Q], p->packed, at.batch, head, p->size, at.query, at.inner[1]);
    head_operand(&c->b, keys, packed, at.batch, kaffine_var(at.kv_head, 1, 0), p->size, at.inner[0],
                 at.inner[1]);

    kval s = kernel_contract_epilogue(k);
    kval idx[4] = {at.batch, q_head(k, p, &at), at.query, ops_add_const(k, at.inner[0], first)};
    kval stage[SCORES_BIASED + 1];
    s = kernel_binary(k, KOP_MUL, s, kernel_const(k, p->type, p->scale));
    stage[SCORES_RAW] = s;
    if (a->softcap > 0) {
        kval cap = kernel_const(k, p->type, (double)a->softcap);
        s = kernel_binary(k, KOP_MUL, kernel_tanh(k, kernel_binary(k, KOP_DIV, s, cap)), cap);
    }
    stage[SCORES_CAPPED] = s;
    stage[SCORES_BIASED] = s = add_bias(l, p, s, idx);
    if (ops_has_output(l->node, SCORES) && a->qk_matmul_output_mode <= SCORES_BIASED)
        ops_store(k, l->out[SCORES], idx, stage[a->qk_matmul_output_mode]);
    kernel_store(k, scores, idx, s);
    kernel_contract_end(k);
}

/* softmax along the keys, in place; a row of -inf gives 0. */
static void softmax_scores(struct lower *l, int scores)
{
    struct kernel *k = l->kernel;
    const struct attention_attrs *a = l->node->attrs;
    enum dtype type = k->bufs[scores].dtype;
    kval extent[4], idx[4], max, sum, v, zero = kernel_const(k, type, 0);
    for (int d = 0; d < 4; d++)
        extent[d] = kernel_extent(k, scores, d);
    int lanes = ops_reduce_lanes(&k->bufs[scores], 3);
    kval minus_inf = ops_lowest(k, type);
    kernel_map_begin(k, 3, extent, idx);

    kernel_reduce_begin(k, KCOMBINE_MAX, lanes, 1, &extent[3], 1, &minus_inf, &idx[3]);
    v = kernel_load(k, scores, idx);
    kernel_reduce_end(k, &v, &max);
    max = kernel_select(k, kernel_compare(k, KOP_EQ, max, minus_inf), zero, max);

    kernel_map_begin(k, 1, &extent[3], &idx[3]);
    v = kernel_binary(k, KOP_SUB, kernel_load(k, scores, idx), max);
    kernel_store(k, scores, idx, kernel_exp(k, v));
    kernel_map_end(k);

    kernel_reduce_begin(k, KCOMBINE_ADD, lanes, 1, &extent[3], 1, &zero, &idx[3]);
    v = kernel_load(k, scores, idx);
    kernel_reduce_end(k, &v, &sum);
    kval one = kernel_const(k, type, 1);
    sum = kernel_select(k, kernel_compare(k, KOP_EQ, sum, zero), one, sum);

    kernel_map_begin(k, 1, &extent[3], &idx[3]);
    v = kernel_binary(k, KOP_DIV, kernel_load(k, scores, idx), sum);
    kernel_store(k, scores, idx, v);
    if (ops_has_output(l->node, SCORES) && a->qk_matmul_output_mode == SCORES_SOFTMAX)
        ops_store(k, l->out[SCORES], idx, v);
    kernel_map_end(k);
    kernel_map_end(k);
}

/* y = scores[.., first ..] * values + what `add` holds; stored to `to`.  add < 0: nothing. */
static void value_part(struct lower *l, const struct attention *p, int scores, int values,
                       bool packed, int64_t first, int64_t count, int add, int to)
{
    struct kernel *k = l->kernel;
    struct head_loops at;
    struct kcontract *c = begin_contract(k, p, p->v_size, count, &at);
    c->a.buf = scores;
    c->a.dim[0] = kaffine_var(at.batch, 1, 0);
    c->a.dim[1] = kaffine_const(0);
    add_head(p, &at, 1, &c->a.dim[1]);
    c->a.dim[2] = kaffine_var(at.query, 1, 0);
    c->a.dim[3] = kaffine_var(at.inner[1], 1, first);
    head_operand(&c->b, values, packed, at.batch, kaffine_var(at.kv_head, 1, 0), p->v_size,
                 at.inner[1], at.inner[0]);

    kval v = kernel_contract_epilogue(k);
    kval head = q_head(k, p, &at);
    kval idx[4] = {at.batch, head, at.query, at.inner[0]};
    if (add >= 0)
        v = kernel_binary(k, KOP_ADD, v, kernel_load(k, add, idx));
    if (k->bufs[to].rank == 3) {
        idx[1] = at.query;
        idx[2] = kernel_binary(k, KOP_ADD, ops_mul_const(k, head, p->v_size), at.inner[0]);
    }
    ops_store(k, to, idx, v);
    kernel_contract_end(k);
}

/* present[.., first .., :] = keys or values of one part. */
static void copy_part(struct kernel *k, const struct attention *p, int present, int from,
                      bool packed, int64_t first, int64_t count, int64_t size)
{
    kval extent[4] = {kernel_const_index(k, p->batch), kernel_const_index(k, p->kv_heads),
                      kernel_const_index(k, count), kernel_const_index(k, size)};
    kval idx[4];
    kernel_map_begin(k, 4, extent, idx);
    kval in[4] = {idx[0], idx[1], idx[2], idx[3]};
    if (packed) {
        in[1] = idx[2];
        in[2] = kernel_binary(k, KOP_ADD, ops_mul_const(k, idx[1], size), idx[3]);
    }
    kval v = kernel_load(k, from, in);
    idx[2] = ops_add_const(k, idx[2], first);
    kernel_store(k, present, idx, v);
    kernel_map_end(k);
}

static void update_cache(struct lower *l, const struct attention *p, int present, size_t past,
                         size_t now, int64_t size)
{
    if (!ops_has_output(l->node, (size_t)present))
        return;
    int buf = l->out[present];
    if (p->past)
        copy_part(l->kernel, p, buf, l->in[past], false, 0, p->past, size);
    copy_part(l->kernel, p, buf, l->in[now], p->packed, p->past, p->keys, size);
}

void attention_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    struct attention p;
    plan_attention(l->node, &p, NULL);
    int64_t s_dims[4] = {p.batch, p.q_heads, p.queries, p.total};
    int scores = kernel_add_buf(k, "scores", p.type, KBUF_LOCAL, 4, s_dims);
    if (p.past)
        score_part(l, &p, scores, l->in[PAST_KEY], false, 0, p.past);
    score_part(l, &p, scores, l->in[K], p.packed, p.past, p.keys);
    softmax_scores(l, scores);
    int partial = -1;
    if (p.past) {
        int64_t y_dims[4] = {p.batch, p.q_heads, p.queries, p.v_size};
        partial = kernel_add_buf(k, "partial", p.type, KBUF_LOCAL, 4, y_dims);
        value_part(l, &p, scores, l->in[PAST_VALUE], false, 0, p.past, -1, partial);
    }
    value_part(l, &p, scores, l->in[V], p.packed, p.past, p.keys, partial, l->out[Y]);
    update_cache(l, &p, PRESENT_KEY, PAST_KEY, K, p.size);
    update_cache(l, &p, PRESENT_VALUE, PAST_VALUE, V, p.v_size);
}
