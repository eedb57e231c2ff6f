/*
 * schedule_order.h: how a map's loops lie to the memory that it touches, which is the same question
 * on every target.
 */
#ifndef SHEAF_IR_SCHEDULE_ORDER_H
#define SHEAF_IR_SCHEDULE_ORDER_H

#include "ir/schedule.h"

/* Maps and reductions whose accesses are looked at, from the outside in. */
struct schedule_nest {
    const struct schedule_nest *outer;
    const struct kregion *region;
};

/* A load or a store by affine forms of the nest's indices, those of one value left out. */
struct schedule_access {
    const struct kbuf *buf;
    int buf_index;
    struct kaffine dims[MAX_RANK];
    bool affine;
};

void schedule_read_access(const struct kernel *k, const struct schedule_nest *nest,
                          const struct kinst *in, struct schedule_access *out);

/* The stride in elements, in the buffer's layout, of a step of `index` in an access at the given
   affine forms; false where it is not one number. */
bool schedule_stride(const struct kbuf *b, const struct kaffine *dims, kval index,
                     int64_t *out_stride);

/* How the loads and stores of a block, those inside included, would look with `index` as the lane:
   side by side or not; the rest is one for all lanes. */
struct schedule_tally {
    kval index;
    int contiguous, strided, strided_constants;
    unsigned widest_bytes; /* of a value or an element; */
    unsigned memory_bytes; /* of an element that has a neighbour */
};
void schedule_count(const struct kernel *k, const struct schedule_nest *nest,
                    const struct kblock *blk, struct schedule_tally *tally);

/*
 * The loops of a map in the order in which the result of its first store lies in memory, those of
 * indices that it does not have outside.  *out_span is how many elements the innermost block holds;
 * INT64_MAX: there is none.  A store in a scan counts, and one in a map where `maps` says so. False
 * where there is no store at affine indices, or no loop.
 */
bool schedule_order_loops(const struct kernel *k, const struct kregion *r, bool maps,
                          struct schedule_entry *out_entry, int64_t *out_span);

#endif
