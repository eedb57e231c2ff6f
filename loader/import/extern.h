/*
 * extern.h: nodes of operators that the user named to have them computed by functions of his own
 * (-extern-op); shared by both importers.
 */
#ifndef SHEAF_LOADER_IMPORT_EXTERN_H
#define SHEAF_LOADER_IMPORT_EXTERN_H

#include "loader/import/build.h"

/* Behind a list of operators that are not supported. */
#define EXTERN_ADVICE "; -extern-op=NAME makes an operator a C function that you write"

struct extern_attr {
    const char *name;
    enum attr_kind kind; /* one of the lists, or a tensor */
    union {
        struct attr_ints ints;
        struct attr_floats floats;
        struct attr_strings strings;
        const struct tensor *tensor;
    } u;
};

/* A node as the model has it. */
struct extern_node {
    const char *op, *name;
    struct value *const *in; /* NULL: left out */
    size_t n_in;
    const char *const *out; /* names; "": left out */
    size_t n_out;
    const struct extern_attr *attrs;
    size_t n_attrs;
};

/* What is known of an output. */
struct extern_type {
    enum dtype dtype; /* DTYPE_NONE: nothing is */
    struct shape shape;
};

/* Whether -extern-op names the operator. */
bool extern_is_named(const struct importer *im, const char *op);
/* The node; `types` are those that the model states, or that follow otherwise, and the user's
   -extern-output comes before them.  NULL after a sentence. */
struct node *extern_build(struct importer *im, const struct extern_node *x,
                          const struct extern_type *types);
/* Takes away again what was built between the two: nodes of the block in work at once, what they
   made at the end of the import. */
struct extern_mark {
    size_t n_nodes, n_values;
};
struct extern_mark extern_mark(const struct importer *im);
void extern_forget(struct importer *im, struct extern_mark mark);
/* Each operator and each output that the user named was there. */
bool extern_check(struct importer *im);

#endif
