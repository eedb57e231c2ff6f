/*
 * main.c: classifies images with whatever runs the network.
 *
 *     classify WEIGHTS LABELS IMAGE.png...
 *
 * It knows of no device: bundle/runtime.h is what all runtimes offer, and the one that it is linked
 * with decides.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "bundle/runtime.h"

/* Generated with the bundle. */
#include "resnet50.h"

#define MAX_LABELS 1000

static void die(const char *text)
{
    fprintf(stderr, "classify: %s\n", text);
    exit(1);
}

/* Where the first tensor of a role is.  On a GPU too its data lie in the program's memory. */
static struct sheaf_tensor_desc find(const sheaf_bundle *net, enum sheaf_role role)
{
    struct sheaf_tensor_desc t;
    for (size_t i = 0; i < sheaf_tensor_count(net); i++)
        if (sheaf_tensor_at(net, i, &t, NULL) == SHEAF_OK && t.role == role)
            return t;
    die("the network has no input or output");
    return t;
}

/* Pixels from 0 to 1, color by color: a tensor [1, 3, height, width]. */
static void load_image(const char *path, const struct sheaf_tensor_desc *to)
{
    png_image image;
    float *tensor = to->data;
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    if (!png_image_begin_read_from_file(&image, path))
        die(image.message);
    image.format = PNG_FORMAT_RGB;
    if (to->rank != 4 || image.height != to->dims[2] || image.width != to->dims[3])
        die("an image does not have the size of the network's input");
    uint8_t *pixels = malloc(PNG_IMAGE_SIZE(image));
    if (pixels == NULL || !png_image_finish_read(&image, NULL, pixels, 0, NULL))
        die("an image cannot be read");
    size_t n = (size_t)image.height * image.width;
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < n; i++)
            tensor[c * n + i] = (float)pixels[3 * i + c] / 255.0f;
    free(pixels);
}

static char labels[MAX_LABELS][80];

static void load_labels(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        die("the labels cannot be opened");
    for (int i = 0; i < MAX_LABELS && fgets(labels[i], sizeof labels[i], file) != NULL; i++)
        labels[i][strcspn(labels[i], "\r\n")] = 0;
    fclose(file);
}

int main(int argc, char **argv)
{
    const struct sheaf_linked linked = SHEAF_LINKED(resnet50);
    struct sheaf_error error;
    sheaf_bundle *net;
    if (argc < 4)
        die("weights, labels and images are needed");
    load_labels(argv[2]);

    if (sheaf_open_linked(&linked, argv[1], &net, &error) != SHEAF_OK)
        die(error.text);
    struct sheaf_tensor_desc in = find(net, SHEAF_ROLE_INPUT), out = find(net, SHEAF_ROLE_OUTPUT);

    for (int i = 3; i < argc; i++) {
        load_image(argv[i], &in);
        if (sheaf_run(net, &error) != SHEAF_OK)
            die(error.text);
        const float *scores = out.data;
        size_t best = 0, n = out.size_bytes / sizeof *scores;
        for (size_t k = 1; k < n; k++)
            if (scores[k] > scores[best])
                best = k;
        printf("%s: %s\n", argv[i], best < MAX_LABELS ? labels[best] : "");
    }
    sheaf_close(net);
    return 0;
}
