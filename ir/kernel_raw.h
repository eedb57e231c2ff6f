/*
 * kernel_raw.h: instructions put together by hand, for the passes and the parser: nothing is
 * folded, nothing is checked.  Everybody else uses the builder of kernel.h.
 */
#ifndef SHEAF_IR_KERNEL_RAW_H
#define SHEAF_IR_KERNEL_RAW_H

#include "ir/kernel.h"

/* An instruction that is in no block yet. */
kval kernel_raw_inst(struct kernel *k, enum kop op, enum dtype type, int n_args, const kval *args);
void kernel_raw_append(struct kernel *k, struct kblock *b, kval v);
void kernel_raw_insert(struct kernel *k, struct kblock *b, size_t at, kval v);
/* An affine form as arithmetic at the end of the block; an index by itself stands for itself. */
kval kernel_raw_affine(struct kernel *k, struct kblock *b, const struct kaffine *a);

/* ---- kernel_around.c ---- */
/* What is built goes into the block, until k->n_open is one less again. */
void kernel_raw_open(struct kernel *k, struct kblock *b);
/* index + rest, in the open block. */
kval kernel_raw_moved(struct kernel *k, kval index, const struct kaffine *rest);
/* The block of a contraction becomes the store of the sum; and what it was before is done in the
   open block, with `n` other indices and another value of the sum. */
void kernel_raw_store_sums(struct kernel *k, struct kregion *r, int buf, const kval *index);
void kernel_raw_finish(struct kernel *k, const struct kblock *epilogue, int n, const kval *old,
                       const kval *index, kval sum);

/* Puts what two blocks hold, of which the latter may be NULL, around v (kernel_stage.c). */
void kernel_raw_put_around(struct kernel *k, kval v, const struct kblock *before,
                           const struct kblock *after);

/* A region with its indices, in no block yet. */
kval kernel_raw_region(struct kernel *k, enum kop op, enum dtype type, int n_args, const kval *args,
                       int n_dims, const kval *extents, kval *out_index);
kval kernel_raw_param(struct kernel *k, struct kblock *b, enum dtype type);

/* Every use of v becomes subst[v] where that is not 0 (and again, until it is).  An index of an
   affine access may become another index or a constant. */
void kernel_raw_substitute(struct kernel *k, const kval *subst);

/* The blocks of a region in text order: of a contraction the prologues that are there and the
   epilogue; of others those that the operation has.  Returns how many. */
enum { KREGION_MAX_BLOCKS = 3 };
int kernel_raw_blocks(const struct kernel *k, kval region, struct kblock **out);

/* How many values a region yields. */
int kernel_raw_n_results(const struct kernel *k, kval region);

/* Calls fn for every value that the instruction itself uses, extents, pad values and indices of
   affine accesses included, its blocks excluded. */
void kernel_raw_each_use(const struct kernel *k, kval v, void (*fn)(kval *use, void *arg),
                         void *arg);
/* The same of it and of all that its blocks hold. */
void kernel_raw_each_use_within(const struct kernel *k, kval v, void (*fn)(kval *use, void *arg),
                                void *arg);

/* ---- kernel_bufs.c ---- */
/* Sets out_touched[b] for the buffers that instructions name. */
void kernel_raw_touched_bufs(const struct kernel *k, bool *out_touched);
/* Only these buffers stay, and those that hold their extents, which `keep` receives too;
   out_number[b] is the new number of buffer b, or -1.  Returns whether any went. */
bool kernel_raw_keep_bufs(struct kernel *k, bool *keep, int *out_number);

/*
 * A map that fills a local buffer T whole, each element once, and does nothing else: loads of
 * inputs and arithmetic, so that it holds the same wherever it is computed (kernel_fill.c).
 * Nothing else stores to T.
 */
struct kfill {
    kval store;                   /* to T */
    int dim_of[KREGION_MAX_DIMS]; /* by index of the map: the dimension of T it runs over; -1: it
                                     has one value only */
};
bool kernel_raw_fill(const struct kernel *k, kval map, struct kfill *out_fill);

/* Removes instructions that have no effect and whose values nothing uses, stores to local buffers
   that nothing reads, and the local buffers that are then left over (kernel_dead.c).  The
   others keep their order. */
bool kernel_raw_drop_dead(struct kernel *k);
/* The instructions only. */
bool kernel_raw_sweep(struct kernel *k);

#endif
