/*
 * resnet50_standalone.c: how an application runs a bundle, without any framework or runtime.
 *
 *     resnet50_standalone -weights FILE [-labels FILE] [-imagenet] IMAGE.png...
 *
 * Prints the five most probable classes of each image.  All that belongs to the bundle is in the
 * five steps of main() and the two functions above it; the rest reads files and prints.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

/* Generated with the bundle: declares resnet50(), resnet50_config and resnet50_info. */
#include "resnet50.h"

#define TOP_K      5
#define MAX_LABELS 1000

static void die(const char *what, const char *where)
{
    fprintf(stderr, "resnet50_standalone: %s: %s\n", where, what);
    exit(1);
}

/* A memory area of a bundle: zeroed, and aligned as the bundle asks for (a power of two). */
static uint8_t *allocate_area(size_t size)
{
    size_t alignment = resnet50_config.alignment;
    char *base = calloc(1, size + alignment);
    if (base == NULL)
        die("out of memory", "memory area");
    return (uint8_t *)(base + (alignment - (uintptr_t)base % alignment) % alignment);
}

/*
 * The position in the symbol table of the first symbol that plays a role.  An application that
 * knows its network would look for a name, or use the macros of resnet50.h and no table at all.
 */
static size_t find_symbol(enum sheaf_role role, const char *what)
{
    for (size_t i = 0; i < resnet50_config.numSymbols; i++) {
        const struct sheaf_symbol_info *info = &resnet50_info.symbols[i];
        if (info->role == (uint32_t)role) {
            if (info->dtype != SHEAF_FLOAT32)
                die("is not float", info->original_name);
            return i;
        }
    }
    die("the bundle has none", what);
    return 0;
}

/* The weights file is the initial content of the constant area, byte for byte. */
static void load_weights(uint8_t *constants, size_t size, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        die("cannot be opened", path);
    if (fread(constants, 1, size, file) != size || fgetc(file) != EOF)
        die("does not have the size that the bundle expects", path);
    fclose(file);
}

/*
 * Reads a PNG into a tensor of shape [1, 3, height, width] with values from 0 to 1.  Transparency
 * is dropped.  `imagenet` subtracts the mean of ImageNet and divides by its standard deviation.
 */
static void load_image(const char *path, int imagenet, const struct sheaf_symbol_info *info,
                       float *tensor)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f};
    static const float stddev[3] = {0.229f, 0.224f, 0.225f};
    png_image image;

    if (info->rank != 4 || info->dims[0] != 1 || info->dims[1] != 3)
        die("is not a batch of one RGB image", info->original_name);
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    if (!png_image_begin_read_from_file(&image, path))
        die(image.message, path);
    image.format = PNG_FORMAT_RGBA;
    if (image.height != info->dims[2] || image.width != info->dims[3])
        die("the image does not have the size of the network's input", path);
    uint8_t *pixels = malloc(PNG_IMAGE_SIZE(image));
    if (pixels == NULL)
        die("out of memory", path);
    if (!png_image_finish_read(&image, NULL, pixels, 0, NULL))
        die(image.message, path);

    size_t n = (size_t)image.height * image.width;
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < n; i++) {
            float value = (float)pixels[i * 4 + c] / 255.0f;
            tensor[c * n + i] = imagenet ? (value - mean[c]) / stddev[c] : value;
        }
    free(pixels);
}

/* Makes probabilities of `n` scores; leaves alone what is probabilities already. */
static void softmax(float *scores, size_t n)
{
    float max = scores[0], sum = 0.0f;
    int negative = 0;
    for (size_t i = 0; i < n; i++) {
        max = scores[i] > max ? scores[i] : max;
        negative |= scores[i] < 0.0f;
        sum += scores[i];
    }
    if (!negative && fabsf(sum - 1.0f) < 1e-3f)
        return;
    sum = 0.0f;
    for (size_t i = 0; i < n; i++)
        sum += scores[i] = expf(scores[i] - max);
    for (size_t i = 0; i < n; i++)
        scores[i] /= sum;
}

static char labels[MAX_LABELS][80]; /* empty: no name is known */

static void load_labels(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        die("cannot be opened", path);
    for (int i = 0; i < MAX_LABELS && fgets(labels[i], sizeof labels[i], file) != NULL; i++)
        labels[i][strcspn(labels[i], "\r\n")] = 0;
    fclose(file);
}

/* Prints the classes with the highest probabilities; spoils `scores`. */
static void print_top(float *scores, size_t n)
{
    for (int k = 0; k < TOP_K && (size_t)k < n; k++) {
        size_t best = 0;
        for (size_t i = 1; i < n; i++)
            if (scores[i] > scores[best])
                best = i;
        printf("  %8.4f%%  %3u %s\n", 100.0 * (double)scores[best], (unsigned)best,
               best < MAX_LABELS ? labels[best] : "");
        scores[best] = -1.0f;
    }
}

int main(int argc, char **argv)
{
    const char *weights = "resnet50.weights";
    int imagenet = 0, first = 1;
    for (; first < argc && argv[first][0] == '-'; first++) {
        int has_value = first + 1 < argc;
        if (strcmp(argv[first], "-imagenet") == 0)
            imagenet = 1;
        else if (strcmp(argv[first], "-weights") == 0 && has_value)
            weights = argv[++first];
        else if (strcmp(argv[first], "-labels") == 0 && has_value)
            load_labels(argv[++first]);
        else
            die("no such option, or its value is missing", argv[first]);
    }
    if (first >= argc)
        die("no images given", "command line");

    /* 1. The application owns the three memory areas. */
    uint8_t *constants = allocate_area(resnet50_config.constantWeightVarsMemSize);
    uint8_t *mutables = allocate_area(resnet50_config.mutableWeightVarsMemSize);
    uint8_t *activations = allocate_area(resnet50_config.activationsMemSize);

    /* 2. Constants are loaded once. */
    load_weights(constants, resnet50_config.constantWeightVarsMemSize, weights);

    /* 3. Inputs and outputs lie in the mutable area; the symbol table says where. */
    size_t input = find_symbol(SHEAF_ROLE_INPUT, "input");
    size_t output = find_symbol(SHEAF_ROLE_OUTPUT, "output");
    float *image = (float *)(void *)(mutables + resnet50_config.symbolTable[input].offset);
    float *scores = (float *)(void *)(mutables + resnet50_config.symbolTable[output].offset);
    size_t n_scores = resnet50_config.symbolTable[output].size;

    for (int i = first; i < argc; i++) {
        load_image(argv[i], imagenet, &resnet50_info.symbols[input], image);

        /* 4. The call: a function of the three areas and nothing else. */
        if (resnet50(constants, mutables, activations) != 0)
            die("the network reports a failure", argv[i]);

        /* 5. The result is where the symbol table says. */
        softmax(scores, n_scores);
        printf("File: %s\n", argv[i]);
        print_top(scores, n_scores);
    }
    return 0;
}
