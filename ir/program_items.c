/*
 * program_items.c: a network of one item that runs on as many as the client has.
 *
 * The steps of the network stand in a loop.  Each round copies the item's part of every input to
 * where the network reads it, and its results to their place among the outputs.  So the code and
 * the activations are those of one item, whatever the largest number is, and the results have the
 * bits that they have for any number.  (Kernels that take all items at once would read weights once
 * for all; the copies are small beside either.)
 *
 * How many there are is read before the first round and kept within 0 and the largest number: it is
 * the trip count, and the extent of the outputs.
 */
#include "ir/program_build.h"

static int add_client_buf(struct program_builder *b, const struct value *v, enum sheaf_role role)
{
    int64_t dims[MAX_RANK];
    for (int d = 0; d < v->shape.rank; d++)
        dims[d] = d ? v->shape.dims[d] : b->graph->max_items;
    int i = program_add_buf(b, v->name, v->dtype, v->shape.rank, dims);
    struct pbuf *buf = &b->program->bufs[i];
    buf->area = AREA_MUTABLE;
    buf->role = role;
    buf->quant = v->quant;
    buf->value = v;
    return i;
}

/* Where the network has an item: storage of its own, found by nobody else. */
static void add_item_buf(struct program_builder *b, const struct value *v)
{
    int i = program_add_buf(b, arena_printf(b->program->arena, "%s.item", v->name), v->dtype,
                            v->shape.rank, v->shape.dims);
    b->buf_of[v->id] = i;
}

void program_items_begin(struct program_builder *b)
{
    const struct block *body = &b->graph->body;
    struct arena *a = b->program->arena;
    b->item_in = arena_array(a, body->n_in, sizeof *b->item_in);
    b->item_out = arena_array(a, body->n_out, sizeof *b->item_out);
    for (size_t i = 0; i < body->n_in; i++)
        b->item_in[i] = add_client_buf(b, body->in[i], SHEAF_ROLE_INPUT);
    b->n_items = program_add_buf(b, b->graph->items, DTYPE_I64, 0, NULL);
    b->program->bufs[b->n_items].area = AREA_MUTABLE;
    b->program->bufs[b->n_items].role = SHEAF_ROLE_INPUT;
    for (size_t i = 0; i < body->n_out; i++)
        b->item_out[i] = add_client_buf(b, body->out[i], SHEAF_ROLE_OUTPUT);
    for (size_t i = 0; i < body->n_in; i++)
        add_item_buf(b, body->in[i]);
}

/* to[] = min(max(from[], 0), max) */
static void add_count(struct program_builder *b, int from, int to)
{
    struct step *s = program_call_begin(b, "count");
    struct kernel *k = s->kernel;
    size_t cap = 0;
    int in = program_call_arg(b, s, &cap, from, KBUF_IN);
    int out = program_call_arg(b, s, &cap, to, KBUF_OUT);
    kval n = kernel_load(k, in, NULL);
    n = kernel_binary(k, KOP_MAX, n, kernel_const_int(k, DTYPE_I64, 0));
    n = kernel_binary(k, KOP_MIN, n, kernel_const_int(k, DTYPE_I64, b->graph->max_items));
    kernel_store(k, out, NULL, n);
    program_call_end(s);
}

/* Element `index` of `items` along the first dimension becomes `item`, or the other way round. */
static void move_item(struct program_builder *b, int items, int index, int item, bool out)
{
    struct step *s = program_call_begin(b, out ? "put" : "take");
    struct kernel *k = s->kernel;
    size_t cap = 0;
    int one = program_call_arg(b, s, &cap, item, out ? KBUF_IN : KBUF_OUT);
    int at = program_call_arg(b, s, &cap, index, KBUF_IN);
    int all = program_call_arg(b, s, &cap, items, out ? KBUF_INOUT : KBUF_IN);
    int rank = k->bufs[one].rank;
    kval n = kernel_load(k, at, NULL), extent[MAX_RANK], idx[MAX_RANK], place[MAX_RANK];
    for (int d = 0; d < rank; d++)
        extent[d] = kernel_extent(k, one, d);
    kernel_map_begin(k, rank, extent, idx);
    for (int d = 0; d < rank; d++)
        place[d] = d ? idx[d] : n;
    if (out)
        kernel_store(k, all, place, kernel_load(k, one, idx));
    else
        kernel_store(k, one, idx, kernel_load(k, all, place));
    kernel_map_end(k);
    program_call_end(s);
}

void program_items_run(struct program_builder *b)
{
    const struct block *body = &b->graph->body;
    struct program *p = b->program;
    b->steps = &p->body;
    int count =
        program_add_buf(b, arena_printf(p->arena, "%s.count", b->graph->items), DTYPE_I64, 0, NULL);
    int index =
        program_add_buf(b, arena_printf(p->arena, "%s.index", b->graph->items), DTYPE_I64, 0, NULL);
    add_count(b, b->n_items, count);
    for (size_t i = 0; i < body->n_out; i++)
        p->bufs[b->item_out[i]].extent_buf[0] = count;
    struct step *loop = program_add_step(b, STEP_LOOP, b->graph->items);
    loop->trip = count;
    loop->index = index;
    b->steps = &loop->bodies[0];
    for (size_t i = 0; i < body->n_in; i++)
        move_item(b, b->item_in[i], index, program_buf_of(b, body->in[i]), false);
    program_build_block(b, &loop->bodies[0], body);
    b->steps = &loop->bodies[0];
    for (size_t i = 0; i < body->n_out; i++)
        move_item(b, b->item_out[i], index, program_buf_of(b, body->out[i]), true);
}
