/*
 * The passes and the order in which they run.
 */
#include "ir/passes/passes.h"

#include <string.h>

const struct pass passes_table[] = {
    {"fold_constants", pass_fold_constants,
     "infers types and shapes; evaluates nodes whose inputs are constant"},
    {"simplify", pass_simplify, "removes identities, chains of views, dead nodes and constants"},
    {"merge_equal", pass_merge_equal, "computes equal nodes and stores equal constants once"},
    {"fold_batch_norm", pass_fold_batch_norm,
     "moves scales and shifts per channel into the weights and bias before them"},
    {"fold_preprocessing", pass_fold_preprocessing, "takes pixels in place of preprocessed values"},
    {"convert_io", pass_convert_io, "gives inputs and outputs the types and orders asked for"},
    {"bind_state", pass_bind_state, "makes state of outputs that are the next call's inputs"},
    {"place_nodes", pass_place_nodes, "says which nodes of a device's network stay on the host"},
    {"lower_quantized", pass_lower_quantized,
     "makes integer operators of float ones between dequantize and quantize"},
    {"form_regions", pass_form_regions, "groups nodes that become one kernel"},
    {"choose_layout", pass_choose_layout, "gives values the layouts that the target prefers"},
    {NULL, NULL, NULL},
};

/* Folding leaves views and weights behind that nothing uses, hence simplify after it. */
static pass_fn *const clean_order[] = {
    pass_fold_constants, pass_simplify, pass_merge_equal, pass_fold_batch_norm, pass_simplify,
};

static pass_fn *const interface_order[] = {pass_fold_preprocessing, pass_convert_io,
                                           pass_bind_state};

/* Integer forms make constants of constants: weights, biases, factors, tables. */
static pass_fn *const lower_order[] = {
    pass_place_nodes, pass_lower_quantized, pass_fold_constants, pass_simplify,
    pass_merge_equal, pass_form_regions,    pass_choose_layout,
};

static const struct {
    pass_fn *const *pass;
    size_t n;
} stages[] = {
    [PASSES_CLEAN] = {clean_order, sizeof clean_order / sizeof clean_order[0]},
    [PASSES_INTERFACE] = {interface_order, sizeof interface_order / sizeof interface_order[0]},
    [PASSES_LOWER] = {lower_order, sizeof lower_order / sizeof lower_order[0]},
};

const struct pass *pass_by_name(const char *name)
{
    for (const struct pass *p = passes_table; p->name; p++)
        if (!strcmp(p->name, name))
            return p;
    return NULL;
}

static const struct pass *pass_of(pass_fn *run)
{
    const struct pass *p = passes_table;
    while (p->run != run)
        p++;
    return p;
}

static bool run_stage(struct graph *g, enum pass_stage stage, const struct pass_options *opt,
                      passes_observer *observer, void *arg, struct error *err)
{
    struct pass_options with_stage = *opt;
    with_stage.stage = stage;
    for (size_t i = 0; i < stages[stage].n; i++) {
        const struct pass *p = pass_of(stages[stage].pass[i]);
        struct error invalid;
        error_init(&invalid);
        bool changed = false;
        if (!p->run(g, &with_stage, &changed, err))
            return false;
        if (observer)
            observer(arg, g, p, changed);
        if (!graph_validate(g, &invalid))
            return error_set(err, SHEAF_ERROR_CODEGEN, "pass %s made an invalid graph: %s", p->name,
                             invalid.text);
    }
    return true;
}

bool passes_run_stage(struct graph *g, enum pass_stage stage, const struct pass_options *opt,
                      struct error *err)
{
    return run_stage(g, stage, opt, NULL, NULL, err);
}

bool passes_run_observed(struct graph *g, const struct pass_options *opt, passes_observer *observer,
                         void *arg, struct error *err)
{
    return run_stage(g, PASSES_CLEAN, opt, observer, arg, err) &&
           (!opt->interface || run_stage(g, PASSES_INTERFACE, opt, observer, arg, err)) &&
           run_stage(g, PASSES_LOWER, opt, observer, arg, err);
}

bool passes_run(struct graph *g, const struct pass_options *opt, struct error *err)
{
    return passes_run_observed(g, opt, NULL, NULL, err);
}
