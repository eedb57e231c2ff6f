/*
 * vector.h: a published ONNX vector: a model with recorded inputs and outputs.
 */
#ifndef SHEAF_TESTS_CONFORMANCE_VECTOR_H
#define SHEAF_TESTS_CONFORMANCE_VECTOR_H

#include "ir/graph.h"
#include "loader/import/import.h"
#include "loader/import/onnx.pb-c.h"

/* A tensor of the data; those of sequences are numbered as the importer does. */
struct field {
    const char *name;
    const struct tensor *t;
    bool strings; /* t is their bytes, along its last dimension, padded with 0 */
};

enum { MAX_FIELDS = 64 };

struct fields {
    struct field v[MAX_FIELDS];
    size_t n;
};

struct vector {
    struct arena arena;
    const char *dir, *name;
    Onnx__ModelProto *model;
    bool is_drawn; /* at random it is chosen which elements of the outputs are 0 */
    /* The rest by vector_read. */
    struct fields in, out;
    struct import_symbol length[MAX_FIELDS]; /* of inputs that are sequences, optionals, strings */
    struct import_input part[MAX_FIELDS];    /* their tensors, and those of open shapes */
    size_t n_lengths, n_parts;
    size_t n_bound; /* inputs that vector_import made constants */
};

/* False: there is no model in the folder.  To be closed in either case. */
bool vector_open(struct vector *v, const char *dir);
void vector_close(struct vector *v);
/* Inputs and outputs as recorded. */
void vector_read(struct vector *v);
/* Strings with another room for each, as far as they fit. */
const struct tensor *vector_strings(struct vector *v, const struct tensor *t, int64_t bytes);
/* The model with the shapes of the data; NULL with a sentence. */
struct graph *vector_import(struct vector *v, struct arena *a, struct error *err);

#endif
