/*
 * Copies behind the thread's back (cp.async), 16 bytes of K of a row at a time.
 *
 * The chunks that a thread copies lie at the same place of K, in rows that are a constant apart.
 * So an address is what the row makes of it, which stays in a register, and what K makes of it,
 * which all chunks share.  The same holds for the coordinates of a window that are tested against
 * the border of the image.
 */
#include <assert.h>

#include "gpu_runtime/codegen/contract.h"

enum { SPACE_GLOBAL = 1, MAX_CHUNKS = 16 };

struct copies {
    int n;                           /* chunks of a thread */
    int apart;                       /* bytes of shared memory from one to the next */
    LLVMValueRef place;              /* i32: of the first, in the first stage */
    LLVMValueRef offset[MAX_CHUNKS]; /* by chunk: elements, at the start of K */
    int64_t step;                    /* elements from one chunk to the next; 0: not a constant */
    int n_tests;
    int test[MAX_RANK];                       /* dimensions that may be left */
    LLVMValueRef index[MAX_CHUNKS][MAX_RANK]; /* by chunk and test: at the start of K */
};

static LLVMValueRef multiple(struct tile *t, LLVMValueRef v, int64_t by)
{
    return by == 1 ? v : gpu_times(t, v, (int)by);
}

LLVMValueRef gpu_of_digits(struct tile *t, const int64_t *coef)
{
    LLVMValueRef sum = NULL;
    for (int i = 0; i < t->k.n; i++) {
        if (coef[i] == 0 || t->k.extent[i] == 1)
            continue;
        LLVMValueRef term = multiple(t, gpu_get(t, t->at_k.digit[i]), coef[i]);
        sum = sum ? gpu_sum(t, sum, term) : term;
    }
    return sum ? sum : gpu_i32(t, 0);
}

static void strides_of_k(struct tile *t, const struct koperand *o, int64_t *out)
{
    for (int i = 0; i < t->k.n; i++) {
        bool one = gpu_stride_of(t->ek->k, o, t->r->index[t->k.iter[i]], &out[i]);
        assert(one);
        (void)one;
    }
}

/* ---- before the first step ---- */

static void find_tests(struct tile *t, const struct koperand *o, struct copies *c)
{
    const struct kbuf *b = &t->ek->k->bufs[o->buf];
    for (int d = 0; o->padded && d < b->rank; d++) {
        int64_t least, most;
        if (!kernel_affine_range(t->ek->k, t->r, &o->dim[d], &least, &most) || least < 0 ||
            most >= b->dims[d])
            c->test[c->n_tests++] = d;
    }
}

static LLVMValueRef to_i32(struct tile *t, LLVMValueRef v)
{
    return LLVMBuildIntCast2(t->ek->e->b, v, t->ek->e->i32, 1, "");
}

static void begin_chunk(struct tile *t, const struct staged *s, struct copies *c, int i,
                        LLVMValueRef row)
{
    struct emit_kernel *ek = t->ek;
    const struct koperand *o = s->operand;
    struct eaffine dims[MAX_RANK];
    gpu_bind_axis(t, s->rows, gpu_row_point(t, s, row));
    for (int d = 0; d < ek->k->bufs[o->buf].rank; d++)
        dims[d] = emit_kaffine(ek, &o->dim[d]);
    for (int j = 0; j < c->n_tests; j++)
        c->index[i][j] = to_i32(t, eaffine_value(ek, &dims[c->test[j]]));
    struct eaddress at = emit_address_affine(ek, o->buf, dims);
    c->offset[i] = to_i32(t, eaffine_value(ek, &at.affine));
    if (t->at_k.is_even)
        c->offset[i] = gpu_sum(t, c->offset[i], t->at_k.chunk);
}

/* Elements from one row to the next where that is a constant and no row is read for another. */
static int64_t row_step(struct tile *t, const struct staged *s)
{
    int64_t step = 0, next = 0, stride;
    for (int i = s->rows->n - 1; i >= 0; i--) {
        if (s->rows->extent[i] == 1)
            continue;
        if (!gpu_stride_of(t->ek->k, s->operand, t->r->index[s->rows->iter[i]], &stride) ||
            (step && stride != next))
            return 0;
        step = step ? step : stride;
        next = stride * s->rows->extent[i];
    }
    return s->rows->points % s->tile_rows == 0 ? step : 0;
}

void gpu_copy_begin(struct tile *t, struct staged *s)
{
    struct copies *c = s->copies = arena_new(t->ek->e->arena, struct copies);
    int chunks = t->row_bytes / CHUNK_BYTES, rows = t->threads / chunks;
    c->n = s->tile_rows / rows;
    c->apart = rows * t->row_bytes;
    assert(s->tile_rows % rows == 0 && rows % 8 == 0 && c->n <= MAX_CHUNKS);
    LLVMValueRef row = gpu_over(t, t->thread, chunks);
    c->place = gpu_chunk_place(t, s, row, gpu_rest(t, t->thread, chunks));
    find_tests(t, s->operand, c);
    for (int i = 0; i < t->k.n; i++) {
        struct eaffine zero = eaffine_const(0);
        emit_bind_index(t->ek, t->r->index[t->k.iter[i]], &zero);
    }
    c->step = c->n_tests ? 0 : row_step(t, s) * rows;
    for (int i = 0; i < (c->step ? 1 : c->n); i++)
        begin_chunk(t, s, c, i, gpu_plus(t, row, i * rows));
}

/* ---- each step ---- */

static LLVMValueRef greater(struct tile *t, LLVMValueRef a, LLVMValueRef b)
{
    LLVMTypeRef type = t->ek->e->i32;
    LLVMValueRef args[2] = {a, b};
    return emit_intrinsic(t->ek->e, "llvm.umax", &type, 1, args, 2);
}

/* Rows and columns of a square image have one bound, and the greater of them tells: the assembler
   copies under one condition, but makes several instructions of two. */
static LLVMValueRef is_inside(struct tile *t, const struct staged *s, int i,
                              const LLVMValueRef *moved_by)
{
    const struct copies *c = s->copies;
    const int64_t *dims = t->ek->k->bufs[s->operand->buf].dims;
    LLVMValueRef inside = NULL, most = NULL;
    for (int j = 0; j < c->n_tests; j++) {
        LLVMValueRef index = gpu_sum(t, c->index[i][j], moved_by[j]);
        most = most ? greater(t, most, index) : index;
        int64_t bound = dims[c->test[j]];
        if (j + 1 < c->n_tests && dims[c->test[j + 1]] == bound)
            continue;
        inside = gpu_both(t, inside, gpu_is_below(t, most, bound, INT64_MAX));
        most = NULL;
    }
    return inside;
}

void gpu_copy_async(struct tile *t, LLVMValueRef to, LLVMValueRef from, LLVMValueRef exists)
{
    struct emit *e = t->ek->e;
    from = LLVMBuildAddrSpaceCast(e->b, from, LLVMPointerTypeInContext(e->ctx, SPACE_GLOBAL), "");
    LLVMValueRef args[3] = {to, from, NULL};
    if (!exists) {
        emit_intrinsic(e, "llvm.nvvm.cp.async.cg.shared.global.16", NULL, 0, args, 2);
        return;
    }
    /* What is not read is filled with zeros, and its address may be any. */
    args[2] = LLVMBuildSelect(e->b, exists, gpu_i32(t, CHUNK_BYTES), gpu_i32(t, 0), "");
    emit_intrinsic(e, "llvm.nvvm.cp.async.cg.shared.global.16.s", NULL, 0, args, 3);
}

/* A chunk of padding that is not zero, in memory: a branch to where it is stored would part threads
   that must come together for what follows. */
static LLVMValueRef pad_chunk(struct tile *t, const struct staged *s)
{
    struct emit *e = t->ek->e;
    const struct kinst *pad = kernel_inst(t->ek->k, s->operand->pad);
    LLVMTypeRef type = emit_memory_type(e, pad->type);
    LLVMValueRef value[CHUNK_BYTES];
    unsigned n = (unsigned)gpu_chunk_elems(s);
    for (unsigned i = 0; i < n; i++)
        value[i] = LLVMConstInt(type, (uint64_t)pad->imm.i, 1);
    LLVMTypeRef chunk = LLVMArrayType2(type, n);
    LLVMValueRef g = LLVMAddGlobalInAddressSpace(e->mod, chunk, "padding", SPACE_GLOBAL);
    LLVMSetInitializer(g, LLVMConstArray2(type, value, n));
    LLVMSetLinkage(g, LLVMInternalLinkage);
    LLVMSetGlobalConstant(g, 1);
    LLVMSetAlignment(g, CHUNK_BYTES);
    return g;
}

/* Whether the thread's chunks lie before the end of K; NULL: they do. */
static LLVMValueRef k_exists(struct tile *t)
{
    LLVMValueRef k = gpu_sum(t, gpu_get(t, t->at_k.point), t->at_k.chunk);
    return gpu_is_below(t, k, t->k.points, gpu_last_k(t));
}

/* Of chunk i. */
static LLVMValueRef address(struct tile *t, const struct staged *s, int i, LLVMValueRef k_offset)
{
    struct emit *e = t->ek->e;
    const struct copies *c = s->copies;
    int buf = s->operand->buf;
    LLVMTypeRef type = emit_memory_type(e, t->ek->k->bufs[buf].dtype);
    LLVMValueRef offset = gpu_sum(t, c->offset[c->step ? 0 : i], k_offset);
    LLVMValueRef p = LLVMBuildGEP2(e->b, type, t->ek->buf[buf], &offset, 1, "");
    LLVMValueRef step = LLVMConstInt(e->i64, (uint64_t)(c->step * i), 1);
    return c->step && i ? LLVMBuildGEP2(e->b, type, p, &step, 1, "") : p;
}

void gpu_copy(struct tile *t, const struct staged *s, LLVMValueRef at)
{
    struct emit *e = t->ek->e;
    const struct copies *c = s->copies;
    const struct koperand *o = s->operand;
    LLVMTypeRef global = LLVMPointerTypeInContext(e->ctx, SPACE_GLOBAL);
    int64_t stride[KREGION_MAX_DIMS], coef[KREGION_MAX_DIMS];
    strides_of_k(t, o, stride);
    LLVMValueRef k_offset = NULL, moved_by[MAX_RANK];
    if (!gpu_is_run(t->ek->k, t->r, &t->k, o))
        k_offset = gpu_of_digits(t, stride);
    else if (t->at_k.is_even)
        k_offset = gpu_get(t, t->at_k.point);
    else
        k_offset = gpu_sum(t, gpu_get(t, t->at_k.point), t->at_k.chunk);
    for (int j = 0; j < c->n_tests; j++) {
        for (int i = 0; i < t->k.n; i++)
            coef[i] = kaffine_coef(&o->dim[c->test[j]], t->r->index[t->k.iter[i]]);
        moved_by[j] = gpu_of_digits(t, coef);
    }
    LLVMValueRef place = gpu_sum(t, c->place, at), exists = k_exists(t), pad = NULL;
    if (c->n_tests && !gpu_is_zero(t->ek->k, o->pad))
        pad = pad_chunk(t, s);
    for (int i = 0; i < c->n; i++) {
        LLVMValueRef inside = is_inside(t, s, i, moved_by);
        LLVMValueRef from = address(t, s, i, k_offset);
        LLVMValueRef to = gpu_shared_at(t, place, i * c->apart);
        if (inside && pad) {
            from = LLVMBuildAddrSpaceCast(e->b, from, global, "");
            from = LLVMBuildSelect(e->b, inside, from, pad, "");
            inside = NULL;
        }
        gpu_copy_async(t, to, from, gpu_both(t, exists, inside));
    }
}
