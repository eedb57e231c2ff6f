/*
 * contract_amx.h: contractions in AMX's tile registers: the choice (schedule_amx.c) and the code
 * (contract_amx.c).
 */
#ifndef SHEAF_CPU_CONTRACT_AMX_H
#define SHEAF_CPU_CONTRACT_AMX_H

#include "bundle/emit/emit_internal.h"

/* Palette 1: eight tile registers of 16 rows of 64 bytes. */
enum {
    AMX_ROWS = 16,
    AMX_ROW_BYTES = 64,
    AMX_COLUMNS = 16, /* sums in a row */
    AMX_GROUP = 4     /* bytes of K that one 32-bit element of a tile holds */
};

/* Stages the operand A of contractions where that makes them fit and pays. */
void cpu_prepare_amx(const struct target *t, struct kernel *k);
/* False where the contraction, as its operands lie, does not fit or is faster in vectors. */
bool cpu_schedule_amx(const struct target *t, struct kernel *k, kval contract,
                      struct schedule_entry *out_entry);
void cpu_emit_amx(struct emit_kernel *ek, kval contract, const struct schedule_entry *entry);

#endif
