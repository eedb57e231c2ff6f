/*
 * program.h: a graph lowered to kernels: what the evaluator runs and a target emits.
 *
 * A program is a tree of steps over buffers.  Each buffer lies in one of the bundle's three areas
 * at the offset that the planner gave it.  Kernels are shared: calls whose kernels have the same
 * text (buffers' layouts and content-independent) run the same code.
 */
#ifndef SHEAF_IR_PROGRAM_H
#define SHEAF_IR_PROGRAM_H

#include "ir/graph.h"
#include "ir/kernel.h"

struct target;

enum area { AREA_CONSTANT, AREA_MUTABLE, AREA_ACTIVATION, AREA_COUNT };

enum { PROGRAM_ALIGNMENT = 64 };

struct pbuf {
    const char *name; /* the tensor's name in the model, or one made for scratch */
    enum dtype dtype;
    int rank;
    int64_t dims[MAX_RANK];
    int extent_buf[MAX_RANK]; /* -1, or the buffer with the true extent */
    struct layout layout;
    struct quant quant;
    enum area area;
    enum sheaf_role role;          /* of the client's tensors, wherever they lie; else constant */
    const struct tensor *constant; /* AREA_CONSTANT: logical content, packed by `layout` */
    const struct value *value;     /* of the graph, NULL for scratch */
    int view_of;    /* -1, or the buffer whose storage this one shares from offset 0 */
    bool unused;    /* a constant that is read in other layouts only: no storage */
    int64_t bytes;  /* storage, layout padding included */
    int64_t offset; /* in its area, after plan_program; a view's is its source's */
    /* Of a device's network: in the area that its host has for the steps that stay there; -1: none
       of these has to do with it. */
    int64_t host_offset;
};

enum step_kind { STEP_CALL, STEP_IF, STEP_LOOP };

struct steps {
    struct step **step;
    size_t n, cap;
};

struct step {
    enum step_kind kind;
    uint32_t id;      /* position in depth-first order; the planner's clock */
    const char *name; /* of the graph nodes it came from, "+"-joined */

    /* STEP_CALL: args[i] is the buffer for kernel->bufs[i], locals included */
    struct kernel *kernel;
    int *args;
    /* Of a device's network: the host runs it.  After plan_host: which buffers are copied from the
       device before, and which to it behind. */
    bool on_host;
    const int *fetched, *brought;
    size_t n_fetched, n_brought;

    /* STEP_IF: cond is a bool scalar; bodies[0] where true, bodies[1] where false.
       STEP_LOOP: runs bodies[0] for i = 0, 1, .. while i < trip (i64 scalar; -1: no bound) and cond
       holds (bool scalar, read before each round; -1: always); i is written to `index` (i64
       scalar) before each round and holds the number of rounds at the end. */
    int cond, trip, index;
    struct steps bodies[2];
};

struct program {
    struct arena *arena;
    const char *name;
    struct pbuf *bufs;
    size_t n_bufs, cap_bufs;
    struct steps body;
    uint32_t n_steps;               /* ids are below this */
    int64_t area_bytes[AREA_COUNT]; /* after plan_program */
    int64_t peak_live_bytes;        /* lower bound of the activations area */
    int64_t overlay_saved_bytes;    /* what plan_overlay_io saves */
    int64_t host_bytes;             /* of a device's host, after plan_host */
};

/*
 * Lowers every region of the graph (nodes with region 0 by themselves), fuses and simplifies the
 * kernels.  Buffers take the layouts of their values.  Constants that nothing uses get no buffer.
 */
struct program *program_build(struct arena *arena, const struct graph *g, struct error *err);

/* The kernel of the region that starts at b->nodes[first], of n nodes, as program_build makes it;
   bufs_of[i] receives the graph value of kernel buffer i (NULL for locals). */
struct kernel *program_lower_region(struct arena *arena, const struct graph *g,
                                    struct node *const *nodes, size_t n,
                                    const struct value ***out_bufs_of);

/*
 * For devices (program_prepare.c): contractions as the target wants them, see its prepare_contract.
 * Before program_split_phases.
 */
void program_prepare(struct program *p, const struct target *t);

/*
 * For devices (program_phases.c): a kernel that does several things in parallel, one after the
 * other, becomes several calls.  `least_work`: operations from which on a region is worth a call of
 * its own. Before schedules and plan.
 */
void program_split_phases(struct program *p, int64_t least_work);

/* The buffer whose storage `buf` uses: itself where it is no view. */
int program_storage_of(const struct program *p, int buf);
/* The buffer of a value of the graph; -1 where it has none. */
int program_find_value(const struct program *p, const struct value *v);

int64_t program_macs(const struct program *p); /* program_macs.c */

/* Calls fn for every step, depth first. */
void program_each_step(const struct steps *steps, void (*fn)(struct step *, void *), void *arg);
bool program_is_straight(const struct program *p); /* has no branches or loops */

/* Offsets of all buffers.  keep_all: no two activations share storage, so that every value can be
   inspected after a run. */
void plan_program(struct program *p, bool keep_all);

/* The same with inputs and outputs among the activations: an input is alive until it was read for
   the last time, an output from its first write on. */
void plan_overlay_io(struct program *p, bool keep_all);
/* Whether the buffer is an input or output among the activations. */
bool program_is_overlaid(const struct pbuf *b);

int64_t program_align_up(int64_t bytes); /* to PROGRAM_ALIGNMENT */

/* After plan_program, of a device's network: what the steps that stay on the host need there, and
   what is copied around them (plan_host.c). */
void plan_host(struct program *p, bool keep_all);

/* Programs of which one runs at a time on the same client's tensors: a network compiled for several
   processors. */
struct program_group {
    struct program **programs;
    size_t n;
};

/* Plans programs anew that plan_overlay_io planned one by one: in all of a group an input or output
   lies at the same place. */
void plan_overlay_group(const struct program_group *group);

/* Moves planned programs onto common areas (program_join.c).  together[i * n + k], which is
   symmetric: whether groups i and k may run at the same time.  NULL: each group has a mutable area
   and activations of its own, and only constants are common. */
void program_join(struct program_group *groups, size_t n, const bool *together, struct arena *a);

/* The initial content of the constants area, area_bytes[AREA_CONSTANT] bytes in the arena; or
   written into an area that programs share. */
const uint8_t *program_pack_constants(const struct program *p, struct arena *a);
void program_pack_into(const struct program *p, uint8_t *area);

void program_print(const struct program *p, struct strbuf *out); /* steps, buffers and plan */
bool program_validate(const struct program *p, struct error *err);

#endif
