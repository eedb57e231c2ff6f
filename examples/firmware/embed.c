/*
 * embed.c: writes C arrays of samples, for the development machine.
 *
 *     embed FILE... >samples.c
 *
 * A picture (.png) becomes rows of pixels, red, green and blue side by side; of an ONNX tensor
 * (.pb) the raw data is taken; of any other file all bytes.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

struct bytes {
    uint8_t *data;
    size_t n;
};

static void die(const char *path, const char *why)
{
    fprintf(stderr, "embed: %s: %s\n", path, why);
    exit(1);
}

static int ends_in(const char *path, const char *end)
{
    size_t n = strlen(path), k = strlen(end);
    return n >= k && strcmp(path + n - k, end) == 0;
}

static struct bytes read_file(const char *path)
{
    struct bytes b = {NULL, 0};
    size_t room = 0;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        die(path, "cannot be opened");
    do {
        room += 1 << 16;
        b.data = realloc(b.data, room);
        if (b.data == NULL)
            die(path, "out of memory");
        b.n += fread(b.data + b.n, 1, room - b.n, file);
    } while (b.n == room);
    if (ferror(file))
        die(path, "cannot be read");
    fclose(file);
    return b;
}

static struct bytes read_picture(const char *path)
{
    png_image image;
    struct bytes b;
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    if (!png_image_begin_read_from_file(&image, path))
        die(path, image.message);
    image.format = PNG_FORMAT_RGB;
    b.n = PNG_IMAGE_SIZE(image);
    b.data = malloc(b.n);
    if (b.data == NULL)
        die(path, "out of memory");
    if (!png_image_finish_read(&image, NULL, b.data, 0, NULL))
        die(path, image.message);
    return b;
}

/* The next number of the protocol buffer encoding: 7 bits a byte, the lowest first. */
static uint64_t read_varint(const char *path, const struct bytes *b, size_t *at)
{
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (*at >= b->n)
            break;
        uint8_t byte = b->data[(*at)++];
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return v;
    }
    die(path, "is no ONNX tensor");
    return 0;
}

/* Field raw_data of a TensorProto (onnx/onnx.proto). */
static struct bytes read_tensor(const char *path)
{
    enum { RAW_DATA = 9, VARINT = 0, BYTES = 2 };
    struct bytes all = read_file(path), b;
    for (size_t at = 0; at < all.n;) {
        uint64_t key = read_varint(path, &all, &at), n = 0;
        if ((key & 7) != VARINT && (key & 7) != BYTES)
            break;
        n = read_varint(path, &all, &at);
        if ((key & 7) == VARINT)
            continue;
        if (n > all.n - at)
            break;
        if (key >> 3 == RAW_DATA) {
            b.data = all.data + at;
            b.n = (size_t)n;
            return b;
        }
        at += (size_t)n;
    }
    die(path, "is no ONNX tensor with raw data");
    return all;
}

/* Of several files of one name, the folder tells which is which. */
static void print_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *from = slash ? slash : path;
    while (from > path && from[-1] != '/')
        from--;
    if (!ends_in(path, ".pb") && slash)
        from = slash + 1;
    putchar('"');
    for (; *from; from++)
        putchar(*from == '"' || *from == '\\' || *from < ' ' ? '_' : *from);
    putchar('"');
}

int main(int argc, char **argv)
{
    if (argc < 2)
        die("command line", "no samples are given");
    printf("#include \"samples.h\"\n");
    for (int i = 1; i < argc; i++) {
        const char *path = argv[i];
        struct bytes b = ends_in(path, ".png")  ? read_picture(path)
                         : ends_in(path, ".pb") ? read_tensor(path)
                                                : read_file(path);
        if (b.n == 0)
            die(path, "is empty");
        printf("\nstatic const uint8_t data%d[%zu] = {", i, b.n);
        for (size_t k = 0; k < b.n; k++)
            printf("%s%u,", k % 24 ? "" : "\n", b.data[k]);
        printf("\n};\n");
    }
    printf("\nconst struct sample samples[] = {\n");
    for (int i = 1; i < argc; i++) {
        printf("    {");
        print_name(argv[i]);
        printf(", data%d, sizeof data%d},\n", i, i);
    }
    printf("};\nconst uint32_t n_samples = %d;\n", argc - 1);
    return 0;
}
