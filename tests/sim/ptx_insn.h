/*
 * ptx_insn.h: decoded instructions, and the state of warps and blocks that they change.
 *
 * A register is an array with one element for each lane, at its slot in the warp's registers; a
 * predicate is a mask of 32 bits.  Constants are such arrays too, in the module's pool.
 */
#ifndef SHEAF_TESTS_SIM_PTX_INSN_H
#define SHEAF_TESTS_SIM_PTX_INSN_H

#include <setjmp.h>
#include <string.h>

#include "tests/sim/ptx.h"
#include "tests/sim/ptx_memory.h"

enum { PTX_NO_SLOT = INT32_MIN, PTX_MAX_SLOTS = 20, PTX_N_BARRIERS = 16 };

/* For checks and accesses whose sizes are constants of the caller. */
#define PTX_INLINE static inline __attribute__((always_inline))

struct ptx_warp;

/* Of all lanes; `to` may be one of the others, of which there are up to four. */
typedef void ptx_lanes_fn(void *to, const void *const from[]);

/* How an access to memory orders others. */
enum {
    PTX_STRONG = 1, /* volatile, relaxed, or an atomic operation */
    PTX_ACQUIRE = 2,
    PTX_RELEASE = 4,
    PTX_NON_COHERENT = 8
};

/* What floating-point instructions do beside their operation. */
enum { PTX_FLUSH = 1, PTX_SATURATE = 2, PTX_ROUND_ZERO = 4, PTX_ROUND_DOWN = 8, PTX_ROUND_UP = 16 };

struct ptx_insn {
    void (*run)(struct ptx_warp *w, const struct ptx_insn *in, uint32_t mask);
    ptx_lanes_fn *lanes;
    int32_t guard; /* a predicate's slot, or PTX_NO_SLOT */
    bool guard_not;
    uint8_t type;       /* enum ptx_type: of the result, or in memory */
    uint8_t from_type;  /* of the operand, where it is another one */
    uint8_t space;      /* enum ptx_space */
    uint8_t n_elems;    /* of a vector in memory */
    uint8_t order;      /* PTX_STRONG.. */
    uint8_t modifiers;  /* PTX_FLUSH.. */
    uint8_t kind;       /* meaning differs with `run` */
    uint8_t more;       /* likewise */
    uint8_t n_bytes[4]; /* of the registers in slot[0] to slot[3] */
    uint32_t target;    /* of a branch or call */
    int64_t value;      /* displacement of an address, or a count */
    int64_t from_value; /* displacement of a second address */
    int32_t slot[PTX_MAX_SLOTS];
    const struct ptx_function *function;
    const struct ptx_statement *from;
    const struct ptx_call *call;
};

/* What a call copies between parameters, all of them in local memory. */
struct ptx_call {
    struct ptx_call_copy {
        uint64_t to, from, n_bytes;
    } args[16], results[4];
    int n_args, n_results;
};

/* A copy that cp.async began. */
struct ptx_pending {
    uint32_t group; /* of its lane */
    uint32_t to;    /* in shared memory */
    uint8_t lane, n_bytes;
    uint8_t bytes[16];
};

struct ptx_warp {
    uint8_t *regs;
    const uint8_t *pool;
    const struct ptx_insn *code, *now;
    uint32_t pc;      /* of the active lanes; the others wait at lane_pc */
    uint32_t active;  /* lanes that run */
    uint32_t stop_pc; /* where others wait: lanes that come here are put together anew */
    uint32_t live;    /* lanes that have not exited */
    uint32_t waiting; /* lanes at a barrier */
    uint32_t held;    /* lanes before an instruction that others of the warp have to come to */
    uint32_t lane_pc[PTX_LANES];
    int index;
    unsigned n_lanes;
    struct ptx_block *block;
    uint64_t n_run;
    struct ptx_pending *pending;
    size_t n_pending, cap_pending;
    uint32_t group[PTX_LANES]; /* that copies of now belong to */
};

struct ptx_barrier {
    unsigned arrived, expected; /* threads */
    uint32_t warps;             /* that have arrived */
};

struct ptx_block {
    struct ptx_run *run;
    struct ptx_memory *memory;
    unsigned id[3], index, n_threads;
    int n_warps;
    struct ptx_warp *warps;
    struct ptx_barrier barriers[PTX_N_BARRIERS];
    uint8_t *regs, *local;

    /* Shared memory, and marks of each four bytes of it (ptx_check.h). */
    uint8_t *shared;
    uint64_t *writer, *reader;
    uint32_t shared_bytes;
    uint32_t clock; /* counts synchronizations */
    /* What warp v did before the time seen[u][v] is done for warp u; `floor` is the least of u's.
     */
    uint32_t seen[PTX_MAX_WARPS][PTX_MAX_WARPS], floor[PTX_MAX_WARPS];

    /* The same among the blocks of a launch. */
    uint32_t tag, tag_base;
    uint32_t many_tag; /* the run's, once this block's segment is among its readers; else 0 */
    uint32_t *seen_blocks, *fenced, *observed; /* NULL until needed, of n_blocks each */
};

/* What a tag stands for. */
struct ptx_segment {
    uint32_t block, time; /* PTX_MANY_BLOCKS for bytes that several read */
    uint32_t *readers;    /* of each block its time plus 1, or 0; NULL: none */
};

struct ptx_run {
    const struct ptx_launch *launch;
    const struct ptx_function *kernel;
    struct ptx_memory *memory;
    struct error *err;
    enum ptx_fault fault;
    jmp_buf stop;
    unsigned n_blocks, n_threads;
    uint64_t n_run;
    struct ptx_block *blocks; /* those that are resident */
    unsigned n_resident;
    struct ptx_segment *segments; /* of tags behind those of the blocks' beginnings */
    size_t n_segments, cap_segments;
    struct ptx_segment first_many;
    uint32_t clock, tag_base, many_tag;
    struct ptx_location *locations; /* that were released to */
    size_t n_locations, cap_locations;
    const uint8_t *params;
};

/* The lanes' values in a slot. */
static inline void *ptx_reg(const struct ptx_warp *w, int32_t slot)
{
    return slot >= 0 ? w->regs + slot : (uint8_t *)(uintptr_t)w->pool + ~slot;
}

static inline uint32_t ptx_pred(const struct ptx_warp *w, int32_t slot)
{
    uint32_t mask;
    memcpy(&mask, ptx_reg(w, slot), sizeof mask);
    return mask;
}

/* Sets the bits of a predicate that lie in mask. */
static inline void ptx_set_pred(struct ptx_warp *w, int32_t slot, uint32_t bits, uint32_t mask)
{
    if (slot == PTX_NO_SLOT)
        return;
    uint32_t *p = ptx_reg(w, slot);
    *p = (*p & ~mask) | (bits & mask);
}

/* Stores the lanes of mask; from[] has elements of n_bytes. */
void ptx_store_lanes(void *to, const void *from, unsigned n_bytes, uint32_t mask);

/* Ends the launch with a sentence that begins with kernel, block, thread and instruction. */
_Noreturn void ptx_stop(struct ptx_warp *w, int lane, enum ptx_fault fault, const char *fmt, ...)
    ERROR_PRINTF(4, 5);

/* Lanes that are not active any more stay where lane_pc says until the warp is put together. */
static inline void ptx_regroup(struct ptx_warp *w)
{
    w->stop_pc = 0;
}

/* The local memory of a lane. */
static inline uint8_t *ptx_local(const struct ptx_warp *w, int lane)
{
    return w->block->local + ((size_t)w->index * PTX_LANES + (size_t)lane) *
                                 w->block->run->kernel->module->local_bytes;
}

/* All of the lanes that `named` has, and no others, must be here (ptx_control.c). */
bool ptx_need_lanes(struct ptx_warp *w, uint32_t mask, uint32_t named);
/* The instruction is tried again when others have come to it. */
void ptx_hold(struct ptx_warp *w, uint32_t mask);

static inline int ptx_first_lane(uint32_t mask)
{
    return __builtin_ctz(mask);
}

#endif
