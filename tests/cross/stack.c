/*
 * How much stack a call of a bundle's entry uses: it runs on a stack of its own that is full of a
 * pattern.  Prints the most and what NAME.h states.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"

#ifndef NET_STACK_BYTES
#define NET_STACK_BYTES 0 /* not known */
#endif

typedef int entry(uint8_t *constants, uint8_t *mutables, uint8_t *activations);

/* Calls fn with the stack pointer `top`, a multiple of 16. */
int call_below(uint8_t *constants, uint8_t *mutables, uint8_t *activations, entry *fn, void *top);
#if defined(__x86_64__)
__asm__(".globl call_below\n"
        ".type call_below, @function\n"
        "call_below:\n"
        "    push %rbx\n"
        "    mov %rsp, %rbx\n"
        "    mov %r8, %rsp\n"
        "    call *%rcx\n"
        "    mov %rbx, %rsp\n"
        "    pop %rbx\n"
        "    ret\n"
        ".section .note.GNU-stack, \"\", @progbits\n"
        ".text\n");
#elif defined(__aarch64__)
__asm__(".globl call_below\n"
        ".type call_below, %function\n"
        "call_below:\n"
        "    stp x19, x30, [sp, #-16]!\n"
        "    mov x19, sp\n"
        "    mov sp, x4\n"
        "    blr x3\n"
        "    mov sp, x19\n"
        "    ldp x19, x30, [sp], #16\n"
        "    ret\n");
#elif defined(__arm__)
__asm__(".syntax unified\n"
        ".globl call_below\n"
        ".type call_below, %function\n"
        "call_below:\n"
        "    push {r4, lr}\n"
        "    mov r4, sp\n"
        "    ldr r12, [sp, #8]\n"
        "    mov sp, r12\n"
        "    blx r3\n"
        "    mov sp, r4\n"
        "    pop {r4, pc}\n");
#elif defined(__riscv)
__asm__(".globl call_below\n"
        ".type call_below, @function\n"
        "call_below:\n"
        "    addi sp, sp, -16\n"
        "    sd ra, 8(sp)\n"
        "    sd s0, 0(sp)\n"
        "    mv s0, sp\n"
        "    mv sp, a4\n"
        "    jalr a3\n"
        "    mv sp, s0\n"
        "    ld ra, 8(sp)\n"
        "    ld s0, 0(sp)\n"
        "    addi sp, sp, 16\n"
        "    ret\n");
#endif

enum { STACK_BYTES = 1 << 20, PATTERN = 0xa5 };
SHEAF_ALIGNED(64) static uint8_t stack[STACK_BYTES];
SHEAF_ALIGNED(NET_MEM_ALIGN) static uint8_t m[NET_MUTABLE_MEM_SIZE + 1];
SHEAF_ALIGNED(NET_MEM_ALIGN) static uint8_t a[NET_ACTIVATIONS_MEM_SIZE + 1];

static size_t used_below(uint8_t *top)
{
    memset(stack, PATTERN, sizeof stack);
    if (call_below((uint8_t *)(uintptr_t)net_weights, m, a, net, top) != 0)
        exit(1);
    const uint8_t *p = stack;
    while (p < top && *p == PATTERN)
        p++;
    return (size_t)(top - p);
}

int main(void)
{
    size_t most = 0;
    /* A frame with vectors begins at a multiple of their size: what is lost depends on the top. */
    for (size_t down = 0; down < 64; down += 16) {
        size_t used = used_below(stack + sizeof stack - down);
        most = used > most ? used : most;
    }
    printf("%lu used, %lu stated\n", (unsigned long)most, (unsigned long)NET_STACK_BYTES);
    return 0;
}
