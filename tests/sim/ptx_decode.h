/*
 * ptx_decode.h: from statements to instructions.  Each family of opcodes has a function that fills
 * the instruction; ptx_decode.def lists them.
 */
#ifndef SHEAF_TESTS_SIM_PTX_DECODE_H
#define SHEAF_TESTS_SIM_PTX_DECODE_H

#include "tests/sim/ptx_insn.h"

enum { PTX_MAX_PARTS = 20, PTX_PART_CHARS = 24 };

struct ptx_decoder {
    struct ptx_module *module;
    struct ptx_function *function;
    const struct ptx_statement *from;
    struct ptx_insn *in;
    char parts[PTX_MAX_PARTS][PTX_PART_CHARS]; /* of the opcode: "ld", "global", "f32" */
    int n_parts;
    struct error *err;
};

/* `Is not known` and other refusals of the statement at hand; returns false. */
bool ptx_decode_fail(struct ptx_decoder *d, const char *why);

bool ptx_decode_has(const struct ptx_decoder *d, const char *part);
/* The type that a part names, counted from the end: 0 is the last; PTX_N_TYPES if it names none. */
enum ptx_type ptx_decode_type(const struct ptx_decoder *d, int from_end);

/* The slot of an operand that is read or written as `type`; false with a sentence where its
   register is not as wide.  `wide` allows wider ones, as ld, st and cvt do. */
bool ptx_decode_slot(struct ptx_decoder *d, const struct ptx_operand *o, enum ptx_type type,
                     bool wide, int32_t *out_slot);
/* Operand i, which must exist, as slot i of the instruction. */
bool ptx_decode_operand(struct ptx_decoder *d, int i, enum ptx_type type);
/* A constant in all lanes. */
int32_t ptx_decode_constant(struct ptx_module *m, unsigned n_bytes, uint64_t value);
/* [x+4] as slot `at`, and the displacement. */
bool ptx_decode_address(struct ptx_decoder *d, const struct ptx_operand *o, int at);
/* The whole number that operand i must be. */
bool ptx_decode_integer(struct ptx_decoder *d, int i, int64_t *out_value);
/* n registers in braces, or one without, as slots from `at` on. */
bool ptx_decode_list(struct ptx_decoder *d, const struct ptx_operand *o, int n, enum ptx_type type,
                     int at);

/* The families, each with a first part of the opcode. */
#define PTX_FAMILY(prefix, family) bool ptx_decode_##family(struct ptx_decoder *d);
#include "tests/sim/ptx_decode.def"
#undef PTX_FAMILY
/* All others: rows of ptx_alu.def. */
bool ptx_decode_alu(struct ptx_decoder *d);

#endif
