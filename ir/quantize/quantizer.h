/*
 * quantizer.h: what the files of quantize_graph share.
 *
 * Some words.  A value is *integer* where Q and DQ stand behind it; whoever reads it then reads the
 * DQ.  A value is *inner* where its only user works on what it is before rounding, so that it gets
 * no pair; a value that is read and not inner is a *leaf*.  A node *moves* where it only moves or
 * selects values (QUANT_SAME) and has nothing inner beside it: its outputs have the parameters of
 * its input.
 *
 * Two things can be made of nodes with inner values between them (pass lower_quantized):
 *   - *terms*: one rescaled sum of products, sums and leaves, clips within;
 *   - a *table*, where all are functions of the same single leaf, element by element.
 */
#ifndef SHEAF_IR_QUANTIZE_QUANTIZER_H
#define SHEAF_IR_QUANTIZE_QUANTIZER_H

#include "ir/quantize/forms.h"
#include "ir/quantize/quantize.h"

#define NO_POSITION SIZE_MAX

struct value_plan {
    size_t maker, last_user; /* positions in the body, or NO_POSITION */
    bool inner;
    bool wanted;              /* a quantized node reads it as integers */
    bool integer;             /* has a pair */
    const struct value *like; /* whose parameters it takes; NULL: its own */
    struct quant quant;       /* of an integer value */
};

/* What the result of a node is, back to the leaves. */
struct expression {
    bool terms;
    bool sums;  /* has 32-bit sums in it, of a contraction or mean */
    bool clips; /* has clips in it */
    int n_leaves;
    const struct value *leaf; /* of which it is a table; NULL: it is none */
};

/* Scales of a contraction: one, or one per output channel. */
struct weight_plan {
    size_t operand; /* which input holds the weights; 2 where both vary */
    int axis;       /* of the weights, along which the channels run; -1: one scale */
    int64_t n;      /* scales */
    float *scale;   /* of the weights */
    float *sum;     /* of the sums */
};

struct node_plan {
    bool relevant; /* the report has a line for it */
    bool can;      /* nothing keeps it from being quantized */
    bool quantized;
    bool chosen;        /* as in the report */
    const char *reason; /* why it cannot */
    struct expression expression;
    struct weight_plan *weights; /* of a contraction that is quantized */
};

struct quantizer {
    struct graph *g;
    const struct profile *profile;
    const struct quantize_options *opt;
    struct arena *scratch;
    struct node **nodes; /* the body before anything is inserted */
    struct node_plan *node;
    size_t n_nodes;
    struct value_plan *value; /* by id, of the values before anything is inserted */
    size_t n_values;
};

/* ---- nodes.c ---- */

bool quantizer_is_scalar(const struct value *v); /* a constant of one element */
/* Input i is float data that the node works on, rather than a parameter such as a bound. */
bool quantizer_is_data(const struct node *n, size_t i);
/* Data that is not constant. */
bool quantizer_varies(const struct node *n, size_t i);
size_t quantizer_n_varying(const struct node *n);
bool quantizer_has_inner(const struct quantizer *q, const struct node *n); /* input */
bool quantizer_is_contraction(const struct node *n);
/* The dimension of an operand of a contraction along which the outputs run; -1: there is none. */
int quantizer_output_axis(const struct node *n, size_t operand);
bool quantizer_makes_sums(const struct node *n); /* a contraction or a mean */
bool quantizer_moves(const struct quantizer *q, size_t at);
/* The range of a value, from the profile, its content or what it is moved from. */
bool quantizer_range(const struct quantizer *q, const struct value *v, double *out_min,
                     double *out_max);

/* ---- judge.c: which nodes can be quantized ---- */
void quantizer_judge(struct quantizer *q);
/* Which input has no range, as a reason; NULL: all have one. */
const char *quantizer_fault_of_inputs(struct quantizer *q, const struct node *n);

/* ---- expressions.c: which results are inner ---- */
struct expression quantizer_expression(const struct quantizer *q, const struct node *n);
/* Makes the result of the node, whose expression is set, inner where its user can take it. */
void quantizer_pass_on(struct quantizer *q, size_t at);

/* ---- params.c: which values become integers, with which parameters ---- */
void quantizer_choose(struct quantizer *q);

/* ---- weights.c ---- */
void quantizer_plan_weights(struct quantizer *q, size_t at);
/* Constants of a contraction become integers. */
void quantizer_insert_weights(struct quantizer *q, size_t at);

/* ---- insert.c ---- */

void quantizer_insert(struct quantizer *q);
/* real = stored * scale, one scale or one per index of `axis`. */
struct integers {
    const struct tensor *stored;
    const float *scale;
    int64_t n_scales;
    int axis; /* -1: one scale */
};
/* Input i of the node, a constant, gives way to these with a DQ behind them. */
void quantizer_set_constant(struct quantizer *q, struct node *n, size_t i,
                            const struct integers *integers);

#endif
