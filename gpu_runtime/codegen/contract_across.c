/*
 * Operands in lines: neighbouring rows (of B: columns) lie side by side in memory, not neighbouring
 * values of K.  They are copied behind the thread's back (cp.async), 16 bytes of a line at a time.
 *
 * The chunks that a thread copies lie at the same place of their lines, which are a constant number
 * of values of K apart.
 */
#include <assert.h>

#include "gpu_runtime/codegen/contract.h"

struct lines {
    int n;               /* chunks of a thread */
    int apart;           /* lines from one to the next */
    LLVMValueRef place;  /* i32: of the first, in the first stage */
    LLVMValueRef line;   /* i32: its line */
    LLVMValueRef offset; /* i32: elements to it from the start of K */
};

int gpu_line_chunks(const struct staged *s)
{
    return s->tile_rows / gpu_chunk_elems(s);
}

/* ---- places ---- */

enum { GROUPS = 8 /* of banks, each of a chunk */, LINES = 16 };

/*
 * Which of the groups' bits (0: none) bit b of a line's number inverts.  Lines shorter than all
 * groups are in different ones already by their last bits, as many as `apart` says.  At a time a
 * warp reads a chunk of 8 lines where it has matrices of them, those with two values of bit 1 one
 * after the other where elements are bytes; of words, two chunks of 4 lines.
 */
static int inverts(const struct staged *s, int b)
{
    static const int of_bytes[4][4] = {{1, 0, 2, 4}, {0, 0, 1, 2}, {0, 0, 4, 1}, {0, 0, 0, 2}};
    int apart = 0;
    for (int n = gpu_line_chunks(s); n < GROUPS; n *= 2)
        apart++;
    int bytes = (int)dtype_bits(s->type) / 8;
    assert(apart < (bytes == 1 ? 4 : bytes == 2 ? 3 : 2));
    if (bytes == 1)
        return of_bytes[apart][b];
    int step = bytes / 2, bits = bytes == 2 ? 3 : 2;
    return b >= apart && b < bits ? step << (b - apart) : 0;
}

LLVMValueRef gpu_line_place(struct tile *t, const struct staged *s, LLVMValueRef line,
                            LLVMValueRef chunk)
{
    struct emit *e = t->ek->e;
    LLVMValueRef number = gpu_sum(t, gpu_times(t, line, gpu_line_chunks(s)), chunk);
    for (int b = 0; 1 << b < LINES; b++) {
        if (!inverts(s, b))
            continue;
        LLVMValueRef bit = gpu_rest(t, gpu_over(t, line, 1 << b), 2);
        number = LLVMBuildXor(e->b, number, gpu_times(t, bit, inverts(s, b)), "");
    }
    LLVMValueRef place = gpu_sum(t, t->shared, gpu_times(t, number, CHUNK_BYTES));
    return gpu_plus(t, place, s->offset_bytes);
}

LLVMValueRef gpu_line_further(struct tile *t, const struct staged *s, LLVMValueRef place, int line,
                              int chunk)
{
    struct emit *e = t->ek->e;
    int inverted = chunk % GROUPS, line_bytes = gpu_line_chunks(s) * CHUNK_BYTES;
    for (int b = 0; 1 << b < LINES; b++)
        inverted ^= line >> b & 1 ? inverts(s, b) : 0;
    place = LLVMBuildXor(e->b, place, gpu_i32(t, inverted * CHUNK_BYTES), "");
    return gpu_plus(t, place, line * line_bytes + chunk / GROUPS * GROUPS * CHUNK_BYTES);
}

/* ---- copies ---- */

static int64_t last_stride(const struct tile *t, const struct staged *s)
{
    int64_t stride;
    bool one = gpu_stride_of(t->ek->k, s->operand, t->r->index[t->k.iter[t->k.n - 1]], &stride);
    assert(one);
    (void)one;
    return stride;
}

/* The first element (i32) of a chunk; of one beyond the last row, the last chunk there is. */
static LLVMValueRef chunk_row(struct tile *t, const struct staged *s, LLVMValueRef chunk)
{
    struct emit *e = t->ek->e;
    LLVMValueRef row = gpu_times(t, chunk, gpu_chunk_elems(s));
    row = gpu_sum(t, s == &t->a ? t->m0 : t->n0, row);
    if (s->rows->points % s->tile_rows == 0)
        return row;
    LLVMValueRef last = gpu_i32(t, (int)s->rows->points - gpu_chunk_elems(s));
    LLVMValueRef is_behind = LLVMBuildICmp(e->b, LLVMIntUGT, row, last, "");
    return LLVMBuildSelect(e->b, is_behind, last, row, "");
}

void gpu_lines_begin(struct tile *t, struct staged *s)
{
    struct emit_kernel *ek = t->ek;
    struct emit *e = ek->e;
    struct lines *l = s->lines = arena_new(e->arena, struct lines);
    int per = gpu_line_chunks(s);
    l->n = t->e->k_block * per / t->threads;
    l->apart = t->threads / per;
    assert(t->threads % per == 0 && l->n * t->threads == t->e->k_block * per);
    LLVMValueRef chunk = gpu_rest(t, t->thread, per);
    l->line = gpu_over(t, t->thread, per);
    l->place = gpu_line_place(t, s, l->line, chunk);
    gpu_bind_axis(t, s->rows, chunk_row(t, s, chunk));
    for (int i = 0; i < t->k.n; i++) {
        struct eaffine zero = eaffine_const(0);
        emit_bind_index(ek, t->r->index[t->k.iter[i]], &zero);
    }
    struct eaffine dims[MAX_RANK];
    for (int d = 0; d < ek->k->bufs[s->operand->buf].rank; d++)
        dims[d] = emit_kaffine(ek, &s->operand->dim[d]);
    struct eaddress at = emit_address_affine(ek, s->operand->buf, dims);
    LLVMValueRef first = eaffine_value(ek, &at.affine);
    first = LLVMBuildIntCast2(e->b, first, e->i32, 1, "");
    l->offset = gpu_sum(t, first, gpu_times(t, l->line, (int)last_stride(t, s)));
}

/* i32: elements from the start of K to where the stage begins. */
static LLVMValueRef stage_offset(struct tile *t, const struct staged *s)
{
    if (!t->at_k.is_even)
        return gpu_times(t, gpu_get(t, t->at_k.point), (int)last_stride(t, s));
    int64_t stride[KREGION_MAX_DIMS];
    for (int i = 0; i < t->k.n; i++)
        gpu_stride_of(t->ek->k, s->operand, t->r->index[t->k.iter[i]], &stride[i]);
    return gpu_of_digits(t, stride);
}

void gpu_copy_lines(struct tile *t, const struct staged *s, LLVMValueRef at)
{
    struct emit *e = t->ek->e;
    const struct lines *l = s->lines;
    int buf = s->operand->buf;
    int64_t step = last_stride(t, s) * l->apart;
    LLVMTypeRef type = emit_memory_type(e, s->type);
    LLVMValueRef offset = gpu_sum(t, l->offset, stage_offset(t, s));
    LLVMValueRef first = LLVMBuildGEP2(e->b, type, t->ek->buf[buf], &offset, 1, "");
    LLVMValueRef place = gpu_sum(t, l->place, at);
    LLVMValueRef k = gpu_sum(t, gpu_get(t, t->at_k.point), l->line);
    for (int i = 0; i < l->n; i++) {
        LLVMValueRef by = LLVMConstInt(e->i64, (uint64_t)(step * i), 1);
        LLVMValueRef from = i ? LLVMBuildGEP2(e->b, type, first, &by, 1, "") : first;
        LLVMValueRef to = gpu_shared_at(t, gpu_line_further(t, s, place, i * l->apart, 0), 0);
        gpu_copy_async(t, to, from,
                       gpu_is_below(t, gpu_plus(t, k, i * l->apart), t->k.points, gpu_last_k(t)));
    }
}
