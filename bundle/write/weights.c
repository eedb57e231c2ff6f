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

uint64_t weights_digest64(const struct weights *w)
{
    return XXH64(w->data, w->size, 0);
}

static void put_low_first(uint8_t out[8], uint64_t v)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(v >> 8 * i);
}

struct weights weights_with_trailer(struct arena *a, const struct weights *w, uint64_t layout_id,
                                    bool of_library)
{
    struct sheaf_weights_trailer t;
    memset(&t, 0, sizeof t);
    memcpy(t.magic, SHEAF_WEIGHTS_MAGIC, sizeof t.magic);
    put_low_first(t.layout_id, layout_id);
    if (of_library)
        put_low_first(t.digest64, weights_digest64(w));
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
