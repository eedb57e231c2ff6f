/*
 * cpu_host.h: the architecture of the machine that this is compiled for, as a triple begins; the
 * tool runs on no other than it can make code for.
 */
#ifndef SHEAF_CPU_HOST_H
#define SHEAF_CPU_HOST_H

#if defined(__x86_64__)
#define CPU_HOST "x86_64"
#elif defined(__aarch64__)
#define CPU_HOST "aarch64"
#elif defined(__arm__) && __ARM_ARCH >= 7
#define CPU_HOST "armv7"
#elif defined(__riscv) && __riscv_xlen == 64
#define CPU_HOST "riscv64"
#else
#error "the tool runs on x86-64, ARM64, ARMv7 and 64-bit RISC-V"
#endif

#endif
