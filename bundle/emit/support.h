/*
 * support.h: the routines that LLVM's back ends call where a processor has no instruction: floats
 * in software, division, 64-bit products and shifts, copies.  Elsewhere a compiler's library has
 * them; here they are made with the builder and lie in the object, under the names that the back
 * ends bind to (those of libgcc and, on ARM, of the "Run-time ABI for the Arm Architecture").
 *
 * A routine is a row of support.c: names, types and a function that writes its body once for all
 * widths and formats.  Bodies hold integer instructions only, for one on floats would become a call
 * of the routine itself.  No pass runs over them: none can turn a loop into a call of memset.
 */
#ifndef SHEAF_BUNDLE_EMIT_SUPPORT_H
#define SHEAF_BUNDLE_EMIT_SUPPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <llvm-c/Core.h>

struct support {
    LLVMContextRef ctx;
    LLVMModuleRef mod;
    LLVMBuilderRef b;
    bool is_arm;
    LLVMTypeRef i1, i32, i64, index;
    LLVMValueRef fn;   /* the one being written */
    const char *types; /* its types: the result's, then the parameters', see support_type */
};

/* The module must have its triple and data layout. */
void support_init(struct support *s, LLVMModuleRef mod);
void support_done(struct support *s);

/* Few bytes come first, but no shared pieces of functions, which nobody could name or count the
   stack of. */
void support_make_small(LLVMValueRef fn);

/* Defines the routine of that name, and those that it calls by itself.  NULL: no such routine is
   known, or the module has something else of that name. */
LLVMValueRef support_define(struct support *s, const char *name);
/* The names of routine i, NULL behind the last. */
const char *support_name(size_t i, bool is_arm);

/* ---- for the files of the routines ---- */

/* One letter: f, d and h are float, double and half (as its bits), i and l integers of 32 and 64
   bits, z one as wide as a pointer p, v is void.  Pairs: Q of two i, the first in the lower half of
   an l; P of two l; m and n of an i or l (the significand) and an i (the exponent). */
LLVMTypeRef support_type(struct support *s, char type);

typedef void support_body(struct support *s);

/* Calls the routine that `body` writes for these types. */
LLVMValueRef support_call(struct support *s, support_body *body, const char *types,
                          LLVMValueRef *args);

/* A literal of v's type. */
LLVMValueRef support_int(LLVMValueRef v, uint64_t c);
/* The parameter; where it is a float, its bits. */
LLVMValueRef support_param(struct support *s, unsigned i);
/* Returns an integer or the bits of a float. */
void support_return(struct support *s, LLVMValueRef v);
/* What is written next runs where the condition does not hold. */
void support_return_if(struct support *s, LLVMValueRef condition, LLVMValueRef v);
LLVMValueRef support_clz(struct support *s, LLVMValueRef v); /* v is not 0 */
/* An i64 in two halves, and back. */
LLVMValueRef support_low(struct support *s, LLVMValueRef v);
LLVMValueRef support_high(struct support *s, LLVMValueRef v);
LLVMValueRef support_join(struct support *s, LLVMValueRef low, LLVMValueRef high);
/* v, or 1 in its lowest bit where the condition holds. */
LLVMValueRef support_or_if(struct support *s, LLVMValueRef v, LLVMValueRef condition);
LLVMValueRef support_negate_if(struct support *s, LLVMValueRef condition, LLVMValueRef v);

/* if (condition) v = then: what is written in between runs only there. */
struct support_branch {
    LLVMBasicBlockRef before, after;
};
struct support_branch support_if(struct support *s, LLVMValueRef condition);
LLVMValueRef support_end_if(struct support *s, struct support_branch *b, LLVMValueRef v,
                            LLVMValueRef then);

/* while (condition) { v[0..n) = next[0..n) }: after the end v holds what they are then. */
struct support_loop {
    LLVMBasicBlockRef head, exit;
    LLVMValueRef v[4];
    unsigned n;
};
struct support_loop support_loop_begin(struct support *s, unsigned n, LLVMValueRef *first);
void support_loop_while(struct support *s, struct support_loop *l, LLVMValueRef condition);
void support_loop_end(struct support *s, struct support_loop *l, LLVMValueRef *next);

/* A binary format of IEEE 754, in an integer of `width` bits. */
struct support_format {
    LLVMTypeRef word;
    unsigned width;
    unsigned mantissa; /* stored bits of the significand */
    unsigned sign_at;  /* number of the sign bit */
    int bias, special; /* exponents as they are stored; `special` is that of infinities and NaN */
    uint64_t implicit, sign, infinity, quiet_nan;
};
struct support_format support_format(struct support *s, char type);
LLVMValueRef support_magnitude(struct support *s, const struct support_format *f, LLVMValueRef v);
/* 0 or 1, and the stored exponent, as i32. */
LLVMValueRef support_sign(struct support *s, const struct support_format *f, LLVMValueRef v);
LLVMValueRef support_exponent(struct support *s, const struct support_format *f, LLVMValueRef v);
/* The significand as stored, with its implicit bit where the exponent is not 0, and the exponent
   that it counts with, which is then 1. */
LLVMValueRef support_significand(struct support *s, const struct support_format *f, LLVMValueRef v,
                                 LLVMValueRef *out_exponent);
/* (-1)^sign * significand * 2^(exponent - bias - (width - 1)), rounded to nearest, ties to even.
   The significand's lowest bit may stand for all that lie below. */
LLVMValueRef support_compose(struct support *s, char type, LLVMValueRef significand,
                             LLVMValueRef exponent, LLVMValueRef sign);

/* support_float.c */
support_body support_body_compose, support_body_unpack, support_body_jam;
support_body support_body_add, support_body_sub, support_body_mul, support_body_div,
    support_body_sqrt;
support_body support_body_compare, support_body_compare_down, support_body_compare_up,
    support_body_unordered, support_body_eq, support_body_lt, support_body_le, support_body_ge,
    support_body_gt;
/* support_convert.c */
support_body support_body_to_signed, support_body_to_unsigned, support_body_from_signed,
    support_body_from_unsigned, support_body_extend, support_body_truncate;
support_body support_body_floor, support_body_ceil, support_body_trunc, support_body_rint;
/* support_integer.c */
support_body support_body_mul32, support_body_mul64, support_body_shl, support_body_lshr,
    support_body_ashr, support_body_clz;
support_body support_body_udivmod, support_body_divmod, support_body_udiv, support_body_urem,
    support_body_sdiv, support_body_srem;
/* support_memory.c */
support_body support_body_copy, support_body_move, support_body_fill, support_body_fill_arm,
    support_body_clear;

#endif
