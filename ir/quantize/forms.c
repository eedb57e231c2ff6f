#include "ir/quantize/forms.h"

#include "ir/checked.h"

bool form_works_on_floats(const struct node *n, bool with_constants)
{
    if (n->op == OP_NONE || n->op == OP_quantize_linear || n->op == OP_dequantize_linear ||
        n->op == OP_shape || (op_desc(n->op)->flags & OP_CONTROL) || !n->n_out || !n->out[0])
        return false;
    for (size_t i = 0; i < n->n_in; i++)
        if (n->in[i] && dtype_is_float(n->in[i]->dtype) &&
            (with_constants || !value_is_constant(n->in[i])))
            return true;
    return false;
}

size_t form_data_inputs(const struct node *n)
{
    const struct op_desc *d = op_desc(n->op);
    if (d->quant != QUANT_SAME && !(d->flags & OP_CHOICE))
        return 0;
    return d->max_in < 0 ? n->n_in : 1;
}

/* ---- terms and tables ---- */

enum form_term form_term_of(const struct node *n)
{
    switch (n->op) {
    case OP_add:
    case OP_sub:
    case OP_sum:
        return FORM_SUM;
    case OP_mul:
        return FORM_PRODUCT;
    case OP_div:
        return FORM_QUOTIENT;
    case OP_relu:
    case OP_clip:
        return FORM_CLIP;
    case OP_neg:
        return FORM_NEGATION;
    default:
        return FORM_NO_TERM;
    }
}

bool form_varies_along_one(int rank, const int64_t *dims, int *out_from_right)
{
    int n = 0;
    *out_from_right = 0;
    for (int d = 0; d < rank; d++)
        if (dims[d] > 1) {
            *out_from_right = rank - 1 - d;
            n++;
        }
    return n <= 1;
}

bool form_is_pointwise(const struct node *n)
{
    unsigned flags = op_desc(n->op)->flags;
    if (!(flags & OP_MAP) || (flags & OP_STATE) || n->op == OP_batch_norm || n->n_out != 1)
        return false;
    for (size_t i = 0; i < n->n_in; i++) {
        const struct value *v = n->in[i];
        bool table = n->op == OP_lookup && i == 1 && v && v->shape.rank == 1;
        if (!v || table)
            continue;
        if (value_is_constant(v) ? shape_elems(&v->shape) != 1
                                 : !shape_equal(&v->shape, &n->out[0]->shape))
            return false;
    }
    return true;
}

/* ---- means ---- */

bool form_is_mean(const struct node *n)
{
    return n->op == OP_average_pool || n->op == OP_global_average_pool || n->op == OP_reduce_mean;
}

/* Every window has all its positions inside what counts. */
static bool window_count(const struct node *n, struct form_mean *m)
{
    const struct average_pool_attrs *a = n->attrs;
    struct window w;
    m->pool = true;
    m->window = WINDOW_SPEC(a, a->ceil_mode != 0);
    if (!window_compute(&m->window, &n->in[0]->shape, NULL, &w, NULL))
        return false;
    for (int d = 0; d < w.n; d++) {
        int64_t lo = a->count_include_pad ? -w.pad_begin[d] : 0;
        int64_t hi = w.in[d] + (a->count_include_pad ? w.pad_end[d] : 0);
        int64_t last =
            (w.out[d] - 1) * w.stride[d] - w.pad_begin[d] + (w.kernel[d] - 1) * w.dilation[d];
        if (-w.pad_begin[d] < lo || last >= hi || !checked_mul(m->n, w.kernel[d], &m->n))
            return false;
    }
    return true;
}

static bool find_axes(const struct node *n, struct reduce_spec *out)
{
    if (n->op == OP_global_average_pool) {
        out->keepdims = true;
        for (int d = 2; d < n->in[0]->shape.rank; d++)
            out->axis[d] = true;
        return true;
    }
    const struct reduce_mean_attrs *a = n->attrs;
    return reduce_axes(n, a->keepdims != 0, a->noop_with_empty_axes != 0, out, NULL);
}

const char *form_mean_obstacle(const struct node *n, struct form_mean *out)
{
    const struct shape *x = &n->in[0]->shape;
    *out = (struct form_mean){.n = 1};
    if (!shape_is_static(x))
        return "its shape is known at run time only";
    if (n->op == OP_average_pool)
        return window_count(n, out) ? NULL : "its windows hold different numbers of elements";
    if (!find_axes(n, &out->axes))
        return "its axes are not constant";
    for (int d = 0; d < x->rank; d++)
        if (out->axes.axis[d] && !checked_mul(out->n, x->dims[d], &out->n))
            return "it takes the mean of too many elements";
    return NULL;
}
