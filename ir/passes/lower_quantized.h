/*
 * lower_quantized.h: shared by the files of the pass lower_quantized (lower_quantized_*.c); nobody
 * else includes it.
 *
 * The rules work on one node at a time.  A rule that fits puts new nodes before it, makes something
 * else of the node itself, so that its outputs keep names and users, and returns true; else it
 * leaves the graph as it is and returns false.
 */
#ifndef SHEAF_IR_PASSES_LOWER_QUANTIZED_H
#define SHEAF_IR_PASSES_LOWER_QUANTIZED_H

#include "ir/passes/passes.h"
#include "ir/quantize/forms.h"

/* What is known of a value. */
struct known {
    size_t position; /* of its producer among the block's nodes, where that is done with */
    int64_t bound;   /* the largest absolute value of a sum; 0: not recorded */
};

struct lowering {
    struct graph *g;
    struct block *b;
    size_t n_given; /* values with smaller ids are those of the model */
    size_t at;      /* position of the node in work; new nodes go before it */
    const struct pass_options *opt;
    struct arena scratch; /* until the next node */
    struct known *known;  /* by id of the value; later ones have none */
    size_t n_known, cap_known;
    bool changed;
};

static inline bool lq_fused(const struct lowering *l)
{
    return l->opt->qdq == QDQ_FUSED;
}

/* ---- operands: lower_quantized_operand.c ---- */

/* A float value held in integers: (stored - zero) * scale. */
struct operand {
    struct value *stored;
    const struct tensor *scale;
    const struct tensor *zero; /* NULL: 0 */
    int axis;                  /* where scale or zero have more than one element */
};

/* Whether the value is the dequantization of another, with constant parameters that are sound:
   scales finite and positive. */
bool lq_operand(const struct value *v, struct operand *out);
/* The same with one scale and zero point for the whole tensor. */
bool lq_tensor_operand(const struct value *v, struct operand *out, struct quant *out_quant);
/* Why it is none; NULL: it is. */
const char *lq_operand_obstacle(const struct value *v);
bool lq_is_per_tensor(const struct operand *o);
double lq_scale(const struct operand *o, int64_t channel);
int64_t lq_zero(const struct operand *o, int64_t channel);
/* Largest |stored - zero_point| of a type. */
int64_t lq_reach(enum dtype t, int64_t zero_point);
struct known *lq_known(struct lowering *l, const struct value *v);
/* Bound of a value: as recorded, or what its type holds. */
int64_t lq_bound(const struct lowering *l, const struct value *v);

/* Scale and zero point of a QuantizeLinear to 8 or 16 bits, one of each. */
bool lq_target(const struct node *q, struct quant *out);
/* What QuantizeLinear makes of x. */
int64_t lq_quantize(float x, const struct quant *q, enum dtype t);

/* Position of the producer among the nodes before the one in work; SIZE_MAX where it is none of
   these. */
size_t lq_position(const struct lowering *l, const struct value *v);
/* The node there is done with: no other will be put before it. */
void lq_set_position(struct lowering *l, size_t at);
/* All uses of the value are by QuantizeLinear nodes of this block. */
bool lq_is_only_quantized(const struct lowering *l, const struct value *v);

/* A constant of floats, given so, dequantized or otherwise computed from constants; NULL where it
   is none. */
const struct tensor *lq_float_constant(struct lowering *l, const struct value *v);
bool lq_is_narrow(enum dtype t); /* 8 or 16 bits */

/* ---- editing: lower_quantized_edit.c ---- */

/* A node before the one in work, and on the same processor. */
struct node *lq_insert(struct lowering *l, enum op op, const char *name, size_t n_in, size_t n_out);
/* The same; attributes may be set until lq_end infers it and gives its only
   output this name. */
struct node *lq_begin(struct lowering *l, enum op op, const char *name, size_t n_in,
                      struct value *const *in);
struct value *lq_end(struct lowering *l, struct node *n, const char *out_name);
struct value *lq_op(struct lowering *l, enum op op, size_t n_in, struct value *const *in,
                    const char *out_name);
/* The node becomes another one with default attributes; lq_became infers it. */
void lq_become(struct lowering *l, struct node *n, enum op op, size_t n_in,
               struct value *const *in);
void lq_became(struct lowering *l, struct node *n);
/* Who used `from` uses `to`; false where that cannot be (rewrite_replace). */
bool lq_replace(struct lowering *l, struct value *from, struct value *to);
/* The node computes nothing: its users take `x`, or it becomes an identity. */
void lq_bypass(struct lowering *l, struct node *n, struct value *x);
/* Removes the node, whose outputs nobody uses any more, and what only it used. */
void lq_kill(struct lowering *l, struct node *n);

struct value *lq_constant(struct lowering *l, const char *name, const struct tensor *t);
struct value *lq_scalar(struct lowering *l, const char *name, enum dtype t, int64_t v);
const char *lq_name(struct lowering *l, const struct value *v, const char *suffix);
/* A value of the pass's own making takes the name of a tensor of the model, which it now is. */
void lq_take_name(struct lowering *l, struct value *v, const struct value *from);
void lq_set_quant(struct lowering *l, struct value *v, const struct quant *q);
void lq_set_bound(struct lowering *l, const struct value *v, int64_t bound);

/* How a rescale is made. */
struct rescale_spec {
    enum dtype to;
    const int32_t *multiplier; /* n of them along axis, or one */
    const int *shift;          /* n_shift of them, or one */
    int64_t n, n_shift;
    int axis;
    int64_t x_zero, y_zero, bound;
    bool even;
};
struct value *lq_rescale(struct lowering *l, struct value *x, const struct rescale_spec *s,
                         const char *out_name);
void lq_become_rescale(struct lowering *l, struct node *n, struct value *x,
                       const struct rescale_spec *s);
/* x - x_zero + y_zero in another type, saturated. */
struct value *lq_shift_zero(struct lowering *l, struct value *x, int64_t x_zero, int64_t y_zero,
                            enum dtype to, const char *out_name);
/* The node becomes that, in its own type; |x - x_zero| <= bound (0: whatever the type holds). */
void lq_become_shifted(struct lowering *l, struct node *n, struct value *x, int64_t x_zero,
                       int64_t y_zero, int64_t bound);

/* Integer sums (i32, or i64) and what they mean: scale[n] along axis, n is 1 or the number of
   channels. */
struct sums {
    struct value *v;
    const double *scale;
    int64_t n;
    int axis;
    const struct tensor *late_bias; /* real; to be added to the floats; NULL: none */
};
/* What they mean, as floats; and the node becomes that. */
struct value *lq_dequantized(struct lowering *l, const struct sums *s, const char *out_name);
void lq_become_dequantized(struct lowering *l, struct node *n, const struct sums *s);

/* ---- before the rules: lower_quantized_bytes.c ---- */

/* In the whole graph. */
void lq_use_unsigned_bytes(struct lowering *l);

/* ---- rules ---- */

bool lq_lower_contraction(struct lowering *l, struct node *n);    /* lower_quantized_contract.c */
bool lq_lower_qlinear(struct lowering *l, struct node *n);        /* lower_quantized_contract.c */
bool lq_lower_pool(struct lowering *l, struct node *n);           /* lower_quantized_pool.c */
bool lq_move_dequantize_down(struct lowering *l, struct node *n); /* lower_quantized_move.c */
bool lq_move_weights(struct lowering *l, struct node *n);         /* lower_quantized_move.c */
bool lq_move_quantize_up(struct lowering *l, struct node *q);     /* lower_quantized_lift.c */
bool lq_lower_requantize(struct lowering *l, struct node *q);     /* lower_quantized_sum.c */
bool lq_lower_sum(struct lowering *l, struct node *q);            /* lower_quantized_sum.c */
bool lq_lower_table(struct lowering *l, struct node *q);          /* lower_quantized_table.c */

/* ---- why a node stays in float: lower_quantized_reason.c ---- */

/* Settles the notes of the block's nodes. */
void lq_settle(struct lowering *l, struct quantize_report *r);

/* Why the rules do not take a contraction, a mean, what a QuantizeLinear quantizes; NULL: they do.
 */
const char *lq_float_contraction_obstacle(struct lowering *l, const struct node *n);
const char *lq_mean_obstacle(struct lowering *l, const struct node *n);
const char *lq_sum_obstacle(struct lowering *l, const struct node *q);

/* ---- operators that move or choose values: lower_quantized_move.c ---- */

/* The constant that a Pad surrounds with; NULL where it is none, *out_given tells whether one is
   given. */
const struct tensor *lq_pad_value(const struct node *n, bool *out_given);
/* A scalar of x's type. */
struct value *lq_like(struct lowering *l, const struct value *x, const char *what, int64_t v);

/* ---- contractions with quantized operands, wherever their parameters stand ---- */

struct lq_weights;

struct contraction {
    enum op op; /* conv_integer or matmul_integer */
    struct operand x, w;
    size_t x_in, w_in;          /* positions of both in the sums' node: 0 and 1, or 1 and 0 */
    bool transposed;            /* w is [N,K] of a matrix product */
    double factor;              /* scale of the result beside those of x and w */
    const struct tensor *bias;  /* NULL: none */
    double bias_factor;         /* of a real bias */
    bool bias_is_sum;           /* it counts in units of the sums, else it is real */
    struct lq_weights *weights; /* set by lq_contraction_obstacle */
};

/* Why the sums cannot be made of integers; NULL: they can. */
const char *lq_contraction_obstacle(struct lowering *l, const struct node *n,
                                    struct contraction *c);

/* Appends the sums of a contraction without obstacle; n gives attributes, name and shape. */
struct sums lq_make_sums(struct lowering *l, const struct node *n, const struct contraction *c);

#endif
