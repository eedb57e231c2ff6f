/*
 * RandomUniform-22 by Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy
 * as 1, 2, 3; SC 2011).  The state is {key, counter}; elements 4 i .. 4 i + 3 are the four words of
 * block counter + i under key xor the seed, and a call advances the counter by the blocks it used.
 * A word's top 24 bits give u in [0, 1), the result is low + u * (high - low).
 */
#include "ir/ops/common.h"

bool random_uniform_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct random_uniform_attrs *a = n->attrs;
    enum dtype type = dtype_from_code(a->dtype);
    int64_t state_dims = 2;
    if (n->in[0]->role != VALUE_STATE)
        return error_set(err, SHEAF_ERROR_SHAPE, "input '%s' is no state", n->in[0]->name);
    if (!ops_check_type(n, 0, TYPE(U64), err) || !ops_check_dims(n, 0, 1, &state_dims, err))
        return false;
    if (!(TYPES_MATH & (1u << type)))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "results of ONNX type %lld are not possible (only f32, f16, bf16)",
                         (long long)a->dtype);
    if (a->shape.n > MAX_RANK)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "the result would have %zu dimensions",
                         a->shape.n);
    struct shape y;
    return ops_stated_shape(a->shape.n, a->shape.v, &y, err) && ops_set_output(n, 0, type, &y, err);
}

static kval low_word(struct kernel *k, kval x)
{
    return kernel_cast(k, DTYPE_U32, x);
}

static kval high_word(struct kernel *k, kval x)
{
    return low_word(k, kernel_binary(k, KOP_SHR, x, kernel_const_int(k, DTYPE_U64, 32)));
}

/* The block of four words for a 64-bit counter and key. */
static void philox(struct kernel *k, kval counter, kval key, kval *out)
{
    enum { ROUNDS = 10 };
    kval c[4] = {low_word(k, counter), high_word(k, counter), kernel_const_int(k, DTYPE_U32, 0),
                 kernel_const_int(k, DTYPE_U32, 0)};
    kval key0 = low_word(k, key), key1 = high_word(k, key);
    for (int round = 0; round < ROUNDS; round++) {
        kval p0 = kernel_binary(k, KOP_MUL, kernel_cast(k, DTYPE_U64, c[0]),
                                kernel_const_int(k, DTYPE_U64, 0xd2511f53));
        kval p1 = kernel_binary(k, KOP_MUL, kernel_cast(k, DTYPE_U64, c[2]),
                                kernel_const_int(k, DTYPE_U64, 0xcd9e8d57));
        kval x0 = kernel_binary(k, KOP_XOR, high_word(k, p1), c[1]);
        kval x2 = kernel_binary(k, KOP_XOR, high_word(k, p0), c[3]);
        c[0] = kernel_binary(k, KOP_XOR, x0, key0);
        c[1] = low_word(k, p1);
        c[2] = kernel_binary(k, KOP_XOR, x2, key1);
        c[3] = low_word(k, p0);
        key0 = kernel_binary(k, KOP_ADD, key0, kernel_const_int(k, DTYPE_U32, 0x9e3779b9));
        key1 = kernel_binary(k, KOP_ADD, key1, kernel_const_int(k, DTYPE_U32, 0xbb67ae85));
    }
    for (int i = 0; i < 4; i++)
        out[i] = c[i];
}

static kval uniform(struct kernel *k, const struct random_uniform_attrs *a, kval word)
{
    kval top = kernel_binary(k, KOP_SHR, word, kernel_const_int(k, DTYPE_U32, 8));
    kval u = kernel_binary(k, KOP_MUL, kernel_cast(k, DTYPE_F32, top),
                           kernel_const_float(k, DTYPE_F32, 0x1p-24));
    u = kernel_binary(k, KOP_MUL, u, kernel_const_float(k, DTYPE_F32, (double)(a->high - a->low)));
    return kernel_binary(k, KOP_ADD, kernel_const_float(k, DTYPE_F32, (double)a->low), u);
}

/* Stores the first n elements of block `block`, an index value. */
static void store_block(struct lower *l, kval counter, kval key, kval block, int n)
{
    struct kernel *k = l->kernel;
    const struct kbuf y = k->bufs[l->out[0]];
    kval word[4], idx[MAX_RANK];
    kval at = kernel_binary(k, KOP_ADD, counter, kernel_cast(k, DTYPE_U64, block));
    philox(k, at, key, word);
    for (int i = 0; i < n; i++) {
        kval linear = ops_add_const(k, ops_mul_const(k, block, 4), i);
        ops_unflatten(k, linear, y.rank, y.dims, idx);
        ops_store(k, l->out[0], idx, uniform(k, l->node->attrs, word[i]));
    }
}

void random_uniform_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct random_uniform_attrs *a = l->node->attrs;
    int state = l->in[0];
    kval at[2] = {kernel_const_index(k, 0), kernel_const_index(k, 1)};
    kval seed = kernel_const_int(k, DTYPE_U64, a->seed);
    kval key = kernel_binary(k, KOP_XOR, kernel_load(k, state, &at[0]), seed);
    kval counter = kernel_load(k, state, &at[1]);
    int64_t elems = 1;
    for (int d = 0; d < k->bufs[l->out[0]].rank; d++)
        elems *= k->bufs[l->out[0]].dims[d];

    if (elems >= 4) {
        kval blocks = kernel_const_index(k, elems / 4), block;
        kernel_map_begin(k, 1, &blocks, &block);
        store_block(l, counter, key, block, 4);
        kernel_map_end(k);
    }
    if (elems % 4)
        store_block(l, counter, key, kernel_const_index(k, elems / 4), (int)(elems % 4));
    kval used = kernel_const_int(k, DTYPE_U64, (elems + 3) / 4);
    kernel_store(k, state, &at[1], kernel_binary(k, KOP_ADD, counter, used));
}
