/*
 * If, and what it shares with Loop (loop.c): inner graphs become blocks, which see the names
 * around them.
 */
#include <string.h>

#include "loader/import/onnx/list.h"

const Onnx__GraphProto *onnx_graph_attr(const struct draft *d, const char *name)
{
    for (size_t i = 0; i < d->proto->n_attribute; i++) {
        const Onnx__AttributeProto *a = d->proto->attribute[i];
        if (a->name && !strcmp(a->name, name) && a->g)
            return a->g;
    }
    return NULL;
}

struct value *onnx_inner_output(struct onnx *o, const struct draft *d, const Onnx__GraphProto *p,
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
        ok = (out[i] = onnx_inner_output(o, d, p, i)) != NULL;
    onnx_leave(o, around);
    return ok;
}

static bool bind_results(struct onnx *o, struct draft *d, const struct onnx_control *c,
                         struct value *const *parts)
{
    for (size_t i = 0; i < d->n_out; i++)
        draft_bind(o, d, i, list_form_unpack(o, &c->out[i].form, parts + c->out[i].first));
    d->done = true;
    return draft_check_attrs(o, d);
}

bool onnx_emit_control(struct onnx *o, struct draft *d, const struct onnx_control *c)
{
    size_t n_parts = 0;
    for (size_t i = 0; i < c->n_out; i++)
        n_parts += list_form_parts(&c->out[i].form);
    if (!n_parts) /* lists without tensors */
        return bind_results(o, d, c, &(struct value *){NULL});
    struct node *n = build_begin(&o->im, d->op, d->name, c->in, c->n_in, n_parts);
    n->blocks = arena_copy(o->im.arena, c->blocks, c->n_blocks * sizeof(struct block *));
    n->n_blocks = c->n_blocks;
    const char **names = arena_array(o->im.arena, n_parts, sizeof *names);
    for (size_t i = 0, at = 0; i < c->n_out; i++) {
        const char *name = i < d->n_out ? d->out[i] : "";
        bool plain = list_form_is_plain(&c->out[i].form);
        c->out[i].first = at;
        for (size_t k = 0; k < list_form_parts(&c->out[i].form); k++, at++) {
            names[at] = plain ? name : "";
            graph_node_output(o->im.g, n, at, names[at]);
            if (plain)
                onnx_preset(o, n->out[at], name_map_get(&o->scope->declared, name));
        }
    }
    return build_end(&o->im, n, names) && bind_results(o, d, c, n->out);
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

/* The nodes of a branch, and what it gives. */
static bool fill_branch(struct onnx *o, const struct draft *d, const Onnx__GraphProto *p,
                        struct block *block, struct value **out)
{
    struct onnx_surroundings around = onnx_enter(o, block, o->scope);
    bool ok = onnx_declare(o, p) && onnx_nodes(o, p);
    for (size_t i = 0; ok && i < p->n_output; i++)
        ok = (out[i] = onnx_inner_output(o, d, p, i)) != NULL;
    onnx_leave(o, around);
    return ok;
}

/* Both branches give what is an output in one form. */
static bool give_output(struct onnx *o, const struct draft *d, struct block **blocks,
                        struct value *const *given, struct list_form *out_form)
{
    struct list_form f = {0};
    if (!list_form_join(o, d, &f, given[0]) || !list_form_join(o, d, &f, given[1]))
        return false;
    for (int b = 0; b < 2; b++) {
        struct onnx_surroundings around = onnx_enter(o, blocks[b], o->scope);
        struct value **parts = list_form_pack(o, d, &f, given[b]);
        for (size_t k = 0; parts && k < list_form_parts(&f); k++)
            block_add_output(o->im.g, blocks[b], parts[k]);
        onnx_leave(o, around);
        if (!parts)
            return false;
    }
    *out_form = f;
    return true;
}

static bool emit_branches(struct onnx *o, struct draft *d, const Onnx__GraphProto *const *branch)
{
    struct arena *a = o->im.arena;
    size_t n = branch[0]->n_output;
    struct block *blocks[2];
    struct value **given[2];
    for (int b = 0; b < 2; b++) {
        blocks[b] = graph_add_block(o->im.g);
        given[b] = arena_array(a, n, sizeof(struct value *));
        if (!fill_branch(o, d, branch[b], blocks[b], given[b]))
            return false;
    }
    struct onnx_result *out = arena_array(a, n, sizeof *out);
    for (size_t i = 0; i < n; i++) {
        struct value *const both[] = {given[0][i], given[1][i]};
        if (!give_output(o, d, blocks, both, &out[i].form))
            return false;
    }
    return onnx_emit_control(o, d, &(struct onnx_control){d->in, d->n_in, blocks, 2, out, n});
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
    if (branch[0]->n_output != branch[1]->n_output)
        return draft_error(o, d, SHEAF_ERROR_FORMAT, "its branches give %zu and %zu outputs",
                           branch[0]->n_output, branch[1]->n_output);
    if (d->n_out > branch[0]->n_output)
        return draft_error(o, d, SHEAF_ERROR_FORMAT, "If has %zu outputs, its branches give %zu",
                           d->n_out, branch[0]->n_output);
    return emit_branches(o, d, branch);
}
