#define _GNU_SOURCE /* sched_getaffinity */
#include "loader/profile/capture.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

enum {
    MAX_THREADS = 16,              /* memory has no more to give */
    ELEMS_WORTH_A_THREAD = 1 << 18 /* to start one takes as long as to count a tenth of this */
};

/* ---- which tensors ---- */

/* Whether the tensor must be copied before it is counted: it has another type, or padding. */
static bool needs_scratch(const struct value *v)
{
    return v->dtype != DTYPE_F32 ||
           layout_elems(&v->layout, v->shape.dims) != shape_elems(&v->shape);
}

static void add_tensor(struct capture *c, const struct value *v)
{
    struct profile *p = &c->profile;
    size_t n = p->n, cap = p->cap;
    /* What nobody uses has no storage. */
    if (!v || !dtype_is_float(v->dtype) || v->n_uses == 0)
        return;
    struct histogram *h = arena_new(c->arena, struct histogram);
    histogram_init(h);
    ARENA_PUSH(c->arena, p->tensor, p->n, p->cap) = (struct profile_tensor){v->name, h};
    ARENA_PUSH(c->arena, c->value, n, cap) = v;
}

static size_t count_floats(const struct block *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n_nodes; i++)
        for (size_t j = 0; j < b->nodes[i]->n_out; j++)
            n += b->nodes[i]->out[j] && dtype_is_float(b->nodes[i]->out[j]->dtype);
    return n;
}

/* Float results of the nodes inside of the block's nodes. */
static size_t count_inner(const struct block *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n_nodes; i++)
        for (size_t j = 0; j < b->nodes[i]->n_blocks; j++)
            n += count_floats(b->nodes[i]->blocks[j]) + count_inner(b->nodes[i]->blocks[j]);
    return n;
}

/* Those that this process may use. */
static size_t n_processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
}

static void choose_threads(struct capture *c, size_t n_threads)
{
    size_t elems = 0;
    for (size_t i = 0; i < c->profile.n; i++) {
        size_t n = (size_t)shape_elems(&c->value[i]->shape);
        elems += n;
        if (needs_scratch(c->value[i]) && n > c->scratch_elems)
            c->scratch_elems = n;
    }
    if (n_threads == 0) {
        n_threads = n_processors();
        if (n_threads > elems / ELEMS_WORTH_A_THREAD)
            n_threads = elems / ELEMS_WORTH_A_THREAD;
    }
    c->n_threads = n_threads == 0 ? 1 : n_threads < MAX_THREADS ? n_threads : MAX_THREADS;
    c->scratch = arena_array(c->arena, c->n_threads, sizeof *c->scratch);
    for (size_t i = 0; i < c->n_threads; i++)
        c->scratch[i] = arena_array(c->arena, c->scratch_elems, sizeof **c->scratch);
}

void capture_init(struct capture *c, struct arena *a, const struct graph *g, size_t n_threads)
{
    *c = (struct capture){
        .arena = a, .profile = {.model = "", .processor = ""}, .n_inner = count_inner(&g->body)};
    for (size_t i = 0; i < g->body.n_in; i++)
        add_tensor(c, g->body.in[i]);
    for (size_t i = 0; i < g->body.n_nodes; i++)
        for (size_t j = 0; j < g->body.nodes[i]->n_out; j++)
            add_tensor(c, g->body.nodes[i]->out[j]);
    choose_threads(c, n_threads);
}

/* ---- their content ---- */

static float element(const struct tensor *t, int64_t at)
{
    return t->dtype == DTYPE_F32 ? ((const float *)t->data)[at] : (float)tensor_get(t, at);
}

/* The elements in order of their indices, without the padding of the layout.  `t` is the storage as
   one dimension. */
static void gather(const struct layout *l, const int64_t *dims, const struct tensor *t, float *out)
{
    int last = l->rank - 1;
    bool even = layout_block_size(l, last) == 1; /* steps along it are all of one size */
    int64_t step = layout_strides(l, dims).outer[last], idx[MAX_RANK] = {0};
    size_t n_rows = (size_t)dims_elems(last, dims);
    for (size_t row = 0; row < n_rows; row++) {
        int64_t at = layout_offset(l, dims, idx);
        for (int64_t i = 0; i < dims[last]; i++) {
            idx[last] = i;
            *out++ = element(t, even ? at + i * step : layout_offset(l, dims, idx));
        }
        idx[last] = 0;
        for (int d = last - 1; d >= 0 && ++idx[d] == dims[d]; d--)
            idx[d] = 0;
    }
}

/* The elements as floats, in any order. */
static const float *elements(const struct value *v, const struct capture_data *from, size_t n,
                             float *scratch)
{
    const struct layout *l = &v->layout;
    struct tensor t = {.dtype = v->dtype, .rank = 1, .data = from->data};
    t.dims[0] = layout_elems(l, from->dims);
    if (v->dtype == DTYPE_F32 && (size_t)t.dims[0] == n)
        return from->data;
    if (l->rank == 0)
        scratch[0] = element(&t, 0);
    else
        gather(l, from->dims, &t, scratch);
    return scratch;
}

/* ---- counting ---- */

struct round {
    struct capture *capture;
    const struct capture_data *data;
    atomic_size_t next, next_thread;
    float *bad; /* of tensor i: the first number that is not finite, else 0 */
};

/* Takes one tensor after the other, until none is left. */
static void *count_tensors(void *arg)
{
    struct round *r = arg;
    const struct capture *c = r->capture;
    float *scratch = c->scratch[atomic_fetch_add(&r->next_thread, 1)];
    for (size_t i; (i = atomic_fetch_add(&r->next, 1)) < c->profile.n;) {
        size_t n = (size_t)dims_elems(c->value[i]->shape.rank, r->data[i].dims);
        const float *x = elements(c->value[i], &r->data[i], n, scratch);
        size_t bad = histogram_add(c->profile.tensor[i].histogram, x, n);
        if (bad < n)
            r->bad[i] = x[bad];
    }
    return NULL;
}

static void run_round(struct round *r)
{
    pthread_t thread[MAX_THREADS];
    size_t n = 0;
    /* Where the system has no more threads, those that there are do the work. */
    while (n + 1 < r->capture->n_threads && !pthread_create(&thread[n], NULL, count_tensors, r))
        n++;
    count_tensors(r);
    while (n > 0)
        pthread_join(thread[--n], NULL);
}

bool capture_add(struct capture *c, const struct capture_data *data, const char *sample,
                 struct error *err)
{
    struct arena a;
    arena_init(&a);
    struct round r = {.capture = c, .data = data};
    r.bad = arena_array(&a, c->profile.n, sizeof *r.bad);
    run_round(&r);
    size_t i = 0;
    while (i < c->profile.n && r.bad[i] == 0)
        i++;
    if (i < c->profile.n)
        error_set(err, SHEAF_ERROR_FORMAT,
                  "%s: tensor '%s' holds %s there, and a profile counts finite numbers only",
                  sample, c->profile.tensor[i].name,
                  isnan(r.bad[i]) ? "NaN"
                  : r.bad[i] > 0  ? "infinity"
                                  : "-infinity");
    bool ok = i == c->profile.n;
    arena_done(&a);
    return ok;
}
