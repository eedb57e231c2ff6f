/*
 * ve_elf.h: what ELF files for NEC's Vector Engine have of their own.
 *
 * Numbers and meanings are those of binutils (elf/ve.h, elf64-ve.c) and glibc-ve (elf.h,
 * dl-machine.h) as NEC publishes them.
 */
#ifndef SHEAF_BUNDLE_READ_VE_ELF_H
#define SHEAF_BUNDLE_READ_VE_ELF_H

enum {
    VE_MACHINE = 251,       /* e_machine */
    VE_PAGE_BYTES = 2 << 20 /* the smallest; what is loaded is aligned to it */
};

/*
 * A relocation of code and constants is a row: number, name, what is computed, and which part of
 * it is stored.  With S, the address of its symbol, A, its addend, P, the place that is filled in,
 * and GOT, the address of _GLOBAL_OFFSET_TABLE_:
 *   ADDRESS   S + A
 *   DISTANCE  S + A - P; that of a function (PLT) may go by way of another that jumps to it
 *   ENTRY     E + A - GOT, of a word E among those at GOT that has S
 *   OFFSET    S + A - GOT
 * ALL is 32 bits, which must hold the value with its sign; LOW and HIGH are halves of 64; QUAD is
 * all 64.  Rows that only programs, or the data of threads, need are left out.
 */
#define VE_RELOCATIONS(ROW)                                                                        \
    ROW(1, R_VE_REFLONG, ADDRESS, ALL)                                                             \
    ROW(2, R_VE_REFQUAD, ADDRESS, QUAD)                                                            \
    ROW(3, R_VE_SREL32, DISTANCE, ALL)                                                             \
    ROW(4, R_VE_HI32, ADDRESS, HIGH)                                                               \
    ROW(5, R_VE_LO32, ADDRESS, LOW)                                                                \
    ROW(6, R_VE_PC_HI32, DISTANCE, HIGH)                                                           \
    ROW(7, R_VE_PC_LO32, DISTANCE, LOW)                                                            \
    ROW(8, R_VE_GOT32, ENTRY, ALL)                                                                 \
    ROW(9, R_VE_GOT_HI32, ENTRY, HIGH)                                                             \
    ROW(10, R_VE_GOT_LO32, ENTRY, LOW)                                                             \
    ROW(11, R_VE_GOTOFF32, OFFSET, ALL)                                                            \
    ROW(12, R_VE_GOTOFF_HI32, OFFSET, HIGH)                                                        \
    ROW(13, R_VE_GOTOFF_LO32, OFFSET, LOW)                                                         \
    ROW(14, R_VE_PLT32, DISTANCE, ALL)                                                             \
    ROW(15, R_VE_PLT_HI32, DISTANCE, HIGH)                                                         \
    ROW(16, R_VE_PLT_LO32, DISTANCE, LOW)

enum ve_relocation {
#define ROW(number, name, what, part) name = number,
    VE_RELOCATIONS(ROW)
#undef ROW
        R_VE_RELATIVE = 17 /* left to the dynamic loader: where the file lies + A, 64 bits */
};

#endif
