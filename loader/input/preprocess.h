/*
 * preprocess.h: from a picture to what a model's image input holds.
 *
 * In this order: gray or colour as the model has channels, resize and centre crop (image.h), then
 * for each value p in 0..255
 *
 *     ((p - mean) / stddev) * (high - low) / 255 + low
 *
 * where low and high are the ends of the image mode's range and mean and stddev those of the
 * channel, and last the model's channel order and layout.
 */
#ifndef SHEAF_LOADER_INPUT_PREPROCESS_H
#define SHEAF_LOADER_INPUT_PREPROCESS_H

#include "ir/graph.h"
#include "loader/input/image.h"

struct preprocess {
    int64_t batch; /* pictures that one run takes; 1 where the input has no batch dimension */
    int64_t height, width;
    int channels;       /* 1 or 3 */
    bool channels_last; /* NHWC */
    bool bgr;
    double low, high;
    double mean[3], stddev[3]; /* in the model's channel order */
};

/* What a value of channel c, in the model's order, becomes. */
float preprocess_pixel(const struct preprocess *plan, int c, double p);
/* The same as p * scale + shift. */
void preprocess_channel(const struct preprocess *plan, int c, double *out_scale, double *out_shift);

/* One picture as height x width x channels values in the order of the model's layout; out has room
   for them. */
void preprocess_image(struct arena *a, const struct preprocess *plan, const struct image *image,
                      float *out);

/* Values to the storage of an input's element type: quantized where `quant` has a scale, rounded to
   nearest even and clamped where it is an integer. */
void preprocess_store(enum dtype dtype, struct quant quant, const float *values, int64_t n,
                      void *storage);

#endif
