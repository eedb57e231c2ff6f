#include "bundle/write/weights.h"

#include <string.h>
#include <xxhash.h>

void weights_digest(const void *data, size_t size, uint8_t out_digest[16])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, size));
    memcpy(out_digest, canonical.digest, 16);
}

struct weights weights_make(struct arena *a, const struct program *p)
{
    struct weights w = {.data = program_pack_constants(p, a),
                        .size = (size_t)p->area_bytes[AREA_CONSTANT]};
    weights_digest(w.data, w.size, w.digest);
    return w;
}
