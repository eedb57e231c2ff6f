#include "ir/schedule.h"

#include <inttypes.h>

struct schedule_entry *schedule_find(const struct schedule *s, kval region)
{
    for (size_t i = 0; s && i < s->n; i++)
        if (s->entries[i].region == region)
            return &s->entries[i];
    return NULL;
}

static void print_loop(const struct schedule_loop *l, struct strbuf *out)
{
    strbuf_printf(out, " d%d", l->dim);
    if (l->part == SCHEDULE_OUTER)
        strbuf_printf(out, "/%" PRId64, l->block);
    else if (l->part == SCHEDULE_INNER)
        strbuf_printf(out, "%%%" PRId64, l->block);
}

static void print_packing(const struct kernel *k, const struct koperand *o, struct strbuf *out)
{
    const struct kbuf *b = &k->bufs[o->buf];
    if (b->constant && !layout_is_plain(&b->layout))
        strbuf_printf(out, " pack \"%s\"", layout_print(&b->layout, out->arena));
}

static const char *const dot_names[] = {
    [SCHEDULE_DOT4] = "4",   [SCHEDULE_DOT2] = "2",           [SCHEDULE_DOT1] = "1",
    [SCHEDULE_DOT16] = "16", [SCHEDULE_DOT_SQUARE] = "2x8x2", [SCHEDULE_DOT_TILE] = "tile"};

static void print_contract(const struct schedule_entry *e, const struct kernel *k,
                           struct strbuf *out)
{
    strbuf_add(out, "tile rows");
    if (e->row_outer >= 0 && e->tile_outer > 0)
        strbuf_printf(out, " d%d %d x d%d", e->row_outer, e->tile_outer, e->row_iter);
    else if (e->row_outer >= 0)
        strbuf_printf(out, " d%d,d%d", e->row_outer, e->row_iter);
    else if (e->row_iter >= 0)
        strbuf_printf(out, " d%d", e->row_iter);
    strbuf_printf(out, " %d cols d%d %dx%d", e->tile_m, e->col_iter, e->tile_n, e->vector);
    if (e->k_iter >= 0)
        strbuf_printf(out, " k d%d/%d", e->k_iter, e->k_block);
    if (e->dot != SCHEDULE_MULTIPLY_ADD)
        strbuf_printf(out, " dot %s", dot_names[e->dot]);
    if (e->group_iter >= 0 && (e->dot != SCHEDULE_MULTIPLY_ADD || e->at_once > 1))
        strbuf_printf(out, " of d%d", e->group_iter);
    if (e->at_once > 1)
        strbuf_printf(out, " at once %d", e->at_once);
    if (e->span > 1)
        strbuf_printf(out, " with %d of d%d", e->span, e->span_iter);
    const struct kcontract *c = kernel_inst(k, e->region)->region->contract;
    print_packing(k, &c->a, out);
    print_packing(k, &c->b, out);
}

void schedule_print(const struct schedule *s, const struct kernel *k, struct strbuf *out)
{
    const uint32_t *number = kernel_number(k, out->arena);
    for (size_t i = 0; i < s->n; i++) {
        const struct schedule_entry *e = &s->entries[i];
        enum kop op = kernel_inst(k, e->region)->op;
        strbuf_printf(out, "%s %%%" PRIu32 ": ", kop_name(op), number[e->region]);
        if (op == KOP_CONTRACT) {
            print_contract(e, k, out);
        } else {
            strbuf_add(out, "for");
            for (int j = 0; j < e->n_loops; j++)
                print_loop(&e->loop[j], out);
            if (e->lanes > 1)
                strbuf_printf(out, " vector %d", e->lanes);
        }
        strbuf_add(out, "\n");
    }
}
