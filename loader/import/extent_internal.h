/*
 * extent_internal.h: what the files of extent_*.c share.
 */
#ifndef SHEAF_LOADER_IMPORT_EXTENT_INTERNAL_H
#define SHEAF_LOADER_IMPORT_EXTENT_INTERNAL_H

#include "loader/import/extent.h"
#include "loader/import/known_internal.h"

/* Always false. */
bool extent_refuse(struct importer *im, const struct node *n, const char *why);
bool extent_has(const struct node *n, size_t i);
/* Input i has an extent of the run, or is no constant. */
bool extent_is_open(const struct node *n, size_t i);
bool extent_is_computed(const struct node *n, size_t i);
/* How many steps there are from start up to limit; a negative number is none. */
bool extent_count_steps(struct importer *im, const struct known *start, const struct known *limit,
                        int64_t step, struct known *out);

/* ---- nodes of each operator that need it; false after a fault ---- */

bool extent_reshape(struct importer *im, struct node *n);
bool extent_flatten(struct importer *im, struct node *n);
bool extent_constant_of_shape(struct importer *im, struct node *n);
bool extent_expand(struct importer *im, struct node *n);
bool extent_tile(struct importer *im, struct node *n);
bool extent_one_hot(struct importer *im, struct node *n);
bool extent_range(struct importer *im, struct node *n);
bool extent_top_k(struct importer *im, struct node *n);
bool extent_slice(struct importer *im, struct node *n, bool *done);
bool extent_split(struct importer *im, struct node *n, bool *done);
bool extent_pad(struct importer *im, struct node *n);
bool extent_concat(struct importer *im, struct node *n);
bool extent_broadcast(struct importer *im, struct node *n);
bool extent_scatter_nd(struct importer *im, struct node *n);
bool extent_scatter_elements(struct importer *im, struct node *n);
bool extent_rows(struct importer *im, struct node *n, bool *done);

#endif
