/*
 * image.h: pictures as numbers.
 *
 * Whatever its type and depth, a picture becomes floats in 0..255, row by row, the channels of a
 * pixel side by side (HWC): one channel for gray, three (red, green, blue) for colour.  A palette
 * is looked up.  Samples of 1, 2 and 4 bits are spread to 0..255; 16 bits keep their precision
 * (value / 257).  Alpha and transparency are dropped, colour profiles and gamma ignored, as
 * training frameworks do.
 */
#ifndef SHEAF_LOADER_INPUT_IMAGE_H
#define SHEAF_LOADER_INPUT_IMAGE_H

#include <stdint.h>

#include "ir/arena.h"
#include "ir/error.h"

#define LIMIT_IMAGE_SIDE   ((int64_t)16384)
#define LIMIT_IMAGE_PIXELS ((int64_t)1 << 26)
#define LIMIT_IMAGE_BYTES  ((int64_t)1 << 30) /* of the file */

struct image_size {
    int64_t height, width;
    int channels; /* 1: gray, 3: colour */
};

struct image {
    struct image_size size;
    float *pixels; /* height x width x channels, in the arena */
};

/* Fails with one sentence on what is no PNG file, is damaged or cut short, or exceeds the limits
   above. */
bool image_read_png(struct arena *a, const char *path, struct image *out_image, struct error *err);

/* Size and channels from the head of the file; the rest of it may be damaged. */
bool image_read_png_size(const char *path, struct image_size *out_size, struct error *err);

/* The same picture in 1 or 3 channels: gray is repeated, colour becomes its luma
   0.299 R + 0.587 G + 0.114 B (ITU-R BT.601). */
struct image image_with_channels(struct arena *a, const struct image *image, int channels);

/*
 * The part of the picture that a model of height x width sees, resized (resize.c).
 *
 * The picture is scaled by one factor so that it just covers the target: its height becomes
 * `height` and its width max(width, floor(w * height / h + 0.5)), or the other way round,
 * whichever covers.  The middle is cut out, an odd rest falling to the right and below.
 *
 * Each axis by itself, the columns first: for a scale s = old / new and a support r = max(s, 1),
 * output i is the mean of the inputs k with weights
 *     max(0, 1 - |k + 0.5 - c| / r),   c = (i + 0.5) * s
 * normalised to the sum 1, over inputs that exist: bilinear when enlarging, a triangle filter
 * (antialiased) when reducing, with half-pixel centres.  A picture of the target's size stays as it
 * is to the bit.
 */
struct image image_fit(struct arena *a, const struct image *image, int64_t height, int64_t width);

#endif
