/*
 * One step of K inside a tile:
 *
 *     b[j] = vector of B;  for each row i: acc[i][j] += broadcast A[i] * b[j]
 *
 * In general a step takes one value of K; elements pass through the operand's prologue, A's as a
 * scalar, B's as a vector, or are cast to the accumulator's type.
 *
 * Where products take lanes of a vector (ARM), one load brings several values of a row's A.
 *
 * Bytes are taken several values of K at a time (contract_dot.c), a group: in dot 4 a lane of 32
 * bits holds the four of one column, B is packed that way, and A's four are read as one word and
 * broadcast.
 */
#include <assert.h>

#include "bundle/tile/contract_tile.h"

enum { LINE_BYTES = 64 };

LLVMValueRef tile_made_new(struct emit *e, LLVMValueRef v)
{
    static const char constraints[] = "=r,0";
    LLVMTypeRef of = LLVMTypeOf(v), type = LLVMFunctionType(of, &of, 1, 0);
    LLVMValueRef code = LLVMGetInlineAsm(type, "", 0, constraints, sizeof constraints - 1, 0, 0,
                                         LLVMInlineAsmDialectATT, 0);
    return LLVMBuildCall2(e->b, type, code, &v, 1, "");
}

int64_t tile_extent(const struct tile *t, int i)
{
    return kernel_static_extent(t->ek->k, t->r, i);
}

int tile_k_step(const struct tile *t, int i)
{
    return i == t->e->group_iter ? t->e->group * t->e->at_once : 1;
}

struct eaffine tile_bound(struct emit_kernel *ek, const struct kaffine *a)
{
    struct eaffine r = eaffine_const(a->offset);
    for (int i = 0; i < a->n_terms; i++)
        eaffine_add(&r, &ek->bind[a->term[i].var], a->term[i].coef);
    return r;
}

static struct eaddress operand_address(struct tile *t, const struct koperand *o)
{
    struct eaffine idx[MAX_RANK];
    int rank = t->ek->k->bufs[o->buf].rank;
    for (int d = 0; d < rank; d++)
        idx[d] = tile_bound(t->ek, &o->dim[d]);
    return emit_address_affine(t->ek, o->buf, idx);
}

/* The same for A: where the step may be outside, an address that can be read in any case. */
static struct eaddress address_in_a(struct tile *t)
{
    struct emit_kernel *ek = t->ek;
    struct emit *e = ek->e;
    struct eaddress at = operand_address(t, &t->c->a);
    if (!t->guard)
        return at;
    LLVMValueRef off = eaffine_value(ek, &at.affine);
    off = LLVMBuildSelect(e->b, t->guard, off, emit_index(e, 0), "");
    at.affine = eaffine_var(emit_add_var(ek, off, 0));
    return at;
}

/* What was read there, or the padding. */
static LLVMValueRef guarded(struct tile *t, LLVMValueRef v, LLVMValueRef pad)
{
    return t->guard ? LLVMBuildSelect(t->ek->e->b, t->guard, v, pad, "") : v;
}

/* Row i: value i % inner of row_iter, i / inner of the row outside it. */
void tile_bind_row(struct tile *t, int i)
{
    const struct schedule_entry *e = t->e;
    if (e->row_iter < 0)
        return;
    bool joined = e->row_outer >= 0 && e->tile_outer == 0;
    struct eaffine a = joined ? eaffine_var(t->ek->join.inner) : t->row0;
    a.offset += i % t->inner;
    emit_bind_index(t->ek, t->r->index[e->row_iter], &a);
    if (e->row_outer >= 0 && !joined) {
        struct eaffine o = t->outer0;
        o.offset += i / t->inner;
        emit_bind_index(t->ek, t->r->index[e->row_outer], &o);
    }
}

void tile_bind_col(struct tile *t, int64_t vector, int64_t lane0)
{
    struct eaffine a = t->col0, lane = eaffine_var(EVAR_LANE);
    a.offset += vector * t->e->vector + lane0;
    eaffine_add(&a, &lane, 1);
    emit_bind_index(t->ek, t->r->index[t->e->col_iter], &a);
}

/* ---- where rows fall outside A ---- */

bool tile_is_inside(const struct tile *t, const struct tile_pad *pad, int i, int further)
{
    const struct kaffine *a = &t->c->a.dim[pad->dim];
    int64_t row =
        pad->m == t->e->row_iter ? t->first_row + i % t->inner : t->first_outer + i / t->inner;
    int64_t at = a->offset + row * kaffine_coef(a, t->r->index[pad->m]) +
                 (t->k_at[pad->k] + further) * kaffine_coef(a, t->r->index[pad->k]);
    return at >= 0 && at < t->ek->k->bufs[t->c->a.buf].dims[pad->dim];
}

/* Which of the K values of this step, a bit each, row i finds inside A.  Values behind the end of K
   that can be read all the same count as inside. */
static unsigned values_inside(const struct tile *t, int i)
{
    int step = t->e->group * t->e->at_once;
    unsigned all = (1u << step) - 1, inside = all;
    bool padded = false;
    if (t->outside)
        return 0;
    for (int p = 0; p < t->n_pads; p++) {
        const struct tile_pad *pad = &t->pad[p];
        if (pad->k != t->e->group_iter) {
            inside &= tile_is_inside(t, pad, i, 0) ? all : 0;
            continue;
        }
        padded = true;
        for (int g = 0; g < step; g++)
            if (!tile_is_inside(t, pad, i, g))
                inside &= ~(1u << g);
    }
    if (!padded && !t->group_may_overrun)
        inside &= (1u << t->group_have) - 1;
    return inside;
}

/* ---- accumulators ---- */

static LLVMTypeRef sum_type(struct tile *t)
{
    if (t->e->dot == SCHEDULE_DOT_PAIRS)
        return LLVMVectorType(t->ek->e->f64, (unsigned)t->e->vector);
    return emit_lane_type(t->ek, t->c->acc, true);
}

static enum dtype operand_type(const struct tile *t, const struct koperand *o)
{
    return t->ek->k->bufs[o->buf].dtype;
}

/* Rows that are computed together. */
static int rows_at_once(const struct tile *t)
{
    return t->e->dot == SCHEDULE_DOT_SQUARE ? 2 : 1;
}

static LLVMValueRef cleared_slot(struct tile *t)
{
    LLVMTypeRef vec = sum_type(t);
    LLVMValueRef slot = emit_alloca(t->ek, vec);
    LLVMBuildStore(t->ek->e->b, LLVMConstNull(vec), slot);
    return slot;
}

void tile_clear(struct tile *t)
{
    int together = rows_at_once(t), sums = (t->rows + t->rows % together) * t->vectors;
    assert(sums <= MAX_ACC && t->vectors <= MAX_TILE_VECTORS);
    for (int i = 0; i < sums; i++)
        t->acc[i] = cleared_slot(t);
    for (int j = 0; t->product.flipped && j < t->vectors; j++)
        t->excess[j] = cleared_slot(t);
}

static LLVMValueRef loaded_sum(struct tile *t, int row, int vector)
{
    return LLVMBuildLoad2(t->ek->e->b, sum_type(t), t->acc[row * t->vectors + vector], "");
}

LLVMValueRef tile_sum(struct tile *t, int row, int vector)
{
    LLVMBuilderRef b = t->ek->e->b;
    LLVMValueRef sum = loaded_sum(t, row - row % rows_at_once(t), vector);
    if (rows_at_once(t) == 2)
        sum = tile_row_of_square(t, sum, loaded_sum(t, row - row % 2 + 1, vector), row % 2);
    if (t->dot && t->dot->kind->floats == DTYPE_BF16)
        sum = tile_zipped(t, sum);
    if (t->e->dot == SCHEDULE_DOT_PAIRS)
        return tile_sum_of_pairs(t, sum);
    if (!t->product.flipped)
        return sum;
    return LLVMBuildSub(b, sum, LLVMBuildLoad2(b, sum_type(t), t->excess[vector], ""), "");
}

/* ---- one value of K ---- */

/* An element as it enters the product. */
static LLVMValueRef prepared(struct tile *t, const struct koperand *o, LLVMValueRef raw,
                             bool varying)
{
    struct emit_kernel *ek = t->ek;
    if (!o->prologue.n)
        return emit_cast(ek, operand_type(t, o), t->c->acc, raw);
    emit_set(ek, o->prologue.param[0], raw, varying);
    emit_block(ek, &o->prologue);
    kval result = emit_block_yield(ek, &o->prologue)->args[0];
    return emit_get(ek, result, varying || ek->varying[result]);
}

static LLVMValueRef vector_of_b(struct tile *t, int j)
{
    bool varying;
    tile_bind_col(t, j, 0);
    struct eaddress at = operand_address(t, &t->c->b);
    LLVMValueRef v = emit_load(t->ek, &at, &varying);
    v = prepared(t, &t->c->b, v, varying);
    return LLVMGetTypeKind(LLVMTypeOf(v)) == LLVMVectorTypeKind ? v : emit_splat(t->ek, v);
}

/* NULL where the row adds nothing. */
static LLVMValueRef splat_of_a(struct tile *t, int i, unsigned inside)
{
    struct emit_kernel *ek = t->ek;
    LLVMValueRef raw;
    tile_bind_row(t, i);
    if (!inside) {
        if (!t->pad_counts)
            return NULL;
        raw = emit_get(ek, t->c->a.pad, false);
    } else {
        bool varying;
        struct eaddress at = address_in_a(t);
        raw = emit_load(ek, &at, &varying);
        assert(!varying);
        if (t->guard)
            raw = guarded(t, raw, emit_get(ek, t->c->a.pad, false));
    }
    return emit_splat(ek, prepared(t, &t->c->a, raw, false));
}

/* acc + a * b */
static LLVMValueRef multiply_add(struct emit_kernel *ek, enum dtype type, LLVMValueRef a,
                                 LLVMValueRef b, LLVMValueRef acc)
{
    struct emit *e = ek->e;
    if (!dtype_is_float(type))
        return LLVMBuildAdd(e->b, acc, LLVMBuildMul(e->b, a, b, ""), "");
    if (e->target->has_fma) {
        LLVMTypeRef t = LLVMTypeOf(acc);
        LLVMValueRef args[3] = {a, b, acc};
        return emit_intrinsic(e, "llvm.fma", &t, 1, args, 3);
    }
    return LLVMBuildFAdd(e->b, LLVMBuildFMul(e->b, a, b, ""), acc, "");
}

/* ---- groups of bytes ---- */

static LLVMValueRef load_as(struct emit_kernel *ek, const struct eaddress *at, LLVMTypeRef type,
                            unsigned alignment)
{
    assert(!at->varying);
    LLVMValueRef v = LLVMBuildLoad2(ek->e->b, type, emit_pointer(ek, at->buf, &at->affine), "");
    LLVMSetAlignment(v, alignment);
    return v;
}

/* LLVM's back end for ARM brings eight bytes together word by word where they are not aligned,
   though its own instruction takes them anywhere. */
static LLVMValueRef load_bytes(struct tile *t, const struct eaddress *at, LLVMTypeRef type)
{
    struct emit *e = t->ek->e;
    const char *load8 = t->dot->kind->load8;
    if (t->e->dot == SCHEDULE_DOT_PAIRS)
        return load_as(t->ek, at, type, sizeof(double));
    if (!load8 || type != LLVMVectorType(e->i8, 8))
        return load_as(t->ek, at, type, 1);
    assert(!at->varying);
    LLVMTypeRef types[2] = {type, e->ptr};
    LLVMValueRef args[2] = {emit_pointer(t->ek, at->buf, &at->affine), LLVMConstInt(e->i32, 1, 0)};
    return emit_intrinsic(e, load8, types, 2, args, 2);
}

static unsigned pad_byte(const struct tile *t)
{
    return t->c->a.padded ? (unsigned)kernel_inst(t->ek->k, t->c->a.pad)->imm.i & 0xff : 0;
}

static LLVMValueRef padding_group(struct tile *t)
{
    return t->dot->kind->floats ? emit_get(t->ek, t->c->a.pad, false)
                                : tile_same_bytes(t, pad_byte(t));
}

/* The group value by value: those that are not inside are the padding. */
static LLVMValueRef assembled_group(struct tile *t, unsigned inside, int have)
{
    struct emit_kernel *ek = t->ek;
    kval index = t->r->index[t->e->group_iter];
    struct eaffine first = ek->bind[index];
    LLVMValueRef group = tile_same_bytes(t, 0);
    for (int g = 0; g < have; g++) {
        LLVMValueRef v = t->dot->kind->floats ? NULL : LLVMConstInt(ek->e->i8, pad_byte(t), 0);
        if (inside >> g & 1) {
            bool varying;
            struct eaffine a = first;
            a.offset += g;
            emit_bind_index(ek, index, &a);
            struct eaddress at = address_in_a(t);
            v = guarded(t, emit_load(ek, &at, &varying), v);
        }
        if (v)
            group = tile_put(t, group, v, g);
    }
    emit_bind_index(ek, index, &first);
    return group;
}

/* A group of row i, of which `have` values exist and those of `inside` can be read; NULL where it
   adds nothing. */
static LLVMValueRef group_of_a(struct tile *t, int i, unsigned inside, int have)
{
    unsigned all = (1u << t->e->group) - 1, wanted = (1u << have) - 1;
    tile_bind_row(t, i);
    if (!(inside & wanted) && !t->pad_counts && !t->product.flipped)
        return NULL;
    if (!(inside & wanted))
        return padding_group(t);
    if (inside == all && (t->group_is_adjacent || t->e->group == 1)) {
        struct eaddress at = address_in_a(t);
        LLVMValueRef group = load_bytes(t, &at, tile_group_type(t));
        return t->guard ? guarded(t, group, padding_group(t)) : group;
    }
    return assembled_group(t, inside, have);
}

static struct factor group_of_b(struct tile *t, int j)
{
    struct factor f = {{NULL, NULL}};
    tile_bind_col(t, j, 0);
    struct eaddress at = operand_address(t, &t->c->b);
    if (eaffine_lane(&at.affine) == t->e->group || t->e->dot != SCHEDULE_DOT_PAIRS)
        f.v[0] = load_bytes(t, &at, tile_type_of_b(t));
    else
        f.v[0] = emit_gather_as(t->ek, &at, t->ek->e->f64);
    if (t->e->dot == SCHEDULE_DOT_PAIRS && t->group_have == 1)
        f.v[0] = tile_first_of_pairs(t, f.v[0]);
    if (rows_at_once(t) == 1)
        return tile_factor_of_b(t, f.v[0]);
    at.affine.offset += t->e->vector / 2 * t->e->group; /* the right pair of columns */
    f.v[1] = load_bytes(t, &at, tile_type_of_b(t));
    return f;
}

/* ---- the step ---- */

/* All values of a row in a step, a lane each group; NULL where they are read one by one. */
static LLVMValueRef groups_of_a(struct tile *t, int i)
{
    struct emit_kernel *ek = t->ek;
    enum dtype type = operand_type(t, &t->c->a);
    int at_once = t->e->at_once;
    if (at_once == 1 || !t->group_is_adjacent || t->guard ||
        t->a[i].inside != (1u << t->e->group * at_once) - 1)
        return NULL;
    tile_bind_row(t, i);
    struct eaddress at = operand_address(t, &t->c->a);
    if (t->dot) {
        LLVMTypeRef groups = LLVMVectorType(tile_group_type(t), (unsigned)at_once);
        return tile_groups_of_a(t, load_bytes(t, &at, groups));
    }
    LLVMTypeRef lanes = LLVMVectorType(emit_memory_type(ek->e, type), (unsigned)at_once);
    return emit_cast(ek, type, t->c->acc, load_as(ek, &at, lanes, dtype_bits(type) / 8));
}

/* Group u of row i; false where it adds nothing. */
static bool factor_of_row(struct tile *t, int i, int u, struct factor *out_factor)
{
    const struct schedule_entry *e = t->e;
    unsigned inside = t->a[i].inside >> u * e->group & ((1u << e->group) - 1);
    int left = t->group_have - u * e->group;
    if (t->a[i].groups) {
        *out_factor = tile_lane_of(t, t->a[i].groups, u);
        return true;
    }
    LLVMValueRef v = t->dot ? group_of_a(t, i, inside, left < e->group ? left : e->group)
                            : splat_of_a(t, i, inside);
    if (v)
        *out_factor = t->dot ? tile_factor_of_a(t, v) : (struct factor){{v}};
    return v != NULL;
}

/* Group u of rows i and i + 1. */
static bool factor_of_pair(struct tile *t, int i, int u, struct factor *out_factor)
{
    struct factor upper = {{tile_same_bytes(t, 0)}}, lower = upper;
    bool any = factor_of_row(t, i, u, &upper);
    any |= i + 1 < t->rows && factor_of_row(t, i + 1, u, &lower);
    if (any)
        *out_factor = tile_pair_of_a(t, upper.v[0], lower.v[0]);
    return any;
}

static struct factor factor_of_column(struct tile *t, int j)
{
    if (!t->dot)
        return (struct factor){{vector_of_b(t, j)}};
    struct factor f = group_of_b(t, j);
    if (t->product.flipped) {
        LLVMBuilderRef b = t->ek->e->b;
        struct factor top = {{tile_same_bytes(t, 0x80)}};
        if (t->e->dot == SCHEDULE_DOT4)
            top.v[0] = emit_splat(t->ek, top.v[0]);
        LLVMValueRef sum = LLVMBuildLoad2(b, sum_type(t), t->excess[j], "");
        LLVMBuildStore(b, tile_add_product(t, sum, &top, &f), t->excess[j]);
    }
    return f;
}

void tile_load_b(struct tile *t, LLVMValueRef *out_b)
{
    for (int j = 0; j < t->vectors; j++)
        out_b[j] = factor_of_column(t, j).v[0];
}

/* The products of group u. */
static void add_group(struct tile *t, int u)
{
    LLVMBuilderRef b = t->ek->e->b;
    struct factor fb[MAX_TILE_VECTORS], fa;
    int together = rows_at_once(t);
    for (int j = 0; j < t->vectors; j++)
        fb[j] = t->b ? (struct factor){{t->b[j]}} : factor_of_column(t, j);
    for (int i = 0; i < t->rows; i += together) {
        if (!(together == 2 ? factor_of_pair : factor_of_row)(t, i, u, &fa))
            continue;
        for (int j = 0; j < t->vectors; j++)
            for (int pair = 0; pair < together; pair++) {
                LLVMValueRef slot = t->acc[(i + pair) * t->vectors + j];
                LLVMValueRef sum = LLVMBuildLoad2(b, sum_type(t), slot, "");
                struct factor columns = together == 2 ? (struct factor){{fb[j].v[pair]}} : fb[j];
                sum = t->dot ? tile_add_product(t, sum, &fa, &columns)
                             : multiply_add(t->ek, t->c->acc, fa.v[0], columns.v[0], sum);
                LLVMBuildStore(b, sum, slot);
            }
    }
}

static void products(struct tile *t)
{
    const struct schedule_entry *e = t->e;
    for (int i = 0; i < t->rows; i++) {
        t->a[i].inside = values_inside(t, i);
        t->a[i].groups = groups_of_a(t, i);
    }
    if (e->at_once == 1) {
        add_group(t, 0);
        return;
    }
    kval index = t->r->index[e->group_iter];
    struct eaffine first = t->ek->bind[index];
    for (int u = 0; u * e->group < t->group_have; u++) {
        struct eaffine at = first;
        at.offset += (int64_t)u * e->group;
        emit_bind_index(t->ek, index, &at);
        add_group(t, u);
    }
    emit_bind_index(t->ek, index, &first);
}

void tile_step(struct tile *t)
{
    LLVMValueRef *a = &t->ek->buf[t->c->a.buf], whole = *a;
    if (!t->dot && t->ek->e->target->loads_anew)
        *a = tile_made_new(t->ek->e, whole);
    products(t);
    *a = whole;
}

/* ---- prefetching ---- */

void tile_prefetch_lines(struct emit_kernel *ek, const struct koperand *b, struct eaffine first,
                         int64_t n, int64_t step)
{
    struct emit *e = ek->e;
    LLVMTypeRef type = emit_memory_type(e, ek->k->bufs[b->buf].dtype);
    for (int64_t i = 0; i < n; i++) {
        LLVMValueRef off = eaffine_value(ek, &first);
        LLVMValueRef args[4] = {
            LLVMBuildGEP2(e->b, type, ek->buf[b->buf], &off, 1, ""),
            LLVMConstInt(e->i32, 0, 0), /* read */
            LLVMConstInt(e->i32, 2, 0), /* second-level cache */
            LLVMConstInt(e->i32, 1, 0), /* data */
        };
        emit_intrinsic(e, "llvm.prefetch", &e->ptr, 1, args, 4);
        first.offset += step;
    }
}

/* Behind the last block lie the constants that are needed next. */
void tile_prefetch(struct tile *t, int64_t count)
{
    const struct kbuf *b = &t->ek->k->bufs[t->c->b.buf];
    unsigned bits = dtype_bits(b->dtype);
    if (!b->constant || t->n_tiles < 2 || bits < 8 || t->outside)
        return;
    int64_t per_line = LINE_BYTES * 8 / bits;
    int64_t lines = count * t->e->tile_n * t->e->vector / per_line;
    if (t->n_tiles > lines)
        return;
    int64_t share = tile_div_ceil(lines, t->n_tiles);
    tile_bind_col(t, t->e->tile_n, 0);
    struct eaddress at = operand_address(t, &t->c->b);
    struct eaffine first = at.affine;
    eaffine_add(&first, &t->tile, share * per_line);
    tile_prefetch_lines(t->ek, &t->c->b, first, share, per_line);
}
