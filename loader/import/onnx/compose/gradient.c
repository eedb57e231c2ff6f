/*
 * Gradient of ai.onnx.preview.training: the derivatives of y by each of xs.  The nodes between them
 * are in the graph already; the chain rule adds nodes for them from the last to the first (Griewank
 * and Walther: Evaluating derivatives; 2008, chapter 3).
 */

#include "loader/import/onnx/compose/gradient.h"

bool gradient_wanted(const struct gradient *g, const struct value *v)
{
    return v && v->id < g->n_values && g->wanted[v->id];
}

struct value *gradient_sum_to(struct gradient *g, struct value *dx, const struct shape *shape)
{
    if (!dx || shape_equal(&dx->shape, shape))
        return dx;
    int64_t axes[MAX_RANK];
    size_t n = 0;
    int added = dx->shape.rank - shape->rank;
    for (int i = 0; i < dx->shape.rank; i++)
        if (i < added || (shape->dims[i - added] == 1 && dx->shape.dims[i] != 1))
            axes[n++] = i;
    struct attr_ints list = {arena_copy(g->o->im.arena, axes, n * sizeof *axes), n};
    if (n)
        dx = build_reduce(&g->o->im, OP_reduce_sum, g->d->name, dx, list, true);
    return compose_reshape(g->o, dx, shape->rank, shape->dims, NULL);
}

bool gradient_add(struct gradient *g, const struct node *n, size_t i, struct value *dx)
{
    const struct value *x = n->in[i];
    dx = gradient_sum_to(g, dx, &x->shape);
    if (!dx)
        return false;
    struct value **sum = &g->sum[x->id];
    *sum = *sum ? build_binary(&g->o->im, OP_add, g->d->name, *sum, dx) : dx;
    return *sum != NULL;
}

static struct value *filled(struct gradient *g, const struct value *like, double number)
{
    return build_filled(&g->o->im, g->d->name, NULL, like->dtype, &like->shape, number);
}

/* ---- what is asked for ---- */

static bool check_value(struct gradient *g, const char *role, const struct value *v)
{
    if (v->dtype != DTYPE_F32 && v->dtype != DTYPE_F64 && v->dtype != DTYPE_F16 &&
        v->dtype != DTYPE_BF16)
        return draft_error(g->o, g->d, SHEAF_ERROR_UNSUPPORTED,
                           "%s '%s' has elements of %s, by which nothing is differentiated", role,
                           v->name, dtype_name(v->dtype));
    return shape_is_static(&v->shape) ||
           draft_error(g->o, g->d, SHEAF_ERROR_UNSUPPORTED,
                       "the shape of %s '%s' is known only at run time", role, v->name);
}

/* The values that a list of names stands for are the node's inputs from `first` on. */
static bool check_names(struct gradient *g, const char *role, const struct attr_strings *names,
                        size_t first)
{
    for (size_t i = 0; i < names->n; i++) {
        const struct value *v = onnx_lookup(g->o, names->v[i]);
        if (!v)
            return draft_error(g->o, g->d, SHEAF_ERROR_FORMAT,
                               "'%s' of '%s' is neither computed before it nor given", names->v[i],
                               role);
        if (draft_input(g->d, first + i) != v)
            return draft_error(g->o, g->d, SHEAF_ERROR_UNSUPPORTED,
                               "its input %zu is another value than '%s' of '%s', which is not "
                               "supported",
                               first + i, names->v[i], role);
    }
    return true;
}

/* A constant may be part of other constants already. */
static bool check_variables(struct gradient *g, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct value *x = g->d->in[i];
        if (value_is_constant(x))
            return draft_error(g->o, g->d, SHEAF_ERROR_UNSUPPORTED,
                               "'%s', by which is differentiated, is a constant; it has to be an "
                               "input of the model (%s=%s)",
                               x->name, import_input_option(&g->o->im), x->name);
        if (!check_value(g, "the variable", x))
            return false;
    }
    return true;
}

static bool take_names(struct gradient *g, struct draft *d, struct attr_strings *out_xs,
                       struct value **out_y)
{
    struct draft_attr *xs, *zs, *y;
    if (!draft_take_kind(g->o, d, "xs", ATTR_KIND_STRINGS, &xs) ||
        !draft_take_kind(g->o, d, "zs", ATTR_KIND_STRINGS, &zs) ||
        !draft_take_kind(g->o, d, "y", ATTR_KIND_STRING, &y))
        return false;
    const struct attr_strings others = zs ? zs->u.strings : (struct attr_strings){NULL, 0};
    *out_xs = xs->u.strings;
    if (d->n_in != out_xs->n + others.n || d->n_out > out_xs->n)
        return draft_error(g->o, d, SHEAF_ERROR_FORMAT,
                           "Gradient has %zu inputs and %zu outputs for %zu names in 'xs' and %zu "
                           "in 'zs'",
                           d->n_in, d->n_out, out_xs->n, others.n);
    if (!check_names(g, "xs", out_xs, 0) || !check_names(g, "zs", &others, out_xs->n))
        return false;
    *out_y = onnx_lookup(g->o, y->u.s);
    return *out_y || draft_error(g->o, d, SHEAF_ERROR_FORMAT,
                                 "what is differentiated, '%s', is not computed before it", y->u.s);
}

/* ---- the way back ---- */

/* Values that are differentiated by end the way: they are independent of one another. */
static void mark_wanted(struct gradient *g, const struct block *b, size_t n_xs)
{
    for (size_t i = 0; i < n_xs; i++)
        g->wanted[g->d->in[i]->id] = true;
    for (size_t i = 0; i < b->n_nodes; i++) {
        const struct node *n = b->nodes[i];
        bool any = n->n_blocks > 0; /* inner graphs see everything */
        for (size_t k = 0; k < n->n_in; k++)
            any |= gradient_wanted(g, n->in[k]);
        for (size_t k = 0; any && k < n->n_out; k++)
            if (n->out[k])
                g->wanted[n->out[k]->id] = true;
    }
}

static bool is_variable(const struct gradient *g, const struct value *v, size_t n_xs)
{
    for (size_t i = 0; i < n_xs; i++)
        if (g->d->in[i] == v)
            return true;
    return false;
}

static bool pass_back(struct gradient *g, const struct node *n, size_t n_xs)
{
    for (size_t k = 0; k < n->n_out; k++) {
        const struct value *y = n->out[k];
        struct value *dy = gradient_wanted(g, y) ? g->sum[y->id] : NULL;
        if (!dy || is_variable(g, y, n_xs))
            continue;
        gradient_rule *rule = k == 0 ? gradient_rule_of(n->op) : NULL;
        if (!rule)
            return draft_error(g->o, g->d, SHEAF_ERROR_UNSUPPORTED,
                               "'%s' depends on '%s', and the derivative of %s is not known",
                               y->name, g->d->in[0]->name, op_desc(n->op)->id);
        if (!rule(g, n, dy))
            return false;
    }
    return true;
}

/* Of each variable, 0 where y does not depend on it. */
static bool bind_results(struct gradient *g, struct draft *d)
{
    for (size_t i = 0; i < d->n_out; i++) {
        struct value *dx = g->sum[d->in[i]->id];
        if (!dx)
            dx = filled(g, d->in[i], 0);
        if (!dx)
            return false;
        draft_bind(g->o, d, i, dx);
    }
    d->done = true;
    return true;
}

bool onnx_compose_gradient(struct onnx *o, struct draft *d)
{
    struct gradient g = {.o = o, .d = d, .n_values = o->im.g->n_values};
    struct attr_strings xs = {NULL, 0};
    struct value *y = NULL;
    if (!draft_need_inputs(o, d, d->n_in) || !take_names(&g, d, &xs, &y) ||
        !check_variables(&g, xs.n) || !check_value(&g, "the result", y))
        return false;
    g.n_values = o->im.g->n_values;
    g.wanted = arena_array(o->im.arena, g.n_values, sizeof *g.wanted);
    g.sum = arena_array(o->im.arena, g.n_values, sizeof(struct value *));
    mark_wanted(&g, o->im.block, xs.n);
    g.sum[y->id] = filled(&g, y, 1);
    if (!g.sum[y->id])
        return false;
    for (size_t i = o->im.block->n_nodes; i-- > 0;)
        if (!pass_back(&g, o->im.block->nodes[i], xs.n))
            return false;
    return bind_results(&g, d);
}
