/*
 * LinearAttention-27: per head a state S [key size, value size], updated by each element of the
 * sequence: S = exp(decay) * S + key x u, where u is the value, or with a delta rule
 * beta * (value - S^T key) of the decayed S; the result is scale * S^T query.
 *
 * The columns of S do not depend on each other: one map over batch, head and column, in which the
 * sequence is a loop.  The state lies in a local buffer [batch, heads, column, key size].
 */
#include <math.h>
#include <string.h>

#include "ir/ops/common.h"

enum { QUERY, KEY, VALUE, PAST, DECAY, BETA };
enum { Y, PRESENT };

struct linear {
    bool gated, delta;
    int64_t batch, steps, heads, group; /* heads of key and value; heads of query for each */
    int64_t size, columns;              /* of a head of query and key, of value */
    bool decay_per_head, beta_shared;
    float scale;
};

static bool plan_rule(const char *rule, struct linear *p, struct error *err)
{
    static const char *const rules[] = {"linear", "gated", "delta", "gated_delta"};
    for (int i = 0; i < 4; i++)
        if (!strcmp(rule, rules[i])) {
            p->gated = (i & 1) != 0;
            p->delta = (i & 2) != 0;
            return true;
        }
    return error_set(err, SHEAF_ERROR_UNSUPPORTED, "update_rule '%s' is not known", rule);
}

static bool plan(const struct node *n, struct linear *out, struct error *err)
{
    const struct linear_attention_attrs *a = n->attrs;
    struct linear p = {.heads = a->kv_num_heads};
    for (size_t i = QUERY; i <= VALUE; i++)
        if (!ops_check_rank(n, i, 3, err))
            return false;
    if (!plan_rule(a->update_rule, &p, err))
        return false;
    const int64_t *q = n->in[QUERY]->shape.dims, *v = n->in[VALUE]->shape.dims;
    if (p.heads < 1 || a->q_num_heads < 1 || a->q_num_heads % p.heads || q[2] % a->q_num_heads ||
        v[2] % p.heads)
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "%lld query heads and %lld key heads do not go with %lld columns of query "
                         "and %lld of value",
                         (long long)a->q_num_heads, (long long)p.heads, (long long)q[2],
                         (long long)v[2]);
    p.batch = q[0];
    p.steps = q[1];
    p.group = a->q_num_heads / p.heads;
    p.size = q[2] / a->q_num_heads;
    p.columns = v[2] / p.heads;
    p.scale = a->scale != 0 ? a->scale : 1.0f / sqrtf((float)p.size);
    int64_t key[3] = {p.batch, p.steps, p.heads * p.size};
    int64_t value[3] = {p.batch, p.steps, p.heads * p.columns};
    int64_t past[4] = {p.batch, p.heads, p.size, p.columns};
    if (!ops_check_dims(n, KEY, 3, key, err) || !ops_check_dims(n, VALUE, 3, value, err) ||
        !ops_check_dims(n, PAST, 4, past, err))
        return false;
    int64_t decay[3] = {p.batch, p.steps, p.heads * p.size}, beta[3] = {p.batch, p.steps, p.heads};
    if (p.gated != ops_has_input(n, DECAY) || p.delta != ops_has_input(n, BETA))
        return error_set(err, SHEAF_ERROR_SHAPE,
                         "update_rule '%s' does not go with the inputs that are given or left out",
                         a->update_rule);
    if (p.gated && n->in[DECAY]->shape.rank == 3 && n->in[DECAY]->shape.dims[2] == p.heads) {
        p.decay_per_head = p.size != 1;
        decay[2] = p.heads;
    }
    if (p.delta && n->in[BETA]->shape.rank == 3 && n->in[BETA]->shape.dims[2] == 1) {
        p.beta_shared = true;
        beta[2] = 1;
    }
    if (!ops_check_dims(n, DECAY, 3, decay, err) || !ops_check_dims(n, BETA, 3, beta, err))
        return false;
    *out = p;
    return true;
}

bool linear_attention_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    struct linear p;
    for (size_t i = 0; i < n->n_in; i++)
        if (!ops_check_static(n, i, err) || !ops_check_type(n, i, TYPES_MATH, err) ||
            (i != PAST && !ops_check_same_type(n, QUERY, i, err)))
            return false;
    if (!plan(n, &p, err))
        return false;
    struct shape y = n->in[QUERY]->shape;
    y.dims[2] = p.heads * p.group * p.columns;
    int64_t dims[4] = {p.batch, p.heads, p.size, p.columns};
    struct shape present = shape_of_dims(4, dims);
    enum dtype type = n->in[QUERY]->dtype;
    enum dtype state = ops_has_input(n, PAST) ? n->in[PAST]->dtype : type;
    return ops_set_output(n, Y, type, &y, err) && ops_set_output(n, PRESENT, state, &present, err);
}

/* ---- lower ---- */

/* One column: where it lies, and the step in work. */
struct column {
    struct lower *l;
    const struct linear *p;
    int state, decay; /* local buffers */
    kval batch, head, column, step;
};

static kval of_state(const struct column *c, kval i, kval *out)
{
    out[0] = c->batch;
    out[1] = c->head;
    out[2] = c->column;
    out[3] = i;
    return kernel_load(c->l->kernel, c->state, out);
}

/* Element i of the head, `size` long, of input `input` at the step. */
static kval of_input(const struct column *c, size_t input, kval head, int64_t size, kval i)
{
    struct kernel *k = c->l->kernel;
    kval base = ops_mul_const(k, head, size);
    kval idx[3] = {c->batch, c->step, i ? kernel_binary(k, KOP_ADD, base, i) : base};
    return ops_load(k, c->l->in[input], idx);
}

/* exp(decay) of the whole sequence, once for all columns.  Returns the buffer, -1: no decay. */
static int decay_factors(struct lower *l, const struct linear *p)
{
    struct kernel *k = l->kernel;
    kval idx[3];
    if (!p->gated)
        return -1;
    int buf = kernel_add_buf(k, "decay", DTYPE_F32, KBUF_LOCAL, 3, k->bufs[l->in[DECAY]].dims);
    ops_map_begin(k, buf, idx);
    kernel_store(k, buf, idx, kernel_exp(k, ops_load(k, l->in[DECAY], idx)));
    ops_map_end(k, buf);
    return buf;
}

/* Element i of the state after this step's decay. */
static kval decayed(const struct column *c, kval i, kval *out_index)
{
    struct kernel *k = c->l->kernel;
    kval s = of_state(c, i, out_index);
    if (!c->p->gated)
        return s;
    kval at = c->p->decay_per_head
                  ? c->head
                  : kernel_binary(k, KOP_ADD, ops_mul_const(k, c->head, c->p->size), i);
    kval idx[3] = {c->batch, c->step, at};
    return kernel_binary(k, KOP_MUL, kernel_load(k, c->decay, idx), s);
}

static void copy_state(const struct column *c, bool begin)
{
    struct kernel *k = c->l->kernel;
    kval size = kernel_const_index(k, c->p->size), i, at[4];
    if (!begin && !ops_has_output(c->l->node, PRESENT))
        return;
    kernel_map_begin(k, 1, &size, &i);
    kval outer[4] = {c->batch, c->head, i, c->column}, v = 0;
    if (!begin) {
        v = of_state(c, i, at);
        ops_store(k, c->l->out[PRESENT], outer, v);
    } else {
        v = ops_has_input(c->l->node, PAST) ? ops_load(k, c->l->in[PAST], outer)
                                            : kernel_const(k, DTYPE_F32, 0);
        kval own[4] = {c->batch, c->head, c->column, i};
        kernel_store(k, c->state, own, v);
    }
    kernel_map_end(k);
}

/* Sum over i of the state, decayed or as it stands, times the key or the query of `head`. */
static kval state_times(const struct column *c, bool decay, size_t input, kval head)
{
    struct kernel *k = c->l->kernel;
    int lanes = ops_reduce_lanes(&k->bufs[c->state], 3);
    kval size = kernel_const_index(k, c->p->size), zero = kernel_const(k, DTYPE_F32, 0), i, at[4];
    kval sum;
    kernel_reduce_begin(k, KCOMBINE_ADD, lanes, 1, &size, 1, &zero, &i);
    kval s = decay ? decayed(c, i, at) : of_state(c, i, at);
    kval v = kernel_binary(k, KOP_MUL, s, of_input(c, input, head, c->p->size, i));
    kernel_reduce_end(k, &v, &sum);
    return sum;
}

static void update(const struct column *c)
{
    struct kernel *k = c->l->kernel;
    const struct linear *p = c->p;
    kval size = kernel_const_index(k, p->size), i, at[4];
    kval u = of_input(c, VALUE, c->head, p->columns, c->column);
    if (p->delta) {
        u = kernel_binary(k, KOP_SUB, u, state_times(c, true, KEY, c->head));
        kval beta = of_input(c, BETA, p->beta_shared ? kernel_const_index(k, 0) : c->head, 1, 0);
        u = kernel_binary(k, KOP_MUL, beta, u);
    }
    kernel_map_begin(k, 1, &size, &i);
    kval s = decayed(c, i, at);
    kval added = kernel_binary(k, KOP_MUL, of_input(c, KEY, c->head, p->size, i), u);
    kernel_store(k, c->state, at, kernel_binary(k, KOP_ADD, s, added));
    kernel_map_end(k);
}

static void store_results(const struct column *c)
{
    struct kernel *k = c->l->kernel;
    const struct linear *p = c->p;
    kval group = kernel_const_index(k, p->group), in_group;
    kernel_map_begin(k, 1, &group, &in_group);
    kval head = kernel_binary(k, KOP_ADD, ops_mul_const(k, c->head, p->group), in_group);
    kval scale = kernel_const(k, DTYPE_F32, (double)p->scale);
    kval y = kernel_binary(k, KOP_MUL, scale, state_times(c, false, QUERY, head));
    kval out[3] = {c->batch, c->step,
                   kernel_binary(k, KOP_ADD, ops_mul_const(k, head, p->columns), c->column)};
    ops_store(k, c->l->out[Y], out, y);
    kernel_map_end(k);
}

void linear_attention_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    struct linear p;
    plan(l->node, &p, NULL);
    struct column c = {.l = l, .p = &p, .decay = decay_factors(l, &p)};
    int64_t dims[4] = {p.batch, p.heads, p.columns, p.size};
    c.state = kernel_add_buf(k, "state", DTYPE_F32, KBUF_LOCAL, 4, dims);
    kval extent[3], idx[3];
    for (int d = 0; d < 3; d++)
        extent[d] = kernel_const_index(k, dims[d]);
    kernel_map_begin(k, 3, extent, idx);
    c.batch = idx[0];
    c.head = idx[1];
    c.column = idx[2];
    copy_state(&c, true);
    kernel_loop_begin(k, kernel_const_index(k, p.steps), 0, NULL, &c.step, NULL);
    update(&c);
    store_results(&c);
    kernel_loop_end(k, NULL, NULL);
    copy_state(&c, false);
    kernel_map_end(k);
}
