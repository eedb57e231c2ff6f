/*
 * lower.h: what <op>_lower works on.
 *
 * For most operators the caller has added one buffer per present input and output to l->kernel;
 * lower appends statements to the kernel's body.  Several nodes of a region are lowered one after
 * the other into the same kernel.  For operators with OP_CONTROL l->kernel is NULL, and lower
 * appends to the program tree through l->program.
 */
#ifndef SHEAF_IR_LOWER_H
#define SHEAF_IR_LOWER_H

#include "ir/graph.h"
#include "ir/kernel.h"

struct program_builder;

struct lower {
    struct kernel *kernel;
    const struct node *node;
    const int *in;                   /* buffer of each input, -1 where left out */
    const int *out;                  /* buffer of each output, -1 where left out */
    struct program_builder *program; /* OP_CONTROL only */
};

/* The program-tree side, for OP_CONTROL (ir/program_build.c). */
void lower_if(struct lower *l);
void lower_loop(struct lower *l);

#endif
