/*
 * resize.c: channels and size of a picture (definitions in image.h).
 */
#include <math.h>
#include <string.h>

#include "loader/input/image.h"

struct image image_with_channels(struct arena *a, const struct image *image, int channels)
{
    if (image->size.channels == channels)
        return *image;
    struct image out = {.size = image->size};
    out.size.channels = channels;
    size_t n = (size_t)(image->size.height * image->size.width);
    out.pixels = arena_array(a, n * (size_t)channels, sizeof *out.pixels);
    for (size_t i = 0; i < n; i++) {
        if (channels == 1) {
            const float *rgb = image->pixels + 3 * i;
            out.pixels[i] = (float)(0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]);
        } else {
            for (int c = 0; c < channels; c++)
                out.pixels[i * (size_t)channels + (size_t)c] = image->pixels[i];
        }
    }
    return out;
}

/* The inputs and weights of one output of an axis. */
struct window {
    int64_t first, n;
    double *weight; /* sum 1 */
};

/* Windows of the outputs crop, crop + 1, .. crop + n_out - 1 of an axis resized from n_in to
   n_full. */
static struct window *axis_windows(struct arena *a, int64_t n_in, int64_t n_full, int64_t crop,
                                   int64_t n_out)
{
    struct window *windows = arena_array(a, (size_t)n_out, sizeof *windows);
    double scale = (double)n_in / (double)n_full;
    double support = scale > 1 ? scale : 1;
    for (int64_t i = 0; i < n_out; i++) {
        struct window *w = &windows[i];
        double centre = ((double)(i + crop) + 0.5) * scale;
        int64_t first = (int64_t)floor(centre - support);
        int64_t last = (int64_t)ceil(centre + support);
        w->first = first < 0 ? 0 : first;
        w->n = (last > n_in ? n_in : last) - w->first;
        w->weight = arena_array(a, (size_t)w->n, sizeof *w->weight);
        double sum = 0;
        for (int64_t k = 0; k < w->n; k++) {
            double distance = fabs((double)(w->first + k) + 0.5 - centre) / support;
            w->weight[k] = distance < 1 ? 1 - distance : 0;
            sum += w->weight[k];
        }
        for (int64_t k = 0; k < w->n; k++)
            w->weight[k] /= sum;
    }
    return windows;
}

struct image image_fit(struct arena *a, const struct image *image, int64_t height, int64_t width)
{
    int64_t h = image->size.height, w = image->size.width;
    if (h == height && w == width)
        return *image;
    /* The factor height/h covers the width where w * height / h >= width. */
    int64_t full_h = height, full_w = width;
    if (w * height >= width * h)
        full_w = (2 * w * height + h) / (2 * h);
    else
        full_h = (2 * h * width + w) / (2 * w);
    if (full_w < width)
        full_w = width;
    if (full_h < height)
        full_h = height;

    struct window *columns = axis_windows(a, w, full_w, (full_w - width) / 2, width);
    struct window *rows = axis_windows(a, h, full_h, (full_h - height) / 2, height);
    /* Only the rows that some output needs are resized along the columns. */
    int64_t first_row = rows[0].first;
    int64_t n_rows = rows[height - 1].first + rows[height - 1].n - first_row;
    int channels = image->size.channels;
    double *narrow = arena_array(a, (size_t)(n_rows * width) * (size_t)channels, sizeof *narrow);
    for (int64_t y = 0; y < n_rows; y++) {
        const float *in = image->pixels + (first_row + y) * w * channels;
        for (int64_t x = 0; x < width; x++) {
            double *out = narrow + (y * width + x) * channels;
            for (int64_t k = 0; k < columns[x].n; k++)
                for (int c = 0; c < channels; c++)
                    out[c] += columns[x].weight[k] * in[(columns[x].first + k) * channels + c];
        }
    }

    struct image result = {{height, width, channels}, NULL};
    size_t row_elems = (size_t)width * (size_t)channels;
    result.pixels = arena_array(a, (size_t)height * row_elems, sizeof *result.pixels);
    double *sum = arena_array(a, row_elems, sizeof *sum);
    for (int64_t y = 0; y < height; y++) {
        memset(sum, 0, row_elems * sizeof *sum);
        for (int64_t k = 0; k < rows[y].n; k++) {
            const double *in = narrow + (size_t)(rows[y].first + k - first_row) * row_elems;
            for (size_t i = 0; i < row_elems; i++)
                sum[i] += rows[y].weight[k] * in[i];
        }
        for (size_t i = 0; i < row_elems; i++)
            result.pixels[(size_t)y * row_elems + i] = (float)sum[i];
    }
    return result;
}
