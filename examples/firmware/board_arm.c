/*
 * A Cortex-M, bare.  The text goes through semihosting: a debugger, or QEMU in its place, looks at
 * the processor when it meets a breakpoint with the number 0xab ("Semihosting for AArch32 and
 * AArch64", Arm).
 */
#include "board_bare.h"

/* Given by the linker script. */
extern uint32_t stack_limit[], stack_top[];

/* ---- start ---- */

static volatile uint32_t *at(uintptr_t address)
{
    return (volatile uint32_t *)address;
}

/* Registers of every Cortex-M ("Armv7-M Architecture Reference Manual", B3). */
enum {
    SYST_CSR = 0xe000e010, /* control */
    SYST_RVR = 0xe000e014, /* what the counter starts from */
    SYST_CVR = 0xe000e018, /* the counter, 24 bits, counts down */
    CCR = 0xe000ed14,
    CPACR = 0xe000ed88,
    SYST_START = 5, /* runs, from the processor's clock */
    SYST_WRAPPED = 1 << 16,
    CCR_UNALIGNED = 8,   /* accesses that are not aligned fault */
    CPACR_FPU = 15 << 20 /* coprocessors 10 and 11: floating point and vectors */
};

/* Whichever exception it is. */
static void fault(void)
{
    board_say("the processor met a fault\n");
    board_stop(1);
}

void reset(void)
{
    bare_start();
#if __ARM_ARCH >= 7
    *at(CPACR) |= CPACR_FPU;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#else
    /* The board has a larger processor than the code is for: it shall fault where that would. */
    *at(CCR) |= CCR_UNALIGNED;
#endif
    board_stop(main());
}

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*handler[15])(void);
} vectors = {stack_top,
             {reset, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault,
              fault, fault, fault}};

/* ---- semihosting ---- */

uint32_t bare_semihost(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

/* ---- measuring a call ---- */

/*
 * Fills all of the stack below itself with a pattern, calls, and looks how far down the pattern is
 * gone; the distance is from the stack pointer at the call.  The clock starts anew when something
 * is written to it.  Returns what the network returns.
 */
int call_painted(struct board_cost *out_cost, uint8_t *constants, uint8_t *mutables,
                 uint8_t *activations, network_fn *network);
__asm__(".syntax unified\n"
        ".pushsection .text.call_painted, \"ax\", %progbits\n"
        ".balign 4\n"
        ".thumb_func\n"
        ".global call_painted\n"
        ".type call_painted, %function\n"
        "call_painted:\n"
        "    push {r4, r5, r6, r7, lr}\n"
        "    sub sp, #4\n" /* the stack pointer is a multiple of 8 at a call */
        "    mov r4, sp\n"
        "    mov r7, r0\n"
        "    ldr r5, 4f\n"
        "    ldr r6, 5f\n"
        "1:  str r6, [r5]\n"
        "    adds r5, #4\n"
        "    cmp r5, r4\n"
        "    blo 1b\n"
        "    mov r0, r1\n"
        "    mov r1, r2\n"
        "    mov r2, r3\n"
        "    ldr r3, [sp, #24]\n"
        "    ldr r5, 6f\n"
        "    str r5, [r5]\n"
        "    blx r3\n"
        "    ldr r1, [r5]\n"
        "    ldr r2, 7f\n"
        "    subs r1, r2, r1\n"
        "    str r1, [r7, #4]\n" /* out_cost->ticks */
        "    ldr r5, 4f\n"
        "2:  ldr r1, [r5]\n"
        "    cmp r1, r6\n"
        "    bne 3f\n"
        "    adds r5, #4\n"
        "    cmp r5, r4\n"
        "    blo 2b\n"
        "3:  subs r1, r4, r5\n"
        "    str r1, [r7]\n" /* out_cost->stack_bytes */
        "    add sp, #4\n"
        "    pop {r4, r5, r6, r7, pc}\n"
        "    .balign 4\n"
        "4:  .word stack_limit\n"
        "5:  .word 0xa55aa55a\n"
        "6:  .word 0xe000e018\n" /* SYST_CVR */
        "7:  .word 0x00ffffff\n"
        ".size call_painted, . - call_painted\n"
        ".popsection\n");

int board_call(network_fn *network, uint8_t *constants, uint8_t *mutables, uint8_t *activations,
               struct board_cost *out_cost)
{
    *at(SYST_RVR) = 0xffffff;
    *at(SYST_CVR) = 0;
    *at(SYST_CSR) = SYST_START;
    int failed = call_painted(out_cost, constants, mutables, activations, network);
    if (*at(SYST_CSR) & SYST_WRAPPED)
        out_cost->ticks = 0;
    *at(SYST_CSR) = 0;
    return failed;
}
