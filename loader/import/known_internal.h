/*
 * known_internal.h: what an import remembers of numbers that it has looked at.
 */
#ifndef SHEAF_LOADER_IMPORT_KNOWN_INTERNAL_H
#define SHEAF_LOADER_IMPORT_KNOWN_INTERNAL_H

#include <string.h>

#include "loader/import/known.h"

struct known_memo {
    const struct known **element;
    const struct tensor *numbers; /* of the elements that the node moves, where it does that */
    bool looked;
};

/* A scalar of the graph that holds a number. */
struct known_scalar {
    struct known number;
    struct value *v;
};

/* A node of scalars. */
struct known_sum {
    enum op op;
    struct value *in[3];
    struct value *y;
};

struct known_table {
    struct known_memo **memo; /* by the value's id */
    size_t n_memo, cap_memo;
    uint32_t *seen; /* values that have one */
    size_t n_seen, cap_seen;
    struct known_scalar *scalar;
    size_t n_scalars, cap_scalars;
    struct known_sum *sum;
    size_t n_sums, cap_sums;
    struct node **count; /* nodes that count what they find */
    size_t n_counts, cap_counts;
};

struct known_table *known_table(struct importer *im);
struct known_memo *known_memo_of(struct importer *im, const struct value *v);

#endif
