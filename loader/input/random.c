#include "loader/input/random.h"

#include "ir/tensor.h"

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void random_fill(enum dtype dtype, int64_t elems, uint64_t seed, void *storage)
{
    struct tensor t = {.dtype = dtype, .rank = 1, .dims = {elems}, .data = storage};
    uint64_t state = seed;
    for (int64_t i = 0; i < elems; i++) {
        uint64_t r = next_random(&state);
        if (dtype_is_float(dtype) || dtype_is_coded(dtype))
            tensor_set(&t, i, (double)(r >> 40) / (1 << 23) - 1);
        else if (dtype_bits(dtype) <= 16 && dtype != DTYPE_BOOL)
            tensor_set_int(&t, i, dtype_int_min(dtype) + (int64_t)(r >> (64 - dtype_bits(dtype))));
        else
            tensor_set_int(&t, i, (int64_t)(r >> 63));
    }
}
