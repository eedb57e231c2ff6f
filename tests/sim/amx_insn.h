/*
 * amx_insn.h: one AMX instruction, between the simulator's decoder and what executes it.
 */
#ifndef SHEAF_TESTS_SIM_AMX_INSN_H
#define SHEAF_TESTS_SIM_AMX_INSN_H

#include "tests/sim/amx.h"

struct insn {
    const char *name;
    enum sim_amx_kind kind;
    int length;
    int reg, rm, vvvv; /* tile numbers, where they are */
    uint64_t address;  /* of the memory operand's first row */
    uint64_t stride;   /* between rows, in bytes */
    uint8_t prefix;    /* VEX.pp */
    uint8_t opcode;
    uint8_t mod, modrm_reg, modrm_rm;
    bool w, l;
};

/* 1: decoded; 0: something else; -1: a fault. */
int sim_amx_decode(const uint8_t *code, const uint64_t *reg, struct insn *out_insn,
                   char *out_fault);
/* Writes the sentence, from a format for a name and two numbers; returns -1. */
int sim_amx_fault(char *out_fault, const char *fmt, const char *name, int a, int b);

#endif
