/*
 * dot.h: the instructions that multiply bytes, or floats of 16 bits, and add the products up in 32
 * bits, as a table: which processors have them, what they take, what a step with them costs.
 */
#ifndef SHEAF_DOT_H
#define SHEAF_DOT_H

#include "ir/target.h"

/* Registers beside those for the sums, and what a sum takes. */
struct dot_registers {
    int all; /* of the kind that counts; 0: the vector registers, -1: the general ones */
    int per_sum, per_vector, per_row; /* vector: of B */
    int per_fewer;                    /* per row or per vector, whichever are fewer */
    int spare;
};

/* Instructions of a step for every product, every row of A and every vector of B, beside the loads
   that run at the same time; and how many of them run in a cycle. */
struct dot_cost {
    double product, row, vector, per_cycle;
    double starts;  /* instructions, loads among them, that start in a cycle; 0: so many as to be no
                       bound */
    double begin;   /* cycles from one step to the next besides; 0: about one, for the loop */
    double latency; /* cycles until a vector of B is there, where it is loaded some steps ahead */
    double bytes;   /* of B that come in a cycle; 0: those of a second-level cache */
};

struct dot_kind {
    enum schedule_dot dot;
    enum dtype floats;  /* the operands; DTYPE_NONE: they are bytes */
    int group;          /* K values in a product, side by side in packed B */
    int at_once;        /* groups of A that one load brings, of which products take a lane each */
    bool only_adds;     /* the product is a value of its own, which is added */
    bool takes_number;  /* of A, and a vector of B */
    const char *second; /* of floats: LLVM's intrinsic for the odd or upper columns, where `product`
                           is for the even or lower ones; DOT_PAIRS: what adds the two sums up */
    const char *load8;  /* LLVM's intrinsic that loads eight bytes; NULL: a plain load */
    struct dot_registers regs;
    struct dot_cost cost;
};

struct dot {
    const char *arch;  /* what the triple starts with */
    const char *needs; /* features, "+a,+b" */
    const struct dot_kind *kind;
    int bytes;                 /* of a vector of sums */
    const char *product[2][2]; /* LLVM's intrinsic, by whether A's and B's bytes are signed; NULL:
                                  there is none; [0][0] of floats */
};

/* How an instruction is applied to bytes of given signs. */
struct dot_product {
    const char *name; /* NULL: it cannot be */
    bool exchanged;   /* B comes first */
    bool flipped;     /* bytes of A have their top bit flipped: signed ones become unsigned by
                         adding 128, unsigned ones signed by taking 128 off */
};

/* The best row behind `last`, of all where that is NULL, which the target has; NULL: none. */
const struct dot *dot_next(const struct target *t, const struct dot *last);
/* The row of a schedule's entry with operand A of this type, whose vectors may be shorter than the
 * best. */
const struct dot *dot_of(const struct target *t, const struct schedule_entry *e, enum dtype a);
/* What cost.product is for a vector of so many sums, where vectors may have any number. */
double dot_cost_of_product(const struct dot *d, int lanes);
struct dot_product dot_product_of(const struct dot *d, enum dtype a, enum dtype b);

#endif
