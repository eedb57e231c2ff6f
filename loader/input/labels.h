/*
 * labels.h: lines of text files: names of classes, lists of images.
 */
#ifndef SHEAF_LOADER_INPUT_LABELS_H
#define SHEAF_LOADER_INPUT_LABELS_H

#include "ir/arena.h"
#include "ir/error.h"

struct lines {
    const char **line;
    size_t n, cap;
};

/* The lines of a file without their ends (LF or CR LF).  Line i is the name of label i, so empty
   lines count. */
bool lines_read(struct arena *a, const char *path, struct lines *out_lines, struct error *err);

/* Paths of the files NAME.png of a folder, sorted by bytes; fails where there is none. */
bool image_dir_read(struct arena *a, const char *dir, struct lines *out_paths, struct error *err);
/* The same with the files NAME.npy, NAME.pb and NAME.bin. */
bool tensor_dir_read(struct arena *a, const char *dir, struct lines *out_paths, struct error *err);

#endif
