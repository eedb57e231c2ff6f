/*
 * ve_check.h: whether the dynamic loader of the Vector Engine can open a shared object, as far as
 * that can be known without one.
 */
#ifndef SHEAF_BUNDLE_READ_VE_CHECK_H
#define SHEAF_BUNDLE_READ_VE_CHECK_H

#include "bundle/read/object.h"

/*
 * Maps the file as glibc's loader does and follows what it would follow.  Returns NULL, or the
 * first reason why it could not be opened or used: segments and their pages, the tables of the
 * dynamic section, each symbol by way of the hash table, each relocation, code that could be
 * written or data that could be executed, and anything that is needed from elsewhere.
 */
const char *ve_check(const struct object *o);

/*
 * Where the first instruction lies that has a vector in VIX; n_bytes if none has.  LLVM's register
 * allocator takes that register, the last one, for data where 64 vectors are not enough; but on the
 * engine it only says holds an index.
 */
uint64_t ve_find_vix(const uint8_t *code, uint64_t n_bytes);

#endif
