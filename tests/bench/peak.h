/* peak.h: the multiply-add rate of one core when nothing but registers is used. */
#ifndef SHEAF_TESTS_BENCH_PEAK_H
#define SHEAF_TESTS_BENCH_PEAK_H

/* A burst of about two milliseconds with the widest vectors of this machine; in 1e9 float
   operations per second, a multiply-add counted as two. */
double peak_gflops(void);

#endif
