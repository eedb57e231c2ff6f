/* arg.h: the order in which one element of a reduction that carries (value, index) beats another.
 */
#ifndef SHEAF_IR_OPS_ARG_H
#define SHEAF_IR_OPS_ARG_H

#include "ir/ops/common.h"

/* Whether a beats b, {value, index} each: the greater or, with `least`, the lesser value, NaN above
   all; of equal ones that of lower or, with `last`, of higher index. */
kval arg_beats(struct kernel *k, const kval *a, const kval *b, bool least, bool last);

#endif
