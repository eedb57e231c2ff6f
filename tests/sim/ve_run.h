/*
 * ve_run.h: the functions of single instructions, by ve_decode.def.
 */
#ifndef SHEAF_TESTS_SIM_VE_RUN_H
#define SHEAF_TESTS_SIM_VE_RUN_H

#include "tests/sim/ve_insn.h"

#define VE_RUN(op, variant, form, name, function, class)                                           \
    void ve_run_##function(struct sim_ve_context *c, const struct ve_insn *in);
#define VE_SCALAR(op, variant, form, name, id, class, value)                                       \
    void ve_run_##id(struct sim_ve_context *c, const struct ve_insn *in);
#define VE_LANES(op, variant, form, name, id, class, to, from, value)                              \
    void ve_lanes_##id(uint64_t *x, const uint64_t *ys, const uint64_t *zs, const uint64_t *ws,    \
                       unsigned n, unsigned mode);
#include "tests/sim/ve_decode.def"
#undef VE_RUN
#undef VE_SCALAR
#undef VE_LANES

#endif
