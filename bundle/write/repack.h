/*
 * repack.h: weights that were trained later for a bundle that is linked already.
 */
#ifndef SHEAF_BUNDLE_WRITE_REPACK_H
#define SHEAF_BUNDLE_WRITE_REPACK_H

#include "bundle/emit/emit.h"
#include "bundle/write/weights.h"

/* Of an object that was emitted for replaceable weights. */
uint64_t repack_layout_id(const struct bytes *object);

/*
 * Writes `weights`, trailer included, in place of NAME.weights beside NAME.o in `dir`.  They fit
 * where the model gives the very same object; else the sentence says what differs first.
 */
bool repack_write(struct arena *a, const char *dir, const char *name, const struct bytes *object,
                  const struct weights *weights, struct error *err);

#endif
