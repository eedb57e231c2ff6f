/*
 * contract.h: the parts of the GPU's contraction generator: the tiles and what multiplies them
 * (contract_shape.c, schedule_contract.c, schedule_cost.c), staging (contract_load.c,
 * contract_copy.c, contract_across.c, contract_convert.c), products (contract_factors.c,
 * contract_product.c), sums and their epilogue (contract_finish.c), and all of a tile
 * (contract_tile.c).
 *
 * A contraction is a product of matrices: the rows are the points of its M indices, the columns
 * those of its N indices, one behind the other, for each point of its BATCH indices.  A block of
 * threads computes a tile of the result.  Step by step of K it stages rows of A and of B, as many
 * bytes of K of each row, in shared memory, where threads find what they need of it.  Where not K
 * but neighbouring rows lie side by side in memory they do so in shared memory too: it then has
 * lines, one for each value of K, of an element of each row.
 */
#ifndef SHEAF_GPU_CONTRACT_H
#define SHEAF_GPU_CONTRACT_H

#include "bundle/emit/emit_internal.h"
#include "gpu_runtime/codegen/gpu_target.h"

enum { CHUNK_BYTES = 16 }; /* that a thread stages at once */

/* Indices that run as one number, the last the fastest. */
struct axis {
    int iter[KREGION_MAX_DIMS];
    int64_t extent[KREGION_MAX_DIMS];
    int n;
    int64_t points;
    int64_t last; /* of K: the extent of the last index, which may be filled up beyond it */
};

/* One operand in shared memory: rows of `row_bytes`, or lines, in chunks whose places are permuted
   so that what a warp reads at a time lies in different groups of banks. */
struct staged {
    const struct koperand *operand;
    const struct axis *rows;
    enum dtype type; /* of its elements there */
    int tile_rows;
    int offset_bytes; /* in a stage */
    enum schedule_staging staging;
    bool in_lines;         /* else in rows */
    bool rows_fast;        /* by elements: the neighbours in memory are those of rows, not of K */
    int lanes;             /* by vectors: elements of one */
    struct copies *copies; /* what a thread keeps of them from step to step */
    struct lines *lines;   /* the same of lines */
    struct vectors *vectors;
};

/* Where the next stage begins in K, in slots that hold i32. */
struct k_place {
    LLVMValueRef point;                   /* of all K */
    LLVMValueRef digit[KREGION_MAX_DIMS]; /* the value of each index */
    bool is_even;                         /* a stage has one value of each index but the last */
    LLVMValueRef chunk; /* i32: elements of K before the chunks that a thread copies, in a stage */
};

struct tile {
    struct emit_kernel *ek;
    const struct kregion *r;
    const struct kcontract *c;
    const struct schedule_entry *e;
    struct axis batch, m, n, k;
    struct staged a, b;
    struct k_place at_k;
    bool is_beyond; /* stages behind the end of K are staged too, of zeros */
    int row_bytes, stage_bytes, threads;
    LLVMValueRef thread, warp, lane; /* i32; the latter two of matrix instructions */
    LLVMValueRef shared;             /* i32: where shared memory begins */
    LLVMValueRef m0, n0;             /* i32: the tile's first row and column */
    LLVMValueRef a_place, b_place;   /* i32: of the thread's first factors in the first stage */
    LLVMTypeRef acc_type;
    LLVMValueRef *acc; /* slots, by part row and column as contract_product.c has them */
    int n_acc;
};

/* ---- schedule_contract.c ---- */
/* False where the contraction is expanded.  Sets threads, blocks and shared memory of the schedule.
 */
bool gpu_schedule_contract(const struct target *t, struct kernel *k, kval contract,
                           struct schedule *s, struct schedule_entry *out_entry);
/* What struct target wants to know (target.h). */
void gpu_prepare_contract(const struct target *t, struct kernel *k, kval contract);
/* ---- contract_shape.c ---- */
/* The parts of a contraction as its schedule has them. */
void gpu_describe_tile(const struct kernel *k, const struct schedule_entry *e, struct tile *t);
/* Elements in a chunk of an operand. */
int gpu_chunk_elems(const struct staged *s);
/* Values of K in a stage. */
int gpu_stage_elems(const struct staged *s);
/* The stride of an index in an operand's memory; false where it is not one number. */
bool gpu_stride_of(const struct kernel *k, const struct koperand *o, kval index,
                   int64_t *out_stride);
/* Whether all K of a row is one run. */
bool gpu_is_run(const struct kernel *k, const struct kregion *r, const struct axis *x,
                const struct koperand *o);
bool gpu_is_zero(const struct kernel *k, kval v); /* a constant */
/* The dimension of operand B, a constant, that index `iter` alone runs along from 0 on; -1: there
   is none. */
int gpu_packed_dim(const struct kernel *k, const struct kregion *r, int iter);
bool gpu_is_matrix(const struct schedule_entry *e);

/* ---- schedule_cost.c ---- */
/* The time of a contraction with the sum in so many parts, those of all launches together. */
int64_t gpu_tile_cycles(const struct tile *t, int threads, int64_t splits);

/* ---- contract_load.c ---- */
/* The values of an axis' indices at a point (i32), bound. */
void gpu_bind_axis(struct tile *t, const struct axis *x, LLVMValueRef point);
/* The same where the last index runs in lanes: of run number `run` of so many points. */
void gpu_bind_lanes(struct tile *t, const struct axis *x, LLVMValueRef run, int lanes);
/* The greatest point of K that is staged. */
int64_t gpu_last_k(const struct tile *t);
/* Before the first stage. */
void gpu_stage_begin(struct tile *t);
/* Stages what begins at at_k into the stage at byte `at` (i32) of shared memory, and moves on.
   Between the two may stand what hides the time that loads take. */
void gpu_stage_load(struct tile *t, LLVMValueRef at);
void gpu_stage_store(struct tile *t, LLVMValueRef at);
bool gpu_is_converted(const struct staged *s);
void gpu_stage_commit(struct tile *t);
/* Waits until all but the last n stages that were committed are there. */
void gpu_stage_wait(struct tile *t, int n);
/* i32: the place of a chunk (i32 row and chunk) in the first stage.  That of chunk c ^ d is this
   one ^ d * CHUNK_BYTES, that of the row 8 further the same and 8 rows. */
LLVMValueRef gpu_chunk_place(struct tile *t, const struct staged *s, LLVMValueRef row,
                             LLVMValueRef chunk);
/* A pointer to shared memory, `bytes` behind a place. */
LLVMValueRef gpu_shared_at(struct tile *t, LLVMValueRef place, int bytes);
/* The point of a row (i32) of the tile; beyond the last that one again, whose sums nobody wants. */
LLVMValueRef gpu_row_point(struct tile *t, const struct staged *s, LLVMValueRef row);
LLVMValueRef gpu_both(struct tile *t, LLVMValueRef a, LLVMValueRef b); /* NULL: true */
/* Whether a number (i32) is below a bound; NULL where the greatest it can be is. */
LLVMValueRef gpu_is_below(struct tile *t, LLVMValueRef v, int64_t bound, int64_t most);

/* ---- contract_copy.c: operands that are copied as they lie in memory ---- */
void gpu_copy_begin(struct tile *t, struct staged *s);
void gpu_copy(struct tile *t, const struct staged *s, LLVMValueRef at);
/* The sum of K's digits times these numbers. */
LLVMValueRef gpu_of_digits(struct tile *t, const int64_t *coef);
/* 16 bytes to shared memory from any; zeros where the condition does not hold, NULL: it does. */
void gpu_copy_async(struct tile *t, LLVMValueRef to, LLVMValueRef from, LLVMValueRef exists);

/* ---- contract_across.c: operands in lines ---- */
/* Chunks of a line. */
int gpu_line_chunks(const struct staged *s);
/* i32: the place of a chunk (i32 line and chunk) in the first stage.  That of the line 16 further
   is as many lines further. */
LLVMValueRef gpu_line_place(struct tile *t, const struct staged *s, LLVMValueRef line,
                            LLVMValueRef chunk);
/* The place of a chunk from that of another whose line is a multiple of 16: so many lines and
   chunks further, where their numbers have no bits in common with those of the other. */
LLVMValueRef gpu_line_further(struct tile *t, const struct staged *s, LLVMValueRef place, int line,
                              int chunk);
void gpu_lines_begin(struct tile *t, struct staged *s);
void gpu_copy_lines(struct tile *t, const struct staged *s, LLVMValueRef at);

/* ---- contract_convert.c: operands that are converted, by vectors ---- */
void gpu_vectors_begin(struct tile *t, struct staged *s);
void gpu_load_vectors(struct tile *t, struct staged *s);
void gpu_store_vectors(struct tile *t, const struct staged *s, LLVMValueRef at);

/* ---- contract_factors.c: what a thread multiplies, from shared memory ---- */
/* Where the thread finds its factors; before the others. */
void gpu_find_factors(struct tile *t);
/* Of 16 rows of A, or columns of B, number i of the warp's part: four words as a matrix instruction
   takes them, of B two for 8 columns each, of the so many bytes of K that number k is. */
void gpu_fragments(struct tile *t, const struct staged *s, LLVMValueRef at, int k, int i,
                   LLVMValueRef *out);
/* The first row or column of the warp's part. */
LLVMValueRef gpu_part(struct tile *t, const struct staged *s);
/* Without matrix instructions the thread has rows and columns one by one. */
enum { VALUES = 4 /* in a chunk */ };
/* Chunk number i of the thread's rows at the K of a chunk: four values of K of row i, or in lines,
   of four rows one, of number i % 4. */
LLVMValueRef gpu_values(struct tile *t, const struct staged *s, LLVMValueRef at, int chunk, int i);
/* i32: number i of the thread's rows or columns; in lines, four neighbours follow each other. */
LLVMValueRef gpu_value_row(struct tile *t, const struct staged *s, int i);

/* ---- contract_product.c ---- */
void gpu_clear(struct tile *t);
/* Adds the products of the stage at `at`. */
void gpu_multiply(struct tile *t, LLVMValueRef at);
/* Calls fn for every run of `lanes` neighbouring columns that the thread has sums of: of row m,
   from column n on (i32), of the tile. */
typedef void gpu_sums(struct tile *t, LLVMValueRef m, LLVMValueRef n, const LLVMValueRef *sums,
                      int lanes);
void gpu_each_sum(struct tile *t, gpu_sums *fn);

/* ---- contract_finish.c ---- */
/* Bytes of shared memory that all sums of a tile take. */
int gpu_sums_bytes(const struct tile *t);
/* The epilogue for all sums. */
void gpu_finish(struct tile *t);

/* ---- contract_tile.c ---- */
void gpu_barrier(struct tile *t);
void gpu_emit_contract(struct emit_kernel *ek, kval contract, const struct schedule_entry *entry);

/* ---- numbers, of 32 bits ---- */
static inline LLVMValueRef gpu_i32(const struct tile *t, int v)
{
    return LLVMConstInt(t->ek->e->i32, (unsigned)v, 1);
}

static inline LLVMValueRef gpu_sum(const struct tile *t, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildAdd(t->ek->e->b, a, b, "");
}

static inline LLVMValueRef gpu_plus(const struct tile *t, LLVMValueRef a, int b)
{
    return b ? gpu_sum(t, a, gpu_i32(t, b)) : a;
}

static inline LLVMValueRef gpu_times(const struct tile *t, LLVMValueRef a, int b)
{
    return LLVMBuildMul(t->ek->e->b, a, gpu_i32(t, b), "");
}

static inline LLVMValueRef gpu_over(const struct tile *t, LLVMValueRef a, int b)
{
    return LLVMBuildUDiv(t->ek->e->b, a, gpu_i32(t, b), "");
}

static inline LLVMValueRef gpu_rest(const struct tile *t, LLVMValueRef a, int b)
{
    return LLVMBuildURem(t->ek->e->b, a, gpu_i32(t, b), "");
}

static inline LLVMValueRef gpu_get(const struct tile *t, LLVMValueRef slot)
{
    return LLVMBuildLoad2(t->ek->e->b, t->ek->e->i32, slot, "");
}

static inline void gpu_set(const struct tile *t, LLVMValueRef slot, LLVMValueRef v)
{
    LLVMBuildStore(t->ek->e->b, v, slot);
}

#endif
