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

enum { EMIT_MAX_TERMS = 24, EMIT_MAX_LANES = 256 };

/* A kernel that has been emitted: parts of one target share those that are equal. */
struct emitted_kernel {
    const char *key;
    const char *cpu, *features;
    LLVMValueRef fn;
};

struct emit_debug;

struct emit_frame {
    const char *function;
    uint64_t bytes;
};

/* The code of a device: images for the processors that it was made for, and the name of each
   distinct kernel in them, by entry. */
struct emit_images {
    struct emit_image {
        enum sheaf_image_kind kind;
        unsigned arch;
        struct bytes code;
    } *image;
    size_t n;
    const char ***kernel_name;
    size_t *n_functions; /* by entry, where the device runs networks: so many of these names */
    const struct emit_entry *entries;
    LLVMValueRef table; /* of all entries' plans; NULL until the first of them is there */
};

/* One module under construction. */
struct emit {
    struct arena *arena;
    struct error *err;           /* for what LLVM says in between */
    const struct target *target; /* of the part that is being emitted */
    const char *features;        /* of the module: what all parts may use */
    LLVMTargetMachineRef machine;
    LLVMTargetDataRef layout;
    LLVMContextRef ctx;
    LLVMModuleRef mod;
    LLVMBuilderRef b;
    LLVMTypeRef void_, i1, i8, i16, i32, i64, f32, f64, ptr;
    struct emitted_kernel *kernels;
    size_t n_kernels, cap_kernels;
    struct emit_debug *debug; /* NULL: none is wanted */
    LLVMMetadataRef entry_scope;
    size_t program_at; /* in the listing: of the program whose entry is being emitted */
    unsigned program_line;
    struct emit_frame *frames; /* as the back end reports them */
    size_t n_frames, cap_frames;
    struct emit_images *images; /* of an object that carries the code of a device */
    LLVMTypeRef index;          /* of loops and addresses: as wide as a pointer, like size_t */
};

/* A variable that addresses are affine in.  Variable 0 is the lane number of the vector loop. */
struct evar {
    LLVMValueRef value; /* of type index; NULL for the lane */
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

/* The threads of a device that run the code together: each computes the same values, spread regions
   are divided among them, and one alone writes. */
struct egroup {
    int size;          /* 1: a thread by itself */
    LLVMValueRef rank; /* i32, 0 to size - 1 */
};

struct emit_kernel {
    struct emit *e;
    const struct kernel *k;
    const struct schedule *schedule;
    LLVMValueRef fn;
    LLVMBasicBlockRef entry;    /* allocas go here */
    LLVMMetadataRef *debug_loc; /* by kval; NULL: none */
    LLVMValueRef *buf;          /* base pointers */
    LLVMValueRef *val;          /* by kval: the value last emitted */
    bool *varying;              /* by kval */
    bool *split;                /* by kval: the lanes are in split order (emit_wide.c) */
    bool *is_factor;            /* by kval: a factor of a 64-bit product */
    struct eaffine *bind;       /* by kval, INDEX only */
    struct evar *vars;
    size_t n_vars, cap_vars;
    int lanes;
    struct egroup group;
    LLVMValueRef rank, n_ranks; /* where a network runs in several cores: indices */
    bool inside;                /* load_or of the block being emitted is known to stay inside */
    struct ejoin join;
    LLVMValueRef (*results)[KREGION_MAX_VALUES]; /* by kval of region */
    bool (*results_varying)[KREGION_MAX_VALUES];
};

/* ---- emit_kernel.c ---- */
LLVMValueRef emit_kernel_function(struct emit *e, const struct kernel *k, const struct schedule *s,
                                  const char *name);
/* Its parameters: the buffers, and under -optimize-size the numbers that emit_share.c finds; where
   networks run in several cores, which of how many this one is. */
unsigned emit_kernel_params(const struct emit *e, const struct kernel *k);
/* Emits a block's instructions but the yield; the yield's operands are then current values. */
void emit_block(struct emit_kernel *ek, const struct kblock *blk);
const struct kinst *emit_block_yield(const struct emit_kernel *ek, const struct kblock *blk);
void emit_instruction(struct emit_kernel *ek, kval v);

/* ---- emit_extern.c ---- */
void emit_extern(struct emit_kernel *ek, const struct kextern *call);

/* ---- emit_together.c ---- */
/* Points for each of which a block is emitted: `bind` sets a point's indices, and the block's
   parameter if it has one; `differs` says whether an index is another for each. */
struct epoints {
    int n;
    bool again; /* the last points were others of the same loops: what does not differ is there */
    void (*bind)(void *arg, int point);
    bool (*differs)(void *arg, kval index);
    void *arg;
};
bool emit_can_be_together(const struct emit_kernel *ek, const struct kblock *blk);
void emit_block_together(struct emit_kernel *ek, const struct kblock *blk,
                         const struct epoints *points);

/* ---- emit_region.c: loop, scan, if; emit_map.c, emit_reduce.c ---- */
void emit_region(struct emit_kernel *ek, kval v);
void emit_map_region(struct emit_kernel *ek, kval v);
void emit_reduce(struct emit_kernel *ek, kval v);
/* Whether a block can run in lanes: no control flow but reductions and scans, no packed stores. */
bool emit_can_vectorize(const struct kernel *k, const struct kblock *blk);
/* The same where it may hold maps, too: each lane goes through all their points. */
bool emit_can_vectorize_maps(const struct kernel *k, const struct kblock *blk);
/* so_far and element tuples combined as the region says; n values each. */
void emit_combine(struct emit_kernel *ek, const struct kregion *r, int n, LLVMValueRef *so_far,
                  LLVMValueRef *element, bool varying, const enum dtype *types);
void emit_set_results(struct emit_kernel *ek, kval v, int n, LLVMValueRef *values, bool varying);
/* Sets the number of lanes that instructions are emitted for. */
void emit_set_lanes(struct emit_kernel *ek, int lanes);

/* ---- emit_group.c: what the threads of a group do together ---- */
void emit_group_barrier(struct emit_kernel *ek);
/* What is emitted in between only the first thread of the group runs. */
struct egroup_first {
    struct egroup group;
    LLVMBasicBlockRef end;
};
struct egroup_first emit_group_first_begin(struct emit_kernel *ek);
void emit_group_first_end(struct emit_kernel *ek, const struct egroup_first *first);
/* The first thread's value, a scalar. */
LLVMValueRef emit_group_broadcast(struct emit_kernel *ek, LLVMValueRef v);
/* Shared memory of one element for each thread of the block, for value i of a tuple; all reductions
   and scans of a kernel have it in common. */
LLVMValueRef emit_group_array(struct emit_kernel *ek, LLVMTypeRef type, int i);
/* Whether a reduction or scan gives the same whatever is combined first. */
bool emit_is_order_free(const struct kernel *k, const struct kinst *in);
/* What combined with x gives x. */
LLVMValueRef emit_neutral(struct emit *e, enum kcombine combine, enum dtype t);
/* A reduction divided among the threads; false, and nothing is emitted, where its order leaves
   nothing to divide. */
bool emit_group_reduce(struct emit_kernel *ek, kval v);
/* emit_group_scan.c: the same of a scan. */
bool emit_group_scan(struct emit_kernel *ek, kval v);

/* ---- emit_shared.c ---- */
/* Memory of a block of threads; alignment in bytes. */
LLVMValueRef emit_shared(struct emit *e, LLVMTypeRef type, unsigned alignment);
/* From here on the buffers that the schedule wants in the block's memory are those of one group of
   n_groups; `group` is its number, i32, where there are several. */
void emit_group_buffers(struct emit_kernel *ek, int n_groups, LLVMValueRef group);

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
LLVMValueRef emit_index(struct emit *e, int64_t v);
/* An i64 of the kernel as an index, and back; scalar or vector. */
LLVMValueRef emit_to_index(struct emit *e, LLVMValueRef v);
LLVMValueRef emit_from_index(struct emit *e, LLVMValueRef v);
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
LLVMValueRef emit_wrap_packed(struct emit *e, enum dtype t, LLVMValueRef v); /* into its bits */

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
/* The same of an access of a contraction, as its indices are bound. */
struct eaffine emit_kaffine(const struct emit_kernel *ek, const struct kaffine *k);
void emit_bind_index(struct emit_kernel *ek, kval index, const struct eaffine *a);

/* ---- emit_address.c ---- */
/* An element address: base of buf + (uniform affine + varying) elements. */
struct eaddress {
    int buf;
    struct eaffine affine; /* includes the lane term */
    LLVMValueRef varying;  /* vector of indices to add, or NULL */
};
struct eaddress emit_address(struct emit_kernel *ek, int buf, const kval *idx);
/* The same from one affine form per dimension. */
struct eaddress emit_address_affine(struct emit_kernel *ek, int buf, const struct eaffine *idx);
LLVMValueRef emit_load(struct emit_kernel *ek, const struct eaddress *at, bool *out_varying);
/* A lane of this type from where each lane's element lies. */
LLVMValueRef emit_gather_as(struct emit_kernel *ek, const struct eaddress *at, LLVMTypeRef lane);
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
/* The extent of dimension d of a region, as an index. */
LLVMValueRef emit_extent(struct emit_kernel *ek, const struct kregion *r, int d);
/* for (i = from; i < to; i += step); the value is loop.phi.  Runs zero times where from >= to. */
struct eloop emit_loop_begin(struct emit_kernel *ek, LLVMValueRef from, LLVMValueRef to,
                             int64_t step);
void emit_loop_end(struct emit_kernel *ek, struct eloop *l);
LLVMValueRef emit_alloca(struct emit_kernel *ek, LLVMTypeRef type);
LLVMBasicBlockRef emit_append_block(struct emit_kernel *ek);

/* ---- emit_data.c: constant data ---- */
/* The fields of a struct, put one after the other. */
struct edata {
    struct emit *e;
    LLVMValueRef v[24];
    unsigned n;
};
void edata_put(struct edata *f, LLVMValueRef v);
LLVMValueRef edata_finish(struct edata *f);
LLVMValueRef edata_constant(struct emit *e, const char *name, LLVMValueRef init); /* a symbol */
LLVMValueRef edata_private(struct emit *e, LLVMValueRef init); /* without a name */
LLVMValueRef edata_in_own_section(struct emit *e, LLVMValueRef global);
LLVMValueRef edata_string(struct emit *e, const char *s);
LLVMValueRef edata_bytes(struct emit *e, const struct bytes *bytes);   /* and a 0 behind them */
LLVMValueRef edata_rows(struct emit *e, LLVMValueRef *rows, size_t n); /* NULL where n is 0 */

/* ---- emit_device.c: what a device runs, as data of an object of the host ---- */
bool emit_device_module(struct arena *a, const struct emit_request *req, bool want_text,
                        struct emit_result *out_result, struct error *err);
/* ---- emit_host.c ---- */
/* Behind the steps from i on that have none in them that stays on the host: i where step i has. */
size_t emit_host_free(const struct steps *steps, size_t i);
/* In a module of the host: by distinct kernel the function (sheaf_host_fn) that runs it there; NULL
   where the device does. */
LLVMValueRef *emit_host_functions(struct emit *e, const struct emit_part *part);
/* ---- emit_plan.c ---- */
/* The launch plan of an entry for a device, a pointer to it. */
LLVMValueRef emit_plan(struct emit *e, const struct emit_entry *entry);

/* ---- emit_cores.c ---- */
/* All cores that run the network wait for each other, and see what any has written. */
void emit_meeting(struct emit *e, LLVMValueRef barrier, LLVMValueRef n_cores);

/* ---- emit_program.c, emit_bundle.c ---- */
/* The functions of a part's kernels, by distinct kernel; of a device's network of those that run on
   the module's processor, else NULL. */
LLVMValueRef *emit_part_kernels(struct emit *e, const struct emit_part *part);

/* The entry's functions and those of its kernels. */
void emit_entry(struct emit *e, const struct emit_request *req, const struct emit_entry *entry);
/* Of a device that runs networks by itself: the function that does, its name, or where steps stay
   on the host one for each of the segments between them. */
const char **emit_device_entry(struct emit *e, const struct emit_entry *entry, size_t *out_n);
/* Its _config and _info. */
void emit_entry_data(struct emit *e, const struct emit_request *req,
                     const struct emit_entry *entry);

/* Numbers of NAME_info that are known when the object is there: set in the module and in the
   object. */
enum emit_late_field { EMIT_STACK_BYTES, EMIT_LAYOUT_ID };
void emit_set_late(struct emit *e, const struct emit_entry *entry, enum emit_late_field field,
                   uint64_t value, struct bytes *object);
/* The layout's number, where weights are replaceable, in the finished object.  It is told by all
   that the object is: weights fit where they lead to the same one. */
void emit_set_layout(struct emit *e, const struct emit_request *req, struct bytes *object);

/* ---- emit_share.c ---- */
/* Kernels whose functions differ in numbers only become one function.  Due before any pass. */
void emit_share_kernels(struct emit *e);

/* ---- emit_debug.c; all do nothing where no debug information is wanted ---- */
void emit_debug_begin(struct emit *e, const char *listing_name);
/* Behind it the module can be generated; the text that line numbers are of. */
struct bytes emit_debug_end(struct emit *e);
void emit_debug_program(struct emit *e, const struct program *p);
void emit_debug_entry(struct emit *e, LLVMValueRef fn, const char *name);
void emit_debug_step(struct emit *e, const struct step *s);
void emit_debug_none(struct emit *e); /* what follows belongs to no line */
void emit_debug_kernel(struct emit_kernel *ek);
/* What is emitted in between belongs to instruction v. */
LLVMMetadataRef emit_debug_enter(struct emit_kernel *ek, kval v);
void emit_debug_leave(struct emit_kernel *ek, LLVMMetadataRef before);

/* ---- emit_stack.c ---- */
/* A diagnostic of the back end: what it says of a frame is kept. */
void emit_stack_note(struct emit *e, const char *diagnostic);
/* Bytes of stack that a call of the entry needs at most, its return address included; 0: not
   known. */
uint64_t emit_stack_of(struct emit *e, const struct emit_request *req, const struct bytes *object,
                       const char *entry);

/* ---- emit_schedule.c ---- */
struct emit_schedules {
    struct arena *arena;
    size_t n; /* distinct kernels */
    struct {
        const struct kernel *kernel; /* the first of its kind */
        const struct schedule *schedule;
        const char *key;
        bool on_host; /* of a device's network: emitted for its host */
    } *kernel;
    size_t cap;
    uint32_t *of_step; /* by step id */
};

/* ---- emit_module.c: runs in the worker ---- */
bool emit_verify(struct emit *e, struct error *err);
bool emit_run_passes(struct emit *e, struct error *err);
bool emit_to_bytes(struct emit *e, LLVMCodeGenFileType type, struct bytes *out, struct error *err);
bool emit_is_arm(const struct emit *e); /* 32 bits */
/* A module for e->target and e->features, which are set before, as is e->arena; emit_close is due
   after success. */
bool emit_open(struct emit *e, const char *source, struct error *err);
void emit_close(struct emit *e);
/* Of a module that is complete but for the attributes of its functions.  What the back end calls is
   made here, but for what is_outside names, which another library has; NULL: nothing. */
bool emit_to_object(struct emit *e, bool (*is_outside)(const char *name), struct bytes *out_object,
                    struct error *err);
/* For the functions behind `after` (NULL: all): they do not unwind, and are for e->target. */
void emit_function_attributes(struct emit *e, LLVMValueRef after);
bool emit_module(struct arena *a, const struct emit_request *req, bool want_text,
                 struct emit_result *out_result, struct error *err);

/* ---- emit_object.c ---- */
/* Runs the job in a process of its own, from which the result comes back. */
typedef bool emit_job(struct arena *a, const void *arg, struct emit_result *out_result,
                      struct error *err);
bool emit_in_worker(struct arena *a, emit_job *job, const void *arg, struct emit_result *out_result,
                    struct error *err);

#endif
