/*
 * schedule.h: how a kernel runs on a target: tiles, loop order, vectors.  Kernel IR says what, the
 * schedule says how; the evaluator ignores it.
 *
 * A schedule lists one entry per region it has something to say about; regions without an entry run
 * as plain loops in index order.
 *
 * Text form, one line per entry, regions numbered as in the kernel's text:
 *     map %7: for d0 d2 d3 d1/16 d1%16 vector 16
 *     contract %9: tile rows d2,d3 14 cols d1 2x16 k d4/16 pack "abcd16b32a"
 *     contract %9: tile rows d3 14 cols d1 2x16 k d4/64 dot 4 of d4 pack "abcd16b32a4b"
 *     contract %9: tile rows d3 6 cols d1 3x4 k d4/16 dot 4 of d4 at once 4 pack "abcd16b12a4b"
 *     contract %9: tile rows d3 14 cols d1 2x16 k d4/48 dot tile of d4 with 3 of d6 pack "..."
 *     contract %9: expanded
 * dN is index N of the region; dN/B counts blocks of B, dN%B goes through one.
 */
#ifndef SHEAF_IR_SCHEDULE_H
#define SHEAF_IR_SCHEDULE_H

#include "ir/kernel.h"

/* One loop of a map: the whole index (block 0), or its part above or below a block. */
enum schedule_part { SCHEDULE_WHOLE, SCHEDULE_OUTER, SCHEDULE_INNER };

struct schedule_loop {
    int dim; /* of the region */
    enum schedule_part part;
    int64_t block; /* OUTER, INNER: index = outer * block + inner */
};

/* What one step of a contraction does per accumulator. */
enum schedule_dot {
    SCHEDULE_MULTIPLY_ADD, /* one K value: multiply and add */
    SCHEDULE_DOT4,         /* four bytes of K at once ("dot 4") */
    SCHEDULE_DOT2,         /* four bytes of K as two pairs of 16 bits ("dot 2") */
    SCHEDULE_DOT1,         /* one byte of K, extended to 16 bits, or a float of 16 ("dot 1") */
    SCHEDULE_DOT16,        /* sixteen bytes of K, of one column ("dot 16") */
    SCHEDULE_DOT_SQUARE,   /* eight bytes of K of two rows and two columns ("dot 2x8x2") */
    SCHEDULE_DOT_TILE      /* rows x columns x K in tile registers ("dot tile") */
};

struct schedule_entry {
    kval region;
    /* map */
    int n_loops; /* outermost first; the last is the vector loop where lanes > 1 */
    struct schedule_loop loop[2 * KREGION_MAX_DIMS];
    int lanes;
    /* contract */
    int tile_m;             /* result rows (pixels) in registers */
    int tile_n;             /* vectors of result columns (channels) in registers */
    int vector;             /* lanes of one vector of accumulators */
    int k_block;            /* contiguous K elements of operand A */
    int row_iter, col_iter; /* region indices that the rows (-1: none) and the vectors run over */
    int row_outer;          /* index outside row_iter that tiles span too; -1: none */
    int tile_outer; /* values of row_outer in a tile; 0: joined with row_iter into one run */
    int k_iter;     /* index whose blocks of k_block are innermost; -1: none */
    enum schedule_dot dot;
    int group;      /* K values in one product, side by side in packed B; 1 for MULTIPLY_ADD */
    int at_once;    /* groups that one load of A brings; each product takes a lane of it */
    int group_iter; /* the K index they belong to; -1 where a step takes one value */
    /* DOT_TILE: one step takes `span` values of span_iter, a K index too, with all of k_iter, and
       k_block is what they take in A; a span of 1 at most: of k_iter alone. */
    int span, span_iter;
};

struct schedule {
    struct schedule_entry *entries;
    size_t n, cap;
};

struct schedule_entry *schedule_find(const struct schedule *s, kval region); /* NULL: none */
void schedule_print(const struct schedule *s, const struct kernel *k, struct strbuf *out);

#endif
