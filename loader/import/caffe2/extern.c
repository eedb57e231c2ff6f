/*
 * Operators that functions of the user's compute.  Nets state no shapes: those of the outputs come
 * from the user, or are what Sheaf would give where it knows the operator.
 */
#include "loader/import/extern.h"
#include "loader/import/caffe2/caffe2.h"

static struct extern_attr attribute_of(struct arena *a, const struct c2_arg *arg)
{
    struct extern_attr r = {.name = arg->name, .kind = ATTR_KIND_INTS};
    if (arg->floats.n || (arg->has_f && !arg->ints.n && !arg->strings.n)) {
        r.kind = ATTR_KIND_FLOATS;
        r.u.floats = arg->floats.n ? arg->floats
                                   : (struct attr_floats){arena_copy(a, &arg->f, sizeof arg->f), 1};
    } else if (arg->strings.n || (arg->has_s && !arg->ints.n)) {
        r.kind = ATTR_KIND_STRINGS;
        r.u.strings = arg->strings.n
                          ? arg->strings
                          : (struct attr_strings){arena_copy(a, &arg->s, sizeof arg->s), 1};
    } else if (arg->ints.n || !arg->has_i) {
        r.u.ints = arg->ints;
    } else {
        r.u.ints = (struct attr_ints){arena_copy(a, &arg->i, sizeof arg->i), 1};
    }
    return r;
}

/* What the function could not be given. */
static bool check(struct caffe2 *c, const struct c2_op *op)
{
    for (size_t i = 0; i < op->n_in; i++)
        if (op->blob[i]->scale)
            return c2_error(c, op, SHEAF_ERROR_UNSUPPORTED,
                            "'%s' is quantized, which a function of -extern-op does not take",
                            op->proto->input[i]);
    for (size_t i = 0; i < op->args.n; i++)
        if (op->args.arg[i].has_other)
            return c2_error(c, op, SHEAF_ERROR_UNSUPPORTED,
                            "its argument '%s' holds neither numbers nor texts, which no function "
                            "can be given",
                            op->args.arg[i].name);
    return true;
}

/* The nodes are built as Sheaf has them, and taken away again. */
static void find_own(struct caffe2 *c, const struct c2_op *op, struct extern_type *types)
{
    struct c2_op trial = *op;
    struct error fault, *err = c->im.err;
    const struct extern_mark mark = extern_mark(&c->im);
    size_t n = op->proto->n_output;
    if (!c2_converter(op->type))
        return;
    error_init(&fault);
    trial.more = arena_array(c->im.arena, n, sizeof *trial.more);
    trial.args.arg = arena_copy(c->im.arena, op->args.arg, op->args.n * sizeof *op->args.arg);
    c->im.err = &fault;
    const struct value *y = c2_convert(c, &trial);
    c->im.err = err;
    for (size_t i = 0; y && i < n; i++) {
        const struct value *v = i ? trial.more[i] : y;
        if (v)
            types[i] = (struct extern_type){v->dtype, v->shape};
    }
    extern_forget(&c->im, mark);
}

struct value *c2_extern(struct caffe2 *c, struct c2_op *op)
{
    struct arena *a = c->im.arena;
    size_t n_out = op->proto->n_output;
    const char **out = arena_array(a, n_out, sizeof *out);
    struct extern_type *types = arena_array(a, n_out, sizeof *types);
    struct extern_attr *attrs = arena_array(a, op->args.n, sizeof *attrs);
    if (!check(c, op))
        return NULL;
    for (size_t i = 0; i < op->args.n; i++)
        attrs[i] = attribute_of(a, &op->args.arg[i]);
    find_own(c, op, types);
    for (size_t i = 0; i < n_out; i++) {
        out[i] = op->proto->output[i];
        build_free_name(&c->im, out[i]);
    }
    struct extern_node x = {.op = op->type,
                            .name = op->name,
                            .in = op->in,
                            .n_in = op->n_in,
                            .out = out,
                            .n_out = n_out,
                            .attrs = attrs,
                            .n_attrs = op->args.n};
    struct node *n = extern_build(&c->im, &x, types);
    for (size_t i = 1; n && i < n_out; i++)
        op->more[i] = n->out[i];
    return n ? n->out[0] : NULL;
}
