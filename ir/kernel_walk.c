/*
 * kernel_walk.c: going through a kernel, and what can be told of a value from its definition.
 */
#include "ir/kernel.h"

#include <assert.h>

#include "ir/kernel_raw.h"

int kernel_raw_blocks(const struct kernel *k, kval region, struct kblock **out)
{
    const struct kinst *i = kernel_inst(k, region);
    struct kregion *r = i->region;
    int n = 0;
    if (i->op == KOP_CONTRACT) {
        if (r->contract->a.prologue.n)
            out[n++] = &r->contract->a.prologue;
        if (r->contract->b.prologue.n)
            out[n++] = &r->contract->b.prologue;
    }
    out[n++] = &r->block[0];
    if (i->op == KOP_IF || i->op == KOP_SCAN || i->op == KOP_SORT ||
        (i->op == KOP_REDUCE && r->combine == KCOMBINE_BLOCK))
        out[n++] = &r->block[1];
    if (i->op == KOP_SORT)
        out[n++] = &r->block[2];
    return n;
}

int kernel_raw_n_results(const struct kernel *k, kval region)
{
    const struct kinst *i = kernel_inst(k, region);
    switch (i->op) {
    case KOP_LOOP:
    case KOP_REDUCE:
    case KOP_SCAN:
        return i->n_args;
    case KOP_IF: {
        const struct kblock *b = &i->region->block[0];
        const struct kinst *last = b->n ? kernel_inst(k, b->insts[b->n - 1]) : NULL;
        return last && last->op == KOP_YIELD ? last->n_args : 0;
    }
    default:
        return 0;
    }
}

static void each_operand_use(struct koperand *o, int rank, void (*fn)(kval *use, void *arg),
                             void *arg)
{
    for (int d = 0; d < rank; d++)
        for (int t = 0; t < o->dim[d].n_terms; t++)
            fn(&o->dim[d].term[t].var, arg);
    if (o->pad)
        fn(&o->pad, arg);
}

void kernel_raw_each_use(const struct kernel *k, kval v, void (*fn)(kval *use, void *arg),
                         void *arg)
{
    const struct kinst *i = kernel_inst(k, v);
    for (int a = 0; a < i->n_args; a++)
        fn(&i->args[a], arg);
    if (!i->region)
        return;
    for (int d = 0; d < i->region->n_dims; d++)
        fn(&i->region->extent[d], arg);
    struct kcontract *c = i->region->contract;
    if (c) {
        each_operand_use(&c->a, k->bufs[c->a.buf].rank, fn, arg);
        each_operand_use(&c->b, k->bufs[c->b.buf].rank, fn, arg);
    }
}

void kernel_raw_each_use_within(const struct kernel *k, kval v, void (*fn)(kval *use, void *arg),
                                void *arg)
{
    kernel_raw_each_use(k, v, fn, arg);
    if (!kernel_inst(k, v)->region)
        return;
    struct kblock *blocks[KREGION_MAX_BLOCKS];
    int n = kernel_raw_blocks(k, v, blocks);
    for (int b = 0; b < n; b++)
        for (size_t i = 0; i < blocks[b]->n; i++)
            kernel_raw_each_use_within(k, blocks[b]->insts[i], fn, arg);
}

static bool walk_block(const struct kernel *k, const struct kblock *b,
                       bool (*fn)(const struct kernel *, kval, void *), void *arg)
{
    for (size_t i = 0; i < b->n; i++) {
        kval v = b->insts[i];
        if (!fn(k, v, arg))
            return false;
        if (!kernel_inst(k, v)->region)
            continue;
        struct kblock *blocks[KREGION_MAX_BLOCKS];
        int n = kernel_raw_blocks(k, v, blocks);
        for (int j = 0; j < n; j++)
            if (!walk_block(k, blocks[j], fn, arg))
                return false;
    }
    return true;
}

bool kernel_walk(const struct kernel *k, bool (*fn)(const struct kernel *, kval, void *), void *arg)
{
    return walk_block(k, &k->body, fn, arg);
}

static bool is_no_contract(const struct kernel *k, kval v, void *arg)
{
    kval *found = arg;
    if (kernel_inst(k, v)->op == KOP_CONTRACT)
        *found = v;
    return *found == 0;
}

kval kernel_find_contract(const struct kernel *k)
{
    kval found = 0;
    kernel_walk(k, is_no_contract, &found);
    return found;
}

bool kernel_has_region(const struct kernel *k, const struct kblock *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (kernel_inst(k, b->insts[i])->region)
            return true;
    return false;
}

kval kernel_only_region(const struct kernel *k)
{
    kval found = 0;
    for (size_t i = 0; i < k->body.n; i++) {
        const struct kinst *in = kernel_inst(k, k->body.insts[i]);
        if (in->op == KOP_STORE || in->op == KOP_EXTERN || (in->region && found))
            return 0;
        if (in->region)
            found = k->body.insts[i];
    }
    return found;
}

/* ---- values ---- */

bool kernel_is_const_int(const struct kernel *k, kval v, int64_t *out_value)
{
    const struct kinst *i = kernel_inst(k, v);
    if (i->op != KOP_CONST || dtype_is_float(i->type))
        return false;
    *out_value = i->imm.i;
    return true;
}

/* a += b * factor; false where there would be too many terms. */
static bool add_scaled(struct kaffine *a, const struct kaffine *b, int64_t factor)
{
    a->offset = (int64_t)((uint64_t)a->offset + (uint64_t)b->offset * (uint64_t)factor);
    for (int t = 0; t < b->n_terms; t++) {
        bool known = false;
        for (int s = 0; s < a->n_terms; s++)
            known |= a->term[s].var == b->term[t].var;
        if (!known && a->n_terms == KAFFINE_MAX_TERMS)
            return false;
        kaffine_add(a, b->term[t].var, (int64_t)((uint64_t)b->term[t].coef * (uint64_t)factor));
    }
    return true;
}

bool kernel_affine_of(const struct kernel *k, kval v, struct kaffine *out_affine)
{
    const struct kinst *i = kernel_inst(k, v);
    struct kaffine a, b, r;
    int64_t factor;
    if (i->type != DTYPE_I64)
        return false;
    switch (i->op) {
    case KOP_CONST:
        *out_affine = kaffine_const(i->imm.i);
        return true;
    case KOP_INDEX:
        *out_affine = kaffine_var(v, 1, 0);
        return true;
    case KOP_NEG:
        r = kaffine_const(0);
        if (!kernel_affine_of(k, i->args[0], &a) || !add_scaled(&r, &a, -1))
            return false;
        break;
    case KOP_ADD:
    case KOP_SUB:
        if (!kernel_affine_of(k, i->args[0], &r) || !kernel_affine_of(k, i->args[1], &b) ||
            !add_scaled(&r, &b, i->op == KOP_ADD ? 1 : -1))
            return false;
        break;
    case KOP_MUL:
    case KOP_SHL:
        if (!kernel_affine_of(k, i->args[0], &a) || !kernel_affine_of(k, i->args[1], &b))
            return false;
        if (i->op == KOP_MUL && a.n_terms == 0) {
            r = a;
            a = b;
            b = r;
        }
        if (b.n_terms)
            return false;
        factor = i->op == KOP_MUL ? b.offset : (int64_t)(UINT64_C(1) << (b.offset & 63));
        r = kaffine_const(0);
        if (!add_scaled(&r, &a, factor))
            return false;
        break;
    default:
        return false;
    }
    *out_affine = r;
    return true;
}

/* ---- substitution ---- */

static kval chase(const kval *subst, kval v)
{
    while (subst[v])
        v = subst[v];
    return v;
}

static void substitute_affine(const struct kernel *k, struct kaffine *a, const kval *subst)
{
    struct kaffine r = kaffine_const(a->offset);
    for (int t = 0; t < a->n_terms; t++) {
        kval v = chase(subst, a->term[t].var);
        int64_t c;
        if (kernel_is_const_int(k, v, &c))
            r.offset += c * a->term[t].coef;
        else
            kaffine_add(&r, v, a->term[t].coef);
    }
    *a = r;
}

static bool substitute_inst(const struct kernel *k, kval v, void *arg)
{
    const kval *subst = arg;
    struct kinst *i = kernel_inst(k, v);
    for (int a = 0; a < i->n_args; a++)
        i->args[a] = chase(subst, i->args[a]);
    if (!i->region)
        return true;
    for (int d = 0; d < i->region->n_dims; d++)
        i->region->extent[d] = chase(subst, i->region->extent[d]);
    struct kcontract *c = i->region->contract;
    if (!c)
        return true;
    struct koperand *operands[2] = {&c->a, &c->b};
    for (int o = 0; o < 2; o++) {
        for (int d = 0; d < k->bufs[operands[o]->buf].rank; d++)
            substitute_affine(k, &operands[o]->dim[d], subst);
        if (operands[o]->pad)
            operands[o]->pad = chase(subst, operands[o]->pad);
    }
    return true;
}

void kernel_raw_substitute(struct kernel *k, const kval *subst)
{
    kernel_walk(k, substitute_inst, (void *)subst);
}

int64_t kaffine_coef(const struct kaffine *a, kval var)
{
    for (int i = 0; i < a->n_terms; i++)
        if (a->term[i].var == var)
            return a->term[i].coef;
    return 0;
}

bool kaffine_reach(int64_t coef, int64_t extent, int64_t *least, int64_t *most)
{
    int64_t reach;
    if (__builtin_mul_overflow(coef, extent - 1, &reach))
        return false;
    int64_t *end = reach < 0 ? least : most;
    return !__builtin_add_overflow(*end, reach, end);
}

int kregion_index_of(const struct kregion *r, kval v)
{
    for (int d = 0; d < r->n_dims; d++)
        if (r->index[d] == v)
            return d;
    return -1;
}

int64_t kernel_static_extent(const struct kernel *k, const struct kregion *r, int d)
{
    int64_t n = 0;
    kernel_is_const_int(k, r->extent[d], &n);
    return n;
}

/* The greatest bound of the dimensions whose extent lies in the buffer. */
static int64_t bound_in(const struct kernel *k, int buf)
{
    int64_t most = -1;
    for (size_t b = 0; b < k->n_bufs; b++)
        for (int d = 0; d < k->bufs[b].rank; d++)
            if (k->bufs[b].extent_buf[d] == buf && k->bufs[b].dims[d] > most)
                most = k->bufs[b].dims[d];
    return most;
}

int64_t kernel_extent_bound(const struct kernel *k, kval extent)
{
    const struct kinst *in = kernel_inst(k, extent);
    int64_t n;
    if (kernel_is_const_int(k, extent, &n))
        return n > 0 ? n : 0;
    if (in->op == KOP_LOAD)
        return bound_in(k, in->buf);
    if (in->op != KOP_MIN && in->op != KOP_MAX)
        return -1;
    int64_t a = kernel_extent_bound(k, in->args[0]), b = kernel_extent_bound(k, in->args[1]);
    if (in->op == KOP_MIN && (a < 0 || b < 0))
        return a > b ? a : b;
    if (a < 0 || b < 0)
        return -1;
    return (in->op == KOP_MIN) == (a < b) ? a : b;
}

bool kernel_affine_range(const struct kernel *k, const struct kregion *r, const struct kaffine *a,
                         int64_t *out_least, int64_t *out_most)
{
    int64_t least = a->offset, most = a->offset;
    for (int t = 0; t < a->n_terms; t++) {
        int d = kregion_index_of(r, a->term[t].var);
        int64_t extent = d < 0 ? 0 : kernel_static_extent(k, r, d);
        if (extent <= 0 || !kaffine_reach(a->term[t].coef, extent, &least, &most))
            return false;
    }
    *out_least = least;
    *out_most = most;
    return true;
}
