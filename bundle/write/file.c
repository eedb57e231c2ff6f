#define _POSIX_C_SOURCE 200809L
#include "bundle/write/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ir/io.h"

enum { TEMP_NAME_TRIES = 1000 };

static bool fail(struct error *err, const char *path, const char *what)
{
    enum sheaf_status status = errno == ENOENT ? SHEAF_ERROR_NOT_FOUND : SHEAF_ERROR_IO;
    return error_set(err, status, "%s: %s: %s", path, what, strerror(errno));
}

/* Opens a regular file for reading and finds its size. */
static int open_sized(const char *path, int64_t limit_bytes, size_t *out_size, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fail(err, path, "cannot open the file");
        return -1;
    }
    struct stat st;
    if (fstat(fd, &st) != 0) {
        fail(err, path, "cannot read the file");
    } else if (S_ISDIR(st.st_mode)) {
        error_set(err, SHEAF_ERROR_IO, "%s: a file is needed here, this is a folder", path);
    } else if (!S_ISREG(st.st_mode)) {
        error_set(err, SHEAF_ERROR_IO, "%s: this is not a regular file", path);
    } else if (st.st_size > limit_bytes) {
        error_set(err, SHEAF_ERROR_MEMORY,
                  "%s: the file has %lld bytes, more than the limit of %lld", path,
                  (long long)st.st_size, (long long)limit_bytes);
    } else {
        *out_size = (size_t)st.st_size;
        return fd;
    }
    close(fd);
    return -1;
}

bool file_read(struct arena *a, const char *path, int64_t limit_bytes, uint8_t **out_data,
               size_t *out_size, struct error *err)
{
    size_t size;
    int fd = open_sized(path, limit_bytes, &size, err);
    if (fd < 0)
        return false;
    uint8_t *data = arena_alloc(a, size + 1);
    size_t done = 0;
    while (done < size) {
        ssize_t n = read(fd, data + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n < 0)
                fail(err, path, "cannot read the file");
            else
                error_set(err, SHEAF_ERROR_IO, "%s: the file shrank while it was read", path);
            close(fd);
            return false;
        }
        done += (size_t)n;
    }
    close(fd);
    *out_data = data;
    *out_size = size;
    return true;
}

bool file_map(const char *path, int64_t limit_bytes, struct file_map *out_map, struct error *err)
{
    static const uint8_t nothing;
    size_t size;
    int fd = open_sized(path, limit_bytes, &size, err);
    if (fd < 0)
        return false;
    void *p = NULL;
    if (size) {
        p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            fail(err, path, "cannot map the file");
            close(fd);
            return false;
        }
    }
    close(fd);
    out_map->data = size ? p : &nothing;
    out_map->size = size;
    return true;
}

void file_unmap(struct file_map *map)
{
    if (map->size) {
        /* munmap's parameter is not const, though the pages are only given back. */
        union {
            const uint8_t *in;
            void *out;
        } pages = {map->data};
        munmap(pages.out, map->size);
    }
    map->data = NULL;
    map->size = 0;
}

struct group_file {
    const char *path;
    const char *temp; /* NULL once renamed or removed, and for what is no regular file */
    bool in_place;    /* renamed: exists under its own name */
};

struct file_group {
    struct arena *arena;
    const char *dir; /* made by this group, else NULL */
    struct group_file *files;
    size_t n_files, cap_files;
};

struct file_group *file_group_create(struct arena *a)
{
    struct file_group *g = arena_new(a, struct file_group);
    g->arena = a;
    return g;
}

bool file_group_make_dir(struct file_group *g, const char *dir, struct error *err)
{
    if (mkdir(dir, 0777) == 0) {
        g->dir = arena_strdup(g->arena, dir);
        return true;
    }
    struct stat st;
    if (errno == EEXIST && stat(dir, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return true;
        return error_set(err, SHEAF_ERROR_IO, "%s: a folder is needed here, this is a file", dir);
    }
    return fail(err, dir, "cannot make the folder");
}

/* Devices and pipes are written where they are: renaming would replace them by a file. */
static bool is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static int open_temp(struct arena *a, const char *path, const char **out_temp)
{
    for (int i = 0; i < TEMP_NAME_TRIES; i++) {
        const char *temp = arena_printf(a, "%s.%ld-%d.tmp", path, (long)getpid(), i);
        int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0)
            *out_temp = temp;
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

bool file_group_add(struct file_group *g, const char *path, const void *data, size_t size,
                    struct error *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return error_set(err, SHEAF_ERROR_IO, "%s: cannot write the file: this is a folder", path);

    const char *temp = NULL;
    bool special = is_special(path);
    int fd = special ? open(path, O_WRONLY | O_CLOEXEC) : open_temp(g->arena, path, &temp);
    if (fd < 0)
        return fail(err, path, "cannot write the file");
    if (!special)
        ARENA_PUSH(g->arena, g->files, g->n_files, g->cap_files) =
            (struct group_file){arena_strdup(g->arena, path), temp, false};
    bool ok = io_write_all(fd, data, size);
    int saved = errno;
    if (close(fd) != 0 && ok) {
        ok = false;
        saved = errno;
    }
    errno = saved;
    return ok || fail(err, path, "cannot write the file");
}

bool file_group_commit(struct file_group *g, struct error *err)
{
    for (size_t i = 0; i < g->n_files; i++) {
        struct group_file *f = &g->files[i];
        if (rename(f->temp, f->path) != 0)
            return fail(err, f->path, "cannot write the file");
        f->temp = NULL;
        f->in_place = true;
    }
    g->n_files = 0;
    g->dir = NULL;
    return true;
}

void file_group_abort(struct file_group *g)
{
    for (size_t i = 0; i < g->n_files; i++) {
        struct group_file *f = &g->files[i];
        if (f->temp)
            unlink(f->temp);
        if (f->in_place)
            unlink(f->path);
    }
    g->n_files = 0;
    if (g->dir)
        rmdir(g->dir);
    g->dir = NULL;
}

bool file_write_atomic(const char *path, const void *data, size_t size, struct error *err)
{
    struct arena a;
    arena_init(&a);
    struct file_group *g = file_group_create(&a);
    bool ok = file_group_add(g, path, data, size, err) && file_group_commit(g, err);
    if (!ok)
        file_group_abort(g);
    arena_done(&a);
    return ok;
}
