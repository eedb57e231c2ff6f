/* The development machine: the same program as a test of the firmware before there is a board. */
#include <stdio.h>
#include <stdlib.h>

#include "board.h"

const uint32_t board_hz = 1;

void board_say(const char *text)
{
    fputs(text, stdout);
}

void board_stop(int status)
{
    exit(status);
}

int board_call(network_fn *network, uint8_t *constants, uint8_t *mutables, uint8_t *activations,
               struct board_cost *out_cost)
{
    out_cost->stack_bytes = 0;
    out_cost->ticks = 0;
    return network(constants, mutables, activations);
}
