/*
 * Activations of type i8 become u8 with a zero point 128 higher where the target's dot product
 * takes unsigned bytes: the same numbers.  What leaves or enters the graph keeps its type.
 */
#include "ir/ops/common.h"
#include "ir/passes/lower_quantized.h"

/* A zero point of type u8 in input 2 of the node, whose output's or input's type it decides. */
static void raise_zero(struct lowering *l, struct node *n)
{
    const struct value *old = ops_has_input(n, 2) ? n->in[2] : NULL;
    int64_t zero = old ? tensor_get_int(old->constant, 0) : 0;
    struct tensor *t =
        tensor_new(l->g->arena, DTYPE_U8, n->in[1]->shape.rank, n->in[1]->shape.dims);
    tensor_set_int(t, 0, zero + 128);
    struct value *in[3] = {
        n->in[0], n->in[1],
        lq_constant(l, old ? lq_name(l, old, "u8") : lq_name(l, n->in[1], "zero_point"), t)};
    enum op op = n->op;
    void *attrs = n->attrs;
    lq_become(l, n, op, 3, in);
    n->attrs = attrs;
}

/* Who dequantizes a value. */
struct users {
    struct node **node;
    size_t n, cap;
    bool others; /* some user is no DequantizeLinear, with its parameters known */
};

struct bytes {
    struct lowering *l;
    struct users *of; /* by id of the value */
};

static void collect_users(struct graph *g, struct block *b, void *arg)
{
    (void)g;
    struct bytes *s = arg;
    for (size_t i = 0; i < b->n_nodes; i++) {
        struct node *n = b->nodes[i];
        for (size_t j = 0; j < n->n_in; j++) {
            if (!n->in[j])
                continue;
            struct operand o;
            struct users *u = &s->of[n->in[j]->id];
            bool known = n->op == OP_dequantize_linear && j == 0 && lq_operand(n->out[0], &o) &&
                         lq_is_per_tensor(&o);
            u->others |= !known;
            ARENA_PUSH(&s->l->scratch, u->node, u->n, u->cap) = n;
        }
    }
    for (size_t i = 0; i < b->n_out; i++)
        s->of[b->out[i]->id].others = true;
}

static void use_unsigned(struct lowering *l, struct node *q, const struct users *u)
{
    struct quantize_linear_attrs *a = q->attrs;
    raise_zero(l, q);
    a->output_dtype = 0;
    lq_became(l, q);
    q->out[0]->quant = (struct quant){0, 0};
    for (size_t i = 0; i < u->n; i++) {
        raise_zero(l, u->node[i]);
        lq_became(l, u->node[i]);
    }
}

static void use_in_block(struct graph *g, struct block *b, void *arg)
{
    (void)g;
    const struct bytes *s = arg;
    for (size_t i = 0; i < b->n_nodes; i++) {
        struct node *q = b->nodes[i];
        struct quant to;
        if (q->op != OP_quantize_linear || q->out[0]->dtype != DTYPE_I8 || !lq_target(q, &to))
            continue;
        const struct users *u = &s->of[q->out[0]->id];
        if (u->n && !u->others)
            use_unsigned(s->l, q, u);
    }
}

void lq_use_unsigned_bytes(struct lowering *l)
{
    const struct target *t = l->opt->target;
    if (!lq_fused(l) || !t || !t->unsigned_bytes)
        return;
    arena_init(&l->scratch);
    struct bytes s = {l, arena_array(&l->scratch, l->g->n_values, sizeof *s.of)};
    graph_each_block(l->g, collect_users, &s);
    graph_each_block(l->g, use_in_block, &s);
    arena_done(&l->scratch);
}
