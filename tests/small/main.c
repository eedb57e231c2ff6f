/*
 * main.c: one run of a network on a board of examples/firmware, measured.  The rest of the program
 * is glue that tests/small/run writes for each compiler.
 */
#include "board.h"

int run_network(uint8_t *constants, uint8_t *mutables, uint8_t *activations);

int main(void)
{
    struct board_cost cost;
    char text[12] = "0000000000\n";
    if (board_call(run_network, 0, 0, 0, &cost) != 0)
        board_stop(1);
    for (uint32_t i = 0; i < 10; i++) {
        static const uint32_t powers[] = {1000000000, 100000000, 10000000, 1000000, 100000,
                                          10000,      1000,      100,      10,      1};
        for (; cost.ticks >= powers[i]; cost.ticks -= powers[i])
            text[i]++;
    }
    board_say(text);
    return 0;
}
