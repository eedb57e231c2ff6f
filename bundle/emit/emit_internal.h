/*
 * emit_internal.h: what the files of bundle/emit and the targets' generators share.
 *
 * A kernel becomes one internal function whose parameters are its buffers.  Its instructions are
 * emitted in order.  Inside a vector loop an instruction's value is either uniform (one scalar for
 * all lanes) or varying (an LLVM vector of `lanes` elements); outside, lanes is 1 and all is
 * uniform.  A kernel index is bound to an affine function of emitted loop variables, so that
 * addresses in any layout come out as constants times loop variables.
 */
#ifndef SHEAF_BUNDLE_EMIT_INTERNAL_H
#define SHEAF_BUNDLE_EMIT_INTERNAL_H

#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>

#include "bundle/emit/emit.h"

enum { EMIT_MAX_TERMS = 24 };

/* One module under construction. */
struct emit {
    struct arena *arena;
    const struct target *target;
    LLVMContextRef ctx;
    LLVMModuleRef mod;
    LLVMBuilderRef b;
    LLVMTypeRef void_, i1, i8, i16, i32, i64, f32, f64, ptr;
    LLVMTypeRef size; /* size_t of the target */
    bool has_round;   /* floor, ceil, trunc, rint are instructions */
    bool has_f16;     /* conversions of half are instructions */
};

/* A variable that addresses are affine in.  Variable 0 is the lane number of the vector loop. */
struct evar {
    LLVMValueRef value; /* i64; NULL for the lane */
    int64_t extent;     /* 0 <= value < extent; 0: not known */
};

enum { EVAR_LANE = 0 };

struct eaffine {
    int64_t offset;
    int n_terms;
    struct {
        int var;
        int64_t coef;
    } term[EMIT_MAX_TERMS];
};

/* Rows and columns that a generator runs as one loop: where the strides allow, outer and inner
   together become `joined` (outer * inner extent + inner). */
struct ejoin {
    int outer, inner, joined; /* variables; joined < 0: none */
    int64_t inner_extent;
};

struct emit_kernel {
    struct emit *e;
    const struct kernel *k;
    const struct schedule *schedule;
    LLVMValueRef fn;
    LLVMBasicBlockRef entry; /* allocas go here */
    LLVMValueRef *buf;       /* base pointers */
    LLVMValueRef *val;       /* by kval: the value last emitted */
    bool *varying;           /* by kval */
    bool *split;             /* by kval: the lanes are in split order (emit_wide.c) */
    bool *is_factor;         /* by kval: a factor of a 64-bit product */
    struct eaffine *bind;    /* by kval, INDEX only */
    struct evar *vars;
    size_t n_vars, cap_vars;
    int lanes;
    bool inside; /* load_or of the block being emitted is known to stay inside */
    struct ejoin join;
    LLVMValueRef (*results)[KREGION_MAX_VALUES]; /* by kval of region */
    bool (*results_varying)[KREGION_MAX_VALUES];
};

/* ---- emit_kernel.c ---- */
LLVMValueRef emit_kernel_function(struct emit *e, const struct kernel *k, const struct schedule *s,
                                  const char *name);
/* Emits a block's instructions but the yield; the yield's operands are then current values. */
void emit_block(struct emit_kernel *ek, const struct kblock *blk);
const struct kinst *emit_block_yield(const struct emit_kernel *ek, const struct kblock *blk);
void emit_instruction(struct emit_kernel *ek, kval v);

/* ---- emit_region.c: map, loop, scan, if; emit_reduce.c ---- */
void emit_region(struct emit_kernel *ek, kval v);
void emit_reduce(struct emit_kernel *ek, kval v);
/* Whether a block can run in lanes: no control flow but reductions, no packed stores. */
bool emit_can_vectorize(const struct kernel *k, const struct kblock *blk);
/* so_far and element tuples combined as the region says; n values each. */
void emit_combine(struct emit_kernel *ek, const struct kregion *r, int n, LLVMValueRef *so_far,
                  LLVMValueRef *element, bool varying, const enum dtype *types);
void emit_set_results(struct emit_kernel *ek, kval v, int n, LLVMValueRef *values, bool varying);
/* Sets the number of lanes that instructions are emitted for. */
void emit_set_lanes(struct emit_kernel *ek, int lanes);

/* ---- emit_inside.c: emit_block for the body of a map, with a fast copy for windows that lie
   inside ---- */
void emit_block_inside(struct emit_kernel *ek, const struct kblock *blk);

/* ---- emit_types.c ---- */
LLVMTypeRef emit_type(struct emit *e, enum dtype t);        /* in registers */
LLVMTypeRef emit_memory_type(struct emit *e, enum dtype t); /* in buffers */
LLVMTypeRef emit_lane_type(struct emit_kernel *ek, enum dtype t, bool varying);
/* Scalar or vector as v is, with elements of type s; a literal of that type. */
LLVMTypeRef emit_like(LLVMValueRef v, LLVMTypeRef s);
LLVMValueRef emit_int_like(LLVMValueRef v, LLVMTypeRef s, int64_t c);
LLVMValueRef emit_real_like(LLVMValueRef v, LLVMTypeRef s, double c);
LLVMValueRef emit_i64(struct emit *e, int64_t v);
LLVMValueRef emit_splat(struct emit_kernel *ek, LLVMValueRef v);
LLVMValueRef emit_intrinsic(struct emit *e, const char *name, LLVMTypeRef *types, unsigned n_types,
                            LLVMValueRef *args, unsigned n_args);

/* ---- emit_value.c, emit_cast.c ---- */
/* The value of kval v as a scalar (it must be uniform) or as a vector. */
LLVMValueRef emit_get(struct emit_kernel *ek, kval v, bool varying);
void emit_set(struct emit_kernel *ek, kval v, LLVMValueRef value, bool varying);
LLVMValueRef emit_scalar_op(struct emit_kernel *ek, enum kop op, enum dtype t, LLVMValueRef a,
                            LLVMValueRef b);
LLVMValueRef emit_cast(struct emit_kernel *ek, enum dtype from, enum dtype to, LLVMValueRef v);
LLVMValueRef emit_wrap4(struct emit *e, enum dtype t, LLVMValueRef v); /* into 4 bits */

/* ---- emit_wide.c: 64-bit values in the order "even lanes, odd lanes" ---- */
void emit_find_factors(struct emit_kernel *ek);
/* Emits a varying instruction in split order; false where it is not one for it. */
bool emit_wide(struct emit_kernel *ek, kval v);
LLVMValueRef emit_natural_order(struct emit_kernel *ek, LLVMValueRef v);

/* ---- emit_affine.c ---- */
int emit_add_var(struct emit_kernel *ek, LLVMValueRef value, int64_t extent);
struct eaffine eaffine_const(int64_t v);
struct eaffine eaffine_var(int var);
void eaffine_add(struct eaffine *a, const struct eaffine *b, int64_t times);
void eaffine_add_term(struct eaffine *a, int var, int64_t coef);
LLVMValueRef eaffine_value(struct emit_kernel *ek, const struct eaffine *a); /* uniform part */
int64_t eaffine_lane(const struct eaffine *a);
/* The least and the greatest value, where the ranges of all its variables are known. */
bool eaffine_range(const struct emit_kernel *ek, const struct eaffine *a, int64_t *out_least,
                   int64_t *out_most);
/* The whole value: a vector where the lane takes part. */
LLVMValueRef eaffine_full(struct emit_kernel *ek, const struct eaffine *a, bool *out_varying);
/* The affine form of an i64 value over loop variables; false where it has none. */
bool emit_affine(struct emit_kernel *ek, kval v, struct eaffine *out_affine);
void emit_bind_index(struct emit_kernel *ek, kval index, const struct eaffine *a);

/* ---- emit_address.c ---- */
/* An element address: base of buf + (uniform affine + varying) elements. */
struct eaddress {
    int buf;
    struct eaffine affine; /* includes the lane term */
    LLVMValueRef varying;  /* vector of i64 to add, or NULL */
};
struct eaddress emit_address(struct emit_kernel *ek, int buf, const kval *idx);
/* The same from one affine form per dimension. */
struct eaddress emit_address_affine(struct emit_kernel *ek, int buf, const struct eaffine *idx);
LLVMValueRef emit_load(struct emit_kernel *ek, const struct eaddress *at, bool *out_varying);
void emit_store(struct emit_kernel *ek, const struct eaddress *at, LLVMValueRef v, bool varying);
void emit_load_or(struct emit_kernel *ek, kval v);
LLVMValueRef emit_pointer(struct emit_kernel *ek, int buf, const struct eaffine *a);

/* ---- emit_loop.c ---- */
struct eloop {
    LLVMBasicBlockRef body, exit;
    LLVMValueRef phi, to;
    int64_t step;
    LLVMBasicBlockRef from_block;
};
/* for (i = from; i < to; i += step); the value is loop.phi.  Runs zero times where from >= to. */
struct eloop emit_loop_begin(struct emit_kernel *ek, LLVMValueRef from, LLVMValueRef to,
                             int64_t step);
void emit_loop_end(struct emit_kernel *ek, struct eloop *l);
LLVMValueRef emit_alloca(struct emit_kernel *ek, LLVMTypeRef type);
LLVMBasicBlockRef emit_append_block(struct emit_kernel *ek);

/* ---- emit_program.c, emit_bundle.c ---- */
void emit_program(struct emit *e, const struct emit_request *req, const struct emit_schedules *s);
void emit_bundle_data(struct emit *e, const struct emit_request *req);

/* ---- emit_schedule.c ---- */
struct emit_schedules {
    struct arena *arena;
    size_t n; /* distinct kernels */
    struct {
        const struct kernel *kernel; /* the first of its kind */
        const struct schedule *schedule;
        const char *key;
    } *kernel;
    size_t cap;
    uint32_t *of_step; /* by step id */
};

/* ---- emit_module.c: runs in the worker ---- */
bool emit_module(struct arena *a, const struct emit_request *req, const struct emit_schedules *s,
                 bool want_text, struct emit_result *out_result, struct error *err);

#endif
