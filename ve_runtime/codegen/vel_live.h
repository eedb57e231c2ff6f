/*
 * vel_live.h: which of a function's vectors are used again, and how soon.
 *
 * Vectors are the instructions that give <256 x double>, or, where masks are asked for, those that
 * give <256 x i1>.  What an operand of a phi reads, it reads at the end of the block that it comes
 * from.
 */
#ifndef SHEAF_VE_VEL_LIVE_H
#define SHEAF_VE_VEL_LIVE_H

#include "ve_runtime/codegen/vel.h"

enum {
    LIVE_NONE = -1,
    /* A way out of a loop is long: what is used behind it is used late. */
    LIVE_LOOP = 1 << 20
};
#define LIVE_NEVER UINT32_MAX

struct live_name;

struct live {
    struct arena *a;
    bool masks;               /* vectors are masks */
    LLVMBasicBlockRef *block; /* in the function's order */
    int *depth;               /* by block: of loops around it */
    bool *goes_back;          /* by block: to one that it is in a loop of */
    int n_blocks;
    LLVMValueRef *value; /* vectors, in the function's order */
    int *home;           /* by value: the block that it is defined in */
    unsigned *lanes;     /* by value: that are read */
    int n;
    struct live_name *name; /* blocks and values by address */
    /* By block and value: instructions from the block's start, and behind its end, to the next
       use. */
    uint32_t **next_in, **next_out;
};

void live_init(struct live *l, struct arena *a, LLVMValueRef fn, bool masks);
bool live_is_vector(LLVMValueRef v, bool mask); /* that an instruction gives */
/* The number of a vector, LIVE_NONE: it is none; of a block. */
int live_value(const struct live *l, LLVMValueRef v);
int live_block(const struct live *l, LLVMBasicBlockRef block);
/* The distance to a use from so many instructions before; it never becomes LIVE_NEVER. */
uint32_t live_farther(uint32_t next, uint32_t by);
LLVMValueRef live_first(LLVMBasicBlockRef block); /* instruction that is no phi */

#endif
