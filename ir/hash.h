/*
 * hash.h: a 64-bit hash of bytes, for tables and for telling content apart; not against somebody
 * who looks for collisions.
 *
 * Eight bytes a step: xor, multiply by 2^64 / golden ratio, fold the high half onto the low one.
 * What it gives for a sequence of calls is written into profiles, so it must not change.
 */
#ifndef SHEAF_IR_HASH_H
#define SHEAF_IR_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t hash_step(uint64_t h, uint64_t word)
{
    h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 32;
}

/* The bytes after what h holds already.  The last word has their number in its high byte, so that
   two calls differ from one over both. */
static inline uint64_t hash_bytes(uint64_t h, const void *data, size_t n)
{
    const uint8_t *p = data;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        h = hash_step(h, word);
    }
    uint64_t last = (uint64_t)(n + 1) << 56;
    for (size_t i = 0; i < n; i++)
        last |= (uint64_t)p[i] << 8 * i;
    return hash_step(h, last);
}

#endif
