/*
 * kernel_fuse.c: joins a map to the contract or map that made its operand.
 *
 * Two statements of one block, S1 (a map, or a contract with its epilogue) and a later map S2, fuse
 * where S1 stores a buffer T once, at an element of its own for each index point, and S2 loads T
 * only at the element that its own index point stands for.  That pairs the points of the two
 * domains one to one, through T's dimensions, so the order of the indices does not matter.  S2's
 * body goes to the end of S1's block, with its indices replaced by their partners and its loads of
 * T by the stored value.  Points of S2 may then run before other points of S1; so beyond T nothing
 * that S1 touches may be written by S2, nor the other way round.
 *
 * Between the two, S1 moves down to S2 if it commutes with what stands between, else S2 up to S1,
 * together with the arithmetic that it needs.
 *
 * T's store stays until nothing reads T: kernel_raw_drop_dead then takes it away, for locals.
 *
 * Why not substitute at the operators' level: there every pair of operators is another case, here
 * one rule covers bias, activation, residual, requantization and chains of them.
 */
#include "ir/kernel.h"

#include <assert.h>
#include <string.h>

#include "ir/kernel_effects.h"
#include "ir/kernel_raw.h"

/* S1 and S2, and which value of S1's block stands for each index of S2. */
struct pair {
    struct kernel *k;
    struct arena *scratch;
    kval s1, s2;
    kval partner[KREGION_MAX_DIMS]; /* by dimension of S2; 0: none yet */
};

static bool is_const(const struct kernel *k, kval v, int64_t value)
{
    int64_t c;
    return kernel_is_const_int(k, v, &c) && c == value;
}

/* Equal constants, the same value, or loads of the same scalar that the kernel never writes. */
static bool same_extent(const struct kernel *k, kval a, kval b)
{
    int64_t ca, cb;
    if (a == b)
        return true;
    if (kernel_is_const_int(k, a, &ca) && kernel_is_const_int(k, b, &cb))
        return ca == cb;
    const struct kinst *ia = kernel_inst(k, a), *ib = kernel_inst(k, b);
    return ia->op == KOP_LOAD && ib->op == KOP_LOAD && ia->buf == ib->buf &&
           k->bufs[ia->buf].rank == 0 && k->bufs[ia->buf].role == KBUF_IN;
}

/* ---- stores and loads of one buffer ---- */

/* The store of buf in S1's block itself; 0 where there is none or more than one. */
static kval only_store(const struct kernel *k, const struct kblock *b, int buf)
{
    kval found = 0;
    for (size_t j = 0; j < b->n; j++) {
        const struct kinst *i = kernel_inst(k, b->insts[j]);
        if (i->region) {
            struct arena a;
            arena_init(&a);
            bool writes = kernel_effects_of(k, b->insts[j], &a).writes[buf];
            arena_done(&a);
            if (writes)
                return 0;
        }
        if (i->op != KOP_STORE || i->buf != buf)
            continue;
        if (found)
            return 0;
        found = b->insts[j];
    }
    return found;
}

/* A constant, or an index of a region around both statements. */
static bool is_fixed(const struct kernel *k, kval v)
{
    enum kop op = kernel_inst(k, v)->op;
    return op == KOP_CONST || op == KOP_INDEX;
}

static bool same_fixed(const struct kernel *k, kval a, kval b)
{
    int64_t ca, cb;
    return a == b || (kernel_is_const_int(k, a, &ca) && kernel_is_const_int(k, b, &cb) && ca == cb);
}

/* Where S1 stores in one dimension of a buffer: at a place common to all points, or at `value`,
   which runs over 0 .. extent-1. */
struct coordinate {
    bool fixed;
    kval value;
    kval extent_value; /* where the value is one index: its extent; else 0 */
    int64_t extent;    /* where it is a constant; else -1 */
};

/*
 * The values of `a` are 0 .. n-1, each once, if its indices are the digits of a mixed radix, like
 * 4 * i + j with j < 4 (the channels of a grouped convolution).  Returns n, or -1.  Marks what it
 * uses; an index of extent 1 is always 0, and may be used anywhere.
 */
static int64_t digits_extent(const struct kernel *k, const struct kregion *r,
                             const struct kaffine *a, bool *used)
{
    bool done[KAFFINE_MAX_TERMS] = {false};
    int64_t extent[KAFFINE_MAX_TERMS], n = 1;
    int left = 0;
    if (a->offset)
        return -1;
    for (int t = 0; t < a->n_terms; t++) {
        int at = kregion_index_of(r, a->term[t].var);
        if (at < 0 || !kernel_is_const_int(k, r->extent[at], &extent[t]) || extent[t] < 1)
            return -1;
        done[t] = extent[t] == 1;
        if (!done[t] && used[at])
            return -1;
        used[at] = true;
        left += !done[t];
    }
    while (left > 0) {
        int next = -1;
        for (int t = 0; t < a->n_terms; t++)
            if (!done[t] && a->term[t].coef == n)
                next = t;
        if (next < 0)
            return -1;
        n *= extent[next];
        done[next] = true;
        left--;
    }
    return n;
}

/*
 * Where the store writes.  False unless every point of S1 has an element of its own: each index of
 * more than one value is used, once.
 */
static bool describe_store(const struct kernel *k, kval s1, kval store, struct coordinate *out)
{
    const struct kregion *r = kernel_inst(k, s1)->region;
    const struct kinst *i = kernel_inst(k, store);
    bool used[KREGION_MAX_DIMS] = {false};
    for (int d = 0; d < k->bufs[i->buf].rank; d++) {
        struct coordinate *c = &out[d];
        struct kaffine a;
        int at = kregion_index_of(r, i->args[d]);
        *c = (struct coordinate){.value = i->args[d], .extent = -1};
        if (at >= 0) {
            if (used[at])
                return false;
            used[at] = true;
            c->extent_value = r->extent[at];
            kernel_is_const_int(k, r->extent[at], &c->extent);
        } else if (is_fixed(k, i->args[d])) {
            c->fixed = true;
        } else if (!kernel_affine_of(k, i->args[d], &a) ||
                   (c->extent = digits_extent(k, r, &a, used)) < 0) {
            return false;
        }
    }
    for (int d = 0; d < r->n_dims; d++)
        if (!used[d] && !is_const(k, r->extent[d], 1) &&
            !(r->contract && r->contract->kind[d] == KITER_K))
            return false;
    return true;
}

static bool same_value(const struct kernel *k, kval a, kval b)
{
    struct kaffine x, y;
    if (a == b)
        return true;
    if (!kernel_affine_of(k, a, &x) || !kernel_affine_of(k, b, &y) || x.n_terms != y.n_terms ||
        x.offset != y.offset)
        return false;
    for (int t = 0; t < x.n_terms; t++) {
        bool found = false;
        for (int u = 0; u < y.n_terms; u++)
            found |= x.term[t].var == y.term[u].var && x.term[t].coef == y.term[u].coef;
        if (!found)
            return false;
    }
    return true;
}

static bool has_extent(const struct kernel *k, const struct coordinate *c, kval extent)
{
    return c->extent >= 0 ? is_const(k, extent, c->extent)
                          : same_extent(k, c->extent_value, extent);
}

/* Pairs the indices of S2 through which `load` reads with what S1 stores at. */
static bool match_load(struct pair *p, const struct coordinate *coordinates, kval load)
{
    const struct kernel *k = p->k;
    const struct kregion *r2 = kernel_inst(k, p->s2)->region;
    const struct kinst *ld = kernel_inst(k, load);
    for (int d = 0; d < k->bufs[ld->buf].rank; d++) {
        const struct coordinate *c = &coordinates[d];
        int at = kregion_index_of(r2, ld->args[d]);
        if (at < 0) {
            bool unit = c->extent == 1 && is_const(k, ld->args[d], 0);
            if (c->fixed ? !same_fixed(k, c->value, ld->args[d]) : !unit)
                return false;
        } else if (c->fixed) {
            if (!is_const(k, c->value, 0) || !is_const(k, r2->extent[at], 1))
                return false;
        } else {
            if (!has_extent(k, c, r2->extent[at]))
                return false;
            if (p->partner[at] && !same_value(k, p->partner[at], c->value))
                return false;
            p->partner[at] = c->value;
        }
    }
    return true;
}

/* ---- whether S2 can join S1 ---- */

static bool match_buffer(struct pair *p, int buf)
{
    const struct kernel *k = p->k;
    const struct kblock *b1 = &kernel_inst(k, p->s1)->region->block[0];
    const struct kblock *b2 = &kernel_inst(k, p->s2)->region->block[0];
    struct coordinate coordinates[MAX_RANK];
    kval store = only_store(k, b1, buf);
    if (!store || !describe_store(k, p->s1, store, coordinates))
        return false;
    for (size_t j = 0; j < b2->n; j++) {
        const struct kinst *i = kernel_inst(k, b2->insts[j]);
        bool reads = i->op == KOP_LOAD || i->op == KOP_LOAD_OR;
        if (reads && i->buf == buf && !match_load(p, coordinates, b2->insts[j]))
            return false;
    }
    return true;
}

static bool can_join(struct pair *p, const struct kernel_effects *e1,
                     const struct kernel_effects *e2)
{
    const struct kernel *k = p->k;
    const struct kregion *r2 = kernel_inst(k, p->s2)->region;
    bool linked = false;
    for (size_t b = 0; b < k->n_bufs; b++) {
        if (e2->writes[b] && (e1->reads[b] || e1->writes[b]))
            return false;
        if (!e1->writes[b] || !e2->reads[b])
            continue;
        if (!match_buffer(p, (int)b))
            return false;
        linked = true;
    }
    if (!linked)
        return false;
    for (int d = 0; d < r2->n_dims; d++) {
        if (is_const(k, r2->extent[d], 1))
            continue;
        if (!p->partner[d])
            return false;
        for (int e = 0; e < d; e++)
            if (p->partner[e] && same_value(k, p->partner[d], p->partner[e]))
                return false;
    }
    return true;
}

/* ---- bringing the two together ---- */

/* Whether S1, at position i, may move down to just before position j. */
static bool can_sink(const struct pair *p, const struct kblock *b, size_t i, size_t j,
                     const struct kernel_effects *e1)
{
    for (size_t at = i + 1; at < j; at++) {
        struct kernel_effects e = kernel_effects_of(p->k, b->insts[at], p->scratch);
        if (!kernel_effects_commute(p->k, e1, &e))
            return false;
    }
    return true;
}

/* What S2 needs of the instructions between the two. */
struct hoist {
    const struct kernel *k;
    const struct kblock *b;
    size_t i, j;
    bool *needed; /* by position - i */
};

static void need(kval *use, void *arg)
{
    struct hoist *h = arg;
    for (size_t at = h->i + 1; at < h->j; at++)
        if (h->b->insts[at] == *use)
            h->needed[at - h->i] = true;
}

/*
 * Whether S2, at position j, may move up to just after S1 at position i: everything between either
 * is arithmetic that S2 needs, and then goes before S1, or commutes with what moves past it.
 * needed[at - i] tells which.
 */
static bool can_hoist(const struct pair *p, const struct kblock *b, size_t i, size_t j,
                      const struct kernel_effects *e1, const struct kernel_effects *e2,
                      bool *needed)
{
    const struct kernel *k = p->k;
    struct hoist h = {.k = k, .b = b, .i = i, .j = j, .needed = needed};
    kernel_raw_each_use_within(h.k, p->s2, need, &h);
    for (size_t at = j; at-- > i + 1;) {
        if (!needed[at - i])
            continue;
        if (kernel_inst(k, b->insts[at])->region || kernel_inst(k, b->insts[at])->op == KOP_RESULT)
            return false;
        kernel_raw_each_use_within(h.k, b->insts[at], need, &h);
    }
    for (size_t at = i + 1; at < j; at++) {
        struct kernel_effects e = kernel_effects_of(k, b->insts[at], p->scratch);
        if (!kernel_effects_commute(k, &e, needed[at - i] ? e1 : e2))
            return false;
        for (size_t over = i + 1; needed[at - i] && over < at; over++) {
            struct kernel_effects o = kernel_effects_of(k, b->insts[over], p->scratch);
            if (!needed[over - i] && !kernel_effects_commute(k, &o, &e))
                return false;
        }
    }
    return true;
}

/* ---- the transformation ---- */

static void join(struct pair *p)
{
    struct kernel *k = p->k;
    struct kblock *b1 = &kernel_inst(k, p->s1)->region->block[0];
    const struct kregion *r2 = kernel_inst(k, p->s2)->region;
    const struct kblock *b2 = &r2->block[0];
    /* One more value than there is now: the constant 0. */
    kval *subst = arena_array(p->scratch, k->n_insts + 1, sizeof *subst);
    kval zero = 0;
    for (int d = 0; d < r2->n_dims; d++) {
        if (!p->partner[d] && !zero) {
            zero = kernel_raw_inst(k, KOP_CONST, DTYPE_I64, 0, NULL);
            kernel_raw_append(k, b1, zero);
        }
        subst[r2->index[d]] = p->partner[d] ? p->partner[d] : zero;
    }
    size_t n1 = b1->n;
    for (size_t j = 0; j < b2->n; j++) {
        const struct kinst *i = kernel_inst(k, b2->insts[j]);
        bool forwarded = false;
        for (size_t s = 0; (i->op == KOP_LOAD || i->op == KOP_LOAD_OR) && s < n1; s++) {
            const struct kinst *st = kernel_inst(k, b1->insts[s]);
            if (st->op != KOP_STORE || st->buf != i->buf)
                continue;
            subst[b2->insts[j]] = st->args[k->bufs[st->buf].rank];
            forwarded = true;
        }
        if (!forwarded)
            kernel_raw_append(k, b1, b2->insts[j]);
    }
    kernel_raw_substitute(k, subst);
}

static void remove_at(struct kblock *b, size_t at)
{
    memmove(b->insts + at, b->insts + at + 1, (b->n - at - 1) * sizeof *b->insts);
    b->n--;
}

/* The instructions that S2 needs go in front of S1. */
static void move_needed(struct kblock *b, size_t i, size_t j, const bool *needed)
{
    size_t to = i;
    for (size_t at = i + 1; at < j; at++) {
        if (!needed[at - i])
            continue;
        kval v = b->insts[at];
        memmove(b->insts + to + 1, b->insts + to, (at - to) * sizeof *b->insts);
        b->insts[to++] = v;
    }
}

static bool try_fuse(struct kernel *k, struct kblock *b, size_t i, size_t j, struct arena *scratch)
{
    struct pair p = {.k = k, .scratch = scratch, .s1 = b->insts[i], .s2 = b->insts[j]};
    const struct kinst *s1 = kernel_inst(k, p.s1), *s2 = kernel_inst(k, p.s2);
    if ((s1->op != KOP_MAP && s1->op != KOP_CONTRACT) || s2->op != KOP_MAP ||
        kernel_has_region(k, &s2->region->block[0]))
        return false;
    struct kernel_effects e1 = kernel_effects_of(k, p.s1, scratch);
    struct kernel_effects e2 = kernel_effects_of(k, p.s2, scratch);
    if (!can_join(&p, &e1, &e2))
        return false;
    if (can_sink(&p, b, i, j, &e1)) {
        join(&p);
        b->insts[j] = p.s1;
        remove_at(b, i);
        return true;
    }
    bool *needed = arena_array(scratch, j - i + 1, sizeof *needed);
    if (!can_hoist(&p, b, i, j, &e1, &e2, needed))
        return false;
    join(&p);
    remove_at(b, j);
    move_needed(b, i, j, needed);
    return true;
}

static bool fuse_once(struct kernel *k, struct kblock *b, struct arena *scratch)
{
    for (size_t j = 1; j < b->n; j++)
        for (size_t i = j; i-- > 0;)
            if (try_fuse(k, b, i, j, scratch))
                return true;
    return false;
}

static bool fuse_block(struct kernel *k, struct kblock *b, struct arena *scratch)
{
    bool changed = false;
    while (fuse_once(k, b, scratch))
        changed = true;
    for (size_t j = 0; j < b->n; j++) {
        kval v = b->insts[j];
        if (!kernel_inst(k, v)->region)
            continue;
        struct kblock *blocks[KREGION_MAX_BLOCKS];
        int n = kernel_raw_blocks(k, v, blocks);
        for (int at = 0; at < n; at++)
            changed |= fuse_block(k, blocks[at], scratch);
    }
    return changed;
}

bool kernel_fuse(struct kernel *k)
{
    struct arena scratch;
    arena_init(&scratch);
    bool changed = fuse_block(k, &k->body, &scratch);
    arena_done(&scratch);
    changed |= kernel_raw_drop_dead(k);
    return changed;
}
