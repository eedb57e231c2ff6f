/*
 * A node of an operator that is the user's.  The importer has read what the function will be given,
 * and knows types and shapes of the outputs from the model or the user: all of it stands in the
 * attributes, so that nothing else has to be known here.
 *
 * Types of inputs are kept too: a pass that would store them otherwise must leave this node out.
 */
#include "ir/ops/common.h"

/* How many of the inputs are tensors of attributes. */
static size_t n_tensors(const struct extern_call_attrs *a)
{
    size_t n = 0;
    for (size_t i = 0; i < a->attribute_kinds.n; i++)
        n += a->attribute_kinds.v[i] == ATTR_KIND_TENSOR;
    return n;
}

static bool check_inputs(const struct node *n, const struct extern_call_attrs *a, struct error *err)
{
    for (size_t i = n->n_in - n_tensors(a); i < n->n_in; i++)
        if (!n->in[i])
            return error_set(err, SHEAF_ERROR_FORMAT,
                             "input %zu, a tensor of an attribute, is "
                             "left out",
                             i);
    for (size_t i = 0; i < n->n_in; i++) {
        int64_t type = n->in[i] ? (int64_t)dtype_code(n->in[i]->dtype) : 0;
        if (type != a->in_types.v[i])
            return error_set(err, SHEAF_ERROR_SHAPE,
                             "input %zu of %s is of another type than in the model", i, a->op);
    }
    return true;
}

/* The lists that stand for attributes are as long as they must be. */
static bool check_attributes(const struct extern_call_attrs *a, size_t n_in)
{
    size_t n = a->attribute_kinds.n, used[ATTR_KIND_TENSOR + 1] = {0};
    if (a->attribute_names.n != n || a->attribute_sizes.n != n || n_tensors(a) > n_in)
        return false;
    for (size_t i = 0; i < n; i++) {
        int64_t kind = a->attribute_kinds.v[i], size = a->attribute_sizes.v[i];
        if (kind < ATTR_KIND_INTS || kind > ATTR_KIND_TENSOR || size < 0 || size > INT32_MAX)
            return false;
        used[kind] += (size_t)size;
    }
    return used[ATTR_KIND_INTS] == a->ints.n && used[ATTR_KIND_FLOATS] == a->floats.n &&
           used[ATTR_KIND_STRINGS] == a->strings.n;
}

bool extern_call_infer(struct graph *g, struct node *n, struct error *err)
{
    (void)g;
    const struct extern_call_attrs *a = n->attrs;
    size_t dim = 0;
    if (a->in_types.n != n->n_in || a->out_types.n != n->n_out || a->out_ranks.n != n->n_out ||
        !check_attributes(a, n->n_in))
        return error_set(err, SHEAF_ERROR_FORMAT, "the lists of a call do not fit together");
    if (!check_inputs(n, a, err))
        return false;
    for (size_t i = 0; i < n->n_out; i++) {
        enum dtype type = dtype_from_code(a->out_types.v[i]);
        int64_t rank = a->out_ranks.v[i];
        if (rank < 0 || rank > MAX_RANK || a->out_dims.n - dim < (size_t)rank ||
            (n->out[i] && type == DTYPE_NONE))
            return error_set(err, SHEAF_ERROR_FORMAT, "output %zu has no type or shape", i);
        struct shape s = shape_of_dims((int)rank, a->out_dims.v + dim);
        if (!ops_set_output(n, i, type, &s, err))
            return false;
        dim += (size_t)rank;
    }
    return true;
}

/* ---- lower ---- */

struct cursor {
    const struct extern_call_attrs *a;
    size_t ints, floats, strings;
    int tensor;
};

static struct kextern_attr next_attribute(struct cursor *c, size_t i)
{
    const struct extern_call_attrs *a = c->a;
    size_t n = (size_t)a->attribute_sizes.v[i];
    struct kextern_attr r = {.name = a->attribute_names.v[i]};
    switch ((enum attr_kind)a->attribute_kinds.v[i]) {
    case ATTR_KIND_FLOATS:
        r.kind = KEXTERN_FLOATS;
        r.u.floats = (struct attr_floats){n ? a->floats.v + c->floats : NULL, n};
        c->floats += n;
        break;
    case ATTR_KIND_STRINGS:
        r.kind = KEXTERN_STRINGS;
        r.u.strings = (struct attr_strings){n ? a->strings.v + c->strings : NULL, n};
        c->strings += n;
        break;
    case ATTR_KIND_TENSOR:
        r.kind = KEXTERN_TENSOR;
        r.u.tensor = c->tensor++;
        break;
    default:
        r.kind = KEXTERN_INTS;
        r.u.ints = (struct attr_ints){n ? a->ints.v + c->ints : NULL, n};
        c->ints += n;
        break;
    }
    return r;
}

void extern_call_lower(struct lower *l)
{
    const struct extern_call_attrs *a = l->node->attrs;
    struct arena *arena = l->kernel->arena;
    size_t n = a->attribute_kinds.n, n_in = l->node->n_in - n_tensors(a);
    struct cursor c = {.a = a, .tensor = (int)n_in};
    struct kextern_attr *attrs = arena_array(arena, n, sizeof *attrs);
    for (size_t i = 0; i < n; i++)
        attrs[i] = next_attribute(&c, i);
    struct kextern call = {
        .op = a->op,
        .in = arena_copy(arena, l->in, l->node->n_in * sizeof *l->in),
        .out = arena_copy(arena, l->out, l->node->n_out * sizeof *l->out),
        .n_in = (int)n_in,
        .n_tensors = (int)(l->node->n_in - n_in),
        .n_out = (int)l->node->n_out,
        .attrs = attrs,
        .n_attrs = (int)n,
    };
    kernel_extern(l->kernel, &call);
}
