#include <string.h>

#include "ir/ops/common.h"

static bool encoding_of(const struct node *n, struct kernel_encoding *out, struct error *err)
{
    static const struct {
        const char *name;
        enum kernel_round round;
    } modes[] = {
        {"up", KERNEL_ROUND_UP}, {"down", KERNEL_ROUND_DOWN}, {"nearest", KERNEL_ROUND_NEAREST}};
    const struct cast_attrs *a = n->attrs;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (!strcmp(a->round_mode, modes[i].name)) {
            *out = (struct kernel_encoding){a->saturate != 0, modes[i].round};
            return true;
        }
    return error_set(err, SHEAF_ERROR_UNSUPPORTED, "round_mode '%s' is not known", a->round_mode);
}

bool cast_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct cast_attrs *a = n->attrs;
    struct kernel_encoding how;
    enum dtype to = dtype_from_code(a->to);
    if (to == DTYPE_NONE)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "conversion to ONNX type %lld is not known",
                         (long long)a->to);
    return encoding_of(n, &how, err) && ops_set_output(n, 0, to, &n->in[0]->shape, err);
}

/*
 * Out-of-range floats are left open by ONNX.  Wide integers saturate; into parts of bytes the
 * published results keep the low bits of the truncated value, hence the step through i32.
 */
static kval cast_of(struct kernel *k, enum dtype to, kval x, struct kernel_encoding how)
{
    enum dtype from = kernel_inst(k, x)->type;
    bool from_float = dtype_is_float(from) || dtype_is_coded(from);
    if (from_float && dtype_is_integer(to) && dtype_bits(to) < 8)
        x = kernel_convert(k, DTYPE_I32, x, how);
    return kernel_convert(k, to, x, how);
}

void cast_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    struct kernel_encoding how = {0};
    encoding_of(l->node, &how, NULL);
    kval idx[MAX_RANK];
    ops_map_begin(k, l->out[0], idx);
    kval x = kernel_load(k, l->in[0], idx);
    kernel_store(k, l->out[0], idx, cast_of(k, k->bufs[l->out[0]].dtype, x, how));
    ops_map_end(k, l->out[0]);
}
