/*
 * board.h: what main.c needs of the machine that it runs on: board_arm.c and board_riscv.c are bare
 * machines, board_host.c is the development machine.
 */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

/* The type of a bundle's function. */
typedef int network_fn(uint8_t *constants, uint8_t *mutables, uint8_t *activations);

/* What a call of the network cost. */
struct board_cost {
    uint32_t stack_bytes; /* used, the entry's own frame and what it calls */
    uint32_t ticks;       /* of the board's clock */
};

void board_say(const char *text);
void board_stop(int status); /* 0: all is well.  Does not return. */

/* Calls the network and measures it; zeros where the machine cannot. */
int board_call(network_fn *network, uint8_t *constants, uint8_t *mutables, uint8_t *activations,
               struct board_cost *out_cost);

extern const uint32_t board_hz; /* of the clock */

#endif
