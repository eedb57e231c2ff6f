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
    [SCHEDULE_DOT4] = "4",       [SCHEDULE_DOT2] = "2",          [SCHEDULE_DOT1] = "1",
    [SCHEDULE_DOT16] = "16",     [SCHEDULE_DOT_PAIRS] = "pairs", [SCHEDULE_DOT_SQUARE] = "2x8x2",
    [SCHEDULE_DOT_TILE] = "tile"};

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

static const char *const product_names[] = {
    [PRODUCT_FMA] = "fma",   [PRODUCT_F16] = "f16",       [PRODUCT_BF16] = "bf16",
    [PRODUCT_TF32] = "tf32", [PRODUCT_3XTF32] = "3xtf32", [PRODUCT_BYTES] = "bytes"};

static void print_staging(const char *operand, enum schedule_staging s, struct strbuf *out)
{
    static const char *const names[] = {[STAGING_ACROSS] = "across",
                                        [STAGING_VECTORS] = "by vectors",
                                        [STAGING_VECTORS_ACROSS] = "by vectors across",
                                        [STAGING_ELEMENTS] = "by elements"};
    if (s != STAGING_K)
        strbuf_printf(out, ", %s %s", operand, names[s]);
}

static void print_staged(const struct schedule_entry *e, const struct kernel *k, struct strbuf *out)
{
    strbuf_printf(out, "block %dx%d of %dx%d %s, K %d, %d stages", e->tile_m, e->tile_n, e->part_m,
                  e->part_n, product_names[e->product], e->k_block, e->stages);
    print_staging("a", e->staging_a, out);
    print_staging("b", e->staging_b, out);
    strbuf_printf(out, ", about %" PRId64 " cycles", e->cycles);
    print_packing(k, &kernel_inst(k, e->region)->region->contract->b, out);
}

static void print_map(const struct schedule_entry *e, struct strbuf *out)
{
    int spread = e->place == SCHEDULE_HERE ? 0 : e->n_spread;
    if (spread)
        strbuf_add(out, e->place == SCHEDULE_LAUNCH ? "launch" : "group");
    for (int j = 0; j < spread; j++)
        print_loop(&e->loop[j], out);
    if (e->place == SCHEDULE_LAUNCH && e->point_threads > 1)
        strbuf_printf(out, ", groups of %d", e->point_threads);
    if (spread < e->n_loops || !spread)
        strbuf_add(out, spread ? ", for" : "for");
    for (int j = spread; j < e->n_loops; j++)
        print_loop(&e->loop[j], out);
    if (e->lanes > 1)
        strbuf_printf(out, " vector %d", e->lanes);
}

static void print_launch(const struct schedule *s, const struct kernel *k, struct strbuf *out)
{
    if (!s->threads)
        return;
    strbuf_printf(out, "%" PRId64 " block%s of %d threads%s", s->blocks, s->blocks == 1 ? "" : "s",
                  s->threads, s->is_together ? " together" : "");
    if (s->shared_bytes)
        strbuf_printf(out, ", %" PRId64 " shared bytes", s->shared_bytes);
    for (size_t b = 0; s->in_shared && b < k->n_bufs; b++)
        if (s->in_shared[b])
            strbuf_printf(out, ", @%zu shared", b);
    strbuf_add(out, "\n");
}

void schedule_print(const struct schedule *s, const struct kernel *k, struct strbuf *out)
{
    const uint32_t *number = kernel_number(k, out->arena);
    print_launch(s, k, out);
    for (size_t i = 0; i < s->n; i++) {
        const struct schedule_entry *e = &s->entries[i];
        enum kop op = kernel_inst(k, e->region)->op;
        strbuf_printf(out, "%s %%%" PRIu32 ": ", kop_name(op), number[e->region]);
        if (op == KOP_REDUCE)
            strbuf_printf(out, "group of %d parts", e->lanes);
        else if (op != KOP_CONTRACT)
            print_map(e, out);
        else if (s->threads)
            print_staged(e, k, out);
        else
            print_contract(e, k, out);
        strbuf_add(out, "\n");
    }
}
