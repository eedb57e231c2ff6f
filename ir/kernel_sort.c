#include "ir/kernel_sort.h"

#include <assert.h>

#include "ir/kernel_raw.h"

struct ksort ksort_of(struct kernel *k, kval sort)
{
    struct ksort s = {.k = k, .region = kernel_inst(k, sort)->region};
    const struct kblock *b = &s.region->block[2];
    s.n = b->n_params;
    for (int i = 0; i < s.n; i++)
        s.type[i] = kernel_inst(k, b->param[i])->type;
    s.bound = kernel_extent_bound(k, s.region->extent[0]);
    s.ranks_bound = kernel_extent_bound(k, s.region->extent[1]);
    assert(s.bound >= 0 && s.ranks_bound >= 0);
    return s;
}

void ksort_add_bufs(struct ksort *s, int64_t rows, int64_t columns)
{
    int64_t dims[2] = {rows, columns};
    for (int i = 0; i < s->n; i++) {
        const char *name = arena_printf(s->k->arena, "sort.v%zu", s->k->n_bufs);
        s->buf[i] = kernel_add_buf(s->k, name, s->type[i], KBUF_LOCAL, 2, dims);
    }
}

void ksort_load(struct ksort *s, kval row, kval column, kval *out_tuple)
{
    kval idx[2] = {row, column};
    for (int i = 0; i < s->n; i++)
        out_tuple[i] = kernel_load(s->k, s->buf[i], idx);
}

void ksort_store(struct ksort *s, kval row, kval column, const kval *tuple)
{
    kval idx[2] = {row, column};
    for (int i = 0; i < s->n; i++)
        kernel_store(s->k, s->buf[i], idx, tuple[i]);
}

int ksort_log2(int64_t n)
{
    int log = 0;
    while (INT64_C(1) << log < n)
        log++;
    return log;
}

/* ---- blocks ---- */

void ksort_name(struct ksort_names *names, kval from, kval to)
{
    names->from[names->n] = from;
    names->to[names->n++] = to;
}

static void rename_use(kval *use, void *arg)
{
    const struct ksort_names *names = arg;
    for (int i = 0; i < names->n; i++) {
        if (*use == names->from[i]) {
            *use = names->to[i];
            return;
        }
    }
}

void ksort_move(struct ksort *s, int block, const struct ksort_names *names, kval *out_yield)
{
    struct kernel *k = s->k;
    const struct kblock *b = &s->region->block[block];
    for (size_t i = 0; i < b->n; i++) {
        kernel_raw_each_use_within(k, b->insts[i], rename_use, (void *)names);
        const struct kinst *in = kernel_inst(k, b->insts[i]);
        if (in->op != KOP_YIELD) {
            kernel_raw_append(k, k->open[k->n_open - 1], b->insts[i]);
            continue;
        }
        for (int a = 0; a < in->n_args; a++)
            out_yield[a] = in->args[a];
    }
}

void ksort_element(struct ksort *s, struct ksort_names names, kval index, kval *out_tuple)
{
    ksort_name(&names, s->region->index[0], index);
    ksort_move(s, 0, &names, out_tuple);
}

kval ksort_before(struct ksort *s, struct ksort_names names, const kval *first, const kval *second)
{
    kval before = 0;
    for (int i = 0; i < s->n; i++) {
        ksort_name(&names, s->region->block[1].param[i], first[i]);
        ksort_name(&names, s->region->block[1].param[s->n + i], second[i]);
    }
    ksort_move(s, 1, &names, &before);
    return before;
}

kval ksort_before_copied(struct ksort *s, const kval *first, const kval *second)
{
    struct kernel *k = s->k;
    const struct kblock *b = &s->region->block[1];
    kval *copy = arena_array(k->arena, k->n_insts, sizeof *copy);
    kval args[MAX_RANK + 1];
    for (int i = 0; i < s->n; i++) {
        copy[b->param[i]] = first[i];
        copy[b->param[s->n + i]] = second[i];
    }
    for (size_t i = 0; i < b->n; i++) {
        struct kinst in = *kernel_inst(k, b->insts[i]);
        for (int a = 0; a < in.n_args; a++)
            args[a] = copy[in.args[a]] ? copy[in.args[a]] : in.args[a];
        if (in.op == KOP_YIELD)
            return args[0];
        kval v = kernel_raw_inst(k, in.op, in.type, in.n_args, args);
        kernel_inst(k, v)->buf = in.buf;
        kernel_inst(k, v)->imm = in.imm;
        kernel_raw_append(k, k->open[k->n_open - 1], v);
        copy[b->insts[i]] = v;
    }
    assert(0 && "a comparison that yields nothing");
    return 0;
}

void ksort_each(struct ksort *s, struct ksort_names names, kval rank, const kval *tuple)
{
    ksort_name(&names, s->region->index[1], rank);
    for (int i = 0; i < s->n; i++)
        ksort_name(&names, s->region->block[2].param[i], tuple[i]);
    ksort_move(s, 2, &names, NULL);
}

kval ksort_ranks(struct ksort *s)
{
    return kernel_binary(s->k, KOP_MIN, s->region->extent[0], s->region->extent[1]);
}

void ksort_replace(struct kernel *k, struct kblock *b, size_t at, const struct kblock *by)
{
    size_t n = b->n - 1 + by->n;
    kval *insts = arena_array(k->arena, n, sizeof *insts);
    size_t to = 0;
    for (size_t i = 0; i < b->n; i++) {
        for (size_t j = 0; i == at && j < by->n; j++)
            insts[to++] = by->insts[j];
        if (i != at)
            insts[to++] = b->insts[i];
    }
    b->insts = insts;
    b->n = b->cap = n;
}

void ksort_open(struct kernel *k, struct kblock *b)
{
    assert((size_t)k->n_open < sizeof k->open / sizeof k->open[0]);
    k->open[k->n_open++] = b;
}
