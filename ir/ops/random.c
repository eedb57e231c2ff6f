#include "ir/ops/random.h"

bool random_infer(struct node *n, int64_t dtype, struct attr_ints shape, struct error *err)
{
    enum dtype type = dtype_from_code(dtype);
    int64_t state_dims = 2;
    if (n->in[0]->role != VALUE_STATE)
        return error_set(err, SHEAF_ERROR_SHAPE, "input '%s' is no state", n->in[0]->name);
    if (!ops_check_type(n, 0, TYPE(U64), err) || !ops_check_dims(n, 0, 1, &state_dims, err))
        return false;
    if (!(TYPES_FLOAT & (1u << type)))
        return error_set(err, SHEAF_ERROR_UNSUPPORTED,
                         "results of ONNX type %lld are not possible (only f32, f16, bf16, f64)",
                         (long long)dtype);
    if (shape.n > MAX_RANK)
        return error_set(err, SHEAF_ERROR_UNSUPPORTED, "the result would have %zu dimensions",
                         shape.n);
    struct shape y;
    return ops_stated_shape(shape.n, shape.v, &y, err) && ops_set_output(n, 0, type, &y, err);
}

enum dtype random_type(const struct lower *l)
{
    return ops_compute_type(l->kernel->bufs[l->out[0]].dtype);
}

int random_words_each(enum dtype type)
{
    return type == DTYPE_F64 ? 2 : 1;
}

int random_elements(enum dtype type)
{
    return RANDOM_WORDS / random_words_each(type);
}

/* ---- the generator ---- */

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
    for (int i = 0; i < RANDOM_WORDS; i++)
        out[i] = c[i];
}

/* The top `bits` bits of a word as a number. */
static kval top_bits(struct kernel *k, enum dtype type, kval word, int bits)
{
    return kernel_cast(k, type,
                       kernel_binary(k, KOP_SHR, word, kernel_const_int(k, DTYPE_U32, 32 - bits)));
}

kval random_unit(struct kernel *k, enum dtype type, const kval *word)
{
    if (type != DTYPE_F64)
        return kernel_binary(k, KOP_MUL, top_bits(k, type, word[0], 24),
                             kernel_const_float(k, type, 0x1p-24));
    kval high = kernel_binary(k, KOP_MUL, top_bits(k, type, word[0], 27),
                              kernel_const_float(k, type, 0x1p-27));
    kval low = kernel_binary(k, KOP_MUL, top_bits(k, type, word[1], 26),
                             kernel_const_float(k, type, 0x1p-53));
    return kernel_binary(k, KOP_ADD, high, low);
}

/* ---- the output ---- */

struct stream {
    struct lower *l;
    enum dtype type;
    random_draw *draw;
    kval key, counter;
};

/* Stores the first n elements of block `block`, an index value. */
static void store_block(const struct stream *s, kval block, int n)
{
    struct kernel *k = s->l->kernel;
    const struct kbuf y = k->bufs[s->l->out[0]];
    kval word[RANDOM_WORDS], value[RANDOM_WORDS], idx[MAX_RANK];
    kval at = kernel_binary(k, KOP_ADD, s->counter, kernel_cast(k, DTYPE_U64, block));
    philox(k, at, s->key, word);
    s->draw(s->l, s->type, word, value);
    for (int i = 0; i < n; i++) {
        kval linear = ops_add_const(k, ops_mul_const(k, block, random_elements(s->type)), i);
        ops_unflatten(k, linear, y.rank, y.dims, idx);
        ops_store(k, s->l->out[0], idx, value[i]);
    }
}

void random_lower(struct lower *l, int64_t seed, random_draw *draw)
{
    struct kernel *k = l->kernel;
    int state = l->in[0];
    struct stream s = {.l = l, .type = random_type(l), .draw = draw};
    kval at[2] = {kernel_const_index(k, 0), kernel_const_index(k, 1)};
    kval seed_value = kernel_const_int(k, DTYPE_U64, seed);
    s.key = kernel_binary(k, KOP_XOR, kernel_load(k, state, &at[0]), seed_value);
    s.counter = kernel_load(k, state, &at[1]);
    int64_t elems = 1, each = random_elements(s.type);
    for (int d = 0; d < k->bufs[l->out[0]].rank; d++)
        elems *= k->bufs[l->out[0]].dims[d];

    if (elems >= each) {
        kval blocks = kernel_const_index(k, elems / each), block;
        kernel_map_begin(k, 1, &blocks, &block);
        store_block(&s, block, (int)each);
        kernel_map_end(k);
    }
    if (elems % each)
        store_block(&s, kernel_const_index(k, elems / each), (int)(elems % each));
    kval used = kernel_const_int(k, DTYPE_U64, (elems + each - 1) / each);
    kernel_store(k, state, &at[1], kernel_binary(k, KOP_ADD, s.counter, used));
}
