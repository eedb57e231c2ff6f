#include "ir/kernel.h"

#include <assert.h>
#include <string.h>

#include "ir/kernel_raw.h"

static const char *const op_names[KOP_COUNT] = {
    "none",
#define KOP(id, text, kind, doc) text,
#include "ir/kernel_ops.def"
#undef KOP
};

static const enum kop_kind op_kinds[KOP_COUNT] = {
    KOP_KIND_LEAF,
#define KOP(id, text, kind, doc) KOP_KIND_##kind,
#include "ir/kernel_ops.def"
#undef KOP
};

const char *kop_name(enum kop op)
{
    return op_names[op];
}

enum kop_kind kop_kind(enum kop op)
{
    return op_kinds[op];
}

struct kernel *kernel_create(struct arena *arena, const char *name)
{
    struct kernel *k = arena_new(arena, struct kernel);
    k->arena = arena;
    k->name = arena_strdup(arena, name);
    memset(&ARENA_PUSH(arena, k->insts, k->n_insts, k->cap_insts), 0, sizeof *k->insts);
    k->open[0] = &k->body;
    k->n_open = 1;
    return k;
}

int kernel_add_buf(struct kernel *k, const char *name, enum dtype dtype, enum kbuf_role role,
                   int rank, const int64_t *dims)
{
    assert(rank >= 0 && rank <= MAX_RANK);
    struct kbuf *b = &ARENA_PUSH(k->arena, k->bufs, k->n_bufs, k->cap_bufs);
    memset(b, 0, sizeof *b);
    b->name = arena_strdup(k->arena, name);
    b->dtype = dtype;
    b->role = role;
    b->rank = rank;
    for (int d = 0; d < MAX_RANK; d++) {
        b->dims[d] = d < rank ? dims[d] : 0;
        b->extent_buf[d] = -1;
    }
    b->layout = layout_plain(rank);
    return (int)k->n_bufs - 1;
}

/* ---- instructions ---- */

kval kernel_raw_inst(struct kernel *k, enum kop op, enum dtype type, int n_args, const kval *args)
{
    /* The copy comes first: args may point into the array that is about to grow. */
    kval *copy = n_args ? arena_copy(k->arena, args, (size_t)n_args * sizeof *args) : NULL;
    struct kinst *i = &ARENA_PUSH(k->arena, k->insts, k->n_insts, k->cap_insts);
    memset(i, 0, sizeof *i);
    i->op = op;
    i->type = type;
    i->buf = -1;
    i->n_args = n_args;
    i->args = copy;
    return (kval)(k->n_insts - 1);
}

void kernel_raw_append(struct kernel *k, struct kblock *b, kval v)
{
    ARENA_PUSH(k->arena, b->insts, b->n, b->cap) = v;
}

void kernel_raw_insert(struct kernel *k, struct kblock *b, size_t at, kval v)
{
    assert(at <= b->n);
    kernel_raw_append(k, b, v);
    memmove(b->insts + at + 1, b->insts + at, (b->n - 1 - at) * sizeof *b->insts);
    b->insts[at] = v;
}

static kval raw_constant(struct kernel *k, struct kblock *b, int64_t value)
{
    kval v = kernel_raw_inst(k, KOP_CONST, DTYPE_I64, 0, NULL);
    kernel_inst(k, v)->imm.i = value;
    kernel_raw_append(k, b, v);
    return v;
}

static kval raw_binary(struct kernel *k, struct kblock *b, enum kop op, kval x, kval y)
{
    kval args[2] = {x, y};
    kval v = kernel_raw_inst(k, op, DTYPE_I64, 2, args);
    kernel_raw_append(k, b, v);
    return v;
}

kval kernel_raw_affine(struct kernel *k, struct kblock *b, const struct kaffine *a)
{
    kval sum = 0;
    for (int t = 0; t < a->n_terms; t++) {
        kval term = a->term[t].var;
        if (a->term[t].coef != 1) {
            kval coef = raw_constant(k, b, a->term[t].coef);
            term = raw_binary(k, b, KOP_MUL, term, coef);
        }
        sum = sum ? raw_binary(k, b, KOP_ADD, sum, term) : term;
    }
    if (sum && a->offset == 0)
        return sum;
    kval offset = raw_constant(k, b, a->offset);
    return sum ? raw_binary(k, b, KOP_ADD, sum, offset) : offset;
}

kval kernel_raw_region(struct kernel *k, enum kop op, enum dtype type, int n_args, const kval *args,
                       int n_dims, const kval *extents, kval *out_index)
{
    assert(n_dims >= 0 && n_dims <= KREGION_MAX_DIMS);
    kval v = kernel_raw_inst(k, op, type, n_args, args);
    struct kregion *r = arena_new(k->arena, struct kregion);
    k->insts[v].region = r;
    r->n_dims = n_dims;
    r->lanes = 1;
    for (int d = 0; d < n_dims; d++) {
        assert(k->insts[extents[d]].type == DTYPE_I64);
        r->extent[d] = extents[d];
        r->index[d] = kernel_raw_inst(k, KOP_INDEX, DTYPE_I64, 0, NULL);
        out_index[d] = r->index[d];
    }
    return v;
}

kval kernel_raw_param(struct kernel *k, struct kblock *b, enum dtype type)
{
    assert(b->n_params < 2 * KREGION_MAX_VALUES);
    kval p = kernel_raw_inst(k, KOP_PARAM, type, 0, NULL);
    b->param[b->n_params++] = p;
    return p;
}
