/*
 * program_build.h: shared by program_build.c (regions, buffers, steps) and program_control.c (If,
 * Loop); nobody else includes it.
 */
#ifndef SHEAF_IR_PROGRAM_BUILD_H
#define SHEAF_IR_PROGRAM_BUILD_H

#include "ir/lower.h"
#include "ir/program.h"

struct value_uses {
    uint32_t *count; /* per value: as input of nodes and output of blocks */
    bool *is_extent; /* per value: it measures some tensor */
};

struct program_builder {
    struct program *program;
    const struct graph *graph;
    struct value_uses uses;
    int *buf_of;         /* per value: its buffer, -1 where it has none yet */
    struct steps *steps; /* where steps are appended */
};

/* A plain activation without extents or value. */
int program_add_buf(struct program_builder *b, const char *name, enum dtype dtype, int rank,
                    const int64_t *dims);
/* The buffer of a value, made on first use. */
int program_buf_of(struct program_builder *b, const struct value *v);
/* The buffer whose storage `buf` uses: itself, or what it is a view of. */

struct step *program_add_step(struct program_builder *b, enum step_kind kind, const char *name);
/* Appends the nodes of a graph's block to `steps`. */
void program_build_block(struct program_builder *b, struct steps *steps, const struct block *block);
/* Appends a kernel that copies all elements; `to` has the extents of `from`. */
void program_copy(struct program_builder *b, int from, int to);

#endif
