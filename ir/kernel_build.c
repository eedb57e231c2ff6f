/*
 * kernel_build.c: the builder of kernel.h.
 */
#include "ir/kernel.h"

#include <assert.h>
#include <string.h>

#include "ir/kernel_fold.h"
#include "ir/kernel_raw.h"

static struct kblock *current(struct kernel *k)
{
    assert(k->n_open > 0);
    return k->open[k->n_open - 1];
}

static kval emit(struct kernel *k, enum kop op, enum dtype type, int n_args, const kval *args)
{
    kval v = kernel_raw_inst(k, op, type, n_args, args);
    kernel_raw_append(k, current(k), v);
    return v;
}

static enum dtype type_of(const struct kernel *k, kval v)
{
    assert(v > 0 && v < k->n_insts);
    return k->insts[v].type;
}

/* ---- constants and arithmetic ---- */

static kval const_scalar(struct kernel *k, enum dtype type, union kscalar s)
{
    kval v = emit(k, KOP_CONST, type, 0, NULL);
    kernel_raw_set_const(k, v, s);
    return v;
}

kval kernel_const_int(struct kernel *k, enum dtype type, int64_t i)
{
    assert(!dtype_is_float(type));
    union kscalar s;
    s.i = kscalar_wrap(type, i);
    return const_scalar(k, type, s);
}

kval kernel_const_float(struct kernel *k, enum dtype type, double f)
{
    assert(dtype_is_float(type));
    union kscalar s;
    s.f = kscalar_round(type, f);
    return const_scalar(k, type, s);
}

kval kernel_const_index(struct kernel *k, int64_t i)
{
    return kernel_const_int(k, DTYPE_I64, i);
}

kval kernel_const(struct kernel *k, enum dtype type, double f)
{
    if (dtype_is_float(type))
        return kernel_const_float(k, type, f);
    return kernel_const_int(k, type, (int64_t)f);
}

/* The instruction, or what it folds to. */
static kval emit_folded(struct kernel *k, enum kop op, enum dtype type, int n_args,
                        const kval *args)
{
    struct kernel_fold f = kernel_raw_fold(k, op, type, n_args, args);
    if (f.same)
        return f.same;
    return f.is_const ? const_scalar(k, type, f.value) : emit(k, op, type, n_args, args);
}

kval kernel_unary(struct kernel *k, enum kop op, kval a)
{
    assert(kop_kind(op) == KOP_KIND_UNARY);
    return emit_folded(k, op, type_of(k, a), 1, &a);
}

kval kernel_binary(struct kernel *k, enum kop op, kval a, kval b)
{
    assert(kop_kind(op) == KOP_KIND_BINARY);
    assert(type_of(k, a) == type_of(k, b));
    kval args[2] = {a, b};
    return emit_folded(k, op, type_of(k, a), 2, args);
}

kval kernel_compare(struct kernel *k, enum kop op, kval a, kval b)
{
    assert(kop_kind(op) == KOP_KIND_COMPARE);
    assert(type_of(k, a) == type_of(k, b));
    kval args[2] = {a, b};
    return emit_folded(k, op, DTYPE_BOOL, 2, args);
}

kval kernel_select(struct kernel *k, kval c, kval a, kval b)
{
    assert(type_of(k, c) == DTYPE_BOOL && type_of(k, a) == type_of(k, b));
    kval args[3] = {c, a, b};
    return emit_folded(k, KOP_SELECT, type_of(k, a), 3, args);
}

kval kernel_cast(struct kernel *k, enum dtype to, kval a)
{
    assert(to == type_of(k, a) || !(dtype_is_coded(to) || dtype_is_coded(type_of(k, a))));
    return emit_folded(k, KOP_CAST, to, 1, &a);
}

kval kernel_bitcast(struct kernel *k, enum dtype to, kval a)
{
    assert(dtype_bits(type_of(k, a)) == dtype_bits(to));
    return emit_folded(k, KOP_BITCAST, to, 1, &a);
}

/* ---- memory ---- */

static kval access(struct kernel *k, enum kop op, int buf, const kval *idx, kval last)
{
    assert(buf >= 0 && (size_t)buf < k->n_bufs);
    int rank = k->bufs[buf].rank;
    kval args[MAX_RANK + 1];
    for (int d = 0; d < rank; d++) {
        assert(type_of(k, idx[d]) == DTYPE_I64);
        args[d] = idx[d];
    }
    if (last) {
        assert(type_of(k, last) == k->bufs[buf].dtype);
        args[rank] = last;
    }
    enum dtype type = op == KOP_STORE ? DTYPE_NONE : k->bufs[buf].dtype;
    kval v = emit(k, op, type, rank + (last ? 1 : 0), args);
    k->insts[v].buf = buf;
    return v;
}

kval kernel_load(struct kernel *k, int buf, const kval *idx)
{
    return access(k, KOP_LOAD, buf, idx, 0);
}

kval kernel_load_or(struct kernel *k, int buf, const kval *idx, kval otherwise)
{
    return access(k, KOP_LOAD_OR, buf, idx, otherwise);
}

void kernel_store(struct kernel *k, int buf, const kval *idx, kval v)
{
    access(k, KOP_STORE, buf, idx, v);
}

kval kernel_extent(struct kernel *k, int buf, int d)
{
    assert(buf >= 0 && (size_t)buf < k->n_bufs && d < k->bufs[buf].rank);
    int extent = k->bufs[buf].extent_buf[d];
    if (extent < 0)
        return kernel_const_index(k, k->bufs[buf].dims[d]);
    assert(k->bufs[extent].rank == 0);
    return kernel_load(k, extent, NULL);
}

/* ---- regions ---- */

static void open_block(struct kernel *k, kval region, struct kblock *b)
{
    assert((size_t)k->n_open < sizeof k->open / sizeof k->open[0]);
    k->open[k->n_open] = b;
    k->open_region[k->n_open] = region;
    k->n_open++;
}

static kval open_region(const struct kernel *k, enum kop op)
{
    assert(k->n_open > 1);
    kval v = k->open_region[k->n_open - 1];
    assert(k->insts[v].op == op);
    (void)op;
    return v;
}

static void close_block(struct kernel *k)
{
    assert(k->n_open > 1);
    k->n_open--;
}

static void yield(struct kernel *k, int n, const kval *values)
{
    emit(k, KOP_YIELD, DTYPE_NONE, n, values);
}

/* The values of a region, as instructions after it: the region itself where there is one. */
static void results(struct kernel *k, kval region, int n, const enum dtype *types, kval *out)
{
    if (n == 1) {
        out[0] = region;
        return;
    }
    for (int i = 0; i < n; i++) {
        out[i] = emit(k, KOP_RESULT, types[i], 1, &region);
        k->insts[out[i]].imm.i = i;
    }
}

static void arg_results(struct kernel *k, kval region, kval *out)
{
    enum dtype types[KREGION_MAX_VALUES];
    int n = k->insts[region].n_args;
    for (int i = 0; i < n; i++)
        types[i] = type_of(k, k->insts[region].args[i]);
    results(k, region, n, types, out);
}

static void assert_types(const struct kernel *k, kval region, const kval *values)
{
    for (int i = 0; i < k->insts[region].n_args; i++)
        assert(type_of(k, values[i]) == type_of(k, k->insts[region].args[i]));
    (void)k;
    (void)region;
    (void)values;
}

void kernel_map_begin(struct kernel *k, int n_dims, const kval *extents, kval *out_index)
{
    kval v = kernel_raw_region(k, KOP_MAP, DTYPE_NONE, 0, NULL, n_dims, extents, out_index);
    kernel_raw_append(k, current(k), v);
    open_block(k, v, &k->insts[v].region->block[0]);
}

void kernel_map_end(struct kernel *k)
{
    open_region(k, KOP_MAP);
    close_block(k);
}

void kernel_loop_begin(struct kernel *k, kval extent, int n_carried, const kval *init,
                       kval *out_index, kval *out_carried)
{
    assert(n_carried >= 0 && n_carried <= KREGION_MAX_VALUES);
    enum dtype type = n_carried ? type_of(k, init[0]) : DTYPE_NONE;
    kval v = kernel_raw_region(k, KOP_LOOP, type, n_carried, init, 1, &extent, out_index);
    kernel_raw_append(k, current(k), v);
    struct kblock *b = &k->insts[v].region->block[0];
    for (int i = 0; i < n_carried; i++)
        out_carried[i] = kernel_raw_param(k, b, type_of(k, init[i]));
    open_block(k, v, b);
}

void kernel_loop_end(struct kernel *k, const kval *next, kval *out_result)
{
    kval v = open_region(k, KOP_LOOP);
    int n = k->insts[v].n_args;
    assert_types(k, v, next);
    if (n)
        yield(k, n, next);
    close_block(k);
    arg_results(k, v, out_result);
}

void kernel_reduce_begin(struct kernel *k, enum kcombine combine, int lanes, int n_dims,
                         const kval *extents, int n_values, const kval *identity, kval *out_index)
{
    assert(n_values >= 1 && n_values <= KREGION_MAX_VALUES);
    assert(lanes >= 1 && (lanes & (lanes - 1)) == 0 && (lanes == 1 || n_dims == 1));
    kval v = kernel_raw_region(k, KOP_REDUCE, type_of(k, identity[0]), n_values, identity, n_dims,
                               extents, out_index);
    kernel_raw_append(k, current(k), v);
    struct kregion *r = k->insts[v].region;
    r->combine = combine;
    r->lanes = lanes;
    open_block(k, v, &r->block[0]);
}

void kernel_reduce_unordered(struct kernel *k)
{
    struct kregion *r = k->insts[open_region(k, KOP_REDUCE)].region;
    assert(r->combine == KCOMBINE_BLOCK);
    r->unordered = true;
}

void kernel_reduce_combine(struct kernel *k, const kval *element, kval *out_so_far,
                           kval *out_element)
{
    kval v = open_region(k, KOP_REDUCE);
    struct kregion *r = k->insts[v].region;
    int n = k->insts[v].n_args;
    assert(r->combine == KCOMBINE_BLOCK && current(k) == &r->block[0]);
    assert_types(k, v, element);
    yield(k, n, element);
    close_block(k);
    for (int i = 0; i < n; i++)
        out_so_far[i] = kernel_raw_param(k, &r->block[1], type_of(k, k->insts[v].args[i]));
    for (int i = 0; i < n; i++)
        out_element[i] = kernel_raw_param(k, &r->block[1], type_of(k, k->insts[v].args[i]));
    open_block(k, v, &r->block[1]);
}

void kernel_reduce_end(struct kernel *k, const kval *values, kval *out_result)
{
    kval v = open_region(k, KOP_REDUCE);
    struct kregion *r = k->insts[v].region;
    assert(current(k) == &r->block[r->combine == KCOMBINE_BLOCK]);
    (void)r;
    assert_types(k, v, values);
    yield(k, k->insts[v].n_args, values);
    close_block(k);
    arg_results(k, v, out_result);
}

void kernel_scan_begin(struct kernel *k, enum kcombine combine, kval extent, int n_values,
                       const kval *identity, kval *out_index)
{
    assert(n_values >= 1 && n_values <= KREGION_MAX_VALUES && combine != KCOMBINE_BLOCK);
    kval v = kernel_raw_region(k, KOP_SCAN, type_of(k, identity[0]), n_values, identity, 1, &extent,
                               out_index);
    kernel_raw_append(k, current(k), v);
    struct kregion *r = k->insts[v].region;
    r->combine = combine;
    open_block(k, v, &r->block[0]);
}

void kernel_scan_emit(struct kernel *k, const kval *element, kval *out_prefix)
{
    kval v = open_region(k, KOP_SCAN);
    struct kregion *r = k->insts[v].region;
    assert(current(k) == &r->block[0]);
    assert_types(k, v, element);
    int n = k->insts[v].n_args;
    yield(k, n, element);
    close_block(k);
    for (int i = 0; i < n; i++)
        out_prefix[i] = kernel_raw_param(k, &r->block[1], type_of(k, k->insts[v].args[i]));
    open_block(k, v, &r->block[1]);
}

void kernel_scan_end(struct kernel *k, kval *out_total)
{
    kval v = open_region(k, KOP_SCAN);
    assert(current(k) == &k->insts[v].region->block[1]);
    close_block(k);
    arg_results(k, v, out_total);
}

void kernel_sort_begin(struct kernel *k, kval extent, kval ranks, kval *out_index)
{
    kval extents[2] = {extent, ranks};
    kval v = kernel_raw_region(k, KOP_SORT, DTYPE_NONE, 0, NULL, 2, extents, out_index);
    kernel_raw_append(k, current(k), v);
    open_block(k, v, &k->insts[v].region->block[0]);
}

void kernel_sort_order(struct kernel *k, int n_values, const kval *element, kval *out_first,
                       kval *out_second)
{
    kval v = open_region(k, KOP_SORT);
    struct kregion *r = k->insts[v].region;
    assert(current(k) == &r->block[0] && n_values >= 1 && n_values <= KREGION_MAX_VALUES);
    yield(k, n_values, element);
    close_block(k);
    for (int i = 0; i < n_values; i++)
        out_first[i] = kernel_raw_param(k, &r->block[1], type_of(k, element[i]));
    for (int i = 0; i < n_values; i++)
        out_second[i] = kernel_raw_param(k, &r->block[1], type_of(k, element[i]));
    open_block(k, v, &r->block[1]);
}

void kernel_sort_emit(struct kernel *k, kval before, kval *out_element)
{
    kval v = open_region(k, KOP_SORT);
    struct kregion *r = k->insts[v].region;
    assert(current(k) == &r->block[1] && type_of(k, before) == DTYPE_BOOL);
    yield(k, 1, &before);
    close_block(k);
    for (int i = 0; i < r->block[1].n_params / 2; i++)
        out_element[i] = kernel_raw_param(k, &r->block[2], type_of(k, r->block[1].param[i]));
    open_block(k, v, &r->block[2]);
}

void kernel_sort_end(struct kernel *k)
{
    kval v = open_region(k, KOP_SORT);
    assert(current(k) == &k->insts[v].region->block[2]);
    (void)v;
    close_block(k);
}

void kernel_if_begin(struct kernel *k, kval condition)
{
    assert(type_of(k, condition) == DTYPE_BOOL);
    kval v = kernel_raw_region(k, KOP_IF, DTYPE_NONE, 1, &condition, 0, NULL, NULL);
    kernel_raw_append(k, current(k), v);
    open_block(k, v, &k->insts[v].region->block[0]);
}

void kernel_if_else(struct kernel *k, int n_values, const kval *values)
{
    kval v = open_region(k, KOP_IF);
    struct kregion *r = k->insts[v].region;
    assert(current(k) == &r->block[0] && n_values <= KREGION_MAX_VALUES);
    if (n_values) {
        yield(k, n_values, values);
        k->insts[v].type = type_of(k, values[0]);
    }
    close_block(k);
    open_block(k, v, &r->block[1]);
}

void kernel_if_end(struct kernel *k, int n_values, const kval *values, kval *out_result)
{
    kval v = open_region(k, KOP_IF);
    assert(n_values == 0 || current(k) == &k->insts[v].region->block[1]);
    enum dtype types[KREGION_MAX_VALUES];
    for (int i = 0; i < n_values; i++)
        types[i] = type_of(k, values[i]);
    if (n_values)
        yield(k, n_values, values);
    close_block(k);
    results(k, v, n_values, types, out_result);
}

/* ---- contractions ---- */

struct kcontract *kernel_contract_begin(struct kernel *k, enum dtype acc, int n_iters,
                                        const int64_t *extents, const enum kiter *kinds,
                                        kval *out_index)
{
    assert(n_iters >= 0 && n_iters <= KREGION_MAX_DIMS);
    kval extent[KREGION_MAX_DIMS] = {0};
    for (int d = 0; d < n_iters; d++)
        extent[d] = kernel_const_index(k, extents[d]);
    kval v = kernel_raw_region(k, KOP_CONTRACT, DTYPE_NONE, 0, NULL, n_iters, extent, out_index);
    struct kcontract *c = arena_new(k->arena, struct kcontract);
    k->insts[v].region->contract = c;
    c->acc = acc;
    c->a.buf = c->b.buf = -1;
    for (int d = 0; d < n_iters; d++)
        c->kind[d] = kinds[d];
    /* Until a prologue or the epilogue is opened instructions (a pad value, say) still go to the
       block around, and so in front of the contraction, which joins it at the end. */
    open_block(k, v, current(k));
    return c;
}

struct kaffine kaffine_const(int64_t offset)
{
    struct kaffine a;
    memset(&a, 0, sizeof a);
    a.offset = offset;
    return a;
}

struct kaffine kaffine_var(kval var, int64_t coef, int64_t offset)
{
    struct kaffine a = kaffine_const(offset);
    kaffine_add(&a, var, coef);
    return a;
}

void kaffine_add(struct kaffine *a, kval var, int64_t coef)
{
    for (int t = 0; t < a->n_terms; t++) {
        if (a->term[t].var != var)
            continue;
        a->term[t].coef += coef;
        if (a->term[t].coef == 0) {
            for (a->n_terms--; t < a->n_terms; t++)
                a->term[t] = a->term[t + 1];
        }
        return;
    }
    if (coef == 0)
        return;
    assert(a->n_terms < KAFFINE_MAX_TERMS);
    a->term[a->n_terms].var = var;
    a->term[a->n_terms].coef = coef;
    a->n_terms++;
}

kval kernel_contract_prologue(struct kernel *k, struct koperand *operand)
{
    kval v = open_region(k, KOP_CONTRACT);
    assert(operand->buf >= 0 && (size_t)operand->buf < k->n_bufs && !operand->prologue.n_params);
    kval raw = kernel_raw_param(k, &operand->prologue, k->bufs[operand->buf].dtype);
    open_block(k, v, &operand->prologue);
    return raw;
}

void kernel_contract_prologue_end(struct kernel *k, kval value)
{
    kval v = open_region(k, KOP_CONTRACT);
    assert(type_of(k, value) == k->insts[v].region->contract->acc);
    (void)v;
    yield(k, 1, &value);
    close_block(k);
}

kval kernel_contract_epilogue(struct kernel *k)
{
    kval v = open_region(k, KOP_CONTRACT);
    struct kregion *r = k->insts[v].region;
    kval acc = kernel_raw_param(k, &r->block[0], r->contract->acc);
    open_block(k, v, &r->block[0]);
    return acc;
}

void kernel_contract_end(struct kernel *k)
{
    kval v = open_region(k, KOP_CONTRACT);
    assert(current(k) == &k->insts[v].region->block[0]);
    close_block(k); /* the epilogue */
    close_block(k); /* the block around, as opened by begin */
    kernel_raw_append(k, current(k), v);
}
