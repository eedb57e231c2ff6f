#include "loader/import/name_map.h"

#include <stdint.h>
#include <string.h>

struct name_map_slot {
    const char *name; /* NULL: free */
    const void *item;
};

static struct name_map_slot *find(const struct name_map *m, const char *name)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (const char *c = name; *c; c++)
        h = (h ^ (uint8_t)*c) * 0x100000001b3u;
    size_t i = (size_t)(h ^ h >> 32) & (m->n_slots - 1);
    while (m->slot[i].name && strcmp(m->slot[i].name, name))
        i = (i + 1) & (m->n_slots - 1);
    return &m->slot[i];
}

void *name_map_get(const struct name_map *m, const char *name)
{
    return m->n_slots ? (void *)(uintptr_t)find(m, name)->item : NULL;
}

void name_map_put(struct name_map *m, struct arena *a, const char *name, const void *item)
{
    if (2 * (m->n_used + 1) > m->n_slots) {
        struct name_map old = *m;
        m->n_slots = old.n_slots ? 2 * old.n_slots : 32;
        m->slot = arena_array(a, m->n_slots, sizeof *m->slot);
        for (size_t i = 0; i < old.n_slots; i++)
            if (old.slot[i].name)
                *find(m, old.slot[i].name) = old.slot[i];
    }
    struct name_map_slot *s = find(m, name);
    m->n_used += !s->name;
    s->name = name;
    s->item = item;
}
