#define _POSIX_C_SOURCE 200809L

#include "tests/bench/peak.h"

#include <stdint.h>
#include <time.h>

enum { CHAINS = 12, TILE_CHAINS = 4, STEPS = 20000 };

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#if defined(__x86_64__)
/* Twelve independent chains hide the latency of four cycles on two ports.  In assembly, since the
   loop is the yardstick: what a compiler makes of it must not matter. */
#define ALL_CHAINS(name, w)                                                                        \
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11\n\t" name " %%" w "mm14, %%" w "mm15, %%" w "mm\\n\n\t"      \
    ".endr\n\t"
#define BURST(name, w)                                                                             \
    __asm__ volatile("vzeroall\n1:\n\t" ALL_CHAINS(name, w) "dec %0\n\tjnz 1b\n\tvzeroupper"       \
                     : "+r"(steps)::"cc", USED)
#define USED                                                                                       \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

static void burst_512(int steps)
{
    BURST("vfmadd231ps", "z");
}

static void burst_256(int steps)
{
    BURST("vfmadd231ps", "y");
}

static void burst_dot(int steps)
{
    BURST("vpdpbusd", "z");
}

/* Four sums, two tiles of each factor, all of 16 rows of 64 bytes. */
static void burst_tile(int steps)
{
    static const struct {
        uint8_t palette, reserved[15];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } config = {1, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    __asm__ volatile("ldtilecfg %1\n1:\n\t"
                     "tdpbusd %%tmm6, %%tmm4, %%tmm0\n\t"
                     "tdpbusd %%tmm7, %%tmm4, %%tmm1\n\t"
                     "tdpbusd %%tmm6, %%tmm5, %%tmm2\n\t"
                     "tdpbusd %%tmm7, %%tmm5, %%tmm3\n\t"
                     "dec %0\n\tjnz 1b\n\ttilerelease"
                     : "+r"(steps)
                     : "m"(config)
                     : "cc");
}
#endif

static void burst_scalar(int steps)
{
    static volatile float sink;
    float acc[CHAINS];
    for (int i = 0; i < CHAINS; i++)
        acc[i] = (float)i;
    for (int s = 0; s < steps; s++)
        for (int i = 0; i < CHAINS; i++)
            acc[i] = acc[i] * 0.999f + 1e-3f;
    float sum = 0;
    for (int i = 0; i < CHAINS; i++)
        sum += acc[i];
    sink = sum;
    (void)sink;
}

const char *peak_name(enum peak p)
{
    static const char *const NAMES[] = {[PEAK_FLOAT] = "multiply-adds of f32",
                                        [PEAK_DOT] = "dot products of bytes in vectors",
                                        [PEAK_TILE] = "products of tiles of bytes"};
    return NAMES[p];
}

struct burst {
    void (*run)(int steps);
    double ops; /* of one step */
};

static struct burst choose_burst(enum peak p)
{
    struct burst scalar = {burst_scalar, 2.0 * CHAINS};
#if defined(__x86_64__)
    if (p == PEAK_TILE)
        return (struct burst){burst_tile, 2.0 * TILE_CHAINS * 16 * 16 * 64};
    if (p == PEAK_DOT)
        return (struct burst){burst_dot, 2.0 * CHAINS * 64};
    if (__builtin_cpu_supports("avx512f"))
        return (struct burst){burst_512, 2.0 * CHAINS * 16};
    if (__builtin_cpu_supports("fma"))
        return (struct burst){burst_256, 2.0 * CHAINS * 8};
#endif
    (void)p;
    return scalar;
}

double peak_gops(enum peak p)
{
    struct burst b = choose_burst(p);
    b.run(STEPS / 10);
    double start = seconds();
    b.run(STEPS);
    double s = seconds() - start;
    return b.ops * STEPS / s * 1e-9;
}
