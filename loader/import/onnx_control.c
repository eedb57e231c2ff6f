/*
 * If and Loop: inner graphs become blocks, which see the names around them.
 */
#include <string.h>

#include "loader/import/onnx.h"

const Onnx__GraphProto *onnx_graph_attr(const struct draft *d, const char *name)
{
    for (size_t i = 0; i < d->proto->n_attribute; i++) {
        const Onnx__AttributeProto *a = d->proto->attribute[i];
        if (a->name && !strcmp(a->name, name) && a->g)
            return a->g;
    }
    return NULL;
}

static struct value *inner_output(struct onnx *o, const struct draft *d, const Onnx__GraphProto *p,
                                  size_t i)
{
    const char *name = p->output[i]->name ? p->output[i]->name : "";
    struct value *v = onnx_lookup(o, name);
    if (!v)
        draft_error(o, d, SHEAF_ERROR_FORMAT, "the output '%s' of its inner graph is not defined",
                    name);
    return v;
}

bool onnx_inline(struct onnx *o, const struct draft *d, const Onnx__GraphProto *p,
                 struct value *const *in, size_t n_in, struct value **out, size_t n_out)
{
    if (p->n_input != n_in || p->n_output < n_out)
        return draft_error(o, d, SHEAF_ERROR_FORMAT,
                           "an inner graph of %s has %zu inputs and %zu outputs where %zu and %zu "
                           "are needed",
                           d->op_type, p->n_input, p->n_output, n_in, n_out);
    struct onnx_surroundings around = onnx_enter(o, o->im.block, o->scope);
    bool ok = onnx_declare(o, p);
    for (size_t i = 0; ok && i < n_in; i++)
        if (p->input[i]->name && *p->input[i]->name)
            name_map_put(&o->scope->values, o->im.arena, p->input[i]->name, in[i]);
    ok = ok && onnx_nodes(o, p);
    for (size_t i = 0; ok && i < n_out; i++)
        ok = (out[i] = inner_output(o, d, p, i)) != NULL;
    onnx_leave(o, around);
    return ok;
}

/* The inner graph's nodes and outputs into `block`, which has its arguments already. */
static bool fill_block(struct onnx *o, const struct draft *d, const Onnx__GraphProto *p,
                       struct block *block)
{
    if (!onnx_nodes(o, p))
        return false;
    for (size_t i = 0; i < p->n_output; i++) {
        struct value *v = inner_output(o, d, p, i);
        if (!v)
            return false;
        if (onnx_is_string(o, v))
            return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                               "its inner graph gives strings, which is supported only where the "
                               "condition is constant");
        if (onnx_is_sequence(v))
            return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                               "its inner graph gives a sequence, which is supported only where "
                               "the condition or the number of rounds is constant");
        block_add_output(o->im.g, block, v);
    }
    return true;
}

/* The node of n_out outputs, all present and preset to what the model declares of them. */
static bool emit(struct onnx *o, struct draft *d, struct block **blocks, size_t n_blocks,
                 size_t n_out)
{
    if (d->n_out > n_out)
        return draft_error(o, d, SHEAF_ERROR_FORMAT,
                           "%s has %zu outputs, its inner graph gives %zu", d->op_type, d->n_out,
                           n_out);
    struct node *n = build_begin(&o->im, d->op, d->name, d->in, d->n_in, n_out);
    n->blocks = arena_copy(o->im.arena, blocks, n_blocks * sizeof(struct block *));
    n->n_blocks = n_blocks;
    for (size_t i = 0; i < n_out; i++) {
        const char *name = i < d->n_out ? d->out[i] : "";
        graph_node_output(o->im.g, n, i, name);
        onnx_preset(o, n->out[i], name_map_get(&o->scope->declared, name));
    }
    if (!build_end(&o->im, n, d->out))
        return false;
    for (size_t i = 0; i < d->n_out; i++)
        draft_bind(o, d, i, n->out[i]);
    d->done = true;
    return draft_check_attrs(o, d);
}

/* ---- If ---- */

static bool no_inputs(struct onnx *o, const struct draft *d, const Onnx__GraphProto *p)
{
    return p->n_input == 0 ||
           draft_error(o, d, SHEAF_ERROR_FORMAT, "a branch of If has %zu inputs", p->n_input);
}

/* The condition is known: the nodes of the branch stand in for the If. */
static bool take_branch(struct onnx *o, struct draft *d, const Onnx__GraphProto *p)
{
    struct value **out = arena_array(o->im.arena, d->n_out, sizeof *out);
    if (!onnx_inline(o, d, p, NULL, 0, out, d->n_out))
        return false;
    for (size_t i = 0; i < d->n_out; i++)
        draft_bind(o, d, i, out[i]);
    d->done = true;
    return true;
}

bool onnx_adapt_if(struct onnx *o, struct draft *d)
{
    const Onnx__GraphProto *branch[] = {onnx_graph_attr(d, "then_branch"),
                                        onnx_graph_attr(d, "else_branch")};
    const struct value *cond = draft_input(d, 0);
    if (!branch[0] || !branch[1] || !cond || d->n_in != 1)
        return draft_error(o, d, SHEAF_ERROR_FORMAT,
                           "If needs one condition, then_branch and else_branch");
    if (!no_inputs(o, d, branch[0]) || !no_inputs(o, d, branch[1]))
        return false;
    if (value_is_constant(cond) && cond->dtype == DTYPE_BOOL && shape_elems(&cond->shape) == 1)
        return take_branch(o, d, branch[tensor_get_int(cond->constant, 0) ? 0 : 1]);
    struct block *blocks[2];
    for (int i = 0; i < 2; i++) {
        blocks[i] = graph_add_block(o->im.g);
        struct onnx_surroundings around = onnx_enter(o, blocks[i], o->scope);
        bool ok = onnx_declare(o, branch[i]) && fill_block(o, d, branch[i], blocks[i]);
        onnx_leave(o, around);
        if (!ok)
            return false;
    }
    return emit(o, d, blocks, 2, branch[0]->n_output);
}

/* ---- Loop ---- */

/* The block's input i, of the type that the loop's inference will give it. */
static bool add_argument(struct onnx *o, const struct draft *d, const Onnx__GraphProto *body,
                         struct block *block, size_t i)
{
    const char *name = body->input[i]->name;
    const struct value *outer = draft_input(d, i);
    struct value *v = graph_add_value(o->im.g, name, VALUE_ARG);
    if (i >= CARRIED && !outer)
        return draft_error(o, d, SHEAF_ERROR_FORMAT, "the start of carried value %zu is left out",
                           i - CARRIED);
    v->dtype = i == TRIP ? DTYPE_I64 : i == COND ? DTYPE_BOOL : outer->dtype;
    if (i >= CARRIED)
        v->shape = outer->shape;
    v->layout = layout_plain(v->shape.rank);
    block_add_input(o->im.g, block, v);
    if (name && *name)
        name_map_put(&o->scope->values, o->im.arena, name, v);
    return true;
}

bool onnx_adapt_loop(struct onnx *o, struct draft *d)
{
    const Onnx__GraphProto *body = onnx_graph_attr(d, "body");
    if (!body)
        return draft_error(o, d, SHEAF_ERROR_FORMAT, "Loop has no body");
    while (d->n_in < CARRIED)
        draft_set_input(o, d, d->n_in, NULL);
    if (body->n_input != d->n_in || body->n_output + 1 < d->n_in)
        return draft_error(o, d, SHEAF_ERROR_FORMAT,
                           "the body of Loop has %zu inputs and %zu outputs, which do not suit its "
                           "%zu inputs",
                           body->n_input, body->n_output, d->n_in);
    for (size_t i = CARRIED; i < d->n_in; i++)
        if (onnx_is_sequence(d->in[i]))
            return onnx_unroll_loop(o, d, body);
    struct block *block = graph_add_block(o->im.g);
    struct onnx_surroundings around = onnx_enter(o, block, o->scope);
    bool ok = onnx_declare(o, body);
    for (size_t i = 0; ok && i < body->n_input; i++)
        ok = add_argument(o, d, body, block, i);
    ok = ok && fill_block(o, d, body, block);
    onnx_leave(o, around);
    return ok && emit(o, d, &block, 1, body->n_output - 1);
}
