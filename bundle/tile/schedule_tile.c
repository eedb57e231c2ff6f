/*
 * Register tiles from a cost model.
 *
 * The result is computed in tiles of `tile_m` rows by `tile_n` vectors of columns.  A step of K
 * loads tile_n vectors of operand B and one broadcast scalar of operand A per row; each feeds
 * tile_m * tile_n multiply-adds.  Where products take lanes, a row's scalars come several at once.
 * The tile is the one with the least estimated time among those that fit the registers.
 */
#include "bundle/tile/schedule_contract.h"

enum { MAX_TILE_ROWS = 28, MAX_VECTORS = 8, MAX_UNROLLED_STEPS = 1024 };
enum { SMALL_ROWS = 1, SMALL_VECTORS = 1 }; /* where bytes of code come first */

/* Cycles per step of K for one tile: the instructions, two loads a cycle beside them, four cycles
   of latency per accumulator chain, vectors of B that come from the second-level cache, and about a
   cycle for the loop itself, which is what makes a large tile better than a small one. */
static double step_cost(const struct shape_of_result *s, int rows, int vectors)
{
    const struct dot_cost *c = &s->step;
    if (s->is_square)
        rows += rows % 2;
    double work =
        (c->product * rows * vectors + c->row * rows + c->vector * vectors) / c->per_cycle;
    double loads = ((double)rows / s->at_once + vectors) / 2.0;
    double stream = vectors * s->b_bytes / (c->bytes > 0 ? c->bytes : 40.0);
    double cost = work;
    double starts = c->starts > 0 ? (rows * vectors + rows + vectors) / c->starts : 0;
    if (starts > cost)
        cost = starts;
    if (loads > cost)
        cost = loads;
    if (stream > cost)
        cost = stream;
    return (cost < 4.0 ? 4.0 : cost) + (c->begin > 0 ? c->begin : 1.0);
}

/* Cycles per step of K for all columns, in tiles of m rows and n vectors. */
static double columns_cost(const struct shape_of_result *s, int m, int n)
{
    int64_t vectors = tile_div_ceil(s->columns, s->vector);
    double cost = (double)(vectors / n) * step_cost(s, m, n);
    if (vectors % n)
        cost += step_cost(s, m, (int)(vectors % n));
    return cost;
}

/* The same for all rows of the result, o rows outside in a tile; rows are dealt out evenly. */
static double rows_cost(const struct shape_of_result *s, int o, int m, int n)
{
    int64_t tiles = tile_div_ceil(s->rows, m);
    int base = (int)(s->rows / tiles);
    int64_t large = s->rows - base * tiles;
    double cost = 0;
    for (int part = 0; part < 2; part++) {
        int span = part ? (int)(s->outer % o) : o;
        double groups = part ? 1 : (double)(s->outer / o);
        if (span == 0)
            continue;
        cost += groups * (double)(tiles - large) * columns_cost(s, span * base, n);
        if (large)
            cost += groups * (double)large * columns_cost(s, span * (base + 1), n);
    }
    return cost;
}

/* The same where several cores share the tiles: the last ones to be done have as many as any. */
static double shared_cost(const struct shape_of_result *s, int o, int m, int n)
{
    double cost = rows_cost(s, o, m, n);
    if (s->cores <= 1)
        return cost;
    int64_t tiles = s->others * tile_div_ceil(s->outer, o) * tile_div_ceil(s->rows, m) *
                    tile_div_ceil(tile_div_ceil(s->columns, s->vector), n);
    return cost * (double)(tile_div_ceil(tiles, s->cores) * s->cores) / (double)tiles;
}

static int registers_of(const struct shape_of_result *s, int rows, int vectors)
{
    const struct dot_registers *r = &s->regs;
    if (s->is_square)
        rows += rows % 2;
    int fewer = rows < vectors ? rows : vectors;
    return rows * (vectors * r->per_sum + r->per_row) + vectors * r->per_vector +
           fewer * r->per_fewer + r->spare;
}

static void choose_tile(const struct shape_of_result *s, struct schedule_entry *e)
{
    double best = 0;
    int64_t vectors = tile_div_ceil(s->columns, s->vector);
    int max_vectors = s->is_small ? SMALL_VECTORS : MAX_VECTORS;
    int most = e->dot == SCHEDULE_DOT_PAIRS ? s->regs.all : MAX_TILE_ROWS;
    int max_rows = s->is_small ? SMALL_ROWS : most;
    for (int n = 1; n <= max_vectors && n <= vectors; n++) {
        if (n > 1 && s->column_starts % (n * s->vector) != 0)
            continue; /* packed blocks of columns start where the columns do */
        for (int m = 1; m <= max_rows && m <= s->rows; m++) {
            /* Several rows outside only where one is in the tile whole. */
            for (int o = 1; o <= (m == s->rows ? s->outer : 1); o++) {
                if (registers_of(s, o * m, n) > s->regs.all)
                    break;
                double cost = shared_cost(s, o, m, n);
                if (best != 0 && cost >= best * 0.999)
                    continue;
                best = cost;
                e->tile_m = (int)tile_div_ceil(s->rows, tile_div_ceil(s->rows, m));
                e->tile_n = n;
                e->tile_outer = o;
            }
        }
    }
}

/* Steps of K that tiles of `rows` values of M index m are written out as, all patterns of padding
   together: along a padded dimension the generator unrolls K. */
static int64_t unrolled_steps(const struct kernel *k, const struct kregion *r, int m, int rows)
{
    const struct koperand *a = &r->contract->a;
    int64_t steps = 1;
    for (int d = 0; a->padded && d < k->bufs[a->buf].rank; d++) {
        int64_t cm = kaffine_coef(&a->dim[d], r->index[m]);
        if (cm == 0 || !schedule_can_leave(k, r, a, d))
            continue;
        for (int i = 0; i < r->n_dims; i++) {
            int64_t ck = kaffine_coef(&a->dim[d], r->index[i]);
            if (r->contract->kind[i] != KITER_K || ck == 0)
                continue;
            int64_t n = kernel_static_extent(k, r, i);
            int64_t reach = (k->bufs[a->buf].dims[d] - 1 + cm * (rows - 1)) / ck + 1;
            n = reach < n ? reach : n;
            int64_t tiles = tile_div_ceil(kernel_static_extent(k, r, m), rows);
            int64_t patterns = 2 * (n * ck / (cm * rows) + 1) + 1;
            steps *= n * (patterns < tiles ? patterns : tiles);
        }
    }
    return steps;
}

void schedule_choose_tile(const struct kernel *k, const struct kregion *r, int outer_m,
                          struct shape_of_result *s, struct schedule_entry *e)
{
    choose_tile(s, e);
    if (e->row_iter < 0)
        return;
    int64_t steps = unrolled_steps(k, r, e->row_iter, e->tile_m);
    if (e->tile_outer > 1)
        steps *= unrolled_steps(k, r, outer_m, e->tile_outer);
    if (steps <= (s->is_small ? 1 : MAX_UNROLLED_STEPS))
        return;
    e->row_iter = -1;
    s->rows = s->outer = 1;
    choose_tile(s, e);
}
