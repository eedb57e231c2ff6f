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
 *     contract %9: tile rows d0 32 cols d1 1x196 dot pairs of d2 pack "abcd2b"
 *     contract %9: expanded
 *     49 blocks of 128 threads, 49152 shared bytes
 *     16 blocks of 128 threads, @3 shared
 *     contract %9: block 64x64 of 32x32 f16, K 64, 3 stages, about 4100 cycles pack "acdb"
 *     contract %9: block 64x64 of 32x32 f16, K 64, 3 stages, a by elements, b across, about ...
 *     map %7: launch d0 d2 d3, groups of 32, for d1
 *     reduce %9: group of 256 parts
 * dN is index N of the region; dN/B counts blocks of B, dN%B goes through one.  On a device, whose
 * launches are blocks of threads, the first line tells how many threads a block has, and the points
 * of loops are spread over the launch, one for each group of threads, or over the group's threads.
 * Of a local buffer that is shared each group has one in the memory of its block.
 * A group may combine floats in more parts than the kernel states: each takes what is congruent to
 * its number, and they are combined pairwise, p with p + P/2, P halving.
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

/* Who runs the points of a map. */
enum schedule_place {
    SCHEDULE_HERE,   /* the code around it, in loops */
    SCHEDULE_LAUNCH, /* the groups of threads of a launch */
    SCHEDULE_GROUP   /* the threads of the group that runs the code around it */
};

/* What one step of a contraction does per accumulator. */
enum schedule_dot {
    SCHEDULE_MULTIPLY_ADD, /* one K value: multiply and add */
    SCHEDULE_DOT4,         /* four bytes of K at once ("dot 4") */
    SCHEDULE_DOT2,         /* four bytes of K as two pairs of 16 bits ("dot 2") */
    SCHEDULE_DOT1,         /* one byte of K, extended to 16 bits, or a float of 16 ("dot 1") */
    SCHEDULE_DOT16,        /* sixteen bytes of K, of one column ("dot 16") */
    SCHEDULE_DOT_PAIRS,    /* two floats of K, each to a sum of its own ("dot pairs") */
    SCHEDULE_DOT_SQUARE,   /* eight bytes of K of two rows and two columns ("dot 2x8x2") */
    SCHEDULE_DOT_TILE      /* rows x columns x K in tile registers ("dot tile") */
};

/* How a device multiplies what it has staged. */
enum schedule_product {
    PRODUCT_FMA,    /* value by value, in the accumulator's type */
    PRODUCT_F16,    /* by matrix instructions: halves, */
    PRODUCT_BF16,   /* the other halves, */
    PRODUCT_TF32,   /* floats rounded to 10 bits of fraction, */
    PRODUCT_3XTF32, /* as two such parts each, of which three products are taken, */
    PRODUCT_BYTES   /* bytes */
};

/* How a device stages an operand of a contraction in the memory of a block. */
enum schedule_staging {
    STAGING_K,       /* 16 bytes of K of a row at a time, as they lie in memory */
    STAGING_ACROSS,  /* 16 bytes of neighbouring rows (columns, of B) at a time, likewise */
    STAGING_VECTORS, /* elements that lie side by side, along K, converted between load and store */
    STAGING_VECTORS_ACROSS, /* or along rows */
    STAGING_ELEMENTS        /* one by one */
};

struct schedule_entry {
    kval region;
    /* map */
    int n_loops; /* outermost first; the last is the vector loop where lanes > 1 */
    struct schedule_loop loop[2 * KREGION_MAX_DIMS];
    int lanes;
    enum schedule_place place;
    int n_spread;      /* so many loops are spread, not HERE; of a contraction all tiles are */
    int point_threads; /* LAUNCH: that run one point together, a group */
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
    /* On a device: a block of threads has a tile of tile_m rows and tile_n columns, of which a
       warp, or with PRODUCT_FMA a thread, has part_m and part_n; k_block values of K are staged at
       a time, in `stages` places by turns. */
    enum schedule_product product;
    int part_m, part_n, stages;
    enum schedule_staging staging_a, staging_b;
    int64_t cycles; /* of one multiprocessor, by which the tile was chosen; an estimate */
    /* DOT_TILE: one step takes `span` values of span_iter, a K index too, with all of k_iter, and
       k_block is what they take in A; a span of 1 at most: of k_iter alone. */
    int span, span_iter;
};

struct schedule {
    struct schedule_entry *entries;
    size_t n, cap;
    /* Of a device: */
    int threads;           /* of a block */
    int64_t blocks;        /* of the launch */
    bool is_spread;        /* over the cores that run the network; else one runs the kernel */
    bool is_together;      /* a block runs the kernel as one group, and the launch has only one */
    int64_t shared_bytes;  /* of a block */
    const bool *in_shared; /* by buffer: each group has one in the block's memory; NULL: none */
};

struct schedule_entry *schedule_find(const struct schedule *s, kval region); /* NULL: none */
void schedule_print(const struct schedule *s, const struct kernel *k, struct strbuf *out);

#endif
