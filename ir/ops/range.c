/*
 * Range-27: start, start + delta, .. as far as they are before limit.  Where an input is known only
 * at run time there are at most `bound` elements, others are cut off, and how many there are is
 * input 3, or output 1, which models do not name.
 */
#include <math.h>

#include "ir/ops/common.h"

enum { START, LIMIT, DELTA, N_INPUTS, EXTENT = N_INPUTS };

static bool check_inputs(const struct node *n, struct error *err)
{
    for (size_t i = 0; i < N_INPUTS; i++) {
        if (!ops_check_type(n, i, TYPES_FLOAT | TYPES_INDEX | TYPE(I16), err) ||
            !ops_check_same_type(n, 0, i, err) || !ops_check_static(n, i, err))
            return false;
        if (shape_elems(&n->in[i]->shape) != 1)
            return error_set(err, SHEAF_ERROR_SHAPE, "input '%s' has %lld elements, not one",
                             n->in[i]->name, (long long)shape_elems(&n->in[i]->shape));
    }
    return true;
}

static bool is_constant(const struct node *n)
{
    return value_is_constant(n->in[START]) && value_is_constant(n->in[LIMIT]) &&
           value_is_constant(n->in[DELTA]);
}

static double float_at(const struct node *n, size_t i)
{
    return tensor_get(n->in[i]->constant, 0);
}

static uint64_t int_at(const struct node *n, size_t i)
{
    return (uint64_t)tensor_get_int(n->in[i]->constant, 0);
}

/* How many elements constant inputs give, at most INT64_MAX. */
static bool count_constant(const struct node *n, int64_t *out, struct error *err)
{
    if (float_at(n, DELTA) == 0)
        return error_set(err, SHEAF_ERROR_SHAPE, "the step, input '%s', is 0", n->in[DELTA]->name);
    if (dtype_is_float(n->in[0]->dtype)) {
        double count = ceil((float_at(n, LIMIT) - float_at(n, START)) / float_at(n, DELTA));
        *out = count >= 0x1p62 ? INT64_MAX : count > 0 ? (int64_t)count : 0;
        return true;
    }
    bool down = tensor_get_int(n->in[DELTA]->constant, 0) < 0;
    size_t low = down ? LIMIT : START, high = down ? START : LIMIT;
    *out = 0;
    if (tensor_get_int(n->in[low]->constant, 0) >= tensor_get_int(n->in[high]->constant, 0))
        return true;
    uint64_t step = down ? 0 - int_at(n, DELTA) : int_at(n, DELTA);
    uint64_t count = (int_at(n, high) - int_at(n, low) - 1) / step + 1;
    *out = count > INT64_MAX || !count ? INT64_MAX : (int64_t)count;
    return true;
}

bool range_infer(struct graph *g, struct node *n, struct error *err)
{
    const struct range_attrs *a = n->attrs;
    int64_t count;
    if (!check_inputs(n, err))
        return false;
    enum dtype type = n->in[0]->dtype;
    if (a->stash_type != SHEAF_FLOAT32 && ops_compute_type(type) != type)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "16-bit floats are computed in f32 only, not in ONNX type %lld",
                         (long long)a->stash_type);
    if (is_constant(n)) {
        if (!count_constant(n, &count, err))
            return false;
        struct shape y = shape_of_dims(1, &count);
        return ops_set_output(n, 0, type, &y, err);
    }
    if (a->bound < 0)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "output '%s' has no bound: the inputs are not constant, and the model "
                         "declares no shape",
                         n->out[0]->name);
    struct shape y = shape_of_dims(1, &a->bound);
    if (ops_has_input(n, EXTENT))
        return ops_given_extents(n, EXTENT, &y, err) && ops_set_output(n, 0, type, &y, err);
    y.extent[0] = ops_hidden_scalar(g, n, 1, "count");
    return ops_set_output(n, 0, type, &y, err);
}

/* ---- lowering ---- */

/* ceil((limit - start) / delta), in f64; beyond what i64 holds it saturates. */
static kval count_of_floats(struct kernel *k, const kval *in)
{
    kval x[N_INPUTS];
    for (int i = 0; i < N_INPUTS; i++)
        x[i] = kernel_cast(k, DTYPE_F64, in[i]);
    kval count = kernel_binary(k, KOP_SUB, x[LIMIT], x[START]);
    count = kernel_binary(k, KOP_DIV, count, x[DELTA]);
    return kernel_cast(k, DTYPE_I64, kernel_unary(k, KOP_CEIL, count));
}

/* The same in u64, where differences do not overflow; a step of 0 gives one element at most. */
static kval count_of_ints(struct kernel *k, const kval *in)
{
    kval x[N_INPUTS], zero = kernel_const_index(k, 0), one = kernel_const_int(k, DTYPE_U64, 1);
    for (int i = 0; i < N_INPUTS; i++)
        x[i] = kernel_cast(k, DTYPE_I64, in[i]);
    kval down = kernel_compare(k, KOP_LT, x[DELTA], zero);
    kval low = kernel_select(k, down, x[LIMIT], x[START]);
    kval high = kernel_select(k, down, x[START], x[LIMIT]);
    kval any = kernel_compare(k, KOP_LT, low, high);
    kval length = kernel_binary(k, KOP_SUB, high, low);
    length = kernel_binary(k, KOP_SUB, kernel_cast(k, DTYPE_U64, length), one);
    kval step = kernel_cast(k, DTYPE_U64, kernel_unary(k, KOP_ABS, x[DELTA]));
    kval count = kernel_binary(k, KOP_ADD, kernel_binary(k, KOP_DIV, length, step), one);
    kval most = kernel_const_int(k, DTYPE_U64, INT64_MAX);
    count = kernel_cast(k, DTYPE_I64, kernel_binary(k, KOP_MIN, count, most));
    return kernel_select(k, any, count, zero);
}

static void store_count(struct lower *l, const kval *in)
{
    struct kernel *k = l->kernel;
    bool floats = dtype_is_float(kernel_inst(k, in[0])->type);
    kval count = floats ? count_of_floats(k, in) : count_of_ints(k, in);
    kval bound = kernel_const_index(k, k->bufs[l->out[0]].dims[0]), zero = kernel_const_index(k, 0);
    count = kernel_binary(k, KOP_MAX, zero, kernel_binary(k, KOP_MIN, count, bound));
    kernel_store(k, l->out[1], NULL, count);
}

/* The count comes first, because it is the extent of what follows. */
void range_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    kval in[N_INPUTS], i;
    for (int at = 0; at < N_INPUTS; at++)
        in[at] = ops_load_scalar(k, l->in[at]);
    if (ops_has_output(l->node, 1))
        store_count(l, in);
    ops_map_begin(k, l->out[0], &i);
    kval at = kernel_cast(k, kernel_inst(k, in[0])->type, i);
    kval v = kernel_binary(k, KOP_ADD, in[START], kernel_binary(k, KOP_MUL, at, in[DELTA]));
    ops_store(k, l->out[0], &i, v);
    ops_map_end(k, l->out[0]);
}
