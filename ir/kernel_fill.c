/* Maps that do nothing but fill a local buffer from inputs: what they store may as well be computed
   where it is read. */
#include "ir/kernel_raw.h"

/* Loads of inputs, arithmetic, and one store. */
static bool find_store(const struct kernel *k, const struct kregion *r, kval *out_store)
{
    *out_store = 0;
    for (size_t j = 0; j < r->block[0].n; j++) {
        const struct kinst *i = kernel_inst(k, r->block[0].insts[j]);
        if (i->region || i->op == KOP_LOAD_OR)
            return false;
        if (i->op == KOP_LOAD && k->bufs[i->buf].role != KBUF_IN)
            return false;
        if (i->op != KOP_STORE)
            continue;
        if (*out_store || k->bufs[i->buf].role != KBUF_LOCAL)
            return false;
        *out_store = r->block[0].insts[j];
    }
    return *out_store != 0;
}

struct stores {
    int buf;
    int n; /* to it, in the whole kernel */
};

static bool count_store(const struct kernel *k, kval v, void *arg)
{
    struct stores *s = arg;
    const struct kinst *i = kernel_inst(k, v);
    s->n += i->op == KOP_STORE && i->buf == s->buf;
    return true;
}

/* Whether nobody else stores to the buffer of that store: what a state holds, for one, changes
   after it was filled. */
static bool is_only_store(const struct kernel *k, kval store)
{
    struct stores s = {.buf = kernel_inst(k, store)->buf};
    kernel_walk(k, count_store, &s);
    return s.n == 1;
}

bool kernel_raw_fill(const struct kernel *k, kval map, struct kfill *out_fill)
{
    const struct kregion *r = kernel_inst(k, map)->region;
    struct kfill f;
    if (kernel_inst(k, map)->op != KOP_MAP || !find_store(k, r, &f.store) ||
        !is_only_store(k, f.store))
        return false;
    const struct kinst *st = kernel_inst(k, f.store);
    const struct kbuf *t = &k->bufs[st->buf];
    for (int j = 0; j < r->n_dims; j++)
        f.dim_of[j] = -1;
    for (int d = 0; d < t->rank; d++) {
        int j = kregion_index_of(r, st->args[d]);
        int64_t c;
        if (t->extent_buf[d] >= 0)
            return false;
        if (j < 0 && t->dims[d] == 1 && kernel_is_const_int(k, st->args[d], &c) && c == 0)
            continue;
        if (j < 0 || f.dim_of[j] >= 0 || kernel_static_extent(k, r, j) != t->dims[d])
            return false;
        f.dim_of[j] = d;
    }
    for (int j = 0; j < r->n_dims; j++)
        if (f.dim_of[j] < 0 && kernel_static_extent(k, r, j) != 1)
            return false;
    *out_fill = f;
    return true;
}
