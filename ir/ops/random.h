/*
 * random.h: what operators that draw random numbers share.
 *
 * Numbers are those of Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy
 * as 1, 2, 3; SC 2011).  The state, input 0, is {key, counter}.  Block b of a call is the four
 * words for the counter + b under key xor the seed; a call advances the counter by the blocks it
 * used.  So every element is drawn by itself, and the numbers are the same on every target.
 */
#ifndef SHEAF_IR_OPS_RANDOM_H
#define SHEAF_IR_OPS_RANDOM_H

#include "ir/ops/common.h"

enum { RANDOM_WORDS = 4 };

/* The state is one, and the output is a float type (an ONNX code) of the stated shape. */
bool random_infer(struct node *n, int64_t dtype, struct attr_ints shape, struct error *err);

/* The type in which elements of the output are drawn. */
enum dtype random_type(const struct lower *l);

/* Uniform in [0, 1) in the type: the top 24 bits of a word, or 53 of two for f64. */
kval random_unit(struct kernel *k, enum dtype type, const kval *word);
/* Elements that one block gives in the type, and how many words each takes. */
int random_elements(enum dtype type);
int random_words_each(enum dtype type);

/* Sets out[] to the random_elements(type) elements that the block's words give. */
typedef void random_draw(struct lower *l, enum dtype type, const kval *word, kval *out);
/* Output 0 and the state. */
void random_lower(struct lower *l, int64_t seed, random_draw *draw);

#endif
