/*
 * amx.h: a simulator of Intel's AMX tile instructions, for tests on processors that lack them.
 *
 * A processor without AMX raises SIGILL at such an instruction.  Between sim_amx_begin and
 * sim_amx_end a handler executes it as Intel's manual (SDM volume 2, "LDTILECFG" and following, and
 * the exception classes AMX-E1 to E6 of its section 2.10) says and goes on behind it.  What would
 * raise #UD or #GP on a processor with AMX ends the program with one sentence.  Only numbers are
 * simulated: nothing can be said about speed.
 *
 * Known are ldtilecfg, sttilecfg, tilerelease, tilezero, tileloadd, tileloaddt1, tilestored,
 * tdpbssd, tdpbsud, tdpbusd, tdpbuud and tdpbf16ps.  Two differences: a tile load never stops
 * half-way, so start_row must be 0, and an address with a segment is refused.
 */
#ifndef SHEAF_TESTS_SIM_AMX_H
#define SHEAF_TESTS_SIM_AMX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Palette 1, the only one there is. */
enum { SIM_AMX_TILES = 8, SIM_AMX_ROWS = 16, SIM_AMX_ROW_BYTES = 64, SIM_AMX_CONFIG_BYTES = 64 };

enum sim_amx_kind {
    SIM_AMX_LDTILECFG,
    SIM_AMX_STTILECFG,
    SIM_AMX_TILERELEASE,
    SIM_AMX_TILEZERO,
    SIM_AMX_TILELOADD, /* tileloaddt1 too */
    SIM_AMX_TILESTORED,
    SIM_AMX_TDPBSSD,
    SIM_AMX_TDPBSUD,
    SIM_AMX_TDPBUSD,
    SIM_AMX_TDPBUUD,
    SIM_AMX_TDPBF16PS,
    SIM_AMX_N_KINDS
};

/* What one thread's processor holds. */
struct sim_amx {
    bool configured;
    uint8_t config[SIM_AMX_CONFIG_BYTES];
    uint8_t tile[SIM_AMX_TILES][SIM_AMX_ROWS][SIM_AMX_ROW_BYTES];
    uint64_t n_run[SIM_AMX_N_KINDS];
};

enum { SIM_AMX_MAX_LENGTH = 15, SIM_AMX_FAULT_CHARS = 200 };

/*
 * Executes the instruction at `code`.  `reg` are the general registers by their numbers (rax, rcx,
 * rdx, rbx, rsp, rbp, rsi, rdi, r8 ..).  Returns its length in bytes; 0 where it is none of those
 * that are simulated; -1 where a processor with AMX would raise a fault, with a sentence in
 * out_fault, of SIM_AMX_FAULT_CHARS characters.
 */
int sim_amx_step(struct sim_amx *s, const uint8_t *code, const uint64_t reg[16], char *out_fault);

/* How AMX instructions run in this process from now on. */
enum sim_amx_mode {
    SIM_AMX_NONE, /* not at all: not an x86-64 Linux */
    SIM_AMX_SIMULATED,
    SIM_AMX_PROCESSOR /* by the processor, which has AMX and was given the permission to use it */
};

/* Takes over SIGILL where the mode is SIM_AMX_SIMULATED; the calling thread's state and counts
   start afresh.  cmocka sets the signal's handler before each test, so this is called inside of it.
 */
enum sim_amx_mode sim_amx_begin(void);
void sim_amx_end(void);
/* Of the calling thread, since sim_amx_begin; all 0 where the processor runs them. */
const struct sim_amx *sim_amx_state(void);

#endif
