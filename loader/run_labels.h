/*
 * run_labels.h: the labels that a run comes to, and those that are right.
 */
#ifndef SHEAF_LOADER_RUN_LABELS_H
#define SHEAF_LOADER_RUN_LABELS_H

#include "loader/pipeline.h"
#include "loader/report.h"
#include "loader/run_inputs.h"

struct run_labels {
    const struct loader_options *opt;
    struct lines names;
    const int64_t *expected; /* of each item; NULL: not known */
    size_t n_expected;
};

/*
 * Reads what the options name.  A line of -expected-labels-file is the label of an item, or the
 * name of the item's file, a space and the label; the name must be that of the file, without its
 * folder.
 */
bool run_labels_read(struct arena *a, const struct loader_options *opt,
                     const struct run_files *files, struct run_labels *out_labels,
                     struct error *err);

/* Refuses expected labels that the first output does not have, before anything is run. */
bool run_labels_check(const struct run_labels *l, const struct pipeline *p, size_t batch,
                      struct error *err);

struct run_top {
    struct report_label *label; /* the -topk first */
    size_t n;
    bool is_probability;
};

/* The labels of item `item` of `batch` in the first output of the last run. */
bool run_labels_top(const struct run_labels *l, const struct pipeline *p, struct arena *a,
                    size_t item, size_t batch, struct run_top *out_top, struct error *err);

/* Whether the label expected of item `which` of all is among them. */
bool run_labels_right(const struct run_labels *l, const struct run_top *top, size_t which);

#endif
