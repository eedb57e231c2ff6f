/*
 * network.c: runs a network that is linked in with its weights.  It reads all inputs, and writes of
 * each output the type (enum sheaf_dtype), the number of bytes and these.  Exit status: the
 * network's, or of machine.h.
 */
#include "net.h"
#include "tests/cross/machine.h"

/* Either area may be empty, an array may not. */
SHEAF_ALIGNED(NET_MEM_ALIGN) static uint8_t mutables[NET_MUTABLE_MEM_SIZE + 1];
SHEAF_ALIGNED(NET_MEM_ALIGN) static uint8_t activations[NET_ACTIVATIONS_MEM_SIZE + 1];

void run(void)
{
    for (size_t i = 0; i < net_config.numSymbols; i++)
        if (net_info.symbols[i].role == SHEAF_ROLE_INPUT)
            machine_read(mutables + net_config.symbolTable[i].offset,
                         (size_t)net_info.symbols[i].size_bytes);
    /* The constants are only read, though the type does not say so. */
    int status = net((uint8_t *)(uintptr_t)net_weights, mutables, activations);
    for (size_t i = 0; i < net_config.numSymbols; i++) {
        const struct sheaf_symbol_info *s = &net_info.symbols[i];
        const uint32_t head[2] = {s->dtype, (uint32_t)s->size_bytes};
        if (s->role != SHEAF_ROLE_OUTPUT)
            continue;
        machine_write(head, sizeof head);
        machine_write(mutables + net_config.symbolTable[i].offset, head[1]);
    }
    machine_leave(status);
}
