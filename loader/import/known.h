/*
 * known.h: numbers that a run computes, as far as an import can know them.
 *
 * Models do arithmetic on extents, some of which are known only at run time.  An element of such a
 * tensor is kept as a sum of products of atoms: elements of which no more is known than in which
 * range they lie.  So two extents are seen to be equal, however a model has come by them, and each
 * has a bound.
 */
#ifndef SHEAF_LOADER_IMPORT_KNOWN_H
#define SHEAF_LOADER_IMPORT_KNOWN_H

#include "loader/import/build.h"

enum { KNOWN_ATOMS = 4, KNOWN_TERMS = 6 };

struct known_atom {
    const struct value *of;
    int64_t at;
    double low, high; /* infinite: not known */
    bool whole;       /* an integer */
    bool assumed;     /* the upper end is what the user says, so a run may know better */
};

struct known_term {
    int64_t factor;
    int n;
    struct known_atom atom[KNOWN_ATOMS];
};

/* Without a term: 0. */
struct known {
    int n;
    struct known_term term[KNOWN_TERMS];
};

/* ---- sums and products; false: there are too many terms ---- */

struct known known_number(int64_t v);
struct known known_atom(struct known_atom atom);
bool known_add(const struct known *a, const struct known *b, int64_t times_b, struct known *out);
bool known_mul(const struct known *a, const struct known *b, struct known *out);
/* False where the quotient is no such sum. */
bool known_div(const struct known *a, const struct known *b, struct known *out);

bool known_is_number(const struct known *k, int64_t *out);
bool known_equal(const struct known *a, const struct known *b);
void known_range(const struct known *k, double *low, double *high);
double known_low(const struct known *k);
double known_high(const struct known *k);
bool known_is_whole(const struct known *k);
bool known_is_assumed(const struct known *k);
/* *k, which was made of a, is assumed where that is. */
void known_take_over(struct known *k, const struct known *a);

/* ---- elements of tensors (known_element.c) ---- */

/* Element `at`, in row-major order, of a tensor of numbers or bools. */
struct known known_element(struct importer *im, const struct value *v, int64_t at);
struct known known_extent(struct importer *im, const struct shape *s, int d);
/* The element as an atom of this range. */
struct known known_within(struct importer *im, const struct value *v, int64_t at, double low,
                          double high);

/* ---- what an inner block has found out is forgotten with it ---- */

struct known_table;

struct known_mark {
    size_t n[4];
};

struct known_mark known_enter(struct importer *im);
void known_leave(struct importer *im, struct known_mark mark);

#endif
