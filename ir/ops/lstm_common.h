/*
 * lstm_common.h: sizes, attributes and activations of LSTM (lstm.c builds the kernel).
 */
#ifndef SHEAF_IR_OPS_LSTM_COMMON_H
#define SHEAF_IR_OPS_LSTM_COMMON_H

#include "ir/ops/common.h"

enum { LSTM_X, LSTM_W, LSTM_R, LSTM_B, LSTM_LENS, LSTM_INIT_H, LSTM_INIT_C, LSTM_P };
enum { LSTM_Y, LSTM_Y_H, LSTM_Y_C };

struct lstm_activation {
    int kind; /* row of the table in lstm_common.c */
    float alpha, beta;
};

struct lstm {
    int64_t steps, batch, inputs, hidden, directions;
    bool first_reverse;                   /* direction 0 runs backwards */
    bool batch_first;                     /* layout 1 */
    bool input_forget;                    /* forget gate = 1 - input gate */
    float clip;                           /* 0: none */
    struct lstm_activation activation[6]; /* f, g, h of each direction */
};

/* Checks shapes and attributes. */
bool lstm_plan(const struct node *n, struct lstm *out, struct error *err);
kval lstm_activation(struct kernel *k, const struct lstm_activation *a, kval x);

#endif
