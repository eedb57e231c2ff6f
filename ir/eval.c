/*
 * eval.c: runs blocks and regions; see eval_internal.h for how.
 */
#include "ir/eval.h"

#include <assert.h>
#include <string.h>

#include "ir/eval_internal.h"

/* A map of fewer points than this is run point by point where that lets an inner map use lanes. */
enum { MIN_LOCKSTEP_POINTS = 8 };

const struct kinst *eval_yield(const struct eval *e, const struct kblock *b)
{
    const struct kinst *y = kernel_inst(e->k, b->insts[b->n - 1]);
    assert(y->op == KOP_YIELD);
    return y;
}

void eval_fill(union lanes *s, int64_t value)
{
    for (int l = 0; l < EVAL_LANES; l++)
        s->i[l] = value;
}

void eval_broadcast(struct eval *e, kval region)
{
    const struct eval_captures *c = &e->captures[region];
    for (size_t i = 0; i < c->n; i++) {
        union lanes *s = e->slot[c->v[i]];
        enum dtype t = kernel_inst(e->k, c->v[i])->type;
        if (dtype_is_float(t) && t != DTYPE_F64) {
            for (int l = 1; l < EVAL_LANES; l++)
                s->f[l] = s->f[0];
        } else {
            for (int l = 1; l < EVAL_LANES; l++)
                s->i[l] = s->i[0];
        }
    }
}

void eval_fill_indices(struct eval *e, int n_dims, const kval *index, const int64_t *extent,
                       int64_t start, int n)
{
    int64_t run = 1; /* points over which an index stays the same */
    for (int d = n_dims - 1; d >= 0; d--) {
        int64_t *x = e->slot[index[d]]->i;
        int64_t at = start / run % extent[d], left = run - start % run;
        for (int l = 0; l < n; l++) {
            x[l] = at;
            if (--left == 0) {
                left = run;
                at = at + 1 == extent[d] ? 0 : at + 1;
            }
        }
        run *= extent[d];
    }
}

/* ---- regions ---- */

static int64_t read_extents(const struct eval *e, const struct kregion *r, int64_t *out)
{
    int64_t points = 1;
    for (int d = 0; d < r->n_dims; d++) {
        int64_t x = e->slot[r->extent[d]]->i[0];
        out[d] = x > 0 ? x : 0;
        points *= out[d];
    }
    return points;
}

/* Steps the indices, the same in all lanes, to the next point in row-major order. */
static void next_point(struct eval *e, const struct kregion *r, const int64_t *extent)
{
    for (int d = r->n_dims - 1; d >= 0; d--) {
        union lanes *x = e->slot[r->index[d]];
        int64_t at = x->i[0] + 1;
        eval_fill(x, at < extent[d] ? at : 0);
        if (at < extent[d])
            return;
    }
}

static void first_point(struct eval *e, const struct kregion *r)
{
    for (int d = 0; d < r->n_dims; d++)
        eval_fill(e->slot[r->index[d]], 0);
}

static void run_map(struct eval *e, kval v, int n)
{
    const struct kregion *r = kernel_inst(e->k, v)->region;
    int64_t extent[KREGION_MAX_DIMS];
    int64_t points = read_extents(e, r, extent);
    if (n == 1 && e->lockstep[v] && points >= MIN_LOCKSTEP_POINTS) {
        eval_broadcast(e, v);
        for (int64_t p = 0; p < points; p += EVAL_LANES) {
            int count = points - p < EVAL_LANES ? (int)(points - p) : EVAL_LANES;
            eval_fill_indices(e, r->n_dims, r->index, extent, p, count);
            eval_block(e, &r->block[0], count);
        }
        return;
    }
    first_point(e, r);
    for (int64_t p = 0; p < points; p++) {
        eval_block(e, &r->block[0], n);
        next_point(e, r, extent);
    }
}

static void copy_values(struct eval *e, const struct kinst *region, union lanes *to,
                        const union lanes *from, int n)
{
    for (int i = 0; i < region->n_args; i++)
        eval_copy(kernel_inst(e->k, region->args[i])->type, &to[i], &from[i], n);
}

static void run_loop(struct eval *e, kval v, int n)
{
    const struct kinst *i = kernel_inst(e->k, v);
    const struct kregion *r = i->region;
    const struct kblock *b = &r->block[0];
    union lanes *carried = e->slot[v]; /* between rounds: what the next one starts with */
    int64_t extent;
    int64_t rounds = read_extents(e, r, &extent);
    for (int a = 0; a < i->n_args; a++)
        eval_copy(kernel_inst(e->k, i->args[a])->type, &carried[a], e->slot[i->args[a]], n);
    first_point(e, r);
    for (int64_t k = 0; k < rounds; k++) {
        for (int a = 0; a < i->n_args; a++)
            eval_copy(kernel_inst(e->k, i->args[a])->type, e->slot[b->param[a]], &carried[a], n);
        eval_block(e, b, n);
        if (i->n_args) {
            const struct kinst *y = eval_yield(e, b);
            for (int a = 0; a < i->n_args; a++)
                eval_copy(kernel_inst(e->k, i->args[a])->type, &carried[a], e->slot[y->args[a]], n);
        }
        next_point(e, r, &extent);
    }
}

static enum kop combine_op(enum kcombine c)
{
    static const enum kop op[] = {KOP_ADD, KOP_MUL, KOP_MIN, KOP_MAX, KOP_AND, KOP_OR};
    return op[c];
}

/* so_far = combine(so_far, element), element[i] being values anywhere. */
static void combine(struct eval *e, const struct kinst *i, union lanes *so_far,
                    const union lanes *const *element, int n)
{
    const struct kregion *r = i->region;
    if (r->combine != KCOMBINE_BLOCK) {
        for (int a = 0; a < i->n_args; a++)
            eval_binary(combine_op(r->combine), kernel_inst(e->k, i->args[a])->type, &so_far[a],
                        &so_far[a], element[a], n);
        return;
    }
    const struct kblock *b = &r->block[1];
    for (int a = 0; a < i->n_args; a++) {
        enum dtype t = kernel_inst(e->k, i->args[a])->type;
        eval_copy(t, e->slot[b->param[a]], &so_far[a], n);
        eval_copy(t, e->slot[b->param[i->n_args + a]], element[a], n);
    }
    eval_block(e, b, n);
    const struct kinst *y = eval_yield(e, b);
    for (int a = 0; a < i->n_args; a++)
        eval_copy(kernel_inst(e->k, i->args[a])->type, &so_far[a], e->slot[y->args[a]], n);
}

static void combine_yield(struct eval *e, const struct kinst *i, union lanes *so_far, int n)
{
    const struct kinst *y = eval_yield(e, &i->region->block[0]);
    const union lanes *element[KREGION_MAX_VALUES];
    for (int a = 0; a < i->n_args; a++)
        element[a] = e->slot[y->args[a]];
    combine(e, i, so_far, element, n);
}

static void run_reduce(struct eval *e, kval v, int n)
{
    const struct kinst *i = kernel_inst(e->k, v);
    const struct kregion *r = i->region;
    union lanes *partial = e->partial[v];
    int64_t extent[KREGION_MAX_DIMS];
    int64_t points = read_extents(e, r, extent);
    for (int p = 0; p < r->lanes; p++)
        for (int a = 0; a < i->n_args; a++)
            eval_copy(kernel_inst(e->k, i->args[a])->type, &partial[p * i->n_args + a],
                      e->slot[i->args[a]], n);
    first_point(e, r);
    for (int64_t p = 0; p < points; p++) {
        eval_block(e, &r->block[0], n);
        combine_yield(e, i, &partial[p % r->lanes * i->n_args], n);
        next_point(e, r, extent);
    }
    for (int half = r->lanes / 2; half > 0; half /= 2) {
        for (int p = 0; p < half; p++) {
            const union lanes *other[KREGION_MAX_VALUES];
            for (int a = 0; a < i->n_args; a++)
                other[a] = &partial[(p + half) * i->n_args + a];
            combine(e, i, &partial[p * i->n_args], other, n);
        }
    }
    copy_values(e, i, e->slot[v], partial, n);
}

static void run_scan(struct eval *e, kval v, int n)
{
    const struct kinst *i = kernel_inst(e->k, v);
    const struct kregion *r = i->region;
    union lanes *prefix = e->partial[v];
    int64_t extent;
    int64_t points = read_extents(e, r, &extent);
    for (int a = 0; a < i->n_args; a++)
        eval_copy(kernel_inst(e->k, i->args[a])->type, &prefix[a], e->slot[i->args[a]], n);
    first_point(e, r);
    for (int64_t p = 0; p < points; p++) {
        eval_block(e, &r->block[0], n);
        for (int a = 0; a < i->n_args; a++)
            eval_copy(kernel_inst(e->k, i->args[a])->type, e->slot[r->block[1].param[a]],
                      &prefix[a], n);
        eval_block(e, &r->block[1], n);
        combine_yield(e, i, prefix, n);
        next_point(e, r, &extent);
    }
    copy_values(e, i, e->slot[v], prefix, n);
}

static void run_if(struct eval *e, kval v, int n)
{
    const struct kinst *i = kernel_inst(e->k, v);
    assert(n == 1);
    const struct kblock *b = &i->region->block[e->slot[i->args[0]]->i[0] ? 0 : 1];
    eval_block(e, b, n);
    if (i->type == DTYPE_NONE)
        return;
    const struct kinst *y = eval_yield(e, b);
    for (int a = 0; a < y->n_args; a++)
        eval_copy(kernel_inst(e->k, y->args[a])->type, &e->slot[v][a], e->slot[y->args[a]], n);
}

/* ---- blocks ---- */

static void run_inst(struct eval *e, kval v, int n)
{
    const struct kinst *i = kernel_inst(e->k, v);
    union lanes *out = e->slot[v];
    const union lanes *a = i->n_args > 0 ? e->slot[i->args[0]] : NULL;
    const union lanes *b = i->n_args > 1 ? e->slot[i->args[1]] : NULL;
    switch (kop_kind(i->op)) {
    case KOP_KIND_UNARY:
        eval_unary(i->op, i->type, out, a, n);
        return;
    case KOP_KIND_BINARY:
        eval_binary(i->op, i->type, out, a, b, n);
        return;
    case KOP_KIND_COMPARE:
        eval_compare(i->op, kernel_inst(e->k, i->args[0])->type, out, a, b, n);
        return;
    default:
        break;
    }
    switch (i->op) {
    case KOP_LOAD:
        eval_load(e, v, n);
        break;
    case KOP_LOAD_OR:
        eval_load_or(e, v, n);
        break;
    case KOP_STORE:
        eval_store(e, v, n);
        break;
    case KOP_SELECT:
        eval_select(i->type, out, a, b, e->slot[i->args[2]], n);
        break;
    case KOP_CAST:
        eval_cast(i->type, kernel_inst(e->k, i->args[0])->type, out, a, n);
        break;
    case KOP_BITCAST:
        eval_bitcast(i->type, kernel_inst(e->k, i->args[0])->type, out, a, n);
        break;
    case KOP_MAP:
        run_map(e, v, n);
        break;
    case KOP_LOOP:
        run_loop(e, v, n);
        break;
    case KOP_REDUCE:
        run_reduce(e, v, n);
        break;
    case KOP_SCAN:
        run_scan(e, v, n);
        break;
    case KOP_SORT:
        assert(n == 1);
        eval_sort(e, v);
        break;
    case KOP_IF:
        run_if(e, v, n);
        break;
    case KOP_CONTRACT:
        assert(n == 1);
        eval_contract(e, v);
        break;
    case KOP_EXTERN:
        eval_extern(e, i->call);
        break;
    default: /* constants have their slots, results share the region's, yields are read by it */
        break;
    }
}

void eval_block(struct eval *e, const struct kblock *b, int n)
{
    for (size_t i = 0; i < b->n; i++)
        run_inst(e, b->insts[i], n);
}

void eval_kernel(const struct kernel *k, void *const *data, struct arena *scratch,
                 const struct eval_options *opt)
{
    struct eval e = {.k = k, .opt = opt, .scratch = scratch};
    eval_prepare(&e, data);
    eval_block(&e, &k->body, 1);
}
