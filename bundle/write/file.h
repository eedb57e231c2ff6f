/*
 * file.h: reading files, and writing them so that no reader ever sees half of one.
 *
 * A file is written under a temporary name beside its own and then renamed.  A group is several
 * files that appear together or not at all.  Every failure is one sentence that begins with the
 * path.
 */
#ifndef SHEAF_BUNDLE_WRITE_FILE_H
#define SHEAF_BUNDLE_WRITE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/arena.h"
#include "ir/error.h"

/* Reads a whole file into the arena, one zero byte behind it.  A file of more than `limit_bytes`
   fails. */
bool file_read(struct arena *a, const char *path, int64_t limit_bytes, uint8_t **out_data,
               size_t *out_size, struct error *err);

/* A file mapped for reading; file_unmap accepts a zeroed struct. */
struct file_map {
    const uint8_t *data; /* never NULL after file_map, also for an empty file */
    size_t size;
};
bool file_map(const char *path, int64_t limit_bytes, struct file_map *out_map, struct error *err);
void file_unmap(struct file_map *map);

bool file_write_atomic(const char *path, const void *data, size_t size, struct error *err);

/*
 * A group of files.  file_group_add writes one under its temporary name; file_group_commit renames
 * all of them.  After a failure of any call, or to give up, file_group_abort removes whatever the
 * group has made: temporary files, files renamed already, and the folder.
 */
struct file_group;
struct file_group *file_group_create(struct arena *a);
/* Makes a folder (its parent must exist); one that exists already is left to itself. */
bool file_group_make_dir(struct file_group *g, const char *dir, struct error *err);
bool file_group_add(struct file_group *g, const char *path, const void *data, size_t size,
                    struct error *err);
bool file_group_commit(struct file_group *g, struct error *err);
void file_group_abort(struct file_group *g); /* does nothing after a commit */

#endif
