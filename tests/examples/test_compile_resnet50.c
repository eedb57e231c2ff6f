/*
 * test_compile_resnet50.c: the tutorial's Makefile and program, on the embedded network and on the
 * original one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/support.h"

/* `make TARGET` in the example's folder, with build results in the scratch folder SUB. */
static int run_make(const char *sub, const char *arguments, char **out_text)
{
    return support_run(
        support_printf("make -s --no-print-directory -C %s/examples/compile_resnet50 "
                       "BUILD=%s/%s LOADER=%s CC=%s %s",
                       support_source(), support_tmp(), sub, support_loader(), support_cc(),
                       arguments),
        out_text);
}

/*
 * The program prints "File: PATH", then lines "PERCENT% NUMBER NAME", the most probable first.
 * Checks that there are five per file and that they fall; calls check for each file with the first.
 */
static int each_file(const char *text,
                     void (*check)(const char *path, int number, const char *name))
{
    int n_files = 0;
    char path[1024], name[1024];
    for (const char *at = text; (at = strstr(at, "File: ")) != NULL; n_files++) {
        int used = 0;
        assert_int_equal(sscanf(at, "File: %1023s%n", path, &used), 1);
        at += used;
        double last = 100.001;
        for (int k = 0; k < 5; k++) {
            double percent = -1;
            int number = -1;
            assert_int_equal(sscanf(at, " %lf%% %d %1023[^\n]%n", &percent, &number, name, &used),
                             3);
            at += used;
            assert_true(percent >= 0 && percent <= last);
            last = percent;
            if (k == 0)
                check(path, number, name);
        }
    }
    return n_files;
}

/* A sample's file is named NUMBER_CLASS.png. */
static void check_sample(const char *path, int number, const char *name)
{
    const char *file = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    assert_int_equal(atoi(file), number);
    assert_string_equal(strchr(file, '_') + 1, support_printf("%s.png", name));
}

static size_t size_of(const char *path)
{
    size_t size = 0;
    char *data = support_read_file(support_printf("%s/%s", support_tmp(), path), &size);
    if (!data)
        fail_msg("%s is absent", path);
    free(data);
    return size;
}

/* By default the network is quantized: its weights take about a quarter. */
static void test_embedded(void **state)
{
    (void)state;
    char *text;
    if (run_make("embedded", "run QUANTIZE=NO", &text) != 0)
        fail_msg("%s", text);
    assert_true(each_file(text, check_sample) >= 10);
    assert_null(strstr(text, "profile"));
    free(text);
    size_t in_float = size_of("embedded/resnet50.weights");
    if (run_make("embedded", "run", &text) != 0)
        fail_msg("%s", text);
    assert_true(each_file(text, check_sample) >= 10);
    free(text);
    assert_true(size_of("embedded/resnet50.weights") < in_float / 3);
    assert_true(size_of("embedded/profile.yml") > 0);
}

static void check_imagenet(const char *path, int number, const char *name)
{
    (void)name;
    int want = strstr(path, "cat") ? 281 : strstr(path, "dog") ? 207 : 340;
    assert_int_equal(number, want);
}

static void test_original(void **state)
{
    (void)state;
    const char *model = support_model("resnet50"), *images = support_data("images/glow_imagenet"),
               *labels = support_data("images/imagenet_classes.txt");
    SUPPORT_NEED(model, "models/resnet50");
    SUPPORT_NEED(images, "images/glow_imagenet");
    SUPPORT_NEED(labels, "images/imagenet_classes.txt");
    char *text;
    const char *arguments =
        support_printf("run MODEL=%s IMAGES=\"$(echo %s/*.png)\" LABELS=%s FLAGS=-imagenet", model,
                       images, labels);
    if (run_make("original", arguments, &text) != 0)
        fail_msg("%s", text);
    assert_int_equal(each_file(text, check_imagenet), 3);
    free(text);
}

/* The program's own faults end in one sentence. */
static void test_faults(void **state)
{
    (void)state;
    char *text;
    const char *program = support_printf("%s/embedded/resnet50_standalone", support_tmp());
    const char *weights = support_printf("%s/embedded/resnet50.weights", support_tmp());
    const char *image =
        support_printf("%s/examples/compile_resnet50/images/00_disc.png", support_source());
    const struct {
        const char *arguments, *says;
    } cases[] = {
        {"", "no images given"},
        {"-nosuch", "no such option"},
        {support_printf("-weights %s %s", image, image), "does not have the size"},
        {support_printf("-weights %s %s", weights, weights), "PNG"},
        {support_printf("-weights %s absent.png", weights), "absent.png"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(support_run(support_printf("%s %s", program, cases[i].arguments), &text),
                         1);
        assert_non_null(strstr(text, cases[i].says));
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embedded),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_original),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
