/*
 * tensor_pb.h: single tensors as files: ONNX TensorProto messages (.pb).
 */
#ifndef SHEAF_LOADER_IMPORT_TENSOR_PB_H
#define SHEAF_LOADER_IMPORT_TENSOR_PB_H

#include "ir/error.h"
#include "ir/strbuf.h"
#include "ir/tensor.h"

/* The content of the file `path` as a tensor; data that it keeps in another file is read from
   there. */
bool tensor_pb_parse(struct arena *a, const char *path, const uint8_t *data, size_t size,
                     const struct tensor **out_tensor, struct error *err);

/* The message with its data as raw_data. */
void tensor_pb_print(struct strbuf *out, const char *name, const struct tensor *t);

#endif
