/*
 * Einsum: the equation is read here and becomes transpositions, sums, and one product per further
 * operand: MatMul where labels are summed over, else Mul.
 *
 * Operands are taken from left to right.  A label that nothing behind needs is summed over as soon
 * as possible.  A dimension of 1 goes with any other extent of the same label.
 */
#include <string.h>

#include "loader/import/onnx/onnx.h"

/* Letters are their own labels; dimensions of "..." are counted from the right. */
enum { ELLIPSIS = 128, LABELS = ELLIPSIS + MAX_RANK };

struct term {
    struct value *v;
    int n;
    int label[MAX_RANK];
};

struct einsum {
    struct onnx *o;
    struct draft *d;
    struct term *in;
    size_t n_in;
    struct term out; /* labels only */
    int ellipsis;    /* the most dimensions of "..." */
    int uses[LABELS];
};

static bool bad_equation(struct einsum *e, const char *text)
{
    return draft_error(e->o, e->d, SHEAF_ERROR_SHAPE, "the equation '%s' does not fit the inputs",
                       text);
}

/* ---- the equation ---- */

/* Labels up to a comma or "->"; `dots`: dimensions of "...", -1: those that complete `rank`.
   Returns the rest, or NULL. */
static const char *parse_term(const char *s, int rank, int dots, struct term *t, int *out_dots)
{
    int letters = 0;
    bool has_dots = false;
    for (const char *p = s; *p && *p != ',' && *p != '-'; p++)
        letters += (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');
    int n_dots = dots >= 0 ? dots : rank - letters;
    for (; *s && *s != ',' && *s != '-'; s++) {
        int count = 1;
        if (*s == ' ')
            continue;
        if (!strncmp(s, "...", 3) && !has_dots && n_dots >= 0) {
            has_dots = true;
            count = n_dots;
            s += 2;
        } else if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z'))) {
            return NULL;
        }
        if (t->n + count > MAX_RANK)
            return NULL;
        for (int i = 0; i < count; i++)
            t->label[t->n++] = *s == '.' ? ELLIPSIS + count - 1 - i : *s;
    }
    *out_dots = has_dots ? n_dots : 0;
    return dots < 0 && t->n != rank ? NULL : s;
}

/* Without "->": the dimensions of "...", then the labels that occur once. */
static void implicit_output(struct einsum *e)
{
    for (int i = e->ellipsis - 1; i >= 0; i--)
        e->out.label[e->out.n++] = ELLIPSIS + i;
    for (int c = 0; c < ELLIPSIS && e->out.n < MAX_RANK; c++)
        if (e->uses[c] == 1)
            e->out.label[e->out.n++] = c;
}

static bool parse(struct einsum *e, const char *text)
{
    const char *s = text;
    for (size_t i = 0; i < e->n_in; i++) {
        struct term *t = &e->in[i];
        int dots;
        t->v = e->d->in[i];
        s = parse_term(s, t->v->shape.rank, -1, t, &dots);
        if (!s || (i + 1 < e->n_in) != (*s == ','))
            return bad_equation(e, text);
        s += *s == ',';
        e->ellipsis = dots > e->ellipsis ? dots : e->ellipsis;
        for (int d = 0; d < t->n; d++)
            e->uses[t->label[d]]++;
    }
    if (!*s) {
        implicit_output(e);
        return true;
    }
    int dots;
    s = strncmp(s, "->", 2) ? NULL : parse_term(s + 2, 0, e->ellipsis, &e->out, &dots);
    if (!s || *s)
        return bad_equation(e, text);
    for (int d = 0; d < e->out.n; d++) {
        for (int other = 0; other < d; other++)
            if (e->out.label[d] == e->out.label[other])
                return bad_equation(e, text);
        if (!e->uses[e->out.label[d]])
            return bad_equation(e, text);
    }
    return true;
}

/* ---- steps on one operand; each is nothing after a fault, which leaves v NULL ---- */

static int find_label(const struct term *t, int label)
{
    for (int d = 0; d < t->n; d++)
        if (t->label[d] == label)
            return d;
    return -1;
}

static void reshape(struct einsum *e, struct term *t, int rank, const int64_t *dims)
{
    if (t->v)
        t->v = build_reshape(&e->o->im, t->v, rank, dims, NULL);
}

/* Dimension perm[d] becomes dimension d. */
static void transpose(struct einsum *e, struct term *t, const int64_t *perm)
{
    struct term old = *t;
    bool moves = false;
    for (int d = 0; d < t->n; d++) {
        t->label[d] = old.label[perm[d]];
        moves |= perm[d] != d;
    }
    if (t->v && moves)
        t->v = build_transpose(&e->o->im, t->v, perm, NULL);
}

static void drop_label(struct term *t, int d)
{
    t->n--;
    memmove(t->label + d, t->label + d + 1, (size_t)(t->n - d) * sizeof t->label[0]);
}

/* A label that stands twice: its dimensions come last, and of the rows and columns they are each
   element n * (n + 1) is kept. */
static void take_diagonal(struct einsum *e, struct term *t, int first, int second)
{
    int64_t perm[MAX_RANK], dims[MAX_RANK];
    int n = 0;
    for (int d = 0; d < t->n; d++)
        if (d != first && d != second)
            perm[n++] = d;
    perm[n++] = first;
    perm[n] = second;
    transpose(e, t, perm);
    if (!t->v)
        return;
    const struct shape *s = &t->v->shape;
    int64_t extent = s->dims[t->n - 1], axis = t->n - 2, step = extent + 1;
    int64_t end = extent * extent;
    memcpy(dims, s->dims, sizeof dims);
    drop_label(t, t->n - 1);
    if (extent == 1 || extent == 0) {
        reshape(e, t, t->n, dims);
        return;
    }
    dims[t->n - 1] = end;
    reshape(e, t, t->n, dims);
    struct importer *im = &e->o->im;
    struct value *in[5] = {t->v};
    const int64_t number[4] = {0, end, axis, step};
    for (int i = 0; i < 4; i++)
        in[1 + i] = build_ints(im, NULL, &number[i], 1);
    if (t->v)
        t->v = build_op(im, OP_slice, e->d->name, in, 5, NULL);
}

static bool take_diagonals(struct einsum *e, struct term *t)
{
    for (int d = 0; d < t->n && t->v; d++) {
        int first = find_label(t, t->label[d]);
        if (first == d)
            continue;
        const int64_t *dims = t->v->shape.dims;
        if (dims[first] != dims[d])
            return draft_error(e->o, e->d, SHEAF_ERROR_SHAPE,
                               "a label stands for dimensions of %lld and of %lld elements in '%s'",
                               (long long)dims[first], (long long)dims[d], t->v->name);
        take_diagonal(e, t, first, d);
        d = -1;
    }
    return t->v != NULL;
}

static struct value *sum_axes(struct einsum *e, struct value *v, const int64_t *axes, size_t n)
{
    if (!v)
        return NULL;
    struct value *in[] = {v, build_ints(&e->o->im, NULL, axes, n)};
    struct node *sum = build_begin(&e->o->im, OP_reduce_sum, e->d->name, in, 2, 1);
    ((struct reduce_sum_attrs *)sum->attrs)->keepdims = 0;
    return build_end1(&e->o->im, sum, NULL);
}

/* Sums over the labels that neither `needed` nor `other` has. */
static void sum_rest(struct einsum *e, struct term *t, const bool *needed, const struct term *other)
{
    int64_t axes[MAX_RANK];
    size_t n = 0;
    struct term left = {.v = t->v};
    for (int d = 0; d < t->n; d++) {
        if (needed[t->label[d]] || (other && find_label(other, t->label[d]) >= 0))
            left.label[left.n++] = t->label[d];
        else
            axes[n++] = d;
    }
    if (n)
        left.v = sum_axes(e, t->v, axes, n);
    *t = left;
}

/* Drops dimensions of 1 where `other` has more under the same label. */
static bool drop_ones(struct einsum *e, struct term *t, const struct term *other)
{
    int64_t dims[MAX_RANK];
    struct term left = {.v = t->v};
    if (!t->v || !other->v)
        return false;
    for (int d = 0; d < t->n; d++) {
        int there = find_label(other, t->label[d]);
        int64_t own = t->v->shape.dims[d], theirs = there < 0 ? own : other->v->shape.dims[there];
        if (own == 1 && theirs != 1)
            continue;
        if (own != theirs && theirs != 1)
            return draft_error(e->o, e->d, SHEAF_ERROR_SHAPE,
                               "a label stands for dimensions of %lld and of %lld elements",
                               (long long)own, (long long)theirs);
        dims[left.n] = own;
        left.label[left.n++] = t->label[d];
    }
    if (left.n < t->n)
        reshape(e, &left, left.n, dims);
    *t = left;
    return left.v != NULL;
}

/* ---- products ---- */

enum part { BATCH, OWN, SUM, PARTS };

static enum part part_of(int label, const bool *needed, const struct term *other)
{
    if (find_label(other, label) < 0)
        return OWN;
    return needed[label] ? BATCH : SUM;
}

/* Dimensions in the order batch, own, sum, where those of batch and sum stand as in `order`;
   out_size: elements of each part. */
static void arrange(struct einsum *e, struct term *t, const struct term *other,
                    const struct term *order, const bool *needed, int64_t *out_size)
{
    int64_t perm[MAX_RANK];
    int n = 0;
    for (int part = 0; part < PARTS; part++) {
        const struct term *by = part == OWN ? t : order;
        out_size[part] = 1;
        for (int d = 0; d < by->n; d++) {
            int at = find_label(t, by->label[d]);
            if (at < 0 || part_of(by->label[d], needed, other) != (enum part)part)
                continue;
            perm[n++] = at;
            out_size[part] *= t->v->shape.dims[at];
        }
    }
    transpose(e, t, perm);
}

/* Appends the labels of a part with their extents; those beyond MAX_RANK are only counted. */
static void append_labels(struct term *out, int64_t *dims, const struct term *t,
                          const struct term *other, const bool *needed, enum part part)
{
    for (int d = 0; d < t->n; d++) {
        if (part_of(t->label[d], needed, other) != part)
            continue;
        if (out->n < MAX_RANK) {
            dims[out->n] = t->v->shape.dims[d];
            out->label[out->n] = t->label[d];
        }
        out->n++;
    }
}

static bool matmul_has(enum dtype t)
{
    return t != DTYPE_I8 && t != DTYPE_U8 && t != DTYPE_I16 && t != DTYPE_U16;
}

/* a [batch, left, sum] and b [batch, right, sum] to [batch, left, right]. */
static struct value *product(struct einsum *e, struct term *a, struct term *b, const int64_t *left,
                             const int64_t *right, bool sums)
{
    struct importer *im = &e->o->im;
    const char *node = e->d->name;
    if (sums && matmul_has(a->v->dtype)) {
        static const int64_t last_two[] = {0, 2, 1};
        int64_t as[3] = {left[BATCH], left[OWN], left[SUM]};
        int64_t bs[3] = {left[BATCH], right[OWN], left[SUM]};
        reshape(e, a, 3, as);
        reshape(e, b, 3, bs);
        struct value *t = b->v ? build_transpose(im, b->v, last_two, NULL) : NULL;
        return build_binary(im, OP_matmul, node, a->v, t);
    }
    int64_t as[4] = {left[BATCH], left[OWN], 1, left[SUM]};
    int64_t bs[4] = {left[BATCH], 1, right[OWN], left[SUM]};
    reshape(e, a, 4, as);
    reshape(e, b, 4, bs);
    struct value *y = build_binary(im, OP_mul, node, a->v, b->v);
    static const int64_t last = 3;
    return sums ? sum_axes(e, y, &last, 1) : y;
}

/* a becomes its product with b; `needed`: labels that the result and later operands have. */
static bool multiply(struct einsum *e, struct term *a, struct term *b, const bool *needed)
{
    struct term whole = *a;
    if (!drop_ones(e, a, b) || !drop_ones(e, b, &whole))
        return false;
    sum_rest(e, a, needed, b);
    sum_rest(e, b, needed, a);
    if (!a->v || !b->v)
        return false;
    int64_t left[PARTS], right[PARTS], dims[MAX_RANK];
    struct term order = *a, y = {.n = 0};
    append_labels(&y, dims, a, b, needed, BATCH);
    append_labels(&y, dims, a, b, needed, OWN);
    append_labels(&y, dims, b, a, needed, OWN);
    if (y.n > MAX_RANK)
        return draft_error(e->o, e->d, SHEAF_ERROR_UNSUPPORTED,
                           "a product would have %d dimensions where %d are possible", y.n,
                           MAX_RANK);
    bool sums = false;
    for (int d = 0; d < a->n; d++)
        sums |= part_of(a->label[d], needed, b) == SUM;
    arrange(e, a, b, &order, needed, left);
    arrange(e, b, &order, &order, needed, right);
    if (!a->v || !b->v)
        return false;
    y.v = product(e, a, b, left, right, sums);
    reshape(e, &y, y.n, dims);
    *a = y;
    return a->v != NULL;
}

/* ---- the whole ---- */

/* Labels of the result and of operands from `first` on. */
static void labels_needed(const struct einsum *e, size_t first, bool *out)
{
    memset(out, 0, LABELS * sizeof *out);
    for (int d = 0; d < e->out.n; d++)
        out[e->out.label[d]] = true;
    for (size_t i = first; i < e->n_in; i++)
        for (int d = 0; d < e->in[i].n; d++)
            out[e->in[i].label[d]] = true;
}

static bool finish(struct einsum *e, struct term *t)
{
    int64_t perm[MAX_RANK];
    bool moves = false;
    if (!t->v)
        return false;
    for (int d = 0; d < e->out.n; d++) {
        perm[d] = find_label(t, e->out.label[d]);
        moves |= perm[d] != d;
    }
    const char *name = draft_output_name(e->d);
    struct importer *im = &e->o->im;
    return draft_finish(e->o, e->d,
                        moves ? build_transpose(im, t->v, perm, name)
                              : build_op(im, OP_identity, e->d->name, &t->v, 1, name));
}

bool onnx_compose_einsum(struct onnx *o, struct draft *d)
{
    struct einsum e = {.o = o, .d = d, .n_in = d->n_in};
    struct draft_attr *equation;
    bool needed[LABELS];
    if (!draft_take_kind(o, d, "equation", ATTR_KIND_STRING, &equation))
        return false;
    if (!draft_need_inputs(o, d, d->n_in ? d->n_in : 1))
        return false;
    for (size_t i = 0; i < d->n_in; i++)
        if (!shape_is_static(&d->in[i]->shape))
            return draft_error(o, d, SHEAF_ERROR_UNSUPPORTED,
                               "the shape of '%s' is known only at run time", d->in[i]->name);
    e.in = arena_array(o->im.arena, d->n_in, sizeof *e.in);
    memset(e.in, 0, d->n_in * sizeof *e.in);
    if (!parse(&e, equation->u.s))
        return false;
    for (size_t i = 0; i < e.n_in; i++)
        if (!take_diagonals(&e, &e.in[i]))
            return false;
    struct term result = e.in[0];
    labels_needed(&e, 1, needed);
    sum_rest(&e, &result, needed, NULL);
    for (size_t i = 1; i < e.n_in; i++) {
        labels_needed(&e, i + 1, needed);
        if (!multiply(&e, &result, &e.in[i], needed))
            return false;
    }
    return finish(&e, &result);
}
