/*
 * eval_prepare.c: what the evaluator works out once per kernel: storage of locals, slots of values,
 * which maps can run in lock step, and what they capture.
 */
#include <assert.h>

#include "ir/eval_internal.h"
#include "ir/kernel_raw.h"

static void prepare_bufs(struct eval *e, void *const *data)
{
    const struct kernel *k = e->k;
    e->bufs = arena_array(e->scratch, k->n_bufs, sizeof *e->bufs);
    for (size_t i = 0; i < k->n_bufs; i++) {
        const struct kbuf *kb = &k->bufs[i];
        struct eval_buf *b = &e->bufs[i];
        b->dtype = kb->dtype;
        b->rank = kb->rank;
        b->layout = kb->layout;
        for (int d = 0; d < kb->rank; d++) {
            b->dims[d] = kb->dims[d];
            b->block[d] = layout_block_size(&kb->layout, d);
            b->dynamic |= kb->extent_buf[d] >= 0;
        }
        b->strides = layout_strides(&kb->layout, kb->dims);
        b->data = data[i];
        if (!b->data) {
            assert(kb->role == KBUF_LOCAL);
            int64_t elems = layout_elems(&kb->layout, kb->dims);
            b->data = arena_alloc(e->scratch, (size_t)dtype_bytes(kb->dtype, elems));
        }
    }
}

/* ---- slots ---- */

static union lanes *new_slots(struct eval *e, int n)
{
    return arena_array(e->scratch, (size_t)n, sizeof(union lanes));
}

static void prepare_const(struct eval *e, kval v)
{
    const struct kinst *i = kernel_inst(e->k, v);
    union lanes *s = e->slot[v];
    for (int l = 0; l < EVAL_LANES; l++) {
        if (i->type == DTYPE_F64)
            s->d[l] = i->imm.f;
        else if (dtype_is_float(i->type))
            s->f[l] = (float)i->imm.f;
        else
            s->i[l] = i->imm.i;
    }
}

static void prepare_params(struct eval *e, const struct kblock *b)
{
    for (int p = 0; p < b->n_params; p++)
        e->slot[b->param[p]] = new_slots(e, 1);
}

static bool prepare_inst(const struct kernel *k, kval v, void *arg)
{
    struct eval *e = arg;
    const struct kinst *i = kernel_inst(k, v);
    if (i->op == KOP_RESULT) {
        e->slot[v] = e->slot[i->args[0]] + i->imm.i;
        return true;
    }
    if (!i->region) {
        if (i->type != DTYPE_NONE)
            e->slot[v] = new_slots(e, 1);
        if (i->op == KOP_CONST)
            prepare_const(e, v);
        return true;
    }
    struct kregion *r = i->region;
    for (int d = 0; d < r->n_dims; d++)
        e->slot[r->index[d]] = new_slots(e, 1);
    e->slot[v] = new_slots(e, kernel_raw_n_results(k, v));
    if (i->op == KOP_REDUCE || i->op == KOP_SCAN)
        e->partial[v] = new_slots(e, r->lanes * i->n_args);
    struct kblock *blocks[KREGION_MAX_BLOCKS];
    int n = kernel_raw_blocks(k, v, blocks);
    for (int b = 0; b < n; b++)
        prepare_params(e, blocks[b]);
    return true;
}

/* ---- captures and lock step ---- */

/* One region being looked at.  inside[v] is its stamp where v is defined in it. */
struct inner {
    struct eval *e;
    kval region;
    kval *stamp;    /* by kval: the region that last defined it */
    kval *captured; /* by kval: the region that last captured it */
    bool lockstep;
};

static void capture(kval *use, void *arg)
{
    struct inner *in = arg;
    struct eval *e = in->e;
    kval v = *use;
    enum kop op = kernel_inst(e->k, v)->op;
    if (in->stamp[v] == in->region || in->captured[v] == in->region || op == KOP_CONST)
        return;
    in->captured[v] = in->region;
    struct eval_captures *c = &e->captures[in->region];
    ARENA_PUSH(e->scratch, c->v, c->n, c->cap) = v;
}

/* The same in all lanes of the map being looked at.  All that runs inside it, loops too, does so in
   lock step, so inner indices are. */
static bool is_uniform(const struct inner *in, kval v)
{
    const struct kinst *i = kernel_inst(in->e->k, v);
    if (in->stamp[v] != in->region)
        return true;
    if (i->op == KOP_CONST)
        return true;
    if (i->op == KOP_INDEX)
        return kregion_index_of(kernel_inst(in->e->k, in->region)->region, v) < 0;
    if (i->op == KOP_PARAM || i->op == KOP_RESULT || i->region)
        return false;
    for (int a = 0; a < i->n_args; a++)
        if (!is_uniform(in, i->args[a]))
            return false;
    return true;
}

static void scan_block(struct inner *in, const struct kblock *b);

static void scan_region(struct inner *in, kval v)
{
    const struct kernel *k = in->e->k;
    const struct kinst *i = kernel_inst(k, v);
    for (int d = 0; d < i->region->n_dims; d++) {
        in->stamp[i->region->index[d]] = in->region;
        if (v != in->region && !is_uniform(in, i->region->extent[d]))
            in->lockstep = false;
    }
    if (i->op == KOP_IF || i->op == KOP_CONTRACT || i->op == KOP_SORT)
        in->lockstep = false;
    struct kblock *blocks[KREGION_MAX_BLOCKS];
    int n = kernel_raw_blocks(k, v, blocks);
    for (int j = 0; j < n; j++)
        scan_block(in, blocks[j]);
}

static void scan_block(struct inner *in, const struct kblock *b)
{
    for (int p = 0; p < b->n_params; p++)
        in->stamp[b->param[p]] = in->region;
    for (size_t j = 0; j < b->n; j++) {
        kval v = b->insts[j];
        in->stamp[v] = in->region;
        if (kernel_inst(in->e->k, v)->region)
            scan_region(in, v);
        kernel_raw_each_use(in->e->k, v, capture, in);
    }
}

static bool prepare_region(const struct kernel *k, kval v, void *arg)
{
    struct inner *in = arg;
    enum kop op = kernel_inst(k, v)->op;
    if (op != KOP_MAP && op != KOP_CONTRACT)
        return true;
    in->region = v;
    in->lockstep = true;
    scan_region(in, v);
    const struct kcontract *c = kernel_inst(k, v)->region->contract;
    if (c && c->a.padded)
        capture(&(kval){c->a.pad}, in);
    if (c && c->b.padded)
        capture(&(kval){c->b.pad}, in);
    in->e->lockstep[v] = in->lockstep;
    return true;
}

void eval_prepare(struct eval *e, void *const *data)
{
    size_t n = e->k->n_insts;
    prepare_bufs(e, data);
    e->slot = arena_array(e->scratch, n, sizeof *e->slot);
    e->partial = arena_array(e->scratch, n, sizeof *e->partial);
    e->captures = arena_array(e->scratch, n, sizeof *e->captures);
    e->lockstep = arena_array(e->scratch, n, sizeof *e->lockstep);
    kernel_walk(e->k, prepare_inst, e);
    struct inner in = {.e = e,
                       .stamp = arena_array(e->scratch, n, sizeof(kval)),
                       .captured = arena_array(e->scratch, n, sizeof(kval))};
    kernel_walk(e->k, prepare_region, &in);
}
