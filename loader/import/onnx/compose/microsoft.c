/*
 * ONNX Runtime's fused operators (domain com.microsoft) taken apart: activations, normalizations
 * and FusedMatMul.  16-bit floats are computed in f32 and rounded once, at the end.
 */
#include <string.h>

#include "loader/import/onnx/compose/compose.h"

/* Input i in its compute type; NULL where it is left out. */
static struct value *wide(struct onnx *o, const struct draft *d, size_t i)
{
    struct value *x = draft_input(d, i);
    return x ? build_cast(&o->im, NULL, x, compose_compute_type(x->dtype), NULL) : NULL;
}

/* x becomes output 0, in the type of input 0. */
static bool finish(struct onnx *o, struct draft *d, struct value *x)
{
    if (!x)
        return false;
    return draft_finish(o, d, build_cast(&o->im, NULL, x, d->in[0]->dtype, draft_output_name(d)));
}

/* ---- activations ---- */

/* Of input 0 and, where there is one, the bias. */
static bool gelu_of(struct onnx *o, struct draft *d, const char *approximate)
{
    if (!draft_need_inputs(o, d, 1))
        return false;
    struct value *x = wide(o, d, 0);
    if (draft_input(d, 1))
        x = compose_binary(o, OP_add, x, wide(o, d, 1), NULL);
    if (!x)
        return false;
    struct node *n = build_begin(&o->im, OP_gelu, d->name, &x, 1, 1);
    ((struct gelu_attrs *)n->attrs)->approximate = approximate;
    return finish(o, d, build_end1(&o->im, n, NULL));
}

/* Gelu and BiasGelu. */
bool onnx_compose_gelu(struct onnx *o, struct draft *d)
{
    return gelu_of(o, d, "none");
}

bool onnx_compose_fast_gelu(struct onnx *o, struct draft *d)
{
    return gelu_of(o, d, "tanh");
}

/* x * sigmoid(alpha * x) */
bool onnx_compose_quick_gelu(struct onnx *o, struct draft *d)
{
    float alpha;
    if (!draft_need_inputs(o, d, 1) || !draft_take_float(o, d, "alpha", 1.702f, &alpha))
        return false;
    struct value *x = wide(o, d, 0), *scaled = compose_number(o, OP_mul, x, (double)alpha);
    struct value *gate = build_unary(&o->im, OP_sigmoid, d->name, scaled);
    return finish(o, d, compose_binary(o, OP_mul, x, gate, NULL));
}

/* ---- FusedMatMul ---- */

/* The last two dimensions exchanged with `swap`; before that with `batch` the first one moves to
   the place before the last. */
static struct value *turned(struct onnx *o, struct value *x, bool swap, bool batch)
{
    int64_t perm[MAX_RANK];
    int rank = x->shape.rank;
    if (rank < 2 || !(swap || batch))
        return x;
    for (int i = 0; i < rank; i++)
        perm[i] = i;
    if (batch) {
        for (int i = 0; i + 2 < rank; i++)
            perm[i] = i + 1;
        perm[rank - 2] = 0;
    }
    if (swap) {
        int64_t last = perm[rank - 1];
        perm[rank - 1] = perm[rank - 2];
        perm[rank - 2] = last;
    }
    return compose_transpose(o, x, perm, NULL);
}

bool onnx_compose_fused_matmul(struct onnx *o, struct draft *d)
{
    static const char *const swaps[] = {"transA", "transB"};
    static const char *const batches[] = {"transBatchA", "transBatchB"};
    struct value *in[2];
    float alpha;
    if (!draft_need_inputs(o, d, 2) || !draft_take_float(o, d, "alpha", 1, &alpha))
        return false;
    for (int i = 0; i < 2; i++) {
        int64_t swap, batch;
        if (!draft_take_int(o, d, swaps[i], 0, &swap) ||
            !draft_take_int(o, d, batches[i], 0, &batch))
            return false;
        in[i] = turned(o, d->in[i], swap != 0, batch != 0);
    }
    const char *name = draft_output_name(d);
    bool scaled = alpha != 1;
    struct value *y = compose_binary(o, OP_matmul, in[0], in[1], scaled ? NULL : name);
    if (scaled)
        y = compose_binary(o, OP_mul, y, build_number(&o->im, y, (double)alpha), name);
    return draft_finish(o, d, y);
}

/* ---- normalizations ---- */

/* Along the last axis; without `centred` the mean is not subtracted. */
static struct value *normalized(struct onnx *o, struct draft *d, struct value *x, bool centred,
                                struct value *gamma, struct value *beta, float epsilon)
{
    struct value *const in[] = {x, gamma, beta};
    if (!x || !gamma)
        return NULL;
    return build_normalize(&o->im, d->name, in, x->shape.rank - 1, centred, epsilon, NULL);
}

/* Output i is not computed. */
static bool refuse_output(struct onnx *o, struct draft *d, size_t i)
{
    return !draft_output_used(o, d, i) ||
           draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "output %zu ('%s') of %s is not supported", i,
                       d->out[i], d->op_type);
}

/* Output i, where it is wanted, is x in the type of `like`. */
static bool bind_output(struct onnx *o, struct draft *d, size_t i, struct value *x,
                        const struct value *like)
{
    if (!x || !draft_output_used(o, d, i))
        return x != NULL;
    struct value *v = build_cast(&o->im, NULL, x, like->dtype, d->out[i]);
    if (v)
        draft_bind(o, d, i, v);
    return v != NULL;
}

/* SkipLayerNormalization (input, skip, gamma, beta, bias) and SkipSimplifiedLayerNormalization
   (input, skip, gamma, bias). */
bool onnx_compose_skip_layer_norm(struct onnx *o, struct draft *d)
{
    bool simple = strstr(d->op_type, "Simplified") != NULL;
    size_t bias = simple ? 3 : 4;
    float epsilon;
    if (!draft_need_inputs(o, d, 3) || !draft_take_float(o, d, "epsilon", 1e-12f, &epsilon) ||
        !refuse_output(o, d, 1) || !refuse_output(o, d, 2))
        return false;
    struct value *x = wide(o, d, 0);
    x = compose_binary(o, OP_add, x, wide(o, d, 1), NULL);
    if (draft_input(d, bias))
        x = compose_binary(o, OP_add, x, wide(o, d, bias), NULL);
    if (!bind_output(o, d, 3, x, d->in[0]))
        return false;
    struct value *gamma = wide(o, d, 2), *beta = simple ? NULL : wide(o, d, 3);
    return finish(o, d, normalized(o, d, x, !simple, gamma, beta, epsilon));
}

enum { IDS, SEGMENT_IDS, WORDS, POSITIONS, SEGMENTS, GAMMA, BETA, MASK, POSITION_IDS };

/* Rows of table `i` at the indices of input `ids`. */
static struct value *rows_of(struct onnx *o, struct draft *d, size_t i, size_t ids)
{
    struct value *in[2] = {wide(o, d, i), d->in[ids]};
    return in[0] ? build_op(&o->im, OP_gather, d->name, in, 2, NULL) : NULL;
}

/* Output 1: the number of ones in each row of the mask, 0 without one. */
static bool count_mask(struct onnx *o, struct draft *d)
{
    int64_t axis = 1;
    struct shape batch = {.rank = 1, .dims = {d->in[IDS]->shape.dims[0]}};
    struct value *mask = draft_input(d, MASK), *v;
    if (!draft_output_used(o, d, 1))
        return true;
    if (mask) {
        struct value *in[2] = {mask, build_ints(&o->im, NULL, &axis, 1)};
        struct node *n = build_begin(&o->im, OP_reduce_sum, d->name, in, 2, 1);
        ((struct reduce_sum_attrs *)n->attrs)->keepdims = 0;
        v = build_end1(&o->im, n, d->out[1]);
    } else {
        v = build_filled(&o->im, d->name, d->out[1], DTYPE_I32, &batch, 0);
    }
    if (v)
        draft_bind(o, d, 1, v);
    return v != NULL;
}

bool onnx_compose_embed_layer_norm(struct onnx *o, struct draft *d)
{
    float epsilon;
    draft_take(d, "mask_index_type");
    if (!draft_take_float(o, d, "epsilon", 1e-12f, &epsilon) || !compose_need_static(o, d, IDS, 2))
        return false;
    if (!draft_input(d, WORDS) || !draft_input(d, POSITIONS) || !draft_input(d, GAMMA) ||
        !draft_input(d, BETA) || !draft_input(d, SEGMENT_IDS) != !draft_input(d, SEGMENTS))
        return draft_error(o, d, SHEAF_ERROR_SHAPE,
                           "EmbedLayerNormalization lacks a table, gamma or beta");
    struct value *x = rows_of(o, d, WORDS, IDS);
    struct value *places =
        draft_input(d, POSITION_IDS)
            ? rows_of(o, d, POSITIONS, POSITION_IDS)
            : compose_slice(o, wide(o, d, POSITIONS), 0, 0, d->in[IDS]->shape.dims[1], NULL);
    x = compose_binary(o, OP_add, x, places, NULL);
    if (draft_input(d, SEGMENTS))
        x = compose_binary(o, OP_add, x, rows_of(o, d, SEGMENTS, SEGMENT_IDS), NULL);
    if (!bind_output(o, d, 2, x, d->in[WORDS]) || !count_mask(o, d))
        return false;
    struct value *gamma = wide(o, d, GAMMA), *beta = wide(o, d, BETA);
    struct value *y = normalized(o, d, x, true, gamma, beta, epsilon);
    return y && draft_finish(
                    o, d, build_cast(&o->im, NULL, y, d->in[WORDS]->dtype, draft_output_name(d)));
}
