/*
 * Scratch in the memory of a block.
 *
 * A point of a map reads of a local buffer only what it has stored there itself.  So a buffer that
 * one map alone touches can be as many buffers as there are points, and where threads together run
 * a point, its own lies in the memory of their block.  Of dimensions that have one index in a
 * point, as the row has, one element is left.
 */
#include "gpu_runtime/codegen/gpu_target.h"
#include "ir/kernel_raw.h"

/* What a block can have without asking (CUDA C++ Programming Guide, compute capabilities), of which
   a part is for exchange: the values that reductions and scans broadcast, and their arrays. */
enum { BLOCK_BYTES = 48 << 10, BROADCAST_BYTES = 64, MOST_BYTES = 40 << 10 };

struct use {
    const struct kernel *k;
    const struct kregion *map; /* NULL: the kernel is one group's */
    int buf;
    kval first; /* access; 0: none so far */
    bool is_fixed[MAX_RANK];
};

static bool is_access(const struct kinst *in, int buf)
{
    return in->buf == buf && (in->op == KOP_LOAD || in->op == KOP_LOAD_OR || in->op == KOP_STORE);
}

/* Whether the index is the same in all of a point, and the same as that of another access. */
static bool is_fixed(const struct use *u, kval index, kval other)
{
    struct kaffine a, b;
    if (!kernel_affine_of(u->k, index, &a) || !kernel_affine_of(u->k, other, &b) ||
        a.offset != b.offset || a.n_terms != b.n_terms)
        return false;
    for (int t = 0; t < a.n_terms; t++)
        if (!u->map || kregion_index_of(u->map, a.term[t].var) < 0 ||
            kaffine_coef(&b, a.term[t].var) != a.term[t].coef)
            return false;
    return true;
}

static bool note_access(const struct kernel *k, kval v, void *arg)
{
    struct use *u = arg;
    const struct kinst *in = kernel_inst(k, v);
    if (!is_access(in, u->buf))
        return true;
    if (in->op == KOP_LOAD_OR)
        return false;
    u->first = u->first ? u->first : v;
    for (int d = 0; d < k->bufs[u->buf].rank; d++)
        u->is_fixed[d] =
            u->is_fixed[d] && is_fixed(u, in->args[d], kernel_inst(k, u->first)->args[d]);
    return true;
}

static bool is_candidate(const struct kernel *k, struct use *u)
{
    const struct kbuf *b = &k->bufs[u->buf];
    if (b->role != KBUF_LOCAL || !layout_is_plain(&b->layout))
        return false;
    for (int d = 0; d < b->rank; d++) {
        if (b->extent_buf[d] >= 0)
            return false;
        u->is_fixed[d] = true;
    }
    for (size_t i = 0; i < k->body.n; i++) {
        const struct kinst *in = kernel_inst(k, k->body.insts[i]);
        if (u->map && in->region != u->map && is_access(in, u->buf))
            return false;
    }
    return kernel_walk(k, note_access, u) && u->first;
}

static int64_t bytes_of(const struct kernel *k, const struct use *u)
{
    const struct kbuf *b = &k->bufs[u->buf];
    int64_t elems = 1;
    for (int d = 0; d < b->rank; d++)
        elems *= u->is_fixed[d] ? 1 : b->dims[d];
    return dtype_bytes(b->dtype, elems);
}

static bool fix_access(const struct kernel *k, kval v, void *arg)
{
    const struct use *u = arg;
    struct kinst *in = kernel_inst(k, v);
    kval zero = k->body.insts[0];
    for (int d = 0; is_access(in, u->buf) && d < k->bufs[u->buf].rank; d++)
        if (u->is_fixed[d])
            in->args[d] = zero;
    return true;
}

/* By value of a tuple, the sizes of elements that threads exchange, each one bit. */
struct exchange {
    unsigned sizes[KREGION_MAX_VALUES];
};

static bool note_exchange(const struct kernel *k, kval v, void *arg)
{
    struct exchange *x = arg;
    const struct kinst *in = kernel_inst(k, v);
    if (in->op == KOP_REDUCE || in->op == KOP_SCAN)
        for (int i = 0; i < in->n_args; i++)
            x->sizes[i] |= (unsigned)dtype_bytes(kernel_inst(k, in->args[i])->type, 1);
    return true;
}

/* Bytes of buffers that a block of so many threads has room for; the arrays are emit_group_array's,
   one for each value and size. */
static int64_t most_bytes(const struct kernel *k, int threads)
{
    struct exchange x = {{0}};
    int64_t room = BLOCK_BYTES - BROADCAST_BYTES;
    kernel_walk(k, note_exchange, &x);
    for (int i = 0; i < KREGION_MAX_VALUES; i++)
        room -= (int64_t)x.sizes[i] * threads;
    return room < MOST_BYTES ? room : MOST_BYTES;
}

/* Fewer groups in a block, and more blocks, where not all groups have room in one. */
static bool make_room(const struct kernel *k, struct schedule *s, int group, int64_t bytes)
{
    while (s->threads > group && s->threads / group * bytes > most_bytes(k, s->threads)) {
        s->threads /= 2;
        s->blocks *= 2;
    }
    return s->threads / group * bytes <= most_bytes(k, s->threads);
}

void gpu_share_buffers(struct arena *a, struct kernel *k, kval map, int group, struct schedule *s)
{
    bool *in_shared = arena_array(a, k->n_bufs, sizeof *in_shared);
    int64_t bytes = 0;
    if (group > 1)
        kernel_raw_insert(k, &k->body, 0, kernel_raw_inst(k, KOP_CONST, DTYPE_I64, 0, NULL));
    for (size_t b = 0; group > 1 && b < k->n_bufs; b++) {
        struct use u = {.k = k, .map = map ? kernel_inst(k, map)->region : NULL, .buf = (int)b};
        if (!is_candidate(k, &u) || !make_room(k, s, group, bytes + bytes_of(k, &u)))
            continue;
        bytes += bytes_of(k, &u);
        kernel_walk(k, fix_access, &u);
        for (int d = 0; d < k->bufs[b].rank; d++)
            k->bufs[b].dims[d] = u.is_fixed[d] ? 1 : k->bufs[b].dims[d];
        in_shared[b] = true;
        s->in_shared = in_shared;
    }
}
