/*
 * program_control.c: If and Loop as steps of the program tree, and the copies that join the values
 * of their blocks to those around them.
 *
 * A block's output and the node's output it becomes are one buffer where both are known to have the
 * same shape and nothing else claims either; otherwise a copy follows the block.  Values from
 * around the block are used where they lie.
 */
#include <assert.h>

#include "ir/program_build.h"

/* ---- small kernels ---- */

int program_call_arg(struct program_builder *b, struct step *s, size_t *cap, int buf,
                     enum kbuf_role role)
{
    struct kernel *k = s->kernel;
    const struct pbuf *pb = &b->program->bufs[buf];
    for (size_t i = 0; i < k->n_bufs; i++)
        if (s->args[i] == buf)
            return (int)i;
    int extent_buf[MAX_RANK];
    for (int d = 0; d < pb->rank; d++)
        extent_buf[d] =
            pb->extent_buf[d] < 0 ? -1 : program_call_arg(b, s, cap, pb->extent_buf[d], KBUF_IN);
    int i = kernel_add_buf(k, pb->name, pb->dtype, role, pb->rank, pb->dims);
    k->bufs[i].layout = pb->layout;
    k->bufs[i].constant = pb->constant;
    for (int d = 0; d < pb->rank; d++)
        k->bufs[i].extent_buf[d] = extent_buf[d];
    size_t n = (size_t)i;
    ARENA_PUSH(b->program->arena, s->args, n, *cap) = buf;
    return i;
}

struct step *program_call_begin(struct program_builder *b, const char *name)
{
    struct step *s = program_add_step(b, STEP_CALL, name);
    s->kernel = kernel_create(b->program->arena, name);
    return s;
}

void program_call_end(struct step *s)
{
    struct error err;
    error_init(&err);
    kernel_simplify(s->kernel);
    bool valid = kernel_validate(s->kernel, &err);
    assert(valid);
    (void)valid;
}

static void map_over(struct kernel *k, int buf, kval *out_index)
{
    int rank = k->bufs[buf].rank;
    kval extent[MAX_RANK];
    for (int d = 0; d < rank; d++)
        extent[d] = kernel_extent(k, buf, d);
    if (rank)
        kernel_map_begin(k, rank, extent, out_index);
}

void program_copy(struct program_builder *b, int from, int to)
{
    struct step *s = program_call_begin(b, "copy");
    struct kernel *k = s->kernel;
    size_t cap = 0;
    int in = program_call_arg(b, s, &cap, from, KBUF_IN);
    int out = program_call_arg(b, s, &cap, to, KBUF_OUT);
    kval index[MAX_RANK];
    map_over(k, in, index);
    kernel_store(k, out, index, kernel_load(k, in, index));
    if (k->bufs[in].rank)
        kernel_map_end(k);
    program_call_end(s);
}

/* The index of the buffer's first element. */
static void first_index(struct kernel *k, int buf, kval *out)
{
    for (int d = 0; d < k->bufs[buf].rank; d++)
        out[d] = kernel_const_index(k, 0);
}

static void store_scalar(struct program_builder *b, int to, int64_t value)
{
    struct step *s = program_call_begin(b, "set");
    struct kernel *k = s->kernel;
    size_t cap = 0;
    int out = program_call_arg(b, s, &cap, to, KBUF_OUT);
    kval zero[MAX_RANK];
    first_index(k, out, zero);
    kernel_store(k, out, zero, kernel_const_int(k, k->bufs[out].dtype, value));
    program_call_end(s);
}

/* scans[*index, ...] = element: one round of a scan output.  Rounds beyond the bound that the model
   declares are dropped. */
static void append_scan(struct program_builder *b, int element, int scans, int index)
{
    struct step *s = program_call_begin(b, "append");
    struct kernel *k = s->kernel;
    size_t cap = 0;
    int in = program_call_arg(b, s, &cap, element, KBUF_IN);
    int counter = program_call_arg(b, s, &cap, index, KBUF_IN);

    /* The outer extent is not known before the loop ends, and no address depends on it. */
    int outer_extent = b->program->bufs[scans].extent_buf[0];
    b->program->bufs[scans].extent_buf[0] = -1;
    int out = program_call_arg(b, s, &cap, scans, KBUF_INOUT);
    b->program->bufs[scans].extent_buf[0] = outer_extent;

    kval zero[MAX_RANK], at[MAX_RANK];
    first_index(k, counter, zero);
    at[0] = kernel_load(k, counter, zero);
    kval bound = kernel_const_index(k, k->bufs[out].dims[0]);
    kernel_if_begin(k, kernel_compare(k, KOP_LT, at[0], bound));
    map_over(k, in, at + 1);
    kernel_store(k, out, at, kernel_load(k, in, at + 1));
    if (k->bufs[in].rank)
        kernel_map_end(k);
    kernel_if_else(k, 0, NULL);
    kernel_if_end(k, 0, NULL, NULL);
    program_call_end(s);
}

/* The extent of scan outputs of at most `bound` elements: the rounds that the index counted. */
static void count_rounds(struct program_builder *b, int index, int64_t bound, int to)
{
    struct step *s = program_call_begin(b, "rounds");
    struct kernel *k = s->kernel;
    size_t cap = 0;
    int in = program_call_arg(b, s, &cap, index, KBUF_IN);
    int out = program_call_arg(b, s, &cap, to, KBUF_OUT);
    kval from[MAX_RANK], at[MAX_RANK];
    first_index(k, in, from);
    first_index(k, out, at);
    kval rounds = kernel_load(k, in, from);
    kernel_store(k, out, at, kernel_binary(k, KOP_MIN, rounds, kernel_const_index(k, bound)));
    program_call_end(s);
}

/* ---- values ---- */

static void copy_extents(struct program_builder *b, const struct value *from, int to)
{
    for (int d = 0; d < from->shape.rank; d++) {
        int extent = b->program->bufs[to].extent_buf[d];
        if (extent < 0)
            continue;
        if (from->shape.extent[d])
            program_copy(b, program_buf_of(b, from->shape.extent[d]), extent);
        else
            store_scalar(b, extent, from->shape.dims[d]);
    }
}

/* Extents first: they place the elements. */
static void copy_value(struct program_builder *b, const struct value *from, int to)
{
    int source = program_buf_of(b, from);
    if (source == to)
        return;
    copy_extents(b, from, to);
    program_copy(b, source, to);
}

static bool same_storage(const struct program_builder *b, const struct value *x,
                         const struct value *y)
{
    return x->dtype == y->dtype && shape_is_static(&x->shape) && shape_is_static(&y->shape) &&
           shape_equal(&x->shape, &y->shape) && layout_equal(&x->layout, &y->layout) &&
           !b->uses.is_extent[x->id] && !b->uses.is_extent[y->id];
}

static bool produced_in(const struct block *block, const struct value *v)
{
    for (size_t i = 0; i < block->n_nodes; i++)
        if (v->role == VALUE_TEMP && v->producer == block->nodes[i])
            return true;
    return false;
}

/* ---- If: hidden outputs behind those of the blocks are extents ---- */

void lower_if(struct lower *l)
{
    struct program_builder *b = l->program;
    const struct node *n = l->node;
    int cond = program_buf_of(b, n->in[0]);
    for (size_t i = 0; i < n->n_out; i++)
        if (n->out[i])
            program_buf_of(b, n->out[i]);
    struct step *s = program_add_step(b, STEP_IF, n->name);
    s->cond = cond;
    for (size_t branch = 0; branch < 2; branch++) {
        const struct block *block = n->blocks[branch];
        for (size_t i = 0; i < block->n_out; i++) {
            const struct value *from = block->out[i], *to = n->out[i];
            if (to && produced_in(block, from) && b->buf_of[from->id] < 0 &&
                same_storage(b, from, to))
                b->buf_of[from->id] = b->buf_of[to->id];
        }
        program_build_block(b, &s->bodies[branch], block);
        struct steps *outer = b->steps;
        b->steps = &s->bodies[branch];
        for (size_t i = 0; i < block->n_out; i++)
            if (n->out[i])
                copy_value(b, block->out[i], b->buf_of[n->out[i]->id]);
        b->steps = outer;
    }
}

/* ---- Loop: a hidden output behind those of the body is the extent of scan outputs ---- */

/* A value for the next round: copied to `to` at the end of this one. */
struct carry {
    const struct value *next;
    int to;
};

/*
 * All next values become current at once.  Carried values have fixed shapes.  One that is itself a
 * value carried (or a view of one) may be overwritten before it is read, as in a swap: such values
 * go through temporaries.
 */
static void carry_all(struct program_builder *b, struct carry *carry, size_t n)
{
    struct program *p = b->program;
    int *source = arena_array(p->arena, n, sizeof *source);
    for (size_t i = 0; i < n; i++) {
        source[i] = program_buf_of(b, carry[i].next);
        int storage = program_storage_of(p, source[i]);
        bool overwritten = false;
        for (size_t j = 0; j < n; j++)
            overwritten |= j != i && carry[j].to == storage;
        if (storage == carry[i].to)
            source[i] = storage;
        if (!overwritten)
            continue;
        const struct pbuf like = p->bufs[source[i]];
        int temp = program_add_buf(b, arena_printf(p->arena, "%s.next", like.name), like.dtype,
                                   like.rank, like.dims);
        p->bufs[temp].layout = like.layout;
        p->bufs[temp].bytes = like.bytes;
        program_copy(b, source[i], temp);
        source[i] = temp;
    }
    for (size_t i = 0; i < n; i++) {
        if (source[i] != carry[i].to)
            program_copy(b, source[i], carry[i].to);
    }
}

/* The loop's condition: -1 where it always holds. */
static int loop_condition(struct program_builder *b, const struct node *n, struct carry *out_carry)
{
    const struct block *body = n->blocks[0];
    const struct value *arg = body->in[1], *next = body->out[0];
    const struct value *first = n->n_in > 1 ? n->in[1] : NULL;
    bool always = !first || (value_is_true(first) &&
                             (value_behind_views(next) == arg || value_is_true(next)));
    if (always) {
        if (b->uses.count[arg->id] > (next == arg))
            store_scalar(b, program_buf_of(b, arg), 1);
        return -1;
    }
    int buf = program_buf_of(b, arg);
    copy_value(b, first, buf);
    *out_carry = (struct carry){.next = next, .to = buf};
    return buf;
}

void lower_loop(struct lower *l)
{
    struct program_builder *b = l->program;
    const struct node *n = l->node;
    const struct block *body = n->blocks[0];
    size_t n_carried = n->n_in > 2 ? n->n_in - 2 : 0;
    struct carry *carry = arena_array(b->program->arena, n_carried + 1, sizeof *carry);
    size_t n_carry = 0;

    int trip = n->n_in > 0 && n->in[0] ? program_buf_of(b, n->in[0]) : -1;
    int index = program_buf_of(b, body->in[0]);
    for (size_t i = 0; i < n->n_out; i++)
        if (n->out[i])
            program_buf_of(b, n->out[i]);
    for (size_t i = 0; i < n_carried; i++) {
        const struct value *arg = body->in[2 + i], *result = n->out[i];
        if (result && same_storage(b, arg, result))
            b->buf_of[arg->id] = b->buf_of[result->id];
        carry[n_carry++] = (struct carry){.next = body->out[1 + i], .to = program_buf_of(b, arg)};
        copy_value(b, n->in[2 + i], carry[n_carry - 1].to);
    }
    int cond = loop_condition(b, n, &carry[n_carry]);
    n_carry += cond >= 0;

    struct step *s = program_add_step(b, STEP_LOOP, n->name);
    s->trip = trip;
    s->index = index;
    s->cond = cond;
    program_build_block(b, &s->bodies[0], body);
    struct steps *outer = b->steps;
    b->steps = &s->bodies[0];
    size_t n_visible = body->n_out - 1;
    for (size_t i = n_carried; i < n_visible; i++)
        if (n->out[i])
            append_scan(b, program_buf_of(b, body->out[1 + i]), b->buf_of[n->out[i]->id], index);
    carry_all(b, carry, n_carry);
    b->steps = outer;

    for (size_t i = 0; i < n_visible; i++) {
        if (!n->out[i])
            continue;
        int result = b->buf_of[n->out[i]->id];
        const struct pbuf *scans = &b->program->bufs[result];
        if (i < n_carried)
            copy_value(b, body->in[2 + i], result);
        else if (scans->extent_buf[0] >= 0)
            count_rounds(b, index, scans->dims[0], scans->extent_buf[0]);
    }
}
