/*
 * tensor.h: constant data with type and shape.  Data is dense, row-major, little-endian, in the
 * storage format of its type; the arena or mapping it lies in belongs to whoever made it.
 */
#ifndef SHEAF_IR_TENSOR_H
#define SHEAF_IR_TENSOR_H

#include "ir/arena.h"
#include "ir/dtype.h"
#include "ir/layout.h"

struct tensor {
    enum dtype dtype;
    int rank;
    int64_t dims[MAX_RANK];
    const void *data;
};

int64_t dims_elems(int rank, const int64_t *dims); /* their product */
int64_t tensor_elems(const struct tensor *t);
int64_t tensor_bytes(const struct tensor *t);

/* A tensor with zeroed data in the arena; the data may be written through tensor_data. */
struct tensor *tensor_new(struct arena *a, enum dtype dtype, int rank, const int64_t *dims);
void *tensor_data(struct tensor *t);
struct tensor *tensor_scalar_f32(struct arena *a, float v);
struct tensor *tensor_from_ints(struct arena *a, const int64_t *v, int64_t n); /* i64 [n] */

/* Element i (row-major) as a number; floats and integers convert in both directions.
   Of a coded type the functions with `int` give and take the code. */
double tensor_get(const struct tensor *t, int64_t i);
int64_t tensor_get_int(const struct tensor *t, int64_t i);
void tensor_set(struct tensor *t, int64_t i, double v);
void tensor_set_int(struct tensor *t, int64_t i, int64_t v);

/* The same elements in memory order of `layout` (zero padding), as bytes in the arena: the one
   packer that executes every packing a generator declares. */
void *tensor_pack(struct arena *a, const struct tensor *t, const struct layout *layout,
                  int64_t *out_bytes);

#endif
