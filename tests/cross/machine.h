/*
 * machine.h: the little that a program needs to run a bundle anywhere: input, output, an end. There
 * is no C library.
 */
#ifndef SHEAF_TESTS_MACHINE_H
#define SHEAF_TESTS_MACHINE_H

#include <stddef.h>
#include <stdint.h>

/* The program; what it does not read or write, for want of input or room, ends it with this. */
void run(void);
enum { MACHINE_IO = 100 };

void machine_read(void *p, size_t n);
void machine_write(const void *p, size_t n);
void machine_leave(int status); /* does not return */

#endif
