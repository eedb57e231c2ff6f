/*
 * eval_extern.c: calls of the user's functions, as emitted code makes them.
 */
#include <assert.h>

#include "ir/eval_internal.h"

static const struct eval_buf *buffer_of(struct eval *e, int buf)
{
    if (buf < 0)
        return NULL;
    eval_buf_refresh(e, buf);
    return &e->bufs[buf];
}

static struct sheaf_extern_input *inputs_of(struct eval *e, const struct kextern *call)
{
    size_t n = (size_t)(call->n_in + call->n_tensors);
    struct sheaf_extern_input *in = arena_array(e->scratch, n, sizeof *in);
    for (size_t i = 0; i < n; i++) {
        const struct eval_buf *b = buffer_of(e, call->in[i]);
        if (b)
            in[i] = (struct sheaf_extern_input){b->data, b->dims, (uint32_t)dtype_code(b->dtype),
                                                (uint32_t)b->rank};
    }
    return in;
}

static struct sheaf_extern_output *outputs_of(struct eval *e, const struct kextern *call)
{
    size_t n = (size_t)call->n_out;
    struct sheaf_extern_output *out = arena_array(e->scratch, n, sizeof *out);
    for (size_t i = 0; i < n; i++) {
        const struct eval_buf *b = buffer_of(e, call->out[i]);
        if (b)
            out[i] = (struct sheaf_extern_output){b->data, b->dims, (uint32_t)dtype_code(b->dtype),
                                                  (uint32_t)b->rank};
    }
    return out;
}

static struct sheaf_extern_attribute attribute_of(const struct kextern_attr *a)
{
    struct sheaf_extern_attribute r = {.name = a->name, .kind = kextern_abi_kind(a)};
    r.n = kextern_abi_count(a);
    if (a->kind == KEXTERN_INTS)
        r.values.ints = a->u.ints.v;
    else if (a->kind == KEXTERN_FLOATS)
        r.values.floats = a->u.floats.v;
    else if (a->kind == KEXTERN_STRINGS)
        r.values.strings = a->u.strings.v;
    return r;
}

void eval_extern(struct eval *e, const struct kextern *call)
{
    sheaf_extern_fn fn = kextern_find(e->opt->functions, kextern_symbol(e->scratch, call->op));
    assert(fn && "whoever runs a network has looked for its functions");
    struct sheaf_extern_attribute *attrs =
        arena_array(e->scratch, (size_t)call->n_attrs, sizeof *attrs);
    for (int i = 0; i < call->n_attrs; i++)
        attrs[i] = attribute_of(&call->attrs[i]);
    struct sheaf_extern_call c = {
        .inputs = inputs_of(e, call),
        .outputs = outputs_of(e, call),
        .attributes = attrs,
        .n_inputs = (uint32_t)call->n_in,
        .n_outputs = (uint32_t)call->n_out,
        .n_attributes = (uint32_t)call->n_attrs,
    };
    fn(&c);
}
