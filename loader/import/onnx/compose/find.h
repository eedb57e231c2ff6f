/*
 * find.h: elements or strings looked up among constant keys.
 */
#ifndef SHEAF_LOADER_IMPORT_ONNX_COMPOSE_FIND_H
#define SHEAF_LOADER_IMPORT_ONNX_COMPOSE_FIND_H

#include "loader/import/onnx/onnx.h"

struct find_keys {
    const struct tensor *keys; /* ascending, each once: [n, 1] numbers or [n, W] strings */
    bool strings;
    int64_t n;
    int64_t *from; /* key i is that of the model at from[i]: the first of equal ones */
    int64_t *rank; /* key i of the model is at rank[i] */
};

/* From [n] numbers, rows of them [n, W], or strings [n, W]. */
void find_keys_of(struct onnx *o, const struct tensor *t, bool strings, struct find_keys *out);
/* Where each element of x, or string, is among the keys; their number where it is none. */
struct value *find_index(struct onnx *o, const struct draft *d, struct value *x,
                         const struct find_keys *keys);

#endif
