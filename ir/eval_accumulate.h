/*
 * eval_accumulate.h: the inner loops of the evaluator's contractions.
 *
 * A tile is EVAL_TILE_ROWS x EVAL_TILE_COLS results.  Rows hold K elements each, one after the
 * other; the panel holds for each k the EVAL_TILE_COLS elements of the columns.  Every result is
 * accumulated from zero in ascending order of k, product first, each step rounded to the type, so
 * the bytes do not depend on tiles.
 */
#ifndef SHEAF_IR_EVAL_ACCUMULATE_H
#define SHEAF_IR_EVAL_ACCUMULATE_H

#include <stddef.h>

#include "ir/dtype.h"

enum { EVAL_TILE_ROWS = 4, EVAL_TILE_COLS = 8 };

/* Bytes of an accumulator as these loops hold it: f16 and bf16 as float, integers of up to 32 bits
   as uint32_t, longer ones as uint64_t (modulo 2^n all integer types agree). */
size_t eval_acc_bytes(enum dtype acc);

/* rows: first row, `k` elements each.  out: tile, row r at out + r * out_stride elements. */
void eval_accumulate(enum dtype acc, int64_t k, const void *rows, const void *panel, void *out,
                     int64_t out_stride);

#endif
