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
    onnx_adapt_fn *adapt;
};

static const struct adapt_rule adapt_rules[] = {
    {"Add", 1, 6, onnx_adapt_broadcast},
    {"And", 1, 6, onnx_adapt_broadcast},
    {"BatchNormalization", 1, NEWEST, onnx_adapt_batch_norm},
    {"Cast", 1, 5, onnx_adapt_cast_name},
    {"Clip", 1, 10, onnx_adapt_clip},
    {"Concat", 1, 3, onnx_adapt_concat},
    {"ConcatFromSequence", 1, NEWEST, onnx_adapt_concat_from_sequence},
    {"Constant", 1, NEWEST, onnx_adapt_constant},
    {"Div", 1, 6, onnx_adapt_broadcast},
    {"Dropout", 1, NEWEST, onnx_adapt_dropout},
    {"Equal", 1, 6, onnx_adapt_broadcast},
    {"Greater", 1, 6, onnx_adapt_broadcast},
    {"Identity", 1, NEWEST, onnx_adapt_identity},
    {"If", 1, NEWEST, onnx_adapt_if},
    {"Less", 1, 6, onnx_adapt_broadcast},
    {"Loop", 1, NEWEST, onnx_adapt_loop},
    {"Mul", 1, 6, onnx_adapt_broadcast},
    {"Optional", 1, NEWEST, onnx_adapt_optional},
    {"OptionalGetElement", 1, NEWEST, onnx_adapt_optional_get_element},
    {"OptionalHasElement", 1, NEWEST, onnx_adapt_optional_has_element},
    {"Or", 1, 6, onnx_adapt_broadcast},
    {"PRelu", 1, 6, onnx_adapt_prelu},
    {"Pad", 1, 1, onnx_adapt_pad1},
    {"Pad", 1, 10, onnx_adapt_pad},
    {"Pow", 1, 6, onnx_adapt_broadcast},
    {"RandomUniform", 1, NEWEST, onnx_adapt_random},
    {"ReduceMean", 1, 17, onnx_adapt_axes},
    {"ReduceSum", 1, 12, onnx_adapt_axes},
    {"Reshape", 1, 4, onnx_adapt_reshape},
    {"SequenceAt", 1, NEWEST, onnx_adapt_sequence_at},
    {"SequenceConstruct", 1, NEWEST, onnx_adapt_sequence_construct},
    {"SequenceEmpty", 1, NEWEST, onnx_adapt_sequence_empty},
    {"SequenceErase", 1, NEWEST, onnx_adapt_sequence_erase},
    {"SequenceInsert", 1, NEWEST, onnx_adapt_sequence_insert},
    {"SequenceLength", 1, NEWEST, onnx_adapt_sequence_length},
    {"SequenceMap", 1, NEWEST, onnx_adapt_sequence_map},
    {"Slice", 1, 9, onnx_adapt_slice},
    {"Softmax", 1, 12, onnx_adapt_softmax},
    {"Split", 1, 12, onnx_adapt_split},
    {"SplitToSequence", 1, NEWEST, onnx_adapt_split_to_sequence},
    {"Squeeze", 1, 12, onnx_adapt_axes},
    {"Sub", 1, 6, onnx_adapt_broadcast},
    {"TopK", 1, 9, onnx_adapt_top_k},
    {"Unsqueeze", 1, 12, onnx_adapt_axes},
    {ONNX_MICROSOFT "DequantizeLinear", 1, NEWEST, onnx_adapt_plain},
    {ONNX_MICROSOFT "QGemm", 1, NEWEST, onnx_adapt_qgemm},
    {ONNX_MICROSOFT "QLinearAdd", 1, NEWEST, onnx_adapt_qlinear_binary},
    {ONNX_MICROSOFT "QLinearAveragePool", 1, NEWEST, onnx_adapt_qlinear_average_pool},
    {ONNX_MICROSOFT "QLinearConcat", 1, NEWEST, onnx_adapt_qlinear_concat},
    {ONNX_MICROSOFT "QLinearGlobalAveragePool", 1, NEWEST, onnx_adapt_qlinear_global_pool},
    {ONNX_MICROSOFT "QLinearLeakyRelu", 1, NEWEST, onnx_adapt_qlinear_leaky_relu},
    {ONNX_MICROSOFT "QLinearMul", 1, NEWEST, onnx_adapt_qlinear_binary},
    {ONNX_MICROSOFT "QLinearReduceMean", 1, NEWEST, onnx_adapt_qlinear_reduce_mean},
    {ONNX_MICROSOFT "QLinearSigmoid", 1, NEWEST, onnx_adapt_qlinear_sigmoid},
    {ONNX_MICROSOFT "QLinearSoftmax", 1, NEWEST, onnx_adapt_qlinear_softmax},
    {ONNX_MICROSOFT "QLinearWhere", 1, NEWEST, onnx_adapt_qlinear_where},
    {ONNX_MICROSOFT "QuantizeLinear", 1, NEWEST, onnx_adapt_plain},
};

/* Attributes that change nothing here. */
struct attr_rule {
    const char *op_type; /* NULL: any */
    const char *attr;
    int32_t from, to;
};

static const struct attr_rule ignored_attrs[] = {
    {NULL, "consumed_inputs", 1, 5},            /* a hint for in-place execution */
    {"Cast", "round_mode", 24, NEWEST},         /* of 8-bit floats, which are refused */
    {"Cast", "saturate", 19, NEWEST},           /* the same */
    {"QuantizeLinear", "saturate", 19, NEWEST}, /* the same */
    {"Gemm", "broadcast", 1, 6},                /* c is broadcast wherever its shape asks for it */
    {"LSTM", "output_sequence", 1, 6},          /* outputs without a name are left out */
    {"MaxPool", "storage_order", 8, NEWEST},    /* of the output Indices, which is refused */
};

/* Attributes that have no default. */
static const struct attr_rule required_attrs[] = {
    {"AveragePool", "kernel_shape", 1, NEWEST},
    {"Cast", "to", 1, NEWEST},
    {"Concat", "axis", 4, NEWEST},
    {"LRN", "size", 1, NEWEST},
    {"MaxPool", "kernel_shape", 1, NEWEST},
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
