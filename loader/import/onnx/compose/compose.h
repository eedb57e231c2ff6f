/*
 * compose.h: steps that compositions of several files share.  A value of NULL, after a fault,
 * gives NULL.  `name`: of the result, NULL: made up; without one, a step that changes nothing
 * returns its input.
 */
#ifndef SHEAF_LOADER_IMPORT_ONNX_COMPOSE_COMPOSE_H
#define SHEAF_LOADER_IMPORT_ONNX_COMPOSE_COMPOSE_H

#include "loader/import/onnx/onnx.h"

struct value *compose_reshape(struct onnx *o, struct value *x, int rank, const int64_t *dims,
                              const char *name);
struct value *compose_transpose(struct onnx *o, struct value *x, const int64_t *perm,
                                const char *name);
/* [N, .., C] as [N, C, ..], and back. */
struct value *compose_channels_first(struct onnx *o, struct value *x);
struct value *compose_channels_last(struct onnx *o, struct value *x, const char *name);
/* Elements start .. end - 1 along the axis. */
struct value *compose_slice(struct onnx *o, struct value *x, int64_t axis, int64_t start,
                            int64_t end, const char *name);
struct value *compose_concat(struct onnx *o, struct value *a, struct value *b, int64_t axis,
                             const char *name);
/* n values, none NULL, one behind the other along an axis. */
struct value *compose_along(struct onnx *o, struct value *const *x, size_t n, int64_t axis,
                            const char *name);
/* The same along a new axis. */
struct value *compose_stack(struct onnx *o, struct value *const *x, size_t n, int64_t axis);
/* OP_squeeze or OP_unsqueeze of one axis. */
struct value *compose_with_axis(struct onnx *o, enum op op, struct value *x, int64_t axis);
/* A constant; name NULL: made up. */
struct value *compose_scalar(struct onnx *o, const char *name, enum dtype dtype, int64_t v);
struct value *compose_binary(struct onnx *o, enum op op, struct value *a, struct value *b,
                             const char *name);
/* f(x, number) */
struct value *compose_number(struct onnx *o, enum op op, struct value *x, double number);

/* 0, 1, .. n - 1 */
struct value *compose_range(struct onnx *o, const struct draft *d, enum dtype type, int64_t n);
/* So many bytes of constants that no file holds are within what all may take together
   (BUILD_MAX_FILLED_BYTES). */
bool compose_reserve(struct onnx *o, const struct draft *d, int64_t bytes);

/* f32 for 16-bit floats, else the type itself. */
enum dtype compose_compute_type(enum dtype type);

/* Input i is there and has a static shape, of `rank` dimensions where that is not negative. */
bool compose_need_static(struct onnx *o, const struct draft *d, size_t i, int rank);

#endif
