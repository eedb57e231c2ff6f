/* Start and text output of a bare machine; the numbers are those of every semihosting. */
#include "board_bare.h"

/* Given by the linker script. */
extern uint32_t data_start[], data_end[], data_load[], bss_start[], bss_end[];

const uint32_t board_hz = BOARD_HZ;

/* The accesses are volatile so that the compiler makes no call of memcpy or memset of them. */
void bare_start(void)
{
    for (volatile uint32_t *to = data_start, *from = data_load; to < data_end;)
        *to++ = *from++;
    for (volatile uint32_t *p = bss_start; p < bss_end;)
        *p++ = 0;
}

enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20, APPLICATION_EXIT = 0x20026 };

void board_say(const char *text)
{
    bare_semihost(SYS_WRITE0, text);
}

void board_stop(int status)
{
    uint32_t block[2] = {APPLICATION_EXIT, (uint32_t)status};
    bare_semihost(SYS_EXIT_EXTENDED, block);
    for (;;)
        ;
}
