#include "loader/profile/capture.h"

#include <math.h>
#include <string.h>

/* ---- which tensors ---- */

static void add_tensor(struct capture *c, const struct value *v)
{
    struct profile *p = &c->profile;
    size_t n = p->n, cap = p->cap;
    if (!v || !dtype_is_float(v->dtype))
        return;
    struct histogram *h = arena_new(c->arena, struct histogram);
    histogram_init(h);
    ARENA_PUSH(c->arena, p->tensor, p->n, p->cap) = (struct profile_tensor){v->name, h};
    ARENA_PUSH(c->arena, c->value, n, cap) = v;
}

static void count_inner(struct graph *g, struct block *b, void *arg)
{
    struct capture *c = arg;
    for (size_t i = 0; b != &g->body && i < b->n_nodes; i++)
        for (size_t j = 0; j < b->nodes[i]->n_out; j++)
            c->n_inner += b->nodes[i]->out[j] && dtype_is_float(b->nodes[i]->out[j]->dtype);
}

void capture_init(struct capture *c, struct arena *a, const struct graph *g)
{
    *c = (struct capture){.arena = a, .profile = {.model = "", .processor = ""}};
    for (size_t i = 0; i < g->body.n_in; i++)
        add_tensor(c, g->body.in[i]);
    for (size_t i = 0; i < g->body.n_nodes; i++)
        for (size_t j = 0; j < g->body.nodes[i]->n_out; j++)
            add_tensor(c, g->body.nodes[i]->out[j]);
    graph_each_block((struct graph *)g, count_inner, c);
}

/* ---- their content ---- */

static size_t product(int rank, const int64_t *dims)
{
    size_t n = 1;
    for (int d = 0; d < rank; d++)
        n *= (size_t)dims[d];
    return n;
}

static float *scratch(struct capture *c, size_t n)
{
    if (n > c->scratch_elems) {
        c->scratch = arena_array(c->arena, n, sizeof *c->scratch);
        c->scratch_elems = n;
    }
    return c->scratch;
}

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
    size_t n_rows = product(last, dims);
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
static const float *elements(struct capture *c, const struct value *v, const void *data,
                             const int64_t *dims, size_t n)
{
    const struct layout *l = &v->layout;
    struct tensor t = {.dtype = v->dtype, .rank = 1, .dims = {layout_elems(l, dims)}, .data = data};
    if (v->dtype == DTYPE_F32 && (size_t)t.dims[0] == n)
        return data;
    float *out = scratch(c, n);
    if (l->rank == 0)
        out[0] = element(&t, 0);
    else
        gather(l, dims, &t, out);
    return out;
}

bool capture_add(struct capture *c, size_t i, const void *data, const int64_t *dims,
                 const char *sample, struct error *err)
{
    const struct value *v = c->value[i];
    size_t n = product(v->shape.rank, dims);
    const float *x = elements(c, v, data, dims, n);
    size_t bad = histogram_add(c->profile.tensor[i].histogram, x, n);
    if (bad == n)
        return true;
    return error_set(err, SHEAF_ERROR_FORMAT,
                     "%s: tensor '%s' holds %s there, and a profile counts finite numbers only",
                     sample, v->name,
                     isnan(x[bad]) ? "NaN"
                     : x[bad] > 0  ? "infinity"
                                   : "-infinity");
}
