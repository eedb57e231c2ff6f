/*
 * random.h: inputs for -verify where none are given.
 */
#ifndef SHEAF_LOADER_INPUT_RANDOM_H
#define SHEAF_LOADER_INPUT_RANDOM_H

#include <stdint.h>

#include "ir/dtype.h"

/*
 * Fills `elems` elements, the same ones for the same seed on every machine: floats uniform in
 * [-1, 1); integers of up to 16 bits uniform over their range, as quantized data is; wider ones 0
 * or 1 and booleans false or true, which are valid indices and lengths nearly everywhere.
 */
void random_fill(enum dtype dtype, int64_t elems, uint64_t seed, void *storage);

#endif
