/*
 * StringSplit-20 over bytes: where each part begins and ends is found string by string, then all
 * bytes of all parts are copied at once.  The most parts that a string has is known only at run
 * time: output 2 holds it.
 */
#include <string.h>

#include "ir/ops/common.h"

enum { SUBSTRINGS, LENGTHS, COUNT };

/* The most parts that a string of so many bytes can have. */
static int64_t most_parts(const struct string_split_attrs *a, int64_t bytes)
{
    int64_t d = (int64_t)strlen(a->delimiter);
    int64_t most = d ? bytes / d + 1 : (bytes + 1) / 2;
    if (a->maxsplit >= 0 && a->maxsplit < most - 1)
        most = a->maxsplit + 1;
    return most > 0 ? most : 1;
}

bool string_split_infer(struct graph *g, struct node *n, struct error *err)
{
    const struct string_split_attrs *a = n->attrs;
    const struct shape *x = &n->in[0]->shape;
    if (!ops_check_type(n, 0, TYPE(U8), err) || !ops_check_static(n, 0, err))
        return false;
    if (!x->rank || x->rank == MAX_RANK)
        return error_set(err, SHEAF_ERROR_SHAPE, "strings in %d dimensions cannot be split",
                         x->rank);
    int last = x->rank - 1;
    struct shape y = shape_of_dims(x->rank, x->dims), lengths = shape_of_dims(last, x->dims);
    y.rank = x->rank + 1;
    y.dims[last] = most_parts(a, x->dims[last]);
    y.dims[last + 1] = x->dims[last];
    y.extent[last] = ops_hidden_scalar(g, n, COUNT, "count");
    return ops_set_output(n, SUBSTRINGS, DTYPE_U8, &y, err) &&
           ops_set_output(n, LENGTHS, DTYPE_I64, &lengths, err);
}

struct split {
    struct lower *l;
    const struct string_split_attrs *a;
    int rank;              /* of a string's index */
    kval at[MAX_RANK];     /* of the string in work; at[rank]: a byte, or a part */
    kval length;           /* of the string in work */
    int begins, ends, all; /* [.., parts] and, of how many parts, [..] */
};

static kval byte_at(struct split *s, kval i)
{
    s->at[s->rank] = i;
    struct kernel *k = s->l->kernel;
    return kernel_load_or(k, s->l->in[0], s->at, kernel_const_int(k, DTYPE_U8, 0));
}

static kval is_byte(struct split *s, kval i, unsigned char c)
{
    struct kernel *k = s->l->kernel;
    kval byte = byte_at(s, i);
    return kernel_compare(k, KOP_EQ, byte, kernel_const_int(k, DTYPE_U8, c));
}

static kval is_delimiter(struct split *s, kval i)
{
    kval all = 0;
    for (size_t c = 0; s->a->delimiter[c]; c++) {
        kval here = ops_add_const(s->l->kernel, i, (int64_t)c);
        all = ops_and(s->l->kernel, all, is_byte(s, here, (unsigned char)s->a->delimiter[c]));
    }
    return all;
}

/* Also the end of the string. */
static kval is_space(struct split *s, kval i)
{
    struct kernel *k = s->l->kernel;
    kval any = is_byte(s, i, 0);
    for (const char *c = " \t\n\v\f\r"; *c; c++)
        any = kernel_binary(k, KOP_OR, any, is_byte(s, i, (unsigned char)*c));
    return any;
}

static kval may_split(struct split *s, kval parts)
{
    struct kernel *k = s->l->kernel;
    if (s->a->maxsplit < 0)
        return kernel_const_int(k, DTYPE_BOOL, 1);
    return kernel_compare(k, KOP_LT, parts, kernel_const_index(k, s->a->maxsplit));
}

/* A part from `begin` to `end` where `is_part` says so; returns the number of parts then. */
static kval add_part(struct split *s, kval is_part, kval part, kval begin, kval end)
{
    struct kernel *k = s->l->kernel;
    kernel_if_begin(k, is_part);
    s->at[s->rank] = part;
    kernel_store(k, s->begins, s->at, begin);
    kernel_store(k, s->ends, s->at, end);
    kernel_if_else(k, 0, NULL);
    kernel_if_end(k, 0, NULL, NULL);
    return kernel_binary(k, KOP_ADD, part, kernel_cast(k, DTYPE_I64, is_part));
}

/* The number of parts. */
static kval split_at_delimiter(struct split *s, kval bytes)
{
    struct kernel *k = s->l->kernel;
    kval zero = kernel_const_index(k, 0), start[2] = {zero, zero}, i, now[2], next[2], end[2];
    kernel_loop_begin(k, bytes, 2, start, &i, now);
    kval cut = is_delimiter(s, i);
    cut = kernel_binary(k, KOP_AND, cut, may_split(s, now[1]));
    cut = kernel_binary(k, KOP_AND, cut, kernel_compare(k, KOP_LE, now[0], i));
    next[1] = add_part(s, cut, now[1], now[0], i);
    kval behind = ops_add_const(k, i, (int64_t)strlen(s->a->delimiter));
    next[0] = kernel_select(k, cut, behind, now[0]);
    kernel_loop_end(k, next, end);
    return add_part(s, kernel_const_int(k, DTYPE_BOOL, 1), end[1], end[0], s->length);
}

/* The same; a part has begun where its start is not negative. */
static kval split_at_space(struct split *s, kval bytes)
{
    struct kernel *k = s->l->kernel;
    kval zero = kernel_const_index(k, 0), none = kernel_const_index(k, -1);
    kval start[2] = {none, zero}, i, now[2], next[2], end[2];
    kernel_loop_begin(k, bytes, 2, start, &i, now);
    kval space = is_space(s, i), open = kernel_compare(k, KOP_LE, zero, now[0]);
    kval cut = kernel_binary(k, KOP_AND, space, open);
    cut = kernel_binary(k, KOP_AND, cut, may_split(s, now[1]));
    next[1] = add_part(s, cut, now[1], now[0], i);
    kval starts = kernel_binary(k, KOP_OR, space, open);
    next[0] = kernel_select(k, cut, none, kernel_select(k, starts, now[0], i));
    kernel_loop_end(k, next, end);
    return add_part(s, kernel_compare(k, KOP_LE, zero, end[0]), end[1], end[0], s->length);
}

/* Bytes before the first 0. */
static kval string_length(struct split *s, kval bytes)
{
    struct kernel *k = s->l->kernel;
    kval zero = kernel_const_index(k, 0), i, length;
    kernel_reduce_begin(k, KCOMBINE_ADD, 1, 1, &bytes, 1, &zero, &i);
    kval used = kernel_unary(k, KOP_NOT, is_byte(s, i, 0));
    used = kernel_cast(k, DTYPE_I64, used);
    kernel_reduce_end(k, &used, &length);
    return length;
}

static void find_parts(struct split *s)
{
    struct kernel *k = s->l->kernel;
    const struct kbuf x = k->bufs[s->l->in[0]];
    kval bytes = kernel_const_index(k, x.dims[s->rank]), at[MAX_RANK];
    ops_map_begin(k, s->all, at);
    memcpy(s->at, at, sizeof s->at);
    s->length = string_length(s, bytes);
    kval parts = *s->a->delimiter ? split_at_delimiter(s, bytes) : split_at_space(s, bytes);
    kernel_store(k, s->all, at, parts);
    if (ops_has_output(s->l->node, LENGTHS))
        kernel_store(k, s->l->out[LENGTHS], at, parts);
    ops_map_end(k, s->all);
}

static void count_parts(struct split *s)
{
    struct kernel *k = s->l->kernel;
    kval extents[MAX_RANK], at[MAX_RANK], zero = kernel_const_index(k, 0), most;
    for (int d = 0; d < s->rank; d++)
        extents[d] = kernel_extent(k, s->all, d);
    if (s->rank) {
        kernel_reduce_begin(k, KCOMBINE_MAX, 1, s->rank, extents, 1, &zero, at);
        kval parts = kernel_load(k, s->all, at);
        kernel_reduce_end(k, &parts, &most);
    } else {
        most = kernel_load(k, s->all, NULL);
    }
    kernel_store(k, s->l->out[COUNT], NULL, most);
}

static void copy_parts(struct split *s)
{
    struct kernel *k = s->l->kernel;
    kval at[MAX_RANK];
    ops_map_begin(k, s->l->out[SUBSTRINGS], at);
    kval begin = kernel_load(k, s->begins, at), end = kernel_load(k, s->ends, at);
    kval from = kernel_binary(k, KOP_ADD, begin, at[s->rank + 1]);
    memcpy(s->at, at, sizeof s->at);
    kval inside = kernel_compare(k, KOP_LT, from, end);
    kval byte = byte_at(s, from), padding = kernel_const_int(k, DTYPE_U8, 0);
    kernel_store(k, s->l->out[SUBSTRINGS], at, kernel_select(k, inside, byte, padding));
    ops_map_end(k, s->l->out[SUBSTRINGS]);
}

void string_split_lower(struct lower *l)
{
    struct kernel *k = l->kernel;
    const struct kbuf x = k->bufs[l->in[0]];
    struct split s = {.l = l, .a = l->node->attrs, .rank = x.rank - 1};
    int64_t dims[MAX_RANK];
    memcpy(dims, x.dims, sizeof dims);
    dims[s.rank] = most_parts(s.a, x.dims[s.rank]);
    s.begins = ops_add_zeros(k, "begins", x.rank, dims);
    s.ends = ops_add_zeros(k, "ends", x.rank, dims);
    s.all = kernel_add_buf(k, "parts", DTYPE_I64, KBUF_LOCAL, s.rank, dims);
    find_parts(&s);
    count_parts(&s);
    copy_parts(&s);
}
