#define _POSIX_C_SOURCE 200809L

#include "tests/support/support.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Before main: only the tests whose names match the pattern in $SHEAF_TEST. */
__attribute__((constructor)) void support_filter_tests(void)
{
    const char *pattern = getenv("SHEAF_TEST");
    if (pattern && *pattern)
        cmocka_set_test_filter(pattern);
}

static void die(const char *what, const char *name)
{
    fprintf(stderr, "test support: %s: %s\n", what, name);
    exit(99);
}

static const char *from_environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

/* Reachable to the end, so that a leak detector sees no leak. */
struct kept {
    struct kept *next;
    char text[];
};
static struct kept *kept;

const char *support_printf(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    struct kept *k = n < 0 ? NULL : malloc(sizeof *k + (size_t)n + 1);
    if (!k)
        die("out of memory", fmt);
    k->next = kept;
    kept = k;
    va_start(args, fmt);
    vsnprintf(k->text, (size_t)n + 1, fmt, args);
    va_end(args);
    return k->text;
}

const char *support_source(void)
{
    return from_environment("SHEAF_SOURCE", ".");
}

const char *support_build(void)
{
    return from_environment("SHEAF_BUILD", "build");
}

const char *support_loader(void)
{
    return support_printf("%s/loader/loader", support_build());
}

const char *support_cc(void)
{
    return from_environment("CC", "cc");
}

const char *support_tmp(void)
{
    static const char *dir;
    if (!dir)
        dir = getenv("SHEAF_TMP");
    if (!dir) {
        char *made = mkdtemp(strdup("/tmp/sheaf-test-XXXXXX"));
        if (!made)
            die("cannot make a folder", "SHEAF_TMP");
        dir = made;
    }
    return dir;
}

bool support_quick(void)
{
    return getenv("SHEAF_QUICK") != NULL;
}

bool support_full(void)
{
    return getenv("SHEAF_FULL") != NULL;
}

static const char *existing(const char *dir, const char *rel)
{
    struct stat st;
    if (!dir || !*dir)
        return NULL;
    const char *path = support_printf("%s/%s", dir, rel);
    return stat(path, &st) == 0 ? path : NULL;
}

const char *support_data(const char *rel)
{
    const char *dir = getenv("SHEAF_TEST_DATA");
    return existing(dir ? dir : support_printf("%s/../shared", support_source()), rel);
}

const char *support_model(const char *rel)
{
    return existing(getenv("SHEAF_MODELS"), rel);
}

static char *read_all(FILE *f, size_t *out_size)
{
    size_t n = 0, cap = 4096;
    char *data = malloc(cap);
    for (;;) {
        if (!data)
            die("out of memory", "reading");
        n += fread(data + n, 1, cap - 1 - n, f);
        if (n < cap - 1)
            break;
        cap *= 2;
        data = realloc(data, cap);
    }
    data[n] = 0;
    if (out_size)
        *out_size = n;
    return data;
}

char *support_read_file(const char *path, size_t *out_size)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    char *data = read_all(f, out_size);
    fclose(f);
    return data;
}

void support_write_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f) != 0)
        die("cannot write", path);
}

size_t support_each_file(const char *folder, const char *ending,
                         void (*fn)(const char *name, char *text))
{
    struct dirent **entry;
    int n = scandir(folder, &entry, NULL, alphasort);
    size_t n_called = 0;
    if (n < 0)
        die("cannot read the folder", folder);
    for (int i = 0; i < n; i++) {
        const char *name = support_printf("%s", entry[i]->d_name);
        size_t len = strlen(name), end = strlen(ending);
        free(entry[i]);
        if (len < end || strcmp(name + len - end, ending) != 0)
            continue;
        char *text = support_read_file(support_printf("%s/%s", folder, name), NULL);
        if (!text)
            die("cannot read the file", name);
        print_message("%s\n", name);
        fn(name, text);
        free(text);
        n_called++;
    }
    free(entry);
    return n_called;
}

int support_run(const char *command, char **out)
{
    fflush(NULL);
    FILE *f = popen(support_printf("exec 2>&1; %s", command), "r");
    if (!f)
        die("cannot run", command);
    char *text = read_all(f, NULL);
    int status = pclose(f);
    if (out)
        *out = text;
    else
        free(text);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void support_assert_same_text(const char *what, const char *got, const char *want)
{
    size_t same = 0;
    while (got[same] && got[same] == want[same])
        same++;
    if (got[same] == want[same])
        return;
    while (same && got[same - 1] != '\n')
        same--;
    printf("%s: got\n%s", what, got); /* cmocka would cut it */
    fail_msg("%s: differs first in\n%.300s\nwanted\n%.300s", what, got + same, want + same);
}
