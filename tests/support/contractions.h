/*
 * contractions.h: contractions in text form, for tests of what they are compiled to.
 *
 * Shapes are chosen against the generator: channels that are no multiple of a group or a block,
 * padding on every side with zero and with another number, windows larger than the image, strides,
 * dilation, groups, images in rows and in blocks of channels.  What lies in a layout's padding, and
 * the weights, take any value of their type.
 */
#ifndef SHEAF_TESTS_CONTRACTIONS_H
#define SHEAF_TESTS_CONTRACTIONS_H

#include "tests/support/compiled.h"

struct conv {
    int c, h, w, o, window, stride, pad, pad_value, dilation, group;
    int block; /* of input and output channels; 0: plain, CHANNELS_LAST */
};
enum { CHANNELS_LAST = -1 };

struct product {
    int m, k, n;
    bool constant; /* operand B */
    int scale;     /* of quantized weights: 0 none, 1 per column, more: per block of K */
};

/* Matrices in two dimensions of batches, as in attention: A[i,j,m,k], or A[i,j,k,m], by B[i,j,k,n],
   or B[i,j,n,k], or of every second row of K; where A is scaled on its way in, by 2; j next to the
   last in memory. */
struct batched {
    int i, j, m, k, n;
    bool transposed, strided, scaled, turned, interleaved;
};

/* How the sums leave the kernel. */
enum contraction_result { SUMS, REQUANTIZED };

enum {
    N_CONVS = 22,
    N_PRODUCTS = 10,
    N_WEIGHTS_ONLY = 4,
    N_BYTES = 4,
    N_TILED = 7,
    N_BATCHED = 7,
    N_ACROSS = 9
};
extern const struct conv CONVS[N_CONVS];
extern const struct product PRODUCTS[N_PRODUCTS], WEIGHTS_ONLY[N_WEIGHTS_ONLY];
extern const struct product TILED[N_TILED]; /* about the sizes of a device's tiles */
extern const struct batched BATCHED[N_BATCHED];
/* Neighbours of B lie along N, of A along K or M; the last ones are large. */
extern const struct batched ACROSS[N_ACROSS];
extern const char *const BYTES[N_BYTES][2]; /* types of A and B */

/* The kernel's text, with operands and sums of these types. */
const char *conv_text(struct arena *a, const struct conv *from, const char *x_type,
                      const char *w_type, const char *acc, enum contraction_result result);
const char *product_text(struct arena *a, const struct product *p, const char *a_type,
                         const char *b_type, const char *acc);

/* The result is of the operands' type, with a bias. */
const char *batched_text(struct arena *a, const struct batched *b, const char *type,
                         const char *acc);

/* Calls `check` for one in `step` of the convolutions, each time for others; for all products. */
void conv_each(const char *x_type, const char *w_type, const char *acc,
               enum contraction_result result, size_t step, void (*check)(const char *text));
void product_each(const struct product *p, size_t n, const char *a_type, const char *b_type,
                  const char *acc, void (*check)(const char *text));

void batched_each(const struct batched *b, size_t n, const char *type, const char *acc,
                  void (*check)(const char *text));

/* Fills the inputs, every byte of the storage, layout padding included; floats are small, and in
   the padding NaN. */
void contraction_fill(struct compiled *c);

/* Compiles it for a target (compiled.h) and compares with the evaluator; the test fails where they
   differ. */
void contraction_check(const char *text, const char *target);

#endif
