/*
 * target.h: what the target-independent side may ask a target.
 */
#ifndef SHEAF_IR_TARGET_H
#define SHEAF_IR_TARGET_H

#include "bundle/bundle.h"
#include "ir/kernel.h"
#include "ir/schedule.h"

struct bytes;
struct emit;
struct emit_kernel;
struct LLVMOpaqueValue;

/* What products of floats in contractions may be: exact, or of floats rounded to 10 bits of
   fraction (TF32), or of floats as a sum of two such, which leaves an error of about 2^-21 of each
   product. */
enum target_f32_math { F32_EXACT, F32_TF32, F32_TF32X3 };

/* The threads of a device, as code emitted for one of them sees them. */
struct target_threads {
    /* i32: the block's number in the launch, the thread's in its block. */
    struct LLVMOpaqueValue *(*block)(struct emit *e);
    struct LLVMOpaqueValue *(*thread)(struct emit *e);
    /* All threads of a group of this size (a warp or a part of it, or the whole block) wait for
       each other and see what the others have written. */
    void (*barrier)(struct emit *e, int group);
    /* A value of 32 bits of the thread that has a number greater by `up` in the warp; that of
       thread `from` of the group of `group` threads, at most a warp. */
    struct LLVMOpaqueValue *(*from_above)(struct emit *e, struct LLVMOpaqueValue *v, int up);
    struct LLVMOpaqueValue *(*from_first)(struct emit *e, struct LLVMOpaqueValue *v, int group);
    int warp;              /* threads that run in step */
    unsigned shared_space; /* LLVM's address space of a block's memory */
};

struct target {
    const char *name;      /* "cpu" */
    const char *triple;    /* LLVM triple, normalised */
    const char *cpu;       /* LLVM processor name, never "native" */
    const char *features;  /* comma-separated, complete: +x for each feature that code may use */
    const char *tune_cpu;  /* LLVM's name of the processor that instructions are ordered for */
    const char *plain_cpu; /* LLVM's name of a processor that brings no further features */
    const char *dropped;   /* what that processor brings all the same and code must not use: "-x" */
    const char *abi;       /* LLVM's name of the calling convention, "": the triple's own */
    bool is_position_independent;
    int stack_align;            /* bytes, at a call */
    int call_bytes;             /* that a call itself puts on the stack */
    int red_zone_bytes;         /* that a function may use below its frame */
    bool realigns_frames;       /* a frame is moved down where vectors in it need it */
    bool frames_vary;           /* those with vectors, whose length only the processor knows */
    bool has_function_sections; /* one for each function: so the linkers of firmware want it */
    int vector_bytes;           /* of the widest vector register to use; 4: of one float */
    int n_vector_regs;
    int n_general_regs; /* that code may use for numbers and addresses */
    /* A device: its code travels as data in an object for this target; NULL: for itself. */
    const struct target *host;
    enum sheaf_device device;
    enum target_f32_math f32_math; /* of contractions on a device */
    const unsigned *archs;         /* processors of the device that code is made for */
    size_t n_archs;
    /* A program that makes machine code of the device's assembly, for one of its processors; NULL:
       whoever loads the code does. */
    const char *assembler;
    bool (*assemble)(const struct target *t, struct arena *a, unsigned arch,
                     const struct bytes *text, struct bytes *out_code, struct error *err);
    bool runs_networks; /* its code has a function for a whole network, not a launch per kernel */
    /* Of such a device: makes the library `name`, which it can load, of its object. */
    bool (*link)(struct arena *a, const char *name, struct bytes object, struct bytes *out_library,
                 struct error *err);
    const struct target_threads *threads; /* of a device that has them */
    size_t max_buffers;                   /* that a kernel can have; 0: any number */
    int cores;                            /* that share a contraction's tiles and a map's points */
    int64_t launch_work; /* operations from which on a region is worth a launch of its own */
    bool optimize_size;  /* few bytes of code come before few instructions */
    bool has_lanes;      /* a product takes one lane of a vector and all of another */
    bool loads_anew;     /* each step of a contraction: values that are kept from one step to
                            the next take registers that sums need */
    bool has_fma;
    bool has_float_registers;
    bool has_round;         /* floor, ceil, trunc and rint are instructions */
    bool has_f16;           /* so are conversions between half and float */
    bool has_even_products; /* the even 32-bit lanes of two vectors make 64-bit products */
    bool has_gather;        /* vectors of elements that lie apart are loaded and stored whole */
    bool has_any_lanes;     /* a vector may have any number of lanes up to the register's */
    bool has_wide_shift;    /* arithmetic shifts right of vectors of 64 bits are instructions */
    bool unsigned_bytes;    /* 8-bit activations of integer contractions are u8, not i8: what the
                               processor's dot product takes */

    /* Preferred layouts for the buffers of a kernel, one per buffer, preset to plain by the caller.
       Returns false where the target has no preference. */
    bool (*prefer_layouts)(const struct target *t, const struct kernel *k, struct layout *layouts);

    /* Rewrites a contraction that a device would run badly as it is: the kernel, which is the
       caller's own copy, may get local buffers and regions around it (program_prepare.c).  NULL:
       none. */
    void (*prepare_contract)(const struct target *t, struct kernel *k, kval contract);

    /* How to run the kernel, which is the caller's own copy: contractions without a special
       generator are expanded, and constant buffers get the layout to be packed in. */
    struct schedule *(*schedule)(const struct target *t, struct arena *a, struct kernel *k);

    /* Emits uint32_t fn(void): the position of the first variant that the processor can run, and
       that its operating system lets this process run; SHEAF_NO_VARIANT: none.  NULL: programs
       cannot find that out. */
    void (*emit_select)(struct emit *e, struct LLVMOpaqueValue *fn,
                        const struct target *const *variants, size_t n);

    /* Replaces what LLVM cannot generate code for, before the passes; NULL: nothing. */
    bool (*lower)(struct emit *e, struct error *err);
    /* Goes over the code behind them, the last to do so; NULL: nothing. */
    void (*finish)(struct emit *e);

    /* Emits a contraction as its schedule entry says. */
    void (*emit_contract)(struct emit_kernel *ek, kval contract,
                          const struct schedule_entry *entry);
};

/* Takes the next feature off a list: its sign and its name, `*out_length` characters together.
   False at the end. */
bool target_next_feature(const char **list, const char **out_feature, size_t *out_length);
/* Whether a list of features has +name, of `length` characters, as a whole word. */
bool target_lists(const char *features, const char *name, size_t length);
bool target_has(const struct target *t, const char *feature);
/* The features that both lists have, in the order of the first. */
const char *target_common(struct arena *a, const char *features, const char *others);

/* ---- target_layout.c: for prefer_layouts: channels last in what a convolution stores, and reads
   where enough of them lie side by side ---- */
bool target_channels_last(const struct target *t, const struct kernel *k, struct layout *layouts);

#endif
