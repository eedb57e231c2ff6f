/*
 * kernel_simplify.c: folds what is known at compile time, then removes what nothing uses.
 *
 * One walk in order, so that operands are folded before their uses.  Beyond arithmetic on constants
 * it knows elements of constant buffers, tests of constants, accesses that cannot leave their
 * buffer (load_or becomes load, a padded operand loses its padding).  Elements are taken from
 * constants of one element only: scales, bounds and zero points.  Larger tables stay data, or
 * kernels of equal shape would cease to be equal.
 */
#include "ir/kernel.h"

#include <assert.h>
#include <string.h>

#include "ir/kernel_fold.h"
#include "ir/kernel_raw.h"

struct simplify {
    struct kernel *k;
    kval *subst;  /* by kval: what it equals, else 0 */
    kval *extent; /* by kval of an index */
    bool changed;
};

static void resolve(kval *use, void *arg)
{
    struct simplify *s = arg;
    while (s->subst[*use])
        *use = s->subst[*use];
}

/* Whether offset + sum of coef * index stays in 0 .. extent-1 for constant extents of the indices.
 */
static bool stays_inside(const struct simplify *s, const struct kaffine *a, int64_t extent)
{
    int64_t lo = a->offset, hi = a->offset;
    for (int t = 0; t < a->n_terms; t++) {
        int64_t n;
        kval e = s->extent[a->term[t].var];
        if (!e || !kernel_is_const_int(s->k, e, &n) || n <= 0 ||
            !kaffine_reach(a->term[t].coef, n, &lo, &hi))
            return false;
    }
    return lo >= 0 && hi < extent;
}

static void simplify_operand(struct simplify *s, struct koperand *o)
{
    const struct kbuf *b = &s->k->bufs[o->buf];
    if (!o->padded)
        return;
    for (int d = 0; d < b->rank; d++)
        if (b->extent_buf[d] >= 0 || !stays_inside(s, &o->dim[d], b->dims[d]))
            return;
    o->padded = false;
    o->pad = 0;
    s->changed = true;
}

static void simplify_load(struct simplify *s, kval v)
{
    struct kinst *i = kernel_inst(s->k, v);
    const struct kbuf *b = &s->k->bufs[i->buf];
    bool inside = true;
    for (int d = 0; d < b->rank; d++) {
        struct kaffine a;
        inside = inside && b->extent_buf[d] < 0 && kernel_affine_of(s->k, i->args[d], &a) &&
                 stays_inside(s, &a, b->dims[d]);
    }
    if (i->op == KOP_LOAD_OR && inside) {
        i->op = KOP_LOAD;
        i->n_args = b->rank;
        s->changed = true;
    }
    if (i->op == KOP_LOAD && inside && b->constant && b->constant->data &&
        tensor_elems(b->constant) == 1) {
        kernel_raw_set_const(s->k, v, kscalar_read(b->dtype, b->constant->data, 0));
        s->changed = true;
    }
}

/* An `if` whose condition is known makes room for the block that runs; returns its value in place
   of the region's, and where the results of several go. */
static void inline_if(struct simplify *s, struct kblock *b, size_t at)
{
    struct kernel *k = s->k;
    kval v = b->insts[at];
    int64_t c;
    kernel_is_const_int(k, kernel_inst(k, v)->args[0], &c);
    struct kblock taken = kernel_inst(k, v)->region->block[c ? 0 : 1];
    int n_results = kernel_raw_n_results(k, v);
    if (n_results) {
        const struct kinst *y = kernel_inst(k, taken.insts[--taken.n]);
        if (n_results == 1)
            s->subst[v] = y->args[0];
        for (size_t j = 1; j < k->n_insts && n_results > 1; j++) {
            const struct kinst *r = kernel_inst(k, (kval)j);
            if (r->op == KOP_RESULT && r->args[0] == v)
                s->subst[j] = y->args[r->imm.i];
        }
    }
    /* The results of several values stand after the region: they go with it. */
    size_t n = 0;
    kval *insts = arena_array(k->arena, b->n + taken.n, sizeof *insts);
    for (size_t j = 0; j < b->n; j++) {
        const struct kinst *r = kernel_inst(k, b->insts[j]);
        if (j == at) {
            for (size_t t = 0; t < taken.n; t++)
                insts[n++] = taken.insts[t];
        } else if (r->op != KOP_RESULT || r->args[0] != v) {
            insts[n++] = b->insts[j];
        }
    }
    b->insts = insts;
    b->n = n;
    b->cap = n;
    s->changed = true;
}

static void simplify_block(struct simplify *s, struct kblock *b);

static void simplify_region(struct simplify *s, kval v)
{
    struct kregion *r = kernel_inst(s->k, v)->region;
    for (int d = 0; d < r->n_dims; d++)
        s->extent[r->index[d]] = r->extent[d];
    if (r->contract) {
        simplify_operand(s, &r->contract->a);
        simplify_operand(s, &r->contract->b);
    }
    struct kblock *blocks[KREGION_MAX_BLOCKS];
    int n = kernel_raw_blocks(s->k, v, blocks);
    for (int j = 0; j < n; j++)
        simplify_block(s, blocks[j]);
}

static void simplify_block(struct simplify *s, struct kblock *b)
{
    struct kernel *k = s->k;
    for (size_t j = 0; j < b->n; j++) {
        kval v = b->insts[j];
        struct kinst *i = kernel_inst(k, v);
        int64_t c;
        kernel_raw_each_use(k, v, resolve, s);
        if (i->op == KOP_IF && kernel_is_const_int(k, i->args[0], &c)) {
            inline_if(s, b, j);
            j--; /* goes on with the first of the instructions that took its place */
            continue;
        }
        if (i->region) {
            simplify_region(s, v);
            continue;
        }
        if (i->op == KOP_LOAD || i->op == KOP_LOAD_OR) {
            simplify_load(s, v);
            continue;
        }
        if (i->op == KOP_CONST || i->type == DTYPE_NONE || i->op == KOP_RESULT)
            continue;
        struct kernel_fold f = kernel_raw_fold(k, i->op, i->type, i->n_args, i->args);
        if (f.same)
            s->subst[v] = f.same; /* the instruction goes with the unused ones */
        else if (f.is_const)
            kernel_raw_set_const(k, v, f.value);
        s->changed |= f.same || f.is_const;
    }
}

bool kernel_simplify(struct kernel *k)
{
    struct arena scratch;
    arena_init(&scratch);
    struct simplify s = {.k = k,
                         .subst = arena_array(&scratch, k->n_insts, sizeof(kval)),
                         .extent = arena_array(&scratch, k->n_insts, sizeof(kval))};
    simplify_block(&s, &k->body);
    kernel_raw_substitute(k, s.subst);
    arena_done(&scratch);
    bool removed = kernel_raw_drop_dead(k);
    return s.changed || removed;
}
