/*
 * resize.h: what the files of Resize share.
 */
#ifndef SHEAF_LOADER_IMPORT_ONNX_COMPOSE_RESIZE_H
#define SHEAF_LOADER_IMPORT_ONNX_COMPOSE_RESIZE_H

#include "loader/import/onnx/onnx.h"

enum resize_mode { NEAREST, LINEAR, CUBIC };
enum resize_coordinates {
    HALF_PIXEL,
    PYTORCH_HALF_PIXEL,
    HALF_PIXEL_SYMMETRIC,
    ALIGN_CORNERS,
    ASYMMETRIC,
    TF_CROP_AND_RESIZE,
    TF_HALF_PIXEL_FOR_NN
};
enum resize_rounding { ROUND_PREFER_FLOOR, ROUND_PREFER_CEIL, FLOOR, CEIL, SIMPLE };

struct resize_axis {
    int d;
    int64_t in, out;
    double scale, width; /* of the result; the width is not rounded */
    double roi_start, roi_end;
};

struct resize {
    enum resize_mode mode;
    enum resize_coordinates coordinates;
    enum resize_rounding rounding;
    double cubic_a;
    float outside;
    bool exclude_outside, antialias;
    size_t n;
    struct resize_axis axis[MAX_RANK];
};

/* The node where scales (an input) or sizes (another one, 0: none) are known only at run time, or
   extents of the axes are. */
bool onnx_resize_open(struct onnx *o, struct draft *d, const struct resize *r, size_t scales,
                      size_t sizes);

#endif
