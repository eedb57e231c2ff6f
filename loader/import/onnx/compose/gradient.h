/*
 * gradient.h: derivatives of nodes, shared by gradient.c, which walks back from a value
 * to those that it depends on, and gradient_rules.c, which has a rule per operator.
 */
#ifndef SHEAF_LOADER_IMPORT_ONNX_COMPOSE_GRADIENT_H
#define SHEAF_LOADER_IMPORT_ONNX_COMPOSE_GRADIENT_H

#include "loader/import/onnx/compose/compose.h"

struct gradient {
    struct onnx *o;
    const struct draft *d;
    size_t n_values;    /* those that there were before any derivative */
    bool *wanted;       /* by value: depends on what is differentiated by */
    struct value **sum; /* by value: the derivative by it, as far as it has been added up */
};

bool gradient_wanted(const struct gradient *g, const struct value *v);
/* Adds to the derivative by input i of the node, which `dx` may have to be summed to the shape of;
   false where dx is NULL, after a fault. */
bool gradient_add(struct gradient *g, const struct node *n, size_t i, struct value *dx);

/* Adds to the derivatives by the node's inputs, given that by its output. */
typedef bool gradient_rule(struct gradient *g, const struct node *n, struct value *dy);
gradient_rule *gradient_rule_of(enum op op); /* NULL: there is none */

/* dx over the dimensions that were broadcast added up to the shape. */
struct value *gradient_sum_to(struct gradient *g, struct value *dx, const struct shape *shape);

#endif
