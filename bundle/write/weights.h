/*
 * weights.h: the content of NAME.weights: the constant area as it lies in memory, nothing else.
 * Its integrity is told by the digest in NAME_info.
 */
#ifndef SHEAF_BUNDLE_WRITE_WEIGHTS_H
#define SHEAF_BUNDLE_WRITE_WEIGHTS_H

#include "ir/program.h"

struct weights {
    const uint8_t *data;
    size_t size;
    uint8_t digest[16]; /* as in struct sheaf_bundle_info */
};

/* Packs the constants of a planned program, or of all that were joined, after emit_schedule has
   chosen their layouts. */
struct weights weights_make(struct arena *a, const struct program *p);
struct weights weights_join(struct arena *a, struct program *const *programs, size_t n);

/* The same with the trailer (bundle.h) of replaceable weights behind the area; of a library, with
   the digest that libraries compute. */
struct weights weights_with_trailer(struct arena *a, const struct weights *w, uint64_t layout_id,
                                    bool of_library);
/* That digest: XXH64. */
uint64_t weights_digest64(const struct weights *w);

/* XXH3-128 in canonical (big-endian) form. */
void weights_digest(const void *data, size_t size, uint8_t out_digest[16]);

#endif
