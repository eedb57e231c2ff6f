/*
 * What becomes of the sums of a tile: the contraction's own block, for each row and vector of
 * columns.
 *
 * Where vectors are long, a few rows are taken together (emit_together.c).
 */
#include "bundle/tile/contract_tile.h"

enum { ROWS_TOGETHER = 8 };

/* ---- row by row ---- */

/* A part of an accumulator: `lanes` lanes from lane0. */
static LLVMValueRef lanes_of(struct emit_kernel *ek, LLVMValueRef v, int lane0, int lanes, int of)
{
    struct emit *e = ek->e;
    if (lanes == of)
        return v;
    if (lanes == 1)
        return LLVMBuildExtractElement(e->b, v, emit_index(e, lane0), "");
    LLVMValueRef *index = arena_array(e->arena, (size_t)lanes, sizeof *index);
    for (int i = 0; i < lanes; i++)
        index[i] = LLVMConstInt(e->i32, (unsigned)(lane0 + i), 0);
    return LLVMBuildShuffleVector(e->b, v, LLVMGetPoison(LLVMTypeOf(v)),
                                  LLVMConstVector(index, (unsigned)lanes), "");
}

static void row_by_row(struct tile *t)
{
    struct emit_kernel *ek = t->ek;
    int width = t->e->vector;
    for (int i = 0; i < t->rows; i++) {
        for (int j = 0; j < t->vectors; j++) {
            LLVMValueRef sum = tile_sum(t, i, j);
            int exist = j + 1 == t->vectors ? t->last_lanes : width;
            int at = 0;
            for (int lanes = width; lanes >= 1; lanes /= 2) {
                if (exist - at < lanes)
                    continue;
                emit_set_lanes(ek, lanes);
                tile_bind_row(t, i);
                tile_bind_col(t, j, at);
                if (lanes == 1) {
                    /* A single column: no lane takes part. */
                    struct eaffine a = t->col0;
                    a.offset += j * width + at;
                    emit_bind_index(ek, t->r->index[t->e->col_iter], &a);
                }
                emit_set(ek, t->r->block[0].param[0], lanes_of(ek, sum, at, lanes, width),
                         lanes > 1);
                emit_block(ek, &t->r->block[0]);
                at += lanes;
            }
            emit_set_lanes(ek, width);
        }
    }
}

/* ---- several rows together ---- */

struct rows {
    struct tile *t;
    int first; /* of those that are together */
    LLVMValueRef sum[ROWS_TOGETHER];
};

static void bind_row(void *arg, int i)
{
    struct rows *x = arg;
    tile_bind_row(x->t, x->first + i);
    emit_set(x->t->ek, x->t->r->block[0].param[0], x->sum[i], true);
}

static bool is_row(void *arg, kval v)
{
    const struct tile *t = ((struct rows *)arg)->t;
    int i = kregion_index_of(t->r, v);
    return i >= 0 && (i == t->e->row_iter || i == t->e->row_outer);
}

/* Each row takes a register for what it loads, beside the sums that are left. */
static int rows_at_a_time(const struct tile *t, int first, int vector)
{
    enum { LEAST = 2, FOR_WORK = 4 };
    int left = t->rows - first, sums = (t->vectors - 1 - vector) * t->rows + left;
    int n = t->ek->e->target->n_vector_regs - FOR_WORK - sums;
    n = n > ROWS_TOGETHER ? ROWS_TOGETHER : n < LEAST ? LEAST : n;
    return n < left ? n : left;
}

static void rows_together(struct tile *t)
{
    struct emit_kernel *ek = t->ek;
    struct rows x = {.t = t};
    int width = t->e->vector;
    for (int j = 0; j < t->vectors; j++) {
        int exist = j + 1 == t->vectors ? t->last_lanes : width;
        x.first = 0;
        for (int n; x.first < t->rows; x.first += n) {
            n = rows_at_a_time(t, x.first, j);
            struct epoints points = {
                .n = n, .again = x.first > 0, .bind = bind_row, .differs = is_row, .arg = &x};
            emit_set_lanes(ek, width);
            for (int i = 0; i < points.n; i++)
                x.sum[i] = lanes_of(ek, tile_sum(t, x.first + i, j), 0, exist, width);
            emit_set_lanes(ek, exist);
            tile_bind_col(t, j, 0);
            emit_block_together(ek, &t->r->block[0], &points);
        }
    }
    emit_set_lanes(ek, width);
}

void tile_epilogue(struct tile *t)
{
    bool together = t->ek->e->target->has_any_lanes && emit_can_be_together(t->ek, &t->r->block[0]);
    (together ? rows_together : row_by_row)(t);
}
