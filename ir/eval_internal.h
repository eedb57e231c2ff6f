/*
 * eval_internal.h: the parts of the evaluator.
 *
 * The interpreter runs each instruction over up to EVAL_LANES index points at once, so that the
 * cost of dispatch is shared.  Every value has a slot with one element per lane.  Outside of maps
 * one lane is in use; a map whose body can run in lock step puts consecutive points of its domain
 * into the lanes, after copying what it uses from outside (its captures) to all of them.
 */
#ifndef SHEAF_IR_EVAL_INTERNAL_H
#define SHEAF_IR_EVAL_INTERNAL_H

#include "ir/eval.h"

enum { EVAL_LANES = 64 };

/* Integers and bools in i, wrapped to their type; f32, f16 and bf16 in f; f64 in d. */
union lanes {
    int64_t i[EVAL_LANES];
    float f[EVAL_LANES];
    double d[EVAL_LANES];
};

struct eval_buf {
    uint8_t *data;
    enum dtype dtype;
    int rank;
    bool dynamic; /* strides follow extents that are known only when an access runs */
    int64_t dims[MAX_RANK];
    int64_t block[MAX_RANK]; /* layout_block_size */
    struct layout layout;
    struct layout_strides strides;
};

struct eval_captures {
    kval *v;
    size_t n, cap;
};

struct eval {
    const struct kernel *k;
    const struct eval_options *opt;
    struct arena *scratch;
    struct eval_buf *bufs;
    union lanes **slot;             /* by kval; a region's first result */
    union lanes **partial;          /* by kval: the partial results of a reduce, lanes x values */
    struct eval_captures *captures; /* by kval: of maps and contractions */
    bool *lockstep;                 /* by kval: maps that can run several points at once */
};

/* ---- eval.c ---- */
void eval_block(struct eval *e, const struct kblock *b, int n);
/* The instruction that ends the block. */
const struct kinst *eval_yield(const struct eval *e, const struct kblock *b);
/* Puts points start .. start+n-1 (row-major) of a domain into the lanes of its indices. */
void eval_fill_indices(struct eval *e, int n_dims, const kval *index, const int64_t *extent,
                       int64_t start, int n);
void eval_fill(union lanes *s, int64_t value);    /* all lanes */
void eval_broadcast(struct eval *e, kval region); /* lane 0 of the captures to all lanes */

/* ---- eval_prepare.c ---- */
void eval_prepare(struct eval *e, void *const *data);

/* ---- eval_lanes.c: arithmetic; out may be the same slot as an operand ---- */
void eval_unary(enum kop op, enum dtype t, union lanes *out, const union lanes *a, int n);
void eval_binary(enum kop op, enum dtype t, union lanes *out, const union lanes *a,
                 const union lanes *b, int n);
void eval_compare(enum kop op, enum dtype t, union lanes *out, const union lanes *a,
                  const union lanes *b, int n);
void eval_select(enum dtype t, union lanes *out, const union lanes *c, const union lanes *a,
                 const union lanes *b, int n);
void eval_cast(enum dtype to, enum dtype from, union lanes *out, const union lanes *a, int n);
void eval_bitcast(enum dtype to, enum dtype from, union lanes *out, const union lanes *a, int n);
void eval_copy(enum dtype t, union lanes *out, const union lanes *a, int n);

/* ---- eval_memory.c ---- */
/* Takes the true extents of a dynamic buffer from its extent buffers. */
void eval_buf_refresh(struct eval *e, int buf);
/* What index x of dimension d adds to the offset of an element. */
int64_t eval_dim_offset(const struct eval_buf *b, int d, int64_t x);
void eval_gather(const struct eval_buf *b, const int64_t *offset, union lanes *out, int n);
void eval_load(struct eval *e, kval v, int n);
void eval_load_or(struct eval *e, kval v, int n);
void eval_store(struct eval *e, kval v, int n);

/* ---- eval_sort.c ---- */
void eval_sort(struct eval *e, kval v);

/* ---- eval_extern.c ---- */
void eval_extern(struct eval *e, const struct kextern *call);

/* ---- eval_contract.c ---- */
void eval_contract(struct eval *e, kval v);

#endif
