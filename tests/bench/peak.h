/* peak.h: the rates of one core when nothing but registers is used: yardsticks for kernels. */
#ifndef SHEAF_TESTS_BENCH_PEAK_H
#define SHEAF_TESTS_BENCH_PEAK_H

enum peak {
    PEAK_FLOAT, /* f32 multiply-adds in the widest vectors of this machine */
    PEAK_DOT,   /* dot products of four bytes (vpdpbusd) in vectors of 64 bytes */
    PEAK_TILE   /* products of tiles of bytes (tdpbusd) */
};

const char *peak_name(enum peak p);

/* A burst of one or two milliseconds, in 1e9 operations per second, a multiply-add counted as two.
   The processor must have the instructions and the process the permission to use them. */
double peak_gops(enum peak p);

#endif
