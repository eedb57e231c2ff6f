#define _POSIX_C_SOURCE 200809L

#include "tests/bench/peak.h"

#include <time.h>

enum { CHAINS = 12, STEPS = 20000 };

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#if defined(__x86_64__)
/* Twelve independent chains hide the latency of four cycles on two ports.  In assembly, since the
   loop is the yardstick: what a compiler makes of it must not matter. */
#define ALL_CHAINS(w)                                                                              \
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11\n\t"                                                         \
    "vfmadd231ps %%" w "mm14, %%" w "mm15, %%" w "mm\\n\n\t"                                       \
    ".endr\n\t"
#define USED                                                                                       \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

static void burst_512(int steps)
{
    __asm__ volatile("vzeroall\n1:\n\t" ALL_CHAINS("z") "dec %0\n\tjnz 1b\n\tvzeroupper"
                     : "+r"(steps)::"cc", USED);
}

static void burst_256(int steps)
{
    __asm__ volatile("vzeroall\n1:\n\t" ALL_CHAINS("y") "dec %0\n\tjnz 1b\n\tvzeroupper"
                     : "+r"(steps)::"cc", USED);
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

double peak_gflops(void)
{
    int lanes = 1;
    void (*burst)(int) = burst_scalar;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        burst = burst_512;
        lanes = 16;
    } else if (__builtin_cpu_supports("fma")) {
        burst = burst_256;
        lanes = 8;
    }
#endif
    burst(STEPS / 10);
    double start = seconds();
    burst(STEPS);
    double s = seconds() - start;
    return 2.0 * lanes * CHAINS * STEPS / s * 1e-9;
}
