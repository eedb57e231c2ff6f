/*
 * machine.c: the machines that tests/support/cross.c makes programs for, without a C library. Input
 * and output are files 0 and 1 of Linux, or of semihosting the files "in" and "out" of the folder
 * that qemu runs in.
 */
#include "tests/cross/machine.h"

/* A call of the system: READ and WRITE tell how many bytes, at least one where all is well. */
#if defined(BOARD_HZ)
#include "board_bare.h"

/* "Semihosting for AArch32 and AArch64", Arm; RISC-V has the same numbers. */
enum { OPEN = 1, WRITE = 5, READ = 6, EXIT };

static long call(long what, long file, const void *p, size_t n)
{
    static const char *const NAMES[2] = {"in", "out"};
    static const uint32_t MODES[2] = {1, 5}; /* "rb", "wb" */
    static uint32_t open[2];
    if (what == EXIT)
        board_stop((int)file);
    if (!open[file]) {
        const uint32_t args[3] = {(uint32_t)NAMES[file], MODES[file], 2 + (uint32_t)file};
        open[file] = bare_semihost(OPEN, args);
    }
    const uint32_t args[3] = {open[file], (uint32_t)p, n};
    return (long)(n - bare_semihost((uint32_t)what, args));
}

int main(void)
{
    run();
    return 0;
}
#elif defined(__wasm__)
enum { READ = 0, WRITE = 1, EXIT = 2 };

__attribute__((import_module("machine"), import_name("call"))) long call(long what, long file,
                                                                         const void *p, size_t n);
#elif defined(__x86_64__)
enum { READ = 0, WRITE = 1, EXIT = 60 };

static long call(long what, long a, const void *b, size_t c)
{
    __asm__ volatile("syscall" : "+a"(what) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return what;
}
__asm__(".globl _start\n_start: and $-16, %rsp\ncall run\n");
#elif defined(__aarch64__)
enum { READ = 63, WRITE = 64, EXIT = 93 };

static long call(long what, long a, const void *b, size_t c)
{
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = (long)b;
    register long x2 __asm__("x2") = (long)c;
    register long x8 __asm__("x8") = what;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x8) : "memory");
    return x0;
}
__asm__(".globl _start\n_start: bl run\n");
#elif defined(__riscv)
enum { READ = 63, WRITE = 64, EXIT = 93 };

static long call(long what, long a, const void *b, size_t c)
{
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = (long)b;
    register long a2 __asm__("a2") = (long)c;
    register long a7 __asm__("a7") = what;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    return a0;
}
__asm__(".globl _start\n_start: call run\n");
#elif defined(__arm__)
enum { READ = 3, WRITE = 4, EXIT = 1 };

static long call(long what, long a, const void *b, size_t c)
{
    register long r0 __asm__("r0") = a;
    register long r1 __asm__("r1") = (long)b;
    register long r2 __asm__("r2") = (long)c;
    register long r7 __asm__("r7") = what;
    __asm__ volatile("svc 0" : "+r"(r0) : "r"(r1), "r"(r2), "r"(r7) : "memory");
    return r0;
}
__asm__(".globl _start\n.type _start,%function\n_start: bl run\n");
#endif

void machine_leave(int status)
{
    call(EXIT, status, NULL, 0);
    for (;;) {
    }
}

static void transfer(long what, long file, const uint8_t *p, size_t n)
{
    while (n > 0) {
        long done = call(what, file, p, n);
        if (done <= 0)
            machine_leave(MACHINE_IO);
        p += done;
        n -= (size_t)done;
    }
}

void machine_read(void *p, size_t n)
{
    transfer(READ, 0, p, n);
}

void machine_write(const void *p, size_t n)
{
    transfer(WRITE, 1, p, n);
}
