/*
 * tensor_file.h: tensors in files, for -input and -output.
 *
 *   .npy  NumPy array, format 1.0, 2.0 or 3.0, little-endian, C order.  Written as 1.0.  NumPy has
 *         no bfloat16 and no 4-bit integers, so neither has this.
 *   .pb   ONNX TensorProto, data inside the file.  Written with raw_data.
 *   .bin  the bare bytes: dense, row-major, little-endian; read where their number is exactly
 * right.
 */
#ifndef SHEAF_LOADER_INPUT_TENSOR_FILE_H
#define SHEAF_LOADER_INPUT_TENSOR_FILE_H

#include "ir/error.h"
#include "ir/graph.h"
#include "ir/strbuf.h"
#include "ir/tensor.h"

/*
 * Reads a tensor that must have the type and dimensions of `want` (whose data is not looked at).
 * `name` is that of the model's input, for messages.
 */
bool tensor_file_read(struct arena *a, const char *path, const char *name,
                      const struct tensor *want, const struct tensor **out_tensor,
                      struct error *err);

/* `name` is that of the tensor; only .pb keeps it. */
bool tensor_file_write(const char *path, const char *name, const struct tensor *t,
                       struct error *err);

/* Whether the path ends in .npy, .pb or .bin; sets the sentence where not. */
bool tensor_file_known(const char *path, struct error *err);

/* "f32[1,3,224,224]" */
const char *tensor_describe(struct arena *a, const struct tensor *t);

/* The format .npy, on bytes (npy.c); nothing is checked against what is wanted. */
bool npy_parse(struct arena *a, const char *path, const uint8_t *data, size_t size,
               const struct tensor **out_tensor, struct error *err);
bool npy_print(struct strbuf *out, const char *path, const struct tensor *t, struct error *err);

#endif
