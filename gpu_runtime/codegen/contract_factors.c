/*
 * What a thread multiplies, from shared memory to registers.
 *
 * ldmatrix brings both operands of a matrix instruction where they are wanted: of four times 8 rows
 * of 16 bytes each lane gets 4 bytes of a row (PTX ISA, "Matrix fragments for mma.m16n8k8",
 * ".m16n8k16", ".m16n8k32").  Of what is staged in lines it takes lines for rows, and turns them
 * where elements have 16 bits.  What it turns of bytes are pairs, of two rows; so lines are taken
 * in an order in which two such words hold four neighbouring values of K of both rows, which a
 * permutation of bytes parts.  A matrix instruction then has every second row, or column.  Elements
 * of 32 bits are loaded as they are wanted.
 */
#include <assert.h>

#include "gpu_runtime/codegen/contract.h"

enum {
    PART_ROWS = 16, /* of A, or columns of B, that four fragments have */
    MMA_BYTES = 32, /* of K */
    WORDS = 4
};

static int elem_bytes(const struct staged *s)
{
    return (int)dtype_bits(s->type) / 8;
}

LLVMValueRef gpu_part(struct tile *t, const struct staged *s)
{
    int parts_n = t->e->tile_n / t->e->part_n;
    if (s == &t->a)
        return gpu_times(t, gpu_over(t, t->warp, parts_n), t->e->part_m);
    return gpu_times(t, gpu_rest(t, t->warp, parts_n), t->e->part_n);
}

/* ---- matrix instructions: the first place ---- */

/* Fragments of A are in the order (rows, K), (rows + 8, K), (rows, K + half), (rows + 8, K + half),
   those of B have K faster. */
static LLVMValueRef fragment_row(struct tile *t, const struct staged *s, LLVMValueRef fragment)
{
    return s == &t->a ? gpu_rest(t, fragment, 2) : gpu_over(t, fragment, 2);
}

static LLVMValueRef fragment_half(struct tile *t, const struct staged *s, LLVMValueRef fragment)
{
    return s == &t->a ? gpu_over(t, fragment, 2) : gpu_rest(t, fragment, 2);
}

static LLVMValueRef find_rows(struct tile *t, const struct staged *s)
{
    LLVMValueRef fragment = gpu_over(t, t->lane, 8), in_eight = gpu_rest(t, t->lane, 8);
    LLVMValueRef row = gpu_sum(t, gpu_times(t, fragment_row(t, s, fragment), 8), in_eight);
    return gpu_chunk_place(t, s, gpu_sum(t, gpu_part(t, s), row), fragment_half(t, s, fragment));
}

/* The first two fragments are 16 values of K, as the head of this file tells. */
static LLVMValueRef find_lines_of_bytes(struct tile *t, const struct staged *s)
{
    LLVMValueRef fragment = gpu_over(t, t->lane, 8), in_eight = gpu_rest(t, t->lane, 8);
    LLVMValueRef line = gpu_times(t, gpu_over(t, in_eight, 2), 4);
    line = gpu_sum(t, line, gpu_rest(t, in_eight, 2));
    line = gpu_sum(t, line, gpu_times(t, gpu_rest(t, fragment, 2), 2));
    line = gpu_sum(t, line, gpu_times(t, gpu_over(t, fragment, 2), 16));
    return gpu_line_place(t, s, line, gpu_over(t, gpu_part(t, s), gpu_chunk_elems(s)));
}

static LLVMValueRef find_lines_of_halves(struct tile *t, const struct staged *s)
{
    LLVMValueRef fragment = gpu_over(t, t->lane, 8), in_eight = gpu_rest(t, t->lane, 8);
    LLVMValueRef line = gpu_sum(t, gpu_times(t, fragment_half(t, s, fragment), 8), in_eight);
    LLVMValueRef chunk = gpu_over(t, gpu_part(t, s), gpu_chunk_elems(s));
    return gpu_line_place(t, s, line, gpu_sum(t, chunk, fragment_row(t, s, fragment)));
}

/* Lane l wants K number l % 4 of row l / 4. */
static LLVMValueRef find_lines_of_words(struct tile *t, const struct staged *s)
{
    LLVMValueRef row = gpu_over(t, t->lane, 4), chunk = gpu_over(t, gpu_part(t, s), VALUES);
    chunk = gpu_sum(t, chunk, gpu_over(t, row, VALUES));
    LLVMValueRef place = gpu_line_place(t, s, gpu_rest(t, t->lane, 4), chunk);
    return gpu_sum(t, place, gpu_times(t, gpu_rest(t, row, VALUES), elem_bytes(s)));
}

static LLVMValueRef find_fragments(struct tile *t, const struct staged *s)
{
    if (!s->in_lines)
        return find_rows(t, s);
    return elem_bytes(s) == 1   ? find_lines_of_bytes(t, s)
           : elem_bytes(s) == 2 ? find_lines_of_halves(t, s)
                                : find_lines_of_words(t, s);
}

/* ---- matrix instructions: loads ---- */

/* Four 8x8 fragments; `place` is where this lane's address is. */
static void load_four(struct tile *t, const char *name, LLVMValueRef place, int bytes,
                      LLVMValueRef *out)
{
    struct emit *e = t->ek->e;
    LLVMValueRef p = gpu_shared_at(t, place, bytes);
    LLVMTypeRef type = LLVMTypeOf(p);
    LLVMValueRef four = emit_intrinsic(e, name, &type, 1, &p, 1);
    for (unsigned i = 0; i < WORDS; i++)
        out[i] = LLVMBuildExtractValue(e->b, four, i, "");
}

static void load_turned(struct tile *t, LLVMValueRef place, LLVMValueRef *out)
{
    load_four(t, "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16", place, 0, out);
}

static LLVMValueRef chunk_further(struct tile *t, LLVMValueRef place, int chunk)
{
    return LLVMBuildXor(t->ek->e->b, place, gpu_i32(t, chunk * CHUNK_BYTES), "");
}

/* The bytes of two words that the digits of a number tell, the lowest first (PTX ISA, prmt). */
static LLVMValueRef permuted(struct tile *t, LLVMValueRef low, LLVMValueRef high, int digits)
{
    LLVMValueRef args[3] = {low, high, gpu_i32(t, digits)};
    return emit_intrinsic(t->ek->e, "llvm.nvvm.prmt", NULL, 0, args, 3);
}

static void load_bytes(struct tile *t, const struct staged *s, LLVMValueRef place,
                       LLVMValueRef *out)
{
    enum { EVEN = 0x6420, ODD = 0x7531 };
    LLVMValueRef raw[WORDS];
    load_turned(t, place, raw);
    for (int half = 0; half < 2; half++) {
        LLVMValueRef low = raw[2 * half], high = raw[2 * half + 1];
        int even = s == &t->a ? 2 * half : half, odd = s == &t->a ? 2 * half + 1 : 2 + half;
        out[even] = permuted(t, low, high, EVEN);
        out[odd] = permuted(t, low, high, ODD);
    }
}

static void load_words(struct tile *t, const struct staged *s, LLVMValueRef place, int line,
                       int chunk, LLVMValueRef *out)
{
    struct emit *e = t->ek->e;
    for (int i = 0; i < WORDS; i++) {
        int eight = s == &t->a ? i % 2 : i / 2, half = s == &t->a ? i / 2 : i % 2;
        LLVMValueRef at =
            gpu_line_further(t, s, place, line + 4 * half, chunk + 8 / VALUES * eight);
        out[i] = LLVMBuildLoad2(e->b, e->i32, gpu_shared_at(t, at, 0), "");
    }
}

void gpu_fragments(struct tile *t, const struct staged *s, LLVMValueRef at, int k, int i,
                   LLVMValueRef *out)
{
    LLVMValueRef place = gpu_sum(t, s == &t->a ? t->a_place : t->b_place, at);
    if (!s->in_lines) {
        place = chunk_further(t, place, k * MMA_BYTES / CHUNK_BYTES);
        load_four(t, "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16", place,
                  i * PART_ROWS * t->row_bytes, out);
        return;
    }
    int line = k * MMA_BYTES / elem_bytes(s), chunk = i * PART_ROWS / gpu_chunk_elems(s);
    if (elem_bytes(s) == 4) {
        load_words(t, s, place, line, chunk, out);
        return;
    }
    place = gpu_line_further(t, s, place, line, chunk);
    if (elem_bytes(s) == 2)
        load_turned(t, place, out);
    else
        load_bytes(t, s, place, out);
}

/* ---- one by one ---- */

/* Thread rows, or runs of them in lines, lie apart by how many threads there are in that direction,
   so that neighbouring threads read neighbouring rows, and write neighbouring columns. */
static int threads_along(const struct tile *t, const struct staged *s)
{
    return s == &t->a ? t->e->tile_m / t->e->part_m : t->e->tile_n / t->e->part_n;
}

static LLVMValueRef first_row(struct tile *t, const struct staged *s)
{
    int along_n = threads_along(t, &t->b);
    return s == &t->a ? gpu_over(t, t->thread, along_n) : gpu_rest(t, t->thread, along_n);
}

LLVMValueRef gpu_value_row(struct tile *t, const struct staged *s, int i)
{
    LLVMValueRef row = first_row(t, s);
    int along = threads_along(t, s);
    if (!s->in_lines)
        return gpu_plus(t, row, i * along);
    row = gpu_plus(t, row, i / VALUES * along);
    return gpu_plus(t, gpu_times(t, row, VALUES), i % VALUES);
}

static LLVMValueRef find_values(struct tile *t, const struct staged *s)
{
    LLVMValueRef zero = gpu_i32(t, 0), row = first_row(t, s);
    return s->in_lines ? gpu_line_place(t, s, zero, row) : gpu_chunk_place(t, s, row, zero);
}

LLVMValueRef gpu_values(struct tile *t, const struct staged *s, LLVMValueRef at, int chunk, int i)
{
    struct emit *e = t->ek->e;
    LLVMValueRef place = gpu_sum(t, s == &t->a ? t->a_place : t->b_place, at);
    LLVMTypeRef type = LLVMVectorType(t->acc_type, VALUES);
    int along = threads_along(t, s), bytes = 0;
    assert(gpu_chunk_elems(s) == VALUES && along % 8 == 0);
    if (s->in_lines) {
        place = gpu_line_further(t, s, place, chunk * VALUES + i % VALUES, i / VALUES * along);
    } else {
        place = chunk_further(t, place, chunk);
        bytes = i * along * t->row_bytes;
    }
    LLVMValueRef v = LLVMBuildLoad2(e->b, type, gpu_shared_at(t, place, bytes), "");
    LLVMSetAlignment(v, CHUNK_BYTES);
    return v;
}

void gpu_find_factors(struct tile *t)
{
    bool is_matrix = gpu_is_matrix(t->e);
    t->a_place = is_matrix ? find_fragments(t, &t->a) : find_values(t, &t->a);
    t->b_place = is_matrix ? find_fragments(t, &t->b) : find_values(t, &t->b);
}
