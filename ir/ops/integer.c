#include "ir/ops/integer.h"

bool integer_check_operands(const struct node *n, size_t a, size_t az, size_t b, size_t bz,
                            unsigned types, struct error *err)
{
    return ops_check_type(n, a, types, err) && ops_check_type(n, b, types, err) &&
           ops_check_same_type(n, a, az, err) && ops_check_same_type(n, b, bz, err) &&
           ops_check_static(n, az, err) && ops_check_static(n, bz, err);
}

enum dtype integer_accumulator(enum dtype a, enum dtype b)
{
    return dtype_bits(a) == 8 && dtype_bits(b) == 8 ? DTYPE_I32 : DTYPE_I64;
}

kval integer_padding(struct lower *l, size_t zero)
{
    const struct node *n = l->node;
    if (!ops_has_input(n, zero))
        return kernel_const_int(l->kernel, n->in[0]->dtype, 0);
    const struct tensor *t = n->in[zero]->constant;
    if (t)
        return kernel_const_int(l->kernel, n->in[0]->dtype, tensor_get_int(t, 0));
    return ops_load_scalar(l->kernel, l->in[zero]);
}

bool integer_has_zero(const struct node *n, size_t zero)
{
    if (!ops_has_input(n, zero))
        return false;
    const struct tensor *t = n->in[zero]->constant;
    for (int64_t i = 0; t && i < tensor_elems(t); i++)
        if (tensor_get_int(t, i))
            return true;
    return !t;
}

void integer_prologue_end(struct kernel *k, enum dtype acc, kval raw, kval zero)
{
    zero = kernel_cast(k, acc, zero);
    raw = kernel_cast(k, acc, raw);
    kernel_contract_prologue_end(k, kernel_binary(k, KOP_SUB, raw, zero));
}
