/*
 * Runs a bundle's entry without a C library, under qemu: tests/support/cross.c builds it for a
 * target and links it with the object.  It reads the sizes of the three areas and the bytes of the
 * constants and of the mutable area, and writes the mutable area and the activations as the entry
 * leaves them.  Exit status: the entry's, or of ERRORS.
 */
#include <stddef.h>
#include <stdint.h>

int net(const uint8_t *constants, uint8_t *mutable_area, uint8_t *activations);
void run(void);

enum { ERROR_IO = 100, ERROR_SIZE };

/* System calls of Linux: read, write, exit, by their numbers on each architecture; or, on bare
   metal, semihosting (Arm, "Semihosting for AArch32 and AArch64"). */
#if defined(__aarch64__)
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
#elif defined(__ARM_FEATURE_MVE)
enum { WRITE = 5, READ = 6, EXIT = 0x20, OPEN = 1 };
enum { STOPPED = 0x20026 }; /* ADP_Stopped_ApplicationExit */

static long semihost(long what, const void *args)
{
    register long r0 __asm__("r0") = what;
    register const void *r1 __asm__("r1") = args;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

/* Files 0 and 1 are "in" and "out" of the folder that qemu runs in. */
static long call(long what, long file, const void *p, size_t n)
{
    static const char *const NAMES[2] = {"in", "out"};
    static const unsigned MODES[2] = {1, 5}; /* "rb", "wb" */
    static long open[2];
    if (what == EXIT) {
        const long args[2] = {STOPPED, file};
        return semihost(EXIT, args);
    }
    if (!open[file]) {
        const long args[3] = {(long)NAMES[file], (long)MODES[file], 2 + file};
        open[file] = semihost(OPEN, args);
    }
    const long args[3] = {open[file], (long)p, (long)n};
    return (long)n - semihost(what, args);
}

static void reset(void)
{
    /* Coprocessor Access Control Register: CP10 and CP11, which are the vectors. */
    *(volatile uint32_t *)0xe000ed88u |= 0xfu << 20;
    __asm__ volatile("dsb\nisb\n" ::: "memory");
    run();
}

static const struct {
    uintptr_t stack;
    void (*reset)(void);
} vectors __attribute__((section(".vectors"), used)) = {0x30080000u, reset};
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

enum { AREA_BYTES = 1 << 19 };
static uint8_t constants[AREA_BYTES] __attribute__((aligned(64)));
static uint8_t mutable_area[AREA_BYTES] __attribute__((aligned(64)));
static uint8_t activations[AREA_BYTES] __attribute__((aligned(64)));

static void leave(int status)
{
    call(EXIT, status, NULL, 0);
    for (;;) {
    }
}

static void transfer(long what, int file, uint8_t *p, size_t n)
{
    while (n > 0) {
        long done = call(what, file, p, n);
        if (done <= 0)
            leave(ERROR_IO);
        p += done;
        n -= (size_t)done;
    }
}

void run(void)
{
    uint32_t bytes[3];
    transfer(READ, 0, (uint8_t *)bytes, sizeof bytes);
    for (int i = 0; i < 3; i++)
        if (bytes[i] > AREA_BYTES)
            leave(ERROR_SIZE);
    transfer(READ, 0, constants, bytes[0]);
    transfer(READ, 0, mutable_area, bytes[1]);
    int status = net(constants, mutable_area, activations);
    transfer(WRITE, 1, mutable_area, bytes[1]);
    transfer(WRITE, 1, activations, bytes[2]);
    leave(status);
}
