/*
 * recurrent.h: what LSTM, GRU and RNN share: sizes, attributes, activations, and the parts of the
 * kernel that are the same.
 *
 * Per direction: the contribution of all inputs, x W^T and biases, is one contraction before the
 * loop over time; a round adds h R^T and updates the state, which lies in local buffers.
 *
 * With sequence_lens a batch entry stops after its length: its outputs are 0 from there, its state
 * stays, and the reverse direction begins at its last element.
 *
 * Where steps or batch are known only at run time, local buffers are made for the bounds, and x is
 * copied into one, zeros behind its end: contractions run over the bounds, all else over what there
 * is.
 */
#ifndef SHEAF_IR_OPS_RECURRENT_H
#define SHEAF_IR_OPS_RECURRENT_H

#include "ir/ops/common.h"

/* Inputs and outputs; those of the cell's state, and P, are LSTM's alone. */
enum { RNN_X, RNN_W, RNN_R, RNN_B, RNN_LENS, RNN_INIT_H, RNN_INIT_C, RNN_P };
enum { RNN_Y, RNN_Y_H, RNN_Y_C };

struct recurrent_activation {
    int kind; /* row of the table in recurrent.c */
    float alpha, beta;
};

enum { RECURRENT_MAX_ACTIVATIONS = 3 };

/* What an operator is, and its attributes. */
struct recurrent_spec {
    int gates, activations;      /* of one direction */
    const char *const *defaults; /* names of the activations */
    struct attr_floats activation_alpha, activation_beta;
    struct attr_strings names;
    float clip;
    const char *direction;
    int64_t hidden_size, layout;
};

#define RECURRENT_SPEC(a, n_gates, n_activations, default_names)                                   \
    ((struct recurrent_spec){(n_gates), (n_activations), (default_names), (a)->activation_alpha,   \
                             (a)->activation_beta, (a)->activations, (a)->clip, (a)->direction,    \
                             (a)->hidden_size, (a)->layout})

struct recurrent {
    int gates, activations;
    enum dtype type;                                  /* that is computed in */
    int64_t steps, batch, inputs, hidden, directions; /* steps, batch: bounds */
    bool first_reverse;                               /* direction 0 runs backwards */
    bool batch_first;                                 /* layout 1 */
    float clip;                                       /* 0: none */
    struct recurrent_activation activation[2 * RECURRENT_MAX_ACTIVATIONS];
};

/* Checks types, shapes and attributes. */
bool recurrent_plan(const struct node *n, const struct recurrent_spec *spec, struct recurrent *out,
                    struct error *err);
/* The same, and sets the outputs. */
bool recurrent_infer(struct node *n, const struct recurrent_spec *spec, struct error *err);

/* ---- lower ---- */

/* One direction: its number, and buffers made for it. */
struct recurrent_direction {
    struct lower *l;
    const struct recurrent *p;
    int64_t d;
    bool reverse;
    kval steps, batch; /* true extents */
    int x;
    int inputs; /* [steps, batch, gates hidden]: x W^T + biases */
    int gates;  /* [batch, gates hidden] */
    int h;      /* [batch, hidden] */
};

/* Input x as contractions read it. */
int recurrent_input(struct lower *l, const struct recurrent *p);
/* The direction, its buffers, and h at its start; `x` from recurrent_input. */
void recurrent_begin(struct lower *l, const struct recurrent *p, int x, int64_t d,
                     struct recurrent_direction *out);
/* One point per element of a state that there is. */
void recurrent_map_begin(const struct recurrent_direction *at, kval *out_index);
/* A local buffer like h, and its content: input `i`, or 0 where that is left out. */
int recurrent_state(const struct recurrent_direction *at, const char *name, size_t i);
/* Output `i` takes the last state. */
void recurrent_end(const struct recurrent_direction *at, size_t i, int state);

/* inputs of `count` gates from `first` on: x W^T + Wb, and with `recurrent_bias` + Rb. */
void recurrent_contract_inputs(const struct recurrent_direction *at, int first, int count,
                               bool recurrent_bias);
/* gates[.., first ..] = from R^T of these gates, plus inputs at the round's time, or with
   `recurrent_bias` plus Rb. */
void recurrent_contract_state(const struct recurrent_direction *at, kval round, int from, int first,
                              int count, bool recurrent_bias);

/* Element [d, i] of a parameter. */
kval recurrent_parameter(const struct recurrent_direction *at, size_t input, kval i);
/* Gate `gate` of element idx [batch, hidden], from a buffer of gates [.., gates hidden]. */
kval recurrent_gate(const struct recurrent_direction *at, int gate, const kval *idx);
kval recurrent_clip(const struct recurrent_direction *at, kval v);
/* Activation `which` of the direction. */
kval recurrent_activate(const struct recurrent_direction *at, int which, kval x);
/* The time that round `round` handles. */
kval recurrent_time(const struct recurrent_direction *at, kval round, kval b);
/* Whether the round still belongs to batch entry b; 0: always. */
kval recurrent_active(const struct recurrent_direction *at, kval round, kval b);
/* h at idx becomes v, and so does output Y, where the round belongs to the batch entry. */
void recurrent_store(const struct recurrent_direction *at, kval round, const kval *idx, kval v);

#endif
