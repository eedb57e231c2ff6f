/*
 * program_build.c: from the graph to a tree of kernel calls over buffers.
 *
 * Nodes are taken in their order; nodes of one region become one kernel.  Each graph value that a
 * kernel touches gets one program buffer, except that
 *   - a view (OP_VIEW between plain layouts) shares the storage of its source and costs nothing;
 *   - the outputs of If, and the values that Loop carries, stand for the values of the inner blocks
 *     wherever shapes allow, so that branches write their results in place.
 * Values that a kernel makes and nobody else reads are its locals, which kernel_fuse may remove.
 *
 * The graph is valid, inferred, and its layouts are chosen.  The client's tensors (inputs, outputs,
 * state) come first among the buffers, in the graph's order: they are the bundle's symbols.
 */
#include "ir/program_build.h"

#include <assert.h>
#include <string.h>

#include "ir/checked.h"
#include "ir/kernel_raw.h"

/* The storage of all buffers together stays below this; beyond it no machine could run the bundle,
   and offsets could overflow. */
#define LIMIT_PROGRAM_BYTES ((int64_t)1 << 46)

/* ---- who uses what ---- */

static void count_block(struct value_uses *u, const struct block *b)
{
    for (size_t i = 0; i < b->n_nodes; i++) {
        const struct node *n = b->nodes[i];
        for (size_t j = 0; j < n->n_in; j++)
            if (n->in[j])
                u->count[n->in[j]->id]++;
        for (size_t j = 0; j < n->n_blocks; j++)
            count_block(u, n->blocks[j]);
    }
    for (size_t i = 0; i < b->n_out; i++)
        u->count[b->out[i]->id]++;
}

static struct value_uses count_uses(struct arena *a, const struct graph *g)
{
    struct value_uses u = {
        .count = arena_array(a, g->n_values, sizeof(uint32_t)),
        .is_extent = arena_array(a, g->n_values, sizeof(bool)),
    };
    count_block(&u, &g->body);
    for (size_t i = 0; i < g->n_values; i++) {
        const struct value *v = g->values[i];
        for (int d = 0; d < v->shape.rank; d++)
            if (v->shape.extent[d])
                u.is_extent[v->shape.extent[d]->id] = true;
    }
    return u;
}

/* ---- one region to one kernel ---- */

struct region {
    struct kernel *kernel;
    const struct value_uses *uses;
    struct node *const *nodes;
    size_t n;
    const struct value **value_of; /* per kernel buffer, NULL for what lower adds */
    size_t n_values, cap_values;
};

static bool produced_here(const struct region *r, const struct value *v)
{
    for (size_t i = 0; i < r->n; i++)
        for (size_t j = 0; j < r->nodes[i]->n_out; j++)
            if (r->nodes[i]->out[j] == v)
                return true;
    return false;
}

static uint32_t uses_here(const struct region *r, const struct value *v)
{
    uint32_t count = 0;
    for (size_t i = 0; i < r->n; i++)
        for (size_t j = 0; j < r->nodes[i]->n_in; j++)
            count += r->nodes[i]->in[j] == v;
    return count;
}

/* An OP_STATE node updates its last input in place. */
static bool updated_here(const struct region *r, const struct value *v)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct node *n = r->nodes[i];
        if ((op_desc(n->op)->flags & OP_STATE) && n->n_in && n->in[n->n_in - 1] == v)
            return true;
    }
    return false;
}

static enum kbuf_role region_role(const struct region *r, const struct value *v)
{
    if (produced_here(r, v)) {
        bool read_elsewhere = r->uses->count[v->id] > uses_here(r, v);
        return read_elsewhere || r->uses->is_extent[v->id] ? KBUF_OUT : KBUF_LOCAL;
    }
    return updated_here(r, v) ? KBUF_INOUT : KBUF_IN;
}

static int region_buf(struct region *r, const struct value *v)
{
    for (size_t i = 0; i < r->n_values; i++)
        if (r->value_of[i] == v)
            return (int)i;
    int extent_buf[MAX_RANK];
    for (int d = 0; d < v->shape.rank; d++)
        extent_buf[d] = v->shape.extent[d] ? region_buf(r, v->shape.extent[d]) : -1;
    struct kernel *k = r->kernel;
    int b = kernel_add_buf(k, v->name, v->dtype, region_role(r, v), v->shape.rank, v->shape.dims);
    k->bufs[b].layout = v->layout;
    k->bufs[b].constant = value_is_constant(v) ? v->constant : NULL;
    for (int d = 0; d < v->shape.rank; d++)
        k->bufs[b].extent_buf[d] = extent_buf[d];
    while (r->n_values < (size_t)b)
        ARENA_PUSH(k->arena, r->value_of, r->n_values, r->cap_values) = NULL;
    ARENA_PUSH(k->arena, r->value_of, r->n_values, r->cap_values) = v;
    return b;
}

static int *region_bufs(struct region *r, struct value *const *values, size_t n)
{
    int *bufs = arena_array(r->kernel->arena, n, sizeof *bufs);
    for (size_t i = 0; i < n; i++)
        bufs[i] = values[i] ? region_buf(r, values[i]) : -1;
    return bufs;
}

/* Buffers that the kernel does not touch go, with their numbers. */
static void drop_unused_bufs(struct kernel *k, const struct value **value_of)
{
    size_t n = k->n_bufs;
    bool *keep = arena_array(k->arena, n, sizeof *keep);
    int *number = arena_array(k->arena, n, sizeof *number);
    kernel_raw_touched_bufs(k, keep);
    for (size_t i = 0; i < n; i++)
        keep[i] |= k->bufs[i].role == KBUF_OUT || k->bufs[i].role == KBUF_INOUT;
    kernel_raw_keep_bufs(k, keep, number);
    for (size_t i = 0; i < n; i++)
        if (number[i] >= 0)
            value_of[number[i]] = value_of[i];
}

static const char *joined_names(struct arena *a, struct node *const *nodes, size_t n)
{
    struct strbuf s;
    strbuf_init(&s, a);
    for (size_t i = 0; i < n; i++)
        strbuf_printf(&s, "%s%s", i ? "+" : "", nodes[i]->name);
    return strbuf_text(&s);
}

static void finish_kernel(struct kernel *k)
{
    bool changed = true;
    while (changed) {
        changed = kernel_fuse(k);
        changed |= kernel_fuse_operand(k);
        changed |= kernel_fuse_load(k);
        changed |= kernel_simplify(k);
    }
    struct error err;
    error_init(&err);
    bool valid = kernel_validate(k, &err);
    assert(valid && "an operator's lowering made an invalid kernel");
    (void)valid;
}

/* The values of the kernel's buffers after kernel_fuse took some away: kernel_fuse keeps the order
   of those it leaves and their names' storage. */
static const struct value **values_after(struct kernel *k, const struct kbuf *before,
                                         const struct value **value_of, size_t n_before)
{
    const struct value **after = arena_array(k->arena, k->n_bufs, sizeof *after);
    size_t from = 0;
    for (size_t i = 0; i < k->n_bufs; i++) {
        while (from < n_before && before[from].name != k->bufs[i].name)
            from++;
        assert(from < n_before);
        after[i] = value_of[from++];
    }
    return after;
}

static struct kernel *lower_region(struct arena *arena, const struct value_uses *uses,
                                   struct node *const *nodes, size_t n,
                                   const struct value ***out_values_of)
{
    struct region r = {.kernel = kernel_create(arena, joined_names(arena, nodes, n)),
                       .uses = uses,
                       .nodes = nodes,
                       .n = n};
    struct kernel *k = r.kernel;
    for (size_t i = 0; i < n; i++) {
        const struct op_desc *desc = op_desc(nodes[i]->op);
        assert(!(desc->flags & OP_CONTROL));
        struct lower l = {.kernel = k, .node = nodes[i]};
        l.in = region_bufs(&r, nodes[i]->in, nodes[i]->n_in);
        l.out = region_bufs(&r, nodes[i]->out, nodes[i]->n_out);
        desc->lower(&l);
    }
    while (r.n_values < k->n_bufs)
        ARENA_PUSH(arena, r.value_of, r.n_values, r.cap_values) = NULL;
    size_t n_before = k->n_bufs;
    struct kbuf *before = arena_copy(arena, k->bufs, n_before * sizeof *before);
    finish_kernel(k);
    *out_values_of = values_after(k, before, r.value_of, n_before);
    drop_unused_bufs(k, *out_values_of);
    return k;
}

struct kernel *program_lower_region(struct arena *arena, const struct graph *g,
                                    struct node *const *nodes, size_t n,
                                    const struct value ***out_bufs_of)
{
    struct value_uses uses = count_uses(arena, g);
    return lower_region(arena, &uses, nodes, n, out_bufs_of);
}

/* ---- program buffers ---- */

int program_add_buf(struct program_builder *b, const char *name, enum dtype dtype, int rank,
                    const int64_t *dims)
{
    struct program *p = b->program;
    struct pbuf *buf = &ARENA_PUSH(p->arena, p->bufs, p->n_bufs, p->cap_bufs);
    memset(buf, 0, sizeof *buf);
    buf->name = name;
    buf->dtype = dtype;
    buf->rank = rank;
    for (int d = 0; d < rank; d++) {
        buf->dims[d] = dims[d];
        buf->extent_buf[d] = -1;
    }
    buf->layout = layout_plain(rank);
    buf->area = AREA_ACTIVATION;
    buf->view_of = -1;
    buf->bytes = dtype_bytes(dtype, layout_elems(&buf->layout, buf->dims));
    return (int)(p->n_bufs - 1);
}

static int add_value_buf(struct program_builder *b, const struct value *v)
{
    int i = program_add_buf(b, v->name, v->dtype, v->shape.rank, v->shape.dims);
    struct pbuf *buf = &b->program->bufs[i];
    buf->layout = v->layout;
    buf->quant = v->quant;
    buf->value = v;
    buf->bytes = dtype_bytes(v->dtype, layout_elems(&buf->layout, buf->dims));
    if (value_is_constant(v)) {
        buf->area = AREA_CONSTANT;
        buf->role = SHEAF_ROLE_CONSTANT;
        buf->constant = v->constant;
    } else if (v->role == VALUE_INPUT || v->role == VALUE_STATE) {
        buf->area = AREA_MUTABLE;
        buf->role = v->role == VALUE_INPUT ? SHEAF_ROLE_INPUT : SHEAF_ROLE_STATE;
    }
    for (int d = 0; d < v->shape.rank; d++) {
        if (!v->shape.extent[d])
            continue;
        assert(v->shape.extent[d]->role == VALUE_TEMP || v->shape.extent[d]->role == VALUE_ARG);
        int extent = program_buf_of(b, v->shape.extent[d]);
        b->program->bufs[i].extent_buf[d] = extent;
    }
    return i;
}

int program_buf_of(struct program_builder *b, const struct value *v)
{
    if (b->buf_of[v->id] < 0) {
        int i = add_value_buf(b, v);
        b->buf_of[v->id] = i;
    }
    return b->buf_of[v->id];
}

int program_storage_of(const struct program *p, int buf)
{
    while (p->bufs[buf].view_of >= 0)
        buf = p->bufs[buf].view_of;
    return buf;
}

int program_find_value(const struct program *p, const struct value *v)
{
    for (size_t i = 0; i < p->n_bufs; i++)
        if (p->bufs[i].value == v)
            return (int)i;
    return -1;
}

/* ---- steps ---- */

struct step *program_add_step(struct program_builder *b, enum step_kind kind, const char *name)
{
    struct arena *a = b->program->arena;
    struct step *s = arena_new(a, struct step);
    s->kind = kind;
    s->name = name;
    s->cond = s->trip = s->index = -1;
    ARENA_PUSH(a, b->steps->step, b->steps->n, b->steps->cap) = s;
    return s;
}

/* A buffer that lower added: scratch, or a table of constants. */
static int add_kernel_buf(struct program_builder *b, const struct kernel *k, const struct kbuf *kb)
{
    const char *name = arena_printf(b->program->arena, "%s.%s", k->name, kb->name);
    int i = program_add_buf(b, name, kb->dtype, kb->rank, kb->dims);
    struct pbuf *buf = &b->program->bufs[i];
    buf->layout = kb->layout;
    buf->bytes = dtype_bytes(kb->dtype, layout_elems(&buf->layout, buf->dims));
    if (kb->constant) {
        buf->area = AREA_CONSTANT;
        buf->role = SHEAF_ROLE_CONSTANT;
        buf->constant = kb->constant;
    }
    return i;
}

static void build_call(struct program_builder *b, struct node *const *nodes, size_t n)
{
    struct arena *a = b->program->arena;
    const struct value **value_of;
    struct kernel *k = lower_region(a, &b->uses, nodes, n, &value_of);
    struct step *s = program_add_step(b, STEP_CALL, k->name);
    s->kernel = k;
    s->on_host = nodes[0]->on_host;
    s->args = arena_array(a, k->n_bufs, sizeof *s->args);
    for (size_t i = 0; i < k->n_bufs; i++) {
        if (value_of[i]) {
            s->args[i] = program_buf_of(b, value_of[i]);
            continue;
        }
        s->args[i] = add_kernel_buf(b, k, &k->bufs[i]);
    }
    /* Now that all arguments exist, so do the extents of those that lower added. */
    for (size_t i = 0; i < k->n_bufs; i++)
        for (int d = 0; !value_of[i] && d < k->bufs[i].rank; d++)
            if (k->bufs[i].extent_buf[d] >= 0)
                b->program->bufs[s->args[i]].extent_buf[d] = s->args[k->bufs[i].extent_buf[d]];
}

/* A Transpose of a plain tensor whose result has the dimensions in that tensor's order moves
   nothing. */
static bool layout_is_relabelled(const struct node *n)
{
    const struct transpose_attrs *a = n->attrs;
    const struct layout *l = &n->out[0]->layout;
    for (int k = 0; k < l->rank; k++) {
        int64_t from = a->perm.n ? a->perm.v[l->order[k]] : l->rank - 1 - l->order[k];
        if (from != k)
            return false;
    }
    return l->n_blocks == 0 && l->rank > 0;
}

/*
 * A view shares storage only where nobody can tell: the result is no symbol of the bundle, and the
 * source is neither a constant (whose packing a target may change) nor state (which changes in
 * place while the view is alive).
 */
static bool build_view(struct program_builder *b, const struct node *n)
{
    bool relabels = n->op == OP_transpose && layout_is_relabelled(n);
    if (!(op_desc(n->op)->flags & OP_VIEW || relabels) || !n->in[0] || !n->out[0])
        return false;
    for (size_t i = 1; i < n->n_out; i++)
        if (n->out[i])
            return false; /* an extent that the kernel computes */
    const struct value *from = n->in[0], *to = n->out[0];
    if (value_is_constant(from) || from->role == VALUE_STATE || b->buf_of[to->id] >= 0 ||
        from->dtype != to->dtype || !layout_is_plain(&from->layout) ||
        (!relabels && !layout_is_plain(&to->layout)) ||
        shape_elems(&from->shape) != shape_elems(&to->shape))
        return false;
    int source = program_buf_of(b, from);
    int view = program_buf_of(b, to);
    b->program->bufs[view].view_of = source;
    b->program->bufs[view].area = b->program->bufs[source].area;
    b->program->bufs[view].role = b->program->bufs[source].role;
    return true;
}

void program_build_block(struct program_builder *b, struct steps *steps, const struct block *block)
{
    struct steps *outer = b->steps;
    b->steps = steps;
    for (size_t i = 0; i < block->n_nodes;) {
        struct node *node = block->nodes[i];
        size_t n = 1;
        while (node->region && i + n < block->n_nodes &&
               block->nodes[i + n]->region == node->region)
            n++;
        if (op_desc(node->op)->flags & OP_CONTROL) {
            struct lower l = {.node = node, .program = b};
            op_desc(node->op)->lower(&l);
        } else if (n > 1 || !build_view(b, node)) {
            build_call(b, &block->nodes[i], n);
        }
        i += n;
    }
    b->steps = outer;
}

/* ---- the whole ---- */

/*
 * Buffers of the graph's outputs, in order, but for those that are bound to inputs.  An output that
 * is an input, constant or state, that was listed before, or that measures another tensor (extents
 * lie with the activations), is copied at the end of the program; all others are written in place.
 */
static int *add_outputs(struct program_builder *b)
{
    const struct block *body = &b->graph->body;
    int *copy_to = arena_array(b->program->arena, body->n_out, sizeof *copy_to);
    for (size_t i = 0; i < body->n_out; i++) {
        const struct value *v = body->out[i];
        copy_to[i] = -1;
        if (graph_is_bound_output(b->graph, i))
            continue;
        bool direct = v->role == VALUE_TEMP && b->buf_of[v->id] < 0 && !b->uses.is_extent[v->id] &&
                      layout_is_plain(&v->layout);
        int buf = direct ? program_buf_of(b, v) : add_value_buf(b, v);
        struct pbuf *out = &b->program->bufs[buf];
        out->area = AREA_MUTABLE;
        out->role = SHEAF_ROLE_OUTPUT;
        out->constant = NULL;
        if (!direct)
            out->layout = layout_plain(out->rank);
        out->bytes = dtype_bytes(out->dtype, layout_elems(&out->layout, out->dims));
        copy_to[i] = direct ? -1 : buf;
    }
    return copy_to;
}

uint32_t program_number_steps(struct steps *steps, uint32_t next)
{
    for (size_t i = 0; i < steps->n; i++) {
        struct step *s = steps->step[i];
        s->id = next++;
        next = program_number_steps(&s->bodies[0], next);
        next = program_number_steps(&s->bodies[1], next);
    }
    return next;
}

static bool check_size(const struct program *p, const struct graph *g, struct error *err)
{
    int64_t total = 0;
    for (size_t i = 0; i < p->n_bufs; i++)
        if (!checked_add(total, p->bufs[i].bytes, &total) || total > LIMIT_PROGRAM_BYTES)
            return error_set(err, SHEAF_ERROR_MEMORY,
                             "%s: the tensors up to '%s' need more than %lld bytes together",
                             g->source ? g->source : g->name, p->bufs[i].name,
                             (long long)LIMIT_PROGRAM_BYTES);
    return true;
}

struct program *program_build(struct arena *arena, const struct graph *g, struct error *err)
{
    struct program *p = arena_new(arena, struct program);
    p->arena = arena;
    p->name = g->name;
    struct program_builder b = {.program = p, .graph = g, .uses = count_uses(arena, g)};
    b.buf_of = arena_array(arena, g->n_values, sizeof *b.buf_of);
    for (size_t i = 0; i < g->n_values; i++)
        b.buf_of[i] = -1;
    if (g->max_items)
        program_items_begin(&b);
    for (size_t i = 0; i < g->body.n_in && !g->max_items; i++) {
        int buf = program_buf_of(&b, g->body.in[i]);
        if (graph_is_bound_input(g, i))
            p->bufs[buf].role = SHEAF_ROLE_STATE;
    }
    int *copy_to = g->max_items ? NULL : add_outputs(&b);
    for (size_t i = 0; i < g->n_values; i++)
        if (g->values[i]->role == VALUE_STATE && b.uses.count[i])
            program_buf_of(&b, g->values[i]);
    if (g->max_items)
        program_items_run(&b);
    else
        program_build_block(&b, &p->body, &g->body);
    b.steps = &p->body;
    for (size_t i = 0; i < g->body.n_out && copy_to; i++)
        if (copy_to[i] >= 0)
            program_copy(&b, program_buf_of(&b, g->body.out[i]), copy_to[i]);
    program_bind(&b);
    p->n_steps = program_number_steps(&p->body, 0);
    return check_size(p, g, err) ? p : NULL;
}

void program_each_step(const struct steps *steps, void (*fn)(struct step *, void *), void *arg)
{
    for (size_t i = 0; i < steps->n; i++) {
        struct step *s = steps->step[i];
        fn(s, arg);
        program_each_step(&s->bodies[0], fn, arg);
        program_each_step(&s->bodies[1], fn, arg);
    }
}

bool program_is_straight(const struct program *p)
{
    for (size_t i = 0; i < p->body.n; i++)
        if (p->body.step[i]->kind != STEP_CALL)
            return false;
    return true;
}
