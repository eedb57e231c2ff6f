/*
 * png.c: PNG files through libpng.  libpng reports a fault by longjmp: what lives across it lies
 * in struct reader, and no memory is held that the arena or png_destroy_read_struct would not
 * release.
 */
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include "bundle/write/file.h"
#include "loader/input/image.h"

struct reader {
    const char *path;
    const uint8_t *data;
    size_t size, at;
    bool overrun; /* libpng wanted more than there is */
    png_structp png;
    png_infop info;
    jmp_buf on_error;
    char fault[128]; /* libpng's words */
};

static void on_fault(png_structp png, png_const_charp message)
{
    struct reader *r = png_get_error_ptr(png);
    snprintf(r->fault, sizeof r->fault, "%s", message);
    longjmp(r->on_error, 1);
}

/* A warning is about ancillary chunks, which do not matter here. */
static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void read_bytes(png_structp png, png_bytep out, size_t n)
{
    struct reader *r = png_get_io_ptr(png);
    if (n > r->size - r->at) {
        r->overrun = true;
        png_error(png, "the file ends too early");
    }
    memcpy(out, r->data + r->at, n);
    r->at += n;
}

static bool fault(const struct reader *r, struct error *err)
{
    if (r->overrun)
        return error_set(err, SHEAF_ERROR_FORMAT,
                         "%s: the PNG file is cut short: it ends after %zu bytes", r->path,
                         r->size);
    return error_set(err, SHEAF_ERROR_FORMAT, "%s: the PNG file is damaged: %s", r->path, r->fault);
}

static bool open_reader(struct reader *r, const char *path, const uint8_t *data, size_t size,
                        struct error *err)
{
    memset(r, 0, sizeof *r);
    r->path = path;
    r->data = data;
    r->size = size;
    if (size < 8 || png_sig_cmp(data, 0, 8) != 0)
        return error_set(err, SHEAF_ERROR_FORMAT, "%s: not a PNG file", path);
    r->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, r, on_fault, on_warning);
    r->info = r->png ? png_create_info_struct(r->png) : NULL;
    if (!r->info)
        return error_set(err, SHEAF_ERROR_MEMORY, "%s: libpng cannot start", path);
    png_set_read_fn(r->png, r, read_bytes);
    png_set_user_limits(r->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* ours are checked below */
    return true;
}

static void close_reader(struct reader *r)
{
    if (r->png)
        png_destroy_read_struct(&r->png, r->info ? &r->info : NULL, NULL);
}

/* Reads up to the pixels, checks the dimensions and has libpng deliver 1 or 3 samples of 8 or 16
   bits. */
static bool read_head(struct reader *r, struct image_size *out_size, struct error *err)
{
    if (setjmp(r->on_error))
        return fault(r, err);
    png_read_info(r->png, r->info);
    int64_t width = png_get_image_width(r->png, r->info);
    int64_t height = png_get_image_height(r->png, r->info);
    if (width > LIMIT_IMAGE_SIDE || height > LIMIT_IMAGE_SIDE ||
        width * height > LIMIT_IMAGE_PIXELS)
        return error_set(err, SHEAF_ERROR_MEMORY,
                         "%s: the picture has %lldx%lld pixels, more than the limit of %lld a side "
                         "and %lld in all",
                         r->path, (long long)width, (long long)height, (long long)LIMIT_IMAGE_SIDE,
                         (long long)LIMIT_IMAGE_PIXELS);
    int type = png_get_color_type(r->png, r->info);
    if (type == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(r->png);
    else if (type == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(r->png, r->info) < 8)
        png_set_expand_gray_1_2_4_to_8(r->png);
    png_set_strip_alpha(r->png);
    png_set_interlace_handling(r->png);
    png_read_update_info(r->png, r->info);
    out_size->width = width;
    out_size->height = height;
    out_size->channels = png_get_channels(r->png, r->info);
    return true;
}

/* The most that deflate can make of a byte (1032 times as much), rounded up. */
enum { DEFLATE_MAX_RATIO = 1040 };

static bool read_pixels(struct reader *r, struct arena *a, struct image *out_image,
                        struct error *err)
{
    size_t n_rows = (size_t)out_image->size.height;
    size_t row_bytes = png_get_rowbytes(r->png, r->info);
    /* Do not make room for a large picture that a small file only claims to hold.  A row of a
       depth below 8 is stored in up to 8 * 3 times fewer bytes than it has here. */
    if (row_bytes * n_rows / 24 / DEFLATE_MAX_RATIO > r->size) {
        r->overrun = true;
        return fault(r, err);
    }
    uint8_t *samples = arena_alloc(a, row_bytes * n_rows);
    png_bytepp rows = arena_array(a, n_rows, sizeof *rows);
    for (size_t y = 0; y < n_rows; y++)
        rows[y] = samples + y * row_bytes;
    if (setjmp(r->on_error))
        return fault(r, err);
    png_read_image(r->png, rows);
    png_read_end(r->png, NULL);

    size_t n = n_rows * (size_t)out_image->size.width * (size_t)out_image->size.channels;
    float *pixels = arena_array(a, n, sizeof *pixels);
    bool wide = png_get_bit_depth(r->png, r->info) == 16;
    for (size_t i = 0; i < n; i++)
        pixels[i] =
            wide ? (float)(samples[2 * i] << 8 | samples[2 * i + 1]) / 257.0f : (float)samples[i];
    out_image->pixels = pixels;
    return true;
}

bool image_read_png(struct arena *a, const char *path, struct image *out_image, struct error *err)
{
    uint8_t *data;
    size_t size;
    if (!file_read(a, path, LIMIT_IMAGE_BYTES, &data, &size, err))
        return false;
    struct reader r;
    struct image image = {.pixels = NULL};
    bool ok = open_reader(&r, path, data, size, err) && read_head(&r, &image.size, err) &&
              read_pixels(&r, a, &image, err);
    close_reader(&r);
    if (ok)
        *out_image = image;
    return ok;
}

bool image_read_png_size(const char *path, struct image_size *out_size, struct error *err)
{
    struct file_map map;
    if (!file_map(path, LIMIT_IMAGE_BYTES, &map, err))
        return false;
    struct reader r;
    struct image_size size;
    bool ok = open_reader(&r, path, map.data, map.size, err) && read_head(&r, &size, err);
    close_reader(&r);
    file_unmap(&map);
    if (ok)
        *out_size = size;
    return ok;
}
