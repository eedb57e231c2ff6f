/*
 * Operands that become something else on their way: weights with a scale, halves that are
 * multiplied as floats, an activation of the layer before.  A thread loads vectors of elements that
 * lie side by side, along K or along rows, runs the prologue on them and stores them in chunks.
 */
#include <assert.h>

#include "gpu_runtime/codegen/contract.h"

enum { MAX_VECTORS = 8 };

struct vectors {
    int n;                     /* of a thread */
    int per;                   /* in a row or line */
    int apart;                 /* rows or lines from one to the next */
    LLVMValueRef number, line; /* i32: of the first, in its row or line, and of that */
    LLVMValueRef value[MAX_VECTORS];
};

void gpu_vectors_begin(struct tile *t, struct staged *s)
{
    struct vectors *v = s->vectors = arena_new(t->ek->e->arena, struct vectors);
    v->per = (s->in_lines ? s->tile_rows : t->e->k_block) / s->lanes;
    v->n = s->tile_rows * t->e->k_block / s->lanes / t->threads;
    v->apart = t->threads / v->per;
    assert(t->threads % v->per == 0 && v->n > 0 && v->n <= MAX_VECTORS);
    v->number = gpu_rest(t, t->thread, v->per);
    v->line = gpu_over(t, t->thread, v->per);
}

static LLVMValueRef line_of(struct tile *t, const struct staged *s, int i)
{
    return gpu_plus(t, s->vectors->line, i * s->vectors->apart);
}

/* ---- indices ---- */

static LLVMValueRef or_zero(struct tile *t, LLVMValueRef exists, LLVMValueRef v)
{
    return exists ? LLVMBuildSelect(t->ek->e->b, exists, v, gpu_i32(t, 0), "") : v;
}

/* The indices at a point of K in the stage (i32), a multiple of so many lanes; the first there are
   where it does not exist. */
static void bind_k(struct tile *t, LLVMValueRef in_stage, int lanes, LLVMValueRef exists)
{
    const struct axis *x = &t->k;
    if (!t->at_k.is_even) {
        LLVMValueRef point = gpu_sum(t, gpu_get(t, t->at_k.point), in_stage);
        gpu_bind_lanes(t, x, gpu_over(t, or_zero(t, exists, point), lanes), lanes);
        return;
    }
    struct axis one = {.n = 1};
    for (int i = 0; i < x->n; i++) {
        LLVMValueRef digit = gpu_get(t, t->at_k.digit[i]);
        int by = i == x->n - 1 ? lanes : 1;
        if (i == x->n - 1)
            digit = gpu_sum(t, digit, in_stage);
        one.iter[0] = x->iter[i];
        one.extent[0] = x->extent[i];
        gpu_bind_lanes(t, &one, gpu_over(t, or_zero(t, exists, digit), by), by);
    }
}

/* The element, of all rows, at a multiple of as many lanes; beyond the last row, the last such. */
static LLVMValueRef row_run(struct tile *t, const struct staged *s)
{
    struct emit *e = t->ek->e;
    LLVMValueRef run = gpu_over(t, s == &t->a ? t->m0 : t->n0, s->lanes);
    run = gpu_sum(t, run, s->vectors->number);
    if (s->rows->points % s->tile_rows == 0)
        return run;
    LLVMValueRef last = gpu_i32(t, (int)s->rows->points / s->lanes - 1);
    LLVMValueRef is_behind = LLVMBuildICmp(e->b, LLVMIntUGT, run, last, "");
    return LLVMBuildSelect(e->b, is_behind, last, run, "");
}

/* Those of vector i.  Returns whether it exists; NULL: it does. */
static LLVMValueRef bind_vector(struct tile *t, const struct staged *s, int i)
{
    LLVMValueRef in_stage =
        s->in_lines ? line_of(t, s, i) : gpu_times(t, s->vectors->number, s->lanes);
    LLVMValueRef k = gpu_sum(t, gpu_get(t, t->at_k.point), in_stage);
    LLVMValueRef exists = gpu_is_below(t, k, t->k.points, gpu_last_k(t));
    if (s->in_lines)
        gpu_bind_lanes(t, s->rows, row_run(t, s), s->lanes);
    else
        gpu_bind_axis(t, s->rows, gpu_row_point(t, s, line_of(t, s, i)));
    bind_k(t, in_stage, s->in_lines ? 1 : s->lanes, exists);
    return exists;
}

/* ---- loads and stores ---- */

static LLVMValueRef load(struct tile *t, const struct staged *s)
{
    struct emit_kernel *ek = t->ek;
    const struct koperand *o = s->operand;
    struct eaffine dims[MAX_RANK];
    for (int d = 0; d < ek->k->bufs[o->buf].rank; d++)
        dims[d] = emit_kaffine(ek, &o->dim[d]);
    struct eaddress at = emit_address_affine(ek, o->buf, dims);
    bool varying;
    LLVMValueRef v = emit_load(ek, &at, &varying);
    assert(varying);
    return v;
}

static LLVMValueRef convert(struct tile *t, const struct staged *s, LLVMValueRef raw)
{
    struct emit_kernel *ek = t->ek;
    const struct koperand *o = s->operand;
    if (!o->prologue.n)
        return emit_cast(ek, ek->k->bufs[o->buf].dtype, s->type, raw);
    emit_set(ek, o->prologue.param[0], raw, true);
    emit_block(ek, &o->prologue);
    LLVMValueRef v = emit_get(ek, emit_block_yield(ek, &o->prologue)->args[0], true);
    return emit_cast(ek, t->c->acc, s->type, v);
}

void gpu_load_vectors(struct tile *t, struct staged *s)
{
    struct emit *e = t->ek->e;
    struct vectors *v = s->vectors;
    emit_set_lanes(t->ek, s->lanes);
    for (int i = 0; i < v->n; i++) {
        bind_vector(t, s, i);
        v->value[i] = load(t, s);
    }
    for (int i = 0; i < v->n; i++) {
        LLVMValueRef exists = bind_vector(t, s, i);
        v->value[i] = convert(t, s, v->value[i]);
        LLVMTypeRef type = LLVMTypeOf(v->value[i]);
        if (exists)
            v->value[i] = LLVMBuildSelect(e->b, exists, v->value[i], LLVMConstNull(type), "");
    }
    emit_set_lanes(t->ek, 1);
}

/* The elements of a chunk. */
static LLVMValueRef chunk_of(struct tile *t, const struct staged *s, LLVMValueRef v, int chunk)
{
    enum { MOST = CHUNK_BYTES / 4 };
    LLVMValueRef number[MOST];
    int n = gpu_chunk_elems(s);
    assert(n <= MOST);
    for (int j = 0; j < n; j++)
        number[j] = gpu_i32(t, chunk * n + j);
    LLVMValueRef all = LLVMConstVector(number, (unsigned)n);
    return LLVMBuildShuffleVector(t->ek->e->b, v, LLVMGetPoison(LLVMTypeOf(v)), all, "");
}

void gpu_store_vectors(struct tile *t, const struct staged *s, LLVMValueRef at)
{
    struct emit *e = t->ek->e;
    const struct vectors *v = s->vectors;
    int chunks = s->lanes / gpu_chunk_elems(s);
    for (int i = 0; i < v->n; i++) {
        LLVMValueRef first = gpu_times(t, v->number, chunks), line = line_of(t, s, i);
        LLVMValueRef place =
            s->in_lines ? gpu_line_place(t, s, line, first) : gpu_chunk_place(t, s, line, first);
        place = gpu_sum(t, place, at);
        for (int c = 0; c < chunks; c++) {
            LLVMValueRef to = LLVMBuildXor(e->b, place, gpu_i32(t, c * CHUNK_BYTES), "");
            LLVMValueRef store =
                LLVMBuildStore(e->b, chunk_of(t, s, v->value[i], c), gpu_shared_at(t, to, 0));
            LLVMSetAlignment(store, CHUNK_BYTES);
        }
    }
}
