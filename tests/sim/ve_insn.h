/*
 * ve_insn.h: one decoded instruction of the Vector Engine, and the core that it changes.
 *
 * An instruction is a word of 64 bits with its number in the highest eight; the other fields have
 * one place in all formats (architecture guide, section 5).  Names of registers are those of the
 * guide.
 */
#ifndef SHEAF_TESTS_SIM_VE_INSN_H
#define SHEAF_TESTS_SIM_VE_INSN_H

#include <setjmp.h>

#include "tests/sim/ve.h"
#include "tests/sim/ve_memory.h"

enum {
    VE_MAX_VL = 256,
    VE_SCALARS = 64,
    VE_VECTORS = 64,
    VE_MASKS = 16,
    /* scalars by their use in the ABI */
    VE_STACK_LIMIT = 8,
    VE_FRAME = 9,
    VE_LINK = 10,
    VE_STACK = 11,
    VE_CALLEE = 12,
    VE_THREAD = 14
};

/* How operands are laid out and written; what stands behind the name in LLVM's text. */
enum ve_form {
    VE_FORM_NONE,
    VE_FORM_X,         /* Sx */
    VE_FORM_Y,         /* Sy|I */
    VE_FORM_XY,        /* Sx, Sy|I */
    VE_FORM_XZ,        /* Sx, Sz|M */
    VE_FORM_XYZ,       /* Sx, Sy|I, Sz|M */
    VE_FORM_SHIFT,     /* Sx, Sz|M, Sy|N */
    VE_FORM_BSWP,      /* the same with one bit of N */
    VE_FORM_CMOV,      /* the same as SHIFT with a condition */
    VE_FORM_ROUND,     /* Sx, Sy|I with a way to round in z */
    VE_FORM_ADDRESS,   /* Sx, D(Sy|I, Sz) */
    VE_FORM_PREFETCH,  /* D(Sy|I, Sz) */
    VE_FORM_HOST,      /* Sx, D(Sz) */
    VE_FORM_ATOMIC,    /* Sx, D(Sz), Sy|N */
    VE_FORM_CAS,       /* Sx, D(Sz), Sy|I */
    VE_FORM_FENCE,     /* a number of two bits */
    VE_FORM_RELATIVE,  /* condition; Sy|I, Sz|0, D */
    VE_FORM_BRANCH_TO, /* condition; Sy|I, D(, Sz) */
    VE_FORM_VLD,       /* Vx, Sy|I, Sz|0 */
    VE_FORM_VST,       /* the same with a mask */
    VE_FORM_VGT,       /* Vx, Vy|Sw, Sy|I, Sz|0, mask */
    VE_FORM_VPREFETCH, /* Sy|I, Sz|0 */
    VE_FORM_LSV,       /* Vx(Sy|N), Sz|M */
    VE_FORM_LVS,       /* Sx, Vx(Sy|N) */
    VE_FORM_LVM,       /* VMx, Sy|N, Sz|M */
    VE_FORM_SVM,       /* Sx, VMz, Sy|N */
    /* with a mask behind the rest, from here on */
    VE_FORM_V,      /* Vx */
    VE_FORM_VY,     /* Vx, Vy */
    VE_FORM_VZ,     /* Vx, Vz */
    VE_FORM_VYZ,    /* Vx, Vy|Sy|I, Vz */
    VE_FORM_VLOGIC, /* Vx, Vy|Sy|M, Vz */
    VE_FORM_VDIV,   /* Vx, Vy|Sy|I, Vz|Sy|I */
    VE_FORM_VSHIFT, /* Vx, Vz, Vy|Sy|N */
    VE_FORM_VSFA,   /* Vx, Vz, Sy|N, Sz|M */
    VE_FORM_VFMAD,  /* Vx, Vy|Sy|I, Vz|Sy|I, Vw */
    VE_FORM_VROUND, /* Vx, Vy with a way to round in vz */
    VE_FORM_VBRD,   /* Vx, Sy|I */
    VE_FORM_VMV,    /* Vx, Sy|N, Vz */
    VE_FORM_VFMK,   /* condition; VMx, Vz */
    VE_FORM_VSHF,   /* Vx, Vy, Vz, Sy|N: has no mask */
    VE_FORM_MMM,    /* VMx, VMy, VMz */
    VE_FORM_MM,     /* VMx, VMy */
    VE_FORM_XM,     /* Sx, VMy */
};

/* What an instruction costs: rows of ve_time.def. */
enum ve_class {
#define VE_CLASS(name, pipe, latency, per_cycle, flops) VE_##name,
#include "tests/sim/ve_time.def"
#undef VE_CLASS
    VE_N_CLASSES
};

struct ve_insn;
typedef void (*ve_run)(struct sim_ve_context *c, const struct ve_insn *in);
/* Elements of Vx from those of up to three operands.  `mode` is a way to round. */
typedef void (*ve_lanes)(uint64_t *x, const uint64_t *y, const uint64_t *z, const uint64_t *w,
                         unsigned n, unsigned mode);

struct ve_row {
    uint8_t opcode, variant;
    enum ve_form form;
    const char *name;
    ve_run run;
    ve_lanes lanes; /* or NULL */
    enum ve_class class;
};
extern const struct ve_row ve_rows[];
extern const unsigned ve_n_rows;

/* Bits of a variant: of 55 to 52, and 7 and 6. */
enum { VE_C = 8, VE_D = 4, VE_S = 2, VE_E = 1, VE_W = 16, VE_X = 32 };

struct ve_function {
    struct sim_ve_stats stats; /* name first of all */
    uint64_t address, n_bytes;
    double cycles[SIM_VE_MAX_CONTEXTS]; /* by context */
};

struct ve_insn {
    const struct ve_row *row; /* NULL: not decoded yet */
    struct ve_function *function;
    uint64_t word;
    uint64_t value_y, value_z; /* where they are not registers */
    int64_t d;                 /* the lowest 32 bits, with their sign */
    uint8_t x, y, z;           /* scalars */
    uint8_t vx, vy, vz, vw, m;
    uint8_t condition, bpf;
    bool cy, cz;             /* y and z are registers */
    bool cs, cs2;            /* Sy stands for Vy, for Vz */
    bool is_vector, is_pair; /* pairs of words under two masks */
    bool is_checked;         /* against the reference */
    uint64_t *n_ran;
};

/* Decodes in->word.  NULL, or why that cannot be done. */
const char *ve_decode(struct ve_insn *in);
/* As LLVM prints it, except for blanks: one stands behind the name. */
void ve_text(const struct ve_insn *in, char *out, size_t size);

enum { VE_PIPES = 8, VE_WINDOW = 64, VE_VECTOR_WINDOW = 32 };

/* When what is there is ready, in cycles since the last reset. */
struct ve_clock {
    double now; /* when the next instruction can be issued */
    double scalar[VE_SCALARS];
    double first[VE_VECTORS], last[VE_VECTORS]; /* elements */
    double mask[VE_MASKS];
    double pipe[VE_PIPES]; /* free from there on */
    double vector_until;   /* some vector pipe is busy until */
    double done[VE_WINDOW], vector_done[VE_VECTOR_WINDOW];
    unsigned n_issued, n_vectors;
    double stores; /* when all stores are done */
};

struct sim_ve_context {
    uint64_t s[VE_SCALARS];
    uint64_t v[VE_VECTORS][VE_MAX_VL];
    uint64_t vm[VE_MASKS][VE_MAX_VL]; /* all ones or zeros; vm[0] is all ones */
    uint64_t spread[3][VE_MAX_VL];    /* scalar operands of vector instructions */
    uint64_t result[VE_MAX_VL];       /* before it is merged under a mask */
    uint64_t selected[VE_MAX_VL];     /* bits that a mask lets through */
    uint16_t written[VE_VECTORS];     /* elements from 0 on that this call has written */
    unsigned vl, vix;
    uint64_t pc, next; /* of the instruction that runs, and what comes then */
    const struct ve_insn *at;
    struct sim_ve *ve;
    enum sim_ve_state state;
    unsigned number;
    uint64_t stack, stack_bytes, pushed;
    uint64_t progress; /* instructions since it last changed memory */
    struct ve_clock clock;
    struct ve_function *function; /* whose time runs */
    double started, entered, vector_entered, vector_busy;
    uint64_t at_call[VE_SCALARS]; /* registers when the call began */
    uint64_t last_pc;             /* of the instruction before */
    uint64_t n_run;
    char fault[SIM_VE_FAULT_CHARS];
    jmp_buf stop;
    struct sim_ve_context *next_open;
};

/* Ends the call of the instruction that runs: a sentence of what it does. */
_Noreturn void ve_stop(struct sim_ve_context *c, const char *fmt, ...) ERROR_PRINTF(2, 3);

/* Operands of scalar instructions. */
static inline uint64_t ve_y(const struct sim_ve_context *c, const struct ve_insn *in)
{
    return in->cy ? c->s[in->y] : in->value_y;
}

static inline uint64_t ve_z(const struct sim_ve_context *c, const struct ve_insn *in)
{
    return in->cz ? c->s[in->z] : in->value_z;
}

/* ve_vector.c: elements of a source that has a say in what is seen: in memory, scalars, masks.
   Those up to the vector length must have been written. */
const uint64_t *ve_source(struct sim_ve_context *c, unsigned v);
void ve_lanes_run(struct sim_ve_context *c, const struct ve_insn *in);
/* The bits that the instruction's mask lets through; NULL: all. */
const uint64_t *ve_selected(struct sim_ve_context *c, const struct ve_insn *in);
/* Vx becomes c->result under the mask. */
void ve_merge(struct sim_ve_context *c, const struct ve_insn *in);
/* The first n elements have values now. */
void ve_wrote(struct sim_ve_context *c, unsigned v, unsigned n);

/* Conditions of branches, cmov and vfmk: bits for less, equal, greater and unordered. */
enum { VE_LESS = 1, VE_EQUAL = 2, VE_GREATER = 4, VE_NAN = 8 };
extern const uint8_t ve_conditions[16];
extern const char *const ve_condition_names[16];

/* ve_time.c */
void ve_time_step(struct sim_ve_context *c, const struct ve_insn *in);
/* Time runs for that function from here on. */
void ve_time_enter(struct sim_ve_context *c, struct ve_function *f);
/* All that is under way is done. */
void ve_time_end(struct sim_ve_context *c);

#endif
