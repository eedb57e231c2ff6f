/*
 * kernel_validate.c: every rule of kernel.h that can be checked without running the kernel.
 *
 * One walk over the blocks with the set of values that are defined so far; a value goes out of
 * scope with its block.  Messages name values by their numbers in the text form.
 */
#include "ir/kernel.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "ir/kernel_extern.h"
#include "ir/kernel_raw.h"

enum scope { UNSEEN, VISIBLE, CLOSED };

struct check {
    const struct kernel *k;
    struct error *err;
    struct arena scratch;
    const uint32_t *number;
    uint8_t *scope; /* by kval, enum scope */
    int depth;
    int n_unbounded; /* maps around that have an extent without a bound */
};

static bool fail(struct check *c, kval v, const char *what)
{
    uint32_t n = v ? c->number[v] : UINT32_MAX;
    if (n == UINT32_MAX)
        return error_set(c->err, SHEAF_ERROR_FORMAT, "kernel '%s': %s%s%s", c->k->name,
                         v ? kop_name(kernel_inst(c->k, v)->op) : "", v ? ": " : "", what);
    return error_set(c->err, SHEAF_ERROR_FORMAT, "kernel '%s': %s %%%" PRIu32 ": %s", c->k->name,
                     kop_name(kernel_inst(c->k, v)->op), n, what);
}

static bool is_value(const struct check *c, kval v)
{
    return v > 0 && v < c->k->n_insts && c->scope[v] == VISIBLE;
}

static enum dtype type_of(const struct check *c, kval v)
{
    return kernel_inst(c->k, v)->type;
}

static bool is_type(enum dtype t)
{
    return t > DTYPE_NONE && t < DTYPE_COUNT;
}

/* ---- buffers ---- */

static bool check_buf(struct check *c, size_t n)
{
    const struct kbuf *b = &c->k->bufs[n];
    const char *what = NULL;
    bool dynamic = false;
    if (!is_type(b->dtype))
        what = "has no element type";
    else if (b->rank < 0 || b->rank > MAX_RANK)
        what = "has a rank out of range";
    else if (b->layout.rank != b->rank)
        what = "has a layout of another rank";
    else if (b->constant && b->role != KBUF_IN)
        what = "has constant content but is not an input";
    for (int d = 0; !what && d < b->rank; d++) {
        int e = b->extent_buf[d];
        if (b->dims[d] < 0)
            what = "has a negative extent";
        if (e < 0)
            continue;
        dynamic = true;
        if ((size_t)e >= c->k->n_bufs || c->k->bufs[e].rank != 0 ||
            c->k->bufs[e].dtype != DTYPE_I64)
            what = "has an extent in a buffer that is no i64 scalar";
    }
    if (!what && dynamic && !layout_is_plain(&b->layout))
        what = "has run-time extents but not the plain layout";
    if (!what && b->constant) {
        bool same = b->constant->dtype == b->dtype && b->constant->rank == b->rank;
        for (int d = 0; same && d < b->rank; d++)
            same = b->constant->dims[d] == b->dims[d];
        if (!same)
            what = "has constant content of another type or shape";
    }
    if (!what)
        return true;
    return error_set(c->err, SHEAF_ERROR_FORMAT, "kernel '%s': buffer @%zu %s", c->k->name, n,
                     what);
}

/* ---- simple instructions ---- */

static bool op_fits_type(enum kop op, enum dtype t)
{
    if (dtype_is_coded(t))
        return false;
    switch (op) {
    case KOP_SQRT:
    case KOP_FLOOR:
    case KOP_CEIL:
    case KOP_TRUNC:
    case KOP_RINT:
        return dtype_is_float(t);
    case KOP_REM:
    case KOP_SHL:
    case KOP_SHR:
        return dtype_is_integer(t);
    case KOP_AND:
    case KOP_OR:
    case KOP_XOR:
    case KOP_NOT:
        return !dtype_is_float(t);
    default:
        return t != DTYPE_BOOL;
    }
}

static bool check_access(struct check *c, kval v, const struct kinst *i)
{
    if (i->buf < 0 || (size_t)i->buf >= c->k->n_bufs)
        return fail(c, v, "names no buffer");
    const struct kbuf *b = &c->k->bufs[i->buf];
    int extra = i->op == KOP_LOAD ? 0 : 1;
    if (i->n_args != b->rank + extra)
        return fail(c, v, "does not give one index per dimension of its buffer");
    for (int d = 0; d < b->rank; d++) {
        int64_t at;
        if (type_of(c, i->args[d]) != DTYPE_I64)
            return fail(c, v, "has an index that is not i64");
        if (i->op != KOP_LOAD_OR && kernel_is_const_int(c->k, i->args[d], &at) &&
            (at < 0 || at >= b->dims[d]))
            return fail(c, v, "has an index outside its buffer");
    }
    if (extra && type_of(c, i->args[b->rank]) != b->dtype)
        return fail(c, v, "has a value of another type than its buffer");
    if (i->op == KOP_STORE && b->role == KBUF_IN)
        return fail(c, v, "writes an input buffer");
    if (i->type != (i->op == KOP_STORE ? DTYPE_NONE : b->dtype))
        return fail(c, v, "has another type than its buffer");
    return true;
}

static bool check_result(struct check *c, kval v, const struct kinst *i)
{
    if (i->n_args != 1 || !kernel_inst(c->k, i->args[0])->region)
        return fail(c, v, "is of no region");
    kval region = i->args[0];
    int n = kernel_raw_n_results(c->k, region);
    if (n < 2 || i->imm.i < 0 || i->imm.i >= n)
        return fail(c, v, "is of a region that has no such result");
    const struct kinst *r = kernel_inst(c->k, region);
    const kval *values = r->args;
    if (r->op == KOP_IF) {
        const struct kblock *b = &r->region->block[0];
        values = kernel_inst(c->k, b->insts[b->n - 1])->args;
    }
    if (i->type != type_of(c, values[i->imm.i]))
        return fail(c, v, "has another type than the value it stands for");
    return true;
}

static bool check_other(struct check *c, kval v, const struct kinst *i)
{
    switch (i->op) {
    case KOP_RESULT:
        return check_result(c, v, i);
    case KOP_LOAD:
    case KOP_LOAD_OR:
    case KOP_STORE:
        return check_access(c, v, i);
    case KOP_EXTERN:
        if (c->depth != 1 || !i->call || i->n_args)
            return fail(c, v, "does not stand in the body");
        return !kextern_fault(c->k, i->call) || fail(c, v, kextern_fault(c->k, i->call));
    case KOP_SELECT:
        if (i->n_args != 3 || type_of(c, i->args[0]) != DTYPE_BOOL ||
            type_of(c, i->args[1]) != i->type || type_of(c, i->args[2]) != i->type)
            return fail(c, v, "needs a bool and two values of its type");
        return true;
    case KOP_CAST:
        if (i->n_args != 1 || !is_type(type_of(c, i->args[0])))
            return fail(c, v, "needs one value");
        if (dtype_is_coded(i->type) || dtype_is_coded(type_of(c, i->args[0])))
            return fail(c, v, "does not exist for coded types");
        return true;
    case KOP_BITCAST:
        if (i->n_args != 1 || !is_type(type_of(c, i->args[0])) ||
            dtype_bits(type_of(c, i->args[0])) != dtype_bits(i->type))
            return fail(c, v, "needs one value of the same width");
        return true;
    default:
        return fail(c, v, "does not belong here");
    }
}

static bool check_simple(struct check *c, kval v, const struct kinst *i)
{
    switch (kop_kind(i->op)) {
    case KOP_KIND_LEAF:
        if (i->op != KOP_CONST || i->n_args || !is_type(i->type))
            return fail(c, v, "does not belong in a block");
        return true;
    case KOP_KIND_UNARY:
        if (i->n_args != 1 || type_of(c, i->args[0]) != i->type)
            return fail(c, v, "needs one operand of its type");
        break;
    case KOP_KIND_BINARY:
        if (i->n_args != 2 || type_of(c, i->args[0]) != i->type ||
            type_of(c, i->args[1]) != i->type)
            return fail(c, v, "needs two operands of its type");
        break;
    case KOP_KIND_COMPARE:
        if (i->n_args != 2 || type_of(c, i->args[0]) != type_of(c, i->args[1]))
            return fail(c, v, "needs two operands of one type");
        if (dtype_is_coded(type_of(c, i->args[0])))
            return fail(c, v, "does not exist for its operands' type");
        return i->type == DTYPE_BOOL ? true : fail(c, v, "gives a bool");
    default:
        return check_other(c, v, i);
    }
    return op_fits_type(i->op, i->type) ? true : fail(c, v, "does not exist for its type");
}

/* ---- regions ---- */

static bool check_block(struct check *c, kval region, const struct kblock *b, int n_params,
                        const enum dtype *params, int n_yield, const enum dtype *yields);

static bool check_dims(struct check *c, kval v, const struct kregion *r)
{
    if (r->n_dims < 0 || r->n_dims > KREGION_MAX_DIMS)
        return fail(c, v, "has too many indices");
    for (int d = 0; d < r->n_dims; d++) {
        if (!is_value(c, r->extent[d]) || type_of(c, r->extent[d]) != DTYPE_I64)
            return fail(c, v, "has an extent that is no visible i64 value");
        kval x = r->index[d];
        if (x == 0 || x >= c->k->n_insts || kernel_inst(c->k, x)->op != KOP_INDEX ||
            type_of(c, x) != DTYPE_I64 || c->scope[x] != UNSEEN)
            return fail(c, v, "has an index that is not its own");
        /* Visible from the blocks on; the extents of this region come before. */
    }
    return true;
}

static void set_dims(struct check *c, const struct kregion *r, enum scope scope)
{
    for (int d = 0; d < r->n_dims; d++)
        c->scope[r->index[d]] = (uint8_t)scope;
}

static bool check_operand(struct check *c, kval v, const struct koperand *o, enum kiter foreign)
{
    const struct kregion *r = kernel_inst(c->k, v)->region;
    if (o->buf < 0 || (size_t)o->buf >= c->k->n_bufs)
        return fail(c, v, "has an operand without a buffer");
    const struct kbuf *b = &c->k->bufs[o->buf];
    for (int d = 0; d < b->rank; d++) {
        const struct kaffine *a = &o->dim[d];
        if (a->n_terms < 0 || a->n_terms > KAFFINE_MAX_TERMS)
            return fail(c, v, "has an index map with too many terms");
        for (int t = 0; t < a->n_terms; t++) {
            kval x = a->term[t].var;
            if (!is_value(c, x) || kernel_inst(c->k, x)->op != KOP_INDEX)
                return fail(c, v, "has an index map over something that is no visible index");
            if (a->term[t].coef == 0)
                return fail(c, v, "has an index map with a coefficient of 0");
            int j = kregion_index_of(r, x);
            if (j >= 0 && r->contract->kind[j] == foreign)
                return fail(c, v, "has an operand that depends on the other one's index");
        }
        int64_t lo, hi;
        if (!o->padded && b->extent_buf[d] < 0 && kernel_affine_range(c->k, r, a, &lo, &hi) &&
            (lo < 0 || hi >= b->dims[d]))
            return fail(c, v, "reads outside an operand that is not padded");
    }
    if (dtype_is_coded(b->dtype) && !o->prologue.n)
        return fail(c, v, "has an operand of a coded type without a prologue");
    if (!o->padded)
        return o->pad == 0 ? true : fail(c, v, "has a pad value for an operand without padding");
    if (!is_value(c, o->pad) || kregion_index_of(r, o->pad) >= 0 || type_of(c, o->pad) != b->dtype)
        return fail(c, v, "needs a value of the operand's type, the same for all, as pad value");
    return true;
}

/* The indices that a block of a contraction may use. */
static void show_kinds(struct check *c, const struct kregion *r, unsigned kinds)
{
    for (int d = 0; d < r->n_dims; d++)
        c->scope[r->index[d]] = kinds >> r->contract->kind[d] & 1 ? VISIBLE : CLOSED;
}

static bool check_contract(struct check *c, kval v, const struct kregion *r)
{
    const struct kcontract *con = r->contract;
    if (!con || !is_type(con->acc) || con->acc == DTYPE_BOOL)
        return fail(c, v, "has no accumulator type");
    for (int d = 0; d < r->n_dims; d++) {
        int64_t extent;
        if (!kernel_is_const_int(c->k, r->extent[d], &extent) || extent < 0)
            return fail(c, v, "has an extent that is no constant");
        if ((unsigned)con->kind[d] > KITER_K)
            return fail(c, v, "has an index of no kind");
    }
    set_dims(c, r, VISIBLE);
    if (!check_operand(c, v, &con->a, KITER_N) || !check_operand(c, v, &con->b, KITER_M))
        return false;
    const unsigned batch = 1u << KITER_BATCH, m = 1u << KITER_M, n = 1u << KITER_N,
                   k = 1u << KITER_K;
    if (con->a.prologue.n) {
        show_kinds(c, r, batch | m | k);
        if (!check_block(c, v, &con->a.prologue, 1, &c->k->bufs[con->a.buf].dtype, 1, &con->acc))
            return false;
    }
    if (con->b.prologue.n) {
        show_kinds(c, r, batch | n | k);
        if (!check_block(c, v, &con->b.prologue, 1, &c->k->bufs[con->b.buf].dtype, 1, &con->acc))
            return false;
    }
    show_kinds(c, r, batch | m | n);
    return check_block(c, v, &r->block[0], 1, &con->acc, 0, NULL);
}

static bool combine_fits(enum kcombine combine, enum dtype t)
{
    switch (combine) {
    case KCOMBINE_AND:
    case KCOMBINE_OR:
        return !dtype_is_float(t) && !dtype_is_coded(t);
    case KCOMBINE_BLOCK:
        return true;
    default:
        return t != DTYPE_BOOL && !dtype_is_coded(t);
    }
}

static bool check_reduction(struct check *c, kval v, const struct kinst *i, const enum dtype *types)
{
    const struct kregion *r = i->region;
    int n = i->n_args;
    bool scan = i->op == KOP_SCAN;
    if (n < 1)
        return fail(c, v, "has no identity");
    if (r->lanes < 1 || (r->lanes & (r->lanes - 1)) || (r->lanes > 1 && (scan || r->n_dims != 1)))
        return fail(c, v, "needs a power of two of lanes over one index");
    if (scan && (r->n_dims != 1 || r->combine == KCOMBINE_BLOCK))
        return fail(c, v, "needs one index and a combining operation");
    if ((unsigned)r->combine > KCOMBINE_BLOCK)
        return fail(c, v, "has no combining operation");
    for (int a = 0; a < n; a++)
        if (!combine_fits(r->combine, types[a]))
            return fail(c, v, "combines in a way that does not exist for its type");
    if (!check_block(c, v, &r->block[0], 0, NULL, n, types))
        return false;
    if (scan)
        return check_block(c, v, &r->block[1], n, types, 0, NULL);
    if (r->combine != KCOMBINE_BLOCK)
        return true;
    /* The combining block works on tuples: it belongs to no index. */
    set_dims(c, r, CLOSED);
    enum dtype both[2 * KREGION_MAX_VALUES];
    for (int a = 0; a < n; a++)
        both[a] = both[n + a] = types[a];
    return check_block(c, v, &r->block[1], 2 * n, both, n, types);
}

static bool stores_nothing(const struct kernel *k, const struct kblock *b)
{
    for (size_t j = 0; j < b->n; j++) {
        if (kernel_inst(k, b->insts[j])->op == KOP_STORE)
            return false;
        if (!kernel_inst(k, b->insts[j])->region)
            continue;
        struct kblock *blocks[KREGION_MAX_BLOCKS];
        int n = kernel_raw_blocks(k, b->insts[j], blocks);
        for (int i = 0; i < n; i++)
            if (!stores_nothing(k, blocks[i]))
                return false;
    }
    return true;
}

static bool has_unbounded(const struct kernel *k, const struct kregion *r)
{
    for (int d = 0; d < r->n_dims; d++)
        if (kernel_extent_bound(k, r->extent[d]) < 0)
            return true;
    return false;
}

/* Each index belongs to one block, and the comparing one works on tuples. */
static bool check_sort(struct check *c, kval v, const struct kregion *r)
{
    enum dtype both[2 * KREGION_MAX_VALUES], is_before = DTYPE_BOOL;
    const struct kblock *b = &r->block[0];
    const struct kinst *y =
        b->n && b->insts[b->n - 1] < c->k->n_insts ? kernel_inst(c->k, b->insts[b->n - 1]) : NULL;
    if (r->n_dims != 2)
        return fail(c, v, "needs two indices, of elements and of ranks");
    if (has_unbounded(c->k, r) || c->n_unbounded)
        return fail(c, v, "has an extent, or is in a map with one, that has no bound");
    if (!y || y->op != KOP_YIELD || y->n_args < 1 || y->n_args > KREGION_MAX_VALUES)
        return fail(c, v, "yields no elements");
    int n = y->n_args;
    for (int a = 0; a < n; a++) {
        if (y->args[a] == 0 || y->args[a] >= c->k->n_insts)
            return fail(c, v, "yields what is no value");
        both[a] = both[n + a] = type_of(c, y->args[a]);
    }
    c->scope[r->index[1]] = CLOSED;
    if (!check_block(c, v, b, 0, NULL, n, both))
        return false;
    c->scope[r->index[0]] = CLOSED;
    if (!check_block(c, v, &r->block[1], 2 * n, both, 1, &is_before))
        return false;
    if (!stores_nothing(c->k, b) || !stores_nothing(c->k, &r->block[1]))
        return fail(c, v, "stores where it must only compute");
    c->scope[r->index[1]] = VISIBLE;
    return check_block(c, v, &r->block[2], n, both, 0, NULL);
}

static bool check_if(struct check *c, kval v, const struct kinst *i)
{
    enum dtype types[KREGION_MAX_VALUES];
    int n = kernel_raw_n_results(c->k, v);
    if (i->n_args != 1 || type_of(c, i->args[0]) != DTYPE_BOOL || i->region->n_dims)
        return fail(c, v, "needs one bool");
    if (n > KREGION_MAX_VALUES)
        return fail(c, v, "yields too many values");
    const struct kblock *b = &i->region->block[0];
    for (int a = 0; a < n; a++) {
        kval y = kernel_inst(c->k, b->insts[b->n - 1])->args[a];
        if (y == 0 || y >= c->k->n_insts)
            return fail(c, v, "yields what is no value");
        types[a] = type_of(c, y);
    }
    if (i->type != (n ? types[0] : DTYPE_NONE))
        return fail(c, v, "has another type than what it yields");
    return check_block(c, v, &i->region->block[0], 0, NULL, n, types) &&
           check_block(c, v, &i->region->block[1], 0, NULL, n, types);
}

static bool check_region(struct check *c, kval v, const struct kinst *i)
{
    const struct kregion *r = i->region;
    enum dtype types[KREGION_MAX_VALUES];
    if (!r || !check_dims(c, v, r))
        return fail(c, v, "has no region");
    if (i->op == KOP_IF)
        return check_if(c, v, i);
    if (i->n_args > KREGION_MAX_VALUES)
        return fail(c, v, "carries too many values");
    for (int a = 0; a < i->n_args; a++)
        types[a] = type_of(c, i->args[a]);
    if (i->type != (i->n_args ? types[0] : DTYPE_NONE))
        return fail(c, v, "has another type than its values");
    set_dims(c, r, VISIBLE);
    bool ok;
    switch (i->op) {
    case KOP_MAP: {
        int unbounded = has_unbounded(c->k, r);
        c->n_unbounded += unbounded;
        ok = i->n_args == 0 ? check_block(c, v, &r->block[0], 0, NULL, 0, NULL)
                            : fail(c, v, "takes no values");
        c->n_unbounded -= unbounded;
        break;
    }
    case KOP_LOOP:
        ok = r->n_dims == 1 ? check_block(c, v, &r->block[0], i->n_args, types, i->n_args, types)
                            : fail(c, v, "needs one index");
        break;
    case KOP_CONTRACT:
        ok = i->n_args == 0 ? check_contract(c, v, r) : fail(c, v, "takes no values");
        break;
    case KOP_SORT:
        ok = i->n_args == 0 ? check_sort(c, v, r) : fail(c, v, "takes no values");
        break;
    default:
        ok = check_reduction(c, v, i, types);
        break;
    }
    set_dims(c, r, CLOSED);
    return ok;
}

static bool check_yield(struct check *c, kval region, const struct kinst *y, int n,
                        const enum dtype *types)
{
    if (y->n_args != n)
        return fail(c, region, "yields another number of values than it must");
    for (int a = 0; a < n; a++)
        if (type_of(c, y->args[a]) != types[a])
            return fail(c, region, "yields a value of another type than it must");
    return true;
}

static bool check_inst(struct check *c, kval v)
{
    const struct kinst *i = kernel_inst(c->k, v);
    for (int a = 0; a < i->n_args; a++)
        if (!is_value(c, i->args[a]))
            return fail(c, v, "uses a value that is not visible there");
    for (int a = 0; a < i->n_args; a++)
        if (!is_type(type_of(c, i->args[a])) && i->op != KOP_RESULT)
            return fail(c, v, "uses something that has no value");
    if (kop_kind(i->op) == KOP_KIND_REGION)
        return check_region(c, v, i);
    return check_simple(c, v, i);
}

static bool check_insts(struct check *c, kval region, const struct kblock *b, int n_yield,
                        const enum dtype *yields)
{
    bool yielded = false;
    for (size_t j = 0; j < b->n; j++) {
        kval v = b->insts[j];
        if (v == 0 || v >= c->k->n_insts)
            return fail(c, region, "holds an instruction that does not exist");
        const struct kinst *i = kernel_inst(c->k, v);
        if (c->scope[v] != UNSEEN)
            return fail(c, v, "stands in two places");
        if (i->op == KOP_YIELD) {
            if (j + 1 != b->n || !region || n_yield == 0)
                return fail(c, region, "yields where it must not");
            for (int a = 0; a < i->n_args; a++)
                if (!is_value(c, i->args[a]))
                    return fail(c, region, "yields a value that is not visible there");
            if (!check_yield(c, region, i, n_yield, yields))
                return false;
            yielded = true;
        } else if (!check_inst(c, v)) {
            return false;
        }
        c->scope[v] = VISIBLE;
    }
    if (n_yield && !yielded)
        return fail(c, region, "has a block that does not yield its values");
    return true;
}

static bool check_block(struct check *c, kval region, const struct kblock *b, int n_params,
                        const enum dtype *params, int n_yield, const enum dtype *yields)
{
    if (++c->depth > 60)
        return fail(c, region, "is nested too deeply");
    if (b->n_params != n_params)
        return fail(c, region, "has a block with another number of parameters than it must");
    for (int p = 0; p < n_params; p++) {
        kval v = b->param[p];
        if (v == 0 || v >= c->k->n_insts || kernel_inst(c->k, v)->op != KOP_PARAM ||
            c->scope[v] != UNSEEN || type_of(c, v) != params[p])
            return fail(c, region, "has a parameter that is not its own or of another type");
        c->scope[v] = VISIBLE;
    }
    if (!check_insts(c, region, b, n_yield, yields))
        return false;
    for (int p = 0; p < n_params; p++)
        c->scope[b->param[p]] = CLOSED;
    for (size_t j = 0; j < b->n; j++)
        c->scope[b->insts[j]] = CLOSED;
    c->depth--;
    return true;
}

bool kernel_validate(const struct kernel *k, struct error *err)
{
    struct check c = {.k = k, .err = err};
    arena_init(&c.scratch);
    c.number = kernel_number(k, &c.scratch);
    c.scope = arena_alloc(&c.scratch, k->n_insts);
    bool ok = true;
    for (size_t b = 0; ok && b < k->n_bufs; b++)
        ok = check_buf(&c, b);
    ok = ok && check_block(&c, 0, &k->body, 0, NULL, 0, NULL);
    arena_done(&c.scratch);
    return ok;
}
