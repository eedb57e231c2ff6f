/*
 * Numbers that are known only at run time as scalars of the graph.  Equal ones become one scalar,
 * so that shapes which have them are seen to be equal.
 */
#include <math.h>

#include "loader/import/extent.h"
#include "loader/import/known_internal.h"

/* ---- nodes of scalars ---- */

static struct value *number_value(struct importer *im, int64_t v)
{
    struct tensor *t = tensor_new(im->arena, DTYPE_I64, 0, NULL);
    tensor_set_int(t, 0, v);
    return graph_add_constant(im->g, NULL, t);
}

static struct value *sum_of(struct importer *im, enum op op, struct value *const *in, size_t n)
{
    struct known_table *t = known_table(im);
    for (size_t i = 0; i < t->n_sums; i++)
        if (t->sum[i].op == op && !memcmp(t->sum[i].in, in, n * sizeof *in))
            return t->sum[i].y;
    struct value *y = build_op(im, op, NULL, in, n, NULL);
    if (!y)
        return NULL;
    struct known_sum *s = &ARENA_PUSH(im->arena, t->sum, t->n_sums, t->cap_sums);
    *s = (struct known_sum){.op = op, .y = y};
    memcpy(s->in, in, n * sizeof *in);
    return y;
}

static struct value *atom_value(struct importer *im, const struct known_atom *a)
{
    struct value *v = graph_find_value(im->g, a->of->name);
    if (v->shape.rank) {
        static const int64_t all = -1;
        struct value *flat[] = {v, build_ints(im, NULL, &all, 1)};
        v = v->shape.rank > 1 ? build_op(im, OP_reshape, NULL, flat, 2, NULL) : v;
        struct value *in[] = {v, number_value(im, a->at)};
        v = v ? build_op(im, OP_gather, NULL, in, 2, NULL) : NULL;
    }
    return build_cast(im, NULL, v, DTYPE_I64, NULL);
}

static struct value *product_value(struct importer *im, const struct known_term *t)
{
    struct value *y = NULL;
    for (int i = 0; i < t->n; i++) {
        struct known k = known_atom(t->atom[i]);
        struct value *v = extent_scalar(im, &k), *in[] = {y, v};
        y = y && v ? sum_of(im, OP_mul, in, 2) : v;
        if (!y)
            return NULL;
    }
    struct value *factor = t->factor != 1 || !y ? number_value(im, t->factor) : NULL;
    struct value *in[] = {y, factor};
    return !y ? factor : factor ? build_op(im, OP_mul, NULL, in, 2, NULL) : y;
}

static struct value *terms_value(struct importer *im, const struct known *k)
{
    struct value *y = NULL;
    if (k->n == 1 && k->term[0].n == 1 && k->term[0].factor == 1)
        return atom_value(im, &k->term[0].atom[0]);
    for (int i = 0; i < k->n; i++) {
        struct value *v = product_value(im, &k->term[i]), *in[] = {y, v};
        y = y && v ? build_op(im, OP_add, NULL, in, 2, NULL) : v;
        if (!y)
            return NULL;
    }
    return y;
}

struct value *extent_scalar(struct importer *im, const struct known *k)
{
    struct known_table *t = known_table(im);
    int64_t number;
    for (size_t i = 0; i < t->n_scalars; i++)
        if (known_equal(&t->scalar[i].number, k))
            return t->scalar[i].v;
    struct value *v = known_is_number(k, &number) ? number_value(im, number) : terms_value(im, k);
    if (v)
        ARENA_PUSH(im->arena, t->scalar, t->n_scalars, t->cap_scalars) =
            (struct known_scalar){*k, v};
    return v;
}

struct value *extent_vector(struct importer *im, const struct known *k, int n)
{
    struct value *part[MAX_RANK];
    int64_t number[MAX_RANK];
    bool numbers = true;
    for (int i = 0; i < n; i++)
        numbers &= known_is_number(&k[i], &number[i]);
    if (numbers)
        return build_ints(im, NULL, number, (size_t)n);
    for (int i = 0; i < n; i++) {
        static const int64_t first = 0;
        struct value *in[2] = {extent_scalar(im, &k[i])};
        in[1] = build_ints(im, NULL, &first, 1);
        part[i] = in[0] ? build_op(im, OP_unsqueeze, NULL, in, 2, NULL) : NULL;
        if (!part[i])
            return NULL;
    }
    return build_op(im, OP_concat, NULL, part, (size_t)n, NULL);
}

/* ---- arithmetic ---- */

/* The result of a node, of which no more is known than the range. */
static bool computed(struct importer *im, enum op op, const struct known *a, const struct known *b,
                     double low, double high, struct known *out)
{
    struct value *in[2] = {extent_scalar(im, a), NULL};
    in[1] = in[0] ? extent_scalar(im, b) : NULL;
    struct value *y = in[1] ? sum_of(im, op, in, 2) : NULL;
    if (!y)
        return false;
    struct known made = known_within(im, y, 0, low, high);
    known_take_over(&made, a);
    known_take_over(&made, b);
    *out = made;
    return true;
}

bool extent_add(struct importer *im, const struct known *a, const struct known *b,
                struct known *out)
{
    return known_add(a, b, 1, out) || computed(im, OP_add, a, b, known_low(a) + known_low(b),
                                               known_high(a) + known_high(b), out);
}

bool extent_sub(struct importer *im, const struct known *a, const struct known *b,
                struct known *out)
{
    return known_add(a, b, -1, out) || computed(im, OP_sub, a, b, known_low(a) - known_high(b),
                                                known_high(a) - known_low(b), out);
}

bool extent_mul(struct importer *im, const struct known *a, const struct known *b,
                struct known *out)
{
    if (known_mul(a, b, out))
        return true;
    bool low = known_low(a) >= 0 && known_low(b) >= 0;
    return computed(im, OP_mul, a, b, low ? known_low(a) * known_low(b) : -INFINITY,
                    low ? known_high(a) * known_high(b) : INFINITY, out);
}

bool extent_div(struct importer *im, const struct known *a, const struct known *b,
                struct known *out)
{
    struct known one = known_number(1), by;
    double low, high, from, to;
    if (known_div(a, b, out))
        return true;
    if (!extent_max(im, b, &one, &by))
        return false;
    known_range(a, &low, &high);
    known_range(&by, &from, &to);
    return computed(im, OP_div, a, &by, trunc(low < 0 ? low / from : low / to),
                    trunc(high < 0 ? high / to : high / from), out);
}

static bool extreme(struct importer *im, const struct known *a, const struct known *b, bool larger,
                    struct known *out)
{
    struct known d;
    double low = -INFINITY, high = INFINITY, from[2], to[2];
    if (known_add(a, b, -1, &d) && !known_is_assumed(&d))
        known_range(&d, &low, &high);
    if (low >= 0 || high <= 0) {
        *out = (low >= 0) == larger ? *a : *b;
        return true;
    }
    known_range(a, &from[0], &to[0]);
    known_range(b, &from[1], &to[1]);
    if (larger)
        return computed(im, OP_max, a, b, fmax(from[0], from[1]), fmax(to[0], to[1]), out);
    return computed(im, OP_min, a, b, fmin(from[0], from[1]), fmin(to[0], to[1]), out);
}

bool extent_min(struct importer *im, const struct known *a, const struct known *b,
                struct known *out)
{
    return extreme(im, a, b, false, out);
}

bool extent_max(struct importer *im, const struct known *a, const struct known *b,
                struct known *out)
{
    return extreme(im, a, b, true, out);
}

/* ---- choices ---- */

static bool chosen(struct importer *im, enum op op, const struct known *a, int64_t than,
                   const struct known *yes, const struct known *no, struct known *out)
{
    struct known limit = known_number(than);
    struct value *in[3] = {extent_scalar(im, a)};
    in[1] = extent_scalar(im, &limit);
    struct value *which = in[0] ? sum_of(im, op, in, 2) : NULL;
    in[0] = which;
    in[1] = which ? extent_scalar(im, yes) : NULL;
    in[2] = in[1] ? extent_scalar(im, no) : NULL;
    struct value *y = in[2] ? sum_of(im, OP_where, in, 3) : NULL;
    if (!y)
        return false;
    struct known made = known_within(im, y, 0, fmin(known_low(yes), known_low(no)),
                                     fmax(known_high(yes), known_high(no)));
    known_take_over(&made, yes);
    known_take_over(&made, no);
    *out = made;
    return true;
}

bool extent_if_less(struct importer *im, const struct known *a, int64_t than,
                    const struct known *yes, const struct known *no, struct known *out)
{
    double low = known_low(a), high = known_is_assumed(a) ? INFINITY : known_high(a);
    bool certain = high < (double)than || low >= (double)than || known_equal(yes, no);
    if (certain)
        *out = high < (double)than ? *yes : *no;
    return certain || chosen(im, OP_less, a, than, yes, no, out);
}

bool extent_if_equal(struct importer *im, const struct known *a, int64_t than,
                     const struct known *yes, const struct known *no, struct known *out)
{
    double low = known_low(a), high = known_is_assumed(a) ? INFINITY : known_high(a);
    int64_t number;
    bool number_known = known_is_number(a, &number);
    bool certain =
        number_known || high < (double)than || low > (double)than || known_equal(yes, no);
    if (certain)
        *out = number_known && number == than ? *yes : *no;
    return certain || chosen(im, OP_equal, a, than, yes, no, out);
}
