/*
 * random.h: numbers that are the same in every run and on every machine.
 */
#ifndef SHEAF_TESTS_RANDOM_H
#define SHEAF_TESTS_RANDOM_H

#include <stdint.h>

/* 31 random bits. */
static inline uint32_t random_next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX generator */
    return (uint32_t)(*seed >> 33);
}

/* 0 .. n-1 */
static inline int random_below(uint64_t *seed, int n)
{
    return (int)(random_next(seed) % (uint32_t)n);
}

#endif
