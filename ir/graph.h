/*
 * graph.h: the network as operators and values.
 *
 * A graph owns values and blocks of nodes.  A block is a list of nodes in topological order with
 * its inputs and outputs; the graph's body is one, and If and Loop nodes hold further ones, which
 * may use values of the blocks around them directly.  Every value has one producer: a node, or the
 * block whose input it is, or none (constant, state).
 *
 * A shape is a bound plus an extent: dims[d] is the bound that storage is made for, and where
 * extent[d] is not NULL the true extent is known only at run time and is held by that value (an
 * i64 scalar).  Such a tensor is dense at its true extents.
 *
 * Everything lies in the graph's arena.  The text form (graph_print, graph_parse) is exact:
 * parse(print(g)) equals g.
 */
#ifndef SHEAF_IR_GRAPH_H
#define SHEAF_IR_GRAPH_H

#include "ir/arena.h"
#include "ir/error.h"
#include "ir/layout.h"
#include "ir/strbuf.h"
#include "ir/tensor.h"

struct node;
struct value;
struct block;

struct shape {
    int rank;
    int64_t dims[MAX_RANK];
    struct value *extent[MAX_RANK]; /* NULL: dims[d] is the extent */
};

/* real = (stored - zero_point) * scale; scale 0: not quantized. */
struct quant {
    float scale;
    int32_t zero_point;
};

enum value_role {
    VALUE_TEMP,  /* produced by a node */
    VALUE_INPUT, /* input of the graph's body, filled by the client */
    VALUE_ARG,   /* input of an inner block, filled by the node that holds the block */
    VALUE_CONST, /* `constant` holds the data */
    VALUE_STATE  /* lives in the mutable area across calls */
};

struct value {
    uint32_t id;      /* position in graph->values */
    const char *name; /* as in the model; unique in the graph */
    enum dtype dtype; /* DTYPE_NONE until inferred */
    struct shape shape;
    struct layout layout; /* of storage; plain until choose_layout */
    struct quant quant;
    enum value_role role;
    const struct tensor *constant; /* VALUE_CONST only */
    struct node *producer;         /* VALUE_TEMP only */
    uint32_t n_uses;               /* valid after graph_count_uses */
    uint32_t last_suffix;          /* that another value got, which wanted the same name */
    bool dropped;                  /* graph_sweep removes it */
};

#include "ir/ops.h"

struct node {
    enum op op;
    const char *name; /* as in the model, or made from the first output's name */
    size_t n_in, n_out;
    struct value **in;  /* NULL entry: optional input left out */
    struct value **out; /* NULL entry: optional output left out */
    void *attrs;        /* struct <op>_attrs */
    size_t n_blocks;
    struct block **blocks; /* If: then, else; Loop: body */
    uint32_t region; /* nodes of one region lie side by side and become one kernel; 0: alone */
    bool on_host;    /* of a device's network: the host computes it (pass_place_nodes) */
};

struct block {
    struct node **nodes;
    size_t n_nodes, cap_nodes;
    struct value **in;
    size_t n_in, cap_in;
    struct value **out;
    size_t n_out, cap_out;
};

/* Output `out` of a call is input `in` of the next one. */
struct graph_binding {
    size_t out, in; /* positions among the body's */
};

struct graph {
    struct arena *arena;
    const char *name;
    const char *source; /* file that it came from, for messages */
    struct value **values;
    size_t n_values, cap_values;
    struct block body;
    struct graph_binding *bindings; /* of inputs to become state; an input occurs once */
    size_t n_bindings, cap_bindings;
    /* The graph is of one item; the client has 1 to max_items of them, one behind the other along
       the first dimension (which is 1 here) of all inputs and outputs, and says how many in an
       input of that name.  0: no such thing. */
    int64_t max_items;
    const char *items;
    uint32_t n_regions;
    struct graph_names *names; /* index of values by name (graph.c) */
};

struct graph *graph_create(struct arena *arena, const char *name);
struct block *graph_add_block(struct graph *g);

/* Names: "" or NULL makes one up; a name that exists already is made unique by a suffix. */
struct value *graph_add_value(struct graph *g, const char *name, enum value_role role);
struct value *graph_add_input(struct graph *g, const char *name, enum dtype dtype, int rank,
                              const int64_t *dims);
struct value *graph_add_constant(struct graph *g, const char *name, const struct tensor *t);
struct value *graph_add_state(struct graph *g, const char *name, enum dtype dtype, int rank,
                              const int64_t *dims);
void block_add_input(struct graph *g, struct block *b, struct value *v);
void block_add_output(struct graph *g, struct block *b, struct value *v);
struct value *graph_find_value(const struct graph *g, const char *name);
/* Takes the name over: a value that bore it gets another one, made of it. */
void graph_rename_value(struct graph *g, struct value *v, const char *name);

/*
 * Appends a node to the block, with room for its inputs and outputs and attributes at their
 * defaults.  Outputs are created by graph_node_output or assigned; then graph_infer_node sets their
 * types and shapes.
 */
struct node *graph_add_node(struct graph *g, struct block *b, enum op op, const char *name,
                            size_t n_in, size_t n_out);
/* The same, but inserted before position `at` of the block's nodes. */
struct node *graph_insert_node(struct graph *g, struct block *b, size_t at, enum op op,
                               const char *name, size_t n_in, size_t n_out);
struct value *graph_node_output(struct graph *g, struct node *n, size_t i, const char *name);

/* Types and shapes of the node's outputs from its inputs and attributes, after a check of the
   number of inputs and outputs.  The sentence of an error starts with the graph's source and the
   node's name; <op>_infer adds the fault alone. */
bool graph_infer_node(struct graph *g, struct node *n, struct error *err);
bool graph_infer_block(struct graph *g, struct block *b, struct error *err);
bool graph_infer(struct graph *g, struct error *err); /* every node, in order */

/* NULL is none. */
bool value_is_constant(const struct value *v);
/* Nothing produces the value any longer; `t` holds its data. */
void value_become_constant(struct value *v, const struct tensor *t);
/* The value that it shows through views such as Identity; itself where there are none. */
const struct value *value_behind_views(const struct value *v);
/* Whether it is known to be true, or another number but 0. */
bool value_is_true(const struct value *v);
/* Whether all inputs are constant, those that are left out aside. */
bool node_reads_constants(const struct node *n);

bool graph_is_output(const struct graph *g, const struct value *v);
/* Input or output i of the body is bound to the other. */
bool graph_is_bound_input(const struct graph *g, size_t i);
bool graph_is_bound_output(const struct graph *g, size_t i);
/* Every use of `from` (node inputs, block outputs, extents of shapes) becomes `to`. */
void graph_replace_uses(struct graph *g, struct value *from, struct value *to);
void graph_count_uses(struct graph *g); /* sets n_uses of every value; outputs count as a use */
/* Removes nodes whose op was set to OP_NONE from all blocks, and the values that only they produced
   (with those of their blocks) from the graph; ids are numbered anew. */
void graph_sweep(struct graph *g);
/* Marks a value that nothing uses, so that the next graph_sweep removes it from the graph. */
void graph_drop_value(struct graph *g, struct value *v);
/* Calls fn on every block, outer before inner. */
void graph_each_block(struct graph *g, void (*fn)(struct graph *, struct block *, void *),
                      void *arg);

int64_t shape_elems(const struct shape *s); /* of the bounds */
bool shape_is_static(const struct shape *s);
bool shape_equal(const struct shape *a, const struct shape *b); /* bounds and extents */
struct shape shape_of_dims(int rank, const int64_t *dims);
const char *shape_print(const struct shape *s, struct arena *a); /* "[1,64,56,56]" */

/* graph_text.c, graph_parse.c, graph_dot.c */
void graph_print(const struct graph *g, struct strbuf *out);
/* For reading: as graph_print without the content of larger constants; cannot be parsed. */
void graph_print_brief(const struct graph *g, struct strbuf *out);
struct graph *graph_parse(struct arena *arena, const char *text, struct error *err);
void graph_print_dot(const struct graph *g, struct strbuf *out);

/* graph_validate.c: checks every rule above; asserts nothing, so that tests can feed it wrong
   graphs.  After a pass a failure is a bug of the pass. */
bool graph_validate(const struct graph *g, struct error *err);

#endif
