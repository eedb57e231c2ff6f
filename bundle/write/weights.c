#include "bundle/write/weights.h"

#include <string.h>
#include <xxhash.h>

void weights_digest(const void *data, size_t size, uint8_t out_digest[16])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, size));
    memcpy(out_digest, canonical.digest, 16);
}

struct weights weights_join(struct arena *a, struct program *const *programs, size_t n)
{
    size_t size = (size_t)programs[0]->area_bytes[AREA_CONSTANT];
    uint8_t *data = arena_alloc(a, size);
    for (size_t i = 0; i < n; i++)
        program_pack_into(programs[i], data);
    struct weights w = {.data = data, .size = size};
    weights_digest(w.data, w.size, w.digest);
    return w;
}

struct weights weights_make(struct arena *a, const struct program *p)
{
    struct weights w = {.data = program_pack_constants(p, a),
                        .size = (size_t)p->area_bytes[AREA_CONSTANT]};
    weights_digest(w.data, w.size, w.digest);
    return w;
}

struct weights weights_with_trailer(struct arena *a, const struct weights *w, uint64_t layout_id)
{
    struct sheaf_weights_trailer t;
    memset(&t, 0, sizeof t);
    memcpy(t.magic, SHEAF_WEIGHTS_MAGIC, sizeof t.magic);
    for (size_t i = 0; i < sizeof t.layout_id; i++)
        t.layout_id[i] = (uint8_t)(layout_id >> 8 * i);
    memcpy(t.digest, w->digest, sizeof t.digest);
    uint8_t *data = arena_alloc(a, w->size + sizeof t);
    if (w->size)
        memcpy(data, w->data, w->size);
    memcpy(data + w->size, &t, sizeof t);
    struct weights whole = *w;
    whole.data = data;
    whole.size = w->size + sizeof t;
    return whole;
}
