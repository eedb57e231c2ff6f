/*
 * ptx.h: a simulator of NVIDIA devices that runs PTX, for tests on machines without one.
 *
 * It knows the instructions that LLVM's NVPTX back end writes for sm_80, and executes them warp by
 * warp as the document "PTX ISA" says.  It is made to find faults: each access is held against the
 * allocations, reads of bytes that nobody wrote and races on shared and global memory end the
 * launch with one sentence.  Nothing can be said about speed.
 *
 * Modules:
 *   ptx_lex, ptx_parse    text -> functions with statements (this header)
 *   ptx_decode*           statements -> instructions (ptx_insn.h): operands become places
 *   ptx_alu, ptx_convert, ptx_compare, ptx_control, ptx_access, ptx_async, ptx_warp, ptx_matrix
 *                         what instructions do
 *   ptx_memory, ptx_check the device's memory; what may be read and written, and in which order
 *   ptx_run               launches: blocks, warps, divergence
 */
#ifndef SHEAF_TESTS_SIM_PTX_H
#define SHEAF_TESTS_SIM_PTX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/arena.h"
#include "ir/error.h"

enum { PTX_POOL_LOG2 = 8 };
enum { PTX_LANES = 32, PTX_MAX_THREADS = 1024, PTX_MAX_WARPS = PTX_MAX_THREADS / PTX_LANES };
/* Of a block, in bytes: what an sm_80 has without and with asking (CUDA C++ Programming Guide,
   "Compute Capabilities"). */
enum { PTX_SHARED_DEFAULT = 48 << 10, PTX_SHARED_OPT_IN = 163 << 10 };

enum ptx_space {
    PTX_GENERIC,
    PTX_GLOBAL,
    PTX_CONST, /* addresses as those of global memory */
    PTX_SHARED,
    PTX_LOCAL,
    PTX_PARAM /* a kernel's parameters; those of functions lie in local memory */
};

/* Fundamental types: T(name, bytes, kind), kind being one of b, u, s, f, p. */
#define PTX_TYPES(T)                                                                               \
    T(b8, 1, 'b')                                                                                  \
    T(u8, 1, 'u')                                                                                  \
    T(s8, 1, 's')                                                                                  \
    T(b16, 2, 'b')                                                                                 \
    T(u16, 2, 'u')                                                                                 \
    T(s16, 2, 's')                                                                                 \
    T(f16, 2, 'f')                                                                                 \
    T(bf16, 2, 'f')                                                                                \
    T(b32, 4, 'b')                                                                                 \
    T(u32, 4, 'u')                                                                                 \
    T(s32, 4, 's')                                                                                 \
    T(f32, 4, 'f')                                                                                 \
    T(tf32, 4, 'f')                                                                                \
    T(f16x2, 4, 'f')                                                                               \
    T(bf16x2, 4, 'f')                                                                              \
    T(b64, 8, 'b')                                                                                 \
    T(u64, 8, 'u')                                                                                 \
    T(s64, 8, 's')                                                                                 \
    T(f64, 8, 'f')                                                                                 \
    T(b128, 16, 'b')                                                                               \
    T(pred, 0, 'p')

enum ptx_type {
#define PTX_TYPE(name, bytes, kind) PTX_##name,
    PTX_TYPES(PTX_TYPE)
#undef PTX_TYPE
        PTX_N_TYPES
};

struct ptx_type_info {
    const char *name;
    unsigned char bytes;
    char kind;
};
extern const struct ptx_type_info ptx_types[PTX_N_TYPES];
/* PTX_N_TYPES if there is no such type. */
enum ptx_type ptx_type_by_name(const char *name, size_t n_chars);

/* A variable with an address: of the module, of a function, or a parameter. */
struct ptx_variable {
    const char *name;
    enum ptx_space space;
    enum ptx_type type;
    unsigned align;
    uint64_t n_bytes;
    bool is_dynamic;                  /* .extern .shared x[] */
    uint64_t address;                 /* in its space, once it is placed */
    const struct ptx_function *owner; /* that it is declared in, or was placed for */
    struct ptx_variable *next;
};

/* `.reg .b32 %r<5>` is one of 5; `.reg .b32 t` one of none, its name standing alone. */
struct ptx_registers {
    const char *prefix;
    uint32_t n;
    enum ptx_type type;
    int32_t slot; /* of the first */
    struct ptx_registers *next;
};

enum ptx_operand_kind {
    PTX_OPERAND_REGISTER,
    PTX_OPERAND_SPECIAL, /* %tid.x: `slot` is its number */
    PTX_OPERAND_INTEGER,
    PTX_OPERAND_F32, /* bits in `value` */
    PTX_OPERAND_F64,
    PTX_OPERAND_VARIABLE, /* its address plus `value` */
    PTX_OPERAND_NAME,     /* a label or function */
    PTX_OPERAND_ADDRESS,  /* [elems[0] + value] */
    PTX_OPERAND_LIST,     /* {a, b} or (a, b) */
    PTX_OPERAND_PAIR,     /* p|q */
    PTX_OPERAND_SINK      /* _ */
};

struct ptx_operand {
    enum ptx_operand_kind kind;
    bool negated; /* !p */
    enum ptx_type type;
    int32_t slot;
    int64_t value;
    struct ptx_variable *variable;
    const char *name;
    struct ptx_operand *elems;
    int n_elems;
};

struct ptx_statement {
    const char *text; /* in the module's text, n_chars long, without the semicolon */
    int n_chars;
    int line;
    struct ptx_operand *guard; /* or NULL */
    const char *opcode;
    struct ptx_operand *operands; /* destination first */
    int n_operands;
};

struct ptx_label {
    const char *name;
    uint32_t at; /* a statement; after decoding an instruction */
    struct ptx_label *next;
};

struct ptx_function {
    const char *name;
    bool is_entry;
    struct ptx_variable *params, *results; /* in order */
    struct ptx_statement *statements;
    size_t n_statements, cap_statements;
    struct ptx_label *labels;
    uint32_t specials;     /* those that are used: bits by number */
    int32_t special_slots; /* where they lie: one after the other, all of them */
    int32_t n_slots_bytes; /* of its registers */
    int32_t base;          /* where its registers begin in a warp's */
    uint32_t start, n_code;
    int32_t return_slot; /* where it goes on after ret: per lane a u32 */
    uint64_t param_bytes, shared_bytes, local_bytes, local_base;
    uint64_t dynamic_start;  /* of dynamic shared memory, behind the rest */
    unsigned max_threads;    /* .maxntid or .reqntid; 0: not said */
    unsigned required[3];    /* .reqntid */
    unsigned dynamic_shared; /* cuFuncSetAttribute's: most bytes that a launch may ask for */
    bool exists;             /* false where it is only declared */
    struct ptx_module *module;
    struct ptx_function *next;
};

struct ptx_memory;
struct ptx_insn;

struct ptx_module {
    struct arena arena;
    struct ptx_memory *memory;
    const char *text;
    int version, target; /* 70 for 7.0; 80 for sm_80 */
    struct ptx_variable *variables;
    struct ptx_function *functions;
    struct ptx_insn *code;
    size_t n_code;
    uint8_t *pool; /* constants, one of each lane; a slot below 0 is ~(place in it) */
    size_t pool_bytes, pool_cap;
    struct pool_entry *pool_index[1 << PTX_POOL_LOG2]; /* by hashes of values */
    int32_t functions_bytes, warp_bytes;
    uint64_t functions_local, local_bytes;
};

/* NULL and a sentence where the text is not understood.  `memory` outlives the module. */
struct ptx_module *ptx_load(struct ptx_memory *memory, const char *text, struct error *err);
void ptx_unload(struct ptx_module *m);
struct ptx_function *ptx_find(struct ptx_module *m, const char *name);

/* ptx_parse.c: fills an empty module. */
bool ptx_parse(struct ptx_module *m, struct error *err);
/* ptx_decode.c: statements of all functions to code. */
bool ptx_decode(struct ptx_module *m, struct error *err);

struct ptx_launch {
    struct ptx_function *kernel;
    unsigned grid[3], block[3], dynamic_shared;
    const void *params; /* kernel->param_bytes */
    bool cooperative;
};

/* What a launch that was stopped did, in the words of the driver's errors. */
enum ptx_fault { PTX_OK, PTX_FAULT_ADDRESS, PTX_FAULT_ALIGNMENT, PTX_FAULT_OTHER };

/* False and a sentence where no device could launch it: its grid, block or shared memory. */
bool ptx_check_launch(const struct ptx_launch *launch, struct error *err);
/* Runs all of it; a sentence in err where it is stopped.  out_n_insns: of warps, may be NULL. */
enum ptx_fault ptx_run(const struct ptx_launch *launch, uint64_t *out_n_insns, struct error *err);

#endif
