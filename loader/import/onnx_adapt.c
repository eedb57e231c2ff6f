/*
 * Older versions of operators, in one table: which function brings which versions of an operator to
 * the newest one.  Rows of one operator are applied in order.
 */
#include <string.h>

#include "loader/import/onnx.h"

enum { NEWEST = INT32_MAX };

struct adapt_rule {
    const char *op_type;
    int32_t from, to; /* opsets, both included */
    bool (*adapt)(struct onnx *o, struct draft *d);
};

static const struct adapt_rule adapt_rules[] = {
#define ADAPT(op_type, from, to, adapt) {op_type, from, to, adapt},
#include "loader/import/onnx_adapt.def"
#undef ADAPT
};

/* Attributes that change nothing here. */
struct attr_rule {
    const char *op_type; /* NULL: any */
    const char *attr;
    int32_t from, to;
};

static const struct attr_rule ignored_attrs[] = {
    {NULL, "consumed_inputs", 1, 5},   /* a hint for in-place execution */
    {"Gemm", "broadcast", 1, 6},       /* c is broadcast wherever its shape asks for it */
    {"GRU", "output_sequence", 1, 6},  /* outputs without a name are left out */
    {"LSTM", "output_sequence", 1, 6}, /* the same */
    {"RNN", "output_sequence", 1, 6},  /* the same */
};

/* Attributes that have no default. */
static const struct attr_rule required_attrs[] = {
    {"AveragePool", "kernel_shape", 1, NEWEST},
    {"BitCast", "to", 26, NEWEST},
    {"BitShift", "direction", 11, NEWEST},
    {"Cast", "to", 1, NEWEST},
    {"Concat", "axis", 4, NEWEST},
    {"GroupNormalization", "num_groups", 18, NEWEST},
    {"Einsum", "equation", 1, NEWEST},
    {"LRN", "size", 1, NEWEST},
    {"LpPool", "kernel_shape", 1, NEWEST},
    {"MaxPool", "kernel_shape", 1, NEWEST},
    {"MaxUnpool", "kernel_shape", 9, NEWEST},
    {ONNX_TRAINING "Gradient", "xs", 1, NEWEST},
    {ONNX_TRAINING "Gradient", "y", 1, NEWEST},
    {ONNX_TRAINING "Momentum", "alpha", 1, NEWEST},
    {ONNX_TRAINING "Momentum", "beta", 1, NEWEST},
    {ONNX_TRAINING "Momentum", "mode", 1, NEWEST},
    {ONNX_TRAINING "Momentum", "norm_coefficient", 1, NEWEST},
    {"RandomNormal", "shape", 1, NEWEST},
    {"RandomUniform", "shape", 1, NEWEST},
    {"Slice", "ends", 1, 9},
    {"Slice", "starts", 1, 9},
    {"TopK", "k", 1, 9},
    {"Unsqueeze", "axes", 1, 12},
};

static bool applies(const struct attr_rule *r, const struct onnx *o, const struct draft *d)
{
    return (!r->op_type || !strcmp(r->op_type, d->op_type)) && o->opset >= r->from &&
           o->opset <= r->to;
}

static bool has_attr(const struct draft *d, const char *name)
{
    for (size_t i = 0; i < d->n_attrs; i++)
        if (!strcmp(d->attrs[i].name, name))
            return true;
    return false;
}

bool onnx_adapt(struct onnx *o, struct draft *d)
{
    for (size_t i = 0; i < sizeof required_attrs / sizeof required_attrs[0]; i++)
        if (applies(&required_attrs[i], o, d) && !has_attr(d, required_attrs[i].attr))
            return draft_error(o, d, SHEAF_ERROR_FORMAT, "%s lacks the attribute '%s'", d->op_type,
                               required_attrs[i].attr);
    for (size_t i = 0; i < sizeof ignored_attrs / sizeof ignored_attrs[0]; i++)
        if (applies(&ignored_attrs[i], o, d))
            draft_take(d, ignored_attrs[i].attr);
    for (size_t i = 0; i < sizeof adapt_rules / sizeof adapt_rules[0] && !d->done; i++) {
        const struct adapt_rule *r = &adapt_rules[i];
        if (!strcmp(r->op_type, d->op_type) && o->opset >= r->from && o->opset <= r->to &&
            !r->adapt(o, d))
            return false;
    }
    return !d->done || draft_check_attrs(o, d);
}

const char *onnx_op_type(struct arena *a, const Onnx__NodeProto *n)
{
    bool ours = !n->domain || !*n->domain || !strcmp(n->domain, "ai.onnx");
    return ours ? n->op_type : arena_printf(a, "%s.%s", n->domain, n->op_type);
}

bool onnx_is_supported(const char *op_type)
{
    for (size_t i = 0; i < sizeof adapt_rules / sizeof adapt_rules[0]; i++)
        if (!strcmp(adapt_rules[i].op_type, op_type))
            return true;
    return op_by_onnx(op_type) != OP_NONE;
}
