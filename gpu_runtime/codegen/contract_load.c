/*
 * Staging: from memory to shared memory, 16 bytes of K of a row at a time.  Where these lie so in
 * memory they are copied (contract_copy.c), or neighbouring rows do (contract_across.c).  What is
 * turned into something else on its way is read and stored by vectors (contract_convert.c), else
 * one by one.
 *
 * Where in K a stage begins is counted as K's indices count, with carries, for a division in each
 * step would take longer than the copies.
 */
#include <assert.h>

#include "gpu_runtime/codegen/contract.h"

void gpu_bind_axis(struct tile *t, const struct axis *x, LLVMValueRef point)
{
    struct emit *e = t->ek->e;
    for (int i = x->n - 1; i >= 0; i--) {
        struct eaffine a = eaffine_const(0);
        if (x->extent[i] > 1) {
            LLVMValueRef v = i ? gpu_rest(t, point, (int)x->extent[i]) : point;
            v = LLVMBuildIntCast2(e->b, v, e->index, 0, "");
            a = eaffine_var(emit_add_var(t->ek, v, x->extent[i]));
            if (i)
                point = gpu_over(t, point, (int)x->extent[i]);
        }
        emit_bind_index(t->ek, t->r->index[x->iter[i]], &a);
    }
}

void gpu_bind_lanes(struct tile *t, const struct axis *axis, LLVMValueRef run, int lanes)
{
    struct axis x = *axis;
    if (lanes == 1) {
        gpu_bind_axis(t, &x, run);
        return;
    }
    x.extent[x.n - 1] /= lanes;
    gpu_bind_axis(t, &x, run);
    struct eaffine *last = &t->ek->bind[t->r->index[x.iter[x.n - 1]]];
    for (int i = 0; i < last->n_terms; i++)
        last->term[i].coef *= lanes;
    eaffine_add_term(last, EVAR_LANE, 1);
}

LLVMValueRef gpu_chunk_place(struct tile *t, const struct staged *s, LLVMValueRef row,
                             LLVMValueRef chunk)
{
    struct emit *e = t->ek->e;
    int chunks = t->row_bytes / CHUNK_BYTES;
    assert(chunks == 8);
    LLVMValueRef turn = LLVMBuildAnd(e->b, row, gpu_i32(t, chunks - 1), "");
    chunk = LLVMBuildXor(e->b, chunk, turn, "");
    LLVMValueRef place = gpu_sum(t, t->shared, gpu_times(t, row, t->row_bytes));
    place = gpu_sum(t, place, gpu_times(t, chunk, CHUNK_BYTES));
    return gpu_plus(t, place, s->offset_bytes);
}

LLVMValueRef gpu_shared_at(struct tile *t, LLVMValueRef place, int bytes)
{
    struct emit *e = t->ek->e;
    LLVMTypeRef shared = LLVMPointerTypeInContext(e->ctx, gpu_threads.shared_space);
    LLVMValueRef p = LLVMBuildIntToPtr(e->b, place, shared, ""), by = gpu_i32(t, bytes);
    return bytes ? LLVMBuildInBoundsGEP2(e->b, e->i8, p, &by, 1, "") : p;
}

LLVMValueRef gpu_both(struct tile *t, LLVMValueRef a, LLVMValueRef b)
{
    return a && b ? LLVMBuildAnd(t->ek->e->b, a, b, "") : a ? a : b;
}

LLVMValueRef gpu_is_below(struct tile *t, LLVMValueRef v, int64_t bound, int64_t most)
{
    if (most < bound)
        return NULL;
    return LLVMBuildICmp(t->ek->e->b, LLVMIntULT, v, gpu_i32(t, (int)bound), "");
}

LLVMValueRef gpu_row_point(struct tile *t, const struct staged *s, LLVMValueRef row)
{
    struct emit *e = t->ek->e;
    LLVMValueRef point = gpu_sum(t, s == &t->a ? t->m0 : t->n0, row);
    if (s->rows->points % s->tile_rows == 0)
        return point;
    LLVMValueRef last = gpu_i32(t, (int)s->rows->points - 1);
    LLVMValueRef is_behind = LLVMBuildICmp(e->b, LLVMIntUGT, point, last, "");
    return LLVMBuildSelect(e->b, is_behind, last, point, "");
}

/* ---- the place in K ---- */

static void begin_k(struct tile *t)
{
    struct k_place *at = &t->at_k;
    const struct axis *x = &t->k;
    int chunks = t->row_bytes / CHUNK_BYTES;
    at->is_even = x->n == 1 || x->extent[x->n - 1] % t->e->k_block == 0;
    at->chunk = gpu_times(t, gpu_rest(t, t->thread, chunks), gpu_chunk_elems(&t->a));
    at->point = emit_alloca(t->ek, t->ek->e->i32);
    gpu_set(t, at->point, gpu_i32(t, 0));
    LLVMValueRef rest = at->is_even ? gpu_i32(t, 0) : at->chunk;
    for (int i = x->n - 1; i >= 0; i--) {
        at->digit[i] = emit_alloca(t->ek, t->ek->e->i32);
        gpu_set(t, at->digit[i], i ? gpu_rest(t, rest, (int)x->extent[i]) : rest);
        rest = gpu_over(t, rest, (int)x->extent[i]);
    }
}

/* Adds the digits of a stage's K, with carries; the first index may run over its end. */
static void next_k(struct tile *t)
{
    struct emit *e = t->ek->e;
    struct k_place *at = &t->at_k;
    const struct axis *x = &t->k;
    gpu_set(t, at->point, gpu_plus(t, gpu_get(t, at->point), t->e->k_block));
    int64_t rest = t->e->k_block;
    LLVMValueRef carry = NULL;
    for (int i = x->n - 1; i >= 0; i--) {
        int64_t add = i ? rest % x->extent[i] : rest;
        if (i && add == 0 && !carry) { /* it stays what it is */
            rest /= x->extent[i];
            continue;
        }
        LLVMValueRef v = gpu_plus(t, gpu_get(t, at->digit[i]), (int)add);
        if (carry)
            v = gpu_sum(t, v, LLVMBuildZExt(e->b, carry, e->i32, ""));
        rest /= x->extent[i];
        if (i) {
            LLVMValueRef end = gpu_i32(t, (int)x->extent[i]);
            carry = LLVMBuildICmp(e->b, LLVMIntUGE, v, end, "");
            v = LLVMBuildSelect(e->b, carry, LLVMBuildSub(e->b, v, end, ""), v, "");
        }
        gpu_set(t, at->digit[i], v);
    }
}

static void bind_digit(struct tile *t, int i, LLVMValueRef v, int plus)
{
    struct eaffine a = eaffine_const(plus);
    if (t->k.extent[i] > 1) {
        v = LLVMBuildIntCast2(t->ek->e->b, v, t->ek->e->index, 0, "");
        eaffine_add_term(&a, emit_add_var(t->ek, v, t->k.extent[i] - plus), 1);
    }
    emit_bind_index(t->ek, t->r->index[t->k.iter[i]], &a);
}

/* The last index where chunks are made of what it runs over, or that is made of chunks: what a
   chunk begins with has all digits, and j follows. */
static LLVMValueRef bind_k_in_fit(struct tile *t, LLVMValueRef chunk, int j)
{
    const struct axis *x = &t->k;
    int elems = gpu_chunk_elems(&t->a), last = x->n - 1;
    int run = (int)x->extent[last], in_run = run < elems ? j % run : j;
    LLVMValueRef at = gpu_sum(t, gpu_get(t, t->at_k.point), gpu_times(t, chunk, elems));
    LLVMValueRef digit = run < elems ? gpu_i32(t, 0) : gpu_rest(t, at, run);
    struct axis others = *x;
    others.n = last;
    gpu_bind_axis(t, &others, gpu_plus(t, gpu_over(t, at, run), run < elems ? j / run : 0));
    bind_digit(t, last, digit, in_run);
    return gpu_is_below(t, gpu_plus(t, digit, in_run), x->last, run - 1);
}

/* K's indices at element j of chunk number `chunk` (i32) of the stage, bound.  Returns whether
   there is such an element of the last index; NULL: there is. */
static LLVMValueRef bind_k(struct tile *t, LLVMValueRef chunk, int j)
{
    const struct axis *x = &t->k;
    int elems = gpu_chunk_elems(&t->a);
    int64_t run = x->extent[x->n - 1];
    if (!t->at_k.is_even && (elems % run == 0 || run % elems == 0))
        return bind_k_in_fit(t, chunk, j);
    LLVMValueRef in_stage = gpu_plus(t, gpu_times(t, chunk, elems), j);
    if (!t->at_k.is_even) {
        gpu_bind_axis(t, x, gpu_sum(t, gpu_get(t, t->at_k.point), in_stage));
        return NULL;
    }
    for (int i = 0; i < x->n; i++) {
        LLVMValueRef v = gpu_get(t, t->at_k.digit[i]);
        bind_digit(t, i, i == x->n - 1 ? gpu_sum(t, v, in_stage) : v, 0);
    }
    return NULL;
}

int64_t gpu_last_k(const struct tile *t)
{
    int64_t block = t->e->k_block;
    return t->is_beyond ? INT64_MAX : (t->k.points + block - 1) / block * block - 1;
}

/* ---- one by one ---- */

/* Whether the element at the indices as they are bound lies inside the buffer; NULL: it does. */
static LLVMValueRef is_inside(struct tile *t, const struct koperand *o, const struct eaffine *at)
{
    struct emit_kernel *ek = t->ek;
    const struct kbuf *b = &ek->k->bufs[o->buf];
    LLVMValueRef inside = NULL;
    for (int d = 0; o->padded && d < b->rank; d++) {
        int64_t least, most;
        if (eaffine_range(ek, &at[d], &least, &most) && least >= 0 && most < b->dims[d])
            continue;
        LLVMValueRef v = eaffine_value(ek, &at[d]);
        LLVMValueRef extent = emit_index(ek->e, b->dims[d]);
        inside = gpu_both(t, inside, LLVMBuildICmp(ek->e->b, LLVMIntULT, v, extent, ""));
    }
    return inside;
}

static void access_dims(struct tile *t, const struct koperand *o, struct eaffine *out)
{
    for (int d = 0; d < t->ek->k->bufs[o->buf].rank; d++)
        out[d] = emit_kaffine(t->ek, &o->dim[d]);
}

/* The element at the indices as they are bound, as it is multiplied; zero where it does not exist.
 */
static LLVMValueRef read_element(struct tile *t, const struct staged *s, LLVMValueRef exists)
{
    struct emit_kernel *ek = t->ek;
    struct emit *e = ek->e;
    const struct koperand *o = s->operand;
    const struct kbuf *b = &ek->k->bufs[o->buf];
    struct eaffine dims[MAX_RANK];
    access_dims(t, o, dims);
    LLVMValueRef inside = is_inside(t, o, dims);
    LLVMValueRef readable = gpu_both(t, exists, inside);
    struct eaddress at = emit_address_affine(ek, o->buf, dims);
    if (readable) {
        LLVMValueRef offset = eaffine_value(ek, &at.affine);
        offset = LLVMBuildSelect(e->b, readable, offset, emit_index(e, 0), "");
        at.affine = eaffine_var(emit_add_var(ek, offset, 0));
    }
    bool varying;
    LLVMValueRef v = emit_load(ek, &at, &varying);
    if (inside)
        v = LLVMBuildSelect(e->b, inside, v, emit_get(ek, o->pad, false), "");
    enum dtype type = b->dtype;
    if (o->prologue.n) {
        emit_set(ek, o->prologue.param[0], v, false);
        emit_block(ek, &o->prologue);
        v = emit_get(ek, emit_block_yield(ek, &o->prologue)->args[0], false);
        type = t->c->acc;
    }
    v = emit_cast(ek, type, s->type, v);
    return exists ? LLVMBuildSelect(e->b, exists, v, LLVMConstNull(LLVMTypeOf(v)), "") : v;
}

/* K's indices are the first there are where the element does not exist: the prologue may read what
   they lead to. */
static void bind_inside_k(struct tile *t, LLVMValueRef exists)
{
    struct emit_kernel *ek = t->ek;
    for (int i = 0; i < t->k.n; i++) {
        kval index = t->r->index[t->k.iter[i]];
        LLVMValueRef v = eaffine_value(ek, &ek->bind[index]);
        v = LLVMBuildSelect(ek->e->b, exists, v, emit_index(ek->e, 0), "");
        int64_t extent = kernel_static_extent(ek->k, t->r, t->k.iter[i]);
        struct eaffine a = eaffine_var(emit_add_var(ek, v, extent));
        emit_bind_index(ek, index, &a);
    }
}

static void read_chunk(struct tile *t, const struct staged *s, LLVMValueRef k_chunk,
                       LLVMValueRef place)
{
    struct emit *e = t->ek->e;
    int n = gpu_chunk_elems(s);
    LLVMTypeRef type = emit_memory_type(e, s->type);
    LLVMValueRef chunk = LLVMGetPoison(LLVMVectorType(type, (unsigned)n));
    LLVMValueRef first = gpu_sum(t, gpu_get(t, t->at_k.point), gpu_times(t, k_chunk, n));
    for (int j = 0; j < n; j++) {
        LLVMValueRef exists = bind_k(t, k_chunk, j);
        exists =
            gpu_both(t, exists, gpu_is_below(t, gpu_plus(t, first, j), t->k.points, gpu_last_k(t)));
        if (exists && s->operand->prologue.n)
            bind_inside_k(t, exists);
        LLVMValueRef v = read_element(t, s, exists);
        chunk = LLVMBuildInsertElement(e->b, chunk, v, gpu_i32(t, j), "");
    }
    LLVMSetAlignment(LLVMBuildStore(e->b, chunk, gpu_shared_at(t, place, 0)), CHUNK_BYTES);
}

/* Chunk number `id` (i32) of the rows. */
static void stage_chunk(struct tile *t, const struct staged *s, LLVMValueRef id, LLVMValueRef at)
{
    int chunks = t->row_bytes / CHUNK_BYTES;
    int by = s->rows_fast ? s->tile_rows : chunks;
    LLVMValueRef low = gpu_rest(t, id, by), high = gpu_over(t, id, by);
    LLVMValueRef row = s->rows_fast ? low : high, chunk = s->rows_fast ? high : low;
    gpu_bind_axis(t, s->rows, gpu_row_point(t, s, row));
    read_chunk(t, s, chunk, gpu_sum(t, gpu_chunk_place(t, s, row, chunk), at));
}

static void stage_read(struct tile *t, const struct staged *s, LLVMValueRef at)
{
    int total = s->tile_rows * (t->row_bytes / CHUNK_BYTES);
    assert(total % t->threads == 0);
    for (int first = 0; first < total; first += t->threads)
        stage_chunk(t, s, gpu_plus(t, t->thread, first), at);
}

/* ---- both operands ---- */

void gpu_stage_begin(struct tile *t)
{
    struct staged *both[2] = {&t->a, &t->b};
    begin_k(t);
    for (int i = 0; i < 2; i++)
        if (both[i]->staging == STAGING_K)
            gpu_copy_begin(t, both[i]);
        else if (both[i]->staging == STAGING_ACROSS)
            gpu_lines_begin(t, both[i]);
        else if (gpu_is_converted(both[i]))
            gpu_vectors_begin(t, both[i]);
}

void gpu_stage_load(struct tile *t, LLVMValueRef at)
{
    struct staged *both[2] = {&t->a, &t->b};
    for (int i = 0; i < 2; i++) {
        if (both[i]->staging == STAGING_K)
            gpu_copy(t, both[i], at);
        else if (both[i]->staging == STAGING_ACROSS)
            gpu_copy_lines(t, both[i], at);
        else if (gpu_is_converted(both[i]))
            gpu_load_vectors(t, both[i]);
        else
            stage_read(t, both[i], at);
    }
}

void gpu_stage_store(struct tile *t, LLVMValueRef at)
{
    const struct staged *both[2] = {&t->a, &t->b};
    for (int i = 0; i < 2; i++)
        if (gpu_is_converted(both[i]))
            gpu_store_vectors(t, both[i], at);
    next_k(t);
}

void gpu_stage_commit(struct tile *t)
{
    emit_intrinsic(t->ek->e, "llvm.nvvm.cp.async.commit.group", NULL, 0, NULL, 0);
}

void gpu_stage_wait(struct tile *t, int n)
{
    LLVMValueRef arg = gpu_i32(t, n);
    emit_intrinsic(t->ek->e, "llvm.nvvm.cp.async.wait.group", NULL, 0, &arg, 1);
}
