#include "tests/device/cases.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void must(int condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "cases: %s\n", what);
    exit(1);
}

void case_write(FILE *file, const void *data, size_t bytes, const char *words, ...)
{
    va_list args;
    must(file != NULL, "the file cannot be written");
    fprintf(file, "%zu ", bytes);
    va_start(args, words);
    vfprintf(file, words, args);
    va_end(args);
    fputc('\n', file);
    if (bytes)
        fwrite(data, 1, bytes, file);
    fputc('\n', file);
    must(!ferror(file), "the file cannot be written");
}

struct case_reader case_open(const char *path)
{
    struct case_reader r = {NULL, NULL, NULL};
    FILE *file = fopen(path, "rb");
    must(file && fseek(file, 0, SEEK_END) == 0, "the file cannot be read");
    long n = ftell(file);
    must(n >= 0 && fseek(file, 0, SEEK_SET) == 0, "the file cannot be read");
    r.text = r.at = malloc((size_t)n + 1);
    must(r.at && fread(r.at, 1, (size_t)n, file) == (size_t)n, "the file cannot be read");
    fclose(file);
    r.end = r.at + n;
    *r.end = 0;
    return r;
}

void case_close(struct case_reader *r)
{
    free(r->text);
}

int case_next(struct case_reader *r, struct case_record *out)
{
    if (r->at == r->end)
        return 0;
    char *words, *line_end = memchr(r->at, '\n', (size_t)(r->end - r->at));
    must(line_end != NULL, "a line does not end");
    *line_end = 0;
    out->bytes = (size_t)strtoull(r->at, &words, 10);
    must(*words == ' ' && out->bytes < (size_t)(r->end - line_end - 1), "the file is cut off");
    out->words = words + 1;
    out->data = (const unsigned char *)line_end + 1;
    r->at = line_end + 1 + out->bytes + 1;
    return 1;
}

int case_near(double got, double want, double absolute, double relative)
{
    return got == want || (isnan(got) && isnan(want)) ||
           fabs(got - want) <= absolute + relative * fabs(want);
}
