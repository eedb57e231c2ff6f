#include "ir/ops/sort_key.h"

/* Floats as integers of their width: the order of magnitudes is that of the bits, -0 is made 0, and
   every NaN the greatest. */
static kval float_key(struct kernel *k, kval x)
{
    bool is_f64 = kernel_inst(k, x)->type == DTYPE_F64;
    enum dtype t = is_f64 ? DTYPE_I64 : DTYPE_I32;
    kval most = kernel_const_int(k, t, is_f64 ? INT64_MAX : INT32_MAX);
    kval zero = kernel_const_float(k, kernel_inst(k, x)->type, 0);
    kval bits = kernel_bitcast(k, t, kernel_binary(k, KOP_ADD, x, zero));
    kval sign = kernel_binary(k, KOP_SHR, bits, kernel_const_int(k, t, is_f64 ? 63 : 31));
    bits = kernel_binary(k, KOP_XOR, bits, kernel_binary(k, KOP_AND, sign, most));
    return kernel_cast(k, DTYPE_I64, kernel_select(k, ops_is_nan(k, x), most, bits));
}

kval sort_key(struct kernel *k, kval x, bool largest)
{
    enum dtype t = kernel_inst(k, x)->type;
    kval key = dtype_is_float(t) ? float_key(k, x) : kernel_cast(k, DTYPE_I64, x);
    if (t == DTYPE_U64)
        key = kernel_binary(k, KOP_XOR, key, kernel_const_index(k, INT64_MIN));
    if (t == DTYPE_U32)
        key = ops_add_const(k, key, INT32_MIN);
    return largest ? kernel_unary(k, KOP_NOT, key) : key;
}

kval sort_key_then(struct kernel *k, kval so_far, kval a, kval b)
{
    kval less = kernel_cast(k, DTYPE_I64, kernel_compare(k, KOP_LT, a, b));
    kval more = kernel_cast(k, DTYPE_I64, kernel_compare(k, KOP_LT, b, a));
    kval here = kernel_binary(k, KOP_SUB, more, less);
    kval undecided = kernel_compare(k, KOP_EQ, so_far, kernel_const_index(k, 0));
    return kernel_select(k, undecided, here, so_far);
}
