/*
 * What is known of an element of a tensor: looked for backwards through the nodes that compute it.
 * Operators that only move elements are evaluated on the numbers of the elements.
 */
#include <math.h>

#include "ir/passes/evaluate.h"
#include "loader/import/known_internal.h"

enum { MAX_ELEMS = 256 }; /* of tensors that are looked into */

static bool is_small(const struct value *v)
{
    return shape_is_static(&v->shape) && shape_elems(&v->shape) <= MAX_ELEMS;
}

/* ---- atoms ---- */

static bool is_count(const struct node *n, const struct value *v, double *out_bound)
{
    for (size_t i = 0; i < n->n_out; i++)
        for (int d = 0; n->out[i] && d < n->out[i]->shape.rank; d++)
            if (n->out[i]->shape.extent[d] == v) {
                *out_bound = (double)n->out[i]->shape.dims[d];
                return true;
            }
    return false;
}

static const struct import_symbol *said_of(const struct importer *im, const struct value *v)
{
    for (size_t i = 0; i < im->opt->n_symbols; i++)
        if (!strcmp(im->opt->symbols[i].name, v->name))
            return &im->opt->symbols[i];
    return NULL;
}

struct known known_within(struct importer *im, const struct value *v, int64_t at, double low,
                          double high)
{
    struct known_atom a = {.of = v, .at = at, .low = low, .high = high};
    const struct import_symbol *said = said_of(im, v);
    a.whole = !dtype_is_float(v->dtype);
    if (said && (double)said->value < high) {
        a.high = (double)said->value;
        a.assumed = true;
    }
    return known_atom(a);
}

static struct known opaque(struct importer *im, const struct value *v, int64_t at)
{
    double low = -INFINITY, high = INFINITY;
    bool small = v->dtype == DTYPE_BOOL || v->dtype == DTYPE_U8 || v->dtype == DTYPE_U16;
    if (small || v->dtype == DTYPE_U32 || v->dtype == DTYPE_U64)
        low = 0;
    if (small)
        high = v->dtype == DTYPE_BOOL ? 1 : (double)dtype_int_max(v->dtype);
    if (v->role == VALUE_TEMP && v->producer && is_count(v->producer, v, &high))
        low = 0;
    return known_within(im, v, at, low, high);
}

static struct known constant(struct importer *im, const struct value *v, int64_t at)
{
    if (!dtype_is_float(v->dtype))
        return known_number(tensor_get_int(v->constant, at));
    double x = tensor_get(v->constant, at);
    if (fabs(x) < 0x1p53 && x == trunc(x))
        return known_number((int64_t)x);
    return known_within(im, v, at, isnan(x) ? -INFINITY : x, isnan(x) ? INFINITY : x);
}

/* ---- moved elements ---- */

static bool moves_elements(enum op op, size_t input)
{
    switch (op) {
    case OP_concat:
        return true;
    case OP_gather:
    case OP_slice:
    case OP_split:
    case OP_transpose:
    case OP_expand:
    case OP_tile:
        return input == 0;
    default:
        return false;
    }
}

/* The inputs' elements, numbered one behind the other, in the places where the node puts them. */
static const struct tensor *numbers_of(struct importer *im, const struct node *n, size_t out)
{
    struct node copy = *n;
    const struct tensor **result = arena_array(im->arena, n->n_out, sizeof(struct tensor *));
    copy.in = arena_array(im->arena, n->n_in, sizeof *copy.in);
    int64_t next = 0;
    for (size_t i = 0; i < n->n_in; i++) {
        copy.in[i] = n->in[i];
        if (!n->in[i] || !moves_elements(n->op, i)) {
            if (n->in[i] && !value_is_constant(n->in[i]))
                return NULL;
            continue;
        }
        if (!is_small(n->in[i]))
            return NULL;
        const struct shape *s = &n->in[i]->shape;
        struct tensor *t = tensor_new(im->arena, DTYPE_I64, s->rank, s->dims);
        for (int64_t e = 0; e < tensor_elems(t); e++)
            tensor_set_int(t, e, next++);
        struct value *v = arena_new(im->arena, struct value);
        *v = *n->in[i];
        v->dtype = DTYPE_I64;
        v->role = VALUE_CONST;
        v->constant = t;
        copy.in[i] = v;
    }
    return evaluate_node(im->arena, &copy, result) ? result[out] : NULL;
}

static struct known numbered(struct importer *im, const struct node *n, int64_t number)
{
    for (size_t i = 0;; i++) {
        if (!n->in[i] || !moves_elements(n->op, i))
            continue;
        int64_t elems = shape_elems(&n->in[i]->shape);
        if (number < elems)
            return known_element(im, n->in[i], number);
        number -= elems;
    }
}

/* ---- arithmetic ---- */

struct element {
    struct importer *im;
    const struct node *n;
    const struct value *v;
    int64_t at;
};

static struct known otherwise(const struct element *e)
{
    return opaque(e->im, e->v, e->at);
}

static struct known within(const struct element *e, double low, double high)
{
    return known_within(e->im, e->v, e->at, low, high);
}

/* The element of input i that broadcasts to this one. */
static struct known operand(const struct element *e, size_t i)
{
    const struct shape *y = &e->v->shape, *x = &e->n->in[i]->shape;
    int64_t rest = e->at, at = 0, stride = 1;
    for (int d = y->rank - 1, own = x->rank - 1; own >= 0; d--, own--) {
        if (x->dims[own] != 1)
            at += rest % y->dims[d] * stride;
        rest /= y->dims[d];
        stride *= x->dims[own];
    }
    return known_element(e->im, e->n->in[i], at);
}

static struct known smaller(const struct element *e, const struct known *a, const struct known *b,
                            bool larger)
{
    struct known d;
    double low[2], high[2];
    if (known_add(a, b, -1, &d) && known_high(&d) <= 0)
        return larger ? *b : *a;
    if (known_add(a, b, -1, &d) && known_low(&d) >= 0)
        return larger ? *a : *b;
    known_range(a, &low[0], &high[0]);
    known_range(b, &low[1], &high[1]);
    d = larger ? within(e, fmax(low[0], low[1]), fmax(high[0], high[1]))
               : within(e, fmin(low[0], low[1]), fmin(high[0], high[1]));
    known_take_over(&d, a);
    known_take_over(&d, b);
    return d;
}

/* Of n operands one after the other. */
static struct known folded(const struct element *e, size_t n,
                           struct known (*get)(const struct element *, size_t))
{
    struct known so_far = get(e, 0), next;
    for (size_t i = 1; i < n; i++) {
        next = get(e, i);
        bool ok = true;
        switch (e->n->op) {
        case OP_add:
        case OP_sum:
        case OP_reduce_sum:
            ok = known_add(&so_far, &next, 1, &so_far);
            break;
        case OP_sub:
            ok = known_add(&so_far, &next, -1, &so_far);
            break;
        case OP_mul:
        case OP_reduce_prod:
            ok = known_mul(&so_far, &next, &so_far);
            break;
        default: {
            bool larger = e->n->op == OP_max || e->n->op == OP_reduce_max;
            so_far = smaller(e, &so_far, &next, larger);
            break;
        }
        }
        if (!ok)
            return otherwise(e);
    }
    return so_far;
}

static struct known element_of_first(const struct element *e, size_t i)
{
    return known_element(e->im, e->n->in[0], (int64_t)i);
}

static struct known quotient(const struct element *e)
{
    struct known a = operand(e, 0), b = operand(e, 1), q;
    double low[2], high[2];
    if (known_div(&a, &b, &q))
        return q;
    known_range(&a, &low[0], &high[0]);
    known_range(&b, &low[1], &high[1]);
    if (low[1] <= 0 || low[0] < 0)
        return otherwise(e);
    bool cut = !dtype_is_float(e->v->dtype);
    double from = low[0] / high[1], to = high[0] / low[1];
    q = within(e, cut ? trunc(from) : from, cut ? trunc(to) : to);
    known_take_over(&q, &a);
    known_take_over(&q, &b);
    return q;
}

/* To an integer; what has been one already stays as it is. */
static struct known rounded(const struct element *e, double (*round)(double))
{
    struct known x = operand(e, 0);
    double low, high;
    if (known_is_whole(&x))
        return x;
    known_range(&x, &low, &high);
    struct known y = within(e, round(low), round(high));
    y.term[0].atom[0].whole = true;
    known_take_over(&y, &x);
    return y;
}

static struct known cast_of(const struct element *e)
{
    struct known x = operand(e, 0);
    int64_t v;
    if (e->v->dtype == DTYPE_BOOL) {
        if (known_is_number(&x, &v))
            return known_number(v != 0);
        return known_low(&x) > 0 ? known_number(1) : otherwise(e);
    }
    bool wide = e->v->dtype == DTYPE_I64 || e->v->dtype == DTYPE_I32 || dtype_is_float(e->v->dtype);
    if (!wide || dtype_is_float(e->v->dtype))
        return wide ? x : otherwise(e);
    return rounded(e, trunc);
}

/* 1 or 0 where the order of both operands is certain. */
static struct known comparison(const struct element *e)
{
    struct known a = operand(e, 0), b = operand(e, 1), d;
    double low, high;
    if (!known_add(&a, &b, -1, &d))
        return otherwise(e);
    known_range(&d, &low, &high);
    bool zero = low == 0 && high == 0, yes, no;
    switch (e->n->op) {
    case OP_equal:
        yes = zero;
        no = low > 0 || high < 0;
        break;
    case OP_less:
        yes = high < 0;
        no = low >= 0;
        break;
    case OP_greater:
        yes = low > 0;
        no = high <= 0;
        break;
    case OP_less_or_equal:
        yes = high <= 0;
        no = low > 0;
        break;
    default:
        yes = low >= 0;
        no = high < 0;
        break;
    }
    return yes || no ? known_number(yes) : otherwise(e);
}

static struct known choice(const struct element *e)
{
    struct known which = operand(e, 0), a = operand(e, 1), b = operand(e, 2);
    double low[2], high[2];
    int64_t v;
    if (known_is_number(&which, &v))
        return v ? a : b;
    if (known_equal(&a, &b))
        return a;
    known_range(&a, &low[0], &high[0]);
    known_range(&b, &low[1], &high[1]);
    which = within(e, fmin(low[0], low[1]), fmax(high[0], high[1]));
    known_take_over(&which, &a);
    known_take_over(&which, &b);
    return which;
}

/* One of the elements, which shows at run time. */
static struct known gathered(const struct element *e)
{
    const struct value *x = e->n->in[0];
    double low = INFINITY, high = -INFINITY, from, to;
    struct known y = known_number(0), k;
    if (!is_small(x) || x->shape.rank != 1)
        return otherwise(e);
    for (int64_t i = 0; i < shape_elems(&x->shape); i++) {
        k = known_element(e->im, x, i);
        known_range(&k, &from, &to);
        low = fmin(low, from);
        high = fmax(high, to);
    }
    y = low <= high ? within(e, low, high) : otherwise(e);
    for (int64_t i = 0; i < shape_elems(&x->shape); i++) {
        k = known_element(e->im, x, i);
        known_take_over(&y, &k);
    }
    return y;
}

static struct known extent_element(const struct element *e)
{
    const struct shape_attrs *a = e->n->attrs;
    const struct shape *x = &e->n->in[0]->shape;
    int64_t start = a->start < 0 ? a->start + x->rank : a->start;
    return known_extent(e->im, x, (int)((start < 0 ? 0 : start) + e->at));
}

static struct known all_elements(const struct element *e)
{
    struct known k = known_number(1);
    const struct shape *x = &e->n->in[0]->shape;
    for (int d = 0; d < x->rank; d++) {
        struct known extent = known_extent(e->im, x, d);
        if (!known_mul(&k, &extent, &k))
            return otherwise(e);
    }
    return k;
}

static struct known computed(const struct element *e)
{
    const struct node *n = e->n;
    switch (n->op) {
    case OP_shape:
        return extent_element(e);
    case OP_size:
        return all_elements(e);
    case OP_cast:
        return cast_of(e);
    case OP_add:
    case OP_sum:
    case OP_sub:
    case OP_mul:
    case OP_min:
    case OP_max:
        return folded(e, n->n_in, operand);
    case OP_reduce_sum:
    case OP_reduce_prod:
    case OP_reduce_min:
    case OP_reduce_max:
        if (shape_elems(&e->v->shape) != 1 || !is_small(n->in[0]) ||
            shape_elems(&n->in[0]->shape) == 0)
            return otherwise(e);
        return folded(e, (size_t)shape_elems(&n->in[0]->shape), element_of_first);
    case OP_div:
        return quotient(e);
    case OP_floor:
        return rounded(e, floor);
    case OP_ceil:
        return rounded(e, ceil);
    case OP_round:
        return rounded(e, rint);
    case OP_equal:
    case OP_less:
    case OP_greater:
    case OP_less_or_equal:
    case OP_greater_or_equal:
        return comparison(e);
    case OP_where:
        return choice(e);
    case OP_gather:
        return gathered(e);
    default:
        return otherwise(e);
    }
}

static bool has_numbers(const struct value *v)
{
    return dtype_is_float(v->dtype) ? v->dtype == DTYPE_F32 || v->dtype == DTYPE_F64
                                    : v->dtype == DTYPE_BOOL || dtype_bits(v->dtype) >= 8;
}

static struct known look(struct importer *im, struct known_memo *memo, const struct value *v,
                         int64_t at)
{
    const struct node *n = v->producer;
    size_t out = 0;
    while (n->out[out] != v)
        out++;
    if (op_desc(n->op)->flags & OP_VIEW)
        return known_element(im, n->in[0], at);
    for (size_t i = 0; i < n->n_in; i++)
        if (!n->in[i] && n->op != OP_slice && n->op != OP_split)
            return opaque(im, v, at);
    if (moves_elements(n->op, 0) && !memo->looked) {
        memo->looked = true;
        memo->numbers = numbers_of(im, n, out);
    }
    if (memo->numbers)
        return numbered(im, n, tensor_get_int(memo->numbers, at));
    struct element e = {im, n, v, at};
    return out == 0 ? computed(&e) : opaque(im, v, at);
}

struct known known_element(struct importer *im, const struct value *v, int64_t at)
{
    if (!has_numbers(v))
        return opaque(im, v, at);
    if (value_is_constant(v))
        return constant(im, v, at);
    if (v->role != VALUE_TEMP || !v->producer || !is_small(v))
        return opaque(im, v, at);
    struct known_memo *memo = known_memo_of(im, v);
    if (!memo->element[at]) {
        struct known k = look(im, memo, v, at);
        double low, high;
        known_range(&k, &low, &high);
        if (said_of(im, v)) {
            struct known said = known_within(im, v, at, low, high);
            known_take_over(&said, &k);
            k = said;
        }
        memo->element[at] = arena_copy(im->arena, &k, sizeof k);
    }
    return *memo->element[at];
}

struct known known_extent(struct importer *im, const struct shape *s, int d)
{
    if (!s->extent[d])
        return known_number(s->dims[d]);
    struct known k = known_element(im, s->extent[d], 0);
    /* The bound of the shape may be the better one. */
    if (k.n == 1 && k.term[0].n == 1 && k.term[0].factor == 1) {
        struct known_atom *a = &k.term[0].atom[0];
        a->high = fmin(a->high, (double)s->dims[d]);
        a->low = fmax(a->low, 0);
    }
    return k;
}
