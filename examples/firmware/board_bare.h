/*
 * board_bare.h: what the bare machines have in common (board_bare.c), and the one instruction that
 * each has of its own.
 */
#ifndef BOARD_BARE_H
#define BOARD_BARE_H

#include "board.h"

int main(void);

/* Puts the program's data in place. */
void bare_start(void);

/* Asks the debugger for something, and returns what it answers: each processor has its breakpoint
   for that. */
uint32_t bare_semihost(uint32_t operation, const void *argument);

#endif
