/*
 * kernel.c: runs a bundle's entry.  It reads the sizes of the three areas and the bytes of the
 * constants and of the mutable area, and writes the mutable area and the activations as the entry
 * leaves them.  Exit status: the entry's, TOO_LARGE, or of machine.h.
 */
#include "tests/cross/machine.h"

int net(const uint8_t *constants, uint8_t *mutable_area, uint8_t *activations);

/* What boards have room for; behind 64 bits of address memory is what is touched. */
enum { TOO_LARGE = 101, AREA_BYTES = sizeof(void *) == 8 ? 1 << 28 : 1 << 19 };
static uint8_t constants[AREA_BYTES] __attribute__((aligned(64)));
static uint8_t mutable_area[AREA_BYTES] __attribute__((aligned(64)));
static uint8_t activations[AREA_BYTES] __attribute__((aligned(64)));

void run(void)
{
    uint32_t bytes[3];
    machine_read(bytes, sizeof bytes);
    for (int i = 0; i < 3; i++)
        if (bytes[i] > AREA_BYTES)
            machine_leave(TOO_LARGE);
    machine_read(constants, bytes[0]);
    machine_read(mutable_area, bytes[1]);
    int status = net(constants, mutable_area, activations);
    machine_write(mutable_area, bytes[1]);
    machine_write(activations, bytes[2]);
    machine_leave(status);
}
