/*
 * extent.h: nodes whose shapes are known only at run time.
 *
 * A node that is appended may take its sizes from what a run computes, or inputs with extents of
 * the run.  Before it is inferred, its extents are worked out as numbers (known.h), each of which
 * becomes a scalar of the graph, one for all that are equal; the node gets bounds and these
 * scalars.
 */
#ifndef SHEAF_LOADER_IMPORT_EXTENT_H
#define SHEAF_LOADER_IMPORT_EXTENT_H

#include "loader/import/known.h"

/* ---- numbers as nodes (extent_number.c); false after a fault ---- */

/* As known.h has it, or else computed by a node. */
bool extent_add(struct importer *im, const struct known *a, const struct known *b,
                struct known *out);
bool extent_sub(struct importer *im, const struct known *a, const struct known *b,
                struct known *out);
bool extent_mul(struct importer *im, const struct known *a, const struct known *b,
                struct known *out);
/* Cut; by a number below 1 it is as by 1. */
bool extent_div(struct importer *im, const struct known *a, const struct known *b,
                struct known *out);
bool extent_min(struct importer *im, const struct known *a, const struct known *b,
                struct known *out);
bool extent_max(struct importer *im, const struct known *a, const struct known *b,
                struct known *out);
/* `than` < a (or a == than) ? yes : no */
bool extent_if_less(struct importer *im, const struct known *a, int64_t than,
                    const struct known *yes, const struct known *no, struct known *out);
bool extent_if_equal(struct importer *im, const struct known *a, int64_t than,
                     const struct known *yes, const struct known *no, struct known *out);

/* The number as an i64 scalar; NULL after a fault. */
struct value *extent_scalar(struct importer *im, const struct known *k);
/* Several as a vector. */
struct value *extent_vector(struct importer *im, const struct known *k, int n);

/* ---- shapes ---- */

struct extents {
    int rank;
    struct known dim[2 * MAX_RANK]; /* pads are twice as many as dimensions */
};

struct extents extents_of(struct importer *im, const struct value *v);
/* The elements of a vector, or of a scalar, as extents; a sentence where it is none or too long. */
bool extents_from(struct importer *im, const char *node, const struct value *v,
                  struct extents *out);
/* Input `bounds` of the node becomes the bounds, and those from `first` on the extents that differ.
   An extent without a bound is a fault. */
bool extents_give(struct importer *im, struct node *n, size_t bounds, size_t first,
                  const struct extents *y);
/* For one extent: a bound and, where that is not it, a scalar. */
bool extent_give(struct importer *im, const struct node *n, const struct known *k, int64_t *bound,
                 struct value **scalar);
/* x broadcast to y; NULL after a fault. */
struct value *extents_expand(struct importer *im, struct value *x, const struct extents *y);
/* x with zeros before and behind it, or without some of its elements. */
struct value *extents_pad(struct importer *im, const char *node, struct value *x,
                          const struct extents *before, const struct extents *y,
                          const char *out_name);
/* x with zeros up to its bounds, which are its extents then. */
struct value *extents_fill(struct importer *im, struct value *x);
/* The elements of x from `start` on in steps, of which there are y, as `out` (NULL: a new one). */
struct value *extents_cut(struct importer *im, struct value *x, const struct extents *start,
                          const int64_t *step, const struct extents *y, struct value *out);

/* ---- nodes ---- */

/* Called by build_end.  The node is the last of its block; *done: others have taken its place. */
bool extent_resolve(struct importer *im, struct node *n, bool *done);
/* The node counts something as an earlier one does, which takes its place: so the counts are one.
 */
bool extent_merge(struct importer *im, struct node *n);
/* Its result, of integers or bools, is known although its inputs are not, and becomes a constant.
 */
bool extent_settle(struct importer *im, struct node *n);

#endif
