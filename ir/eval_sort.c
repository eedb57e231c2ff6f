/*
 * eval_sort.c: sorts.
 *
 * The tuples are put into a table in the order of their indices, and then an array of their places
 * is merged until it is in order.
 */
#include "ir/eval_internal.h"

union cell {
    int64_t i;
    float f;
    double d;
};

struct sort {
    struct eval *e;
    const struct kregion *r;
    int n; /* values of a tuple */
    enum dtype type[KREGION_MAX_VALUES];
    union cell *tuple; /* n for each index */
    int64_t *place, *spare;
};

static union cell get(enum dtype t, const union lanes *s)
{
    union cell c = {0};
    if (t == DTYPE_F64)
        c.d = s->d[0];
    else if (dtype_is_float(t))
        c.f = s->f[0];
    else
        c.i = s->i[0];
    return c;
}

static void put(enum dtype t, union lanes *s, union cell c)
{
    if (t == DTYPE_F64)
        s->d[0] = c.d;
    else if (dtype_is_float(t))
        s->f[0] = c.f;
    else
        s->i[0] = c.i;
}

/* Gives a tuple to parameters `from` and following of a block. */
static void put_tuple(const struct sort *s, const struct kblock *b, int from, int64_t at)
{
    for (int v = 0; v < s->n; v++)
        put(s->type[v], s->e->slot[b->param[from + v]], s->tuple[at * s->n + v]);
}

static bool is_before(const struct sort *s, int64_t a, int64_t b)
{
    const struct kblock *block = &s->r->block[1];
    put_tuple(s, block, 0, a);
    put_tuple(s, block, s->n, b);
    eval_block(s->e, block, 1);
    return s->e->slot[eval_yield(s->e, block)->args[0]]->i[0] != 0;
}

/* place[from..mid) and place[mid..to), each in order, become one. */
static void merge(struct sort *s, int64_t from, int64_t mid, int64_t to)
{
    int64_t a = from, b = mid, at = from;
    while (a < mid && b < to)
        s->spare[at++] = is_before(s, s->place[b], s->place[a]) ? s->place[b++] : s->place[a++];
    while (a < mid)
        s->spare[at++] = s->place[a++];
    while (b < to)
        s->spare[at++] = s->place[b++];
}

static void sort_places(struct sort *s, int64_t extent)
{
    for (int64_t run = 1; run < extent; run *= 2) {
        for (int64_t from = 0; from < extent; from += 2 * run) {
            int64_t mid = from + run < extent ? from + run : extent;
            int64_t to = from + 2 * run < extent ? from + 2 * run : extent;
            merge(s, from, mid, to);
        }
        int64_t *sorted = s->spare;
        s->spare = s->place;
        s->place = sorted;
    }
}

static void fill(struct sort *s, int64_t extent)
{
    const struct kblock *b = &s->r->block[0];
    const struct kinst *y = eval_yield(s->e, b);
    for (int64_t i = 0; i < extent; i++) {
        eval_fill(s->e->slot[s->r->index[0]], i);
        eval_block(s->e, b, 1);
        for (int v = 0; v < s->n; v++)
            s->tuple[i * s->n + v] = get(s->type[v], s->e->slot[y->args[v]]);
        s->place[i] = i;
    }
}

void eval_sort(struct eval *e, kval v)
{
    struct sort s = {.e = e, .r = kernel_inst(e->k, v)->region};
    const struct kinst *y = eval_yield(e, &s.r->block[0]);
    int64_t extent = e->slot[s.r->extent[0]]->i[0], ranks = e->slot[s.r->extent[1]]->i[0];
    struct arena scratch;
    extent = extent > 0 ? extent : 0;
    ranks = ranks < extent ? ranks : extent;
    s.n = y->n_args;
    for (int a = 0; a < s.n; a++)
        s.type[a] = kernel_inst(e->k, y->args[a])->type;
    arena_init(&scratch);
    s.tuple = arena_array(&scratch, (size_t)(extent * s.n), sizeof *s.tuple);
    s.place = arena_array(&scratch, (size_t)extent, sizeof *s.place);
    s.spare = arena_array(&scratch, (size_t)extent, sizeof *s.spare);
    fill(&s, extent);
    sort_places(&s, extent);
    for (int64_t rank = 0; rank < ranks; rank++) {
        eval_fill(e->slot[s.r->index[1]], rank);
        put_tuple(&s, &s.r->block[2], 0, s.place[rank]);
        eval_block(e, &s.r->block[2], 1);
    }
    arena_done(&scratch);
}
