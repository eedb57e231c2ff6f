/*
 * quantizer.h: what the files of quantize_graph share.
 *
 * Some words.  A value is *integer* where Q and DQ stand behind it; whoever reads it then reads the
 * DQ.  A *chain* is a node and those behind it that work on its unrounded result: a contraction, an
 * addition, an activation; the values between them are *inner* and get no pair.  A node *moves*
 * where it only moves or selects values (QUANT_SAME) and continues no chain: its outputs have the
 * parameters of its input.
 */
#ifndef SHEAF_IR_QUANTIZE_QUANTIZER_H
#define SHEAF_IR_QUANTIZE_QUANTIZER_H

#include "ir/quantize/quantize.h"

#define NO_POSITION SIZE_MAX

/* What a chain holds up to a node; CHAIN_NONE where the node has no unrounded result. */
enum chain { CHAIN_NONE, CHAIN_SUM, CHAIN_ADDED, CHAIN_ACTIVATED };

struct value_plan {
    size_t maker, last_user; /* positions in the body, or NO_POSITION */
    bool inner;
    bool wanted;              /* a quantized node reads it as integers */
    bool integer;             /* has a pair */
    bool read_signed;         /* as second operand of a product, or from outside; in that case... */
    bool read_other;          /* ..nobody else may read it */
    const struct value *like; /* whose parameters and type it takes; NULL: its own */
    struct quant quant;       /* of an integer value, for the type of quantizer_type */
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
    bool chosen; /* as in the report */
    enum chain chain;
    const char *reason;          /* why it cannot */
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

/* Input i is float data that the node works on, rather than a parameter such as a bound. */
bool quantizer_is_data(const struct node *n, size_t i);
/* The node has one operand that varies and otherwise scalar constants: a function of one number. */
bool quantizer_is_function(const struct node *n);
/* The node can be quantized and moves. */
bool quantizer_moves(const struct quantizer *q, size_t at);
bool quantizer_is_constant(const struct value *v);

/* keep.c: the node's kind or name is among those. */
bool quantize_is_kept(const struct quantize_keep *keep, const struct node *n);

/* judge.c: which nodes can be quantized, and which stand in chains. */
void quantizer_judge(struct quantizer *q);
/* The range of a value, from the profile or from what it is moved from. */
bool quantizer_range(const struct quantizer *q, const struct value *v, double *out_min,
                     double *out_max);

/* params.c: which values become integers, with which parameters. */
void quantizer_choose(struct quantizer *q);
/* Of the integers of a value that has a pair. */
enum dtype quantizer_type(const struct quantizer *q, const struct value *v);
struct quant quantizer_params(const struct quantizer *q, enum dtype type, double min, double max);

/* weights.c */
void quantizer_plan_weights(struct quantizer *q, size_t at);
/* Constants of a contraction, and constants added to its sums, become integers. */
void quantizer_insert_weights(struct quantizer *q, size_t at);

/* insert.c */
void quantizer_insert(struct quantizer *q);
/* real = (stored - zero_point) * scale, one scale or one per index of `axis`. */
struct integers {
    const struct tensor *stored;
    const float *scale;
    int64_t n_scales;
    int axis;
    int32_t zero_point;
};
/* Input i of the node, a constant, gives way to these with a DQ behind them. */
void quantizer_set_constant(struct quantizer *q, struct node *n, size_t i,
                            const struct integers *integers);

#endif
