/*
 * What the threads of a group do together: wait, let one of them write, and reduce.
 *
 * A reduction into P partials gives each thread the partials whose numbers it is congruent to, so
 * the order is the stated one, whatever the size of the group: partials that one thread has are
 * combined by it, those of threads of one warp by exchanging registers, and what is wider through
 * memory that the block shares.  Where no order can be told apart, as for sums of integers, or
 * where the schedule says so, all threads take part.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "bundle/emit/emit_plain.h"

static const struct target_threads *threads_of(const struct emit_kernel *ek)
{
    return ek->e->target->threads;
}

void emit_group_barrier(struct emit_kernel *ek)
{
    if (ek->group.size > 1)
        threads_of(ek)->barrier(ek->e, ek->group.size);
}

/* What is emitted up to emit_group_first_end the threads run for which `condition` holds. */
static struct egroup_first begin_where(struct emit_kernel *ek, LLVMValueRef condition)
{
    struct egroup_first first = {.group = ek->group};
    LLVMBasicBlockRef inside = emit_append_block(ek);
    first.end = emit_append_block(ek);
    LLVMBuildCondBr(ek->e->b, condition, inside, first.end);
    LLVMPositionBuilderAtEnd(ek->e->b, inside);
    ek->group = (struct egroup){.size = 1};
    return first;
}

struct egroup_first emit_group_first_begin(struct emit_kernel *ek)
{
    LLVMValueRef zero = plain_i32(ek->e, 0);
    return begin_where(ek, LLVMBuildICmp(ek->e->b, LLVMIntEQ, ek->group.rank, zero, ""));
}

void emit_group_first_end(struct emit_kernel *ek, const struct egroup_first *first)
{
    ek->group = first->group;
    LLVMBuildBr(ek->e->b, first->end);
    LLVMPositionBuilderAtEnd(ek->e->b, first->end);
}

/* ---- exchange ---- */

/* Registers are exchanged 32 bits at a time. */
static LLVMValueRef in_words(struct emit_kernel *ek, LLVMValueRef v, int up)
{
    struct emit *e = ek->e;
    const struct target_threads *t = threads_of(ek);
    LLVMTypeRef type = LLVMTypeOf(v);
    unsigned bits = (unsigned)LLVMSizeOfTypeInBits(e->layout, type);
    LLVMTypeRef as_int = LLVMIntTypeInContext(e->ctx, bits);
    LLVMValueRef word = LLVMBuildBitCast(e->b, v, as_int, "");
    LLVMValueRef moved[2] = {NULL, NULL};
    for (int i = 0; i < (bits > 32 ? 2 : 1); i++) {
        LLVMValueRef shift = LLVMConstInt(as_int, 32 * (uint64_t)i, 0);
        LLVMValueRef part = i ? LLVMBuildLShr(e->b, word, shift, "") : word;
        part = LLVMBuildIntCast2(e->b, part, e->i32, 0, "");
        moved[i] = up ? t->from_above(e, part, up) : t->from_first(e, part, ek->group.size);
        moved[i] = LLVMBuildIntCast2(e->b, moved[i], as_int, 0, "");
        if (i) {
            moved[1] = LLVMBuildShl(e->b, moved[1], shift, "");
            moved[0] = LLVMBuildOr(e->b, moved[0], moved[1], "");
        }
    }
    return LLVMBuildBitCast(e->b, moved[0], type, "");
}

/* Memory of the block that the kernel has once under this name. */
static LLVMValueRef memory_once(struct emit_kernel *ek, LLVMTypeRef type, const char *what, int i)
{
    struct emit *e = ek->e;
    const char *name = arena_printf(e->arena, "%s_%s%d_%llu", LLVMGetValueName(ek->fn), what, i,
                                    (unsigned long long)LLVMABISizeOfType(e->layout, type));
    LLVMValueRef there = LLVMGetNamedGlobal(e->mod, name);
    if (there)
        return there;
    LLVMValueRef made = emit_shared(e, type, 8);
    LLVMSetValueName2(made, name, strlen(name));
    return made;
}

LLVMValueRef emit_group_array(struct emit_kernel *ek, LLVMTypeRef type, int i)
{
    LLVMTypeRef t = LLVMArrayType2(type, (uint64_t)ek->schedule->threads);
    return memory_once(ek, t, "exchange", i);
}

static LLVMValueRef element_of(struct emit_kernel *ek, LLVMValueRef array, LLVMTypeRef type,
                               LLVMValueRef i)
{
    return LLVMBuildInBoundsGEP2(ek->e->b, type, array, &i, 1, "");
}

LLVMValueRef emit_group_broadcast(struct emit_kernel *ek, LLVMValueRef v)
{
    struct emit *e = ek->e;
    if (ek->group.size == 1)
        return v;
    if (ek->group.size <= threads_of(ek)->warp)
        return in_words(ek, v, 0);
    LLVMTypeRef type = LLVMTypeOf(v);
    bool is_bit = type == e->i1;
    if (is_bit)
        v = LLVMBuildZExt(e->b, v, type = e->i8, "");
    LLVMValueRef place = memory_once(ek, type, "broadcast", 0);
    emit_group_barrier(ek); /* who still reads what the last round wrote */
    struct egroup_first first = emit_group_first_begin(ek);
    LLVMBuildStore(e->b, v, place);
    emit_group_first_end(ek, &first);
    emit_group_barrier(ek);
    v = LLVMBuildLoad2(e->b, type, place, "");
    return is_bit ? LLVMBuildTrunc(e->b, v, e->i1, "") : v;
}

/* ---- reduction ---- */

enum { MAX_OWN = 32 }; /* partials of one thread */

static LLVMValueRef real_literal(LLVMTypeRef type, enum dtype t, double v)
{
    if (t == DTYPE_F16)
        return LLVMConstInt(type, dtype_f32_to_f16((float)v), 0);
    if (t == DTYPE_BF16)
        return LLVMConstInt(type, dtype_f32_to_bf16((float)v), 0);
    return LLVMConstReal(type, v);
}

LLVMValueRef emit_neutral(struct emit *e, enum kcombine combine, enum dtype t)
{
    LLVMTypeRef type = emit_type(e, t);
    bool is_float = dtype_is_float(t), least = combine == KCOMBINE_MIN;
    switch (combine) {
    case KCOMBINE_ADD:
        /* -0 + x is x, whatever its sign. */
        return is_float ? real_literal(type, t, -0.0) : LLVMConstNull(type);
    case KCOMBINE_OR:
        return LLVMConstNull(type);
    case KCOMBINE_MUL:
        return is_float ? real_literal(type, t, 1) : LLVMConstInt(type, 1, 0);
    case KCOMBINE_AND:
        return LLVMConstAllOnes(type);
    default:
        assert(combine == KCOMBINE_MIN || combine == KCOMBINE_MAX);
        if (is_float)
            return real_literal(type, t, least ? INFINITY : -INFINITY);
        return LLVMConstInt(type, (uint64_t)(least ? dtype_int_max(t) : dtype_int_min(t)), 1);
    }
}

struct group_reduction {
    kval v;
    const struct kinst *in;
    const struct kregion *r;
    int n;     /* values in the tuple */
    int own;   /* partials of each thread */
    int lanes; /* partials in all */
    enum dtype type[KREGION_MAX_VALUES];
    LLVMValueRef slot[KREGION_MAX_VALUES][MAX_OWN];
};

bool emit_is_order_free(const struct kernel *k, const struct kinst *in)
{
    if (in->region->combine == KCOMBINE_BLOCK)
        return in->region->unordered;
    for (int i = 0; i < in->n_args; i++)
        if (dtype_is_float(kernel_inst(k, in->args[i])->type))
            return false;
    return true;
}

static void read_own(struct emit_kernel *ek, const struct group_reduction *g, int own,
                     LLVMValueRef *out)
{
    for (int i = 0; i < g->n; i++)
        out[i] = LLVMBuildLoad2(ek->e->b, emit_type(ek->e, g->type[i]), g->slot[i][own], "");
}

static void write_own(struct emit_kernel *ek, const struct group_reduction *g, int own,
                      LLVMValueRef *v)
{
    for (int i = 0; i < g->n; i++)
        LLVMBuildStore(ek->e->b, v[i], g->slot[i][own]);
}

/* Element `at`, a row-major number, combined into partial `own` of the thread. */
static void take(struct emit_kernel *ek, const struct group_reduction *g, LLVMValueRef at, int own)
{
    struct emit *e = ek->e;
    const struct kregion *r = g->r;
    for (int d = r->n_dims - 1; d >= 0; d--) {
        LLVMValueRef extent = emit_extent(ek, r, d);
        LLVMValueRef i = d ? LLVMBuildURem(e->b, at, extent, "") : at;
        if (d)
            at = LLVMBuildUDiv(e->b, at, extent, "");
        struct eaffine a = eaffine_var(emit_add_var(ek, i, kernel_static_extent(ek->k, r, d)));
        emit_bind_index(ek, r->index[d], &a);
    }
    LLVMValueRef element[KREGION_MAX_VALUES], so_far[KREGION_MAX_VALUES];
    emit_block(ek, &r->block[0]);
    const struct kinst *y = emit_block_yield(ek, &r->block[0]);
    for (int i = 0; i < g->n; i++)
        element[i] = emit_get(ek, y->args[i], false);
    read_own(ek, g, own, so_far);
    emit_combine(ek, r, g->n, so_far, element, false, g->type);
    write_own(ek, g, own, so_far);
}

/* Rounds of `lanes` elements; a thread without a partial takes none. */
static void take_all(struct emit_kernel *ek, const struct group_reduction *g)
{
    struct emit *e = ek->e;
    LLVMValueRef total = emit_index(e, 1);
    for (int d = 0; d < g->r->n_dims; d++)
        total = LLVMBuildMul(e->b, total, emit_extent(ek, g->r, d), "");
    struct egroup group = ek->group;
    for (int own = 0; own < g->own; own++) {
        LLVMValueRef from = LLVMBuildAdd(e->b, group.rank, plain_i32(ek->e, own * group.size), "");
        from = LLVMBuildZExt(e->b, from, e->index, "");
        if (g->lanes < group.size) {
            LLVMValueRef takes =
                LLVMBuildICmp(e->b, LLVMIntULT, group.rank, plain_i32(ek->e, g->lanes), "");
            from = LLVMBuildSelect(e->b, takes, from, total, "");
        }
        struct eloop l = emit_loop_begin(ek, from, total, g->lanes);
        ek->group = (struct egroup){.size = 1};
        take(ek, g, l.phi, own);
        ek->group = group;
        emit_loop_end(ek, &l);
    }
}

/* A place in what threads exchange.  Each step of a reduction has a part of its own, of half as
   many elements as that of the step before, so that nobody waits for those who still read there. */
static LLVMValueRef place_in_step(struct emit_kernel *ek, int half)
{
    LLVMValueRef in_part = LLVMBuildAnd(ek->e->b, ek->group.rank, plain_i32(ek->e, half - 1), "");
    return LLVMBuildAdd(ek->e->b, in_part, plain_i32(ek->e, ek->group.size - 2 * half), "");
}

/* The values of thread `half` above this one, for those below `half`. */
static void values_above(struct emit_kernel *ek, const struct group_reduction *g, int half,
                         LLVMValueRef *v, LLVMValueRef *out)
{
    struct emit *e = ek->e;
    if (half < threads_of(ek)->warp) {
        for (int i = 0; i < g->n; i++)
            out[i] = in_words(ek, v[i], half);
        return;
    }
    LLVMValueRef at = place_in_step(ek, half);
    LLVMValueRef above = LLVMBuildSub(e->b, ek->group.rank, plain_i32(e, half), "");
    above = LLVMBuildICmp(e->b, LLVMIntULT, above, plain_i32(e, half), "");
    struct egroup_first writers = begin_where(ek, above);
    for (int i = 0; i < g->n; i++) {
        LLVMTypeRef type = LLVMTypeOf(v[i]);
        bool is_bit = type == e->i1;
        LLVMValueRef value = is_bit ? LLVMBuildZExt(e->b, v[i], type = e->i8, "") : v[i];
        LLVMBuildStore(e->b, value, element_of(ek, emit_group_array(ek, type, i), type, at));
    }
    emit_group_first_end(ek, &writers);
    emit_group_barrier(ek);
    for (int i = 0; i < g->n; i++) {
        LLVMTypeRef type = LLVMTypeOf(v[i]);
        LLVMTypeRef in_memory = type == e->i1 ? e->i8 : type;
        LLVMValueRef array = emit_group_array(ek, in_memory, i);
        out[i] = LLVMBuildLoad2(e->b, in_memory, element_of(ek, array, in_memory, at), "");
        out[i] = LLVMBuildTruncOrBitCast(e->b, out[i], type, "");
    }
}

static void combine_all(struct emit_kernel *ek, const struct group_reduction *g)
{
    LLVMValueRef low[KREGION_MAX_VALUES], high[KREGION_MAX_VALUES];
    struct egroup group = ek->group;
    for (int half = g->lanes / 2; half >= 1; half /= 2) {
        int own = half / group.size;
        for (int j = 0; j < (own ? own : 1); j++) {
            read_own(ek, g, j, low);
            if (own)
                read_own(ek, g, j + own, high);
            else
                values_above(ek, g, half, low, high);
            ek->group = (struct egroup){.size = 1};
            emit_combine(ek, g->r, g->n, low, high, false, g->type);
            ek->group = group;
            write_own(ek, g, j, low);
        }
    }
}

bool emit_group_reduce(struct emit_kernel *ek, kval v)
{
    const struct kinst *in = kernel_inst(ek->k, v);
    struct group_reduction g = {.v = v, .in = in, .r = in->region, .n = in->n_args};
    int size = ek->group.size;
    const struct schedule_entry *entry = schedule_find(ek->schedule, v);
    g.lanes = entry ? entry->lanes : emit_is_order_free(ek->k, in) ? size : g.r->lanes;
    g.own = g.lanes > size ? g.lanes / size : 1;
    if (g.lanes == 1 || g.own > MAX_OWN)
        return false;
    assert((size & (size - 1)) == 0);
    for (int i = 0; i < g.n; i++) {
        g.type[i] = kernel_inst(ek->k, in->args[i])->type;
        LLVMValueRef start = emit_get(ek, in->args[i], false);
        /* Of parts that the kernel does not state, one alone starts from its operands, but for
           those that may be combined any number of times. */
        if (g.lanes != g.r->lanes && g.r->combine != KCOMBINE_BLOCK) {
            LLVMValueRef is_first =
                LLVMBuildICmp(ek->e->b, LLVMIntEQ, ek->group.rank, plain_i32(ek->e, 0), "");
            start = LLVMBuildSelect(ek->e->b, is_first, start,
                                    emit_neutral(ek->e, g.r->combine, g.type[i]), "");
        }
        for (int own = 0; own < g.own; own++) {
            g.slot[i][own] = emit_alloca(ek, emit_type(ek->e, g.type[i]));
            LLVMBuildStore(ek->e->b, start, g.slot[i][own]);
        }
    }
    take_all(ek, &g);
    combine_all(ek, &g);
    LLVMValueRef result[KREGION_MAX_VALUES];
    read_own(ek, &g, 0, result);
    for (int i = 0; i < g.n; i++)
        result[i] = emit_group_broadcast(ek, result[i]);
    emit_set_results(ek, v, g.n, result, false);
    return true;
}
