/*
 * Older versions of operators, in one table: which function brings which versions of an operator to
 * the newest one.  Rows of one operator are applied in order.
 */
#include <string.h>

#include "loader/import/onnx/onnx.h"

struct adapt_rule {
    const char *op_type;
    int32_t from, to; /* opsets, both included */
    bool (*adapt)(struct onnx *o, struct draft *d);
};

static const struct adapt_rule adapt_rules[] = {
#define ADAPT(op_type, from, to, adapt) {op_type, from, to, adapt},
#include "loader/import/onnx/adapt.def"
#undef ADAPT
};

bool onnx_adapt(struct onnx *o, struct draft *d)
{
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
