/*
 * kernel_collapse.c: one index in place of two, so that a machine with long vectors finds one long
 * index where the images are small.
 *
 *     map (c < 512, y < 7, x < 7) { .. load a[0, c, y, x] .. }
 *     map (i < 25088) { .. load a[0, 0, 0, i] .. }
 *
 * Indices (outer, inner) of a map, a reduction or a contraction become one where a step of `outer`
 * is as far as extent(inner) steps of `inner` in every access that has them.  In one dimension of a
 * buffer that shows by the coefficients.  Where the two run over different dimensions, these become
 * one as well, if they follow each other in memory: dimension (d, e) of extents (D, E) becomes
 * (1, D * E), the access (i, j) becomes (0, E * i + j).  The rank and the layout stay, so that the
 * buffer is the same bytes for whoever does not know of it.
 *
 * All other accesses to such a buffer follow: they are affine there, and where an index outside
 * gives another value, e must be known to be inside, or an index that leaves it would be one of
 * the next row.  Those of a store and of an operand become one index too, for the order of loops
 * and tiles is made of theirs; a load may keep two.  A constant operand stays as it is: targets
 * pack it by the dimensions of the tensor.
 *
 * Indices that are used as numbers stay.  So do, of a reduction, those that are not neighbours, for
 * the order of its elements is part of its meaning.  Indices of one value go first.
 *
 * Precondition: none.  Accesses are read once, changed as affine forms, and written back at the
 * end; the instructions that only led to the old ones go.
 */
#include <string.h>

#include "ir/kernel.h"
#include "ir/kernel_raw.h"

struct access {
    kval inst;
    struct koperand *operand; /* of a contraction; NULL: a load or a store */
    int buf;
    bool may_leave; /* outside of the buffer it gives another value */
    bool affine[MAX_RANK];
    struct kaffine dim[MAX_RANK];
};

/* Two indices of a region, two dimensions of a buffer. */
struct index_pair {
    struct kregion *region;
    kval outer, inner;
};

struct dim_pair {
    int buf, outer, inner;
};

/* What has to become one together. */
enum { MAX_PAIRS = 64 };
struct attempt {
    struct index_pair index[MAX_PAIRS];
    struct dim_pair dim[MAX_PAIRS];
    int n_index, n_dim;
};

struct collapse {
    struct kernel *k;
    struct arena *scratch;
    struct access *access;
    size_t n, cap;
    kval *region_of;   /* by kval of an index */
    bool *is_number;   /* by kval of an index: used for more than accesses */
    bool *is_constant; /* by buffer: a constant operand */
    struct index_pair *failed;
    size_t n_failed, cap_failed;
};

/* ---- what the kernel accesses ---- */

static void note_number(kval *use, void *arg)
{
    struct collapse *c = arg;
    struct kaffine a;
    if (!kernel_affine_of(c->k, *use, &a))
        return;
    for (int t = 0; t < a.n_terms; t++)
        c->is_number[a.term[t].var] = true;
}

static struct access *add_access(struct collapse *c, kval v, int buf, bool may_leave)
{
    struct access *a = &ARENA_PUSH(c->scratch, c->access, c->n, c->cap);
    *a = (struct access){.inst = v, .buf = buf, .may_leave = may_leave};
    return a;
}

static void read_operand(struct collapse *c, kval v, struct koperand *o)
{
    struct access *a = add_access(c, v, o->buf, o->padded);
    a->operand = o;
    for (int d = 0; d < c->k->bufs[o->buf].rank; d++) {
        a->affine[d] = true;
        a->dim[d] = o->dim[d];
    }
    if (o->pad)
        note_number(&o->pad, c);
    if (c->k->bufs[o->buf].constant)
        c->is_constant[o->buf] = true;
}

static bool read_inst(const struct kernel *k, kval v, void *arg)
{
    struct collapse *c = arg;
    struct kinst *in = kernel_inst(k, v);
    struct kaffine whole;
    if (in->op == KOP_LOAD || in->op == KOP_LOAD_OR || in->op == KOP_STORE) {
        struct access *a = add_access(c, v, in->buf, in->op == KOP_LOAD_OR);
        int rank = k->bufs[in->buf].rank;
        for (int d = 0; d < rank; d++)
            a->affine[d] = kernel_affine_of(k, in->args[d], &a->dim[d]);
        for (int i = rank; i < in->n_args; i++)
            note_number(&in->args[i], c);
        return true;
    }
    if (in->op == KOP_CONTRACT) {
        read_operand(c, v, &in->region->contract->a);
        read_operand(c, v, &in->region->contract->b);
    } else if (in->region || !kernel_affine_of(k, v, &whole)) {
        kernel_raw_each_use(k, v, note_number, c);
    }
    for (int d = 0; in->region && d < in->region->n_dims; d++)
        c->region_of[in->region->index[d]] = v;
    return true;
}

/* ---- indices of one value ---- */

static bool can_collapse(enum kop op)
{
    return op == KOP_MAP || op == KOP_REDUCE || op == KOP_CONTRACT;
}

/* A region keeps an index, a contraction one of each kind that it has, batches aside. */
static bool is_last(const struct kregion *r, int d)
{
    const enum kiter *kind = r->contract ? r->contract->kind : NULL;
    for (int i = 0; i < r->n_dims; i++)
        if (i != d && (!kind || kind[d] == KITER_BATCH || kind[i] == kind[d]))
            return false;
    return true;
}

static void remove_index(struct kregion *r, int d)
{
    r->n_dims--;
    for (int i = d; i < r->n_dims; i++) {
        r->index[i] = r->index[i + 1];
        r->extent[i] = r->extent[i + 1];
        if (r->contract)
            r->contract->kind[i] = r->contract->kind[i + 1];
    }
}

/* In front of all else, for whatever region it is an extent of. */
static kval first_constant(struct kernel *k, int64_t value)
{
    struct kaffine a = kaffine_const(value);
    struct kblock block = {0};
    kval v = kernel_raw_affine(k, &block, &a);
    kernel_raw_insert(k, &k->body, 0, v);
    return v;
}

static bool note_region(const struct kernel *k, kval v, void *arg)
{
    bool *is_region = arg;
    is_region[v] = can_collapse(kernel_inst(k, v)->op);
    return true;
}

static bool remove_single(struct kernel *k, struct arena *scratch)
{
    size_t n = k->n_insts;
    bool changed = false, *is_region = arena_array(scratch, n, sizeof *is_region);
    kval *subst = arena_array(scratch, n + 1, sizeof *subst), zero = 0;
    kernel_walk(k, note_region, is_region);
    for (kval v = 1; v < n; v++) {
        struct kregion *r = is_region[v] ? kernel_inst(k, v)->region : NULL;
        for (int d = 0; r && d < r->n_dims;) {
            if (kernel_static_extent(k, r, d) != 1 || is_last(r, d)) {
                d++;
                continue;
            }
            zero = zero ? zero : first_constant(k, 0);
            subst[r->index[d]] = zero;
            remove_index(r, d);
            changed = true;
        }
    }
    if (changed)
        kernel_raw_substitute(k, subst);
    return changed;
}

/* ---- whether a pair can become one ---- */

static int64_t extent_of(const struct collapse *c, kval index)
{
    const struct kregion *r = kernel_inst(c->k, c->region_of[index])->region;
    return kernel_static_extent(c->k, r, kregion_index_of(r, index));
}

static bool stays_inside(const struct collapse *c, const struct kaffine *a, int64_t extent)
{
    int64_t least = a->offset, most = a->offset;
    for (int t = 0; t < a->n_terms; t++) {
        int64_t n = extent_of(c, a->term[t].var);
        if (n < 1 || !kaffine_reach(a->term[t].coef, n, &least, &most))
            return false;
    }
    return least >= 0 && most < extent;
}

/* Dimensions that follow each other in memory, none of them in blocks. */
static bool are_neighbours(const struct kbuf *b, int outer, int inner)
{
    const struct layout *l = &b->layout;
    struct layout_strides s = layout_strides(l, b->dims);
    return outer != inner && b->dims[outer] > 1 && b->dims[inner] > 1 && b->extent_buf[outer] < 0 &&
           b->extent_buf[inner] < 0 && layout_block_size(l, outer) == 1 &&
           layout_block_size(l, inner) == 1 && s.outer[outer] == b->dims[inner] * s.outer[inner];
}

/* The content of a constant is in row-major order, whatever its layout. */
static bool are_neighbours_in_content(const struct kbuf *b, int outer, int inner)
{
    for (int d = outer + 1; d < inner; d++)
        if (b->dims[d] != 1)
            return false;
    return outer < inner;
}

static bool want_indices(const struct collapse *c, struct attempt *w, kval outer, kval inner);

/* What an access has in two dimensions as one: in `inner`. */
static bool joined(const struct kaffine *outer, const struct kaffine *inner, int64_t extent,
                   struct kaffine *out)
{
    struct kaffine a = *inner;
    if (__builtin_mul_overflow(outer->offset, extent, &a.offset) ||
        __builtin_add_overflow(a.offset, inner->offset, &a.offset))
        return false;
    for (int t = 0; t < outer->n_terms; t++) {
        int64_t coef;
        if (__builtin_mul_overflow(outer->term[t].coef, extent, &coef) ||
            (kaffine_coef(&a, outer->term[t].var) == 0 && a.n_terms == KAFFINE_MAX_TERMS))
            return false;
        kaffine_add(&a, outer->term[t].var, coef);
    }
    *out = a;
    return true;
}

static bool can_follow(const struct collapse *c, struct attempt *w, const struct access *a,
                       int outer, int inner)
{
    const struct kbuf *b = &c->k->bufs[a->buf];
    const struct kaffine *x = &a->dim[outer], *y = &a->dim[inner];
    struct kaffine both;
    if (!a->affine[outer] || !a->affine[inner] || !joined(x, y, b->dims[inner], &both))
        return false;
    if (a->may_leave && !stays_inside(c, y, b->dims[inner]))
        return false;
    bool may_keep_two = !a->operand && kernel_inst(c->k, a->inst)->op != KOP_STORE;
    if (may_keep_two || !x->n_terms || !y->n_terms)
        return true;
    return x->n_terms == 1 && y->n_terms == 1 && want_indices(c, w, x->term[0].var, y->term[0].var);
}

static bool want_dims(const struct collapse *c, struct attempt *w, int buf, int outer, int inner)
{
    const struct kbuf *b = &c->k->bufs[buf];
    for (int i = 0; i < w->n_dim; i++) {
        const struct dim_pair *p = &w->dim[i];
        if (p->buf != buf)
            continue;
        if (p->outer == outer && p->inner == inner)
            return true;
        if (p->outer == outer || p->inner == inner || p->outer == inner || p->inner == outer)
            return false;
    }
    if (w->n_dim == MAX_PAIRS || c->is_constant[buf] || !are_neighbours(b, outer, inner) ||
        (b->constant && !are_neighbours_in_content(b, outer, inner)))
        return false;
    w->dim[w->n_dim++] = (struct dim_pair){buf, outer, inner};
    for (size_t i = 0; i < c->n; i++)
        if (c->access[i].buf == buf && !can_follow(c, w, &c->access[i], outer, inner))
            return false;
    return true;
}

/* Where the access has the two in different dimensions; false where a step of `outer` is no row of
   `inner` there. */
static bool find_dims(const struct collapse *c, const struct access *a, struct index_pair p,
                      int *out_outer, int *out_inner)
{
    const struct kbuf *b = &c->k->bufs[a->buf];
    int64_t row = extent_of(c, p.inner), times = 0, product;
    *out_outer = *out_inner = -1;
    for (int d = 0; d < b->rank; d++) {
        if (!a->affine[d])
            continue; /* of other indices, or these would be numbers */
        int64_t of_outer = kaffine_coef(&a->dim[d], p.outer);
        int64_t of_inner = kaffine_coef(&a->dim[d], p.inner);
        if (!__builtin_mul_overflow(of_inner, row, &product) && product == of_outer)
            continue;
        int *found = of_outer ? out_outer : out_inner;
        if ((of_outer && of_inner) || *found >= 0)
            return false;
        *found = d;
        times = of_outer ? of_outer : times;
    }
    if (*out_outer < 0 || *out_inner < 0)
        return *out_outer == *out_inner;
    int64_t step = kaffine_coef(&a->dim[*out_inner], p.inner), other;
    return !__builtin_mul_overflow(times, b->dims[*out_inner], &product) &&
           !__builtin_mul_overflow(step, row, &other) && product == other;
}

static bool fit_together(const struct collapse *c, kval outer, kval inner)
{
    kval v = c->region_of[outer];
    const struct kinst *in = kernel_inst(c->k, v);
    const struct kregion *r = in->region;
    if (outer == inner || c->region_of[inner] != v || !can_collapse(in->op) ||
        c->is_number[outer] || c->is_number[inner])
        return false;
    int i = kregion_index_of(r, outer), j = kregion_index_of(r, inner);
    int64_t n;
    if (kernel_static_extent(c->k, r, i) < 2 || kernel_static_extent(c->k, r, j) < 2 ||
        __builtin_mul_overflow(extent_of(c, outer), extent_of(c, inner), &n))
        return false;
    if (in->op == KOP_REDUCE)
        return j == i + 1;
    if (in->op == KOP_MAP)
        return true;
    if (r->contract->kind[i] != r->contract->kind[j])
        return false;
    return r->contract->kind[i] != KITER_K || j == i + 1;
}

static bool want_indices(const struct collapse *c, struct attempt *w, kval outer, kval inner)
{
    for (int i = 0; i < w->n_index; i++) {
        kval x = w->index[i].outer, y = w->index[i].inner;
        if (x == outer && y == inner)
            return true;
        if (x == outer || y == inner || x == inner || y == outer)
            return false;
    }
    if (w->n_index == MAX_PAIRS || !fit_together(c, outer, inner))
        return false;
    struct index_pair p = {kernel_inst(c->k, c->region_of[outer])->region, outer, inner};
    w->index[w->n_index++] = p;
    for (size_t i = 0; i < c->n; i++) {
        const struct access *a = &c->access[i];
        int x, y;
        if (!find_dims(c, a, p, &x, &y) || (x >= 0 && !want_dims(c, w, a->buf, x, y)))
            return false;
    }
    return true;
}

/* ---- making one of them ---- */

static void join_dims(struct collapse *c, const struct dim_pair *p)
{
    struct kbuf *b = &c->k->bufs[p->buf];
    for (size_t i = 0; i < c->n; i++) {
        struct access *a = &c->access[i];
        if (a->buf != p->buf)
            continue;
        joined(&a->dim[p->outer], &a->dim[p->inner], b->dims[p->inner], &a->dim[p->inner]);
        a->dim[p->outer] = kaffine_const(0);
    }
    b->dims[p->inner] *= b->dims[p->outer];
    b->dims[p->outer] = 1;
    if (!b->constant)
        return;
    struct tensor *t = arena_copy(c->k->arena, b->constant, sizeof *t);
    memcpy(t->dims, b->dims, sizeof t->dims);
    b->constant = t;
}

/* `inner` stands for both from now on. */
static void join_indices(struct collapse *c, const struct index_pair *p)
{
    int64_t n = extent_of(c, p->outer) * extent_of(c, p->inner);
    for (size_t i = 0; i < c->n; i++)
        for (int d = 0; d < c->k->bufs[c->access[i].buf].rank; d++) {
            struct kaffine *a = &c->access[i].dim[d];
            if (c->access[i].affine[d])
                kaffine_add(a, p->outer, -kaffine_coef(a, p->outer));
        }
    kval extent = first_constant(c->k, n);
    p->region->extent[kregion_index_of(p->region, p->inner)] = extent;
    remove_index(p->region, kregion_index_of(p->region, p->outer));
}

static bool try_pair(struct collapse *c, kval outer, kval inner)
{
    struct attempt w = {.n_index = 0};
    for (size_t i = 0; i < c->n_failed; i++)
        if (c->failed[i].outer == outer && c->failed[i].inner == inner)
            return false;
    if (!want_indices(c, &w, outer, inner)) {
        struct index_pair p = {NULL, outer, inner};
        ARENA_PUSH(c->scratch, c->failed, c->n_failed, c->cap_failed) = p;
        return false;
    }
    for (int i = 0; i < w.n_dim; i++)
        join_dims(c, &w.dim[i]);
    for (int i = 0; i < w.n_index; i++)
        join_indices(c, &w.index[i]);
    c->n_failed = 0; /* what stood in the way may be gone */
    return true;
}

/* Tries what the two dimensions, or the one, have of a region's indices. */
static bool try_dims(struct collapse *c, const struct access *a, int outer, int inner)
{
    const struct kbuf *b = &c->k->bufs[a->buf];
    if (!a->affine[outer] || !a->affine[inner] ||
        (outer != inner && !are_neighbours(b, outer, inner)))
        return false;
    struct kaffine x = a->dim[outer], y = a->dim[inner];
    for (int i = 0; i < x.n_terms; i++)
        for (int j = 0; j < y.n_terms; j++)
            if (c->region_of[x.term[i].var] == c->region_of[y.term[j].var] &&
                try_pair(c, x.term[i].var, y.term[j].var))
                return true;
    return false;
}

static bool join_any(struct collapse *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct access *a = &c->access[i];
        int rank = c->k->bufs[a->buf].rank;
        for (int inner = rank - 1; inner >= 0; inner--)
            for (int outer = rank - 1; outer >= 0; outer--)
                if (try_dims(c, a, outer, inner))
                    return true;
    }
    return false;
}

/* ---- the accesses as instructions ---- */

static bool is_same(const struct kaffine *a, const struct kaffine *b)
{
    bool same = a->offset == b->offset && a->n_terms == b->n_terms;
    for (int t = 0; same && t < a->n_terms; t++)
        same = a->term[t].coef == kaffine_coef(b, a->term[t].var);
    return same;
}

static bool is_index(const struct kaffine *a)
{
    return a->n_terms == 1 && a->term[0].coef == 1 && a->offset == 0;
}

/* What stays the same keeps its arithmetic, unless an index or a number is all that is left. */
static void write_access(struct collapse *c, struct kblock *b, const struct access *a)
{
    struct kernel *k = c->k;
    for (int d = 0; d < k->bufs[a->buf].rank; d++) {
        struct kaffine was;
        if (!a->affine[d])
            continue;
        kernel_affine_of(k, kernel_inst(k, a->inst)->args[d], &was);
        if (is_same(&was, &a->dim[d]) && a->dim[d].n_terms > 0 && !is_index(&a->dim[d]))
            continue;
        kval v = kernel_raw_affine(k, b, &a->dim[d]);
        kernel_inst(k, a->inst)->args[d] = v;
    }
}

static void write_block(struct collapse *c, struct kblock *b, const uint32_t *access_of)
{
    struct kernel *k = c->k;
    struct kblock old = *b;
    b->insts = NULL;
    b->n = b->cap = 0;
    for (size_t i = 0; i < old.n; i++) {
        kval v = old.insts[i];
        if (access_of[v])
            write_access(c, b, &c->access[access_of[v] - 1]);
        kernel_raw_append(k, b, v);
        struct kblock *inner[KREGION_MAX_BLOCKS];
        int n = kernel_inst(k, v)->region ? kernel_raw_blocks(k, v, inner) : 0;
        for (int j = 0; j < n; j++)
            write_block(c, inner[j], access_of);
    }
}

static void write_accesses(struct collapse *c)
{
    struct kernel *k = c->k;
    uint32_t *access_of = arena_array(c->scratch, k->n_insts, sizeof *access_of);
    for (size_t i = 0; i < c->n; i++) {
        const struct access *a = &c->access[i];
        if (a->operand)
            memcpy(a->operand->dim, a->dim, sizeof a->dim);
        else
            access_of[a->inst] = (uint32_t)i + 1;
    }
    write_block(c, &k->body, access_of);
}

bool kernel_collapse(struct kernel *k)
{
    struct arena scratch;
    arena_init(&scratch);
    bool changed = remove_single(k, &scratch);
    struct collapse c = {.k = k, .scratch = &scratch};
    c.region_of = arena_array(&scratch, k->n_insts, sizeof *c.region_of);
    c.is_number = arena_array(&scratch, k->n_insts, sizeof *c.is_number);
    c.is_constant = arena_array(&scratch, k->n_bufs, sizeof *c.is_constant);
    kernel_walk(k, read_inst, &c);
    while (join_any(&c))
        changed = true;
    if (changed) {
        write_accesses(&c);
        kernel_raw_sweep(k);
    }
    arena_done(&scratch);
    return changed;
}
