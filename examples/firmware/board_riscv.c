/*
 * A RISC-V processor of 32 bits, bare.  The text goes through semihosting: a debugger, or QEMU in
 * its place, looks at the processor when it meets a breakpoint between two instructions that do
 * nothing ("RISC-V Semihosting", RISC-V International).
 */
#include "board_bare.h"

/* ---- start ---- */

void start(void);
void fault(void);

/* All floating-point units off or in their initial state: floats are computed in integers. */
__asm__(".pushsection .vectors, \"ax\", @progbits\n"
        ".global reset\n"
        "reset:\n"
        "    la sp, stack_top\n"
        "    la t0, fault\n"
        "    csrw mtvec, t0\n"
        "    j start\n"
        ".popsection\n");

__attribute__((aligned(4))) void fault(void)
{
    board_say("the processor met a fault\n");
    board_stop(1);
}

void start(void)
{
    bare_start();
    board_stop(main());
}

/* ---- semihosting ---- */

uint32_t bare_semihost(uint32_t operation, const void *argument)
{
    register uint32_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = argument;
    __asm__ volatile(".option push\n\t"
                     ".balign 16\n\t" /* the three must lie in one page */
                     ".option norvc\n\t"
                     "slli zero, zero, 0x1f\n\t"
                     "ebreak\n\t"
                     "srai zero, zero, 7\n\t"
                     ".option pop"
                     : "+r"(a0)
                     : "r"(a1)
                     : "memory");
    return a0;
}

/* ---- measuring a call ---- */

/*
 * Fills all of the stack below itself with a pattern, calls, and looks how far down the pattern is
 * gone; the distance is from the stack pointer at the call.  Returns what the network returns.
 */
int call_painted(struct board_cost *out_cost, uint8_t *constants, uint8_t *mutables,
                 uint8_t *activations, network_fn *network);
__asm__(".pushsection .text.call_painted, \"ax\", @progbits\n"
        ".balign 4\n"
        ".global call_painted\n"
        ".type call_painted, @function\n"
        "call_painted:\n"
        "    addi sp, sp, -16\n"
        "    sw ra, 12(sp)\n"
        "    sw s0, 8(sp)\n"
        "    sw s1, 4(sp)\n"
        "    sw s2, 0(sp)\n"
        "    mv s0, a0\n"
        "    la t0, stack_limit\n"
        "    li s1, 0xa55aa55a\n"
        "1:  sw s1, 0(t0)\n"
        "    addi t0, t0, 4\n"
        "    bltu t0, sp, 1b\n"
        "    mv a0, a1\n"
        "    mv a1, a2\n"
        "    mv a2, a3\n"
        "    csrr s2, mcycle\n"
        "    jalr a4\n"
        "    csrr t1, mcycle\n"
        "    sub t1, t1, s2\n"
        "    sw t1, 4(s0)\n" /* out_cost->ticks */
        "    la t0, stack_limit\n"
        "2:  lw t1, 0(t0)\n"
        "    bne t1, s1, 3f\n"
        "    addi t0, t0, 4\n"
        "    bltu t0, sp, 2b\n"
        "3:  sub t1, sp, t0\n"
        "    sw t1, 0(s0)\n" /* out_cost->stack_bytes */
        "    lw ra, 12(sp)\n"
        "    lw s0, 8(sp)\n"
        "    lw s1, 4(sp)\n"
        "    lw s2, 0(sp)\n"
        "    addi sp, sp, 16\n"
        "    ret\n"
        ".size call_painted, . - call_painted\n"
        ".popsection\n");

int board_call(network_fn *network, uint8_t *constants, uint8_t *mutables, uint8_t *activations,
               struct board_cost *out_cost)
{
    return call_painted(out_cost, constants, mutables, activations, network);
}
