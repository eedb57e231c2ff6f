/*
 * PNG files of every colour type, depth and interlacing, made with libpng's writer from random
 * samples, and files that are none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <png.h>

#include "loader/input/image.h"
#include "tests/support/support.h"

enum { WIDTH = 11, HEIGHT = 9, MAX_SAMPLES = WIDTH * HEIGHT * 4 };

static const char *picture_path(void)
{
    return support_printf("%s/picture.png", support_tmp());
}

/* A picture to write: samples[(y * WIDTH + x) * n_samples + s], each below 2^depth. */
struct picture {
    int type, depth, n_samples;
    bool interlaced, transparent;
    unsigned samples[MAX_SAMPLES];
    png_color palette[256];
    int n_palette;
};

static void pack_row(const struct picture *p, int y, uint8_t *row)
{
    memset(row, 0, WIDTH * 8);
    for (int i = 0; i < WIDTH * p->n_samples; i++) {
        unsigned v = p->samples[y * WIDTH * p->n_samples + i];
        if (p->depth == 16) {
            row[2 * i] = (uint8_t)(v >> 8);
            row[2 * i + 1] = (uint8_t)v;
        } else {
            int bit = i * p->depth;
            row[bit / 8] = (uint8_t)(row[bit / 8] | v << (8 - p->depth - bit % 8));
        }
    }
}

static void write_picture(const char *path, const struct picture *p)
{
    static uint8_t rows[HEIGHT][WIDTH * 8];
    png_bytep pointers[HEIGHT];
    FILE *f = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, f);
    png_set_IHDR(png, info, WIDTH, HEIGHT, p->depth, p->type,
                 p->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (p->type == PNG_COLOR_TYPE_PALETTE)
        png_set_PLTE(png, info, p->palette, p->n_palette);
    if (p->transparent) {
        png_byte alpha[2] = {0, 128};
        png_color_16 key = {0};
        png_set_tRNS(png, info, alpha, p->type == PNG_COLOR_TYPE_PALETTE ? 2 : 0, &key);
    }
    for (int y = 0; y < HEIGHT; y++) {
        pack_row(p, y, rows[y]);
        pointers[y] = rows[y];
    }
    png_write_info(png, info);
    png_write_image(png, pointers);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    fclose(f);
}

static unsigned random_sample(unsigned *state, int depth)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> (32 - depth);
}

static void fill_picture(struct picture *p, int type, int depth, unsigned seed)
{
    memset(p, 0, sizeof *p);
    p->type = type;
    p->depth = depth;
    p->n_samples = (type & PNG_COLOR_MASK_COLOR && type != PNG_COLOR_TYPE_PALETTE ? 3 : 1) +
                   (type & PNG_COLOR_MASK_ALPHA ? 1 : 0);
    for (int i = 0; i < MAX_SAMPLES; i++)
        p->samples[i] = random_sample(&seed, depth);
    p->n_palette = 1 << (depth < 8 ? depth : 8);
    for (int i = 0; i < p->n_palette; i++) {
        p->palette[i].red = (png_byte)random_sample(&seed, 8);
        p->palette[i].green = (png_byte)random_sample(&seed, 8);
        p->palette[i].blue = (png_byte)random_sample(&seed, 8);
    }
}

/* Channel c of a pixel as image.h defines it. */
static float expected_value(const struct picture *p, int pixel, int c)
{
    const unsigned *s = &p->samples[pixel * p->n_samples];
    if (p->type == PNG_COLOR_TYPE_PALETTE) {
        const png_color *colour = &p->palette[s[0]];
        return c == 0 ? colour->red : c == 1 ? colour->green : colour->blue;
    }
    return (float)((double)s[c] * 255.0 / (double)((1u << p->depth) - 1));
}

static void check_picture(const struct picture *p)
{
    struct arena a;
    struct error err;
    struct image image;
    struct image_size size;
    arena_init(&a);
    error_init(&err);
    write_picture(picture_path(), p);
    if (!image_read_png(&a, picture_path(), &image, &err) ||
        !image_read_png_size(picture_path(), &size, &err))
        fail_msg("type %d depth %d: %s", p->type, p->depth, err.text);
    int channels = p->type & PNG_COLOR_MASK_COLOR ? 3 : 1;
    assert_int_equal(size.height, image.size.height);
    assert_int_equal(size.width, image.size.width);
    assert_int_equal(size.channels, image.size.channels);
    assert_int_equal(size.height, HEIGHT);
    assert_int_equal(size.width, WIDTH);
    assert_int_equal(size.channels, channels);
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        for (int c = 0; c < channels; c++) {
            float got = image.pixels[i * channels + c], want = expected_value(p, i, c);
            if (got < want - 1e-4f || got > want + 1e-4f)
                fail_msg("type %d depth %d interlaced %d transparent %d: pixel %d channel %d is "
                         "%g, not %g",
                         p->type, p->depth, p->interlaced, p->transparent, i, c, (double)got,
                         (double)want);
        }
    }
    arena_done(&a);
}

static void test_every_type_and_depth(void **state)
{
    (void)state;
    static const struct {
        int type, depth;
    } kinds[] = {
        {PNG_COLOR_TYPE_GRAY, 1},        {PNG_COLOR_TYPE_GRAY, 2},
        {PNG_COLOR_TYPE_GRAY, 4},        {PNG_COLOR_TYPE_GRAY, 8},
        {PNG_COLOR_TYPE_GRAY, 16},       {PNG_COLOR_TYPE_GRAY_ALPHA, 8},
        {PNG_COLOR_TYPE_GRAY_ALPHA, 16}, {PNG_COLOR_TYPE_PALETTE, 1},
        {PNG_COLOR_TYPE_PALETTE, 2},     {PNG_COLOR_TYPE_PALETTE, 4},
        {PNG_COLOR_TYPE_PALETTE, 8},     {PNG_COLOR_TYPE_RGB, 8},
        {PNG_COLOR_TYPE_RGB, 16},        {PNG_COLOR_TYPE_RGB_ALPHA, 8},
        {PNG_COLOR_TYPE_RGB_ALPHA, 16},
    };
    for (unsigned k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        for (int variant = 0; variant < 4; variant++) {
            static struct picture p;
            fill_picture(&p, kinds[k].type, kinds[k].depth, k * 4 + (unsigned)variant + 1);
            p.interlaced = variant & 1;
            p.transparent = variant & 2 && !(p.type & PNG_COLOR_MASK_ALPHA);
            check_picture(&p);
        }
    }
}

static void expect_fault(const char *path, enum sheaf_status status, const char *words)
{
    struct arena a;
    struct error err;
    struct image image;
    arena_init(&a);
    error_init(&err);
    assert_false(image_read_png(&a, path, &image, &err));
    assert_int_equal(err.status, status);
    if (!strstr(err.text, words) || !strstr(err.text, path) || strchr(err.text, '\n'))
        fail_msg("%s: got: %s", words, err.text);
    arena_done(&a);
}

/* Cut off anywhere, the file is an error, never a picture and never a crash. */
static void test_truncated(void **state)
{
    (void)state;
    for (int interlaced = 0; interlaced < 2; interlaced++) {
        static struct picture p;
        fill_picture(&p, PNG_COLOR_TYPE_RGB, 8, 7);
        p.interlaced = interlaced;
        write_picture(picture_path(), &p);
        size_t size;
        char *data = support_read_file(picture_path(), &size);
        for (size_t n = 8; n < size; n++) {
            support_write_file(picture_path(), data, n);
            expect_fault(picture_path(), SHEAF_ERROR_FORMAT, "cut short");
        }
        free(data);
    }
}

/* A changed byte is an error, or lies where it does not matter; it is never a crash. */
static void test_damaged(void **state)
{
    (void)state;
    static struct picture p;
    fill_picture(&p, PNG_COLOR_TYPE_PALETTE, 4, 9);
    write_picture(picture_path(), &p);
    size_t size;
    char *data = support_read_file(picture_path(), &size);
    int n_faults = 0;
    for (size_t i = 0; i < size; i++) {
        data[i] = (char)(data[i] ^ 0x55);
        support_write_file(picture_path(), data, size);
        data[i] = (char)(data[i] ^ 0x55);
        struct arena a;
        struct error err;
        struct image image;
        arena_init(&a);
        error_init(&err);
        if (!image_read_png(&a, picture_path(), &image, &err)) {
            n_faults++;
            assert_true(err.text[0] && !strchr(err.text, '\n'));
        }
        arena_done(&a);
    }
    assert_true(n_faults > (int)size * 9 / 10);
    free(data);
}

static void test_no_png(void **state)
{
    (void)state;
    const char *path = picture_path();
    expect_fault(support_printf("%s/absent.png", support_tmp()), SHEAF_ERROR_NOT_FOUND,
                 "No such file");
    expect_fault(support_tmp(), SHEAF_ERROR_IO, "folder");
    support_write_file(path, "", 0);
    expect_fault(path, SHEAF_ERROR_FORMAT, "not a PNG");
    support_write_file(path, "\xff\xd8\xff\xe0 this is a JPEG", 20);
    expect_fault(path, SHEAF_ERROR_FORMAT, "not a PNG");
}

/* CRC-32 of a chunk, as the PNG specification (annex D) defines it. */
static unsigned chunk_crc(const uint8_t *data, size_t n)
{
    unsigned crc = 0xffffffffu;
    for (size_t i = 0; i < n; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? 0xedb88320u ^ crc >> 1 : crc >> 1;
    }
    return ~crc;
}

static void put_big_endian(char *out, unsigned v)
{
    for (int i = 0; i < 4; i++)
        out[i] = (char)(v >> (24 - 8 * i));
}

/* A small file whose head claims a large picture. */
static void test_huge(void **state)
{
    (void)state;
    static const struct {
        unsigned width, height;
        enum sheaf_status status;
        const char *words;
    } cases[] = {
        {0x7fffffff, 0x7fffffff, SHEAF_ERROR_MEMORY, "more than the limit"},
        {16385, 1, SHEAF_ERROR_MEMORY, "more than the limit"},
        {16384, 16384, SHEAF_ERROR_MEMORY, "more than the limit"},
        {8192, 8192, SHEAF_ERROR_FORMAT, "cut short"}, /* within the limits, but not in there */
        {0, 5, SHEAF_ERROR_FORMAT, "damaged"},
    };
    static struct picture p;
    fill_picture(&p, PNG_COLOR_TYPE_GRAY, 8, 3);
    write_picture(picture_path(), &p);
    size_t size;
    char *data = support_read_file(picture_path(), &size);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_big_endian(data + 16, cases[i].width);
        put_big_endian(data + 20, cases[i].height);
        put_big_endian(data + 29, chunk_crc((const uint8_t *)data + 12, 17));
        support_write_file(picture_path(), data, size);
        expect_fault(picture_path(), cases[i].status, cases[i].words);
    }
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type_and_depth),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_no_png),
        cmocka_unit_test(test_huge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
