/*
 * From a picture to a model's input: channels, resize, ranges, order, layout.  The resize is
 * compared with numbers from another implementation, the whole way with the recorded inputs of real
 * models.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "loader/image_plan.h"
#include "loader/input/tensor_file.h"
#include "tests/support/fixture.h"
#include "tests/support/support.h"

static struct image make_image(int64_t height, int64_t width, int channels)
{
    struct image image = {{height, width, channels}, NULL};
    image.pixels = arena_array(&arena, (size_t)(height * width * channels), sizeof(float));
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++)
            for (int c = 0; c < channels; c++)
                image.pixels[(y * width + x) * channels + c] =
                    (float)((x * 37 + y * 91 + c * 53 + x * y * 7) % 256);
    return image;
}

/*
 * Pillow 13's Image.resize with BILINEAR on pictures of mode F, to the full size named in the
 * comment, then the centre crop.
 */
static void test_resize(void **state)
{
    (void)state;
    static const struct {
        int h, w, c, height, width;
        float want[40];
    } cases[] = {
        /* 9x6 */
        {13, 9, 1, 4, 6, {86.5125f,  136.1444f, 158.3556f, 140.1555f, 139.6111f, 153.6875f,
                          131.1176f, 129.4052f, 134.9477f, 138.0850f, 151.9935f, 83.3529f,
                          94.1012f,  124.3280f, 98.9259f,  139.1905f, 167.9683f, 112.1845f,
                          156.1324f, 115.7451f, 159.3922f, 114.2418f, 104.3464f, 131.5147f}},
        /* 5x7 */
        {3, 4, 1, 5, 7, {0.0000f,   13.2143f,  34.3571f,  55.5000f,  76.6429f,  97.7857f,
                         111.0000f, 36.4000f,  50.6143f,  73.3571f,  96.1000f,  118.8429f,
                         141.5857f, 155.8000f, 91.0000f,  106.7143f, 131.8571f, 157.0000f,
                         182.1429f, 207.2857f, 223.0000f, 145.6000f, 162.8143f, 190.3571f,
                         141.1000f, 91.8429f,  119.3857f, 136.6000f, 182.0000f, 200.2143f,
                         229.3571f, 130.5000f, 31.6429f,  60.7857f,  79.0000f}},
        /* 5x5 */
        {10, 10, 1, 5, 5, {89.7755f,  124.2857f, 121.4286f, 118.5714f, 120.4286f,
                           124.7143f, 131.7500f, 140.7500f, 133.7500f, 125.9286f,
                           115.5714f, 132.7500f, 141.7500f, 138.7500f, 113.0714f,
                           120.1429f, 117.7500f, 130.7500f, 139.7500f, 127.6429f,
                           132.2245f, 159.5000f, 120.9286f, 123.5000f, 125.3061f}},
        /* 3x5 */
        {7,
         12,
         1,
         3,
         3,
         {122.1138f, 126.4184f, 113.5884f, 140.7468f, 140.2353f, 129.7697f, 121.3680f, 150.4796f,
          120.3729f}},
        /* 2x2 */
        {6,
         5,
         3,
         2,
         2,
         {110.0455f, 132.5000f, 141.8636f, 127.3636f, 128.0000f, 146.0909f, 123.7727f, 141.8636f,
          119.2273f, 142.6364f, 131.6364f, 127.9091f}},
        /* 3x3 */
        {2,
         2,
         1,
         3,
         3,
         {0.0000f, 18.5000f, 37.0000f, 45.5000f, 65.7500f, 86.0000f, 91.0000f, 113.0000f,
          135.0000f}},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct image image = make_image(cases[k].h, cases[k].w, cases[k].c);
        struct image got = image_fit(&arena, &image, cases[k].height, cases[k].width);
        assert_int_equal(got.size.height, cases[k].height);
        assert_int_equal(got.size.width, cases[k].width);
        assert_int_equal(got.size.channels, cases[k].c);
        for (int i = 0; i < cases[k].height * cases[k].width * cases[k].c; i++)
            if (fabsf(got.pixels[i] - cases[k].want[i]) > 2e-4f)
                fail_msg("case %zu, value %d is %g, not %g", k, i, (double)got.pixels[i],
                         (double)cases[k].want[i]);
    }
}

static void test_resize_edges(void **state)
{
    (void)state;
    struct image image = make_image(5, 9, 3);
    struct image same = image_fit(&arena, &image, 5, 9);
    assert_ptr_equal(same.pixels, image.pixels);
    /* A constant stays constant whatever the sizes. */
    static const int sizes[][4] = {{1, 1, 7, 3}, {1, 500, 4, 4}, {300, 2, 8, 8}, {3, 3, 1, 1}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        struct image flat = make_image(sizes[k][0], sizes[k][1], 1);
        for (int i = 0; i < sizes[k][0] * sizes[k][1]; i++)
            flat.pixels[i] = 200;
        struct image got = image_fit(&arena, &flat, sizes[k][2], sizes[k][3]);
        for (int i = 0; i < sizes[k][2] * sizes[k][3]; i++)
            assert_true(fabsf(got.pixels[i] - 200) < 1e-3f);
    }
}

static void test_channels(void **state)
{
    (void)state;
    struct image colour = {{1, 2, 3}, (float[]){255, 0, 0, 10, 20, 30}};
    struct image gray = image_with_channels(&arena, &colour, 1);
    assert_int_equal(gray.size.channels, 1);
    assert_true(fabsf(gray.pixels[0] - 76.245f) < 1e-3f);
    assert_true(fabsf(gray.pixels[1] - 18.15f) < 1e-3f);
    struct image back = image_with_channels(&arena, &gray, 3);
    for (int i = 0; i < 6; i++)
        assert_true(back.pixels[i] == gray.pixels[i / 3]);
}

static struct value make_input(int rank, const int64_t *dims)
{
    struct value v = {.name = "data", .dtype = DTYPE_F32};
    v.shape = shape_of_dims(rank, dims);
    return v;
}

static struct loader_options options(const char *line)
{
    char *words[16] = {"loader", "-m", "net"};
    int n = 3;
    for (char *word = strtok(arena_strdup(&arena, line), " "); word; word = strtok(NULL, " "))
        words[n++] = word;
    struct loader_options opt;
    if (!options_parse(&arena, n, words, &opt, &err) || !options_check(&arena, &opt, &err))
        fail_msg("%s: %s", line, err.text);
    return opt;
}

/* A 1x2 picture through the options: want holds red, green, blue of both pixels in memory order. */
static void check_values(const char *line, bool channels_last, const double *want)
{
    static const int64_t nchw[] = {1, 3, 1, 2}, nhwc[] = {1, 1, 2, 3};
    struct image image = {{1, 2, 3}, (float[]){0, 51, 102, 153, 204, 255}};
    struct loader_options opt = options(line);
    struct value input = make_input(4, channels_last ? nhwc : nchw);
    struct preprocess plan;
    float got[6];
    if (!image_plan(&opt, &input, &plan, &err))
        fail_msg("%s: %s", line, err.text);
    preprocess_image(&arena, &plan, &image, got);
    for (int i = 0; i < 6; i++)
        if (fabs(got[i] - want[i]) > 1e-5)
            fail_msg("'%s': value %d is %g, not %g", line, i, (double)got[i], want[i]);
}

static void test_ranges(void **state)
{
    (void)state;
    check_values("", false, (double[]){0, 153, 51, 204, 102, 255});
    check_values("-image-mode=0to255", false, (double[]){0, 153, 51, 204, 102, 255});
    check_values("-image-mode=0to256", false, (double[]){0, 153, 51, 204, 102, 255});
    check_values("-image-mode=0to1", false, (double[]){0, 0.6, 0.2, 0.8, 0.4, 1});
    check_values("-image-mode=neg1to1", false, (double[]){-1, 0.2, -0.6, 0.6, -0.2, 1});
    check_values("-image-mode=neg128to127", false, (double[]){-128, 25, -77, 76, -26, 127});
    check_values("-image-mode=128to127", false, (double[]){-128, 25, -77, 76, -26, 127});
}

static void test_order_and_layout(void **state)
{
    (void)state;
    check_values("-image-layout=NHWC", true, (double[]){0, 51, 102, 153, 204, 255});
    check_values("-image-layout=NHWC -image-channel-order=BGR", true,
                 (double[]){102, 51, 0, 255, 204, 153});
    check_values("-image-channel-order=BGR", false, (double[]){102, 255, 51, 204, 0, 153});
}

/* Mean and deviation are in units of pixels and in the model's channel order. */
static void test_normalization(void **state)
{
    (void)state;
    check_values("-mean=1,2,3 -stddev=2", false, (double[]){-0.5, 76, 24.5, 101, 49.5, 126});
    check_values("-mean=1,2,3 -stddev=1,2,4 -image-channel-order=BGR", false,
                 (double[]){101, 254, 24.5, 101, -0.75, 37.5});
    check_values("-mean=51 -image-mode=0to1", false, (double[]){-0.2, 0.4, 0, 0.6, 0.2, 0.8});
    static const double imagenet[] = {
        (0.0 - 0.485) / 0.229, (0.6 - 0.485) / 0.229, (0.2 - 0.456) / 0.224,
        (0.8 - 0.456) / 0.224, (0.4 - 0.406) / 0.225, (1.0 - 0.406) / 0.225,
    };
    static const double imagenet_bgr[] = {
        (0.4 - 0.406) / 0.225, (1.0 - 0.406) / 0.225, (0.2 - 0.456) / 0.224,
        (0.8 - 0.456) / 0.224, (0.0 - 0.485) / 0.229, (0.6 - 0.485) / 0.229,
    };
    check_values("-use-imagenet-normalization -image-mode=0to1", false, imagenet);
    check_values("-use-imagenet-normalization", false, imagenet);
    check_values("-use-imagenet-normalization -image-channel-order=BGR", false, imagenet_bgr);
    /* The range is mapped after the normalization. */
    check_values("-mean=51 -stddev=51 -image-mode=neg1to1", false,
                 (double[]){-1 - 2 / 255.0, -1 + 4 / 255.0, -1, -1 + 6 / 255.0, -1 + 2 / 255.0,
                            -1 + 8 / 255.0});
}

static void test_layout_from_shape(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int rank;
        int64_t dims[4];
        bool channels_last;
        int channels;
        int64_t batch, height, width;
    } cases[] = {
        {"", 4, {1, 3, 224, 200}, false, 3, 1, 224, 200},
        {"", 4, {2, 96, 90, 3}, true, 3, 2, 96, 90},
        {"", 4, {4, 1, 28, 28}, false, 1, 4, 28, 28},
        {"", 4, {1, 28, 28, 1}, true, 1, 1, 28, 28},
        {"", 3, {3, 20, 10}, false, 3, 1, 20, 10},
        {"", 3, {20, 10, 1}, true, 1, 1, 20, 10},
        {"", 4, {1, 1, 3, 3}, false, 1, 1, 3, 3}, /* ambiguous */
        {"-image-layout=NHWC", 4, {1, 1, 3, 3}, true, 3, 1, 1, 3},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct loader_options opt = options(cases[k].line);
        struct value input = make_input(cases[k].rank, cases[k].dims);
        struct preprocess plan;
        assert_true(image_plan(&opt, &input, &plan, &err));
        assert_int_equal(plan.channels_last, cases[k].channels_last);
        assert_int_equal(plan.channels, cases[k].channels);
        assert_int_equal(plan.batch, cases[k].batch);
        assert_int_equal(plan.height, cases[k].height);
        assert_int_equal(plan.width, cases[k].width);
    }
}

static void test_plan_faults(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int rank;
        int64_t dims[4];
        const char *sentence;
    } cases[] = {
        {"",
         2,
         {1, 784},
         "input 'data' has shape [1,784], which holds no images (rank 3 or 4 is "
         "needed): fill it with -input"},
        {"",
         4,
         {1, 4, 8, 8},
         "input 'data' has shape [1,4,8,8], which holds no images in layout "
         "NCHW: the channels would be 4, not 1 or 3"},
        {"-image-layout=NHWC",
         4,
         {1, 3, 8, 9},
         "input 'data' has shape [1,3,8,9], which holds no images in layout NHWC: the channels "
         "would be 9, not 1 or 3"},
        {"-mean=1,2",
         4,
         {1, 3, 8, 8},
         "option -mean has 2 numbers, but the model's images have 3 channels"},
        {"-mean=1e39",
         4,
         {1, 1, 8, 8},
         "options -mean and -stddev make -1e+39 of pixels of 0 in channel 0, which is no float"},
        {"-fold-preprocessing -stddev=1,1,1e-45 -image-mode=0to1",
         4,
         {1, 3, 8, 8},
         "options -mean and -stddev make 1e+45 of pixels of 255 in channel 2, which is no float"},
        {"-fold-preprocessing",
         2,
         {1, 784},
         "input 'data' has shape [1,784], which holds no images (rank 3 or 4 is needed)"},
        {"-stddev=1,2,3",
         4,
         {1, 1, 8, 8},
         "option -stddev has 3 numbers, but the model's images have 1 channel"},
        {"-use-imagenet-normalization",
         4,
         {1, 1, 8, 8},
         "-use-imagenet-normalization is for colour, but the images of input 'data' are gray"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct loader_options opt = options(cases[k].line);
        struct value input = make_input(cases[k].rank, cases[k].dims);
        struct preprocess plan;
        error_init(&err);
        assert_false(image_plan(&opt, &input, &plan, &err));
        assert_string_equal(err.text, cases[k].sentence);
    }
}

static void test_store(void **state)
{
    (void)state;
    static const float values[] = {-3.5f, 0.5f, 1.5f, 127.4f, 300.0f};
    uint8_t u8[5];
    preprocess_store(DTYPE_U8, (struct quant){0, 0}, values, 5, u8);
    assert_memory_equal(u8, ((uint8_t[]){0, 0, 2, 127, 255}), 5);
    int8_t i8[5];
    preprocess_store(DTYPE_I8, (struct quant){0.5f, -10}, values, 5, i8);
    assert_memory_equal(i8, ((int8_t[]){-17, -9, -7, 127, 127}), 5);
    float f32[5];
    preprocess_store(DTYPE_F32, (struct quant){0, 0}, values, 5, f32);
    assert_memory_equal(f32, values, sizeof values);
    uint16_t f16[5];
    preprocess_store(DTYPE_F16, (struct quant){0, 0}, values, 5, f16);
    assert_int_equal(f16[0], 0xc300); /* -3.5 */
}

/* The recorded inputs of real models, made from the same pictures elsewhere. */
static void check_recorded(const char *line, const char *picture, const char *recorded)
{
    static const int64_t dims[] = {1, 3, 224, 224};
    const char *picture_path = support_data(picture), *recorded_path = support_data(recorded);
    SUPPORT_NEED(picture_path, picture);
    SUPPORT_NEED(recorded_path, recorded);
    struct loader_options opt = options(line);
    struct value input = make_input(4, dims);
    struct tensor want = {.dtype = DTYPE_F32, .rank = 4, .dims = {1, 3, 224, 224}};
    struct preprocess plan;
    struct image image;
    const struct tensor *recorded_tensor;
    if (!image_plan(&opt, &input, &plan, &err) ||
        !image_read_png(&arena, picture_path, &image, &err) ||
        !tensor_file_read(&arena, recorded_path, "data", &want, &recorded_tensor, &err))
        fail_msg("%s: %s", recorded, err.text);
    int64_t n = tensor_elems(&want);
    float *got = arena_array(&arena, (size_t)n, sizeof *got);
    preprocess_image(&arena, &plan, &image, got);
    for (int64_t i = 0; i < n; i++)
        if (fabs((double)got[i] - tensor_get(recorded_tensor, i)) >
            2e-6 * (1 + fabs((double)got[i])))
            fail_msg("%s: value %d is %g, not %g", recorded, (int)i, (double)got[i],
                     tensor_get(recorded_tensor, i));
}

static void test_recorded_resnet50(void **state)
{
    (void)state;
    static const char *const pictures[] = {"cat_285", "dog_207", "zebra_340"};
    for (int i = 0; i < 3; i++)
        check_recorded("-image-mode=0to1 -use-imagenet-normalization -image-channel-order=RGB",
                       support_printf("images/glow_imagenet/%s.png", pictures[i]),
                       support_printf("models/resnet50/test_data_set_%d/input_0.pb", i));
}

static void test_recorded_squeezenet(void **state)
{
    (void)state;
    check_recorded("-image-mode=0to255 -mean=104,117,123 -image-channel-order=BGR",
                   "images/glow_imagenet/cat_285.png",
                   "models/squeezenet/test_data_set_1/input_0.pb");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_resize, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resize_edges, setup, teardown),
        cmocka_unit_test_setup_teardown(test_channels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ranges, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_and_layout, setup, teardown),
        cmocka_unit_test_setup_teardown(test_normalization, setup, teardown),
        cmocka_unit_test_setup_teardown(test_layout_from_shape, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plan_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_store, setup, teardown),
        cmocka_unit_test_setup_teardown(test_recorded_resnet50, setup, teardown),
        cmocka_unit_test_setup_teardown(test_recorded_squeezenet, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
