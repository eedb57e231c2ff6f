/*
 * eval_contract.c: contractions.
 *
 * Per batch point the two operands are gathered, padding and prologues applied, into rows of K
 * elements of the accumulator's type and multiplied as matrices; then the epilogue runs over lanes.
 * The side (M or N) with more points supplies the columns, so that they fill the lanes.  Both sides
 * are cut into blocks that bound the scratch memory; no result's sum is ever cut.
 */
#include <assert.h>
#include <cblas.h>
#include <string.h>

#include "ir/eval_accumulate.h"
#include "ir/eval_internal.h"
#include "ir/kernel_scalar.h"

enum {
    COL_BLOCK_ELEMS = 4 << 20,
    ROW_BLOCK_ELEMS = 1 << 20,
    COL_BLOCK_MAX = 8192,
    ROW_BLOCK_MAX = 256,
    BLAS_MIN_K = 8 /* below, the library's call costs more than it saves */
};

/* Some of a contraction's indices, in its order, and the size of their domain. */
struct domain {
    int n;
    kval index[KREGION_MAX_DIMS];
    int64_t extent[KREGION_MAX_DIMS];
    int64_t points;
};

/* An operand: element (p, k) has the logical index start[d] + row part of p + k_part[d][k]. */
struct side {
    const struct koperand *o;
    const struct eval_buf *buf;
    struct domain row;                        /* M or N */
    int64_t coef[MAX_RANK][KREGION_MAX_DIMS]; /* of the row's indices */
    int64_t start[MAX_RANK];                  /* offset, batch and outer indices */
    int64_t *k_part[MAX_RANK];
    int64_t k_min[MAX_RANK], k_max[MAX_RANK];
    /* Whether the element's offset is a sum of one term of p and k_offset[k]: no blocked dimension
       depends on both. */
    bool separable;
    bool by_k[MAX_RANK]; /* this dimension's whole index counts in k_offset */
    int64_t *k_offset;
};

struct contraction {
    struct eval *e;
    const struct kregion *r;
    enum dtype acc;
    struct arena scratch;
    struct domain batch, k;
    struct side a, b;
};

static void domain_of(const struct contraction *c, enum kiter kind, struct domain *out)
{
    memset(out, 0, sizeof *out);
    out->points = 1;
    for (int d = 0; d < c->r->n_dims; d++) {
        if (c->r->contract->kind[d] != kind)
            continue;
        int64_t extent = c->e->slot[c->r->extent[d]]->i[0];
        out->index[out->n] = c->r->index[d];
        out->extent[out->n++] = extent;
        out->points *= extent;
    }
}

/* Logical indices as functions of k, over the whole domain of k. */
static void prepare_k_part(struct contraction *c, struct side *s, int d)
{
    int64_t *part = arena_array(&c->scratch, (size_t)c->k.points, sizeof *part);
    int64_t at[KREGION_MAX_DIMS] = {0};
    for (int64_t k = 0; k < c->k.points; k++) {
        for (int j = 0; j < c->k.n; j++)
            part[k] += kaffine_coef(&s->o->dim[d], c->k.index[j]) * at[j];
        for (int j = c->k.n - 1; j >= 0 && ++at[j] == c->k.extent[j]; j--)
            at[j] = 0;
        if (k == 0 || part[k] < s->k_min[d])
            s->k_min[d] = part[k];
        if (k == 0 || part[k] > s->k_max[d])
            s->k_max[d] = part[k];
    }
    s->k_part[d] = part;
}

static void prepare_side(struct contraction *c, struct side *s, const struct koperand *o,
                         enum kiter kind)
{
    s->o = o;
    eval_buf_refresh(c->e, o->buf);
    s->buf = &c->e->bufs[o->buf];
    domain_of(c, kind, &s->row);
    s->separable = true;
    for (int d = 0; d < s->buf->rank; d++) {
        bool by_row = false;
        for (int j = 0; j < s->row.n; j++) {
            s->coef[d][j] = kaffine_coef(&o->dim[d], s->row.index[j]);
            by_row |= s->coef[d][j] != 0;
        }
        prepare_k_part(c, s, d);
        bool varies = s->k_min[d] != s->k_max[d];
        s->by_k[d] = s->buf->block[d] != 1 && varies && !by_row;
        if (s->buf->block[d] != 1 && varies && by_row)
            s->separable = false;
    }
    s->k_offset = arena_array(&c->scratch, (size_t)c->k.points, sizeof *s->k_offset);
}

/* What depends on the batch point, whose indices are in their slots. */
static void start_side(struct contraction *c, struct side *s)
{
    for (int d = 0; d < s->buf->rank; d++) {
        const struct kaffine *a = &s->o->dim[d];
        s->start[d] = a->offset;
        for (int t = 0; t < a->n_terms; t++) {
            int i = kregion_index_of(c->r, a->term[t].var);
            if (i < 0 || c->r->contract->kind[i] == KITER_BATCH)
                s->start[d] += a->term[t].coef * c->e->slot[a->term[t].var]->i[0];
        }
    }
    if (!s->separable)
        return;
    memset(s->k_offset, 0, (size_t)c->k.points * sizeof *s->k_offset);
    for (int d = 0; d < s->buf->rank; d++) {
        int64_t stride = s->buf->strides.outer[d];
        if (s->by_k[d]) {
            for (int64_t k = 0; k < c->k.points; k++)
                s->k_offset[k] += eval_dim_offset(s->buf, d, s->start[d] + s->k_part[d][k]);
        } else if (s->buf->block[d] == 1) {
            for (int64_t k = 0; k < c->k.points; k++)
                s->k_offset[k] += stride * s->k_part[d][k];
        }
    }
}

/* ---- gathering ---- */

/* One row of a side: its logical index at k = 0, less the k part. */
struct row {
    int64_t at[MAX_RANK];
    int64_t offset; /* where separable */
    bool inside;    /* for every k */
};

static struct row row_of(const struct contraction *c, const struct side *s, int64_t p)
{
    struct row row = {.inside = true};
    int64_t point[KREGION_MAX_DIMS];
    for (int j = s->row.n - 1; j >= 0; j--) {
        point[j] = p % s->row.extent[j];
        p /= s->row.extent[j];
    }
    for (int d = 0; d < s->buf->rank; d++) {
        row.at[d] = s->start[d];
        for (int j = 0; j < s->row.n; j++)
            row.at[d] += s->coef[d][j] * point[j];
        row.inside &= row.at[d] + s->k_min[d] >= 0 && row.at[d] + s->k_max[d] < s->buf->dims[d];
        if (!s->separable || s->by_k[d])
            continue;
        /* In a blocked dimension the k part is the same for every k, and so belongs here. */
        int64_t fixed = s->buf->block[d] == 1 || !c->k.points ? 0 : s->k_min[d];
        if (s->buf->block[d] == 1 || row.at[d] + fixed >= 0)
            row.offset += eval_dim_offset(s->buf, d, row.at[d] + fixed);
    }
    assert((row.inside || s->o->padded || !c->k.points) &&
           "a contraction reads outside its operand");
    return row;
}

/* Offsets of elements k .. k+n-1 of a row; those in the padding are 0 and not inside. */
static void row_offsets(const struct side *s, const struct row *row, int64_t k, int n,
                        int64_t *offset, bool *inside)
{
    if (row->inside && s->separable) {
        for (int l = 0; l < n; l++)
            offset[l] = row->offset + s->k_offset[k + l];
        return;
    }
    for (int l = 0; l < n; l++) {
        offset[l] = 0;
        inside[l] = true;
        for (int d = 0; d < s->buf->rank; d++) {
            int64_t x = row->at[d] + s->k_part[d][k + l];
            inside[l] &= x >= 0 && x < s->buf->dims[d];
        }
        for (int d = 0; inside[l] && d < s->buf->rank; d++)
            offset[l] += eval_dim_offset(s->buf, d, row->at[d] + s->k_part[d][k + l]);
    }
}

static void write_panel(enum dtype acc, const union lanes *v, void *to, int64_t at, int64_t stride,
                        int n)
{
    if (acc == DTYPE_F64) {
        for (int l = 0; l < n; l++)
            ((double *)to)[at + l * stride] = v->d[l];
    } else if (dtype_is_float(acc)) {
        for (int l = 0; l < n; l++)
            ((float *)to)[at + l * stride] = v->f[l];
    } else if (dtype_bits(acc) > 32) {
        for (int l = 0; l < n; l++)
            ((uint64_t *)to)[at + l * stride] = (uint64_t)v->i[l];
    } else {
        for (int l = 0; l < n; l++)
            ((uint32_t *)to)[at + l * stride] = (uint32_t)v->i[l];
    }
}

static void gather_lanes(struct contraction *c, const struct side *s, const struct row *row,
                         int64_t k, int n, void *to, int64_t at, int64_t stride)
{
    struct eval *e = c->e;
    const struct kblock *prologue = &s->o->prologue;
    int64_t offset[EVAL_LANES];
    bool inside[EVAL_LANES];
    union lanes raw, value;
    memset(inside, 1, sizeof inside);
    row_offsets(s, row, k, n, offset, inside);
    bool none = true;
    for (int l = 0; l < n; l++)
        none &= !inside[l];
    if (!none) /* an empty buffer has no element 0 either */
        eval_gather(s->buf, offset, &raw, n);
    if (s->o->padded) {
        union lanes chosen;
        for (int l = 0; l < n; l++)
            chosen.i[l] = inside[l];
        eval_select(s->buf->dtype, &raw, &chosen, none ? e->slot[s->o->pad] : &raw,
                    e->slot[s->o->pad], n);
    }
    if (!prologue->n) {
        eval_cast(c->acc, s->buf->dtype, &value, &raw, n);
        write_panel(c->acc, &value, to, at, stride, n);
        return;
    }
    eval_copy(s->buf->dtype, e->slot[prologue->param[0]], &raw, n);
    eval_fill_indices(e, c->k.n, c->k.index, c->k.extent, k, n);
    eval_block(e, prologue, n);
    write_panel(c->acc, e->slot[eval_yield(e, prologue)->args[0]], to, at, stride, n);
}

/* Puts point p's index into all lanes. */
static void fill_point(struct eval *e, const struct domain *dom, int64_t p)
{
    for (int j = dom->n - 1; j >= 0; j--) {
        eval_fill(e->slot[dom->index[j]], p % dom->extent[j]);
        p /= dom->extent[j];
    }
}

/* Row p of a side, as K elements of the accumulator's type `stride` apart, from to[at]. */
static void gather_row(struct contraction *c, const struct side *s, int64_t p, void *to, int64_t at,
                       int64_t stride)
{
    struct row row = row_of(c, s, p);
    if (s->o->prologue.n)
        fill_point(c->e, &s->row, p);
    if (c->acc == DTYPE_F32 && s->buf->dtype == DTYPE_F32 && !s->o->prologue.n && row.inside &&
        s->separable && c->k.points) {
        const uint8_t *from = s->buf->data + row.offset * 4;
        float *out = (float *)to + at;
        for (int64_t k = 0; k < c->k.points; k++)
            memcpy(out + k * stride, from + s->k_offset[k] * 4, 4);
        return;
    }
    for (int64_t k = 0; k < c->k.points; k += EVAL_LANES) {
        int n = c->k.points - k < EVAL_LANES ? (int)(c->k.points - k) : EVAL_LANES;
        gather_lanes(c, s, &row, k, n, to, at + k * stride, stride);
    }
}

/* ---- results ---- */

static void epilogue_row(struct contraction *c, const struct side *rows, const struct side *cols,
                         int64_t row, int64_t col, int64_t n, const void *sums)
{
    struct eval *e = c->e;
    union lanes *acc = e->slot[c->r->block[0].param[0]];
    fill_point(e, &rows->row, row);
    for (int64_t j = 0; j < n; j += EVAL_LANES) {
        int count = n - j < EVAL_LANES ? (int)(n - j) : EVAL_LANES;
        eval_fill_indices(e, cols->row.n, cols->row.index, cols->row.extent, col + j, count);
        for (int l = 0; l < count; l++) {
            if (c->acc == DTYPE_F64)
                acc->d[l] = ((const double *)sums)[j + l];
            else if (dtype_is_float(c->acc))
                acc->f[l] = ((const float *)sums)[j + l];
            else if (dtype_bits(c->acc) > 32)
                acc->i[l] = (int64_t)((const uint64_t *)sums)[j + l];
            else
                acc->i[l] = kscalar_wrap(c->acc, ((const uint32_t *)sums)[j + l]);
        }
        eval_block(e, &c->r->block[0], count);
    }
}

static int64_t clamp(int64_t v, int64_t lo, int64_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

static int64_t round_up(int64_t v, int64_t to)
{
    return (v + to - 1) / to * to;
}

struct tiles {
    int64_t n_rows, n_cols; /* of a block */
    void *rows, *cols, *sums;
    bool blas;
};

static struct tiles make_tiles(struct contraction *c, const struct side *rows,
                               const struct side *cols)
{
    struct tiles t;
    int64_t k = c->k.points ? c->k.points : 1;
    size_t size = eval_acc_bytes(c->acc);
    t.blas = c->e->opt && c->e->opt->blas && c->acc == DTYPE_F32 && c->k.points >= BLAS_MIN_K &&
             rows->row.points >= EVAL_TILE_ROWS;
    t.n_rows = round_up(clamp(ROW_BLOCK_ELEMS / k, 1, ROW_BLOCK_MAX), EVAL_TILE_ROWS);
    t.n_cols = round_up(clamp(COL_BLOCK_ELEMS / k, 1, COL_BLOCK_MAX), EVAL_TILE_COLS);
    t.n_rows = clamp(round_up(rows->row.points, EVAL_TILE_ROWS), 0, t.n_rows);
    t.n_cols = clamp(round_up(cols->row.points, EVAL_TILE_COLS), 0, t.n_cols);
    t.rows = arena_array(&c->scratch, (size_t)(t.n_rows * k), size);
    t.cols = arena_array(&c->scratch, (size_t)(t.n_cols * k), size);
    t.sums = arena_array(&c->scratch, (size_t)(t.n_rows * t.n_cols), size);
    return t;
}

/* Sums of a block of rows against a block of columns. */
static void multiply(struct contraction *c, const struct tiles *t, int64_t n_rows, int64_t n_cols)
{
    int64_t k = c->k.points;
    size_t size = eval_acc_bytes(c->acc);
    if (t->blas) {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n_rows, (int)n_cols, (int)k, 1,
                    t->rows, (int)k, t->cols, (int)k, 0, t->sums, (int)t->n_cols);
        return;
    }
    for (int64_t j = 0; j < n_cols; j += EVAL_TILE_COLS)
        for (int64_t i = 0; i < n_rows; i += EVAL_TILE_ROWS)
            eval_accumulate(c->acc, k, (const char *)t->rows + (size_t)(i * k) * size,
                            (const char *)t->cols + (size_t)(j * k) * size,
                            (char *)t->sums + (size_t)(i * t->n_cols + j) * size, t->n_cols);
}

static void run_batch_point(struct contraction *c, const struct tiles *t, const struct side *rows,
                            const struct side *cols)
{
    size_t size = eval_acc_bytes(c->acc);
    int64_t k = c->k.points;
    for (int64_t col = 0; col < cols->row.points; col += t->n_cols) {
        int64_t n_cols = clamp(cols->row.points - col, 0, t->n_cols);
        for (int64_t j = 0; j < n_cols; j++) {
            int64_t panel = j / EVAL_TILE_COLS * EVAL_TILE_COLS;
            if (t->blas)
                gather_row(c, cols, col + j, t->cols, j * k, 1);
            else
                gather_row(c, cols, col + j, t->cols, panel * k + (j - panel), EVAL_TILE_COLS);
        }
        for (int64_t row = 0; row < rows->row.points; row += t->n_rows) {
            int64_t n_rows = clamp(rows->row.points - row, 0, t->n_rows);
            for (int64_t i = 0; i < n_rows; i++)
                gather_row(c, rows, row + i, t->rows, i * k, 1);
            multiply(c, t, n_rows, n_cols);
            for (int64_t i = 0; i < n_rows; i++)
                epilogue_row(c, rows, cols, row + i, col, n_cols,
                             (const char *)t->sums + (size_t)(i * t->n_cols) * size);
        }
    }
}

void eval_contract(struct eval *e, kval v)
{
    struct contraction c = {.e = e, .r = kernel_inst(e->k, v)->region};
    const struct kcontract *con = c.r->contract;
    c.acc = con->acc;
    arena_init(&c.scratch);
    eval_broadcast(e, v);
    domain_of(&c, KITER_BATCH, &c.batch);
    domain_of(&c, KITER_K, &c.k);
    prepare_side(&c, &c.a, &con->a, KITER_M);
    prepare_side(&c, &c.b, &con->b, KITER_N);
    bool a_rows = c.a.row.points <= c.b.row.points;
    const struct side *rows = a_rows ? &c.a : &c.b, *cols = a_rows ? &c.b : &c.a;
    if (rows->row.points) {
        struct tiles t = make_tiles(&c, rows, cols);
        for (int64_t p = 0; p < c.batch.points; p++) {
            fill_point(e, &c.batch, p);
            start_side(&c, &c.a);
            start_side(&c, &c.b);
            run_batch_point(&c, &t, rows, cols);
        }
    }
    arena_done(&c.scratch);
}
