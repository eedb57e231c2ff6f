/*
 * layout.h: how the logical elements of a tensor lie in memory.
 *
 * A layout is an order of the outer dimensions (slowest first) followed by inner blocks (slowest
 * first).  A dimension that has blocks is padded up to a multiple of their product; the padding
 * elements of a constant are zero, those of an activation hold anything.
 *
 * Text form: "plain" for row-major order; else one token per outer dimension and per block, a
 * letter per dimension (a = dimension 0): "acdb" is NHWC of an NCHW tensor, "abcd16b" is NCHW with
 * channels in blocks of 16, "abcd16b32a" packs OIHW weights (notation after oneDNN's format tags).
 */
#ifndef SHEAF_IR_LAYOUT_H
#define SHEAF_IR_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "ir/arena.h"
#include "ir/error.h"

#define MAX_RANK          SHEAF_MAX_RANK
#define LAYOUT_MAX_BLOCKS 4

struct layout_block {
    uint8_t dim;
    uint16_t size;
};

struct layout {
    uint8_t rank;
    uint8_t order[MAX_RANK];
    uint8_t n_blocks;
    struct layout_block block[LAYOUT_MAX_BLOCKS];
};

struct layout layout_plain(int rank);
struct layout layout_permuted(int rank, const int *order); /* order[0] is the slowest dimension */
/* `base` with one more innermost block. */
struct layout layout_blocked(struct layout base, int dim, int size);

bool layout_is_plain(const struct layout *l);
bool layout_equal(const struct layout *a, const struct layout *b);

/* Product of the block sizes of one dimension (1 where it has none). */
int64_t layout_block_size(const struct layout *l, int dim);

/* Elements in memory, padding included, of a tensor with these logical dimensions. */
int64_t layout_elems(const struct layout *l, const int64_t *dims);

/*
 * The strides of a layout, in elements: outer[d] of the outer part of dimension d, inner[k] of
 * block k.  Element idx lies at
 *     sum over d of outer[d] * (idx[d] / layout_block_size(d))
 *   + sum over k of inner[k] * digit k of idx[block[k].dim]
 * where the digits are those of idx % layout_block_size in the mixed radix of the dimension's
 * blocks, first block most significant.
 */
struct layout_strides {
    int64_t outer[MAX_RANK];
    int64_t inner[LAYOUT_MAX_BLOCKS];
};
struct layout_strides layout_strides(const struct layout *l, const int64_t *dims);

/* Offset in elements of the logical element idx. */
int64_t layout_offset(const struct layout *l, const int64_t *dims, const int64_t *idx);

const char *layout_print(const struct layout *l, struct arena *a);
bool layout_parse(const char *text, int rank, struct layout *out_layout, struct error *err);

#endif
