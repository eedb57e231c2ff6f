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
    int *buf_of;             /* per value: its buffer, -1 where it has none yet */
    struct steps *steps;     /* where steps are appended */
    int *item_in, *item_out; /* of a network that is run item by item: the client's inputs and
                                outputs */
    int n_items;             /* how many there are */
};

/* A plain activation without extents or value. */
int program_add_buf(struct program_builder *b, const char *name, enum dtype dtype, int rank,
                    const int64_t *dims);
/* The buffer of a value, made on first use. */
int program_buf_of(struct program_builder *b, const struct value *v);
/* The buffer whose storage `buf` uses: itself, or what it is a view of. */

struct step *program_add_step(struct program_builder *b, enum step_kind kind, const char *name);
/* Ids in depth-first order from `next` on; returns the one behind the last. */
uint32_t program_number_steps(struct steps *steps, uint32_t next);
/* Appends the nodes of a graph's block to `steps`. */
void program_build_block(struct program_builder *b, struct steps *steps, const struct block *block);
/* Appends a kernel that copies all elements; `to` has the extents of `from`. */
void program_copy(struct program_builder *b, int from, int to);
/* A small kernel of the builder's own: begun, its buffers added, ended once its body is there. */
struct step *program_call_begin(struct program_builder *b, const char *name);
/* The number in the kernel of program buffer `buf`, added with its extents on first use; *cap
   starts at 0. */
int program_call_arg(struct program_builder *b, struct step *s, size_t *cap, int buf,
                     enum kbuf_role role);
void program_call_end(struct step *s);

/* program_items.c: what the client has of a network that is run item by item. */
void program_items_begin(struct program_builder *b); /* before all else */
void program_items_run(struct program_builder *b);   /* the steps */

/* program_bind.c: states take their new content; after all steps. */
void program_bind(struct program_builder *b);

#endif
