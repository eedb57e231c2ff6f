/* Affine forms over the emitted loop variables, and their values. */
#include <assert.h>

#include "bundle/emit/emit_internal.h"

int emit_add_var(struct emit_kernel *ek, LLVMValueRef value, int64_t extent)
{
    struct evar *v = &ARENA_PUSH(ek->e->arena, ek->vars, ek->n_vars, ek->cap_vars);
    v->value = value;
    v->extent = extent;
    return (int)ek->n_vars - 1;
}

struct eaffine eaffine_const(int64_t v)
{
    return (struct eaffine){.offset = v};
}

struct eaffine eaffine_var(int var)
{
    struct eaffine a = {.n_terms = 1};
    a.term[0].var = var;
    a.term[0].coef = 1;
    return a;
}

void eaffine_add_term(struct eaffine *a, int var, int64_t coef)
{
    for (int i = 0; i < a->n_terms; i++) {
        if (a->term[i].var != var)
            continue;
        a->term[i].coef += coef;
        if (a->term[i].coef == 0)
            a->term[i] = a->term[--a->n_terms];
        return;
    }
    if (coef == 0)
        return;
    assert(a->n_terms < EMIT_MAX_TERMS);
    a->term[a->n_terms].var = var;
    a->term[a->n_terms++].coef = coef;
}

void eaffine_add(struct eaffine *a, const struct eaffine *b, int64_t times)
{
    a->offset += b->offset * times;
    for (int i = 0; i < b->n_terms; i++)
        eaffine_add_term(a, b->term[i].var, b->term[i].coef * times);
}

int64_t eaffine_lane(const struct eaffine *a)
{
    for (int i = 0; i < a->n_terms; i++)
        if (a->term[i].var == EVAR_LANE)
            return a->term[i].coef;
    return 0;
}

bool eaffine_range(const struct emit_kernel *ek, const struct eaffine *a, int64_t *out_least,
                   int64_t *out_most)
{
    int64_t least = a->offset, most = a->offset;
    for (int i = 0; i < a->n_terms; i++) {
        int64_t extent = ek->vars[a->term[i].var].extent;
        if (extent < 1 || !kaffine_reach(a->term[i].coef, extent, &least, &most))
            return false;
    }
    *out_least = least;
    *out_most = most;
    return true;
}

/* outer * (coef * inner extent) + inner * coef is coef * joined. */
static struct eaffine join_terms(const struct emit_kernel *ek, const struct eaffine *a)
{
    struct eaffine r = *a;
    if (ek->join.joined < 0)
        return r;
    int64_t outer = 0, inner = 0;
    for (int i = 0; i < a->n_terms; i++) {
        if (a->term[i].var == ek->join.outer)
            outer = a->term[i].coef;
        if (a->term[i].var == ek->join.inner)
            inner = a->term[i].coef;
    }
    if (inner != 0 && outer == inner * ek->join.inner_extent) {
        eaffine_add_term(&r, ek->join.outer, -outer);
        eaffine_add_term(&r, ek->join.inner, -inner);
        eaffine_add_term(&r, ek->join.joined, inner);
    }
    return r;
}

LLVMValueRef eaffine_value(struct emit_kernel *ek, const struct eaffine *affine)
{
    struct emit *e = ek->e;
    struct eaffine a = join_terms(ek, affine);
    bool in_full = e->target->optimize_size;
    LLVMValueRef sum = NULL;
    for (int i = 0; i < a.n_terms; i++) {
        if (a.term[i].var == EVAR_LANE)
            continue;
        /* A half of a joined pair has no value: what it is used in sees the pair. */
        LLVMValueRef v = ek->vars[a.term[i].var].value;
        assert(v);
        if (a.term[i].coef != 1 || in_full)
            v = LLVMBuildNSWMul(e->b, v, emit_index(e, a.term[i].coef), "");
        sum = sum ? LLVMBuildNSWAdd(e->b, sum, v, "") : v;
    }
    if (!sum)
        return emit_index(e, a.offset);
    return a.offset || in_full ? LLVMBuildNSWAdd(e->b, sum, emit_index(e, a.offset), "") : sum;
}

void emit_bind_index(struct emit_kernel *ek, kval index, const struct eaffine *a)
{
    ek->bind[index] = *a;
}

struct eaffine emit_kaffine(const struct emit_kernel *ek, const struct kaffine *k)
{
    struct eaffine a = eaffine_const(k->offset);
    for (int i = 0; i < k->n_terms; i++)
        eaffine_add(&a, &ek->bind[k->term[i].var], k->term[i].coef);
    return a;
}

/* On devices a quotient by a constant that is the same in all lanes, such as the block of K whose
   scale a weight has: the lanes stay inside what the other terms are multiples of. */
static bool is_quotient(struct emit_kernel *ek, kval v, struct eaffine *out_affine)
{
    const struct kinst *in = kernel_inst(ek->k, v);
    struct kaffine k;
    int64_t by, least, most;
    if (!ek->e->target->host || ek->lanes == 1 || in->op != KOP_DIV ||
        !kernel_is_const_int(ek->k, in->args[1], &by) || by < 1 ||
        !kernel_affine_of(ek->k, in->args[0], &k))
        return false;
    struct eaffine a = emit_kaffine(ek, &k);
    int64_t lane = eaffine_lane(&a), reach = lane * (ek->lanes - 1);
    if (!eaffine_range(ek, &a, &least, &most) || least < 0 || lane < 0 || by <= reach)
        return false;
    for (int i = 0; i < a.n_terms; i++)
        if (a.term[i].var != EVAR_LANE && a.term[i].coef % (reach + 1) != 0)
            return false;
    if (a.offset % (reach + 1) != 0 || by % (reach + 1) != 0)
        return false;
    LLVMValueRef q = LLVMBuildUDiv(ek->e->b, eaffine_value(ek, &a), emit_index(ek->e, by), "");
    *out_affine = eaffine_var(emit_add_var(ek, q, most / by + 1));
    return true;
}

bool emit_affine(struct emit_kernel *ek, kval v, struct eaffine *out_affine)
{
    struct kaffine k;
    if (is_quotient(ek, v, out_affine))
        return true;
    if (!kernel_affine_of(ek->k, v, &k))
        return false;
    *out_affine = emit_kaffine(ek, &k);
    return true;
}

LLVMValueRef eaffine_full(struct emit_kernel *ek, const struct eaffine *a, bool *out_varying)
{
    struct emit *e = ek->e;
    LLVMValueRef v = eaffine_value(ek, a);
    int64_t lane = eaffine_lane(a);
    *out_varying = lane != 0 && ek->lanes > 1;
    if (!*out_varying)
        return v;
    LLVMValueRef step[EMIT_MAX_LANES];
    for (int i = 0; i < ek->lanes; i++)
        step[i] = emit_index(e, lane * i);
    return LLVMBuildAdd(e->b, emit_splat(ek, v), LLVMConstVector(step, (unsigned)ek->lanes), "");
}
