/*
 * kernel_window.c: windows of an image for generators that want rows of a contraction side by side.
 *
 *     map (ry, rx, c..) { store flat[ry P + rx, c..] = load_or a[c.., ry + .., rx + ..], pad }
 *     contract (f, n, c.., ky, kx) { store sums[f, n] = .. }     a: flat[f + P ky + kx, c..]
 *     map (y, x, n) { the contraction's block, of load sums[y P + x, n] }
 *
 * where P is the length of a padded row: pixel (y, x) has number f = y P + x, and its window starts
 * there.  The numbers between the ends of rows are no pixels; they cost (P - X) / P of the work.
 *
 *     map (y, x, ky, kx, c..) { store windows[y, x, ky, kx, c..] = load_or a[..], pad }
 *
 * is for steps of more than one pixel: the windows overlap, so it takes more memory.
 */
#include <assert.h>

#include "ir/kernel.h"
#include "ir/kernel_raw.h"

/* An index of pixels, the dimension of A that it runs over, and the index of the window there. */
struct axis {
    int pixel, dim, window; /* window: -1: it has one value */
    int64_t step, reach;    /* of A's index, from pixel to pixel and in the window */
    struct kaffine own, rest;
    int64_t extent; /* of what is read of the dimension */
};

struct window {
    struct kernel *k;
    kval contract;
    struct kregion *r;
    struct kcontract *c;
    struct axis y, x;
    int other[MAX_RANK], n_others; /* dimensions of A */
    struct kaffine own[MAX_RANK], rest[MAX_RANK];
    int64_t dims[MAX_RANK];
};

static bool is_single(const struct window *w, int i)
{
    return kernel_static_extent(w->k, w->r, i) == 1;
}

/* The dimension of A where the pixel index is alone with at most one index of K. */
static bool find_axis(const struct window *w, int pixel, struct axis *out)
{
    const struct koperand *a = &w->c->a;
    *out = (struct axis){.pixel = pixel, .dim = -1, .window = -1};
    for (int d = 0; d < w->k->bufs[a->buf].rank; d++) {
        int64_t step = kaffine_coef(&a->dim[d], w->r->index[pixel]);
        if (step == 0)
            continue;
        if (step < 0 || out->dim >= 0)
            return false;
        out->dim = d;
        out->step = step;
        for (int i = 0; i < w->r->n_dims; i++) {
            int64_t reach = kaffine_coef(&a->dim[d], w->r->index[i]);
            if (reach == 0 || i == pixel || is_single(w, i))
                continue;
            if (reach < 0 || w->c->kind[i] != KITER_K || out->window >= 0)
                return false;
            out->window = i;
            out->reach = reach;
        }
    }
    return out->dim >= 0;
}

/* Whether no other dimension of A has the index. */
static bool is_alone(const struct window *w, int index, int dim)
{
    const struct koperand *a = &w->c->a;
    for (int d = 0; index >= 0 && d < w->k->bufs[a->buf].rank; d++)
        if (d != dim && kaffine_coef(&a->dim[d], w->r->index[index]))
            return false;
    return true;
}

static bool find(struct kernel *k, kval contract, struct window *w)
{
    *w = (struct window){.k = k, .contract = contract, .r = kernel_inst(k, contract)->region};
    w->c = w->r->contract;
    const struct koperand *a = &w->c->a;
    int pixel[2] = {-1, -1};
    for (int i = 0; i < w->r->n_dims; i++) {
        if (kernel_static_extent(k, w->r, i) <= 0)
            return false;
        if (w->c->kind[i] == KITER_M && !is_single(w, i)) {
            pixel[0] = pixel[1];
            pixel[1] = i;
        }
    }
    if (pixel[0] < 0 || a->prologue.n || !find_axis(w, pixel[0], &w->y) ||
        !find_axis(w, pixel[1], &w->x) || w->y.dim == w->x.dim ||
        !is_alone(w, w->y.window, w->y.dim) || !is_alone(w, w->x.window, w->x.dim))
        return false;
    for (int d = 0; d < k->bufs[a->buf].rank; d++) {
        struct axis *axis = d == w->y.dim ? &w->y : d == w->x.dim ? &w->x : NULL;
        int i = w->n_others;
        if (axis) {
            kernel_stage_split(k, w->r, &a->dim[d], &axis->own, &axis->rest, &axis->extent);
            continue;
        }
        kernel_stage_split(k, w->r, &a->dim[d], &w->own[i], &w->rest[i], &w->dims[i]);
        w->other[w->n_others++] = d;
    }
    return true;
}

/* What A has at these places of its two axes and its other dimensions, in the open block. */
static kval load_a(struct window *w, kval y, kval x, const kval *other)
{
    const struct koperand *a = &w->c->a;
    kval from[MAX_RANK];
    from[w->y.dim] = kernel_raw_moved(w->k, y, &w->y.rest);
    from[w->x.dim] = kernel_raw_moved(w->k, x, &w->x.rest);
    for (int i = 0; i < w->n_others; i++)
        from[w->other[i]] = kernel_raw_moved(w->k, other[i], &w->rest[i]);
    kval pad = a->padded ? a->pad : kernel_const(w->k, w->k->bufs[a->buf].dtype, 0);
    return kernel_load_or(w->k, a->buf, from, pad);
}

/* outer * times + inner * by */
static kval combined(struct kernel *k, kval outer, int64_t times, kval inner, int64_t by)
{
    kval a = kernel_binary(k, KOP_MUL, outer, kernel_const_index(k, times));
    kval b = kernel_binary(k, KOP_MUL, inner, kernel_const_index(k, by));
    return kernel_binary(k, KOP_ADD, a, b);
}

static void read_from(struct window *w, int buf, const struct kaffine *dims)
{
    struct koperand *a = &w->c->a;
    a->buf = buf;
    a->padded = false;
    a->pad = 0;
    for (int d = 0; d < w->k->bufs[buf].rank; d++)
        a->dim[d] = dims[d];
}

/* ---- flat ---- */

/* Numbers of pixels, with those that are none between the rows: as many as make whole vectors. */
static int64_t count_flat(const struct window *w, int lanes)
{
    int64_t rows = kernel_static_extent(w->k, w->r, w->y.pixel);
    int64_t n = (rows - 1) * w->x.extent + kernel_static_extent(w->k, w->r, w->x.pixel);
    int64_t vectors = (n + lanes - 1) / lanes;
    return (n + vectors - 1) / vectors * vectors;
}

/* At least one row more than is read, for what is behind the last pixel is read, too; as many as
   can be copied several at a time. */
static int stage_flat(struct window *w)
{
    enum { AT_A_TIME = 8 };
    struct kernel *k = w->k;
    int rank = w->n_others + 1;
    int64_t rows = (w->y.extent + AT_A_TIME) / AT_A_TIME * AT_A_TIME;
    int64_t dims[MAX_RANK] = {rows * w->x.extent};
    kval extent[MAX_RANK], index[MAX_RANK], to[MAX_RANK];
    for (int i = 0; i < w->n_others; i++)
        dims[i + 1] = w->dims[i];
    const char *name = arena_printf(k->arena, "%s.flat", k->bufs[w->c->a.buf].name);
    int flat = kernel_add_buf(k, name, k->bufs[w->c->a.buf].dtype, KBUF_LOCAL, rank, dims);
    extent[0] = kernel_const_index(k, rows);
    extent[1] = kernel_const_index(k, w->x.extent);
    for (int i = 0; i < w->n_others; i++)
        extent[i + 2] = kernel_const_index(k, w->dims[i]);
    kernel_map_begin(k, rank + 1, extent, index);
    to[0] = combined(k, index[0], w->x.extent, index[1], 1);
    for (int i = 0; i < w->n_others; i++)
        to[i + 1] = index[i + 2];
    kernel_store(k, flat, to, load_a(w, index[0], index[1], index + 2));
    kernel_map_end(k);
    return flat;
}

/* The indices of the result in the order of its buffer, the numbers of pixels as that of rows. */
static int result_indices(const struct window *w, int *out)
{
    static const enum kiter order[] = {KITER_BATCH, KITER_M, KITER_N};
    int n = 0;
    for (int o = 0; o < 3; o++)
        for (int i = 0; i < w->r->n_dims; i++)
            if (w->c->kind[i] == order[o] && i != w->x.pixel)
                out[n++] = i;
    return n;
}

/* The map behind the contraction, over the same indices and the columns of pixels. */
static void finish_flat(struct window *w, const int *result, int n, int sums)
{
    struct kernel *k = w->k;
    const struct kblock epilogue = w->r->block[0];
    kval extent[MAX_RANK + 1], index[MAX_RANK + 1], at[MAX_RANK], old[MAX_RANK + 1];
    int m = 0, y = 0;
    for (int i = 0; i < n; i++) {
        old[m] = w->r->index[result[i]];
        extent[m++] = w->r->extent[result[i]];
        if (result[i] != w->y.pixel)
            continue;
        y = m - 1;
        old[m] = w->r->index[w->x.pixel];
        extent[m++] = w->r->extent[w->x.pixel];
    }
    kernel_map_begin(k, m, extent, index);
    for (int i = 0; i < n; i++)
        at[i] = index[i <= y ? i : i + 1];
    at[y] = combined(k, index[y], w->x.extent, index[y + 1], 1);
    kval sum = kernel_load(k, sums, at);
    kernel_raw_finish(k, &epilogue, m, old, index, sum);
    kernel_map_end(k);
}

static void remove_index(struct kregion *r, int i)
{
    for (; i + 1 < r->n_dims; i++) {
        r->index[i] = r->index[i + 1];
        r->extent[i] = r->extent[i + 1];
        r->contract->kind[i] = r->contract->kind[i + 1];
    }
    r->n_dims--;
}

bool kernel_flatten_windows(struct kernel *k, kval contract, int lanes)
{
    struct window w;
    int result[KREGION_MAX_DIMS];
    if (!find(k, contract, &w) || w.y.step != 1 || w.x.step != 1 ||
        (w.y.window < 0 && w.x.window < 0))
        return false;
    int n = result_indices(&w, result);
    int64_t n_flat = count_flat(&w, lanes), dims[MAX_RANK];
    if (n + 1 > KREGION_MAX_DIMS || w.n_others + 2 > MAX_RANK)
        return false;
    for (int i = 0; i < n; i++)
        dims[i] = result[i] == w.y.pixel ? n_flat : kernel_static_extent(k, w.r, result[i]);
    int sums = kernel_add_buf(k, arena_printf(k->arena, "%s.sums", k->name), w.c->acc, KBUF_LOCAL,
                              n, dims);
    struct kblock before = {0}, after = {0};
    kernel_raw_open(k, &after);
    finish_flat(&w, result, n, sums);
    k->n_open--;
    kernel_raw_open(k, &before);
    int flat = stage_flat(&w);
    w.r->extent[w.y.pixel] = kernel_const_index(k, n_flat);
    k->n_open--;
    struct kaffine a[MAX_RANK] = {kaffine_const(0)};
    kaffine_add(&a[0], w.r->index[w.y.pixel], 1);
    if (w.y.window >= 0)
        kaffine_add(&a[0], w.r->index[w.y.window], w.y.reach * w.x.extent);
    if (w.x.window >= 0)
        kaffine_add(&a[0], w.r->index[w.x.window], w.x.reach);
    for (int i = 0; i < w.n_others; i++)
        a[i + 1] = w.own[i];
    read_from(&w, flat, a);
    kval index[MAX_RANK];
    for (int i = 0; i < n; i++)
        index[i] = w.r->index[result[i]];
    kernel_raw_store_sums(k, w.r, sums, index);
    remove_index(w.r, w.x.pixel);
    kernel_raw_put_around(k, contract, &before, &after);
    return true;
}

/* ---- unfolded ---- */

/* A copy with its padding, so that windows of rows with an element more need no test. */
static void stage_padded(struct window *w)
{
    struct layout plain = layout_plain(w->k->bufs[w->c->a.buf].rank);
    kval *extent = &w->r->extent[w->x.window], before = *extent;
    int64_t n = kernel_static_extent(w->k, w->r, w->x.window);
    struct kblock constant = {0};
    kernel_raw_open(w->k, &constant);
    *extent = kernel_const_index(w->k, n + n % 2);
    w->k->n_open--;
    kernel_raw_put_around(w->k, w->contract, &constant, NULL);
    kernel_stage_operand(w->k, w->contract, &plain);
    *extent = before;
}

/* Where the indices of a window and the other dimensions are among those of the windows' buffer. */
struct places {
    int window, other, rank;
    bool is_channel_last;
};

/* An even number of channels goes last: they make the pairs then, and not the row of the window. */
static struct places places_of(const struct window *w)
{
    struct places p = {.rank = w->n_others + 4};
    p.is_channel_last = w->n_others > 0 && w->dims[w->n_others - 1] % 2 == 0;
    p.window = p.is_channel_last ? 2 : p.rank - 2;
    p.other = p.is_channel_last ? 4 : 2;
    return p;
}

static int fill_windows(struct window *w, const struct places *p)
{
    struct kernel *k = w->k;
    const struct axis *axis[2] = {&w->y, &w->x};
    int64_t dims[MAX_RANK];
    kval extent[MAX_RANK], index[MAX_RANK], at[2];
    for (int i = 0; i < 2; i++) {
        dims[i] = kernel_static_extent(k, w->r, axis[i]->pixel);
        dims[p->window + i] = kernel_static_extent(k, w->r, axis[i]->window);
    }
    if (!p->is_channel_last)
        dims[p->window + 1] += dims[p->window + 1] % 2;
    for (int i = 0; i < w->n_others; i++)
        dims[p->other + i] = w->dims[i];
    const char *name = arena_printf(k->arena, "%s.windows", k->bufs[w->c->a.buf].name);
    int buf = kernel_add_buf(k, name, k->bufs[w->c->a.buf].dtype, KBUF_LOCAL, p->rank, dims);
    for (int d = 0; d < p->rank; d++)
        extent[d] = kernel_const_index(k, dims[d]);
    kernel_map_begin(k, p->rank, extent, index);
    for (int i = 0; i < 2; i++)
        at[i] = combined(k, index[i], axis[i]->step, index[p->window + i], axis[i]->reach);
    kernel_store(k, buf, index, load_a(w, at[0], at[1], index + p->other));
    kernel_map_end(k);
    return buf;
}

bool kernel_unfold_windows(struct kernel *k, kval contract)
{
    struct window w;
    if (!find(k, contract, &w) || w.y.window < 0 || w.x.window < 0 || w.n_others + 4 > MAX_RANK)
        return false;
    struct places p = places_of(&w);
    if (w.c->a.padded && !p.is_channel_last) {
        stage_padded(&w);
        find(k, contract, &w);
    }
    struct kblock before = {0};
    kernel_raw_open(k, &before);
    int buf = fill_windows(&w, &p);
    k->n_open--;
    struct kaffine a[MAX_RANK];
    for (int d = 0; d < p.rank; d++)
        a[d] = kaffine_const(0);
    const struct axis *axis[2] = {&w.y, &w.x};
    for (int i = 0; i < 2; i++) {
        kaffine_add(&a[i], w.r->index[axis[i]->pixel], 1);
        kaffine_add(&a[p.window + i], w.r->index[axis[i]->window], 1);
    }
    for (int i = 0; i < w.n_others; i++)
        a[p.other + i] = w.own[i];
    read_from(&w, buf, a);
    kernel_raw_put_around(k, contract, &before, NULL);
    return true;
}
