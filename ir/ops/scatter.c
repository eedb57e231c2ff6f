#include "ir/ops/scatter.h"

#include <string.h>

/* The instruction; KOP_NONE: plain storing, KOP_COUNT: no such reduction. */
static enum kop reduction_op(const char *name)
{
    static const struct {
        const char *name;
        enum kop op;
    } ops[] = {
        {"none", KOP_NONE}, {"add", KOP_ADD}, {"mul", KOP_MUL}, {"min", KOP_MIN}, {"max", KOP_MAX}};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (!strcmp(ops[i].name, name))
            return ops[i].op;
    return KOP_COUNT;
}

bool scatter_infer(struct node *n, const char *reduction, struct error *err)
{
    enum kop op = reduction_op(reduction);
    if (op == KOP_COUNT)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "reduction '%s' is not known", reduction);
    return ops_check_type(n, SCATTER_X, TYPES_NUMBER | (op == KOP_NONE ? TYPE(BOOL) : 0), err) &&
           ops_check_type(n, SCATTER_INDICES, TYPES_INDEX, err) &&
           ops_check_same_type(n, SCATTER_X, SCATTER_UPDATES, err) &&
           ops_set_output(n, 0, n->in[SCATTER_X]->dtype, &n->in[SCATTER_X]->shape, err);
}

void scatter_store(struct lower *l, const char *reduction, const kval *to, kval v)
{
    struct kernel *k = l->kernel;
    enum kop op = reduction_op(reduction);
    if (op == KOP_NONE) {
        kernel_store(k, l->out[0], to, v);
        return;
    }
    kval old = ops_load(k, l->out[0], to);
    v = kernel_cast(k, kernel_inst(k, old)->type, v);
    bool extreme = op == KOP_MIN || op == KOP_MAX;
    ops_store(k, l->out[0], to,
              extreme ? ops_extreme(k, op, old, v) : kernel_binary(k, op, old, v));
}
