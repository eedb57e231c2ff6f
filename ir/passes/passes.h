/*
 * passes.h: what changes a graph before it is lowered.
 *
 * A pass works in place, allocates in the graph's arena and removes nothing from memory.  It says
 * in *out_changed whether it changed anything, and fails only where the model itself is at fault.
 * Most passes want types and shapes (graph_infer); fold_constants infers as it goes, so that a
 * shape which the model computes is known before it is needed: a graph may reach it without types.
 *
 * The order has three stages.  PASSES_CLEAN brings any model into one plain form, in which tensors
 * still bear the model's names: profiles are taken of it, and the quantizer (ir/quantize/) works on
 * it.  PASSES_INTERFACE puts what is around the network inside of it (ir/passes/interface.h).
 * PASSES_LOWER prepares what is left for lowering: which processor computes what, integers where
 * the graph quantizes, regions, layouts.
 */
#ifndef SHEAF_IR_PASSES_PASSES_H
#define SHEAF_IR_PASSES_PASSES_H

#include "ir/graph.h"
#include "ir/passes/interface.h"
#include "ir/target.h"

struct node_set;
struct quantize_report;

/* What becomes of QuantizeLinear and DequantizeLinear around an operator. */
enum qdq_mode {
    QDQ_FUSED, /* integer kernels wherever there are some; scales become fixed-point factors */
    QDQ_STRICT /* integer kernels only where they give the bits that ONNX states */
};

enum pass_stage { PASSES_CLEAN, PASSES_INTERFACE, PASSES_LOWER };

struct pass_options {
    enum pass_stage stage;       /* set by passes_run and its kin */
    const struct target *target; /* NULL: passes keep to what holds everywhere */
    enum qdq_mode qdq;
    const struct interface *interface; /* NULL: as the model has it */
    const struct node_set *host_nodes; /* of a device's network: stay on the host; NULL: none */
    struct quantize_report *report;    /* whose notes lower_quantized settles; NULL: none */
};

typedef bool pass_fn(struct graph *g, const struct pass_options *opt, bool *out_changed,
                     struct error *err);

pass_fn pass_fold_constants;
pass_fn pass_simplify;
pass_fn pass_merge_equal;
pass_fn pass_fold_batch_norm;
pass_fn pass_fold_preprocessing;
pass_fn pass_convert_io;
pass_fn pass_bind_state;
pass_fn pass_place_nodes;
pass_fn pass_lower_quantized;
pass_fn pass_form_regions;
pass_fn pass_choose_layout;

struct pass {
    const char *name;
    pass_fn *run;
    const char *doc; /* one line, for the manual */
};

/* Every pass once, ended by one without a name. */
extern const struct pass passes_table[];
const struct pass *pass_by_name(const char *name); /* NULL where there is none */

/* Called after each pass that ran. */
typedef void passes_observer(void *arg, const struct graph *g, const struct pass *pass,
                             bool changed);

/* The passes of a stage in their order, some more than once; the graph is validated after each. */
bool passes_run_stage(struct graph *g, enum pass_stage stage, const struct pass_options *opt,
                      struct error *err);
/* All stages. */
bool passes_run(struct graph *g, const struct pass_options *opt, struct error *err);
bool passes_run_observed(struct graph *g, const struct pass_options *opt, passes_observer *observer,
                         void *arg, struct error *err);

#endif
