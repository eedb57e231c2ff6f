/*
 * name_map.h: pointers by name.  Names are not copied; a later put replaces an earlier one.
 */
#ifndef SHEAF_LOADER_IMPORT_NAME_MAP_H
#define SHEAF_LOADER_IMPORT_NAME_MAP_H

#include "ir/arena.h"

struct name_map {
    struct name_map_slot *slot;
    size_t n_used, n_slots; /* n_slots is a power of two, or 0 */
};

/* NULL where there is none. */
void *name_map_get(const struct name_map *m, const char *name);
void name_map_put(struct name_map *m, struct arena *a, const char *name, const void *item);

#endif
