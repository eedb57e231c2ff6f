#include "loader/input/preprocess.h"

#include <math.h>
#include <string.h>

static double gain_of(const struct preprocess *plan)
{
    return (plan->high - plan->low) / 255;
}

float preprocess_pixel(const struct preprocess *plan, int c, double p)
{
    return (float)((p - plan->mean[c]) / plan->stddev[c] * gain_of(plan) + plan->low);
}

void preprocess_channel(const struct preprocess *plan, int c, double *out_scale, double *out_shift)
{
    *out_scale = gain_of(plan) / plan->stddev[c];
    *out_shift = plan->low - plan->mean[c] * *out_scale;
}

void preprocess_image(struct arena *a, const struct preprocess *plan, const struct image *image,
                      float *out)
{
    struct image coloured = image_with_channels(a, image, plan->channels);
    struct image fitted = image_fit(a, &coloured, plan->height, plan->width);
    int64_t n = plan->height * plan->width;
    int channels = plan->channels;
    for (int64_t i = 0; i < n; i++) {
        for (int c = 0; c < channels; c++) {
            double p = fitted.pixels[i * channels + (plan->bgr ? channels - 1 - c : c)];
            out[plan->channels_last ? i * channels + c : c * n + i] = preprocess_pixel(plan, c, p);
        }
    }
}

void preprocess_store(enum dtype dtype, struct quant quant, const float *values, int64_t n,
                      void *storage)
{
    if (dtype == DTYPE_F32 && quant.scale == 0) {
        memcpy(storage, values, (size_t)n * sizeof *values);
        return;
    }
    struct tensor t = {.dtype = dtype, .rank = 1, .dims = {n}, .data = storage};
    for (int64_t i = 0; i < n; i++) {
        double v = values[i];
        if (quant.scale != 0)
            v = v / quant.scale + quant.zero_point;
        if (dtype_is_integer(dtype)) {
            double low = (double)dtype_int_min(dtype), high = (double)dtype_int_max(dtype);
            v = nearbyint(v);
            v = v < low ? low : v > high ? high : v;
        } else if (dtype == DTYPE_BOOL) {
            v = v != 0;
        }
        tensor_set(&t, i, v);
    }
}
