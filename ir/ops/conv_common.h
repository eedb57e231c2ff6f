/*
 * conv_common.h: what conv, conv_integer and qlinear_conv share: shapes and the affine form of the
 * contraction.
 *
 * Iterations, outermost first: n, the group where there are several, the output channel within the
 * group, the output's spatial indices, the input channel within the group, the window's taps.
 */
#ifndef SHEAF_IR_OPS_CONV_COMMON_H
#define SHEAF_IR_OPS_CONV_COMMON_H

#include "ir/ops/window.h"

struct conv_geometry {
    struct window window;
    int64_t batch, groups, in_per_group, out_per_group;
};

/* `w`, `bias`: positions of these inputs of the node; input 0 is x.  Sets output 0's shape. */
bool conv_geometry(const struct node *n, const struct window_spec *spec, int64_t group, size_t w,
                   size_t bias, struct conv_geometry *out, struct error *err);
struct shape conv_output_shape(const struct conv_geometry *c);

struct conv_indices {
    kval n, group, channel; /* group: 0 where there is one only */
    kval out[WINDOW_MAX_DIMS];
};

/* Opens the contraction x * w; `pad` is what lies around x.  Prologues and epilogue follow. */
struct kcontract *conv_begin(struct lower *l, const struct conv_geometry *c, size_t w,
                             enum dtype acc, kval pad, struct conv_indices *out_indices);
/* The integer form: inputs and what lies around x, as x holds it; INT64_MIN: its zero point. */
struct conv_integer_inputs {
    size_t w, x_zero, w_zero;
    int64_t pad;
};
/* Checks types (all of `types`) and zero points: x's of one element, w's also per output channel;
   they may be left out. */
bool conv_integer_check(const struct node *n, const struct conv_integer_inputs *in, unsigned types,
                        struct error *err);
/* Opens the contraction with its prologues and its epilogue; returns the sum. */
kval conv_integer_begin(struct lower *l, const struct conv_geometry *c,
                        const struct conv_integer_inputs *in, struct conv_indices *out_indices);
/* Input i (where present) has one element or, with channels > 0, one per output channel. */
bool conv_check_parameter(const struct node *n, size_t i, int64_t channels, struct error *err);
kval conv_load_parameter(struct lower *l, size_t i, kval channel);
/* The output channel over all groups. */
kval conv_channel(struct kernel *k, const struct conv_geometry *c, const struct conv_indices *at);
/* Stores v to output 0 in the epilogue. */
void conv_store(struct lower *l, const struct conv_geometry *c, const struct conv_indices *at,
                kval channel, kval v);

#endif
