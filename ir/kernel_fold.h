/*
 * kernel_fold.h: what an instruction comes to, told from its operands; shared by the builder and
 * kernel_simplify.
 */
#ifndef SHEAF_IR_KERNEL_FOLD_H
#define SHEAF_IR_KERNEL_FOLD_H

#include "ir/kernel_scalar.h"

struct kernel_fold {
    kval same; /* the operand that it equals, else 0 */
    bool is_const;
    union kscalar value;
};

struct kernel_fold kernel_raw_fold(const struct kernel *k, enum kop op, enum dtype type, int n_args,
                                   const kval *args);

/* Makes v a constant of its type.  A NaN has neither sign nor payload. */
void kernel_raw_set_const(struct kernel *k, kval v, union kscalar value);

/* The value of a CONST. */
bool kernel_raw_const(const struct kernel *k, kval v, union kscalar *out);

#endif
