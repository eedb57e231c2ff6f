/*
 * Operators that draw random numbers.  Each node has a state of its own (ir/ops/random.h).  Nodes
 * with one `seed` draw the same numbers; one without gets a seed that differs from node to node and
 * is the same at every import.
 */
#include "ir/hash.h"
#include "loader/import/onnx/compose/compose.h"

/* The seed is a float in files; whole numbers stay what they are, others give their bits. */
static int64_t seed_of(float seed)
{
    if (seed >= -0x1p53f && seed <= 0x1p53f && (float)(int64_t)seed == seed)
        return (int64_t)seed;
    return (int64_t)dtype_bits_of_f32(seed);
}

/* For a node that states none: no other node comes after so many values. */
static int64_t own_seed(const struct onnx *o)
{
    return (int64_t)(hash_step(HASH_START, o->im.g->n_values) >> 32);
}

static bool take_seed(struct onnx *o, struct draft *d, int64_t *out_seed)
{
    struct draft_attr *a;
    if (!draft_take_kind(o, d, "seed", ATTR_KIND_FLOAT, &a))
        return false;
    *out_seed = a ? seed_of(a->u.f) : own_seed(o);
    return true;
}

static struct value *random_state(struct onnx *o, const struct draft *d)
{
    int64_t dims = 2;
    return graph_add_state(o->im.g, arena_printf(o->im.arena, "%s_state", d->name), DTYPE_U64, 1,
                           &dims);
}

/* ---- RandomUniform, RandomNormal ---- */

static bool adapt_random(struct onnx *o, struct draft *d)
{
    int64_t seed;
    if (!take_seed(o, d, &seed))
        return false;
    draft_add(o, d, "seed", ATTR_KIND_INT)->u.i = seed;
    draft_set_input(o, d, 0, random_state(o, d));
    return true;
}

bool onnx_adapt_random(struct onnx *o, struct draft *d)
{
    if (d->n_in)
        return draft_error(o, d, SHEAF_ERROR_FORMAT, "%s has inputs", d->op_type);
    return adapt_random(o, d);
}

/* The input gives the shape, and the type where no attribute does. */
static bool adapt_random_like(struct onnx *o, struct draft *d, enum op op)
{
    int64_t dtype;
    if (!compose_need_static(o, d, 0, -1))
        return false;
    const struct value *x = d->in[0];
    if (!draft_take_int(o, d, "dtype", dtype_code(x->dtype), &dtype))
        return false;
    draft_add(o, d, "dtype", ATTR_KIND_INT)->u.i = dtype;
    struct draft_attr *shape = draft_add(o, d, "shape", ATTR_KIND_INTS);
    shape->u.ints.n = (size_t)x->shape.rank;
    shape->u.ints.v =
        arena_copy(o->im.arena, x->shape.dims, shape->u.ints.n * sizeof *x->shape.dims);
    d->op = op;
    d->n_in = 1;
    return adapt_random(o, d);
}

bool onnx_adapt_random_uniform_like(struct onnx *o, struct draft *d)
{
    return adapt_random_like(o, d, OP_random_uniform);
}

bool onnx_adapt_random_normal_like(struct onnx *o, struct draft *d)
{
    return adapt_random_like(o, d, OP_random_normal);
}

/* ---- compositions ---- */

/* Uniform random numbers in [0, 1). */
static struct value *uniform(struct onnx *o, struct draft *d, enum dtype type, int rank,
                             const int64_t *dims, int64_t seed)
{
    struct value *state = random_state(o, d);
    struct node *n = build_begin(&o->im, OP_random_uniform, d->name, &state, 1, 1);
    struct random_uniform_attrs *a = n->attrs;
    a->dtype = dtype_code(type);
    a->seed = seed;
    a->shape.v = arena_copy(o->im.arena, dims, (size_t)rank * sizeof *dims);
    a->shape.n = (size_t)rank;
    return build_end1(&o->im, n, NULL);
}

/* Of the shape of x. */
static struct value *random_like(struct onnx *o, struct draft *d, const struct value *x,
                                 enum dtype type, int64_t seed)
{
    if (!shape_is_static(&x->shape)) {
        draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                    "%s that draws for a shape known only at run time is not supported",
                    d->op_type);
        return NULL;
    }
    return uniform(o, d, type, x->shape.rank, x->shape.dims, seed);
}

static bool need_floats(struct onnx *o, const struct draft *d)
{
    if (!draft_need_inputs(o, d, 1))
        return false;
    enum dtype type = d->in[0]->dtype;
    return type == DTYPE_F32 || type == DTYPE_F64 || type == DTYPE_F16 || type == DTYPE_BF16 ||
           draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                       "%s takes floats, and '%s' has elements of %s", d->op_type, d->in[0]->name,
                       dtype_name(type));
}

/* The type that results are cast to. */
static bool take_type(struct onnx *o, struct draft *d, enum dtype otherwise, enum dtype *out_type)
{
    int64_t code;
    if (!draft_take_int(o, d, "dtype", dtype_code(otherwise), &code))
        return false;
    *out_type = dtype_from_code(code);
    return *out_type != DTYPE_NONE ||
           draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "results of type %s are not supported",
                       onnx_type_name(o, code));
}

/* 1 with the probability x: 0 gives 0 and 1 gives 1 always. */
bool onnx_compose_bernoulli(struct onnx *o, struct draft *d)
{
    enum dtype type;
    int64_t seed;
    if (!need_floats(o, d) || !take_type(o, d, d->in[0]->dtype, &type) || !take_seed(o, d, &seed))
        return false;
    struct value *x = onnx_widened(o, d->in[0]);
    struct value *u = x ? random_like(o, d, x, x->dtype, seed) : NULL;
    struct value *hit = build_binary(&o->im, OP_less, d->name, u, x);
    return hit && draft_finish(o, d, build_cast(&o->im, d->name, hit, type, draft_output_name(d)));
}

/*
 * x[batch, class] are logarithms of weights.  With s the sums of probabilities up to each class and
 * u in [0, 1), the class drawn is the number of s that are at most u * s[last].  So a class of
 * weight 0 is never drawn, whatever the sums are rounded to.
 */
bool onnx_compose_multinomial(struct onnx *o, struct draft *d)
{
    struct importer *im = &o->im;
    enum dtype type;
    int64_t seed, samples, last = 1;
    if (!need_floats(o, d) || !compose_need_static(o, d, 0, 2) ||
        !take_type(o, d, DTYPE_I32, &type) || !take_seed(o, d, &seed) ||
        !draft_take_int(o, d, "sample_size", 1, &samples))
        return false;
    const int64_t batch = d->in[0]->shape.dims[0], classes = d->in[0]->shape.dims[1];
    if (!(type == DTYPE_I32 || type == DTYPE_I64))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED, "classes cannot have the type %s",
                           dtype_name(type));
    if (samples < 1 || !classes)
        return draft_error(o, d, SHEAF_ERROR_SHAPE, "%lld of %lld classes cannot be drawn",
                           (long long)samples, (long long)classes);
    const int64_t drawn[2] = {batch, samples}, column[3] = {batch, samples, 1};
    const int64_t row[3] = {batch, 1, classes};
    struct value *x = onnx_widened(o, d->in[0]);
    struct value *p = x ? build_softmax(im, d->name, x, 1, NULL) : NULL;
    struct value *axis = build_ints(im, NULL, &last, 1);
    struct value *sums = build_binary(im, OP_cum_sum, d->name, p, axis);
    struct value *total = compose_slice(o, sums, 1, classes - 1, classes, NULL);
    struct value *u = total ? uniform(o, d, total->dtype, 2, drawn, seed) : NULL;
    u = compose_reshape(o, build_binary(im, OP_mul, d->name, u, total), 3, column, NULL);
    sums = u ? compose_reshape(o, sums, 3, row, NULL) : NULL;
    struct value *passed = build_binary(im, OP_less_or_equal, d->name, sums, u);
    int64_t *axes = arena_array(o->im.arena, 1, sizeof *axes);
    axes[0] = 2;
    struct value *count = build_cast(&o->im, NULL, passed, DTYPE_I32, NULL);
    if (count)
        count = build_reduce(im, OP_reduce_sum, d->name, count, (struct attr_ints){axes, 1}, false);
    return count && draft_finish(o, d, build_cast(im, d->name, count, type, draft_output_name(d)));
}

/* ---- Dropout ---- */

/* All ones: nothing is dropped. */
static bool bind_full_mask(struct onnx *o, struct draft *d)
{
    enum dtype dtype = o->opset < 10 ? d->in[0]->dtype : DTYPE_BOOL;
    if (!draft_output_used(o, d, 1))
        return true;
    struct value *mask = build_filled(&o->im, d->name, d->out[1], dtype, &d->in[0]->shape, 1);
    if (mask)
        draft_bind(o, d, 1, mask);
    return mask != NULL;
}

/* An element stays where a random number is not below the ratio, and is then divided by what is
   left of 1. */
static bool drop(struct onnx *o, struct draft *d, struct value *ratio, int64_t seed)
{
    struct importer *im = &o->im;
    struct value *u = random_like(o, d, d->in[0], DTYPE_F32, seed);
    struct value *r = u ? build_cast(im, d->name, ratio, u->dtype, NULL) : NULL;
    struct value *mask = build_unary(im, OP_not, d->name, build_binary(im, OP_less, d->name, u, r));
    struct value *x = onnx_widened(o, d->in[0]);
    struct value *like = x ? build_cast(im, d->name, ratio, x->dtype, NULL) : NULL;
    struct value *left = build_binary(im, OP_sub, d->name, build_number(im, like, 1), like);
    struct value *scaled = build_binary(im, OP_div, d->name, x, left);
    struct value *in[] = {mask, scaled, build_number(im, scaled, 0)};
    if (!mask || !in[2])
        return false;
    if (draft_output_used(o, d, 1))
        draft_bind(o, d, 1, mask);
    return onnx_finish_as(o, d, build_op(im, OP_where, d->name, in, 3, NULL), d->in[0]->dtype);
}

/* Before version 12 nodes do not tell whether they are trained; nothing is dropped then. */
bool onnx_adapt_dropout(struct onnx *o, struct draft *d)
{
    int64_t seed;
    draft_take(d, "is_test");
    draft_take(d, "ratio");
    if (!draft_need_inputs(o, d, 1) || !draft_take_int(o, d, "seed", own_seed(o), &seed))
        return false;
    const struct value *training = draft_input(d, 2);
    if (training && (!value_is_constant(training) || tensor_elems(training->constant) != 1))
        return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                           "whether Dropout trains, '%s', must be a constant", training->name);
    struct value *ratio = draft_input(d, 1);
    bool none = ratio && value_is_constant(ratio) && tensor_elems(ratio->constant) == 1 &&
                tensor_get(ratio->constant, 0) == 0;
    if (training && tensor_get_int(training->constant, 0) && !none) {
        if (!ratio)
            ratio = build_float(&o->im, NULL, DTYPE_F32, 0.5);
        return drop(o, d, ratio, seed);
    }
    return bind_full_mask(o, d) &&
           draft_finish(o, d,
                        build_op(&o->im, OP_identity, d->name, &d->in[0], 1, draft_output_name(d)));
}
