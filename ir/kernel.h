/*
 * kernel.h: what an operator, or a region of operators, computes.
 *
 * A kernel has buffers and a body of instructions in SSA form with structured regions.  It states
 * meaning only: loads and stores use logical indices, whatever the buffer's layout; nothing is said
 * about tiles, vectors or threads (that is schedule.h).  The evaluator interprets kernels, every
 * target emits them.
 *
 * Values have an element type (dtype.h).  Indices are i64.  A value may be used in its block after
 * its definition and in blocks nested there.
 *
 * Regions
 *   map     independent index points; the block stores, it yields nothing.  Two points of one map
 *           must not store to the same element, and a point must not load what another stores.
 *   reduce  element tuples combined per `combine` starting from the identities (the operands).
 *           With lanes P > 1 (a power of two; one-index reductions only) partial p combines the
 *           elements k = p mod P in ascending order, and the partials are then combined pairwise,
 *           p with p + P/2, P halving: the one order every target uses, so results do not depend on
 *           the target.  With P = 1 elements are combined in ascending (row-major) order.  Only on
 *           devices long reductions of floats, not those of a block, may have a greater P, which
 *           the schedule states.  With KCOMBINE_BLOCK, block 1 combines: parameters are the tuple
 *           so far and the new one, it yields the combined tuple (argmax, online softmax).  Where
 *           it is `unordered` the result is the same whatever is combined first, and how often the
 *           identity is, as with the first of a total order (argmax).
 *   sort    block 0 yields a tuple per index i < extent 0.  Block 1 tells of two tuples, its
 *           parameters, whether the first comes before the second: a strict total order, in which
 *           tuples of which neither comes first are equal in all that matters.  Block 2 runs once
 *           per rank r < min(extent 0, extent 1), for all ranks in any order or at once like a map,
 *           with the tuple of rank r as its parameters.  An index belongs to its block only.
 *           Blocks 0 and 1 store nothing, and read nothing that block 2 stores.  Whoever wants a
 *           stable order yields the index and compares it last, so the result does not depend on
 *           how a target sorts.  Of both extents a bound must be known (kernel_extent_bound).
 *   contract
 *           acc(batch.., m.., n..) = sum over k.. of A * B, where A and B are loads at affine
 *           functions of the iteration indices; an index outside the buffer reads the operand's pad
 *           value if the operand is marked `padded` (else it may not happen).  A prologue block
 *           may turn the raw element into the accumulator's type (zero point, scale); without one
 *           it is cast.  The epilogue block runs once per (batch, m, n) point with acc as its
 *           parameter and stores.
 *           Iteration kinds: BATCH indexes A, B and result; M indexes A and result; N indexes B and
 *           result; K indexes A and B.
 *
 * Functions of the user's
 *   extern  is called once, with whole buffers of the plain layout, and stands in the body itself.
 *           All that is known of it is that it reads the one and writes all of the other buffers,
 *           and that equal inputs and attributes give equal results.
 *
 * Everything lies in the kernel's arena.
 */
#ifndef SHEAF_IR_KERNEL_H
#define SHEAF_IR_KERNEL_H

#include "bundle/bundle.h"
#include "ir/arena.h"
#include "ir/dtype.h"
#include "ir/error.h"
#include "ir/layout.h"
#include "ir/ops.h"
#include "ir/strbuf.h"
#include "ir/tensor.h"

typedef uint32_t kval; /* an instruction of the kernel; 0: none */

enum kop {
    KOP_NONE,
#define KOP(id, text, kind, doc) KOP_##id,
#include "ir/kernel_ops.def"
#undef KOP
    KOP_COUNT
};

enum kop_kind {
    KOP_KIND_LEAF,
    KOP_KIND_UNARY,
    KOP_KIND_BINARY,
    KOP_KIND_COMPARE,
    KOP_KIND_OTHER,
    KOP_KIND_REGION
};

const char *kop_name(enum kop op);
enum kop_kind kop_kind(enum kop op);

enum kbuf_role {
    KBUF_IN,    /* read only */
    KBUF_OUT,   /* written; undefined before */
    KBUF_INOUT, /* read and written in place */
    KBUF_LOCAL  /* scratch of one run of the kernel; undefined at the start */
};

struct kbuf {
    const char *name;
    enum dtype dtype;
    enum kbuf_role role;
    int rank;
    int64_t dims[MAX_RANK];   /* extents, or bounds where extent_buf says so */
    int extent_buf[MAX_RANK]; /* -1, or the i64 scalar buffer that holds the true extent; such a
                                 buffer has the plain layout, dense at the true extents */
    struct layout layout;
    const struct tensor *constant; /* content where known at compile time (role IN), else NULL */
};

enum { KREGION_MAX_DIMS = 12, KREGION_MAX_VALUES = 8 };

struct kblock {
    kval *insts; /* in order; the last is a YIELD where the region wants values */
    size_t n, cap;
    kval param[2 * KREGION_MAX_VALUES];
    int n_params;
};

enum kcombine {
    KCOMBINE_ADD,
    KCOMBINE_MUL,
    KCOMBINE_MIN,
    KCOMBINE_MAX,
    KCOMBINE_AND,
    KCOMBINE_OR,
    KCOMBINE_BLOCK /* block 1 combines */
};

enum kiter { KITER_BATCH, KITER_M, KITER_N, KITER_K };

/* offset + sum of coef * var; vars are indices of this contract or of regions around it. */
enum { KAFFINE_MAX_TERMS = 6 };
struct kaffine {
    int64_t offset;
    int n_terms;
    struct {
        kval var;
        int64_t coef; /* never 0 */
    } term[KAFFINE_MAX_TERMS];
};

struct koperand {
    int buf;
    struct kaffine dim[MAX_RANK]; /* one per dimension of the buffer */
    bool padded;
    kval pad;               /* of the buffer's type; 0 where not padded */
    struct kblock prologue; /* parameter: the raw element; empty: cast to the accumulator's type */
};

struct kcontract {
    enum dtype acc;
    enum kiter kind[KREGION_MAX_DIMS]; /* of the region's indices */
    struct koperand a, b;
};

struct kregion {
    int n_dims;
    kval index[KREGION_MAX_DIMS];  /* INDEX instructions */
    kval extent[KREGION_MAX_DIMS]; /* i64 values defined outside */
    struct kblock block[3];        /* contract: block[0] is the epilogue */
    enum kcombine combine;         /* reduce, scan */
    int lanes;                     /* reduce; 1 elsewhere */
    bool unordered;                /* reduce with a block: any order of elements gives the same */
    struct kcontract *contract;    /* contract only */
};

enum kextern_kind { KEXTERN_INTS, KEXTERN_FLOATS, KEXTERN_STRINGS, KEXTERN_TENSOR };

struct kextern_attr {
    const char *name;
    enum kextern_kind kind;
    union {
        struct attr_ints ints;
        struct attr_floats floats;
        struct attr_strings strings;
        int tensor; /* position in kextern.in */
    } u;
};

/* A call: which operator of a model, on what.  Tensors among the attributes stand behind the
   inputs. */
struct kextern {
    const char *op; /* as -extern-op names it */
    int *in, *out;  /* buffers; -1: left out */
    int n_in, n_tensors, n_out;
    struct kextern_attr *attrs;
    int n_attrs;
};

/* Where the user's functions are, of code that runs here. */
struct kextern_functions {
    struct kextern_function {
        const char *symbol;
        sheaf_extern_fn fn;
    } *function;
    size_t n, cap;
};

struct kinst {
    enum kop op;
    enum dtype type; /* of the (first) result; DTYPE_NONE where there is none */
    int buf;         /* LOAD, LOAD_OR, STORE; else -1 */
    int n_args;
    kval *args;
    union {
        int64_t i; /* CONST of integer or bool type; RESULT: which */
        double f;  /* CONST of float type (exactly representable in it) */
    } imm;
    struct kregion *region; /* REGION instructions */
    struct kextern *call;   /* EXTERN */
};

struct kernel {
    struct arena *arena;
    const char *name;
    struct kbuf *bufs;
    size_t n_bufs, cap_bufs;
    struct kinst *insts; /* by kval; entry 0 unused */
    size_t n_insts, cap_insts;
    struct kblock body;
    /* builder state: the blocks that are open, innermost last */
    struct kblock *open[64];
    kval open_region[64];
    int n_open;
};

static inline struct kinst *kernel_inst(const struct kernel *k, kval v)
{
    return &k->insts[v];
}

struct kernel *kernel_create(struct arena *arena, const char *name);
/* Layout plain, all extents static; the returned number indexes k->bufs. */
int kernel_add_buf(struct kernel *k, const char *name, enum dtype dtype, enum kbuf_role role,
                   int rank, const int64_t *dims);

/* ---- builder: appends to the innermost open block.  Folds constants where exact. ---- */
kval kernel_const_int(struct kernel *k, enum dtype type, int64_t v);
kval kernel_const_float(struct kernel *k, enum dtype type, double v); /* rounded to the type */
kval kernel_const_index(struct kernel *k, int64_t v);
kval kernel_const(struct kernel *k, enum dtype type, double v); /* any type, by value */
kval kernel_unary(struct kernel *k, enum kop op, kval a);
kval kernel_binary(struct kernel *k, enum kop op, kval a, kval b);
kval kernel_compare(struct kernel *k, enum kop op, kval a, kval b);
kval kernel_select(struct kernel *k, kval c, kval a, kval b);
kval kernel_cast(struct kernel *k, enum dtype to, kval a); /* a itself where it has the type */
kval kernel_bitcast(struct kernel *k, enum dtype to, kval a);
/* idx: one i64 value per dimension of the buffer */
kval kernel_load(struct kernel *k, int buf, const kval *idx);
kval kernel_load_or(struct kernel *k, int buf, const kval *idx, kval otherwise);
void kernel_store(struct kernel *k, int buf, const kval *idx, kval v);
/* The true extent of dimension d of a buffer: a constant, or a load of its extent buffer. */
kval kernel_extent(struct kernel *k, int buf, int d);

void kernel_map_begin(struct kernel *k, int n_dims, const kval *extents, kval *out_index);
void kernel_map_end(struct kernel *k);

/* Carried values start at init[]; out_carried are their values at the block's start. */
void kernel_loop_begin(struct kernel *k, kval extent, int n_carried, const kval *init,
                       kval *out_index, kval *out_carried);
void kernel_loop_end(struct kernel *k, const kval *next, kval *out_result);

void kernel_reduce_begin(struct kernel *k, enum kcombine combine, int lanes, int n_dims,
                         const kval *extents, int n_values, const kval *identity, kval *out_index);
void kernel_reduce_unordered(struct kernel *k); /* of the one just begun, with a block */
/* For KCOMBINE_BLOCK: ends the element block with its yield and opens the combining block. */
void kernel_reduce_combine(struct kernel *k, const kval *element, kval *out_so_far,
                           kval *out_element);
/* `values`: what the open block yields (elements, or with KCOMBINE_BLOCK the combined tuple). */
void kernel_reduce_end(struct kernel *k, const kval *values, kval *out_result);

void kernel_scan_begin(struct kernel *k, enum kcombine combine, kval extent, int n_values,
                       const kval *identity, kval *out_index);
void kernel_scan_emit(struct kernel *k, const kval *element, kval *out_prefix);
void kernel_scan_end(struct kernel *k, kval *out_total);

/* out_index: of the element, then, for the block behind kernel_sort_emit, the rank. */
void kernel_sort_begin(struct kernel *k, kval extent, kval ranks, kval *out_index);
/* Ends the block of elements with its yield and opens the one that compares. */
void kernel_sort_order(struct kernel *k, int n_values, const kval *element, kval *out_first,
                       kval *out_second);
/* Ends that one: `before` is a bool.  Opens the block of ranks. */
void kernel_sort_emit(struct kernel *k, kval before, kval *out_element);
void kernel_sort_end(struct kernel *k);

/* A copy of the call is taken. */
void kernel_extern(struct kernel *k, const struct kextern *call);
/* The only call that a kernel consists of; NULL: it is another kernel. */
const struct kextern *kernel_only_extern(const struct kernel *k);
/* The C function of an operator: sheaf_extern_com_acme_Foo of com.acme.Foo. */
const char *kextern_symbol(struct arena *a, const char *op);
bool kextern_is_symbol(const char *name);
/* NULL: it is not there. */
sheaf_extern_fn kextern_find(const struct kextern_functions *f, const char *symbol);
/* `kind` and `n` of the struct that the function gets. */
uint32_t kextern_abi_kind(const struct kextern_attr *a);
uint32_t kextern_abi_count(const struct kextern_attr *a);

void kernel_if_begin(struct kernel *k, kval condition);
void kernel_if_else(struct kernel *k, int n_values, const kval *values);
void kernel_if_end(struct kernel *k, int n_values, const kval *values, kval *out_result);

/*
 * A contraction: begin gives the indices; then the operands are described; the prologues, where
 * wanted, are built between kernel_contract_prologue and its end; then the epilogue is open until
 * kernel_contract_end.
 */
struct kcontract *kernel_contract_begin(struct kernel *k, enum dtype acc, int n_iters,
                                        const int64_t *extents, const enum kiter *kinds,
                                        kval *out_index);
struct kaffine kaffine_const(int64_t offset);
struct kaffine kaffine_var(kval var, int64_t coef, int64_t offset);
void kaffine_add(struct kaffine *a, kval var, int64_t coef); /* joins equal vars, drops zeros */
kval kernel_contract_prologue(struct kernel *k, struct koperand *operand); /* the raw element */
void kernel_contract_prologue_end(struct kernel *k, kval value);
kval kernel_contract_epilogue(struct kernel *k); /* the accumulator */
void kernel_contract_end(struct kernel *k);

/* ---- kernel_math.c: functions made of the primitives, the same on every target, of any float
   type; each states its error bound there. ---- */
kval kernel_exp(struct kernel *k, kval x);
kval kernel_expm1(struct kernel *k, kval x); /* e^x - 1 */
kval kernel_log(struct kernel *k, kval x);
kval kernel_log1p(struct kernel *k, kval x); /* log(1 + x) */
kval kernel_tanh(struct kernel *k, kval x);
kval kernel_sigmoid(struct kernel *k, kval x);
kval kernel_erf(struct kernel *k, kval x);
kval kernel_pow(struct kernel *k, kval x, kval y);
/* kernel_trig.c */
kval kernel_sin(struct kernel *k, kval x);
kval kernel_cos(struct kernel *k, kval x);
kval kernel_tan(struct kernel *k, kval x);
/* kernel_arc.c */
kval kernel_asin(struct kernel *k, kval x);
kval kernel_acos(struct kernel *k, kval x);
kval kernel_atan(struct kernel *k, kval x);
/* kernel_gate.c */
kval kernel_gelu(struct kernel *k, kval x);
kval kernel_gelu_tanh(struct kernel *k, kval x); /* the approximation by tanh */
kval kernel_mish(struct kernel *k, kval x);
kval kernel_swish(struct kernel *k, kval x, double alpha);
/* kernel_hyperbolic.c */
kval kernel_sinh(struct kernel *k, kval x);
kval kernel_cosh(struct kernel *k, kval x);
kval kernel_asinh(struct kernel *k, kval x);
kval kernel_acosh(struct kernel *k, kval x);
kval kernel_atanh(struct kernel *k, kval x);

/* ---- kernel_coded.c: conversions of coded types (dtype.h), the same on every target ---- */
enum kernel_round { KERNEL_ROUND_NEAREST, KERNEL_ROUND_UP, KERNEL_ROUND_DOWN };
struct kernel_encoding {
    bool saturate;           /* else what is too large becomes infinity or NaN; not of f4e2m1 */
    enum kernel_round round; /* of f8e8m0 (nearest: halves up); all others go to the nearest even */
};
/* kernel_cast, and of and to coded types as well. */
kval kernel_convert(struct kernel *k, enum dtype to, kval x, struct kernel_encoding how);

/* ---- kernel_walk.c ---- */
/* Calls fn for every instruction, outer before inner, in order; fn returns false to stop. */
bool kernel_walk(const struct kernel *k, bool (*fn)(const struct kernel *, kval, void *),
                 void *arg);
/* The value as offset + sum of coef * INDEX; false where it is not affine. */
bool kernel_affine_of(const struct kernel *k, kval v, struct kaffine *out_affine);
bool kernel_is_const_int(const struct kernel *k, kval v, int64_t *out_value);
/* The first contraction of the kernel; 0: there is none. */
kval kernel_find_contract(const struct kernel *k);
bool kernel_has_region(const struct kernel *k, const struct kblock *b);
/* The only region that stands in the body by itself, where all else are values; else 0. */
kval kernel_only_region(const struct kernel *k);
/* The coefficient of a variable, 0 where it has no term. */
int64_t kaffine_coef(const struct kaffine *a, kval var);
/* What coef times 0 .. extent - 1 adds to a range; false where it is too much for 64 bits. */
bool kaffine_reach(int64_t coef, int64_t extent, int64_t *least, int64_t *most);
/* The least and the greatest value, over indices of the region alone, whose extents are constant
   and not 0; false where there is more to it. */
bool kernel_affine_range(const struct kernel *k, const struct kregion *r, const struct kaffine *a,
                         int64_t *out_least, int64_t *out_most);
/* Which of the region's indices a value is, or -1. */
int kregion_index_of(const struct kregion *r, kval v);
/* Extent d of a region where it is a constant, else 0. */
int64_t kernel_static_extent(const struct kernel *k, const struct kregion *r, int d);
/* The most that an extent can be: a number, or where it is read from a buffer, or is the least of
   others, what follows from the extents that buffers have there; -1: not known. */
int64_t kernel_extent_bound(const struct kernel *k, kval extent);

/* ---- kernel_text.c: exact text form (docs/kernel-ir.md) up to the numbering of values and the
   places of constants, which are written where they are used.  The content of a constant buffer of
   more than KERNEL_TEXT_MAX_CONSTANT elements is left out. ---- */
enum { KERNEL_TEXT_MAX_CONSTANT = 64 };
void kernel_print(const struct kernel *k, struct strbuf *out);
/* The same; out_at[v] receives where in `out` the line of instruction v begins, of those that have
   one. */
void kernel_print_places(const struct kernel *k, struct strbuf *out, size_t *out_at);
/* Without names and content of constants: kernels with the same key can share their code. */
void kernel_print_key(const struct kernel *k, struct strbuf *out);
/* The number that the text form gives each value (a region that yields nothing has one as well), by
   kval; UINT32_MAX where it gives none. */
const uint32_t *kernel_number(const struct kernel *k, struct arena *a);
struct kernel *kernel_parse(struct arena *arena, const char *text, struct error *err);

/* ---- kernel_clone.c: a deep copy in arena a ---- */
struct kernel *kernel_clone(struct arena *a, const struct kernel *k);

/* ---- kernel_validate.c ---- */
bool kernel_validate(const struct kernel *k, struct error *err);

/* ---- kernel_fuse.c: a map that reads a local buffer only where an earlier contract or map of the
   same kernel just wrote it becomes part of that one's block, and the buffer goes.  Returns whether
   anything changed. ---- */
bool kernel_fuse(struct kernel *k);

/* ---- kernel_fuse_operand.c: a map that only converts what one operand of a contract reads becomes
   its prologue.  Returns whether anything changed. ---- */
bool kernel_fuse_operand(struct kernel *k);

/* ---- kernel_fuse_load.c: a map that fills a local buffer from inputs is computed at the one load
   that reads it.  Returns whether anything changed. ---- */
bool kernel_fuse_load(struct kernel *k);

/* ---- kernel_expand.c: `contract` as map, reduce and load_or, for targets and shapes without a
   special generator.  Returns whether there was one. ---- */
bool kernel_expand_contracts(struct kernel *k);
/* One of them. */
void kernel_expand_contract(struct kernel *k, kval contract);

/* ---- kernel_sort.c: `sort` as maps and loops over local buffers ---- */
/* For code that runs in turn: runs of tuples are merged, where few ranks are wanted chunk by chunk.
   Maps around it become loops, so that one place for the tuples serves them all.  Returns whether
   there was one. */
bool kernel_sort_in_turn(struct kernel *k);
/* For many threads: a network of exchanges, each step of which is a map.  A map of long sorts is
   taken apart into the steps of all of them; few ranks of a long one are found in two rounds of
   short ones.  Returns whether there was one. */
bool kernel_sort_at_once(struct kernel *k);

/* ---- kernel_stage.c: operand A of a contraction with static extents is read from a local buffer
   in this layout, which a map fills first with all that is read of it, pad values included. Returns
   the buffer. ---- */
int kernel_stage_operand(struct kernel *k, kval contract, const struct layout *layout);
/* Operand A becomes B, and rows columns. */
void kernel_exchange_operands(struct kernel *k, kval contract);
/* Operand A, floats without a prologue, all extents static, is read from a local buffer of the same
   layout in the accumulator's type.  Returns the buffer. */
int kernel_widen_operand(struct kernel *k, kval contract);
/* An access of the contraction as own + rest: `own` are the terms of its own indices, moved to
   start at 0, `extent` the number of values they reach over. */
void kernel_stage_split(const struct kernel *k, const struct kregion *r, const struct kaffine *a,
                        struct kaffine *out_own, struct kaffine *out_rest, int64_t *out_extent);

/* ---- kernel_window.c: the windows of an image that a contraction multiplies (its last two indices
   M are rows and columns of pixels, each in a dimension of operand A of its own) laid out anew in a
   local buffer.  False, and nothing is changed, where it has no such windows. ---- */
/* A row of pixels and the padding around it behind the other, so that pixels have one index, whose
   extent is a multiple of a number of lanes of at most `lanes`; the sums go to a local buffer
   first, for there are some between the rows that are no pixels.  Steps from pixel to pixel must
   be 1. */
bool kernel_flatten_windows(struct kernel *k, kval contract, int lanes);
/* Each pixel's window whole, so the copy has its size times the number of pixels.  Innermost are
   the other dimensions, or where the last of them has an odd extent the rows of the window, with an
   even number of elements. */
bool kernel_unfold_windows(struct kernel *k, kval contract);

/* ---- kernel_split.c: the sum over index `dim` of a contraction, of kind K, in so many parts,
   which divide its extent: partial sums in a local buffer, which is returned, and a map that adds
   them up and has the epilogue.  can_split: all extents are static, and no prologue depends on the
   index.
   ---- */
bool kernel_can_split_sum(const struct kernel *k, kval contract, int dim);
int kernel_split_sum(struct kernel *k, kval contract, int dim, int64_t splits);

/* ---- kernel_collapse.c: one index in place of two that go through memory like one, in all
   accesses that have them, and one dimension of the buffers in place of two: extents (1, D * E) for
   (D, E), in the same layout.  Indices of one value go.  Numbers of buffers stay.  Returns whether
   anything changed. ---- */
bool kernel_collapse(struct kernel *k);

/* ---- kernel_simplify.c: folds constants and removes what nothing uses.  Returns whether anything
   changed. ---- */
bool kernel_simplify(struct kernel *k);

#endif
