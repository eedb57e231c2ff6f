#define _POSIX_C_SOURCE 200809L
#include "loader/input/labels.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "bundle/write/file.h"

enum { LIMIT_LIST_BYTES = 1 << 28 };

bool lines_read(struct arena *a, const char *path, struct lines *out_lines, struct error *err)
{
    uint8_t *data;
    size_t size;
    if (!file_read(a, path, LIMIT_LIST_BYTES, &data, &size, err))
        return false;
    if (memchr(data, 0, size))
        return error_set(err, SHEAF_ERROR_FORMAT, "%s: not a text file: it has a zero byte", path);
    struct lines lines = {0};
    for (const char *p = (const char *)data; *p;) {
        size_t n = strcspn(p, "\n");
        size_t shown = n && p[n - 1] == '\r' ? n - 1 : n;
        ARENA_PUSH(a, lines.line, lines.n, lines.cap) = arena_strndup(a, p, shown);
        p += p[n] ? n + 1 : n;
    }
    *out_lines = lines;
    return true;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *const image_endings[] = {".png", NULL};
static const char *const tensor_endings[] = {".npy", ".pb", ".bin", NULL};

static bool is_file_ending_in(const char *path, const char *const *endings)
{
    size_t n = strlen(path);
    struct stat st;
    for (; *endings; endings++) {
        size_t m = strlen(*endings);
        if (n > m && strcasecmp(path + n - m, *endings) == 0)
            return stat(path, &st) == 0 && S_ISREG(st.st_mode);
    }
    return false;
}

/* `what` says which files the folder ought to have. */
static bool dir_read(struct arena *a, const char *dir, const char *const *endings, const char *what,
                     struct lines *out_paths, struct error *err)
{
    DIR *handle = opendir(dir);
    if (!handle)
        return error_set(err, SHEAF_ERROR_IO, "%s: cannot read the folder: %s", dir,
                         strerror(errno));
    struct lines paths = {0};
    for (struct dirent *entry; (entry = readdir(handle));) {
        const char *path = arena_printf(a, "%s/%s", dir, entry->d_name);
        if (is_file_ending_in(path, endings))
            ARENA_PUSH(a, paths.line, paths.n, paths.cap) = path;
    }
    closedir(handle);
    if (paths.n == 0)
        return error_set(err, SHEAF_ERROR_NOT_FOUND, "%s: the folder has no %s file", dir, what);
    qsort(paths.line, paths.n, sizeof *paths.line, compare_paths);
    *out_paths = paths;
    return true;
}

bool image_dir_read(struct arena *a, const char *dir, struct lines *out_paths, struct error *err)
{
    return dir_read(a, dir, image_endings, ".png", out_paths, err);
}

bool tensor_dir_read(struct arena *a, const char *dir, struct lines *out_paths, struct error *err)
{
    return dir_read(a, dir, tensor_endings, ".npy, .pb or .bin", out_paths, err);
}
